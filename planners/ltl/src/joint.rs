//! Rules composed on the fly over a fixed set of steps, and automata over an explicit set of steps.

use std::sync::Arc;

use crate::Error;
use crate::dfa::Dfa;
use crate::hash::FastMap;
use crate::rule::{Rule, Verdict};
use crate::trace::Step;

/// A joint state that some rule has lost for good.
pub(crate) const DEAD: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX - 1;

/// The product of rules over numbered steps. A joint state exists only once it has been reached, so twelve
/// "visit" rules cost the subsets that a search meets and not 2^12.
pub(crate) struct Joint {
    rules: Vec<Arc<Rule>>,
    /// Per rule, the next state by `state * letters + letter`.
    columns: Vec<Vec<u32>>,
    letters: usize,
    /// The states of the rules, `rules.len()` per joint state.
    states: Vec<u32>,
    number: FastMap<Box<[u32]>, u32>,
    /// Known successors, `letters` per joint state.
    next: Vec<u32>,
    accepting: Vec<bool>,
}

impl Joint {
    /// Joint state 0 is the one before the first step.
    pub(crate) fn new(rules: &[Arc<Rule>], letters: &[Step]) -> Joint {
        let columns = rules
            .iter()
            .map(|rule| {
                let dfa = rule.dfa();
                (0..dfa.num_states() as u32)
                    .flat_map(|state| letters.iter().map(move |letter| dfa.step(state, letter)))
                    .collect()
            })
            .collect();
        let mut joint = Joint {
            rules: rules.to_vec(),
            columns,
            letters: letters.len(),
            states: Vec::new(),
            number: FastMap::default(),
            next: Vec::new(),
            accepting: Vec::new(),
        };
        let initial: Vec<u32> = rules.iter().map(|rule| rule.dfa().initial()).collect();
        joint.add(&initial);
        joint
    }

    fn add(&mut self, states: &[u32]) -> u32 {
        if let Some(found) = self.number.get(states) {
            return *found;
        }
        let made = self.accepting.len() as u32;
        self.states.extend_from_slice(states);
        self.number.insert(states.into(), made);
        self.next.resize(self.next.len() + self.letters, UNKNOWN);
        self.accepting.push(
            self.rules
                .iter()
                .zip(states)
                .all(|(rule, state)| rule.dfa().is_accepting(*state)),
        );
        made
    }

    /// The joint state of known states of the rules, if it has been reached.
    pub(crate) fn find(&self, states: &[u32]) -> Option<u32> {
        self.number.get(states).copied()
    }

    /// The states of the rules.
    pub(crate) fn states(&self, joint: u32) -> &[u32] {
        let width = self.rules.len();
        &self.states[joint as usize * width..(joint as usize + 1) * width]
    }

    pub(crate) fn is_accepting(&self, joint: u32) -> bool {
        self.accepting[joint as usize]
    }

    /// The joint state after a letter, or [`DEAD`].
    pub(crate) fn next(&mut self, joint: u32, letter: usize) -> u32 {
        let slot = joint as usize * self.letters + letter;
        if self.next[slot] != UNKNOWN {
            return self.next[slot];
        }
        let mut after = Vec::with_capacity(self.rules.len());
        let mut dead = false;
        for (at, state) in self.states(joint).iter().enumerate() {
            let next = self.columns[at][*state as usize * self.letters + letter];
            dead |= self.rules[at].verdict(next) == Verdict::PermanentlyViolated;
            after.push(next);
        }
        let next = if dead { DEAD } else { self.add(&after) };
        self.next[slot] = next;
        next
    }
}

/// A minimal complete automaton over an explicit, numbered set of steps.
///
/// Where only some steps can happen (one action at a time), states that differ only on other steps are one.
///
/// ```
/// use steward_ltl::{Arena, Dfa, Step, Table};
///
/// let mut arena = Arena::new();
/// let rule = arena.parse("F a & F b")?;
/// let dfa = Dfa::of(&mut arena, rule)?;
/// let (a, b) = (arena.prop("a")?, arena.prop("b")?);
/// let table = Table::of_dfa(&dfa, &[Step::of([a]), Step::of([b])])?;
/// assert!(table.accepts(&[0, 0, 1]) && !table.accepts(&[0, 0]));
/// # Ok::<(), steward_ltl::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    letters: usize,
    next: Vec<u32>,
    accepting: Vec<bool>,
}

/// Most states of a table.
const MAX_TABLE: usize = 1 << 20;

impl Table {
    /// The automaton restricted to the given steps.
    pub fn of_dfa(dfa: &Dfa, steps: &[Step]) -> Result<Table, Error> {
        Table::explore(
            steps.len(),
            dfa.initial(),
            |state, letter| dfa.step(*state, &steps[letter]),
            |state| dfa.is_accepting(*state),
        )
    }

    /// All rules together, restricted to the given steps; `start` is a step that has been taken before.
    pub fn of_rules(rules: &[Arc<Rule>], steps: &[Step], start: Option<&Step>) -> Result<Table, Error> {
        let mut letters = steps.to_vec();
        letters.extend(start.cloned());
        let mut joint = Joint::new(rules, &letters);
        let initial = if start.is_some() {
            joint.next(0, steps.len())
        } else {
            0
        };
        let joint = std::cell::RefCell::new(joint);
        Table::explore(
            steps.len(),
            initial,
            |state, letter| {
                if *state == DEAD {
                    DEAD
                } else {
                    joint.borrow_mut().next(*state, letter)
                }
            },
            |state| *state != DEAD && joint.borrow().is_accepting(*state),
        )
    }

    /// Explores an automaton given by its functions, and minimises it.
    fn explore(
        letters: usize,
        initial: u32,
        next: impl Fn(&u32, usize) -> u32,
        accepting: impl Fn(&u32) -> bool,
    ) -> Result<Table, Error> {
        let mut states = vec![initial];
        let mut number: FastMap<u32, u32> = FastMap::default();
        number.insert(initial, 0);
        let mut table = Table {
            letters,
            next: Vec::new(),
            accepting: Vec::new(),
        };
        let mut at = 0;
        while at < states.len() {
            let state = states[at];
            table.accepting.push(accepting(&state));
            for letter in 0..letters {
                let to = next(&state, letter);
                table.next.push(*number.entry(to).or_insert_with(|| {
                    states.push(to);
                    states.len() as u32 - 1
                }));
            }
            at += 1;
            if states.len() > MAX_TABLE {
                return Err(Error::TooLarge {
                    what: "a table over explicit steps",
                    limit: MAX_TABLE,
                    unit: "states",
                    hint: "give fewer rules at once, or plan instead of listing all plans",
                });
            }
        }
        Ok(table.minimise())
    }

    fn minimise(&self) -> Table {
        let count = self.num_states();
        let mut class: Vec<u32> = self
            .accepting
            .iter()
            .map(|accepting| u32::from(*accepting))
            .collect();
        let mut classes = 0;
        loop {
            let mut signature: FastMap<Vec<u32>, u32> = FastMap::default();
            let mut refined = Vec::with_capacity(count);
            for state in 0..count {
                let mut key = vec![class[state]];
                key.extend((0..self.letters).map(|letter| class[self.next(state as u32, letter) as usize]));
                let fresh = signature.len() as u32;
                refined.push(*signature.entry(key).or_insert(fresh));
            }
            class = refined;
            if signature.len() == classes {
                break;
            }
            classes = signature.len();
        }
        // Classes are numbered by their first state, so the initial state keeps number 0.
        let mut table = Table {
            letters: self.letters,
            next: Vec::new(),
            accepting: Vec::new(),
        };
        for state in 0..count {
            if class[state] as usize == table.accepting.len() {
                table.accepting.push(self.accepting[state]);
                table
                    .next
                    .extend((0..self.letters).map(|letter| class[self.next(state as u32, letter) as usize]));
            }
        }
        table
    }

    /// Number of states; state 0 is the initial one.
    pub fn num_states(&self) -> usize {
        self.accepting.len()
    }

    /// Number of steps in the alphabet.
    pub fn num_letters(&self) -> usize {
        self.letters
    }

    /// The state after a step.
    pub fn next(&self, state: u32, letter: usize) -> u32 {
        self.next[state as usize * self.letters + letter]
    }

    /// Whether a word may end in a state.
    pub fn is_accepting(&self, state: u32) -> bool {
        self.accepting[state as usize]
    }

    /// Whether a word of step numbers is accepted.
    pub fn accepts(&self, word: &[usize]) -> bool {
        self.is_accepting(word.iter().fold(0, |state, letter| self.next(state, *letter)))
    }

    /// Per state, the fewest steps to an accepting state; `None` for a dead state.
    pub fn steps_to_accept(&self) -> Vec<Option<u32>> {
        let count = self.num_states();
        let mut distance: Vec<Option<u32>> = self.accepting.iter().map(|yes| yes.then_some(0)).collect();
        loop {
            let mut changed = false;
            for state in 0..count {
                let best = (0..self.letters)
                    .filter_map(|letter| distance[self.next(state as u32, letter) as usize])
                    .min();
                let through = best.map(|steps| steps + 1);
                if through.is_some() && distance[state].is_none_or(|old| through < Some(old)) {
                    distance[state] = through;
                    changed = true;
                }
            }
            if !changed {
                return distance;
            }
        }
    }
}
