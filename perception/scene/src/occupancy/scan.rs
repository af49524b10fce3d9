use nalgebra as na;
use serde::{Deserialize, Serialize};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Point3, Pose3};
use steward_core::image::DepthImage;

use crate::error::check_range;
use crate::{Error, Result};

/// How a depth image is read.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ScanConfig {
    /// Every n-th column of the image is read.
    pub column_step: u32,
    /// Every n-th row of the image is read.
    pub row_step: u32,
    /// Angle between neighbouring bearings, radians.
    pub bearing_step_rad: f64,
    /// Distance between neighbouring rings around the camera, metres.
    pub ring_step_m: f64,
    /// Depth is ignored below this, metres.
    pub near_m: f64,
    /// Without a mask of the robot's own pixels, depth is ignored below this, metres: the arm may be in view.
    pub unmasked_near_m: f64,
    /// Distance on the floor from the camera up to which anything is trusted, metres.
    pub max_range_m: f64,
    /// Height above the floor from which a point is an obstacle when it is near, metres.
    pub floor_tolerance_m: f64,
    /// Growth of that height with the square of depth, metres per square metre: depth noise grows so.
    pub floor_noise_per_m: f64,
    /// Height up to which a point is an obstacle, metres; the base passes below what is higher.
    pub obstacle_top_m: f64,
    /// Points needed to believe in an obstacle, in a bearing and ring together with their neighbours.
    pub min_points: u32,
    /// Lower end of the heights in which upright structure is sought, metres.
    pub structure_bottom_m: f64,
    /// Upper end of the heights in which upright structure is sought, metres.
    pub structure_top_m: f64,
    /// Points above each other must span this height to be upright structure, metres.
    pub structure_extent_m: f64,
    /// Rows of the image between two points whose slope tells upright from level.
    pub structure_rows: u32,
}

impl Default for ScanConfig {
    fn default() -> Self {
        ScanConfig {
            column_step: 2,
            row_step: 1,
            bearing_step_rad: 0.5f64.to_radians(),
            ring_step_m: 0.05,
            near_m: 0.25,
            unmasked_near_m: 1.3,
            max_range_m: 4.0,
            floor_tolerance_m: 0.03,
            floor_noise_per_m: 0.002,
            obstacle_top_m: 1.4,
            min_points: 3,
            structure_bottom_m: 0.1,
            structure_top_m: 1.8,
            structure_extent_m: 0.25,
            structure_rows: 6,
        }
    }
}

impl ScanConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        check_range("scan.column_step", self.column_step as f64, 0.0, 64.0)?;
        check_range("scan.row_step", self.row_step as f64, 0.0, 64.0)?;
        check_range("scan.bearing_step_rad", self.bearing_step_rad, 1e-3, 0.2)?;
        check_range("scan.ring_step_m", self.ring_step_m, 5e-3, 0.5)?;
        check_range("scan.max_range_m", self.max_range_m, 0.2, 20.0)?;
        check_range("scan.near_m", self.near_m, 0.0, self.max_range_m)?;
        check_range(
            "scan.unmasked_near_m",
            self.unmasked_near_m,
            0.0,
            self.max_range_m,
        )?;
        check_range("scan.floor_tolerance_m", self.floor_tolerance_m, 0.0, 0.5)?;
        check_range("scan.floor_noise_per_m", self.floor_noise_per_m, -1e-12, 0.1)?;
        check_range(
            "scan.obstacle_top_m",
            self.obstacle_top_m,
            self.floor_tolerance_m,
            10.0,
        )?;
        check_range("scan.min_points", self.min_points as f64, 0.0, 1e4)?;
        check_range("scan.structure_rows", self.structure_rows as f64, 0.0, 1e3)?;
        check_range("scan.structure_bottom_m", self.structure_bottom_m, 0.0, 10.0)?;
        check_range(
            "scan.structure_top_m",
            self.structure_top_m,
            self.structure_bottom_m,
            10.0,
        )?;
        check_range(
            "scan.structure_extent_m",
            self.structure_extent_m,
            0.0,
            self.structure_top_m,
        )
    }

    /// Height above the floor from which a point at this depth is an obstacle, metres.
    fn floor_threshold_m(&self, depth_m: f32) -> f32 {
        self.floor_tolerance_m as f32 + self.floor_noise_per_m as f32 * depth_m * depth_m
    }
}

/// A ball whose inside is left out, for what the gripper holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExcludedBall {
    /// Centre, frame `base_link`.
    pub center: Point3,
    /// Radius, metres.
    pub radius_m: f64,
}

/// What became of the pixels that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PixelCounts {
    /// Used.
    pub used: u32,
    /// Without a measurement (NaN, infinite, zero or negative).
    pub missing: u32,
    /// Masked as the robot's own, too near, or in an excluded ball.
    pub robot: u32,
    /// Farther than trusted.
    pub far: u32,
}

/// A point of upright structure (wall, front of furniture) seen at one bearing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructurePoint {
    /// Position on the floor, frame `base_link`, metres.
    pub position_m: [f64; 2],
    /// Distance from the camera on the floor, metres.
    pub range_m: f64,
}

/// What one depth image says about the floor. Frame: `base_link`, projected to the floor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scan {
    /// The camera's position on the floor, metres.
    pub origin_m: [f64; 2],
    /// Where obstacles for the base were seen, metres.
    pub obstacles_m: Vec<[f64; 2]>,
    /// Where bare floor was seen, metres.
    pub free_m: Vec<[f64; 2]>,
    /// Upright structure, bearing by bearing.
    pub structure: Vec<StructurePoint>,
    /// What became of the pixels.
    pub pixels: PixelCounts,
}

/// What was seen at one bearing and ring.
#[derive(Debug, Clone, Copy, Default)]
struct PolarCell {
    obstacle_points: u32,
    obstacle_sum: [f32; 2],
    /// Some obstacle point is higher than noise can lift the floor.
    tall: bool,
    /// Largest slope (height above the camera over distance) of an obstacle point.
    max_slope: f32,
    floor_points: u32,
    structure_points: u32,
    structure_sum: [f32; 2],
    structure_z: [f32; 2],
}

/// Reads depth images; keeps its buffers between images.
#[derive(Debug, Clone)]
pub struct Scanner {
    config: ScanConfig,
    rings: usize,
    bearings: usize,
    /// Bearing-major.
    cells: Vec<PolarCell>,
    /// Cells written by the current image.
    touched: Vec<u32>,
    seen_bearings: Vec<bool>,
    /// Distance and height of the points of the last rows in a column.
    above: Vec<[f32; 2]>,
    rays: Rays,
}

/// Rays through the pixels that are read, for one metre of depth, along the axes of the base.
#[derive(Debug, Clone, Default)]
struct Rays {
    /// What each row adds.
    of_rows: Vec<na::Vector3<f32>>,
    /// Those of the present column.
    of_column: Vec<na::Vector3<f32>>,
    /// Their lengths over the floor.
    lengths: Vec<f32>,
    /// Their bearings; the number of one is its whole part.
    bearings: Vec<f32>,
}

impl Rays {
    /// Goes to the next column. None of this depends on the depth, so it is done for all rows at once without a branch.
    fn trace(&mut self, of_column: &na::Vector3<f32>, bearing_per_rad: f32) {
        self.of_column.clear();
        self.of_column
            .extend(self.of_rows.iter().map(|row| of_column + row));
        self.lengths.clear();
        self.lengths.extend(
            self.of_column
                .iter()
                .map(|ray| (ray.x * ray.x + ray.y * ray.y).sqrt()),
        );
        self.bearings.clear();
        self.bearings.extend(
            self.of_column
                .iter()
                .map(|ray| full_turn_angle_rad(ray.y, ray.x) * bearing_per_rad),
        );
    }
}

/// The angle of (x, y) from the x axis, 0 to 2π, to 2e-5 rad: much finer than a bearing, and several times
/// faster than the exact one. Polynomial of Abramowitz and Stegun, 4.4.47, for the arc tangent up to 1.
fn full_turn_angle_rad(y: f32, x: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, PI, TAU};
    let (ax, ay) = (x.abs(), y.abs());
    let ratio = ax.min(ay) / ax.max(ay).max(f32::MIN_POSITIVE);
    let s = ratio * ratio;
    let mut angle =
        ratio * (0.999_866 + s * (-0.330_299_5 + s * (0.180_141 + s * (-0.085_133 + s * 0.020_835_1))));
    if ay > ax {
        angle = FRAC_PI_2 - angle;
    }
    if x < 0.0 {
        angle = PI - angle;
    }
    if y < 0.0 { TAU - angle } else { angle }
}

impl Scanner {
    /// # Errors
    /// [`Error::BadConfig`]
    pub fn new(config: ScanConfig) -> Result<Self> {
        config.validate()?;
        let rings = (config.max_range_m / config.ring_step_m).ceil() as usize;
        let bearings = (std::f64::consts::TAU / config.bearing_step_rad).ceil() as usize;
        Ok(Scanner {
            rings,
            bearings,
            cells: vec![PolarCell::default(); rings * bearings],
            touched: Vec::new(),
            seen_bearings: vec![false; bearings],
            above: Vec::new(),
            rays: Rays::default(),
            config,
        })
    }

    /// Its configuration.
    pub fn config(&self) -> &ScanConfig {
        &self.config
    }

    /// Reads one depth image.
    ///
    /// `robot_pixels` is row-major, `true` where a pixel shows the robot itself. `base_from_camera` takes the
    /// optical frame to `base_link`, whose origin is on the floor.
    ///
    /// # Errors
    /// [`Error::Core`] where image, mask and camera do not fit each other, [`Error::BadPose`] where the camera
    /// is not a few decimetres to metres above the floor, or tilted about its viewing axis beyond use.
    pub fn scan(
        &mut self,
        depth: &DepthImage,
        camera: &CameraIntrinsics,
        robot_pixels: Option<&[bool]>,
        base_from_camera: &Pose3,
        excluded: &[ExcludedBall],
    ) -> Result<Scan> {
        camera.validate()?;
        check_same_size(depth, camera, robot_pixels)?;
        check_camera_pose(base_from_camera)?;
        for &c in &self.touched {
            self.cells[c as usize] = PolarCell::default();
        }
        self.touched.clear();
        self.seen_bearings.fill(false);

        let pixels = self.collect(depth, camera, robot_pixels, base_from_camera, excluded);
        let origin = base_from_camera.translation.vector;
        let mut scan = Scan {
            origin_m: [origin.x, origin.y],
            pixels,
            ..Scan::default()
        };
        for bearing in 0..self.bearings {
            if self.seen_bearings[bearing] {
                self.read_bearing(bearing, origin.z, &mut scan);
            }
        }
        Ok(scan)
    }

    /// Sorts the image's points into bearings and rings.
    fn collect(
        &mut self,
        depth: &DepthImage,
        camera: &CameraIntrinsics,
        robot_pixels: Option<&[bool]>,
        base_from_camera: &Pose3,
        excluded: &[ExcludedBall],
    ) -> PixelCounts {
        /// Horizontal distance per height of an upright surface, above what noise and oblique walls make.
        const LARGEST_LEAN: f32 = 0.6;
        const TALL_M: f32 = 0.08;
        let c = &self.config;
        let near = if robot_pixels.is_some() {
            c.near_m
        } else {
            c.unmasked_near_m
        } as f32;
        let mut pixels = PixelCounts::default();
        let rotation = base_from_camera
            .rotation
            .to_rotation_matrix()
            .matrix()
            .cast::<f32>();
        let origin = base_from_camera.translation.vector.cast::<f32>();
        let width = camera.width as usize;
        let rings_per_m = (1.0 / c.ring_step_m) as f32;
        let bearing_per_rad = (self.bearings as f64 / std::f64::consts::TAU) as f32;
        let obstacle_top_m = c.obstacle_top_m as f32;
        let structure_m = c.structure_bottom_m as f32..c.structure_top_m as f32;
        let excluded: Vec<_> = excluded
            .iter()
            .map(|b| (b.center.coords.cast::<f32>(), (b.radius_m * b.radius_m) as f32))
            .collect();
        // What a row adds to the ray through a pixel, along the axes of the base.
        self.rays.of_rows.clear();
        self.rays
            .of_rows
            .extend((0..camera.height).step_by(c.row_step as usize).map(|row| {
                let y = ((f64::from(row) + 0.5 - camera.cy) / camera.fy) as f32;
                rotation.column(1) * y + rotation.column(2)
            }));
        let row_stride = width * c.row_step as usize;
        // Column by column, so that the cells of a bearing stay in the cache.
        for column in (0..camera.width).step_by(c.column_step as usize) {
            let x = ((f64::from(column) + 0.5 - camera.cx) / camera.fx) as f32;
            self.rays.trace(&(rotation.column(0) * x), bearing_per_rad);
            // Distance and height of the points of the last rows, in a ring.
            self.above.clear();
            self.above.resize(c.structure_rows as usize, [f32::NAN; 2]);
            let mut above_at = 0;
            for (row, ray) in self.rays.of_column.iter().enumerate() {
                let above = std::mem::replace(&mut self.above[above_at], [f32::NAN; 2]);
                let this = above_at;
                above_at += 1;
                if above_at == self.above.len() {
                    above_at = 0;
                }
                let at = row * row_stride + column as usize;
                let d = depth.data()[at];
                if !d.is_finite() || d <= 0.0 {
                    pixels.missing += 1;
                    continue;
                }
                if d < near || robot_pixels.is_some_and(|m| m[at]) {
                    pixels.robot += 1;
                    continue;
                }
                // From the camera to the point, along the axes of the base.
                let ahead = ray * d;
                let range = self.rays.lengths[row] * d;
                let ring = (range * rings_per_m) as usize;
                if ring >= self.rings {
                    pixels.far += 1;
                    continue;
                }
                let p = origin + ahead;
                self.above[this] = [range, p.z];
                if excluded
                    .iter()
                    .any(|(center, radius2)| (p - center).norm_squared() < *radius2)
                {
                    pixels.robot += 1;
                    continue;
                }
                pixels.used += 1;
                let height = p.z;
                let threshold = c.floor_threshold_m(d);
                let is_floor = height.abs() < threshold;
                let is_obstacle = height >= threshold && height < obstacle_top_m;
                // Upright: the point some rows above is higher by more than it is farther. False for NaN.
                let rise = above[1] - height;
                let is_upright = (above[0] - range).abs() < LARGEST_LEAN * rise;
                let is_structure = is_upright && structure_m.contains(&height);
                if !(is_floor || is_obstacle || is_structure) {
                    continue;
                }
                let bearing = (self.rays.bearings[row] as usize).min(self.bearings - 1);
                let index = bearing * self.rings + ring;
                let cell = &mut self.cells[index];
                if cell.floor_points + cell.obstacle_points + cell.structure_points == 0 {
                    self.touched.push(index as u32);
                    self.seen_bearings[bearing] = true;
                }
                if is_floor {
                    cell.floor_points += 1;
                }
                if is_obstacle {
                    cell.tall |= height > threshold + TALL_M;
                    let slope = ahead.z / range.max(1e-6);
                    cell.max_slope = if cell.obstacle_points == 0 {
                        slope
                    } else {
                        cell.max_slope.max(slope)
                    };
                    cell.obstacle_points += 1;
                    cell.obstacle_sum[0] += p.x;
                    cell.obstacle_sum[1] += p.y;
                }
                if is_structure {
                    cell.structure_z = if cell.structure_points == 0 {
                        [height, height]
                    } else {
                        [cell.structure_z[0].min(height), cell.structure_z[1].max(height)]
                    };
                    cell.structure_points += 1;
                    cell.structure_sum[0] += p.x;
                    cell.structure_sum[1] += p.y;
                }
            }
        }
        pixels
    }

    /// Walks outwards along one bearing.
    fn read_bearing(&self, bearing: usize, camera_height_m: f64, scan: &mut Scan) {
        /// Floor is taken to go on across this many rings without evidence, which is what lies between
        /// neighbouring rows of the image at the far end.
        const LARGEST_GAP_RINGS: usize = 2;
        let c = &self.config;
        let angle = (bearing as f64 + 0.5) * std::f64::consts::TAU / self.bearings as f64;
        let direction = [angle.cos(), angle.sin()];
        let cells = &self.cells[bearing * self.rings..][..self.rings];
        let at = |ring: usize| {
            let range = (ring as f64 + 0.5) * c.ring_step_m;
            [0, 1].map(|a| scan.origin_m[a] + direction[a] * range)
        };
        let mut highest_slope = f32::NEG_INFINITY;
        let mut blocked = false;
        let mut last_floor = None;
        for (ring, cell) in cells.iter().enumerate() {
            if cell.tall {
                highest_slope = highest_slope.max(cell.max_slope);
                blocked = true;
            }
            // Points a little above the floor among many on it are noise.
            let believed = cell.obstacle_points > 0
                && (cell.tall || cell.floor_points <= 4 * cell.obstacle_points)
                && self.points_around(bearing, ring) >= c.min_points;
            if believed {
                let n = cell.obstacle_points as f32;
                scan.obstacles_m
                    .push(cell.obstacle_sum.map(|sum| (sum / n) as f64));
                highest_slope = highest_slope.max(cell.max_slope);
                blocked = true;
                continue;
            }
            // Floor behind an obstacle counts only where it was seen over the obstacle's top: below a table
            // top there is floor too, but the base cannot go there.
            let slope = -(camera_height_m / ((ring as f64 + 0.5) * c.ring_step_m)) as f32;
            let floor = cell.floor_points > 0 && !cell.tall && slope > highest_slope;
            if !floor {
                continue;
            }
            if let Some(last) = last_floor
                && !blocked
                && ring - last <= LARGEST_GAP_RINGS + 1
            {
                scan.free_m.extend(
                    (last + 1..ring)
                        .filter(|&k| cells[k].obstacle_points == 0)
                        .map(at),
                );
            }
            scan.free_m.push(at(ring));
            last_floor = Some(ring);
        }
        self.find_structure(cells, scan);
    }

    /// Obstacle points in a bearing and ring and in those around.
    fn points_around(&self, bearing: usize, ring: usize) -> u32 {
        let rings = ring.saturating_sub(1)..(ring + 2).min(self.rings);
        [self.bearings - 1, 0, 1]
            .into_iter()
            .flat_map(|d| &self.cells[(bearing + d) % self.bearings * self.rings..][rings.clone()])
            .map(|cell| cell.obstacle_points)
            .sum()
    }

    /// Finds places along one bearing where points stand above each other. The noise of depth spreads a wall
    /// over two rings, so rings are taken in pairs.
    fn find_structure(&self, cells: &[PolarCell], scan: &mut Scan) {
        const SMALLEST_POINTS: u32 = 6;
        let c = &self.config;
        let mut ring = 0;
        while ring < cells.len() {
            let pair = &cells[ring..(ring + 2).min(cells.len())];
            let seen = || pair.iter().filter(|cell| cell.structure_points > 0);
            let points: u32 = seen().map(|cell| cell.structure_points).sum();
            let low = seen().fold(f32::INFINITY, |z, cell| z.min(cell.structure_z[0]));
            let high = seen().fold(f32::NEG_INFINITY, |z, cell| z.max(cell.structure_z[1]));
            let starts_here = cells[ring].structure_points > 0;
            if !starts_here || ((high - low) as f64) < c.structure_extent_m || points < SMALLEST_POINTS {
                ring += 1;
                continue;
            }
            let mean = |a: usize| seen().map(|cell| cell.structure_sum[a]).sum::<f32>() / points as f32;
            let position_m = [mean(0) as f64, mean(1) as f64];
            let range_m = (position_m[0] - scan.origin_m[0]).hypot(position_m[1] - scan.origin_m[1]);
            scan.structure.push(StructurePoint { position_m, range_m });
            ring += 2;
        }
    }
}

pub(crate) fn check_same_size(
    depth: &DepthImage,
    camera: &CameraIntrinsics,
    robot_pixels: Option<&[bool]>,
) -> Result<()> {
    if (depth.width(), depth.height()) != (camera.width, camera.height) {
        return Err(Error::Core(steward_core::Error::BadImage(format!(
            "depth is {}x{} but the camera is {}x{}",
            depth.width(),
            depth.height(),
            camera.width,
            camera.height
        ))));
    }
    if let Some(mask) = robot_pixels
        && mask.len() != depth.data().len()
    {
        return Err(Error::Core(steward_core::Error::BadImage(format!(
            "the mask has {} pixels, the depth image {}",
            mask.len(),
            depth.data().len()
        ))));
    }
    Ok(())
}

pub(crate) fn check_camera_pose(base_from_camera: &Pose3) -> Result<()> {
    let refuse = |reason: String| {
        Err(Error::BadPose {
            what: "camera",
            reason,
        })
    };
    let t = base_from_camera.translation.vector;
    let q = base_from_camera.rotation.coords;
    if !(t.iter().all(|x| x.is_finite()) && q.iter().all(|x| x.is_finite())) {
        return refuse("it is not finite".into());
    }
    if !(0.05..=3.0).contains(&t.z) || t.x.hypot(t.y) > 2.0 {
        return refuse(format!(
            "({:.2}, {:.2}, {:.2}) m is not on a robot that stands on the floor",
            t.x, t.y, t.z
        ));
    }
    Ok(())
}
