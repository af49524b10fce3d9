//! The command line of the crate on its own, and its benchmark:
//!
//! ```text
//! cargo run -p steward-ltl --features cli --example ltl -- check "a; -" --rule "F a & G (a -> X b)"
//! cargo run --release -p steward-ltl --features cli --example ltl -- bench --json
//! ```

use std::process::ExitCode;

use clap::Parser;
use steward_ltl::cli::{BenchCommand, LtlCommand};

#[derive(Parser)]
#[command(name = "ltl", about = "Temporal logic for robot plans")]
enum Command {
    #[command(flatten)]
    Ltl(LtlCommand),
    /// Measure every promise of the crate.
    Bench(BenchCommand),
}

fn main() -> ExitCode {
    let answer = match Command::parse() {
        Command::Ltl(command) => command.run(),
        Command::Bench(command) => command.run(),
    };
    answer.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}
