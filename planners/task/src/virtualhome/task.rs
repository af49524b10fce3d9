//! Tasks: a home, goals, and what running a plan comes to.

use serde::Deserialize;

use crate::Error;
use crate::Result;
use crate::domain::{Condition, GroundAction, Obj, Refusal, RefusalKind, State, Term};
use crate::virtualhome::graph::{Home, relation_predicate, state_predicate};

/// Goals as the benchmark stores them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Goals {
    /// Actions that must be among the steps, in this order; `A|B` is either.
    pub actions: Vec<String>,
    /// States and relations at the end.
    pub goal: Vec<GoalFact>,
}

/// A state or a relation at the end.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum GoalFact {
    /// A node's state.
    State {
        /// The node.
        id: u32,
        /// The state, `OPEN`.
        state: String,
    },
    /// An edge.
    Relation {
        /// From this node.
        from_id: u32,
        /// The relation, `ON`.
        relation_type: String,
        /// To this one.
        to_id: u32,
    },
}

/// One of several actions must be done.
pub type ActionGoal = Vec<String>;

/// A home with goals.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its identifier, `27_2`.
    pub id: String,
    /// What it is about, `Wash clothes`.
    pub name: String,
    /// The home at first.
    pub home: Home,
    /// What must hold at the end.
    pub goal: Condition,
    /// Actions that must be among the steps, in this order.
    pub actions: Vec<ActionGoal>,
}

impl Goals {
    /// The goal facts as one condition.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for nodes, states and relations that there are not.
    pub fn condition(&self, home: &Home) -> Result<Condition> {
        let unknown = |what, name: &str| Error::UnknownName {
            what,
            name: name.to_owned(),
        };
        let node = |id: u32| {
            let object = home.object(id).ok_or_else(|| unknown("node", &id.to_string()))?;
            Ok(Term::Object(object))
        };
        let predicate = |name: &str| {
            let id = home.scene.domain().predicate_named(name);
            id.ok_or_else(|| unknown("state or relation", name))
        };
        let mut facts = Vec::new();
        for fact in &self.goal {
            let condition = match fact {
                GoalFact::State { id, state } => {
                    Condition::Atom(predicate(&state_predicate(state))?, vec![node(*id)?])
                }
                GoalFact::Relation {
                    from_id,
                    relation_type,
                    to_id,
                } => Condition::Atom(
                    predicate(&relation_predicate(relation_type))?,
                    vec![node(*from_id)?, node(*to_id)?],
                ),
            };
            if !facts.contains(&condition) {
                facts.push(condition);
            }
        }
        Ok(Condition::and(facts))
    }

    /// The action goals; repeated ones once, as the benchmark counts.
    pub fn action_goals(&self) -> Vec<ActionGoal> {
        let mut all: Vec<ActionGoal> = Vec::new();
        for text in &self.actions {
            let goal = text
                .split('|')
                .map(|name| name.replace(' ', "").to_uppercase())
                .collect();
            if !all.contains(&goal) {
                all.push(goal);
            }
        }
        all
    }
}

/// What running a plan came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// The state at the end.
    pub state: State,
    /// Steps that were done.
    pub done: Vec<GroundAction>,
    /// The step that was refused, by number, and why; [`None`] if all were done.
    pub refused: Option<(usize, Refusal, RefusalKind)>,
}

impl Task {
    /// The state at first.
    pub fn start(&self) -> State {
        self.home.scene.start()
    }

    /// Runs steps from the start until one is refused.
    pub fn run(&self, steps: &[GroundAction]) -> Run {
        let mut states = vec![self.start()];
        for (at, action) in steps.iter().enumerate() {
            let state = &states[states.len() - 1];
            match state.check(action) {
                Ok(()) => {
                    let next = state.apply(action);
                    states.push(next);
                }
                Err(refusal) => {
                    let kind = refusal.kind_after(&self.home.scene, &states);
                    return Run {
                        state: states.swap_remove(at),
                        done: steps[..at].to_vec(),
                        refused: Some((at, refusal, kind)),
                    };
                }
            }
        }
        Run {
            state: states.swap_remove(steps.len()),
            done: steps.to_vec(),
            refused: None,
        }
    }

    /// How many action goals steps fulfil, in order.
    pub fn actions_done(&self, steps: &[GroundAction]) -> usize {
        let domain = self.home.scene.domain();
        let mut done = 0;
        for step in steps {
            let name = domain.schema(step.schema).name.to_uppercase();
            if self.actions.get(done).is_some_and(|goal| goal.contains(&name)) {
                done += 1;
            }
        }
        done
    }

    /// Whether the state is a goal and the steps contain the actions.
    pub fn succeeds(&self, state: &State, steps: &[GroundAction]) -> bool {
        state.satisfies(&self.goal, &[]) && self.actions_done(steps) == self.actions.len()
    }

    /// The objects that goals speak of, ascending.
    pub fn goal_objects(&self) -> Vec<Obj> {
        let mut all = Vec::new();
        for fact in self.goal.conjuncts() {
            if let Condition::Atom(_, terms) = fact {
                for term in terms {
                    if let Term::Object(object) = term {
                        all.push(*object);
                    }
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
