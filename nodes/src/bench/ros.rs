//! What ROS costs: how old images are when the mapper uses them, and how much longer a task takes than in process.
//!
//! Measured by an executable of `steward-ros`; here is what it is asked and what it answers.

use serde::{Deserialize, Serialize};

use super::images::Images;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosBench {
    /// How long images are published, seconds.
    pub seconds: f64,
    /// The home: a file or `seed:N`.
    pub home: String,
    /// The task that is carried out over ROS and in process.
    pub goal: String,
    /// Seed of everything random.
    pub seed: u64,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RosReport {
    /// What became of images of 640x480 at 30 Hz with their labels.
    #[serde(flatten)]
    pub images: Images,
    /// From the goal to the result of the action, `steward_loop` as fast as the machine can, seconds.
    pub episode_ros_s: f64,
    /// From the order to the end of the same task in process, seconds.
    pub episode_in_process_s: f64,
    /// The first by the second.
    pub overhead_ratio: f64,
    /// Whether both came to the same end at the same simulated time.
    pub same_end: bool,
}

/// Highest age that 99 of 100 images may have, milliseconds.
pub const MAX_AGE_MS_P99: f64 = 50.0;
/// How many times longer a task may take over ROS.
pub const MAX_OVERHEAD_RATIO: f64 = 1.5;

impl RosReport {
    /// The bars that were missed, for people.
    pub fn missed(&self) -> Vec<String> {
        let images = &self.images;
        let mut missed = Vec::new();
        let mut bar = |holds: bool, text: String| {
            if !holds {
                missed.push(text);
            }
        };
        bar(images.frames_used > 0, "no image was used".into());
        bar(
            images.age_ms_p99 <= MAX_AGE_MS_P99,
            format!("age_ms_p99 is {} and may be {MAX_AGE_MS_P99}", images.age_ms_p99),
        );
        bar(
            images.stale_used == 0,
            format!("{} stale images were used", images.stale_used),
        );
        bar(
            images.frames_uncounted == 0,
            format!("{} images are in no counter", images.frames_uncounted),
        );
        bar(
            self.overhead_ratio <= MAX_OVERHEAD_RATIO,
            format!(
                "overhead_ratio is {:.2} and may be {MAX_OVERHEAD_RATIO}",
                self.overhead_ratio
            ),
        );
        bar(
            self.same_end,
            "the task ended differently over ROS and in process".into(),
        );
        missed
    }
}

/// A line that the executable prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<R> {
    /// How far it is.
    Progress {
        /// With what.
        doing: String,
        /// Seconds done.
        at_s: f64,
        /// Seconds in all.
        of_s: f64,
    },
    /// The end.
    Report(R),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bar_that_is_missed_is_named() {
        let good = RosReport {
            images: Images {
                frames_used: 5,
                age_ms_p99: 50.0,
                ..Images::default()
            },
            episode_ros_s: 1.5,
            episode_in_process_s: 1.0,
            overhead_ratio: 1.5,
            same_end: true,
        };
        assert!(good.missed().is_empty());
        let bad = RosReport {
            images: Images {
                age_ms_p99: 51.0,
                stale_used: 1,
                frames_uncounted: -1,
                ..Images::default()
            },
            overhead_ratio: f64::NAN,
            same_end: false,
            ..good
        };
        assert_eq!(bad.missed().len(), 6);
    }

    #[test]
    fn lines_read_back() {
        let progress: Line<RosReport> = Line::Progress {
            doing: "images".into(),
            at_s: 0.5,
            of_s: 60.0,
        };
        let text = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Line<RosReport>>(&text).unwrap(), progress);
    }
}
