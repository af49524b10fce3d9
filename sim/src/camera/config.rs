//! How imperfect a camera is.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Imperfections of an RGB-D camera and of a detector that looks at its images. The default is a consumer
/// camera; [`CameraSensorConfig::ideal`] has none.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSensorConfig {
    /// Slow change of exposure: its standard deviation, stops (factors of two). 0: none.
    pub exposure_drift_stops: f64,
    /// The gain follows the brightness of the last images.
    pub auto_gain: bool,
    /// Noise of every pixel: standard deviation, levels of 255.
    pub read_noise_levels: f64,
    /// Noise that grows with the square root of brightness: standard deviation at full brightness, levels of 255.
    pub shot_noise_levels: f64,
    /// Exposure time, seconds; what moves meanwhile blurs. 0: none.
    pub exposure_time_s: f64,
    /// Depth noise: standard deviation near the camera, metres.
    pub depth_noise_m: f64,
    /// Depth noise that grows with the square of depth: standard deviation at one metre, metres.
    pub depth_noise_at_1m_m: f64,
    /// Depth comes in multiples of this, metres. 0: as it is.
    pub depth_step_m: f64,
    /// Nearest depth measured, metres.
    pub min_depth_m: f64,
    /// Farthest depth measured, metres.
    pub max_depth_m: f64,
    /// Share of pixels beside a jump in depth that have none, 0 to 1.
    pub edge_missing: f64,
    /// Share of pixels at glass that have no depth, 0 to 1.
    pub glass_missing: f64,
    /// The other pixels at glass see the glass, and not what is behind.
    pub sees_glass: bool,
    /// Share of all pixels that have no depth, 0 to 1.
    pub random_missing: f64,
    /// Surfaces seen at less than this angle have no depth, radians. 0: none.
    pub grazing_rad: f64,
    /// Instances of fewer pixels are not detected.
    pub min_instance_pixels: u32,
    /// Share of instances that are missed in an image, 0 to 1.
    pub missed_instances: f64,
    /// Share of instances that get the class of another instance of the image, 0 to 1.
    pub confused_instances: f64,
    /// Share of frames that never arrive, 0 to 1.
    pub drop_probability: f64,
    /// Share of frames that arrive late, 0 to 1.
    pub delay_probability: f64,
    /// Longest delay, seconds.
    pub max_delay_s: f64,
}

impl Default for CameraSensorConfig {
    fn default() -> Self {
        CameraSensorConfig {
            exposure_drift_stops: 0.15,
            auto_gain: true,
            read_noise_levels: 1.2,
            shot_noise_levels: 3.0,
            exposure_time_s: 0.012,
            depth_noise_m: 0.001,
            depth_noise_at_1m_m: 0.0012,
            depth_step_m: 0.001,
            min_depth_m: 0.25,
            max_depth_m: 6.0,
            edge_missing: 0.7,
            glass_missing: 0.9,
            sees_glass: false,
            random_missing: 0.002,
            grazing_rad: 0.12,
            min_instance_pixels: 12,
            missed_instances: 0.01,
            confused_instances: 0.002,
            drop_probability: 0.01,
            delay_probability: 0.02,
            max_delay_s: 0.15,
        }
    }
}

impl CameraSensorConfig {
    /// A camera and a detector without fault, and without limits of range.
    pub fn ideal() -> Self {
        CameraSensorConfig {
            exposure_drift_stops: 0.0,
            auto_gain: false,
            read_noise_levels: 0.0,
            shot_noise_levels: 0.0,
            exposure_time_s: 0.0,
            depth_noise_m: 0.0,
            depth_noise_at_1m_m: 0.0,
            depth_step_m: 0.0,
            min_depth_m: 0.0,
            max_depth_m: 100.0,
            edge_missing: 0.0,
            glass_missing: 0.0,
            sees_glass: true,
            random_missing: 0.0,
            grazing_rad: 0.0,
            min_instance_pixels: 1,
            missed_instances: 0.0,
            confused_instances: 0.0,
            drop_probability: 0.0,
            delay_probability: 0.0,
            max_delay_s: 0.0,
        }
    }

    /// # Errors
    /// [`Error::BadConfig`] naming a field that is out of its range.
    pub fn validate(&self) -> Result<()> {
        let within = |field: &'static str, value: f64, most: f64, problem: &'static str| {
            if (0.0..=most).contains(&value) {
                Ok(())
            } else {
                Err(Error::bad_config(field, value, problem))
            }
        };
        for (field, share) in [
            ("edge_missing", self.edge_missing),
            ("glass_missing", self.glass_missing),
            ("random_missing", self.random_missing),
            ("missed_instances", self.missed_instances),
            ("confused_instances", self.confused_instances),
            ("drop_probability", self.drop_probability),
            ("delay_probability", self.delay_probability),
        ] {
            within(field, share, 1.0, "use a share from 0 to 1")?;
        }
        within(
            "exposure_drift_stops",
            self.exposure_drift_stops,
            3.0,
            "use 0 to 3 stops",
        )?;
        within(
            "read_noise_levels",
            self.read_noise_levels,
            100.0,
            "use 0 to 100 levels",
        )?;
        within(
            "shot_noise_levels",
            self.shot_noise_levels,
            100.0,
            "use 0 to 100 levels",
        )?;
        within("exposure_time_s", self.exposure_time_s, 1.0, "use 0 to 1 s")?;
        within("depth_noise_m", self.depth_noise_m, 1.0, "use 0 to 1 m")?;
        within(
            "depth_noise_at_1m_m",
            self.depth_noise_at_1m_m,
            1.0,
            "use 0 to 1 m",
        )?;
        within("depth_step_m", self.depth_step_m, 1.0, "use 0 to 1 m")?;
        within("max_depth_m", self.max_depth_m, 1_000.0, "use 0 to 1000 m")?;
        within(
            "min_depth_m",
            self.min_depth_m,
            self.max_depth_m,
            "use 0 up to max_depth_m",
        )?;
        within("grazing_rad", self.grazing_rad, 1.5, "use 0 to 1.5 rad")?;
        within("max_delay_s", self.max_delay_s, 10.0, "use 0 to 10 s")
    }
}
