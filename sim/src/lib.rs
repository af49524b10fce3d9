//! An embedded simulator: generated homes, a mobile manipulator, physics and cameras, on the CPU alone.
//!
//! ```text
//!  YAML + seed ──► home (rooms, entities) ──► physics (rapier3d) ──► poses ──► renderer ──► sensors
//!                       └──► SDF, URDF                ▲ cmd_vel, joint targets, change script
//! ```

pub mod error;
pub mod home;
pub mod mesh;
pub mod model;
pub mod render;
pub mod robot;
pub mod texture;

pub use error::{Error, Result};
