//! Plans are right and cheapest, checked against exhaustive search; patrols and cost-to-go too.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::Random;
use steward_ltl::{
    Arena, CostToGo, Error, Formula, RuleSet, StandingRules, Step, Transition, TransitionSystem, Watch,
};

const PLACES: usize = 5;

/// A small random graph; a place may hold one proposition, and some ways are closed.
#[derive(Debug, Clone)]
struct Graph {
    labels: Vec<Step>,
    ways: Vec<Vec<Transition<usize, usize>>>,
}

impl TransitionSystem for Graph {
    type State = usize;
    type Action = usize;

    fn start(&self) -> usize {
        0
    }
    fn label(&self, place: &usize) -> Step {
        self.labels[*place].clone()
    }
    fn successors(&self, place: &usize) -> Vec<Transition<usize, usize>> {
        self.ways[*place].clone()
    }
    fn facts(&self) -> Vec<String> {
        vec!["fact 0".into(), "fact 1".into()]
    }
}

fn graph(random: &mut Random, arena: &mut Arena) -> Graph {
    let props = common::letters(arena, 4);
    let labels = (0..PLACES)
        .map(|place| {
            if place == 0 {
                Step::new()
            } else {
                Step::of([props[place - 1]])
            }
        })
        .collect();
    let ways = (0..PLACES)
        .map(|from| {
            (0..PLACES)
                .filter(|to| *to != from)
                .filter(|_| random.below(5) < 2)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|to| Transition {
                    ruled_out_by: (random.below(6) == 0).then(|| random.below(2)),
                    ..Transition::new(to, to, 1.0 + random.below(3) as f64)
                })
                .collect()
        })
        .collect();
    Graph { labels, ways }
}

const RULES: [&str; 12] = [
    "F a",
    "F b",
    "F c",
    "F d",
    "G !a",
    "G !d",
    "!b U a",
    "!c U b",
    "G (a -> X b)",
    "G (b -> F c)",
    "F (a & F (b & F a))",
    "G (c -> X !d)",
];

fn rules(random: &mut Random) -> Vec<(String, &'static str)> {
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < 3 {
        let at = random.below(RULES.len());
        if !chosen.contains(&at) {
            chosen.push(at);
        }
    }
    chosen
        .into_iter()
        .map(|at| (format!("rule {at}"), RULES[at]))
        .collect()
}

/// The cheapest walk whose trace satisfies all formulas by the reference evaluator, by trying every walk of
/// at most `longest` steps. Facts in `lifted` do not rule anything out.
fn exhaustive(
    graph: &Graph,
    arena: &Arena,
    formulas: &[Formula],
    lifted: [bool; 2],
    longest: usize,
) -> Option<f64> {
    let mut best: Option<f64> = None;
    let mut stack = vec![(0usize, vec![graph.labels[0].clone()], 0.0f64)];
    while let Some((place, trace, cost)) = stack.pop() {
        if best.is_some_and(|best| cost >= best) {
            continue;
        }
        if formulas.iter().all(|formula| arena.holds_on(*formula, &trace)) {
            best = Some(cost);
            continue;
        }
        if trace.len() > longest {
            continue;
        }
        for way in &graph.ways[place] {
            if way.ruled_out_by.is_none_or(|fact| lifted[fact]) {
                let mut longer = trace.clone();
                longer.push(graph.labels[way.to].clone());
                stack.push((way.to, longer, cost + way.cost));
            }
        }
    }
    best
}

#[test]
fn plans_are_as_cheap_as_the_best_of_all_walks() {
    let mut random = Random(100);
    let (mut planned, mut refused) = (0, 0);
    for round in 0..150 {
        let mut rules = RuleSet::one_shot(rules(&mut random)).unwrap();
        let graph = graph(&mut random, rules.arena_mut());
        let formulas: Vec<Formula> = rules.rules().iter().map(|rule| rule.formula()).collect();
        let best = exhaustive(&graph, rules.arena(), &formulas, [false; 2], 7);
        match rules.plan(&graph) {
            Ok(plan) => {
                planned += 1;
                for formula in &formulas {
                    assert!(rules.arena().holds_on(*formula, &plan.trace()), "round {round}");
                }
                // A plan of more than 7 steps is beyond the exhaustive search.
                if plan.steps.len() <= 7 {
                    assert_eq!(Some(plan.cost), best, "round {round}: {graph:?}");
                } else {
                    assert!(best.is_none_or(|best| plan.cost <= best), "round {round}");
                }
                let table = CostToGo::new(&rules, &graph, Default::default()).unwrap();
                let mut watch = Watch::new(&rules);
                watch.step(&rules, &plan.start_step).unwrap();
                let mut left = plan.cost;
                let mut place = 0;
                for step in &plan.steps {
                    assert_eq!(table.get(&place, &watch), Some(left), "round {round}");
                    assert_eq!(table.choices(&place, &watch)[0].total, left, "round {round}");
                    watch.step(&rules, &step.step).unwrap();
                    left -= step.cost;
                    place = step.state;
                }
                assert_eq!(table.get(&place, &watch), Some(0.0), "round {round}");
                assert!(watch.may_end());
            }
            Err(Error::NoPlan(conflict)) => {
                refused += 1;
                assert_eq!(best, None, "round {round}: there is a plan");
                assert!(!conflict.rules.is_empty(), "round {round}");
                // Minimal: with one rule or one fact less there is a plan.
                let named = |skip: &str| -> Vec<Formula> {
                    let kept = conflict.rules.iter().filter(|(name, _)| name != skip);
                    kept.map(|(name, _)| rules.rule(name).unwrap().formula())
                        .collect()
                };
                if conflict.on_every_map {
                    continue;
                }
                let listed = |fact: &str| conflict.facts.iter().any(|other| other == fact);
                let lifted = [!listed("fact 0"), !listed("fact 1")];
                let longest = 8;
                assert_eq!(
                    exhaustive(&graph, rules.arena(), &named(""), lifted, longest),
                    None,
                    "round {round}"
                );
                for (name, _) in &conflict.rules {
                    let found = exhaustive(&graph, rules.arena(), &named(name), lifted, longest);
                    assert!(found.is_some(), "round {round}: {conflict} does not need {name}");
                }
                for fact in 0..2 {
                    let mut without = lifted;
                    if !std::mem::replace(&mut without[fact], true) {
                        let found = exhaustive(&graph, rules.arena(), &named(""), without, longest);
                        assert!(
                            found.is_some(),
                            "round {round}: {conflict} does not need fact {fact}"
                        );
                    }
                }
            }
            Err(Error::NothingToReach | Error::StartViolates { .. }) => {}
            Err(other) => panic!("round {round}: {other}"),
        }
    }
    assert!(
        planned > 30 && refused > 30,
        "{planned} planned, {refused} refused: too poor a test"
    );
}

#[test]
fn patrols_satisfy_their_rules_and_no_shorter_round_does() {
    let mut random = Random(101);
    let standing = [
        "G F a",
        "G F b",
        "G F c",
        "G !d",
        "G (a -> F b)",
        "F G !c",
        "G (b -> X !a)",
        "G F (a | c)",
    ];
    let mut planned = 0;
    for round in 0..80 {
        let first = random.below(standing.len());
        let second = (first + 1 + random.below(standing.len() - 1)) % standing.len();
        let mut rules = StandingRules::new([("one", standing[first]), ("two", standing[second])]).unwrap();
        let graph = graph(&mut random, rules.arena_mut());
        let mut arena = rules.arena().clone();
        let formulas = [standing[first], standing[second]].map(|text| arena.parse(text).unwrap());
        match rules.plan(&graph) {
            Ok(patrol) => {
                planned += 1;
                let lasso = patrol.lasso();
                for formula in formulas {
                    assert!(arena.holds_on_lasso(formula, &lasso), "round {round}: {lasso:?}");
                }
                let sum: f64 = patrol.cycle.iter().map(|step| step.cost).sum();
                assert_eq!(sum, patrol.cycle_cost, "round {round}");
                if let Some(cheapest) = cheapest_round(&graph, &arena, &formulas, 5) {
                    assert!(
                        patrol.cycle_cost <= cheapest,
                        "round {round}: a round costs {cheapest}"
                    );
                }
            }
            Err(Error::NoPlan(_)) => {
                assert_eq!(
                    cheapest_round(&graph, &arena, &formulas, 5),
                    None,
                    "round {round}"
                );
            }
            Err(Error::StartViolates { .. }) => {}
            Err(other) => panic!("round {round}: {other}"),
        }
    }
    assert!(planned > 15, "only {planned} patrols: too poor a test");
}

/// The cheapest cycle of at most `longest` steps that satisfies the formulas after a shortest way to it.
fn cheapest_round(graph: &Graph, arena: &Arena, formulas: &[Formula], longest: usize) -> Option<f64> {
    let mut best: Option<f64> = None;
    // Every simple way from the start, then every closed walk from its end.
    let mut ways = vec![vec![0usize]];
    let mut at = 0;
    while at < ways.len() {
        let way = ways[at].clone();
        at += 1;
        let entry = way[way.len() - 1];
        let mut stack = vec![(entry, Vec::new(), 0.0)];
        while let Some((place, cycle, cost)) = stack.pop() {
            if place == entry && !cycle.is_empty() && best.is_none_or(|best| cost < best) {
                let prefix = way.iter().map(|place| graph.labels[*place].clone()).collect();
                let lasso = steward_ltl::Lasso {
                    prefix,
                    cycle: cycle.clone(),
                };
                if formulas
                    .iter()
                    .all(|formula| arena.holds_on_lasso(*formula, &lasso))
                {
                    best = Some(cost);
                }
            }
            if cycle.len() < longest {
                for next in graph.ways[place].iter().filter(|way| way.ruled_out_by.is_none()) {
                    let mut longer: Vec<Step> = cycle.clone();
                    longer.push(graph.labels[next.to].clone());
                    stack.push((next.to, longer, cost + next.cost));
                }
            }
        }
        for next in graph.ways[entry].iter().filter(|way| way.ruled_out_by.is_none()) {
            if !way.contains(&next.to) {
                let mut longer = way.clone();
                longer.push(next.to);
                ways.push(longer);
            }
        }
    }
    best
}

#[test]
fn twelve_visits_do_not_cost_all_their_combinations_up_front() {
    // On a corridor the visits come in one order, so few of the 4,096 combinations are ever reached.
    struct Corridor(Vec<Step>);
    impl TransitionSystem for Corridor {
        type State = usize;
        type Action = usize;
        fn start(&self) -> usize {
            0
        }
        fn label(&self, at: &usize) -> Step {
            self.0[*at].clone()
        }
        fn successors(&self, at: &usize) -> Vec<Transition<usize, usize>> {
            (at + 1 < self.0.len())
                .then(|| Transition::new(at + 1, at + 1, 1.0))
                .into_iter()
                .collect()
        }
    }
    let mut rules =
        RuleSet::one_shot((0..12).map(|at| (format!("visit {at}"), format!("F room_{at}")))).unwrap();
    let mut labels = vec![Step::new()];
    for at in 0..12 {
        labels.push(Step::of([rules.arena_mut().prop(&format!("room_{at}")).unwrap()]));
    }
    let corridor = Corridor(labels);
    assert_eq!(rules.plan(&corridor).unwrap().cost, 12.0);
    assert_eq!(
        CostToGo::new(&rules, &corridor, Default::default())
            .unwrap()
            .len(),
        13
    );
}
