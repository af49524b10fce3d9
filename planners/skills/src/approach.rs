//! Where the base should stand to see or reach something.

use std::f64::consts::TAU;

use steward_core::geometry::{OrientedBox, Point3, Pose2};
use steward_core::messages::{Relation, RelationKind, SceneObject};

use crate::drive::facing;
use crate::machine::Inputs;
use crate::navmap::{COST_PER_M, NavMap};
use crate::path::CostField;

/// A place to stand, best first in lists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Where.
    pub pose: Pose2,
    /// Metres of driving that it is worth less than a perfect place next to the robot.
    pub cost: f64,
}

/// Places closer than this are the same for the arm, metres.
const SAME_PLACE_M: f64 = 0.08;

/// Where the base stood in vain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unfit(Vec<Pose2>);

impl Unfit {
    pub(crate) fn push(&mut self, base: Pose2) {
        self.0.push(base);
    }

    /// Whether a place is as good as one of them.
    pub(crate) fn covers(&self, place: &Pose2) -> bool {
        self.0.iter().any(|u| u.distance_m(place) < SAME_PLACE_M)
    }
}

/// Directions tried around a thing.
const DIRECTIONS: usize = 32;

/// How close to a thing occupied cells may belong to it, metres.
const OWN_CELLS_M: f64 = 0.15;

/// Places on rings around a point, from which the base faces it. `body`: what the point belongs to, or what carries
/// it; places on the other side of a wall from it are left out unless there are no others. `reach_m`: distances tried,
/// best first; each later one costs `ring_cost` more.
pub fn around_point(
    map: &NavMap,
    field: &CostField,
    point: &Point3,
    body: &OrientedBox,
    reach_m: &[f64],
    ring_cost: f64,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (ring, reach) in reach_m.iter().enumerate() {
        for i in 0..DIRECTIONS {
            let a = TAU * i as f64 / DIRECTIONS as f64;
            let at = (point.x + reach * a.cos(), point.y + reach * a.sin());
            if let Some(cost) = standing_cost(map, field, at, point, ring as f64 * ring_cost) {
                found.push(Candidate {
                    pose: facing(at, point),
                    cost,
                });
            }
        }
    }
    keep_this_side(map, body, &mut found);
    sort(&mut found);
    found
}

/// The box of what a thing stands on or is in, its own where that is not known.
pub fn carrier(inputs: &Inputs, object: &SceneObject) -> OrientedBox {
    let carried = |r: &&Relation| r.subject == object.id && r.kind != RelationKind::Near;
    inputs
        .graph
        .and_then(|g| g.relations.iter().find(carried))
        .and_then(|r| inputs.object(r.object))
        .map_or(object.shape, |o| o.shape)
}

/// Leaves out places from which a wall, or other furniture, hides the nearest side of a box, unless all are such.
fn keep_this_side(map: &NavMap, body: &OrientedBox, found: &mut Vec<Candidate>) {
    let is_open = |c: &Candidate| {
        let at = (c.pose.x_m, c.pose.y_m);
        let local = body
            .pose()
            .inverse_transform_point(&Point3::new(at.0, at.1, body.center.z));
        let near = Point3::new(
            local.x.clamp(-body.half.x, body.half.x),
            local.y.clamp(-body.half.y, body.half.y),
            0.0,
        );
        let near = body.pose() * near;
        map.sees(at, (near.x, near.y), OWN_CELLS_M)
    };
    if found.iter().any(is_open) {
        found.retain(is_open);
    }
}

/// Places around an upright box at a distance from its sides, facing its centre.
pub fn around_box(
    map: &NavMap,
    field: &CostField,
    shape: &OrientedBox,
    distances_m: &[f64],
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let (s, c) = shape.yaw_rad.sin_cos();
    for (ring, d) in distances_m.iter().enumerate() {
        let (hx, hy) = (shape.half.x + d, shape.half.y + d);
        for i in 0..2 * DIRECTIONS {
            // Along the four sides of the grown box; its corners are far from everything.
            let side = i % 4;
            let t = ((i / 4) as f64 + 0.5) / (DIRECTIONS / 2) as f64 * 2.0 - 1.0;
            let (lx, ly) = match side {
                0 => (hx, t * shape.half.y),
                1 => (-hx, t * shape.half.y),
                2 => (t * shape.half.x, hy),
                _ => (t * shape.half.x, -hy),
            };
            let at = (shape.center.x + c * lx - s * ly, shape.center.y + s * lx + c * ly);
            // The middle of a side shows more than its ends.
            let extra = ring as f64 * 0.3 + 0.3 * t.abs();
            if let Some(cost) = standing_cost(map, field, at, &shape.center, extra) {
                found.push(Candidate {
                    pose: facing(at, &shape.center),
                    cost,
                });
            }
        }
    }
    keep_this_side(map, shape, &mut found);
    sort(&mut found);
    found
}

/// Cost of standing somewhere to deal with a point, `None` where the base cannot stand or get there.
fn standing_cost(map: &NavMap, field: &CostField, at: (f64, f64), point: &Point3, extra: f64) -> Option<f64> {
    if !map.standable_at(at.0, at.1) {
        return None;
    }
    let driving = f64::from(field.cost_to(map, at.0, at.1)?) / COST_PER_M;
    // Walls between here and there: furniture on the way is what the arm reaches over, but a line of occupied
    // cells far from the point is most likely something else.
    let hidden = if map.sees(at, (point.x, point.y), 0.45) {
        0.0
    } else {
        3.0
    };
    let tight = (0.35 - map.clearance_at(at.0, at.1)).max(0.0) * 4.0;
    Some(driving + hidden + tight + extra)
}

fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::geometry::Vector3;
    use steward_core::messages::{Header, OccupancyGrid};

    use super::*;
    use crate::config::SkillsConfig;

    /// Six by four metres of floor around the origin with a wall along y = 0 that ends one metre before the right
    /// border.
    fn divided_floor() -> NavMap {
        let (width, height, resolution_m) = (120, 80, 0.05);
        let cells: Vec<i8> = (0..width * height)
            .map(|n| {
                let (column, row) = (n % width, n / width);
                if (39..=40).contains(&row) && column < 100 {
                    100
                } else {
                    0
                }
            })
            .collect();
        let grid = OccupancyGrid {
            header: Header::default(),
            resolution_m,
            width: width as u32,
            height: height as u32,
            origin: Pose2::new(-3.0, -2.0, 0.0),
            cells: Arc::new(cells),
        };
        NavMap::new(&grid, &SkillsConfig::default())
    }

    #[test]
    fn places_behind_a_wall_are_left_out_however_near_they_are() {
        let map = divided_floor();
        // The robot stands on this side of the wall, the bench along it on the other.
        let field = CostField::from_start(&map, (-1.0, -0.6)).unwrap();
        let bench = OrientedBox {
            center: Point3::new(-1.0, 0.3, 0.22),
            yaw_rad: 0.0,
            half: Vector3::new(0.5, 0.15, 0.22),
        };
        let beside = around_box(&map, &field, &bench, &[0.5, 0.65]);
        assert!(!beside.is_empty());
        assert!(beside.iter().all(|c| c.pose.y_m > 0.3), "{beside:?}");
        let spot = Point3::new(-1.0, 0.3, 0.44);
        let near = around_point(&map, &field, &spot, &bench, &[0.7, 0.9], 0.1);
        assert!(!near.is_empty());
        assert!(near.iter().all(|c| c.pose.y_m > 0.0), "{near:?}");
    }
}
