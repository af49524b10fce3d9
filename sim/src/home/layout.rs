//! Rooms: a rectangle cut into rooms, and the doorways between them.

use super::dice::Dice;

/// Half of the thickness of a wall between two rooms, metres.
pub(crate) const HALF_WALL_M: f64 = 0.06;

/// A rectangle on the floor, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x0: f64,
    pub(crate) y0: f64,
    pub(crate) x1: f64,
    pub(crate) y1: f64,
}

impl Area {
    pub(crate) fn new(x0: f64, y0: f64, x1: f64, y1: f64) -> Self {
        Area { x0, y0, x1, y1 }
    }

    pub(crate) fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    pub(crate) fn depth(&self) -> f64 {
        self.y1 - self.y0
    }

    pub(crate) fn center(&self) -> [f64; 2] {
        [(self.x0 + self.x1) * 0.5, (self.y0 + self.y1) * 0.5]
    }

    pub(crate) fn grown(&self, by: f64) -> Area {
        Area::new(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)
    }

    /// Whether the two share more than a border.
    pub(crate) fn overlaps(&self, o: &Area) -> bool {
        const EPS: f64 = 1e-6;
        self.x0 < o.x1 - EPS && o.x0 < self.x1 - EPS && self.y0 < o.y1 - EPS && o.y0 < self.y1 - EPS
    }

    pub(crate) fn holds(&self, o: &Area) -> bool {
        const EPS: f64 = 1e-6;
        self.x0 <= o.x0 + EPS && self.y0 <= o.y0 + EPS && self.x1 >= o.x1 - EPS && self.y1 >= o.y1 - EPS
    }

    /// Distance of a point from the rectangle, 0 inside.
    pub(crate) fn distance(&self, x: f64, y: f64) -> f64 {
        let dx = (self.x0 - x).max(x - self.x1).max(0.0);
        let dy = (self.y0 - y).max(y - self.y1).max(0.0);
        (dx * dx + dy * dy).sqrt()
    }
}

/// What a kind of room needs.
pub(crate) struct RoomKind {
    pub(crate) name: &'static str,
    /// Floor area to aim for, square metres.
    area: [f64; 2],
    /// Shortest side, metres.
    min_side: f64,
    /// Smaller joins more doors.
    depth: f64,
}

/// Every kind of room.
pub(crate) const ROOM_KINDS: &[RoomKind] = &[
    kind("kitchen", [14.0, 20.0], 3.1, 2.0),
    kind("living_room", [19.0, 28.0], 3.7, 0.5),
    kind("bedroom", [14.0, 19.0], 3.2, 4.0),
    kind("bathroom", [8.5, 12.5], 2.4, 5.0),
    kind("office", [12.0, 17.0], 2.9, 4.0),
    kind("hallway", [8.0, 14.0], 1.8, 0.0),
    kind("dining_room", [14.0, 20.0], 3.2, 1.0),
];

const fn kind(name: &'static str, area: [f64; 2], min_side: f64, depth: f64) -> RoomKind {
    RoomKind {
        name,
        area,
        min_side,
        depth,
    }
}

/// The kind of room with this name.
pub(crate) fn find(name: &str) -> Option<&'static RoomKind> {
    ROOM_KINDS.iter().find(|k| k.name == name)
}

/// Kinds of rooms for a home of `count` rooms: always a kitchen, a living room and a bedroom or office.
pub(crate) fn choose_rooms(count: usize, dice: &mut Dice) -> Vec<String> {
    let mut rooms = vec!["kitchen", "living_room"];
    let mut more = vec!["bedroom", "bathroom", "office", "hallway", "dining_room"];
    dice.shuffle(&mut more);
    let mut spare = vec!["bedroom", "bathroom", "bedroom", "office"];
    more.append(&mut spare);
    rooms.extend(more.into_iter().take(count.saturating_sub(2)));
    rooms.into_iter().map(str::to_owned).collect()
}

/// A doorway in the middle of a wall between two cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    pub(crate) rooms: [usize; 2],
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Heading from the first room into the second.
    pub(crate) yaw: f64,
    /// Clear width.
    pub(crate) width: f64,
}

/// Cells (one per room, walls included) and doorways, or `None` where this attempt does not work out.
pub(crate) fn arrange(kinds: &[&RoomKind], dice: &mut Dice) -> Option<(Vec<Area>, Vec<Door>)> {
    let areas: Vec<f64> = kinds.iter().map(|k| dice.range(k.area[0], k.area[1])).collect();
    let total: f64 = areas.iter().sum();
    let aspect = dice.range(1.0, 1.5);
    let width = round(nalgebra::ComplexField::sqrt(total * aspect));
    let depth = round(total / width);
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    dice.shuffle(&mut order);
    let mut cells = vec![Area::new(0.0, 0.0, 0.0, 0.0); kinds.len()];
    split(
        &order,
        &areas,
        Area::new(0.0, 0.0, width, depth),
        dice,
        &mut cells,
    );
    for (cell, kind) in cells.iter().zip(kinds) {
        let (short, long) = (cell.width().min(cell.depth()), cell.width().max(cell.depth()));
        let stretched = if kind.name == "hallway" { 4.0 } else { 2.1 };
        if short < kind.min_side + 2.0 * HALF_WALL_M || long > short * stretched {
            return None;
        }
    }
    let doors = connect(&cells, kinds, dice)?;
    Some((cells, doors))
}

fn round(x: f64) -> f64 {
    (x * 20.0).round() / 20.0
}

/// Cuts an area in two, in proportion, across its longer side, until every part is one room.
fn split(order: &[usize], areas: &[f64], area: Area, dice: &mut Dice, cells: &mut [Area]) {
    if let [only] = order {
        cells[*only] = area;
        return;
    }
    // Any cut that leaves at least a third of the rooms on either side.
    let fewest = (order.len() / 3).max(1);
    let middle = fewest + dice.index(order.len() - 2 * fewest + 1);
    let (first, second) = order.split_at(middle);
    let sum = |part: &[usize]| part.iter().map(|&i| areas[i]).sum::<f64>();
    let share = sum(first) / (sum(first) + sum(second));
    let (mut a, mut b) = (area, area);
    if area.width() >= area.depth() {
        let cut = round(area.x0 + area.width() * share);
        (a.x1, b.x0) = (cut, cut);
    } else {
        let cut = round(area.y0 + area.depth() * share);
        (a.y1, b.y0) = (cut, cut);
    }
    split(first, areas, a, dice, cells);
    split(second, areas, b, dice, cells);
}

/// Doorways that join all cells: a cheapest tree in which hallways and living rooms are hubs, and sometimes
/// one more for a second way round.
fn connect(cells: &[Area], kinds: &[&RoomKind], dice: &mut Dice) -> Option<Vec<Door>> {
    let mut candidates: Vec<(f64, Door)> = Vec::new();
    for i in 0..cells.len() {
        for j in i + 1..cells.len() {
            let weight = kinds[i].depth + kinds[j].depth + dice.range(0.0, 1.0);
            if let Some(door) = doorway(cells, i, j, dice) {
                candidates.push((weight, door));
            }
        }
    }
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut group: Vec<usize> = (0..cells.len()).collect();
    let mut doors = Vec::new();
    for (weight, door) in &candidates {
        let [a, b] = door.rooms.map(|r| group[r]);
        if a != b {
            for g in &mut group {
                if *g == b {
                    *g = a;
                }
            }
            doors.push(*door);
        } else if *weight < 4.0 && dice.chance(0.5) {
            doors.push(*door);
        }
    }
    group.iter().all(|&g| g == group[0]).then_some(doors)
}

/// A doorway somewhere in the wall that two cells share.
fn doorway(cells: &[Area], i: usize, j: usize, dice: &mut Dice) -> Option<Door> {
    use std::f64::consts::{FRAC_PI_2, PI};
    let (a, b) = (cells[i], cells[j]);
    let width = dice.length(1.0, 1.2);
    // Keeps the frame clear of the corners of both rooms.
    let margin = width * 0.5 + 0.25;
    let along = |low: f64, high: f64, dice: &mut Dice| {
        (high - low > 2.0 * margin).then(|| round(dice.range(low + margin, high - margin)))
    };
    let same = |p: f64, q: f64| (p - q).abs() < 1e-9;
    if same(a.x1, b.x0) || same(a.x0, b.x1) {
        let forward = same(a.x1, b.x0);
        let y = along(a.y0.max(b.y0), a.y1.min(b.y1), dice)?;
        return Some(Door {
            rooms: [i, j],
            x: if forward { a.x1 } else { a.x0 },
            y,
            yaw: if forward { 0.0 } else { PI },
            width,
        });
    }
    if same(a.y1, b.y0) || same(a.y0, b.y1) {
        let forward = same(a.y1, b.y0);
        let x = along(a.x0.max(b.x0), a.x1.min(b.x1), dice)?;
        return Some(Door {
            rooms: [i, j],
            x,
            y: if forward { a.y1 } else { a.y0 },
            yaw: if forward { FRAC_PI_2 } else { -FRAC_PI_2 },
            width,
        });
    }
    None
}
