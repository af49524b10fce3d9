//! Scenes: the objects of a place and what holds there at first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::GroundAction;
use super::atom::{Atom, AtomSet, MAX_OBJECTS, Obj};
use super::model::{Condition, Domain, TypeId};
use super::read;
use super::sexpr::Sexpr;
use super::state::{State, span};
use crate::{Error, Result};

/// A thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its name, unique in the scene.
    pub name: String,
    /// Its type.
    pub kind: TypeId,
    /// Where it is, frame `map`, metres; for costs that depend on distances.
    pub position_m: Option<[f64; 3]>,
}

/// The objects of a place, and what holds at first.
#[derive(Debug)]
pub struct Scene {
    domain: Arc<Domain>,
    objects: Vec<Object>,
    by_name: BTreeMap<String, Obj>,
    /// Objects of each type, its kinds included.
    by_type: Vec<Vec<Obj>>,
    facts: AtomSet,
    /// The facts, ascending.
    forward: Vec<Atom>,
    /// Those of two places or more, mirrored, ascending.
    backward: Vec<Atom>,
}

/// Collects objects and facts.
#[derive(Debug, Clone)]
pub struct SceneBuilder {
    domain: Arc<Domain>,
    objects: Vec<Object>,
    by_name: BTreeMap<String, Obj>,
    facts: Vec<Atom>,
}

impl SceneBuilder {
    /// A scene with nothing but the domain's constants.
    pub fn new(domain: impl Into<Arc<Domain>>) -> SceneBuilder {
        let domain = domain.into();
        let mut builder = SceneBuilder {
            objects: Vec::new(),
            by_name: BTreeMap::new(),
            facts: Vec::new(),
            domain: Arc::clone(&domain),
        };
        for (name, kind) in &domain.constants {
            builder.add(name, *kind);
        }
        builder
    }

    /// Its domain.
    pub fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The object of that name.
    pub fn named(&self, name: &str) -> Option<Obj> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    fn add(&mut self, name: &str, kind: TypeId) -> Obj {
        let object = Obj(self.objects.len() as u32);
        self.objects.push(Object {
            name: name.to_owned(),
            kind,
            position_m: None,
        });
        self.by_name.insert(name.to_owned(), object);
        object
    }

    /// Adds an object; names are put in lower case.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a type that the domain does not have, [`Error::Scene`] for a name that is taken
    /// or has spaces or parentheses, or with more than [`MAX_OBJECTS`] objects.
    pub fn object(&mut self, name: &str, kind: &str) -> Result<Obj> {
        let id = self
            .domain
            .type_named(&kind.to_lowercase())
            .ok_or_else(|| unknown("type", kind))?;
        let name = name.to_lowercase();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "();?".contains(c)) {
            return Err(Error::Scene(format!(
                "`{name}` cannot be a name; use letters, digits, `_`, `-` and `.`"
            )));
        }
        if self.by_name.contains_key(&name) {
            return Err(Error::Scene(format!(
                "there are two objects `{name}`; number them"
            )));
        }
        if self.objects.len() == MAX_OBJECTS {
            return Err(Error::Scene(format!(
                "more than {MAX_OBJECTS} objects; keep to the part of the place that matters"
            )));
        }
        Ok(self.add(&name, id))
    }

    /// Says where an object is, frame `map`, metres.
    pub fn position(&mut self, object: Obj, position_m: [f64; 3]) {
        if let Some(object) = self.objects.get_mut(object.0 as usize) {
            object.position_m = Some(position_m);
        }
    }

    /// Adds a fact by names.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for predicates and objects that there are not, [`Error::Scene`] where number or types
    /// of the objects do not fit or the predicate is derived.
    pub fn fact(&mut self, predicate: &str, objects: &[&str]) -> Result<()> {
        let ids = objects
            .iter()
            .map(|name| self.named(name).ok_or_else(|| unknown("object", name)))
            .collect::<Result<Vec<Obj>>>()?;
        self.fact_of(predicate, &ids)
    }

    /// Adds a fact by numbers.
    ///
    /// # Errors
    /// As [`SceneBuilder::fact`].
    pub fn fact_of(&mut self, predicate: &str, objects: &[Obj]) -> Result<()> {
        let id = self
            .domain
            .predicate_named(&predicate.to_lowercase())
            .ok_or_else(|| unknown("predicate", predicate))?;
        let declared = self.domain.predicate(id);
        if declared.derived.is_some() {
            return Err(Error::Scene(format!(
                "`{predicate}` follows from other facts; state those instead"
            )));
        }
        let fits = objects.len() == declared.parameters.len()
            && objects.iter().zip(&declared.parameters).all(|(object, kind)| {
                self.objects
                    .get(object.0 as usize)
                    .is_some_and(|object| self.domain.is_kind_of(object.kind, *kind))
            });
        if !fits {
            return Err(Error::Scene(format!(
                "`{predicate}` does not fit {} objects of these types; see its declaration",
                objects.len()
            )));
        }
        self.facts.push(Atom::new(id, objects));
        Ok(())
    }

    /// The scene.
    pub fn build(self) -> Arc<Scene> {
        let domain = self.domain;
        let mut by_type = vec![Vec::new(); domain.types.len()];
        for (number, object) in self.objects.iter().enumerate() {
            let mut kind = object.kind;
            loop {
                by_type[usize::from(kind.0)].push(Obj(number as u32));
                if kind.0 == 0 {
                    break;
                }
                kind = domain.kind(kind).parent;
            }
        }
        let mut forward = self.facts;
        forward.sort_unstable();
        forward.dedup();
        let mut backward: Vec<Atom> = forward
            .iter()
            .filter(|atom| domain.predicate(atom.predicate()).parameters.len() > 1)
            .map(|atom| atom.mirrored())
            .collect();
        backward.sort_unstable();
        Arc::new(Scene {
            facts: forward.iter().copied().collect(),
            domain,
            objects: self.objects,
            by_name: self.by_name,
            by_type,
            forward,
            backward,
        })
    }
}

impl Scene {
    /// Its domain.
    pub fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// The state at first.
    pub fn start(self: &Arc<Scene>) -> State {
        State::start(Arc::clone(self))
    }

    /// Its objects by number.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object with that number.
    pub fn object(&self, object: Obj) -> &Object {
        &self.objects[object.0 as usize]
    }

    /// The name of an object.
    pub fn name(&self, object: Obj) -> &str {
        &self.object(object).name
    }

    /// The object of that name.
    pub fn named(&self, name: &str) -> Option<Obj> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// Objects of a type and its kinds, ascending.
    pub fn objects_of(&self, kind: TypeId) -> &[Obj] {
        &self.by_type[usize::from(kind.0)]
    }

    /// Whether an object is of a type; false for numbers that the scene does not have.
    pub fn is(&self, object: Obj, kind: TypeId) -> bool {
        self.objects
            .get(object.0 as usize)
            .is_some_and(|object| self.domain.is_kind_of(object.kind, kind))
    }

    /// The facts that hold at first, ascending.
    pub fn facts(&self) -> &[Atom] {
        &self.forward
    }

    pub(crate) fn starts_with(&self, atom: Atom) -> bool {
        self.facts.contains(&atom)
    }

    pub(crate) fn forward(&self, low: Atom, high: Atom) -> &[Atom] {
        span(&self.forward, low, high)
    }

    pub(crate) fn backward(&self, low: Atom, high: Atom) -> &[Atom] {
        span(&self.backward, low, high)
    }

    /// A fact by names.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn atom(&self, predicate: &str, objects: &[&str]) -> Result<Atom> {
        let id = self
            .domain
            .predicate_named(&predicate.to_lowercase())
            .ok_or_else(|| unknown("predicate", predicate))?;
        let objects = self.objects_named(objects)?;
        Ok(Atom::new(id, &objects))
    }

    fn objects_named(&self, names: &[&str]) -> Result<Vec<Obj>> {
        names
            .iter()
            .map(|name| self.named(name).ok_or_else(|| unknown("object", name)))
            .collect()
    }

    /// Reads a step, `(put mug desk)`.
    ///
    /// # Errors
    /// [`Error::Syntax`]; [`Error::UnknownName`] for schemas and objects that there are not.
    pub fn action(&self, text: &str) -> Result<GroundAction> {
        let expression = Sexpr::parse(text)?;
        let words = expression
            .expect_list("a step")?
            .iter()
            .map(|word| word.expect_word("a name"))
            .collect::<Result<Vec<&str>>>()?;
        let Some((name, objects)) = words.split_first() else {
            return Err(expression.error("a step has a name; write `(name objects…)`"));
        };
        let schema = self
            .domain
            .schema_named(name)
            .ok_or_else(|| unknown("action", name))?;
        let expected = self.domain.schema(schema).parameters.len();
        if objects.len() != expected {
            return Err(expression.error(format!(
                "`{name}` takes {expected} objects, {} are given",
                objects.len()
            )));
        }
        Ok(GroundAction::new(schema, &self.objects_named(objects)?))
    }

    /// Reads a ground condition, `(and (on mug desk) (forall (?d - door) (closed ?d)))`: a goal.
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::UnknownName`].
    pub fn condition(&self, text: &str) -> Result<Condition> {
        self.condition_of(&Sexpr::parse(text)?)
    }

    /// The same from an expression that was read already.
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::UnknownName`].
    pub fn condition_of(&self, expression: &Sexpr) -> Result<Condition> {
        read::ground_condition(&self.domain, &self.by_name, expression)
    }

    /// What a step costs.
    pub fn cost(&self, action: &GroundAction) -> f64 {
        let cost = self.domain.schema(action.schema).cost;
        let place = |term| match term {
            super::model::Term::Slot(slot) => action.arguments().get(usize::from(slot)).copied(),
            super::model::Term::Object(object) => Some(object),
        };
        let position = |term| place(term).and_then(|object| self.object(object).position_m);
        let distance = cost.between.and_then(|(a, b)| {
            let (a, b) = (position(a)?, position(b)?);
            let square: f64 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
            Some(square.sqrt())
        });
        cost.fixed + cost.per_metre * distance.unwrap_or(0.0)
    }
}

pub(crate) fn unknown(what: &'static str, name: &str) -> Error {
    Error::UnknownName {
        what,
        name: name.to_owned(),
    }
}
