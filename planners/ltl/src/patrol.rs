//! Plans that repeat for ever: the cheapest lasso that satisfies standing rules.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Error;
use crate::buchi::Buchi;
use crate::error::Conflict;
use crate::formula::{Arena, Formula};
use crate::hash::FastMap;
use crate::normal::Semantics;
use crate::plan::{Map, PlanLimits, PlanStep, TransitionSystem};
use crate::rule::{minimal_contradiction, parse_rules};
use crate::trace::{Lasso, Step};

/// A plan that goes through `prefix` once and through `cycle` for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Patrol<S, A> {
    /// The start.
    pub start: S,
    /// What holds at the start: step 0 of the trace.
    pub start_step: Step,
    /// The steps before the cycle.
    pub prefix: Vec<PlanStep<S, A>>,
    /// The steps that repeat; never empty.
    pub cycle: Vec<PlanStep<S, A>>,
    /// The cost of one round.
    pub cycle_cost: f64,
    /// The cost of the prefix.
    pub prefix_cost: f64,
}

impl<S, A> Patrol<S, A> {
    /// The infinite trace that the rules judge.
    pub fn lasso(&self) -> Lasso {
        let steps = |part: &[PlanStep<S, A>]| part.iter().map(|step| step.step.clone()).collect::<Vec<_>>();
        let mut prefix = vec![self.start_step.clone()];
        prefix.extend(steps(&self.prefix));
        Lasso {
            prefix,
            cycle: steps(&self.cycle),
        }
    }
}

/// Standing rules, read on infinite traces.
#[derive(Debug, Clone)]
pub struct StandingRules {
    arena: Arena,
    rules: Vec<(String, Formula)>,
}

/// A product state: map state, automaton state, and the acceptance set that is waited for.
type Place = (u32, u32, u32);

/// A round that was found: its cost, the cost of the way to it, its entry, and how each place is reached.
type Round = (f64, f64, u32, Vec<(u32, usize)>);

struct Product<'a, S, A> {
    map: &'a Map<S, A>,
    buchi: Buchi,
    /// Per automaton state and edge, whether each letter allows it.
    allowed: Vec<Vec<Vec<bool>>>,
    places: Vec<Place>,
    number: FastMap<Place, u32>,
    /// Per place: target, cost, action, letter.
    edges: Vec<Vec<(u32, f64, u32, u32)>>,
    lifted: Vec<bool>,
}

impl StandingRules {
    /// Parses the rules; one that does not parse stops everything.
    pub fn new<N: Into<String>, T: AsRef<str>>(
        rules: impl IntoIterator<Item = (N, T)>,
    ) -> Result<StandingRules, Error> {
        StandingRules::new_in(Arena::new(), rules)
    }

    /// The same with an arena that already holds propositions.
    pub fn new_in<N: Into<String>, T: AsRef<str>>(
        mut arena: Arena,
        rules: impl IntoIterator<Item = (N, T)>,
    ) -> Result<StandingRules, Error> {
        let rules = parse_rules(&mut arena, rules)?;
        Ok(StandingRules { arena, rules })
    }

    /// The arena of all formulas.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The arena, to add propositions.
    pub fn arena_mut(&mut self) -> &mut Arena {
        &mut self.arena
    }

    /// The lasso that satisfies all rules with the cheapest round and, among those, the cheapest way to it.
    ///
    /// ```
    /// use steward_ltl::{StandingRules, Step, Transition, TransitionSystem};
    ///
    /// struct Ring([Step; 4]);
    /// impl TransitionSystem for Ring {
    ///     type State = usize;
    ///     type Action = &'static str;
    ///     fn start(&self) -> usize {
    ///         0
    ///     }
    ///     fn label(&self, at: &usize) -> Step {
    ///         self.0[*at].clone()
    ///     }
    ///     fn successors(&self, at: &usize) -> Vec<Transition<usize, &'static str>> {
    ///         vec![
    ///             Transition::new("clockwise", (at + 1) % 4, 1.0),
    ///             Transition::new("back", (at + 3) % 4, 1.0),
    ///         ]
    ///     }
    /// }
    ///
    /// let mut rules = StandingRules::new([("patrol", "G F a & G F b"), ("safe", "G !stairs")])?;
    /// let mut prop = |name: &str| rules.arena_mut().prop(name).map(|prop| Step::of([prop]));
    /// let ring = Ring([Step::new(), prop("a")?, prop("b")?, prop("stairs")?]);
    /// let patrol = rules.plan(&ring)?;
    /// assert_eq!(patrol.cycle_cost, 2.0); // back and forth between a and b
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn plan<T: TransitionSystem>(&self, system: &T) -> Result<Patrol<T::State, T::Action>, Error> {
        let limits = PlanLimits {
            max_states: 1 << 16,
            max_product: 1 << 21,
        };
        let map = Map::explore(system, limits)?;
        let mut arena = self.arena.clone();
        let start = &map.letters[map.start_letter as usize];
        for (name, formula) in &self.rules {
            self.check_start(&mut arena, name, *formula, start)?;
        }
        let all: Vec<usize> = (0..self.rules.len()).collect();
        let lifted = vec![false; map.num_facts()];
        if let Some(patrol) = self.search(&mut arena, &map, &all, lifted.clone(), limits)? {
            return Ok(patrol);
        }
        Err(self.conflict(&mut arena, &map, limits)?)
    }

    /// A start with which no infinite trace can begin under a rule is reported.
    fn check_start(&self, arena: &mut Arena, name: &str, rule: Formula, start: &Step) -> Result<(), Error> {
        let literals: Vec<Formula> = arena
            .props_of(&[rule])
            .into_iter()
            .map(|prop| {
                let atom = arena.atom(prop);
                if start.holds(prop) { atom } else { arena.not(atom) }
            })
            .collect();
        let begins = arena.all(literals);
        let both = arena.and(begins, rule);
        if arena.is_satisfiable(rule, Semantics::Infinite)?
            && !arena.is_satisfiable(both, Semantics::Infinite)?
        {
            return Err(Error::StartViolates {
                rule: name.to_string(),
                detail: format!(
                    "there `{}` holds, and no continuation satisfies the rule",
                    start.text(arena)
                ),
            });
        }
        Ok(())
    }

    fn named(&self, places: &[usize]) -> Vec<(String, String)> {
        places
            .iter()
            .map(|at| (self.rules[*at].0.clone(), self.arena.text(self.rules[*at].1)))
            .collect()
    }

    fn conflict<S: Clone + Eq + std::hash::Hash, A: Clone>(
        &self,
        arena: &mut Arena,
        map: &Map<S, A>,
        limits: PlanLimits,
    ) -> Result<Error, Error> {
        let formulas: Vec<Formula> = self.rules.iter().map(|(_, formula)| *formula).collect();
        if let Some(places) = minimal_contradiction(arena, Arena::TRUE, &formulas, Semantics::Infinite)? {
            return Ok(Error::NoPlan(Conflict {
                rules: self.named(&places),
                facts: Vec::new(),
                on_every_map: true,
            }));
        }
        let mut kept: Vec<usize> = (0..self.rules.len()).collect();
        let mut lifted = vec![false; map.num_facts()];
        let mut at = 0;
        while at < kept.len() {
            let mut without = kept.clone();
            without.remove(at);
            if self
                .search(arena, map, &without, lifted.clone(), limits)?
                .is_some()
            {
                at += 1;
            } else {
                kept = without;
            }
        }
        for fact in 0..lifted.len() {
            lifted[fact] = true;
            if self.search(arena, map, &kept, lifted.clone(), limits)?.is_some() {
                lifted[fact] = false;
            }
        }
        let facts = (0..lifted.len())
            .filter(|at| !lifted[*at])
            .map(|at| map.fact(at))
            .collect();
        Ok(Error::NoPlan(Conflict {
            rules: self.named(&kept),
            facts,
            on_every_map: false,
        }))
    }

    fn search<S: Clone + Eq + std::hash::Hash, A: Clone>(
        &self,
        arena: &mut Arena,
        map: &Map<S, A>,
        rules: &[usize],
        lifted: Vec<bool>,
        limits: PlanLimits,
    ) -> Result<Option<Patrol<S, A>>, Error> {
        let whole = arena.all(rules.iter().map(|at| self.rules[*at].1).collect::<Vec<_>>());
        let buchi = Buchi::of(arena, whole)?;
        let allowed = (0..buchi.num_states() as u32)
            .map(|state| {
                let letters = |edge: &crate::buchi::BuchiEdge| {
                    map.letters.iter().map(|letter| edge.allows(letter)).collect()
                };
                buchi.edges(state).iter().map(letters).collect()
            })
            .collect();
        let product = Product {
            map,
            buchi,
            allowed,
            places: Vec::new(),
            number: FastMap::default(),
            edges: Vec::new(),
            lifted,
        };
        product.run(limits)
    }
}

impl<S: Clone + Eq + std::hash::Hash, A: Clone> Product<'_, S, A> {
    fn add(&mut self, place: Place) -> u32 {
        if let Some(number) = self.number.get(&place) {
            return *number;
        }
        let number = self.places.len() as u32;
        self.places.push(place);
        self.number.insert(place, number);
        number
    }

    /// The acceptance set waited for after an edge; the last one wraps round to `num_sets`, which counts as
    /// having met all of them.
    fn waits_after(&self, waiting: u32, marks: &[u32]) -> u32 {
        let sets = self.buchi.num_sets() as u32;
        let mut next = if waiting == sets { 0 } else { waiting };
        while next < sets && marks.contains(&next) {
            next += 1;
        }
        next
    }

    fn run(mut self, limits: PlanLimits) -> Result<Option<Patrol<S, A>>, Error> {
        let letter = self.map.start_letter as usize;
        for (at, edge) in self.buchi.edges(0).to_vec().iter().enumerate() {
            if self.allowed[0][at][letter] {
                let waits = self.waits_after(0, &edge.marks);
                self.add((0, edge.to, waits));
            }
        }
        let starts = self.places.len() as u32;
        while self.edges.len() < self.places.len() {
            let (place, state, waiting) = self.places[self.edges.len()];
            let mut edges = Vec::new();
            let map = self.map;
            let lifted = self.lifted.clone();
            for step in map.open(place, &lifted) {
                for (at, edge) in self.buchi.edges(state).to_vec().iter().enumerate() {
                    if self.allowed[state as usize][at][step.letter as usize] {
                        let waits = self.waits_after(waiting, &edge.marks);
                        let to = self.add((step.to, edge.to, waits));
                        edges.push((to, step.cost, step.action, step.letter));
                    }
                }
            }
            self.edges.push(edges);
            if self.places.len() > limits.max_product {
                return Err(Error::TooLarge {
                    what: "the product of map and standing rules",
                    limit: limits.max_product,
                    unit: "states",
                    hint: "plan for fewer rules at once",
                });
            }
        }
        let sources: Vec<u32> = (0..starts).collect();
        let (reach, reach_from) = self.distances(&sources, f64::INFINITY, None);
        let full = self.buchi.num_sets() as u32;
        let mut best: Option<Round> = None;
        for place in 0..self.places.len() as u32 {
            if self.places[place as usize].2 != full || reach[place as usize].is_infinite() {
                continue;
            }
            let bound = best.as_ref().map_or(f64::INFINITY, |best| best.0);
            let (around, from) = self.distances(&[place], bound, Some(place));
            let round = around[self.places.len()];
            let better = best
                .as_ref()
                .is_none_or(|best| (round, reach[place as usize]) < (best.0, best.1));
            if round.is_finite() && better {
                best = Some((round, reach[place as usize], place, from));
            }
        }
        Ok(best.map(|(cycle_cost, prefix_cost, place, around)| {
            let prefix = self.walk(place, &reach_from, None);
            let cycle = self.walk(place, &around, Some(place));
            Patrol {
                start: self.map.states[0].clone(),
                start_step: self.map.letters[letter].clone(),
                prefix,
                cycle,
                cycle_cost,
                prefix_cost,
            }
        }))
    }

    /// Cheapest distances from some places, up to a bound. With `back_to`, the extra last slot is the cheapest
    /// way of at least one step back to that place.
    fn distances(&self, sources: &[u32], bound: f64, back_to: Option<u32>) -> (Vec<f64>, Vec<(u32, usize)>) {
        let count = self.places.len();
        let mut distance = vec![f64::INFINITY; count + 1];
        let mut from = vec![(u32::MAX, 0); count + 1];
        let mut open = BinaryHeap::new();
        for source in sources {
            distance[*source as usize] = 0.0;
            open.push(Reverse((0u64, *source)));
        }
        while let Some(Reverse((reached, place))) = open.pop() {
            let here = distance[place as usize];
            if here.to_bits() < reached || here > bound || place as usize == count {
                if place as usize == count {
                    break;
                }
                continue;
            }
            for (index, (to, cost, ..)) in self.edges[place as usize].iter().enumerate() {
                let slots = [
                    Some(*to as usize),
                    back_to.filter(|back| back == to).map(|_| count),
                ];
                for slot in slots.into_iter().flatten() {
                    let total = here + cost;
                    if total < distance[slot] {
                        distance[slot] = total;
                        from[slot] = (place, index);
                        open.push(Reverse((total.to_bits(), slot as u32)));
                    }
                }
            }
        }
        (distance, from)
    }

    /// The steps of a walk, backwards from its end: a place, or the extra slot for a round.
    fn walk(&self, to: u32, from: &[(u32, usize)], round: Option<u32>) -> Vec<PlanStep<S, A>> {
        let mut steps = Vec::new();
        let mut at = if round.is_some() {
            self.places.len()
        } else {
            to as usize
        };
        while from[at].0 != u32::MAX {
            let (previous, index) = from[at];
            let (target, cost, action, letter) = self.edges[previous as usize][index];
            steps.push(PlanStep {
                action: self.map.actions[action as usize].clone(),
                state: self.map.states[self.places[target as usize].0 as usize].clone(),
                step: self.map.letters[letter as usize].clone(),
                cost,
            });
            at = previous as usize;
        }
        steps.reverse();
        steps
    }
}
