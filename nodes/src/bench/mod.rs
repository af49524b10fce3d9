//! Benchmarks of the whole loop.

pub mod closed_loop;
pub mod determinism;
pub mod disturb;
pub mod rules;
pub mod tasks;
