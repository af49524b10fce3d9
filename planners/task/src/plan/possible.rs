//! What can come to hold: the facts of a state and those that the actions under consideration may add.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use crate::domain::{Atom, Condition, Frame, MAX_ARITY, MAX_SLOTS, Obj, PredicateId, State, Term, TypeId};

/// Deepest chain of derived facts that is followed; a longer one may hold.
const MAX_DERIVATIONS: usize = 3;

/// The facts of a state, and more, indexed in both directions.
pub(crate) struct Possible<'s> {
    pub(crate) state: &'s State,
    added: BTreeSet<Atom>,
    targets: HashMap<(PredicateId, Obj), Vec<Obj>>,
    sources: HashMap<(PredicateId, Obj), Vec<Obj>>,
    members: HashMap<PredicateId, Vec<Obj>>,
    /// Derived facts that are being worked out.
    pending: RefCell<Vec<Atom>>,
}

impl<'s> Possible<'s> {
    pub(crate) fn new(state: &'s State) -> Possible<'s> {
        Possible {
            state,
            added: BTreeSet::new(),
            targets: HashMap::new(),
            sources: HashMap::new(),
            members: HashMap::new(),
            pending: RefCell::new(Vec::new()),
        }
    }

    /// Whether a fact is among those that may be added, whether it holds now or not.
    pub(crate) fn is_added(&self, atom: Atom) -> bool {
        self.added.contains(&atom)
    }

    /// Adds a fact; false if it was there.
    pub(crate) fn add(&mut self, atom: Atom) -> bool {
        if !self.added.insert(atom) {
            return false;
        }
        let predicate = atom.predicate();
        let (a, b) = (atom.object(0), atom.object(1));
        self.members.entry(predicate).or_default().push(a);
        self.targets.entry((predicate, a)).or_default().push(b);
        self.sources.entry((predicate, b)).or_default().push(a);
        true
    }

    /// Whether a condition may come to hold, or to fail where `positive` is false. Never wrongly no.
    pub(crate) fn may(&self, condition: &Condition, frame: &mut Frame, positive: bool) -> bool {
        match condition {
            Condition::Atom(predicate, terms) => {
                let atom = ground(*predicate, terms, frame);
                let declared = self.state.scene().domain().predicate(*predicate);
                if !declared.fluent {
                    return self.state.holds(atom) == positive;
                }
                let Some(body) = &declared.derived else {
                    return !positive || self.state.stores(atom) || self.is_added(atom);
                };
                // A derived fact is never its own reason (the least solution is meant).
                if positive && self.pending.borrow().contains(&atom) {
                    return false;
                }
                if self.pending.borrow().len() >= MAX_DERIVATIONS {
                    return true;
                }
                self.pending.borrow_mut().push(atom);
                let may = self.may(body, &mut arguments(atom), positive);
                self.pending.borrow_mut().pop();
                may
            }
            Condition::Equal(a, b) => (object(*a, frame) == object(*b, frame)) == positive,
            Condition::Is(a, kind) => self.state.scene().is(object(*a, frame), *kind) == positive,
            Condition::Not(inner) => self.may(inner, frame, !positive),
            Condition::And(parts) if positive => parts.iter().all(|part| self.may(part, frame, true)),
            Condition::Or(parts) if !positive => parts.iter().all(|part| self.may(part, frame, false)),
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().any(|part| self.may(part, frame, positive))
            }
            Condition::Exists { slot, types, body } => {
                if !positive {
                    return true;
                }
                let mut found = false;
                self.search(body, *slot, types, frame, &mut |_| {
                    found = true;
                    false
                });
                found
            }
            Condition::AtLeast {
                count,
                slot,
                of,
                body,
            } => {
                if !positive {
                    return true;
                }
                let mut found = BTreeSet::new();
                self.search(body, *slot, &[*of], frame, &mut |objects| {
                    found.insert(objects[0]);
                    found.len() < *count as usize
                });
                found.len() >= *count as usize
            }
        }
    }

    /// The objects for the slots from `slot` on with which a condition may come to hold, in order.
    pub(crate) fn assignments(
        &self,
        body: &Condition,
        slot: u8,
        types: &[TypeId],
        frame: &mut Frame,
    ) -> BTreeSet<Vec<Obj>> {
        let mut all = BTreeSet::new();
        self.search(body, slot, types, frame, &mut |objects| {
            all.insert(objects.to_vec());
            true
        });
        all
    }

    /// Calls `visit` for such objects until it says stop; some may come twice.
    fn search(
        &self,
        body: &Condition,
        slot: u8,
        types: &[TypeId],
        frame: &mut Frame,
        visit: &mut dyn FnMut(&[Obj]) -> bool,
    ) {
        // A condition around a quantified effect may use the same slots, so they are put back.
        let kept = *frame;
        self.bind(body, slot, types, 0, frame, visit);
        *frame = kept;
    }

    fn bind(
        &self,
        body: &Condition,
        first: u8,
        types: &[TypeId],
        at: usize,
        frame: &mut Frame,
        visit: &mut dyn FnMut(&[Obj]) -> bool,
    ) -> bool {
        let Some(kind) = types.get(at) else {
            if !self.may(body, frame, true) {
                return true;
            }
            return visit(&frame[usize::from(first)..usize::from(first) + types.len()]);
        };
        let slot = first + at as u8;
        let end = first + types.len() as u8;
        let listed = self.listed(body, true, slot, (slot, end), frame);
        let scene = self.state.scene();
        let objects = listed.as_deref().unwrap_or_else(|| scene.objects_of(*kind));
        for &object in objects {
            if listed.is_some() && !scene.is(object, *kind) {
                continue;
            }
            frame[usize::from(slot)] = object;
            if !self.bind(body, first, types, at + 1, frame, visit) {
                return false;
            }
        }
        true
    }

    /// The objects worth trying in `slot`, read from an index; [`None`] where nothing lists them. The slots from
    /// `open.0` to before `open.1` are not bound.
    pub(crate) fn listed(
        &self,
        condition: &Condition,
        positive: bool,
        slot: u8,
        open: (u8, u8),
        frame: &Frame,
    ) -> Option<Vec<Obj>> {
        let bound = |term: &Term| match term {
            Term::Slot(at) if (open.0..open.1).contains(at) => None,
            term => Some(object(*term, frame)),
        };
        let here = |term: &Term| *term == Term::Slot(slot);
        match (condition, positive) {
            (Condition::Atom(predicate, terms), true) => {
                if self
                    .state
                    .scene()
                    .domain()
                    .predicate(*predicate)
                    .derived
                    .is_some()
                {
                    return None;
                }
                let empty = Vec::new();
                match &terms[..] {
                    [a] if here(a) => {
                        let more = self.members.get(predicate).unwrap_or(&empty);
                        Some(
                            self.state
                                .members(*predicate)
                                .chain(more.iter().copied())
                                .collect(),
                        )
                    }
                    [a, b] if here(b) => {
                        let from = bound(a)?;
                        let more = self.targets.get(&(*predicate, from)).unwrap_or(&empty);
                        Some(
                            self.state
                                .targets(*predicate, from)
                                .chain(more.iter().copied())
                                .collect(),
                        )
                    }
                    [a, b] if here(a) => {
                        let to = bound(b)?;
                        let more = self.sources.get(&(*predicate, to)).unwrap_or(&empty);
                        Some(
                            self.state
                                .sources(*predicate, to)
                                .chain(more.iter().copied())
                                .collect(),
                        )
                    }
                    _ => None,
                }
            }
            (Condition::Equal(a, b), true) if here(a) => bound(b).map(|object| vec![object]),
            (Condition::Equal(a, b), true) if here(b) => bound(a).map(|object| vec![object]),
            (Condition::Not(inner), _) => self.listed(inner, !positive, slot, open, frame),
            (Condition::And(parts), true) | (Condition::Or(parts), false) => parts
                .iter()
                .filter_map(|part| self.listed(part, positive, slot, open, frame))
                .min_by_key(Vec::len),
            (Condition::Or(parts), true) | (Condition::And(parts), false) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.listed(part, positive, slot, open, frame)?);
                }
                Some(all)
            }
            (
                Condition::Exists {
                    slot: inner,
                    types,
                    body,
                },
                true,
            ) => {
                let end = inner + types.len() as u8;
                if (*inner..end).contains(&slot) {
                    return None;
                }
                let end = open.1.max(end);
                self.listed(body, true, slot, (open.0, end), frame)
            }
            _ => None,
        }
    }
}

/// A frame with the arguments of a fact in its first slots.
pub(crate) fn arguments(atom: Atom) -> Frame {
    let mut frame = [Obj::default(); MAX_SLOTS];
    for (place, slot) in frame.iter_mut().enumerate().take(MAX_ARITY) {
        *slot = atom.object(place);
    }
    frame
}

pub(crate) fn object(term: Term, frame: &Frame) -> Obj {
    match term {
        Term::Slot(slot) => frame[usize::from(slot)],
        Term::Object(object) => object,
    }
}

pub(crate) fn ground(predicate: PredicateId, terms: &[Term], frame: &Frame) -> Atom {
    let mut objects = [Obj::default(); MAX_ARITY];
    for (place, term) in objects.iter_mut().zip(terms) {
        *place = object(*term, frame);
    }
    Atom::new(predicate, &objects[..terms.len().min(MAX_ARITY)])
}
