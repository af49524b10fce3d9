//! Look: points in turn, turning the base where the head does not reach.

use steward_core::Time;
use steward_core::geometry::Point3;
use steward_core::messages::SkillFailure;

use crate::drive::{Escape, Turn};
use crate::head::{self, Gaze};
use crate::machine::{Commands, Context, Inputs, Part, Progress};

/// How often the base gets itself free when it cannot turn.
const MAX_ESCAPES: u32 = 2;

/// Holds the camera on one point until enough fresh images came.
#[derive(Debug, Clone)]
pub struct Gazing {
    point: Point3,
    dwell_s: f64,
    turn: Option<Turn>,
    /// Under way after the base could not turn; and how often that was.
    escape: Option<Escape>,
    escapes: u32,
    steady_since: Option<Time>,
    started: Option<Time>,
}

impl Gazing {
    /// Looks at a point for as long as it takes to see the configured number of images.
    pub fn at(point: Point3, ctx: &Context) -> Self {
        Gazing {
            point,
            // One period until the first image that was exposed after the head stopped, and one for delays.
            dwell_s: f64::from(ctx.config.look_frames + 1) * ctx.config.frame_period_s,
            turn: None,
            escape: None,
            escapes: 0,
            steady_since: None,
            started: None,
        }
    }

    /// When the head came to rest.
    pub fn steady_since(&self) -> Option<Time> {
        self.steady_since
    }

    /// One control period. `may_turn`: the base may be turned.
    pub fn step(&mut self, ctx: &Context, inputs: &Inputs, out: &mut Commands, may_turn: bool) -> Part {
        let started = *self.started.get_or_insert(inputs.now);
        let gaze = head::look_at(ctx, inputs, out, &self.point);
        if let Some(escape) = &mut self.escape {
            if escape.step(ctx, inputs, out) == Part::Busy {
                return Part::Busy;
            }
            self.escape = None;
        }
        if let Some(turn) = &mut self.turn {
            match turn.step(ctx, inputs, out) {
                Part::Finished => self.turn = None,
                Part::Failed(..) if self.escapes < MAX_ESCAPES => {
                    self.escapes += 1;
                    self.escape = Some(Escape::to_turn(self.escapes.is_multiple_of(2)));
                    self.turn = None;
                    return Part::Busy;
                }
                other => return other,
            }
        }
        if gaze == Gaze::OutOfRange && may_turn && (inputs.now - started).secs_f64() < 20.0 {
            let p = self.point;
            let yaw = (p.y - inputs.base.y_m).atan2(p.x - inputs.base.x_m);
            let error = steward_core::geometry::wrap_angle_rad(yaw - inputs.base.yaw_rad);
            // Out of range upwards or downwards is not mended by turning.
            if error.abs() > 0.5 {
                self.turn = Some(Turn::to(yaw, 0.1));
                return Part::Busy;
            }
        }
        let waited = (inputs.now - started).secs_f64();
        if gaze == Gaze::Moving && waited < 4.0 && self.steady_since.is_none() {
            return Part::Busy;
        }
        let since = *self.steady_since.get_or_insert(inputs.now);
        if (inputs.now - since).secs_f64() >= self.dwell_s {
            Part::Finished
        } else {
            Part::Busy
        }
    }
}

/// The skill.
#[derive(Debug, Clone)]
pub struct Look {
    points: Vec<Point3>,
    next: usize,
    gazing: Option<Gazing>,
}

impl Look {
    /// Looks at points in turn.
    pub fn at(points: Vec<Point3>) -> Self {
        Look {
            points,
            next: 0,
            gazing: None,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        let total = self.points.len();
        let Some(point) = self.points.get(self.next) else {
            return Progress::Done(format!("looked at {total} points"));
        };
        if !point.coords.iter().all(|c| c.is_finite()) {
            return Progress::Failed(
                SkillFailure::Precondition,
                format!("point {} to look at is not finite", self.next + 1),
            );
        }
        let gazing = self.gazing.get_or_insert_with(|| Gazing::at(*point, ctx));
        match gazing.step(ctx, inputs, out, true) {
            Part::Busy => {}
            Part::Finished => {
                self.gazing = None;
                self.next += 1;
            }
            Part::Failed(why, text) => return Progress::Failed(why, text),
        }
        Progress::Running(format!(
            "looking at point {} of {total}",
            (self.next + 1).min(total)
        ))
    }
}
