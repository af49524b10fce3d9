//! Damaged and absurd input: a clear error or no effect, never a panic.

use proptest::prelude::*;
use steward_core::Time;
use steward_core::geometry::{Pose2, Pose3, Vector3};
use steward_core::image::DepthImage;
use steward_scene::Error;
use steward_scene::localization::{LocalizationConfig, Localizer};
use steward_scene::obstacles::{DepthView, ObstacleConfig, ObstacleMap};
use steward_scene::occupancy::{OccupancyConfig, OccupancyMap, Scan, ScanConfig, Scanner};

use crate::world::{base_from_camera, camera};

#[test]
fn settings_are_checked_and_named() {
    let refused = |e: Result<(), Error>, name: &str| {
        let text = e.unwrap_err().to_string();
        assert!(text.contains(name), "{text}");
    };
    refused(
        ScanConfig {
            column_step: 0,
            ..ScanConfig::default()
        }
        .validate(),
        "scan.column_step",
    );
    refused(
        OccupancyConfig {
            cell_m: f64::NAN,
            ..OccupancyConfig::default()
        }
        .validate(),
        "occupancy.cell_m",
    );
    refused(
        LocalizationConfig {
            min_inlier_share: 1.5,
            ..LocalizationConfig::default()
        }
        .validate(),
        "localization.min_inlier_share",
    );
    refused(
        ObstacleConfig {
            reach_m: 1e9,
            ..ObstacleConfig::default()
        }
        .validate(),
        "obstacles.reach_m",
    );
    for ok in [
        ScanConfig::default().validate(),
        OccupancyConfig::default().validate(),
        LocalizationConfig::default().validate(),
        ObstacleConfig::default().validate(),
    ] {
        ok.unwrap();
    }
}

#[test]
fn masks_and_cameras_must_fit() {
    let camera = camera(8, 6);
    let depth = DepthImage::new(8, 6, vec![1.0; 48]).unwrap();
    let mut scanner = Scanner::new(ScanConfig::default()).unwrap();
    let mount = base_from_camera(0.0, 0.3);
    let mask = [false; 7];
    assert!(scanner.scan(&depth, &camera, Some(&mask), &mount, &[]).is_err());
    let other = crate::world::camera(9, 6);
    assert!(scanner.scan(&depth, &other, None, &mount, &[]).is_err());
    let nowhere = Pose3::translation(f64::NAN, 0.0, 1.0);
    assert!(scanner.scan(&depth, &camera, None, &nowhere, &[]).is_err());
    let sky = Pose3::translation(0.0, 0.0, 40.0);
    assert!(scanner.scan(&depth, &camera, None, &sky, &[]).is_err());
}

#[test]
fn the_grid_never_grows_beyond_its_largest_side() {
    let mut map = OccupancyMap::new(OccupancyConfig {
        max_side_m: 10.0,
        ..OccupancyConfig::default()
    })
    .unwrap();
    let scan = Scan {
        obstacles_m: vec![[1.0, 0.0], [0.0, 1.0]],
        ..Scan::default()
    };
    for k in 0..40 {
        let pose = Pose2::new(k as f64 - 20.0, 0.0, 0.3);
        let far = pose.x_m.abs() > 10.0;
        assert_eq!(map.integrate(&scan, &pose, Time::ZERO).is_err(), far);
    }
    let grid = map.to_message();
    assert!(grid.width as f64 * 0.05 <= 13.0 && grid.height as f64 * 0.05 <= 13.0);
    assert!(map.outside() > 0);
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-1e300),
        Just(1e18),
        -30.0..30.0f64,
        -1e6..1e6f64,
    ]
}

fn any_depth() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(0.0f32),
        Just(-1.0f32),
        Just(f32::MAX),
        Just(f32::MIN_POSITIVE),
        0.1..6.0f32,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(
        depths in prop::collection::vec(any_depth(), 16 * 12),
        poses in prop::collection::vec((any_number(), any_number(), any_number()), 1..6),
        mount in (any_number(), 0.2..2.0f64, any_number(), any_number()),
        masked in any::<bool>(),
        omega in any_number(),
    ) {
        let camera = camera(16, 12);
        let depth = DepthImage::new(16, 12, depths).unwrap();
        let mask = [false; 16 * 12];
        let robot_pixels = masked.then_some(&mask[..]);
        let tilted = Pose3::new(
            Vector3::new(0.0, 0.0, mount.1),
            Vector3::new(mount.2, mount.3, mount.0),
        );
        let mut scanner = Scanner::new(ScanConfig { min_points: 1, ..ScanConfig::default() }).unwrap();
        let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
        let mut localizer = Localizer::new(LocalizationConfig { min_matches: 1, ..LocalizationConfig::default() }).unwrap();
        let mut voxels = ObstacleMap::new(ObstacleConfig::default()).unwrap();
        for base_from_camera in [tilted, base_from_camera(0.2, 0.5)] {
            for (x, y, yaw) in &poses {
                let pose = Pose2::new(*x, *y, *yaw);
                if let Ok(scan) = scanner.scan(&depth, &camera, robot_pixels, &base_from_camera, &[]) {
                    let _ = localizer.update(&scan, &pose, omega);
                    let _ = map.integrate(&scan, &localizer.map_from_base(&pose), Time::ZERO);
                    let m = localizer.map_from_odom();
                    prop_assert!(m.x_m.is_finite() && m.y_m.is_finite() && m.yaw_rad.is_finite());
                }
                let view = DepthView { depth: &depth, camera: &camera, robot_pixels, base_from_camera: &base_from_camera, excluded: &[] };
                let _ = voxels.integrate(&view, &pose, Time::ZERO);
            }
        }
        let grid = map.to_message();
        prop_assert_eq!(grid.cells.len(), grid.width as usize * grid.height as usize);
        prop_assert!(voxels.to_message().points.iter().all(|p| p.coords.iter().all(|x| x.is_finite())));
    }
}
