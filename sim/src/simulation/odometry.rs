//! Wheel odometry that drifts.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use steward_core::geometry::{Pose2, wrap_angle_rad};

use super::noise::gaussian;
use crate::{Error, Result};

/// How wheel odometry errs. Each step's motion is measured with a constant scale error, drawn once per run, and
/// a fresh random error; turning errs with distance, too, as wheels of unequal size do.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OdometryConfig {
    /// Standard deviation of the constant scale error of distances, a fraction.
    pub distance_scale_error: f64,
    /// Standard deviation of the constant scale error of turns, a fraction.
    pub turn_scale_error: f64,
    /// Standard deviation of the random error of one measured motion (1/25 s), a fraction of it.
    pub random_error: f64,
    /// Standard deviation of the constant turn per distance, radians per metre.
    pub veer_rad_per_m: f64,
    /// Share of a sideways slip that is measured; wheels measure nothing of it.
    pub sideways: f64,
}

impl Default for OdometryConfig {
    fn default() -> Self {
        OdometryConfig {
            distance_scale_error: 0.01,
            turn_scale_error: 0.01,
            random_error: 0.02,
            veer_rad_per_m: 0.003,
            sideways: 0.0,
        }
    }
}

impl OdometryConfig {
    /// Odometry that tells the truth.
    pub fn ideal() -> Self {
        OdometryConfig {
            distance_scale_error: 0.0,
            turn_scale_error: 0.0,
            random_error: 0.0,
            veer_rad_per_m: 0.0,
            sideways: 1.0,
        }
    }

    /// # Errors
    /// [`Error::BadConfig`] for an error that is negative or above a half, or a share that is none.
    pub fn validate(&self) -> Result<()> {
        for (field, value) in [
            ("distance_scale_error", self.distance_scale_error),
            ("turn_scale_error", self.turn_scale_error),
            ("random_error", self.random_error),
            ("veer_rad_per_m", self.veer_rad_per_m),
        ] {
            if !(0.0..=0.5).contains(&value) {
                return Err(Error::bad_config(field, value, "use a number from 0 to 0.5"));
            }
        }
        if !(0.0..=1.0).contains(&self.sideways) {
            return Err(Error::bad_config(
                "sideways",
                self.sideways,
                "use a number from 0 to 1",
            ));
        }
        Ok(())
    }
}

/// Integrates what the wheels measure.
#[derive(Debug, Clone)]
pub(super) struct WheelOdometry {
    rng: ChaCha8Rng,
    random_error: f64,
    distance_scale: f64,
    turn_scale: f64,
    veer_rad_per_m: f64,
    sideways: f64,
    last_true: Pose2,
    odom_from_base: Pose2,
}

impl WheelOdometry {
    pub(super) fn new(config: &OdometryConfig, start: Pose2, mut rng: ChaCha8Rng) -> Self {
        WheelOdometry {
            distance_scale: 1.0 + config.distance_scale_error * gaussian(&mut rng),
            turn_scale: 1.0 + config.turn_scale_error * gaussian(&mut rng),
            veer_rad_per_m: config.veer_rad_per_m * gaussian(&mut rng),
            random_error: config.random_error,
            sideways: config.sideways,
            rng,
            last_true: start,
            odom_from_base: Pose2::default(),
        }
    }

    /// Takes in where the base really is and returns `odom_from_base` as measured.
    pub(super) fn measure(&mut self, world_from_base: Pose2) -> Pose2 {
        let last = self.last_true;
        let turn = wrap_angle_rad(world_from_base.yaw_rad - last.yaw_rad);
        let middle = last.yaw_rad + turn * 0.5;
        let (dx, dy) = (world_from_base.x_m - last.x_m, world_from_base.y_m - last.y_m);
        let distance = dx * middle.cos() + dy * middle.sin();
        let aside = self.sideways * (dy * middle.cos() - dx * middle.sin());
        self.last_true = world_from_base;
        if distance == 0.0 && turn == 0.0 && aside == 0.0 {
            return self.odom_from_base;
        }
        let mut error = || self.random_error * gaussian(&mut self.rng);
        let measured = distance * (self.distance_scale + error());
        let measured_turn = turn * (self.turn_scale + error()) + distance * self.veer_rad_per_m;
        let pose = &mut self.odom_from_base;
        let middle = pose.yaw_rad + measured_turn * 0.5;
        pose.x_m += measured * middle.cos() - aside * middle.sin();
        pose.y_m += measured * middle.sin() + aside * middle.cos();
        pose.yaw_rad = wrap_angle_rad(pose.yaw_rad + measured_turn);
        *pose
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn drive(config: &OdometryConfig, seed: u64, push_m: f64) -> (Pose2, Pose2) {
        let start = Pose2::new(3.0, -2.0, 1.0);
        let mut odometry = WheelOdometry::new(config, start, ChaCha8Rng::seed_from_u64(seed));
        let (mut truth, mut measured) = (start, Pose2::default());
        for i in 0..1000 {
            let turn = if i % 100 < 50 { 0.02 } else { -0.02 };
            truth.yaw_rad = wrap_angle_rad(truth.yaw_rad + turn);
            truth.x_m += 0.01 * (truth.yaw_rad - turn * 0.5).cos();
            truth.y_m += 0.01 * (truth.yaw_rad - turn * 0.5).sin();
            // Something pushes it aside now and then.
            truth.x_m += if i % 200 == 0 { push_m } else { 0.0 };
            measured = odometry.measure(truth);
        }
        let relative = start.to_pose3().inverse() * truth.to_pose3();
        (Pose2::from_pose3(&relative), measured)
    }

    #[test]
    fn ideal_odometry_is_the_motion_since_the_start() {
        let (truth, measured) = drive(&OdometryConfig::ideal(), 1, 0.01);
        assert!(truth.distance_m(&measured) < 1e-9);
        assert!((truth.yaw_rad - measured.yaw_rad).abs() < 1e-9);
    }

    #[test]
    fn default_odometry_is_off_by_about_a_hundredth_of_the_way() {
        let errors: Vec<f64> = (0..40)
            .map(|seed| {
                let (truth, measured) = drive(&OdometryConfig::default(), seed, 0.0);
                truth.distance_m(&measured) / 10.0
            })
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!((0.003..0.03).contains(&mean), "{mean}");
    }
}
