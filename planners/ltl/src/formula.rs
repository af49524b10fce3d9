//! Hash-consed formulas of linear temporal logic.
//!
//! An [`Arena`] owns formulas; a [`Formula`] is a copyable handle into it. Equal formulas have equal
//! handles, and an operand always has a smaller handle than the formula that contains it, so every
//! algorithm of the crate is a loop over handles in increasing order and never recurses on depth.

use std::collections::HashMap;

use crate::hash::{FastMap, FastSet};
use crate::{Error, name};

/// Handles below this number are walked through a flat table.
const DENSE_WALK: usize = 4096;

/// A formula of one [`Arena`].
///
/// Handles of different arenas must not be mixed: a handle means something only to the arena it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Formula(pub(crate) u32);

impl Formula {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A proposition of one [`Arena`], numbered from 0 in the order of first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prop(pub(crate) u32);

impl Prop {
    /// The number of the proposition: its bit in a [`Step`](crate::Step).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operator with its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// The constant false.
    False,
    /// The constant true.
    True,
    /// A proposition.
    Prop(Prop),
    /// `!a`
    Not(Formula),
    /// `a & b`
    And(Formula, Formula),
    /// `a | b`
    Or(Formula, Formula),
    /// `a -> b`
    Implies(Formula, Formula),
    /// `a <-> b`
    Iff(Formula, Formula),
    /// `a xor b`
    Xor(Formula, Formula),
    /// Strong next `X a`: there is a next step and `a` holds there.
    Next(Formula),
    /// Weak next `N a`: if there is a next step, `a` holds there.
    WeakNext(Formula),
    /// `F a`: at some step from now on `a` holds.
    Finally(Formula),
    /// `G a`: at every step from now on `a` holds.
    Globally(Formula),
    /// `a U b`: `b` holds at some step, and `a` at every step before it.
    Until(Formula, Formula),
    /// `a W b`: `a U b`, or `a` holds at every step.
    WeakUntil(Formula, Formula),
    /// `a R b`: `b` holds up to and including the first step where `a` holds, or at every step.
    Release(Formula, Formula),
    /// `a M b`: as `a R b`, and `a` does hold at some step.
    StrongRelease(Formula, Formula),
}

impl Node {
    /// The operands, left to right.
    pub fn operands(self) -> impl Iterator<Item = Formula> {
        let (first, second) = match self {
            Node::False | Node::True | Node::Prop(_) => (None, None),
            Node::Not(a) | Node::Next(a) | Node::WeakNext(a) | Node::Finally(a) | Node::Globally(a) => {
                (Some(a), None)
            }
            Node::And(a, b)
            | Node::Or(a, b)
            | Node::Implies(a, b)
            | Node::Iff(a, b)
            | Node::Xor(a, b)
            | Node::Until(a, b)
            | Node::WeakUntil(a, b)
            | Node::Release(a, b)
            | Node::StrongRelease(a, b) => (Some(a), Some(b)),
        };
        first.into_iter().chain(second)
    }

    /// Whether the operator speaks of more than the current step.
    pub fn is_temporal(self) -> bool {
        !matches!(
            self,
            Node::False
                | Node::True
                | Node::Prop(_)
                | Node::Not(_)
                | Node::And(..)
                | Node::Or(..)
                | Node::Implies(..)
                | Node::Iff(..)
                | Node::Xor(..)
        )
    }
}

/// Limits that keep hostile or accidental input from using up time or memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text that is parsed, in bytes.
    pub max_text_bytes: usize,
    /// Deepest nesting of parentheses and operators in a text.
    pub max_depth: usize,
    /// Most different formulas in one arena.
    pub max_nodes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_text_bytes: 1 << 20,
            max_depth: 10_000,
            max_nodes: 1 << 20,
        }
    }
}

/// Owner of formulas and of the names of propositions.
///
/// ```
/// use steward_ltl::{Arena, Notation};
///
/// let mut arena = Arena::new();
/// let rule = arena.parse("G (on(mug, desk) -> F at_kitchen)")?;
/// let same = arena.parse(r#"[] (("on(mug,desk)" => <> at_kitchen))"#)?;
/// assert_eq!(rule, same);
/// assert_eq!(arena.print(rule, Notation::Prefix)?, r#"G i "on(mug, desk)" F at_kitchen"#);
/// # Ok::<(), steward_ltl::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Arena {
    nodes: Vec<Node>,
    index: FastMap<Node, Formula>,
    names: Vec<String>,
    by_name: HashMap<String, Prop>,
    limits: Limits,
}

impl Default for Arena {
    fn default() -> Arena {
        Arena::new()
    }
}

impl Arena {
    /// The constant false, the same handle in every arena.
    pub const FALSE: Formula = Formula(0);
    /// The constant true, the same handle in every arena.
    pub const TRUE: Formula = Formula(1);

    /// An arena with the default limits.
    pub fn new() -> Arena {
        Arena::with_limits(Limits::default())
    }

    /// An arena with limits of the caller's choice.
    pub fn with_limits(limits: Limits) -> Arena {
        let mut arena = Arena {
            nodes: Vec::new(),
            index: FastMap::default(),
            names: Vec::new(),
            by_name: HashMap::new(),
            limits,
        };
        arena.add(Node::False);
        arena.add(Node::True);
        arena
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The operator and operands of a formula.
    pub fn node(&self, formula: Formula) -> Node {
        self.nodes[formula.index()]
    }

    /// How many different formulas the arena holds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: the two constants are always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The handle of a node, the same one each time.
    pub fn add(&mut self, node: Node) -> Formula {
        if let Some(formula) = self.index.get(&node) {
            return *formula;
        }
        let formula = Formula(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        self.index.insert(node, formula);
        formula
    }

    /// The proposition with a name: an identifier, a ground predicate such as `on(mug, desk)`, or any
    /// other text that is not empty. Spaces around the arguments of a predicate do not matter.
    pub fn prop(&mut self, name: &str) -> Result<Prop, Error> {
        if name.trim().is_empty() {
            return Err(Error::BadOption(
                "a proposition needs a name that is not empty".into(),
            ));
        }
        Ok(self.intern(name::canonical(name)))
    }

    pub(crate) fn intern(&mut self, name: String) -> Prop {
        if let Some(prop) = self.by_name.get(&name) {
            return *prop;
        }
        let prop = Prop(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(name.clone());
        self.by_name.insert(name, prop);
        prop
    }

    /// The proposition with a name, if some formula has used it.
    pub fn find_prop(&self, name: &str) -> Option<Prop> {
        self.by_name.get(&name::canonical(name)).copied()
    }

    /// The name of a proposition.
    pub fn name(&self, prop: Prop) -> &str {
        &self.names[prop.index()]
    }

    /// How many propositions the arena knows.
    pub fn num_props(&self) -> usize {
        self.names.len()
    }

    /// Every proposition, in order.
    pub fn props(&self) -> impl Iterator<Item = Prop> + use<> {
        (0..self.names.len() as u32).map(Prop)
    }

    /// How much the arena holds, to return to with [`Arena::roll_back`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.nodes.len(), self.names.len())
    }

    /// Forgets everything added since a mark, so that a text that failed to parse leaves no trace.
    pub(crate) fn roll_back(&mut self, (nodes, names): (usize, usize)) {
        for node in self.nodes.drain(nodes..) {
            self.index.remove(&node);
        }
        for name in self.names.drain(names..) {
            self.by_name.remove(&name);
        }
    }

    /// The formula that is one proposition.
    pub fn atom(&mut self, prop: Prop) -> Formula {
        self.add(Node::Prop(prop))
    }

    /// `!a`
    pub fn not(&mut self, a: Formula) -> Formula {
        self.add(Node::Not(a))
    }

    /// `a & b`
    pub fn and(&mut self, a: Formula, b: Formula) -> Formula {
        self.add(Node::And(a, b))
    }

    /// `a | b`
    pub fn or(&mut self, a: Formula, b: Formula) -> Formula {
        self.add(Node::Or(a, b))
    }

    /// `a -> b`
    pub fn implies(&mut self, a: Formula, b: Formula) -> Formula {
        self.add(Node::Implies(a, b))
    }

    /// `F a`
    pub fn finally(&mut self, a: Formula) -> Formula {
        self.add(Node::Finally(a))
    }

    /// `G a`
    pub fn globally(&mut self, a: Formula) -> Formula {
        self.add(Node::Globally(a))
    }

    /// `a U b`
    pub fn until(&mut self, a: Formula, b: Formula) -> Formula {
        self.add(Node::Until(a, b))
    }

    /// The conjunction of all; true for none.
    pub fn all(&mut self, formulas: impl IntoIterator<Item = Formula>) -> Formula {
        let mut formulas = formulas.into_iter();
        let Some(first) = formulas.next() else {
            return Arena::TRUE;
        };
        formulas.fold(first, |whole, next| self.and(whole, next))
    }

    /// The disjunction of all; false for none.
    pub fn any(&mut self, formulas: impl IntoIterator<Item = Formula>) -> Formula {
        let mut formulas = formulas.into_iter();
        let Some(first) = formulas.next() else {
            return Arena::FALSE;
        };
        formulas.fold(first, |whole, next| self.or(whole, next))
    }

    /// The conjuncts of a formula, left to right, with nested conjunctions opened.
    pub fn conjuncts(&self, formula: Formula) -> Vec<Formula> {
        let mut conjuncts = Vec::new();
        let mut stack = vec![formula];
        while let Some(top) = stack.pop() {
            match self.node(top) {
                Node::And(a, b) => stack.extend([b, a]),
                _ => conjuncts.push(top),
            }
        }
        conjuncts
    }

    /// The formulas that occur in `roots`, each once, operands before what contains them.
    pub fn subformulas(&self, roots: &[Formula]) -> Vec<Formula> {
        let Some(last) = roots.iter().max() else {
            return Vec::new();
        };
        if last.index() > DENSE_WALK {
            return self.subformulas_sparse(roots);
        }
        let mut wanted = vec![false; last.index() + 1];
        for root in roots {
            wanted[root.index()] = true;
        }
        let mut found = Vec::new();
        for index in (0..wanted.len()).rev() {
            if wanted[index] {
                found.push(Formula(index as u32));
                for operand in self.nodes[index].operands() {
                    wanted[operand.index()] = true;
                }
            }
        }
        found.reverse();
        found
    }

    /// The same where most of a large arena is not part of the roots.
    fn subformulas_sparse(&self, roots: &[Formula]) -> Vec<Formula> {
        let mut seen: FastSet<Formula> = roots.iter().copied().collect();
        let mut stack: Vec<Formula> = roots.to_vec();
        stack.sort_unstable();
        stack.dedup();
        let mut found = stack.clone();
        while let Some(top) = stack.pop() {
            for operand in self.node(top).operands() {
                if seen.insert(operand) {
                    found.push(operand);
                    stack.push(operand);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// The propositions that occur in `roots`, in order.
    pub fn props_of(&self, roots: &[Formula]) -> Vec<Prop> {
        let mut props: Vec<Prop> = self
            .subformulas(roots)
            .into_iter()
            .filter_map(|formula| match self.node(formula) {
                Node::Prop(prop) => Some(prop),
                _ => None,
            })
            .collect();
        props.sort_unstable();
        props
    }

    /// Number of operators and operands when written out as text; saturates.
    pub fn tree_size(&self, formula: Formula) -> u64 {
        let order = self.subformulas(&[formula]);
        let mut size: FastMap<Formula, u64> = FastMap::default();
        for sub in order {
            let total = self
                .node(sub)
                .operands()
                .map(|operand| size.get(&operand).copied().unwrap_or(0))
                .fold(1u64, u64::saturating_add);
            size.insert(sub, total);
        }
        size.get(&formula).copied().unwrap_or(1)
    }

    /// Whether the formula speaks of one step only.
    pub fn is_propositional(&self, formula: Formula) -> bool {
        self.subformulas(&[formula])
            .into_iter()
            .all(|sub| !self.node(sub).is_temporal())
    }
}
