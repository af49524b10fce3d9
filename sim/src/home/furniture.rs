//! Furniture: one function per class.
//!
//! A piece stands on the floor with its footprint around the origin, its front towards +x and its width along
//! y. Parts that open are built in place, closed.

use std::f64::consts::PI;

use steward_core::geometry::{Aabb, Point3, Vector3};

use super::dice::Dice;
use super::draft::{Draft, Finish, about_z, pose, v};
use crate::mesh::Mesh;
use crate::model::{Entity, EntityId, EntityKind, PartJoint};
use crate::texture::Pattern;

/// A rectangle on the floor in the frame of a piece: `[x0, y0, x1, y1]`.
pub(crate) type Rect = [f64; 4];

/// A piece of furniture with its parts, closed, around the origin.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The body, then its parts, whose names are suffixes and whose ids count from 0.
    pub(crate) entities: Vec<Entity>,
    /// Floor that must stay free for somebody to use it: at least one of these.
    pub(crate) access: Vec<Rect>,
    /// Where a stacked piece (microwave, television) stands, in this frame.
    pub(crate) stack: Option<Vector3>,
}

impl Group {
    fn new(body: Entity) -> Self {
        Group {
            entities: vec![body],
            access: Vec::new(),
            stack: None,
        }
    }

    /// Box around everything.
    pub(crate) fn bounds(&self) -> Aabb {
        self.entities
            .iter()
            .map(|e| Aabb {
                min: e.local_bounds.min + e.pose.translation.vector,
                max: e.local_bounds.max + e.pose.translation.vector,
            })
            .reduce(|a, b| a.union(&b))
            .unwrap_or(Aabb {
                min: Point3::origin(),
                max: Point3::origin(),
            })
    }

    /// Free floor in front, as wide as the piece but not narrower than `min_width_m`; a narrow piece may
    /// share it with a neighbour on either side.
    fn front(mut self, depth_m: f64, min_width_m: f64) -> Self {
        let b = self.bounds();
        let spare = (min_width_m - (b.max.y - b.min.y)).max(0.0);
        for share in if spare > 0.0 { &[0.5, 0.0, 1.0][..] } else { &[0.5] } {
            self.access.push([
                b.max.x,
                b.min.y - spare * share,
                b.max.x + depth_m,
                b.max.y + spare * (1.0 - share),
            ]);
        }
        self
    }

    /// Free floor in front of a hinged door: room for the door beyond the hinge, and for somebody who stands
    /// beside the handle.
    fn front_of_door(mut self, hinge_left: bool, depth_m: f64) -> Self {
        let b = self.bounds();
        let (left, right) = if hinge_left { (0.2, 0.35) } else { (0.35, 0.2) };
        self.access
            .push([b.max.x, b.min.y - right, b.max.x + depth_m, b.max.y + left]);
        self
    }

    /// Free floor on all sides.
    fn around(mut self, margin_m: f64) -> Self {
        let b = self.bounds();
        self.access = vec![[
            b.min.x - margin_m,
            b.min.y - margin_m,
            b.max.x + margin_m,
            b.max.y + margin_m,
        ]];
        self
    }
}

/// Where a piece belongs in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Back against a wall.
    Wall,
    /// Away from the walls.
    Middle,
    /// In a corner.
    Corner,
    /// On the floor under other things.
    Under,
}

/// A class of furniture.
pub(crate) struct FurnitureClass {
    pub(crate) name: &'static str,
    pub(crate) spot: Spot,
    pub(crate) build: fn(&mut Dice) -> Group,
}

/// Every class that stands on the floor, by name. `microwave`, `tv` and `monitor` stand on other pieces.
pub(crate) const CLASSES: &[FurnitureClass] = &[
    class("armchair", Spot::Wall, armchair),
    class("bathtub", Spot::Wall, bathtub),
    class("bed", Spot::Wall, bed),
    class("bench", Spot::Wall, bench),
    class("bin", Spot::Wall, bin),
    class("bookcase", Spot::Wall, bookcase),
    class("cabinet", Spot::Wall, cabinet),
    class("chair", Spot::Middle, chair),
    class("coffee_table", Spot::Middle, coffee_table),
    class("counter", Spot::Wall, counter),
    class("desk", Spot::Wall, desk),
    class("dining_table", Spot::Middle, dining_table),
    class("dresser", Spot::Wall, dresser),
    class("fridge", Spot::Wall, fridge),
    class("kitchen_island", Spot::Middle, kitchen_island),
    class("lamp", Spot::Corner, lamp),
    class("nightstand", Spot::Wall, nightstand),
    class("office_chair", Spot::Middle, office_chair),
    class("oven", Spot::Wall, oven),
    class("plant", Spot::Corner, plant),
    class("rug", Spot::Under, rug),
    class("shelf", Spot::Wall, shelf),
    class("side_table", Spot::Wall, side_table),
    class("sink", Spot::Wall, sink),
    class("sofa", Spot::Wall, sofa),
    class("stool", Spot::Corner, stool),
    class("toilet", Spot::Wall, toilet),
    class("tv_stand", Spot::Wall, tv_stand),
    class("wardrobe", Spot::Wall, wardrobe),
    class("washing_machine", Spot::Wall, washing_machine),
];

/// Makes one piece.
pub(crate) type Builder = fn(&mut Dice) -> Group;

/// Classes that stand on other furniture: name, host, builder.
pub(crate) const STACKED: &[(&str, &str, Builder)] = &[
    ("microwave", "counter", microwave),
    ("monitor", "desk", monitor),
    ("tv", "tv_stand", tv),
];

const fn class(name: &'static str, spot: Spot, build: fn(&mut Dice) -> Group) -> FurnitureClass {
    FurnitureClass { name, spot, build }
}

/// The class with this name.
pub(crate) fn find(name: &str) -> Option<&'static FurnitureClass> {
    CLASSES.iter().find(|c| c.name == name)
}

const FURNITURE_FRICTION: f64 = 0.6;
/// Floor to be kept free in front of what opens, beyond the swept space, metres.
const STANDING_M: f64 = 0.9;
const DRAWER_TRAVEL_M: f64 = 0.35;

fn wood(dice: &mut Dice) -> Finish {
    Finish::pattern(Pattern::Wood, dice.variant(), 0.8)
}

fn painted(dice: &mut Dice) -> Finish {
    const PAINTS: [[f32; 3]; 6] = [
        [0.80, 0.80, 0.78],
        [0.55, 0.62, 0.60],
        [0.30, 0.38, 0.45],
        [0.75, 0.68, 0.55],
        [0.42, 0.50, 0.40],
        [0.62, 0.30, 0.25],
    ];
    Finish::pattern(Pattern::Plaster, 4, 0.6).tinted(PAINTS[dice.index(PAINTS.len())])
}

fn fabric(dice: &mut Dice) -> Finish {
    Finish::pattern(Pattern::Fabric, dice.variant(), 0.5)
}

fn steel() -> Finish {
    Finish::pattern(Pattern::Metal, 0, 0.5)
}

fn dark() -> Finish {
    Finish::plain([0.03, 0.03, 0.035])
}

fn white() -> Finish {
    Finish::pattern(Pattern::Marble, 4, 1.5).tinted([0.95, 0.95, 0.95])
}

fn furniture(draft: Draft, class: &str, mass_kg: f64) -> Group {
    Group::new(draft.finish(class, EntityKind::Furniture, mass_kg, FURNITURE_FRICTION))
}

/// Back, sides, bottom and top of a box that is open towards +x.
fn carcass(draft: &mut Draft, min: Vector3, max: Vector3, thick: f64, finish: &Finish) {
    let t = thick;
    draft
        .block(min, v(min.x + t, max.y, max.z), finish)
        .block(v(min.x + t, min.y, min.z), v(max.x, min.y + t, max.z), finish)
        .block(v(min.x + t, max.y - t, min.z), v(max.x, max.y, max.z), finish)
        .block(
            v(min.x + t, min.y + t, min.z),
            v(max.x, max.y - t, min.z + t),
            finish,
        )
        .block(
            v(min.x + t, min.y + t, max.z - t),
            v(max.x, max.y - t, max.z),
            finish,
        );
}

struct Panel {
    /// Position of its back face.
    x: f64,
    y: [f64; 2],
    z: [f64; 2],
    thick: f64,
}

/// A door in front of a carcass, hinged at its left (+y) or right edge.
fn hinged_door(panel: &Panel, hinge_left: bool, handle_z: f64, class: &str, finish: &Finish) -> Entity {
    let (front, [y0, y1], [z0, z1]) = (panel.x + panel.thick, panel.y, panel.z);
    let mut draft = Draft::new();
    draft.block(v(panel.x, y0, z0), v(front, y1, z1), finish);
    let handle_y = if hinge_left { y0 + 0.05 } else { y1 - 0.05 };
    let length = (z1 - z0 - 0.06).clamp(0.12, 0.24);
    let bar = draft.handle(
        v(front, handle_y, handle_z),
        Vector3::x(),
        Vector3::z(),
        length,
        &steel(),
    );
    let anchor = v(front, if hinge_left { y1 } else { y0 }, (z0 + z1) * 0.5);
    let axis = if hinge_left { Vector3::z() } else { -Vector3::z() };
    let joint = PartJoint {
        parent: EntityId(0),
        prismatic: false,
        anchor,
        axis,
        upper: 110f64.to_radians(),
        initial: 0.0,
        handle: bar,
        handle_axis: Vector3::z(),
        friction: 0.4,
    };
    part(
        draft,
        class,
        "door",
        joint,
        v(panel.x, (y0 + y1) * 0.5, (z0 + z1) * 0.5),
        3.0,
    )
}

/// A drawer whose front covers `panel` and whose box reaches back by `depth`.
fn drawer(panel: &Panel, depth: f64, index: u32, suffix: &str, finish: &Finish, inside: &Finish) -> Entity {
    let (front, [y0, y1], [z0, z1]) = (panel.x + panel.thick, panel.y, panel.z);
    let (t, side) = (0.012, 0.02);
    let mut draft = Draft::new();
    draft.block(v(panel.x, y0, z0), v(front, y1, z1), finish);
    let (back, left, right, low, high) = (panel.x - depth, y0 + side, y1 - side, z0 + 0.015, z1 - 0.03);
    draft
        .block(v(back, left, low), v(panel.x, right, low + t), inside)
        .block(v(back, left, low + t), v(back + t, right, high), inside)
        .block(v(back + t, left, low + t), v(panel.x, left + t, high), inside)
        .block(v(back + t, right - t, low + t), v(panel.x, right, high), inside)
        .surface(
            "bottom",
            [back + t, left + t],
            [panel.x, right - t],
            low + t,
            z1 - low - t,
        )
        .cavity(v(back + t, left + t, low), v(panel.x, right - t, z1), Some(index));
    let bar = draft.handle(
        v(front, (y0 + y1) * 0.5, (z0 + z1) * 0.5),
        Vector3::x(),
        Vector3::y(),
        0.16,
        &steel(),
    );
    let joint = PartJoint {
        parent: EntityId(0),
        prismatic: true,
        anchor: v(front, (y0 + y1) * 0.5, (z0 + z1) * 0.5),
        axis: Vector3::x(),
        upper: DRAWER_TRAVEL_M,
        initial: 0.0,
        handle: bar,
        handle_axis: Vector3::y(),
        friction: 2.0,
    };
    part(
        draft,
        "drawer",
        suffix,
        joint,
        v(panel.x, (y0 + y1) * 0.5, (z0 + z1) * 0.5),
        2.0,
    )
}

/// Finishes a part with its frame at `origin`; the joint is given in the frame of the furniture.
fn part(
    draft: Draft,
    class: &str,
    suffix: &str,
    mut joint: PartJoint,
    origin: Vector3,
    mass_kg: f64,
) -> Entity {
    joint.anchor -= origin;
    joint.handle -= origin;
    let mut entity = draft
        .shifted(-origin)
        .finish(class, EntityKind::Part(joint), mass_kg, 0.7);
    entity.name = suffix.to_owned();
    entity.pose = pose(origin.x, origin.y, origin.z, 0.0);
    entity
}

fn table(class: &str, half: [f64; 2], height: f64, finish: &Finish, leg: f64) -> Draft {
    let [hx, hy] = half;
    let mut d = Draft::new();
    d.block(v(-hx, -hy, height - 0.035), v(hx, hy, height), finish);
    for (sx, sy) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        let (x, y) = (sx * (hx - leg), sy * (hy - leg));
        d.block(
            v(x - leg * 0.5, y - leg * 0.5, 0.0),
            v(x + leg * 0.5, y + leg * 0.5, height - 0.035),
            finish,
        );
    }
    // Aprons join the legs below the top.
    d.trim(
        v(-hx + leg, -hy + leg, height - 0.10),
        v(hx - leg, -hy + leg + 0.02, height - 0.035),
        finish,
    );
    d.trim(
        v(-hx + leg, hy - leg - 0.02, height - 0.10),
        v(hx - leg, hy - leg, height - 0.035),
        finish,
    );
    d.surface("top", [-hx, -hy], [hx, hy], height, 1.0);
    debug_assert!(class.contains("table") || class == "bench");
    d
}

fn dining_table(dice: &mut Dice) -> Group {
    let (half, height) = (
        [dice.length(0.40, 0.46), dice.length(0.65, 0.80)],
        dice.length(0.72, 0.76),
    );
    let finish = wood(dice);
    furniture(
        table("dining_table", half, height, &finish, 0.07),
        "dining_table",
        30.0,
    )
    .around(0.7)
}

fn coffee_table(dice: &mut Dice) -> Group {
    let (half, height) = (
        [dice.length(0.26, 0.32), dice.length(0.42, 0.55)],
        dice.length(0.38, 0.46),
    );
    let finish = wood(dice);
    furniture(
        table("coffee_table", half, height, &finish, 0.06),
        "coffee_table",
        15.0,
    )
    .around(0.65)
}

fn side_table(dice: &mut Dice) -> Group {
    let finish = wood(dice);
    let height = dice.length(0.50, 0.62);
    if dice.chance(0.5) {
        let r = dice.length(0.22, 0.26);
        let mut d = Draft::new();
        d.post(v(0.0, 0.0, height - 0.03), r, 0.03, &finish)
            .post(v(0.0, 0.0, 0.02), 0.03, height - 0.05, &finish)
            .post(v(0.0, 0.0, 0.0), 0.17, 0.02, &finish);
        let inner = r * 0.7;
        d.surface("top", [-inner, -inner], [inner, inner], height, 1.0);
        return furniture(d, "side_table", 6.0).front(0.65, 0.65);
    }
    let half = dice.length(0.21, 0.25);
    furniture(
        table("side_table", [half, half], height, &finish, 0.04),
        "side_table",
        6.0,
    )
    .front(0.65, 0.65)
}

fn bench(dice: &mut Dice) -> Group {
    let finish = wood(dice);
    let half = [0.19, dice.length(0.45, 0.6)];
    furniture(table("bench", half, 0.45, &finish, 0.05), "bench", 12.0).front(0.65, 0.65)
}

fn desk(dice: &mut Dice) -> Group {
    let (w, d, h) = (
        dice.length(1.40, 1.60),
        dice.length(0.66, 0.72),
        dice.length(0.73, 0.76),
    );
    let (finish, front) = (wood(dice), painted(dice));
    let (hx, hy) = (d * 0.5, w * 0.5);
    let mut body = Draft::new();
    let top = h - 0.03;
    body.block(v(-hx, -hy, top), v(hx, hy, h), &finish);
    // Two legs on the left, a pedestal with the drawer on the right.
    for x in [-hx + 0.04, hx - 0.04] {
        body.block(
            v(x - 0.025, hy - 0.065, 0.0),
            v(x + 0.025, hy - 0.015, top),
            &finish,
        );
    }
    body.block(
        v(-hx, -hy + 0.5, top - 0.25),
        v(-hx + 0.02, hy - 0.04, top),
        &finish,
    );
    let (y0, y1, low) = (-hy + 0.01, -hy + 0.46, top - 0.22);
    body.block(v(-hx + 0.03, y0, 0.0), v(hx - 0.05, y0 + 0.02, top), &finish)
        .block(v(-hx + 0.03, y1 - 0.02, 0.0), v(hx - 0.05, y1, top), &finish)
        .block(
            v(-hx + 0.03, y0 + 0.02, 0.0),
            v(-hx + 0.05, y1 - 0.02, top),
            &finish,
        )
        .block(
            v(-hx + 0.05, y0 + 0.02, 0.05),
            v(hx - 0.05, y1 - 0.02, low - 0.02),
            &finish,
        )
        .surface("top", [-hx + 0.28, -hy], [hx, hy], h, 1.0);
    let panel = Panel {
        x: hx - 0.048,
        y: [y0 + 0.002, y1 - 0.002],
        z: [low, top - 0.005],
        thick: 0.02,
    };
    let panel_inside = Panel {
        y: [y0 + 0.004, y1 - 0.004],
        ..panel
    };
    let mut group = furniture(body, "desk", 35.0);
    group
        .entities
        .push(drawer(&panel_inside, 0.42, 1, "drawer", &front, &finish));
    group.stack = Some(v(-hx + 0.13, 0.08, h));
    // In front of the drawer; the left part may have a chair.
    let b = group.bounds();
    group.access = vec![[
        b.max.x,
        b.min.y,
        b.max.x + DRAWER_TRAVEL_M + STANDING_M,
        b.min.y + 0.8,
    ]];
    group
}

fn nightstand(dice: &mut Dice) -> Group {
    let (w, d, h) = (dice.length(0.42, 0.50), 0.42, dice.length(0.60, 0.64));
    let (finish, front) = (wood(dice), painted(dice));
    drawers_unit(
        "nightstand",
        [w, d, h],
        &[[h - 0.20, h - 0.025]],
        &finish,
        &front,
        10.0,
    )
}

fn dresser(dice: &mut Dice) -> Group {
    let (w, d, h) = (dice.length(0.80, 1.05), 0.46, dice.length(0.86, 0.90));
    let (finish, front) = (
        wood(dice),
        if dice.chance(0.5) {
            painted(dice)
        } else {
            wood(dice)
        },
    );
    let (a, b) = (h - 0.025, h - 0.235);
    drawers_unit(
        "dresser",
        [w, d, h],
        &[[a - 0.20, a], [b - 0.20, b]],
        &finish,
        &front,
        35.0,
    )
}

/// A closed box with drawers in its front; what is below the lowest drawer is blind.
fn drawers_unit(
    class: &str,
    [w, d, h]: [f64; 3],
    rows: &[[f64; 2]],
    finish: &Finish,
    front: &Finish,
    mass_kg: f64,
) -> Group {
    let (hx, hy, t) = (d * 0.5, w * 0.5, 0.02);
    let lowest = rows.iter().map(|r| r[0]).fold(h, f64::min);
    let mut body = Draft::new();
    let face = hx - 0.022;
    body.block(v(-hx, -hy, 0.0), v(-hx + t, hy, h - t), finish)
        .block(v(-hx + t, -hy, 0.0), v(face, -hy + t, h - t), finish)
        .block(v(-hx + t, hy - t, 0.0), v(face, hy, h - t), finish)
        .block(v(-hx, -hy, h - t), v(hx, hy, h), finish)
        .block(v(-hx + t, -hy + t, 0.06), v(face, hy - t, lowest - 0.005), finish)
        .surface("top", [-hx, -hy], [hx, hy], h, 1.0);
    if lowest > 0.3 {
        body.trim(
            v(face, -hy + 0.01, 0.08),
            v(face + 0.015, hy - 0.01, lowest - 0.02),
            front,
        );
    }
    let mut drawers = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let panel = Panel {
            x: face + 0.002,
            y: [-hy + t + 0.002, hy - t - 0.002],
            z: [row[0], row[1]],
            thick: 0.02,
        };
        let suffix = if rows.len() == 1 {
            "drawer".to_owned()
        } else {
            format!("drawer_{}", i + 1)
        };
        drawers.push(drawer(&panel, d - 0.06, i as u32 + 1, &suffix, front, finish));
    }
    let mut group = furniture(body, class, mass_kg);
    group.entities.extend(drawers);
    group.front(DRAWER_TRAVEL_M + STANDING_M, 0.8)
}

fn fridge(dice: &mut Dice) -> Group {
    let (w, h) = (dice.length(0.60, 0.66), dice.length(1.45, 1.55));
    let (hx, hy, t) = (0.275, w * 0.5, 0.04);
    let finish = if dice.chance(0.5) { steel() } else { white() };
    let (low, hinge_left) = (0.40, dice.chance(0.5));
    let mut body = Draft::new();
    carcass(&mut body, v(-hx, -hy, low - t), v(hx, hy, h), t, &white());
    body.block(v(-hx, -hy, 0.04), v(hx, hy, low - t), &finish)
        .trim(v(hx, -hy, 0.05), v(hx + 0.045, hy, low - t - 0.01), &finish)
        .block(
            v(-hx + 0.03, -hy + 0.03, 0.0),
            v(hx - 0.03, hy - 0.03, 0.04),
            &dark(),
        );
    let clear = (h - t - low) / 3.0;
    for i in 0..3 {
        let z = low + clear * f64::from(i);
        if i > 0 {
            body.block(
                v(-hx + t, -hy + t, z - 0.012),
                v(hx - 0.03, hy - t, z),
                &white().glass(0.6),
            );
        }
        body.surface(
            &format!("shelf_{}", i + 1),
            [-hx + t, -hy + t],
            [hx - 0.03, hy - t],
            z,
            clear - 0.012,
        );
    }
    body.cavity(v(-hx + t, -hy + t, low), v(hx, hy - t, h - t), Some(1));
    let mut group = furniture(body, "fridge", 60.0);
    let panel = Panel {
        x: hx + 0.002,
        y: [-hy, hy],
        z: [low - t, h],
        thick: 0.045,
    };
    group.entities.push(hinged_door(
        &panel,
        hinge_left,
        dice.length(0.80, 0.95),
        "fridge_door",
        &finish,
    ));
    group.front_of_door(hinge_left, 1.25)
}

fn cabinet(dice: &mut Dice) -> Group {
    let tall = dice.chance(0.4);
    let w = dice.length(0.56, 0.66);
    let (h, low) = if tall { (1.50, 0.50) } else { (0.90, 0.36) };
    let (hx, hy, t) = (0.27, w * 0.5, 0.025);
    let (finish, front) = (wood(dice), painted(dice));
    let hinge_left = dice.chance(0.5);
    let mut body = Draft::new();
    carcass(&mut body, v(-hx, -hy, low - t), v(hx, hy, h), t, &finish);
    body.block(v(-hx, -hy, 0.08), v(hx, hy, low - t), &finish)
        .trim(
            v(hx, -hy + 0.005, 0.09),
            v(hx + 0.02, hy - 0.005, low - t - 0.01),
            &front,
        )
        .block(v(-hx, -hy, 0.0), v(hx - 0.05, hy, 0.08), &dark());
    let shelves: &[f64] = if tall { &[0.50, 0.82, 1.14] } else { &[0.36] };
    for (i, &z) in shelves.iter().enumerate() {
        let ceiling = shelves.get(i + 1).map_or(h - t, |next| next - 0.02);
        if i > 0 {
            body.block(v(-hx + t, -hy + t, z - 0.02), v(hx - 0.01, hy - t, z), &finish);
        }
        body.surface(
            &format!("shelf_{}", i + 1),
            [-hx + t, -hy + t],
            [hx - 0.01, hy - t],
            z,
            ceiling - z,
        );
    }
    if !tall {
        body.surface("top", [-hx, -hy], [hx, hy], h, 1.0);
    }
    body.cavity(v(-hx + t, -hy + t, low), v(hx, hy - t, h - t), Some(1));
    let mut group = furniture(body, "cabinet", 35.0);
    let panel = Panel {
        x: hx + 0.002,
        y: [-hy, hy],
        z: [low - t, h - 0.02],
        thick: 0.02,
    };
    let handle_z = if tall { 0.95 } else { 0.68 };
    group
        .entities
        .push(hinged_door(&panel, hinge_left, handle_z, "cabinet_door", &front));
    group.front_of_door(hinge_left, 1.25)
}

fn microwave(dice: &mut Dice) -> Group {
    let (w, d, h, t) = (0.50, 0.38, 0.30, 0.025);
    let (hx, hy) = (d * 0.5, w * 0.5);
    let finish = if dice.chance(0.5) { steel() } else { white() };
    let mut body = Draft::new();
    carcass(&mut body, v(-hx, -hy, 0.0), v(hx, hy, h), t, &finish);
    body.surface("shelf", [-hx + t, -hy + t], [hx - 0.01, hy - t], t, h - 2.0 * t)
        .cavity(v(-hx + t, -hy + t, t), v(hx, hy - t, h - t), Some(1));
    let mut group = furniture(body, "microwave", 14.0);
    let panel = Panel {
        x: hx + 0.002,
        y: [-hy, hy],
        z: [0.005, h],
        thick: 0.025,
    };
    // Hinged on the right, so that the open door is over free counter.
    let mut door = hinged_door(&panel, false, h * 0.5, "microwave_door", &dark());
    if let EntityKind::Part(joint) = &mut door.kind {
        joint.friction = 0.2;
    }
    door.mass_kg = 1.2;
    group.entities.push(door);
    group
}

fn bin(dice: &mut Dice) -> Group {
    let (half, h, t) = (dice.length(0.15, 0.17), dice.length(0.52, 0.60), 0.015);
    let finish = if dice.chance(0.5) { steel() } else { painted(dice) };
    let floor = 0.22;
    let mut body = Draft::new();
    body.block(v(-half, -half, 0.0), v(half, half, floor), &finish);
    for (min, max) in [
        (v(-half, -half, floor), v(-half + t, half, h)),
        (v(half - t, -half, floor), v(half, half, h)),
        (v(-half + t, -half, floor), v(half - t, -half + t, h)),
        (v(-half + t, half - t, floor), v(half - t, half, h)),
    ] {
        body.block(min, max, &finish);
    }
    let inner = half - t;
    body.surface("bottom", [-inner, -inner], [inner, inner], floor, h - floor)
        .cavity(v(-inner, -inner, floor), v(inner, inner, h), Some(1));
    let mut lid = Draft::new();
    let top = h + 0.002;
    lid.block(v(-half, -half, top), v(half, half, top + 0.03), &dark());
    let bar = lid.handle(
        v(half, 0.0, top + 0.015),
        Vector3::x(),
        Vector3::y(),
        0.14,
        &steel(),
    );
    let joint = PartJoint {
        parent: EntityId(0),
        prismatic: false,
        anchor: v(-half, 0.0, top + 0.03),
        axis: -Vector3::y(),
        upper: 88f64.to_radians(),
        initial: 0.0,
        handle: bar,
        handle_axis: Vector3::y(),
        friction: 0.8,
    };
    let mut group = furniture(body, "bin", 4.0);
    group
        .entities
        .push(part(lid, "bin_lid", "lid", joint, v(0.0, 0.0, top), 0.4));
    group.front(STANDING_M, 0.8)
}

fn counter(dice: &mut Dice) -> Group {
    let (w, h) = (dice.length(1.2, 1.5), 0.90);
    let (hx, hy) = (0.29, w * 0.5);
    let front = painted(dice);
    let top = Finish::pattern(Pattern::Marble, dice.variant(), 1.0);
    let mut d = Draft::new();
    d.block(v(-hx, -hy, h - 0.04), v(hx, hy, h), &top)
        .block(v(-hx, -hy, 0.08), v(hx - 0.02, hy, h - 0.04), &front)
        .block(v(-hx, -hy, 0.0), v(hx - 0.07, hy, 0.08), &dark());
    // The left end carries the microwave.
    let reserved = 0.56;
    d.surface("top", [-hx, -hy], [hx, hy - reserved], h, 1.0);
    let mut group = furniture(d, "counter", 60.0);
    group.stack = Some(v(hx - 0.27, hy - reserved * 0.5, h));
    group.front(1.2, 0.8)
}

fn kitchen_island(dice: &mut Dice) -> Group {
    let (hx, hy, h) = (dice.length(0.32, 0.38), dice.length(0.5, 0.65), 0.90);
    let front = wood(dice);
    let top = Finish::pattern(Pattern::Marble, dice.variant(), 1.0);
    let mut d = Draft::new();
    d.block(v(-hx, -hy, h - 0.04), v(hx, hy, h), &top)
        .block(
            v(-hx + 0.04, -hy + 0.04, 0.0),
            v(hx - 0.04, hy - 0.04, h - 0.04),
            &front,
        )
        .surface("top", [-hx, -hy], [hx, hy], h, 1.0);
    furniture(d, "kitchen_island", 60.0).around(0.7)
}

fn oven(dice: &mut Dice) -> Group {
    let (hx, hy, h) = (0.29, 0.30, 0.90);
    let finish = if dice.chance(0.5) { steel() } else { white() };
    let mut d = Draft::new();
    d.block(v(-hx, -hy, 0.0), v(hx, hy, h), &finish)
        .trim(v(hx, -hy + 0.05, 0.25), v(hx + 0.01, hy - 0.05, 0.62), &dark())
        .trim(
            v(hx + 0.01, -hy + 0.06, 0.66),
            v(hx + 0.03, hy - 0.06, 0.68),
            &steel(),
        )
        .trim(
            v(-hx + 0.02, -hy + 0.02, h),
            v(hx - 0.02, hy - 0.02, h + 0.004),
            &dark(),
        );
    for (x, y) in [(-0.13, -0.14), (0.13, -0.14), (0.13, 0.14), (-0.13, 0.14)] {
        d.mesh(
            Mesh::lathe(&[[0.06, 0.0], [0.075, 0.0], [0.075, 0.006], [0.06, 0.006]], 20),
            pose(x, y, h + 0.004, 0.0),
            &steel(),
        );
    }
    for i in 0..4 {
        let y = -0.18 + 0.12 * f64::from(i);
        d.mesh(
            Mesh::rounded_cuboid(v(0.012, 0.018, 0.018), 0.008),
            pose(hx + 0.012, y, 0.76, 0.0),
            &dark(),
        );
    }
    furniture(d, "oven", 50.0).front(0.9, 0.8)
}

fn sink(dice: &mut Dice) -> Group {
    let (hx, hy, h) = (0.28, dice.length(0.38, 0.45), dice.length(0.84, 0.90));
    let (front, top) = (
        painted(dice),
        Finish::pattern(Pattern::Marble, dice.variant(), 1.0),
    );
    // The basin takes the left half, the right half is free to put things on.
    let (bx, b0, b1) = (0.19, 0.0, hy - 0.04);
    let mut d = Draft::new();
    d.block(v(-hx, -hy, 0.0), v(hx - 0.02, hy, h - 0.18), &front)
        .block(v(-hx, -hy, h - 0.18), v(hx, b0, h), &top)
        .block(v(-hx, b1, h - 0.18), v(hx, hy, h), &top)
        .block(v(-hx, b0, h - 0.18), v(-bx, b1, h), &top)
        .block(v(bx, b0, h - 0.18), v(hx, b1, h), &top)
        .trim(v(-bx, b0, h - 0.18), v(bx, b1, h - 0.17), &steel())
        .surface("top", [-hx, -hy], [hx, b0 - 0.02], h, 1.0);
    let y = (b0 + b1) * 0.5;
    d.post(v(-bx - 0.04, y, h), 0.015, 0.22, &steel());
    d.mesh(
        Mesh::torus_segment(0.07, 0.012, PI, 0.0, 8, 8),
        pose(-bx + 0.03, y, h + 0.22, 0.0),
        &steel(),
    );
    furniture(d, "sink", 30.0).front(0.9, 0.8)
}

fn bathtub(_dice: &mut Dice) -> Group {
    let (hx, hy, h, t) = (0.36, 0.80, 0.55, 0.06);
    let finish = white();
    let mut d = Draft::new();
    d.block(v(-hx, -hy, 0.0), v(hx, hy, 0.12), &finish);
    for (min, max) in [
        (v(-hx, -hy, 0.12), v(-hx + t, hy, h)),
        (v(hx - t, -hy, 0.12), v(hx, hy, h)),
        (v(-hx + t, -hy, 0.12), v(hx - t, -hy + t, h)),
        (v(-hx + t, hy - t, 0.12), v(hx - t, hy, h)),
    ] {
        d.soft(min, max, 0.02, &finish);
    }
    d.post(v(0.0, -hy + 0.03, h), 0.014, 0.12, &steel());
    furniture(d, "bathtub", 90.0).front(0.65, 0.65)
}

fn toilet(_dice: &mut Dice) -> Group {
    let finish = white();
    let mut d = Draft::new();
    d.soft(v(-0.34, -0.19, 0.36), v(-0.16, 0.19, 0.78), 0.03, &finish)
        .soft(v(-0.34, -0.10, 0.0), v(0.10, 0.10, 0.36), 0.03, &finish);
    d.solid(
        crate::model::ColliderShape::Cylinder {
            half_height_m: 0.06,
            radius_m: 0.2,
        },
        pose(0.08, 0.0, 0.38, 0.0),
    );
    d.mesh(
        Mesh::lathe(
            &[
                [0.0, 0.0],
                [0.11, 0.0],
                [0.2, 0.2],
                [0.2, 0.24],
                [0.14, 0.24],
                [0.1, 0.12],
                [0.0, 0.1],
            ],
            24,
        )
        .scaled(1.25, 0.95, 1.0),
        pose(0.08, 0.0, 0.2, 0.0),
        &finish,
    );
    d.mesh(
        Mesh::rounded_cuboid(v(0.02, 0.18, 0.2), 0.018),
        pose(-0.15, 0.0, 0.62, 0.0),
        &finish,
    );
    furniture(d, "toilet", 30.0).front(0.65, 0.65)
}

fn washing_machine(_dice: &mut Dice) -> Group {
    let (hx, hy, h) = (0.29, 0.30, 0.85);
    let finish = white();
    let mut d = Draft::new();
    d.soft(v(-hx, -hy, 0.0), v(hx, hy, h), 0.015, &finish);
    let turned = steward_core::geometry::Pose3::from_parts(
        v(hx, 0.0, 0.42).into(),
        steward_core::geometry::Rotation3::from_axis_angle(&Vector3::y_axis(), PI * 0.5),
    );
    d.mesh(Mesh::cylinder(0.19, 0.02, 28), turned, &steel());
    d.mesh(Mesh::cylinder(0.15, 0.025, 28), turned, &dark());
    d.trim(v(hx, -0.25, 0.72), v(hx + 0.008, 0.05, 0.80), &dark())
        .surface("top", [-hx, -hy], [hx, hy], h, 1.0);
    furniture(d, "washing_machine", 60.0).front(0.9, 0.8)
}

/// Boards between two sides with a back; `boards` are the heights of the usable ones, below `top`.
fn open_shelf(class: &str, [w, d, h]: [f64; 3], boards: &[f64], top: f64, finish: &Finish) -> Draft {
    let (hx, hy, t) = (d * 0.5, w * 0.5, 0.022);
    let mut draft = Draft::new();
    draft
        .block(v(-hx, -hy, 0.0), v(hx, -hy + t, h), finish)
        .block(v(-hx, hy - t, 0.0), v(hx, hy, h), finish)
        .block(v(-hx, -hy + t, 0.0), v(-hx + 0.01, hy - t, h), finish)
        .block(v(-hx + 0.01, -hy + t, 0.0), v(hx, hy - t, 0.06), finish);
    for (i, &z) in boards.iter().enumerate() {
        let ceiling = boards.get(i + 1).map_or(top, |next| next - t);
        draft
            .block(v(-hx + 0.01, -hy + t, z - t), v(hx, hy - t, z), finish)
            .surface(
                &format!("shelf_{}", i + 1),
                [-hx + 0.01, -hy + t],
                [hx, hy - t],
                z,
                if i + 1 == boards.len() && ceiling <= z {
                    1.0
                } else {
                    ceiling - z
                },
            );
        if ceiling > z {
            draft.cavity(v(-hx + 0.01, -hy + t, z), v(hx, hy - t, ceiling), None);
        }
    }
    debug_assert!(class == "shelf" || class == "bookcase" || class == "tv_stand");
    draft
}

fn shelf(dice: &mut Dice) -> Group {
    let (w, d) = (dice.length(0.8, 1.1), 0.32);
    let finish = wood(dice);
    furniture(
        open_shelf("shelf", [w, d, 1.12], &[0.42, 0.78, 1.12], 1.12, &finish),
        "shelf",
        25.0,
    )
    .front(0.75, 0.7)
}

fn bookcase(dice: &mut Dice) -> Group {
    let (w, d, h) = (dice.length(0.75, 1.0), 0.32, dice.length(1.85, 2.0));
    let finish = wood(dice);
    let mut draft = open_shelf("bookcase", [w, d, h], &[0.46, 0.82, 1.18], 1.54, &finish);
    let (hx, hy) = (d * 0.5, w * 0.5);
    // Above and below reach the boards are full of books.
    draft
        .block(
            v(-hx + 0.01, -hy + 0.022, 1.54),
            v(hx, hy - 0.022, 1.562),
            &finish,
        )
        .block(v(-hx, -hy, h - 0.022), v(hx, hy, h), &finish);
    for floor in [0.06, 1.562] {
        let mut y = -hy + 0.03;
        loop {
            let (thick, tall) = (dice.range(0.025, 0.06), dice.range(0.19, 0.25));
            if y + thick > hy - 0.05 {
                break;
            }
            let print = Finish::print(Pattern::BookCover, dice.variant());
            let deep = dice.range(0.15, 0.2);
            draft.mesh(
                Mesh::fitted_cuboid(v(deep * 0.5, thick * 0.5, tall * 0.5)),
                pose(hx - 0.02 - deep * 0.5, y + thick * 0.5, floor + tall * 0.5, 0.0),
                &print,
            );
            y += thick + 0.002;
            if dice.chance(0.12) {
                y += 0.08;
            }
        }
    }
    furniture(draft, "bookcase", 45.0).front(0.75, 0.7)
}

fn tv_stand(dice: &mut Dice) -> Group {
    let (w, d, h) = (dice.length(1.3, 1.6), 0.44, 0.50);
    let finish = wood(dice);
    let mut draft = Draft::new();
    let (hx, hy) = (d * 0.5, w * 0.5);
    draft
        .block(v(-hx, -hy, 0.05), v(hx, hy, h), &finish)
        .block(
            v(-hx + 0.04, -hy + 0.04, 0.0),
            v(hx - 0.04, hy - 0.04, 0.05),
            &dark(),
        )
        .trim(
            v(hx, -hy + 0.02, 0.08),
            v(hx + 0.012, -0.01, h - 0.05),
            &painted(dice),
        )
        .trim(
            v(hx, 0.01, 0.08),
            v(hx + 0.012, hy - 0.02, h - 0.05),
            &painted(dice),
        )
        .surface("top", [-hx + 0.2, -hy], [hx, hy], h, 1.0);
    let mut group = furniture(draft, "tv_stand", 30.0);
    group.stack = Some(v(-hx + 0.1, 0.0, h));
    group.front(0.75, 0.7)
}

fn tv(dice: &mut Dice) -> Group {
    screen(dice, "tv", dice_width(0.95, 1.2), 0.07)
}

fn monitor(dice: &mut Dice) -> Group {
    screen(dice, "monitor", dice_width(0.5, 0.62), 0.14)
}

fn dice_width(low: f64, high: f64) -> [f64; 2] {
    [low, high]
}

fn screen(dice: &mut Dice, class: &str, [low, high]: [f64; 2], foot: f64) -> Group {
    let w = dice.length(low, high);
    let h = w * 0.58;
    let mut d = Draft::new();
    d.block(v(-0.015, -w * 0.5, foot), v(0.015, w * 0.5, foot + h), &dark())
        .block(v(-0.02, -0.04, 0.0), v(0.015, 0.04, foot), &dark())
        .block(v(-0.08, -w * 0.18, 0.0), v(0.08, w * 0.18, 0.012), &dark());
    // A picture on the screen, a little darker than print.
    let print = Finish::print(Pattern::Poster, dice.variant()).tinted([0.35, 0.35, 0.4]);
    d.mesh(
        Mesh::fitted_cuboid(v(0.002, w * 0.5 - 0.015, h * 0.5 - 0.015)),
        pose(0.016, 0.0, foot + h * 0.5, 0.0),
        &print,
    );
    furniture(d, class, 8.0)
}

fn sofa(dice: &mut Dice) -> Group {
    let w = dice.length(1.7, 2.1);
    seat(dice, "sofa", w, 40.0)
}

fn armchair(dice: &mut Dice) -> Group {
    let w = dice.length(0.85, 0.95);
    seat(dice, "armchair", w, 20.0)
}

fn seat(dice: &mut Dice, class: &str, w: f64, mass_kg: f64) -> Group {
    let finish = fabric(dice);
    let (hx, hy, arm, high) = (0.42, w * 0.5, 0.16, dice.length(0.40, 0.45));
    let mut d = Draft::new();
    d.soft(
        v(-hx, -hy + arm, 0.06),
        v(hx - 0.02, hy - arm, high - 0.12),
        0.03,
        &finish,
    )
    .soft(v(-hx, -hy, 0.04), v(hx, -hy + arm, 0.62), 0.05, &finish)
    .soft(v(-hx, hy - arm, 0.04), v(hx, hy, 0.62), 0.05, &finish)
    .soft(
        v(-hx, -hy + arm, high - 0.12),
        v(-hx + 0.2, hy - arm, 0.84),
        0.06,
        &finish,
    );
    let cushions = if w > 1.4 { 2 } else { 1 };
    let each = (w - 2.0 * arm) / f64::from(cushions);
    for i in 0..cushions {
        let y = -hy + arm + each * f64::from(i);
        d.soft(
            v(-hx + 0.2, y, high - 0.12),
            v(hx - 0.01, y + each, high),
            0.03,
            &finish,
        );
    }
    for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        d.trim(
            v(x * (hx - 0.06) - 0.02, y * (hy - 0.06) - 0.02, 0.0),
            v(x * (hx - 0.06) + 0.02, y * (hy - 0.06) + 0.02, 0.06),
            &dark(),
        );
    }
    d.surface(
        "seat",
        [-hx + 0.24, -hy + arm + 0.02],
        [hx - 0.03, hy - arm - 0.02],
        high,
        0.8,
    );
    furniture(d, class, mass_kg).front(0.7, 0.7)
}

fn chair(dice: &mut Dice) -> Group {
    let finish = wood(dice);
    let (half, h) = (0.20, 0.45);
    let mut d = Draft::new();
    d.block(v(-half, -half, h - 0.03), v(half, half, h), &finish);
    for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        let top = if x < 0.0 { 0.88 } else { h - 0.03 };
        d.block(
            v(x * (half - 0.02) - 0.018, y * (half - 0.02) - 0.018, 0.0),
            v(x * (half - 0.02) + 0.018, y * (half - 0.02) + 0.018, top),
            &finish,
        );
    }
    d.block(
        v(-half, -half + 0.03, 0.62),
        v(-half + 0.025, half - 0.03, 0.86),
        &if dice.chance(0.5) {
            fabric(dice)
        } else {
            finish.clone()
        },
    )
    .surface("seat", [-half + 0.05, -half], [half, half], h, 0.8);
    furniture(d, "chair", 5.0)
}

fn office_chair(dice: &mut Dice) -> Group {
    let finish = fabric(dice);
    let mut d = Draft::new();
    d.soft(v(-0.22, -0.23, 0.42), v(0.22, 0.23, 0.49), 0.03, &finish)
        .soft(v(-0.25, -0.21, 0.56), v(-0.18, 0.21, 1.0), 0.03, &finish)
        .post(v(0.0, 0.0, 0.07), 0.025, 0.35, &steel())
        .trim(v(-0.21, -0.03, 0.45), v(-0.18, 0.03, 0.60), &dark());
    d.solid_post(v(0.0, 0.0, 0.0), 0.26, 0.08);
    for i in 0..5 {
        let turn = f64::from(i) * 0.4 * PI;
        d.mesh(
            Mesh::cuboid(v(0.13, 0.02, 0.015)),
            pose(0.0, 0.0, 0.065, turn) * steward_core::geometry::Pose3::translation(0.13, 0.0, 0.0),
            &dark(),
        );
        d.mesh(
            Mesh::sphere(0.025, 8),
            pose(0.0, 0.0, 0.025, turn) * steward_core::geometry::Pose3::translation(0.24, 0.0, 0.0),
            &dark(),
        );
    }
    furniture(d, "office_chair", 10.0)
}

fn stool(dice: &mut Dice) -> Group {
    let finish = wood(dice);
    let h = dice.length(0.45, 0.60);
    let mut d = Draft::new();
    d.post(v(0.0, 0.0, h - 0.035), 0.17, 0.035, &finish);
    for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        d.post(v(x * 0.1, y * 0.1, 0.0), 0.015, h - 0.035, &finish);
    }
    d.surface("top", [-0.11, -0.11], [0.11, 0.11], h, 1.0);
    furniture(d, "stool", 4.0)
}

fn bed(dice: &mut Dice) -> Group {
    let (w, l, h) = (dice.length(1.3, 1.6), 2.05, dice.length(0.48, 0.54));
    let (hx, hy) = (l * 0.5, w * 0.5);
    let (frame, sheet, cover) = (wood(dice), fabric(dice), fabric(dice));
    let mut d = Draft::new();
    d.block(v(-hx, -hy, 0.12), v(hx, hy, 0.30), &frame)
        .block(v(-hx, -hy, 0.30), v(-hx + 0.05, hy, 1.0), &frame)
        .soft(
            v(-hx + 0.05, -hy + 0.02, 0.30),
            v(hx - 0.02, hy - 0.02, h),
            0.05,
            &sheet,
        );
    // The bedspread lies over the foot half, level with the sheet so that things stand flat.
    d.mesh(
        Mesh::rounded_cuboid(v(0.62, hy + 0.005, (h - 0.24) * 0.5 + 0.002), 0.04),
        pose(hx - 0.62 + 0.005, 0.0, (h + 0.24) * 0.5, 0.0),
        &cover,
    );
    for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        d.block(
            v(x * (hx - 0.05) - 0.04, y * (hy - 0.05) - 0.04, 0.0),
            v(x * (hx - 0.05) + 0.04, y * (hy - 0.05) + 0.04, 0.12),
            &frame,
        );
    }
    let pillow = fabric(dice);
    for side in [-1.0, 1.0] {
        d.soft(
            v(-hx + 0.08, side * hy * 0.5 - 0.27, h),
            v(-hx + 0.46, side * hy * 0.5 + 0.27, h + 0.12),
            0.055,
            &pillow,
        );
    }
    d.surface("top", [-hx + 0.55, -hy + 0.05], [hx - 0.05, hy - 0.05], h, 1.0);
    let mut group = furniture(d, "bed", 60.0);
    let b = group.bounds();
    group.access = vec![
        [-0.4, b.max.y, b.max.x, b.max.y + 0.75],
        [-0.4, b.min.y - 0.75, b.max.x, b.min.y],
    ];
    group
}

fn wardrobe(dice: &mut Dice) -> Group {
    let (hx, hy, h) = (0.29, dice.length(0.5, 0.75), dice.length(1.9, 2.1));
    let (finish, front) = (wood(dice), wood(dice));
    let mut d = Draft::new();
    d.block(v(-hx, -hy, 0.0), v(hx, hy, h), &finish)
        .trim(v(hx, -hy + 0.01, 0.08), v(hx + 0.018, -0.004, h - 0.02), &front)
        .trim(v(hx, 0.004, 0.08), v(hx + 0.018, hy - 0.01, h - 0.02), &front);
    for y in [-0.05, 0.05] {
        d.mesh(Mesh::sphere(0.018, 10), pose(hx + 0.03, y, 1.0, 0.0), &steel());
    }
    furniture(d, "wardrobe", 70.0).front(0.65, 0.65)
}

fn lamp(dice: &mut Dice) -> Group {
    let h = dice.length(1.45, 1.65);
    let mut d = Draft::new();
    d.post(v(0.0, 0.0, 0.0), 0.14, 0.025, &dark())
        .post(v(0.0, 0.0, 0.025), 0.014, h - 0.2, &steel());
    d.solid_post(v(0.0, 0.0, h - 0.25), 0.17, 0.25);
    let shade = fabric(dice).tinted([1.6, 1.5, 1.2]);
    d.mesh(
        Mesh::frustum(0.18, 0.13, 0.25, 20),
        pose(0.0, 0.0, h - 0.25, 0.0),
        &shade,
    );
    furniture(d, "lamp", 5.0)
}

fn plant(dice: &mut Dice) -> Group {
    let pot = Finish::pattern(Pattern::Speckle, dice.variant(), 0.3).tinted([0.62, 0.30, 0.18]);
    let leaf = Finish::pattern(Pattern::Speckle, dice.variant(), 0.2).tinted([0.12, 0.34, 0.10]);
    let h = dice.length(0.9, 1.3);
    let mut d = Draft::new();
    d.mesh(
        Mesh::lathe(
            &[
                [0.0, 0.0],
                [0.12, 0.0],
                [0.17, 0.30],
                [0.155, 0.30],
                [0.15, 0.27],
                [0.0, 0.27],
            ],
            18,
        ),
        pose(0.0, 0.0, 0.0, 0.0),
        &pot,
    );
    d.solid_post(v(0.0, 0.0, 0.0), 0.17, 0.30)
        .solid_post(v(0.0, 0.0, 0.30), 0.08, h - 0.35);
    d.post(v(0.0, 0.0, 0.27), 0.018, h - 0.5, &wood(dice));
    for i in 0..14 {
        let (turn, rise) = (f64::from(i) * 2.4 + dice.range(-0.2, 0.2), dice.range(0.0, 1.0));
        let at = pose(0.0, 0.0, h - 0.55 + 0.45 * rise, turn)
            * steward_core::geometry::Pose3::new(v(0.11, 0.0, 0.0), v(0.0, -0.7, 0.0));
        d.mesh(Mesh::sphere(0.5, 8).scaled(0.22, 0.09, 0.03), at, &leaf);
    }
    furniture(d, "plant", 8.0)
}

fn rug(dice: &mut Dice) -> Group {
    let (hx, hy) = (dice.length(0.6, 0.8), dice.length(0.9, 1.1));
    let mut d = Draft::new();
    let print = Finish::print(Pattern::Carpet, dice.variant());
    d.mesh(
        Mesh::fitted_cuboid(v(hx, hy, 0.004)),
        pose(0.0, 0.0, 0.0045, 0.0),
        &print,
    );
    furniture(d, "rug", 5.0)
}

/// A picture to hang on a wall: flat against x = 0, looking along +x.
pub(crate) fn picture(dice: &mut Dice) -> Entity {
    let (w, h) = (dice.length(0.4, 0.8), dice.length(0.4, 0.7));
    let frame = if dice.chance(0.5) { wood(dice) } else { dark() };
    let mut d = Draft::new();
    d.block(v(0.0, -w * 0.5, -h * 0.5), v(0.018, w * 0.5, h * 0.5), &frame);
    let print = Finish::print(Pattern::Poster, dice.variant());
    d.mesh(
        Mesh::fitted_cuboid(v(0.002, w * 0.5 - 0.03, h * 0.5 - 0.03)),
        pose(0.018, 0.0, 0.0, 0.0),
        &print,
    );
    d.finish("picture", EntityKind::Structure, 1.0, 0.5)
}

/// Turns a group about the vertical and moves it; ids start at `first`, names at `name`.
pub(crate) fn place(group: &Group, x: f64, y: f64, z: f64, yaw: f64, first: u32, name: &str) -> Vec<Entity> {
    let world_from_group = steward_core::geometry::Pose3::from_parts(v(x, y, z).into(), about_z(yaw));
    group
        .entities
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let mut e = e.clone();
            e.id = EntityId(first + i as u32);
            e.pose = world_from_group * e.pose;
            e.name = if i == 0 {
                name.to_owned()
            } else {
                format!("{name}_{}", e.name)
            };
            if let EntityKind::Part(joint) = &mut e.kind {
                joint.parent = EntityId(first);
            }
            for c in &mut e.cavities {
                c.door = c.door.map(|d| EntityId(d.0 + first));
            }
            e
        })
        .collect()
}
