//! Hand poses that put what is held on a spot.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use steward_core::geometry::{OrientedBox, Point3, Vector3, wrap_angle_rad};

use crate::ik::HandPose;
use crate::machine::Held;
use crate::spots::{Entry, Spot};

/// Height above the support at which things are let go, metres.
const RELEASE_M: f64 = 0.008;
/// How far straight down the hand goes at the end at least, metres.
const OVER_M: f64 = 0.12;
/// Room between walls and what passes over them, metres.
pub(crate) const CLEAR_M: f64 = 0.03;
/// Pitch from which the hand counts as pointing down, radians.
pub(crate) const DOWN_RAD: f64 = 1.3;
/// How much further than the best way round things may stick out of where they are to fit in, metres.
const EXCESS_M: f64 = 0.005;

/// Hand poses that put what is held on a spot, best first, each with the pose before it and whether the hand comes
/// and goes straight down and up.
pub fn hands(held: &Held, spot: &Spot, base: (f64, f64)) -> Vec<(HandPose, HandPose, bool)> {
    let toward = (spot.point.y - base.1).atan2(spot.point.x - base.0);
    let above = held.pitch_rad > DOWN_RAD;
    let from_above = |closing: f64| (HandPose::from_above(Point3::origin(), closing), true);
    let from_front = |heading: f64, pitch: f64| {
        let hand = HandPose::from_front(Point3::origin(), heading, pitch, false);
        (hand, false)
    };
    if let (Entry::Drop(height), Some(walls)) = (spot.entry, &spot.walls) {
        return between_walls(held, spot, walls, height);
    }
    let mut orientations: Vec<(HandPose, bool)> = Vec::new();
    match spot.entry {
        Entry::Upright | Entry::Drop(_) if above => {
            orientations
                .extend([FRAC_PI_2, FRAC_PI_4, -FRAC_PI_4, 0.0].map(|turn| from_above(toward + turn)));
        }
        Entry::Upright | Entry::Drop(_) => {
            orientations.extend([0.0, 0.35, -0.35].map(|turn| from_front(toward + turn, held.pitch_rad)));
            // Up beside the thing a hand leaves that would push it over on its way back.
            let turns = [0.35, -0.35, 0.8, -0.8];
            orientations.extend(turns.map(|turn| (from_front(toward + turn, held.pitch_rad).0, true)));
        }
        Entry::Front(heading) => {
            let inward = wrap_angle_rad(heading + PI);
            if above {
                orientations.push(from_above(toward + FRAC_PI_2));
            }
            for pitch in [held.pitch_rad, 1.2, 0.9, 0.6, 0.3, 0.0] {
                if pitch <= held.pitch_rad + 1e-9 && pitch < DOWN_RAD {
                    orientations.extend([0.0, 0.3, -0.3].map(|turn| from_front(inward + turn, pitch)));
                }
            }
        }
    }
    let drop = match spot.entry {
        Entry::Drop(height) => height,
        Entry::Upright | Entry::Front(_) => RELEASE_M,
    };
    orientations
        .into_iter()
        .map(|(hand, comes_down)| {
            let comes_down = comes_down || matches!(spot.entry, Entry::Drop(_));
            with_before(at_spot(held, &hand, &spot.point, drop), comes_down, OVER_M)
        })
        .collect()
}

/// The hand over what has walls all around, turned so that the thing fits in, best first.
fn between_walls(
    held: &Held,
    spot: &Spot,
    walls: &OrientedBox,
    drop_m: f64,
) -> Vec<(HandPose, HandPose, bool)> {
    let into = walls.pose().inverse();
    let wanted = into * spot.point;
    // Sides along walls.
    let first_rad = walls.yaw_rad - long_side_rad(held);
    let mut found: Vec<(f64, HandPose)> = (0..4)
        .map(|i| {
            let hand = HandPose::from_above(Point3::origin(), first_rad + f64::from(i) * FRAC_PI_2);
            let thing = hand.pose() * held.hand_from_object;
            let extent = corners(&held.half)
                .map(|c| (into.rotation * (thing.rotation * c)).abs())
                .reduce(|a, b| a.sup(&b))
                .unwrap_or_default();
            let room = walls.half - extent;
            let excess = (-room.x).max(0.0) + (-room.y).max(0.0);
            let fit = |at: f64, room: f64| at.clamp(-room.max(0.0), room.max(0.0));
            let point = walls.pose() * Point3::new(fit(wanted.x, room.x), fit(wanted.y, room.y), wanted.z);
            (excess, at_spot(held, &hand, &point, drop_m))
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let best = found.first().map_or(0.0, |f| f.0);
    let fits = found.into_iter().filter(|f| f.0 <= best + EXCESS_M);
    // What hangs in the hand passes over the walls.
    let over_m = (walls.top_m() + CLEAR_M - (spot.point.z + drop_m)).max(OVER_M);
    fits.map(|(_, hand)| with_before(hand, true, over_m)).collect()
}

/// Heading of the longest level side of the thing in a hand that points down and closes along x, radians.
fn long_side_rad(held: &Held) -> f64 {
    let thing = HandPose::from_above(Point3::origin(), 0.0).pose() * held.hand_from_object;
    (0..3)
        .map(|i| {
            let mut side = Vector3::zeros();
            side[i] = held.half[i];
            thing.rotation * side
        })
        .max_by(|a, b| a.xy().norm().total_cmp(&b.xy().norm()))
        .map_or(0.0, |side| side.y.atan2(side.x))
}

/// The hand moved to where the thing's lowest point is over a point.
fn at_spot(held: &Held, hand: &HandPose, point: &Point3, drop_m: f64) -> HandPose {
    let thing = hand.pose() * held.hand_from_object;
    let center = thing.translation.vector;
    let lowest = corners(&held.half)
        .map(|c| (thing * Point3::from(c)).z)
        .fold(f64::INFINITY, f64::min);
    let position = Point3::new(point.x - center.x, point.y - center.y, point.z - lowest + drop_m);
    HandPose { position, ..*hand }
}

fn with_before(hand: HandPose, comes_down: bool, over_m: f64) -> (HandPose, HandPose, bool) {
    let before = if comes_down {
        hand.moved(Vector3::z() * over_m)
    } else {
        hand.backed_off(0.16).moved(Vector3::z() * 0.02)
    };
    (hand, before, comes_down)
}

/// The corners of a box around the origin.
pub fn corners(half: &Vector3) -> impl Iterator<Item = Vector3> {
    let half = *half;
    (0..8).map(move |i| {
        let sign = |bit: u32| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
        Vector3::new(sign(0), sign(1), sign(2)).component_mul(&half)
    })
}
