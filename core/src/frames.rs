//! Names of coordinate frames (REP-105).

/// World-fixed frame of the map; jumps when the robot corrects its position.
pub const MAP: &str = "map";
/// World-fixed frame of the wheel odometry; continuous, drifts.
pub const ODOM: &str = "odom";
/// The robot's base, on the floor between the wheels, x forward.
pub const BASE_LINK: &str = "base_link";
/// Optical frame of the head camera: x right, y down, z forward. Colour and depth are registered to it.
pub const HEAD_CAMERA_OPTICAL: &str = "head_camera_optical_frame";
/// Optical frame of the wrist camera.
pub const WRIST_CAMERA_OPTICAL: &str = "wrist_camera_optical_frame";
/// Point between the finger tips: x along the fingers, y in the closing direction.
pub const GRASP_CENTER: &str = "grasp_center";
