//! `map view`: what is in a map.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use steward_core::time::Time;

use super::live::{Live, Show};
use super::ui::print_json;
use crate::{GaussianMap, Result, io};

/// Arguments of `map view`.
#[derive(Debug, clap::Args)]
pub struct ViewCommand {
    /// Map to look at
    map: PathBuf,
    /// Show it: `spawn` a viewer, `connect` to one, or a file.rrd to write
    #[arg(long, value_name = "WHERE")]
    rerun: Option<Show>,
    /// Print the summary as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// What `map view` prints.
#[derive(Debug, Serialize)]
struct Summary {
    gaussians: usize,
    sh_degree: u8,
    feature_len: usize,
    objects: usize,
    /// Corners of the box that holds 98 % of the centres along each axis, metres.
    bounds_m: [[f32; 3]; 2],
    /// Quartiles of the opacity.
    opacity: [f32; 3],
    /// Quartiles of the largest standard deviation, metres.
    size_m: [f32; 3],
    bytes: usize,
}

impl ViewCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let map = io::read(&self.map)?;
        let summary = Summary::of(&map);
        let [low, high] = summary.bounds_m;
        println!(
            "{} Gaussians, spherical harmonics of degree {}",
            summary.gaussians, summary.sh_degree
        );
        println!(
            "objects {}, features per Gaussian {}",
            summary.objects, summary.feature_len
        );
        println!("from {low:.2?} to {high:.2?} m (98 % along each axis)");
        println!("opacity, quartiles: {:.3?}", summary.opacity);
        println!("size, quartiles: {:.4?} m", summary.size_m);
        println!("{:.1} MiB in memory", summary.bytes as f64 / (1 << 20) as f64);
        let mut live = Live::new(self.rerun.as_ref())?;
        live.show(Time::ZERO, &map)?;
        live.finish()?;
        if self.json {
            print_json(&summary)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Summary {
    fn of(map: &GaussianMap) -> Self {
        let quantile = |mut values: Vec<f32>, share: f64| {
            values.sort_by(f32::total_cmp);
            let at = share * values.len().saturating_sub(1) as f64;
            values.get(at.round() as usize).copied().unwrap_or(0.0)
        };
        let quartiles = |values: Vec<f32>| [0.25, 0.5, 0.75].map(|q| quantile(values.clone(), q));
        let corner = |share: f64| {
            std::array::from_fn(|axis| quantile(map.means().iter().map(|m| m[axis]).collect(), share))
        };
        let mut objects: Vec<_> = map.objects().iter().flatten().collect();
        objects.sort_unstable();
        objects.dedup();
        let largest = |s: &[f32; 3]| s.iter().fold(f32::MIN, |a, b| a.max(*b)).exp();
        Summary {
            gaussians: map.len(),
            sh_degree: map.sh_degree(),
            feature_len: map.feature_len(),
            objects: objects.len(),
            bounds_m: [corner(0.01), corner(0.99)],
            opacity: quartiles(
                map.opacity_logits()
                    .iter()
                    .map(|l| 1.0 / (1.0 + (-l).exp()))
                    .collect(),
            ),
            size_m: quartiles(map.log_scales().iter().map(largest).collect()),
            bytes: map.len() * map.bytes_per_gaussian(),
        }
    }
}
