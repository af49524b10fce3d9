//! The course of a task, decided on scene graphs written by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::f64::consts::FRAC_PI_2;

use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Rotation3, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, FailureReason, FloorPlan, Goal, Header, NavigationTarget, OccupancyGrid, Presence,
    Provenance, Relation, RelationKind, SceneGraph, SceneObject, Skill, SkillFailure, SupportSurface,
};
use steward_core::{Duration, Time};
use steward_task::config::MissionConfig;
use steward_task::house_rules::{HouseRules, Rules};
use steward_task::mission::{Decision, Ended, Intended, Mission, Purpose, View};

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

/// The table with room to put things on it.
fn shelf() -> SceneObject {
    SceneObject {
        surfaces: vec![SupportSurface {
            center: Point3::new(3.0, 0.0, 0.74),
            yaw_rad: 0.0,
            half_x_m: 0.5,
            half_y_m: 0.5,
            clearance_m: SupportSurface::MAX_CLEARANCE_M,
        }],
        ..table()
    }
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
        camera: None,
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

/// The step that opens [`DOOR`], after all that comes before it.
fn opening(mission: &mut Mission, view: &View<'_>) -> Intended {
    for _ in 0..10 {
        let next = step(mission, view);
        if next.skill == (Skill::Open { part: DOOR }) {
            return next;
        }
        mission.finished(view, &next, &Ended::Confirmed, "");
    }
    panic!("it is not opened within ten steps");
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
    let from_where_it_was_seen = Skill::Navigate {
        to: NavigationTarget::Pose(Pose2::default()),
    };
    assert_eq!(step(&mut m, &view(&stale, 60.0)).skill, from_where_it_was_seen);
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

/// However far apart things stand, one look at each ends the task: the first is not stale again by the time the
/// second was seen.
#[test]
fn one_round_of_looks_is_enough_to_claim_success() {
    let cup = ObjectId(6);
    let seen_at = |mug_s: f64, cup_s: f64| {
        let on = |subject, object| Relation {
            subject,
            kind: RelationKind::On,
            object,
        };
        let at = |o: SceneObject, s: f64| SceneObject {
            last_seen: Time::from_secs_f64(s),
            ..o
        };
        let cup = object(cup, "cup", (-3.0, 0.0, 0.8), (0.04, 0.04, 0.05));
        let things = [at(mug(), mug_s), at(cup, cup_s), desk(), table()];
        graph(things, &[on(MUG, TABLE), on(ObjectId(6), DESK)])
    };
    let mut mission = mission("on(mug, table) & on(cup, desk)", &seen_at(0.0, 0.0));
    let long_after = seen_at(0.0, 0.0);
    assert_eq!(step(&mut mission, &view(&long_after, 100.0)).skill, navigate(MUG));
    let first_seen = seen_at(150.0, 0.0);
    assert_eq!(step(&mut mission, &view(&first_seen, 150.0)).skill, navigate(cup));
    let both_seen = seen_at(150.0, 250.0);
    assert!(matches!(
        mission.decide(&view(&both_seen, 250.0)),
        Decision::Succeed(_)
    ));
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
        ..object(TABLE, "table", (1.5, 0.0, 0.37), (0.5, 0.5, 0.37))
    };
    // A metre above the base, level: the optical axis is x of the map.
    let axes = Rotation3::from_axis_angle(&Vector3::z_axis(), -FRAC_PI_2)
        * Rotation3::from_axis_angle(&Vector3::x_axis(), -FRAC_PI_2);
    let camera = Pose3::from_parts(Point3::new(0.0, 0.0, 1.0).into(), axes);
    let g = graph([near, desk()], &[]);
    let mut m = mission("on(mug, desk)", &g);
    m.observe(&View {
        now: Time::from_secs_f64(5.0) + Duration::from_millis(100),
        camera: Some(camera),
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

/// Free floor from x = -1 m to `to_m` and 1 m to both sides, unknown beyond.
fn floor(to_m: f64) -> OccupancyGrid {
    const RESOLUTION_M: f64 = 0.1;
    let (width, height) = (80, 40);
    let cells = (0..width * height)
        .map(|n| {
            let (x, y) = (
                f64::from(n % width) * RESOLUTION_M - 2.0,
                f64::from(n / width) * RESOLUTION_M - 2.0,
            );
            if (-1.0..to_m).contains(&x) && y.abs() < 1.0 {
                0
            } else {
                -1
            }
        })
        .collect::<Vec<i8>>();
    OccupancyGrid {
        header: Header::default(),
        resolution_m: RESOLUTION_M,
        width: width as u32,
        height: height as u32,
        origin: Pose2::new(-2.0, -2.0, 0.0),
        cells: cells.into(),
    }
}

#[test]
fn the_way_to_a_thing_seen_from_afar_is_explored_first() {
    let g = graph([mug(), desk()], &[]);
    let near = graph(
        [mug(), object(DESK, "desk", (0.0, 1.2, 0.37), (0.6, 0.3, 0.37))],
        &[],
    );
    let mut m = mission("on(mug, desk)", &g);
    let (short, long) = (floor(1.0), floor(3.0));
    let with = |grid| View {
        grid: Some(grid),
        ..view(&near, 2.0)
    };
    let first = step(&mut m, &with(&short));
    assert!(
        matches!(
            first.skill,
            Skill::Navigate {
                to: NavigationTarget::Pose(_)
            }
        ),
        "{first:?}"
    );
    assert_eq!(step(&mut m, &with(&long)).skill, navigate(MUG));
}

#[test]
fn what_stands_open_is_shut_once_where_it_cuts_off_what_was_seen() {
    let beside = |o: SceneObject| SceneObject {
        shape: OrientedBox {
            center: o.shape.center - 2.7 * Vector3::y(),
            ..o.shape
        },
        ..o
    };
    let things = [mug(), desk()];
    let g = graph(things.into_iter().chain(fridge(Some(1.4)).map(beside)), &[]);
    let grid = floor(1.0);
    let now = View {
        grid: Some(&grid),
        ..view(&g, 10.0)
    };
    let mut m = mission("on(mug, desk)", &g);
    let mut shut = 0;
    for _ in 0..60 {
        match m.decide(&now) {
            Decision::Do(steps) => {
                shut += usize::from(steps[0].skill == Skill::Close { part: DOOR });
                m.finished(&now, &steps[0], &Ended::Confirmed, "");
            }
            Decision::Fail(reason, detail) => {
                assert_eq!(reason, FailureReason::Unreachable, "{detail}");
                assert_eq!(shut, 1);
                return;
            }
            Decision::Succeed(_) => panic!("the desk cannot be got to"),
        }
    }
    panic!("no end");
}

#[test]
fn what_is_out_of_reach_is_looked_at_again_and_then_put_off_until_all_else_was_seen() {
    let g = graph([mug(), desk(), table()], &[]);
    let mut m = mission("on(mug, desk)", &g);
    let mut story = Vec::new();
    for _ in 0..60 {
        match m.decide(&view(&g, 10.0)) {
            Decision::Do(steps) => {
                let ended = match steps[0].skill {
                    Skill::Pick { .. } => Ended::Failed(SkillFailure::OutOfReach),
                    _ => Ended::Confirmed,
                };
                story.push(steps[0].clone());
                m.finished(&view(&g, 10.0), &steps[0], &ended, "too far");
            }
            Decision::Fail(reason, detail) => {
                assert_eq!(reason, FailureReason::GraspFailed);
                assert!(detail.contains("too far"), "{detail}");
                break;
            }
            Decision::Succeed(_) => panic!("nothing was grasped"),
        }
    }
    let picks: Vec<usize> = (0..story.len())
        .filter(|&i| matches!(story[i].skill, Skill::Pick { .. }))
        .collect();
    assert_eq!(picks.len(), 3);
    assert_eq!(story[picks[0] + 1].purpose, Purpose::Closer);
    let between = &story[picks[1]..picks[2]];
    assert!(
        between.iter().any(|s| matches!(s.purpose, Purpose::Inspect(_))),
        "{between:?}"
    );
}

#[test]
fn a_full_hand_is_emptied_before_something_is_opened() {
    let held = SceneObject {
        presence: Presence::Held,
        ..mug()
    };
    let g = graph([held, shelf()].into_iter().chain(fridge(Some(0.0))), &[]);
    let mut m = mission("in(mug, fridge)", &g);
    assert_eq!(step(&mut m, &view(&g, 2.0)).skill, navigate(TABLE));
    // A door that is measured a little less open than when it was opened still lets the hand in.
    let ajar = graph([mug(), table()].into_iter().chain(fridge(Some(0.9))), &[]);
    let mut m = mission("in(mug, fridge)", &ajar);
    match m.decide(&view(&ajar, 2.0)) {
        Decision::Do(steps) => assert!(
            !steps.iter().any(|s| matches!(s.skill, Skill::Open { .. })),
            "{steps:?}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_put_into_something_that_was_shut_since_is_there() {
    let inside = Relation {
        subject: MUG,
        kind: RelationKind::In,
        object: FRIDGE,
    };
    let scene = |presence, position, mug_s: f64, door_s: f64, relations: &[Relation]| {
        let [furniture, door] = fridge(Some(position));
        let mug = SceneObject {
            presence,
            last_seen: Time::from_secs_f64(mug_s),
            shape: OrientedBox {
                center: Point3::new(0.0, 4.0, 0.8),
                ..mug().shape
            },
            ..mug()
        };
        let door = SceneObject {
            last_seen: Time::from_secs_f64(door_s),
            ..door
        };
        graph([mug, furniture, door], relations)
    };
    let held = scene(Presence::Held, 1.4, 2.0, 2.0, &[]);
    let ends = |position, door_s| {
        let mut m = mission("in(mug, fridge)", &held);
        for _ in 0..2 {
            let next = step(&mut m, &view(&held, 2.0));
            m.finished(&view(&held, 3.0), &next, &Ended::Confirmed, "");
        }
        let later = scene(Presence::Present, position, 3.0, door_s, &[inside]);
        m.decide(&view(&later, 100.0))
    };
    assert!(matches!(ends(0.0, 60.0), Decision::Succeed(_)));
    assert!(matches!(ends(1.4, 60.0), Decision::Do(_)), "it can be looked at");
    assert!(matches!(ends(0.0, 2.0), Decision::Do(_)), "it was not shut since");
}

#[test]
fn what_the_rules_allow_is_done_before_the_rest_is_found() {
    const CUP: ObjectId = ObjectId(6);
    let cup = object(CUP, "cup", (2.0, 0.5, 0.8), (0.04, 0.04, 0.05));
    let texts = ["!on(cup, desk) W in(can, table)".to_owned()];
    let rules = Rules::read(&texts, &BTreeSet::new(), None).unwrap();
    let begin = |g: &SceneGraph| {
        let goal = "on(mug, desk) & on(cup, desk) & in(can, table)".parse();
        let mission = Mission::new(goal.unwrap(), MissionConfig::default()).unwrap();
        let mut mission = mission.under(HouseRules::new(rules.clone(), FloorPlan::default()));
        let first = step(&mut mission, &view(g, 0.0));
        mission.finished(&view(g, 1.0), &first, &Ended::Confirmed, "");
        mission
    };
    // The mug may go to the desk at once; the cup has to wait for the can, of which nothing is known.
    let g = graph([mug(), cup.clone(), desk(), table()], &[]);
    assert_eq!(step(&mut begin(&g), &view(&g, 2.0)).skill, navigate(MUG));
    // With the cup in the hand nothing could be opened to look for the can.
    let held = SceneObject {
        presence: Presence::Held,
        ..cup
    };
    let g = graph([held, desk(), shelf()].into_iter().chain(fridge(Some(0.0))), &[]);
    let mut m = begin(&g);
    let go = step(&mut m, &view(&g, 2.0));
    m.finished(&view(&g, 2.0), &go, &Ended::Confirmed, "");
    let put = step(&mut m, &view(&g, 2.0));
    let aside = Skill::Place {
        object: CUP,
        relation: RelationKind::On,
        target: TABLE,
    };
    assert_eq!((go.skill, put.skill), (navigate(TABLE), aside));
}

#[test]
fn what_takes_the_room_and_is_where_it_would_be_put_leaves_the_goal_unmet() {
    const BASKET: ObjectId = ObjectId(6);
    let basket = object(BASKET, "basket", (0.0, 4.0, 0.8), (0.06, 0.06, 0.1));
    let held = SceneObject {
        presence: Presence::Held,
        ..mug()
    };
    let related = |kind, object| Relation {
        subject: BASKET,
        kind,
        object,
    };
    let relations = [
        related(RelationKind::On, TABLE),
        related(RelationKind::In, FRIDGE),
    ];
    let g = graph(
        [held, basket, shelf()].into_iter().chain(fridge(Some(1.4))),
        &relations,
    );
    let mut m = mission("in(mug, fridge)", &g);
    let mut refusals = 0;
    for _ in 0..40 {
        let next = match m.decide(&view(&g, 2.0)) {
            Decision::Do(steps) => steps[0].clone(),
            Decision::Succeed(text) => panic!("the mug is in the hand, not in the fridge: {text}"),
            Decision::Fail(..) => break,
        };
        let ended = match next.skill {
            Skill::Place { target: FRIDGE, .. } => {
                refusals += 1;
                Ended::Failed(SkillFailure::NoSpace)
            }
            _ => Ended::Confirmed,
        };
        m.finished(&view(&g, 2.0), &next, &ended, "no free spot");
    }
    assert!(refusals > 1);
}

#[test]
fn what_was_put_into_a_drawer_that_was_shut_since_is_in_the_furniture() {
    const DRESSER: ObjectId = ObjectId(7);
    const DRAWER: ObjectId = ObjectId(8);
    let scene = |presence, position: f64, drawer_s: f64, relations: &[Relation]| {
        let [furniture, door] = fridge(Some(0.0));
        let dresser = SceneObject {
            id: DRESSER,
            class: "dresser".into(),
            ..furniture
        };
        let drawer = |id, position, seen_s| SceneObject {
            id,
            class: "drawer".into(),
            last_seen: Time::from_secs_f64(seen_s),
            articulation: door.articulation.map(|a| ArticulationState {
                owner: Some(DRESSER),
                prismatic: true,
                axis: Vector3::y(),
                position: Some(position),
                open_at: 0.3,
                ..a
            }),
            ..door.clone()
        };
        let mug = SceneObject {
            presence,
            last_seen: Time::from_secs_f64(3.0),
            ..mug()
        };
        // Another drawer stands open all the time.
        let others = [drawer(DRAWER, position, drawer_s), drawer(ObjectId(9), 0.3, 60.0)];
        graph([mug, dresser].into_iter().chain(others), relations)
    };
    let inside = [DRESSER, DRAWER].map(|object| Relation {
        subject: MUG,
        kind: RelationKind::In,
        object,
    });
    let held = scene(Presence::Held, 0.35, 2.0, &[]);
    let ends = |position, drawer_s| {
        let mut m = mission("in(mug, dresser)", &held);
        for _ in 0..8 {
            let next = step(&mut m, &view(&held, 2.0));
            m.finished(&view(&held, 3.0), &next, &Ended::Confirmed, "");
            if next.skill
                == (Skill::Place {
                    object: MUG,
                    relation: RelationKind::In,
                    target: DRAWER,
                })
            {
                let later = scene(Presence::Present, position, drawer_s, &inside);
                return m.decide(&view(&later, 100.0));
            }
        }
        panic!("it was never put in")
    };
    assert!(matches!(ends(0.0, 60.0), Decision::Succeed(_)));
    assert!(matches!(ends(0.35, 60.0), Decision::Do(_)), "it can be looked at");
}

#[test]
fn what_takes_the_room_is_taken_out_and_the_goal_gone_on_with() {
    const KETTLE: ObjectId = ObjectId(6);
    let kettle = object(KETTLE, "kettle", (0.0, 4.0, 0.8), (0.06, 0.06, 0.1));
    let held = |o: SceneObject| SceneObject {
        presence: Presence::Held,
        ..o
    };
    let inside = Relation {
        subject: KETTLE,
        kind: RelationKind::In,
        object: FRIDGE,
    };
    let [furniture, door] = fridge(Some(1.4));
    let scene = |mug: SceneObject, kettle: SceneObject, relations: &[Relation]| {
        graph([mug, kettle, shelf(), furniture.clone(), door.clone()], relations)
    };
    let full = scene(held(mug()), kettle.clone(), &[inside]);
    let mut m = mission("in(mug, fridge)", &full);
    let mut refusals = 0;
    let aside = loop {
        let next = step(&mut m, &view(&full, 2.0));
        let put = |target| Skill::Place {
            object: MUG,
            relation: if target == FRIDGE {
                RelationKind::In
            } else {
                RelationKind::On
            },
            target,
        };
        let ended = if next.skill == put(FRIDGE) {
            refusals += 1;
            Ended::Failed(SkillFailure::NoSpace)
        } else if next.skill == put(TABLE) {
            break next;
        } else {
            Ended::Confirmed
        };
        m.finished(&view(&full, 2.0), &next, &ended, "no free spot");
    };
    assert_eq!(refusals, 2, "it was looked at from near before");
    let freed = scene(mug(), kettle.clone(), &[inside]);
    m.finished(&view(&freed, 3.0), &aside, &Ended::Confirmed, "");
    let take = |m: &mut Mission, g: &SceneGraph, wanted: ObjectId| {
        for _ in 0..5 {
            let next = step(m, &view(g, 4.0));
            if let Skill::Pick { object } = next.skill {
                assert_eq!(object, wanted);
                m.finished(&view(g, 4.0), &next, &Ended::Confirmed, "");
                return;
            }
            m.finished(&view(g, 4.0), &next, &Ended::Confirmed, "");
        }
        panic!("nothing is picked up");
    };
    take(&mut m, &freed, KETTLE);
    let carried = scene(mug(), held(kettle.clone()), &[]);
    let next = step(&mut m, &view(&carried, 5.0));
    assert_eq!(next.skill, navigate(TABLE));
    m.finished(&view(&carried, 5.0), &next, &Ended::Confirmed, "");
    let next = step(&mut m, &view(&carried, 5.0));
    assert!(
        matches!(
            next.skill,
            Skill::Place {
                object: KETTLE,
                target: TABLE,
                ..
            }
        ),
        "{next:?}"
    );
    let out = SceneObject {
        shape: OrientedBox {
            center: Point3::new(3.2, 0.0, 0.85),
            ..kettle.shape
        },
        ..kettle.clone()
    };
    let empty = scene(mug(), out, &[]);
    m.finished(&view(&empty, 6.0), &next, &Ended::Confirmed, "");
    take(&mut m, &empty, MUG);
}

#[test]
fn what_was_put_into_something_and_is_lost_there_is_looked_for_from_right_beside() {
    let [furniture, door] = fridge(Some(1.4));
    let scene = |presence: Presence| {
        let mug = SceneObject { presence, ..mug() };
        graph([mug, shelf(), furniture.clone(), door.clone()], &[])
    };
    let held = scene(Presence::Held);
    let mut m = mission("in(mug, fridge)", &held);
    for _ in 0..10 {
        let next = step(&mut m, &view(&held, 2.0));
        let put = matches!(next.skill, Skill::Place { .. });
        let now = scene(if put { Presence::Present } else { Presence::Held });
        m.finished(&view(&now, 2.0), &next, &Ended::Confirmed, "");
        if put {
            break;
        }
    }
    let lost = scene(Presence::Missing);
    let mut seen = Vec::new();
    for i in 0..4 {
        let next = step(&mut m, &view(&lost, 3.0 + f64::from(i)));
        seen.push(next.label.clone());
        m.finished(&view(&lost, 3.0 + f64::from(i)), &next, &Ended::Confirmed, "");
        if next.label.starts_with("look into") {
            break;
        }
    }
    assert!(
        seen.last().is_some_and(|l| l.starts_with("look into fridge")),
        "{seen:?}"
    );
    assert!(
        seen.iter().all(|l| l.contains("fridge")),
        "nothing else is done first: {seen:?}"
    );
    let next = step(&mut m, &view(&lost, 8.0));
    assert!(!next.label.starts_with("look into"), "once is enough: {next:?}");
}

#[test]
fn what_stands_beside_a_thing_that_cannot_be_grasped_is_put_aside() {
    const KETTLE: ObjectId = ObjectId(6);
    let [furniture, door] = fridge(Some(1.4));
    let inside = |subject| Relation {
        subject,
        kind: RelationKind::In,
        object: FRIDGE,
    };
    let at = furniture.shape.center;
    let scene = |apart_m: f64| {
        let mug = object(MUG, "mug", (at.x, at.y, 0.8), (0.04, 0.04, 0.05));
        let kettle = object(KETTLE, "kettle", (at.x, at.y + apart_m, 0.8), (0.06, 0.06, 0.1));
        graph(
            [mug, kettle, shelf(), furniture.clone(), door.clone()],
            &[inside(MUG), inside(KETTLE)],
        )
    };
    // What is picked up once the mug was not, twice, from near at the second time.
    let picked = |apart_m: f64| {
        let full = scene(apart_m);
        let mut m = mission("on(mug, table)", &full);
        let mut failed = 0;
        for _ in 0..20 {
            let next = step(&mut m, &view(&full, 2.0));
            let ended = match next.skill {
                Skill::Pick { object } if failed == 2 => return object,
                Skill::Pick { object } => {
                    assert_eq!(object, MUG);
                    failed += 1;
                    Ended::Failed(SkillFailure::OutOfReach)
                }
                _ => Ended::Confirmed,
            };
            m.finished(&view(&full, 2.0), &next, &ended, "something is in the way");
        }
        panic!("nothing is picked up");
    };
    assert_eq!(picked(0.18), KETTLE);
}

#[test]
fn what_was_opened_is_looked_into_before_going_on() {
    let g = graph(fridge(Some(0.0)), &[]);
    let mut m = mission("on(mug, desk)", &g);
    let opening = opening(&mut m, &view(&g, 10.0));
    m.finished(&view(&g, 10.0), &opening, &Ended::Confirmed, "");
    // Even where all that was sought came into view meanwhile.
    let all = graph(fridge(Some(0.0)).into_iter().chain([mug(), desk(), table()]), &[]);
    let next = step(&mut m, &view(&all, 11.0));
    let Skill::Look { at } = &next.skill else {
        panic!("{next:?}");
    };
    let inside = &g.objects[0].shape;
    assert!(at.iter().all(|p| inside.contains(p, 0.0)), "{at:?}");
    m.finished(&view(&g, 12.0), &next, &Ended::Confirmed, "");
    assert_ne!(step(&mut m, &view(&g, 13.0)).purpose, Purpose::Peek);
}

#[test]
fn a_drawer_is_looked_into_with_the_head_towards_it() {
    let mut drawer = object(DOOR, "desk_drawer", (0.0, 3.7, 0.5), (0.3, 0.2, 0.1));
    drawer.articulation = Some(ArticulationState {
        owner: Some(DESK),
        prismatic: true,
        pivot: Point3::new(0.0, 3.7, 0.5),
        axis: -Vector3::y(),
        handle: Some(Point3::new(0.0, 3.45, 0.5)),
        position: Some(0.0),
        open_at: 0.3,
    });
    let desk = object(DESK, "desk", (0.0, 4.0, 0.37), (0.6, 0.3, 0.37));
    let g = graph([desk, drawer], &[]);
    let mut m = mission("on(mug, desk)", &g);
    let opening = opening(&mut m, &view(&g, 10.0));
    m.finished(&view(&g, 10.0), &opening, &Ended::Confirmed, "");
    let next = step(&mut m, &view(&g, 11.0));
    let Skill::Navigate {
        to: NavigationTarget::Pose(place),
    } = next.skill
    else {
        panic!("{next:?}");
    };
    assert!(
        (place.x_m.abs() < 0.01) && (3.0..3.3).contains(&place.y_m),
        "{place:?}"
    );
    // The head is to the left behind the middle of the base, and the drawer is beyond it.
    let bearing = (FRAC_PI_2 - place.yaw_rad).rem_euclid(std::f64::consts::TAU);
    assert!((bearing - 2.23).abs() < 0.1, "{place:?}");
    m.finished(&view(&g, 12.0), &next, &Ended::Confirmed, "");
    let look = step(&mut m, &view(&g, 12.0));
    assert!(matches!(look.skill, Skill::Look { .. }), "{look:?}");
}

#[test]
fn a_bin_is_looked_into_from_a_side_that_the_base_gets_close_to() {
    let bin = object(FRIDGE, "bin", (2.0, 0.0, 0.3), (0.16, 0.16, 0.3));
    let mut lid = object(DOOR, "bin_lid", (2.0, 0.0, 0.6), (0.16, 0.16, 0.02));
    lid.articulation = Some(ArticulationState {
        owner: Some(FRIDGE),
        prismatic: false,
        pivot: Point3::new(2.16, 0.0, 0.6),
        axis: Vector3::y(),
        handle: Some(Point3::new(1.8, 0.0, 0.6)),
        position: Some(0.0),
        open_at: 1.2,
    });
    let g = graph([bin, lid], &[]);
    let mut m = mission("on(mug, desk)", &g);
    let opening = opening(&mut m, &view(&g, 10.0));
    m.finished(&view(&g, 10.0), &opening, &Ended::Confirmed, "");
    // A stool stands before it, the bin itself is in the way of what is behind.
    let mut grid = floor(3.5);
    let mut cells = (*grid.cells).clone();
    for row in 0..grid.height {
        for column in 0..grid.width {
            let (x, y) = grid.center_of(column, row);
            if (1.3..2.16).contains(&x) && y.abs() < 0.16 {
                cells[(row * grid.width + column) as usize] = 100;
            }
        }
    }
    grid.cells = cells.into();
    let on_the_floor = View {
        grid: Some(&grid),
        ..view(&g, 11.0)
    };
    let next = step(&mut m, &on_the_floor);
    let Skill::Navigate {
        to: NavigationTarget::Pose(place),
    } = next.skill
    else {
        panic!("{next:?}");
    };
    let away_m = (place.x_m - 2.0).hypot(place.y_m);
    assert!((0.4..0.6).contains(&away_m) && place.y_m.abs() > 0.4, "{place:?}");
}

#[test]
fn behind_a_door_that_did_not_open_all_the_way_is_looked_past_its_edge() {
    let mut door = object(DOOR, "fridge_door", (2.0, 3.0, 0.9), (0.02, 0.3, 0.8));
    // The fridge opens towards the origin, its hinge is on the left of who stands before it.
    let articulation = |position: f64| {
        let closed = ArticulationState {
            owner: Some(FRIDGE),
            prismatic: false,
            pivot: Point3::new(2.7, 0.3, 0.9),
            axis: -Vector3::z(),
            handle: Some(Point3::new(2.65, -0.25, 0.9)),
            position: Some(0.0),
            open_at: 1.4,
        };
        ArticulationState {
            handle: closed.handle.map(|handle| closed.moved(position) * handle),
            position: Some(position),
            ..closed
        }
    };
    door.articulation = Some(articulation(0.0));
    let fridge = object(FRIDGE, "fridge", (3.0, 0.0, 0.9), (0.3, 0.3, 0.9));
    let shut = graph([fridge.clone(), door.clone()], &[]);
    let mut m = mission("on(mug, desk)", &shut);
    let opening = opening(&mut m, &view(&shut, 10.0));
    door.articulation = Some(articulation(1.0));
    let ajar = graph([fridge, door], &[]);
    m.finished(
        &view(&ajar, 11.0),
        &opening,
        &Ended::Refuted,
        "seen 57 degrees open",
    );
    let Skill::Navigate {
        to: NavigationTarget::Pose(place),
    } = step(&mut m, &view(&ajar, 12.0)).skill
    else {
        panic!("it is not looked into");
    };
    // Away from the hinge, and before the opening.
    assert!(place.y_m < -0.25 && (1.8..2.4).contains(&place.x_m), "{place:?}");
}

#[test]
fn furniture_whose_door_was_seen_from_the_side_only_is_gone_round() {
    let [fridge, door] = fridge(None);
    let edge = object(DOOR, "fridge_door", (0.3, 3.7, 0.8), (0.03, 0.02, 0.8));
    let half_seen = graph([mug(), table(), fridge.clone(), edge], &[]);
    let mut m = mission("in(mug, fridge)", &half_seen);
    let seen = view(&half_seen, 10.0);
    let mut sides = BTreeSet::new();
    let after = loop {
        let next = step(&mut m, &seen);
        let Purpose::Face(id, side) = next.purpose else {
            break next;
        };
        assert_eq!(id, FRIDGE);
        assert!(sides.insert(side), "side {side} twice");
        if sides.len() == 1 {
            // The door hangs at the corner of these two.
            let Skill::Navigate {
                to: NavigationTarget::Pose(at),
            } = next.skill
            else {
                panic!("{next:?}");
            };
            assert!(at.y_m < 3.0 || at.x_m > 1.0, "{at:?}");
        }
        m.finished(&seen, &next, &Ended::Confirmed, "");
        let look = step(&mut m, &seen);
        assert_eq!(look.purpose, Purpose::Closer);
        m.finished(&seen, &look, &Ended::Confirmed, "");
    };
    assert_eq!(sides.len(), 4, "then it is gone on with: {after:?}");
    let known = graph([mug(), table(), fridge, door], &[]);
    let mut m = mission("in(mug, fridge)", &known);
    opening(&mut m, &view(&known, 10.0));
}

#[test]
fn what_was_put_into_a_bin_and_is_gone_is_looked_for_from_three_sides() {
    const BIN: ObjectId = ObjectId(6);
    let bin = object(BIN, "bin", (0.0, 2.0, 0.3), (0.15, 0.15, 0.3));
    let held = SceneObject {
        presence: Presence::Held,
        ..mug()
    };
    let carried = graph([held, bin.clone()], &[]);
    let mut m = mission("in(mug, bin)", &carried);
    let first_place = |m: &mut Mission| {
        let next = step(m, &view(&carried, 10.0));
        m.finished(&view(&carried, 10.0), &next, &Ended::Confirmed, "");
        matches!(next.skill, Skill::Place { .. }).then_some(next)
    };
    let place = (0..10).find_map(|_| first_place(&mut m)).unwrap();
    let lost = SceneObject {
        presence: Presence::Missing,
        ..mug()
    };
    let gone = graph([lost, bin], &[]);
    let now = view(&gone, 20.0);
    m.finished(&now, &place, &Ended::Refuted, "not seen");
    let mut from = Vec::new();
    for _ in 0..20 {
        let next = step(&mut m, &now);
        if next.purpose != Purpose::Peek {
            break;
        }
        if let Skill::Navigate {
            to: NavigationTarget::Pose(at),
        } = next.skill
        {
            from.push(at);
        }
        m.finished(&now, &next, &Ended::Confirmed, "");
    }
    assert_eq!(from.len(), 3, "{from:?}");
    let apart = from[0].distance_m(&from[1]);
    assert!(apart > 0.8, "the second is opposite of the first: {from:?}");
}
