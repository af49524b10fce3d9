//! Place: find a free spot, drive to where it is in reach, put the thing down, let go, look at it.

use std::collections::VecDeque;
use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, Provenance, RelationKind, SceneObject, SkillFailure};

use crate::approach::{self, Candidate, Unfit};
use crate::collision::{Contact, Payload, Support};
use crate::drive::{Creep, Drive, Tolerance};
use crate::grip::{Grip, grip};
use crate::handing::{HandState, Handing};
use crate::ik::{self, HandPose, Miss};
use crate::look::Gazing;
use crate::machine::{Commands, Context, Held, Inputs, Part, Progress};
use crate::passage::{self, Care, Thing, in_best_way};
use crate::path::CostField;
use crate::posture::{ArmState, Stow, StowState, fingers};
use crate::reach::{self, Margins, NoReach, Reach, Scene};
use crate::robot::GRIPPER;
use crate::roofs;
use crate::set_down::{self, DOWN_RAD, corners, hands};
use crate::spots::{Entry, Query, Spot, has_inner_boards};
use crate::withdrawal::Withdrawal;

/// Distances between base and spot that are tried, best first, metres.
const REACH_M: [f64; 8] = [0.64, 0.56, 0.72, 0.48, 0.80, 0.88, 0.96, 1.04];
/// How far from where it should be the hand may be stopped by a touch, metres.
const STOPPED_M: f64 = 0.03;
/// How far above where it should be the hand may be stopped, metres: what was seen of a thing from one side may
/// reach less far down than the thing.
const TOUCHED_M: f64 = 0.1;
/// Shortest and longest time for the fingers to open, seconds.
const RELEASE_S: [f64; 2] = [0.3, 1.2];
/// How far the hand comes back before the base backs off as well, metres.
const CLEAR_M: f64 = 0.1;
/// How long the result is looked for from one place, seconds, and how far back another place is, metres.
const CHECK_S: f64 = 1.6;
const CHECK_BACK_M: f64 = 0.25;
/// How far aside of straight ahead of an opening the base may stand, radians, and what that costs per radian: open doors
/// are beside it.
const MOST_ASIDE_RAD: f64 = 0.7;
const ASIDE_COST: f64 = 2.0;
/// What is seen this far below where it was let go has fallen, metres, and what a spot costs where that happened.
const FALLEN_M: f64 = 0.12;
const FELL_COST: f64 = 8.0;
/// Most pairs of place and spot that are checked for reach.
const MAX_CHECKS: usize = 240;

/// The skill.
#[derive(Debug)]
pub struct Place {
    object: ObjectId,
    relation: RelationKind,
    target: ObjectId,
    phase: Phase,
    places: VecDeque<(Pose2, Spot)>,
    tries: u32,
    last_problem: Option<(SkillFailure, String)>,
    /// Where the base stood and, once there, reached no spot.
    unfit: Unfit,
    /// Whether places were chosen again, all of those chosen before having turned out unfit.
    chosen_again: bool,
    /// Whether the hand does not fit between boards with the thing upright, so that it is laid there.
    laid: bool,
    /// What was let go, in case it stays between the fingers.
    held: Option<Held>,
}

#[derive(Debug)]
enum Phase {
    Stow(Stow),
    Places,
    Drive(Box<Drive>, Spot),
    Gaze(Gazing, Spot),
    Plan(Spot),
    Hand(Box<Handing>, Plan),
    /// Back with it still in the hand, for another try from elsewhere.
    Withdraw(Option<Withdrawal>, Stow),
    Release(Plan, Time, f64),
    Retreat(Plan, Withdrawal, Creep),
    FinalStow(Plan, Stow),
    Check(Plan, Gazing, Check),
}

/// Looking at the result.
#[derive(Debug, Clone)]
enum Check {
    /// From where the base stands.
    Here,
    /// Moving to where more may be seen.
    Moving(Creep),
    /// From there.
    Again,
}

/// A way to put it down that was decided on.
#[derive(Debug, Clone)]
struct Plan {
    spot: Spot,
    hand: HandPose,
    before: HandPose,
    reach: Reach,
    comes_down: bool,
    /// How far up the hand goes after letting go from above, so that the fingers are clear of the thing, metres.
    rise_m: f64,
    /// Where the middle of the thing will be.
    put_at: Point3,
}

impl Place {
    /// Puts what is held down so that it relates to a target.
    pub fn new(object: ObjectId, relation: RelationKind, target: ObjectId) -> Self {
        Place {
            object,
            relation,
            target,
            phase: Phase::Stow(Stow::new()),
            places: VecDeque::new(),
            tries: 0,
            last_problem: None,
            unfit: Unfit::default(),
            laid: false,
            chosen_again: false,
            held: None,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        let Some(target) = inputs.object(self.target) else {
            return Progress::Failed(
                SkillFailure::UnknownObject,
                format!("{} is not in memory", self.target),
            );
        };
        let to = format!("{} {}", target.class, target.id);
        if let Some(held) = &mut ctx.held
            && held.object != self.object
        {
            // Memory, which sees more than the fingers feel, may know by now that another thing was picked up.
            let is_taken_for = |id, presence| inputs.object(id).is_some_and(|o| o.presence == presence);
            if is_taken_for(held.object, Presence::Held) || !is_taken_for(self.object, Presence::Held) {
                return Progress::Failed(
                    SkillFailure::Precondition,
                    format!("the hand holds {} and not {}", held.object, self.object),
                );
            }
            held.object = self.object;
        }
        let released = self.is_letting_go();
        if ctx.held.is_none() && !released && grip(inputs) == Grip::Holding {
            ctx.held = inputs.object(self.object).and_then(|o| regained(ctx, inputs, o));
        }
        if ctx.held.is_none() && !released {
            return Progress::Failed(SkillFailure::Precondition, "the hand holds nothing".into());
        }
        match &mut self.phase {
            Phase::Stow(stow) => {
                if stow.step(ctx, inputs, out) != StowState::Busy {
                    self.phase = Phase::Places;
                }
                Progress::Running("taking the arm close".into())
            }
            Phase::Places => match self.find_places(ctx, inputs, target) {
                Ok(places) => {
                    self.places = places;
                    self.next_place()
                }
                Err((why, text)) => Progress::Failed(why, text),
            },
            Phase::Withdraw(motion, stow) => {
                if let Some(back) = motion {
                    if back.step(ctx, inputs, out) != ArmState::Busy {
                        *motion = None;
                    }
                } else if stow.step(ctx, inputs, out) != StowState::Busy {
                    return self.next_place();
                }
                Progress::Running("taking it back".into())
            }
            Phase::Drive(drive, spot) => match drive.step(ctx, inputs, out) {
                Part::Busy => {
                    Progress::Running(format!("driving to {to}, {:.1} m to go", drive.remaining_m()))
                }
                Part::Finished => {
                    self.phase = Phase::Gaze(Gazing::at(spot.point, ctx), *spot);
                    Progress::Running(format!("looking at {to}"))
                }
                Part::Failed(why, text) => {
                    self.last_problem = Some((why, text));
                    self.next_place()
                }
            },
            Phase::Gaze(gazing, spot) => {
                if gazing.step(ctx, inputs, out, false) != Part::Busy {
                    self.phase = Phase::Plan(*spot);
                }
                Progress::Running(format!("looking at {to}"))
            }
            Phase::Plan(spot) => {
                let spot = *spot;
                crate::head::look_at(ctx, inputs, out, &spot.point);
                match self.plan_from_here(ctx, inputs, target, &spot) {
                    Ok(plan) => {
                        let handing =
                            Handing::new(plan.hand, plan.before, plan.reach.before.base_yaw_rad, 0.3);
                        self.phase = Phase::Hand(Box::new(handing), plan);
                        Progress::Running(format!("reaching over {to}"))
                    }
                    Err((why, text)) => {
                        self.last_problem = Some((why, text));
                        self.unfit.push(inputs.base);
                        // They were chosen by what was known from afar.
                        if self.places.is_empty() && !self.chosen_again {
                            self.chosen_again = true;
                            self.phase = Phase::Places;
                            return Progress::Running(format!("choosing another place to reach {to} from"));
                        }
                        self.next_place()
                    }
                }
            }
            Phase::Hand(handing, plan) => match handing.step(ctx, inputs, out) {
                HandState::Busy(what) => {
                    if handing.is_closing_in() {
                        Progress::Running(format!("putting it down: {what}"))
                    } else {
                        Progress::Running(format!("moving to {to}: {what}"))
                    }
                }
                HandState::Arrived => {
                    let (aside_m, above_m) = handing.left_m(ctx, inputs);
                    // From below, a touch is the support; from the side it is something in the way.
                    if aside_m > STOPPED_M || above_m > TOUCHED_M {
                        ctx.stopped_at(&plan.hand, 2.0 * inputs.joint(GRIPPER), inputs.now);
                        self.last_problem = Some((
                            SkillFailure::Blocked,
                            format!(
                                "something stopped the hand {aside_m:.2} m beside and {above_m:.2} m above the spot on {to}"
                            ),
                        ));
                        return self.withdraw(ctx, inputs);
                    }
                    self.held = ctx.held;
                    self.phase = Phase::Release(plan.clone(), inputs.now, release_opening(ctx, inputs));
                    Progress::Running("letting go".into())
                }
                HandState::Failed(why) => {
                    self.last_problem =
                        Some((SkillFailure::OutOfReach, format!("the spot on {to} is {why}")));
                    if handing.is_out() {
                        ctx.stopped_at(&plan.hand, 2.0 * inputs.joint(GRIPPER), inputs.now);
                        self.withdraw(ctx, inputs)
                    } else {
                        self.next_place()
                    }
                }
            },
            Phase::Release(plan, since, opening) => {
                fingers(&ctx.robot, out, *opening, 0.6);
                let seconds = (inputs.now - *since).secs_f64();
                let is_open = 2.0 * inputs.joint(GRIPPER) > *opening - 0.004;
                if seconds > RELEASE_S[1] || (is_open && seconds > RELEASE_S[0]) {
                    ctx.held = None;
                    let withdrawal = if plan.comes_down {
                        Withdrawal::upwards(ctx, inputs, plan.rise_m, 0.7)
                    } else {
                        Withdrawal::along_fingers(ctx, inputs, CLEAR_M, 0.7)
                    };
                    let creep = Creep::by(-plan.spot.entry.back_off_m(), 0.2);
                    self.phase = Phase::Retreat(plan.clone(), withdrawal, creep);
                }
                Progress::Running("letting go".into())
            }
            Phase::Retreat(plan, withdrawal, creep) => {
                // The base backs off once the fingers are clear of the thing.
                let retracted = withdrawal.step(ctx, inputs, out) != ArmState::Busy;
                let is_clear = withdrawal.is_off()
                    && inputs.posture().extend_m < plan.reach.end.posture.extend_m - CLEAR_M;
                let backed = (retracted || is_clear) && creep.step(ctx, inputs, out) != Part::Busy;
                if retracted && backed {
                    self.phase = Phase::FinalStow(plan.clone(), Stow::with_open_fingers());
                }
                Progress::Running("withdrawing the arm".into())
            }
            Phase::FinalStow(plan, stow) => {
                crate::head::look_at(ctx, inputs, out, &plan.put_at);
                if stow.step(ctx, inputs, out) != StowState::Busy {
                    if grip(inputs) == Grip::Holding {
                        ctx.held = self.held;
                        return Progress::Failed(
                            SkillFailure::Stuck,
                            "it is still between the fingers".into(),
                        );
                    }
                    self.phase = Phase::Check(plan.clone(), Gazing::at(plan.put_at, ctx), Check::Here);
                }
                Progress::Running("stowing the arm".into())
            }
            Phase::Check(plan, gazing, check) => {
                if let Check::Moving(creep) = check {
                    crate::head::look_at(ctx, inputs, out, &plan.put_at);
                    if creep.step(ctx, inputs, out) != Part::Busy {
                        *check = Check::Again;
                        *gazing = Gazing::at(plan.put_at, ctx);
                    }
                    return Progress::Running("moving to see the result".into());
                }
                if gazing.step(ctx, inputs, out, true) == Part::Busy {
                    return Progress::Running("looking at the result".into());
                }
                let since = gazing.steady_since().unwrap_or(inputs.now);
                let is_seen = inputs.object(self.object).is_some_and(|o| {
                    o.presence == Presence::Present
                        && o.provenance == Provenance::Observed
                        && o.last_seen >= since
                });
                let waited = (inputs.now - since).secs_f64();
                if !is_seen && waited < CHECK_S {
                    return Progress::Running("looking at the result".into());
                }
                if !is_seen && matches!(check, Check::Here) {
                    *check = Check::Moving(Creep::by(-CHECK_BACK_M, 0.25));
                    return Progress::Running("moving to see the result".into());
                }
                let fell = inputs
                    .object(self.object)
                    .is_none_or(|o| !is_seen || o.shape.center.z < plan.put_at.z - FALLEN_M);
                if fell && plan.spot.walls.is_none() {
                    ctx.fell_at(&plan.put_at, inputs.now);
                }
                Progress::Done(format!("put down {} {to}", self.relation))
            }
        }
    }

    /// Takes the hand back with what it holds.
    fn withdraw(&mut self, ctx: &Context, inputs: &Inputs) -> Progress {
        let withdrawal = Withdrawal::level(ctx, inputs, 0.12, 0.7);
        self.phase = Phase::Withdraw(Some(withdrawal), Stow::new());
        let problem = self.last_problem.as_ref().map_or("", |p| p.1.as_str());
        Progress::Running(format!("taking it back: {problem}"))
    }

    /// Whether the fingers are opening or have opened.
    pub fn is_letting_go(&self) -> bool {
        matches!(
            self.phase,
            Phase::Release(..) | Phase::Retreat(..) | Phase::FinalStow(..) | Phase::Check(..)
        )
    }

    fn next_place(&mut self) -> Progress {
        self.tries += 1;
        match self.places.pop_front() {
            Some((place, spot)) if self.tries <= 5 => {
                self.phase = Phase::Drive(Box::new(Drive::to(place, Tolerance::FINE)), spot);
                Progress::Running("driving to a place to reach from".into())
            }
            _ => {
                let (why, text) = self.last_problem.clone().unwrap_or((
                    SkillFailure::OutOfReach,
                    "no place to reach a free spot from".into(),
                ));
                Progress::Failed(why, text)
            }
        }
    }

    fn find_places(
        &mut self,
        ctx: &mut Context,
        inputs: &Inputs,
        target: &SceneObject,
    ) -> Result<VecDeque<(Pose2, Spot)>, (SkillFailure, String)> {
        let Some(map) = ctx.map(inputs) else {
            return Err((SkillFailure::NoPath, "there is no map of the floor yet".into()));
        };
        let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
            return Err((SkillFailure::NoPath, "the robot stands outside its map".into()));
        };
        let mut spots = self.spots(ctx, inputs, target)?;
        // Boards that the arm does not get up or down to are left out, unless there are no others.
        if let Some(held) = ctx.held {
            let in_height = |s: &Spot| {
                let base = (s.point.x - REACH_M[0], s.point.y);
                hands(&held, s, base).iter().any(|(hand, before, _)| {
                    [hand, before].iter().all(|h| {
                        !matches!(
                            ik::solve(&ctx.robot, base, h),
                            Err(Miss::TooHigh(_) | Miss::TooLow(_))
                        )
                    })
                })
            };
            if spots.iter().any(in_height) {
                spots.retain(in_height);
            }
        }
        // Of spots close together the best one stands for all; the rest is for when the robot is there.
        let mut pairs: Vec<(f64, Candidate, Spot)> = Vec::new();
        for spot in thinned(&spots, 0.12, 24) {
            for candidate in approach::around_point(&map, &field, &spot.point, &target.shape, &REACH_M, 0.1)
                .into_iter()
                .take(40)
            {
                let aside_rad = aside_of_opening_rad(&spot, &candidate.pose);
                if aside_rad > MOST_ASIDE_RAD || self.unfit.covers(&candidate.pose) {
                    continue;
                }
                let cost = candidate.cost + spot.cost + ASIDE_COST * aside_rad;
                pairs.push((cost, candidate, spot));
            }
        }
        if pairs.is_empty() {
            return Err((
                SkillFailure::NoPath,
                format!(
                    "no free floor within reach of {} free spots on {} can be reached",
                    spots.len(),
                    target.class
                ),
            ));
        }
        if let Some(held) = ctx.held {
            let in_range = |(_, candidate, spot): &(f64, Candidate, Spot)| {
                let base = (candidate.pose.x_m, candidate.pose.y_m);
                let is_in_range = |hand: &HandPose| ik::solve(&ctx.robot, base, hand).is_ok();
                hands(&held, spot, base)
                    .iter()
                    .any(|(hand, before, _)| is_in_range(hand) && is_in_range(before))
            };
            if pairs.iter().any(in_range) {
                pairs.retain(in_range);
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs.truncate(MAX_CHECKS);
        let tried = pairs.len();
        let mut reason: Option<NoReach> = None;
        let best = in_best_way(pairs, 4, |(_, candidate, spot), way, places: &[(Pose2, Spot)]| {
            if places.iter().any(|(p, _)| p.distance_m(&candidate.pose) < 0.2) {
                return None;
            }
            let base = (candidate.pose.x_m, candidate.pose.y_m);
            let plan = plan_spot(ctx, inputs, target, spot, base, way);
            let place = plan.map(|_| (candidate.pose, *spot));
            place.map_err(|why| reason = why.or(reason)).ok()
        });
        let Some((_, places)) = best else {
            let would_stand = ctx.held.is_some_and(|held| !self.is_laid(&held));
            if would_stand && self.relation == RelationKind::On && has_inner_boards(target) {
                self.laid = true;
                return self.find_places(ctx, inputs, target);
            }
            return Err((
                SkillFailure::OutOfReach,
                format!(
                    "none of {} free spots ({} at {:.2} m height) is in reach from any of {tried} places: {}",
                    spots.len(),
                    target.class,
                    spots[0].point.z,
                    explained(inputs, reason)
                ),
            ));
        };
        Ok(places.into())
    }

    /// Whether the thing is laid between boards rather than stood there.
    fn is_laid(&self, held: &Held) -> bool {
        self.laid || held.pitch_rad > DOWN_RAD
    }

    fn spots(
        &self,
        ctx: &mut Context,
        inputs: &Inputs,
        target: &SceneObject,
    ) -> Result<Vec<Spot>, (SkillFailure, String)> {
        let (Some(graph), Some(map), Some(held)) = (inputs.graph, ctx.map(inputs), ctx.held) else {
            return Err((
                SkillFailure::Precondition,
                "memory, map or what is held is missing".into(),
            ));
        };
        let query = Query {
            graph,
            voxels: inputs.voxels,
            map: &map,
            held: self.object,
            half: held.half,
            laid: self.is_laid(&held),
        };
        let mut spots = query.spots(self.relation, target);
        for spot in &mut spots {
            if ctx.is_where_things_fell(&spot.point, inputs.now) {
                spot.cost += FELL_COST;
            }
        }
        spots.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        if spots.is_empty() {
            let mut text = format!(
                "no free spot of {:.2} x {:.2} m {} {} {} with {} known surfaces",
                2.0 * held.half.x,
                2.0 * held.half.y,
                self.relation,
                target.class,
                target.id,
                target.surfaces.len()
            );
            for o in graph.objects.iter().filter(|o| o.id != self.object) {
                let is_there = o.presence == Presence::Present && target.shape.contains(&o.shape.center, 0.0);
                if is_there && o.id != target.id && o.articulation.is_none() {
                    text += &format!(", where {} {} stands", o.class, o.id);
                }
            }
            return Err((SkillFailure::NoSpace, text));
        }
        Ok(spots)
    }

    /// The best spot that can be reached from where the base stands now.
    fn plan_from_here(
        &self,
        ctx: &mut Context,
        inputs: &Inputs,
        target: &SceneObject,
        wanted: &Spot,
    ) -> Result<Plan, (SkillFailure, String)> {
        let mut spots = self.spots(ctx, inputs, target)?;
        let base = (inputs.base.x_m, inputs.base.y_m);
        // Near what was planned for, since that is known to be in reach.
        let key = |s: &Spot| s.cost + (s.point - wanted.point).norm();
        spots.retain(|s| (s.point.x - base.0).hypot(s.point.y - base.1) < 1.15);
        spots.sort_by(|a, b| key(a).total_cmp(&key(b)));
        spots.truncate(60);
        let mut reason: Option<NoReach> = None;
        let best = in_best_way(spots, 1, |spot, way, _: &[Plan]| {
            let plan = plan_spot(ctx, inputs, target, spot, base, way);
            plan.map_err(|why| reason = why.or(reason)).ok()
        });
        if let Some(plan) = best.and_then(|(_, plans)| plans.into_iter().next()) {
            return Ok(plan);
        }
        Err((
            SkillFailure::OutOfReach,
            format!(
                "no free spot on {} is in reach from here: {}",
                target.class,
                explained(inputs, reason)
            ),
        ))
    }
}

/// Why nothing was in reach, where anything was tried.
fn explained(inputs: &Inputs, reason: Option<NoReach>) -> String {
    reason.map_or_else(
        || "no way of the hand is left to try".into(),
        |r| r.explain(inputs.graph),
    )
}

/// Opening for letting go: a little wider than what is held is thought to be, and than the fingers stand.
fn release_opening(ctx: &Context, inputs: &Inputs) -> f64 {
    let thought_m = ctx.held.map_or(0.12, |h| 2.0 * h.half.x.min(h.half.y) + 0.06);
    let felt_m = inputs.contacts.map_or(0.0, |c| c.opening_m + 0.05);
    thought_m.max(felt_m).min(2.0 * ctx.robot.gripper.upper)
}

/// What is between the fingers after an earlier step lost track of it, if memory has the object there.
fn regained(ctx: &Context, inputs: &Inputs, object: &SceneObject) -> Option<Held> {
    if object.presence != Presence::Held {
        return None;
    }
    let hand = inputs.hand(&ctx.robot);
    let hand_from_object = hand.inverse() * object.shape.pose();
    let near = hand_from_object.translation.vector.norm() < 0.25;
    Some(Held {
        object: object.id,
        half: object.shape.half,
        pitch_rad: inputs.posture().pitch_rad,
        hand_from_object: if near { hand_from_object } else { Pose3::identity() },
    })
}

/// How far aside of straight ahead of the opening that a spot is reached through a base stands, radians; zero for spots
/// without one.
fn aside_of_opening_rad(spot: &Spot, base: &Pose2) -> f64 {
    let Entry::Front(heading) = spot.entry else {
        return 0.0;
    };
    let to_base = (base.y_m - spot.point.y).atan2(base.x_m - spot.point.x);
    wrap_angle_rad(to_base - heading).abs()
}

/// Keeps the best of spots that are close together.
fn thinned(spots: &[Spot], distance_m: f64, most: usize) -> Vec<Spot> {
    let mut kept: Vec<Spot> = Vec::new();
    for spot in spots {
        if kept.iter().all(|k| (k.point - spot.point).norm() > distance_m) {
            kept.push(*spot);
            if kept.len() == most {
                break;
            }
        }
    }
    kept
}

/// A way to put what is held on a spot with the base at a position; why not, where a way was tried.
fn plan_spot(
    ctx: &Context,
    inputs: &Inputs,
    target: &SceneObject,
    spot: &Spot,
    base: (f64, f64),
    (care, margins): (Care, Margins),
) -> Result<Plan, Option<NoReach>> {
    let Some(held) = ctx.held else {
        return Err(None);
    };
    let payload = Payload {
        hand_from_box: held.hand_from_object,
        half: held.half.map(|h| (h - 0.01).max(0.005)),
    };
    // Inside a container, its walls are nearer than voxels can tell; what is dropped into it may touch them.
    let mut ignored: Vec<OrientedBox> = Vec::new();
    if matches!(spot.entry, Entry::Drop(_)) {
        ignored.push(OrientedBox {
            center: Point3::new(spot.point.x, spot.point.y, spot.point.z + 0.05),
            yaw_rad: target.shape.yaw_rad,
            half: Vector3::new(0.12, 0.12, 0.25),
        });
    }
    let scene = Scene {
        ignored: &ignored,
        support: Some(Support::around(&spot.point, spot.point.z)),
        payload: Some(&payload),
        ..Scene::of(ctx, inputs)
    };
    let is_dropped = matches!(spot.entry, Entry::Drop(_));
    let room_above_m = inputs
        .graph
        .filter(|_| !is_dropped)
        .and_then(|g| roofs::room_above_m(g, None, &spot.point));
    let opening_m = release_opening(ctx, inputs);
    let mut reason = None;
    for (hand, before, comes_down) in hands(&held, spot, base) {
        if ctx.was_stopped(&hand, 2.0 * inputs.joint(GRIPPER), inputs.now) {
            reason.get_or_insert(NoReach::Stopped);
            continue;
        }
        let thing = Thing {
            pose: hand.pose() * held.hand_from_object,
            half: held.half,
        };
        let top = corners(&held.half)
            .map(|c| (thing.pose * Point3::from(c)).z)
            .fold(f64::NEG_INFINITY, f64::max);
        let over = spot.walls.map_or(top, |walls| top.max(walls.top_m()));
        let rise_m = (over + set_down::CLEAR_M + ctx.robot.tip_m - hand.position.z).max(0.12);
        let after = if comes_down {
            hand.moved(Vector3::z() * rise_m)
        } else {
            hand.backed_off(CLEAR_M)
        };
        let goes_under = |room_m| roofs::goes_under(&ctx.robot, &after, &spot.point, room_m);
        if comes_down && !room_above_m.is_none_or(goes_under) {
            reason.get_or_insert(NoReach::Roofed);
            continue;
        }
        if care == Care::Untouched && !passage::is_clear(&ctx.robot, base, &hand, &after, opening_m, &thing) {
            reason = Some(NoReach::Collision(Contact::Thing));
            continue;
        }
        match reach::plan_within(&scene, base, &hand, &before, margins) {
            Ok(reach) => {
                return Ok(Plan {
                    spot: *spot,
                    hand,
                    before,
                    reach,
                    comes_down,
                    rise_m,
                    put_at: Point3::from(thing.pose.translation.vector),
                });
            }
            Err(collision @ NoReach::Collision(_)) => reason = Some(collision),
            Err(miss) => {
                reason.get_or_insert(miss);
            }
        }
    }
    Err(reason)
}
