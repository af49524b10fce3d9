//! What is true of every trace of a place: one room at a time, which room leads to which.

use crate::Error;
use crate::formula::{Arena, Formula, Node, Prop};
use crate::trace::Step;

/// How many propositions of a group hold in each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly one: the robot is always in one of the rooms.
    ExactlyOne,
    /// At most one: the gripper holds one thing or nothing.
    AtMostOne,
}

/// Propositions of which a known number holds per step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The members.
    pub props: Vec<Prop>,
    /// How many hold.
    pub count: Count,
}

/// Facts about a domain, under which formulas are compared and traces checked.
///
/// A trace that breaks a fact is not a trace of the domain: two formulas that differ only on such traces are
/// equivalent there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Domain {
    /// Groups with a known number of members that hold per step.
    pub groups: Vec<Group>,
    /// Where one can be in the step after being somewhere: the place itself or one of the others.
    pub adjacency: Vec<(Prop, Vec<Prop>)>,
    /// Any other formula that every trace satisfies.
    pub axioms: Vec<Formula>,
}

impl Domain {
    /// The domain without any fact.
    pub fn new() -> Domain {
        Domain::default()
    }

    /// Adds a group of which exactly one member holds per step.
    #[must_use]
    pub fn exactly_one(mut self, props: impl IntoIterator<Item = Prop>) -> Domain {
        self.groups.push(Group {
            props: props.into_iter().collect(),
            count: Count::ExactlyOne,
        });
        self
    }

    /// Adds a group of which at most one member holds per step.
    #[must_use]
    pub fn at_most_one(mut self, props: impl IntoIterator<Item = Prop>) -> Domain {
        self.groups.push(Group {
            props: props.into_iter().collect(),
            count: Count::AtMostOne,
        });
        self
    }

    /// Adds that from `place` one comes only to `place` itself or to one of `neighbours`.
    #[must_use]
    pub fn adjacent(mut self, place: Prop, neighbours: impl IntoIterator<Item = Prop>) -> Domain {
        self.adjacency.push((place, neighbours.into_iter().collect()));
        self
    }

    /// All facts as one formula, for both semantics.
    pub fn axiom(&self, arena: &mut Arena) -> Formula {
        let mut facts = Vec::new();
        for group in &self.groups {
            let one_step = group.constraint(arena);
            facts.push(arena.globally(one_step));
        }
        for (place, neighbours) in &self.adjacency {
            let here = arena.atom(*place);
            let near: Vec<Formula> = std::iter::once(place)
                .chain(neighbours)
                .map(|prop| arena.atom(*prop))
                .collect();
            let near = arena.any(near);
            let next = arena.add(Node::WeakNext(near));
            let fact = arena.implies(here, next);
            facts.push(arena.globally(fact));
        }
        facts.extend(&self.axioms);
        arena.all(facts)
    }

    /// Checks a step against the groups; `number` is the step's place in its trace, from 0.
    pub fn check(&self, arena: &Arena, number: usize, step: &Step) -> Result<(), Error> {
        for group in &self.groups {
            let holding: Vec<Prop> = group
                .props
                .iter()
                .copied()
                .filter(|prop| step.holds(*prop))
                .collect();
            let fits = match group.count {
                Count::ExactlyOne => holding.len() == 1,
                Count::AtMostOne => holding.len() <= 1,
            };
            if !fits {
                let names = |props: &[Prop]| {
                    props
                        .iter()
                        .map(|prop| arena.name(*prop))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                return Err(Error::GroupBroken {
                    step: number,
                    found: if holding.is_empty() {
                        "none".into()
                    } else {
                        names(&holding)
                    },
                    expected: match group.count {
                        Count::ExactlyOne => "exactly one",
                        Count::AtMostOne => "at most one",
                    },
                    group: names(&group.props),
                });
            }
        }
        Ok(())
    }
}

impl Group {
    /// The group's fact about one step.
    fn constraint(&self, arena: &mut Arena) -> Formula {
        let atoms: Vec<Formula> = self.props.iter().map(|prop| arena.atom(*prop)).collect();
        let mut parts = Vec::new();
        if self.count == Count::ExactlyOne {
            parts.push(arena.any(atoms.iter().copied()));
        }
        for (at, atom) in atoms.iter().enumerate() {
            if at + 1 < atoms.len() {
                let others = arena.any(atoms[at + 1..].iter().copied());
                let none = arena.not(others);
                parts.push(arena.implies(*atom, none));
            }
        }
        arena.all(parts)
    }
}
