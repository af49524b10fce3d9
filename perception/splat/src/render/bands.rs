//! Which splats touch which tiles.
//!
//! The image is cut into bands, rows of 16x16 tiles. A band is the unit of parallel work: it lists the splats
//! that touch it, sorts them by depth, and lists them tile by tile. Gradients by splat are summed within a band by one
//! thread and over bands in their order, so nothing depends on the number of threads.

use rayon::prelude::*;

use super::project::{Projector, Splat};

/// Side of a tile, pixels.
pub(crate) const TILE: usize = 16;
/// Gaussians per unit of parallel work over a map.
pub(crate) const CHUNK: usize = 4096;

/// The visible splats of one chunk of the map.
#[derive(Debug, Default)]
pub(crate) struct VisibleChunk {
    /// Indices into the map, ascending.
    pub(crate) indices: Vec<u32>,
    splats: Vec<Splat>,
    /// Per band, a range of `entries`.
    offsets: Vec<u32>,
    /// Numbers of splats of this chunk, ascending per band.
    pub(crate) entries: Vec<u32>,
}

impl VisibleChunk {
    /// The splats of this chunk in a band.
    pub(crate) fn in_band(&self, band: usize) -> std::ops::Range<usize> {
        self.offsets[band] as usize..self.offsets[band + 1] as usize
    }
}

/// The splats of one band.
#[derive(Debug, Default)]
pub(crate) struct Band {
    /// Chunk by chunk, in the order of the map.
    pub(crate) splats: Vec<Splat>,
    /// Index into the map per splat.
    pub(crate) owners: Vec<u32>,
    /// Where each chunk's splats start; one more than there are chunks.
    pub(crate) chunk_starts: Vec<u32>,
    /// Where each tile's items start; one more than there are tiles.
    pub(crate) tile_starts: Vec<u32>,
    /// Numbers of splats, front to back per tile.
    pub(crate) items: Vec<u32>,
}

impl Band {
    pub(crate) fn tile(&self, column: usize) -> &[u32] {
        &self.items[self.tile_starts[column] as usize..self.tile_starts[column + 1] as usize]
    }
}

/// Projects the Gaussians for which `wanted` is set and which may touch a tile for which `active` is (all where
/// `None`).
pub(crate) fn project(
    projector: &Projector<'_>,
    wanted: Option<&[bool]>,
    active: Option<&[bool]>,
    normals: bool,
) -> Vec<VisibleChunk> {
    let bands = (projector.view.height as usize).div_ceil(TILE);
    let tiles = (projector.view.width as usize).div_ceil(TILE);
    let len = projector.map.len();
    (0..len.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let range = chunk * CHUNK..len.min((chunk + 1) * CHUNK);
            let mut out = VisibleChunk::default();
            pulp::Arch::new().dispatch(|| {
                for i in range {
                    if wanted.is_some_and(|w| !w[i]) {
                        continue;
                    }
                    let Some(geometry) = projector.geometry(i) else {
                        continue;
                    };
                    let Some(mut splat) = projector.splat(&geometry, normals) else {
                        continue;
                    };
                    if active.is_some_and(|a| !any_tile(&splat, a, tiles, bands)) {
                        continue;
                    }
                    splat.channels[..3].copy_from_slice(&projector.color(i));
                    out.indices.push(i as u32);
                    out.splats.push(splat);
                }
            });
            let mut counts = vec![0u32; bands + 1];
            for splat in &out.splats {
                for band in band_range(splat, bands) {
                    counts[band + 1] += 1;
                }
            }
            for band in 0..bands {
                counts[band + 1] += counts[band];
            }
            out.entries = vec![0; counts[bands] as usize];
            out.offsets.clone_from(&counts);
            for (number, splat) in out.splats.iter().enumerate() {
                for band in band_range(splat, bands) {
                    out.entries[counts[band] as usize] = number as u32;
                    counts[band] += 1;
                }
            }
            out
        })
        .collect()
}

/// The pixel rows or columns whose centres lie within `half` of `center`, cut to `0..size`.
#[inline(always)]
pub(crate) fn covered(center: f32, half: f32, size: usize) -> std::ops::Range<usize> {
    // Casts from float saturate, so that huge extents are cut too.
    let first = (center - half - 0.5).ceil().max(0.0) as usize;
    let end = (center + half - 0.5).floor() as i64 + 1;
    first..(end.max(0) as usize).min(size).max(first)
}

fn band_range(splat: &Splat, bands: usize) -> std::ops::Range<usize> {
    let rows = covered(splat.center[1], splat.half[1], bands * TILE);
    rows.start / TILE..rows.end.div_ceil(TILE).max(rows.start / TILE)
}

/// Whether the box of a splat meets one of the flagged tiles.
fn any_tile(splat: &Splat, active: &[bool], tiles: usize, bands: usize) -> bool {
    let columns = covered(splat.center[0], splat.half[0], tiles * TILE);
    let columns = columns.start / TILE..columns.end.div_ceil(TILE).max(columns.start / TILE);
    band_range(splat, bands).any(|band| active[band * tiles..][columns.clone()].iter().any(|&a| a))
}

/// Collects one band. `tiles` is the number of tiles side by side.
pub(crate) fn collect(chunks: &[VisibleChunk], band: usize, tiles: usize) -> Band {
    let count = chunks.iter().map(|c| c.in_band(band).len()).sum();
    let mut out = Band {
        splats: Vec::with_capacity(count),
        owners: Vec::with_capacity(count),
        chunk_starts: Vec::with_capacity(chunks.len() + 1),
        ..Band::default()
    };
    for chunk in chunks {
        out.chunk_starts.push(out.splats.len() as u32);
        for &number in &chunk.entries[chunk.in_band(band)] {
            out.splats.push(chunk.splats[number as usize]);
            out.owners.push(chunk.indices[number as usize]);
        }
    }
    out.chunk_starts.push(out.splats.len() as u32);

    let order = depth_order(&out.splats);
    // Tiles are found once; counting and writing use the same list.
    let mut pairs = Vec::with_capacity(count * 2);
    let mut starts = vec![0u32; tiles + 1];
    let top = (band * TILE) as f32 + 0.5;
    for &item in &order {
        let splat = &out.splats[item as usize];
        let columns = covered(splat.center[0], splat.half[0], tiles * TILE);
        for tile in columns.start / TILE..columns.end.div_ceil(TILE) {
            if touches(splat, (tile * TILE) as f32 + 0.5, top) {
                pairs.push((tile as u32, item));
                starts[tile + 1] += 1;
            }
        }
    }
    for tile in 0..tiles {
        starts[tile + 1] += starts[tile];
    }
    out.items = vec![0; pairs.len()];
    let mut next = starts.clone();
    for (tile, item) in pairs {
        let at = &mut next[tile as usize];
        out.items[*at as usize] = item;
        *at += 1;
    }
    out.tile_starts = starts;
    out
}

/// Numbers of splats by ascending depth, equal depths in the order of the map: a radix sort.
fn depth_order(splats: &[Splat]) -> Vec<u32> {
    const BITS: u32 = 11;
    // Depths are positive, so their bits are ordered like they are.
    let mut keys: Vec<u64> = splats
        .iter()
        .enumerate()
        .map(|(number, s)| (s.channels[3].to_bits() as u64) << 32 | number as u64)
        .collect();
    if keys.len() < 256 {
        keys.sort_unstable();
    } else {
        let mut other = vec![0u64; keys.len()];
        for pass in 0..3 {
            let digit = |key: u64| (key >> (32 + pass * BITS)) as usize & ((1 << BITS) - 1);
            let mut starts = [0u32; 1 << BITS];
            for &key in &keys {
                starts[digit(key)] += 1;
            }
            let mut sum = 0;
            for start in &mut starts {
                sum += std::mem::replace(start, sum);
            }
            for &key in &keys {
                let at = &mut starts[digit(key)];
                other[*at as usize] = key;
                *at += 1;
            }
            std::mem::swap(&mut keys, &mut other);
        }
    }
    keys.into_iter().map(|key| key as u32).collect()
}

/// Whether the ellipse of a splat meets the square spanned by the pixel centres of the tile with the given first
/// pixel centre: exact, by the smallest Mahalanobis distance over the square.
#[inline(always)]
fn touches(splat: &Splat, left: f32, top: f32) -> bool {
    let side = (TILE - 1) as f32;
    let [a, b, c] = splat.conic;
    let (x0, y0) = (left - splat.center[0], top - splat.center[1]);
    let (x1, y1) = (x0 + side, y0 + side);
    let distance = |x: f32, y: f32| a * x * x + 2.0 * b * x * y + c * y * y;
    let inside_x = x0 <= 0.0 && x1 >= 0.0;
    let inside_y = y0 <= 0.0 && y1 >= 0.0;
    if inside_x && inside_y {
        return true;
    }
    // The minimum lies on a side that faces the centre.
    let mut least = f32::INFINITY;
    if !inside_x {
        let x = if x0 > 0.0 { x0 } else { x1 };
        least = least.min(distance(x, (-b * x / c).clamp(y0, y1)));
    }
    if !inside_y {
        let y = if y0 > 0.0 { y0 } else { y1 };
        least = least.min(distance((-b * y / a).clamp(x0, x1), y));
    }
    // A little slack for rounding; what it lets in is skipped pixel by pixel.
    least <= splat.reach * 1.001 + 1e-3
}
