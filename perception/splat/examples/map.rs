//! The command line of the crate on its own, and its benchmark:
//!
//! ```text
//! cargo run --release -p steward-splat --features cli --example map -- build --room 120 --holdout 8 --minutes 1 --json
//! cargo run --release -p steward-splat --features cli --example map -- bench --json
//! ```

use std::process::ExitCode;

use clap::Parser;
use steward_splat::cli::{BenchCommand, MapCommand};

#[derive(Parser)]
#[command(name = "map", about = "Maps made of 3D Gaussians")]
enum Command {
    #[command(flatten)]
    Map(MapCommand),
    /// Measure every promise of the crate
    Bench(BenchCommand),
}

fn main() -> ExitCode {
    let answer = match Command::parse() {
        Command::Map(command) => command.run(),
        Command::Bench(command) => command.run(),
    };
    answer.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
