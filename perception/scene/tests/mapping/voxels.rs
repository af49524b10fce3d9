//! Obstacles for the arm against the truth.

use steward_core::Time;
use steward_core::geometry::{Point3, Pose2};
use steward_core::image::DepthImage;
use steward_scene::obstacles::{DepthView, ObstacleConfig, ObstacleMap};
use steward_scene::occupancy::ExcludedBall;

use crate::world::{Noise, World, base_from_camera, block, camera};

const TILT: f64 = 0.7;

fn table() -> World {
    World::default()
        .room([-2.0, 3.0], [-2.0, 2.0])
        .with(block([0.6, 1.4], [-0.5, 0.5], [0.68, 0.72]))
}

fn mug() -> steward_core::geometry::Aabb {
    block([0.85, 0.93], [-0.04, 0.04], [0.72, 0.82])
}

struct Rig {
    map: ObstacleMap,
    noise: Noise,
}

impl Rig {
    fn new() -> Self {
        Rig {
            map: ObstacleMap::new(ObstacleConfig::default()).unwrap(),
            noise: Noise(9),
        }
    }

    fn depth(&mut self, world: &World, pose: Pose2) -> DepthImage {
        let mount = base_from_camera(0.0, TILT);
        world.depth(
            &camera(320, 240),
            &(pose.to_pose3() * mount),
            0.0015,
            &mut self.noise,
        )
    }

    fn look(&mut self, world: &World, pose: Pose2, excluded: &[ExcludedBall]) {
        let depth = self.depth(world, pose);
        let mask = vec![false; depth.data().len()];
        self.enter(&depth, &mask, pose, excluded);
    }

    fn enter(&mut self, depth: &DepthImage, mask: &[bool], pose: Pose2, excluded: &[ExcludedBall]) {
        let view = DepthView {
            depth,
            camera: &camera(320, 240),
            robot_pixels: Some(mask),
            base_from_camera: &base_from_camera(0.0, TILT),
            excluded,
        };
        self.map.integrate(&view, &pose, Time::ZERO).unwrap();
    }

    fn count_in(&self, x: [f64; 2], y: [f64; 2], z: [f64; 2]) -> usize {
        let inside =
            |p: &&Point3| p.x > x[0] && p.x < x[1] && p.y > y[0] && p.y < y[1] && p.z > z[0] && p.z < z[1];
        self.map.to_message().points.iter().filter(inside).count()
    }
}

#[test]
fn a_table_and_a_mug_are_where_they_are() {
    let world = table().with(mug());
    let mut rig = Rig::new();
    for _ in 0..5 {
        rig.look(&world, Pose2::default(), &[]);
    }
    // 32 x 40 voxels of table top less what the mug hides, and nothing above it but the mug.
    let top = rig.count_in([0.6, 1.4], [-0.5, 0.5], [0.65, 0.75]);
    assert!((1000..=1400).contains(&top), "{top}");
    assert!(rig.count_in([0.8, 0.98], [-0.1, 0.1], [0.75, 0.86]) >= 3);
    let cloud = rig.map.to_message();
    for p in cloud.points.iter() {
        let near = world.boxes.iter().any(|b| b.inflated(0.06).contains(p));
        assert!(near, "{p} is near nothing");
        assert!(p.z > 0.02);
    }
    // A fixed order without repetition.
    let key = |p: &Point3| {
        (
            (p.y / 0.025).floor() as i64,
            (p.x / 0.025).floor() as i64,
            (p.z / 0.025).floor() as i64,
        )
    };
    assert!(cloud.points.windows(2).all(|w| key(&w[0]) < key(&w[1])));
}

#[test]
fn a_mug_that_is_taken_away_is_forgotten() {
    let mut rig = Rig::new();
    for _ in 0..10 {
        rig.look(&table().with(mug()), Pose2::default(), &[]);
    }
    assert!(rig.count_in([0.8, 0.98], [-0.1, 0.1], [0.76, 0.86]) >= 3);
    for _ in 0..4 {
        rig.look(&table(), Pose2::default(), &[]);
    }
    assert_eq!(rig.count_in([0.8, 0.98], [-0.1, 0.1], [0.76, 0.86]), 0);
}

#[test]
fn the_robot_and_what_it_holds_are_left_out() {
    let mut rig = Rig::new();
    let arm = block([0.2, 0.7], [-0.03, 0.03], [0.9, 0.96]);
    let held = block([0.7, 0.78], [-0.04, 0.04], [0.88, 0.98]);
    let world = table().with(arm).with(held);
    let depth = rig.depth(&world, Pose2::default());
    let without = {
        let w = table().with(held);
        rig.depth(&w, Pose2::default())
    };
    // Pixels that the arm changes by more than noise are the robot's.
    let mask: Vec<bool> = depth
        .data()
        .iter()
        .zip(without.data())
        .map(|(a, b)| a.is_nan() != b.is_nan() || (a - b).abs() > 0.03)
        .collect();
    let ball = ExcludedBall {
        center: Point3::new(0.74, 0.0, 0.93),
        radius_m: 0.12,
    };
    for _ in 0..3 {
        rig.enter(&depth, &mask, Pose2::default(), &[ball]);
    }
    assert_eq!(rig.count_in([0.1, 0.86], [-0.2, 0.2], [0.8, 1.2]), 0);
    assert!(rig.count_in([0.9, 1.4], [-0.5, 0.5], [0.65, 0.75]) > 50);
}

#[test]
fn voxels_follow_the_robot_and_are_bounded() {
    let world = World::default().room([-2.0, 30.0], [-1.0, 1.0]);
    let mut rig = Rig::new();
    for k in 0..40 {
        rig.look(&world, Pose2::new(0.5 * k as f64, 0.0, 0.0), &[]);
        let here = 0.5 * k as f64;
        let cloud = rig.map.to_message();
        assert!(cloud.points.iter().all(|p| (p.x - here).abs() < 2.1));
        assert!(cloud.points.len() < 10_000);
    }
    assert!(rig.count_in([19.0, 21.5], [0.9, 1.2], [0.0, 2.0]) > 100);
}

#[test]
fn taken_things_can_be_forgotten_at_once() {
    let mut rig = Rig::new();
    rig.look(&table().with(mug()), Pose2::default(), &[]);
    let center = Point3::new(0.89, 0.0, 0.79);
    rig.map.forget_ball(&center, 0.06);
    let left = |p: &Point3| (p - center).norm() <= 0.06;
    assert!(!rig.map.to_message().points.iter().any(left));
}
