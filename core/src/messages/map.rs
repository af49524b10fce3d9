use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FloorArea, Header};
use crate::geometry::{Point3, Pose2};

/// Which parts of the floor the base may stand on (`nav_msgs/OccupancyGrid`). Frame: `map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OccupancyGrid {
    /// Stamp of the newest depth image in it; frame `map`.
    pub header: Header,
    /// Side of a cell, metres.
    pub resolution_m: f64,
    /// Columns, along +x.
    pub width: u32,
    /// Rows, along +y.
    pub height: u32,
    /// Pose in `map` of the outer corner of cell (0, 0); its yaw is 0.
    pub origin: Pose2,
    /// Cells, row-major: -1 unknown, otherwise the probability of being occupied in percent.
    pub cells: Arc<Vec<i8>>,
}

/// What is known of a cell of an [`OccupancyGrid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellState {
    /// Never observed.
    Unknown,
    /// Observed free.
    Free,
    /// Observed occupied.
    Occupied,
}

impl OccupancyGrid {
    /// Percentage from which a cell counts as occupied.
    pub const OCCUPIED_PERCENT: i8 = 50;

    /// The cell that a point of the map lies in, `None` outside the grid.
    pub fn cell_of(&self, x_m: f64, y_m: f64) -> Option<(u32, u32)> {
        let column = ((x_m - self.origin.x_m) / self.resolution_m).floor();
        let row = ((y_m - self.origin.y_m) / self.resolution_m).floor();
        let inside = column >= 0.0 && row >= 0.0 && column < self.width as f64 && row < self.height as f64;
        inside.then_some((column as u32, row as u32))
    }

    /// Centre of a cell in the map, metres.
    pub fn center_of(&self, column: u32, row: u32) -> (f64, f64) {
        (
            self.origin.x_m + (column as f64 + 0.5) * self.resolution_m,
            self.origin.y_m + (row as f64 + 0.5) * self.resolution_m,
        )
    }

    /// The same floor with areas that count as occupied: what must not be entered is in the way.
    pub fn without(&self, areas: &[FloorArea]) -> OccupancyGrid {
        let mut cells = (*self.cells).clone();
        for area in areas {
            let reach = area.half_x_m.hypot(area.half_y_m);
            let cell = |value: f64, origin: f64, count: u32| {
                (((value - origin) / self.resolution_m).floor().max(0.0) as u32).min(count)
            };
            let (x, y) = (area.middle.x_m, area.middle.y_m);
            let columns = cell(x - reach, self.origin.x_m, self.width)
                ..cell(x + reach + self.resolution_m, self.origin.x_m, self.width);
            for row in cell(y - reach, self.origin.y_m, self.height)
                ..cell(y + reach + self.resolution_m, self.origin.y_m, self.height)
            {
                for column in columns.clone() {
                    let (x, y) = self.center_of(column, row);
                    if area.contains(x, y, 0.0) {
                        cells[row as usize * self.width as usize + column as usize] = 100;
                    }
                }
            }
        }
        OccupancyGrid {
            cells: Arc::new(cells),
            ..self.clone()
        }
    }

    /// State of a cell; cells outside are unknown.
    pub fn state(&self, column: u32, row: u32) -> CellState {
        if column >= self.width || row >= self.height {
            return CellState::Unknown;
        }
        match self.cells[row as usize * self.width as usize + column as usize] {
            ..0 => CellState::Unknown,
            c if c >= Self::OCCUPIED_PERCENT => CellState::Occupied,
            _ => CellState::Free,
        }
    }
}

/// Obstacles around the robot in three dimensions (`sensor_msgs/PointCloud2`), one point per occupied voxel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObstacleCloud {
    /// Stamp of the newest depth image in it; frame `map`.
    pub header: Header,
    /// Side of a voxel, metres.
    pub voxel_m: f64,
    /// Centres of occupied voxels, metres, in a fixed order. The floor and the robot itself are left out.
    pub points: Arc<Vec<Point3>>,
}
