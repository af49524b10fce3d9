//! A camera's view of a home: colour, metric depth, ids and normals, drawn on the CPU.
//!
//! ```text
//!   walls ──► scan ──► coarse depth ──► hidden entities dropped ──► scan ──► triangle per pixel
//!                                                                               │
//!   lamps ──► shadow maps (what never moves drawn once) ──────────────► shade ◄─┘ ──► glass ──► sRGB
//! ```
//!
//! The image is cut into bands of rows that are drawn independently, so the bytes do not depend on the number
//! of threads. They do not depend on earlier images either: what is kept between them is what would be
//! computed anew. A frame is drawn in the `rayon` pool of the caller.

mod ambient;
mod bench;
mod ids;
mod plan;
mod project;
mod raster;
mod scene;
mod shade;
mod shadow;
mod texture;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Pose3;
use steward_core::image::{ColorImage, DepthImage, Image};
use wide::{f32x8, u32x8};

use crate::model::{Entity, Home, Visual, WorldState};

pub use bench::{RenderBenchmark, bench_render, head_pose};
pub use ids::PixelId;
pub use plan::{PlanView, render_plan_view};

use ambient::Ambient;
use project::{Extent, NEAR_M, Scratch, Sides, View, project};
use raster::{DepthBuffer, LANES, Nearest, Triangle, Visit, Window, scan};
use scene::{Owner, Part};
use shade::{FacetCache, Row, Shading};
use shadow::ShadowLight;
use texture::{TextureStore, ToneTable};

/// Rows of a band; a multiple of 8.
const BAND_ROWS: usize = 16;
/// Triangles that are projected together.
const CHUNK_TRIANGLES: usize = 4_096;
/// Bits of a pixel's key that number the triangle within its chunk; the rest number the chunk.
const CHUNK_SHIFT: u32 = 20;
/// Bits of a mask.
const MAX_LIGHTS: usize = 64;

/// What to compute beside depth and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    /// Lamps cast shadows.
    pub shadows: bool,
    /// Colours are computed; black otherwise.
    pub color: bool,
    /// Normals are computed.
    pub normals: bool,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions {
            shadows: true,
            color: true,
            normals: false,
        }
    }
}

/// One image, without any imperfection. All have the camera's size.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Colours, sRGB.
    pub color: ColorImage,
    /// Metres along the optical axis to the nearest opaque surface, NaN for none.
    pub depth: DepthImage,
    /// Who is seen, see [`PixelId`]; 0 for nobody. Small objects of glass are seen, other panes seen through.
    pub ids: Image<u32>,
    /// Unit normals in the optical frame, zero where nothing is seen; if asked for.
    pub normals: Option<Image<[f32; 3]>>,
    /// Metres along the optical axis to the nearest glass in front of that surface, NaN for none.
    pub glass: DepthImage,
}

/// A visual of a link of the robot.
#[derive(Debug, Clone)]
pub struct RobotVisual {
    /// Index into the link poses given to [`Renderer::render`].
    pub link: usize,
    /// What it looks like; its pose is `link_from_visual`.
    pub visual: Visual,
}

/// Draws a home.
#[derive(Debug)]
pub struct Renderer {
    parts: Vec<Part>,
    textures: TextureStore,
    lights: Vec<ShadowLight>,
    ambient: Ambient,
    tone: ToneTable,
    entities: usize,
    bands: Vec<Band>,
    without_ceilings: bool,
}

/// Rows that are drawn together.
#[derive(Debug, Default)]
struct Band {
    depth: DepthBuffer,
    keys: Vec<u32x8>,
    color: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    ids: Vec<u32>,
    /// One over the depth of the nearest glass, 0 for none.
    glass: Vec<f32>,
}

/// Triangles of some parts on the screen, and which of them each band needs.
#[derive(Debug)]
struct Chunk {
    triangles: Vec<Triangle>,
    bins: Vec<Vec<u32>>,
}

/// Where the rows of one band go.
struct BandOut<'a> {
    color: &'a mut [[u8; 3]],
    depth: &'a mut [f32],
    ids: &'a mut [u32],
    normals: &'a mut [[f32; 3]],
    glass: &'a mut [f32],
}

impl Renderer {
    /// A renderer of a home.
    pub fn new(home: &Home) -> Self {
        let mut renderer = Renderer {
            parts: Vec::new(),
            textures: TextureStore::new(),
            lights: home.lights.iter().map(ShadowLight::new).collect(),
            ambient: Ambient::new(home),
            tone: ToneTable::new(),
            entities: 0,
            bands: Vec::new(),
            without_ceilings: false,
        };
        for entity in &home.entities {
            renderer.add_entity(entity);
        }
        renderer
    }

    /// Makes a further entity known; its pose is the next in [`WorldState::poses`].
    pub fn add_entity(&mut self, entity: &Entity) {
        let owner = Owner::Entity(self.entities);
        self.entities += 1;
        for (i, visual) in entity.visuals.iter().enumerate() {
            let id = match visual.label {
                None => PixelId::Entity(entity.id),
                Some(_) => PixelId::Labelled {
                    entity: entity.id,
                    visual: i as u32,
                },
            };
            let part = Part::new(owner, id, visual, Some(entity), &mut self.textures);
            self.parts.push(part);
        }
    }

    /// Says what the robot looks like, in place of what was said before.
    pub fn set_robot(&mut self, visuals: Vec<RobotVisual>) {
        self.parts.retain(|p| matches!(p.owner, Owner::Entity(_)));
        for v in &visuals {
            let id = PixelId::Robot { link: v.link as u32 };
            let part = Part::new(Owner::Link(v.link), id, &v.visual, None, &mut self.textures);
            self.parts.push(part);
        }
    }

    /// Draws what a camera sees. Entities without a pose or not present, and visuals of links without a pose,
    /// are left out.
    ///
    /// The camera must be valid (`camera.validate()`); a size of zero is drawn as one pixel.
    pub fn render(
        &mut self,
        state: &WorldState,
        robot_link_poses: &[Pose3],
        camera: &CameraIntrinsics,
        world_from_camera: &Pose3,
        options: &RenderOptions,
    ) -> Rendered {
        let camera = CameraIntrinsics {
            width: camera.width.max(1),
            height: camera.height.max(1),
            ..*camera
        };
        let view = View::new(&camera, world_from_camera);
        let (width, height) = (camera.width as usize, camera.height as usize);
        let stride = width.div_ceil(LANES);
        let band_count = height.div_ceil(BAND_ROWS);

        self.parts
            .par_iter_mut()
            .for_each(|p| p.update(state, robot_link_poses));

        self.bands.resize_with(band_count, Band::default);
        self.bands.par_iter_mut().for_each(|b| b.clear(stride));

        // Walls first: they are few triangles and hide most of the rest.
        let eye = [0, 1, 2].map(|i| world_from_camera.translation.vector[i] as f32);
        let shown = |p: &Part| p.is_present() && !(self.without_ceilings && p.is_ceiling);
        let mut walls = Vec::new();
        let mut rest = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            let extent = if shown(part) {
                view.extent(&part.bounds)
            } else {
                Extent::Nowhere
            };
            if extent != Extent::Nowhere {
                let list = if part.is_structure && !part.is_glass() {
                    &mut walls
                } else {
                    &mut rest
                };
                list.push((part.bounds.distance_squared(eye), i as u32, extent));
            }
        }
        let nearest_first = |a: &(f32, u32, Extent), b: &(f32, u32, Extent)| a.0.total_cmp(&b.0);
        walls.sort_by(nearest_first);
        rest.sort_by(nearest_first);
        let walls: Vec<u32> = walls.iter().map(|w| w.1).collect();
        let mut chunks = self.chunks(&view, &walls, Sides::Front, band_count);
        self.scan_chunks(&chunks, 0, stride);

        let seen = |(_, i, extent): &(f32, u32, Extent)| self.shows(extent, stride).then_some(*i);
        let seen: Vec<u32> = rest.iter().filter_map(seen).collect();
        let (panes, solid): (Vec<u32>, Vec<u32>) =
            seen.into_iter().partition(|&i| self.parts[i as usize].is_glass());
        let first = chunks.len();
        chunks.extend(self.chunks(&view, &solid, Sides::Front, band_count));
        self.scan_chunks(&chunks, first, stride);

        let mut masks = vec![0u64; self.parts.len()];
        let mut lights = Vec::new();
        if options.color {
            let visible: Vec<u32> = walls.iter().chain(&solid).copied().collect();
            lights = self.choose_lights(&visible, &mut masks, eye, options.shadows);
        }
        let lights: Vec<&ShadowLight> = lights.iter().map(|&i| &self.lights[i]).collect();

        // Panes from far to near.
        let panes: Vec<u32> = panes.into_iter().rev().collect();
        let panes = self.chunks(&view, &panes, Sides::Both, band_count);

        let rotation = world_from_camera.rotation.to_rotation_matrix();
        let shading = Shading {
            parts: &self.parts,
            textures: &self.textures.textures,
            ambient: &self.ambient,
            lights: &lights,
            masks: &masks,
            eye,
            rotation: [0, 1, 2].map(|r| [0, 1, 2].map(|c| rotation[(r, c)] as f32)),
            view,
            shadows: options.shadows,
        };
        let pixels = width * height;
        let mut color = vec![[0u8; 3]; pixels];
        let mut depth = vec![f32::NAN; pixels];
        let mut ids = vec![0u32; pixels];
        let mut normals = vec![[0.0f32; 3]; if options.normals { pixels } else { 0 }];
        let mut glass = vec![f32::NAN; pixels];
        let band_pixels = width * BAND_ROWS;
        let mut normal_rows: Vec<&mut [[f32; 3]]> = normals.chunks_mut(band_pixels).collect();
        normal_rows.resize_with(band_count, Default::default);
        (
            self.bands.par_iter_mut(),
            color.par_chunks_mut(band_pixels),
            depth.par_chunks_mut(band_pixels),
            ids.par_chunks_mut(band_pixels),
            normal_rows.into_par_iter(),
            glass.par_chunks_mut(band_pixels),
        )
            .into_par_iter()
            .enumerate()
            .for_each(|(index, (band, color, depth, ids, normals, glass))| {
                let out = BandOut {
                    color,
                    depth,
                    ids,
                    normals,
                    glass,
                };
                band.finish(index, &shading, &chunks, &panes, options, width, &self.tone, out);
            });

        let image = "the buffers were made for this size";
        let (w, h) = (width as u32, height as u32);
        Rendered {
            color: Image::new(w, h, color).expect(image),
            depth: Image::new(w, h, depth).expect(image),
            ids: Image::new(w, h, ids).expect(image),
            normals: options.normals.then(|| Image::new(w, h, normals).expect(image)),
            glass: Image::new(w, h, glass).expect(image),
        }
    }

    /// Projects parts, in order.
    fn chunks(&self, view: &View, parts: &[u32], sides: Sides, bands: usize) -> Vec<Chunk> {
        let mut groups: Vec<&[u32]> = Vec::new();
        let (mut start, mut count) = (0, 0);
        for (i, &part) in parts.iter().enumerate() {
            count += self.parts[part as usize].mesh.triangles.len();
            if count >= CHUNK_TRIANGLES || i + 1 == parts.len() {
                groups.push(&parts[start..=i]);
                (start, count) = (i + 1, 0);
            }
        }
        let chunk = |group: &[u32]| {
            let mut scratch = Scratch::default();
            let mut chunk = Chunk {
                triangles: Vec::new(),
                bins: vec![Vec::new(); bands],
            };
            for &number in group {
                let part = &self.parts[number as usize];
                let mesh = &part.mesh.triangles;
                project(view, &part.positions, mesh, number, sides, &mut scratch, |t| {
                    let bins = t.rows[0] as usize / BAND_ROWS..=t.rows[1] as usize / BAND_ROWS;
                    for bin in &mut chunk.bins[bins] {
                        bin.push(chunk.triangles.len() as u32);
                    }
                    chunk.triangles.push(t);
                });
            }
            chunk
        };
        groups.into_par_iter().map(chunk).collect()
    }

    /// Draws the chunks from `first` on into the bands.
    fn scan_chunks(&mut self, chunks: &[Chunk], first: usize, stride: usize) {
        self.bands.par_iter_mut().enumerate().for_each(|(index, band)| {
            let window = Band::window(index, stride);
            for (number, chunk) in chunks.iter().enumerate().skip(first) {
                for &local in &chunk.bins[index] {
                    let t = &chunk.triangles[local as usize];
                    let mut nearest = Nearest {
                        depth: &mut band.depth,
                        keys: &mut band.keys,
                        key: ((number as u32) << CHUNK_SHIFT | local) + 1,
                        large: t.columns[1] - t.columns[0] >= 8 && t.rows[1] - t.rows[0] >= 8,
                    };
                    scan(t, &window, &mut nearest);
                }
            }
        });
    }

    /// Whether something that may be seen within an extent is not hidden by what was drawn so far.
    fn shows(&self, extent: &Extent, stride: usize) -> bool {
        match *extent {
            Extent::Nowhere => false,
            Extent::Everywhere => true,
            Extent::Within {
                columns,
                rows,
                nearest,
            } => {
                let blocks = |r: [u32; 2]| r[0] as usize / LANES..=r[1] as usize / LANES;
                let per_band = BAND_ROWS / LANES;
                blocks(rows).any(|y| {
                    let band = &self.bands[y / per_band].depth.farthest;
                    blocks(columns).any(|x| nearest * 1.0001 > band[y % per_band * stride + x])
                })
            }
        }
    }

    /// Brings the shadow maps of the lights that matter for some parts up to date, and says which lights those
    /// are and, by part, which of them reach it.
    fn choose_lights(
        &mut self,
        parts: &[u32],
        masks: &mut [u64],
        eye: [f32; 3],
        shadows: bool,
    ) -> Vec<usize> {
        let all = &self.parts;
        let reaches = |l: &ShadowLight| parts.iter().any(|&p| l.reaches(&all[p as usize].bounds));
        let mut chosen: Vec<usize> = (0..self.lights.len())
            .filter(|&i| reaches(&self.lights[i]))
            .collect();
        if chosen.len() > MAX_LIGHTS {
            let far = |i: usize| {
                let p = self.lights[i].position;
                [0, 1, 2]
                    .map(|k| (p[k] - eye[k]) * (p[k] - eye[k]))
                    .iter()
                    .sum::<f32>()
            };
            chosen.sort_by(|&a, &b| far(a).total_cmp(&far(b)));
            chosen.truncate(MAX_LIGHTS);
            chosen.sort_unstable();
        }
        if shadows {
            self.lights.par_iter_mut().enumerate().for_each(|(i, light)| {
                if chosen.binary_search(&i).is_ok() {
                    light.update(all);
                }
            });
        }
        for (bit, &i) in chosen.iter().enumerate() {
            let light = &self.lights[i];
            for &p in parts {
                let bounds = &all[p as usize].bounds;
                if light.reaches(bounds) && !(shadows && light.shadows && light.is_hidden(bounds)) {
                    masks[p as usize] |= 1 << bit;
                }
            }
        }
        chosen
    }
}

impl Band {
    fn clear(&mut self, stride: usize) {
        self.depth.clear(stride, BAND_ROWS);
        self.keys.clear();
        self.keys.resize(stride * BAND_ROWS, u32x8::splat(0));
    }

    fn window(index: usize, stride: usize) -> Window {
        Window {
            first_row: (index * BAND_ROWS) as i32,
            stride,
            columns: [0, stride],
            rows: [0, BAND_ROWS / LANES],
        }
    }

    /// Shades the band and writes its rows.
    #[expect(clippy::too_many_arguments, reason = "one call, everything of one frame")]
    fn finish(
        &mut self,
        index: usize,
        shading: &Shading<'_>,
        chunks: &[Chunk],
        panes: &[Chunk],
        options: &RenderOptions,
        width: usize,
        tone: &ToneTable,
        out: BandOut<'_>,
    ) {
        let stride = width.div_ceil(LANES);
        let rows = out.depth.len() / width;
        let find = |key: u32| {
            let key = key - 1;
            &chunks[(key >> CHUNK_SHIFT) as usize].triangles[(key & ((1 << CHUNK_SHIFT) - 1)) as usize]
        };
        let locate = |key: u32| {
            let t = find(key);
            (t.part, t.index)
        };
        let pixels = stride * LANES * BAND_ROWS;
        let length = |wanted: bool| if wanted { pixels } else { 0 };
        self.color.resize(length(options.color), [0.0; 3]);
        self.normals.clear();
        self.normals.resize(length(options.normals), [0.0; 3]);
        self.glass.clear();
        self.glass.resize(pixels, 0.0);
        self.ids.clear();
        for keys in &self.keys {
            let mut last = (0, 0);
            self.ids.extend(keys.as_array().iter().map(|&key| {
                if key != last.0 {
                    let id = if key == 0 {
                        0
                    } else {
                        shading.parts[find(key).part as usize].id
                    };
                    last = (key, id);
                }
                last.1
            }));
        }
        if options.color || options.normals {
            let mut cache = FacetCache::new();
            let row_pixels = stride * LANES;
            for r in 0..rows {
                let span = r * stride..(r + 1) * stride;
                let row = Row {
                    row: (index * BAND_ROWS + r) as u32,
                    inverse_depth: &self.depth.inverse_depth[span.clone()],
                    keys: &self.keys[span],
                    color: self.color.chunks_mut(row_pixels).nth(r),
                    normals: self.normals.chunks_mut(row_pixels).nth(r),
                };
                shading.row(row, &mut cache, locate);
            }
        }
        let window = Self::window(index, stride);
        for chunk in panes {
            for &local in &chunk.bins[index] {
                let t = &chunk.triangles[local as usize];
                let mut pane = Pane {
                    band: self,
                    shading,
                    window: &window,
                    part: &shading.parts[t.part as usize],
                    index: t.index,
                };
                scan(t, &window, &mut pane);
            }
        }
        for r in 0..rows {
            let from = r * stride * LANES..r * stride * LANES + width;
            let to = r * width..(r + 1) * width;
            if options.color {
                for (o, c) in out.color[to.clone()].iter_mut().zip(&self.color[from.clone()]) {
                    *o = c.map(|c| tone.srgb(c));
                }
            }
            if options.normals {
                out.normals[to.clone()].copy_from_slice(&self.normals[from.clone()]);
            }
            let groups = self.depth.inverse_depth[r * stride..(r + 1) * stride].iter();
            let one = f32x8::splat(1.0);
            for (o, g) in out.depth[to.clone()].chunks_mut(LANES).zip(groups) {
                let z = (one / *g).to_array();
                for (o, z) in o.iter_mut().zip(z) {
                    *o = if z <= 1.0 / NEAR_M.powi(4) { z } else { f32::NAN };
                }
            }
            out.ids[to.clone()].copy_from_slice(&self.ids[from.clone()]);
            for (o, &inverse) in out.glass[to].iter_mut().zip(&self.glass[from]) {
                *o = if inverse > 0.0 { 1.0 / inverse } else { f32::NAN };
            }
        }
    }
}

/// Blends a triangle of glass over what is behind.
struct Pane<'a, 'b> {
    band: &'a mut Band,
    shading: &'a Shading<'b>,
    window: &'a Window,
    part: &'a Part,
    index: u32,
}

impl Visit for Pane<'_, '_> {
    fn hides(&self, block: usize, nearest: f32) -> bool {
        nearest <= self.band.depth.farthest[block]
    }

    fn row(&mut self, group: usize, inside: f32x8, inverse_depth: f32x8) {
        let wins = inside & inverse_depth.simd_gt(self.band.depth.inverse_depth[group]);
        let mut lanes = wins.to_bitmask();
        let row = self.window.first_row as usize + group / self.window.stride;
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize;
            lanes &= lanes - 1;
            let pixel = group * LANES + lane;
            if pixel >= self.band.glass.len() {
                continue;
            }
            let near = inverse_depth.as_array()[lane];
            self.band.glass[pixel] = self.band.glass[pixel].max(near);
            if self.part.is_object {
                self.band.ids[pixel] = self.part.id;
            }
            if let Some(behind) = self.band.color.get_mut(pixel) {
                let column = group % self.window.stride * LANES + lane;
                let ray = self.shading.ray(column as f32, row as f32);
                *behind = self.shading.pane(self.part, self.index, ray, near, *behind);
            }
        }
    }

    fn block_done(&mut self, _block: usize, _window: &Window) {}
}
