//! Many episodes in homes that development never saw: how often does the robot do what it was asked?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use steward_sim::home::{self, HomeSpec};
use steward_sim::simulation::Simulation;

use super::rules::{self, Judged, Order};
use super::{disturb, tasks};
use crate::episode::{Episode, EpisodeConfig, EpisodeReport, EpisodeSpec};
use crate::error::{Error, Result};
use crate::recording::{Recorder, RunMetadata};
use crate::trace::Trace;

/// Seeds of homes from here on are for measuring and never for development.
pub const FIRST_UNSEEN_HOME: u64 = 10_001;
/// Homes that the episodes of one benchmark take place in.
pub const HOMES: u64 = 50;

/// Of so many tasks with rules one cannot be done.
const UNSATISFIABLE_EVERY: usize = 5;

/// What to measure.
#[derive(Debug, Clone)]
pub struct LoopBench {
    /// Number of episodes.
    pub episodes: usize,
    /// Seed of the tasks, sensors and disturbances.
    pub seed: u64,
    /// Home seeds are taken from here on.
    pub first_home: u64,
    /// Whether something is moved, hidden or blocked in every episode.
    pub disturb: bool,
    /// Whether every task comes with rules.
    pub rules: bool,
    /// Settings of the world and the nodes.
    pub config: EpisodeConfig,
    /// Episodes that run at the same time.
    pub threads: usize,
    /// Only the episode with this number.
    pub only: Option<usize>,
    /// Folder that gets the story of each episode as text, `episode-007.txt`.
    pub traces: Option<PathBuf>,
    /// Folder that gets the recording of each episode, `episode-007.mcap`.
    pub recordings: Option<PathBuf>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct LoopReport {
    /// Number of episodes.
    pub episodes: usize,
    /// Share of episodes in which the robot said that it was done, and was, with every rule kept; or refused, with the
    /// right reason, what cannot be done.
    pub success_rate: f64,
    /// What rules add, where they were asked for.
    #[serde(flatten)]
    pub rules: Option<RulesReport>,
    /// Episodes in which the robot said that it was done, and was not.
    pub false_success: usize,
    /// Failures by the reason that the robot gave.
    pub failures: BTreeMap<String, usize>,
    /// Episodes that ended otherwise: an error of the program, with its text.
    pub errors: BTreeMap<String, usize>,
    /// Success rate by number of relations in the goal.
    pub success_by_relations: BTreeMap<usize, f64>,
    /// Share of disturbed episodes, where disturbances were asked for.
    pub disturbed: Option<f64>,
    /// Wall-clock seconds per episode on one core.
    pub mean_wall_s: f64,
    /// Simulated seconds per episode.
    pub mean_simulated_s: f64,
    /// Travel per episode, metres.
    pub mean_travelled_m: f64,
    /// Largest distance between where a robot was at the end and where it believed to be, metres.
    pub worst_pose_error_m: f64,
    /// How often each step failed, by skill.
    pub setbacks: usize,
    /// Every episode.
    #[serde(skip)]
    pub all: Vec<EpisodeResult>,
}

/// How tasks with rules went.
#[derive(Debug, Clone, Serialize)]
pub struct RulesReport {
    /// Rules that were not kept in truth, all episodes together.
    pub violations: usize,
    /// Tasks that could be done under their rules, and the share of them that was.
    pub satisfiable: usize,
    /// See `satisfiable`.
    pub satisfiable_success_rate: f64,
    /// Tasks that could not be done, or not any more, and must be refused.
    pub unsatisfiable: usize,
    /// Those of them that were refused with the right reason.
    pub refused: usize,
    /// Tasks that were refused although they could be done.
    pub refused_wrongly: usize,
    /// Failed or refused tasks without a reason and a sentence.
    pub unexplained: usize,
    /// Every rule that was not kept, and every failed or refused task, with what the robot said.
    pub explanations: Vec<Explanation>,
}

/// What became of a task that was not simply done.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Number of the episode.
    pub index: usize,
    /// Seed of the home.
    pub home: u64,
    /// The goal.
    pub goal: String,
    /// The rules.
    pub rules: Vec<String>,
    /// The robot's reason, from the closed list.
    pub reason: Option<steward_core::messages::FailureReason>,
    /// Its sentence.
    pub detail: String,
    /// Rules that were not kept in truth.
    pub violations: Vec<String>,
    /// For tasks that had to be refused: whether that was done, and why not.
    pub judged: Option<Judged>,
}

/// One episode of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct EpisodeResult {
    /// Number, from 0.
    pub index: usize,
    /// Seed of the home.
    pub home: u64,
    /// Relations in the goal.
    pub relations: usize,
    /// The rules that it was given, and what is right to do about them.
    pub order: Option<Order>,
    /// How it went; an error's text where the program failed.
    pub report: std::result::Result<EpisodeReport, String>,
    /// Wall-clock seconds.
    pub wall_s: f64,
}

impl EpisodeResult {
    /// The robot did what was right: what was asked for, or to refuse what cannot be done.
    pub fn is_right(&self) -> bool {
        let Ok(report) = &self.report else { return false };
        match &self.order {
            Some(order) if !order.blamed.is_empty() => order.judge(report) == Judged::Right,
            _ => report.is_success(),
        }
    }
}

impl RulesReport {
    fn of(all: &[EpisodeResult]) -> RulesReport {
        let impossible = |r: &&EpisodeResult| r.order.as_ref().is_some_and(|o| !o.blamed.is_empty());
        let (bad, good): (Vec<&EpisodeResult>, Vec<&EpisodeResult>) = all.iter().partition(impossible);
        let right = |of: &[&EpisodeResult]| of.iter().filter(|r| r.is_right()).count();
        let refused = |r: &&&EpisodeResult| r.report.as_ref().is_ok_and(EpisodeReport::is_refused);
        let explanations: Vec<Explanation> = all
            .iter()
            .filter_map(|r| Some((r, r.report.as_ref().ok()?)))
            .filter(|(r, report)| !report.is_success() || !r.is_right())
            .map(|(r, report)| Explanation {
                index: r.index,
                home: r.home,
                goal: report.goal.clone(),
                rules: report.rules.clone(),
                reason: report.failure(),
                detail: report.detail.clone(),
                violations: report.violations.clone(),
                judged: r
                    .order
                    .as_ref()
                    .filter(|order| !order.blamed.is_empty())
                    .map(|order| order.judge(report)),
            })
            .collect();
        let unexplained = |e: &&Explanation| {
            let silent = e.detail.trim().is_empty();
            // A claim of success that is not so has no reason, which is worse than any.
            e.reason.is_none() || silent
        };
        RulesReport {
            violations: explanations.iter().map(|e| e.violations.len()).sum(),
            satisfiable: good.len(),
            satisfiable_success_rate: if good.is_empty() {
                0.0
            } else {
                right(&good) as f64 / good.len() as f64
            },
            unsatisfiable: bad.len(),
            refused: right(&bad),
            refused_wrongly: good.iter().filter(refused).count(),
            unexplained: explanations.iter().filter(unexplained).count(),
            explanations,
        }
    }
}

impl LoopBench {
    /// Number of episodes that [`LoopBench::run`] runs.
    pub fn len(&self) -> usize {
        if self.only.is_some() { 1 } else { self.episodes }
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The episode with a number: a home, and a task that can be fulfilled in it.
    ///
    /// # Errors
    /// What the home generator refuses, or a home in which no task can be drawn.
    pub fn episode(&self, index: usize) -> Result<(Episode, u64, usize, Option<Order>)> {
        let home_seed = self.first_home + index as u64 % HOMES;
        let spec = HomeSpec::from_seed(home_seed);
        let home = home::generate(&spec).map_err(Error::Simulation)?;
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let simulation =
            Simulation::new(home.clone(), &self.config.simulation, seed).map_err(Error::Simulation)?;
        let truth = simulation.truth();
        let relations = 1 + index % 3;
        // A home with few objects may not have as many fitting relations as asked for.
        let goal = (1..=relations)
            .rev()
            .find_map(|count| tasks::draw(&home, &truth, count, &mut rng))
            .ok_or(Error::NoTask(home_seed))?;
        let disturbance = self.disturb.then(|| disturb::draw(&home, &goal, &mut rng));
        let relations = goal.relations.len();
        let order = self.rules.then(|| {
            rules::draw(
                &home,
                &truth,
                &goal,
                index.is_multiple_of(UNSATISFIABLE_EVERY),
                &mut rng,
            )
        });
        let spec = EpisodeSpec {
            home: spec,
            goal,
            rules: order.as_ref().map_or_else(Vec::new, |order| order.rules.clone()),
            seed,
            changes: Vec::new(),
            disturbance,
        };
        Ok((
            Episode::in_home(home, spec, self.config.clone())?,
            home_seed,
            relations,
            order,
        ))
    }

    /// Runs all episodes; `progress` is called after each, in the order in which they end. `clock` gives
    /// wall-clock seconds for the timing.
    pub fn run(
        &self,
        stop: &Arc<AtomicBool>,
        clock: &(dyn Fn() -> f64 + Sync),
        progress: &(dyn Fn(&EpisodeResult) + Sync),
    ) -> LoopReport {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    let work = || {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            let index = self.only.unwrap_or(number);
                            if number >= self.len() || stop.load(Ordering::Relaxed) {
                                return;
                            }
                            let result = self.run_one(index, stop, clock);
                            if !stop.load(Ordering::Relaxed) {
                                progress(&result);
                                results
                                    .lock()
                                    .unwrap_or_else(PoisonError::into_inner)
                                    .push(result);
                            }
                        }
                    };
                    // An episode of its own pool: sharing one costs more than it gains where every core has
                    // an episode already. Results do not depend on the pool, so the shared one will do too.
                    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
                        Ok(pool) if self.threads > 1 => pool.install(work),
                        _ => work(),
                    }
                });
            }
        });
        let mut all = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_by_key(|r| r.index);
        self.sum_up(all)
    }

    fn run_one(&self, index: usize, stop: &Arc<AtomicBool>, clock: &dyn Fn() -> f64) -> EpisodeResult {
        let start = clock();
        let (home, relations, order, report) = match self.episode(index) {
            Ok((mut episode, home, relations, order)) => {
                episode.set_stop_flag(Arc::clone(stop));
                let report = self.run_observed(index, home, episode).map_err(|e| e.to_string());
                (home, relations, order, report)
            }
            Err(e) => (
                self.first_home + index as u64 % HOMES,
                0,
                None,
                Err(e.to_string()),
            ),
        };
        EpisodeResult {
            index,
            home,
            relations,
            order,
            report,
            wall_s: clock() - start,
        }
    }

    /// Runs an episode and writes what was asked for about it.
    fn run_observed(&self, index: usize, home: u64, episode: Episode) -> Result<EpisodeReport> {
        let file = |folder: &Path, extension: &str| {
            std::fs::create_dir_all(folder)
                .map(|()| folder.join(format!("episode-{index:03}.{extension}")))
                .map_err(|source| Error::File {
                    action: "make",
                    path: folder.to_path_buf(),
                    source,
                })
        };
        let recorder = match &self.recordings {
            Some(folder) => Some(Recorder::create(&file(folder, "mcap")?, &self.metadata(home)?)?),
            None => None,
        };
        let path = self
            .traces
            .as_deref()
            .map(|folder| file(folder, "txt"))
            .transpose()?;
        let failed = |source| Error::File {
            action: "write",
            path: path.clone().unwrap_or_default(),
            source,
        };
        let story = path.as_ref().map(File::create).transpose().map_err(failed)?;
        let mut observers = (story.map(|file| Trace::new(BufWriter::new(file))), recorder);
        let report = episode.run(&mut observers)?;
        let (trace, recorder) = observers;
        trace.map(Trace::finish).transpose().map_err(failed)?;
        recorder.map(Recorder::finish).transpose()?;
        Ok(report)
    }

    /// What the recording of an episode says about it.
    ///
    /// # Errors
    /// [`Error::Metadata`]
    pub(super) fn metadata(&self, home: u64) -> Result<RunMetadata> {
        let config = serde_json::to_value(&self.config).map_err(|e| Error::Metadata(e.to_string()))?;
        Ok(RunMetadata::simulated(
            self.seed,
            config,
            format!("seed: {home}\n"),
        ))
    }

    fn sum_up(&self, all: Vec<EpisodeResult>) -> LoopReport {
        let reports: Vec<&EpisodeReport> = all.iter().filter_map(|r| r.report.as_ref().ok()).collect();
        let share = |n: usize, of: usize| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        let mean = |values: &dyn Fn(&EpisodeReport) -> f64| {
            share(1, reports.len()) * reports.iter().map(|r| values(r)).sum::<f64>()
        };
        let mut failures = BTreeMap::new();
        let mut errors = BTreeMap::new();
        let mut by_relations: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for result in &all {
            let counts = by_relations.entry(result.relations).or_default();
            counts.1 += 1;
            match &result.report {
                Ok(r) => {
                    counts.0 += usize::from(result.is_right());
                    if let Some(reason) = r.failure() {
                        *failures.entry(reason.to_string()).or_insert(0) += 1;
                    }
                }
                Err(e) => *errors.entry(e.clone()).or_insert(0) += 1,
            }
        }
        LoopReport {
            episodes: all.len(),
            success_rate: share(all.iter().filter(|r| r.is_right()).count(), all.len()),
            rules: self.rules.then(|| RulesReport::of(&all)),
            false_success: reports.iter().filter(|r| r.is_false_success()).count(),
            failures,
            errors,
            success_by_relations: by_relations
                .into_iter()
                .map(|(n, (ok, of))| (n, share(ok, of)))
                .collect(),
            disturbed: self.disturb.then(|| {
                share(
                    reports.iter().filter(|r| r.disturbance.is_some()).count(),
                    all.len(),
                )
            }),
            mean_wall_s: share(1, all.len()) * all.iter().map(|r| r.wall_s).sum::<f64>(),
            mean_simulated_s: mean(&|r| r.simulated_s),
            mean_travelled_m: mean(&|r| r.travelled_m),
            worst_pose_error_m: reports.iter().map(|r| r.pose_error_m).fold(0.0, f64::max),
            setbacks: reports.iter().map(|r| r.setbacks.len()).sum(),
            all,
        }
    }
}
