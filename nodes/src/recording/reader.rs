//! Reads recordings, damaged ones up to the damage.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::{ChunkHeader, Record, op};
use serde::Serialize;
use steward_core::Time;

use super::codec::decode;
use super::metadata::{RECORD_NAME, RunMetadata};
use super::writer::{SENDER_KEY, TOPIC_KEY, fixed_parts};
use crate::error::{Error, Result};
use crate::message::{Message, Topic};

/// Largest record or chunk that is read; the recorder's are a hundred times smaller.
const MAX_RECORD_BYTES: u64 = 256 << 20;

/// Where and how a recording is damaged. What comes before is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Damage {
    /// The file ends too early, as after a crash or a full disk.
    #[error("the recording is truncated at byte {byte}; {complete_messages} complete messages come before")]
    Truncated {
        /// Messages of the loop before the damage.
        complete_messages: u64,
        /// Begin of the first incomplete record.
        byte: u64,
    },
    /// The bytes of a record make no sense.
    #[error(
        "the recording is corrupt at byte {byte} ({problem}); {complete_messages} complete messages come before"
    )]
    Corrupt {
        /// Messages of the loop before the damage.
        complete_messages: u64,
        /// Begin of the bad record.
        byte: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// One message of the loop as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedMessage {
    /// Counts deliveries.
    pub sequence: u32,
    /// When it was delivered.
    pub at: Time,
    /// Which node sent it.
    pub sender: Arc<str>,
    /// Its topic.
    pub topic: Topic,
    /// The ROS messages it was split into.
    pub parts: Vec<RecordedPart>,
}

/// One ROS message.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedPart {
    /// ROS topic.
    pub topic: Arc<str>,
    /// ROS type.
    pub ros_type: Arc<str>,
    /// CDR with its encapsulation header.
    pub bytes: Vec<u8>,
}

impl RecordedMessage {
    /// The message itself.
    ///
    /// # Errors
    /// [`Error::BadMessage`] where its bytes make no sense.
    pub fn message(&self) -> Result<Message> {
        let parts: Vec<(&str, &[u8])> = self
            .parts
            .iter()
            .map(|p| (&*p.topic, p.bytes.as_slice()))
            .collect();
        decode(self.topic, &parts).map_err(|source| Error::BadMessage {
            topic: self.topic.name(),
            at: self.at,
            source,
        })
    }
}

/// Reads messages one after the other, with one chunk in memory at a time.
///
/// The iterator ends at the end of the recording or at the first damage; ask [`RecordingReader::damage`] which.
pub struct RecordingReader<R: Read = BufReader<File>> {
    input: R,
    /// Bytes of the file, and how many of them were read.
    len: u64,
    at: u64,
    metadata: RunMetadata,
    has_metadata: bool,
    schemas: BTreeMap<u16, Arc<str>>,
    channels: BTreeMap<u16, Channel>,
    ready: VecDeque<RecordedMessage>,
    /// Parts of the message that is being put together.
    partial: Option<RecordedMessage>,
    messages: u64,
    foreign: u64,
    damage: Option<Damage>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// All messages were read; what follows is the index.
    Index,
    Ended,
}

struct Channel {
    ros_topic: Arc<str>,
    ros_type: Arc<str>,
    /// `None` for a channel that is not of the loop.
    topic: Option<(Topic, Arc<str>)>,
}

/// Why a record could not be used.
enum Fault {
    Truncated,
    Corrupt(String),
}

impl From<mcap::McapError> for Fault {
    fn from(e: mcap::McapError) -> Self {
        Fault::Corrupt(e.to_string())
    }
}

impl RecordingReader {
    /// Opens a file and reads up to its metadata.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read, [`Error::NotARecording`] where it is something else, or is damaged
    /// before the metadata.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::File {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::NotARecording {
                path: path.to_owned(),
                problem: "it is a folder".into(),
            });
        }
        Self::new(BufReader::with_capacity(1 << 20, file), metadata.len(), path)
    }
}

impl<R: Read> RecordingReader<R> {
    /// Reads `len` bytes from anything; `path` names it in errors.
    ///
    /// # Errors
    /// As [`RecordingReader::open`].
    pub fn new(mut input: R, len: u64, path: &Path) -> Result<Self> {
        let refuse = |problem: String| Error::NotARecording {
            path: PathBuf::from(path),
            problem,
        };
        let mut magic = [0; mcap::MAGIC.len()];
        input
            .read_exact(&mut magic)
            .map_err(|_| refuse(format!("it has only {len} bytes")))?;
        if magic != mcap::MAGIC {
            return Err(refuse("it does not begin with the MCAP magic bytes".into()));
        }
        let mut reader = RecordingReader {
            input,
            len,
            at: magic.len() as u64,
            metadata: RunMetadata::simulated(0, serde_json::Value::Null, ""),
            has_metadata: false,
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            ready: VecDeque::new(),
            partial: None,
            messages: 0,
            foreign: 0,
            damage: None,
            state: State::Reading,
        };
        while !reader.has_metadata && reader.state == State::Reading && reader.ready.is_empty() {
            reader.step();
        }
        match &reader.damage {
            _ if reader.has_metadata => Ok(reader),
            Some(damage) => Err(refuse(damage.to_string())),
            None => Err(refuse(format!(
                "it has no `{RECORD_NAME}` metadata before its messages"
            ))),
        }
    }

    /// What the recording says about its run.
    pub fn metadata(&self) -> &RunMetadata {
        &self.metadata
    }

    /// The damage at which reading ended, `None` while there is none.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Messages on channels that are not of the loop; they are passed over.
    pub fn foreign_messages(&self) -> u64 {
        self.foreign
    }

    /// Reads one record and files the damage where there is some.
    fn step(&mut self) {
        let begin = self.at;
        if let Err(fault) = self.record() {
            self.state = State::Ended;
            let complete_messages = self.messages;
            self.damage = Some(match fault {
                Fault::Truncated => Damage::Truncated {
                    complete_messages,
                    byte: begin,
                },
                Fault::Corrupt(problem) => Damage::Corrupt {
                    complete_messages,
                    byte: begin,
                    problem,
                },
            });
        }
    }

    fn record(&mut self) -> std::result::Result<(), Fault> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let opcode = head[0];
        let mut length = [0; 8];
        length.copy_from_slice(&head[1..]);
        let length = u64::from_le_bytes(length);
        if length > MAX_RECORD_BYTES {
            return Err(Fault::Corrupt(format!("a record of {length} bytes")));
        }
        if length > self.len.saturating_sub(self.at) {
            return Err(Fault::Truncated);
        }
        let mut body = vec![0; length as usize];
        self.read(&mut body)?;
        match opcode {
            op::CHUNK if self.state == State::Reading => self.chunk(&body),
            op::SCHEMA | op::CHANNEL | op::MESSAGE | op::METADATA if self.state == State::Reading => {
                self.inner_record(opcode, &body)
            }
            op::DATA_END => {
                self.state = State::Index;
                self.close_partial()
            }
            op::FOOTER => {
                let mut magic = [0; mcap::MAGIC.len()];
                self.read(&mut magic)?;
                if magic != mcap::MAGIC {
                    return Err(Fault::Corrupt("the closing magic bytes are wrong".into()));
                }
                self.state = State::Ended;
                Ok(())
            }
            0 => Err(Fault::Corrupt("a record of kind zero".into())),
            _ => Ok(()),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::result::Result<(), Fault> {
        self.input.read_exact(buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Fault::Truncated,
            _ => Fault::Corrupt(format!("reading failed: {e}")),
        })?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    /// Unpacks a chunk whole, so that its checksum vouches for every message that is handed out.
    fn chunk(&mut self, body: &[u8]) -> std::result::Result<(), Fault> {
        let Record::Chunk { header, data } = mcap::parse_record(op::CHUNK, body)? else {
            return Err(Fault::Corrupt("no chunk".into()));
        };
        let unpacked = unpack(&header, &data)?;
        let mut rest = unpacked.as_slice();
        while !rest.is_empty() {
            let (head, tail) = rest.split_at_checked(9).ok_or_else(chunk_ends_early)?;
            let mut length = [0; 8];
            length.copy_from_slice(&head[1..]);
            let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| chunk_ends_early())?;
            let (record, tail) = tail.split_at_checked(length).ok_or_else(chunk_ends_early)?;
            self.inner_record(head[0], record)?;
            rest = tail;
        }
        self.close_partial()
    }

    fn inner_record(&mut self, opcode: u8, body: &[u8]) -> std::result::Result<(), Fault> {
        match opcode {
            op::SCHEMA | op::CHANNEL | op::MESSAGE | op::METADATA => {}
            _ => return Ok(()),
        }
        match mcap::parse_record(opcode, body)? {
            Record::Schema { header, .. } => {
                self.schemas.insert(header.id, header.name.into());
            }
            Record::Channel(channel) => {
                let topic = channel.metadata.get(TOPIC_KEY).and_then(|name| {
                    let topic = *Topic::ALL.iter().find(|t| t.name() == name)?;
                    Some((topic, channel.metadata.get(SENDER_KEY)?.as_str().into()))
                });
                let ros_type = self.schemas.get(&channel.schema_id).cloned();
                let channel_entry = Channel {
                    ros_topic: channel.topic.into(),
                    ros_type: ros_type.unwrap_or_else(|| "".into()),
                    topic,
                };
                self.channels.insert(channel.id, channel_entry);
            }
            Record::Message { header, data } => {
                let Some(channel) = self.channels.get(&header.channel_id) else {
                    return Err(Fault::Corrupt(format!(
                        "a message on unknown channel {}",
                        header.channel_id
                    )));
                };
                let Some((topic, sender)) = &channel.topic else {
                    self.foreign += 1;
                    return Ok(());
                };
                let at = i64::try_from(header.log_time)
                    .map_err(|_| Fault::Corrupt("a time without end".into()))?;
                let part = RecordedPart {
                    topic: Arc::clone(&channel.ros_topic),
                    ros_type: Arc::clone(&channel.ros_type),
                    bytes: data.into_owned(),
                };
                let (sequence, at, topic, sender) =
                    (header.sequence, Time::from_nanos(at), *topic, Arc::clone(sender));
                match &mut self.partial {
                    Some(m) if (m.sequence, m.topic, m.at) == (sequence, topic, at) => m.parts.push(part),
                    _ => {
                        self.close_partial()?;
                        self.partial = Some(RecordedMessage {
                            sequence,
                            at,
                            sender,
                            topic,
                            parts: vec![part],
                        });
                    }
                }
            }
            Record::Metadata(m) if m.name == RECORD_NAME => {
                self.metadata =
                    RunMetadata::from_map(&m.metadata).map_err(|e| Fault::Corrupt(e.to_string()))?;
                self.has_metadata = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Hands out the message whose parts are complete.
    fn close_partial(&mut self) -> std::result::Result<(), Fault> {
        let Some(message) = self.partial.take() else {
            return Ok(());
        };
        if fixed_parts(message.topic).is_some_and(|n| n != message.parts.len()) {
            let (found, topic) = (message.parts.len(), message.topic.name());
            return Err(Fault::Corrupt(format!("a message on `{topic}` of {found} parts")));
        }
        self.messages += 1;
        self.ready.push_back(message);
        Ok(())
    }
}

impl<R: Read> Iterator for RecordingReader<R> {
    type Item = RecordedMessage;

    fn next(&mut self) -> Option<RecordedMessage> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.state == State::Ended {
                return None;
            }
            self.step();
        }
    }
}

fn chunk_ends_early() -> Fault {
    Fault::Corrupt("a chunk ends inside a record".into())
}

fn unpack(header: &ChunkHeader, data: &[u8]) -> std::result::Result<Vec<u8>, Fault> {
    let size = header.uncompressed_size;
    if size > MAX_RECORD_BYTES {
        return Err(Fault::Corrupt(format!("a chunk of {size} bytes")));
    }
    let mut unpacked = Vec::new();
    match header.compression.as_str() {
        "" => unpacked.extend_from_slice(data),
        "lz4" => {
            let mut decoder = lz4_flex::frame::FrameDecoder::new(data).take(size + 1);
            decoder
                .read_to_end(&mut unpacked)
                .map_err(|e| Fault::Corrupt(format!("lz4: {e}")))?;
        }
        other => {
            let problem =
                format!("compression `{other}` is not supported; convert to lz4 with `mcap compress`");
            return Err(Fault::Corrupt(problem));
        }
    }
    if unpacked.len() as u64 != size {
        return Err(Fault::Corrupt(format!(
            "a chunk of {} bytes instead of {size}",
            unpacked.len()
        )));
    }
    let crc = crc32fast::hash(&unpacked);
    if header.uncompressed_crc != 0 && header.uncompressed_crc != crc {
        return Err(Fault::Corrupt(format!(
            "chunk checksum {crc:08x} instead of {:08x}",
            header.uncompressed_crc
        )));
    }
    Ok(unpacked)
}
