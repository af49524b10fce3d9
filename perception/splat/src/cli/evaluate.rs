//! `map eval`: a map against frames.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::sheet::Sheet;
use super::source::{Dataset, SourceArguments};
use super::ui::{self, print_json};
use crate::eval::{FrameScore, Scores, score};
use crate::fit::{Exposure, FitConfig};
use crate::io::rgbd::PosedImage;
use crate::{GaussianMap, RenderOptions, Renderer, Result, View, io};

/// Arguments of `map eval`.
#[derive(Debug, clap::Args)]
pub struct EvalCommand {
    /// Map to measure
    map: PathBuf,
    #[command(flatten)]
    source: SourceArguments,
    /// Smooth as the map was built: the antialiased mode
    #[arg(long)]
    antialias: bool,
    /// Write truth, rendering, error and depth of every frame to this PNG
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// What `map eval` prints.
#[derive(Debug, Serialize)]
struct Report {
    gaussians: usize,
    #[serde(flatten)]
    scores: Scores,
    each: Vec<FrameScore>,
}

impl EvalCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let map = io::read(&self.map)?;
        let Dataset {
            training, held_out, ..
        } = self.source.load()?;
        // Without held-out frames all of them are compared.
        let frames = if held_out.is_empty() { training } else { held_out };
        let options = RenderOptions {
            antialias: self.antialias,
            ..FitConfig::default().render
        };
        let plain = |frame: &PosedImage| (frame.view, Exposure::default());
        let mut sheet = self.sheet.as_ref().map(|_| Sheet::default());
        let each = score_all(&map, &frames, &options, &plain, sheet.as_mut())?;
        if let (Some(sheet), Some(path)) = (&sheet, &self.sheet) {
            sheet.write(path)?;
        }
        let Some(scores) = Scores::of(&each) else {
            return Ok(ExitCode::FAILURE);
        };
        print_scores(&scores);
        if self.json {
            print_json(&Report {
                gaussians: map.len(),
                scores,
                each,
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Scores every frame, seen as `believed` says.
pub(super) fn score_all(
    map: &GaussianMap,
    frames: &[PosedImage],
    options: &RenderOptions,
    believed: &dyn Fn(&PosedImage) -> (View, Exposure),
    mut sheet: Option<&mut Sheet>,
) -> Result<Vec<FrameScore>> {
    let bar = ui::progress(frames.len() as u64, "comparing");
    let mut scores = Vec::new();
    for frame in frames {
        let (view, exposure) = believed(frame);
        let (scored, rendering) = score(&Renderer, map, frame, &view, &exposure, options)?;
        if let Some(sheet) = &mut sheet {
            sheet.add(frame, &rendering)?;
        }
        scores.push(scored);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(scores)
}

pub(super) fn print_scores(scores: &Scores) {
    let depth = match (scores.depth_l1_m, scores.depth_covered) {
        (Some(l1), Some(covered)) => format!(", depth {:.1} mm off on {:.1} %", l1 * 1e3, covered * 100.0),
        _ => String::new(),
    };
    eprintln!(
        "{} frames: {:.2} dB, SSIM {:.4}{depth}",
        scores.frames, scores.psnr_db, scores.ssim
    );
}
