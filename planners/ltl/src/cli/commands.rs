//! `parse`, `check`, `dfa`, `equiv`, `sat`, `explain`, `plan`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::map::PlaceMap;
use crate::{
    Arena, Buchi, Dfa, Domain, Error, Formula, Grammar, GrammarOptions, NextReading, Notation, RuleSet,
    Semantics, StandingRules, Step, Syntax, Table, Trace, trace_text,
};

/// Temporal logic for plans: read, check, compare, plan and explain.
#[derive(Debug, Clone, Subcommand)]
pub enum LtlCommand {
    /// Read a formula and write it in every notation, in English and with its class.
    Parse(ParseCommand),
    /// Check a trace against rules: `a; b c; -`, or `a; cycle{b; c}` for an infinite one.
    Check(CheckCommand),
    /// The automaton of a formula: HOA, DOT, or a grammar over an action list.
    Dfa(DfaCommand),
    /// Whether two formulas are equivalent, with a trace that shows the difference.
    Equiv(EquivCommand),
    /// Whether a formula is satisfiable, with a trace that satisfies it.
    Sat(SatCommand),
    /// A formula in plain English, and what a finite plan can settle.
    Explain(ExplainCommand),
    /// The cheapest plan on a map that keeps every rule.
    Plan(PlanCommand),
}

/// How formulas are read and answers are written.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// The notation of the formulas.
    #[arg(long, value_enum, default_value = "auto")]
    syntax: SyntaxName,
    /// A plain `X` is the weak next, as in Spot.
    #[arg(long)]
    weak_next: bool,
    /// Read formulas on infinite traces.
    #[arg(long)]
    infinite: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SyntaxName {
    Auto,
    Infix,
    Prefix,
}

/// Facts of the domain.
#[derive(Debug, Clone, Args)]
struct DomainArgs {
    /// Propositions of which exactly one holds per step, separated by commas; may be repeated.
    #[arg(long, value_name = "NAMES")]
    exactly_one: Vec<String>,
    /// Propositions of which at most one holds per step, separated by commas; may be repeated.
    #[arg(long, value_name = "NAMES")]
    at_most_one: Vec<String>,
    /// A formula that holds on every trace; may be repeated.
    #[arg(long, value_name = "FORMULA")]
    axiom: Vec<String>,
}

/// Arguments of `parse`.
#[derive(Debug, Clone, Args)]
pub struct ParseCommand {
    /// The formula.
    formula: String,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckCommand {
    /// The trace.
    trace: String,
    /// A rule: `name=formula`, or a formula; may be repeated.
    #[arg(long = "rule", short, required = true)]
    rules: Vec<String>,
    /// The actions behind the steps, separated by semicolons.
    #[arg(long, default_value = "")]
    actions: String,
    #[command(flatten)]
    domain: DomainArgs,
    #[command(flatten)]
    common: Common,
}

/// What `dfa` writes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Hoa,
    Dot,
    Lark,
    Gbnf,
}

/// Arguments of `dfa`.
#[derive(Debug, Clone, Args)]
pub struct DfaCommand {
    /// The formula.
    formula: String,
    /// What to write.
    #[arg(long, value_enum, default_value = "hoa")]
    format: Format,
    /// For a grammar: an action and what holds after it, `go to kitchen=kitchen`; may be repeated. Without
    /// any, each proposition is an action of its own.
    #[arg(long = "action", value_name = "NAME=STEP")]
    actions: Vec<String>,
    /// For a grammar: most actions in a plan.
    #[arg(long, default_value_t = 16)]
    max_steps: usize,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `equiv`.
#[derive(Debug, Clone, Args)]
pub struct EquivCommand {
    /// One formula.
    first: String,
    /// The other.
    second: String,
    #[command(flatten)]
    domain: DomainArgs,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `sat`.
#[derive(Debug, Clone, Args)]
pub struct SatCommand {
    /// The formula.
    formula: String,
    #[command(flatten)]
    domain: DomainArgs,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainCommand {
    /// The formula.
    formula: String,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanCommand {
    /// The map, a JSON file.
    map: PathBuf,
    /// A rule: `name=formula`, or a formula; may be repeated.
    #[arg(long = "rule", short, required = true)]
    rules: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Common {
    fn semantics(&self) -> Semantics {
        if self.infinite {
            Semantics::Infinite
        } else {
            Semantics::Finite
        }
    }

    fn read(&self, arena: &mut Arena, text: &str) -> Result<Formula, Error> {
        let syntax = match self.syntax {
            SyntaxName::Auto => Syntax::Auto,
            SyntaxName::Infix => Syntax::Infix,
            SyntaxName::Prefix => Syntax::Prefix,
        };
        let next = if self.weak_next {
            NextReading::Weak
        } else {
            NextReading::Strong
        };
        arena.parse_as(text, syntax, next)
    }

    /// Rules as names and texts in the crate's own infix notation, so that the chosen syntax applies.
    fn rules(&self, rules: &[String]) -> Result<Vec<(String, String)>, Error> {
        let mut named = Vec::with_capacity(rules.len());
        for (at, text) in rules.iter().enumerate() {
            let (name, text) = split_rule(text).unwrap_or((format!("rule {}", at + 1), text));
            let mut arena = Arena::new();
            let formula = self.read(&mut arena, text).map_err(|error| match error {
                Error::Parse(error) => Error::Rule {
                    rule: name.clone(),
                    error,
                },
                other => other,
            })?;
            named.push((name, arena.print(formula, Notation::Infix)?));
        }
        Ok(named)
    }

    fn finish(&self, text: &str, value: &Value, positive: bool) -> ExitCode {
        println!("{}", text.trim_end());
        if self.json {
            println!("{value}");
        }
        if positive {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// `name=formula`, where the `=` is not part of an operator.
fn split_rule(text: &str) -> Option<(String, &str)> {
    let at = text.find('=')?;
    let (name, formula) = (text[..at].trim(), &text[at + 1..]);
    let is_name = !name.is_empty() && !name.ends_with('<') && !formula.starts_with('>');
    is_name.then(|| (name.to_string(), formula))
}

impl DomainArgs {
    fn read(&self, common: &Common, arena: &mut Arena) -> Result<Domain, Error> {
        let mut domain = Domain::new();
        for (groups, exactly) in [(&self.exactly_one, true), (&self.at_most_one, false)] {
            for names in groups {
                let props = names
                    .split(',')
                    .map(|name| arena.prop(name.trim()))
                    .collect::<Result<Vec<_>, Error>>()?;
                domain = if exactly {
                    domain.exactly_one(props)
                } else {
                    domain.at_most_one(props)
                };
            }
        }
        for text in &self.axiom {
            let axiom = common.read(arena, text)?;
            domain.axioms.push(axiom);
        }
        Ok(domain)
    }
}

fn text_of(arena: &Arena, trace: &Trace) -> String {
    match trace {
        Trace::Finite(steps) => trace_text(arena, steps),
        Trace::Infinite(lasso) => lasso.text(arena),
    }
}

impl LtlCommand {
    /// Runs the command and prints its answer.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            LtlCommand::Parse(command) => command.run(),
            LtlCommand::Check(command) => command.run(),
            LtlCommand::Dfa(command) => command.run(),
            LtlCommand::Equiv(command) => command.run(),
            LtlCommand::Sat(command) => command.run(),
            LtlCommand::Explain(command) => command.run(),
            LtlCommand::Plan(command) => command.run(),
        }
    }
}

impl ParseCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let formula = self.common.read(&mut arena, &self.formula)?;
        let mut text = String::new();
        let mut value = json!({});
        for (name, notation) in [
            ("infix", Notation::Infix),
            ("spot", Notation::Spot),
            ("spin", Notation::Spin),
            ("prefix", Notation::Prefix),
            ("latex", Notation::Latex),
        ] {
            let printed = arena.print(formula, notation)?;
            text += &format!("{name:>8}  {printed}\n");
            value[name] = printed.into();
        }
        let simple = arena.simplify(formula, self.common.semantics());
        let class = arena.classify(formula)?.name();
        for (name, content) in [
            ("simple", arena.text(simple)),
            ("class", class.into()),
            ("english", arena.english(formula)),
        ] {
            text += &format!("{name:>8}  {content}\n");
            value[name] = content.into();
        }
        Ok(self.common.finish(&text, &value, true))
    }
}

impl CheckCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let trace = arena.parse_trace(&self.trace)?;
        let domain = self.domain.read(&self.common, &mut arena)?;
        let named = self.common.rules(&self.rules)?;
        let steps = match trace {
            Trace::Finite(steps) => steps,
            Trace::Infinite(lasso) => {
                let mut text = String::new();
                let mut verdicts = json!({});
                let mut accepted = true;
                for (name, rule) in named {
                    let formula = arena.parse(&rule)?;
                    let holds = arena.holds_on_lasso(formula, &lasso);
                    accepted &= holds;
                    text += &format!("{name}: {}\n", if holds { "satisfied" } else { "violated" });
                    verdicts[name] = holds.into();
                }
                let value = json!({ "accepted": accepted, "verdicts": verdicts });
                return Ok(self.common.finish(&text, &value, accepted));
            }
        };
        let rules = RuleSet::one_shot_in(arena, domain, named)?;
        let actions: Vec<&str> = self
            .actions
            .split(';')
            .map(str::trim)
            .filter(|a| !a.is_empty())
            .collect();
        let judgement = rules.judge(&steps, &actions)?;
        let mut text: String = judgement
            .verdicts
            .iter()
            .map(|(name, verdict)| format!("{name}: {verdict}\n"))
            .collect();
        for rejection in &judgement.rejections {
            text += &format!("{rejection}\n");
        }
        let accepted = judgement.accepted();
        text += if accepted { "accepted" } else { "rejected" };
        let value = json!({
            "accepted": accepted,
            "verdicts": judgement.verdicts,
            "rejections": judgement.rejections,
        });
        Ok(self.common.finish(&text, &value, accepted))
    }
}

impl DfaCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let formula = self.common.read(&mut arena, &self.formula)?;
        if self.common.infinite {
            if !matches!(self.format, Format::Hoa) {
                return Err(Error::BadOption(
                    "an automaton on infinite traces is written as HOA only".into(),
                ));
            }
            let buchi = Buchi::of(&mut arena, formula)?;
            let value = json!({ "states": buchi.num_states(), "sets": buchi.num_sets() });
            return Ok(self
                .common
                .finish(&buchi.hoa(&arena, &self.formula), &value, true));
        }
        let dfa = Dfa::of(&mut arena, formula)?;
        let text = match self.format {
            Format::Hoa => dfa.hoa(&arena, &self.formula),
            Format::Dot => dfa.dot(&arena),
            Format::Lark | Format::Gbnf => {
                let (names, steps) = self.action_list(&mut arena, &dfa)?;
                let options = GrammarOptions {
                    max_steps: self.max_steps,
                    ..GrammarOptions::default()
                };
                let grammar = Grammar::new(&Table::of_dfa(&dfa, &steps)?, &names, &options)?;
                if matches!(self.format, Format::Lark) {
                    grammar.lark()
                } else {
                    grammar.gbnf()
                }
            }
        };
        let value = json!({ "states": dfa.num_states(), "props": dfa.props().len() });
        Ok(self.common.finish(&text, &value, true))
    }

    fn action_list(&self, arena: &mut Arena, dfa: &Dfa) -> Result<(Vec<String>, Vec<Step>), Error> {
        if self.actions.is_empty() {
            let name = |prop: &crate::Prop| arena.name(*prop).to_string();
            return Ok((
                dfa.props().iter().map(name).collect(),
                dfa.props().iter().map(|prop| Step::of([*prop])).collect(),
            ));
        }
        let mut names = Vec::new();
        let mut steps = Vec::new();
        for action in &self.actions {
            let Some((name, step)) = action.split_once('=') else {
                return Err(Error::BadOption(format!(
                    "`{action}` is no action: write `name=what holds`"
                )));
            };
            match arena.parse_trace(step)? {
                Trace::Finite(mut found) if found.len() <= 1 => steps.push(found.pop().unwrap_or_default()),
                _ => return Err(Error::BadOption(format!("`{step}` is not one step"))),
            }
            names.push(name.trim().to_string());
        }
        Ok((names, steps))
    }
}

impl EquivCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let first = self.common.read(&mut arena, &self.first)?;
        let second = self.common.read(&mut arena, &self.second)?;
        let domain = self.domain.read(&self.common, &mut arena)?;
        let semantics = self.common.semantics();
        let Some(difference) = arena.difference(first, second, semantics, &domain)? else {
            return Ok(self
                .common
                .finish("equivalent", &json!({ "equivalent": true }), true));
        };
        let implied = |arena: &mut Arena, a, b| {
            arena
                .counterexample(a, b, semantics, &domain)
                .map(|found| found.is_none())
        };
        let (forth, back) = (
            implied(&mut arena, first, second)?,
            implied(&mut arena, second, first)?,
        );
        let trace = text_of(&arena, &difference.trace);
        let holds = if difference.first_holds { "first" } else { "second" };
        let relation = match (forth, back) {
            (true, _) => "the first implies the second",
            (_, true) => "the second implies the first",
            _ => "neither implies the other",
        };
        let text = format!("different: only the {holds} holds on `{trace}`; {relation}");
        let value = json!({
            "equivalent": false, "trace": trace, "holds": holds,
            "first_implies_second": forth, "second_implies_first": back,
        });
        Ok(self.common.finish(&text, &value, false))
    }
}

impl SatCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let formula = self.common.read(&mut arena, &self.formula)?;
        let axiom = self.domain.read(&self.common, &mut arena)?.axiom(&mut arena);
        let whole = arena.and(axiom, formula);
        let witness = arena.witness(whole, self.common.semantics())?;
        let trace = witness.as_ref().map(|trace| text_of(&arena, trace));
        let text = trace
            .as_ref()
            .map_or("unsatisfiable".into(), |trace| format!("satisfiable: {trace}"));
        let value = json!({ "satisfiable": trace.is_some(), "trace": trace });
        Ok(self.common.finish(&text, &value, witness.is_some()))
    }
}

impl ExplainCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let mut arena = Arena::new();
        let formula = self.common.read(&mut arena, &self.formula)?;
        let english = arena.english(formula);
        let class = arena.classify(formula)?;
        let settled = arena.settled_by_finite_plan(formula)?;
        let (fits, why) = match &settled {
            Ok(()) => (true, "a plan that ends can settle it.".to_string()),
            Err(unsettled) => (false, format!("{} {}", unsettled.reason, unsettled.ways_out)),
        };
        let text = format!("{english}\nclass: {}\none-shot plan: {why}", class.name());
        let value = json!({ "english": english, "class": class.name(), "one_shot": fits, "why": why });
        Ok(self.common.finish(&text, &value, true))
    }
}

impl PlanCommand {
    fn run(self) -> Result<ExitCode, Error> {
        let named = self.common.rules(&self.rules)?;
        let answer = if self.common.infinite {
            self.patrol(named)
        } else {
            self.one_shot(named)
        };
        match answer {
            Ok((text, value)) => Ok(self.common.finish(&text, &value, true)),
            Err(Error::NoPlan(conflict)) => {
                let rules: Vec<&String> = conflict.rules.iter().map(|(name, _)| name).collect();
                let value = json!({
                    "plan": null, "conflict": { "rules": rules, "facts": conflict.facts },
                });
                Ok(self.common.finish(&conflict.to_string(), &value, false))
            }
            Err(other) => Err(other),
        }
    }

    fn one_shot(&self, named: Vec<(String, String)>) -> Result<(String, Value), Error> {
        let mut rules = RuleSet::one_shot(named)?;
        let map = PlaceMap::read(rules.arena_mut(), &self.map)?;
        let plan = rules.plan(&map)?;
        let actions: Vec<&String> = plan.steps.iter().map(|step| &step.action).collect();
        let places: Vec<&str> = plan.steps.iter().map(|step| map.name(step.state)).collect();
        let trace = trace_text(rules.arena(), &plan.trace());
        let mut text = format!("cost {}\n", plan.cost);
        for (at, action) in actions.iter().enumerate() {
            text += &format!("{:>4}  {action}\n", at + 1);
        }
        text += &format!("trace: {trace}");
        let value = json!({ "plan": actions, "places": places, "cost": plan.cost, "trace": trace });
        Ok((text, value))
    }

    fn patrol(&self, named: Vec<(String, String)>) -> Result<(String, Value), Error> {
        let mut rules = StandingRules::new(named)?;
        let map = PlaceMap::read(rules.arena_mut(), &self.map)?;
        let patrol = rules.plan(&map)?;
        let actions = |part: &[crate::PlanStep<usize, String>]| -> Vec<String> {
            part.iter().map(|step| step.action.clone()).collect()
        };
        let (prefix, cycle) = (actions(&patrol.prefix), actions(&patrol.cycle));
        let trace = patrol.lasso().text(rules.arena());
        let text = format!(
            "first: {}\nthen for ever (cost {} a round): {}\ntrace: {trace}",
            if prefix.is_empty() {
                "nothing".into()
            } else {
                prefix.join(", ")
            },
            patrol.cycle_cost,
            cycle.join(", ")
        );
        let value = json!({
            "prefix": prefix, "cycle": cycle, "cycle_cost": patrol.cycle_cost, "trace": trace,
        });
        Ok((text, value))
    }
}
