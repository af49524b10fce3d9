//! `bench ltl`: every number that the crate promises, and its peers in the same run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::{
    Arena, Dfa, Domain, Error, Monitor, Prop, RuleSet, Semantics, Step, Transition, TransitionSystem,
};

/// Measure every promise of the crate.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchCommand {
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// Folder with the reference data (`ltl/*.csv`).
    #[arg(long, default_value = "../shared/data/ltl", env = "STEWARD_LTL_DATA")]
    data: PathBuf,
    /// Folder made by `planners/ltl/bench/peers.sh`; without it no peer is measured.
    #[arg(long, env = "STEWARD_LTL_PEERS")]
    peers: Option<PathBuf>,
}

/// What was measured. Times are of this machine; peers are `None` where they are not installed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BenchReport {
    /// Formulas of the two published tables.
    pub known_formulas: usize,
    /// Those whose minimal automaton has another size than MONA's.
    pub sizes_wrong: usize,
    /// Random traces on which an automaton and the reference evaluator disagree, 1,000 per formula.
    pub disagreements: usize,
    /// Formulas whose size was also compared with MONA's automaton, minimised here under our convention.
    pub mona_checked: Option<usize>,
    /// Those for which that automaton has another size.
    pub mona_sizes_wrong: Option<usize>,
    /// Rows of the satisfiability set.
    pub sat_rows: usize,
    /// Rows answered wrongly or not at all.
    pub sat_wrong: usize,
    /// Slowest row, parsing included.
    pub sat_slowest_ms: f64,
    /// All rows.
    pub sat_total_s: f64,
    /// DFA of the conjunction of five rules, median.
    pub five_rules_dfa_ms: f64,
    /// All pairwise equivalences of the 47 formulas, automata built anew for each pair.
    pub pairs: usize,
    /// Pairs found to be equivalent.
    pub pairs_equivalent: usize,
    /// Time for all pairs.
    pub pairs_total_s: f64,
    /// The same in Spot, from its own automata.
    pub spot_pairs_total_s: Option<f64>,
    /// Median time of one DFA over the known formulas, parsing included.
    pub dfa_median_ms: f64,
    /// Median over the formulas of (ltlf2dfa + MONA) / ours.
    pub mona_speedup_median: Option<f64>,
    /// Smallest such ratio.
    pub mona_speedup_min: Option<f64>,
    /// Share of formulas on which ours is at most twice Spot's LTLf translation to a minimal DFA.
    pub spot_dfa_within_2x: Option<f64>,
    /// Share of formulas on which ours is at most twice Spot's raw LTL-to-Büchi translation.
    pub spot_buchi_within_2x: Option<f64>,
    /// Median over the formulas of ours / Spot's LTLf translation.
    pub spot_dfa_ratio_median: Option<f64>,
    /// Median over the formulas of ours / Spot's raw LTL-to-Büchi translation.
    pub spot_buchi_ratio_median: Option<f64>,
    /// One monitor step, mean over all rules of the five-rule set.
    pub monitor_step_us: f64,
    /// Planning over 100 rooms with 12 visits, 3 avoidances and 2 orderings, median.
    pub plan_ms: f64,
    /// The slowest of the instances.
    pub plan_slowest_ms: f64,
    /// Instances planned.
    pub plan_instances: usize,
}

/// Five rules as a household would give them: two avoidances, one ordering, one response, one visit.
pub(crate) const FIVE_RULES: [(&str, &str); 5] = [
    ("no stairs", "G !stairs"),
    ("no bedroom", "G !bedroom"),
    ("kitchen first", "!living_room U kitchen"),
    ("mop spills", "G (spill -> F mop)"),
    ("visit the study", "F study"),
];

/// SplitMix64: the same instances on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A grid of rooms with doors of different cost, some walled up.
struct Rooms {
    labels: Vec<Step>,
    doors: Vec<Vec<(usize, f64)>>,
}

const SIDE: usize = 10;

impl Rooms {
    /// Rooms and rules: 12 visits, 3 avoidances and 2 orderings among the visits.
    fn instance(seed: u64) -> Result<(RuleSet, Rooms), Error> {
        let mut random = Random(seed);
        let mut rooms: Vec<usize> = (1..SIDE * SIDE).collect();
        for at in (1..rooms.len()).rev() {
            rooms.swap(at, random.below(at + 1));
        }
        let visit = |at: usize| format!("F room_{}", rooms[at]);
        let mut texts: Vec<(String, String)> = (0..12).map(|at| (format!("visit {at}"), visit(at))).collect();
        for (at, room) in rooms[12..15].iter().enumerate() {
            texts.push((format!("avoid {at}"), format!("G !room_{room}")));
        }
        for at in [0, 4] {
            let (first, second) = (rooms[at], rooms[at + 1]);
            texts.push((format!("order {at}"), format!("!room_{second} U room_{first}")));
        }
        let mut rules = RuleSet::one_shot(texts)?;
        let mut labels = Vec::new();
        for room in 0..SIDE * SIDE {
            labels.push(Step::of([rules.arena_mut().prop(&format!("room_{room}"))?]));
        }
        let mut doors = vec![Vec::new(); SIDE * SIDE];
        for room in 0..SIDE * SIDE {
            let (row, column) = (room / SIDE, room % SIDE);
            let right = (column + 1 < SIDE).then_some(room + 1);
            let down = (row + 1 < SIDE).then_some(room + SIDE);
            for next in [right, down].into_iter().flatten() {
                // One door in ten is walled up, away from the border so that the rooms stay connected.
                let inside = row > 0 && column > 0 && next / SIDE + 1 < SIDE && next % SIDE + 1 < SIDE;
                if inside && random.below(10) == 0 {
                    continue;
                }
                let cost = 1.0 + random.below(4) as f64;
                doors[room].push((next, cost));
                doors[next].push((room, cost));
            }
        }
        Ok((rules, Rooms { labels, doors }))
    }
}

impl TransitionSystem for Rooms {
    type State = usize;
    type Action = usize;

    fn start(&self) -> usize {
        0
    }
    fn label(&self, room: &usize) -> Step {
        self.labels[*room].clone()
    }
    fn successors(&self, room: &usize) -> Vec<Transition<usize, usize>> {
        self.doors[*room]
            .iter()
            .map(|(to, cost)| Transition::new(*to, *to, *cost))
            .collect()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The cells of one CSV line.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(c);
                }
            }
        }
    }
    cells
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Read {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// Formula texts with MONA's size: the 47, then the 55.
fn known_formulas(data: &Path) -> Result<Vec<(String, usize)>, Error> {
    let mut known = Vec::new();
    for (file, formula, size) in [("lang2ltl_47_known.csv", 3, 6), ("dwyer55_known.csv", 3, 7)] {
        for line in read(&data.join(file))?.lines().skip(1) {
            let cells = cells(line);
            let size = cells.get(size).and_then(|cell| cell.parse().ok());
            let (Some(text), Some(size)) = (cells.get(formula), size) else {
                return Err(Error::BadOption(format!(
                    "{file} has a row without formula and size: {line}"
                )));
            };
            known.push((text.clone(), size));
        }
    }
    Ok(known)
}

/// Feeds lines to a peer and reads the numbers it prints, line by line.
fn ask_peer(program: &Path, argument: &str, lines: &[String]) -> Result<Vec<Vec<f64>>, Error> {
    let failed = |reason: String| Error::Read {
        path: program.display().to_string(),
        reason,
    };
    let mut child = Command::new(program)
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let text = lines.join("\n") + "\n";
    // The peers read everything before they write, so writing first cannot block both sides.
    if let Some(mut input) = child.stdin.take() {
        input
            .write_all(text.as_bytes())
            .map_err(|error| failed(error.to_string()))?;
    }
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("it ended with {}", output.status)));
    }
    let numbers = |line: &str| {
        line.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(numbers)
        .collect())
}

impl BenchCommand {
    /// Measures and prints; the exit code tells whether every promise that was measured is kept.
    pub fn run(self) -> Result<ExitCode, Error> {
        let report = self.measure()?;
        let value = serde_json::to_value(&report).map_err(|error| Error::BadOption(error.to_string()))?;
        if let Some(fields) = value.as_object() {
            for (name, value) in fields {
                println!("{name:>26}  {value}");
            }
        }
        if self.json {
            println!("{value}");
        }
        Ok(if report.keeps_promises() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Measures everything.
    pub fn measure(&self) -> Result<BenchReport, Error> {
        let mut report = BenchReport::default();
        let known = known_formulas(&self.data)?;
        measure_known(&known, &mut report)?;
        measure_sat(&self.data, &mut report)?;
        measure_five_rules(&mut report)?;
        measure_pairs(&known[..47.min(known.len())], &mut report)?;
        measure_planning(&mut report)?;
        let ours = dfa_times(&known)?;
        report.dfa_median_ms = median(ours.clone());
        if let Some(peers) = &self.peers {
            measure_peers(peers, &known, &ours, &mut report)?;
        }
        Ok(report)
    }
}

impl BenchReport {
    /// Whether every promise that was measured is kept.
    pub fn keeps_promises(&self) -> bool {
        self.sizes_wrong == 0
            && self.disagreements == 0
            && self.mona_sizes_wrong.is_none_or(|wrong| wrong == 0)
            && self.sat_wrong == 0
            && self.sat_slowest_ms < 1e3
            && self.sat_total_s < 60.0
            && self.five_rules_dfa_ms <= 1.0
            && self.pairs_total_s <= 0.3
            && self.mona_speedup_median.is_none_or(|speedup| speedup >= 20.0)
            && self.spot_dfa_within_2x.is_none_or(|share| share >= 0.9)
            && self.monitor_step_us <= 1.0
            && self.plan_slowest_ms <= 200.0
    }
}

fn measure_known(known: &[(String, usize)], report: &mut BenchReport) -> Result<(), Error> {
    let mut random = Random(47);
    report.known_formulas = known.len();
    for (text, size) in known {
        let mut arena = Arena::new();
        let formula = arena.parse(text)?;
        let dfa = Dfa::of(&mut arena, formula)?;
        report.sizes_wrong += usize::from(dfa.num_states() != *size);
        let props: Vec<Prop> = arena.props().collect();
        for _ in 0..1_000 {
            let length = random.below(12);
            let trace: Vec<Step> = (0..length)
                .map(|_| Step::of(props.iter().copied().filter(|_| random.below(3) == 0)))
                .collect();
            report.disagreements += usize::from(dfa.accepts(&trace) != arena.holds_on(formula, &trace));
        }
    }
    Ok(())
}

fn measure_sat(data: &Path, report: &mut BenchReport) -> Result<(), Error> {
    let text = read(&data.join("black_sat_dev.csv"))?;
    for line in text.lines().skip(1) {
        let cells = cells(line);
        let [semantics, _, _, expected, formula] = &cells[..] else {
            return Err(Error::BadOption(format!(
                "a row of black_sat_dev.csv has not five cells: {line}"
            )));
        };
        let semantics = if semantics == "LTLf" {
            Semantics::Finite
        } else {
            Semantics::Infinite
        };
        let start = Instant::now();
        let mut arena = Arena::new();
        let formula = arena.parse(formula)?;
        let answer = arena.witness(formula, semantics);
        let took = milliseconds(start);
        report.sat_rows += 1;
        report.sat_slowest_ms = report.sat_slowest_ms.max(took);
        report.sat_total_s += took / 1e3;
        let right = answer.is_ok_and(|witness| match witness {
            Some(trace) => expected == "SAT" && arena.holds(formula, &trace),
            None => expected == "UNSAT",
        });
        report.sat_wrong += usize::from(!right);
    }
    Ok(())
}

fn measure_five_rules(report: &mut BenchReport) -> Result<(), Error> {
    let whole = FIVE_RULES.map(|(_, text)| format!("({text})")).join(" & ");
    let times = (0..200)
        .map(|_| {
            let start = Instant::now();
            let mut arena = Arena::new();
            let formula = arena.parse(&whole)?;
            Dfa::of(&mut arena, formula)?;
            Ok(milliseconds(start))
        })
        .collect::<Result<Vec<f64>, Error>>()?;
    report.five_rules_dfa_ms = median(times);

    let rules = RuleSet::one_shot(FIVE_RULES)?;
    let props: Vec<Prop> = rules.arena().props().collect();
    let mut random = Random(5);
    let steps: Vec<Step> = (0..1_000)
        .map(|_| Step::of(props.iter().copied().filter(|_| random.below(8) == 0)))
        .collect();
    let mut monitors: Vec<Monitor> = rules.rules().iter().cloned().map(Monitor::new).collect();
    let rounds = 200;
    let start = Instant::now();
    let mut open = 0usize;
    for _ in 0..rounds {
        for step in &steps {
            for monitor in &mut monitors {
                open += usize::from(!monitor.step(step).may_end());
            }
        }
    }
    std::hint::black_box(open);
    report.monitor_step_us = milliseconds(start) * 1e3 / (rounds * steps.len() * monitors.len()) as f64;
    Ok(())
}

fn measure_pairs(known: &[(String, usize)], report: &mut BenchReport) -> Result<(), Error> {
    let mut arena = Arena::new();
    let formulas = known
        .iter()
        .map(|(text, _)| arena.parse(text))
        .collect::<Result<Vec<_>, Error>>()?;
    let domain = Domain::new();
    let start = Instant::now();
    for (at, first) in formulas.iter().enumerate() {
        for second in &formulas[at + 1..] {
            report.pairs += 1;
            let same = arena.equivalent(*first, *second, Semantics::Finite, &domain)?;
            report.pairs_equivalent += usize::from(same);
        }
    }
    report.pairs_total_s = milliseconds(start) / 1e3;
    Ok(())
}

fn measure_planning(report: &mut BenchReport) -> Result<(), Error> {
    let mut times = Vec::new();
    for seed in 0..20 {
        let (rules, rooms) = Rooms::instance(seed)?;
        let start = Instant::now();
        let plan = rules.plan(&rooms)?;
        times.push(milliseconds(start));
        let judgement = rules.judge(&plan.trace(), &[] as &[&str])?;
        if !judgement.accepted() {
            return Err(Error::BadTrace(format!(
                "the plan of instance {seed} breaks a rule: report this"
            )));
        }
    }
    report.plan_instances = times.len();
    report.plan_slowest_ms = times.iter().copied().fold(0.0, f64::max);
    report.plan_ms = median(times);
    Ok(())
}

/// Best of several runs per formula, from text to minimal DFA.
fn dfa_times(known: &[(String, usize)]) -> Result<Vec<f64>, Error> {
    known
        .iter()
        .map(|(text, _)| {
            let mut best = f64::INFINITY;
            for _ in 0..9 {
                let start = Instant::now();
                let mut arena = Arena::new();
                let formula = arena.parse(text)?;
                std::hint::black_box(Dfa::of(&mut arena, formula)?);
                best = best.min(milliseconds(start));
            }
            Ok(best)
        })
        .collect()
}

fn measure_peers(
    peers: &Path,
    known: &[(String, usize)],
    ours: &[f64],
    report: &mut BenchReport,
) -> Result<(), Error> {
    let texts: Vec<String> = known.iter().map(|(text, _)| text.clone()).collect();
    let spot = peers.join("spot_times");
    if spot.exists() {
        let times = ask_peer(&spot, "translate", &texts)?;
        for (column, within, ratio) in [
            (
                0,
                &mut report.spot_dfa_within_2x,
                &mut report.spot_dfa_ratio_median,
            ),
            (
                1,
                &mut report.spot_buchi_within_2x,
                &mut report.spot_buchi_ratio_median,
            ),
        ] {
            let ratios: Vec<f64> = times
                .iter()
                .zip(ours)
                .filter_map(|(spot, ours)| spot.get(column).map(|spot| ours / spot))
                .collect();
            let fast = ratios.iter().filter(|ratio| **ratio <= 2.0).count();
            *within = Some(fast as f64 / ratios.len().max(1) as f64);
            *ratio = Some(median(ratios));
        }
        let all = ask_peer(&spot, "equiv", &texts[..47.min(texts.len())])?;
        report.spot_pairs_total_s = all.first().and_then(|line| line.first()).map(|ms| ms / 1e3);
    }
    let mona = peers.join("mona_times");
    if mona.exists() {
        // Milliseconds, and the states of MONA's automaton minimised under the convention of `Dfa`.
        let answers = ask_peer(&mona, "translate", &texts)?;
        let speedups: Vec<f64> = answers
            .iter()
            .zip(ours)
            .filter_map(|(mona, ours)| mona.first().map(|mona| mona / ours))
            .collect();
        report.mona_speedup_min = speedups.iter().copied().reduce(f64::min);
        report.mona_speedup_median = Some(median(speedups));
        report.mona_checked = Some(answers.iter().filter(|answer| answer.len() == 2).count());
        let mut wrong = 0;
        for ((text, _), answer) in known.iter().zip(&answers) {
            let mut arena = Arena::new();
            let formula = arena.parse(text)?;
            let states = Dfa::of(&mut arena, formula)?.num_states();
            wrong += usize::from(answer.get(1).is_some_and(|mona| *mona != states as f64));
        }
        report.mona_sizes_wrong = Some(wrong);
    }
    Ok(())
}
