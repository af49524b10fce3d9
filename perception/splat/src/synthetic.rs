//! An analytic room with exact depth: the truth against which a map can be measured without a sensor.
//!
//! The room is 5 x 4 x 2.6 m with furniture made of boxes; every surface has a procedural texture (boards, bricks, weave,
//! tiles, pictures), lit by ambient light and one lamp without shadows, the same from every direction. Images are
//! cast ray by ray with several rays per pixel for colour and the centre's ray for depth.

use std::sync::Arc;

use nalgebra as na;
use rayon::prelude::*;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Aabb, Point3, Pose3, Rotation3, Vector3};
use steward_core::image::Image;
use steward_core::time::Time;

use crate::io::rgbd::PosedImage;
use crate::{Error, Result, View};

/// What to take pictures of the room with.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomConfig {
    /// Number of pictures.
    pub frames: usize,
    /// Columns of a picture.
    pub width: u32,
    /// Rows of a picture.
    pub height: u32,
    /// Horizontal field of view, radians.
    pub horizontal_fov_rad: f64,
    /// Rays per pixel along each side of it.
    pub rays_per_side: u32,
    /// Time between two pictures, seconds.
    pub interval_s: f64,
}

impl Default for RoomConfig {
    fn default() -> Self {
        RoomConfig {
            frames: 120,
            width: 320,
            height: 240,
            horizontal_fov_rad: 1.2,
            rays_per_side: 3,
            interval_s: 0.1,
        }
    }
}

impl RoomConfig {
    /// # Errors
    /// [`Error::BadConfig`] names the value that is out of range.
    pub fn validate(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::BadConfig(format!("room: {what}")));
        if !(self.horizontal_fov_rad > 0.1 && self.horizontal_fov_rad < 3.0) {
            return bad("horizontal_fov_rad must be between 0.1 and 3");
        }
        if !(1..=16).contains(&self.rays_per_side) {
            return bad("rays_per_side must be between 1 and 16");
        }
        if !(self.interval_s > 0.0 && self.interval_s.is_finite()) {
            return bad("interval_s must be positive");
        }
        self.camera().validate()?;
        Ok(())
    }

    fn camera(&self) -> CameraIntrinsics {
        CameraIntrinsics::from_horizontal_fov(self.width, self.height, self.horizontal_fov_rad)
    }
}

/// Procedural textures.
#[derive(Debug, Clone, Copy)]
enum Texture {
    Boards,
    Bricks,
    Wallpaper,
    Plaster,
    Weave,
    Tiles,
    Picture,
    Grain,
}

#[derive(Debug, Clone, Copy)]
struct Solid {
    bounds: Aabb,
    texture: Texture,
    tint: [f64; 3],
    seed: u32,
}

const ROOM_M: [f64; 3] = [5.0, 4.0, 2.6];
const LAMP: [f64; 3] = [2.2, 1.7, 2.3];

/// Smallest corner, size (metres), texture, tint.
type Furniture = ([f64; 3], [f64; 3], Texture, [f64; 3]);

const FURNITURE: [Furniture; 17] = [
    // a table with four legs
    (
        [1.7, 1.4, 0.70],
        [1.4, 0.8, 0.05],
        Texture::Grain,
        [0.75, 0.55, 0.35],
    ),
    (
        [1.75, 1.45, 0.0],
        [0.07, 0.07, 0.70],
        Texture::Grain,
        [0.5, 0.35, 0.2],
    ),
    (
        [2.98, 1.45, 0.0],
        [0.07, 0.07, 0.70],
        Texture::Grain,
        [0.5, 0.35, 0.2],
    ),
    (
        [1.75, 2.08, 0.0],
        [0.07, 0.07, 0.70],
        Texture::Grain,
        [0.5, 0.35, 0.2],
    ),
    (
        [2.98, 2.08, 0.0],
        [0.07, 0.07, 0.70],
        Texture::Grain,
        [0.5, 0.35, 0.2],
    ),
    // on it: two boxes and a book
    (
        [1.9, 1.6, 0.75],
        [0.2, 0.3, 0.25],
        Texture::Picture,
        [0.9, 0.9, 0.9],
    ),
    (
        [2.5, 1.9, 0.75],
        [0.12, 0.12, 0.18],
        Texture::Tiles,
        [0.3, 0.5, 0.9],
    ),
    (
        [2.3, 1.5, 0.75],
        [0.25, 0.18, 0.04],
        Texture::Weave,
        [0.8, 0.3, 0.25],
    ),
    // a sofa
    (
        [0.3, 0.1, 0.0],
        [1.9, 0.85, 0.42],
        Texture::Weave,
        [0.35, 0.5, 0.45],
    ),
    (
        [0.3, 0.1, 0.42],
        [1.9, 0.25, 0.40],
        Texture::Weave,
        [0.3, 0.45, 0.42],
    ),
    // a cupboard, a shelf board with boxes, a chest
    (
        [4.35, 0.4, 0.0],
        [0.6, 1.2, 1.9],
        Texture::Grain,
        [0.85, 0.75, 0.6],
    ),
    (
        [0.0, 1.4, 1.3],
        [0.3, 1.5, 0.04],
        Texture::Grain,
        [0.6, 0.4, 0.25],
    ),
    (
        [0.04, 1.5, 1.34],
        [0.2, 0.15, 0.25],
        Texture::Tiles,
        [0.9, 0.7, 0.2],
    ),
    (
        [0.04, 2.2, 1.34],
        [0.2, 0.4, 0.2],
        Texture::Picture,
        [0.8, 0.9, 0.8],
    ),
    (
        [3.2, 3.35, 0.0],
        [1.2, 0.6, 0.8],
        Texture::Bricks,
        [0.7, 0.6, 0.75],
    ),
    // pictures on two walls
    (
        [0.9, 3.97, 1.2],
        [1.2, 0.03, 0.8],
        Texture::Picture,
        [1.0, 0.95, 0.9],
    ),
    (
        [2.9, 0.0, 1.3],
        [0.9, 0.03, 0.7],
        Texture::Picture,
        [0.9, 0.95, 1.0],
    ),
];

/// Takes the pictures: the camera goes round the table once, at changing height, and looks at the walls and furniture on
/// the other side of where it is.
///
/// # Errors
/// [`Error::BadConfig`] for a value out of range.
pub fn room(config: &RoomConfig) -> Result<Vec<PosedImage>> {
    config.validate()?;
    let camera = config.camera();
    (0..config.frames)
        .map(|i| {
            let (color, depth) = picture(
                &camera,
                &pose(i as f64 / config.frames as f64),
                config.rays_per_side,
            )?;
            Ok(PosedImage {
                name: format!("{i:06}"),
                stamp: Time::from_secs_f64(i as f64 * config.interval_s),
                view: View::new(camera, pose(i as f64 / config.frames as f64)),
                color: Arc::new(color),
                depth: Some(Arc::new(depth)),
            })
        })
        .collect()
}

/// Pose of the camera after a share of the way, between 0 and 1.
fn pose(share: f64) -> Pose3 {
    let turn = share * std::f64::consts::TAU;
    let eye = Point3::new(
        2.5 + 1.25 * turn.cos(),
        2.05 + 0.85 * turn.sin(),
        1.35 + 0.25 * (3.0 * turn).sin(),
    );
    // Looks past the middle, swinging to both sides.
    let swing = 0.9 * (5.0 * turn).sin();
    let heading = turn + std::f64::consts::PI + swing;
    let down = -0.22 + 0.15 * (7.0 * turn).cos();
    let forward = Vector3::new(heading.cos() * down.cos(), heading.sin() * down.cos(), down.sin());
    let right = forward.cross(&Vector3::z()).normalize();
    let rotation = na::Matrix3::from_columns(&[right, forward.cross(&right), forward]);
    Pose3::from_parts(eye.into(), Rotation3::from_matrix(&rotation))
}

/// Colour and depth of the room from a pose.
fn picture(
    camera: &CameraIntrinsics,
    world_from_camera: &Pose3,
    rays: u32,
) -> Result<(Image<[u8; 3]>, Image<f32>)> {
    let solids = solids();
    let eye = Point3::from(world_from_camera.translation.vector);
    let look = |u: f64, v: f64| {
        let ray = world_from_camera.rotation
            * Vector3::new((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0);
        cast(&solids, &eye, &ray)
    };
    let pixel = |at: usize| {
        let column = (at % camera.width as usize) as f64;
        let row = (at / camera.width as usize) as f64;
        let mut sum = [0.0; 3];
        for j in 0..rays {
            for i in 0..rays {
                let offset = |k: u32| (f64::from(k) + 0.5) / f64::from(rays);
                let (_, color) = look(column + offset(i), row + offset(j));
                sum = std::array::from_fn(|c| sum[c] + color[c]);
            }
        }
        let color = sum.map(|s| (s / f64::from(rays * rays) * 255.0).round() as u8);
        let (depth, _) = look(column + 0.5, row + 0.5);
        (color, depth as f32)
    };
    let pixels: Vec<([u8; 3], f32)> = (0..(camera.width * camera.height) as usize)
        .into_par_iter()
        .map(pixel)
        .collect();
    let (color, depth) = pixels.into_iter().unzip();
    Ok((
        Image::new(camera.width, camera.height, color)?,
        Image::new(camera.width, camera.height, depth)?,
    ))
}

/// The furniture, and last the room itself, which is seen from inside.
fn solids() -> Vec<Solid> {
    let solid = |seed: usize, min: [f64; 3], size: [f64; 3], texture, tint| Solid {
        bounds: Aabb {
            min: Point3::from(min),
            max: Point3::from(min) + Vector3::from(size),
        },
        texture,
        tint,
        seed: seed as u32,
    };
    let furniture = FURNITURE
        .iter()
        .enumerate()
        .map(|(i, (min, size, texture, tint))| solid(i, *min, *size, *texture, *tint));
    let room = solid(
        FURNITURE.len(),
        [0.0; 3],
        ROOM_M,
        Texture::Plaster,
        [0.93, 0.92, 0.88],
    );
    furniture.chain([room]).collect()
}

/// Where a ray enters and leaves a box, and through which axis.
fn slabs(b: &Aabb, eye: &Point3, ray: &Vector3) -> ((f64, usize), (f64, usize)) {
    let (mut near, mut far) = ((f64::NEG_INFINITY, 0), (f64::INFINITY, 0));
    for axis in 0..3 {
        let (a, b) = (
            (b.min[axis] - eye[axis]) / ray[axis],
            (b.max[axis] - eye[axis]) / ray[axis],
        );
        if a.min(b) > near.0 {
            near = (a.min(b), axis);
        }
        if a.max(b) < far.0 {
            far = (a.max(b), axis);
        }
    }
    (near, far)
}

/// Depth (the ray's length in units of the ray) and colour of what a ray hits.
fn cast(solids: &[Solid], eye: &Point3, ray: &Vector3) -> (f64, [f64; 3]) {
    let mut best = (f64::INFINITY, 0, 0);
    let last = solids.len() - 1;
    for (i, solid) in solids.iter().enumerate() {
        let ((near, in_axis), (far, out_axis)) = slabs(&solid.bounds, eye, ray);
        let (at, axis) = if i == last {
            (far, out_axis)
        } else {
            (near, in_axis)
        };
        if at > 0.0 && near < far && at < best.0 {
            best = (at, i, axis);
        }
    }
    let (at, i, axis) = best;
    let p = eye + ray * at;
    let solid = &solids[i];
    // Towards the camera, for the room's walls as for furniture.
    let normal_sign = -ray[axis].signum();
    (at, shade(solid, &p, axis, normal_sign, i == last))
}

/// Colour of a surface: texture times light.
fn shade(solid: &Solid, p: &Point3, axis: usize, normal_sign: f64, is_room: bool) -> [f64; 3] {
    // Coordinates on the surface; v points up on walls.
    let (u, v) = match axis {
        0 => (p.y, p.z),
        1 => (p.x, p.z),
        _ => (p.x, p.y),
    };
    let (texture, tint) = match (is_room, axis, normal_sign > 0.0) {
        (true, 2, true) => (Texture::Boards, [0.72, 0.52, 0.34]),
        (true, 0, true) => (Texture::Wallpaper, [0.75, 0.82, 0.9]),
        (true, 0, false) => (Texture::Bricks, [0.75, 0.42, 0.33]),
        (true, 1, false) => (Texture::Wallpaper, [0.9, 0.86, 0.7]),
        _ => (solid.texture, solid.tint),
    };
    let seed = solid.seed * 8 + axis as u32 * 2 + u32::from(normal_sign > 0.0);
    let value = paint(texture, u, v, seed);
    let to_lamp = Point3::from(LAMP) - p;
    let facing = (to_lamp[axis] * normal_sign / to_lamp.norm()).max(0.0);
    let light = 0.55 + 0.45 * facing / (0.7 + 0.3 * to_lamp.norm());
    std::array::from_fn(|c| (tint[c] * value[c] * light).clamp(0.0, 1.0))
}

/// The texture's factor per channel at a place on a surface, metres.
fn paint(texture: Texture, u: f64, v: f64, seed: u32) -> [f64; 3] {
    match texture {
        Texture::Boards => {
            let row = (v / 0.14).floor();
            let along = u / 1.1 + hash(row as i64, 0, seed);
            let seam = line((v / 0.14).fract(), 0.03) * line(along.fract(), 0.006);
            let tone = 0.75 + 0.3 * hash(row as i64, along.floor() as i64, seed + 1);
            let grain = 0.88 + 0.2 * noise(u * 6.0, v * 60.0, seed + 2);
            [tone * grain * (0.45 + 0.55 * seam); 3]
        }
        Texture::Bricks => {
            let row = (v / 0.08).floor();
            let along = u / 0.24 + 0.5 * row.rem_euclid(2.0);
            let mortar = line((v / 0.08).fract(), 0.10) * line(along.fract(), 0.035);
            let tone = 0.75 + 0.4 * hash(row as i64, along.floor() as i64, seed);
            let rough = 0.85 + 0.25 * noise(u * 40.0, v * 40.0, seed + 1);
            let brick = tone * rough;
            [
                brick * mortar + 0.95 * (1.0 - mortar),
                brick * mortar + 1.4 * (1.0 - mortar),
                brick * mortar + 1.6 * (1.0 - mortar),
            ]
        }
        Texture::Wallpaper => {
            let stripe = 0.9 + 0.1 * line((u / 0.16).fract(), 0.5);
            let (x, y) = ((u / 0.32).fract() - 0.5, (v / 0.32).fract() - 0.5);
            let petals = 0.28 + 0.08 * (5.0 * y.atan2(x)).cos();
            let flower = step(petals - x.hypot(y), 0.02);
            let cell = hash((u / 0.32).floor() as i64, (v / 0.32).floor() as i64, seed);
            [
                stripe - 0.35 * flower * cell,
                stripe - 0.15 * flower,
                stripe - 0.4 * flower * (1.0 - cell),
            ]
        }
        Texture::Plaster => {
            [0.9 + 0.1 * noise(u * 3.0, v * 3.0, seed) + 0.05 * noise(u * 25.0, v * 25.0, seed + 1); 3]
        }
        Texture::Weave => {
            let (a, b) = ((u * 140.0).sin(), (v * 140.0).sin());
            let check = 0.85 + 0.3 * noise(u * 5.0, v * 5.0, seed);
            [check * (0.88 + 0.12 * a * b); 3]
        }
        Texture::Tiles => {
            let dark = ((u / 0.05).floor() + (v / 0.05).floor()).rem_euclid(2.0);
            [0.45 + 0.55 * dark, 0.5 + 0.5 * dark, 0.7 + 0.3 * dark]
        }
        Texture::Picture => {
            let mut color = [0.85; 3];
            for k in 0..9 {
                let place = |n: i64| hash(k, n, seed) * 1.4 - 0.2;
                let radius = 0.05 + 0.16 * hash(k, 3, seed);
                let distance = (u.rem_euclid(1.0) - place(1)).hypot(v.rem_euclid(1.0) - place(2));
                let inside = step(radius - distance, 0.004);
                color = std::array::from_fn(|c| {
                    color[c] * (1.0 - inside) + inside * (0.15 + 0.85 * hash(k, 10 + c as i64, seed))
                });
            }
            color.map(|c| c * (0.92 + 0.08 * noise(u * 30.0, v * 30.0, seed)))
        }
        Texture::Grain => {
            let warp = noise(u * 2.0, v * 2.0, seed);
            let rings =
                0.5 + 0.5 * ((v * 60.0 + 6.0 * warp) + 2.0 * noise(u * 3.0, v * 20.0, seed + 1)).sin();
            [0.8 + 0.2 * rings; 3]
        }
    }
}

/// 1, and 0 within `width` of the start of the period.
fn line(fraction: f64, width: f64) -> f64 {
    step(fraction - width, 0.2 * width)
}

/// A smooth step from 0 to 1 around 0.
fn step(x: f64, width: f64) -> f64 {
    let t = (x / width * 0.5 + 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A number between 0 and 1 for a cell of a grid.
fn hash(x: i64, y: i64, seed: u32) -> f64 {
    let mut h = (x as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
        .wrapping_add(u64::from(seed).wrapping_mul(0x1656_67b1_9e37_79f9));
    h = (h ^ (h >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (h >> 40) as f64 / (1u64 << 24) as f64
}

/// Smooth noise between 0 and 1, one cell per unit.
fn noise(x: f64, y: f64, seed: u32) -> f64 {
    let (i, j) = (x.floor(), y.floor());
    let ease = |t: f64| t * t * (3.0 - 2.0 * t);
    let (s, t) = (ease(x - i), ease(y - j));
    let corner = |a: i64, b: i64| hash(i as i64 + a, j as i64 + b, seed);
    let low = corner(0, 0) * (1.0 - s) + corner(1, 0) * s;
    let high = corner(0, 1) * (1.0 - s) + corner(1, 1) * s;
    low * (1.0 - t) + high * t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> RoomConfig {
        RoomConfig {
            frames: 8,
            width: 64,
            height: 48,
            ..RoomConfig::default()
        }
    }

    /// Points that the depths give lie on surfaces of the room: on a wall, or on a face of a piece of furniture.
    #[test]
    fn depth_is_that_of_the_boxes() {
        for frame in room(&small()).unwrap() {
            let depth = frame.depth.clone().unwrap();
            for (at, d) in depth.data().iter().enumerate() {
                let ray = frame.view.camera.pixel_ray(at as u32 % 64, at as u32 / 64);
                let p = frame.view.world_from_camera * Point3::from(ray * f64::from(*d));
                let on = |b: &Aabb| {
                    let inside = b.inflated(1e-5).contains(&p);
                    inside && (0..3).any(|i| (p[i] - b.min[i]).abs() < 1e-5 || (p[i] - b.max[i]).abs() < 1e-5)
                };
                assert!(solids().iter().any(|s| on(&s.bounds)), "{p} is on no surface");
            }
        }
    }

    #[test]
    fn colours_are_textured_and_the_same_every_time() {
        let (a, b) = (room(&small()).unwrap(), room(&small()).unwrap());
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.color, b.color);
            let mean = |c: usize| a.color.data().iter().map(|p| f64::from(p[c])).sum::<f64>() / 3072.0;
            let deviation = a
                .color
                .data()
                .iter()
                .map(|p| (f64::from(p[0]) - mean(0)).powi(2))
                .sum::<f64>()
                / 3072.0;
            assert!((60.0..220.0).contains(&mean(0)), "mean {}", mean(0));
            assert!(deviation.sqrt() > 12.0, "deviation {}", deviation.sqrt());
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            RoomConfig {
                rays_per_side: 0,
                ..small()
            },
            RoomConfig {
                horizontal_fov_rad: f64::NAN,
                ..small()
            },
            RoomConfig { width: 0, ..small() },
        ] {
            assert!(room(&bad).is_err());
        }
    }
}
