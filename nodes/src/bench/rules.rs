//! Draws rules for a task: such that it can be done all the same, or such that it cannot.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use steward_core::messages::{FailureReason, Goal, GoalRelation};
use steward_sim::model::{EntityKind, Home};
use steward_sim::truth::Truth;

use crate::episode::EpisodeReport;
use crate::scoring::TrueRules;

/// Most rules of a task that can be done.
const MOST_RULES: u32 = 3;

/// Rules, and what is right to do about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The rules.
    pub rules: Vec<String>,
    /// The rules that together with the goal cannot be kept, as the robot writes them; none for a task that can be
    /// done.
    pub blamed: Vec<String>,
    /// The other rules, as the robot writes them.
    pub innocent: Vec<String>,
}

/// What became of a task that had to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Refused, and exactly the rules that are to blame were named.
    Right,
    /// Refused, but other rules were named, or not all.
    WrongReason,
    /// Not refused before anything moved.
    NotRefused,
}

impl Order {
    /// What became of a task that had to be refused.
    pub fn judge(&self, report: &EpisodeReport) -> Judged {
        let reason = report.failure();
        let refused = matches!(
            reason,
            Some(FailureReason::RuleConflict | FailureReason::RuleViolated)
        );
        if !refused || !report.is_refused() {
            return Judged::NotRefused;
        }
        let named = |rule: &String| report.detail.contains(rule);
        if self.blamed.iter().all(named) && !self.innocent.iter().any(named) {
            Judged::Right
        } else {
            Judged::WrongReason
        }
    }
}

/// Draws rules for a task in a home.
pub fn draw(home: &Home, truth: &Truth, goal: &Goal, impossible: bool, rng: &mut ChaCha8Rng) -> Order {
    let count = rng.random_range(1..=MOST_RULES) as usize;
    let mut rules: Vec<String> = Vec::new();
    // Bounded: a home in which nothing more fits after this many draws has nothing.
    for _ in 0..60 {
        if rules.len() == count {
            break;
        }
        let drawn = match rng.random_range(0..5u32) {
            0 => never_enter(home, truth, goal, rng),
            1 => close_again(home, truth, goal, rng),
            2 => never_put(home, truth, goal, rng),
            3 => in_order(goal, rng),
            _ => never_hold(home, goal, rng),
        };
        if let Some(rule) = drawn.filter(|rule| !rules.contains(rule)) {
            rules.push(rule);
        }
    }
    let mut blamed = Vec::new();
    if impossible {
        rules.truncate(count - 1);
        blamed = contradiction(home, truth, goal, rng);
        rules.retain(|rule| !blamed.contains(rule));
        rules.extend(blamed.iter().cloned());
        rules.shuffle(rng);
    }
    let written = |of: &[String]| {
        TrueRules::new(of, home)
            .map(|rules| rules.texts())
            .unwrap_or_default()
    };
    let innocent: Vec<String> = rules
        .iter()
        .filter(|rule| !blamed.contains(rule))
        .cloned()
        .collect();
    Order {
        blamed: written(&blamed),
        innocent: written(&innocent),
        rules,
    }
}

/// Rooms that the task needs: where it begins, where things of its classes are.
fn needed(home: &Home, truth: &Truth, goal: &Goal) -> BTreeSet<usize> {
    let room = |x: f64, y: f64| {
        home.rooms.iter().position(|room| {
            let b = &room.bounds;
            // What stands at a wall may reach over it.
            let margin = 0.3;
            x > b.min.x - margin && x < b.max.x + margin && y > b.min.y - margin && y < b.max.y + margin
        })
    };
    let classes: BTreeSet<&str> = goal
        .relations
        .iter()
        .flat_map(|r| [r.subject.as_str(), r.object.as_str()])
        .collect();
    truth
        .things
        .iter()
        .filter(|thing| classes.contains(thing.class.as_str()))
        .filter_map(|thing| room(thing.center.x, thing.center.y))
        .chain(room(home.robot_start.x_m, home.robot_start.y_m))
        .collect()
}

/// A room that nothing needs: nothing of the goal is there, and without it everything else stays connected.
fn never_enter(home: &Home, truth: &Truth, goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let needed = needed(home, truth, goal);
    let spare: Vec<usize> = (0..home.rooms.len())
        .filter(|room| !needed.contains(room) && connected(home, &needed, *room))
        .collect();
    let room = spare.choose(rng)?;
    Some(format!("G !in(robot, {})", home.rooms[*room].name))
}

fn connected(home: &Home, needed: &BTreeSet<usize>, without: usize) -> bool {
    let Some(first) = needed.first() else { return true };
    let mut reached = BTreeSet::from([*first]);
    let mut open = vec![*first];
    while let Some(room) = open.pop() {
        for door in &home.doorways {
            for (a, b) in [(0, 1), (1, 0)] {
                let next = door.rooms[b];
                if door.rooms[a] == room && next != without && reached.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    needed.iter().all(|room| reached.contains(room))
}

/// Something that is shut now and has to be shut again after it was opened; by preference what the task opens.
fn close_again(home: &Home, truth: &Truth, goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let class = shut_class(home, truth, goal, rng)?;
    Some(format!("G(open({class}) -> F !open({class}))"))
}

fn shut_class(home: &Home, truth: &Truth, goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let owner = |joint: &steward_sim::model::PartJoint| home.entities[joint.parent.0 as usize].class.clone();
    let mut shut: BTreeSet<String> = BTreeSet::new();
    let mut ajar: BTreeSet<String> = BTreeSet::new();
    for entity in &home.entities {
        if let EntityKind::Part(joint) = &entity.kind {
            let position = truth
                .thing(entity.id)
                .and_then(|thing| thing.joint)
                .unwrap_or(0.0);
            let set = if position < 0.02 { &mut shut } else { &mut ajar };
            set.insert(owner(joint));
        }
    }
    let shut: Vec<String> = shut.difference(&ajar).cloned().collect();
    let opened: Vec<&String> = shut
        .iter()
        .filter(|class| goal.relations.iter().any(|r| r.object == **class))
        .collect();
    match opened.choose(rng) {
        Some(class) if rng.random_range(0..4u32) > 0 => Some((*class).clone()),
        _ => shut.choose(rng).cloned(),
    }
}

/// A thing of the task that is not to be put where the task does not want it.
fn never_put(home: &Home, truth: &Truth, goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let relation = goal.relations.choose(rng)?;
    let wanted: BTreeSet<&str> = goal.relations.iter().map(|r| r.object.as_str()).collect();
    let places: BTreeSet<&str> = home
        .entities
        .iter()
        .filter(|e| e.kind == EntityKind::Furniture && !e.surfaces.is_empty())
        .map(|e| e.class.as_str())
        .filter(|class| !wanted.contains(class))
        .collect();
    let places: Vec<&str> = places.into_iter().collect();
    let place = places.choose(rng)?;
    let kind = if rng.random() { "on" } else { "in" };
    let (on, within) = (
        steward_core::messages::RelationKind::On,
        steward_core::messages::RelationKind::In,
    );
    let there = [on, within]
        .iter()
        .any(|kind| truth.holds(*kind, &relation.subject, place));
    (!there).then(|| format!("G !{kind}({}, {place})", relation.subject))
}

/// One relation of the goal not before another.
fn in_order(goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let mut relations: Vec<&GoalRelation> = goal.relations.iter().collect();
    relations.shuffle(rng);
    match relations[..] {
        [first, second, ..] => Some(format!("!{second} W {first}")),
        _ => None,
    }
}

/// A thing that the task does not need is not to be taken.
fn never_hold(home: &Home, goal: &Goal, rng: &mut ChaCha8Rng) -> Option<String> {
    let classes: BTreeSet<&str> = home
        .entities
        .iter()
        .filter(|e| matches!(e.kind, EntityKind::Object { graspable: true }))
        .map(|e| e.class.as_str())
        .filter(|class| goal.relations.iter().all(|r| r.subject != *class))
        .collect();
    let classes: Vec<&str> = classes.into_iter().collect();
    classes.choose(rng).map(|class| format!("G !held({class})"))
}

/// Rules that cannot be kept together with the goal, none of which can be left out.
fn contradiction(home: &Home, truth: &Truth, goal: &Goal, rng: &mut ChaCha8Rng) -> Vec<String> {
    let relation = &goal.relations[rng.random_range(0..goal.relations.len())];
    match rng.random_range(0..5u32) {
        0 => vec![format!("G !held({})", relation.subject)],
        1 => {
            let start = (home.robot_start.x_m, home.robot_start.y_m);
            if let Some(room) = home.room_at(start.0, start.1) {
                return vec![format!("G !in(robot, {})", room.name)];
            }
            vec![format!("G !{relation}")]
        }
        2 => match shut_class(home, truth, goal, rng) {
            Some(class) => vec![format!("F open({class})"), format!("G !open({class})")],
            None => vec![format!("G !{relation}")],
        },
        3 if goal.relations.len() > 1 => {
            let (a, b) = (&goal.relations[0], &goal.relations[1]);
            vec![format!("!{a} U {b}"), format!("!{b} U {a}")]
        }
        _ => vec![format!("G !{relation}")],
    }
}
