//! Steps, finite traces and lassos.

use std::fmt;

use crate::Error;
use crate::formula::{Arena, Prop};
use crate::lexer::{Lexer, Token};

/// The propositions that hold in one step; all others are false.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Step {
    /// Bit `i` is proposition `i`; the last word is not zero.
    words: Vec<u64>,
}

impl Step {
    /// The step in which nothing holds.
    pub fn new() -> Step {
        Step::default()
    }

    /// The step in which exactly the given propositions hold.
    pub fn of(props: impl IntoIterator<Item = Prop>) -> Step {
        let mut step = Step::new();
        for prop in props {
            step.set(prop, true);
        }
        step
    }

    /// Whether a proposition holds.
    #[inline]
    pub fn holds(&self, prop: Prop) -> bool {
        self.words
            .get(prop.index() / 64)
            .is_some_and(|word| word >> (prop.index() % 64) & 1 == 1)
    }

    /// Makes a proposition hold or not.
    pub fn set(&mut self, prop: Prop, holds: bool) {
        let (word, bit) = (prop.index() / 64, 1u64 << (prop.index() % 64));
        if holds {
            if self.words.len() <= word {
                self.words.resize(word + 1, 0);
            }
            self.words[word] |= bit;
        } else if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
            while self.words.last() == Some(&0) {
                self.words.pop();
            }
        }
    }

    /// The step with the given propositions added.
    #[must_use]
    pub fn with(mut self, props: impl IntoIterator<Item = Prop>) -> Step {
        for prop in props {
            self.set(prop, true);
        }
        self
    }

    /// The propositions that hold, in order.
    pub fn props(&self) -> impl Iterator<Item = Prop> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| Prop((index * 64 + bit) as u32))
        })
    }

    /// The step as text that [`Arena::parse_trace`] reads: names with spaces between, or `-` for none.
    pub fn text(&self, arena: &Arena) -> String {
        let names: Vec<String> = self.props().map(|prop| arena.quoted_name(prop)).collect();
        if names.is_empty() {
            "-".into()
        } else {
            names.join(" ")
        }
    }
}

/// An infinite trace: the steps of `prefix`, then those of `cycle` for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lasso {
    /// The steps before the cycle; may be empty.
    pub prefix: Vec<Step>,
    /// The steps that repeat; never empty.
    pub cycle: Vec<Step>,
}

impl Lasso {
    /// The lasso as text that [`Arena::parse_trace`] reads: `a; b; cycle{c; -}`.
    pub fn text(&self, arena: &Arena) -> String {
        let prefix: String = self.prefix.iter().map(|step| step.text(arena) + "; ").collect();
        format!("{prefix}cycle{{{}}}", trace_text(arena, &self.cycle))
    }
}

/// A finite trace as text that [`Arena::parse_trace`] reads.
pub fn trace_text(arena: &Arena, steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| step.text(arena))
        .collect::<Vec<_>>()
        .join("; ")
}

/// A trace of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// A finite trace, possibly of no step.
    Finite(Vec<Step>),
    /// An infinite trace.
    Infinite(Lasso),
}

impl fmt::Display for Prop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proposition {}", self.index())
    }
}

impl Arena {
    /// Reads a trace: steps separated by `;`, in each the names of what holds, separated by spaces, commas or
    /// `&`, or `-` where nothing holds. `cycle{…}` at the end makes it infinite. The empty text is the trace
    /// of no step.
    pub fn parse_trace(&mut self, text: &str) -> Result<Trace, Error> {
        let mark = self.mark();
        let result = self.read_trace(text);
        if result.is_err() {
            self.roll_back(mark);
        }
        result
    }

    fn read_trace(&mut self, text: &str) -> Result<Trace, Error> {
        let text = text.trim();
        let Some((prefix, cycle)) = text.split_once("cycle{") else {
            return Ok(Trace::Finite(self.read_steps(text)?));
        };
        let Some(cycle) = cycle.strip_suffix('}') else {
            return Err(Error::BadTrace(
                "`cycle{` must end the trace with `}`: write `a; cycle{b; c}`".into(),
            ));
        };
        let cycle = self.read_steps(cycle)?;
        if cycle.is_empty() {
            return Err(Error::BadTrace(
                "a cycle needs at least one step: write `cycle{-}` for an empty one".into(),
            ));
        }
        let prefix = prefix.trim().trim_end_matches(';');
        Ok(Trace::Infinite(Lasso {
            prefix: self.read_steps(prefix)?,
            cycle,
        }))
    }

    fn read_steps(&mut self, text: &str) -> Result<Vec<Step>, Error> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        text.trim()
            .trim_end_matches(';')
            .split(';')
            .map(|step| self.read_step(step))
            .collect()
    }

    fn read_step(&mut self, text: &str) -> Result<Step, Error> {
        let mut step = Step::new();
        if matches!(text.trim(), "-" | "{}" | "") {
            return Ok(step);
        }
        // Commas between names are spaces; those inside a predicate are read with its arguments.
        let mut depth = 0i32;
        let mut quoted = false;
        let spaced: String = text
            .chars()
            .map(|c| {
                match c {
                    '"' => quoted = !quoted,
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                if c == ',' && depth <= 0 && !quoted { ' ' } else { c }
            })
            .collect();
        let mut lexer = Lexer::new(&spaced);
        loop {
            let token = lexer.next()?;
            let name = match token.token {
                Token::End => return Ok(step),
                Token::And => continue,
                Token::Prop(name) => name,
                Token::Word(ref word) => lexer
                    .arguments(word, token.start)?
                    .unwrap_or_else(|| word.clone()),
                _ => {
                    return Err(crate::error::ParseError::at(
                        &spaced,
                        token.start,
                        format!(
                            "a step lists the propositions that hold, found {}: leave out what does not \
                             hold, and write `-` for a step where nothing holds",
                            token.shown(&spaced)
                        ),
                    )
                    .into());
                }
            };
            let prop = self.intern(name);
            step.set(prop, true);
        }
    }
}
