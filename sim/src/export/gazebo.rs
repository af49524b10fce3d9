//! What Gazebo needs to know of the robot: cameras, contacts, drives, odometry.
//!
//! The base goes as commanded and every joint moves at a limited speed to where it is sent, as in this crate's own
//! physics, so nothing has to be tuned; weight would only make both fight against gravity and is switched off.

use std::fmt::Write;

use steward_core::frames;
use steward_core::robot::{JointKind, KinematicModel};

use crate::Result;
use crate::model::Home;
use crate::robot;
use crate::simulation::CameraConfig;

/// Rate of odometry, joint states and contacts, hertz: that of [`crate::simulation`].
const STATE_RATE_HZ: f64 = 25.0;
/// What the depth camera measures at least and at most, metres.
const DEPTH_RANGE_M: [f64; 2] = [0.1, 10.0];
/// Collision shapes that feel something: link, the shape's name after Gazebo's conversion, sensor and topic.
const CONTACTS: &[(&str, &str, &str)] = &[
    ("base_link", "base_link_collision", "bumper"),
    ("finger_left_link", "finger_left_link_collision_1", "finger_left"),
    (
        "finger_right_link",
        "finger_right_link_collision_1",
        "finger_right",
    ),
];

/// The description with Gazebo's part at its end; `label` is what its segmentation camera gives for the robot.
///
/// # Errors
/// [`crate::Error::Core`] where the robot's own description is damaged.
pub(super) fn with_systems(urdf: &str, label: usize) -> Result<String> {
    let model = robot::model()?;
    let extension = extension(&model, label);
    Ok(match urdf.rsplit_once("</robot>") {
        Some((body, rest)) => format!("{body}{extension}</robot>{rest}"),
        None => urdf.to_owned(),
    })
}

/// What whoever sets up the robot knows, as YAML: where it starts, and the rooms as a floor plan has them.
pub(super) fn setup(home: &Home) -> String {
    let start = home.robot_start;
    let mut text = format!(
        "# All in the world's frame, which is the robot's `odom` in Gazebo, too.\n\
         robot_start: {{x_m: {:.6}, y_m: {:.6}, yaw_rad: {:.6}}}\nrooms:\n",
        start.x_m, start.y_m, start.yaw_rad
    );
    for room in &home.rooms {
        let (middle, half) = (room.bounds.center(), room.bounds.half());
        let _ = writeln!(
            text,
            "  - {{name: {}, kind: {}, x_m: {:.4}, y_m: {:.4}, half_x_m: {:.4}, half_y_m: {:.4}}}",
            room.name, room.kind, middle.x, middle.y, half.x, half.y
        );
    }
    text
}

fn extension(model: &KinematicModel, label: usize) -> String {
    let mut text = String::from("\n  <!-- For Gazebo; other readers pass over it. -->\n");
    // Writing to a string cannot fail, here and below.
    // Links on fixed joints become part of their parents.
    let moving = model.joints().iter().filter(|j| j.kind != JointKind::Fixed);
    let links = moving.clone().map(|j| model.links()[j.child].name.as_str());
    for link in [model.root()].into_iter().chain(links) {
        let _ = writeln!(
            text,
            "  <gazebo reference=\"{link}\"><gravity>false</gravity></gazebo>"
        );
    }
    cameras(&mut text);
    for (link, collision, name) in CONTACTS {
        let _ = writeln!(
            text,
            "  <gazebo reference=\"{link}\"><sensor name=\"{name}\" type=\"contact\">\
             <always_on>true</always_on><update_rate>{STATE_RATE_HZ}</update_rate>\
             <contact><collision>{collision}</collision><topic>contacts/{name}</topic></contact></sensor></gazebo>",
        );
    }
    text.push_str("  <gazebo>\n");
    system(&mut text, "label", "Label", &format!("<label>{label}</label>"));
    system(
        &mut text,
        "velocity-control",
        "VelocityControl",
        "<initial_linear>0 0 0</initial_linear>",
    );
    system(
        &mut text,
        "odometry-publisher",
        "OdometryPublisher",
        &format!(
            "<odom_frame>{}</odom_frame><robot_base_frame>{}</robot_base_frame><dimensions>2</dimensions>\
             <odom_publish_frequency>{STATE_RATE_HZ}</odom_publish_frequency>",
            frames::ODOM,
            frames::BASE_LINK
        ),
    );
    system(
        &mut text,
        "joint-state-publisher",
        "JointStatePublisher",
        &format!("<topic>joint_states</topic><update_rate>{STATE_RATE_HZ}</update_rate>"),
    );
    let stowed = robot::stowed();
    // Followers, too: not every physics engine of Gazebo makes a joint follow another.
    for joint in moving {
        system(
            &mut text,
            "joint-position-controller",
            "JointPositionController",
            &format!(
                "<joint_name>{}</joint_name><use_velocity_commands>true</use_velocity_commands>\
                 <cmd_max>{}</cmd_max><initial_position>{:.6}</initial_position>",
                joint.name,
                joint.max_velocity,
                model.position(joint, &stowed)
            ),
        );
    }
    text.push_str("  </gazebo>\n");
    text
}

/// The head camera: colour and depth, and labels of the same view.
fn cameras(text: &mut String) {
    let camera = CameraConfig::default();
    let [near, far] = DEPTH_RANGE_M;
    let frame = frames::HEAD_CAMERA_OPTICAL;
    for (name, kind, what) in [
        ("rgbd", "rgbd_camera", ""),
        (
            "segmentation",
            "segmentation",
            "<segmentation_type>panoptic</segmentation_type>",
        ),
    ] {
        let _ = writeln!(
            text,
            "  <gazebo reference=\"head_camera_link\"><sensor name=\"{name}\" type=\"{kind}\">\
             <always_on>true</always_on><update_rate>{}</update_rate><topic>head_camera/{name}</topic>\
             <gz_frame_id>{frame}</gz_frame_id>\
             <camera>{what}<horizontal_fov>{:.6}</horizontal_fov>\
             <image><width>{}</width><height>{}</height></image>\
             <clip><near>{near}</near><far>{far}</far></clip>\
             <optical_frame_id>{frame}</optical_frame_id></camera></sensor></gazebo>",
            camera.rate_hz, camera.horizontal_fov_rad, camera.width, camera.height
        );
    }
}

fn system(text: &mut String, file: &str, name: &str, settings: &str) {
    let _ = writeln!(
        text,
        "    <plugin filename=\"gz-sim-{file}-system\" name=\"gz::sim::systems::{name}\">{settings}</plugin>"
    );
}
