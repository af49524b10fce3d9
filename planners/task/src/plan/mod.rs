//! Planning on a scene: search that grounds only what matters, keeps rules, and says why there is no plan.
//!
//! ```text
//!   state, goal ──┐                  ┌► greedy search on relaxed plans ─► a plan ─► A* ─► cheaper plans
//!   rules (LTLf) ─┴► gates: a few ───┤
//!                    ground actions  └► nothing left to try ─► a wider focus ─► … ─► a minimal conflict
//! ```
//!
//! [`plan`] takes a state, a [`Goal`] and perhaps [`SceneRules`], and returns the steps. The budget is counted in
//! priced states, so results are the same on every machine. [`plan_on`] does the same from the midst of things.
//!
//! ```
//! use steward_ltl::RuleSet;
//! use steward_task::Error;
//! use steward_task::domain::{Domain, SceneBuilder};
//! use steward_task::plan::{Goal, Limits, SceneRules, plan};
//!
//! let domain = Domain::parse(
//!     "(define (domain rooms)
//!        (:types room)
//!        (:predicates (at ?r - room) (door ?a ?b - room))
//!        (:action go :parameters (?a ?b - room) :precondition (and (at ?a) (door ?a ?b))
//!          :effect (and (not (at ?a)) (at ?b))))",
//! )?;
//! let mut home = SceneBuilder::new(domain);
//! for room in ["hall", "kitchen", "study", "bath"] {
//!     home.object(room, "room")?;
//! }
//! home.fact("at", &["hall"])?;
//! for (a, b) in [("hall", "study"), ("hall", "kitchen"), ("kitchen", "bath"), ("bath", "study")] {
//!     home.fact("door", &[a, b])?;
//! }
//! let scene = home.build();
//! let goal = Goal::reach(scene.condition("(at study)")?);
//! let found = plan(&scene.start(), &goal, None, &Limits::default())?;
//! assert_eq!(found.text(&scene), ["(go hall study)"]);
//!
//! let rules = SceneRules::new(&scene, RuleSet::one_shot([("first", "!at(study) U at(kitchen)")])?)?;
//! let found = plan(&scene.start(), &goal, Some(&rules), &Limits::default())?;
//! assert_eq!(found.text(&scene), ["(go hall kitchen)", "(go kitchen bath)", "(go bath study)"]);
//!
//! let set = RuleSet::one_shot([("first", "!at(study) U at(kitchen)"), ("dry", "G !at(bath)")])?;
//! let rules = SceneRules::new(&scene, set)?;
//! let refused = plan(&scene.start(), &goal, Some(&rules), &Limits::default());
//! let Err(Error::Infeasible(conflict)) = refused else { panic!() };
//! assert_eq!((conflict.rules.len(), &conflict.goals[..]), (2, &["(at study)".to_owned()][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod conflict;
mod gates;
mod lift;
mod possible;
mod rules;
mod search;

use std::sync::Arc;

use steward_ltl::{Monitor, Watch};

pub use conflict::Conflict;
pub use lift::Label;
pub use rules::SceneRules;

use self::lift::{Request, Width, lift};
use self::search::{Found, Search, Standing};
use crate::domain::{Condition, GroundAction, Scene, State};
use crate::{Error, Result};

/// Most actions that a goal may ask for.
pub const MAX_ASKED: usize = 63;

/// What a plan is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// A ground condition on the last state.
    pub condition: Condition,
    /// Actions to be done in this order on the way, each with its alternatives; at most [`MAX_ASKED`].
    pub actions: Vec<Vec<Label>>,
}

impl Goal {
    /// A goal that only asks for a state.
    pub fn reach(condition: Condition) -> Goal {
        Goal {
            condition,
            actions: Vec::new(),
        }
    }
}

/// Budgets of a search, in states that are priced: the same on every machine. Where more than a few thousand conditions
/// have to be looked at to price a state it counts as several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// States that may be priced for a first plan, for each width of the focus.
    pub first_states: usize,
    /// States that may be priced to make it cheaper; 0 takes the first plan, without its needless steps.
    pub improve_states: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            first_states: 20_000,
            improve_states: 200,
        }
    }
}

impl Limits {
    /// Checks that something may be priced at all.
    ///
    /// # Errors
    /// [`Error::Scene`] where nothing may.
    pub fn validate(&self) -> Result<()> {
        if self.first_states == 0 {
            return Err(Error::Scene(
                "first_states is 0; allow some, say 20000".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<GroundAction>,
    /// What they cost together.
    pub cost: f64,
    /// Whether it was shown that no plan with the considered objects is cheaper.
    pub cheapest: bool,
    /// How many states were priced.
    pub priced: usize,
}

impl Plan {
    /// The steps as text.
    pub fn text(&self, scene: &Scene) -> Vec<String> {
        self.steps.iter().map(|step| scene.action_text(step)).collect()
    }
}

/// A plan from a state to a goal that keeps the rules, the state itself being their first step.
///
/// # Errors
/// [`Error::Infeasible`] with a minimal conflict where it was shown that there is none, [`Error::Exhausted`] where
/// the budget came first, [`Error::Scene`] for limits and goals that make no sense.
pub fn plan(state: &State, goal: &Goal, rules: Option<&SceneRules>, limits: &Limits) -> Result<Plan> {
    plan_on(state, goal, rules, None, limits)
}

/// A plan from the midst of things: the rules stand where `watch`, which has seen the present state, left them.
///
/// # Errors
/// As [`plan`].
pub fn plan_on(
    state: &State,
    goal: &Goal,
    rules: Option<&SceneRules>,
    watch: Option<&Watch>,
    limits: &Limits,
) -> Result<Plan> {
    limits.validate()?;
    if goal.actions.len() > MAX_ASKED {
        return Err(Error::Scene(format!(
            "the goal asks for {} actions, at most {MAX_ASKED} are possible; split it",
            goal.actions.len()
        )));
    }
    let standing = watch.map(|watch| Standing {
        progress: 0,
        rules: watch.monitors().iter().map(Monitor::state).collect(),
    });
    let compiled: Vec<Arc<steward_ltl::Rule>> =
        rules.map_or_else(Vec::new, |rules| rules.set().rules().to_vec());
    let request = Request {
        state,
        goal: &goal.condition,
        actions: &goal.actions,
        rules: &compiled,
        labels: rules.map_or(&[], SceneRules::labels),
    };
    let mut priced = 0;
    for width in [Width::Narrow, Width::Wide, Width::Whole] {
        let task = match lift(&request, width) {
            Ok(task) => task,
            // Too large to ground: nothing is known beyond what was tried.
            Err(Error::Exhausted(_)) => break,
            Err(error) => return Err(error),
        };
        let Some(standing) = standing.clone().or_else(|| Search::stand(&task)) else {
            return Err(Error::Infeasible(conflict::explain(
                state, goal, rules, None, limits,
            )?));
        };
        let mut search = Search::new(&task, &standing);
        match search.first(limits.first_states) {
            Found::Plan(operators, _, _) => {
                let (mut operators, mut cost) = search.without_needless(&operators);
                let mut cheapest = operators.is_empty();
                if limits.improve_states > 0 && !cheapest {
                    let (better, proven) = search.improve(cost, limits.improve_states);
                    cheapest = proven;
                    if let Some(better) = better {
                        (operators, cost) = better;
                    }
                }
                let found = Plan {
                    steps: operators
                        .iter()
                        .map(|at| task.operators[*at as usize].action)
                        .collect(),
                    cost: cost as f64 / 1000.0,
                    cheapest,
                    priced: priced + search.priced,
                };
                // The gates leave out chains of derived facts that are longer than those of real homes; a plan that
                // counts on one of these not holding is never returned.
                if runs(state, goal, rules, watch, &found.steps)? {
                    return Ok(found);
                }
            }
            Found::Nothing if task.complete => {
                let conflict = conflict::explain(state, goal, rules, standing_of(watch, &standing), limits)?;
                return Err(Error::Infeasible(conflict));
            }
            Found::Nothing | Found::OutOfBudget => {}
        }
        priced += search.priced;
    }
    Err(Error::Exhausted(priced))
}

/// Whether steps run as the domain says, keep the rules and end in the goal.
fn runs(
    state: &State,
    goal: &Goal,
    rules: Option<&SceneRules>,
    watch: Option<&Watch>,
    steps: &[GroundAction],
) -> Result<bool> {
    let mut watch = match (rules, watch) {
        (Some(rules), None) => Some(rules.watch(state)?),
        (_, watch) => watch.cloned(),
    };
    let (mut now, mut done) = (state.clone(), 0);
    for step in steps {
        if now.check(step).is_err() {
            return Ok(false);
        }
        now = now.apply(step);
        if let (Some(rules), Some(watch)) = (rules, &mut watch) {
            rules.observe(watch, &now, Some(step))?;
        }
        let next = goal.actions.get(done);
        done += usize::from(next.is_some_and(|labels| labels.iter().any(|label| label.matches(step))));
    }
    Ok(now.satisfies(&goal.condition, &[])
        && done == goal.actions.len()
        && watch.is_none_or(|watch| watch.may_end()))
}

fn standing_of<'s>(watch: Option<&Watch>, standing: &'s Standing) -> Option<&'s Standing> {
    watch.map(|_| standing)
}
