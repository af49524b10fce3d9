//! Safety, co-safety, and what a plan that ends can settle.

use std::collections::VecDeque;

use crate::Error;
use crate::bdd::FALSE;
use crate::formula::{Arena, Formula, Node};
use crate::hash::FastMap;
use crate::normal::Semantics;
use crate::progress::{AutomatonLimits, Stop, Translation};
use crate::tableau::{Search, Tableau};

/// The class of a formula, read on infinite traces (Alpern and Schneider 1985; Kupferman and Vardi 2001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Every violation shows after finitely many steps: "never".
    Safety,
    /// Every satisfaction shows after finitely many steps: "some day".
    CoSafety,
    /// Settled either way after finitely many steps: bounded.
    Both,
    /// Neither shows in general: "again and again".
    Neither,
}

impl Class {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Class::Safety => "safety",
            Class::CoSafety => "co-safety",
            Class::Both => "safety and co-safety",
            Class::Neither => "neither safety nor co-safety",
        }
    }
}

/// A move in a product of tableaux: the pair that is entered and what it postpones.
type PairMove = (usize, Vec<u32>);

/// Why a plan that ends cannot settle a formula, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The part of the formula that needs for ever.
    pub part: Formula,
    /// Why, in words.
    pub reason: String,
    /// The two ways out: a bound, or a repeating plan.
    pub ways_out: String,
}

impl Arena {
    /// The class of a formula, decided on its meaning and not on its spelling.
    ///
    /// ```
    /// use steward_ltl::{Arena, Class};
    ///
    /// let mut arena = Arena::new();
    /// for (text, class) in [
    ///     ("G !stairs", Class::Safety),
    ///     ("F kitchen", Class::CoSafety),
    ///     ("X X kitchen", Class::Both),
    ///     ("G F kitchen", Class::Neither),
    ///     ("(a U b) | G a", Class::Safety), // spelled with an until, yet a weak one
    /// ] {
    ///     let formula = arena.parse(text)?;
    ///     assert_eq!(arena.classify(formula)?, class, "{text}");
    /// }
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn classify(&mut self, formula: Formula) -> Result<Class, Error> {
        let positive = self.simplify(formula, Semantics::Infinite);
        let negative = self.simplify_negation(formula, Semantics::Infinite);
        let safety = self.is_closed(positive, negative)?;
        let co_safety = self.is_closed(negative, positive)?;
        Ok(match (safety, co_safety) {
            (true, true) => Class::Both,
            (true, false) => Class::Safety,
            (false, true) => Class::CoSafety,
            (false, false) => Class::Neither,
        })
    }

    /// Whether every infinite trace all of whose prefixes can be continued to satisfy `formula` satisfies it.
    fn is_closed(&self, formula: Formula, negation: Formula) -> Result<bool, Error> {
        let eventual = |sub: &Formula| {
            matches!(
                self.node(*sub),
                Node::Finally(_) | Node::Until(..) | Node::StrongRelease(..)
            )
        };
        if !self.subformulas(&[formula]).iter().any(eventual) {
            return Ok(true);
        }
        // The closure is the automaton of the formula with every live state accepting. It is contained in
        // the formula exactly if its product with the negation is empty.
        let limits = AutomatonLimits {
            max_states: 20_000,
            ..AutomatonLimits::default()
        };
        let mut tableau =
            Tableau::new(self, &[formula, negation], Semantics::Infinite, limits)?.keep_letters();
        let live = live_states(&mut tableau)?;
        if !live[0] {
            return Ok(true);
        }
        let mut pairs = vec![(0usize, 1usize)];
        let mut number: FastMap<(usize, usize), usize> = FastMap::default();
        number.insert(pairs[0], 0);
        let mut known: Vec<Option<Vec<PairMove>>> = vec![None];
        let found = Search::default().run(0, |pair, index| {
            if known[pair].is_none() {
                let (a, b) = pairs[pair];
                let mut moves = Vec::new();
                let (left, right) = (tableau.expand(a)?.to_vec(), tableau.expand(b)?.to_vec());
                for x in left.iter().filter(|x| live.get(x.to).copied().unwrap_or(false)) {
                    let guard = tableau.guard(a, x);
                    for y in &right {
                        let other = tableau.guard(b, y);
                        if tableau.bdd.and(guard, other) != FALSE {
                            let to = *number.entry((x.to, y.to)).or_insert_with(|| {
                                pairs.push((x.to, y.to));
                                pairs.len() - 1
                            });
                            moves.push((to, y.postponed.clone()));
                        }
                    }
                }
                tableau.bdd.check()?;
                if pairs.len() > limits.max_states * 10 {
                    return Err(Error::TooLarge {
                        what: "the classification of a formula",
                        limit: limits.max_states * 10,
                        unit: "states",
                        hint: "classify its conjuncts one by one",
                    });
                }
                known.resize(pairs.len(), None);
                known[pair] = Some(moves);
            }
            Ok(known[pair].as_ref().and_then(|moves| moves.get(index).cloned()))
        })?;
        Ok(!found)
    }

    /// Whether a plan that ends can settle the formula.
    ///
    /// It can if the formula is safety (kept until the end) or co-safety (reached before the end), if
    /// stopping the plan and nothing happening afterwards come to the same ("insensitive to infiniteness",
    /// De Giacomo, De Masellis, Montali, AAAI 2014: a response such as `G (a -> F b)`), or if it is a
    /// conjunction or disjunction of such formulas, or a response `G (p -> F q)` whatever `q` is. `G F a` is none of these: on a finite trace it would only
    /// say that `a` holds at the last step.
    pub fn settled_by_finite_plan(&mut self, formula: Formula) -> Result<Result<(), Unsettled>, Error> {
        let normal = self.simplify(formula, Semantics::Finite);
        let mut queue = VecDeque::from([normal]);
        while let Some(part) = queue.pop_front() {
            if self.classify(part)? != Class::Neither || self.ignores_what_follows(part)? {
                continue;
            }
            match self.node(part) {
                Node::And(a, b) | Node::Or(a, b) => queue.extend([a, b]),
                Node::Globally(a) if matches!(self.node(a), Node::And(..)) => {
                    // The simplifier joins `G a & G b`; each of the two may be settled on its own.
                    for conjunct in self.conjuncts(a) {
                        let always = self.globally(conjunct);
                        queue.push_back(always);
                    }
                }
                _ if self.is_response(part) => {}
                _ => return Ok(Err(self.unsettled(part))),
            }
        }
        Ok(Ok(()))
    }

    /// Whether the formula is `G (p -> F q)` with propositional `p` and `q`: what opens the obligation is an event
    /// of its own, so that ending with nothing owed is what is meant, even where `q` is the opposite of `p` and
    /// the formula says the same as `G F q` on infinite traces (`G (open -> F !open)`).
    fn is_response(&self, part: Formula) -> bool {
        let Node::Globally(body) = self.node(part) else {
            return false;
        };
        let Node::Or(a, b) = self.node(body) else {
            return false;
        };
        let answers = |f: Formula| matches!(self.node(f), Node::Finally(q) if self.is_propositional(q));
        answers(a) && self.is_propositional(b) || answers(b) && self.is_propositional(a)
    }

    /// Whether a trace that ends satisfies the formula exactly if it does when nothing ever happens again.
    fn ignores_what_follows(&mut self, part: Formula) -> Result<bool, Error> {
        let limits = AutomatonLimits::default();
        let ends = Translation::new(self, part, Stop::TraceEnds, limits)?
            .dfa
            .minimise();
        let silent = Translation::new(self, part, Stop::NothingHappens, limits)?
            .dfa
            .minimise();
        Ok(ends.difference(&silent, true).is_none())
    }

    fn unsettled(&mut self, part: Formula) -> Unsettled {
        let text = self.text(part);
        let (reason, once) = match self.node(part) {
            Node::Globally(a) => match self.node(a) {
                Node::Finally(goal) => (
                    format!(
                        "`{text}` asks for `{}` again and again without end, and after the last step of a \
                         plan it would be owed again.",
                        self.text(goal)
                    ),
                    self.finally(goal),
                ),
                _ => (
                    format!("`{text}` leaves something open after every step, so no last step settles it."),
                    self.finally(a),
                ),
            },
            Node::Finally(a) => (
                format!(
                    "`{text}` asks for something that lasts for ever from some step on, and a plan ends."
                ),
                match self.node(a) {
                    Node::Globally(goal) => self.finally(goal),
                    _ => part,
                },
            ),
            _ => (
                format!("`{text}` depends on what happens after the plan has ended."),
                self.finally(part),
            ),
        };
        let goal = match self.node(once) {
            Node::Finally(goal) => goal,
            _ => once,
        };
        let again = self.add(Node::Next(once));
        let both = self.and(goal, again);
        let twice = self.finally(both);
        let (bound, twice) = (self.text(once), self.text(twice));
        Unsettled {
            part,
            reason,
            ways_out: format!(
                "Either bound it, for example `{bound}` for once or `{twice}` for twice, or make it a \
                 repeating plan: plan a lasso for the infinite-trace semantics."
            ),
        }
    }
}

/// The states of a tableau, from state 0, that satisfy some infinite trace.
fn live_states(tableau: &mut Tableau) -> Result<Vec<bool>, Error> {
    let mut reached = vec![0];
    let mut seen = vec![false; tableau.num_states()];
    seen[0] = true;
    let mut next = 0;
    while next < reached.len() {
        let targets: Vec<usize> = tableau
            .expand(reached[next])?
            .iter()
            .map(|chosen| chosen.to)
            .collect();
        seen.resize(tableau.num_states(), false);
        for to in targets {
            if !seen[to] {
                seen[to] = true;
                reached.push(to);
            }
        }
        next += 1;
    }
    // A state is live if the search from it finds an accepting cycle; those before it are then live too.
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); tableau.num_states()];
    for state in &reached {
        for chosen in tableau.expand(*state)? {
            before[chosen.to].push(*state);
        }
    }
    let mut live = vec![false; tableau.num_states()];
    for state in reached {
        if live[state] {
            continue;
        }
        let found = Search::default().run(state, |state, index| {
            Ok(tableau
                .expand(state)?
                .get(index)
                .map(|chosen| (chosen.to, chosen.postponed.clone())))
        })?;
        if found {
            let mut stack = vec![state];
            while let Some(state) = stack.pop() {
                if !std::mem::replace(&mut live[state], true) {
                    stack.extend(&before[state]);
                }
            }
        }
    }
    Ok(live)
}
