//! Ground actions, and why a state refuses one.

use super::atom::Obj;
use super::model::{MAX_PARAMETERS, Need, SchemaId};
use super::scene::Scene;
use super::state::State;

/// A schema with objects for its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroundAction {
    /// The schema.
    pub schema: SchemaId,
    length: u8,
    objects: [Obj; MAX_PARAMETERS],
}

impl GroundAction {
    /// The schema applied to objects, of which at most [`MAX_PARAMETERS`] are used. Whether number and types fit is
    /// checked by [`State::check`](super::State::check).
    pub fn new(schema: SchemaId, arguments: &[Obj]) -> GroundAction {
        let mut objects = [Obj::default(); MAX_PARAMETERS];
        let length = arguments.len().min(MAX_PARAMETERS);
        objects[..length].copy_from_slice(&arguments[..length]);
        GroundAction {
            schema,
            length: length as u8,
            objects,
        }
    }

    /// The objects.
    pub fn arguments(&self) -> &[Obj] {
        &self.objects[..usize::from(self.length)]
    }
}

/// What it means when a need does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// A step that would have prepared this one is missing.
    Missing,
    /// The thing is not for that.
    Affordance,
    /// There is no such thing.
    Unseen,
    /// It is so already.
    Satisfied,
    /// What is needed held earlier and was undone: the steps are in the wrong order.
    WrongOrder,
    /// Something else.
    Other,
}

impl RefusalKind {
    /// All of them, with the words of domain files.
    pub(crate) const NAMES: [(&'static str, RefusalKind); 6] = [
        ("missing", RefusalKind::Missing),
        ("affordance", RefusalKind::Affordance),
        ("unseen", RefusalKind::Unseen),
        ("satisfied", RefusalKind::Satisfied),
        ("wrong-order", RefusalKind::WrongOrder),
        ("other", RefusalKind::Other),
    ];

    /// The word for it in domain files.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    fn in_words(self) -> &'static str {
        match self {
            RefusalKind::Missing => "a step before it is missing",
            RefusalKind::Affordance => "the thing is not for that",
            RefusalKind::Unseen => "there is no such thing",
            RefusalKind::Satisfied => "already done",
            RefusalKind::WrongOrder => "it held before: the order is wrong",
            RefusalKind::Other => "not possible",
        }
    }
}

/// Why a step is not possible in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The step.
    pub action: GroundAction,
    /// Which of the schema's needs does not hold; [`None`] where number or types of the objects do not fit.
    pub need: Option<usize>,
    /// What that means.
    pub kind: RefusalKind,
}

impl Refusal {
    /// The need that does not hold.
    pub fn need<'s>(&self, scene: &'s Scene) -> Option<&'s Need> {
        let schema = scene.domain().schema(self.action.schema);
        self.need.and_then(|at| schema.needs.get(at))
    }

    /// What it means, given what held before: a missing preparation that had been there once was undone, so the
    /// order is wrong (the reading of the Embodied Agent Interface).
    pub fn kind_after<'s>(&self, scene: &Scene, earlier: impl IntoIterator<Item = &'s State>) -> RefusalKind {
        let Some(need) = self.need(scene).filter(|need| need.kind == RefusalKind::Missing) else {
            return self.kind;
        };
        let condition = need.earlier.as_ref().unwrap_or(&need.condition);
        let held = |state: &State| state.satisfies(condition, self.action.arguments());
        if earlier.into_iter().any(held) {
            RefusalKind::WrongOrder
        } else {
            self.kind
        }
    }

    /// One sentence for people.
    pub fn describe(&self, scene: &Scene) -> String {
        let action = scene.action_text(&self.action);
        match self.need(scene) {
            Some(need) => format!(
                "{action} needs {}, which does not hold ({})",
                scene.condition_text(&need.condition.ground(self.action.arguments())),
                self.kind.in_words()
            ),
            None => format!("{action} has objects of the wrong number or type"),
        }
    }
}
