//! Homes from a seed.
//!
//! ```text
//!  HomeSpec (YAML, seed) ─► layout: rooms, doorways ─► arrange: furniture, free floor ─► things: objects
//!                                   └─► structure: walls, windows, lights
//! ```
//!
//! An arrangement that does not work out (a piece that does not fit, floor that a robot cannot get to) is
//! thrown away as a whole and drawn again from the next stream of the same seed, so that the same file always
//! gives the same home.

mod arrange;
mod dice;
mod draft;
mod floor;
mod furniture;
mod layout;
mod objects;
mod spec;
mod structure;
mod things;

use std::collections::BTreeMap;

use steward_core::geometry::{Aabb, Point3, Pose2, Pose3, Vector3};

use crate::error::{Error, Result};
use crate::model::{Collider, Doorway, Entity, EntityId, EntityKind, Home, Light, Room};
use arrange::Plan;
use dice::Dice;
use layout::Area;

pub use spec::{FurnitureSpec, HomeSpec, MAX_FILE_BYTES, MAX_OBJECTS, ObjectSpec, ROOMS};

/// What is higher than this above the floor is not in the robot's way, metres.
const ROBOT_HEIGHT_M: f64 = 1.5;
/// How far before a handle the robot stands, metres.
const STAND_OFF_M: f64 = 0.5;
/// Boxes that share less than twice this only touch, metres.
const TOUCH_M: f64 = 0.0002;
/// Arrangements that are tried before giving up.
const ATTEMPTS: u64 = 80;

/// Makes the home that a file describes.
///
/// On `Ok`: the floor on which a disc of radius 0.30 m can stand is connected through all rooms; nothing
/// overlaps; in front of everything that opens there is free floor; every object stands within 0.3 m of an
/// edge that the disc can stand at.
///
/// # Errors
/// [`Error::HomeSpec`] as from [`HomeSpec::validate`], or for a part under `open` that the home does not have;
/// [`Error::Unplaceable`] where what is asked for does not fit.
pub fn generate(spec: &HomeSpec) -> Result<Home> {
    spec.validate()?;
    let mut problem = String::from("no arrangement of rooms works out");
    for attempt in 0..ATTEMPTS {
        match try_once(spec, attempt) {
            Ok(mut home) => {
                open_parts(spec, &mut home)?;
                return Ok(home);
            }
            Err(p) => problem = p,
        }
    }
    Err(Error::Unplaceable {
        home: spec.name.clone(),
        problem,
    })
}

/// Whether no two pieces of furniture are in each other, by what they collide with.
fn check_overlaps(entities: &[Entity]) -> Result<(), String> {
    let pieces: Vec<(&Entity, Vec<Aabb>)> = entities
        .iter()
        .filter(|e| e.kind == EntityKind::Furniture)
        .map(|e| {
            (
                e,
                e.colliders
                    .iter()
                    .map(|c| collider_bounds(c, &e.pose).inflated(-TOUCH_M))
                    .collect(),
            )
        })
        .collect();
    for (i, (a, boxes)) in pieces.iter().enumerate() {
        for (b, others) in &pieces[i + 1..] {
            if boxes.iter().any(|x| others.iter().any(|y| x.intersects(y))) {
                return Err(format!("{} is in {}", a.name, b.name));
            }
        }
    }
    Ok(())
}

/// Whether the robot can stand before the handle of every part, with everything in its place. Looks at what things
/// collide with rather than at the outlines that they were arranged by.
fn check_parts(entities: &[Entity], bounds: &Area, start: [f64; 2]) -> Result<(), String> {
    let stands_in_the_way = |b: &Aabb| b.max.z > 0.0 && b.min.z <= ROBOT_HEIGHT_M;
    let outlines = entities
        .iter()
        .flat_map(|e| e.colliders.iter().map(|c| collider_bounds(c, &e.pose)))
        .filter(stands_in_the_way)
        .map(|b| Area::new(b.min.x, b.min.y, b.max.x, b.max.y));
    // A little more room than needed, so that the answer does not depend on where the cells of the grid lie.
    let radius_m = arrange::ROBOT_CLEARANCE_M + 0.03;
    let mut grid = floor::FloorGrid::new(bounds, outlines, radius_m);
    grid.flood(start[0], start[1]);
    for e in entities {
        let EntityKind::Part(joint) = &e.kind else {
            continue;
        };
        let front = entities[joint.parent.0 as usize].pose.rotation * Vector3::x();
        let stand = e.pose * Point3::from(joint.handle) + front * STAND_OFF_M;
        if !grid.reaches_near(stand.x, stand.y, 0.4) {
            return Err(format!("nobody can stand before {}", e.name));
        }
    }
    Ok(())
}

/// Box around a collider in the world.
fn collider_bounds(collider: &Collider, world_from_entity: &Pose3) -> Aabb {
    Aabb::around(&(world_from_entity * collider.pose), &collider.shape.half())
}

fn try_once(spec: &HomeSpec, attempt: u64) -> Result<Home, String> {
    let stream = |part: u64| Dice::new(spec.seed, attempt * 16 + part);
    let mut rooms = stream(1);
    let kinds = if spec.rooms.is_empty() {
        let drawn = ROOMS.start() + Dice::new(spec.seed, 0).index(ROOMS.end() - ROOMS.start() + 1);
        layout::choose_rooms(spec.room_count.unwrap_or(drawn), &mut Dice::new(spec.seed, 15))
    } else {
        spec.rooms.clone()
    };
    let room_kinds: Vec<&layout::RoomKind> = kinds.iter().filter_map(|k| layout::find(k)).collect();
    let (cells, doors) = (0..3000)
        .find_map(|_| layout::arrange(&room_kinds, &mut rooms))
        .ok_or("the rooms do not fit together")?;
    let windows = structure::choose_windows(&cells, &mut stream(2));
    let mut plan = Plan {
        names: numbered(&kinds),
        kinds,
        cells,
        doors,
        windows,
        placed: Vec::new(),
    };
    plan.furnish(spec, &mut stream(3))?;
    plan.number();
    let start = plan.start().ok_or("there is no free floor to start from")?;
    let grid = plan.check(start, &[])?;

    let mut lights = Vec::new();
    let mut entities = build_structure(&plan, &mut stream(4), &mut lights);
    let first_furniture = entities.len() as u32;
    for p in &plan.placed {
        let t = p.pose.translation;
        let next = entities.len() as u32 - first_furniture;
        if p.class == "lamp" {
            lights.push(Light {
                position: p.pose * Point3::new(0.0, 0.0, p.group.bounds().max.z + 0.05) - Point3::origin(),
                intensity: [1.0, 0.8, 0.5],
                range_m: 2.5,
                shadows: false,
            });
        }
        entities.extend(furniture::place(&p.group, t.x, t.y, t.z, p.yaw, next, &p.name));
    }
    let mut things = things::Things::new(&plan, &entities[first_furniture as usize..], grid, start);
    things.put_all(spec, &mut stream(5))?;
    entities.extend(things.placed);
    for (i, e) in entities.iter_mut().enumerate() {
        e.id = EntityId(i as u32);
        if let EntityKind::Part(joint) = &mut e.kind {
            joint.parent.0 += first_furniture;
        }
        for door in e.cavities.iter_mut().filter_map(|c| c.door.as_mut()) {
            door.0 += first_furniture;
        }
    }
    check_overlaps(&entities)?;
    check_parts(&entities, &plan.bounds(), start)?;
    let yaw = Dice::new(spec.seed, 14).range(-3.1, 3.1);
    Ok(Home {
        name: spec.name.clone(),
        rooms: (0..plan.cells.len())
            .map(|i| {
                let a = plan.inner(i);
                Room {
                    name: plan.names[i].clone(),
                    kind: plan.kinds[i].clone(),
                    bounds: Aabb {
                        min: Point3::new(a.x0, a.y0, 0.0),
                        max: Point3::new(a.x1, a.y1, structure::CEILING_M),
                    },
                }
            })
            .collect(),
        doorways: plan
            .doors
            .iter()
            .map(|d| Doorway {
                rooms: d.rooms,
                pose: Pose2::new(d.x, d.y, d.yaw),
                width_m: d.width,
            })
            .collect(),
        entities,
        lights,
        robot_start: Pose2::new(start[0], start[1], (yaw * 100.0).round() / 100.0),
    })
}

/// `bedroom`, `bedroom_2`, …
fn numbered(kinds: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    kinds
        .iter()
        .map(|kind| {
            let n = counts.entry(kind).or_default();
            *n += 1;
            if *n == 1 {
                kind.clone()
            } else {
                format!("{kind}_{n}")
            }
        })
        .collect()
}

fn build_structure(plan: &Plan, dice: &mut Dice, lights: &mut Vec<Light>) -> Vec<Entity> {
    let mut entities = Vec::new();
    for index in 0..plan.cells.len() {
        let shell = structure::Shell {
            index,
            name: &plan.names[index],
            kind: &plan.kinds[index],
            cell: plan.cells[index],
        };
        entities.extend(structure::room(&shell, &plan.doors, &plan.windows, dice, lights));
    }
    for (i, d) in plan.doors.iter().enumerate() {
        entities.push(structure::door_frame(d, format!("door_frame_{}", i + 1)));
    }
    entities
}

fn open_parts(spec: &HomeSpec, home: &mut Home) -> Result<()> {
    for (name, fraction) in &spec.open {
        let parts: Vec<&str> = home
            .entities
            .iter()
            .filter(|e| matches!(e.kind, EntityKind::Part(_)))
            .map(|e| e.name.as_str())
            .collect();
        let known = parts.join(", ");
        let part = home.entities.iter_mut().find(|e| e.name == *name);
        match part.map(|e| &mut e.kind) {
            Some(EntityKind::Part(joint)) => joint.initial = joint.upper * fraction,
            _ => {
                return Err(Error::HomeSpec {
                    home: spec.name.clone(),
                    field: format!("open.{name}"),
                    problem: format!("this home has no such part; it has {known}"),
                });
            }
        }
    }
    Ok(())
}

/// A class of things as task generators and change scripts need it.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// Class, as a detector reports it.
    pub class: &'static str,
    /// What it is.
    pub kind: CatalogueKind,
    /// Side lengths of one example's box, metres.
    pub size_m: [f64; 3],
    /// Parts of one example that open, by class.
    pub parts: Vec<String>,
}

/// What a class of things is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogueKind {
    /// Furniture and appliances.
    Furniture,
    /// Small objects.
    Object {
        /// The gripper can hold it.
        graspable: bool,
        /// Its mass, grams.
        mass_g: u32,
    },
}

/// Every class of furniture and of small objects, furniture first, each by name.
pub fn catalogue() -> Vec<CatalogueEntry> {
    let size = |b: Aabb| [b.size().x, b.size().y, b.size().z];
    let mut builders: Vec<(&'static str, furniture::Builder)> = furniture::CLASSES
        .iter()
        .map(|c| (c.name, c.build))
        .chain(furniture::STACKED.iter().map(|(name, _, build)| (*name, *build)))
        .collect();
    builders.sort_by_key(|(name, _)| *name);
    let pieces = builders.into_iter().map(|(class, build)| {
        let group = build(&mut Dice::new(1, 0));
        CatalogueEntry {
            class,
            kind: CatalogueKind::Furniture,
            size_m: size(group.bounds()),
            parts: group.entities[1..].iter().map(|e| e.class.clone()).collect(),
        }
    });
    let small = objects::CLASSES.iter().map(|c| {
        let e = objects::build(c, &mut Dice::new(1, 0));
        CatalogueEntry {
            class: c.name,
            kind: CatalogueKind::Object {
                graspable: c.graspable,
                mass_g: (e.mass_kg * 1000.0).round() as u32,
            },
            size_m: size(e.local_bounds),
            parts: Vec::new(),
        }
    });
    pieces.chain(small).collect()
}

/// A small object of a class, upright with its underside at the origin; `variant` decides colours, prints and
/// exact size. Its name is the class and its id 0: whoever adds it to a home gives it others. `None`: no such
/// class.
pub fn object_entity(class: &str, variant: u64) -> Option<Entity> {
    let class = objects::find(class)?;
    Some(objects::build(class, &mut Dice::new(variant, 77)))
}

impl Home {
    /// The entity with this name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|e| e.name == name)
    }

    /// The room whose floor holds a point.
    pub fn room_at(&self, x_m: f64, y_m: f64) -> Option<&Room> {
        self.rooms.iter().find(|r| {
            let b = &r.bounds;
            (b.min.x..=b.max.x).contains(&x_m) && (b.min.y..=b.max.y).contains(&y_m)
        })
    }

    /// Triangles of all visuals.
    pub fn triangle_count(&self) -> usize {
        let visuals = self.entities.iter().flat_map(|e| &e.visuals);
        visuals.map(|v| v.mesh.triangles.len()).sum()
    }

    /// FNV-1a over everything in the home, textures and meshes included: equal for equal homes on every
    /// machine and in every run.
    pub fn digest(&self) -> u64 {
        let mut h = Digest::default();
        h.text(&self.name);
        for r in &self.rooms {
            h.text(&r.name);
            h.text(&r.kind);
            h.aabb(&r.bounds);
        }
        for d in &self.doorways {
            h.number(d.rooms[0] as f64);
            h.number(d.rooms[1] as f64);
            h.pose2(&d.pose);
            h.number(d.width_m);
        }
        for e in &self.entities {
            h.entity(e);
        }
        for l in &self.lights {
            h.numbers(l.position.iter().copied());
            h.numbers(l.intensity.iter().map(|c| f64::from(*c)));
            h.number(l.range_m);
            h.number(f64::from(u8::from(l.shadows)));
        }
        h.pose2(&self.robot_start);
        h.0
    }
}

impl Entity {
    /// Box around the entity's visuals in the world, for a pose that it may have.
    pub fn world_bounds(&self, world_from_entity: &Pose3) -> Aabb {
        let b = &self.local_bounds;
        let corners: Vec<Point3> = (0..8)
            .map(|i| {
                let pick = |axis: usize| {
                    if i >> axis & 1 == 0 {
                        b.min[axis]
                    } else {
                        b.max[axis]
                    }
                };
                world_from_entity * Point3::new(pick(0), pick(1), pick(2))
            })
            .collect();
        Aabb::from_points(&corners).unwrap_or(*b)
    }
}

struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 32;
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.word(text.len() as u64);
    }

    fn number(&mut self, x: f64) {
        self.word(x.to_bits());
    }

    fn numbers(&mut self, list: impl Iterator<Item = f64>) {
        for x in list {
            self.number(x);
        }
    }

    fn pose(&mut self, p: &Pose3) {
        self.numbers(
            p.translation
                .vector
                .iter()
                .chain(p.rotation.coords.iter())
                .copied(),
        );
    }

    fn pose2(&mut self, p: &Pose2) {
        self.numbers([p.x_m, p.y_m, p.yaw_rad].into_iter());
    }

    fn aabb(&mut self, b: &Aabb) {
        self.numbers(b.min.iter().chain(b.max.iter()).copied());
    }

    fn entity(&mut self, e: &Entity) {
        self.number(f64::from(e.id.0));
        self.text(&e.name);
        self.text(&e.class);
        match &e.kind {
            EntityKind::Structure => self.word(1),
            EntityKind::Furniture => self.word(2),
            EntityKind::Object { graspable } => self.word(3 + u64::from(*graspable)),
            EntityKind::Part(j) => {
                self.word(5 + u64::from(j.prismatic));
                self.word(u64::from(j.parent.0));
                for v in [&j.anchor, &j.axis, &j.handle, &j.handle_axis] {
                    self.numbers(v.iter().copied());
                }
                self.numbers([j.upper, j.initial, j.friction].into_iter());
            }
        }
        self.pose(&e.pose);
        self.aabb(&e.local_bounds);
        self.numbers([e.mass_kg, e.friction].into_iter());
        for v in &e.visuals {
            self.pose(&v.pose);
            self.text(v.label.as_deref().unwrap_or_default());
            self.numbers(v.material.tint.iter().map(|c| f64::from(*c)));
            self.number(f64::from(v.material.opacity));
            if let Some(t) = &v.material.texture {
                self.word(u64::from(t.size));
                for texel in &t.texels {
                    self.word(u64::from(texel[0]) | u64::from(texel[1]) << 8 | u64::from(texel[2]) << 16);
                }
            }
            let floats = v.mesh.positions.iter().chain(&v.mesh.normals).flatten();
            for x in floats.chain(v.mesh.uvs.iter().flatten()) {
                self.word(u64::from(x.to_bits()));
            }
            for i in v.mesh.triangles.iter().flatten() {
                self.word(u64::from(*i));
            }
        }
        for c in &e.colliders {
            use crate::model::ColliderShape;
            match &c.shape {
                ColliderShape::Cuboid { half } => self.numbers(half.iter().copied()),
                ColliderShape::Cylinder {
                    half_height_m,
                    radius_m,
                } => self.numbers([*half_height_m, *radius_m].into_iter()),
                ColliderShape::Ball { radius_m } => self.number(*radius_m),
            }
            self.pose(&c.pose);
        }
        for s in &e.surfaces {
            self.text(&s.name);
            self.pose(&s.pose);
            self.numbers([s.half[0], s.half[1], s.clearance_m].into_iter());
        }
        for c in &e.cavities {
            self.aabb(&c.bounds);
            self.word(c.door.map_or(u64::MAX, |d| u64::from(d.0)));
        }
    }
}
