//! The hand on a straight way with its fingers as they are, the base turning with it. The arm only extends, so without the
//! base's help a hand that does not point straight ahead comes in askew, and its fingers push what is between them.

use steward_core::Time;
use steward_core::geometry::wrap_angle_rad;

use crate::drive::Smoother;
use crate::ik::{self, HandPose, Miss};
use crate::machine::{Commands, Context, Inputs, Part};
use crate::robot::{ARM, Robot};

/// Distance between where the hand is and should be at which the motion waits, metres.
pub(crate) const WAIT_ERROR_M: f64 = 0.03;
/// Distance from the end at which the hand counts as there, metres.
const THERE_M: f64 = 0.006;
/// How long the hand may lag behind before it counts as stopped, seconds.
const SETTLE_S: f64 = 0.6;
/// Time beyond what the way takes after which it ends in any case, seconds.
const SLACK_S: f64 = 2.2;

/// Moves arm and base heading so that the hand follows a pose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follower {
    smoother: Smoother,
    /// Heading asked for in the last control period.
    heading: Option<(f64, Time)>,
}

impl Follower {
    /// Brings the hand to a pose close to where it is.
    ///
    /// # Errors
    /// [`Miss`] where the pose is out of reach from where the base stands.
    pub(crate) fn bring(
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

/// A straight way of the hand.
#[derive(Debug, Clone)]
pub(crate) struct Slide {
    from: HandPose,
    to: HandPose,
    speed_m_s: f64,
    length_m: f64,
    /// How far along it the hand should be, metres.
    at_m: f64,
    started: Option<Time>,
    last: Option<Time>,
    good_at: Option<Time>,
    follower: Follower,
}

impl Slide {
    /// A way between two positions of the hand; it points as at the end all the way.
    pub(crate) fn between(from: &HandPose, to: &HandPose, speed_m_s: f64) -> Self {
        Slide {
            from: *from,
            to: *to,
            speed_m_s,
            length_m: (to.position - from.position).norm(),
            at_m: 0.0,
            started: None,
            last: None,
            good_at: None,
            follower: Follower::default(),
        }
    }

    /// One control period. Finished also where the hand touches something or gets out of reach.
    pub(crate) fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let now = inputs.now;
        let started = *self.started.get_or_insert(now);
        let dt = self.last.map_or(0.0, |t| (now - t).secs_f64().clamp(0.0, 0.1));
        self.last = Some(now);
        let error = hand_error_m(&ctx.robot, inputs, &self.hand());
        let left = self.length_m - self.at_m;
        let arrived = left < 1e-6;
        if error < if arrived { THERE_M } else { WAIT_ERROR_M } {
            if arrived {
                return Part::Finished;
            }
            self.good_at = Some(now);
        }
        let behind = (now - *self.good_at.get_or_insert(now)).secs_f64() > SETTLE_S;
        let longest_s = SLACK_S + 1.5 * self.length_m / self.speed_m_s;
        if behind || (now - started).secs_f64() > longest_s {
            return Part::Finished;
        }
        self.at_m += left.min(self.speed_m_s * ease(error) * dt);
        match self.follower.bring(ctx, inputs, &self.hand(), out) {
            Ok(()) => Part::Busy,
            Err(_) => Part::Finished,
        }
    }

    /// Where the hand should be.
    fn hand(&self) -> HandPose {
        let share = if self.length_m > 0.0 {
            self.at_m / self.length_m
        } else {
            1.0
        };
        HandPose {
            position: self.from.position + (self.to.position - self.from.position) * share,
            ..self.to
        }
    }
}

/// Share of the full speed at which the hand is led while it is off by an error, so that it can catch up.
pub(crate) fn ease(error_m: f64) -> f64 {
    (1.5 * (1.0 - error_m / WAIT_ERROR_M)).clamp(0.0, 1.0)
}

/// Distance between where the hand is and where it should be, metres.
pub(crate) fn hand_error_m(robot: &Robot, inputs: &Inputs, hand: &HandPose) -> f64 {
    let actual = inputs.hand(robot);
    (actual.translation.vector - hand.position.coords).norm()
}
