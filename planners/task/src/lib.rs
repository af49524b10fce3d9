//! Deciding what to do next: a symbolic household domain, search in it, and exploration when too little is
//! known to plan.
//!
//! ```text
//!   scene graph, rules ──► scene (what is known) ──► plans ──► action tree ──► steps
//!   occupancy  ──► frontiers ─┐
//!   furniture  ───────────────┴► exploration: where to look next when an object is not known
//! ```

pub mod belief;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod deliberate;
pub mod domain;
pub mod error;
pub mod explore;
pub mod house_rules;
pub mod mission;
pub mod pddl;
pub mod plan;
pub mod single;
pub mod tree;
pub mod virtualhome;

pub use error::{Error, Result};

/// The example of the README, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
