//! `steward bench ros` and `steward bench soak`: started here, measured by an executable of `steward_ros`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_core::messages::Goal;
use steward_nodes::bench::ros::{Line, RosBench, RosReport};
use steward_nodes::bench::soak::{Soak, SoakReport};

use crate::run::{check_classes, read_home};
use crate::ui;

/// The executable, in an ament prefix.
const PROGRAM: &str = "lib/steward_ros/bench";

/// Arguments of `steward bench ros`.
#[derive(Args)]
pub(crate) struct RosArguments {
    /// How long images of 640x480 are published at 30 Hz
    #[arg(long, default_value_t = 60.0, value_parser = positive)]
    seconds: f64,
    /// The home: a file such as maps/apartment.yaml, or seed:N for a generated one
    #[arg(long, default_value = "maps/apartment.yaml")]
    home: String,
    /// The task that is carried out over ROS and in process
    #[arg(long, default_value = "on(mug, desk)")]
    goal: Goal,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// Arguments of `steward bench soak`.
#[derive(Args)]
pub(crate) struct SoakArguments {
    /// How long
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    minutes: f64,
    /// Simulated seconds per second, 0: as fast as the machine can, without deadlines
    #[arg(long, default_value_t = 1.0, value_parser = not_negative)]
    speed: f64,
    /// How often something is moved behind the robot's back, simulated seconds; 0: never
    #[arg(long, default_value_t = 30.0, value_parser = not_negative)]
    disturb_every_s: f64,
    /// How long a task may take, simulated seconds
    #[arg(long, default_value_t = 600.0, value_parser = positive)]
    time_limit_s: f64,
    /// The home: a file such as maps/apartment.yaml, or seed:N for a generated one
    #[arg(long, default_value = "maps/apartment.yaml")]
    home: String,
    /// Seed of tasks, sensors and disturbances
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|n| {
        if n > 0.0 {
            Ok(n)
        } else {
            Err("it must be above 0".into())
        }
    })
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.0..=1e5).contains(&n) => Ok(n),
        _ => Err("it must be a number from 0 to 100000".into()),
    }
}

pub(crate) fn bench(arguments: &RosArguments) -> Result<ExitCode> {
    check_classes(&arguments.goal)?;
    let asked = RosBench {
        seconds: arguments.seconds,
        home: home(&arguments.home)?,
        goal: arguments.goal.to_string(),
        seed: arguments.seed,
    };
    let Some(report) = measure::<RosReport>("ros", &asked)? else {
        return Ok(ExitCode::from(130));
    };
    let images = &report.images;
    eprintln!(
        "{} images published, {} used, {} dropped, {} uncounted, {} stale ones used; age {} ms (p50), {} ms (p99)",
        images.frames_published,
        images.frames_used,
        images.frames_dropped.values().sum::<u64>(),
        images.frames_uncounted,
        images.stale_used,
        images.age_ms_p50,
        images.age_ms_p99,
    );
    for (counter, n) in &images.frames_dropped {
        eprintln!("  {n:>5} x {counter}");
    }
    eprintln!(
        "{}: {:.1} s over ROS, {:.1} s in process: {:.2} times as long",
        asked.goal, report.episode_ros_s, report.episode_in_process_s, report.overhead_ratio
    );
    finish(&report, &report.missed(), arguments.json)
}

pub(crate) fn soak(arguments: &SoakArguments) -> Result<ExitCode> {
    let asked = Soak {
        minutes: arguments.minutes,
        speed: arguments.speed,
        disturb_every_s: arguments.disturb_every_s,
        time_limit_s: arguments.time_limit_s,
        home: home(&arguments.home)?,
        seed: arguments.seed,
    };
    let Some(report) = measure::<SoakReport>("soak", &asked)? else {
        return Ok(ExitCode::from(130));
    };
    eprintln!(
        "{} tasks done, {} not, {} disturbances in {:.1} min ({:.1} simulated)",
        report.tasks_done,
        report.tasks_failed.values().sum::<u64>(),
        report.disturbances,
        report.minutes,
        report.simulated_minutes,
    );
    for (reason, n) in &report.tasks_failed {
        eprintln!("  {n:>5} x {reason}");
    }
    let (settled, end) = (&report.settled, &report.end);
    eprintln!(
        "from {:.0} s on: memory {:.0} to {:.0} MB ({:+.2} MB/min), threads {} to {}, files {} to {}",
        settled.at_s,
        settled.memory_mb,
        end.memory_mb,
        report.growth_mb_per_min,
        settled.threads,
        end.threads,
        settled.descriptors,
        end.descriptors,
    );
    eprintln!(
        "{} deadlines missed and reported; at most {:.1} s behind",
        report.deadlines_missed, report.lag_s_max
    );
    finish(&report, &report.missed(), arguments.json)
}

/// Says what was missed, and prints the report.
fn finish(report: &impl Serialize, missed: &[String], json: bool) -> Result<ExitCode> {
    for text in missed {
        eprintln!("{} {text}", ui::bad("missed:"));
    }
    if json {
        ui::json(report)?;
    }
    Ok(ExitCode::from(u8::from(!missed.is_empty())))
}

/// The home for another process: a file by its whole path, and one that makes sense.
fn home(home: &str) -> Result<String> {
    read_home(home)?;
    if home.starts_with("seed:") {
        return Ok(home.to_owned());
    }
    let path = std::fs::canonicalize(home).with_context(|| format!("cannot find `{home}`"))?;
    Ok(path.display().to_string())
}

/// Lets the executable measure, and shows how far it is. `None` where it was stopped by Ctrl-C.
fn measure<R: DeserializeOwned>(what: &str, asked: &impl Serialize) -> Result<Option<R>> {
    let stop = ui::stop_on_ctrl_c()?;
    let mut child = command()?
        .arg(what)
        .arg(serde_json::to_string(asked)?)
        // Apart from whatever else runs on this machine and network.
        .env("ROS_DOMAIN_ID", (1 + std::process::id() % 100).to_string())
        .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the benchmark of `steward_ros` cannot be started")?;
    let report = listen(&mut child);
    let status = child.wait().context("the benchmark is lost")?;
    if stop.load(Ordering::SeqCst) {
        return Ok(None);
    }
    match report? {
        Some(report) if status.success() => Ok(Some(report)),
        _ => bail!("the benchmark ended with {status}; its error is above"),
    }
}

fn listen<R: DeserializeOwned>(child: &mut Child) -> Result<Option<R>> {
    let bar = ui::progress(0, "");
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:32}] {pos}/{len} s") {
        bar.set_style(style);
    }
    let mut report = None;
    for line in child
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        let line = line.context("the benchmark prints what is no text")?;
        // Whatever else is printed there by libraries is for people.
        match serde_json::from_str(&line) {
            Ok(Line::Progress { doing, at_s, of_s }) => show(&bar, doing, at_s, of_s),
            Ok(Line::Report(r)) => report = Some(r),
            Err(_) => bar.println(line),
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

fn show(bar: &ProgressBar, doing: String, at_s: f64, of_s: f64) {
    bar.set_prefix(doing);
    bar.set_length(of_s as u64);
    bar.set_position(at_s as u64);
}

/// The executable with the environment that it needs: of a ROS 2 that is sourced, or what `cargo xtask ros build` made.
fn command() -> Result<Command> {
    let sourced = std::env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    let program = |prefix: &Path| Some(prefix.join(PROGRAM)).filter(|p| p.is_file());
    if let Some(found) = std::env::split_paths(&sourced).find_map(|prefix| program(&prefix)) {
        return Ok(Command::new(found));
    }
    for prefix in built() {
        let setup = prefix.join("setup.bash");
        if let Some(program) = program(&prefix).filter(|_| setup.is_file()) {
            let mut command = Command::new("bash");
            command
                .args(["-c", "source \"$0\" && exec \"$@\""])
                .arg(setup)
                .arg(program);
            return Ok(command);
        }
    }
    bail!(
        "`steward_ros` is not found, which measures this: source the setup.bash of a workspace with it, or make one with \
         `cargo xtask ros build` (needs no ROS 2) and run this in the same folder"
    )
}

/// Where `cargo xtask ros build` installs: beside this program, and in the folder where one stands.
fn built() -> impl Iterator<Item = PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    [beside, chosen, Some("target".into())]
        .into_iter()
        .flatten()
        .map(|target| target.join("ros/install"))
}
