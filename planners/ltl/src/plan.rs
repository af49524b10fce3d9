//! The cheapest plan that keeps every rule: search in the product of a transition system and the rules.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::error::Conflict;
use crate::hash::FastMap;
use crate::joint::{DEAD, Joint};
use crate::monitor::{Monitor, Watch};
use crate::rule::{Rule, RuleSet, Verdict};
use crate::trace::Step;
use crate::Error;

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
        Transition { action, to, cost, during: Step::new(), ruled_out_by: None }
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
        std::iter::once(&self.start_step).chain(self.steps.iter().map(|step| &step.step)).cloned().collect()
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
        PlanLimits { max_states: 1 << 20, max_product: 1 << 25 }
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
                if transition.ruled_out_by.is_some_and(|fact| fact >= map.facts.len()) {
                    return Err(Error::BadOption(
                        "a transition is ruled out by a fact that TransitionSystem::facts does not list".into(),
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
        self.edges[from as usize]
            .iter()
            .filter(|edge| edge.ruled_out_by.is_none_or(|fact| lifted.get(fact as usize) == Some(&true)))
    }
}

/// A cost that can be ordered: not negative, so the bits are in the order of the values.
fn order(cost: f64) -> u64 {
    cost.to_bits()
}

const NOWHERE: u32 = u32::MAX;

/// The product of a map and some rules, explored while it is searched.
struct Product<'a, S, A> {
    map: &'a Map<S, A>,
    rules: Vec<Arc<Rule>>,
    joint: Joint,
    lifted: &'a [bool],
    /// Per rule, the cheapest cost from (map state, rule state) to where that rule alone may end in a goal:
    /// `map state * rule states + rule state`.
    bounds: Vec<Vec<f64>>,
    places: Vec<(u32, u32)>,
    number: FastMap<(u32, u32), u32>,
    limit: usize,
}

impl<'a, S: Clone + Eq + Hash, A: Clone> Product<'a, S, A> {
    fn new(map: &'a Map<S, A>, rules: &[Arc<Rule>], lifted: &'a [bool], limits: PlanLimits) -> Product<'a, S, A> {
        let mut before: Vec<Vec<(u32, MapEdge)>> = vec![Vec::new(); map.states.len()];
        for from in 0..map.states.len() as u32 {
            for edge in map.open(from, lifted) {
                before[edge.to as usize].push((from, *edge));
            }
        }
        let mut bounds: Vec<Vec<f64>> = rules.iter().map(|rule| bound(map, rule, &before)).collect();
        if rules.is_empty() {
            bounds.push(goal_bound(map, &before));
        }
        Product {
            map,
            rules: rules.to_vec(),
            joint: Joint::new(rules, &map.letters),
            lifted,
            bounds,
            places: Vec::new(),
            number: FastMap::default(),
            limit: limits.max_product,
        }
    }

    /// A lower bound on what is left to pay: the most that any one rule needs. It is consistent, because each
    /// rule's own bound is an exact distance in a relaxation.
    fn left(&self, place: u32, joint: u32) -> f64 {
        if self.rules.is_empty() {
            return self.bounds[0][place as usize];
        }
        let states = self.joint.states(joint);
        let mut most = 0.0f64;
        for (at, state) in states.iter().enumerate() {
            let count = self.rules[at].dfa().num_states();
            most = most.max(self.bounds[at][place as usize * count + *state as usize]);
        }
        most
    }

    fn node(&mut self, place: u32, joint: u32) -> Result<u32, Error> {
        if let Some(node) = self.number.get(&(place, joint)) {
            return Ok(*node);
        }
        if self.places.len() >= self.limit {
            return Err(Error::TooLarge {
                what: "the product of map and rules",
                limit: self.limit,
                unit: "states",
                hint: "plan for fewer rules at once, or raise PlanLimits::max_product",
            });
        }
        let node = self.places.len() as u32;
        self.places.push((place, joint));
        self.number.insert((place, joint), node);
        Ok(node)
    }

    fn is_final(&self, node: u32) -> bool {
        let (place, joint) = self.places[node as usize];
        self.map.goal[place as usize] && self.joint.is_accepting(joint)
    }

    /// A* with a consistent bound (Hart, Nilsson, Raphael 1968). The nodes and edges of a cheapest path.
    fn search(&mut self) -> Result<Option<Vec<(u32, MapEdge)>>, Error> {
        let first = self.joint.next(0, self.map.start_letter as usize);
        if first == DEAD || self.left(0, first).is_infinite() {
            return Ok(None);
        }
        let start = self.node(0, first)?;
        let mut cost = vec![0.0f64];
        let mut from: Vec<(u32, u32)> = vec![(NOWHERE, 0)];
        let mut left = vec![self.left(0, first)];
        let mut closed = vec![false];
        // Among equal estimates the node that has paid most comes first: it is nearest to the end.
        let mut open = BinaryHeap::from([Reverse((order(left[0]), Reverse(0u64), start))]);
        while let Some(Reverse((_, _, node))) = open.pop() {
            if std::mem::replace(&mut closed[node as usize], true) {
                continue;
            }
            if self.is_final(node) {
                return Ok(Some(self.path(node, &from)));
            }
            let (place, joint) = self.places[node as usize];
            let paid = cost[node as usize];
            let map = self.map;
            for (index, edge) in map.edges[place as usize].iter().enumerate() {
                if edge.ruled_out_by.is_some_and(|fact| !self.lifted[fact as usize]) {
                    continue;
                }
                let next = self.joint.next(joint, edge.letter as usize);
                if next == DEAD {
                    continue;
                }
                let to = self.node(edge.to, next)?;
                if to as usize == cost.len() {
                    cost.push(f64::INFINITY);
                    from.push((NOWHERE, 0));
                    left.push(self.left(edge.to, next));
                    closed.push(false);
                }
                let total = paid + edge.cost;
                let rest = left[to as usize];
                if total < cost[to as usize] && rest.is_finite() {
                    cost[to as usize] = total;
                    from[to as usize] = (node, index as u32);
                    // Rounding can make the bound inconsistent by the last bit; then a node opens again.
                    closed[to as usize] = false;
                    open.push(Reverse((order(total + rest), Reverse(order(total)), to)));
                }
            }
        }
        Ok(None)
    }

    fn path(&self, last: u32, from: &[(u32, u32)]) -> Vec<(u32, MapEdge)> {
        let mut path = Vec::new();
        let mut node = last;
        while from[node as usize].0 != NOWHERE {
            let (previous, index) = from[node as usize];
            let place = self.places[previous as usize].0;
            path.push((node, self.map.edges[place as usize][index as usize]));
            node = previous;
        }
        path.reverse();
        path
    }
}

/// Exact distances for one rule alone, backwards from where it may end in a goal.
fn bound<S, A>(map: &Map<S, A>, rule: &Rule, before: &[Vec<(u32, MapEdge)>]) -> Vec<f64> {
    let dfa = rule.dfa();
    let count = dfa.num_states();
    // Per letter and rule state, the rule states that lead there.
    let mut inverse: Vec<Vec<Vec<u32>>> = vec![vec![Vec::new(); count]; map.letters.len()];
    for (letter, step) in map.letters.iter().enumerate() {
        for state in 0..count as u32 {
            inverse[letter][dfa.step(state, step) as usize].push(state);
        }
    }
    let mut distance = vec![f64::INFINITY; map.states.len() * count];
    let mut open = BinaryHeap::new();
    for place in 0..map.states.len() {
        for state in 0..count {
            if map.goal[place] && dfa.is_accepting(state as u32) {
                distance[place * count + state] = 0.0;
                open.push(Reverse((0u64, place as u32, state as u32)));
            }
        }
    }
    while let Some(Reverse((reached, place, state))) = open.pop() {
        let here = distance[place as usize * count + state as usize];
        if order(here) < reached {
            continue;
        }
        for (from, edge) in &before[place as usize] {
            for previous in &inverse[edge.letter as usize][state as usize] {
                let slot = *from as usize * count + *previous as usize;
                let total = here + edge.cost;
                if total < distance[slot] && rule.verdict(*previous) != Verdict::PermanentlyViolated {
                    distance[slot] = total;
                    open.push(Reverse((order(total), *from, *previous)));
                }
            }
        }
    }
    distance
}

/// Distances to the goal states of the map, where there is no rule.
fn goal_bound<S, A>(map: &Map<S, A>, before: &[Vec<(u32, MapEdge)>]) -> Vec<f64> {
    let mut distance: Vec<f64> = map.goal.iter().map(|goal| if *goal { 0.0 } else { f64::INFINITY }).collect();
    let mut open: BinaryHeap<_> =
        (0..map.states.len() as u32).filter(|at| map.goal[*at as usize]).map(|at| Reverse((0u64, at))).collect();
    while let Some(Reverse((reached, place))) = open.pop() {
        let here = distance[place as usize];
        if order(here) < reached {
            continue;
        }
        for (from, edge) in &before[place as usize] {
            let total = here + edge.cost;
            if total < distance[*from as usize] {
                distance[*from as usize] = total;
                open.push(Reverse((order(total), *from)));
            }
        }
    }
    distance
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
            .map(|(_, edge)| PlanStep {
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
            return Ok(Error::NoPlan(Conflict { rules: named(&places), facts: Vec::new(), on_every_map: true }));
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
        let facts = (0..lifted.len()).filter(|at| !lifted[*at]).map(|at| map.facts[at].clone()).collect();
        Ok(Error::NoPlan(Conflict { rules: named(&kept), facts, on_every_map: false }))
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
    number: FastMap<(u32, u32), u32>,
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
        while node < product.places.len() {
            let (place, joint) = product.places[node];
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
        let mut cost = vec![f64::INFINITY; product.places.len()];
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
        Ok(CostToGo { map, joint, number, cost, lifted })
    }

    fn node(&self, state: &S, watch: &Watch) -> Option<(u32, u32)> {
        let place = *self.map.number.get(state)?;
        let states: Vec<u32> = watch.monitors().iter().map(Monitor::state).collect();
        Some((place, self.joint.find(&states)?))
    }

    fn cost(&self, place: u32, joint: u32) -> Option<f64> {
        let node = self.number.get(&(place, joint))?;
        Some(self.cost[*node as usize]).filter(|cost| cost.is_finite())
    }

    /// The cost of the cheapest way to finish from a state of the system and a watch that has taken the start
    /// and every step to it; `None` if there is none.
    pub fn get(&self, state: &S, watch: &Watch) -> Option<f64> {
        let (place, joint) = self.node(state, watch)?;
        self.cost(place, joint)
    }

    /// The actions after which it is still possible to finish, cheapest first.
    pub fn choices(&self, state: &S, watch: &Watch) -> Vec<Choice<S, A>> {
        let Some((place, _)) = self.node(state, watch) else { return Vec::new() };
        let mut choices = Vec::new();
        for edge in self.map.open(place, &self.lifted) {
            let step = &self.map.letters[edge.letter as usize];
            let after: Vec<u32> =
                watch.monitors().iter().map(|at| at.rule().dfa().step(at.state(), step)).collect();
            let rest = self.joint.find(&after).and_then(|joint| self.cost(edge.to, joint));
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
