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

mod faces;
mod pursue;
mod seek;
mod trouble;
mod verify;
mod views;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::{Point3, Pose2, Pose3};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    FailureReason, FloorArea, FloorPlan, Goal, GoalRelation, NavigationTarget, OccupancyGrid, RelationKind,
    SceneGraph, SceneObject, Skill, SkillFailure, TreeNode,
};
use steward_core::{Duration, Time};

use self::pursue::Missing;
use self::seek::SearchState;
use self::trouble::{InTheWay, Manipulation, Surroundings, Trouble};
use self::views::{Peek, inspection_points, peek, survey};
use self::ways::Ways;
use crate::Error;
use crate::belief::{Belief, Step, Wanted};
use crate::config::MissionConfig;
use crate::deliberate::{Deliberation, is_thinkable};
use crate::house_rules::{HouseRules, Objection, Proposition, Rules, Situation};

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

    pub(crate) fn situation(&self) -> Situation<'a> {
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

/// From where a thing was seen from near: over rims and what stands before it one looks best from above.
#[derive(Debug, Clone, Copy)]
struct Vantage {
    base: Pose2,
    /// Where the thing was.
    at: Point3,
    /// Height of the camera over the thing by the way there over the ground.
    steepness: f64,
}

impl Vantage {
    /// For a thing of which no image tells how steeply it was seen.
    fn unmeasured(base: Pose2, at: Point3) -> Self {
        Vantage {
            base,
            at,
            steepness: 0.0,
        }
    }

    fn seen_by(camera: &Point3, base: Pose2, at: Point3) -> Self {
        Vantage {
            base,
            at,
            steepness: (camera.z - at.z) / (camera - at).xy().norm().max(0.1),
        }
    }

    /// Whether another one shows the thing as well, where it is now.
    fn gives_way_to(&self, other: &Vantage) -> bool {
        const SAME_PLACE_M: f64 = 0.1;
        const AS_STEEP: f64 = 0.9;
        (self.at - other.at).norm() > SAME_PLACE_M || other.steepness > AS_STEEP * self.steepness
    }
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
    /// See from a side, by its number, how a piece of furniture opens.
    Face(ObjectId, usize),
    /// See what stands on a piece of furniture, or inside an open one.
    Inspect(ObjectId),
    /// See what is behind a shut door.
    Unshut(ObjectId),
    /// A step of the plan.
    Plan(Step),
    /// See whether a relation still holds.
    Verify(ObjectId),
    /// It was asked for, see [`Single`](crate::single::Single).
    Asked,
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
    /// Sides of furniture that were looked at for the front of a door, a lid or a drawer, by their number.
    faced: BTreeSet<(ObjectId, usize)>,
    /// How often a thing was looked for, or could not be got at, to see whether it is still in its place.
    looks: BTreeMap<ObjectId, u32>,
    /// Since when all of the goal is believed to hold. One round of looks ends it, however long the ways are.
    complete_since: Option<Time>,
    /// From where things were seen from near.
    seen_from: BTreeMap<ObjectId, Vantage>,
    /// How often a thing was put somewhere.
    placed: BTreeMap<Wanted, u32>,
    /// What was put into something, or fell back into it, and from how many sides it was looked for there since.
    put_into: BTreeMap<(ObjectId, ObjectId), usize>,
    /// Parts that stood open when what is behind them was looked at.
    looked_past: BTreeSet<ObjectId>,
    /// What was to be taken out of something last, and out of what.
    taken_out: Option<(ObjectId, ObjectId)>,
    in_the_way: Option<InTheWay>,
    /// What was to be taken out of the way, each thing once.
    moved_aside: BTreeSet<ObjectId>,
    /// Parts that were to be shut because they narrowed a way.
    shut_for_way: BTreeSet<ObjectId>,
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
            faced: BTreeSet::new(),
            looks: BTreeMap::new(),
            complete_since: None,
            seen_from: BTreeMap::new(),
            placed: BTreeMap::new(),
            put_into: BTreeMap::new(),
            looked_past: BTreeSet::new(),
            taken_out: None,
            in_the_way: None,
            moved_aside: BTreeSet::new(),
            shut_for_way: BTreeSet::new(),
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
                Ok(_) => {
                    if let Purpose::Plan(Step::Pick(object)) = first.purpose {
                        let container = view.belief().container_of(object);
                        self.taken_out = container.map(|container| (object, container));
                    }
                    return decision;
                }
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
            Purpose::Closer | Purpose::Asked => {}
            Purpose::Face(id, side) => {
                self.faced.insert((id, side));
            }
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
            // Where the first round found nothing, the way out may not have been seen.
            return Decision::Do(vec![survey(view, self.search.rounds > 0)]);
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
        // Before anything else is decided: what is inside may settle it.
        if self.search.peek_due.is_none()
            && let Some((container, side)) = self.lost_inside(&belief)
        {
            self.search.peek_due = Some(Peek {
                side,
                ..Peek::into(belief.way_into(container))
            });
        }
        if let Some(due) = self.search.peek_due {
            match belief.object(due.part) {
                Some(part) => return Decision::Do(peek(&belief, view, &ways, part, &due)),
                None => self.search.peek_due = None,
            }
        }
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
        if let Some(obstacle) = self.in_the_way {
            match self.elsewhere(&belief, view, &obstacle) {
                // Only what is to be moved takes the place of what it keeps from being done.
                Some(place) if !belief.holds(obstacle.thing, RelationKind::On, place) => {
                    wanted.retain(|w| !obstacle.keeps_from(w) || belief.holds(w.0, w.1, w.2));
                    others.clear();
                    if wanted.iter().all(|w| w.0 != obstacle.thing) {
                        wanted.push((obstacle.thing, RelationKind::On, place));
                    }
                }
                _ => self.in_the_way = None,
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
                return self.verify(&belief, view, &ways, &wanted);
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
        // Whether it has to be opened decides what is to be done first.
        let into = open.iter().filter(|(_, kind, _)| *kind == RelationKind::In);
        let mut containers = into.filter_map(|(_, _, container)| belief.object(*container));
        if let Some((_, steps)) = containers.find_map(|o| self.to_its_front(&belief, &ways, o)) {
            return Decision::Do(steps);
        }
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
                    } else if let Some(decision) = self.pursue_part(&belief, view, &ways, &wanted, &open) {
                        return decision;
                    }
                    self.no_plan = Some(error);
                }
            }
        }
        self.thought = None;
        if belief.held().is_none()
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
                if let Some(due) = &mut self.search.peek_due {
                    due.is_close = true;
                }
            }
            Purpose::Peek => self.search.peek_due = None,
            Purpose::Closer | Purpose::Asked => {}
            Purpose::Face(id, side) => {
                self.faced.insert((id, side));
                self.closer = Some(id);
            }
            Purpose::Inspect(id) | Purpose::Unshut(id) if travelled && done => self.at = Some(id),
            Purpose::Inspect(id) => {
                self.search.inspected.insert(id);
            }
            Purpose::Unshut(part) => {
                self.search.opened.insert(part);
                self.looked_past.insert(part);
                // Also into what did not open all the way.
                let part_now = view.belief().object(part).and_then(|o| o.articulation);
                let lets_in = part_now.is_some_and(|a| a.lets_in() == Some(true));
                if (done || lets_in) && !travelled {
                    self.search.peek_due = Some(Peek::into(part));
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
                    // The next look is from elsewhere.
                    self.at = None;
                }
            }
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
