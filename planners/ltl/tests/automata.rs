//! Products, complements, tables, Büchi automata and exports against the definition.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::{HashSet, VecDeque};

use common::{Random, letters};
use steward_ltl::{
    Arena, AutomatonLimits, Buchi, Dfa, Domain, Error, Lasso, RuleSet, Semantics, Step, Table, Watch,
};

#[test]
fn operations_give_the_canonical_automaton_of_their_meaning() {
    let mut random = Random(31);
    let limits = AutomatonLimits::default();
    for round in 0..500 {
        let mut arena = Arena::new();
        let props = letters(&mut arena, 3);
        let (x, y) = (
            random.formula(&mut arena, &props, 7),
            random.formula(&mut arena, &props, 7),
        );
        let (a, b) = (Dfa::of(&mut arena, x).unwrap(), Dfa::of(&mut arena, y).unwrap());
        let (both, either, not) = (arena.and(x, y), arena.or(x, y), arena.not(x));
        let and = a.product(&b, limits, |a, b| a && b).unwrap().minimise();
        let or = a.product(&b, limits, |a, b| a || b).unwrap().minimise();
        assert_eq!(and, Dfa::of(&mut arena, both).unwrap(), "round {round}");
        assert_eq!(or, Dfa::of(&mut arena, either).unwrap(), "round {round}");
        assert_eq!(
            a.complement().minimise(),
            Dfa::of(&mut arena, not).unwrap(),
            "round {round}"
        );
        // A difference is a trace on which exactly one holds, and a shortest one.
        match a.difference(&b, false) {
            None => assert_eq!(a, b, "round {round}"),
            Some(trace) => {
                assert_ne!(
                    arena.holds_on(x, &trace),
                    arena.holds_on(y, &trace),
                    "round {round}"
                );
                let xor = a.product(&b, limits, |a, b| a != b).unwrap();
                assert_eq!(xor.shortest(false).unwrap().len(), trace.len(), "round {round}");
            }
        }
    }
}

#[test]
fn tables_of_rules_agree_with_the_definition_and_are_minimal() {
    let mut random = Random(32);
    for round in 0..200 {
        let mut arena = Arena::new();
        let props = letters(&mut arena, 3);
        let formulas: Vec<_> = (0..3).map(|_| random.formula(&mut arena, &props, 5)).collect();
        let rules: Vec<_> = formulas
            .iter()
            .map(|formula| std::sync::Arc::new(steward_ltl::Rule::new(&mut arena, "r", *formula).unwrap()))
            .collect();
        let steps: Vec<Step> = props
            .iter()
            .map(|prop| Step::of([*prop]))
            .chain([Step::new()])
            .collect();
        let start = steps[random.below(steps.len())].clone();
        let table = Table::of_rules(&rules, &steps, Some(&start)).unwrap();
        for _ in 0..50 {
            let word: Vec<usize> = (0..random.below(7)).map(|_| random.below(steps.len())).collect();
            let mut trace = vec![start.clone()];
            trace.extend(word.iter().map(|letter| steps[*letter].clone()));
            let truth = formulas.iter().all(|formula| arena.holds_on(*formula, &trace));
            assert_eq!(table.accepts(&word), truth, "round {round}");
        }
        let whole = arena.all(formulas);
        let dfa = Dfa::of(&mut arena, whole).unwrap();
        assert!(
            Table::of_dfa(&dfa, &steps).unwrap().num_states() <= dfa.num_states(),
            "round {round}"
        );
    }
}

/// Whether a Büchi automaton accepts a lasso: a search in the product of the two.
fn accepts(buchi: &Buchi, lasso: &Lasso) -> bool {
    let steps: Vec<&Step> = lasso.prefix.iter().chain(&lasso.cycle).collect();
    let next = |at: usize| {
        if at + 1 < steps.len() {
            at + 1
        } else {
            lasso.prefix.len()
        }
    };
    let moves = |(at, state): (usize, u32)| {
        let edges = buchi.edges(state).iter().filter(|edge| edge.allows(steps[at]));
        edges
            .map(|edge| ((next(at), edge.to), edge.marks.clone()))
            .collect::<Vec<_>>()
    };
    let reach = |from: (usize, u32)| {
        let mut seen = HashSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for (to, _) in moves(node) {
                if seen.insert(to) {
                    queue.push_back(to);
                }
            }
        }
        seen
    };
    reach((0, 0)).into_iter().any(|node| {
        // A cycle through the node that meets every set: walk with the sets met so far.
        let all = (1u64 << buchi.num_sets()) - 1;
        let mut seen = HashSet::new();
        let mut queue = VecDeque::from([(node, 0u64)]);
        while let Some((here, met)) = queue.pop_front() {
            for (to, marks) in moves(here) {
                let met = marks.iter().fold(met, |met, mark| met | 1 << mark);
                if to == node && met == all {
                    return true;
                }
                if seen.insert((to, met)) {
                    queue.push_back((to, met));
                }
            }
        }
        false
    })
}

#[test]
fn buchi_automata_agree_with_the_definition() {
    let mut random = Random(33);
    for round in 0..400 {
        let mut arena = Arena::new();
        let props = letters(&mut arena, 2);
        let size = 2 + random.below(7);
        let formula = random.formula(&mut arena, &props, size);
        let buchi = Buchi::of(&mut arena, formula).unwrap();
        for _ in 0..12 {
            let lasso = random.lasso(&props);
            assert_eq!(
                accepts(&buchi, &lasso),
                arena.holds_on_lasso(formula, &lasso),
                "round {round}: {} on {lasso:?}",
                arena.text(formula)
            );
        }
    }
}

#[test]
fn exports() {
    let mut arena = Arena::new();
    let rule = arena.parse(r#"G (on(mug, desk) -> X "say \"hi\"")"#).unwrap();
    let dfa = Dfa::of(&mut arena, rule).unwrap();
    insta::assert_snapshot!("dfa_hoa", dfa.hoa(&arena, "put \"away\""));
    insta::assert_snapshot!("dfa_dot", dfa.dot(&arena));
    let patrol = arena.parse("G F a & G F b").unwrap();
    insta::assert_snapshot!(
        "buchi_hoa",
        Buchi::of(&mut arena, patrol).unwrap().hoa(&arena, "patrol")
    );
}

#[test]
fn facts_of_the_domain_decide_equivalence() {
    let mut arena = Arena::new();
    let [hall, kitchen, study] = ["hall", "kitchen", "study"].map(|name| arena.prop(name).unwrap());
    let house = Domain::new()
        .exactly_one([hall, kitchen, study])
        .adjacent(kitchen, [hall])
        .adjacent(study, [hall]);
    for (first, second, semantics, alone, at_home) in [
        ("G !kitchen", "G (hall | study)", Semantics::Finite, false, true),
        ("G !kitchen", "G (hall | study)", Semantics::Infinite, false, true),
        // From the kitchen to the study one must pass the hall.
        (
            "F (kitchen & F study)",
            "F (kitchen & F (hall & F study))",
            Semantics::Finite,
            false,
            true,
        ),
        ("F kitchen", "F study", Semantics::Infinite, false, false),
    ] {
        let (first, second) = (arena.parse(first).unwrap(), arena.parse(second).unwrap());
        assert_eq!(
            arena
                .equivalent(first, second, semantics, &Domain::new())
                .unwrap(),
            alone
        );
        match arena.difference(first, second, semantics, &house).unwrap() {
            None => assert!(at_home),
            Some(difference) => {
                assert!(!at_home);
                let axiom = house.axiom(&mut arena);
                assert!(arena.holds(axiom, &difference.trace), "a trace of another house");
                assert_eq!(arena.holds(first, &difference.trace), difference.first_holds);
                assert_eq!(arena.holds(second, &difference.trace), !difference.first_holds);
            }
        }
    }
    let through_hall = arena.parse("F hall").unwrap();
    let both = arena.parse("F kitchen & F study").unwrap();
    assert_eq!(
        arena
            .counterexample(both, through_hall, Semantics::Finite, &house)
            .unwrap(),
        None
    );
    assert!(
        arena
            .counterexample(both, through_hall, Semantics::Finite, &Domain::new())
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_step_that_breaks_a_group_is_refused() {
    let mut arena = Arena::new();
    let rooms = ["hall", "kitchen"].map(|name| arena.prop(name).unwrap());
    let house = Domain::new().exactly_one(rooms);
    let rules = RuleSet::one_shot_in(arena, house, [("go", "F kitchen")]).unwrap();
    let mut watch = Watch::new(&rules);
    watch.step(&rules, &Step::of([rooms[0]])).unwrap();
    for step in [Step::of(rooms), Step::new()] {
        assert!(matches!(
            watch.step(&rules, &step),
            Err(Error::GroupBroken { step: 1, .. })
        ));
    }
    assert_eq!(watch.num_steps(), 1);
    watch.step(&rules, &Step::of([rooms[1]])).unwrap();
    assert!(watch.may_end());
}
