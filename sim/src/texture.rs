//! Procedural textures: patterns that repeat without a seam, and prints that are shown once.
//!
//! Everything follows from integer hashes and value noise, so that a pattern and a variant mean the same
//! texels on every machine.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A square sRGB image that repeats, side a power of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Texture {
    /// Side, texels.
    pub size: u32,
    /// Texels, row-major, sRGB.
    pub texels: Vec<[u8; 3]>,
}

/// What a texture shows. Repeating patterns are meant to cover about a metre or two per repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Grain of one board, along u.
    Wood,
    /// Floor boards.
    Planks,
    /// Square tiles with joints, 4 by 4.
    Tile,
    /// Woven cloth with a faint stripe or check.
    Fabric,
    /// Painted bricks.
    Brick,
    /// Painted plaster, blotchy.
    Plaster,
    /// Wallpaper with motifs.
    Wallpaper,
    /// Short-pile carpet with a border of ornaments.
    Carpet,
    /// Veined stone.
    Marble,
    /// Brushed metal.
    Metal,
    /// Skin of fruit, leather, terracotta: specks on a plain ground.
    Speckle,
    /// A picture: landscape or abstract.
    Poster,
    /// Front of a book.
    BookCover,
    /// A product label with bands, blocks and lines of "text".
    Label,
}

impl Pattern {
    /// Number of different variants; larger variant numbers wrap around.
    pub const VARIANTS: u32 = 8;

    fn size(self) -> u32 {
        match self {
            Pattern::Planks | Pattern::Tile | Pattern::Carpet | Pattern::Poster | Pattern::Wallpaper => 256,
            _ => 128,
        }
    }
}

/// The texture of a pattern and variant; made on first use, shared afterwards.
pub fn texture(pattern: Pattern, variant: u32) -> Arc<Texture> {
    type Cache = Mutex<BTreeMap<(Pattern, u32), Arc<Texture>>>;
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    let key = (pattern, variant % Pattern::VARIANTS);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cache.entry(key).or_insert_with(|| Arc::new(paint(key.0, key.1))))
}

/// A colour, sRGB between 0 and 1.
type Rgb = [f32; 3];

fn paint(pattern: Pattern, variant: u32) -> Texture {
    let size = pattern.size();
    let seed = hash(pattern as u32 * 977 + variant * 7919 + 13);
    let painter = Painter { seed, variant };
    let mut texels = Vec::with_capacity((size * size) as usize);
    for row in 0..size {
        for col in 0..size {
            let (u, v) = ((col as f32 + 0.5) / size as f32, (row as f32 + 0.5) / size as f32);
            let grain = (unit(hash(col ^ hash(row ^ seed))) - 0.5) * 0.03;
            let rgb = painter.at(pattern, u, v).map(|c| c + grain);
            texels.push(rgb.map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
        }
    }
    Texture { size, texels }
}

struct Painter {
    seed: u32,
    variant: u32,
}

impl Painter {
    fn at(&self, pattern: Pattern, u: f32, v: f32) -> Rgb {
        match pattern {
            Pattern::Wood => self.wood(self.wood_color(0), u, v, self.seed),
            Pattern::Planks => self.planks(u, v),
            Pattern::Tile => self.tile(u, v),
            Pattern::Fabric => self.fabric(u, v),
            Pattern::Brick => self.brick(u, v),
            Pattern::Plaster => self.plaster(u, v),
            Pattern::Wallpaper => self.wallpaper(u, v),
            Pattern::Carpet => self.carpet(u, v),
            Pattern::Marble => self.marble(u, v),
            Pattern::Metal => self.metal(u, v),
            Pattern::Speckle => self.speckle(u, v),
            Pattern::Poster => self.poster(u, v),
            Pattern::BookCover => self.book_cover(u, v),
            Pattern::Label => self.label(u, v),
        }
    }

    fn color(&self, n: u32) -> Rgb {
        let h = unit(hash(self.seed + n * 31));
        let s = 0.35 + 0.5 * unit(hash(self.seed + n * 31 + 7));
        let l = 0.35 + 0.45 * unit(hash(self.seed + n * 31 + 17));
        hsv(h, s, l)
    }

    fn wood_color(&self, n: u32) -> Rgb {
        const WOODS: [Rgb; 8] = [
            [0.72, 0.53, 0.33],
            [0.48, 0.30, 0.17],
            [0.82, 0.67, 0.47],
            [0.36, 0.23, 0.15],
            [0.62, 0.39, 0.22],
            [0.77, 0.60, 0.42],
            [0.55, 0.42, 0.30],
            [0.87, 0.78, 0.64],
        ];
        let tone = 0.9 + 0.2 * unit(hash(self.seed ^ (n * 101 + 5)));
        WOODS[(self.variant % 8) as usize].map(|c| c * tone)
    }

    fn wood(&self, base: Rgb, u: f32, v: f32, seed: u32) -> Rgb {
        let warp = fbm(u, v, [2, 4], seed, 3);
        let rings = fbm(u, v + warp * 0.12, [2, 24], seed + 1, 2);
        let fibre = noise(u, v, [8, 128], seed + 2);
        mix(base, base.map(|c| c * 0.62), (rings * 1.3 - 0.25).clamp(0.0, 1.0))
            .map(|c| c * (0.92 + 0.16 * fibre))
    }

    fn planks(&self, u: f32, v: f32) -> Rgb {
        let rows = 8.0;
        let row = (v * rows).floor();
        let shift = unit(hash(self.seed + row as u32 * 3));
        let along = (u + shift).fract() * 2.0;
        let id = hash(self.seed + row as u32 * 17 + along.floor() as u32 * 5);
        let gap = (v * rows).fract() < 0.035 || along.fract() < 0.004;
        let base = self.wood_color(0).map(|c| c * (0.82 + 0.32 * unit(id)));
        let color = self.wood(base, u, (v + unit(id)).fract(), self.seed + id % 13);
        if gap { color.map(|c| c * 0.45) } else { color }
    }

    fn tile(&self, u: f32, v: f32) -> Rgb {
        let (x, y) = (u * 4.0, v * 4.0);
        let id = hash(self.seed + x.floor() as u32 * 19 + y.floor() as u32 * 57);
        let joint = x.fract() < 0.03 || y.fract() < 0.03;
        let base = mix([0.86, 0.85, 0.82], self.color(0), 0.25);
        let checker =
            (x.floor() as u32 + y.floor() as u32).is_multiple_of(2) && self.variant.is_multiple_of(2);
        let base = if checker {
            mix(base, self.color(1), 0.35)
        } else {
            base
        };
        let cloud = fbm(u, v, [8, 8], self.seed + id % 5, 4);
        if joint {
            [0.55, 0.54, 0.52]
        } else {
            base.map(|c| c * (0.8 + 0.1 * unit(id) + 0.22 * cloud))
        }
    }

    fn fabric(&self, u: f32, v: f32) -> Rgb {
        let (x, y) = ((u * 64.0) as u32, (v * 64.0) as u32);
        let over = (x + y).is_multiple_of(2);
        let base = self.color(0);
        let second = self.color(1);
        let stripe = match self.variant % 4 {
            0 => 0.0,
            1 => f32::from((u * 8.0).fract() < 0.3),
            2 => 0.5 * (f32::from((u * 4.0).fract() < 0.4) + f32::from((v * 4.0).fract() < 0.4)),
            _ => f32::from(fbm(u, v, [6, 6], self.seed, 3) > 0.55),
        };
        let thread = if over { 1.0 } else { 0.82 };
        let worn = 0.85 + 0.3 * fbm(u, v, [4, 4], self.seed + 3, 4);
        mix(base, second, stripe * 0.6).map(|c| c * thread * worn)
    }

    fn brick(&self, u: f32, v: f32) -> Rgb {
        let y = v * 12.0;
        let x = u * 4.0 + if (y as u32).is_multiple_of(2) { 0.5 } else { 0.0 };
        let id = hash(self.seed + (x as u32 % 4) * 23 + y as u32 * 71);
        let mortar = x.fract() < 0.03 || y.fract() < 0.09;
        let clay = mix([0.66, 0.36, 0.28], [0.80, 0.72, 0.65], unit(self.seed));
        let rough = 0.7 + 0.4 * fbm(u, v, [16, 32], self.seed, 3);
        if mortar {
            [0.74, 0.72, 0.69].map(|c| c * rough.min(1.0))
        } else {
            clay.map(|c| c * rough * (0.85 + 0.3 * unit(id)))
        }
    }

    fn plaster(&self, u: f32, v: f32) -> Rgb {
        const PAINTS: [Rgb; 8] = [
            [0.90, 0.87, 0.80],
            [0.78, 0.84, 0.86],
            [0.86, 0.80, 0.72],
            [0.80, 0.86, 0.77],
            [0.91, 0.90, 0.88],
            [0.88, 0.79, 0.77],
            [0.76, 0.78, 0.83],
            [0.93, 0.88, 0.72],
        ];
        let cloud = fbm(u, v, [4, 4], self.seed, 5);
        let dents = noise(u, v, [48, 48], self.seed + 9);
        PAINTS[(self.variant % 8) as usize].map(|c| c * (0.84 + 0.18 * cloud + 0.06 * dents))
    }

    fn wallpaper(&self, u: f32, v: f32) -> Rgb {
        let ground = mix(self.color(0), [0.93, 0.91, 0.87], 0.75);
        let ink = mix(self.color(1), ground, 0.35);
        let (x, y) = (u * 6.0, v * 6.0);
        let shifted = if (x as u32).is_multiple_of(2) {
            y
        } else {
            (y + 0.5) % 6.0
        };
        let (dx, dy) = (x.fract() - 0.5, shifted.fract() - 0.5);
        let r = (dx * dx + dy * dy).sqrt();
        let motif = match self.variant % 3 {
            0 => r < 0.28 && r > 0.14 || r < 0.06,
            1 => dx.abs() + dy.abs() < 0.3 && dx.abs() + dy.abs() > 0.12,
            _ => dx.abs() < 0.06 || (dx.abs() < 0.25 && dy.abs() < 0.05),
        };
        let worn = 0.92 + 0.12 * fbm(u, v, [5, 5], self.seed, 3);
        (if motif { ink } else { ground }).map(|c| c * worn)
    }

    fn carpet(&self, u: f32, v: f32) -> Rgb {
        let edge = (0.5 - (u - 0.5).abs()).min(0.5 - (v - 0.5).abs());
        let (a, b, c) = (self.color(0), self.color(1), self.color(2));
        let (x, y) = ((u * 8.0).fract() - 0.5, (v * 8.0).fract() - 0.5);
        let diamond = x.abs() + y.abs();
        let inner = if diamond < 0.2 {
            c
        } else if diamond < 0.36 {
            b
        } else {
            a
        };
        let color = if edge < 0.04 {
            b
        } else if edge < 0.07 {
            c
        } else {
            inner
        };
        let pile = 0.75 + 0.45 * noise(u, v, [96, 96], self.seed + 2);
        color.map(|k| k * pile)
    }

    fn marble(&self, u: f32, v: f32) -> Rgb {
        let base = if self.variant.is_multiple_of(3) {
            [0.30, 0.31, 0.33]
        } else {
            [0.88, 0.87, 0.85]
        };
        let warp = fbm(u, v, [3, 3], self.seed, 5);
        let vein = (fbm(u + 0.3 * warp, v + 0.3 * warp, [4, 4], self.seed + 4, 4) - 0.5).abs();
        let ink = if self.variant.is_multiple_of(3) {
            [0.75, 0.73, 0.70]
        } else {
            mix([0.5, 0.5, 0.52], self.color(0), 0.3)
        };
        let strength = (1.0 - vein * 18.0).clamp(0.0, 1.0) * 0.8;
        mix(base.map(|c| c * (0.88 + 0.2 * warp)), ink, strength)
    }

    fn metal(&self, u: f32, v: f32) -> Rgb {
        let brushed = noise(u, v, [4, 128], self.seed) * 0.6 + noise(u, v, [16, 64], self.seed + 1) * 0.4;
        [0.72, 0.73, 0.75].map(|c| c * (0.85 + 0.25 * brushed))
    }

    fn speckle(&self, u: f32, v: f32) -> Rgb {
        let cloud = fbm(u, v, [4, 4], self.seed, 4);
        let speck = f32::from(noise(u, v, [40, 40], self.seed + 3) > 0.8);
        [0.92; 3].map(|c| c * (0.78 + 0.28 * cloud) - 0.18 * speck)
    }

    fn poster(&self, u: f32, v: f32) -> Rgb {
        if self.variant.is_multiple_of(2) {
            // A landscape: sky, sun, three ridges.
            let sky = mix(self.color(0), [0.95, 0.90, 0.80], v);
            let (sx, sy) = (0.2 + 0.6 * unit(self.seed), 0.2 + 0.2 * unit(hash(self.seed)));
            let sun = ((u - sx) * (u - sx) + (v - sy) * (v - sy)).sqrt();
            let mut color = if sun < 0.09 { [0.98, 0.86, 0.45] } else { sky };
            for ridge in 0..3u32 {
                let line =
                    0.42 + 0.17 * ridge as f32 + 0.22 * (fbm(u, 0.37, [4, 2], self.seed + ridge, 4) - 0.5);
                if v > line {
                    let tone = 0.75 + 0.4 * fbm(u, v, [16, 16], self.seed + 7 + ridge, 3);
                    color = self.color(1 + ridge).map(|c| c * tone);
                }
            }
            color
        } else {
            // Overlapping discs and bars.
            let mut color = mix(self.color(0), [0.95, 0.93, 0.88], 0.6);
            for i in 0..9u32 {
                let h = |k: u32| unit(hash(self.seed + i * 131 + k));
                let (x, y, r) = (h(1), h(2), 0.06 + 0.16 * h(3));
                let inside = if i.is_multiple_of(3) {
                    (u - x).abs() < r && (v - y).abs() < r * 0.4
                } else {
                    ((u - x) * (u - x) + (v - y) * (v - y)).sqrt() < r
                };
                if inside {
                    color = mix(color, self.color(i + 1), 0.85);
                }
            }
            color.map(|c| c * (0.9 + 0.2 * noise(u, v, [64, 64], self.seed)))
        }
    }

    fn book_cover(&self, u: f32, v: f32) -> Rgb {
        let (ground, ink, accent) = (self.color(0), self.color(1), self.color(2));
        let title = v > 0.15 && v < 0.38 && u > 0.15 && u < 0.85;
        let text = title
            && (v * 26.0).fract() < 0.55
            && unit(hash(self.seed + (u * 24.0) as u32 + (v * 26.0) as u32 * 40)) > 0.25;
        let picture = v > 0.48 && v < 0.85 && u > 0.2 && u < 0.8;
        let spine = u < 0.06;
        if spine {
            ground.map(|c| c * 0.6)
        } else if text {
            [0.96, 0.95, 0.90]
        } else if picture {
            mix(ink, accent, f32::from(fbm(u, v, [6, 6], self.seed, 3) > 0.5))
        } else {
            ground.map(|c| c * (0.92 + 0.14 * noise(u, v, [32, 32], self.seed)))
        }
    }

    fn label(&self, u: f32, v: f32) -> Rgb {
        let (ground, ink, accent) = (self.color(0), self.color(1), self.color(2));
        let front = (u * 2.0).fract();
        let band = !(0.14..=0.88).contains(&v);
        let badge = ((front - 0.5) * (front - 0.5) * 1.3 + (v - 0.36) * (v - 0.36)).sqrt();
        let line = v > 0.6 && v < 0.84 && front > 0.15 && front < 0.85 && (v * 22.0).fract() < 0.5;
        let letters = line && unit(hash(self.seed + (front * 20.0) as u32 + (v * 22.0) as u32 * 57)) > 0.3;
        if band {
            accent
        } else if badge < 0.12 {
            [0.97, 0.95, 0.88]
        } else if badge < 0.18 || letters {
            ink.map(|c| c * 0.7)
        } else {
            ground
        }
    }
}

fn hash(mut x: u32) -> u32 {
    x = x.wrapping_add(0x9e37_79b9);
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

fn unit(x: u32) -> f32 {
    (x >> 8) as f32 / (1u32 << 24) as f32
}

fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// Value noise between 0 and 1 with `cells` cells per repetition.
fn noise(u: f32, v: f32, cells: [u32; 2], seed: u32) -> f32 {
    let (x, y) = (
        u.rem_euclid(1.0) * cells[0] as f32,
        v.rem_euclid(1.0) * cells[1] as f32,
    );
    let (x0, y0) = (x.floor(), y.floor());
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (smooth(x - x0), smooth(y - y0));
    let corner = |dx: u32, dy: u32| {
        let (cx, cy) = ((x0 as u32 + dx) % cells[0], (y0 as u32 + dy) % cells[1]);
        unit(hash(cx ^ hash(cy ^ hash(seed))))
    };
    let low = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * fx;
    let high = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * fx;
    low + (high - low) * fy
}

/// Octaves of value noise, between 0 and 1.
fn fbm(u: f32, v: f32, cells: [u32; 2], seed: u32, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
    for octave in 0..octaves {
        let scaled = cells.map(|c| c << octave);
        sum += weight * noise(u, v, scaled, seed.wrapping_add(octave * 1013));
        total += weight;
        weight *= 0.5;
    }
    sum / total
}

fn hsv(h: f32, s: f32, v: f32) -> Rgb {
    [5.0, 3.0, 1.0].map(|n: f32| {
        let k = (n + h * 6.0) % 6.0;
        v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Pattern; 14] = [
        Pattern::Wood,
        Pattern::Planks,
        Pattern::Tile,
        Pattern::Fabric,
        Pattern::Brick,
        Pattern::Plaster,
        Pattern::Wallpaper,
        Pattern::Carpet,
        Pattern::Marble,
        Pattern::Metal,
        Pattern::Speckle,
        Pattern::Poster,
        Pattern::BookCover,
        Pattern::Label,
    ];

    #[test]
    fn every_texture_has_detail_and_a_power_of_two_side() {
        for pattern in ALL {
            for variant in 0..Pattern::VARIANTS {
                let t = texture(pattern, variant);
                assert!(t.size.is_power_of_two() && t.texels.len() == (t.size * t.size) as usize);
                let mean = t.texels.iter().map(|p| f64::from(p[1])).sum::<f64>() / t.texels.len() as f64;
                let square = t
                    .texels
                    .iter()
                    .map(|p| (f64::from(p[1]) - mean).powi(2))
                    .sum::<f64>();
                let deviation = (square / t.texels.len() as f64).sqrt();
                assert!(deviation > 2.0, "{pattern:?} {variant} is flat: {deviation}");
            }
        }
    }

    #[test]
    fn variants_differ_and_repeat() {
        for pattern in ALL {
            assert_ne!(texture(pattern, 0), texture(pattern, 1));
            assert!(Arc::ptr_eq(
                &texture(pattern, 2),
                &texture(pattern, 2 + Pattern::VARIANTS)
            ));
        }
    }
}
