//! Objects by number, and facts packed into one word.

use super::model::PredicateId;

/// An object of a scene, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Obj(pub u32);

/// Most arguments of a predicate.
pub const MAX_ARITY: usize = 3;
/// Most objects of a scene.
pub const MAX_OBJECTS: usize = 1 << OBJECT_BITS;
/// Most predicates of a domain.
pub const MAX_PREDICATES: usize = 1 << 10;

const OBJECT_BITS: u32 = 18;
const OBJECT_MASK: u64 = (1 << OBJECT_BITS) - 1;

/// A ground fact, `on(mug, desk)`: predicate and up to three objects in one word, ordered by predicate, then by
/// the objects from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(u64);

impl Atom {
    /// The fact that `predicate` holds of `objects`, of which at most [`MAX_ARITY`] are used.
    pub fn new(predicate: PredicateId, objects: &[Obj]) -> Atom {
        let mut packed = u64::from(predicate.0);
        for place in 0..MAX_ARITY {
            let object = objects.get(place).map_or(0, |object| u64::from(object.0));
            packed = packed << OBJECT_BITS | (object & OBJECT_MASK);
        }
        Atom(packed)
    }

    /// Its predicate.
    pub fn predicate(self) -> PredicateId {
        PredicateId((self.0 >> (OBJECT_BITS * MAX_ARITY as u32)) as u16)
    }

    /// The object at a place, counted from 0; object 0 for places that the predicate does not have.
    pub fn object(self, place: usize) -> Obj {
        let shift = OBJECT_BITS * (MAX_ARITY - 1 - place.min(MAX_ARITY - 1)) as u32;
        Obj((self.0 >> shift & OBJECT_MASK) as u32)
    }

    /// The same fact with its first two objects swapped: the order of the index that is read from right to left.
    pub(crate) fn mirrored(self) -> Atom {
        Atom::new(
            self.predicate(),
            &[self.object(1), self.object(0), self.object(2)],
        )
    }

    /// Smallest and largest word of the facts of a predicate, or of those that begin with an object.
    pub(crate) fn span(predicate: PredicateId, first: Option<Obj>) -> (Atom, Atom) {
        let free = if first.is_some() { MAX_ARITY - 1 } else { MAX_ARITY };
        let low = Atom::new(predicate, first.as_slice());
        (low, Atom(low.0 | ((1 << (OBJECT_BITS * free as u32)) - 1)))
    }

    /// A well mixed word for hashes that are sums over facts (SplitMix64's finaliser).
    pub(crate) fn mixed(self) -> u64 {
        let mut z = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Hashes a packed fact by one multiplication; the standard hash would be most of the time of a look-up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AtomHasher(u64);

impl std::hash::Hasher for AtomHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

pub(crate) type AtomSet = std::collections::HashSet<Atom, std::hash::BuildHasherDefault<AtomHasher>>;
