//! Base and arm motion, grasps and contact skills, as state machines without threads, clocks or messages.
//!
//! ```text
//!  Skill ──► SkillRunner ──► navigate, look, pick, place, operate      one small machine each
//!                               │
//!                 ┌─────────────┼──────────────┬──────────────┐
//!               drive        approach        posture        grasp, spots
//!            (path, navmap)                 (ik, collision)
//! ```
//!
//! Every machine has `step(context, inputs, out)`: it reads what the robot knows now ([`machine::Inputs`]) and says
//! what base and joints should do until the next step ([`machine::Commands`]). All geometry is in the `map` frame.

pub mod approach;
pub mod collision;
pub mod config;
pub mod drive;
pub mod error;
pub mod grasp;
mod grasp_plan;
pub mod grip;
pub mod handing;
mod handle_plan;
pub mod head;
pub mod ik;
mod lead;
mod lifting;
pub mod look;
pub mod machine;
pub mod navigate;
pub mod navmap;
mod nudge;
pub mod operate;
pub mod parts;
pub mod passage;
pub mod path;
pub mod pick;
mod pick_places;
pub mod place;
pub mod posture;
pub mod reach;
pub mod robot;
pub mod roofs;
pub mod runner;
pub mod set_down;
mod slide;
pub mod spots;
pub mod trays;
pub mod voxels;
mod widen;
mod withdrawal;

pub use config::{Driver, SkillsConfig};
pub use error::{Error, Result};
pub use runner::SkillRunner;
