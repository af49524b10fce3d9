//! Success rates of the skills in generated homes with physics, with what the robot knows taken from the truth (and a
//! little noise): this measures motion and contact, not perception.
//!
//! ```text
//! cargo run -p steward-skills --example skill_trials -- FIRST_SEED HOMES [TRIALS_PER_HOME] [pick|part|inside] [-v]
//! ```

#![allow(clippy::unwrap_used, reason = "an experiment may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use steward_core::geometry::{Aabb, OrientedBox, Point3, Pose2, Pose3, Vector3, yaw_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, Bumper, GripperContacts, Header, JointCommand, OccupancyGrid, Presence, Provenance,
    RelationKind, SceneGraph, SceneObject, Skill, SupportSurface, VelocityCommand,
};
use steward_core::robot::JointPositions;
use steward_core::{Duration, Time, frames};
use steward_sim::changes::ResolvedKind;
use steward_sim::home::{self, HomeSpec};
use steward_sim::model::{ColliderShape, Entity, EntityId, EntityKind, Home};
use steward_sim::physics::Physics;
use steward_sim::simulation::{SensorOutput, Simulation, SimulationConfig};
use steward_skills::machine::{Inputs, Progress};
use steward_skills::voxels::Voxels;
use steward_skills::{SkillRunner, SkillsConfig};

const TICK: Duration = Duration::from_millis(40);
const CELL_M: f64 = 0.05;
/// Side of a voxel, metres.
const VOXEL_M: f64 = 0.025;

struct Trial {
    simulation: Simulation,
    runner: SkillRunner,
    home: Home,
    now: Time,
    joints: JointPositions,
    velocity: (f64, f64),
    contacts: Option<GripperContacts>,
    bumper: Option<Bumper>,
    grid: OccupancyGrid,
    voxels: Voxels,
    graph: SceneGraph,
    noise: Vec<(Vector3, f64)>,
    verbose: bool,
}

fn object_id(e: EntityId) -> ObjectId {
    ObjectId(e.0 + 1)
}

/// Whether a point is inside a collider grown by a margin.
fn inside(shape: &ColliderShape, p: &Point3, margin: f64) -> bool {
    match shape {
        ColliderShape::Cuboid { half } => (0..3).all(|i| p[i].abs() <= half[i] + margin),
        ColliderShape::Cylinder {
            half_height_m,
            radius_m,
        } => p.z.abs() <= half_height_m + margin && p.x.hypot(p.y) <= radius_m + margin,
        ColliderShape::Ball { radius_m } => p.coords.norm() <= radius_m + margin,
    }
}

/// Grid cells or voxels of colliders: calls `mark` with every lattice point inside one.
fn rasterize(
    physics: &Physics,
    cell_m: f64,
    keep: impl Fn(&Entity, &Aabb) -> bool,
    margin: f64,
    mut mark: impl FnMut(&Point3),
) {
    for e in physics.entities() {
        let Some(pose) = physics.pose(e.id) else { continue };
        for c in &e.colliders {
            let world_from_shape = pose * c.pose;
            let b = Aabb::around(&world_from_shape, &c.shape.half()).inflated(margin);
            if !keep(e, &b) {
                continue;
            }
            let inverse = world_from_shape.inverse();
            let index = |x: f64| (x / cell_m - 0.5).round() as i64;
            for i in index(b.min.x)..=index(b.max.x) {
                for j in index(b.min.y)..=index(b.max.y) {
                    for k in index(b.min.z.max(0.05))..=index(b.max.z.min(1.6)) {
                        let p = Point3::new(i as f64 + 0.5, j as f64 + 0.5, k as f64 + 0.5) * cell_m;
                        if inside(&c.shape, &(inverse * p), margin) {
                            mark(&p);
                        }
                    }
                }
            }
        }
    }
}

impl Trial {
    fn new(seed: u64, verbose: bool) -> Self {
        let spec = HomeSpec {
            seed,
            ..HomeSpec::default()
        };
        let home = home::generate(&spec).expect("a home");
        let simulation =
            Simulation::new(home.clone(), &SimulationConfig::default(), seed).expect("a simulation");
        let config = SkillsConfig::default();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let noise = (0..home.entities.len())
            .map(|_| {
                let mut n = || rng.random_range(-1.0..1.0f64);
                (Vector3::new(n() * 0.008, n() * 0.008, n() * 0.004), n() * 0.08)
            })
            .collect();
        let all = home
            .rooms
            .iter()
            .map(|r| r.bounds)
            .reduce(|a, b| a.union(&b))
            .expect("rooms")
            .inflated(0.5);
        let origin = Pose2::new(
            (all.min.x / CELL_M).floor() * CELL_M,
            (all.min.y / CELL_M).floor() * CELL_M,
            0.0,
        );
        let grid = OccupancyGrid {
            header: Header::new(Time::ZERO, frames::MAP),
            resolution_m: CELL_M,
            width: (all.size().x / CELL_M) as u32,
            height: (all.size().y / CELL_M) as u32,
            origin,
            cells: Arc::new(Vec::new()),
        };
        let mut trial = Trial {
            simulation,
            runner: SkillRunner::new(config, steward_sim::robot::URDF).expect("the robot fits"),
            home,
            now: Time::ZERO,
            joints: JointPositions::new(),
            velocity: (0.0, 0.0),
            contacts: None,
            bumper: None,
            grid,
            voxels: Voxels::new(&[], VOXEL_M),
            graph: SceneGraph::default(),
            noise,
            verbose,
        };
        trial.advance();
        trial.perceive(true);
        trial
    }

    fn perceive(&mut self, floor_too: bool) {
        let physics = self.simulation.physics();
        let base = physics.base();
        let held = physics.gripper().held;
        if floor_too {
            let mut cells = vec![0i8; (self.grid.width * self.grid.height) as usize];
            rasterize(
                physics,
                CELL_M,
                |e, b| {
                    Some(e.id) != held
                        && b.max.z > 0.05
                        && b.min.z < 1.45
                        && e.class != "floor"
                        && e.class != "ceiling"
                },
                0.02,
                |p| {
                    if p.z < 1.45
                        && let Some((c, r)) = self.grid.cell_of(p.x, p.y)
                    {
                        cells[(r * self.grid.width + c) as usize] = 100;
                    }
                },
            );
            self.grid.cells = Arc::new(cells);
            self.grid.header.stamp = self.now;
            let mut points = std::collections::BTreeSet::new();
            let near =
                Aabb::from_center_half(Point3::new(base.x_m, base.y_m, 1.0), Vector3::new(2.2, 2.2, 2.0));
            rasterize(
                physics,
                VOXEL_M,
                |e, b| Some(e.id) != held && b.intersects(&near) && e.class != "floor",
                0.01,
                |p| {
                    points.insert((
                        (p.x / VOXEL_M).floor() as i64,
                        (p.y / VOXEL_M).floor() as i64,
                        (p.z / VOXEL_M).floor() as i64,
                    ));
                },
            );
            let center = |i: i64| (i as f64 + 0.5) * VOXEL_M;
            let points = points.into_iter();
            let centers = points.map(|(i, j, k)| Point3::new(center(i), center(j), center(k)));
            self.voxels = Voxels::new(&centers.collect::<Vec<_>>(), VOXEL_M);
        }
        let mut objects = Vec::new();
        for e in physics.entities() {
            let Some(pose) = physics.pose(e.id) else { continue };
            let (offset, turn) = self.noise[e.id.0 as usize];
            let is_object = matches!(e.kind, EntityKind::Object { .. });
            if matches!(e.kind, EntityKind::Structure) {
                continue;
            }
            let corners: Vec<Point3> = (0..8)
                .map(|i| {
                    let b = e.local_bounds;
                    let s = |bit: usize| if i >> bit & 1 == 0 { b.min[bit] } else { b.max[bit] };
                    Point3::new(s(0), s(1), s(2))
                })
                .collect();
            let yaw = yaw_rad(&pose.rotation);
            let upright = Pose3::rotation(Vector3::z() * -yaw) * pose;
            let local: Vec<Point3> = corners.iter().map(|c| upright * c).collect();
            let b = Aabb::from_points(&local).unwrap();
            let center = Pose3::rotation(Vector3::z() * yaw) * b.center();
            let shape = OrientedBox {
                center: if is_object { center + offset } else { center },
                yaw_rad: if is_object { yaw + turn } else { yaw },
                half: b.half(),
            };
            let articulation = match &e.kind {
                EntityKind::Part(joint) => {
                    let closed = e.pose;
                    Some(ArticulationState {
                        owner: Some(object_id(joint.parent)),
                        prismatic: joint.prismatic,
                        pivot: closed * Point3::from(joint.anchor),
                        axis: closed.rotation * joint.axis,
                        handle: Some(pose * Point3::from(joint.handle) + offset * 0.7),
                        position: physics.part_position(e.id),
                        open_at: match (joint.prismatic, (e.pose.rotation * joint.axis).z.abs() > 0.7) {
                            (true, _) => 0.25,
                            (false, true) => 1.4,
                            (false, false) => 1.2,
                        },
                    })
                }
                _ => None,
            };
            let surfaces = e
                .surfaces
                .iter()
                .map(|s| {
                    let p = pose * s.pose;
                    SupportSurface {
                        center: p.translation.vector.into(),
                        yaw_rad: yaw_rad(&p.rotation),
                        half_x_m: s.half[0],
                        half_y_m: s.half[1],
                        clearance_m: s.clearance_m.min(2.0),
                    }
                })
                .collect();
            objects.push(SceneObject {
                id: object_id(e.id),
                class: e.class.clone(),
                shape,
                presence: if held == Some(e.id) {
                    Presence::Held
                } else {
                    Presence::Present
                },
                provenance: Provenance::Observed,
                confidence: 0.9,
                first_seen: Time::ZERO,
                last_seen: self.now,
                articulation,
                surfaces,
            });
        }
        self.graph = SceneGraph {
            header: Header::new(self.now, frames::MAP),
            objects,
            relations: Vec::new(),
        };
    }

    fn advance(&mut self) {
        self.now += TICK;
        for output in self.simulation.step_to(self.now).expect("time goes on") {
            match output {
                SensorOutput::JointStates(m) => self.joints = m.by_name(),
                SensorOutput::Odometry(m) => self.velocity = (m.linear_m_s, m.angular_rad_s),
                SensorOutput::GripperContacts(m) => self.contacts = Some(m),
                SensorOutput::Bumper(m) => self.bumper = Some(m),
                _ => {}
            }
        }
    }

    fn run(&mut self, skill: Skill) -> Progress {
        self.runner.start(&skill, self.now);
        let mut said = String::new();
        let mut ticks = 0u32;
        loop {
            if ticks.is_multiple_of(5) {
                self.perceive(ticks.is_multiple_of(25));
            }
            ticks += 1;
            let inputs = Inputs {
                navigation: None,
                now: self.now,
                base: self.simulation.physics().base(),
                velocity: self.velocity,
                joints: &self.joints,
                contacts: self.contacts.as_ref(),
                bumper: self.bumper.as_ref(),
                grid: Some(&self.grid),
                voxels: Some(&self.voxels),
                graph: Some(&self.graph),
            };
            let (commands, progress) = self.runner.step(self.now, Some(&inputs));
            let header = Header::new(self.now, "");
            let (linear_m_s, angular_rad_s) = commands.base;
            self.simulation
                .set_velocity(&VelocityCommand {
                    header: header.clone(),
                    linear_m_s,
                    angular_rad_s,
                })
                .expect("finite");
            let mut command = JointCommand {
                header,
                names: Vec::new(),
                positions: Vec::new(),
                max_velocities: Vec::new(),
            };
            for (name, (q, v)) in commands.joints {
                command.names.push(name.to_owned());
                command.positions.push(q);
                command.max_velocities.push(v);
            }
            self.simulation.set_joints(&command).expect("known joints");
            self.advance();
            match progress {
                Progress::Running(text) => {
                    let word: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
                    if self.verbose && word != said {
                        println!("      {:7.2} {text}", self.now.secs_f64());
                    }
                    said = word;
                }
                end => return end,
            }
        }
    }
}

#[derive(Default)]
struct Score(BTreeMap<&'static str, (u32, u32, f64)>);

impl Score {
    fn add(&mut self, what: &'static str, ok: bool, seconds: f64) {
        let s = self.0.entry(what).or_default();
        s.0 += u32::from(ok);
        s.1 += 1;
        s.2 += seconds;
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (first, homes, per_home) = (number(1, 1), number(2, 3), number(3, 4));
    let verbose = args.iter().any(|a| a == "-v");
    let want = |what: &str| {
        !args
            .iter()
            .any(|a| ["pick", "part", "inside"].contains(&a.as_str()))
            || args.iter().any(|a| a == what)
    };
    let mut score = Score::default();
    for seed in first..first + homes {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let mut t = Trial::new(seed, verbose);
        println!("home {seed}: {} entities", t.home.entities.len());
        if want("pick") {
            for _ in 0..per_home {
                pick_and_place(&mut t, &mut rng, &mut score);
            }
        }
        if want("inside") {
            for _ in 0..per_home {
                pick_and_place_inside(&mut t, &mut rng, &mut score);
            }
        }
        if want("part") {
            let parts: Vec<EntityId> = t
                .home
                .entities
                .iter()
                .filter(|e| matches!(e.kind, EntityKind::Part(_)))
                .map(|e| e.id)
                .collect();
            for _ in 0..per_home.min(parts.len() as u64) {
                let part = parts[rng.random_range(0..parts.len())];
                open_and_close(&mut t, part, &mut score);
            }
        }
    }
    for (what, (ok, all, seconds)) in &score.0 {
        println!(
            "{what:10} {ok:4} of {all:4} = {:5.1} %, {:.1} s each",
            100.0 * f64::from(*ok) / f64::from(*all),
            seconds / f64::from(*all)
        );
    }
}

fn pick_and_place(t: &mut Trial, rng: &mut ChaCha8Rng, score: &mut Score) {
    let truth = t.simulation.truth();
    let hidden = |id: EntityId| {
        truth
            .relations
            .iter()
            .any(|r| r.subject == id && r.kind == RelationKind::In)
    };
    let objects: Vec<EntityId> = t
        .home
        .entities
        .iter()
        .filter(|e| matches!(e.kind, EntityKind::Object { graspable: true }) && !hidden(e.id))
        .map(|e| e.id)
        .collect();
    let tables: Vec<EntityId> = t
        .home
        .entities
        .iter()
        .filter(|e| {
            matches!(e.kind, EntityKind::Furniture)
                && e.surfaces
                    .iter()
                    .any(|s| s.clearance_m > 0.5 && s.half[0].min(s.half[1]) > 0.15)
        })
        .map(|e| e.id)
        .collect();
    let object = objects[rng.random_range(0..objects.len())];
    let table = tables[rng.random_range(0..tables.len())];
    let name = |t: &Trial, id: EntityId| t.home.entities[id.0 as usize].name.clone();
    let start = t.now;
    let end = t.run(Skill::Pick {
        object: object_id(object),
    });
    let seconds = (t.now - start).secs_f64();
    let held = t.simulation.truth().held == Some(object);
    score.add("pick", held, seconds);
    let p = truth.thing(object).map(|t| t.center).unwrap_or_default();
    println!(
        "  pick {} at ({:.2}, {:.2}, {:.2}): {} {end:?} {seconds:.1} s",
        name(t, object),
        p.x,
        p.y,
        p.z,
        if held { "ok" } else { "NOT HELD" }
    );
    if !held {
        // An arm that is left in the scene would spoil what follows; the next skill stows it.
        return;
    }
    let start = t.now;
    let end = t.run(Skill::Place {
        object: object_id(object),
        relation: RelationKind::On,
        target: object_id(table),
    });
    let seconds = (t.now - start).secs_f64();
    for _ in 0..25 {
        t.advance();
    }
    let truth = t.simulation.truth();
    let on = truth
        .relations
        .iter()
        .any(|r| r.subject == object && r.object == table && r.kind != RelationKind::Near);
    score.add("place", on, seconds);
    println!(
        "  place {} on {}: {} {end:?} {seconds:.1} s",
        name(t, object),
        name(t, table),
        if on { "ok" } else { "NOT ON" }
    );
    if t.simulation.truth().held.is_some() {
        // What could not be put there goes where it can, so that the next trial starts with an empty hand.
        for other in tables {
            let end = t.run(Skill::Place {
                object: object_id(object),
                relation: RelationKind::On,
                target: object_id(other),
            });
            if matches!(end, Progress::Done(_)) {
                break;
            }
        }
    }
}

/// Opens a part by decree, takes something out where something is in, and puts something in.
fn pick_and_place_inside(t: &mut Trial, rng: &mut ChaCha8Rng, score: &mut Score) {
    let name = |t: &Trial, id: EntityId| t.home.entities[id.0 as usize].name.clone();
    let cavities: Vec<(EntityId, Aabb, EntityId)> = t
        .home
        .entities
        .iter()
        .flat_map(|e| e.cavities.iter().filter_map(|c| Some((e.id, c.bounds, c.door?))))
        .collect();
    let (owner, hollow, part) = cavities[rng.random_range(0..cavities.len())];
    let EntityKind::Part(joint) = t.home.entities[part.0 as usize].kind.clone() else {
        return;
    };
    t.simulation.apply_change(ResolvedKind::SetPart {
        part,
        position: if joint.prismatic { 0.27 } else { 1.45 },
    });
    for _ in 0..25 {
        t.advance();
    }
    t.perceive(true);
    let room = hollow.size();
    let fits = |e: &&Entity| {
        let size = e.local_bounds.size();
        matches!(e.kind, EntityKind::Object { graspable: true })
            && size.z + 0.04 < room.z
            && size.x.max(size.y) + 0.04 < room.x.min(room.y)
    };
    let truth = t.simulation.truth();
    let inside = |id: EntityId| {
        let owner_pose = t.simulation.physics().pose(owner)?;
        let p = owner_pose.inverse() * truth.thing(id)?.center;
        Some(hollow.inflated(0.01).contains(&p))
    };
    let hidden = |id: EntityId| {
        truth
            .relations
            .iter()
            .any(|r| r.subject == id && r.kind == RelationKind::In)
    };
    let objects: Vec<EntityId> = t.home.entities.iter().filter(fits).map(|e| e.id).collect();
    let within: Vec<EntityId> = objects
        .iter()
        .copied()
        .filter(|id| inside(*id) == Some(true))
        .collect();
    let outside: Vec<EntityId> = objects.into_iter().filter(|id| !hidden(*id)).collect();
    let from = if within.is_empty() { &outside } else { &within };
    if from.is_empty() {
        return;
    }
    let object = from[rng.random_range(0..from.len())];
    let furniture = match &t.home.entities[owner.0 as usize].kind {
        EntityKind::Part(joint) => joint.parent,
        _ => owner,
    };
    let start = t.now;
    let end = t.run(Skill::Pick {
        object: object_id(object),
    });
    let seconds = (t.now - start).secs_f64();
    let held = t.simulation.truth().held == Some(object);
    score.add(if within.is_empty() { "pick" } else { "take out" }, held, seconds);
    println!(
        "  pick {} out of {} by {}: {} {end:?} {seconds:.1} s",
        name(t, object),
        if within.is_empty() {
            "the open".into()
        } else {
            name(t, owner)
        },
        name(t, part),
        if held { "ok" } else { "NOT HELD" }
    );
    if !held {
        return;
    }
    let start = t.now;
    let end = t.run(Skill::Place {
        object: object_id(object),
        relation: RelationKind::In,
        target: object_id(furniture),
    });
    let seconds = (t.now - start).secs_f64();
    for _ in 0..50 {
        t.advance();
    }
    let truth = t.simulation.truth();
    let is_in = truth.relations.iter().any(|r| {
        r.subject == object && r.kind == RelationKind::In && (r.object == furniture || r.object == owner)
    });
    score.add("put in", is_in, seconds);
    let p = truth.thing(object).map(|t| t.center).unwrap_or_default();
    println!(
        "  place {} in {} by {}: {} {end:?} {seconds:.1} s, now at ({:.2}, {:.2}, {:.2})",
        name(t, object),
        name(t, furniture),
        name(t, part),
        if is_in { "ok" } else { "NOT IN" },
        p.x,
        p.y,
        p.z
    );
    if t.simulation.truth().held.is_some() {
        let tables: Vec<EntityId> = t
            .home
            .entities
            .iter()
            .filter(|e| e.class.ends_with("table") || e.class == "sofa")
            .map(|e| e.id)
            .collect();
        for table in tables {
            let end = t.run(Skill::Place {
                object: object_id(object),
                relation: RelationKind::On,
                target: object_id(table),
            });
            if matches!(end, Progress::Done(_)) {
                break;
            }
        }
    }
}

fn open_and_close(t: &mut Trial, part: EntityId, score: &mut Score) {
    let name = t.home.entities[part.0 as usize].name.clone();
    for opening in [true, false] {
        let start = t.now;
        let id = object_id(part);
        let end = t.run(if opening {
            Skill::Open { part: id }
        } else {
            Skill::Close { part: id }
        });
        let seconds = (t.now - start).secs_f64();
        let a = t
            .graph
            .objects
            .iter()
            .find(|o| o.id == id)
            .and_then(|o| o.articulation);
        let q = t.simulation.physics().part_position(part).unwrap_or(f64::NAN);
        let open_at = a.map_or(1.0, |a| a.open_at);
        let ok = if opening {
            q >= 0.8 * open_at
        } else {
            q <= 0.15 * open_at
        };
        score.add(if opening { "open" } else { "close" }, ok, seconds);
        println!(
            "  {} {name}: at {q:.2} of {open_at:.2} {} {end:?} {seconds:.1} s",
            if opening { "open" } else { "close" },
            if ok { "ok" } else { "WRONG" }
        );
        if !ok {
            break;
        }
    }
}
