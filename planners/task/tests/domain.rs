//! The domain model: reading, states against a naive one, and input that makes no sense.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use steward_task::Error;
use steward_task::domain::{Atom, Domain, GroundAction, Obj, RefusalKind, Scene, SceneBuilder, State};

const HOUSEHOLD: &str = include_str!("../domains/household.pddl");

fn home() -> Arc<Scene> {
    let mut home = SceneBuilder::new(Domain::parse(HOUSEHOLD).unwrap());
    home.object("robbie", "robot").unwrap();
    for (name, kind, x) in [
        ("hall", "place", 0.0),
        ("mug", "item", 1.0),
        ("desk", "place", 4.0),
        ("fridge", "place", -2.0),
        ("door", "part", -1.5),
        ("milk", "item", -2.0),
        ("shelf", "item", 3.0),
    ] {
        let object = home.object(name, kind).unwrap();
        home.position(object, [x, 0.0, 0.5]);
    }
    for (predicate, objects) in [
        ("at", &["robbie", "hall"][..]),
        ("shuts", &["door", "fridge"]),
        ("in", &["milk", "fridge"]),
        ("movable", &["mug"]),
        ("movable", &["milk"]),
    ] {
        home.fact(predicate, objects).unwrap();
    }
    home.build()
}

fn run(state: State, steps: &[&str]) -> State {
    steps.iter().fold(state, |state, step| {
        let action = state.scene().action(step).unwrap();
        state.step(&action).unwrap()
    })
}

#[test]
fn a_mug_goes_to_the_desk_and_every_step_refuses_what_it_should() {
    let scene = home();
    let start = scene.start();
    let refused = |state: &State, step: &str| {
        let refusal = state.check(&scene.action(step).unwrap()).unwrap_err();
        (refusal.kind, refusal.describe(&scene))
    };
    assert_eq!(refused(&start, "(pick robbie mug)").0, RefusalKind::Missing);
    assert_eq!(refused(&start, "(pick robbie shelf)").0, RefusalKind::Affordance);
    assert_eq!(
        refused(&start, "(navigate robbie hall hall)").0,
        RefusalKind::Satisfied
    );
    // The type does not fit.
    assert_eq!(refused(&start, "(open robbie desk)").0, RefusalKind::Affordance);
    let at_milk = run(start.clone(), &["(navigate robbie hall milk)"]);
    let (kind, text) = refused(&at_milk, "(pick robbie milk)");
    assert_eq!(kind, RefusalKind::Missing);
    assert_eq!(
        text,
        "(pick robbie milk) needs (not (out_of_reach milk)), which does not hold (a step before it is missing)"
    );

    let end = run(
        start,
        &[
            "(navigate robbie hall mug)",
            "(pick robbie mug)",
            "(navigate robbie mug desk)",
            "(place_on robbie mug desk)",
        ],
    );
    assert!(
        end.satisfies(
            &scene
                .condition("(and (on mug desk) (not (hand_full robbie)))")
                .unwrap(),
            &[]
        )
    );
    let drive = scene.action("(navigate robbie mug desk)").unwrap();
    assert!((scene.cost(&drive) - 3.5).abs() < 1e-12, "0.5 and three metres");
}

#[test]
fn what_was_once_possible_makes_the_order_wrong() {
    let scene = home();
    let start = scene.start();
    let opened = run(
        start.clone(),
        &["(navigate robbie hall door)", "(open robbie door)"],
    );
    let shut = run(
        opened.clone(),
        &["(close robbie door)", "(navigate robbie door milk)"],
    );
    let refusal = shut
        .check(&scene.action("(pick robbie milk)").unwrap())
        .unwrap_err();
    assert_eq!(
        refusal.kind_after(&scene, [&opened, &shut]),
        RefusalKind::WrongOrder
    );
    // The milk was shut in from the start on.
    assert_eq!(refusal.kind_after(&scene, [&start, &shut]), RefusalKind::Missing);
}

#[test]
fn effects_are_simultaneous_and_first_takes_one() {
    let domain = Domain::parse(
        "(define (domain d) (:predicates (p ?x) (q ?x) (link ?x ?y))
           (:action swap :parameters (?x) :effect (and
             (when (p ?x) (and (not (p ?x)) (q ?x)))
             (when (q ?x) (and (not (q ?x)) (p ?x)))))
           (:action reach :parameters (?x) :effect (first (?y) (p ?y) (link ?x ?y)))
           (:action both :parameters (?x) :effect (and (p ?x) (not (p ?x)))))",
    )
    .unwrap();
    let mut builder = SceneBuilder::new(domain);
    for name in ["a", "b", "c"] {
        builder.object(name, "object").unwrap();
    }
    builder.fact("p", &["b"]).unwrap();
    builder.fact("p", &["c"]).unwrap();
    let scene = builder.build();
    let holds = |state: &State, fact: &str| state.satisfies(&scene.condition(fact).unwrap(), &[]);
    let swapped = run(scene.start(), &["(swap b)"]);
    assert!(holds(&swapped, "(and (q b) (not (p b)))"));
    let reached = run(scene.start(), &["(reach a)"]);
    assert!(holds(&reached, "(and (link a b) (not (link a c)))"));
    assert!(holds(&run(scene.start(), &["(both a)"]), "(p a)"), "true wins");
}

#[test]
fn cycles_of_containment_end() {
    let domain = Domain::parse(
        "(define (domain d) (:predicates (in ?x ?y) (room ?x))
           (:derived (within ?x ?r) (or (and (in ?x ?r) (room ?r)) (exists (?y) (and (in ?x ?y) (within ?y ?r))))))",
    )
    .unwrap();
    let mut builder = SceneBuilder::new(domain);
    for at in 0..100 {
        builder.object(&format!("box{at}"), "object").unwrap();
    }
    builder.object("kitchen", "object").unwrap();
    builder.fact("room", &["kitchen"]).unwrap();
    for at in 0..50 {
        // Fifty boxes, each in the next, and the last in the first.
        let next = format!("box{}", (at + 1) % 50);
        builder.fact("in", &[&format!("box{at}"), &next]).unwrap();
    }
    builder.fact("in", &["box60", "box61"]).unwrap();
    builder.fact("in", &["box61", "kitchen"]).unwrap();
    let scene = builder.build();
    let state = scene.start();
    assert!(!state.holds(scene.atom("within", &["box3", "kitchen"]).unwrap()));
    assert!(state.holds(scene.atom("within", &["box60", "kitchen"]).unwrap()));
}

#[test]
fn ten_thousand_objects_are_no_matter() {
    let mut builder = SceneBuilder::new(Domain::parse(HOUSEHOLD).unwrap());
    builder.object("robbie", "robot").unwrap();
    for at in 0..10_000 {
        let name = format!("thing{at}");
        builder.object(&name, "item").unwrap();
        builder.fact("movable", &[&name]).unwrap();
        if at > 0 {
            builder
                .fact("near", &[&name, &format!("thing{}", at - 1)])
                .unwrap();
        }
    }
    builder.fact("at", &["robbie", "thing0"]).unwrap();
    let scene = builder.build();
    let mut state = scene.start();
    for at in 0..200 {
        let go = scene
            .action(&format!("(navigate robbie thing{at} thing{})", at + 1))
            .unwrap();
        state = state.step(&go).unwrap();
    }
    assert_eq!(state.changes().count(), 2, "only the place has changed");
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    let syntax = |text: &str| match Domain::parse(text) {
        Err(Error::Syntax { line, reason }) => (line, reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(syntax("").0, 1);
    assert_eq!(syntax("(define (domain d)\n  (:action a").0, 2);
    assert_eq!(syntax("(define (domain d))\n)").0, 2);
    assert_eq!(
        syntax(&"(".repeat(100_000)).1,
        "nested deeper than 128 levels; flatten it"
    );
    assert!(
        syntax("(define (domain d) (:predicates (p ?a ?b ?c ?d)))")
            .1
            .contains("3 places")
    );
    let unknown = Domain::parse("(define (domain d) (:action a :effect (p)))");
    assert!(matches!(
        unknown,
        Err(Error::UnknownName {
            what: "predicate",
            ..
        })
    ));

    let scene = home();
    for text in ["", "(", "((pick) robbie mug)", "(pick robbie)"] {
        assert!(matches!(scene.action(text), Err(Error::Syntax { .. })), "{text}");
    }
    assert!(matches!(
        scene.action("(pick robbie ghost)"),
        Err(Error::UnknownName { .. })
    ));
    assert!(matches!(
        scene.action("(fly robbie mug)"),
        Err(Error::UnknownName { .. })
    ));
    // A goal about nothing holds at once.
    assert!(scene.start().satisfies(&scene.condition("()").unwrap(), &[]));
    // An action that was put together by hand with too few objects is refused, not a panic.
    let pick = scene.domain().schema_named("pick").unwrap();
    assert!(scene.start().check(&GroundAction::new(pick, &[])).is_err());
    assert!(
        scene
            .start()
            .check(&GroundAction::new(pick, &[Obj(999), Obj(999)]))
            .is_err()
    );
}

/// Any sequence of changes: the state answers as a plain set of facts does.
#[test]
fn a_state_is_a_set_of_facts() {
    let domain = Domain::parse(
        "(define (domain d) (:predicates (p ?x ?y) (q ?x ?y) (s ?x ?y))
           (:action a :parameters (?x ?y) :effect (and (p ?x ?y) (q ?x ?y) (s ?x ?y))))",
    )
    .unwrap();
    let mut builder = SceneBuilder::new(domain);
    for at in 0..6 {
        builder.object(&format!("o{at}"), "object").unwrap();
    }
    for (predicate, from, to) in [("p", "o0", "o1"), ("p", "o2", "o1"), ("q", "o3", "o3")] {
        builder.fact(predicate, &[from, to]).unwrap();
    }
    let scene = builder.build();
    let predicates = ["p", "q", "s"].map(|name| scene.domain().predicate_named(name).unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..200 {
        let mut set: BTreeSet<Atom> = scene.facts().iter().copied().collect();
        let mut state = scene.start();
        for _ in 0..random.random_range(0..60) {
            let [a, b] = [0; 2].map(|_| Obj(random.random_range(0..6)));
            let atom = Atom::new(predicates[random.random_range(0..3)], &[a, b]);
            let value = random.random_bool(0.5);
            state = state.with([(atom, value)]);
            if value {
                set.insert(atom);
            } else {
                set.remove(&atom);
            }
        }
        let all: Vec<Atom> = predicates.iter().flat_map(|id| state.facts(*id)).collect();
        assert_eq!(all, set.iter().copied().collect::<Vec<_>>());
        for predicate in predicates {
            for object in (0..6).map(Obj) {
                let ends = |here: usize| -> Vec<Obj> {
                    let matching =
                        |atom: &&Atom| atom.predicate() == predicate && atom.object(here) == object;
                    set.iter()
                        .filter(matching)
                        .map(|atom| atom.object(1 - here))
                        .collect()
                };
                assert_eq!(state.targets(predicate, object).collect::<Vec<_>>(), ends(0));
                assert_eq!(state.sources(predicate, object).collect::<Vec<_>>(), ends(1));
            }
        }
        // The same facts by another way make the same state.
        let gone = scene.facts().iter().filter(|atom| !set.contains(atom));
        let facts = set
            .iter()
            .map(|atom| (*atom, true))
            .chain(gone.map(|atom| (*atom, false)));
        let other = scene.start().with(facts);
        assert_eq!(other.hash64(), state.hash64());
        assert_eq!(other, state);
    }
}
