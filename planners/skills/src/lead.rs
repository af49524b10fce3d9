//! The hand on a bar along the bar's way.

use steward_core::Time;
use steward_core::messages::SkillFailure;

use crate::machine::{Commands, Context, Inputs, Part};
use crate::parts::HandlePath;
use crate::posture::fingers;
use crate::slide::{Follower, WAIT_ERROR_M, ease, hand_error_m};

/// How quickly a handle is led, metres per second.
const LEAD_SPEED_M_S: f64 = 0.18;
/// How long the hand may lag behind, seconds.
const STUCK_S: f64 = 2.5;

/// Leading a handle along its way.
#[derive(Debug, Clone)]
pub(crate) struct Lead {
    pub(crate) path: HandlePath,
    pub(crate) at: f64,
    pub(crate) goal: f64,
    radius_m: f64,
    last: Option<Time>,
    good_at: Option<Time>,
    /// Position at the last mark of progress, and when that was.
    mark: Option<(f64, Time)>,
    follower: Follower,
}

impl Lead {
    pub(crate) fn new(path: HandlePath, start: f64, goal: f64) -> Self {
        let (a, b) = (path.handle_at(start), path.handle_at(start + 0.1));
        Lead {
            path,
            at: start,
            goal,
            // Metres of handle motion per unit of the part's position.
            radius_m: ((b - a).norm() / 0.1).max(0.05),
            last: None,
            good_at: None,
            mark: None,
            follower: Follower::default(),
        }
    }

    pub(crate) fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let dt = self
            .last
            .map_or(0.0, |t| (inputs.now - t).secs_f64().clamp(0.0, 0.1));
        self.last = Some(inputs.now);
        fingers(&ctx.robot, out, 0.0, 0.6);
        let hand = self.path.hand_at(self.at);
        let error = hand_error_m(&ctx.robot, inputs, &hand);
        if error < WAIT_ERROR_M {
            self.good_at = Some(inputs.now);
        }
        let good_at = *self.good_at.get_or_insert(inputs.now);
        let near_end = (self.goal - self.at).abs() * self.radius_m < 0.003;
        let (mark, marked) = *self.mark.get_or_insert((self.at, inputs.now));
        if (self.at - mark).abs() * self.radius_m > 0.02 {
            self.mark = Some((self.at, inputs.now));
        }
        let halted = !near_end && (inputs.now - marked).secs_f64() > 1.5 * STUCK_S;
        if halted || (inputs.now - good_at).secs_f64() > STUCK_S {
            return Part::Failed(
                SkillFailure::Stuck,
                format!("it stopped at {:.2}, the hand {error:.2} m behind", self.at),
            );
        }
        let empty = inputs
            .contacts
            .is_some_and(|c| !c.left && !c.right && c.opening_m < 0.006);
        if empty {
            return Part::Failed(
                SkillFailure::GraspFailed,
                format!("the handle slipped out of the fingers at {:.2}", self.at),
            );
        }
        let left = self.goal - self.at;
        if near_end && (error < 0.015 || (inputs.now - good_at).secs_f64() > 0.6) {
            return Part::Finished;
        }
        let step = LEAD_SPEED_M_S * ease(error) * dt / self.radius_m;
        self.at += left.clamp(-step, step);
        let hand = self.path.hand_at(self.at);
        if self.follower.bring(ctx, inputs, &hand, out).is_err() {
            return Part::Failed(
                SkillFailure::Stuck,
                format!("at {:.2} it went out of reach", self.at),
            );
        }
        Part::Busy
    }
}
