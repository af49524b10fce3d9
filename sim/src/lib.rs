//! An embedded simulator: generated homes, a mobile manipulator, physics and cameras, on the CPU alone.
//!
//! ```text
//!  YAML + seed ──► home (rooms, entities) ──► physics (rapier3d) ──► poses ──► renderer ──► sensors
//!                       └──► SDF, URDF                ▲ cmd_vel, joint targets, change script
//! ```

pub mod camera;
pub mod changes;
pub mod error;
pub mod export;
pub mod home;
pub mod mesh;
pub mod model;
pub mod physics;
pub mod render;
pub mod robot;
pub mod simulation;
pub mod texture;
pub mod truth;

pub use error::{Error, Result};
