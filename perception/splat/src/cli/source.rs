//! Data sets: which one, which frames of it, with which camera.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use rayon::prelude::*;
use steward_core::image::Image;

use crate::calibrate::{Calibration, calibrate};
use crate::io::colmap::{Colmap, ColoredPoint};
use crate::io::rgbd::{PosedImage, RgbdFolder};
use crate::synthetic::{RoomConfig, room};
use crate::{Error, Result, View};

/// Whether colour and depth are of two cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Calibrate {
    /// Find out from the frames
    Auto,
    /// They are of the same camera
    Off,
}

/// Where frames come from.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["rgbd", "colmap", "room"])))]
pub(super) struct SourceArguments {
    /// Folder of RGB-D frames with poses, as of 7-Scenes or with frames.json
    #[arg(long, value_name = "FOLDER")]
    rgbd: Option<PathBuf>,
    /// Folder of a COLMAP reconstruction without distortion
    #[arg(long, value_name = "FOLDER")]
    colmap: Option<PathBuf>,
    /// That many frames of an analytic room, 320x240
    #[arg(long, value_name = "FRAMES")]
    room: Option<usize>,
    /// Keep every N-th frame, the first included, out of the map to measure it; 0 keeps none
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) holdout: usize,
    /// Use images of a half, third, ... of the size
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16))]
    downscale: u32,
    /// Whether colour and depth may be of two cameras; judged by the frames that are not held out
    #[arg(long, value_enum, default_value_t = Calibrate::Auto)]
    calibrate: Calibrate,
}

/// A data set in memory.
pub(super) struct Dataset {
    /// The frames that a map may be built from, in the order of time.
    pub(super) training: Vec<PosedImage>,
    /// The frames kept out.
    pub(super) held_out: Vec<PosedImage>,
    /// Points of a reconstruction.
    pub(super) points: Vec<ColoredPoint>,
    /// The colour camera, where it is another than the one given.
    pub(super) calibration: Option<Calibration>,
}

impl SourceArguments {
    /// Frames of a folder as on the command line.
    pub(super) fn of_rgbd(folder: &Path, holdout: usize, calibrate: Calibrate) -> Self {
        SourceArguments {
            rgbd: Some(folder.to_owned()),
            colmap: None,
            room: None,
            holdout,
            downscale: 1,
            calibrate,
        }
    }

    /// Frames of the analytic room.
    pub(super) fn of_room(frames: usize, holdout: usize) -> Self {
        SourceArguments {
            rgbd: None,
            colmap: None,
            room: Some(frames),
            holdout,
            downscale: 1,
            calibrate: Calibrate::Off,
        }
    }

    /// Whether the frames of the data set have depth.
    pub(super) fn has_depth(&self) -> bool {
        self.colmap.is_none()
    }

    /// Reads everything.
    ///
    /// # Errors
    /// What reading reports.
    pub(super) fn load(&self) -> Result<Dataset> {
        let mut points = Vec::new();
        let frames = if let Some(folder) = &self.rgbd {
            let folder = RgbdFolder::open(folder)?;
            (0..folder.len())
                .into_par_iter()
                .map(|i| folder.load(i))
                .collect::<Result<_>>()?
        } else if let Some(folder) = &self.colmap {
            let colmap = Colmap::open(folder)?;
            points.clone_from(&colmap.points);
            let count = colmap.images.len();
            (0..count)
                .into_par_iter()
                .map(|i| colmap.load(i))
                .collect::<Result<_>>()?
        } else {
            room(&RoomConfig {
                frames: self.room.unwrap_or_default(),
                ..RoomConfig::default()
            })?
        };
        let (held_out, training): (Vec<_>, Vec<_>) = frames
            .into_iter()
            .enumerate()
            .partition(|(i, _)| self.holdout > 0 && i % self.holdout == 0);
        let strip = |frames: Vec<(usize, PosedImage)>| frames.into_iter().map(|(_, f)| f).collect();
        let mut dataset = Dataset {
            training: strip(training),
            held_out: strip(held_out),
            points,
            calibration: None,
        };
        if dataset.training.is_empty() {
            return Err(Error::BadConfig(
                "no frames are left to build from; hold out fewer".into(),
            ));
        }
        if self.calibrate == Calibrate::Auto && self.has_depth() {
            // Frames that never look at the same place twice cannot tell, and stay as they are.
            dataset.calibration = calibrate(&dataset.training).ok().filter(Calibration::is_better);
        }
        if let Some(calibration) = dataset.calibration {
            dataset.change(&|frame| calibration.apply(frame))?;
        }
        if self.downscale > 1 {
            dataset.change(&|frame| downscaled(frame, self.downscale))?;
        }
        Ok(dataset)
    }
}

impl Dataset {
    fn change(&mut self, change: &(dyn Fn(&PosedImage) -> Result<PosedImage> + Sync)) -> Result<()> {
        for frames in [&mut self.training, &mut self.held_out] {
            *frames = frames.par_iter().map(change).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

/// A frame of a half, third, ... of the size: mean colours, and the depth nearest to the middle of each block.
fn downscaled(frame: &PosedImage, n: u32) -> Result<PosedImage> {
    let full = frame.view.camera;
    let (width, height) = (full.width / n, full.height / n);
    let mut camera = full;
    (camera.width, camera.height) = (width, height);
    for x in [&mut camera.fx, &mut camera.fy, &mut camera.cx, &mut camera.cy] {
        *x /= f64::from(n);
    }
    let blocks = || (0..height).flat_map(|row| (0..width).map(move |column| (column * n, row * n)));
    let mean = |(left, top): (u32, u32)| {
        let mut sum = [0u32; 3];
        for at in 0..n * n {
            if let Some(pixel) = frame.color.get(left + at % n, top + at / n) {
                sum.iter_mut().zip(pixel).for_each(|(s, p)| *s += u32::from(*p));
            }
        }
        sum.map(|s| ((s + n * n / 2) / (n * n)) as u8)
    };
    let color = Image::new(width, height, blocks().map(mean).collect())?;
    let depth = match &frame.depth {
        Some(depth) => {
            let middle =
                |(left, top): (u32, u32)| depth.get(left + n / 2, top + n / 2).copied().unwrap_or(f32::NAN);
            Some(Arc::new(Image::new(
                width,
                height,
                blocks().map(middle).collect(),
            )?))
        }
        None => None,
    };
    Ok(PosedImage {
        view: View::new(camera, frame.view.world_from_camera),
        color: Arc::new(color),
        depth,
        ..frame.clone()
    })
}
