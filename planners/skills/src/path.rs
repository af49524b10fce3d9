//! Shortest paths for the base: A* and Dijkstra on a [`NavMap`] (Hart, Nilsson, Raphael 1968), then shortcuts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::navmap::{COST_PER_M, NavMap};

/// How far from the start the base may move through cells that it should not be in, metres.
const ESCAPE_RADIUS_M: f64 = 0.7;
/// Distance to obstacles with which it moves through them at least, unless it stands closer: about its radius, metres.
const ESCAPE_CLEARANCE_M: f64 = 0.22;
/// Cost factor of such cells, percent.
const ESCAPE_FACTOR: u32 = 1200;

/// A way from one place to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Corners, start and goal included, metres in `map`.
    pub points: Vec<(f64, f64)>,
    /// Cost in fixed-point units, see [`COST_PER_M`].
    pub cost: u32,
}

impl Path {
    /// Length in metres.
    pub fn length_m(&self) -> f64 {
        self.points
            .windows(2)
            .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
            .sum()
    }
}

/// Which cells the base may enter, given where it starts: those of the map, and, close to the start, cells that
/// are not nearer to an obstacle than the start is. So a robot that stands too close to something, or on floor it
/// never saw, gets away without getting closer.
struct Passable<'a> {
    map: &'a NavMap,
    start: (f64, f64),
    start_clearance_m: f64,
}

impl<'a> Passable<'a> {
    fn new(map: &'a NavMap, start_cell: usize) -> Self {
        Passable {
            map,
            start: map.center_of(start_cell),
            start_clearance_m: map.clearance_m(start_cell),
        }
    }

    fn factor(&self, cell: usize) -> Option<u32> {
        if let Some(f) = self.map.factor(cell) {
            return Some(f);
        }
        let (x, y) = self.map.center_of(cell);
        let near = (x - self.start.0).hypot(y - self.start.1) <= ESCAPE_RADIUS_M;
        let slack = self.map.grid().resolution_m * 0.5;
        let no_closer = self.map.clearance_m(cell) + slack >= self.start_clearance_m.min(ESCAPE_CLEARANCE_M);
        (near && no_closer && !self.map.occupied(cell)).then_some(ESCAPE_FACTOR)
    }
}

const STEPS: [(i64, i64, f64); 8] = [
    (1, 0, 1.0),
    (0, 1, 1.0),
    (-1, 0, 1.0),
    (0, -1, 1.0),
    (1, 1, std::f64::consts::SQRT_2),
    (-1, 1, std::f64::consts::SQRT_2),
    (-1, -1, std::f64::consts::SQRT_2),
    (1, -1, std::f64::consts::SQRT_2),
];

/// Cost of the cheapest way from a start to every cell.
#[derive(Debug, Clone)]
pub struct CostField {
    cost: Vec<u32>,
}

impl CostField {
    /// Dijkstra's algorithm from a start over the whole map. `None` where the start is outside the grid.
    pub fn from_start(map: &NavMap, start: (f64, f64)) -> Option<Self> {
        let start_cell = map.index_of(start.0, start.1)?;
        let (cost, _) = search(map, start_cell, None);
        Some(CostField { cost })
    }

    /// Cost to a point, `None` where it cannot be reached.
    pub fn cost_to(&self, map: &NavMap, x_m: f64, y_m: f64) -> Option<u32> {
        let cell = map.index_of(x_m, y_m)?;
        (self.cost[cell] != u32::MAX).then_some(self.cost[cell])
    }

    /// The reachable point on which the base may stand nearest to `goal`, within `radius_m`.
    pub fn nearest_reachable(&self, map: &NavMap, goal: (f64, f64), radius_m: f64) -> Option<(f64, f64)> {
        if map.standable_at(goal.0, goal.1) && self.cost_to(map, goal.0, goal.1).is_some() {
            return Some(goal);
        }
        let res = map.grid().resolution_m;
        let n = (radius_m / res).ceil() as i64;
        let mut best: Option<(f64, usize)> = None;
        for dy in -n..=n {
            for dx in -n..=n {
                let at = (goal.0 + dx as f64 * res, goal.1 + dy as f64 * res);
                let Some(cell) = map.index_of(at.0, at.1) else {
                    continue;
                };
                if !map.is_standable(cell) || self.cost[cell] == u32::MAX {
                    continue;
                }
                let (x, y) = map.center_of(cell);
                let d = (x - goal.0).hypot(y - goal.1);
                if d <= radius_m && best.is_none_or(|(b, _)| d < b) {
                    best = Some((d, cell));
                }
            }
        }
        best.map(|(_, cell)| map.center_of(cell))
    }
}

/// The cheapest path between two points, with shortcuts where nothing is lost by them. `None`: there is none.
pub fn plan(map: &NavMap, start: (f64, f64), goal: (f64, f64)) -> Option<Path> {
    let start_cell = map.index_of(start.0, start.1)?;
    let goal_cell = map.index_of(goal.0, goal.1)?;
    let passable = Passable::new(map, start_cell);
    passable.factor(goal_cell)?;
    let (cost, parent) = search(map, start_cell, Some(goal_cell));
    if cost[goal_cell] == u32::MAX {
        return None;
    }
    let mut cells = vec![goal_cell];
    let mut at = goal_cell;
    while at != start_cell {
        at = parent[at] as usize;
        cells.push(at);
    }
    cells.reverse();
    let mut points = shortcuts(&passable, &cells, &cost);
    if points.len() == 1 {
        points = vec![start, goal];
    } else {
        // The ends lie beside the middles of their cells: where a straight line would no longer do, those stay.
        let is_free = |from, to| line_cost(&passable, from, to).is_some();
        let keeps_first = !is_free(start, points[1]);
        points.splice(..usize::from(!keeps_first), [start]);
        let last = points.len() - 1;
        if is_free(points[last - 1], goal) {
            points[last] = goal;
        } else {
            points.push(goal);
        }
    }
    Some(Path {
        points,
        cost: cost[goal_cell],
    })
}

/// Whether the base can follow the straight line between two points.
pub fn line_is_free(map: &NavMap, from: (f64, f64), to: (f64, f64)) -> bool {
    let Some(start) = map.index_of(from.0, from.1) else {
        return false;
    };
    line_cost(&Passable::new(map, start), from, to).is_some()
}

/// Costs so far and parents; stops at the goal where there is one, using A* with the straight distance.
fn search(map: &NavMap, start: usize, goal: Option<usize>) -> (Vec<u32>, Vec<u32>) {
    let (w, h) = (map.width() as i64, map.height() as i64);
    let per_cell = map.grid().resolution_m * COST_PER_M;
    let passable = Passable::new(map, start);
    let mut cost = vec![u32::MAX; map.len()];
    let mut parent = vec![u32::MAX; map.len()];
    let step_cost = STEPS.map(|(_, _, d)| (d * per_cell).round() as u32);
    let heuristic = |cell: usize| {
        goal.map_or(0, |g| {
            let dx = (cell as i64 % w - g as i64 % w).unsigned_abs() as u32;
            let dy = (cell as i64 / w - g as i64 / w).unsigned_abs() as u32;
            // The exact cost of the octile way through open space, so it never overestimates.
            dx.min(dy) * step_cost[4] + (dx.max(dy) - dx.min(dy)) * step_cost[0]
        })
    };
    let mut open = BinaryHeap::new();
    cost[start] = 0;
    open.push(Reverse((heuristic(start), start as u32)));
    while let Some(Reverse((estimate, cell))) = open.pop() {
        let cell = cell as usize;
        if estimate > cost[cell].saturating_add(heuristic(cell)) {
            continue;
        }
        if Some(cell) == goal {
            break;
        }
        let (x, y) = (cell as i64 % w, cell as i64 / w);
        for (i, (dx, dy, _)) in STEPS.iter().enumerate() {
            let (nx, ny) = (x + dx, y + dy);
            if nx < 0 || ny < 0 || nx >= w || ny >= h {
                continue;
            }
            let next = (ny * w + nx) as usize;
            let Some(factor) = passable.factor(next) else {
                continue;
            };
            let new = cost[cell] + step_cost[i] * factor / 100;
            if new < cost[next] {
                cost[next] = new;
                parent[next] = cell as u32;
                open.push(Reverse((new + heuristic(next), next as u32)));
            }
        }
    }
    (cost, parent)
}

/// Cost of a straight line, `None` where it leaves the passable cells.
fn line_cost(passable: &Passable, from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    let res = passable.map.grid().resolution_m;
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let steps = (length / (res * 0.5)).ceil().max(1.0) as usize;
    let mut cost = 0.0;
    for i in 1..=steps {
        let t = i as f64 / steps as f64;
        let cell = passable
            .map
            .index_of(from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))?;
        cost += f64::from(passable.factor(cell)?) / 100.0;
    }
    Some(cost * length / steps as f64 * COST_PER_M)
}

/// Replaces stretches of a cell path by straight lines that cost no more.
fn shortcuts(passable: &Passable, cells: &[usize], cost: &[u32]) -> Vec<(f64, f64)> {
    let center = |i: usize| passable.map.center_of(cells[i]);
    let mut points = vec![center(0)];
    let mut at = 0;
    while at + 1 < cells.len() {
        let mut next = at + 1;
        let mut reach = 2;
        // Doubling, then the last success: quick, and good enough since longer shortcuts rarely succeed where
        // shorter ones failed.
        while at + reach < cells.len() + reach / 2 {
            let candidate = (at + reach).min(cells.len() - 1);
            let along = f64::from(cost[cells[candidate]] - cost[cells[at]]);
            match line_cost(passable, center(at), center(candidate)) {
                Some(straight) if straight <= along * 1.03 + 1.0 => next = candidate,
                _ => break,
            }
            if candidate == cells.len() - 1 {
                break;
            }
            reach += (reach / 4).max(1);
        }
        at = next;
        points.push(center(at));
    }
    points
}
