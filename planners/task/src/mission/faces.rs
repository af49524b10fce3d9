//! Going round furniture whose door, lid or drawer was seen from the side only: without its front nobody knows how it opens.

use steward_core::geometry::{Point3, Pose2};
use steward_core::messages::{NavigationTarget, Presence, SceneObject, Skill};

use super::ways::Ways;
use super::{Intended, Mission, Purpose, label};
use crate::belief::Belief;

/// Distance from a side at which one stands to look at it, metres, and how far from there the base may have to stay.
const BEFORE_SIDE_M: f64 = 0.9;
const GAP_M: f64 = 0.5;
/// A part of furniture lies at most this far outside of what was seen of it, metres.
const BESIDE_M: f64 = 0.15;
/// What a metre between a side and the part is worth, metres of driving.
const SIDE_WEIGHT: f64 = 20.0;

impl Mission {
    /// The way to the side of furniture that most likely shows how it opens, and what it is worth to go there rather than
    /// elsewhere, less for a better one; `None` where how it opens is known or every side was looked at.
    pub(super) fn to_its_front(
        &self,
        belief: &Belief<'_>,
        ways: &Ways<'_>,
        o: &SceneObject,
    ) -> Option<(f64, Vec<Intended>)> {
        let part = half_seen_part(belief, o)?;
        let (pose, half) = (o.shape.pose(), o.shape.half);
        let (x, y) = (half.x + BEFORE_SIDE_M, half.y + BEFORE_SIDE_M);
        let at = pose.inverse_transform_point(&part.shape.center);
        // How far the part is from each side.
        let sides = [
            ((x, 0.0), half.x - at.x),
            ((-x, 0.0), half.x + at.x),
            ((0.0, y), half.y - at.y),
            ((0.0, -y), half.y + at.y),
        ];
        let places = sides.iter().enumerate().filter_map(|(side, &((x, y), off_m))| {
            let before = pose * Point3::new(x, y, 0.0);
            let (place, cost) = ways.place_near((before.x, before.y), GAP_M)?;
            let is_new = !self.faced.contains(&(o.id, side));
            is_new.then_some((side, place, cost + SIDE_WEIGHT * off_m.max(0.0)))
        });
        let (side, (x, y), cost) = places.min_by(|a, b| a.2.total_cmp(&b.2))?;
        let yaw_rad = (o.shape.center.y - y).atan2(o.shape.center.x - x);
        let go = Intended {
            skill: Skill::Navigate {
                to: NavigationTarget::Pose(Pose2::new(x, y, yaw_rad)),
            },
            label: format!("go and see how {} opens", label(belief, o.id)),
            purpose: Purpose::Face(o.id, side),
        };
        Some((cost, vec![go]))
    }
}

/// A door, a lid or a drawer of furniture of which nobody knows yet how it moves.
fn half_seen_part<'a>(belief: &Belief<'a>, o: &SceneObject) -> Option<&'a SceneObject> {
    if !Belief::is_furniture(o) || o.presence != Presence::Present || is_named_part(&o.class, None) {
        return None;
    }
    belief.graph.objects.iter().find(|part| {
        is_named_part(&part.class, Some(&o.class))
            && part.articulation.is_none()
            && part.presence == Presence::Present
            && o.shape.contains(&part.shape.center, BESIDE_M)
    })
}

/// Whether a class names a part that opens, of this class of furniture or of any.
fn is_named_part(class: &str, owner: Option<&str>) -> bool {
    let of_owner = |suffix: &str| {
        let owned_by = class.strip_suffix(suffix);
        owned_by.is_some_and(|named| owner.is_none_or(|owner| owner == named))
    };
    class == "drawer" || ["_door", "_lid", "_drawer"].into_iter().any(of_owner)
}
