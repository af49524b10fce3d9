//! States: a scene and what has changed in it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::action::{GroundAction, Refusal, RefusalKind};
use super::atom::{Atom, Obj};
use super::eval::{Evaluation, Frame};
use super::model::{Condition, MAX_SLOTS, PredicateId};
use super::scene::Scene;

/// What holds: the facts of the scene's start with some flipped.
///
/// Copying takes two reference counts. Equality and hash look at the flips alone, so only states of one scene
/// are comparable.
#[derive(Debug, Clone)]
pub struct State {
    scene: Arc<Scene>,
    /// Facts whose truth differs from the scene's start, ascending.
    flips: Arc<[Atom]>,
    /// The same facts of two places or more, mirrored, ascending.
    mirrored: Arc<[Atom]>,
    /// Exclusive or of [`Atom::mixed`] over the flips (Zobrist's hash).
    hash: u64,
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.hash == other.hash && self.flips == other.flips && Arc::ptr_eq(&self.scene, &other.scene)
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl State {
    pub(crate) fn start(scene: Arc<Scene>) -> State {
        State {
            scene,
            flips: Arc::new([]),
            mirrored: Arc::new([]),
            hash: 0,
        }
    }

    /// The scene it is a state of.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// A hash of the whole state, the same in every run.
    pub fn hash64(&self) -> u64 {
        self.hash
    }

    /// Facts whose truth differs from the scene's start, ascending, with their truth now.
    pub fn changes(&self) -> impl Iterator<Item = (Atom, bool)> {
        self.flips
            .iter()
            .map(|atom| (*atom, !self.scene.starts_with(*atom)))
    }

    /// Whether a stored fact holds; derived ones never do, see [`State::holds`].
    pub fn stores(&self, atom: Atom) -> bool {
        let fluent = self.scene.domain().predicate(atom.predicate()).fluent;
        self.scene.starts_with(atom) != (fluent && self.flips.binary_search(&atom).is_ok())
    }

    /// Whether a fact holds, stored or derived.
    pub fn holds(&self, atom: Atom) -> bool {
        Evaluation::new(self).fact(atom)
    }

    /// Whether a condition holds with objects in its first slots.
    pub fn satisfies(&self, condition: &Condition, bound: &[Obj]) -> bool {
        Evaluation::new(self).holds(condition, &mut frame_of(bound))
    }

    /// The objects `x` with `predicate(from, x)`; stored predicates of two places only.
    pub fn targets(&self, predicate: PredicateId, from: Obj) -> impl Iterator<Item = Obj> + '_ {
        let (low, high) = Atom::span(predicate, Some(from));
        merged(self.scene.forward(low, high), span(&self.flips, low, high)).map(|atom| atom.object(1))
    }

    /// The objects `x` with `predicate(x, to)`; stored predicates of two places only.
    pub fn sources(&self, predicate: PredicateId, to: Obj) -> impl Iterator<Item = Obj> + '_ {
        let (low, high) = Atom::span(predicate, Some(to));
        let start = self.scene.backward(low, high);
        merged(start, span(&self.mirrored, low, high)).map(|atom| atom.object(1))
    }

    /// The objects with a stored property.
    pub fn members(&self, predicate: PredicateId) -> impl Iterator<Item = Obj> + '_ {
        self.facts(predicate).map(|atom| atom.object(0))
    }

    /// All stored facts of a predicate, ascending.
    pub fn facts(&self, predicate: PredicateId) -> impl Iterator<Item = Atom> + '_ {
        let (low, high) = Atom::span(predicate, None);
        merged(self.scene.forward(low, high), span(&self.flips, low, high))
    }

    /// Whether a step is possible; the first need, in the order of the schema, that does not hold.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn check(&self, action: &GroundAction) -> Result<(), Refusal> {
        let refusal = |need, kind| Refusal {
            action: *action,
            need,
            kind,
        };
        let Some(schema) = self.scene.domain().schemas.get(usize::from(action.schema.0)) else {
            return Err(refusal(None, RefusalKind::Other));
        };
        let arguments = action.arguments();
        let typed = |(object, kind): (&Obj, &_)| self.scene.is(*object, *kind);
        if arguments.len() != schema.parameters.len() || !arguments.iter().zip(&schema.parameters).all(typed)
        {
            return Err(refusal(None, RefusalKind::Affordance));
        }
        let mut evaluation = Evaluation::new(self);
        let mut frame = frame_of(arguments);
        match schema
            .needs
            .iter()
            .position(|need| !evaluation.holds(&need.condition, &mut frame))
        {
            None => Ok(()),
            Some(need) => Err(refusal(Some(need), schema.needs[need].kind)),
        }
    }

    /// The facts that a step would set, with their values, whether or not they change anything and whether or
    /// not the step is possible. A fact may be set both ways; then it becomes true.
    pub fn outcomes(&self, action: &GroundAction) -> Vec<(Atom, bool)> {
        let mut all = Vec::new();
        let Some(schema) = self.scene.domain().schemas.get(usize::from(action.schema.0)) else {
            return all;
        };
        let mut evaluation = Evaluation::new(self);
        let mut frame = frame_of(action.arguments());
        let first_slot = schema.parameters.len() as u8;
        for outcome in &schema.outcomes {
            evaluation.outcome(outcome, first_slot, &mut frame, &mut |atom, value| {
                all.push((atom, value));
            });
        }
        all
    }

    /// The state after a step whose needs hold; see [`State::step`] for one that checks.
    #[must_use]
    pub fn apply(&self, action: &GroundAction) -> State {
        self.with(self.outcomes(action))
    }

    /// The state after a step.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) where a need does not hold.
    pub fn step(&self, action: &GroundAction) -> crate::Result<State> {
        match self.check(action) {
            Ok(()) => Ok(self.apply(action)),
            Err(refusal) => Err(crate::Error::Refused(refusal.describe(&self.scene))),
        }
    }

    /// The state with some stored facts set, whatever the cause. Of a fact set both ways true wins; facts of
    /// predicates that no step changes, and derived ones, stay as they are.
    #[must_use]
    pub fn with(&self, facts: impl IntoIterator<Item = (Atom, bool)>) -> State {
        let mut set: Vec<(Atom, bool)> = facts.into_iter().collect();
        set.sort_unstable();
        let mut toggled: Vec<Atom> = Vec::with_capacity(set.len());
        let mut rest = set.iter().peekable();
        while let Some((atom, value)) = rest.next() {
            // True sorts after false, so the last of equal facts says what it becomes.
            if rest.peek().is_some_and(|(next, _)| next == atom) {
                continue;
            }
            let predicate = self.scene.domain().predicate(atom.predicate());
            if predicate.fluent && predicate.derived.is_none() && self.stores(*atom) != *value {
                toggled.push(*atom);
            }
        }
        if toggled.is_empty() {
            return self.clone();
        }
        let mut mirrored: Vec<Atom> = toggled
            .iter()
            .filter(|atom| self.scene.domain().predicate(atom.predicate()).parameters.len() > 1)
            .map(|atom| atom.mirrored())
            .collect();
        mirrored.sort_unstable();
        State {
            scene: Arc::clone(&self.scene),
            hash: toggled.iter().fold(self.hash, |hash, atom| hash ^ atom.mixed()),
            flips: merged(&self.flips, &toggled).collect(),
            mirrored: merged(&self.mirrored, &mirrored).collect(),
        }
    }
}

fn frame_of(bound: &[Obj]) -> Frame {
    let mut frame = [Obj::default(); MAX_SLOTS];
    for (slot, object) in frame.iter_mut().zip(bound) {
        *slot = *object;
    }
    frame
}

/// The part of an ascending list between two bounds, both included.
pub(crate) fn span(all: &[Atom], low: Atom, high: Atom) -> &[Atom] {
    let start = all.partition_point(|atom| *atom < low);
    let length = all[start..].partition_point(|atom| *atom <= high);
    &all[start..start + length]
}

/// What is in exactly one of two ascending lists, ascending.
fn merged<'a>(a: &'a [Atom], b: &'a [Atom]) -> Merged<'a> {
    Merged { a, b }
}

struct Merged<'a> {
    a: &'a [Atom],
    b: &'a [Atom],
}

impl Iterator for Merged<'_> {
    type Item = Atom;

    fn next(&mut self) -> Option<Atom> {
        loop {
            match (self.a.split_first(), self.b.split_first()) {
                (Some((x, a)), Some((y, b))) => match x.cmp(y) {
                    std::cmp::Ordering::Less => {
                        self.a = a;
                        return Some(*x);
                    }
                    std::cmp::Ordering::Greater => {
                        self.b = b;
                        return Some(*y);
                    }
                    std::cmp::Ordering::Equal => (self.a, self.b) = (a, b),
                },
                (Some((x, a)), None) => {
                    self.a = a;
                    return Some(*x);
                }
                (None, Some((y, b))) => {
                    self.b = b;
                    return Some(*y);
                }
                (None, None) => return None,
            }
        }
    }
}
