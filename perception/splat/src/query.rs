//! Asking a map where things are.

use std::num::NonZero;

use kiddo::SquaredEuclidean;
use kiddo::immutable::float::kdtree::ImmutableKdTree;
use nalgebra as na;
use rayon::prelude::*;
use steward_core::geometry::{Point3, Vector3};

use crate::map::GaussianMap;
use crate::math::{column, mul_transposed, normalized, rotation_matrix, sigmoid, sub};
use crate::{Error, Result, Subset, View};

/// Finds Gaussians by their centres. Holds the centres at the time it was made.
pub struct SpatialIndex {
    tree: ImmutableKdTree<f32, u64, 3, 32>,
    /// The tree has at least one point.
    empty: bool,
}

/// A Gaussian found by its distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Index into the map.
    pub index: usize,
    /// Distance of its centre, metres.
    pub distance_m: f32,
}

impl SpatialIndex {
    /// Gaussians within a distance, nearest first, equally near ones by index.
    pub fn within(&self, center: &Point3, radius_m: f64) -> Vec<Found> {
        if self.empty || radius_m.is_nan() || radius_m < 0.0 {
            return Vec::new();
        }
        let at = center.coords.map(|x| x as f32).into();
        let squared = (radius_m * radius_m) as f32;
        sorted(
            self.tree
                .within_unsorted::<SquaredEuclidean>(&at, squared)
                .iter()
                .map(|n| (n.item, n.distance)),
        )
    }

    /// The nearest `count` Gaussians, nearest first.
    pub fn nearest(&self, center: &Point3, count: usize) -> Vec<Found> {
        let Some(count) = NonZero::new(count).filter(|_| !self.empty) else {
            return Vec::new();
        };
        let at = center.coords.map(|x| x as f32).into();
        sorted(
            self.tree
                .nearest_n::<SquaredEuclidean>(&at, count)
                .iter()
                .map(|n| (n.item, n.distance)),
        )
    }
}

fn sorted(neighbours: impl Iterator<Item = (u64, f32)>) -> Vec<Found> {
    let found = |(item, squared): (u64, f32)| Found {
        index: item as usize,
        distance_m: squared.sqrt(),
    };
    let mut all: Vec<Found> = neighbours.map(found).collect();
    all.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.index.cmp(&b.index)));
    all
}

/// A Gaussian hit by a ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RayHit {
    /// Index into the map.
    pub index: usize,
    /// Distance along the ray to where the Gaussian is densest, metres.
    pub distance_m: f32,
    /// Its opacity there, 0 to 1.
    pub alpha: f32,
}

impl GaussianMap {
    /// An index over the centres.
    ///
    /// # Errors
    /// [`Error::BadGaussian`] for a centre that is not finite.
    pub fn spatial_index(&self) -> Result<SpatialIndex> {
        if self.means.iter().flatten().any(|x| !x.is_finite()) {
            return Err(Error::BadGaussian(
                "a centre is not finite; delete such Gaussians first".into(),
            ));
        }
        Ok(SpatialIndex {
            tree: ImmutableKdTree::new_from_slice(if self.is_empty() { &[[0.0; 3]] } else { &self.means }),
            empty: self.is_empty(),
        })
    }

    /// The Gaussians whose centres a view sees between two depths (metres), occlusion aside.
    ///
    /// # Errors
    /// What [`View::validate`] gives.
    pub fn in_frustum(&self, view: &View, near_m: f64, far_m: f64) -> Result<Subset> {
        view.validate()?;
        let camera_from_world = view.world_from_camera.inverse();
        let inside = |mean: &[f32; 3]| {
            let p = camera_from_world * na::Point3::from(mean.map(f64::from));
            let depth = p.z >= near_m && p.z <= far_m;
            depth
                && view
                    .camera
                    .project(&p)
                    .is_some_and(|(u, v)| view.camera.contains(u, v, 0.0))
        };
        Ok(Subset::from_mask(self.means.par_iter().map(inside).collect()))
    }

    /// The Gaussians that a ray meets with at least the given opacity, near to far. The direction need not be
    /// normalised.
    pub fn along_ray(&self, origin: &Point3, direction: &Vector3, min_alpha: f32) -> Vec<RayHit> {
        let Some(direction) = direction.try_normalize(1e-12) else {
            return Vec::new();
        };
        let d: [f32; 3] = direction.map(|x| x as f32).into();
        let o: [f32; 3] = origin.coords.map(|x| x as f32).into();
        let hit = |i: usize| {
            // In the Gaussian's own axes scaled to a unit ball, the densest point is the one nearest to the centre.
            let r = rotation_matrix(normalized(self.rotations[i]).0);
            let inverse = self.log_scales[i].map(|s| (-s).exp());
            let local = |v: [f32; 3]| {
                let v = mul_transposed(&r, v);
                na::Vector3::new(v[0] * inverse[0], v[1] * inverse[1], v[2] * inverse[2])
            };
            let (from, along) = (local(sub(o, self.means[i])), local(d));
            let distance = -from.dot(&along) / along.norm_squared();
            let alpha =
                sigmoid(self.opacity_logits[i]) * (-0.5 * (from + along * distance).norm_squared()).exp();
            (distance > 0.0 && alpha >= min_alpha).then_some(RayHit {
                index: i,
                distance_m: distance,
                alpha,
            })
        };
        let mut hits: Vec<RayHit> = (0..self.len()).into_par_iter().filter_map(hit).collect();
        hits.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.index.cmp(&b.index)));
        hits
    }

    /// What stands where, seen from above: for driving around.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a cell size that is not positive, or a grid of more than 2^26 cells.
    pub fn floor_grid(&self, config: &FloorGridConfig) -> Result<FloorGrid> {
        let cell = config.resolution_m as f32;
        if !(cell > 0.0 && cell.is_finite()) || config.min_height_m.is_nan() || config.max_height_m.is_nan() {
            return Err(Error::BadConfig(format!(
                "floor grid: {config:?} is out of range"
            )));
        }
        let solid: Vec<usize> = (0..self.len())
            .filter(|&i| {
                sigmoid(self.opacity_logits[i]) >= config.min_opacity
                    && self.means[i].iter().all(|x| x.is_finite())
            })
            .collect();
        let bounds = solid
            .iter()
            .fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |b, &i| {
                let [x, y, _] = self.means[i];
                [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)]
            });
        if solid.is_empty() {
            return Ok(FloorGrid::default());
        }
        let origin = [
            (bounds[0] / cell).floor() * cell,
            (bounds[1] / cell).floor() * cell,
        ];
        let side = |from: f32, to: f32| ((to - from) / cell) as usize + 1;
        let (width, height) = (side(origin[0], bounds[2]), side(origin[1], bounds[3]));
        if width.saturating_mul(height) > 1 << 26 {
            return Err(Error::BadConfig(format!(
                "a floor grid of {width}x{height} cells; use larger cells"
            )));
        }
        let mut grid = FloorGrid {
            resolution_m: config.resolution_m,
            origin_m: origin.map(f64::from),
            width,
            height,
            occupancy: vec![0.0; width * height],
            top_m: vec![f32::NAN; width * height],
        };
        let mut clear = vec![1.0f32; width * height];
        for i in solid {
            let [x, y, z] = self.means[i];
            let column = (((x - origin[0]) / cell) as usize).min(width - 1);
            let at = (((y - origin[1]) / cell) as usize).min(height - 1) * width + column;
            // Half the vertical extent of the ellipsoid at one standard deviation.
            let r = rotation_matrix(normalized(self.rotations[i]).0);
            let s = self.log_scales[i].map(f32::exp);
            let half = (0..3)
                .map(|k| (column_z(&r, k) * s[k]).powi(2))
                .sum::<f32>()
                .sqrt();
            if (z - half) as f64 <= config.max_height_m && (z + half) as f64 >= config.min_height_m {
                clear[at] *= 1.0 - sigmoid(self.opacity_logits[i]);
            }
            let top = z + half;
            if f64::from(z) <= config.max_height_m && (grid.top_m[at].is_nan() || grid.top_m[at] < top) {
                grid.top_m[at] = top;
            }
        }
        grid.occupancy
            .iter_mut()
            .zip(clear)
            .for_each(|(o, c)| *o = 1.0 - c);
        Ok(grid)
    }
}

fn column_z(r: &crate::math::M3, k: usize) -> f32 {
    column(r, k)[2]
}

/// What counts as in the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloorGridConfig {
    /// Side of a cell, metres.
    pub resolution_m: f64,
    /// Gaussians that end under this height are driven over, metres above the world's z = 0.
    pub min_height_m: f64,
    /// Gaussians that begin above this height are driven under, metres above the world's z = 0.
    pub max_height_m: f64,
    /// Gaussians under this opacity do not count.
    pub min_opacity: f32,
}

impl Default for FloorGridConfig {
    fn default() -> Self {
        FloorGridConfig {
            resolution_m: 0.05,
            min_height_m: 0.05,
            max_height_m: 1.5,
            min_opacity: 0.3,
        }
    }
}

/// A map seen from above (world z is up): row-major cells, x along columns, y along rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FloorGrid {
    /// Side of a cell, metres.
    pub resolution_m: f64,
    /// World x and y of the outer corner of cell (0, 0), metres.
    pub origin_m: [f64; 2],
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Chance that something between the two heights stops light or a robot, 0 to 1.
    pub occupancy: Vec<f32>,
    /// Height of the highest thing that begins under the upper height, metres; NaN where nothing is known.
    pub top_m: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gaussian;

    /// A row of small balls along x, one per decimetre, at a height of one metre.
    fn row() -> GaussianMap {
        let mut map = GaussianMap::new(0, 0).unwrap();
        for i in 0..10 {
            map.push(&Gaussian {
                mean: [0.1 * i as f32, 0.0, 1.0],
                opacity_logit: 3.0,
                ..Gaussian::default()
            })
            .unwrap();
        }
        map
    }

    #[test]
    fn neighbours_are_those_of_a_search_through_all() {
        let map = row();
        let index = map.spatial_index().unwrap();
        let at = Point3::new(0.42, 0.0, 1.0);
        let of = |found: Vec<Found>| found.into_iter().map(|f| f.index).collect::<Vec<_>>();
        assert_eq!(of(index.within(&at, 0.13)), [4, 5, 3]);
        assert_eq!(of(index.nearest(&at, 2)), [4, 5]);
        let empty = GaussianMap::new(0, 0).unwrap().spatial_index().unwrap();
        assert!(empty.nearest(&at, 3).is_empty() && empty.within(&at, 9.0).is_empty());
    }

    #[test]
    fn many_equal_centres_are_no_trouble() {
        let mut map = GaussianMap::new(0, 0).unwrap();
        for _ in 0..200 {
            map.push(&Gaussian::default()).unwrap();
        }
        let index = map.spatial_index().unwrap();
        assert_eq!(index.within(&Point3::origin(), 0.1).len(), 200);
    }

    #[test]
    fn a_ray_meets_what_lies_on_it() {
        let hits = row().along_ray(&Point3::new(-1.0, 0.0, 1.0), &Vector3::new(2.0, 0.0, 0.0), 0.1);
        assert_eq!(
            hits.iter().map(|h| h.index).collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
        assert!((hits[3].distance_m - 1.3).abs() < 1e-5 && (hits[3].alpha - sigmoid(3.0)).abs() < 1e-5);
        let across = row().along_ray(&Point3::new(0.3, -1.0, 1.0), &Vector3::y(), 0.1);
        assert_eq!(across.len(), 1);
    }

    #[test]
    fn the_floor_grid_has_what_stands_in_the_way() {
        let grid = row()
            .floor_grid(&FloorGridConfig {
                resolution_m: 0.1,
                ..FloorGridConfig::default()
            })
            .unwrap();
        assert_eq!(grid.height, 1);
        assert!(grid.occupancy.iter().filter(|&&o| o > 0.9).count() >= 9);
        assert!((grid.top_m[2] - 1.01).abs() < 1e-4);
        let low = FloorGridConfig {
            max_height_m: 0.5,
            ..FloorGridConfig::default()
        };
        assert!(
            row()
                .floor_grid(&low)
                .unwrap()
                .occupancy
                .iter()
                .all(|&o| o == 0.0)
        );
    }
}
