//! Draws tasks that a home can fulfil.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use steward_core::messages::{Goal, GoalRelation, RelationKind};
use steward_sim::model::{Entity, EntityKind, Home};
use steward_sim::truth::Truth;

/// Heights at which the arm puts things down well, metres.
const SURFACE_HEIGHT_M: std::ops::RangeInclusive<f64> = 0.25..=1.15;
/// Smallest half side of a surface that is a target, metres.
const SURFACE_HALF_M: f64 = 0.14;
/// Room that an object needs around it in a container, metres.
const CAVITY_MARGIN_M: f64 = 0.04;
/// How often each kind of relation is drawn, in tenths: `on`, then `in`, then `near`.
const KIND_TENTHS: (u32, u32) = (6, 3);

/// Draws a goal of `count` relations, none of which holds yet, each about another class of graspable objects.
/// `None` where the home has too few.
pub fn draw(home: &Home, truth: &Truth, count: usize, rng: &mut ChaCha8Rng) -> Option<Goal> {
    let mut relations: Vec<GoalRelation> = Vec::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    // Bounded: a home that has no more fitting pairs after this many draws has none.
    for _ in 0..200 {
        if relations.len() == count {
            break;
        }
        let Some(relation) = draw_relation(home, rng) else {
            continue;
        };
        let clash = used.contains(&relation.subject)
            || used.contains(&relation.object)
            || relations.iter().any(|r| r.object == relation.subject)
            || truth.holds(relation.kind, &relation.subject, &relation.object);
        if clash {
            continue;
        }
        used.insert(relation.subject.clone());
        if relation.kind == RelationKind::Near {
            // The landmark must stay where it is.
            used.insert(relation.object.clone());
        }
        relations.push(relation);
    }
    (relations.len() == count).then_some(Goal { relations })
}

fn draw_relation(home: &Home, rng: &mut ChaCha8Rng) -> Option<GoalRelation> {
    let is_graspable = |e: &&Entity| matches!(e.kind, EntityKind::Object { graspable: true });
    let subjects: Vec<&Entity> = home.entities.iter().filter(is_graspable).collect();
    let subject = subjects.choose(rng)?;
    let tenth = rng.random_range(0..10u32);
    let (kind, classes) = if tenth < KIND_TENTHS.0 {
        (RelationKind::On, surfaces(home))
    } else if tenth < KIND_TENTHS.0 + KIND_TENTHS.1 {
        (RelationKind::In, containers(home, subject))
    } else {
        (RelationKind::Near, landmarks(home, subject))
    };
    let classes: Vec<&str> = classes.into_iter().filter(|c| *c != subject.class).collect();
    let object = classes.choose(rng)?;
    Some(GoalRelation {
        kind,
        subject: subject.class.clone(),
        object: (*object).to_owned(),
    })
}

/// Classes of furniture with an open surface at a good height.
fn surfaces(home: &Home) -> BTreeSet<&str> {
    let fits = |e: &Entity| {
        e.surfaces.iter().any(|s| {
            let height = e.pose.translation.z + s.pose.translation.z;
            let shut_in = e.cavities.iter().any(|c| {
                c.door.is_some()
                    && c.bounds
                        .inflated(0.03)
                        .contains(&s.pose.translation.vector.into())
            });
            SURFACE_HEIGHT_M.contains(&height)
                && s.half[0].min(s.half[1]) >= SURFACE_HALF_M
                && s.clearance_m > 0.4
                && !shut_in
        })
    };
    home.entities
        .iter()
        .filter(|e| e.kind == EntityKind::Furniture && fits(e))
        .map(|e| e.class.as_str())
        .collect()
}

/// Classes of furniture with a cavity that the object fits into.
fn containers<'a>(home: &'a Home, object: &Entity) -> BTreeSet<&'a str> {
    let needed = object.local_bounds.size();
    let fits = |e: &Entity| {
        e.cavities.iter().any(|c| {
            let free = c.bounds.size();
            c.door.is_some()
                && free.z > needed.z + CAVITY_MARGIN_M
                && free.x.min(free.y) > needed.x.max(needed.y) + CAVITY_MARGIN_M
        })
    };
    home.entities
        .iter()
        .filter(|e| fits(e))
        .filter_map(|e| match &e.kind {
            EntityKind::Furniture => Some(e.class.as_str()),
            EntityKind::Part(joint) => Some(home.entities[joint.parent.0 as usize].class.as_str()),
            _ => None,
        })
        .collect()
}

/// Classes that appear once, so that it is clear what is meant, and stand where things can be put beside them.
fn landmarks<'a>(home: &'a Home, subject: &Entity) -> BTreeSet<&'a str> {
    let count = |class: &str| home.entities.iter().filter(|e| e.class == class).count();
    home.entities
        .iter()
        .filter(|e| matches!(e.kind, EntityKind::Object { .. }))
        .filter(|e| {
            let height = e.pose.translation.z;
            e.class != subject.class && SURFACE_HEIGHT_M.contains(&height) && count(&e.class) == 1
        })
        .map(|e| e.class.as_str())
        .collect()
}
