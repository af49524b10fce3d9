//! The one error type of this crate.

use std::path::PathBuf;

use steward_core::Time;

use crate::recording::CdrError;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong around the nodes. Each text says what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node that cannot be part of a loop.
    #[error("node `{node}` cannot run: {problem}")]
    BadNode {
        /// Its name.
        node: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A message for a time that has passed.
    #[error("cannot inject a message at {at}: the loop is already at {now}")]
    InThePast {
        /// Time asked for.
        at: Time,
        /// Current time.
        now: Time,
    },
    /// Nodes that answer each other without end.
    #[error(
        "{deliveries} messages at {at} and no end: nodes answer each other in a circle; \
         the next would be `{topic}` from `{sender}`"
    )]
    EndlessInstant {
        /// The instant.
        at: Time,
        /// Messages delivered at it.
        deliveries: usize,
        /// Topic of the next message.
        topic: &'static str,
        /// Its sender.
        sender: &'static str,
    },
    /// A file that cannot be opened, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A ROS type without definition.
    #[error("no definition of `{ros_type}`; add it to nodes/msgs/msg or nodes/src/recording/definitions")]
    Schema {
        /// The type.
        ros_type: String,
    },
    /// A message that a recording has no room for.
    #[error("the message on `{topic}` at {at} cannot be recorded: {problem}")]
    NotRecorded {
        /// Topic.
        topic: &'static str,
        /// When it was delivered.
        at: Time,
        /// Why.
        problem: String,
    },
    /// A file that is no recording of ours.
    #[error("{} is not a recording of steward: {problem}. Recordings are made by `steward run`", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file of what the robot knows that cannot be read or written.
    #[error("{} cannot be used: {problem}. Such files are written by the services save_map", path.display())]
    Known {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Metadata of a recording that cannot be written or read.
    #[error("metadata of the recording: {0}")]
    Metadata(String),
    /// A recorded message whose bytes make no sense.
    #[error("the message on `{topic}` at {at} cannot be read: {source}")]
    BadMessage {
        /// Topic.
        topic: &'static str,
        /// When it was delivered.
        at: Time,
        /// Why.
        source: CdrError,
    },
    /// A recording that cannot be replayed.
    #[error("cannot replay: {0}")]
    Replay(String),
    /// Pictures that cannot be shown.
    #[error("rerun: {0}")]
    Viewer(String),
    /// The real-time runtime could not start or go on.
    #[error("real time: {0}")]
    Realtime(String),
    /// The simulator, a home or a scene-change script refuses something.
    #[error(transparent)]
    Simulation(steward_sim::error::Error),
    /// No task can be drawn for a home.
    #[error("home {0} has nothing graspable that could be put anywhere; use another seed")]
    NoTask(u64),
    /// Threads that cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
}
