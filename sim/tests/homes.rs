//! Homes of many seeds against the rules that the rest of the system relies on, measured from the outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use steward_core::geometry::{Aabb, Point3, Pose3, Vector3};
use steward_sim::home::{CatalogueKind, HomeSpec, catalogue, generate, object_entity};
use steward_sim::model::{Entity, EntityKind, Home};

const SEEDS: u64 = 200;

fn home(seed: u64) -> Home {
    generate(&HomeSpec::from_seed(seed)).unwrap_or_else(|e| panic!("seed {seed}: {e}"))
}

/// Box around the colliders of an entity in the world, parts closed.
fn collider_bounds(e: &Entity) -> Option<Aabb> {
    e.colliders
        .iter()
        .map(|c| Aabb::around(&(e.pose * c.pose), &c.shape.half()))
        .reduce(|a, b| a.union(&b))
}

/// Cells of 5 cm where a disc of radius 0.30 m can stand and that are connected to the start; built from the
/// colliders alone.
struct Floor {
    origin: [f64; 2],
    columns: i64,
    rows: i64,
    reached: BTreeSet<(i64, i64)>,
}

impl Floor {
    fn new(home: &Home) -> Floor {
        let all = home
            .rooms
            .iter()
            .map(|r| r.bounds)
            .reduce(|a, b| a.union(&b))
            .unwrap();
        let (columns, rows) = ((all.size().x / 0.05) as i64 + 1, (all.size().y / 0.05) as i64 + 1);
        let origin = [all.min.x, all.min.y];
        let mut blocked = vec![false; (columns * rows) as usize];
        for e in &home.entities {
            for c in &e.colliders {
                let alone = Entity {
                    colliders: vec![c.clone()],
                    ..e.clone()
                };
                let b = collider_bounds(&alone).unwrap();
                if b.min.z > 1.5 || b.max.z <= 0.0 {
                    continue;
                }
                let near = b.inflated(0.30);
                for col in
                    ((near.min.x - origin[0]) / 0.05) as i64 - 1..=((near.max.x - origin[0]) / 0.05) as i64
                {
                    for row in ((near.min.y - origin[1]) / 0.05) as i64 - 1
                        ..=((near.max.y - origin[1]) / 0.05) as i64
                    {
                        if col < 0 || row < 0 || col >= columns || row >= rows {
                            continue;
                        }
                        let (x, y) = (
                            origin[0] + (col as f64 + 0.5) * 0.05,
                            origin[1] + (row as f64 + 0.5) * 0.05,
                        );
                        let dx = (b.min.x - x).max(x - b.max.x).max(0.0);
                        let dy = (b.min.y - y).max(y - b.max.y).max(0.0);
                        if dx * dx + dy * dy < 0.30 * 0.30 {
                            blocked[(row * columns + col) as usize] = true;
                        }
                    }
                }
            }
        }
        let mut floor = Floor {
            origin,
            columns,
            rows,
            reached: BTreeSet::new(),
        };
        let start = floor.cell(home.robot_start.x_m, home.robot_start.y_m);
        let mut open = VecDeque::from([start]);
        while let Some((c, r)) = open.pop_front() {
            let inside = c >= 0 && r >= 0 && c < floor.columns && r < floor.rows;
            if inside && !blocked[(r * columns + c) as usize] && floor.reached.insert((c, r)) {
                open.extend([(c + 1, r), (c - 1, r), (c, r + 1), (c, r - 1)]);
            }
        }
        floor
    }

    fn cell(&self, x: f64, y: f64) -> (i64, i64) {
        (
            ((x - self.origin[0]) / 0.05).floor() as i64,
            ((y - self.origin[1]) / 0.05).floor() as i64,
        )
    }

    /// Distance from a point to the nearest place where the disc can stand.
    fn distance(&self, x: f64, y: f64) -> f64 {
        let (c, r) = self.cell(x, y);
        let mut best = f64::MAX;
        for dc in -24..=24 {
            for dr in -24..=24 {
                if self.reached.contains(&(c + dc, r + dr)) {
                    let (px, py) = (
                        self.origin[0] + ((c + dc) as f64 + 0.5) * 0.05,
                        self.origin[1] + ((r + dr) as f64 + 0.5) * 0.05,
                    );
                    best = best.min(((px - x).powi(2) + (py - y).powi(2)).sqrt());
                }
            }
        }
        best
    }
}

fn overlap(a: &Aabb, b: &Aabb, slack: f64) -> bool {
    (0..3).all(|i| a.min[i] + slack < b.max[i] && b.min[i] + slack < a.max[i])
}

fn owner<'a>(home: &'a Home, e: &'a Entity) -> &'a Entity {
    match &e.kind {
        EntityKind::Part(j) => &home.entities[j.parent.0 as usize],
        _ => e,
    }
}

/// The furniture or part under an object (or around it), by geometry.
fn support<'a>(home: &'a Home, object: &Entity) -> Option<(&'a Entity, &'a steward_sim::model::Surface)> {
    let b = object.world_bounds(&object.pose);
    let c = b.center();
    home.entities
        .iter()
        .flat_map(|e| e.surfaces.iter().map(move |s| (e, s)))
        .find(|(e, s)| {
            let local = (e.pose * s.pose).inverse() * Point3::new(c.x, c.y, b.min.z);
            local.x.abs() <= s.half[0] && local.y.abs() <= s.half[1] && local.z.abs() < 0.02
        })
}

fn check(seed: u64, home: &Home, classes: &mut BTreeMap<String, usize>) {
    let floor = Floor::new(home);
    let told = |e: &Entity| format!("seed {seed}: {}", e.name);

    // Rooms.
    assert!((3..=8).contains(&home.rooms.len()), "seed {seed}");
    for (i, a) in home.rooms.iter().enumerate() {
        for b in &home.rooms[i + 1..] {
            assert!(!overlap(&a.bounds, &b.bounds, 0.0), "seed {seed}: rooms overlap");
            assert_ne!(a.name, b.name);
        }
        let c = a.bounds.center();
        assert!(
            floor.distance(c.x, c.y) < 1.2,
            "seed {seed}: {} is cut off",
            a.name
        );
        let lit = home
            .lights
            .iter()
            .any(|l| a.bounds.contains(&Point3::from(l.position)));
        assert!(lit, "seed {seed}: {} is dark", a.name);
    }
    for d in &home.doorways {
        assert!(d.width_m >= 0.95, "seed {seed}: narrow door");
        assert!(
            floor.distance(d.pose.x_m, d.pose.y_m) < 0.1,
            "seed {seed}: door blocked at {:?}",
            d.pose
        );
    }
    let frames = home.entities.iter().filter(|e| e.class == "door_frame").count();
    assert_eq!(frames, home.doorways.len());
    assert!(
        home.entities
            .iter()
            .any(|e| e.visuals.iter().any(|v| v.material.opacity < 1.0))
    );

    // Entities.
    let mut names = BTreeSet::new();
    for (i, e) in home.entities.iter().enumerate() {
        assert_eq!(e.id.0 as usize, i);
        assert!(names.insert(&e.name), "{} twice", told(e));
        *classes.entry(e.class.clone()).or_default() += 1;
    }
    for needed in [
        &["fridge"][..],
        &["desk", "dining_table", "coffee_table", "side_table"],
    ] {
        assert!(
            home.entities.iter().any(|e| needed.contains(&e.class.as_str())),
            "seed {seed}: {needed:?}"
        );
    }
    assert!(home.rooms.iter().any(|r| r.kind == "kitchen"));
    let owners: BTreeSet<&str> = home
        .entities
        .iter()
        .filter(|e| matches!(e.kind, EntityKind::Part(_)))
        .map(|e| owner(home, e).name.as_str())
        .collect();
    assert!(owners.len() >= 2, "seed {seed}: {owners:?}");

    // Nothing overlaps: pieces of furniture pairwise and with walls, objects with everything.
    let solid: Vec<(&Entity, Vec<Aabb>)> = home
        .entities
        .iter()
        .filter(|e| e.class != "floor")
        .map(|e| {
            let boxes = e
                .colliders
                .iter()
                .filter_map(|c| {
                    collider_bounds(&Entity {
                        colliders: vec![c.clone()],
                        ..e.clone()
                    })
                })
                .collect();
            (e, boxes)
        })
        .collect();
    for (i, (a, boxes_a)) in solid.iter().enumerate() {
        let Some(all_a) = collider_bounds(a) else { continue };
        for (b, boxes_b) in &solid[i + 1..] {
            let both_fixed = a.kind == EntityKind::Structure && b.kind == EntityKind::Structure;
            if both_fixed || owner(home, a).id == owner(home, b).id {
                continue;
            }
            if !collider_bounds(b).is_some_and(|all_b| overlap(&all_a, &all_b, 0.0)) {
                continue;
            }
            for x in boxes_a {
                for y in boxes_b {
                    assert!(
                        !overlap(x, y, 0.0005),
                        "{} overlaps {}: {x:?} {y:?}",
                        told(a),
                        b.name
                    );
                }
            }
        }
    }

    // Parts.
    for e in &home.entities {
        let EntityKind::Part(joint) = &e.kind else {
            continue;
        };
        let enough = match (joint.prismatic, e.class.as_str()) {
            (true, _) => 0.3,
            (false, "bin_lid") => 80f64.to_radians(),
            (false, _) => 95f64.to_radians(),
        };
        assert!(joint.upper >= enough, "{}", told(e));
        assert!((joint.axis.norm() - 1.0).abs() < 1e-9 && (joint.handle_axis.norm() - 1.0).abs() < 1e-9);
        let handle = e.pose * Point3::from(joint.handle);
        assert!(
            (0.3..1.3).contains(&handle.z),
            "{} handle at {:.2}",
            told(e),
            handle.z
        );
        assert!(
            e.visuals.iter().any(|v| v.label.as_deref() == Some("handle")),
            "{}",
            told(e)
        );
        assert!(
            e.colliders
                .iter()
                .any(|c| (c.pose.translation.vector - joint.handle).norm() < 1e-9)
        );
        // Positive motion moves the handle away from the furniture (up for lids).
        let moved = motion(joint, joint.upper * 0.2) * Point3::from(joint.handle);
        let (before, after) = (e.pose * Point3::from(joint.handle), e.pose * moved);
        let front = owner(home, e).pose.rotation * Vector3::x();
        let out = if e.class == "bin_lid" { Vector3::z() } else { front };
        assert!((after - before).dot(&out) > 0.02, "{} opens inwards", told(e));
        // 0.9 x 0.8 m in front: its middle is where the disc can stand.
        let stand = before + front * 0.5;
        assert!(
            floor.distance(stand.x, stand.y) < 0.45,
            "{}: nobody can stand in front",
            told(e)
        );
        // The opened part touches no other furniture.
        for step in [0.5, 1.0] {
            let opened = Entity {
                pose: e.pose * motion(joint, joint.upper * step),
                ..e.clone()
            };
            let Some(b) = collider_bounds(&opened) else {
                continue;
            };
            for (other, boxes) in &solid {
                let fixed = matches!(other.kind, EntityKind::Structure | EntityKind::Furniture);
                if fixed
                    && owner(home, e).id != other.id
                    && step == 1.0
                    && !joint.prismatic
                    && e.class != "bin_lid"
                {
                    continue;
                }
                if fixed && owner(home, e).id != other.id {
                    assert!(
                        !boxes.iter().any(|o| overlap(o, &b, 0.005)),
                        "{} at {step} hits {}",
                        told(e),
                        other.name
                    );
                }
            }
        }
    }

    // Objects.
    let objects: Vec<&Entity> = home
        .entities
        .iter()
        .filter(|e| matches!(e.kind, EntityKind::Object { .. }))
        .collect();
    assert!(
        (15..=30).contains(&objects.len()),
        "seed {seed}: {} objects",
        objects.len()
    );
    let distinct: BTreeSet<&str> = objects.iter().map(|e| e.class.as_str()).collect();
    assert!(distinct.len() * 10 >= objects.len() * 8);
    for o in &objects {
        let b = o.world_bounds(&o.pose);
        let c = b.center();
        assert!((0.0..=1.26).contains(&b.min.z), "{} at {:.2}", told(o), b.min.z);
        if b.min.z < 0.02 {
            assert!(
                floor.distance(c.x, c.y) < 0.6,
                "{} on the floor is out of reach",
                told(o)
            );
            continue;
        }
        let (host, surface) = support(home, o).unwrap_or_else(|| panic!("{} floats at {b:?}", told(o)));
        assert!(surface.clearance_m > b.size().z, "{} sticks through", told(o));
        // From the object to somewhere to stand: over at most 0.3 m of surface and half a metre of air. A
        // drawer comes out to the robot.
        let travel = match &host.kind {
            EntityKind::Part(j) if j.prismatic => j.upper,
            _ => 0.0,
        };
        let front = host.pose.rotation * Vector3::x() * travel;
        let d = floor.distance(c.x + front.x, c.y + front.y);
        assert!(
            d < 0.30 + 0.50,
            "{} on {} is {d:.2} m from standing room",
            told(o),
            host.name
        );
    }
    assert!(
        home.triangle_count() <= 150_000,
        "seed {seed}: {} triangles",
        home.triangle_count()
    );
}

fn motion(joint: &steward_sim::model::PartJoint, position: f64) -> Pose3 {
    if joint.prismatic {
        let t = joint.axis * position;
        return Pose3::translation(t.x, t.y, t.z);
    }
    let a = joint.anchor;
    Pose3::translation(a.x, a.y, a.z)
        * Pose3::new(Vector3::zeros(), joint.axis * position)
        * Pose3::translation(-a.x, -a.y, -a.z)
}

#[test]
fn two_hundred_seeds_give_usable_homes() {
    let mut classes = BTreeMap::new();
    let (mut objects, mut inside) = (0usize, 0usize);
    let mut sizes = BTreeMap::new();
    for seed in 0..SEEDS {
        let home = home(seed);
        check(seed, &home, &mut classes);
        *sizes.entry(home.rooms.len()).or_insert(0usize) += 1;
        for e in &home.entities {
            if !matches!(e.kind, EntityKind::Object { .. }) {
                continue;
            }
            objects += 1;
            let b = e.world_bounds(&e.pose).center();
            let closed = home.entities.iter().any(|f| {
                let local = f.pose.inverse() * b;
                f.cavities
                    .iter()
                    .any(|c| c.door.is_some() && c.bounds.contains(&local))
            });
            inside += usize::from(closed);
        }
    }
    for entry in catalogue() {
        assert!(classes.contains_key(entry.class), "{} never appears", entry.class);
    }
    let share = inside as f64 / objects as f64;
    assert!(
        (0.08..0.25).contains(&share),
        "{share:.2} of the objects are inside of something"
    );
    assert_eq!(sizes.len(), 6, "{sizes:?}");
}

#[test]
fn the_same_file_gives_the_same_home() {
    for seed in [0, 7, 10_001] {
        assert_eq!(home(seed).digest(), home(seed).digest());
    }
    assert_ne!(home(1).digest(), home(2).digest());
}

#[test]
fn the_catalogue_is_large_enough_and_true() {
    let all = catalogue();
    let furniture = all.iter().filter(|c| c.kind == CatalogueKind::Furniture).count();
    assert!(furniture >= 25, "{furniture}");
    assert!(all.len() - furniture >= 40);
    let mut graspable = 0;
    for entry in &all {
        let CatalogueKind::Object { graspable: g, mass_g } = entry.kind else {
            continue;
        };
        let mut seen = BTreeSet::new();
        for variant in 0..12 {
            let e = object_entity(entry.class, variant).unwrap();
            let b = collider_bounds(&e).unwrap();
            let look = e.local_bounds;
            // The hull stands for the visual: no side differs by more than a third or 4 cm.
            for i in 0..3 {
                let (h, l) = (b.size()[i], look.size()[i]);
                assert!(
                    (h - l).abs() < 0.04 || h > l * 0.66,
                    "{} axis {i}: {h:.3} {l:.3}",
                    entry.class
                );
            }
            assert!(
                b.min.z.abs() < 0.003,
                "{} does not stand on 0: {:.4}",
                entry.class,
                b.min.z
            );
            if g {
                let narrow = b.size().x.min(b.size().y);
                assert!(narrow <= 0.095, "{} is {narrow:.3} m wide", entry.class);
                assert!(b.size().z >= 0.04, "{} is {:.3} m high", entry.class, b.size().z);
                assert!(mass_g <= 800, "{} weighs {mass_g} g", entry.class);
            }
            let triangles: usize = e.visuals.iter().map(|v| v.mesh.triangles.len()).sum();
            assert!(triangles < 1500, "{}: {triangles} triangles", entry.class);
            seen.insert(format!(
                "{:?}",
                e.visuals
                    .iter()
                    .map(|v| (&v.material.tint, v.material.texture.as_ref().map(|t| t.texels[0])))
                    .collect::<Vec<_>>()
            ));
        }
        graspable += usize::from(g);
    }
    assert!(graspable >= 30, "{graspable}");
    assert!(object_entity("unicorn", 0).is_none());
}

#[test]
fn the_example_homes_are_made_and_stay_the_same() {
    let read = |name: &str| {
        let path = format!(
            "{}/../maps/{name}.yaml",
            std::env::var("CARGO_MANIFEST_DIR").unwrap()
        );
        let text = std::fs::read_to_string(&path).unwrap();
        generate(&HomeSpec::from_yaml(&path, &text).unwrap()).unwrap()
    };
    let apartment = read("apartment");
    let mug = apartment.entity("mug_1").unwrap();
    assert_ne!(support(&apartment, mug).unwrap().0.class, "desk");
    assert!(apartment.entity("desk_1").is_some());
    assert_eq!((read("studio").rooms.len(), read("villa").rooms.len()), (3, 8));
    // Changes only when the generator means to make other homes: say so in the changelog.
    assert_eq!(format!("{:016x}", apartment.digest()), "59ba22421cd8adf7");
}
