//! What every part of Steward agrees on: time, frames, cameras, images, the robot's kinematics and the
//! messages that nodes exchange.
//!
//! ```text
//!   time ──► frames ──► camera ──► image
//!                 └───► robot (URDF)
//!                            └──► messages ──► everybody else
//! ```
//!
//! Conventions, everywhere:
//!
//! - SI units; axes after REP-103 (x forward, y left, z up; optical frames x right, y down, z forward);
//!   frame names after REP-105; depth images after REP-118 (metres along the optical axis).
//! - Transforms read `target_from_source`: `p_target = target_from_source * p_source`.
//! - Nothing here reads a clock or a random source.

pub mod camera;
pub mod error;
pub mod frames;
pub mod geometry;
pub mod ids;
pub mod image;
pub mod messages;
pub mod robot;
pub mod time;
pub mod transforms;

pub use error::{Error, Result};
pub use time::{Duration, Time};
