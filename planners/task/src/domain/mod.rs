//! What there is, what holds, and what steps do: a typed relational model whose domains are data.
//!
//! ```text
//!   domain file (PDDL with extensions) ──► Domain: types, predicates, schemas
//!                                             │
//!   objects, facts (a graph, a PDDL problem) ─┴► Scene ──► State ──check, apply──► State …
//! ```
//!
//! A [`Domain`] is read from text and says nothing of a particular home. A [`Scene`] adds objects and the facts
//! that hold at first, indexed in both directions. A [`State`] is a scene and the facts that have changed since:
//! copying one is a reference count, its hash is kept up to date, and a step costs in proportion to what it
//! changes, not to the size of the scene.
//!
//! ```
//! use steward_task::domain::{Domain, SceneBuilder};
//!
//! let domain = Domain::parse(
//!     "(define (domain lamps)
//!        (:types lamp robot)
//!        (:predicates (lit ?l - lamp) (beside ?r - robot ?l - lamp))
//!        (:action light :parameters (?r - robot ?l - lamp)
//!          :precondition (and (needs missing (beside ?r ?l)) (needs satisfied (not (lit ?l))))
//!          :effect (lit ?l)))",
//! )?;
//! let mut home = SceneBuilder::new(domain);
//! home.object("r2", "robot")?;
//! home.object("desk_lamp", "lamp")?;
//! home.fact("beside", &["r2", "desk_lamp"])?;
//! let scene = home.build();
//!
//! let light = scene.action("(light r2 desk_lamp)")?;
//! let after = scene.start().step(&light)?;
//! assert!(after.holds(scene.atom("lit", &["desk_lamp"])?));
//! assert_eq!(
//!     after.check(&light).unwrap_err().describe(&scene),
//!     "(light r2 desk_lamp) needs (not (lit desk_lamp)), which does not hold (already done)"
//! );
//! # Ok::<(), steward_task::Error>(())
//! ```

mod action;
mod atom;
mod eval;
mod model;
mod print;
mod read;
mod scene;
mod sexpr;
mod state;

pub use action::{GroundAction, Refusal, RefusalKind};
pub use atom::{Atom, MAX_ARITY, MAX_OBJECTS, MAX_PREDICATES, Obj};
pub use eval::Frame;
pub use model::{
    Condition, Confirmation, Cost, Domain, MAX_PARAMETERS, MAX_SLOTS, Need, Outcome, Predicate, PredicateId,
    Schema, SchemaId, Term, Type, TypeId,
};
pub use scene::{Object, Scene, SceneBuilder};
pub use sexpr::{Expression, Sexpr};
pub use state::State;
