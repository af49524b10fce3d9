//! The benchmark on VirtualHome's evolving graph, on its own:
//!
//! ```text
//! planners/task/bench/virtualhome.sh FOLDER
//! cargo run --release -p steward-task --features cli --example virtualhome -- --data FOLDER --json
//! ```

use std::process::ExitCode;

use clap::Parser;
use steward_task::cli::BenchCommand;

#[derive(Parser)]
#[command(name = "virtualhome", about = "Plan trees, repair and search on VirtualHome")]
struct Arguments {
    #[command(flatten)]
    bench: BenchCommand,
}

fn main() -> ExitCode {
    Arguments::parse().bench.run().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}
