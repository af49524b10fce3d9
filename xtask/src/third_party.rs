//! Lets other people's tools look at what Steward writes: recordings (Python `mcap` with ROS 2 support) and
//! exports (`check_urdf`, SDFormat's checker), Gaussian maps (`splat-transform`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::steps::{is_ci, is_installed, root, run};

/// # Errors
/// The first tool that refuses something, and under CI a tool that is missing.
pub(crate) fn check() -> Result<()> {
    let work = std::env::temp_dir().join(format!("steward-checks-{}", std::process::id()));
    std::fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let steward = steward_binary()?;
    // The launch files' tests use them too.
    let has_export_tools = has_export_tools()?;
    let checked = check_recording(&steward, &work)
        .and_then(|()| check_launch_files(&steward))
        .and_then(|()| {
            if has_export_tools {
                check_exports(&steward, &work)
            } else {
                Ok(())
            }
        })
        .and_then(|()| check_maps(&steward, &work));
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    checked
}

/// Records a short run and lets Python decode every message of it.
fn check_recording(steward: &Path, work: &Path) -> Result<()> {
    let Some(python) = python_with(&["mcap", "mcap-ros2-support"])? else {
        return Ok(());
    };
    let out = work.join("run");
    run(Command::new(steward)
        .args([
            "run",
            "--home",
            "maps/apartment.yaml",
            "--goal",
            "on(mug, desk)",
            "--time-limit-s",
            "20",
        ])
        .args(["--rerun", "off", "--allow-failure", "--out"])
        .arg(&out))?;
    run(Command::new(python)
        .arg("nodes/checks/check_recording.py")
        .arg(out.join("run.mcap")))
}

/// Reads and runs through the launch files. What of `launch/test` needs a ROS 2 is not run here.
fn check_launch_files(steward: &Path) -> Result<()> {
    let Some(python) = python_with(&["pytest", "pyyaml"])? else {
        return Ok(());
    };
    let tests = ["launch_files", "parameters", "gazebo", "drives"];
    run(Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .args(tests.map(|name| format!("launch/test/test_{name}.py")))
        .env("STEWARD_BIN", steward))
}

/// Whether the tools that read exports are there; under CI they are installed first.
fn has_export_tools() -> Result<bool> {
    let packages = ["ignition-tools", "libsdformat-dev", "liburdfdom-tools"];
    if (is_installed("ign") || is_installed("gz")) && is_installed("check_urdf") {
        return Ok(true);
    }
    if !(is_ci() && is_installed("apt-get")) {
        let packages = packages.join(" ");
        return skip::<()>(&format!(
            "tools are not installed (Debian and Ubuntu: apt-get install {packages})"
        ))
        .map(|_| false);
    }
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))?;
    Ok(true)
}

fn check_exports(steward: &Path, work: &Path) -> Result<()> {
    let out = work.join("export");
    run(Command::new(steward)
        .args(["sim", "export", "--home", "maps/apartment.yaml", "--out"])
        .arg(&out))?;
    run(Command::new("sh").arg("sim/checks/check_exports.sh").arg(&out))
}

/// Builds a small map and lets another program open, write and compare it in every format. Needs node, which is no tool
/// of this workspace: without it the check is left out everywhere.
fn check_maps(steward: &Path, work: &Path) -> Result<()> {
    if !is_installed("node") || !is_installed("npm") {
        println!("skipped: node and npm are not installed");
        return Ok(());
    }
    let map = work.join("map.ply");
    run(Command::new(steward)
        .args([
            "map",
            "build",
            "--room",
            "6",
            "--downscale",
            "2",
            "--iterations",
            "12",
            "--out",
        ])
        .arg(&map))?;
    run(Command::new("sh")
        .arg("perception/splat/checks/check_files.sh")
        .arg(format!("{} map", steward.display()))
        .arg(&map))
}

/// The binary that the tests were built with.
fn steward_binary() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("debug").join("steward");
    if !binary.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo).args(["build", "--package", "steward"]))?;
    }
    Ok(binary)
}

/// A Python with packages from PyPI, in a virtual environment beside the build outputs; `None` without Python.
fn python_with(packages: &[&str]) -> Result<Option<PathBuf>> {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let environment = target.join("checks-venv");
    let python = environment.join("bin/python");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    Ok(Some(python))
}

/// Says that something is skipped; under CI that is an error.
fn skip<T>(reason: &str) -> Result<Option<T>> {
    if is_ci() {
        bail!("{reason}, and nothing may be skipped under CI");
    }
    println!("skipped: {reason}");
    Ok(None)
}
