//! What is in a recording, in one page.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use steward_core::Time;
use steward_core::messages::Outcome;

use super::metadata::{Clock, RunMetadata};
use super::reader::{Damage, RecordingReader};
use crate::error::{Error, Result};
use crate::message::Message;

/// Summary of a recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Its size, bytes.
    pub bytes: u64,
    /// Version of the software that wrote it.
    pub version: String,
    /// Clock of its stamps.
    pub clock: Clock,
    /// Seed of the run.
    pub seed: u64,
    /// Time of the first tick, seconds.
    pub start_s: f64,
    /// From the first to the last message, seconds.
    pub duration_s: f64,
    /// Messages of the loop.
    pub messages: u64,
    /// Messages that are not of the loop, passed over.
    pub foreign_messages: u64,
    /// Messages of the loop whose bytes make no sense.
    pub bad_messages: u64,
    /// By ROS topic and sender.
    pub topics: Vec<TopicSummary>,
    /// Tasks in the order in which they were given.
    pub tasks: Vec<TaskSummary>,
    /// The last counters of each node.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
    /// Damage at which the recording ends.
    pub damage: Option<Damage>,
}

/// What was sent on a topic by one node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicSummary {
    /// ROS topic.
    pub topic: String,
    /// ROS type.
    pub ros_type: String,
    /// Sending node.
    pub sender: String,
    /// ROS messages.
    pub messages: u64,
    /// Their bytes, before compression.
    pub bytes: u64,
    /// Messages per second between the first and the last, 0 for a single one.
    pub rate_hz: f64,
}

/// One task and its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSummary {
    /// The goal, as it is written on the command line.
    pub goal: String,
    /// When it was given, seconds.
    pub given_s: f64,
    /// When it ended, seconds; `None` while it was under way at the end of the recording.
    pub ended_s: Option<f64>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The planner's sentence about the end.
    pub detail: String,
}

/// Reads a recording from begin to end, or to its damage.
///
/// # Errors
/// [`Error::File`] or [`Error::NotARecording`].
pub fn inspect(path: &Path) -> Result<Inspection> {
    let failed = |source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    let mut recording = RecordingReader::open(path)?;
    let RunMetadata {
        version,
        clock,
        seed,
        start,
        ..
    } = recording.metadata().clone();
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    let mut tasks = Vec::new();
    let mut counters = BTreeMap::new();
    let (mut messages, mut bad_messages, mut span) = (0, 0, None);
    for recorded in recording.by_ref() {
        messages += 1;
        let (first, last) = span.get_or_insert((recorded.at, recorded.at));
        (*first, *last) = ((*first).min(recorded.at), (*last).max(recorded.at));
        for part in &recorded.parts {
            counts
                .entry((part.topic.to_string(), recorded.sender.to_string()))
                .or_insert_with(|| Count {
                    ros_type: part.ros_type.to_string(),
                    n: 0,
                    bytes: 0,
                    span: (recorded.at, recorded.at),
                })
                .add(recorded.at, part.bytes.len());
        }
        match recorded.message() {
            Ok(message) => note(recorded.at, &message, &mut tasks, &mut counters),
            Err(_) => bad_messages += 1,
        }
    }
    Ok(Inspection {
        path: path.to_owned(),
        bytes,
        version,
        clock,
        seed,
        start_s: start.secs_f64(),
        duration_s: span.map_or(0.0, |(first, last)| (last - first).secs_f64()),
        messages,
        foreign_messages: recording.foreign_messages(),
        bad_messages,
        topics: counts
            .into_iter()
            .map(|((topic, sender), count)| count.summary(topic, sender))
            .collect(),
        tasks: tasks.into_iter().map(|(_, task)| task).collect(),
        counters,
        damage: recording.damage().cloned(),
    })
}

struct Count {
    ros_type: String,
    n: u64,
    bytes: u64,
    span: (Time, Time),
}

impl Count {
    fn add(&mut self, at: Time, bytes: usize) {
        self.n += 1;
        self.bytes += bytes as u64;
        self.span.1 = self.span.1.max(at);
    }

    fn summary(self, topic: String, sender: String) -> TopicSummary {
        let seconds = (self.span.1 - self.span.0).secs_f64();
        let rate_hz = if seconds > 0.0 {
            (self.n - 1) as f64 / seconds
        } else {
            0.0
        };
        TopicSummary {
            topic,
            ros_type: self.ros_type,
            sender,
            messages: self.n,
            bytes: self.bytes,
            rate_hz,
        }
    }
}

fn note(
    at: Time,
    message: &Message,
    tasks: &mut Vec<(u32, TaskSummary)>,
    counters: &mut BTreeMap<String, BTreeMap<String, u64>>,
) {
    match message {
        Message::Task(m) => tasks.push((
            m.id.0,
            TaskSummary {
                goal: m.goal.to_string(),
                given_s: at.secs_f64(),
                ended_s: None,
                outcome: None,
                detail: String::new(),
            },
        )),
        Message::TaskResult(m) => {
            if let Some((_, task)) = tasks.iter_mut().rfind(|(id, _)| *id == m.id.0) {
                task.ended_s = Some(at.secs_f64());
                task.outcome = Some(m.outcome);
                task.detail.clone_from(&m.detail);
            }
        }
        Message::Diagnostics(m) => {
            counters.insert(m.node.clone(), m.counters.clone());
        }
        _ => {}
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = match self.clock {
            Clock::Simulated => "simulated",
            Clock::RealTime => "real",
        };
        writeln!(f, "{}", self.path.display())?;
        writeln!(
            f,
            "  {:.1} s of {clock} time, {} messages, {:.1} MB, seed {}, written by version {}",
            self.duration_s,
            self.messages,
            self.bytes as f64 * 1e-6,
            self.seed,
            self.version
        )?;
        match &self.damage {
            None => writeln!(f, "  complete")?,
            Some(damage) => writeln!(f, "  DAMAGED: {damage}")?,
        }
        for (n, what) in [
            (self.bad_messages, "messages make no sense"),
            (
                self.foreign_messages,
                "messages are on channels that are not of the loop",
            ),
        ] {
            if n > 0 {
                writeln!(f, "  {n} {what}")?;
            }
        }
        for task in &self.tasks {
            let end = match (&task.outcome, task.ended_s) {
                (Some(Outcome::Succeeded), Some(s)) => format!("succeeded after {:.1} s", s - task.given_s),
                (Some(Outcome::Failed(reason)), Some(s)) => {
                    format!("failed after {:.1} s: {reason}", s - task.given_s)
                }
                _ => "under way at the end".to_owned(),
            };
            writeln!(f, "  task {}: {end}. {}", task.goal, task.detail)?;
        }
        writeln!(f)?;
        let width = |get: fn(&TopicSummary) -> &str| {
            self.topics.iter().map(|t| get(t).len()).max().unwrap_or(0).max(6)
        };
        let (topic, sender) = (width(|t| &t.topic), width(|t| &t.sender));
        writeln!(
            f,
            "  {:topic$}  {:sender$}  {:>8}  {:>7}  {:>9}  type",
            "topic", "from", "messages", "Hz", "kB"
        )?;
        for t in &self.topics {
            writeln!(
                f,
                "  {:topic$}  {:sender$}  {:>8}  {:>7.2}  {:>9.1}  {}",
                t.topic,
                t.sender,
                t.messages,
                t.rate_hz,
                t.bytes as f64 * 1e-3,
                t.ros_type
            )?;
        }
        for (node, counters) in &self.counters {
            if !counters.is_empty() {
                let list: Vec<String> = counters.iter().map(|(name, n)| format!("{name} {n}")).collect();
                writeln!(f, "  {node}: {}", list.join(", "))?;
            }
        }
        Ok(())
    }
}
