//! Where the head looks.

use steward_core::geometry::Point3;

use crate::machine::{Commands, Context, Inputs};
use crate::robot::{HEAD_PAN, HEAD_TILT};

/// Tilt while driving: sees the floor from less than a metre ahead up to the horizon, radians.
const DRIVING_TILT_RAD: f64 = 0.48;
/// How far the head sweeps to both sides while driving, radians, and how long a sweep takes, seconds.
const SWEEP_RAD: f64 = 0.35;
const SWEEP_S: f64 = 3.2;

/// Looks along the way, sweeping slightly so that what stands beside it is seen too.
pub fn ahead(inputs: &Inputs, out: &mut Commands, bearing_rad: f64) {
    let phase = std::f64::consts::TAU * inputs.now.secs_f64() / SWEEP_S;
    let pan = (0.8 * bearing_rad).clamp(-0.9, 0.9) + SWEEP_RAD * phase.sin();
    out.joint(HEAD_PAN, pan, 1.2);
    out.joint(HEAD_TILT, DRIVING_TILT_RAD, 1.2);
}

/// Points the camera at a point of the map. Answers whether it is within range and, if so, whether it arrived.
pub fn look_at(ctx: &Context, inputs: &Inputs, out: &mut Commands, point: &Point3) -> Gaze {
    let (pan, tilt) = ctx.robot.head_angles(&inputs.in_base(point));
    let [pan_limits, tilt_limits] = ctx.robot.head;
    // What lies outside the image only by a little is still seen near its border.
    let in_range = pan_limits.excess(pan) < 0.2 && tilt_limits.excess(tilt) < 0.3;
    let (pan, tilt) = (pan_limits.clamp(pan), tilt_limits.clamp(tilt));
    out.joint(HEAD_PAN, pan, 2.0);
    out.joint(HEAD_TILT, tilt, 2.0);
    let error = (inputs.joint(HEAD_PAN) - pan)
        .abs()
        .max((inputs.joint(HEAD_TILT) - tilt).abs());
    match (in_range, error < 0.03) {
        (false, _) => Gaze::OutOfRange,
        (true, false) => Gaze::Moving,
        (true, true) => Gaze::Steady,
    }
}

/// How far looking somewhere has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaze {
    /// The head does not turn that far.
    OutOfRange,
    /// On its way.
    Moving,
    /// There.
    Steady,
}
