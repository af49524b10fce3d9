//! Things that happen to a home while the robot is under way.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use steward_core::Duration;
use steward_core::messages::{Goal, RelationKind};
use steward_sim::changes::{Operation, Spot};
use steward_sim::model::{EntityKind, Home};

use crate::episode::{Disturbance, Trigger};

/// What is put in the way.
const OBSTACLE_CLASS: &str = "basket";

/// Draws a disturbance of a task: its object moved or hidden in a container, its landmark moved, or the way blocked.
/// It is a list of alternatives, because what is possible is known only when it happens.
pub fn draw(home: &Home, goal: &Goal, rng: &mut ChaCha8Rng) -> Disturbance {
    let relation = &goal.relations[rng.random_range(0..goal.relations.len())];
    let objects = |class: &str| -> Vec<String> {
        home.entities
            .iter()
            .filter(|e| e.class == class)
            .map(|e| e.name.clone())
            .collect()
    };
    let mut places: Vec<String> = home
        .entities
        .iter()
        .filter(|e| e.kind == EntityKind::Furniture && !e.surfaces.is_empty() && e.class != relation.object)
        .map(|e| e.name.clone())
        .collect();
    places.shuffle(rng);
    let mut hollows: Vec<(String, String)> = home
        .entities
        .iter()
        .filter(|e| e.kind == EntityKind::Furniture && e.class != relation.object)
        .filter_map(|e| {
            let door = e.cavities.iter().find_map(|c| c.door)?;
            Some((e.name.clone(), home.entities[door.0 as usize].name.clone()))
        })
        .collect();
    hollows.shuffle(rng);

    let moved = |object: &String, place: &String| {
        vec![Operation::Move {
            object: object.clone(),
            to: Spot::somewhere(place.clone()),
        }]
    };
    let hidden = |object: &String, (hollow, part): &(String, String)| {
        vec![
            Operation::Open { part: part.clone() },
            Operation::Move {
                object: object.clone(),
                to: Spot::somewhere(hollow.clone()),
            },
            Operation::Close { part: part.clone() },
        ]
    };
    let subject = objects(&relation.subject).into_iter().next().unwrap_or_default();
    let relocate: Vec<Vec<Operation>> = places.iter().map(|p| moved(&subject, p)).collect();
    let alternatives = match rng.random_range(0..4u32) {
        0 => hollows
            .iter()
            .map(|h| hidden(&subject, h))
            .chain(relocate)
            .collect(),
        1 if relation.kind == RelationKind::Near => {
            let landmark = objects(&relation.object).into_iter().next().unwrap_or_default();
            places
                .iter()
                .map(|p| moved(&landmark, p))
                .chain(relocate)
                .collect()
        }
        2 => {
            let mut floors: Vec<String> = home
                .entities
                .iter()
                .filter(|e| e.class == "floor")
                .map(|e| e.name.clone())
                .collect();
            floors.shuffle(rng);
            let block = |floor: String| {
                vec![Operation::Add {
                    class: OBSTACLE_CLASS.into(),
                    to: Spot::somewhere(floor),
                }]
            };
            floors.into_iter().map(block).chain(relocate).collect()
        }
        _ => relocate,
    };
    Disturbance {
        trigger: Trigger::FirstApproach,
        delay: Duration::from_secs_f64(rng.random_range(1.0..4.0)),
        seed: rng.random(),
        alternatives,
    }
}
