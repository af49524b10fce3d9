//! What the robot knows of the place it is in: the floor it may drive on, where it stands, what is in the way
//! of its arm, and which objects there are and how they relate.

pub mod articulation;
pub mod error;
pub mod localization;
pub mod memory;
pub mod obstacles;
pub mod occupancy;
pub mod relations;

pub use error::{Error, Result};
