//! Checked arm motions: from the body out to a hand pose and back.

use steward_core::geometry::{OrientedBox, Pose2};
use steward_core::messages::{Presence, SceneGraph};

use crate::collision::{ArmShapes, Contact, Obstacles, Payload, Support};
use crate::config::SkillsConfig;
use crate::ik::{self, HandPose, Miss, Solution};
use crate::machine::{Context, Inputs};
use crate::posture::Waypoint;
use crate::robot::{GRIPPER, Posture, Robot};
use crate::voxels::Voxels;

/// The smallest margin between arm and voxels that tells anything, metres.
const TIGHT_M: f64 = -0.009;
/// Margins between arm and voxels with which room for the hand to turn is looked for, in turn, metres.
pub(crate) const TURN_MARGINS_M: [f64; 3] = [0.01, 0.003, TIGHT_M];

/// Margins between arm and voxels, metres.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Margins {
    /// On the way out.
    pub way_m: f64,
    /// While the hand turns before it goes out, where there mostly is room further back.
    pub turn_m: f64,
}

impl Margins {
    /// To try in turn: in a cupboard, voxels leave less room than there is. Last, it is left to the arm to feel whether the
    /// hand turns.
    pub const ALL: [Margins; 5] = [
        Margins::new(0.01, TURN_MARGINS_M[0]),
        Margins::new(0.003, TURN_MARGINS_M[0]),
        Margins::new(-0.004, TURN_MARGINS_M[1]),
        Margins::new(TIGHT_M, TURN_MARGINS_M[2]),
        Margins::new(TIGHT_M, f64::NEG_INFINITY),
    ];

    const fn new(way_m: f64, turn_m: f64) -> Self {
        Margins { way_m, turn_m }
    }
}

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
    pub voxels: Option<&'a Voxels>,
    /// Voxels in these boxes do not count.
    pub ignored: &'a [OrientedBox],
    /// The hand may come close to it.
    pub support: Option<Support>,
    /// What is in the hand.
    pub payload: Option<&'a Payload>,
    /// Position of the gripper's joint on the way, metres.
    pub gripper: f64,
    /// The retracted arm that the way begins with.
    pub folded: Posture,
}

impl<'a> Scene<'a> {
    /// What the robot sees, with an empty hand as it is now; nothing is left out.
    pub fn of(ctx: &'a Context, inputs: &Inputs<'a>) -> Self {
        Scene {
            robot: &ctx.robot,
            arm: &ctx.arm,
            config: &ctx.config,
            voxels: inputs.voxels,
            ignored: &[],
            support: None,
            payload: None,
            gripper: inputs.joint(GRIPPER),
            folded: Posture {
                extend_m: 0.0,
                ..inputs.posture()
            },
        }
    }
}

/// A way for the hand out to a pose.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// Base heading and posture at the end.
    pub end: Solution,
    /// Base heading and posture before the last straight stretch, on which the base turns with the hand.
    pub before: Solution,
}

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoReach {
    /// Out of the arm's range.
    Range(Miss),
    /// Something is in the way, frame `map`.
    Collision(Contact),
    /// What it would go into, a drawer or a bin, is too narrow for it there.
    Walls,
    /// What is over it leaves no room for a hand from above.
    Roofed,
    /// Something unseen stopped such a hand a moment ago.
    Stopped,
}

/// How far an obstacle voxel may lie outside of the thing that it belongs to, metres.
const NEAR_THING_M: f64 = 0.05;

impl NoReach {
    /// Why, in words, with the name of what is in the way where memory knows it: the smallest thing there.
    pub fn explain(&self, graph: Option<&SceneGraph>) -> String {
        let NoReach::Collision(Contact::Obstacle(member, at)) = self else {
            return self.to_string();
        };
        let objects = graph.map_or(&[][..], |g| &g.objects);
        objects
            .iter()
            .filter(|o| o.presence == Presence::Present && o.shape.contains(at, NEAR_THING_M))
            .min_by(|a, b| a.shape.half.product().total_cmp(&b.shape.half.product()))
            .map_or_else(
                || self.to_string(),
                |o| {
                    format!(
                        "{member} would touch {} {} at {:.2} m height",
                        o.class, o.id, at.z
                    )
                },
            )
    }
}

impl std::fmt::Display for NoReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoReach::Range(miss) => write!(f, "{miss}"),
            NoReach::Collision(Contact::Obstacle(member, at)) => {
                write!(
                    f,
                    "{member} would touch something at ({:.2}, {:.2}, {:.2})",
                    at.x, at.y, at.z
                )
            }
            NoReach::Walls => f.write_str("the hand does not fit between the walls around it"),
            NoReach::Roofed => f.write_str("what is over it leaves no room for a hand from above"),
            NoReach::Stopped => f.write_str("something unseen stopped the hand there a moment ago"),
            NoReach::Collision(Contact::Body) => f.write_str("the hand would touch the robot's own base"),
            NoReach::Collision(Contact::Thing) => f.write_str("the fingers would push it over on their way"),
        }
    }
}

/// A collision-free way for a base at a position: retracted arm to height, hand turned there, extended to `before`, then
/// straight to `hand`, the base turning with it.
///
/// # Errors
/// [`NoReach`].
pub fn plan(scene: &Scene, base: (f64, f64), hand: &HandPose, before: &HandPose) -> Result<Reach, NoReach> {
    plan_within(
        scene,
        base,
        hand,
        before,
        Margins::new(scene.config.arm_margin_m, TIGHT_M),
    )
}

/// As [`plan`], with other margins between arm and obstacles than the configured one. Voxels are coarse: a negative
/// margin passes between things that their voxels close.
///
/// # Errors
/// [`NoReach`].
pub fn plan_within(
    scene: &Scene,
    base: (f64, f64),
    hand: &HandPose,
    before: &HandPose,
    margins: Margins,
) -> Result<Reach, NoReach> {
    let solve = |hand: &HandPose| ik::solve(scene.robot, base, hand).map_err(NoReach::Range);
    let end = solve(hand)?;
    let start = solve(before)?;
    let facing = Pose2::new(base.0, base.1, start.base_yaw_rad);
    let obstacles = Obstacles::around(&facing, scene.voxels, scene.ignored, scene.support, margins.way_m);
    let (robot, arm) = (scene.robot, scene.arm);
    let hits = |from: &Posture, to: &Posture| {
        obstacles.hit_between(robot, arm, from, to, scene.gripper, scene.payload)
    };
    let [retracted, out] = on_the_way(robot, &start.posture);
    let stretch = Stretch {
        robot,
        arm,
        obstacles: &obstacles,
        facing,
        gripper: scene.gripper,
        payload: scene.payload,
    };
    stretch.check(&end)?;
    let contact = obstacles
        .hit(robot, arm, &retracted, scene.gripper, scene.payload)
        .or_else(|| hits(&out, &start.posture))
        .or_else(|| hits(&retracted, &out))
        .or_else(|| {
            let around = obstacles.with_margin(margins.turn_m);
            let hits = |from: &Posture, to: &Posture| {
                around.hit_between(robot, arm, from, to, scene.gripper, scene.payload)
            };
            let blocked = |turn: &Vec<Posture>| turn.windows(2).find_map(|p| hits(&p[0], &p[1]));
            let [level, higher] = turns(robot, &scene.folded, &retracted);
            blocked(&level).filter(|_| blocked(&higher).is_some())
        });
    if let Some(contact) = contact {
        return Err(NoReach::Collision(contact));
    }
    stretch.check_between(before, hand)?;
    Ok(Reach { end, before: start })
}

/// A straight stretch of the hand's way, on which the base turns with it.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) robot: &'a Robot,
    pub(crate) arm: &'a ArmShapes,
    pub(crate) obstacles: &'a Obstacles<'a>,
    pub(crate) facing: Pose2,
    /// Position of the gripper's joint, metres.
    pub(crate) gripper: f64,
    pub(crate) payload: Option<&'a Payload>,
}

impl Stretch<'_> {
    /// Whether nothing is touched between two hand poses, the ends left out.
    ///
    /// # Errors
    /// [`NoReach`].
    pub(crate) fn check_between(&self, from: &HandPose, to: &HandPose) -> Result<(), NoReach> {
        on_the_line(from, to).try_for_each(|hand| {
            let base = (self.facing.x_m, self.facing.y_m);
            let solution = ik::solve(self.robot, base, &hand).map_err(NoReach::Range)?;
            self.check(&solution)
        })
    }

    fn check(&self, solution: &Solution) -> Result<(), NoReach> {
        let obstacles = self.obstacles.facing(solution.base_yaw_rad);
        let hit = obstacles.hit(
            self.robot,
            self.arm,
            &solution.posture,
            self.gripper,
            self.payload,
        );
        hit.map_or(Ok(()), |contact| Err(NoReach::Collision(contact)))
    }
}

/// Hand poses on the straight way between two, without the ends.
fn on_the_line(from: &HandPose, to: &HandPose) -> impl Iterator<Item = HandPose> {
    const STEP_M: f64 = 0.03;
    let way = to.position - from.position;
    let steps = (way.norm() / STEP_M).ceil() as usize;
    let (start, to) = (from.position, *to);
    (1..steps).map(move |i| HandPose {
        position: start + way * (i as f64 / steps as f64),
        ..to
    })
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

/// Postures by which the hand of the retracted arm turns to how it goes out: at the height at which it goes out, or higher
/// up, so that its tips go no lower than they end.
fn turns(robot: &Robot, folded: &Posture, retracted: &Posture) -> [Vec<Posture>; 2] {
    let at = |posture: &Posture, lift_m: f64| Posture { lift_m, ..*posture };
    let level_m = retracted.lift_m;
    let higher_m = robot.arm[0].clamp(level_m + robot.rise_to_turn_m(retracted.pitch_rad));
    [
        vec![at(folded, level_m), *retracted],
        vec![at(folded, higher_m), at(retracted, higher_m), *retracted],
    ]
}

/// From wherever the arm is to `before`, by way of the retracted arm. `free`: whether the arm touches nothing between
/// two postures, the strictest first; by them it is decided at which height the hand turns.
pub fn way_out(
    robot: &Robot,
    now: Posture,
    before: Posture,
    free: &[impl Fn(&Posture, &Posture) -> bool],
) -> Vec<Waypoint> {
    let mut waypoints = Vec::new();
    let close = (now.extend_m - before.extend_m).abs() < 0.02 && (now.lift_m - before.lift_m).abs() < 0.02;
    if !close {
        let folded = Posture { extend_m: 0.0, ..now };
        if now.extend_m > RETRACTED_M {
            waypoints.push(Waypoint::new(folded, 0.9));
        }
        // Low down, the hand goes out first: the base is in its way.
        let [retracted, out] = on_the_way(robot, &before);
        let turns = turns(robot, &folded, &retracted);
        let first_free = free.iter().find_map(|is_free| {
            turns
                .iter()
                .find(|turn| turn.windows(2).all(|p| is_free(&p[0], &p[1])))
        });
        // Where neither is free, the tips at least go no lower than they end.
        let turn = first_free.unwrap_or(&turns[1]).iter().copied();
        waypoints.extend(turn.chain([out]).map(|p| Waypoint::new(p, 0.9)));
    }
    waypoints.push(Waypoint::new(before, 0.8));
    waypoints
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
