//! Moving the arm through postures, and the posture for driving.

use std::f64::consts::FRAC_PI_2;

use steward_core::geometry::{Point3, Vector3};
use steward_core::{Duration, Time};

use crate::collision::{Obstacles, Payload};
use crate::ik::HandPose;
use crate::machine::{Commands, Context, Held, Inputs, Part};
use crate::robot::{ARM, GRIPPER, Posture, Robot};
use crate::slide::Slide;

/// A posture on the way, and how quickly to get there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waypoint {
    /// Where the joints go, arriving together.
    pub posture: Posture,
    /// Fraction of the largest joint speeds.
    pub speed: f64,
}

impl Waypoint {
    /// A waypoint at a fraction of the largest speeds.
    pub fn new(posture: Posture, speed: f64) -> Self {
        Waypoint { posture, speed }
    }
}

/// How far a motion of the arm has got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArmState {
    /// On its way.
    Busy,
    /// There.
    Arrived,
    /// Something holds it back; the largest remaining error, metres or radians.
    Stalled(f64),
}

/// A motion of the arm through waypoints.
#[derive(Debug, Clone)]
pub struct ArmMotion {
    waypoints: Vec<Waypoint>,
    next: usize,
    speeds: Option<[f64; 5]>,
    last: Option<([f64; 5], Time)>,
}

/// Errors at which a joint counts as arrived: metres for the first two joints, radians for the rest.
const ARRIVED: [f64; 5] = [0.004, 0.004, 0.02, 0.02, 0.02];
/// The same on the way, where nothing is gained by coming to rest.
const PASSED: [f64; 5] = [0.015, 0.02, 0.1, 0.1, 0.1];
/// How long a joint may rest short of its target, seconds.
const STALL_S: f64 = 0.8;

impl ArmMotion {
    /// A motion through waypoints.
    pub fn through(waypoints: Vec<Waypoint>) -> Self {
        ArmMotion {
            waypoints,
            next: 0,
            speeds: None,
            last: None,
        }
    }

    /// A motion to one posture.
    pub fn to(posture: Posture, speed: f64) -> Self {
        ArmMotion::through(vec![Waypoint::new(posture, speed)])
    }

    /// One control period.
    pub fn step(&mut self, robot: &Robot, inputs: &Inputs, out: &mut Commands) -> ArmState {
        let Some(waypoint) = self.waypoints.get(self.next) else {
            return ArmState::Arrived;
        };
        let target = waypoint.posture.to_array();
        let at = inputs.posture().to_array();
        let speeds = *self.speeds.get_or_insert_with(|| {
            let seconds = (0..5)
                .map(|i| (target[i] - at[i]).abs() / (robot.arm[i].velocity * waypoint.speed))
                .fold(0.05, f64::max);
            std::array::from_fn(|i| {
                ((target[i] - at[i]).abs() / seconds).clamp(0.02, robot.arm[i].velocity * waypoint.speed)
            })
        });
        for i in 0..5 {
            out.joint(ARM[i], robot.arm[i].clamp(target[i]), speeds[i]);
        }
        let error = |i: usize| (robot.arm[i].clamp(target[i]) - at[i]).abs();
        let is_last = self.next + 1 == self.waypoints.len();
        let tolerance = if is_last { ARRIVED } else { PASSED };
        if (0..5).all(|i| error(i) <= tolerance[i]) {
            self.next += 1;
            self.speeds = None;
            self.last = None;
            return if self.next == self.waypoints.len() {
                ArmState::Arrived
            } else {
                ArmState::Busy
            };
        }
        let moved = |from: &[f64; 5]| (0..5).any(|i| (from[i] - at[i]).abs() > 0.5 * ARRIVED[i]);
        match &self.last {
            Some((from, since)) if !moved(from) => {
                if (inputs.now - *since).secs_f64() > STALL_S {
                    let worst = (0..5).map(error).fold(0.0, f64::max);
                    return ArmState::Stalled(worst);
                }
            }
            _ => self.last = Some((at, inputs.now)),
        }
        ArmState::Busy
    }
}

/// Margin between arm and voxels with which the way back to the body counts as free, metres.
const WAY_BACK_MARGIN_M: f64 = 0.003;

/// Tells whether the arm and what it holds touch nothing on a straight way between two postures from where the base
/// stands. `opening_m`: how far the fingers open on the way.
pub fn free_way<'a>(
    ctx: &'a Context,
    inputs: &Inputs<'a>,
    opening_m: Option<f64>,
    margin_m: f64,
) -> impl Fn(&Posture, &Posture) -> bool + use<'a> {
    let obstacles = Obstacles::around(&inputs.base, inputs.voxels, &[], None, margin_m);
    let gripper = opening_m.map_or(inputs.joint(GRIPPER), |m| 0.5 * m);
    let payload = ctx.held.map(|held| Payload {
        hand_from_box: held.hand_from_object,
        half: held.half,
    });
    move |from, to| {
        obstacles
            .hit_between(&ctx.robot, &ctx.arm, from, to, gripper, payload.as_ref())
            .is_none()
    }
}

/// Asks for an opening of the fingers.
pub fn fingers(robot: &Robot, out: &mut Commands, opening_m: f64, speed: f64) {
    out.joint(
        GRIPPER,
        robot.gripper.clamp(opening_m * 0.5),
        robot.gripper.velocity * speed,
    );
}

/// Lift while driving with an empty hand, metres: the finger tips are above low tables' height of view, below the
/// camera's view of the way.
const STOW_LIFT_M: f64 = 0.45;
/// Lift while driving with something in the hand, metres.
const CARRY_LIFT_M: f64 = 0.79;

/// The posture for driving: retracted, fingers down, within the footprint.
pub fn driving(held: bool, roll_rad: f64) -> Posture {
    Posture {
        lift_m: if held { CARRY_LIFT_M } else { STOW_LIFT_M },
        extend_m: 0.0,
        yaw_rad: 0.0,
        pitch_rad: FRAC_PI_2,
        roll_rad,
    }
}

/// The roll with which what is held reaches least far from the middle of the base.
fn carrying_roll(robot: &Robot, held: &Held) -> f64 {
    let reach_m = |roll: f64| {
        let thing = robot.grasp_center(&driving(true, roll)) * held.hand_from_object;
        (0..8)
            .map(|i| {
                let sign = |bit: u32| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
                let corner = Vector3::new(sign(0), sign(1), sign(2)).component_mul(&held.half);
                (thing * Point3::from(corner)).coords.xy().norm()
            })
            .fold(HAND_REACH_M[usize::from(roll != 0.0)], f64::max)
    };
    // Turned less unless it helps.
    [0.0, FRAC_PI_2, -FRAC_PI_2]
        .into_iter()
        .map(|roll| (reach_m(roll) + 0.01 * roll.abs(), roll))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(0.0, |(_, roll)| roll)
}

/// How far the open hand itself reaches from the middle of the base, with its narrow side ahead and with its wide
/// side, metres.
const HAND_REACH_M: [f64; 2] = [0.22, 0.27];

/// Extension up to which the arm counts as in, metres.
const IN_M: f64 = 0.10;
/// Pitch from which on the hand points down, over the base where the arm is in, radians.
const DOWN_RAD: f64 = FRAC_PI_2 - 0.3;
/// More than the fingers open, metres.
const WIDE_OPEN_M: f64 = 0.2;

/// How far the arm rises before it is taken back again after something kept it out, metres.
const RETRY_LIFT_M: f64 = 0.25;

/// How fast and for how long the base backs off where the arm alone does not come free: the way that it came.
const BACK_OFF_M_S: f64 = 0.1;
/// See [`BACK_OFF_M_S`].
const BACK_OFF: Duration = Duration::from_millis(2500);

/// From this heading of the hand against the arm's it comes out along its fingers first, radians, and how far, metres.
const ASIDE_RAD: f64 = 0.6;
/// See [`ASIDE_RAD`].
const OFF_M: f64 = 0.22;

/// Brings the arm into the posture for driving.
#[derive(Debug, Clone, Default)]
pub struct Stow {
    motion: Option<ArmMotion>,
    retried: u32,
    done: bool,
    fingers_stay: bool,
    /// The base backs off until then, to pull out a hand that is caught.
    backs_until: Option<Time>,
    /// The hand comes out along its fingers, the base turning with it.
    off: Option<Box<Slide>>,
}

/// How far stowing has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StowState {
    /// The arm sticks out.
    Busy,
    /// It is as close to the body as it gets though not where it should be.
    Clear,
    /// In the posture for driving.
    Stowed,
}

impl Stow {
    /// Stowing that has not begun.
    pub fn new() -> Self {
        Stow::default()
    }

    /// Stowing after something was put down: the fingers stay open, so that they do not take it up again.
    pub fn with_open_fingers() -> Self {
        Stow {
            fingers_stay: true,
            ..Stow::default()
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> StowState {
        if self.done {
            return StowState::Stowed;
        }
        if let Some(off) = &mut self.off {
            if off.step(ctx, inputs, out) != Part::Busy {
                self.off = None;
            }
            return StowState::Busy;
        }
        let held = ctx.held.is_some();
        let now = inputs.posture();
        let motion = self.motion.get_or_insert_with(|| {
            // The roll does not matter with an empty hand.
            let roll = if now.roll_rad.abs() < 0.1 {
                now.roll_rad
            } else {
                0.0
            };
            let roll = ctx.held.map_or(roll, |held| carrying_roll(&ctx.robot, &held));
            let target = driving(held, roll);
            let is_free = free_way(ctx, inputs, None, WAY_BACK_MARGIN_M);
            let mut way = stow_waypoints(&ctx.robot, now, target, &is_free);
            if self.retried > 0 {
                // What keeps the hand from coming back, a drawer's front or a rim, is left upwards.
                let lift_m = ctx.robot.arm[0].clamp(now.lift_m + RETRY_LIFT_M);
                let up = Posture { lift_m, ..now };
                way = stow_waypoints(&ctx.robot, up, target, &is_free);
                way.insert(0, Waypoint::new(up, 0.5));
            }
            ArmMotion::through(way)
        });
        if !held && !self.fingers_stay {
            // Outside, fingers that close may close on a wall or an edge between them, and hold the robot fast.
            let is_in = now.extend_m < IN_M && now.pitch_rad > DOWN_RAD;
            if is_in {
                fingers(&ctx.robot, out, 0.03, 1.0);
            } else if self.retried > 0 {
                fingers(&ctx.robot, out, WIDE_OPEN_M, 1.0);
            }
        }
        let touches = inputs.bumper.is_some_and(|b| b.pressed);
        if self.backs_until.is_some_and(|until| inputs.now < until) && !touches {
            out.base = (-BACK_OFF_M_S, 0.0);
        }
        match motion.step(&ctx.robot, inputs, out) {
            ArmState::Busy => StowState::Busy,
            ArmState::Arrived => {
                self.done = true;
                StowState::Stowed
            }
            ArmState::Stalled(_) => {
                self.retried += 1;
                self.motion = None;
                // The arm comes back along itself, which is not where a hand that points aside comes out of a shelf.
                if self.retried == 1 && now.pitch_rad < DOWN_RAD && now.yaw_rad.abs() > ASIDE_RAD {
                    let hand = HandPose::of(&inputs.hand(&ctx.robot));
                    let off = Slide::between(&hand, &hand.backed_off(OFF_M), BACK_OFF_M_S);
                    self.off = Some(Box::new(off));
                }
                if self.retried == 2 {
                    self.backs_until = Some(inputs.now + BACK_OFF);
                }
                if self.retried > 2 {
                    self.done = true;
                    StowState::Clear
                } else {
                    StowState::Busy
                }
            }
        }
    }
}

/// Retract, raise, turn the hand, then the height for driving: in an order that keeps clear of the base.
/// `is_free`: whether the arm touches nothing between two postures; where it would while the hand turns, that happens
/// higher up.
pub fn stow_waypoints(
    robot: &Robot,
    now: Posture,
    target: Posture,
    is_free: &impl Fn(&Posture, &Posture) -> bool,
) -> Vec<Waypoint> {
    let over_base_m = robot.lift_over_base_m();
    let close = (0..5).all(|i| (now.to_array()[i] - target.to_array()[i]).abs() < 0.03);
    if close {
        return vec![Waypoint::new(target, 1.0)];
    }
    let mut waypoints = Vec::new();
    let mut at = now;
    let pointing_down = now.pitch_rad > 0.8;
    if pointing_down && at.lift_m < over_base_m && at.extend_m < 0.9 {
        at.lift_m = over_base_m + 0.05;
        waypoints.push(Waypoint::new(at, 0.8));
    }
    at.extend_m = 0.0;
    waypoints.push(Waypoint::new(at, 0.8));
    if at.lift_m < over_base_m {
        at.lift_m = over_base_m + 0.05;
        waypoints.push(Waypoint::new(at, 0.8));
    }
    let turned = |at: &Posture| Posture {
        lift_m: at.lift_m,
        ..target
    };
    if !is_free(&at, &turned(&at)) {
        at.lift_m = robot.arm[0].clamp(at.lift_m + robot.rise_to_turn_m(now.pitch_rad));
        waypoints.push(Waypoint::new(at, 0.8));
    }
    at = turned(&at);
    waypoints.push(Waypoint::new(at, 0.7));
    waypoints.push(Waypoint::new(target, 0.9));
    waypoints
}
