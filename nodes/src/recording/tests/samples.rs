//! Messages of every kind, drawn from a seed.

use std::sync::Arc;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Rotation3, Vector3};
use steward_core::ids::{ObjectId, StepId, TaskId};
use steward_core::image::{Detection, Image, RgbdFrame, Segmentation};
use steward_core::messages::*;

use crate::message::{Message, Topic};

/// Draws values.
struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }
    fn flag(&mut self) -> bool {
        self.0.random()
    }
    fn number(&mut self) -> f64 {
        match self.below(8) {
            0 => f64::NAN,
            1 => -0.0,
            2 => f64::INFINITY,
            _ => self.0.random_range(-10.0..10.0),
        }
    }
    fn time(&mut self) -> Time {
        Time::from_nanos(self.0.random_range(-5_000_000_000..2_000_000_000_000_000))
    }
    fn text(&mut self) -> String {
        (0..self.below(9))
            .map(|_| ['a', 'ü', '_', '7', '猫'][self.below(5)])
            .collect()
    }
    fn header(&mut self) -> Header {
        Header::new(self.time(), self.text())
    }
    fn vector(&mut self) -> Vector3 {
        Vector3::new(self.number(), self.number(), self.number())
    }
    fn point(&mut self) -> Point3 {
        self.vector().into()
    }
    fn pose2(&mut self) -> Pose2 {
        Pose2::new(self.number(), self.number(), self.number())
    }
    fn area(&mut self) -> FloorArea {
        FloorArea {
            middle: self.pose2(),
            half_x_m: self.number(),
            half_y_m: self.number(),
        }
    }
    fn rotation(&mut self) -> Rotation3 {
        Rotation3::new(Vector3::from_fn(|_, _| self.0.random_range(-3.0..3.0)))
    }
    fn id(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn list<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| draw(self)).collect()
    }
    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
    fn relation(&mut self) -> RelationKind {
        self.one_of(&[RelationKind::On, RelationKind::In, RelationKind::Near])
    }
    fn skill(&mut self) -> Skill {
        let object = ObjectId(self.id());
        match self.below(7) {
            0 => Skill::Navigate {
                to: NavigationTarget::Pose(self.pose2()),
            },
            1 => Skill::Navigate {
                to: NavigationTarget::Object(object),
            },
            2 => Skill::Look {
                at: self.list(Self::point),
            },
            3 => Skill::Open { part: object },
            4 => Skill::Close { part: object },
            5 => Skill::Pick { object },
            _ => Skill::Place {
                object,
                relation: self.relation(),
                target: ObjectId(self.id()),
            },
        }
    }
    fn articulation(&mut self) -> ArticulationState {
        ArticulationState {
            owner: self.maybe(|d| ObjectId(d.id())),
            prismatic: self.flag(),
            pivot: self.point(),
            axis: self.vector(),
            handle: self.maybe(Self::point),
            position: self.maybe(Self::number),
            open_at: self.number(),
        }
    }
    fn object(&mut self) -> SceneObject {
        SceneObject {
            id: ObjectId(self.id()),
            class: self.text(),
            shape: OrientedBox {
                center: self.point(),
                yaw_rad: self.number(),
                half: self.vector(),
            },
            presence: self.one_of(&[Presence::Present, Presence::Held, Presence::Missing]),
            provenance: self.one_of(&[Provenance::Observed, Provenance::Expected]),
            confidence: self.number(),
            first_seen: self.time(),
            last_seen: self.time(),
            articulation: self.maybe(Self::articulation),
            surfaces: self.list(|d| SupportSurface {
                center: d.point(),
                yaw_rad: d.number(),
                half_x_m: d.number(),
                half_y_m: d.number(),
                clearance_m: d.number(),
            }),
        }
    }
    fn transforms(&mut self) -> Transforms {
        Transforms {
            transforms: self.list(|d| StampedTransform {
                stamp: d.time(),
                parent: d.text(),
                child: d.text(),
                parent_from_child: Pose3::from_parts(d.vector().into(), d.rotation()),
                is_static: d.flag(),
            }),
        }
    }
    fn size(&mut self) -> (u32, u32) {
        (1 + self.below(5) as u32, 1 + self.below(5) as u32)
    }
    fn image<T>(&mut self, (w, h): (u32, u32), mut draw: impl FnMut(&mut Self) -> T) -> Arc<Image<T>> {
        let data = (0..w * h).map(|_| draw(self)).collect();
        Arc::new(Image::new(w, h, data).unwrap())
    }
    fn skill_state(&mut self) -> SkillState {
        match self.below(3) {
            0 => SkillState::Running,
            1 => SkillState::Done,
            _ => SkillState::Failed(self.skill_failure()),
        }
    }
    fn reason(&mut self) -> FailureReason {
        use FailureReason as F;
        self.one_of(&[
            F::ObjectNotFound,
            F::TargetNotFound,
            F::Unreachable,
            F::GraspFailed,
            F::PlaceFailed,
            F::ContainerStuck,
            F::NoPlan,
            F::InvalidGoal,
            F::TimedOut,
            F::Cancelled,
            F::SensorsLost,
            F::Unconfirmed,
            F::InvalidRule,
            F::RuleConflict,
            F::RuleViolated,
            F::Busy,
            F::SkillFailed,
        ])
    }
    fn outcome(&mut self) -> Outcome {
        self.maybe(Self::reason)
            .map_or(Outcome::Succeeded, Outcome::Failed)
    }
    fn grid(&mut self, header: Header) -> OccupancyGrid {
        let (width, height) = self.size();
        OccupancyGrid {
            header,
            resolution_m: self.number(),
            width,
            height,
            origin: self.pose2(),
            cells: Arc::new((0..width * height).map(|_| self.0.random()).collect()),
        }
    }
    fn scene(&mut self, header: Header) -> SceneGraph {
        SceneGraph {
            header,
            objects: self.list(Self::object),
            relations: self.list(|d| Relation {
                subject: ObjectId(d.id()),
                kind: d.relation(),
                object: ObjectId(d.id()),
            }),
        }
    }
    fn map(&mut self, header: Header) -> MapSnapshot {
        MapSnapshot {
            request: self.id(),
            floor: self.grid(header),
            map_from_odom: self.pose2(),
            walls: self.list(|d| WallPoint {
                x_m: d.number() as f32,
                y_m: d.number() as f32,
                facing_x: d.number() as f32,
                facing_y: d.number() as f32,
                views: d.id() as u16,
            }),
        }
    }
    fn skill_failure(&mut self) -> SkillFailure {
        use SkillFailure as F;
        self.one_of(&[
            F::UnknownObject,
            F::NoPath,
            F::Blocked,
            F::OutOfReach,
            F::GraspFailed,
            F::Dropped,
            F::NoSpace,
            F::Stuck,
            F::TimedOut,
            F::Cancelled,
            F::Precondition,
            F::StaleData,
        ])
    }
}

/// A message of a kind, the same for the same seed.
pub(super) fn random(topic: Topic, seed: u64) -> Message {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
    let d = &mut draw;
    let id = d.id();
    let header = d.header();
    match topic {
        Topic::Rgbd => {
            let (w, h) = d.size();
            Message::Rgbd(Arc::new(RgbdFrame {
                header,
                camera: CameraIntrinsics::from_horizontal_fov(w, h, 1.0 + f64::from(w) * 0.1),
                color: d.image((w, h), |d| d.0.random()),
                depth: d.image((w, h), |d| d.number() as f32),
            }))
        }
        Topic::Segmentation => {
            let size = d.size();
            Message::Segmentation(Arc::new(Segmentation {
                header,
                labels: d.image(size, |d| d.0.random()),
                detections: d.list(|d| Detection {
                    instance: d.id() as u16,
                    class: d.text(),
                    score: d.number() as f32,
                }),
            }))
        }
        Topic::Odometry => Message::Odometry(Arc::new(Odometry {
            header,
            pose: d.pose2(),
            linear_m_s: d.number(),
            angular_rad_s: d.number(),
        })),
        Topic::JointStates => Message::JointStates(Arc::new(JointStates {
            header,
            names: d.list(Draw::text),
            positions: d.list(Draw::number),
            velocities: d.list(Draw::number),
        })),
        Topic::Transforms => Message::Transforms(Arc::new(d.transforms())),
        Topic::Localization => Message::Localization(Arc::new(d.transforms())),
        Topic::GripperContacts => Message::GripperContacts(Arc::new(GripperContacts {
            header,
            left: d.flag(),
            right: d.flag(),
            opening_m: d.number(),
        })),
        Topic::Bumper => Message::Bumper(Arc::new(Bumper {
            header,
            pressed: d.flag(),
            direction_rad: d.number(),
        })),
        Topic::Task => Message::Task(Arc::new(Task {
            header,
            id: TaskId(id),
            goal: Goal {
                relations: d.list(|d| GoalRelation {
                    kind: d.relation(),
                    subject: d.text(),
                    object: d.text(),
                }),
            },
            rules: d.list(Draw::text),
            deadline: d.time(),
        })),
        Topic::CancelTask => Message::CancelTask(Arc::new(CancelTask {
            header,
            id: TaskId(id),
        })),
        Topic::FloorPlan => Message::FloorPlan(Arc::new(FloorPlan {
            header,
            rooms: d.list(|d| Room {
                name: d.text(),
                kind: d.text(),
                area: d.area(),
            }),
        })),
        Topic::OccupancyGrid => Message::OccupancyGrid(Arc::new(d.grid(header))),
        Topic::ObstacleCloud => {
            let single = d.flag();
            let mut points = d.list(Draw::point);
            if single {
                points
                    .iter_mut()
                    .for_each(|p| *p = p.map(|x| f64::from(x as f32)));
            }
            Message::ObstacleCloud(Arc::new(ObstacleCloud {
                header,
                voxel_m: d.number(),
                points: Arc::new(points),
            }))
        }
        Topic::SceneGraph => Message::SceneGraph(Arc::new(d.scene(header))),
        Topic::SceneChange => {
            use ChangeKind as C;
            Message::SceneChange(Arc::new(SceneChange {
                header,
                object: ObjectId(id),
                class: d.text(),
                kind: d.one_of(&[C::Appeared, C::Moved, C::Vanished, C::Opened, C::Closed]),
                position: d.point(),
            }))
        }
        Topic::Plan => {
            use StepState as S;
            let states = [
                S::Pending,
                S::Running,
                S::Validating,
                S::Confirmed,
                S::Failed,
                S::Abandoned,
            ];
            Message::Plan(Arc::new(Plan {
                header,
                task: TaskId(id),
                revision: d.id(),
                steps: d.list(|d| PlanStep {
                    step: d.maybe(|d| StepId(d.id())),
                    skill: d.skill(),
                    label: d.text(),
                    state: d.one_of(&states),
                }),
                tree: d.list(|d| TreeNode {
                    parent: d.id(),
                    label: d.text(),
                    votes: d.id(),
                    state: d.one_of(&states),
                }),
                reason: d.text(),
            }))
        }
        Topic::SkillCommand => Message::SkillCommand(Arc::new(SkillCommand {
            header,
            step: StepId(id),
            skill: d.skill(),
            keep_out: d.list(Draw::area),
        })),
        Topic::CancelSkill => Message::CancelSkill(Arc::new(CancelSkill {
            header,
            step: StepId(id),
        })),
        Topic::SkillStatus => Message::SkillStatus(Arc::new(SkillStatus {
            header,
            step: StepId(id),
            skill: d.skill(),
            state: d.skill_state(),
            detail: d.text(),
        })),
        Topic::Verdict => {
            let kinds = [
                VerdictKind::Confirmed,
                VerdictKind::Refuted,
                VerdictKind::Undecided,
            ];
            let (kind, detail) = (d.one_of(&kinds), d.text());
            Message::Verdict(Arc::new(Verdict {
                header,
                step: StepId(id),
                kind,
                detail,
            }))
        }
        Topic::TaskResult => Message::TaskResult(Arc::new(TaskResult {
            header,
            id: TaskId(id),
            outcome: d.outcome(),
            detail: d.text(),
        })),
        Topic::SkillRequest => Message::SkillRequest(Arc::new(SkillRequest {
            header,
            id: TaskId(id),
            skill: d.skill(),
            rules: d.list(Draw::text),
            deadline: d.time(),
        })),
        Topic::SkillResult => Message::SkillResult(Arc::new(SkillResult {
            header,
            id: TaskId(id),
            outcome: d.outcome(),
            failure: d.maybe(Draw::skill_failure),
            detail: d.text(),
        })),
        Topic::SetRules => Message::SetRules(Arc::new(SetRules {
            header,
            request: id,
            rules: d.list(Draw::text),
        })),
        Topic::RuleMonitors => {
            let verdicts = [
                RuleVerdict::PermanentlySatisfied,
                RuleVerdict::SatisfiedSoFar,
                RuleVerdict::OpenObligation,
                RuleVerdict::PermanentlyViolated,
            ];
            Message::RuleMonitors(Arc::new(RuleMonitors {
                header,
                task: TaskId(id),
                monitors: d.list(|d| RuleMonitor {
                    rule: d.text(),
                    verdict: d.one_of(&verdicts),
                    owed: d.list(Draw::text),
                }),
            }))
        }
        Topic::MapRequest => Message::MapRequest(Arc::new(MapRequest { header, request: id })),
        Topic::MapSnapshot => Message::MapSnapshot(Arc::new(d.map(header))),
        Topic::KnownMap => {
            let of = d.header();
            Message::KnownMap(Arc::new(KnownMap {
                header,
                request: id,
                odometry_went_on: d.flag(),
                map: d.map(of),
            }))
        }
        Topic::KnownScene => {
            let of = d.header();
            Message::KnownScene(Arc::new(KnownScene {
                header,
                request: id,
                scene: d.scene(of),
            }))
        }
        Topic::Answer => Message::Answer(Arc::new(Answer {
            header,
            request: id,
            refusal: d.text(),
        })),
        Topic::DriveGoal => Message::DriveGoal(Arc::new(DriveGoal {
            header,
            id,
            to: d.maybe(Draw::pose2),
        })),
        Topic::DriveStatus => Message::DriveStatus(Arc::new(DriveStatus {
            header,
            id,
            state: d.skill_state(),
            detail: d.text(),
        })),
        Topic::VelocityCommand => Message::VelocityCommand(Arc::new(VelocityCommand {
            header,
            linear_m_s: d.number(),
            angular_rad_s: d.number(),
        })),
        Topic::JointCommand => Message::JointCommand(Arc::new(JointCommand {
            header,
            names: d.list(Draw::text),
            positions: d.list(Draw::number),
            max_velocities: d.list(Draw::number),
        })),
        Topic::Diagnostics => Message::Diagnostics(Arc::new(Diagnostics {
            header,
            node: d.text(),
            counters: d.list(|d| (d.text(), d.0.next_u64())).into_iter().collect(),
        })),
    }
}

/// A text that is equal for equal messages, NaN being equal to NaN and minus zero different from zero.
pub(super) fn exact(message: &Message) -> String {
    format!("{message:?}")
}
