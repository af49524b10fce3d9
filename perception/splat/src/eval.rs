//! Comparing a map with frames that it was not fitted to.

use serde::Serialize;

use crate::fit::Exposure;
use crate::io::rgbd::PosedImage;
use crate::metrics::{depth_error, psnr_db, ssim};
use crate::{Engine, GaussianMap, RenderOptions, Rendering, Result, Scope, View};

/// How well one frame is rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameScore {
    /// Name of the frame.
    pub name: String,
    /// Peak signal-to-noise ratio, dB.
    pub psnr_db: f64,
    /// Structural similarity, at most 1.
    pub ssim: f64,
    /// Mean absolute difference between measured and rendered (median) depth where both are, metres; `None` without depth.
    pub depth_l1_m: Option<f64>,
    /// Share of the measured depths where the map has one too.
    pub depth_covered: Option<f64>,
}

/// Means over frames.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Number of frames.
    pub frames: usize,
    /// Mean of [`FrameScore::psnr_db`].
    pub psnr_db: f64,
    /// Mean of [`FrameScore::ssim`].
    pub ssim: f64,
    /// Mean of [`FrameScore::depth_l1_m`] over the frames that have it.
    pub depth_l1_m: Option<f64>,
    /// Mean of [`FrameScore::depth_covered`].
    pub depth_covered: Option<f64>,
}

impl Scores {
    /// The means; `None` for no frames.
    pub fn of(frames: &[FrameScore]) -> Option<Self> {
        let mean =
            |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        Some(Scores {
            frames: frames.len(),
            psnr_db: mean(frames.iter().map(|f| f.psnr_db).collect())?,
            ssim: mean(frames.iter().map(|f| f.ssim).collect())?,
            depth_l1_m: mean(frames.iter().filter_map(|f| f.depth_l1_m).collect()),
            depth_covered: mean(frames.iter().filter_map(|f| f.depth_covered).collect()),
        })
    }
}

/// Renders the view of a frame and scores it.
///
/// `view` and `exposure` are what the frame is believed to be taken with: its own view and no exposure, or what the
/// frames before and after it suggest ([`crate::fit::Fit::predict`]). Colours are clamped to 0..=1 after exposure.
///
/// # Errors
/// What rendering and the metrics report.
pub fn score(
    engine: &dyn Engine,
    map: &GaussianMap,
    frame: &PosedImage,
    view: &View,
    exposure: &Exposure,
    options: &RenderOptions,
) -> Result<(FrameScore, Rendering)> {
    let options = RenderOptions {
        extras: true,
        ..*options
    };
    let mut rendering = engine.forward(map, view, &options, Scope::default())?;
    exposure.apply(&mut rendering.color);
    rendering.color.iter_mut().for_each(|c| *c = c.clamp(0.0, 1.0));
    let truth: Vec<f32> = frame
        .color
        .data()
        .as_flattened()
        .iter()
        .map(|c| f32::from(*c) / 255.0)
        .collect();
    let colors = rendering.color_interleaved();
    let depth = match (&frame.depth, &rendering.median_depth) {
        (Some(truth), Some(render)) => Some(depth_error(truth.data(), render)?),
        _ => None,
    }
    .filter(|d| d.l1_m.is_finite());
    let score = FrameScore {
        name: frame.name.clone(),
        psnr_db: psnr_db(&truth, &colors)?,
        ssim: ssim(&truth, &colors, rendering.width, rendering.height)?,
        depth_l1_m: depth.map(|d| d.l1_m),
        depth_covered: depth.map(|d| d.covered),
    };
    Ok((score, rendering))
}
