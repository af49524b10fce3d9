//! Temporal logic for robot plans: exact, fast and able to explain itself.

mod bdd;
mod classify;
mod compare;
mod dfa;
mod domain;
mod dwyer;
mod english;
mod error;
mod explain;
mod eval;
mod formula;
mod hash;
mod lexer;
mod monitor;
mod name;
mod normal;
mod parse;
mod print;
mod progress;
mod rule;
mod tableau;
mod trace;

pub use classify::{Class, Unsettled};
pub use compare::Difference;
pub use dfa::{Dfa, Edge};
pub use domain::{Count, Domain, Group};
pub use error::{Conflict, Error, ParseError};
pub use explain::{Judgement, Rejection};
pub use formula::{Arena, Formula, Limits, Node, Prop};
pub use monitor::{Monitor, Watch};
pub use normal::Semantics;
pub use parse::{NextReading, Syntax};
pub use print::Notation;
pub use progress::AutomatonLimits;
pub use rule::{Rule, RuleSet, Verdict};
pub use trace::{Lasso, Step, Trace, trace_text};
