//! Driving: rotate-then-drive path tracking for a differential base, replanning, stuck and bumper handling.
//!
//! The tracker is pure pursuit (Coulter 1992) with a speed that falls with curvature, with clearance and towards
//! the goal; large heading errors are turned away on the spot.

use std::collections::VecDeque;
use std::f64::consts::PI;

use steward_core::Time;
use steward_core::geometry::{Point3, Pose2, wrap_angle_rad};
use steward_core::messages::SkillFailure;

use crate::head;
use crate::machine::{Commands, Context, Inputs, Part};
use crate::navmap::NavMap;
use crate::path::{self, Path};

/// How exactly a goal is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Metres.
    pub position_m: f64,
    /// Radians; `None`: the heading does not matter.
    pub yaw_rad: Option<f64>,
    /// How far the goal may be moved where the base cannot stand on it, metres.
    pub relocate_m: f64,
}

impl Tolerance {
    /// Enough for looking around.
    pub const COARSE: Tolerance = Tolerance {
        position_m: 0.10,
        yaw_rad: Some(0.15),
        relocate_m: 0.5,
    };
    /// Enough for the arm, which corrects what is left.
    pub const FINE: Tolerance = Tolerance {
        position_m: 0.04,
        yaw_rad: Some(0.03),
        relocate_m: 0.06,
    };
    /// Enough before a look that is followed by planning from where the base then stands.
    pub const NEAR: Tolerance = Tolerance {
        position_m: 0.05,
        yaw_rad: Some(0.3),
        relocate_m: 0.06,
    };
}

/// Limits acceleration between one control period and the next.
#[derive(Debug, Clone, Default)]
pub struct Smoother {
    last: Option<(Time, f64, f64)>,
}

impl Smoother {
    /// The command nearest to what is wanted that the acceleration limits allow.
    pub fn limit(&mut self, ctx: &Context, inputs: &Inputs, wanted: (f64, f64)) -> (f64, f64) {
        let c = &ctx.config;
        let (t, v, w) = self
            .last
            .unwrap_or((inputs.now, inputs.velocity.0, inputs.velocity.1));
        let dt = (inputs.now - t).secs_f64().clamp(0.0, 0.1);
        let toward = |from: f64, to: f64, most: f64| from + (to - from).clamp(-most, most);
        // Slowing down may be quicker than speeding up: it is what keeps the robot from hitting things.
        let a = c.max_acceleration_m_s2 * if wanted.0.abs() < v.abs() { 2.0 } else { 1.0 };
        let v = toward(v, wanted.0.clamp(-c.max_speed_m_s, c.max_speed_m_s), a * dt);
        let w = toward(
            w,
            wanted.1.clamp(-c.max_turn_rad_s, c.max_turn_rad_s),
            c.max_turn_acceleration_rad_s2 * dt,
        );
        self.last = Some((inputs.now, v, w));
        (v, w)
    }
}

/// Speed from which a remaining way can still be stopped in, with a margin for delays.
fn braking_speed(remaining: f64, deceleration: f64) -> f64 {
    (2.0 * 0.6 * deceleration * remaining.max(0.0)).sqrt()
}

/// Turning on the spot to a heading.
#[derive(Debug, Clone)]
pub struct Turn {
    yaw_rad: f64,
    tolerance_rad: f64,
    smoother: Smoother,
    settled: u32,
    /// Heading at the last sign of motion, and when that was.
    mark: Option<(f64, Time)>,
    started: Option<Time>,
}

impl Turn {
    /// Turns to a heading in `map`.
    pub fn to(yaw_rad: f64, tolerance_rad: f64) -> Self {
        Turn {
            yaw_rad,
            tolerance_rad,
            smoother: Smoother::default(),
            settled: 0,
            mark: None,
            started: None,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let started = *self.started.get_or_insert(inputs.now);
        let yaw = inputs.base.yaw_rad;
        let error = wrap_angle_rad(self.yaw_rad - yaw);
        let (mark, since) = *self.mark.get_or_insert((yaw, inputs.now));
        if wrap_angle_rad(yaw - mark).abs() > 0.5 * self.tolerance_rad.min(0.1) {
            self.mark = Some((yaw, inputs.now));
        }
        if error.abs() <= self.tolerance_rad && inputs.velocity.1.abs() < 0.15 {
            self.settled += 1;
            out.base = self.smoother.limit(ctx, inputs, (0.0, 0.0));
            return if self.settled >= 3 {
                Part::Finished
            } else {
                Part::Busy
            };
        }
        self.settled = 0;
        let too_long = (inputs.now - started).secs_f64() > 10.0;
        if too_long || (inputs.now - since).secs_f64() > STANDSTILL_S {
            return Part::Failed(
                SkillFailure::Blocked,
                format!(
                    "turning on the spot stopped {:.0}° short",
                    error.to_degrees().abs()
                ),
            );
        }
        let speed = braking_speed(error.abs(), ctx.config.max_turn_acceleration_rad_s2)
            .min(ctx.config.max_turn_rad_s)
            .min(TURN_GAIN * error.abs() + 0.02);
        out.base = self.smoother.limit(ctx, inputs, (0.0, speed * error.signum()));
        Part::Busy
    }
}

/// Turning speed per heading error, 1/s.
const TURN_GAIN: f64 = 3.5;
/// How long the base may be told to move without moving, seconds.
const STANDSTILL_S: f64 = 1.5;

/// Getting free of what keeps the base from moving: in turn every way it can move in, until one works. The map does
/// not matter here: what holds the base is not on it, and where the base has just been there is room.
#[derive(Debug, Clone)]
pub struct Escape {
    moves: VecDeque<EscapeMove>,
    /// Where the move under way began, the furthest it got, and when that was.
    under_way: Option<(Pose2, f64, Time)>,
    smoother: Smoother,
}

#[derive(Debug, Clone, Copy)]
enum EscapeMove {
    /// Metres, negative: back.
    Straight(f64),
    /// Radians, positive: left.
    Turn(f64),
}

impl Escape {
    /// Escape from something in a direction in the base frame, radians.
    pub fn from(direction_rad: f64) -> Self {
        let away = if direction_rad.cos() >= -0.2 { -1.0 } else { 1.0 };
        let side = if direction_rad.sin() > 0.0 { -1.0 } else { 1.0 };
        Escape {
            moves: VecDeque::from([
                EscapeMove::Straight(0.15 * away),
                EscapeMove::Turn(0.5 * side),
                EscapeMove::Straight(-0.15 * away),
                EscapeMove::Turn(-0.5 * side),
            ]),
            under_way: None,
            smoother: Smoother::default(),
        }
    }

    /// Escape from what stops the base from turning: to where it has room, first ahead or first back.
    pub fn to_turn(ahead_first: bool) -> Self {
        let first = if ahead_first { 0.15 } else { -0.15 };
        Escape {
            moves: VecDeque::from([EscapeMove::Straight(first), EscapeMove::Straight(-first)]),
            under_way: None,
            smoother: Smoother::default(),
        }
    }

    /// One control period. Fails where none of the ways got anywhere.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands) -> Part {
        const STUCK_S: f64 = 0.7;
        let Some(next) = self.moves.front().copied() else {
            return Part::Failed(
                SkillFailure::Blocked,
                "the base can neither drive nor turn".into(),
            );
        };
        let base = inputs.base;
        let (start, furthest, at) = self.under_way.get_or_insert((base, 0.0, inputs.now));
        let (wanted, done, notable) = match next {
            EscapeMove::Straight(by) => {
                let (s, c) = start.yaw_rad.sin_cos();
                let along = c * (base.x_m - start.x_m) + s * (base.y_m - start.y_m);
                (by.abs(), along * by.signum(), 0.008)
            }
            EscapeMove::Turn(by) => (
                by.abs(),
                wrap_angle_rad(base.yaw_rad - start.yaw_rad) * by.signum(),
                0.03,
            ),
        };
        if done > *furthest + notable {
            (*furthest, *at) = (done, inputs.now);
        }
        let stuck = (inputs.now - *at).secs_f64() > STUCK_S;
        if done >= 0.9 * wanted || (stuck && done > 0.5 * wanted) {
            return Part::Finished;
        }
        if stuck {
            self.moves.pop_front();
            self.under_way = None;
            self.smoother = Smoother::default();
            return Part::Busy;
        }
        let command = match next {
            EscapeMove::Straight(by) => (0.2 * by.signum(), 0.0),
            EscapeMove::Turn(by) => (0.0, 0.7 * by.signum()),
        };
        out.base = self.smoother.limit(ctx, inputs, command);
        Part::Busy
    }
}

/// Moving straight ahead or back by a small distance, holding the heading.
#[derive(Debug, Clone)]
pub struct Creep {
    distance_m: f64,
    speed_m_s: f64,
    start: Option<(Pose2, Time)>,
    /// The furthest it got and when that was.
    furthest: Option<(f64, Time)>,
    end: Option<CreepEnd>,
    smoother: Smoother,
}

/// Why a creep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreepEnd {
    /// It is there.
    Arrived,
    /// The wheels turned and nothing moved.
    Held,
    /// Something is in the way, or it took too long.
    Short,
}

impl Creep {
    /// Moves by a signed distance.
    pub fn by(distance_m: f64, speed_m_s: f64) -> Self {
        Creep {
            distance_m,
            speed_m_s,
            start: None,
            furthest: None,
            end: None,
            smoother: Smoother::default(),
        }
    }

    /// Why it ended, once it has.
    pub fn end(&self) -> Option<CreepEnd> {
        self.end
    }

    /// One control period. Ends early, finished, where the floor behind or ahead is not free or the robot does not
    /// get on: a creep is a courtesy to what follows.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Part {
        if self.end.is_some() {
            return Part::Finished;
        }
        let (start, since) = *self.start.get_or_insert((inputs.base, inputs.now));
        let (s, c) = start.yaw_rad.sin_cos();
        let along = c * (inputs.base.x_m - start.x_m) + s * (inputs.base.y_m - start.y_m);
        let left = self.distance_m - along;
        self.end = self.end_at(ctx, inputs, along, (inputs.now - since).secs_f64());
        if self.end.is_some() {
            return Part::Finished;
        }
        let speed = braking_speed(left.abs(), ctx.config.max_acceleration_m_s2)
            .min(self.speed_m_s)
            .max(0.02);
        let turn = 1.5 * wrap_angle_rad(start.yaw_rad - inputs.base.yaw_rad);
        out.base = self.smoother.limit(ctx, inputs, (speed * left.signum(), turn));
        Part::Busy
    }

    fn end_at(&mut self, ctx: &mut Context, inputs: &Inputs, along: f64, seconds: f64) -> Option<CreepEnd> {
        let left = self.distance_m - along;
        if left * self.distance_m.signum() < 0.004 {
            return Some(CreepEnd::Arrived);
        }
        let done = along * self.distance_m.signum();
        let (furthest, at) = self.furthest.get_or_insert((done, inputs.now));
        if done > *furthest + 0.005 {
            (*furthest, *at) = (done, inputs.now);
        }
        if (inputs.now - *at).secs_f64() > 0.8 {
            return Some(CreepEnd::Held);
        }
        let bumped = inputs.bumper.is_some_and(|b| b.pressed) && seconds > 0.3;
        if bumped || seconds > 3.0 + self.distance_m.abs() / self.speed_m_s {
            return Some(CreepEnd::Short);
        }
        let map = ctx.map(inputs)?;
        let ahead = 0.06 * left.signum();
        let (s, c) = inputs.base.yaw_rad.sin_cos();
        let next = (inputs.base.x_m + ahead * c, inputs.base.y_m + ahead * s);
        let here = map.clearance_at(inputs.base.x_m, inputs.base.y_m);
        let there = map.clearance_at(next.0, next.1);
        (there < ctx.config.footprint_radius_m && there < here - 1e-6).then_some(CreepEnd::Short)
    }
}

/// What the bumper touches farther than this from straight ahead is not driven at, radians.
const BESIDE_RAD: f64 = 1.4;

/// Drives to a pose.
#[derive(Debug, Clone)]
pub struct Drive {
    goal: Pose2,
    tolerance: Tolerance,
    /// Where it ends after moving the goal to where the base can stand.
    end: Option<(f64, f64)>,
    path: Option<Path>,
    planned_at: Time,
    planned_on: Time,
    turning: bool,
    final_turn: Option<Turn>,
    escape: Option<Escape>,
    /// The rear goes first.
    backwards: bool,
    smoother: Smoother,
    started: Option<Time>,
    no_path_since: Option<Time>,
    anchor: Option<(Pose2, Time)>,
    setbacks: u32,
    was_moving: bool,
    closest_m: f64,
    closest_at: Time,
}

/// Speed between things that the base just fits between, metres per second.
const TIGHT_SPEED_M_S: f64 = 0.4;
/// Speed where there is no room for the base's margin, metres per second.
const SQUEEZE_SPEED_M_S: f64 = 0.2;
/// Clearance from which the base drives at full speed, metres.
const AT_EASE_M: f64 = 0.42;
/// Bumps and standstills after which a drive gives up.
const MAX_SETBACKS: u32 = 4;
/// Longest way driven backwards, metres.
const BACKWARDS_M: f64 = 1.0;
/// Turning that driving backwards must save, radians.
const BACKWARDS_GAIN_RAD: f64 = 0.6;
/// How often a path is made anew though the old one is still free, seconds.
const REPLAN_PERIOD_S: f64 = 2.0;
/// How long the robot waits for a path to appear, seconds.
const NO_PATH_PATIENCE_S: f64 = 4.0;

impl Drive {
    /// A drive to a pose in `map`.
    pub fn to(goal: Pose2, tolerance: Tolerance) -> Self {
        Drive {
            goal,
            tolerance,
            end: None,
            path: None,
            planned_at: Time::ZERO,
            planned_on: Time::ZERO,
            turning: true,
            final_turn: None,
            escape: None,
            backwards: false,
            smoother: Smoother::default(),
            started: None,
            no_path_since: None,
            anchor: None,
            setbacks: 0,
            was_moving: false,
            closest_m: f64::INFINITY,
            closest_at: Time::ZERO,
        }
    }

    /// Where it goes.
    pub fn goal(&self) -> Pose2 {
        self.goal
    }

    /// Length of what is left of the path, metres.
    pub fn remaining_m(&self) -> f64 {
        self.path.as_ref().map_or(0.0, Path::length_m)
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let now = inputs.now;
        let started = *self.started.get_or_insert(now);
        if let Some(escape) = &mut self.escape {
            if escape.step(ctx, inputs, out) == Part::Busy {
                return Part::Busy;
            }
            self.escape = None;
            self.final_turn = None;
            self.path = None;
            self.anchor = None;
        }
        if let Some(turn) = &mut self.final_turn {
            head::ahead(inputs, out, 0.0);
            return match turn.step(ctx, inputs, out) {
                Part::Failed(_, text) => {
                    let escape = self.escape_to_turn();
                    self.set_back(escape, &text).unwrap_or(Part::Busy)
                }
                part => part,
            };
        }
        if let Some(failed) = self.watch(ctx, inputs) {
            return failed;
        }
        if self.escape.is_some() {
            return Part::Busy;
        }
        let Some(map) = ctx.map(inputs) else {
            if (now - started).secs_f64() > NO_PATH_PATIENCE_S {
                return Part::Failed(SkillFailure::NoPath, "there is no map of the floor yet".into());
            }
            return Part::Busy;
        };
        if let Some(failed) = self.replan(&map, inputs) {
            return failed;
        }
        let Some(path) = &mut self.path else {
            // Look around while waiting: the way may be there and only not be seen yet.
            head::ahead(inputs, out, 0.0);
            return Part::Busy;
        };
        let here = (inputs.base.x_m, inputs.base.y_m);
        advance(path, here);
        let end = path.points[path.points.len() - 1];
        let to_end = (end.0 - here.0).hypot(end.1 - here.1);
        let remaining = path.length_m();
        if remaining < self.closest_m - 0.03 {
            self.closest_m = remaining;
            self.closest_at = now;
        }
        let lingering = to_end < 2.5 * self.tolerance.position_m && (now - self.closest_at).secs_f64() > 2.5;
        if to_end <= self.tolerance.position_m || lingering {
            self.was_moving = false;
            return match self.tolerance.yaw_rad {
                None => {
                    if inputs.velocity.0.abs() < 0.05 {
                        Part::Finished
                    } else {
                        Part::Busy
                    }
                }
                Some(tolerance) => {
                    self.final_turn = Some(Turn::to(self.goal.yaw_rad, tolerance));
                    Part::Busy
                }
            };
        }
        let clearance = clearance_ahead(&map, path, 0.5);
        let look = if clearance < 0.4 { 0.22 } else { 0.38 };
        let target = point_at(path, look);
        let bearing = (target.1 - here.1).atan2(target.0 - here.0);
        let front = inputs.base.yaw_rad + if self.backwards { PI } else { 0.0 };
        let error = wrap_angle_rad(bearing - front);
        let far = point_at(path, 1.0);
        let ahead = wrap_angle_rad((far.1 - here.1).atan2(far.0 - here.0) - inputs.base.yaw_rad);
        head::ahead(inputs, out, if self.backwards { 0.0 } else { ahead });
        // With room the way may begin in an arc.
        self.turning = if self.turning {
            error.abs() > if clearance < 0.4 { 0.12 } else { 0.4 }
        } else {
            error.abs() > 0.75
        };
        let c = &ctx.config;
        let wanted = if self.turning {
            let speed = braking_speed(error.abs(), c.max_turn_acceleration_rad_s2)
                .min(c.max_turn_rad_s)
                .min(TURN_GAIN * error.abs() + 0.05);
            (0.0, speed * error.signum())
        } else {
            let hard = c.hard_clearance_m();
            let room = ((clearance - hard) / (AT_EASE_M - hard).max(0.01)).clamp(0.0, 1.0);
            let slowest = if clearance < hard {
                SQUEEZE_SPEED_M_S
            } else {
                TIGHT_SPEED_M_S
            };
            let by_room = slowest + (c.max_speed_m_s - slowest).max(0.0) * room;
            let v = by_room
                .min(braking_speed(remaining, c.max_acceleration_m_s2))
                .min(c.max_speed_m_s * (1.0 - error.abs() / 0.9).max(0.15))
                .max(0.03);
            let distance = (target.0 - here.0).hypot(target.1 - here.1).max(0.1);
            let forward = if self.backwards { -v } else { v };
            (forward, 2.0 * v * error.sin() / distance + 0.8 * error)
        };
        out.base = self.smoother.limit(ctx, inputs, wanted);
        self.was_moving = true;
        Part::Busy
    }

    /// Bumper and standstill.
    fn watch(&mut self, ctx: &mut Context, inputs: &Inputs) -> Option<Part> {
        let now = inputs.now;
        let base = inputs.base;
        if let Some(bumper) = inputs.bumper
            && bumper.pressed
            && self.was_moving
            && self.is_ahead(bumper.direction_rad)
        {
            let at = base.yaw_rad + bumper.direction_rad;
            let r = ctx.config.footprint_radius_m + 0.03;
            ctx.bumped_at(base.x_m + r * at.cos(), base.y_m + r * at.sin(), now);
            return self.set_back(Escape::from(bumper.direction_rad), "bumped into something");
        }
        let (anchor, since) = *self.anchor.get_or_insert((base, now));
        let moved =
            anchor.distance_m(&base) > 0.025 || wrap_angle_rad(anchor.yaw_rad - base.yaw_rad).abs() > 0.08;
        if moved || !self.was_moving {
            self.anchor = Some((base, now));
        } else if (now - since).secs_f64() > STANDSTILL_S {
            let why = "the wheels turn but nothing moves";
            if self.turning {
                return self.set_back(self.escape_to_turn(), why);
            }
            // Whatever it is, the map does not show it.
            let direction = if self.backwards { PI } else { 0.0 };
            let at = base.yaw_rad + direction;
            let r = ctx.config.footprint_radius_m + 0.03;
            ctx.bumped_at(base.x_m + r * at.cos(), base.y_m + r * at.sin(), now);
            return self.set_back(Escape::from(direction), why);
        }
        None
    }

    /// Whether the base is driving at what its bumper touches. A round base turns freely beside things, and drives
    /// away from what leans on it.
    fn is_ahead(&self, direction_rad: f64) -> bool {
        let heading = if self.backwards { PI } else { 0.0 };
        !self.turning && wrap_angle_rad(direction_rad - heading).abs() < BESIDE_RAD
    }

    /// A round base turns anywhere, so it is the mast or what is on it that something stops.
    fn escape_to_turn(&self) -> Escape {
        Escape::to_turn(self.setbacks.is_multiple_of(2))
    }

    /// Gets free, unless that had to be done too often.
    fn set_back(&mut self, escape: Escape, why: &str) -> Option<Part> {
        self.setbacks += 1;
        if self.setbacks > MAX_SETBACKS {
            return Some(Part::Failed(
                SkillFailure::Blocked,
                format!("{why}, {} times on the way", self.setbacks),
            ));
        }
        self.smoother = Smoother::default();
        self.escape = Some(escape);
        self.was_moving = false;
        self.turning = true;
        None
    }

    /// Keeps a path that is free on the newest map.
    fn replan(&mut self, map: &NavMap, inputs: &Inputs) -> Option<Part> {
        let now = inputs.now;
        let here = (inputs.base.x_m, inputs.base.y_m);
        let new_map = map.stamp() != self.planned_on;
        let due = match &self.path {
            None => true,
            Some(path) => {
                let old = (now - self.planned_at).secs_f64() > REPLAN_PERIOD_S;
                new_map && (old || !still_free(map, path, here))
            }
        };
        if !due {
            return None;
        }
        if self.no_path_since.is_some() && !new_map && (now - self.planned_at).secs_f64() < 0.5 {
            return None;
        }
        self.planned_at = now;
        self.planned_on = map.stamp();
        let goal = (self.goal.x_m, self.goal.y_m);
        let end = match self.end {
            Some(end) if map.standable_at(end.0, end.1) => Some(end),
            _ if map.standable_at(goal.0, goal.1) => Some(goal),
            _ => path::CostField::from_start(map, here)
                .and_then(|f| f.nearest_reachable(map, goal, self.tolerance.relocate_m)),
        };
        // A goal this near is reached whatever the map says of it.
        let end = end.or_else(|| {
            let near = (goal.0 - here.0).hypot(goal.1 - here.1) <= 2.0 * self.tolerance.position_m;
            near.then_some(goal)
        });
        let found = end.and_then(|end| {
            let near = (end.0 - here.0).hypot(end.1 - here.1) <= self.tolerance.position_m;
            let here_only = Path {
                points: vec![here, end],
                cost: 0,
            };
            if near {
                Some(here_only)
            } else {
                path::plan(map, here, end)
            }
        });
        match found {
            Some(path) => {
                if self.path.is_none() {
                    self.turning = true;
                    self.backwards = self.is_quicker_backwards(&path, &inputs.base);
                }
                self.end = end;
                self.closest_m = path.length_m();
                self.closest_at = now;
                self.path = Some(path);
                self.no_path_since = None;
                None
            }
            None => {
                let since = *self.no_path_since.get_or_insert(now);
                self.path = None;
                self.was_moving = false;
                self.end = None;
                if (now - since).secs_f64() < NO_PATH_PATIENCE_S {
                    return None;
                }
                let gone = self.setbacks > 0;
                let distance = (goal.0 - here.0).hypot(goal.1 - here.1);
                let clearance = map.clearance_at(goal.0, goal.1);
                Some(Part::Failed(
                    if gone {
                        SkillFailure::Blocked
                    } else {
                        SkillFailure::NoPath
                    },
                    format!(
                        "no free way to ({:.2}, {:.2}), {distance:.2} m away; the clearance there is {clearance:.2} m",
                        goal.0, goal.1
                    ),
                ))
            }
        }
    }
}

impl Drive {
    /// Whether a way is short and takes less turning when the rear goes first.
    fn is_quicker_backwards(&self, path: &Path, base: &Pose2) -> bool {
        if path.length_m() > BACKWARDS_M {
            return false;
        }
        let direction = |a: (f64, f64), b: (f64, f64)| (b.1 - a.1).atan2(b.0 - a.0);
        let n = path.points.len();
        let first = direction(path.points[0], path.points[1]);
        let last = direction(path.points[n - 2], path.points[n - 1]);
        let turning = |front: f64| {
            let at_start = wrap_angle_rad(first + front - base.yaw_rad).abs();
            let at_end = match self.tolerance.yaw_rad {
                Some(_) => wrap_angle_rad(self.goal.yaw_rad - last - front).abs(),
                None => 0.0,
            };
            at_start + at_end
        };
        turning(PI) + BACKWARDS_GAIN_RAD < turning(0.0)
    }
}

/// Drops the part of the path that lies behind.
fn advance(path: &mut Path, here: (f64, f64)) {
    let mut best = (f64::INFINITY, 0, path.points[0]);
    for (i, p) in path.points.windows(2).enumerate().take(4) {
        let (dx, dy) = (p[1].0 - p[0].0, p[1].1 - p[0].1);
        let length2 = dx * dx + dy * dy;
        let t = if length2 < 1e-12 {
            1.0
        } else {
            (((here.0 - p[0].0) * dx + (here.1 - p[0].1) * dy) / length2).clamp(0.0, 1.0)
        };
        let q = (p[0].0 + t * dx, p[0].1 + t * dy);
        let d = (q.0 - here.0).hypot(q.1 - here.1);
        // Later stretches must be clearly nearer, so that a path that comes back is not cut short.
        if d < best.0 - 0.01 * i as f64 {
            best = (d, i, q);
        }
    }
    path.points.drain(..best.1);
    path.points[0] = best.2;
}

/// The point a distance along the path.
fn point_at(path: &Path, distance_m: f64) -> (f64, f64) {
    let mut left = distance_m;
    for p in path.points.windows(2) {
        let length = (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1);
        if length >= left && length > 1e-9 {
            let t = left / length;
            return (p[0].0 + t * (p[1].0 - p[0].0), p[0].1 + t * (p[1].1 - p[0].1));
        }
        left -= length;
    }
    path.points[path.points.len() - 1]
}

/// Smallest clearance on the next stretch.
fn clearance_ahead(map: &NavMap, path: &Path, distance_m: f64) -> f64 {
    (0..=5)
        .map(|i| point_at(path, distance_m * f64::from(i) / 5.0))
        .map(|(x, y)| map.clearance_at(x, y))
        .fold(f64::INFINITY, f64::min)
}

fn still_free(map: &NavMap, path: &Path, here: (f64, f64)) -> bool {
    let mut from = here;
    path.points.iter().skip(1).all(|to| {
        let free = path::line_is_free(map, from, *to);
        from = *to;
        free
    })
}

/// A pose at a point that faces another.
pub fn facing(from: (f64, f64), at: &Point3) -> Pose2 {
    Pose2::new(from.0, from.1, (at.y - from.1).atan2(at.x - from.0))
}
