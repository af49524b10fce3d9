//! How things truly are in the simulator, as a scene.

use steward_core::geometry::{OrientedBox, Pose3, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{Header, Presence, Provenance, Relation, SceneGraph, SceneObject};
use steward_core::{Time, frames};
use steward_sim::model::EntityId;
use steward_sim::simulation::Simulation;

/// Everything that could be handled or put on, where it is in the map that begins at the robot's start, and how it
/// relates. Sizes are left out.
pub fn scene(simulation: &Simulation, map_from_home: &Pose3, now: Time) -> SceneGraph {
    let truth = simulation.truth();
    let id = |id: EntityId| ObjectId(id.0);
    let objects = truth.things.iter().map(|thing| SceneObject {
        id: id(thing.id),
        class: thing.class.clone(),
        shape: OrientedBox {
            center: map_from_home * thing.center,
            yaw_rad: 0.0,
            half: Vector3::zeros(),
        },
        presence: if truth.held == Some(thing.id) {
            Presence::Held
        } else {
            Presence::Present
        },
        provenance: Provenance::Observed,
        confidence: 1.0,
        first_seen: Time::ZERO,
        last_seen: now,
        articulation: None,
        surfaces: Vec::new(),
    });
    let relations = truth.relations.iter().map(|r| Relation {
        subject: id(r.subject),
        kind: r.kind,
        object: id(r.object),
    });
    SceneGraph {
        header: Header::new(now, frames::MAP),
        objects: objects.collect(),
        relations: relations.collect(),
    }
}
