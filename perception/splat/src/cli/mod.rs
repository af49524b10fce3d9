//! The command line as a library: `steward map …` mounts [`MapCommand`], `steward bench splat` mounts [`BenchCommand`].
//!
//! Results go to standard output, progress to standard error. With `--json` the last line is one JSON object. The exit
//! code is 0 where everything was done, 1 where a bar was missed, 130 after Ctrl-C (what was done until then is saved);
//! errors are returned.

mod bench;
mod build;
mod convert;
mod evaluate;
mod live;
mod render;
mod sheet;
mod source;
mod ui;
mod view;

use std::process::ExitCode;

pub use bench::{BenchCommand, BenchReport, Peer};

use crate::Result;

/// Maps made of Gaussians: build, look at, measure, convert
#[derive(Debug, clap::Subcommand)]
pub enum MapCommand {
    /// Build a map from RGB-D frames or a COLMAP reconstruction
    Build(Box<build::BuildCommand>),
    /// Render a map from the poses of a data set or from one given pose
    Render(render::RenderCommand),
    /// Compare a map with the frames of a data set
    Eval(evaluate::EvalCommand),
    /// Convert a map between .ply, .splat and .spz
    Convert(convert::ConvertCommand),
    /// Write the frames of a data set as a COLMAP reconstruction, for other programs
    Colmap(convert::ColmapCommand),
    /// Say what is in a map, and show it in rerun
    View(view::ViewCommand),
}

impl MapCommand {
    /// Does it.
    ///
    /// # Errors
    /// What reading, building, rendering and writing report.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            MapCommand::Build(command) => command.run(),
            MapCommand::Render(command) => command.run(),
            MapCommand::Eval(command) => command.run(),
            MapCommand::Convert(command) => command.run(),
            MapCommand::Colmap(command) => command.run(),
            MapCommand::View(command) => command.run(),
        }
    }
}
