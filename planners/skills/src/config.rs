//! Configuration of all skills.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Everything that can be tuned about base and arm motion and the skills.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SkillsConfig {
    /// Radius of the base, metres.
    pub footprint_radius_m: f64,
    /// Free space kept around the base on top of its radius, metres.
    pub clearance_margin_m: f64,
    /// Distance from obstacles up to which a path costs more, metres.
    pub comfort_distance_m: f64,
    /// Weight of closeness to obstacles against length of a path, no unit.
    pub clearance_weight: f64,
    /// Largest forward speed, metres per second.
    pub max_speed_m_s: f64,
    /// Largest turning speed, radians per second.
    pub max_turn_rad_s: f64,
    /// Largest forward acceleration, metres per second squared.
    pub max_acceleration_m_s2: f64,
    /// Largest turning acceleration, radians per second squared.
    pub max_turn_acceleration_rad_s2: f64,
    /// Age of odometry from which the robot stands still, seconds.
    pub stale_after_s: f64,
    /// Time without data after which a running skill fails, seconds.
    pub stale_fails_after_s: f64,
    /// Free space kept between arm and obstacles, metres.
    pub arm_margin_m: f64,
    /// Widest thing that is grasped, metres.
    pub max_grasp_width_m: f64,
    /// Number of grasp attempts before a pick fails.
    pub max_grasp_attempts: u32,
    /// Fresh images waited for when looking at something.
    pub look_frames: u32,
    /// Period of the head camera, seconds.
    pub frame_period_s: f64,
    /// Who drives the base to where a drive ends: `own`, or `navigation`, a navigation stack beside the loop, as far as
    /// no floor must be kept out of, which it would not know of. What is done at a thing is always driven by the skills.
    pub driver: Driver,
    /// Time limit of a drive, seconds.
    pub navigate_limit_s: f64,
    /// Time limit of pick, place, open and close, seconds.
    pub manipulate_limit_s: f64,
}

/// Who drives the base.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// The skills.
    Own,
    /// A navigation stack.
    Navigation,
}

impl Default for SkillsConfig {
    fn default() -> Self {
        SkillsConfig {
            footprint_radius_m: 0.22,
            clearance_margin_m: 0.04,
            comfort_distance_m: 0.55,
            clearance_weight: 4.0,
            max_speed_m_s: 0.75,
            max_turn_rad_s: 1.7,
            max_acceleration_m_s2: 1.2,
            max_turn_acceleration_rad_s2: 3.6,
            stale_after_s: 0.5,
            stale_fails_after_s: 2.0,
            arm_margin_m: 0.01,
            max_grasp_width_m: 0.145,
            max_grasp_attempts: 4,
            look_frames: 3,
            frame_period_s: 0.2,
            driver: Driver::Own,
            navigate_limit_s: 120.0,
            manipulate_limit_s: 150.0,
        }
    }
}

/// Room beside the base that is left where it squeezes through, metres.
const SQUEEZE_MARGIN_M: f64 = 0.005;

impl SkillsConfig {
    /// # Errors
    /// [`Error::Config`] for the first value outside its range.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("footprint_radius_m", self.footprint_radius_m),
            ("comfort_distance_m", self.comfort_distance_m),
            ("max_speed_m_s", self.max_speed_m_s),
            ("max_turn_rad_s", self.max_turn_rad_s),
            ("max_acceleration_m_s2", self.max_acceleration_m_s2),
            ("max_turn_acceleration_rad_s2", self.max_turn_acceleration_rad_s2),
            ("stale_after_s", self.stale_after_s),
            ("stale_fails_after_s", self.stale_fails_after_s),
            ("max_grasp_width_m", self.max_grasp_width_m),
            ("frame_period_s", self.frame_period_s),
            ("navigate_limit_s", self.navigate_limit_s),
            ("manipulate_limit_s", self.manipulate_limit_s),
            ("max_grasp_attempts", f64::from(self.max_grasp_attempts)),
            ("look_frames", f64::from(self.look_frames)),
        ];
        for (field, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Config {
                    field,
                    value,
                    expected: "positive and finite",
                });
            }
        }
        let not_negative = [
            ("clearance_margin_m", self.clearance_margin_m),
            ("clearance_weight", self.clearance_weight),
            ("arm_margin_m", self.arm_margin_m),
        ];
        for (field, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Config {
                    field,
                    value,
                    expected: "zero or positive, and finite",
                });
            }
        }
        Ok(())
    }

    /// Smallest distance between the base's centre and an obstacle where it passes and there is no other way, metres.
    pub fn squeeze_clearance_m(&self) -> f64 {
        self.footprint_radius_m + SQUEEZE_MARGIN_M.min(self.clearance_margin_m)
    }

    /// Smallest distance between the base's centre and an obstacle where it stands, metres.
    pub fn hard_clearance_m(&self) -> f64 {
        self.footprint_radius_m + self.clearance_margin_m
    }
}
