//! Localisation against the truth.

use steward_core::geometry::{Pose2, wrap_angle_rad};
use steward_scene::localization::{LocalizationConfig, Localizer, MatchOutcome};
use steward_scene::occupancy::{ScanConfig, Scanner};

use crate::world::{Noise, World, base_from_camera, block, camera, drive, odometry};

/// Largest errors of position (m) and heading (rad) over a drive, the final ones, and the outcomes.
struct Errors {
    worst: (f64, f64),
    last: (f64, f64),
    contradicted: usize,
    corrected: usize,
}

fn track(world: &World, truth: &[Pose2], odom: &[Pose2], sigma: f64, enabled: bool) -> Errors {
    let camera = camera(160, 120);
    let mount = base_from_camera(0.0, 0.4);
    let scan_config = ScanConfig {
        column_step: 1,
        ..ScanConfig::default()
    };
    let mut scanner = Scanner::new(scan_config).unwrap();
    let mut localizer = Localizer::new(LocalizationConfig {
        enabled,
        ..LocalizationConfig::default()
    })
    .unwrap();
    let mut noise = Noise(3);
    let mut errors = Errors {
        worst: (0.0, 0.0),
        last: (0.0, 0.0),
        contradicted: 0,
        corrected: 0,
    };
    let start = truth[0];
    for (i, (t, o)) in truth.iter().zip(odom).enumerate() {
        let depth = world.depth(&camera, &(t.to_pose3() * mount), sigma, &mut noise);
        let mask = vec![false; depth.data().len()];
        let scan = scanner.scan(&depth, &camera, Some(&mask), &mount, &[]).unwrap();
        let turned = if i == 0 {
            0.0
        } else {
            wrap_angle_rad(t.yaw_rad - truth[i - 1].yaw_rad)
        };
        match localizer.update(&scan, o, turned * 5.0).unwrap() {
            MatchOutcome::Contradicted => errors.contradicted += 1,
            MatchOutcome::Corrected | MatchOutcome::Recovered => errors.corrected += 1,
            MatchOutcome::Unmatched => {}
        }
        let found = localizer.map_from_base(o);
        // The drives start with heading 0, so truth and map differ by a shift.
        let position = (found.x_m - (t.x_m - start.x_m)).hypot(found.y_m - (t.y_m - start.y_m));
        let heading = wrap_angle_rad(found.yaw_rad - t.yaw_rad).abs();
        errors.last = (position, heading);
        errors.worst = (errors.worst.0.max(position), errors.worst.1.max(heading));
    }
    println!(
        "{} images, worst {:.3} m {:.2} deg, last {:.3} m {:.2} deg, corrected {}, contradicted {}",
        truth.len(),
        errors.worst.0,
        errors.worst.1.to_degrees(),
        errors.last.0,
        errors.last.1.to_degrees(),
        errors.corrected,
        errors.contradicted
    );
    errors
}

/// A round through both rooms of the apartment, 15.6 m long.
const ROUND: [[f64; 2]; 9] = [
    [0.0, 0.0],
    [2.3, 0.0],
    [4.0, 0.0],
    [6.0, -0.8],
    [6.0, 0.2],
    [4.0, 0.0],
    [2.4, 0.0],
    [0.2, -1.5],
    [0.0, 0.0],
];

fn rounds(n: usize) -> Vec<[f64; 2]> {
    let mut path = ROUND.to_vec();
    for _ in 1..n {
        path.extend_from_slice(&ROUND[1..]);
    }
    path
}

#[test]
fn perfect_wheels_are_left_alone() {
    let truth = drive(&rounds(2));
    let odom: Vec<Pose2> = odometry(&truth, 1.0, 1.0, 0.0, &mut Noise(0))
        .into_iter()
        .zip(&truth)
        .map(|(_, t)| *t)
        .collect();
    let e = track(&World::apartment(), &truth, &odom, 0.0, true);
    assert!(e.worst.0 < 0.01, "{:.4} m", e.worst.0);
    assert!(e.worst.1 < 0.3f64.to_radians());
    assert_eq!(e.contradicted, 0);
    let e = track(&World::apartment(), &truth, &odom, 0.0015, true);
    assert!(e.worst.0 < 0.02, "{:.4} m", e.worst.0);
}

#[test]
fn drift_is_corrected_over_sixty_metres() {
    let truth = drive(&rounds(4));
    for (seed, scale, turn_scale, bias) in [
        (1, 1.01, 1.01, 0.005),
        (2, 0.99, 0.99, -0.005),
        (3, 1.01, 0.99, 0.003),
    ] {
        let odom = odometry(&truth, scale, turn_scale, bias, &mut Noise(seed));
        let lost = track(&World::apartment(), &truth[..2], &odom[..2], 0.0, false);
        assert_eq!(lost.corrected, 0);
        let uncorrected = odom
            .last()
            .zip(truth.last())
            .map(|(o, t)| (o.x_m - t.x_m).hypot(o.y_m - t.y_m));
        println!("uncorrected at the end: {uncorrected:?}");
        let e = track(&World::apartment(), &truth, &odom, 0.0015, true);
        assert!(e.worst.0 < 0.10, "{:.3} m", e.worst.0);
        assert!(e.worst.1 < 3f64.to_radians(), "{:.2} deg", e.worst.1.to_degrees());
    }
}

#[test]
fn a_single_wall_corrects_distance_and_heading_only() {
    // An endless wall to the left; the robot drives along it and sees nothing else.
    let world = World::default().with(block([-50.0, 50.0], [1.0, 1.1], [0.0, 2.5]));
    let camera = camera(160, 120);
    let mount = base_from_camera(0.9, 0.3);
    let mut scanner = Scanner::new(ScanConfig {
        column_step: 1,
        ..ScanConfig::default()
    })
    .unwrap();
    let mut localizer = Localizer::new(LocalizationConfig::default()).unwrap();
    let mut noise = Noise(5);
    let mut odom = Pose2::default();
    for k in 0..120 {
        let truth = Pose2::new(0.05 * k as f64, 0.0, 0.0);
        if k > 0 {
            odom.yaw_rad += 0.0006;
            odom.x_m += 0.0505 * odom.yaw_rad.cos();
            odom.y_m += 0.0505 * odom.yaw_rad.sin();
        }
        let depth = world.depth(&camera, &(truth.to_pose3() * mount), 0.0015, &mut noise);
        let mask = vec![false; depth.data().len()];
        let scan = scanner.scan(&depth, &camera, Some(&mask), &mount, &[]).unwrap();
        localizer.update(&scan, &odom, 0.0).unwrap();
        let found = localizer.map_from_base(&odom);
        assert!(found.y_m.abs() < 0.02, "step {k}: {} m off the line", found.y_m);
        assert!(found.yaw_rad.abs() < 0.02, "step {k}: {} rad", found.yaw_rad);
        // Along the wall there is nothing to go by: what the wheels say, not more.
        assert!(
            (found.x_m - 0.0505 * k as f64).abs() < 0.02,
            "step {k}: {} m along",
            found.x_m
        );
    }
    assert!(odom.y_m > 0.1, "the wheels alone are far off: {}", odom.y_m);
}

#[test]
#[ignore = "fails: the search does not find the pose back after a slip of 15 cm while little is known yet"]
fn a_kidnapped_robot_finds_back_or_keeps_the_map_clean() {
    let truth = drive(&ROUND[..4]);
    let mut odom = truth.clone();
    // The wheels slip by 15 cm on the way.
    let part = odom.len() / 4;
    for o in &mut odom[part..] {
        o.x_m -= 0.15;
    }
    let e = track(&World::apartment(), &truth, &odom, 0.0015, true);
    assert!(e.last.0 < 0.05, "{:.3} m", e.last.0);
}
