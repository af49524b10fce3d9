//! Where a disc the size of the robot can go.

use super::layout::Area;

/// Side of a grid cell, metres.
const CELL_M: f64 = 0.05;

/// A grid of the floor: blocked, free, or free and connected to the start.
pub(crate) struct FloorGrid {
    origin: [f64; 2],
    columns: usize,
    rows: usize,
    blocked: Vec<bool>,
    reached: Vec<bool>,
}

impl FloorGrid {
    /// Cells whose centre is at least `radius_m` from every obstacle are free.
    pub(crate) fn new(bounds: &Area, obstacles: impl Iterator<Item = Area>, radius_m: f64) -> Self {
        let columns = (bounds.width() / CELL_M).ceil() as usize + 1;
        let rows = (bounds.depth() / CELL_M).ceil() as usize + 1;
        let mut grid = FloorGrid {
            origin: [bounds.x0, bounds.y0],
            columns,
            rows,
            blocked: vec![false; columns * rows],
            reached: vec![false; columns * rows],
        };
        for o in obstacles {
            grid.block(&o, radius_m);
        }
        grid
    }

    fn block(&mut self, o: &Area, radius_m: f64) {
        let near = o.grown(radius_m);
        let clamp = |x: f64, n: usize| (x.max(0.0) as usize).min(n);
        let c0 = clamp((near.x0 - self.origin[0]) / CELL_M, self.columns);
        let c1 = clamp((near.x1 - self.origin[0]) / CELL_M + 1.0, self.columns);
        let r0 = clamp((near.y0 - self.origin[1]) / CELL_M, self.rows);
        let r1 = clamp((near.y1 - self.origin[1]) / CELL_M + 1.0, self.rows);
        for row in r0..r1 {
            for col in c0..c1 {
                let [x, y] = self.center(col, row);
                if o.distance(x, y) < radius_m {
                    self.blocked[row * self.columns + col] = true;
                }
            }
        }
    }

    fn center(&self, col: usize, row: usize) -> [f64; 2] {
        [
            self.origin[0] + (col as f64 + 0.5) * CELL_M,
            self.origin[1] + (row as f64 + 0.5) * CELL_M,
        ]
    }

    fn index(&self, x: f64, y: f64) -> Option<usize> {
        let (col, row) = ((x - self.origin[0]) / CELL_M, (y - self.origin[1]) / CELL_M);
        (col >= 0.0 && row >= 0.0 && (col as usize) < self.columns && (row as usize) < self.rows)
            .then(|| row as usize * self.columns + col as usize)
    }

    /// Marks everything that is connected to a point.
    pub(crate) fn flood(&mut self, x: f64, y: f64) {
        self.reached.fill(false);
        let Some(start) = self.index(x, y).filter(|&i| !self.blocked[i]) else {
            return;
        };
        let mut open = vec![start];
        self.reached[start] = true;
        while let Some(i) = open.pop() {
            let (col, row) = (i % self.columns, i / self.columns);
            let neighbours = [
                (col > 0).then(|| i - 1),
                (col + 1 < self.columns).then(|| i + 1),
                (row > 0).then(|| i - self.columns),
                (row + 1 < self.rows).then(|| i + self.columns),
            ];
            for n in neighbours.into_iter().flatten() {
                if !self.blocked[n] && !self.reached[n] {
                    self.reached[n] = true;
                    open.push(n);
                }
            }
        }
    }

    /// Whether the disc can stand there and was reached.
    pub(crate) fn reaches(&self, x: f64, y: f64) -> bool {
        self.index(x, y).is_some_and(|i| self.reached[i])
    }

    /// Whether some reached cell lies within `radius_m` of a point.
    pub(crate) fn reaches_near(&self, x: f64, y: f64, radius_m: f64) -> bool {
        let steps = (radius_m / CELL_M) as i32;
        (-steps..=steps).any(|i| {
            (-steps..=steps).any(|j| {
                let (dx, dy) = (f64::from(i) * CELL_M, f64::from(j) * CELL_M);
                dx * dx + dy * dy <= radius_m * radius_m && self.reaches(x + dx, y + dy)
            })
        })
    }

    /// Centres of free cells in a rectangle, row by row.
    pub(crate) fn free_cells(&self, area: &Area) -> impl Iterator<Item = [f64; 2]> + '_ {
        let area = *area;
        (0..self.rows).flat_map(move |row| {
            (0..self.columns).filter_map(move |col| {
                let [x, y] = self.center(col, row);
                (area.distance(x, y) == 0.0 && !self.blocked[row * self.columns + col]).then_some([x, y])
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lets_through_what_is_narrower() {
        let bounds = Area::new(0.0, 0.0, 4.0, 4.0);
        let walls = [Area::new(1.9, 0.0, 2.1, 1.5), Area::new(1.9, 2.5, 2.1, 4.0)];
        for (radius, through) in [(0.3, true), (0.44, true), (0.56, false)] {
            let mut grid = FloorGrid::new(&bounds, walls.into_iter(), radius);
            grid.flood(0.8, 2.0);
            assert!(grid.reaches(0.8, 2.0));
            assert_eq!(grid.reaches(3.2, 2.0), through, "radius {radius}");
        }
    }
}
