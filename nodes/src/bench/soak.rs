//! Hours in minutes: tasks one after another while things are moved behind the robot's back, and what leaks meanwhile.
//!
//! Measured by an executable of `steward-ros`; here is what it is asked and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Soak {
    /// How long, minutes.
    pub minutes: f64,
    /// Simulated seconds per second, 0 for as fast as the machine can.
    pub speed: f64,
    /// How often something is moved, simulated seconds.
    pub disturb_every_s: f64,
    /// How long a task may take, simulated seconds.
    pub time_limit_s: f64,
    /// The home: a file or `seed:N`.
    pub home: String,
    /// Seed of everything random.
    pub seed: u64,
}

impl Soak {
    /// From when on memory counts: what a loop learns about its home is not a leak, seconds.
    pub fn settled_after_s(&self) -> f64 {
        (self.minutes * 60.0 / 2.0).min(300.0)
    }
}

/// The process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Since the start, seconds.
    pub at_s: f64,
    /// Resident memory, megabytes.
    pub memory_mb: f64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoakReport {
    /// How long it ran, minutes.
    pub minutes: f64,
    /// How much was simulated, minutes.
    pub simulated_minutes: f64,
    /// Slope of a line fitted to resident memory once the loop has settled, megabytes per minute.
    pub growth_mb_per_min: f64,
    /// When the loop has settled, and at the end.
    pub settled: Sample,
    /// At the end.
    pub end: Sample,
    /// Tasks that were done.
    pub tasks_done: u64,
    /// Tasks that were not, by reason.
    pub tasks_failed: BTreeMap<String, u64>,
    /// How often something was moved.
    pub disturbances: u64,
    /// Steps of the simulated time that ended too late, as the loop reports them.
    pub deadlines_missed: u64,
    /// Furthest that simulated time fell behind, as seen from outside, simulated seconds; 0 where no speed was asked for.
    pub lag_s_max: f64,
    /// Whether simulated time fell behind and the loop did not say so.
    pub missed_unreported: bool,
}

/// Growth of resident memory must stay below, megabytes per minute.
pub const MAX_GROWTH_MB_PER_MIN: f64 = 1.0;

impl SoakReport {
    /// The bars that were missed, for people.
    pub fn missed(&self) -> Vec<String> {
        let (settled, end) = (&self.settled, &self.end);
        let mut missed = Vec::new();
        let mut bar = |holds: bool, text: String| {
            if !holds {
                missed.push(text);
            }
        };
        bar(
            self.growth_mb_per_min < MAX_GROWTH_MB_PER_MIN,
            format!("memory grows by {:.2} MB/min", self.growth_mb_per_min),
        );
        bar(
            end.threads <= settled.threads,
            format!("threads: {}, and then {}", settled.threads, end.threads),
        );
        bar(
            end.descriptors <= settled.descriptors,
            format!(
                "file descriptors: {}, and then {}",
                settled.descriptors, end.descriptors
            ),
        );
        bar(
            !self.missed_unreported,
            format!("time fell {:.1} s behind unsaid", self.lag_s_max),
        );
        bar(self.tasks_done > 0, "no task was done".into());
        missed
    }
}

/// Slope of the line that fits memory best, megabytes per minute; 0 for fewer than two samples.
pub fn growth_mb_per_min(samples: &[Sample]) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (mean_s, mean_mb) = (mean(|s| s.at_s), mean(|s| s.memory_mb));
    let (mut covariance, mut variance) = (0.0, 0.0);
    for s in samples {
        covariance += (s.at_s - mean_s) * (s.memory_mb - mean_mb);
        variance += (s.at_s - mean_s).powi(2);
    }
    if variance > 0.0 {
        60.0 * covariance / variance
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_s: f64, memory_mb: f64) -> Sample {
        Sample {
            at_s,
            memory_mb,
            threads: 9,
            descriptors: 30,
        }
    }

    #[test]
    fn growth_is_the_slope_of_a_fitted_line() {
        assert_eq!(growth_mb_per_min(&[]), 0.0);
        assert_eq!(growth_mb_per_min(&[sample(3.0, 100.0)]), 0.0);
        // 2 MB per minute with a zigzag that evens out: by hand.
        let samples: Vec<Sample> = (0..121)
            .map(|n| sample(f64::from(n), 100.0 + f64::from(n) / 30.0 + f64::from(n % 2)))
            .collect();
        assert!((growth_mb_per_min(&samples) - 2.0).abs() < 0.01);
    }

    #[test]
    fn each_bar_that_is_missed_is_named() {
        let good = SoakReport {
            minutes: 30.0,
            simulated_minutes: 30.0,
            growth_mb_per_min: 0.2,
            settled: sample(300.0, 200.0),
            end: sample(1800.0, 205.0),
            tasks_done: 10,
            tasks_failed: BTreeMap::new(),
            disturbances: 40,
            deadlines_missed: 3,
            lag_s_max: 2.0,
            missed_unreported: false,
        };
        assert!(good.missed().is_empty());
        let bad = SoakReport {
            growth_mb_per_min: 1.0,
            end: Sample {
                threads: 10,
                descriptors: 31,
                ..good.end
            },
            tasks_done: 0,
            missed_unreported: true,
            ..good
        };
        assert_eq!(bad.missed().len(), 5);
    }

    #[test]
    fn memory_counts_after_five_minutes_or_half_of_a_short_run() {
        let soak = |minutes| Soak {
            minutes,
            speed: 1.0,
            disturb_every_s: 30.0,
            time_limit_s: 300.0,
            home: "seed:1".into(),
            seed: 1,
        };
        assert_eq!(soak(30.0).settled_after_s(), 300.0);
        assert_eq!(soak(4.0).settled_after_s(), 120.0);
    }
}
