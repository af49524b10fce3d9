//! Random rules in small homes, against exhaustive search.

use std::sync::Arc;

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use steward_ltl::{PlanLimits, RuleSet, Step, Transition, TransitionSystem};

use super::Progress;
use crate::domain::{Domain, GroundAction, Scene, SceneBuilder, State};
use crate::plan::{Conflict, Goal, Limits, SceneRules, plan};
use crate::{Error, Result};

const DOMAIN: &str = include_str!("../../domains/small_home.pddl");

/// What search comes to under rules.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RulesReport {
    /// Tasks that exhaustive search can solve.
    pub rules_tasks: usize,
    /// Share of them that were solved.
    pub rules_solved: f64,
    /// Plans that break a rule, are refused by the simulator or miss the goal.
    pub rules_violations: usize,
    /// Cost over the least cost, mean over the solved tasks.
    pub rules_cost_ratio: f64,
    /// The same, worst.
    pub rules_worst_cost_ratio: f64,
    /// Tasks without a plan, by exhaustive search.
    pub rules_impossible: usize,
    /// Those that were refused.
    pub rules_refused: usize,
    /// Refusals whose conflict has no plan, and has one as soon as any part is left out, by exhaustive search.
    pub rules_conflicts_minimal: usize,
    /// The first few tasks that went wrong.
    pub rules_failures: Vec<String>,
}

impl RulesReport {
    pub(crate) fn keeps_promises(&self) -> bool {
        self.rules_solved >= 0.98
            && self.rules_violations == 0
            && self.rules_cost_ratio <= 1.1
            && self.rules_refused == self.rules_impossible
            && self.rules_conflicts_minimal == self.rules_impossible
    }
}

/// A home, a goal and rules.
struct Trial {
    scene: Arc<Scene>,
    goals: Vec<String>,
    rules: Vec<(String, String)>,
}

/// The home as a system of states for exhaustive search.
struct System<'a> {
    scene: &'a Arc<Scene>,
    actions: Vec<GroundAction>,
    rules: &'a SceneRules,
    goal: crate::domain::Condition,
}

impl TransitionSystem for System<'_> {
    type State = State;
    type Action = GroundAction;

    fn start(&self) -> State {
        self.scene.start()
    }

    fn label(&self, state: &State) -> Step {
        self.rules.step(state, None)
    }

    fn successors(&self, state: &State) -> Vec<Transition<State, GroundAction>> {
        let possible = self.actions.iter().filter(|action| state.check(action).is_ok());
        possible
            .map(|action| Transition::new(*action, state.apply(action), self.scene.cost(action)))
            .collect()
    }

    fn has_goal(&self) -> bool {
        true
    }

    fn is_goal(&self, state: &State) -> bool {
        state.satisfies(&self.goal, &[])
    }
}

impl Trial {
    fn random(domain: &Arc<Domain>, rng: &mut ChaCha8Rng) -> Result<Trial> {
        let rooms = ["kitchen", "hall", "bedroom"];
        let places = [("table", 0), ("fridge", 0), ("shelf", 1), ("desk", 2)];
        let items = ["mug", "book"];
        let mut builder = SceneBuilder::new(Arc::clone(domain));
        for room in rooms {
            builder.object(room, "room")?;
        }
        for (place, room) in places {
            builder.object(place, if place == "fridge" { "container" } else { "place" })?;
            builder.fact("stands", &[place, rooms[room]])?;
        }
        builder.object("lamp", "lamp")?;
        builder.fact("hangs", &["lamp", rooms[rng.random_range(0..3)]])?;
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            if a == 0 && b == 1 || rng.random_bool(0.6) {
                builder.fact("door", &[rooms[a], rooms[b]])?;
                builder.fact("door", &[rooms[b], rooms[a]])?;
            }
        }
        builder.fact("at", &[rooms[rng.random_range(0..3)]])?;
        for item in items {
            builder.object(item, "item")?;
            builder.fact("lies", &[item, places[rng.random_range(0..4)].0])?;
        }
        if rng.random_bool(0.3) {
            builder.fact("open", &["fridge"])?;
        }
        let fact = |rng: &mut ChaCha8Rng| match rng.random_range(0..5) {
            0 => format!("at({})", rooms[rng.random_range(0..3)]),
            1 => "open(fridge)".to_owned(),
            2 => "lit(lamp)".to_owned(),
            3 => format!("held({})", items[rng.random_range(0..2)]),
            _ => format!(
                "lies({}, {})",
                items[rng.random_range(0..2)],
                places[rng.random_range(0..4)].0
            ),
        };
        let mut goals = Vec::new();
        for item in items.into_iter().take(rng.random_range(1..3)) {
            goals.push(format!("(lies {item} {})", places[rng.random_range(0..4)].0));
        }
        if rng.random_bool(0.4) {
            goals.push(["(lit lamp)", "(not (open fridge))", "(at hall)"][rng.random_range(0..3)].to_owned());
        }
        let mut rules = Vec::new();
        for number in 0..rng.random_range(1..6) {
            let (p, q) = (fact(rng), fact(rng));
            let rule = match rng.random_range(0..5) {
                0 => format!("G !{p}"),
                1 => format!("!{p} W {q}"),
                2 => format!("G ({p} -> F {q})"),
                3 => format!("!{p} U {q}"),
                _ => at_most(&p, rng.random_range(1..3)),
            };
            rules.push((format!("rule {number}"), rule));
        }
        Ok(Trial {
            scene: builder.build(),
            goals,
            rules,
        })
    }

    fn rules(&self, chosen: &[(String, String)]) -> Result<SceneRules> {
        let set = RuleSet::one_shot(chosen.iter().map(|(name, text)| (name.clone(), text)));
        SceneRules::new(&self.scene, set.map_err(|error| Error::Scene(error.to_string()))?)
    }

    fn goal(&self, goals: &[String]) -> Result<crate::domain::Condition> {
        self.scene.condition(&format!("(and {})", goals.join(" ")))
    }

    /// The least cost of a plan, by exhaustive search; [`None`] where there is no plan.
    fn least_cost(&self, rules: &[(String, String)], goals: &[String]) -> Result<Option<f64>> {
        let rules = self.rules(rules)?;
        let mut actions = Vec::new();
        for (id, schema) in self.scene.domain().schema_ids() {
            let mut tuples: Vec<Vec<crate::domain::Obj>> = vec![Vec::new()];
            for kind in &schema.parameters {
                let extended = tuples.iter().flat_map(|tuple| {
                    let with = |object: &crate::domain::Obj| [&tuple[..], &[*object]].concat();
                    self.scene.objects_of(*kind).iter().map(with).collect::<Vec<_>>()
                });
                tuples = extended.collect();
            }
            actions.extend(tuples.iter().map(|tuple| GroundAction::new(id, tuple)));
        }
        let system = System {
            scene: &self.scene,
            actions,
            rules: &rules,
            goal: self.goal(goals)?,
        };
        match rules.set().plan_within(&system, PlanLimits::default()) {
            Ok(found) => Ok(Some(found.cost)),
            Err(steward_ltl::Error::NoPlan(_) | steward_ltl::Error::StartViolates { .. }) => Ok(None),
            Err(error) => Err(Error::Scene(error.to_string())),
        }
    }

    /// Whether steps run, keep the rules at every step and end in the goal.
    fn is_kept_by(&self, steps: &[GroundAction]) -> Result<bool> {
        let rules = self.rules(&self.rules)?;
        let mut state = self.scene.start();
        let mut watch = rules.watch(&state)?;
        for step in steps {
            if state.check(step).is_err() {
                return Ok(false);
            }
            state = state.apply(step);
            rules.observe(&mut watch, &state, Some(step))?;
        }
        Ok(watch.may_end() && state.satisfies(&self.goal(&self.goals)?, &[]))
    }

    /// Whether a conflict has no plan, and has one without any of its parts.
    fn is_minimal(&self, conflict: &Conflict) -> Result<bool> {
        let named = |(name, _): &&(String, String)| conflict.rules.iter().any(|(known, _)| known == name);
        let rules: Vec<(String, String)> = self.rules.iter().filter(named).cloned().collect();
        let goals = &conflict.goals;
        if rules.len() != conflict.rules.len() || self.least_cost(&rules, goals)?.is_some() {
            return Ok(false);
        }
        for at in 0..rules.len() {
            let mut fewer = rules.clone();
            fewer.remove(at);
            if self.least_cost(&fewer, goals)?.is_none() {
                return Ok(false);
            }
        }
        for at in 0..goals.len() {
            let mut fewer = goals.clone();
            fewer.remove(at);
            if self.least_cost(&rules, &fewer)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn describe(&self) -> String {
        let rules: Vec<&str> = self.rules.iter().map(|(_, text)| &text[..]).collect();
        format!("{} under {}", self.goals.join(" "), rules.join("; "))
    }
}

/// `fact` becomes true, or is true at first, at most so many times.
fn at_most(fact: &str, times: usize) -> String {
    (0..times).fold(format!("G !{fact}"), |rest, _| {
        format!("!{fact} W ({fact} W ({rest}))")
    })
}

pub(crate) fn measure(tasks: usize, impossible: usize) -> Result<RulesReport> {
    let domain = Arc::new(Domain::parse(DOMAIN)?);
    let mut report = RulesReport::default();
    let mut rng = ChaCha8Rng::seed_from_u64(2026);
    let (mut solved, mut ratios) = (0, 0.0);
    let progress = Progress::new("rules", tasks + impossible);
    let limits = Limits {
        improve_states: 2_000,
        ..Limits::default()
    };
    while report.rules_tasks < tasks || report.rules_impossible < impossible {
        progress.at(report.rules_tasks + report.rules_impossible);
        let trial = Trial::random(&domain, &mut rng)?;
        let least = trial.least_cost(&trial.rules, &trial.goals)?;
        if least.is_some() && report.rules_tasks == tasks
            || least.is_none() && report.rules_impossible == impossible
        {
            continue;
        }
        let goal = Goal::reach(trial.goal(&trial.goals)?);
        let found = plan(
            &trial.scene.start(),
            &goal,
            Some(&trial.rules(&trial.rules)?),
            &limits,
        );
        let failure = match (least, found) {
            (Some(least), Ok(found)) => {
                solved += 1;
                let ratio = if least > 0.0 {
                    found.cost / least
                } else {
                    1.0 + found.cost
                };
                ratios += ratio;
                report.rules_worst_cost_ratio = report.rules_worst_cost_ratio.max(ratio);
                let kept = trial.is_kept_by(&found.steps)?;
                report.rules_violations += usize::from(!kept);
                (!kept).then(|| "breaks a rule".to_owned())
            }
            (None, Err(Error::Infeasible(conflict))) => {
                report.rules_refused += 1;
                let minimal = trial.is_minimal(&conflict)?;
                report.rules_conflicts_minimal += usize::from(minimal);
                (!minimal).then(|| format!("not minimal: {conflict}"))
            }
            (None, Ok(_)) => {
                report.rules_violations += 1;
                Some("a plan where there is none".to_owned())
            }
            (_, Err(error)) => Some(error.to_string()),
        };
        if least.is_some() {
            report.rules_tasks += 1;
        } else {
            report.rules_impossible += 1;
        }
        if let Some(failure) = failure.filter(|_| report.rules_failures.len() < 10) {
            report
                .rules_failures
                .push(format!("{}: {failure}", trial.describe()));
        }
    }
    report.rules_solved = f64::from(solved) / tasks.max(1) as f64;
    report.rules_cost_ratio = ratios / f64::from(solved.max(1));
    Ok(report)
}

#[cfg(test)]
mod tests {
    #[test]
    fn plans_keep_random_rules_and_conflicts_are_minimal() {
        let report = super::measure(60, 20).unwrap();
        assert_eq!(report.rules_failures, Vec::<String>::new());
        assert!(report.keeps_promises(), "{report:?}");
    }
}
