//! The course of a task, decided on scene graphs written by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, FailureReason, Goal, Header, NavigationTarget, Presence, Provenance, Relation,
    RelationKind, SceneGraph, SceneObject, Skill, SkillFailure,
};
use steward_core::{Duration, Time};
use steward_task::config::MissionConfig;
use steward_task::mission::{Decision, Ended, Intended, Mission, View};

const MUG: ObjectId = ObjectId(1);
const DESK: ObjectId = ObjectId(2);
const TABLE: ObjectId = ObjectId(3);
const FRIDGE: ObjectId = ObjectId(4);
const DOOR: ObjectId = ObjectId(5);

fn object(id: ObjectId, class: &str, at: (f64, f64, f64), half: (f64, f64, f64)) -> SceneObject {
    SceneObject {
        id,
        class: class.into(),
        shape: OrientedBox {
            center: Point3::new(at.0, at.1, at.2),
            yaw_rad: 0.0,
            half: Vector3::new(half.0, half.1, half.2),
        },
        presence: Presence::Present,
        provenance: Provenance::Observed,
        confidence: 1.0,
        first_seen: Time::ZERO,
        last_seen: Time::ZERO,
        articulation: None,
        surfaces: Vec::new(),
    }
}

fn mug() -> SceneObject {
    object(MUG, "mug", (3.0, 0.0, 0.8), (0.04, 0.04, 0.05))
}

fn desk() -> SceneObject {
    object(DESK, "desk", (-3.0, 0.0, 0.37), (0.6, 0.3, 0.37))
}

fn table() -> SceneObject {
    object(TABLE, "table", (3.0, 0.0, 0.37), (0.5, 0.5, 0.37))
}

fn fridge(position: Option<f64>) -> [SceneObject; 2] {
    let door = SceneObject {
        articulation: Some(ArticulationState {
            owner: Some(FRIDGE),
            prismatic: false,
            pivot: Point3::new(-0.3, 4.0, 0.8),
            axis: Vector3::z(),
            handle: Some(Point3::new(0.25, 3.6, 0.9)),
            position,
            open_at: 1.4,
        }),
        ..object(DOOR, "fridge_door", (0.0, 3.7, 0.8), (0.3, 0.02, 0.8))
    };
    [object(FRIDGE, "fridge", (0.0, 4.0, 0.8), (0.3, 0.3, 0.8)), door]
}

fn graph(objects: impl IntoIterator<Item = SceneObject>, relations: &[Relation]) -> SceneGraph {
    let mut objects: Vec<SceneObject> = objects.into_iter().collect();
    objects.sort_by_key(|o| o.id);
    SceneGraph {
        header: Header::default(),
        objects,
        relations: relations.to_vec(),
    }
}

fn view(graph: &SceneGraph, now_s: f64) -> View<'_> {
    View {
        now: Time::from_secs_f64(now_s),
        graph,
        grid: None,
        base: Pose2::default(),
    }
}

/// A mission that has looked around once.
fn mission(goal: &str, graph: &SceneGraph) -> Mission {
    let mut mission = Mission::new(goal.parse::<Goal>().unwrap(), MissionConfig::default()).unwrap();
    let first = step(&mut mission, &view(graph, 0.0));
    assert!(
        matches!(&first.skill, Skill::Look { at } if at.len() == 6),
        "{first:?}"
    );
    mission.finished(&view(graph, 1.0), &first, &Ended::Confirmed, "");
    mission
}

fn step(mission: &mut Mission, view: &View<'_>) -> Intended {
    match mission.decide(view) {
        Decision::Do(steps) => steps[0].clone(),
        other => panic!("expected a step, got {other:?}"),
    }
}

fn navigate(to: ObjectId) -> Skill {
    Skill::Navigate {
        to: NavigationTarget::Object(to),
    }
}

#[test]
fn fetches_and_carries_and_claims_success_only_when_it_was_seen() {
    let before = graph([mug(), desk(), table()], &[]);
    let mut m = mission("on(mug, desk)", &before);
    for expected in [navigate(MUG), Skill::Pick { object: MUG }] {
        let next = step(&mut m, &view(&before, 2.0));
        assert_eq!(next.skill, expected);
        m.finished(&view(&before, 3.0), &next, &Ended::Confirmed, "");
    }
    let holding = graph(
        [
            SceneObject {
                presence: Presence::Held,
                ..mug()
            },
            desk(),
            table(),
        ],
        &[],
    );
    for expected in [
        navigate(DESK),
        Skill::Place {
            object: MUG,
            relation: RelationKind::On,
            target: DESK,
        },
    ] {
        let next = step(&mut m, &view(&holding, 4.0));
        assert_eq!(next.skill, expected);
        m.finished(&view(&holding, 5.0), &next, &Ended::Confirmed, "");
    }
    let on_desk = Relation {
        subject: MUG,
        kind: RelationKind::On,
        object: DESK,
    };
    let seen_at = |s: f64| SceneObject {
        last_seen: Time::from_secs_f64(s),
        ..mug()
    };
    let stale = graph([seen_at(5.0), desk(), table()], &[on_desk]);
    assert_eq!(step(&mut m, &view(&stale, 60.0)).skill, navigate(MUG));
    let fresh = graph([seen_at(59.0), desk(), table()], &[on_desk]);
    assert!(matches!(m.decide(&view(&fresh, 60.0)), Decision::Succeed(_)));
}

#[test]
fn what_was_done_but_cannot_be_seen_is_not_claimed() {
    let on_desk = Relation {
        subject: MUG,
        kind: RelationKind::On,
        object: DESK,
    };
    let g = graph([mug(), desk()], &[on_desk]);
    let mut m = mission("on(mug, desk)", &g);
    for _ in 0..10 {
        match m.decide(&view(&g, 100.0)) {
            Decision::Do(steps) => m.finished(&view(&g, 100.0), &steps[0], &Ended::Confirmed, ""),
            Decision::Fail(reason, _) => {
                assert_eq!(reason, FailureReason::Unconfirmed);
                return;
            }
            Decision::Succeed(text) => panic!("claimed without seeing: {text}"),
        }
    }
    panic!("no end");
}

#[test]
fn looks_on_furniture_before_it_opens_containers_and_then_gives_up_with_the_reason() {
    let g = graph([desk(), table()].into_iter().chain(fridge(Some(0.0))), &[]);
    let mut m = mission("on(mug, desk)", &g);
    let mut opened = None;
    let mut looked = 0;
    for i in 0..60 {
        match m.decide(&view(&g, 10.0)) {
            Decision::Do(steps) => {
                match steps[0].skill {
                    Skill::Open { part } => {
                        opened.get_or_insert((i, part));
                    }
                    Skill::Look { ref at } if at.len() < 6 => looked += 1,
                    _ => {}
                }
                assert!(opened.is_some() || !matches!(steps[0].skill, Skill::Open { .. }) || looked >= 3);
                m.finished(&view(&g, 10.0), &steps[0], &Ended::Confirmed, "");
            }
            Decision::Fail(reason, detail) => {
                assert_eq!(reason, FailureReason::ObjectNotFound);
                assert!(detail.contains("`mug`"), "{detail}");
                assert_eq!(opened.map(|o| o.1), Some(DOOR));
                assert!(looked >= 3, "looked {looked} times");
                return;
            }
            Decision::Succeed(_) => panic!("there is no mug"),
        }
    }
    panic!("no end");
}

#[test]
fn a_thing_that_cannot_be_grasped_ends_in_grasp_failed() {
    let g = graph([mug(), desk()], &[]);
    let mut m = mission("on(mug, desk)", &g);
    let mut picks = 0;
    for _ in 0..60 {
        match m.decide(&view(&g, 10.0)) {
            Decision::Do(steps) => {
                let ended = match steps[0].skill {
                    Skill::Pick { .. } => {
                        picks += 1;
                        Ended::Failed(SkillFailure::GraspFailed)
                    }
                    _ => Ended::Confirmed,
                };
                m.finished(&view(&g, 10.0), &steps[0], &ended, "closed on nothing");
            }
            Decision::Fail(reason, detail) => {
                assert_eq!(reason, FailureReason::GraspFailed);
                assert!(detail.contains("closed on nothing"), "{detail}");
                assert_eq!(picks, MissionConfig::default().max_attempts);
                return;
            }
            Decision::Succeed(_) => panic!("nothing was grasped"),
        }
    }
    panic!("no end");
}

#[test]
fn a_vanished_object_is_searched_for_and_a_second_one_taken_instead() {
    let g = graph(
        [
            SceneObject {
                presence: Presence::Missing,
                ..mug()
            },
            desk(),
            table(),
        ],
        &[],
    );
    let mut m = mission("on(mug, desk)", &g);
    let next = step(&mut m, &view(&g, 10.0));
    assert_eq!(
        next.skill,
        navigate(DESK),
        "nearest furniture first: both are 3 m away, the desk has the lower id"
    );
    let other = SceneObject {
        id: ObjectId(9),
        ..mug()
    };
    let g = graph(
        [
            SceneObject {
                presence: Presence::Missing,
                ..mug()
            },
            desk(),
            table(),
            other,
        ],
        &[],
    );
    assert_eq!(step(&mut m, &view(&g, 11.0)).skill, navigate(ObjectId(9)));
}

#[test]
fn what_passes_by_close_to_the_camera_is_not_visited_again() {
    let near = SceneObject {
        last_seen: Time::from_secs_f64(5.0),
        ..object(TABLE, "table", (1.0, 0.0, 0.37), (0.5, 0.5, 0.37))
    };
    let g = graph([near, desk()], &[]);
    let mut m = mission("on(mug, desk)", &g);
    m.observe(&View {
        now: Time::from_secs_f64(5.0) + Duration::from_millis(100),
        ..view(&g, 0.0)
    });
    assert_eq!(step(&mut m, &view(&g, 6.0)).skill, navigate(DESK));
}

#[test]
fn goals_that_make_no_sense_are_refused() {
    for goal in ["on(mug, mug)", "on(mug, desk) & in(mug, fridge)"] {
        let refused = Mission::new(goal.parse().unwrap(), MissionConfig::default());
        assert!(refused.is_err(), "{goal}");
    }
    assert!(
        Mission::new(
            Goal {
                relations: Vec::new()
            },
            MissionConfig::default()
        )
        .is_err()
    );
}
