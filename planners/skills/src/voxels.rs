//! Obstacle voxels by place, so that those near a shape are found without looking at all of them.

use steward_core::geometry::{Aabb, Point3};

/// Side of a cell, metres, unless there would be too many.
const CELL_M: f64 = 0.1;
/// Cells along one axis at most.
const MOST_CELLS: usize = 128;

/// Obstacle voxels in a grid of cells, frame `map`.
#[derive(Debug, Clone)]
pub struct Voxels {
    side_m: f64,
    /// Centres, cell by cell.
    points: Vec<Point3>,
    origin: Point3,
    cell_m: f64,
    cells: [usize; 3],
    /// Where the points of each cell begin, and the end of the last.
    starts: Vec<u32>,
}

impl Voxels {
    /// Sorts voxels into cells; `centers` and `side_m` in metres. Points that are not finite are left out.
    pub fn new(centers: &[Point3], side_m: f64) -> Self {
        let finite = || centers.iter().filter(|p| p.coords.iter().all(|x| x.is_finite()));
        let bounds = Aabb::from_points(finite())
            .unwrap_or(Aabb::from_center_half(Point3::origin(), Default::default()));
        let size = bounds.max - bounds.min;
        let cell_m = CELL_M.max(size.max() / (MOST_CELLS - 1) as f64);
        let cells = [0, 1, 2].map(|i| (size[i] / cell_m) as usize + 1);
        let mut voxels = Voxels {
            side_m,
            points: Vec::new(),
            origin: bounds.min,
            cell_m,
            cells,
            starts: vec![0; cells.iter().product::<usize>() + 1],
        };
        // Counting sort.
        let cell_of = |p: &Point3| voxels.index([0, 1, 2].map(|i| voxels.cell(p[i], i)));
        let of_points: Vec<usize> = finite().map(cell_of).collect();
        for cell in &of_points {
            voxels.starts[cell + 1] += 1;
        }
        for i in 1..voxels.starts.len() {
            voxels.starts[i] += voxels.starts[i - 1];
        }
        let mut next = voxels.starts.clone();
        voxels.points = vec![Point3::origin(); of_points.len()];
        for (p, cell) in finite().zip(&of_points) {
            voxels.points[next[*cell] as usize] = *p;
            next[*cell] += 1;
        }
        voxels
    }

    /// Side of a voxel, metres.
    pub fn side_m(&self) -> f64 {
        self.side_m
    }

    /// Centres of all voxels, metres.
    pub fn points(&self) -> &[Point3] {
        &self.points
    }

    /// Centres of the voxels beside a vertical line through a point, as [`around`](Voxels::around) a box that reaches so far
    /// to each side and from one height to another, metres.
    pub fn beside(&self, point: &Point3, reach_m: f64, heights_m: [f64; 2]) -> impl Iterator<Item = &Point3> {
        let [low_m, high_m] = heights_m;
        self.around(&Aabb {
            min: Point3::new(point.x - reach_m, point.y - reach_m, low_m),
            max: Point3::new(point.x + reach_m, point.y + reach_m, high_m),
        })
    }

    /// Centres of the voxels in a box, and of some around it, metres.
    pub fn around<'a>(&'a self, bounds: &Aabb) -> impl Iterator<Item = &'a Point3> + use<'a> {
        let meets = (0..3).all(|i| {
            let high = self.origin[i] + self.cells[i] as f64 * self.cell_m;
            bounds.max[i] >= self.origin[i] && bounds.min[i] <= high
        });
        let [xs, ys, zs] = [0, 1, 2].map(|i| {
            let end = if meets { self.cell(bounds.max[i], i) + 1 } else { 0 };
            self.cell(bounds.min[i], i)..end
        });
        zs.flat_map(move |k| ys.clone().map(move |j| (j, k)))
            .flat_map(move |(j, k)| {
                // Cells in a row follow each other.
                let first = self.starts[self.index([xs.start, j, k])];
                let end = self.starts[self.index([xs.end.max(1) - 1, j, k]) + 1];
                &self.points[first as usize..end as usize]
            })
    }

    /// The cell that a coordinate is in, or the nearest.
    fn cell(&self, x: f64, axis: usize) -> usize {
        // Casting saturates.
        (((x - self.origin[axis]) / self.cell_m) as usize).min(self.cells[axis] - 1)
    }

    fn index(&self, [i, j, k]: [usize; 3]) -> usize {
        (k * self.cells[1] + j) * self.cells[0] + i
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use steward_core::geometry::Vector3;

    use super::*;

    proptest! {
        #[test]
        fn all_voxels_in_a_box_are_found(
            points in prop::collection::vec((-3.0..3.0, -3.0..3.0, 0.0..2.0), 0..200),
            center in (-4.0..4.0, -4.0..4.0, -1.0..3.0),
            half in (0.0..1.0, 0.0..1.0, 0.0..1.0),
        ) {
            let points: Vec<Point3> = points.into_iter().map(|(x, y, z)| Point3::new(x, y, z)).collect();
            let bounds = Aabb::from_center_half(
                Point3::new(center.0, center.1, center.2),
                Vector3::new(half.0, half.1, half.2),
            );
            let voxels = Voxels::new(&points, 0.025);
            let found: Vec<&Point3> = voxels.around(&bounds).collect();
            for p in points.iter().filter(|p| bounds.contains(p)) {
                prop_assert!(found.contains(&p));
            }
            prop_assert_eq!(voxels.points().len(), points.len());
        }
    }

    #[test]
    fn nothing_and_nonsense_are_empty() {
        let everywhere = Aabb::from_center_half(Point3::origin(), Vector3::repeat(1e9));
        assert_eq!(Voxels::new(&[], 0.025).around(&everywhere).count(), 0);
        let far = [
            Point3::new(f64::NAN, 0.0, 0.0),
            Point3::new(1e8, -1e8, 0.0),
            Point3::origin(),
        ];
        assert_eq!(Voxels::new(&far, 0.025).around(&everywhere).count(), 2);
    }
}
