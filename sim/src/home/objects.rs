//! Small objects: one row per class.
//!
//! An object stands upright on the origin. Its collider is a box, a cylinder or a ball (a few of them where
//! one would be far off) that its visual fills.

use std::f64::consts::PI;

use steward_core::geometry::{Pose3, Rotation3, Vector3};

use super::dice::Dice;
use super::draft::{Draft, Finish, pose, v};
use crate::mesh::Mesh;
use crate::model::{ColliderShape, Entity, EntityKind};
use crate::texture::Pattern;

/// A class of small objects.
pub(crate) struct ObjectClass {
    pub(crate) name: &'static str,
    pub(crate) graspable: bool,
    mass_kg: f64,
    /// Kinds of rooms it is usual in; empty for all.
    pub(crate) rooms: &'static [&'static str],
    build: fn(&mut Dice) -> Draft,
}

const KITCHEN: &[&str] = &["kitchen", "dining_room"];
const EATING: &[&str] = &["kitchen", "dining_room", "living_room", "office"];
const LIVING: &[&str] = &["living_room", "bedroom", "office", "hallway"];
const OFFICE: &[&str] = &["office", "bedroom", "living_room"];
const BATH: &[&str] = &["bathroom", "bedroom"];
const ANY: &[&str] = &[];

const fn row(
    name: &'static str,
    graspable: bool,
    mass_kg: f64,
    rooms: &'static [&'static str],
    build: fn(&mut Dice) -> Draft,
) -> ObjectClass {
    ObjectClass {
        name,
        graspable,
        mass_kg,
        rooms,
        build,
    }
}

/// Every class of small objects, by name.
pub(crate) const CLASSES: &[ObjectClass] = &[
    row("alarm_clock", true, 0.25, LIVING, alarm_clock),
    row("apple", true, 0.18, EATING, apple),
    row("ball", true, 0.06, ANY, ball),
    row("banana", true, 0.13, EATING, banana),
    row("basket", false, 0.5, LIVING, basket),
    row("book", true, 0.35, LIVING, book),
    row("bottle", true, 0.55, EATING, bottle),
    row("bowl", true, 0.30, KITCHEN, bowl),
    row("bread", true, 0.45, KITCHEN, bread),
    row("camera", true, 0.45, OFFICE, camera),
    row("can", true, 0.36, EATING, can),
    row("candle", true, 0.25, LIVING, candle),
    row("cereal_box", true, 0.40, KITCHEN, cereal_box),
    row("cheese", true, 0.25, KITCHEN, cheese),
    row("coffee_tin", true, 0.40, KITCHEN, coffee_tin),
    row("cup", true, 0.15, EATING, cup),
    row("cushion", false, 0.4, LIVING, cushion),
    row("figurine", true, 0.20, LIVING, figurine),
    row("flashlight", true, 0.20, ANY, flashlight),
    row("flower_pot", true, 0.45, LIVING, flower_pot),
    row("gift_box", true, 0.25, LIVING, gift_box),
    row("glass", true, 0.22, EATING, glass),
    row("headphones", false, 0.3, OFFICE, headphones),
    row("jar", true, 0.40, KITCHEN, jar),
    row("juice_box", true, 0.25, EATING, juice_box),
    row("kettle", false, 1.1, KITCHEN, kettle),
    row("laptop", false, 1.4, OFFICE, laptop),
    row("lemon", true, 0.10, KITCHEN, lemon),
    row("milk_carton", true, 0.60, KITCHEN, milk_carton),
    row("mug", true, 0.32, EATING, mug),
    row("orange", true, 0.20, EATING, orange),
    row("pan", false, 1.0, KITCHEN, pan),
    row("pear", true, 0.18, EATING, pear),
    row("pen_holder", true, 0.22, OFFICE, pen_holder),
    row("pepper_mill", true, 0.25, KITCHEN, pepper_mill),
    row("phone", false, 0.19, ANY, phone),
    row("photo_frame", true, 0.25, LIVING, photo_frame),
    row("plate", false, 0.45, KITCHEN, plate),
    row("pot", false, 1.3, KITCHEN, pot),
    row("puzzle_cube", true, 0.10, LIVING, puzzle_cube),
    row("remote_control", false, 0.12, LIVING, remote_control),
    row("salt_shaker", true, 0.15, KITCHEN, salt_shaker),
    row("shampoo", true, 0.35, BATH, shampoo),
    row("shoe", true, 0.40, LIVING, shoe),
    row("soap_dispenser", true, 0.35, BATH, soap_dispenser),
    row("sponge", true, 0.03, &["kitchen", "bathroom"], sponge),
    row("spray_bottle", true, 0.45, &["kitchen", "bathroom"], spray_bottle),
    row("stapler", true, 0.30, OFFICE, stapler),
    row("tape_dispenser", true, 0.40, OFFICE, tape_dispenser),
    row("tea_box", true, 0.12, KITCHEN, tea_box),
    row("teapot", false, 0.8, KITCHEN, teapot),
    row("teddy_bear", true, 0.20, LIVING, teddy_bear),
    row("thermos", true, 0.50, EATING, thermos),
    row("tissue_box", true, 0.20, ANY, tissue_box),
    row("toilet_paper", true, 0.12, BATH, toilet_paper),
    row("tomato", true, 0.15, KITCHEN, tomato),
    row("toothbrush_cup", true, 0.20, BATH, toothbrush_cup),
    row("toy_block", true, 0.08, LIVING, toy_block),
    row("toy_car", true, 0.18, LIVING, toy_car),
    row("vase", true, 0.50, LIVING, vase),
    row("wine_bottle", true, 0.75, KITCHEN, wine_bottle),
    row("yogurt", true, 0.20, EATING, yogurt),
];

/// The class with this name.
pub(crate) fn find(name: &str) -> Option<&'static ObjectClass> {
    CLASSES.iter().find(|c| c.name == name)
}

/// One object at the origin.
pub(crate) fn build(class: &ObjectClass, dice: &mut Dice) -> Entity {
    (class.build)(dice).finish(
        class.name,
        EntityKind::Object {
            graspable: class.graspable,
        },
        class.mass_kg,
        0.8,
    )
}

const SIDES: u32 = 18;

const BRIGHT: [[f32; 3]; 8] = [
    [0.72, 0.07, 0.06],
    [0.07, 0.22, 0.62],
    [0.85, 0.55, 0.06],
    [0.08, 0.42, 0.16],
    [0.75, 0.72, 0.66],
    [0.42, 0.10, 0.45],
    [0.05, 0.45, 0.48],
    [0.85, 0.30, 0.35],
];

fn glazed(dice: &mut Dice) -> Finish {
    Finish::pattern(Pattern::Speckle, dice.variant(), 0.15).tinted(BRIGHT[dice.index(BRIGHT.len())])
}

fn ceramic(dice: &mut Dice) -> Finish {
    Finish::pattern(Pattern::Speckle, dice.variant(), 0.15).tinted([0.85, 0.82, 0.76])
}

fn skin(dice: &mut Dice, tint: [f32; 3]) -> Finish {
    Finish::pattern(Pattern::Speckle, dice.variant(), 0.12).tinted(tint)
}

fn label(dice: &mut Dice) -> Finish {
    Finish::print(Pattern::Label, dice.variant())
}

fn plastic(tint: [f32; 3]) -> Finish {
    Finish::plain(tint)
}

fn steel() -> Finish {
    Finish::pattern(Pattern::Metal, 1, 0.3)
}

fn black() -> Finish {
    Finish::plain([0.03, 0.03, 0.035])
}

/// A lathe with a cylinder as collider.
fn turned(profile: &[[f64; 2]], radius_m: f64, finish: &Finish) -> Draft {
    let height = profile.iter().map(|p| p[1]).fold(0.0, f64::max);
    let mut d = Draft::new();
    d.solid_post(Vector3::zeros(), radius_m, height).mesh(
        Mesh::lathe(profile, SIDES),
        Pose3::identity(),
        finish,
    );
    d
}

/// A band of print around a cylinder.
fn band(d: &mut Draft, radius_m: f64, from: f64, to: f64, print: &Finish) {
    let mesh = Mesh::lathe(&[[radius_m, from], [radius_m, to]], SIDES).with_fitted_uv();
    d.mesh(mesh, Pose3::identity(), print);
}

/// A box standing on the origin, printed on every side.
fn carton(x: f64, y: f64, z: f64, print: &Finish) -> Draft {
    let half = v(x, y, z) * 0.5;
    let at = pose(0.0, 0.0, half.z, 0.0);
    let mut d = Draft::new();
    d.solid(ColliderShape::Cuboid { half }, at)
        .mesh(Mesh::fitted_cuboid(half), at, print);
    d
}

/// A fruit: a ball, slightly squashed, with a stem.
fn round_fruit(radius_m: f64, squash: f64, finish: &Finish, stem: bool) -> Draft {
    let mut d = Draft::new();
    let at = pose(0.0, 0.0, radius_m * squash, 0.0);
    let collider = radius_m * (1.0 + squash) * 0.5;
    d.solid(
        ColliderShape::Ball { radius_m: collider },
        pose(0.0, 0.0, collider, 0.0),
    )
    .mesh(Mesh::sphere(radius_m, 16).scaled(1.0, 1.0, squash), at, finish);
    if stem {
        d.mesh(
            Mesh::cylinder(0.003, 0.012, 6),
            pose(0.0, 0.0, radius_m * 2.0 * squash - 0.004, 0.0),
            &plastic([0.12, 0.07, 0.03]),
        );
    }
    d
}

/// A vessel with a wall, a floor and an open top.
fn vessel(bottom_m: f64, top_m: f64, height_m: f64, finish: &Finish) -> Draft {
    let t = 0.004;
    turned(
        &[
            [0.0, 0.0],
            [bottom_m, 0.0],
            [top_m, height_m],
            [top_m - t, height_m],
            [bottom_m - t, t * 2.0],
            [0.0, t * 2.0],
        ],
        bottom_m.max(top_m),
        finish,
    )
}

fn mug(dice: &mut Dice) -> Draft {
    let (r, h) = (dice.range(0.037, 0.041), dice.range(0.088, 0.100));
    let finish = if dice.chance(0.3) {
        ceramic(dice)
    } else {
        glazed(dice)
    };
    let mut d = vessel(r, r, h, &finish);
    d.mesh(
        Mesh::torus_segment(h * 0.28, 0.005, -PI * 0.5, PI * 0.5, 8, 6),
        pose(r - 0.003, 0.0, h * 0.5, 0.0),
        &finish,
    );
    if dice.chance(0.6) {
        band(&mut d, r + 0.0006, h * 0.25, h * 0.75, &label(dice));
    }
    d
}

fn cup(dice: &mut Dice) -> Draft {
    let h = dice.range(0.080, 0.095);
    let finish = glazed(dice);
    let mut d = vessel(0.028, 0.039, h, &finish);
    d.mesh(
        Mesh::lathe(&[[0.0305, h * 0.25], [0.0345, h * 0.55]], SIDES),
        Pose3::identity(),
        &ceramic(dice),
    );
    d
}

fn glass(dice: &mut Dice) -> Draft {
    let h = dice.range(0.11, 0.14);
    vessel(0.031, 0.035, h, &plastic([0.75, 0.85, 0.88]).glass(0.35))
}

fn bowl(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    turned(
        &[
            [0.0, 0.0],
            [0.025, 0.0],
            [0.036, 0.012],
            [0.044, 0.032],
            [0.046, 0.055],
            [0.042, 0.055],
            [0.038, 0.030],
            [0.022, 0.010],
            [0.0, 0.008],
        ],
        0.046,
        &finish,
    )
}

fn plate(dice: &mut Dice) -> Draft {
    let finish = if dice.chance(0.5) {
        ceramic(dice)
    } else {
        glazed(dice)
    };
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.065, 0.0],
            [0.115, 0.018],
            [0.115, 0.022],
            [0.065, 0.006],
            [0.0, 0.006],
        ],
        0.11,
        &finish,
    );
    d.mesh(
        Mesh::lathe(&[[0.080, 0.0125], [0.074, 0.0103]], SIDES),
        Pose3::identity(),
        &glazed(dice),
    );
    d
}

fn bottle(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.033, 0.0],
            [0.035, 0.01],
            [0.035, 0.14],
            [0.015, 0.185],
            [0.013, 0.205],
            [0.0, 0.205],
        ],
        0.035,
        &finish,
    );
    band(&mut d, 0.0356, 0.04, 0.12, &label(dice));
    d.mesh(
        Mesh::cylinder(0.015, 0.02, 12),
        pose(0.0, 0.0, 0.2, 0.0),
        &black(),
    );
    d
}

fn wine_bottle(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.037, 0.0],
            [0.037, 0.19],
            [0.015, 0.235],
            [0.014, 0.30],
            [0.0, 0.30],
        ],
        0.037,
        &plastic([0.03, 0.10, 0.05]),
    );
    band(&mut d, 0.0376, 0.05, 0.15, &label(dice));
    d.mesh(
        Mesh::cylinder(0.0155, 0.06, 12),
        pose(0.0, 0.0, 0.242, 0.0),
        &plastic(BRIGHT[dice.index(BRIGHT.len())]),
    );
    d
}

fn can(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.028, 0.0],
            [0.033, 0.008],
            [0.033, 0.107],
            [0.028, 0.115],
            [0.0, 0.112],
        ],
        0.033,
        &steel(),
    );
    band(&mut d, 0.0334, 0.009, 0.106, &label(dice));
    d
}

fn coffee_tin(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[[0.0, 0.0], [0.044, 0.0], [0.044, 0.13], [0.0, 0.13]],
        0.045,
        &steel(),
    );
    band(&mut d, 0.0446, 0.005, 0.108, &label(dice));
    d.mesh(
        Mesh::cylinder(0.0455, 0.018, SIDES),
        pose(0.0, 0.0, 0.113, 0.0),
        &plastic(BRIGHT[dice.index(BRIGHT.len())]),
    );
    d
}

fn jar(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.036, 0.0],
            [0.038, 0.008],
            [0.038, 0.075],
            [0.031, 0.085],
            [0.0, 0.085],
        ],
        0.038,
        &plastic([0.55, 0.12, 0.08]),
    );
    band(&mut d, 0.0386, 0.02, 0.065, &label(dice));
    d.mesh(
        Mesh::cylinder(0.034, 0.018, SIDES),
        pose(0.0, 0.0, 0.084, 0.0),
        &steel(),
    );
    d
}

fn yogurt(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[[0.0, 0.0], [0.028, 0.0], [0.036, 0.08], [0.0, 0.08]],
        0.035,
        &plastic([0.85, 0.85, 0.85]),
    );
    let print = label(dice);
    d.mesh(
        Mesh::lathe(&[[0.0290, 0.006], [0.0362, 0.074]], SIDES).with_fitted_uv(),
        Pose3::identity(),
        &print,
    );
    d
}

fn thermos(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = turned(
        &[[0.0, 0.0], [0.035, 0.0], [0.036, 0.19], [0.03, 0.2], [0.0, 0.2]],
        0.036,
        &finish,
    );
    d.mesh(
        Mesh::frustum(0.031, 0.028, 0.05, SIDES),
        pose(0.0, 0.0, 0.195, 0.0),
        &steel(),
    );
    d
}

fn apple(dice: &mut Dice) -> Draft {
    let tint = [[0.65, 0.06, 0.05], [0.45, 0.60, 0.10], [0.72, 0.35, 0.08]][dice.index(3)];
    let finish = skin(dice, tint);
    round_fruit(dice.range(0.035, 0.041), 0.94, &finish, true)
}

fn orange(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.92, 0.38, 0.02]);
    round_fruit(dice.range(0.036, 0.042), 0.98, &finish, false)
}

fn tomato(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.78, 0.05, 0.02]);
    let mut d = round_fruit(0.034, 0.86, &finish, false);
    d.mesh(
        Mesh::frustum(0.014, 0.004, 0.006, 5),
        pose(0.0, 0.0, 0.0555, 0.0),
        &plastic([0.10, 0.35, 0.05]),
    );
    d
}

fn lemon(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.90, 0.75, 0.05]);
    let mut d = Draft::new();
    let at = pose(0.0, 0.0, 0.028, 0.0);
    d.solid(ColliderShape::Ball { radius_m: 0.028 }, at).mesh(
        Mesh::sphere(0.028, 16).scaled(1.3, 1.0, 1.0),
        at,
        &finish,
    );
    d
}

fn pear(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.62, 0.62, 0.14]);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.020, 0.003],
            [0.033, 0.018],
            [0.036, 0.034],
            [0.030, 0.054],
            [0.019, 0.072],
            [0.012, 0.086],
            [0.0, 0.092],
        ],
        0.033,
        &finish,
    );
    d.mesh(
        Mesh::cylinder(0.003, 0.015, 6),
        pose(0.0, 0.0, 0.089, 0.0),
        &plastic([0.15, 0.08, 0.03]),
    );
    d
}

fn banana(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.90, 0.70, 0.06]);
    let lying = Rotation3::from_axis_angle(&Vector3::x_axis(), PI * 0.5);
    let mut d = Draft::new();
    // An arc lying on its side, its chord along x.
    let at = Pose3::from_parts(v(0.0, -0.085, 0.0205).into(), lying);
    let (from, to) = (-PI * 0.5 - 0.85, -PI * 0.5 + 0.85);
    d.mesh(Mesh::torus_segment(0.10, 0.0205, from, to, 10, 10), at, &finish);
    for (angle, tip) in [(from, 0.03), (to, 0.02)] {
        let (sin, cos) = crate::mesh::sin_cos(angle);
        let end = at * steward_core::geometry::Point3::new(0.10 * cos, 0.0, 0.10 * sin);
        let turn =
            Rotation3::from_axis_angle(&Vector3::z_axis(), if angle == from { PI + 0.75 } else { -0.75 })
                * Rotation3::from_axis_angle(&Vector3::y_axis(), PI * 0.5);
        d.mesh(
            Mesh::frustum(0.0205, 0.006, tip, 10),
            Pose3::from_parts(end.coords.into(), turn),
            &finish,
        );
    }
    for (x, y, yaw) in [(0.0, 0.012, 0.0), (-0.055, -0.008, 0.62), (0.055, -0.008, -0.62)] {
        d.solid(
            ColliderShape::Cuboid {
                half: v(0.032, 0.018, 0.02),
            },
            pose(x, y, 0.0205, yaw),
        );
    }
    d
}

fn book(dice: &mut Dice) -> Draft {
    let (w, l, t) = (
        dice.range(0.085, 0.092),
        dice.range(0.12, 0.15),
        dice.range(0.042, 0.055),
    );
    let cover = Finish::print(Pattern::BookCover, dice.variant());
    let pages = plastic([0.85, 0.82, 0.74]);
    let mut d = Draft::new();
    let (hx, hy) = (l * 0.5, w * 0.5);
    d.solid(
        ColliderShape::Cuboid {
            half: v(hx, hy, t * 0.5),
        },
        pose(0.0, 0.0, t * 0.5, 0.0),
    )
    .trim(
        v(-hx + 0.004, -hy + 0.003, 0.003),
        v(hx - 0.004, hy - 0.004, t - 0.003),
        &pages,
    )
    .trim(v(-hx, -hy, 0.003), v(hx, -hy + 0.003, t - 0.003), &cover)
    .mesh(
        Mesh::fitted_cuboid(v(hx, hy, 0.0015)),
        pose(0.0, 0.0, 0.0015, 0.0),
        &cover,
    )
    .mesh(
        Mesh::fitted_cuboid(v(hx, hy, 0.0015)),
        pose(0.0, 0.0, t - 0.0015, 0.0),
        &cover,
    );
    d
}

fn cereal_box(dice: &mut Dice) -> Draft {
    carton(
        0.068,
        dice.range(0.17, 0.20),
        dice.range(0.24, 0.28),
        &label(dice),
    )
}

fn tea_box(dice: &mut Dice) -> Draft {
    carton(0.075, dice.range(0.12, 0.15), 0.08, &label(dice))
}

fn juice_box(dice: &mut Dice) -> Draft {
    let mut d = carton(0.045, 0.06, 0.11, &label(dice));
    d.mesh(
        Mesh::cylinder(0.003, 0.05, 6),
        pose(0.012, 0.018, 0.11, 0.0),
        &plastic([0.85, 0.85, 0.85]),
    );
    d
}

fn milk_carton(dice: &mut Dice) -> Draft {
    let print = label(dice);
    let mut d = carton(0.07, 0.07, 0.18, &print);
    // The gabled top.
    let prism = Mesh::extrusion(&[[-0.035, 0.0], [0.035, 0.0], [0.0, 0.04]], 0.07);
    let upright = Pose3::from_parts(
        v(0.0, 0.035, 0.18).into(),
        Rotation3::from_axis_angle(&Vector3::x_axis(), PI * 0.5),
    );
    d.mesh(prism, upright, &plastic([0.86, 0.86, 0.84]));
    d.trim(
        v(-0.003, -0.035, 0.215),
        v(0.003, 0.035, 0.232),
        &plastic([0.86, 0.86, 0.84]),
    );
    d
}

fn bread(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.62, 0.36, 0.14]);
    let mut d = Draft::new();
    d.soft(v(-0.10, -0.042, 0.0), v(0.10, 0.042, 0.085), 0.03, &finish);
    for i in 0..4 {
        let x = -0.06 + 0.04 * f64::from(i);
        d.mesh(
            Mesh::rounded_cuboid(v(0.006, 0.03, 0.004), 0.003),
            pose(x, 0.0, 0.0845, 0.4),
            &skin(dice, [0.85, 0.68, 0.42]),
        );
    }
    d
}

fn cheese(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.92, 0.66, 0.12]);
    let mut d = Draft::new();
    d.solid(
        ColliderShape::Cuboid {
            half: v(0.05, 0.038, 0.0275),
        },
        pose(0.0, 0.0, 0.0275, 0.0),
    )
    .mesh(
        Mesh::extrusion(
            &[[-0.05, -0.04], [0.06, -0.012], [0.06, 0.012], [-0.05, 0.04]],
            0.055,
        ),
        Pose3::identity(),
        &finish,
    );
    d
}

fn salt_shaker(dice: &mut Dice) -> Draft {
    let finish = ceramic(dice);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.024, 0.0],
            [0.019, 0.06],
            [0.022, 0.065],
            [0.022, 0.08],
            [0.012, 0.092],
            [0.0, 0.094],
        ],
        0.023,
        &finish,
    );
    d.mesh(
        Mesh::lathe(&[[0.0225, 0.066], [0.0225, 0.079]], SIDES),
        Pose3::identity(),
        &steel(),
    );
    d
}

fn pepper_mill(dice: &mut Dice) -> Draft {
    let finish = Finish::pattern(Pattern::Wood, dice.variant(), 0.3);
    turned(
        &[
            [0.0, 0.0],
            [0.028, 0.0],
            [0.028, 0.02],
            [0.018, 0.06],
            [0.022, 0.10],
            [0.016, 0.115],
            [0.026, 0.135],
            [0.022, 0.16],
            [0.008, 0.17],
            [0.0, 0.175],
        ],
        0.027,
        &finish,
    )
}

fn teapot(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.05, 0.0],
            [0.08, 0.04],
            [0.08, 0.08],
            [0.04, 0.12],
            [0.0, 0.125],
        ],
        0.08,
        &finish,
    );
    for x in [-0.095, 0.095] {
        d.solid(
            ColliderShape::Cuboid {
                half: v(0.025, 0.01, 0.035),
            },
            pose(x, 0.0, 0.075, 0.0),
        );
    }
    d.mesh(
        Mesh::torus_segment(0.045, 0.008, PI * 0.5, PI * 1.5, 8, 6),
        pose(-0.07, 0.0, 0.065, 0.0),
        &finish,
    );
    d.mesh(
        Mesh::frustum(0.018, 0.009, 0.08, 10),
        Pose3::new(v(0.06, 0.0, 0.05), v(0.0, 0.8, 0.0)),
        &finish,
    );
    d.mesh(Mesh::sphere(0.012, 10), pose(0.0, 0.0, 0.132, 0.0), &black());
    d
}

fn kettle(dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[[0.0, 0.0], [0.085, 0.0], [0.08, 0.10], [0.055, 0.19], [0.0, 0.20]],
        0.085,
        &steel(),
    );
    d.mesh(
        Mesh::torus_segment(0.07, 0.009, -PI * 0.45, PI * 0.45, 8, 6),
        pose(0.055, 0.0, 0.11, 0.0),
        &black(),
    );
    d.mesh(
        Mesh::cylinder(0.088, 0.02, SIDES),
        Pose3::identity(),
        &plastic(BRIGHT[dice.index(BRIGHT.len())]),
    );
    d
}

fn pot(dice: &mut Dice) -> Draft {
    let finish = if dice.chance(0.5) { steel() } else { glazed(dice) };
    let mut d = vessel(0.10, 0.10, 0.11, &finish);
    for side in [0.0, PI] {
        d.mesh(
            Mesh::rounded_cuboid(v(0.018, 0.035, 0.006), 0.005),
            pose(0.0, 0.0, 0.095, side) * Pose3::translation(0.112, 0.0, 0.0),
            &black(),
        );
    }
    d
}

fn pan(_dice: &mut Dice) -> Draft {
    let mut d = vessel(0.10, 0.125, 0.05, &black());
    let half = v(0.09, 0.012, 0.008);
    d.solid(ColliderShape::Cuboid { half }, pose(0.205, 0.0, 0.042, 0.0))
        .mesh(
            Mesh::rounded_cuboid(half, 0.006),
            pose(0.205, 0.0, 0.042, 0.0),
            &steel(),
        );
    d
}

fn ball(dice: &mut Dice) -> Draft {
    let finish =
        Finish::pattern(Pattern::Fabric, dice.variant(), 0.1).tinted(BRIGHT[dice.index(BRIGHT.len())]);
    round_fruit(dice.range(0.032, 0.040), 1.0, &finish, false)
}

fn toy_block(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let (half, letter) = (dice.range(0.022, 0.028), label(dice));
    let mut d = Draft::new();
    d.soft(v(-half, -half, 0.0), v(half, half, half * 2.0), 0.004, &finish);
    d.mesh(
        Mesh::fitted_cuboid(v(half * 0.7, half * 0.7, half + 0.0005)),
        pose(0.0, 0.0, half, 0.0),
        &letter,
    );
    d
}

fn puzzle_cube(dice: &mut Dice) -> Draft {
    let mut d = Draft::new();
    let h = 0.0285;
    d.block(v(-h, -h, 0.0), v(h, h, h * 2.0), &black());
    let cell = h * 2.0 / 3.0;
    for axis in 0..3 {
        for side in [-1.0, 1.0] {
            for i in 0..3 {
                for j in 0..3 {
                    if axis == 2 && side < 0.0 {
                        continue;
                    }
                    let (a, b) = (cell * (f64::from(i) - 1.0), cell * (f64::from(j) - 1.0));
                    let mut c = Vector3::zeros();
                    c[axis] = side * h;
                    c[(axis + 1) % 3] = a;
                    c[(axis + 2) % 3] = b;
                    let mut half = Vector3::repeat(cell * 0.42);
                    half[axis] = 0.0006;
                    c.z += h;
                    d.trim(c - half, c + half, &plastic(BRIGHT[dice.index(6)]));
                }
            }
        }
    }
    d
}

fn toy_car(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    d.soft(v(-0.065, -0.03, 0.012), v(0.065, 0.03, 0.035), 0.008, &finish)
        .soft(v(-0.035, -0.026, 0.035), v(0.03, 0.026, 0.058), 0.01, &finish)
        .trim(
            v(-0.036, -0.02, 0.04),
            v(0.031, 0.02, 0.052),
            &plastic([0.35, 0.5, 0.6]),
        );
    d.solid(
        ColliderShape::Cuboid {
            half: v(0.055, 0.03, 0.008),
        },
        pose(0.0, 0.0, 0.008, 0.0),
    );
    for (x, y) in [(-0.04, -0.032), (0.04, -0.032), (0.04, 0.022), (-0.04, 0.022)] {
        let axle = Rotation3::from_axis_angle(&Vector3::x_axis(), -PI * 0.5);
        d.mesh(
            Mesh::cylinder(0.015, 0.010, 12),
            Pose3::from_parts(v(x, y, 0.015).into(), axle),
            &black(),
        );
    }
    d
}

fn teddy_bear(dice: &mut Dice) -> Draft {
    let finish = Finish::pattern(Pattern::Fabric, dice.variant(), 0.1).tinted([0.50, 0.30, 0.16]);
    let mut d = Draft::new();
    d.solid_post(Vector3::zeros(), 0.042, 0.16);
    let mut lump = |r: f64, x: f64, y: f64, z: f64| {
        d.mesh(Mesh::sphere(r, 10), pose(x, y, z, 0.0), &finish);
    };
    lump(0.045, 0.0, 0.0, 0.045);
    lump(0.036, 0.0, 0.0, 0.115);
    for side in [-1.0, 1.0] {
        lump(0.013, 0.0, side * 0.026, 0.148);
        lump(0.017, 0.02, side * 0.038, 0.062);
        lump(0.018, 0.04, side * 0.022, 0.018);
    }
    for side in [-1.0, 1.0] {
        d.mesh(
            Mesh::sphere(0.004, 6),
            pose(0.033, side * 0.012, 0.122, 0.0),
            &black(),
        );
    }
    d
}

fn alarm_clock(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    d.soft(v(-0.025, -0.05, 0.0), v(0.025, 0.05, 0.09), 0.01, &finish);
    let facing = Pose3::from_parts(
        v(0.0245, 0.0, 0.045).into(),
        Rotation3::from_axis_angle(&Vector3::y_axis(), PI * 0.5),
    );
    d.mesh(
        Mesh::cylinder(0.036, 0.002, 20),
        facing,
        &plastic([0.9, 0.9, 0.86]),
    );
    d.trim(v(0.026, -0.002, 0.045), v(0.028, 0.002, 0.072), &black())
        .trim(v(0.026, -0.002, 0.043), v(0.028, 0.020, 0.047), &black());
    d
}

fn photo_frame(dice: &mut Dice) -> Draft {
    let frame = Finish::pattern(Pattern::Wood, dice.variant(), 0.3);
    let print = Finish::print(Pattern::Poster, dice.variant());
    let mut d = Draft::new();
    d.block(v(-0.022, -0.065, 0.0), v(0.022, 0.065, 0.012), &frame)
        .block(v(-0.008, -0.065, 0.012), v(0.008, 0.065, 0.17), &frame)
        .mesh(
            Mesh::fitted_cuboid(v(0.001, 0.054, 0.068)),
            pose(0.008, 0.0, 0.091, 0.0),
            &print,
        );
    d
}

fn candle(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.034, 0.0],
            [0.034, 0.085],
            [0.026, 0.082],
            [0.0, 0.080],
        ],
        0.034,
        &finish,
    );
    d.mesh(
        Mesh::cylinder(0.0015, 0.015, 6),
        pose(0.0, 0.0, 0.08, 0.0),
        &black(),
    );
    d
}

fn vase(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    turned(
        &[
            [0.0, 0.0],
            [0.028, 0.0],
            [0.044, 0.06],
            [0.042, 0.11],
            [0.022, 0.165],
            [0.030, 0.20],
            [0.026, 0.20],
            [0.018, 0.165],
            [0.0, 0.15],
        ],
        0.043,
        &finish,
    )
}

fn figurine(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.03, 0.0],
            [0.03, 0.012],
            [0.014, 0.02],
            [0.022, 0.07],
            [0.012, 0.10],
            [0.0, 0.105],
        ],
        0.029,
        &finish,
    );
    d.mesh(
        Mesh::sphere(0.019, 12),
        pose(0.0, 0.0, 0.117, 0.0),
        &ceramic(dice),
    );
    d
}

fn flower_pot(dice: &mut Dice) -> Draft {
    let pot = skin(dice, [0.66, 0.30, 0.16]);
    let leaf = skin(dice, [0.12, 0.42, 0.12]);
    let mut d = vessel(0.030, 0.042, 0.075, &pot);
    d.mesh(
        Mesh::cylinder(0.036, 0.004, 14),
        pose(0.0, 0.0, 0.06, 0.0),
        &plastic([0.08, 0.05, 0.03]),
    );
    d.mesh(
        Mesh::sphere(0.03, 12).scaled(1.0, 1.0, 1.5),
        pose(0.0, 0.0, 0.105, 0.0),
        &leaf,
    );
    d.solid_post(v(0.0, 0.0, 0.075), 0.026, 0.07);
    for i in 0..5 {
        let turn = 0.4 * PI * f64::from(i);
        d.mesh(
            Mesh::sphere(0.008, 6),
            pose(0.0, 0.0, 0.115, turn) * Pose3::translation(0.028, 0.0, 0.0),
            &plastic([0.85, 0.25, 0.40]),
        );
    }
    d
}

fn gift_box(dice: &mut Dice) -> Draft {
    let half = dice.range(0.036, 0.042);
    let finish = Finish::pattern(Pattern::Fabric, dice.variant(), 0.12);
    let ribbon = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    let (h, e) = (half * 1.8, 0.0008);
    d.block(v(-half, -half, 0.0), v(half, half, h), &finish)
        .trim(v(-half - e, -0.007, 0.0), v(half + e, 0.007, h + e), &ribbon)
        .trim(v(-0.007, -half - e, 0.0), v(0.007, half + e, h + e), &ribbon);
    for yaw in [0.0, PI * 0.5] {
        d.mesh(
            Mesh::sphere(0.012, 8).scaled(1.5, 0.7, 0.7),
            pose(0.0, 0.0, h + 0.008, yaw),
            &ribbon,
        );
    }
    d
}

fn basket(dice: &mut Dice) -> Draft {
    let finish = Finish::pattern(Pattern::Fabric, dice.variant(), 0.12).tinted([0.62, 0.45, 0.25]);
    vessel(0.10, 0.125, 0.13, &finish)
}

fn cushion(dice: &mut Dice) -> Draft {
    let finish = Finish::pattern(Pattern::Fabric, dice.variant(), 0.3);
    let mut d = Draft::new();
    d.soft(v(-0.17, -0.17, 0.0), v(0.17, 0.17, 0.11), 0.054, &finish);
    d
}

fn camera(_dice: &mut Dice) -> Draft {
    let mut d = Draft::new();
    d.soft(v(-0.025, -0.06, 0.0), v(0.025, 0.06, 0.075), 0.01, &black());
    let forward = Rotation3::from_axis_angle(&Vector3::y_axis(), PI * 0.5);
    d.mesh(
        Mesh::cylinder(0.028, 0.02, 18),
        Pose3::from_parts(v(0.022, -0.01, 0.035).into(), forward),
        &steel(),
    );
    d.mesh(
        Mesh::cylinder(0.020, 0.022, 18),
        Pose3::from_parts(v(0.022, -0.01, 0.035).into(), forward),
        &plastic([0.05, 0.08, 0.18]),
    );
    d.trim(v(-0.012, -0.02, 0.075), v(0.012, 0.015, 0.088), &steel());
    d
}

fn headphones(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    d.solid(
        ColliderShape::Cuboid {
            half: v(0.09, 0.09, 0.02),
        },
        pose(0.0, 0.0, 0.02, 0.0),
    );
    let flat = Pose3::from_parts(
        v(0.0, 0.0, 0.02).into(),
        Rotation3::from_axis_angle(&Vector3::x_axis(), PI * 0.5),
    );
    d.mesh(Mesh::torus_segment(0.075, 0.01, 0.0, PI, 14, 8), flat, &black());
    for side in [-1.0, 1.0] {
        d.mesh(
            Mesh::rounded_cuboid(v(0.02, 0.035, 0.02), 0.015),
            pose(side * 0.07, 0.02, 0.02, 0.0),
            &finish,
        );
    }
    d
}

fn laptop(dice: &mut Dice) -> Draft {
    let print = Finish::print(Pattern::Poster, dice.variant());
    let mut d = Draft::new();
    d.block(v(-0.11, -0.16, 0.0), v(0.11, 0.16, 0.018), &steel())
        .trim(v(-0.04, -0.14, 0.018), v(0.09, 0.14, 0.0195), &black());
    let open = Pose3::new(v(-0.115, 0.0, 0.118), v(0.0, -0.2, 0.0));
    d.solid(
        ColliderShape::Cuboid {
            half: v(0.004, 0.16, 0.105),
        },
        open,
    )
    .mesh(Mesh::cuboid(v(0.004, 0.16, 0.105)), open, &steel())
    .mesh(
        Mesh::fitted_cuboid(v(0.001, 0.15, 0.095)),
        open * Pose3::translation(0.004, 0.0, 0.0),
        &print,
    );
    d
}

fn phone(_dice: &mut Dice) -> Draft {
    let mut d = Draft::new();
    d.soft(v(-0.075, -0.036, 0.0), v(0.075, 0.036, 0.01), 0.004, &black())
        .trim(
            v(-0.068, -0.032, 0.0095),
            v(0.068, 0.032, 0.0105),
            &plastic([0.10, 0.16, 0.30]),
        );
    d
}

fn remote_control(dice: &mut Dice) -> Draft {
    let mut d = Draft::new();
    d.soft(v(-0.085, -0.023, 0.0), v(0.085, 0.023, 0.022), 0.008, &black());
    for i in 0..5 {
        for j in -1..=1 {
            d.trim(
                v(-0.06 + 0.026 * f64::from(i), 0.013 * f64::from(j) - 0.004, 0.0215),
                v(-0.048 + 0.026 * f64::from(i), 0.013 * f64::from(j) + 0.004, 0.024),
                &plastic(BRIGHT[dice.index(5)]),
            );
        }
    }
    d
}

fn pen_holder(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = vessel(0.038, 0.038, 0.10, &finish);
    for i in 0..4 {
        let turn = f64::from(i) * 1.6 + dice.range(0.0, 0.5);
        let at = pose(0.0, 0.0, 0.012, turn) * Pose3::new(v(0.008, 0.0, 0.0), v(0.0, 0.13, 0.0));
        d.mesh(
            Mesh::cylinder(0.004, 0.14, 6),
            at,
            &plastic(BRIGHT[dice.index(BRIGHT.len())]),
        );
    }
    d
}

fn stapler(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    d.soft(v(-0.07, -0.02, 0.0), v(0.07, 0.02, 0.018), 0.006, &black())
        .soft(v(-0.065, -0.018, 0.028), v(0.065, 0.018, 0.058), 0.012, &finish)
        .block(v(-0.065, -0.015, 0.018), v(-0.03, 0.015, 0.028), &steel());
    d
}

fn tape_dispenser(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = Draft::new();
    d.soft(v(-0.07, -0.025, 0.0), v(0.07, 0.025, 0.03), 0.01, &finish);
    let roll = Pose3::from_parts(
        v(-0.02, 0.012, 0.04).into(),
        Rotation3::from_axis_angle(&Vector3::x_axis(), PI * 0.5),
    );
    d.mesh(
        Mesh::cylinder(0.032, 0.024, 18),
        roll,
        &plastic([0.85, 0.75, 0.5]),
    );
    d.solid(
        ColliderShape::Cuboid {
            half: v(0.03, 0.012, 0.02),
        },
        pose(-0.02, 0.0, 0.05, 0.0),
    );
    d
}

fn soap_dispenser(dice: &mut Dice) -> Draft {
    let finish = ceramic(dice);
    pump(0.034, 0.12, &finish, dice)
}

fn shampoo(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.032, 0.0],
            [0.035, 0.02],
            [0.033, 0.14],
            [0.018, 0.165],
            [0.0, 0.165],
        ],
        0.034,
        &finish,
    );
    band(&mut d, 0.0356, 0.04, 0.12, &label(dice));
    d.mesh(
        Mesh::cylinder(0.02, 0.028, 14),
        pose(0.0, 0.0, 0.162, 0.0),
        &plastic([0.85, 0.85, 0.85]),
    );
    d
}

fn pump(radius_m: f64, height_m: f64, finish: &Finish, dice: &mut Dice) -> Draft {
    let mut d = turned(
        &[
            [0.0, 0.0],
            [radius_m, 0.0],
            [radius_m, height_m * 0.85],
            [radius_m * 0.45, height_m],
            [0.0, height_m],
        ],
        radius_m,
        finish,
    );
    band(
        &mut d,
        radius_m + 0.0006,
        height_m * 0.2,
        height_m * 0.7,
        &label(dice),
    );
    d.mesh(
        Mesh::cylinder(0.006, 0.03, 8),
        pose(0.0, 0.0, height_m, 0.0),
        &steel(),
    );
    d.trim(
        v(-0.01, -0.007, height_m + 0.028),
        v(0.038, 0.007, height_m + 0.038),
        &steel(),
    );
    d
}

fn spray_bottle(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.038, 0.0],
            [0.038, 0.13],
            [0.015, 0.18],
            [0.015, 0.20],
            [0.0, 0.20],
        ],
        0.038,
        &finish,
    );
    band(&mut d, 0.0386, 0.03, 0.11, &label(dice));
    d.trim(
        v(-0.03, -0.012, 0.20),
        v(0.05, 0.012, 0.232),
        &plastic([0.85, 0.85, 0.85]),
    )
    .trim(v(0.02, -0.005, 0.165), v(0.03, 0.005, 0.20), &black());
    d
}

fn sponge(dice: &mut Dice) -> Draft {
    let finish = skin(dice, [0.92, 0.80, 0.15]);
    let mut d = Draft::new();
    d.block(v(-0.055, -0.036, 0.0), v(0.055, 0.036, 0.035), &finish)
        .block(
            v(-0.055, -0.036, 0.035),
            v(0.055, 0.036, 0.045),
            &plastic([0.08, 0.35, 0.12]),
        );
    d
}

fn tissue_box(dice: &mut Dice) -> Draft {
    let print = Finish::pattern(Pattern::Wallpaper, dice.variant(), 0.15);
    let mut d = Draft::new();
    d.block(v(-0.10, -0.045, 0.0), v(0.10, 0.045, 0.08), &print);
    d.mesh(
        Mesh::frustum(0.03, 0.005, 0.04, 7).scaled(1.6, 0.6, 1.0),
        pose(0.0, 0.0, 0.08, 0.3),
        &plastic([0.92, 0.92, 0.92]),
    );
    d
}

fn toilet_paper(_dice: &mut Dice) -> Draft {
    turned(
        &[
            [0.02, 0.0],
            [0.046, 0.0],
            [0.046, 0.10],
            [0.02, 0.10],
            [0.02, 0.0],
        ],
        0.046,
        &Finish::pattern(Pattern::Speckle, 3, 0.1),
    )
}

fn toothbrush_cup(dice: &mut Dice) -> Draft {
    let finish = glazed(dice);
    let mut d = vessel(0.032, 0.036, 0.095, &finish);
    d.solid_post(v(0.0, 0.0, 0.095), 0.025, 0.07);
    for (turn, tilt) in [(0.4, 0.18), (2.6, 0.16)] {
        let at = pose(0.0, 0.0, 0.012, turn) * Pose3::new(v(0.0, 0.0, 0.0), v(0.0, tilt, 0.0));
        let tint = BRIGHT[dice.index(BRIGHT.len())];
        d.mesh(Mesh::cylinder(0.004, 0.16, 6), at, &plastic(tint));
        d.mesh(
            Mesh::cuboid(v(0.006, 0.005, 0.012)),
            at * Pose3::translation(0.006, 0.0, 0.15),
            &plastic([0.9, 0.9, 0.9]),
        );
    }
    d
}

fn flashlight(dice: &mut Dice) -> Draft {
    let finish = plastic(BRIGHT[dice.index(BRIGHT.len())]);
    let mut d = turned(
        &[
            [0.0, 0.0],
            [0.030, 0.0],
            [0.030, 0.03],
            [0.019, 0.05],
            [0.019, 0.13],
            [0.0, 0.135],
        ],
        0.029,
        &finish,
    );
    d.mesh(
        Mesh::lathe(&[[0.0305, 0.004], [0.0305, 0.02]], SIDES),
        Pose3::identity(),
        &steel(),
    );
    d
}

fn shoe(dice: &mut Dice) -> Draft {
    let finish = Finish::pattern(Pattern::Fabric, dice.variant(), 0.15);
    let mut d = Draft::new();
    d.block(
        v(-0.125, -0.042, 0.0),
        v(0.125, 0.042, 0.02),
        &plastic([0.8, 0.8, 0.78]),
    )
    .soft(v(-0.12, -0.038, 0.02), v(0.12, 0.038, 0.055), 0.016, &finish)
    .soft(v(-0.12, -0.036, 0.055), v(0.01, 0.036, 0.10), 0.018, &finish)
    .trim(v(-0.095, -0.02, 0.0995), v(-0.01, 0.02, 0.1005), &black());
    d
}
