//! The same task over ROS, in `steward_loop`, and in process, as in `steward run`; both are recorded.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use r2r::steward_msgs::action::ExecuteTask;
use steward_core::messages::{Goal, TaskResult};
use steward_nodes::bench::ros::RosBench;
use steward_nodes::episode::{Episode, EpisodeConfig, EpisodeSpec};
use steward_nodes::message::{Message, Topic};
use steward_nodes::recording::{Recorder, RunMetadata};
use steward_nodes::runtime::{Delivery, Observer};

use super::child::Child;
use super::client::{Client, check};
use super::progress;
use crate::settings::SimulatorSettings;

/// A task that was carried out.
#[derive(Debug)]
pub(super) struct Run {
    /// From the order to the end.
    pub(super) wall_s: f64,
    /// How it ended, and when in simulated time.
    pub(super) end: TaskResult,
}

/// Both ways.
pub(super) struct Overhead {
    pub(super) ros: Run,
    pub(super) in_process: Run,
}

/// Carries the task out both ways.
///
/// # Errors
/// Where something cannot be started or recorded, or somebody wants to stop.
pub(super) fn measure(asked: &RosBench, stop: &AtomicBool) -> Result<Overhead> {
    let folder = Folder::new()?;
    Ok(Overhead {
        ros: over_ros(asked, &folder.0, stop)?,
        in_process: in_process(asked, &folder.0)?,
    })
}

/// A folder for recordings that nobody keeps.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("steward-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left there is in the folder for temporary things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn over_ros(asked: &RosBench, folder: &Path, stop: &AtomicBool) -> Result<Run> {
    progress("a task over ROS", 0.0, 0.0)?;
    let parameters = [
        ("home", asked.home.clone()),
        ("seed", asked.seed.to_string()),
        ("speed", "0.0".into()),
        ("hold_until_task", "true".into()),
        ("record", folder.join("ros").display().to_string()),
    ];
    let mut steward_loop = Child::start("steward_loop", &parameters)?;
    // All that the loop says is listened to, so that all of it is sent.
    let mut client = Client::new("bench_listener", Topic::ALL)?;
    client.wait_for_tasks(&mut steward_loop, stop)?;
    let goal = ExecuteTask::Goal {
        goal: asked.goal.clone(),
        ..ExecuteTask::Goal::default()
    };
    let begun = Instant::now();
    let mut task = client.order(goal, &mut steward_loop, stop)?;
    let (mut told, mut wall_s) = (None, None);
    loop {
        check(stop)?;
        steward_loop.check()?;
        for m in client.turn() {
            if let Message::TaskResult(result) = m {
                told = Some(TaskResult::clone(&result));
            }
        }
        if wall_s.is_none() && task.turn()?.is_some() {
            wall_s = Some(begun.elapsed().as_secs_f64());
        }
        if let (Some(wall_s), Some(end)) = (wall_s, &told) {
            return Ok(Run {
                wall_s,
                end: end.clone(),
            });
        }
    }
}

fn in_process(asked: &RosBench, folder: &Path) -> Result<Run> {
    progress("the same task in process", 0.0, 0.0)?;
    let settings = SimulatorSettings {
        home: asked.home.clone(),
        ..SimulatorSettings::default()
    };
    let (home, config) = (settings.home()?, EpisodeConfig::default());
    let metadata = RunMetadata::simulated(
        asked.seed,
        serde_json::to_value(&config)?,
        serde_saphyr::to_string(&home)?,
    );
    let goal: Goal = asked.goal.parse()?;
    let spec = EpisodeSpec {
        home,
        goal,
        rules: Vec::new(),
        seed: asked.seed,
        changes: Vec::new(),
        disturbance: None,
    };
    let recorder = Recorder::create(&folder.join("run.mcap"), &metadata)?;
    let mut observers = (recorder, Span::default());
    Episode::new(spec, config)?.run(&mut observers)?;
    let (recorder, span): (Recorder<BufWriter<File>>, Span) = observers;
    recorder.finish()?;
    match (span.begun, span.ended) {
        (Some(begun), Some((at, end))) => Ok(Run {
            wall_s: (at - begun).as_secs_f64(),
            end,
        }),
        _ => bail!("the task did not end"),
    }
}

/// From the order to the end.
#[derive(Default)]
struct Span {
    begun: Option<Instant>,
    ended: Option<(Instant, TaskResult)>,
}

impl Observer for Span {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        match delivery.message {
            Message::Task(_) => self.begun = Some(Instant::now()),
            Message::TaskResult(r) => self.ended = Some((Instant::now(), TaskResult::clone(r))),
            _ => {}
        }
        Ok(())
    }
}
