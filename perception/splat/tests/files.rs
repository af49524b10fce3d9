//! Files of maps: what is kept, what is refused, and that nothing on disk can make a reader panic or take memory.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write as _;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use steward_core::ids::ObjectId;
use steward_core::time::Time;
use steward_splat::io::{self, ply, splat, spz};
use steward_splat::map::SH_C0;
use steward_splat::{Error, Gaussian, GaussianMap};

/// A map of `count` Gaussians with every attribute set.
fn map(degree: u8, features: usize, count: usize) -> GaussianMap {
    let mut map = GaussianMap::new(degree, features).unwrap();
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 2.0 - 1.0
    };
    for i in 0..count {
        let mut g = Gaussian {
            mean: std::array::from_fn(|_| 5.0 * random()),
            log_scale: std::array::from_fn(|_| -4.0 + 2.0 * random()),
            rotation: std::array::from_fn(|_| random()),
            opacity_logit: 4.0 * random(),
            object: (i % 3 == 0).then_some(ObjectId(i as u32 * 1_000_003)),
            confidence: random().abs(),
            first_seen: Time::from_nanos(i as i64 * 1_234_567_890_123),
            last_seen: Time::from_nanos(-(i as i64)),
            feature: (0..features).map(|_| random()).collect(),
            ..Gaussian::default()
        };
        for x in g.sh.as_flattened_mut() {
            *x = 0.5 * random();
        }
        map.push(&g).unwrap();
    }
    map.delete(&map.select(|i| i % 5 == 1)).unwrap();
    map
}

fn ply_bytes(map: &GaussianMap, properties: ply::Properties) -> Vec<u8> {
    let mut bytes = Vec::new();
    ply::write(&mut bytes, map, properties).unwrap();
    bytes
}

fn spz_bytes(map: &GaussianMap, version: spz::Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    spz::write(&mut bytes, map, version).unwrap();
    bytes
}

fn splat_bytes(map: &GaussianMap) -> Vec<u8> {
    let mut bytes = Vec::new();
    splat::write(&mut bytes, map).unwrap();
    bytes
}

fn close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!(
            (a - b).abs() <= tolerance,
            "{a} and {b} differ by more than {tolerance}"
        );
    }
}

fn unit(q: [f32; 4]) -> [f32; 4] {
    let norm = q.iter().map(|x| x * x).sum::<f32>().sqrt();
    q.map(|x| x / norm)
}

/// Rotations are equal up to the sign of the quaternion.
fn same_rotations(a: &GaussianMap, b: &GaussianMap, tolerance: f32) {
    for (a, b) in a.rotations().iter().zip(b.rotations()) {
        let (a, b) = (unit(*a), unit(*b));
        let sign = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f32>().signum();
        close(&a, &b.map(|x| sign * x), tolerance);
    }
}

fn opacities(map: &GaussianMap) -> Vec<f32> {
    map.opacity_logits()
        .iter()
        .map(|l| 1.0 / (1.0 + (-l).exp()))
        .collect()
}

#[test]
fn ply_keeps_everything_exactly() {
    for degree in 0..=3 {
        let map = map(degree, 2, 40);
        let bytes = ply_bytes(&map, ply::Properties::All);
        let back = ply::read(&bytes[..], Some(bytes.len() as u64)).unwrap();
        for i in 0..map.len() {
            assert_eq!(map.get(i), back.get(i));
        }
        assert_eq!(map.ids(), back.ids());
        assert_eq!(back.sh_degree(), degree);
    }
}

/// Row lengths of Inria's files: 62 floats at degree 3.
#[test]
fn rows_are_inrias() {
    for (degree, floats) in [(0, 17), (1, 26), (2, 41), (3, 62)] {
        let map = map(degree, 0, 9);
        let bytes = ply_bytes(&map, ply::Properties::Inria);
        let header = bytes.windows(11).position(|w| w == b"end_header\n").unwrap() + 11;
        assert_eq!(bytes.len() - header, map.len() * floats * 4);
        let back = ply::read(&bytes[..], Some(bytes.len() as u64)).unwrap();
        assert_eq!((back.means(), back.sh()), (map.means(), map.sh()));
    }
}

/// A file as other programs write them: text, other types, other order, elements that are not ours.
#[test]
fn ply_of_other_programs() {
    let text = "ply\nformat ascii 1.0\ncomment by hand\nelement other 2\nproperty list uchar int things\n\
                element vertex 2\nproperty double x\nproperty float y\nproperty float z\nproperty uchar quality\n\
                property float opacity\nproperty float rot_0\nproperty float rot_1\nproperty float rot_2\n\
                property float rot_3\nproperty float scale_0\nproperty float scale_1\nproperty float scale_2\n\
                property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\nelement face 1\n\
                property list uchar int vertex_indices\nend_header\n2 5 6\n0\n\
                1 2 3 255 inf 1 0 0 0 -1 -2 -3 .1 .2 .3\n-1 0 0 0 -0.5 0 0 2 0 0 0 0 0 0 0\n3 0 1 1\n";
    let map = ply::read(text.as_bytes(), Some(text.len() as u64)).unwrap();
    assert_eq!(map.means(), [[1.0, 2.0, 3.0], [-1.0, 0.0, 0.0]]);
    assert_eq!(map.rotations()[1], [0.0, 0.0, 2.0, 0.0]);
    assert_eq!(map.log_scales()[0], [-1.0, -2.0, -3.0]);
    assert_eq!(map.sh()[..3], [0.1, 0.2, 0.3]);
    assert!(map.opacity_logits()[0] > 20.0 && map.opacity_logits()[0].is_finite());
    assert_eq!((map.confidences()[0], map.objects()[0]), (1.0, None));

    let mut big = b"ply\nformat binary_big_endian 1.0\nelement vertex 1\n".to_vec();
    for name in ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
        .into_iter()
        .chain([
            "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
        ])
    {
        big.extend_from_slice(format!("property float {name}\n").as_bytes());
    }
    big.extend_from_slice(b"end_header\n");
    for i in 1..=14 {
        big.extend_from_slice(&(i as f32).to_be_bytes());
    }
    let map = ply::read(&big[..], Some(big.len() as u64)).unwrap();
    assert_eq!(
        (map.means()[0], map.rotations()[0]),
        ([1.0, 2.0, 3.0], [11.0, 12.0, 13.0, 14.0])
    );
}

#[test]
fn splat_keeps_its_precision() {
    let map = map(3, 1, 60);
    let bytes = splat_bytes(&map);
    assert_eq!(bytes.len(), 32 * map.len());
    let back = splat::read(&bytes[..], Some(bytes.len() as u64)).unwrap();
    assert_eq!(back.means(), map.means());
    close(
        back.log_scales().as_flattened(),
        map.log_scales().as_flattened(),
        1e-6,
    );
    close(&opacities(&back), &opacities(&map), 0.5 / 255.0 + 1e-6);
    same_rotations(&back, &map, 0.012);
    for (i, sh) in map.sh().chunks_exact(map.sh_stride()).enumerate() {
        let colors: Vec<f32> = (0..3).map(|c| (0.5 + SH_C0 * sh[c]).clamp(0.0, 1.0)).collect();
        let ours: Vec<f32> = (0..3).map(|c| 0.5 + SH_C0 * back.sh()[3 * i + c]).collect();
        close(&ours, &colors, 0.5 / 255.0 + 1e-6);
    }
}

#[test]
fn spz_keeps_its_precision() {
    for (degree, version) in [
        (0, spz::Version::V4),
        (1, spz::Version::V3),
        (3, spz::Version::V4),
        (3, spz::Version::V3),
    ] {
        let map = map(degree, 0, 60);
        let bytes = spz_bytes(&map, version);
        let back = spz::read(&bytes[..], Some(bytes.len() as u64)).unwrap();
        assert_eq!(back.len(), map.len());
        close(
            back.means().as_flattened(),
            map.means().as_flattened(),
            0.5 / 4096.0 + 1e-6,
        );
        close(
            back.log_scales().as_flattened(),
            map.log_scales().as_flattened(),
            0.5 / 16.0 + 1e-6,
        );
        close(&opacities(&back), &opacities(&map), 0.5 / 255.0 + 1e-6);
        same_rotations(&back, &map, 0.003);
        for (ours, theirs) in back
            .sh()
            .chunks_exact(back.sh_stride())
            .zip(map.sh().chunks_exact(map.sh_stride()))
        {
            close(&ours[..3], &theirs[..3], 0.5 / (255.0 * 0.15) + 1e-5);
            let first = theirs.len().min(12);
            close(&ours[3..first.max(3)], &theirs[3..first.max(3)], 4.5 / 128.0);
            close(&ours[first.max(3)..], &theirs[first.max(3)..], 8.5 / 128.0);
        }
        // What was rounded once is not rounded again.
        assert_eq!(
            spz_bytes(&back, version),
            spz_bytes(&spz::read(&spz_bytes(&back, version)[..], None).unwrap(), version)
        );
    }
}

/// Bytes put together by hand after the format's description (nianticlabs/spz, README and load-spz.cc).
#[test]
fn spz_of_version_2_is_read() {
    let mut plain = b"NGSP".to_vec();
    plain.extend_from_slice(&2u32.to_le_bytes());
    plain.extend_from_slice(&1u32.to_le_bytes());
    plain.extend_from_slice(&[1, 12, 0, 0]);
    plain.extend_from_slice(&[0x00, 0x10, 0x00, 0x00, 0xf8, 0xff, 0x01, 0x00, 0x00]); // 4096, -2048, 1
    plain.push(128); // opacity
    plain.extend_from_slice(&[255, 0, 128]); // colour
    plain.extend_from_slice(&[160, 0, 255]); // scale
    plain.extend_from_slice(&[255, 128, 128]); // rotation: half a turn about x
    plain.extend_from_slice(&[128, 0, 255, 192, 64, 128, 128, 128, 136]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&plain).unwrap();
    let bytes = gzip.finish().unwrap();
    let map = spz::read(&bytes[..], Some(bytes.len() as u64)).unwrap();
    // y and z point the other way in this format.
    close(&map.means()[0], &[1.0, 0.5, -1.0 / 4096.0], 0.0);
    close(&opacities(&map), &[128.0 / 255.0], 1e-6);
    close(&map.log_scales()[0], &[0.0, -10.0, 5.9375], 0.0);
    close(&map.rotations()[0], &[0.0, 1.0, -1.0 / 255.0, -1.0 / 255.0], 1e-3);
    close(
        &map.sh()[..3],
        &[0.5 / 0.15, -0.5 / 0.15, 0.5 / 255.0 / 0.15],
        1e-5,
    );
    close(
        &map.sh()[3..],
        &[0.0, 1.0, -127.0 / 128.0, -0.5, 0.5, 0.0, 0.0, 0.0, 0.0625],
        0.0,
    );
}

fn byte_of(error: Error) -> u64 {
    match error {
        Error::BadFile { byte, .. } => byte,
        other => panic!("{other} names no byte"),
    }
}

#[test]
fn headers_that_lie_are_refused_at_once() {
    let names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"];
    let more = [
        "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3",
    ];
    let properties: String = names
        .iter()
        .chain(&more)
        .map(|n| format!("property float {n}\n"))
        .collect();
    let start = Instant::now();
    for format in ["ascii", "binary_little_endian", "binary_big_endian"] {
        for count in [
            "1152921504606846976",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "1e9",
            "",
        ] {
            let text =
                format!("ply\nformat {format} 1.0\nelement vertex {count}\n{properties}end_header\n1 2 3\n");
            byte_of(ply::read(text.as_bytes(), Some(text.len() as u64)).unwrap_err());
            byte_of(ply::read(text.as_bytes(), None).unwrap_err());
        }
        let many = format!(
            "ply\nformat {format} 1.0\nelement a 18446744073709551615\nproperty double b\nelement vertex 1\n{properties}end_header\n"
        );
        byte_of(ply::read(many.as_bytes(), Some(many.len() as u64)).unwrap_err());
    }
    let endless = std::io::BufReader::new(std::io::repeat(b'a'));
    byte_of(ply::read(endless, None).unwrap_err());
    let comments = [&b"ply\n"[..], &b"comment a\n".repeat(1 << 15)].concat();
    byte_of(ply::read(&comments[..], None).unwrap_err());

    for version in [spz::Version::V3, spz::Version::V4] {
        let mut bytes = spz_bytes(&map(0, 0, 3), version);
        if version == spz::Version::V3 {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain).unwrap();
            plain[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&plain).unwrap();
            bytes = gzip.finish().unwrap();
        } else {
            bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        assert_eq!(
            byte_of(spz::read(&bytes[..], Some(bytes.len() as u64)).unwrap_err()),
            8
        );
        byte_of(spz::read(&bytes[..], None).unwrap_err());
    }
    assert!(start.elapsed().as_secs_f64() < 5.0);
}

#[test]
fn errors_name_the_byte() {
    let map = map(1, 0, 3);
    let bytes = ply_bytes(&map, ply::Properties::Inria);
    let header = bytes.windows(11).position(|w| w == b"end_header\n").unwrap() + 11;
    let row = (bytes.len() - header) / map.len();
    let mut bad = bytes.clone();
    bad[header + row..header + row + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(
        byte_of(ply::read(&bad[..], None).unwrap_err()),
        (header + row) as u64
    );
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(
        byte_of(ply::read(cut, Some(cut.len() as u64)).unwrap_err()),
        cut.len() as u64
    );
    assert_eq!(byte_of(ply::read(cut, None).unwrap_err()), cut.len() as u64);

    let mut bad = splat_bytes(&map);
    bad[32 + 12..32 + 16].copy_from_slice(&(-1f32).to_le_bytes());
    assert_eq!(byte_of(splat::read(&bad[..], None).unwrap_err()), 32);
    assert_eq!(byte_of(splat::read(&bad[..40], Some(40)).unwrap_err()), 32);
}

#[test]
fn files_name_themselves_in_errors_and_appear_whole() {
    let folder = tempfile::tempdir().unwrap();
    let map = map(2, 0, 20);
    for name in ["map.ply", "map.splat", "map.spz"] {
        let path = folder.path().join(name);
        io::write(&path, &map).unwrap();
        assert_eq!(io::read(&path).unwrap().len(), map.len());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    for path in ["missing.ply", "map.obj"] {
        let error = io::read(&folder.path().join(path)).unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
    }
    // What cannot be written leaves nothing behind.
    let mut far = GaussianMap::new(0, 0).unwrap();
    far.push(&Gaussian {
        mean: [1e4, 0.0, 0.0],
        ..Gaussian::default()
    })
    .unwrap();
    assert!(io::write(&folder.path().join("far.spz"), &far).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

/// Every cut and every single wrong byte: an error or a map, never a panic.
#[test]
fn cut_files_are_refused() {
    let map = map(1, 1, 4);
    let ply = ply_bytes(&map, ply::Properties::All);
    for cut in 0..ply.len() {
        byte_of(ply::read(&ply[..cut], Some(cut as u64)).unwrap_err());
        byte_of(ply::read(&ply[..cut], None).unwrap_err());
    }
    for version in [spz::Version::V3, spz::Version::V4] {
        let spz = spz_bytes(&map, version);
        for cut in 0..spz.len() {
            // The check sum at the end of gzip comes after all the data.
            let within = version == spz::Version::V3 && cut + 8 >= spz.len();
            match spz::read(&spz[..cut], Some(cut as u64)) {
                Err(e) => drop(byte_of(e)),
                Ok(_) => assert!(within, "cut at byte {cut} of {}", spz.len()),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damage_never_panics(at in 0usize..4096, xor in 1u8..=255, second in 0usize..4096) {
        let map = map(1, 0, 4);
        let files = [
            ply_bytes(&map, ply::Properties::All),
            splat_bytes(&map),
            spz_bytes(&map, spz::Version::V3),
            spz_bytes(&map, spz::Version::V4),
        ];
        for (kind, mut bytes) in files.into_iter().enumerate() {
            for at in [at, second] {
                let at = at % bytes.len();
                bytes[at] ^= xor;
            }
            let length = Some(bytes.len() as u64);
            let result = match kind {
                0 => ply::read(&bytes[..], length),
                1 => splat::read(&bytes[..], length),
                _ => spz::read(&bytes[..], length),
            };
            if let Ok(map) = result {
                prop_assert!(map.validate().is_ok());
            }
        }
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let with = |magic: &[u8]| [magic, &bytes].concat();
        let _ = ply::read(&with(b"ply\nformat ascii 1.0\nelement vertex ")[..], None);
        let _ = splat::read(&bytes[..], None);
        let _ = spz::read(&with(b"NGSP\x04\0\0\0")[..], None);
        let _ = spz::read(&with(&[0x1f, 0x8b, 8])[..], None);
    }
}
