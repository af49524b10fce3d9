//! One thread or many, the same bytes: forward, backward, and after 100 iterations.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use steward_core::time::Time;
use steward_splat::synthetic::{RoomConfig, room};
use steward_splat::{
    Budget, Engine, Fit, FitConfig, GaussianMap, Gradients, ImageGradients, Keyframe, RenderOptions,
    Renderer, Rendering, Scope,
};

fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(f)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn forward_and_backward_do_not_depend_on_threads() {
    // More than one chunk of the map and several bands.
    let (map, view) = (common::scene(9000, 1, 3), common::camera(150, 110));
    let run = |threads| -> (Rendering, Gradients) {
        with_threads(threads, || {
            let options = RenderOptions {
                normals: true,
                extras: true,
                ..RenderOptions::default()
            };
            let r = Renderer.forward(&map, &view, &options, Scope::default()).unwrap();
            let gradients = ImageGradients {
                color: r.color.iter().map(|c| c - 0.4).collect(),
                depth: Some(vec![0.1; r.alpha.len()]),
                absolute: true,
                ..ImageGradients::default()
            };
            let g = Renderer.backward(&map, &r, &gradients, None).unwrap();
            (r, g)
        })
    };
    let (r1, g1) = run(1);
    assert!(r1.visible() > 5000);
    for threads in [2, 8] {
        let (r, g) = run(threads);
        assert_eq!(bits(&r1.color), bits(&r.color));
        assert_eq!(bits(&r1.depth), bits(&r.depth));
        assert_eq!(
            bits(r1.median_depth.as_ref().unwrap()),
            bits(r.median_depth.as_ref().unwrap())
        );
        assert_eq!(g1.twist.map(f64::to_bits), g.twist.map(f64::to_bits));
        for (a, b) in g1.chunks.iter().zip(&g.chunks) {
            assert_eq!(a.indices, b.indices);
            assert_eq!(bits(a.means.as_flattened()), bits(b.means.as_flattened()));
            assert_eq!(
                bits(a.center_abs.as_flattened()),
                bits(b.center_abs.as_flattened())
            );
            assert_eq!(bits(&a.sh), bits(&b.sh));
        }
    }
}

#[test]
fn a_hundred_iterations_do_not_depend_on_threads() {
    let frames = room(&RoomConfig {
        frames: 6,
        width: 96,
        height: 72,
        rays_per_side: 1,
        ..RoomConfig::default()
    })
    .unwrap();
    let run = |threads| {
        with_threads(threads, || {
            let mut config = FitConfig::default();
            config.densify.every = 40;
            let mut fit = Fit::new(config, GaussianMap::new(2, 0).unwrap()).unwrap();
            for f in &frames {
                let keyframe = Keyframe {
                    stamp: f.stamp,
                    view: f.view,
                    color: f.color.clone(),
                    depth: f.depth.clone(),
                };
                let number = fit.add_keyframe(keyframe).unwrap();
                fit.seed_from(number).unwrap();
            }
            fit.run(Budget::iterations(100), &mut || Time::ZERO, &mut |_| true)
                .unwrap();
            let mut bytes = Vec::new();
            fit.save(&mut bytes).unwrap();
            bytes
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(8));
}
