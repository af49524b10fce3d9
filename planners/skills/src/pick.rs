//! Pick: drive to where the object is in reach, look at it from close by, grasp, lift, check, retreat.

use std::collections::VecDeque;

use steward_core::Time;
use steward_core::geometry::{Point3, Pose2};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, SceneObject, SkillFailure};

use crate::approach::Unfit;
use crate::drive::{Creep, CreepEnd, Drive, Tolerance};
use crate::grasp_plan::{Aim, GraspPlan, Surrounded, best_grasp};
use crate::grip::{Closing, Grip, grip, opening_m};
use crate::handing::{HandState, Handing};
use crate::ik::HandPose;
use crate::lifting::{back_off_m, is_enclosed, lifted};
use crate::look::Gazing;
use crate::machine::{Commands, Context, Held, Inputs, Part, Progress};
use crate::passage::ways_to_try;
use crate::pick_places::find_places;
use crate::posture::{ArmMotion, ArmState, Stow, StowState, fingers};
use crate::reach::Margins;
use crate::robot::{GRIPPER, Posture};
use crate::slide::Slide;
use crate::withdrawal::Withdrawal;

/// How often a thing is turned that cannot be grasped as it lies.
const MAX_TURNS: u32 = 3;
/// How often a grasp is planned again because the thing turned out to be elsewhere while the arm went out.
const MAX_REPLANS: u32 = 2;
/// How far it must be for that, metres.
const SHIFTED_M: f64 = 0.02;
/// How far an object may turn out to be from where it was remembered before places to stand are chosen anew, metres.
const MOVED_M: f64 = 0.1;
/// Speed at which a thing is drawn out from under what is above a drawer, metres per second.
const DRAW_SPEED_M_S: f64 = 0.1;
/// How far from where it should be the hand may be stopped by a touch, metres.
const STOPPED_M: f64 = 0.03;
/// An arm that stays out this far on its way back is caught, metres.
const CAUGHT_M: f64 = 0.08;
/// How far the hand goes up or down, one after the other, to free what it holds, metres.
const WRIGGLES_M: [f64; 3] = [-0.025, 0.05, -0.04];

/// What is held this many times thinner than the thing looked may be something else, a board say, which does not
/// come along. A bottle's neck and the plate of a photo frame do.
const THINNER: f64 = 0.35;

/// The skill.
#[derive(Debug)]
pub struct Pick {
    object: ObjectId,
    phase: Phase,
    places: VecDeque<Pose2>,
    /// With which the places were found.
    margins: Margins,
    attempts: u32,
    /// Grasps that were tried.
    tried: Vec<HandPose>,
    last_problem: Option<(SkillFailure, String)>,
    moved_places: u32,
    replans: u32,
    /// Where the object was when the places were chosen.
    chosen_for: Point3,
    /// Where the base stood and, once there, no grasp was found.
    unfit: Unfit,
    /// Whether places were chosen again, all of those chosen before having turned out unfit.
    chosen_again: bool,
    /// Whether it was looked at anew after no place was found, and whether places were chosen again since.
    second_look: SecondLook,
    aim: Aim,
    /// How often it was to be turned.
    turns: u32,
    /// Why it could not be grasped as it lies, while it is being turned.
    as_it_lies: Option<String>,
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
    Hand(Box<Handing>, GraspPlan),
    CloseFingers(GraspPlan, Closing),
    DrawOut(GraspPlan, Box<Slide>),
    Lift(GraspPlan, ArmMotion),
    Retract(GraspPlan, Withdrawal, Creep),
    Carry(GraspPlan, Stow),
    Release(GraspPlan, Time, Withdrawal),
}

impl Pick {
    /// Picks an object up.
    pub fn new(object: ObjectId) -> Self {
        Pick {
            object,
            phase: Phase::Stow(Stow::new()),
            places: VecDeque::new(),
            margins: Margins::ALL[0],
            attempts: 0,
            tried: Vec::new(),
            last_problem: None,
            moved_places: 0,
            replans: 0,
            chosen_for: Point3::origin(),
            unfit: Unfit::default(),
            chosen_again: false,
            second_look: SecondLook::Due,
            aim: Aim::Take,
            turns: 0,
            as_it_lies: None,
            wriggles: 0,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        match (self.advance(ctx, inputs, out), inputs.object(self.object)) {
            (Progress::Failed(SkillFailure::OutOfReach, text), Some(object)) => {
                self.turn_or_fail(inputs, object, text)
            }
            (progress, _) => progress,
        }
    }

    /// What cannot be grasped as it lies is turned first, where hands come to it from one side only.
    fn turn_or_fail(&mut self, inputs: &Inputs, object: &SceneObject, text: String) -> Progress {
        if let Some(as_it_lies) = self.as_it_lies.take() {
            return Progress::Failed(
                SkillFailure::OutOfReach,
                format!("{as_it_lies}; to turn it, {text}"),
            );
        }
        if self.turns == MAX_TURNS || !Surrounded::of(inputs, object, Aim::Take).is_shut_in() {
            return Progress::Failed(SkillFailure::OutOfReach, text);
        }
        self.aim = Aim::Turn;
        self.turns += 1;
        self.as_it_lies = Some(text);
        self.start_over();
        self.phase = Phase::Stow(Stow::new());
        Progress::Running(format!("going to turn {} {}", object.class, object.id))
    }

    fn advance(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
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
            Phase::Places => match find_places(ctx, inputs, object, self.aim, &self.unfit) {
                Ok((places, margins)) => {
                    self.chosen_for = object.shape.center;
                    self.places = places;
                    self.margins = margins;
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
                let surrounded = Surrounded::of(inputs, object, self.aim);
                let mut planned = Err(String::new());
                for (care, margins) in ways_to_try().filter(|(_, m)| *m <= self.margins) {
                    planned = best_grasp(ctx, inputs, &surrounded, base, &self.tried, (care, margins));
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
                        let how = if self.aim == Aim::Turn {
                            "to turn it"
                        } else if plan.grasp.from_above {
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
                        self.unfit.push(inputs.base);
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
                        // They were chosen by what was known from afar.
                        if self.places.is_empty() && !self.chosen_again {
                            self.chosen_again = true;
                            self.phase = Phase::Places;
                            return Progress::Running(format!("choosing another place to grasp {name} from"));
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
                    // Also where it went no further: how it lies now is seen next.
                    HandState::Arrived if self.aim == Aim::Turn => {
                        self.start_over();
                        self.withdraw(ctx, inputs)
                    }
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
                    let (plan, hand) = (plan.clone(), plan.grasp.hand);
                    if let Some(by) = plan.draw {
                        let slide = Slide::between(&hand, &hand.moved(by), DRAW_SPEED_M_S);
                        self.phase = Phase::DrawOut(plan, Box::new(slide));
                        return Progress::Running(format!("drawing {name} out"));
                    }
                    self.lift(ctx, inputs, plan);
                    Progress::Running(format!("lifting {name}"))
                }
                Grip::Nothing(opening_m) => {
                    self.last_problem = Some((
                        SkillFailure::GraspFailed,
                        format!("the fingers closed to {opening_m:.3} m without holding {name}"),
                    ));
                    self.withdraw(ctx, inputs)
                }
            },
            Phase::DrawOut(plan, slide) => {
                if slide.step(ctx, inputs, out) != Part::Busy {
                    let plan = plan.clone().drawn();
                    self.lift(ctx, inputs, plan);
                }
                Progress::Running(format!("drawing {name} out"))
            }
            Phase::Lift(plan, motion) => match motion.step(&ctx.robot, inputs, out) {
                ArmState::Busy => Progress::Running(format!("lifting {name}")),
                // A board or an edge between the fingers is felt as well as the thing beside it.
                ArmState::Stalled(_) if opening_m(inputs) < THINNER * plan.grasp.width_m => {
                    self.last_problem = Some((
                        SkillFailure::GraspFailed,
                        format!(
                            "the fingers closed to {:.3} m on something that is thinner than {name} and does not move",
                            opening_m(inputs)
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
                    let is_held = creep.end() == Some(CreepEnd::Held) && is_enclosed(inputs, plan);
                    if posture.extend_m > CAUGHT_M || is_held {
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
                        if self.aim == Aim::Turn && self.last_problem.is_none() {
                            self.aim = Aim::Take;
                            self.as_it_lies = None;
                            self.phase = Phase::Gaze(Gazing::at(object.shape.center, ctx), None);
                            return Progress::Running(format!("seeing how {name} lies now"));
                        }
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

    fn lift(&mut self, ctx: &Context, inputs: &Inputs, plan: GraspPlan) {
        let up = lifted(ctx, inputs, &plan, self.margins.way_m);
        self.phase = Phase::Lift(plan, ArmMotion::to(up, 0.7));
    }

    /// Forgets what was chosen by how the thing lay.
    fn start_over(&mut self) {
        self.places.clear();
        self.tried.clear();
        self.unfit = Unfit::default();
        self.chosen_again = false;
        self.moved_places = 0;
        self.last_problem = None;
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

/// A length for people.
fn centimetres(metres: f64) -> String {
    format!("{:.0} cm", 100.0 * metres)
}

fn head_at(ctx: &Context, inputs: &Inputs, out: &mut Commands, object: &SceneObject) {
    crate::head::look_at(ctx, inputs, out, &object.shape.center);
}

fn held(object: ObjectId, plan: &GraspPlan) -> Held {
    let hand = plan.grasp.hand;
    let f = hand.fingers.into_inner();
    Held {
        object,
        half: plan.shape.half,
        pitch_rad: (-f.z).atan2(f.x.hypot(f.y)),
        hand_from_object: hand.pose().inverse() * plan.shape.pose(),
    }
}
