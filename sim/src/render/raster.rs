//! Scan conversion of triangles into blocks of 8x8 pixels, eight pixels at a time.
//!
//! Corners are snapped to 1/256 pixel and edge functions evaluated in integers, so triangles that share an
//! edge leave no gap and no result depends on the order of evaluation (Pineda, "A parallel algorithm for
//! polygon rasterization", 1988). What is kept per pixel is the inverse depth, linear on the screen; a coarse
//! copy holds the farthest value of each block, so that hidden triangles are dropped by the block (Greene,
//! Kass, Miller, "Hierarchical Z-buffer visibility", 1993).

use wide::{f32x8, i32x8, u32x8};

/// Pixels of a row that are handled together, and side of a block.
pub(super) const LANES: usize = 8;
/// Parts of a pixel that corners are snapped to.
pub(super) const SUBPIXELS: f32 = 256.0;

/// Edge functions beyond this stay beyond zero over a whole block.
const EDGE_LIMIT: i64 = 1 << 30;

/// A triangle on the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Triangle {
    /// Corners, 1/256 pixel, with positive area.
    pub x: [i32; 3],
    pub y: [i32; 3],
    /// Inverse depth at `origin` (pixels) and its slopes per pixel.
    pub origin: [f32; 2],
    pub inverse_depth: f32,
    pub slope: [f32; 2],
    /// Smallest and largest inverse depth of the corners.
    pub range: [f32; 2],
    /// First and last column and row whose centre may be inside.
    pub columns: [u16; 2],
    pub rows: [u16; 2],
    /// Which part and which triangle of its mesh this is.
    pub part: u32,
    pub index: u32,
}

/// The blocks that scan conversion may touch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Image row of the first row of blocks.
    pub first_row: i32,
    /// Blocks per row of blocks, which is also groups of eight pixels per row of pixels.
    pub stride: usize,
    /// Blocks to fill: first and one past the last column, then row.
    pub columns: [usize; 2],
    pub rows: [usize; 2],
}

/// What to do with the pixels of a triangle.
pub(super) trait Visit {
    /// Whether a triangle no nearer than `nearest` (inverse depth) cannot show in a block.
    fn hides(&self, block: usize, nearest: f32) -> bool;
    /// Eight pixels of a row; `inside` is a mask.
    fn row(&mut self, group: usize, inside: f32x8, inverse_depth: f32x8);
    /// All rows of a block are done.
    fn block_done(&mut self, block: usize, window: &Window);
}

/// Visits every pixel whose centre lies in the triangle and in the window.
#[inline(always)]
pub(super) fn scan<V: Visit>(t: &Triangle, window: &Window, visit: &mut V) {
    let top = (t.rows[0] as i32).max(window.first_row + (window.rows[0] * LANES) as i32);
    let bottom = (t.rows[1] as i32).min(window.first_row + (window.rows[1] * LANES) as i32 - 1);
    let left = (t.columns[0] as usize / LANES).max(window.columns[0]);
    let right = (t.columns[1] as usize / LANES + 1).min(window.columns[1]);
    if top > bottom || left >= right {
        return;
    }
    let mut ex = [0i64; 3];
    let mut ey = [0i64; 3];
    let mut lanes = [i32x8::splat(0); 3];
    // Largest growth of each edge function from the block's first pixel to any of its pixels.
    let mut reach = [0i64; 3];
    for k in 0..3 {
        let next = (k + 1) % 3;
        ex[k] = (t.x[next] - t.x[k]) as i64;
        ey[k] = (t.y[next] - t.y[k]) as i64;
        let s = -(ey[k] as i32);
        lanes[k] = i32x8::new([0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s]);
        reach[k] = 7 * ((-ey[k]).max(0) + ex[k].max(0));
    }
    let lane_index = f32x8::new([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let lane_depth = lane_index * f32x8::splat(t.slope[0]);
    let (least, most) = (f32x8::splat(t.range[0]), f32x8::splat(t.range[1]));
    let zero = i32x8::splat(0);

    let first = (top - window.first_row) as usize / LANES;
    let last = (bottom - window.first_row) as usize / LANES;
    for block_row in first..=last {
        let block_top = window.first_row + (block_row * LANES) as i32;
        let (row0, row1) = (top.max(block_top), bottom.min(block_top + 7));
        for block_column in left..right {
            let block = block_row * window.stride + block_column;
            if visit.hides(block, t.range[1]) {
                continue;
            }
            let cx = (block_column * LANES) as i64 * 256 + 128;
            let cy = block_top as i64 * 256 + 128;
            let edge = |k: usize| (ex[k] * (cy - t.y[k] as i64) - ey[k] * (cx - t.x[k] as i64)) >> 8;
            let e = [edge(0), edge(1), edge(2)];
            if e[0] + reach[0] < 0 || e[1] + reach[1] < 0 || e[2] + reach[2] < 0 {
                continue;
            }
            let start = t.inverse_depth
                + ((block_column * LANES) as f32 + 0.5 - t.origin[0]) * t.slope[0]
                + (block_top as f32 + 0.5 - t.origin[1]) * t.slope[1];
            let mut touched = false;
            for row in row0..=row1 {
                let down = (row - block_top) as i64;
                let at = |k: usize| {
                    let v = (e[k] + down * ex[k]).clamp(-EDGE_LIMIT, EDGE_LIMIT) as i32;
                    i32x8::splat(v) + lanes[k]
                };
                let outside: f32x8 = wide::bytemuck::cast((at(0) | at(1) | at(2)).simd_lt(zero));
                let inside = !outside;
                if !inside.any() {
                    continue;
                }
                touched = true;
                let depth = f32x8::splat(start + down as f32 * t.slope[1]) + lane_depth;
                let depth = depth.fast_max(least).fast_min(most);
                let group = (row - window.first_row) as usize * window.stride + block_column;
                visit.row(group, inside, depth);
            }
            if touched {
                visit.block_done(block, window);
            }
        }
    }
}

/// Inverse depth (0: nothing) and what is seen, per pixel, with the coarse copy.
#[derive(Debug, Clone, Default)]
pub(super) struct DepthBuffer {
    /// By row, groups of eight pixels.
    pub inverse_depth: Vec<f32x8>,
    /// Farthest value of each block of 8x8 pixels, or less.
    pub farthest: Vec<f32>,
}

impl DepthBuffer {
    /// Empties it, with room for `rows` of `stride` groups; `rows` is a multiple of 8.
    pub(super) fn clear(&mut self, stride: usize, rows: usize) {
        self.inverse_depth.clear();
        self.inverse_depth.resize(stride * rows, f32x8::splat(0.0));
        self.farthest.clear();
        self.farthest.resize(stride * rows / LANES, 0.0);
    }

    /// Updates the coarse copy of a block.
    #[inline]
    fn refresh(&mut self, block: usize, window: &Window) {
        let (row, column) = (block / window.stride, block % window.stride);
        let mut least = self.inverse_depth[row * LANES * window.stride + column];
        for r in 1..LANES {
            least = least.fast_min(self.inverse_depth[(row * LANES + r) * window.stride + column]);
        }
        let least = least.to_array();
        self.farthest[block] = least
            .iter()
            .fold(f32::INFINITY, |a, &b| if b < a { b } else { a });
    }
}

/// Keeps the nearest triangle of each pixel.
pub(super) struct Nearest<'a> {
    pub depth: &'a mut DepthBuffer,
    /// Who is seen, beside the inverse depth.
    pub keys: &'a mut [u32x8],
    /// Number of the triangle that is scanned.
    pub key: u32,
    /// Whether it is large enough to be worth keeping the coarse copy exact.
    pub large: bool,
}

impl Visit for Nearest<'_> {
    #[inline(always)]
    fn hides(&self, block: usize, nearest: f32) -> bool {
        nearest <= self.depth.farthest[block]
    }

    #[inline(always)]
    fn row(&mut self, group: usize, inside: f32x8, inverse_depth: f32x8) {
        let old = self.depth.inverse_depth[group];
        let wins = inside & inverse_depth.simd_gt(old);
        if wins.any() {
            self.depth.inverse_depth[group] = wins.bitselect(inverse_depth, old);
            let mask: u32x8 = wide::bytemuck::cast(wins);
            let keys = &mut self.keys[group];
            *keys = (mask & u32x8::splat(self.key)) | (*keys & !mask);
        }
    }

    #[inline(always)]
    fn block_done(&mut self, block: usize, window: &Window) {
        if self.large {
            self.depth.refresh(block, window);
        }
    }
}

/// Keeps the nearest depth of each pixel and nothing else.
pub(super) struct NearestDepth<'a> {
    pub depth: &'a mut DepthBuffer,
    /// Whether the coarse copy is kept; not once moving things are drawn over it.
    pub coarse: bool,
}

impl Visit for NearestDepth<'_> {
    #[inline(always)]
    fn hides(&self, block: usize, nearest: f32) -> bool {
        nearest <= self.depth.farthest[block]
    }

    #[inline(always)]
    fn row(&mut self, group: usize, inside: f32x8, inverse_depth: f32x8) {
        let old = self.depth.inverse_depth[group];
        self.depth.inverse_depth[group] = old.fast_max(inside & inverse_depth);
    }

    #[inline(always)]
    fn block_done(&mut self, block: usize, window: &Window) {
        if self.coarse {
            self.depth.refresh(block, window);
        }
    }
}
