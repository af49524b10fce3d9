//! The grapher: remembers objects and publishes them with their relations.
//!
//! An image waits for its segmentation (same stamp) and for the transforms at its stamp, then goes into the
//! [`ObjectMemory`]. Images taken while the camera turns fast are left out.
//!
//! Counters, besides those of the memory ([`ObjectMemory::counters`], prefixed `memory_`):
//!
//! | counter | meaning |
//! |---|---|
//! | `frames_used` | images that went into memory |
//! | `frame_refused` | image or segmentation whose sizes, camera or pose make no sense |
//! | `frame_turning` | image left out because the camera turned fast |
//! | `frame_out_of_order` | image not newer than the one before |
//! | `frames_dropped` | image that waited behind too many others |
//! | `segmentation_missing` | image dropped because no segmentation came |
//! | `segmentation_unmatched` | segmentation that belongs to no waiting image |
//! | `transform_refused` | transform that is not finite or would break the tree |
//! | `transform_missing` | image dropped because its transforms never came |
//! | `gripper_transform_missing` | contacts while the pose of the gripper is not known |
//! | `time_jumped_back` | everything was forgotten |

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::geometry::Pose3;
use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::{
    GripperContacts, Header, Relation, SceneGraph, Skill, SkillState, SkillStatus, Transforms,
};
use steward_core::transforms::TransformBuffer;
use steward_core::{Duration, Time, frames};
use steward_scene::memory::{GripperState, MemoryConfig, ObjectMemory, Observation};
use steward_scene::relations::{RelationsConfig, relations};
use steward_scene::{Error, Result};

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, answer, message};

/// Images that may wait for their segmentation and transforms.
const LONGEST_QUEUE: usize = 4;
/// How long transforms are remembered; images are delayed by less.
const TRANSFORM_HISTORY: Duration = Duration::from_secs(10);
/// How far apart the two camera poses are from which its turning is measured.
const TURN_SPAN: Duration = Duration::from_millis(80);
/// How often waiting images are looked at.
const PERIOD: Duration = Duration::from_millis(40);

/// How the grapher works.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct GrapherConfig {
    /// Object memory.
    pub memory: MemoryConfig,
    /// Relations.
    pub relations: RelationsConfig,
    /// How often the graph is published at most, when it changed, hertz.
    pub publish_rate_hz: f64,
    /// The graph is published at least this often, hertz.
    pub heartbeat_rate_hz: f64,
    /// Images are left out while the camera turns faster, radians per second.
    pub max_turn_rad_s: f64,
    /// How long an image waits for its segmentation and transforms, seconds.
    pub wait_s: f64,
    /// How old the correction of the odometry may be, seconds.
    pub localization_age_s: f64,
    /// Fingers closer than this hold nothing, whatever they touch, metres.
    pub min_opening_m: f64,
}

impl Default for GrapherConfig {
    fn default() -> Self {
        GrapherConfig {
            memory: MemoryConfig::default(),
            relations: RelationsConfig::default(),
            publish_rate_hz: 5.0,
            heartbeat_rate_hz: 1.0,
            max_turn_rad_s: 1.0,
            wait_s: 0.4,
            localization_age_s: 2.0,
            min_opening_m: 0.003,
        }
    }
}

impl GrapherConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the field that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.memory.validate()?;
        self.relations.validate()?;
        for (field, value, low, high) in [
            ("grapher.publish_rate_hz", self.publish_rate_hz, 0.01, 100.0),
            ("grapher.heartbeat_rate_hz", self.heartbeat_rate_hz, 0.01, 100.0),
            ("grapher.max_turn_rad_s", self.max_turn_rad_s, 0.01, 100.0),
            ("grapher.wait_s", self.wait_s, 0.0, 10.0),
            ("grapher.localization_age_s", self.localization_age_s, 0.0, 60.0),
            ("grapher.min_opening_m", self.min_opening_m, 0.0, 0.1),
        ] {
            if !(value >= low && value <= high) {
                return Err(Error::BadConfig {
                    field,
                    reason: format!("{value} must be between {low} and {high}"),
                });
            }
        }
        Ok(())
    }
}

/// An image that waits.
#[derive(Debug)]
struct Waiting {
    frame: Arc<RgbdFrame>,
    segmentation: Option<Arc<Segmentation>>,
    since: Time,
}

/// Why an image cannot be used yet.
enum Camera {
    At(Pose3),
    Turning,
    Unknown,
}

/// Remembers objects and relates them.
#[derive(Debug)]
pub struct Grapher {
    config: GrapherConfig,
    memory: ObjectMemory,
    transforms: TransformBuffer,
    waiting: VecDeque<Waiting>,
    newest_frame: Option<Time>,
    skill: Option<Skill>,
    relations: Vec<Relation>,
    dirty: bool,
    published: Option<Time>,
    last_now: Time,
    counters: Counters,
}

impl Grapher {
    /// A grapher that remembers nothing.
    ///
    /// # Errors
    /// [`Error::BadConfig`] where the settings make no sense.
    pub fn new(config: GrapherConfig) -> Result<Self> {
        config.validate()?;
        Ok(Grapher {
            memory: ObjectMemory::new(config.memory.clone())?,
            config,
            transforms: TransformBuffer::new(TRANSFORM_HISTORY),
            waiting: VecDeque::new(),
            newest_frame: None,
            skill: None,
            relations: Vec::new(),
            dirty: false,
            published: None,
            last_now: Time::ZERO,
            counters: Counters::default(),
        })
    }

    fn forget_if_time_jumped_back(&mut self, now: Time) {
        if now < self.last_now {
            self.counters.count("time_jumped_back");
            if let Ok(memory) = ObjectMemory::new(self.config.memory.clone()) {
                self.memory = memory;
            }
            self.transforms.clear();
            self.waiting.clear();
            self.newest_frame = None;
            self.skill = None;
            self.relations.clear();
            self.published = None;
        }
        self.last_now = now;
    }

    fn take_transforms(&mut self, transforms: &Transforms) {
        for transform in &transforms.transforms {
            if self.transforms.insert(transform).is_err() {
                self.counters.count("transform_refused");
            }
        }
    }

    fn take_frame(&mut self, now: Time, frame: &Arc<RgbdFrame>) {
        let stamp = frame.header.stamp;
        if frame.validate().is_err() {
            self.counters.count("frame_refused");
            return;
        }
        if self.newest_frame.is_some_and(|newest| stamp <= newest) {
            self.counters.count("frame_out_of_order");
            return;
        }
        self.newest_frame = Some(stamp);
        if self.waiting.len() >= LONGEST_QUEUE {
            self.waiting.pop_front();
            self.counters.count("frames_dropped");
        }
        self.waiting.push_back(Waiting {
            frame: frame.clone(),
            segmentation: None,
            since: now,
        });
    }

    fn take_segmentation(&mut self, segmentation: &Arc<Segmentation>) {
        let stamp = segmentation.header.stamp;
        match self.waiting.iter_mut().find(|w| w.frame.header.stamp == stamp) {
            Some(waiting) => waiting.segmentation = Some(segmentation.clone()),
            None => self.counters.count("segmentation_unmatched"),
        }
    }

    /// `map_from_camera` at the stamp of an image.
    fn camera_at(&self, frame: &str, stamp: Time) -> Camera {
        let tolerance = Duration::from_secs_f64(self.config.localization_age_s);
        let Ok(map_from_odom) = self
            .transforms
            .lookup_within(frames::MAP, frames::ODOM, stamp, tolerance)
        else {
            return Camera::Unknown;
        };
        let Ok(odom_from_camera) = self.transforms.lookup(frames::ODOM, frame, stamp) else {
            return Camera::Unknown;
        };
        if let Ok(before) = self.transforms.lookup(frames::ODOM, frame, stamp - TURN_SPAN) {
            let turn = before.rotation.angle_to(&odom_from_camera.rotation);
            if turn > self.config.max_turn_rad_s * TURN_SPAN.secs_f64() {
                return Camera::Turning;
            }
        }
        Camera::At(map_from_odom * odom_from_camera)
    }

    /// Uses the waiting images that are complete, in order.
    fn work(&mut self, now: Time, out: &mut Outbox) {
        let patience = Duration::from_secs_f64(self.config.wait_s);
        while let Some(first) = self.waiting.front() {
            let late = now - first.since >= patience;
            let Some(segmentation) = first.segmentation.clone() else {
                // A later complete image means that this one's segmentation was lost.
                let overtaken = self.waiting.iter().skip(1).any(|w| w.segmentation.is_some());
                if late || overtaken {
                    self.counters.count("segmentation_missing");
                    self.waiting.pop_front();
                    continue;
                }
                break;
            };
            let frame = first.frame.clone();
            match self.camera_at(&frame.header.frame_id, frame.header.stamp) {
                Camera::Unknown if !late => break,
                Camera::Unknown => self.counters.count("transform_missing"),
                Camera::Turning => self.counters.count("frame_turning"),
                Camera::At(map_from_camera) => self.use_frame(&frame, &segmentation, map_from_camera, out),
            }
            self.waiting.pop_front();
        }
    }

    fn use_frame(
        &mut self,
        frame: &RgbdFrame,
        segmentation: &Segmentation,
        map_from_camera: Pose3,
        out: &mut Outbox,
    ) {
        let observed = self.memory.observe(&Observation {
            stamp: frame.header.stamp,
            map_from_camera,
            camera: frame.camera,
            depth: &frame.depth,
            labels: &segmentation.labels,
            detections: &segmentation.detections,
        });
        match observed {
            Ok(changes) => {
                self.counters.count("frames_used");
                self.dirty = true;
                for change in changes {
                    out.send(message(Message::SceneChange, change));
                }
            }
            Err(_) => self.counters.count("frame_refused"),
        }
    }

    fn take_contacts(&mut self, contacts: &GripperContacts) {
        let touching = contacts.left && contacts.right && contacts.opening_m > self.config.min_opening_m;
        let held = self.memory.held();
        // At a handle the fingers touch a part, which stays where it is hinged.
        let at_handle = matches!(self.skill, Some(Skill::Open { .. } | Skill::Close { .. }));
        let holding = touching && (held.is_some() || !at_handle);
        if !holding && held.is_none() {
            return;
        }
        let stamp = contacts.header.stamp;
        let tolerance = Duration::from_secs_f64(self.config.localization_age_s);
        let pose = self
            .transforms
            .lookup_within(frames::MAP, frames::GRASP_CENTER, stamp, tolerance);
        let Ok(map_from_grasp) = pose else {
            self.counters.count("gripper_transform_missing");
            return;
        };
        let intended = match self.skill {
            Some(Skill::Pick { object } | Skill::Place { object, .. }) => Some(object),
            _ => None,
        };
        self.memory.observe_gripper(&GripperState {
            stamp,
            map_from_grasp,
            holding,
            intended,
        });
        self.dirty = true;
    }

    fn take_status(&mut self, status: &SkillStatus) {
        self.skill = match status.state {
            SkillState::Running => Some(status.skill.clone()),
            // What was picked stays meant until the next skill; handles are let go of.
            SkillState::Done | SkillState::Failed(_) => match &status.skill {
                Skill::Pick { .. } if status.state == SkillState::Done => Some(status.skill.clone()),
                _ => None,
            },
        };
    }

    fn publish(&mut self, now: Time, out: &mut Outbox) {
        let since = self.published.map(|p| now - p);
        let due = |rate_hz: f64| since.is_none_or(|s| s >= Duration::from_rate_hz(rate_hz));
        if !((self.dirty && due(self.config.publish_rate_hz)) || due(self.config.heartbeat_rate_hz)) {
            return;
        }
        let objects = self.memory.objects();
        self.relations = relations(&objects, &self.relations, &self.config.relations);
        self.dirty = false;
        self.published = Some(now);
        out.send(message(
            Message::SceneGraph,
            SceneGraph {
                header: Header::new(self.memory.newest(), frames::MAP),
                objects,
                relations: self.relations.clone(),
            },
        ));
    }
}

impl Node for Grapher {
    fn name(&self) -> &'static str {
        "grapher"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[
            Topic::Rgbd,
            Topic::Segmentation,
            Topic::Transforms,
            Topic::Localization,
            Topic::GripperContacts,
            Topic::SkillStatus,
            Topic::KnownScene,
        ]
    }

    fn period(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_message(&mut self, now: Time, received: &Message, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        match received {
            Message::KnownScene(known) => {
                let taken = self
                    .memory
                    .know(&known.scene.objects, now)
                    .map_err(|e| e.to_string());
                self.relations.clear();
                self.dirty = true;
                out.send(answer(now, known.request, taken));
            }
            Message::Rgbd(frame) => self.take_frame(now, frame),
            Message::Segmentation(segmentation) => {
                self.take_segmentation(segmentation);
                self.work(now, out);
            }
            Message::Transforms(transforms) | Message::Localization(transforms) => {
                self.take_transforms(transforms);
            }
            Message::GripperContacts(contacts) => self.take_contacts(contacts),
            Message::SkillStatus(status) => self.take_status(status),
            _ => {}
        }
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        self.work(now, out);
        self.publish(now, out);
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = self.counters.snapshot();
        for (name, n) in self.memory.counters() {
            counters.insert(format!("memory_{name}"), *n);
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_core::camera::CameraIntrinsics;
    use steward_core::geometry::{Rotation3, Vector3};
    use steward_core::image::{Detection, Image};
    use steward_core::messages::{ChangeKind, KnownScene, StampedTransform};

    fn at(millis: i64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// Camera at 1 m looking along +x of `map`; `localized` adds `map` to `odom`.
    fn transforms(millis: i64, yaw_rad: f64, localized: bool) -> Vec<Message> {
        let edge = |parent: &str, child: &str, pose: Pose3| StampedTransform {
            stamp: at(millis),
            parent: parent.into(),
            child: child.into(),
            parent_from_child: pose,
            is_static: false,
        };
        let optical = Pose3::from_parts(
            Vector3::new(0.0, 0.0, 1.0).into(),
            Rotation3::from_axis_angle(&Vector3::z_axis(), yaw_rad)
                * Rotation3::from_euler_angles(
                    -std::f64::consts::FRAC_PI_2,
                    0.0,
                    -std::f64::consts::FRAC_PI_2,
                ),
        );
        let tf = |edge| Transforms {
            transforms: vec![edge],
        };
        let mut messages = vec![message(
            Message::Transforms,
            tf(edge(frames::ODOM, frames::HEAD_CAMERA_OPTICAL, optical)),
        )];
        if localized {
            let edge = edge(frames::MAP, frames::ODOM, Pose3::identity());
            messages.push(message(Message::Localization, tf(edge)));
        }
        messages
    }

    /// A square thing of 20 by 20 pixels, 1 m ahead, before a wall at 3 m.
    fn images(millis: i64) -> [Message; 2] {
        let (width, height) = (80u32, 60u32);
        let inside = |i: u32| (30..50).contains(&(i % width)) && (20..40).contains(&(i / width));
        let depth: Vec<f32> = (0..width * height)
            .map(|i| if inside(i) { 1.0 } else { 3.0 })
            .collect();
        let labels: Vec<u16> = (0..width * height).map(|i| u16::from(inside(i))).collect();
        let header = Header::new(at(millis), frames::HEAD_CAMERA_OPTICAL);
        let frame = RgbdFrame {
            header: header.clone(),
            camera: CameraIntrinsics::from_horizontal_fov(width, height, 1.3),
            color: Arc::new(Image::new(width, height, vec![[0; 3]; 4800]).unwrap()),
            depth: Arc::new(Image::new(width, height, depth).unwrap()),
        };
        let segmentation = Segmentation {
            header,
            labels: Arc::new(Image::new(width, height, labels).unwrap()),
            detections: vec![Detection {
                instance: 1,
                class: "clock".into(),
                score: 0.9,
            }],
        };
        [
            message(Message::Rgbd, frame),
            message(Message::Segmentation, segmentation),
        ]
    }

    fn send(node: &mut Grapher, millis: i64, messages: impl IntoIterator<Item = Message>) -> Vec<Message> {
        let mut out = Outbox::default();
        for m in messages {
            node.on_message(at(millis), &m, &mut out);
        }
        node.on_tick(at(millis), &mut out);
        out.drain().collect()
    }

    #[test]
    fn images_become_objects_once_their_camera_is_known() {
        let mut node = Grapher::new(GrapherConfig::default()).unwrap();
        let mut all = Vec::new();
        for i in 0..10i64 {
            let millis = i * 200;
            all.extend(send(&mut node, millis, transforms(millis, 0.0, true)));
            all.extend(send(&mut node, millis, images(millis)));
            // In between the robot reports its frames more often than its images.
            all.extend(send(
                &mut node,
                millis + 100,
                transforms(millis + 100, 0.0, false),
            ));
        }
        assert_eq!(node.counters()["frames_used"], 10);
        let appeared: Vec<_> = all
            .iter()
            .filter_map(|m| match m {
                Message::SceneChange(c) => Some((c.class.clone(), c.kind)),
                _ => None,
            })
            .collect();
        assert_eq!(appeared, [("clock".to_owned(), ChangeKind::Appeared)]);
        let graphs: Vec<&Arc<SceneGraph>> = all
            .iter()
            .filter_map(|m| match m {
                Message::SceneGraph(g) => Some(g),
                _ => None,
            })
            .collect();
        assert!(graphs.len() <= 11, "{}", graphs.len());
        let clock = &graphs.last().unwrap().objects[0];
        assert!(
            (clock.shape.center.x - 1.0).abs() < 0.15 && clock.shape.center.y.abs() < 0.02,
            "{clock:?}"
        );
    }

    #[test]
    fn a_grapher_goes_on_with_the_things_of_another() {
        let mut first = Grapher::new(GrapherConfig::default()).unwrap();
        let mut graph = None;
        for millis in (0..2000).step_by(200) {
            let mut said = send(&mut first, millis, transforms(millis, 0.0, true));
            said.extend(send(&mut first, millis, images(millis)));
            graph = said.iter().rev().find_map(newest_graph).or(graph);
        }
        let graph = graph.unwrap();
        let known = |scene: SceneGraph| {
            let header = Header::default();
            [message(
                Message::KnownScene,
                KnownScene {
                    header,
                    request: 4,
                    scene,
                },
            )]
        };
        let mut second = Grapher::new(GrapherConfig::default()).unwrap();
        let said = send(&mut second, 5000, known(SceneGraph::clone(&graph)));
        assert!(matches!(&said[0], Message::Answer(a) if a.request == 4 && a.refusal.is_empty()));
        assert_eq!(newest_graph(&said[1]).unwrap().objects, graph.objects);

        let mut bad = SceneGraph::clone(&graph);
        bad.objects[0].shape.center.z = f64::NAN;
        let said = send(&mut second, 7000, known(bad));
        assert!(
            matches!(&said[0], Message::Answer(a) if a.refusal.contains("clock")),
            "{said:?}"
        );
        assert_eq!(newest_graph(&said[1]).unwrap().objects, graph.objects);
    }

    fn newest_graph(said: &Message) -> Option<Arc<SceneGraph>> {
        match said {
            Message::SceneGraph(graph) => Some(Arc::clone(graph)),
            _ => None,
        }
    }

    #[test]
    fn what_cannot_be_used_is_counted() {
        let mut node = Grapher::new(GrapherConfig::default()).unwrap();
        // No localisation: the image waits, then goes.
        send(&mut node, 0, transforms(0, 0.0, false));
        send(&mut node, 0, images(0));
        send(&mut node, 500, []);
        assert_eq!(node.counters()["transform_missing"], 1);
        // A camera that turns by 0.5 rad in 80 ms.
        for (millis, yaw) in [(520, 0.0), (560, 0.25), (600, 0.5)] {
            send(&mut node, millis, transforms(millis, yaw, true));
        }
        send(&mut node, 600, images(600));
        assert_eq!(node.counters()["frame_turning"], 1);
        // An image again, a segmentation of nothing, an image without segmentation, sizes that differ.
        let [frame, segmentation] = images(600);
        send(&mut node, 610, [frame, segmentation]);
        assert_eq!(node.counters()["frame_out_of_order"], 1);
        assert_eq!(node.counters()["segmentation_unmatched"], 1);
        let [frame, _] = images(620);
        send(&mut node, 620, [frame]);
        send(&mut node, 1200, []);
        assert_eq!(node.counters()["segmentation_missing"], 1);
        let [Message::Rgbd(frame), _] = images(1300) else {
            unreachable!()
        };
        let mut bad = (*frame).clone();
        bad.camera.width = 7;
        send(&mut node, 1300, [message(Message::Rgbd, bad)]);
        assert_eq!(node.counters()["frame_refused"], 1);
        send(&mut node, 100, []);
        assert_eq!(node.counters()["time_jumped_back"], 1);
    }

    #[test]
    fn the_graph_is_sent_at_least_once_a_second() {
        let mut node = Grapher::new(GrapherConfig::default()).unwrap();
        let sent: usize = (0..100).map(|i| send(&mut node, i * 40, []).len()).sum();
        assert_eq!(sent, 4);
    }
}
