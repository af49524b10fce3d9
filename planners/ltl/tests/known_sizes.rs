//! The 47 formulas of Lang2LTL and the 55 of Dwyer et al.: minimal sizes and agreement with the definition.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{Random, reference, rows};
use steward_ltl::{Arena, Dfa};

/// Name, formula text and the size of MONA's automaton in the published tables.
fn known() -> Option<Vec<(String, String, usize)>> {
    let mut known = Vec::new();
    for row in rows(&reference("lang2ltl_47_known.csv")?) {
        known.push((
            format!("{} {}", row[0], row[1]),
            row[3].clone(),
            row[6].parse().unwrap(),
        ));
    }
    for row in rows(&reference("dwyer55_known.csv")?) {
        known.push((
            format!("{} {} {}", row[0], row[1], row[2]),
            row[3].clone(),
            row[7].parse().unwrap(),
        ));
    }
    assert_eq!(known.len(), 102);
    Some(known)
}

#[test]
fn sizes_are_those_of_mona() {
    let Some(known) = known() else { return };
    for (name, text, mona) in known {
        let mut arena = Arena::new();
        let formula = arena.parse(&text).unwrap();
        let dfa = Dfa::of(&mut arena, formula).unwrap();
        // Under the convention of `Dfa` (the initial state accepts exactly if the empty trace does, and the
        // sink counts) every size is the published one, without the allowed difference of one.
        assert_eq!(dfa.num_states(), mona, "{name}: {text}");
    }
}

#[test]
fn automata_agree_with_the_definition_on_a_thousand_traces_each() {
    let Some(known) = known() else { return };
    let mut random = Random(47);
    let mut disagreements = 0;
    for (_, text, _) in known {
        let mut arena = Arena::new();
        let formula = arena.parse(&text).unwrap();
        let dfa = Dfa::of(&mut arena, formula).unwrap();
        let props: Vec<_> = arena.props().collect();
        for _ in 0..1_000 {
            let length = random.below(12);
            let trace = random.trace(&props, length);
            disagreements += usize::from(dfa.accepts(&trace) != arena.holds_on(formula, &trace));
        }
    }
    assert_eq!(disagreements, 0);
}
