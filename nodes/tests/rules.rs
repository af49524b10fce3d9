//! No step that breaks a rule leaves the planner: random homes, random rules, and a world that does all it may.
//!
//! The world moves the base through every room that a command does not keep out, in a random order, changes what the
//! skill changes, and fails now and then. What holds in it is evaluated here, from the names of the propositions alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3};
use steward_core::ids::{ObjectId, StepId, TaskId};
use steward_core::messages::*;
use steward_core::{Duration, Time, frames};
use steward_ltl::{RuleSet, Step, Verdict as Standing, Watch};
use steward_nodes::message::Message;
use steward_nodes::node::{Node, Outbox, message};
use steward_nodes::planner::{Planner, PlannerConfig};

const ROOMS: [&str; 4] = ["kitchen", "hall", "bedroom", "office"];
/// Class, whether it can be carried, and the class of the part that shuts it.
const THINGS: [(&str, bool, Option<&str>); 7] = [
    ("fridge", false, Some("fridge_door")),
    ("cabinet", false, Some("cabinet_door")),
    ("desk", false, None),
    ("counter", false, None),
    ("mug", true, None),
    ("apple", true, None),
    ("book", true, None),
];
const OPEN_AT: f64 = 1.4;

/// Rooms are squares of four metres in a row.
fn room_area(at: usize) -> FloorArea {
    FloorArea {
        middle: Pose2::new(4.0 * at as f64 + 2.0, 2.0, 0.0),
        half_x_m: 1.9,
        half_y_m: 1.9,
    }
}

struct World {
    dice: ChaCha8Rng,
    objects: BTreeMap<ObjectId, SceneObject>,
    relations: Vec<Relation>,
    base: Pose2,
    now: Time,
    /// What held, by name, after every change.
    trace: Vec<Vec<String>>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut world = World {
            dice: ChaCha8Rng::seed_from_u64(seed),
            objects: BTreeMap::new(),
            relations: Vec::new(),
            base: Pose2::default(),
            now: Time::from_secs_f64(1.0),
            trace: Vec::new(),
        };
        let room = world.dice.random_range(0..ROOMS.len());
        world.base = room_area(room).middle;
        let mut furniture = Vec::new();
        for (class, small, part) in THINGS {
            let id = ObjectId(world.objects.len() as u32 + 1);
            let middle = room_area(world.dice.random_range(0..ROOMS.len())).middle;
            let (dx, dy) = (
                world.dice.random_range(-1.2..1.2),
                world.dice.random_range(-1.2..1.2),
            );
            let half = if small { 0.04 } else { 0.4 };
            let mut at = Point3::new(middle.x_m + dx, middle.y_m + dy, half);
            if small {
                let on: ObjectId = furniture[world.dice.random_range(0..furniture.len())];
                let holder = &world.objects[&on];
                at = Point3::new(holder.shape.center.x, holder.shape.center.y, 0.85);
                let shuts = matches!(holder.class.as_str(), "fridge" | "cabinet");
                let kind = if shuts { RelationKind::In } else { RelationKind::On };
                world.relations.push(relation(id, kind, on));
            } else {
                furniture.push(id);
            }
            world.objects.insert(id, thing(id, class, at, half, None));
            if let Some(part) = part {
                let door = ObjectId(world.objects.len() as u32 + 1);
                let articulation = ArticulationState {
                    owner: Some(id),
                    prismatic: false,
                    pivot: at,
                    axis: Vector3::z(),
                    handle: Some(at),
                    position: Some(0.0),
                    open_at: OPEN_AT,
                };
                world
                    .objects
                    .insert(door, thing(door, part, at, 0.3, Some(articulation)));
            }
        }
        world.note();
        world
    }

    fn class(&self, id: ObjectId) -> &str {
        &self.objects[&id].class
    }

    fn note(&mut self) {
        let mut holding = Vec::new();
        for (at, room) in ROOMS.iter().enumerate() {
            if room_area(at).contains(self.base.x_m, self.base.y_m, 0.0) {
                holding.push(format!("in(robot, {room})"));
            }
        }
        for r in &self.relations {
            let (s, o) = (self.class(r.subject), self.class(r.object));
            holding.push(format!("{}({s}, {o})", r.kind));
        }
        for o in self.objects.values() {
            if o.presence == Presence::Held {
                holding.push(format!("held({})", o.class));
            }
            if let Some(a) = o.articulation
                && a.position != Some(0.0)
            {
                holding.push(format!("open({})", o.class));
                holding.push(format!("open({})", self.class(a.owner.unwrap())));
            }
        }
        self.trace.push(holding);
    }

    /// Does what a command says, or fails; on the way goes wherever it may. Whether it was done.
    fn obey(&mut self, command: &SkillCommand, planner: &mut Planner) -> bool {
        let at = match &command.skill {
            Skill::Navigate {
                to: NavigationTarget::Object(id),
            } => Some(self.objects[id].shape.center),
            Skill::Navigate {
                to: NavigationTarget::Pose(p),
            } => Some(Point3::new(p.x_m, p.y_m, 0.0)),
            _ => None,
        };
        let home = self.base;
        let mut rooms: Vec<usize> = (0..ROOMS.len()).collect();
        rooms.shuffle(&mut self.dice);
        for room in rooms {
            let area = room_area(room);
            let kept_out = command
                .keep_out
                .iter()
                .any(|k| k.contains(area.middle.x_m, area.middle.y_m, 0.0));
            if !kept_out && !area.contains(home.x_m, home.y_m, 0.0) {
                self.base = area.middle;
                self.note();
                self.show(planner, 1);
            }
        }
        self.base = at.map_or(home, |p| Pose2::new(p.x, p.y, 0.0));
        self.note();
        self.show(planner, 1);
        if self.dice.random_range(0..5u32) == 0 {
            return false;
        }
        match &command.skill {
            Skill::Navigate { .. } | Skill::Look { .. } => {}
            Skill::Open { part } => self.set_part(*part, OPEN_AT),
            Skill::Close { part } => self.set_part(*part, 0.0),
            Skill::Pick { object } => {
                self.relations.retain(|r| r.subject != *object);
                self.objects.get_mut(object).unwrap().presence = Presence::Held;
            }
            Skill::Place {
                object,
                relation: kind,
                target,
            } => {
                let center = self.objects[target].shape.center;
                let o = self.objects.get_mut(object).unwrap();
                o.presence = Presence::Present;
                o.shape.center = Point3::new(center.x, center.y, 0.85);
                self.relations.push(relation(*object, *kind, *target));
            }
        }
        self.note();
        true
    }

    fn set_part(&mut self, part: ObjectId, position: f64) {
        let part = self.objects.get_mut(&part).unwrap();
        part.articulation.as_mut().unwrap().position = Some(position);
    }

    /// What the robot sees: everything, so that what it believes is what is so.
    fn graph(&self) -> SceneGraph {
        let mut relations = self.relations.clone();
        relations.sort_unstable();
        let objects = self.objects.values().map(|o| SceneObject {
            last_seen: self.now,
            ..o.clone()
        });
        SceneGraph {
            header: Header::new(self.now, frames::MAP),
            objects: objects.collect(),
            relations,
        }
    }

    /// Shows the planner what there is; eight times are long enough for it to be believed.
    fn show(&mut self, planner: &mut Planner, times: usize) {
        for _ in 0..times {
            self.now += Duration::from_millis(200);
            let edge = StampedTransform {
                stamp: self.now,
                parent: frames::MAP.into(),
                child: frames::BASE_LINK.into(),
                parent_from_child: self.base.to_pose3(),
                is_static: false,
            };
            let transforms = Transforms {
                transforms: vec![edge],
            };
            let mut nothing = Outbox::default();
            for m in [
                message(Message::Transforms, transforms),
                message(Message::SceneGraph, self.graph()),
            ] {
                planner.on_message(self.now, &m, &mut nothing);
            }
            assert!(nothing.drain().all(|m| matches!(m, Message::RuleMonitors(_))));
        }
    }
}

fn relation(subject: ObjectId, kind: RelationKind, object: ObjectId) -> Relation {
    Relation {
        subject,
        kind,
        object,
    }
}

fn thing(
    id: ObjectId,
    class: &str,
    center: Point3,
    half: f64,
    articulation: Option<ArticulationState>,
) -> SceneObject {
    let surface = SupportSurface {
        center: Point3::new(center.x, center.y, 2.0 * half),
        yaw_rad: 0.0,
        half_x_m: half,
        half_y_m: half,
        clearance_m: 1.0,
    };
    SceneObject {
        id,
        class: class.into(),
        shape: OrientedBox {
            center,
            yaw_rad: 0.0,
            half: Vector3::new(half, half, half),
        },
        presence: Presence::Present,
        provenance: Provenance::Observed,
        confidence: 1.0,
        first_seen: Time::ZERO,
        last_seen: Time::ZERO,
        articulation,
        surfaces: if half > 0.35 { vec![surface] } else { Vec::new() },
    }
}

/// What became of a task.
struct End {
    result: TaskResult,
    commands: usize,
    world: World,
}

fn run(seed: u64, goal: &str, rules: &[String]) -> End {
    let mut world = World::new(seed);
    let mut planner = Planner::new(PlannerConfig::default());
    let rooms = ROOMS.iter().enumerate().map(|(at, name)| Room {
        name: (*name).into(),
        kind: (*name).into(),
        area: room_area(at),
    });
    let plan = FloorPlan {
        header: Header::default(),
        rooms: rooms.collect(),
    };
    let mut out = Outbox::default();
    planner.on_message(world.now, &message(Message::FloorPlan, plan), &mut out);
    world.show(&mut planner, 1);
    let task = Task {
        header: Header::default(),
        id: TaskId(1),
        goal: goal.parse().unwrap(),
        rules: rules.to_vec(),
        deadline: Time::from_secs_f64(1e6),
    };
    planner.on_message(world.now, &message(Message::Task, task), &mut out);
    let (mut commands, mut silent) = (0, 0);
    loop {
        let sent: Vec<Message> = out.drain().collect();
        silent = if sent.is_empty() { silent + 1 } else { 0 };
        assert!(commands < 400 && silent < 300, "no end: {goal}, {rules:?}");
        let mut ended: Option<(StepId, Skill, bool)> = None;
        for m in &sent {
            match m {
                Message::TaskResult(result) => {
                    return End {
                        result: TaskResult::clone(result),
                        commands,
                        world,
                    };
                }
                Message::SkillCommand(command) => {
                    commands += 1;
                    let done = world.obey(command, &mut planner);
                    ended = Some((command.step, command.skill.clone(), done));
                }
                _ => {}
            }
        }
        world.show(&mut planner, 8);
        let Some((step, skill, done)) = ended else {
            planner.on_tick(world.now, &mut out);
            continue;
        };
        let status = SkillStatus {
            header: Header::default(),
            step,
            skill,
            state: if done {
                SkillState::Done
            } else {
                SkillState::Failed(SkillFailure::Stuck)
            },
            detail: String::new(),
        };
        planner.on_message(world.now, &message(Message::SkillStatus, status), &mut out);
        if done {
            let verdict = Verdict {
                header: Header::default(),
                step,
                kind: VerdictKind::Confirmed,
                detail: String::new(),
            };
            planner.on_message(world.now, &message(Message::Verdict, verdict), &mut out);
        }
    }
}

/// How rules stand after a trace.
fn judged(rules: &[String], trace: &[Vec<String>]) -> Vec<Standing> {
    let named = rules.iter().enumerate().map(|(at, text)| (at.to_string(), text));
    let mut set = RuleSet::one_shot(named).unwrap();
    let mut watch = Watch::new(&set);
    for holding in trace {
        let props: Vec<_> = holding
            .iter()
            .map(|name| set.arena_mut().prop(name).unwrap())
            .collect();
        watch.step(&set, &Step::of(props)).unwrap();
    }
    watch.monitors().iter().map(|m| m.verdict()).collect()
}

fn proposition() -> impl Strategy<Value = String> {
    let small = || prop::sample::select(vec!["mug", "apple", "book"]);
    let place = || prop::sample::select(vec!["fridge", "cabinet", "desk", "counter"]);
    prop_oneof![
        3 => prop::sample::select(ROOMS.to_vec()).prop_map(|room| format!("in(robot, {room})")),
        2 => prop::sample::select(vec!["fridge", "cabinet", "fridge_door"]).prop_map(|c| format!("open({c})")),
        2 => small().prop_map(|class| format!("held({class})")),
        2 => (small(), place()).prop_map(|(s, p)| format!("on({s}, {p})")),
        2 => (small(), place()).prop_map(|(s, p)| format!("in({s}, {p})")),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    let p = proposition;
    prop_oneof![
        4 => p().prop_map(|a| format!("G !{a}")),
        3 => p().prop_map(|a| format!("G({a} -> F !{a})")),
        2 => (p(), p()).prop_map(|(a, b)| format!("!{a} W {b}")),
        1 => (p(), p()).prop_map(|(a, b)| format!("!{a} U {b}")),
        2 => (p(), p()).prop_map(|(a, b)| format!("G({a} -> !{b})")),
        2 => (p(), p()).prop_map(|(a, b)| format!("G({a} -> G !{b})")),
        1 => p().prop_map(|a| format!("F {a}")),
        1 => (p(), p()).prop_map(|(a, b)| format!("G({a} -> F {b})")),
    ]
}

fn goal() -> impl Strategy<Value = String> {
    let small = prop::sample::select(vec!["mug", "apple"]);
    let place = prop::sample::select(vec![
        "on(X, desk)",
        "on(X, counter)",
        "in(X, fridge)",
        "in(X, cabinet)",
    ]);
    (small, place).prop_map(|(s, p)| p.replace('X', s))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_step_breaks_a_rule(seed: u64, goal in goal(), rules in prop::collection::vec(rule(), 1..4)) {
        let end = run(seed, &goal, &rules);
        let before = judged(&rules, &end.world.trace[..1]);
        let after = judged(&rules, &end.world.trace);
        for ((rule, was), is) in rules.iter().zip(before).zip(after) {
            let broken = is == Standing::PermanentlyViolated && was != is;
            prop_assert!(!broken, "{rule} of {rules:?} broken, {goal}: {:?}", end.result);
            if end.result.outcome == Outcome::Succeeded {
                prop_assert!(is.may_end(), "{rule} not kept at the end, {goal}");
            }
        }
        prop_assert!(!end.result.detail.is_empty());
    }
}

#[test]
fn what_was_opened_is_shut_before_the_task_succeeds() {
    let rules = ["G(open(fridge) -> F !open(fridge))".to_owned()];
    let mut succeeded = 0;
    for seed in 0..20 {
        let end = run(seed, "in(mug, fridge)", &rules);
        let open = |step: &Vec<String>| step.contains(&"open(fridge)".to_owned());
        if end.result.outcome == Outcome::Succeeded {
            succeeded += usize::from(end.world.trace.iter().any(open));
            assert!(!open(end.world.trace.last().unwrap()));
        }
    }
    assert!(succeeded > 10, "{succeeded}");
}

#[test]
fn what_cannot_be_is_refused_with_the_conflict_before_anything_moves() {
    use FailureReason::{InvalidRule, RuleConflict, RuleViolated};
    for (rules, reason, named) in [
        (vec!["G !on(mug, desk)"], RuleConflict, "G !on(mug, desk)"),
        (
            vec!["G !held(mug)", "G !open(fridge)"],
            RuleConflict,
            "G !held(mug)",
        ),
        (
            vec!["F open(fridge)", "G !open(fridge)"],
            RuleConflict,
            "F open(fridge)",
        ),
        (vec!["G !held(unicorn)"], InvalidRule, "unicorn"),
        (vec!["G !in(robot, cellar)"], InvalidRule, "kitchen, hall"),
        (vec!["G (held(mug) ->"], InvalidRule, "rule 1"),
        (vec!["X held(mug)"], InvalidRule, "next"),
    ] {
        let rules: Vec<String> = rules.into_iter().map(str::to_owned).collect();
        let End { result, commands, .. } = run(1, "on(mug, desk)", &rules);
        assert_eq!(commands, 0, "{rules:?}");
        assert_eq!(
            result.outcome,
            Outcome::Failed(reason),
            "{rules:?}: {}",
            result.detail
        );
        assert!(result.detail.contains(named), "{rules:?}: {}", result.detail);
    }
    let here = ROOMS[(World::new(1).base.x_m / 4.0) as usize];
    let end = run(1, "on(mug, desk)", &[format!("G !in(robot, {here})")]);
    assert_eq!(
        (end.commands, end.result.outcome),
        (0, Outcome::Failed(RuleViolated))
    );
}
