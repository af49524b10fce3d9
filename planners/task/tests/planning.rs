//! The planner against exhaustive search and on inputs that make no sense.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use steward_ltl::RuleSet;
use steward_task::Error;
use steward_task::domain::{Domain, GroundAction, Obj, Scene, SceneBuilder};
use steward_task::pddl::{self, Problem};
use steward_task::plan::{Goal, Limits, SceneRules, cost_to_go, plan, plans};

const SMALL_HOME: &str = include_str!("../domains/small_home.pddl");

fn home() -> Arc<Scene> {
    let mut builder = SceneBuilder::new(Domain::parse(SMALL_HOME).unwrap());
    for room in ["kitchen", "hall", "bedroom"] {
        builder.object(room, "room").unwrap();
    }
    for (a, b) in [
        ("kitchen", "hall"),
        ("hall", "kitchen"),
        ("hall", "bedroom"),
        ("bedroom", "hall"),
    ] {
        builder.fact("door", &[a, b]).unwrap();
    }
    for (place, kind, room) in [
        ("table", "place", "kitchen"),
        ("fridge", "container", "kitchen"),
        ("desk", "place", "bedroom"),
    ] {
        builder.object(place, kind).unwrap();
        builder.fact("stands", &[place, room]).unwrap();
    }
    for (item, place) in [("mug", "fridge"), ("book", "desk")] {
        builder.object(item, "item").unwrap();
        builder.fact("lies", &[item, place]).unwrap();
    }
    builder.fact("at", &["bedroom"]).unwrap();
    builder.build()
}

fn goal(scene: &Scene, text: &str) -> Goal {
    Goal::reach(scene.condition(text).unwrap())
}

fn all_actions(scene: &Scene) -> Vec<GroundAction> {
    let mut all = Vec::new();
    for (id, schema) in scene.domain().schema_ids() {
        let mut tuples: Vec<Vec<Obj>> = vec![Vec::new()];
        for kind in &schema.parameters {
            tuples = tuples
                .iter()
                .flat_map(|tuple| {
                    scene
                        .objects_of(*kind)
                        .iter()
                        .map(|o| [&tuple[..], &[*o]].concat())
                })
                .collect();
        }
        all.extend(tuples.iter().map(|tuple| GroundAction::new(id, tuple)));
    }
    all
}

/// Least cost by trying everything.
fn least_cost(scene: &Arc<Scene>, goal: &Goal) -> Option<f64> {
    let actions = all_actions(scene);
    let start = scene.start();
    let mut cost: BTreeMap<u64, f64> = BTreeMap::new();
    cost.insert(start.hash64(), 0.0);
    let mut open = VecDeque::from([(start, 0.0)]);
    let mut best: Option<f64> = None;
    while let Some((state, paid)) = open.pop_front() {
        if cost.get(&state.hash64()).is_some_and(|known| *known < paid) {
            continue;
        }
        if state.satisfies(&goal.condition, &[]) {
            best = Some(best.map_or(paid, |best| best.min(paid)));
        }
        for action in actions.iter().filter(|action| state.check(action).is_ok()) {
            let (next, total) = (state.apply(action), paid + scene.cost(action));
            let known = cost.entry(next.hash64()).or_insert(f64::INFINITY);
            if total < *known {
                *known = total;
                open.push_back((next, total));
            }
        }
    }
    best
}

#[test]
fn plans_are_as_cheap_as_the_best() {
    let scene = home();
    for text in [
        "(lies mug table)",
        "(and (lies mug desk) (lies book table) (not (open fridge)))",
        "(exists (?i - item) (lies ?i table))",
        "(forall (?i - item) (lies ?i table))",
        "(and (held mug) (at hall))",
    ] {
        let goal = goal(&scene, text);
        let limits = Limits {
            improve_states: 5_000,
            ..Limits::default()
        };
        let found = plan(&scene.start(), &goal, None, &limits).unwrap();
        assert_eq!(Some(found.cost), least_cost(&scene, &goal), "{text}");
        assert!(found.cheapest, "{text}");
    }
}

/// A greedy search goes by way of places at which it has nothing to do.
#[test]
fn first_plans_make_no_detours() {
    const STREET: &str = "(define (domain street)
       (:types place item)
       (:predicates (at ?p - place) (lies ?i - item ?p - place) (held ?i - item))
       (:action go :parameters (?from ?to - place)
         :precondition (and (at ?from) (not (= ?from ?to)))
         :effect (and (not (at ?from)) (at ?to)) :cost (+ 0.5 (* 1 (distance ?from ?to))))
       (:action take :parameters (?i - item ?p - place) :precondition (and (at ?p) (lies ?i ?p))
         :effect (and (not (lies ?i ?p)) (held ?i)) :cost 1)
       (:action drop :parameters (?i - item ?p - place) :precondition (and (at ?p) (held ?i))
         :effect (and (lies ?i ?p) (not (held ?i))) :cost 1))";
    let mut street = SceneBuilder::new(Domain::parse(STREET).unwrap());
    for n in 0..8 {
        let place = street.object(&format!("p{n}"), "place").unwrap();
        street.position(place, [f64::from((n * 5) % 8), f64::from((n * 3) % 7), 0.0]);
    }
    for n in 1..5 {
        street.object(&format!("i{n}"), "item").unwrap();
        street
            .fact("lies", &[&format!("i{n}"), &format!("p{n}")])
            .unwrap();
    }
    street.fact("at", &["p0"]).unwrap();
    let scene = street.build();
    let goal = goal(
        &scene,
        "(and (lies i1 p5) (lies i2 p6) (lies i3 p7) (lies i4 p0))",
    );
    let first = Limits {
        improve_states: 0,
        ..Limits::default()
    };
    let steps = plan(&scene.start(), &goal, None, &first).unwrap().text(&scene);
    let is_way = |step: &String| step.starts_with("(go ");
    assert!(!steps.windows(2).any(|pair| pair.iter().all(is_way)), "{steps:?}");
}

#[test]
fn what_cannot_be_is_explained() {
    let scene = home();
    let both = goal(&scene, "(and (lies mug table) (lies book table) (held mug))");
    let Err(Error::Infeasible(conflict)) = plan(&scene.start(), &both, None, &Limits::default()) else {
        panic!("there is no plan")
    };
    assert_eq!(conflict.goals, ["(lies mug table)", "(held mug)"]);
    assert!(conflict.minimal);

    let set = RuleSet::one_shot([("quiet", "G !open(fridge)"), ("first", "!at(hall) W held(book)")]).unwrap();
    let rules = SceneRules::new(&scene, set).unwrap();
    let mug = goal(&scene, "(lies mug table)");
    let Err(Error::Infeasible(conflict)) = plan(&scene.start(), &mug, Some(&rules), &Limits::default())
    else {
        panic!("the fridge stays shut")
    };
    assert_eq!(
        conflict.rules,
        [("quiet".to_owned(), "G !open(fridge)".to_owned())]
    );
    assert_eq!(conflict.goals, ["(lies mug table)"]);
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    let domain = Arc::new(Domain::parse(SMALL_HOME).unwrap());
    for (text, reason) in [
        (
            "(define (problem p) (:domain other) (:goal (and)))",
            "for domain `other`",
        ),
        ("(define (problem p) (:domain small-home))", "no `:goal`"),
        (
            "(define (problem p) (:domain small-home) (:objects a - ghost) (:goal (and)))",
            "ghost",
        ),
        (
            "(define (problem p) (:domain small-home) (:init (at attic)) (:goal (and)))",
            "attic",
        ),
        (
            "(define (problem p) (:domain small-home) (:goal (lit moon)))",
            "moon",
        ),
        ("(define (problem p", "never closed"),
    ] {
        let error = Problem::parse(Arc::clone(&domain), text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let scene = home();
    let nothing = Limits {
        first_states: 0,
        ..Limits::default()
    };
    assert!(plan(&scene.start(), &goal(&scene, "(held mug)"), None, &nothing).is_err());
    let empty = plan(&scene.start(), &goal(&scene, "(and)"), None, &Limits::default()).unwrap();
    assert!(empty.steps.is_empty());
}

#[test]
fn written_problems_read_as_the_same() {
    let scene = home();
    let goal = scene
        .condition("(and (lies mug table) (not (open fridge)))")
        .unwrap();
    let domain = Domain::parse(&pddl::domain(scene.domain()).unwrap()).unwrap();
    let text = pddl::problem("tidy", &scene.start(), &goal, None);
    let again = Problem::parse(domain, &text).unwrap();
    let limits = Limits::default();
    let ours = plan(&scene.start(), &Goal::reach(goal), None, &limits).unwrap();
    let theirs = plan(&again.scene.start(), &Goal::reach(again.goal), None, &limits).unwrap();
    assert_eq!(
        pddl::plan(&scene, &ours.steps),
        pddl::plan(&again.scene, &theirs.steps)
    );
    assert_eq!(
        pddl::read_plan(&scene, &pddl::plan(&scene, &ours.steps)).unwrap(),
        ours.steps
    );
}

#[test]
fn ten_thousand_objects_cost_no_more_than_those_that_matter() {
    let mut builder = SceneBuilder::new(Domain::parse(SMALL_HOME).unwrap());
    builder.object("hall", "room").unwrap();
    builder.fact("at", &["hall"]).unwrap();
    for place in 0..100 {
        let shelf = format!("shelf.{place}");
        builder.object(&shelf, "place").unwrap();
        builder.fact("stands", &[&shelf, "hall"]).unwrap();
    }
    for item in 0..10_000 {
        let (thing, shelf) = (format!("thing.{item}"), format!("shelf.{}", item % 100));
        builder.object(&thing, "item").unwrap();
        builder.fact("lies", &[&thing, &shelf]).unwrap();
    }
    let scene = builder.build();
    let both = goal(&scene, "(and (lies thing.77 shelf.3) (lies thing.4711 shelf.3))");
    let found = plan(&scene.start(), &both, None, &Limits::default()).unwrap();
    assert_eq!(found.steps.len(), 4);
    assert!(found.cheapest);
    assert!(found.priced < 500, "{}", found.priced);

    // What cannot be is given up within the budget, without grounding the whole hall.
    let never = goal(&scene, "(and (held thing.77) (held thing.4711))");
    let refused = plan(&scene.start(), &never, None, &Limits::default());
    assert!(matches!(refused, Err(Error::Exhausted(priced)) if priced < 5_000));
}

#[test]
fn things_that_contain_each_other_are_planned_around() {
    let domain = "(define (domain boxes)
        (:types thing room - object)
        (:predicates (inside ?a ?b) (at ?r - room) (seen ?a - thing))
        (:derived (within ?a ?r) (or (inside ?a ?r) (exists (?b) (and (inside ?a ?b) (within ?b ?r)))))
        (:action go :parameters (?r - room) :precondition ()
          :effect (and (forall (?q - room) (not (at ?q))) (at ?r)))
        (:action look :parameters (?a - thing)
          :precondition (exists (?r - room) (and (at ?r) (within ?a ?r)))
          :effect (seen ?a)))";
    let mut builder = SceneBuilder::new(Domain::parse(domain).unwrap());
    for (name, kind) in [
        ("hall", "room"),
        ("box", "thing"),
        ("bag", "thing"),
        ("cup", "thing"),
    ] {
        builder.object(name, kind).unwrap();
    }
    for (a, b) in [("box", "bag"), ("bag", "box"), ("cup", "box"), ("cup", "hall")] {
        builder.fact("inside", &[a, b]).unwrap();
    }
    let scene = builder.build();
    let found = plan(
        &scene.start(),
        &goal(&scene, "(seen cup)"),
        None,
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(found.text(&scene), ["(go hall)", "(look cup)"]);
    let refused = plan(
        &scene.start(),
        &goal(&scene, "(seen bag)"),
        None,
        &Limits::default(),
    );
    assert!(matches!(refused, Err(Error::Infeasible(_))));
}

#[test]
fn a_condition_around_a_quantified_effect_does_not_bind_its_variable() {
    let domain = "(define (domain piles)
        (:types thing)
        (:predicates (on ?a ?b - thing) (beside ?a ?b - thing) (moved ?a ?b - thing))
        (:action push :parameters (?a - thing)
          :precondition ()
          :effect (when (not (exists (?x - thing) (on ?x ?a)))
            (forall (?y - thing) (when (beside ?a ?y) (moved ?a ?y)))))
        (:action lift :parameters (?a ?b - thing) :precondition (on ?a ?b) :effect (not (on ?a ?b))))";
    let mut builder = SceneBuilder::new(Domain::parse(domain).unwrap());
    for name in ["a", "b", "c", "d"] {
        builder.object(name, "thing").unwrap();
    }
    builder.fact("beside", &["a", "b"]).unwrap();
    builder.fact("on", &["d", "a"]).unwrap();
    builder.fact("on", &["c", "d"]).unwrap();
    let scene = builder.build();
    let found = plan(
        &scene.start(),
        &goal(&scene, "(moved a b)"),
        None,
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(found.text(&scene), ["(lift d a)", "(push a)"]);
}

#[test]
fn plans_differ_and_all_reach_the_goal() {
    let mut builder = SceneBuilder::new(Domain::parse(SMALL_HOME).unwrap());
    for room in ["kitchen", "hall", "study", "bedroom"] {
        builder.object(room, "room").unwrap();
    }
    for (a, b) in [
        ("kitchen", "hall"),
        ("hall", "bedroom"),
        ("kitchen", "study"),
        ("study", "bedroom"),
    ] {
        builder.fact("door", &[a, b]).unwrap();
        builder.fact("door", &[b, a]).unwrap();
    }
    builder.fact("at", &["kitchen"]).unwrap();
    let scene = builder.build();
    let there = goal(&scene, "(at bedroom)");
    let found = plans(&scene.start(), &there, None, &Limits::default(), 3).unwrap();
    // There are two ways without detours.
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].steps, found[1].steps);
    for plan in &found {
        assert_eq!(plan.steps.len(), 2);
        let end = plan
            .steps
            .iter()
            .try_fold(scene.start(), |state, step| state.step(step));
        assert!(end.unwrap().satisfies(&there.condition, &[]));
    }
}

#[test]
fn what_is_left_to_pay_is_told_without_search() {
    let scene = home();
    let to_go = |text: &str| cost_to_go(&scene.start(), &goal(&scene, text)).unwrap();
    assert_eq!(to_go("(at bedroom)"), Some(0.0));
    // Two doors at 3, opening at 1, taking at 2.
    assert_eq!(to_go("(held mug)"), Some(9.0));
    assert_eq!(to_go("(stands desk kitchen)"), None);
}
