//! The robot's kinematics, read from its URDF.

use std::collections::BTreeMap;

use nalgebra as na;

use crate::geometry::{Pose3, Rotation3, Vector3};
use crate::{Error, Result};

/// A kinematic tree: links joined by joints, the first link being the root.
#[derive(Debug, Clone, PartialEq)]
pub struct KinematicModel {
    name: String,
    links: Vec<Link>,
    joints: Vec<Joint>,
    /// Indices into `joints`, parents before children.
    order: Vec<usize>,
}

/// A rigid part of the robot.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Name, also the name of its frame.
    pub name: String,
    /// Mass in kilograms, 0 where the URDF states none.
    pub mass_kg: f64,
    /// What it looks like.
    pub visuals: Vec<LinkShape>,
    /// What it collides with.
    pub collisions: Vec<LinkShape>,
}

/// A shape rigidly attached to a link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkShape {
    /// Pose of the shape's centre in the link's frame.
    pub link_from_shape: Pose3,
    /// The shape.
    pub geometry: Geometry,
    /// Linear red, green, blue, alpha; grey where the URDF states none.
    pub rgba: [f64; 4],
}

/// The shapes a link may have.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// A box, half side lengths in metres.
    Box {
        /// Half side lengths, metres.
        half: Vector3,
    },
    /// A cylinder along z.
    Cylinder {
        /// Radius, metres.
        radius_m: f64,
        /// Half of its length, metres.
        half_length_m: f64,
    },
    /// A ball.
    Sphere {
        /// Radius, metres.
        radius_m: f64,
    },
}

impl Geometry {
    /// Half side lengths of the box around it, metres.
    pub fn half(&self) -> Vector3 {
        match *self {
            Geometry::Box { half } => half,
            Geometry::Cylinder {
                radius_m,
                half_length_m,
            } => Vector3::new(radius_m, radius_m, half_length_m),
            Geometry::Sphere { radius_m } => Vector3::repeat(radius_m),
        }
    }
}

/// How a joint moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointKind {
    /// Not at all.
    Fixed,
    /// About its axis, radians.
    Revolute,
    /// Along its axis, metres.
    Prismatic,
}

/// A joint between two links.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Name.
    pub name: String,
    /// How it moves.
    pub kind: JointKind,
    /// Index of the parent link.
    pub parent: usize,
    /// Index of the child link.
    pub child: usize,
    /// Pose of the joint at position zero in the parent link's frame.
    pub parent_from_joint: Pose3,
    /// Unit axis in the joint's frame.
    pub axis: na::Unit<Vector3>,
    /// Smallest position, radians or metres.
    pub lower: f64,
    /// Largest position, radians or metres.
    pub upper: f64,
    /// Largest speed, radians or metres per second.
    pub max_velocity: f64,
    /// Position is `multiplier * position(of other joint) + offset`.
    pub mimic: Option<Mimic>,
}

/// A joint that follows another.
#[derive(Debug, Clone, PartialEq)]
pub struct Mimic {
    /// Index of the joint that is followed.
    pub joint: usize,
    /// Factor.
    pub multiplier: f64,
    /// Offset, radians or metres.
    pub offset: f64,
}

/// Positions of joints by name; joints that are absent are at zero (clamped to their limits).
pub type JointPositions = BTreeMap<String, f64>;

impl KinematicModel {
    /// Reads a URDF.
    ///
    /// # Errors
    /// [`Error::BadUrdf`] for malformed XML, a graph that is not a tree, a geometry that is not a primitive, or
    /// a joint type other than fixed, revolute, continuous and prismatic.
    pub fn from_urdf(urdf: &str) -> Result<Self> {
        let robot = urdf_rs::read_from_string(urdf).map_err(|e| Error::BadUrdf(e.to_string()))?;
        let bad = |text: String| Error::BadUrdf(text);
        let links = robot.links.iter().map(read_link).collect::<Result<Vec<_>>>()?;
        let link_index = |name: &str| {
            links
                .iter()
                .position(|l| l.name == name)
                .ok_or_else(|| bad(format!("no link named `{name}`")))
        };
        let joint_index = |name: &str| {
            robot
                .joints
                .iter()
                .position(|j| j.name == name)
                .ok_or_else(|| bad(format!("no joint named `{name}`")))
        };
        let joints = robot
            .joints
            .iter()
            .map(|j| {
                let continuous = matches!(j.joint_type, urdf_rs::JointType::Continuous);
                let kind = match j.joint_type {
                    urdf_rs::JointType::Fixed => JointKind::Fixed,
                    urdf_rs::JointType::Revolute | urdf_rs::JointType::Continuous => JointKind::Revolute,
                    urdf_rs::JointType::Prismatic => JointKind::Prismatic,
                    ref other => {
                        return Err(bad(format!("joint `{}` has unsupported type {other:?}", j.name)));
                    }
                };
                let axis = Vector3::from(j.axis.xyz.0);
                let axis = na::Unit::try_new(axis, 1e-9)
                    .ok_or_else(|| bad(format!("joint `{}` has a zero axis", j.name)))?;
                let (lower, upper) = if continuous {
                    (f64::NEG_INFINITY, f64::INFINITY)
                } else {
                    (j.limit.lower, j.limit.upper)
                };
                if lower > upper {
                    return Err(bad(format!(
                        "joint `{}` has lower limit {lower} > {upper}",
                        j.name
                    )));
                }
                let mimic = match &j.mimic {
                    None => None,
                    Some(m) => Some(Mimic {
                        joint: joint_index(&m.joint)?,
                        multiplier: m.multiplier.unwrap_or(1.0),
                        offset: m.offset.unwrap_or(0.0),
                    }),
                };
                Ok(Joint {
                    name: j.name.clone(),
                    kind,
                    parent: link_index(&j.parent.link)?,
                    child: link_index(&j.child.link)?,
                    parent_from_joint: read_pose(&j.origin),
                    axis,
                    lower,
                    upper,
                    max_velocity: j.limit.velocity,
                    mimic,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        for joint in &joints {
            if joint
                .mimic
                .as_ref()
                .is_some_and(|m| joints[m.joint].mimic.is_some())
            {
                return Err(bad(format!(
                    "joint `{}` follows a joint that itself follows another",
                    joint.name
                )));
            }
        }
        let order = tree_order(&links, &joints)?;
        Ok(KinematicModel {
            name: robot.name,
            links,
            joints,
            order,
        })
    }

    /// The robot's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All links.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// All joints.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// The joints that a controller can command: neither fixed nor following another.
    pub fn actuated(&self) -> impl Iterator<Item = &Joint> {
        self.joints
            .iter()
            .filter(|j| j.kind != JointKind::Fixed && j.mimic.is_none())
    }

    /// A joint by name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn joint(&self, name: &str) -> Result<&Joint> {
        self.joints
            .iter()
            .find(|j| j.name == name)
            .ok_or_else(|| Error::UnknownName {
                kind: "joint",
                name: name.into(),
                known: join(self.joints.iter().map(|j| &j.name)),
            })
    }

    /// Index of a link by name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn link_index(&self, name: &str) -> Result<usize> {
        self.links
            .iter()
            .position(|l| l.name == name)
            .ok_or_else(|| Error::UnknownName {
                kind: "link",
                name: name.into(),
                known: join(self.links.iter().map(|l| &l.name)),
            })
    }

    /// The root link's name.
    pub fn root(&self) -> &str {
        let root = self.order.first().map_or(0, |&j| self.joints[j].parent);
        &self.links[root].name
    }

    /// `root_from_link` for every link, in the order of [`KinematicModel::links`].
    pub fn forward(&self, positions: &JointPositions) -> Vec<Pose3> {
        self.forward_by(named(positions))
    }

    /// As [`forward`](KinematicModel::forward), with a position for each joint that follows no other.
    pub fn forward_by(&self, position: impl Fn(&Joint) -> f64) -> Vec<Pose3> {
        let mut poses = vec![Pose3::identity(); self.links.len()];
        for &j in &self.order {
            let joint = &self.joints[j];
            poses[joint.child] =
                poses[joint.parent] * joint.parent_from_child(self.followed(joint, &position));
        }
        poses
    }

    /// `root_from_link` for one link.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn link_pose(&self, link: &str, positions: &JointPositions) -> Result<Pose3> {
        let link = self.link_index(link)?;
        Ok(self.forward(positions)[link])
    }

    /// `parent_from_child` of one joint.
    pub fn parent_from_child(&self, joint: &Joint, positions: &JointPositions) -> Pose3 {
        joint.parent_from_child(self.position(joint, positions))
    }

    /// The position of a joint, following another where it mimics one.
    pub fn position(&self, joint: &Joint, positions: &JointPositions) -> f64 {
        self.followed(joint, &named(positions))
    }

    fn followed(&self, joint: &Joint, position: &impl Fn(&Joint) -> f64) -> f64 {
        match &joint.mimic {
            Some(m) => m.multiplier * self.followed(&self.joints[m.joint], position) + m.offset,
            None => position(joint).clamp(joint.lower, joint.upper),
        }
    }
}

impl Joint {
    fn parent_from_child(&self, q: f64) -> Pose3 {
        let motion = match self.kind {
            JointKind::Fixed => Pose3::identity(),
            JointKind::Revolute => Pose3::from_parts(
                na::Translation3::identity(),
                Rotation3::from_axis_angle(&self.axis, q),
            ),
            JointKind::Prismatic => Pose3::from_parts(
                na::Translation3::from(self.axis.into_inner() * q),
                Rotation3::identity(),
            ),
        };
        self.parent_from_joint * motion
    }
}

/// Positions by the joints' names, zero where there is none.
fn named(positions: &JointPositions) -> impl Fn(&Joint) -> f64 {
    |joint| positions.get(&joint.name).copied().unwrap_or(0.0)
}

fn join<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn read_pose(pose: &urdf_rs::Pose) -> Pose3 {
    let [x, y, z] = pose.xyz.0;
    let [roll, pitch, yaw] = pose.rpy.0;
    Pose3::from_parts(
        na::Translation3::new(x, y, z),
        Rotation3::from_euler_angles(roll, pitch, yaw),
    )
}

fn read_link(link: &urdf_rs::Link) -> Result<Link> {
    let shape = |origin: &urdf_rs::Pose, geometry: &urdf_rs::Geometry, rgba| {
        let geometry = match geometry {
            urdf_rs::Geometry::Box { size } => Geometry::Box {
                half: Vector3::from(size.0) * 0.5,
            },
            urdf_rs::Geometry::Cylinder { radius, length } => Geometry::Cylinder {
                radius_m: *radius,
                half_length_m: *length * 0.5,
            },
            urdf_rs::Geometry::Sphere { radius } => Geometry::Sphere { radius_m: *radius },
            other => {
                return Err(Error::BadUrdf(format!(
                    "link `{}` has geometry {other:?}; use box, cylinder or sphere",
                    link.name
                )));
            }
        };
        Ok(LinkShape {
            link_from_shape: read_pose(origin),
            geometry,
            rgba,
        })
    };
    let grey = [0.5, 0.5, 0.5, 1.0];
    let visuals = link
        .visual
        .iter()
        .map(|v| {
            let rgba = v
                .material
                .as_ref()
                .and_then(|m| m.color.as_ref())
                .map_or(grey, |c| c.rgba.0);
            shape(&v.origin, &v.geometry, rgba)
        })
        .collect::<Result<_>>()?;
    let collisions = link
        .collision
        .iter()
        .map(|c| shape(&c.origin, &c.geometry, grey))
        .collect::<Result<_>>()?;
    Ok(Link {
        name: link.name.clone(),
        mass_kg: link.inertial.mass.value,
        visuals,
        collisions,
    })
}

/// Joints sorted so that a parent comes before its children.
fn tree_order(links: &[Link], joints: &[Joint]) -> Result<Vec<usize>> {
    if links.is_empty() {
        return Err(Error::BadUrdf("it has no link".into()));
    }
    let mut parent_joint = vec![None; links.len()];
    for (i, j) in joints.iter().enumerate() {
        if parent_joint[j.child].replace(i).is_some() {
            return Err(Error::BadUrdf(format!(
                "link `{}` has two parents",
                links[j.child].name
            )));
        }
    }
    let roots: Vec<usize> = (0..links.len()).filter(|&l| parent_joint[l].is_none()).collect();
    let [root] = roots[..] else {
        return Err(Error::BadUrdf(format!(
            "it has {} root links, not one",
            roots.len()
        )));
    };
    let mut order = Vec::with_capacity(joints.len());
    let mut open = vec![root];
    while let Some(link) = open.pop() {
        for (i, j) in joints.iter().enumerate().filter(|(_, j)| j.parent == link) {
            order.push(i);
            open.push(j.child);
        }
    }
    if order.len() != joints.len() {
        return Err(Error::BadUrdf("some links form a loop".into()));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM: &str = r#"<robot name="arm">
      <link name="base"/><link name="mast"/><link name="slide"/><link name="finger"/>
      <joint name="turn" type="revolute"><parent link="base"/><child link="mast"/><origin xyz="0 0 1"/>
        <axis xyz="0 0 1"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>
      <joint name="extend" type="prismatic"><parent link="mast"/><child link="slide"/>
        <axis xyz="1 0 0"/><limit lower="0" upper="0.5" effort="1" velocity="1"/></joint>
      <joint name="follow" type="prismatic"><parent link="slide"/><child link="finger"/>
        <axis xyz="1 0 0"/><limit lower="0" upper="0.5" effort="1" velocity="1"/>
        <mimic joint="extend" multiplier="2"/></joint>
    </robot>"#;

    #[test]
    fn forward_kinematics_follow_limits_and_mimics() {
        let m = KinematicModel::from_urdf(ARM).unwrap();
        assert_eq!(m.root(), "base");
        assert_eq!(m.actuated().count(), 2);
        let q = JointPositions::from([
            ("turn".into(), std::f64::consts::FRAC_PI_2),
            ("extend".into(), 0.2),
        ]);
        let finger = m.link_pose("finger", &q).unwrap();
        assert!((finger.translation.vector - Vector3::new(0.0, 0.6, 1.0)).norm() < 1e-12);
        let q = JointPositions::from([("extend".into(), 9.0)]);
        assert!((m.link_pose("slide", &q).unwrap().translation.x - 0.5).abs() < 1e-12);
    }

    #[test]
    fn bad_descriptions_are_refused() {
        assert!(matches!(
            KinematicModel::from_urdf("<robot"),
            Err(Error::BadUrdf(_))
        ));
        let two_roots = r#"<robot name="r"><link name="a"/><link name="b"/></robot>"#;
        assert!(matches!(
            KinematicModel::from_urdf(two_roots),
            Err(Error::BadUrdf(_))
        ));
        let m = KinematicModel::from_urdf(ARM).unwrap();
        assert!(matches!(m.joint("elbow"), Err(Error::UnknownName { .. })));
    }
}
