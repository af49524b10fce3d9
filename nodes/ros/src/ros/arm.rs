//! Joint commands of the executor through an action `FollowJointTrajectory` of `ros2_control`.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use r2r::control_msgs::action::FollowJointTrajectory;
use r2r::sensor_msgs::msg::JointState;
use r2r::trajectory_msgs::msg::{JointTrajectory, JointTrajectoryPoint};
use r2r::{ActionClient, GoalStatus, QosProfile};
use steward_core::messages::JointCommand;

use super::sent::{Sent, Step};
use super::{Incoming, next};
use crate::motion::trajectory;

/// Commands whose end is waited for; a controller drops one when the next comes.
const MOST_WAITING: usize = 16;

/// The client of a controller.
pub struct Arm {
    client: ActionClient<FollowJointTrajectory::Action>,
    states: Incoming<JointState>,
    joints: BTreeMap<String, f64>,
    commands: VecDeque<Sent<FollowJointTrajectory::Action>>,
}

impl Arm {
    /// # Errors
    /// Where ROS refuses the action.
    pub fn new(node: &mut r2r::Node, action: &str) -> Result<Self> {
        let states = node.subscribe::<JointState>("joint_states", QosProfile::sensor_data())?;
        Ok(Arm {
            client: node.create_action_client(action)?,
            states: Box::pin(states),
            joints: BTreeMap::new(),
            commands: VecDeque::new(),
        })
    }

    /// Passes a command on; whether the joints get there the executor sees for itself.
    pub fn on_command(&mut self, command: &JointCommand) {
        let Some(t) = trajectory(command, &self.joints) else {
            log::warn!("a joint command is not passed on: it is not known where the joints are");
            return;
        };
        let mut point = JointTrajectoryPoint {
            positions: t.positions,
            ..Default::default()
        };
        point.time_from_start.sec = t.after_s as i32;
        point.time_from_start.nanosec = (t.after_s.fract() * 1e9) as u32;
        let goal = FollowJointTrajectory::Goal {
            trajectory: JointTrajectory {
                joint_names: t.names,
                points: vec![point],
                ..Default::default()
            },
            ..Default::default()
        };
        match Sent::new(&self.client, goal) {
            Ok(sent) => self.commands.push_back(sent),
            Err(e) => log::error!("a joint command cannot be passed on: {e}"),
        }
        if self.commands.len() > MOST_WAITING {
            self.commands.pop_front();
        }
    }

    /// Takes note of where the joints are and of what became of commands.
    pub fn turn(&mut self) {
        while let Some(state) = next(&mut self.states) {
            let known = state.name.into_iter().zip(state.position);
            self.joints
                .extend(known.filter(|(_, position)| position.is_finite()));
        }
        self.commands.retain_mut(|command| match command.turn() {
            None | Some(Step::Taken) => true,
            Some(Step::Ended(GoalStatus::Aborted, result)) if result.error_code != 0 => {
                log::warn!(
                    "a joint command failed with {}: {}",
                    result.error_code,
                    result.error_string
                );
                false
            }
            Some(Step::Ended(..)) => false,
            Some(Step::Refused(e)) => {
                log::warn!("a joint command was refused: {e}");
                false
            }
        });
    }
}
