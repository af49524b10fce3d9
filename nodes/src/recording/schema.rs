//! Definitions of the ROS messages in a recording, with everything they refer to.

use crate::error::{Error, Result};

macro_rules! definitions {
    ($($package:literal: [$($name:literal),* $(,)?] from $folder:literal;)*) => {
        /// `package/Name` and text of every definition.
        const DEFINITIONS: &[(&str, &str)] = &[
            $($((concat!($package, "/", $name), include_str!(concat!($folder, "/", $name, ".msg"))),)*)*
        ];
    };
}

definitions! {
    "builtin_interfaces": ["Duration", "Time"] from "definitions/builtin_interfaces";
    "diagnostic_msgs": ["DiagnosticArray", "DiagnosticStatus", "KeyValue"] from "definitions/diagnostic_msgs";
    "geometry_msgs": [
        "Point", "Pose", "PoseWithCovariance", "Quaternion", "Transform", "TransformStamped", "Twist",
        "TwistStamped", "TwistWithCovariance", "Vector3",
    ] from "definitions/geometry_msgs";
    "nav_msgs": ["MapMetaData", "OccupancyGrid", "Odometry"] from "definitions/nav_msgs";
    "sensor_msgs": [
        "CameraInfo", "Image", "JointState", "PointCloud2", "PointField", "RegionOfInterest",
    ] from "definitions/sensor_msgs";
    "std_msgs": ["Header"] from "definitions/std_msgs";
    "tf2_msgs": ["TFMessage"] from "definitions/tf2_msgs";
    "trajectory_msgs": ["JointTrajectory", "JointTrajectoryPoint"] from "definitions/trajectory_msgs";
    "steward_msgs": [
        "Answer", "ArticulationState", "Bumper", "CancelSkill", "CancelTask", "Detection", "DriveGoal", "DriveStatus", "FloorArea",
        "FloorPlan", "GoalRelation", "GripperContacts", "KnownMap", "KnownScene", "MapGeometry", "MapRequest",
        "MapSnapshot", "ObstacleVoxels", "OrientedBox", "Plan", "PlanStep", "PlanarOdometry", "Pose2",
        "Relation", "Room", "RuleMonitor", "RuleMonitors", "SceneChange", "SceneGraph", "SceneObject",
        "Segmentation", "SetRules", "Skill", "SkillCommand", "SkillRequest", "SkillResult", "SkillStatus",
        "SupportSurface", "Task", "TaskResult", "TreeNode", "Verdict", "WallPoint",
    ] from "../../msgs/msg";
}

const PRIMITIVES: &[&str] = &[
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32",
    "int64", "uint64", "string", "wstring",
];

/// The text of a `ros2msg` schema for a type such as `sensor_msgs/msg/Image`: its definition, then that of every
/// type it refers to.
///
/// # Errors
/// [`Error::Schema`] for a type without definition.
pub fn schema(ros_type: &str) -> Result<String> {
    let root = ros_type.replacen("/msg/", "/", 1);
    let mut text = definition(&root)?.to_owned();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        for dependency in dependencies(&found[next])? {
            if !found.contains(&dependency) {
                text += &format!(
                    "{}\nMSG: {dependency}\n{}",
                    "=".repeat(80),
                    definition(&dependency)?
                );
                text.push('\n');
                found.push(dependency);
            }
        }
        next += 1;
    }
    Ok(text)
}

fn definition(name: &str) -> Result<&'static str> {
    DEFINITIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::Schema {
            ros_type: name.to_owned(),
        })
}

/// The types that the fields of a definition have, with their packages.
fn dependencies(name: &str) -> Result<Vec<String>> {
    let package = name.split('/').next().unwrap_or_default();
    let types = definition(name)?.lines().filter_map(|line| {
        let declaration = line.split('#').next()?.trim();
        let field_type = declaration.split_whitespace().next()?;
        let element = field_type.split(['[', '<']).next()?;
        (!PRIMITIVES.contains(&element)).then_some(element)
    });
    Ok(types
        .map(|t| {
            if t.contains('/') {
                t.to_owned()
            } else {
                format!("{package}/{t}")
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Topic;
    use crate::recording::ros_topics;

    #[test]
    fn every_topic_has_a_schema_and_no_definition_is_unused() {
        let mut all = String::new();
        for (_, ros_type) in Topic::ALL.iter().flat_map(|t| ros_topics(*t)) {
            all += &format!(
                "\nMSG: {}\n{}",
                ros_type.replace("/msg/", "/"),
                schema(ros_type).unwrap()
            );
        }
        for (name, _) in DEFINITIONS {
            assert!(all.contains(&format!("MSG: {name}\n")), "{name} is never used");
        }
    }

    #[test]
    fn references_are_resolved_in_depth() {
        let text = schema("steward_msgs/msg/Plan").unwrap();
        for name in [
            "std_msgs/Header",
            "steward_msgs/PlanStep",
            "steward_msgs/Pose2",
            "geometry_msgs/Point",
        ] {
            assert_eq!(text.matches(&format!("MSG: {name}\n")).count(), 1, "{name}");
        }
        assert!(schema("no_msgs/msg/Such").is_err());
    }
}
