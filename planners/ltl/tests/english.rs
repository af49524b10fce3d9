//! Readings of every known pattern, as a snapshot that people have read.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{reference, rows};
use steward_ltl::Arena;

#[test]
fn readings_of_the_known_formulas() {
    let (Some(missions), Some(dwyer)) = (reference("lang2ltl_47_known.csv"), reference("dwyer55_known.csv"))
    else {
        return;
    };
    let mut readings = String::new();
    for (name, text) in rows(&missions)
        .into_iter()
        .map(|row| (format!("{} {}", row[0], row[1]), row[3].clone()))
        .chain(
            rows(&dwyer)
                .into_iter()
                .map(|row| (format!("{} {}", row[1], row[2]), row[3].clone())),
        )
    {
        let mut arena = Arena::new();
        let formula = arena.parse(&text).unwrap();
        let reading = arena.english(formula);
        readings += &format!("{name}\n  {}\n  {reading}\n", arena.text(formula));
    }
    insta::assert_snapshot!(readings);
}

#[test]
fn a_placeholder_stands_for_one_formula_only() {
    let mut arena = Arena::new();
    let same = arena.parse("G (q -> G !p)").unwrap();
    assert_eq!(
        arena.english(same),
        "From the first time that q on: it is never the case that p."
    );
    // The two ends of the scope differ here, so the pattern with one scope must not match.
    let other = arena.parse("F r -> (!p U s)").unwrap();
    assert!(!arena.english(other).contains("Before the first time"));
    let compound = arena.parse("G ((open(door) & !lit) -> F closed(door))").unwrap();
    assert_eq!(
        arena.english(compound),
        "Whenever [both open(door) and [not lit]], then at that step or later closed(door)."
    );
}
