//! Tasks one after another in `steward_loop`, while its memory, threads and files are watched.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use r2r::steward_msgs::action::ExecuteTask;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use steward_nodes::bench::soak::{Sample, Soak, SoakReport, growth_mb_per_min};
use steward_nodes::bench::tasks;
use steward_nodes::message::{Message, Topic};
use steward_sim::home;
use steward_sim::model::Home;
use steward_sim::simulation::{Simulation, SimulationConfig};
use steward_sim::truth::Truth;

use super::child::Child;
use super::client::{Client, Given, check};
use super::{progress, report};
use crate::settings::SimulatorSettings;

/// How often the process is looked at, seconds.
const SAMPLE_PERIOD_S: f64 = 1.0;
/// How often progress is told, in samples.
const PROGRESS_SAMPLES: usize = 5;
/// Falling behind by more of simulated time must be reported, seconds.
const MAX_LAG_S: f64 = 0.5;

/// Gives tasks for as long as is asked for, and reports.
///
/// # Errors
/// Where something cannot be started, the loop ends, or somebody wants to stop.
pub(super) fn run(asked: &Soak, stop: &AtomicBool) -> Result<()> {
    let of_s = asked.minutes * 60.0;
    let settings = SimulatorSettings {
        home: asked.home.clone(),
        ..SimulatorSettings::default()
    };
    let home = home::generate(&settings.home()?)?;
    let truth = Simulation::new(home.clone(), &SimulationConfig::default(), asked.seed)?.truth();
    let mut goals = Goals {
        home,
        truth,
        rng: ChaCha8Rng::seed_from_u64(asked.seed),
    };
    let parameters = [
        ("home", asked.home.clone()),
        ("seed", asked.seed.to_string()),
        ("speed", format!("{:?}", asked.speed)),
        ("disturb_every_s", format!("{:?}", asked.disturb_every_s)),
    ];
    let mut steward_loop = Child::start("steward_loop", &parameters)?;
    // All that the loop says is listened to, so that all of it is sent.
    let mut client = Client::new("bench_soak", Topic::ALL)?;
    client.wait_for_tasks(&mut steward_loop, stop)?;

    let begun = Instant::now();
    let mut seen = Seen::default();
    let mut samples: Vec<Sample> = Vec::new();
    let mut tasks_done = 0;
    let mut tasks_failed: BTreeMap<String, u64> = BTreeMap::new();
    let mut task: Option<Given> = None;
    loop {
        check(stop)?;
        steward_loop.check()?;
        let at_s = begun.elapsed().as_secs_f64();
        client.turn().iter().for_each(|m| seen.take(m, at_s, asked.speed));
        if samples
            .last()
            .is_none_or(|last| at_s - last.at_s >= SAMPLE_PERIOD_S)
        {
            samples.push(look_at(steward_loop.id(), at_s)?);
            if samples.len() % PROGRESS_SAMPLES == 1 {
                let failed: u64 = tasks_failed.values().sum();
                progress(&format!("{tasks_done} tasks done, {failed} not"), at_s, of_s)?;
            }
        }
        if at_s >= of_s {
            break;
        }
        match &mut task {
            None => {
                let goal = ExecuteTask::Goal {
                    goal: goals.next().context("the home has no tasks")?,
                    time_limit_s: asked.time_limit_s,
                    ..ExecuteTask::Goal::default()
                };
                task = Some(client.order(goal, &mut steward_loop, stop)?);
            }
            Some(given) => {
                if let Some(result) = given.turn()? {
                    match result.error_code as i64 {
                        0 => tasks_done += 1,
                        _ => *tasks_failed.entry(reason(&result.error_msg)).or_default() += 1,
                    }
                    task = None;
                }
            }
        }
    }

    let settled_s = asked.settled_after_s();
    let settled: Vec<Sample> = samples.iter().copied().filter(|s| s.at_s >= settled_s).collect();
    let (first, end) = settled
        .first()
        .zip(settled.last())
        .context("it was too short to look at")?;
    report(SoakReport {
        minutes: end.at_s / 60.0,
        simulated_minutes: seen.simulated_s() / 60.0,
        growth_mb_per_min: growth_mb_per_min(&settled),
        settled: *first,
        end: *end,
        tasks_done,
        tasks_failed,
        disturbances: seen.disturbances,
        deadlines_missed: seen.steps_late,
        lag_s_max: seen.lag_s_max,
        missed_unreported: seen.lag_s_max > MAX_LAG_S && seen.steps_late == 0,
    })
}

/// `timed out` of `timed out: the deadline passed while: …`.
fn reason(sentence: &str) -> String {
    sentence.split(':').next().unwrap_or_default().to_owned()
}

/// Tasks that the home can fulfil, for ever.
struct Goals {
    home: Home,
    /// How things were at the start: a goal may hold by now, and is then done at once.
    truth: Truth,
    rng: ChaCha8Rng,
}

impl Goals {
    fn next(&mut self) -> Option<String> {
        tasks::draw(&self.home, &self.truth, 1, &mut self.rng).map(|goal| goal.to_string())
    }
}

/// What was heard of the loop.
#[derive(Default)]
struct Seen {
    /// First and newest simulated time, and when it was heard, seconds.
    first: Option<(f64, f64)>,
    newest_s: f64,
    lag_s_max: f64,
    steps_late: u64,
    disturbances: u64,
}

impl Seen {
    fn take(&mut self, message: &Message, at_s: f64, speed: f64) {
        let Message::Diagnostics(d) = message else {
            return;
        };
        let count = |name: &str| d.counters.get(name).copied().unwrap_or_default();
        self.steps_late = self.steps_late.max(count("steps_late"));
        self.disturbances = self.disturbances.max(count("disturbances"));
        self.newest_s = self.newest_s.max(d.header.stamp.secs_f64());
        let (first_s, first_at_s) = *self.first.get_or_insert((self.newest_s, at_s));
        if speed > 0.0 {
            let lag_s = (at_s - first_at_s) * speed - (self.newest_s - first_s);
            self.lag_s_max = self.lag_s_max.max(lag_s);
        }
    }

    fn simulated_s(&self) -> f64 {
        self.first.map_or(0.0, |(first_s, _)| self.newest_s - first_s)
    }
}

/// Memory, threads and files of a process.
fn look_at(process: u32, at_s: f64) -> Result<Sample> {
    let folder = format!("/proc/{process}");
    let status = std::fs::read_to_string(format!("{folder}/status"))
        .context("/proc cannot be read: this benchmark needs Linux")?;
    let field = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("{folder}/status has no {name}"))
    };
    Ok(Sample {
        at_s,
        memory_mb: field("VmRSS:")? / 1024.0,
        threads: field("Threads:")? as u64,
        descriptors: std::fs::read_dir(format!("{folder}/fd"))?.count() as u64,
    })
}
