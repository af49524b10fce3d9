//! What the robot knows of the place it is in: the floor it may drive on, where it stands, what is in the way
//! of its arm, and which objects there are and how they relate.

pub mod error;
pub mod localization;
pub mod obstacles;
pub mod occupancy;

pub use error::{Error, Result};
