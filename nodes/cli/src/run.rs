//! `steward run`: one task in one home, with a recording.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde::Serialize;
use steward_core::Time;
use steward_core::geometry::Point3;
use steward_core::messages::{Goal, Outcome, SkillState, StepState};
use steward_nodes::episode::{Episode, EpisodeConfig, EpisodeReport, EpisodeSpec, floor_plan};
use steward_nodes::message::Message;
use steward_nodes::recording::{Clock, Recorder, RecordingSummary, RunMetadata};
use steward_nodes::runtime::realtime::RealtimeConfig;
use steward_nodes::runtime::{Delivery, Observer};
use steward_sim::changes::ChangeScript;
use steward_sim::home::{self, HomeSpec};
use steward_sim::render::render_plan_view;
use steward_task::house_rules::Rules;

use steward_nodes::pictures::Pictures;

use crate::pictures::Rerun;
use crate::ui;

/// Arguments of `steward run`.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// The home: a file such as maps/apartment.yaml, or seed:N for a generated one
    #[arg(long, default_value = "maps/apartment.yaml")]
    home: String,
    /// What must hold in the end: relations on, in, near between classes, joined by &
    #[arg(long, value_name = "GOAL")]
    goal: Goal,
    /// What must be kept meanwhile, such as "G !in(robot, bedroom)" or "G(open(fridge) -> F !open(fridge))"; may be
    /// given several times
    #[arg(long = "rule", value_name = "FORMULA")]
    rules: Vec<String>,
    /// Seed of sensor noise and everything else that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How well the sensors measure
    #[arg(long, value_enum, default_value_t = Sensors::Default)]
    sensors: Sensors,
    /// Size of the head camera's images
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "320x240", value_parser = parse_size)]
    camera: (u32, u32),
    /// How long the robot may take, simulated seconds
    #[arg(long, default_value_t = 1800.0)]
    time_limit_s: f64,
    /// A scene-change script to run meanwhile
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// A YAML or JSON file with settings of the world and the nodes
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Pictures in rerun: save to a file, spawn a viewer, connect to a running one, or none
    #[arg(long, value_enum, default_value_t = Rerun::DEFAULT)]
    rerun: Rerun,
    /// Folder for recording, rerun file, summary and picture; made if absent
    #[arg(long, default_value = "runs/latest")]
    out: PathBuf,
    /// Run by the wall clock, every node on its own thread, as on a robot; recordings then differ from run to run
    #[arg(long)]
    real_time: bool,
    /// With --real-time: simulated seconds per second
    #[arg(long, default_value_t = 1.0, requires = "real_time")]
    speed: f64,
    /// Exit with 0 also when the robot could not do it
    #[arg(long)]
    allow_failure: bool,
    /// Print the summary as one JSON object on the last line
    #[arg(long)]
    json: bool,
}

/// How well sensors measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sensors {
    /// Noise, drift, missing depth, dropped and late frames
    Default,
    /// None of that
    Ideal,
}

/// What `summary.json` holds.
#[derive(Serialize)]
struct Summary {
    home: String,
    seed: u64,
    sensors: Sensors,
    success: bool,
    #[serde(flatten)]
    report: EpisodeReport,
    wall_s: f64,
    recording: RecordingSummary,
}

/// Reads `640x480`.
pub(crate) fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text
        .split_once('x')
        .ok_or("write it as WIDTHxHEIGHT, for example 320x240")?;
    let side = |s: &str| match s.parse::<u32>() {
        Ok(n) if (16..=4096).contains(&n) => Ok(n),
        _ => Err(format!("`{s}` is not a number of pixels between 16 and 4096")),
    };
    Ok((side(width)?, side(height)?))
}

/// Reads a home: a file, or `seed:N`.
pub(crate) fn read_home(home: &str) -> Result<HomeSpec> {
    if let Some(seed) = home.strip_prefix("seed:") {
        let seed = seed.parse().with_context(|| format!("`{seed}` is not a seed"))?;
        return Ok(HomeSpec::from_seed(seed));
    }
    let text = fs::read_to_string(home)
        .with_context(|| format!("cannot read the home `{home}`; name a file in maps/ or use seed:N"))?;
    Ok(HomeSpec::from_yaml(home, &text)?)
}

/// The settings in a file, or the defaults, for sensors of a kind.
pub(crate) fn episode_config(sensors: Sensors, file: Option<&Path>) -> Result<EpisodeConfig> {
    let mut config = match file {
        None => EpisodeConfig::default(),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_saphyr::from_str(&text).with_context(|| format!("in {}", path.display()))?
        }
    };
    if sensors == Sensors::Ideal {
        config.simulation.sensors = steward_sim::simulation::SensorConfig::ideal();
    }
    Ok(config)
}

/// Refuses goals about classes that no home has, with the nearest class that one could have meant.
pub(crate) fn check_classes(goal: &Goal) -> Result<()> {
    let known: Vec<String> = home::catalogue()
        .into_iter()
        .flat_map(|c| c.parts.into_iter().chain([c.class.to_owned()]))
        .collect();
    for name in goal.relations.iter().flat_map(|r| [&r.subject, &r.object]) {
        if known.contains(name) {
            continue;
        }
        let nearest = known.iter().min_by_key(|k| strsim::damerau_levenshtein(k, name));
        let hint = nearest.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
        bail!("no simulated home has a `{name}`{hint} (`steward sim classes` lists all)");
    }
    Ok(())
}

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let spec = read_home(&arguments.home)?;
    check_classes(&arguments.goal)?;
    let mut config = episode_config(arguments.sensors, arguments.config.as_deref())?;
    config.time_limit_s = arguments.time_limit_s;
    (config.simulation.camera.width, config.simulation.camera.height) = arguments.camera;
    let home = home::generate(&spec)?;
    // A rule that the robot would refuse is refused before it is woken.
    let rooms = floor_plan(&home, Time::ZERO);
    Rules::read(&arguments.rules, &config.nodes.planner.classes, Some(&rooms))?;
    let changes = match &arguments.changes {
        None => Vec::new(),
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            ChangeScript::from_yaml(&path.display().to_string(), &text)?.resolve(&home)?
        }
    };
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;

    let home_yaml = serde_saphyr::to_string(&spec).context("cannot write the home down")?;
    let mut metadata = RunMetadata::simulated(arguments.seed, serde_json::to_value(&config)?, home_yaml);
    if arguments.real_time {
        metadata.clock = Clock::RealTime;
    }
    let recorder = Recorder::create(&arguments.out.join("run.mcap"), &metadata)?;
    let pictures = Pictures::new(arguments.rerun.into(), &arguments.out.join("run.rrd"))?;
    let terminal = Terminal::new(arguments.time_limit_s);
    let stop = ui::stop_on_ctrl_c()?;

    eprintln!(
        "{} {}  in {} ({} rooms)",
        ui::dim("goal"),
        arguments.goal,
        spec.name,
        home.rooms.len()
    );
    let started = Instant::now();
    let episode_spec = EpisodeSpec {
        home: spec.clone(),
        goal: arguments.goal.clone(),
        rules: arguments.rules.clone(),
        seed: arguments.seed,
        changes,
        disturbance: None,
    };
    let mut episode = Episode::in_home(home.clone(), episode_spec, config)?;
    episode.set_stop_flag(stop.clone());
    let mut observers = (recorder, (terminal, pictures));
    let report = if arguments.real_time {
        let config = RealtimeConfig {
            speed: arguments.speed,
            ..RealtimeConfig::default()
        };
        let (given_back, report, _) = episode.run_realtime(config, observers)?;
        observers = given_back;
        report
    } else {
        episode.run(&mut observers)?
    };
    let (recorder, (terminal, pictures)) = observers;
    terminal.bar.finish_and_clear();
    let recording = recorder.finish()?;
    pictures.finish()?;
    let wall_s = started.elapsed().as_secs_f64();
    draw_path(&home, &report, &arguments.out.join("path.png"))?;

    let success = report.is_success();
    let interrupted = stop.load(Ordering::SeqCst);
    let verdict = if success {
        ui::good("done")
    } else {
        ui::bad("not done")
    };
    eprintln!(
        "{verdict}: {} ({:.0} s simulated in {wall_s:.1} s, {:.1} m travelled)",
        report.detail, report.simulated_s, report.travelled_m
    );
    if report.is_false_success() {
        eprintln!(
            "{}",
            ui::bad("the robot claims success, but the goal does not hold in the simulator's truth")
        );
    }
    for rule in &report.violations {
        eprintln!(
            "{} {rule}",
            ui::bad("a rule was not kept in the simulator's truth:")
        );
    }
    eprintln!("{} {}", ui::dim("wrote"), arguments.out.display());
    let summary = Summary {
        home: arguments.home.clone(),
        seed: arguments.seed,
        sensors: arguments.sensors,
        success,
        report,
        wall_s,
        recording,
    };
    let text = serde_json::to_string_pretty(&summary)?;
    fs::write(arguments.out.join("summary.json"), text + "\n").context("cannot write summary.json")?;
    if arguments.json {
        ui::json(&summary)?;
    }
    Ok(match (interrupted, success || arguments.allow_failure) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}

/// A picture of the home from above, as it is in the end, with the way that the robot took.
fn draw_path(home: &steward_sim::model::Home, report: &EpisodeReport, file: &Path) -> Result<()> {
    let Some(state) = &report.final_state else {
        return Ok(());
    };
    let mut view = render_plan_view(home, state, 90.0);
    let at = |p: &steward_core::geometry::Pose2| Point3::new(p.x_m, p.y_m, 0.02);
    let points: Vec<Point3> = report.path.iter().map(at).collect();
    view.draw_path(&points, 4.0, [235, 70, 50]);
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        view.draw_disc(first, 9.0, [40, 160, 70]);
        view.draw_disc(last, 9.0, [235, 70, 50]);
    }
    save_png(&view.image, file)
}

/// Writes a colour image as PNG.
pub(crate) fn save_png(image: &steward_core::image::ColorImage, file: &Path) -> Result<()> {
    let bytes = image.data().as_flattened();
    image::save_buffer(
        file,
        bytes,
        image.width(),
        image.height(),
        image::ExtendedColorType::Rgb8,
    )
    .with_context(|| format!("cannot write {}", file.display()))
}

/// Tells the terminal what the robot does.
struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    fn new(time_limit_s: f64) -> Self {
        Terminal {
            bar: ui::progress(time_limit_s as u64, "simulated s"),
        }
    }

    fn say(&self, text: String) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

impl Observer for Terminal {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> steward_nodes::error::Result<()> {
        let at = format!("{:>7.1} s", delivery.at.secs_f64());
        let at = ui::dim(&at);
        match delivery.message {
            Message::Odometry(_) => self.bar.set_position(delivery.at.secs_f64() as u64),
            Message::Plan(plan) => {
                let running = plan.steps.iter().find(|s| s.state == StepState::Running);
                if let Some(step) = running {
                    self.bar.set_message(step.label.clone());
                    self.say(format!("{at}  {}", step.label));
                }
            }
            Message::SkillStatus(s) => {
                if let SkillState::Failed(why) = s.state {
                    self.say(format!("{at}    {} {why}: {}", ui::bad("failed:"), s.detail));
                }
            }
            Message::Verdict(v) if v.kind != steward_core::messages::VerdictKind::Confirmed => {
                self.say(format!("{at}    {} {}", ui::bad("not confirmed:"), v.detail));
            }
            Message::SceneChange(c)
                if matches!(
                    c.kind,
                    steward_core::messages::ChangeKind::Moved | steward_core::messages::ChangeKind::Vanished
                ) =>
            {
                self.say(format!("{at}    {} {} {:?}", ui::dim("noticed:"), c.class, c.kind).to_lowercase());
            }
            Message::TaskResult(r) if r.outcome != Outcome::Succeeded => {
                self.say(format!("{at}  {}", ui::bad("gave up")));
            }
            _ => {}
        }
        Ok(())
    }
}
