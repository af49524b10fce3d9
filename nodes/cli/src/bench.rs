//! `steward bench`: numbers that reproduce.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use steward_nodes::bench::closed_loop::{FIRST_UNSEEN_HOME, LoopBench};
use steward_nodes::bench::determinism::determinism;
use steward_sim::home::{self, HomeSpec};
use steward_sim::render::bench_render;

use crate::run::{Sensors, episode_config, parse_size};
use crate::{ros, ui};

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// How often the robot does what it was asked, in homes that development never saw
    Loop(LoopArguments),
    /// Whether the same seed gives the same bytes, with one thread and with two, and on replay
    Determinism(DeterminismArguments),
    /// How fast homes are drawn
    Render(RenderArguments),
    /// What ROS 2 costs: how old images are when they are used, and how much longer a task takes
    Ros(ros::RosArguments),
    /// Whether anything leaks while tasks are done one after another, on ROS 2
    Soak(ros::SoakArguments),
    /// Temporal logic: sizes, speed, agreement with other tools
    Ltl(steward_ltl::cli::BenchCommand),
    /// Plans, action trees, repair and search on VirtualHome's evolving graph
    Virtualhome(steward_task::cli::BenchCommand),
    /// Gaussian maps: speed, quality, the same bytes for any number of threads
    Splat(steward_splat::cli::BenchCommand),
}

/// Arguments of `steward bench loop`.
#[derive(Args)]
pub(crate) struct LoopArguments {
    /// Number of episodes
    #[arg(long, default_value_t = 200)]
    episodes: usize,
    /// Seed of tasks, sensors and disturbances
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seed of the first of 50 homes; seeds above 10000 are kept for measuring
    #[arg(long, default_value_t = FIRST_UNSEEN_HOME)]
    first_home: u64,
    /// Move, hide or block something while the robot is under way
    #[arg(long)]
    disturb: bool,
    /// Give every task one to three rules; every fifth task cannot be done under them and must be refused
    #[arg(long)]
    rules: bool,
    /// How well the sensors measure
    #[arg(long, value_enum, default_value_t = Sensors::Default)]
    sensors: Sensors,
    /// Size of the head camera's images
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "320x240", value_parser = parse_size)]
    camera: (u32, u32),
    /// Render colour, too, which nothing in the loop looks at: same results, later. Recordings always have it
    #[arg(long)]
    color: bool,
    /// Episodes at the same time; default: one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Only the episode with this number, for looking into it
    #[arg(long)]
    only: Option<usize>,
    /// Also write every episode, one JSON object per line
    #[arg(long, value_name = "FILE")]
    log: Option<std::path::PathBuf>,
    /// Also write the story of every episode as text into this folder
    #[arg(long, value_name = "FOLDER")]
    traces: Option<std::path::PathBuf>,
    /// Also record every episode into this folder; about 2 MB for every simulated second
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<std::path::PathBuf>,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// Arguments of `steward bench determinism`.
#[derive(Args)]
pub(crate) struct DeterminismArguments {
    /// Number of episodes
    #[arg(long, default_value_t = 10)]
    episodes: usize,
    /// Seed of tasks and sensors
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// Arguments of `steward bench render`.
#[derive(Args)]
pub(crate) struct RenderArguments {
    /// How often the drive through all rooms is drawn at each size
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print the result as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: BenchCommand) -> Result<ExitCode> {
    match command {
        BenchCommand::Loop(arguments) => closed_loop(&arguments),
        BenchCommand::Determinism(arguments) => same_bytes(&arguments),
        BenchCommand::Render(arguments) => render(&arguments),
        BenchCommand::Ros(arguments) => ros::bench(&arguments),
        BenchCommand::Soak(arguments) => ros::soak(&arguments),
        BenchCommand::Ltl(command) => Ok(command.run()?),
        BenchCommand::Virtualhome(command) => Ok(command.run()?),
        BenchCommand::Splat(command) => Ok(command.run()?),
    }
}

fn closed_loop(arguments: &LoopArguments) -> Result<ExitCode> {
    let mut config = episode_config(arguments.sensors, None)?;
    (config.simulation.camera.width, config.simulation.camera.height) = arguments.camera;
    config.simulation.camera.color = arguments.color || arguments.recordings.is_some();
    let bench = LoopBench {
        episodes: arguments.episodes,
        seed: arguments.seed,
        first_home: arguments.first_home,
        disturb: arguments.disturb,
        rules: arguments.rules,
        config,
        threads: arguments.threads.unwrap_or_else(ui::cores),
        only: arguments.only,
        traces: arguments.traces.clone(),
        recordings: arguments.recordings.clone(),
    };
    let stop = ui::stop_on_ctrl_c()?;
    let bar = ui::progress(bench.len() as u64, "episodes");
    let start = Instant::now();
    let report = bench.run(&stop, &|| start.elapsed().as_secs_f64(), &|result| {
        let text = match &result.report {
            Ok(r) if r.violations.is_empty() && result.is_right() => None,
            Ok(r) if !r.violations.is_empty() => Some(format!(
                "{} {}: {}",
                ui::bad("rule not kept"),
                r.goal,
                r.violations.join(" & ")
            )),
            Ok(r) if r.is_false_success() => {
                let unmet = r.unmet.join(" & ");
                Some(format!(
                    "{} {}: not so: {unmet}",
                    ui::bad("false success"),
                    r.goal
                ))
            }
            Ok(r) => Some(format!(
                "{} {}: {}; in truth unmet: {}",
                ui::bad("failed"),
                r.goal,
                r.detail,
                r.unmet.join(" & ")
            )),
            Err(e) => Some(format!("{} {e}", ui::bad("error"))),
        };
        if let Some(text) = text {
            let line = format!("episode {} (home {}): {text}", result.index, result.home);
            if bar.is_hidden() {
                eprintln!("{line}")
            } else {
                bar.println(line)
            }
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    if let Some(path) = &arguments.log {
        let lines = report
            .all
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<Vec<_>, _>>()?;
        std::fs::write(path, lines.join("\n") + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    eprintln!(
        "{} episodes: {:.1} % success, {} false, {:.1} s wall, {:.0} s simulated and {:.1} m per episode",
        report.episodes,
        report.success_rate * 100.0,
        report.false_success,
        report.mean_wall_s,
        report.mean_simulated_s,
        report.mean_travelled_m
    );
    if let Some(rules) = &report.rules {
        eprintln!(
            "{} rules not kept; {:.1} % of {} tasks that could be done, {} of {} others refused rightly, {} wrongly",
            rules.violations,
            rules.satisfiable_success_rate * 100.0,
            rules.satisfiable,
            rules.refused,
            rules.unsatisfiable,
            rules.refused_wrongly
        );
    }
    for (reason, count) in report.failures.iter().chain(&report.errors) {
        eprintln!("  {count:>4} x {reason}");
    }
    if arguments.json {
        ui::json(&report)?;
    }
    Ok(if stop.load(Ordering::SeqCst) {
        ExitCode::from(130)
    } else {
        ExitCode::SUCCESS
    })
}

fn same_bytes(arguments: &DeterminismArguments) -> Result<ExitCode> {
    let bench = LoopBench {
        episodes: arguments.episodes,
        seed: arguments.seed,
        first_home: FIRST_UNSEEN_HOME,
        disturb: false,
        rules: false,
        config: episode_config(Sensors::Default, None)?,
        threads: 1,
        only: None,
        traces: None,
        recordings: None,
    };
    let folder = std::env::temp_dir().join(format!("steward-determinism-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let bar = ui::progress(arguments.episodes as u64, "episodes");
    let report = determinism(&bench, &folder, &mut |_| bar.inc(1));
    bar.finish_and_clear();
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    let report = report?;
    for r in report.all.iter().filter(|r| r.difference.is_some()) {
        eprintln!("home {}: {}", r.home, r.difference.as_deref().unwrap_or_default());
    }
    eprintln!("{} episodes, identical: {}", report.episodes, report.identical);
    if arguments.json {
        ui::json(&report)?;
    }
    Ok(if report.identical {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn render(arguments: &RenderArguments) -> Result<ExitCode> {
    let spec = HomeSpec {
        room_count: Some(8),
        ..HomeSpec::from_seed(FIRST_UNSEEN_HOME)
    };
    let report = bench_render(&home::generate(&spec)?, arguments.rounds);
    eprintln!(
        "{} rooms, {} triangles: {:.1} images/s at 640x480, {:.1} at 320x240",
        report.rooms, report.triangles, report.fps_640x480, report.fps_320x240
    );
    if arguments.json {
        ui::json(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}
