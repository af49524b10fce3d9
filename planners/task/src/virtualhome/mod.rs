//! VirtualHome's evolving graph as an environment: homes, programs, plans and goals of the benchmark of the Embodied
//! Agent Interface (PyPI `virtualhome_eval`), on the domain model of this crate.
//!
//! The actions are data: `domains/virtualhome.pddl`, read by [`domain`]. This module reads graphs, scripts, goals and the
//! answers of language models.

mod data;
mod goal;
mod graph;
mod plan;
mod task;

use std::sync::Arc;

pub use data::{Dataset, Reference, ReferenceLine};
pub use graph::{Edge, Graph, Home, Node};
pub use plan::{Flaw, PlanStep, parse_answer, parse_script_line};
pub use task::{ActionGoal, GoalFact, Goals, Run, Task};

use crate::Result;
use crate::domain::Domain;

/// The text of the domain.
pub const DOMAIN: &str = include_str!("../../domains/virtualhome.pddl");

/// The domain.
///
/// # Errors
/// None: the text is part of the crate and tested.
pub fn domain() -> Result<Arc<Domain>> {
    Ok(Arc::new(Domain::parse(DOMAIN)?))
}
