//! Fits of a small analytic room.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use nalgebra as na;
use steward_core::geometry::Pose3;
use steward_core::time::{Duration, Time};
use steward_splat::fit::{Densify, Loss};
use steward_splat::synthetic::{RoomConfig, room};
use steward_splat::{Budget, Engine, Event, Fit, FitConfig, GaussianMap, Keyframe, Renderer, Scope};

fn keyframes(count: usize) -> Vec<Keyframe> {
    let config = RoomConfig {
        frames: count,
        width: 96,
        height: 72,
        rays_per_side: 2,
        ..RoomConfig::default()
    };
    let keyframe = |f: steward_splat::io::rgbd::PosedImage| Keyframe {
        stamp: f.stamp,
        view: f.view,
        color: f.color,
        depth: f.depth,
    };
    room(&config).unwrap().into_iter().map(keyframe).collect()
}

fn seeded(config: FitConfig, keyframes: &[Keyframe]) -> Fit {
    let mut fit = Fit::new(config, GaussianMap::new(1, 0).unwrap()).unwrap();
    for k in keyframes {
        let number = fit.add_keyframe(k.clone()).unwrap();
        fit.seed_from(number).unwrap();
    }
    fit
}

fn run(fit: &mut Fit, iterations: u64) -> Vec<Loss> {
    let mut losses = Vec::new();
    let mut listen = |event: &Event| {
        if let Event::Iteration { loss, .. } = event {
            losses.push(*loss);
        }
        true
    };
    fit.run(Budget::iterations(iterations), &mut || Time::ZERO, &mut listen)
        .unwrap();
    losses
}

fn psnr(fit: &Fit, number: usize) -> f64 {
    let view = fit.view(number).unwrap();
    let options = FitConfig::default().render;
    let mut r = Renderer
        .forward(fit.map(), &view, &options, Scope::default())
        .unwrap();
    fit.exposure(number).unwrap().apply(&mut r.color);
    let got = r.to_color_image().unwrap();
    let truth = &fit.keyframes()[number].color;
    let squares = got.data().as_flattened().iter().zip(truth.data().as_flattened());
    let mean: f64 = squares
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum::<f64>()
        / truth.data().as_flattened().len() as f64;
    10.0 * (255.0f64 * 255.0 / mean).log10()
}

#[test]
fn a_fit_improves_on_its_seeds_within_its_caps() {
    let frames = keyframes(6);
    for method in [
        FitConfig::default().densify.method,
        Densify::Mcmc {
            growth: 0.05,
            noise: 1e4,
        },
    ] {
        let mut config = FitConfig {
            max_gaussians: 4000,
            ..FitConfig::default()
        };
        config.densify.method = method;
        config.densify.every = 50;
        let mut fit = seeded(config, &frames);
        let before = psnr(&fit, 2);
        run(&mut fit, 250);
        let after = psnr(&fit, 2);
        assert!(
            after > before + 3.0,
            "{method:?}: {before:.1} dB became {after:.1} dB"
        );
        assert!(fit.map().len() <= 4000);
        fit.map().validate().unwrap();
    }
}

#[test]
fn memory_is_capped_while_frames_keep_coming() {
    let config = FitConfig {
        max_bytes: 500_000,
        max_overlap: 1.0,
        ..FitConfig::default()
    };
    let mut fit = Fit::new(config, GaussianMap::new(3, 0).unwrap()).unwrap();
    for k in keyframes(8) {
        fit.observe(k).unwrap();
        run(&mut fit, 3);
        assert!(fit.map().len() <= fit.cap());
    }
    assert_eq!(fit.keyframes().len(), 8);
    assert!(fit.cap() > 500 && fit.cap() < 1000);
}

#[test]
fn a_frame_seen_before_is_no_keyframe() {
    let frames = keyframes(2);
    let mut fit = Fit::new(FitConfig::default(), GaussianMap::new(0, 0).unwrap()).unwrap();
    let first = fit.observe(frames[0].clone()).unwrap();
    assert!(first.keyframe == Some(0) && first.seeded > 300);
    let again = fit.observe(frames[0].clone()).unwrap();
    assert_eq!(again.keyframe, None);
    assert!(
        again.seeded < first.seeded / 10,
        "{} of {} seeded again",
        again.seeded,
        first.seeded
    );
}

#[test]
fn what_is_frozen_stays() {
    let frames = keyframes(4);
    let mut fit = seeded(FitConfig::default(), &frames);
    let before = fit.map().clone();
    let mut x: Vec<f32> = before.means().iter().map(|m| m[0]).collect();
    x.sort_by(f32::total_cmp);
    let free = before.select(|i| before.means()[i][0] > x[before.len() * 3 / 4]);
    fit.set_free(Some(free.clone())).unwrap();
    run(&mut fit, 30);
    let after = fit.map();
    let mut moved = 0;
    for i in 0..before.len() {
        let Some(now) = after.index_of(before.ids()[i]) else {
            assert!(free.contains(i));
            continue;
        };
        let same = after.get(now) == before.get(i);
        assert!(same || free.contains(i));
        moved += usize::from(!same);
    }
    assert!(moved > free.count() / 2);
}

#[test]
fn an_interrupted_fit_goes_on_as_if_nothing_had_happened() {
    let frames = keyframes(4);
    let mut config = FitConfig::default();
    config.densify.every = 15;
    let mut whole = seeded(config, &frames);
    run(&mut whole, 20);
    let mut saved = Vec::new();
    whole.save(&mut saved).unwrap();
    let mut resumed = Fit::resume(&mut &saved[..], frames.clone()).unwrap();
    run(&mut whole, 20);
    run(&mut resumed, 20);
    let bytes = |fit: &Fit| {
        let mut bytes = Vec::new();
        fit.save(&mut bytes).unwrap();
        bytes
    };
    assert!(bytes(&whole) == bytes(&resumed));

    assert!(Fit::resume(&mut &saved[..saved.len() / 2], frames.clone()).is_err());
    assert!(Fit::resume(&mut &saved[..], frames[..3].to_vec()).is_err());
    assert!(Fit::resume(&mut &b"STWFIT01\xff\xff\xff\xff\xff\xff\xff\x7f"[..], frames).is_err());
}

#[test]
fn a_wrong_pose_is_found_again() {
    let mut frames = keyframes(6);
    let truth = frames[3].view.world_from_camera;
    let config = FitConfig {
        position_rate_m: 0.0,
        orientation_rate_rad: 0.0,
        ..FitConfig::default()
    };
    let mut fit = seeded(config, &frames);
    run(&mut fit, 250);
    // The finished map, frozen, and one frame that is 3 cm and a degree off.
    let nudge = Pose3::new(
        na::Vector3::new(0.02, -0.01, 0.02),
        na::Vector3::new(0.005, 0.015, -0.008),
    );
    frames[3].view.world_from_camera = truth * nudge;
    let config = FitConfig {
        position_rate_m: 1e-3,
        orientation_rate_rad: 1e-3,
        coarse_visits: 0,
        ..config
    };
    let map = fit.into_map();
    let mut fit = Fit::new(config, map.clone()).unwrap();
    fit.add_keyframe(frames[3].clone()).unwrap();
    fit.set_free(Some(map.select(|_| false))).unwrap();
    let error =
        |fit: &Fit| (fit.view(0).unwrap().center() - na::Point3::from(truth.translation.vector)).norm();
    assert!(error(&fit) > 0.025);
    run(&mut fit, 200);
    // A pixel is 3 cm wide at the distance of the walls.
    assert!(error(&fit) < 0.008, "still {:.1} mm off", error(&fit) * 1e3);
    assert_eq!(fit.map().means(), map.means());
}

#[test]
fn a_budget_of_time_ends_by_the_clock() {
    let frames = keyframes(2);
    let mut fit = seeded(FitConfig::default(), &frames);
    let mut now = 0;
    let mut clock = || {
        now += 1;
        Time::from_nanos(now * 10_000_000)
    };
    let summary = fit
        .run(Budget::time(Duration::from_millis(95)), &mut clock, &mut |_| true)
        .unwrap();
    assert_eq!(summary.iterations, 9);
    assert!(
        fit.run(Budget::default(), &mut || Time::ZERO, &mut |_| true)
            .is_err()
    );
}
