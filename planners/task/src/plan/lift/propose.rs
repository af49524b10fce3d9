//! Which objects are worth looking at besides those in focus.

use super::super::possible::ground;
use super::{Lifter, Width};
use crate::domain::{Atom, Condition, Domain, Frame, Obj, SchemaId, Term, TypeId};

/// How many objects are proposed where any would do.
pub(super) const PROPOSALS: usize = 4;

/// The first slot after all that a condition leaves free, and whether steps can change its truth.
fn free_slots(condition: &Condition, domain: &Domain) -> (u8, bool) {
    let slot = |term: &Term| match term {
        Term::Slot(slot) => slot + 1,
        Term::Object(_) => 0,
    };
    match condition {
        Condition::Atom(predicate, terms) => (
            terms.iter().map(slot).max().unwrap_or(0),
            domain.predicate(*predicate).fluent,
        ),
        Condition::Equal(a, b) => (slot(a).max(slot(b)), false),
        Condition::Is(a, _) => (slot(a), false),
        Condition::Not(inner) => free_slots(inner, domain),
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter().fold((0, false), |(most, fluent), part| {
                let (slots, changes) = free_slots(part, domain);
                (most.max(slots), fluent | changes)
            })
        }
        // Slots of quantified variables come after the parameters, so this only looks later than it must.
        Condition::Exists { body, .. } | Condition::AtLeast { body, .. } => free_slots(body, domain),
    }
}

/// Conditions of a schema that no step changes, by the number of parameters they need.
pub(super) struct Fixed<'d> {
    pub(super) conditions: Vec<Vec<&'d Condition>>,
}

impl<'d> Fixed<'d> {
    pub(super) fn of(domain: &'d Domain, schema: SchemaId) -> Fixed<'d> {
        let schema = domain.schema(schema);
        let parameters = schema.parameters.len();
        let mut conditions = vec![Vec::new(); parameters + 1];
        for part in schema.needs.iter().flat_map(|need| need.condition.conjuncts()) {
            let (slots, fluent) = free_slots(part, domain);
            if !fluent {
                conditions[usize::from(slots).min(parameters)].push(part);
            }
        }
        Fixed { conditions }
    }
}

impl Lifter<'_> {
    /// Names a few objects that might come to fulfil a condition.
    pub(super) fn propose_for(&mut self, body: &Condition, slot: u8, types: &[TypeId], frame: &Frame) {
        if self.width == Width::Whole {
            return;
        }
        for (at, kind) in types.iter().enumerate() {
            let slot = slot + at as u8;
            let speaks_of_it: Vec<&Condition> = body
                .conjuncts()
                .iter()
                .filter(|part| {
                    self.possible
                        .listed(part, true, slot, (slot, slot + 1), frame)
                        .is_some()
                })
                .collect();
            let mut bound = *frame;
            let mut objects = Vec::new();
            let mut lacking = Vec::new();
            for object in self.scene.objects_of(*kind) {
                bound[usize::from(slot)] = *object;
                if speaks_of_it.iter().all(|part| self.may_become(part, &mut bound)) {
                    objects.push(*object);
                    if self.focus.contains(object) {
                        lacking.extend(speaks_of_it.iter().filter_map(|part| self.lacking(part, &bound)));
                    }
                }
                if objects.len() >= PROPOSALS {
                    break;
                }
            }
            for atom in lacking {
                self.propose(atom, true);
            }
            self.want(objects);
        }
    }

    /// A fact that is asked for and that nothing in focus brings about.
    fn lacking(&self, condition: &Condition, frame: &Frame) -> Option<Atom> {
        let Condition::Atom(predicate, terms) = condition else {
            return None;
        };
        let declared = self.domain.predicate(*predicate);
        let atom = ground(*predicate, terms, frame);
        let open = declared.fluent && declared.derived.is_none() && !self.state.stores(atom);
        (open && !self.possible.is_added(atom)).then_some(atom)
    }

    /// Whether some action, with any objects, might make a condition hold.
    pub(super) fn may_become(&self, condition: &Condition, frame: &mut Frame) -> bool {
        let Condition::Atom(predicate, terms) = condition else {
            return free_slots(condition, self.domain).1 || self.possible.may(condition, frame, true);
        };
        let atom = ground(*predicate, terms, frame);
        let declared = self.domain.predicate(*predicate);
        if !declared.fluent || declared.derived.is_some() {
            return self.possible.may(condition, frame, true);
        }
        self.state.stores(atom)
            || self.ways(atom, true).iter().any(|(schema, bound)| {
                let objects: Vec<Obj> = bound.iter().map_while(|object| *object).collect();
                self.fixed[usize::from(schema.0)].conditions[..=objects.len()]
                    .iter()
                    .flatten()
                    .all(|fixed| self.state.satisfies(fixed, &objects))
            })
    }

    pub(super) fn want(&mut self, objects: impl IntoIterator<Item = Obj>) {
        let outside = objects.into_iter().filter(|object| !self.focus.contains(object));
        self.wanted.extend(outside);
    }

    /// Objects with which some action would set a fact.
    pub(super) fn propose(&mut self, atom: Atom, value: bool) {
        for (schema, bound) in self.ways(atom, value) {
            self.propose_objects(schema, &bound);
        }
    }

    /// Actions that may set a fact, with the objects that this binds.
    pub(super) fn ways(&self, atom: Atom, value: bool) -> Vec<(SchemaId, Vec<Option<Obj>>)> {
        let mut all = Vec::new();
        for (id, schema) in self.domain.schema_ids() {
            for outcome in &schema.outcomes {
                if outcome.predicate != atom.predicate() || outcome.value != value {
                    continue;
                }
                let mut bound: Vec<Option<Obj>> = vec![None; schema.parameters.len()];
                let fits = outcome.arguments.iter().enumerate().all(|(place, term)| {
                    let here = atom.object(place);
                    match term {
                        Term::Object(object) => *object == here,
                        Term::Slot(slot) => match bound.get_mut(usize::from(*slot)) {
                            Some(place) => *place.get_or_insert(here) == here,
                            None => true,
                        },
                    }
                });
                if fits && !all.contains(&(id, bound.clone())) {
                    all.push((id, bound));
                }
            }
        }
        all
    }

    /// Completes a partly bound action: with objects in focus if there are any that fit, else with those of which
    /// its needs hold now, else with a few others.
    pub(super) fn propose_objects(&mut self, schema: SchemaId, bound: &[Option<Obj>]) {
        let kinds = &self.domain.schema(schema).parameters;
        let now = self.objects_now(schema, bound);
        let choose = |others: &dyn Fn(usize) -> Vec<Obj>| -> Vec<Vec<Obj>> {
            let choice = |(at, bound): (usize, &Option<Obj>)| bound.map_or_else(|| others(at), |o| vec![o]);
            bound.iter().enumerate().map(choice).collect()
        };
        let in_focus = |at: usize| -> Vec<Obj> {
            let fits = |object: &Obj| {
                self.scene.is(*object, kinds[at]) && now[at].as_ref().is_none_or(|now| now.contains(object))
            };
            self.focus.iter().copied().filter(fits).collect()
        };
        let anywhere = |at: usize| self.scene.objects_of(kinds[at]).to_vec();
        let now_anywhere = |at: usize| now[at].clone().unwrap_or_else(|| anywhere(at));
        let mut found = Vec::new();
        for others in [&in_focus as &dyn Fn(usize) -> Vec<Obj>, &now_anywhere, &anywhere] {
            self.extend_choice(schema, &choose(others), &mut Vec::new(), &mut found, PROPOSALS);
            if !found.is_empty() && self.width == Width::Narrow {
                break;
            }
        }
        for action in found {
            self.want(action.arguments().iter().copied());
        }
    }

    /// For each open parameter the objects of which a need holds now that speaks of nothing else that is open;
    /// [`None`] where there is no such need or no such object.
    pub(super) fn objects_now(&self, schema: SchemaId, bound: &[Option<Obj>]) -> Vec<Option<Vec<Obj>>> {
        let schema = self.domain.schema(schema);
        let value = |term: &Term| match term {
            Term::Slot(slot) => bound.get(usize::from(*slot)).copied().flatten(),
            Term::Object(object) => Some(*object),
        };
        let mut now = vec![None; bound.len()];
        for part in schema.needs.iter().flat_map(|need| need.condition.conjuncts()) {
            let Condition::Atom(predicate, terms) = part else {
                continue;
            };
            if self.domain.predicate(*predicate).derived.is_some() {
                continue;
            }
            let (slot, objects): (u8, Vec<Obj>) = match terms[..] {
                [Term::Slot(slot)] => (slot, self.state.members(*predicate).collect()),
                [Term::Slot(slot), other] if value(&Term::Slot(slot)).is_none() => match value(&other) {
                    Some(to) => (slot, self.state.sources(*predicate, to).collect()),
                    None => continue,
                },
                [other, Term::Slot(slot)] => match value(&other) {
                    Some(from) => (slot, self.state.targets(*predicate, from).collect()),
                    None => continue,
                },
                _ => continue,
            };
            let kind = schema.parameters[usize::from(slot)];
            let objects: Vec<Obj> = objects
                .into_iter()
                .filter(|object| self.scene.is(*object, kind))
                .collect();
            let entry = &mut now[usize::from(slot)];
            let fewer = entry
                .as_ref()
                .is_none_or(|known: &Vec<Obj>| objects.len() < known.len());
            if !objects.is_empty() && fewer && bound[usize::from(slot)].is_none() {
                *entry = Some(objects);
            }
        }
        now
    }
}
