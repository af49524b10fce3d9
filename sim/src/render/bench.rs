//! How fast homes are drawn.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Pose2, Pose3};

use super::{RenderOptions, Renderer};
use crate::model::{Home, WorldState};

/// Height of the camera, metres, and how far it looks down, radians.
const CAMERA_HEIGHT_M: f64 = 1.35;
const CAMERA_TILT_RAD: f64 = 0.35;
const HORIZONTAL_FOV_RAD: f64 = 75.0 * std::f64::consts::PI / 180.0;

/// What [`bench_render`] measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderBenchmark {
    /// Rooms of the home.
    pub rooms: usize,
    /// Entities of the home.
    pub entities: usize,
    /// Triangles of the home.
    pub triangles: usize,
    /// Lights of the home.
    pub lights: usize,
    /// Threads that drew.
    pub threads: usize,
    /// Images measured at each size.
    pub views: usize,
    /// Images per second at 640x480: colour with shadows, depth and ids.
    pub fps_640x480: f64,
    /// Images per second at 320x240: colour with shadows, depth and ids.
    pub fps_320x240: f64,
    /// Slowest image at 640x480, milliseconds.
    pub worst_ms_640x480: f64,
    /// Slowest image at 320x240, milliseconds.
    pub worst_ms_320x240: f64,
}

/// `world_from_camera` of the head camera of a robot that stands somewhere.
pub fn head_pose(base: Pose2) -> Pose3 {
    use nalgebra::{Rotation3, UnitQuaternion, Vector3};
    let (s, c) = base.yaw_rad.sin_cos();
    let (st, ct) = CAMERA_TILT_RAD.sin_cos();
    let forward = Vector3::new(c * ct, s * ct, -st);
    let right = Vector3::new(s, -c, 0.0);
    let down = forward.cross(&right);
    let rotation = Rotation3::from_basis_unchecked(&[right, down, forward]);
    Pose3::from_parts(
        nalgebra::Translation3::new(base.x_m, base.y_m, CAMERA_HEIGHT_M),
        UnitQuaternion::from_rotation_matrix(&rotation),
    )
}

/// Stations along a drive through all rooms: the middle of each room, looking around, and each doorway, looking
/// both ways.
pub(super) fn stations(home: &Home) -> Vec<Pose2> {
    let quarter = std::f64::consts::FRAC_PI_2;
    let mut stations = Vec::new();
    for room in &home.rooms {
        let c = room.bounds.center();
        stations.extend((0..4).map(|k| Pose2::new(c.x, c.y, 0.3 + quarter * k as f64)));
    }
    for d in &home.doorways {
        let p = d.pose;
        stations.push(p);
        stations.push(Pose2::new(p.x_m, p.y_m, p.yaw_rad + 2.0 * quarter));
    }
    stations
}

/// Measures how fast a home is drawn from stations along a drive through all its rooms, in the `rayon` pool of
/// the caller, after one round that is not measured.
pub fn bench_render(home: &Home, rounds: usize) -> RenderBenchmark {
    let state = WorldState::initial(home);
    let mut renderer = Renderer::new(home);
    let stations = stations(home);
    let mut measure = |width: u32, height: u32| {
        let camera = CameraIntrinsics::from_horizontal_fov(width, height, HORIZONTAL_FOV_RAD);
        let (mut total, mut worst, mut count) = (0.0, 0.0f64, 0);
        for round in 0..=rounds.max(1) {
            for &station in &stations {
                let start = Instant::now();
                let options = RenderOptions::default();
                let image = renderer.render(&state, &[], &camera, &head_pose(station), &options);
                let seconds = start.elapsed().as_secs_f64();
                std::hint::black_box(image);
                if round > 0 {
                    total += seconds;
                    worst = worst.max(seconds);
                    count += 1;
                }
            }
        }
        (count as f64 / f64::max(total, 1e-9), worst * 1e3)
    };
    let (fps_640x480, worst_ms_640x480) = measure(640, 480);
    let (fps_320x240, worst_ms_320x240) = measure(320, 240);
    RenderBenchmark {
        rooms: home.rooms.len(),
        entities: home.entities.len(),
        triangles: home
            .entities
            .iter()
            .flat_map(|e| &e.visuals)
            .map(|v| v.mesh.triangles.len())
            .sum(),
        lights: home.lights.len(),
        threads: rayon::current_num_threads(),
        views: stations.len() * rounds.max(1),
        fps_640x480,
        fps_320x240,
        worst_ms_640x480,
        worst_ms_320x240,
    }
}
