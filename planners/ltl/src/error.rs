//! The one error type of the crate.

use std::fmt;

/// Everything that can go wrong, each with what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A formula does not parse.
    #[error("{0}")]
    Parse(ParseError),
    /// One rule of a rule set does not parse; no rule of the set is in force.
    #[error("rule `{rule}` does not parse, so no rule is in force: correct or remove it\n{error}")]
    Rule {
        /// The name of the rule.
        rule: String,
        /// What is wrong with its text.
        error: ParseError,
    },
    /// Two rules have the same name.
    #[error("two rules are called `{0}`: give each rule its own name")]
    DuplicateRule(String),
    /// A rule that no finite plan can settle was given to a one-shot task.
    #[error("rule `{rule}`, {formula}, cannot be settled by a plan that ends: {reason} {ways_out}")]
    NotForOneShot {
        /// The name of the rule.
        rule: String,
        /// The rule as text.
        formula: String,
        /// Why a finite plan cannot settle it.
        reason: String,
        /// What to write instead.
        ways_out: String,
    },
    /// A size limit was reached.
    #[error("{what} needs more than {limit} {unit}: {hint}")]
    TooLarge {
        /// What was being built.
        what: &'static str,
        /// The limit that was reached.
        limit: usize,
        /// What the limit counts.
        unit: &'static str,
        /// What to try.
        hint: &'static str,
    },
    /// A trace, step or alphabet does not fit what it is used with.
    #[error("{0}")]
    BadTrace(String),
    /// A step breaks a group, for example two places at once.
    #[error("step {step} has {found}, but {expected} of {group} may hold: correct the step or the group")]
    GroupBroken {
        /// The step, counted from 0.
        step: usize,
        /// What holds in the step.
        found: String,
        /// What the group asks for.
        expected: &'static str,
        /// The group's members.
        group: String,
    },
    /// The start of a plan already violates a rule.
    #[error("the start already violates rule `{rule}`: {detail}; start elsewhere or lift the rule")]
    StartViolates {
        /// The name of the rule.
        rule: String,
        /// What holds at the start and what was allowed.
        detail: String,
    },
    /// There are rules, but none asks for anything to be reached.
    #[error(
        "nothing is asked to be reached: every rule only forbids, so the plan of no action keeps them all; \
         add a goal such as `F place` or mark goal states in the transition system"
    )]
    NothingToReach,
    /// No plan keeps all rules.
    #[error("{0}")]
    NoPlan(Conflict),
    /// An option has a value that cannot be used.
    #[error("{0}")]
    BadOption(String),
    /// A file could not be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

/// Where and why a text stopped being a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What was found, what was expected, what to try.
    pub message: String,
    /// Byte offset into the text.
    pub offset: usize,
    /// Line of the offset, from 1.
    pub line: usize,
    /// Column of the offset in characters, from 1.
    pub column: usize,
    /// The part of the line around the offset.
    pub excerpt: String,
    /// Character position of the caret in `excerpt`.
    pub caret: usize,
}

/// Characters shown on each side of the caret.
const EXCERPT_SIDE: usize = 40;

impl ParseError {
    /// An error at a byte offset of `text`; an offset inside a character is moved to its start.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> ParseError {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = text[line_start..offset].chars().count() + 1;
        let head: Vec<char> = text[line_start..offset]
            .chars()
            .rev()
            .take(EXCERPT_SIDE + 1)
            .collect();
        let tail: Vec<char> = text[offset..]
            .chars()
            .take_while(|c| *c != '\n')
            .take(EXCERPT_SIDE + 1)
            .collect();
        let mut excerpt = String::new();
        if head.len() > EXCERPT_SIDE {
            excerpt.push('…');
        }
        for character in head.iter().take(EXCERPT_SIDE).rev() {
            excerpt.push(printable(*character));
        }
        let caret = excerpt.chars().count();
        for character in tail.iter().take(EXCERPT_SIDE) {
            excerpt.push(printable(*character));
        }
        if tail.len() > EXCERPT_SIDE {
            excerpt.push('…');
        }
        ParseError {
            message: message.into(),
            offset,
            line,
            column,
            excerpt,
            caret,
        }
    }
}

/// Control characters would move the caret away from its column.
fn printable(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        writeln!(f, "  {}", self.excerpt)?;
        write!(f, "  {:caret$}^", "", caret = self.caret)
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Error {
        Error::Parse(error)
    }
}

/// A minimal set of rules and map facts that cannot hold together: without any one of them the rest can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Names and texts of the rules.
    pub rules: Vec<(String, String)>,
    /// Facts of the map, in words.
    pub facts: Vec<String>,
    /// Whether the rules contradict each other on every map.
    pub on_every_map: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rules.is_empty(), self.on_every_map) {
            (true, _) => write!(f, "no plan reaches a goal of the map, whatever the rules")?,
            (false, true) => write!(
                f,
                "no plan exists on any map, because these contradict each other:"
            )?,
            (false, false) => write!(f, "no plan exists on this map, because these conflict:")?,
        }
        for (name, text) in &self.rules {
            write!(f, "\n  rule `{name}`: {text}")?;
        }
        for fact in &self.facts {
            write!(f, "\n  map: {fact}")?;
        }
        if !self.rules.is_empty() || !self.facts.is_empty() {
            write!(
                f,
                "\nwithout any one of them the others can be kept: lift or weaken one"
            )?;
        }
        Ok(())
    }
}
