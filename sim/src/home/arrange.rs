//! Furniture in rooms.

use std::collections::BTreeMap;

use steward_core::geometry::{Point3, Pose3};

use super::dice::Dice;
use super::draft::pose;
use super::floor::FloorGrid;
use super::furniture::{self, Group, Rect, Spot};
use super::layout::{Area, Door, HALF_WALL_M};
use super::spec::HomeSpec;
use super::structure::{SIDES, Side, Window};

/// Radius of the disc for which the floor must be connected, metres.
pub(crate) const ROBOT_CLEARANCE_M: f64 = 0.30;
/// Between a wall and the back of a piece, metres.
const WALL_GAP_M: f64 = 0.03;
/// Between two pieces side by side, metres.
const SIDE_GAP_M: f64 = 0.02;
/// Pieces higher than this do not stand in front of windows, metres.
const TALL_M: f64 = 1.0;

/// A piece of furniture in its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) name: String,
    pub(crate) class: &'static str,
    pub(crate) room: usize,
    pub(crate) group: Group,
    pub(crate) pose: Pose3,
    pub(crate) yaw: f64,
    /// Floor it covers, `None` for what one walks over or what stands on other furniture.
    pub(crate) footprint: Option<Area>,
    /// Floor that must stay free.
    pub(crate) zone: Option<Area>,
}

/// Rooms and furniture of one attempt.
pub(crate) struct Plan {
    pub(crate) cells: Vec<Area>,
    pub(crate) doors: Vec<Door>,
    pub(crate) windows: Vec<Window>,
    pub(crate) kinds: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) placed: Vec<Placed>,
}

/// What a room is furnished with: class, how likely, and the class it likes to be near.
type Wish = (&'static str, f64, Option<&'static str>);

fn wishes(kind: &str) -> &'static [Wish] {
    match kind {
        "kitchen" => &[
            ("fridge", 1.0, None),
            ("counter", 1.0, Some("fridge")),
            ("sink", 1.0, Some("counter")),
            ("oven", 1.0, Some("counter")),
            ("cabinet", 0.9, Some("sink")),
            ("bin", 0.85, None),
            ("kitchen_island", 0.35, None),
            ("dining_table", 0.35, None),
            ("shelf", 0.3, None),
            ("washing_machine", 0.2, None),
            ("stool", 0.4, None),
        ],
        "living_room" => &[
            ("sofa", 1.0, None),
            ("coffee_table", 0.9, Some("sofa")),
            ("tv_stand", 0.8, None),
            ("armchair", 0.6, Some("sofa")),
            ("bookcase", 0.6, None),
            ("side_table", 0.5, Some("sofa")),
            ("shelf", 0.4, None),
            ("cabinet", 0.3, None),
            ("desk", 0.25, None),
            ("rug", 0.8, Some("coffee_table")),
            ("plant", 0.7, None),
            ("lamp", 0.7, Some("sofa")),
        ],
        "bedroom" => &[
            ("bed", 1.0, None),
            ("nightstand", 0.9, Some("bed")),
            ("wardrobe", 0.9, None),
            ("dresser", 0.7, None),
            ("desk", 0.35, None),
            ("bench", 0.3, None),
            ("rug", 0.6, None),
            ("lamp", 0.6, Some("bed")),
            ("plant", 0.3, None),
        ],
        "office" => &[
            ("desk", 1.0, None),
            ("bookcase", 0.8, None),
            ("shelf", 0.5, None),
            ("cabinet", 0.5, None),
            ("armchair", 0.4, None),
            ("side_table", 0.4, Some("armchair")),
            ("bin", 0.5, Some("desk")),
            ("rug", 0.5, None),
            ("plant", 0.6, None),
            ("lamp", 0.4, None),
        ],
        "bathroom" => &[
            ("bathtub", 0.9, None),
            ("toilet", 1.0, None),
            ("sink", 1.0, None),
            ("washing_machine", 0.6, Some("sink")),
            ("cabinet", 0.5, None),
            ("bin", 0.4, None),
            ("stool", 0.4, None),
        ],
        "hallway" => &[
            ("bench", 0.6, None),
            ("dresser", 0.4, None),
            ("side_table", 0.4, None),
            ("plant", 0.5, None),
            ("rug", 0.4, None),
        ],
        "dining_room" => &[
            ("dining_table", 1.0, None),
            ("cabinet", 0.7, None),
            ("shelf", 0.5, None),
            ("side_table", 0.4, None),
            ("plant", 0.6, None),
            ("lamp", 0.4, None),
            ("rug", 0.3, Some("dining_table")),
        ],
        _ => &[],
    }
}

impl Plan {
    /// Inside of a room's walls.
    pub(crate) fn inner(&self, room: usize) -> Area {
        self.cells[room].grown(-HALF_WALL_M)
    }

    /// Everything built around the floor.
    pub(crate) fn bounds(&self) -> Area {
        self.cells
            .iter()
            .copied()
            .reduce(|a, b| Area::new(a.x0.min(b.x0), a.y0.min(b.y0), a.x1.max(b.x1), a.y1.max(b.y1)))
            .unwrap_or(Area::new(0.0, 0.0, 0.0, 0.0))
    }

    /// Rectangles on the floor where the robot cannot be.
    pub(crate) fn obstacles(&self) -> Vec<Area> {
        super::structure::floor_obstacles(&self.cells, &self.doors)
            .into_iter()
            .chain(self.placed.iter().filter_map(|p| p.footprint))
            .collect()
    }

    /// Furnishes the rooms, or tells which required piece does not fit.
    pub(crate) fn furnish(&mut self, spec: &HomeSpec, dice: &mut Dice) -> Result<(), String> {
        let mut asked: Vec<(usize, &'static str)> = Vec::new();
        for f in &spec.furniture {
            let Some(class) = furniture::find(&f.class) else {
                continue;
            };
            let rooms: Vec<usize> = (0..self.names.len())
                .filter(|&r| {
                    f.room
                        .as_ref()
                        .is_none_or(|room| self.names[r] == *room || self.kinds[r] == *room)
                })
                .collect();
            if rooms.is_empty() {
                let room = f.room.as_deref().unwrap_or_default();
                return Err(format!("there is no room `{room}` for `{}`", f.class));
            }
            asked.push((rooms[dice.index(rooms.len())], class.name));
        }
        for room in 0..self.cells.len() {
            let kind = self.kinds[room].clone();
            let mut wanted: Vec<(&'static str, bool, Option<&'static str>)> = asked
                .iter()
                .filter(|(r, _)| *r == room)
                .map(|(_, class)| (*class, true, None))
                .collect();
            for &(class, likely, near) in wishes(&kind) {
                let already = wanted.iter().any(|(c, _, _)| *c == class);
                if !already && dice.chance(likely) && !spec.exclude.iter().any(|e| e == class) {
                    let vital = class == "fridge" || (class == "counter" && kind == "kitchen");
                    wanted.push((class, vital, near));
                }
            }
            if kind == "kitchen" {
                // The fridge needs the most space, so it chooses first.
                wanted.sort_by_key(|(c, _, _)| *c != "fridge");
            }
            for (class, required, near) in wanted {
                let fits = self.put(room, class, near, spec, dice);
                if required && !fits {
                    return Err(format!("`{class}` does not fit into {}", self.names[room]));
                }
            }
        }
        let has = |classes: &[&str]| self.placed.iter().any(|p| classes.contains(&p.class));
        if !has(&["desk", "dining_table", "coffee_table", "side_table"]) {
            return Err("no table or desk fits".into());
        }
        if !has(&["cabinet", "dresser", "nightstand", "desk", "bin", "microwave"]) {
            return Err("no second container fits".into());
        }
        Ok(())
    }

    fn put(
        &mut self,
        room: usize,
        class_name: &str,
        near: Option<&str>,
        spec: &HomeSpec,
        dice: &mut Dice,
    ) -> bool {
        let Some(class) = furniture::find(class_name) else {
            return false;
        };
        let group = (class.build)(dice);
        let spots = match class.spot {
            Spot::Wall | Spot::Corner => self.wall_spots(room, &group),
            Spot::Middle => self.middle_spots(room, &group),
            Spot::Under => {
                let near = self.near(room, near).unwrap_or(self.inner(room).center());
                let b = group.bounds();
                let (hx, hy) = (b.half().x + 0.05, b.half().y + 0.05);
                let inner = self.inner(room);
                if inner.width() < 2.0 * hx || inner.depth() < 2.0 * hy {
                    return false;
                }
                vec![(
                    near[0].clamp(inner.x0 + hx, inner.x1 - hx),
                    near[1].clamp(inner.y0 + hy, inner.y1 - hy),
                    0.0,
                )]
            }
        };
        let target = self.near(room, near);
        let mut best: Option<(f64, Placed)> = None;
        let mut order: Vec<usize> = (0..spots.len()).collect();
        dice.shuffle(&mut order);
        for i in order {
            let (x, y, yaw) = spots[i];
            let candidate = Placed {
                name: String::new(),
                class: class.name,
                room,
                pose: pose(x, y, 0.0, yaw),
                yaw,
                footprint: None,
                zone: None,
                group: Group {
                    entities: Vec::new(),
                    access: Vec::new(),
                    stack: None,
                },
            };
            if class.spot == Spot::Under {
                best = Some((0.0, candidate));
                break;
            }
            let Some((footprint, zone)) = self.fits(room, &group, x, y, yaw) else {
                continue;
            };
            let cost = target.map_or(0.0, |[tx, ty]| {
                ((x - tx).powi(2) + (y - ty).powi(2)).sqrt() + dice.range(0.0, 0.3)
            });
            if best.as_ref().is_none_or(|(b, _)| cost < *b) {
                best = Some((
                    cost,
                    Placed {
                        footprint: Some(footprint),
                        zone,
                        ..candidate
                    },
                ));
            }
            if target.is_none() {
                break;
            }
        }
        let Some((_, mut placed)) = best else { return false };
        placed.group = group;
        self.placed.push(placed);
        let host = self.placed.len() - 1;
        self.stack_on(host, spec, dice);
        match class.name {
            "dining_table" if allowed(spec, "chair") => self.chairs(host, dice),
            "desk" if allowed(spec, "office_chair") && dice.chance(0.8) => self.desk_chair(host, dice),
            _ => {}
        }
        true
    }

    /// Middle of the newest piece of a class in a room.
    fn near(&self, room: usize, class: Option<&str>) -> Option<[f64; 2]> {
        let class = class?;
        self.placed
            .iter()
            .rev()
            .find(|p| p.room == room && p.class == class)
            .map(|p| [p.pose.translation.x, p.pose.translation.y])
    }

    /// Poses with the back along a wall: every few centimetres, in the corners, and against neighbours.
    fn wall_spots(&self, room: usize, group: &Group) -> Vec<(f64, f64, f64)> {
        let inner = self.inner(room);
        let b = group.bounds();
        let mut spots = Vec::new();
        for side in SIDES {
            let yaw = side.yaw();
            let (low, high) = if side.along_x() {
                (inner.x0, inner.x1)
            } else {
                (inner.y0, inner.y1)
            };
            // Extent along the wall of the turned piece, relative to its origin.
            let (before, after) = match side {
                Side::South | Side::East => (b.max.y, -b.min.y),
                Side::North | Side::West => (-b.min.y, b.max.y),
            };
            let (first, last) = (low + WALL_GAP_M + before, high - WALL_GAP_M - after);
            if first > last {
                continue;
            }
            let mut along = vec![first, last];
            let steps = ((last - first) / 0.1) as usize;
            along.extend((1..=steps).map(|i| first + 0.1 * i as f64));
            for f in self
                .placed
                .iter()
                .filter(|p| p.room == room)
                .filter_map(|p| p.footprint)
            {
                let (f0, f1) = if side.along_x() {
                    (f.x0, f.x1)
                } else {
                    (f.y0, f.y1)
                };
                along.push(f1 + SIDE_GAP_M + before);
                along.push(f0 - SIDE_GAP_M - after);
            }
            let depth = WALL_GAP_M - b.min.x;
            for s in along.into_iter().filter(|s| (first..=last).contains(s)) {
                spots.push(match side {
                    Side::South => (s, inner.y0 + depth, yaw),
                    Side::North => (s, inner.y1 - depth, yaw),
                    Side::West => (inner.x0 + depth, s, yaw),
                    Side::East => (inner.x1 - depth, s, yaw),
                });
            }
        }
        spots
    }

    fn middle_spots(&self, room: usize, group: &Group) -> Vec<(f64, f64, f64)> {
        let inner = self.inner(room);
        let reach = group.bounds().half().norm();
        let mut spots = Vec::new();
        let (columns, rows) = ((inner.width() / 0.15) as usize, (inner.depth() / 0.15) as usize);
        for row in 0..=rows {
            for col in 0..=columns {
                let (x, y) = (inner.x0 + 0.15 * col as f64, inner.y0 + 0.15 * row as f64);
                if reach < inner.width() {
                    spots.push((x, y, 0.0));
                    spots.push((x, y, std::f64::consts::FRAC_PI_2));
                }
            }
        }
        spots
    }

    /// Footprint and free zone at a pose, where nothing is in the way.
    fn fits(&self, room: usize, group: &Group, x: f64, y: f64, yaw: f64) -> Option<(Area, Option<Area>)> {
        let inner = self.inner(room);
        let b = group.bounds();
        let footprint = turned([b.min.x, b.min.y, b.max.x, b.max.y], x, y, yaw);
        let in_room = |p: &&Placed| p.room == room;
        let taken: Vec<Area> = self
            .placed
            .iter()
            .filter(in_room)
            .filter_map(|p| p.footprint)
            .collect();
        let zones: Vec<Area> = self
            .placed
            .iter()
            .filter(in_room)
            .filter_map(|p| p.zone)
            .collect();
        if !inner.grown(-0.01).holds(&footprint)
            || taken
                .iter()
                .any(|t| t.grown(SIDE_GAP_M * 0.9).overlaps(&footprint))
            || zones.iter().any(|z| z.overlaps(&footprint))
            || self
                .doors
                .iter()
                .any(|d| d.rooms.contains(&room) && door_zone(d).overlaps(&footprint))
        {
            return None;
        }
        if b.max.z > TALL_M
            && self.windows.iter().any(|w| {
                let (f0, f1, near) = if w.side.along_x() {
                    let gap = if w.side == Side::South {
                        footprint.y0 - inner.y0
                    } else {
                        inner.y1 - footprint.y1
                    };
                    (footprint.x0, footprint.x1, gap < 0.3)
                } else {
                    let gap = if w.side == Side::West {
                        footprint.x0 - inner.x0
                    } else {
                        inner.x1 - footprint.x1
                    };
                    (footprint.y0, footprint.y1, gap < 0.3)
                };
                w.room == room && near && f0 < w.high && f1 > w.low
            })
        {
            return None;
        }
        if group.access.is_empty() {
            return Some((footprint, None));
        }
        group
            .access
            .iter()
            .map(|rect| turned(*rect, x, y, yaw))
            .find(|zone| inner.holds(zone) && !taken.iter().any(|t| t.overlaps(zone)))
            .map(|zone| (footprint, Some(zone)))
    }

    fn stack_on(&mut self, host: usize, spec: &HomeSpec, dice: &mut Dice) {
        let (class, room, at, yaw) = {
            let h = &self.placed[host];
            let Some(stack) = h.group.stack else { return };
            (h.class, h.room, h.pose * Point3::from(stack), h.yaw)
        };
        for &(name, on, build) in furniture::STACKED {
            if on == class && allowed(spec, name) && dice.chance(0.8) {
                self.placed.push(Placed {
                    name: String::new(),
                    class: name,
                    room,
                    group: build(dice),
                    pose: pose(at.x, at.y, at.z, yaw),
                    yaw,
                    footprint: None,
                    zone: None,
                });
            }
        }
    }

    /// Chairs around a table, as many as leave most of its edges within reach.
    fn chairs(&mut self, table: usize, dice: &mut Dice) {
        let (room, b, at, yaw) = {
            let t = &self.placed[table];
            (t.room, t.group.bounds(), t.pose, t.yaw)
        };
        // Somebody can still pass on the other sides, so the zone of the table shrinks to its footprint.
        let gap = dice.length(0.03, 0.10);
        let mut slots = [
            (b.max.x + gap + 0.2, b.half().y * 0.5, std::f64::consts::PI),
            (b.min.x - gap - 0.2, -b.half().y * 0.5, 0.0),
            (0.0, b.max.y + gap + 0.2, -std::f64::consts::FRAC_PI_2),
            (0.0, b.min.y - gap - 0.2, std::f64::consts::FRAC_PI_2),
        ];
        dice.shuffle(&mut slots);
        let wanted = 1 + dice.index(2);
        let Some(class) = furniture::find("chair") else {
            return;
        };
        let prototype = (class.build)(dice);
        for (dx, dy, turn) in slots.into_iter().take(wanted) {
            let p = at * Point3::new(dx, dy, 0.0);
            self.seat(room, "chair", prototype.clone(), p.x, p.y, yaw + turn);
        }
    }

    fn desk_chair(&mut self, desk: usize, dice: &mut Dice) {
        let (room, b, at, yaw) = {
            let t = &self.placed[desk];
            (t.room, t.group.bounds(), t.pose, t.yaw)
        };
        let Some(class) = furniture::find("office_chair") else {
            return;
        };
        let chair = (class.build)(dice);
        let p = at * Point3::new(b.max.x + 0.28, b.max.y - 0.30, 0.0);
        self.seat(room, "office_chair", chair, p.x, p.y, yaw + std::f64::consts::PI);
    }

    /// Puts a chair where it touches nothing but the zone of the table it belongs to.
    fn seat(&mut self, room: usize, class: &'static str, group: Group, x: f64, y: f64, yaw: f64) {
        let b = group.bounds();
        let footprint = turned([b.min.x, b.min.y, b.max.x, b.max.y], x, y, yaw);
        let clear = self.inner(room).grown(-0.05).holds(&footprint)
            && !self.placed.iter().any(|p| {
                let own = matches!(p.class, "dining_table") && class == "chair";
                p.footprint.is_some_and(|f| f.overlaps(&footprint))
                    || (!own && p.zone.is_some_and(|z| z.overlaps(&footprint)))
            })
            && !self
                .doors
                .iter()
                .any(|d| d.rooms.contains(&room) && door_zone(d).overlaps(&footprint));
        if clear {
            self.placed.push(Placed {
                name: String::new(),
                class,
                room,
                group,
                pose: pose(x, y, 0.0, yaw),
                yaw,
                footprint: Some(footprint),
                zone: None,
            });
        }
    }

    /// Numbers the pieces of each class in the order in which they were placed.
    pub(crate) fn number(&mut self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for p in &mut self.placed {
            let n = counts.entry(p.class).or_default();
            *n += 1;
            p.name = format!("{}_{n}", p.class);
        }
    }

    /// The floor as the robot finds it, flooded from where it starts, with further obstacles; an error names
    /// the room or piece that it cannot get to.
    pub(crate) fn check(&self, start: [f64; 2], further: &[Area]) -> Result<FloorGrid, String> {
        let obstacles = self.obstacles().into_iter().chain(further.iter().copied());
        let mut grid = FloorGrid::new(&self.bounds(), obstacles, ROBOT_CLEARANCE_M);
        grid.flood(start[0], start[1]);
        for d in &self.doors {
            if !grid.reaches_near(d.x, d.y, 0.15) {
                return Err(format!("the doorway at {:.1}, {:.1} is blocked", d.x, d.y));
            }
        }
        for (room, name) in self.names.iter().enumerate() {
            let inner = self.inner(room);
            let (mut free, mut reached) = (0usize, 0usize);
            for [x, y] in grid.free_cells(&inner) {
                free += 1;
                reached += usize::from(grid.reaches(x, y));
            }
            if reached == 0 || reached * 10 < free * 9 {
                return Err(format!("{name} has floor out of reach"));
            }
        }
        for p in &self.placed {
            let open = match (p.zone, p.class) {
                (Some(_), "dining_table" | "coffee_table" | "kitchen_island") => {
                    p.footprint.is_none_or(|f| edges_in_reach(&grid, &f) >= 0.6)
                }
                (Some(zone), _) => {
                    let [x, y] = zone.center();
                    grid.reaches_near(x, y, 0.1)
                }
                (None, _) => true,
            };
            if !open {
                return Err(format!("nobody gets to {}", p.name));
            }
        }
        Ok(grid)
    }

    /// A free place to start from, in the most open part of a central room.
    pub(crate) fn start(&self) -> Option<[f64; 2]> {
        let rank = |kind: &str| {
            ["living_room", "hallway", "dining_room"]
                .iter()
                .position(|k| *k == kind)
        };
        let room = (0..self.kinds.len()).min_by_key(|&r| rank(&self.kinds[r]).unwrap_or(9))?;
        let inner = self.inner(room);
        let [cx, cy] = inner.center();
        [0.6, 0.5, 0.4, 0.35].into_iter().find_map(|radius| {
            let grid = FloorGrid::new(&self.bounds(), self.obstacles().into_iter(), radius);
            grid.free_cells(&inner)
                .min_by(|a, b| {
                    let d = |p: &[f64; 2]| (p[0] - cx).powi(2) + (p[1] - cy).powi(2);
                    d(a).total_cmp(&d(b))
                })
                .map(|p| p.map(|c| (c * 100.0).round() / 100.0))
        })
    }
}

/// Share of the edge of a table that somebody standing in reach can get to.
pub(crate) fn edges_in_reach(grid: &FloorGrid, table: &Area) -> f64 {
    let (mut total, mut reached) = (0usize, 0usize);
    let mut look = |x: f64, y: f64| {
        total += 1;
        reached += usize::from(grid.reaches_near(x, y, 0.6));
    };
    let steps = |length: f64| (length / 0.1).ceil() as usize;
    for i in 0..=steps(table.width()) {
        let x = table.x0 + table.width() * i as f64 / steps(table.width()) as f64;
        look(x, table.y0);
        look(x, table.y1);
    }
    for i in 0..=steps(table.depth()) {
        let y = table.y0 + table.depth() * i as f64 / steps(table.depth()) as f64;
        look(table.x0, y);
        look(table.x1, y);
    }
    reached as f64 / total as f64
}

fn allowed(spec: &HomeSpec, class: &str) -> bool {
    !spec.exclude.iter().any(|e| e == class)
}

/// Floor on both sides of a doorway that stays free.
pub(crate) fn door_zone(d: &Door) -> Area {
    let (along, across) = (0.9, d.width * 0.5 + 0.05);
    if d.yaw.abs() < 0.1 || d.yaw.abs() > 3.0 {
        Area::new(d.x - along, d.y - across, d.x + along, d.y + across)
    } else {
        Area::new(d.x - across, d.y - along, d.x + across, d.y + along)
    }
}

/// A rectangle turned by a multiple of a right angle and moved.
pub(crate) fn turned(rect: Rect, x: f64, y: f64, yaw: f64) -> Area {
    let quarter = (yaw / std::f64::consts::FRAC_PI_2).round() as i64;
    let (cos, sin) = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][quarter.rem_euclid(4) as usize];
    let corner = |px: f64, py: f64| (x + cos * px - sin * py, y + sin * px + cos * py);
    let (ax, ay) = corner(rect[0], rect[1]);
    let (bx, by) = corner(rect[2], rect[3]);
    Area::new(ax.min(bx), ay.min(by), ax.max(bx), ay.max(by))
}
