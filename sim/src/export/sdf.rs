//! A home as SDF 1.9, with what Gazebo Harmonic needs to simulate it: its systems, and a label on every visual.

use std::fmt::Write;

use steward_core::geometry::Pose3;

use super::Output;
use super::labels::Labels;
use super::obj::MeshFolder;
use crate::Result;
use crate::model::{ColliderShape, Entity, EntityKind, Home, Light, PartJoint};

/// Least mass and moment of inertia that physics engines stand, kilograms and kilograms times square metres.
const LEAST_MASS_KG: f64 = 0.001;
const LEAST_INERTIA: f64 = 1e-7;

/// Systems of the world: file name and name.
const SYSTEMS: &[(&str, &str)] = &[
    ("physics", "Physics"),
    ("user-commands", "UserCommands"),
    ("scene-broadcaster", "SceneBroadcaster"),
    ("contact", "Contact"),
];

pub(super) fn world(
    home: &Home,
    labels: &Labels,
    meshes: &mut MeshFolder,
    output: &mut Output,
) -> Result<String> {
    let mut files = Files {
        labels,
        meshes,
        output,
    };
    let mut text = String::from("<?xml version=\"1.0\"?>\n<sdf version=\"1.9\">\n");
    let name = identifier(&home.name);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<world name=\"{name}\">\n\
         <physics name=\"default\" type=\"ode\"><max_step_size>0.004</max_step_size>\
         <real_time_factor>1</real_time_factor></physics>\n\
         <gravity>0 0 -9.81</gravity>\n\
         <scene><ambient>0.35 0.35 0.35 1</ambient><background>0.7 0.8 1 1</background>\
         <shadows>true</shadows></scene>"
    );
    for (file, system) in SYSTEMS {
        let _ = writeln!(
            text,
            "<plugin filename=\"gz-sim-{file}-system\" name=\"gz::sim::systems::{system}\"/>"
        );
    }
    // Depth and label cameras are drawn by the second renderer only.
    text.push_str(
        "<plugin filename=\"gz-sim-sensors-system\" name=\"gz::sim::systems::Sensors\">\
         <render_engine>ogre2</render_engine></plugin>\n",
    );
    for (i, l) in home.lights.iter().enumerate() {
        text.push_str(&light(i, l));
    }
    for entity in &home.entities {
        match entity.kind {
            EntityKind::Structure => {
                let _ = writeln!(
                    text,
                    "<model name=\"{}\"><static>true</static><pose>{}</pose>\n{}</model>",
                    entity.name,
                    pose(&entity.pose),
                    link(entity, "link", &Pose3::identity(), &mut files)?
                );
            }
            EntityKind::Object { .. } => {
                let _ = writeln!(
                    text,
                    "<model name=\"{}\"><pose>{}</pose>\n{}</model>",
                    entity.name,
                    pose(&entity.pose),
                    link(entity, "link", &Pose3::identity(), &mut files)?
                );
            }
            EntityKind::Furniture => text.push_str(&furniture(home, entity, &mut files)?),
            EntityKind::Part(_) => {}
        }
    }
    text.push_str("</world>\n</sdf>\n");
    Ok(text)
}

/// What goes into other files, and what stands in them.
struct Files<'a> {
    labels: &'a Labels,
    meshes: &'a mut MeshFolder,
    output: &'a mut Output,
}

/// A piece of furniture with its parts.
fn furniture(home: &Home, entity: &Entity, files: &mut Files<'_>) -> Result<String> {
    let parts: Vec<(&Entity, &PartJoint)> = home
        .entities
        .iter()
        .filter_map(|e| match &e.kind {
            EntityKind::Part(joint) if joint.parent == entity.id => Some((e, joint)),
            _ => None,
        })
        .collect();
    let fixed = parts.is_empty();
    let mut text = format!(
        "<model name=\"{}\"><static>{fixed}</static><pose>{}</pose>\n",
        entity.name,
        pose(&entity.pose)
    );
    text.push_str(&link(entity, "base", &Pose3::identity(), files)?);
    if !fixed {
        text.push_str(
            "<joint name=\"to_world\" type=\"fixed\"><parent>world</parent><child>base</child></joint>\n",
        );
    }
    for (part, joint) in parts {
        // The link starts at the joint's initial position, so the limits count from there.
        let now = part.pose * joint.closed_from_position(joint.initial);
        text.push_str(&link(part, &part.name, &(entity.pose.inverse() * now), files)?);
        let kind = if joint.prismatic { "prismatic" } else { "revolute" };
        let (a, p) = (joint.axis, joint.anchor);
        let _ = writeln!(
            text,
            "<joint name=\"{0}_joint\" type=\"{kind}\"><pose>{1} {2} {3} 0 0 0</pose>\
             <parent>base</parent><child>{0}</child>\
             <axis><xyz>{4} {5} {6}</xyz><limit><lower>{7}</lower><upper>{8}</upper></limit>\
             <dynamics><friction>{9}</friction></dynamics></axis></joint>",
            part.name,
            number(p.x),
            number(p.y),
            number(p.z),
            number(a.x),
            number(a.y),
            number(a.z),
            number(-joint.initial),
            number(joint.upper - joint.initial),
            number(joint.friction),
        );
    }
    text.push_str("</model>\n");
    Ok(text)
}

fn link(entity: &Entity, name: &str, model_from_link: &Pose3, files: &mut Files<'_>) -> Result<String> {
    let mut text = format!("<link name=\"{name}\"><pose>{}</pose>\n", pose(model_from_link));
    let mass = entity.mass_kg.max(LEAST_MASS_KG);
    let (center, size) = (entity.local_bounds.center(), entity.local_bounds.size());
    // Of a solid box as large as the entity.
    let inertia = |a: f64, b: f64| (mass / 12.0 * (a * a + b * b)).max(LEAST_INERTIA);
    let _ = writeln!(
        text,
        "<inertial><pose>{} {} {} 0 0 0</pose><mass>{}</mass><inertia><ixx>{:.9}</ixx><iyy>{:.9}</iyy>\
         <izz>{:.9}</izz></inertia></inertial>",
        number(center.x),
        number(center.y),
        number(center.z),
        number(mass),
        inertia(size.y, size.z),
        inertia(size.z, size.x),
        inertia(size.x, size.y),
    );
    for (i, visual) in entity.visuals.iter().enumerate() {
        let file = files
            .meshes
            .file(visual, &format!("{}_{i}", entity.name), files.output)?;
        let label = files
            .labels
            .number(visual.label.as_deref().unwrap_or(&entity.class));
        // Lamp shades glow with tints above 1, which SDF does not know.
        let [r, g, b] = visual.material.tint.map(|c| c.min(1.0));
        let _ = writeln!(
            text,
            "<visual name=\"visual_{i}\"><pose>{}</pose><transparency>{:.3}</transparency>\
             <geometry><mesh><uri>{file}</uri></mesh></geometry>\
             <material><ambient>{r:.4} {g:.4} {b:.4} 1</ambient><diffuse>{r:.4} {g:.4} {b:.4} 1</diffuse></material>\
             <plugin filename=\"gz-sim-label-system\" name=\"gz::sim::systems::Label\">\
             <label>{label}</label></plugin></visual>",
            pose(&visual.pose),
            1.0 - visual.material.opacity,
        );
    }
    for (i, collider) in entity.colliders.iter().enumerate() {
        let shape = match &collider.shape {
            ColliderShape::Cuboid { half } => format!(
                "<box><size>{} {} {}</size></box>",
                number(2.0 * half.x),
                number(2.0 * half.y),
                number(2.0 * half.z)
            ),
            ColliderShape::Cylinder {
                half_height_m,
                radius_m,
            } => format!(
                "<cylinder><radius>{}</radius><length>{}</length></cylinder>",
                number(*radius_m),
                number(2.0 * half_height_m)
            ),
            ColliderShape::Ball { radius_m } => {
                format!("<sphere><radius>{}</radius></sphere>", number(*radius_m))
            }
        };
        let _ = writeln!(
            text,
            "<collision name=\"collision_{i}\"><pose>{}</pose><geometry>{shape}</geometry>\
             <surface><friction><ode><mu>{1}</mu><mu2>{1}</mu2></ode></friction></surface></collision>",
            pose(&collider.pose),
            number(entity.friction),
        );
    }
    text.push_str("</link>\n");
    Ok(text)
}

fn light(index: usize, light: &Light) -> String {
    let most = light.intensity.iter().fold(1e-6f32, |a, &b| a.max(b));
    let [r, g, b] = light.intensity.map(|i| i / most);
    let p = light.position;
    // Gazebo's light fades with 1 / (constant + quadratic d²); ours with intensity / d².
    format!(
        "<light name=\"light_{index}\" type=\"point\"><pose>{} {} {} 0 0 0</pose>\
         <diffuse>{r:.4} {g:.4} {b:.4} 1</diffuse><specular>0.1 0.1 0.1 1</specular>\
         <attenuation><range>{}</range><constant>0.3</constant><linear>0</linear><quadratic>{:.5}</quadratic>\
         </attenuation><cast_shadows>{}</cast_shadows></light>\n",
        number(p.x),
        number(p.y),
        number(p.z),
        number(light.range_m),
        1.0 / most,
        light.shadows,
    )
}

/// Position and roll, pitch, yaw.
fn pose(pose: &Pose3) -> String {
    let t = pose.translation.vector;
    let (roll, pitch, yaw) = pose.rotation.euler_angles();
    [t.x, t.y, t.z, roll, pitch, yaw].map(number).join(" ")
}

/// Micrometres are enough; a negative zero is a zero.
fn number(v: f64) -> String {
    let v = (v * 1e6).round() / 1e6;
    format!("{}", if v == 0.0 { 0.0 } else { v })
}

/// A name that XML and SDF accept.
fn identifier(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let clean = clean.trim_matches('_').replace("__", "_");
    if clean.is_empty() {
        "home".to_owned()
    } else {
        clean
    }
}
