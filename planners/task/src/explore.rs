//! Where to look next when something is not known: borders between seen and unseen floor.
//!
//! Frontier-based exploration after Yamauchi, "A frontier-based approach for autonomous exploration" (1997).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use steward_core::geometry::Pose2;
use steward_core::messages::{CellState, OccupancyGrid};

/// Travel distances from one place to every cell that the base can stand on.
#[derive(Debug, Clone)]
pub struct TravelField {
    width: usize,
    height: usize,
    /// Metres; infinite where the base cannot get.
    distance_m: Vec<f32>,
}

/// A stretch of border between free and unknown floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// Middle of the stretch, frame `map`, metres.
    pub center: (f64, f64),
    /// A place to stand, facing the unknown.
    pub viewpoint: Pose2,
    /// Travel distance to the viewpoint, metres.
    pub travel_m: f64,
    /// Length of the stretch, metres.
    pub length_m: f64,
}

/// Steps to the eight neighbours with their length in cells.
const NEIGHBOURS: [(i32, i32, f32); 8] = {
    const D: f32 = std::f32::consts::SQRT_2;
    [
        (1, 0, 1.0),
        (-1, 0, 1.0),
        (0, 1, 1.0),
        (0, -1, 1.0),
        (1, 1, D),
        (1, -1, D),
        (-1, 1, D),
        (-1, -1, D),
    ]
};

/// How far from the middle of a frontier the robot may stand to look at it, metres.
const VIEW_RADIUS_M: f64 = 1.5;

/// How many metres of travel a metre closer to the frontier is worth.
const CLOSE_UP: f64 = 3.0;

impl TravelField {
    /// Dijkstra from `from` over free cells that are at least `clearance_m` away from occupied ones. Cells
    /// around the start count as free whatever the map says, so that a robot that stands too close to
    /// something still finds its way out.
    pub fn new(grid: &OccupancyGrid, from: (f64, f64), clearance_m: f64) -> Self {
        let (width, height) = (grid.width as usize, grid.height as usize);
        let mut field = TravelField {
            width,
            height,
            distance_m: vec![f32::INFINITY; width * height],
        };
        let Some((column, row)) = grid.cell_of(from.0, from.1) else {
            return field;
        };
        let gap = clearance_cells(grid);
        let needed = (clearance_m / grid.resolution_m) as f32;
        let escape = (2.0 * needed).powi(2);
        let passable = |c: usize, r: usize| {
            let (dx, dy) = (c as f32 - column as f32, r as f32 - row as f32);
            let state = grid.state(c as u32, r as u32);
            state == CellState::Free && gap[r * width + c] >= needed
                || state != CellState::Occupied && dx * dx + dy * dy <= escape
        };
        let start = row as usize * width + column as usize;
        field.distance_m[start] = 0.0;
        // Positive floats sort like their bits, and a heap of integers has a total order.
        let mut open = BinaryHeap::from([Reverse((0u32, start))]);
        while let Some(Reverse((bits, at))) = open.pop() {
            let here = f32::from_bits(bits);
            if here > field.distance_m[at] {
                continue;
            }
            for (c, r, step) in neighbours(at, width, height) {
                let there = here + step * grid.resolution_m as f32;
                let next = r * width + c;
                if there < field.distance_m[next] && passable(c, r) {
                    field.distance_m[next] = there;
                    open.push(Reverse((there.to_bits(), next)));
                }
            }
        }
        field
    }

    /// Travel distance to a cell, `None` where the base cannot get.
    pub fn cell_m(&self, column: u32, row: u32) -> Option<f64> {
        let (c, r) = (column as usize, row as usize);
        let inside = c < self.width && r < self.height;
        inside
            .then(|| self.distance_m[r * self.width + c])
            .filter(|d| d.is_finite())
            .map(f64::from)
    }

    /// Travel distance to the nearest reachable cell within `radius_m` of a point, plus the gap between them;
    /// `None` if there is none.
    pub fn near_m(&self, grid: &OccupancyGrid, point: (f64, f64), radius_m: f64) -> Option<f64> {
        self.best_near(grid, point, radius_m, 1.0).map(|(_, cost)| cost)
    }

    /// The reachable place nearest to a point, within a distance of it.
    pub fn place_near(&self, grid: &OccupancyGrid, point: (f64, f64), radius_m: f64) -> Option<(f64, f64)> {
        // The gap weighs so much more than the way that the way only breaks ties.
        let (cell, _) = self.best_near(grid, point, radius_m, 1e3)?;
        Some(grid.center_of(cell.0, cell.1))
    }

    /// The reachable cell with the smallest `travel + gap_weight * gap`, and that cost.
    fn best_near(
        &self,
        grid: &OccupancyGrid,
        point: (f64, f64),
        radius_m: f64,
        gap_weight: f64,
    ) -> Option<((u32, u32), f64)> {
        let reach = (radius_m / grid.resolution_m).ceil() as i64;
        let column = ((point.0 - grid.origin.x_m) / grid.resolution_m).floor() as i64;
        let row = ((point.1 - grid.origin.y_m) / grid.resolution_m).floor() as i64;
        let mut best: Option<((u32, u32), f64)> = None;
        for r in (row - reach).max(0)..=(row + reach).min(self.height as i64 - 1) {
            for c in (column - reach).max(0)..=(column + reach).min(self.width as i64 - 1) {
                let Some(travel) = self.cell_m(c as u32, r as u32) else {
                    continue;
                };
                let (x, y) = grid.center_of(c as u32, r as u32);
                let gap = (x - point.0).hypot(y - point.1);
                let cost = travel + gap_weight * gap;
                if gap <= radius_m && best.is_none_or(|(_, b)| cost < b) {
                    best = Some(((c as u32, r as u32), cost));
                }
            }
        }
        best
    }
}

/// The frontiers that the base can look at, nearest first; stretches shorter than `min_length_m`, and those of
/// unseen floor of less than `min_unseen_m2`, are left out.
pub fn frontiers(
    grid: &OccupancyGrid,
    field: &TravelField,
    min_length_m: f64,
    min_unseen_m2: f64,
) -> Vec<Frontier> {
    let (width, height) = (grid.width as usize, grid.height as usize);
    let least = (min_unseen_m2 / grid.resolution_m.powi(2)).ceil() as usize;
    let unseen = large_unseen(grid, least);
    let is_frontier = |c: usize, r: usize| {
        grid.state(c as u32, r as u32) == CellState::Free
            && neighbours(r * width + c, width, height)
                .filter(|n| n.2 == 1.0)
                .any(|(c, r, _)| unseen[r * width + c])
    };
    let mut seen = vec![false; width * height];
    let mut found = Vec::new();
    for start in 0..width * height {
        if seen[start] || !is_frontier(start % width, start / width) {
            continue;
        }
        seen[start] = true;
        let mut cells = vec![start];
        let mut next = 0;
        while next < cells.len() {
            for (c, r, _) in neighbours(cells[next], width, height) {
                let n = r * width + c;
                if !seen[n] && is_frontier(c, r) {
                    seen[n] = true;
                    cells.push(n);
                }
            }
            next += 1;
        }
        let length_m = cells.len() as f64 * grid.resolution_m;
        if length_m < min_length_m {
            continue;
        }
        // The member nearest to the mean: the mean itself may lie in a wall.
        let count = cells.len() as f64;
        let mean = cells.iter().fold((0.0, 0.0), |(x, y), &n| {
            (x + (n % width) as f64 / count, y + (n / width) as f64 / count)
        });
        let off_mean = |n: usize| ((n % width) as f64 - mean.0).hypot((n / width) as f64 - mean.1);
        let Some(&middle) = cells
            .iter()
            .min_by(|&&a, &&b| off_mean(a).total_cmp(&off_mean(b)))
        else {
            continue;
        };
        let center = grid.center_of((middle % width) as u32, (middle / width) as u32);
        if let Some((cell, _)) = field.best_near(grid, center, VIEW_RADIUS_M, CLOSE_UP) {
            let (x, y) = grid.center_of(cell.0, cell.1);
            found.push(Frontier {
                center,
                viewpoint: Pose2::new(x, y, (center.1 - y).atan2(center.0 - x)),
                travel_m: field.cell_m(cell.0, cell.1).unwrap_or(0.0),
                length_m,
            });
        }
    }
    found.sort_by(|a, b| a.travel_m.total_cmp(&b.travel_m));
    found
}

/// Floor within `radius_m` of a point that is known to be free, square metres.
pub fn free_floor_m2(grid: &OccupancyGrid, point: (f64, f64), radius_m: f64) -> f64 {
    let (width, height) = (i64::from(grid.width), i64::from(grid.height));
    let reach = (radius_m / grid.resolution_m).ceil() as i64;
    let Some((column, row)) = grid.cell_of(point.0, point.1) else {
        return 0.0;
    };
    let (column, row) = (i64::from(column), i64::from(row));
    let rows = (row - reach).max(0)..=(row + reach).min(height - 1);
    let columns = (column - reach).max(0)..=(column + reach).min(width - 1);
    let free = rows
        .flat_map(|r| columns.clone().map(move |c| (c, r)))
        .filter(|&(c, r)| (c - column).pow(2) + (r - row).pow(2) <= reach * reach)
        .filter(|&(c, r)| grid.state(c as u32, r as u32) == CellState::Free)
        .count();
    free as f64 * grid.resolution_m.powi(2)
}

/// The unknown cells that belong to connected areas of at least `least` cells, or that reach the border of the grid.
fn large_unseen(grid: &OccupancyGrid, least: usize) -> Vec<bool> {
    let (width, height) = (grid.width as usize, grid.height as usize);
    let unknown = |n: usize| grid.state((n % width) as u32, (n / width) as u32) == CellState::Unknown;
    let mut seen = vec![false; width * height];
    let mut large = vec![false; width * height];
    for start in 0..width * height {
        if seen[start] || !unknown(start) {
            continue;
        }
        seen[start] = true;
        let mut cells = vec![start];
        let mut next = 0;
        let mut open_ended = false;
        while next < cells.len() {
            let (c, r) = (cells[next] % width, cells[next] / width);
            open_ended |= c == 0 || r == 0 || c + 1 == width || r + 1 == height;
            for (c, r, _) in neighbours(cells[next], width, height).filter(|n| n.2 == 1.0) {
                let n = r * width + c;
                if !seen[n] && unknown(n) {
                    seen[n] = true;
                    cells.push(n);
                }
            }
            next += 1;
        }
        if open_ended || cells.len() >= least {
            for n in cells {
                large[n] = true;
            }
        }
    }
    large
}

fn neighbours(at: usize, width: usize, height: usize) -> impl Iterator<Item = (usize, usize, f32)> {
    let (column, row) = ((at % width) as i32, (at / width) as i32);
    NEIGHBOURS.iter().filter_map(move |&(dc, dr, step)| {
        let (c, r) = (column + dc, row + dr);
        (c >= 0 && r >= 0 && c < width as i32 && r < height as i32).then_some((c as usize, r as usize, step))
    })
}

/// Distance of every cell to the nearest occupied one, in cells, by the two-pass 3-4 chamfer transform
/// (Borgefors 1986), which is within 8 % of the Euclidean distance.
fn clearance_cells(grid: &OccupancyGrid) -> Vec<f32> {
    let (width, height) = (grid.width as usize, grid.height as usize);
    let mut gap = Vec::with_capacity(width * height);
    for r in 0..height {
        for c in 0..width {
            let occupied = grid.state(c as u32, r as u32) == CellState::Occupied;
            gap.push(if occupied { 0.0 } else { f32::INFINITY });
        }
    }
    let relax = |gap: &mut Vec<f32>, at: usize, forward: bool| {
        let (c, r) = (at % width, at / width);
        for (nc, nr, step) in neighbours(at, width, height) {
            let before = nr < r || (nr == r && nc < c);
            if before == forward {
                let through = gap[nr * width + nc] + if step == 1.0 { 1.0 } else { 4.0 / 3.0 };
                if through < gap[at] {
                    gap[at] = through;
                }
            }
        }
    };
    for at in 0..width * height {
        relax(&mut gap, at, true);
    }
    for at in (0..width * height).rev() {
        relax(&mut gap, at, false);
    }
    gap
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use steward_core::messages::Header;

    /// `#` occupied, `.` free, space unknown; the first line is the row with the largest y.
    fn grid(rows: &[&str]) -> OccupancyGrid {
        let cells = rows
            .iter()
            .rev()
            .flat_map(|line| line.chars())
            .map(|c| match c {
                '#' => 100,
                '.' => 0,
                _ => -1,
            })
            .collect::<Vec<i8>>();
        OccupancyGrid {
            header: Header::default(),
            resolution_m: 0.1,
            width: rows[0].len() as u32,
            height: rows.len() as u32,
            origin: Pose2::default(),
            cells: Arc::new(cells),
        }
    }

    #[test]
    fn distances_go_around_walls() {
        let g = grid(&["........", "####.###", "........"]);
        let field = TravelField::new(&g, (0.05, 0.05), 0.0);
        // Three right, one diagonally up into the gap, three left and one up again would be a detour.
        let straight = field.cell_m(7, 0).unwrap();
        assert!((straight - 0.7).abs() < 1e-6);
        let around = field.cell_m(0, 2).unwrap();
        let expected = 0.1 * (3.0 + 2.0 * std::f64::consts::SQRT_2 + 3.0);
        assert!((around - expected).abs() < 1e-5, "{around} != {expected}");
        assert_eq!(field.cell_m(0, 1), None);
    }

    #[test]
    fn a_narrow_gap_stops_a_wide_robot() {
        let g = grid(&["........", "###..###", "........", "........", "........"]);
        assert!(TravelField::new(&g, (0.35, 0.05), 0.0).cell_m(0, 4).is_some());
        assert_eq!(TravelField::new(&g, (0.35, 0.05), 0.2).cell_m(0, 4), None);
    }

    #[test]
    fn a_doorway_into_the_unknown_is_a_frontier_that_is_faced() {
        let g = grid(&[
            "             ",
            "#####...#####",
            "#...........#",
            "#...........#",
            "#...........#",
            "#############",
        ]);
        let field = TravelField::new(&g, (0.25, 0.25), 0.1);
        let found = frontiers(&g, &field, 0.25, 0.6);
        assert_eq!(found.len(), 1);
        assert!((found[0].center.0 - 0.65).abs() < 0.11 && (found[0].center.1 - 0.45).abs() < 1e-9);
        assert!(found[0].travel_m > 0.2);
        assert!(frontiers(&g, &field, 0.5, 0.6).is_empty());
    }

    #[test]
    fn a_corner_that_furniture_hides_is_no_frontier() {
        let g = grid(&["#########", "#..# ...#", "#..   ..#", "#.......#", "#########"]);
        let field = TravelField::new(&g, (0.15, 0.15), 0.0);
        assert!(!frontiers(&g, &field, 0.1, 0.03).is_empty());
        assert!(frontiers(&g, &field, 0.1, 0.06).is_empty());
    }
}
