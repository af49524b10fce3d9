//! The mapper: keeps the occupancy grid, the obstacles for the arm, and the correction of the odometry.
//!
//! An image waits for its segmentation (same stamp), which tells the robot's own pixels from the rest, and for
//! the transforms at its stamp. Then it is matched to the map, and entered unless it contradicts the map.
//!
//! Counters:
//!
//! | counter | meaning |
//! |---|---|
//! | `images` | depth images used |
//! | `image_refused` | image whose sizes or camera make no sense |
//! | `image_empty` | image without one usable depth |
//! | `image_out_of_order` | image not newer than the one before |
//! | `image_dropped` | image that waited too long, or behind too many others |
//! | `segmentation_missing` | image used without segmentation: only what is beyond the arm's reach |
//! | `segmentation_unmatched` | segmentation that belongs to no waiting image or has another size |
//! | `transform_refused` | transform that is not finite or would break the tree |
//! | `transform_missing` | image dropped because its transforms never came |
//! | `pose_refused` | image or odometry with a pose that cannot be |
//! | `odometry_jumped` | image at which the odometry had moved faster than any robot |
//! | `scan_contradicted` | image that contradicts the map and was not entered |
//! | `relocalized` | pose found again by search |
//! | `outside_map` | observations outside the largest map |
//! | `maps_known` | maps of before that it went on with |
//! | `time_jumped_back`, `restarted` | everything was forgotten |

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::geometry::{Point3, Pose2, Pose3};
use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::{
    GripperContacts, KnownMap, MapSnapshot, OccupancyGrid, Odometry, StampedTransform, Transforms,
};
use steward_core::transforms::TransformBuffer;
use steward_core::{Duration, Time, frames};
use steward_scene::localization::{LocalizationConfig, Localizer, MatchOutcome};
use steward_scene::memory::ROBOT_CLASS;
use steward_scene::obstacles::{DepthView, ObstacleConfig, ObstacleMap};
use steward_scene::occupancy::{ExcludedBall, OccupancyConfig, OccupancyMap, ScanConfig, Scanner};
use steward_scene::{Error, Result};

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, answer, message};

/// Images that may wait for their segmentation and transforms.
const LONGEST_QUEUE: usize = 4;
/// How long transforms are remembered; images are delayed by less.
const TRANSFORM_HISTORY: Duration = Duration::from_secs(10);

/// How the mapper works.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MapperConfig {
    /// How a depth image is read.
    pub scan: ScanConfig,
    /// The grid.
    pub occupancy: OccupancyConfig,
    /// The correction of the odometry.
    pub localization: LocalizationConfig,
    /// The obstacles for the arm.
    pub obstacles: ObstacleConfig,
    /// How often `map` -> `odom` is published and waiting images are looked at, hertz.
    pub tick_rate_hz: f64,
    /// How often the grid is published when it changed, hertz.
    pub grid_rate_hz: f64,
    /// How often the obstacles are published when there is a new image, hertz.
    pub obstacles_rate_hz: f64,
    /// How long an image waits for its segmentation when no other image follows, seconds.
    pub segmentation_wait_s: f64,
    /// How long an image waits for its transforms, seconds.
    pub transform_wait_s: f64,
    /// The robot's own pixels are grown by this before they are left out, pixels.
    pub robot_margin_px: u32,
    /// While both fingers touch something, nothing within this radius of `grasp_center` is an obstacle, metres.
    pub held_radius_m: f64,
    /// Faster motion of the odometry between two images is refused, metres per second.
    pub max_speed_m_s: f64,
}

impl Default for MapperConfig {
    fn default() -> Self {
        MapperConfig {
            scan: ScanConfig::default(),
            occupancy: OccupancyConfig::default(),
            localization: LocalizationConfig::default(),
            obstacles: ObstacleConfig::default(),
            tick_rate_hz: 25.0,
            grid_rate_hz: 1.0,
            obstacles_rate_hz: 2.5,
            segmentation_wait_s: 0.5,
            transform_wait_s: 1.0,
            robot_margin_px: 2,
            held_radius_m: 0.16,
            max_speed_m_s: 3.0,
        }
    }
}

impl MapperConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        self.scan.validate()?;
        self.occupancy.validate()?;
        self.localization.validate()?;
        self.obstacles.validate()?;
        for (field, value, high) in [
            ("mapper.tick_rate_hz", self.tick_rate_hz, 1000.0),
            ("mapper.grid_rate_hz", self.grid_rate_hz, 1000.0),
            ("mapper.obstacles_rate_hz", self.obstacles_rate_hz, 1000.0),
            ("mapper.segmentation_wait_s", self.segmentation_wait_s, 60.0),
            ("mapper.transform_wait_s", self.transform_wait_s, 60.0),
            ("mapper.held_radius_m", self.held_radius_m, 1.0),
            ("mapper.max_speed_m_s", self.max_speed_m_s, 100.0),
        ] {
            if !(value > 0.0 && value <= high) {
                return Err(Error::BadConfig {
                    field,
                    reason: format!("{value} must be above 0 and at most {high}"),
                });
            }
        }
        if self.robot_margin_px > 64 {
            return Err(Error::BadConfig {
                field: "mapper.robot_margin_px",
                reason: format!("{} must be at most 64", self.robot_margin_px),
            });
        }
        Ok(())
    }
}

/// An image that waits.
#[derive(Debug)]
struct Waiting {
    frame: Arc<RgbdFrame>,
    arrived: Time,
    segmentation: Option<Arc<Segmentation>>,
    /// No segmentation will come.
    alone: bool,
}

/// The node.
#[derive(Debug)]
pub struct Mapper {
    config: MapperConfig,
    counters: Counters,
    scanner: Scanner,
    occupancy: OccupancyMap,
    localizer: Localizer,
    obstacles: ObstacleMap,
    transforms: TransformBuffer,
    waiting: VecDeque<Waiting>,
    now: Option<Time>,
    newest_image: Option<Time>,
    /// Stamp and `odom_from_base` of the image entered last.
    last_pose: Option<(Time, Pose2)>,
    jumps_in_a_row: u32,
    angular_rad_s: f64,
    /// Last time both fingers touched something.
    held_at: Option<Time>,
    /// What is held was forgotten from the obstacles.
    held_forgotten: bool,
    published_correction: bool,
    published_grid: Option<OccupancyGrid>,
    next_grid: Time,
    next_obstacles: Time,
    grid_is_new: bool,
    obstacles_are_new: bool,
    outside: u64,
}

impl Mapper {
    /// A mapper that knows nothing.
    ///
    /// # Errors
    /// [`Error::BadConfig`]
    pub fn new(config: MapperConfig) -> Result<Self> {
        config.validate()?;
        Ok(Mapper {
            counters: Counters::default(),
            scanner: Scanner::new(config.scan.clone())?,
            occupancy: OccupancyMap::new(config.occupancy.clone())?,
            localizer: Localizer::new(config.localization.clone())?,
            obstacles: ObstacleMap::new(config.obstacles.clone())?,
            transforms: TransformBuffer::new(TRANSFORM_HISTORY),
            waiting: VecDeque::new(),
            now: None,
            newest_image: None,
            last_pose: None,
            jumps_in_a_row: 0,
            angular_rad_s: 0.0,
            held_at: None,
            held_forgotten: false,
            published_correction: false,
            published_grid: None,
            next_grid: Time::ZERO,
            next_obstacles: Time::ZERO,
            grid_is_new: false,
            obstacles_are_new: false,
            outside: 0,
            config,
        })
    }

    /// `map_from_odom` as estimated so far.
    pub fn map_from_odom(&self) -> Pose2 {
        self.localizer.map_from_odom()
    }

    /// Stamp of the image that was matched last.
    pub fn last_image(&self) -> Option<Time> {
        self.last_pose.map(|(stamp, _)| stamp)
    }

    fn restart(&mut self) {
        self.counters.count("restarted");
        self.occupancy.clear();
        self.localizer.clear();
        self.obstacles.clear();
        self.transforms.clear();
        self.waiting.clear();
        self.newest_image = None;
        self.last_pose = None;
        self.jumps_in_a_row = 0;
        self.angular_rad_s = 0.0;
        self.held_at = None;
        self.held_forgotten = false;
        self.published_correction = false;
        self.published_grid = None;
        self.next_grid = Time::ZERO;
        self.next_obstacles = Time::ZERO;
        self.grid_is_new = false;
        self.obstacles_are_new = false;
        self.outside = 0;
    }

    fn snapshot(&self, request: u32) -> MapSnapshot {
        MapSnapshot {
            request,
            floor: self.occupancy.to_message(),
            map_from_odom: self.localizer.map_from_odom(),
            walls: self.localizer.walls(),
        }
    }

    /// Goes on with a map of before, or nothing changes.
    fn know(&mut self, now: Time, known: &KnownMap) -> std::result::Result<(), String> {
        let map_from_odom = if known.odometry_went_on {
            known.map.map_from_odom
        } else {
            let odom_from_base = self.transforms.latest(frames::ODOM, frames::BASE_LINK);
            let odom_from_base =
                odom_from_base.map_err(|e| format!("where the robot stands is not known yet: {e}"))?;
            Pose2::from_pose3(&odom_from_base.inverse())
        };
        let mut occupancy = self.occupancy.clone();
        occupancy.know(&known.map.floor, now).map_err(|e| e.to_string())?;
        self.localizer
            .know(&known.map.walls, map_from_odom)
            .map_err(|e| e.to_string())?;
        self.occupancy = occupancy;
        self.obstacles.clear();
        self.outside = 0;
        self.grid_is_new = true;
        self.obstacles_are_new = true;
        self.counters.count("maps_known");
        Ok(())
    }

    /// Restarts where time jumped back.
    fn enter(&mut self, now: Time) {
        if self.now.is_some_and(|last| now < last) {
            self.counters.count("time_jumped_back");
            self.restart();
        }
        self.now = Some(now);
    }

    fn take_image(&mut self, now: Time, frame: &Arc<RgbdFrame>) {
        if frame.validate().is_err() {
            self.counters.count("image_refused");
            return;
        }
        let stamp = frame.header.stamp;
        if self.newest_image.is_some_and(|newest| stamp <= newest) {
            self.counters.count("image_out_of_order");
            return;
        }
        self.newest_image = Some(stamp);
        for w in &mut self.waiting {
            // A segmentation follows its image, so it should have come before this image.
            w.alone |= w.segmentation.is_none();
        }
        if self.waiting.len() >= LONGEST_QUEUE {
            self.waiting.pop_front();
            self.counters.count("image_dropped");
        }
        self.waiting.push_back(Waiting {
            frame: frame.clone(),
            arrived: now,
            segmentation: None,
            alone: false,
        });
    }

    fn take_segmentation(&mut self, segmentation: &Arc<Segmentation>) {
        let labels = &segmentation.labels;
        let fits = |w: &&mut Waiting| {
            let camera = &w.frame.camera;
            w.frame.header.stamp == segmentation.header.stamp
                && (labels.width(), labels.height()) == (camera.width, camera.height)
        };
        match self.waiting.iter_mut().find(fits) {
            Some(w) => w.segmentation = Some(segmentation.clone()),
            None => self.counters.count("segmentation_unmatched"),
        }
    }

    fn take_transforms(&mut self, transforms: &Transforms) {
        for t in &transforms.transforms {
            if self.transforms.insert(t).is_err() {
                self.counters.count("transform_refused");
            }
        }
    }

    fn take_odometry(&mut self, odometry: &Odometry) {
        let p = odometry.pose;
        if ![p.x_m, p.y_m, p.yaw_rad, odometry.angular_rad_s]
            .iter()
            .all(|x| x.is_finite())
        {
            self.counters.count("pose_refused");
            return;
        }
        self.angular_rad_s = odometry.angular_rad_s;
    }

    fn take_contacts(&mut self, now: Time, contacts: &GripperContacts) {
        /// Closed fingers touch each other, not a thing.
        const SMALLEST_THING_M: f64 = 0.004;
        /// A grasp that loses contact for less still holds.
        const LOOSE: Duration = Duration::from_millis(400);
        if contacts.left && contacts.right && contacts.opening_m > SMALLEST_THING_M {
            self.held_at = Some(now);
        } else if self.held_at.is_some_and(|t| now - t > LOOSE) {
            self.held_at = None;
            self.held_forgotten = false;
        }
    }

    /// Uses the images that have everything they need, oldest first.
    fn work(&mut self, now: Time) {
        let segmentation_wait = Duration::from_secs_f64(self.config.segmentation_wait_s);
        let transform_wait = Duration::from_secs_f64(self.config.transform_wait_s);
        while let Some(w) = self.waiting.front_mut() {
            w.alone |= w.segmentation.is_none() && now - w.arrived >= segmentation_wait;
            if w.segmentation.is_none() && !w.alone {
                return;
            }
            let (stamp, camera) = (w.frame.header.stamp, &w.frame.header.frame_id);
            let odom_from_base = self.transforms.lookup(frames::ODOM, frames::BASE_LINK, stamp);
            let base_from_camera = self.transforms.lookup(frames::BASE_LINK, camera, stamp);
            match (odom_from_base, base_from_camera) {
                (Ok(odom_from_base), Ok(base_from_camera)) => {
                    if let Some(w) = self.waiting.pop_front() {
                        self.use_image(&w, &odom_from_base, &base_from_camera);
                    }
                }
                _ if now - w.arrived >= transform_wait => {
                    self.waiting.pop_front();
                    self.counters.count("transform_missing");
                }
                _ => return,
            }
        }
    }

    fn use_image(&mut self, w: &Waiting, odom_from_base: &Pose3, base_from_camera: &Pose3) {
        let stamp = w.frame.header.stamp;
        let odom_from_base = Pose2::from_pose3(odom_from_base);
        if self.has_jumped(stamp, &odom_from_base) {
            return;
        }
        if w.segmentation.is_none() {
            self.counters.count("segmentation_missing");
        }
        let mask = w
            .segmentation
            .as_ref()
            .map(|s| robot_mask(s, self.config.robot_margin_px as usize));
        let held = self.held_ball(stamp);
        let excluded: Vec<ExcludedBall> = held.into_iter().collect();
        let scan = match self.scanner.scan(
            &w.frame.depth,
            &w.frame.camera,
            mask.as_deref(),
            base_from_camera,
            &excluded,
        ) {
            Ok(scan) => scan,
            Err(_) => return self.counters.count("pose_refused"),
        };
        if scan.pixels.used == 0 && scan.pixels.far == 0 {
            self.counters.count("image_empty");
        }
        let outcome = match self.localizer.update(&scan, &odom_from_base, self.angular_rad_s) {
            Ok(outcome) => outcome,
            Err(_) => return self.counters.count("pose_refused"),
        };
        self.last_pose = Some((stamp, odom_from_base));
        match outcome {
            MatchOutcome::Contradicted => return self.counters.count("scan_contradicted"),
            MatchOutcome::Recovered => self.counters.count("relocalized"),
            MatchOutcome::Corrected | MatchOutcome::Unmatched => {}
        }
        let map_from_base = self.localizer.map_from_base(&odom_from_base);
        if let Some(ball) = held
            && !self.held_forgotten
        {
            let center = map_from_base.to_pose3() * ball.center;
            self.obstacles.forget_ball(&center, ball.radius_m);
            self.held_forgotten = true;
        }
        let view = DepthView {
            depth: &w.frame.depth,
            camera: &w.frame.camera,
            robot_pixels: mask.as_deref(),
            base_from_camera,
            excluded: &excluded,
        };
        let entered = self
            .occupancy
            .integrate(&scan, &map_from_base, stamp)
            .and_then(|()| self.obstacles.integrate(&view, &map_from_base, stamp));
        match entered {
            Ok(()) => self.counters.count("images"),
            Err(_) => self.counters.count("pose_refused"),
        }
        if self.occupancy.outside() > self.outside {
            self.outside = self.occupancy.outside();
            self.counters.count("outside_map");
        }
        self.grid_is_new = true;
        self.obstacles_are_new = true;
    }

    /// Whether the odometry moved impossibly fast since the image before. If it stays there, the wheels were
    /// reset and everything starts anew.
    fn has_jumped(&mut self, stamp: Time, odom_from_base: &Pose2) -> bool {
        const SLACK_M: f64 = 0.5;
        const BELIEVED_AFTER: u32 = 5;
        let Some((last_stamp, last)) = self.last_pose else {
            return false;
        };
        let allowed = SLACK_M + self.config.max_speed_m_s * (stamp - last_stamp).secs_f64();
        let distance = last.distance_m(odom_from_base);
        if distance <= allowed {
            self.jumps_in_a_row = 0;
            return false;
        }
        self.counters.count("odometry_jumped");
        self.jumps_in_a_row += 1;
        if self.jumps_in_a_row >= BELIEVED_AFTER {
            self.restart();
        }
        true
    }

    /// Where something is held, frame `base_link`.
    fn held_ball(&mut self, stamp: Time) -> Option<ExcludedBall> {
        self.held_at?;
        let base_from_grasp = self
            .transforms
            .lookup(frames::BASE_LINK, frames::GRASP_CENTER, stamp)
            .ok()?;
        Some(ExcludedBall {
            center: base_from_grasp * Point3::origin(),
            radius_m: self.config.held_radius_m,
        })
    }

    fn publish_correction(&mut self, now: Time, out: &mut Outbox) {
        /// The first message reaches back this far, for images taken just before it.
        const REACH_BACK: Duration = Duration::from_secs(1);
        let pose = self.localizer.map_from_odom().to_pose3();
        let edge = |stamp: Time| StampedTransform {
            stamp,
            parent: frames::MAP.into(),
            child: frames::ODOM.into(),
            parent_from_child: pose,
            is_static: false,
        };
        // Stamped one period ahead, so that it can be looked up at any time up to the next message.
        let ahead = now + Duration::from_rate_hz(self.config.tick_rate_hz);
        let mut transforms = vec![edge(ahead)];
        if !self.published_correction {
            self.published_correction = true;
            transforms.insert(0, edge((now - REACH_BACK).max(Time::ZERO)));
        }
        out.send(message(Message::Localization, Transforms { transforms }));
    }

    fn publish_grid(&mut self, now: Time, out: &mut Outbox) {
        if !self.grid_is_new || now < self.next_grid {
            return;
        }
        self.grid_is_new = false;
        self.next_grid = now + Duration::from_rate_hz(self.config.grid_rate_hz);
        let grid = self.occupancy.to_message();
        let unchanged = self.published_grid.as_ref().is_some_and(|old| {
            (old.origin, old.width, old.height) == (grid.origin, grid.width, grid.height)
                && old.cells == grid.cells
        });
        if !unchanged {
            self.published_grid = Some(grid.clone());
            out.send(message(Message::OccupancyGrid, grid));
        }
    }

    fn publish_obstacles(&mut self, now: Time, out: &mut Outbox) {
        if !self.obstacles_are_new || now < self.next_obstacles {
            return;
        }
        self.obstacles_are_new = false;
        self.next_obstacles = now + Duration::from_rate_hz(self.config.obstacles_rate_hz);
        out.send(message(Message::ObstacleCloud, self.obstacles.to_message()));
    }
}

impl Node for Mapper {
    fn name(&self) -> &'static str {
        "mapper"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[
            Topic::Rgbd,
            Topic::Segmentation,
            Topic::Odometry,
            Topic::Transforms,
            Topic::GripperContacts,
            Topic::MapRequest,
            Topic::KnownMap,
        ]
    }

    fn period(&self) -> Option<Duration> {
        Some(Duration::from_rate_hz(self.config.tick_rate_hz))
    }

    fn on_message(&mut self, now: Time, received: &Message, out: &mut Outbox) {
        self.enter(now);
        match received {
            Message::MapRequest(m) => {
                return out.send(message(Message::MapSnapshot, self.snapshot(m.request)));
            }
            Message::KnownMap(m) => return out.send(answer(now, m.request, self.know(now, m))),
            Message::Rgbd(m) => self.take_image(now, m),
            Message::Segmentation(m) => self.take_segmentation(m),
            Message::Transforms(m) => self.take_transforms(m),
            Message::Odometry(m) => self.take_odometry(m),
            Message::GripperContacts(m) => self.take_contacts(now, m),
            _ => return,
        }
        self.work(now);
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.enter(now);
        self.work(now);
        self.publish_correction(now, out);
        self.publish_grid(now, out);
        self.publish_obstacles(now, out);
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.snapshot()
    }
}

/// The robot's own pixels, grown by `margin` in each direction.
fn robot_mask(segmentation: &Segmentation, margin: usize) -> Vec<bool> {
    let robots: Vec<u16> = segmentation
        .detections
        .iter()
        .filter(|d| d.class == ROBOT_CLASS)
        .map(|d| d.instance)
        .collect();
    let labels = &segmentation.labels;
    let (width, height) = (labels.width() as usize, labels.height() as usize);
    let mut mask = vec![false; labels.data().len()];
    if robots.is_empty() {
        return mask;
    }
    for (at, label) in labels.data().iter().enumerate() {
        if robots.contains(label) {
            let (column, row) = (at % width, at / width);
            let columns = column.saturating_sub(margin)..(column + margin + 1).min(width);
            for r in row.saturating_sub(margin)..(row + margin + 1).min(height) {
                mask[r * width..][columns.clone()].fill(true);
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use steward_core::camera::CameraIntrinsics;
    use steward_core::geometry::{Rotation3, Vector3};
    use steward_core::image::{ColorImage, DepthImage, Detection, LabelImage};
    use steward_core::messages::{Header, MapRequest};

    use super::*;

    const WIDTH: u32 = 160;
    const HEIGHT: u32 = 120;

    fn at(ms: i64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    /// A camera 1.2 m up that looks straight ahead at a wall 2 m before it, floor below.
    fn frame(ms: i64) -> RgbdFrame {
        let camera = CameraIntrinsics::from_horizontal_fov(WIDTH, HEIGHT, 1.3);
        let depth = (0..HEIGHT)
            .flat_map(|row| {
                let down = camera.pixel_ray(0, row).y;
                let depth = if down > 0.0 { (1.2 / down).min(2.0) } else { 2.0 };
                std::iter::repeat_n(depth as f32, WIDTH as usize)
            })
            .collect();
        RgbdFrame {
            header: Header::new(at(ms), frames::HEAD_CAMERA_OPTICAL),
            camera,
            color: Arc::new(ColorImage::new(WIDTH, HEIGHT, vec![[0; 3]; (WIDTH * HEIGHT) as usize]).unwrap()),
            depth: Arc::new(DepthImage::new(WIDTH, HEIGHT, depth).unwrap()),
        }
    }

    fn segmentation(ms: i64) -> Segmentation {
        Segmentation {
            header: Header::new(at(ms), frames::HEAD_CAMERA_OPTICAL),
            labels: Arc::new(LabelImage::new(WIDTH, HEIGHT, vec![0; (WIDTH * HEIGHT) as usize]).unwrap()),
            detections: Vec::new(),
        }
    }

    fn transforms(ms: i64, x_m: f64) -> Transforms {
        let edge = |parent: &str, child: &str, pose: Pose3| StampedTransform {
            stamp: at(ms),
            parent: parent.into(),
            child: child.into(),
            parent_from_child: pose,
            is_static: false,
        };
        let optical =
            Rotation3::from_euler_angles(-std::f64::consts::FRAC_PI_2, 0.0, -std::f64::consts::FRAC_PI_2);
        assert!((optical * Vector3::z() - Vector3::x()).norm() < 1e-12);
        let camera = Pose3::from_parts(nalgebra::Translation3::new(0.0, 0.0, 1.2), optical);
        Transforms {
            transforms: vec![
                edge(frames::ODOM, frames::BASE_LINK, Pose3::translation(x_m, 0.0, 0.0)),
                edge(frames::BASE_LINK, frames::HEAD_CAMERA_OPTICAL, camera),
            ],
        }
    }

    struct Rig {
        mapper: Mapper,
        out: Outbox,
    }

    impl Rig {
        fn new() -> Self {
            Rig {
                mapper: Mapper::new(MapperConfig::default()).unwrap(),
                out: Outbox::default(),
            }
        }

        fn give<T>(&mut self, ms: i64, variant: fn(Arc<T>) -> Message, payload: T) {
            self.mapper
                .on_message(at(ms), &message(variant, payload), &mut self.out);
        }

        fn tick(&mut self, ms: i64) -> Vec<Message> {
            self.mapper.on_tick(at(ms), &mut self.out);
            self.out.drain().collect()
        }

        fn count(&self, name: &str) -> u64 {
            self.mapper.counters().get(name).copied().unwrap_or(0)
        }
    }

    #[test]
    fn an_image_waits_for_its_segmentation_and_its_transforms() {
        let mut rig = Rig::new();
        rig.give(0, Message::Rgbd, frame(0));
        assert_eq!(rig.count("images"), 0);
        rig.give(0, Message::Segmentation, segmentation(0));
        assert_eq!(rig.count("images"), 0);
        rig.give(40, Message::Transforms, transforms(0, 0.0));
        assert_eq!((rig.count("images"), rig.count("segmentation_missing")), (1, 0));
        let sent = rig.tick(40);
        let topics: Vec<Topic> = sent.iter().map(Message::topic).collect();
        assert_eq!(
            topics,
            [Topic::Localization, Topic::OccupancyGrid, Topic::ObstacleCloud]
        );
        let Message::OccupancyGrid(grid) = &sent[1] else {
            panic!("{sent:?}");
        };
        // The wall 2 m ahead.
        let (column, row) = grid.cell_of(2.02, 0.0).unwrap();
        let percent = |c: u32| grid.cells[(row * grid.width + c) as usize];
        assert!((column - 1..=column).any(|c| percent(c) >= OccupancyGrid::OCCUPIED_PERCENT));
    }

    #[test]
    fn an_image_whose_segmentation_never_comes_is_used_without() {
        let mut rig = Rig::new();
        for k in 0..3 {
            rig.give(k * 200, Message::Transforms, transforms(k * 200, 0.0));
            rig.give(k * 200, Message::Rgbd, frame(k * 200));
        }
        assert_eq!((rig.count("images"), rig.count("segmentation_missing")), (2, 2));
        rig.tick(1000);
        assert_eq!(rig.count("images"), 3);
        rig.give(1000, Message::Segmentation, segmentation(400));
        assert_eq!(rig.count("segmentation_unmatched"), 1);
    }

    #[test]
    fn the_correction_can_be_looked_up_at_any_time_up_to_now() {
        let mut rig = Rig::new();
        let mut buffer = TransformBuffer::new(TRANSFORM_HISTORY);
        for k in 0..50 {
            for m in rig.tick(2000 + 40 * k) {
                let Message::Localization(m) = m else { continue };
                for t in &m.transforms {
                    buffer.insert(t).unwrap();
                }
            }
            for back in [0, 17, 900] {
                buffer
                    .lookup(frames::MAP, frames::ODOM, at(2000 + 40 * k - back))
                    .unwrap();
            }
        }
    }

    #[test]
    fn everything_wrong_is_counted_and_nothing_panics() {
        let mut rig = Rig::new();
        let mut bad = frame(0);
        bad.camera.width = 0;
        rig.give(0, Message::Rgbd, bad);
        assert_eq!(rig.count("image_refused"), 1);

        let mut t = transforms(0, 0.0);
        t.transforms[0].parent_from_child.translation.vector.x = f64::NAN;
        rig.give(0, Message::Transforms, t);
        assert_eq!(rig.count("transform_refused"), 1);

        let mut unknown = frame(10);
        unknown.header.frame_id = "nowhere".into();
        rig.give(10, Message::Rgbd, unknown);
        rig.give(10, Message::Segmentation, segmentation(10));
        rig.tick(1500);
        assert_eq!(rig.count("transform_missing"), 1);

        rig.give(1500, Message::Rgbd, frame(5));
        assert_eq!(rig.count("image_out_of_order"), 1);

        let mut dark = frame(1600);
        dark.depth =
            Arc::new(DepthImage::new(WIDTH, HEIGHT, vec![f32::NAN; (WIDTH * HEIGHT) as usize]).unwrap());
        rig.give(1600, Message::Transforms, transforms(1600, 0.0));
        rig.give(1600, Message::Rgbd, dark);
        rig.give(1600, Message::Segmentation, segmentation(1600));
        assert_eq!(rig.count("image_empty"), 1);

        for k in 0..5 {
            let ms = 1800 + 200 * k;
            rig.give(ms, Message::Transforms, transforms(ms, 40.0));
            rig.give(ms, Message::Rgbd, frame(ms));
            rig.give(ms, Message::Segmentation, segmentation(ms));
        }
        assert_eq!((rig.count("odometry_jumped"), rig.count("restarted")), (5, 1));

        rig.give(100, Message::Transforms, transforms(100, 1e9));
        assert_eq!((rig.count("time_jumped_back"), rig.count("restarted")), (1, 2));
        rig.give(100, Message::Rgbd, frame(100));
        rig.give(100, Message::Segmentation, segmentation(100));
        assert_eq!(rig.count("pose_refused"), 1);
    }

    #[test]
    fn a_mapper_goes_on_with_the_map_of_another() {
        let snapshot = |rig: &mut Rig, ms: i64| {
            let request = MapRequest {
                header: Header::default(),
                request: 5,
            };
            rig.give(ms, Message::MapRequest, request);
            match rig.out.drain().last() {
                Some(Message::MapSnapshot(map)) => MapSnapshot::clone(&map),
                other => panic!("{other:?}"),
            }
        };
        let know = |rig: &mut Rig, map: &MapSnapshot, odometry_went_on: bool| {
            let known = KnownMap {
                header: Header::default(),
                request: 6,
                odometry_went_on,
                map: map.clone(),
            };
            rig.give(700, Message::KnownMap, known);
            match rig.out.drain().last() {
                Some(Message::Answer(answer)) => answer.refusal.clone(),
                other => panic!("{other:?}"),
            }
        };
        let mut first = Rig::new();
        for ms in [0, 200, 400] {
            first.give(ms, Message::Transforms, transforms(ms, 0.0));
            first.give(ms, Message::Rgbd, frame(ms));
            first.give(ms, Message::Segmentation, segmentation(ms));
        }
        let map = snapshot(&mut first, 500);
        assert!(map.floor.cells.iter().any(|c| *c > 50) && !map.walls.is_empty());

        let mut second = Rig::new();
        second.tick(600);
        assert!(know(&mut second, &map, false).contains("not known yet"));
        assert_eq!(know(&mut second, &map, true), "");
        assert_eq!(snapshot(&mut second, 700), map);
        second.give(700, Message::Transforms, transforms(700, 0.5));
        assert_eq!(know(&mut second, &map, false), "");
        let said = second.tick(700);
        assert!(
            said.iter()
                .any(|m| matches!(m, Message::OccupancyGrid(g) if g.cells == map.floor.cells))
        );
        assert!((second.mapper.map_from_odom().x_m + 0.5).abs() < 1e-9);

        let other_cells = MapSnapshot {
            floor: OccupancyGrid {
                resolution_m: 0.1,
                ..map.floor.clone()
            },
            ..map.clone()
        };
        assert!(know(&mut second, &other_cells, true).contains("cell_m"));
        let far = Pose2::new(f64::NAN, 0.0, 0.0);
        let nowhere = MapSnapshot {
            map_from_odom: far,
            ..map.clone()
        };
        assert!(know(&mut second, &nowhere, true).contains("not finite"));
        let mut odd = map.clone();
        odd.walls[0].x_m = f32::NAN;
        assert!(know(&mut second, &odd, true).contains("wall"));
        assert_eq!(
            snapshot(&mut second, 800).walls,
            map.walls,
            "what is refused changes nothing"
        );
    }

    #[test]
    fn the_robots_own_pixels_are_masked_with_a_margin() {
        let mut s = segmentation(0);
        let mut labels = vec![0u16; (WIDTH * HEIGHT) as usize];
        labels[(10 * WIDTH + 20) as usize] = 4;
        labels[(30 * WIDTH + 5) as usize] = 2;
        s.labels = Arc::new(LabelImage::new(WIDTH, HEIGHT, labels).unwrap());
        let detection = |instance, class: &str| Detection {
            instance,
            class: class.into(),
            score: 1.0,
        };
        s.detections = vec![detection(2, "mug"), detection(4, ROBOT_CLASS)];
        let mask = robot_mask(&s, 2);
        assert_eq!(mask.iter().filter(|m| **m).count(), 25);
        assert!(mask[(12 * WIDTH + 22) as usize] && !mask[(13 * WIDTH + 20) as usize]);
    }

    #[test]
    fn settings_are_checked() {
        let config = MapperConfig {
            grid_rate_hz: 0.0,
            ..MapperConfig::default()
        };
        assert!(
            Mapper::new(config)
                .unwrap_err()
                .to_string()
                .contains("grid_rate_hz")
        );
    }
}
