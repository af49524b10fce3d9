//! A small home for tests, with every feature the renderer has.

use std::sync::Arc;

use nalgebra::Vector3;
use steward_core::geometry::{Aabb, Point3, Pose2, Pose3};

use crate::mesh::Mesh;
use crate::model::{
    Collider, ColliderShape, Entity, EntityId, EntityKind, Home, Light, Material, Room, Visual,
};
use crate::texture::{Pattern, texture};

pub(crate) fn plain(tint: [f32; 3]) -> Material {
    Material {
        texture: None,
        tint,
        opacity: 1.0,
    }
}

pub(crate) fn printed(pattern: Pattern, variant: u32) -> Material {
    Material {
        texture: Some(texture(pattern, variant)),
        ..plain([1.0; 3])
    }
}

pub(crate) fn entity(class: &str, kind: EntityKind, mesh: Mesh, at: Pose3, material: Material) -> Entity {
    let local_bounds = mesh.bounds(&Pose3::identity()).unwrap();
    let visual = Visual {
        mesh: Arc::new(mesh),
        material,
        pose: Pose3::identity(),
        label: None,
    };
    let collider = Collider {
        shape: ColliderShape::Cuboid {
            half: local_bounds.half(),
        },
        pose: Pose3::translation(
            local_bounds.center().x,
            local_bounds.center().y,
            local_bounds.center().z,
        ),
    };
    Entity {
        id: EntityId(0),
        name: class.into(),
        class: class.into(),
        kind,
        pose: at,
        visuals: vec![visual],
        colliders: vec![collider],
        local_bounds,
        mass_kg: 0.3,
        friction: 0.6,
        surfaces: vec![],
        cavities: vec![],
    }
}

pub(crate) fn home(entities: Vec<Entity>, lights: Vec<Light>) -> Home {
    let number = |(i, e): (usize, Entity)| Entity {
        id: EntityId(i as u32),
        name: format!("{}_{i}", e.class),
        ..e
    };
    Home {
        name: "fixture".into(),
        rooms: vec![Room {
            name: "living_room".into(),
            kind: "living_room".into(),
            bounds: Aabb {
                min: Point3::new(0.0, 0.0, 0.0),
                max: Point3::new(5.0, 4.0, 2.6),
            },
        }],
        doorways: vec![],
        entities: entities.into_iter().enumerate().map(number).collect(),
        lights,
        robot_start: Pose2::new(1.0, 2.0, 0.0),
    }
}

/// A room of 5 m by 4 m with a table, things on it, a window and two lamps.
pub(crate) fn room() -> Home {
    use EntityKind::{Furniture, Structure};
    let object = || EntityKind::Object { graspable: true };
    let slab =
        |x: f64, y: f64, z: f64, repeat: f64| Mesh::cuboid(Vector3::new(x, y, z)).with_uv_scale(1.0 / repeat);
    let at = Pose3::translation;
    let planks = printed(Pattern::Planks, 1);
    let plaster = printed(Pattern::Plaster, 2);
    let wood = printed(Pattern::Wood, 3);
    let mut entities = vec![
        entity(
            "floor",
            Structure,
            slab(2.6, 2.1, 0.05, 1.5),
            at(2.5, 2.0, -0.05),
            planks,
        ),
        entity(
            "ceiling",
            Structure,
            slab(2.6, 2.1, 0.05, 2.0),
            at(2.5, 2.0, 2.65),
            plaster.clone(),
        ),
        entity(
            "wall",
            Structure,
            slab(2.6, 0.05, 1.3, 2.0),
            at(2.5, -0.05, 1.3),
            plaster.clone(),
        ),
        entity(
            "wall",
            Structure,
            slab(2.6, 0.05, 1.3, 2.0),
            at(2.5, 4.05, 1.3),
            printed(Pattern::Wallpaper, 1),
        ),
        entity(
            "wall",
            Structure,
            slab(0.05, 2.0, 1.3, 2.0),
            at(-0.05, 2.0, 1.3),
            plaster.clone(),
        ),
    ];
    // The far wall has a window.
    let brick = printed(Pattern::Brick, 0);
    for (y, half_y, z, half_z) in [
        (0.7, 0.7, 1.3, 1.3),
        (3.3, 0.7, 1.3, 1.3),
        (2.0, 0.6, 0.45, 0.45),
        (2.0, 0.6, 2.3, 0.3),
    ] {
        entities.push(entity(
            "wall",
            Structure,
            slab(0.05, half_y, half_z, 1.0),
            at(5.05, y, z),
            brick.clone(),
        ));
    }
    let glass = |tint: [f32; 3], opacity: f32| Material {
        opacity,
        ..plain(tint)
    };
    let pane = slab(0.005, 0.6, 0.55, 1.0);
    entities.push(entity(
        "window",
        Structure,
        pane,
        at(5.05, 2.0, 1.45),
        glass([0.8, 0.9, 1.0], 0.15),
    ));
    let mut table = slab(0.6, 0.4, 0.02, 0.8).translated(0.0, 0.0, 0.73);
    for (x, y) in [(-0.55, -0.35), (0.55, -0.35), (-0.55, 0.35), (0.55, 0.35)] {
        table.merge(&slab(0.025, 0.025, 0.355, 0.5).translated(x, y, 0.355));
    }
    entities.push(entity("table", Furniture, table, at(3.5, 1.6, 0.0), wood));
    let ball = Mesh::sphere(0.09, 32);
    entities.push(entity(
        "ball",
        object(),
        ball,
        at(3.3, 1.7, 0.84),
        plain([0.8, 0.1, 0.08]),
    ));
    let book = Mesh::fitted_cuboid(Vector3::new(0.1, 0.07, 0.015));
    entities.push(entity(
        "book",
        object(),
        book,
        at(3.4, 1.4, 0.765),
        printed(Pattern::BookCover, 2),
    ));
    let tumbler = Mesh::cylinder(0.04, 0.12, 32);
    entities.push(entity(
        "tumbler",
        object(),
        tumbler,
        at(3.15, 1.45, 0.75),
        glass([0.7, 0.85, 0.9], 0.3),
    ));
    let cup = Mesh::cylinder(0.04, 0.09, 32);
    entities.push(entity(
        "cup",
        object(),
        cup,
        at(2.6, 2.6, 0.0),
        plain([0.1, 0.25, 0.7]),
    ));
    let lamp = |x: f64, y: f64| Light {
        position: Vector3::new(x, y, 2.35),
        intensity: [3.0, 2.7, 2.3],
        range_m: 7.0,
        shadows: true,
    };
    home(entities, vec![lamp(1.5, 2.0), lamp(3.9, 2.4)])
}
