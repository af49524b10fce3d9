//! Writes MCAP files (<https://mcap.dev/spec>), front to back, the same bytes for the same content.
//!
//! The `mcap` crate's writer orders its summary by a hash map, so the same run would give different files.

use std::collections::BTreeMap;
use std::io::{self, Write};

use mcap::records::op;

/// Writes records and remembers what the summary at the end needs.
pub(super) struct McapWriter<W> {
    out: W,
    written: u64,
    crc: crc32fast::Hasher,
    /// Schema and channel records as they were written.
    schemas: Vec<Vec<u8>>,
    channels: Vec<Vec<u8>>,
    metadata_indexes: Vec<Vec<u8>>,
    chunk_indexes: Vec<Vec<u8>>,
    chunk: Chunk,
    counts: BTreeMap<u16, u64>,
    span: Option<(u64, u64)>,
}

/// Records that wait for compression.
#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    /// Time and offset of each message by channel.
    index: BTreeMap<u16, Vec<(u64, u64)>>,
    span: Option<(u64, u64)>,
}

const COMPRESSION: &str = "lz4";

impl<W: Write> McapWriter<W> {
    pub(super) fn new(out: W, profile: &str, library: &str) -> io::Result<Self> {
        let mut writer = McapWriter {
            out,
            written: 0,
            crc: crc32fast::Hasher::new(),
            schemas: Vec::new(),
            channels: Vec::new(),
            metadata_indexes: Vec::new(),
            chunk_indexes: Vec::new(),
            chunk: Chunk::default(),
            counts: BTreeMap::new(),
            span: None,
        };
        writer.raw(mcap::MAGIC)?;
        writer.raw(&record(op::HEADER, |r| {
            text(r, profile);
            text(r, library);
        }))?;
        Ok(writer)
    }

    /// A metadata record, between chunks.
    pub(super) fn metadata(&mut self, name: &str, entries: &BTreeMap<String, String>) -> io::Result<()> {
        self.end_chunk()?;
        let bytes = record(op::METADATA, |r| {
            text(r, name);
            map(r, entries);
        });
        let (offset, length) = (self.written, bytes.len() as u64);
        self.metadata_indexes.push(record(op::METADATA_INDEX, |r| {
            numbers(r, &[offset, length]);
            text(r, name);
        }));
        self.raw(&bytes)
    }

    /// Adds a schema; returns its id.
    pub(super) fn schema(&mut self, name: &str, encoding: &str, data: &str) -> u16 {
        let id = self.schemas.len() as u16 + 1;
        let bytes = record(op::SCHEMA, |r| {
            r.extend_from_slice(&id.to_le_bytes());
            text(r, name);
            text(r, encoding);
            text(r, data);
        });
        self.chunk.records.extend_from_slice(&bytes);
        self.schemas.push(bytes);
        id
    }

    /// Adds a channel; returns its id.
    pub(super) fn channel(
        &mut self,
        schema: u16,
        topic: &str,
        encoding: &str,
        entries: &BTreeMap<String, String>,
    ) -> u16 {
        let id = self.channels.len() as u16 + 1;
        let bytes = record(op::CHANNEL, |r| {
            r.extend_from_slice(&id.to_le_bytes());
            r.extend_from_slice(&schema.to_le_bytes());
            text(r, topic);
            text(r, encoding);
            map(r, entries);
        });
        self.chunk.records.extend_from_slice(&bytes);
        self.channels.push(bytes);
        id
    }

    /// Adds a message to the chunk.
    pub(super) fn message(&mut self, channel: u16, sequence: u32, time: u64, data: &[u8]) {
        let records = &mut self.chunk.records;
        self.chunk
            .index
            .entry(channel)
            .or_default()
            .push((time, records.len() as u64));
        records.push(op::MESSAGE);
        records.extend_from_slice(&(22 + data.len() as u64).to_le_bytes());
        records.extend_from_slice(&channel.to_le_bytes());
        records.extend_from_slice(&sequence.to_le_bytes());
        numbers(records, &[time, time]);
        records.extend_from_slice(data);
        *self.counts.entry(channel).or_default() += 1;
        for span in [&mut self.chunk.span, &mut self.span] {
            let (first, last) = span.get_or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
    }

    /// Bytes that wait in the chunk.
    pub(super) fn chunk_bytes(&self) -> usize {
        self.chunk.records.len()
    }

    /// Compresses and writes the chunk, if there is one.
    pub(super) fn end_chunk(&mut self) -> io::Result<()> {
        if self.chunk.records.is_empty() {
            return Ok(());
        }
        let Chunk { records, index, span } = std::mem::take(&mut self.chunk);
        let (first, last) = span.unwrap_or((0, 0));
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::with_capacity(records.len() / 2));
        encoder.write_all(&records)?;
        let compressed = encoder.finish().map_err(io::Error::other)?;
        let offset = self.written;
        let chunk = record(op::CHUNK, |r| {
            numbers(r, &[first, last, records.len() as u64]);
            r.extend_from_slice(&crc32fast::hash(&records).to_le_bytes());
            text(r, COMPRESSION);
            numbers(r, &[compressed.len() as u64]);
            r.extend_from_slice(&compressed);
        });
        self.raw(&chunk)?;
        let index_start = self.written;
        let mut index_offsets = Vec::with_capacity(index.len() * 10);
        for (channel, entries) in &index {
            index_offsets.extend_from_slice(&channel.to_le_bytes());
            numbers(&mut index_offsets, &[self.written]);
            let bytes = record(op::MESSAGE_INDEX, |r| {
                r.extend_from_slice(&channel.to_le_bytes());
                r.extend_from_slice(&(16 * entries.len() as u32).to_le_bytes());
                entries
                    .iter()
                    .for_each(|(time, offset)| numbers(r, &[*time, *offset]));
            });
            self.raw(&bytes)?;
        }
        let index_length = self.written - index_start;
        self.chunk_indexes.push(record(op::CHUNK_INDEX, |r| {
            numbers(r, &[first, last, offset, chunk.len() as u64]);
            r.extend_from_slice(&(index_offsets.len() as u32).to_le_bytes());
            r.extend_from_slice(&index_offsets);
            numbers(r, &[index_length]);
            text(r, COMPRESSION);
            numbers(r, &[compressed.len() as u64, records.len() as u64]);
        }));
        self.out.flush()
    }

    /// Writes the summary and the end; returns what was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end_chunk()?;
        let crc = self.crc.clone().finalize();
        self.raw(&record(op::DATA_END, |r| r.extend_from_slice(&crc.to_le_bytes())))?;
        let (first, last) = self.span.unwrap_or((0, 0));
        let statistics = record(op::STATISTICS, |r| {
            numbers(r, &[self.counts.values().sum()]);
            r.extend_from_slice(&(self.schemas.len() as u16).to_le_bytes());
            for n in [
                self.channels.len(),
                0,
                self.metadata_indexes.len(),
                self.chunk_indexes.len(),
            ] {
                r.extend_from_slice(&(n as u32).to_le_bytes());
            }
            numbers(r, &[first, last]);
            r.extend_from_slice(&(10 * self.counts.len() as u32).to_le_bytes());
            for (channel, n) in &self.counts {
                r.extend_from_slice(&channel.to_le_bytes());
                numbers(r, &[*n]);
            }
        });
        let groups = [
            (op::SCHEMA, &self.schemas),
            (op::CHANNEL, &self.channels),
            (op::STATISTICS, &vec![statistics]),
            (op::CHUNK_INDEX, &self.chunk_indexes),
            (op::METADATA_INDEX, &self.metadata_indexes),
        ];
        let start = self.written;
        let (mut summary, mut offsets) = (Vec::new(), Vec::new());
        for (opcode, records) in groups.into_iter().filter(|(_, records)| !records.is_empty()) {
            let group_start = start + summary.len() as u64;
            records.iter().for_each(|r| summary.extend_from_slice(r));
            let length = start + summary.len() as u64 - group_start;
            offsets.extend(record(op::SUMMARY_OFFSET, |r| {
                r.push(opcode);
                numbers(r, &[group_start, length]);
            }));
        }
        let offsets_start = start + summary.len() as u64;
        summary.extend(offsets);
        // The checksum covers the footer up to itself.
        summary.push(op::FOOTER);
        numbers(&mut summary, &[20, start, offsets_start]);
        let crc = crc32fast::hash(&summary);
        summary.extend_from_slice(&crc.to_le_bytes());
        summary.extend_from_slice(mcap::MAGIC);
        self.raw(&summary)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// A record with its kind and length.
fn record(opcode: u8, content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![opcode, 0, 0, 0, 0, 0, 0, 0, 0];
    content(&mut bytes);
    let length = bytes.len() as u64 - 9;
    bytes[1..9].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn numbers(bytes: &mut Vec<u8>, numbers: &[u64]) {
    numbers
        .iter()
        .for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn map(bytes: &mut Vec<u8>, entries: &BTreeMap<String, String>) {
    let mut content = Vec::new();
    for (key, value) in entries {
        text(&mut content, key);
        text(&mut content, value);
    }
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&content);
}
