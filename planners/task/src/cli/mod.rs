//! `bench virtualhome`: every number that the crate promises, measured on VirtualHome's evolving graph.

mod disturb;
mod fd;
mod gold;
mod rules;
mod search;
mod tokens;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::Result;
use crate::virtualhome::Dataset;

/// Measure plans, trees, repair and search on VirtualHome.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchCommand {
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// What to measure; everything if none is given.
    #[arg(long, value_enum)]
    suite: Vec<Suite>,
    /// Folder made by `planners/task/bench/virtualhome.sh`.
    #[arg(long, env = "STEWARD_VIRTUALHOME_DATA")]
    data: PathBuf,
    /// Whole scenes that Fast Downward is tried on in suite `fd`; each takes it minutes.
    #[arg(long, default_value_t = 3)]
    whole_scenes: usize,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Suite {
    /// The shipped programs and plans run as in the Python simulator.
    Gold,
    /// Trees from the shipped plans: open loop, backtracking, repair, new plans.
    Tree,
    /// Goal objects moved, hidden or removed while a plan runs.
    Disturb,
    /// What prompts would cost.
    Tokens,
    /// Search on the full scene, with nothing but the goal.
    Search,
    /// Fast Downward beside our search.
    Fd,
    /// Search under random rules, against exhaustive search.
    Rules,
}

/// What was measured; parts that were not asked for are absent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BenchReport {
    /// Parity with the Python simulator.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub gold: Option<gold::GoldReport>,
    /// Trees.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub tree: Option<tree::TreeReport>,
    /// Disturbances.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub disturb: Option<disturb::DisturbReport>,
    /// Costs of prompts.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<tokens::TokenReport>,
    /// Search alone.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub search: Option<search::SearchReport>,
    /// Fast Downward.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub fd: Option<fd::FdReport>,
    /// Search under rules.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rules: Option<rules::RulesReport>,
}

impl BenchCommand {
    /// Measures and prints; the exit code tells whether every promise that was measured is kept.
    ///
    /// # Errors
    /// [`Error::Read`](crate::Error::Read) without the data.
    pub fn run(self) -> Result<ExitCode> {
        let dataset = Dataset::open(&self.data)?;
        let asked = |suite| self.suite.is_empty() || self.suite.contains(&suite);
        let mut report = BenchReport::default();
        let mut kept = true;
        if asked(Suite::Gold) {
            let part = gold::measure(&dataset, &self.data)?;
            kept &= part.keeps_promises();
            report.gold = Some(part);
        }
        if asked(Suite::Tree) {
            let part = tree::measure(&dataset)?;
            kept &= part.keeps_promises();
            report.tree = Some(part);
        }
        if asked(Suite::Disturb) {
            let part = disturb::measure(&dataset)?;
            kept &= part.keeps_promises();
            report.disturb = Some(part);
        }
        if asked(Suite::Tokens) {
            let part = tokens::measure(&dataset)?;
            kept &= part.keeps_promises();
            report.tokens = Some(part);
        }
        if asked(Suite::Search) {
            let part = search::measure(&dataset)?;
            kept &= part.keeps_promises();
            report.search = Some(part);
        }
        if asked(Suite::Fd) {
            report.fd = Some(fd::measure(&dataset, &self.data, self.whole_scenes)?);
        }
        if asked(Suite::Rules) {
            let part = rules::measure(1000, 200)?;
            kept &= part.keeps_promises();
            report.rules = Some(part);
        }
        let value = serde_json::to_value(&report).map_err(|error| crate::Error::Read {
            path: "report".to_owned(),
            reason: error.to_string(),
        })?;
        if let Some(fields) = value.as_object() {
            for (name, value) in fields {
                println!("{name:>28}  {value}");
            }
        }
        if self.json {
            println!("{value}");
        }
        Ok(if kept {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// The median; sorts.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A line on standard error that counts up; nothing where that is no terminal.
struct Progress {
    what: &'static str,
    total: usize,
    shown: bool,
}

impl Progress {
    fn new(what: &'static str, total: usize) -> Progress {
        Progress {
            what,
            total,
            shown: std::io::IsTerminal::is_terminal(&std::io::stderr()),
        }
    }

    fn at(&self, done: usize) {
        if self.shown {
            const WIDTH: usize = 30;
            let full = WIDTH * done / self.total.max(1);
            let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
            eprint!("\r{:>12} {bar} {done}/{} ", self.what, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
