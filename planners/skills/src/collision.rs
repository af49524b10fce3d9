//! Whether the arm touches anything: the shapes of its links against obstacle voxels and against the robot's body.

use steward_core::geometry::{Aabb, OrientedBox, Point3, Pose2, Pose3, Vector3};
use steward_core::messages::ObstacleCloud;
use steward_core::robot::Geometry;

use crate::robot::{GRIPPER, LIFT, Posture, Robot};

/// A shape of a moving link.
#[derive(Debug, Clone)]
struct Shape {
    link: usize,
    link_from_shape: Pose3,
    geometry: Geometry,
    /// Radius of a ball around it, metres.
    bound_m: f64,
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
    /// An obstacle, and where.
    Obstacle(Member, Point3),
    /// The robot's own base or mast.
    Body,
    /// The fingers would push over what they are to close on, or have let go of.
    Thing,
}

impl Contact {
    /// The same in the frame in which the base stands, for a contact in the frame of the base.
    pub(crate) fn seen_from(self, base: &Pose2) -> Self {
        match self {
            Contact::Obstacle(member, at) => Contact::Obstacle(member, base.to_pose3() * at),
            other => other,
        }
    }
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
                let bound_m = match shape.geometry {
                    Geometry::Box { half } => half.norm(),
                    Geometry::Cylinder {
                        radius_m,
                        half_length_m,
                    } => radius_m.hypot(half_length_m),
                    Geometry::Sphere { radius_m } => radius_m,
                };
                shapes.push(Shape {
                    link,
                    link_from_shape: shape.link_from_shape,
                    geometry: shape.geometry.clone(),
                    bound_m,
                    hand: wrist[link],
                });
            }
        }
        ArmShapes { shapes }
    }
}

/// Obstacles near the arm, in the base frame.
#[derive(Debug, Clone)]
pub struct Obstacles {
    points: Vec<Point3>,
    half_voxel_m: f64,
    /// What counts of half a voxel, and the margin, metres.
    inflation_m: f64,
    /// What the hand may come close to.
    support: Option<Support>,
}

/// A support that the hand may come close to: known to be flat, so its voxels need not be kept clear of.
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
}

/// How much of a voxel counts as filled by what was seen in it.
const FILLED: f64 = 0.7;
/// How far from the base obstacles matter, metres.
const RANGE_M: f64 = 1.6;
/// Voxels up to this far above a support belong to it, metres.
const SUPPORT_SLACK_M: f64 = 0.04;
/// Voxels further below a support are sides and fronts, which stop a hand as well as anything, metres.
const SUPPORT_DEPTH_M: f64 = 0.08;

impl Obstacles {
    /// The voxels around a base pose, less those within `ignored` boxes (frame `map`) and, for the hand only, those
    /// of a support.
    pub fn near(
        cloud: Option<&ObstacleCloud>,
        base: &Pose2,
        ignored: &[OrientedBox],
        support: Option<Support>,
        margin_m: f64,
    ) -> Self {
        let Some(cloud) = cloud else {
            return Obstacles {
                points: Vec::new(),
                half_voxel_m: 0.0,
                inflation_m: 0.0,
                support: None,
            };
        };
        let base_from_map = base.to_pose3().inverse();
        let half_voxel = cloud.voxel_m * 0.5;
        let regions: Vec<(Pose3, OrientedBox)> = ignored.iter().map(|b| (b.pose().inverse(), *b)).collect();
        let points = cloud
            .points
            .iter()
            .filter(|p| {
                let (dx, dy) = (p.x - base.x_m, p.y - base.y_m);
                dx * dx + dy * dy <= RANGE_M * RANGE_M
            })
            .filter(|p| {
                regions.iter().all(|(box_from_map, b)| {
                    let q = box_from_map.transform_point(p);
                    (0..3).any(|i| q[i].abs() > b.half[i] + half_voxel)
                })
            })
            .map(|p| base_from_map.transform_point(p))
            // The arm only ever is ahead of the base.
            .filter(|p| p.x > -0.3 && p.y.abs() < 0.6)
            .collect();
        Obstacles {
            points,
            half_voxel_m: half_voxel,
            inflation_m: half_voxel * FILLED + margin_m,
            support: support.map(|s| Support {
                center: base_from_map.transform_point(&s.center),
                ..s
            }),
        }
    }

    /// The same obstacles with another margin.
    pub fn with_margin(&self, margin_m: f64) -> Self {
        Obstacles {
            inflation_m: self.half_voxel_m * FILLED + margin_m,
            ..self.clone()
        }
    }

    /// The obstacles as the base sees them after turning left by an angle.
    pub fn turned(&self, angle_rad: f64) -> Self {
        let turn = Pose3::rotation(Vector3::z() * -angle_rad);
        Obstacles {
            points: self.points.iter().map(|p| turn * p).collect(),
            support: self.support.map(|s| Support {
                center: turn * s.center,
                ..s
            }),
            ..*self
        }
    }

    /// What the arm in a posture touches of obstacles and the robot's body, frame of the base.
    pub fn hit(
        &self,
        robot: &Robot,
        arm: &ArmShapes,
        posture: &Posture,
        gripper: f64,
        payload: Option<&Payload>,
    ) -> Option<Contact> {
        let mut joints = posture.joints(gripper);
        joints.insert(GRIPPER.to_owned(), gripper);
        let poses = robot.model().forward(&joints);
        let touched = arm.shapes.iter().find_map(|shape| {
            let base_from_shape = poses[shape.link] * shape.link_from_shape;
            let at = self.touch(&base_from_shape, &shape.geometry, shape.bound_m, shape.hand)?;
            let member = if shape.hand { Member::Hand } else { Member::Arm };
            Some(Contact::Obstacle(member, at))
        });
        if touched.is_some() {
            return touched;
        }
        let grasp = robot.grasp_center(posture);
        let mut hand = vec![
            grasp * Point3::new(robot.tip_m, 0.0, 0.0),
            grasp * Point3::new(-robot.palm_m, 0.07, 0.0),
            grasp * Point3::new(-robot.palm_m, -0.07, 0.0),
        ];
        if let Some(payload) = payload {
            let base_from_box = grasp * payload.hand_from_box;
            let geometry = Geometry::Box { half: payload.half };
            if let Some(at) = self.touch(&base_from_box, &geometry, payload.half.norm(), true) {
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

    fn touch(
        &self,
        base_from_shape: &Pose3,
        geometry: &Geometry,
        bound_m: f64,
        hand: bool,
    ) -> Option<Point3> {
        let center = base_from_shape.translation.vector;
        let reach = bound_m + self.inflation_m;
        let shape_from_base = base_from_shape.inverse();
        let is_touched = |p: &&Point3| {
            (p.coords - center).norm_squared() <= reach * reach
                && !(hand && self.is_support(p))
                && distance_m(&shape_from_base.transform_point(p), geometry) < self.inflation_m
        };
        self.points.iter().find(is_touched).copied()
    }

    fn is_support(&self, p: &Point3) -> bool {
        self.support.is_some_and(|s| {
            (-SUPPORT_DEPTH_M..=SUPPORT_SLACK_M).contains(&(p.z - s.height_m))
                && (p.x - s.center.x).hypot(p.y - s.center.y) <= s.radius_m
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
            .map(|i| (b[i] - a[i]).abs() / if i < 2 { 0.05 } else { 0.25 })
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
