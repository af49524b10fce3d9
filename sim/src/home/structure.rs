//! Walls, floors, ceilings, windows, door frames and lights.

use std::f64::consts::FRAC_PI_2;

use steward_core::geometry::{Pose3, Vector3};

use super::dice::Dice;
use super::draft::{Draft, Finish, pose, v};
use super::furniture;
use super::layout::{Area, Door, HALF_WALL_M};
use crate::model::{Entity, EntityKind, Light};
use crate::texture::Pattern;

/// Height of the rooms, metres.
pub(crate) const CEILING_M: f64 = 2.5;
/// Height of doorways, metres.
const DOOR_M: f64 = 2.05;
/// Thickness of door jambs, metres.
const JAMB_M: f64 = 0.05;
const SILL_M: f64 = 0.95;
const WINDOW_TOP_M: f64 = 2.05;

/// A hole in a wall, along the wall and in height.
#[derive(Debug, Clone, Copy)]
struct Opening {
    low: f64,
    high: f64,
    bottom: f64,
    top: f64,
}

/// One of the four walls of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    South,
    North,
    West,
    East,
}

pub(crate) const SIDES: [Side; 4] = [Side::South, Side::North, Side::West, Side::East];

impl Side {
    /// Heading from the wall into the room.
    pub(crate) fn yaw(self) -> f64 {
        match self {
            Side::South => FRAC_PI_2,
            Side::North => -FRAC_PI_2,
            Side::West => 0.0,
            Side::East => std::f64::consts::PI,
        }
    }

    pub(crate) fn along_x(self) -> bool {
        matches!(self, Side::South | Side::North)
    }

    /// Coordinate of the wall's face in a rectangle.
    fn face(self, area: &Area) -> f64 {
        match self {
            Side::South => area.y0,
            Side::North => area.y1,
            Side::West => area.x0,
            Side::East => area.x1,
        }
    }
}

/// A window in an outer wall.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) room: usize,
    pub(crate) side: Side,
    /// Extent along the wall.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Windows in walls that no other room shares: one per room where there is such a wall, two where it is long.
pub(crate) fn choose_windows(cells: &[Area], dice: &mut Dice) -> Vec<Window> {
    let outline = cells
        .iter()
        .copied()
        .reduce(|a, b| Area::new(a.x0.min(b.x0), a.y0.min(b.y0), a.x1.max(b.x1), a.y1.max(b.y1)));
    let Some(outline) = outline else { return Vec::new() };
    let mut windows = Vec::new();
    for (room, cell) in cells.iter().enumerate() {
        let mut outer: Vec<Side> = SIDES
            .into_iter()
            .filter(|s| (s.face(cell) - s.face(&outline)).abs() < 1e-9)
            .collect();
        dice.shuffle(&mut outer);
        for side in outer.into_iter().take(if dice.chance(0.5) { 2 } else { 1 }) {
            let (low, high) = if side.along_x() {
                (cell.x0, cell.x1)
            } else {
                (cell.y0, cell.y1)
            };
            let width = dice.length(1.0, 1.5).min(high - low - 1.0);
            if width > 0.6 {
                let at = dice.length(low + 0.4, high - 0.4 - width);
                windows.push(Window {
                    room,
                    side,
                    low: at,
                    high: at + width,
                });
            }
        }
    }
    windows
}

/// A room as the builder of walls needs it.
pub(crate) struct Shell<'a> {
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) cell: Area,
}

/// Walls, floor, ceiling, windows and pictures of one room, named, ids still to be given.
pub(crate) fn room(
    shell: &Shell,
    doors: &[Door],
    windows: &[Window],
    dice: &mut Dice,
    lights: &mut Vec<Light>,
) -> Vec<Entity> {
    let cell = shell.cell;
    let inner = cell.grown(-HALF_WALL_M);
    let tiled = matches!(shell.kind, "bathroom" | "kitchen");
    let floor = if tiled {
        Finish::pattern(Pattern::Tile, dice.variant(), 1.2)
    } else if shell.kind == "bedroom" && dice.chance(0.5) {
        Finish::pattern(Pattern::Fabric, dice.variant(), 0.9)
    } else {
        Finish::pattern(Pattern::Planks, dice.variant(), 1.6)
    };
    let mut entities = Vec::new();
    let mut add = |draft: Draft, class: &str, name: String| {
        let mut e = draft.finish(class, EntityKind::Structure, 100.0, 0.7);
        e.name = name;
        entities.push(e);
    };
    let mut slab = Draft::new();
    slab.block(v(cell.x0, cell.y0, -0.1), v(cell.x1, cell.y1, 0.0), &floor);
    add(slab, "floor", format!("{}_floor", shell.name));
    let mut ceiling = Draft::new();
    let white = Finish::pattern(Pattern::Plaster, 4, 2.0);
    ceiling.trim(
        v(cell.x0, cell.y0, CEILING_M),
        v(cell.x1, cell.y1, CEILING_M + 0.05),
        &white,
    );
    let [cx, cy] = inner.center();
    ceiling.mesh(
        crate::mesh::Mesh::frustum(0.12, 0.2, 0.12, 16),
        pose(cx, cy, CEILING_M - 0.12, 0.0),
        &Finish::plain([1.0, 0.97, 0.9]),
    );
    add(ceiling, "ceiling", format!("{}_ceiling", shell.name));

    let paint = dice.variant();
    let accent = dice.index(4);
    let board = Finish::pattern(Pattern::Wood, dice.variant(), 1.0);
    for (number, side) in SIDES.into_iter().enumerate() {
        let finish = match (number == accent, shell.kind) {
            (_, "bathroom") => Finish::pattern(Pattern::Tile, paint, 0.8),
            (true, "kitchen") => Finish::pattern(Pattern::Brick, paint, 1.0),
            (true, _) => Finish::pattern(Pattern::Wallpaper, paint, 0.9),
            _ => Finish::pattern(Pattern::Plaster, paint, 1.5),
        };
        let openings = openings(shell.index, side, &cell, doors, windows);
        let draft = wall(side, &cell, &openings, &finish, &board);
        add(draft, "wall", format!("{}_wall_{}", shell.name, number + 1));
        for (i, w) in windows
            .iter()
            .filter(|w| w.room == shell.index && w.side == side)
            .enumerate()
        {
            add(
                window(w, &cell),
                "window",
                format!("{}_window_{}_{}", shell.name, number + 1, i + 1),
            );
            let (s, face) = ((w.low + w.high) * 0.5, side.face(&inner));
            let into = if matches!(side, Side::South | Side::West) {
                0.3
            } else {
                -0.3
            };
            let at = if side.along_x() {
                v(s, face + into, 1.6)
            } else {
                v(face + into, s, 1.6)
            };
            lights.push(Light {
                position: at,
                intensity: [1.3, 1.45, 1.7],
                range_m: 4.5,
                shadows: false,
            });
        }
    }
    lights.push(Light {
        position: v(cx, cy, CEILING_M - 0.2),
        intensity: {
            let strength = 0.28 * (inner.width() * inner.depth()) as f32;
            let warm = dice.range(0.75, 1.0) as f32;
            [
                strength,
                strength * (0.8 + 0.2 * warm),
                strength * (0.55 + 0.4 * warm),
            ]
            .map(|c| c.max(1.6))
        },
        range_m: (inner.width() + inner.depth()) * 0.8,
        shadows: true,
    });
    entities.extend(pictures(shell, doors, windows, dice));
    entities
}

/// Holes in one wall of a room.
fn openings(index: usize, side: Side, cell: &Area, doors: &[Door], windows: &[Window]) -> Vec<Opening> {
    let face = side.face(cell);
    let mut list: Vec<Opening> = doors
        .iter()
        .filter(|d| {
            let crosses_x = d.yaw.abs() < 0.1 || d.yaw.abs() > 3.0;
            let on_face = if side.along_x() {
                !crosses_x && (d.y - face).abs() < 1e-9
            } else {
                crosses_x && (d.x - face).abs() < 1e-9
            };
            d.rooms.contains(&index) && on_face
        })
        .map(|d| {
            let (s, half) = (if side.along_x() { d.x } else { d.y }, d.width * 0.5 + JAMB_M);
            Opening {
                low: s - half,
                high: s + half,
                bottom: 0.0,
                top: DOOR_M + JAMB_M,
            }
        })
        .chain(
            windows
                .iter()
                .filter(|w| w.room == index && w.side == side)
                .map(|w| Opening {
                    low: w.low,
                    high: w.high,
                    bottom: SILL_M,
                    top: WINDOW_TOP_M,
                }),
        )
        .collect();
    list.sort_by(|a, b| a.low.total_cmp(&b.low));
    list
}

/// One wall with its holes and baseboard.
fn wall(side: Side, cell: &Area, openings: &[Opening], finish: &Finish, board: &Finish) -> Draft {
    let inner = cell.grown(-HALF_WALL_M);
    // Walls along x cover the corners.
    let (low, high) = if side.along_x() {
        (cell.x0, cell.x1)
    } else {
        (inner.y0, inner.y1)
    };
    let (outer_face, inner_face) = (side.face(cell), side.face(&inner));
    let mut draft = Draft::new();
    let corners = |from: f64, to: f64, depth: [f64; 2], z: [f64; 2]| {
        let (d0, d1) = (depth[0].min(depth[1]), depth[0].max(depth[1]));
        if side.along_x() {
            (v(from, d0, z[0]), v(to, d1, z[1]))
        } else {
            (v(d0, from, z[0]), v(d1, to, z[1]))
        }
    };
    let thin = if inner_face > outer_face { 0.012 } else { -0.012 };
    let mut piece = |from: f64, to: f64, z0: f64, z1: f64| {
        if to - from < 1e-6 || z1 - z0 < 1e-6 {
            return;
        }
        let (min, max) = corners(from, to, [outer_face, inner_face], [z0, z1]);
        draft.block(min, max, finish);
        if z0 == 0.0 {
            let (min, max) = corners(from, to, [inner_face, inner_face + thin], [0.0, 0.08]);
            draft.trim(min, max, board);
        }
    };
    let mut at = low;
    for o in openings {
        piece(at, o.low, 0.0, CEILING_M);
        piece(o.low, o.high, 0.0, o.bottom);
        piece(o.low, o.high, o.top, CEILING_M);
        at = o.high;
    }
    piece(at, high, 0.0, CEILING_M);
    draft
}

/// Glass in a frame.
fn window(w: &Window, cell: &Area) -> Draft {
    let inner = cell.grown(-HALF_WALL_M);
    let (a, b) = (w.side.face(cell), w.side.face(&inner));
    let middle = (a + b) * 0.5;
    let mut d = Draft::new();
    let corners = |from: f64, to: f64, half: f64, z0: f64, z1: f64| {
        if w.side.along_x() {
            (v(from, middle - half, z0), v(to, middle + half, z1))
        } else {
            (v(middle - half, from, z0), v(middle + half, to, z1))
        }
    };
    let frame = Finish::plain([0.85, 0.85, 0.82]);
    let f = 0.05;
    for (from, to, z0, z1) in [
        (w.low, w.low + f, SILL_M, WINDOW_TOP_M),
        (w.high - f, w.high, SILL_M, WINDOW_TOP_M),
        (w.low + f, w.high - f, SILL_M, SILL_M + f),
        (w.low + f, w.high - f, WINDOW_TOP_M - f, WINDOW_TOP_M),
        (
            (w.low + w.high) * 0.5 - 0.02,
            (w.low + w.high) * 0.5 + 0.02,
            SILL_M + f,
            WINDOW_TOP_M - f,
        ),
    ] {
        let (min, max) = corners(from, to, HALF_WALL_M * 0.5, z0, z1);
        d.block(min, max, &frame);
    }
    let (min, max) = corners(w.low + f, w.high - f, 0.004, SILL_M + f, WINDOW_TOP_M - f);
    d.block(min, max, &Finish::plain([0.70, 0.82, 0.95]).glass(0.3));
    d
}

/// Jambs and lintel of a doorway.
pub(crate) fn door_frame(door: &Door, name: String) -> Entity {
    let half = door.width * 0.5;
    let deep = HALF_WALL_M + 0.015;
    let finish = Finish::pattern(Pattern::Wood, 2, 0.8);
    let mut d = Draft::new();
    d.block(v(-deep, half, 0.0), v(deep, half + JAMB_M, DOOR_M), &finish)
        .block(v(-deep, -half - JAMB_M, 0.0), v(deep, -half, DOOR_M), &finish)
        .block(
            v(-deep, -half - JAMB_M, DOOR_M),
            v(deep, half + JAMB_M, DOOR_M + JAMB_M),
            &finish,
        );
    let mut e = d.finish("door_frame", EntityKind::Structure, 20.0, 0.7);
    e.name = name;
    e.pose = pose(door.x, door.y, 0.0, door.yaw);
    e
}

/// Pictures on walls, clear of doors, windows and each other.
fn pictures(shell: &Shell, doors: &[Door], windows: &[Window], dice: &mut Dice) -> Vec<Entity> {
    let inner = shell.cell.grown(-HALF_WALL_M);
    let mut list = Vec::new();
    for side in SIDES {
        let openings = openings(shell.index, side, &shell.cell, doors, windows);
        let (low, high) = if side.along_x() {
            (inner.x0, inner.x1)
        } else {
            (inner.y0, inner.y1)
        };
        let mut taken: Vec<[f64; 2]> = openings.iter().map(|o| [o.low, o.high]).collect();
        let wanted = if high - low > 3.0 { 2 } else { 1 };
        for _ in 0..wanted {
            let mut e = furniture::picture(dice);
            let half = e.local_bounds.half().y + 0.1;
            let s = dice.length(low + half, high - half);
            if taken.iter().any(|t| s + half > t[0] && s - half < t[1]) {
                continue;
            }
            taken.push([s - half, s + half]);
            let face = side.face(&inner);
            let at = if side.along_x() {
                v(s, face, 1.55)
            } else {
                v(face, s, 1.55)
            };
            e.pose = Pose3::from_parts(Vector3::from(at).into(), super::draft::about_z(side.yaw()));
            e.name = format!("{}_picture_{}", shell.name, list.len() + 1);
            list.push(e);
        }
    }
    list
}

/// Rectangles on the floor that walls and door jambs cover.
pub(crate) fn floor_obstacles(cells: &[Area], doors: &[Door]) -> Vec<Area> {
    let mut list = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let inner = cell.grown(-HALF_WALL_M);
        for side in SIDES {
            let (low, high) = if side.along_x() {
                (cell.x0, cell.x1)
            } else {
                (cell.y0, cell.y1)
            };
            let (a, b) = (side.face(cell), side.face(&inner));
            let mut at = low;
            let mut piece = |from: f64, to: f64| {
                let (d0, d1) = (a.min(b), a.max(b));
                list.push(if side.along_x() {
                    Area::new(from, d0, to, d1)
                } else {
                    Area::new(d0, from, d1, to)
                });
            };
            for o in openings(index, side, cell, doors, &[]) {
                // The jamb stands inside the hole.
                piece(at, o.low + JAMB_M);
                at = o.high - JAMB_M;
            }
            piece(at, high);
        }
    }
    list
}
