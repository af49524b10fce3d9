//! What is exported, read back with other readers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use steward_core::robot::KinematicModel;

use super::{Output, export_home, gazebo, urdf};
use crate::home::{HomeSpec, catalogue, generate};
use crate::robot::URDF;

#[test]
fn every_file_that_is_named_is_written_and_every_joint_is_there() {
    let home = generate(&HomeSpec::from_seed(3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let exported = export_home(&home, folder.path()).unwrap();
    let world = fs::read_to_string(&exported.world).unwrap();
    let uris: BTreeSet<&str> = world
        .split("<uri>")
        .skip(1)
        .map(|s| s.split('<').next().unwrap())
        .collect();
    assert!(uris.len() > 100);
    for uri in uris {
        let mesh = fs::read_to_string(folder.path().join(uri)).unwrap();
        let library = mesh.lines().next().unwrap().strip_prefix("mtllib ").unwrap();
        let mtl = fs::read_to_string(folder.path().join("meshes").join(library)).unwrap();
        if let Some(texture) = mtl.lines().find_map(|l| l.strip_prefix("map_Kd ../")) {
            let picture = image::open(folder.path().join(texture)).unwrap();
            assert!(picture.width().is_power_of_two());
        }
    }
    let parts = home
        .entities
        .iter()
        .filter(|e| matches!(e.kind, crate::model::EntityKind::Part(_)))
        .count();
    assert!(parts > 0);
    assert_eq!(
        world.matches("type=\"revolute\"").count() + world.matches("type=\"prismatic\"").count(),
        parts
    );
    assert_eq!(world.matches("<light ").count(), home.lights.len());
    assert!(!world.contains("NaN") && !world.contains("inf"));

    let labels = fs::read_to_string(folder.path().join("labels.yaml")).unwrap();
    let classes: BTreeMap<&str, usize> = labels
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.split_once(": ").unwrap())
        .map(|(class, number)| (class, number.parse().unwrap()))
        .collect();
    let numbers: BTreeSet<usize> = classes.values().copied().collect();
    assert_eq!(numbers, (1..=classes.len()).collect());
    let wanted = home
        .entities
        .iter()
        .map(|e| e.visuals.iter().map(|v| v.label.as_ref().unwrap_or(&e.class)));
    for class in wanted.flatten() {
        let label = format!("<label>{}</label></plugin></visual>", classes[class.as_str()]);
        assert!(world.contains(&label), "{class}");
    }
    assert_eq!(
        world.matches("<label>").count(),
        world.matches("<visual ").count()
    );
    assert!(!world.contains("<label>0</label>"));

    let setup = fs::read_to_string(folder.path().join("setup.yaml")).unwrap();
    assert_eq!(setup.matches("{name: ").count(), home.rooms.len());
    let start = format!("robot_start: {{x_m: {:.6},", home.robot_start.x_m);
    assert!(setup.contains(&start), "{setup}");

    let again = tempfile::tempdir().unwrap();
    export_home(&home, again.path()).unwrap();
    assert_eq!(
        fs::read(again.path().join("world.sdf")).unwrap(),
        world.as_bytes()
    );
}

#[test]
fn the_robot_keeps_its_kinematics_and_gets_meshes() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = Output {
        folder: folder.path().to_owned(),
        files: 0,
    };
    let text = urdf::with_meshes(crate::robot::URDF, &mut output).unwrap();
    let shapes = crate::robot::URDF.matches("<visual>").count();
    assert_eq!(text.matches("<mesh filename=").count(), shapes);
    assert_eq!(output.files, shapes);
    // Without visuals, which `core` wants as shapes, it is the same robot.
    let bare = |urdf: &str| {
        let mut out = String::new();
        let mut rest = urdf;
        while let Some((before, after)) = rest.split_once("<visual>") {
            out.push_str(before);
            rest = after.split_once("</visual>").unwrap().1;
        }
        out + rest
    };
    assert_eq!(
        KinematicModel::from_urdf(&bare(&text)).unwrap(),
        KinematicModel::from_urdf(&bare(crate::robot::URDF)).unwrap()
    );
}

#[test]
fn what_is_no_urdf_passes_through() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "",
        "<visual",
        "<visual></visual>",
        "<visual><geometry><box size=\"a b\"/></geometry></visual>",
    ] {
        let mut output = Output {
            folder: folder.path().to_owned(),
            files: 0,
        };
        assert_eq!(urdf::with_meshes(text, &mut output).unwrap(), text);
    }
}

/// Gazebo keeps a label in eight bits and 0 for what has none.
#[test]
fn all_classes_there_are_fit_into_gazebos_labels() {
    let mut classes: BTreeSet<String> = ["handle", "robot"].map(str::to_owned).into();
    for entry in catalogue() {
        classes.extend(entry.parts);
        classes.insert(entry.class.to_owned());
    }
    for seed in 1..4 {
        let home = generate(&HomeSpec::from_seed(seed)).unwrap();
        classes.extend(home.entities.into_iter().map(|e| e.class));
    }
    assert!(classes.len() <= 255, "{}", classes.len());
}

#[test]
fn gazebo_drives_every_joint_that_moves_and_the_robot_stays_the_same() {
    let text = gazebo::with_systems(URDF, 7).unwrap();
    let model = KinematicModel::from_urdf(&text).unwrap();
    assert_eq!(model, KinematicModel::from_urdf(URDF).unwrap());
    let driven: BTreeSet<&str> = text
        .split("<joint_name>")
        .skip(1)
        .map(|s| s.split('<').next().unwrap())
        .collect();
    let moving = ["prismatic", "revolute"].map(|kind| URDF.matches(&format!("type=\"{kind}\"")).count());
    assert_eq!(driven.len(), moving[0] + moving[1]);
    for name in driven {
        model.joint(name).unwrap();
    }
    assert!(text.contains("gz::sim::systems::Label\"><label>7</label></plugin>"));
    // Every link of the converted robot: the base and one for each joint that moves.
    assert_eq!(
        text.matches("<gravity>false</gravity>").count(),
        moving[0] + moving[1] + 1
    );
    for reference in text.split("<gazebo reference=\"").skip(1) {
        model.link_index(reference.split('"').next().unwrap()).unwrap();
    }
    // The tubes of the arm stand where the stowed arm has them, and the fingers' twin where the gripper is.
    for (joint, initial) in [
        ("wrist_pitch_joint", "1.570796"),
        ("lift_joint", "0.450000"),
        ("gripper_right_joint", "0.000000"),
    ] {
        let after = text
            .split(&format!("<joint_name>{joint}</joint_name>"))
            .nth(1)
            .unwrap();
        assert!(
            after
                .split("</plugin>")
                .next()
                .unwrap()
                .contains(&format!(">{initial}</initial_position>")),
            "{joint}"
        );
    }
}
