//! Pictures of a run in [rerun](https://rerun.io): an observer that logs what crosses the seams.
//!
//! | entity | what |
//! |---|---|
//! | `tf/<frame>` | the frame tree, by name: `map`, `odom`, `base_link`, the robot's links |
//! | `world/robot/<link>` | shapes of the robot's URDF, each in the frame of its link |
//! | `world/map`, `world/obstacles`, `world/path` | occupancy grid, obstacle voxels, the way driven |
//! | `world/objects`, `world/relations` | remembered objects with ids, arrows for `on` and `in` |
//! | `camera/{rgb,classes,depth}` | head camera, masks by class, depth |
//! | `plan/text`, `plan/state/*` | the plan as text; task, skill, step and verdict as lanes over time |
//! | `plan/rules` | the rules with their verdicts and what is owed |
//! | `log` | one line per event |
//! | `counters/<node>/<name>` | everything dropped, refused or missing |
//!
//! [`blueprint`] arranges it. Time is the timeline `run_time`, the loop's clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rerun::{AsComponents, RecordingStream, RecordingStreamBuilder};
use steward_core::geometry::Pose3;
use steward_core::messages::Transforms;
use steward_core::robot::KinematicModel;
use steward_core::{Time, frames};

use crate::error::{Error, Result};
use crate::message::Message;
use crate::runtime::{Delivery, Observer};

mod blueprint;
mod events;
mod images;
mod robot;
mod scene;

pub use blueprint::blueprint;

/// Name of the application in the viewer; blueprints belong to it.
pub const APPLICATION: &str = "steward";
/// Name of the timeline.
pub const TIMELINE: &str = "run_time";

/// Where pictures go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewerTarget {
    /// Into a file, `.rrd`.
    Save(PathBuf),
    /// To a viewer that is started for it; the `rerun` binary must be in the path.
    Spawn,
    /// To a viewer that runs already, on the default port.
    Connect,
}

/// Logs a run to rerun.
pub struct Viewer {
    log: Log,
    transforms: BTreeMap<String, Pose3>,
    images: images::Images,
    scene: scene::Scene,
    events: events::Events,
}

impl Viewer {
    /// Opens the target and logs what never changes: the robot and the arrangement of views.
    ///
    /// # Errors
    /// [`Error::Viewer`] where the target cannot be opened or the robot description cannot be read.
    pub fn new(target: &ViewerTarget, urdf: &str) -> Result<Self> {
        let robot = KinematicModel::from_urdf(urdf).map_err(|e| Error::Viewer(e.to_string()))?;
        let builder = RecordingStreamBuilder::new(APPLICATION).with_default_blueprint(blueprint());
        let stream = match target {
            ViewerTarget::Save(path) => builder.save(path),
            ViewerTarget::Spawn => builder.spawn(),
            ViewerTarget::Connect => builder.connect_grpc(),
        }
        .map_err(|e| {
            Error::Viewer(match target {
                ViewerTarget::Save(path) => format!("cannot write {}: {e}", path.display()),
                ViewerTarget::Spawn => {
                    format!("{e}. Install the viewer with `cargo install rerun-cli`, or use --rerun save")
                }
                ViewerTarget::Connect => format!("{e}. Start the viewer with `rerun`, or use --rerun save"),
            })
        })?;
        let log = Log { stream };
        robot::log(&log, &robot)?;
        Ok(Viewer {
            log,
            transforms: BTreeMap::new(),
            images: images::Images::default(),
            scene: scene::Scene::default(),
            events: events::Events::default(),
        })
    }

    /// Sends what is still buffered.
    ///
    /// # Errors
    /// [`Error::Viewer`] where the target no longer takes it.
    pub fn finish(self) -> Result<()> {
        self.log
            .stream
            .flush_blocking()
            .map_err(|e| Error::Viewer(e.to_string()))
    }

    /// Logs the edges that moved.
    fn transforms(&mut self, message: &Transforms) -> Result<()> {
        for t in &message.transforms {
            let pose = t.parent_from_child;
            let finite = pose
                .translation
                .vector
                .iter()
                .chain(pose.rotation.coords.iter())
                .all(|x| x.is_finite());
            if !finite || self.transforms.get(&t.child) == Some(&pose) {
                continue;
            }
            let edge = robot::transform(&pose)
                .with_parent_frame(t.parent.as_str())
                .with_child_frame(t.child.as_str());
            let entity = format!("tf/{}", t.child);
            if t.is_static {
                self.log.forever(entity, &edge)?;
            } else {
                self.log.now(entity, &edge)?;
            }
            self.transforms.insert(t.child.clone(), pose);
        }
        Ok(())
    }
}

impl Observer for Viewer {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        self.log.at(delivery.at);
        match delivery.message {
            Message::Transforms(m) | Message::Localization(m) => self.transforms(m),
            Message::Rgbd(m) => self.images.frame(&self.log, m),
            Message::Segmentation(m) => self.images.segmentation(&self.log, m),
            Message::OccupancyGrid(m) => self.scene.grid(&self.log, m),
            Message::ObstacleCloud(m) => self.scene.obstacles(&self.log, m),
            Message::SceneGraph(m) => self.scene.graph(&self.log, m),
            Message::Odometry(m) => {
                let map_from_odom = self.transforms.get(frames::ODOM).copied().unwrap_or_default();
                self.scene
                    .odometry(&self.log, delivery.at, &(map_from_odom * m.pose.to_pose3()))
            }
            other => self.events.message(&self.log, other),
        }
    }
}

/// Logs to the stream at the time of the current delivery.
struct Log {
    stream: RecordingStream,
}

impl Log {
    fn at(&self, time: Time) {
        self.stream.set_time(
            TIMELINE,
            std::time::Duration::from_nanos(time.nanos().max(0) as u64),
        );
    }

    fn now(&self, entity: impl AsRef<str>, what: &dyn AsComponents) -> Result<()> {
        self.stream
            .log(entity.as_ref(), what)
            .map_err(|e| Error::Viewer(e.to_string()))
    }

    fn forever(&self, entity: impl AsRef<str>, what: &dyn AsComponents) -> Result<()> {
        self.stream
            .log_static(entity.as_ref(), what)
            .map_err(|e| Error::Viewer(e.to_string()))
    }
}

/// A colour that tells classes apart: hues a golden angle apart.
fn class_color(index: usize) -> [u8; 3] {
    let hue = (index as f32 * 0.618_034).fract() * 6.0;
    let channel = |offset: f32| {
        let distance = ((hue + offset).rem_euclid(6.0) - 3.0).abs() - 1.0;
        (70.0 + 170.0 * distance.clamp(0.0, 1.0)) as u8
    };
    [channel(0.0), channel(4.0), channel(2.0)]
}

/// Numbers classes in the order in which they are first seen.
#[derive(Default)]
struct Classes(BTreeMap<Arc<str>, usize>);

impl Classes {
    /// The class's number from 1, and whether it is new.
    fn number(&mut self, class: &str) -> (usize, bool) {
        if let Some(n) = self.0.get(class) {
            return (*n, false);
        }
        let n = self.0.len() + 1;
        self.0.insert(class.into(), n);
        (n, true)
    }
}
