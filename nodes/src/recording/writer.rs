//! Writes recordings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use steward_core::{Duration, Time};

use super::codec::{encode, ros_topics};
use super::metadata::{RECORD_NAME, RunMetadata};
use super::schema::schema;
use crate::error::{Error, Result};
use crate::message::Topic;
use crate::runtime::{Delivery, Observer};

/// A chunk is closed when it has at least this many bytes before compression.
const CHUNK_BYTES: usize = 1 << 20;
/// A chunk is closed when it spans this much time, so that a crash loses no more.
const CHUNK_SPAN: Duration = Duration::from_secs(1);

/// Metadata of a channel: the loop's topic.
pub(super) const TOPIC_KEY: &str = "steward_topic";
/// Metadata of a channel: the sending node.
pub(super) const SENDER_KEY: &str = "steward_sender";

/// An observer that writes every message to an MCAP file.
///
/// Chunks go to the file as they fill up, so memory stays bounded and a crash leaves a file that can be read up to
/// the last chunk. [`Recorder::finish`] writes the index; dropping does the same but hides errors.
pub struct Recorder<W: Write + Send> {
    path: PathBuf,
    writer: mcap::Writer<Hashing<W>>,
    channels: Vec<Channel>,
    messages: u64,
    chunk_bytes: usize,
    chunk_start: Option<Time>,
}

/// An MCAP channel: one per topic of the loop, sender and ROS topic.
struct Channel {
    topic: Topic,
    sender: String,
    ros_topic: &'static str,
    id: u16,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordingSummary {
    /// The file.
    pub path: PathBuf,
    /// Messages of the loop.
    pub messages: u64,
    /// Size of the file, bytes.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
}

impl Recorder<BufWriter<File>> {
    /// Creates a file, or replaces it.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn create(path: &Path, metadata: &RunMetadata) -> Result<Self> {
        let file = File::create(path).map_err(|source| Error::File {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        Self::new(BufWriter::new(file), path, metadata)
    }
}

impl<W: Write + Send> Recorder<W> {
    /// Writes to anything; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn new(inner: W, path: &Path, metadata: &RunMetadata) -> Result<Self> {
        let failed = write_error(path);
        let hashing = Hashing {
            inner,
            hash: Sha256::new(),
            written: 0,
        };
        let mut writer = mcap::WriteOptions::new()
            .profile("ros2")
            .library(concat!("steward ", env!("CARGO_PKG_VERSION")))
            .compression(Some(mcap::Compression::Lz4))
            // The file is written once, front to back, and chunks end where this recorder says.
            .disable_seeking(true)
            .chunk_size(None)
            .create(hashing)
            .map_err(&failed)?;
        let metadata = mcap::records::Metadata {
            name: RECORD_NAME.to_owned(),
            metadata: metadata.to_map()?,
        };
        writer.write_metadata(&metadata).map_err(&failed)?;
        writer.flush().map_err(&failed)?;
        Ok(Recorder {
            path: path.to_owned(),
            writer,
            channels: Vec::new(),
            messages: 0,
            chunk_bytes: 0,
            chunk_start: None,
        })
    }

    /// Writes the index and closes the file.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn finish(mut self) -> Result<RecordingSummary> {
        let failed = write_error(&self.path);
        self.writer.finish().map_err(&failed)?;
        let mut hashing = self.writer.into_inner();
        hashing.flush().map_err(mcap::McapError::Io).map_err(&failed)?;
        Ok(RecordingSummary {
            path: self.path,
            messages: self.messages,
            bytes: hashing.written,
            sha256: hex(&hashing.hash.finalize()),
        })
    }

    fn channel(
        &mut self,
        topic: Topic,
        sender: &str,
        ros_topic: &'static str,
        ros_type: &'static str,
    ) -> Result<u16> {
        let same = |c: &&Channel| c.topic == topic && c.ros_topic == ros_topic && c.sender == sender;
        if let Some(channel) = self.channels.iter().find(same) {
            return Ok(channel.id);
        }
        let failed = write_error(&self.path);
        let schema_text = schema(ros_type)?;
        let schema_id = self
            .writer
            .add_schema(ros_type, "ros2msg", schema_text.as_bytes())
            .map_err(&failed)?;
        let metadata = BTreeMap::from([
            ("offered_qos_profiles".to_owned(), String::new()),
            (SENDER_KEY.to_owned(), sender.to_owned()),
            (TOPIC_KEY.to_owned(), topic.name().to_owned()),
        ]);
        let id = self
            .writer
            .add_channel(schema_id, ros_topic, "cdr", &metadata)
            .map_err(&failed)?;
        self.channels.push(Channel {
            topic,
            sender: sender.to_owned(),
            ros_topic,
            id,
        });
        Ok(id)
    }
}

impl<W: Write + Send> Observer for Recorder<W> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        let topic = delivery.message.topic();
        let not_recorded = |problem: String| Error::NotRecorded {
            topic: topic.name(),
            at: delivery.at,
            problem,
        };
        let parts = encode(delivery.message).map_err(|e| not_recorded(e.to_string()))?;
        let log_time = u64::try_from(delivery.at.nanos())
            .map_err(|_| not_recorded("recordings hold no times before zero".to_owned()))?;
        for part in &parts {
            let channel_id = self.channel(topic, delivery.sender, part.topic, part.ros_type)?;
            let header = mcap::records::MessageHeader {
                channel_id,
                // Wraps after four billion messages; readers only tell neighbours apart.
                sequence: delivery.sequence as u32,
                log_time,
                publish_time: log_time,
            };
            self.writer
                .write_to_known_channel(&header, &part.bytes)
                .map_err(write_error(&self.path))?;
            self.chunk_bytes += part.bytes.len();
        }
        self.messages += 1;
        let since = *self.chunk_start.get_or_insert(delivery.at);
        if self.chunk_bytes >= CHUNK_BYTES || delivery.at - since >= CHUNK_SPAN {
            self.writer.flush().map_err(write_error(&self.path))?;
            self.chunk_bytes = 0;
            self.chunk_start = None;
        }
        Ok(())
    }
}

fn write_error(path: &Path) -> impl Fn(mcap::McapError) -> Error + use<> {
    let path = path.to_owned();
    move |e| Error::File {
        action: "write",
        path: path.clone(),
        source: match e {
            mcap::McapError::Io(e) => e,
            other => io::Error::other(other),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Counts and hashes what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    written: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.written += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The MCAP writer asks for the position only; see `disable_seeking`.
impl<W: Write> Seek for Hashing<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.written),
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "recordings are written front to back",
            )),
        }
    }
}

/// Number of ROS messages that a message of the loop is split into, where that is always the same.
pub(super) fn fixed_parts(topic: Topic) -> Option<usize> {
    match topic {
        Topic::Transforms | Topic::Localization => None,
        other => Some(ros_topics(other).len()),
    }
}
