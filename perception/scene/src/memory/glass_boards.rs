//! Boards of glass in furniture. A depth camera measures hardly any of them, so a board shows as a stretch of the
//! furniture's mask without depth. Where that ends, the wall behind it begins to be measured, at the board's height.

use steward_core::geometry::{OrientedBox, Point3};

use super::MemoryConfig;
use super::view::{Mask, Observation};

/// Pixels of the mask without depth from which a board is looked for.
const LEAST_UNMEASURED: usize = 150;
/// Rows below the wall that show the board, and how many of them may have depth.
const DEEP_PX: u32 = 8;
const MOST_MEASURED: usize = 2;
/// Boards are seen from at least this far above, metres.
const SEEN_FROM_M: f64 = 0.05;
/// Where the wall begins all along a board differs in height by at most this, metres.
const LEVEL_M: f64 = 0.02;
/// Columns and length of a wall that begin at one height above a board, metres.
const LEAST_COLUMNS: usize = 12;
const LEAST_LENGTH_M: f64 = 0.15;
/// Of so many pixels in a row or column one makes a point.
const STRIDE: u32 = 3;

/// Where the wall behind a board begins in the image, and where that is in `map`.
struct Foot {
    column: u32,
    row: u32,
    at: Point3,
}

/// Points on the boards of glass in the furniture with this mask, whose view has this box; frame `map`.
pub(crate) fn points_on(
    observation: &Observation<'_>,
    config: &MemoryConfig,
    mask: &Mask,
    label: u16,
    shape: &OrientedBox,
) -> Vec<Point3> {
    if mask.pixels - mask.measured < LEAST_UNMEASURED {
        return Vec::new();
    }
    let mut feet = feet_of(observation, config, mask, label);
    feet.sort_by(|a, b| a.at.z.total_cmp(&b.at.z));
    let mut points = Vec::new();
    while let Some(level) = fullest_level(&feet) {
        let board: Vec<Foot> = feet.drain(level).collect();
        if board.len() < LEAST_COLUMNS || length_m(&board) < LEAST_LENGTH_M {
            break;
        }
        let height_m = board[board.len() / 2].at.z;
        for foot in board.iter().filter(|f| f.column % STRIDE == 0) {
            points.extend(
                seen_below(observation, config, mask, label, foot, height_m)
                    .filter(|p| shape.contains(p, 0.0)),
            );
        }
    }
    points
}

fn feet_of(observation: &Observation<'_>, config: &MemoryConfig, mask: &Mask, label: u16) -> Vec<Foot> {
    let camera_m = observation.map_from_camera.translation.vector.z;
    let is_of = |column, row| observation.labels.get(column, row) == Some(&label);
    let depth = |column, row| observation.depth_at(column, row, config);
    let mut feet = Vec::new();
    for column in mask.left..=mask.right {
        for row in mask.top + 1..mask.bottom.saturating_sub(DEEP_PX) {
            let is_wall = (row - 1..=row).all(|r| is_of(column, r) && depth(column, r).is_some());
            if !is_wall || depth(column, row + 1).is_some() {
                continue;
            }
            let Some(z) = depth(column, row) else {
                continue;
            };
            let below = row + 1..=row + DEEP_PX;
            let is_board = below.clone().all(|r| is_of(column, r))
                && below.filter(|r| depth(column, *r).is_some()).count() <= MOST_MEASURED;
            let at = observation.point_at(f64::from(column), f64::from(row), z);
            if is_board && at.z < camera_m - SEEN_FROM_M {
                feet.push(Foot { column, row, at });
            }
        }
    }
    feet
}

/// The most feet, sorted by height, that are level; `None` where there are none.
fn fullest_level(feet: &[Foot]) -> Option<std::ops::Range<usize>> {
    let end_of = |from: usize| feet.partition_point(|f| f.at.z <= feet[from].at.z + LEVEL_M);
    (0..feet.len())
        .map(|from| from..end_of(from))
        .max_by_key(ExactSizeIterator::len)
}

/// Distance over the ground between the outermost feet of a board along the image, metres.
fn length_m(board: &[Foot]) -> f64 {
    let first = board.iter().min_by_key(|f| f.column);
    let last = board.iter().max_by_key(|f| f.column);
    first
        .zip(last)
        .map_or(0.0, |(first, last)| (last.at - first.at).xy().norm())
}

/// Where the lines of sight of the pixels without depth below a foot meet a height.
fn seen_below<'a>(
    observation: &'a Observation<'a>,
    config: &'a MemoryConfig,
    mask: &Mask,
    label: u16,
    foot: &Foot,
    height_m: f64,
) -> impl Iterator<Item = Point3> + 'a {
    let camera_at = Point3::from(observation.map_from_camera.translation.vector);
    let column = foot.column;
    (foot.row + 1..=mask.bottom)
        .step_by(STRIDE as usize)
        .filter(move |row| observation.labels.get(column, *row) == Some(&label))
        .filter(move |row| observation.depth_at(column, *row, config).is_none())
        .filter_map(move |row| {
            let sight = observation.point_at(f64::from(column), f64::from(row), 1.0) - camera_at;
            let depth_m = (height_m - camera_at.z) / sight.z;
            (sight.z < 0.0).then(|| camera_at + sight * depth_m)
        })
}
