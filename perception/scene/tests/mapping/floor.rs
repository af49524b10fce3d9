//! The occupancy grid against the truth.

use steward_core::Time;
use steward_core::geometry::Pose2;
use steward_core::messages::{CellState, OccupancyGrid};
use steward_scene::occupancy::{OccupancyConfig, OccupancyMap, ScanConfig, Scanner};

use crate::world::{Noise, World, base_from_camera, block, camera};

const TILT: f64 = 0.4;

struct Rig {
    scanner: Scanner,
    map: OccupancyMap,
    noise: Noise,
    sigma: f64,
}

impl Rig {
    fn new(sigma: f64) -> Self {
        Rig {
            scanner: Scanner::new(ScanConfig::default()).unwrap(),
            map: OccupancyMap::new(OccupancyConfig::default()).unwrap(),
            noise: Noise(1),
            sigma,
        }
    }

    fn look(&mut self, world: &World, pose: Pose2) {
        let camera = camera(320, 240);
        let mount = base_from_camera(0.0, TILT);
        let depth = world.depth(&camera, &(pose.to_pose3() * mount), self.sigma, &mut self.noise);
        let mask = vec![false; depth.data().len()];
        let scan = self
            .scanner
            .scan(&depth, &camera, Some(&mask), &mount, &[])
            .unwrap();
        self.map.integrate(&scan, &pose, Time::ZERO).unwrap();
    }

    fn spin(&mut self, world: &World, x: f64, y: f64) {
        for k in 0..12 {
            self.look(world, Pose2::new(x, y, k as f64 * std::f64::consts::TAU / 12.0));
        }
    }
}

fn state_at(grid: &OccupancyGrid, x: f64, y: f64) -> CellState {
    grid.cell_of(x, y)
        .map_or(CellState::Unknown, |(c, r)| grid.state(c, r))
}

fn occupied_within(grid: &OccupancyGrid, x: [f64; 2], y: [f64; 2]) -> usize {
    (0..grid.height)
        .flat_map(|r| (0..grid.width).map(move |c| (c, r)))
        .filter(|&(c, r)| {
            let (px, py) = grid.center_of(c, r);
            grid.state(c, r) == CellState::Occupied && px > x[0] && px < x[1] && py > y[0] && py < y[1]
        })
        .count()
}

/// The standard deviation of depth at 1 m that structured-light cameras have (Khoshelham, Elberink 2012).
const SIGMA: f64 = 0.0015;

#[test]
fn the_grid_agrees_with_the_apartment() {
    let world = World::apartment();
    let mut rig = Rig::new(SIGMA);
    for (x, y) in [(0.0, 0.0), (1.5, 0.0), (3.0, 0.0), (4.5, 0.0), (5.5, -0.8)] {
        rig.spin(&world, x, y);
    }
    let grid = rig.map.to_message();
    let (mut wrong_free, mut wrong_occupied, mut known, mut floor) = (0, 0, 0, 0);
    for r in 0..grid.height {
        for c in 0..grid.width {
            let (x, y) = grid.center_of(c, r);
            let inside = x > -1.0 && x < 7.1 && y > -2.5 && y < 2.5;
            if !inside {
                continue;
            }
            match grid.state(c, r) {
                // A cell may be cut by a box; its centre must then be near.
                CellState::Occupied if !world.is_blocked(x, y, 0.10) => wrong_occupied += 1,
                CellState::Free if world.is_blocked(x, y, -0.04) => wrong_free += 1,
                _ => {}
            }
            if !world.is_blocked(x, y, 0.1) {
                floor += 1;
                known += u32::from(grid.state(c, r) == CellState::Free);
            }
        }
    }
    println!("wrong free {wrong_free}, wrong occupied {wrong_occupied}, known {known} of {floor}");
    assert_eq!(wrong_free, 0);
    assert_eq!(wrong_occupied, 0);
    assert!(known as f64 > 0.93 * floor as f64, "{known} of {floor}");
    // The far wall of the second room, the sofa's front, and the table top that stands on thin legs.
    assert!(occupied_within(&grid, [7.05, 7.2], [-2.0, 0.8]) > 50);
    assert!(occupied_within(&grid, [-0.3, -0.15], [1.1, 2.4]) > 20);
    assert!(occupied_within(&grid, [0.7, 1.7], [1.55, 2.2]) as f64 > 0.8 * (20.0 * 13.0));
}

#[test]
fn low_things_on_the_floor_are_obstacles() {
    for distance in [1.3, 1.8, 2.3, 2.8] {
        let apple = block([distance, distance + 0.07], [-0.035, 0.035], [0.0, 0.07]);
        let shoe = block([distance, distance + 0.25], [0.4, 0.5], [0.0, 0.09]);
        let world = World::default()
            .room([-2.0, 5.0], [-2.0, 2.0])
            .with(apple)
            .with(shoe);
        let mut rig = Rig::new(SIGMA);
        for _ in 0..5 {
            rig.look(&world, Pose2::default());
        }
        let grid = rig.map.to_message();
        let found = occupied_within(&grid, [distance - 0.06, distance + 0.13], [-0.1, 0.1]);
        assert!(found >= 1, "apple at {distance} m: {found} cells");
        let found = occupied_within(&grid, [distance - 0.06, distance + 0.31], [0.34, 0.56]);
        assert!(found >= 2, "shoe at {distance} m: {found} cells");
        // The floor behind the low thing was seen over its top.
        assert_eq!(state_at(&grid, distance + 0.6, 0.0), CellState::Free);
    }
}

#[test]
fn noise_makes_no_phantoms_on_an_empty_floor() {
    let world = World::default().room([-2.0, 5.0], [-2.5, 2.5]);
    // Twice the usual noise, too.
    for sigma in [SIGMA, 2.0 * SIGMA] {
        let mut rig = Rig::new(sigma);
        let mut phantoms = 0;
        for k in 0..40 {
            rig.look(&world, Pose2::new(0.02 * k as f64, 0.0, 0.01 * k as f64));
            phantoms += occupied_within(&rig.map.to_message(), [-1.8, 4.8], [-2.3, 2.3]);
        }
        assert_eq!(
            phantoms, 0,
            "cells occupied on empty floor, summed over 40 images"
        );
    }
}

#[test]
fn what_goes_away_is_forgotten_within_a_second_or_so() {
    let empty = World::default().room([-2.0, 5.0], [-2.0, 2.0]);
    let person = empty.clone().with(block([2.0, 2.3], [-0.2, 0.2], [0.0, 1.7]));
    let mut rig = Rig::new(SIGMA);
    for _ in 0..30 {
        rig.look(&person, Pose2::default());
    }
    assert!(occupied_within(&rig.map.to_message(), [1.9, 2.4], [-0.3, 0.3]) >= 8);
    for _ in 0..6 {
        rig.look(&empty, Pose2::default());
    }
    assert_eq!(occupied_within(&rig.map.to_message(), [1.9, 2.4], [-0.3, 0.3]), 0);
    for _ in 0..2 {
        rig.look(&person, Pose2::default());
    }
    rig.look(&person, Pose2::default());
    assert!(occupied_within(&rig.map.to_message(), [1.9, 2.4], [-0.3, 0.3]) >= 4);
}

#[test]
fn floor_below_a_table_is_no_place_to_drive() {
    let table = block([1.5, 2.5], [-0.6, 0.6], [0.7, 0.74]);
    let world = World::default().room([-2.0, 5.0], [-2.0, 2.0]).with(table);
    let mut rig = Rig::new(SIGMA);
    for k in 0..10 {
        rig.look(&world, Pose2::new(-1.0 + 0.1 * k as f64, 0.0, 0.0));
    }
    let grid = rig.map.to_message();
    for k in 0..9 {
        let x = 1.56 + 0.1 * k as f64;
        assert_ne!(state_at(&grid, x, 0.0), CellState::Free, "at {x}");
    }
}

#[test]
fn missing_depth_says_nothing() {
    let camera = camera(320, 240);
    let mut rig = Rig::new(0.0);
    let depth = steward_core::image::DepthImage::new(320, 240, vec![f32::NAN; 320 * 240]).unwrap();
    let mount = base_from_camera(0.0, TILT);
    let scan = rig.scanner.scan(&depth, &camera, None, &mount, &[]).unwrap();
    assert!(scan.obstacles_m.is_empty() && scan.free_m.is_empty() && scan.structure.is_empty());
    assert_eq!(scan.pixels.missing, 320 * 240 / 2);
}

/// Not a limit, a measurement: `cargo test -p steward-scene --test mapping -- --ignored --nocapture time`.
#[test]
#[ignore = "measures time"]
fn time_per_image() {
    let world = World::apartment();
    let camera = camera(320, 240);
    let mount = base_from_camera(0.0, TILT);
    let depth = world.depth(&camera, &mount, SIGMA, &mut Noise(1));
    let mask = vec![false; depth.data().len()];
    let mut scanner = Scanner::new(ScanConfig::default()).unwrap();
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let start = std::time::Instant::now();
    for _ in 0..100 {
        let scan = scanner.scan(&depth, &camera, Some(&mask), &mount, &[]).unwrap();
        map.integrate(&scan, &Pose2::default(), Time::ZERO).unwrap();
    }
    println!(
        "scan and grid: {:.2} ms per image",
        start.elapsed().as_secs_f64() * 10.0
    );
}
