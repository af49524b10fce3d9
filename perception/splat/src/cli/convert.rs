//! `map convert`: maps between file formats; `map colmap`: frames for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use image::{ImageBuffer, Rgb};
use steward_core::geometry::Point3;

use super::source::SourceArguments;
use super::ui::print_json;
use crate::io::colmap::{Colmap, ColmapImage, ColoredPoint};
use crate::io::rgbd::PosedImage;
use crate::io::{self, Format, ply, spz};
use crate::{Error, Result};

/// Versions of `.spz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpzVersion {
    /// For programs from before 2026
    #[value(name = "3")]
    V3,
    /// The current one
    #[value(name = "4")]
    V4,
}

/// Arguments of `map convert`.
#[derive(Debug, clap::Args)]
pub struct ConvertCommand {
    /// Map to read: .ply, .splat or .spz
    input: PathBuf,
    /// Map to write; its ending says the format
    output: PathBuf,
    /// Spherical harmonics of this degree instead of the map's
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    sh_degree: Option<u8>,
    /// Leave out what only Steward knows (.ply)
    #[arg(long)]
    plain: bool,
    /// Version of the format (.spz)
    #[arg(long, value_enum, default_value = "4")]
    spz_version: SpzVersion,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

impl ConvertCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let format = Format::of(&self.output)?;
        let mut map = io::read(&self.input)?;
        if let Some(degree) = self.sh_degree {
            map = map.with_sh_degree(degree)?;
        }
        match format {
            Format::Ply if self.plain => {
                io::write_whole(&self.output, |w| ply::write(w, &map, ply::Properties::Inria))?;
            }
            Format::Spz if self.spz_version == SpzVersion::V3 => {
                io::write_whole(&self.output, |w| spz::write(w, &map, spz::Version::V3))?;
            }
            _ => io::write(&self.output, &map)?,
        }
        let bytes = std::fs::metadata(&self.output)?.len();
        eprintln!(
            "{}: {} Gaussians, {bytes} bytes",
            self.output.display(),
            map.len()
        );
        if self.json {
            print_json(&serde_json::json!({
                "gaussians": map.len(), "sh_degree": map.sh_degree(), "bytes": bytes
            }))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Arguments of `map colmap`.
#[derive(Debug, clap::Args)]
pub struct ColmapCommand {
    #[command(flatten)]
    source: SourceArguments,
    /// Folder to write; images go to `images`, the reconstruction to `sparse/0`
    output: PathBuf,
    /// Number of points, drawn evenly from the depth images
    #[arg(long, default_value_t = 50_000)]
    points: usize,
}

impl ColmapCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let frames = self.source.load()?.training;
        let images = self.output.join("images");
        std::fs::create_dir_all(&images)?;
        let mut colmap = Colmap::default();
        for frame in &frames {
            let name = format!("{}.png", frame.name);
            let camera = frame.view.camera;
            ImageBuffer::<Rgb<u8>, _>::from_raw(
                camera.width,
                camera.height,
                frame.color.data().as_flattened(),
            )
            .ok_or_else(|| Error::BadImage("colour of another size than the camera".into()))?
            .save(images.join(&name))
            .map_err(|e| Error::BadImage(e.to_string()))?;
            colmap.images.push(ColmapImage {
                name,
                view: frame.view,
            });
        }
        colmap.points = points(&frames, self.points);
        colmap.write(&self.output)?;
        eprintln!(
            "{}: {} images, {} points",
            self.output.display(),
            frames.len(),
            colmap.points.len()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// About `count` of the measured points of all frames, every n-th.
pub(super) fn points(frames: &[PosedImage], count: usize) -> Vec<ColoredPoint> {
    let measured = |frame: &PosedImage| -> Vec<(usize, f32)> {
        let depths = frame
            .depth
            .iter()
            .flat_map(|d| d.data().iter().copied().enumerate());
        depths.filter(|(_, z)| z.is_finite() && *z > 0.0).collect()
    };
    let total: usize = frames.iter().map(|f| measured(f).len()).sum();
    let every = (total / count.max(1)).max(1);
    let mut points = Vec::new();
    let mut passed = 0;
    for frame in frames {
        let camera = frame.view.camera;
        for (at, z) in measured(frame) {
            passed += 1;
            if passed % every != 0 {
                continue;
            }
            let (column, row) = (at % camera.width as usize, at / camera.width as usize);
            let local = camera.unproject(column as f64 + 0.5, row as f64 + 0.5, f64::from(z));
            let p: Point3 = frame.view.world_from_camera * local;
            points.push(ColoredPoint {
                position: [p.x as f32, p.y as f32, p.z as f32],
                rgb: frame.color.data()[at],
            });
        }
    }
    points
}
