//! Classes of known formulas, and what a plan that ends can settle.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{reference, rows};
use steward_ltl::{Arena, Class};

#[test]
fn classes_of_textbook_formulas() {
    for (text, class) in [
        ("true", Class::Both),
        ("false", Class::Both),
        ("a & X X b", Class::Both),
        ("G a", Class::Safety),
        ("a W b", Class::Safety),
        ("(a U b) | G a", Class::Safety),
        ("G (a -> X b)", Class::Safety),
        ("G (a | F false)", Class::Safety),
        ("F a", Class::CoSafety),
        ("a U (b & X c)", Class::CoSafety),
        ("!(a W b)", Class::CoSafety),
        ("F a & F b", Class::CoSafety),
        ("G F a", Class::Neither),
        ("F G a", Class::Neither),
        ("G (a -> F b)", Class::Neither),
        ("F a & G b", Class::Neither),
        ("F (a & F G b) & false", Class::Both),
        // Only the empty language satisfies both, and it is closed.
        ("G F a & F G !a", Class::Both),
        ("F (a & X !a) | G a | G !a | F (!a & X a)", Class::Both),
    ] {
        let mut arena = Arena::new();
        let formula = arena.parse(text).unwrap();
        assert_eq!(arena.classify(formula).unwrap(), class, "{text}");
    }
}

#[test]
fn what_a_finite_plan_settles() {
    for (text, settled) in [
        ("G !stairs", true),
        ("F kitchen", true),
        ("G (a -> F b)", true),
        ("F a & G (a -> X b) & G (c -> F d)", true),
        ("G a | F b", true),
        ("G F a", false),
        ("F G a", false),
        ("F a & G F b", false),
        ("G F a | F b", false),
        ("G (a -> F b) & G F c", false),
    ] {
        let mut arena = Arena::new();
        let formula = arena.parse(text).unwrap();
        assert_eq!(
            arena.settled_by_finite_plan(formula).unwrap().is_ok(),
            settled,
            "{text}"
        );
    }
}

#[test]
fn every_dwyer_pattern_is_settled_by_a_finite_plan() {
    let Some(text) = reference("dwyer55_known.csv") else {
        return;
    };
    for row in rows(&text) {
        let mut arena = Arena::new();
        let formula = arena.parse(&row[3]).unwrap();
        let answer = arena.settled_by_finite_plan(formula).unwrap();
        assert!(answer.is_ok(), "{}: {:?}", row[3], answer);
    }
}
