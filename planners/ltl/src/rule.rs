//! Rules ready to be watched, planned for and explained, and sets of them.

use std::fmt;
use std::sync::Arc;

use crate::Error;
use crate::dfa::Dfa;
use crate::domain::Domain;
use crate::formula::{Arena, Formula, Prop};
use crate::normal::Semantics;
use crate::parse::{NextReading, Syntax};
use crate::progress::{AutomatonLimits, Stop, Translation};

/// What a rule has to say about a trace so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Satisfied, whatever happens next.
    PermanentlySatisfied,
    /// The trace may end here, but a later step can still violate the rule or open an obligation.
    SatisfiedSoFar,
    /// The trace may not end here: something is owed, and can still be done.
    OpenObligation,
    /// Violated, whatever happens next.
    PermanentlyViolated,
}

impl Verdict {
    /// Whether a trace may end with this verdict.
    pub fn may_end(self) -> bool {
        matches!(self, Verdict::PermanentlySatisfied | Verdict::SatisfiedSoFar)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::PermanentlySatisfied => "permanently satisfied",
            Verdict::SatisfiedSoFar => "satisfied so far",
            Verdict::OpenObligation => "open obligation",
            Verdict::PermanentlyViolated => "permanently violated",
        })
    }
}

/// A named formula with its minimal automaton and, per state, the verdict and what is owed.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    formula: Formula,
    dfa: Dfa,
    verdicts: Vec<Verdict>,
    owed: Vec<Formula>,
}

impl Rule {
    /// Compiles a formula. What is owed in a state is the simplest formula known for it.
    pub fn new(arena: &mut Arena, name: impl Into<String>, formula: Formula) -> Result<Rule, Error> {
        let normal = arena.simplify(formula, Semantics::Finite);
        let mut translation = Translation::new(arena, normal, Stop::TraceEnds, AutomatonLimits::default())?;
        let (dfa, classes) = translation.dfa.minimise_with_classes();
        let mut owed: Vec<Option<(u64, Formula)>> = vec![None; dfa.num_states()];
        for (state, class) in classes.into_iter().enumerate() {
            let Some(class) = class else { continue };
            let raw = translation.owed(arena, state);
            let simple = arena.simplify(raw, Semantics::Finite);
            let candidate = (arena.tree_size(simple), simple);
            let best = &mut owed[class as usize];
            if best.is_none_or(|best| candidate < best) {
                *best = Some(candidate);
            }
        }
        let alive = dfa.steps_to_accept();
        let settled = dfa.settled();
        let verdicts = (0..dfa.num_states())
            .map(|state| {
                match (
                    alive[state].is_some(),
                    settled[state],
                    dfa.is_accepting(state as u32),
                ) {
                    (false, ..) => Verdict::PermanentlyViolated,
                    (_, true, _) => Verdict::PermanentlySatisfied,
                    (.., true) => Verdict::SatisfiedSoFar,
                    _ => Verdict::OpenObligation,
                }
            })
            .collect();
        let owed = owed
            .into_iter()
            .map(|best| best.map_or(Arena::FALSE, |(_, owed)| owed))
            .collect();
        Ok(Rule {
            name: name.into(),
            formula,
            dfa,
            verdicts,
            owed,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The formula as it was given.
    pub fn formula(&self) -> Formula {
        self.formula
    }

    /// The minimal automaton.
    pub fn dfa(&self) -> &Dfa {
        &self.dfa
    }

    /// The verdict in a state of the automaton.
    #[inline]
    pub fn verdict(&self, state: u32) -> Verdict {
        self.verdicts[state as usize]
    }

    /// What must hold from the next step on, in a state of the automaton.
    pub fn owed(&self, state: u32) -> Formula {
        self.owed[state as usize]
    }

    /// The steps that do not violate the rule for good, as cubes: see [`Dfa::guard`].
    pub fn allowed(&self, state: u32) -> Vec<Vec<(Prop, bool)>> {
        self.dfa
            .guard(state, |next| self.verdict(next) != Verdict::PermanentlyViolated)
    }

    /// The same as text, for example `!stairs & b | c`.
    pub fn allowed_text(&self, arena: &Arena, state: u32) -> String {
        cubes_text(arena, &self.allowed(state))
    }

    /// Whether the rule only forbids: every state that is not violated may end the trace.
    pub fn only_forbids(&self) -> bool {
        self.verdicts
            .iter()
            .all(|verdict| *verdict != Verdict::OpenObligation)
    }
}

/// Cubes as text; `anything` for all steps and `nothing` for none.
pub(crate) fn cubes_text(arena: &Arena, cubes: &[Vec<(Prop, bool)>]) -> String {
    if cubes.is_empty() {
        return "nothing".into();
    }
    if cubes.iter().any(Vec::is_empty) {
        return "anything".into();
    }
    let cube = |cube: &Vec<(Prop, bool)>| {
        cube.iter()
            .map(|(prop, value)| format!("{}{}", if *value { "" } else { "!" }, arena.quoted_name(*prop)))
            .collect::<Vec<_>>()
            .join(" & ")
    };
    cubes.iter().map(cube).collect::<Vec<_>>().join(" | ")
}

/// Rules that are in force together. Their automata are kept apart and composed on the fly.
///
/// ```
/// use steward_ltl::{Error, RuleSet};
///
/// // One rule that does not parse stops everything.
/// let refused = RuleSet::one_shot([("safe", "G !stairs"), ("visit", "F (kitchen &")]);
/// assert!(matches!(refused, Err(Error::Rule { rule, .. }) if rule == "visit"));
///
/// // A rule that no plan that ends can settle is refused with the reason and the two ways out.
/// let refused = RuleSet::one_shot([("patrol", "G F kitchen")]);
/// assert!(matches!(refused, Err(Error::NotForOneShot { .. })));
/// ```
#[derive(Debug, Clone)]
pub struct RuleSet {
    arena: Arena,
    rules: Vec<Arc<Rule>>,
    domain: Domain,
}

impl RuleSet {
    /// Parses and compiles the rules of a task that ends: names and texts (infix or prefix notation).
    ///
    /// The first rule that does not parse, repeats a name or cannot be settled by a finite plan stops
    /// everything.
    pub fn one_shot<N: Into<String>, T: AsRef<str>>(
        rules: impl IntoIterator<Item = (N, T)>,
    ) -> Result<RuleSet, Error> {
        RuleSet::one_shot_in(Arena::new(), Domain::new(), rules)
    }

    /// The same with an arena and the facts of a domain that speaks of its propositions.
    pub fn one_shot_in<N: Into<String>, T: AsRef<str>>(
        mut arena: Arena,
        domain: Domain,
        rules: impl IntoIterator<Item = (N, T)>,
    ) -> Result<RuleSet, Error> {
        let named = parse_rules(&mut arena, rules)?;
        for (name, formula) in &named {
            if let Err(unsettled) = arena.settled_by_finite_plan(*formula)? {
                return Err(Error::NotForOneShot {
                    rule: name.clone(),
                    formula: arena.text(*formula),
                    reason: unsettled.reason,
                    ways_out: unsettled.ways_out,
                });
            }
        }
        let mut compiled = Vec::with_capacity(named.len());
        for (name, formula) in named {
            compiled.push(Arc::new(Rule::new(&mut arena, name, formula)?));
        }
        Ok(RuleSet {
            arena,
            rules: compiled,
            domain,
        })
    }

    /// The arena of all formulas.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The arena, to add propositions or formulas.
    pub fn arena_mut(&mut self) -> &mut Arena {
        &mut self.arena
    }

    /// The facts of the domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The rules, in the order given.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// A rule by its name.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name() == name)
    }

    /// Places of a minimal set of rules that contradict each other on every trace of the domain, or `None`
    /// if all can hold together. Without any one of them the rest can.
    ///
    /// ```
    /// use steward_ltl::RuleSet;
    ///
    /// let mut rules = RuleSet::one_shot([
    ///     ("go", "F kitchen"),
    ///     ("quiet", "G !bell"),
    ///     ("ring", "G (kitchen -> F bell)"),
    ///     ("safe", "G !stairs"),
    /// ])?;
    /// assert_eq!(rules.contradiction()?, Some(vec![0, 1, 2]));
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn contradiction(&mut self) -> Result<Option<Vec<usize>>, Error> {
        let formulas: Vec<Formula> = self.rules.iter().map(|rule| rule.formula()).collect();
        let axiom = self.domain.axiom(&mut self.arena);
        minimal_contradiction(&mut self.arena, axiom, &formulas, Semantics::Finite)
    }
}

/// Names and formulas of rules; the first that does not parse stops everything.
pub(crate) fn parse_rules<N: Into<String>, T: AsRef<str>>(
    arena: &mut Arena,
    rules: impl IntoIterator<Item = (N, T)>,
) -> Result<Vec<(String, Formula)>, Error> {
    let mut parsed: Vec<(String, Formula)> = Vec::new();
    for (name, text) in rules {
        let name = name.into();
        if parsed.iter().any(|(other, _)| *other == name) {
            return Err(Error::DuplicateRule(name));
        }
        let formula = arena
            .parse_as(text.as_ref(), Syntax::Auto, NextReading::Strong)
            .map_err(|error| match error {
                Error::Parse(error) => Error::Rule {
                    rule: name.clone(),
                    error,
                },
                other => other,
            })?;
        parsed.push((name, formula));
    }
    Ok(parsed)
}

/// Places of a minimal set of formulas that cannot hold together with an axiom: by deletion, so that without
/// any one of them the rest can.
pub(crate) fn minimal_contradiction(
    arena: &mut Arena,
    axiom: Formula,
    formulas: &[Formula],
    semantics: Semantics,
) -> Result<Option<Vec<usize>>, Error> {
    let possible = |arena: &mut Arena, kept: &[usize]| -> Result<bool, Error> {
        let whole = arena.all(std::iter::once(axiom).chain(kept.iter().map(|at| formulas[*at])));
        arena.is_satisfiable(whole, semantics)
    };
    let mut kept: Vec<usize> = (0..formulas.len()).collect();
    if possible(arena, &kept)? {
        return Ok(None);
    }
    let mut at = 0;
    while at < kept.len() {
        let mut without = kept.clone();
        without.remove(at);
        if possible(arena, &without)? {
            at += 1;
        } else {
            kept = without;
        }
    }
    Ok(Some(kept))
}
