//! Satisfiability with witnesses, for both semantics, by a symbolic tableau explored on the fly.
//!
//! A state is a set of obligations that must all hold from now on. Expanding it by the laws
//! `a U b = b | (a & X(a U b))` and their like gives a diagram over the current step, what is owed next and
//! which eventualities were postponed; with the step quantified away, each product of an irredundant sum of
//! products is one successor (Couvreur, "On-the-fly verification of linear temporal logic", FM 1999; products
//! after Minato 1992). Finite traces add the choice that the current step is the last one, and only
//! reachability remains. Infinite traces need a cycle on which no eventuality is postponed for ever, found
//! while the strongly connected components are (Couvreur 1999; Geldenhuys and Valmari, TACAS 2004).

use crate::Error;
use crate::bdd::{Bdd, FALSE, IsopMemo, MAX_LEVELS, Ref, TRUE};
use crate::formula::{Arena, Formula, Node, Prop};
use crate::hash::{FastMap, FastSet};
use crate::normal::Semantics;
use crate::progress::AutomatonLimits;
use crate::trace::{Lasso, Step, Trace};

/// What one level stands for.
///
/// Levels are numbered in the order in which a walk from the outside in meets them, so that an operator is
/// next to its operands: with all letters on top, `p1 U (p2 U (p3 U …))` would need exponential diagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// The step that is read is the last one. Level 0, on finite traces.
    Last,
    /// A proposition holds in the step that is read.
    Letter(Prop),
    /// A proposition is true or false in the next step. The two are separate levels, so that every diagram
    /// is monotone in what is owed.
    Literal(Prop, bool),
    /// A temporal subformula holds from the next step on.
    Temporal(Formula),
    /// The eventuality of a subformula is postponed.
    Postponed(Formula),
}

/// The level of [`Kind::Last`].
const LAST: u32 = 0;

/// One way on from a state.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    /// The state that is entered.
    pub(crate) to: usize,
    /// The eventualities that are postponed, in order.
    pub(crate) postponed: Vec<u32>,
    /// The levels that are owed or postponed: the product that made this move.
    product: Vec<u32>,
}

/// The tableau of a formula, expanded on demand.
pub(crate) struct Tableau {
    pub(crate) bdd: Bdd,
    semantics: Semantics,
    kinds: Vec<Kind>,
    levels: FastMap<Kind, u32>,
    now: FastMap<Formula, Ref>,
    later: FastMap<Formula, Ref>,
    /// Per state, the diagram of what it demands.
    rows: Vec<Ref>,
    moves: Vec<Option<Vec<Move>>>,
    number: FastMap<Vec<u32>, usize>,
    quantified: FastMap<Ref, Ref>,
    products: IsopMemo,
    limits: AutomatonLimits,
    keep_letters: bool,
}

impl Tableau {
    /// A tableau whose first states are the given formulas, in negation normal form.
    pub(crate) fn new(
        arena: &Arena,
        roots: &[Formula],
        semantics: Semantics,
        limits: AutomatonLimits,
    ) -> Result<Tableau, Error> {
        let order = arena.subformulas(roots);
        let props = arena.props_of(roots);
        let temporal = order.iter().filter(|sub| arena.node(**sub).is_temporal()).count();
        if 3 * props.len() + 2 * temporal + 1 > MAX_LEVELS {
            return Err(Error::TooLarge {
                what: "the tableau of a formula",
                limit: MAX_LEVELS,
                unit: "propositions and temporal operators",
                hint: "ask about its conjuncts one by one",
            });
        }
        let mut tableau = Tableau {
            bdd: Bdd::new(limits.max_branches),
            semantics,
            kinds: Vec::new(),
            levels: FastMap::default(),
            now: FastMap::default(),
            later: FastMap::default(),
            rows: Vec::new(),
            moves: Vec::new(),
            number: FastMap::default(),
            quantified: FastMap::default(),
            products: FastMap::default(),
            limits,
            keep_letters: false,
        };
        tableau.number_levels(arena, roots);
        for sub in order {
            tableau.prepare(arena, sub);
            tableau.bdd.check()?;
        }
        for root in roots {
            tableau.rows.push(tableau.now[root]);
            tableau.moves.push(None);
        }
        Ok(tableau)
    }

    /// Makes the moves of a state cover every step that is allowed there.
    ///
    /// Otherwise a move that owes less hides one that owes more even if it needs another step: enough to
    /// tell whether there is a trace, but not to follow a given one.
    pub(crate) fn keep_letters(mut self) -> Tableau {
        self.keep_letters = true;
        self
    }

    /// Gives every variable its level.
    fn number_levels(&mut self, arena: &Arena, roots: &[Formula]) {
        self.add_level(Kind::Last);
        let mut seen: FastSet<Formula> = FastSet::default();
        let mut stack: Vec<Formula> = roots.iter().rev().copied().collect();
        while let Some(sub) = stack.pop() {
            if !seen.insert(sub) {
                continue;
            }
            let node = arena.node(sub);
            match node {
                Node::Prop(prop) => {
                    self.add_level(Kind::Letter(prop));
                    self.add_level(Kind::Literal(prop, true));
                    self.add_level(Kind::Literal(prop, false));
                }
                Node::Finally(_) | Node::Until(..) | Node::StrongRelease(..) => {
                    self.add_level(Kind::Temporal(sub));
                    self.add_level(Kind::Postponed(sub));
                }
                _ if node.is_temporal() => self.add_level(Kind::Temporal(sub)),
                _ => {}
            }
            let before = stack.len();
            stack.extend(node.operands());
            stack[before..].reverse();
        }
    }

    fn add_level(&mut self, kind: Kind) {
        self.levels.insert(kind, self.kinds.len() as u32);
        self.kinds.push(kind);
    }

    fn var(&mut self, kind: Kind) -> Ref {
        let level = self.levels[&kind];
        self.bdd.var(level)
    }

    fn prepare(&mut self, arena: &Arena, sub: Formula) {
        let node = arena.node(sub);
        let (now, later) = match node {
            Node::False => (FALSE, FALSE),
            Node::True => (TRUE, TRUE),
            Node::Prop(prop) => (self.var(Kind::Letter(prop)), self.var(Kind::Literal(prop, true))),
            Node::Not(a) => {
                let now = self.now[&a];
                let later = match arena.node(a) {
                    Node::Prop(prop) => self.var(Kind::Literal(prop, false)),
                    // The normal form negates nothing but propositions.
                    _ => FALSE,
                };
                (self.bdd.not(now), later)
            }
            Node::And(a, b) => {
                let (now, later) = ((self.now[&a], self.now[&b]), (self.later[&a], self.later[&b]));
                (self.bdd.and(now.0, now.1), self.bdd.and(later.0, later.1))
            }
            Node::Or(a, b) => {
                let (now, later) = ((self.now[&a], self.now[&b]), (self.later[&a], self.later[&b]));
                (self.bdd.or(now.0, now.1), self.bdd.or(later.0, later.1))
            }
            _ => {
                let own = self.var(Kind::Temporal(sub));
                (self.unfold(sub, node, own), own)
            }
        };
        self.now.insert(sub, now);
        self.later.insert(sub, later);
    }

    /// What must hold after this step, if there is one: a strong continuation.
    fn strong(&mut self, later: Ref) -> Ref {
        match self.semantics {
            Semantics::Infinite => later,
            Semantics::Finite => {
                let on = self.bdd.not_var(LAST);
                self.bdd.and(on, later)
            }
        }
    }

    /// What must hold after this step unless it is the last: a weak continuation.
    fn weak(&mut self, later: Ref) -> Ref {
        match self.semantics {
            Semantics::Infinite => later,
            Semantics::Finite => {
                let last = self.bdd.var(LAST);
                self.bdd.or(last, later)
            }
        }
    }

    /// A strong continuation that is marked as a postponed eventuality on infinite traces.
    fn postpone(&mut self, sub: Formula, own: Ref) -> Ref {
        let on = self.strong(own);
        if self.semantics == Semantics::Finite {
            return on;
        }
        let mark = self.var(Kind::Postponed(sub));
        self.bdd.and(on, mark)
    }

    fn unfold(&mut self, sub: Formula, node: Node, own: Ref) -> Ref {
        match node {
            Node::Next(a) => {
                let later = self.later[&a];
                self.strong(later)
            }
            Node::WeakNext(a) => {
                let later = self.later[&a];
                self.weak(later)
            }
            Node::Finally(a) => {
                let on = self.postpone(sub, own);
                let now = self.now[&a];
                self.bdd.or(now, on)
            }
            Node::Globally(a) => {
                let on = self.weak(own);
                let now = self.now[&a];
                self.bdd.and(now, on)
            }
            Node::Until(a, b) | Node::WeakUntil(a, b) => {
                let on = if matches!(node, Node::Until(..)) {
                    self.postpone(sub, own)
                } else {
                    self.weak(own)
                };
                let (a, b) = (self.now[&a], self.now[&b]);
                let hold = self.bdd.and(a, on);
                self.bdd.or(b, hold)
            }
            Node::Release(a, b) | Node::StrongRelease(a, b) => {
                let on = if matches!(node, Node::StrongRelease(..)) {
                    self.postpone(sub, own)
                } else {
                    self.weak(own)
                };
                let (a, b) = (self.now[&a], self.now[&b]);
                let free = self.bdd.or(a, on);
                self.bdd.and(b, free)
            }
            // The normal form has no other operator: the formula was put into it before.
            _ => FALSE,
        }
    }

    fn is_letter(&self, level: u32) -> bool {
        matches!(self.kinds[level as usize], Kind::Letter(_))
    }

    pub(crate) fn num_states(&self) -> usize {
        self.rows.len()
    }

    /// The diagram of what a state demands of the step it reads and of what follows.
    fn quantify(&mut self, state: usize) -> Ref {
        let kinds = &self.kinds;
        let is_letter = |level: u32| matches!(kinds[level as usize], Kind::Letter(_));
        self.bdd
            .exists(self.rows[state], &is_letter, &mut self.quantified)
    }

    /// Whether a finite trace may end with the step that is read in a state.
    fn may_end(&mut self, state: usize) -> bool {
        let demand = self.quantify(state);
        if self.bdd.level(demand) == LAST {
            return self.bdd.branch(demand).high != FALSE;
        }
        demand == TRUE
    }

    /// The ways on from a state, fewest obligations first.
    pub(crate) fn expand(&mut self, state: usize) -> Result<&[Move], Error> {
        if self.moves[state].is_none() {
            let made = self.make_moves(state)?;
            self.moves[state] = Some(made);
        }
        Ok(self.moves[state].as_deref().unwrap_or_default())
    }

    fn make_moves(&mut self, state: usize) -> Result<Vec<Move>, Error> {
        let mut demand = if self.keep_letters {
            self.rows[state]
        } else {
            self.quantify(state)
        };
        if self.bdd.level(demand) == LAST {
            demand = self.bdd.branch(demand).low;
        }
        let (products, _) = self.bdd.irredundant(demand, demand, &mut self.products);
        self.bdd.check()?;
        let mut moves = Vec::with_capacity(products.len());
        for product in products.iter() {
            let levels: Vec<u32> = product
                .iter()
                .filter(|(level, value)| *value && !self.is_letter(*level))
                .map(|(level, _)| *level)
                .collect();
            let mut owed = Vec::with_capacity(levels.len());
            let mut postponed = Vec::new();
            for level in &levels {
                match self.kinds[*level as usize] {
                    Kind::Postponed(_) => postponed.push(*level),
                    _ => owed.push(*level),
                }
            }
            if let Some(to) = self.state_of(owed)? {
                moves.push(Move {
                    to,
                    postponed,
                    product: levels,
                });
            }
        }
        moves.sort_by(|a, b| (a.product.len(), &a.product).cmp(&(b.product.len(), &b.product)));
        moves.dedup_by(|a, b| a.product == b.product);
        Ok(moves)
    }

    /// The state with the given obligations, unless they contradict each other within one step.
    fn state_of(&mut self, owed: Vec<u32>) -> Result<Option<usize>, Error> {
        if let Some(state) = self.number.get(&owed) {
            return Ok(Some(*state));
        }
        let mut row = TRUE;
        for level in &owed {
            let part = match self.kinds[*level as usize] {
                Kind::Literal(prop, true) => self.var(Kind::Letter(prop)),
                Kind::Literal(prop, false) => {
                    let level = self.levels[&Kind::Letter(prop)];
                    self.bdd.not_var(level)
                }
                Kind::Temporal(sub) => self.now[&sub],
                // Neither is owed: the caller has set them apart.
                Kind::Postponed(_) | Kind::Letter(_) | Kind::Last => TRUE,
            };
            row = self.bdd.and(row, part);
        }
        self.bdd.check()?;
        if row == FALSE {
            return Ok(None);
        }
        let state = self.rows.len();
        if state >= self.limits.max_states {
            return Err(Error::TooLarge {
                what: "the tableau of a formula",
                limit: self.limits.max_states,
                unit: "states",
                hint: "ask about its conjuncts one by one, or raise the limit",
            });
        }
        self.rows.push(row);
        self.moves.push(None);
        self.number.insert(owed, state);
        Ok(Some(state))
    }

    /// The diagram of the steps that allow a move.
    pub(crate) fn guard(&mut self, state: usize, chosen: &Move) -> Ref {
        let kinds = &self.kinds;
        let fixed = |level: u32| match kinds[level as usize] {
            Kind::Letter(_) => None,
            _ => Some(chosen.product.binary_search(&level).is_ok()),
        };
        self.bdd
            .restrict(self.rows[state], &fixed, &mut FastMap::default())
    }

    /// A diagram over letters as a sum of products.
    pub(crate) fn cubes(&mut self, guard: Ref) -> Vec<Vec<(Prop, bool)>> {
        let (cubes, _) = self.bdd.irredundant(guard, guard, &mut FastMap::default());
        let literal = |(level, value): &(u32, bool)| match self.kinds[*level as usize] {
            Kind::Letter(prop) => Some((prop, *value)),
            _ => None,
        };
        cubes
            .iter()
            .map(|cube| cube.iter().filter_map(literal).collect())
            .collect()
    }

    fn step_of(&self, guard: Ref) -> Option<Step> {
        let path = self.bdd.any_path(guard)?;
        Some(Step::of(path.into_iter().filter_map(
            |(level, value)| match self.kinds[level as usize] {
                Kind::Letter(prop) if value => Some(prop),
                _ => None,
            },
        )))
    }

    fn step_along(&mut self, state: usize, chosen: &Move) -> Option<Step> {
        let guard = self.guard(state, chosen);
        self.step_of(guard)
    }

    fn last_step(&mut self, state: usize) -> Option<Step> {
        let kinds = &self.kinds;
        let fixed = |level: u32| match kinds[level as usize] {
            Kind::Letter(_) => None,
            kind => Some(kind == Kind::Last),
        };
        let guard = self
            .bdd
            .restrict(self.rows[state], &fixed, &mut FastMap::default());
        self.step_of(guard)
    }

    /// A finite trace of at least one step that satisfies the formula.
    fn finite(&mut self) -> Result<Option<Vec<Step>>, Error> {
        let mut from: Vec<Option<(usize, usize)>> = vec![None];
        let mut seen: FastSet<usize> = FastSet::default();
        seen.insert(0);
        let mut stack = vec![0];
        while let Some(state) = stack.pop() {
            if self.may_end(state) {
                let mut steps: Vec<Step> = self.last_step(state).into_iter().collect();
                let mut at = state;
                while let Some((previous, index)) = from[at] {
                    let chosen = self.expand(previous)?[index].clone();
                    steps.extend(self.step_along(previous, &chosen));
                    at = previous;
                }
                steps.reverse();
                return Ok(Some(steps));
            }
            let targets: Vec<usize> = self.expand(state)?.iter().map(|chosen| chosen.to).collect();
            from.resize(self.num_states(), None);
            for (index, to) in targets.into_iter().enumerate().rev() {
                if seen.insert(to) {
                    from[to] = Some((state, index));
                    stack.push(to);
                }
            }
        }
        Ok(None)
    }

    /// An infinite trace that satisfies the formula.
    fn infinite(&mut self) -> Result<Option<Lasso>, Error> {
        let mut search = Search::default();
        let found = search.run(0, |state, index| {
            Ok(self
                .expand(state)?
                .get(index)
                .map(|chosen| (chosen.to, chosen.postponed.clone())))
        })?;
        if found {
            self.lasso(&search).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The lasso through the component that the search has just found to be accepting.
    fn lasso(&mut self, search: &Search) -> Result<Lasso, Error> {
        let root = search.roots.last().map_or(0, |root| root.number);
        let inside: FastSet<usize> = search.component(root);
        let entry = search
            .path
            .iter()
            .position(|open| search.order[&open.state] == root)
            .unwrap_or(0);
        let mut prefix = Vec::new();
        for open in &search.path[..entry] {
            let chosen = self.expand(open.state)?[open.next - 1].clone();
            prefix.extend(self.step_along(open.state, &chosen));
        }
        let start = search.path[entry].state;
        let mut cycle = Vec::new();
        // What some move inside postpones must not be postponed by some move of the cycle.
        let mut left: Vec<u32> = Vec::new();
        for state in search.component_in_order(root) {
            for chosen in self.expand(state)? {
                if inside.contains(&chosen.to) {
                    left.extend(&chosen.postponed);
                }
            }
        }
        left.sort_unstable();
        left.dedup();
        let mut at = start;
        while let Some(promise) = left.first().copied() {
            let goal = |_: usize, chosen: &Move| !chosen.postponed.contains(&promise);
            let Some(walk) = self.walk(at, &inside, goal)? else {
                break;
            };
            for (state, chosen) in walk {
                left.retain(|promise| chosen.postponed.contains(promise));
                cycle.extend(self.step_along(state, &chosen));
                at = chosen.to;
            }
        }
        if at != start || cycle.is_empty() {
            let walk = self.walk(at, &inside, |_, chosen| chosen.to == start)?;
            for (state, chosen) in walk.unwrap_or_default() {
                cycle.extend(self.step_along(state, &chosen));
            }
        }
        Ok(Lasso { prefix, cycle })
    }

    /// A shortest walk inside a component whose last move is a goal.
    fn walk(
        &mut self,
        from: usize,
        inside: &FastSet<usize>,
        goal: impl Fn(usize, &Move) -> bool,
    ) -> Result<Option<Vec<(usize, Move)>>, Error> {
        let mut reached: FastMap<usize, (usize, Move)> = FastMap::default();
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(state) = queue.pop_front() {
            for chosen in self.expand(state)?.to_vec() {
                if !inside.contains(&chosen.to) {
                    continue;
                }
                if goal(state, &chosen) {
                    let mut walk = vec![(state, chosen)];
                    let mut at = state;
                    while at != from {
                        let (previous, chosen) = reached[&at].clone();
                        walk.push((previous, chosen));
                        at = previous;
                    }
                    walk.reverse();
                    return Ok(Some(walk));
                }
                if chosen.to != from && !reached.contains_key(&chosen.to) {
                    queue.push_back(chosen.to);
                    reached.insert(chosen.to, (state, chosen));
                }
            }
        }
        Ok(None)
    }
}

/// A state on the current path of the search.
struct Open {
    state: usize,
    /// The next move to look at.
    next: usize,
}

/// A strongly connected component on the current path.
struct Component {
    /// Number of its first state.
    number: usize,
    /// What every move inside postpones; `None` while there is no move inside.
    always: Option<Vec<u32>>,
    /// What the move that entered the component postpones.
    entered: Vec<u32>,
}

/// Depth-first search that keeps the components of the current path.
#[derive(Default)]
pub(crate) struct Search {
    path: Vec<Open>,
    order: FastMap<usize, usize>,
    live: FastSet<usize>,
    /// Live states in the order of their numbers.
    live_order: Vec<usize>,
    roots: Vec<Component>,
}

impl Search {
    /// Looks for a reachable cycle on which nothing is postponed for ever. `moves` gives the n-th move of a
    /// state with what it postpones. After `true` the last component on the path holds such a cycle.
    pub(crate) fn run(
        &mut self,
        start: usize,
        mut moves: impl FnMut(usize, usize) -> Result<Option<(usize, Vec<u32>)>, Error>,
    ) -> Result<bool, Error> {
        self.enter(start, None);
        while let Some(top) = self.path.last_mut() {
            let (state, index) = (top.state, top.next);
            top.next += 1;
            let Some((to, postponed)) = moves(state, index)? else {
                self.leave();
                continue;
            };
            match self.order.get(&to) {
                None => self.enter(to, Some(postponed)),
                Some(number) if self.live.contains(&to) => {
                    let number = *number;
                    if self.close(number, postponed) {
                        return Ok(true);
                    }
                }
                Some(_) => {}
            }
        }
        Ok(false)
    }

    fn enter(&mut self, state: usize, postponed: Option<Vec<u32>>) {
        let number = self.order.len();
        self.order.insert(state, number);
        self.live.insert(state);
        self.live_order.push(state);
        self.roots.push(Component {
            number,
            always: None,
            entered: postponed.unwrap_or_default(),
        });
        self.path.push(Open { state, next: 0 });
    }

    fn leave(&mut self) {
        let Some(open) = self.path.pop() else { return };
        let number = self.order[&open.state];
        if self.roots.last().is_some_and(|root| root.number == number) {
            self.roots.pop();
            while let Some(state) = self.live_order.last().copied() {
                if self.order[&state] < number {
                    break;
                }
                self.live_order.pop();
                self.live.remove(&state);
            }
        }
    }

    /// A move back to the live state with a number joins components; whether the result is accepting.
    fn close(&mut self, number: usize, postponed: Vec<u32>) -> bool {
        let mut always = postponed;
        while let Some(mut root) = self.roots.pop() {
            if let Some(inside) = &root.always {
                always.retain(|promise| inside.contains(promise));
            }
            if root.number <= number {
                let accepting = always.is_empty();
                root.always = Some(always);
                self.roots.push(root);
                return accepting;
            }
            always.retain(|promise| root.entered.contains(promise));
        }
        false
    }

    fn component_in_order(&self, root: usize) -> Vec<usize> {
        self.live_order
            .iter()
            .copied()
            .filter(|state| self.order[state] >= root)
            .collect()
    }

    fn component(&self, root: usize) -> FastSet<usize> {
        self.component_in_order(root).into_iter().collect()
    }
}

impl Arena {
    /// A trace that satisfies the formula, or `None` if there is none. Finite witnesses have at least one
    /// step, as usual for LTLf; infinite ones are lassos.
    ///
    /// ```
    /// use steward_ltl::{Arena, Semantics, Trace};
    ///
    /// let mut arena = Arena::new();
    /// let patrol = arena.parse("G F a & G F b & G !(a & b)")?;
    /// let Some(Trace::Infinite(lasso)) = arena.witness(patrol, Semantics::Infinite)? else { panic!() };
    /// assert!(arena.holds_on_lasso(patrol, &lasso));
    /// // On a finite trace both would have to hold at the last step.
    /// assert_eq!(arena.witness(patrol, Semantics::Finite)?, None);
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn witness(&mut self, formula: Formula, semantics: Semantics) -> Result<Option<Trace>, Error> {
        self.witness_within(formula, semantics, AutomatonLimits::default())
    }

    /// [`Arena::witness`] with limits of the caller's choice.
    pub fn witness_within(
        &mut self,
        formula: Formula,
        semantics: Semantics,
        limits: AutomatonLimits,
    ) -> Result<Option<Trace>, Error> {
        let small = self.simplify(formula, semantics);
        let mut tableau = Tableau::new(self, &[small], semantics, limits)?;
        Ok(match semantics {
            Semantics::Finite => tableau.finite()?.map(Trace::Finite),
            Semantics::Infinite => tableau.infinite()?.map(Trace::Infinite),
        })
    }

    /// Whether some trace satisfies the formula: see [`Arena::witness`].
    pub fn is_satisfiable(&mut self, formula: Formula, semantics: Semantics) -> Result<bool, Error> {
        Ok(self.witness(formula, semantics)?.is_some())
    }
}
