//! Stamps and durations in integer nanoseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since the start of the clock in use (simulated or wall clock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// A signed span of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(i64);

impl Time {
    /// The start of the clock.
    pub const ZERO: Time = Time(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Time(nanos)
    }

    /// From seconds, rounded to the nearest nanosecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Time((secs * 1e9).round() as i64)
    }

    /// Nanoseconds since the start of the clock.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the start of the clock; for display and arithmetic that needs no exactness.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Duration(nanos)
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Duration(millis * 1_000_000)
    }

    /// From whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Duration(secs * 1_000_000_000)
    }

    /// From seconds, rounded to the nearest nanosecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Duration((secs * 1e9).round() as i64)
    }

    /// The period of something that happens `rate_hz` times a second, rounded to the nearest nanosecond.
    pub fn from_rate_hz(rate_hz: f64) -> Self {
        Duration::from_secs_f64(1.0 / rate_hz)
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.saturating_sub(rhs.0))
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, rhs: Time) -> Duration {
        Duration(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.secs_f64())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_exact_and_saturates() {
        let t = Time::from_nanos(5) + Duration::from_millis(2);
        assert_eq!(t.nanos(), 2_000_005);
        assert_eq!(t - Time::from_nanos(5), Duration::from_millis(2));
        assert_eq!(
            (Time::from_nanos(i64::MAX) + Duration::from_secs(1)).nanos(),
            i64::MAX
        );
        assert_eq!(Duration::from_rate_hz(30.0).nanos(), 33_333_333);
    }
}
