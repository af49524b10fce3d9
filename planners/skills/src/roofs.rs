//! What things stand under: boards of a shelf, a table top. Their undersides are never seen from the height of the
//! head, and of a board behind things that stand in front of it not every voxel is.

use steward_core::geometry::Point3;
use steward_core::messages::{Presence, SceneGraph, SupportSurface};

use crate::ik::HandPose;
use crate::robot::Robot;
use crate::voxels::Voxels;

/// Thickness of a board and some room below it, metres.
const BOARD_M: f64 = 0.05;
/// Half thickness of the arm, metres.
const ARM_HALF_M: f64 = 0.036;
/// Surfaces up to this far above a thing leave no room for a hand that points down, metres: from the finger tips to
/// the arm.
const HAND_M: f64 = 0.45;
/// A surface nearer than this is the one the thing stands on, metres.
const SAME_M: f64 = 0.06;
/// How far past the edge of a surface a hand beside it still touches it, metres.
const BESIDE_M: f64 = 0.03;

/// How far around a point a surface that goes on over it was measured somewhere, metres.
const MEASURED_M: f64 = 0.06;
/// How far below and above its height a surface may have been measured, metres.
pub(crate) const UNEVEN_M: f64 = 0.04;
/// How far around a hole its edge is looked for, metres, and how many voxels in each quarter tell that it was seen: of a
/// board that is looked at from the front the far side is not.
const EDGE: (f64, usize) = (0.4, 10);

/// Whether a known surface lies close above a point.
pub fn is_roofed(graph: &SceneGraph, voxels: Option<&Voxels>, point: &Point3) -> bool {
    room_above_m(graph, voxels, point).is_some()
}

/// Distance from a point up to the top of the nearest board over it, metres; [`None`] where there is none near.
pub fn room_above_m(graph: &SceneGraph, voxels: Option<&Voxels>, point: &Point3) -> Option<f64> {
    above(graph, point)
        .filter(|s| !is_hole(voxels, s, point))
        .map(|s| s.height_m() - point.z)
        .min_by(f64::total_cmp)
}

/// Whether a hand, the wrist and the arm behind it fit under a board `room_m` over a point, metres as of [`room_above_m`].
pub fn goes_under(robot: &Robot, hand: &HandPose, point: &Point3, room_m: f64) -> bool {
    wrist_m(robot, hand) + ARM_HALF_M < point.z + room_m - BOARD_M
}

/// Height of the wrist, and of the arm behind it, metres.
pub fn wrist_m(robot: &Robot, hand: &HandPose) -> f64 {
    hand.position.z - hand.fingers.z * robot.pitch_grasp_m
}

/// Height of the worktop around a basin that a point is in, metres: a surface was measured around it and not over it.
pub fn basin_rim_m(graph: &SceneGraph, voxels: Option<&Voxels>, point: &Point3) -> Option<f64> {
    above(graph, point)
        .filter(|s| is_hole(voxels, s, point))
        .map(SupportSurface::height_m)
        .max_by(f64::total_cmp)
}

fn above<'a>(graph: &'a SceneGraph, point: &Point3) -> impl Iterator<Item = &'a SupportSurface> {
    let (x, y, z) = (point.x, point.y, point.z);
    graph
        .objects
        .iter()
        .filter(|o| o.presence == Presence::Present)
        .flat_map(|o| &o.surfaces)
        .filter(move |s| {
            let above_m = s.height_m() - z;
            s.covers(x, y, BESIDE_M) && above_m > SAME_M && above_m < HAND_M
        })
}

/// Whether a surface, which is known as a rectangle, has a hole over a point. What hides it by standing on it counts as it.
fn is_hole(voxels: Option<&Voxels>, surface: &SupportSurface, point: &Point3) -> bool {
    let Some(voxels) = voxels else {
        return false;
    };
    let mut edge = [0; 4];
    let height_m = surface.height_m();
    for p in voxels.beside(point, EDGE.0, [height_m - UNEVEN_M, height_m + HAND_M]) {
        let above_m = p.z - height_m;
        let aside_m = (p.x - point.x).hypot(p.y - point.y);
        if aside_m > EDGE.0 || !(-UNEVEN_M..HAND_M).contains(&above_m) {
            continue;
        }
        if aside_m < MEASURED_M {
            return false;
        }
        if above_m < UNEVEN_M && surface.covers(p.x, p.y, 0.0) {
            edge[usize::from(p.x < point.x) + 2 * usize::from(p.y < point.y)] += 1;
        }
    }
    edge.iter().all(|voxels| *voxels >= EDGE.1)
}
