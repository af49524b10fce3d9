//! A world of boxes on a floor, seen by a depth camera that is exact up to the noise asked for.

use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Aabb, Point3, Pose2, Pose3, Rotation3, Vector3, wrap_angle_rad};
use steward_core::image::DepthImage;

/// Boxes on an endless floor at z = 0.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) boxes: Vec<Aabb>,
}

/// A repeatable source of noise: SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

pub(crate) fn block(x: [f64; 2], y: [f64; 2], z: [f64; 2]) -> Aabb {
    Aabb {
        min: Point3::new(x[0], y[0], z[0]),
        max: Point3::new(x[1], y[1], z[1]),
    }
}

impl World {
    pub(crate) fn with(mut self, b: Aabb) -> Self {
        self.boxes.push(b);
        self
    }

    /// A rectangular room with walls 0.1 m thick and 2.5 m high around its inside.
    pub(crate) fn room(self, x: [f64; 2], y: [f64; 2]) -> Self {
        let (t, z) = (0.1, [0.0, 2.5]);
        self.with(block([x[0] - t, x[0]], [y[0] - t, y[1] + t], z))
            .with(block([x[1], x[1] + t], [y[0] - t, y[1] + t], z))
            .with(block([x[0], x[1]], [y[0] - t, y[0]], z))
            .with(block([x[0], x[1]], [y[1], y[1] + t], z))
    }

    /// Two rooms of 4 m x 5 m side by side, a door between them, and furniture.
    pub(crate) fn apartment() -> Self {
        World::default()
            .room([-1.0, 7.1], [-2.5, 2.5])
            .with(block([3.0, 3.1], [-2.5, -0.45], [0.0, 2.5]))
            .with(block([3.0, 3.1], [0.45, 2.5], [0.0, 2.5]))
            // sofa, cupboard, table top on two legs, bed, shelf
            .with(block([-1.0, -0.2], [1.0, 2.5], [0.0, 0.8]))
            .with(block([1.4, 2.2], [-2.5, -2.0], [0.0, 1.9]))
            .with(block([0.6, 1.8], [1.5, 2.3], [0.7, 0.75]))
            .with(block([0.6, 0.66], [1.5, 1.56], [0.0, 0.7]))
            .with(block([1.74, 1.8], [1.5, 1.56], [0.0, 0.7]))
            .with(block([5.1, 7.1], [0.9, 2.5], [0.0, 0.5]))
            .with(block([4.0, 5.2], [-2.5, -2.1], [0.0, 1.6]))
    }

    /// Depth along z in the optical frame; NaN beyond 6 m and nearer than 0.25 m. `sigma` is the standard
    /// deviation at 1 m, growing with the square of depth.
    pub(crate) fn depth(
        &self,
        camera: &CameraIntrinsics,
        world_from_camera: &Pose3,
        sigma: f64,
        noise: &mut Noise,
    ) -> DepthImage {
        let origin = world_from_camera.translation.vector;
        let rotation = world_from_camera.rotation.to_rotation_matrix();
        let mut data = Vec::with_capacity((camera.width * camera.height) as usize);
        for row in 0..camera.height {
            for column in 0..camera.width {
                let ray = rotation * camera.pixel_ray(column, row);
                let mut depth = if ray.z < 0.0 {
                    -origin.z / ray.z
                } else {
                    f64::INFINITY
                };
                for b in &self.boxes {
                    let (mut enter, mut leave) = (0.0f64, f64::INFINITY);
                    for a in 0..3 {
                        let inverse = 1.0 / ray[a];
                        let (p, q) = ((b.min[a] - origin[a]) * inverse, (b.max[a] - origin[a]) * inverse);
                        enter = enter.max(p.min(q));
                        leave = leave.min(p.max(q));
                    }
                    if enter <= leave && enter > 0.0 {
                        depth = depth.min(enter);
                    }
                }
                if sigma > 0.0 {
                    depth += sigma * depth * depth * noise.normal();
                }
                data.push(if (0.25..6.0).contains(&depth) {
                    depth as f32
                } else {
                    f32::NAN
                });
            }
        }
        DepthImage::new(camera.width, camera.height, data).unwrap()
    }

    /// Whether the base would hit something at a point: a box that reaches into the heights 0.06 to 1.4 m
    /// within `margin_m` on the floor.
    pub(crate) fn is_blocked(&self, x: f64, y: f64, margin_m: f64) -> bool {
        self.boxes.iter().any(|b| {
            b.max.z > 0.06
                && b.min.z < 1.4
                && x > b.min.x - margin_m
                && x < b.max.x + margin_m
                && y > b.min.y - margin_m
                && y < b.max.y + margin_m
        })
    }
}

pub(crate) fn camera(width: u32, height: u32) -> CameraIntrinsics {
    CameraIntrinsics::from_horizontal_fov(width, height, 75f64.to_radians())
}

/// A head camera 1.35 m above the floor, turned left by `pan` and down by `tilt`.
pub(crate) fn base_from_camera(pan: f64, tilt: f64) -> Pose3 {
    let forward = Vector3::new(tilt.cos(), 0.0, -tilt.sin());
    let right = -Vector3::y();
    let down = forward.cross(&right);
    let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), pan);
    let columns = nalgebra::Matrix3::from_columns(&[right, down, forward]);
    let optical = Rotation3::from_rotation_matrix(&nalgebra::Rotation3::from_matrix_unchecked(columns));
    Pose3::from_parts(nalgebra::Translation3::new(-0.1, 0.0, 1.35), turn * optical)
}

/// Poses at 5 Hz of a robot that turns towards each waypoint at 0.8 rad/s and drives there at 0.4 m/s.
pub(crate) fn drive(waypoints: &[[f64; 2]]) -> Vec<Pose2> {
    let mut pose = Pose2::new(waypoints[0][0], waypoints[0][1], 0.0);
    let mut poses = vec![pose];
    for to in &waypoints[1..] {
        let heading = (to[1] - pose.y_m).atan2(to[0] - pose.x_m);
        loop {
            let turn = wrap_angle_rad(heading - pose.yaw_rad);
            pose.yaw_rad += turn.clamp(-0.16, 0.16);
            poses.push(pose);
            if turn.abs() < 1e-9 {
                break;
            }
        }
        loop {
            let left = (to[0] - pose.x_m).hypot(to[1] - pose.y_m);
            let step = left.min(0.08);
            pose.x_m += step * heading.cos();
            pose.y_m += step * heading.sin();
            poses.push(pose);
            if left <= 0.08 {
                break;
            }
        }
    }
    poses
}

/// What wheels with the wrong radius and track, a bias and noise say about a drive that starts at the origin
/// of its own frame.
pub(crate) fn odometry(
    truth: &[Pose2],
    scale: f64,
    turn_scale: f64,
    bias_rad_per_m: f64,
    noise: &mut Noise,
) -> Vec<Pose2> {
    let mut pose = Pose2::default();
    let mut poses = vec![pose];
    for pair in truth.windows(2) {
        let moved = pair[0].distance_m(&pair[1]);
        let turned = wrap_angle_rad(pair[1].yaw_rad - pair[0].yaw_rad);
        let jitter = 0.002;
        pose.yaw_rad += turned * turn_scale + moved * bias_rad_per_m + turned.abs() * jitter * noise.normal();
        let step = moved * (scale + jitter * noise.normal());
        pose.x_m += step * pose.yaw_rad.cos();
        pose.y_m += step * pose.yaw_rad.sin();
        poses.push(pose);
    }
    poses
}
