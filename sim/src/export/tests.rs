//! What is exported, read back with other readers.

use std::collections::BTreeSet;
use std::fs;

use steward_core::robot::KinematicModel;

use super::{Output, export_home, urdf};
use crate::home::{HomeSpec, generate};

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
