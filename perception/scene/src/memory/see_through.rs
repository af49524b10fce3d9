//! Where a thing of glass stands. A depth camera measures hardly any of it, and what it measures is behind it; so the place
//! comes from what the thing stands on, seen right below its mask, and the size from the mask.

use steward_core::geometry::{OrientedBox, Point3, Vector3};

use super::MemoryConfig;
use super::shape::median;
use super::view::{Mask, Observation};

/// Fewer pixels may lack depth for other reasons.
const MIN_PIXELS: usize = 80;
/// Share of the pixels with depth from which a thing is not of glass.
const MOST_MEASURED: f64 = 0.3;
/// Rows below the mask in which the support is looked for.
const BELOW_PX: u32 = 4;
/// Of the heights seen there the one that counts, as a share of them from below.
const LOW_QUANTILE: f64 = 0.2;
/// Slope of the line of sight from which it meets the support at a point.
const LEAST_SLOPE: f64 = 0.1;
/// Radii and heights of small things, metres.
const RADII_M: std::ops::Range<f64> = 0.01..0.2;
const HEIGHTS_M: std::ops::Range<f64> = 0.02..0.5;

/// The upright box, frame `map`, of what stands where a mask says, if that is to be seen through.
pub(crate) fn box_of(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    mask: &Mask,
    label: u16,
    camera_at: &Point3,
) -> Option<OrientedBox> {
    let is_measured = mask.measured as f64 > MOST_MEASURED * mask.pixels as f64;
    if is_measured || mask.pixels < MIN_PIXELS || mask.bottom + BELOW_PX >= observation.camera.height {
        return None;
    }
    let is_of = |column: u32, row: u32| observation.labels.get(column, row) == Some(&label);
    let width_px = |row| {
        (mask.left..=mask.right)
            .filter(|column| is_of(*column, row))
            .count() as f64
    };
    let mut widths: Vec<f64> = (mask.top..=mask.bottom).map(width_px).collect();
    let mut below = Vec::new();
    for column in mask.left..=mask.right {
        let Some(lowest) = (mask.top..=mask.bottom).rev().find(|row| is_of(column, *row)) else {
            continue;
        };
        for row in lowest + 1..=lowest + BELOW_PX {
            if !is_of(column, row)
                && let Some(z) = observation.depth_at(column, row, config)
            {
                below.push(observation.point_at(f64::from(column), f64::from(row), z).z);
            }
        }
    }
    if below.len() < 4 {
        return None;
    }
    // What hides a part of the foot is higher than what the thing stands on.
    let at = (LOW_QUANTILE * below.len() as f64) as usize;
    let support_m = *below.select_nth_unstable_by(at, f64::total_cmp).1;
    let width_px = median(&mut widths)?;

    let middle = 0.5 * f64::from(mask.left + mask.right);
    let sight = |row: f64| observation.point_at(middle, row, 1.0) - camera_at;
    let down = sight(f64::from(mask.bottom));
    if -down.z < LEAST_SLOPE * down.xy().norm() {
        return None;
    }
    // The lower end of the mask is the near side of the foot, the upper end the far side of the rim.
    let near_depth_m = (support_m - camera_at.z) / down.z;
    let near = camera_at + down * near_depth_m;
    let radius_m = 0.5 * width_px * near_depth_m / observation.camera.fx;
    let ahead = Vector3::new(down.x, down.y, 0.0).try_normalize(1e-6)?;
    let center = near + ahead * radius_m;
    let up = sight(f64::from(mask.top));
    let far_depth_m = ((center - camera_at).dot(&ahead) + radius_m) / up.dot(&ahead);
    let height_m = camera_at.z + up.z * far_depth_m - support_m;
    if !RADII_M.contains(&radius_m) || !HEIGHTS_M.contains(&height_m) {
        return None;
    }
    Some(OrientedBox {
        center: Point3::new(center.x, center.y, support_m + 0.5 * height_m),
        yaw_rad: 0.0,
        half: Vector3::new(radius_m, radius_m, 0.5 * height_m),
    })
}

/// Points on the upright cylinder in a box, on the side towards the camera.
pub(crate) fn points_on(shape: &OrientedBox, camera_at: &Point3) -> Vec<Point3> {
    const AROUND: i32 = 8;
    const UP: i32 = 6;
    let bearing = (camera_at.y - shape.center.y).atan2(camera_at.x - shape.center.x);
    let around = (-AROUND / 2..=AROUND / 2).map(|i| {
        let turn = bearing + std::f64::consts::FRAC_PI_2 * f64::from(i) / f64::from(AROUND / 2);
        Vector3::new(shape.half.x * turn.cos(), shape.half.y * turn.sin(), 0.0)
    });
    around
        .flat_map(|aside| {
            (0..=UP).map(move |k| {
                let up = shape.half.z * (2.0 * f64::from(k) / f64::from(UP) - 1.0);
                shape.center + aside + Vector3::z() * up
            })
        })
        .collect()
}
