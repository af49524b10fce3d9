//! Rules of a house in the loop: what they speak of, how they stand, and what they forbid now.
//!
//! ```text
//!   texts ──► Rules: automata, what their propositions mean
//!                │
//!   scene graph, base, rooms ──► HouseRules ──► monitors ──► broken? owed?
//!                                    │
//!                     a skill ──► what it may change ──► allowed, and where the base must not go;
//!                                                        or the rule that forbids it
//! ```
//!
//! A step of a trace is a change of what holds. How long something holds, and how many steps something takes, is
//! not seen, so formulas with a next operator are refused.

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::Pose2;
use steward_core::ids::ObjectId;
use steward_core::messages::{
    FloorArea, FloorPlan, NavigationTarget, Presence, RelationKind, RuleMonitor, RuleVerdict, SceneGraph,
    SceneObject, Skill,
};
use steward_core::{Duration, Time};
use steward_ltl::{Node, Prop, RuleSet, Step, Verdict, Watch};

use crate::belief::Belief;
use crate::{Error, Result};

/// Most rules of a task.
pub const MAX_RULES: usize = 32;
/// What is seen must stay so for this long before the monitors are told, so that one bad image breaks no rule.
const SETTLE: Duration = Duration::from_millis(1000);
/// Things this much farther apart than counts as near may still turn out near, metres.
const NEAR_MARGIN_M: f64 = 0.3;
/// Bound on the situations that are looked at to judge one skill.
const MAX_SITUATIONS: usize = 20_000;

/// What a proposition of a rule means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposition {
    /// The middle of the robot's base is in one of these rooms, by their numbers in the floor plan.
    RobotIn(Vec<usize>),
    /// Some thing of the first class relates so to some thing of the second. What is in a drawer is in the
    /// furniture that the drawer belongs to.
    Related(RelationKind, String, String),
    /// Some thing of this class, or some part of such a thing, is open.
    Open(String),
    /// The robot holds a thing of this class.
    Held(String),
}

impl Proposition {
    /// Classes that it speaks of.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Proposition::RobotIn(_) => (None, None),
            Proposition::Related(_, subject, object) => (Some(subject), Some(object)),
            Proposition::Open(class) | Proposition::Held(class) => (Some(class), None),
        };
        first.into_iter().chain(second).map(String::as_str)
    }
}

/// Rules with the meanings of their propositions, and how they stand.
#[derive(Debug, Clone)]
pub struct Rules {
    set: RuleSet,
    propositions: Vec<(Prop, Proposition)>,
    watch: Watch,
    /// What held when the monitors were told last; [`None`] before the first time.
    holding: Option<Vec<bool>>,
}

impl Rules {
    /// Reads rules. Names are looked up among `classes` (any name will do where that is empty) and the rooms of the
    /// plan, by name or by kind.
    ///
    /// # Errors
    /// [`Error::Rule`], whose text says which rule, what is wrong and what to write instead.
    pub fn read(texts: &[String], classes: &BTreeSet<String>, plan: Option<&FloorPlan>) -> Result<Rules> {
        let set = parse(texts)?;
        let mut used: Vec<Prop> = set
            .rules()
            .iter()
            .flat_map(|rule| set.arena().props_of(&[rule.formula()]))
            .collect();
        used.sort_unstable();
        used.dedup();
        let propositions = used
            .into_iter()
            .map(|prop| Ok((prop, meaning(set.arena().name(prop), classes, plan)?)))
            .collect::<Result<_>>()?;
        Ok(Rules {
            watch: Watch::new(&set),
            set,
            propositions,
            holding: None,
        })
    }

    /// The rules themselves.
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// The monitors.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.set.rules().is_empty()
    }

    /// What the rules speak of.
    pub fn propositions(&self) -> &[(Prop, Proposition)] {
        &self.propositions
    }

    /// Tells the monitors what holds, in the order of [`Rules::propositions`]; nothing happens where it held before.
    pub fn show(&mut self, holding: Vec<bool>) {
        if self.holding.as_ref() == Some(&holding) {
            return;
        }
        let step = self.step(&holding);
        // A set without a domain refuses no step.
        let _ = self.watch.step(&self.set, &step);
        self.holding = Some(holding);
    }

    fn step(&self, holding: &[bool]) -> Step {
        let props = self.propositions.iter().zip(holding);
        Step::of(props.filter(|(_, holds)| **holds).map(|((prop, _), _)| *prop))
    }

    /// How each rule stands.
    pub fn verdicts(&self) -> Vec<RuleVerdict> {
        let monitors = self.watch.monitors().iter();
        monitors.map(|monitor| told(monitor.verdict())).collect()
    }

    /// The same with the rules, and with what is owed, in words.
    pub fn standing(&self) -> Vec<RuleMonitor> {
        let arena = self.set.arena();
        let monitors = self.watch.monitors().iter();
        monitors
            .map(|monitor| RuleMonitor {
                rule: arena.text(monitor.rule().formula()),
                verdict: told(monitor.verdict()),
                owed: monitor.open_obligations(arena),
            })
            .collect()
    }

    /// Whether nothing is broken or owed.
    pub fn may_end(&self) -> bool {
        self.watch.may_end()
    }

    /// The texts of the rules that are broken for good.
    pub fn broken(&self) -> Vec<String> {
        self.with_verdict(Verdict::PermanentlyViolated)
    }

    /// The texts of the rules by which something is still to be done.
    pub fn owing(&self) -> Vec<String> {
        self.with_verdict(Verdict::OpenObligation)
    }

    fn with_verdict(&self, verdict: Verdict) -> Vec<String> {
        let monitors = self.watch.monitors().iter();
        monitors
            .filter(|monitor| monitor.verdict() == verdict)
            .map(|monitor| self.set.arena().text(monitor.rule().formula()))
            .collect()
    }

    /// Propositions of the rules by which something is still to be done.
    pub fn owed(&self) -> Vec<&Proposition> {
        let owing = self.watch.monitors().iter();
        let formulas: Vec<_> = owing
            .filter(|monitor| monitor.verdict() == Verdict::OpenObligation)
            .map(|monitor| monitor.rule().owed(monitor.state()))
            .collect();
        let props = self.set.arena().props_of(&formulas);
        let known = self.propositions.iter();
        known
            .filter(|(prop, _)| props.contains(prop))
            .map(|(_, meaning)| meaning)
            .collect()
    }
}

fn told(verdict: Verdict) -> RuleVerdict {
    match verdict {
        Verdict::PermanentlySatisfied => RuleVerdict::PermanentlySatisfied,
        Verdict::SatisfiedSoFar => RuleVerdict::SatisfiedSoFar,
        Verdict::OpenObligation => RuleVerdict::OpenObligation,
        Verdict::PermanentlyViolated => RuleVerdict::PermanentlyViolated,
    }
}

/// Whether these are rules, whatever they name: that can be looked up only once there is a floor plan.
///
/// # Errors
/// As [`Rules::read`].
pub fn check(texts: &[String]) -> Result<()> {
    parse(texts).map(drop)
}

fn parse(texts: &[String]) -> Result<RuleSet> {
    if texts.len() > MAX_RULES {
        return Err(Error::Rule(format!(
            "{} rules are given, at most {MAX_RULES} are possible; join some with &",
            texts.len()
        )));
    }
    let named = texts
        .iter()
        .enumerate()
        .map(|(at, text)| (format!("rule {}", at + 1), text));
    let set = RuleSet::one_shot(named).map_err(|error| Error::Rule(error.to_string()))?;
    for rule in set.rules() {
        let steps =
            |f: &steward_ltl::Formula| matches!(set.arena().node(*f), Node::Next(_) | Node::WeakNext(_));
        if set.arena().subformulas(&[rule.formula()]).iter().any(steps) {
            return Err(Error::Rule(format!(
                "{}, {}: at home there is no next step, things change when they change; use F, G, U or W",
                rule.name(),
                set.arena().text(rule.formula())
            )));
        }
    }
    Ok(set)
}

/// Reads `on(mug, desk)`, `in(robot, bedroom)`, `open(fridge)` or `held(mug)`.
fn meaning(name: &str, classes: &BTreeSet<String>, plan: Option<&FloorPlan>) -> Result<Proposition> {
    let expected = "write in(robot, room), on(thing, place), in(thing, place), near(thing, place), \
                    open(thing) or held(thing)";
    let wrong = || {
        Error::Rule(format!(
            "`{name}` says nothing that the robot can see; {expected}"
        ))
    };
    let (head, rest) = name.split_once('(').ok_or_else(wrong)?;
    let inside = rest.strip_suffix(')').ok_or_else(wrong)?;
    let places: Vec<&str> = inside.split(',').map(str::trim).collect();
    let class = |class: &str| -> Result<String> {
        if classes.is_empty() || classes.contains(class) {
            return Ok(class.to_owned());
        }
        let rooms = plan.map_or(&[][..], |plan| &plan.rooms);
        let what = if class == "robot" {
            "the robot can only be said to be in a room".to_owned()
        } else if rooms.iter().any(|room| room.name == class || room.kind == class) {
            "only the robot can be said to be in a room; name a piece of furniture".to_owned()
        } else {
            format!("the robot knows no `{class}`")
        };
        Err(Error::Rule(format!("`{name}`: {what}; {expected}")))
    };
    Ok(match (head, &places[..]) {
        ("in", ["robot", room]) => {
            let Some(plan) = plan else {
                return Err(Error::Rule(format!(
                    "`{name}` needs a floor plan, and none was given; give one or leave the rule out"
                )));
            };
            let rooms: Vec<usize> = (0..plan.rooms.len())
                .filter(|at| plan.rooms[*at].name == *room || plan.rooms[*at].kind == *room)
                .collect();
            if rooms.is_empty() {
                let known: Vec<&str> = plan.rooms.iter().map(|room| room.name.as_str()).collect();
                return Err(Error::Rule(format!(
                    "`{name}`: there is no room `{room}`; there are {}",
                    known.join(", ")
                )));
            }
            Proposition::RobotIn(rooms)
        }
        ("on", [a, b]) => Proposition::Related(RelationKind::On, class(a)?, class(b)?),
        ("in", [a, b]) => Proposition::Related(RelationKind::In, class(a)?, class(b)?),
        ("near", [a, b]) => Proposition::Related(RelationKind::Near, class(a)?, class(b)?),
        ("open", [a]) => Proposition::Open(class(a)?),
        ("held", [a]) => Proposition::Held(class(a)?),
        _ => return Err(wrong()),
    })
}

/// What the robot knows when rules are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Now.
    pub now: Time,
    /// What is remembered.
    pub graph: &'a SceneGraph,
    /// Where the base is, frame `map`.
    pub base: Pose2,
}

impl<'a> Situation<'a> {
    fn belief(&self) -> Belief<'a> {
        Belief { graph: self.graph }
    }
}

/// Rules, watched on what the robot sees.
#[derive(Debug, Clone)]
pub struct HouseRules {
    rules: Rules,
    plan: FloorPlan,
    /// What holds by what was seen long enough, and what is seen instead since when.
    seen: Vec<(bool, Option<Time>)>,
}

/// Why a skill is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection(pub String);

impl HouseRules {
    /// Rules for a robot that knows these rooms.
    pub fn new(rules: Rules, plan: FloorPlan) -> HouseRules {
        HouseRules {
            seen: Vec::new(),
            rules,
            plan,
        }
    }

    /// The rules and how they stand.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The rooms.
    pub fn plan(&self) -> &FloorPlan {
        &self.plan
    }

    /// Tells the monitors what is seen. What a skill that has just ended was to change counts at once, everything
    /// else when it has been seen for a while.
    pub fn observe(&mut self, situation: &Situation<'_>, ended: Option<&Skill>) {
        if self.rules.is_empty() {
            return;
        }
        let raw = self.raw(situation);
        if self.seen.is_empty() {
            self.seen = raw.iter().map(|value| (value.unwrap_or(false), None)).collect();
        }
        let at_once: BTreeSet<usize> = ended
            .and_then(|skill| self.changes(situation, skill).ok())
            .unwrap_or_default();
        for (at, (value, meaning)) in raw.into_iter().zip(&self.rules.propositions).enumerate() {
            let (settled, since) = &mut self.seen[at];
            let Some(value) = value.filter(|value| value != settled) else {
                *since = None;
                continue;
            };
            let began = *since.get_or_insert(situation.now);
            let immediate = at_once.contains(&at) || matches!(meaning.1, Proposition::RobotIn(_));
            if immediate || situation.now - began >= SETTLE {
                (*settled, *since) = (value, None);
            }
        }
        self.rules
            .show(self.seen.iter().map(|(value, _)| *value).collect());
    }

    /// What is seen to hold now; [`None`] where that cannot be told.
    fn raw(&self, situation: &Situation<'_>) -> Vec<Option<bool>> {
        let propositions = self.rules.propositions.iter();
        propositions
            .map(|(_, meaning)| self.holds(situation, meaning))
            .collect()
    }

    fn holds(&self, situation: &Situation<'_>, meaning: &Proposition) -> Option<bool> {
        let belief = situation.belief();
        match meaning {
            Proposition::RobotIn(rooms) => {
                let room = self.plan.room_at(situation.base.x_m, situation.base.y_m);
                Some(room.is_some_and(|room| rooms.contains(&room)))
            }
            Proposition::Related(kind, subject, object) => {
                Some(pairs(&belief, *kind, subject, object).next().is_some())
            }
            Proposition::Held(class) => Some(belief.held().is_some_and(|o| o.class == *class)),
            Proposition::Open(class) => {
                let mut known = None;
                for part in parts_of_class(&belief, class) {
                    match part.articulation.and_then(|a| a.is_closed()) {
                        Some(false) => return Some(true),
                        Some(true) => known = known.or(Some(false)),
                        None => {}
                    }
                }
                known
            }
        }
    }

    /// The propositions that may change while a skill runs.
    fn changes(
        &self,
        situation: &Situation<'_>,
        skill: &Skill,
    ) -> std::result::Result<BTreeSet<usize>, Objection> {
        let belief = situation.belief();
        let known = |id: ObjectId| {
            belief.object(id).ok_or_else(|| {
                Objection(format!(
                    "{id} is not in memory, so nobody can say what this changes"
                ))
            })
        };
        let holds = |at: usize| self.seen.get(at).is_some_and(|(value, _)| *value);
        let of_class = |o: &SceneObject, class: &str| {
            let owner = o
                .articulation
                .and_then(|a| a.owner)
                .and_then(|id| belief.object(id));
            o.class == class || owner.is_some_and(|owner| owner.class == class)
        };
        // A part whose owner is not known yet may belong to anything.
        let may_be = |o: &SceneObject, class: &str| {
            of_class(o, class) || o.articulation.is_some_and(|a| a.owner.is_none())
        };
        let mut changes = BTreeSet::new();
        let propositions = || {
            self.rules
                .propositions
                .iter()
                .map(|(_, meaning)| meaning)
                .enumerate()
        };
        match skill {
            Skill::Navigate { .. } | Skill::Look { .. } => {}
            Skill::Open { part } => {
                let part = known(*part)?;
                for (at, meaning) in propositions() {
                    if let Proposition::Open(class) = meaning
                        && !holds(at)
                        && may_be(part, class)
                    {
                        changes.insert(at);
                    }
                }
            }
            Skill::Close { part } => {
                let part = known(*part)?;
                for (at, meaning) in propositions() {
                    if let Proposition::Open(class) = meaning
                        && holds(at)
                        && may_be(part, class)
                    {
                        changes.insert(at);
                    }
                }
            }
            Skill::Pick { object } => {
                let object = known(*object)?;
                for (at, meaning) in propositions() {
                    match meaning {
                        Proposition::Held(class) if *class == object.class && !holds(at) => {
                            changes.insert(at);
                        }
                        Proposition::Related(kind, subject, target) if holds(at) => {
                            let mut left = pairs(&belief, *kind, subject, target)
                                .filter(|(s, t)| *s != object.id && *t != object.id);
                            if left.next().is_none() {
                                changes.insert(at);
                            }
                        }
                        _ => {}
                    }
                }
            }
            Skill::Place {
                object,
                relation,
                target,
            } => {
                let (object, target) = (known(*object)?, known(*target)?);
                let landings = landings(&belief, *relation, target);
                for (at, meaning) in propositions() {
                    let comes = match meaning {
                        Proposition::Held(class) => *class == object.class && holds(at),
                        Proposition::Related(RelationKind::Near, subject, class) => {
                            let other = if *subject == object.class {
                                class
                            } else if *class == object.class {
                                subject
                            } else {
                                continue;
                            };
                            // Anything close enough to where it is put down.
                            !holds(at)
                                && belief.of_class(other).any(|o| {
                                    o.id != object.id
                                        && o.shape.aabb().distance_m(&target.shape.aabb())
                                            <= RelationKind::NEAR_M + NEAR_MARGIN_M
                                })
                        }
                        Proposition::Related(_, subject, class) => {
                            *subject == object.class
                                && !holds(at)
                                && landings
                                    .as_ref()
                                    .is_none_or(|on| on.iter().any(|o| may_be(o, class)))
                        }
                        _ => false,
                    };
                    if comes {
                        changes.insert(at);
                    }
                }
            }
        }
        Ok(changes)
    }

    /// Whether a skill may run now: the rooms that the base must not enter meanwhile.
    ///
    /// Whatever the skill may change is taken to change at any moment of it, in any order or not at all, and the base
    /// to drive through every room that is not kept out, in any order. Rooms are let in one after the other, first the
    /// one where the base is and the one where it is to go; a room with which some course of events breaks a rule
    /// is kept out.
    ///
    /// # Errors
    /// The [`Objection`] where a rule would be broken all the same, or where that cannot be judged.
    pub fn judge(
        &self,
        situation: &Situation<'_>,
        skill: &Skill,
    ) -> std::result::Result<Vec<usize>, Objection> {
        if self.rules.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<usize> = self.changes(situation, skill)?.into_iter().collect();
        if changes.len() > 8 {
            let text = format!(
                "it may change {} things at once, more than can be judged",
                changes.len()
            );
            return Err(Objection(text));
        }
        let rooms = self.rooms_that_matter();
        let here = self.plan.room_at(situation.base.x_m, situation.base.y_m);
        let goal = self.destination(situation, skill)?;
        let mut let_in: Vec<usize> = here.into_iter().collect();
        self.try_course(here, &let_in, &changes)?;
        if let Some(goal) = goal.filter(|goal| rooms.contains(goal) && !let_in.contains(goal)) {
            let_in.push(goal);
            self.try_course(here, &let_in, &changes)?;
        }
        let mut kept_out = Vec::new();
        for room in rooms {
            if let_in.contains(&room) {
                continue;
            }
            let_in.push(room);
            if self.try_course(here, &let_in, &changes).is_err() {
                let_in.pop();
                kept_out.push(room);
            }
        }
        Ok(kept_out)
    }

    /// Floor of rooms.
    pub fn areas(&self, rooms: &[usize]) -> Vec<FloorArea> {
        let rooms = rooms.iter().filter_map(|room| self.plan.rooms.get(*room));
        rooms.map(|room| room.area).collect()
    }

    /// Rooms that some rule speaks of.
    fn rooms_that_matter(&self) -> Vec<usize> {
        let mut rooms: Vec<usize> = self
            .rules
            .propositions
            .iter()
            .filter_map(|(_, meaning)| match meaning {
                Proposition::RobotIn(rooms) => Some(rooms.iter().copied()),
                _ => None,
            })
            .flatten()
            .collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    /// The room that the base is to drive to.
    fn destination(
        &self,
        situation: &Situation<'_>,
        skill: &Skill,
    ) -> std::result::Result<Option<usize>, Objection> {
        let belief = situation.belief();
        let (x, y) = match skill {
            Skill::Navigate {
                to: NavigationTarget::Pose(pose),
            } => (pose.x_m, pose.y_m),
            Skill::Navigate {
                to: NavigationTarget::Object(id),
            } => match belief.object(*id) {
                Some(o) => (o.shape.center.x, o.shape.center.y),
                None => {
                    return Err(Objection(format!(
                        "{id} is not in memory, so nobody knows its room"
                    )));
                }
            },
            _ => return Ok(None),
        };
        Ok(self.plan.room_at(x, y))
    }

    /// Whether some course of events within these rooms, with these changes, breaks a rule.
    fn try_course(
        &self,
        here: Option<usize>,
        rooms: &[usize],
        changes: &[usize],
    ) -> std::result::Result<(), Objection> {
        type Place = (u32, Vec<u32>, Option<usize>);
        let states = |watch: &Watch| watch.monitors().iter().map(|m| m.state()).collect::<Vec<u32>>();
        let mut open = vec![(0u32, self.rules.watch.clone(), here)];
        let mut seen: BTreeSet<Place> = BTreeSet::from([(0, states(&self.rules.watch), here)]);
        // Where no rule speaks of rooms, driving changes nothing.
        let free = if self.rooms_that_matter().is_empty() {
            Vec::new()
        } else {
            rooms.iter().copied().map(Some).chain([None]).collect()
        };
        while let Some((mask, watch, room)) = open.pop() {
            let drives = free.iter().map(|to| (mask, *to));
            let acts = (0..changes.len())
                .filter(|bit| mask >> bit & 1 == 0)
                .map(|bit| (mask | 1 << bit, room));
            for (mask, room) in drives.chain(acts) {
                let holding = self.after(mask, changes, room);
                let step = self.rules.step(&holding);
                let mut next = watch.clone();
                let _ = next.step(&self.rules.set, &step);
                let broken = watch.monitors().iter().zip(next.monitors()).find(|(was, is)| {
                    is.verdict() == Verdict::PermanentlyViolated && was.verdict() != is.verdict()
                });
                if let Some((_, monitor)) = broken {
                    let arena = self.rules.set.arena();
                    return Err(Objection(format!(
                        "it may break the rule {}",
                        arena.text(monitor.rule().formula())
                    )));
                }
                if seen.insert((mask, states(&next), room)) {
                    if seen.len() > MAX_SITUATIONS {
                        let text = "more may happen than can be judged; give fewer rules".to_owned();
                        return Err(Objection(text));
                    }
                    open.push((mask, next, room));
                }
            }
        }
        Ok(())
    }

    /// What holds in a room after some of the changes.
    fn after(&self, mask: u32, changes: &[usize], room: Option<usize>) -> Vec<bool> {
        let mut holding: Vec<bool> = self.seen.iter().map(|(value, _)| *value).collect();
        holding.resize(self.rules.propositions.len(), false);
        for (bit, at) in changes.iter().enumerate() {
            holding[*at] ^= mask >> bit & 1 == 1;
        }
        for (value, (_, meaning)) in holding.iter_mut().zip(&self.rules.propositions) {
            if let Proposition::RobotIn(rooms) = meaning {
                *value = room.is_some_and(|room| rooms.contains(&room));
            }
        }
        holding
    }
}

/// Pairs of present things of two classes that relate so.
fn pairs<'b>(
    belief: &'b Belief<'_>,
    kind: RelationKind,
    subject: &'b str,
    object: &'b str,
) -> impl Iterator<Item = (ObjectId, ObjectId)> + 'b {
    belief.graph.relations.iter().filter_map(move |r| {
        let (s, o) = (belief.object(r.subject)?, belief.object(r.object)?);
        let owner = o
            .articulation
            .and_then(|a| a.owner)
            .and_then(|id| belief.object(id));
        let is_object =
            o.class == object || kind == RelationKind::In && owner.is_some_and(|owner| owner.class == object);
        let here = s.presence == Presence::Present && o.presence != Presence::Missing;
        (r.kind == kind && here && s.class == subject && is_object).then_some((s.id, o.id))
    })
}

/// Parts that open and belong to things of a class, or are of the class themselves.
pub fn parts_of_class<'g>(belief: &Belief<'g>, class: &str) -> Vec<&'g SceneObject> {
    let owners: BTreeMap<ObjectId, &SceneObject> = belief.graph.objects.iter().map(|o| (o.id, o)).collect();
    let belongs = |o: &SceneObject| {
        let owner = o
            .articulation
            .and_then(|a| a.owner)
            .and_then(|id| owners.get(&id));
        o.class == class || owner.is_some_and(|owner| owner.class == class)
    };
    let parts = belief.graph.objects.iter();
    parts
        .filter(|o| o.articulation.is_some() && o.presence != Presence::Missing && belongs(o))
        .collect()
}

/// What a thing may come to be on or in when it is put down: the target, what that is a part of, and what that is on
/// or in; [`None`] where the robot does not know what a landmark is on.
fn landings<'g>(
    belief: &Belief<'g>,
    relation: RelationKind,
    target: &'g SceneObject,
) -> Option<Vec<&'g SceneObject>> {
    let below = |o: &SceneObject| {
        let held_by = belief.graph.relations.iter();
        let id = o.id;
        held_by
            .filter(move |r| r.subject == id && r.kind != RelationKind::Near)
            .filter_map(|r| belief.object(r.object))
            .collect::<Vec<_>>()
    };
    let mut all = below(target);
    if relation == RelationKind::Near {
        return (!all.is_empty()).then_some(all);
    }
    all.push(target);
    Some(all)
}
