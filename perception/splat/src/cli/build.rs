//! `map build`: frames in, a map out.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use serde::Serialize;
use steward_core::camera::CameraIntrinsics;
use steward_core::time::Duration;

use super::evaluate::{print_scores, score_all};
use super::live::{Live, Show};
use super::sheet::Sheet;
use super::source::{Dataset, SourceArguments};
use super::ui::{self, Clock, print_json};
use crate::eval::{FrameScore, Scores};
use crate::fit::{Budget, Event, Exposure, Fit, FitConfig, Keyframe};
use crate::io::rgbd::PosedImage;
use crate::{Error, GaussianMap, Result, io};

/// Arguments of `map build`.
#[derive(Debug, clap::Args)]
pub struct BuildCommand {
    #[command(flatten)]
    source: SourceArguments,
    /// Map to write: .ply, .splat or .spz
    #[arg(long, default_value = "map.ply", value_name = "FILE")]
    out: PathBuf,
    /// Time to spend, reading the frames included
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Number of iterations, instead of a time
    #[arg(long, conflicts_with_all = ["minutes", "incremental"])]
    iterations: Option<u64>,
    /// Take in one frame after the other and spend this many seconds after each, instead of having all at once
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["minutes", "resume"])]
    incremental: Option<f64>,
    /// Settings as JSON, as far as they differ from the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Most Gaussians, instead of the configured number
    #[arg(long, value_name = "N")]
    max_gaussians: Option<usize>,
    /// Seed of everything random, instead of the configured one
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; the result does not depend on them where iterations are counted. Default: one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Write all that is needed to go on later to this file
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Go on from such a file, with the same frames
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Write truth, rendering, error and depth of the held-out frames to this PNG
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Show the map as it grows: `spawn` a viewer, `connect` to one, or a file.rrd to write
    #[arg(long, value_name = "WHERE")]
    rerun: Option<Show>,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// What `map build` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Scores on the held-out frames, posed and exposed as the training frames before and after suggest.
    #[serde(flatten)]
    scores: Option<Scores>,
    /// The same with the poses as given and no exposure.
    as_given: Option<Scores>,
    training_frames: usize,
    keyframes: usize,
    gaussians: usize,
    iterations: u64,
    /// From the start of the program to the end of the fit.
    seconds: f64,
    /// What the Gaussians take, without the state of their optimisation.
    map_bytes: usize,
    peak_memory_bytes: Option<u64>,
    /// The colour camera found, where it is another than the one given.
    color_camera: Option<CameraIntrinsics>,
    stopped: bool,
    each: Vec<FrameScore>,
}

impl BuildCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let clock = Clock::start();
        ui::use_threads(self.threads)?;
        let config = self.config()?;
        // Before the work, not after it.
        io::Format::of(&self.out)?;
        let stop = ui::stop_on_ctrl_c()?;
        let dataset = self.source.load()?;
        eprintln!(
            "{} frames, {} held out",
            dataset.training.len(),
            dataset.held_out.len()
        );
        if let Some(c) = &dataset.calibration {
            eprintln!(
                "colour and depth are of two cameras: colour has fx {:.1}, cx {:.1}, cy {:.1} (difference in brightness {:.4} instead of {:.4})",
                c.color.fx, c.color.cx, c.color.cy, c.residual_after, c.residual_before
            );
        }
        let mut work = Work {
            live: Live::new(self.rerun.as_ref())?,
            clock,
            stop,
            bar: ui::progress(0, "fitting"),
        };
        let fit = self.fit(config, &dataset, &mut work)?;
        work.bar.finish_and_clear();
        let seconds = work.clock.seconds();
        let stopped = work.stop.load(Ordering::SeqCst);

        if let Some(path) = &self.checkpoint {
            io::write_whole(path, |w| fit.save(w))?;
        }
        io::write(&self.out, fit.map())?;
        eprintln!(
            "{}: {} Gaussians after {} iterations in {seconds:.1} s",
            self.out.display(),
            fit.map().len(),
            fit.iteration()
        );
        let report = self.report(&fit, &dataset, config, seconds, stopped)?;
        work.live.show(work.clock.now(), fit.map())?;
        work.live.finish()?;
        if self.json {
            print_json(&report)?;
        }
        Ok(if stopped {
            ExitCode::from(130)
        } else {
            ExitCode::SUCCESS
        })
    }

    fn config(&self) -> Result<FitConfig> {
        let mut config = match &self.config {
            Some(path) => serde_json::from_reader(BufReader::new(File::open(path)?))
                .map_err(|e| Error::BadConfig(format!("{}: {e}", path.display())))?,
            None => FitConfig::default(),
        };
        config.max_gaussians = self.max_gaussians.unwrap_or(config.max_gaussians);
        config.seed = self.seed.unwrap_or(config.seed);
        config.validate()?;
        let spans = [self.minutes * 60.0, self.incremental.unwrap_or(0.0)];
        if spans.iter().any(|s| !(0.0..1e7).contains(s)) {
            return Err(Error::BadConfig(
                "minutes and seconds must not be negative".into(),
            ));
        }
        Ok(config)
    }

    fn fit(&self, config: FitConfig, dataset: &Dataset, work: &mut Work) -> Result<Fit> {
        if let Some(path) = &self.resume {
            let keyframes = dataset.training.iter().map(keyframe).collect();
            let mut fit = Fit::resume(&mut BufReader::new(File::open(path)?), keyframes)?;
            work.go(&mut fit, self.budget(work))?;
            return Ok(fit);
        }
        let mut start = GaussianMap::new(crate::map::MAX_SH_DEGREE, 0)?;
        start.merge(&crate::io::colmap::seed(&dataset.points)?)?;
        let mut fit = Fit::new(config, start)?;
        if let Some(seconds) = self.incremental {
            work.bar
                .set_length((seconds * dataset.training.len() as f64).ceil() as u64);
            for frame in &dataset.training {
                fit.observe(keyframe(frame))?;
                work.go(&mut fit, Budget::time(Duration::from_secs_f64(seconds)))?;
                if work.stop.load(Ordering::SeqCst) {
                    break;
                }
            }
            return Ok(fit);
        }
        for frame in &dataset.training {
            let number = fit.add_keyframe(keyframe(frame))?;
            if frame.depth.is_some() {
                fit.seed_from(number)?;
            }
        }
        let budget = self.budget(work);
        work.bar.set_length(match budget.iterations {
            Some(n) => n,
            None => (self.minutes * 60.0).ceil() as u64,
        });
        work.go(&mut fit, budget)?;
        Ok(fit)
    }

    /// What is left of the time, or the number of iterations.
    fn budget(&self, work: &Work) -> Budget {
        match self.iterations {
            Some(n) => Budget::iterations(n),
            None => Budget::time(Duration::from_secs_f64(
                (self.minutes * 60.0 - work.clock.seconds()).max(0.0),
            )),
        }
    }

    fn report(
        &self,
        fit: &Fit,
        dataset: &Dataset,
        config: FitConfig,
        seconds: f64,
        stopped: bool,
    ) -> Result<Report> {
        let held_out: &[PosedImage] = if stopped { &[] } else { &dataset.held_out };
        let mut sheet = self.sheet.as_ref().map(|_| Sheet::default());
        let predicted = |frame: &PosedImage| fit.predict(frame.stamp, &frame.view);
        let each = score_all(fit.map(), held_out, &config.render, &predicted, sheet.as_mut())?;
        let given = |frame: &PosedImage| (frame.view, Exposure::default());
        let as_given = score_all(fit.map(), held_out, &config.render, &given, None)?;
        if let (Some(sheet), Some(path)) = (&sheet, self.sheet.as_ref().filter(|_| !each.is_empty())) {
            sheet.write(path)?;
        }
        let scores = Scores::of(&each);
        scores.iter().for_each(print_scores);
        Ok(Report {
            scores,
            as_given: Scores::of(&as_given),
            training_frames: dataset.training.len(),
            keyframes: fit.keyframes().len(),
            gaussians: fit.map().len(),
            iterations: fit.iteration(),
            seconds,
            map_bytes: fit.map().len() * fit.map().bytes_per_gaussian(),
            peak_memory_bytes: peak_memory_bytes(),
            color_camera: dataset.calibration.map(|c| c.color),
            stopped,
            each,
        })
    }
}

/// A fit that knows all frames from the start, seeded by all of them.
pub(super) fn offline_fit(config: FitConfig, dataset: &Dataset) -> Result<Fit> {
    let mut start = GaussianMap::new(crate::map::MAX_SH_DEGREE, 0)?;
    start.merge(&crate::io::colmap::seed(&dataset.points)?)?;
    let mut fit = Fit::new(config, start)?;
    for frame in &dataset.training {
        let number = fit.add_keyframe(keyframe(frame))?;
        if frame.depth.is_some() {
            fit.seed_from(number)?;
        }
    }
    Ok(fit)
}

/// A fit that gets one frame after the other and iterates for some seconds after each.
pub(super) fn one_by_one(
    config: FitConfig,
    dataset: &Dataset,
    seconds: f64,
    work: &mut Work,
    after_each: &mut dyn FnMut(&Fit),
) -> Result<Fit> {
    let mut fit = Fit::new(config, GaussianMap::new(crate::map::MAX_SH_DEGREE, 0)?)?;
    for frame in &dataset.training {
        let start = work.seconds();
        fit.observe(keyframe(frame))?;
        // Taking the frame in is part of its time.
        let left = (seconds - (work.seconds() - start)).max(0.0);
        work.go(&mut fit, Budget::time(Duration::from_secs_f64(left)))?;
        after_each(&fit);
        if work.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(fit)
}

/// What is needed while the fit runs.
pub(super) struct Work {
    live: Live,
    clock: Clock,
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
}

impl Work {
    /// With nobody to show progress to.
    pub(super) fn unwatched() -> Result<Self> {
        Ok(Work {
            live: Live::new(None)?,
            clock: Clock::start(),
            stop: Arc::default(),
            bar: ProgressBar::hidden(),
        })
    }

    /// Seconds since the work began.
    pub(super) fn seconds(&self) -> f64 {
        self.clock.seconds()
    }

    /// Runs the fit, shows progress, stops on Ctrl-C.
    pub(super) fn go(&mut self, fit: &mut Fit, budget: Budget) -> Result<()> {
        let Work {
            live,
            clock,
            stop,
            bar,
        } = self;
        let counts = budget.iterations.is_some();
        // The fit runs in pieces so that the map can be shown in between.
        let end = budget.time.map(|span| clock.now() + span);
        let mut left = budget.iterations;
        loop {
            let piece = Budget {
                iterations: Some(left.map_or(PIECE, |n| n.min(PIECE))),
                time: end.map(|end| end - clock.now()),
            };
            let summary = fit.run(piece, &mut || clock.now(), &mut |event| {
                if let Event::Iteration {
                    iteration,
                    loss,
                    gaussians,
                    ..
                } = event
                {
                    bar.set_position(if counts {
                        *iteration
                    } else {
                        clock.seconds() as u64
                    });
                    bar.set_message(format!(
                        "{iteration} iterations, {gaussians} Gaussians, loss {:.4}",
                        loss.total
                    ));
                }
                !stop.load(Ordering::SeqCst)
            })?;
            live.show(clock.now(), fit.map())?;
            left = left.map(|n| n.saturating_sub(summary.iterations));
            let timed_out = end.is_some_and(|end| clock.now() >= end);
            if summary.stopped || summary.iterations == 0 || timed_out || left == Some(0) {
                return Ok(());
            }
        }
    }
}

/// Iterations between two looks at the map.
const PIECE: u64 = 50;

pub(super) fn keyframe(frame: &PosedImage) -> Keyframe {
    Keyframe {
        stamp: frame.stamp,
        view: frame.view,
        color: frame.color.clone(),
        depth: frame.depth.clone(),
    }
}

/// Most memory that the program had at a time, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}
