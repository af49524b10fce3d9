//! Any text is parsed or refused; what is parsed survives printing. `cargo fuzz run parse` in `planners/ltl`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steward_ltl::{Arena, NextReading, Notation, Syntax};

fuzz_target!(|text: &str| {
    let mut arena = Arena::new();
    for syntax in [Syntax::Infix, Syntax::Prefix, Syntax::Auto] {
        let Ok(formula) = arena.parse_as(text, syntax, NextReading::Strong) else { continue };
        for (notation, syntax, next) in [
            (Notation::Infix, Syntax::Infix, NextReading::Strong),
            (Notation::Spot, Syntax::Infix, NextReading::Weak),
            (Notation::Spin, Syntax::Infix, NextReading::Strong),
            (Notation::Prefix, Syntax::Prefix, NextReading::Strong),
        ] {
            // A text at the limit may grow beyond it when it is printed.
            if let Ok(printed) = arena.print(formula, notation)
                && printed.len() <= arena.limits().max_text_bytes
                && let Ok(again) = arena.parse_as(&printed, syntax, next)
            {
                assert_eq!(again, formula, "{printed}");
            }
        }
    }
    let _ = arena.parse_trace(text);
});
