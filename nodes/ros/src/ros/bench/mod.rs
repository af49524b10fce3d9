//! The executable `bench`, which `steward bench ros` and `steward bench soak` start: what it is asked comes as JSON, and
//! it prints lines of JSON ([`Line`]).

mod child;
mod client;
mod images;
mod overhead;
mod soak;

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use steward_nodes::bench::ros::{Line, RosBench, RosReport};

use super::process;

/// Namespace of what is measured.
const NAMESPACE: &str = "/bench";

/// Runs a benchmark as a program.
pub fn main() -> ExitCode {
    process::main("bench", run)
}

fn run(stop: &AtomicBool) -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ros", asked] => ros(&asked_for(asked)?, stop),
        ["soak", asked] => soak::run(&asked_for(asked)?, stop),
        _ => bail!("use `steward bench ros` or `steward bench soak`, which start this"),
    }
}

fn asked_for<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .context("what is asked makes no sense; are `steward` and this of the same version?")
}

fn ros(asked: &RosBench, stop: &AtomicBool) -> Result<()> {
    let images = images::measure(asked, stop)?;
    let overhead = overhead::measure(asked, stop)?;
    report(RosReport {
        images,
        episode_ros_s: overhead.ros.wall_s,
        episode_in_process_s: overhead.in_process.wall_s,
        overhead_ratio: overhead.ros.wall_s / overhead.in_process.wall_s,
        same_end: overhead.ros.end == overhead.in_process.end,
    })
}

/// Says how far it is.
fn progress(doing: &str, at_s: f64, of_s: f64) -> Result<()> {
    print(&Line::<()>::Progress {
        doing: doing.into(),
        at_s,
        of_s,
    })
}

fn report<R: Serialize>(report: R) -> Result<()> {
    print(&Line::Report(report))
}

fn print<R: Serialize>(line: &Line<R>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?).context("nobody reads what is measured")?;
    Ok(out.flush()?)
}
