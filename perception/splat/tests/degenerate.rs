//! Whatever the Gaussians, images and gradients stay finite.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use proptest::prelude::*;
use steward_splat::{Engine, Gaussian, GaussianMap, ImageGradients, RenderOptions, Renderer, Scope};

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -3.0f32..3.0, 1 => -1e6f32..1e6, 1 => Just(0.0), 1 => -1e-6f32..1e-6]
}

fn log_scale() -> impl Strategy<Value = f32> {
    prop_oneof![3 => -6.0f32..0.0, 1 => -40.0f32..-6.0, 1 => 0.0f32..12.0]
}

fn rotation() -> impl Strategy<Value = [f32; 4]> {
    let entry = || prop_oneof![3 => -1.0f32..1.0, 1 => Just(0.0), 1 => -1e-12f32..1e-12, 1 => -1e12f32..1e12];
    [entry(), entry(), entry(), entry()]
}

fn gaussian() -> impl Strategy<Value = Gaussian> {
    let logit = prop_oneof![3 => -6.0f32..6.0, 1 => -90.0f32..90.0];
    let color = prop_oneof![3 => -2.0f32..2.0, 1 => -1e4f32..1e4];
    (
        [coordinate(), coordinate(), coordinate()],
        [log_scale(), log_scale(), log_scale()],
        rotation(),
        logit,
        color,
    )
        .prop_map(|(mean, log_scale, rotation, opacity_logit, color)| Gaussian {
            mean,
            log_scale,
            rotation,
            opacity_logit,
            sh: [[color; 3]; 16],
            ..Gaussian::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_and_gradients_are_finite(
        gaussians in prop::collection::vec(gaussian(), 1..12),
        antialias in any::<bool>(),
    ) {
        let mut map = GaussianMap::new(3, 0).unwrap();
        for g in &gaussians {
            map.push(g).unwrap();
        }
        let view = common::camera(40, 30);
        let options = RenderOptions { antialias, normals: true, extras: true, ..RenderOptions::default() };
        let r = Renderer.forward(&map, &view, &options, Scope::default()).unwrap();
        prop_assert!(r.color.iter().all(|c| c.is_finite() && *c >= 0.0));
        prop_assert!(r.alpha.iter().all(|a| (0.0..=1.0).contains(a)));
        for (depth, alpha) in r.depth.iter().zip(&r.alpha) {
            prop_assert_eq!(depth.is_nan(), *alpha < steward_splat::render::MIN_DEPTH_ALPHA);
            prop_assert!(depth.is_nan() || *depth >= 0.0099);
        }
        let n = r.alpha.len();
        let gradients = ImageGradients {
            color: vec![0.01; 3 * n],
            alpha: Some(vec![-0.01; n]),
            depth: Some(vec![0.01; n]),
            normals: Some(vec![0.01; 3 * n]),
            absolute: true,
        };
        let g = Renderer.backward(&map, &r, &gradients, None).unwrap();
        prop_assert!(g.twist.iter().all(|x| x.is_finite()), "{:?}", g.twist);
        for chunk in &g.chunks {
            prop_assert!(chunk.means.iter().flatten().all(|x| x.is_finite()), "{:?}", chunk.means);
            prop_assert!(chunk.log_scales.iter().flatten().all(|x| x.is_finite()), "{:?}", chunk.log_scales);
            prop_assert!(chunk.rotations.iter().flatten().all(|x| x.is_finite()), "{:?}", chunk.rotations);
            prop_assert!(chunk.opacity_logits.iter().all(|x| x.is_finite()), "{:?}", chunk.opacity_logits);
            prop_assert!(chunk.sh.iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn an_empty_map_shows_the_background() {
    let map = GaussianMap::new(0, 0).unwrap();
    let options = RenderOptions {
        background: [0.1, 0.2, 0.3],
        ..RenderOptions::default()
    };
    let r = Renderer
        .forward(&map, &common::camera(33, 17), &options, Scope::default())
        .unwrap();
    let n = 33 * 17;
    assert!((0..3 * n).all(|i| r.color[i] == options.background[i / n]));
    assert!(r.alpha.iter().all(|&a| a == 0.0) && r.depth.iter().all(|d| d.is_nan()));
}
