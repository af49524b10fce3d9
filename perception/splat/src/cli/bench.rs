//! `bench splat`: the figures that the crate promises, and the peer's where it was measured (`bench/peers.sh`).
//!
//! What needs a reference renderer is measured by the tests instead: `cargo test -p steward-splat --release --test
//! reference_images --test gradients`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use steward_core::time::{Duration, Time};

use super::build::{Work, keyframe, offline_fit, one_by_one};
use super::convert::points;
use super::evaluate::score_all;
use super::source::{Calibrate, Dataset, SourceArguments};
use super::ui::{self, print_json};
use crate::eval::Scores;
use crate::fit::{Budget, Fit, FitConfig};
use crate::io::colmap;
use crate::io::rgbd::PosedImage;
use crate::synthetic::{RoomConfig, room};
use crate::{Engine, Error, GaussianMap, ImageGradients, RenderOptions, Renderer, Result, Scope, Subset};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Frames and iterations per second, cost with most of the map frozen
    Speed,
    /// Whether the bytes depend on the number of threads
    Threads,
    /// Quality on an analytic room
    Room,
    /// Frames one at a time against all at once
    Incremental,
    /// Quality on real frames, and the race against the peer
    Real,
}

/// Measure every promise of the crate.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchCommand {
    /// Only these parts; all where none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Folder of real RGB-D frames for the parts that need them
    #[arg(
        long,
        default_value = "../shared/data/rgbd/redkitchen",
        env = "STEWARD_RGBD_DATA"
    )]
    rgbd: PathBuf,
    /// Minutes for the real frames
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Minutes for the analytic room
    #[arg(long, default_value_t = 5.0)]
    room_minutes: f64,
    /// What `bench/peers.sh` measured
    #[arg(long, value_name = "FILE", env = "STEWARD_SPLAT_PEERS")]
    peers: Option<PathBuf>,
    /// Print one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// What was measured; parts that were not asked for, or lack their data, are `None`. Times are of this machine.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BenchReport {
    /// Threads used.
    pub threads: usize,
    /// 640x480, degree 3, 200,000 Gaussians on the surfaces of a room: renderings per second, median over views.
    pub forward_fps: Option<f64>,
    /// The same with 1,000,000 Gaussians.
    pub forward_fps_1m: Option<f64>,
    /// Forward, backward and Adam per second, 200,000 Gaussians.
    pub train_ips: Option<f64>,
    /// Cost of an iteration with the 5 % of the Gaussians around one place free, relative to all free.
    pub frozen_ratio: Option<f64>,
    /// The same with 5 % spread evenly over the map.
    pub frozen_ratio_scattered: Option<f64>,
    /// Whether 1, 2 and 8 threads give the same images, gradients, and map after 100 iterations.
    pub threads_identical: Option<bool>,
    /// Held-out frames of the analytic room, 320x240.
    pub room: Option<Scores>,
    /// Held-out real frames after all frames were there from the start.
    pub offline: Option<Scores>,
    /// The same after one frame at a time with half a second each, in the same total time.
    pub incremental: Option<Scores>,
    /// Most Gaussians in the incremental run, and the cap.
    pub incremental_gaussians: Option<[usize; 2]>,
    /// Held-out real frames after the minutes given.
    pub real: Option<Scores>,
    /// The peer on the same frames.
    pub peer: Option<Peer>,
    /// Seconds after which the map first was as good as the peer in the end.
    pub seconds_to_peer: Option<f64>,
    /// The peer's time over ours for that.
    pub speedup_to_quality: Option<f64>,
}

/// What `bench/peers.sh` writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Peer {
    /// Program and version.
    pub name: String,
    /// Time that it was given on the same number of cores, seconds.
    pub seconds: f64,
    /// Held-out quality by our metrics, dB.
    pub psnr_db: f64,
}

impl BenchCommand {
    /// Measures and prints; the exit code tells whether every bar that was measured is reached.
    ///
    /// # Errors
    /// What reading, rendering and fitting report.
    pub fn run(self) -> Result<ExitCode> {
        let report = self.measure()?;
        let value = serde_json::to_value(&report).map_err(|e| Error::BadConfig(e.to_string()))?;
        for (name, value) in value.as_object().into_iter().flatten() {
            println!("{name:>24}  {value}");
        }
        if self.json {
            print_json(&value)?;
        }
        Ok(if report.keeps_promises() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn measure(&self) -> Result<BenchReport> {
        let mut report = BenchReport {
            threads: rayon::current_num_threads(),
            ..BenchReport::default()
        };
        if self.wants(Part::Speed) {
            speed(&mut report)?;
        }
        if self.wants(Part::Threads) {
            report.threads_identical = Some(same_for_all_threads()?);
        }
        if self.wants(Part::Room) {
            let dataset = SourceArguments::of_room(120, 8).load()?;
            report.room = fit_and_score(&dataset, self.room_minutes * 60.0)?.1;
        }
        let real = self.wants(Part::Real) || self.wants(Part::Incremental);
        if !real {
            return Ok(report);
        }
        if !self.rgbd.is_dir() {
            eprintln!("no real frames at {}: give --rgbd", self.rgbd.display());
            return Ok(report);
        }
        let dataset = SourceArguments::of_rgbd(&self.rgbd, 8, Calibrate::Auto).load()?;
        if self.wants(Part::Incremental) {
            incremental(&dataset, &mut report)?;
        }
        if self.wants(Part::Real) {
            let peer = self.peers.as_deref().map(read_peer).transpose()?;
            race(&dataset, self.minutes * 60.0, peer, &mut report)?;
        }
        Ok(report)
    }
}

impl BenchReport {
    /// Whether every bar that was measured is reached.
    pub fn keeps_promises(&self) -> bool {
        let at_least = |value: Option<f64>, bar: f64| value.is_none_or(|v| v >= bar);
        let scores = |scores: &Option<Scores>, psnr_db: f64, depth_m: f64| {
            scores
                .as_ref()
                .is_none_or(|s| s.psnr_db >= psnr_db && s.depth_l1_m.is_none_or(|d| d <= depth_m))
        };
        let close = match (&self.offline, &self.incremental) {
            (Some(offline), Some(incremental)) => incremental.psnr_db >= offline.psnr_db - 1.0,
            _ => true,
        };
        at_least(self.forward_fps, 15.0)
            && at_least(self.forward_fps_1m, 5.0)
            && at_least(self.train_ips, 4.0)
            && self.frozen_ratio.is_none_or(|r| r <= 0.35)
            && self.threads_identical != Some(false)
            && scores(&self.room, 34.0, 0.005)
            && scores(&self.real, 22.0, 0.03)
            && close
            && self.incremental_gaussians.is_none_or(|[most, cap]| most <= cap)
            && (self.peer.is_none() || at_least(self.speedup_to_quality.or(Some(0.0)), 5.0))
    }
}

fn read_peer(path: &Path) -> Result<Peer> {
    let text = std::fs::read_to_string(path)?;
    serde_json::from_str(&text).map_err(|e| Error::File {
        path: path.display().to_string(),
        reason: e.to_string(),
    })
}

/// Pictures of the room at the size that speed is measured at.
fn large_room() -> Result<Vec<PosedImage>> {
    room(&RoomConfig {
        frames: 12,
        width: 640,
        height: 480,
        rays_per_side: 1,
        ..RoomConfig::default()
    })
}

/// `count` Gaussians of degree 3 on the surfaces that frames see: as large as the distance to their neighbours, mostly
/// opaque, coloured a little differently from every side.
fn surface_map(frames: &[PosedImage], count: usize) -> Result<GaussianMap> {
    let mut points = points(frames, count);
    points.truncate(count);
    let mut map = colmap::seed(&points)?.with_sh_degree(3)?;
    let stride = map.sh_stride();
    for (i, sh) in map.sh_mut().iter_mut().enumerate() {
        if i % stride >= 3 {
            *sh = 0.02 * ((i % 17) as f32 / 8.0 - 1.0);
        }
    }
    for (i, logit) in map.opacity_logits_mut().iter_mut().enumerate() {
        *logit = 0.5 + 0.5 * (i % 7) as f32;
    }
    Ok(map)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Renderings per second: three of every view after one to warm up, median.
fn forward_fps(map: &GaussianMap, frames: &[PosedImage]) -> Result<f64> {
    let mut seconds = Vec::new();
    for round in 0..4 {
        for frame in frames {
            let start = Instant::now();
            let rendering =
                Renderer.forward(map, &frame.view, &RenderOptions::default(), Scope::default())?;
            std::hint::black_box(&rendering);
            if round > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(1.0 / median(seconds))
}

/// Seconds per iteration at full resolution without densification, median.
fn iteration_seconds(map: &GaussianMap, frames: &[PosedImage], free: Option<Subset>) -> Result<f64> {
    let mut config = FitConfig {
        coarse_visits: 0,
        ..FitConfig::default()
    };
    config.densify.every = 0;
    let mut fit = Fit::new(config, map.clone())?;
    for frame in frames {
        fit.add_keyframe(keyframe(frame))?;
    }
    fit.set_free(free)?;
    let mut seconds = Vec::new();
    for i in 0..3 * frames.len() {
        let start = Instant::now();
        fit.run(Budget::iterations(1), &mut || Time::ZERO, &mut |_| true)?;
        if i >= 4 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(seconds.iter().sum::<f64>() / seconds.len() as f64)
}

fn speed(report: &mut BenchReport) -> Result<()> {
    let frames = large_room()?;
    let map = surface_map(&frames, 200_000)?;
    report.forward_fps = Some(forward_fps(&map, &frames)?);
    report.forward_fps_1m = Some(forward_fps(&surface_map(&frames, 1_000_000)?, &frames)?);
    let full = iteration_seconds(&map, &frames, None)?;
    report.train_ips = Some(1.0 / full);

    // What is in the middle of the first picture, seen also by the pictures next to it.
    let share = map.len() / 20;
    let first = &frames[0];
    let (column, row) = (first.view.camera.width / 2, first.view.camera.height / 2);
    let z = first
        .depth
        .as_ref()
        .and_then(|d| d.get(column, row))
        .copied()
        .unwrap_or(1.0);
    let center = first.view.world_from_camera
        * first
            .view
            .camera
            .unproject(f64::from(column) + 0.5, f64::from(row) + 0.5, f64::from(z));
    let distance = |i: usize| {
        let m = map.means()[i];
        (0..3).map(|k| (f64::from(m[k]) - center[k]).powi(2)).sum::<f64>()
    };
    let mut order: Vec<usize> = (0..map.len()).collect();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)).then(a.cmp(b)));
    let around = Subset::from_indices(map.len(), order[..share].iter().copied());
    let seeing: Vec<PosedImage> = frames
        .iter()
        .filter(|f| {
            let local = f.view.world_from_camera.inverse() * center;
            let camera = &f.view.camera;
            camera
                .project(&local)
                .is_some_and(|(u, v)| camera.contains(u, v, 0.0))
        })
        .cloned()
        .collect();
    let full_there = iteration_seconds(&map, &seeing, None)?;
    report.frozen_ratio = Some(iteration_seconds(&map, &seeing, Some(around))? / full_there);
    let scattered = map.select(|i| i % 20 == 0);
    report.frozen_ratio_scattered = Some(iteration_seconds(&map, &frames, Some(scattered))? / full);
    Ok(())
}

/// Bytes of a rendering, of gradients, and of a map after 100 iterations, with a number of threads.
fn bytes_with(threads: usize, frames: &[PosedImage]) -> Result<Vec<u8>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::BadConfig(e.to_string()))?;
    pool.install(|| {
        let map = surface_map(frames, 20_000)?;
        let rendering =
            Renderer.forward(&map, &frames[0].view, &RenderOptions::default(), Scope::default())?;
        let by_images = ImageGradients {
            color: rendering.color.iter().map(|c| c - 0.5).collect(),
            depth: Some(rendering.depth.iter().map(|d| 0.1 * d).collect()),
            ..ImageGradients::default()
        };
        let gradients = Renderer.backward(&map, &rendering, &by_images, None)?;
        let mut bytes = Vec::new();
        let mut add = |values: &[f32]| bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        add(&rendering.color);
        add(&rendering.depth);
        for chunk in &gradients.chunks {
            add(chunk.means.as_flattened());
            add(chunk.log_scales.as_flattened());
            add(chunk.rotations.as_flattened());
            add(&chunk.opacity_logits);
            add(&chunk.sh);
        }
        bytes.extend(gradients.twist.iter().flat_map(|x| x.to_le_bytes()));
        let mut fit = Fit::new(FitConfig::default(), map)?;
        for frame in frames {
            let number = fit.add_keyframe(keyframe(frame))?;
            fit.seed_from(number)?;
        }
        fit.run(Budget::iterations(100), &mut || Time::ZERO, &mut |_| true)?;
        crate::io::ply::write(&mut bytes, fit.map(), crate::io::ply::Properties::All)?;
        Ok(bytes)
    })
}

fn same_for_all_threads() -> Result<bool> {
    let frames = room(&RoomConfig {
        frames: 6,
        width: 160,
        height: 120,
        rays_per_side: 1,
        ..RoomConfig::default()
    })?;
    let one = bytes_with(1, &frames)?;
    Ok(bytes_with(2, &frames)? == one && bytes_with(8, &frames)? == one)
}

fn scores(fit: &Fit, dataset: &Dataset) -> Result<Option<Scores>> {
    let predicted = |frame: &PosedImage| fit.predict(frame.stamp, &frame.view);
    let each = score_all(
        fit.map(),
        &dataset.held_out,
        &FitConfig::default().render,
        &predicted,
        None,
    )?;
    Ok(Scores::of(&each))
}

/// An offline fit of that many seconds, seeding included.
fn fit_and_score(dataset: &Dataset, seconds: f64) -> Result<(Fit, Option<Scores>)> {
    let mut work = Work::unwatched()?;
    let mut fit = offline_fit(FitConfig::default(), dataset)?;
    let left = (seconds - work.seconds()).max(0.0);
    work.go(&mut fit, Budget::time(Duration::from_secs_f64(left)))?;
    let scores = scores(&fit, dataset)?;
    Ok((fit, scores))
}

fn incremental(dataset: &Dataset, report: &mut BenchReport) -> Result<()> {
    const SECONDS: f64 = 0.5;
    let total = SECONDS * dataset.training.len() as f64;
    report.offline = fit_and_score(dataset, total)?.1;
    let mut work = Work::unwatched()?;
    let mut most = 0;
    let fit = one_by_one(FitConfig::default(), dataset, SECONDS, &mut work, &mut |fit| {
        most = most.max(fit.map().len());
    })?;
    report.incremental = scores(&fit, dataset)?;
    report.incremental_gaussians = Some([most, fit.cap()]);
    Ok(())
}

/// Fits the real frames; looks every few seconds, off the clock, whether the peer's quality is reached.
fn race(dataset: &Dataset, seconds: f64, peer: Option<Peer>, report: &mut BenchReport) -> Result<()> {
    const LOOK_S: f64 = 5.0;
    let mut work = Work::unwatched()?;
    let mut fit = offline_fit(FitConfig::default(), dataset)?;
    let mut spent = work.seconds();
    let bar = ui::progress(seconds as u64, "real frames");
    let mut last = None;
    while spent < seconds {
        let span = if peer.is_some() && report.seconds_to_peer.is_none() {
            LOOK_S.min(seconds - spent)
        } else {
            seconds - spent
        };
        let start = work.seconds();
        work.go(&mut fit, Budget::time(Duration::from_secs_f64(span)))?;
        spent += work.seconds() - start;
        bar.set_position(spent as u64);
        last = scores(&fit, dataset)?;
        if let (Some(peer), Some(ours), None) = (&peer, &last, report.seconds_to_peer)
            && ours.psnr_db >= peer.psnr_db
        {
            report.seconds_to_peer = Some(spent);
            report.speedup_to_quality = Some(peer.seconds / spent);
        }
    }
    bar.finish_and_clear();
    report.real = last;
    report.peer = peer;
    Ok(())
}
