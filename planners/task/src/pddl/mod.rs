//! Problems, domains and plans in PDDL, the language of the planning competitions.
//!
//! Domains are read by [`Domain::parse`](crate::domain::Domain::parse). Here problems and plans are read, and all
//! three are written so that Fast Downward accepts them.
//!
//! ```
//! use steward_task::domain::Domain;
//! use steward_task::pddl::{self, Problem};
//! use steward_task::plan::{Goal, Limits, plan};
//!
//! let text = "(define (domain lamps) (:types lamp) (:predicates (lit ?l - lamp))
//!     (:action light :parameters (?l - lamp) :precondition (not (lit ?l)) :effect (lit ?l)))";
//! let domain = Domain::parse(text)?;
//! // What is written reads as the same again.
//! assert_eq!(Domain::parse(&pddl::domain(&domain)?)?.schemas.len(), 1);
//! let problem = Problem::parse(
//!     domain,
//!     "(define (problem evening) (:domain lamps) (:objects desk hall - lamp) (:init (lit hall))
//!        (:goal (forall (?l - lamp) (lit ?l))))",
//! )?;
//! let found = plan(&problem.scene.start(), &Goal::reach(problem.goal), None, &Limits::default())?;
//! let file = pddl::plan(&problem.scene, &found.steps);
//! assert_eq!(file, "(light desk)\n");
//! assert_eq!(pddl::read_plan(&problem.scene, &file)?, found.steps);
//! # Ok::<(), steward_task::Error>(())
//! ```

mod problem;
mod write;

pub use problem::Problem;
pub use write::{domain, plan, problem, read_plan};
