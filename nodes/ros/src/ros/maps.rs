//! The services `save_map` and `load_map` of mapper and grapher, and the file in which either keeps what it knows for
//! the one that is started after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use r2r::steward_msgs::srv::{LoadMap, SaveMap};
use steward_core::messages::SceneGraph;
use steward_nodes::known;
use steward_nodes::message::Message;

use super::Service;
use super::deferred::{Answered, Deferred};
use super::orders::Give;
use crate::world::Order;

/// How often what is known is written into the file that it is kept in.
const KEEP_EVERY: Duration = Duration::from_secs(10);
/// Requests of the services, and those that nobody waits for.
const SAVES: u32 = 1 << 28;
const LOADS: u32 = 2 << 28;
const KEPT: u32 = 3 << 28;

impl Answered for SaveMap::Service {
    fn response(success: bool, message: String) -> SaveMap::Response {
        SaveMap::Response { success, message }
    }
}

impl Answered for LoadMap::Service {
    fn response(success: bool, message: String) -> LoadMap::Response {
        LoadMap::Response { success, message }
    }
}

/// The mapper's.
pub struct Floor {
    save: Deferred<SaveMap::Service>,
    load: Deferred<LoadMap::Service>,
    kept: Kept,
}

impl Floor {
    /// # Errors
    /// Where ROS refuses a service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Floor {
            save: Deferred::new(node, "mapper/save_map", SAVES)?,
            load: Deferred::new(node, "mapper/load_map", LOADS)?,
            kept: Kept::default(),
        })
    }

    /// Passes on what came.
    pub fn turn(&mut self, give: Option<Give<'_>>) {
        self.save.turn(give, |request, _| Ok(Order::SaveMap { request }));
        self.load.turn(give, |request, asked| {
            know_map(request, Path::new(&asked.file), asked.odometry_went_on)
        });
        if let Some(give) = give.filter(|_| self.kept.is_due()) {
            self.kept.written = Some(Instant::now());
            if let Err(e) = give(Order::SaveMap { request: KEPT }) {
                log::warn!("the map cannot be kept: {e:#}");
            }
        }
    }

    /// Writes what the mapper says, and answers what it answered.
    pub fn on_message(&mut self, message: &Message) {
        match message {
            Message::MapSnapshot(map) if map.request == KEPT => {
                self.kept.write(|file| known::save_map(file, map));
            }
            Message::MapSnapshot(map) => self.save.finish(map.request, |asked| {
                known::save_map(Path::new(&asked.file), map).map_err(|e| e.to_string())
            }),
            Message::Answer(m) if m.request == KEPT => self.kept.answered(&m.refusal),
            Message::Answer(m) => self.load.answer(m.request, &m.refusal),
            _ => {}
        }
    }

    /// Keeps the map in a file from now on; `None`: no more. What the mapper is to go on with.
    pub fn keep(&mut self, file: Option<PathBuf>) -> Option<Order> {
        let (kept, known) = Kept::new(file, |file| know_map(KEPT, file, true));
        self.kept = kept;
        known
    }
}

fn know_map(request: u32, file: &Path, odometry_went_on: bool) -> Result<Order> {
    Ok(Order::KnowMap {
        request,
        odometry_went_on,
        map: Box::new(known::load_map(file)?),
    })
}

/// The grapher's.
pub struct Things {
    save: Service<SaveMap::Service>,
    load: Deferred<LoadMap::Service>,
    newest: Option<Arc<SceneGraph>>,
    kept: Kept,
}

impl Things {
    /// # Errors
    /// Where ROS refuses a service.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Things {
            save: Service::new(node, "grapher/save_map")?,
            load: Deferred::new(node, "grapher/load_map", LOADS + (1 << 27))?,
            newest: None,
            kept: Kept::default(),
        })
    }

    /// Passes on what came.
    pub fn turn(&mut self, give: Option<Give<'_>>) {
        let newest = self.newest.as_deref();
        self.save.answer(|request| {
            let saved = match newest {
                Some(scene) => known::save_scene(Path::new(&request.file), scene).map_err(|e| e.to_string()),
                None => Err("no scene was published yet".into()),
            };
            SaveMap::Service::response(saved.is_ok(), saved.err().unwrap_or_default())
        });
        self.load
            .turn(give, |request, asked| know_scene(request, Path::new(&asked.file)));
        if let Some(newest) = newest.filter(|_| self.kept.is_due()) {
            self.kept.write(|file| known::save_scene(file, newest));
        }
    }

    /// Takes note of the newest scene, and answers what the grapher answered.
    pub fn on_message(&mut self, message: &Message) {
        match message {
            Message::SceneGraph(scene) => self.newest = Some(Arc::clone(scene)),
            Message::Answer(m) if m.request == KEPT => self.kept.answered(&m.refusal),
            Message::Answer(m) => self.load.answer(m.request, &m.refusal),
            _ => {}
        }
    }

    /// Keeps the things in a file from now on; `None`: no more. What the grapher is to go on with.
    pub fn keep(&mut self, file: Option<PathBuf>) -> Option<Order> {
        self.newest = None;
        let (kept, known) = Kept::new(file, |file| know_scene(KEPT, file));
        self.kept = kept;
        known
    }
}

fn know_scene(request: u32, file: &Path) -> Result<Order> {
    Ok(Order::KnowScene {
        request,
        scene: Box::new(known::load_scene(file)?),
    })
}

/// A file that is read once and then written from time to time.
#[derive(Default)]
struct Kept {
    file: Option<PathBuf>,
    /// Whether the node goes on with what the file said, if there was one.
    is_taken: bool,
    written: Option<Instant>,
}

impl Kept {
    fn new(file: Option<PathBuf>, read: impl FnOnce(&Path) -> Result<Order>) -> (Self, Option<Order>) {
        let known = file.as_ref().filter(|f| f.exists()).map(|file| read(file));
        let mut kept = Kept {
            is_taken: known.is_none(),
            file,
            ..Kept::default()
        };
        let known = known.and_then(|known| known.inspect_err(|e| kept.answered(&format!("{e:#}"))).ok());
        (kept, known)
    }

    fn answered(&mut self, refusal: &str) {
        self.is_taken = true;
        // What was said before it was taken is not worth keeping.
        self.written = Some(Instant::now());
        if !refusal.is_empty() {
            log::error!("what was known before is lost: {refusal}");
        }
    }

    fn is_due(&self) -> bool {
        self.file.is_some() && self.is_taken && self.written.is_none_or(|at| at.elapsed() >= KEEP_EVERY)
    }

    fn write(&mut self, write: impl FnOnce(&Path) -> steward_nodes::error::Result<()>) {
        self.written = Some(Instant::now());
        if let Some(file) = &self.file
            && let Err(e) = write(file)
        {
            log::warn!("what is known cannot be kept: {e}");
        }
    }
}
