//! A task that is ground as far as it matters: what search works on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use steward_ltl::{Prop, Rule, Verdict};

use super::super::gates::{
    Cost, FALSE, GateId, Gates, Meaning, Memory, Prices, Sum, TRUE, UNREACHABLE, set_bit,
};
use crate::domain::{Atom, GroundAction};

/// An effect on a fact that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) when: GateId,
    pub(crate) fact: u32,
    pub(crate) value: bool,
}

/// A ground action.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) action: GroundAction,
    pub(crate) cost: Cost,
    pub(crate) precondition: GateId,
    /// What is made false first, then what is made true.
    pub(crate) effects: Vec<Effect>,
    /// Which labels are said of this action: places in [`Task::labels`].
    pub(crate) said: Vec<u32>,
    pub(super) act: GateId,
}

/// A proposition and how to tell whether it holds.
#[derive(Debug, Clone)]
pub(crate) struct TaskLabel {
    pub(crate) prop: Prop,
    /// The condition; [`FALSE`] for actions.
    pub(crate) holds: GateId,
}

/// A ground task, as far as it matters.
pub(crate) struct Task {
    pub(crate) gates: Gates,
    pub(crate) start: Vec<u64>,
    pub(crate) operators: Vec<Operator>,
    /// The goal's condition, exact.
    pub(crate) goal: GateId,
    /// The goal, the actions asked for and every rule, relaxed.
    pub(crate) target: GateId,
    pub(crate) labels: Vec<TaskLabel>,
    pub(crate) rules: Vec<Arc<Rule>>,
    /// Per rule and state of its automaton, the gate for being there.
    pub(crate) rule_states: Vec<Vec<GateId>>,
    /// The gate for having done so many of the actions that are asked for.
    pub(crate) progress: Vec<GateId>,
    /// Per operator, which of the actions that are asked for it is, as bits.
    pub(crate) asked: Vec<u64>,
    /// Whether nothing was left out, so that no plan here means no plan at all.
    pub(crate) complete: bool,
}

impl Task {
    /// The facts, and absences of facts, that the actions cannot reach even where nothing is ever lost; none if the
    /// target can be reached.
    pub(super) fn unreached(&self, facts: &[Atom]) -> BTreeSet<(Atom, bool)> {
        let mut also = vec![self.progress[0]];
        let beginnings = self.rules.iter().zip(&self.rule_states);
        also.extend(beginnings.map(|(rule, states)| states[rule.dfa().initial() as usize]));
        let mut prices = Prices::new(&self.gates);
        self.gates
            .price(&self.start, &also, self.target, Sum::Max, &mut prices);
        if prices.of(self.target) != UNREACHABLE {
            return BTreeSet::new();
        }
        let unreached = self.gates.unreached(&prices);
        unreached
            .map(|(fact, value)| (facts[fact as usize], value))
            .collect()
    }

    /// Takes out the actions that break some rule whenever they are done.
    pub(super) fn forbid(&mut self) {
        for number in 0..self.operators.len() {
            if self.always_breaks_a_rule(number) {
                let operator = &mut self.operators[number];
                operator.precondition = FALSE;
                self.gates.forbid(operator.act);
            }
        }
    }

    fn always_breaks_a_rule(&self, number: usize) -> bool {
        let operator = &self.operators[number];
        // What is known of the facts after the action: those that it sets whatever the state, and those that it
        // needs and never touches.
        let mut known: HashMap<u32, Option<bool>> = HashMap::new();
        self.literal_needs(operator.precondition, &mut known);
        for effect in &operator.effects {
            let entry = known.entry(effect.fact).or_insert(None);
            if effect.when == TRUE || *entry == Some(effect.value) {
                *entry = Some(effect.value);
            } else {
                *entry = None;
            }
        }
        if self.rules.is_empty() {
            return false;
        }
        let said: HashSet<u32> = operator.said.iter().copied().collect();
        let values: Vec<(Prop, Option<bool>)> = self
            .labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let value = if label.holds == FALSE {
                    Some(said.contains(&(at as u32)))
                } else {
                    self.known_after(label.holds, &known)
                };
                (label.prop, value)
            })
            .collect();
        self.rules.iter().any(|rule| {
            (0..rule.dfa().num_states() as u32)
                .filter(|state| rule.verdict(*state) != Verdict::PermanentlyViolated)
                .all(|state| {
                    rule.dfa().edges(state).iter().all(|edge| {
                        rule.verdict(edge.to) == Verdict::PermanentlyViolated
                            || edge.guard.iter().any(|(prop, wanted)| {
                                let value = values
                                    .iter()
                                    .find(|(known, _)| known == prop)
                                    .map_or(Some(false), |v| v.1);
                                value == Some(!wanted)
                            })
                    })
                })
        })
    }

    /// Facts that a precondition names outright.
    fn literal_needs(&self, gate: GateId, into: &mut HashMap<u32, Option<bool>>) {
        match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => {
                into.insert(fact, Some(value));
            }
            _ => {
                let inputs = self.gates.inputs(gate);
                if self.gates.need(gate) as usize == inputs.len() {
                    for input in inputs {
                        self.literal_needs(*input, into);
                    }
                }
            }
        }
    }

    /// The truth of a condition as far as the facts are known (Kleene's logic).
    fn known_after(&self, gate: GateId, known: &HashMap<u32, Option<bool>>) -> Option<bool> {
        match self.gates.meaning(gate) {
            Meaning::Literal(fact, value) => known.get(&fact).copied().flatten().map(|now| now == value),
            _ => {
                let need = self.gates.need(gate) as usize;
                let inputs = self.gates.inputs(gate);
                let (mut yes, mut no) = (0, 0);
                for input in inputs {
                    match self.known_after(*input, known) {
                        Some(true) => yes += 1,
                        Some(false) => no += 1,
                        None => {}
                    }
                }
                if yes >= need {
                    Some(true)
                } else if inputs.len() - no < need {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    /// Does an operator: its effects on a state in which its precondition holds.
    pub(crate) fn apply(&self, operator: usize, state: &[u64], memory: &mut Memory, to: &mut Vec<u64>) {
        to.clear();
        to.extend_from_slice(state);
        for effect in &self.operators[operator].effects {
            if self.gates.holds(effect.when, state, memory) {
                set_bit(to, effect.fact, effect.value);
            }
        }
    }
}
