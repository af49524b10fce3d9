//! What is open at the top only: drawers that are pulled out, and bins.

use steward_core::geometry::{OrientedBox, Point3, Vector3};
use steward_core::messages::{ArticulationState, Presence, SceneGraph, SceneObject};

use crate::ik::HandPose;
use crate::passage::{FINGER_HALF_M, FINGER_M};
use crate::robot::Robot;
use crate::spots::extent_along;

/// Words in the names of classes that are open at the top.
const OPEN_AT_TOP: [&str; 3] = ["bin", "basket", "crate"];
/// How far a drawer is out at least to count, metres.
const OUT_M: f64 = 0.05;
/// Distance from a drawer's bar back to the inside of its front, metres.
const BAR_TO_INSIDE_M: f64 = 0.085;
/// Distance from a closed drawer's bar back to the edge of what is above the drawer, metres.
const BAR_TO_EDGE_M: f64 = 0.025;
/// Thickness of a drawer's or bin's walls with some room, metres.
const WALL_M: f64 = 0.03;
/// Share of the way back along its fingers that a hand in a drawer or a bin goes up, at least.
const STEEP: f64 = 0.7;
/// Half thickness of the palm with some room, metres.
const HAND_HALF_M: f64 = 0.03;
/// How far over the rim the finger tips pass, metres.
const OVER_RIM_M: f64 = 0.03;
/// Half width and half thickness of the palm, metres.
const PALM_HALF_M: (f64, f64) = (0.075, 0.014);
/// How much nearer than [`WALL_M`] a finger may come to a wall's outside, metres.
const TOUCH_M: f64 = 0.008;
/// How far under what is above a drawer the fingers may reach, metres.
const HIDDEN_M: f64 = 0.12;
/// How far below the rim of a drawer's front they are then, metres.
const UNDER_M: f64 = 0.005;
/// Room between a thing and what is above the drawer, where the thing is lifted, metres.
const CLEAR_OF_EDGE_M: f64 = 0.01;
/// Thickness of a drawer's floor, metres.
const FLOOR_M: f64 = 0.027;

/// Whether a thing's class says that it is open at the top.
pub fn is_open_at_top(o: &SceneObject) -> bool {
    o.class.split('_').any(|w| OPEN_AT_TOP.contains(&w)) && o.articulation.is_none()
}

/// What a point lies in, if that is open at the top only. How far a drawer is out is not always seen well, so what lies
/// where one can be counts as in it.
pub fn around<'a>(graph: &'a SceneGraph, point: &Point3) -> Option<&'a SceneObject> {
    const TRAVEL_M: f64 = 0.35;
    let lies_in = |o: &SceneObject| match o.articulation {
        Some(a) if a.prismatic => {
            let closed = a.position.unwrap_or(0.0);
            (0..=7).any(|i| {
                let moved = TRAVEL_M * f64::from(i) / 7.0 - closed;
                o.shape.contains(&(point - a.axis * moved), 0.0)
            })
        }
        _ => is_open_at_top(o) && o.shape.contains(point, 0.0),
    };
    let mut present = graph.objects.iter().filter(|o| o.presence == Presence::Present);
    present.find(|o| lies_in(o))
}

fn pulled_out(o: &SceneObject) -> Option<(ArticulationState, f64)> {
    let a = o.articulation.filter(|a| a.prismatic)?;
    let out_m = a.position.unwrap_or(a.open_at);
    (out_m > OUT_M).then_some((a, out_m))
}

/// The room in a drawer that is free from above, its x axis along the way the drawer moves. `None` while it is closed.
pub fn room_in_drawer(part: &SceneObject) -> Option<OrientedBox> {
    let (a, out_m) = pulled_out(part)?;
    let out = Vector3::new(a.axis.x, a.axis.y, 0.0).try_normalize(1e-6)?;
    let across = Vector3::new(-out.y, out.x, 0.0);
    let bar = a
        .handle
        .unwrap_or(part.shape.center + out * (extent_along(&part.shape, &out) + 0.055));
    let length_m = out_m - BAR_TO_INSIDE_M + BAR_TO_EDGE_M;
    if length_m <= 0.0 {
        return None;
    }
    let mut center = bar - out * (BAR_TO_INSIDE_M + 0.5 * length_m);
    // The bar may be off the middle of what was seen of the front.
    center += across * across.dot(&(part.shape.center - center));
    let (low, high) = (part.shape.bottom_m() + FLOOR_M, part.shape.top_m());
    center.z = 0.5 * (low + high);
    Some(OrientedBox {
        center,
        yaw_rad: out.y.atan2(out.x),
        half: Vector3::new(
            0.5 * length_m,
            (extent_along(&part.shape, &across) - WALL_M).max(0.02),
            (0.5 * (high - low)).max(0.01),
        ),
    })
}

/// Whether a hand at a pose in something that is open at the top comes in over its rim.
pub fn clears_rim(tray: &SceneObject, hand: &HandPose) -> bool {
    let shape = &tray.shape;
    let into = shape.pose().inverse();
    let (at, back) = (into * hand.position, into * -hand.fingers.into_inner());
    if back.z < STEEP {
        return false;
    }
    // The way back along the fingers until it is over a wall.
    let until = |at: f64, half: f64, back: f64| {
        if back.abs() < 1e-6 {
            f64::INFINITY
        } else {
            ((half - WALL_M).copysign(back) - at) / back
        }
    };
    let way_m = until(at.x, shape.half.x, back.x).min(until(at.y, shape.half.y, back.y));
    at.z + way_m.max(0.0) * back.z > shape.half.z + HAND_HALF_M || way_m < 0.0
}

/// A thing in something that is open at the top, of which only the top was seen over the rim: it is taken for a little
/// higher than that. Where it is not, the finger tips touch the floor sooner.
pub fn reaching_down(tray: &SceneObject, shape: &OrientedBox) -> OrientedBox {
    const LEAST_M: f64 = 0.06;
    let top = shape.top_m();
    let bottom = shape
        .bottom_m()
        .min((top - LEAST_M).max(tray.shape.bottom_m() + FLOOR_M));
    let half_z = 0.5 * (top - bottom).max(0.0);
    OrientedBox {
        center: Point3::new(shape.center.x, shape.center.y, top - half_z),
        half: Vector3::new(shape.half.x, shape.half.y, half_z),
        ..*shape
    }
}

/// Where the hand is before and after it is in something that is open at the top: further up, or back along its fingers, to
/// where the finger tips are over the rim.
pub fn over_rim(rim_m: f64, before: &HandPose, comes_down: bool, tip_m: f64) -> HandPose {
    let lack_m = (rim_m + OVER_RIM_M + tip_m - before.position.z).max(0.0);
    if comes_down {
        before.moved(Vector3::z() * lack_m)
    } else {
        before.backed_off(lack_m / (-before.fingers.z).max(STEEP))
    }
}

/// How far a thing in a drawer is to be drawn out, frame `map`, before it can be lifted: from under what is above the drawer,
/// as far as the drawer's front lets it.
pub fn out_from_under(drawer: &SceneObject, shape: &OrientedBox) -> Option<Vector3> {
    let room = room_in_drawer(drawer)?;
    let out = room.pose() * Vector3::x();
    let local = room.pose().inverse() * shape.center;
    let a = shape.yaw_rad - room.yaw_rad;
    let reach_m = shape.half.x * a.cos().abs() + shape.half.y * a.sin().abs();
    let lack_m = CLEAR_OF_EDGE_M - room.half.x - (local.x - reach_m);
    let room_m = room.half.x - (local.x + reach_m);
    let way_m = lack_m.min(room_m);
    (way_m > 0.0).then_some(out * way_m)
}

/// A hand that takes a thing in a drawer further out than in its middle, where that is under what is above the drawer.
/// `None` where it need not, or would close beside the thing.
pub fn in_front_of_edge(drawer: &SceneObject, shape: &OrientedBox, hand: &HandPose) -> Option<HandPose> {
    /// Share of the thing's half length that the hand may be off its middle.
    const MOST: f64 = 0.6;
    let room = room_in_drawer(drawer)?;
    let out = room.pose() * Vector3::x();
    let local = room.pose().inverse() * hand.position;
    let shift_m = FINGER_HALF_M - room.half.x - local.x;
    let most_m = MOST * extent_along(shape, &out);
    let is_across = hand.closing.dot(&out).abs() < 0.3;
    (is_across && shift_m > 0.0 && shift_m < most_m).then(|| hand.moved(out * shift_m))
}

/// Whether open fingers at a pose are between the walls of something that is open at the top, and the palm, too, where it
/// comes below the rim. In a drawer fingers from the front may reach under what is above it.
pub fn is_between_walls(robot: &Robot, tray: &SceneObject, hand: &HandPose, opening_m: f64) -> bool {
    let Some(room) = (if tray.articulation.is_some() {
        room_in_drawer(tray)
    } else {
        Some(room_in_bin(tray))
    }) else {
        return true;
    };
    let into = room.pose().inverse() * hand.pose();
    let is_drawer = tray.articulation.is_some();
    let is_low = |p: &Point3| p.z < room.half.z - UNDER_M;
    let is_behind = |p: &Point3| p.x < -room.half.x - TOUCH_M;
    let is_inside = |along: f64, aside: f64, thick: f64| {
        [(aside, thick), (aside, -thick), (-aside, thick), (-aside, -thick)]
            .into_iter()
            .map(|(across, up)| into * Point3::new(along, across, up))
            .all(|p| {
                let is_under = is_drawer && is_low(&p) && p.x > -room.half.x - HIDDEN_M;
                (is_under || !is_behind(&p))
                    && p.x < room.half.x + TOUCH_M
                    && p.y.abs() < room.half.y + TOUCH_M
            })
    };
    // From the palm to the tips the hand passes the edge of what is above the drawer.
    let passes_edge = || {
        let steps = (robot.palm_m / 0.02).ceil() as i32;
        (0..=steps)
            .flat_map(|i| [FINGER_HALF_M, -FINGER_HALF_M].map(|up| (-0.02 * f64::from(i), up)))
            .map(|(along, up)| into * Point3::new(along, 0.0, up))
            .all(|p| is_low(&p) || !is_behind(&p))
    };
    let palm_z_m = hand.position.z - robot.palm_m * hand.fingers.z;
    let palm_is_over = palm_z_m > tray.shape.top_m();
    is_inside(0.0, 0.5 * opening_m + FINGER_M, FINGER_HALF_M)
        && (palm_is_over || is_inside(-robot.palm_m, PALM_HALF_M.0, PALM_HALF_M.1))
        && (!is_drawer || passes_edge())
}

/// The room in a bin.
pub fn room_in_bin(bin: &SceneObject) -> OrientedBox {
    let half = bin.shape.half;
    OrientedBox {
        half: Vector3::new((half.x - WALL_M).max(0.02), (half.y - WALL_M).max(0.02), half.z),
        ..bin.shape
    }
}
