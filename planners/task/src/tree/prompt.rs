//! What a language model is shown.

use std::fmt::Write;

use super::sample::Request;
use crate::domain::{Atom, Condition, Domain, GroundAction, Obj, RefusalKind, Scene, State, Term};
use crate::plan::{Goal, Label};

/// How a language model is asked: for whole plans, or for one choice.
///
/// The texts name the actions of the domain, the objects that matter with what holds of them, and the goal; answers
/// are one step per line, as the scene prints them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prompt {
    /// Objects to show besides those of the goal and of the steps at hand.
    pub also: Vec<Obj>,
}

impl Prompt {
    /// Asks for whole plans.
    pub fn plans(&self, request: &Request) -> String {
        let scene = request.state.scene();
        let mut text = self.preamble(request.state, request.goal, &[]);
        for lesson in request.lessons {
            let _ = writeln!(
                text,
                "{} did not work: {}.",
                scene.action_text(&lesson.action),
                why(lesson.kind)
            );
        }
        text.push_str("Write a plan, one step per line, nothing else.\n");
        text
    }

    /// Asks for the next step alone, after what was done.
    pub fn next_step(&self, state: &State, goal: &Goal, done: &[GroundAction]) -> String {
        let mut text = self.preamble(state, goal, &[]);
        history(&mut text, state.scene(), done);
        text.push_str("Write the next step, or `done`, nothing else.\n");
        text
    }

    /// Asks for the rest of a plan whose step failed.
    pub fn rest(&self, state: &State, goal: &Goal, done: &[GroundAction], failed: &GroundAction) -> String {
        let mut text = self.preamble(state, goal, &[]);
        history(&mut text, state.scene(), done);
        let failed = state.scene().action_text(failed);
        let _ = writeln!(
            text,
            "{failed} failed. Write the rest of the plan, one step per line, nothing else."
        );
        text
    }

    /// Asks which of several steps comes next: no list of actions, only what the steps touch.
    pub fn choice(
        &self,
        state: &State,
        goal: &Goal,
        done: &[GroundAction],
        steps: &[GroundAction],
    ) -> String {
        let scene = state.scene();
        let mut text = goal_text(scene, goal);
        let mut objects: Vec<Obj> = steps.iter().flat_map(|step| step.arguments().to_vec()).collect();
        objects.extend(objects_of(&goal.condition));
        describe(&mut text, state, objects);
        history(&mut text, scene, done);
        for (number, step) in steps.iter().enumerate() {
            let _ = writeln!(text, "{} {}", number + 1, scene.action_text(step));
        }
        text.push_str("Answer with the number of the best next step.\n");
        text
    }

    fn preamble(&self, state: &State, goal: &Goal, steps: &[GroundAction]) -> String {
        let scene = state.scene();
        let mut text = String::from("You plan for a robot at home. Actions:\n");
        for schema in &scene.domain().schemas {
            let _ = write!(text, "({}", schema.name);
            for name in &schema.parameter_names {
                let _ = write!(text, " ?{name}");
            }
            text.push(')');
            let slot = |term: Term| match term {
                Term::Slot(slot) => match schema.parameter_names.get(usize::from(slot)) {
                    Some(name) => format!("?{name}"),
                    None => format!("?v{slot}"),
                },
                Term::Object(object) => scene.name(object).to_owned(),
            };
            let needs: Vec<String> = schema
                .needs
                .iter()
                .map(|need| scene.domain().condition_text(&need.condition, &slot))
                .collect();
            if !needs.is_empty() {
                let _ = write!(text, " needs {}", needs.join(" "));
            }
            text.push('\n');
        }
        let mut objects: Vec<Obj> = self.also.clone();
        objects.extend(objects_of(&goal.condition));
        objects.extend(steps.iter().flat_map(|step| step.arguments().to_vec()));
        describe(&mut text, state, objects);
        text + &goal_text(scene, goal)
    }
}

fn why(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Missing => "something had to be done first",
        RefusalKind::Affordance => "the thing is not for that",
        RefusalKind::Unseen => "there is no such thing",
        RefusalKind::Satisfied => "it was so already",
        RefusalKind::WrongOrder => "it came too late",
        RefusalKind::Other => "it is not possible",
    }
}

fn history(text: &mut String, scene: &Scene, done: &[GroundAction]) {
    if done.is_empty() {
        return;
    }
    text.push_str("Done so far:\n");
    for step in done {
        let _ = writeln!(text, "{}", scene.action_text(step));
    }
}

fn goal_text(scene: &Scene, goal: &Goal) -> String {
    let mut text = format!("Goal: {}\n", scene.condition_text(&goal.condition));
    for wanted in &goal.actions {
        let names: Vec<&str> = wanted
            .iter()
            .filter_map(|label| match label {
                Label::Done(schema, _) => Some(&scene.domain().schema(*schema).name[..]),
                Label::Holds(_) => None,
            })
            .collect();
        let _ = writeln!(text, "On the way do: {}", names.join(" or "));
    }
    text
}

/// Objects that a condition names.
fn objects_of(condition: &Condition) -> Vec<Obj> {
    let mut all = Vec::new();
    let mut open = vec![condition];
    while let Some(condition) = open.pop() {
        match condition {
            Condition::Atom(_, terms) => {
                all.extend(terms.iter().filter_map(|term| match term {
                    Term::Object(object) => Some(*object),
                    Term::Slot(_) => None,
                }));
            }
            Condition::Not(inner) => open.push(inner),
            Condition::And(parts) | Condition::Or(parts) => open.extend(parts),
            Condition::Exists { body, .. } | Condition::AtLeast { body, .. } => open.push(body),
            Condition::Equal(..) | Condition::Is(..) => {}
        }
    }
    all
}

/// Writes what holds of objects, and between them.
fn describe(text: &mut String, state: &State, mut objects: Vec<Obj>) {
    objects.sort_unstable();
    objects.dedup();
    let scene = state.scene();
    let domain: &Domain = scene.domain();
    for object in &objects {
        let _ = write!(text, "{}:", scene.name(*object));
        for (number, predicate) in domain.predicates.iter().enumerate() {
            let id = crate::domain::PredicateId(number as u16);
            if predicate.derived.is_some() {
                continue;
            }
            match predicate.parameters.len() {
                1 if state.stores(Atom::new(id, &[*object])) => {
                    let _ = write!(text, " {}", predicate.name);
                }
                2 => {
                    for other in &objects {
                        if state.stores(Atom::new(id, &[*object, *other])) {
                            let _ = write!(text, " {}({})", predicate.name, scene.name(*other));
                        }
                    }
                }
                _ => {}
            }
        }
        text.push('\n');
    }
}
