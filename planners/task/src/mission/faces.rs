//! Going round furniture whose door, lid or drawer was seen from the side only: without its front nobody knows how it opens.

use steward_core::geometry::Point3;
use steward_core::messages::{NavigationTarget, Presence, SceneObject, Skill};

use super::views::{before_sides, facing};
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
        let half = o.shape.half;
        let at = o.shape.pose().inverse_transform_point(&part.shape.center);
        // How far the part is from each side.
        let off_m = [half.x - at.x, half.x + at.x, half.y - at.y, half.y + at.y];
        let sides = before_sides(&o.shape, BEFORE_SIDE_M).into_iter().zip(off_m);
        let places = sides.enumerate().filter_map(|(side, (before, off_m))| {
            let (place, cost) = ways.place_near((before.x, before.y), GAP_M)?;
            let is_new = !self.faced.contains(&(o.id, side));
            is_new.then_some((side, place, cost + SIDE_WEIGHT * off_m.max(0.0)))
        });
        let (side, (x, y), cost) = places.min_by(|a, b| a.2.total_cmp(&b.2))?;
        let go = Intended {
            skill: Skill::Navigate {
                to: NavigationTarget::Pose(facing(&Point3::new(x, y, 0.0), &o.shape.center)),
            },
            label: format!("go and see how {} opens", label(belief, o.id)),
            purpose: Purpose::Face(o.id, side),
        };
        Some((cost, vec![go]))
    }
}

/// A door, a lid or a drawer of furniture of which nobody knows yet how it moves, or where to take it.
fn half_seen_part<'a>(belief: &Belief<'a>, o: &SceneObject) -> Option<&'a SceneObject> {
    if !Belief::is_furniture(o) || o.presence != Presence::Present || is_named_part(&o.class, None) {
        return None;
    }
    belief.graph.objects.iter().find(|part| {
        is_named_part(&part.class, Some(&o.class))
            && has_unknown_handle(part)
            && part.presence == Presence::Present
            && o.shape.contains(&part.shape.center, BESIDE_M)
    })
}

/// What stands open needs no handle.
fn has_unknown_handle(part: &SceneObject) -> bool {
    let known = part.articulation.as_ref();
    known.is_none_or(|a| a.handle.is_none() && a.is_open() != Some(true))
}

/// Whether a class names a part that opens, of this class of furniture or of any.
fn is_named_part(class: &str, owner: Option<&str>) -> bool {
    let of_owner = |suffix: &str| {
        let owned_by = class.strip_suffix(suffix);
        owned_by.is_some_and(|named| owner.is_none_or(|owner| owner == named))
    };
    class == "drawer" || ["_door", "_lid", "_drawer"].into_iter().any(of_owner)
}
