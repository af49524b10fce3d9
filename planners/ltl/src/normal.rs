//! Negation normal form and simplification.

use crate::formula::{Arena, Formula, Node};
use crate::hash::FastMap;

/// Which traces a formula speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Semantics {
    /// Finite traces (LTLf): plans.
    #[default]
    Finite,
    /// Infinite traces (LTL): standing rules.
    Infinite,
}

const POSITIVE: u8 = 1;
const NEGATIVE: u8 = 2;

impl Arena {
    /// The formula with negation in front of propositions only and without `->`, `<->`, `xor`. Equivalent
    /// under both semantics, on the empty trace too.
    pub fn nnf(&mut self, formula: Formula) -> Formula {
        self.normalise(formula, false, None)
    }

    /// The negation of the formula in negation normal form.
    pub fn nnf_of_negation(&mut self, formula: Formula) -> Formula {
        self.normalise(formula, true, None)
    }

    /// A smaller formula in negation normal form that holds on exactly the same traces, the empty one
    /// included.
    ///
    /// ```
    /// use steward_ltl::{Arena, Semantics};
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("!F F a & (true U b) & !(c & !c)")?;
    /// let small = arena.simplify(rule, Semantics::Finite);
    /// assert_eq!(arena.text(small), "G !a & F b");
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn simplify(&mut self, formula: Formula, semantics: Semantics) -> Formula {
        self.normalise(formula, false, Some(semantics))
    }

    pub(crate) fn simplify_negation(&mut self, formula: Formula, semantics: Semantics) -> Formula {
        self.normalise(formula, true, Some(semantics))
    }

    fn normalise(&mut self, formula: Formula, negated: bool, simplify: Option<Semantics>) -> Formula {
        let order = self.subformulas(&[formula]);
        let place: FastMap<Formula, usize> = order.iter().enumerate().map(|(at, sub)| (*sub, at)).collect();
        let mut needed = vec![0u8; order.len()];
        if let Some(last) = needed.last_mut() {
            *last = if negated { NEGATIVE } else { POSITIVE };
        }
        for (at, sub) in order.iter().enumerate().rev() {
            let node = self.node(*sub);
            let (first, second) = match node {
                Node::Not(_) => (swap(needed[at]), 0),
                Node::Implies(..) => (swap(needed[at]), needed[at]),
                Node::Iff(..) | Node::Xor(..) => (POSITIVE | NEGATIVE, POSITIVE | NEGATIVE),
                _ => (needed[at], needed[at]),
            };
            for (operand, polarity) in node.operands().zip([first, second]) {
                needed[place[&operand]] |= polarity;
            }
        }
        let mut builder = Builder {
            arena: self,
            semantics: simplify,
            empty: FastMap::default(),
        };
        let mut images = vec![[Arena::FALSE; 2]; order.len()];
        for (at, sub) in order.iter().enumerate() {
            for (slot, polarity) in [(0, POSITIVE), (1, NEGATIVE)] {
                if needed[at] & polarity != 0 {
                    let node = builder.arena.node(*sub);
                    let of = |operand: Formula, negate: bool| images[place[&operand]][usize::from(negate)];
                    let image = builder.image(node, polarity == NEGATIVE, of);
                    images[at][slot] = image;
                }
            }
        }
        images.last().map_or(formula, |image| image[usize::from(negated)])
    }
}

fn swap(polarity: u8) -> u8 {
    (polarity & POSITIVE) << 1 | (polarity & NEGATIVE) >> 1
}

struct Builder<'a> {
    arena: &'a mut Arena,
    semantics: Option<Semantics>,
    /// Whether the empty trace satisfies a formula in normal form.
    empty: FastMap<Formula, bool>,
}

impl Builder<'_> {
    fn image(&mut self, node: Node, negate: bool, of: impl Fn(Formula, bool) -> Formula) -> Formula {
        match node {
            Node::False | Node::True => {
                if negate == (node == Node::False) {
                    Arena::TRUE
                } else {
                    Arena::FALSE
                }
            }
            Node::Prop(prop) => {
                let atom = self.arena.atom(prop);
                if negate { self.arena.not(atom) } else { atom }
            }
            Node::Not(a) => of(a, !negate),
            Node::And(a, b) if negate => self.or(of(a, true), of(b, true)),
            Node::And(a, b) => self.and(of(a, false), of(b, false)),
            Node::Or(a, b) if negate => self.and(of(a, true), of(b, true)),
            Node::Or(a, b) => self.or(of(a, false), of(b, false)),
            Node::Implies(a, b) if negate => self.and(of(a, false), of(b, true)),
            Node::Implies(a, b) => self.or(of(a, true), of(b, false)),
            Node::Iff(a, b) => self.same([of(a, false), of(a, true)], [of(b, negate), of(b, !negate)]),
            Node::Xor(a, b) => self.same([of(a, false), of(a, true)], [of(b, !negate), of(b, negate)]),
            Node::Next(a) | Node::WeakNext(a) => {
                let strong = matches!(node, Node::Next(_)) != negate;
                self.next(strong, of(a, negate))
            }
            Node::Finally(a) | Node::Globally(a) => {
                if matches!(node, Node::Finally(_)) != negate {
                    self.finally(of(a, negate))
                } else {
                    self.globally(of(a, negate))
                }
            }
            Node::Until(a, b) if negate => self.release(of(a, true), of(b, true)),
            Node::Until(a, b) => self.until(of(a, false), of(b, false)),
            Node::Release(a, b) if negate => self.until(of(a, true), of(b, true)),
            Node::Release(a, b) => self.release(of(a, false), of(b, false)),
            Node::WeakUntil(a, b) if negate => self.strong_release(of(a, true), of(b, true)),
            Node::WeakUntil(a, b) => self.weak_until(of(a, false), of(b, false)),
            Node::StrongRelease(a, b) if negate => self.weak_until(of(a, true), of(b, true)),
            Node::StrongRelease(a, b) => self.strong_release(of(a, false), of(b, false)),
        }
    }

    /// `a` and `b` both hold or both do not; each comes with its negation.
    fn same(&mut self, a: [Formula; 2], b: [Formula; 2]) -> Formula {
        let both = self.and(a[0], b[0]);
        let neither = self.and(a[1], b[1]);
        self.or(both, neither)
    }

    fn is_on(&self) -> bool {
        self.semantics.is_some()
    }

    /// Whether a formula in normal form has a given value past the end of a finite trace. On infinite
    /// traces there is no such place, so any value will do.
    fn empty_is(&mut self, formula: Formula, value: bool) -> bool {
        self.semantics == Some(Semantics::Infinite)
            || self.arena.empty_value(formula, &mut self.empty) == value
    }

    fn complementary(&self, a: Formula, b: Formula) -> bool {
        self.arena.node(a) == Node::Not(b) || self.arena.node(b) == Node::Not(a)
    }

    fn and(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::FALSE || b == Arena::FALSE || self.complementary(a, b) {
                return Arena::FALSE;
            }
            if a == Arena::TRUE || a == b {
                return b;
            }
            if b == Arena::TRUE {
                return a;
            }
            match (self.arena.node(a), self.arena.node(b)) {
                (Node::Or(x, y), _) if x == b || y == b => return b,
                (_, Node::Or(x, y)) if x == a || y == a => return a,
                (Node::And(x, y), _) if x == b || y == b => return a,
                (_, Node::And(x, y)) if x == a || y == a => return b,
                (Node::Globally(x), Node::Globally(y)) => {
                    let both = self.and(x, y);
                    return self.globally(both);
                }
                (Node::Next(x), Node::Next(y)) => {
                    let both = self.and(x, y);
                    return self.next(true, both);
                }
                (Node::WeakNext(x), Node::WeakNext(y)) => {
                    let both = self.and(x, y);
                    return self.next(false, both);
                }
                _ => {}
            }
        }
        self.arena.and(a, b)
    }

    fn or(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::TRUE || b == Arena::TRUE || self.complementary(a, b) {
                return Arena::TRUE;
            }
            if a == Arena::FALSE || a == b {
                return b;
            }
            if b == Arena::FALSE {
                return a;
            }
            match (self.arena.node(a), self.arena.node(b)) {
                (Node::And(x, y), _) if x == b || y == b => return b,
                (_, Node::And(x, y)) if x == a || y == a => return a,
                (Node::Or(x, y), _) if x == b || y == b => return a,
                (_, Node::Or(x, y)) if x == a || y == a => return b,
                (Node::Finally(x), Node::Finally(y)) => {
                    let either = self.or(x, y);
                    return self.finally(either);
                }
                (Node::Next(x), Node::Next(y)) => {
                    let either = self.or(x, y);
                    return self.next(true, either);
                }
                (Node::WeakNext(x), Node::WeakNext(y)) => {
                    let either = self.or(x, y);
                    return self.next(false, either);
                }
                _ => {}
            }
        }
        self.arena.or(a, b)
    }

    fn next(&mut self, strong: bool, a: Formula) -> Formula {
        match self.semantics {
            Some(Semantics::Infinite) if a == Arena::TRUE || a == Arena::FALSE => return a,
            Some(Semantics::Infinite) => return self.arena.add(Node::Next(a)),
            Some(Semantics::Finite) if strong && a == Arena::FALSE => return a,
            Some(Semantics::Finite) if !strong && a == Arena::TRUE => return a,
            _ => {}
        }
        self.arena
            .add(if strong { Node::Next(a) } else { Node::WeakNext(a) })
    }

    fn finally(&mut self, a: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::FALSE || (a == Arena::TRUE && self.semantics == Some(Semantics::Infinite)) {
                return a;
            }
            match self.arena.node(a) {
                Node::Finally(_) => return a,
                Node::Until(_, b) => return self.finally(b),
                _ => {}
            }
        }
        self.arena.finally(a)
    }

    fn globally(&mut self, a: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::TRUE || (a == Arena::FALSE && self.semantics == Some(Semantics::Infinite)) {
                return a;
            }
            match self.arena.node(a) {
                Node::Globally(_) => return a,
                Node::Release(_, b) => return self.globally(b),
                _ => {}
            }
        }
        self.arena.globally(a)
    }

    fn until(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if b == Arena::FALSE {
                return b;
            }
            if a == Arena::TRUE || b == Arena::TRUE {
                return self.finally(b);
            }
            if (a == Arena::FALSE || a == b) && self.empty_is(b, false) {
                return b;
            }
            if self.arena.node(b) == Node::Finally(a) {
                return b;
            }
        }
        self.arena.until(a, b)
    }

    fn release(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if b == Arena::TRUE {
                return b;
            }
            if a == Arena::FALSE || b == Arena::FALSE {
                return self.globally(b);
            }
            if (a == Arena::TRUE || a == b) && self.empty_is(b, true) {
                return b;
            }
        }
        self.arena.add(Node::Release(a, b))
    }

    fn weak_until(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::TRUE || b == Arena::TRUE {
                return Arena::TRUE;
            }
            if b == Arena::FALSE {
                return self.globally(a);
            }
            if (a == Arena::FALSE || a == b) && self.empty_is(b, true) {
                return b;
            }
        }
        self.arena.add(Node::WeakUntil(a, b))
    }

    fn strong_release(&mut self, a: Formula, b: Formula) -> Formula {
        if self.is_on() {
            if a == Arena::FALSE || b == Arena::FALSE {
                return Arena::FALSE;
            }
            if b == Arena::TRUE {
                return self.finally(a);
            }
            if (a == Arena::TRUE || a == b) && self.empty_is(b, false) {
                return b;
            }
        }
        self.arena.add(Node::StrongRelease(a, b))
    }
}

impl Arena {
    /// Whether the empty trace satisfies a formula; values already known are taken from and added to `known`.
    pub(crate) fn empty_value(&self, formula: Formula, known: &mut FastMap<Formula, bool>) -> bool {
        if let Some(value) = known.get(&formula) {
            return *value;
        }
        let mut stack = vec![formula];
        while let Some(top) = stack.pop() {
            let node = self.node(top);
            // Temporal operators have a value of their own; the rest have that of their operands.
            let missing = !node.is_temporal() && {
                let before = stack.len();
                stack.push(top);
                stack.extend(node.operands().filter(|operand| !known.contains_key(operand)));
                let more = stack.len() > before + 1;
                if !more {
                    stack.pop();
                }
                more
            };
            if missing {
                continue;
            }
            let of = |a: Formula| known.get(&a).copied().unwrap_or(false);
            let value = match node {
                Node::False
                | Node::Prop(_)
                | Node::Next(_)
                | Node::Finally(_)
                | Node::Until(..)
                | Node::StrongRelease(..) => false,
                Node::True
                | Node::WeakNext(_)
                | Node::Globally(_)
                | Node::WeakUntil(..)
                | Node::Release(..) => true,
                Node::Not(a) => !of(a),
                Node::And(a, b) => of(a) && of(b),
                Node::Or(a, b) => of(a) || of(b),
                Node::Implies(a, b) => !of(a) || of(b),
                Node::Iff(a, b) => of(a) == of(b),
                Node::Xor(a, b) => of(a) != of(b),
            };
            known.insert(top, value);
        }
        known.get(&formula).copied().unwrap_or(false)
    }
}
