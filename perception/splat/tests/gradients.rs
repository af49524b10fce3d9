//! Images and gradients against a renderer in double precision and its central differences.
#![allow(clippy::needless_range_loop, reason = "an index runs over several images")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::oracle::{self, Scene};
use rand::RngExt;
use steward_splat::{
    Engine, GaussianMap, Gradients, ImageGradients, RenderOptions, Renderer, Rendering, Scope, View,
};

const WIDTH: u32 = 44;
const HEIGHT: u32 = 35;

fn rendered(map: &GaussianMap, view: &View, antialias: bool) -> Rendering {
    let options = RenderOptions {
        antialias,
        normals: true,
        background: [0.3, 0.1, 0.7],
        ..RenderOptions::default()
    };
    Renderer.forward(map, view, &options, Scope::default()).unwrap()
}

/// Random weights of the loss: three colours, alpha, depth, three normals.
fn weights(pixels: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = common::random(seed);
    let scale = [1.0, 1.0, 1.0, 0.7, 0.2, 0.5, 0.5, 0.5];
    let plane = |s: f32, rng: &mut _| (0..pixels).map(|_| RngExt::random_range(rng, -s..s)).collect();
    // A constant part keeps sums from vanishing by chance.
    scale
        .iter()
        .map(|&s| {
            let mut plane: Vec<f32> = plane(s, &mut rng);
            plane.iter_mut().for_each(|w| *w += 0.5 * s);
            plane
        })
        .collect()
}

fn loss(planes: &oracle::Planes, w: &[Vec<f32>]) -> f64 {
    let background = [0.3, 0.1, 0.7];
    let mut sum = 0.0;
    for i in 0..planes[0].len() {
        let alpha = planes[3][i];
        for c in 0..3 {
            sum += f64::from(w[c][i]) * (planes[c][i] + (1.0 - alpha) * background[c]);
        }
        sum += f64::from(w[3][i]) * alpha;
        if alpha >= 0.01 {
            sum += f64::from(w[4][i]) * planes[4][i] / alpha;
        }
        for c in 5..8 {
            sum += f64::from(w[c][i]) * planes[c][i];
        }
    }
    sum
}

/// In the order of [`Scene`].
fn flattened(gradients: &Gradients, scene: &Scene) -> Vec<f64> {
    let stride = scene.stride();
    let mut out = vec![0.0; scene.parameters.len()];
    for chunk in &gradients.chunks {
        for (k, &index) in chunk.indices.iter().enumerate() {
            let to = &mut out[index as usize * stride..][..stride];
            let sh = 3 * scene.coefficients;
            let all = chunk.means[k]
                .iter()
                .chain(&chunk.log_scales[k])
                .chain(&chunk.rotations[k])
                .chain(std::iter::once(&chunk.opacity_logits[k]))
                .chain(&chunk.sh[k * sh..(k + 1) * sh]);
            to.iter_mut().zip(all).for_each(|(to, &g)| *to = f64::from(g));
        }
    }
    out[scene.count * stride..].copy_from_slice(&gradients.twist);
    out
}

#[test]
fn images_agree_with_double_precision() {
    for (seed, antialias) in [(1, false), (2, true), (3, false)] {
        let (map, view) = (common::scene(40, 3, seed), common::camera(WIDTH, HEIGHT));
        let scene = Scene::new(&map);
        let decisions = oracle::decide(&scene, &view, antialias);
        let want = oracle::render(&scene, &view, antialias, &decisions);
        let got = rendered(&map, &view, antialias);
        let n = got.alpha.len();
        let normals = got.normals.as_ref().unwrap();
        // A pixel whose decision hangs on rounding may differ by one faint splat.
        let mut far = 0;
        for i in 0..n {
            let mut error = (f64::from(got.alpha[i]) - want[3][i]).abs();
            for c in 0..3 {
                let color = want[c][i] + (1.0 - want[3][i]) * [0.3, 0.1, 0.7][c];
                error = error.max((f64::from(got.color[c * n + i]) - color).abs());
                error = error.max((f64::from(normals[c * n + i]) - want[5 + c][i]).abs());
            }
            if want[3][i] > 0.02 {
                error = error.max((f64::from(got.depth[i]) - want[4][i] / want[3][i]).abs());
            }
            far += usize::from(error > 2e-5);
        }
        assert!(far <= 2, "{far} of {n} pixels differ with seed {seed}");
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    for (seed, antialias) in [(11, false), (12, true), (13, false), (14, true)] {
        let (map, view) = (common::scene(14, 3, seed), common::camera(WIDTH, HEIGHT));
        let mut scene = Scene::new(&map);
        let decisions = oracle::decide(&scene, &view, antialias);
        let rendering = rendered(&map, &view, antialias);
        let w = weights(rendering.alpha.len(), seed);
        let gradients = ImageGradients {
            color: w[..3].concat(),
            alpha: Some(w[3].clone()),
            depth: Some(w[4].clone()),
            normals: Some(w[5..].concat()),
            absolute: false,
        };
        let got = flattened(
            &Renderer.backward(&map, &rendering, &gradients, None).unwrap(),
            &scene,
        );

        let step = 1e-5;
        let mut errors = Vec::new();
        for k in 0..scene.parameters.len() {
            let at = scene.parameters[k];
            let mut side = |x: f64| {
                scene.parameters[k] = x;
                loss(&oracle::render(&scene, &view, antialias, &decisions), &w)
            };
            let want = (side(at + step) - side(at - step)) / (2.0 * step);
            scene.parameters[k] = at;
            // Relative, but never to less than what counts beside the largest of all.
            let error = (got[k] - want).abs() / want.abs().max(1e-3);
            assert!(
                error < 0.02,
                "{}: {} is not {want} (seed {seed})",
                scene.name(k),
                got[k]
            );
            errors.push(error);
        }
        errors.sort_by(f64::total_cmp);
        let median = errors[errors.len() / 2];
        println!(
            "seed {seed}: median {median:.1e}, largest {:.1e} of {}",
            errors[errors.len() - 1],
            errors.len()
        );
        assert!(median < 1e-3, "the median relative error is {median}");
    }
}

#[test]
fn frozen_gaussians_get_no_gradient_and_change_none() {
    let (map, view) = (common::scene(30, 2, 21), common::camera(WIDTH, HEIGHT));
    let rendering = rendered(&map, &view, false);
    let w = weights(rendering.alpha.len(), 5);
    let gradients = ImageGradients {
        color: w[..3].concat(),
        ..ImageGradients::default()
    };
    let scene = Scene::new(&map);
    let all = flattened(
        &Renderer.backward(&map, &rendering, &gradients, None).unwrap(),
        &scene,
    );
    let free = map.select(|i| i % 5 == 0);
    let some = flattened(
        &Renderer
            .backward(&map, &rendering, &gradients, Some(&free))
            .unwrap(),
        &scene,
    );
    let stride = scene.stride();
    for i in 0..map.len() {
        let range = i * stride..(i + 1) * stride;
        if i % 5 == 0 {
            assert_eq!(all[range.clone()], some[range]);
        } else {
            assert!(some[range].iter().all(|&g| g == 0.0));
        }
    }
}
