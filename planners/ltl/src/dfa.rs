//! Deterministic automata whose transitions are shared multi-terminal decision diagrams over propositions.

use std::collections::VecDeque;

use crate::Error;
use crate::bdd::{self, Bdd, Ref};
use crate::formula::{Arena, Formula, Prop};
use crate::hash::FastMap;
use crate::normal::Semantics;
use crate::progress::{AutomatonLimits, Stop, Translation};
use crate::trace::Step;

/// A reference into the rows of a [`Dfa`]: a state if the top bit is set, a branch otherwise.
type RowRef = u32;
const LEAF: u32 = 1 << 31;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Branch {
    level: u32,
    low: RowRef,
    high: RowRef,
}

/// A complete deterministic automaton on finite traces.
///
/// **Convention.** The automaton reads words of steps, the empty word included: its initial state accepts
/// exactly if the empty trace satisfies the formula (see the semantics table of the crate). It is complete,
/// so a formula that can be violated for good has a sink, which counts as a state. Among all such automata
/// of the language a value returned by [`Dfa::of`] has the fewest states, and its numbering is canonical:
/// two minimal automata over one arena are equal (`==`) exactly if they accept the same traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dfa {
    /// Levels of the branches, in increasing order.
    props: Vec<Prop>,
    branches: Vec<Branch>,
    roots: Vec<RowRef>,
    accepting: Vec<bool>,
    initial: u32,
}

/// Literals that a step must satisfy together: a proposition and whether it must hold.
pub type Cube = Vec<(Prop, bool)>;

/// How one state can be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What the step must look like: literals that must hold (true) or not (false). Propositions that are
    /// not named do not matter. The cubes of one state do not overlap.
    pub guard: Cube,
    /// The state that is entered.
    pub to: u32,
}

/// Builds a [`Dfa`] row by row; branches are shared.
#[derive(Debug)]
pub(crate) struct DfaBuilder {
    dfa: Dfa,
    unique: FastMap<Branch, RowRef>,
}

impl DfaBuilder {
    pub(crate) fn new(props: Vec<Prop>) -> DfaBuilder {
        DfaBuilder {
            dfa: Dfa {
                props,
                branches: Vec::new(),
                roots: Vec::new(),
                accepting: Vec::new(),
                initial: 0,
            },
            unique: FastMap::default(),
        }
    }

    /// The row that leads to one state whatever the step.
    pub(crate) fn leaf(state: u32) -> RowRef {
        state | LEAF
    }

    pub(crate) fn branch(&mut self, level: u32, low: RowRef, high: RowRef) -> RowRef {
        if low == high {
            return low;
        }
        let branches = &mut self.dfa.branches;
        let branch = Branch { level, low, high };
        *self.unique.entry(branch).or_insert_with(|| {
            branches.push(branch);
            branches.len() as u32 - 1
        })
    }

    pub(crate) fn push_state(&mut self, root: RowRef, accepting: bool) {
        self.dfa.roots.push(root);
        self.dfa.accepting.push(accepting);
    }

    pub(crate) fn finish(mut self, initial: u32) -> Dfa {
        self.dfa.initial = initial;
        self.dfa
    }
}

impl Dfa {
    /// The minimal complete DFA of a formula on finite traces.
    ///
    /// ```
    /// use steward_ltl::{Arena, Dfa, Step};
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("(!b U a) & F b")?;
    /// let dfa = Dfa::of(&mut arena, rule)?;
    /// assert_eq!(dfa.num_states(), 4);
    /// let (a, b) = (arena.prop("a")?, arena.prop("b")?);
    /// assert!(dfa.accepts(&[Step::of([a]), Step::of([b])]));
    /// assert!(!dfa.accepts(&[Step::of([b]), Step::of([a])]));
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn of(arena: &mut Arena, formula: Formula) -> Result<Dfa, Error> {
        Dfa::within(arena, formula, AutomatonLimits::default())
    }

    /// [`Dfa::of`] with limits of the caller's choice.
    pub fn within(arena: &mut Arena, formula: Formula, limits: AutomatonLimits) -> Result<Dfa, Error> {
        let small = arena.simplify(formula, Semantics::Finite);
        Ok(Translation::new(arena, small, Stop::TraceEnds, limits)?
            .dfa
            .minimise())
    }

    /// Number of states, the sink included.
    pub fn num_states(&self) -> usize {
        self.roots.len()
    }

    /// The initial state.
    pub fn initial(&self) -> u32 {
        self.initial
    }

    /// The propositions that the transitions look at, in order.
    pub fn props(&self) -> &[Prop] {
        &self.props
    }

    /// Whether a trace may end in a state.
    pub fn is_accepting(&self, state: u32) -> bool {
        self.accepting[state as usize]
    }

    /// The state after one step.
    #[inline]
    pub fn step(&self, state: u32, step: &Step) -> u32 {
        let mut row = self.roots[state as usize];
        while row & LEAF == 0 {
            let branch = self.branches[row as usize];
            row = if step.holds(self.props[branch.level as usize]) {
                branch.high
            } else {
                branch.low
            };
        }
        row & !LEAF
    }

    /// Whether a trace is accepted.
    pub fn accepts<'a>(&self, steps: impl IntoIterator<Item = &'a Step>) -> bool {
        self.is_accepting(
            steps
                .into_iter()
                .fold(self.initial, |state, step| self.step(state, step)),
        )
    }

    /// Every way to leave a state, as cubes that do not overlap and together cover every step.
    pub fn edges(&self, state: u32) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut stack = vec![(self.roots[state as usize], Vec::new())];
        while let Some((row, guard)) = stack.pop() {
            if row & LEAF != 0 {
                edges.push(Edge {
                    guard,
                    to: row & !LEAF,
                });
                continue;
            }
            let branch = self.branches[row as usize];
            let prop = self.props[branch.level as usize];
            for (next, value) in [(branch.low, false), (branch.high, true)] {
                let mut guard = guard.clone();
                guard.push((prop, value));
                stack.push((next, guard));
            }
        }
        edges
    }

    /// The steps that lead from a state to one of the wanted states, as few cubes as an irredundant cover
    /// has. No cube at all means that no step does; an empty cube means that every step does.
    pub fn guard(&self, state: u32, wanted: impl Fn(u32) -> bool) -> Vec<Cube> {
        let mut bdd = Bdd::new(usize::MAX);
        let mut made: Vec<Ref> = Vec::with_capacity(self.branches.len());
        let leaf = |row: RowRef| {
            if wanted(row & !LEAF) {
                bdd::TRUE
            } else {
                bdd::FALSE
            }
        };
        // Branches are stored operands first.
        for branch in &self.branches {
            let of = |row: RowRef| {
                if row & LEAF != 0 {
                    leaf(row)
                } else {
                    made[row as usize]
                }
            };
            let (low, high) = (of(branch.low), of(branch.high));
            made.push(bdd.make(branch.level, low, high));
        }
        let root = self.roots[state as usize];
        let whole = if root & LEAF != 0 {
            leaf(root)
        } else {
            made[root as usize]
        };
        let (cubes, _) = bdd.irredundant(whole, whole, &mut FastMap::default());
        cubes
            .iter()
            .map(|cube| {
                cube.iter()
                    .map(|(level, value)| (self.props[*level as usize], *value))
                    .collect()
            })
            .collect()
    }

    /// The states that one step can lead to, each once, in order.
    pub fn successors(&self, state: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut seen: Vec<RowRef> = Vec::new();
        let mut stack = vec![self.roots[state as usize]];
        while let Some(row) = stack.pop() {
            if row & LEAF != 0 {
                found.push(row & !LEAF);
            } else if !seen.contains(&row) {
                seen.push(row);
                let branch = self.branches[row as usize];
                stack.extend([branch.low, branch.high]);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Per state, the fewest steps to an accepting state; `None` for a dead state.
    pub fn steps_to_accept(&self) -> Vec<Option<u32>> {
        self.steps_to(|state| self.is_accepting(state))
    }

    /// Per state, whether every continuation is accepted.
    pub fn settled(&self) -> Vec<bool> {
        self.steps_to(|state| !self.is_accepting(state))
            .iter()
            .map(Option::is_none)
            .collect()
    }

    fn steps_to(&self, goal: impl Fn(u32) -> bool) -> Vec<Option<u32>> {
        let count = self.num_states();
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); count];
        for state in 0..count as u32 {
            for next in self.successors(state) {
                before[next as usize].push(state);
            }
        }
        let mut distance = vec![None; count];
        let mut queue: VecDeque<u32> = (0..count as u32).filter(|state| goal(*state)).collect();
        for state in &queue {
            distance[*state as usize] = Some(0);
        }
        while let Some(state) = queue.pop_front() {
            let next = distance[state as usize].map(|steps: u32| steps + 1);
            for previous in &before[state as usize] {
                if distance[*previous as usize].is_none() {
                    distance[*previous as usize] = next;
                    queue.push_back(*previous);
                }
            }
        }
        distance
    }

    /// The automaton that accepts exactly the other traces.
    #[must_use]
    pub fn complement(&self) -> Dfa {
        let accepting = self.accepting.iter().map(|accepting| !accepting).collect();
        Dfa {
            accepting,
            ..self.clone()
        }
    }

    /// The reachable part of the product of two automata; a pair accepts as `accept` says. Not minimal.
    pub fn product(
        &self,
        other: &Dfa,
        limits: AutomatonLimits,
        accept: impl Fn(bool, bool) -> bool,
    ) -> Result<Dfa, Error> {
        let mut props: Vec<Prop> = self.props.iter().chain(&other.props).copied().collect();
        props.sort_unstable();
        props.dedup();
        let mut builder = DfaBuilder::new(props);
        let mut pairs = vec![(self.initial, other.initial)];
        let mut number: FastMap<(u32, u32), u32> = FastMap::default();
        number.insert(pairs[0], 0);
        let mut merge = Merge {
            left: self,
            right: other,
            merged: FastMap::default(),
        };
        let mut next = 0;
        while next < pairs.len() {
            let (a, b) = pairs[next];
            next += 1;
            let rows = (self.roots[a as usize], other.roots[b as usize]);
            let root = merge.rows(rows, &mut builder, &mut |pair| {
                *number.entry(pair).or_insert_with(|| {
                    pairs.push(pair);
                    pairs.len() as u32 - 1
                })
            });
            builder.push_state(root, accept(self.is_accepting(a), other.is_accepting(b)));
            if pairs.len() > limits.max_states || builder.dfa.branches.len() > limits.max_branches {
                return Err(Error::TooLarge {
                    what: "a product of automata",
                    limit: limits.max_states,
                    unit: "states",
                    hint: "keep the rules apart: monitors and plans compose them on the fly",
                });
            }
        }
        Ok(builder.finish(0))
    }

    /// The minimal automaton of the same language, in canonical numbering.
    #[must_use]
    pub fn minimise(&self) -> Dfa {
        self.minimise_with_classes().0
    }

    /// The minimal automaton, and for each state of this one its state there (`None` if unreachable).
    pub(crate) fn minimise_with_classes(&self) -> (Dfa, Vec<Option<u32>>) {
        let count = self.num_states();
        let mut class: Vec<u32> = self
            .accepting
            .iter()
            .map(|accepting| u32::from(*accepting))
            .collect();
        let mut classes = 1 + class.iter().any(|c| *c != class[0]) as usize;
        // Moore's refinement: two states stay together if they accept alike and their rows, with states
        // replaced by classes, are the same diagram. Branches are stored operands first.
        let mut image: Vec<RowRef> = vec![0; self.branches.len()];
        let mut unique: FastMap<Branch, RowRef> = FastMap::default();
        let mut signature: FastMap<(u32, RowRef), u32> = FastMap::default();
        loop {
            unique.clear();
            signature.clear();
            let of = |image: &[RowRef], class: &[u32], row: RowRef| {
                if row & LEAF != 0 {
                    class[(row & !LEAF) as usize] | LEAF
                } else {
                    image[row as usize]
                }
            };
            for (index, branch) in self.branches.iter().enumerate() {
                let (low, high) = (of(&image, &class, branch.low), of(&image, &class, branch.high));
                image[index] = if low == high {
                    low
                } else {
                    let fresh = unique.len() as u32;
                    *unique
                        .entry(Branch {
                            level: branch.level,
                            low,
                            high,
                        })
                        .or_insert(fresh)
                };
            }
            let refined: Vec<u32> = (0..count)
                .map(|state| {
                    let fresh = signature.len() as u32;
                    let key = (class[state], of(&image, &class, self.roots[state]));
                    *signature.entry(key).or_insert(fresh)
                })
                .collect();
            let found = signature.len();
            class = refined;
            if found == classes {
                break;
            }
            classes = found;
        }
        self.quotient(&class, classes)
    }

    /// One state per class, numbered in the order in which a walk from the initial state meets them.
    fn quotient(&self, class: &[u32], classes: usize) -> (Dfa, Vec<Option<u32>>) {
        const UNSEEN: u32 = u32::MAX;
        let mut member = vec![UNSEEN; classes];
        for (state, class) in class.iter().enumerate().rev() {
            member[*class as usize] = state as u32;
        }
        let mut number = vec![UNSEEN; classes];
        let mut order = vec![class[self.initial as usize]];
        number[order[0] as usize] = 0;
        // Numbers first, by a walk in which the low branch comes before the high one.
        let mut next = 0;
        let mut stack = Vec::new();
        let mut visited = vec![UNSEEN; self.branches.len()];
        while next < order.len() {
            let state = member[order[next] as usize];
            stack.push(self.roots[state as usize]);
            while let Some(row) = stack.pop() {
                if row & LEAF != 0 {
                    let target = class[(row & !LEAF) as usize];
                    if number[target as usize] == UNSEEN {
                        number[target as usize] = order.len() as u32;
                        order.push(target);
                    }
                } else if visited[row as usize] == UNSEEN {
                    // A branch met from an earlier state has no state that is still without a number.
                    visited[row as usize] = 0;
                    let branch = self.branches[row as usize];
                    stack.extend([branch.high, branch.low]);
                }
            }
            next += 1;
        }
        // Then rows, keeping only propositions that still matter.
        let mut builder = DfaBuilder::new(self.props.clone());
        let mut copied: FastMap<RowRef, RowRef> = FastMap::default();
        for target in &order {
            let state = member[*target as usize];
            let root = self.copy_row(
                self.roots[state as usize],
                class,
                &number,
                &mut builder,
                &mut copied,
            );
            builder.push_state(root, self.accepting[state as usize]);
        }
        let mut dfa = builder.finish(0);
        dfa.drop_unused_props();
        let to = class
            .iter()
            .map(|class| Some(number[*class as usize]).filter(|number| *number != UNSEEN))
            .collect();
        (dfa, to)
    }

    fn copy_row(
        &self,
        row: RowRef,
        class: &[u32],
        number: &[u32],
        builder: &mut DfaBuilder,
        copied: &mut FastMap<RowRef, RowRef>,
    ) -> RowRef {
        if row & LEAF != 0 {
            return number[class[(row & !LEAF) as usize] as usize] | LEAF;
        }
        if let Some(done) = copied.get(&row) {
            return *done;
        }
        let branch = self.branches[row as usize];
        let low = self.copy_row(branch.low, class, number, builder, copied);
        let high = self.copy_row(branch.high, class, number, builder, copied);
        let made = builder.branch(branch.level, low, high);
        copied.insert(row, made);
        made
    }

    /// Levels without a branch disappear, and branches that no row uses too.
    fn drop_unused_props(&mut self) {
        let mut used = vec![false; self.props.len()];
        for branch in &self.branches {
            used[branch.level as usize] = true;
        }
        let mut level = vec![0; used.len()];
        let mut kept = Vec::new();
        for (old, prop) in self.props.iter().enumerate() {
            level[old] = kept.len() as u32;
            if used[old] {
                kept.push(*prop);
            }
        }
        self.props = kept;
        for branch in &mut self.branches {
            branch.level = level[branch.level as usize];
        }
    }

    /// A shortest trace on which two automata differ, or `None` if they accept the same traces. With
    /// `nonempty` the empty trace is not compared.
    pub fn difference(&self, other: &Dfa, nonempty: bool) -> Option<Vec<Step>> {
        let props: Vec<Prop> = {
            let mut all: Vec<Prop> = self.props.iter().chain(&other.props).copied().collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let start = (self.initial, other.initial);
        let differ = |(a, b): (u32, u32)| self.is_accepting(a) != other.is_accepting(b);
        if !nonempty && differ(start) {
            return Some(Vec::new());
        }
        let mut builder = DfaBuilder::new(props);
        let mut merge = Merge {
            left: self,
            right: other,
            merged: FastMap::default(),
        };
        let mut pairs = vec![start];
        let mut from: Vec<usize> = vec![0];
        let mut number: FastMap<(u32, u32), u32> = FastMap::default();
        number.insert(start, 0);
        let mut rows = Vec::new();
        let mut next = 0;
        while next < pairs.len() {
            let (a, b) = pairs[next];
            let before = pairs.len();
            let root = merge.rows(
                (self.roots[a as usize], other.roots[b as usize]),
                &mut builder,
                &mut |pair| {
                    *number.entry(pair).or_insert_with(|| {
                        pairs.push(pair);
                        pairs.len() as u32 - 1
                    })
                },
            );
            from.resize(pairs.len(), next);
            rows.push(root);
            // The start itself counts when a step leads back to it.
            let found = (before..pairs.len())
                .find(|at| differ(pairs[*at]))
                .or_else(|| (nonempty && differ(start) && builder.dfa.path(root, 0).is_some()).then_some(0));
            if let Some(last) = found {
                let mut steps = vec![builder.dfa.path(root, last as u32)?];
                let mut at = next;
                while at != 0 {
                    let previous = from[at];
                    steps.push(builder.dfa.path(rows[previous], at as u32)?);
                    at = previous;
                }
                steps.reverse();
                return Some(steps);
            }
            next += 1;
        }
        None
    }

    /// A step that leads from a row to a state, with as few propositions as a greedy walk finds.
    fn path(&self, row: RowRef, to: u32) -> Option<Step> {
        let mut stack = vec![(row, Step::new())];
        let mut seen = Vec::new();
        while let Some((row, step)) = stack.pop() {
            if row & LEAF != 0 {
                if row & !LEAF == to {
                    return Some(step);
                }
                continue;
            }
            if seen.contains(&row) {
                continue;
            }
            seen.push(row);
            let branch = self.branches[row as usize];
            stack.push((
                branch.high,
                step.clone().with([self.props[branch.level as usize]]),
            ));
            stack.push((branch.low, step));
        }
        None
    }

    /// A step that leads from one state to another, if there is one.
    pub fn step_between(&self, from: u32, to: u32) -> Option<Step> {
        self.path(self.roots[from as usize], to)
    }

    /// A shortest accepted trace, of at least one step if `nonempty`.
    pub fn shortest(&self, nonempty: bool) -> Option<Vec<Step>> {
        let distance = self.steps_to_accept();
        let mut state = self.initial;
        let mut steps = Vec::new();
        if !nonempty && self.is_accepting(state) {
            return Some(steps);
        }
        loop {
            let next = self
                .successors(state)
                .into_iter()
                .filter(|next| distance[*next as usize].is_some())
                .min_by_key(|next| distance[*next as usize])?;
            steps.push(self.step_between(state, next)?);
            state = next;
            if self.is_accepting(state) {
                return Some(steps);
            }
        }
    }
}

/// The rows of two automata, merged pair by pair.
struct Merge<'a> {
    left: &'a Dfa,
    right: &'a Dfa,
    merged: FastMap<(RowRef, RowRef), RowRef>,
}

impl Merge<'_> {
    fn rows(
        &mut self,
        (a, b): (RowRef, RowRef),
        builder: &mut DfaBuilder,
        pair: &mut impl FnMut((u32, u32)) -> u32,
    ) -> RowRef {
        if a & LEAF != 0 && b & LEAF != 0 {
            return DfaBuilder::leaf(pair((a & !LEAF, b & !LEAF)));
        }
        if let Some(done) = self.merged.get(&(a, b)) {
            return *done;
        }
        let prop = |dfa: &Dfa, row: RowRef| {
            (row & LEAF == 0).then(|| dfa.props[dfa.branches[row as usize].level as usize])
        };
        let (left, right) = (prop(self.left, a), prop(self.right, b));
        let top = match (left, right) {
            (Some(x), Some(y)) => x.min(y),
            (Some(x), None) | (None, Some(x)) => x,
            (None, None) => Prop(0),
        };
        let split = |dfa: &Dfa, row: RowRef, own: Option<Prop>| {
            if own == Some(top) {
                let branch = dfa.branches[row as usize];
                (branch.low, branch.high)
            } else {
                (row, row)
            }
        };
        let (a_low, a_high) = split(self.left, a, left);
        let (b_low, b_high) = split(self.right, b, right);
        let low = self.rows((a_low, b_low), builder, pair);
        let high = self.rows((a_high, b_high), builder, pair);
        let level = builder.dfa.props.partition_point(|other| *other < top) as u32;
        let made = builder.branch(level, low, high);
        self.merged.insert((a, b), made);
        made
    }
}
