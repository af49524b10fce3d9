//! The hand on a bar: straight onto it, along its way, straight off it.

use steward_core::Time;
use steward_core::geometry::wrap_angle_rad;
use steward_core::messages::SkillFailure;

use crate::drive::Smoother;
use crate::handle_plan::APPROACH_M;
use crate::ik::{self, HandPose, Miss};
use crate::machine::{Commands, Context, Inputs, Part};
use crate::parts::HandlePath;
use crate::posture::fingers;
use crate::robot::{ARM, Robot};

/// How quickly a handle is led, metres per second.
const LEAD_SPEED_M_S: f64 = 0.18;
/// Distance between where the hand is and should be at which the leading waits, and at which it counts as stuck.
const WAIT_ERROR_M: f64 = 0.03;
/// How long the hand may lag behind, seconds.
const STUCK_S: f64 = 2.5;
/// Speed of the hand onto and off a bar, metres per second.
const SLIDE_SPEED_M_S: f64 = 0.15;

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

/// Share of the full speed at which the hand is led while it is off by an error, so that it can catch up.
fn ease(error_m: f64) -> f64 {
    (1.5 * (1.0 - error_m / WAIT_ERROR_M)).clamp(0.0, 1.0)
}

/// Moves arm and base heading so that the hand follows a pose.
#[derive(Debug, Clone, Default)]
struct Follower {
    smoother: Smoother,
    /// Heading asked for in the last control period.
    heading: Option<(f64, Time)>,
}

impl Follower {
    /// Brings the hand to a pose close to where it is. Whether that is in reach.
    fn bring(
        &mut self,
        ctx: &Context,
        inputs: &Inputs,
        hand: &HandPose,
        out: &mut Commands,
    ) -> Result<(), Miss> {
        let solution = ik::solve(&ctx.robot, (inputs.base.x_m, inputs.base.y_m), hand)?;
        let posture = ik::solve_facing(&ctx.robot, &inputs.base, hand).unwrap_or(solution.posture);
        for (i, (name, q)) in ARM.iter().zip(posture.to_array()).enumerate() {
            out.joint(name, ctx.robot.arm[i].clamp(q), ctx.robot.arm[i].velocity);
        }
        // What the heading lags behind, the hand is off sideways, so its rate is commanded, too.
        let heading = solution.base_yaw_rad;
        let rate = self.heading.map_or(0.0, |(before, at)| {
            wrap_angle_rad(heading - before) / (inputs.now - at).secs_f64().max(0.01)
        });
        self.heading = Some((heading, inputs.now));
        let turn = wrap_angle_rad(heading - inputs.base.yaw_rad);
        let w = if turn.abs() < 0.003 && rate.abs() < 0.003 {
            0.0
        } else {
            (rate + 5.0 * turn).clamp(-1.0, 1.0)
        };
        out.base = self.smoother.limit(ctx, inputs, (0.0, w));
        Ok(())
    }
}

/// The hand on a straight way along its fingers, the base turning with it: fingers on both sides of a bar must not
/// move sideways.
#[derive(Debug, Clone)]
pub(crate) struct Slide {
    /// The hand on the bar.
    hand: HandPose,
    /// Distance from there, now and at the end, metres.
    back_m: f64,
    end_m: f64,
    started: Option<Time>,
    last: Option<Time>,
    good_at: Option<Time>,
    follower: Follower,
}

impl Slide {
    pub(crate) fn to_bar(hand: &HandPose) -> Self {
        Slide::new(hand, APPROACH_M, 0.0)
    }

    pub(crate) fn off_bar(hand: &HandPose) -> Self {
        Slide::new(hand, 0.0, APPROACH_M)
    }

    fn new(hand: &HandPose, back_m: f64, end_m: f64) -> Self {
        Slide {
            hand: *hand,
            back_m,
            end_m,
            started: None,
            last: None,
            good_at: None,
            follower: Follower::default(),
        }
    }

    /// One control period. Finished also where the hand touches something or gets out of reach.
    pub(crate) fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        const SETTLE_S: f64 = 0.6;
        const LONGEST_S: f64 = 3.0;
        let now = inputs.now;
        let started = *self.started.get_or_insert(now);
        let dt = self.last.map_or(0.0, |t| (now - t).secs_f64().clamp(0.0, 0.1));
        self.last = Some(now);
        let error = hand_error_m(&ctx.robot, inputs, &self.hand.backed_off(self.back_m));
        let left = self.end_m - self.back_m;
        let arrived = left.abs() < 1e-6;
        if error < if arrived { 0.006 } else { WAIT_ERROR_M } {
            if arrived {
                return Part::Finished;
            }
            self.good_at = Some(now);
        }
        let behind = (now - *self.good_at.get_or_insert(now)).secs_f64() > SETTLE_S;
        if behind || (now - started).secs_f64() > LONGEST_S {
            return Part::Finished;
        }
        let step = SLIDE_SPEED_M_S * ease(error) * dt;
        self.back_m += left.clamp(-step, step);
        let hand = self.hand.backed_off(self.back_m);
        match self.follower.bring(ctx, inputs, &hand, out) {
            Ok(()) => Part::Busy,
            Err(_) => Part::Finished,
        }
    }
}

/// Distance between where the hand is and where it should be, metres.
fn hand_error_m(robot: &Robot, inputs: &Inputs, hand: &HandPose) -> f64 {
    let actual = inputs.base.to_pose3() * robot.grasp_center(&inputs.posture());
    (actual.translation.vector - hand.position.coords).norm()
}
