//! Drives of the executor through Nav2: goals and ends of its action `navigate_to_pose`, carried as messages.

use std::time::{Duration, Instant};

use anyhow::Result;
use r2r::nav2_msgs::action::NavigateToPose;
use r2r::{ActionClient, GoalStatus};
use steward_core::geometry::Pose2;
use steward_core::messages::{DriveGoal, DriveStatus, Header, SkillFailure, SkillState};
use steward_core::{Time, frames};

use super::sent::{Sent, Step};
use crate::motion::navigation_failure;

/// Nav2 answers a goal within this, or is not there.
const PATIENCE: Duration = Duration::from_secs(5);
const UNHEARD: &str =
    "nobody answers the action navigate_to_pose; start Nav2, or set the parameter driver to own";

/// The client of Nav2.
pub struct Navigation {
    client: ActionClient<NavigateToPose::Action>,
    /// The drive under way, and older ones whose end is still to come.
    drives: Vec<Drive>,
}

struct Drive {
    id: u32,
    since: Instant,
    /// `None` where Nav2 cannot be told.
    sent: Option<Sent<NavigateToPose::Action>>,
    is_taken: bool,
    is_wanted: bool,
}

impl Navigation {
    /// # Errors
    /// Where ROS refuses the action.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Navigation {
            client: node.create_action_client("navigate_to_pose")?,
            drives: Vec::new(),
        })
    }

    /// Stops what is under way, and passes on where to drive.
    pub fn on_goal(&mut self, order: &DriveGoal) {
        self.stop();
        let Some(to) = order.to else { return };
        let sent = Sent::new(&self.client, goal(order.header.stamp, to))
            .inspect_err(|e| log::error!("Nav2 cannot be told where to drive: {e}"));
        self.drives.push(Drive {
            id: order.id,
            since: Instant::now(),
            sent: sent.ok(),
            is_taken: false,
            is_wanted: true,
        });
    }

    /// Lets Nav2 stop the base.
    pub fn stop(&mut self) {
        for drive in self.drives.iter_mut().filter(|drive| drive.is_wanted) {
            drive.is_wanted = false;
            drive.sent.iter().for_each(Sent::cancel);
        }
    }

    /// What there is to say of the drive under way.
    pub fn turn(&mut self, now: Time) -> Vec<DriveStatus> {
        let mut said = Vec::new();
        self.drives.retain_mut(|drive| {
            let step = drive.step();
            let is_over = !matches!(step, None | Some((SkillState::Running, _)));
            if let Some((state, detail)) = step.filter(|_| drive.is_wanted) {
                said.push(DriveStatus {
                    header: Header::new(now, frames::MAP),
                    id: drive.id,
                    state,
                    detail,
                });
            }
            !is_over
        });
        said
    }
}

impl Drive {
    /// What became of it since the last step.
    fn step(&mut self) -> Option<(SkillState, String)> {
        let failed = |why, text: &str| Some((SkillState::Failed(why), text.to_owned()));
        let Some(sent) = &mut self.sent else {
            return failed(SkillFailure::Precondition, UNHEARD);
        };
        match sent.turn() {
            Some(Step::Taken) => {
                self.is_taken = true;
                if !self.is_wanted {
                    sent.cancel();
                }
                Some((SkillState::Running, "Nav2 drives".into()))
            }
            Some(Step::Refused(e)) if self.is_taken => {
                failed(SkillFailure::Blocked, &format!("Nav2 ended: {e}"))
            }
            Some(Step::Refused(e)) => {
                failed(SkillFailure::Precondition, &format!("Nav2 refuses the goal: {e}"))
            }
            Some(Step::Ended(GoalStatus::Succeeded, _)) => Some((SkillState::Done, "Nav2 arrived".into())),
            Some(Step::Ended(GoalStatus::Canceled, _)) => {
                failed(SkillFailure::Cancelled, "Nav2 was stopped by somebody")
            }
            Some(Step::Ended(_, result)) => {
                let (why, text) = navigation_failure(result.error_code);
                let text = format!("Nav2 gave up with code {}: {text}", result.error_code);
                failed(why, &text)
            }
            None if !self.is_taken && self.since.elapsed() > PATIENCE => {
                failed(SkillFailure::Precondition, UNHEARD)
            }
            None => None,
        }
    }
}

fn goal(at: Time, to: Pose2) -> NavigateToPose::Goal {
    let mut goal = NavigateToPose::Goal::default();
    goal.pose.header.frame_id = frames::MAP.into();
    goal.pose.header.stamp.sec = at.nanos().div_euclid(1_000_000_000) as i32;
    goal.pose.header.stamp.nanosec = at.nanos().rem_euclid(1_000_000_000) as u32;
    goal.pose.pose.position.x = to.x_m;
    goal.pose.pose.position.y = to.y_m;
    goal.pose.pose.orientation.z = (0.5 * to.yaw_rad).sin();
    goal.pose.pose.orientation.w = (0.5 * to.yaw_rad).cos();
    goal
}
