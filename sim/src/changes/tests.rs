//! Scripts over many homes and seeds.

use proptest::prelude::*;
use steward_core::geometry::Pose3;

use super::solid::Solid;
use super::{
    Change, ChangeScript, ChangeStage, MAX_SCRIPT_BYTES, Operation, ResolvedKind, Spot, generate_changes,
};
use crate::Error;
use crate::home::{HomeSpec, generate};
use crate::model::{EntityKind, Home};

/// The first home from a seed on that can be arranged.
fn home(seed: u64) -> Home {
    (seed..seed + 20)
        .find_map(|s| generate(&HomeSpec::from_seed(s)).ok())
        .unwrap()
}

/// Upright boxes around all present small objects in a state reached by a script.
fn object_boxes(home: &Home, script: &ChangeScript) -> Vec<(String, Solid)> {
    let mut stage = ChangeStage::new(home);
    for (i, c) in script.changes.iter().enumerate() {
        stage.apply(&c.operation, script.operation_seed(i)).unwrap();
    }
    let entities = home.entities.iter().chain(stage.added());
    let state = stage.state().clone();
    entities
        .filter(|e| state.present[e.id.0 as usize] && matches!(e.kind, EntityKind::Object { .. }))
        .map(|e| {
            let (c, half) = (e.local_bounds.center(), e.local_bounds.half());
            let pose = state.poses[e.id.0 as usize] * Pose3::translation(c.x, c.y, c.z);
            (e.name.clone(), Solid { pose, half })
        })
        .collect()
}

#[test]
fn generated_scripts_are_short_valid_and_read_back() {
    for home_seed in [1, 2] {
        let h = home(home_seed);
        let (mut operations, mut longest) = ([0; 4], 0);
        for seed in 0..100 {
            let script = generate_changes(&h, seed, 6);
            assert_eq!(script.changes.len(), 6);
            let text = script.to_yaml();
            longest = longest.max(text.len());
            assert_eq!(ChangeScript::from_yaml("a.yaml", &text).unwrap(), script);
            let resolved = script.resolve(&h).unwrap();
            for r in &resolved {
                match &r.kind {
                    ResolvedKind::Add { .. } => operations[0] += 1,
                    ResolvedKind::Remove { .. } => operations[1] += 1,
                    ResolvedKind::Move { .. } => operations[2] += 1,
                    ResolvedKind::SetPart { .. } => operations[3] += 1,
                }
            }
        }
        assert!(longest < 600, "{longest} bytes");
        assert!(operations.iter().all(|&n| n > 20), "{operations:?}");
    }
}

/// What a change puts down lies within the home, above its floor, and its box overlaps that of no other object.
#[test]
fn what_is_put_down_lies_free() {
    let h = home(1);
    let rooms = h
        .rooms
        .iter()
        .map(|r| r.bounds)
        .reduce(|a, b| a.union(&b))
        .unwrap();
    for seed in 0..40 {
        let script = generate_changes(&h, seed, 8);
        let mut placed = Vec::new();
        for r in script.resolve(&h).unwrap() {
            match r.kind {
                ResolvedKind::Add { entity } => placed.push(entity.name),
                ResolvedKind::Move { entity, .. } => {
                    placed.extend(h.entities.get(entity.0 as usize).map(|e| e.name.clone()));
                }
                _ => {}
            }
        }
        let boxes = object_boxes(&h, &script);
        for (name, b) in boxes.iter().filter(|(n, _)| placed.contains(n)) {
            let middle = b.pose.translation.vector;
            assert!(
                rooms.contains(&middle.into()) && middle.z >= b.half.z,
                "seed {seed}: {name}"
            );
            for (other, o) in boxes.iter().filter(|(n, _)| n != name) {
                assert!(!b.overlaps(o), "seed {seed}: {name} in {other}");
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let h = home(1);
    let door = h
        .entities
        .iter()
        .find_map(|e| e.cavities.iter().find_map(|c| c.door.map(|d| (e, d))))
        .map(|(e, d)| (e.name.clone(), h.entities[d.0 as usize].name.clone()))
        .unwrap();
    let object = h
        .entities
        .iter()
        .find(|e| matches!(e.kind, EntityKind::Object { .. }))
        .unwrap();
    let refuse = |operation: Operation| {
        let script = ChangeScript {
            seed: 1,
            changes: vec![Change { at_s: 1.0, operation }],
        };
        match script.resolve(&h) {
            Err(Error::Change {
                index: 0, problem, ..
            }) => problem,
            other => panic!("{other:?}"),
        }
    };
    let part = |name: &str| name.to_owned();
    assert!(
        refuse(Operation::Remove {
            object: part("unicorn_1")
        })
        .contains("no `unicorn_1`")
    );
    assert!(
        refuse(Operation::Remove {
            object: door.0.clone()
        })
        .contains("not a small object")
    );
    assert!(
        refuse(Operation::Open {
            part: object.name.clone()
        })
        .contains("does not open")
    );
    let unknown = Operation::Add {
        class: "unicorn".into(),
        to: Spot::somewhere(door.0.clone()),
    };
    assert!(refuse(unknown).contains("not a class"));
    let nowhere = Operation::Move {
        object: object.name.clone(),
        to: Spot::somewhere(object.name.clone()),
    };
    assert!(refuse(nowhere).contains("nothing can be put"));
    assert!(refuse(Operation::Close { part: door.1 }).contains("closed already"));
}

#[test]
fn shut_containers_take_nothing_until_they_are_open() {
    let h = home(1);
    let mut tried = 0;
    for e in &h.entities {
        let stage = ChangeStage::new(&h);
        let inside = stage.supports().into_iter().find(|s| {
            s.name.starts_with(&format!("{}/", e.name)) && s.door.is_some_and(|d| !stage.is_open(d))
        });
        let Some(inside) = inside else { continue };
        let mut stage = stage.clone();
        let add = Operation::Add {
            class: "apple".into(),
            to: Spot::somewhere(inside.name),
        };
        assert!(stage.apply(&add, 1).unwrap_err().contains("is closed"));
        let door = h.entities[inside.door.unwrap().0 as usize].name.clone();
        if stage.apply(&Operation::Open { part: door }, 1).is_ok() {
            tried += stage.apply(&add, 1).is_ok() as usize;
        }
    }
    assert!(tried >= 2, "{tried}");
}

#[test]
fn mistakes_are_located() {
    let parse = |text: &str| match ChangeScript::from_yaml("c.yaml", text) {
        Err(Error::ChangeScript {
            line, field, problem, ..
        }) => (line, field, problem),
        other => panic!("{other:?}"),
    };
    let (line, field, problem) = parse("seed: 1\nchanges:\n  - {at_s: 1, open: a}\n  - {at_s: 2, move: b}\n");
    assert_eq!((line, field.as_str()), (4, "changes[1].to"));
    assert!(problem.contains("say where"));
    let (line, field, _) = parse("seed: 1\nchanges:\n- {at_s: 2, open: a}\n- {at_s: 1, open: a}\n");
    assert_eq!((line, field.as_str()), (4, "changes[1].at_s"));
    let (line, ..) = parse("seed: 1\nchanges:\n- {at_s: 2, explode: a}\n");
    assert_eq!(line, 3);
    assert!(
        parse("seed: 1\nchanges:\n- {at_s: .nan, open: a}\n")
            .1
            .ends_with("at_s")
    );
    assert!(
        parse("seed: 1\nchanges:\n- {at_s: 1, open: a, close: b}\n")
            .2
            .contains("exactly one")
    );
    assert!(parse(&"#".repeat(MAX_SCRIPT_BYTES + 1)).2.contains("too many"));
    let empty = ChangeScript::from_yaml("c.yaml", "seed: 3\nchanges: []\n").unwrap();
    assert_eq!(
        ChangeScript::from_yaml("c.yaml", &empty.to_yaml()).unwrap(),
        empty
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = ChangeScript::from_yaml("c.yaml", &text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ChangeScript::from_yaml("c.yaml", &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_scripts_are_read_or_refused(at in 0usize..120, byte in any::<u8>()) {
        let good = "seed: 7\nchanges:\n  - {at_s: 4, move: mug_1, to: desk_1/top, xy_m: [0.1, 0.2], yaw_rad: 1}\n  - {at_s: 9.5, open: fridge_1_door}\n";
        let mut bytes = good.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = ChangeScript::from_yaml("c.yaml", &String::from_utf8_lossy(&bytes));
    }
}
