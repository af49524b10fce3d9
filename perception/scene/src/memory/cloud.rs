//! Points of one thing gathered over many views, thinned by a voxel grid, and the surfaces found in them.

use std::collections::BTreeMap;

use steward_core::geometry::{OrientedBox, Point3, Vector3};
use steward_core::messages::SupportSurface;

use super::shape::{fit_furniture_box, rectangle_at};

type Key = [i32; 3];

#[derive(Debug, Clone, Default)]
struct Voxel {
    sum: Vector3,
    count: f64,
    upward: f64,
    /// Frames in which it was hit.
    frames: u32,
    /// Frames that saw through it since it was last hit.
    doubt: u32,
}

/// Frames that must see through a voxel before it goes; slim parts are missed by a pixel now and then.
const DOUBT_LIMIT: u32 = 3;

/// A thinned point cloud. Memory is bounded by `max_voxels`.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    voxel_m: f64,
    max_voxels: usize,
    /// By ascending key: every frame goes over all of them, which a tree makes slow.
    voxels: Vec<(Key, Voxel)>,
    frames: u32,
}

/// Samples behind one mean are limited, so that newer views replace older ones.
const MAX_COUNT: f64 = 60.0;

impl Cloud {
    pub(crate) fn new(voxel_m: f64, max_voxels: usize) -> Self {
        Cloud {
            voxel_m,
            max_voxels,
            voxels: Vec::new(),
            frames: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.voxels.clear();
        self.frames = 0;
    }

    fn key(&self, p: &Point3) -> Key {
        // Coordinates are bounded by the depth range and the finite pose; the cast saturates.
        [0, 1, 2].map(|i| (p[i] / self.voxel_m).floor() as i32)
    }

    /// Adds the points of one frame. New voxels beyond the limit are left out.
    pub(crate) fn add(&mut self, points: &[Point3], upward: &[bool]) {
        self.frames = self.frames.saturating_add(1);
        let mut keyed: Vec<(Key, usize)> = points.iter().enumerate().map(|(i, p)| (self.key(p), i)).collect();
        keyed.sort_unstable();
        let hits = keyed.chunk_by(|a, b| a.0 == b.0).map(|group| (group[0].0, group));
        self.merge(hits, |voxel, group| {
            for &(_, i) in group {
                voxel.sum += points[i].coords;
                voxel.count += 1.0;
                voxel.upward += f64::from(u8::from(upward.get(i).copied().unwrap_or(false)));
            }
            if voxel.count > MAX_COUNT {
                let keep = MAX_COUNT / voxel.count;
                voxel.sum *= keep;
                voxel.upward *= keep;
                voxel.count = MAX_COUNT;
            }
            voxel.frames = voxel.frames.saturating_add(1);
            voxel.doubt = 0;
        });
    }

    /// Changes the voxels with the given ascending keys, and makes those that are missing while there is room.
    fn merge<T>(&mut self, hits: impl Iterator<Item = (Key, T)>, mut change: impl FnMut(&mut Voxel, T)) {
        let old = self.voxels.len();
        let mut from = 0;
        for (key, hit) in hits {
            from += self.voxels[from..old].partition_point(|(k, _)| *k < key);
            if from < old && self.voxels[from].0 == key {
                change(&mut self.voxels[from].1, hit);
            } else if self.voxels.len() < self.max_voxels {
                let mut voxel = Voxel::default();
                change(&mut voxel, hit);
                self.voxels.push((key, voxel));
            }
        }
        if self.voxels.len() > old {
            // Two ascending runs: merged in linear time.
            self.voxels.sort_by_key(|(key, _)| *key);
        }
    }

    /// Takes over the points of another cloud with the same grid.
    pub(crate) fn absorb(&mut self, other: &Cloud) {
        self.frames = self.frames.saturating_add(other.frames);
        self.merge(other.voxels.iter().map(|(k, v)| (*k, v)), |voxel, theirs| {
            voxel.sum += theirs.sum;
            voxel.count += theirs.count;
            voxel.upward += theirs.upward;
            voxel.frames = voxel.frames.saturating_add(theirs.frames);
        });
    }

    /// Tells for which points this frame looked right through; voxels seen through repeatedly are removed.
    pub(crate) fn carve(&mut self, mut seen_through: impl FnMut(&Point3) -> bool) {
        self.voxels.retain_mut(|(_, v)| {
            if seen_through(&Point3::from(v.sum / v.count)) {
                v.doubt += 1;
            }
            v.doubt < DOUBT_LIMIT
        });
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.voxels.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.voxels.is_empty()
    }

    /// One point per voxel. Once there were enough frames, voxels that only one frame saw are noise.
    pub(crate) fn points(&self) -> Vec<Point3> {
        let needed = if self.frames >= 6 { 2 } else { 1 };
        self.voxels
            .iter()
            .map(|(_, v)| v)
            .filter(|v| v.frames >= needed)
            .map(|v| Point3::from(v.sum / v.count))
            .collect()
    }

    /// At most `n` points, spread evenly over the voxels.
    pub(crate) fn sample(&self, n: usize) -> Vec<Point3> {
        let step = self.voxels.len().div_ceil(n.max(1)).max(1);
        self.voxels
            .iter()
            .step_by(step)
            .map(|(_, v)| Point3::from(v.sum / v.count))
            .collect()
    }

    /// Box around the points and further ones that are known to belong to the thing.
    pub(crate) fn shape(&self, further: &[Point3], expected_rad: Option<f64>) -> Option<OrientedBox> {
        let mut points = self.points();
        let trim = if points.len() >= 200 { 0.004 } else { 0.0 };
        points.extend_from_slice(further);
        fit_furniture_box(&points, trim, expected_rad)
    }

    /// Horizontal patches that face up, by ascending height: peaks of the histogram of the heights of
    /// upward-facing voxels, each with the rectangle (heading of `within`) that holds it.
    pub(crate) fn surfaces(&self, within: &OrientedBox, min_area_m2: f64) -> Vec<SupportSurface> {
        const BIN_M: f64 = 0.02;
        let facing: Vec<Point3> = self
            .voxels
            .iter()
            .map(|(_, v)| v)
            .filter(|v| v.upward >= 1.0 && v.upward >= 0.4 * v.count)
            .map(|v| Point3::from(v.sum / v.count))
            .collect();
        let cell_m2 = self.voxel_m * self.voxel_m;
        let mut bins: BTreeMap<i32, Vec<Point3>> = BTreeMap::new();
        for p in facing {
            bins.entry((p.z / BIN_M).floor() as i32).or_default().push(p);
        }
        let count = |bin: i32| bins.get(&bin).map_or(0, Vec::len);
        let spread = |bin: i32| count(bin - 1) + count(bin) + count(bin + 1);
        let mut surfaces: Vec<SupportSurface> = Vec::new();
        let mut taken: Option<i32> = None;
        for &bin in bins.keys() {
            let peak = (bin - 2..=bin + 2).all(|other| {
                let (a, b) = (spread(other), spread(bin));
                a < b
                    || (a == b && (count(other) < count(bin) || (count(other) == count(bin) && other >= bin)))
            });
            if !peak || spread(bin) as f64 * cell_m2 < min_area_m2 || taken.is_some_and(|t| bin - t <= 2) {
                continue;
            }
            taken = Some(bin);
            let patch: Vec<Point3> = (bin - 1..=bin + 1)
                .filter_map(|b| bins.get(&b))
                .flatten()
                .copied()
                .collect();
            let height_m = patch.iter().map(|p| p.z).sum::<f64>() / patch.len() as f64;
            let Some(mut rectangle) = rectangle_at(&patch, within.yaw_rad, 0.02) else {
                continue;
            };
            // Voxel means stop short of the edge, but never by more than half a voxel.
            for half in &mut rectangle.half {
                *half += 0.25 * self.voxel_m;
            }
            surfaces.push(SupportSurface {
                center: Point3::new(rectangle.center[0], rectangle.center[1], height_m),
                yaw_rad: rectangle.yaw_rad,
                half_x_m: rectangle.half[0],
                half_y_m: rectangle.half[1],
                clearance_m: SupportSurface::MAX_CLEARANCE_M,
            });
        }
        // Above a surface the next one, or the top of the thing, ends the free height.
        for i in 0..surfaces.len() {
            let here = surfaces[i];
            let above = surfaces[i + 1..]
                .iter()
                .find(|s| s.covers(here.center.x, here.center.y, 0.0))
                .map(|s| s.center.z - 0.02);
            let top = within.top_m();
            let covered = self.covered_at(&here, top);
            let limit = above.or((covered && top - here.center.z > 0.12).then_some(top - 0.03));
            if let Some(limit) = limit {
                surfaces[i].clearance_m = (limit - here.center.z).clamp(0.0, SupportSurface::MAX_CLEARANCE_M);
            }
        }
        surfaces
    }

    /// Whether points of the thing lie right above the middle of a surface, up to `top_m`.
    fn covered_at(&self, surface: &SupportSurface, top_m: f64) -> bool {
        let (half_x_m, half_y_m) = (0.5 * surface.half_x_m, 0.5 * surface.half_y_m);
        let middle = SupportSurface {
            half_x_m,
            half_y_m,
            ..*surface
        };
        let above = self
            .voxels
            .iter()
            .map(|(_, v)| Point3::from(v.sum / v.count))
            .filter(|p| p.z > surface.center.z + 0.12 && p.z > top_m - 0.06)
            .filter(|p| middle.covers(p.x, p.y, 0.0))
            .count();
        above as f64 * self.voxel_m * self.voxel_m > 2.0 * half_x_m * half_y_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate(z: f64, x0: f64, x1: f64, y0: f64, y1: f64) -> Vec<Point3> {
        let steps = |a: f64, b: f64| (0..=((b - a) / 0.02) as i32).map(move |i| a + f64::from(i) * 0.02);
        steps(x0, x1)
            .flat_map(|x| steps(y0, y1).map(move |y| Point3::new(x, y, z)))
            .collect()
    }

    #[test]
    fn a_shelf_has_a_surface_per_board_and_little_room_between() {
        let mut cloud = Cloud::new(0.05, 10_000);
        for z in [0.3, 0.6, 0.9] {
            let points = plate(z, 0.0, 0.8, 0.0, 0.3);
            cloud.add(&points, &vec![true; points.len()]);
        }
        let shape = cloud.shape(&[], None).unwrap();
        let surfaces = cloud.surfaces(&shape, 0.02);
        let heights: Vec<f64> = surfaces.iter().map(SupportSurface::height_m).collect();
        assert_eq!(heights.len(), 3, "{surfaces:?}");
        for (found, expected) in heights.iter().zip([0.3, 0.6, 0.9]) {
            assert!((found - expected).abs() < 0.01);
        }
        assert!((surfaces[0].clearance_m - 0.28).abs() < 0.02);
        assert_eq!(surfaces[2].clearance_m, SupportSurface::MAX_CLEARANCE_M);
        assert!((surfaces[1].half_x_m - 0.4).abs() < 0.03 && (surfaces[1].half_y_m - 0.15).abs() < 0.03);
    }

    #[test]
    fn the_number_of_voxels_is_bounded() {
        let mut cloud = Cloud::new(0.05, 50);
        let points = plate(0.5, 0.0, 2.0, 0.0, 2.0);
        cloud.add(&points, &vec![false; points.len()]);
        assert_eq!(cloud.len(), 50);
    }
}
