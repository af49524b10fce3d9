//! Search alone: a goal and a full scene, nothing else.

use std::time::Instant;

use serde::Serialize;

use super::{Progress, median};
use crate::Result;
use crate::plan::{Limits, plan};
use crate::virtualhome::Dataset;

/// What search comes to on the tasks with goals.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SearchReport {
    /// Tasks.
    pub search_tasks: usize,
    /// Those whose plan runs in the simulator and reaches the goal, actions asked for included.
    pub search_solved: usize,
    /// Of these, those whose first state already is a goal.
    pub search_already: usize,
    /// Time of a plan on the full scene, milliseconds: median, 95th of 100 and slowest.
    pub search_median_ms: f64,
    /// See `search_median_ms`.
    pub search_p95_ms: f64,
    /// See `search_median_ms`.
    pub search_slowest_ms: f64,
    /// Steps of a plan, mean.
    pub search_steps: f64,
    /// Objects of a scene, mean.
    pub search_objects: f64,
    /// Tasks that failed, and how.
    pub search_failures: Vec<String>,
}

impl SearchReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        self.search_solved >= 335 && self.search_median_ms <= 50.0
    }
}

pub(crate) fn measure(dataset: &Dataset) -> Result<SearchReport> {
    let mut report = SearchReport::default();
    let ids = dataset.tasks();
    report.search_tasks = ids.len();
    let mut times_ms = Vec::new();
    let (mut steps, mut objects) = (0, 0);
    let progress = Progress::new("search", ids.len());
    for (at, id) in ids.iter().enumerate() {
        progress.at(at);
        let task = dataset.task(id)?;
        objects += task.home.scene.objects().len();
        let goal = task.search_goal();
        let start = Instant::now();
        let found = plan(&task.start(), &goal, None, &Limits::default());
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        match found {
            Ok(found) => {
                let run = task.run(&found.steps);
                if run.refused.is_none() && task.succeeds(&run.state, &run.done) {
                    report.search_solved += 1;
                    report.search_already += usize::from(found.steps.is_empty());
                    steps += found.steps.len();
                } else {
                    report
                        .search_failures
                        .push(format!("{id}: the plan does not run to the goal"));
                }
            }
            Err(error) => report.search_failures.push(format!("{id}: {error}")),
        }
    }
    report.search_median_ms = median(&mut times_ms);
    report.search_p95_ms = times_ms
        .get(times_ms.len() * 95 / 100)
        .copied()
        .unwrap_or_default();
    report.search_slowest_ms = times_ms.last().copied().unwrap_or_default();
    report.search_steps = steps as f64 / report.search_solved.max(1) as f64;
    report.search_objects = objects as f64 / ids.len().max(1) as f64;
    Ok(report)
}
