//! How doors, drawers and lids move.

use std::f64::consts::FRAC_PI_2;

use nalgebra as na;
use steward_core::geometry::{Point3, Rotation3, Vector3};
use steward_core::messages::ArticulationState;

use crate::ik::HandPose;

/// Whether a part turns about the vertical, as a door does and a lid does not.
pub(crate) fn turns_upright(part: &ArticulationState) -> bool {
    !part.prismatic && part.axis.z.abs() > 0.7
}

/// How the hand follows the handle of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HandlePath {
    part: ArticulationState,
    /// The handle with the part closed.
    closed_handle: Point3,
    /// Direction of the fingers with the part closed, before `offset_rad`.
    inward: Vector3,
    /// Direction of the bar with the part closed.
    bar: na::Unit<Vector3>,
    /// How much of the part's turning the hand follows, 0 to 1.
    follow: f64,
    /// Angle of the hand about the bar, against pointing straight at the closed part, radians.
    offset_rad: f64,
}

/// How far in front of the bar's middle the grasp centre is kept, metres, so that the finger tips stay off the part.
const BAR_STANDOFF_M: f64 = 0.006;

impl HandlePath {
    /// The way of a part's handle. `None` where the handle, the position or a usable axis is not known.
    pub fn new(part: &ArticulationState) -> Option<Self> {
        let handle = part.handle?;
        let position = part.position.unwrap_or(0.0);
        let closed_handle = part.moved(-position) * handle;
        let axis = na::Unit::try_new(part.axis, 1e-6)?.into_inner();
        let (inward, bar) = if part.prismatic {
            (-axis, Vector3::z().cross(&axis))
        } else {
            let from_pivot = closed_handle - part.pivot;
            let radial = from_pivot - axis * axis.dot(&from_pivot);
            let tangent = axis.cross(&radial).try_normalize(1e-6)?;
            let radial = radial.try_normalize(1e-6)?;
            // A door is pulled along the tangent. The handle of a lid moves up at first, but its bar is at the
            // front, where the hand comes from.
            let inward = if tangent.z.abs() > 0.7 { -radial } else { -tangent };
            (inward, axis)
        };
        Some(HandlePath {
            part: *part,
            closed_handle,
            inward: Vector3::new(inward.x, inward.y, 0.0).try_normalize(1e-6)?,
            bar: na::Unit::try_new(bar, 1e-6)?,
            follow: 1.0,
            offset_rad: 0.0,
        })
    }

    /// The same way with another use of the freedom that the hand has about the bar.
    pub fn with(self, follow: f64, offset_rad: f64) -> Self {
        HandlePath {
            follow,
            offset_rad,
            ..self
        }
    }

    /// Whether the bar lies level: a drawer's or a lid's, which can be taken from above as well.
    fn is_level(&self) -> bool {
        self.bar.z.abs() < 0.5
    }

    /// Angles of the hand about the bar, best first: straight onto it is the surest grasp.
    pub fn offsets(&self) -> Vec<f64> {
        if !self.is_level() {
            return vec![0.0, 0.3, -0.3, 0.55, -0.55];
        }
        // The turn about the bar that points the hand down.
        let down = -self.bar.cross(&self.inward).z.signum();
        [0.0, 0.3, 0.55, -0.3, FRAC_PI_2, 1.2, 0.9]
            .map(|o| down * o)
            .to_vec()
    }

    /// Shares of the part's turning that the hand follows, best first.
    pub fn follows(&self) -> &'static [f64] {
        match (self.part.prismatic, self.is_level()) {
            (true, _) => &[1.0],
            (false, true) => &[1.0, 0.75, 0.5, 0.25, 0.0],
            (false, false) => &[1.0, 0.75, 0.5, 0.25],
        }
    }

    /// Angle of the hand about the bar, radians.
    pub fn offset_rad(&self) -> f64 {
        self.offset_rad
    }

    /// Opening of the fingers on the way to the bar, metres: from above, one of them goes between bar and part.
    pub fn opening_m(&self) -> f64 {
        if self.is_level() && self.offset_rad.abs() > 0.7 {
            0.06
        } else {
            0.09
        }
    }

    /// The same way for a hand that took the bar with the part at a position: wherever it is then, it holds the bar.
    pub fn taken_at(self, hand: &Point3, position: f64) -> Self {
        let fingers = self.hand_at(position).fingers.into_inner();
        HandlePath {
            closed_handle: self.part.moved(-position) * (hand + fingers * BAR_STANDOFF_M),
            ..self
        }
    }

    /// The handle with the part at a position.
    pub fn handle_at(&self, position: f64) -> Point3 {
        self.part.moved(position) * self.closed_handle
    }

    /// The part's hinge, for parts that turn about the vertical.
    pub fn upright_pivot(&self) -> Option<Point3> {
        turns_upright(&self.part).then_some(self.part.pivot)
    }

    /// The hand on the handle with the part at a position.
    pub fn hand_at(&self, position: f64) -> HandPose {
        let turned = if self.part.prismatic { 0.0 } else { position };
        let axis = na::Unit::new_normalize(self.part.axis);
        let with_part = Rotation3::from_axis_angle(&axis, turned * self.follow);
        let about_bar = Rotation3::from_axis_angle(&self.bar, self.offset_rad);
        let fingers = na::Unit::new_normalize(with_part * about_bar * self.inward);
        let bar = with_part * self.bar;
        let closing = na::Unit::new_normalize(bar.cross(&fingers));
        HandPose {
            position: self.handle_at(position) - fingers.into_inner() * BAR_STANDOFF_M,
            fingers,
            closing,
        }
    }
}
