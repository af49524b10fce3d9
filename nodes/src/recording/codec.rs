//! Messages of the loop as ROS 2 messages, and back without loss.
//!
//! Most messages become one ROS message. Some become several, written one after the other:
//!
//! | message | ROS topics | why |
//! |---|---|---|
//! | `Rgbd` | `/head_camera/color/image_raw`, `/head_camera/depth/image_rect`, `/head_camera/camera_info` | one image per topic |
//! | `Transforms`, `Localization` | `/tf`, `/tf_static` | runs of moving and of static edges |
//! | `Odometry` | `/odom`, `/odom/exact` | a quaternion does not hold an angle exactly |
//! | `OccupancyGrid` | `/map`, `/map/exact` | `nav_msgs` has the resolution in single precision |
//! | `ObstacleCloud` | `/obstacles`, `/obstacles/exact` | `PointCloud2` has no voxel size |
//!
//! Points of the obstacle cloud are `FLOAT32` where that holds every coordinate exactly, otherwise `FLOAT64`.
//! Depth is `32FC1`, NaN where there is none, so it comes back bit for bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::frames;
use steward_core::geometry::{Point3, Pose2, Pose3, Vector3};
use steward_core::image::{ColorImage, DepthImage, Image, LabelImage, RgbdFrame, Segmentation};
use steward_core::messages::{
    Diagnostics, Header, JointCommand, JointStates, ObstacleCloud, OccupancyGrid, Odometry, StampedTransform,
    Transforms, VelocityCommand,
};

use super::cdr::{Cdr, CdrError, CdrReader, CdrWriter, unpacked};
use super::types::{
    JointTrajectoryPoint, KeyValue, MapGeometry, ObstacleVoxels, PlanarOdometry, PointField, TransformStamped,
};
use crate::message::{Message, Topic};

/// One ROS message: the whole of a message of the loop, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// ROS topic, with the leading slash.
    pub topic: &'static str,
    /// ROS type, for example `sensor_msgs/msg/Image`.
    pub ros_type: &'static str,
    /// The message with its encapsulation header.
    pub bytes: Vec<u8>,
}

/// ROS topics and types of each kind of message, in the order in which its parts are written.
pub const fn ros_topics(topic: Topic) -> &'static [(&'static str, &'static str)] {
    match topic {
        Topic::Rgbd => &[
            ("/head_camera/color/image_raw", "sensor_msgs/msg/Image"),
            ("/head_camera/depth/image_rect", "sensor_msgs/msg/Image"),
            ("/head_camera/camera_info", "sensor_msgs/msg/CameraInfo"),
        ],
        Topic::Segmentation => &[("/head_camera/segmentation", "steward_msgs/msg/Segmentation")],
        Topic::Odometry => &[
            ("/odom", "nav_msgs/msg/Odometry"),
            ("/odom/exact", "steward_msgs/msg/PlanarOdometry"),
        ],
        Topic::JointStates => &[("/joint_states", "sensor_msgs/msg/JointState")],
        Topic::Transforms | Topic::Localization => &[
            ("/tf", "tf2_msgs/msg/TFMessage"),
            ("/tf_static", "tf2_msgs/msg/TFMessage"),
        ],
        Topic::GripperContacts => &[("/gripper_contacts", "steward_msgs/msg/GripperContacts")],
        Topic::Bumper => &[("/bumper", "steward_msgs/msg/Bumper")],
        Topic::Task => &[("/task", "steward_msgs/msg/Task")],
        Topic::CancelTask => &[("/cancel_task", "steward_msgs/msg/CancelTask")],
        Topic::FloorPlan => &[("/floor_plan", "steward_msgs/msg/FloorPlan")],
        Topic::OccupancyGrid => &[
            ("/map", "nav_msgs/msg/OccupancyGrid"),
            ("/map/exact", "steward_msgs/msg/MapGeometry"),
        ],
        Topic::ObstacleCloud => &[
            ("/obstacles", "sensor_msgs/msg/PointCloud2"),
            ("/obstacles/exact", "steward_msgs/msg/ObstacleVoxels"),
        ],
        Topic::SceneGraph => &[("/scene_graph", "steward_msgs/msg/SceneGraph")],
        Topic::SceneChange => &[("/scene_change", "steward_msgs/msg/SceneChange")],
        Topic::Plan => &[("/plan", "steward_msgs/msg/Plan")],
        Topic::SkillCommand => &[("/skill_command", "steward_msgs/msg/SkillCommand")],
        Topic::CancelSkill => &[("/cancel_skill", "steward_msgs/msg/CancelSkill")],
        Topic::SkillStatus => &[("/skill_status", "steward_msgs/msg/SkillStatus")],
        Topic::Verdict => &[("/verdict", "steward_msgs/msg/Verdict")],
        Topic::TaskResult => &[("/task_result", "steward_msgs/msg/TaskResult")],
        Topic::SkillRequest => &[("/skill_request", "steward_msgs/msg/SkillRequest")],
        Topic::SetRules => &[("/set_rules", "steward_msgs/msg/SetRules")],
        Topic::MapRequest => &[("/map_request", "steward_msgs/msg/MapRequest")],
        Topic::KnownMap => &[("/known_map", "steward_msgs/msg/KnownMap")],
        Topic::KnownScene => &[("/known_scene", "steward_msgs/msg/KnownScene")],
        Topic::SkillResult => &[("/skill_result", "steward_msgs/msg/SkillResult")],
        Topic::RuleMonitors => &[("/rule_monitors", "steward_msgs/msg/RuleMonitors")],
        Topic::MapSnapshot => &[("/map_snapshot", "steward_msgs/msg/MapSnapshot")],
        Topic::Answer => &[("/answer", "steward_msgs/msg/Answer")],
        Topic::DriveGoal => &[("/drive_goal", "steward_msgs/msg/DriveGoal")],
        Topic::DriveStatus => &[("/drive_status", "steward_msgs/msg/DriveStatus")],
        Topic::VelocityCommand => &[("/cmd_vel", "geometry_msgs/msg/TwistStamped")],
        Topic::JointCommand => &[("/joint_command", "trajectory_msgs/msg/JointTrajectory")],
        Topic::Diagnostics => &[("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray")],
    }
}

/// A message of the loop as ROS messages.
///
/// # Errors
/// [`CdrError::NotRepresentable`] for a time beyond 68 years from zero, a text that contains a zero, lists of
/// different length where the ROS message has one, or camera intrinsics that ROS's pixel convention would round.
pub fn encode(message: &Message) -> Result<Vec<Part>, CdrError> {
    let topics = ros_topics(message.topic());
    let part = |index: usize, size: usize, write: &dyn Fn(&mut CdrWriter)| {
        let (topic, ros_type) = topics[index];
        let mut w = CdrWriter::with_capacity(size);
        write(&mut w);
        Ok(Part {
            topic,
            ros_type,
            bytes: w.finish()?,
        })
    };
    fn plain<T: Cdr>(value: &T) -> impl Fn(&mut CdrWriter) + '_ {
        |w| value.write(w)
    }
    Ok(match message {
        Message::Rgbd(m) => vec![
            part(0, m.color.data().len() * 3, &|w| {
                write_color(w, &m.header, &m.color)
            })?,
            part(1, m.depth.data().len() * 4, &|w| {
                write_depth(w, &m.header, &m.depth)
            })?,
            part(2, 0, &|w| write_camera_info(w, &m.header, &m.camera))?,
        ],
        Message::Segmentation(m) => vec![part(0, m.labels.data().len() * 2, &|w| write_segmentation(w, m))?],
        Message::Odometry(m) => {
            vec![
                part(0, 0, &|w| write_odometry(w, m))?,
                part(1, 0, &|w| write_planar_odometry(w, m))?,
            ]
        }
        Message::JointStates(m) => vec![part(0, 0, &|w| {
            w.put(&m.header)
                .put(&m.names)
                .put(&m.positions)
                .put(&m.velocities)
                .put(&Vec::<f64>::new());
        })?],
        Message::Transforms(m) | Message::Localization(m) => {
            let runs = m.transforms.chunk_by(|a, b| a.is_static == b.is_static);
            let empty: &[StampedTransform] = &[];
            let runs: Vec<&[StampedTransform]> = if m.transforms.is_empty() {
                vec![empty]
            } else {
                runs.collect()
            };
            runs.into_iter()
                .map(|run| {
                    let is_static = run.first().is_some_and(|t| t.is_static);
                    part(usize::from(is_static), run.len() * 128, &|w| {
                        write_transforms(w, run)
                    })
                })
                .collect::<Result<_, _>>()?
        }
        Message::OccupancyGrid(m) => vec![
            part(0, m.cells.len(), &|w| write_grid(w, m))?,
            part(1, 0, &|w| {
                w.put(&MapGeometry {
                    header: m.header.clone(),
                    resolution_m: m.resolution_m,
                    origin: m.origin,
                });
            })?,
        ],
        Message::ObstacleCloud(m) => vec![
            part(0, m.points.len() * 24, &|w| write_cloud(w, m))?,
            part(1, 0, &|w| {
                w.put(&ObstacleVoxels {
                    header: m.header.clone(),
                    voxel_m: m.voxel_m,
                });
            })?,
        ],
        Message::VelocityCommand(m) => vec![part(0, 0, &|w| {
            let (linear, angular) = planar_twist(m.linear_m_s, m.angular_rad_s);
            w.put(&m.header).put(&linear).put(&angular);
        })?],
        Message::JointCommand(m) => vec![part(0, 0, &|w| {
            let point = JointTrajectoryPoint {
                positions: m.positions.clone(),
                velocities: m.max_velocities.clone(),
                accelerations: vec![],
                effort: vec![],
                time_from_start: Time::ZERO,
            };
            w.put(&m.header).put(&m.names).length(1).put(&point);
        })?],
        Message::Diagnostics(m) => vec![part(0, 0, &|w| write_diagnostics(w, m))?],
        Message::GripperContacts(m) => vec![part(0, 0, &plain(&**m))?],
        Message::Bumper(m) => vec![part(0, 0, &plain(&**m))?],
        Message::Task(m) => vec![part(0, 0, &plain(&**m))?],
        Message::CancelTask(m) => vec![part(0, 0, &plain(&**m))?],
        Message::FloorPlan(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SceneGraph(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SceneChange(m) => vec![part(0, 0, &plain(&**m))?],
        Message::Plan(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SkillCommand(m) => vec![part(0, 0, &plain(&**m))?],
        Message::CancelSkill(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SkillStatus(m) => vec![part(0, 0, &plain(&**m))?],
        Message::Verdict(m) => vec![part(0, 0, &plain(&**m))?],
        Message::TaskResult(m) => vec![part(0, 0, &plain(&**m))?],
        Message::DriveGoal(m) => vec![part(0, 0, &plain(&**m))?],
        Message::DriveStatus(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SkillRequest(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SetRules(m) => vec![part(0, 0, &plain(&**m))?],
        Message::MapRequest(m) => vec![part(0, 0, &plain(&**m))?],
        Message::KnownMap(m) => vec![part(0, 0, &plain(&**m))?],
        Message::KnownScene(m) => vec![part(0, 0, &plain(&**m))?],
        Message::SkillResult(m) => vec![part(0, 0, &plain(&**m))?],
        Message::RuleMonitors(m) => vec![part(0, 0, &plain(&**m))?],
        Message::MapSnapshot(m) => vec![part(0, 0, &plain(&**m))?],
        Message::Answer(m) => vec![part(0, 0, &plain(&**m))?],
    })
}

/// A message of the loop from its ROS messages, given as ROS topic and bytes in the order of writing.
///
/// # Errors
/// [`CdrError`] where parts are missing or bytes do not make sense.
pub fn decode(topic: Topic, parts: &[(&str, &[u8])]) -> Result<Message, CdrError> {
    let part = |index: usize| {
        let (name, _) = ros_topics(topic)[index];
        match parts.get(index) {
            Some((found, bytes)) if *found == name => Ok(*bytes),
            _ => Err(CdrError::Invalid {
                at: 0,
                problem: format!("part `{name}` is missing"),
            }),
        }
    };
    fn whole<'a, T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut CdrReader<'a>) -> Result<T, CdrError>,
    ) -> Result<T, CdrError> {
        let mut r = CdrReader::new(bytes)?;
        let value = read(&mut r)?;
        r.finish()?;
        Ok(value)
    }
    fn plain<T: Cdr>(variant: fn(Arc<T>) -> Message, bytes: &[u8]) -> Result<Message, CdrError> {
        whole(bytes, |r| r.get()).map(|value| variant(Arc::new(value)))
    }
    Ok(match topic {
        Topic::Rgbd => {
            let (header, color) = whole(part(0)?, read_color)?;
            let (_, depth) = whole(part(1)?, read_depth)?;
            let camera = whole(part(2)?, read_camera_info)?;
            Message::Rgbd(Arc::new(RgbdFrame {
                header,
                camera,
                color: Arc::new(color),
                depth: Arc::new(depth),
            }))
        }
        Topic::Segmentation => Message::Segmentation(Arc::new(whole(part(0)?, |r| {
            let header = r.get()?;
            let (_, labels) = read_labels(r)?;
            Ok(Segmentation {
                header,
                labels: Arc::new(labels),
                detections: r.get()?,
            })
        })?)),
        Topic::Odometry => {
            let m: PlanarOdometry = whole(part(1)?, |r| r.get())?;
            Message::Odometry(Arc::new(Odometry {
                header: m.header,
                pose: m.pose,
                linear_m_s: m.linear_m_s,
                angular_rad_s: m.angular_rad_s,
            }))
        }
        Topic::JointStates => Message::JointStates(Arc::new(whole(part(0)?, |r| {
            let m = JointStates {
                header: r.get()?,
                names: r.get()?,
                positions: r.get()?,
                velocities: r.get()?,
            };
            r.skip::<Vec<f64>>()?;
            Ok(m)
        })?)),
        Topic::Transforms => Message::Transforms(Arc::new(read_transforms(parts)?)),
        Topic::Localization => Message::Localization(Arc::new(read_transforms(parts)?)),
        Topic::OccupancyGrid => {
            let geometry: MapGeometry = whole(part(1)?, |r| r.get())?;
            Message::OccupancyGrid(Arc::new(whole(part(0)?, |r| read_grid(r, geometry))?))
        }
        Topic::ObstacleCloud => {
            let voxels: ObstacleVoxels = whole(part(1)?, |r| r.get())?;
            let points = whole(part(0)?, read_points)?;
            Message::ObstacleCloud(Arc::new(ObstacleCloud {
                header: voxels.header,
                voxel_m: voxels.voxel_m,
                points: Arc::new(points),
            }))
        }
        Topic::VelocityCommand => Message::VelocityCommand(Arc::new(whole(part(0)?, |r| {
            let (header, linear, angular): (Header, Vector3, Vector3) = (r.get()?, r.get()?, r.get()?);
            Ok(VelocityCommand {
                header,
                linear_m_s: linear.x,
                angular_rad_s: angular.z,
            })
        })?)),
        Topic::JointCommand => Message::JointCommand(Arc::new(whole(part(0)?, |r| {
            let (header, names) = (r.get()?, r.get()?);
            let points: Vec<JointTrajectoryPoint> = r.get()?;
            let Ok([point]) = <[_; 1]>::try_from(points) else {
                return Err(r.invalid("a joint command has one point"));
            };
            Ok(JointCommand {
                header,
                names,
                positions: point.positions,
                max_velocities: point.velocities,
            })
        })?)),
        Topic::Diagnostics => Message::Diagnostics(Arc::new(whole(part(0)?, read_diagnostics)?)),
        Topic::GripperContacts => plain(Message::GripperContacts, part(0)?)?,
        Topic::Bumper => plain(Message::Bumper, part(0)?)?,
        Topic::Task => plain(Message::Task, part(0)?)?,
        Topic::CancelTask => plain(Message::CancelTask, part(0)?)?,
        Topic::FloorPlan => plain(Message::FloorPlan, part(0)?)?,
        Topic::SceneGraph => plain(Message::SceneGraph, part(0)?)?,
        Topic::SceneChange => plain(Message::SceneChange, part(0)?)?,
        Topic::Plan => plain(Message::Plan, part(0)?)?,
        Topic::SkillCommand => plain(Message::SkillCommand, part(0)?)?,
        Topic::CancelSkill => plain(Message::CancelSkill, part(0)?)?,
        Topic::SkillStatus => plain(Message::SkillStatus, part(0)?)?,
        Topic::Verdict => plain(Message::Verdict, part(0)?)?,
        Topic::TaskResult => plain(Message::TaskResult, part(0)?)?,
        Topic::DriveGoal => plain(Message::DriveGoal, part(0)?)?,
        Topic::DriveStatus => plain(Message::DriveStatus, part(0)?)?,
        Topic::SkillRequest => plain(Message::SkillRequest, part(0)?)?,
        Topic::SetRules => plain(Message::SetRules, part(0)?)?,
        Topic::MapRequest => plain(Message::MapRequest, part(0)?)?,
        Topic::KnownMap => plain(Message::KnownMap, part(0)?)?,
        Topic::KnownScene => plain(Message::KnownScene, part(0)?)?,
        Topic::SkillResult => plain(Message::SkillResult, part(0)?)?,
        Topic::RuleMonitors => plain(Message::RuleMonitors, part(0)?)?,
        Topic::MapSnapshot => plain(Message::MapSnapshot, part(0)?)?,
        Topic::Answer => plain(Message::Answer, part(0)?)?,
    })
}

/// Everything of `sensor_msgs/Image` before its data.
fn write_image_head(
    w: &mut CdrWriter,
    header: &Header,
    (width, height): (u32, u32),
    encoding: &str,
    pixel_bytes: u32,
) {
    w.put(header).put(&height).put(&width).text(encoding);
    w.put(&0u8).put(&width.saturating_mul(pixel_bytes));
}

fn write_color(w: &mut CdrWriter, header: &Header, image: &ColorImage) {
    write_image_head(w, header, (image.width(), image.height()), "rgb8", 3);
    w.byte_sequence(image.data().as_flattened());
}

fn write_depth(w: &mut CdrWriter, header: &Header, image: &DepthImage) {
    write_image_head(w, header, (image.width(), image.height()), "32FC1", 4);
    w.packed(image.data(), f32::to_le_bytes);
}

fn write_segmentation(w: &mut CdrWriter, m: &Segmentation) {
    w.put(&m.header);
    write_image_head(w, &m.header, (m.labels.width(), m.labels.height()), "mono16", 2);
    w.packed(m.labels.data(), u16::to_le_bytes);
    w.put(&m.detections);
}

fn read_image<T>(
    r: &mut CdrReader<'_>,
    encoding: &str,
    pixels: impl FnOnce(&[u8]) -> Vec<T>,
) -> Result<(Header, Image<T>), CdrError> {
    let (header, height, width): (Header, u32, u32) = (r.get()?, r.get()?, r.get()?);
    let found = r.text()?;
    if found != encoding {
        return Err(r.invalid(format!("image encoding `{found}`, expected `{encoding}`")));
    }
    if r.get::<u8>()? != 0 {
        return Err(r.invalid("a big-endian image"));
    }
    r.skip::<u32>()?;
    let image =
        Image::new(width, height, pixels(r.byte_sequence()?)).map_err(|e| r.invalid(e.to_string()))?;
    Ok((header, image))
}

fn read_color(r: &mut CdrReader<'_>) -> Result<(Header, ColorImage), CdrError> {
    read_image(r, "rgb8", |bytes| bytes.as_chunks().0.to_vec())
}

fn read_depth(r: &mut CdrReader<'_>) -> Result<(Header, DepthImage), CdrError> {
    read_image(r, "32FC1", |bytes| unpacked(bytes, f32::from_le_bytes))
}

fn read_labels(r: &mut CdrReader<'_>) -> Result<(Header, LabelImage), CdrError> {
    read_image(r, "mono16", |bytes| unpacked(bytes, u16::from_le_bytes))
}

fn write_camera_info(w: &mut CdrWriter, header: &Header, camera: &CameraIntrinsics) {
    let k = camera.to_ros_k();
    if k[2] + 0.5 != camera.cx || k[5] + 0.5 != camera.cy {
        w.refuse(format!(
            "principal point ({}, {}) is rounded by ROS's pixel convention",
            camera.cx, camera.cy
        ));
    }
    let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let p = [k[0], 0.0, k[2], 0.0, 0.0, k[4], k[5], 0.0, 0.0, 0.0, 1.0, 0.0];
    w.put(header)
        .put(&camera.height)
        .put(&camera.width)
        .text("plumb_bob");
    w.put(&vec![0.0f64; 5]).put(&k).put(&identity).put(&p);
    // No binning; an empty region of interest stands for the whole image.
    w.put(&[0u32; 2]).put(&[0u32; 4]).put(&false);
}

fn read_camera_info(r: &mut CdrReader<'_>) -> Result<CameraIntrinsics, CdrError> {
    r.skip::<Header>()?;
    let (height, width): (u32, u32) = (r.get()?, r.get()?);
    r.text()?;
    r.skip::<Vec<f64>>()?;
    let k: [f64; 9] = r.get()?;
    r.skip::<[f64; 9]>()?;
    r.skip::<[f64; 12]>()?;
    r.skip::<[u32; 6]>()?;
    r.skip::<bool>()?;
    // The frame says itself whether its camera is usable, so nonsense passes here as it did when recorded.
    Ok(CameraIntrinsics {
        width,
        height,
        fx: k[0],
        fy: k[4],
        cx: k[2] + 0.5,
        cy: k[5] + 0.5,
    })
}

fn planar_twist(linear_m_s: f64, angular_rad_s: f64) -> (Vector3, Vector3) {
    (
        Vector3::new(linear_m_s, 0.0, 0.0),
        Vector3::new(0.0, 0.0, angular_rad_s),
    )
}

fn planar_pose(pose: &Pose2) -> Pose3 {
    let (sin, cos) = (0.5 * pose.yaw_rad).sin_cos();
    Pose3::from_parts(
        Vector3::new(pose.x_m, pose.y_m, 0.0).into(),
        nalgebra::Unit::new_unchecked(nalgebra::Quaternion::new(cos, 0.0, 0.0, sin)),
    )
}

fn write_odometry(w: &mut CdrWriter, m: &Odometry) {
    let (linear, angular) = planar_twist(m.linear_m_s, m.angular_rad_s);
    w.put(&m.header).text(frames::BASE_LINK);
    w.put(&planar_pose(&m.pose)).put(&[0.0f64; 36]);
    w.put(&linear).put(&angular).put(&[0.0f64; 36]);
}

fn write_planar_odometry(w: &mut CdrWriter, m: &Odometry) {
    w.put(&PlanarOdometry {
        header: m.header.clone(),
        pose: m.pose,
        linear_m_s: m.linear_m_s,
        angular_rad_s: m.angular_rad_s,
    });
}

fn write_transforms(w: &mut CdrWriter, run: &[StampedTransform]) {
    w.length(run.len());
    for t in run {
        w.put(&TransformStamped {
            header: Header {
                stamp: t.stamp,
                frame_id: t.parent.clone(),
            },
            child_frame_id: t.child.clone(),
            transform: t.parent_from_child,
        });
    }
}

fn read_transforms(parts: &[(&str, &[u8])]) -> Result<Transforms, CdrError> {
    let mut transforms = Vec::new();
    for (topic, bytes) in parts {
        let is_static = match *topic {
            "/tf" => false,
            "/tf_static" => true,
            other => {
                return Err(CdrError::Invalid {
                    at: 0,
                    problem: format!("`{other}` holds no transforms"),
                });
            }
        };
        let mut r = CdrReader::new(bytes)?;
        let run: Vec<TransformStamped> = r.get()?;
        r.finish()?;
        transforms.extend(run.into_iter().map(|t| StampedTransform {
            stamp: t.header.stamp,
            parent: t.header.frame_id,
            child: t.child_frame_id,
            parent_from_child: t.transform,
            is_static,
        }));
    }
    Ok(Transforms { transforms })
}

fn write_grid(w: &mut CdrWriter, m: &OccupancyGrid) {
    if m.cells.len() as u64 != u64::from(m.width) * u64::from(m.height) {
        w.refuse(format!(
            "{} cells do not make a grid of {}x{}",
            m.cells.len(),
            m.width,
            m.height
        ));
    }
    w.put(&m.header)
        .put(&m.header.stamp)
        .put(&(m.resolution_m as f32));
    w.put(&m.width).put(&m.height).put(&planar_pose(&m.origin));
    w.packed(&m.cells, i8::to_le_bytes);
}

fn read_grid(r: &mut CdrReader<'_>, geometry: MapGeometry) -> Result<OccupancyGrid, CdrError> {
    r.skip::<Header>()?;
    r.skip::<Time>()?;
    r.skip::<f32>()?;
    let (width, height): (u32, u32) = (r.get()?, r.get()?);
    r.skip::<Pose3>()?;
    let cells = unpacked(r.byte_sequence()?, i8::from_le_bytes);
    if cells.len() as u64 != u64::from(width) * u64::from(height) {
        return Err(r.invalid(format!(
            "{} cells do not make a grid of {width}x{height}",
            cells.len()
        )));
    }
    Ok(OccupancyGrid {
        header: geometry.header,
        resolution_m: geometry.resolution_m,
        width,
        height,
        origin: geometry.origin,
        cells: Arc::new(cells),
    })
}

/// `PointField` datatypes and the size of each.
const FLOAT32: (u8, u32) = (7, 4);
const FLOAT64: (u8, u32) = (8, 8);

fn write_cloud(w: &mut CdrWriter, m: &ObstacleCloud) {
    let is_single = |x: &f64| f64::from(*x as f32).to_bits() == x.to_bits();
    let single = m.points.iter().all(|p| p.iter().all(is_single));
    let (datatype, size) = if single { FLOAT32 } else { FLOAT64 };
    let fields: Vec<PointField> = ["x", "y", "z"]
        .iter()
        .zip(0..)
        .map(|(name, i)| PointField {
            name: (*name).to_owned(),
            offset: i * size,
            datatype,
            count: 1,
        })
        .collect();
    let Ok(count) = u32::try_from(m.points.len() as u64 * u64::from(3 * size)).map(|n| n / (3 * size)) else {
        return w.refuse(format!("{} points in one cloud", m.points.len()));
    };
    w.put(&m.header).put(&1u32).put(&count).put(&fields).put(&false);
    w.put(&(3 * size)).put(&(3 * size * count));
    if single {
        w.packed(&m.points, |p| {
            let mut bytes = [0; 12];
            for (slot, x) in bytes.as_chunks_mut().0.iter_mut().zip(p.iter()) {
                *slot = (*x as f32).to_le_bytes();
            }
            bytes
        });
    } else {
        w.packed(&m.points, |p| {
            let mut bytes = [0; 24];
            for (slot, x) in bytes.as_chunks_mut().0.iter_mut().zip(p.iter()) {
                *slot = x.to_le_bytes();
            }
            bytes
        });
    }
    w.put(&true);
}

fn read_points(r: &mut CdrReader<'_>) -> Result<Vec<Point3>, CdrError> {
    r.skip::<Header>()?;
    r.skip::<[u32; 2]>()?;
    let fields: Vec<PointField> = r.get()?;
    r.skip::<bool>()?;
    r.skip::<[u32; 2]>()?;
    let (datatype, size) = match fields.first() {
        Some(f) if f.datatype == FLOAT32.0 => FLOAT32,
        _ => FLOAT64,
    };
    let packed = fields.len() == 3
        && fields
            .iter()
            .zip(0..)
            .all(|(f, i)| f.datatype == datatype && f.offset == i * size && f.count == 1);
    if !packed {
        return Err(r.invalid("an obstacle cloud has three fields x, y, z of one floating-point type"));
    }
    let data = r.byte_sequence()?;
    if data.len() % (3 * size as usize) != 0 {
        return Err(r.invalid(format!("{} bytes are no whole number of points", data.len())));
    }
    let coordinates: Vec<f64> = if datatype == FLOAT32.0 {
        unpacked(data, |b| f64::from(f32::from_le_bytes(b)))
    } else {
        unpacked(data, f64::from_le_bytes)
    };
    r.skip::<bool>()?;
    Ok(coordinates
        .as_chunks()
        .0
        .iter()
        .map(|p: &[f64; 3]| Point3::from(*p))
        .collect())
}

fn write_diagnostics(w: &mut CdrWriter, m: &Diagnostics) {
    let values: Vec<KeyValue> = m
        .counters
        .iter()
        .map(|(key, n)| KeyValue {
            key: key.clone(),
            value: n.to_string(),
        })
        .collect();
    // One status of level OK: counters are facts, judging them is somebody else's business.
    w.put(&m.header)
        .length(1)
        .put(&0u8)
        .text(&m.node)
        .text("")
        .text("")
        .put(&values);
}

fn read_diagnostics(r: &mut CdrReader<'_>) -> Result<Diagnostics, CdrError> {
    let header = r.get()?;
    if r.length()? != 1 {
        return Err(r.invalid("diagnostics have one status"));
    }
    r.skip::<u8>()?;
    let node = r.get()?;
    r.text()?;
    r.text()?;
    let values: Vec<KeyValue> = r.get()?;
    let mut counters = BTreeMap::new();
    for KeyValue { key, value } in values {
        let n = value
            .parse()
            .map_err(|e| r.invalid(format!("counter `{key}` is `{value}`: {e}")))?;
        counters.insert(key, n);
    }
    Ok(Diagnostics {
        header,
        node,
        counters,
    })
}
