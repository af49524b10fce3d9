//! Which view shows which remembered thing.

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::{OrientedBox, Point3};
use steward_core::messages::Presence;

use super::MemoryConfig;
use super::entry::{Entry, Key};
use super::view::View;
use crate::articulation::PartKind;

/// Farthest from the line of sight to a view at which what is held may be what the view shows, metres.
const BESIDE_SIGHT_M: f64 = 0.08;

/// Pairs views with entries of their class, cheapest pair first, each at most once. Returns the pairs (index
/// of the view, key of the entry) and the indices of the views that show something new.
pub(crate) fn assign(
    views: &[View],
    entries: &BTreeMap<Key, Entry>,
    held: Option<Key>,
    config: &MemoryConfig,
) -> (Vec<(usize, Key)>, Vec<usize>) {
    let mut pairs: Vec<(f64, usize, Key)> = Vec::new();
    for (i, view) in views.iter().enumerate() {
        for (key, entry) in entries.iter().filter(|(_, e)| e.class == view.class) {
            if let Some(cost) = cost_of(view, entry, held == Some(*key), config) {
                pairs.push((cost, i, *key));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut taken: BTreeSet<Key> = BTreeSet::new();
    let mut matched = vec![false; views.len()];
    let mut matches = Vec::new();
    for (_, i, key) in pairs {
        if matched[i] || taken.contains(&key) {
            continue;
        }
        matched[i] = true;
        taken.insert(key);
        matches.push((i, key));
    }
    matches.sort_unstable();
    let fresh = (0..views.len()).filter(|i| !matched[*i]).collect();
    (matches, fresh)
}

/// How badly a view fits an entry, 0 best; `None` where it cannot be the same thing.
fn cost_of(view: &View, entry: &Entry, held: bool, config: &MemoryConfig) -> Option<f64> {
    let apart = (view.shape.center - entry.shape.center).norm();
    if let Some(joint) = &entry.joint {
        let off = joint.residual_m(&view.shape);
        if PartKind::of_class(&entry.class) == Some(PartKind::Drawer) {
            // A drawer above another is the same but for its height, so their heights must overlap.
            let overlap = view.shape.top_m().min(entry.shape.top_m())
                - view.shape.bottom_m().max(entry.shape.bottom_m());
            let lower = 2.0 * view.shape.half.z.min(entry.shape.half.z);
            if overlap < 0.4 * lower {
                return None;
            }
        }
        let vertical = 0.3 * (view.shape.center.z - entry.shape.center.z).abs();
        let near = match off {
            Some(off) => (off <= 0.3).then_some(off + vertical),
            None => (apart <= 0.5).then_some(apart + vertical),
        };
        return near.or_else(|| {
            let share = leaf_share(&view.shape, &view.points, view.is_partial(), entry)?;
            (share >= 0.7).then_some(1.35 - share)
        });
    }
    if held {
        // In the hand, the view wobbles with the arm.
        if apart <= 0.25 {
            return Some(apart * 0.5);
        }
        // Through glass the depth is that of what is behind.
        let sight = view.shape.center - view.camera_at;
        let thing = entry.shape.center - view.camera_at;
        let aside = thing.cross(&sight.normalize()).norm();
        return (aside <= BESIDE_SIGHT_M && thing.norm() < sight.norm()).then_some(0.125 + aside);
    }
    let size = 2.0 * view.shape.half.x.max(view.shape.half.z);
    if entry.large || size > config.large_m {
        let share = entry.share_inside(&view.points, 0.06);
        return (share >= 0.35).then_some(1.0 - share);
    }
    let mut gate = config.same_place_m + 0.02 * view.depth_m;
    if entry.presence == Presence::Missing {
        gate *= 0.75;
    }
    // A cut-off view's middle is not the thing's middle, but it lies inside the thing.
    let apart = if view.is_partial() && entry.shape.contains(&view.shape.center, 0.02) {
        apart * 0.5
    } else {
        apart
    };
    (apart <= gate).then_some(apart)
}

/// Share of a piece of a door or lid that lies where the whole of it can be: the piece is the view and the whole
/// is remembered, or the other way round. `None` where neither is a piece of the other.
pub(crate) fn leaf_share(
    shape: &OrientedBox,
    points: &[Point3],
    partial: bool,
    entry: &Entry,
) -> Option<f64> {
    let joint = entry.joint.as_ref()?;
    let view_m = shape.half.x.hypot(shape.half.z);
    match joint.half_diagonal_m() {
        Some(whole_m) if partial || view_m < 0.7 * whole_m => joint.share_in_reach(points),
        Some(_) => None,
        None if entry.shape.half.x.hypot(entry.shape.half.z) < 0.7 * view_m => {
            let samples = box_samples(&entry.shape);
            let inside = samples.iter().filter(|p| shape.contains(p, 0.08)).count();
            Some(inside as f64 / samples.len() as f64)
        }
        None => None,
    }
}

/// The middle of a box and the middles of its eight octants.
pub(crate) fn box_samples(shape: &OrientedBox) -> Vec<Point3> {
    let pose = shape.pose();
    let mut samples = vec![shape.center];
    for octant in 0..8u8 {
        let sign = |bit: u8| if octant & bit == 0 { -0.5 } else { 0.5 };
        let corner = Point3::new(
            sign(1) * shape.half.x,
            sign(2) * shape.half.y,
            sign(4) * shape.half.z,
        );
        samples.push(pose * corner);
    }
    samples
}
