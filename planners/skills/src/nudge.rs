//! Pushing one end of a long thing that lies across what it is in, so that it turns: behind a door and between boards the
//! hand gets at its front only, and across that it is too wide for the fingers.

use steward_core::geometry::{OrientedBox, Vector3};

use crate::grasp::Grasp;
use crate::ik::HandPose;
use crate::robot::Robot;

/// A thing this many times longer than wide lies along or across.
const LONG: f64 = 1.5;
/// Where it is pushed, as a share of the way from its middle to its end.
const NEAR_END: f64 = 0.7;
/// How far the finger tips start before it, and how far they push it, metres.
const BEFORE_M: f64 = 0.05;
const PUSH_M: f64 = 0.10;
/// Height over its support at which it is pushed, metres: low, or it topples.
const LOW_M: f64 = 0.04;
/// Slopes of the hand, radians below the horizontal, and directions it comes from, radians from straight ahead.
const PITCHES_RAD: [f64; 2] = [0.0, 0.4];
const TURNS_RAD: [f64; 3] = [0.0, 0.35, -0.35];
/// Cosine of the angle between its long side and straight ahead below which neither end lies farther back.
const EVEN: f64 = 0.1;
/// Cosine of the angle to straight ahead up to which its long side is its front.
const ACROSS: f64 = 0.5;

/// Ways to push a thing at either end from where the base stands, best first; none where it does not lie across. The hand
/// starts at `before` with closed fingers and ends at `hand`.
pub(crate) fn candidates(robot: &Robot, shape: &OrientedBox, base: (f64, f64)) -> Vec<Grasp> {
    let (s, c) = shape.yaw_rad.sin_cos();
    let axes = [Vector3::new(c, s, 0.0), Vector3::new(-s, c, 0.0)];
    let (along, across, long_m, wide_m) = if shape.half.x >= shape.half.y {
        (axes[0], axes[1], shape.half.x, shape.half.y)
    } else {
        (axes[1], axes[0], shape.half.y, shape.half.x)
    };
    if long_m < LONG * wide_m {
        return Vec::new();
    }
    let toward = (shape.center.y - base.1).atan2(shape.center.x - base.0);
    let mut pushes = Vec::new();
    for (pitch, turn) in PITCHES_RAD.iter().flat_map(|p| TURNS_RAD.map(|t| (*p, t))) {
        let heading = toward + turn;
        let ahead = Vector3::new(heading.cos(), heading.sin(), 0.0);
        let inward = across * across.dot(&ahead).signum();
        if inward.dot(&ahead) < ACROSS {
            continue;
        }
        // The end that lies farther back already, or the next push undoes the last.
        let lead = along.dot(&ahead);
        for end in [NEAR_END, -NEAR_END]
            .into_iter()
            .filter(|e| e.signum() * lead > -EVEN)
        {
            let mut touched = shape.center + along * (end * long_m) - inward * wide_m;
            touched.z = shape.bottom_m() + LOW_M;
            let hand = HandPose::from_front(touched + ahead * PUSH_M, heading, pitch, false);
            let hand = hand.moved(hand.fingers.into_inner() * -robot.tip_m);
            pushes.push(Grasp {
                hand,
                width_m: 0.0,
                before: hand.moved(ahead * -(PUSH_M + BEFORE_M)),
                from_above: false,
                comes_down: false,
                cost: turn.abs() + pitch,
            });
        }
    }
    pushes.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    pushes
}

#[cfg(test)]
mod tests {
    use steward_core::geometry::Point3;

    use super::*;

    fn loaf(yaw_rad: f64) -> OrientedBox {
        OrientedBox {
            center: Point3::new(1.0, 0.0, 0.8),
            yaw_rad,
            half: Vector3::new(0.10, 0.04, 0.045),
        }
    }

    #[test]
    fn what_lies_across_is_pushed_at_its_ends() {
        let robot = Robot::from_urdf(include_str!("../../../sim/assets/steward.urdf")).unwrap();
        let pushes = candidates(&robot, &loaf(std::f64::consts::FRAC_PI_2), (0.2, 0.0));
        assert!(!pushes.is_empty());
        for push in &pushes {
            let tip = |hand: &HandPose| hand.position + hand.fingers.into_inner() * robot.tip_m;
            let (from, to) = (tip(&push.before), tip(&push.hand));
            assert!(from.x < 0.96 && to.x > 1.02, "through its front: {from} to {to}");
            assert!(to.y.abs() > 0.02, "beside its middle: {to}");
            assert!((to.z - 0.795).abs() < 0.01, "low: {to}");
        }
        assert!(
            candidates(&robot, &loaf(0.0), (0.2, 0.0)).is_empty(),
            "its end is in front"
        );
    }
}
