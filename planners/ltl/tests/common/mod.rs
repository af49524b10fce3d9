//! What the integration tests share: reference data, a seeded generator, random formulas and traces.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;

use steward_ltl::{Arena, Formula, Lasso, Node, Prop, Step};

/// A file of the reference data, or `None` (after saying so) where the data is absent.
///
/// The data is at `$STEWARD_SHARED`, or next to the workspace in `../shared`. With `CI=true` its absence is
/// a failure.
pub(crate) fn reference(file: &str) -> Option<String> {
    let shared = std::env::var_os("STEWARD_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared")
        });
    let path = shared.join("data/ltl").join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!required, "{} is required: {error}", path.display());
            println!("skipped: no reference data at {} ({error})", path.display());
            None
        }
    }
}

/// The rows of a CSV text as cells, the header left out.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .skip(1)
        .map(|line| {
            let mut cells = vec![String::new()];
            let mut quoted = false;
            let mut chars = line.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '"' if quoted && chars.peek() == Some(&'"') => {
                        chars.next();
                        cells.last_mut().unwrap().push('"');
                    }
                    '"' => quoted = !quoted,
                    ',' if !quoted => cells.push(String::new()),
                    c => cells.last_mut().unwrap().push(c),
                }
            }
            cells
        })
        .collect()
}

/// SplitMix64: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A step over the propositions, each true with the given chance in 16.
    pub(crate) fn step(&mut self, props: &[Prop], chance: usize) -> Step {
        Step::of(props.iter().copied().filter(|_| self.below(16) < chance))
    }

    /// A trace of `length` steps; a third of them is sparse, as plans are.
    pub(crate) fn trace(&mut self, props: &[Prop], length: usize) -> Vec<Step> {
        let chance = [4, 8, 12][self.below(3)];
        (0..length).map(|_| self.step(props, chance)).collect()
    }

    pub(crate) fn lasso(&mut self, props: &[Prop]) -> Lasso {
        let (prefix, cycle) = (self.below(4), 1 + self.below(4));
        Lasso {
            prefix: self.trace(props, prefix),
            cycle: self.trace(props, cycle),
        }
    }

    /// A random formula of about `size` operators over the propositions.
    pub(crate) fn formula(&mut self, arena: &mut Arena, props: &[Prop], size: usize) -> Formula {
        if size <= 1 {
            return match self.below(12) {
                0 => Arena::TRUE,
                1 => Arena::FALSE,
                _ => {
                    let prop = props[self.below(props.len())];
                    arena.atom(prop)
                }
            };
        }
        if self.below(3) == 0 || size == 2 {
            let a = self.formula(arena, props, size - 1);
            let node = match self.below(5) {
                0 => Node::Not(a),
                1 => Node::Next(a),
                2 => Node::WeakNext(a),
                3 => Node::Finally(a),
                _ => Node::Globally(a),
            };
            return arena.add(node);
        }
        let left = 1 + self.below(size - 2);
        let a = self.formula(arena, props, left);
        let b = self.formula(arena, props, size - 1 - left);
        let node = match self.below(9) {
            0 => Node::And(a, b),
            1 => Node::Or(a, b),
            2 => Node::Implies(a, b),
            3 => Node::Iff(a, b),
            4 => Node::Xor(a, b),
            5 => Node::Until(a, b),
            6 => Node::WeakUntil(a, b),
            7 => Node::Release(a, b),
            _ => Node::StrongRelease(a, b),
        };
        arena.add(node)
    }
}

/// The propositions `a`, `b`, … of an arena.
pub(crate) fn letters(arena: &mut Arena, count: usize) -> Vec<Prop> {
    (0..count)
        .map(|at| arena.prop(&((b'a' + at as u8) as char).to_string()).unwrap())
        .collect()
}
