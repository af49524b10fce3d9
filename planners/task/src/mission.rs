//! One task from order to end: what to do next, given what is known now.
//!
//! Nothing is carried over from decision to decision but what memory cannot tell: where was searched, what
//! failed how often, and at which thing the base stands. Every decision starts from the present scene graph, so
//! a change in the home needs no handling of its own.
//!
//! ```text
//!   every relation seen to hold? ── yes ─► something owed? ── yes ─► do that
//!        │ no                                  └ no ─► seen recently? ── yes ─► succeed
//!        │                                                   └ no ─► go and look
//!   subject and target known? ── yes ─► action tree under the rules ─► its next step
//!        │ no, or no plan keeps the rules
//!   something owed? ── yes, and the hand is free ─► do that
//!        │ no
//!   frontier, furniture or shut container left? ── yes ─► nearest first
//!        └ no ─► fail: not found
//! ```
//!
//! Rules forbid and oblige. What a step may change is judged before it is given out, and again by
//! [`Mission::permits`] before it is sent; what is refused is not thought of again. Floor of rooms that must not be
//! entered is in the way like a wall, so nothing behind it is sought. Whatever way a task ends, what is owed by then
//! is done first.

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    FailureReason, FloorArea, FloorPlan, Goal, GoalRelation, NavigationTarget, OccupancyGrid, Presence,
    RelationKind, SceneGraph, SceneObject, Skill, SkillFailure, TreeNode,
};
use steward_core::{Duration, Time};

use crate::Error;
use crate::belief::{Belief, Step, Wanted};
use crate::config::MissionConfig;
use crate::deliberate::{Deliberation, Question, is_thinkable};
use crate::explore::{TravelField, free_floor_m2, frontiers};
use crate::house_rules::{HouseRules, Objection, Proposition, Rules, Situation};

/// Half the angles of the camera, a little less than that, in which things count as seen, radians.
const HALF_VIEW_RAD: (f64, f64) = (0.58, 0.46);
/// Floor this near to a thing decides whether it can be reached, metres.
const SURROUNDINGS_M: f64 = 1.3;
/// Metres of travel that a metre of height is worth when choosing what to open.
const LOW_FIRST: f64 = 3.0;
/// From where the base can just stand beside a thing to its side, metres.
const BESIDE_M: f64 = 0.33;
/// From this far beside a thing it is seen well and perhaps reached, metres.
const NEAR_M: f64 = 1.2;
/// From this far a thing is seen again where it was seen before, metres.
const SEEN_NEAR_M: f64 = 1.5;
/// Furniture this many times longer than deep has its front on a long side.
const LONG: f64 = 1.3;
/// Cosine of the angle to straight ahead up to which a front is seen well.
const FACING: f64 = 0.6;
/// Distance to the front of furniture from which it is seen from bottom to top, metres.
const IN_FRONT_M: f64 = 0.85;
/// Distance from the opening of furniture from which all boards inside are seen, metres.
const BEFORE_OPENING_M: f64 = 0.65;
/// From this far aside of straight ahead the walls hide no more than a corner of what is inside, radians.
const FULLY_SEEN_RAD: f64 = 0.4;
/// Furniture higher than this is looked at as if it had boards, metres.
const SHELVES_FROM_M: f64 = 1.05;

/// A thing that was put in the same place this often will not be put there once more.
const MOST_CIRCLES: u32 = 5;

/// What is known at the time of a decision.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Time,
    /// What is remembered.
    pub graph: &'a SceneGraph,
    /// The floor, once mapped.
    pub grid: Option<&'a OccupancyGrid>,
    /// Where the base is, frame `map`.
    pub base: Pose2,
    /// `map_from_camera` of the head camera's optical frame, where it is known.
    pub camera: Option<Pose3>,
}

impl<'a> View<'a> {
    fn belief(&self) -> Belief<'a> {
        Belief { graph: self.graph }
    }

    fn situation(&self) -> Situation<'a> {
        Situation {
            now: self.now,
            graph: self.graph,
            base: self.base,
        }
    }

    /// Distance on the floor between the base and the middle of a thing, metres.
    fn distance_m(&self, o: &SceneObject) -> f64 {
        (o.shape.center.x - self.base.x_m).hypot(o.shape.center.y - self.base.y_m)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Run the first of these; the others are what is intended after it.
    Do(Vec<Intended>),
    /// The task is done.
    Succeed(String),
    /// The task cannot be done.
    Fail(FailureReason, String),
}

/// A skill and what it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Intended {
    /// The skill.
    pub skill: Skill,
    /// In words.
    pub label: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a skill is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// See what is around.
    Survey,
    /// See floor that was never seen; the middle of the frontier, and its length.
    Frontier(f64, f64, f64),
    /// See what is to both sides.
    Glance,
    /// See what is inside something that was just opened.
    Peek,
    /// See a thing better than before.
    Closer,
    /// See what stands on a piece of furniture, or inside an open one.
    Inspect(ObjectId),
    /// See what is behind a shut door.
    Unshut(ObjectId),
    /// A step of the plan.
    Plan(Step),
    /// See whether a relation still holds.
    Verify(ObjectId),
}

/// How a skill ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Its effect was observed.
    Confirmed,
    /// Its effect was observed not to hold.
    Refuted,
    /// Its effect could not be observed.
    Undecided,
    /// The executor gave up.
    Failed(SkillFailure),
}

/// A task under way.
#[derive(Debug)]
pub struct Mission {
    goal: Goal,
    config: MissionConfig,
    rules: HouseRules,
    deadline: Option<Time>,
    /// It was seen that goal and rules can be kept together, or nobody knows better.
    thinkable: bool,
    /// What the next steps towards the goal are chosen from.
    thought: Option<Deliberation>,
    /// What was not allowed, and why, in the order in which it was thought of.
    objections: Vec<String>,
    /// Why the steps towards the goal cannot be planned with what is known.
    no_plan: Option<Error>,
    /// How the task ends once nothing is owed any more.
    ending: Option<Decision>,
    /// The thing that the base was driven to and has not left.
    at: Option<ObjectId>,
    surveyed: bool,
    search: SearchState,
    /// What went wrong with things.
    failures: BTreeMap<(Manipulation, ObjectId), Trouble>,
    /// A thing to look at again before anything else is done with it.
    closer: Option<ObjectId>,
    /// How often a thing was looked for, or could not be got at, to see whether it is still in its place.
    looks: BTreeMap<ObjectId, u32>,
    /// Since when all of the goal is believed to hold. One round of looks ends it, however long the ways are.
    complete_since: Option<Time>,
    /// Where the base stood when a thing was last seen from near.
    seen_from: BTreeMap<ObjectId, Pose2>,
    /// How often a thing was put somewhere.
    placed: BTreeMap<Wanted, u32>,
}

/// Where was searched since it last made sense to start over.
#[derive(Debug, Clone, Default)]
struct SearchState {
    /// Middles of frontiers that were looked at.
    frontiers: Vec<(f64, f64)>,
    /// Furniture seen from close by.
    inspected: BTreeSet<ObjectId>,
    /// Parts that were opened, or that would not open.
    opened: BTreeSet<ObjectId>,
    /// The base stands where much that is new can be seen.
    glance_due: bool,
    /// A part was opened, and nobody has looked inside yet; whether the base has come close for it.
    peek_due: Option<(ObjectId, bool)>,
    rounds: u32,
}

/// How something failed to work with a thing.
#[derive(Debug, Clone)]
struct Trouble {
    /// How often in a row, with the same surroundings.
    times: u32,
    /// How the last time, in words.
    detail: String,
    with: Surroundings,
    /// Not worth another try while there is something else to do.
    deferred: bool,
    /// It was not tried: a rule forbids it.
    forbidden: bool,
}

/// What decides whether the robot can get at a thing.
#[derive(Debug, Clone, Copy)]
struct Surroundings {
    center: Point3,
    /// Free floor around it, square metres.
    free_m2: f64,
}

impl Surroundings {
    fn of(view: &View<'_>, id: ObjectId) -> Option<Self> {
        let center = view.belief().object(id)?.shape.center;
        let free_m2 = view
            .grid
            .map_or(0.0, |g| free_floor_m2(g, (center.x, center.y), SURROUNDINGS_M));
        Some(Surroundings { center, free_m2 })
    }

    fn differ_from(&self, other: &Surroundings) -> bool {
        (self.center - other.center).norm() > 0.1 || (self.free_m2 - other.free_m2).abs() > 0.3
    }
}

/// Kinds of manipulation whose failures are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manipulation {
    Reach,
    Grasp,
    Put,
    Articulate,
}

impl Manipulation {
    fn of(step: Step) -> (Self, ObjectId) {
        match step {
            Step::Navigate(id) => (Manipulation::Reach, id),
            Step::Open(id) | Step::Close(id) => (Manipulation::Articulate, id),
            Step::Pick(id) => (Manipulation::Grasp, id),
            Step::Place(_, _, id) => (Manipulation::Put, id),
        }
    }

    fn reason(self) -> FailureReason {
        match self {
            Manipulation::Reach => FailureReason::Unreachable,
            Manipulation::Grasp => FailureReason::GraspFailed,
            Manipulation::Put => FailureReason::PlaceFailed,
            Manipulation::Articulate => FailureReason::ContainerStuck,
        }
    }
}

impl Mission {
    /// Takes on a task.
    ///
    /// # Errors
    /// [`Error::Contradiction`] for an empty goal, a thing related to itself, or a class that is asked to be
    /// in two relations: which one to keep while bringing about the other is not decided here.
    pub fn new(goal: Goal, config: MissionConfig) -> crate::Result<Self> {
        if goal.relations.is_empty() {
            return Err(Error::Contradiction("it asks for nothing".into()));
        }
        let mut subjects = BTreeSet::new();
        for r in &goal.relations {
            if r.subject == r.object {
                return Err(Error::Contradiction(format!("{r} relates a class to itself")));
            }
            if !subjects.insert(&r.subject) {
                return Err(Error::Contradiction(format!(
                    "`{}` is the subject of two relations; ask for one at a time",
                    r.subject
                )));
            }
        }
        let rules = HouseRules::new(Rules::read(&[], &BTreeSet::new(), None)?, FloorPlan::default());
        Ok(Mission {
            goal,
            config,
            rules,
            deadline: None,
            thinkable: false,
            thought: None,
            objections: Vec::new(),
            no_plan: None,
            ending: None,
            at: None,
            surveyed: false,
            search: SearchState::default(),
            failures: BTreeMap::new(),
            closer: None,
            looks: BTreeMap::new(),
            complete_since: None,
            seen_from: BTreeMap::new(),
            placed: BTreeMap::new(),
        })
    }

    /// The same under rules.
    #[must_use]
    pub fn under(mut self, rules: HouseRules) -> Self {
        self.rules = rules;
        self
    }

    /// The same with a time by which it must have ended: what is owed is seen to before.
    #[must_use]
    pub fn until(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The rules and how they stand.
    pub fn rules(&self) -> &HouseRules {
        &self.rules
    }

    /// The action tree that steps towards the goal are chosen from, root first; empty while the robot explores.
    pub fn tree(&self, view: &View<'_>) -> Vec<TreeNode> {
        let belief = view.belief();
        self.thought
            .as_ref()
            .map_or_else(Vec::new, |t| t.tree(|step| step_label(&belief, step)))
    }

    /// Whether a skill may run now: the floor that the base must not enter meanwhile.
    ///
    /// # Errors
    /// The [`Objection`] with the rule that it may break, or why that cannot be judged.
    pub fn permits(&self, view: &View<'_>, skill: &Skill) -> std::result::Result<Vec<FloorArea>, Objection> {
        let kept_out = self.rules.judge(&view.situation(), skill)?;
        Ok(self.rules.areas(&kept_out))
    }

    /// Notes what the rules are about, and what the camera sees in passing, so that it is not visited again for
    /// nothing.
    pub fn observe(&mut self, view: &View<'_>) {
        self.watch(view);
        self.look_around(view);
    }

    /// Notes what the rules are about; to be called often enough that no room is passed through unseen.
    pub fn watch(&mut self, view: &View<'_>) {
        self.rules.observe(&view.situation(), None);
    }

    fn look_around(&mut self, view: &View<'_>) {
        let Some(map_from_camera) = view.camera else {
            return;
        };
        let fresh = view.now - Duration::from_millis(500);
        for o in &view.graph.objects {
            if o.last_seen < fresh {
                continue;
            }
            if o.presence == Presence::Present && view.distance_m(o) < SEEN_NEAR_M {
                self.seen_from.insert(o.id, view.base);
            }
            if !Belief::is_furniture(o) || self.search.inspected.contains(&o.id) {
                continue;
            }
            let most_m = if has_boards(o) {
                self.config.inspect_shelves_m
            } else {
                self.config.inspect_distance_m
            };
            let camera = Point3::from(map_from_camera.translation.vector);
            if !is_faced(o, &camera) {
                continue;
            }
            let seen = |p: &Point3| {
                let p = map_from_camera.inverse_transform_point(p);
                p.z > 0.0
                    && p.coords.norm() < most_m
                    && p.x.atan2(p.z).abs() < HALF_VIEW_RAD.0
                    && p.y.atan2(p.z).abs() < HALF_VIEW_RAD.1
            };
            if inspection_points(o).iter().all(seen) {
                self.search.inspected.insert(o.id);
            }
        }
    }

    /// What to do now that nothing is under way.
    pub fn decide(&mut self, view: &View<'_>) -> Decision {
        self.rules.observe(&view.situation(), None);
        if let Some(refusal) = self.refuse_task(view) {
            return refusal;
        }
        // Floor that must not be entered is no floor.
        let stay = Skill::Look { at: Vec::new() };
        let kept_out = self.permits(view, &stay).unwrap_or_default();
        let masked = view
            .grid
            .filter(|_| !kept_out.is_empty())
            .map(|g| g.without(&kept_out));
        let view = &View {
            grid: masked.as_ref().or(view.grid),
            ..*view
        };
        let late = self
            .deadline
            .is_some_and(|deadline| view.now > deadline - Duration::from_secs_f64(self.config.tidy_s));
        if late && self.ending.is_none() && !self.rules.rules().may_end() {
            let text = "there was only time left to do what was owed".to_owned();
            self.ending = Some(Decision::Fail(FailureReason::TimedOut, text));
        }
        // Everything refused is remembered, so this ends; the bound is for what nobody thought of.
        for _ in 0..self.config.max_refusals {
            let decision = match self.ending.clone() {
                None => self.consider(view),
                Some(ending) => self.tidy(view).unwrap_or(ending),
            };
            let first = match &decision {
                Decision::Do(steps) => steps.first().cloned(),
                Decision::Fail(..) if self.ending.is_none() && !self.rules.rules().may_end() => {
                    self.ending = Some(decision);
                    continue;
                }
                Decision::Fail(..) => return self.explained(decision),
                Decision::Succeed(_) => return decision,
            };
            let Some(first) = first else { return decision };
            if let Some(text) = self.goes_in_circles(&view.belief(), first.purpose) {
                match self.ending.take() {
                    Some(ending) => return self.explained(ending),
                    None => self.ending = Some(Decision::Fail(FailureReason::NoPlan, text)),
                }
                continue;
            }
            match self.permits(view, &first.skill) {
                Ok(_) => return decision,
                Err(objection) => self.refused(view, &first, &objection),
            }
        }
        self.explained(Decision::Fail(
            FailureReason::RuleConflict,
            "nothing that was left to do is allowed".into(),
        ))
    }

    /// Why the next step leads nowhere: the thing was put there before, and taken away again, time after time. Each
    /// decision starts from the present alone, so nothing else would tell. What is owed at the end has as many tries
    /// again.
    fn goes_in_circles(&self, belief: &Belief<'_>, purpose: Purpose) -> Option<String> {
        let Purpose::Plan(step @ Step::Place(object, relation, target)) = purpose else {
            return None;
        };
        let times = *self.placed.get(&(object, relation, target))?;
        let most = MOST_CIRCLES * if self.ending.is_some() { 2 } else { 1 };
        (times >= most).then(|| {
            format!(
                "went in circles: {} was done {times} times",
                step_label(belief, step)
            )
        })
    }

    /// Why the task cannot even be begun, or gone on with.
    fn refuse_task(&mut self, view: &View<'_>) -> Option<Decision> {
        let broken = self.rules.rules().broken();
        if !broken.is_empty() {
            let when = if self.surveyed {
                "was seen to be broken"
            } else {
                "is broken already"
            };
            let text = format!("the rule {} {when}", broken.join(" and "));
            return Some(Decision::Fail(FailureReason::RuleViolated, text));
        }
        if self.thinkable || self.rules.rules().is_empty() {
            return None;
        }
        self.thinkable = true;
        let relations = self.goal.relations.iter();
        let goal: Vec<_> = relations
            .map(|r| (r.kind, r.subject.clone(), r.object.clone()))
            .collect();
        match is_thinkable(&goal, &self.rules, view.base, &self.config.search) {
            Err(Error::Infeasible(conflict)) => {
                Some(Decision::Fail(FailureReason::RuleConflict, conflict.to_string()))
            }
            _ => None,
        }
    }

    /// Adds to a failure what was not allowed.
    fn explained(&self, decision: Decision) -> Decision {
        let Decision::Fail(mut reason, mut text) = decision else {
            return decision;
        };
        let mut forbidden = self.failures.values().any(|t| t.forbidden);
        if let Some(Error::Infeasible(conflict)) = &self.no_plan {
            text = format!("{text}; with what was found, {conflict}");
            forbidden = true;
        }
        let not_found = matches!(
            reason,
            FailureReason::ObjectNotFound | FailureReason::TargetNotFound | FailureReason::Unreachable
        );
        if forbidden && not_found {
            reason = FailureReason::RuleConflict;
        }
        for objection in self.objections.iter().take(3) {
            text = format!("{text}; not allowed: {objection}");
        }
        if !self.rules.rules().may_end() {
            text = format!(
                "{text}; still owed by {}",
                self.rules.rules().owing().join(" and ")
            );
        }
        Decision::Fail(reason, text)
    }

    /// Takes note that a step is not allowed, so that it is not thought of again.
    pub fn refused(&mut self, view: &View<'_>, intended: &Intended, objection: &Objection) {
        let text = format!("{}: {}", intended.label, objection.0);
        if !self.objections.contains(&text) {
            self.objections.push(text);
        }
        match intended.purpose {
            Purpose::Survey => self.surveyed = true,
            Purpose::Frontier(x, y, _) => self.search.frontiers.push((x, y)),
            Purpose::Glance => self.search.glance_due = false,
            Purpose::Peek => self.search.peek_due = None,
            Purpose::Closer => {}
            Purpose::Inspect(id) => {
                self.search.inspected.insert(id);
            }
            Purpose::Unshut(part) => {
                self.search.opened.insert(part);
            }
            Purpose::Verify(id) => *self.looks.entry(id).or_insert(0) += 1,
            Purpose::Plan(step) => {
                self.thought = None;
                let (manipulation, id) = Manipulation::of(step);
                if let Some(with) = Surroundings::of(view, id) {
                    let trouble = Trouble {
                        times: self.config.max_attempts,
                        detail: objection.0.clone(),
                        with,
                        deferred: false,
                        forbidden: true,
                    };
                    self.failures.insert((manipulation, id), trouble);
                }
            }
        }
    }

    /// What is to be done about what is owed: the first step of it; nothing where nothing is owed, or nothing can be
    /// done about it with what is known.
    fn tidy(&mut self, view: &View<'_>) -> Option<Decision> {
        if self.rules.rules().may_end() {
            return None;
        }
        let belief = view.belief();
        let ways = Ways::new(view, self.config.clearance_m);
        match self.pursue(&belief, view, &ways, &[Vec::new()]) {
            Ok(Decision::Do(steps)) => Some(Decision::Do(steps)),
            _ => None,
        }
    }

    fn consider(&mut self, view: &View<'_>) -> Decision {
        if !self.surveyed {
            return Decision::Do(vec![survey(view)]);
        }
        let belief = view.belief();
        if let Some(o) = self.closer.take().and_then(|id| belief.object(id)) {
            return Decision::Do(vec![Intended {
                skill: Skill::Look {
                    at: inspection_points(o),
                },
                label: format!("look at {} {} again", o.class, o.id),
                purpose: Purpose::Closer,
            }]);
        }
        let ways = Ways::new(view, self.config.clearance_m);
        let relations = self.goal.relations.clone();
        let mut wanted = Vec::new();
        let mut taken = BTreeSet::new();
        // Other ways of meaning a relation, with its place in the goal.
        let mut others: Vec<(usize, Wanted)> = Vec::new();
        let mut missing: Vec<Missing> = Vec::new();
        for relation in &relations {
            if let Some((s, t)) = belief.witness(relation) {
                wanted.push((s.id, relation.kind, t.id));
                taken.insert(s.id);
            }
        }
        for relation in &relations {
            if belief.witness(relation).is_some() {
                continue;
            }
            match self.bind(&belief, view, &ways, relation, &taken) {
                Ok(bound) => {
                    taken.insert(bound[0].0);
                    others.extend(bound[1..].iter().map(|other| (wanted.len(), *other)));
                    wanted.push(bound[0]);
                }
                Err(m) => missing.push(m),
            }
        }
        let open: Vec<Wanted> = wanted
            .iter()
            .copied()
            .filter(|&(s, kind, t)| !belief.holds(s, kind, t))
            .collect();
        if open.is_empty() && missing.is_empty() {
            if let Some(step) = self.tidy(view) {
                return step;
            }
            if self.rules.rules().may_end() {
                return self.verify(&belief, view, &wanted);
            }
            missing.extend(self.owed_and_unknown(&belief));
            if missing.is_empty() {
                let worst = self.worst();
                let reason = worst
                    .as_ref()
                    .map_or(FailureReason::RuleConflict, |(reason, _)| *reason);
                let why = worst.map_or_else(String::new, |(_, text)| format!(": {text}"));
                let text = format!("{} was brought about, but something is owed{why}", self.goal);
                return Decision::Fail(reason, text);
            }
        }
        self.complete_since = None;
        if !open.is_empty() {
            let mut meanings = vec![wanted.clone()];
            for (at, other) in others.into_iter().take(self.config.max_alternatives) {
                let mut meaning = wanted.clone();
                meaning[at] = other;
                if meaning.iter().map(|w| w.0).collect::<BTreeSet<_>>().len() == meaning.len() {
                    meanings.push(meaning);
                }
            }
            match self.pursue(&belief, view, &ways, &meanings) {
                Ok(decision) => {
                    self.no_plan = None;
                    return decision;
                }
                // What is not known yet may open a way.
                Err(error) if self.rules.rules().is_empty() => {
                    return Decision::Fail(FailureReason::NoPlan, error.to_string());
                }
                Err(error) => {
                    if missing.is_empty() {
                        let blamed = |r: &GoalRelation| Missing {
                            class: r.subject.clone(),
                            reason: FailureReason::RuleConflict,
                        };
                        missing.extend(relations.iter().take(1).map(blamed));
                    }
                    self.no_plan = Some(error);
                }
            }
        }
        self.thought = None;
        if belief.held().is_none()
            && self.search.peek_due.is_none()
            && let Some(step) = self.tidy(view)
        {
            return step;
        }
        self.explore(&belief, view, &ways, &missing)
    }

    /// Classes that something owed is about and of which nothing is known.
    fn owed_and_unknown(&self, belief: &Belief<'_>) -> Vec<Missing> {
        let owed = self.rules.rules().owed();
        owed.into_iter()
            .flat_map(Proposition::classes)
            .filter(|class| belief.of_class(class).next().is_none())
            .map(|class| Missing {
                class: class.to_owned(),
                reason: FailureReason::ObjectNotFound,
            })
            .collect()
    }

    /// Takes note of how a skill ended.
    pub fn finished(&mut self, view: &View<'_>, intended: &Intended, ended: &Ended, detail: &str) {
        self.rules.observe(&view.situation(), Some(&intended.skill));
        let done = matches!(ended, Ended::Confirmed | Ended::Undecided);
        let travelled = matches!(intended.skill, Skill::Navigate { .. });
        if travelled {
            self.at = None;
        }
        match intended.purpose {
            Purpose::Survey => self.surveyed = true,
            // One visit is all a frontier gets: what stayed unknown cannot be seen from there.
            Purpose::Frontier(x, y, length_m) => {
                self.search.frontiers.push((x, y));
                self.search.glance_due = done && length_m >= self.config.wide_frontier_m;
            }
            Purpose::Glance => self.search.glance_due = false,
            Purpose::Peek if travelled => {
                if let Some((_, is_close)) = &mut self.search.peek_due {
                    *is_close = true;
                }
            }
            Purpose::Peek => self.search.peek_due = None,
            Purpose::Closer => {}
            Purpose::Inspect(id) | Purpose::Unshut(id) if travelled && done => self.at = Some(id),
            Purpose::Inspect(id) => {
                self.search.inspected.insert(id);
            }
            Purpose::Unshut(part) => {
                self.search.opened.insert(part);
                if done && !travelled {
                    self.search.peek_due = Some((part, false));
                }
            }
            Purpose::Plan(step) => self.step_finished(view, step, ended, detail),
            Purpose::Verify(id) => {
                if travelled && done {
                    self.at = match intended.skill {
                        Skill::Navigate {
                            to: NavigationTarget::Object(place),
                        } => Some(place),
                        _ => Some(id),
                    };
                } else {
                    *self.looks.entry(id).or_insert(0) += 1;
                }
            }
        }
    }

    fn step_finished(&mut self, view: &View<'_>, step: Step, ended: &Ended, detail: &str) {
        let (manipulation, id) = Manipulation::of(step);
        self.note_step(view, step, ended, detail);
        if let Step::Place(object, relation, target) = step {
            match ended {
                Ended::Confirmed => {
                    self.seen_from.insert(object, view.base);
                    *self.placed.entry((object, relation, target)).or_default() += 1;
                }
                // It fell to the bottom, or into the basin of a sink, where it is seen only from right above.
                Ended::Refuted | Ended::Undecided => {
                    let belief = view.belief();
                    let is_lost = belief
                        .object(object)
                        .is_none_or(|o| o.presence == Presence::Missing);
                    let part = match relation {
                        RelationKind::In => belief.parts_of(target).first().map(|part| part.id),
                        RelationKind::On | RelationKind::Near => None,
                    };
                    if relation == RelationKind::In || is_lost {
                        self.search.peek_due = Some((part.unwrap_or(target), false));
                    }
                }
                Ended::Failed(_) => {}
            }
        }
        if *ended == Ended::Confirmed {
            return;
        }
        // What may be tried again is thought through again; what is given up ends its branch of the tree.
        match &mut self.thought {
            Some(thought)
                if self
                    .failures
                    .get(&(manipulation, id))
                    .is_some_and(|t| t.times >= self.config.max_attempts || t.deferred) =>
            {
                thought.failed()
            }
            _ => self.thought = None,
        }
    }

    fn note_step(&mut self, view: &View<'_>, step: Step, ended: &Ended, detail: &str) {
        let (manipulation, id) = Manipulation::of(step);
        match ended {
            Ended::Confirmed | Ended::Undecided => {
                if let Step::Navigate(to) = step {
                    self.at = Some(to);
                }
                if *ended == Ended::Confirmed {
                    self.failures.remove(&(manipulation, id));
                    return;
                }
                // What nobody saw is tried again only so often.
                if matches!(step, Step::Navigate(_)) {
                    return;
                }
            }
            // The plan was made with a thing that memory has since given up: nobody's fault.
            Ended::Failed(SkillFailure::UnknownObject) => {
                self.at = None;
                self.restart_search();
                return;
            }
            Ended::Failed(SkillFailure::Dropped) => {
                self.at = None;
                self.restart_search();
            }
            Ended::Refuted | Ended::Failed(_) => self.at = None,
        }
        let Some(now) = Surroundings::of(view, id) else {
            return;
        };
        // Nothing was tried: it would come out the same until more is known.
        let no_way = matches!(
            ended,
            Ended::Failed(SkillFailure::NoPath | SkillFailure::OutOfReach | SkillFailure::NoSpace)
        );
        let before = self.failures.get(&(manipulation, id));
        let times = 1 + before
            .filter(|t| !t.with.differ_from(&now))
            .map_or(0, |t| t.times);
        self.failures.insert(
            (manipulation, id),
            Trouble {
                times,
                detail: detail.to_owned(),
                with: now,
                deferred: no_way && times >= 2,
                forbidden: false,
            },
        );
        if no_way && times == 1 {
            self.closer = Some(id);
        }
        if times == self.config.max_attempts {
            // Another thing of the class, or another place, may do; look for one.
            self.restart_search();
        }
    }

    fn restart_search(&mut self) {
        self.surveyed = false;
        self.search.inspected.clear();
        self.search.opened.clear();
    }

    /// Whether doing something with a thing failed too often, or cannot work before more is known.
    fn given_up(&self, view: &View<'_>, manipulation: Manipulation, id: ObjectId) -> bool {
        self.failures.get(&(manipulation, id)).is_some_and(|t| {
            let changed = Surroundings::of(view, id).is_none_or(|now| t.with.differ_from(&now));
            !changed && (t.deferred || t.times >= self.config.max_attempts)
        })
    }

    /// Chooses the things that a relation is to hold between, the best choice first; what is missing where one is not
    /// known, or where no way to it is known.
    fn bind(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        relation: &GoalRelation,
        taken: &BTreeSet<ObjectId>,
    ) -> Result<Vec<Wanted>, Missing> {
        let missing = |class: &str, seen: bool, not_seen: FailureReason| Missing {
            class: class.to_owned(),
            reason: if seen {
                FailureReason::Unreachable
            } else {
                not_seen
            },
        };
        let usable = |o: &&SceneObject| {
            !taken.contains(&o.id)
                && !self.given_up(view, Manipulation::Grasp, o.id)
                && !self.given_up(view, Manipulation::Reach, o.id)
        };
        let held = belief.held().filter(|o| o.class == relation.subject);
        let subjects: Vec<&SceneObject> = belief.of_class(&relation.subject).filter(usable).collect();
        let mut movable: Vec<&SceneObject> = match held {
            Some(held) => vec![held],
            None => subjects.iter().copied().filter(|o| ways.lead_to(o)).collect(),
        };
        movable.sort_by(|a, b| view.distance_m(a).total_cmp(&view.distance_m(b)));
        let Some(subject) = movable.first() else {
            return Err(missing(
                &relation.subject,
                !subjects.is_empty(),
                FailureReason::ObjectNotFound,
            ));
        };
        let from_subject = |o: &SceneObject| (o.shape.center - subject.shape.center).xy().norm();
        let targets: Vec<&SceneObject> = belief
            .of_class(&relation.object)
            .filter(|o| o.id != subject.id)
            .flat_map(|o| match relation.kind {
                RelationKind::In => belief.receptacles(o),
                _ => vec![o],
            })
            .filter(|o| {
                !self.given_up(view, Manipulation::Put, o.id)
                    && !self.given_up(view, Manipulation::Reach, o.id)
                    && (relation.kind != RelationKind::In || !self.is_stuck(belief, view, o.id))
            })
            .collect();
        let mut within_reach: Vec<&SceneObject> =
            targets.iter().copied().filter(|o| ways.lead_to(o)).collect();
        within_reach.sort_by(|a, b| from_subject(a).total_cmp(&from_subject(b)));
        let Some(target) = within_reach.first() else {
            return Err(missing(
                &relation.object,
                !targets.is_empty(),
                FailureReason::TargetNotFound,
            ));
        };
        let elsewhere = within_reach
            .get(1)
            .map(|other| (subject.id, relation.kind, other.id));
        let another = movable.get(1).map(|other| (other.id, relation.kind, target.id));
        Ok([Some((subject.id, relation.kind, target.id)), elsewhere, another]
            .into_iter()
            .flatten()
            .filter(|(s, _, t)| s != t)
            .collect())
    }

    /// Whether a container has parts and none of them will open.
    fn is_stuck(&self, belief: &Belief<'_>, view: &View<'_>, container: ObjectId) -> bool {
        let parts = belief.parts_of(container);
        !parts.is_empty()
            && parts.iter().all(|p| {
                self.given_up(view, Manipulation::Articulate, p.id)
                    || self.given_up(view, Manipulation::Reach, p.id)
            })
    }

    /// The next step of the action tree for a goal that may be meant in several ways, and what is intended after it.
    ///
    /// # Errors
    /// Why there is none.
    fn pursue(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        meanings: &[Vec<Wanted>],
    ) -> Result<Decision, Error> {
        let stuck: BTreeSet<ObjectId> = view
            .graph
            .objects
            .iter()
            .filter(|o| {
                self.given_up(view, Manipulation::Articulate, o.id)
                    || self.given_up(view, Manipulation::Reach, o.id)
            })
            .map(|o| o.id)
            .collect();
        let standing = ways.in_rooms(self.rules.plan());
        let before = self.thought.take();
        let think = |before, aside| {
            let meanings: Vec<Vec<Wanted>> = meanings
                .iter()
                .map(|wanted| self.with_stray(belief, view, wanted, aside))
                .collect();
            let question = Question {
                belief: *belief,
                base: view.base,
                at: self.at,
                ways: &meanings,
                rules: &self.rules,
                standing: &standing,
                stuck: &stuck,
                limits: self.config.search,
            };
            Deliberation::next(before, &question)
        };
        let (thought, steps) = match think(before, false) {
            // With the hand full nothing opens: what it holds may have to be put aside first.
            Err(why) if belief.held().is_some() => think(None, true).map_err(|_| why)?,
            other => other?,
        };
        self.thought = Some(thought);
        Ok(Decision::Do(
            steps
                .into_iter()
                .map(|(step, skill)| Intended {
                    skill,
                    label: step_label(belief, step),
                    purpose: Purpose::Plan(step),
                })
                .collect(),
        ))
    }

    /// The goal, and a place for what the hand holds where the goal does not speak of it, or where that is to be
    /// put `aside`: it must be put down before anything else can be done with the hand. The nearest furniture that
    /// has not refused it, and the nearest of all where every one has.
    fn with_stray(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        wanted: &[Wanted],
        aside: bool,
    ) -> Vec<Wanted> {
        let mut wanted = wanted.to_vec();
        let Some(held) = belief.held() else {
            return wanted;
        };
        if aside {
            wanted.retain(|w| w.0 != held.id);
        }
        // What a rule still wants somewhere has a place to go to: were another one wanted for it, it would be put there
        // and taken up again without end.
        let has_place = || {
            let owed = self.rules.rules().owed();
            owed.into_iter()
                .any(|p| matches!(p, Proposition::Related(_, subject, _) if *subject == held.class))
        };
        if wanted.iter().all(|w| w.0 != held.id) && (aside || !has_place()) {
            let refused = |id| {
                self.given_up(view, Manipulation::Put, id) || self.given_up(view, Manipulation::Reach, id)
            };
            let nearest = view
                .graph
                .objects
                .iter()
                .filter(|o| Belief::can_hold_things(o) && !o.surfaces.is_empty())
                .map(|o| (refused(o.id), view.distance_m(o), o.id))
                .min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            wanted.extend(nearest.map(|(_, _, place)| (held.id, RelationKind::On, place)));
        }
        wanted
    }

    /// Success, once every relation was seen to hold recently.
    fn verify(&mut self, belief: &Belief<'_>, view: &View<'_>, wanted: &[Wanted]) -> Decision {
        let since = *self.complete_since.get_or_insert(view.now);
        let fresh = since - Duration::from_secs_f64(self.config.fresh_s);
        for &(subject, kind, target) in wanted {
            let Some(object) = belief.object(subject) else {
                continue;
            };
            if object.last_seen >= fresh {
                continue;
            }
            let purpose = Purpose::Verify(subject);
            let name = |id| label(belief, id);
            let what = format!("whether {} is still {kind} {}", name(subject), name(target));
            if self
                .looks
                .get(&subject)
                .is_some_and(|&n| n >= self.config.max_attempts)
            {
                return Decision::Fail(FailureReason::Unconfirmed, format!("could not see {what}"));
            }
            // It is seen best from where it was seen last; then from near it, then from near what it is on. Inside of
            // something it may have rolled to where it is seen only from right beside that.
            let tries = self.looks.get(&subject).copied().unwrap_or(0);
            if let (1.., RelationKind::In, Some(holder)) = (tries, kind, belief.object(target)) {
                let part = belief.parts_of(target).first().copied().unwrap_or(holder);
                let half_m = holder.shape.half.x.max(holder.shape.half.y);
                let is_close = view.distance_m(holder) < half_m + BESIDE_M + 0.1;
                let mut steps = peek(belief, view, part, is_close);
                for step in &mut steps {
                    step.purpose = purpose;
                }
                return Decision::Do(steps);
            }
            let place = if tries % 2 == 0 { subject } else { target };
            let look = Intended {
                skill: Skill::Look {
                    at: vec![object.shape.center],
                },
                label: format!("look {what}"),
                purpose,
            };
            let go = format!("go and see {what}");
            return Decision::Do(match self.seen_from.get(&subject) {
                Some(&pose) if tries == 0 && self.at != Some(subject) => vec![
                    Intended {
                        skill: Skill::Navigate {
                            to: NavigationTarget::Pose(pose),
                        },
                        label: go,
                        purpose,
                    },
                    look,
                ],
                _ => self.there_first(place, go, look),
            });
        }
        let seen = self.goal.to_string();
        Decision::Succeed(format!("{seen} was observed to hold"))
    }

    /// Goes where something unknown may be, nearest first.
    fn explore(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        missing: &[Missing],
    ) -> Decision {
        if self.search.glance_due {
            return Decision::Do(vec![glance(view)]);
        }
        if let Some((part, is_close)) = self.search.peek_due {
            match belief.object(part) {
                Some(part) => return Decision::Do(peek(belief, view, part, is_close)),
                None => self.search.peek_due = None,
            }
        }
        // What is too large to be in or on anything, and the way to what was seen, are found by driving around.
        let small = missing
            .iter()
            .any(|m| m.reason != FailureReason::Unreachable && !self.config.furniture.contains(&m.class));
        let sought = missing
            .iter()
            .map(|m| m.class.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let mut best: Option<(f64, Vec<Intended>)> = None;
        let mut offer = |cost: f64, what: Vec<Intended>| {
            if best.as_ref().is_none_or(|(b, _)| cost < *b) {
                best = Some((cost, what));
            }
        };
        if let Some((grid, field)) = &ways.field {
            let least_m2 = if self.search.rounds == 0 {
                self.config.min_unseen_m2
            } else {
                0.0
            };
            for f in frontiers(grid, field, self.config.min_frontier_m, least_m2) {
                let old =
                    self.search.frontiers.iter().any(|v| {
                        (v.0 - f.center.0).hypot(v.1 - f.center.1) < self.config.frontier_separation_m
                    });
                if !old {
                    let purpose = Purpose::Frontier(f.center.0, f.center.1, f.length_m);
                    let go = Intended {
                        skill: Skill::Navigate {
                            to: NavigationTarget::Pose(f.viewpoint),
                        },
                        label: format!("explore towards ({:.1}, {:.1})", f.center.0, f.center.1),
                        purpose,
                    };
                    offer(f.travel_m, vec![go]);
                }
            }
        }
        let hand_is_free = belief.held().is_none();
        for o in &view.graph.objects {
            // What the base was driven to is dealt with before anything else that happens to be near.
            let distance = if self.at == Some(o.id) {
                0.0
            } else if let Some(travel_m) = ways.travel_m(o) {
                travel_m
            } else {
                continue;
            };
            // A part whose handle was never seen cannot be opened before it was looked at.
            let handle_hidden = o.articulation.is_some_and(|a| a.handle.is_none());
            let bare = self.config.hold_nothing.contains(&o.class);
            let worth_a_look = small && (Belief::can_hold_things(o) && !bare || handle_hidden);
            if worth_a_look && !self.search.inspected.contains(&o.id) {
                let purpose = Purpose::Inspect(o.id);
                let name = label(belief, o.id);
                let look = Intended {
                    skill: Skill::Look {
                        at: inspection_points(o),
                    },
                    label: format!("look for {sought} on {name}"),
                    purpose,
                };
                let mut steps = self.there_first(o.id, format!("go to {name}"), look);
                if let ([go, _], Some(place)) = (&mut steps[..], ways.in_front_of(o)) {
                    go.skill = Skill::Navigate {
                        to: NavigationTarget::Pose(place),
                    };
                }
                offer(distance + self.config.inspect_cost_m, steps);
            }
            let shut = o
                .articulation
                .is_some_and(|a| a.handle.is_some() && a.is_open() != Some(true));
            if small && shut && hand_is_free && !self.search.opened.contains(&o.id) {
                let purpose = Purpose::Unshut(o.id);
                let name = label(belief, o.id);
                let open = Intended {
                    skill: Skill::Open { part: o.id },
                    label: format!("open {name} to look for {sought}"),
                    purpose,
                };
                let steps = self.there_first(o.id, format!("go to {name}"), open);
                // A drawer that is open hides what is in those below it.
                let height_m = o.shape.center.z.max(0.0);
                offer(distance + self.config.open_cost_m + LOW_FIRST * height_m, steps);
            }
        }
        match best {
            Some((_, steps)) => Decision::Do(steps),
            // All that can be known is known: what was put off is worth a last try.
            None if self.failures.values().any(|t| t.deferred) => {
                for trouble in self.failures.values_mut() {
                    trouble.deferred = false;
                }
                self.decide(view)
            }
            None if self.search.rounds < self.config.max_search_rounds => {
                self.search = SearchState {
                    rounds: self.search.rounds + 1,
                    ..SearchState::default()
                };
                self.surveyed = false;
                Decision::Do(vec![survey(view)])
            }
            None => self.not_found(missing),
        }
    }

    /// Something to do at a thing, after driving there where the base does not stand there already.
    fn there_first(&self, id: ObjectId, label: String, act: Intended) -> Vec<Intended> {
        if self.at == Some(id) {
            return vec![act];
        }
        let go = Intended {
            skill: Skill::Navigate {
                to: NavigationTarget::Object(id),
            },
            label,
            purpose: act.purpose,
        };
        vec![go, act]
    }

    /// The first thing that was given up, and why.
    fn worst(&self) -> Option<(FailureReason, String)> {
        let mut failures = self.failures.iter();
        let ((manipulation, id), trouble) =
            failures.find(|(_, t)| t.times >= self.config.max_attempts && !t.forbidden)?;
        let Trouble { times, detail, .. } = trouble;
        let text = format!("gave up on {id} after {times} attempts, the last: {detail}");
        Some((manipulation.reason(), text))
    }

    /// Why the search ended with nothing: a thing that was found but could not be handled says more than
    /// that no other was found.
    fn not_found(&self, missing: &[Missing]) -> Decision {
        if let Some((reason, text)) = self.worst() {
            return Decision::Fail(reason, format!("{text}; found no other"));
        }
        let Missing { class, reason } = &missing[0];
        let text = if *reason == FailureReason::RuleConflict {
            "searched everything in reach and found no way that keeps the rules".to_owned()
        } else if *reason == FailureReason::Unreachable {
            format!("saw a `{class}`, but searched everything in reach and found no way to it")
        } else {
            format!("searched everything in reach for `{class}` and did not see one")
        };
        Decision::Fail(*reason, text)
    }
}

/// A class that a relation of the goal needs a thing of, and why there is none.
#[derive(Debug)]
struct Missing {
    class: String,
    reason: FailureReason,
}

/// Where the base can get from where it is.
struct Ways<'a> {
    base: (f64, f64),
    /// `None` before the floor is mapped: then everything counts as within reach.
    field: Option<(&'a OccupancyGrid, TravelField)>,
}

impl<'a> Ways<'a> {
    fn new(view: &View<'a>, clearance_m: f64) -> Self {
        let base = (view.base.x_m, view.base.y_m);
        Ways {
            base,
            field: view.grid.map(|g| (g, TravelField::new(g, base, clearance_m))),
        }
    }

    /// Travel to where a thing can be seen from close by, metres.
    fn travel_m(&self, o: &SceneObject) -> Option<f64> {
        let p = (o.shape.center.x, o.shape.center.y);
        match &self.field {
            Some((grid, field)) => field.near_m(grid, p, NEAR_M + o.shape.half.x.hypot(o.shape.half.y)),
            None => Some((p.0 - self.base.0).hypot(p.1 - self.base.1)),
        }
    }

    /// Where to stand to see what is behind the long side of furniture, such as boards and drawers; `None` for
    /// furniture without a long side, or where the base cannot stand there.
    fn in_front_of(&self, o: &SceneObject) -> Option<Pose2> {
        let (grid, field) = self.field.as_ref()?;
        if !is_long(o) {
            return None;
        }
        let (s, c) = o.shape.yaw_rad.sin_cos();
        let away = o.shape.half.y + IN_FRONT_M;
        [1.0, -1.0]
            .into_iter()
            .filter_map(|side| {
                let (dx, dy) = (-s * side * away, c * side * away);
                let at = (o.shape.center.x + dx, o.shape.center.y + dy);
                let travel = field.near_m(grid, at, 0.3)?;
                Some((travel, Pose2::new(at.0, at.1, (-dy).atan2(-dx))))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, pose)| pose)
    }

    /// Where the base can stand in each room, nearest to its middle.
    fn in_rooms(&self, plan: &FloorPlan) -> BTreeMap<usize, Pose2> {
        let Some((grid, field)) = &self.field else {
            return BTreeMap::new();
        };
        let rooms = plan.rooms.iter().enumerate();
        rooms
            .filter_map(|(at, room)| {
                let middle = (room.area.middle.x_m, room.area.middle.y_m);
                let radius = room.area.half_x_m.hypot(room.area.half_y_m);
                let (x, y) = field.place_near(grid, middle, radius)?;
                let inside = room.area.contains(x, y, -0.3);
                inside.then(|| (at, Pose2::new(x, y, (middle.1 - y).atan2(middle.0 - x))))
            })
            .collect()
    }

    /// Whether the base can get near a thing as far as is known now.
    fn lead_to(&self, o: &SceneObject) -> bool {
        self.travel_m(o).is_some()
    }
}

fn label(belief: &Belief<'_>, id: ObjectId) -> String {
    belief
        .object(id)
        .map_or_else(|| id.to_string(), |o| format!("{} {id}", o.class))
}

fn step_label(belief: &Belief<'_>, step: Step) -> String {
    let name = |id| label(belief, id);
    match step {
        Step::Navigate(to) if belief.object(to).is_none() => "go to the room".to_owned(),
        Step::Navigate(to) => format!("go to {}", name(to)),
        Step::Open(part) => format!("open {}", name(part)),
        Step::Close(part) => format!("close {}", name(part)),
        Step::Pick(object) => format!("pick {}", name(object)),
        Step::Place(object, relation, target) => {
            format!("place {} {relation} {}", name(object), name(target))
        }
    }
}

/// A full turn of looks around the base.
fn survey(view: &View<'_>) -> Intended {
    let turn = 6;
    let at = (0..turn)
        .map(|i| {
            let bearing = view.base.yaw_rad + std::f64::consts::TAU * f64::from(i) / f64::from(turn);
            Point3::new(
                view.base.x_m + 2.5 * bearing.cos(),
                view.base.y_m + 2.5 * bearing.sin(),
                0.5,
            )
        })
        .collect();
    Intended {
        skill: Skill::Look { at },
        label: "look around".into(),
        purpose: Purpose::Survey,
    }
}

/// Looks inside what an open part closes: behind a door from in front of the opening, in a bin from right beside it, where
/// only that shows the bottom.
fn peek(belief: &Belief<'_>, view: &View<'_>, part: &SceneObject, is_close: bool) -> Vec<Intended> {
    let articulation = part.articulation;
    let is_drawer = articulation.is_some_and(|a| a.prismatic);
    let is_lid = articulation.is_some_and(|a| !a.prismatic && a.axis.z.abs() < 0.5);
    let owner = articulation
        .and_then(|a| a.owner)
        .and_then(|id| belief.object(id));
    let inside = if is_drawer { part } else { owner.unwrap_or(part) };
    let shape = &inside.shape;
    let is_open_above = articulation.is_none();
    // Behind a door there may be boards; what lies in a bin or a drawer lies at the bottom.
    let shares: &[f64] = if is_drawer || is_lid {
        &[0.3]
    } else if is_open_above {
        &[0.25, 0.75, 1.0]
    } else {
        &[0.25, 0.75]
    };
    let at = shares
        .iter()
        .map(|share| {
            let z = shape.bottom_m() + share * 2.0 * shape.half.z;
            Point3::new(shape.center.x, shape.center.y, z)
        })
        .collect();
    let look = Intended {
        skill: Skill::Look { at },
        label: format!("look into {}", label(belief, inside.id)),
        purpose: Purpose::Peek,
    };
    let place = if is_close {
        None
    } else if is_lid || is_open_above {
        Some(beside(shape, &view.base))
    } else if is_drawer {
        None
    } else {
        articulation
            .and_then(|a| a.opening_heading(shape))
            .and_then(|heading| in_front_of_opening(shape, heading, &view.base))
    };
    let Some(place) = place else {
        return vec![look];
    };
    let go = Intended {
        skill: Skill::Navigate {
            to: NavigationTarget::Pose(place),
        },
        label: format!("go right up to {}", label(belief, inside.id)),
        purpose: Purpose::Peek,
    };
    vec![go, look]
}

/// Right beside a thing, at the side that the base is nearest to.
fn beside(shape: &OrientedBox, base: &Pose2) -> Pose2 {
    let pose = shape.pose();
    let local = pose.inverse_transform_point(&Point3::new(base.x_m, base.y_m, shape.center.z));
    let half = shape.half;
    let at = if local.x.abs() - half.x > local.y.abs() - half.y {
        Point3::new((half.x + BESIDE_M).copysign(local.x), 0.0, 0.0)
    } else {
        Point3::new(0.0, (half.y + BESIDE_M).copysign(local.y), 0.0)
    };
    facing(&(pose * at), &shape.center)
}

/// In front of the opening of furniture, [`None`] for a base that sees all of the inside from where it stands.
fn in_front_of_opening(shape: &OrientedBox, heading: f64, base: &Pose2) -> Option<Pose2> {
    let away = Vector3::new(heading.cos(), heading.sin(), 0.0);
    let local = shape.pose().inverse_transform_vector(&away);
    let depth = (local.x * shape.half.x).abs() + (local.y * shape.half.y).abs();
    let opening = shape.center + away * depth;
    let bearing = (base.y_m - opening.y).atan2(base.x_m - opening.x);
    let aside = wrap_angle_rad(bearing - heading).abs();
    (aside > FULLY_SEEN_RAD).then(|| facing(&(opening + away * BEFORE_OPENING_M), &shape.center))
}

/// A place from which the base faces a point.
fn facing(at: &Point3, point: &Point3) -> Pose2 {
    Pose2::new(at.x, at.y, (point.y - at.y).atan2(point.x - at.x))
}

/// Looks to both sides from where the base stands, without turning it.
fn glance(view: &View<'_>) -> Intended {
    let at = [0.65, -0.65]
        .map(|turn| {
            let bearing = view.base.yaw_rad + turn;
            Point3::new(
                view.base.x_m + 2.5 * bearing.cos(),
                view.base.y_m + 2.5 * bearing.sin(),
                0.5,
            )
        })
        .to_vec();
    Intended {
        skill: Skill::Look { at },
        label: "look to both sides".into(),
        purpose: Purpose::Glance,
    }
}

/// Whether things may stand one above the other in a piece of furniture.
fn has_boards(o: &SceneObject) -> bool {
    o.surfaces.len() > 1 || o.shape.top_m() > SHELVES_FROM_M
}

/// Whether furniture is so long that its front must be one of the long sides.
fn is_long(o: &SceneObject) -> bool {
    Belief::is_furniture(o) && o.shape.half.x > LONG * o.shape.half.y
}

/// Whether a camera looks at the front of furniture, where that matters for what it shows.
fn is_faced(o: &SceneObject, camera: &Point3) -> bool {
    let local = o.shape.pose().inverse_transform_point(camera);
    !is_long(o) || local.y.abs() > FACING * local.x.hypot(local.y)
}

/// Points that together show what stands on a piece of furniture: its middle, its ends where it is long, and low and
/// high where there may be boards.
fn inspection_points(o: &SceneObject) -> Vec<Point3> {
    if has_boards(o) {
        let at = |share: f64| {
            Point3::new(
                o.shape.center.x,
                o.shape.center.y,
                share * o.shape.top_m().min(1.8),
            )
        };
        return vec![at(0.35), at(0.75)];
    }
    let height = o
        .surfaces
        .last()
        .map_or(o.shape.top_m(), |s| s.height_m())
        .min(1.4);
    let long_x = o.shape.half.x >= o.shape.half.y;
    let half = o.shape.half.x.max(o.shape.half.y);
    let pose = o.shape.pose();
    let along = |d: f64| {
        let local = if long_x {
            Point3::new(d, 0.0, 0.0)
        } else {
            Point3::new(0.0, d, 0.0)
        };
        let p = pose * local;
        Point3::new(p.x, p.y, height)
    };
    if half < 0.6 {
        vec![along(0.0)]
    } else {
        vec![along(-half * 0.6), along(half * 0.6)]
    }
}
