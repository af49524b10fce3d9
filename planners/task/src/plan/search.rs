//! Search in the product of a ground task, the actions that are asked for and the rules.
//!
//! A first plan comes from greedy best-first search on relaxed plans, with helpful actions first and successors
//! priced only when their turn comes (Richter and Westphal 2010). Then needless actions are taken out, and A* looks
//! for cheaper plans while the budget lasts; states whose admissible price shows that they cannot lead to one are
//! left out, so when nothing is left the plan is the cheapest.

use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasherDefault;

use steward_ltl::{Step, Verdict};

use super::gates::{Cost, GateId, Memory, Prices, Sum, UNREACHABLE};
use super::lift::Task;

/// What a search comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Operators in order, their cost, and whether no plan of the task is cheaper.
    Plan(Vec<u32>, Cost, bool),
    /// Every state was tried.
    Nothing,
    /// The budget came first.
    OutOfBudget,
}

const NOBODY: u32 = u32::MAX;

/// Turns that helpful actions get in advance for every progress (Richter and Westphal 2010).
const BOOST: i64 = 1000;

/// Gates that may be reached in a state that counts as one; where there are more it counts as several.
const GATES_OF_A_STATE: usize = 4096;

/// What is compared first, what second, order of arrival, parent and operator.
type Queue = BinaryHeap<Reverse<(Cost, Cost, u64, u32, u32)>>;

/// A state that was met.
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    operator: u32,
    cost: Cost,
    /// What is left, estimated; [`UNREACHABLE`] before it was priced and where nothing leads on.
    left: Cost,
    priced: bool,
}

/// Where the rules and the actions asked for stand to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) progress: u64,
    pub(crate) rules: Vec<u32>,
}

/// Searches one task. Words of a state: its facts, the number of asked actions done, one for each rule.
pub(crate) struct Search<'t> {
    task: &'t Task,
    fact_words: usize,
    words: usize,
    states: Vec<u64>,
    nodes: Vec<Node>,
    number: HashMap<Box<[u64]>, u32, BuildHasherDefault<DefaultHasher>>,
    prices: Prices,
    memory: Memory,
    memory_after: Memory,
    also: Vec<GateId>,
    helpful: Vec<u32>,
    next: Vec<u64>,
    pub(crate) priced: usize,
}

impl<'t> Search<'t> {
    /// A search from the task's start.
    pub(crate) fn new(task: &'t Task, standing: &Standing) -> Search<'t> {
        let fact_words = task.start.len();
        let mut start = task.start.clone();
        start.push(standing.progress);
        start.extend(standing.rules.iter().map(|state| u64::from(*state)));
        let mut search = Search {
            task,
            fact_words,
            words: start.len(),
            states: Vec::new(),
            nodes: Vec::new(),
            number: HashMap::default(),
            prices: Prices::new(&task.gates),
            memory: Memory::new(&task.gates),
            memory_after: Memory::new(&task.gates),
            also: Vec::new(),
            helpful: Vec::new(),
            next: Vec::new(),
            priced: 0,
        };
        search.restart(&start);
        search
    }

    /// Estimates what is left from the start.
    pub(crate) fn left(&mut self) -> Cost {
        self.price(0)
    }

    /// Where the rules stand after the start was seen; [`None`] if it breaks one.
    pub(crate) fn stand(task: &Task) -> Option<Standing> {
        let mut memory = Memory::new(&task.gates);
        let step = Self::step(task, &task.start, None, &mut memory);
        let mut rules = Vec::with_capacity(task.rules.len());
        for rule in &task.rules {
            let state = rule.dfa().step(rule.dfa().initial(), &step);
            if rule.verdict(state) == Verdict::PermanentlyViolated {
                return None;
            }
            rules.push(state);
        }
        Some(Standing { progress: 0, rules })
    }

    /// What holds in a step that enters a state.
    fn step(task: &Task, facts: &[u64], operator: Option<usize>, memory: &mut Memory) -> Step {
        let said = operator.map_or(&[][..], |operator| &task.operators[operator].said[..]);
        let holding = task
            .labels
            .iter()
            .enumerate()
            .filter(|(at, label)| {
                said.contains(&(*at as u32)) || task.gates.holds(label.holds, facts, memory)
            })
            .map(|(_, label)| label.prop);
        Step::of(holding.collect::<Vec<_>>())
    }

    fn restart(&mut self, start: &[u64]) {
        self.states.clear();
        self.nodes.clear();
        self.number.clear();
        self.intern(start.to_vec(), NOBODY, NOBODY, 0);
    }

    /// A node for a state that was not met before.
    fn intern(&mut self, state: Vec<u64>, parent: u32, operator: u32, cost: Cost) -> u32 {
        self.states.extend_from_slice(&state);
        let number = self.push(parent, operator, cost);
        self.number.insert(state.into_boxed_slice(), number);
        number
    }

    /// A node for `self.next`, whether or not that state was met before: for following a plan.
    fn follow(&mut self, parent: u32, operator: u32) -> u32 {
        self.states.extend_from_slice(&self.next);
        self.push(parent, operator, 0)
    }

    fn push(&mut self, parent: u32, operator: u32, cost: Cost) -> u32 {
        self.nodes.push(Node {
            parent,
            operator,
            cost,
            left: UNREACHABLE,
            priced: false,
        });
        self.nodes.len() as u32 - 1
    }

    /// Takes away the nodes after one, none of which [`Search::intern`] made.
    fn forget_after(&mut self, node: u32) {
        self.nodes.truncate(node as usize + 1);
        self.states.truncate((node as usize + 1) * self.words);
    }

    fn state(&self, node: u32) -> &[u64] {
        let at = node as usize * self.words;
        &self.states[at..at + self.words]
    }

    fn is_final(&mut self, node: u32) -> bool {
        let at = node as usize * self.words;
        let state = &self.states[at..at + self.words];
        let (facts, rest) = state.split_at(self.fact_words);
        self.memory.forget();
        rest[0] as usize + 1 == self.task.progress.len()
            && self
                .task
                .rules
                .iter()
                .zip(&rest[1..])
                .all(|(rule, at)| rule.dfa().is_accepting(*at as u32))
            && self.task.gates.holds(self.task.goal, facts, &mut self.memory)
    }

    /// Estimates what is left from a node, and notes the helpful actions.
    fn price(&mut self, node: u32) -> Cost {
        self.run_prices(node, Sum::Add);
        if self.prices.of(self.task.target) == UNREACHABLE {
            self.helpful.clear();
            return UNREACHABLE;
        }
        self.task
            .gates
            .relaxed_plan(self.task.target, &mut self.prices, &mut self.helpful);
        self.helpful
            .iter()
            .map(|operator| self.task.operators[*operator as usize].cost)
            .sum()
    }

    /// What is left at least.
    fn bound(&mut self, node: u32) -> Cost {
        self.run_prices(node, Sum::Max);
        self.prices.of(self.task.target)
    }

    fn run_prices(&mut self, node: u32, sum: Sum) {
        let at = node as usize * self.words;
        let state = &self.states[at..at + self.words];
        let (facts, rest) = state.split_at(self.fact_words);
        self.also.clear();
        self.also.push(self.task.progress[rest[0] as usize]);
        for (states, at) in self.task.rule_states.iter().zip(&rest[1..]) {
            self.also.push(states[*at as usize]);
        }
        self.task
            .gates
            .price(facts, &self.also, self.task.target, sum, &mut self.prices);
        self.priced += 1 + self.prices.reached() / GATES_OF_A_STATE;
    }

    /// Puts the state after an operator into `self.next`; false where a rule would be broken. The memory must be
    /// of the node's state.
    fn advance(&mut self, node: u32, operator: usize) -> bool {
        let at = node as usize * self.words;
        let state = &self.states[at..at + self.words];
        let (facts, rest) = state.split_at(self.fact_words);
        self.task.apply(operator, facts, &mut self.memory, &mut self.next);
        let progress = rest[0];
        let asked = self.task.asked[operator] >> progress & 1;
        self.next.push(progress + asked);
        if !self.task.rules.is_empty() {
            self.memory_after.forget();
            let step = Self::step(
                self.task,
                &self.next[..self.fact_words],
                Some(operator),
                &mut self.memory_after,
            );
            for (rule, at) in self.task.rules.iter().zip(&rest[1..]) {
                let to = rule.dfa().step(*at as u32, &step);
                if rule.verdict(to) == Verdict::PermanentlyViolated {
                    return false;
                }
                self.next.push(u64::from(to));
            }
        }
        true
    }

    /// The operators that are possible in a node's state, in order.
    fn possible(&mut self, node: u32, into: &mut Vec<u32>) {
        into.clear();
        self.memory.forget();
        let at = node as usize * self.words;
        let facts = &self.states[at..at + self.fact_words];
        for (number, operator) in self.task.operators.iter().enumerate() {
            if self
                .task
                .gates
                .holds(operator.precondition, facts, &mut self.memory)
            {
                into.push(number as u32);
            }
        }
    }

    fn plan_to(&self, node: u32) -> Vec<u32> {
        let mut plan = Vec::new();
        let mut at = node as usize;
        while self.nodes[at].parent != NOBODY {
            plan.push(self.nodes[at].operator);
            at = self.nodes[at].parent as usize;
        }
        plan.reverse();
        plan
    }

    /// How many parts of the goal do not hold.
    fn missing(&mut self, node: u32) -> Cost {
        let at = node as usize * self.words;
        let state = &self.states[at..at + self.words];
        let (facts, rest) = state.split_at(self.fact_words);
        self.memory.forget();
        let goal = self.task.goal;
        let parts = self.task.gates.inputs(goal);
        let whole = parts.is_empty() || self.task.gates.need(goal) as usize != parts.len();
        let parts = if whole { std::slice::from_ref(&goal) } else { parts };
        let unmet = parts
            .iter()
            .filter(|part| !self.task.gates.holds(**part, facts, &mut self.memory))
            .count();
        let undone = self.task.progress.len() - 1 - rest[0] as usize;
        let owed = self
            .task
            .rules
            .iter()
            .zip(&rest[1..])
            .filter(|(rule, at)| !rule.dfa().is_accepting(**at as u32))
            .count();
        (unmet + undone + owed) as Cost
    }

    /// A plan, within a budget of priced states.
    pub(crate) fn first(&mut self, budget: usize) -> Found {
        let left = self.price(0);
        if left == UNREACHABLE {
            return Found::Nothing;
        }
        if self.is_final(0) {
            return Found::Plan(Vec::new(), 0, true);
        }
        // Four queues in turn: by what is left in cost and by how many parts of the goal are missing, each with all
        // successors and with the helpful ones alone. The latter go first for a while after every progress.
        let mut open: [Queue; 4] = Default::default();
        let mut turns = [0i64; 4];
        let mut arrivals = 0u64;
        let mut possible = Vec::new();
        let mut best = [left, self.missing(0)];
        let mut expand = Some((0u32, best));
        loop {
            if let Some((node, values)) = expand.take() {
                self.nodes[node as usize].left = values[0];
                self.possible(node, &mut possible);
                for operator in &possible {
                    let helpful = self.helpful.binary_search(operator).is_ok();
                    arrivals += 1;
                    for (queue, open) in open.iter_mut().enumerate() {
                        if helpful || queue < 2 {
                            let (first, second) = (values[queue % 2], values[1 - queue % 2]);
                            open.push(Reverse((first, second, arrivals, node, *operator)));
                        }
                    }
                }
            }
            let Some(queue) = (0..4)
                .filter(|at| !open[*at].is_empty())
                .min_by_key(|at| (turns[*at], 3 - at))
            else {
                return Found::Nothing;
            };
            turns[queue] += 1;
            let Some(Reverse((_, _, _, parent, operator))) = open[queue].pop() else {
                continue;
            };
            self.memory.forget();
            if !self.advance(parent, operator as usize) || self.number.contains_key(&self.next[..]) {
                continue;
            }
            if self.priced >= budget {
                return Found::OutOfBudget;
            }
            let cost = self.nodes[parent as usize].cost + self.task.operators[operator as usize].cost;
            let node = self.intern(self.next.clone(), parent, operator, cost);
            if self.is_final(node) {
                return Found::Plan(self.plan_to(node), cost, false);
            }
            let left = self.price(node);
            if left == UNREACHABLE {
                continue;
            }
            let values = [left, self.missing(node)];
            if values[0] < best[0] || values[1] < best[1] {
                best = [best[0].min(values[0]), best[1].min(values[1])];
                turns[2] -= BOOST;
                turns[3] -= BOOST;
            }
            expand = Some((node, values));
        }
    }

    /// Takes actions out of a plan, each with the later ones that are not possible without it, for as long as it
    /// stays a plan (Nakhost and Müller 2010); the plan and its cost.
    pub(crate) fn without_needless(&mut self, plan: &[u32]) -> (Vec<u32>, Cost) {
        let start = self.state(0).to_vec();
        let mut plan = plan.to_vec();
        let mut at = 0;
        while at < plan.len() {
            match self.plan_without(&start, &plan, at) {
                Some(shorter) => plan = shorter,
                None => at += 1,
            }
        }
        self.restart(&start);
        let cost = plan
            .iter()
            .map(|operator| self.task.operators[*operator as usize].cost)
            .sum();
        (plan, cost)
    }

    /// Puts one action in the place of two in a row wherever it stays a plan and costs less: a greedy search goes by way of
    /// places that it has nothing to do at. The plan and its cost.
    pub(crate) fn with_shortcuts(&mut self, plan: &[u32]) -> (Vec<u32>, Cost) {
        let start = self.state(0).to_vec();
        let cost_of = |task: &Task, operator: u32| task.operators[operator as usize].cost;
        let mut plan = plan.to_vec();
        let mut possible = Vec::new();
        let mut at = 0;
        self.restart(&start);
        while at + 1 < plan.len() {
            // Nodes up to this one are the states along the plan.
            let node = at as u32;
            self.forget_after(node);
            let both = cost_of(self.task, plan[at]).saturating_add(cost_of(self.task, plan[at + 1]));
            self.possible(node, &mut possible);
            possible.retain(|operator| cost_of(self.task, *operator) < both);
            possible.sort_by_key(|operator| (cost_of(self.task, *operator), *operator));
            let shortcut = possible.iter().copied().find(|operator| {
                self.forget_after(node);
                let after = self.run(node, &[*operator]);
                let end = after.and_then(|node| self.run(node, &plan[at + 2..]));
                end.is_some_and(|node| self.is_final(node))
            });
            self.forget_after(node);
            match shortcut {
                Some(operator) => {
                    plan.splice(at..at + 2, [operator]);
                    at = at.saturating_sub(1);
                }
                None if self.run(node, &plan[at..=at]).is_some() => at += 1,
                None => break,
            }
        }
        self.restart(&start);
        let cost = plan.iter().map(|operator| cost_of(self.task, *operator)).sum();
        (plan, cost)
    }

    /// The node after some operators; [`None`] where one of them is not possible or breaks a rule.
    fn run(&mut self, from: u32, operators: &[u32]) -> Option<u32> {
        operators.iter().try_fold(from, |node, operator| {
            self.memory.forget();
            let facts = &self.states[node as usize * self.words..][..self.fact_words];
            let precondition = self.task.operators[*operator as usize].precondition;
            let is_possible = self.task.gates.holds(precondition, facts, &mut self.memory)
                && self.advance(node, *operator as usize);
            is_possible.then(|| self.follow(node, *operator))
        })
    }

    fn plan_without(&mut self, start: &[u64], plan: &[u32], left_out: usize) -> Option<Vec<u32>> {
        self.restart(start);
        let mut node = 0;
        let mut kept = Vec::with_capacity(plan.len());
        for (at, operator) in plan.iter().enumerate() {
            if at == left_out {
                continue;
            }
            self.memory.forget();
            let facts = &self.states[node as usize * self.words..][..self.fact_words];
            let precondition = self.task.operators[*operator as usize].precondition;
            if self.task.gates.holds(precondition, facts, &mut self.memory)
                && self.advance(node, *operator as usize)
            {
                node = self.follow(node, *operator);
                kept.push(*operator);
            }
        }
        self.is_final(node).then_some(kept)
    }

    /// Looks for a plan that costs less than `below`, until the budget of priced states is spent. Whether the
    /// best that is known then is the cheapest.
    pub(crate) fn improve(&mut self, below: Cost, budget: usize) -> (Option<(Vec<u32>, Cost)>, bool) {
        let start = self.state(0).to_vec();
        self.restart(&start);
        let mut best: Option<(Vec<u32>, Cost)> = None;
        let mut limit = below;
        let mut open = BinaryHeap::from([Reverse((0, Reverse(0), 0u32))]);
        let mut possible = Vec::new();
        let end = self.priced + budget;
        while let Some(Reverse((estimate, Reverse(cost), at))) = open.pop() {
            let node = self.nodes[at as usize];
            if cost != node.cost || cost >= limit {
                continue;
            }
            if !node.priced {
                if self.priced >= end {
                    return (best, false);
                }
                let bound = self.bound(at);
                let left = if bound == UNREACHABLE {
                    bound
                } else {
                    self.price(at)
                };
                let known = &mut self.nodes[at as usize];
                known.priced = true;
                known.left = left;
                if left == UNREACHABLE || cost.saturating_add(bound) >= limit {
                    // Remembered as closed: a cheaper way there prices it again.
                    known.priced = left == UNREACHABLE;
                    continue;
                }
                if cost + left > estimate {
                    open.push(Reverse((cost + left, Reverse(cost), at)));
                    continue;
                }
            }
            if self.nodes[at as usize].left == UNREACHABLE {
                continue;
            }
            if self.is_final(at) {
                limit = cost;
                best = Some((self.plan_to(at), cost));
                continue;
            }
            self.possible(at, &mut possible);
            for operator in &possible {
                let total = cost + self.task.operators[*operator as usize].cost;
                if total >= limit || !self.advance(at, *operator as usize) {
                    continue;
                }
                let inherited = self.nodes[at as usize].left;
                match self.number.get(&self.next[..]).copied() {
                    Some(known) => {
                        let node = &mut self.nodes[known as usize];
                        if total < node.cost {
                            node.cost = total;
                            node.parent = at;
                            node.operator = *operator;
                            let left = if node.priced { node.left } else { 0 };
                            if left != UNREACHABLE {
                                open.push(Reverse((total + left, Reverse(total), known)));
                            }
                        }
                    }
                    None => {
                        let known = self.intern(self.next.clone(), at, *operator, total);
                        let guess = inherited.saturating_sub(self.task.operators[*operator as usize].cost);
                        open.push(Reverse((total + guess, Reverse(total), known)));
                    }
                }
            }
        }
        (best, true)
    }
}
