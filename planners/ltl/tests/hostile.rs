//! Hostile texts end in an error, soon and without a panic.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::time::{Duration, Instant};

use common::Random;
use proptest::prelude::*;
use steward_ltl::{Arena, Dfa, Error, NextReading, Semantics, Syntax};

/// Generous for a loaded machine and an unoptimised build; the promise of 100 ms is about each single text.
const LIMIT: Duration = Duration::from_millis(100);

fn fails_soon(name: &str, text: &str) {
    for syntax in [Syntax::Infix, Syntax::Prefix, Syntax::Auto] {
        let mut arena = Arena::new();
        // The fastest of three, so that a pause of the machine is not taken for one of the parser.
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let answer = arena.parse_as(text, syntax, NextReading::Strong);
            fastest = fastest.min(start.elapsed());
            let Err(error) = answer else {
                panic!("{name} was taken as {syntax:?}")
            };
            assert!(
                error.to_string().len() < 1_000,
                "{name}: the message repeats the text"
            );
        }
        assert!(fastest < LIMIT, "{name} took {fastest:?} as {syntax:?}");
        assert_eq!(arena.len(), 2, "{name}: an error leaves nothing behind");
        assert_eq!(arena.num_props(), 0, "{name}: an error leaves nothing behind");
    }
}

#[test]
fn hostile_texts_end_in_an_error_in_time() {
    fails_soon("ten megabytes", &"a & ".repeat(2_621_440));
    fails_soon(
        "100,000 parentheses",
        &format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
    );
    fails_soon("100,000 open parentheses", &"(".repeat(100_000));
    fails_soon("100,000 closing parentheses", &")".repeat(100_000));
    fails_soon("a million negations", &("!".repeat(1_000_000) + "a"));
    fails_soon("a tower of untils", &("a U ".repeat(200_000) + "a"));
    fails_soon("prefix tower", &("& ".repeat(200_000) + "a"));
    fails_soon("unknown characters", "G § a");
    fails_soon("nul bytes", "a & \0\0");
    fails_soon(
        "half a megabyte of a name and a mistake",
        &("a".repeat(500_000) + " &"),
    );
    fails_soon("unclosed quote", &format!("\"{}", "x".repeat(900_000)));
    fails_soon("unclosed predicate", &format!("on({}", "x, ".repeat(200_000)));
    fails_soon("empty", "");
}

#[test]
fn deep_formulas_that_are_allowed_do_not_overflow_the_stack() {
    let mut arena = Arena::new();
    let depth = arena.limits().max_depth - 1;
    let deep = arena.parse(&("X ".repeat(depth) + "a")).unwrap();
    let nested = arena
        .parse(&format!("{}a{}", "(".repeat(depth), ")".repeat(depth)))
        .unwrap();
    assert_eq!(arena.text(nested), "a");
    let chain = arena.parse(&("(a U b) | ".repeat(50_000) + "c")).unwrap();
    let small = arena.simplify(deep, Semantics::Finite);
    assert_eq!(arena.tree_size(small), depth as u64 + 1);
    assert!(!arena.holds_on(deep, &[]) && !arena.holds_on(chain, &[]));
    assert!(arena.english(deep).len() > depth);
    assert_eq!(arena.text(chain).len(), 10 * 50_000 + 1);
    // An automaton of that many nested steps is refused with a limit and not with a crash.
    assert!(matches!(Dfa::of(&mut arena, deep), Err(Error::TooLarge { .. })));
    assert!(matches!(
        arena.witness(deep, Semantics::Infinite),
        Err(Error::TooLarge { .. })
    ));
    assert_eq!(Dfa::of(&mut arena, chain).unwrap().num_states(), 4);
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(6);
    let words: Vec<&str> =
        "F G X N U W R M V a b on(mug,desk) ( ) ! & | -> <-> xor X[!] X! true 0 1 \" \\ [] <> i e t f , ; §"
            .split(' ')
            .collect();
    for _ in 0..20_000 {
        let text: String = if random.below(2) == 0 {
            let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.below(256) as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            (0..random.below(20))
                .map(|_| words[random.below(words.len())].to_string() + [" ", ""][random.below(2)])
                .collect()
        };
        let mut arena = Arena::new();
        for syntax in [Syntax::Infix, Syntax::Prefix, Syntax::Auto] {
            if let Ok(formula) = arena.parse_as(&text, syntax, NextReading::Strong) {
                let printed = arena.text(formula);
                assert_eq!(
                    arena.parse(&printed).unwrap(),
                    formula,
                    "{text} printed as {printed}"
                );
            }
        }
        let _ = arena.parse_trace(&text);
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,80}") {
        let mut arena = Arena::new();
        for syntax in [Syntax::Infix, Syntax::Prefix, Syntax::Auto] {
            if let Ok(formula) = arena.parse_as(&text, syntax, NextReading::Strong) {
                let printed = arena.text(formula);
                prop_assert_eq!(arena.parse(&printed).unwrap(), formula);
            }
        }
        let _ = arena.parse_trace(&text);
    }

    #[test]
    fn any_name_survives_every_notation(name in "\\PC{1,20}") {
        let mut arena = Arena::new();
        prop_assume!(!name.trim().is_empty());
        let prop = arena.prop(&name).unwrap();
        let atom = arena.atom(prop);
        let rule = arena.globally(atom);
        for (notation, syntax) in [
            (steward_ltl::Notation::Infix, Syntax::Infix),
            (steward_ltl::Notation::Spot, Syntax::Infix),
            (steward_ltl::Notation::Spin, Syntax::Infix),
            (steward_ltl::Notation::Prefix, Syntax::Prefix),
        ] {
            let text = arena.print(rule, notation).unwrap();
            prop_assert_eq!(arena.parse_as(&text, syntax, NextReading::Strong).unwrap(), rule, "{}", text);
        }
    }
}
