//! Traps that published planners fall into.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use steward_ltl::{
    Arena, Dfa, Error, Monitor, RuleSet, Semantics, Step, Transition, TransitionSystem, Verdict,
};

/// Places in a row; each step goes on or stays.
struct Row(Vec<Step>);

impl TransitionSystem for Row {
    type State = usize;
    type Action = &'static str;

    fn start(&self) -> usize {
        0
    }
    fn label(&self, at: &usize) -> Step {
        self.0[*at].clone()
    }
    fn successors(&self, at: &usize) -> Vec<Transition<usize, &'static str>> {
        let mut ways = vec![Transition::new("stay", *at, 1.0)];
        if at + 1 < self.0.len() {
            ways.push(Transition::new("on", at + 1, 1.0));
        }
        ways
    }
}

#[test]
fn a_plan_is_not_finished_while_the_next_step_is_owed() {
    let mut rules = RuleSet::one_shot([("task", "F a & G (a -> X b)")]).unwrap();
    let (a, b) = (
        rules.arena_mut().prop("a").unwrap(),
        rules.arena_mut().prop("b").unwrap(),
    );
    let mut monitor = Monitor::new(rules.rules()[0].clone());
    assert_eq!(monitor.step(&Step::of([a])), Verdict::OpenObligation);
    assert!(monitor.allows(&Step::of([b])) && !monitor.allows(&Step::of([a])));
    // A planner must go on to b, and stay there rather than end at a.
    let row = Row(vec![Step::new(), Step::of([a]), Step::of([b])]);
    let plan = rules.plan(&row).unwrap();
    assert_eq!(
        plan.steps.iter().map(|step| step.state).collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn strong_and_weak_next_are_told_apart() {
    let mut arena = Arena::new();
    let strong = arena.parse("G (a -> X G !b)").unwrap();
    let weak = arena.parse("G (a -> N G !b)").unwrap();
    let domain = Default::default();
    let difference = arena
        .difference(strong, weak, Semantics::Finite, &domain)
        .unwrap()
        .unwrap();
    let a = arena.prop("a").unwrap();
    // On the trace of one step in which `a` holds there is no next step.
    assert_eq!(difference.trace, steward_ltl::Trace::Finite(vec![Step::of([a])]));
    assert!(!difference.first_holds);
    // On infinite traces there always is one.
    assert!(
        arena
            .equivalent(strong, weak, Semantics::Infinite, &domain)
            .unwrap()
    );
    let sizes = [strong, weak].map(|formula| Dfa::of(&mut arena, formula).unwrap().num_states());
    assert_eq!(sizes, [4, 3]);
}

#[test]
fn again_and_again_is_refused_for_a_plan_that_ends() {
    let Err(error) = RuleSet::one_shot([("safe", "G !stairs"), ("patrol", "G F a")]) else {
        panic!("`G F a` was taken");
    };
    let text = error.to_string();
    assert!(matches!(error, Error::NotForOneShot { rule, .. } if rule == "patrol"));
    assert!(
        text.contains("bound it") && text.contains("repeating plan"),
        "{text}"
    );
}

#[test]
fn rules_that_only_forbid_do_not_end_a_plan_at_once() {
    let mut rules = RuleSet::one_shot([("safe", "G !stairs"), ("quiet", "G (night -> !bell)")]).unwrap();
    let monitor = Monitor::new(rules.rules()[0].clone());
    // "So far" is not "done": nothing has been settled.
    assert_eq!(monitor.verdict(), Verdict::SatisfiedSoFar);
    let stairs = rules.arena_mut().prop("stairs").unwrap();
    let row = Row(vec![Step::new(), Step::of([stairs])]);
    assert_eq!(rules.plan(&row), Err(Error::NothingToReach));
}

#[test]
fn one_rule_that_does_not_parse_stops_everything() {
    let Err(Error::Rule { rule, error }) = RuleSet::one_shot([
        ("safe", "G !stairs"),
        ("visit", "F (kitchen & )"),
        ("other", "F a"),
    ]) else {
        panic!("the rule was taken");
    };
    assert_eq!((rule.as_str(), error.column), ("visit", 14));
    insta::assert_snapshot!(error, @r"
    line 1, column 14: expected a formula after `&` (a proposition, a constant, `!`, a temporal operator or `(`), found `)`
      F (kitchen & )
                   ^
    ");
}

#[test]
fn contradictory_rules_give_the_minimal_conflict() {
    let mut rules = RuleSet::one_shot([
        ("tidy", "G !spill"),
        ("visit", "F kitchen"),
        ("never", "G (kitchen -> X hall)"),
        ("no hall", "G !hall"),
        ("study", "F study"),
    ])
    .unwrap();
    let row = Row(vec![Step::new()]);
    assert_eq!(rules.contradiction().unwrap(), Some(vec![1, 2, 3]));
    let Err(Error::NoPlan(conflict)) = rules.plan(&row) else {
        panic!("a plan was found")
    };
    assert!(conflict.on_every_map && conflict.facts.is_empty());
    let names: Vec<&str> = conflict.rules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["visit", "never", "no hall"]);
    // Minimal: without any one of them the others can be kept.
    let texts = ["F kitchen", "G (kitchen -> X hall)", "G !hall"];
    for without in 0..3 {
        let kept: Vec<_> = (0..3)
            .filter(|at| *at != without)
            .map(|at| (at.to_string(), texts[at]))
            .collect();
        assert_eq!(RuleSet::one_shot(kept).unwrap().contradiction().unwrap(), None);
    }
}

#[test]
fn a_start_that_violates_a_rule_is_reported() {
    let mut rules = RuleSet::one_shot([("safe", "G !stairs"), ("go", "F kitchen")]).unwrap();
    let (stairs, kitchen) = (
        rules.arena_mut().prop("stairs").unwrap(),
        rules.arena_mut().prop("kitchen").unwrap(),
    );
    let row = Row(vec![Step::of([stairs]), Step::of([kitchen])]);
    let Err(Error::StartViolates { rule, detail }) = rules.plan(&row) else {
        panic!("it was accepted")
    };
    assert_eq!(rule, "safe");
    assert_eq!(detail, "there `stairs` holds, and allowed is !stairs");
}

#[test]
fn a_response_that_undoes_its_trigger_is_settled_by_ending_with_nothing_owed() {
    let rules = RuleSet::one_shot([("close", "G (open -> F !open)")]);
    assert!(
        rules.is_ok(),
        "the rule to close what was opened is for plans that end"
    );
}
