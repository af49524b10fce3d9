//! The cheapest plan that keeps every rule: search in the product of a transition system and the rules.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::Error;
use crate::error::Conflict;
use crate::hash::FastMap;
use crate::joint::{DEAD, Joint};
use crate::monitor::{Monitor, Watch};
use crate::rule::{Rule, RuleSet, Verdict};
use crate::trace::Step;

/// One way on from a state of a transition system.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition<S, A> {
    /// What is done.
    pub action: A,
    /// Where it leads.
    pub to: S,
    /// What it costs: finite, not negative.
    pub cost: f64,
    /// What holds in the step besides what holds in the state that is entered: the action itself, say.
    pub during: Step,
    /// The fact that rules this way out, as its place in [`TransitionSystem::facts`]; such a way is never
    /// taken, but when there is no plan it tells which facts are to blame.
    pub ruled_out_by: Option<usize>,
}

impl<S, A> Transition<S, A> {
    /// A transition that is possible and adds nothing to what holds in the state that is entered.
    pub fn new(action: A, to: S, cost: f64) -> Transition<S, A> {
        Transition {
            action,
            to,
            cost,
            during: Step::new(),
            ruled_out_by: None,
        }
    }
}

/// A finite transition system that can be planned in.
///
/// The trace that the rules judge begins with what holds in the start state; every transition adds one step.
pub trait TransitionSystem {
    /// A state; equal states are the same.
    type State: Clone + Eq + Hash;
    /// An action.
    type Action: Clone;

    /// Where a plan starts.
    fn start(&self) -> Self::State;
    /// What holds in a state.
    fn label(&self, state: &Self::State) -> Step;
    /// The ways on from a state, always in the same order.
    fn successors(&self, state: &Self::State) -> Vec<Transition<Self::State, Self::Action>>;

    /// Whether the system has goal states of its own, besides the rules.
    fn has_goal(&self) -> bool {
        false
    }
    /// Whether a state is a goal; asked only if there are goals.
    fn is_goal(&self, _state: &Self::State) -> bool {
        true
    }
    /// Facts that rule ways out, in words: "the door to the hall is locked".
    fn facts(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanStep<S, A> {
    /// What is done.
    pub action: A,
    /// The state that is entered.
    pub state: S,
    /// What holds in the step.
    pub step: Step,
    /// What it costs.
    pub cost: f64,
}

/// A plan that keeps every rule and ends with every obligation met.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<S, A> {
    /// The start.
    pub start: S,
    /// What holds at the start: step 0 of the trace.
    pub start_step: Step,
    /// The steps after the start; none if the start satisfies everything.
    pub steps: Vec<PlanStep<S, A>>,
    /// The sum of the costs.
    pub cost: f64,
}

impl<S, A> Plan<S, A> {
    /// The trace that the rules judge: the start and every step.
    pub fn trace(&self) -> Vec<Step> {
        std::iter::once(&self.start_step)
            .chain(self.steps.iter().map(|step| &step.step))
            .cloned()
            .collect()
    }
}

/// Limits on a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Most states of the transition system.
    pub max_states: usize,
    /// Most states of the product.
    pub max_product: usize,
}

impl Default for PlanLimits {
    fn default() -> PlanLimits {
        PlanLimits {
            max_states: 1 << 20,
            max_product: 1 << 25,
        }
    }
}

/// An edge of an explored transition system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapEdge {
    pub(crate) to: u32,
    pub(crate) cost: f64,
    pub(crate) letter: u32,
    /// Place in [`Map::actions`].
    pub(crate) action: u32,
    ruled_out_by: Option<u32>,
}

/// The reachable part of a transition system, numbered; state 0 is the start.
pub(crate) struct Map<S, A> {
    pub(crate) states: Vec<S>,
    number: HashMap<S, u32>,
    pub(crate) edges: Vec<Vec<MapEdge>>,
    pub(crate) actions: Vec<A>,
    pub(crate) letters: Vec<Step>,
    pub(crate) start_letter: u32,
    goal: Vec<bool>,
    facts: Vec<String>,
}

impl<S: Clone + Eq + Hash, A: Clone> Map<S, A> {
    pub(crate) fn explore(
        system: &impl TransitionSystem<State = S, Action = A>,
        limits: PlanLimits,
    ) -> Result<Map<S, A>, Error> {
        let start = system.start();
        let mut map = Map {
            states: vec![start.clone()],
            number: HashMap::from([(start.clone(), 0)]),
            edges: Vec::new(),
            actions: Vec::new(),
            letters: Vec::new(),
            start_letter: 0,
            goal: Vec::new(),
            facts: system.facts(),
        };
        let mut letter_of: HashMap<Step, u32> = HashMap::new();
        let mut labels = vec![system.label(&start)];
        map.start_letter = map.letter(&mut letter_of, labels[0].clone());
        while map.edges.len() < map.states.len() {
            let at = map.edges.len();
            let state = map.states[at].clone();
            map.goal.push(!system.has_goal() || system.is_goal(&state));
            let mut edges = Vec::new();
            for transition in system.successors(&state) {
                if !(transition.cost.is_finite() && transition.cost >= 0.0) {
                    return Err(Error::BadOption(format!(
                        "a transition costs {}: costs must be finite and not negative",
                        transition.cost
                    )));
                }
                if transition
                    .ruled_out_by
                    .is_some_and(|fact| fact >= map.facts.len())
                {
                    return Err(Error::BadOption(
                        "a transition is ruled out by a fact that TransitionSystem::facts does not list"
                            .into(),
                    ));
                }
                let to = match map.number.get(&transition.to) {
                    Some(to) => *to,
                    None => {
                        let to = map.states.len() as u32;
                        map.number.insert(transition.to.clone(), to);
                        labels.push(system.label(&transition.to));
                        map.states.push(transition.to);
                        to
                    }
                };
                let step = labels[to as usize].clone().with(transition.during.props());
                let letter = map.letter(&mut letter_of, step);
                edges.push(MapEdge {
                    to,
                    cost: transition.cost,
                    letter,
                    action: map.actions.len() as u32,
                    ruled_out_by: transition.ruled_out_by.map(|fact| fact as u32),
                });
                map.actions.push(transition.action);
            }
            map.edges.push(edges);
            if map.states.len() > limits.max_states {
                return Err(Error::TooLarge {
                    what: "a transition system",
                    limit: limits.max_states,
                    unit: "states",
                    hint: "plan in a coarser one, or raise PlanLimits::max_states",
                });
            }
        }
        Ok(map)
    }

    fn letter(&mut self, known: &mut HashMap<Step, u32>, step: Step) -> u32 {
        *known.entry(step).or_insert_with_key(|step| {
            self.letters.push(step.clone());
            self.letters.len() as u32 - 1
        })
    }

    pub(crate) fn num_facts(&self) -> usize {
        self.facts.len()
    }

    pub(crate) fn fact(&self, at: usize) -> String {
        self.facts[at].clone()
    }

    /// Edges that may be taken when some facts are lifted.
    pub(crate) fn open<'a>(&'a self, from: u32, lifted: &'a [bool]) -> impl Iterator<Item = &'a MapEdge> {
        self.edges[from as usize].iter().filter(|edge| {
            edge.ruled_out_by
                .is_none_or(|fact| lifted.get(fact as usize) == Some(&true))
        })
    }
}

/// A cost that can be ordered: not negative, so the bits are in the order of the values.
fn order(cost: f64) -> u64 {
    cost.to_bits()
}

const NOWHERE: u32 = u32::MAX;

/// Maps of at most this many states get a flat table of product states per joint state.
const FLAT: usize = 1024;

/// A state of the product, with what the search knows about it.
struct Node {
    place: u32,
    joint: u32,
    /// The cheapest known cost from the start.
    cost: f64,
    /// The lower bound on the cost to the end.
    left: f64,
    /// The node before on the cheapest known path, and the place of the edge among those of its map state.
    from: (u32, u32),
    closed: bool,
}

/// The product of a map and some rules, explored while it is searched.
struct Product<'a, S, A> {
    map: &'a Map<S, A>,
    joint: Joint,
    lifted: &'a [bool],
    bounds: Vec<Bound>,
    /// Per joint state, where its rows in those bounds begin that are not zero everywhere: (bound, offset).
    pending: Vec<Vec<(u32, u32)>>,
    nodes: Vec<Node>,
    number: NodeIndex,
    limit: usize,
}

/// Numbers of product states.
enum NodeIndex {
    /// `joint state * map states + map state`.
    Flat(Vec<u32>),
    Hashed(FastMap<(u32, u32), u32>),
}

impl NodeIndex {
    fn get(&self, places: usize, place: u32, joint: u32) -> Option<u32> {
        match self {
            NodeIndex::Flat(table) => table
                .get(joint as usize * places + place as usize)
                .copied()
                .filter(|node| *node != NOWHERE),
            NodeIndex::Hashed(table) => table.get(&(place, joint)).copied(),
        }
    }

    fn insert(&mut self, places: usize, place: u32, joint: u32, node: u32) {
        match self {
            NodeIndex::Flat(table) => {
                let end = (joint as usize + 1) * places;
                if table.len() < end {
                    table.resize(end, NOWHERE);
                }
                table[joint as usize * places + place as usize] = node;
            }
            NodeIndex::Hashed(table) => {
                table.insert((place, joint), node);
            }
        }
    }
}

impl<'a, S: Clone + Eq + Hash, A: Clone> Product<'a, S, A> {
    fn new(
        map: &'a Map<S, A>,
        rules: &[Arc<Rule>],
        lifted: &'a [bool],
        limits: PlanLimits,
    ) -> Product<'a, S, A> {
        let places = map.states.len();
        let never = forbidden_letters(map, rules);
        let mut before: Vec<Vec<(u32, MapEdge)>> = vec![Vec::new(); places];
        for from in 0..places as u32 {
            for edge in map.open(from, lifted).filter(|edge| !never[edge.letter as usize]) {
                before[edge.to as usize].push((from, *edge));
            }
        }
        let bounds = groups(rules, places)
            .into_iter()
            .map(|group| {
                Bound::new(
                    map,
                    &group.iter().map(|at| (*at, &*rules[*at])).collect::<Vec<_>>(),
                    &before,
                )
            })
            .collect();
        Product {
            map,
            joint: Joint::new(rules, &map.letters),
            lifted,
            bounds,
            pending: Vec::new(),
            nodes: Vec::new(),
            number: if places <= FLAT {
                NodeIndex::Flat(Vec::new())
            } else {
                NodeIndex::Hashed(FastMap::default())
            },
            limit: limits.max_product,
        }
    }

    /// A lower bound on what is left to pay: the most that any one group of rules needs. It is consistent,
    /// because the bound of each group is an exact distance in a relaxation.
    fn left(&mut self, place: u32, joint: u32) -> f64 {
        while self.pending.len() <= joint as usize {
            let states = self.joint.states(self.pending.len() as u32);
            let rows = self
                .bounds
                .iter()
                .enumerate()
                .map(|(at, bound)| (at as u32, bound.row(states)));
            let places = self.map.states.len();
            let unfinished = rows.filter(|(at, row)| !self.bounds[*at as usize].zero[*row]);
            self.pending
                .push(unfinished.map(|(at, row)| (at, (row * places) as u32)).collect());
        }
        let of = |(bound, offset): &(u32, u32)| self.bounds[*bound as usize].cost[(offset + place) as usize];
        self.pending[joint as usize].iter().map(of).fold(0.0, f64::max)
    }

    /// The node of a product state; a new one costs infinity until a path to it is known.
    fn node(&mut self, place: u32, joint: u32) -> Result<u32, Error> {
        let places = self.map.states.len();
        if let Some(node) = self.number.get(places, place, joint) {
            return Ok(node);
        }
        if self.nodes.len() >= self.limit {
            return Err(Error::TooLarge {
                what: "the product of map and rules",
                limit: self.limit,
                unit: "states",
                hint: "plan for fewer rules at once, or raise PlanLimits::max_product",
            });
        }
        let node = self.nodes.len() as u32;
        let left = self.left(place, joint);
        self.nodes.push(Node {
            place,
            joint,
            cost: f64::INFINITY,
            left,
            from: (NOWHERE, 0),
            closed: false,
        });
        self.number.insert(places, place, joint, node);
        Ok(node)
    }

    fn is_final(&self, node: u32) -> bool {
        let Node { place, joint, .. } = self.nodes[node as usize];
        self.map.goal[place as usize] && self.joint.is_accepting(joint)
    }

    /// A* with a consistent bound (Hart, Nilsson, Raphael 1968). The edges of a cheapest path.
    fn search(&mut self) -> Result<Option<Vec<MapEdge>>, Error> {
        let first = self.joint.next(0, self.map.start_letter as usize);
        if first == DEAD {
            return Ok(None);
        }
        let start = self.node(0, first)?;
        let estimate = self.nodes[start as usize].left;
        if estimate.is_infinite() {
            return Ok(None);
        }
        self.nodes[start as usize].cost = 0.0;
        // Among equal estimates the node that has paid most comes first: it is nearest to the end.
        let mut open = BinaryHeap::from([Reverse((order(estimate), Reverse(0u64), start))]);
        let map = self.map;
        while let Some(Reverse((_, _, at))) = open.pop() {
            let node = &mut self.nodes[at as usize];
            if std::mem::replace(&mut node.closed, true) {
                continue;
            }
            let Node {
                place,
                joint,
                cost: paid,
                ..
            } = *node;
            if self.is_final(at) {
                return Ok(Some(self.path(at)));
            }
            for (index, edge) in map.edges[place as usize].iter().enumerate() {
                if edge.ruled_out_by.is_some_and(|fact| !self.lifted[fact as usize]) {
                    continue;
                }
                let next = self.joint.next(joint, edge.letter as usize);
                if next == DEAD {
                    continue;
                }
                let to = self.node(edge.to, next)?;
                let total = paid + edge.cost;
                let node = &mut self.nodes[to as usize];
                if total < node.cost && node.left.is_finite() {
                    node.cost = total;
                    node.from = (at, index as u32);
                    // Rounding can make the bound inconsistent by the last bit; then a node opens again.
                    node.closed = false;
                    open.push(Reverse((order(total + node.left), Reverse(order(total)), to)));
                }
            }
        }
        Ok(None)
    }

    fn path(&self, last: u32) -> Vec<MapEdge> {
        let mut path = Vec::new();
        let mut at = last;
        while self.nodes[at as usize].from.0 != NOWHERE {
            let (previous, index) = self.nodes[at as usize].from;
            let place = self.nodes[previous as usize].place;
            path.push(self.map.edges[place as usize][index as usize]);
            at = previous;
        }
        path.reverse();
        path
    }
}

/// Letters that some rule forbids in every state, such as the places of a `G !place`.
fn forbidden_letters<S, A>(map: &Map<S, A>, rules: &[Arc<Rule>]) -> Vec<bool> {
    let forbids = |rule: &Rule, letter: &Step| {
        (0..rule.dfa().num_states() as u32)
            .all(|state| rule.verdict(rule.dfa().step(state, letter)) == Verdict::PermanentlyViolated)
    };
    map.letters
        .iter()
        .map(|letter| rules.iter().any(|rule| forbids(rule, letter)))
        .collect()
}

/// Most rules with a goal that are paired.
const MOST_PAIRED: usize = 24;
/// Most entries of all tables of pairs together.
const MOST_PAIR_ENTRIES: usize = 1 << 21;

/// Which rules share a bound: pairs of those that ask for something, if there are not too many, and every
/// other rule alone. One empty group where there is no rule.
fn groups(rules: &[Arc<Rule>], places: usize) -> Vec<Vec<usize>> {
    let (alone, asking): (Vec<usize>, Vec<usize>) =
        (0..rules.len()).partition(|at| rules[*at].only_forbids());
    let states = |at: usize| rules[at].dfa().num_states();
    let mut groups: Vec<Vec<usize>> = alone.into_iter().map(|at| vec![at]).collect();
    let mut pairs = Vec::new();
    let mut entries = 0;
    for (index, first) in asking.iter().enumerate() {
        for second in &asking[index + 1..] {
            entries += places * states(*first) * states(*second);
            pairs.push(vec![*first, *second]);
        }
    }
    if asking.len() > 1 && asking.len() <= MOST_PAIRED && entries <= MOST_PAIR_ENTRIES {
        groups.extend(pairs);
    } else {
        groups.extend(asking.into_iter().map(|at| vec![at]));
    }
    if groups.is_empty() {
        groups.push(Vec::new());
    }
    groups
}

/// Exact distances in the product of the map and a few rules, backwards from where they may end in a goal.
struct Bound {
    /// Each rule's place and its number of states.
    rules: Vec<(usize, usize)>,
    /// `row * map states + map state`, where the row numbers the states of the rules.
    cost: Vec<f64>,
    /// Per row, whether every cost is zero.
    zero: Vec<bool>,
}

impl Bound {
    fn row(&self, states: &[u32]) -> usize {
        self.rules
            .iter()
            .fold(0, |row, (at, count)| row * count + states[*at] as usize)
    }

    fn new<S, A>(map: &Map<S, A>, rules: &[(usize, &Rule)], before: &[Vec<(u32, MapEdge)>]) -> Bound {
        let places = map.states.len();
        let rows: usize = rules.iter().map(|(_, rule)| rule.dfa().num_states()).product();
        let split = |mut row: usize| {
            let mut states = vec![0u32; rules.len()];
            for (at, (_, rule)) in rules.iter().enumerate().rev() {
                states[at] = (row % rule.dfa().num_states()) as u32;
                row /= rule.dfa().num_states();
            }
            states
        };
        let join = |states: &[u32]| {
            rules.iter().zip(states).fold(0, |row, ((_, rule), state)| {
                row * rule.dfa().num_states() + *state as usize
            })
        };
        // Per letter and row, the rows that lead there; those that some rule has lost lead nowhere.
        let mut inverse: Vec<Vec<u32>> = vec![Vec::new(); rows * map.letters.len()];
        let mut cost = vec![f64::INFINITY; places * rows];
        let mut open = BinaryHeap::new();
        for row in 0..rows {
            let states = split(row);
            let with_rules = || rules.iter().map(|(_, rule)| *rule).zip(&states);
            if with_rules().any(|(rule, state)| rule.verdict(*state) == Verdict::PermanentlyViolated) {
                continue;
            }
            for (letter, step) in map.letters.iter().enumerate() {
                let after: Vec<u32> = with_rules()
                    .map(|(rule, state)| rule.dfa().step(*state, step))
                    .collect();
                inverse[letter * rows + join(&after)].push(row as u32);
            }
            if with_rules().all(|(rule, state)| rule.dfa().is_accepting(*state)) {
                for place in (0..places).filter(|place| map.goal[*place]) {
                    cost[row * places + place] = 0.0;
                    open.push(Reverse((0u64, place as u32, row as u32)));
                }
            }
        }
        while let Some(Reverse((reached, place, row))) = open.pop() {
            let here = cost[row as usize * places + place as usize];
            if order(here) < reached {
                continue;
            }
            for (from, edge) in &before[place as usize] {
                for previous in &inverse[edge.letter as usize * rows + row as usize] {
                    let slot = *previous as usize * places + *from as usize;
                    let total = here + edge.cost;
                    if total < cost[slot] {
                        cost[slot] = total;
                        open.push(Reverse((order(total), *from, *previous)));
                    }
                }
            }
        }
        let zero = cost
            .chunks(places)
            .map(|row| row.iter().all(|cost| *cost == 0.0))
            .collect();
        Bound {
            rules: rules
                .iter()
                .map(|(at, rule)| (*at, rule.dfa().num_states()))
                .collect(),
            cost,
            zero,
        }
    }
}

impl RuleSet {
    /// The cheapest plan that keeps every rule, ends with every obligation met and, if the system has goals,
    /// ends in one. Refused: a start that already violates a rule ([`Error::StartViolates`]); rules that ask
    /// for nothing to be reached ([`Error::NothingToReach`]); and if there is no plan, [`Error::NoPlan`] names
    /// a minimal set of rules and map facts that conflict.
    ///
    /// ```
    /// use steward_ltl::{Error, RuleSet, Step, Transition, TransitionSystem};
    ///
    /// // hall - kitchen, hall - study; the door to the study is locked.
    /// struct Flat([Step; 3]);
    /// impl TransitionSystem for Flat {
    ///     type State = usize;
    ///     type Action = String;
    ///     fn start(&self) -> usize {
    ///         0
    ///     }
    ///     fn label(&self, room: &usize) -> Step {
    ///         self.0[*room].clone()
    ///     }
    ///     fn successors(&self, room: &usize) -> Vec<Transition<usize, String>> {
    ///         let go = |to: usize| Transition::new(format!("go to {to}"), to, 1.0);
    ///         match room {
    ///             0 => vec![go(1), Transition { ruled_out_by: Some(0), ..go(2) }],
    ///             _ => vec![go(0)],
    ///         }
    ///     }
    ///     fn facts(&self) -> Vec<String> {
    ///         vec!["the door to the study is locked".into()]
    ///     }
    /// }
    ///
    /// let mut rules = RuleSet::one_shot([("fetch", "F kitchen & F (kitchen & X F hall)")])?;
    /// let mut prop = |name: &str| rules.arena_mut().prop(name).map(|prop| Step::of([prop]));
    /// let flat = Flat([prop("hall")?, prop("kitchen")?, prop("study")?]);
    /// let plan = rules.plan(&flat)?;
    /// assert_eq!(plan.steps.iter().map(|step| step.state).collect::<Vec<_>>(), [1, 0]);
    ///
    /// let mut rules = RuleSet::one_shot([("work", "F study"), ("safe", "G !stairs")])?;
    /// let study = rules.arena_mut().prop("study")?;
    /// let flat = Flat([Step::new(), Step::new(), Step::of([study])]);
    /// let Err(Error::NoPlan(conflict)) = rules.plan(&flat) else { panic!() };
    /// assert_eq!(conflict.rules.len(), 1); // the rule "work" …
    /// assert_eq!(conflict.facts, ["the door to the study is locked"]); // … and the door
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn plan<T: TransitionSystem>(&self, system: &T) -> Result<Plan<T::State, T::Action>, Error> {
        self.plan_within(system, PlanLimits::default())
    }

    /// [`RuleSet::plan`] with limits of the caller's choice.
    pub fn plan_within<T: TransitionSystem>(
        &self,
        system: &T,
        limits: PlanLimits,
    ) -> Result<Plan<T::State, T::Action>, Error> {
        let map = Map::explore(system, limits)?;
        self.check_start(&map)?;
        if !system.has_goal() && self.rules().iter().all(|rule| rule.only_forbids()) {
            return Err(Error::NothingToReach);
        }
        let lifted = vec![false; map.facts.len()];
        let mut product = Product::new(&map, self.rules(), &lifted, limits);
        let Some(path) = product.search()? else {
            return Err(self.conflict(&map, limits)?);
        };
        let steps: Vec<_> = path
            .into_iter()
            .map(|edge| PlanStep {
                action: map.actions[edge.action as usize].clone(),
                state: map.states[edge.to as usize].clone(),
                step: map.letters[edge.letter as usize].clone(),
                cost: edge.cost,
            })
            .collect();
        Ok(Plan {
            start: map.states[0].clone(),
            start_step: map.letters[map.start_letter as usize].clone(),
            cost: steps.iter().map(|step| step.cost).sum(),
            steps,
        })
    }

    fn check_start<S: Clone + Eq + Hash, A: Clone>(&self, map: &Map<S, A>) -> Result<(), Error> {
        let step = &map.letters[map.start_letter as usize];
        for rule in self.rules() {
            let monitor = Monitor::new(rule.clone());
            if !monitor.allows(step) {
                // A rule that no trace satisfies is a conflict and not the fault of the start.
                if monitor.verdict() == Verdict::PermanentlyViolated {
                    continue;
                }
                return Err(Error::StartViolates {
                    rule: rule.name().to_string(),
                    detail: format!(
                        "there `{}` holds, and allowed is {}",
                        step.text(self.arena()),
                        monitor.allowed_text(self.arena())
                    ),
                });
            }
        }
        Ok(())
    }

    /// A minimal set of rules and facts without a plan, by deletion: rules that contradict each other come
    /// first, since then no map would help.
    fn conflict<S: Clone + Eq + Hash, A: Clone>(
        &self,
        map: &Map<S, A>,
        limits: PlanLimits,
    ) -> Result<Error, Error> {
        let named = |places: &[usize]| -> Vec<(String, String)> {
            places
                .iter()
                .map(|at| {
                    let rule = &self.rules()[*at];
                    (rule.name().to_string(), self.arena().text(rule.formula()))
                })
                .collect()
        };
        if let Some(places) = self.clone().contradiction()? {
            return Ok(Error::NoPlan(Conflict {
                rules: named(&places),
                facts: Vec::new(),
                on_every_map: true,
            }));
        }
        let possible = |rules: &[usize], lifted: &[bool]| -> Result<bool, Error> {
            let chosen: Vec<Arc<Rule>> = rules.iter().map(|at| self.rules()[*at].clone()).collect();
            Ok(Product::new(map, &chosen, lifted, limits).search()?.is_some())
        };
        let mut kept: Vec<usize> = (0..self.rules().len()).collect();
        let mut lifted = vec![false; map.facts.len()];
        let mut at = 0;
        while at < kept.len() {
            let mut without = kept.clone();
            without.remove(at);
            if possible(&without, &lifted)? {
                at += 1;
            } else {
                kept = without;
            }
        }
        for fact in 0..lifted.len() {
            lifted[fact] = true;
            if possible(&kept, &lifted)? {
                lifted[fact] = false;
            }
        }
        let facts = (0..lifted.len())
            .filter(|at| !lifted[*at])
            .map(|at| map.facts[at].clone())
            .collect();
        Ok(Error::NoPlan(Conflict {
            rules: named(&kept),
            facts,
            on_every_map: false,
        }))
    }
}

/// One action that is possible in a state of the product.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<S, A> {
    /// The action.
    pub action: A,
    /// The state that it leads to.
    pub to: S,
    /// What holds in the step.
    pub step: Step,
    /// What it costs.
    pub cost: f64,
    /// What it and the cheapest way to finish after it cost together.
    pub total: f64,
}

/// The cost-to-go of every reachable state of the product, for callers that choose actions themselves.
pub struct CostToGo<S, A> {
    map: Map<S, A>,
    joint: Joint,
    number: NodeIndex,
    cost: Vec<f64>,
    lifted: Vec<bool>,
}

impl<S: Clone + Eq + Hash, A: Clone> CostToGo<S, A> {
    /// Explores the whole product; a state from which no accepted end can be reached has no cost-to-go.
    ///
    /// ```
    /// use steward_ltl::{CostToGo, RuleSet, Step, Transition, TransitionSystem, Watch};
    ///
    /// struct Line(Step);
    /// impl TransitionSystem for Line {
    ///     type State = u8;
    ///     type Action = &'static str;
    ///     fn start(&self) -> u8 {
    ///         0
    ///     }
    ///     fn label(&self, at: &u8) -> Step {
    ///         if *at == 3 { self.0.clone() } else { Step::new() }
    ///     }
    ///     fn successors(&self, at: &u8) -> Vec<Transition<u8, &'static str>> {
    ///         (*at < 3).then(|| Transition::new("on", at + 1, 2.0)).into_iter().collect()
    ///     }
    /// }
    ///
    /// let mut rules = RuleSet::one_shot([("go", "F dock")])?;
    /// let line = Line(Step::of([rules.arena_mut().prop("dock")?]));
    /// let table = CostToGo::new(&rules, &line, Default::default())?;
    /// let mut watch = Watch::new(&rules);
    /// watch.step(&rules, &Step::new())?; // the start
    /// assert_eq!(table.get(&0, &watch), Some(6.0));
    /// assert_eq!(table.choices(&0, &watch)[0].total, 6.0);
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn new(
        rules: &RuleSet,
        system: &impl TransitionSystem<State = S, Action = A>,
        limits: PlanLimits,
    ) -> Result<CostToGo<S, A>, Error> {
        let map = Map::explore(system, limits)?;
        rules.check_start(&map)?;
        let lifted = vec![false; map.facts.len()];
        let mut product = Product::new(&map, rules.rules(), &lifted, limits);
        let first = product.joint.next(0, map.start_letter as usize);
        let mut before: Vec<Vec<(u32, f64)>> = Vec::new();
        if first != DEAD {
            product.node(0, first)?;
            before.push(Vec::new());
        }
        let mut node = 0;
        while node < product.nodes.len() {
            let Node { place, joint, .. } = product.nodes[node];
            for edge in map.open(place, &lifted) {
                let next = product.joint.next(joint, edge.letter as usize);
                // Where one rule alone cannot finish, nothing after it can either.
                if next == DEAD || product.left(edge.to, next).is_infinite() {
                    continue;
                }
                let to = product.node(edge.to, next)? as usize;
                if to == before.len() {
                    before.push(Vec::new());
                }
                before[to].push((node as u32, edge.cost));
            }
            node += 1;
        }
        let mut cost = vec![f64::INFINITY; product.nodes.len()];
        let mut open = BinaryHeap::new();
        for (node, value) in cost.iter_mut().enumerate() {
            if product.is_final(node as u32) {
                *value = 0.0;
                open.push(Reverse((0u64, node as u32)));
            }
        }
        while let Some(Reverse((reached, node))) = open.pop() {
            let here = cost[node as usize];
            if order(here) < reached {
                continue;
            }
            for (from, step) in &before[node as usize] {
                if here + step < cost[*from as usize] {
                    cost[*from as usize] = here + step;
                    open.push(Reverse((order(here + step), *from)));
                }
            }
        }
        let Product { joint, number, .. } = product;
        Ok(CostToGo {
            map,
            joint,
            number,
            cost,
            lifted,
        })
    }

    fn node(&self, state: &S, watch: &Watch) -> Option<(u32, u32)> {
        let place = *self.map.number.get(state)?;
        let states: Vec<u32> = watch.monitors().iter().map(Monitor::state).collect();
        Some((place, self.joint.find(&states)?))
    }

    fn cost(&self, place: u32, joint: u32) -> Option<f64> {
        let node = self.number.get(self.map.states.len(), place, joint)?;
        Some(self.cost[node as usize]).filter(|cost| cost.is_finite())
    }

    /// The cost of the cheapest way to finish from a state of the system and a watch that has taken the start
    /// and every step to it; `None` if there is none.
    pub fn get(&self, state: &S, watch: &Watch) -> Option<f64> {
        let (place, joint) = self.node(state, watch)?;
        self.cost(place, joint)
    }

    /// The actions after which it is still possible to finish, cheapest first.
    pub fn choices(&self, state: &S, watch: &Watch) -> Vec<Choice<S, A>> {
        let Some((place, _)) = self.node(state, watch) else {
            return Vec::new();
        };
        let mut choices = Vec::new();
        for edge in self.map.open(place, &self.lifted) {
            let step = &self.map.letters[edge.letter as usize];
            let after: Vec<u32> = watch
                .monitors()
                .iter()
                .map(|at| at.rule().dfa().step(at.state(), step))
                .collect();
            let rest = self
                .joint
                .find(&after)
                .and_then(|joint| self.cost(edge.to, joint));
            if let Some(rest) = rest {
                choices.push(Choice {
                    action: self.map.actions[edge.action as usize].clone(),
                    to: self.map.states[edge.to as usize].clone(),
                    step: step.clone(),
                    cost: edge.cost,
                    total: edge.cost + rest,
                });
            }
        }
        choices.sort_by(|a, b| a.total.total_cmp(&b.total));
        choices
    }

    /// Number of states of the product.
    pub fn len(&self) -> usize {
        self.cost.len()
    }

    /// Whether the start violates the rules together, so that the product has no state.
    pub fn is_empty(&self) -> bool {
        self.cost.is_empty()
    }
}
