//! Scene changes while the robot works: short scripts of what is added, removed, moved, opened and closed when.
//!
//! A script names things and places; exact poses follow from its seed, so that a few hundred bytes say
//! everything (after the scene change configurations of GS-LTS). Resolving a script plays it through on the
//! home it is for and refuses whatever could not be: things that are not there, spots that are taken, shut
//! containers.
//!
//! ```yaml
//! seed: 7
//! changes:
//!   - {at_s: 4, move: mug_1, to: desk_1/top}
//!   - {at_s: 9.5, open: fridge_1_door}
//!   - {at_s: 12, add: apple, to: fridge_1}
//! ```

mod generate;
mod script;
mod solid;
mod stage;

#[cfg(test)]
mod tests;

use steward_core::Time;
use steward_core::geometry::Pose3;

use crate::model::{Entity, EntityId};

pub use generate::generate_changes;
pub use script::{Change, ChangeScript, MAX_CHANGES, MAX_SCRIPT_BYTES, Operation, Spot};
pub use stage::ChangeStage;

/// A change with everything decided.
#[derive(Debug, Clone)]
pub struct ResolvedChange {
    /// When.
    pub at: Time,
    /// What.
    pub kind: ResolvedKind,
}

/// What changes, in terms of entities and poses.
#[derive(Debug, Clone)]
pub enum ResolvedKind {
    /// A new small object appears. Its id is the next free one, its pose where it is to be.
    Add {
        /// The object.
        entity: Box<Entity>,
    },
    /// A small object disappears.
    Remove {
        /// Which.
        entity: EntityId,
    },
    /// A small object is somewhere else from one moment to the next, at rest.
    Move {
        /// Which.
        entity: EntityId,
        /// `world_from_entity`.
        pose: Pose3,
    },
    /// A door, drawer or lid goes to a position. What lies in a drawer goes with it.
    SetPart {
        /// Which.
        part: EntityId,
        /// Position of its joint, radians or metres.
        position: f64,
    },
}
