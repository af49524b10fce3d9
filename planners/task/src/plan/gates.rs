//! A graph of gates: conditions over facts, what actions do to them, and relaxed plans through both.
//!
//! A gate is reached when `need` of its inputs are. "And" needs all, "or" needs one, "at least k" needs k; a
//! literal needs one of the effects that make it hold. Conditions, effects, rules and the goal are gates of one
//! graph, so one pass of Dijkstra's algorithm over it prices everything that can be reached when nothing that
//! holds is ever lost (Hoffmann and Nebel 2001; Knuth 1977 for the generalisation of Dijkstra's algorithm).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A gate by its number.
pub(crate) type GateId = u32;

/// A cost in thousandths.
pub(crate) type Cost = u64;

/// What cannot be reached costs this.
pub(crate) const UNREACHABLE: Cost = Cost::MAX;

/// What a gate stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// That a fact holds, or that it does not.
    Literal(u32, bool),
    /// Doing an action.
    Act(u32),
    /// Anything else.
    Condition,
}

/// The graph.
#[derive(Debug, Clone)]
pub(crate) struct Gates {
    need: Vec<u32>,
    weight: Vec<Cost>,
    meaning: Vec<Meaning>,
    inputs: Vec<Vec<GateId>>,
    outputs: Vec<Vec<GateId>>,
    literals: Vec<GateId>,
}

/// The gate that is always reached.
pub(crate) const TRUE: GateId = 0;
/// The gate that never is.
pub(crate) const FALSE: GateId = 1;

impl Gates {
    /// A graph with [`TRUE`] and [`FALSE`].
    pub(crate) fn new() -> Gates {
        let mut gates = Gates {
            need: Vec::new(),
            weight: Vec::new(),
            meaning: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            literals: Vec::new(),
        };
        gates.push(0, 0, Meaning::Condition, Vec::new());
        gates.push(1, 0, Meaning::Condition, Vec::new());
        gates
    }

    pub(crate) fn len(&self) -> usize {
        self.need.len()
    }

    pub(crate) fn need(&self, gate: GateId) -> u32 {
        self.need[gate as usize]
    }

    pub(crate) fn inputs(&self, gate: GateId) -> &[GateId] {
        &self.inputs[gate as usize]
    }

    pub(crate) fn meaning(&self, gate: GateId) -> Meaning {
        self.meaning[gate as usize]
    }

    /// The gate for a literal; its inputs are the effects that make it so.
    pub(crate) fn literal(&mut self, fact: u32, holds: bool) -> GateId {
        let gate = self.push(1, 0, Meaning::Literal(fact, holds), Vec::new());
        self.literals.push(gate);
        gate
    }

    /// A gate that needs one input, and has none yet.
    pub(crate) fn any(&mut self) -> GateId {
        self.push(1, 0, Meaning::Condition, Vec::new())
    }

    /// Takes away the only input of an action, so that it is never reached.
    pub(crate) fn forbid(&mut self, act: GateId) {
        self.need[act as usize] = u32::MAX;
    }

    fn push(&mut self, need: u32, weight: Cost, meaning: Meaning, inputs: Vec<GateId>) -> GateId {
        let id = self.need.len() as GateId;
        for input in &inputs {
            self.outputs[*input as usize].push(id);
        }
        self.need.push(need);
        self.weight.push(weight);
        self.meaning.push(meaning);
        self.inputs.push(inputs);
        self.outputs.push(Vec::new());
        id
    }

    /// A condition that holds when at least `need` of the inputs do.
    pub(crate) fn condition(&mut self, need: usize, mut inputs: Vec<GateId>) -> GateId {
        let certain = inputs.iter().filter(|input| **input == TRUE).count();
        if certain >= need {
            return TRUE;
        }
        let need = need - certain;
        inputs.retain(|input| *input != TRUE && *input != FALSE);
        if need > inputs.len() {
            return FALSE;
        }
        // The same condition twice is one condition where all or any are needed; where they are counted it is two.
        if need == 1 || need == inputs.len() {
            let all = need > 1;
            inputs.sort_unstable();
            inputs.dedup();
            if inputs.len() == 1 {
                return inputs[0];
            }
            let need = if all { inputs.len() } else { 1 };
            return self.push(need as u32, 0, Meaning::Condition, inputs);
        }
        self.push(need as u32, 0, Meaning::Condition, inputs)
    }

    pub(crate) fn all(&mut self, inputs: Vec<GateId>) -> GateId {
        self.condition(inputs.len(), inputs)
    }

    /// A gate that is reached by doing an action, at its cost.
    pub(crate) fn act(&mut self, action: u32, cost: Cost, precondition: GateId) -> GateId {
        self.push(1, cost, Meaning::Act(action), vec![precondition])
    }

    /// One more way to reach a gate that needs one input.
    pub(crate) fn feed(&mut self, gate: GateId, input: GateId) {
        self.inputs[gate as usize].push(input);
        self.outputs[input as usize].push(gate);
    }

    /// Whether a condition holds in a state; conditions only, since their inputs come before them.
    pub(crate) fn holds(&self, gate: GateId, state: &[u64], memory: &mut Memory) -> bool {
        if let Meaning::Literal(fact, holds) = self.meaning[gate as usize] {
            return bit(state, fact) == holds;
        }
        let known = memory.known[gate as usize];
        if known >> 1 == memory.round {
            return known & 1 == 1;
        }
        let mut need = self.need[gate as usize];
        for input in &self.inputs[gate as usize] {
            if need == 0 {
                break;
            }
            need -= u32::from(self.holds(*input, state, memory));
        }
        memory.known[gate as usize] = memory.round << 1 | u64::from(need == 0);
        need == 0
    }

    /// Prices every gate from a state, until `goal` is reached.
    ///
    /// `also` are gates that are reached to begin with, besides the literals of the state. With `Sum::Add` the
    /// inputs of a gate are paid one by one; with `Sum::Max` only the dearest is, and then the price of the goal
    /// is never more than the cost of a real plan (Bonet and Geffner 2001).
    pub(crate) fn price(&self, state: &[u64], also: &[GateId], goal: GateId, sum: Sum, prices: &mut Prices) {
        prices.begin(self);
        for gate in &self.literals {
            if let Meaning::Literal(fact, holds) = self.meaning[*gate as usize]
                && bit(state, fact) == holds
            {
                prices.offer(*gate, 0);
            }
        }
        for gate in also {
            prices.offer(*gate, 0);
        }
        prices.offer(TRUE, 0);
        // What costs no more than the cheapest that is waiting is not put in the heap: most conditions cost nothing
        // beyond their inputs.
        while let Some((price, gate)) = prices.next() {
            let at = gate as usize;
            if prices.rank[at] != 0 {
                continue;
            }
            prices.reached += 1;
            prices.rank[at] = prices.reached;
            if gate == goal {
                return;
            }
            for &next in &self.outputs[at] {
                let to = next as usize;
                if prices.missing[to] == 0 {
                    continue;
                }
                prices.missing[to] -= 1;
                prices.paid[to] = match sum {
                    Sum::Add => prices.paid[to].saturating_add(price),
                    Sum::Max => prices.paid[to].max(price),
                };
                if prices.missing[to] == 0 {
                    let total = prices.paid[to].saturating_add(self.weight[to]);
                    prices.offer(next, total);
                }
            }
        }
    }

    /// The literals that [`Gates::price`] did not reach, as fact and value.
    pub(crate) fn unreached<'g>(&'g self, prices: &'g Prices) -> impl Iterator<Item = (u32, bool)> + 'g {
        let unreached = self
            .literals
            .iter()
            .filter(|gate| prices.of(**gate) == UNREACHABLE);
        unreached.filter_map(|gate| match self.meaning(*gate) {
            Meaning::Literal(fact, value) => Some((fact, value)),
            _ => None,
        })
    }

    /// The actions of a relaxed plan for a gate that [`Gates::price`] reached, each once, in increasing order.
    pub(crate) fn relaxed_plan(&self, goal: GateId, prices: &mut Prices, actions: &mut Vec<u32>) {
        actions.clear();
        prices.round += 1;
        let mut stack = vec![goal];
        while let Some(gate) = stack.pop() {
            let at = gate as usize;
            if std::mem::replace(&mut prices.visited[at], prices.round) == prices.round || prices.given[at] {
                continue;
            }
            if let Meaning::Act(action) = self.meaning[at] {
                actions.push(action);
            }
            let need = self.need[at] as usize;
            let inputs = &self.inputs[at];
            if need == inputs.len() {
                stack.extend(inputs);
                continue;
            }
            // The inputs that were reached first are those that were paid for.
            let mut reached: Vec<(u32, GateId)> = inputs
                .iter()
                .filter(|input| prices.rank[**input as usize] != 0)
                .map(|input| (prices.rank[*input as usize], *input))
                .collect();
            reached.sort_unstable();
            stack.extend(reached.iter().take(need).map(|(_, input)| *input));
        }
        actions.sort_unstable();
        actions.dedup();
    }
}

/// How the prices of the inputs of a gate add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Add,
    Max,
}

/// What is known about the conditions in one state.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    known: Vec<u64>,
    round: u64,
}

impl Memory {
    pub(crate) fn new(gates: &Gates) -> Memory {
        Memory {
            known: vec![0; gates.len()],
            round: 1,
        }
    }

    /// Forgets everything, for another state.
    pub(crate) fn forget(&mut self) {
        self.round += 1;
    }
}

/// The prices of the gates, from one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prices {
    missing: Vec<u32>,
    paid: Vec<Cost>,
    /// When a gate was reached, from 1; 0 if it was not.
    rank: Vec<u32>,
    /// Whether a gate costs nothing because it holds to begin with.
    given: Vec<bool>,
    reached: u32,
    visited: Vec<u64>,
    round: u64,
    open: BinaryHeap<Reverse<(Cost, GateId)>>,
    /// Gates that cost as much as the one looked at.
    level: Vec<GateId>,
    now: Cost,
    price: Vec<Cost>,
}

impl Prices {
    pub(crate) fn new(gates: &Gates) -> Prices {
        Prices {
            visited: vec![0; gates.len()],
            ..Prices::default()
        }
    }

    fn begin(&mut self, gates: &Gates) {
        self.missing.clone_from(&gates.need);
        self.paid.clear();
        self.paid.resize(gates.len(), 0);
        self.rank.clear();
        self.rank.resize(gates.len(), 0);
        self.given.clear();
        self.given.resize(gates.len(), false);
        self.price.clear();
        self.price.resize(gates.len(), UNREACHABLE);
        self.open.clear();
        self.level.clear();
        self.now = 0;
        self.reached = 0;
    }

    fn next(&mut self) -> Option<(Cost, GateId)> {
        if let Some(gate) = self.level.pop() {
            return Some((self.now, gate));
        }
        let Reverse((price, gate)) = self.open.pop()?;
        self.now = price;
        Some((price, gate))
    }

    fn offer(&mut self, gate: GateId, price: Cost) {
        let at = gate as usize;
        if price < self.price[at] {
            self.price[at] = price;
            self.given[at] |= price == 0 && self.reached == 0;
            self.missing[at] = 0;
            if price == self.now {
                self.level.push(gate);
            } else {
                self.open.push(Reverse((price, gate)));
            }
        }
    }

    /// How many gates were reached.
    pub(crate) fn reached(&self) -> usize {
        self.reached as usize
    }

    /// The price of a gate; [`UNREACHABLE`] if it was not reached.
    pub(crate) fn of(&self, gate: GateId) -> Cost {
        if self.rank[gate as usize] == 0 {
            UNREACHABLE
        } else {
            self.price[gate as usize]
        }
    }
}

pub(crate) fn bit(state: &[u64], fact: u32) -> bool {
    state[fact as usize / 64] >> (fact % 64) & 1 == 1
}

pub(crate) fn set_bit(state: &mut [u64], fact: u32, value: bool) {
    let word = &mut state[fact as usize / 64];
    let mask = 1 << (fact % 64);
    if value {
        *word |= mask;
    } else {
        *word &= !mask;
    }
}
