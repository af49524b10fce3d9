//! A recording as `ros2 bag` lays it out: a folder with the MCAP file and a `metadata.yaml`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use steward_core::Time;
use steward_nodes::recording::{Recorder, RecordingSummary, RunMetadata};
use steward_nodes::runtime::{Delivery, Observer};

/// Name of the file in the folder, as `steward run` names it.
const FILE: &str = "run.mcap";
/// The layout of Humble, which every later ROS reads.
const VERSION: u32 = 5;

/// A recording under way.
pub struct Bag {
    folder: PathBuf,
    recorder: Recorder<BufWriter<File>>,
}

impl Bag {
    /// Makes the folder, and the file in it.
    ///
    /// # Errors
    /// Where the folder exists already or cannot be written.
    pub fn create(folder: &Path, metadata: &RunMetadata) -> Result<Self> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::create_dir(folder)
            .with_context(|| format!("cannot make the folder {} to record into", folder.display()))?;
        let recorder = Recorder::create(&folder.join(FILE), metadata)?;
        Ok(Bag {
            folder: folder.to_owned(),
            recorder,
        })
    }

    /// Writes the index of the file and what `ros2 bag info` reads.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn finish(self) -> Result<()> {
        let summary = self.recorder.finish()?;
        let path = self.folder.join("metadata.yaml");
        let text = serde_saphyr::to_string(&metadata(&summary))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Observer for Bag {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        self.recorder.on_message(delivery)
    }
}

/// Content of `metadata.yaml`.
fn metadata(summary: &RecordingSummary) -> BTreeMap<&'static str, Value> {
    let (first, last) = summary.span.unwrap_or((Time::ZERO, Time::ZERO));
    let duration = json!({ "nanoseconds": (last - first).nanos() });
    let starting_time = json!({ "nanoseconds_since_epoch": first.nanos() });
    let message_count: u64 = summary.topics.values().map(|(_, count)| count).sum();
    let topics: Vec<Value> = summary
        .topics
        .iter()
        .map(|(name, (ros_type, count))| {
            let topic = json!({
                "name": name, "type": ros_type, "serialization_format": "cdr", "offered_qos_profiles": "",
            });
            json!({ "topic_metadata": topic, "message_count": count })
        })
        .collect();
    let information = json!({
        "version": VERSION,
        "storage_identifier": "mcap",
        "duration": duration,
        "starting_time": starting_time,
        "message_count": message_count,
        "topics_with_message_count": topics,
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [FILE],
        "files": [{
            "path": FILE,
            "starting_time": starting_time,
            "duration": duration,
            "message_count": message_count,
        }],
    });
    BTreeMap::from([("rosbag2_bagfile_information", information)])
}
