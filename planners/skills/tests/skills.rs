//! Skills in a world without dynamics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod kinematic;

use kinematic::{World, upright};
use steward_core::geometry::{Point3, Pose2, Vector3};
use steward_core::messages::{
    ArticulationState, DriveStatus, Header, NavigationTarget, Presence, RelationKind, Skill, SkillFailure,
    SkillState,
};
use steward_skills::machine::Progress;

fn assert_done(progress: Progress) {
    assert!(matches!(progress, Progress::Done(_)), "{progress:?}");
}

#[test]
fn drives_around_a_wall_to_a_pose() {
    let mut w = World::new(8.0, 6.0);
    w.add_solid(upright([2.0, 0.0, 0.5], [0.1, 1.6, 0.5], 0.0));
    let goal = Pose2::new(4.0, 0.2, 1.0);
    assert_done(w.run(
        Skill::Navigate {
            to: NavigationTarget::Pose(goal),
        },
        60.0,
    ));
    assert!(w.base.distance_m(&goal) < 0.12, "{:?}", w.base);
    assert!((w.base.yaw_rad - 1.0).abs() < 0.1);
    let closest = w
        .path
        .iter()
        .map(|p| (p.x_m - 2.0).abs().max(0.1).hypot((p.y_m - 1.6).max(0.0)))
        .fold(f64::INFINITY, f64::min);
    assert!(closest > 0.22, "came within {closest:.2} m of the wall's end");
}

#[test]
fn a_navigation_stack_drives_where_there_is_one_and_its_failure_is_the_skills() {
    let goal = Pose2::new(4.0, 0.2, 1.0);
    let status = |state, detail: &str| DriveStatus {
        header: Header::default(),
        id: 1,
        state,
        detail: detail.into(),
    };
    let mut w = World::new(8.0, 6.0);
    w.navigation = Some(None);
    let begin = |w: &mut World| {
        let to = NavigationTarget::Pose(goal);
        w.runner.start(&Skill::Navigate { to }, w.now);
        for _ in 0..500 {
            assert!(matches!(w.tick(true), Progress::Running(_)));
        }
        assert_eq!(w.drive_to, Some(goal));
    };
    begin(&mut w);
    assert_eq!(w.base, Pose2::default(), "the skill leaves the base alone");
    w.tick(false);
    assert_eq!(w.drive_to, None, "nobody drives on stale data");
    w.navigation = Some(Some(status(SkillState::Done, "there")));
    assert_done(w.tick(true));
    assert_eq!(w.drive_to, None);

    w.navigation = Some(None);
    begin(&mut w);
    w.navigation = Some(Some(status(
        SkillState::Failed(SkillFailure::Blocked),
        "gave up with code 105",
    )));
    let Progress::Failed(SkillFailure::Blocked, text) = w.tick(true) else {
        panic!("it was given up");
    };
    assert!(text.contains("105"));
}

#[test]
fn looks_behind_itself() {
    let mut w = World::new(8.0, 6.0);
    assert_done(w.run(
        Skill::Look {
            at: vec![Point3::new(-0.6, 0.2, 0.1), Point3::new(1.0, 1.0, 0.8)],
        },
        30.0,
    ));
}

#[test]
fn stale_data_stops_the_base_and_then_fails() {
    let mut w = World::new(8.0, 6.0);
    w.runner.start(
        &Skill::Navigate {
            to: NavigationTarget::Pose(Pose2::new(4.0, 0.0, 0.0)),
        },
        w.now,
    );
    for _ in 0..60 {
        w.tick(true);
    }
    assert!(w.velocity.0 > 0.2);
    let mut end = None;
    for _ in 0..80 {
        if let Progress::Failed(why, _) = w.tick(false) {
            end = Some(why);
            break;
        }
    }
    assert_eq!(end, Some(SkillFailure::StaleData));
    assert!(w.velocity.0.abs() < 1e-3);
}

fn table(w: &mut World, x: f64, y: f64) -> steward_core::ids::ObjectId {
    let shape = upright([x, y, 0.725], [0.4, 0.7, 0.025], 0.0);
    w.add_solid(shape);
    w.add_object("table", upright([x, y, 0.375], [0.4, 0.7, 0.375], 0.0), None)
}

#[test]
fn picks_from_one_table_and_places_on_another() {
    for (i, (half, yaw)) in [
        ([0.04, 0.04, 0.05], 0.3),
        ([0.03, 0.09, 0.02], 1.2),
        ([0.035, 0.035, 0.12], 0.0),
        ([0.055, 0.04, 0.04], 2.0),
    ]
    .into_iter()
    .enumerate()
    {
        let mut w = World::new(8.0, 6.0);
        let _ = table(&mut w, 2.0, 0.0);
        let goal = table(&mut w, 5.0, 2.0);
        let mug = w.add_object(
            "mug",
            upright([1.8, 0.1 * i as f64, 0.75 + half[2]], half, yaw),
            None,
        );
        assert_done(w.run(Skill::Pick { object: mug }, 100.0));
        assert_done(w.run(
            Skill::Place {
                object: mug,
                relation: RelationKind::On,
                target: goal,
            },
            100.0,
        ));
        let end = w.object(mug).shape;
        assert!(
            (end.center.x - 5.0).abs() < 0.36 && (end.center.y - 2.0).abs() < 0.66,
            "{end:?}"
        );
        assert!((end.bottom_m() - 0.75).abs() < 0.03, "{end:?}");
    }
}

#[test]
fn what_memory_knows_by_another_name_once_it_is_held_is_put_down() {
    let mut w = World::new(8.0, 6.0);
    let desk = table(&mut w, 2.0, 0.0);
    let mug = w.add_object("mug", upright([1.8, 0.0, 0.8], [0.04, 0.04, 0.05], 0.0), None);
    assert_done(w.run(Skill::Pick { object: mug }, 100.0));
    let place = |object| Skill::Place {
        object,
        relation: RelationKind::On,
        target: desk,
    };
    let other = w.add_object("mug", upright([2.2, 0.3, 0.8], [0.04, 0.04, 0.05], 0.0), None);
    assert!(matches!(
        w.run(place(other), 1.0),
        Progress::Failed(SkillFailure::Precondition, _)
    ));
    // It was the other one: memory changes its mind about which is where.
    let (a, b) = (w.graph.objects.len() - 2, w.graph.objects.len() - 1);
    let shape = w.graph.objects[a].shape;
    w.graph.objects[a].shape = w.graph.objects[b].shape;
    w.graph.objects[b].shape = shape;
    w.graph.objects[b].presence = Presence::Held;
    w.hand_over(a, b);
    assert_done(w.run(place(other), 100.0));
}

#[test]
fn picks_from_the_floor() {
    let mut w = World::new(8.0, 6.0);
    let ball = w.add_object(
        "ball",
        upright([2.0, 1.0, 0.035], [0.035, 0.035, 0.035], 0.0),
        None,
    );
    assert_done(w.run(Skill::Pick { object: ball }, 100.0));
    assert!(w.object(ball).shape.bottom_m() > 0.2);
}

fn fridge(w: &mut World, left: bool) -> steward_core::ids::ObjectId {
    w.add_solid(upright([3.0, 0.0, 0.8], [0.3, 0.3, 0.8], 0.0));
    let side = if left { 1.0 } else { -1.0 };
    let a = ArticulationState {
        owner: None,
        prismatic: false,
        pivot: Point3::new(2.7, 0.3 * side, 0.8),
        axis: Vector3::new(0.0, 0.0, -side),
        handle: Some(Point3::new(2.64, -0.24 * side, 0.9)),
        position: Some(0.0),
        open_at: 1.3,
    };
    w.add_object(
        "fridge_door",
        upright([2.69, 0.0, 0.8], [0.03, 0.3, 0.8], 0.0),
        Some(a),
    )
}

#[test]
fn opens_and_closes_doors_with_hinges_on_either_side() {
    for left in [true, false] {
        let mut w = World::new(8.0, 6.0);
        let door = fridge(&mut w, left);
        assert_done(w.run(Skill::Open { part: door }, 140.0));
        assert_eq!(w.object(door).articulation.unwrap().is_open(), Some(true));
        assert_done(w.run(Skill::Close { part: door }, 140.0));
        assert_eq!(w.object(door).articulation.unwrap().is_closed(), Some(true));
    }
}

#[test]
fn opens_and_closes_a_drawer() {
    let mut w = World::new(8.0, 6.0);
    w.add_solid(upright([3.0, 0.5, 0.4], [0.3, 0.4, 0.4], 0.0));
    let a = ArticulationState {
        owner: None,
        prismatic: true,
        pivot: Point3::new(2.7, 0.5, 0.6),
        axis: Vector3::new(-1.0, 0.0, 0.0),
        handle: Some(Point3::new(2.65, 0.5, 0.6)),
        position: Some(0.0),
        open_at: 0.3,
    };
    let drawer = w.add_object(
        "drawer",
        upright([2.95, 0.5, 0.6], [0.25, 0.35, 0.1], 0.0),
        Some(a),
    );
    assert_done(w.run(Skill::Open { part: drawer }, 140.0));
    assert_eq!(w.object(drawer).articulation.unwrap().is_open(), Some(true));
    assert_done(w.run(Skill::Close { part: drawer }, 140.0));
    assert_eq!(w.object(drawer).articulation.unwrap().is_closed(), Some(true));
}

fn bin(w: &mut World) -> steward_core::ids::ObjectId {
    w.add_solid(upright([2.5, 0.0, 0.25], [0.15, 0.15, 0.25], 0.0));
    let a = ArticulationState {
        owner: None,
        prismatic: false,
        pivot: Point3::new(2.65, 0.0, 0.5),
        axis: Vector3::new(0.0, 1.0, 0.0),
        handle: Some(Point3::new(2.30, 0.0, 0.51)),
        position: Some(0.0),
        open_at: 1.4,
    };
    w.add_object(
        "bin_lid",
        upright([2.5, 0.0, 0.51], [0.15, 0.15, 0.01], 0.0),
        Some(a),
    )
}

#[test]
fn opens_a_bin() {
    let mut w = World::new(8.0, 6.0);
    let lid = bin(&mut w);
    assert_done(w.run(Skill::Open { part: lid }, 140.0));
    assert_eq!(w.object(lid).articulation.unwrap().is_open(), Some(true));
}

#[test]
fn opens_a_bin_from_the_side_where_its_front_is_taken() {
    let mut w = World::new(8.0, 6.0);
    let lid = bin(&mut w);
    // Nothing stands within 0.6 m ahead of the handle, and from further away the arm is too short.
    w.add_solid(upright([1.4, 0.0, 0.1], [0.65, 0.45, 0.1], 0.0));
    assert_done(w.run(Skill::Open { part: lid }, 140.0));
    assert_eq!(w.object(lid).articulation.unwrap().is_open(), Some(true));
    assert!(w.base.y_m.abs() > 0.4, "{:?}", w.base);
}

#[test]
fn a_skill_in_the_wrong_state_is_refused() {
    let mut w = World::new(4.0, 4.0);
    let t = table(&mut w, 2.0, 0.0);
    let end = w.run(
        Skill::Place {
            object: t,
            relation: RelationKind::On,
            target: t,
        },
        5.0,
    );
    assert!(
        matches!(end, Progress::Failed(SkillFailure::Precondition, _)),
        "{end:?}"
    );
    let end = w.run(
        Skill::Pick {
            object: steward_core::ids::ObjectId(99),
        },
        5.0,
    );
    assert!(
        matches!(end, Progress::Failed(SkillFailure::UnknownObject, _)),
        "{end:?}"
    );
}
