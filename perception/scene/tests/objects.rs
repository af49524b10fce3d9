//! Object memory, joints and relations on frames of boxes that are ray-cast here, so that the truth is known
//! without the simulator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{OrientedBox, Point3, Pose3, Rotation3, Vector3};
use steward_core::ids::ObjectId;
use steward_core::image::{DepthImage, Detection, Image, LabelImage};
use steward_core::messages::{
    ArticulationState, ChangeKind, Presence, Provenance, RelationKind, SceneChange, SceneObject,
    SupportSurface,
};
use steward_core::{Duration, Time};
use steward_scene::memory::{GripperState, MemoryConfig, ObjectMemory, Observation};
use steward_scene::relations::{RelationsConfig, relations};

/// A box anywhere, with a class. Boxes with the same `instance` are one thing to the detector.
#[derive(Clone)]
struct Block {
    class: &'static str,
    instance: u16,
    pose: Pose3,
    half: Vector3,
}

fn block(class: &'static str, instance: u16, center: [f64; 3], size: [f64; 3], yaw: f64) -> Block {
    Block {
        class,
        instance,
        pose: Pose3::from_parts(
            Point3::from(center).into(),
            Rotation3::from_axis_angle(&Vector3::z_axis(), yaw),
        ),
        half: Vector3::from(size) * 0.5,
    }
}

/// `map_from_camera` of a camera at a point that looks at another.
fn looking(from: [f64; 3], at: [f64; 3]) -> Pose3 {
    let (from, at) = (Point3::from(from), Point3::from(at));
    let z = (at - from).normalize();
    let x = z.cross(&Vector3::z()).normalize();
    let rotation = nalgebra::Rotation3::from_basis_unchecked(&[x, z.cross(&x), z]);
    Pose3::from_parts(from.coords.into(), Rotation3::from_rotation_matrix(&rotation))
}

struct Frame {
    depth: DepthImage,
    labels: LabelImage,
    detections: Vec<Detection>,
}

const CAMERA: (u32, u32, f64) = (320, 240, 75.0);

fn camera() -> CameraIntrinsics {
    CameraIntrinsics::from_horizontal_fov(CAMERA.0, CAMERA.1, CAMERA.2.to_radians())
}

/// Distance along the ray at which it enters a box in the box's frame (slab method).
fn enter(origin: &Point3, direction: &Vector3, half: &Vector3) -> Option<f64> {
    let (mut near, mut far) = (1e-6f64, f64::INFINITY);
    for i in 0..3 {
        if direction[i].abs() < 1e-12 {
            if origin[i].abs() > half[i] {
                return None;
            }
            continue;
        }
        let a = (-half[i] - origin[i]) / direction[i];
        let b = (half[i] - origin[i]) / direction[i];
        near = near.max(a.min(b));
        far = far.min(a.max(b));
    }
    (near <= far).then_some(near)
}

/// Casts a ray per pixel. `noise` is a factor on depth noise of a consumer camera (1.4 mm at 1 m, quadratic).
fn render(blocks: &[Block], map_from_camera: &Pose3, noise: f64, seed: u64) -> Frame {
    let c = camera();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let local: Vec<(Point3, Rotation3)> = blocks
        .iter()
        .map(|b| {
            let block_from_camera = b.pose.inverse() * map_from_camera;
            (
                Point3::from(block_from_camera.translation.vector),
                block_from_camera.rotation,
            )
        })
        .collect();
    let mut depth = Vec::new();
    let mut labels = Vec::new();
    for row in 0..c.height {
        for column in 0..c.width {
            let ray = c.pixel_ray(column, row);
            let hit = blocks
                .iter()
                .zip(&local)
                .filter_map(|(b, (origin, rotation))| {
                    Some((enter(origin, &(rotation * ray), &b.half)?, b.instance))
                })
                .min_by(|a, b| a.0.total_cmp(&b.0));
            // A sum of four uniform numbers, brought to mean 0 and variance 1, is close enough to a normal one.
            let gauss = ((0..4).map(|_| uniform()).sum::<f64>() - 2.0) * 3f64.sqrt();
            match hit {
                Some((z, instance)) => {
                    let z = z + gauss * noise * 0.0014 * z * z;
                    depth.push(if z > 6.0 { f32::NAN } else { z as f32 });
                    labels.push(instance);
                }
                None => {
                    depth.push(f32::NAN);
                    labels.push(0);
                }
            }
        }
    }
    let mut detections: Vec<Detection> = Vec::new();
    for b in blocks {
        if labels.contains(&b.instance) && detections.iter().all(|d| d.instance != b.instance) {
            detections.push(Detection {
                instance: b.instance,
                class: b.class.to_owned(),
                score: 0.95,
            });
        }
    }
    detections.sort_by_key(|d| d.instance);
    Frame {
        depth: Image::new(c.width, c.height, depth).unwrap(),
        labels: Image::new(c.width, c.height, labels).unwrap(),
        detections,
    }
}

/// A memory with a clock.
struct Rig {
    memory: ObjectMemory,
    stamp: Time,
    noise: f64,
    seed: u64,
}

impl Rig {
    fn new(noise: f64) -> Self {
        Rig {
            memory: ObjectMemory::new(MemoryConfig::default()).unwrap(),
            stamp: Time::ZERO,
            noise,
            seed: 1,
        }
    }

    fn look(&mut self, blocks: &[Block], from: [f64; 3], at: [f64; 3], frames: usize) -> Vec<SceneChange> {
        let mut changes = Vec::new();
        for _ in 0..frames {
            self.stamp += Duration::from_millis(200);
            self.seed += 1;
            let pose = looking(from, at);
            let frame = render(blocks, &pose, self.noise, self.seed);
            changes.extend(
                self.memory
                    .observe(&observation(&frame, pose, self.stamp))
                    .unwrap(),
            );
        }
        changes
    }

    fn object(&self, class: &str) -> SceneObject {
        let all: Vec<SceneObject> = self
            .memory
            .objects()
            .into_iter()
            .filter(|o| o.class == class)
            .collect();
        assert_eq!(all.len(), 1, "{class}: {all:#?}");
        all[0].clone()
    }

    fn classes(&self) -> Vec<String> {
        let mut classes: Vec<String> = self.memory.objects().into_iter().map(|o| o.class).collect();
        classes.sort();
        classes
    }
}

fn observation(frame: &Frame, map_from_camera: Pose3, stamp: Time) -> Observation<'_> {
    Observation {
        stamp,
        map_from_camera,
        camera: camera(),
        depth: &frame.depth,
        labels: &frame.labels,
        detections: &frame.detections,
    }
}

fn room() -> Vec<Block> {
    vec![
        block("floor", 1, [0.0, 0.0, -0.05], [12.0, 12.0, 0.1], 0.0),
        block("wall", 2, [4.0, 0.0, 1.25], [0.1, 12.0, 2.5], 0.0),
    ]
}

/// A table top on four legs, one instance.
fn table(class: &'static str, instance: u16, x: f64, y: f64, yaw: f64) -> Vec<Block> {
    let base = Pose3::from_parts(
        Vector3::new(x, y, 0.0).into(),
        Rotation3::from_axis_angle(&Vector3::z_axis(), yaw),
    );
    let mut blocks = vec![block(class, instance, [0.0, 0.0, 0.73], [0.7, 1.2, 0.04], 0.0)];
    for (sx, sy) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
        blocks.push(block(
            class,
            instance,
            [sx * 0.3, sy * 0.55, 0.355],
            [0.05, 0.05, 0.71],
            0.0,
        ));
    }
    for b in &mut blocks {
        b.pose = base * b.pose;
    }
    blocks
}

fn scene() -> Vec<Block> {
    let mut blocks = room();
    blocks.extend(table("desk", 3, 1.6, 0.0, 0.2));
    blocks.push(block("mug", 4, [1.45, 0.1, 0.80], [0.08, 0.08, 0.10], 0.3));
    blocks.push(block("book", 5, [1.6, -0.3, 0.765], [0.15, 0.21, 0.03], 0.9));
    blocks
}

#[test]
fn small_things_are_measured_within_fifteen_millimetres() {
    let mut rig = Rig::new(1.0);
    rig.look(&scene(), [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 4);
    for (class, at, size) in [
        ("mug", [1.45, 0.1, 0.80], [0.08, 0.08, 0.10]),
        ("book", [1.6, -0.3, 0.765], [0.15, 0.21, 0.03]),
    ] {
        let found = rig.object(class);
        let error = (found.shape.center - Point3::from(at)).norm();
        assert!(error < 0.015, "{class}: {error:.4} m, {:?}", found.shape);
        let mut expected = size;
        let mut measured: Vec<f64> = (found.shape.half * 2.0).iter().copied().collect();
        expected.sort_by(f64::total_cmp);
        measured.sort_by(f64::total_cmp);
        for (m, e) in measured.iter().zip(expected) {
            assert!(
                (m - e).abs() < 0.025,
                "{class}: {measured:?} instead of {expected:?}"
            );
        }
        assert_eq!(found.presence, Presence::Present);
        assert!(found.confidence > 0.5);
    }
    assert_eq!(rig.classes(), ["book", "desk", "mug"]);
}

/// A box of breakfast cereal on a desk, its front turned by `yaw`.
fn cereal(yaw: f64) -> Vec<Block> {
    let mut blocks = room();
    blocks.extend(table("desk", 3, 1.6, 0.0, 0.0));
    blocks.push(block("cereal_box", 4, [1.5, 0.0, 0.88], [0.07, 0.19, 0.26], yaw));
    blocks
}

/// Angle between two directions that repeat every half turn, radians.
fn between_axes(a: f64, b: f64) -> f64 {
    let off = (a - b).rem_euclid(std::f64::consts::PI);
    off.min(std::f64::consts::PI - off)
}

#[test]
fn a_thing_seen_from_the_side_stands_as_its_two_sides_do() {
    // From the height of its top, so that only two sides are seen; the long one runs across `yaw`.
    let yaw = 0.6;
    let mut rig = Rig::new(1.0);
    rig.look(&cereal(yaw), [0.4, 0.0, 1.02], [1.5, 0.0, 0.88], 4);
    let shape = rig.object("cereal_box").shape;
    let long = if shape.half.x > shape.half.y {
        0.0
    } else {
        std::f64::consts::FRAC_PI_2
    };
    let off = between_axes(shape.yaw_rad + long, yaw + std::f64::consts::FRAC_PI_2);
    assert!(off < 0.1, "{off:.3} rad, {shape:?}");
    let short = 2.0 * shape.half.x.min(shape.half.y);
    assert!((short - 0.07).abs() < 0.025, "{short:.3} m, {shape:?}");
}

/// From right above only the top of a thing is seen; it stands on what is seen beside it.
#[test]
fn a_thing_seen_from_above_reaches_down_to_what_it_stands_on() {
    let mut blocks = room();
    blocks.extend(table("table", 20, 2.0, 0.0, 0.0));
    let top = blocks
        .iter()
        .filter(|b| b.instance == 20)
        .map(|b| b.pose.translation.vector.z + b.half.z)
        .fold(0.0, f64::max);
    blocks.push(block("tin", 21, [2.0, 0.0, top + 0.06], [0.09, 0.08, 0.12], 0.2));
    let mut memory = ObjectMemory::new(MemoryConfig::default()).unwrap();
    for i in 0..4 {
        let pose = looking([2.0, 0.001, top + 0.75], [2.0, 0.0, top]);
        let frame = render(&blocks, &pose, 1.0, i);
        let stamp = Time::from_secs_f64(1.0 + i as f64);
        memory.observe(&observation(&frame, pose, stamp)).unwrap();
    }
    let objects = memory.objects();
    let tin = objects.iter().find(|o| o.class == "tin").unwrap();
    assert!((tin.shape.bottom_m() - top).abs() < 0.015, "{:?}", tin.shape);
    assert!((tin.shape.top_m() - top - 0.12).abs() < 0.015, "{:?}", tin.shape);
}

/// Of glass a depth camera measures next to nothing, and what it does measure is behind it.
#[test]
fn a_thing_of_glass_stands_where_its_foot_is_seen() {
    let mut behind = room();
    behind.extend(table("desk", 3, 1.6, 0.0, 0.0));
    // It hides a part of the foot.
    behind.push(block("book", 5, [1.33, 0.06, 0.765], [0.06, 0.08, 0.03], 0.0));
    let mut all = behind.clone();
    all.push(block("glass", 4, [1.5, 0.0, 0.81], [0.07, 0.07, 0.12], 0.0));
    let pose = looking([0.5, 0.0, 1.35], [1.5, 0.0, 0.75]);
    let mut memory = ObjectMemory::new(MemoryConfig::default()).unwrap();
    for i in 0..4 {
        let mut frame = render(&all, &pose, 1.0, i);
        let through = render(&behind, &pose, 1.0, i);
        let labels = frame.labels.data();
        let depth = frame.depth.data_mut().iter_mut().zip(through.depth.data());
        for (at, (seen, through)) in depth.enumerate().filter(|(at, _)| labels[*at] == 4) {
            *seen = if at % 10 == 0 { *through } else { f32::NAN };
        }
        let stamp = Time::from_secs_f64(1.0 + i as f64);
        memory.observe(&observation(&frame, pose, stamp)).unwrap();
    }
    let objects = memory.objects();
    let glass = objects.iter().find(|o| o.class == "glass").unwrap();
    let shape = glass.shape;
    assert!(
        (shape.center - Point3::new(1.5, 0.0, 0.81)).norm() < 0.02,
        "{shape:?}"
    );
    for (half, expected) in [(shape.half.x, 0.035), (shape.half.y, 0.035), (shape.half.z, 0.06)] {
        assert!((half - expected).abs() < 0.01, "{shape:?}");
    }
}

#[test]
fn a_thing_is_as_deep_as_it_was_seen_to_be() {
    let mut rig = Rig::new(1.0);
    // From the corner both sides show; square to its front nothing says how deep it is.
    rig.look(&cereal(0.0), [0.5, 0.9, 1.02], [1.5, 0.0, 0.88], 4);
    rig.look(&cereal(0.0), [0.6, 0.0, 1.0], [1.5, 0.0, 0.88], 8);
    let shape = rig.object("cereal_box").shape;
    let short = 2.0 * shape.half.x.min(shape.half.y);
    assert!((short - 0.07).abs() < 0.025, "{short:.3} m, {shape:?}");
    let error = (shape.center - Point3::new(1.5, 0.0, 0.88)).norm();
    assert!(error < 0.02, "{error:.3} m, {shape:?}");
}

#[test]
fn what_the_arm_hides_is_not_gone() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.5, 0.0, 1.3], [1.5, 0.0, 0.8]);
    rig.look(&cereal(0.0), from, at, 4);
    let whole = rig.object("cereal_box").shape;
    // An arm a hand's breadth from it, closer than what counts as something nearer, hides the lower half.
    let mut blocks = cereal(0.0);
    blocks.push(block("robot", 9, [1.42, 0.0, 0.82], [0.04, 0.4, 0.12], 0.0));
    rig.look(&blocks, from, at, 8);
    let seen = rig.object("cereal_box").shape;
    let shrunk = (whole.half - seen.half).amax();
    assert!(shrunk < 0.01, "{whole:?}, then {seen:?}");
}

#[test]
fn furniture_grows_from_partial_views_into_one_thing() {
    let mut rig = Rig::new(1.0);
    let blocks = scene();
    rig.look(&blocks, [0.5, 1.2, 1.35], [1.6, 0.9, 0.7], 3);
    rig.look(&blocks, [0.3, 0.0, 1.35], [1.5, 0.0, 0.6], 3);
    rig.look(&blocks, [0.5, -1.2, 1.35], [1.6, -0.6, 0.6], 3);
    let desk = rig.object("desk").shape;
    assert!(
        (desk.center.xy() - Point3::new(1.6, 0.0, 0.0).xy()).norm() < 0.03,
        "{desk:?}"
    );
    assert!(
        (desk.half.x - 0.6).abs() < 0.03 && (desk.half.y - 0.35).abs() < 0.03,
        "{desk:?}"
    );
    assert!((desk.top_m() - 0.75).abs() < 0.015, "{desk:?}");
    assert!(desk.bottom_m() < 0.1, "{desk:?}");
    let turn =
        steward_core::geometry::wrap_angle_rad(2.0 * (desk.yaw_rad - 0.2 - std::f64::consts::FRAC_PI_2));
    assert!(turn.abs() < 0.1, "{desk:?}");
    let surfaces = rig.object("desk").surfaces;
    assert!(
        surfaces
            .iter()
            .any(|s| (s.height_m() - 0.75).abs() < 0.01 && s.half_x_m > 0.5),
        "{surfaces:?}"
    );
}

#[test]
fn a_moved_thing_keeps_its_name() {
    let mut rig = Rig::new(1.0);
    let mut blocks = scene();
    let (from, at) = ([0.0, 0.0, 1.35], [1.5, 0.0, 0.7]);
    let appeared = rig.look(&blocks, from, at, 3);
    assert!(appeared.iter().all(|c| c.kind == ChangeKind::Appeared));
    let before = rig.object("mug");
    blocks
        .iter_mut()
        .find(|b| b.class == "mug")
        .unwrap()
        .pose
        .translation
        .vector = Vector3::new(1.55, 0.45, 0.80);
    let changes = rig.look(&blocks, from, at, 5);
    let after = rig.object("mug");
    assert_eq!(after.id, before.id);
    assert!((after.shape.center - Point3::new(1.55, 0.45, 0.80)).norm() < 0.015);
    let of_mug: Vec<ChangeKind> = changes
        .iter()
        .filter(|c| c.object == before.id)
        .map(|c| c.kind)
        .collect();
    assert_eq!(of_mug, [ChangeKind::Moved]);
}

#[test]
fn a_thing_that_went_elsewhere_is_missing_and_then_found_again() {
    let mut rig = Rig::new(1.0);
    let with = scene();
    let without: Vec<Block> = with.iter().filter(|b| b.class != "mug").cloned().collect();
    let (from, at) = ([0.0, 0.0, 1.35], [1.5, 0.0, 0.7]);
    rig.look(&with, from, at, 3);
    let id = rig.object("mug").id;
    // Two frames are not enough, and looking away says nothing.
    rig.look(&without, from, at, 2);
    assert_eq!(rig.object("mug").presence, Presence::Present);
    rig.look(&without, from, [-1.0, 0.5, 0.5], 5);
    assert_eq!(rig.object("mug").presence, Presence::Present);
    let changes = rig.look(&without, from, at, 2);
    assert_eq!(rig.object("mug").presence, Presence::Missing);
    assert!(
        changes
            .iter()
            .any(|c| c.object == id && c.kind == ChangeKind::Vanished)
    );
    let mut elsewhere = without.clone();
    elsewhere.extend(table("dining_table", 8, -1.6, 0.0, 0.0));
    elsewhere.push(block("mug", 9, [-1.4, 0.2, 0.80], [0.08, 0.08, 0.10], 0.0));
    let changes = rig.look(&elsewhere, from, [-1.5, 0.0, 0.7], 3);
    assert_eq!(rig.object("mug").id, id);
    assert_eq!(rig.object("mug").presence, Presence::Present);
    assert!(
        changes
            .iter()
            .any(|c| c.object == id && c.kind == ChangeKind::Moved)
    );
}

#[test]
fn hidden_things_and_unmeasured_places_do_not_vanish() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.0, 0.0, 1.35], [1.5, 0.0, 0.7]);
    rig.look(&scene(), from, at, 3);
    // Something large is put in front, and the mug goes: nobody can know.
    let mut hidden: Vec<Block> = scene().into_iter().filter(|b| b.class != "mug").collect();
    hidden.push(block("box", 7, [0.9, 0.05, 0.85], [0.1, 0.5, 0.6], 0.0));
    rig.look(&hidden, from, at, 6);
    assert_eq!(rig.object("mug").presence, Presence::Present);
    // Depth is missing everywhere.
    let pose = looking(from, at);
    for _ in 0..5 {
        let mut frame = render(&hidden, &pose, 0.0, 3);
        frame.depth.data_mut().fill(f32::NAN);
        rig.stamp += Duration::from_millis(200);
        rig.memory.observe(&observation(&frame, pose, rig.stamp)).unwrap();
    }
    assert_eq!(rig.object("mug").presence, Presence::Present);
    assert!(rig.memory.counters()["detection_without_depth"] > 0);
}

#[test]
fn equal_neighbours_stay_apart_and_drift_makes_no_twins() {
    let mut rig = Rig::new(1.0);
    let mut blocks = scene();
    blocks.push(block("mug", 6, [1.45, 0.24, 0.80], [0.08, 0.08, 0.10], 0.0));
    rig.look(&blocks, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 4);
    assert_eq!(rig.classes(), ["book", "desk", "mug", "mug"]);
    // Localisation is off by 12 cm now: everything seems to be shifted.
    let shifted: Vec<Block> = blocks
        .iter()
        .map(|b| Block {
            pose: nalgebra::Translation3::new(0.1, -0.07, 0.0) * b.pose,
            ..b.clone()
        })
        .collect();
    rig.look(&shifted, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 8);
    assert_eq!(rig.classes(), ["book", "desk", "mug", "mug"]);
}

#[test]
fn what_is_between_the_fingers_follows_them_until_it_is_let_go() {
    let mut rig = Rig::new(0.0);
    rig.look(&scene(), [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 3);
    let id = rig.object("mug").id;
    let gripper = |rig: &mut Rig, at: [f64; 3], holding| {
        rig.stamp += Duration::from_millis(200);
        rig.memory.observe_gripper(&GripperState {
            stamp: rig.stamp,
            map_from_grasp: Pose3::translation(at[0], at[1], at[2]),
            holding,
            intended: Some(id),
        });
    };
    gripper(&mut rig, [1.45, 0.1, 0.82], true);
    assert_eq!(rig.object("mug").presence, Presence::Held);
    gripper(&mut rig, [0.6, -0.5, 1.02], true);
    let held = rig.object("mug");
    assert!(
        (held.shape.center - Point3::new(0.6, -0.5, 1.0)).norm() < 0.015,
        "{:?}",
        held.shape
    );
    assert_eq!(rig.memory.held(), Some(id));
    let empty: Vec<Block> = scene().into_iter().filter(|b| b.class != "mug").collect();
    rig.look(&empty, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 4);
    assert_eq!(rig.object("mug").presence, Presence::Held);
    // Put down at the other side of the desk, and seen there.
    gripper(&mut rig, [1.5, 0.5, 0.82], true);
    gripper(&mut rig, [1.5, 0.5, 0.82], false);
    gripper(&mut rig, [1.4, 0.5, 0.9], false);
    let placed = rig.object("mug");
    assert_eq!(
        (placed.presence, placed.provenance),
        (Presence::Present, Provenance::Expected)
    );
    let mut after = empty;
    after.push(block("mug", 4, [1.52, 0.49, 0.80], [0.08, 0.08, 0.10], 0.0));
    rig.look(&after, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 3);
    let seen = rig.object("mug");
    assert_eq!((seen.id, seen.provenance), (id, Provenance::Observed));
    assert!((seen.shape.center - Point3::new(1.52, 0.49, 0.80)).norm() < 0.015);
}

#[test]
fn what_is_held_and_measured_behind_itself_is_no_second_thing() {
    let mut rig = Rig::new(0.0);
    rig.look(&scene(), [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 3);
    let id = rig.object("mug").id;
    rig.stamp += Duration::from_millis(200);
    let gripper = |stamp, at: [f64; 3]| GripperState {
        stamp,
        map_from_grasp: Pose3::translation(at[0], at[1], at[2]),
        holding: true,
        intended: Some(id),
    };
    rig.memory.observe_gripper(&gripper(rig.stamp, [1.45, 0.1, 0.82]));
    rig.stamp += Duration::from_millis(200);
    rig.memory.observe_gripper(&gripper(rig.stamp, [0.75, 0.0, 1.02]));
    // Seen through it, the desk behind it gives its depth: it seems to be twice as far away, and twice as large.
    let mut through: Vec<Block> = scene().into_iter().filter(|b| b.class != "mug").collect();
    through.push(block("mug", 4, [1.5, 0.0, 0.70], [0.16, 0.16, 0.20], 0.0));
    rig.look(&through, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 6);
    assert_eq!(rig.classes().iter().filter(|c| *c == "mug").count(), 1);
    assert_eq!(rig.object("mug").presence, Presence::Held);
}

#[test]
fn a_class_nobody_heard_of_is_remembered_and_bad_input_is_counted() {
    let mut rig = Rig::new(1.0);
    let mut blocks = scene();
    blocks.push(block(
        "flux_capacitor",
        6,
        [1.4, -0.1, 0.81],
        [0.1, 0.1, 0.12],
        0.0,
    ));
    rig.look(&blocks, [0.0, 0.0, 1.35], [1.5, 0.0, 0.7], 3);
    assert!((rig.object("flux_capacitor").shape.center - Point3::new(1.4, -0.1, 0.81)).norm() < 0.015);

    let pose = looking([0.0, 0.0, 1.35], [1.5, 0.0, 0.7]);
    let mut frame = render(&blocks, &pose, 0.0, 1);
    // Labels without detections, a detection without pixels, one twice, one without class, instance zero.
    frame.detections.remove(2);
    for (instance, class) in [(77, "ghost"), (4, "mug"), (5, ""), (0, "zero")] {
        frame.detections.push(Detection {
            instance,
            class: class.into(),
            score: 0.9,
        });
    }
    frame.detections.push(Detection {
        instance: 78,
        class: "nan".into(),
        score: f32::NAN,
    });
    rig.memory.observe(&observation(&frame, pose, rig.stamp)).unwrap();
    let counters = rig.memory.counters();
    for name in [
        "labels_without_detection",
        "detection_without_pixels",
        "detection_instance_invalid",
        "detection_score_low",
    ] {
        assert!(counters.contains_key(name), "{name} in {counters:?}");
    }

    let small: DepthImage = Image::new(2, 1, vec![1.0, 1.0]).unwrap();
    let bad = Observation {
        depth: &small,
        ..observation(&frame, pose, rig.stamp)
    };
    let error = rig.memory.observe(&bad).unwrap_err().to_string();
    assert!(error.contains("2x1"), "{error}");
    let nowhere = Pose3::translation(f64::NAN, 0.0, 0.0);
    assert!(
        rig.memory
            .observe(&observation(&frame, nowhere, rig.stamp))
            .is_err()
    );
}

/// A fridge with a door of 0.6 m hinged at `-y` (as seen from the front, +x is behind), open by an angle.
fn fridge(angle: f64) -> Vec<Block> {
    let mut blocks = room();
    // Carcass: back, two sides, top, bottom; the front at x = 1.5.
    for (center, size) in [
        ([2.08, 0.0, 0.75], [0.04, 0.6, 1.5]),
        ([1.8, 0.28, 0.75], [0.6, 0.04, 1.5]),
        ([1.8, -0.28, 0.75], [0.6, 0.04, 1.5]),
        ([1.8, 0.0, 1.48], [0.6, 0.6, 0.04]),
        ([1.8, 0.0, 0.2], [0.6, 0.6, 0.4]),
    ] {
        blocks.push(block("fridge", 3, center, size, 0.0));
    }
    let hinge = Pose3::from_parts(
        Vector3::new(1.455, -0.3, 0.0).into(),
        Rotation3::from_axis_angle(&Vector3::z_axis(), angle),
    );
    let mut door = block("fridge_door", 4, [0.0225, 0.3, 0.93], [0.045, 0.6, 1.14], 0.0);
    let mut bar = block("handle", 5, [-0.05, 0.55, 0.9], [0.015, 0.02, 0.24], 0.0);
    door.pose = hinge * door.pose;
    bar.pose = hinge * bar.pose;
    blocks.extend([door, bar]);
    blocks
}

/// Turning the free side (+y of the hinge) towards the robot (-x) is counter-clockwise seen from above.
#[test]
fn doors_are_understood_closed_or_open_first_and_from_an_angle() {
    for first in [0.0, 0.7, 1.6] {
        for from in [[0.0, 0.0, 1.35], [0.2, 0.9, 1.35]] {
            let mut rig = Rig::new(1.0);
            rig.look(&fridge(first), from, [1.6, 0.0, 0.9], 6);
            for angle in [first, 0.0, 0.5, 1.5] {
                rig.look(&fridge(angle), from, [1.6, 0.0, 0.9], 6);
                let door = rig.object("fridge_door");
                let context = format!("first {first}, from {from:?}, angle {angle}");
                let state = door.articulation.unwrap_or_else(|| {
                    panic!(
                        "no joint: {context}: {:?} {:?}",
                        door.shape,
                        rig.object("fridge").shape
                    )
                });
                let error = (state.position.unwrap_or(f64::NAN) - angle).abs();
                assert!(error < 10f64.to_radians(), "{context}: {state:?}");
                assert!(state.axis.z > 0.95, "{context}: {state:?}");
                let pivot = state.pivot - Point3::new(1.455, -0.3, state.pivot.z);
                assert!(pivot.norm() < 0.06, "{context}: {state:?}");
                assert_eq!(state.owner, Some(rig.object("fridge").id), "{context}");
                if angle == 0.0 {
                    let handle = state.handle.unwrap();
                    assert!(
                        (handle - Point3::new(1.405, 0.25, 0.9)).norm() < 0.03,
                        "{context}: {handle:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn opening_and_closing_is_reported_once_each() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.0, 0.3, 1.35], [1.6, 0.0, 0.9]);
    rig.look(&fridge(0.0), from, at, 4);
    let mut kinds = Vec::new();
    for angle in [0.4, 0.9, 1.5, 1.5, 0.8, 0.0, 0.0] {
        let changes = rig.look(&fridge(angle), from, at, 4);
        kinds.extend(
            changes
                .iter()
                .filter(|c| c.class == "fridge_door")
                .map(|c| c.kind),
        );
    }
    assert_eq!(kinds, [ChangeKind::Opened, ChangeKind::Closed]);
}

/// A dresser with two drawers, the upper one pulled out.
fn dresser(travel: f64) -> Vec<Block> {
    let mut blocks = room();
    blocks.push(block("dresser", 3, [1.75, 0.0, 0.4], [0.46, 0.8, 0.8], 0.0));
    for (instance, z, out) in [(4, 0.6, travel), (6, 0.25, 0.0)] {
        blocks.push(block(
            "drawer",
            instance,
            [1.51 - out, 0.0, z],
            [0.02, 0.76, 0.3],
            0.0,
        ));
        if out > 0.0 {
            // Bottom and sides of the drawer's box.
            let middle = 1.52 - out * 0.5;
            blocks.push(block(
                "drawer",
                instance,
                [middle, 0.0, z - 0.12],
                [out, 0.70, 0.012],
                0.0,
            ));
            blocks.push(block(
                "drawer",
                instance,
                [middle, 0.35, z - 0.02],
                [out, 0.012, 0.2],
                0.0,
            ));
            blocks.push(block(
                "drawer",
                instance,
                [middle, -0.35, z - 0.02],
                [out, 0.012, 0.2],
                0.0,
            ));
        }
        blocks.push(block(
            "handle",
            instance + 1,
            [1.455 - out, 0.0, z],
            [0.015, 0.16, 0.02],
            0.0,
        ));
    }
    blocks
}

#[test]
fn what_lies_on_top_of_a_drawer_does_not_own_it() {
    let mut rig = Rig::new(1.0);
    let mut blocks = room();
    blocks.extend([
        block("dresser", 3, [1.75, 0.0, 0.4], [0.46, 1.6, 0.8], 0.0),
        block("drawer", 4, [1.51, 0.0, 0.64], [0.02, 0.76, 0.28], 0.0),
        block("handle", 5, [1.455, 0.0, 0.64], [0.015, 0.16, 0.02], 0.0),
        block("cushion", 8, [1.73, 0.0, 0.86], [0.4, 0.4, 0.12], 0.0),
    ]);
    rig.look(&blocks, [0.2, 0.3, 1.35], [1.5, 0.0, 0.5], 8);
    let owner = rig.object("drawer").articulation.unwrap().owner;
    assert_eq!(owner, Some(rig.object("dresser").id));
}

#[test]
fn a_drawer_that_was_seen_from_a_wrong_pose_is_understood_anew() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.2, 0.3, 1.35], [1.5, 0.0, 0.5]);
    let shifted: Vec<Block> = dresser(0.0)
        .into_iter()
        .map(|b| Block {
            pose: nalgebra::Translation3::new(-0.09, 0.0, 0.0) * b.pose,
            ..b
        })
        .collect();
    rig.look(&shifted, from, at, 8);
    rig.look(&dresser(0.0), from, at, 40);
    let drawers = rig.memory.objects().into_iter().filter(|o| o.class == "drawer");
    let states: Vec<ArticulationState> = drawers.map(|o| o.articulation.unwrap()).collect();
    assert_eq!(states.len(), 2);
    for state in states {
        let handle = state.handle.unwrap();
        assert!((handle.x - 1.455).abs() < 0.03, "{state:?}");
    }
}

#[test]
fn what_is_in_a_drawer_goes_in_with_it_and_stays_in() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.5, 0.3, 1.45], [1.4, 0.0, 0.5]);
    let cup = |out: f64| block("mug", 9, [1.65 - out, 0.0, 0.57], [0.08, 0.08, 0.16], 0.0);
    for travel in [0.0, 0.3] {
        rig.look(&dresser(travel), from, at, 6);
    }
    let mut open = dresser(0.3);
    open.push(cup(0.3));
    rig.look(&open, from, at, 6);
    let is_in_drawer = |objects: &[SceneObject]| {
        let is_drawer = |id| objects.iter().any(|o| o.id == id && o.class == "drawer");
        let mug = objects.iter().find(|o| o.class == "mug").unwrap();
        let found = relations(objects, &[], &RelationsConfig::default());
        let mut kinds = found
            .iter()
            .filter(|r| r.subject == mug.id && is_drawer(r.object));
        kinds.any(|r| r.kind == RelationKind::In)
    };
    assert!(is_in_drawer(&rig.memory.objects()));
    // It goes in half way with the mug in it, and the rest of the way unseen.
    let mut half = dresser(0.15);
    half.push(cup(0.15));
    rig.look(&half, from, at, 2);
    rig.look(&dresser(0.0), from, at, 12);
    let mug = rig.object("mug");
    assert_eq!(mug.presence, Presence::Present);
    assert!((mug.shape.center.x - 1.65).abs() < 0.05, "{:?}", mug.shape.center);
    assert!(is_in_drawer(&rig.memory.objects()));
    // And comes out with it: what is out and empty holds nothing.
    rig.look(&dresser(0.3), from, at, 12);
    assert_eq!(rig.object("mug").presence, Presence::Missing);
}

#[test]
fn drawers_are_understood_closed_or_open_first() {
    for first in [0.0, 0.3] {
        let mut rig = Rig::new(1.0);
        let (from, at) = ([0.2, 0.3, 1.35], [1.5, 0.0, 0.5]);
        for travel in [first, 0.0, 0.15, 0.30] {
            rig.look(&dresser(travel), from, at, 6);
            let mut drawers: Vec<SceneObject> = rig
                .memory
                .objects()
                .into_iter()
                .filter(|o| o.class == "drawer")
                .collect();
            drawers.sort_by(|a, b| a.shape.center.z.total_cmp(&b.shape.center.z));
            assert_eq!(drawers.len(), 2, "first {first}, travel {travel}");
            for (drawer, expected) in drawers.iter().zip([0.0, travel]) {
                let state = drawer.articulation.unwrap();
                assert!(state.prismatic && state.axis.x < -0.97, "{state:?}");
                let q = state.position.unwrap();
                assert!(
                    (q - expected).abs() < 0.03,
                    "first {first}, {q} instead of {expected}"
                );
                assert_eq!(state.owner, Some(rig.object("dresser").id));
            }
            let handle = drawers[1].articulation.unwrap().handle.unwrap();
            assert!(
                (handle - Point3::new(1.455 - travel, 0.0, 0.6)).norm() < 0.03,
                "{travel} {handle:?}"
            );
        }
    }
}

fn bin(angle: f64) -> Vec<Block> {
    let mut blocks = room();
    for (center, size) in [
        ([1.2, 0.0, 0.1], [0.32, 0.32, 0.2]),
        ([1.05, 0.0, 0.3], [0.015, 0.32, 0.55]),
        ([1.35, 0.0, 0.3], [0.015, 0.32, 0.55]),
        ([1.2, 0.15, 0.3], [0.32, 0.015, 0.55]),
        ([1.2, -0.15, 0.3], [0.32, 0.015, 0.55]),
    ] {
        blocks.push(block("bin", 3, center, size, 0.0));
    }
    // Hinged at the back (+x); the front, towards the robot, lifts.
    let hinge = Pose3::from_parts(
        Vector3::new(1.36, 0.0, 0.605).into(),
        Rotation3::from_axis_angle(&Vector3::y_axis(), angle),
    );
    let mut lid = block("bin_lid", 4, [-0.16, 0.0, -0.015], [0.32, 0.32, 0.03], 0.0);
    let mut bar = block("handle", 5, [-0.37, 0.0, -0.015], [0.015, 0.14, 0.02], 0.0);
    lid.pose = hinge * lid.pose;
    bar.pose = hinge * bar.pose;
    blocks.extend([lid, bar]);
    blocks
}

#[test]
fn lids_are_understood_closed_or_open_first() {
    for first in [0.0, 1.3] {
        let mut rig = Rig::new(1.0);
        let (from, at) = ([0.2, 0.3, 1.35], [1.2, 0.0, 0.5]);
        for angle in [first, 0.0, 0.6, 1.4] {
            rig.look(&bin(angle), from, at, 6);
            let context = format!("first {first}, angle {angle}");
            let lids = rig
                .memory
                .objects()
                .into_iter()
                .filter(|o| o.class == "bin_lid")
                .collect::<Vec<_>>();
            assert_eq!(lids.len(), 1, "{context}: {lids:#?}");
            let state = lids[0]
                .articulation
                .unwrap_or_else(|| panic!("{context}: {lids:#?}"));
            let q = state.position.unwrap();
            assert!(
                (q - angle).abs() < 10f64.to_radians(),
                "first {first}, {q} instead of {angle}"
            );
            assert!(state.axis.y > 0.95, "{state:?}");
            assert!(
                (state.pivot.x - 1.36).abs() < 0.04 && (state.pivot.z - 0.605).abs() < 0.05,
                "{state:?}"
            );
            assert_eq!(state.owner, Some(rig.object("bin").id));
        }
    }
}

#[test]
fn a_lid_first_seen_from_the_side_without_its_handle_turns_to_its_handle() {
    let mut rig = Rig::new(1.0);
    let mut without_handle = bin(0.0);
    without_handle.retain(|b| b.class != "handle");
    rig.look(&without_handle, [1.3, 1.1, 1.35], [1.2, 0.0, 0.5], 4);
    for angle in [0.0, 0.6, 1.4] {
        rig.look(&bin(angle), [0.2, 0.3, 1.35], [1.2, 0.0, 0.5], 6);
        let state = rig.object("bin_lid").articulation.unwrap();
        assert!(state.axis.y > 0.95, "at {angle}: {state:?}");
        assert!((state.pivot.x - 1.36).abs() < 0.04, "at {angle}: {state:?}");
        let q = state.position.unwrap();
        assert!((q - angle).abs() < 10f64.to_radians(), "{q} instead of {angle}");
    }
}

#[test]
fn the_direction_of_a_lid_first_seen_askew_gets_better() {
    let mut rig = Rig::new(1.0);
    let (from, at) = ([0.2, 0.3, 1.35], [1.2, 0.0, 0.5]);
    let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), 15f64.to_radians());
    let middle = Vector3::new(1.2, 0.0, 0.0);
    let mut askew = bin(0.0);
    for block in &mut askew {
        if block.class == "bin_lid" || block.class == "handle" {
            block.pose = Pose3::from_parts((middle - turn * middle).into(), turn) * block.pose;
        }
    }
    rig.look(&askew, from, at, 1);
    rig.look(&bin(0.0), from, at, 12);
    let state = rig.object("bin_lid").articulation.unwrap();
    // At 15 degrees off it would be 0.966, and the hand that leads the lid up 10 cm beside its handle.
    assert!(state.axis.y > 0.996, "{state:?}");
}

#[test]
fn a_closed_fridge_seen_from_the_front_is_expected_behind_its_door() {
    let mut rig = Rig::new(1.0);
    let mut blocks = room();
    blocks.extend(
        fridge(0.0)
            .into_iter()
            .filter(|b| b.class == "fridge_door" || b.class == "handle"),
    );
    rig.look(&blocks, [0.0, 0.0, 1.35], [1.6, 0.0, 0.9], 5);
    let fridge = rig.object("fridge");
    assert_eq!(fridge.provenance, Provenance::Expected);
    assert_eq!(
        rig.object("fridge_door").articulation.unwrap().owner,
        Some(fridge.id)
    );
    assert!(fridge.shape.contains(&Point3::new(1.7, 0.0, 0.9), 0.0));
}

#[test]
fn the_graph_of_a_small_scene() {
    let mut rig = Rig::new(0.0);
    let mut blocks = fridge(1.6);
    blocks.push(block("apple", 10, [1.7, 0.0, 0.44], [0.08, 0.08, 0.08], 0.0));
    blocks.extend(table("desk", 11, 1.5, 1.3, 0.0));
    blocks.push(block("mug", 12, [1.4, 1.2, 0.80], [0.08, 0.08, 0.10], 0.0));
    rig.look(&blocks, [0.3, 0.4, 1.35], [1.6, 0.2, 0.7], 5);
    rig.look(&blocks, [0.3, 0.8, 1.35], [1.5, 1.2, 0.7], 5);
    let objects = rig.memory.objects();
    let name = |id| {
        let o = objects.iter().find(|o| o.id == id).unwrap();
        format!("{} {}", o.class, o.id)
    };
    let mut lines: Vec<String> = relations(&objects, &[], &RelationsConfig::default())
        .iter()
        .filter(|r| r.kind != RelationKind::Near)
        .map(|r| format!("{} {} {}", name(r.subject), r.kind, name(r.object)))
        .collect();
    for o in &objects {
        let c = o.shape.center.map(|x| (x * 10.0).round() / 10.0 + 0.0);
        // Rounded so that the last bits do not matter.
        lines.push(format!(
            "{} at {:.1} {:.1} {:.1}, {:?}",
            name(o.id),
            c.x,
            c.y,
            c.z,
            o.presence
        ));
    }
    insta::assert_snapshot!(lines.join("\n"), @"
apple o3 in fridge o1
mug o5 on desk o4
fridge o1 at 1.8 0.0 0.7, Present
fridge_door o2 at 1.1 -0.3 0.9, Present
apple o3 at 1.7 0.0 0.4, Present
desk o4 at 1.5 1.3 0.4, Present
mug o5 at 1.4 1.2 0.8, Present
");
}

fn thing(id: u32, class: &str, center: [f64; 3], size: [f64; 3]) -> SceneObject {
    SceneObject {
        id: ObjectId(id),
        class: class.into(),
        shape: OrientedBox {
            center: Point3::from(center),
            yaw_rad: 0.0,
            half: Vector3::from(size) * 0.5,
        },
        presence: Presence::Present,
        provenance: Provenance::Observed,
        confidence: 1.0,
        first_seen: Time::ZERO,
        last_seen: Time::ZERO,
        articulation: None,
        surfaces: Vec::new(),
    }
}

#[test]
fn on_a_board_of_an_open_shelf_is_on_it_and_in_it() {
    let mut shelf = thing(1, "shelf", [0.0, 0.0, 0.56], [0.32, 1.0, 1.12]);
    shelf.surfaces = vec![SupportSurface {
        center: Point3::new(0.0, 0.0, 0.42),
        yaw_rad: 0.0,
        half_x_m: 0.15,
        half_y_m: 0.48,
        clearance_m: 0.34,
    }];
    let glass = thing(2, "glass", [0.0, 0.1, 0.48], [0.08, 0.08, 0.12]);
    let kinds = |objects: &[SceneObject]| -> Vec<RelationKind> {
        relations(objects, &[], &RelationsConfig::default())
            .iter()
            .map(|r| r.kind)
            .collect()
    };
    let found = kinds(&[shelf.clone(), glass.clone()]);
    assert_eq!(found, [RelationKind::On, RelationKind::In]);
    // The same board in a fridge, behind a door, is only in it.
    let mut door = thing(3, "fridge_door", [0.16, 0.0, 0.56], [0.02, 1.0, 1.12]);
    door.articulation = Some(ArticulationState {
        owner: Some(shelf.id),
        prismatic: false,
        pivot: Point3::new(0.16, 0.5, 0.56),
        axis: Vector3::z(),
        handle: None,
        position: Some(1.5),
        open_at: 1.2,
    });
    let found = kinds(&[shelf, glass, door]);
    assert!(
        found.contains(&RelationKind::In) && !found.contains(&RelationKind::On),
        "{found:?}"
    );
}

#[test]
fn what_lies_in_a_basin_lies_on_its_furniture() {
    let furniture = |class: &str| thing(1, class, [0.0, 0.0, 0.45], [1.2, 0.6, 0.9]);
    let kinds = |class: &str, z: f64| -> Vec<RelationKind> {
        let jar = thing(2, "jar", [0.3, 0.0, z], [0.08, 0.08, 0.1]);
        relations(&[furniture(class), jar], &[], &RelationsConfig::default())
            .iter()
            .map(|r| r.kind)
            .collect()
    };
    assert_eq!(kinds("sink", 0.78), [RelationKind::On]);
    assert_eq!(kinds("kitchen_sink", 0.78), [RelationKind::On]);
    // On the floor before it, and under a table.
    let both_ways = [RelationKind::Near, RelationKind::Near];
    assert_eq!(kinds("sink", 0.05), both_ways);
    assert_eq!(kinds("table", 0.78), both_ways);
}

#[test]
fn relations_follow_a_table() {
    let desk = || thing(1, "desk", [0.0, 0.0, 0.375], [1.2, 0.7, 0.75]);
    let basket = || thing(1, "basket", [0.0, 0.0, 0.15], [0.4, 0.4, 0.3]);
    let cup = |x: f64, z: f64| thing(2, "mug", [x, 0.0, z], [0.08, 0.08, 0.1]);
    // Owner, thing, relation of the thing to the owner.
    let table = [
        (desk(), cup(0.0, 0.80), Some(RelationKind::On)),
        (desk(), cup(0.0, 0.84), Some(RelationKind::On)),
        (desk(), cup(0.0, 0.76), Some(RelationKind::On)),
        (desk(), cup(0.0, 0.90), Some(RelationKind::Near)),
        (desk(), cup(0.59, 0.80), Some(RelationKind::On)),
        (desk(), cup(0.7, 0.80), Some(RelationKind::Near)),
        (desk(), cup(1.3, 0.80), None),
        (basket(), cup(0.0, 0.1), Some(RelationKind::In)),
        (basket(), cup(0.0, 0.35), Some(RelationKind::On)),
        (basket(), cup(0.5, 0.05), Some(RelationKind::Near)),
        // Under a desk is near, not in: a desk is no container.
        (desk(), cup(0.0, 0.05), Some(RelationKind::Near)),
    ];
    let config = RelationsConfig::default();
    for (owner, cup, expected) in table {
        let found = relations(&[owner.clone(), cup.clone()], &[], &config);
        let kind = found.iter().find(|r| r.subject == cup.id).map(|r| r.kind);
        assert_eq!(kind, expected, "{} and {:?}", owner.class, cup.shape.center);
        assert!(found.is_sorted());
    }
}

#[test]
fn a_relation_that_held_holds_on_a_little_longer() {
    let config = RelationsConfig::default();
    let desk = thing(1, "desk", [0.0, 0.0, 0.375], [1.2, 0.7, 0.75]);
    let lifted = thing(2, "mug", [0.0, 0.0, 0.865], [0.08, 0.08, 0.1]);
    let settled = thing(2, "mug", [0.0, 0.0, 0.80], [0.08, 0.08, 0.1]);
    let on = |found: &[steward_core::messages::Relation]| found.iter().any(|r| r.kind == RelationKind::On);
    assert!(!on(&relations(&[desk.clone(), lifted.clone()], &[], &config)));
    let before = relations(&[desk.clone(), settled], &[], &config);
    assert!(on(&relations(&[desk, lifted], &before, &config)));
}

#[test]
fn things_are_near_once_they_are_clearly_so() {
    let config = RelationsConfig::default();
    // Half a thing is 4 cm on both sides.
    let pair = |gap: f64| {
        let cup = |id, x| thing(id, "mug", [x, 0.0, 0.05], [0.08, 0.08, 0.1]);
        [cup(1, 0.0), cup(2, gap + 0.08)]
    };
    let is_near = |gap: f64, before: &[steward_core::messages::Relation]| {
        relations(&pair(gap), before, &config).len() == 2
    };
    let before = relations(&pair(0.40), &[], &config);
    assert_eq!(before.len(), 2);
    assert!(!is_near(0.47, &[]), "it may be farther in truth");
    assert!(is_near(0.47, &before));
    assert!(!is_near(0.52, &before));
}

#[test]
fn what_is_missing_or_held_relates_to_nothing() {
    let desk = thing(1, "desk", [0.0, 0.0, 0.375], [1.2, 0.7, 0.75]);
    for presence in [Presence::Missing, Presence::Held] {
        let mut cup = thing(2, "mug", [0.0, 0.0, 0.80], [0.08, 0.08, 0.1]);
        cup.presence = presence;
        assert!(relations(&[desk.clone(), cup], &[], &RelationsConfig::default()).is_empty());
    }
}

#[test]
fn a_board_of_glass_is_known_by_the_wall_behind_it() {
    const GLASS: u16 = 2;
    let wall = |center, size| block("fridge", 1, center, size, 0.0);
    let mut blocks = vec![
        wall([1.5, 0.0, 0.95], [0.04, 0.6, 1.1]),
        wall([1.25, 0.3, 0.95], [0.5, 0.04, 1.1]),
        wall([1.25, -0.3, 0.95], [0.5, 0.04, 1.1]),
        wall([1.25, 0.0, 0.4], [0.5, 0.6, 0.04]),
        wall([1.25, 0.0, 1.5], [0.5, 0.6, 0.04]),
    ];
    for top_m in [0.75, 1.1] {
        blocks.push(block(
            "glass",
            GLASS,
            [1.25, 0.0, top_m - 0.006],
            [0.44, 0.56, 0.012],
            0.0,
        ));
    }
    let mut rig = Rig::new(1.0);
    for frame in 0..8 {
        rig.stamp += Duration::from_millis(200);
        let pose = looking([0.1, 0.1 - 0.02 * f64::from(frame), 1.35], [1.3, 0.0, 0.85]);
        let mut frame = render(&blocks, &pose, rig.noise, u64::from(frame as u32) + 1);
        frame.detections.retain(|d| d.instance != GLASS);
        for (label, depth) in frame.labels.data_mut().iter_mut().zip(frame.depth.data_mut()) {
            if *label == GLASS {
                (*label, *depth) = (1, f32::NAN);
            }
        }
        let seen = rig.memory.observe(&observation(&frame, pose, rig.stamp));
        seen.unwrap();
    }
    let fridge = rig.object("fridge");
    let board = |at: f64| {
        let near = |s: &&SupportSurface| (s.height_m() - at).abs() < 0.02;
        *fridge
            .surfaces
            .iter()
            .find(near)
            .unwrap_or_else(|| panic!("none at {at}: {fridge:#?}"))
    };
    for at in [0.75, 1.1] {
        let surface = board(at);
        assert!((surface.center.x - 1.25).abs() < 0.08, "{surface:?}");
        assert!(surface.half_x_m.max(surface.half_y_m) < 0.34, "{surface:?}");
        assert!(surface.half_x_m.min(surface.half_y_m) > 0.12, "{surface:?}");
    }
    assert!((board(0.75).clearance_m - 0.33).abs() < 0.04);
}

#[test]
fn what_stands_on_a_thing_on_furniture_stands_on_that_thing_alone() {
    let bench = thing(1, "bench", [0.0, 0.0, 0.225], [1.0, 0.4, 0.45]);
    let book = thing(2, "book", [0.0, 0.0, 0.465], [0.2, 0.15, 0.03]);
    let mug = |z: f64| thing(3, "mug", [0.02, 0.0, z], [0.08, 0.08, 0.1]);
    let carriers = |z: f64| -> Vec<ObjectId> {
        relations(
            &[bench.clone(), book.clone(), mug(z)],
            &[],
            &RelationsConfig::default(),
        )
        .iter()
        .filter(|r| r.kind == RelationKind::On && r.subject == ObjectId(3))
        .map(|r| r.object)
        .collect()
    };
    assert_eq!(carriers(0.532), [ObjectId(2)]);
    // Beside it, in the box around it.
    assert_eq!(carriers(0.502), [ObjectId(1)]);
}
