//! Bringing the hand to a pose in `map`: face it, reach out, line up, then straight in.

use crate::drive::Turn;
use crate::ik::{self, HandPose, Miss};
use crate::machine::{Commands, Context, Inputs, Part};
use crate::posture::{ArmMotion, ArmState};
use crate::reach;

/// Sideways error with which the hand may go on, metres.
const LATERAL_TOLERANCE_M: f64 = 0.006;
/// How often the base is turned again with the arm out.
const MAX_CORRECTIONS: u32 = 3;

/// A motion of base heading and arm that ends with the hand at a pose.
#[derive(Debug, Clone)]
pub struct Handing {
    hand: HandPose,
    before: HandPose,
    speed: f64,
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    Face(Turn),
    Out(ArmMotion),
    Correct(Turn, u32),
    In(ArmMotion),
}

/// How far the hand has got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HandState {
    /// On its way: what it does.
    Busy(&'static str),
    /// There, or stopped by a touch on the last stretch.
    Arrived,
    /// Out of range.
    Failed(Miss),
}

impl Handing {
    /// A motion to `hand` by way of `before`; `base_yaw_rad`: the heading that [`ik::solve`] asks for; `speed`:
    /// fraction of the largest joint speeds on the last stretch.
    pub fn new(hand: HandPose, before: HandPose, base_yaw_rad: f64, speed: f64) -> Self {
        Handing {
            hand,
            before,
            speed,
            phase: Phase::Face(Turn::to(base_yaw_rad, 0.008)),
        }
    }

    /// The pose it ends at.
    pub fn hand(&self) -> &HandPose {
        &self.hand
    }

    /// Whether the hand is on the last straight stretch.
    pub fn is_closing_in(&self) -> bool {
        matches!(self.phase, Phase::In(_))
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> HandState {
        match &mut self.phase {
            Phase::Face(turn) => {
                if turn.step(ctx, inputs, out) != Part::Busy {
                    match ik::solve_facing(&ctx.robot, &inputs.base, &self.before) {
                        Ok(posture) => {
                            let way = reach::way_out(inputs.posture(), posture);
                            self.phase = Phase::Out(ArmMotion::through(way));
                        }
                        Err(miss) => return HandState::Failed(miss),
                    }
                }
                HandState::Busy("facing it")
            }
            Phase::Out(motion) => {
                if motion.step(&ctx.robot, inputs, out) != ArmState::Busy {
                    self.phase = Phase::Correct(Turn::to(inputs.base.yaw_rad, 0.02), 0);
                }
                HandState::Busy("reaching out")
            }
            Phase::Correct(turn, corrections) => {
                if turn.step(ctx, inputs, out) == Part::Busy {
                    return HandState::Busy("lining up");
                }
                let base = (inputs.base.x_m, inputs.base.y_m);
                let solution = match ik::solve(&ctx.robot, base, &self.hand) {
                    Ok(solution) => solution,
                    Err(miss) => return HandState::Failed(miss),
                };
                let lateral = ik::lateral_error_m(&ctx.robot, &inputs.base, &solution);
                if lateral.abs() > LATERAL_TOLERANCE_M && *corrections < MAX_CORRECTIONS {
                    self.phase = Phase::Correct(Turn::to(solution.base_yaw_rad, 0.005), *corrections + 1);
                    return HandState::Busy("lining up");
                }
                match reach::straight(&ctx.robot, &inputs.base, &self.before, &self.hand, self.speed) {
                    Ok(way) => {
                        self.phase = Phase::In(ArmMotion::through(way));
                        HandState::Busy("approaching")
                    }
                    Err(miss) => HandState::Failed(miss),
                }
            }
            Phase::In(motion) => match motion.step(&ctx.robot, inputs, out) {
                ArmState::Busy => HandState::Busy("approaching"),
                ArmState::Arrived | ArmState::Stalled(_) => HandState::Arrived,
            },
        }
    }
}
