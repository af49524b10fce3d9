//! Trees from the plans of the 15 models: open loop, backtracking, and the walk that cannot rewind.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Progress;
use super::gold::read_answer;
use crate::Result;
use crate::domain::{GroundAction, RefusalKind, State};
use crate::plan::Limits;
use crate::tree::{ActionTree, Decision, FirstOf, MeansEnds, NodeId, Searched, Walk, WalkConfig, WalkStats};
use crate::virtualhome::{Dataset, Task};

/// What trees come to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TreeReport {
    /// Tasks whose first state is not a goal already.
    pub tree_tasks: usize,
    /// Plans in the trees.
    pub tree_plans: usize,
    /// Tasks that some single plan solves, carried out to its end.
    pub tree_ceiling: usize,
    /// Solved by the way with the most votes, given up at the first refusal.
    pub tree_open_loop: usize,
    /// Solved with backtracking where the world goes back to the fork and every end is tested.
    pub tree_rewind: usize,
    /// Solved with backtracking from the present state, every end tested; nothing is repaired.
    pub tree_no_rewind: usize,
    /// Solved with repair and the recorded plans alone; the first plan that is carried out is the end.
    pub tree_repair: usize,
    /// Solved with repair, and new plans by search once the tree is used up; judged on the final state.
    pub tree_full: usize,
    /// Branches given up per task, in the walks of `tree_full`.
    pub tree_corrections_mean: f64,
    /// Repairs per task in the same walks.
    pub tree_repairs_mean: f64,
    /// Questions for new plans per task in the same walks.
    pub tree_resamples_mean: f64,
    /// Steps per task in the same walks.
    pub tree_steps_mean: f64,
    /// Tasks that `tree_full` misses.
    pub tree_failures: Vec<String>,
}

impl TreeReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        self.tree_full >= 300
    }
}

/// The plans of the models for a task, as far as they can be grounded, and whether they are whole.
pub(crate) fn plans_of(
    dataset: &Dataset,
    task: &Task,
    answers: &BTreeMap<String, BTreeMap<String, String>>,
) -> Result<Vec<(Vec<GroundAction>, bool)>> {
    let ids = dataset.shown(&task.id)?;
    let mut plans = Vec::new();
    for by_task in answers.values() {
        let answer = by_task.get(&task.id).map_or("", String::as_str);
        let Some(answer) = read_answer(task, answer, &ids) else {
            continue;
        };
        let steps = answer
            .steps
            .iter()
            .map(|step| task.home.ground(step))
            .collect::<Result<Vec<GroundAction>>>()?;
        if !steps.is_empty() {
            plans.push((steps, answer.flaw.is_none()));
        }
    }
    Ok(plans)
}

pub(crate) fn grow(plans: &[(Vec<GroundAction>, bool)]) -> ActionTree {
    let mut tree = ActionTree::new();
    for (steps, whole) in plans {
        if *whole {
            tree.insert(steps);
        } else {
            tree.insert_fragment(steps);
        }
    }
    tree
}

pub(crate) fn measure(dataset: &Dataset) -> Result<TreeReport> {
    let mut report = TreeReport::default();
    let answers = dataset.answers()?;
    let ids = dataset.tasks();
    let progress = Progress::new("trees", ids.len());
    let mut total = WalkStats::default();
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        if reached(&task, &task.start()) {
            continue;
        }
        let plans = plans_of(dataset, &task, &answers)?;
        report.tree_tasks += 1;
        report.tree_plans += plans.len();
        let tree = grow(&plans);
        let solves = |(steps, whole): &(Vec<GroundAction>, bool)| {
            *whole && run_through(&task, steps).is_some_and(|state| reached(&task, &state))
        };
        report.tree_ceiling += usize::from(plans.iter().any(solves));
        report.tree_open_loop += usize::from(open_loop(&task, &tree));
        report.tree_rewind += usize::from(rewind(&task, &tree, ActionTree::ROOT, &task.start()));
        let backtrack = WalkConfig {
            repair_steps: 0,
            resamples: 0,
            ..WalkConfig::default()
        };
        report.tree_no_rewind += usize::from(walk(&task, &tree, backtrack)?.0);
        let repair = WalkConfig {
            resamples: 0,
            check_ends: false,
            ..WalkConfig::default()
        };
        report.tree_repair += usize::from(walk(&task, &tree, repair)?.0);
        let (solved, stats) = walk(&task, &tree, WalkConfig::default())?;
        if solved {
            report.tree_full += 1;
        } else {
            report.tree_failures.push(id.clone());
        }
        total.corrections += stats.corrections;
        total.repairs += stats.repairs;
        total.resamples += stats.resamples;
        total.steps += stats.steps;
    }
    let mean = |count: usize| count as f64 / report.tree_tasks.max(1) as f64;
    report.tree_corrections_mean = mean(total.corrections);
    report.tree_repairs_mean = mean(total.repairs);
    report.tree_resamples_mean = mean(total.resamples);
    report.tree_steps_mean = mean(total.steps);
    Ok(report)
}

/// Whether the facts of the goal hold; the actions that a task asks for besides are not asked here.
pub(crate) fn reached(task: &Task, state: &State) -> bool {
    state.satisfies(&task.goal, &[])
}

/// The state after all steps. What is so already is passed over, as the benchmark does ("additional step").
fn run_through(task: &Task, steps: &[GroundAction]) -> Option<State> {
    let mut state = task.start();
    for step in steps {
        match state.check(step) {
            Ok(()) => state = state.apply(step),
            Err(refusal) if refusal.kind == RefusalKind::Satisfied => {}
            Err(_) => return None,
        }
    }
    Some(state)
}

/// The way with the most votes, to its end or to the first refusal; whether the goal is reached then.
fn open_loop(task: &Task, tree: &ActionTree) -> bool {
    let mut state = task.start();
    let mut at = ActionTree::ROOT;
    loop {
        let best = tree.live_children(at).first().copied();
        let node = tree.node(at);
        let Some((child, step)) = best
            .filter(|child| tree.node(*child).votes >= node.ends)
            .and_then(|child| Some((child, tree.node(child).action?)))
        else {
            return reached(task, &state);
        };
        match state.check(&step) {
            Ok(()) => state = state.apply(&step),
            Err(refusal) if refusal.kind == RefusalKind::Satisfied => {}
            Err(_) => return reached(task, &state),
        }
        at = child;
    }
}

/// Depth-first by votes with the world taken back; every end is tested.
fn rewind(task: &Task, tree: &ActionTree, at: NodeId, state: &State) -> bool {
    if tree.node(at).ends > 0 && reached(task, state) {
        return true;
    }
    for child in tree.live_children(at) {
        let Some(step) = tree.node(child).action else {
            continue;
        };
        let next = match state.check(&step) {
            Ok(()) => state.apply(&step),
            Err(refusal) if refusal.kind == RefusalKind::Satisfied => state.clone(),
            Err(_) => continue,
        };
        if rewind(task, tree, child, &next) {
            return true;
        }
    }
    false
}

/// New plans: by means-ends analysis, and where that has none by search.
pub(crate) fn sampler(task: &Task) -> FirstOf {
    let search = Searched {
        rules: None,
        limits: Limits {
            first_states: 4_000,
            improve_states: 0,
        },
    };
    let obvious = MeansEnds::new(task.home.scene.domain());
    FirstOf(vec![Box::new(obvious), Box::new(search)])
}

/// Walks a tree in the simulator; whether the goal is reached at the end.
fn walk(task: &Task, tree: &ActionTree, config: WalkConfig) -> Result<(bool, WalkStats)> {
    let mut goal = task.search_goal();
    goal.actions.clear();
    let resamples = config.resamples > 0;
    let mut walk = Walk::new(tree.clone(), goal, config);
    if resamples {
        walk = walk.with_sampler(sampler(task));
    }
    let mut state = task.start();
    while let Decision::Do(step) = walk.next(&state)? {
        match state.check(&step) {
            Ok(()) => state = state.apply(&step),
            Err(refusal) => walk.failed(refusal.kind),
        }
    }
    Ok((reached(task, &state), walk.stats()))
}
