//! Workspace tasks: `cargo xtask test` is the whole test suite.

mod licences;
mod ros;
mod steps;
mod third_party;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use steps::Steps;

/// Tasks of the Steward workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lints, tests, documentation, licences and third-party checks.
    Test,
    /// Only the checks of recordings and exports by other people's tools.
    ThirdParty,
    /// The nodes on ROS 2: provide ROS 2, build, test.
    #[command(subcommand)]
    Ros(ros::Ros),
    /// Only the licences of everything the product links.
    Licences,
}

fn main() -> ExitCode {
    let mut steps = Steps::new();
    match Arguments::parse().command {
        Command::Test => test(&mut steps),
        Command::ThirdParty => steps.run("third-party checks", third_party::check),
        Command::Ros(what) => steps.run(what.name(), || what.run()),
        Command::Licences => steps.run("licences", licences::check),
    }
    steps.finish()
}

fn test(steps: &mut Steps) {
    steps.cargo("format", &["fmt", "--all", "--check"]);
    steps.cargo(
        "lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    );
    if steps::is_installed("cargo-nextest") {
        steps.cargo(
            "tests",
            &[
                "nextest",
                "run",
                "--workspace",
                "--no-fail-fast",
                "--status-level",
                "fail",
            ],
        );
    } else {
        steps.cargo(
            "tests",
            &[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--no-fail-fast",
            ],
        );
    }
    steps.cargo(
        "examples in the documentation",
        &["test", "--workspace", "--doc", "--quiet"],
    );
    steps.cargo_with(
        "documentation",
        &["doc", "--workspace", "--no-deps", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    );
    steps.run("licences", licences::check);
    steps.run("third-party checks", third_party::check);
    ros::check(steps);
}
