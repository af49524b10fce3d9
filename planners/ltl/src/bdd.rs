//! Reduced ordered binary decision diagrams (Bryant 1986), the workhorse of every automaton here.
//!
//! One manager serves propositions of the current step (the top levels) and what is owed afterwards (the
//! levels below), so a transition function is one diagram whose parts below the border are the next states.

use crate::Error;
use crate::hash::FastMap;

/// A diagram of one [`Bdd`] manager.
pub(crate) type Ref = u32;

/// The diagram that is always false.
pub(crate) const FALSE: Ref = 0;
/// The diagram that is always true.
pub(crate) const TRUE: Ref = 1;
/// The level of the two constants.
const BOTTOM: u32 = u32::MAX;

/// Diagrams deeper than this are refused: operations recurse once per level.
pub(crate) const MAX_LEVELS: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) level: u32,
    pub(crate) low: Ref,
    pub(crate) high: Ref,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    And = 1,
    Or = 2,
    Not = 3,
}

/// Owner of diagrams.
#[derive(Debug)]
pub(crate) struct Bdd {
    branches: Vec<Branch>,
    /// Open-addressing table of the branches, by content.
    unique: Vec<Ref>,
    /// Results of operations, one slot per hash: `(op, a, b) -> result`.
    cache: Vec<(u64, Ref)>,
    limit: usize,
}

const EMPTY: Ref = Ref::MAX;

fn mix(a: u64, b: u64, c: u64) -> usize {
    let mut hash = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    hash = (hash ^ (hash >> 29)).wrapping_add(c.wrapping_mul(0x1656_67b1_9e37_79f9));
    (hash ^ (hash >> 32)) as usize
}

impl Bdd {
    /// A manager that refuses to hold more than `limit` branches.
    pub(crate) fn new(limit: usize) -> Bdd {
        let constant = |value: Ref| Branch {
            level: BOTTOM,
            low: value,
            high: value,
        };
        Bdd {
            branches: vec![constant(FALSE), constant(TRUE)],
            unique: vec![EMPTY; 256],
            cache: vec![(0, 0); 256],
            limit,
        }
    }

    #[inline]
    pub(crate) fn branch(&self, diagram: Ref) -> Branch {
        self.branches[diagram as usize]
    }

    /// The level of the topmost variable; constants are below every variable.
    #[inline]
    pub(crate) fn level(&self, diagram: Ref) -> u32 {
        self.branches[diagram as usize].level
    }

    /// Whether more branches were asked for than allowed. Results are wrong from then on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.branches.len() <= self.limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: "an automaton",
            limit: self.limit,
            unit: "decision diagram branches",
            hint: "split the formula into several rules, or raise the limit",
        })
    }

    /// `if level then high else low`.
    pub(crate) fn make(&mut self, level: u32, low: Ref, high: Ref) -> Ref {
        if low == high {
            return low;
        }
        let mask = self.unique.len() - 1;
        let mut slot = mix(u64::from(level), u64::from(low), u64::from(high)) & mask;
        let branch = Branch { level, low, high };
        while self.unique[slot] != EMPTY {
            let found = self.unique[slot];
            if self.branches[found as usize] == branch {
                return found;
            }
            slot = (slot + 1) & mask;
        }
        if self.branches.len() > self.limit {
            // Over the limit: any answer ends the recursion; `check` reports it.
            return FALSE;
        }
        let made = self.branches.len() as Ref;
        self.branches.push(branch);
        self.unique[slot] = made;
        if self.branches.len() * 2 > self.unique.len() {
            self.grow();
        }
        made
    }

    fn grow(&mut self) {
        let size = self.unique.len() * 4;
        self.unique = vec![EMPTY; size];
        for (index, branch) in self.branches.iter().enumerate().skip(2) {
            let mut slot = mix(
                u64::from(branch.level),
                u64::from(branch.low),
                u64::from(branch.high),
            ) & (size - 1);
            while self.unique[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            self.unique[slot] = index as Ref;
        }
        // Old results stay in place only if their slot is the same; a fresh table is as good.
        self.cache = vec![(0, 0); size.min(1 << 20)];
    }

    /// The variable itself.
    pub(crate) fn var(&mut self, level: u32) -> Ref {
        self.make(level, FALSE, TRUE)
    }

    /// The negated variable.
    pub(crate) fn not_var(&mut self, level: u32) -> Ref {
        self.make(level, TRUE, FALSE)
    }

    fn key(op: Op, a: Ref, b: Ref) -> u64 {
        // Diagrams are numbered below 2^31, so three bits of operator fit.
        (op as u64) << 62 | u64::from(a) << 31 | u64::from(b)
    }

    fn cached(&self, key: u64) -> Option<Ref> {
        let slot = mix(key, key >> 32, 7) & (self.cache.len() - 1);
        let (found, result) = self.cache[slot];
        (found == key).then_some(result)
    }

    fn remember(&mut self, key: u64, result: Ref) {
        let slot = mix(key, key >> 32, 7) & (self.cache.len() - 1);
        self.cache[slot] = (key, result);
    }

    pub(crate) fn and(&mut self, a: Ref, b: Ref) -> Ref {
        if a == FALSE || b == FALSE {
            return FALSE;
        }
        if a == TRUE || a == b {
            return b;
        }
        if b == TRUE {
            return a;
        }
        self.apply(Op::And, a, b)
    }

    pub(crate) fn or(&mut self, a: Ref, b: Ref) -> Ref {
        if a == TRUE || b == TRUE {
            return TRUE;
        }
        if a == FALSE || a == b {
            return b;
        }
        if b == FALSE {
            return a;
        }
        self.apply(Op::Or, a, b)
    }

    fn apply(&mut self, op: Op, a: Ref, b: Ref) -> Ref {
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        let key = Bdd::key(op, a, b);
        if let Some(result) = self.cached(key) {
            return result;
        }
        let (left, right) = (self.branch(a), self.branch(b));
        let level = left.level.min(right.level);
        let (a_low, a_high) = if left.level == level {
            (left.low, left.high)
        } else {
            (a, a)
        };
        let (b_low, b_high) = if right.level == level {
            (right.low, right.high)
        } else {
            (b, b)
        };
        let (low, high) = match op {
            Op::And => (self.and(a_low, b_low), self.and(a_high, b_high)),
            _ => (self.or(a_low, b_low), self.or(a_high, b_high)),
        };
        let result = self.make(level, low, high);
        self.remember(key, result);
        result
    }

    pub(crate) fn not(&mut self, a: Ref) -> Ref {
        if a <= TRUE {
            return TRUE - a;
        }
        let key = Bdd::key(Op::Not, a, 0);
        if let Some(result) = self.cached(key) {
            return result;
        }
        let branch = self.branch(a);
        let (low, high) = (self.not(branch.low), self.not(branch.high));
        let result = self.make(branch.level, low, high);
        self.remember(key, result);
        result
    }

    /// `if level then high else low`, where the branches may contain any level.
    pub(crate) fn choose(&mut self, level: u32, low: Ref, high: Ref) -> Ref {
        if self.level(low) > level && self.level(high) > level {
            return self.make(level, low, high);
        }
        let (yes, no) = (self.var(level), self.not_var(level));
        let (with, without) = (self.and(yes, high), self.and(no, low));
        self.or(with, without)
    }

    /// There is a choice for some levels that makes the diagram true.
    pub(crate) fn exists(
        &mut self,
        diagram: Ref,
        chosen: &impl Fn(u32) -> bool,
        known: &mut FastMap<Ref, Ref>,
    ) -> Ref {
        if diagram <= TRUE {
            return diagram;
        }
        if let Some(result) = known.get(&diagram) {
            return *result;
        }
        let branch = self.branch(diagram);
        let low = self.exists(branch.low, chosen, known);
        let high = self.exists(branch.high, chosen, known);
        let result = if chosen(branch.level) {
            self.or(low, high)
        } else {
            self.make(branch.level, low, high)
        };
        known.insert(diagram, result);
        result
    }

    /// The diagram with some levels fixed: `fixed` answers for a level, or `None` to leave it.
    pub(crate) fn restrict(
        &mut self,
        diagram: Ref,
        fixed: &impl Fn(u32) -> Option<bool>,
        known: &mut FastMap<Ref, Ref>,
    ) -> Ref {
        if diagram <= TRUE {
            return diagram;
        }
        if let Some(result) = known.get(&diagram) {
            return *result;
        }
        let branch = self.branch(diagram);
        let result = match fixed(branch.level) {
            Some(true) => self.restrict(branch.high, fixed, known),
            Some(false) => self.restrict(branch.low, fixed, known),
            None => {
                let low = self.restrict(branch.low, fixed, known);
                let high = self.restrict(branch.high, fixed, known);
                self.make(branch.level, low, high)
            }
        };
        known.insert(diagram, result);
        result
    }

    /// Truth under an assignment of the levels.
    pub(crate) fn eval(&self, mut diagram: Ref, value: impl Fn(u32) -> bool) -> bool {
        while diagram > TRUE {
            let branch = self.branch(diagram);
            diagram = if value(branch.level) {
                branch.high
            } else {
                branch.low
            };
        }
        diagram == TRUE
    }

    /// One assignment that makes the diagram true, as the levels that are fixed; `None` for false. Levels
    /// are made false where possible.
    pub(crate) fn any_path(&self, mut diagram: Ref) -> Option<Vec<(u32, bool)>> {
        if diagram == FALSE {
            return None;
        }
        let mut path = Vec::new();
        while diagram > TRUE {
            let branch = self.branch(diagram);
            let high = branch.low == FALSE;
            path.push((branch.level, high));
            diagram = if high { branch.high } else { branch.low };
        }
        Some(path)
    }

    /// An irredundant sum of products (Minato 1992): cubes whose union lies between `lower` and `upper`.
    /// Returns the cubes and their union.
    pub(crate) fn irredundant(&mut self, lower: Ref, upper: Ref, memo: &mut IsopMemo) -> (Cubes, Ref) {
        if lower == FALSE {
            return (Cubes::default(), FALSE);
        }
        if upper == TRUE {
            return (std::rc::Rc::new(vec![Vec::new()]), TRUE);
        }
        if let Some(result) = memo.get(&(lower, upper)) {
            return result.clone();
        }
        let (l, u) = (self.branch(lower), self.branch(upper));
        let level = l.level.min(u.level);
        let (l_low, l_high) = if l.level == level {
            (l.low, l.high)
        } else {
            (lower, lower)
        };
        let (u_low, u_high) = if u.level == level {
            (u.low, u.high)
        } else {
            (upper, upper)
        };
        let not_u_high = self.not(u_high);
        let only_low = self.and(l_low, not_u_high);
        let (low_cubes, low_cover) = self.irredundant(only_low, u_low, memo);
        let not_u_low = self.not(u_low);
        let only_high = self.and(l_high, not_u_low);
        let (high_cubes, high_cover) = self.irredundant(only_high, u_high, memo);
        let (not_low, not_high) = (self.not(low_cover), self.not(high_cover));
        let rest_low = self.and(l_low, not_low);
        let rest_high = self.and(l_high, not_high);
        let rest = self.or(rest_low, rest_high);
        let both_upper = self.and(u_low, u_high);
        let (free_cubes, free_cover) = self.irredundant(rest, both_upper, memo);
        let mut cubes = Vec::with_capacity(free_cubes.len() + low_cubes.len() + high_cubes.len());
        cubes.extend(free_cubes.iter().cloned());
        for (found, value) in [(&low_cubes, false), (&high_cubes, true)] {
            for cube in found.iter() {
                let mut with = Vec::with_capacity(cube.len() + 1);
                with.push((level, value));
                with.extend_from_slice(cube);
                cubes.push(with);
            }
        }
        let split = self.choose(level, low_cover, high_cover);
        let cover = self.or(split, free_cover);
        let result = (std::rc::Rc::new(cubes), cover);
        memo.insert((lower, upper), result.clone());
        result
    }
}

/// Products of literals; a literal is a level and its value.
pub(crate) type Cubes = std::rc::Rc<Vec<Vec<(u32, bool)>>>;
/// Sums of products that are known already.
pub(crate) type IsopMemo = FastMap<(Ref, Ref), (Cubes, Ref)>;
