//! Inverse kinematics of the arm in closed form, including which way the base must face.
//!
//! With wrist axes yaw, pitch and roll that meet the fingers' axis, the grasp pose fixes everything but the base: the
//! fingers' direction gives the hand's heading and pitch, the closing direction its roll, and the wrist's yaw axis
//! must lie on the base's x axis. So the base turns until it does, and the extension takes up the distance.

use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra as na;
use steward_core::geometry::{Point3, Pose2, Pose3, Rotation3, Vector3, wrap_angle_rad};

use crate::robot::{Posture, Robot};

/// Fingers this close to the vertical count as vertical, where the wrist's yaw loses its meaning, radians. The
/// finger tips are then off by less than 2 mm.
const STEEP_RAD: f64 = 0.004;

/// Where the fingers are to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HandPose {
    /// The grasp centre.
    pub position: Point3,
    /// Direction of the fingers.
    pub fingers: na::Unit<Vector3>,
    /// Closing direction, at right angles to the fingers; its sign does not matter.
    pub closing: na::Unit<Vector3>,
}

impl HandPose {
    /// A pose from its parts; `closing` is made perpendicular to the fingers. `None` where it is along them.
    pub fn new(position: Point3, fingers: Vector3, closing: Vector3) -> Option<Self> {
        let fingers = na::Unit::try_new(fingers, 1e-6)?;
        let across = closing - fingers.into_inner() * fingers.dot(&closing);
        let closing = na::Unit::try_new(across, 1e-6)?;
        Some(HandPose {
            position,
            fingers,
            closing,
        })
    }

    /// Fingers straight down, closing along a heading.
    pub fn from_above(position: Point3, closing_yaw_rad: f64) -> Self {
        HandPose {
            position,
            fingers: -Vector3::z_axis(),
            closing: na::Unit::new_unchecked(Vector3::new(closing_yaw_rad.cos(), closing_yaw_rad.sin(), 0.0)),
        }
    }

    /// Fingers along a heading and pointing down by a pitch; closing sideways, or up and down.
    pub fn from_front(position: Point3, heading_rad: f64, pitch_rad: f64, vertical: bool) -> Self {
        let rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), heading_rad)
            * Rotation3::from_axis_angle(&Vector3::y_axis(), pitch_rad);
        let closing = if vertical { Vector3::z() } else { Vector3::y() };
        HandPose {
            position,
            fingers: na::Unit::new_normalize(rotation * Vector3::x()),
            closing: na::Unit::new_normalize(rotation * closing),
        }
    }

    /// The same hand elsewhere.
    pub fn moved(&self, by: Vector3) -> Self {
        HandPose {
            position: self.position + by,
            ..*self
        }
    }

    /// The same hand pulled back along its fingers.
    pub fn backed_off(&self, distance_m: f64) -> Self {
        self.moved(-self.fingers.into_inner() * distance_m)
    }

    /// The same hand pulled back at its height, against the heading of its fingers.
    pub fn drawn_back(&self, distance_m: f64) -> Self {
        let ahead = Vector3::new(self.fingers.x, self.fingers.y, 0.0);
        let ahead = ahead.try_normalize(1e-6).unwrap_or_default();
        self.moved(-ahead * distance_m)
    }

    /// The hand at a pose of the grasp centre: x along the fingers, y in the closing direction.
    pub fn of(pose: &Pose3) -> Self {
        HandPose {
            position: pose.translation.vector.into(),
            fingers: pose.rotation * Vector3::x_axis(),
            closing: pose.rotation * Vector3::y_axis(),
        }
    }

    /// As a pose: x along the fingers, y in the closing direction.
    pub fn pose(&self) -> Pose3 {
        let (x, y) = (self.fingers.into_inner(), self.closing.into_inner());
        let rotation = na::Rotation3::from_matrix_unchecked(na::Matrix3::from_columns(&[x, y, x.cross(&y)]));
        Pose3::from_parts(
            na::Translation3::from(self.position),
            Rotation3::from_rotation_matrix(&rotation),
        )
    }
}

/// A way to bring the hand somewhere from where the base stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solution {
    /// Heading of the base in `map`, radians.
    pub base_yaw_rad: f64,
    /// The arm.
    pub posture: Posture,
}

/// Why a hand pose cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Miss {
    /// Metres beyond the longest extension.
    TooFar(f64),
    /// Metres nearer than the shortest extension.
    TooClose(f64),
    /// Metres above the highest lift.
    TooHigh(f64),
    /// Metres below the lowest lift.
    TooLow(f64),
    /// Radians beyond the limits of a wrist joint.
    Wrist(f64),
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Miss::TooFar(m) => write!(f, "{m:.2} m beyond reach"),
            Miss::TooClose(m) => write!(f, "{m:.2} m too close"),
            Miss::TooHigh(m) => write!(f, "{m:.2} m too high"),
            Miss::TooLow(m) => write!(f, "{m:.2} m too low"),
            Miss::Wrist(r) => write!(f, "{:.0}° beyond the wrist's range", r.to_degrees()),
        }
    }
}

/// The posture that brings the hand to a pose (frame `map`) with the base standing at a position, and the heading
/// the base must have for it.
///
/// # Errors
/// [`Miss`] names the limit that is exceeded most relevantly: reach first, then height, then the wrist.
pub fn solve(robot: &Robot, base: (f64, f64), hand: &HandPose) -> Result<Solution, Miss> {
    let f = hand.fingers.into_inner();
    let pitch = (-f.z).atan2(f.x.hypot(f.y));
    let wrist = hand.position - f * robot.pitch_grasp_m;
    let steep = f.x.hypot(f.y) < STEEP_RAD;
    let to = |x: f64, y: f64| (x - base.0, y - base.1);
    let (heading, base_yaw, reach) = if steep {
        // Fingers straight down: the hand's heading is free, and goes with the base's.
        let (dx, dy) = to(wrist.x, wrist.y);
        let yaw = dy.atan2(dx);
        (yaw, yaw, dx.hypot(dy) - robot.yaw_pitch_m)
    } else {
        let heading = f.y.atan2(f.x);
        let (dx, dy) = to(
            wrist.x - robot.yaw_pitch_m * heading.cos(),
            wrist.y - robot.yaw_pitch_m * heading.sin(),
        );
        (heading, dy.atan2(dx), dx.hypot(dy))
    };
    let extend = reach - robot.reach_at_zero_m;
    let lift = wrist.z - robot.height_at_zero_m;
    let yaw = wrap_angle_rad(heading - base_yaw);
    // Roll takes the closing direction of the unrolled hand to the one asked for.
    let pitch = if steep { FRAC_PI_2.copysign(pitch) } else { pitch };
    let unrolled = Rotation3::from_axis_angle(&Vector3::z_axis(), heading)
        * Rotation3::from_axis_angle(&Vector3::y_axis(), pitch);
    let c = unrolled.inverse() * hand.closing.into_inner();
    let mut roll = c.z.atan2(c.y);
    // The fingers are alike: closing in the opposite direction is the same grasp with less turning.
    if roll > FRAC_PI_2 + 1e-9 {
        roll -= PI;
    } else if roll <= -FRAC_PI_2 - 1e-9 {
        roll += PI;
    }
    let [lift_limits, extend_limits, yaw_limits, pitch_limits, roll_limits] = robot.arm;
    if extend > extend_limits.upper {
        return Err(Miss::TooFar(extend - extend_limits.upper));
    }
    if extend < extend_limits.lower {
        return Err(Miss::TooClose(extend_limits.lower - extend));
    }
    if lift > lift_limits.upper {
        return Err(Miss::TooHigh(lift - lift_limits.upper));
    }
    if lift < lift_limits.lower {
        return Err(Miss::TooLow(lift_limits.lower - lift));
    }
    let wrist_excess = yaw_limits
        .excess(yaw)
        .max(pitch_limits.excess(pitch))
        .max(roll_limits.excess(roll));
    if wrist_excess > 0.0 {
        return Err(Miss::Wrist(wrist_excess));
    }
    Ok(Solution {
        base_yaw_rad: base_yaw,
        posture: Posture {
            lift_m: lift,
            extend_m: extend,
            yaw_rad: yaw,
            pitch_rad: pitch,
            roll_rad: roll,
        },
    })
}

/// As [`solve`], for a base that keeps its heading. What the heading is off is made up by the wrist's yaw; the hand
/// then misses sideways by what [`lateral_error_m`] tells.
pub fn solve_facing(robot: &Robot, base: &Pose2, hand: &HandPose) -> Result<Posture, Miss> {
    let solution = solve(robot, (base.x_m, base.y_m), hand)?;
    let mut posture = solution.posture;
    let steep = posture.pitch_rad.abs() > FRAC_PI_2 - STEEP_RAD;
    let off = wrap_angle_rad(solution.base_yaw_rad - base.yaw_rad);
    if steep {
        // The hand's heading went with the base's; the roll keeps the closing direction.
        posture.roll_rad -= off * posture.pitch_rad.signum();
    } else {
        posture.yaw_rad = robot.arm[2].clamp(posture.yaw_rad + off);
    }
    Ok(posture)
}

/// How far sideways the hand misses because the base does not face as [`solve`] wants it to, metres.
pub fn lateral_error_m(robot: &Robot, base: &Pose2, solution: &Solution) -> f64 {
    let off = wrap_angle_rad(solution.base_yaw_rad - base.yaw_rad);
    off * (robot.reach_at_zero_m + solution.posture.extend_m)
}
