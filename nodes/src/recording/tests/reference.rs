//! Encodings compared with bytes that `rosbags` made, see `nodes/checks/make_cdr_reference.py`.

use std::sync::Arc;

use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Rotation3, Vector3};
use steward_core::ids::{ObjectId, StepId, TaskId};
use steward_core::image::{Image, RgbdFrame};
use steward_core::messages::*;

use crate::message::Message;
use crate::recording::encode;

/// Every reference: ROS type and bytes.
fn references() -> Vec<(&'static str, Vec<u8>)> {
    include_str!("reference.txt")
        .lines()
        .map(|line| {
            let (ros_type, hex) = line.split_once(' ').unwrap();
            let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
            (ros_type, (0..hex.len()).step_by(2).map(byte).collect())
        })
        .collect()
}

fn header(sec: i64, nanosec: i64, frame: &str) -> Header {
    Header::new(Time::from_nanos(sec * 1_000_000_000 + nanosec), frame)
}

/// The messages of the script, in its order; messages of several parts give several references.
fn messages() -> Vec<Message> {
    let step = |step, skill, label: &str, state| PlanStep {
        step,
        skill,
        label: label.into(),
        state,
    };
    let node = |label: &str, votes, state| TreeNode {
        parent: 0,
        label: label.into(),
        votes,
        state,
    };
    let rotation = Rotation3::new_unchecked(nalgebra::Quaternion::new(0.8, 0.0, 0.0, 0.6));
    vec![
        Message::Rgbd(Arc::new(RgbdFrame {
            header: header(1, 500_000_000, "cam"),
            camera: CameraIntrinsics {
                width: 2,
                height: 1,
                fx: 2.5,
                fy: 2.25,
                cx: 1.0,
                cy: 0.5,
            },
            color: Arc::new(Image::new(2, 1, vec![[1, 2, 3], [250, 251, 252]]).unwrap()),
            depth: Arc::new(Image::new(2, 1, vec![1.25, f32::NAN]).unwrap()),
        })),
        Message::JointStates(Arc::new(JointStates {
            header: header(2, 0, ""),
            names: vec!["lift_joint".into(), "a".into()],
            positions: vec![0.5, -1.0],
            velocities: vec![0.25],
        })),
        Message::Transforms(Arc::new(Transforms {
            transforms: vec![StampedTransform {
                stamp: Time::from_nanos(3_000_000_004),
                parent: "odom".into(),
                child: "base_link".into(),
                parent_from_child: Pose3::from_parts(Vector3::new(1.0, 2.0, 3.0).into(), rotation),
                is_static: false,
            }],
        })),
        Message::VelocityCommand(Arc::new(VelocityCommand {
            header: header(3, 4, "base_link"),
            linear_m_s: 0.5,
            angular_rad_s: -0.25,
        })),
        Message::Odometry(Arc::new(Odometry {
            header: header(3, 4, "odom"),
            pose: Pose2::new(1.0, 2.0, 0.0),
            linear_m_s: 0.5,
            angular_rad_s: -0.25,
        })),
        Message::OccupancyGrid(Arc::new(OccupancyGrid {
            header: header(5, 6, "map"),
            resolution_m: 0.25,
            width: 3,
            height: 1,
            origin: Pose2::new(-1.0, -2.0, 0.0),
            cells: Arc::new(vec![-1, 0, 100]),
        })),
        Message::JointCommand(Arc::new(JointCommand {
            header: header(7, 0, ""),
            names: vec!["head_pan_joint".into()],
            positions: vec![0.5],
            max_velocities: vec![1.5],
        })),
        Message::Diagnostics(Arc::new(Diagnostics {
            header: header(8, 0, ""),
            node: "mapper".into(),
            counters: [("dropped".to_owned(), 12), ("late".to_owned(), 3)].into(),
        })),
        Message::Plan(Arc::new(Plan {
            header: header(9, 1, "map"),
            task: TaskId(1),
            revision: 2,
            steps: vec![
                step(
                    Some(StepId(7)),
                    Skill::Pick { object: ObjectId(12) },
                    "pick mug o12",
                    StepState::Running,
                ),
                step(
                    None,
                    Skill::Look {
                        at: vec![Point3::new(1.0, 2.0, 3.0)],
                    },
                    "look",
                    StepState::Pending,
                ),
                step(
                    None,
                    Skill::Place {
                        object: ObjectId(12),
                        relation: RelationKind::In,
                        target: ObjectId(3),
                    },
                    "place",
                    StepState::Pending,
                ),
            ],
            tree: vec![
                node("", 2, StepState::Confirmed),
                node("pick mug o12", 1, StepState::Running),
            ],
            reason: "because".into(),
        })),
        Message::FloorPlan(Arc::new(FloorPlan {
            header: header(1, 0, "map"),
            rooms: vec![Room {
                name: "bedroom_2".into(),
                kind: "bedroom".into(),
                area: FloorArea {
                    middle: Pose2::new(1.0, -2.0, 0.5),
                    half_x_m: 1.75,
                    half_y_m: 2.25,
                },
            }],
        })),
        Message::SceneGraph(Arc::new(SceneGraph {
            header: header(9, 1, "map"),
            objects: vec![SceneObject {
                id: ObjectId(3),
                class: "fridge_door".into(),
                shape: OrientedBox {
                    center: Point3::new(1.0, 2.0, 3.0),
                    yaw_rad: 0.5,
                    half: Vector3::new(0.25, 0.5, 0.75),
                },
                presence: Presence::Missing,
                provenance: Provenance::Expected,
                confidence: 0.875,
                first_seen: Time::from_nanos(1_000_000_002),
                last_seen: Time::from_nanos(3_000_000_004),
                articulation: Some(ArticulationState {
                    owner: Some(ObjectId(9)),
                    prismatic: false,
                    pivot: Point3::new(1.0, 1.0, 1.0),
                    axis: Vector3::new(0.0, 0.0, 1.0),
                    handle: None,
                    position: Some(0.125),
                    open_at: 1.5,
                }),
                surfaces: vec![SupportSurface {
                    center: Point3::new(1.0, 2.0, 0.5),
                    yaw_rad: 0.25,
                    half_x_m: 0.5,
                    half_y_m: 0.75,
                    clearance_m: 2.0,
                }],
            }],
            relations: vec![Relation {
                subject: ObjectId(3),
                kind: RelationKind::Near,
                object: ObjectId(4),
            }],
        })),
    ]
}

#[test]
fn encodings_are_those_of_another_implementation() {
    let parts = messages()
        .into_iter()
        .flat_map(|m| encode(&m).unwrap())
        .filter(|p| !p.topic.ends_with("/exact"));
    let parts: Vec<_> = parts.collect();
    let references = references();
    assert_eq!(parts.len(), references.len());
    for (part, (ros_type, bytes)) in parts.iter().zip(&references) {
        assert_eq!(part.ros_type, *ros_type);
        assert_eq!(part.bytes, *bytes, "{ros_type}");
    }
}
