//! `.splat`: 32 bytes per Gaussian and nothing else, as introduced by antimatter15/splat.
//!
//! ```text
//!   0  mean     3 x f32        24  red, green, blue  3 x u8, 0.5 + SH_C0 * first coefficient
//!  12  scale    3 x f32, m     27  opacity           u8
//!                              28  rotation          4 x u8 (w, x, y, z), 128 * (1 + q)
//! ```

use std::io::{Read, Write};

use super::bytes::{Source, logit, normalized, sigmoid, to_byte};
use crate::map::SH_C0;
use crate::{Gaussian, GaussianMap, Result};

const ROW: usize = 32;

/// Reads a map of degree 0. `length` is the file's length in bytes where it is known.
///
/// # Errors
/// [`crate::Error::BadFile`] for a length that is no multiple of 32, or a row that is no Gaussian.
pub fn read(reader: impl Read, length: Option<u64>) -> Result<GaussianMap> {
    let mut source = Source::new("splat", reader);
    if let Some(length) = length.filter(|l| l % ROW as u64 != 0) {
        let whole = length - length % ROW as u64;
        return Err(source.error_at(
            whole,
            "its last Gaussian is cut: the length must be a multiple of 32 bytes",
        ));
    }
    let mut map = GaussianMap::new(0, 0)?;
    let mut row = [0; ROW];
    loop {
        let start = source.at();
        match source.fill_some(&mut row)? {
            0 => return Ok(map),
            ROW => {}
            _ => return Err(source.error("it ends here, within a Gaussian")),
        }
        let gaussian = decode(&row).ok_or_else(|| {
            source.error_at(
                start,
                "a mean that is not finite, a scale that is not positive, or no rotation",
            )
        })?;
        map.push(&gaussian)?;
    }
}

fn decode(row: &[u8; ROW]) -> Option<Gaussian> {
    let float = |at: usize| f32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]);
    let mean = [0, 4, 8].map(float);
    let log_scale = [12, 16, 20].map(|at| float(at).ln());
    let rotation = [28, 29, 30, 31].map(|at| (f32::from(row[at]) - 128.0) / 128.0);
    let finite = mean.iter().chain(&log_scale).all(|x| x.is_finite());
    if !finite {
        return None;
    }
    Some(Gaussian {
        mean,
        log_scale,
        rotation: normalized(rotation)?,
        opacity_logit: logit(f32::from(row[27]) / 255.0),
        ..Gaussian::default().with_color([24, 25, 26].map(|at| f32::from(row[at]) / 255.0))
    })
}

/// Writes means and scales exactly, the colour seen from everywhere, opacity and rotation in 8 bits.
///
/// # Errors
/// [`crate::Error::BadGaussian`] for values that are not finite, or what the writer reports.
pub fn write(writer: &mut impl Write, map: &GaussianMap) -> Result<()> {
    map.validate()?;
    for i in 0..map.len() {
        let mut row = [0; ROW];
        let scales = map.log_scales()[i].map(f32::exp);
        for (at, value) in map.means()[i].iter().chain(&scales).enumerate() {
            row[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
        }
        for c in 0..3 {
            row[24 + c] = to_byte((0.5 + SH_C0 * map.sh()[i * map.sh_stride() + c]) * 255.0);
        }
        row[27] = to_byte(sigmoid(map.opacity_logits()[i]) * 255.0);
        for (c, q) in normalized(map.rotations()[i])
            .unwrap_or([1.0, 0.0, 0.0, 0.0])
            .iter()
            .enumerate()
        {
            row[28 + c] = to_byte(q * 128.0 + 128.0);
        }
        writer.write_all(&row)?;
    }
    Ok(())
}
