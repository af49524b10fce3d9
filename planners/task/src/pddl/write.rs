//! Writing domains, problems and plans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::domain::{Condition, Domain, GroundAction, Obj, Scene, State, Term, TypeId};
use crate::{Error, Result};

/// The names of slots: parameters by their own, others by number.
fn slot_name(slot: u8) -> String {
    format!("?v{slot}")
}

/// A domain as PDDL that Fast Downward reads.
///
/// What PDDL lacks is expanded: counting becomes quantified variables that differ, types are asked for by static
/// predicates `is-TYPE`, an effect on the first object becomes one on an object with none before it in the static
/// relation `before`, and a step's cost is rounded to thousandths and must not depend on distances. [`problem`] states
/// the facts of these predicates.
///
/// # Errors
/// [`Error::Scene`] for a cost by distance.
pub fn domain(domain: &Domain) -> Result<String> {
    let mut text = String::new();
    let _ = writeln!(text, "(define (domain {})", domain.name);
    let _ = writeln!(
        text,
        "  (:requirements :typing :negative-preconditions :disjunctive-preconditions :equality\n   \
         :existential-preconditions :universal-preconditions :conditional-effects :derived-predicates :action-costs)"
    );
    let _ = writeln!(text, "  (:types");
    for kind in domain.types.iter().skip(1) {
        let _ = writeln!(text, "    {} - {}", kind.name, domain.kind(kind.parent).name);
    }
    let _ = writeln!(text, "  )");
    if !domain.constants.is_empty() {
        let _ = writeln!(text, "  (:constants");
        for (name, kind) in &domain.constants {
            let _ = writeln!(text, "    {name} - {}", domain.kind(*kind).name);
        }
        let _ = writeln!(text, "  )");
    }
    let _ = writeln!(text, "  (:predicates\n    (before ?a - object ?b - object)");
    for kind in &domain.types {
        let _ = writeln!(text, "    (is-{} ?a - object)", kind.name);
    }
    for predicate in &domain.predicates {
        let _ = write!(text, "    ({}", predicate.name);
        variables(domain, &predicate.parameters, 0, &mut text);
        let _ = writeln!(text, ")");
    }
    let _ = writeln!(text, "  )\n  (:functions (total-cost) - number)");
    for predicate in &domain.predicates {
        if let Some(body) = &predicate.derived {
            let _ = write!(text, "  (:derived ({}", predicate.name);
            variables(domain, &predicate.parameters, 0, &mut text);
            let _ = writeln!(text, ")\n    {})", condition(domain, body));
        }
    }
    for schema in &domain.schemas {
        if schema.cost.between.is_some() {
            return Err(Error::Scene(format!(
                "`{}` costs by distance, which PDDL does not know; give it a fixed cost",
                schema.name
            )));
        }
        let first = schema.parameters.len() as u8;
        let _ = write!(text, "  (:action {}\n    :parameters (", schema.name);
        variables(domain, &schema.parameters, 0, &mut text);
        let _ = writeln!(text, ")");
        let needs: Vec<Condition> = schema.needs.iter().map(|need| need.condition.clone()).collect();
        let _ = writeln!(
            text,
            "    :precondition {}",
            condition(domain, &Condition::and(needs))
        );
        let _ = writeln!(text, "    :effect (and");
        for outcome in &schema.outcomes {
            let end = first + outcome.variables.len() as u8;
            let mut when = outcome.when.clone();
            if let (true, Some((of, _))) = (outcome.first_only, outcome.variables.split_last()) {
                let (last, earlier) = (end - 1, spare_slot(&outcome.when, end));
                let other = outcome.when.with(last, Term::Slot(earlier));
                when = Condition::and(vec![
                    when,
                    Condition::Not(Box::new(Condition::Exists {
                        slot: earlier,
                        types: vec![*of],
                        body: Box::new(Condition::and(vec![before(earlier, last), other])),
                    })),
                ]);
            }
            let mut fact = format!("({}", domain.predicate(outcome.predicate).name);
            for place in &outcome.arguments {
                let _ = write!(fact, " {}", term(domain, place));
            }
            fact.push(')');
            if !outcome.value {
                fact = format!("(not {fact})");
            }
            if when != Condition::TRUE {
                fact = format!("(when {} {fact})", condition(domain, &when));
            }
            if !outcome.variables.is_empty() {
                let mut quantified = String::new();
                variables(domain, &outcome.variables, first, &mut quantified);
                fact = format!("(forall ({quantified}) {fact})");
            }
            let _ = writeln!(text, "      {fact}");
        }
        let _ = writeln!(
            text,
            "      (increase (total-cost) {})))",
            (schema.cost.fixed * 1e3).round()
        );
    }
    text.push_str(")\n");
    Ok(text)
}

/// The marker for `before`: a predicate number that no domain has.
const BEFORE: u16 = u16::MAX;

fn before(a: u8, b: u8) -> Condition {
    Condition::Atom(
        crate::domain::PredicateId(BEFORE),
        vec![Term::Slot(a), Term::Slot(b)],
    )
}

/// A slot that a condition does not use.
fn spare_slot(condition: &Condition, at_least: u8) -> u8 {
    match condition {
        Condition::Exists { slot, types, body } => spare_slot(body, at_least.max(slot + types.len() as u8)),
        Condition::AtLeast { slot, body, .. } => spare_slot(body, at_least.max(slot + 1)),
        Condition::Not(inner) => spare_slot(inner, at_least),
        Condition::And(parts) | Condition::Or(parts) => parts
            .iter()
            .map(|part| spare_slot(part, at_least))
            .max()
            .unwrap_or(at_least),
        Condition::Atom(..) | Condition::Equal(..) | Condition::Is(..) => at_least,
    }
}

fn variables(domain: &Domain, types: &[TypeId], first: u8, text: &mut String) {
    for (at, kind) in types.iter().enumerate() {
        let _ = write!(
            text,
            " {} - {}",
            slot_name(first + at as u8),
            domain.kind(*kind).name
        );
    }
}

fn term(domain: &Domain, term: &Term) -> String {
    match term {
        Term::Slot(slot) => slot_name(*slot),
        // Domains speak of constants only, and these are the first objects of every scene.
        Term::Object(object) => domain.constants[object.0 as usize].0.clone(),
    }
}

fn condition(domain: &Domain, of: &Condition) -> String {
    write_condition(domain, of, &|place| term(domain, place))
}

fn write_condition(domain: &Domain, of: &Condition, name: &dyn Fn(&Term) -> String) -> String {
    let list = |head: &str, parts: &[Condition]| {
        let parts: Vec<String> = parts
            .iter()
            .map(|part| write_condition(domain, part, name))
            .collect();
        format!("({head} {})", parts.join(" "))
    };
    match of {
        Condition::Atom(predicate, terms) => {
            let head = if predicate.0 == BEFORE {
                "before"
            } else {
                &domain.predicate(*predicate).name
            };
            let terms: Vec<String> = terms.iter().map(name).collect();
            format!(
                "({head}{}{})",
                if terms.is_empty() { "" } else { " " },
                terms.join(" ")
            )
        }
        Condition::Equal(a, b) => format!("(= {} {})", name(a), name(b)),
        Condition::Is(a, kind) => format!("(is-{} {})", domain.kind(*kind).name, name(a)),
        Condition::Not(inner) => format!("(not {})", write_condition(domain, inner, name)),
        Condition::And(parts) => list("and", parts),
        Condition::Or(parts) => list("or", parts),
        Condition::Exists { slot, types, body } => {
            let mut bound = String::new();
            variables(domain, types, *slot, &mut bound);
            format!("(exists ({bound}) {})", write_condition(domain, body, name))
        }
        Condition::AtLeast { count: 0, .. } => "(and)".to_owned(),
        Condition::AtLeast {
            count,
            slot,
            of,
            body,
        } => {
            let spare = spare_slot(body, slot + 1);
            let slots: Vec<u8> = (0..*count as u8)
                .map(|at| if at == 0 { *slot } else { spare + at - 1 })
                .collect();
            let mut bound = String::new();
            for slot in &slots {
                variables(domain, &[*of], *slot, &mut bound);
            }
            let mut parts: Vec<String> = Vec::new();
            for (at, a) in slots.iter().enumerate() {
                for b in &slots[at + 1..] {
                    parts.push(format!("(not (= {} {}))", slot_name(*a), slot_name(*b)));
                }
                parts.push(write_condition(domain, &body.with(*slot, Term::Slot(*a)), name));
            }
            format!("(exists ({bound}) (and {}))", parts.join(" "))
        }
    }
}

/// A name that Fast Downward reads: `cup.12` becomes `cup__12`.
fn pddl_name(scene: &Scene, object: Obj) -> String {
    if (object.0 as usize) < scene.domain().constants.len() {
        return scene.name(object).to_owned();
    }
    scene.name(object).replace('.', "__")
}

/// A problem for a domain that [`domain`] wrote: a state and a goal. With `only`, the other objects and every fact
/// about them are left out.
pub fn problem(name: &str, state: &State, goal: &Condition, only: Option<&BTreeSet<Obj>>) -> String {
    let scene = state.scene();
    let domain = scene.domain();
    let kept = |object: Obj| only.is_none_or(|only| only.contains(&object));
    let objects: Vec<Obj> = (0..scene.objects().len() as u32)
        .map(Obj)
        .filter(|object| kept(*object))
        .collect();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "(define (problem {name})\n  (:domain {})\n  (:objects",
        domain.name
    );
    for object in objects
        .iter()
        .filter(|object| object.0 as usize >= domain.constants.len())
    {
        let kind = &domain.kind(scene.object(*object).kind).name;
        let _ = writeln!(text, "    {} - {kind}", pddl_name(scene, *object));
    }
    let _ = writeln!(text, "  )\n  (:init\n    (= (total-cost) 0)");
    for (number, predicate) in domain.predicates.iter().enumerate() {
        if predicate.derived.is_some() {
            continue;
        }
        for fact in state.facts(crate::domain::PredicateId(number as u16)) {
            let places: Vec<Obj> = (0..predicate.parameters.len())
                .map(|place| fact.object(place))
                .collect();
            if places.iter().all(|object| kept(*object)) {
                let names: Vec<String> = places.iter().map(|object| pddl_name(scene, *object)).collect();
                let space = if names.is_empty() { "" } else { " " };
                let _ = writeln!(text, "    ({}{space}{})", predicate.name, names.join(" "));
            }
        }
    }
    for (number, kind) in domain.types.iter().enumerate() {
        for object in scene
            .objects_of(TypeId(number as u16))
            .iter()
            .filter(|object| kept(**object))
        {
            let _ = writeln!(text, "    (is-{} {})", kind.name, pddl_name(scene, *object));
        }
    }
    for kind in ordered_types(domain) {
        let members: Vec<Obj> = scene
            .objects_of(kind)
            .iter()
            .copied()
            .filter(|object| kept(*object))
            .collect();
        for (at, a) in members.iter().enumerate() {
            for b in &members[at + 1..] {
                let _ = writeln!(
                    text,
                    "    (before {} {})",
                    pddl_name(scene, *a),
                    pddl_name(scene, *b)
                );
            }
        }
    }
    let name = |term: &Term| match term {
        Term::Slot(slot) => slot_name(*slot),
        Term::Object(object) => pddl_name(scene, *object),
    };
    let _ = writeln!(text, "  )\n  (:goal {})", write_condition(domain, goal, &name));
    text.push_str("  (:metric minimize (total-cost)))\n");
    text
}

/// Types of which some effect picks the first; those that others contain once.
fn ordered_types(domain: &Domain) -> Vec<TypeId> {
    let first_only = domain
        .schemas
        .iter()
        .flat_map(|schema| &schema.outcomes)
        .filter(|outcome| outcome.first_only);
    let all: BTreeSet<TypeId> = first_only
        .filter_map(|outcome| outcome.variables.last().copied())
        .collect();
    let contained = |kind: &TypeId| {
        all.iter()
            .any(|other| other != kind && domain.is_kind_of(*kind, *other))
    };
    all.iter().filter(|kind| !contained(kind)).copied().collect()
}

/// Steps as a plan file.
pub fn plan(scene: &Scene, steps: &[GroundAction]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = write!(text, "({}", scene.domain().schema(step.schema).name);
        for object in step.arguments() {
            let _ = write!(text, " {}", pddl_name(scene, *object));
        }
        text.push_str(")\n");
    }
    text
}

/// Reads a plan file, written by [`plan`] or by a planner for a problem that [`problem`] wrote.
///
/// # Errors
/// [`Error::Syntax`] and [`Error::UnknownName`].
pub fn read_plan(scene: &Scene, text: &str) -> Result<Vec<GroundAction>> {
    let names: BTreeMap<String, &str> = (0..scene.objects().len() as u32)
        .map(|object| (pddl_name(scene, Obj(object)), scene.name(Obj(object))))
        .collect();
    let mut steps = Vec::new();
    for line in text.lines() {
        let line = line.split(';').next().unwrap_or_default().trim();
        let Some(words) = line.strip_prefix('(').and_then(|line| line.strip_suffix(')')) else {
            if line.is_empty() {
                continue;
            }
            return Err(Error::Syntax {
                line: steps.len() + 1,
                reason: format!("`{line}` is no step; write `(name objects…)`"),
            });
        };
        let words: Vec<&str> = words
            .split_whitespace()
            .map(|word| names.get(word).copied().unwrap_or(word))
            .collect();
        steps.push(scene.action(&format!("({})", words.join(" ")))?);
    }
    Ok(steps)
}
