//! The forward pass against images that gsplat rendered (`../shared/data/splat`).
#![allow(clippy::needless_range_loop, reason = "an index runs over several images")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::BTreeMap;

use nalgebra as na;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Pose3;
use steward_splat::{Engine, Gaussian, GaussianMap, RenderOptions, Renderer, Scope, View};

/// The 32-bit float tensors of a safetensors file.
fn tensors(bytes: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (json, data) = bytes[8..].split_at(header);
    let json: BTreeMap<String, serde_json::Value> = serde_json::from_slice(json).unwrap();
    let tensor = |(name, entry): (String, serde_json::Value)| {
        let at = |k: usize| entry["data_offsets"][k].as_u64().unwrap() as usize;
        let floats = data[at(0)..at(1)].chunks_exact(4);
        (
            name,
            floats
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect(),
        )
    };
    json.into_iter()
        .filter(|(name, _)| name != "__metadata__")
        .map(tensor)
        .collect()
}

#[test]
fn gsplats_images_are_reproduced() {
    for case in ["tiny", "basic"] {
        let Some(path) = common::reference(&format!("splat/gsplat_{case}_case.safetensors")) else {
            return;
        };
        let t = tensors(&std::fs::read(path).unwrap());
        let n = t["opacities"].len();
        let mut map = GaussianMap::new(3, 0).unwrap();
        for i in 0..n {
            let three = |name: &str| t[name][3 * i..3 * i + 3].try_into().unwrap();
            let mut g = Gaussian {
                mean: three("means"),
                log_scale: three("scales"),
                rotation: t["quats"][4 * i..4 * i + 4].try_into().unwrap(),
                opacity_logit: t["opacities"][i],
                ..Gaussian::default()
            };
            g.sh.as_flattened_mut()
                .copy_from_slice(&t["coeffs"][48 * i..48 * (i + 1)]);
            map.push(&g).unwrap();
        }
        let camera = CameraIntrinsics {
            width: 123,
            height: 82,
            fx: 61.5,
            fy: 61.5,
            cx: 61.5,
            cy: 41.0,
        };
        let pose = Pose3::from_parts(
            na::Translation3::new(0.123, 0.456, -8.0),
            na::UnitQuaternion::identity(),
        );
        let options = RenderOptions::default();
        let got = Renderer
            .forward(&map, &View::new(camera, pose), &options, Scope::default())
            .unwrap();
        let pixels = 123 * 82;
        let mut largest = 0.0f32;
        for (i, want) in t["out_img"].chunks_exact(4).enumerate() {
            for c in 0..3 {
                largest = largest.max((got.color[c * pixels + i] - want[c]).abs());
            }
            largest = largest.max((got.alpha[i] - want[3]).abs());
        }
        println!("{case}: largest error {largest:.1e}");
        assert!(largest <= 1e-4, "{case}: the largest error is {largest}");
    }
}
