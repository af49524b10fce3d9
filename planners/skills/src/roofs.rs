//! What things stand under: boards of a shelf, a table top. Their undersides are never seen from the height of the
//! head, and of a board behind things that stand in front of it not every voxel is.

use steward_core::geometry::Point3;
use steward_core::messages::{Presence, SceneGraph};

/// Surfaces up to this far above a thing leave no room for a hand that points down, metres: from the finger tips to
/// the arm.
const HAND_M: f64 = 0.45;
/// A surface nearer than this is the one the thing stands on, metres.
const SAME_M: f64 = 0.06;
/// How far past the edge of a surface a hand beside it still touches it, metres.
const BESIDE_M: f64 = 0.03;

/// Whether a known surface lies close above a point.
pub fn is_roofed(graph: &SceneGraph, point: &Point3) -> bool {
    room_above_m(graph, point).is_some()
}

/// Distance from a point up to the top of the nearest board over it, metres; [`None`] where there is none near.
pub fn room_above_m(graph: &SceneGraph, point: &Point3) -> Option<f64> {
    graph
        .objects
        .iter()
        .filter(|o| o.presence == Presence::Present)
        .flat_map(|o| &o.surfaces)
        .filter(|s| s.covers(point.x, point.y, BESIDE_M))
        .map(|s| s.height_m() - point.z)
        .filter(|above_m| *above_m > SAME_M && *above_m < HAND_M)
        .min_by(f64::total_cmp)
}
