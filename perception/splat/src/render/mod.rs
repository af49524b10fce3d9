//! Rendering a map and differentiating what was rendered.
//!
//! ```text
//!   map, view ──► project ──► bands ──► tiles ──► images        (forward)
//!   gradients by parameters ◄── sums by splat ◄── tiles ◄── gradients by images   (backward)
//! ```
//!
//! The rules of blending are those of Kerbl et al. 2023 ("3D Gaussian Splatting for Real-Time Radiance Field
//! Rendering") with the constants of their code.

mod bands;
mod project;
mod tile;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use steward_core::ids::ObjectId;
use steward_core::image::{ColorImage, DepthImage};

use crate::map::GaussianMap;
use crate::{Error, Result, Subset, View};
use bands::{Band, VisibleChunk};
pub(crate) use bands::{CHUNK, TILE};
use project::{CHANNELS, Projector};
use tile::{Plane, Slot, TileGradient, TileImage};

/// A rasteriser. Map, fit and edit know no more of it than this.
///
/// What must hold: the same arguments give the same bytes, whatever the number of threads; a Gaussian outside
/// `scope.subset` leaves no trace; gradients are those of the images returned, including their clamps.
pub trait Engine: Send + Sync {
    /// Renders a map.
    ///
    /// # Errors
    /// [`Error::BadView`], [`Error::Core`] for an unusable view; [`Error::SubsetSize`]; [`Error::BadConfig`] for
    /// unusable options.
    fn forward(
        &self,
        map: &GaussianMap,
        view: &View,
        options: &RenderOptions,
        scope: Scope<'_>,
    ) -> Result<Rendering>;

    /// Gradients of a loss by the Gaussians and the camera's pose, from those by the images of `rendering`, which
    /// `forward` made of the same, unchanged map. Only Gaussians in `free` get gradients, all where it is `None`.
    ///
    /// # Errors
    /// [`Error::BadImage`] for gradients of another size; [`Error::SubsetSize`].
    fn backward(
        &self,
        map: &GaussianMap,
        rendering: &Rendering,
        gradients: &ImageGradients,
        free: Option<&Subset>,
    ) -> Result<Gradients>;
}

/// How to render.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenderOptions {
    /// Gaussians whose centre is nearer along the optical axis are left out, metres.
    pub near_m: f64,
    /// Colour behind everything, rgb, 0 to 1.
    pub background: [f32; 3],
    /// Scales opacities down by as much as the blur widens the splat (Yu et al. 2024, "Mip-Splatting", equation 9).
    pub antialias: bool,
    /// Whether to render normals.
    pub normals: bool,
    /// Whether to render the median depth and the dominant object.
    pub extras: bool,
    /// Whether to render feature vectors.
    pub features: bool,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions {
            near_m: 0.01,
            background: [0.0; 3],
            antialias: false,
            normals: false,
            extras: false,
            features: false,
        }
    }
}

impl RenderOptions {
    /// # Errors
    /// [`Error::BadConfig`] for a near plane that is not positive or a background that is not finite.
    pub fn validate(&self) -> Result<()> {
        let near = self.near_m > 0.0 && self.near_m.is_finite();
        if !near || self.background.iter().any(|b| !b.is_finite()) {
            return Err(Error::BadConfig(format!(
                "near_m {} must be positive and background {:?} finite",
                self.near_m, self.background
            )));
        }
        Ok(())
    }
}

/// What part of a map and of the image to render.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// The Gaussians that exist; all where `None`.
    pub subset: Option<&'a Subset>,
    /// Where set, only tiles that these Gaussians touch are drawn; the rest stays empty ([`Rendering::drawn`]).
    pub around: Option<&'a Subset>,
}

/// A rendered view. Images are row-major planes of `width * height` values, one after the other.
#[derive(Debug)]
pub struct Rendering {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green and blue plane, background included; 0 to 1 but not clamped from above.
    pub color: Vec<f32>,
    /// Opacity, 0 to 1.
    pub alpha: Vec<f32>,
    /// Expected depth: the mean depth weighted by contribution, metres; NaN where alpha is under
    /// [`MIN_DEPTH_ALPHA`]. Smooth, but between the surfaces at edges.
    pub depth: Vec<f32>,
    /// Depth at which half of the light is gone, metres, NaN where that never happens. Sharp, without gradient.
    pub median_depth: Option<Vec<f32>>,
    /// Three planes: normals (thinnest axes, towards the camera, in the camera's frame) summed by contribution, not
    /// normalised.
    pub normals: Option<Vec<f32>>,
    /// The object that contributes more than half, or else most likely most.
    pub objects: Option<Vec<Option<ObjectId>>>,
    /// `feature_len` planes: feature vectors summed by contribution.
    pub features: Option<Vec<f32>>,
    /// Per tile of 16x16 pixels, row-major, whether it was drawn; `None`: all were.
    pub drawn: Option<Vec<bool>>,
    pub(crate) view: View,
    options: RenderOptions,
    map_len: usize,
    chunks: Vec<VisibleChunk>,
    bands: Vec<Band>,
}

/// Under this opacity a pixel has no expected depth.
pub const MIN_DEPTH_ALPHA: f32 = 1e-2;

impl Rendering {
    /// The colours as 8-bit image.
    ///
    /// # Errors
    /// None for sizes that a view can have.
    pub fn to_color_image(&self) -> Result<ColorImage> {
        let n = self.width * self.height;
        let byte = |x: f32| (x.clamp(0.0, 1.0) * 255.0).round() as u8;
        let pixels = (0..n)
            .map(|i| [0, 1, 2].map(|c| byte(self.color[c * n + i])))
            .collect();
        Ok(ColorImage::new(self.width as u32, self.height as u32, pixels)?)
    }

    /// The expected depth as image.
    ///
    /// # Errors
    /// None for sizes that a view can have.
    pub fn to_depth_image(&self) -> Result<DepthImage> {
        Ok(DepthImage::new(
            self.width as u32,
            self.height as u32,
            self.depth.clone(),
        )?)
    }

    /// The colours as interleaved rgb.
    pub fn color_interleaved(&self) -> Vec<f32> {
        let n = self.width * self.height;
        (0..3 * n).map(|i| self.color[i % 3 * n + i / 3]).collect()
    }

    /// How many Gaussians touch the image.
    pub fn visible(&self) -> usize {
        self.chunks.iter().map(|c| c.indices.len()).sum()
    }

    /// The Gaussians that touch the image.
    pub fn visible_indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.chunks
            .iter()
            .flat_map(|c| c.indices.iter().map(|&i| i as usize))
    }

    /// Whether a pixel lies in a tile that was drawn.
    pub fn is_drawn(&self, column: usize, row: usize) -> bool {
        self.drawn
            .as_ref()
            .is_none_or(|d| d[row / TILE * self.tiles() + column / TILE])
    }

    /// The flags of the tiles that a row of pixels runs through, `None` where all were drawn.
    pub(crate) fn drawn_row(&self, row: usize) -> Option<&[bool]> {
        let start = row / TILE * self.tiles();
        self.drawn.as_ref().map(|d| &d[start..start + self.tiles()])
    }

    /// The smallest box around the tiles that were drawn: left, top, right and bottom pixel, the latter two excluded.
    pub(crate) fn drawn_box(&self) -> [usize; 4] {
        match &self.drawn {
            None => [0, 0, self.width, self.height],
            Some(drawn) => box_of(drawn, self.width, self.height),
        }
    }

    fn tiles(&self) -> usize {
        self.width.div_ceil(TILE)
    }
}

/// Gradients of a loss by the images of a [`Rendering`], in the same layout. Values at undefined depths are ignored.
#[derive(Debug, Clone, Default)]
pub struct ImageGradients {
    /// By the colour, three planes.
    pub color: Vec<f32>,
    /// By the opacity.
    pub alpha: Option<Vec<f32>>,
    /// By the expected depth.
    pub depth: Option<Vec<f32>>,
    /// By the summed normals, three planes; needs a rendering with normals.
    pub normals: Option<Vec<f32>>,
    /// Whether to sum absolute gradients by centre too ([`GradientChunk::center_abs`]).
    pub absolute: bool,
}

/// Gradients by the visible Gaussians and the camera's pose.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    /// Chunk `c` is about the map's indices from `c * CHUNK` (4096) on.
    pub chunks: Vec<GradientChunk>,
    /// By a twist (translation, rotation) of the scene in the camera's frame: see [`View::perturbed`].
    pub twist: [f64; 6],
}

/// Gradients by some Gaussians; entry `k` of every array is about the map's index `indices[k]`.
#[derive(Debug, Clone, Default)]
pub struct GradientChunk {
    /// Indices into the map, ascending.
    pub indices: Vec<u32>,
    /// By the means, 1/m.
    pub means: Vec<[f32; 3]>,
    /// By the logarithms of the scales.
    pub log_scales: Vec<[f32; 3]>,
    /// By the quaternions before normalisation.
    pub rotations: Vec<[f32; 4]>,
    /// By the logits of the opacities.
    pub opacity_logits: Vec<f32>,
    /// By the spherical harmonics, `sh_stride` per Gaussian.
    pub sh: Vec<f32>,
    /// By the centre on the image, 1/px.
    pub centers: Vec<[f32; 2]>,
    /// Sums of absolute values over pixels of the gradients by the centre, 1/px; empty unless asked for.
    pub center_abs: Vec<[f32; 2]>,
}

/// The CPU rasteriser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Renderer;

impl Engine for Renderer {
    fn forward(
        &self,
        map: &GaussianMap,
        view: &View,
        options: &RenderOptions,
        scope: Scope<'_>,
    ) -> Result<Rendering> {
        view.validate()?;
        options.validate()?;
        for subset in [scope.subset, scope.around].into_iter().flatten() {
            subset.check(map.len())?;
        }
        if options.normals {
            Ok(render::<7>(map, view, options, scope))
        } else {
            Ok(render::<4>(map, view, options, scope))
        }
    }

    fn backward(
        &self,
        map: &GaussianMap,
        rendering: &Rendering,
        gradients: &ImageGradients,
        free: Option<&Subset>,
    ) -> Result<Gradients> {
        let n = rendering.width * rendering.height;
        let sizes = [
            (gradients.color.len(), 3 * n),
            (gradients.alpha.as_ref().map_or(n, Vec::len), n),
            (gradients.depth.as_ref().map_or(n, Vec::len), n),
            (gradients.normals.as_ref().map_or(3 * n, Vec::len), 3 * n),
        ];
        if let Some((have, want)) = sizes.iter().find(|(have, want)| have != want) {
            return Err(Error::BadImage(format!(
                "a gradient image has {have} values, not {want}"
            )));
        }
        if gradients.normals.is_some() && rendering.normals.is_none() {
            return Err(Error::BadImage(
                "gradients by normals need a rendering with normals".into(),
            ));
        }
        if rendering.map_len != map.len() {
            return Err(Error::SubsetSize {
                subset: rendering.map_len,
                map: map.len(),
            });
        }
        if let Some(free) = free {
            free.check(map.len())?;
        }
        Ok(match (gradients.normals.is_some(), gradients.absolute) {
            (false, false) => backward::<4, false>(map, rendering, gradients, free),
            (false, true) => backward::<4, true>(map, rendering, gradients, free),
            (true, _) => backward::<7, true>(map, rendering, gradients, free),
        })
    }
}

/// The box around flagged tiles: left, top, right and bottom pixel, the latter two excluded; empty where there is none.
fn box_of(flags: &[bool], width: usize, height: usize) -> [usize; 4] {
    let tiles = width.div_ceil(TILE);
    let mut out = [width, height, 0, 0];
    for (i, _) in flags.iter().enumerate().filter(|(_, f)| **f) {
        let (x, y) = (i % tiles * TILE, i / tiles * TILE);
        out = [
            out[0].min(x),
            out[1].min(y),
            out[2].max((x + TILE).min(width)),
            out[3].max((y + TILE).min(height)),
        ];
    }
    if out[2] == 0 { [0; 4] } else { out }
}

/// Cuts planes into bands: entry `[band][plane]`.
fn by_band<'a, T>(planes: Vec<&'a mut [T]>, width: usize, bands: usize) -> Vec<Vec<&'a mut [T]>> {
    let mut out: Vec<Vec<&'a mut [T]>> = (0..bands).map(|_| Vec::with_capacity(planes.len())).collect();
    for plane in planes {
        for (band, rows) in out.iter_mut().zip(plane.chunks_mut(TILE * width)) {
            band.push(rows);
        }
    }
    out
}

/// Copies a tile's plane to its place in the rows of a band, mapped by `f(value, index in tile)`.
#[inline(always)]
fn store<T, U>(tile: &[T], rows: &mut [U], width: usize, column: usize, f: impl Fn(&T, usize) -> U) {
    let left = column * TILE;
    let wide = TILE.min(width - left);
    for (j, row) in rows.chunks_mut(width).enumerate() {
        for (i, to) in row[left..left + wide].iter_mut().enumerate() {
            *to = f(&tile[j * TILE + i], j * TILE + i);
        }
    }
}

/// Copies from the rows of a band into a tile's plane; pixels outside the image become zero.
#[inline(always)]
fn load(rows: &[f32], plane: &mut Plane, width: usize, column: usize) {
    let left = column * TILE;
    let wide = TILE.min(width - left);
    plane.fill(0.0);
    for (j, row) in rows.chunks(width).enumerate() {
        plane[j * TILE..j * TILE + wide].copy_from_slice(&row[left..left + wide]);
    }
}

fn render<const C: usize>(
    map: &GaussianMap,
    view: &View,
    options: &RenderOptions,
    scope: Scope<'_>,
) -> Rendering {
    let mut projector = Projector::new(map, view.single(), options.near_m as f32, options.antialias);
    let (width, height) = (view.camera.width as usize, view.camera.height as usize);
    let (tiles, n_bands) = (width.div_ceil(TILE), height.div_ceil(TILE));
    let n = width * height;
    let subset = scope.subset.map(Subset::mask);
    let active = scope.around.map(|around| {
        let wanted = subset.map(|s| {
            s.iter()
                .zip(around.mask())
                .map(|(a, b)| *a && *b)
                .collect::<Vec<_>>()
        });
        let chunks = bands::project(
            &projector,
            Some(wanted.as_deref().unwrap_or(around.mask())),
            None,
            false,
        );
        let touched = |band| {
            let band = bands::collect(&chunks, band, tiles);
            (0..tiles).map(|t| !band.tile(t).is_empty()).collect::<Vec<_>>()
        };
        (0..n_bands)
            .into_par_iter()
            .flat_map_iter(touched)
            .collect::<Vec<bool>>()
    });
    if let Some(active) = &active {
        projector.restrict(box_of(active, width, height));
    }
    let chunks = bands::project(&projector, subset, active.as_deref(), options.normals);

    let mut color = vec![0.0; 3 * n];
    let (mut alpha, mut depth) = (vec![0.0; n], vec![f32::NAN; n]);
    let mut normals = vec![0.0; if C > 4 { 3 * n } else { 0 }];
    let mut median = vec![f32::NAN; if options.extras { n } else { 0 }];
    let mut keys = vec![0u64; if options.extras { n } else { 0 }];
    let feature_len = if options.features { map.feature_len() } else { 0 };
    let mut features = vec![0.0; feature_len * n];

    let mut planes: Vec<&mut [f32]> = color.chunks_mut(n).collect();
    planes.extend([&mut alpha[..], &mut depth[..]]);
    planes.extend(normals.chunks_mut(n));
    let fixed = planes.len();
    planes.extend(features.chunks_mut(n));
    if options.extras {
        planes.push(&mut median);
    }
    let key_planes = if options.extras {
        vec![&mut keys[..]]
    } else {
        vec![]
    };
    let outputs = by_band(planes, width, n_bands)
        .into_par_iter()
        .zip(by_band(key_planes, width, n_bands));
    let bands = outputs
        .enumerate()
        .map(|(band_index, (mut out, mut keys))| {
            let band = bands::collect(&chunks, band_index, tiles);
            let mut image = TileImage::<C>::empty();
            for column in 0..tiles {
                let drawn = active.as_ref().is_none_or(|a| a[band_index * tiles + column]);
                let items = if drawn { band.tile(column) } else { &[] };
                let (x, y) = ((column * TILE) as f32, (band_index * TILE) as f32);
                pulp::Arch::new().dispatch(tile::Forward {
                    splats: &band.splats,
                    items,
                    x,
                    y,
                    image: &mut image,
                });
                let t = &image.transmittance;
                for ((channel, out), behind) in image.channels.iter().zip(&mut out).zip(options.background) {
                    store(channel, out, width, column, |v, i| v + t[i] * behind);
                }
                store(t, out[3], width, column, |t, _| 1.0 - t);
                store(&image.channels[3], out[4], width, column, |d, i| {
                    let alpha = 1.0 - t[i];
                    if alpha >= MIN_DEPTH_ALPHA {
                        d / alpha
                    } else {
                        f32::NAN
                    }
                });
                for (channel, out) in image.channels.iter().zip(&mut out[1..]).skip(4) {
                    store(channel, out, width, column, |v, _| *v);
                }
                if options.extras {
                    let key = |item: u32| {
                        let object = map.objects[band.owners[item as usize] as usize];
                        object.map_or(0, |o| u64::from(o.0) + 1)
                    };
                    let extras = tile::extras(&band.splats, items, x, y, key);
                    if let Some(median) = out.last_mut() {
                        store(&extras.median_depth, median, width, column, |d, _| *d);
                    }
                    store(&extras.object, keys[0], width, column, |o, _| *o);
                }
            }
            for group in (0..feature_len).step_by(CHANNELS) {
                let wide = CHANNELS.min(feature_len - group);
                let mut splats = band.splats.clone();
                for (splat, &owner) in splats.iter_mut().zip(&band.owners) {
                    let from = owner as usize * feature_len + group;
                    splat.channels = [0.0; CHANNELS];
                    splat.channels[..wide].copy_from_slice(&map.features[from..from + wide]);
                }
                let mut image = TileImage::<CHANNELS>::empty();
                for column in 0..tiles {
                    pulp::Arch::new().dispatch(tile::Forward {
                        splats: &splats,
                        items: band.tile(column),
                        x: (column * TILE) as f32,
                        y: (band_index * TILE) as f32,
                        image: &mut image,
                    });
                    for c in 0..wide {
                        store(
                            &image.channels[c],
                            out[fixed + group + c],
                            width,
                            column,
                            |v, _| *v,
                        );
                    }
                }
            }
            band
        })
        .collect();
    Rendering {
        width,
        height,
        color,
        alpha,
        depth,
        median_depth: options.extras.then_some(median),
        normals: (C > 4).then_some(normals),
        objects: options.extras.then(|| {
            let object = |&key: &u64| key.checked_sub(1).map(|k| ObjectId(k as u32));
            keys.iter().map(object).collect()
        }),
        features: options.features.then_some(features),
        drawn: active,
        view: *view,
        options: *options,
        map_len: map.len(),
        chunks,
        bands,
    }
}

fn backward<const C: usize, const ABS: bool>(
    map: &GaussianMap,
    rendering: &Rendering,
    gradients: &ImageGradients,
    free: Option<&Subset>,
) -> Gradients {
    let (width, tiles) = (rendering.width, rendering.tiles());
    let n = width * rendering.height;
    let band_rows = TILE * width;
    let rows = |image: &'_ [f32], plane: usize, band: usize| -> std::ops::Range<usize> {
        let start = plane * n + band * band_rows;
        start..(start + band_rows).min((plane + 1) * n).min(image.len())
    };
    let slots: Vec<Vec<Slot>> = rendering
        .bands
        .par_iter()
        .enumerate()
        .map(|(band_index, band)| {
            let mut slots = vec![Slot::default(); band.splats.len()];
            let free: Option<Vec<bool>> =
                free.map(|f| band.owners.iter().map(|&o| f.contains(o as usize)).collect());
            let mut gradient = TileGradient::<C>::empty();
            let mut remaining: Plane = [0.0; TILE * TILE];
            for column in 0..tiles {
                if rendering
                    .drawn
                    .as_ref()
                    .is_some_and(|d| !d[band_index * tiles + column])
                {
                    continue;
                }
                let mut items = band.tile(column);
                if let Some(free) = &free {
                    // Nothing behind the last free splat matters: its light is in the image.
                    let last = items.iter().rposition(|&i| free[i as usize]);
                    items = &items[..last.map_or(0, |l| l + 1)];
                }
                if items.is_empty() {
                    continue;
                }
                tile_gradient(
                    rendering,
                    gradients,
                    band_index,
                    column,
                    &mut gradient,
                    &mut remaining,
                    &rows,
                );
                pulp::Arch::new().dispatch(tile::Backward::<C, ABS> {
                    splats: &band.splats,
                    items,
                    free: free.as_deref(),
                    x: (column * TILE) as f32,
                    y: (band_index * TILE) as f32,
                    gradient: &gradient,
                    remaining: &mut remaining,
                    slots: &mut slots,
                });
            }
            slots
        })
        .collect();

    let options = &rendering.options;
    let projector = Projector::new(
        map,
        rendering.view.single(),
        options.near_m as f32,
        options.antialias,
    );
    let stride = map.sh_stride();
    let (chunks, twists): (Vec<GradientChunk>, Vec<[f64; 6]>) = rendering
        .chunks
        .par_iter()
        .enumerate()
        .map(|(c, chunk)| {
            let mut sums = vec![Slot::default(); chunk.indices.len()];
            for (band_index, (band, slots)) in rendering.bands.iter().zip(&slots).enumerate() {
                let start = band.chunk_starts[c] as usize;
                for (k, &number) in chunk.entries[chunk.in_band(band_index)].iter().enumerate() {
                    sums[number as usize].add(&slots[start + k]);
                }
            }
            let mut out = GradientChunk::with_capacity(chunk.indices.len(), stride);
            let mut twist = [0.0f64; 6];
            pulp::Arch::new().dispatch(|| {
                for (slot, &index) in sums.iter().zip(&chunk.indices) {
                    let i = index as usize;
                    if free.is_some_and(|f| !f.contains(i)) {
                        continue;
                    }
                    let Some(geometry) = projector.geometry(i) else {
                        continue;
                    };
                    let splat = slot.finish(geometry.conic());
                    let from = out.sh.len();
                    out.sh.resize(from + stride, 0.0);
                    let g = projector.backward(i, &geometry, &splat, &mut out.sh[from..]);
                    out.indices.push(index);
                    out.means.push(g.mean);
                    out.log_scales.push(g.log_scale);
                    out.rotations.push(g.rotation);
                    out.opacity_logits.push(g.opacity_logit);
                    out.centers.push(splat.center);
                    if ABS {
                        out.center_abs.push(slot.center_abs);
                    }
                    for (sum, x) in twist.iter_mut().zip(g.twist) {
                        *sum += f64::from(x);
                    }
                }
            });
            (out, twist)
        })
        .unzip();
    let mut twist = [0.0; 6];
    for part in twists {
        for (sum, x) in twist.iter_mut().zip(part) {
            *sum += x;
        }
    }
    Gradients { chunks, twist }
}

/// Gradients of a tile by the sums over weights, and the sum over all splats of weight times `h`.
fn tile_gradient<const C: usize>(
    rendering: &Rendering,
    gradients: &ImageGradients,
    band: usize,
    column: usize,
    out: &mut TileGradient<C>,
    remaining: &mut Plane,
    rows: &impl Fn(&[f32], usize, usize) -> std::ops::Range<usize>,
) {
    let width = rendering.width;
    let read = |image: &[f32], plane: usize, to: &mut Plane| {
        load(&image[rows(image, plane, band)], to, width, column);
    };
    let mut image: Plane = [0.0; TILE * TILE];
    let mut alpha: Plane = [0.0; TILE * TILE];
    read(&rendering.alpha, 0, &mut alpha);
    out.alpha.fill(0.0);
    if let Some(by_alpha) = &gradients.alpha {
        read(by_alpha, 0, &mut out.alpha);
    }
    remaining.fill(0.0);
    for c in 0..3 {
        // color = sum + (1 - alpha) * background
        let behind = rendering.options.background[c];
        read(&gradients.color, c, &mut out.channels[c]);
        read(&rendering.color, c, &mut image);
        for i in 0..TILE * TILE {
            let g = out.channels[c][i];
            out.alpha[i] -= behind * g;
            remaining[i] += (image[i] - (1.0 - alpha[i]) * behind) * g;
        }
    }
    out.channels[3].fill(0.0);
    if let Some(by_depth) = &gradients.depth {
        // depth = sum / alpha
        read(by_depth, 0, &mut out.channels[3]);
        read(&rendering.depth, 0, &mut image);
        for i in 0..TILE * TILE {
            if alpha[i] >= MIN_DEPTH_ALPHA {
                let g = out.channels[3][i] / alpha[i];
                out.channels[3][i] = g;
                out.alpha[i] -= g * image[i];
                remaining[i] += g * image[i] * alpha[i];
            } else {
                out.channels[3][i] = 0.0;
            }
        }
    }
    for c in 4..C {
        out.channels[c].fill(0.0);
        if let (Some(by_normals), Some(normals)) = (&gradients.normals, &rendering.normals) {
            read(by_normals, c - 4, &mut out.channels[c]);
            read(normals, c - 4, &mut image);
            for i in 0..TILE * TILE {
                remaining[i] += image[i] * out.channels[c][i];
            }
        }
    }
    for i in 0..TILE * TILE {
        remaining[i] += alpha[i] * out.alpha[i];
    }
}

impl GradientChunk {
    fn with_capacity(n: usize, stride: usize) -> Self {
        GradientChunk {
            indices: Vec::with_capacity(n),
            means: Vec::with_capacity(n),
            log_scales: Vec::with_capacity(n),
            rotations: Vec::with_capacity(n),
            opacity_logits: Vec::with_capacity(n),
            sh: Vec::with_capacity(n * stride),
            centers: Vec::with_capacity(n),
            center_abs: Vec::new(),
        }
    }
}
