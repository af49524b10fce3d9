//! Formula progression: what is still owed after each step.
//!
//! After "Engineering an LTLf Synthesis Tool" (Duret-Lutz, Zhu, Piterman, De Giacomo, Vardi;
//! arXiv 2507.02491): the successors of a state for every possible step are one multi-terminal decision
//! diagram, and states are equal when they are propositionally equivalent. Here both levels live in one
//! diagram. The upper levels are the propositions of the step that is read; the lower levels are what may be
//! owed from the next step on: temporal subformulas, literals, "there is a next step" and "there is none". A
//! state is a diagram over the lower levels only, so equivalence of states is equality of handles, and the
//! terminals of a row are the sub-diagrams at the border.
//!
//! Temporal subformulas occur positively in the normal form, so a diagram is monotone in them, and a branch
//! `(v, low, high)` progresses to `low' | (v' & high')`.

use crate::Error;
use crate::bdd::{Bdd, FALSE, MAX_LEVELS, Ref, TRUE};
use crate::dfa::{Dfa, DfaBuilder};
use crate::formula::{Arena, Formula, Node, Prop};
use crate::hash::FastMap;

/// Limits on automata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutomatonLimits {
    /// Most states of one automaton before minimisation.
    pub max_states: usize,
    /// Most branches of decision diagrams.
    pub max_branches: usize,
}

impl Default for AutomatonLimits {
    fn default() -> AutomatonLimits {
        AutomatonLimits {
            max_states: 200_000,
            max_branches: 8_000_000,
        }
    }
}

/// What one lower level stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owed {
    /// A proposition (by its level) holds in the next step.
    Prop(u32),
    /// A temporal subformula holds from the next step on.
    Temporal(Formula),
    /// There is a next step.
    Step,
    /// There is no next step.
    End,
}

/// When a trace may stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// When the rest, of no step at all, satisfies what is owed: the finite-trace semantics.
    TraceEnds,
    /// When what is owed holds if nothing ever happens again: the infinite-trace semantics, followed by
    /// steps in which no proposition holds.
    NothingHappens,
}

/// A formula being progressed.
pub(crate) struct Progression {
    bdd: Bdd,
    props: Vec<Prop>,
    owed: Vec<Owed>,
    levels: FastMap<Owed, u32>,
    /// Per subformula: it holds from now on.
    now: FastMap<Formula, Ref>,
    /// Per subformula: it holds from the next step on.
    later: FastMap<Formula, Ref>,
    /// Per subformula: its value where the trace stops.
    at_stop: FastMap<Formula, bool>,
    rows: FastMap<Ref, Ref>,
    stop: Stop,
    initial: Ref,
}

/// A DFA with, per state, the diagram of what is owed there.
pub(crate) struct Translation {
    pub(crate) dfa: Dfa,
    states: Vec<Ref>,
    progression: Progression,
}

impl Progression {
    /// Prepares a formula in negation normal form.
    fn new(
        arena: &Arena,
        formula: Formula,
        stop: Stop,
        limits: AutomatonLimits,
    ) -> Result<Progression, Error> {
        let order = arena.subformulas(&[formula]);
        let mut props: Vec<Prop> = order
            .iter()
            .filter_map(|sub| match arena.node(*sub) {
                Node::Prop(prop) => Some(prop),
                _ => None,
            })
            .collect();
        props.sort_unstable();
        let temporal = order.iter().filter(|sub| arena.node(**sub).is_temporal()).count();
        if 2 * props.len() + temporal + 2 > MAX_LEVELS {
            return Err(Error::TooLarge {
                what: "an automaton",
                limit: MAX_LEVELS,
                unit: "propositions and temporal operators",
                hint: "split the formula into several rules",
            });
        }
        let mut progression = Progression {
            bdd: Bdd::new(limits.max_branches),
            props,
            owed: Vec::new(),
            levels: FastMap::default(),
            now: FastMap::default(),
            later: FastMap::default(),
            at_stop: FastMap::default(),
            rows: FastMap::default(),
            stop,
            initial: FALSE,
        };
        for sub in order {
            progression.prepare(arena, sub);
            progression.bdd.check()?;
        }
        progression.initial = progression.later[&formula];
        Ok(progression)
    }

    fn border(&self) -> u32 {
        self.props.len() as u32
    }

    fn owe(&mut self, what: Owed) -> Ref {
        let border = self.border();
        let owed = &mut self.owed;
        let level = *self.levels.entry(what).or_insert_with(|| {
            owed.push(what);
            border + owed.len() as u32 - 1
        });
        self.bdd.var(level)
    }

    fn prop_level(&self, prop: Prop) -> u32 {
        self.props.partition_point(|other| *other < prop) as u32
    }

    fn prepare(&mut self, arena: &Arena, sub: Formula) {
        let node = arena.node(sub);
        let value = self.value_at_stop(node);
        self.at_stop.insert(sub, value);
        let (now, later) = match node {
            Node::False => (FALSE, FALSE),
            Node::True => (TRUE, TRUE),
            Node::Prop(prop) => {
                let level = self.prop_level(prop);
                (self.bdd.var(level), self.owe(Owed::Prop(level)))
            }
            Node::Not(a) => {
                let (now, later) = (self.now[&a], self.later[&a]);
                (self.bdd.not(now), self.bdd.not(later))
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
                let own = self.owe(Owed::Temporal(sub));
                (self.unfold(node, own), own)
            }
        };
        self.now.insert(sub, now);
        self.later.insert(sub, later);
    }

    /// The expansion law of a temporal operator; `own` is the operator itself from the next step on.
    fn unfold(&mut self, node: Node, own: Ref) -> Ref {
        match node {
            Node::Next(a) => {
                let later = self.later[&a];
                if self.stop == Stop::TraceEnds && self.at_stop[&a] {
                    let step = self.owe(Owed::Step);
                    self.bdd.and(later, step)
                } else {
                    later
                }
            }
            Node::WeakNext(a) => {
                let later = self.later[&a];
                if self.stop == Stop::TraceEnds && !self.at_stop[&a] {
                    let end = self.owe(Owed::End);
                    self.bdd.or(later, end)
                } else {
                    later
                }
            }
            Node::Finally(a) => {
                let now = self.now[&a];
                self.bdd.or(now, own)
            }
            Node::Globally(a) => {
                let now = self.now[&a];
                self.bdd.and(now, own)
            }
            Node::Until(a, b) | Node::WeakUntil(a, b) => {
                let (a, b) = (self.now[&a], self.now[&b]);
                let on = self.bdd.and(a, own);
                self.bdd.or(b, on)
            }
            Node::Release(a, b) | Node::StrongRelease(a, b) => {
                let (a, b) = (self.now[&a], self.now[&b]);
                let on = self.bdd.or(a, own);
                self.bdd.and(b, on)
            }
            // The normal form has no other operator: the formula was put into it before.
            _ => FALSE,
        }
    }

    fn value_at_stop(&self, node: Node) -> bool {
        let of = |a: Formula| self.at_stop[&a];
        let ends = self.stop == Stop::TraceEnds;
        match node {
            Node::False | Node::Prop(_) => false,
            Node::True => true,
            Node::Not(a) => !of(a),
            Node::And(a, b) => of(a) && of(b),
            Node::Or(a, b) => of(a) || of(b),
            Node::Next(_) | Node::Finally(_) | Node::Until(..) | Node::StrongRelease(..) if ends => false,
            Node::WeakNext(_) | Node::Globally(_) | Node::WeakUntil(..) | Node::Release(..) if ends => true,
            Node::Next(a) | Node::WeakNext(a) | Node::Finally(a) | Node::Globally(a) => of(a),
            Node::Until(_, b) | Node::Release(_, b) => of(b),
            Node::WeakUntil(a, b) => of(a) || of(b),
            Node::StrongRelease(a, b) => of(a) && of(b),
            Node::Implies(a, b) => !of(a) || of(b),
            Node::Iff(a, b) => of(a) == of(b),
            Node::Xor(a, b) => of(a) != of(b),
        }
    }

    /// What a state becomes, for every step that may be read.
    fn row(&mut self, state: Ref) -> Ref {
        if state <= TRUE {
            return state;
        }
        if let Some(row) = self.rows.get(&state) {
            return *row;
        }
        let branch = self.bdd.branch(state);
        let low = self.row(branch.low);
        let high = self.row(branch.high);
        let row = match self.owed[(branch.level - self.border()) as usize] {
            Owed::Prop(level) => self.bdd.choose(level, low, high),
            Owed::Temporal(sub) => {
                let now = self.now[&sub];
                let with = self.bdd.and(now, high);
                self.bdd.or(low, with)
            }
            Owed::Step => high,
            Owed::End => low,
        };
        self.rows.insert(state, row);
        row
    }

    fn accepts_stop(&self, state: Ref) -> bool {
        let border = self.border();
        self.bdd
            .eval(state, |level| match self.owed[(level - border) as usize] {
                Owed::Prop(_) | Owed::Step => false,
                Owed::Temporal(sub) => self.at_stop[&sub],
                Owed::End => true,
            })
    }
}

impl Translation {
    /// The complete DFA of a formula in negation normal form, not yet minimal.
    pub(crate) fn new(
        arena: &Arena,
        formula: Formula,
        stop: Stop,
        limits: AutomatonLimits,
    ) -> Result<Translation, Error> {
        let mut progression = Progression::new(arena, formula, stop, limits)?;
        let border = progression.border();
        let mut states = vec![progression.initial];
        let mut number: FastMap<Ref, u32> = FastMap::default();
        number.insert(progression.initial, 0);
        let mut builder = DfaBuilder::new(progression.props.clone());
        let mut copied: FastMap<Ref, u32> = FastMap::default();
        let mut next = 0;
        while next < states.len() {
            let state = states[next];
            next += 1;
            let row = progression.row(state);
            progression.bdd.check()?;
            let root = copy_row(
                &progression.bdd,
                row,
                border,
                &mut builder,
                &mut copied,
                &mut |successor| {
                    *number.entry(successor).or_insert_with(|| {
                        states.push(successor);
                        states.len() as u32 - 1
                    })
                },
            );
            builder.push_state(root, progression.accepts_stop(state));
            if states.len() > limits.max_states {
                return Err(Error::TooLarge {
                    what: "an automaton",
                    limit: limits.max_states,
                    unit: "states",
                    hint: "split the formula into several rules: they are composed on the fly",
                });
            }
        }
        Ok(Translation {
            dfa: builder.finish(0),
            states,
            progression,
        })
    }

    /// What is owed in a state, as a formula in negation normal form.
    pub(crate) fn owed(&mut self, arena: &mut Arena, state: usize) -> Formula {
        let diagram = self.states[state];
        let (cubes, _) = self
            .progression
            .bdd
            .irredundant(diagram, diagram, &mut FastMap::default());
        let border = self.progression.border();
        let mut options = Vec::with_capacity(cubes.len());
        for cube in cubes.iter() {
            let mut parts = Vec::with_capacity(cube.len());
            for (level, value) in cube {
                parts.push(match self.progression.owed[(level - border) as usize] {
                    Owed::Prop(level) => {
                        let atom = arena.atom(self.progression.props[level as usize]);
                        if *value { atom } else { arena.not(atom) }
                    }
                    Owed::Temporal(sub) => sub,
                    Owed::Step => arena.finally(Arena::TRUE),
                    Owed::End => arena.globally(Arena::FALSE),
                });
            }
            options.push(arena.all(parts));
        }
        arena.any(options)
    }
}

/// Copies the part of a row above the border; what lies below is numbered by `successor`.
fn copy_row(
    bdd: &Bdd,
    row: Ref,
    border: u32,
    builder: &mut DfaBuilder,
    copied: &mut FastMap<Ref, u32>,
    successor: &mut impl FnMut(Ref) -> u32,
) -> u32 {
    if let Some(done) = copied.get(&row) {
        return *done;
    }
    let branch = bdd.branch(row);
    let made = if branch.level >= border {
        DfaBuilder::leaf(successor(row))
    } else {
        let low = copy_row(bdd, branch.low, border, builder, copied, successor);
        let high = copy_row(bdd, branch.high, border, builder, copied, successor);
        builder.branch(branch.level, low, high)
    };
    copied.insert(row, made);
    made
}
