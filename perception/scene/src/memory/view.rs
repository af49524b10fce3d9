//! What one frame shows of each instance: points in `map`, a box, and whether all of it is in view.

use steward_core::Time;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{OrientedBox, Point3, Pose3, Vector3};
use steward_core::image::{DepthImage, Detection, LabelImage};

use super::shape::{fit_box, fit_sides_box, horizontal_axes, median};
use super::{MemoryConfig, glass_boards, see_through};
use crate::{Error, Result};

/// One frame with what a detector said about it and where the camera was.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// Time of the exposure.
    pub stamp: Time,
    /// `map_from_camera`, optical frame.
    pub map_from_camera: Pose3,
    /// Intrinsics of depth and labels.
    pub camera: CameraIntrinsics,
    /// Depth, metres along the optical axis, NaN where there is none.
    pub depth: &'a DepthImage,
    /// Instance numbers, same size as `depth`.
    pub labels: &'a LabelImage,
    /// The instances.
    pub detections: &'a [Detection],
}

impl Observation<'_> {
    /// # Errors
    /// [`Error::Core`] where sizes differ or the intrinsics are unusable, [`Error::BadPose`] for a camera pose
    /// that is not finite.
    pub fn validate(&self) -> Result<()> {
        self.camera.validate()?;
        let expected = (self.camera.width, self.camera.height);
        for (what, width, height) in [
            ("depth", self.depth.width(), self.depth.height()),
            ("labels", self.labels.width(), self.labels.height()),
        ] {
            if (width, height) != expected {
                return Err(Error::Core(steward_core::Error::BadImage(format!(
                    "{what} is {width}x{height} but the camera is {}x{}; send images of one size",
                    expected.0, expected.1
                ))));
            }
        }
        let pose = &self.map_from_camera;
        if !pose.translation.vector.iter().all(|x| x.is_finite())
            || !pose.rotation.coords.iter().all(|x| x.is_finite())
        {
            return Err(Error::BadPose {
                what: "head camera",
                reason: "it is not finite".into(),
            });
        }
        Ok(())
    }

    /// What a pixel shows at a depth, frame `map`.
    pub(crate) fn point_at(&self, column: f64, row: f64, depth_m: f64) -> Point3 {
        self.map_from_camera * self.camera.unproject(column + 0.5, row + 0.5, depth_m)
    }

    /// Depth at a pixel, if it is a measurement within range.
    pub(crate) fn depth_at(&self, column: u32, row: u32, config: &MemoryConfig) -> Option<f64> {
        let z = f64::from(*self.depth.get(column, row)?);
        (z.is_finite() && z >= config.min_depth_m && z <= config.max_depth_m).then_some(z)
    }
}

/// One instance in one frame.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) class: String,
    pub(crate) score: f64,
    /// Sampled surface points, frame `map`.
    pub(crate) points: Vec<Point3>,
    /// Whether the surface faces up at the point of the same index.
    pub(crate) upward: Vec<bool>,
    /// Pixels of the mask with a usable depth.
    pub(crate) pixels: usize,
    /// Box around the points, grown by what eroding the mask cost, frame `map`.
    pub(crate) shape: OrientedBox,
    /// The mask meets the left or right border of the image.
    pub(crate) cut_sideways: bool,
    /// The mask meets the upper or lower border of the image.
    pub(crate) cut_vertically: bool,
    /// Share of the mask's outline behind which something nearer begins.
    pub(crate) hidden_share: f64,
    /// Median depth, metres.
    pub(crate) depth_m: f64,
    /// Where the camera was, frame `map`.
    pub(crate) camera_at: Point3,
}

impl View {
    /// Part of the thing lies outside the image or behind something nearer.
    pub(crate) fn is_partial(&self) -> bool {
        self.cut_sideways || self.cut_vertically || self.hidden_share > 0.12
    }
}

/// Counts while a mask is scanned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    pub(crate) pixels: usize,
    /// Those with usable depth.
    pub(crate) measured: usize,
    outline: usize,
    /// Outline pixels without usable depth.
    blind: usize,
    hidden: usize,
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) top: u32,
    pub(crate) bottom: u32,
}

/// Pixels further than this from the expected surface of their neighbours are flying.
fn depth_tolerance_m(depth_m: f64) -> f64 {
    0.02 + 0.015 * depth_m
}

/// Turns a frame into views, one per usable instance, in the order of `detections`.
///
/// Instances of ignored classes, with too few pixels with depth, or without a detection are left out; `on_drop`
/// is told the reason for each instance that should have been usable.
pub(crate) fn views_of(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    mut on_drop: impl FnMut(&'static str),
) -> Vec<View> {
    let labels = observation.labels;
    let (width, height) = (labels.width() as usize, labels.height() as usize);
    let data = labels.data();
    let largest = observation
        .detections
        .iter()
        .map(|d| d.instance)
        .max()
        .unwrap_or(0);
    // Index into `wanted` plus one, 0 for instances nobody asks about.
    let mut slot_of = vec![0usize; usize::from(largest) + 1];
    let mut handle = vec![false; usize::from(largest) + 1];
    let mut robot = vec![false; usize::from(largest) + 1];
    let mut named = vec![false; usize::from(largest) + 1];
    let mut wanted: Vec<&Detection> = Vec::new();
    for detection in observation.detections {
        let at = usize::from(detection.instance);
        if detection.instance == 0 || named[at] {
            on_drop("detection_instance_invalid");
            continue;
        }
        named[at] = true;
        robot[at] = detection.class == super::ROBOT_CLASS;
        if config.ignored_classes.contains(&detection.class) {
            continue;
        }
        if detection.class.is_empty() {
            on_drop("detection_class_empty");
            continue;
        }
        let score = f64::from(detection.score);
        if score.is_nan() || score < config.min_score {
            on_drop("detection_score_low");
            continue;
        }
        handle[at] = detection.class == super::HANDLE_CLASS;
        wanted.push(detection);
        slot_of[at] = wanted.len();
    }
    let slot = |label: u16| slot_of.get(usize::from(label)).copied().unwrap_or(0);

    let mut masks = vec![Mask::default(); wanted.len()];
    let mut unnamed = false;
    for row in 0..height {
        for column in 0..width {
            let label = data[row * width + column];
            if label == 0 {
                continue;
            }
            let s = slot(label);
            if s == 0 {
                unnamed |= !named.get(usize::from(label)).copied().unwrap_or(false);
                continue;
            }
            let mask = &mut masks[s - 1];
            let (c, r) = (column as u32, row as u32);
            if mask.pixels == 0 {
                (mask.left, mask.right, mask.top, mask.bottom) = (c, c, r, r);
            } else {
                (mask.left, mask.right) = (mask.left.min(c), mask.right.max(c));
                mask.bottom = r;
            }
            mask.pixels += 1;
            let here = observation.depth_at(c, r, config);
            mask.measured += usize::from(here.is_some());
            // The outline towards the right and below, and of the same mask seen from the other side.
            let mut neighbours = [None; 4];
            if column > 0 {
                neighbours[0] = Some((column - 1, row));
            }
            if column + 1 < width {
                neighbours[1] = Some((column + 1, row));
            }
            if row > 0 {
                neighbours[2] = Some((column, row - 1));
            }
            if row + 1 < height {
                neighbours[3] = Some((column, row + 1));
            }
            for (nc, nr) in neighbours.into_iter().flatten() {
                let other = data[nr * width + nc];
                if other == label {
                    continue;
                }
                mask.outline += 1;
                mask.blind += usize::from(here.is_none());
                if handle.get(usize::from(other)).copied().unwrap_or(false) {
                    continue;
                }
                let there = observation.depth_at(nc as u32, nr as u32, config);
                // Of the arm in front of the camera there may be no depth.
                let is_robot = robot.get(usize::from(other)).copied().unwrap_or(false);
                let is_behind = match (here, there) {
                    (Some(here), Some(there)) if is_robot => there < here,
                    (Some(here), Some(there)) => there < here - 2.0 * depth_tolerance_m(here),
                    (Some(_), None) => is_robot,
                    (None, _) => false,
                };
                mask.hidden += usize::from(is_behind);
            }
        }
    }
    if unnamed {
        on_drop("labels_without_detection");
    }

    let mut views = Vec::with_capacity(wanted.len());
    for (mask, detection) in masks.iter().zip(&wanted) {
        if mask.pixels < config.min_pixels {
            if mask.pixels == 0 {
                on_drop("detection_without_pixels");
            }
            continue;
        }
        match view_of(observation, config, mask, detection) {
            Some(view) => views.push(view),
            None => on_drop("detection_without_depth"),
        }
    }
    views
}

fn view_of(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    mask: &Mask,
    detection: &Detection,
) -> Option<View> {
    let camera = &observation.camera;
    let labels = observation.labels;
    let label = detection.instance;
    let camera_at = Point3::from(observation.map_from_camera.translation.vector);
    let (right, bottom) = (camera.width - 1, camera.height - 1);
    let view = |shape: OrientedBox, points: Vec<Point3>, upward: Vec<bool>, depth_m: f64| View {
        class: detection.class.clone(),
        score: f64::from(detection.score).clamp(0.0, 1.0),
        upward,
        pixels: mask.pixels,
        shape,
        cut_sideways: mask.left == 0 || mask.right == right,
        cut_vertically: mask.top == 0 || mask.bottom == bottom,
        hidden_share: mask.hidden as f64 / mask.outline.max(1) as f64,
        depth_m,
        camera_at,
        points,
    };
    if let Some(shape) = see_through::box_of(observation, config, mask, label, &camera_at) {
        let points = see_through::points_on(&shape, &camera_at);
        let depth_m = observation
            .map_from_camera
            .inverse_transform_point(&shape.center)
            .z;
        let upward = vec![false; points.len()];
        return Some(view(shape, points, upward, depth_m));
    }
    let same = |c: i64, r: i64| c >= 0 && r >= 0 && labels.get(c as u32, r as u32) == Some(&label);
    let stride = ((mask.pixels as f64 / config.max_points as f64).sqrt().ceil() as u32).max(1);

    // Of a wide mask the border is left out, where depth mixes with the background. Of a small one that would
    // cost too much, so there only flying pixels are.
    let wide = mask.pixels >= 1500;
    let mut picked: Vec<(u32, u32, f64)> = Vec::new();
    let mut eroded = false;
    for strict in if wide { &[true, false][..] } else { &[false][..] } {
        let strict = *strict;
        picked.clear();
        let mut row = mask.top;
        while row <= mask.bottom {
            let mut column = mask.left;
            while column <= mask.right {
                let (c, r) = (i64::from(column), i64::from(row));
                let inside = same(c, r)
                    && (!strict
                        || ((same(c - 1, r) || column == 0)
                            && (same(c + 1, r) || column + 1 == camera.width)
                            && (same(c, r - 1) || row == 0)
                            && (same(c, r + 1) || row + 1 == camera.height)));
                if inside && let Some(z) = observation.depth_at(column, row, config) {
                    // A flying pixel agrees with at most one of its neighbours.
                    let tolerance = depth_tolerance_m(z);
                    let mut agreeing = 0;
                    for (dc, dr) in [
                        (-1, 0),
                        (1, 0),
                        (0, -1),
                        (0, 1),
                        (-1, -1),
                        (1, -1),
                        (-1, 1),
                        (1, 1),
                    ] {
                        if same(c + dc, r + dr)
                            && let Some(other) =
                                observation.depth_at((c + dc) as u32, (r + dr) as u32, config)
                            && (other - z).abs() <= tolerance
                        {
                            agreeing += 1;
                        }
                    }
                    if agreeing >= 2 {
                        picked.push((column, row, z));
                    }
                }
                column += stride;
            }
            row += stride;
        }
        eroded = strict;
        if picked.len() >= config.min_pixels.max(12) {
            break;
        }
    }
    if picked.len() < (config.min_pixels / 2).max(4) {
        return None;
    }

    let mut depths: Vec<f64> = picked.iter().map(|p| p.2).collect();
    let depth_m = median(&mut depths)?;
    // Small things: the background that leaked through the mask is far from the median.
    let extent_m = {
        let pixels = f64::from((mask.right - mask.left).max(mask.bottom - mask.top) + 1);
        pixels / camera.fx * depth_m
    };
    if extent_m < config.large_m {
        let mut deviations: Vec<f64> = picked.iter().map(|p| (p.2 - depth_m).abs()).collect();
        let spread = median(&mut deviations)? * 1.4826;
        let limit = (4.0 * spread).max(1.2 * extent_m).max(0.05);
        picked.retain(|p| (p.2 - depth_m).abs() <= limit);
    }

    let mut points: Vec<Point3> = picked
        .iter()
        .map(|&(c, r, z)| observation.point_at(f64::from(c), f64::from(r), z))
        .collect();
    let mut upward: Vec<bool> = picked
        .iter()
        .map(|&(c, r, z)| faces_up(observation, config, label, c, r, z))
        .collect();
    let trim = if points.len() >= 80 { 0.01 } else { 0.0 };
    let mut shape = fit_box(&points, trim)?;
    if extent_m < config.large_m && steepness(&shape, &camera_at) < STEEP {
        shape = fit_sides_box(&points, trim)?;
    }
    // Pixel centres end half a pixel before the outline does; eroding, or depth that is missing along the
    // outline, takes up to one more. What was lost lies across the line of sight.
    let blind = mask.blind as f64 / mask.outline.max(1) as f64;
    let lost_px = if eroded { 1.5 } else { 0.5 + blind } + 0.5 * f64::from(stride - 1);
    grow(&mut shape, &camera_at, lost_px * depth_m / camera.fx);
    if extent_m < config.large_m
        && let Some(support_m) = support_height_m(observation, config, mask, label, &shape)
    {
        let top = shape.top_m();
        shape.half.z = 0.5 * (top - support_m);
        shape.center.z = 0.5 * (top + support_m);
    }
    // Nothing lies below the floor.
    if shape.bottom_m() < 0.0 && shape.top_m() > 0.01 {
        let top = shape.top_m();
        shape.half.z = top * 0.5;
        shape.center.z = top * 0.5;
    }

    if extent_m >= config.large_m {
        points.extend(glass_boards::points_on(observation, config, mask, label, &shape));
        upward.resize(points.len(), true);
    }
    Some(view(shape, points, upward, depth_m))
}

/// Height of what a small thing stands on, from what is seen right beside its mask, where that is lower than what was seen of
/// the thing itself: from above one sees its top alone. `None` where that says nothing.
fn support_height_m(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    mask: &Mask,
    label: u16,
    shape: &OrientedBox,
) -> Option<f64> {
    /// As far as this from the box, what is seen carries the thing, metres.
    const BESIDE_M: f64 = 0.04;
    /// What is lower than this below what was seen is something else, metres.
    const DEEPEST_M: f64 = 0.3;
    /// Share of the outline beside which it must be seen.
    const SHARE: f64 = 0.15;
    /// The highest of it, but for noise: an edge is seen from its top downwards.
    const QUANTILE: f64 = 0.8;
    let labels = observation.labels;
    let (width, height) = (i64::from(labels.width()), i64::from(labels.height()));
    let mut heights = Vec::new();
    for row in mask.top..=mask.bottom {
        for column in mask.left..=mask.right {
            if labels.get(column, row) != Some(&label) {
                continue;
            }
            for (dc, dr) in [(-2, 0), (2, 0), (0, -2), (0, 2)] {
                let (c, r) = (i64::from(column) + dc, i64::from(row) + dr);
                if c < 0 || r < 0 || c >= width || r >= height {
                    continue;
                }
                let (c, r) = (c as u32, r as u32);
                if labels.get(c, r) == Some(&label) {
                    continue;
                }
                let Some(z) = observation.depth_at(c, r, config) else {
                    continue;
                };
                let p = observation.point_at(f64::from(c), f64::from(r), z);
                let is_below = p.z < shape.bottom_m() && p.z > shape.bottom_m() - DEEPEST_M;
                if is_below && shape.contains(&Point3::new(p.x, p.y, shape.center.z), BESIDE_M) {
                    heights.push(p.z);
                }
            }
        }
    }
    if (heights.len() as f64) < SHARE * 2.0 * mask.outline as f64 || heights.len() < 8 {
        return None;
    }
    let at = ((heights.len() - 1) as f64 * QUANTILE) as usize;
    Some(*heights.select_nth_unstable_by(at, f64::total_cmp).1)
}

/// Seen from this steeply above, a thing's top shows how it stands.
const STEEP: f64 = 0.35;
/// How square to a front a view is that shows nothing of the sides: within 20 degrees.
pub(crate) const SQUARE: f64 = 0.94;

/// How far the camera is above the top of a box, as a multiple of the way there over the ground.
pub(crate) fn steepness(shape: &OrientedBox, camera_at: &Point3) -> f64 {
    (camera_at.z - shape.top_m()) / (camera_at - shape.center).xy().norm().max(1e-9)
}

/// Grows a box by what was lost all around in the image plane: a length across the line of sight. Where the top
/// is seen at a shallow angle, the same length hides a longer stretch of it at the far side.
fn grow(shape: &mut OrientedBox, camera_at: &Point3, lost_m: f64) {
    let to_shape = shape.center - camera_at;
    let Some(sight) = to_shape.try_normalize(1e-9) else {
        return;
    };
    let steep = steepness(shape, camera_at);
    // What is lost across the line of sight hides that much of level ground, by the sine of the angle to it.
    let sine = (steep / steep.hypot(1.0)).clamp(0.2, 1.0);
    let flat = Vector3::new(sight.x, sight.y, 0.0);
    let across = |axis: &Vector3| (1.0 - axis.dot(&sight).powi(2)).max(0.0).sqrt();
    let axes = horizontal_axes(shape);
    for (i, axis) in axes.iter().enumerate() {
        let along = axis.dot(&flat);
        let sideways = lost_m * (1.0 - (along / flat.norm().max(1e-9)).powi(2)).max(0.0).sqrt();
        // A side that is seen ends where it ends, however little of the top shows.
        let ends_unseen = steep >= STEEP || along.abs() > SQUARE * flat.norm();
        let far = if steep > 0.0 && ends_unseen {
            (lost_m / sine).min(0.04) * along.abs()
        } else {
            0.0
        };
        shape.half[i] += sideways + 0.5 * far;
        shape.center += axis * (0.5 * far * along.signum());
    }
    shape.half.z += lost_m * across(&Vector3::z());
}

/// Whether the surface at a pixel faces up, from the depths two pixels away on each side.
fn faces_up(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    label: u16,
    column: u32,
    row: u32,
    depth_m: f64,
) -> bool {
    const REACH: u32 = 2;
    if depth_m > config.surface_depth_m || column < REACH || row < REACH {
        return false;
    }
    let at = |c: u32, r: u32| {
        let z = (observation.labels.get(c, r) == Some(&label))
            .then(|| observation.depth_at(c, r, config))
            .flatten()?;
        Some(
            observation
                .camera
                .unproject(f64::from(c) + 0.5, f64::from(r) + 0.5, z),
        )
    };
    let (Some(left), Some(right), Some(above), Some(below)) = (
        at(column - REACH, row),
        at(column + REACH, row),
        at(column, row - REACH),
        at(column, row + REACH),
    ) else {
        return false;
    };
    // x right and y down in the image: right x above points towards the camera's side of the surface.
    let normal = (right - left).cross(&(above - below));
    let Some(normal) = (observation.map_from_camera.rotation * normal).try_normalize(1e-12) else {
        return false;
    };
    normal.z > 0.8
}
