//! Benchmarks of the whole loop.

pub mod closed_loop;
pub mod determinism;
pub mod disturb;
pub mod images;
pub mod ros;
pub mod rules;
pub mod soak;
pub mod tasks;
