//! What is in the way of the arm: occupied voxels around the robot.
//!
//! A voxel is believed once enough depth points fell into it, and given up once the camera sees through it: its
//! centre projects to pixels that all measure something clearly farther away. A pixel without a measurement, or
//! one that shows the robot itself, says nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::frames;
use steward_core::geometry::{Point3, Pose2, Pose3};
use steward_core::image::DepthImage;
use steward_core::messages::{Header, ObstacleCloud};

use crate::Result;
use crate::error::check_range;
use crate::occupancy::{ExcludedBall, check_camera_pose, check_pose, check_same_size};

/// How obstacles for the arm are remembered.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ObstacleConfig {
    /// Side of a voxel, metres.
    pub voxel_m: f64,
    /// Half side of the square around the base that is remembered, metres.
    pub reach_m: f64,
    /// Height up to which is remembered, metres.
    pub top_m: f64,
    /// Every n-th column and row of the image is read.
    pub pixel_step: u32,
    /// Depth is ignored below this, metres.
    pub near_m: f64,
    /// Without a mask of the robot's own pixels, depth is ignored below this, metres.
    pub unmasked_near_m: f64,
    /// Points below this height are floor, metres.
    pub floor_m: f64,
    /// Growth of that height with the square of depth, metres per square metre.
    pub floor_noise_per_m: f64,
    /// Points are moved this far along their ray, metres, so that a surface fills the voxel behind it and
    /// not, by noise, the one before it.
    pub surface_offset_m: f64,
    /// Points of one image that make it see a voxel.
    pub min_points: u32,
    /// Images that must see a voxel before it is published.
    pub min_images: u32,
    /// Images for which a voxel is remembered at most once they see through it.
    pub max_images: u32,
    /// A voxel is seen through where the depth is larger than that of its centre by this, metres.
    pub through_m: f64,
    /// Growth of that with the square of depth, metres per square metre.
    pub through_noise_per_m: f64,
    /// Largest distance from the origin of `map`, metres.
    pub max_side_m: f64,
}

impl Default for ObstacleConfig {
    fn default() -> Self {
        ObstacleConfig {
            voxel_m: 0.025,
            reach_m: 2.0,
            top_m: 2.0,
            pixel_step: 2,
            near_m: 0.25,
            unmasked_near_m: 1.3,
            floor_m: 0.03,
            floor_noise_per_m: 0.002,
            surface_offset_m: 0.005,
            min_points: 2,
            min_images: 1,
            max_images: 3,
            through_m: 0.025,
            through_noise_per_m: 0.004,
            max_side_m: 60.0,
        }
    }
}

impl ObstacleConfig {
    /// # Errors
    /// [`Error::BadConfig`](crate::Error::BadConfig) naming the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        check_range("obstacles.voxel_m", self.voxel_m, 5e-3, 0.5)?;
        check_range("obstacles.reach_m", self.reach_m, self.voxel_m, 5.0)?;
        check_range("obstacles.top_m", self.top_m, self.voxel_m, 5.0)?;
        check_range("obstacles.pixel_step", self.pixel_step as f64, 0.0, 64.0)?;
        check_range("obstacles.near_m", self.near_m, 0.0, 10.0)?;
        check_range("obstacles.unmasked_near_m", self.unmasked_near_m, 0.0, 10.0)?;
        check_range("obstacles.floor_m", self.floor_m, 0.0, 1.0)?;
        check_range("obstacles.floor_noise_per_m", self.floor_noise_per_m, -1e-12, 0.1)?;
        check_range("obstacles.surface_offset_m", self.surface_offset_m, -1e-12, 0.2)?;
        check_range("obstacles.min_points", self.min_points as f64, 0.0, 1e4)?;
        check_range("obstacles.min_images", self.min_images as f64, 0.0, 100.0)?;
        check_range(
            "obstacles.max_images",
            self.max_images as f64,
            self.min_images as f64 - 0.5,
            100.0,
        )?;
        check_range("obstacles.through_m", self.through_m, 0.0, 1.0)?;
        check_range(
            "obstacles.through_noise_per_m",
            self.through_noise_per_m,
            -1e-12,
            1.0,
        )?;
        check_range("obstacles.max_side_m", self.max_side_m, 0.0, 200.0)
    }
}

/// The depth image and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct DepthView<'a> {
    /// Depth, metres along the optical axis, NaN where there is none.
    pub depth: &'a DepthImage,
    /// Intrinsics.
    pub camera: &'a CameraIntrinsics,
    /// Row-major, `true` where a pixel shows the robot itself.
    pub robot_pixels: Option<&'a [bool]>,
    /// `base_from_camera` (optical frame).
    pub base_from_camera: &'a Pose3,
    /// Left out: what the gripper holds. Frame `base_link`.
    pub excluded: &'a [ExcludedBall],
}

/// The largest integer that is not larger. On processors without an instruction for it, `f64::floor` is a call.
fn floor(x: f64) -> i64 {
    let toward_zero = x as i64;
    toward_zero - i64::from(x < toward_zero as f64)
}

#[derive(Debug, Clone, Copy, Default)]
struct Voxel {
    /// Images that saw it, less those that saw through it.
    images: u8,
    /// Points of the current image.
    points: u16,
}

/// Voxels in a square that moves with the robot. Frame: `map`.
///
/// Columns of voxels live in a fixed array at their index modulo its side; a column remembers which place it
/// stands for and starts anew when the square has moved on.
#[derive(Debug, Clone)]
pub struct ObstacleMap {
    config: ObstacleConfig,
    side: i64,
    layers: usize,
    /// The place that each slot stands for.
    places: Vec<[i64; 2]>,
    /// Whether a slot has anything in its voxels: most of space is empty.
    filled: Vec<bool>,
    voxels: Vec<Voxel>,
    center: [i64; 2],
    newest: Time,
}

impl ObstacleMap {
    /// # Errors
    /// [`Error::BadConfig`](crate::Error::BadConfig)
    pub fn new(config: ObstacleConfig) -> Result<Self> {
        config.validate()?;
        let side = 2 * (config.reach_m / config.voxel_m).ceil() as i64 + 1;
        let layers = (config.top_m / config.voxel_m).ceil() as usize;
        let slots = (side * side) as usize;
        Ok(ObstacleMap {
            side,
            layers,
            places: vec![[i64::MIN; 2]; slots],
            filled: vec![false; slots],
            voxels: vec![Voxel::default(); slots * layers],
            center: [0; 2],
            newest: Time::ZERO,
            config,
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.places.fill([i64::MIN; 2]);
        self.filled.fill(false);
        self.voxels.fill(Voxel::default());
        self.newest = Time::ZERO;
    }

    /// Enters a depth image.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) for image, mask and camera that do not fit each other,
    /// [`Error::BadPose`](crate::Error::BadPose) for a pose of camera or base that cannot be. The map is then
    /// unchanged.
    pub fn integrate(&mut self, view: &DepthView<'_>, map_from_base: &Pose2, stamp: Time) -> Result<()> {
        view.camera.validate()?;
        check_same_size(view.depth, view.camera, view.robot_pixels)?;
        check_camera_pose(view.base_from_camera)?;
        check_pose("base", map_from_base, self.config.max_side_m)?;
        self.newest = self.newest.max(stamp);
        let index = |x: f64| floor(x / self.config.voxel_m);
        self.center = [index(map_from_base.x_m), index(map_from_base.y_m)];
        let map_from_camera = map_from_base.to_pose3() * view.base_from_camera;
        self.count_points(view, map_from_base, &map_from_camera);
        self.judge(view, &map_from_camera);
        Ok(())
    }

    /// Forgets voxels within a ball, for a thing that the gripper has just taken away.
    pub fn forget_ball(&mut self, center: &Point3, radius_m: f64) {
        let v = self.config.voxel_m;
        for slot in 0..self.places.len() {
            let place = self.places[slot];
            if !self.filled[slot] || !self.is_inside(place) {
                continue;
            }
            for layer in 0..self.layers {
                if (voxel_center(place, layer, v) - center).norm() <= radius_m {
                    self.voxels[slot * self.layers + layer] = Voxel::default();
                }
            }
        }
    }

    /// The occupied voxels by column, row, then height.
    pub fn to_message(&self) -> ObstacleCloud {
        let reach = self.side / 2;
        let mut points = Vec::new();
        for j in self.center[1] - reach..=self.center[1] + reach {
            for i in self.center[0] - reach..=self.center[0] + reach {
                let slot = self.slot([i, j]);
                if self.places[slot] != [i, j] || !self.filled[slot] {
                    continue;
                }
                for layer in 0..self.layers {
                    if u32::from(self.voxels[slot * self.layers + layer].images) >= self.config.min_images {
                        points.push(voxel_center([i, j], layer, self.config.voxel_m));
                    }
                }
            }
        }
        ObstacleCloud {
            header: Header::new(self.newest, frames::MAP),
            voxel_m: self.config.voxel_m,
            points: Arc::new(points),
        }
    }

    fn count_points(&mut self, view: &DepthView<'_>, map_from_base: &Pose2, map_from_camera: &Pose3) {
        let c = self.config.clone();
        let near = if view.robot_pixels.is_some() {
            c.near_m
        } else {
            c.unmasked_near_m
        };
        let (camera, width) = (view.camera, view.camera.width as usize);
        let base = map_from_base.to_pose3();
        let held: Vec<(Point3, f64)> = view
            .excluded
            .iter()
            .map(|b| (base * b.center, b.radius_m * b.radius_m))
            .collect();
        let rotation = map_from_camera.rotation.to_rotation_matrix();
        let r = rotation.matrix();
        let t = map_from_camera.translation.vector;
        let voxels_per_m = 1.0 / c.voxel_m;
        for row in (0..camera.height).step_by(c.pixel_step as usize) {
            let y = (row as f64 + 0.5 - camera.cy) / camera.fy;
            let of_row = r.column(1) * y + r.column(2);
            for column in (0..camera.width).step_by(c.pixel_step as usize) {
                let at = row as usize * width + column as usize;
                let d = view.depth.data()[at] as f64;
                // Also refuses NaN.
                if !(d >= near && d <= 2.0 * (c.reach_m + c.top_m))
                    || view.robot_pixels.is_some_and(|m| m[at])
                {
                    continue;
                }
                let x = (column as f64 + 0.5 - camera.cx) / camera.fx;
                let ray = (r.column(0) * x + of_row) * d;
                let surface = Point3::from(t + ray);
                if surface.z < c.floor_m + c.floor_noise_per_m * d * d {
                    continue;
                }
                if held
                    .iter()
                    .any(|(center, r2)| (surface - center).norm_squared() < *r2)
                {
                    continue;
                }
                let p = surface + ray * (c.surface_offset_m / ray.norm());
                let [i, j] = [p.x, p.y].map(|x| floor(x * voxels_per_m));
                let layer = (p.z.max(0.0) / c.voxel_m) as usize;
                if layer >= self.layers || !self.is_inside([i, j]) {
                    continue;
                }
                let slot = self.claim([i, j]);
                let voxel = &mut self.voxels[slot * self.layers + layer];
                voxel.points = voxel.points.saturating_add(1);
            }
        }
    }

    /// Believes voxels with enough points, and doubts those that the image sees through.
    fn judge(&mut self, view: &DepthView<'_>, map_from_camera: &Pose3) {
        let camera_from_map = map_from_camera.inverse();
        for slot in 0..self.places.len() {
            let place = self.places[slot];
            if !self.filled[slot] || !self.is_inside(place) {
                continue;
            }
            self.filled[slot] = false;
            for layer in 0..self.layers {
                let voxel = self.voxels[slot * self.layers + layer];
                if voxel.images == 0 && voxel.points == 0 {
                    continue;
                }
                let images = if u32::from(voxel.points) >= self.config.min_points {
                    (u32::from(voxel.images) + 1).min(self.config.max_images) as u8
                } else if voxel.images > 0
                    && voxel.points == 0
                    && self.is_seen_through(view, &camera_from_map, place, layer)
                {
                    voxel.images - 1
                } else {
                    voxel.images
                };
                self.voxels[slot * self.layers + layer] = Voxel { images, points: 0 };
                self.filled[slot] |= images > 0;
            }
        }
    }

    fn is_seen_through(
        &self,
        view: &DepthView<'_>,
        camera_from_map: &Pose3,
        place: [i64; 2],
        layer: usize,
    ) -> bool {
        let c = &self.config;
        let p = camera_from_map * voxel_center(place, layer, c.voxel_m);
        let near = if view.robot_pixels.is_some() {
            c.near_m
        } else {
            c.unmasked_near_m
        };
        if p.z < near {
            return false;
        }
        let Some((u, v)) = view.camera.project(&p) else {
            return false;
        };
        // The middle and four points half-way to the voxel's rim must all be clear.
        let quarter = 0.25 * c.voxel_m / p.z;
        let (du, dv) = (quarter * view.camera.fx, quarter * view.camera.fy);
        let width = view.camera.width;
        [(0.0, 0.0), (-du, -dv), (du, -dv), (-du, dv), (du, dv)]
            .into_iter()
            .all(|(a, b)| {
                let (u, v) = (u + a, v + b);
                if !view.camera.contains(u, v, 0.0) {
                    return false;
                }
                let at = v as usize * width as usize + u as usize;
                let robot = view.robot_pixels.is_some_and(|m| m[at]);
                let depth = view.depth.data()[at] as f64;
                !robot && depth.is_finite() && depth > p.z + c.through_m + c.through_noise_per_m * p.z * p.z
            })
    }

    fn is_inside(&self, place: [i64; 2]) -> bool {
        let reach = self.side / 2;
        (0..2).all(|a| place[a] >= self.center[a] - reach && place[a] <= self.center[a] + reach)
    }

    fn slot(&self, place: [i64; 2]) -> usize {
        (place[1].rem_euclid(self.side) * self.side + place[0].rem_euclid(self.side)) as usize
    }

    /// The slot for a place that a point fell into, emptied if it stood for another.
    fn claim(&mut self, place: [i64; 2]) -> usize {
        let slot = self.slot(place);
        if self.places[slot] != place {
            self.places[slot] = place;
            self.voxels[slot * self.layers..][..self.layers].fill(Voxel::default());
        }
        self.filled[slot] = true;
        slot
    }
}

fn voxel_center(place: [i64; 2], layer: usize, voxel_m: f64) -> Point3 {
    Point3::new(
        (place[0] as f64 + 0.5) * voxel_m,
        (place[1] as f64 + 0.5) * voxel_m,
        (layer as f64 + 0.5) * voxel_m,
    )
}
