//! Grid, localisation and obstacles against worlds whose geometry is known exactly.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod floor;
mod hostile;
mod pose;
mod voxels;
mod world;
