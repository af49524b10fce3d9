//! Recordings on disk, whole and damaged.

use std::io::Cursor;
use std::path::Path;

use proptest::prelude::*;
use steward_core::{Duration, Time};

use super::samples;
use crate::error::Error;
use crate::message::{Message, Topic};
use crate::recording::{Damage, RecordedMessage, Recorder, RecordingReader, RunMetadata};
use crate::runtime::{Delivery, Observer};

pub(super) fn metadata() -> RunMetadata {
    RunMetadata::simulated(
        7,
        serde_json::json!({ "rate_hz": 0.1, "sensors": "ideal" }),
        "seed: 3\n",
    )
}

/// Every kind of message, several times, at growing times.
fn messages() -> Vec<(Time, Message)> {
    (0..6u64)
        .flat_map(|round| {
            Topic::ALL.iter().map(move |topic| {
                let at = Time::ZERO + Duration::from_millis(400 * round as i64);
                (at, samples::random(*topic, round))
            })
        })
        .collect()
}

fn recorded(messages: &[(Time, Message)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(&mut bytes, Path::new("memory"), &metadata()).unwrap();
    for (sequence, (at, message)) in (0..).zip(messages) {
        let sender = if message.topic().is_input() {
            "world"
        } else {
            "node"
        };
        recorder
            .on_message(&Delivery {
                sequence,
                at: *at,
                sender,
                message,
            })
            .unwrap();
    }
    let summary = recorder.finish().unwrap();
    assert_eq!(summary.messages, messages.len() as u64);
    assert_eq!(summary.bytes, bytes.len() as u64);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<RecordedMessage>, Option<Damage>), Error> {
    let mut reader = RecordingReader::new(Cursor::new(bytes), bytes.len() as u64, Path::new("memory"))?;
    let messages: Vec<RecordedMessage> = reader.by_ref().collect();
    Ok((messages, reader.damage().cloned()))
}

#[test]
fn what_was_recorded_is_read() {
    let messages = messages();
    let bytes = recorded(&messages);
    let reader = RecordingReader::new(Cursor::new(&bytes), bytes.len() as u64, Path::new("memory")).unwrap();
    assert_eq!(*reader.metadata(), metadata());
    let (read, damage) = read(&bytes).unwrap();
    assert_eq!(damage, None);
    assert_eq!(read.len(), messages.len());
    for (i, (read, (at, message))) in read.iter().zip(&messages).enumerate() {
        assert_eq!((read.sequence as usize, read.at), (i, *at));
        assert_eq!(samples::exact(&read.message().unwrap()), samples::exact(message));
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_and_the_hash_is_that_of_the_file() {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let mut recorder = Recorder::create(&path, &metadata()).unwrap();
    for (sequence, (at, message)) in (0..).zip(&messages()) {
        let sender = if message.topic().is_input() {
            "world"
        } else {
            "node"
        };
        recorder
            .on_message(&Delivery {
                sequence,
                at: *at,
                sender,
                message,
            })
            .unwrap();
    }
    let summary = recorder.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes, recorded(&messages()));
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(summary.sha256, hash);
}

#[test]
fn mcap_itself_reads_the_file_with_its_index() {
    let bytes = recorded(&messages());
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let stats = summary.stats.unwrap();
    assert_eq!(
        stats.message_count as usize,
        mcap::MessageStream::new(&bytes).unwrap().count()
    );
    assert!(stats.chunk_count > 1);
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        let schema = message.channel.schema.clone().unwrap();
        assert_eq!(
            (
                schema.encoding.as_str(),
                message.channel.message_encoding.as_str()
            ),
            ("ros2msg", "cdr")
        );
    }
}

#[test]
fn other_files_are_refused_with_their_name() {
    for bytes in [
        &b""[..],
        b"hello",
        b"\x89MCAP0\r\n",
        b"not an mcap file at all, but long enough to be one",
    ] {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, Error::NotARecording { .. }), "{error}");
        assert!(error.to_string().contains("memory"), "{error}");
    }
    assert!(matches!(
        RecordingReader::open(Path::new("/no/such/file.mcap")),
        Err(Error::File { .. })
    ));
    assert!(matches!(
        RecordingReader::open(Path::new("/")),
        Err(Error::NotARecording { .. })
    ));
}

#[test]
fn lies_about_sizes_are_refused_before_memory_is_reserved() {
    let bytes = recorded(&messages());
    // The first chunk begins after magic, header and metadata.
    let mut at = 8;
    while bytes[at] != 6 {
        at += 9 + u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap()) as usize;
    }
    let lie = |offset: usize, value: u64| {
        let mut bytes = bytes.clone();
        bytes[at + offset..at + offset + 8].copy_from_slice(&value.to_le_bytes());
        read(&bytes).unwrap().1.unwrap()
    };
    // Length of the record, and size of the unpacked chunk.
    for (offset, value) in [
        (1, u64::MAX),
        (1, 1 << 40),
        (25, u64::MAX),
        (25, 1 << 27),
        (25, 3),
    ] {
        let damage = lie(offset, value);
        assert!(
            matches!(
                damage,
                Damage::Corrupt {
                    complete_messages: 0,
                    ..
                }
            ),
            "{damage}"
        );
    }
    assert_eq!(
        lie(1, 1 << 27),
        Damage::Truncated {
            complete_messages: 0,
            byte: at as u64
        }
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn truncated_recordings_are_read_up_to_the_damage(end: prop::sample::Index) {
        let bytes = recorded(&messages());
        let (whole, _) = read(&bytes).unwrap();
        let end = end.index(bytes.len());
        match read(&bytes[..end]) {
            Ok((messages, damage)) => {
                prop_assert_eq!(&messages[..], &whole[..messages.len()]);
                let Some(Damage::Truncated { complete_messages, byte }) = damage else {
                    return Err(TestCaseError::fail(format!("{damage:?}")));
                };
                prop_assert_eq!(complete_messages, messages.len() as u64);
                prop_assert!(byte <= end as u64);
            }
            Err(e) => prop_assert!(matches!(e, Error::NotARecording { .. }), "{}", e),
        }
    }

    #[test]
    fn corrupt_recordings_never_give_a_wrong_message(at: prop::sample::Index, bit in 0..8u32) {
        let mut bytes = recorded(&messages());
        let (whole, _) = read(&bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        match read(&bytes) {
            Ok((messages, _)) => prop_assert_eq!(&messages[..], &whole[..messages.len()]),
            Err(e) => prop_assert!(matches!(e, Error::NotARecording { .. }), "{}", e),
        }
    }
}
