//! Paths, inverse kinematics, grasps and handle paths against references that are computed differently.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

use proptest::prelude::*;
use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, Header, OccupancyGrid, Presence, Provenance, RelationKind, SceneGraph, SceneObject,
    SupportSurface,
};
use steward_skills::collision::{Contact, Member, Obstacles, Support};
use steward_skills::grasp;
use steward_skills::ik::{self, HandPose};
use steward_skills::machine::{Context, Held};
use steward_skills::navmap::{COST_PER_M, NavMap};
use steward_skills::parts::HandlePath;
use steward_skills::passage::{self, Thing};
use steward_skills::path;
use steward_skills::reach::{self, NoReach};
use steward_skills::robot::{Posture, Robot};
use steward_skills::spots::{Entry, Query, Spot};
use steward_skills::voxels::Voxels;
use steward_skills::{SkillsConfig, roofs, set_down, trays};

fn robot() -> Robot {
    Robot::from_urdf(include_str!("../../../sim/assets/steward.urdf")).unwrap()
}

fn grid(width: u32, height: u32, occupied: &[(u32, u32)]) -> OccupancyGrid {
    let mut cells = vec![0i8; (width * height) as usize];
    for (x, y) in occupied {
        cells[(y * width + x) as usize] = 100;
    }
    OccupancyGrid {
        header: Header::new(Time::ZERO, "map"),
        resolution_m: 0.1,
        width,
        height,
        origin: Pose2::default(),
        cells: Arc::new(cells),
    }
}

/// Bellman-Ford by sweeps: slow, and nothing like the code under test.
fn cheapest(map: &NavMap, start: usize) -> Vec<u64> {
    let (w, h) = (map.width() as i64, map.height() as i64);
    let mut cost = vec![u64::MAX; map.len()];
    cost[start] = 0;
    loop {
        let mut changed = false;
        for y in 0..h {
            for x in 0..w {
                let to = (y * w + x) as usize;
                let Some(factor) = map.factor(to) else { continue };
                for (dx, dy) in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))) {
                    let (fx, fy) = (x + dx, y + dy);
                    if (dx, dy) == (0, 0) || fx < 0 || fy < 0 || fx >= w || fy >= h {
                        continue;
                    }
                    let from = cost[(fy * w + fx) as usize];
                    let cells = if dx != 0 && dy != 0 {
                        std::f64::consts::SQRT_2
                    } else {
                        1.0
                    };
                    let step = (cells * 0.1 * COST_PER_M).round() as u64 * u64::from(factor) / 100;
                    if from != u64::MAX && from + step < cost[to] {
                        cost[to] = from + step;
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            return cost;
        }
    }
}

/// A cereal box on a counter.
fn cereal_box(yaw_rad: f64) -> OrientedBox {
    OrientedBox {
        center: Point3::new(0.8, 0.0, 1.03),
        yaw_rad,
        half: Vector3::new(0.1, 0.035, 0.13),
    }
}

#[test]
fn fingers_come_in_straight_however_the_hand_is_turned() {
    let robot = robot();
    let clear = |base: (f64, f64), yaw_rad: f64, heading: f64, before: &dyn Fn(&HandPose) -> HandPose| {
        let shape = cereal_box(yaw_rad);
        let thing = Thing {
            pose: shape.pose(),
            half: shape.half,
        };
        let hand = HandPose::from_front(shape.center, heading, 0.0, false);
        assert!(ik::solve(&robot, base, &hand).is_ok());
        passage::is_clear(&robot, base, &hand, &before(&hand), 0.13, &thing)
    };
    let (ahead, beside) = ((0.0, 0.0), (0.0, -0.6));
    let along = |hand: &HandPose| hand.backed_off(0.19);
    let down = |hand: &HandPose| hand.moved(Vector3::z() * 0.2);
    assert!(clear(ahead, 0.0, 0.0, &along));
    // The box stands across the way: the base turns while fingers come in along it; or they come from above.
    assert!(clear(beside, FRAC_PI_2, FRAC_PI_2, &along));
    assert!(clear(beside, FRAC_PI_2, FRAC_PI_2, &down));
    // A last stretch that is not along the fingers takes one of them through the box.
    let askew = |hand: &HandPose| hand.moved(Vector3::new(-0.16, -0.1, 0.0));
    assert!(!clear(beside, FRAC_PI_2, FRAC_PI_2, &askew));
    // Too wide between its corners.
    assert!(!clear(ahead, 0.5, 0.0, &along));
}

#[test]
fn a_long_thing_along_the_counter_is_taken_from_above_beside_it() {
    let robot = robot();
    let shape = cereal_box(FRAC_PI_2);
    let thing = Thing {
        pose: shape.pose(),
        half: shape.half,
    };
    let base = (0.0, 0.0);
    let grasps = grasp::candidates(&robot, &SkillsConfig::default(), &shape, base);
    let reached = grasps.iter().filter(|g| {
        !g.from_above
            && ik::solve(&robot, base, &g.hand).is_ok()
            && passage::is_clear(&robot, base, &g.hand, &g.before, 0.13, &thing)
    });
    let ways: Vec<bool> = reached.map(|g| g.comes_down).collect();
    assert!(!ways.is_empty());
    assert!(ways.iter().all(|comes_down| *comes_down));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn paths_are_optimal(blocks in prop::collection::vec((2u32..28, 2u32..28), 0..14)) {
        // The start is in the open, so no cell needs the rule for escaping.
        let blocks: Vec<_> = blocks.into_iter().filter(|(x, y)| *x > 12 || *y > 12).collect();
        let map = NavMap::new(&grid(30, 30, &blocks), &SkillsConfig::default());
        let (start, goal) = ((0.35, 0.35), (2.75, 2.65));
        let reference = cheapest(&map, map.index_of(start.0, start.1).unwrap());
        let cell = map.index_of(goal.0, goal.1).unwrap();
        match path::plan(&map, start, goal) {
            None => prop_assert!(reference[cell] == u64::MAX || map.factor(cell).is_none()),
            Some(p) => {
                prop_assert_eq!(u64::from(p.cost), reference[cell]);
                prop_assert_eq!(p.points[0], start);
                prop_assert_eq!(*p.points.last().unwrap(), goal);
                for pair in p.points.windows(2) {
                    prop_assert!(path::line_is_free(&map, pair[0], pair[1]));
                }
            }
        }
    }

    #[test]
    fn inverse_kinematics_undo_forward_kinematics(
        lift in 0.0f64..1.3, extend in 0.0f64..0.76, yaw in -1.5f64..1.5, pitch in -0.5f64..1.57,
        roll in -1.5f64..1.5, x in -3.0f64..3.0, y in -3.0f64..3.0, heading in -3.1f64..3.1,
    ) {
        let robot = robot();
        let posture = Posture { lift_m: lift, extend_m: extend, yaw_rad: yaw, pitch_rad: pitch, roll_rad: roll };
        let base = Pose2::new(x, y, heading);
        // Forward kinematics by the URDF, the inverse in closed form.
        let target = base.to_pose3() * robot.grasp_center(&posture);
        let hand = HandPose::new(
            Point3::from(target.translation.vector),
            target.rotation * Vector3::x(),
            target.rotation * Vector3::y(),
        ).unwrap();
        // Fingers straight down and a yawed wrist: the closed form turns the base instead, which may be out of reach.
        let found = ik::solve(&robot, (x, y), &hand);
        prop_assume!(found.is_ok() || pitch < 1.5);
        let found = found.unwrap();
        let reached = Pose2::new(x, y, found.base_yaw_rad).to_pose3() * robot.grasp_center(&found.posture);
        let off = (reached.translation.vector - target.translation.vector).norm();
        prop_assert!(off < 0.002, "{off} m off");
        prop_assert!((reached.rotation * Vector3::x()).dot(&hand.fingers) > 0.9995);
        prop_assert!((reached.rotation * Vector3::y()).dot(&hand.closing).abs() > 0.9995);
    }

    #[test]
    fn grasps_keep_to_the_hand_s_limits(
        hx in 0.01f64..0.15, hy in 0.01f64..0.15, hz in 0.005f64..0.2, yaw in -3.0f64..3.0, z in 0.0f64..1.2,
    ) {
        let robot = robot();
        let config = SkillsConfig::default();
        let shape = OrientedBox {
            center: Point3::new(1.0, 0.5, z + hz),
            yaw_rad: yaw,
            half: Vector3::new(hx, hy, hz),
        };
        let grasps = grasp::candidates(&robot, &config, &shape, (0.3, 0.3));
        for g in &grasps {
            prop_assert!(g.width_m <= config.max_grasp_width_m + 1e-9);
            prop_assert!((g.hand.fingers.dot(&g.hand.closing)).abs() < 1e-6);
            // Finger tips above the support, palm outside of the thing.
            let tip = g.hand.position + g.hand.fingers.into_inner() * robot.tip_m;
            prop_assert!(tip.z > z, "tip at {} over {z}", tip.z);
            let palm = g.hand.position - g.hand.fingers.into_inner() * robot.palm_m;
            prop_assert!(!shape.contains(&palm, -1e-6));
        }
        let narrow = hx.min(hy) <= 0.055;
        if narrow && hz < 0.1 {
            prop_assert!(!grasps.is_empty());
        }
    }

    #[test]
    fn a_led_handle_stays_in_the_hand_and_at_its_distance_from_the_hinge(
        radius in 0.2f64..0.7, height in 0.4f64..1.2, at in -0.1f64..1.5, follow in 0.0f64..1.0, offset in -0.5f64..0.5,
    ) {
        let part = ArticulationState {
            owner: None,
            prismatic: false,
            pivot: Point3::new(1.0, 2.0, height),
            axis: -Vector3::z(),
            handle: Some(Point3::new(1.0 - 0.05, 2.0 - radius, height)),
            position: Some(0.0),
            open_at: 1.3,
        };
        let path = HandlePath::new(&part).unwrap().with(follow, offset);
        let handle = path.handle_at(at);
        let from_hinge = (handle.x - 1.0).hypot(handle.y - 2.0);
        prop_assert!((from_hinge - radius.hypot(0.05)).abs() < 1e-9);
        let hand = path.hand_at(at);
        prop_assert!((hand.position - handle).norm() < 0.01);
        prop_assert!(hand.closing.z.abs() < 1e-9, "closes across the upright bar");
    }
}

/// A desk's drawer, 0.44 m wide and pulled out by 0.29 m towards -x.
fn drawer() -> SceneObject {
    SceneObject {
        id: ObjectId(1),
        class: "drawer".into(),
        shape: OrientedBox {
            center: Point3::new(1.0, 0.0, 0.6),
            yaw_rad: 0.0,
            half: Vector3::new(0.22, 0.22, 0.09),
        },
        presence: Presence::Present,
        provenance: Provenance::Observed,
        confidence: 0.9,
        first_seen: Time::ZERO,
        last_seen: Time::ZERO,
        articulation: Some(ArticulationState {
            owner: None,
            prismatic: true,
            pivot: Point3::new(0.78, 0.0, 0.6),
            axis: -Vector3::x(),
            handle: Some(Point3::new(0.725, 0.0, 0.6)),
            position: Some(0.29),
            open_at: 0.3,
        }),
        surfaces: Vec::new(),
    }
}

#[test]
fn what_goes_into_a_drawer_is_turned_until_it_fits() {
    let drawer = drawer();
    let room = trays::room_in_drawer(&drawer).unwrap();
    // Behind the front, before what is above the closed drawer, within the sides.
    assert!((0.80..0.84).contains(&(room.center.x - room.half.x)), "{room:?}");
    assert!(room.center.x + room.half.x < 1.07, "{room:?}");
    assert!(room.half.y < 0.2, "{room:?}");
    // A book of 0.3 m by 0.1 m fits in across only, whichever way it was picked up.
    for turn in [0.0, 0.5, 1.2, 2.0] {
        let held = Held {
            object: ObjectId(2),
            half: Vector3::new(0.15, 0.05, 0.015),
            pitch_rad: 1.57,
            hand_from_object: HandPose::from_above(Point3::origin(), turn).pose().inverse(),
        };
        let spot = Spot {
            point: room.pose() * Point3::new(0.1, 0.15, -room.half.z),
            entry: Entry::Drop(0.05),
            walls: Some(room),
            cost: 0.0,
        };
        let (hand, _, _) = set_down::hands(&held, &spot, (0.2, 0.0))[0];
        let thing = hand.pose() * held.hand_from_object;
        let off = set_down::corners(&held.half)
            .map(|c| room.pose().inverse_transform_point(&(thing * Point3::from(c))))
            .fold(0.0f64, |worst, p| {
                worst.max(p.x.abs() - room.half.x).max(p.y.abs() - room.half.y)
            });
        assert!(off < 0.001, "{off} m outside at {turn}");
    }
}

#[test]
fn what_lies_in_a_drawer_is_told_from_what_stands_on_the_desk() {
    let graph = SceneGraph {
        objects: vec![drawer()],
        ..SceneGraph::default()
    };
    let inside = Point3::new(0.9, 0.05, 0.57);
    assert!(trays::around(&graph, &inside).is_some());
    assert!(trays::around(&graph, &Point3::new(0.9, 0.05, 0.75)).is_none());
    assert!(trays::around(&graph, &Point3::new(0.9, 0.3, 0.57)).is_none());
}

#[test]
fn into_a_drawer_the_hand_goes_over_its_front_and_between_its_walls() {
    let robot = robot();
    let drawer = drawer();
    let room = trays::room_in_drawer(&drawer).unwrap();
    let floor = Point3::new(
        room.center.x,
        room.center.y,
        room.center.z - room.half.z + robot.tip_m,
    );
    let hand = HandPose::from_above(floor, room.yaw_rad);
    let before = trays::over_rim(
        drawer.shape.top_m(),
        &hand.moved(Vector3::z() * 0.02),
        true,
        robot.tip_m,
    );
    assert!(before.position.z - robot.tip_m > drawer.shape.top_m());
    assert!(
        (before.position - hand.position).xy().norm() < 1e-9,
        "straight up"
    );
    let sloped = HandPose::from_front(floor, room.yaw_rad + PI, 1.15, false);
    let before = trays::over_rim(drawer.shape.top_m(), &sloped, false, robot.tip_m);
    let way = before.position - sloped.position;
    assert!(before.position.z - robot.tip_m > drawer.shape.top_m());
    assert!(
        (way.normalize() + sloped.fingers.into_inner()).norm() < 1e-9,
        "along the fingers"
    );

    // Fingers that close along the drawer's way fit its length or not; the palm is over the rim or between the walls, too.
    let most = 2.0 * room.half.x - 2.0 * passage::FINGER_M;
    assert!(trays::is_between_walls(&robot, &drawer, &hand, most - 0.01));
    assert!(!trays::is_between_walls(&robot, &drawer, &hand, most + 0.03));
    let (s, c) = room.yaw_rad.sin_cos();
    let at_the_wall = hand.moved(Vector3::new(c, s, 0.0) * (room.half.x - 0.02));
    assert!(!trays::is_between_walls(&robot, &drawer, &at_the_wall, 0.06));
}

#[test]
fn what_lies_under_the_furnitures_top_is_taken_from_the_front_and_drawn_out() {
    let robot = robot();
    let drawer = drawer();
    let room = trays::room_in_drawer(&drawer).unwrap();
    let block = |behind_edge_m: f64| OrientedBox {
        center: room.pose() * Point3::new(-room.half.x - behind_edge_m, 0.0, 0.025 - room.half.z),
        yaw_rad: room.yaw_rad,
        half: Vector3::repeat(0.025),
    };
    let hidden = block(0.04);
    let out = trays::out_from_under(&drawer, &hidden).unwrap();
    assert!(
        (out.norm() - 0.075).abs() < 1e-9,
        "its back comes clear of the edge: {out:?}"
    );
    assert!(out.dot(&drawer.articulation.unwrap().axis) > 0.07, "{out:?}");
    assert_eq!(trays::out_from_under(&drawer, &block(-0.1)), None);

    // A hand that slopes down towards the back passes below the edge; one from above does not.
    let tips = hidden.center + Vector3::z() * (robot.tip_m - 0.01);
    let sloped = HandPose::from_front(tips, room.yaw_rad + PI, 1.15, false);
    assert!(trays::is_between_walls(&robot, &drawer, &sloped, 0.08));
    let upright = HandPose::from_above(tips, room.yaw_rad + FRAC_PI_2);
    assert!(!trays::is_between_walls(&robot, &drawer, &upright, 0.08));
    // Half of it sticks out: it is taken by that half.
    let half_out = block(0.0);
    let upright = HandPose::from_above(half_out.center, room.yaw_rad + FRAC_PI_2);
    let moved = trays::in_front_of_edge(&drawer, &half_out, &upright).unwrap();
    assert!(trays::is_between_walls(&robot, &drawer, &moved, 0.08));
    let along = HandPose::from_above(half_out.center, room.yaw_rad);
    assert_eq!(trays::in_front_of_edge(&drawer, &half_out, &along), None);
}

#[test]
fn the_hand_turns_where_there_is_room_for_it() {
    let robot = robot();
    let folded = Posture {
        lift_m: 0.45,
        extend_m: 0.0,
        yaw_rad: 0.0,
        pitch_rad: FRAC_PI_2,
        roll_rad: 0.0,
    };
    let before = Posture {
        lift_m: 0.6,
        extend_m: 0.3,
        pitch_rad: 0.4,
        ..folded
    };
    let turns_at = |is_free: &dyn Fn(&Posture, &Posture) -> bool| {
        let way = reach::way_out(&robot, folded, before, &[is_free]);
        let turned = way
            .windows(2)
            .find(|w| w[0].posture.pitch_rad != w[1].posture.pitch_rad);
        turned.unwrap()[0].posture.lift_m
    };
    assert_eq!(turns_at(&|_, _| true), before.lift_m);
    let low_board = |from: &Posture, to: &Posture| from.pitch_rad == to.pitch_rad || from.lift_m > 0.65;
    assert!(turns_at(&low_board) > 0.65);

    // A wall right ahead leaves no room at any height, and none is planned.
    let hand = HandPose::of(&robot.grasp_center(&Posture {
        extend_m: 0.02,
        ..before
    }));
    let context = Context::new(SkillsConfig::default(), robot.clone());
    let wall = |x_m: f64| {
        let heights = (0..40).map(|i| 0.05 * f64::from(i));
        let points = heights.flat_map(|z| (-6..=6).map(move |k| Point3::new(x_m, 0.05 * f64::from(k), z)));
        Voxels::new(&points.collect::<Vec<_>>(), 0.05)
    };
    let tip_m = hand.position.x + robot.tip_m;
    let plan = |voxels: &Voxels| {
        let scene = reach::Scene {
            robot: &robot,
            arm: &context.arm,
            config: &context.config,
            voxels: Some(voxels),
            ignored: &[],
            support: None,
            payload: None,
            gripper: 0.04,
            folded,
        };
        reach::plan_within(&scene, (0.0, 0.0), &hand, &hand, reach::Margins::ALL[0])
    };
    plan(&wall(tip_m + 0.1)).unwrap();
    assert!(matches!(plan(&wall(tip_m - 0.02)), Err(NoReach::Collision(_))));
}

#[test]
fn the_voxels_of_a_support_end_at_its_height() {
    let robot = robot();
    let context = Context::new(SkillsConfig::default(), robot.clone());
    let level = Posture {
        lift_m: 0.6,
        extend_m: 0.3,
        yaw_rad: 0.0,
        pitch_rad: 0.0,
        roll_rad: 0.0,
    };
    let hand = robot.grasp_center(&level).translation.vector;
    let voxels = Voxels::new(&[Point3::from(hand)], 0.025);
    let touches = |above_m: f64| {
        let support = Support::around(&Point3::from(hand), hand.z + above_m);
        Obstacles::around(&Pose2::default(), Some(&voxels), &[], Some(support), 0.01)
            .hit(&robot, &context.arm, &level, 0.0, None)
            .is_some()
    };
    assert!(
        !touches(-0.02),
        "the hand is over the surface that the voxel belongs to"
    );
    assert!(
        touches(0.05),
        "the hand is below the surface: in front of the edge of a board"
    );
    assert!(touches(-0.15), "something that stands on the surface");
}

#[test]
fn of_a_thing_seen_only_over_a_rim_there_is_more_below() {
    let drawer = drawer();
    let room = trays::room_in_drawer(&drawer).unwrap();
    let seen = |half_z: f64| OrientedBox {
        center: Point3::new(room.center.x, room.center.y, room.center.z + 0.02),
        yaw_rad: 0.3,
        half: Vector3::new(0.05, 0.03, half_z),
    };
    let thin = trays::reaching_down(&drawer, &seen(0.001));
    assert!((thin.top_m() - seen(0.001).top_m()).abs() < 1e-9);
    assert!(thin.half.z > 0.01 && thin.bottom_m() > drawer.shape.bottom_m());
    let tall = seen(0.05);
    assert!((trays::reaching_down(&drawer, &tall).bottom_m() - tall.bottom_m()).abs() < 1e-9);
}

#[test]
fn a_hand_that_is_less_open_may_pass_where_another_was_stopped() {
    let mut context = Context::new(SkillsConfig::default(), robot());
    let hand = HandPose::from_front(Point3::new(0.8, 0.1, 0.9), 0.2, 0.4, false);
    let at = Time::from_secs_f64(10.0);
    assert!(!context.was_stopped(&hand, 0.12, at));
    context.stopped_at(&hand, 0.12, at);
    assert!(context.was_stopped(&hand, 0.12, at));
    assert!(context.was_stopped(&hand.moved(Vector3::x() * 0.03), 0.12, at));
    assert!(!context.was_stopped(&hand, 0.10, at));
    assert!(!context.was_stopped(&hand, 0.12, Time::from_secs_f64(200.0)));
}

#[test]
fn what_is_in_the_way_is_named() {
    let table = SceneObject {
        shape: OrientedBox {
            center: Point3::new(1.0, 0.0, 0.4),
            yaw_rad: 0.0,
            half: Vector3::new(0.5, 0.5, 0.4),
        },
        articulation: None,
        ..drawer()
    };
    let mug = SceneObject {
        id: ObjectId(77),
        class: "mug".into(),
        shape: OrientedBox {
            center: Point3::new(1.0, 0.0, 0.75),
            yaw_rad: 0.0,
            half: Vector3::repeat(0.05),
        },
        ..table.clone()
    };
    let graph = SceneGraph {
        header: Header::default(),
        objects: vec![table, mug],
        relations: Vec::new(),
    };
    let collision = |at| NoReach::Collision(Contact::Obstacle(Member::Hand, at));
    let said = collision(Point3::new(1.0, 0.0, 0.76)).explain(Some(&graph));
    assert_eq!(said, "the hand would touch mug o77 at 0.76 m height");
    let said = collision(Point3::new(3.0, 0.0, 0.76)).explain(Some(&graph));
    assert_eq!(said, "the hand would touch something at (3.00, 0.00, 0.76)");
    assert_eq!(collision(Point3::new(3.0, 0.0, 0.76)).explain(None), said);
}

#[test]
fn a_hand_from_above_does_not_go_under_a_board() {
    let board = |height_m: f64| SupportSurface {
        center: Point3::new(1.0, 0.0, height_m),
        yaw_rad: 0.3,
        half_x_m: 0.4,
        half_y_m: 0.15,
        clearance_m: 0.3,
    };
    let shelf = SceneObject {
        class: "shelf".into(),
        articulation: None,
        surfaces: vec![board(0.4), board(0.75)],
        ..drawer()
    };
    let graph = SceneGraph {
        objects: vec![shelf],
        ..SceneGraph::default()
    };
    assert!(roofs::is_roofed(&graph, None, &Point3::new(1.0, 0.0, 0.4)));
    // On the top board, beside the shelf, and on the floor far below.
    assert!(!roofs::is_roofed(&graph, None, &Point3::new(1.0, 0.0, 0.75)));
    assert!(!roofs::is_roofed(&graph, None, &Point3::new(1.0, 0.4, 0.4)));
    assert!(!roofs::is_roofed(&graph, None, &Point3::new(1.0, 0.0, -0.2)));

    let thing = Point3::new(1.0, 0.0, 0.44);
    let room_m = roofs::room_above_m(&graph, None, &thing).unwrap();
    assert!((room_m - 0.31).abs() < 1e-9);
    let robot = robot();
    let over = Point3::new(1.0, 0.0, 0.5);
    let level = HandPose::from_front(over, 0.0, 0.2, false);
    let steep = HandPose::from_front(over, 0.0, 1.15, false);
    assert!(roofs::goes_under(&robot, &level, &thing, room_m));
    assert!(!roofs::goes_under(&robot, &steep, &thing, room_m));
    assert!(!roofs::goes_under(
        &robot,
        &HandPose::from_above(over, 0.0),
        &thing,
        room_m
    ));
}

#[test]
fn a_hand_goes_into_a_basin_over_its_rim() {
    let worktop = SupportSurface {
        center: Point3::new(1.0, 0.0, 0.85),
        yaw_rad: 0.0,
        half_x_m: 0.5,
        half_y_m: 0.3,
        clearance_m: 1.0,
    };
    let sink = SceneObject {
        class: "sink".into(),
        articulation: None,
        surfaces: vec![worktop],
        ..drawer()
    };
    let graph = SceneGraph {
        objects: vec![sink],
        ..SceneGraph::default()
    };
    // Voxels all over the worktop but for a square hole.
    let worktop_around = |hole_half_m: f64| {
        let points = (0..40).flat_map(|i| (0..24).map(move |j| (i, j)));
        let points = points.map(|(i, j)| (0.5125 + 0.025 * f64::from(i), -0.2875 + 0.025 * f64::from(j)));
        let is_left = |(x, y): &(f64, f64)| (x - 1.0).abs() > hole_half_m || y.abs() > hole_half_m;
        let points = points.filter(is_left).map(|(x, y)| Point3::new(x, y, 0.825));
        Voxels::new(&points.collect::<Vec<_>>(), 0.025)
    };
    let at_the_bottom = Point3::new(1.0, 0.0, 0.72);
    let (basin, closed) = (worktop_around(0.15), worktop_around(0.0));
    assert!(!roofs::is_roofed(&graph, Some(&basin), &at_the_bottom));
    assert_eq!(
        roofs::basin_rim_m(&graph, Some(&basin), &at_the_bottom),
        Some(0.85)
    );
    assert!(roofs::is_roofed(&graph, Some(&closed), &at_the_bottom));
    assert_eq!(roofs::basin_rim_m(&graph, Some(&closed), &at_the_bottom), None);
}

/// Spots for a thing of 8 x 8 x 15 cm on furniture.
fn spots_on(furniture: SceneObject, measured: Vec<Point3>, laid: bool) -> Vec<Spot> {
    let half = Vector3::new(0.04, 0.04, 0.075);
    spots(RelationKind::On, vec![furniture], measured, half, laid)
}

/// Spots on, in or near the first of the objects.
fn spots(
    relation: RelationKind,
    objects: Vec<SceneObject>,
    measured: Vec<Point3>,
    half: Vector3,
    laid: bool,
) -> Vec<Spot> {
    let target = objects[0].clone();
    let graph = SceneGraph {
        objects,
        ..SceneGraph::default()
    };
    let query = Query {
        graph: &graph,
        voxels: Some(&Voxels::new(&measured, 0.05)),
        map: &NavMap::new(&grid(10, 10, &[]), &SkillsConfig::default()),
        held: ObjectId(9),
        half,
        laid,
    };
    query.spots(relation, &target)
}

#[test]
fn nothing_is_put_on_top_of_what_is_low() {
    let table = SceneObject {
        class: "table".into(),
        articulation: None,
        surfaces: vec![board(0.5, 2.0)],
        ..drawer()
    };
    let remote = SceneObject {
        id: ObjectId(2),
        class: "remote_control".into(),
        articulation: None,
        shape: OrientedBox {
            center: Point3::new(1.0, 0.0, 0.515),
            yaw_rad: 0.0,
            half: Vector3::new(0.08, 0.03, 0.015),
        },
        ..drawer()
    };
    let half = Vector3::new(0.04, 0.04, 0.075);
    let found = spots(RelationKind::On, vec![table, remote], Vec::new(), half, false);
    assert!(!found.is_empty());
    for spot in found {
        let beside = (spot.point.x - 1.0).abs() > 0.12 || spot.point.y.abs() > 0.07;
        assert!(beside, "{spot:?}");
    }
}

#[test]
fn what_goes_behind_a_door_does_not_stand_out_of_it() {
    let cabinet = SceneObject {
        class: "cabinet".into(),
        articulation: None,
        surfaces: vec![board(0.5, 0.3)],
        ..drawer()
    };
    let door = SceneObject {
        id: ObjectId(2),
        class: "cabinet_door".into(),
        shape: OrientedBox {
            center: Point3::new(0.77, 0.0, 0.6),
            yaw_rad: 0.0,
            half: Vector3::new(0.01, 0.22, 0.09),
        },
        articulation: Some(ArticulationState {
            owner: Some(ObjectId(1)),
            prismatic: false,
            pivot: Point3::new(0.77, 0.22, 0.6),
            axis: -Vector3::z(),
            handle: Some(Point3::new(0.74, -0.18, 0.6)),
            position: Some(0.0),
            open_at: 1.4,
        }),
        ..drawer()
    };
    // A box of 26 cm in a cabinet of 44 cm, whose front is at x 0.78.
    let half = Vector3::new(0.13, 0.03, 0.06);
    let found = spots(RelationKind::In, vec![cabinet, door], Vec::new(), half, false);
    let best = found.first().expect("there is room");
    assert!(best.point.x - 0.13 >= 0.78, "{best:?}");
}

fn board(height_m: f64, clearance_m: f64) -> SupportSurface {
    SupportSurface {
        center: Point3::new(1.0, 0.0, height_m),
        yaw_rad: 0.0,
        half_x_m: 0.22,
        half_y_m: 0.4,
        clearance_m,
    }
}

#[test]
fn what_hangs_from_the_hand_is_laid_under_a_board_and_stands_on_top() {
    let shelf = SceneObject {
        class: "shelf".into(),
        articulation: None,
        shape: OrientedBox {
            center: Point3::new(1.0, 0.0, 0.5),
            yaw_rad: 0.0,
            half: Vector3::new(0.22, 0.4, 0.5),
        },
        surfaces: vec![board(0.5, 0.4), board(1.0, 2.0)],
        ..drawer()
    };
    let is_under = |spot: &Spot| spot.point.z < 0.9;
    let hanging = spots_on(shelf.clone(), Vec::new(), true);
    assert!(hanging.iter().any(is_under));
    for spot in &hanging {
        let is_laid = matches!(spot.entry, Entry::Front(_));
        assert_eq!(is_laid, is_under(spot), "{spot:?}");
    }
    assert!(
        !is_under(&hanging[0]),
        "standing on top is better: {:?}",
        hanging[0]
    );
    let level = spots_on(shelf, Vec::new(), false);
    assert!(level.iter().any(is_under));
    assert!(level.iter().all(|s| s.entry == Entry::Upright));
}

#[test]
fn nothing_is_put_over_a_basin_while_there_is_worktop() {
    let sink = SceneObject {
        class: "sink".into(),
        articulation: None,
        surfaces: vec![board(0.87, 2.0)],
        ..drawer()
    };
    // Measured at its height: everything but the basin, whose middle is at y 0.2.
    let is_basin = |x: f64, y: f64| (x - 1.0).abs() < 0.16 && (0.04..0.36).contains(&y);
    let measured = (-4..=4)
        .flat_map(|i| (-8..=8).map(move |k| (1.0 + f64::from(i) * 0.05, f64::from(k) * 0.05)))
        .filter(|(x, y)| !is_basin(*x, *y))
        .map(|(x, y)| Point3::new(x, y, 0.87))
        .collect();
    let spots = spots_on(sink, measured, false);
    let (over, beside): (Vec<&Spot>, Vec<&Spot>) = spots.iter().partition(|s| is_basin(s.point.x, s.point.y));
    assert!(!over.is_empty() && !beside.is_empty());
    let best = |of: &[&Spot]| of.iter().map(|s| s.cost).fold(f64::INFINITY, f64::min);
    assert!(
        best(&beside) + 0.3 < best(&over),
        "{} {}",
        best(&beside),
        best(&over)
    );
}

#[test]
fn a_robot_too_close_to_a_wall_gets_away_from_it() {
    let wall: Vec<(u32, u32)> = (0..40).map(|x| (x, 0)).collect();
    let map = NavMap::new(&grid(40, 30, &wall), &SkillsConfig::default());
    // 0.15 m from the wall's cells: less than the radius of the base.
    let p = path::plan(&map, (1.0, 0.25), (3.0, 2.0)).unwrap();
    let wall_distance = |(_, y): (f64, f64)| y - 0.1;
    assert!(p.points.iter().skip(1).all(|q| wall_distance(*q) > 0.25), "{p:?}");
    assert!(path::plan(&map, (1.0, 2.0), (1.0, 0.25)).is_none());
}

#[test]
fn a_gap_that_the_base_just_fits_through_is_passed_where_there_is_no_other_way() {
    // Three metres of wall at y = 1.5 m with an opening around x = 1.5 m, and another at the end.
    let through = |opening: u32, end: u32| {
        let wall: Vec<(u32, u32)> = (0..60 - end)
            .filter(|x| !(25..25 + opening).contains(x))
            .map(|x| (x, 30))
            .collect();
        let grid = OccupancyGrid {
            resolution_m: 0.05,
            ..grid(60, 60, &wall)
        };
        let map = NavMap::new(&grid, &SkillsConfig::default());
        let gap = (25..25 + opening).map(|x| map.index_of(0.05 * f64::from(x) + 0.02, 1.52).unwrap());
        assert!(gap.into_iter().all(|cell| !map.is_standable(cell)));
        path::plan(&map, (1.5, 0.5), (1.5, 2.5)).map(|path| path.length_m())
    };
    assert!(through(10, 0).is_some_and(|length_m| length_m < 2.2));
    assert!(
        through(10, 20).is_some_and(|length_m| length_m > 2.4),
        "the wider gap costs less"
    );
    assert!(through(8, 0).is_none());
}

#[test]
fn unknown_floor_is_not_driven_on() {
    let mut g = grid(40, 30, &[]);
    let cells: BTreeSet<usize> = (0..30).flat_map(|y| (18..22).map(move |x| y * 40 + x)).collect();
    let mut values = (*g.cells).clone();
    for c in cells {
        values[c] = -1;
    }
    g.cells = Arc::new(values);
    let map = NavMap::new(&g, &SkillsConfig::default());
    assert!(path::plan(&map, (0.5, 1.5), (3.5, 1.5)).is_none());
}

#[test]
fn a_robot_with_another_arm_is_refused() {
    let urdf = include_str!("../../../sim/assets/steward.urdf").replace(
        "<axis xyz=\"0 1 0\"/><limit lower=\"-1.65\"",
        "<axis xyz=\"0 0 1\"/><limit lower=\"-1.65\"",
    );
    assert!(Robot::from_urdf(&urdf).is_err());
    assert!(Robot::from_urdf("<robot").is_err());
}

#[test]
fn bad_settings_are_refused() {
    let config = SkillsConfig {
        max_speed_m_s: f64::NAN,
        ..SkillsConfig::default()
    };
    assert!(
        config
            .validate()
            .unwrap_err()
            .to_string()
            .contains("max_speed_m_s")
    );
}
