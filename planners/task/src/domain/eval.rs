//! Whether a condition holds, without grounding it first.
//!
//! Quantifiers are answered from the index: of the conjuncts that must hold, one with a single unbound place
//! (`on(?y, desk)`) lists the only objects worth trying. Domains are written so that such a conjunct exists where
//! it matters; without one all objects are tried, and the answer is the same.

use std::ops::Range;

use super::atom::{Atom, MAX_ARITY, Obj};
use super::model::{Condition, Domain, MAX_SLOTS, Outcome, PredicateId, Term, TypeId};
use super::state::State;

/// Objects bound to slots.
pub type Frame = [Obj; MAX_SLOTS];

/// Deepest chain of derived facts that is followed.
const MAX_DERIVATIONS: usize = 64;

/// The evaluation of conditions in one state.
pub(crate) struct Evaluation<'s> {
    state: &'s State,
    /// Derived facts being worked out; one that depends on itself does not hold by that (the least solution).
    pending: Vec<Atom>,
}

impl<'s> Evaluation<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Evaluation {
            state,
            pending: Vec::new(),
        }
    }

    pub(crate) fn holds(&mut self, condition: &Condition, frame: &mut Frame) -> bool {
        match condition {
            Condition::Atom(predicate, terms) => self.fact(atom(*predicate, terms, frame)),
            Condition::Equal(a, b) => resolve(*a, frame) == resolve(*b, frame),
            Condition::Is(term, kind) => self.state.scene().is(resolve(*term, frame), *kind),
            Condition::Not(inner) => !self.holds(inner, frame),
            Condition::And(parts) => parts.iter().all(|part| self.holds(part, frame)),
            Condition::Or(parts) => parts.iter().any(|part| self.holds(part, frame)),
            // A condition around a quantified effect may use the same slots, so they are put back.
            Condition::Exists { slot, types, body } => {
                let kept = *frame;
                let found = self.exists(*slot, types, body, frame);
                *frame = kept;
                found
            }
            Condition::AtLeast {
                count,
                slot,
                of,
                body,
            } => {
                let kept = *frame;
                let mut found: Vec<Obj> = Vec::new();
                for object in candidates(self.state, body, *slot, &[*of], frame) {
                    if found.len() >= *count as usize {
                        break;
                    }
                    frame[usize::from(*slot)] = object;
                    let counts = self.state.scene().is(object, *of) && !found.contains(&object);
                    if counts && self.holds(body, frame) {
                        found.push(object);
                    }
                }
                *frame = kept;
                found.len() >= *count as usize
            }
        }
    }

    fn exists(&mut self, slot: u8, types: &[TypeId], body: &Condition, frame: &mut Frame) -> bool {
        let Some((kind, rest)) = types.split_first() else {
            return self.holds(body, frame);
        };
        for object in candidates(self.state, body, slot, types, frame) {
            if self.state.scene().is(object, *kind) {
                frame[usize::from(slot)] = object;
                if self.exists(slot + 1, rest, body, frame) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether a fact holds, derived ones included.
    pub(crate) fn fact(&mut self, atom: Atom) -> bool {
        let state = self.state;
        let predicate = state.scene().domain().predicate(atom.predicate());
        let Some(body) = &predicate.derived else {
            return state.stores(atom);
        };
        if self.pending.contains(&atom) || self.pending.len() >= MAX_DERIVATIONS {
            return false;
        }
        self.pending.push(atom);
        let mut frame = [Obj::default(); MAX_SLOTS];
        for (place, slot) in frame.iter_mut().take(predicate.parameters.len()).enumerate() {
            *slot = atom.object(place);
        }
        let holds = self.holds(body, &mut frame);
        self.pending.pop();
        holds
    }

    /// Calls `change` for every fact that an outcome sets, with its value.
    pub(crate) fn outcome(
        &mut self,
        outcome: &Outcome,
        first_slot: u8,
        frame: &mut Frame,
        change: &mut dyn FnMut(Atom, bool),
    ) {
        self.bind(outcome, 0, first_slot, frame, change);
    }

    /// Binds the variables of an outcome from number `at` on; whether the fact was set.
    fn bind(
        &mut self,
        outcome: &Outcome,
        at: usize,
        first_slot: u8,
        frame: &mut Frame,
        change: &mut dyn FnMut(Atom, bool),
    ) -> bool {
        let Some(kind) = outcome.variables.get(at) else {
            let happens = self.holds(&outcome.when, frame);
            if happens {
                change(atom(outcome.predicate, &outcome.arguments, frame), outcome.value);
            }
            return happens;
        };
        let state = self.state;
        let slot = first_slot + at as u8;
        let open = &outcome.variables[at..];
        let mut objects = candidates(state, &outcome.when, slot, open, frame);
        if !outcome.value && objects.is_broad() {
            // What is made false matters only where it is true now, so the fact itself lists the objects.
            let fact = Condition::Atom(outcome.predicate, outcome.arguments.clone());
            objects = candidates(state, &fact, slot, open, frame);
        }
        let only_one = outcome.first_only && open.len() == 1;
        let mut happened = false;
        for object in objects {
            if state.scene().is(object, *kind) {
                frame[usize::from(slot)] = object;
                happened |= self.bind(outcome, at + 1, first_slot, frame, change);
                if happened && only_one {
                    break;
                }
            }
        }
        happened
    }
}

fn resolve(term: Term, frame: &Frame) -> Obj {
    match term {
        Term::Slot(slot) => frame[usize::from(slot)],
        Term::Object(object) => object,
    }
}

fn atom(predicate: PredicateId, terms: &[Term], frame: &Frame) -> Atom {
    let mut objects = [Obj::default(); MAX_ARITY];
    for (object, term) in objects.iter_mut().zip(terms) {
        *object = resolve(*term, frame);
    }
    Atom::new(predicate, &objects)
}

/// A superset of the objects that can stand in `slot` where `body` holds and the slots from `slot` on, of the types
/// `open`, are unbound. Without repetitions and ascending.
fn candidates<'s>(
    state: &'s State,
    body: &Condition,
    slot: u8,
    open: &[TypeId],
    frame: &Frame,
) -> Candidates<'s> {
    let search = Search {
        domain: state.scene().domain(),
        slot,
        kind: open.first().copied().unwrap_or(TypeId(0)),
        unbound: slot..slot + open.len() as u8,
        frame,
    };
    search.list(state, &search.guard(body, true))
}

/// Objects worth trying for a variable.
enum Candidates<'s> {
    Listed(Box<dyn Iterator<Item = Obj> + 's>),
    One(Option<Obj>),
    Members(Box<dyn Iterator<Item = Obj> + 's>),
    All(std::iter::Copied<std::slice::Iter<'s, Obj>>),
}

impl Candidates<'_> {
    /// Whether these are more than the neighbours of one object.
    fn is_broad(&self) -> bool {
        matches!(self, Candidates::Members(_) | Candidates::All(_))
    }
}

impl Iterator for Candidates<'_> {
    type Item = Obj;

    fn next(&mut self) -> Option<Obj> {
        match self {
            Candidates::Listed(objects) | Candidates::Members(objects) => objects.next(),
            Candidates::One(object) => object.take(),
            Candidates::All(objects) => objects.next(),
        }
    }
}

/// How the objects worth trying for a variable are listed.
enum Guard<'c> {
    /// By the second place of a relation.
    Targets(PredicateId, Obj),
    /// By the first place of a relation.
    Sources(PredicateId, Obj),
    /// By a property.
    Members(PredicateId),
    /// It is this one.
    One(Obj),
    /// By each part of a disjunction in turn.
    Any(&'c [Condition]),
    /// By nothing.
    All,
}

impl Guard<'_> {
    /// The smaller, the shorter the list is expected to be.
    fn rank(&self) -> u8 {
        match self {
            Guard::One(_) => 0,
            Guard::Targets(..) | Guard::Sources(..) => 1,
            Guard::Any(_) => 2,
            Guard::Members(_) => 3,
            Guard::All => 4,
        }
    }
}

struct Search<'a> {
    domain: &'a Domain,
    slot: u8,
    kind: TypeId,
    unbound: Range<u8>,
    frame: &'a Frame,
}

impl Search<'_> {
    fn bound(&self, term: &Term) -> Option<Obj> {
        match term {
            Term::Slot(at) if self.unbound.contains(at) => None,
            term => Some(resolve(*term, self.frame)),
        }
    }

    /// The best way to list what can stand in the slot where `condition` has the truth `positive`.
    fn guard<'c>(&self, condition: &'c Condition, positive: bool) -> Guard<'c> {
        let here = |term: &Term| *term == Term::Slot(self.slot);
        match (condition, positive) {
            (Condition::Atom(predicate, terms), true)
                if self.domain.predicate(*predicate).derived.is_none() =>
            {
                let listed = match &terms[..] {
                    [a] if here(a) => Some(Guard::Members(*predicate)),
                    [a, b] if here(b) => self.bound(a).map(|from| Guard::Targets(*predicate, from)),
                    [a, b] if here(a) => self.bound(b).map(|to| Guard::Sources(*predicate, to)),
                    _ => None,
                };
                listed.unwrap_or(Guard::All)
            }
            (Condition::Equal(a, b), true) if here(a) => self.bound(b).map_or(Guard::All, Guard::One),
            (Condition::Equal(a, b), true) if here(b) => self.bound(a).map_or(Guard::All, Guard::One),
            (Condition::Not(inner), _) => self.guard(inner, !positive),
            (Condition::And(parts), true) | (Condition::Or(parts), false) => parts
                .iter()
                .map(|part| self.guard(part, positive))
                .min_by_key(Guard::rank)
                .unwrap_or(Guard::All),
            (Condition::Or(parts), true) => {
                let listed = |part| !matches!(self.guard(part, true), Guard::All);
                if parts.iter().all(listed) {
                    Guard::Any(parts)
                } else {
                    Guard::All
                }
            }
            _ => Guard::All,
        }
    }

    fn list<'s>(&self, state: &'s State, guard: &Guard) -> Candidates<'s> {
        match guard {
            Guard::Targets(predicate, from) => Candidates::Listed(Box::new(state.targets(*predicate, *from))),
            Guard::Sources(predicate, to) => Candidates::Listed(Box::new(state.sources(*predicate, *to))),
            Guard::Members(predicate) => Candidates::Members(Box::new(state.members(*predicate))),
            Guard::One(object) => Candidates::One(Some(*object)),
            Guard::Any(parts) => {
                let mut objects: Vec<Obj> = parts
                    .iter()
                    .flat_map(|part| self.list(state, &self.guard(part, true)))
                    .collect();
                objects.sort_unstable();
                objects.dedup();
                Candidates::Listed(Box::new(objects.into_iter()))
            }
            Guard::All => Candidates::All(state.scene().objects_of(self.kind).iter().copied()),
        }
    }
}
