//! Rules of a scene: temporal formulas whose propositions speak of its facts and actions.

use steward_ltl::{Prop, RuleSet, Step, Watch};

use super::lift::Label;
use crate::domain::{Condition, GroundAction, Obj, Scene, State, Term};
use crate::{Error, Result};

/// Rules, with the meanings of their propositions in one scene.
///
/// ```
/// use steward_ltl::RuleSet;
/// use steward_task::domain::{Domain, SceneBuilder};
/// use steward_task::plan::SceneRules;
///
/// let domain = Domain::parse(
///     "(define (domain doors) (:types door) (:predicates (open ?d - door))
///        (:action push :parameters (?d - door) :precondition (not (open ?d)) :effect (open ?d)))",
/// )?;
/// let mut home = SceneBuilder::new(domain);
/// home.object("front", "door")?;
/// let scene = home.build();
/// let set = RuleSet::one_shot([("cold", "G !open(front)"), ("still", "G !push(any)")])?;
/// let rules = SceneRules::new(&scene, set)?;
/// assert_eq!(rules.labels().len(), 2);
///
/// let unknown = RuleSet::one_shot([("cold", "G !open(fornt)")])?;
/// assert!(SceneRules::new(&scene, unknown).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SceneRules {
    set: RuleSet,
    labels: Vec<(Prop, Label)>,
}

impl SceneRules {
    /// Gives each proposition of the rules its meaning: `open(fridge)` is a fact, stored or derived, and
    /// `grab(knife)` is said of the step that grabs it; in actions `any` stands for any object, and places at the end
    /// may be left out. Where a predicate and an action share a name the predicate is meant.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for names that the scene does not have, [`Error::Scene`] for the wrong number of
    /// places.
    pub fn new(scene: &Scene, set: RuleSet) -> Result<SceneRules> {
        let mut used: Vec<Prop> = set
            .rules()
            .iter()
            .flat_map(|rule| rule.dfa().props().to_vec())
            .collect();
        used.sort_unstable();
        used.dedup();
        let labels = used
            .into_iter()
            .map(|prop| Ok((prop, label(scene, set.arena().name(prop))?)))
            .collect::<Result<_>>()?;
        Ok(SceneRules { set, labels })
    }

    /// Rules whose propositions have been given their meanings elsewhere.
    pub fn with_labels(set: RuleSet, labels: Vec<(Prop, Label)>) -> SceneRules {
        SceneRules { set, labels }
    }

    /// The rules.
    pub fn set(&self) -> &RuleSet {
        &self.set
    }

    /// What each proposition means.
    pub fn labels(&self) -> &[(Prop, Label)] {
        &self.labels
    }

    /// What holds in the step that enters a state by an action, or in the start.
    pub fn step(&self, state: &State, by: Option<&GroundAction>) -> Step {
        let holding = self.labels.iter().filter(|(_, label)| match label {
            Label::Holds(condition) => state.satisfies(condition, &[]),
            Label::Done(..) => by.is_some_and(|action| label.matches(action)),
        });
        Step::of(holding.map(|(prop, _)| *prop).collect::<Vec<_>>())
    }

    /// A watch that has seen the start.
    ///
    /// # Errors
    /// Those of [`Watch::step`], as [`Error::Scene`].
    pub fn watch(&self, start: &State) -> Result<Watch> {
        let mut watch = Watch::new(&self.set);
        self.observe(&mut watch, start, None)?;
        Ok(watch)
    }

    /// Shows a watch the next step.
    ///
    /// # Errors
    /// Those of [`Watch::step`], as [`Error::Scene`].
    pub fn observe(&self, watch: &mut Watch, state: &State, by: Option<&GroundAction>) -> Result<()> {
        watch
            .step(&self.set, &self.step(state, by))
            .map_err(|error| Error::Scene(error.to_string()))
    }
}

/// Reads a proposition's name.
pub(crate) fn label(scene: &Scene, name: &str) -> Result<Label> {
    let (head, rest) = name.split_once('(').unwrap_or((name, ""));
    let head = head.trim().to_lowercase();
    let places: Vec<&str> = rest
        .trim_end()
        .trim_end_matches(')')
        .split(',')
        .map(str::trim)
        .filter(|place| !place.is_empty())
        .collect();
    let object = |place: &str| -> Result<Obj> {
        scene.named(place).ok_or_else(|| Error::UnknownName {
            what: "object",
            name: place.to_owned(),
        })
    };
    let domain = scene.domain();
    let wrong = |expected: usize| {
        Error::Scene(format!(
            "`{name}` should speak of {expected} objects; name each, separated by commas"
        ))
    };
    if let Some(predicate) = domain.predicate_named(&head) {
        let expected = domain.predicate(predicate).parameters.len();
        if places.len() != expected {
            return Err(wrong(expected));
        }
        let terms = places
            .iter()
            .map(|place| Ok(Term::Object(object(place)?)))
            .collect::<Result<_>>()?;
        return Ok(Label::Holds(Condition::Atom(predicate, terms)));
    }
    let Some(schema) = domain.schema_named(&head) else {
        return Err(Error::UnknownName {
            what: "predicate or action",
            name: head,
        });
    };
    let expected = domain.schema(schema).parameters.len();
    if places.len() > expected {
        return Err(wrong(expected));
    }
    let objects = places
        .iter()
        .map(|place| {
            if *place == "any" {
                Ok(None)
            } else {
                object(place).map(Some)
            }
        })
        .collect::<Result<_>>()?;
    Ok(Label::Done(schema, objects))
}
