//! Images of scenes whose every pixel is known.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Pose2, Pose3};

use super::bench::head_pose;
use super::fixture::{entity, home, plain, room};
use super::{PixelId, RenderOptions, Rendered, Renderer, RobotVisual, render_plan_view};
use crate::mesh::Mesh;
use crate::model::{EntityId, EntityKind, Home, Light, Material, Visual, WorldState};

const EVERYTHING: RenderOptions = RenderOptions {
    shadows: true,
    color: true,
    normals: true,
};

fn camera(width: u32, height: u32) -> CameraIntrinsics {
    CameraIntrinsics::from_horizontal_fov(width, height, 75f64.to_radians())
}

fn draw(home: &Home, camera: &CameraIntrinsics, world_from_camera: &Pose3) -> Rendered {
    Renderer::new(home).render(
        &WorldState::initial(home),
        &[],
        camera,
        world_from_camera,
        &EVERYTHING,
    )
}

/// A camera at the origin that looks along the world's +x, z up.
fn along_x() -> Pose3 {
    head_pose(Pose2::new(0.0, 0.0, 0.0))
        * Pose3::rotation(Vector3::x() * 0.35)
        * Pose3::translation(0.0, 1.35, 0.0)
}

fn slab(half: [f64; 3], at: [f64; 3]) -> crate::model::Entity {
    let mesh = Mesh::cuboid(Vector3::from(half));
    let pose = Pose3::translation(at[0], at[1], at[2]);
    entity("wall", EntityKind::Structure, mesh, pose, plain([0.5; 3]))
}

fn lamp(at: [f64; 3], shadows: bool) -> Light {
    Light {
        position: Vector3::from(at),
        intensity: [1.0; 3],
        range_m: 8.0,
        shadows,
    }
}

#[test]
fn the_test_camera_looks_along_x() {
    let p = along_x();
    assert!(p.translation.vector.norm() < 1e-12 && p.translation.vector.z.abs() < 1e-12);
    assert!((p.rotation * Vector3::z() - Vector3::x()).norm() < 1e-12);
    assert!((p.rotation * Vector3::x() + Vector3::y()).norm() < 1e-12);
}

/// Depth is measured along the optical axis (REP-118), so a wall across it has one depth everywhere, and a
/// floor at height -h seen in row v has depth f h / (v + 0.5 - c).
#[test]
fn planes_have_their_analytic_depth() {
    let c = camera(160, 120);
    let wall = home(vec![slab([0.1, 20.0, 20.0], [3.1, 0.0, 0.0])], vec![]);
    let image = draw(&wall, &c, &along_x());
    assert!(image.depth.data().iter().all(|z| (z - 3.0).abs() < 1e-5));

    let floor = home(vec![slab([50.0, 50.0, 0.5], [0.0, 0.0, -1.7])], vec![]);
    let image = draw(&floor, &c, &along_x());
    for row in 0..120u32 {
        let below = row as f64 + 0.5 - c.cy;
        for column in 0..160 {
            let z = *image.depth.get(column, row).unwrap() as f64;
            let expected = c.fy * 1.2 / below;
            if below < 0.0 || expected > 49.0 {
                assert!(below > -1.0 && expected > 49.0 || z.is_nan(), "row {row}: {z}");
            } else {
                assert!(
                    (z - expected).abs() < 2e-4 * expected,
                    "row {row}: {z}, not {expected}"
                );
            }
        }
    }
}

/// A square whose sides project to columns 20.3 and 40.5 and rows 10.5 and 30.6 covers the pixels whose centre
/// (index + 0.5) lies between.
#[test]
fn pixels_are_covered_where_their_centre_is() {
    let c = CameraIntrinsics {
        width: 64,
        height: 48,
        fx: 50.0,
        fy: 50.0,
        cx: 32.0,
        cy: 24.0,
    };
    let at = |column: f64, row: f64| [2.0, -(column - c.cx) / c.fx * 2.0, -(row - c.cy) / c.fy * 2.0];
    let (a, b) = (at(20.3, 10.45), at(40.45, 30.6));
    let mesh = Mesh {
        positions: [a, [2.0, a[1], b[2]], b, [2.0, b[1], a[2]]]
            .map(|p| p.map(|x| x as f32))
            .to_vec(),
        normals: vec![[-1.0, 0.0, 0.0]; 4],
        uvs: vec![[0.0; 2]; 4],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
    };
    let square = entity(
        "square",
        EntityKind::Structure,
        mesh,
        Pose3::identity(),
        plain([0.5; 3]),
    );
    let image = draw(&home(vec![square], vec![]), &c, &along_x());
    for row in 0..48 {
        for column in 0..64 {
            let seen = image.depth.get(column, row).unwrap().is_finite();
            let expected = (20..=39).contains(&column) && (10..=30).contains(&row);
            assert_eq!(seen, expected, "({column}, {row})");
        }
    }
}

#[test]
fn a_sphere_has_analytic_depth_and_normals() {
    let c = camera(160, 120);
    let (radius, distance) = (0.5, 2.0);
    let mesh = Mesh::sphere(radius, 128);
    let pose = Pose3::translation(distance, 0.0, 0.0);
    let ball = entity("ball", EntityKind::Furniture, mesh, pose, plain([0.5; 3]));
    let image = draw(&home(vec![ball], vec![]), &c, &along_x());
    let normals = image.normals.unwrap();
    let mut seen = 0;
    for row in 0..120 {
        for column in 0..160 {
            let ray = c.pixel_ray(column, row);
            // |z ray - (0, 0, distance)| = radius
            let (a, b) = (ray.norm_squared(), distance * ray.z);
            let inside = b * b - a * (distance * distance - radius * radius);
            let z = *image.depth.get(column, row).unwrap() as f64;
            if inside < 0.0 {
                assert!(z.is_nan());
            } else if inside > 0.05 {
                let expected = (b - inside.sqrt()) / a;
                assert!((z - expected).abs() < 2e-3, "{z}, not {expected}");
                let n = (ray * expected - Vector3::new(0.0, 0.0, distance)) / radius;
                let m = normals.get(column, row).unwrap().map(f64::from);
                assert!((Vector3::from(m) - n).norm() < 0.02, "{m:?}, not {n:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 1_000);
}

/// A lamp of intensity 2 shines straight down from 2 m on a floor, past a plate that hangs 1 m above the floor
/// and keeps its light from a square of twice the plate's size.
#[test]
fn shadows_fall_where_geometry_says() {
    // In the middle of the room, where the ambient light is the same everywhere.
    let floor = slab([3.0, 3.0, 0.5], [2.5, 2.0, -0.5]);
    let plate = slab([0.25, 0.25, 0.005], [2.5, 2.0, 1.0]);
    let mut light = lamp([2.5, 2.0, 2.0], true);
    light.intensity = [2.0; 3];
    let h = home(vec![floor, plate], vec![light]);
    let down = Pose3::from_parts(
        Translation3::new(2.5, 2.0, 0.95),
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI),
    );
    let c = CameraIntrinsics::from_horizontal_fov(200, 200, 90f64.to_radians());
    let lit = draw(&h, &c, &down);
    let brightness = |x: f64| {
        let column = (c.cx + x / 0.95 * c.fx) as u32;
        lit.color.get(column, 100).unwrap()[1]
    };
    let (dark, bright) = (brightness(0.0), brightness(0.6));
    assert!(bright > dark + 30, "{bright} and {dark}");
    for x in [-0.47, -0.3, 0.2, 0.47] {
        assert_eq!(brightness(x), dark, "at {x}");
    }
    for x in [-0.53, 0.53] {
        assert!(brightness(x).abs_diff(bright) < 8, "at {x}: {}", brightness(x));
    }
    let options = RenderOptions {
        shadows: false,
        ..EVERYTHING
    };
    let open = Renderer::new(&h).render(&WorldState::initial(&h), &[], &c, &down, &options);
    assert!(open.color.get(100, 100).unwrap()[1] > bright);
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let h = room();
    let render = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| draw(&h, &camera(203, 117), &head_pose(Pose2::new(0.4, 2.2, -0.1))))
    };
    let one = render(1);
    for threads in [2, 8] {
        let many = render(threads);
        assert_eq!(one.color, many.color);
        assert_eq!(one.ids, many.ids);
        assert_eq!(one.normals, many.normals);
        let bits =
            |z: &steward_core::image::DepthImage| z.data().iter().map(|z| z.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&one.depth), bits(&many.depth));
        assert_eq!(bits(&one.glass), bits(&many.glass));
    }
}

#[test]
fn earlier_images_leave_no_trace() {
    let h = room();
    let ball = h.entities.iter().position(|e| e.class == "ball").unwrap();
    let table = h.entities.iter().position(|e| e.class == "table").unwrap();
    let c = camera(160, 120);
    let eye = head_pose(Pose2::new(0.5, 2.0, -0.1));
    let start = WorldState::initial(&h);
    let mut elsewhere = start.clone();
    elsewhere.poses[ball] = Pose3::translation(2.0, 1.5, 0.3);
    let mut gone = elsewhere.clone();
    gone.present[table] = false;
    let fresh = |state: &WorldState| Renderer::new(&h).render(state, &[], &c, &eye, &EVERYTHING);
    let mut renderer = Renderer::new(&h);
    for state in [&start, &elsewhere, &gone, &start, &gone, &elsewhere] {
        let image = renderer.render(state, &[], &c, &eye, &EVERYTHING);
        let expected = fresh(state);
        assert!(image.color == expected.color, "colours differ");
        assert!(image.ids == expected.ids, "ids differ");
    }
    assert!(fresh(&start).color != fresh(&elsewhere).color);
}

#[test]
fn glass_is_seen_through_and_said_to_be_there() {
    let h = room();
    let image = draw(&h, &camera(320, 240), &head_pose(Pose2::new(1.8, 1.9, 0.0)));
    let id_of = |class: &str| {
        let i = h.entities.iter().position(|e| e.class == class).unwrap();
        PixelId::Entity(EntityId(i as u32)).encode()
    };
    let mut pane = 0;
    let mut tumbler = 0;
    for ((id, glass), z) in image
        .ids
        .data()
        .iter()
        .zip(image.glass.data())
        .zip(image.depth.data())
    {
        if glass.is_finite() && *id == 0 {
            assert!(z.is_nan(), "nothing is outside the window");
            pane += 1;
        }
        if *id == id_of("tumbler") {
            assert!(
                glass.is_finite() && (z.is_nan() || z > glass),
                "{glass} before {z}"
            );
            tumbler += 1;
        }
    }
    assert!(pane > 1_000 && tumbler > 50, "{pane} and {tumbler}");
    assert!(!image.ids.data().contains(&id_of("window")));
}

#[test]
fn handles_robots_and_additions_have_ids_of_their_own() {
    let mut fridge = slab([0.1, 0.3, 0.5], [2.0, 0.0, 0.0]);
    let mut handle = fridge.visuals[0].clone();
    handle.mesh = Mesh::cuboid(Vector3::new(0.02, 0.02, 0.1)).into();
    handle.pose = Pose3::translation(-0.2, 0.0, 0.0);
    handle.label = Some("handle".into());
    fridge.visuals.push(handle);
    let h = home(vec![fridge], vec![]);
    let mut renderer = Renderer::new(&h);
    let mut extra = slab([0.05, 0.05, 0.05], [1.0, 0.3, 0.0]);
    extra.id = EntityId(1);
    renderer.add_entity(&extra);
    renderer.set_robot(vec![RobotVisual {
        link: 2,
        visual: Visual {
            mesh: Mesh::cuboid(Vector3::new(0.02, 0.02, 0.02)).into(),
            material: Material {
                texture: None,
                tint: [0.3; 3],
                opacity: 1.0,
            },
            pose: Pose3::translation(0.0, -0.3, 0.0),
            label: None,
        },
    }]);
    let mut state = WorldState::initial(&h);
    state.poses.push(extra.pose);
    state.present.push(true);
    let links = [
        Pose3::identity(),
        Pose3::identity(),
        Pose3::translation(1.0, 0.0, 0.0),
    ];
    let image = renderer.render(&state, &links, &camera(160, 120), &along_x(), &EVERYTHING);
    let mut ids: Vec<PixelId> = image.ids.data().iter().map(|&n| PixelId::decode(n)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids,
        [
            PixelId::None,
            PixelId::Entity(EntityId(0)),
            PixelId::Entity(EntityId(1)),
            PixelId::Labelled {
                entity: EntityId(0),
                visual: 1
            },
            PixelId::Robot { link: 2 },
        ]
    );
}

/// Something large right around the camera crosses the near plane and the guard band on all sides.
#[test]
fn geometry_around_the_camera_is_clipped() {
    let h = home(
        vec![
            slab([40.0, 40.0, 0.002], [0.0, 0.0, -0.015]),
            slab([0.01, 40.0, 40.0], [30.0, 0.0, 0.0]),
        ],
        vec![],
    );
    let c = camera(160, 120);
    let image = draw(&h, &c, &along_x());
    for row in 0..120u32 {
        let below = row as f64 + 0.5 - c.cy;
        let expected = if below > 0.0 {
            (c.fy * 0.013 / below).min(29.99)
        } else {
            29.99
        };
        if expected < 0.0101 {
            continue;
        }
        for column in 0..160 {
            let z = *image.depth.get(column, row).unwrap() as f64;
            assert!(
                (z - expected).abs() < 2e-3 * expected,
                "({column}, {row}): {z}, not {expected}"
            );
        }
    }
}

#[test]
fn poses_and_cameras_that_make_no_sense_do_no_harm() {
    let h = room();
    let mut state = WorldState::initial(&h);
    state.poses[11].translation.x = f64::NAN;
    state.poses.truncate(13);
    let mut renderer = Renderer::new(&h);
    let c = camera(33, 17);
    for t in [f64::NAN, f64::INFINITY, 1e30] {
        let eye = Pose3::translation(t, 0.0, 1.0);
        let image = renderer.render(&state, &[], &c, &eye, &EVERYTHING);
        assert_eq!(image.depth.data().len(), 33 * 17);
    }
    let odd = CameraIntrinsics {
        width: 0,
        height: 0,
        fx: f64::NAN,
        ..c
    };
    renderer.render(&state, &[], &odd, &head_pose(h.robot_start), &EVERYTHING);
}

#[test]
fn the_plan_maps_points_of_the_floor_to_pixels() {
    let h = room();
    let mut plan = render_plan_view(&h, &WorldState::initial(&h), 40.0);
    assert_eq!((plan.image.width(), plan.image.height()), (232, 192));
    // The cup stands on the floor, is blue and has its top 9 cm up.
    let (u, v) = plan.world_to_pixel(&steward_core::geometry::Point3::new(2.6, 2.6, 0.09));
    assert!((u - 120.0).abs() < 1.0 && (v - 72.0).abs() < 1.0, "({u}, {v})");
    let [r, _, b] = *plan.image.get(u as u32, v as u32).unwrap();
    assert!(b > r + 40, "{r} {b}");
    let middle = steward_core::geometry::Point3::new(1.0, 1.0, 0.0);
    plan.draw_disc(&middle, 4.0, [255, 0, 0]);
    let (u, v) = plan.world_to_pixel(&middle);
    assert_eq!(plan.image.get(u as u32, v as u32), Some(&[255, 0, 0]));
}
