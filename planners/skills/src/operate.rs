//! Open and close: take the handle and lead it along the part's arc or line.

use std::collections::VecDeque;

use steward_core::Time;
use steward_core::geometry::Pose2;
use steward_core::ids::ObjectId;
use steward_core::messages::{ArticulationState, SceneObject, SkillFailure};

use crate::approach::{self, Unfit};
use crate::drive::{Creep, Drive, Tolerance};
use crate::grip::{Closing, Grip};
use crate::handing::{HandState, Handing};
use crate::handle_plan::{APPROACH_M, plan_from};
use crate::ik::HandPose;
use crate::lead::Lead;
use crate::look::Gazing;
use crate::machine::{Commands, Context, Inputs, Part, Progress};
use crate::parts::{HandlePath, turns_upright};
use crate::path::CostField;
use crate::posture::{ArmMotion, ArmState, Stow, StowState, fingers};
use crate::robot::{GRIPPER, Posture};
use crate::slide::Slide;
use crate::widen::Widen;

/// Distances between base and closed handle that are tried, metres.
const REACH_M: [f64; 9] = [0.80, 0.88, 0.72, 0.96, 0.64, 1.04, 0.56, 1.12, 1.20];
/// Opening of the fingers at which a bar is free, metres.
const RELEASED_M: f64 = 0.05;
/// How often a hand that is caught is freed along its fingers.
const MAX_UNHOOKS: u32 = 2;
/// Share of the way that a part that goes no further, or slips out of the fingers, must have come to count as open.
const OPEN_SHARE: f64 = 0.8;
/// What a door is led at least, radians, where it does not count as open afterwards.
const LEAST_LED_RAD: f64 = 0.3;
/// Tries before giving up.
const MAX_TRIES: u32 = 4;

/// The skill.
#[derive(Debug)]
pub struct Operate {
    part: ObjectId,
    opening: bool,
    phase: Phase,
    places: VecDeque<Pose2>,
    tries: u32,
    drives: u32,
    unhooked: u32,
    last_problem: Option<(SkillFailure, String)>,
    /// Where the base stood when a plan made there did not work out.
    unfit: Unfit,
    /// Angles of the hand about the bar with which the part did not come along.
    failed_offsets: Vec<f64>,
    /// Whether it was to be pushed further open.
    widened: bool,
}

/// Where the base is to stand.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Where it is.
    Here,
    /// At one of these places, best first.
    At(VecDeque<Pose2>),
}

/// Speed of the hand onto and off a bar, metres per second: fingers on both sides of a bar must not move sideways.
const SLIDE_SPEED_M_S: f64 = 0.15;

/// Straight onto a bar.
fn onto_bar(hand: &HandPose) -> Slide {
    Slide::between(&hand.backed_off(APPROACH_M), hand, SLIDE_SPEED_M_S)
}

/// Straight off a bar.
fn off_bar(hand: &HandPose) -> Slide {
    Slide::between(hand, &hand.backed_off(APPROACH_M), SLIDE_SPEED_M_S)
}

/// The arm comes back as it is.
fn retreat(inputs: &Inputs) -> Phase {
    let retracted = Posture {
        extend_m: 0.0,
        ..inputs.posture()
    };
    Phase::Retreat(ArmMotion::to(retracted, 0.8))
}

#[derive(Debug)]
enum Phase {
    Stow(Stow),
    Places,
    Drive(Box<Drive>),
    Gaze(Gazing, Option<Time>),
    Plan,
    Hand(Box<Handing>, Lead),
    SlideIn(Box<Slide>, Lead),
    CloseFingers(Lead, Closing),
    Lead(Lead),
    Release(Lead, Time),
    SlideOut(Box<Slide>, f64),
    Retreat(ArmMotion),
    BackOff(Creep),
    FinalStow(Stow),
    Check(Gazing, Option<Time>),
    Widen(Box<Widen>),
}

impl Operate {
    /// Opens a part.
    pub fn open(part: ObjectId) -> Self {
        Operate::new(part, true)
    }

    /// Closes a part.
    pub fn close(part: ObjectId) -> Self {
        Operate::new(part, false)
    }

    fn new(part: ObjectId, opening: bool) -> Self {
        Operate {
            part,
            opening,
            phase: Phase::Stow(Stow::new()),
            places: VecDeque::new(),
            tries: 0,
            drives: 0,
            unhooked: 0,
            last_problem: None,
            unfit: Unfit::default(),
            failed_offsets: Vec::new(),
            widened: false,
        }
    }

    fn verb(&self) -> &'static str {
        if self.opening { "opening" } else { "closing" }
    }

    /// Where the part is to end up, best first. Parts count as open from 0.8 of what is asked for; the further a door
    /// is opened, the harder it is to get to its handle again; one that can be led a part of the way only is pushed from
    /// there. Drawers are pulled until they stop, since what lies at the
    /// back is under the furniture's top until then.
    fn goals(&self, a: &ArticulationState) -> Vec<f64> {
        match (self.opening, a.prismatic) {
            (true, true) => [1.25, 1.1, 0.96, 0.86].map(|f| f * a.open_at).to_vec(),
            // Upright, or it leans into the way of what is put in under it.
            (true, false) if !turns_upright(a) => [1.05, 0.96, 0.86, 0.82].map(|f| f * a.open_at).to_vec(),
            (true, false) => {
                let ajar = a.position.unwrap_or(0.0) + LEAST_LED_RAD;
                let goals = [0.96, 0.92, 0.86, 0.82, 0.6, 0.45].map(|f| f * a.open_at);
                let is_further = |goal: &f64| *goal > ajar || *goal > OPEN_SHARE * a.open_at;
                goals.into_iter().filter(is_further).collect()
            }
            (false, true) => vec![-0.01, 0.0, 0.01, 0.02],
            (false, false) => vec![-0.015, 0.0, 0.04, 0.08],
        }
    }

    fn achieved(&self, a: &ArticulationState) -> Option<bool> {
        if self.opening { a.is_open() } else { a.is_closed() }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        let Some(object) = inputs.object(self.part) else {
            return Progress::Failed(
                SkillFailure::UnknownObject,
                format!("{} is not in memory", self.part),
            );
        };
        let name = format!("{} {}", object.class, object.id);
        let Some(a) = object.articulation else {
            return Progress::Failed(SkillFailure::Precondition, format!("{name} is not known to move"));
        };
        if ctx.held.is_some() {
            return Progress::Failed(
                SkillFailure::Precondition,
                format!("{} {name} takes an empty hand", self.verb()),
            );
        }
        let doing = format!("{} {name}", self.verb());
        match &mut self.phase {
            Phase::Stow(stow) => {
                if stow.step(ctx, inputs, out) != StowState::Busy {
                    self.phase = Phase::Places;
                }
                Progress::Running("stowing the arm".into())
            }
            Phase::Places => {
                if self.achieved(&a) == Some(true) && self.tries == 0 {
                    let state = if self.opening { "open" } else { "closed" };
                    return Progress::Done(format!("{name} is {state} already"));
                }
                match self.find_places(ctx, inputs, object, &a) {
                    Ok(Standing::Here) => {
                        self.phase =
                            Phase::Gaze(Gazing::at(a.handle.unwrap_or(object.shape.center), ctx), None);
                        Progress::Running(format!("looking at {name}"))
                    }
                    Ok(Standing::At(places)) => {
                        self.places = places;
                        self.next_place()
                    }
                    Err((why, text)) => match self.widen(ctx, inputs, object) {
                        Some(progress) => progress,
                        None => Progress::Failed(why, text),
                    },
                }
            }
            Phase::Drive(drive) => match drive.step(ctx, inputs, out) {
                Part::Busy => {
                    Progress::Running(format!("driving to {name}, {:.1} m to go", drive.remaining_m()))
                }
                Part::Finished => {
                    let point = a.handle.unwrap_or(object.shape.center);
                    self.phase = Phase::Gaze(Gazing::at(point, ctx), None);
                    Progress::Running(format!("looking at {name}"))
                }
                Part::Failed(why, text) => {
                    self.last_problem = Some((why, text));
                    self.next_place()
                }
            },
            Phase::Gaze(gazing, done) => {
                if gazing.step(ctx, inputs, out, false) != Part::Busy {
                    let done = *done.get_or_insert(inputs.now);
                    let fresh = object.last_seen >= gazing.steady_since().unwrap_or(inputs.now);
                    if fresh || (inputs.now - done).secs_f64() > 1.5 {
                        self.phase = Phase::Plan;
                    }
                }
                Progress::Running(format!("looking at {name}"))
            }
            Phase::Plan => {
                if let Some(handle) = a.handle {
                    crate::head::look_at(ctx, inputs, out, &handle);
                }
                let base = (inputs.base.x_m, inputs.base.y_m);
                let planned = self
                    .goals(&a)
                    .into_iter()
                    .map(|goal| {
                        plan_from(ctx, inputs, object, &a, goal, base, &self.failed_offsets)
                            .map(|(p, y)| (p, y, goal))
                    })
                    .reduce(|first, next| first.or(next))
                    .unwrap_or(Err(String::new()));
                match planned {
                    Ok((path, yaw, goal)) => {
                        let start = a.position.unwrap_or(0.0);
                        let before = path.hand_at(start).backed_off(APPROACH_M);
                        let handing = Handing::new(before, before, yaw, 0.6);
                        let lead = Lead::new(path, start, goal);
                        self.phase = Phase::Hand(Box::new(handing), lead);
                        Progress::Running(doing)
                    }
                    Err(why) => {
                        self.unfit.push(inputs.base);
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("the handle of {name} cannot be led from here: {why}"),
                        ));
                        // They were chosen by what was known from afar.
                        if self.places.is_empty() {
                            self.phase = Phase::Places;
                            return Progress::Running(format!("choosing another place to reach {name} from"));
                        }
                        self.next_place()
                    }
                }
            }
            Phase::Hand(handing, lead) => {
                fingers(&ctx.robot, out, lead.path.opening_m(), 1.0);
                match handing.step(ctx, inputs, out) {
                    HandState::Busy(what) => Progress::Running(format!("{doing}: {what}")),
                    HandState::Arrived => {
                        let slide = onto_bar(&lead.path.hand_at(lead.at));
                        self.phase = Phase::SlideIn(Box::new(slide), lead.clone());
                        Progress::Running(format!("{doing}: approaching the handle"))
                    }
                    HandState::Failed(miss) => {
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("the handle of {name} is {miss}"),
                        ));
                        self.unfit.push(inputs.base);
                        self.tries += 1;
                        if !handing.is_out() || self.tries >= MAX_TRIES {
                            return self.next_place();
                        }
                        // Something nobody sees is in the way from here.
                        self.drives = 0;
                        self.phase = Phase::Stow(Stow::new());
                        Progress::Running(format!("{doing}: trying again from elsewhere"))
                    }
                }
            }
            Phase::SlideIn(slide, lead) => {
                fingers(&ctx.robot, out, lead.path.opening_m(), 1.0);
                if slide.step(ctx, inputs, out) != Part::Busy {
                    self.phase = Phase::CloseFingers(lead.clone(), Closing::new());
                }
                Progress::Running(format!("{doing}: approaching the handle"))
            }
            Phase::CloseFingers(lead, closing) => {
                match closing.step(ctx, inputs, out) {
                    Grip::Closing => {}
                    Grip::Holding => {
                        let hand = inputs.hand(&ctx.robot);
                        let path = lead.path.taken_at(&hand.translation.vector.into(), lead.at);
                        self.phase = Phase::Lead(Lead::new(path, lead.at, lead.goal));
                    }
                    Grip::Nothing(opening) => {
                        self.last_problem = Some((
                            SkillFailure::GraspFailed,
                            format!("the fingers closed to {opening:.3} m without the handle of {name}"),
                        ));
                        self.failed_offsets.push(lead.path.offset_rad());
                        self.phase = Phase::Release(lead.clone(), inputs.now);
                    }
                }
                Progress::Running(format!("{doing}: taking the handle"))
            }
            Phase::Lead(lead) => {
                let at = lead.at;
                match lead.step(ctx, inputs, out) {
                    Part::Busy => {}
                    Part::Finished => {
                        self.last_problem = None;
                        self.phase = Phase::Release(lead.clone(), inputs.now);
                    }
                    // As far as that counts as open: at its end, or out of the fingers.
                    Part::Failed(SkillFailure::GraspFailed | SkillFailure::Stuck, _)
                        if self.opening && at >= OPEN_SHARE * a.open_at =>
                    {
                        self.last_problem = None;
                        self.phase = Phase::Release(lead.clone(), inputs.now);
                    }
                    Part::Failed(why, text) => {
                        self.last_problem = Some((why, format!("{doing}: {text}")));
                        if why == SkillFailure::Stuck {
                            self.failed_offsets.push(lead.path.offset_rad());
                        }
                        self.phase = Phase::Release(lead.clone(), inputs.now);
                    }
                }
                let unit = if a.prismatic { "m" } else { "rad" };
                Progress::Running(format!("{doing}: at {at:.2} {unit}"))
            }
            Phase::Release(lead, since) => {
                fingers(&ctx.robot, out, lead.path.opening_m(), 1.0);
                let open = inputs.contacts.is_some_and(|c| c.opening_m > RELEASED_M);
                if open || (inputs.now - *since).secs_f64() > 0.9 {
                    let slide = off_bar(&lead.path.hand_at(lead.at));
                    self.phase = Phase::SlideOut(Box::new(slide), lead.path.opening_m());
                }
                Progress::Running(format!("{doing}: letting go"))
            }
            Phase::SlideOut(slide, opening_m) => {
                fingers(&ctx.robot, out, *opening_m, 1.0);
                if slide.step(ctx, inputs, out) != Part::Busy {
                    self.phase = retreat(inputs);
                }
                Progress::Running(format!("{doing}: letting go"))
            }
            Phase::Retreat(motion) => {
                let state = motion.step(&ctx.robot, inputs, out);
                match state {
                    ArmState::Busy => {}
                    // A finger is caught behind the bar.
                    ArmState::Stalled(_) if self.unhooked < MAX_UNHOOKS => {
                        self.unhooked += 1;
                        let pose = inputs.hand(&ctx.robot);
                        let opening_m = 2.0 * inputs.joint(GRIPPER);
                        self.phase = Phase::SlideOut(Box::new(off_bar(&HandPose::of(&pose))), opening_m);
                    }
                    _ => self.phase = Phase::BackOff(Creep::by(-0.12, 0.2)),
                }
                Progress::Running(format!("{doing}: withdrawing the arm"))
            }
            Phase::BackOff(creep) => {
                if creep.step(ctx, inputs, out) != Part::Busy {
                    self.phase = Phase::FinalStow(Stow::new());
                }
                Progress::Running(format!("{doing}: backing off"))
            }
            Phase::FinalStow(stow) => {
                crate::head::look_at(ctx, inputs, out, &object.shape.center);
                if stow.step(ctx, inputs, out) != StowState::Busy {
                    let point = a.handle.unwrap_or(object.shape.center);
                    self.phase = Phase::Check(Gazing::at(point, ctx), None);
                }
                Progress::Running(format!("{doing}: stowing the arm"))
            }
            Phase::Widen(widen) => {
                if widen.step(ctx, inputs, out, object) != Part::Busy {
                    self.phase = retreat(inputs);
                }
                Progress::Running(format!("{doing}: pushing it further open"))
            }
            Phase::Check(gazing, done) => {
                if gazing.step(ctx, inputs, out, true) == Part::Busy {
                    return Progress::Running(format!("{doing}: looking at the result"));
                }
                let done = *done.get_or_insert(inputs.now);
                let waited = (inputs.now - done).secs_f64();
                let fresh = object.last_seen >= gazing.steady_since().unwrap_or(inputs.now);
                let achieved = self.achieved(&a);
                let is_open = achieved == Some(true) || self.last_problem.is_none();
                if is_open
                    && (fresh || waited > 1.5)
                    && let Some(progress) = self.widen(ctx, inputs, object)
                {
                    return progress;
                }
                if achieved == Some(true) && (fresh || waited > 1.5) {
                    return Progress::Done(format!("{doing}: done"));
                }
                if !fresh && waited < 1.5 {
                    return Progress::Running(format!("{doing}: looking at the result"));
                }
                // What the hand did is better known than what a camera sees of a part past its edge.
                if self.last_problem.is_none() {
                    return Progress::Done(format!("{doing}: led the handle all the way"));
                }
                self.tries += 1;
                if self.tries >= MAX_TRIES {
                    let text = format!(
                        "{name} is at {:.2} and not at {:.2} after {} tries",
                        a.position.unwrap_or(f64::NAN),
                        if self.opening { OPEN_SHARE * a.open_at } else { 0.0 },
                        self.tries
                    );
                    return match self.last_problem.take() {
                        Some((why, problem)) => Progress::Failed(why, format!("{text}; {problem}")),
                        None => Progress::Failed(SkillFailure::Stuck, text),
                    };
                }
                self.drives = 0;
                self.phase = Phase::Places;
                let problem = self.last_problem.as_ref().map_or("", |p| p.1.as_str());
                Progress::Running(format!("trying again: {problem}"))
            }
        }
    }

    /// Goes to push a door further open, once, where that is needed and can be done.
    fn widen(&mut self, ctx: &mut Context, inputs: &Inputs, object: &SceneObject) -> Option<Progress> {
        if !self.opening || std::mem::replace(&mut self.widened, true) {
            return None;
        }
        let widen = Widen::plan(ctx, inputs, object)?;
        self.phase = Phase::Widen(Box::new(widen));
        Some(Progress::Running(format!(
            "going to push {} further open",
            object.class
        )))
    }

    fn next_place(&mut self) -> Progress {
        self.drives += 1;
        match self.places.pop_front() {
            Some(place) if self.drives <= 4 => {
                self.phase = Phase::Drive(Box::new(Drive::to(place, Tolerance::NEAR)));
                Progress::Running("driving to where the handle is in reach".into())
            }
            _ => {
                let (why, text) = self.last_problem.clone().unwrap_or((
                    SkillFailure::OutOfReach,
                    "no place from which the handle can be led".into(),
                ));
                Progress::Failed(why, text)
            }
        }
    }

    /// Where to stand to lead the part's handle all the way.
    pub(crate) fn find_places(
        &self,
        ctx: &mut Context,
        inputs: &Inputs,
        object: &SceneObject,
        a: &ArticulationState,
    ) -> Result<Standing, (SkillFailure, String)> {
        let name = format!("{} {}", object.class, object.id);
        let Some(path) = HandlePath::new(a) else {
            return Err((
                SkillFailure::Precondition,
                format!("the handle or axis of {name} has not been seen yet"),
            ));
        };
        let Some(map) = ctx.map(inputs) else {
            return Err((SkillFailure::NoPath, "there is no map of the floor yet".into()));
        };
        let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
            return Err((SkillFailure::NoPath, "the robot stands outside its map".into()));
        };
        let goals = self.goals(a);
        let here = (inputs.base.x_m, inputs.base.y_m);
        if !self.unfit.covers(&inputs.base)
            && plan_from(ctx, inputs, object, a, goals[0], here, &self.failed_offsets).is_ok()
        {
            return Ok(Standing::Here);
        }
        let start = a.position.unwrap_or(0.0);
        let middle = path.handle_at(0.5 * (start + goals[0]));
        let found = approach::around_point(&map, &field, &middle, &object.shape, &REACH_M, 0.05);
        if found.is_empty() {
            return Err((
                SkillFailure::NoPath,
                format!(
                    "no free floor within {:.2} m of the handle of {name} can be reached",
                    REACH_M[REACH_M.len() - 1]
                ),
            ));
        }
        let mut places: VecDeque<Pose2> = VecDeque::new();
        let mut reason = String::new();
        for goal in goals {
            for candidate in found.iter().take(160) {
                let pose = candidate.pose;
                if places.iter().any(|p| p.distance_m(&pose) < 0.2) || self.unfit.covers(&pose) {
                    continue;
                }
                match plan_from(
                    ctx,
                    inputs,
                    object,
                    a,
                    goal,
                    (pose.x_m, pose.y_m),
                    &self.failed_offsets,
                ) {
                    Ok((_, yaw_rad)) => places.push_back(Pose2 { yaw_rad, ..pose }),
                    Err(why) => reason = why,
                }
                if places.len() >= 3 {
                    break;
                }
            }
            if !places.is_empty() {
                break;
            }
        }
        if places.is_empty() {
            return Err((
                SkillFailure::OutOfReach,
                format!(
                    "the handle of {name} at {:.2} m height cannot be led from any of {} places: {reason}",
                    middle.z,
                    found.len().min(160)
                ),
            ));
        }
        Ok(Standing::At(places))
    }
}
