//! What the integration tests share: reference data, random scenes, a slow renderer to compare with.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod oracle;

use std::path::PathBuf;

use nalgebra as na;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Pose3, Vector3};
use steward_splat::{Gaussian, GaussianMap, View};

/// A path in the reference data, or `None` (after saying so) where the data is absent.
///
/// The data is at `$STEWARD_SHARED`, or next to the workspace in `../shared`. With `CI=true` its absence is
/// a failure.
pub(crate) fn reference(file: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("STEWARD_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared")
        });
    let path = shared.join("data").join(file);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!required, "{} is required", path.display());
    println!("skipped: no reference data at {}", path.display());
    None
}

/// A generator with a seed.
pub(crate) fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A camera a little off the axes, looking along +z.
pub(crate) fn camera(width: u32, height: u32) -> View {
    let camera = CameraIntrinsics {
        width,
        height,
        fx: 0.9 * width as f64,
        fy: 0.95 * width as f64,
        cx: 0.48 * width as f64,
        cy: 0.53 * height as f64,
    };
    let pose = Pose3::new(Vector3::new(0.1, -0.2, 0.05), Vector3::new(0.1, -0.15, 0.2));
    View::new(camera, pose)
}

/// Random Gaussians in front of [`camera`].
pub(crate) fn scene(count: usize, sh_degree: u8, seed: u64) -> GaussianMap {
    let mut rng = random(seed);
    let mut map = GaussianMap::new(sh_degree, 0).unwrap();
    for _ in 0..count {
        let mut uniform = |low: f32, high: f32| rng.random_range(low..high);
        let z = uniform(1.0, 4.0);
        let mut sh = [[0.0; 3]; 16];
        for (k, c) in sh.as_flattened_mut().iter_mut().enumerate() {
            *c = if k < 3 {
                uniform(-0.5, 1.5)
            } else {
                uniform(-0.3, 0.3)
            };
        }
        let q = na::Vector4::from_fn(|_, _| uniform(-1.0, 1.0));
        let g = Gaussian {
            mean: [uniform(-0.55, 0.55) * z, uniform(-0.4, 0.4) * z, z],
            log_scale: std::array::from_fn(|_| uniform(0.03f32.ln(), 0.4f32.ln())),
            rotation: [q[0], q[1], q[2], q[3]],
            opacity_logit: uniform(-2.0, 3.0),
            sh,
            ..Gaussian::default()
        };
        map.push(&g).unwrap();
    }
    map
}
