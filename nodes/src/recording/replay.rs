//! Replays recordings: the recorded inputs go to the same nodes, and what they send is compared with what they
//! sent then.
//!
//! A message that none of the rebuilt nodes sent (the simulator's, the operator's) is an input. Every other
//! recorded message must be the next one that the nodes send now, byte for byte, at the same time. Because the
//! recording has all messages in the order of delivery, that order is all the scheduling there is to repeat.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use steward_core::Time;

use super::codec::encode;
use super::metadata::{Clock, RunMetadata};
use super::reader::{Damage, RecordedMessage, RecordingReader};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::node::Node;
use crate::runtime::{Delivery, Dispatch, Envelope, Observer, SCHEDULER};

/// Most fields named in one difference.
const MAX_FIELDS: usize = 12;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayReport {
    /// Messages in the recording.
    pub messages: u64,
    /// Of those, given to the nodes.
    pub inputs: u64,
    /// Of those, compared with what the nodes sent.
    pub compared: u64,
    /// Nodes that were run again.
    pub nodes: Vec<String>,
    /// Time of the last message, seconds.
    pub end_s: f64,
    /// The first difference; replay ends there.
    pub difference: Option<Difference>,
    /// Damage at which the recording ends.
    pub damage: Option<Damage>,
}

impl ReplayReport {
    /// Whether every output was the same.
    pub fn is_identical(&self) -> bool {
        self.difference.is_none()
    }
}

/// How a replayed message differs from the recorded one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Number of the message in the recording, from 0.
    pub message: u64,
    /// Time of delivery, nanoseconds.
    pub at_ns: i64,
    /// Topic.
    pub topic: String,
    /// Who sent it.
    pub sender: String,
    /// What is different, in one sentence.
    pub what: String,
    /// Fields that differ: path, recorded value, replayed value.
    pub fields: Vec<(String, Value, Value)>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = Time::from_nanos(self.at_ns);
        write!(
            f,
            "message {} on `{}` from `{}` at {at}: {}",
            self.message, self.topic, self.sender, self.what
        )?;
        for (path, recorded, replayed) in &self.fields {
            write!(f, "\n  {path}: recorded {recorded}, replayed {replayed}")?;
        }
        Ok(())
    }
}

/// Runs the nodes that `build` makes on the inputs of a recording and compares what they send.
///
/// `build` gets the metadata and returns the nodes of the run in the same order, without those that stand for the
/// world. The observer sees every message of the recording.
///
/// # Errors
/// [`Error::Replay`] for a recording in real time, and what reading, `build` or the observer return. A difference is
/// no error.
pub fn replay(
    path: &Path,
    build: impl FnOnce(&RunMetadata) -> Result<Vec<Box<dyn Node>>>,
    observer: &mut dyn Observer,
) -> Result<ReplayReport> {
    let mut recording = RecordingReader::open(path)?;
    let metadata = recording.metadata();
    if metadata.clock == Clock::RealTime {
        let text = "it was made in real time, where the order of calls is not recorded; `steward inspect` can read it";
        return Err(Error::Replay(text.into()));
    }
    let start = metadata.start;
    let nodes = build(metadata)?;
    let mut replay = Replay::new(nodes, start)?;
    while replay.report.difference.is_none()
        && let Some(recorded) = recording.next()
    {
        let message = recorded.message()?;
        let delivery = Delivery {
            sequence: u64::from(recorded.sequence),
            at: recorded.at,
            sender: &recorded.sender,
            message: &message,
        };
        observer.on_message(&delivery)?;
        replay.report.difference = replay.step(&recorded, message);
        replay.report.messages += 1;
    }
    let mut report = replay.report;
    report.damage = recording.damage().cloned();
    if report.difference.is_none() && report.damage.is_none() {
        report.difference = replay
            .dispatch
            .queue
            .front()
            .map(|sent| unrecorded(report.messages, replay.now, sent));
    }
    Ok(report)
}

struct Replay {
    dispatch: Dispatch,
    /// Names of the nodes that run again, and of the scheduler.
    names: BTreeSet<&'static str>,
    now: Time,
    /// Whether the instant `now` was opened.
    opened: bool,
    report: ReplayReport,
}

impl Replay {
    fn new(nodes: Vec<Box<dyn Node>>, start: Time) -> Result<Self> {
        let dispatch = Dispatch::new(nodes, start)?;
        let nodes: Vec<String> = dispatch.names().map(str::to_owned).collect();
        Ok(Replay {
            names: dispatch.names().chain([SCHEDULER]).collect(),
            dispatch,
            now: start,
            opened: false,
            report: ReplayReport {
                messages: 0,
                inputs: 0,
                compared: 0,
                nodes,
                end_s: start.secs_f64(),
                difference: None,
                damage: None,
            },
        })
    }

    /// Brings the nodes to the next recorded message; returns the difference where there is one.
    fn step(&mut self, recorded: &RecordedMessage, message: Message) -> Option<Difference> {
        if let Some(sent) = self.advance(recorded.at) {
            return Some(sent);
        }
        let now = self.now;
        let differs = |what: String, fields| {
            Some(Difference {
                message: self.report.messages,
                at_ns: recorded.at.nanos(),
                topic: recorded.topic.name().to_owned(),
                sender: recorded.sender.to_string(),
                what,
                fields,
            })
        };
        if recorded.at < now {
            return differs(
                format!("it is earlier than the message before it, at {now}"),
                vec![],
            );
        }
        if !self.is_replayed(recorded, &message) {
            self.report.inputs += 1;
            self.dispatch.deliver(now, &message);
            return None;
        }
        let Some(sent) = self.dispatch.queue.pop_front() else {
            return differs("it was recorded, but is not sent now".into(), vec![]);
        };
        if sent.sender != &*recorded.sender || sent.message.topic() != recorded.topic {
            let what = format!(
                "now `{}` sends on `{}` instead",
                sent.sender,
                sent.message.topic().name()
            );
            return differs(what, vec![]);
        }
        let parts = match encode(&sent.message) {
            Ok(parts) => parts,
            Err(e) => return differs(format!("what is sent now {e}"), vec![]),
        };
        let same = parts.len() == recorded.parts.len()
            && parts
                .iter()
                .zip(&recorded.parts)
                .all(|(a, b)| a.topic == &*b.topic && a.bytes == b.bytes);
        if !same {
            let mut fields = Vec::new();
            compare("", &json(&message), &json(&sent.message), &mut fields);
            return differs("its bytes differ".into(), fields);
        }
        self.report.compared += 1;
        self.dispatch.deliver(now, &sent.message);
        None
    }

    /// Ticks the nodes up to and including `at`. Nothing may be left unsaid on the way.
    fn advance(&mut self, at: Time) -> Option<Difference> {
        loop {
            if !self.opened {
                self.dispatch.open_instant(self.now);
                self.opened = true;
            }
            if at <= self.now {
                return None;
            }
            if let Some(sent) = self.dispatch.queue.front() {
                return Some(unrecorded(self.report.messages, self.now, sent));
            }
            let next = self
                .dispatch
                .next_tick()
                .unwrap_or(at)
                .min(self.dispatch.next_diagnostics());
            self.now = next.min(at);
            self.report.end_s = self.now.secs_f64();
            self.opened = false;
        }
    }

    /// Whether the message is one that the nodes must send again.
    fn is_replayed(&self, recorded: &RecordedMessage, message: &Message) -> bool {
        match message {
            Message::Diagnostics(d) if &*recorded.sender == SCHEDULER => self.names.contains(d.node.as_str()),
            _ => self.names.contains(&*recorded.sender),
        }
    }
}

fn unrecorded(message: u64, at: Time, sent: &Envelope) -> Difference {
    Difference {
        message,
        at_ns: at.nanos(),
        topic: sent.message.topic().name().to_owned(),
        sender: sent.sender.to_owned(),
        what: "it is sent now, but was not recorded".to_owned(),
        fields: vec![],
    }
}

fn json(message: &Message) -> Value {
    macro_rules! payloads {
        ($($variant:ident),* $(,)?) => {
            match message { $(Message::$variant(m) => serde_json::to_value(&**m),)* }
        };
    }
    let value = payloads!(
        Rgbd,
        Segmentation,
        Odometry,
        JointStates,
        Transforms,
        Localization,
        GripperContacts,
        Bumper,
        Task,
        CancelTask,
        OccupancyGrid,
        ObstacleCloud,
        SceneGraph,
        SceneChange,
        Plan,
        SkillCommand,
        CancelSkill,
        SkillStatus,
        Verdict,
        TaskResult,
        VelocityCommand,
        JointCommand,
        FloorPlan,
        SkillRequest,
        SetRules,
        MapRequest,
        KnownMap,
        KnownScene,
        SkillResult,
        RuleMonitors,
        MapSnapshot,
        Answer,
        DriveGoal,
        DriveStatus,
        Diagnostics,
    );
    value.unwrap_or(Value::Null)
}

/// Lists the leaves in which two values differ.
fn compare(path: &str, recorded: &Value, replayed: &Value, out: &mut Vec<(String, Value, Value)>) {
    if out.len() >= MAX_FIELDS || recorded == replayed {
        return;
    }
    match (recorded, replayed) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                let dot = if path.is_empty() { "" } else { "." };
                compare(&format!("{path}{dot}{key}"), value, &b[key], out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), x, y, out);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            out.push((format!("{path}.len()"), a.len().into(), b.len().into()));
        }
        _ => out.push((path.to_owned(), recorded.clone(), replayed.clone())),
    }
}
