use std::f64::consts::{FRAC_PI_2, PI};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Header;
use crate::geometry::{OrientedBox, Point3, Pose3, Rotation3, Vector3};
use crate::ids::ObjectId;
use crate::time::Time;

/// Everything remembered about objects and how they relate (`steward_msgs/SceneGraph`). Frame: `map`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SceneGraph {
    /// Stamp of the newest observation in it; frame `map`.
    pub header: Header,
    /// Objects by ascending id.
    pub objects: Vec<SceneObject>,
    /// Relations, sorted.
    pub relations: Vec<Relation>,
}

/// One remembered thing: a small object, a piece of furniture, or a part that opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneObject {
    /// Stable over the run.
    pub id: ObjectId,
    /// Class in lower case with underscores: `mug`, `fridge`, `fridge_door`.
    pub class: String,
    /// Where it is and how large, frame `map`.
    pub shape: OrientedBox,
    /// Whether it is where memory says.
    pub presence: Presence,
    /// How this is known.
    pub provenance: Provenance,
    /// Between 0 and 1.
    pub confidence: f64,
    /// First time it was seen.
    pub first_seen: Time,
    /// Last time it was seen.
    pub last_seen: Time,
    /// For parts that open (doors, drawers, lids): how they move and how far open they are.
    pub articulation: Option<ArticulationState>,
    /// Patches seen so far on which small things can stand, by ascending height. Empty for small objects.
    #[serde(default)]
    pub surfaces: Vec<SupportSurface>,
}

/// A horizontal rectangle on which things can stand, as estimated from upward-facing points. Frame: `map`.
///
/// Small things that stand on it are not cut out of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SupportSurface {
    /// Middle of the rectangle, z at the height of the surface, metres.
    pub center: Point3,
    /// Heading of the rectangle's x axis, radians.
    pub yaw_rad: f64,
    /// Half side length along the rectangle's x axis, metres.
    pub half_x_m: f64,
    /// Half side length along the rectangle's y axis, metres.
    pub half_y_m: f64,
    /// Free height above it as far as known, metres; at most [`SupportSurface::MAX_CLEARANCE_M`].
    pub clearance_m: f64,
}

impl SupportSurface {
    /// Clearance of a surface with nothing above it, metres.
    pub const MAX_CLEARANCE_M: f64 = 2.0;

    /// Height of the surface, metres.
    pub fn height_m(&self) -> f64 {
        self.center.z
    }

    /// Whether a point of the map lies above or below the rectangle grown by `margin_m`.
    pub fn covers(&self, x_m: f64, y_m: f64, margin_m: f64) -> bool {
        let (s, c) = self.yaw_rad.sin_cos();
        let (dx, dy) = (x_m - self.center.x, y_m - self.center.y);
        (c * dx + s * dy).abs() <= self.half_x_m + margin_m
            && (c * dy - s * dx).abs() <= self.half_y_m + margin_m
    }
}

/// Whether an object is where memory says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Seen there and not seen to be gone.
    Present,
    /// In the gripper.
    Held,
    /// It should have been visible there and was not.
    Missing,
}

/// How something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Measured.
    Observed,
    /// Concluded from an action or from common knowledge, not yet measured.
    Expected,
}

/// A part that opens, as estimated from what was seen of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArticulationState {
    /// The furniture it belongs to, once that is known.
    pub owner: Option<ObjectId>,
    /// Slides along `axis` instead of turning about it.
    pub prismatic: bool,
    /// A point on the axis when turning, frame `map`.
    pub pivot: Point3,
    /// Unit axis, frame `map`; positive motion opens.
    pub axis: Vector3,
    /// Middle of the handle, frame `map`, once seen.
    pub handle: Option<Point3>,
    /// Position of the joint, radians or metres; 0 is closed. `None`: not seen well enough to tell.
    pub position: Option<f64>,
    /// Position at which it counts as open enough to reach inside, radians or metres.
    pub open_at: f64,
}

impl ArticulationState {
    /// Whether it is open enough to reach inside; `None` where that is not known.
    pub fn is_open(&self) -> Option<bool> {
        self.position.map(|p| p >= self.open_at * 0.8)
    }

    /// Whether a hand still gets in; `None` where that is not known. Looser than [`Self::is_open`], which says
    /// when opening is done: what was opened that far is not shut because it is measured a little less open.
    pub fn lets_in(&self) -> Option<bool> {
        self.position.map(|p| p >= self.open_at * 0.6)
    }

    /// Whether it is closed; `None` where that is not known.
    pub fn is_closed(&self) -> Option<bool> {
        self.position.map(|p| p <= self.open_at * 0.15)
    }

    /// The motion of the part by an amount (radians or metres, positive opens) as a transform of points in `map`.
    pub fn moved(&self, amount: f64) -> Pose3 {
        let Some(axis) = nalgebra::Unit::try_new(self.axis, 1e-6) else {
            return Pose3::identity();
        };
        if self.prismatic {
            return Pose3::from_parts((axis.into_inner() * amount).into(), Rotation3::identity());
        }
        let turn = Rotation3::from_axis_angle(&axis, amount);
        let pivot: Vector3 = self.pivot.coords;
        Pose3::from_parts((pivot - turn * pivot).into(), turn)
    }

    /// Which way the opening of its furniture faces, the side from which the closed handle sticks out most: heading in `map`,
    /// radians. `None` while the handle is not known.
    pub fn opening_heading(&self, furniture: &OrientedBox) -> Option<f64> {
        let closed = self.moved(-self.position.unwrap_or(0.0)) * self.handle?;
        let local = furniture.pose().inverse_transform_point(&closed);
        let (ex, ey) = (local.x.abs() - furniture.half.x, local.y.abs() - furniture.half.y);
        let local_heading = if ex > ey {
            if local.x > 0.0 { 0.0 } else { PI }
        } else {
            FRAC_PI_2.copysign(local.y)
        };
        Some(furniture.yaw_rad + local_heading)
    }
}

/// A directed relation between two remembered objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// What relates.
    pub subject: ObjectId,
    /// How.
    pub kind: RelationKind,
    /// To what.
    pub object: ObjectId,
}

/// Kinds of relations computed from geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// Stands or lies on a surface of the object, such as a board of an open shelf, but not behind a door.
    On,
    /// Its centre is inside a cavity of the object.
    In,
    /// Within 0.5 m, surface to surface, and neither on nor in.
    Near,
}

impl RelationKind {
    /// Largest distance between the boxes of two things that are near each other, metres.
    pub const NEAR_M: f64 = 0.5;
}

impl fmt::Display for RelationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelationKind::On => "on",
            RelationKind::In => "in",
            RelationKind::Near => "near",
        })
    }
}

/// Something that changed in memory (`steward_msgs/SceneChange`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneChange {
    /// Stamp of the image that showed it; frame `map`.
    pub header: Header,
    /// To which object.
    pub object: ObjectId,
    /// Its class.
    pub class: String,
    /// What happened.
    pub kind: ChangeKind,
    /// Where the object is now, or was last.
    pub position: Point3,
}

/// What can happen to an object in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Seen for the first time.
    Appeared,
    /// Seen somewhere else than before.
    Moved,
    /// Expected visible and not seen.
    Vanished,
    /// Opened.
    Opened,
    /// Closed.
    Closed,
}
