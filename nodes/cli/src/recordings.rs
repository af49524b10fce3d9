//! `steward replay` and `steward inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use steward_nodes::episode::EpisodeConfig;
use steward_nodes::error::Error;
use steward_nodes::node::Node;
use steward_nodes::recording::{self, RunMetadata};

use crate::ui;
use steward_nodes::pictures::{Pictures, Rerun};

/// Arguments of `steward replay`.
#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// The recording, for example runs/latest/run.mcap
    recording: PathBuf,
    /// Compare every output with the recorded one; exit with 1 at the first difference
    #[arg(long)]
    verify: bool,
    /// Write what the nodes do now to a rerun file
    #[arg(long, value_name = "FILE")]
    rerun: Option<PathBuf>,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// The nodes of a recorded run.
pub(crate) fn rebuild(metadata: &RunMetadata) -> Result<Vec<Box<dyn Node>>, Error> {
    let config: EpisodeConfig = serde_json::from_value(metadata.config.clone()).map_err(|e| {
        Error::Replay(format!(
            "the settings in the recording are not of this version: {e}"
        ))
    })?;
    config.nodes.nodes(steward_sim::robot::URDF)
}

pub(crate) fn replay(arguments: &ReplayArguments) -> Result<ExitCode> {
    if !arguments.verify && arguments.rerun.is_none() {
        bail!("say what the replay is for: --verify compares outputs, --rerun FILE shows them");
    }
    let mut pictures = match &arguments.rerun {
        Some(path) => Pictures::new(Rerun::Save, path)?,
        None => Pictures::new(Rerun::Off, Path::new(""))?,
    };
    let report = recording::replay(&arguments.recording, rebuild, &mut pictures)?;
    pictures.finish()?;
    if let Some(damage) = &report.damage {
        eprintln!("{} {damage}", ui::bad("the recording is damaged:"));
    }
    match &report.difference {
        None => eprintln!(
            "{}: {} outputs of {} are the same, byte for byte ({} inputs, {:.1} s)",
            ui::good("identical"),
            report.compared,
            report.nodes.join(", "),
            report.inputs,
            report.end_s
        ),
        Some(difference) => eprintln!("{}: {difference}", ui::bad("different")),
    }
    if arguments.json {
        ui::json(&report)?;
    }
    let ok = report.is_identical() && report.damage.is_none();
    Ok(if ok || !arguments.verify {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Arguments of `steward inspect`.
#[derive(Args)]
pub(crate) struct InspectArguments {
    /// The recording, for example runs/latest/run.mcap
    recording: PathBuf,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

pub(crate) fn inspect(arguments: &InspectArguments) -> Result<ExitCode> {
    let inspection = recording::inspect(&arguments.recording)?;
    if arguments.json {
        ui::json(&inspection)?;
    } else {
        println!("{inspection}");
    }
    Ok(ExitCode::SUCCESS)
}
