//! What a language model would be paid for: the same tasks, observations, answers and tokenizer for every planner.
//!
//! The answers are those of the 15 models, merged; a model that is asked for one step answers with the most voted one
//! that it has not seen fail. So all planners here make the same decisions, and only their prompts differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tiktoken_rs::CoreBPE;

use super::Progress;
use super::tree::{grow, plans_of, reached, sampler};
use crate::domain::{GroundAction, RefusalKind, State};
use crate::tree::{
    ActionTree, ByVotes, Chooser, Decision, Fork, NodeId, Prompt, Request, Status, Walk, WalkConfig,
};
use crate::virtualhome::{Dataset, Task};
use crate::{Error, Result};

/// Tokens per task, prompt and answer together (`o200k_base`).
#[derive(Debug, Clone, Default, Serialize)]
pub struct TokenReport {
    /// Tasks whose first state is not a goal already.
    pub tokens_tasks: usize,
    /// Asked for every step; the first refusal is the end.
    pub tokens_iterative: f64,
    /// Asked for every step, and again where one is refused.
    pub tokens_local: f64,
    /// Asked for every step, and for all again from the beginning where one is refused.
    pub tokens_global: f64,
    /// Asked for 15 plans at once, then at every fork.
    pub tokens_tree: f64,
    /// Asked for 15 plans at once; forks are decided by votes.
    pub tokens_tree_votes: f64,
    /// Tokens that the tree saves of the iterative planner's, share; the paper reports 0.53.
    pub tokens_saved_iterative: f64,
    /// The same of local replanning; the paper reports 0.74.
    pub tokens_saved_local: f64,
    /// The same of global replanning; the paper reports 0.92.
    pub tokens_saved_global: f64,
    /// Tasks solved by each, in the order iterative, local, global, tree.
    pub tokens_solved: [usize; 4],
}

impl TokenReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        self.tokens_saved_iterative >= 0.53
            && self.tokens_saved_local >= 0.74
            && self.tokens_saved_global >= 0.92
    }
}

/// Counts tokens.
#[derive(Clone)]
struct Counter(Arc<CoreBPE>);

impl Counter {
    fn of(&self, text: &str) -> usize {
        self.0.encode_ordinary(text).len()
    }
}

pub(crate) fn measure(dataset: &Dataset) -> Result<TokenReport> {
    let tokenizer = tiktoken_rs::o200k_base().map_err(|error| Error::Read {
        path: "o200k_base".to_owned(),
        reason: error.to_string(),
    })?;
    let counter = Counter(Arc::new(tokenizer));
    let mut report = TokenReport::default();
    let answers = dataset.answers()?;
    let ids = dataset.tasks();
    let progress = Progress::new("tokens", ids.len());
    let mut sums = [0usize; 5];
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        if reached(&task, &task.start()) {
            continue;
        }
        report.tokens_tasks += 1;
        let tree = grow(&plans_of(dataset, &task, &answers)?);
        for (number, restart) in [Restart::Never, Restart::Step, Restart::All]
            .into_iter()
            .enumerate()
        {
            let (tokens, solved) = step_by_step(&task, tree.clone(), &counter, restart);
            sums[number] += tokens;
            report.tokens_solved[number] += usize::from(solved);
        }
        for (number, at_forks) in [(3, true), (4, false)] {
            let (tokens, solved) = by_tree(&task, &tree, &counter, at_forks)?;
            sums[number] += tokens;
            if at_forks {
                report.tokens_solved[3] += usize::from(solved);
            }
        }
    }
    let mean = |sum: usize| sum as f64 / report.tokens_tasks.max(1) as f64;
    report.tokens_iterative = mean(sums[0]);
    report.tokens_local = mean(sums[1]);
    report.tokens_global = mean(sums[2]);
    report.tokens_tree = mean(sums[3]);
    report.tokens_tree_votes = mean(sums[4]);
    let saved = |of: f64| 1.0 - report.tokens_tree / of;
    report.tokens_saved_iterative = saved(report.tokens_iterative);
    report.tokens_saved_local = saved(report.tokens_local);
    report.tokens_saved_global = saved(report.tokens_global);
    Ok(report)
}

/// What a planner that is asked for every step does when one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    Never,
    Step,
    All,
}

/// How often a planner may begin again.
const MAX_RESTARTS: usize = 10;

/// Tokens of a planner that is asked for one step at a time, and whether it reaches the goal.
fn step_by_step(task: &Task, mut tree: ActionTree, counter: &Counter, restart: Restart) -> (usize, bool) {
    let goal = task.search_goal();
    let prompt = Prompt::default();
    let scene = &task.home.scene;
    let mut tokens = 0;
    let mut restarts = 0;
    let mut state = task.start();
    let mut done: Vec<GroundAction> = Vec::new();
    let mut at: NodeId = ActionTree::ROOT;
    loop {
        tokens += counter.of(&prompt.next_step(&state, &goal, &done));
        let next = tree.live_children(at).first().copied();
        let Some((child, step)) = next.and_then(|child| Some((child, tree.node(child).action?))) else {
            tokens += counter.of("done");
            return (tokens, reached(task, &state));
        };
        tokens += counter.of(&scene.action_text(&step));
        match state.check(&step) {
            Ok(()) => {
                state = state.apply(&step);
                done.push(step);
                at = child;
            }
            Err(refusal) if refusal.kind == RefusalKind::Satisfied => at = child,
            Err(refusal) => {
                tree.set(child, Status::Failed(refusal.kind));
                restarts += 1;
                match restart {
                    Restart::Never => return (tokens, reached(task, &state)),
                    _ if restarts > MAX_RESTARTS => return (tokens, reached(task, &state)),
                    Restart::Step => {}
                    Restart::All => {
                        state = task.start();
                        done.clear();
                        at = ActionTree::ROOT;
                    }
                }
            }
        }
    }
}

/// Counts what a model would be asked at forks, and decides by votes.
struct Asked {
    counter: Counter,
    tokens: Arc<AtomicUsize>,
}

impl Chooser for Asked {
    fn choose(&mut self, fork: &Fork) -> Result<usize> {
        let steps: Vec<GroundAction> = fork.offers.iter().filter_map(|offer| offer.step).collect();
        let text = Prompt::default().choice(fork.state, fork.goal, fork.done, &steps);
        let tokens = self.counter.of(&text) + self.counter.of("1");
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        ByVotes.choose(fork)
    }
}

/// Tokens of the tree: one question for all plans, their text, and the questions at forks.
fn by_tree(task: &Task, tree: &ActionTree, counter: &Counter, at_forks: bool) -> Result<(usize, bool)> {
    let mut goal = task.search_goal();
    let start = task.start();
    let request = Request {
        state: &start,
        goal: &goal,
        count: 15,
        lessons: &[],
    };
    let mut tokens = counter.of(&Prompt::default().plans(&request));
    for node in tree.nodes() {
        if let Some(action) = &node.action {
            // Each plan writes its own steps: the votes count how many did.
            let line = task.home.scene.action_text(action) + "\n";
            tokens += node.votes as usize * counter.of(&line);
        }
    }
    goal.actions.clear();
    let sampled = tokens;
    let asked = Arc::new(AtomicUsize::new(0));
    let mut walk = Walk::new(tree.clone(), goal, WalkConfig::default()).with_sampler(sampler(task));
    if at_forks {
        walk = walk.with_chooser(Asked {
            counter: counter.clone(),
            tokens: Arc::clone(&asked),
        });
    }
    let mut state: State = start.clone();
    while let Decision::Do(step) = walk.next(&state)? {
        match state.check(&step) {
            Ok(()) => state = state.apply(&step),
            Err(refusal) => walk.failed(refusal.kind),
        }
    }
    // New plans come from search here; a model would be asked as at first.
    tokens += asked.load(Ordering::Relaxed) + walk.stats().resamples * sampled;
    Ok((tokens, reached(task, &state)))
}
