//! Whether the arm touches anything: the shapes of its links against obstacle voxels and against the robot's body.

use steward_core::geometry::{Aabb, OrientedBox, Point3, Pose2, Pose3, Vector3};
use steward_core::robot::Geometry;

use crate::robot::{LIFT, Posture, Robot};
use crate::voxels::Voxels;

/// A shape of a moving link.
#[derive(Debug, Clone)]
struct Shape {
    link: usize,
    link_from_shape: Pose3,
    geometry: Geometry,
    /// Palm, fingers and wrist rather than the arm's tubes.
    hand: bool,
}

/// The arm's shapes.
#[derive(Debug, Clone)]
pub struct ArmShapes {
    shapes: Vec<Shape>,
}

/// What is in the hand: a box around the grasp centre that moves with the hand, or nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payload {
    /// `grasp_center_from_box`.
    pub hand_from_box: Pose3,
    /// Half side lengths, metres.
    pub half: Vector3,
}

/// What of the robot meets something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The tubes of the arm and what carries them.
    Arm,
    /// Wrist, palm and fingers.
    Hand,
    /// What the hand holds.
    Payload,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Member::Arm => "the arm",
            Member::Hand => "the hand",
            Member::Payload => "what is held",
        })
    }
}

/// Something that a posture or a motion would touch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contact {
    /// An obstacle, and where, frame `map`.
    Obstacle(Member, Point3),
    /// The robot's own base or mast.
    Body,
    /// The fingers would push over what they are to close on, or have let go of.
    Thing,
}

impl ArmShapes {
    /// The shapes of everything that the lift carries.
    pub fn new(robot: &Robot) -> Self {
        let model = robot.model();
        let mut moving = vec![false; model.links().len()];
        let mut wrist = vec![false; model.links().len()];
        // Parents may come after children in the joint list, so repeat until nothing changes.
        for _ in 0..model.joints().len() {
            for joint in model.joints() {
                moving[joint.child] |= joint.name == LIFT || moving[joint.parent];
                wrist[joint.child] |= joint.name == crate::robot::WRIST_YAW || wrist[joint.parent];
            }
        }
        let mut shapes = Vec::new();
        for (link, l) in model.links().iter().enumerate().filter(|(i, _)| moving[*i]) {
            for shape in &l.collisions {
                shapes.push(Shape {
                    link,
                    link_from_shape: shape.link_from_shape,
                    geometry: shape.geometry.clone(),
                    hand: wrist[link],
                });
            }
        }
        ArmShapes { shapes }
    }
}

/// Obstacles around an arm whose base stands somewhere.
#[derive(Debug, Clone)]
pub struct Obstacles<'a> {
    voxels: Option<&'a Voxels>,
    /// `map_from_base`.
    base: Pose2,
    /// Where voxels do not count: `box_from_map` and the box.
    ignored: Vec<(Pose3, OrientedBox)>,
    /// What the hand may come close to.
    support: Option<Support>,
    margin_m: f64,
}

/// A support that the hand may come close to: known to be flat, so its voxels count up to its height and no further.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Support {
    /// Middle of the region, frame `map`.
    pub center: Point3,
    /// Radius of the region, metres.
    pub radius_m: f64,
    /// Height of the support, metres.
    pub height_m: f64,
}

impl Support {
    /// The support at a height below a thing.
    pub fn around(thing: &Point3, height_m: f64) -> Self {
        Support {
            center: *thing,
            radius_m: 0.3,
            height_m,
        }
    }

    /// A voxel, lowered if it belongs to the support and reaches over it once it is inflated.
    fn bounded(&self, p: &Point3, inflation_m: f64) -> Point3 {
        let belongs = p.z - self.height_m < SUPPORT_SLACK_M
            && (p.xy() - self.center.xy()).norm_squared() <= self.radius_m * self.radius_m;
        let top_m = self.height_m - SUPPORT_ERROR_M - inflation_m;
        Point3::new(p.x, p.y, if belongs { p.z.min(top_m) } else { p.z })
    }
}

/// How much of a voxel counts as filled by what was seen in it.
const FILLED: f64 = 0.7;
/// Voxels up to this far above a support belong to it, metres.
const SUPPORT_SLACK_M: f64 = 0.03;
/// How far below its measured height a support may be, metres.
const SUPPORT_ERROR_M: f64 = 0.01;

impl<'a> Obstacles<'a> {
    /// The voxels around a base, less those within `ignored` boxes (frame `map`). For the hand, those of a support end at
    /// its height.
    pub fn around(
        base: &Pose2,
        voxels: Option<&'a Voxels>,
        ignored: &[OrientedBox],
        support: Option<Support>,
        margin_m: f64,
    ) -> Self {
        Obstacles {
            voxels,
            base: *base,
            ignored: ignored.iter().map(|b| (b.pose().inverse(), *b)).collect(),
            support,
            margin_m,
        }
    }

    /// The same obstacles with another margin.
    pub fn with_margin(&self, margin_m: f64) -> Self {
        Obstacles {
            margin_m,
            ..self.clone()
        }
    }

    /// The same obstacles for a base that faces elsewhere.
    pub fn facing(&self, yaw_rad: f64) -> Self {
        Obstacles {
            base: Pose2 { yaw_rad, ..self.base },
            ..self.clone()
        }
    }

    /// What the arm in a posture touches of obstacles and the robot's body.
    pub fn hit(
        &self,
        robot: &Robot,
        arm: &ArmShapes,
        posture: &Posture,
        gripper: f64,
        payload: Option<&Payload>,
    ) -> Option<Contact> {
        let poses = robot.links(posture, gripper);
        let map_from_base = self.base.to_pose3();
        let touched = arm.shapes.iter().find_map(|shape| {
            let map_from_shape = map_from_base * poses[shape.link] * shape.link_from_shape;
            let at = self.touch(&map_from_shape, &shape.geometry, shape.hand)?;
            let member = if shape.hand { Member::Hand } else { Member::Arm };
            Some(Contact::Obstacle(member, at))
        });
        if touched.is_some() {
            return touched;
        }
        let grasp = robot.grasp_center_of(&poses);
        let mut hand = vec![
            grasp * Point3::new(robot.tip_m, 0.0, 0.0),
            grasp * Point3::new(-robot.palm_m, 0.07, 0.0),
            grasp * Point3::new(-robot.palm_m, -0.07, 0.0),
        ];
        if let Some(payload) = payload {
            let base_from_box = grasp * payload.hand_from_box;
            let geometry = Geometry::Box { half: payload.half };
            if let Some(at) = self.touch(&(map_from_base * base_from_box), &geometry, true) {
                return Some(Contact::Obstacle(Member::Payload, at));
            }
            for i in 0..8 {
                let sign = |bit: u32| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
                let corner = Vector3::new(sign(0), sign(1), sign(2)).component_mul(&payload.half);
                hand.push(base_from_box * Point3::from(corner));
            }
        }
        let body = [
            // Base and mast.
            Aabb {
                min: Point3::new(-0.2, -0.16, 0.0),
                max: Point3::new(0.17, 0.16, 0.16),
            },
            Aabb {
                min: Point3::new(-0.2, -0.06, 0.1),
                max: Point3::new(-0.12, 0.06, 1.7),
            },
        ];
        let is_in_body = hand.iter().any(|p| body.iter().any(|b| b.contains(p)));
        is_in_body.then_some(Contact::Body)
    }

    /// A voxel that a shape touches.
    fn touch(&self, map_from_shape: &Pose3, geometry: &Geometry, hand: bool) -> Option<Point3> {
        let voxels = self.voxels?;
        let inflation_m = 0.5 * voxels.side_m() * FILLED + self.margin_m;
        let support = self.support.filter(|_| hand);
        let mut bounds = Aabb::around(map_from_shape, &geometry.half()).inflated(inflation_m.max(0.0));
        // The voxels of a support are taken for lower than they are.
        bounds.max.z += support.map_or(0.0, |_| SUPPORT_SLACK_M + SUPPORT_ERROR_M + inflation_m.max(0.0));
        let shape_from_map = map_from_shape.inverse();
        let is_touched = |p: &&Point3| {
            let seen = support.map_or(**p, |s| s.bounded(p, inflation_m));
            distance_m(&shape_from_map.transform_point(&seen), geometry) < inflation_m && !self.is_ignored(p)
        };
        voxels.around(&bounds).find(is_touched).copied()
    }

    fn is_ignored(&self, p: &Point3) -> bool {
        let half_voxel_m = self.voxels.map_or(0.0, |v| 0.5 * v.side_m());
        self.ignored.iter().any(|(box_from_map, b)| {
            let q = box_from_map.transform_point(p);
            (0..3).all(|i| q[i].abs() <= b.half[i] + half_voxel_m)
        })
    }

    /// What a straight motion in joint space, checked every few centimetres, touches first.
    pub fn hit_between(
        &self,
        robot: &Robot,
        arm: &ArmShapes,
        from: &Posture,
        to: &Posture,
        gripper: f64,
        payload: Option<&Payload>,
    ) -> Option<Contact> {
        let (a, b) = (from.to_array(), to.to_array());
        let steps = (0..5)
            .map(|i| (b[i] - a[i]).abs() / if i < 2 { 0.03 } else { 0.12 })
            .fold(1.0, f64::max)
            .ceil() as usize;
        (1..=steps).find_map(|i| {
            let posture = from.toward(*to, i as f64 / steps as f64);
            self.hit(robot, arm, &posture, gripper, payload)
        })
    }
}

/// Signed distance of a point (shape frame) to a shape, metres; a lower bound inside.
fn distance_m(p: &Point3, geometry: &Geometry) -> f64 {
    match geometry {
        Geometry::Box { half } => {
            let d = p.coords.abs() - half;
            d.sup(&Vector3::zeros()).norm() + d.max().min(0.0)
        }
        Geometry::Cylinder {
            radius_m,
            half_length_m,
        } => {
            let d = (p.x.hypot(p.y) - radius_m, p.z.abs() - half_length_m);
            d.0.max(0.0).hypot(d.1.max(0.0)) + d.0.max(d.1).min(0.0)
        }
        Geometry::Sphere { radius_m } => p.coords.norm() - radius_m,
    }
}
