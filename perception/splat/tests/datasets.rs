//! What maps are built from: folders of RGB-D frames and COLMAP reconstructions.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use steward_splat::Error;
use steward_splat::io::colmap::{Colmap, ColmapImage, ColoredPoint};
use steward_splat::io::rgbd::{self, RgbdFolder};
use steward_splat::synthetic::{RoomConfig, room};

fn frames() -> Vec<rgbd::PosedImage> {
    let config = RoomConfig {
        frames: 3,
        width: 40,
        height: 30,
        rays_per_side: 1,
        ..RoomConfig::default()
    };
    room(&config).unwrap()
}

#[test]
fn our_layout_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let frames = frames();
    rgbd::write(folder.path(), &frames, 0.0005).unwrap();
    let opened = RgbdFolder::open(folder.path()).unwrap();
    assert_eq!(opened.len(), 3);
    for (i, frame) in frames.iter().enumerate() {
        let back = opened.load(i).unwrap();
        assert_eq!(
            (&back.name, back.stamp, &back.color),
            (&frame.name, frame.stamp, &frame.color)
        );
        let motion = back.view.world_from_camera.inverse() * frame.view.world_from_camera;
        assert!(motion.translation.vector.norm() < 1e-9 && motion.rotation.angle() < 1e-7);
        for (a, b) in back
            .depth
            .unwrap()
            .data()
            .iter()
            .zip(frame.depth.as_ref().unwrap().data())
        {
            assert!((a - b).abs() <= 0.00025 + 1e-6);
        }
    }
}

fn write(path: impl AsRef<Path>, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// A folder as of 7-Scenes: a pose that was lost, depth without measurement.
#[test]
fn seven_scenes_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(
        at("camera-intrinsics.txt"),
        "5.85e+02 0 3.2e+02\n0 585 240\n0 0 1\n",
    );
    for (name, pose) in [
        ("frame-000008", "0 -1 0 0.5\n1 0 0 -0.25\n0 0 1 2\n0 0 0 1\n"),
        ("frame-000016", "inf 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"),
    ] {
        write(at(&format!("{name}.pose.txt")), pose);
        image::RgbImage::from_pixel(4, 2, image::Rgb([10, 20, 30]))
            .save(at(&format!("{name}.color.png")))
            .unwrap();
        let raw: Vec<u16> = vec![0, 1000, 65535, 2500, 1, 2, 3, 4];
        let depth: image::ImageBuffer<image::Luma<u16>, _> = image::ImageBuffer::from_raw(4, 2, raw).unwrap();
        depth.save(at(&format!("{name}.depth.png"))).unwrap();
    }
    let opened = RgbdFolder::open(folder.path()).unwrap();
    assert_eq!(opened.len(), 1, "frames without a pose are left out");
    assert_eq!((opened.camera().fx, opened.camera().width), (585.0, 4));
    let frame = opened.load(0).unwrap();
    assert_eq!(frame.color.data()[0], [10, 20, 30]);
    let depth = frame.depth.unwrap();
    assert!(depth.data()[0].is_nan() && depth.data()[2].is_nan());
    assert_eq!((depth.data()[1], depth.data()[3]), (1.0, 2.5));
    let x = frame.view.world_from_camera.rotation * nalgebra::Vector3::x();
    assert!((x - nalgebra::Vector3::y()).norm() < 1e-9);
    assert_eq!(frame.view.center(), nalgebra::Point3::new(0.5, -0.25, 2.0));
}

#[test]
fn folders_that_are_damaged_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let reason = |what: &str| {
        let Error::File { path, reason } = RgbdFolder::open(folder.path()).unwrap_err() else {
            panic!("another error");
        };
        assert!(format!("{path} {reason}").contains(what), "{path}: {reason}");
    };
    reason("camera-intrinsics.txt");
    write(at("camera-intrinsics.txt"), "585 0 320");
    reason("9 are needed");
    write(at("camera-intrinsics.txt"), "585 0 320 0 585 240 0 0 1");
    reason("no frames");
    write(at("frame-1.pose.txt"), "1 0 0 0 0 1 0 0 0 0 2 0 0 0 0 1");
    reason("colour");
    image::RgbImage::new(4, 2).save(at("frame-1.color.png")).unwrap();
    reason("rigid");
    write(at("frame-1.pose.txt"), "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1");
    let opened = RgbdFolder::open(folder.path()).unwrap();
    assert!(opened.load(0).unwrap_err().to_string().contains("depth.png"));
    write(at("frame-1.depth.png"), "no picture");
    assert!(opened.load(0).unwrap_err().to_string().contains("depth.png"));
    write(
        at("frames.json"),
        r#"{"camera":{"width":4,"height":2,"fx":1,"fy":1,"cx":2,"cy":1},"depth_unit_m":0.001,
        "frames":[{"name":"../x","stamp_s":0,"position_m":[0,0,0],"rotation_xyzw":[0,0,0,1]}]}"#,
    );
    reason("plain file name");
}

/// Lines as in COLMAP's documentation of its formats.
const CAMERAS: &str = "# Camera list\n1 SIMPLE_PINHOLE 40 30 25.0 20.0 15.0\n2 PINHOLE 40 30 25.0 26.0 20.0 15.0\n\
                       3 SIMPLE_RADIAL 40 30 25.0 20.0 15.0 0\n";
const IMAGES: &str = "# Image list\n# two lines each\n7 0.7071067811865476 0 0 0.7071067811865476 1 2 3 2 b c.png\n\
                      1.0 2.0 -1 3.0 4.0 5\n3 1 0 0 0 0 0 0 1 a.png\n\n";
const POINTS: &str = "# points\n9 1 2 3 10 20 30 0.5 7 0\n4 -1 0 0.5 1 2 3 0.1\n";

#[test]
fn colmap_text_is_read_and_binary_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("sparse/0");
    std::fs::create_dir_all(&model).unwrap();
    for (name, text) in [("cameras", CAMERAS), ("images", IMAGES), ("points3D", POINTS)] {
        write(model.join(format!("{name}.txt")), text);
    }
    let text = Colmap::open(folder.path()).unwrap();
    let names: Vec<&str> = text.images.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["a.png", "b c.png"]);
    // camera_from_world turns by 90 degrees about z and moves by (1, 2, 3): the camera is at -R^T t.
    let center = text.images[1].view.center();
    assert!((center - nalgebra::Point3::new(-2.0, 1.0, -3.0)).norm() < 1e-9);
    assert_eq!(
        (text.images[0].view.camera.fy, text.images[1].view.camera.fy),
        (25.0, 26.0)
    );
    let expected = [([-1.0, 0.0, 0.5], [1, 2, 3]), ([1.0, 2.0, 3.0], [10, 20, 30])];
    assert_eq!(
        text.points,
        expected.map(|(position, rgb)| ColoredPoint { position, rgb })
    );

    text.write(folder.path()).unwrap();
    let binary = Colmap::open(folder.path()).unwrap();
    assert_eq!(binary.points, text.points);
    for (a, b) in binary.images.iter().zip(&text.images) {
        assert_eq!((&a.name, a.view.camera), (&b.name, b.view.camera));
        assert!((a.view.center() - b.view.center()).norm() < 1e-12);
    }

    // Every cut of the binary files is refused, and so is a number of entries that they cannot hold.
    for name in ["cameras.bin", "images.bin", "points3D.bin"] {
        let path = model.join(name);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(Colmap::open(folder.path()).is_err(), "{name} cut at {cut}");
        }
        let mut lie = whole.clone();
        lie[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
        std::fs::write(&path, &lie).unwrap();
        let error = Colmap::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("byte 0") && error.contains(name), "{error}");
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn what_colmap_has_and_we_do_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("images", IMAGES), ("points3D", POINTS)] {
        write(folder.path().join(format!("{name}.txt")), text);
    }
    for (cameras, what) in [
        (
            "2 OPENCV 40 30 25 25 20 15 0.1 0 0 0\n1 SIMPLE_PINHOLE 40 30 25 20 15\n",
            "undistort",
        ),
        ("1 SIMPLE_PINHOLE 40 30 25 20 15\n", "unknown camera"),
        ("1 WIDE 40 30 25 20 15\n", "WIDE"),
        ("1 SIMPLE_PINHOLE 40 30 -25 20 15\n", "positive"),
        ("1 SIMPLE_PINHOLE 40\n", "words"),
    ] {
        write(folder.path().join("cameras.txt"), cameras);
        let error = Colmap::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let image = ColmapImage {
        name: "a.png".into(),
        view: frames()[0].view,
    };
    let mut colmap = Colmap::default();
    colmap.images.push(image);
    assert!(colmap.load(0).is_err() && colmap.load(1).is_err());
}
