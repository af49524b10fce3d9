//! What actions do: outcomes put together that are alike, found by the facts that they set.

use std::collections::HashMap;

use super::super::gates::GateId;
use super::super::possible::object;
use super::{Lifter, each_term, frame_of, truth};
use crate::domain::{Atom, Frame, GroundAction, MAX_ARITY, Obj, Outcome, SchemaId, Term};

/// Where an action may set a fact: predicate and fixed arguments, with a mask of the fixed places.
pub(super) type Pattern = (Atom, u8, bool);

/// Outcomes of actions that do the same under the same conditions.
pub(super) struct Group {
    pub(super) example: GroundAction,
    pub(super) outcome: u16,
    pub(super) actions: Vec<u32>,
}

impl<'a> Lifter<'a> {
    /// Puts outcomes that are alike together: of one schema, with the same objects in all places that matter.
    pub(super) fn group_outcomes(&mut self) {
        let used: Vec<Vec<u16>> = self
            .domain
            .schemas
            .iter()
            .map(|schema| schema.outcomes.iter().map(slots_of_outcome).collect())
            .collect();
        let mut known: HashMap<(SchemaId, u16, Vec<Obj>), u32> = HashMap::new();
        for (at, action) in self.actions.iter().enumerate() {
            let schema = self.domain.schema(action.schema);
            let mut all = Vec::with_capacity(schema.outcomes.len());
            for (number, outcome) in schema.outcomes.iter().enumerate() {
                let mask = used[usize::from(action.schema.0)][number];
                let key: Vec<Obj> = action
                    .arguments()
                    .iter()
                    .enumerate()
                    .map(|(place, object)| {
                        if mask >> place & 1 == 1 {
                            *object
                        } else {
                            Obj(u32::MAX)
                        }
                    })
                    .collect();
                let fresh = self.groups.len() as u32;
                let group = *known.entry((action.schema, number as u16, key)).or_insert(fresh);
                if group == fresh {
                    self.groups.push(Group {
                        example: *action,
                        outcome: number as u16,
                        actions: Vec::new(),
                    });
                    self.patterns
                        .entry(pattern_of(outcome, action))
                        .or_default()
                        .push(group);
                }
                self.groups[group as usize].actions.push(at as u32);
                all.push(group);
            }
            self.groups_of.push(all);
        }
    }

    /// Groups of outcomes that may set a fact to a value.
    pub(super) fn setting(&self, atom: Atom, value: bool) -> Vec<u32> {
        let arity = self.domain.predicate(atom.predicate()).parameters.len();
        let mut all = Vec::new();
        for mask in 0..1u8 << arity {
            if let Some(found) = self.patterns.get(&(masked(atom, mask, arity), mask, value)) {
                all.extend(found.iter().filter(|group| self.may_set(**group, atom)));
            }
        }
        all.sort_unstable();
        all
    }

    pub(super) fn can_be_set(&self, atom: Atom, value: bool) -> bool {
        if value {
            return self.possible.is_added(atom);
        }
        let arity = self.domain.predicate(atom.predicate()).parameters.len();
        (0..1u8 << arity).any(|mask| {
            self.patterns
                .get(&(masked(atom, mask, arity), mask, false))
                .is_some_and(|found| found.iter().any(|group| self.may_set(*group, atom)))
        })
    }

    pub(super) fn outcome(&self, group: u32) -> (&'a Outcome, Frame, usize) {
        let group = &self.groups[group as usize];
        let schema = self.domain.schema(group.example.schema);
        let outcome = &schema.outcomes[usize::from(group.outcome)];
        (
            outcome,
            frame_of(group.example.arguments()),
            schema.parameters.len(),
        )
    }

    /// Binds the variables of an outcome so that it sets a fact; which of them that leaves open, or [`None`] if it
    /// cannot.
    pub(super) fn bind(
        &self,
        outcome: &Outcome,
        first: usize,
        atom: Atom,
        frame: &mut Frame,
    ) -> Option<Vec<bool>> {
        let mut bound = vec![false; outcome.variables.len()];
        for (place, term) in outcome.arguments.iter().enumerate() {
            let here = atom.object(place);
            match term {
                Term::Slot(slot) if usize::from(*slot) >= first => {
                    let variable = usize::from(*slot) - first;
                    if !self.scene.is(here, outcome.variables[variable])
                        || bound[variable] && frame[usize::from(*slot)] != here
                    {
                        return None;
                    }
                    bound[variable] = true;
                    frame[usize::from(*slot)] = here;
                }
                term => {
                    if object(*term, frame) != here {
                        return None;
                    }
                }
            }
        }
        Some(bound)
    }

    /// Whether outcomes of a group may set a fact that matches their pattern.
    pub(super) fn may_set(&self, group: u32, atom: Atom) -> bool {
        let (outcome, mut frame, first) = self.outcome(group);
        match self.bind(outcome, first, atom, &mut frame) {
            None => false,
            Some(bound) if bound.iter().all(|bound| *bound) => {
                self.possible.may(&outcome.when, &mut frame, true)
            }
            Some(_) => true,
        }
    }

    /// The gate for the outcomes of a group setting a fact, or for them not doing so.
    pub(super) fn effect_condition(&mut self, group: u32, atom: Atom, positive: bool) -> GateId {
        if let Some(known) = self.effect_conditions.get(&(group, atom, positive)) {
            return *known;
        }
        let gate = self.new_effect_condition(group, atom, positive);
        self.effect_conditions.insert((group, atom, positive), gate);
        gate
    }

    pub(super) fn new_effect_condition(&mut self, group: u32, atom: Atom, positive: bool) -> GateId {
        let (outcome, mut frame, first) = self.outcome(group);
        let Some(bound) = self.bind(outcome, first, atom, &mut frame) else {
            return truth(!positive);
        };
        if bound.iter().all(|bound| *bound) && !outcome.first_only {
            return self.condition(&outcome.when, &mut frame, positive);
        }
        // The leading variables that are bound stay so; the others are tried. What is tried of the last variable of
        // a first-only outcome are all objects, since earlier ones come first.
        let last = outcome.variables.len() - 1;
        let tried = bound.iter().take_while(|bound| **bound).count();
        let tried = if outcome.first_only {
            tried.min(last)
        } else {
            tried
        };
        let wanted: Vec<Option<Obj>> = (tried..=last)
            .map(|at| bound[at].then(|| frame[first + at]))
            .collect();
        let slot = first + tried;
        let mut earlier: Vec<GateId> = Vec::new();
        let mut before: Vec<Obj> = Vec::new();
        let mut inputs = Vec::new();
        let all =
            self.possible
                .assignments(&outcome.when, slot as u8, &outcome.variables[tried..], &mut frame);
        for objects in all {
            frame[slot..slot + objects.len()].copy_from_slice(&objects);
            let this = objects
                .iter()
                .zip(&wanted)
                .all(|(object, wanted)| wanted.is_none_or(|w| w == *object));
            if !outcome.first_only {
                if this {
                    inputs.push(self.condition(&outcome.when, &mut frame, positive));
                }
                continue;
            }
            let leading = &objects[..objects.len() - 1];
            if leading != before {
                before = leading.to_vec();
                earlier.clear();
            }
            if this {
                let mut all = vec![self.condition(&outcome.when, &mut frame, positive)];
                all.extend(&earlier);
                let need = if positive { all.len() } else { 1 };
                inputs.push(self.gates.condition(need, all));
            }
            earlier.push(self.condition(&outcome.when, &mut frame, !positive));
        }
        self.gates
            .condition(if positive { 1 } else { inputs.len() }, inputs)
    }
}

/// A fact with object 0 in the places that the mask leaves open.
fn masked(atom: Atom, mask: u8, arity: usize) -> Atom {
    let mut objects = [Obj::default(); MAX_ARITY];
    for (place, object) in objects.iter_mut().enumerate().take(arity) {
        if mask >> place & 1 == 1 {
            *object = atom.object(place);
        }
    }
    Atom::new(atom.predicate(), &objects)
}

fn pattern_of(outcome: &Outcome, action: &GroundAction) -> Pattern {
    let mut objects = [Obj::default(); MAX_ARITY];
    let mut mask = 0u8;
    for (place, term) in outcome.arguments.iter().enumerate().take(MAX_ARITY) {
        let object = match term {
            Term::Object(object) => Some(*object),
            Term::Slot(slot) => action.arguments().get(usize::from(*slot)).copied(),
        };
        if let Some(object) = object {
            objects[place] = object;
            mask |= 1 << place;
        }
    }
    (Atom::new(outcome.predicate, &objects), mask, outcome.value)
}

/// The parameters that an outcome depends on, as bits.
fn slots_of_outcome(outcome: &Outcome) -> u16 {
    let mut mask = 0;
    let mut visit = |term: &Term| {
        if let Term::Slot(slot) = term {
            mask |= 1u16 << slot;
        }
    };
    outcome.arguments.iter().for_each(&mut visit);
    each_term(&outcome.when, &mut visit);
    mask
}
