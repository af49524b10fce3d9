//! Open and close: take the handle and lead it along the part's arc or line.

use std::collections::VecDeque;

use steward_core::Time;
use steward_core::geometry::{OrientedBox, Pose2, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{ArticulationState, SceneObject, SkillFailure};

use crate::approach;
use crate::collision::Obstacles;
use crate::drive::{Creep, Drive, Smoother, Tolerance};
use crate::handing::{HandState, Handing};
use crate::ik::{self, HandPose, Miss};
use crate::look::Gazing;
use crate::machine::{Commands, Context, Inputs, Part, Progress};
use crate::parts::HandlePath;
use crate::path::CostField;
use crate::pick::{Closing, Grip};
use crate::posture::{ArmMotion, ArmState, Stow, StowState, fingers};
use crate::reach::{self, NoReach, Scene};
use crate::robot::{ARM, Posture, Robot};

/// Distances between base and closed handle that are tried, metres.
const REACH_M: [f64; 8] = [0.80, 0.72, 0.88, 0.64, 0.96, 1.04, 0.56, 1.10];
/// How quickly a handle is led, metres per second.
const LEAD_SPEED_M_S: f64 = 0.18;
/// Distance between where the hand is and should be at which the leading waits, and at which it counts as stuck.
const WAIT_ERROR_M: f64 = 0.03;
/// How long the hand may lag behind, seconds.
const STUCK_S: f64 = 2.5;
/// Opening of the fingers on the way to a bar, metres.
const OPENING_M: f64 = 0.09;
/// Length of the straight way to a bar and off it, metres.
const APPROACH_M: f64 = 0.12;
/// Speed on it, metres per second.
const SLIDE_SPEED_M_S: f64 = 0.15;
/// Opening of the fingers at which a bar is free, metres.
const RELEASED_M: f64 = 0.06;
/// How often a hand that is caught is freed along its fingers.
const MAX_UNHOOKS: u32 = 2;
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
    failed_at: Vec<Pose2>,
}

/// Where the base is to stand.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Where it is.
    Here,
    /// At one of these places, best first.
    At(VecDeque<Pose2>),
}

/// Places closer than this are the same for the arm, metres.
const SAME_PLACE_M: f64 = 0.08;

#[derive(Debug)]
enum Phase {
    Stow(Stow),
    Places,
    Drive(Box<Drive>),
    Gaze(Gazing, Option<Time>),
    Plan,
    Hand(Box<Handing>, Lead),
    SlideIn(Slide, Lead),
    CloseFingers(Lead, Closing),
    Lead(Lead),
    Release(Lead, Time),
    SlideOut(Slide),
    Retreat(ArmMotion),
    BackOff(Creep),
    FinalStow(Stow),
    Check(Gazing, Option<Time>),
}

/// Leading a handle along its way.
#[derive(Debug, Clone)]
struct Lead {
    path: HandlePath,
    at: f64,
    goal: f64,
    radius_m: f64,
    last: Option<Time>,
    good_at: Option<Time>,
    /// Position at the last mark of progress, and when that was.
    mark: Option<(f64, Time)>,
    follower: Follower,
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
            failed_at: Vec::new(),
        }
    }

    fn verb(&self) -> &'static str {
        if self.opening { "opening" } else { "closing" }
    }

    /// Where the part is to end up, best first. Parts count as open from 0.8 of what is asked for; the further a door
    /// is opened, the harder it is to get to its handle again.
    fn goals(&self, a: &ArticulationState) -> [f64; 3] {
        if self.opening {
            [0.96, 0.92, 0.86].map(|f| f * a.open_at)
        } else if a.prismatic {
            [-0.01, 0.0, 0.02]
        } else {
            [-0.015, 0.0, 0.08]
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
                    Err((why, text)) => Progress::Failed(why, text),
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
                    .map(|goal| plan_from(ctx, inputs, object, &a, goal, base).map(|(p, y)| (p, y, goal)))
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
                        self.failed_at.push(inputs.base);
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("the handle of {name} cannot be led from here: {why}"),
                        ));
                        self.next_place()
                    }
                }
            }
            Phase::Hand(handing, lead) => {
                fingers(&ctx.robot, out, OPENING_M, 1.0);
                match handing.step(ctx, inputs, out) {
                    HandState::Busy(what) => Progress::Running(format!("{doing}: {what}")),
                    HandState::Arrived => {
                        let slide = Slide::to_bar(&lead.path.hand_at(lead.at));
                        self.phase = Phase::SlideIn(slide, lead.clone());
                        Progress::Running(format!("{doing}: approaching the handle"))
                    }
                    HandState::Failed(miss) => {
                        self.last_problem = Some((
                            SkillFailure::OutOfReach,
                            format!("the handle of {name} is {miss}"),
                        ));
                        self.next_place()
                    }
                }
            }
            Phase::SlideIn(slide, lead) => {
                fingers(&ctx.robot, out, OPENING_M, 1.0);
                if slide.step(ctx, inputs, out) != Part::Busy {
                    self.phase = Phase::CloseFingers(lead.clone(), Closing::new());
                }
                Progress::Running(format!("{doing}: approaching the handle"))
            }
            Phase::CloseFingers(lead, closing) => {
                match closing.step(ctx, inputs, out) {
                    Grip::Closing => {}
                    Grip::Holding => {
                        let hand = inputs.base.to_pose3() * ctx.robot.grasp_center(&inputs.posture());
                        let path = lead.path.taken_at(&hand.translation.vector.into(), lead.at);
                        self.phase = Phase::Lead(Lead::new(path, lead.at, lead.goal));
                    }
                    Grip::Nothing(opening) => {
                        self.last_problem = Some((
                            SkillFailure::GraspFailed,
                            format!("the fingers closed to {opening:.3} m without the handle of {name}"),
                        ));
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
                    Part::Failed(why, text) => {
                        self.last_problem = Some((why, format!("{doing}: {text}")));
                        self.phase = Phase::Release(lead.clone(), inputs.now);
                    }
                }
                let unit = if a.prismatic { "m" } else { "rad" };
                Progress::Running(format!("{doing}: at {at:.2} {unit}"))
            }
            Phase::Release(lead, since) => {
                fingers(&ctx.robot, out, OPENING_M, 1.0);
                let open = inputs.contacts.is_some_and(|c| c.opening_m > RELEASED_M);
                if open || (inputs.now - *since).secs_f64() > 0.9 {
                    self.phase = Phase::SlideOut(Slide::off_bar(&lead.path.hand_at(lead.at)));
                }
                Progress::Running(format!("{doing}: letting go"))
            }
            Phase::SlideOut(slide) => {
                fingers(&ctx.robot, out, OPENING_M, 1.0);
                if slide.step(ctx, inputs, out) != Part::Busy {
                    let retracted = Posture {
                        extend_m: 0.0,
                        ..inputs.posture()
                    };
                    self.phase = Phase::Retreat(ArmMotion::to(retracted, 0.8));
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
                        let pose = inputs.base.to_pose3() * ctx.robot.grasp_center(&inputs.posture());
                        self.phase = Phase::SlideOut(Slide::off_bar(&HandPose::of(&pose)));
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
            Phase::Check(gazing, done) => {
                if gazing.step(ctx, inputs, out, true) == Part::Busy {
                    return Progress::Running(format!("{doing}: looking at the result"));
                }
                let done = *done.get_or_insert(inputs.now);
                let waited = (inputs.now - done).secs_f64();
                let fresh = object.last_seen >= gazing.steady_since().unwrap_or(inputs.now);
                let achieved = self.achieved(&a);
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
                        self.goals(&a)[0].max(0.0),
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
        let failed_here = self
            .failed_at
            .iter()
            .any(|p| p.distance_m(&inputs.base) < SAME_PLACE_M);
        if !failed_here && plan_from(ctx, inputs, object, a, goals[0], here).is_ok() {
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
                    REACH_M[7]
                ),
            ));
        }
        let mut places: VecDeque<Pose2> = VecDeque::new();
        let mut reason = String::new();
        for goal in goals {
            for candidate in found.iter().take(160) {
                let pose = candidate.pose;
                let near = |p: &Pose2, distance_m: f64| p.distance_m(&pose) < distance_m;
                if places.iter().any(|p| near(p, 0.2)) || self.failed_at.iter().any(|p| near(p, SAME_PLACE_M))
                {
                    continue;
                }
                match plan_from(ctx, inputs, object, a, goal, (pose.x_m, pose.y_m)) {
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

/// A use of the hand's freedom about the bar with which a base at a position can lead the handle all the way, and
/// the base's heading at the start.
fn plan_from(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    a: &ArticulationState,
    goal: f64,
    base: (f64, f64),
) -> Result<(HandlePath, f64), String> {
    let path = HandlePath::new(a).ok_or("its handle has not been seen")?;
    let start = a.position.unwrap_or(0.0);
    if swept_by_part(ctx, &path, object, base, start, goal) {
        return Err("the part would swing into the base".into());
    }
    let mut reason = String::from("no posture of the hand fits");
    // Straight onto the bar is the surest grasp.
    for offset in [0.0, 0.3, -0.3, 0.55, -0.55] {
        for follow in [1.0, 0.75, 0.5, 0.25] {
            let path = path.with(follow, offset);
            match leads(ctx, inputs, object, &path, start, goal, base) {
                Ok(yaw) => return Ok((path, yaw)),
                Err(why) => reason = why,
            }
            if a.prismatic {
                break;
            }
        }
    }
    Err(reason)
}

/// Whether a base at a position has all of the handle's way in reach; the heading at the start.
fn leads(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    path: &HandlePath,
    start: f64,
    goal: f64,
    base: (f64, f64),
) -> Result<f64, String> {
    const SAMPLES: usize = 12;
    for i in 0..=SAMPLES {
        let at = start + (goal - start) * i as f64 / SAMPLES as f64;
        let hand = path.hand_at(at);
        let solution =
            ik::solve(&ctx.robot, base, &hand).map_err(|miss| format!("at {at:.2} the handle is {miss}"))?;
        // A hand that points back at the arm cannot pull.
        if solution.posture.yaw_rad.abs() > 1.5 {
            return Err(format!(
                "at {at:.2} the wrist would be turned by {:.0}°",
                solution.posture.yaw_rad.to_degrees()
            ));
        }
        if arm_meets_part(&ctx.robot, path, &hand, at, base) {
            return Err(format!("at {at:.2} the part would be in the arm's way"));
        }
        if i == SAMPLES {
            let back = hand.backed_off(0.08);
            ik::solve(&ctx.robot, base, &back).map_err(|miss| format!("letting go, the hand is {miss}"))?;
        }
    }
    let hand = path.hand_at(start);
    let ignored = [
        OrientedBox {
            half: object.shape.half.add_scalar(0.06),
            ..object.shape
        },
        OrientedBox {
            center: hand.position,
            yaw_rad: 0.0,
            half: Vector3::repeat(0.13),
        },
    ];
    let scene = Scene {
        robot: &ctx.robot,
        arm: &ctx.arm,
        config: &ctx.config,
        cloud: inputs.cloud,
        ignored: &ignored,
        support: None,
        payload: None,
        gripper: OPENING_M * 0.5,
    };
    let before = hand.backed_off(APPROACH_M);
    let planned =
        reach::plan(&scene, base, &hand, &hand).and_then(|_| reach::plan(&scene, base, &before, &before));
    match planned {
        Ok(reach) => {
            if let Some(at) = blocked_on_the_way(ctx, inputs, &ignored[0], path, start, goal, base) {
                return Err(format!("at {at:.2} something is in the arm's way"));
            }
            Ok(reach.end.base_yaw_rad)
        }
        Err(NoReach::Range(miss)) => Err(format!("the handle is {miss}")),
        Err(NoReach::Collision) => Err("something is in the arm's way".into()),
    }
}

/// Room between the arm's middle line and a door's face, metres.
const ARM_TO_PART_M: f64 = 0.07;

/// Whether the arm, seen from above, comes too near to the panel of a part that turns about the vertical.
fn arm_meets_part(robot: &Robot, path: &HandlePath, hand: &HandPose, at: f64, base: (f64, f64)) -> bool {
    let Some(pivot) = path.upright_pivot() else {
        return false;
    };
    let inward = path.with(1.0, 0.0).hand_at(at).fingers.into_inner();
    if inward.dot(&hand.fingers) < 0.64 {
        return true;
    }
    let handle = path.handle_at(at) + inward * 0.05;
    let panel = (handle - pivot).xy();
    let length = panel.norm().max(1e-6);
    let end = pivot.xy() + panel * ((length + 0.06) / length);
    let wrist = hand.position - hand.fingers.into_inner() * (robot.pitch_grasp_m + robot.yaw_pitch_m);
    // Sampling the arm is as good as an exact distance between segments at this scale.
    (0..=20).any(|i| {
        let t = f64::from(i) / 20.0;
        let p = nalgebra::Point2::new(base.0 + t * (wrist.x - base.0), base.1 + t * (wrist.y - base.1));
        let along = ((p - pivot.xy()).dot(&panel) / (length * (length + 0.06))).clamp(0.0, 1.0);
        (p - (pivot.xy() + (end - pivot.xy()) * along)).norm() < ARM_TO_PART_M
    })
}

/// The first position of the part at which the arm touches something other than the part while leading it.
fn blocked_on_the_way(
    ctx: &Context,
    inputs: &Inputs,
    part_region: &OrientedBox,
    path: &HandlePath,
    start: f64,
    goal: f64,
    base: (f64, f64),
) -> Option<f64> {
    const CHECKS: usize = 5;
    (1..=CHECKS)
        .map(|i| start + (goal - start) * i as f64 / CHECKS as f64)
        .find(|at| {
            let hand = path.hand_at(*at);
            let Ok(solution) = ik::solve(&ctx.robot, base, &hand) else {
                return true;
            };
            // The hand works right at the furniture, whose voxels are too coarse for it.
            let around_hand = OrientedBox {
                center: hand.position,
                yaw_rad: 0.0,
                half: Vector3::repeat(0.13),
            };
            let facing = Pose2::new(base.0, base.1, solution.base_yaw_rad);
            Obstacles::near(
                inputs.cloud,
                &facing,
                &[*part_region, around_hand],
                None,
                ctx.config.arm_margin_m,
            )
            .hit(&ctx.robot, &ctx.arm, &solution.posture, 0.01, None)
        })
}

/// Whether a part that turns about the vertical passes over the base.
fn swept_by_part(
    ctx: &Context,
    path: &HandlePath,
    object: &SceneObject,
    base: (f64, f64),
    start: f64,
    goal: f64,
) -> bool {
    let Some(pivot) = path.upright_pivot() else {
        return false;
    };
    let keep = ctx.config.footprint_radius_m + 0.05;
    // From the floor up to the mast's top the robot is where its base is.
    if object.shape.bottom_m() > 1.6 {
        return false;
    }
    (0..=12).any(|i| {
        let at = start + (goal - start) * f64::from(i) / 12.0;
        let handle = path.handle_at(at);
        let (dx, dy) = (handle.x - pivot.x, handle.y - pivot.y);
        let length = dx.hypot(dy).max(1e-6);
        // The part reaches a little beyond its handle.
        let end = (length + 0.08) / length;
        let t = (((base.0 - pivot.x) * dx + (base.1 - pivot.y) * dy) / (length * length)).clamp(0.0, end);
        let (ex, ey) = (base.0 - pivot.x - t * dx, base.1 - pivot.y - t * dy);
        ex.hypot(ey) < keep
    })
}

impl Lead {
    fn new(path: HandlePath, start: f64, goal: f64) -> Self {
        let (a, b) = (path.handle_at(start), path.handle_at(start + 0.1));
        Lead {
            path,
            at: start,
            goal,
            // Metres of handle motion per unit of the part's position.
            radius_m: ((b - a).norm() / 0.1).max(0.05),
            last: None,
            good_at: None,
            mark: None,
            follower: Follower::default(),
        }
    }

    fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let dt = self
            .last
            .map_or(0.0, |t| (inputs.now - t).secs_f64().clamp(0.0, 0.1));
        self.last = Some(inputs.now);
        fingers(&ctx.robot, out, 0.0, 0.6);
        let hand = self.path.hand_at(self.at);
        let error = hand_error_m(&ctx.robot, inputs, &hand);
        if error < WAIT_ERROR_M {
            self.good_at = Some(inputs.now);
        }
        let good_at = *self.good_at.get_or_insert(inputs.now);
        let near_end = (self.goal - self.at).abs() * self.radius_m < 0.003;
        let (mark, marked) = *self.mark.get_or_insert((self.at, inputs.now));
        if (self.at - mark).abs() * self.radius_m > 0.02 {
            self.mark = Some((self.at, inputs.now));
        }
        let halted = !near_end && (inputs.now - marked).secs_f64() > 1.5 * STUCK_S;
        if halted || (inputs.now - good_at).secs_f64() > STUCK_S {
            return Part::Failed(
                SkillFailure::Stuck,
                format!("it stopped at {:.2}, the hand {error:.2} m behind", self.at),
            );
        }
        let empty = inputs
            .contacts
            .is_some_and(|c| !c.left && !c.right && c.opening_m < 0.006);
        if empty {
            return Part::Failed(
                SkillFailure::GraspFailed,
                format!("the handle slipped out of the fingers at {:.2}", self.at),
            );
        }
        let left = self.goal - self.at;
        if near_end && (error < 0.015 || (inputs.now - good_at).secs_f64() > 0.6) {
            return Part::Finished;
        }
        let step = LEAD_SPEED_M_S * ease(error) * dt / self.radius_m;
        self.at += left.clamp(-step, step);
        let hand = self.path.hand_at(self.at);
        if self.follower.bring(ctx, inputs, &hand, out).is_err() {
            return Part::Failed(
                SkillFailure::Stuck,
                format!("at {:.2} it went out of reach", self.at),
            );
        }
        Part::Busy
    }
}

/// Share of the full speed at which the hand is led while it is off by an error, so that it can catch up.
fn ease(error_m: f64) -> f64 {
    (1.5 * (1.0 - error_m / WAIT_ERROR_M)).clamp(0.0, 1.0)
}

/// Moves arm and base heading so that the hand follows a pose.
#[derive(Debug, Clone, Default)]
struct Follower {
    smoother: Smoother,
    /// Heading asked for in the last control period.
    heading: Option<(f64, Time)>,
}

impl Follower {
    /// Brings the hand to a pose close to where it is. Whether that is in reach.
    fn bring(
        &mut self,
        ctx: &Context,
        inputs: &Inputs,
        hand: &HandPose,
        out: &mut Commands,
    ) -> Result<(), Miss> {
        let solution = ik::solve(&ctx.robot, (inputs.base.x_m, inputs.base.y_m), hand)?;
        let posture = ik::solve_facing(&ctx.robot, &inputs.base, hand).unwrap_or(solution.posture);
        for (i, (name, q)) in ARM.iter().zip(posture.to_array()).enumerate() {
            out.joint(name, ctx.robot.arm[i].clamp(q), ctx.robot.arm[i].velocity);
        }
        // What the heading lags behind, the hand is off sideways, so its rate is commanded, too.
        let heading = solution.base_yaw_rad;
        let rate = self.heading.map_or(0.0, |(before, at)| {
            wrap_angle_rad(heading - before) / (inputs.now - at).secs_f64().max(0.01)
        });
        self.heading = Some((heading, inputs.now));
        let turn = wrap_angle_rad(heading - inputs.base.yaw_rad);
        let w = if turn.abs() < 0.003 && rate.abs() < 0.003 {
            0.0
        } else {
            (rate + 5.0 * turn).clamp(-1.0, 1.0)
        };
        out.base = self.smoother.limit(ctx, inputs, (0.0, w));
        Ok(())
    }
}

/// The hand on a straight way along its fingers, the base turning with it: fingers on both sides of a bar must not
/// move sideways.
#[derive(Debug, Clone)]
struct Slide {
    /// The hand on the bar.
    hand: HandPose,
    /// Distance from there, now and at the end, metres.
    back_m: f64,
    end_m: f64,
    started: Option<Time>,
    last: Option<Time>,
    good_at: Option<Time>,
    follower: Follower,
}

impl Slide {
    fn to_bar(hand: &HandPose) -> Self {
        Slide::new(hand, APPROACH_M, 0.0)
    }

    fn off_bar(hand: &HandPose) -> Self {
        Slide::new(hand, 0.0, APPROACH_M)
    }

    fn new(hand: &HandPose, back_m: f64, end_m: f64) -> Self {
        Slide {
            hand: *hand,
            back_m,
            end_m,
            started: None,
            last: None,
            good_at: None,
            follower: Follower::default(),
        }
    }

    /// One control period. Finished also where the hand touches something or gets out of reach.
    fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        const SETTLE_S: f64 = 0.6;
        const LONGEST_S: f64 = 3.0;
        let now = inputs.now;
        let started = *self.started.get_or_insert(now);
        let dt = self.last.map_or(0.0, |t| (now - t).secs_f64().clamp(0.0, 0.1));
        self.last = Some(now);
        let error = hand_error_m(&ctx.robot, inputs, &self.hand.backed_off(self.back_m));
        let left = self.end_m - self.back_m;
        let arrived = left.abs() < 1e-6;
        if error < if arrived { 0.006 } else { WAIT_ERROR_M } {
            if arrived {
                return Part::Finished;
            }
            self.good_at = Some(now);
        }
        let behind = (now - *self.good_at.get_or_insert(now)).secs_f64() > SETTLE_S;
        if behind || (now - started).secs_f64() > LONGEST_S {
            return Part::Finished;
        }
        let step = SLIDE_SPEED_M_S * ease(error) * dt;
        self.back_m += left.clamp(-step, step);
        let hand = self.hand.backed_off(self.back_m);
        match self.follower.bring(ctx, inputs, &hand, out) {
            Ok(()) => Part::Busy,
            Err(_) => Part::Finished,
        }
    }
}

/// Distance between where the hand is and where it should be, metres.
fn hand_error_m(robot: &Robot, inputs: &Inputs, hand: &HandPose) -> f64 {
    let actual = inputs.base.to_pose3() * robot.grasp_center(&inputs.posture());
    (actual.translation.vector - hand.position.coords).norm()
}
