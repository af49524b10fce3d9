//! Pick: drive to where the object is in reach, look at it from close by, grasp, lift, check, retreat.

use std::collections::VecDeque;

use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Pose2};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, SceneObject, SkillFailure};

use crate::approach;
use crate::collision::Support;
use crate::drive::{Creep, Drive, Tolerance, Turn};
use crate::grasp::{self, Grasp};
use crate::ik::{self, HandPose};
use crate::look::Gazing;
use crate::machine::{Commands, Context, Held, Inputs, Part, Progress};
use crate::path::CostField;
use crate::posture::{ArmMotion, ArmState, Stow, StowState, fingers};
use crate::reach::{self, NoReach, Reach, Scene};
use crate::robot::Posture;

/// Opening below which the fingers hold nothing, metres.
pub const EMPTY_OPENING_M: f64 = 0.004;
/// How long the base may turn before the grasp is planned again: how often it is corrected with the arm out.
const MAX_CORRECTIONS: u32 = 3;
/// Sideways error with which the hand may go on, metres.
const LATERAL_TOLERANCE_M: f64 = 0.006;
/// Sideways error with which a grasp would miss, metres.
const MISSES_M: f64 = 0.02;
/// How much wider than the thing the fingers open, best first, metres: what was seen of it from afar is rarely all.
const ROOM_M: [f64; 2] = [0.09, 0.05];
/// How often a grasp is planned again because the thing turned out to be elsewhere while the arm went out.
const MAX_REPLANS: u32 = 2;
/// How far it must be for that, metres.
const SHIFTED_M: f64 = 0.012;
/// How far an object may turn out to be from where it was remembered before places to stand are chosen anew, metres.
const MOVED_M: f64 = 0.1;
/// Distances between base and object that are tried, best first, metres.
const REACH_M: [f64; 8] = [0.62, 0.70, 0.54, 0.78, 0.46, 0.86, 0.94, 1.02];

/// The skill.
#[derive(Debug)]
pub struct Pick {
    object: ObjectId,
    phase: Phase,
    places: VecDeque<Pose2>,
    attempts: u32,
    /// Grasps that failed: position of the hand relative to the object's centre is not kept, only their number.
    tried: Vec<HandPose>,
    last_problem: Option<(SkillFailure, String)>,
    moved_places: u32,
    replans: u32,
    /// Where the object was when the places were chosen.
    chosen_for: Point3,
}

#[derive(Debug)]
enum Phase {
    Stow(Stow),
    Places,
    Drive(Box<Drive>),
    Gaze(Gazing, Option<Time>),
    Plan,
    Turn(Plan, Turn),
    Out(Plan, ArmMotion),
    Correct(Plan, Turn, u32),
    Approach(Plan, ArmMotion),
    CloseFingers(Plan, Closing),
    Lift(Plan, ArmMotion),
    Release(Plan, Time, ArmMotion),
    Retract(Plan, ArmMotion),
    BackOff(Plan, Creep),
    Carry(Stow),
}

/// A grasp that was decided on.
#[derive(Debug, Clone)]
struct Plan {
    grasp: Grasp,
    reach: Reach,
    shape: OrientedBox,
    opening_m: f64,
}

/// Waiting for the fingers to come to rest.
#[derive(Debug, Clone)]
pub struct Closing {
    since: Option<Time>,
    rest: Option<(f64, Time)>,
}

/// What the fingers found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grip {
    /// Still moving.
    Closing,
    /// They hold something.
    Holding,
    /// They met nothing, or only one of them did; the opening.
    Nothing(f64),
}

impl Default for Closing {
    fn default() -> Self {
        Closing::new()
    }
}

impl Closing {
    /// Closing that has not begun.
    pub fn new() -> Self {
        Closing {
            since: None,
            rest: None,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Grip {
        fingers(&ctx.robot, out, 0.0, 0.6);
        let since = *self.since.get_or_insert(inputs.now);
        let seconds = (inputs.now - since).secs_f64();
        let Some(contacts) = inputs.contacts else {
            return if seconds > 3.0 {
                Grip::Nothing(0.0)
            } else {
                Grip::Closing
            };
        };
        let moved = self
            .rest
            .is_none_or(|(o, _)| (o - contacts.opening_m).abs() > 0.001);
        if moved {
            self.rest = Some((contacts.opening_m, inputs.now));
        }
        let still = self.rest.map_or(0.0, |(_, t)| (inputs.now - t).secs_f64());
        if (seconds > 0.5 && still > 0.3) || seconds > 4.0 {
            return grip(inputs);
        }
        Grip::Closing
    }
}

/// What the fingers hold now.
pub fn grip(inputs: &Inputs) -> Grip {
    match inputs.contacts {
        Some(c) if c.left && c.right && c.opening_m > EMPTY_OPENING_M => Grip::Holding,
        Some(c) => Grip::Nothing(c.opening_m),
        None => Grip::Nothing(0.0),
    }
}

impl Pick {
    /// Picks an object up.
    pub fn new(object: ObjectId) -> Self {
        Pick {
            object,
            phase: Phase::Stow(Stow::new()),
            places: VecDeque::new(),
            attempts: 0,
            tried: Vec::new(),
            last_problem: None,
            moved_places: 0,
            replans: 0,
            chosen_for: Point3::origin(),
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        if ctx.held.is_some() && !matches!(self.phase, Phase::Carry(..)) {
            return Progress::Failed(
                SkillFailure::Precondition,
                "the hand already holds something".into(),
            );
        }
        let object = match inputs.object(self.object) {
            Some(o) => o,
            None => {
                return Progress::Failed(
                    SkillFailure::UnknownObject,
                    format!("{} is not in memory", self.object),
                );
            }
        };
        let name = format!("{} {}", object.class, object.id);
        match &mut self.phase {
            Phase::Stow(stow) => {
                if stow.step(ctx, inputs, out) != StowState::Busy {
                    // After failed attempts another place is tried, with other things beside the arm.
                    let moved_m = (object.shape.center - self.chosen_for).norm();
                    if self.attempts > 0 && !self.places.is_empty() && moved_m < MOVED_M {
                        return self.next_place();
                    }
                    self.phase = Phase::Places;
                }
                Progress::Running("stowing the arm".into())
            }
            Phase::Places => match find_places(ctx, inputs, object) {
                Ok(places) => {
                    self.chosen_for = object.shape.center;
                    self.places = places;
                    self.next_place()
                }
                Err((why, text)) => Progress::Failed(why, text),
            },
            Phase::Drive(drive) => match drive.step(ctx, inputs, out) {
                Part::Busy => {
                    Progress::Running(format!("driving to {name}, {:.1} m to go", drive.remaining_m()))
                }
                Part::Finished => {
                    self.phase = Phase::Gaze(Gazing::at(object.shape.center, ctx), None);
                    Progress::Running(format!("looking at {name}"))
                }
                Part::Failed(why, text) => {
                    self.last_problem = Some((why, text));
                    self.next_place()
                }
            },
            Phase::Gaze(gazing, done) => {
                match gazing.step(ctx, inputs, out, false) {
                    Part::Busy => {}
                    Part::Finished => {
                        let done = *done.get_or_insert(inputs.now);
                        let since = gazing.steady_since().unwrap_or(inputs.now);
                        let fresh = object.last_seen >= since;
                        if object.presence == Presence::Missing {
                            return Progress::Failed(
                                SkillFailure::UnknownObject,
                                format!("{name} is no longer where it was remembered"),
                            );
                        }
                        if fresh || (inputs.now - done).secs_f64() > 2.0 {
                            self.phase = Phase::Plan;
                        }
                    }
                    Part::Failed(why, text) => return Progress::Failed(why, text),
                }
                Progress::Running(format!("looking at {name}"))
            }
            Phase::Plan => {
                head_at(ctx, inputs, out, object);
                let base = (inputs.base.x_m, inputs.base.y_m);
                match best_grasp(ctx, inputs, &object.shape, base, &self.tried) {
                    Ok(plan) => {
                        let turn = Turn::to(plan.reach.end.base_yaw_rad, 0.008);
                        self.phase = Phase::Turn(plan, turn);
                        Progress::Running(format!("facing {name}"))
                    }
                    Err(why) => {
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("{name} cannot be grasped from here: {why}"),
                        ));
                        // Seen from near, it is not where the places were chosen for.
                        let moved_m = (object.shape.center - self.chosen_for).norm();
                        if moved_m > MOVED_M && self.moved_places < 6 {
                            self.phase = Phase::Places;
                            return Progress::Running(format!("{name} is elsewhere: choosing a place again"));
                        }
                        self.next_place()
                    }
                }
            }
            Phase::Turn(plan, turn) => match turn.step(ctx, inputs, out) {
                Part::Busy => Progress::Running(format!("facing {name}")),
                Part::Finished => {
                    let before = plan.grasp.hand.backed_off(plan.grasp.standoff_m);
                    match ik::solve_facing(&ctx.robot, &inputs.base, &before) {
                        Ok(posture) => {
                            let motion = ArmMotion::through(reach::way_out(inputs.posture(), posture));
                            self.phase = Phase::Out(plan.clone(), motion);
                            Progress::Running(format!("reaching for {name}"))
                        }
                        Err(miss) => {
                            self.last_problem = Some((SkillFailure::OutOfReach, format!("{name} is {miss}")));
                            self.next_place()
                        }
                    }
                }
                Part::Failed(why, text) => {
                    self.last_problem = Some((why, text));
                    self.next_place()
                }
            },
            Phase::Out(plan, motion) => {
                fingers(&ctx.robot, out, plan.opening_m, 1.0);
                match motion.step(&ctx.robot, inputs, out) {
                    ArmState::Busy => {}
                    ArmState::Arrived | ArmState::Stalled(_) => {
                        let turn = Turn::to(plan.reach.end.base_yaw_rad, 0.006);
                        self.phase = Phase::Correct(plan.clone(), turn, 0);
                    }
                }
                Progress::Running(format!("reaching for {name}"))
            }
            Phase::Correct(plan, turn, corrections) => {
                fingers(&ctx.robot, out, plan.opening_m, 1.0);
                let settled = match turn.step(ctx, inputs, out) {
                    Part::Busy => false,
                    Part::Finished | Part::Failed(..) => true,
                };
                if settled {
                    // Looked at all the while, it is known better now, or it moved.
                    let shift_m = (object.shape.center - plan.shape.center).norm();
                    let present = object.presence == Presence::Present;
                    if present && self.replans < MAX_REPLANS && shift_m > SHIFTED_M && shift_m < MOVED_M {
                        self.replans += 1;
                        self.phase = Phase::Plan;
                        return Progress::Running(format!("{name} is {shift_m:.2} m from where it was"));
                    }
                    let base = (inputs.base.x_m, inputs.base.y_m);
                    match ik::solve(&ctx.robot, base, &plan.grasp.hand) {
                        Ok(solution) => {
                            let lateral = ik::lateral_error_m(&ctx.robot, &inputs.base, &solution);
                            if lateral.abs() > LATERAL_TOLERANCE_M && *corrections < MAX_CORRECTIONS {
                                *corrections += 1;
                                *turn = Turn::to(solution.base_yaw_rad, 0.006);
                            } else if lateral.abs() > MISSES_M {
                                self.last_problem = Some((
                                    SkillFailure::OutOfReach,
                                    format!("something keeps the hand {:.2} m beside {name}", lateral.abs()),
                                ));
                                self.attempts = (self.attempts | 1).max(1);
                                return self.withdraw(ctx, inputs);
                            } else {
                                return self.approach(ctx, inputs, &name);
                            }
                        }
                        Err(miss) => {
                            self.last_problem = Some((SkillFailure::OutOfReach, format!("{name} is {miss}")));
                            return self.withdraw(ctx, inputs);
                        }
                    }
                }
                Progress::Running(format!("lining up with {name}"))
            }
            Phase::Approach(plan, motion) => {
                match motion.step(&ctx.robot, inputs, out) {
                    ArmState::Busy => {}
                    // A stall shortly before the end means that the hand touches the thing or its support.
                    ArmState::Arrived | ArmState::Stalled(_) => {
                        self.phase = Phase::CloseFingers(plan.clone(), Closing::new());
                    }
                }
                Progress::Running(format!("approaching {name}"))
            }
            Phase::CloseFingers(plan, closing) => match closing.step(ctx, inputs, out) {
                Grip::Closing => Progress::Running(format!("closing on {name}")),
                Grip::Holding => {
                    let lift = ctx.robot.arm[0];
                    let now = inputs.posture();
                    let rise = if plan.grasp.from_above { 0.12 } else { 0.05 };
                    let up = Posture {
                        lift_m: lift.clamp(now.lift_m + rise),
                        ..now
                    };
                    self.phase = Phase::Lift(plan.clone(), ArmMotion::to(up, 0.4));
                    Progress::Running(format!("lifting {name}"))
                }
                Grip::Nothing(opening) => {
                    self.last_problem = Some((
                        SkillFailure::GraspFailed,
                        format!("the fingers closed to {:.3} m without holding {name}", opening),
                    ));
                    self.withdraw(ctx, inputs)
                }
            },
            Phase::Lift(plan, motion) => match motion.step(&ctx.robot, inputs, out) {
                ArmState::Busy => Progress::Running(format!("lifting {name}")),
                ArmState::Arrived | ArmState::Stalled(_) => {
                    if grip(inputs) == Grip::Holding {
                        let back = Posture {
                            extend_m: 0.0,
                            ..inputs.posture()
                        };
                        self.phase = Phase::Retract(plan.clone(), ArmMotion::to(back, 0.6));
                        Progress::Running(format!("holding {name}"))
                    } else {
                        self.last_problem = Some((
                            SkillFailure::GraspFailed,
                            format!("{name} slipped out while lifting"),
                        ));
                        self.withdraw(ctx, inputs)
                    }
                }
            },
            Phase::Release(plan, since, motion) => {
                fingers(&ctx.robot, out, plan.opening_m, 1.0);
                if (inputs.now - *since).secs_f64() < 0.8 {
                    return Progress::Running(format!("letting go of {name}"));
                }
                match motion.step(&ctx.robot, inputs, out) {
                    ArmState::Busy => Progress::Running("withdrawing".into()),
                    ArmState::Arrived | ArmState::Stalled(_) => {
                        self.attempts += 1;
                        if self.attempts >= ctx.config.max_grasp_attempts {
                            let (why, text) = self
                                .last_problem
                                .clone()
                                .unwrap_or((SkillFailure::GraspFailed, format!("{name} was not grasped")));
                            return Progress::Failed(why, format!("{text} ({} attempts)", self.attempts));
                        }
                        self.phase = if self.attempts.is_multiple_of(2) {
                            self.tried.clear();
                            Phase::Stow(Stow::new())
                        } else {
                            Phase::Gaze(Gazing::at(object.shape.center, ctx), None)
                        };
                        Progress::Running(format!("trying again to grasp {name}"))
                    }
                }
            }
            Phase::Retract(plan, motion) => match motion.step(&ctx.robot, inputs, out) {
                ArmState::Busy => Progress::Running(format!("retracting with {name}")),
                ArmState::Arrived | ArmState::Stalled(_) => {
                    if grip(inputs) != Grip::Holding {
                        self.last_problem = Some((
                            SkillFailure::GraspFailed,
                            format!("{name} slipped out while retracting"),
                        ));
                        return self.withdraw(ctx, inputs);
                    }
                    self.phase = Phase::BackOff(plan.clone(), Creep::by(-0.22, 0.2));
                    Progress::Running(format!("backing off with {name}"))
                }
            },
            Phase::BackOff(plan, creep) => {
                if creep.step(ctx, inputs, out) != Part::Busy {
                    ctx.held = Some(held(self.object, plan));
                    self.phase = Phase::Carry(Stow::new());
                }
                Progress::Running(format!("backing off with {name}"))
            }
            Phase::Carry(stow) => {
                if stow.step(ctx, inputs, out) == StowState::Busy {
                    return Progress::Running(format!("taking {name} close"));
                }
                if grip(inputs) == Grip::Holding {
                    Progress::Done(format!("holding {name}"))
                } else {
                    ctx.held = None;
                    Progress::Failed(
                        SkillFailure::Dropped,
                        format!("{name} was lost while stowing the arm"),
                    )
                }
            }
        }
    }

    fn next_place(&mut self) -> Progress {
        match self.places.pop_front() {
            Some(place) if self.moved_places < 6 => {
                self.moved_places += 1;
                self.phase = Phase::Drive(Box::new(Drive::to(place, Tolerance::FINE)));
                Progress::Running("driving to a place to reach from".into())
            }
            _ => {
                let (why, text) = self
                    .last_problem
                    .clone()
                    .unwrap_or((SkillFailure::OutOfReach, "no place to reach it from".into()));
                Progress::Failed(why, text)
            }
        }
    }

    fn approach(&mut self, ctx: &Context, inputs: &Inputs, name: &str) -> Progress {
        let Phase::Correct(plan, ..) = &self.phase else {
            return Progress::Running(String::new());
        };
        let hand = plan.grasp.hand;
        let before = hand.backed_off(plan.grasp.standoff_m);
        self.tried.push(hand);
        match reach::straight(&ctx.robot, &inputs.base, &before, &hand, 0.35) {
            Ok(waypoints) => {
                self.phase = Phase::Approach(plan.clone(), ArmMotion::through(waypoints));
                Progress::Running(format!("approaching {name}"))
            }
            Err(miss) => {
                self.last_problem = Some((SkillFailure::OutOfReach, format!("{name} is {miss}")));
                self.withdraw(ctx, inputs)
            }
        }
    }

    /// Lets go and takes the hand back to where it can be tried again from.
    fn withdraw(&mut self, ctx: &Context, inputs: &Inputs) -> Progress {
        let plan = match &self.phase {
            Phase::Correct(p, ..)
            | Phase::Approach(p, ..)
            | Phase::CloseFingers(p, ..)
            | Phase::Lift(p, ..)
            | Phase::Retract(p, ..) => p.clone(),
            _ => return Progress::Failed(SkillFailure::GraspFailed, "withdrew without a grasp".into()),
        };
        let now = inputs.posture();
        let back = if plan.grasp.from_above {
            let up = Posture {
                lift_m: ctx.robot.arm[0].clamp(now.lift_m + 0.12),
                ..now
            };
            vec![
                crate::posture::Waypoint::new(up, 0.6),
                crate::posture::Waypoint::new(Posture { extend_m: 0.0, ..up }, 0.6),
            ]
        } else {
            vec![crate::posture::Waypoint::new(
                Posture { extend_m: 0.0, ..now },
                0.6,
            )]
        };
        self.phase = Phase::Release(plan, inputs.now, ArmMotion::through(back));
        Progress::Running("letting go".into())
    }
}

fn head_at(ctx: &Context, inputs: &Inputs, out: &mut Commands, object: &SceneObject) {
    crate::head::look_at(ctx, inputs, out, &object.shape.center);
}

fn held(object: ObjectId, plan: &Plan) -> Held {
    let hand = plan.grasp.hand;
    let f = hand.fingers.into_inner();
    Held {
        object,
        half: plan.shape.half,
        pitch_rad: (-f.z).atan2(f.x.hypot(f.y)),
        hand_from_object: hand.pose().inverse() * plan.shape.pose(),
    }
}

/// Boxes in which voxels belong to the object.
fn object_region(shape: &OrientedBox) -> OrientedBox {
    OrientedBox {
        half: shape.half.add_scalar(0.03),
        ..*shape
    }
}

/// The best grasp that a base at a position can reach without touching anything, not counting those tried already.
fn best_grasp(
    ctx: &Context,
    inputs: &Inputs,
    shape: &OrientedBox,
    base: (f64, f64),
    tried: &[HandPose],
) -> Result<Plan, String> {
    let ignored = [object_region(shape)];
    let grasps = grasp::candidates(&ctx.robot, &ctx.config, shape, base);
    if grasps.is_empty() {
        return Err(format!(
            "at {:.2} x {:.2} x {:.2} m no side fits between the fingers",
            2.0 * shape.half.x,
            2.0 * shape.half.y,
            2.0 * shape.half.z
        ));
    }
    let mut nearest_miss: Option<NoReach> = None;
    let again = |g: &Grasp| {
        tried
            .iter()
            .filter(|t| {
                t.fingers.dot(&g.hand.fingers) > 0.98
                    && t.closing.dot(&g.hand.closing).abs() > 0.97
                    && (t.position - g.hand.position).norm() < 0.015
            })
            .count()
    };
    let mut order: Vec<(usize, &Grasp)> = grasps.iter().map(|g| (again(g), g)).collect();
    order.sort_by_key(|(n, _)| *n);
    let openings =
        |grasp: &Grasp| ROOM_M.map(|room| (grasp.width_m + room).min(2.0 * ctx.robot.gripper.upper));
    for (grasp, opening_m) in order.iter().flat_map(|(_, g)| openings(g).map(|o| (*g, o))) {
        let scene = Scene {
            robot: &ctx.robot,
            arm: &ctx.arm,
            config: &ctx.config,
            cloud: inputs.cloud,
            ignored: &ignored,
            support: Some(Support {
                center: shape.center,
                radius_m: 0.3,
                height_m: shape.bottom_m(),
            }),
            payload: None,
            gripper: opening_m * 0.5,
        };
        let before = grasp.hand.backed_off(grasp.standoff_m);
        match reach::plan(&scene, base, &grasp.hand, &before) {
            Ok(reach) => {
                return Ok(Plan {
                    grasp: *grasp,
                    reach,
                    shape: *shape,
                    opening_m,
                });
            }
            Err(NoReach::Collision) => nearest_miss = Some(NoReach::Collision),
            Err(miss) => {
                nearest_miss.get_or_insert(miss);
            }
        }
    }
    Err(nearest_miss.map_or_else(|| "no grasp fits".into(), |m| m.to_string()))
}

/// Places from which some grasp works, best first.
fn find_places(
    ctx: &mut Context,
    inputs: &Inputs,
    object: &SceneObject,
) -> Result<VecDeque<Pose2>, (SkillFailure, String)> {
    let name = format!("{} {}", object.class, object.id);
    if object.presence == Presence::Missing {
        return Err((
            SkillFailure::UnknownObject,
            format!("{name} is missing: it was not where it was remembered"),
        ));
    }
    let Some(map) = ctx.map(inputs) else {
        return Err((SkillFailure::NoPath, "there is no map of the floor yet".into()));
    };
    let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
        return Err((SkillFailure::NoPath, "the robot stands outside its map".into()));
    };
    let found = approach::around_point(&map, &field, &object.shape.center, &REACH_M, 0.12);
    if found.is_empty() {
        let p = object.shape.center;
        return Err((
            SkillFailure::NoPath,
            format!(
                "no free floor within {:.2} m of {name} at ({:.2}, {:.2}) can be reached",
                REACH_M[7], p.x, p.y
            ),
        ));
    }
    let mut places: VecDeque<Pose2> = VecDeque::new();
    let mut reason = String::new();
    for candidate in found.iter().take(80) {
        if places.iter().any(|p| p.distance_m(&candidate.pose) < 0.2) {
            continue;
        }
        match best_grasp(
            ctx,
            inputs,
            &object.shape,
            (candidate.pose.x_m, candidate.pose.y_m),
            &[],
        ) {
            Ok(_) => places.push_back(candidate.pose),
            Err(why) => reason = why,
        }
        if places.len() >= 4 {
            break;
        }
    }
    if places.is_empty() {
        return Err((
            SkillFailure::OutOfReach,
            format!(
                "{name} at {:.2} m height cannot be grasped from any of {} places: {reason}",
                object.shape.center.z,
                found.len().min(80)
            ),
        ));
    }
    Ok(places)
}
