//! Colour of the pixels whose triangle is known: texture, ambient light and lamps with their shadows.

use wide::{f32x8, u32x8};

use super::ambient::Ambient;
use super::project::View;
use super::raster::LANES;
use super::scene::Part;
use super::shadow::ShadowLight;
use super::texture::MipTexture;

/// Taken off the light of each lamp (linear), so that far lamps, which nobody would miss, end somewhere.
const LEAST_LIGHT: f32 = 0.012;
/// Closer to a lamp than this it gets no brighter, metres squared.
const LAMP_RADIUS_SQUARED: f32 = 0.04;
const SKY: [f32; 3] = [0.55, 0.72, 1.0];
const GROUND: [f32; 3] = [0.22, 0.24, 0.2];

type V3 = [f32; 3];

#[inline(always)]
fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline(always)]
fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline(always)]
fn cross(a: V3, b: V3) -> V3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

#[inline(always)]
pub(super) fn unit(a: V3) -> V3 {
    let length = dot(a, a).sqrt();
    let s = if length > 0.0 { 1.0 / length } else { 0.0 };
    [a[0] * s, a[1] * s, a[2] * s]
}

/// What shading needs to know of a triangle. All of it is linear in the position of a point on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facet {
    corner: V3,
    /// Barycentric weights of the second and third corner grow along these.
    second: V3,
    third: V3,
    /// Of the plane, unit.
    pub normal: V3,
    normals: [V3; 3],
    uv: [f32; 2],
    uv_second: [f32; 2],
    uv_third: [f32; 2],
    /// Texels per square metre.
    texels: f32,
    tint: V3,
    texture: Option<u32>,
    lights: u64,
}

impl Facet {
    pub(super) fn new(part: &Part, index: u32, lights: u64, textures: &[MipTexture]) -> Self {
        let corners = part.mesh.triangles[index as usize].map(|i| i as usize);
        let p = corners.map(|i| part.positions[i]);
        let (e1, e2) = (sub(p[1], p[0]), sub(p[2], p[0]));
        let n = cross(e1, e2);
        let square = dot(n, n);
        let inverse = if square > 0.0 { 1.0 / square } else { 0.0 };
        let n0 = part.normals[corners[0]];
        let uv = corners.map(|i| part.mesh.uvs.get(i).copied().unwrap_or_default());
        let uv_second = [uv[1][0] - uv[0][0], uv[1][1] - uv[0][1]];
        let uv_third = [uv[2][0] - uv[0][0], uv[2][1] - uv[0][1]];
        let uv_area = (uv_second[0] * uv_third[1] - uv_second[1] * uv_third[0]).abs();
        let side = part.texture.map_or(0.0, |t| textures[t as usize].size as f32);
        Facet {
            corner: p[0],
            second: cross(e2, n).map(|x| x * inverse),
            third: cross(n, e1).map(|x| x * inverse),
            normal: unit(n),
            normals: [
                n0,
                sub(part.normals[corners[1]], n0),
                sub(part.normals[corners[2]], n0),
            ],
            uv: uv[0],
            uv_second,
            uv_third,
            texels: uv_area * inverse.sqrt() * side * side,
            tint: part.tint,
            texture: part.texture,
            lights,
        }
    }

    /// Weights of the second and third corner at a point.
    #[inline(always)]
    fn weights(&self, p: V3) -> [f32; 2] {
        let d = sub(p, self.corner);
        let b = dot(d, self.second).clamp(0.0, 1.0);
        [b, dot(d, self.third).clamp(0.0, 1.0 - b)]
    }

    /// Interpolated normal, unit.
    #[inline(always)]
    fn smooth_normal(&self, [b, c]: [f32; 2]) -> V3 {
        let [n, nb, nc] = &self.normals;
        unit([0, 1, 2].map(|i| n[i] + b * nb[i] + c * nc[i]))
    }

    /// Linear colour of the surface; `footprint` is the area that a pixel covers on it, square metres.
    #[inline(always)]
    fn albedo(&self, [b, c]: [f32; 2], footprint: f32, textures: &[MipTexture]) -> V3 {
        let Some(texture) = self.texture else {
            return self.tint;
        };
        let at = |i: usize| self.uv[i] + b * self.uv_second[i] + c * self.uv_third[i];
        let t = textures[texture as usize].sample(at(0), at(1), footprint * self.texels);
        [t[0] * self.tint[0], t[1] * self.tint[1], t[2] * self.tint[2]]
    }
}

/// Facets met lately, by the number of their triangle.
pub(super) struct FacetCache {
    entries: Vec<(u32, Facet)>,
}

const CACHE_SIZE: usize = 128;

impl FacetCache {
    pub(super) fn new() -> Self {
        FacetCache { entries: Vec::new() }
    }

    #[inline(always)]
    fn get(&mut self, key: u32, make: impl Fn() -> Facet) -> &Facet {
        if self.entries.is_empty() {
            self.entries = vec![(key, make()); CACHE_SIZE];
        }
        let entry = &mut self.entries[key as usize % CACHE_SIZE];
        if entry.0 != key {
            *entry = (key, make());
        }
        &entry.1
    }
}

/// Everything that shading looks up.
pub(super) struct Shading<'a> {
    pub parts: &'a [Part],
    pub textures: &'a [MipTexture],
    pub ambient: &'a Ambient,
    /// Lights that matter in this image; bit `i` of a part's mask is `lights[i]`.
    pub lights: &'a [&'a ShadowLight],
    /// By part.
    pub masks: &'a [u64],
    pub eye: V3,
    /// `world_from_camera`, rotation, by row.
    pub rotation: [V3; 3],
    pub view: View,
    pub shadows: bool,
}

/// One row of the image to shade.
pub(super) struct Row<'a> {
    pub row: u32,
    pub inverse_depth: &'a [f32x8],
    pub keys: &'a [u32x8],
    /// Linear colours, out; room for whole groups.
    pub color: Option<&'a mut [V3]>,
    /// Normals in the optical frame, out; room for whole groups.
    pub normals: Option<&'a mut [V3]>,
}

/// Eight pixels: by axis or channel, then pixel; colours by pixel.
struct Lanes {
    points: [[f32; LANES]; 3],
    normals: [[f32; LANES]; 3],
    albedo: [V3; LANES],
    ambient: [[f32; LANES]; 3],
}

impl Shading<'_> {
    /// Direction of a pixel in the world, of length 1 along the optical axis.
    #[inline(always)]
    pub(super) fn ray(&self, column: f32, row: f32) -> V3 {
        let d = [
            (column + 0.5 - self.view.c[0]) / self.view.f[0],
            (row + 0.5 - self.view.c[1]) / self.view.f[1],
            1.0,
        ];
        self.rotation.map(|r| dot(r, d))
    }

    fn to_optical(&self, n: V3) -> V3 {
        let r = &self.rotation;
        [0, 1, 2].map(|i| r[0][i] * n[0] + r[1][i] * n[1] + r[2][i] * n[2])
    }

    /// Shades one row; `locate` turns a pixel's key into part and triangle.
    pub(super) fn row(&self, row: Row<'_>, cache: &mut FacetCache, locate: impl Fn(u32) -> (u32, u32)) {
        let Row {
            row,
            inverse_depth,
            keys,
            mut color,
            mut normals,
        } = row;
        let pixel_area = 1.0 / (self.view.f[0] * self.view.f[1]);
        for (group, (inverse_depth, keys)) in inverse_depth.iter().zip(keys).enumerate() {
            let (inverse_depth, keys) = (inverse_depth.as_array(), keys.as_array());
            let mut points = [[0.0f32; LANES]; 3];
            let mut smooth = [[0.0f32; LANES]; 3];
            let mut flat = [[0.0f32; LANES]; 3];
            let mut albedo = [[0.0f32; 3]; LANES];
            let mut light = [[0.0f32; LANES]; 3];
            let mut mask = 0;
            let is_one = keys[0] != 0 && keys.iter().all(|&k| k == keys[0]);
            if is_one {
                let facet = cache.get(keys[0], || {
                    let (part, index) = locate(keys[0]);
                    let p = part as usize;
                    Facet::new(&self.parts[p], index, self.masks[p], self.textures)
                });
                let z = f32x8::splat(1.0) / f32x8::new(*inverse_depth);
                let lanes = self.one_facet(facet, z, (group * LANES) as f32, row as f32, pixel_area);
                (points, smooth, albedo, light) = (lanes.points, lanes.normals, lanes.albedo, lanes.ambient);
                flat = facet.normal.map(|n| [n; LANES]);
                mask = facet.lights;
                if let Some(normals) = &mut normals {
                    for lane in 0..LANES {
                        let n = [smooth[0][lane], smooth[1][lane], smooth[2][lane]];
                        normals[group * LANES + lane] = self.to_optical(n);
                    }
                }
            }
            for lane in if is_one { LANES..LANES } else { 0..LANES } {
                let ray = self.ray((group * LANES + lane) as f32, row as f32);
                let key = keys[lane];
                if key == 0 {
                    continue;
                }
                let facet = cache.get(key, || {
                    let (part, index) = locate(key);
                    let p = part as usize;
                    Facet::new(&self.parts[p], index, self.masks[p], self.textures)
                });
                let z = 1.0 / inverse_depth[lane];
                let p = [0, 1, 2].map(|i| self.eye[i] + ray[i] * z);
                let weights = facet.weights(p);
                let n = facet.smooth_normal(weights);
                if let Some(normals) = &mut normals {
                    normals[group * LANES + lane] = self.to_optical(n);
                }
                let tilt = dot(facet.normal, ray);
                let cosine = (tilt * tilt / dot(ray, ray)).sqrt().max(0.05);
                albedo[lane] = facet.albedo(weights, z * z * pixel_area / cosine, self.textures);
                let ambient = self.ambient.at(p, n);
                for i in 0..3 {
                    points[i][lane] = p[i];
                    smooth[i][lane] = n[i];
                    light[i][lane] = ambient[i];
                    flat[i][lane] = facet.normal[i];
                }
                mask |= facet.lights;
            }
            let Some(color) = &mut color else { continue };
            let mut light = light.map(f32x8::new);
            let points = points.map(f32x8::new);
            let smooth = smooth.map(f32x8::new);
            let flat = flat.map(f32x8::new);
            while mask != 0 {
                let lamp = self.lights[mask.trailing_zeros() as usize];
                mask &= mask - 1;
                self.add_lamp(lamp, &points, &smooth, &flat, &mut light);
            }
            let light = light.map(f32x8::to_array);
            for lane in 0..LANES {
                let out = &mut color[group * LANES + lane];
                *out = if keys[lane] == 0 {
                    backdrop(self.ray((group * LANES + lane) as f32, row as f32))
                } else {
                    [0, 1, 2].map(|i| albedo[lane][i] * light[i][lane])
                };
            }
        }
    }

    /// Eight neighbours that show the same triangle.
    #[inline(always)]
    fn one_facet(&self, facet: &Facet, z: f32x8, column: f32, row: f32, pixel_area: f32) -> Lanes {
        let splat = f32x8::splat;
        let dot = |a: &[f32x8; 3], b: V3| a[0] * splat(b[0]) + a[1] * splat(b[1]) + a[2] * splat(b[2]);
        let steps = f32x8::new([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
        let dx = (splat(column) + steps - splat(self.view.c[0])) / splat(self.view.f[0]);
        let dy = (row + 0.5 - self.view.c[1]) / self.view.f[1];
        let ray = self.rotation.map(|r| splat(r[0]) * dx + splat(r[1] * dy + r[2]));
        let points = [0, 1, 2].map(|i| splat(self.eye[i]) + ray[i] * z);
        let d = [0, 1, 2].map(|i| points[i] - splat(facet.corner[i]));
        let (zero, one) = (splat(0.0), splat(1.0));
        let b = dot(&d, facet.second).fast_max(zero).fast_min(one);
        let c = dot(&d, facet.third).fast_max(zero).fast_min(one - b);
        let mix = |n: f32, nb: f32, nc: f32| splat(n) + b * splat(nb) + c * splat(nc);
        let [n, nb, nc] = &facet.normals;
        let normals = [0, 1, 2].map(|i| mix(n[i], nb[i], nc[i]));
        let square = normals[0] * normals[0] + normals[1] * normals[1] + normals[2] * normals[2];
        let scale = one / square.fast_max(splat(1e-12)).sqrt();
        let normals = normals.map(|n| (n * scale).to_array());
        let points = points.map(f32x8::to_array);
        let mut albedo = [facet.tint; LANES];
        if let Some(texture) = facet.texture {
            let tilt = dot(&ray, facet.normal);
            let length = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2];
            let cosine = (tilt * tilt / length).sqrt().fast_max(splat(0.05));
            let footprint = (z * z * splat(pixel_area * facet.texels) / cosine).to_array();
            let at = |i: usize| mix(facet.uv[i], facet.uv_second[i], facet.uv_third[i]).to_array();
            let (u, v) = (at(0), at(1));
            let texture = &self.textures[texture as usize];
            for lane in 0..LANES {
                let t = texture.sample(u[lane], v[lane], footprint[lane]);
                albedo[lane] = [0, 1, 2].map(|i| t[i] * facet.tint[i]);
            }
        }
        let mut ambient = [[0.0; LANES]; 3];
        for lane in 0..LANES {
            let of = |a: &[[f32; LANES]; 3]| [a[0][lane], a[1][lane], a[2][lane]];
            let light = self.ambient.at(of(&points), of(&normals));
            for i in 0..3 {
                ambient[i][lane] = light[i];
            }
        }
        Lanes {
            points,
            normals,
            albedo,
            ambient,
        }
    }

    #[inline(always)]
    fn add_lamp(
        &self,
        lamp: &ShadowLight,
        points: &[f32x8; 3],
        normals: &[f32x8; 3],
        flat: &[f32x8; 3],
        light: &mut [f32x8; 3],
    ) {
        let to_lamp = [0, 1, 2].map(|i| f32x8::splat(lamp.position[i]) - points[i]);
        let square = to_lamp[0] * to_lamp[0] + to_lamp[1] * to_lamp[1] + to_lamp[2] * to_lamp[2];
        let facing = to_lamp[0] * normals[0] + to_lamp[1] * normals[1] + to_lamp[2] * normals[2];
        // Inverse square law with a smooth end at the range (Karis, "Real shading in Unreal Engine 4", 2013).
        let s = square * f32x8::splat(1.0 / (lamp.range * lamp.range));
        let window = (f32x8::splat(1.0) - s * s).fast_max(f32x8::splat(0.0));
        let near = square.fast_max(f32x8::splat(LAMP_RADIUS_SQUARED));
        let arriving = facing * window * window / (near * near.sqrt());
        let brightest = lamp.intensity[0].max(lamp.intensity[1]).max(lamp.intensity[2]);
        let least = f32x8::splat(LEAST_LIGHT / brightest.max(1e-9));
        let mut arriving = (arriving - least).fast_max(f32x8::splat(0.0));
        let lanes = arriving.simd_gt(f32x8::splat(0.0)).to_bitmask();
        if lanes == 0 {
            return;
        }
        if self.shadows && lamp.shadows {
            let from_lamp = to_lamp.map(|v| f32x8::splat(0.0) - v);
            arriving *= lamp.lit(&from_lamp, flat, lanes);
        }
        for (sum, intensity) in light.iter_mut().zip(lamp.intensity) {
            *sum += arriving * f32x8::splat(intensity);
        }
    }

    /// Colour of a pane in front of `behind`, seen along `ray`.
    pub(super) fn pane(&self, part: &Part, index: u32, ray: V3, inverse_depth: f32, behind: V3) -> V3 {
        let facet = Facet::new(part, index, 0, self.textures);
        let z = 1.0 / inverse_depth;
        let p = [0, 1, 2].map(|i| self.eye[i] + ray[i] * z);
        let cosine = (dot(facet.normal, ray).abs() / dot(ray, ray).sqrt()).min(1.0);
        let ambient = self.ambient.at(p, facet.normal);
        // Glass mirrors more of the room the flatter it is looked at (Schlick, 1994).
        let away = 1.0 - cosine;
        let mirrored = 0.04 + 0.6 * away * away * away * away * away;
        let share = part.opacity + (1.0 - part.opacity) * mirrored;
        let albedo = facet.albedo(facet.weights(p), 0.0, self.textures);
        [0, 1, 2].map(|i| behind[i] * (1.0 - share) + albedo[i] * ambient[i] * share)
    }
}

/// What is seen where there is nothing.
fn backdrop(ray: V3) -> V3 {
    let up = (unit(ray)[2] * 4.0 + 0.5).clamp(0.0, 1.0);
    [0, 1, 2].map(|i| GROUND[i] + (SKY[i] - GROUND[i]) * up)
}
