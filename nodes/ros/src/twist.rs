//! `geometry_msgs/Twist`: a command to a base that does not look at stamps.

use steward_core::messages::VelocityCommand;
use steward_nodes::message::Topic;
use steward_nodes::recording::{CdrError, CdrWriter, Part, ros_topics};

/// Type of the message.
pub const ROS_TYPE: &str = "geometry_msgs/msg/Twist";

/// The message, on the topic of the stamped one.
///
/// # Errors
/// [`CdrError::NotRepresentable`], which numbers never are.
pub fn part(command: &VelocityCommand) -> Result<Part, CdrError> {
    let mut w = CdrWriter::with_capacity(48);
    w.put(&[command.linear_m_s, 0.0, 0.0, 0.0, 0.0, command.angular_rad_s]);
    Ok(Part {
        topic: ros_topics(Topic::VelocityCommand)[0].0,
        ros_type: ROS_TYPE,
        bytes: w.finish()?,
    })
}

#[cfg(test)]
mod tests {
    use steward_core::messages::Header;

    use super::*;

    #[test]
    fn it_is_six_numbers() {
        let command = VelocityCommand {
            header: Header::default(),
            linear_m_s: 0.5,
            angular_rad_s: -1.5,
        };
        let expected = [0.5f64, 0.0, 0.0, 0.0, 0.0, -1.5].map(f64::to_le_bytes).concat();
        let part = part(&command).unwrap();
        assert_eq!(
            (part.topic, part.bytes),
            ("/cmd_vel", [vec![0, 1, 0, 0], expected].concat())
        );
    }
}
