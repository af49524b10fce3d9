//! Textures in linear light with their smaller copies.

use std::sync::Arc;

use crate::texture::Texture;

/// Linear red, green, blue of eight-bit sRGB values.
pub(super) fn linear_from_srgb() -> [f32; 256] {
    std::array::from_fn(|i| {
        let c = i as f32 / 255.0;
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    })
}

/// A texture and its copies at half, quarter, … the size.
#[derive(Debug)]
pub(super) struct MipTexture {
    pub size: u32,
    /// Linear light in steps of 1/65535, the fourth unused; level by level.
    texels: Vec<[u16; 4]>,
    /// First texel of each level.
    starts: Vec<u32>,
}

impl MipTexture {
    fn new(texture: &Texture, linear: &[f32; 256]) -> Self {
        let size = texture.size.max(1);
        let quantise = |c: f32| (c * 65_535.0 + 0.5) as u16;
        let count = (size * size) as usize;
        let mut texels: Vec<[u16; 4]> = texture
            .texels
            .iter()
            .take(count)
            .map(|t| {
                let [r, g, b] = t.map(|c| quantise(linear[c as usize]));
                [r, g, b, 0]
            })
            .collect();
        texels.resize(count, [32_768, 32_768, 32_768, 0]);
        let mut starts = vec![0];
        let mut side = size as usize;
        while side > 1 {
            let (half, from) = (side / 2, starts[starts.len() - 1] as usize);
            starts.push(texels.len() as u32);
            for y in 0..half {
                for x in 0..half {
                    let at = |dx: usize, dy: usize| texels[from + (2 * y + dy) * side + 2 * x + dx];
                    let (a, b, c, d) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
                    let mean =
                        |i: usize| ((a[i] as u32 + b[i] as u32 + c[i] as u32 + d[i] as u32 + 2) / 4) as u16;
                    texels.push([mean(0), mean(1), mean(2), 0]);
                }
            }
            side = half;
        }
        MipTexture { size, texels, starts }
    }

    /// Bilinear sample of the level at which `footprint` (squared size of a pixel in texels) is about one.
    #[inline(always)]
    pub(super) fn sample(&self, u: f32, v: f32, footprint: f32) -> [f32; 3] {
        // Half the binary exponent, rounded, is the level.
        let exponent = (footprint.to_bits() >> 23) as i32 - 127;
        let level = ((exponent + 1) >> 1).clamp(0, self.starts.len() as i32 - 1) as usize;
        let side = (self.size >> level) as i32;
        let (x, fx) = split(u * side as f32 - 0.5);
        let (y, fy) = split(v * side as f32 - 0.5);
        let mask = side - 1;
        let (x0, x1) = ((x & mask) as usize, ((x + 1) & mask) as usize);
        let (y0, y1) = ((y & mask) as usize, ((y + 1) & mask) as usize);
        let texels = &self.texels[self.starts[level] as usize..][..(side * side) as usize];
        let at = |x: usize, y: usize| texels[y * side as usize + x];
        let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
        let (wa, wb) = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy));
        let (wc, wd) = ((1.0 - fx) * fy, fx * fy);
        let mix = |i: usize| {
            (a[i] as f32 * wa + b[i] as f32 * wb + c[i] as f32 * wc + d[i] as f32 * wd) * (1.0 / 65_535.0)
        };
        [mix(0), mix(1), mix(2)]
    }
}

/// Whole part, rounded down, and the rest.
#[inline(always)]
pub(super) fn split(v: f32) -> (i32, f32) {
    let t = v as i32;
    let whole = t - (v < t as f32) as i32;
    (whole, v - whole as f32)
}

/// All textures in use, each once.
#[derive(Debug)]
pub(super) struct TextureStore {
    linear: [f32; 256],
    sources: Vec<Arc<Texture>>,
    pub textures: Vec<MipTexture>,
}

impl TextureStore {
    pub(super) fn new() -> Self {
        TextureStore {
            linear: linear_from_srgb(),
            sources: Vec::new(),
            textures: Vec::new(),
        }
    }

    /// Number of a texture, which is added unless it is known.
    pub(super) fn number(&mut self, texture: &Arc<Texture>) -> u32 {
        let known = self.sources.iter().position(|t| Arc::ptr_eq(t, texture));
        let number = known.unwrap_or_else(|| {
            self.sources.push(Arc::clone(texture));
            self.textures.push(MipTexture::new(texture, &self.linear));
            self.textures.len() - 1
        });
        number as u32
    }
}

/// Table from linear light to eight-bit sRGB with a shoulder, so that bright spots keep some drawing.
#[derive(Debug)]
pub(super) struct ToneTable {
    values: Vec<u8>,
}

const TONE_STEPS_LOG2: u32 = 8;
/// Inputs from 2^-13 to 2^4.
const TONE_FIRST: u32 = (127 - 13) << TONE_STEPS_LOG2;
const TONE_LAST: u32 = (127 + 4) << TONE_STEPS_LOG2;

impl ToneTable {
    pub(super) fn new() -> Self {
        let values = (TONE_FIRST..TONE_LAST)
            .map(|i| {
                let shift = 23 - TONE_STEPS_LOG2;
                let x = f32::from_bits((i << shift) | (1 << (shift - 1)));
                let x = if x <= 0.6 {
                    x
                } else {
                    0.6 + 0.4 * (x - 0.6) / (x - 0.2)
                };
                let s = if x <= 0.003_130_8 {
                    12.92 * x
                } else {
                    1.055 * x.powf(1.0 / 2.4) - 0.055
                };
                (s * 255.0 + 0.5).clamp(0.0, 255.0) as u8
            })
            .collect();
        ToneTable { values }
    }

    #[inline(always)]
    pub(super) fn srgb(&self, linear: f32) -> u8 {
        let index = (linear.max(0.0).to_bits() >> (23 - TONE_STEPS_LOG2)).clamp(TONE_FIRST, TONE_LAST - 1);
        self.values[(index - TONE_FIRST) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texel_is_reproduced_at_its_centre_and_the_mean_far_away() {
        let texels = vec![[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
        let t = MipTexture::new(&Texture { size: 2, texels }, &linear_from_srgb());
        let near = t.sample(0.25, 0.75, 0.01);
        assert!(near[0] < 1e-4 && near[2] > 0.9999, "{near:?}");
        let far = t.sample(0.3, 0.9, 1e6);
        for c in far {
            assert!((c - 0.5).abs() < 1e-4, "{far:?}");
        }
    }

    #[test]
    fn dark_tones_follow_srgb() {
        // Linear values of sRGB 1, 64 and 128 after IEC 61966-2-1.
        let t = ToneTable::new();
        for (linear, srgb) in [(0.000_303_5, 1i32), (0.051_269, 64), (0.215_86, 128)] {
            assert!((t.srgb(linear) as i32 - srgb).abs() <= 1);
        }
        assert_eq!(t.srgb(0.0), 0);
        assert!(t.srgb(1.0) > 215 && t.srgb(100.0) >= t.srgb(2.0));
    }
}
