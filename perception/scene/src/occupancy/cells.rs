use steward_core::geometry::Pose2;

use crate::{Error, Result};

/// The grid grows by whole blocks of this many cells, so that it grows rarely and always to the same sizes.
const BLOCK_CELLS: i64 = 64;

/// A rectangle of square cells that grows where it is written to, up to a largest side.
///
/// Cell `(i, j)` covers `[i, i+1) x [j, j+1)` times the cell's side; indices may be negative.
#[derive(Debug, Clone)]
pub(crate) struct GrowingCells<T> {
    pub(crate) cell_m: f64,
    max_side_cells: i64,
    /// Smallest column and row; multiples of the block.
    min: [i64; 2],
    /// Columns and rows; multiples of the block.
    size: [i64; 2],
    data: Vec<T>,
}

impl<T: Clone + Default> GrowingCells<T> {
    pub(crate) fn new(cell_m: f64, max_side_m: f64) -> Self {
        let blocks = (max_side_m / cell_m / BLOCK_CELLS as f64).ceil() as i64;
        GrowingCells {
            cell_m,
            max_side_cells: blocks.max(1) * BLOCK_CELLS,
            min: [0; 2],
            size: [0; 2],
            data: Vec::new(),
        }
    }

    /// The cell that a point lies in. The point must be finite and of sane size; see [`check_pose`].
    pub(crate) fn index_of(&self, x_m: f64, y_m: f64) -> [i64; 2] {
        [
            (x_m / self.cell_m).floor() as i64,
            (y_m / self.cell_m).floor() as i64,
        ]
    }

    pub(crate) fn size(&self) -> [i64; 2] {
        self.size
    }

    pub(crate) fn min(&self) -> [i64; 2] {
        self.min
    }

    pub(crate) fn data(&self) -> &[T] {
        &self.data
    }

    fn slot(&self, [i, j]: [i64; 2]) -> Option<usize> {
        let (c, r) = (i - self.min[0], j - self.min[1]);
        (c >= 0 && r >= 0 && c < self.size[0] && r < self.size[1]).then_some((r * self.size[0] + c) as usize)
    }

    pub(crate) fn get(&self, index: [i64; 2]) -> Option<&T> {
        self.slot(index).map(|s| &self.data[s])
    }

    pub(crate) fn get_mut(&mut self, index: [i64; 2]) -> Option<&mut T> {
        self.slot(index).map(|s| &mut self.data[s])
    }

    /// The cell, after growing the grid to hold it; `None` where that would exceed the largest side.
    pub(crate) fn grown_mut(&mut self, index: [i64; 2]) -> Option<&mut T> {
        if self.slot(index).is_none() && !self.grow(index) {
            return None;
        }
        self.get_mut(index)
    }

    fn grow(&mut self, index: [i64; 2]) -> bool {
        let (mut min, mut max) = ([0; 2], [0; 2]);
        for a in 0..2 {
            let low = index[a].div_euclid(BLOCK_CELLS) * BLOCK_CELLS;
            let (old_low, old_high) = if self.data.is_empty() {
                (low, low)
            } else {
                (self.min[a], self.min[a] + self.size[a])
            };
            min[a] = low.min(old_low);
            max[a] = (low + BLOCK_CELLS).max(old_high);
            if max[a] - min[a] > self.max_side_cells {
                return false;
            }
        }
        let size = [max[0] - min[0], max[1] - min[1]];
        let mut data = vec![T::default(); (size[0] * size[1]) as usize];
        for row in 0..self.size[1] {
            let from = (row * self.size[0]) as usize;
            let to = ((row + self.min[1] - min[1]) * size[0] + self.min[0] - min[0]) as usize;
            let columns = self.size[0] as usize;
            data[to..to + columns].clone_from_slice(&self.data[from..from + columns]);
        }
        (self.min, self.size, self.data) = (min, size, data);
        true
    }
}

/// Refuses a pose that is not finite or farther out than any home is large.
pub(crate) fn check_pose(what: &'static str, pose: &Pose2, limit_m: f64) -> Result<()> {
    let refuse = |reason: String| Err(Error::BadPose { what, reason });
    if !(pose.x_m.is_finite() && pose.y_m.is_finite() && pose.yaw_rad.is_finite()) {
        return refuse("it is not finite".into());
    }
    if pose.x_m.abs() > limit_m || pose.y_m.abs() > limit_m {
        return refuse(format!(
            "({:.1}, {:.1}) m is more than {limit_m} m from the origin",
            pose.x_m, pose.y_m
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_in_every_direction_and_keeps_what_it_holds() {
        let mut g = GrowingCells::<u32>::new(0.05, 40.0);
        *g.grown_mut([3, -2]).unwrap() = 7;
        *g.grown_mut([-70, 5]).unwrap() = 8;
        *g.grown_mut([100, 100]).unwrap() = 9;
        assert_eq!(g.get([3, -2]), Some(&7));
        assert_eq!(g.get([-70, 5]), Some(&8));
        assert_eq!(g.get([100, 100]), Some(&9));
        assert_eq!((g.min(), g.size()), ([-128, -64], [256, 192]));
        assert_eq!(g.get([500, 0]), None);
    }

    #[test]
    fn never_exceeds_the_largest_side() {
        let mut g = GrowingCells::<u8>::new(0.05, 6.4);
        assert!(g.grown_mut([0, 0]).is_some());
        assert!(g.grown_mut([127, 0]).is_some());
        assert!(g.grown_mut([128, 0]).is_none());
        assert!(g.grown_mut([i64::MAX / 2, 0]).is_none());
        assert_eq!(g.size(), [128, 64]);
    }
}
