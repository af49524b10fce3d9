//! Small objects on surfaces, in containers and on the floor.

use std::collections::BTreeMap;

use steward_core::geometry::{Point3, Pose3};

use super::arrange::{Plan, door_zone};
use super::dice::Dice;
use super::draft::pose;
use super::floor::FloorGrid;
use super::layout::Area;
use super::objects::{self, ObjectClass};
use super::spec::{HomeSpec, ObjectSpec};
use crate::model::{Entity, EntityId, EntityKind, Surface};

/// Highest surface that things are put on, metres.
const MAX_HEIGHT_M: f64 = 1.25;
/// Farthest from an edge that somebody can stand at, metres.
const EDGE_M: f64 = 0.29;
/// Free space around a graspable object, metres.
const GAP_M: f64 = 0.06;
/// Distances from an edge at which somebody stands who reaches over it, metres.
const STANDS_M: [f64; 3] = [0.33, 0.40, 0.48];
/// Farthest from an object that somebody stands who takes it, metres.
const REACH_M: f64 = 0.76;
const SHARE_INSIDE: f64 = 0.16;
const SHARE_FLOOR: f64 = 0.08;

/// A surface with where it belongs.
struct Place<'a> {
    room: usize,
    owner: &'a str,
    owner_class: &'a str,
    /// Behind a closed door, lid or in a closed drawer.
    closed: bool,
    /// Inside of a cavity, open or closed.
    inside: bool,
    surface: &'a Surface,
    world_from_surface: Pose3,
    /// How far the edges can be from where somebody stands: the front only, beyond this x of the owner.
    front: Option<(Pose3, f64)>,
    /// How far it comes out, for drawers.
    travel: f64,
}

/// Objects of a home, unnumbered ids.
pub(crate) struct Things<'a> {
    plan: &'a Plan,
    /// Furniture in world poses; ids are indices into the home.
    furniture: &'a [Entity],
    grid: FloorGrid,
    start: [f64; 2],
    pub(crate) placed: Vec<Entity>,
    /// Middle and radius of what stands already, with the id of its surface.
    taken: Vec<(Point3, f64)>,
    on_floor: Vec<Area>,
    counts: BTreeMap<&'static str, usize>,
}

impl<'a> Things<'a> {
    pub(crate) fn new(plan: &'a Plan, furniture: &'a [Entity], grid: FloorGrid, start: [f64; 2]) -> Self {
        Things {
            plan,
            furniture,
            grid,
            start,
            placed: Vec::new(),
            taken: Vec::new(),
            on_floor: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Puts what the file asks for, then what the seed draws.
    pub(crate) fn put_all(&mut self, spec: &HomeSpec, dice: &mut Dice) -> Result<(), String> {
        let places = self.places();
        for (i, wish) in spec.objects.iter().enumerate() {
            let Some(class) = objects::find(&wish.class) else {
                continue;
            };
            self.put_wish(class, wish, &places, dice)
                .map_err(|problem| format!("objects[{i}]: {problem}"))?;
        }
        let drawn = spec.object_count.unwrap_or_else(|| {
            let aim = 16 + dice.index(5) + 2 * self.plan.cells.len().saturating_sub(4);
            aim.min(28).saturating_sub(spec.objects.len())
        });
        let mut deck: Vec<&'static ObjectClass> = objects::CLASSES
            .iter()
            .filter(|c| !spec.exclude.iter().any(|e| e == c.name))
            .collect();
        dice.shuffle(&mut deck);
        // What the file asks for is not drawn again.
        deck.retain(|c| !spec.objects.iter().any(|o| o.class == c.name));
        let mut put = 0;
        let mut next = 0;
        while put < drawn && next < deck.len() * 2 {
            let class = deck[next % deck.len()];
            next += 1;
            let kind = dice.unit();
            let entity = objects::build(class, dice);
            let done = if kind < SHARE_FLOOR && self.on_floor.len() < 3 {
                self.put_on_floor(&entity, None, dice)
            } else {
                let closed = kind < SHARE_FLOOR + SHARE_INSIDE;
                self.put_somewhere(&entity, Some(class), &places, dice, |p| p.closed == closed)
            };
            put += usize::from(done);
        }
        let enough = if spec.object_count.is_some() {
            drawn * 8 / 10
        } else {
            drawn.min(15)
        };
        if put < enough {
            return Err(format!("only {put} of {drawn} objects find a place"));
        }
        Ok(())
    }

    fn places(&self) -> Vec<Place<'a>> {
        let mut list = Vec::new();
        for e in self.furniture {
            let parent = match &e.kind {
                EntityKind::Part(joint) => &self.furniture[joint.parent.0 as usize],
                EntityKind::Furniture => e,
                _ => continue,
            };
            let Some(placed) = self.plan.placed.iter().find(|p| p.name == parent.name) else {
                continue;
            };
            for surface in &e.surfaces {
                let at = Point3::from(surface.pose.translation.vector);
                let above = at + steward_core::geometry::Vector3::new(0.0, 0.0, 0.02);
                let cavity = e.cavities.iter().find(|c| c.bounds.contains(&above));
                let travel = match &e.kind {
                    EntityKind::Part(joint) if joint.prismatic => joint.upper,
                    _ => 0.0,
                };
                let front_x = if placed.footprint.is_some() {
                    placed.group.bounds().max.x
                } else {
                    // What stands on other furniture is reached over the front of that.
                    let host = self.plan.placed.iter().find(|p| {
                        p.zone.is_some()
                            && p.room == placed.room
                            && p.group.stack.is_some_and(|s| {
                                (p.pose * Point3::from(s) - Point3::from(placed.pose.translation.vector))
                                    .norm()
                                    < 1e-6
                            })
                    });
                    host.map_or(0.2, |h| {
                        (placed.pose.inverse() * h.pose * Point3::new(h.group.bounds().max.x, 0.0, 0.0)).x
                    })
                };
                let front_only = surface.name != "top";
                list.push(Place {
                    room: placed.room,
                    owner: &parent.name,
                    owner_class: &parent.class,
                    closed: cavity.is_some_and(|c| c.door.is_some()),
                    inside: cavity.is_some(),
                    surface,
                    world_from_surface: e.pose * surface.pose,
                    front: front_only.then_some((placed.pose, front_x + travel)),
                    travel,
                });
            }
        }
        list
    }

    fn put_wish(
        &mut self,
        class: &'static ObjectClass,
        wish: &ObjectSpec,
        places: &[Place],
        dice: &mut Dice,
    ) -> Result<(), String> {
        let mut own = Dice::new(wish.variant.unwrap_or(0), 77);
        let entity = objects::build(class, if wish.variant.is_some() { &mut own } else { dice });
        if let Some([x, y, z]) = wish.at {
            let bounds = self.plan.bounds();
            if bounds.distance(x, y) > 0.0 {
                return Err(format!(
                    "at: {x}, {y} is outside of the home, which spans {:.1} to {:.1} and {:.1} to {:.1}",
                    bounds.x0, bounds.x1, bounds.y0, bounds.y1
                ));
            }
            self.settle(entity, pose(x, y, z, wish.yaw_deg.to_radians()));
            return Ok(());
        }
        let rooms: Option<Vec<usize>> = wish.room.as_ref().map(|room| {
            (0..self.plan.names.len())
                .filter(|&r| self.plan.names[r] == *room || self.plan.kinds[r] == *room)
                .collect()
        });
        if rooms.as_ref().is_some_and(Vec::is_empty) {
            return Err(format!(
                "there is no room `{}`",
                wish.room.as_deref().unwrap_or_default()
            ));
        }
        let in_room = |r: usize| rooms.as_ref().is_none_or(|list| list.contains(&r));
        if wish.on.as_deref() == Some("floor") {
            return if self.put_on_floor(&entity, rooms.as_deref(), dice) {
                Ok(())
            } else {
                Err("no free floor".into())
            };
        }
        let matches = |p: &Place, name: &str| p.owner == name || p.owner_class == name;
        let (host, done) = match (&wish.on, &wish.inside) {
            (Some(on), _) => (
                Some(on),
                self.put_somewhere(&entity, None, places, dice, |p| {
                    in_room(p.room) && !p.closed && matches(p, on)
                }),
            ),
            (_, Some(inside)) => (
                Some(inside),
                self.put_somewhere(&entity, None, places, dice, |p| {
                    in_room(p.room) && p.inside && matches(p, inside)
                }),
            ),
            _ => (
                None,
                self.put_somewhere(&entity, Some(class), places, dice, |p| {
                    in_room(p.room) && !p.closed
                }),
            ),
        };
        match (done, host) {
            (true, _) => Ok(()),
            (false, Some(name)) if !places.iter().any(|p| matches(p, name)) => {
                Err(format!("there is no `{name}` with a surface in this home"))
            }
            (false, Some(name)) => Err(format!("no space on or in `{name}`")),
            (false, None) => Err("no space".into()),
        }
    }

    /// Tries the surfaces that suit, those in rooms where the class is usual first.
    fn put_somewhere(
        &mut self,
        entity: &Entity,
        class: Option<&ObjectClass>,
        places: &[Place],
        dice: &mut Dice,
        suits: impl Fn(&Place) -> bool,
    ) -> bool {
        let mut order: Vec<usize> = (0..places.len()).filter(|&i| suits(&places[i])).collect();
        dice.shuffle(&mut order);
        if let Some(class) = class {
            let usual = |i: &usize| {
                class.rooms.is_empty() || class.rooms.contains(&self.plan.kinds[places[*i].room].as_str())
            };
            order.sort_by_key(|i| !usual(i));
        }
        for i in order {
            if let Some(at) = self.spot_on(entity, &places[i], dice) {
                self.settle(entity.clone(), at);
                return true;
            }
        }
        false
    }

    fn spot_on(&self, entity: &Entity, place: &Place, dice: &mut Dice) -> Option<Pose3> {
        let size = entity.local_bounds.size();
        let top = place.world_from_surface.translation.z;
        if top > MAX_HEIGHT_M || size.z + 0.03 > place.surface.clearance_m {
            return None;
        }
        let [hx, hy] = place.surface.half;
        for _ in 0..14 {
            let quarter = dice.index(4);
            let wobble = if place.closed {
                0.0
            } else {
                dice.range(-0.25, 0.25)
            };
            let yaw = quarter as f64 * std::f64::consts::FRAC_PI_2 + wobble;
            // Half extents on the surface after turning, with the middle of the bounds.
            let (sin, cos) = crate::mesh::sin_cos(yaw);
            let b = entity.local_bounds;
            let (ex, ey) = (
                cos.abs() * b.half().x + sin.abs() * b.half().y,
                sin.abs() * b.half().x + cos.abs() * b.half().y,
            );
            let margin = if place.inside { 0.03 } else { 0.02 };
            let (rx, ry) = (hx - ex - margin, hy - ey - margin);
            if rx < 0.0 || ry < 0.0 {
                continue;
            }
            let (x, y) = (dice.range(-rx, rx), dice.range(-ry, ry));
            let middle = place.world_from_surface * Point3::new(x, y, 0.0);
            let radius = ex.max(ey);
            if !self.clear_of_others(&middle, radius, size.z) || !self.in_reach(place, x, y) {
                continue;
            }
            let (cx, cy) = (b.center().x, b.center().y);
            let shift = Point3::new(x - (cos * cx - sin * cy), y - (sin * cx + cos * cy), -b.min.z);
            let local = pose(shift.x, shift.y, shift.z + 0.001, yaw);
            return Some(place.world_from_surface * local);
        }
        None
    }

    fn clear_of_others(&self, middle: &Point3, radius: f64, height: f64) -> bool {
        self.taken.iter().all(|(p, r)| {
            let (dx, dy) = (p.x - middle.x, p.y - middle.y);
            let apart = (p.z - middle.z).abs() > height.max(0.3);
            apart || (dx * dx + dy * dy).sqrt() > r + radius + GAP_M
        })
    }

    /// Whether somebody can stand at an edge of the surface that is near enough to a point of it.
    fn in_reach(&self, place: &Place, x: f64, y: f64) -> bool {
        let [hx, hy] = place.surface.half;
        let point = place.world_from_surface * Point3::new(x, y, 0.0);
        // A drawer comes out to whoever opens it.
        let travel = place.travel;
        let stands = |edge: f64, outward: [f64; 2], from: Point3| {
            edge <= EDGE_M
                && STANDS_M.iter().any(|s| {
                    let p = from + steward_core::geometry::Vector3::new(outward[0] * s, outward[1] * s, 0.0);
                    let (dx, dy) = (
                        p.x - point.x - outward[0] * travel,
                        p.y - point.y - outward[1] * travel,
                    );
                    (dx * dx + dy * dy).sqrt() <= REACH_M && self.grid.reaches(p.x, p.y)
                })
        };
        let world = |p: Point3| place.world_from_surface * p;
        if let Some((world_from_owner, front)) = &place.front {
            let lateral = (world_from_owner.inverse() * point).y;
            let at_front = world_from_owner * Point3::new(*front, lateral, 0.0);
            let out = world_from_owner.rotation * steward_core::geometry::Vector3::x();
            return stands(hx - x, [out.x, out.y], at_front);
        }
        let turn = place.world_from_surface.rotation;
        [
            (hx - x, [1.0, 0.0], [hx, y]),
            (hx + x, [-1.0, 0.0], [-hx, y]),
            (hy - y, [0.0, 1.0], [x, hy]),
            (hy + y, [0.0, -1.0], [x, -hy]),
        ]
        .into_iter()
        .any(|(edge, out, at)| {
            let out = turn * steward_core::geometry::Vector3::new(out[0], out[1], 0.0);
            stands(edge, [out.x, out.y], world(Point3::new(at[0], at[1], 0.0)))
        })
    }

    /// Near a wall, out of the way: everything else stays in reach.
    fn put_on_floor(&mut self, entity: &Entity, rooms: Option<&[usize]>, dice: &mut Dice) -> bool {
        let half = entity.local_bounds.half();
        let radius = half.x.max(half.y);
        let stands = self.plan.obstacles();
        for _ in 0..40 {
            let room = match rooms {
                Some(list) => list[dice.index(list.len())],
                None => dice.index(self.plan.cells.len()),
            };
            let inner = self.plan.inner(room);
            let margin = radius + 0.10;
            let inside = inner.grown(-margin);
            if inside.width() < 0.0 || inside.depth() < 0.0 {
                continue;
            }
            let (x, y) = (dice.range(inside.x0, inside.x1), dice.range(inside.y0, inside.y1));
            let to_wall = (x - inner.x0)
                .min(inner.x1 - x)
                .min(y - inner.y0)
                .min(inner.y1 - y);
            let area = Area::new(x - radius, y - radius, x + radius, y + radius);
            let near = Area::new(x, y, x, y).grown(radius + GAP_M);
            let blocked = to_wall > 0.45
                || stands.iter().any(|o| o.overlaps(&near))
                || self
                    .plan
                    .placed
                    .iter()
                    .any(|p| p.zone.is_some_and(|z| z.overlaps(&area)))
                || self.plan.doors.iter().any(|d| door_zone(d).overlaps(&area));
            if blocked || !self.clear_of_others(&Point3::new(x, y, 0.0), radius, half.z * 2.0) {
                continue;
            }
            let mut further = self.on_floor.clone();
            further.push(area);
            let Ok(grid) = self.plan.check(self.start, &further) else {
                continue;
            };
            if !grid.reaches_near(x, y, 0.55) || !self.still_in_reach(&grid) {
                continue;
            }
            self.grid = grid;
            self.on_floor = further;
            let c = entity.local_bounds.center();
            let at = pose(x - c.x, y - c.y, 0.001 - entity.local_bounds.min.z, 0.0);
            self.settle(entity.clone(), at);
            return true;
        }
        false
    }

    /// Whether the floor that was used to reach what stands already is still there: with a smaller floor the
    /// simplest safe answer is that it has lost nothing but the surroundings of the new object.
    fn still_in_reach(&self, grid: &FloorGrid) -> bool {
        self.taken.iter().all(|(p, _)| grid.reaches_near(p.x, p.y, 0.8))
    }

    fn settle(&mut self, mut entity: Entity, at: Pose3) {
        let class = objects::find(&entity.class).map_or("", |c| c.name);
        let n = self.counts.entry(class).or_default();
        *n += 1;
        entity.name = format!("{class}_{n}");
        entity.id = EntityId(self.placed.len() as u32);
        entity.pose = at;
        let half = entity.local_bounds.half();
        let middle = at * entity.local_bounds.center();
        self.taken.push((
            Point3::new(middle.x, middle.y, middle.z - half.z),
            half.x.max(half.y),
        ));
        self.placed.push(entity);
    }
}
