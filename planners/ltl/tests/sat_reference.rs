//! Satisfiability against the verdicts on which several tools agree.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::time::{Duration, Instant};

use common::{reference, rows};
use steward_ltl::{Arena, Semantics};

#[test]
fn every_verdict_is_right_and_every_witness_holds() {
    let Some(text) = reference("black_sat_dev.csv") else {
        return;
    };
    let rows = rows(&text);
    assert_eq!(rows.len(), 1_247);
    let mut wrong = Vec::new();
    let mut slowest = (Duration::ZERO, String::new());
    for row in &rows {
        let semantics = if row[0] == "LTLf" {
            Semantics::Finite
        } else {
            Semantics::Infinite
        };
        let mut arena = Arena::new();
        let formula = arena
            .parse(&row[4])
            .unwrap_or_else(|error| panic!("{}: {error}", row[1]));
        let start = Instant::now();
        let witness = arena
            .witness(formula, semantics)
            .unwrap_or_else(|error| panic!("{}: {error}", row[1]));
        slowest = slowest.max((start.elapsed(), row[1].clone()));
        if witness.is_some() != (row[3] == "SAT") {
            wrong.push(row[1].clone());
        }
        if let Some(trace) = witness {
            assert!(
                arena.holds(formula, &trace),
                "{}: {trace:?} is no witness",
                row[1]
            );
        }
    }
    println!("slowest: {slowest:?}");
    assert!(wrong.is_empty(), "wrong verdicts: {wrong:?}");
}
