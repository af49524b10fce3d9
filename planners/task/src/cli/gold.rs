//! Parity with the Python simulator: programs, final graphs, refusals, speed.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use super::Progress;
use crate::Result;
use crate::domain::{GroundAction, RefusalKind};
use crate::virtualhome::{Dataset, Edge, Flaw, PlanStep, ReferenceLine, Task, parse_answer};

/// How this simulator compares with the Python one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GoldReport {
    /// Programs of the data set.
    pub gold_programs: usize,
    /// Those that run to the end.
    pub gold_executed: usize,
    /// Those after which the states of all nodes are as in the shipped final graph.
    pub gold_states: usize,
    /// Those after which all edges but `CLOSE` are too.
    pub gold_edges: usize,
    /// The first few programs that are refused or end differently.
    pub gold_differences: Vec<String>,
    /// Plans of the language models for which there is a reference.
    pub refusal_plans: usize,
    /// Share of them whose first refused step and kind of refusal are those of the Python simulator.
    pub refusal_agreement: f64,
    /// Share of them whose first refused step is, whatever the kind.
    pub refusal_step_agreement: f64,
    /// The first few that differ.
    pub refusal_differences: Vec<String>,
    /// One step, check and effects, mean over the programs, microseconds.
    pub step_us: f64,
    /// The same in Python.
    pub python_step_us: Option<f64>,
    /// Whether Python was timed in this run, not when the reference was made.
    pub python_timed_now: bool,
    /// Python's step over ours.
    pub step_speedup: Option<f64>,
}

impl GoldReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        self.gold_executed >= 516
            && self.gold_states >= 516
            && self.gold_edges >= 516
            && self.refusal_agreement >= 0.99
            && self.step_speedup.is_none_or(|speedup| speedup >= 100.0)
    }
}

/// The Python simulator's name for a kind of refusal.
fn reference_name(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Missing => "missing",
        RefusalKind::Affordance => "affordance",
        RefusalKind::Unseen => "unseen",
        RefusalKind::Satisfied => "satisfied",
        RefusalKind::WrongOrder => "wrong_order",
        RefusalKind::Other => "other",
    }
}

pub(crate) fn measure(dataset: &Dataset, folder: &Path) -> Result<GoldReport> {
    let mut report = GoldReport::default();
    let (mut steps, mut seconds) = (0usize, 0.0);
    let programs = dataset.programs()?;
    report.gold_programs = programs.len();
    let progress = Progress::new("programs", programs.len());
    for (at, id) in programs.iter().enumerate() {
        progress.at(at);
        let (first, last) = dataset.graphs(id)?;
        let home = first.home(dataset.domain())?;
        let program = dataset.program(id)?;
        let actions = program
            .iter()
            .map(|step| home.ground(step))
            .collect::<Result<Vec<GroundAction>>>()?;
        let mut state = home.scene.start();
        let mut executed = true;
        let start = Instant::now();
        for action in &actions {
            if let Err(refusal) = state.check(action) {
                executed = false;
                let why = refusal.describe(&home.scene);
                report.gold_differences.push(format!("{id}: {why}"));
                break;
            }
            state = state.apply(action);
            steps += 1;
        }
        seconds += start.elapsed().as_secs_f64();
        report.gold_executed += usize::from(executed);
        let same_states = home.node_states(&state) == last.node_states();
        report.gold_states += usize::from(executed && same_states);
        let but_close = |edges: std::collections::BTreeSet<Edge>| -> Vec<Edge> {
            edges
                .into_iter()
                .filter(|edge| edge.relation_type != "CLOSE")
                .collect()
        };
        let same_edges = but_close(home.edge_set(&state)) == but_close(last.edge_set());
        report.gold_edges += usize::from(executed && same_edges);
        if executed && !(same_states && same_edges) {
            report.gold_differences.push(format!("{id}: another final graph"));
        }
    }
    drop(progress);
    report.gold_differences.truncate(30);
    report.step_us = seconds / steps.max(1) as f64 * 1e6;

    let reference = dataset.reference()?;
    compare_refusals(dataset, &reference, &mut report)?;
    report.python_step_us = time_python(folder);
    report.python_timed_now = report.python_step_us.is_some();
    if report.python_step_us.is_none() {
        report.python_step_us = python_step_us(&reference);
    }
    report.step_speedup = report.python_step_us.map(|python| python / report.step_us);
    Ok(report)
}

/// Mean time of a step of the programs, microseconds.
fn python_step_us(reference: &[ReferenceLine]) -> Option<f64> {
    let programs = || reference.iter().filter(|line| line.program.is_some());
    let steps: usize = programs().map(|line| line.steps).sum();
    let seconds: f64 = programs().map(|line| line.seconds).sum();
    (steps > 0).then(|| seconds / steps as f64 * 1e6)
}

/// The same, measured now on some of the programs.
fn time_python(folder: &Path) -> Option<f64> {
    let output = Command::new(folder.join("python/bin/python"))
        .arg(folder.join("virtualhome_reference.py"))
        .arg(folder)
        .arg("40")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| line.starts_with("{\"program\""));
    let lines: Vec<ReferenceLine> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    python_step_us(&lines)
}

/// A plan of a language model: the steps up to the first that means nothing, and what is wrong with that.
pub(crate) struct Answer {
    pub(crate) steps: Vec<PlanStep>,
    pub(crate) flaw: Option<Flaw>,
}

/// Reads an answer; [`None`] if it is no plan.
pub(crate) fn read_answer(
    task: &Task,
    text: &str,
    ids: &std::collections::BTreeMap<String, u32>,
) -> Option<Answer> {
    let domain = task.home.scene.domain();
    let parameters = |name: &str| {
        // The simulator's names are upper case; the character is no argument of a script.
        let schema = domain.schema_named(&name.to_lowercase())?;
        (name == name.to_uppercase()).then(|| domain.schema(schema).parameters.len() - 1)
    };
    let mut answer = Answer {
        steps: Vec::new(),
        flaw: None,
    };
    for step in parse_answer(text, ids, parameters)? {
        match step {
            Ok(step) => answer.steps.push(step),
            Err(flaw) => {
                answer.flaw = Some(flaw);
                break;
            }
        }
    }
    Some(answer)
}

fn compare_refusals(dataset: &Dataset, reference: &[ReferenceLine], report: &mut GoldReport) -> Result<()> {
    let answers = dataset.answers()?;
    let (mut equal, mut equal_step) = (0usize, 0usize);
    let mut task: Option<Task> = None;
    let progress = Progress::new("plans", reference.len());
    for (at, line) in reference.iter().enumerate() {
        progress.at(at);
        let (Some(id), Some(model)) = (&line.plan, &line.model) else {
            continue;
        };
        let current = match task.take().filter(|task| task.id == *id) {
            Some(task) => task,
            None => dataset.task(id)?,
        };
        let text = answers
            .get(model)
            .and_then(|plans| plans.get(id))
            .map_or("", String::as_str);
        let answer = read_answer(&current, text, &line.ids);
        if let Some(answer) = answer.filter(|_| line.parsed == Some(true)) {
            let actions = answer
                .steps
                .iter()
                .map(|step| current.home.ground(step))
                .collect::<Result<Vec<GroundAction>>>()?;
            let run = current.run(&actions);
            let ours = match (&run.refused, answer.flaw) {
                (Some((at, _, kind)), _) => (Some(*at), Some(reference_name(*kind))),
                (None, Some(flaw)) => (Some(answer.steps.len()), Some(flaw.name())),
                (None, None) => (None, None),
            };
            report.refusal_plans += 1;
            equal_step += usize::from(ours.0 == line.first);
            if ours == (line.first, line.kind.as_deref()) {
                equal += 1;
            } else if report.refusal_differences.len() < 10 {
                let why = run
                    .refused
                    .map(|(_, refusal, _)| refusal.describe(&current.home.scene));
                report.refusal_differences.push(format!(
                    "{id} {model}: {ours:?} against {:?}: {}",
                    (line.first, &line.kind),
                    why.unwrap_or_default()
                ));
            }
        }
        task = Some(current);
    }
    let share = |count: usize| count as f64 / report.refusal_plans.max(1) as f64;
    report.refusal_agreement = share(equal);
    report.refusal_step_agreement = share(equal_step);
    Ok(())
}
