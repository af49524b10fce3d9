//! Bringing the hand to a pose in `map`: face it, reach out, line up, then straight in: down with the arm alone, along
//! the fingers with the base turning along.

use steward_core::geometry::Pose2;

use crate::drive::Turn;
use crate::ik::{self, HandPose, Miss};
use crate::machine::{Commands, Context, Inputs, Part};
use crate::posture::{ArmMotion, ArmState, fingers, free_way};
use crate::reach;
use crate::robot::LIFT;
use crate::slide::Slide;

/// Sideways error with which the hand may go on, metres.
const LATERAL_TOLERANCE_M: f64 = 0.006;
/// Sideways error with which the hand would miss, metres.
const MISSES_M: f64 = 0.02;
/// How far short of where it should be a joint was stopped on the way out, metres or radians.
const STOPPED: f64 = 0.05;
/// How often the base is turned again with the arm out.
const MAX_CORRECTIONS: u32 = 3;

/// A motion of base heading and arm that ends with the hand at a pose.
#[derive(Debug, Clone)]
pub struct Handing {
    hand: HandPose,
    before: HandPose,
    base_yaw_rad: f64,
    speed: f64,
    opening_m: Option<f64>,
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    Face(Turn),
    Out(ArmMotion),
    Correct(Turn, u32),
    In(ArmMotion),
    SlideIn(Slide),
}

/// How far the hand has got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HandState {
    /// On its way: what it does.
    Busy(&'static str),
    /// There, or stopped by a touch on the last stretch.
    Arrived,
    /// It does not get there.
    Failed(Unreached),
}

/// Why the hand does not get to its pose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unreached {
    /// Out of the arm's range from where the base stands.
    Range(Miss),
    /// The base does not turn to where the hand would be in line: metres sideways.
    Beside(f64),
    /// Something stopped the arm on the way out: metres or radians short.
    Stopped(f64),
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreached::Range(miss) => write!(f, "{miss}"),
            Unreached::Stopped(short) => {
                write!(
                    f,
                    "not reached, since something stopped the arm on its way out, {short:.2} short"
                )
            }
            Unreached::Beside(m) => write!(f, "{:.2} m beside the hand, which cannot be lined up", m.abs()),
        }
    }
}

impl Handing {
    /// A motion to `hand` by way of `before`; `base_yaw_rad`: the heading that [`ik::solve`] asks for at `before`; `speed`:
    /// fraction of the largest joint speeds on the last stretch.
    pub fn new(hand: HandPose, before: HandPose, base_yaw_rad: f64, speed: f64) -> Self {
        Handing {
            hand,
            before,
            base_yaw_rad,
            speed,
            opening_m: None,
            phase: Phase::Face(Turn::to(base_yaw_rad, 0.008)),
        }
    }

    /// The fingers open by so much on the way.
    pub fn with_fingers(mut self, opening_m: f64) -> Self {
        self.opening_m = Some(opening_m);
        self
    }

    /// The pose it ends at.
    pub fn hand(&self) -> &HandPose {
        &self.hand
    }

    /// Whether the hand is out and only the last straight stretch is left.
    pub fn is_lining_up(&self) -> bool {
        matches!(self.phase, Phase::Correct(..))
    }

    /// Whether the arm has left the body.
    pub fn is_out(&self) -> bool {
        !matches!(self.phase, Phase::Face(_))
    }

    /// Whether the hand is on the last straight stretch.
    pub fn is_closing_in(&self) -> bool {
        matches!(self.phase, Phase::In(_) | Phase::SlideIn(_))
    }

    /// How far the hand is from where it should end: to the side or ahead, and above, metres.
    pub fn left_m(&self, ctx: &Context, inputs: &Inputs) -> (f64, f64) {
        let hand = inputs.hand(&ctx.robot);
        let left = hand.translation.vector - self.hand.position.coords;
        (left.x.hypot(left.y), left.z)
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> HandState {
        if let Some(opening_m) = self.opening_m
            && !matches!(self.phase, Phase::Face(_))
        {
            fingers(&ctx.robot, out, opening_m, 1.0);
        }
        match &mut self.phase {
            Phase::Face(turn) => {
                let turned = turn.step(ctx, inputs, out) != Part::Busy;
                if turned {
                    match ik::solve_facing(&ctx.robot, &inputs.base, &self.before) {
                        Ok(posture) => {
                            let free =
                                reach::TURN_MARGINS_M.map(|m| free_way(ctx, inputs, self.opening_m, m));
                            let way = reach::way_out(&ctx.robot, inputs.posture(), posture, &free);
                            self.phase = Phase::Out(ArmMotion::through(way));
                        }
                        Err(miss) => return HandState::Failed(Unreached::Range(miss)),
                    }
                } else {
                    self.raise(ctx, inputs, out);
                }
                HandState::Busy("facing it")
            }
            Phase::Out(motion) => {
                match motion.step(&ctx.robot, inputs, out) {
                    ArmState::Stalled(short) if short > STOPPED => {
                        return HandState::Failed(Unreached::Stopped(short));
                    }
                    ArmState::Busy => {}
                    ArmState::Arrived | ArmState::Stalled(_) => {
                        self.phase = Phase::Correct(Turn::to(inputs.base.yaw_rad, 0.02), 0);
                    }
                }
                HandState::Busy("reaching out")
            }
            Phase::Correct(turn, corrections) => {
                if turn.step(ctx, inputs, out) == Part::Busy {
                    return HandState::Busy("lining up");
                }
                let base = (inputs.base.x_m, inputs.base.y_m);
                let solution = match ik::solve(&ctx.robot, base, &self.before) {
                    Ok(solution) => solution,
                    Err(miss) => return HandState::Failed(Unreached::Range(miss)),
                };
                let lateral = ik::lateral_error_m(&ctx.robot, &inputs.base, &solution);
                if lateral.abs() > LATERAL_TOLERANCE_M && *corrections < MAX_CORRECTIONS {
                    self.phase = Phase::Correct(Turn::to(solution.base_yaw_rad, 0.005), *corrections + 1);
                    return HandState::Busy("lining up");
                }
                if lateral.abs() > MISSES_M {
                    return HandState::Failed(Unreached::Beside(lateral));
                }
                if self.goes_sideways() {
                    let speed_m_s = self.speed * ctx.robot.arm[1].velocity;
                    self.phase = Phase::SlideIn(Slide::between(&self.before, &self.hand, speed_m_s));
                    return HandState::Busy("approaching");
                }
                match reach::straight(&ctx.robot, &inputs.base, &self.before, &self.hand, self.speed) {
                    Ok(way) => {
                        self.phase = Phase::In(ArmMotion::through(way));
                        HandState::Busy("approaching")
                    }
                    Err(miss) => HandState::Failed(Unreached::Range(miss)),
                }
            }
            Phase::In(motion) => match motion.step(&ctx.robot, inputs, out) {
                ArmState::Busy => HandState::Busy("approaching"),
                ArmState::Arrived | ArmState::Stalled(_) => HandState::Arrived,
            },
            Phase::SlideIn(slide) => match slide.step(ctx, inputs, out) {
                Part::Busy => HandState::Busy("approaching"),
                Part::Finished | Part::Failed(..) => HandState::Arrived,
            },
        }
    }

    /// Whether the last stretch leads anywhere but up or down.
    fn goes_sideways(&self) -> bool {
        let way = self.hand.position - self.before.position;
        way.xy().norm() > 0.2 * way.norm()
    }

    /// While the base turns, the retracted arm is brought to height.
    fn raise(&self, ctx: &Context, inputs: &Inputs, out: &mut Commands) {
        if inputs.posture().extend_m > reach::RETRACTED_M {
            return;
        }
        let facing = Pose2::new(inputs.base.x_m, inputs.base.y_m, self.base_yaw_rad);
        if let Ok(posture) = ik::solve_facing(&ctx.robot, &facing, &self.before) {
            let lift_m = posture.lift_m.max(ctx.robot.lift_over_base_m());
            out.joint(LIFT, ctx.robot.arm[0].clamp(lift_m), ctx.robot.arm[0].velocity);
        }
    }
}
