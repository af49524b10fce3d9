//! Passes on what the executables must be linked with beside what `r2r` asks for (a ROS 2 from PyPI needs `libpython`),
//! and says which interfaces of the ecosystem the environment has.

use std::env;
use std::fs;

fn main() {
    println!("cargo::rerun-if-env-changed=STEWARD_ROS_LINK_ARGS");
    let arguments = env::var("STEWARD_ROS_LINK_ARGS").unwrap_or_default();
    for argument in arguments.split_whitespace() {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-env-changed=AMENT_PREFIX_PATH");
    println!("cargo::rustc-check-cfg=cfg(has_nav2, has_control)");
    // Humble's Nav2 has no error codes.
    if has("nav2_msgs/action/NavigateToPose.action", "error_code") {
        println!("cargo::rustc-cfg=has_nav2");
    }
    if has(
        "control_msgs/action/FollowJointTrajectory.action",
        "multi_dof_trajectory",
    ) {
        println!("cargo::rustc-cfg=has_control");
    }
}

/// Whether a prefix has an interface that says this.
fn has(interface: &str, text: &str) -> bool {
    let prefixes = env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    env::split_paths(&prefixes)
        .filter_map(|prefix| fs::read_to_string(prefix.join("share").join(interface)).ok())
        .any(|definition| definition.contains(text))
}
