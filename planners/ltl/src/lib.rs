//! Temporal logic for robot plans: exact, fast and able to explain itself.
//!
//! House rules ("never the stairs", "after a spill, mop") and tasks ("the kitchen, then the study") become
//! formulas of linear temporal logic. This crate reads them, decides what they mean, watches them step by
//! step, plans under them and says in words what is wrong. It depends on nothing else of Steward.
//!
//! ```text
//!   text --Arena::parse--> Formula --Dfa::of-------> Dfa -----> HOA, DOT, Table --> Grammar (GBNF, Lark)
//!                             |        (finite)       |
//!                             |                       +--Rule--> Monitor: four verdicts, what is owed
//!                             |                             |
//!                             |                          RuleSet --plan--> cheapest plan, or the conflict
//!                             +--Arena::witness (finite and infinite): satisfiable? equivalent? implied?
//!                             +--Buchi::of----(infinite)---> StandingRules --plan--> cheapest patrol
//!                             +--Arena::classify, Arena::settled_by_finite_plan, Arena::english
//! ```
//!
//! # Semantics
//!
//! A step is the set of propositions that hold; a trace is a sequence of steps, finite for plans (LTLf, De
//! Giacomo and Vardi, IJCAI 2013) and infinite for standing rules (LTL, Pnueli 1977). Finite traces may be
//! empty: past the last step, and everywhere on the empty trace, the last column applies.
//!
//! | text | at a step of a trace it means | past the end |
//! |---|---|---|
//! | `a` | `a` is in the step | false |
//! | `!f` `f & g` `f \| g` `f -> g` `f <-> g` `f xor g` | as always | as always |
//! | `X f`, `X[!] f` | there is a next step, and `f` holds there | false |
//! | `N f`, `wX f` | if there is a next step, `f` holds there | true |
//! | `F f` | `f` holds at this or a later step | false |
//! | `G f` | `f` holds at this and every later step | true |
//! | `f U g` | `g` holds at this or a later step, and `f` at every step before that | false |
//! | `f W g` | `f U g`, or `G f` | true |
//! | `f R g` | at every step `g` holds, or `f` held at an earlier one | true |
//! | `f M g` | `f R g`, and `F f` | false |
//!
//! On infinite traces there always is a next step, so `X` and `N` are the same. `G F a` on a finite trace
//! only says that `a` holds at the last step, so it is refused as a rule of a plan that ends. A plain `X` is
//! the strong next; Spot reads it as the weak one, see [`NextReading`]. [`Domain`] adds that exactly or at
//! most one proposition of a group holds per step, and which place leads to which.
//!
//! [`Arena::holds_on`] and [`Arena::holds_on_lasso`] are the definition, written out; everything else is
//! tested against them.

mod bdd;
mod buchi;
mod classify;
#[cfg(feature = "cli")]
pub mod cli;
mod compare;
mod dfa;
mod domain;
mod dwyer;
mod english;
mod error;
mod eval;
mod explain;
mod export;
mod formula;
mod grammar;
mod hash;
mod joint;
mod lexer;
mod monitor;
mod name;
mod normal;
mod parse;
mod patrol;
mod plan;
mod print;
mod progress;
mod rule;
mod tableau;
mod trace;

pub use buchi::{Buchi, BuchiEdge};
pub use classify::{Class, Unsettled};
pub use compare::Difference;
pub use dfa::{Cube, Dfa, Edge};
pub use domain::{Count, Domain, Group};
pub use error::{Conflict, Error, ParseError};
pub use explain::{Judgement, Rejection};
pub use formula::{Arena, Formula, Limits, Node, Prop};
pub use grammar::{Grammar, GrammarOptions};
pub use joint::Table;
pub use monitor::{Monitor, Watch};
pub use normal::Semantics;
pub use parse::{NextReading, Syntax};
pub use patrol::{Patrol, StandingRules};
pub use plan::{Choice, CostToGo, Plan, PlanLimits, PlanStep, Transition, TransitionSystem};
pub use print::Notation;
pub use progress::AutomatonLimits;
pub use rule::{Rule, RuleSet, Verdict};
pub use trace::{Lasso, Step, Trace, trace_text};

/// The examples of the README, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
