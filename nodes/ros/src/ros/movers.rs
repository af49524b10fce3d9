//! What moves the robot through the ecosystem, as far as this was built with its interfaces.

use anyhow::Result;
use steward_core::Time;
use steward_core::messages::DriveStatus;
use steward_nodes::message::{Message, Topic};

/// Nav2 for the base and a controller for the joints.
pub struct Movers {
    #[cfg(has_nav2)]
    navigation: Option<super::navigation::Navigation>,
    #[cfg(has_control)]
    arm: Option<super::arm::Arm>,
}

impl Movers {
    /// For a process that says these topics; joints are moved through this action, if it is not empty.
    ///
    /// # Errors
    /// Where ROS refuses an action, or this was built without `control_msgs` and the action is not empty.
    pub fn new(
        #[cfg_attr(not(any(has_nav2, has_control)), expect(unused_variables))] node: &mut r2r::Node,
        #[cfg_attr(not(has_nav2), expect(unused_variables))] says: &[Topic],
        joint_action: &str,
    ) -> Result<Self> {
        #[cfg(not(has_control))]
        if !joint_action.is_empty() {
            anyhow::bail!(
                "joint_action is `{joint_action}` and this was built without control_msgs; install it and build anew"
            );
        }
        Ok(Movers {
            #[cfg(has_nav2)]
            navigation: says
                .contains(&Topic::DriveGoal)
                .then(|| super::navigation::Navigation::new(node))
                .transpose()?,
            #[cfg(has_control)]
            arm: (!joint_action.is_empty())
                .then(|| super::arm::Arm::new(node, joint_action))
                .transpose()?,
        })
    }

    /// Whether joints are moved through an action.
    pub fn moves_joints(&self) -> bool {
        #[cfg(has_control)]
        let moves = self.arm.is_some();
        #[cfg(not(has_control))]
        let moves = false;
        moves
    }

    /// Passes on what the executor says.
    pub fn on_message(&mut self, message: &Message) {
        match message {
            #[cfg(has_nav2)]
            Message::DriveGoal(goal) => {
                if let Some(navigation) = &mut self.navigation {
                    navigation.on_goal(goal);
                }
            }
            #[cfg(has_control)]
            Message::JointCommand(command) => {
                if let Some(arm) = &mut self.arm {
                    arm.on_command(command);
                }
            }
            _ => {}
        }
    }

    /// What there is to say of drives.
    pub fn turn(
        &mut self,
        #[cfg_attr(not(has_nav2), expect(unused_variables))] now: Time,
    ) -> Vec<DriveStatus> {
        #[cfg(has_control)]
        if let Some(arm) = &mut self.arm {
            arm.turn();
        }
        #[cfg(has_nav2)]
        if let Some(navigation) = &mut self.navigation {
            return navigation.turn(now);
        }
        Vec::new()
    }

    /// The base is to stand: nobody looks after it any more.
    pub fn stop(&mut self) {
        #[cfg(has_nav2)]
        if let Some(navigation) = &mut self.navigation {
            navigation.stop();
        }
    }
}
