//! How one joint gets to where it was told to go.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How joints follow their commands.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DriveConfig {
    /// Time a joint needs from rest to its full speed, seconds.
    pub ramp_s: f64,
    /// Time constant of the first-order lag between command and joint, seconds; 0: none.
    pub lag_s: f64,
}

impl Default for DriveConfig {
    fn default() -> Self {
        DriveConfig {
            ramp_s: 0.15,
            lag_s: 0.0,
        }
    }
}

impl DriveConfig {
    /// # Errors
    /// [`Error::BadConfig`] for a ramp that is not positive or a lag that is negative.
    pub fn validate(&self) -> Result<()> {
        if !(self.ramp_s.is_finite() && self.ramp_s > 0.0) {
            return Err(Error::bad_config(
                "ramp_s",
                self.ramp_s,
                "use a positive number of seconds",
            ));
        }
        if !(self.lag_s.is_finite() && self.lag_s >= 0.0) {
            return Err(Error::bad_config(
                "lag_s",
                self.lag_s,
                "use 0 or a positive number of seconds",
            ));
        }
        Ok(())
    }
}

/// One joint under position control: speed and acceleration are limited.
#[derive(Debug, Clone, PartialEq)]
pub struct JointDrive {
    /// Position, radians or metres.
    pub position: f64,
    /// Velocity, per second.
    pub velocity: f64,
    target: f64,
    /// `target` after the lag.
    reference: f64,
    lower: f64,
    upper: f64,
    top_speed: f64,
    speed: f64,
}

impl JointDrive {
    /// A joint at rest with the limits of its description.
    pub fn new(position: f64, lower: f64, upper: f64, top_speed: f64) -> Self {
        let position = position.clamp(lower, upper);
        JointDrive {
            position,
            velocity: 0.0,
            target: position,
            reference: position,
            lower,
            upper,
            top_speed,
            speed: top_speed,
        }
    }

    /// Sets where to go and how fast at most; both are brought within the joint's limits.
    pub fn command(&mut self, target: f64, max_speed: f64) {
        self.target = target.clamp(self.lower, self.upper);
        self.speed = max_speed.abs().clamp(1e-3 * self.top_speed, self.top_speed);
    }

    /// Where it was told to go.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// Whether it stands at its target.
    pub fn is_settled(&self) -> bool {
        self.velocity == 0.0 && self.position == self.target && self.reference == self.target
    }

    /// The position and velocity that it would have after `dt_s` if nothing is in the way.
    pub fn proposal(&mut self, dt_s: f64, config: &DriveConfig) -> (f64, f64) {
        if config.lag_s > 0.0 && (self.target - self.reference).abs() > 1e-6 {
            self.reference += (self.target - self.reference) * (dt_s / (config.lag_s + dt_s));
        } else {
            self.reference = self.target;
        }
        let acceleration = self.top_speed / config.ramp_s;
        let error = self.reference - self.position;
        // The speed from which it can still brake in time, in discrete steps.
        let braking = acceleration * dt_s;
        let brake = ((braking * 0.5).powi(2) + 2.0 * acceleration * error.abs()).sqrt() - braking * 0.5;
        let wanted = error.signum() * brake.min(self.speed).max(0.0);
        let velocity = self.velocity + (wanted - self.velocity).clamp(-braking, braking);
        if error.abs() <= velocity.abs() * dt_s && velocity * error >= 0.0 && velocity.abs() <= 2.0 * braking
        {
            return (self.reference, 0.0);
        }
        if error.abs() < 1e-9 && self.velocity.abs() <= braking {
            return (self.reference, 0.0);
        }
        (
            (self.position + velocity * dt_s).clamp(self.lower, self.upper),
            velocity,
        )
    }

    /// Takes over a position and velocity.
    pub fn accept(&mut self, (position, velocity): (f64, f64)) {
        self.position = position;
        self.velocity = velocity;
    }

    /// Something is in the way: it stands still.
    pub fn stop(&mut self) {
        self.velocity = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_joint_arrives_without_passing_its_limits(
            start in -1.0f64..1.0, target in -2.0f64..2.0, speed in 0.05f64..2.0, lag in prop::sample::select(vec![0.0, 0.05])
        ) {
            let config = DriveConfig { lag_s: lag, ..DriveConfig::default() };
            let mut drive = JointDrive::new(start, -1.0, 1.0, 2.0);
            drive.command(target, speed);
            let goal = target.clamp(-1.0, 1.0);
            let side = (goal - start).signum();
            for _ in 0..125 * 60 {
                let last = drive.velocity;
                let next = drive.proposal(0.008, &config);
                drive.accept(next);
                prop_assert!(drive.velocity.abs() <= speed + 1e-9);
                prop_assert!((drive.velocity - last).abs() <= 4.0 * 2.0 / 0.15 * 0.008);
                prop_assert!(drive.position.abs() <= 1.0);
                prop_assert!((drive.position - goal) * side <= 2e-3, "overshoot");
                if drive.is_settled() { break; }
            }
            prop_assert!(drive.is_settled());
            prop_assert_eq!(drive.position, goal);
        }
    }
}
