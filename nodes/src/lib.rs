//! The closed loop: every node as a pure state machine, and what runs, records, replays and shows them.

pub mod bench;
pub mod episode;
pub mod error;
pub mod executor;
pub mod grapher;
pub mod known;
pub mod mapper;
pub mod message;
pub mod node;
pub mod pictures;
pub mod planner;
pub mod recording;
pub mod runtime;
pub mod scoring;
pub mod simulator;
pub mod trace;
pub mod validator;
#[cfg(feature = "rerun")]
pub mod viewer;
pub mod wiring;
