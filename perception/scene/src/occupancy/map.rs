use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_core::Time;
use steward_core::frames;
use steward_core::geometry::Pose2;
use steward_core::messages::{Header, OccupancyGrid};

use super::cells::{GrowingCells, check_pose};
use super::scan::Scan;
use crate::error::check_range;
use crate::{Error, Result};

/// How the grid remembers.
///
/// Log-odds are kept in steps of 0.05. The bounds decide how fast the grid changes its mind: from surely
/// occupied to free takes `(max + 0) / miss` images.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct OccupancyConfig {
    /// Side of a cell, metres.
    pub cell_m: f64,
    /// Largest side of the grid, metres. What lies outside is counted and forgotten.
    pub max_side_m: f64,
    /// Log-odds added where an obstacle is seen.
    pub hit: f64,
    /// Log-odds taken away where bare floor is seen.
    pub miss: f64,
    /// Largest log-odds.
    pub max_log_odds: f64,
    /// Smallest log-odds, as a positive number.
    pub max_free_log_odds: f64,
    /// Radius around the base's centre that is free because the robot stands there, metres.
    pub stand_radius_m: f64,
}

impl Default for OccupancyConfig {
    fn default() -> Self {
        OccupancyConfig {
            cell_m: 0.05,
            max_side_m: 60.0,
            hit: 0.7,
            miss: 0.5,
            max_log_odds: 2.5,
            max_free_log_odds: 2.0,
            stand_radius_m: 0.18,
        }
    }
}

impl OccupancyConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        check_range("occupancy.cell_m", self.cell_m, 5e-3, 1.0)?;
        check_range("occupancy.max_side_m", self.max_side_m, self.cell_m, 200.0)?;
        check_range("occupancy.hit", self.hit, STEP, MAX_LOG_ODDS)?;
        check_range("occupancy.miss", self.miss, STEP, MAX_LOG_ODDS)?;
        check_range("occupancy.max_log_odds", self.max_log_odds, STEP, MAX_LOG_ODDS)?;
        check_range(
            "occupancy.max_free_log_odds",
            self.max_free_log_odds,
            STEP,
            MAX_LOG_ODDS,
        )?;
        check_range("occupancy.stand_radius_m", self.stand_radius_m, -1e-12, 1.0)
    }
}

/// Log-odds per unit of a cell's value.
const STEP: f64 = 0.05;
const MAX_LOG_ODDS: f64 = 5.0;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Number of the scan that last changed it, 0 for never observed. One scan changes a cell once.
    scan: u32,
    /// In steps of [`STEP`].
    log_odds: i8,
}

/// The floor in the frame `map`.
#[derive(Debug, Clone)]
pub struct OccupancyMap {
    config: OccupancyConfig,
    cells: GrowingCells<Cell>,
    scans: u32,
    newest: Time,
    outside: u64,
}

impl OccupancyMap {
    /// An empty map.
    ///
    /// # Errors
    /// [`Error::BadConfig`]
    pub fn new(config: OccupancyConfig) -> Result<Self> {
        config.validate()?;
        Ok(OccupancyMap {
            cells: GrowingCells::new(config.cell_m, config.max_side_m),
            scans: 0,
            newest: Time::ZERO,
            outside: 0,
            config,
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.cells = GrowingCells::new(self.config.cell_m, self.config.max_side_m);
        (self.scans, self.newest, self.outside) = (0, Time::ZERO, 0);
    }

    /// Number of observations that lay outside the largest side and were forgotten.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Enters a scan taken at `stamp` from `map_from_base`.
    ///
    /// # Errors
    /// [`Error::BadPose`] for a pose that is not finite or farther out than the largest
    /// side; the map is then unchanged.
    pub fn integrate(&mut self, scan: &Scan, map_from_base: &Pose2, stamp: Time) -> Result<()> {
        check_pose("base", map_from_base, self.config.max_side_m)?;
        self.scans += 1;
        self.newest = self.newest.max(stamp);
        let (s, c) = map_from_base.yaw_rad.sin_cos();
        let to_map = |p: &[f64; 2]| {
            [
                map_from_base.x_m + c * p[0] - s * p[1],
                map_from_base.y_m + s * p[0] + c * p[1],
            ]
        };
        let steps = |log_odds: f64| (log_odds / STEP).round() as i8;
        let (hit, miss) = (steps(self.config.hit), -steps(self.config.miss));
        for p in &scan.obstacles_m {
            self.add(to_map(p), hit);
        }
        for p in &scan.free_m {
            self.add(to_map(p), miss);
        }
        // The robot stands here, so here it can stand.
        let reach = (self.config.stand_radius_m / self.config.cell_m).ceil() as i64;
        for j in -reach..=reach {
            for i in -reach..=reach {
                let d = [i as f64 * self.config.cell_m, j as f64 * self.config.cell_m];
                if d[0].hypot(d[1]) <= self.config.stand_radius_m {
                    self.add([map_from_base.x_m + d[0], map_from_base.y_m + d[1]], miss);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, [x_m, y_m]: [f64; 2], steps: i8) {
        let index = self.cells.index_of(x_m, y_m);
        let scans = self.scans;
        let Some(cell) = self.cells.grown_mut(index) else {
            self.outside += 1;
            return;
        };
        if cell.scan == scans {
            return;
        }
        cell.scan = scans;
        let low = -(self.config.max_free_log_odds / STEP).round();
        let high = (self.config.max_log_odds / STEP).round();
        cell.log_odds = (cell.log_odds as f64 + steps as f64).clamp(low, high) as i8;
    }

    /// Goes on with a floor of before, in place of what it has.
    ///
    /// # Errors
    /// [`Error::BadKnowledge`] for a floor with other cells or beyond the largest side; the map is then unchanged.
    pub fn know(&mut self, floor: &OccupancyGrid, now: Time) -> Result<()> {
        let bad = |text: String| Err(Error::BadKnowledge(text));
        let (width, height) = (floor.width as usize, floor.height as usize);
        let most = self.config.max_side_m / self.config.cell_m + 128.0;
        if (floor.resolution_m - self.config.cell_m).abs() > 1e-9 {
            let (found, needed) = (floor.resolution_m, self.config.cell_m);
            return bad(format!(
                "its cells are {found} m wide and `occupancy.cell_m` is {needed}"
            ));
        }
        if width as f64 > most || height as f64 > most || floor.cells.len() != width * height {
            return bad(format!(
                "a floor of {width} x {height} cells is too large, or some are missing"
            ));
        }
        check_pose("floor", &floor.origin, self.config.max_side_m)?;
        let mut cells = GrowingCells::new(self.config.cell_m, self.config.max_side_m);
        let first = [floor.origin.x_m, floor.origin.y_m].map(|m| (m / self.config.cell_m).round() as i64);
        let known = floor
            .cells
            .iter()
            .enumerate()
            .filter(|(_, percent)| **percent >= 0);
        for (at, percent) in known {
            let index = [first[0] + (at % width) as i64, first[1] + (at / width) as i64];
            let Some(cell) = cells.grown_mut(index) else {
                return bad(format!("it is larger than {} m", self.config.max_side_m));
            };
            let p = f64::from((*percent).clamp(1, 99)) / 100.0;
            let log_odds = (p / (1.0 - p)).ln().clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS);
            *cell = Cell {
                scan: 1,
                log_odds: (log_odds / STEP).round() as i8,
            };
        }
        (self.cells, self.scans, self.newest, self.outside) = (cells, 1, floor.header.stamp.min(now), 0);
        Ok(())
    }

    /// The map as a message.
    pub fn to_message(&self) -> OccupancyGrid {
        // The probability for each value that a cell can have.
        let percent: Vec<i8> = (i8::MIN..=i8::MAX)
            .map(|v| (100.0 / (1.0 + (-(v as f64) * STEP).exp())).round() as i8)
            .collect();
        let value = |c: &Cell| match c.scan {
            0 => -1,
            _ => percent[(c.log_odds as i16 - i8::MIN as i16) as usize],
        };
        let [width, height] = self.cells.size();
        let [min_x, min_y] = self.cells.min();
        OccupancyGrid {
            header: Header::new(self.newest, frames::MAP),
            resolution_m: self.config.cell_m,
            width: width as u32,
            height: height as u32,
            origin: Pose2::new(
                min_x as f64 * self.config.cell_m,
                min_y as f64 * self.config.cell_m,
                0.0,
            ),
            cells: Arc::new(self.cells.data().iter().map(value).collect()),
        }
    }
}
