//! Equivalence and implication, with a trace that shows the difference.

use crate::Error;
use crate::dfa::Dfa;
use crate::domain::Domain;
use crate::formula::{Arena, Formula};
use crate::normal::Semantics;
use crate::progress::AutomatonLimits;
use crate::trace::Trace;

/// A trace on which two formulas differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The trace. A finite one has at least one step and is as short as possible.
    pub trace: Trace,
    /// Whether the first formula holds on it; the second then does not.
    pub first_holds: bool,
}

/// Automata larger than this are not built to compare formulas: the tableau answers instead.
const COMPARED_BY_AUTOMATA: AutomatonLimits = AutomatonLimits {
    max_states: 2_000,
    max_branches: 200_000,
};

impl Arena {
    /// A trace of the domain on which two formulas differ, or `None` if they are equivalent there.
    ///
    /// ```
    /// use steward_ltl::{Arena, Domain, Semantics};
    ///
    /// let mut arena = Arena::new();
    /// let once = arena.parse("F kitchen & F hall")?;
    /// let in_order = arena.parse("F (kitchen & F hall) | F (hall & F kitchen)")?;
    /// assert!(arena.equivalent(once, in_order, Semantics::Finite, &Domain::new())?);
    ///
    /// let later = arena.parse("F (kitchen & X F hall) | F (hall & X F kitchen)")?;
    /// let difference = arena.difference(once, later, Semantics::Finite, &Domain::new())?.unwrap();
    /// assert!(difference.first_holds); // both at once, in one step
    ///
    /// // In a house one is in one room at a time, and there the two are the same.
    /// let rooms = [arena.prop("kitchen")?, arena.prop("hall")?];
    /// let house = Domain::new().at_most_one(rooms);
    /// assert!(arena.equivalent(once, later, Semantics::Finite, &house)?);
    /// # Ok::<(), steward_ltl::Error>(())
    /// ```
    pub fn difference(
        &mut self,
        first: Formula,
        second: Formula,
        semantics: Semantics,
        domain: &Domain,
    ) -> Result<Option<Difference>, Error> {
        let axiom = domain.axiom(self);
        if semantics == Semantics::Finite
            && let Some(answer) = self.difference_of_automata(first, second, axiom)?
        {
            return Ok(answer);
        }
        for (holds, fails, first_holds) in [(first, second, true), (second, first, false)] {
            if let Some(trace) = self.separating(holds, fails, axiom, semantics)? {
                return Ok(Some(Difference { trace, first_holds }));
            }
        }
        Ok(None)
    }

    /// Whether two formulas hold on the same traces of the domain.
    pub fn equivalent(
        &mut self,
        first: Formula,
        second: Formula,
        semantics: Semantics,
        domain: &Domain,
    ) -> Result<bool, Error> {
        Ok(self.difference(first, second, semantics, domain)?.is_none())
    }

    /// A trace of the domain that satisfies `premise` and not `conclusion`, or `None` if the one implies the
    /// other (its traces are contained in those of the other).
    pub fn counterexample(
        &mut self,
        premise: Formula,
        conclusion: Formula,
        semantics: Semantics,
        domain: &Domain,
    ) -> Result<Option<Trace>, Error> {
        let axiom = domain.axiom(self);
        self.separating(premise, conclusion, axiom, semantics)
    }

    fn separating(
        &mut self,
        holds: Formula,
        fails: Formula,
        axiom: Formula,
        semantics: Semantics,
    ) -> Result<Option<Trace>, Error> {
        let not = self.not(fails);
        let both = self.and(holds, not);
        let whole = self.and(axiom, both);
        self.witness(whole, semantics)
    }

    /// `None` if the automata would be too large.
    fn difference_of_automata(
        &mut self,
        first: Formula,
        second: Formula,
        axiom: Formula,
    ) -> Result<Option<Option<Difference>>, Error> {
        let mut automata = Vec::with_capacity(2);
        for formula in [first, second] {
            let whole = if axiom == Arena::TRUE {
                formula
            } else {
                self.and(axiom, formula)
            };
            match Dfa::within(self, whole, COMPARED_BY_AUTOMATA) {
                Ok(dfa) => automata.push(dfa),
                Err(Error::TooLarge { .. }) => return Ok(None),
                Err(other) => return Err(other),
            }
        }
        if automata[0] == automata[1] {
            return Ok(Some(None));
        }
        let Some(steps) = automata[0].difference(&automata[1], true) else {
            return Ok(Some(None));
        };
        let first_holds = automata[0].accepts(&steps);
        Ok(Some(Some(Difference {
            trace: Trace::Finite(steps),
            first_holds,
        })))
    }
}
