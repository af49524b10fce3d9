//! Quality of service of every topic, in one table.

/// How a topic is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Best effort, the newest few: what a sensor says is soon said anew.
    Sensor,
    /// Reliable, and the last ones are kept for those who come later.
    Latched {
        /// How many are kept.
        depth: usize,
    },
    /// Reliable and in order.
    Reliable,
}

/// The quality of service of a topic, by its ROS name as in recordings.
pub fn of(topic: &str) -> Qos {
    match topic {
        "/head_camera/color/image_raw"
        | "/head_camera/depth/image_rect"
        | "/head_camera/camera_info"
        | "/head_camera/color/image_raw/compressed"
        | "/head_camera/depth/image_rect/compressedDepth"
        | "/head_camera/segmentation"
        | "/head_camera/labels_map"
        | "/head_camera/semantic_segmentation"
        | "/head_camera/semantic_labels"
        | "/odom"
        | "/odom/exact"
        | "/joint_states"
        | "/gripper_contacts"
        | "/bumper"
        | "/clock" => Qos::Sensor,
        "/map" | "/map/exact" | "/obstacles" | "/obstacles/exact" | "/scene_graph" | "/plan"
        | "/floor_plan" | "/rule_monitors" | "/simulator/truth" => Qos::Latched { depth: 1 },
        // One message of static transforms does not replace the one before.
        "/tf_static" => Qos::Latched { depth: 100 },
        "/task_result" | "/skill_result" => Qos::Latched { depth: 10 },
        _ => Qos::Reliable,
    }
}

/// The name under which a topic is published: relative, so that namespaces apply, but for those that belong to the
/// whole system.
pub fn published_name(topic: &str) -> &str {
    match topic {
        "/tf" | "/tf_static" | "/clock" | "/diagnostics" => topic,
        other => other.trim_start_matches('/'),
    }
}

/// Name in `/diagnostics`, which all robots share, of a node in a namespace: `mapper`, `kitchen/mapper`.
pub fn diagnostics_name(namespace: &str, node: &str) -> String {
    format!("{namespace}/{node}").trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use steward_nodes::message::Topic;
    use steward_nodes::recording::ros_topics;

    use super::*;
    use crate::sensors::{CameraSettings, Channel, LabelSource, Transport};

    #[test]
    fn whatever_world_the_sensors_are_of_they_are_sensors() {
        for labels in [LabelSource::Detector, LabelSource::Gazebo, LabelSource::Isaac] {
            for transport in [Transport::Raw, Transport::Compressed] {
                let camera = CameraSettings {
                    color: transport,
                    depth: transport,
                    labels,
                    ..CameraSettings::default()
                };
                let channels = Topic::ALL.iter().flat_map(|topic| Channel::of(*topic, &camera));
                for (name, _) in channels.map(Channel::ros_topic) {
                    assert_eq!(of(name), Qos::Sensor, "{name}");
                }
            }
        }
    }

    #[test]
    fn every_topic_of_the_loop_is_carried_as_it_should_be() {
        for &topic in Topic::ALL {
            for (name, _) in ros_topics(topic) {
                let expected = match topic {
                    Topic::Rgbd
                    | Topic::Segmentation
                    | Topic::Odometry
                    | Topic::JointStates
                    | Topic::GripperContacts
                    | Topic::Bumper => Qos::Sensor,
                    Topic::OccupancyGrid
                    | Topic::ObstacleCloud
                    | Topic::SceneGraph
                    | Topic::Plan
                    | Topic::RuleMonitors
                    | Topic::FloorPlan => Qos::Latched { depth: 1 },
                    Topic::TaskResult | Topic::SkillResult => Qos::Latched { depth: 10 },
                    Topic::Transforms | Topic::Localization if *name == "/tf_static" => {
                        Qos::Latched { depth: 100 }
                    }
                    _ => Qos::Reliable,
                };
                assert_eq!(of(name), expected, "{name}");
            }
        }
    }

    #[test]
    fn namespaces_apply_to_what_belongs_to_one_robot() {
        assert_eq!(published_name("/map"), "map");
        assert_eq!(published_name("/tf"), "/tf");
        assert_eq!(diagnostics_name("/", "mapper"), "mapper");
        assert_eq!(diagnostics_name("/kitchen", "mapper"), "kitchen/mapper");
    }
}
