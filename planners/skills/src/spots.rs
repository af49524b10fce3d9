//! Where something held can be put down.

use steward_core::geometry::{Aabb, OrientedBox, Point3, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, Relation, RelationKind, SceneGraph, SceneObject, SupportSurface};

use crate::navmap::NavMap;
use crate::roofs::UNEVEN_M;
use crate::trays;
use crate::voxels::Voxels;

/// A place for the bottom of the thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Middle of where it is to stand, z at the support, frame `map`.
    pub point: Point3,
    /// How the hand comes.
    pub entry: Entry,
    /// Where it is to fit in, with walls around.
    pub walls: Option<OrientedBox>,
    /// Smaller is better, metres of driving.
    pub cost: f64,
}

/// How the hand gets to a spot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry {
    /// As the thing was picked up: it stands there as it stood before.
    Upright,
    /// From above, and dropping it from this height above the support is fine, metres.
    Drop(f64),
    /// Through an opening that faces a heading; any pitch of the hand will do.
    Front(f64),
}

impl Entry {
    /// How far the base backs off after letting go to see the result, metres: into furniture one looks from ahead,
    /// into what is open at the top from close by.
    pub fn back_off_m(self) -> f64 {
        match self {
            Entry::Upright => 0.15,
            Entry::Drop(_) => 0.02,
            Entry::Front(_) => 0.35,
        }
    }
}

/// What spots are looked for with.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Memory.
    pub graph: &'a SceneGraph,
    /// Voxels.
    pub voxels: Option<&'a Voxels>,
    /// The floor.
    pub map: &'a NavMap,
    /// What is held.
    pub held: ObjectId,
    /// Half side lengths of its upright box, metres.
    pub half: Vector3,
    /// It can only be put upright where nothing is above, the hand having come from too high when it was picked up; between
    /// boards it is laid.
    pub laid: bool,
}

/// Distance from edges that is kept where there is room, metres.
const EDGE_M: f64 = 0.06;
/// Spacing of spots, metres.
const SPACING_M: f64 = 0.05;
/// Spacing of heights that are tried in furniture without a known board, metres.
const UNSEEN_BOARD_M: f64 = 0.08;
/// How far around a point ground was measured at its height where there is any, metres.
const GROUND_M: f64 = 0.028;
/// How far around its middle a thing is to have ground at least, metres: the hand is off by a little, and round things roll.
const STEADY_M: f64 = 0.05;
/// What a surface much smaller than the largest of the furniture costs, metres of driving: armrests and ledges are not
/// what things are put on.
const MINOR: f64 = 3.0;
/// What a spot costs under which the surface was not measured, metres of driving: more than any way to another one.
const HOLLOW: f64 = 8.0;
/// Room above a surface from which on it counts as open above, metres.
const OPEN_ABOVE_M: f64 = 0.5;
/// Cost of a board with another one above it: what stands there is in a shelf rather than on it.
const INNER: f64 = 3.0;
/// What a spot in furniture costs under which no board was seen, metres of driving.
const FLOATING: f64 = 3.0;
/// Cost of every metre by which a thing stands out of furniture that has a door, metres of driving.
const STANDING_OUT: f64 = 100.0;
/// Height above the floor of a drawer or a bin at which things are let go, metres.
const DROP_M: f64 = 0.05;
/// Room between things put down and what stands there, metres.
const GAP_M: f64 = 0.03;

/// Whether something is close above a surface.
fn is_inner(surface: &SupportSurface) -> bool {
    surface.clearance_m < OPEN_ABOVE_M
}

/// Whether furniture has boards between which things are laid that cannot be stood there.
pub(crate) fn has_inner_boards(furniture: &SceneObject) -> bool {
    furniture.surfaces.iter().any(is_inner)
}

impl Query<'_> {
    /// Spots that bring about a relation to a target, best first.
    pub fn spots(&self, relation: RelationKind, target: &SceneObject) -> Vec<Spot> {
        let mut spots = match relation {
            RelationKind::On => self.on(target),
            RelationKind::In => self.inside(target),
            RelationKind::Near => self.near(target),
        };
        spots.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        spots
    }

    fn radius_m(&self) -> f64 {
        self.half.x.max(self.half.y)
    }

    fn on(&self, target: &SceneObject) -> Vec<Spot> {
        let surfaces: Vec<SupportSurface> = if target.surfaces.is_empty() {
            vec![top_of(&target.shape)]
        } else {
            target.surfaces.clone()
        };
        let area = |s: &SupportSurface| s.half_x_m * s.half_y_m;
        let largest = surfaces.iter().map(area).fold(0.0, f64::max);
        let with_edge = |edge_m: f64| -> Vec<Spot> {
            let of = |s: &SupportSurface| {
                let small = MINOR * (1.0 - 2.0 * area(s) / largest.max(1e-6)).max(0.0);
                let inner = if is_inner(s) { INNER } else { 0.0 };
                let mut spots = self.on_surface(s, Some(target.id), edge_m);
                spots.iter_mut().for_each(|spot| spot.cost += small + inner);
                spots
            };
            let upright = surfaces.iter().filter(|s| !(self.laid && is_inner(s)));
            upright.flat_map(of).collect()
        };
        let mut spots = with_edge(EDGE_M);
        if spots.is_empty() {
            spots = with_edge(0.0);
        }
        if self.laid && has_inner_boards(target) {
            let mut laid = self.through_the_front(target, None);
            laid.iter_mut().for_each(|spot| spot.cost += INNER);
            spots.extend(laid);
        }
        spots
    }

    /// Free spots of one surface.
    fn on_surface(&self, surface: &SupportSurface, owner: Option<ObjectId>, edge_m: f64) -> Vec<Spot> {
        let height = 2.0 * self.half.z;
        if surface.clearance_m < height + 0.03 {
            return Vec::new();
        }
        let r = self.radius_m();
        let (s, c) = surface.yaw_rad.sin_cos();
        let room = |half: f64| (half - edge_m - r.min(0.08)).max(if edge_m > 0.0 { -1.0 } else { 0.0 });
        let (rx, ry) = (room(surface.half_x_m), room(surface.half_y_m));
        if rx < 0.0 || ry < 0.0 {
            return Vec::new();
        }
        let steps = |room: f64| (room / SPACING_M).floor() as i64;
        let seen = self.seen_of(surface);
        let mut spots = Vec::new();
        for i in -steps(rx)..=steps(rx) {
            for j in -steps(ry)..=steps(ry) {
                let (lx, ly) = (i as f64 * SPACING_M, j as f64 * SPACING_M);
                let point = Point3::new(
                    surface.center.x + c * lx - s * ly,
                    surface.center.y + s * lx + c * ly,
                    surface.center.z,
                );
                let Some(room) = self.room_at(&point, owner) else {
                    continue;
                };
                // Far from other things, and not further from an edge than the arm likes.
                let edge = (surface.half_x_m - lx.abs()).min(surface.half_y_m - ly.abs());
                let deep = (edge - 0.30).max(0.0);
                let low = if is_inner(surface) { 0.6 } else { 0.0 };
                spots.push(Spot {
                    point,
                    entry: Entry::Upright,
                    walls: None,
                    cost: HOLLOW * self.share_over_nothing(&seen, &point)
                        + 1.5 * deep
                        + 2.0 * (0.12 - room).max(0.0)
                        + 2.0 * (0.12 - edge).max(0.0)
                        + low,
                });
            }
        }
        spots
    }

    /// What was measured of a surface: voxels at its height.
    fn seen_of(&self, surface: &SupportSurface) -> Vec<Point3> {
        let Some(voxels) = self.voxels else {
            return Vec::new();
        };
        let reach = surface.half_x_m.hypot(surface.half_y_m) + voxels.side_m();
        let height_m = surface.center.z;
        let points = voxels.beside(&surface.center, reach, [height_m - UNEVEN_M, height_m + UNEVEN_M]);
        points
            .copied()
            .filter(|p| (p.z - height_m).abs() < UNEVEN_M)
            .filter(|p| (p.x - surface.center.x).hypot(p.y - surface.center.y) < reach)
            .collect()
    }

    /// How much of the ground that the thing would stand on was not measured at the surface's height, from 0 to 1: a basin
    /// in a worktop, a gap between cushions. 0 where nothing of the surface was measured yet.
    fn share_over_nothing(&self, seen: &[Point3], point: &Point3) -> f64 {
        if seen.is_empty() {
            return 0.0;
        }
        let r = (0.8 * self.radius_m()).max(STEADY_M);
        let ground = [(0.0, 0.0), (r, 0.0), (-r, 0.0), (0.0, r), (0.0, -r)];
        let is_empty = |(dx, dy): &(f64, f64)| {
            let is_under = |p: &Point3| (p.x - point.x - dx).hypot(p.y - point.y - dy) < GROUND_M;
            !seen.iter().any(is_under)
        };
        ground.iter().filter(|g| is_empty(g)).count() as f64 / ground.len() as f64
    }

    /// Distance to the nearest thing around a spot, `None` where it does not fit.
    fn room_at(&self, point: &Point3, owner: Option<ObjectId>) -> Option<f64> {
        let r = self.radius_m();
        let (low, high) = (point.z + 0.01, point.z + 2.0 * self.half.z + 0.02);
        const MOST_M: f64 = 0.3;
        let mut room = MOST_M;
        for o in &self.graph.objects {
            let other = o.id != self.held && Some(o.id) != owner && o.presence == Presence::Present;
            if !other || o.shape.bottom_m() > high || o.shape.top_m() < low {
                continue;
            }
            // Furniture is hollow: its voxels tell where it is in the way.
            if o.shape.half.x.max(o.shape.half.y) > 0.25 {
                continue;
            }
            let local = o.shape.pose().inverse_transform_point(point);
            let d = (local.x.abs() - o.shape.half.x)
                .max(0.0)
                .hypot((local.y.abs() - o.shape.half.y).max(0.0));
            if d < r + GAP_M {
                return None;
            }
            room = room.min(d - r);
        }
        if let Some(voxels) = self.voxels {
            let reach = r + 0.5 * voxels.side_m();
            for p in voxels.beside(point, reach + MOST_M, [point.z + UNEVEN_M, high]) {
                if p.z < point.z + UNEVEN_M || p.z > high {
                    continue;
                }
                let d = (p.x - point.x).hypot(p.y - point.y);
                if d < reach {
                    return None;
                }
                room = room.min(d - reach);
            }
        }
        Some(room)
    }

    fn inside(&self, target: &SceneObject) -> Vec<Spot> {
        // A drawer or a lid is put into by way of the part itself; furniture by way of its open part.
        let part = self
            .graph
            .objects
            .iter()
            .filter(|o| o.presence == Presence::Present)
            .filter(|o| o.id == target.id || o.articulation.is_some_and(|a| a.owner == Some(target.id)))
            .filter(|o| o.articulation.is_some())
            .max_by_key(|o| o.articulation.and_then(|a| a.is_open()) == Some(true));
        if let Some((part, a)) = part.and_then(|p| p.articulation.map(|a| (p, a))) {
            if a.prismatic {
                return self.in_drawer(part);
            }
            if a.axis.z.abs() < 0.5 {
                return self.spots_from_above(target);
            }
        }
        if trays::is_open_at_top(target) {
            return self.spots_from_above(target);
        }
        let facing = part
            .and_then(|p| p.articulation)
            .and_then(|a| a.opening_heading(&target.shape));
        self.through_the_front(target, facing)
    }

    /// Onto the floor of a drawer, where that is free from above.
    fn in_drawer(&self, part: &SceneObject) -> Vec<Spot> {
        const STEP_M: f64 = 0.05;
        let Some(room) = trays::room_in_drawer(part) else {
            return Vec::new();
        };
        let steps = |half: f64| (half / STEP_M).floor() as i32;
        let (rx, ry) = (steps(room.half.x), steps(room.half.y));
        let mut spots = Vec::new();
        for i in -rx..=rx {
            for k in -ry..=ry {
                let (x, y) = (f64::from(i) * STEP_M, f64::from(k) * STEP_M);
                let point = room.pose() * Point3::new(x, y, -room.half.z);
                let taken = if self.is_taken(&point) { 1.0 } else { 0.0 };
                spots.push(Spot {
                    point,
                    entry: Entry::Drop(DROP_M),
                    walls: Some(room),
                    cost: x.abs() + y.abs() + taken,
                });
            }
        }
        spots
    }

    /// Whether something small is remembered where the thing would go.
    fn is_taken(&self, point: &Point3) -> bool {
        self.graph
            .objects
            .iter()
            .filter(|o| o.id != self.held && o.presence == Presence::Present && o.articulation.is_none())
            .filter(|o| o.shape.half.x.max(o.shape.half.y) < 0.25)
            .any(|o| {
                (o.shape.center.z - point.z).abs() < 0.15
                    && o.shape
                        .contains(&Point3::new(point.x, point.y, o.shape.center.z), self.radius_m())
            })
    }

    /// Into something open at the top, held over its middle.
    fn spots_from_above(&self, target: &SceneObject) -> Vec<Spot> {
        let room = trays::room_in_bin(target);
        let depth = (2.0 * target.shape.half.z).min(0.10);
        [(0.0, 0.0), (0.04, 0.0), (-0.04, 0.0), (0.0, 0.04), (0.0, -0.04)]
            .into_iter()
            .map(|(dx, dy): (f64, f64)| Spot {
                point: room.pose() * Point3::new(dx, dy, room.half.z - depth),
                entry: Entry::Drop(DROP_M),
                walls: Some(room),
                cost: dx.abs() + dy.abs(),
            })
            .collect()
    }

    /// Onto a board inside, through the front.
    fn through_the_front(&self, target: &SceneObject, facing: Option<f64>) -> Vec<Spot> {
        let shape = &target.shape;
        let headings: Vec<f64> = match facing {
            Some(h) => vec![h],
            None => (0..4)
                .map(|i| shape.yaw_rad + f64::from(i) * std::f64::consts::FRAC_PI_2)
                .collect(),
        };
        let inner: Vec<SupportSurface> = target
            .surfaces
            .iter()
            .filter(|s| s.center.z < shape.top_m() - 0.08 && s.clearance_m < 1.2)
            .copied()
            .collect();
        // Heights, the room above, and what was seen of the board.
        let boards: Vec<(f64, f64, Option<&SupportSurface>)> = if inner.is_empty() {
            // No board was told apart: anywhere between bottom and top, best right above something seen.
            let layers = (2.0 * shape.half.z / UNSEEN_BOARD_M) as usize;
            (0..layers)
                .map(|i| shape.bottom_m() + 0.04 + UNSEEN_BOARD_M * i as f64)
                .map(|z| (z, shape.top_m() - 0.04 - z, None))
                .collect()
        } else {
            inner
                .iter()
                .map(|s| (s.center.z, s.clearance_m, Some(s)))
                .collect()
        };
        let r = self.radius_m();
        let mut spots = Vec::new();
        for heading in headings {
            let out = Vector3::new(heading.cos(), heading.sin(), 0.0);
            let across = Vector3::new(-out.y, out.x, 0.0);
            let (depth, width) = (extent_along(shape, &out), extent_along(shape, &across));
            for (height, clearance, board) in &boards {
                if *clearance < 2.0 * self.half.z.min(r) + 0.05 {
                    continue;
                }
                for inward in [0.10, 0.14, 0.18, 0.22, 0.26] {
                    for k in -3..=3 {
                        let side = f64::from(k) * 0.05;
                        if side.abs() + r + 0.05 > width || inward + r + 0.02 > 2.0 * depth {
                            continue;
                        }
                        let mut point = shape.center + out * (depth - inward) + across * side;
                        point.z = *height;
                        let Some(room) = self.room_at(&point, Some(target.id)) else {
                            continue;
                        };
                        let tight = 0.5 * (0.35 - clearance).max(0.0);
                        let is_carried = match board {
                            Some(board) => board.covers(point.x, point.y, -0.5 * r),
                            None => self.is_carried(&point),
                        };
                        let floating = if is_carried { 0.0 } else { FLOATING };
                        // A door does not shut on what stands out at the front.
                        let out_in_front = match facing {
                            Some(_) => STANDING_OUT * (r + 0.02 - inward).max(0.0),
                            None => 0.0,
                        };
                        spots.push(Spot {
                            point,
                            entry: Entry::Front(heading),
                            walls: None,
                            cost: side.abs()
                                + (0.15 - inward).abs()
                                + (0.06 - room).max(0.0)
                                + tight
                                + floating
                                + out_in_front
                                + 0.3 * (height - 0.8).abs(),
                        });
                    }
                }
            }
        }
        spots
    }

    /// Whether something was seen right below a point.
    fn is_carried(&self, point: &Point3) -> bool {
        let r = self.radius_m();
        self.voxels.is_some_and(|voxels| {
            let (above_m, below_m) = (0.5 * UNEVEN_M, UNSEEN_BOARD_M + UNEVEN_M);
            let mut near = voxels.beside(point, r, [point.z - below_m, point.z + above_m]);
            near.any(|p| {
                let below = point.z - p.z;
                (-above_m..below_m).contains(&below) && (p.x - point.x).hypot(p.y - point.y) < r
            })
        })
    }

    fn near(&self, landmark: &SceneObject) -> Vec<Spot> {
        let supporting = |id: ObjectId| {
            self.graph
                .relations
                .iter()
                .any(|r| r.subject == landmark.id && r.object == id && r.kind != RelationKind::Near)
        };
        let own = landmark.shape.aabb();
        let close = |spot: &Spot| {
            let mut center = spot.point;
            center.z += self.half.z;
            let d = Aabb::from_center_half(center, self.half).distance_m(&own);
            (d < 0.8 * RelationKind::NEAR_M).then_some(d)
        };
        let mut spots = Vec::new();
        for o in &self.graph.objects {
            if o.id == landmark.id || o.presence != Presence::Present {
                continue;
            }
            let penalty = if supporting(o.id) { 0.0 } else { 1.0 };
            let tops = if o.surfaces.is_empty() && supporting(o.id) {
                vec![top_of(&o.shape)]
            } else {
                o.surfaces.clone()
            };
            for surface in tops {
                for mut spot in self.on_surface(&surface, Some(o.id), EDGE_M) {
                    if let Some(d) = close(&spot) {
                        spot.cost += penalty + d;
                        spots.push(spot);
                    }
                }
            }
        }
        if let Some(hollow) = self.hollow_around(landmark) {
            let within = self.inside(hollow).into_iter();
            spots.extend(within.filter(|s| close(s).is_some()));
        }
        if spots.is_empty() {
            // What it stands on was not told apart: what was seen around it at the height of its bottom will do.
            let level = landmark.shape.bottom_m();
            let around = self.around(landmark, &[0.06, 0.12], level);
            spots.extend(around.filter(|s| close(s).is_some() && self.is_carried(&s.point)));
            spots.retain(|s| self.room_at(&s.point, None).is_some());
        }
        // The floor next to it.
        for mut spot in self.around(landmark, &[0.15, 0.25], 0.0) {
            let point = spot.point;
            spot.cost += 2.5;
            let free = self
                .map
                .index_of(point.x, point.y)
                .is_some_and(|c| self.map.clearance_m(c) > self.radius_m() + 0.02);
            if free
                && let Some(d) = close(&spot)
                && self.room_at(&point, None).is_some()
            {
                spots.push(Spot {
                    cost: spot.cost + d,
                    ..spot
                });
            }
        }
        spots
    }

    /// Spots on a level around a thing, at gaps from it.
    fn around(&self, o: &SceneObject, gaps_m: &[f64], level_m: f64) -> impl Iterator<Item = Spot> {
        let (shape, radius_m, gaps_m) = (o.shape, self.radius_m(), gaps_m.to_vec());
        (0..24).flat_map(move |i| {
            let a = std::f64::consts::TAU * f64::from(i) / 24.0;
            let dir = Vector3::new(a.cos(), a.sin(), 0.0);
            gaps_m.clone().into_iter().map(move |gap| {
                let at = shape.center + dir * (extent_along(&shape, &dir) + gap + radius_m);
                Spot {
                    point: Point3::new(at.x, at.y, level_m),
                    entry: Entry::Upright,
                    walls: None,
                    cost: gap,
                }
            })
        })
    }

    /// Furniture or a drawer that a thing is in.
    fn hollow_around(&self, o: &SceneObject) -> Option<&SceneObject> {
        let holds = |r: &&Relation| r.subject == o.id && r.kind == RelationKind::In;
        let within = self.graph.relations.iter().find(holds)?;
        self.graph.objects.iter().find(|h| h.id == within.object)
    }
}

/// The top of a box as a surface.
fn top_of(shape: &OrientedBox) -> SupportSurface {
    let mut center = shape.center;
    center.z = shape.top_m();
    SupportSurface {
        center,
        yaw_rad: shape.yaw_rad,
        half_x_m: shape.half.x,
        half_y_m: shape.half.y,
        clearance_m: SupportSurface::MAX_CLEARANCE_M,
    }
}

/// Distance from a box's centre to its side along a horizontal direction, metres.
pub fn extent_along(shape: &OrientedBox, direction: &Vector3) -> f64 {
    let local = shape.pose().rotation.inverse() * direction;
    let t = |half: f64, d: f64| {
        if d.abs() < 1e-9 {
            f64::INFINITY
        } else {
            half / d.abs()
        }
    };
    t(shape.half.x, local.x).min(t(shape.half.y, local.y))
}
