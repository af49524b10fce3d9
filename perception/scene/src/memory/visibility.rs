//! Whether something that memory expects is really gone, or only out of sight.

use steward_core::geometry::Point3;

use super::MemoryConfig;
use super::entry::Entry;
use super::view::Observation;

/// What a frame says about a thing that it was not matched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Its place is in plain view and something else, or nothing, is there.
    Absent,
    /// Its place is out of the image, too far, hidden, or not measured.
    Unknown,
    /// Something of its class is at its place.
    Occupied,
}

/// Depth that much behind a point is clearly behind it, metres.
fn clearance_m(depth_m: f64) -> f64 {
    0.03 + 0.015 * depth_m
}

pub(crate) fn sight_of(entry: &Entry, observation: &Observation<'_>, config: &MemoryConfig) -> Sight {
    let camera = &observation.camera;
    let camera_from_map = observation.map_from_camera.inverse();
    let center = camera_from_map * entry.shape.center;
    if center.z < config.min_depth_m || center.z > config.expected_depth_m {
        return Sight::Unknown;
    }
    let probes = entry.probes();
    if probes.is_empty() {
        return Sight::Unknown;
    }
    // Sides as seen: the broader horizontal one and the height.
    let half = entry.shape.half;
    let expected_pixels =
        2.0 * half.x * camera.fx / center.z * (half.z + half.y).max(0.01) * camera.fy / center.z;
    if expected_pixels < config.expected_pixels {
        return Sight::Unknown;
    }
    let (mut gone, mut same) = (0usize, 0usize);
    for p in &probes {
        let q = camera_from_map * p;
        let Some((u, v)) = camera.project(&q) else {
            continue;
        };
        if !camera.contains(u, v, config.expected_margin_px) {
            continue;
        }
        let (column, row) = (u as u32, v as u32);
        let label = observation.labels.get(column, row).copied().unwrap_or(0);
        let class = observation
            .detections
            .iter()
            .find(|d| d.instance == label)
            .map(|d| d.class.as_str());
        if class == Some(entry.class.as_str()) {
            same += 1;
            continue;
        }
        let Some(measured) = observation.depth_at(column, row, config) else {
            continue;
        };
        if measured > q.z + clearance_m(q.z) {
            gone += 1;
        } else if measured > q.z - clearance_m(q.z) && class.is_some() {
            // The surface that is there belongs to something else.
            gone += 1;
        }
    }
    if same * 5 > probes.len() {
        Sight::Occupied
    } else if gone * 10 >= probes.len() * 7 {
        Sight::Absent
    } else {
        Sight::Unknown
    }
}

/// Whether this frame looks right through a point of a large thing.
pub(crate) fn is_seen_through(
    p: &Point3,
    observation: &Observation<'_>,
    camera_from_map: &steward_core::geometry::Pose3,
    config: &MemoryConfig,
) -> bool {
    let q = camera_from_map * p;
    if q.z < config.min_depth_m || q.z > config.expected_depth_m {
        return false;
    }
    observation
        .camera
        .project(&q)
        .filter(|(u, v)| observation.camera.contains(*u, *v, 3.0))
        .and_then(|(u, v)| observation.depth_at(u as u32, v as u32, config))
        .is_some_and(|measured| measured > q.z + 0.10 + 0.04 * q.z)
}
