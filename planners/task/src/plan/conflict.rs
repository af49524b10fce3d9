//! Why there is no plan: a smallest set of rules and goals that cannot be met together.

use std::fmt;
use std::sync::Arc;

use steward_ltl::Rule;

use super::lift::{Label, Request, Width, lift};
use super::search::{Found, Search, Standing};
use super::{Goal, Limits, SceneRules};
use crate::domain::{Condition, State};
use crate::{Error, Result};

/// A set of rules and goals that cannot be met together from here, none of which can be left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    /// Names and texts of the rules.
    pub rules: Vec<(String, String)>,
    /// The parts of the goal, as text.
    pub goals: Vec<String>,
    /// Whether the rules contradict each other in every scene.
    pub everywhere: bool,
    /// Whether it is certain that nothing can be left out; false where that took more than the budget.
    pub minimal: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.everywhere { "anywhere" } else { "from here" };
        write!(f, "there is no plan {place}, because these conflict:")?;
        for (name, text) in &self.rules {
            write!(f, "\n  rule `{name}`: {text}")?;
        }
        for goal in &self.goals {
            write!(f, "\n  goal: {goal}")?;
        }
        match (self.rules.len() + self.goals.len(), self.minimal) {
            (1, _) => write!(
                f,
                "\nit cannot be met by anything that can be done: change it or the scene"
            ),
            (_, true) => write!(
                f,
                "\nwithout any one of them the others can be met: lift or weaken one"
            ),
            (_, false) => write!(
                f,
                "\nperhaps not all of them are to blame; raise the budget to know"
            ),
        }
    }
}

/// The parts of a goal that can be dropped one by one.
#[derive(Clone)]
struct Parts {
    conditions: Vec<Condition>,
    actions: Vec<Vec<Label>>,
    /// Places of the rules.
    rules: Vec<usize>,
}

/// Finds a conflict by deletion, once it is known that all together cannot be met.
pub(crate) fn explain(
    state: &State,
    goal: &Goal,
    rules: Option<&SceneRules>,
    standing: Option<&Standing>,
    limits: &Limits,
) -> Result<Conflict> {
    let names = |places: &[usize]| -> Vec<(String, String)> {
        let Some(rules) = rules else { return Vec::new() };
        let of = |at: &usize| {
            let rule = &rules.set().rules()[*at];
            (rule.name().to_owned(), rules.set().arena().text(rule.formula()))
        };
        places.iter().map(of).collect()
    };
    let mut kept = Parts {
        conditions: goal.condition.conjuncts().to_vec(),
        actions: goal.actions.clone(),
        rules: (0..rules.map_or(0, |rules| rules.set().rules().len())).collect(),
    };
    // Rules that contradict each other whatever the scene come first; in this scene fewer may do.
    let contradiction = match (rules, standing) {
        (Some(rules), None) => rules.set().clone().contradiction().ok().flatten(),
        _ => None,
    };
    if let Some(places) = &contradiction {
        kept = Parts {
            conditions: Vec::new(),
            actions: Vec::new(),
            rules: places.clone(),
        };
    }
    let mut minimal = true;
    // Rules are tried last, so that as few goals as possible are blamed on them.
    let mut at = 0;
    while at < kept.conditions.len() {
        let mut without = kept.clone();
        without.conditions.remove(at);
        step(&mut kept, without, &mut at, &mut minimal, &mut |parts| {
            is_possible(state, parts, rules, standing, limits)
        })?;
    }
    let mut at = 0;
    while at < kept.actions.len() {
        let mut without = kept.clone();
        without.actions.remove(at);
        step(&mut kept, without, &mut at, &mut minimal, &mut |parts| {
            is_possible(state, parts, rules, standing, limits)
        })?;
    }
    let mut at = 0;
    while at < kept.rules.len() {
        let mut without = kept.clone();
        without.rules.remove(at);
        step(&mut kept, without, &mut at, &mut minimal, &mut |parts| {
            is_possible(state, parts, rules, standing, limits)
        })?;
    }
    let scene = state.scene();
    let mut goals: Vec<String> = kept
        .conditions
        .iter()
        .map(|part| scene.condition_text(part))
        .collect();
    for alternatives in &kept.actions {
        let words: Vec<String> = alternatives
            .iter()
            .map(|label| match label {
                Label::Holds(condition) => scene.condition_text(condition),
                Label::Done(schema, _) => scene.domain().schema(*schema).name.clone(),
            })
            .collect();
        goals.push(format!("do {}", words.join(" or ")));
    }
    Ok(Conflict {
        rules: names(&kept.rules),
        goals,
        everywhere: contradiction.is_some_and(|places| places == kept.rules),
        minimal,
    })
}

fn step(
    kept: &mut Parts,
    without: Parts,
    at: &mut usize,
    minimal: &mut bool,
    possible: &mut dyn FnMut(&Parts) -> Result<Option<bool>>,
) -> Result<()> {
    match possible(&without)? {
        Some(false) => *kept = without,
        Some(true) => *at += 1,
        None => {
            *minimal = false;
            *at += 1;
        }
    }
    Ok(())
}

/// Whether some plan meets the parts; [`None`] where the budget does not tell.
fn is_possible(
    state: &State,
    parts: &Parts,
    rules: Option<&SceneRules>,
    standing: Option<&Standing>,
    limits: &Limits,
) -> Result<Option<bool>> {
    let goal = Condition::And(parts.conditions.clone());
    let chosen: Vec<Arc<Rule>> = parts
        .rules
        .iter()
        .filter_map(|at| Some(rules?.set().rules()[*at].clone()))
        .collect();
    let labels: Vec<_> = rules
        .map_or(&[][..], SceneRules::labels)
        .iter()
        .filter(|(prop, _)| chosen.iter().any(|rule| rule.dfa().props().contains(prop)))
        .cloned()
        .collect();
    let request = Request {
        state,
        goal: &goal,
        actions: &parts.actions,
        rules: &chosen,
        labels: &labels,
        without: &[],
    };
    let standing = standing.map(|standing| Standing {
        progress: 0,
        rules: parts.rules.iter().map(|at| standing.rules[*at]).collect(),
    });
    for width in [Width::Narrow, Width::Wide, Width::Whole] {
        let task = match lift(&request, width) {
            Err(Error::Exhausted(_)) => return Ok(None),
            task => task?,
        };
        let Some(standing) = standing.clone().or_else(|| Search::stand(&task)) else {
            return Ok(Some(false));
        };
        match Search::new(&task, &standing).first(limits.first_states) {
            Found::Plan(..) => return Ok(Some(true)),
            Found::Nothing if task.complete => return Ok(Some(false)),
            Found::Nothing | Found::OutOfBudget => {}
        }
    }
    Ok(None)
}
