//! Statistics of the imperfections, and that each can be switched off.

use nalgebra::Vector3;
use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::image::Image;
use steward_core::messages::Header;

use super::noise::{NoiseTable, normal_quantile};
use super::{CameraMotion, CameraSensor, CameraSensorConfig, Capture, FrameFate};
use crate::model::EntityId;
use crate::render::{PixelId, Rendered};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

fn camera() -> CameraIntrinsics {
    CameraIntrinsics::from_horizontal_fov(WIDTH, HEIGHT, 75f64.to_radians())
}

/// A grey wall across the view.
fn wall(depth_m: f32) -> Rendered {
    let n = (WIDTH * HEIGHT) as usize;
    let image = |v| Image::new(WIDTH, HEIGHT, vec![v; n]).unwrap();
    Rendered {
        color: Image::new(WIDTH, HEIGHT, vec![[120; 3]; n]).unwrap(),
        depth: image(depth_m),
        ids: Image::new(WIDTH, HEIGHT, vec![PixelId::Entity(EntityId(4)).encode(); n]).unwrap(),
        normals: None,
        glass: Image::new(WIDTH, HEIGHT, vec![f32::NAN; n]).unwrap(),
    }
}

fn name(id: PixelId) -> Option<String> {
    match id {
        PixelId::None => None,
        PixelId::Robot { .. } => Some("robot".into()),
        PixelId::Labelled { .. } => Some("handle".into()),
        PixelId::Entity(e) => Some(format!("class_{}", e.0)),
    }
}

fn shoot(sensor: &mut CameraSensor, image: &Rendered, motion: Option<&CameraMotion>) -> Capture {
    sensor.capture(
        Header::new(Time::ZERO, "camera"),
        image,
        true,
        motion,
        &camera(),
        name,
    )
}

fn with(change: impl Fn(&mut CameraSensorConfig)) -> CameraSensor {
    let mut config = CameraSensorConfig::ideal();
    change(&mut config);
    CameraSensor::new(config, 5).unwrap()
}

#[test]
fn an_ideal_camera_changes_nothing() {
    let mut image = wall(2.0);
    image.ids.data_mut()[5] = PixelId::Robot { link: 3 }.encode();
    image.ids.data_mut()[6] = PixelId::Robot { link: 4 }.encode();
    let motion = CameraMotion {
        linear_m_s: Vector3::new(1.0, 0.0, 0.0),
        angular_rad_s: Vector3::new(0.0, 2.0, 0.0),
    };
    let capture = shoot(&mut with(|_| ()), &image, Some(&motion));
    assert_eq!(*capture.frame.color, image.color);
    assert_eq!(*capture.frame.depth, image.depth);
    assert_eq!(capture.fate, FrameFate::Deliver);
    capture.frame.validate().unwrap();
    let mut classes: Vec<_> = capture
        .segmentation
        .detections
        .iter()
        .map(|d| d.class.as_str())
        .collect();
    classes.sort_unstable();
    assert_eq!(classes, ["class_4", "robot"]);
    assert!(capture.segmentation.labels.data().iter().all(|&l| l != 0));
    assert!(capture.segmentation.detections.iter().all(|d| d.score == 1.0));
}

#[test]
fn the_same_seed_gives_the_same_images() {
    let images = |seed| {
        let mut s = CameraSensor::new(CameraSensorConfig::default(), seed).unwrap();
        let shots: Vec<Capture> = (0..5).map(|_| shoot(&mut s, &wall(3.0), None)).collect();
        shots
            .iter()
            .map(|c| {
                let depth: Vec<u32> = c.frame.depth.data().iter().map(|z| z.to_bits()).collect();
                (c.frame.color.clone(), depth, c.segmentation.clone(), c.fate)
            })
            .collect::<Vec<_>>()
    };
    assert!(images(1) == images(1));
    assert!(images(1) != images(2));
}

/// Quantiles from tables of the normal distribution.
#[test]
fn noise_is_normal() {
    for (p, z) in [
        (0.5, 0.0),
        (0.975, 1.959_964),
        (0.001, -3.090_232),
        (0.841_344_7, 1.0),
    ] {
        assert!((normal_quantile(p) - z).abs() < 1e-5);
    }
    let t = NoiseTable::new();
    let draws: Vec<f64> = (0..4096u32).map(|i| t.normal(i << 20) as f64).collect();
    let square: f64 = draws.iter().map(|x| x * x).sum::<f64>() / 4096.0;
    assert!((square - 1.0).abs() < 2e-3, "{square}");
}

#[test]
fn depth_noise_grows_with_the_square_of_depth() {
    for z in [1.0f32, 2.0, 4.0] {
        let mut s = with(|c| {
            c.depth_noise_m = 0.001;
            c.depth_noise_at_1m_m = 0.002;
        });
        let c = shoot(&mut s, &wall(z), None);
        let n = c.frame.depth.data().len() as f64;
        let mean = c.frame.depth.data().iter().map(|&d| d as f64).sum::<f64>() / n;
        let square = c
            .frame
            .depth
            .data()
            .iter()
            .map(|&d| (d as f64 - mean).powi(2))
            .sum::<f64>()
            / n;
        let expected = 0.001 + 0.002 * (z * z) as f64;
        assert!((square.sqrt() / expected - 1.0).abs() < 0.03);
        assert!((mean - z as f64).abs() < 5.0 * expected / n.sqrt());
    }
}

#[test]
fn depth_comes_in_steps_and_within_range() {
    let mut s = with(|c| {
        c.depth_step_m = 0.001;
        c.depth_noise_m = 0.004;
        (c.min_depth_m, c.max_depth_m) = (0.5, 3.0);
    });
    for z in shoot(&mut s, &wall(1.234_56), None).frame.depth.data() {
        let steps = *z as f64 / 0.001;
        assert!((steps - steps.round()).abs() < 1e-3);
    }
    for z in [0.4, 3.1] {
        assert!(
            shoot(&mut s, &wall(z), None)
                .frame
                .depth
                .data()
                .iter()
                .all(|z| z.is_nan())
        );
    }
}

#[test]
fn depth_is_missing_at_edges_on_glass_and_at_flat_angles() {
    let missing = |c: &Capture, columns: std::ops::Range<u32>| {
        let all: Vec<bool> = (0..HEIGHT)
            .flat_map(|r| columns.clone().map(move |k| (k, r)))
            .map(|(k, r)| c.frame.depth.get(k, r).unwrap().is_nan())
            .collect();
        all.iter().filter(|&&m| m).count() as f64 / all.len() as f64
    };
    let mut image = wall(2.0);
    for r in 0..HEIGHT {
        for k in 80..WIDTH {
            image.depth.data_mut()[(r * WIDTH + k) as usize] = 3.0;
        }
        for k in 0..20 {
            image.glass.data_mut()[(r * WIDTH + k) as usize] = 0.5;
        }
    }
    let c = shoot(
        &mut with(|c| {
            c.edge_missing = 0.5;
            c.glass_missing = 0.9;
        }),
        &image,
        None,
    );
    assert!((missing(&c, 0..20) - 0.9).abs() < 0.03);
    let ideal = shoot(&mut with(|c| c.sees_glass = true), &image, None);
    assert_eq!(ideal.frame.depth.get(10, 5), Some(&0.5));
    assert!((missing(&c, 79..81) - 0.5).abs() < 0.12);
    assert_eq!(missing(&c, 30..79) + missing(&c, 81..160), 0.0);

    // A floor 1 m below: seen at angle a where the ray falls by tan a, z = f / (v - c).
    let cam = camera();
    let mut floor = wall(1.0);
    for r in 0..HEIGHT {
        let below = r as f64 + 0.5 - cam.cy;
        let z = if below > 0.0 {
            (cam.fy / below) as f32
        } else {
            f32::NAN
        };
        for k in 0..WIDTH {
            floor.depth.data_mut()[(r * WIDTH + k) as usize] = z;
        }
    }
    let c = shoot(&mut with(|c| c.grazing_rad = 0.15), &floor, None);
    for r in 64..HEIGHT - 2 {
        let angle = ((r as f64 + 0.5 - cam.cy) / cam.fy).atan();
        let gone = c.frame.depth.get(80, r).unwrap().is_nan();
        if (angle - 0.15).abs() > 0.02 {
            assert_eq!(gone, angle < 0.15, "row {r}, angle {angle}");
        }
    }
}

#[test]
fn colour_noise_has_the_stated_spread() {
    let mut s = with(|c| c.read_noise_levels = 4.0);
    let c = shoot(&mut s, &wall(2.0), None);
    let values: Vec<f64> = c.frame.color.data().iter().flatten().map(|&v| v as f64).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    assert!(
        (mean - 120.0).abs() < 0.2 && (spread - 4.0).abs() < 0.15,
        "{mean} {spread}"
    );
}

#[test]
fn gain_follows_brightness_and_exposure_drifts() {
    let mut dark = wall(2.0);
    dark.color.data_mut().fill([40; 3]);
    let mut s = with(|c| c.auto_gain = true);
    let c = shoot(&mut s, &dark, None);
    let level = c.frame.color.data()[0][0];
    assert!(level > 65, "{level}");
    let mut s = with(|c| c.exposure_drift_stops = 0.3);
    let levels: Vec<u8> = (0..40)
        .map(|_| shoot(&mut s, &wall(2.0), None).frame.color.data()[0][0])
        .collect();
    let steps = levels.windows(2).map(|w| w[0].abs_diff(w[1])).max().unwrap();
    let range = levels.iter().max().unwrap() - levels.iter().min().unwrap();
    assert!(range > 8 && steps < range, "{levels:?}");
}

/// Turning at 1 rad/s for 20 ms moves the middle of the image by 0.02 f pixels.
#[test]
fn turning_blurs_along_the_row() {
    let mut image = wall(2.0);
    for r in 0..HEIGHT {
        for k in 80..WIDTH {
            image.color.data_mut()[(r * WIDTH + k) as usize] = [220; 3];
        }
    }
    let motion = CameraMotion {
        linear_m_s: Vector3::zeros(),
        angular_rad_s: Vector3::new(0.0, 3.0, 0.0),
    };
    let mut s = with(|c| c.exposure_time_s = 0.02);
    let c = shoot(&mut s, &image, Some(&motion));
    let row: Vec<u8> = (0..WIDTH).map(|k| c.frame.color.get(k, 60).unwrap()[0]).collect();
    let mixed = row.iter().filter(|&&v| v != 120 && v != 220).count() as f64;
    let expected = 3.0 * 0.02 * camera().fx;
    assert!((mixed - expected).abs() <= 2.0, "{mixed}, not {expected}");
    assert!(shoot(&mut s, &image, None).frame.color.data() == image.color.data());
}

#[test]
fn instances_are_numbered_anew_missed_confused_and_too_small() {
    let mut image = wall(2.0);
    for k in 0..WIDTH {
        for r in 0..HEIGHT {
            image.ids.data_mut()[(r * WIDTH + k) as usize] = PixelId::Entity(EntityId(k / 8)).encode();
        }
    }
    image.ids.data_mut()[0] = PixelId::Entity(EntityId(99)).encode();
    let mut s = with(|c| {
        c.min_instance_pixels = 2;
        c.missed_instances = 0.2;
        c.confused_instances = 0.1;
    });
    let (mut seen, mut right, mut orders) = (0, 0, std::collections::BTreeSet::new());
    for _ in 0..200 {
        let c = shoot(&mut s, &image, None);
        let detections = &c.segmentation.detections;
        seen += detections.len();
        assert!((1..).zip(detections).all(|(n, d)| d.instance == n));
        let mut numbers = Vec::new();
        for k in 0..20u32 {
            let label = *c.segmentation.labels.get(k * 8 + 4, 60).unwrap();
            numbers.push(label);
            if label > 0 {
                right += (detections[label as usize - 1].class == format!("class_{k}")) as usize;
            }
        }
        assert_eq!(*c.segmentation.labels.get(0, 0).unwrap(), 0);
        orders.insert(numbers);
    }
    assert!((seen as f64 / 4000.0 - 0.8).abs() < 0.02);
    assert!((right as f64 / seen as f64 - 0.9).abs() < 0.03);
    assert!(orders.len() > 190);
}

#[test]
fn frames_are_lost_and_late_as_often_as_stated() {
    let mut s = with(|c| {
        c.drop_probability = 0.1;
        c.delay_probability = 0.2;
        c.max_delay_s = 0.3;
    });
    let tiny = Rendered {
        color: Image::new(1, 1, vec![[0; 3]]).unwrap(),
        depth: Image::new(1, 1, vec![f32::NAN]).unwrap(),
        ids: Image::new(1, 1, vec![0]).unwrap(),
        normals: None,
        glass: Image::new(1, 1, vec![f32::NAN]).unwrap(),
    };
    let one = CameraIntrinsics::from_horizontal_fov(1, 1, 1.0);
    let n = 20_000;
    let (mut dropped, mut late) = (0, 0);
    for _ in 0..n {
        match s.capture(Header::default(), &tiny, true, None, &one, name).fate {
            FrameFate::Drop => dropped += 1,
            FrameFate::Delay(d) => {
                assert!((0.0..=0.3).contains(&d.secs_f64()));
                late += 1;
            }
            FrameFate::Deliver => {}
        }
    }
    assert!((dropped as f64 / n as f64 - 0.1).abs() < 0.01);
    assert!((late as f64 / n as f64 - 0.18).abs() < 0.015);
}

#[test]
fn settings_out_of_range_are_named() {
    for (change, field) in [
        (
            (|c| c.edge_missing = 1.5) as fn(&mut CameraSensorConfig),
            "edge_missing",
        ),
        (|c| c.depth_noise_m = f64::NAN, "depth_noise_m"),
        (|c| c.min_depth_m = 7.0, "min_depth_m"),
    ] {
        let mut config = CameraSensorConfig::default();
        change(&mut config);
        let error = CameraSensor::new(config, 0).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
    CameraSensorConfig::default().validate().unwrap();
    CameraSensorConfig::ideal().validate().unwrap();
}

#[test]
fn depth_is_the_same_without_colours() {
    let config = CameraSensorConfig::default();
    let depth = |color: bool| {
        let mut sensor = CameraSensor::new(config.clone(), 5).unwrap();
        let header = Header::new(Time::ZERO, "camera");
        let capture = sensor.capture(header, &wall(2.0), color, None, &camera(), name);
        let depth = capture.frame.depth.data().iter().map(|z| z.to_bits());
        (depth.collect::<Vec<_>>(), capture.frame.color)
    };
    let (with, without) = (depth(true), depth(false));
    assert!(with.0 == without.0, "depth differs");
    assert!(
        with.1 != without.1,
        "the noise is in the colours that somebody wants"
    );
}
