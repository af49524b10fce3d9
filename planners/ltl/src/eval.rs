//! The reference evaluator: the definition of the logic, written as directly as it can be.
//!
//! Everything else in the crate is tested against this module. A position of a finite trace of `n` steps is
//! one of `0..=n`; position `n` is past the end, and the empty trace has only that one. There no proposition
//! holds, `X a`, `F a`, `a U b` and `a M b` are false, `N a`, `G a`, `a W b` and `a R b` are true, and the
//! Boolean operators mean what they always mean (De Giacomo and Vardi, IJCAI 2013, extended to the empty
//! trace).

use crate::formula::{Arena, Formula, Node};
use crate::hash::FastMap;
use crate::trace::{Lasso, Step, Trace};

/// The positions of a trace as the definition sees them.
struct Positions<'a> {
    steps: Vec<&'a Step>,
    /// Where the cycle starts, or `None` for a finite trace.
    cycle: Option<usize>,
}

impl Positions<'_> {
    /// Every position, the one past the end included.
    fn count(&self) -> usize {
        self.steps.len() + usize::from(self.cycle.is_none())
    }

    /// The next position that has a step.
    fn next(&self, at: usize) -> Option<usize> {
        if at + 1 < self.steps.len() {
            Some(at + 1)
        } else {
            self.cycle.filter(|_| at < self.steps.len())
        }
    }

    /// The positions with a step from `at` on. On a lasso every later position is met once.
    fn from(&self, at: usize) -> Vec<usize> {
        let mut met = Vec::new();
        let mut here = (at < self.steps.len()).then_some(at);
        while let Some(position) = here.filter(|position| !met.contains(position)) {
            met.push(position);
            here = self.next(position);
        }
        met
    }
}

impl Arena {
    /// Whether a finite trace satisfies a formula.
    ///
    /// ```
    /// use steward_ltl::{Arena, Step};
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("F a & G(a -> X b)")?;
    /// let (a, b) = (arena.prop("a")?, arena.prop("b")?);
    /// assert!(!arena.holds_on(rule, &[Step::of([a])]));
    /// assert!(arena.holds_on(rule, &[Step::of([a]), Step::of([b])]));
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn holds_on(&self, formula: Formula, steps: &[Step]) -> bool {
        self.evaluate(
            formula,
            &Positions {
                steps: steps.iter().collect(),
                cycle: None,
            },
        )
    }

    /// Whether an infinite trace satisfies a formula. On a lasso without a cycle nothing repeats, and the
    /// formula is read on the finite prefix.
    pub fn holds_on_lasso(&self, formula: Formula, lasso: &Lasso) -> bool {
        let steps = lasso.prefix.iter().chain(&lasso.cycle).collect();
        let cycle = (!lasso.cycle.is_empty()).then_some(lasso.prefix.len());
        self.evaluate(formula, &Positions { steps, cycle })
    }

    /// Whether a trace of either kind satisfies a formula.
    pub fn holds(&self, formula: Formula, trace: &Trace) -> bool {
        match trace {
            Trace::Finite(steps) => self.holds_on(formula, steps),
            Trace::Infinite(lasso) => self.holds_on_lasso(formula, lasso),
        }
    }

    fn evaluate(&self, formula: Formula, positions: &Positions<'_>) -> bool {
        let futures: Vec<Vec<usize>> = (0..positions.count()).map(|at| positions.from(at)).collect();
        let mut truth: FastMap<Formula, Vec<bool>> = FastMap::default();
        for sub in self.subformulas(&[formula]) {
            let column = (0..positions.count())
                .map(|at| self.definition(sub, at, positions, &futures[at], &truth))
                .collect();
            truth.insert(sub, column);
        }
        truth.get(&formula).is_some_and(|column| column[0])
    }

    /// Whether `sub` holds at position `at`; `future` is `at` and the positions after it.
    fn definition(
        &self,
        sub: Formula,
        at: usize,
        positions: &Positions<'_>,
        future: &[usize],
        truth: &FastMap<Formula, Vec<bool>>,
    ) -> bool {
        let now = |a: Formula| truth[&a][at];
        let then = |a: Formula, later: usize| truth[&a][later];
        // There is a position where b holds, and a holds at every position before it.
        let until = |a: Formula, b: Formula| {
            (0..future.len()).any(|k| then(b, future[k]) && future[..k].iter().all(|j| then(a, *j)))
        };
        // At every position b holds, or a held at some position before it.
        let release = |a: Formula, b: Formula| {
            (0..future.len()).all(|k| then(b, future[k]) || future[..k].iter().any(|j| then(a, *j)))
        };
        let always = |a: Formula| future.iter().all(|k| then(a, *k));
        let once = |a: Formula| future.iter().any(|k| then(a, *k));
        match self.node(sub) {
            Node::False => false,
            Node::True => true,
            Node::Prop(prop) => positions.steps.get(at).is_some_and(|step| step.holds(prop)),
            Node::Not(a) => !now(a),
            Node::And(a, b) => now(a) && now(b),
            Node::Or(a, b) => now(a) || now(b),
            Node::Implies(a, b) => !now(a) || now(b),
            Node::Iff(a, b) => now(a) == now(b),
            Node::Xor(a, b) => now(a) != now(b),
            Node::Next(a) => positions.next(at).is_some_and(|next| then(a, next)),
            Node::WeakNext(a) => positions.next(at).is_none_or(|next| then(a, next)),
            Node::Finally(a) => once(a),
            Node::Globally(a) => always(a),
            Node::Until(a, b) => until(a, b),
            Node::WeakUntil(a, b) => until(a, b) || always(a),
            Node::Release(a, b) => release(a, b),
            Node::StrongRelease(a, b) => release(a, b) && once(a),
        }
    }
}
