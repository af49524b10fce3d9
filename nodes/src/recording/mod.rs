//! Recordings: everything that crosses a seam as ROS 2 messages in an MCAP file, written, read, replayed and
//! summarised.
//!
//! ```text
//!   Message ──codec──► ROS messages (CDR) ──writer──► chunks (lz4, CRC) ──► RUN.mcap
//!      ▲                      │                                               │
//!      └────────codec─────────┴───────────────────reader──────────────────────┘
//! ```
//!
//! - Profile `ros2`, message encoding `cdr`, schema encoding `ros2msg` with full definitions.
//! - One channel per ROS topic and sender. Its metadata names the loop's topic (`steward_topic`) and the sending
//!   node (`steward_sender`).
//! - The ROS messages that one message of the loop was split into carry its delivery number as `sequence` and follow
//!   each other in one chunk. Log time and publish time are the time of delivery.
//! - A metadata record `steward`, written first, holds what is needed to build the same nodes again:
//!   [`RunMetadata`].
//!
//! The same run gives the same bytes.

mod cdr;
mod codec;
mod inspect;
mod mcap_file;
mod metadata;
mod reader;
mod replay;
mod schema;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use cdr::{Cdr, CdrError, CdrReader, CdrWriter};
pub use codec::{Part, decode, encode, ros_topics};
pub use inspect::{Inspection, TaskSummary, TopicSummary, inspect};
pub use metadata::{Clock, RunMetadata};
pub use reader::{Damage, RecordedMessage, RecordedPart, RecordingReader};
pub use replay::{Difference, ReplayReport, replay};
pub use schema::schema;
pub use writer::{Recorder, RecordingSummary};
