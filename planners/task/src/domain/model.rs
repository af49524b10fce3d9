//! Domains: types, predicates, conditions and action schemas.

use super::action::RefusalKind;
use super::atom::Obj;

/// A type of a domain, by number. Number 0 is `object`, of which all others are kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u16);
/// A predicate of a domain, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PredicateId(pub u16);
/// An action schema of a domain, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u16);

/// Most parameters of an action schema.
pub const MAX_PARAMETERS: usize = 6;
/// Most variables that may be bound at one place: parameters and quantified ones together.
pub const MAX_SLOTS: usize = 16;

/// Everything that is true of any scene: what kinds of things there are and what steps do.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Types by [`TypeId`]; the first is `object`.
    pub types: Vec<Type>,
    /// Objects that every scene has, with their types.
    pub constants: Vec<(String, TypeId)>,
    /// Predicates by [`PredicateId`].
    pub predicates: Vec<Predicate>,
    /// Action schemas by [`SchemaId`].
    pub schemas: Vec<Schema>,
}

/// A kind of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// Its name.
    pub name: String,
    /// The type it is a kind of; `object` is its own.
    pub parent: TypeId,
}

/// A property (one place), relation (two places) or table (three).
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    /// Its name.
    pub name: String,
    /// Type of each place.
    pub parameters: Vec<TypeId>,
    /// Whether a step can change it, directly or through what it is derived from.
    pub fluent: bool,
    /// For derived predicates (PDDL's axioms) the condition on the parameters, in slots 0, 1, …. Where it refers
    /// to itself the least solution is meant, so cycles are harmless.
    pub derived: Option<Condition>,
}

/// An action with typed parameters. Parameters fill the first slots of the frames of its conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Types of its parameters.
    pub parameters: Vec<TypeId>,
    /// Names of its parameters, without question mark; for printing.
    pub parameter_names: Vec<String>,
    /// What must hold, in the order in which it is checked.
    pub needs: Vec<Need>,
    /// What changes, all at once: every condition is read before the step, and what is made true wins over what
    /// is made false.
    pub outcomes: Vec<Outcome>,
    /// What a step costs.
    pub cost: Cost,
    /// How long a step is expected to take, seconds.
    pub duration_s: f64,
    /// What is observed when the step did what it promised.
    pub confirmations: Vec<Confirmation>,
}

/// One precondition.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// What must hold, over the parameters.
    pub condition: Condition,
    /// What it means when it does not.
    pub kind: RefusalKind,
    /// For needs that other steps can bring about: if this held before, the step came too late rather than
    /// without its preparation. `None` stands for `condition`.
    pub earlier: Option<Condition>,
}

/// One conditional effect: for all objects in the slots after the parameters, where `when` holds, the fact becomes
/// `value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Types of the quantified variables.
    pub variables: Vec<TypeId>,
    /// The condition, read before the step.
    pub when: Condition,
    /// The predicate that changes; never a derived one.
    pub predicate: PredicateId,
    /// Its arguments.
    pub arguments: Vec<Term>,
    /// What it becomes.
    pub value: bool,
    /// Of the last variable only the first object, by number, that fulfils `when` with the variables before it.
    pub first_only: bool,
}

/// What a step costs: `fixed + per_metre * distance`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Cost wherever it happens.
    pub fixed: f64,
    /// Cost for each metre between two things.
    pub per_metre: f64,
    /// The two things; [`None`] where the cost does not depend on places.
    pub between: Option<(Term, Term)>,
}

impl Default for Cost {
    /// Every step costs one.
    fn default() -> Self {
        Cost {
            fixed: 1.0,
            per_metre: 0.0,
            between: None,
        }
    }
}

/// An effect and how it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmation {
    /// What must hold after the step, over the parameters.
    pub effect: Condition,
    /// The observation that tells, in the words of the domain (`gripper`, `camera`, …).
    pub by: String,
}

/// A place in a fact: a variable or a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// A slot of the frame.
    Slot(u8),
    /// A constant of the domain, or an object of a scene in ground conditions.
    Object(Obj),
}

/// A condition over a state and a frame of bound variables. `forall x. c` is `not exists x. not c`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A fact, stored or derived.
    Atom(PredicateId, Vec<Term>),
    /// Two terms are the same object.
    Equal(Term, Term),
    /// The object is of the type.
    Is(Term, TypeId),
    /// Not.
    Not(Box<Condition>),
    /// All of them; none is true.
    And(Vec<Condition>),
    /// Any of them; none is false.
    Or(Vec<Condition>),
    /// There are objects of these types, in the slots from `slot` on, with the condition.
    Exists {
        /// First of the slots.
        slot: u8,
        /// Types, one for each slot.
        types: Vec<TypeId>,
        /// The condition.
        body: Box<Condition>,
    },
    /// There are at least `count` objects of the type, in `slot`, with the condition.
    AtLeast {
        /// How many.
        count: u32,
        /// The slot.
        slot: u8,
        /// The type.
        of: TypeId,
        /// The condition.
        body: Box<Condition>,
    },
}

impl Condition {
    /// What always holds.
    pub const TRUE: Condition = Condition::And(Vec::new());

    /// The conjunction, without needless layers.
    pub fn and(mut parts: Vec<Condition>) -> Condition {
        if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            Condition::And(parts)
        }
    }

    /// Its negation, without needless layers.
    pub fn negated(self) -> Condition {
        match self {
            Condition::Not(inner) => *inner,
            other => Condition::Not(Box::new(other)),
        }
    }

    /// The parts of a conjunction, or the condition itself.
    pub fn conjuncts(&self) -> &[Condition] {
        match self {
            Condition::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Calls `visit` for every predicate in it.
    pub fn for_each_predicate(&self, visit: &mut impl FnMut(PredicateId)) {
        match self {
            Condition::Atom(predicate, _) => visit(*predicate),
            Condition::Equal(..) | Condition::Is(..) => {}
            Condition::Not(inner) => inner.for_each_predicate(visit),
            Condition::And(parts) | Condition::Or(parts) => {
                for part in parts {
                    part.for_each_predicate(visit);
                }
            }
            Condition::Exists { body, .. } | Condition::AtLeast { body, .. } => {
                body.for_each_predicate(visit);
            }
        }
    }

    /// The same condition with the frame's objects in place of its first `frame.len()` slots.
    pub fn ground(&self, frame: &[Obj]) -> Condition {
        self.with_terms(&|term| match term {
            Term::Slot(slot) => frame.get(usize::from(*slot)).map_or(*term, |o| Term::Object(*o)),
            Term::Object(_) => *term,
        })
    }

    /// The same condition with an object in place of one slot.
    pub fn bound(&self, slot: u8, object: Obj) -> Condition {
        self.with(slot, Term::Object(object))
    }

    /// The condition with a term in place of a slot.
    pub(crate) fn with(&self, slot: u8, instead: Term) -> Condition {
        let replaced = Term::Slot(slot);
        self.with_terms(&|term| if *term == replaced { instead } else { *term })
    }

    fn with_terms(&self, term: &impl Fn(&Term) -> Term) -> Condition {
        let all = |parts: &[Condition]| parts.iter().map(|part| part.with_terms(term)).collect();
        match self {
            Condition::Atom(predicate, terms) => {
                Condition::Atom(*predicate, terms.iter().map(term).collect())
            }
            Condition::Equal(a, b) => Condition::Equal(term(a), term(b)),
            Condition::Is(a, kind) => Condition::Is(term(a), *kind),
            Condition::Not(inner) => Condition::Not(Box::new(inner.with_terms(term))),
            Condition::And(parts) => Condition::And(all(parts)),
            Condition::Or(parts) => Condition::Or(all(parts)),
            Condition::Exists { slot, types, body } => Condition::Exists {
                slot: *slot,
                types: types.clone(),
                body: Box::new(body.with_terms(term)),
            },
            Condition::AtLeast {
                count,
                slot,
                of,
                body,
            } => Condition::AtLeast {
                count: *count,
                slot: *slot,
                of: *of,
                body: Box::new(body.with_terms(term)),
            },
        }
    }
}

impl Domain {
    /// The type of that name.
    pub fn type_named(&self, name: &str) -> Option<TypeId> {
        position(&self.types, |kind| kind.name == name).map(TypeId)
    }

    /// The predicate of that name.
    pub fn predicate_named(&self, name: &str) -> Option<PredicateId> {
        position(&self.predicates, |predicate| predicate.name == name).map(PredicateId)
    }

    /// The schema of that name.
    pub fn schema_named(&self, name: &str) -> Option<SchemaId> {
        position(&self.schemas, |schema| schema.name == name).map(SchemaId)
    }

    /// The type with that number.
    pub fn kind(&self, id: TypeId) -> &Type {
        &self.types[usize::from(id.0)]
    }

    /// The predicate with that number.
    pub fn predicate(&self, id: PredicateId) -> &Predicate {
        &self.predicates[usize::from(id.0)]
    }

    /// The schema with that number.
    pub fn schema(&self, id: SchemaId) -> &Schema {
        &self.schemas[usize::from(id.0)]
    }

    /// Schemas with their numbers.
    pub fn schema_ids(&self) -> impl Iterator<Item = (SchemaId, &Schema)> {
        self.schemas
            .iter()
            .enumerate()
            .map(|(number, schema)| (SchemaId(number as u16), schema))
    }

    /// Whether objects of type `kind` are of type `ancestor`.
    pub fn is_kind_of(&self, mut kind: TypeId, ancestor: TypeId) -> bool {
        // Parents come before their kinds, so this walks down to 0.
        loop {
            if kind == ancestor {
                return true;
            }
            if kind.0 == 0 {
                return false;
            }
            kind = self.kind(kind).parent;
        }
    }

    /// Marks which predicates steps can change. Called once the domain is complete.
    pub(crate) fn mark_fluents(&mut self) {
        let mut changed: Vec<PredicateId> = self
            .schemas
            .iter()
            .flat_map(|schema| schema.outcomes.iter().map(|outcome| outcome.predicate))
            .collect();
        while let Some(id) = changed.pop() {
            let predicate = &mut self.predicates[usize::from(id.0)];
            if std::mem::replace(&mut predicate.fluent, true) {
                continue;
            }
            for (number, other) in self.predicates.iter().enumerate() {
                let mut depends = false;
                if let Some(body) = &other.derived {
                    body.for_each_predicate(&mut |used| depends |= used == id);
                }
                if depends {
                    changed.push(PredicateId(number as u16));
                }
            }
        }
    }
}

fn position<T>(all: &[T], test: impl FnMut(&T) -> bool) -> Option<u16> {
    all.iter().position(test).map(|at| at as u16)
}
