//! Problems, domains and plans in PDDL, the language of the planning competitions.
//!
//! Domains are read by [`Domain::parse`](crate::domain::Domain::parse). Here problems and plans are read, and all
//! three are written so that Fast Downward accepts them.

mod problem;

pub use problem::Problem;
