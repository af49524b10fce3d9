//! Pick: drive to where the object is in reach, look at it from close by, grasp, lift, check, retreat.

use std::collections::VecDeque;

use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, SceneObject, SkillFailure};

use crate::approach;
use crate::collision::{Contact, Member, Obstacles, Payload, Support};
use crate::drive::{Creep, Drive, Tolerance};
use crate::grasp::{self, Grasp};
use crate::handing::{HandState, Handing};
use crate::ik::HandPose;
use crate::look::Gazing;
use crate::machine::{Commands, Context, Held, Inputs, Part, Progress};
use crate::passage::{self, Care, Thing, ways_to_try};
use crate::path::CostField;
use crate::posture::{ArmMotion, ArmState, Stow, StowState, fingers};
use crate::reach::{self, MARGINS_M, NoReach, Reach, Scene, Stretch};
use crate::robot::{GRIPPER, Posture};
use crate::roofs;
use crate::trays;
use crate::withdrawal::Withdrawal;

/// Opening below which the fingers hold nothing, metres.
pub const EMPTY_OPENING_M: f64 = 0.004;
/// How much wider than the thing the fingers open, best first, metres: what was seen of it from afar is rarely all. The
/// last is for between walls.
const ROOM_M: [f64; 3] = [0.09, 0.05, 0.03];
/// How often a grasp is planned again because the thing turned out to be elsewhere while the arm went out.
const MAX_REPLANS: u32 = 2;
/// How far it must be for that, metres.
const SHIFTED_M: f64 = 0.02;
/// How far an object may turn out to be from where it was remembered before places to stand are chosen anew, metres.
const MOVED_M: f64 = 0.1;
/// How far from where it should be the hand may be stopped by a touch, metres.
const STOPPED_M: f64 = 0.03;
/// Distances between base and object that are tried, best first, metres.
const REACH_M: [f64; 10] = [0.62, 0.70, 0.54, 0.78, 0.46, 0.86, 0.94, 1.02, 1.08, 1.16];
/// Most places to stand that are checked.
const MAX_PLACES: usize = 200;
/// How far over the rim of what they lie in things are lifted, metres.
const OVER_RIM_M: f64 = 0.03;
/// How far things are lifted before they are taken away, least first, metres: over what stands in front of them.
const RISES_M: [f64; 4] = [0.05, 0.12, 0.20, 0.30];

/// An arm that stays out this far on its way back is caught, metres.
const CAUGHT_M: f64 = 0.08;
/// How far the hand goes up or down, one after the other, to free what it holds, metres.
const WRIGGLES_M: [f64; 3] = [-0.025, 0.05, -0.04];

/// Thickness of a board, metres.
const BOARD_M: f64 = 0.03;
/// How far things are lifted at least, metres.
const LEAST_RISE_M: f64 = 0.008;

/// What is held this many times thinner than the thing looked may be something else, a board say, which does not
/// come along. A bottle's neck and the plate of a photo frame do.
const THINNER: f64 = 0.35;

/// The skill.
#[derive(Debug)]
pub struct Pick {
    object: ObjectId,
    phase: Phase,
    places: VecDeque<Pose2>,
    /// The margin with which the places were found, metres.
    margin_m: f64,
    attempts: u32,
    /// Grasps that were tried.
    tried: Vec<HandPose>,
    last_problem: Option<(SkillFailure, String)>,
    moved_places: u32,
    replans: u32,
    /// Where the object was when the places were chosen.
    chosen_for: Point3,
    /// Whether it was looked at anew after no place was found, and whether places were chosen again since.
    second_look: SecondLook,
    /// How often what is held was moved up or down because it was caught.
    wriggles: usize,
}

/// What was done about having found no place to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecondLook {
    /// Nothing yet.
    Due,
    /// On the way to see what is around the object from elsewhere.
    UnderWay,
    /// It was looked at.
    Done,
}

#[derive(Debug)]
enum Phase {
    Stow(Stow),
    Places,
    Drive(Box<Drive>),
    Gaze(Gazing, Option<Time>),
    Plan,
    Hand(Box<Handing>, Plan),
    CloseFingers(Plan, Closing),
    Lift(Plan, ArmMotion),
    Retract(Plan, Withdrawal, Creep),
    Carry(Plan, Stow),
    Release(Plan, Time, Withdrawal),
}

/// A grasp that was decided on.
#[derive(Debug, Clone)]
struct Plan {
    grasp: Grasp,
    reach: Reach,
    shape: OrientedBox,
    opening_m: f64,
    /// What it stood on or was in.
    carrier: OrientedBox,
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

/// Distance between the fingers, metres.
fn opening(inputs: &Inputs) -> f64 {
    inputs.contacts.map_or(0.0, |c| c.opening_m)
}

impl Pick {
    /// Picks an object up.
    pub fn new(object: ObjectId) -> Self {
        Pick {
            object,
            phase: Phase::Stow(Stow::new()),
            places: VecDeque::new(),
            margin_m: MARGINS_M[0],
            attempts: 0,
            tried: Vec::new(),
            last_problem: None,
            moved_places: 0,
            replans: 0,
            chosen_for: Point3::origin(),
            second_look: SecondLook::Due,
            wriggles: 0,
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
                Ok((places, margin_m)) => {
                    self.chosen_for = object.shape.center;
                    self.places = places;
                    self.margin_m = margin_m;
                    self.next_place()
                }
                Err(none) => {
                    // Seen from elsewhere, less may be in the way.
                    if let (Some(vantage), SecondLook::Due) = (none.vantage, self.second_look) {
                        self.second_look = SecondLook::UnderWay;
                        self.chosen_for = object.shape.center;
                        self.places.clear();
                        self.last_problem = Some((none.why, none.text));
                        self.phase = Phase::Drive(Box::new(Drive::to(vantage, Tolerance::COARSE)));
                        return Progress::Running(format!("driving to look at {name} from elsewhere"));
                    }
                    Progress::Failed(none.why, none.text)
                }
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
                let mut planned = Err(String::new());
                for (care, margin_m) in ways_to_try().filter(|(_, m)| *m <= self.margin_m) {
                    planned = best_grasp(ctx, inputs, object, base, &self.tried, (care, margin_m));
                    if planned.is_ok() {
                        break;
                    }
                }
                match planned {
                    Ok(plan) => {
                        let hand = plan.grasp.hand;
                        let before = plan.grasp.before;
                        let handing = Handing::new(hand, before, plan.reach.before.base_yaw_rad, 0.45)
                            .with_fingers(plan.opening_m);
                        let how = if plan.grasp.from_above {
                            "from above"
                        } else if plan.grasp.comes_down {
                            "down beside it"
                        } else {
                            "from the front"
                        };
                        let text = format!("{} wide, {how}", centimetres(plan.grasp.width_m));
                        self.phase = Phase::Hand(Box::new(handing), plan);
                        Progress::Running(format!("facing {name}, {text}"))
                    }
                    Err(why) => {
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("{name} cannot be grasped from here: {why}"),
                        ));
                        if self.second_look == SecondLook::UnderWay {
                            self.second_look = SecondLook::Done;
                            self.phase = Phase::Places;
                            return Progress::Running(format!("choosing a place to grasp {name} from"));
                        }
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
            Phase::Hand(handing, plan) => {
                head_at(ctx, inputs, out, object);
                if handing.is_lining_up() {
                    // Looked at all the while, it is known better now, or it moved.
                    let shift_m = (object.shape.center - plan.shape.center).norm();
                    let present = object.presence == Presence::Present;
                    if present && self.replans < MAX_REPLANS && shift_m > SHIFTED_M && shift_m < MOVED_M {
                        self.replans += 1;
                        self.phase = Phase::Plan;
                        return Progress::Running(format!("{name} is {shift_m:.2} m from where it was"));
                    }
                }
                match handing.step(ctx, inputs, out) {
                    HandState::Busy(what) => Progress::Running(format!("{what}: {name}")),
                    HandState::Arrived => {
                        self.tried.push(plan.grasp.hand);
                        let (aside_m, above_m) = handing.left_m(ctx, inputs);
                        // A touch shortly before the end: the thing or its support.
                        if aside_m < STOPPED_M && above_m < 2.0 * STOPPED_M {
                            self.phase = Phase::CloseFingers(plan.clone(), Closing::new());
                            return Progress::Running(format!("closing on {name}"));
                        }
                        ctx.stopped_at(&plan.grasp.hand, plan.opening_m, inputs.now);
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!(
                                "something stopped the hand {aside_m:.2} m beside and {above_m:.2} m above {name}"
                            ),
                        ));
                        self.withdraw(ctx, inputs)
                    }
                    HandState::Failed(why) => {
                        self.last_problem = Some((SkillFailure::OutOfReach, format!("{name} is {why}")));
                        if handing.is_out() {
                            ctx.stopped_at(&plan.grasp.hand, plan.opening_m, inputs.now);
                            // From another place next.
                            self.attempts |= 1;
                            return self.withdraw(ctx, inputs);
                        }
                        self.next_place()
                    }
                }
            }
            Phase::CloseFingers(plan, closing) => match closing.step(ctx, inputs, out) {
                Grip::Closing => Progress::Running(format!("closing on {name}")),
                Grip::Holding => {
                    let up = lifted(ctx, inputs, plan, self.margin_m);
                    self.phase = Phase::Lift(plan.clone(), ArmMotion::to(up, 0.7));
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
                // A board or an edge between the fingers is felt as well as the thing beside it.
                ArmState::Stalled(_) if opening(inputs) < THINNER * plan.grasp.width_m => {
                    self.last_problem = Some((
                        SkillFailure::GraspFailed,
                        format!(
                            "the fingers closed to {:.3} m on something that is thinner than {name} and does not move",
                            opening(inputs)
                        ),
                    ));
                    self.withdraw(ctx, inputs)
                }
                ArmState::Arrived | ArmState::Stalled(_) => {
                    if grip(inputs) == Grip::Holding {
                        // The way it came, but no further up.
                        let back = if plan.grasp.comes_down {
                            Withdrawal::upwards(ctx, inputs, 0.0, 0.8)
                        } else {
                            Withdrawal::level(ctx, inputs, plan.grasp.way_m(), 0.8)
                        };
                        let creep = Creep::by(-back_off_m(inputs, plan), 0.25);
                        self.phase = Phase::Retract(plan.clone(), back, creep);
                        Progress::Running(format!("retracting with {name}"))
                    } else {
                        self.last_problem = Some((
                            SkillFailure::GraspFailed,
                            format!("{name} slipped out while lifting"),
                        ));
                        self.withdraw(ctx, inputs)
                    }
                }
            },
            // The base backs off while the arm comes in: both go the same way.
            Phase::Retract(plan, back, creep) => {
                let retracted = back.step(ctx, inputs, out) != ArmState::Busy;
                let backed = back.is_off() && creep.step(ctx, inputs, out) != Part::Busy;
                if grip(inputs) != Grip::Holding && retracted {
                    self.last_problem = Some((
                        SkillFailure::GraspFailed,
                        format!("{name} slipped out while retracting"),
                    ));
                    return self.withdraw(ctx, inputs);
                }
                if backed && retracted {
                    let posture = inputs.posture();
                    if posture.extend_m > CAUGHT_M {
                        let Some(by_m) = WRIGGLES_M.get(self.wriggles).copied() else {
                            self.last_problem = Some((
                                SkillFailure::Stuck,
                                format!(
                                    "the arm does not come back with {name}, which is caught in something"
                                ),
                            ));
                            return self.withdraw(ctx, inputs);
                        };
                        self.wriggles += 1;
                        let lift_m = ctx.robot.arm[0].clamp(posture.lift_m + by_m);
                        let motion = ArmMotion::to(Posture { lift_m, ..posture }, 0.5);
                        self.phase = Phase::Lift(plan.clone(), motion);
                        return Progress::Running(format!("freeing {name}, which is caught"));
                    }
                    ctx.held = Some(held(self.object, plan));
                    self.phase = Phase::Carry(plan.clone(), Stow::new());
                }
                Progress::Running(format!("retracting with {name}"))
            }
            Phase::Carry(_, stow) => {
                match stow.step(ctx, inputs, out) {
                    StowState::Busy => return Progress::Running(format!("taking {name} close")),
                    // Driving on, it would pull at what it is caught in.
                    StowState::Clear if inputs.posture().extend_m > CAUGHT_M => {
                        ctx.held = None;
                        self.last_problem = Some((
                            SkillFailure::Stuck,
                            format!("the arm cannot be stowed with {name}, which is caught in something"),
                        ));
                        return self.withdraw(ctx, inputs);
                    }
                    StowState::Clear | StowState::Stowed => {}
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
            Phase::Release(plan, since, withdrawal) => {
                fingers(&ctx.robot, out, plan.opening_m, 1.0);
                let is_open = 2.0 * inputs.joint(GRIPPER) > plan.opening_m - 0.01;
                if !is_open && (inputs.now - *since).secs_f64() < 0.8 {
                    return Progress::Running(format!("letting go of {name}"));
                }
                match withdrawal.step(ctx, inputs, out) {
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

    /// Lets go and takes the hand back to where it can be tried again from.
    fn withdraw(&mut self, ctx: &Context, inputs: &Inputs) -> Progress {
        let plan = match &self.phase {
            Phase::Hand(_, p)
            | Phase::CloseFingers(p, _)
            | Phase::Lift(p, _)
            | Phase::Retract(p, ..)
            | Phase::Carry(p, _) => p.clone(),
            _ => return Progress::Failed(SkillFailure::GraspFailed, "withdrew without a grasp".into()),
        };
        let away_m = plan.grasp.way_m();
        let withdrawal = if plan.grasp.comes_down {
            Withdrawal::upwards(ctx, inputs, away_m, 0.9)
        } else {
            Withdrawal::along_fingers(ctx, inputs, away_m, 0.9)
        };
        self.phase = Phase::Release(plan, inputs.now, withdrawal);
        let problem = self.last_problem.as_ref().map_or("", |p| p.1.as_str());
        Progress::Running(format!("letting go: {problem}"))
    }
}

/// Length, width and height for people.
fn size(shape: &OrientedBox) -> String {
    let [x, y, z] = [shape.half.x, shape.half.y, shape.half.z].map(|half| 2.0 * half);
    format!("{x:.2} x {y:.2} x {z:.2} m")
}

/// A length for people.
fn centimetres(metres: f64) -> String {
    format!("{:.0} cm", 100.0 * metres)
}

/// How far up the thing in the hand goes before the arm comes back: over what stands between, where it can.
fn lifted(ctx: &Context, inputs: &Inputs, plan: &Plan, margin_m: f64) -> Posture {
    let now = inputs.posture();
    let least = if plan.grasp.from_above {
        RISES_M[1]
    } else {
        RISES_M[0]
    };
    // Under a board, of which the underside is never seen, no further than it is sure to go.
    let shape = &plan.shape;
    let top = Point3::new(shape.center.x, shape.center.y, shape.top_m());
    let roof = inputs.graph.and_then(|g| roofs::room_above_m(g, &top));
    let least = roof.map_or(least, |room_m| {
        least.min((0.3 * (room_m - BOARD_M)).max(LEAST_RISE_M))
    });
    // Out of a drawer or a bin it goes over the rim.
    let tray = inputs.graph.and_then(|g| trays::around(g, &plan.shape.center));
    let least = tray.map_or(least, |t| {
        least.max(t.shape.top_m() - plan.shape.bottom_m() + OVER_RIM_M)
    });
    let up = |rise: f64| Posture {
        lift_m: ctx.robot.arm[0].clamp(now.lift_m + rise),
        ..now
    };
    let obstacles = Obstacles::near(
        inputs.cloud,
        &inputs.base,
        &[object_region(&plan.shape)],
        Some(Support {
            center: plan.shape.center,
            radius_m: 0.3,
            height_m: plan.shape.bottom_m(),
        }),
        margin_m,
    );
    let payload = Payload {
        hand_from_box: plan.grasp.hand.pose().inverse() * plan.shape.pose(),
        half: plan.shape.half,
    };
    let gripper = inputs.joint(GRIPPER);
    let is_free = |from: &Posture, to: &Posture| {
        obstacles
            .hit_between(&ctx.robot, &ctx.arm, from, to, gripper, Some(&payload))
            .is_none()
    };
    let stretch = Stretch {
        robot: &ctx.robot,
        arm: &ctx.arm,
        obstacles: &obstacles,
        facing: inputs.base,
        gripper,
        payload: Some(&payload),
    };
    let comes_back = |p: &Posture| {
        if plan.grasp.comes_down {
            return is_free(p, &Posture { extend_m: 0.0, ..*p });
        }
        let hand = HandPose::of(&(inputs.base.to_pose3() * ctx.robot.grasp_center(p)));
        stretch
            .check_between(&hand, &hand.drawn_back(plan.grasp.way_m()))
            .is_ok()
    };
    let rises = std::iter::once(least).chain(RISES_M.into_iter().filter(|r| *r > least));
    let free = rises.map(up).find(|p| is_free(&now, p) && comes_back(p));
    free.unwrap_or(up(least))
}

/// How far the base backs off with a thing in the hand: from within furniture until it is all out, before it is turned and
/// raised.
fn back_off_m(inputs: &Inputs, plan: &Plan) -> f64 {
    const LEAST_M: f64 = 0.22;
    const MOST_M: f64 = 0.7;
    const FREE_M: f64 = 0.06;
    let shape = &plan.shape;
    let top = Point3::new(shape.center.x, shape.center.y, shape.top_m());
    let is_roofed = inputs.graph.is_some_and(|g| roofs::is_roofed(g, &top));
    let within = &plan.carrier;
    let is_inside = within.contains(&shape.center, 0.0);
    if plan.grasp.comes_down || !(is_roofed || is_inside) {
        return LEAST_M;
    }
    let (s, c) = inputs.base.yaw_rad.sin_cos();
    let is_within = |p: &Point3| within.contains(&Point3::new(p.x, p.y, within.center.z), 0.0);
    let depth_m = (0..)
        .map(|i| 0.02 * f64::from(i))
        .take_while(|d| *d < MOST_M)
        .find(|d| !is_within(&(shape.center - Vector3::new(c, s, 0.0) * *d)))
        .unwrap_or(MOST_M);
    let needed_m = depth_m + shape.half.xy().norm() + FREE_M;
    (needed_m - inputs.posture().extend_m).clamp(LEAST_M, MOST_M)
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

/// What is around a thing in a drawer or a bin, up to the rim.
fn around_in(tray: &SceneObject, shape: &OrientedBox) -> OrientedBox {
    const AROUND_M: f64 = 0.2;
    let (low, high) = (shape.bottom_m() - 0.05, tray.shape.top_m() + 0.02);
    OrientedBox {
        center: Point3::new(shape.center.x, shape.center.y, 0.5 * (low + high)),
        yaw_rad: tray.shape.yaw_rad,
        half: Vector3::new(AROUND_M, AROUND_M, 0.5 * (high - low)),
    }
}

/// The best grasp that a base at a position can reach without touching anything, not counting those tried already.
fn best_grasp(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    base: (f64, f64),
    tried: &[HandPose],
    (care, margin_m): (Care, f64),
) -> Result<Plan, String> {
    let shape = &object.shape;
    let carrier = approach::carrier(inputs, object);
    let tray = inputs.graph.and_then(|g| trays::around(g, &shape.center));
    let mut ignored = vec![object_region(shape)];
    let shape = &tray.map_or(*shape, |t| trays::reaching_down(t, shape));
    if let Some(tray) = tray.filter(|_| margin_m < 0.0) {
        // Voxels are too coarse for the walls that the fingers go down between.
        ignored.push(around_in(tray, shape));
    }
    let mut grasps = grasp::candidates(&ctx.robot, &ctx.config, shape, base);
    if let Some(tray) = tray {
        for g in &mut grasps {
            g.before = trays::over_rim(tray, &g.before, g.comes_down, ctx.robot.tip_m);
        }
    }
    if grasps.is_empty() {
        return Err(format!("at {} no side fits between the fingers", size(shape)));
    }
    // Into what is open at the top only, the hand comes steeply.
    grasps.retain(|g| tray.is_none_or(|t| trays::clears_rim(t, &g.hand)));
    // From above is no way in under a board.
    let top = Point3::new(shape.center.x, shape.center.y, shape.top_m());
    if tray.is_none() && inputs.graph.is_some_and(|g| roofs::is_roofed(g, &top)) {
        grasps.retain(|g| !g.comes_down);
    }
    if grasps.is_empty() {
        return Err("a hand from above does not go under what is over it".into());
    }
    // What is in the way of the best of them says more than that others are out of range.
    let mut reason: Option<NoReach> = None;
    let mut note = |miss: NoReach| {
        if !matches!(reason, Some(NoReach::Collision(_))) {
            reason = Some(miss);
        }
    };
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
    let thing = Thing {
        pose: shape.pose(),
        half: shape.half,
    };
    // Where voxels leave no room the fingers open no further than they must.
    let rooms =
        &ROOM_M[if margin_m < 0.0 { 1 } else { 0 }..if margin_m < 0.0 || tray.is_some() { 3 } else { 2 }];
    let openings = |grasp: &Grasp| {
        let (width_m, widest_m) = (grasp.width_m, 2.0 * ctx.robot.gripper.upper);
        rooms.iter().map(move |room| (width_m + room).min(widest_m))
    };
    for (grasp, opening_m) in order.iter().flat_map(|(_, g)| openings(g).map(|o| (*g, o))) {
        if ctx.was_stopped(&grasp.hand, opening_m, inputs.now) {
            note(NoReach::Stopped);
            continue;
        }
        if let Some(tray) = tray
            && !trays::is_between_walls(&ctx.robot, tray, &grasp.hand, opening_m)
        {
            note(NoReach::Collision(Contact::Obstacle(
                Member::Hand,
                grasp.hand.position,
            )));
            continue;
        }
        let scene = Scene {
            ignored: &ignored,
            support: Some(Support {
                center: shape.center,
                radius_m: 0.3,
                height_m: shape.bottom_m(),
            }),
            gripper: opening_m * 0.5,
            ..Scene::of(ctx, inputs)
        };
        if care == Care::Untouched
            && !passage::is_clear(&ctx.robot, base, &grasp.hand, &grasp.before, opening_m, &thing)
        {
            note(NoReach::Collision(Contact::Thing));
            continue;
        }
        match reach::plan_within(&scene, base, &grasp.hand, &grasp.before, margin_m) {
            Ok(reach) => {
                return Ok(Plan {
                    grasp: *grasp,
                    reach,
                    shape: *shape,
                    opening_m,
                    carrier,
                });
            }
            Err(miss) => note(miss),
        }
    }
    Err(reason.map_or_else(|| "no grasp fits".into(), |r| r.explain(inputs.graph)))
}

/// Why no place was found.
struct NoPlace {
    why: SkillFailure,
    text: String,
    /// From where more may be seen.
    vantage: Option<Pose2>,
}

/// Places from which some grasp works, best first, and the margin between arm and voxels that they need.
fn find_places(
    ctx: &mut Context,
    inputs: &Inputs,
    object: &SceneObject,
) -> Result<(VecDeque<Pose2>, f64), NoPlace> {
    let name = format!("{} {}", object.class, object.id);
    let no_place = |why: SkillFailure, text: String| NoPlace {
        why,
        text,
        vantage: None,
    };
    if object.presence == Presence::Missing {
        let text = format!("{name} is missing: it was not where it was remembered");
        return Err(no_place(SkillFailure::UnknownObject, text));
    }
    let Some(map) = ctx.map(inputs) else {
        let text = "there is no map of the floor yet".into();
        return Err(no_place(SkillFailure::NoPath, text));
    };
    let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
        let text = "the robot stands outside its map".into();
        return Err(no_place(SkillFailure::NoPath, text));
    };
    let at = object.shape.center;
    let body = approach::carrier(inputs, object);
    let mut found = approach::around_point(&map, &field, &at, &body, &REACH_M, 0.12);
    if found.is_empty() {
        // Between furniture the free floor can be a narrow strip.
        found = approach::around_point(&map, &field, &at, &body, &fine_rings(), 0.02);
    }
    if found.is_empty() {
        let text = format!(
            "no free floor within {:.2} m of {name} at ({:.2}, {:.2}) can be reached",
            REACH_M[REACH_M.len() - 1],
            at.x,
            at.y
        );
        return Err(no_place(SkillFailure::NoPath, text));
    }
    let mut reason = String::new();
    for (care, margin_m) in ways_to_try() {
        let mut places: VecDeque<Pose2> = VecDeque::new();
        for candidate in found.iter().take(MAX_PLACES) {
            if places.iter().any(|p| p.distance_m(&candidate.pose) < 0.2) {
                continue;
            }
            let base = (candidate.pose.x_m, candidate.pose.y_m);
            match best_grasp(ctx, inputs, object, base, &[], (care, margin_m)) {
                Ok(_) => places.push_back(candidate.pose),
                Err(why) => reason = why,
            }
            if places.len() >= 4 {
                break;
            }
        }
        if !places.is_empty() {
            return Ok((places, margin_m));
        }
    }
    let bearing = |p: &Pose2| (p.y_m - at.y).atan2(p.x_m - at.x);
    let here = bearing(&inputs.base);
    let is_elsewhere =
        |p: &Pose2| p.distance_m(&inputs.base) > 0.3 && wrap_angle_rad(bearing(p) - here).abs() > 0.4;
    let vantage = found.iter().find(|c| is_elsewhere(&c.pose)).or(found.first());
    Err(NoPlace {
        why: SkillFailure::OutOfReach,
        text: format!(
            "{name}, {}, at {:.2} m height cannot be grasped from any of {} places: {reason}",
            size(&object.shape),
            at.z,
            found.len().min(MAX_PLACES)
        ),
        vantage: vantage.map(|c| c.pose),
    })
}

/// Distances between base and object for where few places are free, metres.
fn fine_rings() -> Vec<f64> {
    (0..18).map(|i| 0.42 + 0.04 * f64::from(i)).collect()
}
