//! Büchi automata of formulas on infinite traces.

use crate::Error;
use crate::bdd::FALSE;
use crate::dfa::Cube;
use crate::formula::{Arena, Formula, Prop};
use crate::hash::FastMap;
use crate::normal::Semantics;
use crate::progress::AutomatonLimits;
use crate::tableau::Tableau;
use crate::trace::Step;

/// One transition of a [`Buchi`] automaton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuchiEdge {
    /// The steps that allow it, as a sum of products.
    pub guard: Vec<Cube>,
    /// The state that is entered.
    pub to: u32,
    /// The acceptance sets that the transition belongs to, in order.
    pub marks: Vec<u32>,
}

/// A transition-based generalised Büchi automaton: a run is accepting if it meets every acceptance set again
/// and again. State 0 is initial. Nondeterministic in general.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buchi {
    edges: Vec<Vec<BuchiEdge>>,
    num_sets: u32,
}

impl Buchi {
    /// The automaton of a formula read on infinite traces (Couvreur, FM 1999).
    ///
    /// ```
    /// use steward_ltl::{Arena, Buchi};
    ///
    /// let mut arena = Arena::new();
    /// let rule = arena.parse("G F a")?;
    /// let buchi = Buchi::of(&mut arena, rule)?;
    /// assert_eq!((buchi.num_states(), buchi.num_sets()), (1, 1));
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn of(arena: &mut Arena, formula: Formula) -> Result<Buchi, Error> {
        let small = arena.simplify(formula, Semantics::Infinite);
        let limits = AutomatonLimits {
            max_states: 50_000,
            ..AutomatonLimits::default()
        };
        let mut tableau = Tableau::new(arena, &[small], Semantics::Infinite, limits)?.keep_letters();
        let mut sets: Vec<u32> = Vec::new();
        let mut raw = Vec::new();
        let mut state = 0;
        while state < tableau.num_states() {
            let moves = tableau.expand(state)?.to_vec();
            let mut edges = Vec::with_capacity(moves.len());
            for chosen in moves {
                sets.extend(&chosen.postponed);
                let guard = tableau.guard(state, &chosen);
                if guard != FALSE {
                    edges.push((tableau.cubes(guard), chosen.to as u32, chosen.postponed));
                }
            }
            raw.push(edges);
            state += 1;
        }
        sets.sort_unstable();
        sets.dedup();
        let edges = raw
            .into_iter()
            .map(|edges| {
                edges
                    .into_iter()
                    .map(|(guard, to, postponed)| {
                        let marks = (0..sets.len() as u32)
                            .filter(|set| !postponed.contains(&sets[*set as usize]))
                            .collect();
                        BuchiEdge { guard, to, marks }
                    })
                    .collect()
            })
            .collect();
        let mut buchi = Buchi {
            edges,
            num_sets: sets.len() as u32,
        };
        buchi.merge_equal_states();
        Ok(buchi)
    }

    /// States with the same transitions are one: repeated until nothing changes.
    fn merge_equal_states(&mut self) {
        loop {
            let mut class: FastMap<Vec<(Vec<u32>, u32, String)>, u32> = FastMap::default();
            let mut to = Vec::with_capacity(self.edges.len());
            let mut kept = Vec::new();
            for (state, edges) in self.edges.iter().enumerate() {
                let mut key: Vec<_> = edges
                    .iter()
                    .map(|edge| (edge.marks.clone(), edge.to, format!("{:?}", edge.guard)))
                    .collect();
                key.sort_unstable();
                key.dedup();
                let fresh = class.len() as u32;
                let number = *class.entry(key).or_insert(fresh);
                if number == fresh {
                    kept.push(state);
                }
                to.push(number);
            }
            let changed = kept.len() < self.edges.len();
            let old = std::mem::take(&mut self.edges);
            for state in kept {
                let mut edges = old[state].clone();
                for edge in &mut edges {
                    edge.to = to[edge.to as usize];
                }
                edges.dedup();
                self.edges.push(edges);
            }
            if !changed {
                return;
            }
        }
    }

    /// Number of states.
    pub fn num_states(&self) -> usize {
        self.edges.len()
    }

    /// Number of acceptance sets; with none, every run is accepting.
    pub fn num_sets(&self) -> usize {
        self.num_sets as usize
    }

    /// The transitions that leave a state.
    pub fn edges(&self, state: u32) -> &[BuchiEdge] {
        &self.edges[state as usize]
    }

    /// The propositions of all guards, in order.
    pub fn props(&self) -> Vec<Prop> {
        let mut props: Vec<Prop> = self
            .edges
            .iter()
            .flatten()
            .flat_map(|edge| edge.guard.iter().flatten().map(|(prop, _)| *prop))
            .collect();
        props.sort_unstable();
        props.dedup();
        props
    }
}

impl BuchiEdge {
    /// Whether a step allows the transition.
    pub fn allows(&self, step: &Step) -> bool {
        self.guard
            .iter()
            .any(|cube| cube.iter().all(|(prop, value)| step.holds(*prop) == *value))
    }
}
