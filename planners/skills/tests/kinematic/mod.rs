//! A world without dynamics for testing skills: the base and the joints do as they are told, fingers stop at what is
//! between them, what is held moves with the hand, a held handle drags its part along.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, Bumper, DriveStatus, GripperContacts, Header, OccupancyGrid, Presence, Provenance,
    SceneGraph, SceneObject, Skill,
};
use steward_core::robot::{JointPositions, KinematicModel};
use steward_core::{Duration, Time, frames};
use steward_skills::machine::{Inputs, Navigation, Progress};
use steward_skills::parts::HandlePath;
use steward_skills::voxels::Voxels;
use steward_skills::{SkillRunner, SkillsConfig};

pub(crate) const URDF: &str = include_str!("../../../../sim/assets/steward.urdf");
const DT_S: f64 = 0.04;

/// Side of a voxel, metres.
const VOXEL_M: f64 = 0.025;

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) base: Pose2,
    pub(crate) velocity: (f64, f64),
    pub(crate) joints: JointPositions,
    targets: BTreeMap<&'static str, (f64, f64)>,
    pub(crate) grid: OccupancyGrid,
    pub(crate) voxels: Option<Voxels>,
    pub(crate) graph: SceneGraph,
    pub(crate) bumper: Bumper,
    /// Solid rectangles on the floor that stop the base: centre and half sides.
    pub(crate) solids: Vec<OrientedBox>,
    model: KinematicModel,
    holding: Option<Holding>,
    contact: bool,
    pub(crate) runner: SkillRunner,
    pub(crate) path: Vec<Pose2>,
    /// What a navigation stack says, where there is one.
    pub(crate) navigation: Option<Option<DriveStatus>>,
    /// Where it is to drive.
    pub(crate) drive_to: Option<Pose2>,
}

#[derive(Clone, Copy)]
enum Holding {
    Object {
        index: usize,
        hand_from_object: Pose3,
        opening_m: f64,
    },
    Handle {
        index: usize,
    },
}

impl World {
    /// An empty floor of a size in metres, its corner at (-1, -1).
    pub(crate) fn new(width_m: f64, height_m: f64) -> Self {
        let (w, h) = ((width_m / 0.05) as u32, (height_m / 0.05) as u32);
        let mut cells = vec![0i8; (w * h) as usize];
        for y in 0..h {
            for x in 0..w {
                if x == 0 || y == 0 || x == w - 1 || y == h - 1 {
                    cells[(y * w + x) as usize] = 100;
                }
            }
        }
        World {
            now: Time::from_secs_f64(1.0),
            base: Pose2::default(),
            velocity: (0.0, 0.0),
            joints: [
                ("lift_joint", 0.45),
                ("wrist_pitch_joint", std::f64::consts::FRAC_PI_2),
            ]
            .into_iter()
            .map(|(n, q)| (n.to_owned(), q))
            .collect(),
            targets: BTreeMap::new(),
            grid: OccupancyGrid {
                header: Header::new(Time::ZERO, frames::MAP),
                resolution_m: 0.05,
                width: w,
                height: h,
                origin: Pose2::new(-1.0, -1.0, 0.0),
                cells: Arc::new(cells),
            },
            voxels: Some(Voxels::new(&[], VOXEL_M)),
            graph: SceneGraph::default(),
            bumper: Bumper {
                header: Header::new(Time::ZERO, frames::BASE_LINK),
                pressed: false,
                direction_rad: 0.0,
            },
            solids: Vec::new(),
            model: KinematicModel::from_urdf(URDF).unwrap(),
            holding: None,
            contact: false,
            runner: SkillRunner::new(SkillsConfig::default(), URDF).unwrap(),
            path: Vec::new(),
            navigation: None,
            drive_to: None,
        }
    }

    /// Marks a box on the floor map and, as voxels of its surface, in three dimensions.
    pub(crate) fn add_solid(&mut self, shape: OrientedBox) {
        let mut cells = (*self.grid.cells).clone();
        for row in 0..self.grid.height {
            for column in 0..self.grid.width {
                let (x, y) = self.grid.center_of(column, row);
                if shape.contains(&Point3::new(x, y, shape.center.z), 0.01) {
                    cells[(row * self.grid.width + column) as usize] = 100;
                }
            }
        }
        self.grid.cells = Arc::new(cells);
        self.grid.header.stamp += Duration::from_millis(1);
        if let Some(seen) = &mut self.voxels {
            let mut points = seen.points().to_vec();
            let (lo, hi) = (shape.aabb().min, shape.aabb().max);
            let index = |x: f64| (x / VOXEL_M).floor() as i64;
            for i in index(lo.x)..=index(hi.x) {
                for j in index(lo.y)..=index(hi.y) {
                    for k in index(lo.z)..=index(hi.z) {
                        let p = Point3::new(i as f64 + 0.5, j as f64 + 0.5, k as f64 + 0.5) * VOXEL_M;
                        if shape.contains(&p, 0.5 * VOXEL_M) && !shape.contains(&p, -0.06) {
                            points.push(p);
                        }
                    }
                }
            }
            *seen = Voxels::new(&points, VOXEL_M);
        }
        self.solids.push(shape);
    }

    pub(crate) fn add_object(
        &mut self,
        class: &str,
        shape: OrientedBox,
        articulation: Option<ArticulationState>,
    ) -> ObjectId {
        let id = ObjectId(self.graph.objects.len() as u32 + 1);
        self.graph.objects.push(SceneObject {
            id,
            class: class.into(),
            shape,
            presence: Presence::Present,
            provenance: Provenance::Observed,
            confidence: 0.9,
            first_seen: self.now,
            last_seen: self.now,
            articulation,
            surfaces: Vec::new(),
        });
        id
    }

    /// What the fingers hold is another thing from now on, by place in the graph.
    pub(crate) fn hand_over(&mut self, from: usize, to: usize) {
        if let Some(Holding::Object { index, .. }) = &mut self.holding
            && *index == from
        {
            *index = to;
        }
    }

    pub(crate) fn object(&self, id: ObjectId) -> &SceneObject {
        self.graph.objects.iter().find(|o| o.id == id).unwrap()
    }

    fn joint(&self, name: &str) -> f64 {
        self.joints.get(name).copied().unwrap_or(0.0)
    }

    pub(crate) fn hand(&self) -> Pose3 {
        self.base.to_pose3() * self.model.link_pose(frames::GRASP_CENTER, &self.joints).unwrap()
    }

    /// Runs a skill to its end, at most for a number of seconds.
    pub(crate) fn run(&mut self, skill: Skill, seconds: f64) -> Progress {
        self.runner.start(&skill, self.now);
        let mut said = String::new();
        let until = self.now + Duration::from_secs_f64(seconds);
        while self.now < until {
            let progress = self.tick(true);
            match progress {
                Progress::Running(text) => {
                    let word: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
                    if word != said {
                        println!("{:.2}: {text}", self.now.secs_f64());
                        said = word;
                    }
                }
                end => {
                    println!("{:.2}: {end:?}", self.now.secs_f64());
                    return end;
                }
            }
        }
        Progress::Running(format!("still after {seconds} s: {said}"))
    }

    /// One control period; `fresh`: whether the robot gets data.
    pub(crate) fn tick(&mut self, fresh: bool) -> Progress {
        self.now += Duration::from_secs_f64(DT_S);
        for o in &mut self.graph.objects {
            o.last_seen = self.now;
        }
        self.graph.header.stamp = self.now;
        let opening_m = 2.0 * self.joint("gripper_joint");
        let contacts = GripperContacts {
            header: Header::new(self.now, ""),
            left: self.contact,
            right: self.contact,
            opening_m,
        };
        let inputs = Inputs {
            navigation: self.navigation.as_ref().map(|status| Navigation {
                status: status.as_ref(),
            }),
            now: self.now,
            base: self.base,
            velocity: self.velocity,
            joints: &self.joints,
            contacts: Some(&contacts),
            bumper: Some(&self.bumper),
            grid: Some(&self.grid),
            voxels: self.voxels.as_ref(),
            graph: Some(&self.graph),
        };
        let (commands, progress) = self.runner.step(self.now, fresh.then_some(&inputs));
        for (name, target) in &commands.joints {
            assert!(target.0.is_finite() && target.1 > 0.0, "{name}: {target:?}");
            self.targets.insert(name, *target);
        }
        self.drive_to = commands.drive_to;
        self.move_base(commands.base);
        self.move_joints();
        self.path.push(self.base);
        progress
    }

    fn move_base(&mut self, wanted: (f64, f64)) {
        // First-order lag, as motors have.
        let follow = |from: f64, to: f64| from + (to - from) * 0.5;
        self.velocity = (
            follow(self.velocity.0, wanted.0),
            follow(self.velocity.1, wanted.1),
        );
        let (v, w) = self.velocity;
        let yaw = self.base.yaw_rad + 0.5 * w * DT_S;
        let next = Pose2::new(
            self.base.x_m + v * yaw.cos() * DT_S,
            self.base.y_m + v * yaw.sin() * DT_S,
            wrap_angle_rad(self.base.yaw_rad + w * DT_S),
        );
        let hit = self.solids.iter().find(|s| {
            let local = s
                .pose()
                .inverse_transform_point(&Point3::new(next.x_m, next.y_m, s.center.z));
            let d = (local.x.abs() - s.half.x)
                .max(0.0)
                .hypot((local.y.abs() - s.half.y).max(0.0));
            d < 0.22
        });
        self.bumper.header.stamp = self.now;
        self.bumper.pressed = hit.is_some();
        match hit {
            Some(s) => {
                self.bumper.direction_rad = wrap_angle_rad(
                    (s.center.y - self.base.y_m).atan2(s.center.x - self.base.x_m) - self.base.yaw_rad,
                );
                self.base.yaw_rad = next.yaw_rad;
            }
            None => self.base = next,
        }
    }

    fn move_joints(&mut self) {
        let before = self.hand();
        for (name, (target, speed)) in &self.targets {
            let limit = self.model.joint(name).unwrap();
            let now = self.joints.get(*name).copied().unwrap_or(0.0);
            let target = target.clamp(limit.lower, limit.upper);
            let step = speed.min(limit.max_velocity) * DT_S;
            let mut next = now + (target - now).clamp(-step, step);
            if *name == "gripper_joint" {
                let between = self.between_fingers(&before);
                if let Some((holding, width)) = between
                    && next < now
                    && next * 2.0 <= width
                {
                    next = width * 0.5;
                    self.contact = true;
                    self.holding = Some(holding);
                } else if next > now {
                    self.contact = false;
                    self.holding = None;
                }
            }
            self.joints.insert((*name).to_owned(), next);
        }
        let hand = self.hand();
        match self.holding {
            Some(Holding::Object {
                index,
                hand_from_object,
                ..
            }) => {
                let pose = hand * hand_from_object;
                let shape = &mut self.graph.objects[index].shape;
                shape.center = Point3::from(pose.translation.vector);
                shape.yaw_rad = steward_core::geometry::yaw_rad(&pose.rotation);
            }
            Some(Holding::Handle { index }) => self.drag(index, &hand),
            None => {}
        }
    }

    fn between_fingers(&self, hand: &Pose3) -> Option<(Holding, f64)> {
        if let Some(Holding::Object {
            index,
            hand_from_object,
            opening_m,
        }) = self.holding
        {
            let holding = Holding::Object {
                index,
                hand_from_object,
                opening_m,
            };
            return Some((holding, opening_m));
        }
        let at = Point3::from(hand.translation.vector);
        let closing = hand.rotation * Vector3::y();
        for (index, o) in self.graph.objects.iter().enumerate() {
            if let Some(a) = o.articulation {
                let near = a.handle.is_some_and(|h| (h - at).norm() < 0.02);
                if near {
                    return Some((Holding::Handle { index }, 0.02));
                }
            } else if o.shape.half.max() < 0.2 && o.shape.contains(&at, 0.0) {
                let local = o.shape.pose().rotation.inverse() * closing;
                let width = 2.0
                    * Vector3::new(
                        o.shape.half.x * local.x,
                        o.shape.half.y * local.y,
                        o.shape.half.z * local.z,
                    )
                    .norm();
                let hand_from_object = hand.inverse() * o.shape.pose();
                return Some((
                    Holding::Object {
                        index,
                        hand_from_object,
                        opening_m: width,
                    },
                    width,
                ));
            }
        }
        None
    }

    /// Moves a part so that its handle is nearest to the hand; lets it slip when that is far.
    fn drag(&mut self, index: usize, hand: &Pose3) {
        let at = Point3::from(hand.translation.vector);
        let Some(a) = &mut self.graph.objects[index].articulation else {
            return;
        };
        let path = HandlePath::new(a).unwrap();
        let upper = a.open_at * 1.3;
        let distance = |q: f64| (path.handle_at(q) - at).norm();
        let best = (0..=400)
            .map(|i| upper * f64::from(i) / 400.0)
            .min_by(|x, y| distance(*x).total_cmp(&distance(*y)))
            .unwrap();
        if distance(best) > 0.03 {
            self.holding = None;
            self.contact = false;
            self.joints.insert("gripper_joint".into(), 0.0);
            return;
        }
        let motion = a.moved(best - a.position.unwrap());
        a.handle = a.handle.map(|h| motion * h);
        a.position = Some(best);
    }
}

/// An upright box.
pub(crate) fn upright(center: [f64; 3], half: [f64; 3], yaw_rad: f64) -> OrientedBox {
    OrientedBox {
        center: Point3::from(center),
        yaw_rad,
        half: Vector3::from(half),
    }
}
