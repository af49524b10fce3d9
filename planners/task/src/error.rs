//! The one error type of this crate.

use steward_core::ids::ObjectId;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why no plan comes out. Each text says what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The goal names an object that is not in the household.
    #[error("object {0} is not known; explore until it is seen, or correct the goal")]
    UnknownObject(ObjectId),
    /// The goal asks one object to be in two places, or something to be moved that cannot be.
    #[error("the goal contradicts itself: {0}")]
    Contradiction(String),
    /// Every sequence of steps was tried.
    #[error("no sequence of steps reaches the goal: {0}")]
    NoPlan(String),
    /// The search met its bound first.
    #[error("no plan within {0} expanded states; raise the bound or name fewer objects")]
    Exhausted(usize),
    /// A text is not what it should be.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A name is used that was never declared.
    #[error("there is no {what} `{name}`; check the spelling or declare it")]
    UnknownName {
        /// What it should be: `object`, `type`, …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A file that cannot be read.
    #[error("{path}: {reason}; check the path or fetch the file again")]
    Read {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A scene that cannot be.
    #[error("{0}")]
    Scene(String),
    /// A step that is not possible now.
    #[error("{0}")]
    Refused(String),
    /// A rule that cannot be read or watched.
    #[error("{0}")]
    Rule(String),
    /// There is no plan, and this is why.
    #[error("{0}")]
    Infeasible(crate::plan::Conflict),
}
