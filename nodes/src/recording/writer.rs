//! Writes recordings.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use steward_core::{Duration, Time};

use super::codec::{encode, ros_topics};
use super::mcap_file::McapWriter;
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
/// the last chunk. [`Recorder::finish`] writes the index and the end.
pub struct Recorder<W: Write + Send> {
    path: PathBuf,
    writer: McapWriter<Hashing<W>>,
    /// Ids of schemas by ROS type.
    schemas: BTreeMap<&'static str, u16>,
    channels: Vec<Channel>,
    messages: u64,
    /// Log times of the first and the last message.
    span: Option<(Time, Time)>,
    chunk_start: Option<Time>,
}

/// An MCAP channel: one per topic of the loop, sender and ROS topic.
struct Channel {
    topic: Topic,
    sender: String,
    ros_topic: &'static str,
    ros_type: &'static str,
    id: u16,
    messages: u64,
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
    /// What is in it by ROS topic: type and number of messages.
    #[serde(skip)]
    pub topics: BTreeMap<&'static str, (&'static str, u64)>,
    /// Log times of the first and the last message; `None` where there are none.
    #[serde(skip)]
    pub span: Option<(Time, Time)>,
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
        let library = concat!("steward ", env!("CARGO_PKG_VERSION"));
        let mut writer = McapWriter::new(hashing, "ros2", library).map_err(&failed)?;
        writer
            .metadata(RECORD_NAME, &metadata.to_map()?)
            .map_err(&failed)?;
        Ok(Recorder {
            path: path.to_owned(),
            writer,
            schemas: BTreeMap::new(),
            channels: Vec::new(),
            messages: 0,
            span: None,
            chunk_start: None,
        })
    }

    /// Writes the index and closes the file.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn finish(self) -> Result<RecordingSummary> {
        let hashing = self.writer.finish().map_err(write_error(&self.path))?;
        let mut topics = BTreeMap::new();
        for channel in &self.channels {
            topics.entry(channel.ros_topic).or_insert((channel.ros_type, 0)).1 += channel.messages;
        }
        Ok(RecordingSummary {
            path: self.path,
            messages: self.messages,
            bytes: hashing.written,
            sha256: hex(&hashing.hash.finalize()),
            topics,
            span: self.span,
        })
    }

    /// Id of the channel that one more message goes to.
    fn channel(
        &mut self,
        topic: Topic,
        sender: &str,
        ros_topic: &'static str,
        ros_type: &'static str,
    ) -> Result<u16> {
        let same = |c: &&mut Channel| c.topic == topic && c.ros_topic == ros_topic && c.sender == sender;
        if let Some(channel) = self.channels.iter_mut().find(same) {
            channel.messages += 1;
            return Ok(channel.id);
        }
        let schema_id = match self.schemas.get(ros_type) {
            Some(id) => *id,
            None => {
                let id = self.writer.schema(ros_type, "ros2msg", &schema(ros_type)?);
                self.schemas.insert(ros_type, id);
                id
            }
        };
        let metadata = BTreeMap::from([
            ("offered_qos_profiles".to_owned(), String::new()),
            (SENDER_KEY.to_owned(), sender.to_owned()),
            (TOPIC_KEY.to_owned(), topic.name().to_owned()),
        ]);
        let id = self.writer.channel(schema_id, ros_topic, "cdr", &metadata);
        self.channels.push(Channel {
            topic,
            sender: sender.to_owned(),
            ros_topic,
            ros_type,
            id,
            messages: 1,
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
            let channel = self.channel(topic, delivery.sender, part.topic, part.ros_type)?;
            // The number wraps after four billion messages; readers only tell neighbours apart.
            self.writer
                .message(channel, delivery.sequence as u32, log_time, &part.bytes);
        }
        self.messages += 1;
        self.span = Some((self.span.map_or(delivery.at, |(first, _)| first), delivery.at));
        let since = *self.chunk_start.get_or_insert(delivery.at);
        if self.writer.chunk_bytes() >= CHUNK_BYTES || delivery.at - since >= CHUNK_SPAN {
            self.writer.end_chunk().map_err(write_error(&self.path))?;
            self.chunk_start = None;
        }
        Ok(())
    }
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File {
        action: "write",
        path: path.clone(),
        source,
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

/// Number of ROS messages that a message of the loop is split into, where that is always the same.
pub(super) fn fixed_parts(topic: Topic) -> Option<usize> {
    match topic {
        Topic::Transforms | Topic::Localization => None,
        other => Some(ros_topics(other).len()),
    }
}
