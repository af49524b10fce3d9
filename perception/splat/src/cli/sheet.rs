//! Contact sheets: truth, rendering, error and depth side by side, one row per frame.

use std::path::Path;

use image::{Rgb, RgbImage};

use crate::io::rgbd::PosedImage;
use crate::{Error, Rendering, Result};

/// Columns of one picture of a sheet.
const WIDTH: u32 = 320;
/// Pixels between pictures.
const GAP: u32 = 4;
/// Error that is drawn in the brightest colour, of 1.
const FULL_ERROR: f32 = 0.25;

/// Rows of pictures.
#[derive(Default)]
pub(super) struct Sheet {
    rows: Vec<Vec<RgbImage>>,
}

impl Sheet {
    /// Adds truth, rendering, error, measured and rendered depth (nearest of either frame dark, farthest bright).
    pub(super) fn add(&mut self, frame: &PosedImage, rendering: &Rendering) -> Result<()> {
        let (width, height) = (rendering.width as u32, rendering.height as u32);
        let render = rendering.to_color_image()?;
        let pixel = |at: usize| (frame.color.data()[at], render.data()[at]);
        let truth = picture(width, height, |at| pixel(at).0);
        let ours = picture(width, height, |at| pixel(at).1);
        let error = picture(width, height, |at| {
            let (a, b) = pixel(at);
            let sum: f32 = a.iter().zip(&b).map(|(a, b)| f32::from(a.abs_diff(*b))).sum();
            heat(sum / (3.0 * 255.0) / FULL_ERROR)
        });
        let depth = rendering.median_depth.as_ref().unwrap_or(&rendering.depth);
        let measured = frame.depth.as_ref().map(|d| d.data());
        let known = || {
            depth
                .iter()
                .chain(measured.into_iter().flatten())
                .filter(|z| z.is_finite())
        };
        let near = known().fold(f32::INFINITY, |a, b| a.min(*b));
        let far = known().fold(0.0f32, |a, b| a.max(*b));
        let shade = |z: f32| {
            if z.is_finite() {
                heat((z - near) / (far - near).max(1e-6))
            } else {
                [0; 3]
            }
        };
        let mut row = vec![truth, ours, error];
        if let Some(measured) = measured {
            row.push(picture(width, height, |at| shade(measured[at])));
        }
        row.push(picture(width, height, |at| shade(depth[at])));
        self.rows.push(row);
        Ok(())
    }

    /// Writes what was added.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let heights: Vec<u32> = self
            .rows
            .iter()
            .map(|row| row.iter().map(RgbImage::height).max().unwrap_or(0) + GAP)
            .collect();
        if columns == 0 {
            return Err(Error::BadConfig(
                "there are no frames for a sheet; hold some out".into(),
            ));
        }
        let mut sheet = RgbImage::new(columns * (WIDTH + GAP), heights.iter().sum());
        let mut top = 0;
        for (row, height) in self.rows.iter().zip(heights) {
            for (column, picture) in row.iter().enumerate() {
                let left = column as u32 * (WIDTH + GAP);
                image::imageops::replace(&mut sheet, picture, i64::from(left), i64::from(top));
            }
            top += height;
        }
        sheet.save(path).map_err(|e| Error::File {
            path: path.display().to_string(),
            reason: e.to_string(),
        })
    }
}

/// A picture of the sheet's size from the colours of pixels.
fn picture(width: u32, height: u32, color: impl Fn(usize) -> [u8; 3]) -> RgbImage {
    let full = RgbImage::from_fn(width, height, |x, y| Rgb(color((y * width + x) as usize)));
    let height = (u64::from(height) * u64::from(WIDTH) / u64::from(width.max(1))).max(1) as u32;
    image::imageops::thumbnail(&full, WIDTH, height)
}

/// Black through purple and orange to pale yellow, for 0 to 1.
fn heat(x: f32) -> [u8; 3] {
    let x = x.clamp(0.0, 1.0);
    let ramp = |low: f32, high: f32| ((x - low) / (high - low)).clamp(0.0, 1.0);
    [
        ramp(0.0, 0.6),
        ramp(0.35, 1.0),
        0.55 * ramp(0.0, 0.35) - 0.45 * ramp(0.4, 0.65) + 0.7 * ramp(0.8, 1.0),
    ]
    .map(|c| (c.clamp(0.0, 1.0) * 255.0) as u8)
}
