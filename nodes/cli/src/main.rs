//! The `steward` command line.
//!
//! Exit codes: 0 done; 1 the robot could not do it, a comparison failed, or a bar was missed; 2 bad usage or bad
//! input; 130 stopped by Ctrl-C.

mod bench;
mod pictures;
mod recordings;
mod ros;
mod run;
mod sim;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Planning and perception for service robots that live in a changing home.
#[derive(Parser)]
#[command(name = "steward", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let the robot carry out a task in a simulated home, in a closed loop
    Run(run::RunArguments),
    /// Feed a recording to the nodes again and compare every output
    Replay(recordings::ReplayArguments),
    /// Say what is in a recording
    Inspect(recordings::InspectArguments),
    /// Measure
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Make, look at, change and export simulated homes
    #[command(subcommand)]
    Sim(sim::SimCommand),
    /// Maps made of Gaussians: build, look at, measure, convert
    #[command(subcommand)]
    Map(steward_splat::cli::MapCommand),
    /// Temporal logic: parse, check traces, compare, explain, plan
    #[command(subcommand)]
    Ltl(steward_ltl::cli::LtlCommand),
    /// Write completions for a shell to standard output
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => recordings::replay(&arguments),
        Command::Inspect(arguments) => recordings::inspect(&arguments),
        Command::Bench(command) => bench::run(command),
        Command::Sim(command) => sim::run(command),
        Command::Map(command) => command.run().map_err(anyhow::Error::from),
        Command::Ltl(command) => command.run().map_err(anyhow::Error::from),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "steward",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("{} {error:#}", ui::bad("error:"));
        ExitCode::from(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
