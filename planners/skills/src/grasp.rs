//! Grasps for an upright box: from above, and from the front at several slopes, the hand coming in along its fingers
//! or down beside the box.

use std::f64::consts::{FRAC_PI_2, PI};

use steward_core::geometry::{OrientedBox, Vector3, wrap_angle_rad};

use crate::config::SkillsConfig;
use crate::ik::HandPose;
use crate::passage::may_be_round;
use crate::robot::Robot;

/// One way to take hold of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grasp {
    /// Where the hand closes.
    pub hand: HandPose,
    /// Width between the fingers there, metres.
    pub width_m: f64,
    /// Where the hand is before and after: a straight way from there.
    pub before: HandPose,
    /// From above rather than from the front.
    pub from_above: bool,
    /// The last way is straight down rather than along the fingers.
    pub comes_down: bool,
    /// Smaller is better.
    pub cost: f64,
}

impl Grasp {
    /// Length of the straight way there, metres.
    pub fn way_m(&self) -> f64 {
        (self.before.position - self.hand.position).norm()
    }
}

/// Room between finger tips and support, metres; less for flat things, of which the pads would miss too much.
const TIP_CLEARANCE_M: f64 = 0.008;
/// How far down the side of a thing the finger tips reach at least, metres.
const OVERLAP_M: f64 = 0.003;
/// Room between the palm and the thing, metres.
const PALM_CLEARANCE_M: f64 = 0.012;
/// Room between the finger tips and the top of the thing before they go down beside it, metres: a hand that comes
/// from the side must not topple it.
const OVER_TOP_M: f64 = 0.035;
/// Smallest way of the hand straight down, metres.
const DESCENT_M: f64 = 0.10;
/// Things higher than this that are slender are taken from the front, metres: from above, only their top is in reach
/// of the fingers, and a touch on the way topples them.
const TALL_M: f64 = 0.17;

/// Slopes of the hand for grasps from the front, radians below the horizontal: the steep ones take flat things from
/// where something overhangs them.
const PITCHES_RAD: [f64; 4] = [0.0, 0.4, 0.8, 1.15];
/// How far from the direction ahead a hand that comes down beside a thing may point, and one that comes along its
/// fingers, radians.
const MAX_TURN_RAD: (f64, f64) = (1.75, 1.2);
/// What a hand costs that points away from the direction ahead, per radian.
const TURN_COST: f64 = 0.6;
/// What coming down beside a thing costs more than coming straight in.
const DOWN_COST: f64 = 0.3;
/// Half thickness of a finger, metres.
const FINGER_HALF_M: f64 = 0.011;
/// Height over a support of the grasp centre of a hand that comes in level, metres.
const LEVEL_HAND_M: f64 = 0.03;

/// Grasps of an upright box, best first. `base`: where the base stands; front grasps come from there.
pub fn candidates(robot: &Robot, config: &SkillsConfig, shape: &OrientedBox, base: (f64, f64)) -> Vec<Grasp> {
    let mut grasps = from_above(robot, config, shape);
    grasps.extend(from_front(robot, config, shape, base));
    grasps.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    grasps
}

/// Width of the box between two parallel planes at right angles to a horizontal direction, metres. What is about as
/// wide as deep may be round, so it is taken from the ellipse in it.
fn width_across(shape: &OrientedBox, yaw_rad: f64) -> f64 {
    let a = yaw_rad - shape.yaw_rad;
    let (x, y) = (shape.half.x * a.cos().abs(), shape.half.y * a.sin().abs());
    2.0 * if may_be_round(&shape.half) {
        x.hypot(y)
    } else {
        x + y
    }
}

/// Distance from the box's middle to its side along a horizontal direction, metres.
fn depth_along(shape: &OrientedBox, yaw_rad: f64) -> f64 {
    let a = yaw_rad - shape.yaw_rad;
    let to = |half: f64, c: f64| {
        if c.abs() < 1e-9 {
            f64::INFINITY
        } else {
            half / c.abs()
        }
    };
    to(shape.half.x, a.cos()).min(to(shape.half.y, a.sin()))
}

fn from_above(robot: &Robot, config: &SkillsConfig, shape: &OrientedBox) -> Vec<Grasp> {
    let (top, bottom) = (shape.top_m(), shape.bottom_m());
    let lowest = bottom + robot.tip_m + (0.25 * (top - bottom)).clamp(0.002, TIP_CLEARANCE_M);
    let palm_limit = top - robot.palm_m + PALM_CLEARANCE_M;
    // Deep is firm: at half height, as far as the palm allows, the tips above the support.
    let wanted = (bottom + 0.45 * (top - bottom)).min(top - 0.02);
    let reachable = robot.height_at_zero_m + robot.arm[0].lower - robot.pitch_grasp_m + 1e-3;
    let z = wanted.max(lowest).max(palm_limit).max(reachable);
    if z - robot.tip_m > top - OVERLAP_M {
        return Vec::new();
    }
    let standoff_m = (top - z + robot.tip_m + OVER_TOP_M).max(DESCENT_M);
    let slender = top - bottom > TALL_M.max(2.0 * 2.0 * shape.half.x.min(shape.half.y));
    let turns: &[f64] = if may_be_round(&shape.half) {
        &[0.0, FRAC_PI_2, PI / 4.0, -PI / 4.0]
    } else {
        &[0.0, FRAC_PI_2, 0.3, -0.3, FRAC_PI_2 + 0.3, FRAC_PI_2 - 0.3]
    };
    turns
        .iter()
        .enumerate()
        .filter_map(|(i, turn)| {
            let closing = shape.yaw_rad + turn;
            let width = width_across(shape, closing);
            if width > config.max_grasp_width_m {
                return None;
            }
            let mut position = shape.center;
            position.z = z;
            let hand = HandPose::from_above(position, closing);
            Some(Grasp {
                hand,
                width_m: width,
                before: hand.backed_off(standoff_m),
                from_above: true,
                comes_down: true,
                cost: width * 3.0 + if i < 2 { 0.0 } else { 0.25 } + if slender { 1.5 } else { 0.0 },
            })
        })
        .collect()
}

fn from_front(robot: &Robot, config: &SkillsConfig, shape: &OrientedBox, base: (f64, f64)) -> Vec<Grasp> {
    let toward = (shape.center.y - base.1).atan2(shape.center.x - base.0);
    let height = shape.top_m() - shape.bottom_m();
    let askew = [0.0, 0.35, -0.35, 0.7, -0.7].map(|turn| (turn, false));
    // Square to a side the fingers close on two faces. Long things often stand along the wall that they are reached at
    // from the front.
    let square = (0..4).flat_map(|k| {
        let turn = wrap_angle_rad(shape.yaw_rad + FRAC_PI_2 * f64::from(k) - toward);
        [(turn, true), (turn, false)]
    });
    let is_possible = |(turn, comes_down): &(f64, bool)| {
        let most = if *comes_down {
            MAX_TURN_RAD.0
        } else {
            MAX_TURN_RAD.1
        };
        turn.abs() < most
    };
    let headings: Vec<(f64, bool)> = askew.into_iter().chain(square.filter(is_possible)).collect();
    let mut grasps = Vec::new();
    for pitch in PITCHES_RAD {
        let (down, ahead) = pitch.sin_cos();
        // Tips and, where the hand comes in level, the palm stay off the support.
        let off = (0.25 * height).clamp(0.002, TIP_CLEARANCE_M);
        let tips = down * robot.tip_m + ahead * FINGER_HALF_M;
        let palm = LEVEL_HAND_M - down * robot.palm_m;
        let lowest = shape.bottom_m() + (tips + off).max(palm);
        let z = (shape.bottom_m() + 0.55 * height).max(lowest);
        if z - down * robot.tip_m > shape.top_m() - 0.008 {
            continue;
        }
        let over_m = shape.top_m() - z + (down * robot.tip_m + LEVEL_HAND_M) + OVER_TOP_M;
        for (turn, comes_down) in &headings {
            let heading = wrap_angle_rad(toward + turn);
            let width = width_across(shape, heading + FRAC_PI_2);
            let depth = depth_along(shape, heading);
            if width > config.max_grasp_width_m {
                continue;
            }
            // The palm stays in front, or above; the fingers reach the middle if they can.
            let above = z + robot.palm_m * down > shape.top_m() + PALM_CLEARANCE_M;
            let room = if above {
                depth
            } else {
                robot.palm_m * ahead - PALM_CLEARANCE_M
            };
            let back = (depth - room).max(0.0);
            if back > 0.6 * depth {
                continue;
            }
            let mut position = shape.center;
            position.x -= back * heading.cos();
            position.y -= back * heading.sin();
            position.z = z;
            let hand = HandPose::from_front(position, heading, pitch, false);
            let (before, extra) = if *comes_down {
                (hand.moved(Vector3::z() * over_m), DOWN_COST)
            } else {
                (hand.backed_off(0.13 + (depth - 0.04).max(0.0)), 0.0)
            };
            grasps.push(Grasp {
                hand,
                width_m: width,
                before,
                from_above: false,
                comes_down: *comes_down,
                cost: 1.0 + extra + width * 3.0 + TURN_COST * turn.abs() + 0.3 * (pitch - 0.4).abs(),
            });
        }
    }
    grasps
}
