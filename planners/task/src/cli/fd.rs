//! Fast Downward beside our search: same problems, same machine, same run.
//!
//! Three sets: the problems that the benchmark ships, cut down and in its own domain; the same tasks with the
//! simulator's domain, cut down to what our search looks at; and whole scenes, a few of them, since grounding one
//! takes Fast Downward minutes. For the first set both planners get the shipped files. What they return is carried
//! out in the simulator; goals are facts, the actions that some tasks ask for besides are not asked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::tree::reached;
use super::{Progress, median};
use crate::domain::{Domain, GroundAction, Obj, State};
use crate::pddl::{self, Problem};
use crate::plan::{Goal, Limits, plan, relevant};
use crate::virtualhome::{Dataset, Task};
use crate::{Error, Result};

/// What a planner comes to on a set of problems.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Planner {
    /// Problems with a plan.
    pub solved: usize,
    /// Plans that run in the simulator without a refusal.
    pub executable: usize,
    /// Of these, those that reach the facts of the goal.
    pub reached: usize,
    /// Wall time of a problem that was solved, reading and grounding included: median, seconds.
    pub median_s: f64,
    /// The same over all problems, solved or not, together.
    pub total_s: f64,
}

/// Both planners on a set of problems.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// Problems.
    pub problems: usize,
    /// Fast Downward, `lama-first`.
    pub fast_downward: Planner,
    /// Our search.
    pub ours: Planner,
}

/// Fast Downward and our search.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FdReport {
    /// The shipped problems in the shipped domain.
    pub fd_shipped: Comparison,
    /// All tasks in the simulator's domain, cut down to what is relevant.
    pub fd_relevant: Comparison,
    /// Some tasks in the simulator's domain, whole scenes, within [`WHOLE_LIMIT_S`].
    pub fd_whole: Comparison,
}

/// Limits of processor time for one problem, seconds.
const SMALL_LIMIT_S: u32 = 60;
const WHOLE_LIMIT_S: u32 = 300;
/// Seed of the sample of whole scenes.
const SEED: u64 = 5;

/// Names of the shipped domain's actions where the simulator's differ by more than underscores.
const RENAMED: [(&str, &str); 6] = [
    ("walk_towards", "walk"),
    ("walk_into", "walk"),
    ("put_on", "putback"),
    ("put_on_character", "puton"),
    ("put_inside", "putin"),
    ("wake_up", "wakeup"),
];

/// Says where the package is without importing it, which would take more packages.
const FIND: &str =
    "from importlib.util import find_spec as f; print(f('up_fast_downward').submodule_search_locations[0])";

struct FastDownward {
    python: PathBuf,
    driver: PathBuf,
    scratch: PathBuf,
}

impl FastDownward {
    fn find(data: &Path) -> Result<FastDownward> {
        let python = data.join("python/bin/python");
        let output = Command::new(&python)
            .args(["-c", FIND])
            .stderr(Stdio::null())
            .output();
        let folder = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let driver = PathBuf::from(folder.unwrap_or_default()).join("downward/fast-downward.py");
        if !driver.is_file() {
            return Err(Error::Read {
                path: "up_fast_downward".to_owned(),
                reason: format!(
                    "Fast Downward is not there; install it with `{}/python/bin/pip install --no-deps up-fast-downward`",
                    data.display()
                ),
            });
        }
        let scratch = std::env::temp_dir().join(format!("steward-fd-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|error| failed(&scratch, error))?;
        Ok(FastDownward {
            python,
            driver,
            scratch,
        })
    }

    /// A plan file, and the seconds that it took.
    fn solve(&self, domain: &Path, problem: &Path, limit_s: u32) -> Result<(Option<String>, f64)> {
        let plan = self.scratch.join("sas_plan");
        let _ = std::fs::remove_file(&plan);
        let start = Instant::now();
        Command::new(&self.python)
            .arg(&self.driver)
            .args([
                "--overall-time-limit",
                &format!("{limit_s}s"),
                "--alias",
                "lama-first",
            ])
            .args([domain, problem])
            .current_dir(&self.scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| failed(&self.driver, error))?;
        let seconds = start.elapsed().as_secs_f64();
        Ok((std::fs::read_to_string(&plan).ok(), seconds))
    }
}

impl Drop for FastDownward {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

fn failed(path: &Path, reason: impl ToString) -> Error {
    Error::Read {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| failed(path, error))
}

/// Counts for one planner.
#[derive(Default)]
struct Tally {
    planner: Planner,
    times_s: Vec<f64>,
}

impl Tally {
    /// `steps` is [`None`] without a plan; inside, [`None`] where it does not speak of the simulator's things.
    fn count(&mut self, task: &Task, steps: Option<Option<Vec<GroundAction>>>, seconds: f64) {
        self.planner.total_s += seconds;
        let Some(steps) = steps else { return };
        self.planner.solved += 1;
        self.times_s.push(seconds);
        let Some(run) = steps.map(|steps| task.run(&steps)) else {
            return;
        };
        if run.refused.is_none() {
            self.planner.executable += 1;
            self.planner.reached += usize::from(reached(task, &run.state));
        }
    }

    fn done(mut self) -> Planner {
        self.planner.median_s = median(&mut self.times_s);
        self.planner
    }
}

pub(crate) fn measure(dataset: &Dataset, data: &Path, whole: usize) -> Result<FdReport> {
    let fast_downward = FastDownward::find(data)?;
    let ids = dataset.tasks();
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let sample: Vec<String> = ids.sample(&mut random, whole).cloned().collect();
    Ok(FdReport {
        fd_shipped: shipped(dataset, data, &fast_downward, &ids)?,
        fd_relevant: exported(dataset, &fast_downward, &ids, true)?,
        fd_whole: exported(dataset, &fast_downward, &sample, false)?,
    })
}

/// The files that the benchmark ships.
fn shipped(dataset: &Dataset, data: &Path, fd: &FastDownward, ids: &[String]) -> Result<Comparison> {
    let root = data.join("virtualhome_eval/resources/virtualhome");
    let domain_path = root.join("virtualhome.pddl");
    let text = std::fs::read_to_string(&domain_path).map_err(|error| failed(&domain_path, error))?;
    let domain = Arc::new(Domain::parse(&text)?);
    let (mut theirs, mut ours, mut problems) = (Tally::default(), Tally::default(), 0);
    let progress = Progress::new("shipped", ids.len());
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        let folder = task.name.replace(' ', "_");
        let path = root.join(format!("problem_pddl/{folder}/{id}.pddl"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        problems += 1;
        let names = dataset.shown(id)?;
        let (plan_file, seconds) = fd.solve(&domain_path, &path, SMALL_LIMIT_S)?;
        let steps = plan_file.map(|file| in_simulator(&task, &names, &file));
        theirs.count(&task, steps, seconds);
        let start = Instant::now();
        let problem = Problem::parse(Arc::clone(&domain), &text)?;
        let goal = Goal::reach(problem.goal);
        let found = plan(&problem.scene.start(), &goal, None, &Limits::default());
        let seconds = start.elapsed().as_secs_f64();
        let steps = found.ok().map(|found| {
            let file = pddl::plan(&problem.scene, &found.steps);
            in_simulator(&task, &names, &file)
        });
        ours.count(&task, steps, seconds);
    }
    Ok(Comparison {
        problems,
        fast_downward: theirs.done(),
        ours: ours.done(),
    })
}

/// A plan for a shipped problem, whose things are called by their class: that thing of the class which the task
/// changes, else the first.
fn in_simulator(task: &Task, names: &BTreeMap<String, u32>, file: &str) -> Option<Vec<GroundAction>> {
    let scene = &task.home.scene;
    let object = |class: &str| -> Option<Obj> {
        let known = names.get(class).and_then(|id| task.home.object(*id));
        known.or_else(|| {
            let of_class = |name: &str| name.rsplit_once('.').is_some_and(|(head, _)| head == class);
            let at = scene.objects().iter().position(|object| of_class(&object.name));
            at.map(|at| Obj(at as u32))
        })
    };
    let mut steps = Vec::new();
    for line in file.lines() {
        let Some(words) = line.strip_prefix('(').and_then(|line| line.strip_suffix(')')) else {
            continue;
        };
        let (name, arguments) = words.split_once(' ').unwrap_or((words, ""));
        let renamed = RENAMED.iter().find(|(theirs, _)| *theirs == name);
        let name = renamed.map_or_else(|| name.replace('_', ""), |(_, ours)| (*ours).to_owned());
        let schema = scene.domain().schema_named(&name)?;
        let objects: Option<Vec<Obj>> = arguments.split_whitespace().map(object).collect();
        let mut objects = objects?;
        // Putting on clothes names the person twice there.
        objects.truncate(scene.domain().schema(schema).parameters.len());
        steps.push(GroundAction::new(schema, &objects));
    }
    Some(steps)
}

/// Tasks in the simulator's domain, as we write them.
fn exported(dataset: &Dataset, fd: &FastDownward, ids: &[String], cut: bool) -> Result<Comparison> {
    let domain_path = fd.scratch.join("domain.pddl");
    let problem_path = fd.scratch.join("problem.pddl");
    write(&domain_path, &pddl::domain(dataset.domain())?)?;
    let (mut theirs, mut ours) = (Tally::default(), Tally::default());
    let progress = Progress::new(if cut { "relevant" } else { "whole" }, ids.len());
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        let scene = &task.home.scene;
        let goal = Goal::reach(task.goal.clone());
        let only = if cut {
            Some(needed(&task.start(), &goal)?)
        } else {
            None
        };
        let text = pddl::problem("task", &task.start(), &task.goal, only.as_ref());
        write(&problem_path, &text)?;
        let limit_s = if cut { SMALL_LIMIT_S } else { WHOLE_LIMIT_S };
        let (plan_file, seconds) = fd.solve(&domain_path, &problem_path, limit_s)?;
        let steps = plan_file.map(|file| pddl::read_plan(scene, &file).ok());
        theirs.count(&task, steps, seconds);
        // Ours always gets the whole scene.
        let start = Instant::now();
        let found = plan(&task.start(), &goal, None, &Limits::default());
        let seconds = start.elapsed().as_secs_f64();
        ours.count(&task, found.ok().map(|found| Some(found.steps)), seconds);
    }
    Ok(Comparison {
        problems: ids.len(),
        fast_downward: theirs.done(),
        ours: ours.done(),
    })
}

/// What is relevant to a goal, and where that is.
fn needed(state: &State, goal: &Goal) -> Result<BTreeSet<Obj>> {
    let mut all = relevant(state, goal)?;
    let domain = state.scene().domain();
    let places: Vec<_> = ["on", "inside"]
        .iter()
        .filter_map(|name| domain.predicate_named(name))
        .collect();
    let mut open: Vec<Obj> = all.iter().copied().collect();
    while let Some(object) = open.pop() {
        for place in places.iter().flat_map(|place| state.targets(*place, object)) {
            if all.insert(place) {
                open.push(place);
            }
        }
    }
    Ok(all)
}
