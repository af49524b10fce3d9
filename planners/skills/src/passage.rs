//! Whether open fingers pass beside what they are to close on, or have let go of.

use steward_core::geometry::{Point3, Pose3, Vector3};

use crate::ik::{self, HandPose, Solution};
use crate::reach::{self, Margins};
use crate::robot::{Posture, Robot};

/// Half thickness of a finger across the closing direction, metres.
pub const FINGER_HALF_M: f64 = 0.011;
/// Thickness of a finger along the closing direction, metres.
pub const FINGER_M: f64 = 0.016;
/// Length of the fingers back from the grasp centre, metres.
const FINGER_BACK_M: f64 = 0.13;
/// Distance between points and between poses that are checked, metres.
const STEP_M: f64 = 0.012;
/// How far the hand may be from where it was sent, metres.
const SLACK_M: f64 = 0.004;

/// Whether the fingers may touch the thing on their way in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// They pass beside it.
    Untouched,
    /// Where nothing else is left, they may move it.
    MayTouch,
}

/// How ways for the hand are looked for, best first: with which care, and with which margins between arm and voxels.
pub fn ways_to_try() -> impl Iterator<Item = (Care, Margins)> {
    [Care::Untouched, Care::MayTouch]
        .into_iter()
        .flat_map(|care| Margins::ALL.into_iter().map(move |margins| (care, margins)))
}

/// What is found, up to so much, in the best way in which anything is, and that way. `attempt` is given what was found so
/// far. Candidates that fail in the last way, which allows most, are not tried in those between.
pub(crate) fn in_best_way<T, R>(
    mut candidates: Vec<T>,
    most: usize,
    mut attempt: impl FnMut(&T, (Care, Margins), &[R]) -> Option<R>,
) -> Option<((Care, Margins), Vec<R>)> {
    let ways: Vec<_> = ways_to_try().collect();
    let last = *ways.last()?;
    for (i, way) in ways.into_iter().enumerate() {
        if i == 1 {
            candidates.retain(|c| attempt(c, last, &[]).is_some());
        }
        let mut found = Vec::new();
        for candidate in &candidates {
            found.extend(attempt(candidate, way, &found));
            if found.len() == most {
                break;
            }
        }
        if !found.is_empty() {
            return Some((way, found));
        }
    }
    None
}

/// Whether a thing of these half extents may be round: it is about as wide as deep.
pub fn may_be_round(half: &Vector3) -> bool {
    half.x.max(half.y) < 1.25 * half.x.min(half.y)
}

/// A thing as the fingers meet it.
#[derive(Debug, Clone, Copy)]
pub struct Thing {
    /// `map_from_thing`, the middle.
    pub pose: Pose3,
    /// Half extents, metres.
    pub half: Vector3,
}

impl Thing {
    /// Whether a point in `map` is in it. Its corners count where its sides differ; otherwise it may be round.
    fn contains(&self, p: &Point3) -> bool {
        let p = self.pose.inverse_transform_point(p);
        let half = self.half.add_scalar(SLACK_M);
        let is_beside = if may_be_round(&half) {
            (p.x / half.x).hypot(p.y / half.y) > 1.0
        } else {
            p.x.abs() > half.x || p.y.abs() > half.y
        };
        p.z.abs() < half.z && !is_beside
    }
}

/// Whether the fingers touch nothing of a thing on their way from the retracted arm over `before` to `hand`, the base
/// standing at a position. The last stretch is straight; up to there the arm only extends, so that a hand that does not
/// point away from the base comes in askew.
pub fn is_clear(
    robot: &Robot,
    base: (f64, f64),
    hand: &HandPose,
    before: &HandPose,
    opening_m: f64,
    thing: &Thing,
) -> bool {
    let Ok(Solution {
        base_yaw_rad,
        posture: start,
    }) = ik::solve(robot, base, before)
    else {
        return true;
    };
    let (s, c) = base_yaw_rad.sin_cos();
    let last_stretch = before.position - hand.position;
    let ahead = |p: &Posture| {
        let extension = p.extend_m - start.extend_m;
        last_stretch + Vector3::new(extension * c, extension * s, p.lift_m - start.lift_m)
    };
    let [retracted, out] = reach::on_the_way(robot, &start).map(|p| ahead(&p));
    let points = finger_points(robot, opening_m);
    let reach_m = thing.half.norm() + points.iter().map(|p| p.coords.norm()).fold(0.0, f64::max);
    let touches = |by: Vector3| {
        let at = hand.moved(by).pose();
        let is_near = (at.translation.vector - thing.pose.translation.vector).norm() < reach_m;
        is_near && points.iter().any(|p| thing.contains(&(at * p)))
    };
    [
        (retracted, out),
        (out, last_stretch),
        (last_stretch, Vector3::zeros()),
    ]
    .into_iter()
    .all(|(from, to)| {
        let steps = ((to - from).norm() / STEP_M).ceil().max(1.0) as usize;
        !(0..=steps).any(|i| touches(from.lerp(&to, i as f64 / steps as f64)))
    })
}

/// Points of both fingers in the frame of the hand: x along them, y in the closing direction.
fn finger_points(robot: &Robot, opening_m: f64) -> Vec<Point3> {
    let length = FINGER_BACK_M + robot.tip_m;
    let count = (length / STEP_M).ceil() as usize;
    let mut points = Vec::new();
    for i in 0..=count {
        let x = robot.tip_m - length * i as f64 / count as f64;
        for side in [-1.0, 1.0] {
            for out in [0.0, 0.5, 1.0] {
                for up in [-1.0, 1.0] {
                    let y = side * (0.5 * opening_m + out * FINGER_M);
                    points.push(Point3::new(x, y, up * FINGER_HALF_M));
                }
            }
        }
    }
    points
}
