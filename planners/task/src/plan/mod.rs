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

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_ltl::{Monitor, Watch};

pub use conflict::Conflict;
pub use lift::Label;
pub use rules::SceneRules;

use self::lift::{Request, Width, lift, lift_in_focus};
use self::search::{Found, Search, Standing};
use crate::domain::{Condition, GroundAction, Obj, Scene, State};
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

    /// How many of the actions that are asked for some steps do, in order.
    pub fn done_by<'s>(&self, steps: impl IntoIterator<Item = &'s GroundAction>) -> usize {
        let mut done = 0;
        for step in steps {
            let next = self.actions.get(done);
            done += usize::from(next.is_some_and(|labels| labels.iter().any(|label| label.matches(step))));
        }
        done
    }
}

/// Budgets of a search, in states that are priced: the same on every machine. Where more than a few thousand conditions
/// have to be looked at to price a state it counts as several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// States that may be priced for a first plan, for each width of the focus.
    pub first_states: usize,
    /// States that may be priced to make it cheaper; 0 takes the first plan, without its needless steps and detours.
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
    let question = Question {
        state,
        goal,
        rules,
        watch,
        standing,
    };
    let mut priced = 0;
    for width in [Width::Narrow, Width::Wide, Width::Whole] {
        match question.search(width, &[], limits, &mut priced) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            // Too large to ground: nothing is known beyond what was tried.
            Err(Error::Exhausted(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Exhausted(priced))
}

/// Up to `count` different plans, the first as [`plan`] finds it, the others each without some step of one before it
/// (after Katz and Sohrabi 2020). A step is left out together with those that do the same by another name.
///
/// # Errors
/// As [`plan`] for the first; where there are fewer plans than asked for that is no error.
pub fn plans(
    state: &State,
    goal: &Goal,
    rules: Option<&SceneRules>,
    limits: &Limits,
    count: usize,
) -> Result<Vec<Plan>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut all = vec![plan(state, goal, rules, limits)?];
    let question = Question {
        state,
        goal,
        rules,
        watch: None,
        standing: None,
    };
    let mut left_out: Vec<Vec<GroundAction>> = vec![Vec::new()];
    let mut questions = 0;
    let mut at = 0;
    while let Some(known) = all.get(at).map(|plan| plan.steps.clone()) {
        for step in &known {
            if all.len() == count || questions == QUESTIONS_PER_PLAN * count {
                return Ok(all);
            }
            questions += 1;
            let mut without = left_out[at].clone();
            without.extend(twins(state.scene(), step));
            // A step without which nothing nearby will do is needed; the whole scene is not searched to be sure.
            let found = match question.search(Width::Narrow, &without, limits, &mut 0) {
                Ok(Some(found)) => found,
                Ok(None) | Err(Error::Exhausted(_)) => continue,
                Err(error) => return Err(error),
            };
            if all.iter().all(|other| other.steps != found.steps) {
                all.push(found);
                left_out.push(without);
            }
        }
        at += 1;
    }
    Ok(all)
}

/// How often a plan without some step is looked for, for each plan that is wanted.
const QUESTIONS_PER_PLAN: usize = 4;

/// A step and those that do the same to the same things.
fn twins(scene: &Scene, step: &GroundAction) -> Vec<GroundAction> {
    let domain = scene.domain();
    let this = domain.schema(step.schema);
    domain
        .schema_ids()
        .filter(|(_, other)| other.outcomes == this.outcomes && other.parameters == this.parameters)
        .map(|(id, _)| GroundAction::new(id, step.arguments()))
        .collect()
}

/// What is left to pay from a state to a goal, as far as can be told without search: the cost of a plan in which
/// nothing that holds is ever lost, over objects nearby. [`None`] where no such plan is seen; 0 in a goal.
///
/// # Errors
/// [`Error::Exhausted`] where the scene is too large around the goal.
pub fn cost_to_go(state: &State, goal: &Goal) -> Result<Option<f64>> {
    let task = lift(&Request::of(state, goal), Width::Narrow)?;
    let standing = Standing {
        progress: 0,
        rules: Vec::new(),
    };
    let left = Search::new(&task, &standing).left();
    Ok((left != gates::UNREACHABLE).then(|| left as f64 / 1000.0))
}

/// The objects that a plan for a goal has to do with, as far as can be told without search: those that the goal names
/// and those with which the steps towards it are done.
///
/// # Errors
/// [`Error::Exhausted`] where the scene is too large around the goal.
pub fn relevant(state: &State, goal: &Goal) -> Result<BTreeSet<Obj>> {
    lift_in_focus(&Request::of(state, goal), Width::Narrow).map(|(_, focus)| focus)
}

/// What a plan is looked for.
struct Question<'a> {
    state: &'a State,
    goal: &'a Goal,
    rules: Option<&'a SceneRules>,
    watch: Option<&'a Watch>,
    /// Where the rules stand, if that is not at their beginning.
    standing: Option<Standing>,
}

impl Question<'_> {
    /// A plan with so much of the scene and without some actions; [`None`] where none was found.
    fn search(
        &self,
        width: Width,
        without: &[GroundAction],
        limits: &Limits,
        priced: &mut usize,
    ) -> Result<Option<Plan>> {
        let compiled: &[Arc<steward_ltl::Rule>] = self.rules.map_or(&[], |rules| rules.set().rules());
        let request = Request {
            rules: compiled,
            labels: self.rules.map_or(&[], SceneRules::labels),
            without,
            ..Request::of(self.state, self.goal)
        };
        let infeasible = |standing| -> Result<Option<Plan>> {
            let conflict = conflict::explain(self.state, self.goal, self.rules, standing, limits)?;
            Err(Error::Infeasible(conflict))
        };
        let task = lift(&request, width)?;
        let Some(standing) = self.standing.clone().or_else(|| Search::stand(&task)) else {
            return infeasible(None);
        };
        let mut search = Search::new(&task, &standing);
        let first = search.first(limits.first_states);
        let found = match first {
            Found::Plan(operators, _, _) => {
                let (operators, _) = search.without_needless(&operators);
                let (mut operators, mut cost) = search.with_shortcuts(&operators);
                let mut cheapest = operators.is_empty();
                if limits.improve_states > 0 && !cheapest {
                    let (better, proven) = search.improve(cost, limits.improve_states);
                    cheapest = proven;
                    if let Some(better) = better {
                        (operators, cost) = better;
                    }
                }
                let steps = operators.iter().map(|at| task.operators[*at as usize].action);
                Some(Plan {
                    steps: steps.collect(),
                    cost: cost as f64 / 1000.0,
                    cheapest,
                    priced: *priced + search.priced,
                })
            }
            Found::Nothing if task.complete && without.is_empty() => {
                return infeasible(self.standing.as_ref());
            }
            Found::Nothing | Found::OutOfBudget => None,
        };
        *priced += search.priced;
        // The gates leave out chains of derived facts that are longer than those of real homes; a plan that counts
        // on one of these not holding is never returned.
        match found {
            Some(found) if runs(self.state, self.goal, self.rules, self.watch, &found.steps)? => {
                Ok(Some(found))
            }
            _ => Ok(None),
        }
    }
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
    let mut now = state.clone();
    for step in steps {
        if now.check(step).is_err() {
            return Ok(false);
        }
        now = now.apply(step);
        if let (Some(rules), Some(watch)) = (rules, &mut watch) {
            rules.observe(watch, &now, Some(step))?;
        }
    }
    Ok(now.satisfies(&goal.condition, &[])
        && goal.done_by(steps) == goal.actions.len()
        && watch.is_none_or(|watch| watch.may_end()))
}
