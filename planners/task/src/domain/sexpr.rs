//! The parenthesised texts of PDDL.

use crate::{Error, Result};

/// A word or a list, with the line it begins in.
#[derive(Debug, Clone, PartialEq)]
pub struct Sexpr {
    /// Line, from 1.
    pub line: usize,
    /// What it is.
    pub expression: Expression,
}

/// A word or a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A word, in lower case.
    Word(String),
    /// A list.
    List(Vec<Sexpr>),
}

/// Longest text that is read, bytes.
const MAX_BYTES: usize = 32 << 20;
/// Deepest nesting that is read.
const MAX_DEPTH: usize = 128;

impl Sexpr {
    /// Reads one expression; comments run from `;` to the end of the line and words become lower case.
    ///
    /// # Errors
    /// [`Error::Syntax`] for unbalanced parentheses, text after the expression, and texts beyond 32 MiB or 128
    /// levels.
    pub fn parse(text: &str) -> Result<Sexpr> {
        let fail = |line: usize, reason: &str| Error::Syntax {
            line,
            reason: reason.to_owned(),
        };
        if text.len() > MAX_BYTES {
            return Err(fail(1, "the text is longer than 32 MiB; split it"));
        }
        let mut open: Vec<(usize, Vec<Sexpr>)> = Vec::new();
        let mut done: Option<Sexpr> = None;
        for (number, text) in text.lines().enumerate() {
            let line = number + 1;
            let mut rest = text.split(';').next().unwrap_or_default();
            loop {
                rest = rest.trim_start();
                let Some(first) = rest.chars().next() else { break };
                if done.is_some() {
                    return Err(fail(
                        line,
                        "there is text after the closing parenthesis; remove it",
                    ));
                }
                let complete = match first {
                    '(' => {
                        rest = &rest[1..];
                        if open.len() == MAX_DEPTH {
                            return Err(fail(line, "nested deeper than 128 levels; flatten it"));
                        }
                        open.push((line, Vec::new()));
                        continue;
                    }
                    ')' => {
                        rest = &rest[1..];
                        let Some((line, list)) = open.pop() else {
                            return Err(fail(line, "a closing parenthesis too many; remove it"));
                        };
                        Sexpr {
                            line,
                            expression: Expression::List(list),
                        }
                    }
                    _ => {
                        let end = rest
                            .find(|c: char| c.is_whitespace() || c == '(' || c == ')')
                            .unwrap_or(rest.len());
                        let (word, tail) = rest.split_at(end);
                        rest = tail;
                        Sexpr {
                            line,
                            expression: Expression::Word(word.to_lowercase()),
                        }
                    }
                };
                match open.last_mut() {
                    Some((_, list)) => list.push(complete),
                    None => done = Some(complete),
                }
            }
        }
        if let Some((line, _)) = open.last() {
            return Err(fail(*line, "this parenthesis is never closed"));
        }
        done.ok_or_else(|| fail(1, "the text is empty; give a list"))
    }

    /// The word, if it is one.
    pub fn word(&self) -> Option<&str> {
        match &self.expression {
            Expression::Word(word) => Some(word),
            Expression::List(_) => None,
        }
    }

    /// The items, if it is a list.
    pub fn list(&self) -> Option<&[Sexpr]> {
        match &self.expression {
            Expression::Word(_) => None,
            Expression::List(list) => Some(list),
        }
    }

    /// An error about this expression.
    pub fn error(&self, reason: impl Into<String>) -> Error {
        Error::Syntax {
            line: self.line,
            reason: reason.into(),
        }
    }

    /// The word, or an error that names what was expected.
    ///
    /// # Errors
    /// [`Error::Syntax`] for a list.
    pub fn expect_word(&self, what: &str) -> Result<&str> {
        self.word()
            .ok_or_else(|| self.error(format!("a list stands where {what} was expected")))
    }

    /// The items, or an error that names what was expected.
    ///
    /// # Errors
    /// [`Error::Syntax`] for a word.
    pub fn expect_list(&self, what: &str) -> Result<&[Sexpr]> {
        match &self.expression {
            Expression::Word(word) => Err(self.error(format!("`{word}` stands where {what} was expected"))),
            Expression::List(list) => Ok(list),
        }
    }
}
