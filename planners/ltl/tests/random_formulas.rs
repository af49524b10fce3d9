//! 20,000 random formulas: automaton, witness search, simplifier and printers agree with the definition.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::sync::Arc;

use common::{Random, letters};
use steward_ltl::{Arena, Dfa, Monitor, NextReading, Notation, Rule, Semantics, Syntax, Trace, Verdict};

const FORMULAS: usize = 20_000;

#[test]
fn automaton_simplifier_and_printers_agree_with_the_definition() {
    let mut random = Random(20_000);
    for round in 0..FORMULAS {
        let mut arena = Arena::new();
        let count = 1 + random.below(4);
        let props = letters(&mut arena, count);
        let size = 1 + random.below(16);
        let formula = random.formula(&mut arena, &props, size);
        let text = arena.text(formula);
        let dfa = Dfa::of(&mut arena, formula).unwrap();
        let rule = Arc::new(Rule::new(&mut arena, "rule", formula).unwrap());
        assert_eq!(rule.dfa(), &dfa);
        let nnf = arena.nnf(formula);
        let negation = arena.nnf_of_negation(formula);
        let finite = arena.simplify(formula, Semantics::Finite);
        let infinite = arena.simplify(formula, Semantics::Infinite);
        for _ in 0..12 {
            let length = random.below(7);
            let trace = random.trace(&props, length);
            let truth = arena.holds_on(formula, &trace);
            assert_eq!(
                dfa.accepts(&trace),
                truth,
                "round {round}: automaton of {text} on {trace:?}"
            );
            let mut monitor = Monitor::new(rule.clone());
            let mut settled = None;
            for (at, step) in trace.iter().enumerate() {
                assert_eq!(
                    monitor.allows(step),
                    monitor.after(step) != Verdict::PermanentlyViolated
                );
                let verdict = monitor.step(step);
                // Permanent verdicts stay, and what is owed is exactly what the rest must satisfy.
                assert!(
                    settled.is_none_or(|before| before == verdict),
                    "round {round}: {text} on {trace:?}"
                );
                if matches!(
                    verdict,
                    Verdict::PermanentlySatisfied | Verdict::PermanentlyViolated
                ) {
                    settled = Some(verdict);
                }
                let owed = rule.owed(monitor.state());
                let rest = &trace[at + 1..];
                assert_eq!(
                    arena.holds_on(owed, rest),
                    truth,
                    "round {round}: owed by {text} after step {at}"
                );
            }
            assert_eq!(
                monitor.verdict().may_end(),
                truth,
                "round {round}: monitor of {text} on {trace:?}"
            );
            assert_eq!(arena.holds_on(nnf, &trace), truth, "round {round}: nnf of {text}");
            assert_eq!(
                arena.holds_on(negation, &trace),
                !truth,
                "round {round}: negation of {text}"
            );
            assert_eq!(
                arena.holds_on(finite, &trace),
                truth,
                "round {round}: simplified {text} on {trace:?}"
            );
            let lasso = random.lasso(&props);
            let truth = arena.holds_on_lasso(formula, &lasso);
            assert_eq!(
                arena.holds_on_lasso(nnf, &lasso),
                truth,
                "round {round}: nnf of {text}"
            );
            assert_eq!(
                arena.holds_on_lasso(negation, &lasso),
                !truth,
                "round {round}: negation of {text}"
            );
            assert_eq!(
                arena.holds_on_lasso(infinite, &lasso),
                truth,
                "round {round}: simplified {text}"
            );
        }
        for notation in [Notation::Infix, Notation::Spot, Notation::Spin, Notation::Prefix] {
            let printed = arena.print(formula, notation).unwrap();
            let syntax = if notation == Notation::Prefix {
                Syntax::Prefix
            } else {
                Syntax::Infix
            };
            let next = if notation == Notation::Spot {
                NextReading::Weak
            } else {
                NextReading::Strong
            };
            let parsed = arena
                .parse_as(&printed, syntax, next)
                .unwrap_or_else(|e| panic!("{printed}\n{e}"));
            assert_eq!(parsed, formula, "round {round}: {text} printed as {printed}");
        }
    }
}

#[test]
fn witnesses_hold_and_absence_means_that_the_automaton_is_empty() {
    let mut random = Random(4_711);
    for round in 0..FORMULAS / 4 {
        let mut arena = Arena::new();
        let count = 1 + random.below(3);
        let props = letters(&mut arena, count);
        let size = 1 + random.below(14);
        let formula = random.formula(&mut arena, &props, size);
        let text = arena.text(formula);
        let dfa = Dfa::of(&mut arena, formula).unwrap();
        match arena.witness(formula, Semantics::Finite).unwrap() {
            Some(Trace::Finite(trace)) => {
                assert!(
                    !trace.is_empty() && arena.holds_on(formula, &trace),
                    "round {round}: {text}"
                );
            }
            Some(other) => panic!("{other:?} is not finite"),
            None => assert_eq!(dfa.shortest(true), None, "round {round}: {text} has a trace"),
        }
        // On infinite traces a formula or its negation has a witness, and each witness is right.
        let negation = arena.not(formula);
        let mut found = 0;
        for side in [formula, negation] {
            if let Some(Trace::Infinite(lasso)) = arena.witness(side, Semantics::Infinite).unwrap() {
                found += 1;
                assert!(
                    arena.holds_on_lasso(side, &lasso),
                    "round {round}: {text} on {lasso:?}"
                );
            } else {
                for _ in 0..20 {
                    let lasso = random.lasso(&props);
                    assert!(
                        !arena.holds_on_lasso(side, &lasso),
                        "round {round}: {text} on {lasso:?}"
                    );
                }
            }
        }
        assert!(
            found > 0,
            "round {round}: neither {text} nor its negation has a witness"
        );
    }
}
