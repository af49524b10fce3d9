//! Steps and conditions as text that the readers accept.

use std::fmt::Write;

use super::action::GroundAction;
use super::atom::Atom;
use super::model::{Condition, Domain, PredicateId, Term};
use super::scene::Scene;

impl Scene {
    /// A step as text, `(put mug desk)`.
    pub fn action_text(&self, action: &GroundAction) -> String {
        let mut text = format!("({}", self.domain().schema(action.schema).name);
        for object in action.arguments() {
            let _ = write!(text, " {}", self.name(*object));
        }
        text + ")"
    }

    /// A fact as text, `(on mug desk)`.
    pub fn atom_text(&self, atom: Atom) -> String {
        let predicate = self.domain().predicate(atom.predicate());
        let mut text = format!("({}", predicate.name);
        for place in 0..predicate.parameters.len() {
            let _ = write!(text, " {}", self.name(atom.object(place)));
        }
        text + ")"
    }

    /// A condition as text; slots that no quantifier binds are written `?0`, `?1`, ….
    pub fn condition_text(&self, condition: &Condition) -> String {
        let name = |term: Term| match term {
            Term::Slot(slot) => format!("?{slot}"),
            Term::Object(object) => self.name(object).to_owned(),
        };
        self.domain().condition_text(condition, &name)
    }
}

impl Domain {
    /// A condition as text, with the given names for its terms.
    pub fn condition_text(&self, condition: &Condition, name: &impl Fn(Term) -> String) -> String {
        let mut text = String::new();
        self.write(condition, name, &mut text);
        text
    }

    fn write(&self, condition: &Condition, name: &impl Fn(Term) -> String, text: &mut String) {
        let mut list = |head: &str, parts: &[Condition]| {
            let _ = write!(text, "({head}");
            for part in parts {
                text.push(' ');
                self.write(part, name, text);
            }
            text.push(')');
        };
        match condition {
            Condition::Atom(predicate, terms) => {
                let _ = write!(text, "({}", self.predicate_name(*predicate));
                for term in terms {
                    let _ = write!(text, " {}", name(*term));
                }
                text.push(')');
            }
            Condition::Equal(a, b) => {
                let _ = write!(text, "(= {} {})", name(*a), name(*b));
            }
            Condition::Is(a, kind) => {
                let _ = write!(text, "(is {} {})", name(*a), self.kind(*kind).name);
            }
            Condition::Not(inner) => list("not", std::slice::from_ref(inner)),
            Condition::And(parts) => list("and", parts),
            Condition::Or(parts) => list("or", parts),
            Condition::Exists { slot, types, body } => {
                let mut variables = Vec::new();
                for (at, kind) in types.iter().enumerate() {
                    let variable = name(Term::Slot(*slot + at as u8));
                    variables.push(format!("{variable} - {}", self.kind(*kind).name));
                }
                list(
                    &format!("exists ({})", variables.join(" ")),
                    std::slice::from_ref(body),
                );
            }
            Condition::AtLeast {
                count,
                slot,
                of,
                body,
            } => {
                let variable = name(Term::Slot(*slot));
                let head = format!("at-least {count} ({variable} - {})", self.kind(*of).name);
                list(&head, std::slice::from_ref(body));
            }
        }
    }

    fn predicate_name(&self, id: PredicateId) -> &str {
        &self.predicate(id).name
    }
}
