//! The hand on its way back from what it has let go of, or gave up.

use crate::ik::HandPose;
use crate::machine::{Commands, Context, Inputs, Part};
use crate::posture::{ArmMotion, ArmState, Waypoint};
use crate::reach;
use crate::slide::Slide;

/// Speed of the hand straight off a thing, metres per second.
const OFF_SPEED_M_S: f64 = 0.2;

/// Straight off the thing, so that the fingers do not push it, then back with the arm.
#[derive(Debug, Clone)]
pub(crate) struct Withdrawal {
    off: Off,
    back: Option<ArmMotion>,
    /// Fraction of the largest joint speeds of the way back.
    speed: f64,
}

#[derive(Debug, Clone)]
enum Off {
    /// Along the fingers, the base turning with the hand.
    Slide(Slide),
    /// Straight up.
    Rise(ArmMotion),
    Done,
}

fn hand_now(ctx: &Context, inputs: &Inputs) -> HandPose {
    HandPose::of(&inputs.hand(&ctx.robot))
}

impl Withdrawal {
    /// Back along the fingers by a distance first.
    pub(crate) fn along_fingers(ctx: &Context, inputs: &Inputs, distance_m: f64, speed: f64) -> Self {
        let hand = hand_now(ctx, inputs);
        Self::sliding(&hand, &hand.backed_off(distance_m), speed)
    }

    /// Back at the height of the hand by a distance first, for what it holds.
    pub(crate) fn level(ctx: &Context, inputs: &Inputs, distance_m: f64, speed: f64) -> Self {
        let hand = hand_now(ctx, inputs);
        Self::sliding(&hand, &hand.drawn_back(distance_m), speed)
    }

    fn sliding(from: &HandPose, to: &HandPose, speed: f64) -> Self {
        Withdrawal {
            off: Off::Slide(Slide::between(from, to, OFF_SPEED_M_S)),
            back: None,
            speed,
        }
    }

    /// Straight up by a distance first.
    pub(crate) fn upwards(ctx: &Context, inputs: &Inputs, distance_m: f64, speed: f64) -> Self {
        let up = reach::risen(&ctx.robot, inputs.posture(), distance_m);
        let motion = ArmMotion::through(vec![Waypoint::new(up, speed)]);
        Withdrawal {
            off: Off::Rise(motion),
            back: None,
            speed,
        }
    }

    /// Whether the fingers are off the thing.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.off, Off::Done)
    }

    /// One control period; the end is the retracted arm.
    pub(crate) fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> ArmState {
        let is_busy = match &mut self.off {
            Off::Slide(slide) => slide.step(ctx, inputs, out) == Part::Busy,
            Off::Rise(motion) => motion.step(&ctx.robot, inputs, out) == ArmState::Busy,
            Off::Done => false,
        };
        if is_busy {
            return ArmState::Busy;
        }
        self.off = Off::Done;
        let way = || ArmMotion::through(reach::way_back(&ctx.robot, inputs.posture(), self.speed));
        self.back.get_or_insert_with(way).step(&ctx.robot, inputs, out)
    }
}
