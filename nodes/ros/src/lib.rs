//! Steward's nodes on ROS 2.
//!
//! The nodes are the same state machines as in `steward-nodes`; this crate carries their messages. What needs no ROS
//! is plain Rust and tested as such; everything that touches `r2r` is behind the feature `ros2`.
//!
//! Messages of the loop travel as the very bytes that recordings hold ([`steward_nodes::recording::encode`]), so there
//! is no conversion per type. What sensors say comes as their world says it ([`sensors`]).

pub mod assembler;
pub mod bag;
pub mod descriptions;
pub mod disturbances;
pub mod host;
pub mod inbox;
pub mod lasting;
pub mod lifecycle;
pub mod motion;
pub mod overrides;
pub mod parameters;
pub mod parts;
pub mod qos;
#[cfg(feature = "ros2")]
pub mod ros;
pub mod sensors;
pub mod settings;
pub mod truth;
pub mod twist;
pub mod watch;
pub mod world;
