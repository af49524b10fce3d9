//! Checked arm motions: from the body out to a hand pose and back.

use steward_core::geometry::{OrientedBox, Pose2};
use steward_core::messages::ObstacleCloud;

use crate::collision::{ArmShapes, Obstacles, Payload, Support};
use crate::config::SkillsConfig;
use crate::ik::{self, HandPose, Miss, Solution};
use crate::machine::{Context, Inputs};
use crate::posture::Waypoint;
use crate::robot::{GRIPPER, Posture, Robot};

/// Margins between arm and voxels to try in turn, metres: in a cupboard, voxels leave less room than there is.
pub const MARGINS_M: [f64; 3] = [0.01, -0.005, -0.02];

/// What a reach is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The robot.
    pub robot: &'a Robot,
    /// Its arm's shapes.
    pub arm: &'a ArmShapes,
    /// Configuration.
    pub config: &'a SkillsConfig,
    /// Voxels, frame `map`.
    pub cloud: Option<&'a ObstacleCloud>,
    /// Voxels in these boxes do not count.
    pub ignored: &'a [OrientedBox],
    /// The hand may come close to it.
    pub support: Option<Support>,
    /// What is in the hand.
    pub payload: Option<&'a Payload>,
    /// Position of the gripper's joint on the way, metres.
    pub gripper: f64,
}

impl<'a> Scene<'a> {
    /// What the robot sees, with an empty hand as it is now; nothing is left out.
    pub fn of(ctx: &'a Context, inputs: &Inputs<'a>) -> Self {
        Scene {
            robot: &ctx.robot,
            arm: &ctx.arm,
            config: &ctx.config,
            cloud: inputs.cloud,
            ignored: &[],
            support: None,
            payload: None,
            gripper: inputs.joint(GRIPPER),
        }
    }
}

/// A way for the hand out to a pose.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// Base heading and posture at the end.
    pub end: Solution,
    /// Posture before the last straight stretch, for the same base heading.
    pub before: Posture,
}

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoReach {
    /// Out of the arm's range.
    Range(Miss),
    /// Something is in the way.
    Collision,
}

impl std::fmt::Display for NoReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoReach::Range(miss) => write!(f, "{miss}"),
            NoReach::Collision => f.write_str("something is in the arm's way"),
        }
    }
}

/// A collision-free way for a base at a position: retracted arm to height, hand turned, extended to `before`, then
/// straight to `hand`.
///
/// # Errors
/// [`NoReach`].
pub fn plan(scene: &Scene, base: (f64, f64), hand: &HandPose, before: &HandPose) -> Result<Reach, NoReach> {
    plan_within(scene, base, hand, before, scene.config.arm_margin_m)
}

/// As [`plan`], with another margin between arm and obstacles than the configured one. Voxels are coarse: a negative
/// margin passes between things that their voxels close.
///
/// # Errors
/// [`NoReach`].
pub fn plan_within(
    scene: &Scene,
    base: (f64, f64),
    hand: &HandPose,
    before: &HandPose,
    margin_m: f64,
) -> Result<Reach, NoReach> {
    let end = ik::solve(scene.robot, base, hand).map_err(NoReach::Range)?;
    let facing = Pose2::new(base.0, base.1, end.base_yaw_rad);
    let before = ik::solve_facing(scene.robot, &facing, before).map_err(NoReach::Range)?;
    let obstacles = Obstacles::near(scene.cloud, &facing, scene.ignored, scene.support, margin_m);
    let (robot, arm) = (scene.robot, scene.arm);
    let hits = |from: &Posture, to: &Posture| {
        obstacles.hit_between(robot, arm, from, to, scene.gripper, scene.payload)
    };
    let [retracted, out] = on_the_way(robot, &before);
    let blocked = obstacles.hit(robot, arm, &end.posture, scene.gripper, scene.payload)
        || obstacles.hit(robot, arm, &retracted, scene.gripper, scene.payload)
        || hits(&before, &end.posture)
        || hits(&out, &before)
        || hits(&retracted, &out);
    if blocked {
        return Err(NoReach::Collision);
    }
    Ok(Reach { end, before })
}

/// The retracted arm at the height from which it reaches out, and reached out at that height: as in [`way_out`].
pub fn on_the_way(robot: &Robot, before: &Posture) -> [Posture; 2] {
    let out = Posture {
        lift_m: before.lift_m.max(robot.lift_over_base_m()),
        ..*before
    };
    [Posture { extend_m: 0.0, ..out }, out]
}

/// Extension up to which the hand stays within the footprint, metres.
pub const RETRACTED_M: f64 = 0.02;

/// Extension from which a hand that points down is ahead of the base, metres.
const CLEAR_OF_BASE_M: f64 = 0.2;
/// Pitch from which the fingers reach below the arm, radians.
const STEEP_RAD: f64 = 0.5;

/// From wherever the arm is to `before`, by way of the retracted arm. `is_free`: whether the arm touches nothing between
/// two postures; where it would while the hand turns, that happens higher up.
pub fn way_out(
    robot: &Robot,
    now: Posture,
    before: Posture,
    is_free: impl Fn(&Posture, &Posture) -> bool,
) -> Vec<Waypoint> {
    let mut waypoints = Vec::new();
    let close = (now.extend_m - before.extend_m).abs() < 0.02 && (now.lift_m - before.lift_m).abs() < 0.02;
    if !close {
        if now.extend_m > RETRACTED_M {
            waypoints.push(Waypoint::new(Posture { extend_m: 0.0, ..now }, 0.9));
        }
        // Low down, the hand goes out first: the base is in its way.
        let lift_m = before.lift_m.max(robot.lift_over_base_m());
        let raised = Posture {
            lift_m,
            extend_m: 0.0,
            ..now
        };
        let turned = Posture {
            lift_m,
            extend_m: 0.0,
            ..before
        };
        let out = Posture { lift_m, ..before };
        if is_free(&raised, &turned) {
            waypoints.extend([raised, turned, out].map(|p| Waypoint::new(p, 0.9)));
        } else {
            let lift_m = robot.arm[0].clamp(lift_m + robot.rise_to_turn_m(before.pitch_rad));
            let [up, turned_up] = [raised, turned].map(|p| Posture { lift_m, ..p });
            waypoints.extend([up, turned_up, turned, out].map(|p| Waypoint::new(p, 0.9)));
        }
    }
    waypoints.push(Waypoint::new(before, 0.8));
    waypoints
}

/// Where the arm is after the hand came back along its fingers by a distance.
pub fn backed_off(robot: &Robot, now: Posture, distance_m: f64) -> Posture {
    let (down, ahead) = now.pitch_rad.sin_cos();
    Posture {
        lift_m: robot.arm[0].clamp(now.lift_m + distance_m * down),
        extend_m: robot.arm[1].clamp(now.extend_m - distance_m * ahead * now.yaw_rad.cos()),
        ..now
    }
}

/// Where the arm is after the hand rose by a distance.
pub fn risen(robot: &Robot, now: Posture, distance_m: f64) -> Posture {
    Posture {
        lift_m: robot.arm[0].clamp(now.lift_m + distance_m),
        ..now
    }
}

/// From wherever the hand is back to the retracted arm: straight back, but low down not into the base.
pub fn way_back(robot: &Robot, now: Posture, speed: f64) -> Vec<Waypoint> {
    let mut waypoints = Vec::new();
    let mut at = now;
    let over_base_m = robot.lift_over_base_m();
    if now.lift_m < over_base_m && now.pitch_rad > STEEP_RAD {
        at.extend_m = at.extend_m.min(CLEAR_OF_BASE_M);
        waypoints.push(Waypoint::new(at, speed));
        at.lift_m = over_base_m + 0.05;
        waypoints.push(Waypoint::new(at, speed));
    }
    waypoints.push(Waypoint::new(Posture { extend_m: 0.0, ..at }, speed));
    waypoints
}

/// Postures along the straight line between two hand poses, for a base that keeps its heading.
///
/// # Errors
/// [`Miss`] where a part of the line is out of range.
pub fn straight(
    robot: &Robot,
    base: &Pose2,
    from: &HandPose,
    to: &HandPose,
    speed: f64,
) -> Result<Vec<Waypoint>, Miss> {
    let length = (to.position - from.position).norm();
    let steps = (length / 0.04).ceil().max(1.0) as usize;
    (1..=steps)
        .map(|i| {
            let t = i as f64 / steps as f64;
            let hand = HandPose {
                position: from.position + (to.position - from.position) * t,
                ..*to
            };
            ik::solve_facing(robot, base, &hand).map(|posture| Waypoint::new(posture, speed))
        })
        .collect()
}
