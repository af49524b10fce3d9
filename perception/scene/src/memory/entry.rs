//! One remembered thing and how its shape is estimated from views.

use std::collections::{BTreeSet, VecDeque};

use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, Provenance, SceneObject, SupportSurface};

use super::MemoryConfig;
use super::cloud::Cloud;
use super::shape::horizontal_axes;
use super::view::{SQUARE, View, steepness};
use crate::articulation::{Joint, PartKind};

/// Names an entry within the memory; entries that are not confirmed have no [`ObjectId`] yet.
pub(crate) type Key = u64;

/// How many complete views the shape of a small thing is averaged over.
const VIEWS: usize = 6;
/// Longest side, as a share of what is large, with which a complete view shows a small thing.
const SMALL_SHARE: f64 = 0.75;
/// So many such views in a row make a large thing a small one.
const SMALL_VIEWS: u32 = 3;
/// Half the width up to which what is seen of a door, a lid or a drawer may be its edge, with the bar in front of it, metres.
const EDGE_HALF_M: f64 = 0.06;
/// Points kept of a small thing to test whether it should be visible.
const PROBES: usize = 32;

/// Half sides of a small thing over the ground, metres, and what the view that showed them weighs.
#[derive(Debug, Clone, Copy)]
struct SidesSeen {
    long: f64,
    short: f64,
    weight: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) id: Option<ObjectId>,
    pub(crate) class: String,
    pub(crate) shape: OrientedBox,
    pub(crate) large: bool,
    /// Complete views in a row of a large thing that show a small one.
    small_views: u32,
    pub(crate) presence: Presence,
    pub(crate) provenance: Provenance,
    pub(crate) confidence: f64,
    pub(crate) first_seen: Time,
    pub(crate) last_seen: Time,
    pub(crate) hits: u32,
    /// Frames in a row in which it was absent though expected to be visible.
    pub(crate) absences: u32,
    /// It was let go and not seen since, so it may be near where it was let go.
    pub(crate) released: bool,
    /// Where it was when its place was last reported.
    pub(crate) anchor: Point3,
    /// That place was measured with all of it in view.
    pub(crate) anchor_is_firm: bool,
    /// Complete views in a row that show it away from there.
    pub(crate) displaced: u32,
    /// Entries seen at the same time as this one: other things for certain.
    pub(crate) distinct: BTreeSet<Key>,
    pub(crate) joint: Option<Joint>,
    /// Whether it was open when that was last reported.
    pub(crate) reported_open: Option<bool>,
    /// Corners of closed parts: points of its outside.
    pub(crate) further: Vec<Point3>,
    /// Heading of its closed parts, modulo a quarter turn.
    pub(crate) parts_yaw_rad: Option<f64>,
    pub(crate) surfaces: Vec<SupportSurface>,
    pub(crate) cloud: Cloud,
    complete: VecDeque<(OrientedBox, f64)>,
    /// The longer and the shorter half side over the ground, from the best view that showed both.
    sides_m: Option<SidesSeen>,
    /// Box and pixels of the best view that showed only some of it.
    partial: Option<(OrientedBox, f64)>,
    /// Surface points relative to the centre of the shape.
    probes: Vec<Vector3>,
}

impl Entry {
    pub(crate) fn new(
        key: Key,
        view: &View,
        stamp: Time,
        joint: Option<Joint>,
        config: &MemoryConfig,
    ) -> Self {
        Entry {
            joint,
            ..Self::unseen(key, view.class.clone(), view.shape, stamp, config)
        }
    }

    /// An entry for furniture that must be there because a part of it is.
    pub(crate) fn expected(
        key: Key,
        class: String,
        shape: OrientedBox,
        stamp: Time,
        config: &MemoryConfig,
    ) -> Self {
        Entry {
            large: true,
            provenance: Provenance::Expected,
            confidence: 0.5,
            ..Self::unseen(key, class, shape, stamp, config)
        }
    }

    /// What was remembered of a thing before, without the views that it came from: its shape stands until it is seen to be
    /// otherwise.
    pub(crate) fn known(key: Key, object: &SceneObject, now: Time, config: &MemoryConfig) -> Self {
        let half = object.shape.half;
        let large = 2.0 * half.x.max(half.z) > config.large_m;
        let mut cloud = Cloud::new(config.voxel_m, config.max_voxels);
        let patches: Vec<Point3> = object.surfaces.iter().flat_map(|s| patch(s, config)).collect();
        cloud.add(&patches, &vec![true; patches.len()]);
        // One view's worth, from not very near: the next complete one counts more.
        let complete = if large { vec![] } else { vec![(object.shape, 1e3)] };
        Entry {
            id: Some(object.id),
            large,
            // What was held may have been let go meanwhile, by a hand that nobody watched.
            presence: match object.presence {
                Presence::Held => Presence::Present,
                other => other,
            },
            provenance: match object.presence {
                Presence::Held => Provenance::Expected,
                _ => object.provenance,
            },
            confidence: object.confidence,
            first_seen: object.first_seen.min(now),
            last_seen: object.last_seen.min(now),
            // Seen often enough for its heading to be kept.
            hits: 7,
            joint: PartKind::of_class(&object.class).map(|kind| Joint::known(kind, object.articulation)),
            further: if large {
                corners(&object.shape, 1.0)
            } else {
                vec![]
            },
            surfaces: object.surfaces.clone(),
            cloud,
            complete: complete.into(),
            probes: corners(&object.shape, 0.8)
                .iter()
                .map(|p| p - object.shape.center)
                .collect(),
            ..Self::unseen(key, object.class.clone(), object.shape, now, config)
        }
    }

    /// An entry that no view was taken into yet.
    fn unseen(key: Key, class: String, shape: OrientedBox, stamp: Time, config: &MemoryConfig) -> Self {
        Entry {
            key,
            id: None,
            class,
            shape,
            large: false,
            small_views: 0,
            presence: Presence::Present,
            provenance: Provenance::Observed,
            confidence: 0.0,
            first_seen: stamp,
            last_seen: stamp,
            hits: 0,
            absences: 0,
            released: false,
            anchor: shape.center,
            anchor_is_firm: false,
            displaced: 0,
            distinct: BTreeSet::new(),
            joint: None,
            reported_open: None,
            further: Vec::new(),
            parts_yaw_rad: None,
            surfaces: Vec::new(),
            cloud: Cloud::new(config.voxel_m, config.max_voxels),
            complete: VecDeque::new(),
            sides_m: None,
            partial: None,
            probes: Vec::new(),
        }
    }

    pub(crate) fn is_part(&self) -> bool {
        self.joint.is_some()
    }

    /// Whether a view shows so little of a part that it says nothing about where the part is.
    pub(crate) fn is_sliver(&self, view: &View) -> bool {
        if view.shape.half.x < EDGE_HALF_M {
            return true;
        }
        let seen_m = view.shape.half.x.hypot(view.shape.half.z);
        self.joint
            .as_ref()
            .and_then(Joint::half_diagonal_m)
            .is_some_and(|whole_m| seen_m < 0.4 * whole_m)
    }

    /// Takes in a view of it. Where it is far from where it was, what was known of its shape is forgotten.
    pub(crate) fn see(&mut self, view: &View, stamp: Time, config: &MemoryConfig) {
        self.hits = self.hits.saturating_add(1);
        self.last_seen = stamp;
        self.absences = 0;
        self.released = false;
        self.presence = Presence::Present;
        self.provenance = Provenance::Observed;
        self.confidence += (1.0 - self.confidence) * 0.4 * view.score;
        if self.is_part() {
            // Parts move, so only the newest view counts.
            if !self.is_sliver(view) {
                self.shape = view.shape;
            }
            return;
        }
        let size = view.shape.half.x.max(view.shape.half.z) * 2.0;
        // Views from poses that were off add up to more than there is.
        if self.large && !view.is_partial() {
            let is_small = size < SMALL_SHARE * config.large_m;
            self.small_views = if is_small { self.small_views + 1 } else { 0 };
            if self.small_views >= SMALL_VIEWS {
                self.large = false;
                self.small_views = 0;
                self.forget_shape();
            }
        }
        if !self.large {
            let apart = (view.shape.center - self.shape.center).norm();
            if apart > config.moved_m && !view.is_partial() {
                self.forget_shape();
            }
            if view.is_partial() || size > config.large_m {
                self.cloud.add(&view.points, &view.upward);
            }
            self.see_small(view);
            let gathered = self
                .complete
                .is_empty()
                .then(|| self.cloud.shape(&[], None))
                .flatten();
            self.large = size > config.large_m
                || gathered.is_some_and(|s| 2.0 * s.half.x.max(s.half.z) > config.large_m && self.hits > 2);
        } else {
            self.cloud.add(&view.points, &view.upward);
        }
        // One more view changes the box of a thing that was seen often by little.
        if self.large && (self.hits <= 6 || self.hits.is_multiple_of(3)) {
            self.refit(config);
        }
        let step = view.points.len().div_ceil(PROBES).max(1);
        self.probes = view
            .points
            .iter()
            .step_by(step)
            .map(|p| p - self.shape.center)
            .collect();
    }

    fn see_small(&mut self, view: &View) {
        if view.is_partial() {
            if !self.complete.is_empty() {
                return;
            }
            let pixels = view.pixels as f64;
            let better = self.partial.as_ref().is_none_or(|(_, best)| pixels > 0.8 * best);
            if better {
                self.partial = Some((view.shape, pixels));
            } else if let Some((_, best)) = &mut self.partial {
                *best *= 0.97;
            }
            self.shape = self.partial.as_ref().map_or(view.shape, |p| p.0);
            return;
        }
        let sigma_m = 0.004 + 0.004 * view.depth_m * view.depth_m;
        let weight = 1.0 / (sigma_m * sigma_m);
        let mut shape = view.shape;
        match hidden_side(view) {
            Some(hidden) => hidden.fill(&mut shape, self.sides_m.as_ref()),
            None if self.sides_m.is_none_or(|s| weight > 0.8 * s.weight) => {
                self.sides_m = Some(SidesSeen {
                    long: shape.half.x.max(shape.half.y),
                    short: shape.half.x.min(shape.half.y),
                    weight,
                });
            }
            None => {}
        }
        self.complete.push_back((shape, weight));
        if self.complete.len() > VIEWS {
            self.complete.pop_front();
        }
        let newest = self.complete.len() - 1;
        let weighted = self
            .complete
            .iter()
            .enumerate()
            .map(|(i, (shape, w))| (shape, w * 0.85f64.powi((newest - i) as i32)));
        let mut total = 0.0;
        let mut center = Vector3::zeros();
        let mut half = Vector3::zeros();
        // Headings of rectangles repeat every half turn, so they average on the doubled circle.
        let (mut s, mut c) = (0.0, 0.0);
        for (shape, w) in weighted {
            total += w;
            center += shape.center.coords * w;
            half += shape.half * w;
            s += (2.0 * shape.yaw_rad).sin() * w;
            c += (2.0 * shape.yaw_rad).cos() * w;
        }
        self.shape = OrientedBox {
            center: Point3::from(center / total),
            yaw_rad: 0.5 * s.atan2(c),
            half: half / total,
        };
    }

    /// Fits the box and the surfaces of a large thing to the points gathered so far.
    pub(crate) fn refit(&mut self, config: &MemoryConfig) {
        let before = (self.hits > 6 && self.large).then_some(self.shape.yaw_rad);
        let Some(mut shape) = self.cloud.shape(&self.further, self.parts_yaw_rad.or(before)) else {
            return;
        };
        if shape.bottom_m() < 0.0 && shape.top_m() > 0.02 {
            let top = shape.top_m();
            shape.half.z = top * 0.5;
            shape.center.z = top * 0.5;
        }
        self.shape = shape;
        if self.hits <= 6 || self.hits.is_multiple_of(3) {
            self.surfaces = self.cloud.surfaces(&self.shape, config.surface_min_area_m2);
        }
    }

    /// Forgets where its surface was, for when it moved.
    pub(crate) fn forget_shape(&mut self) {
        self.cloud.clear();
        self.complete.clear();
        self.sides_m = None;
        self.partial = None;
        self.surfaces.clear();
        self.further.clear();
        self.parts_yaw_rad = None;
    }

    /// Takes over what another entry knows of the same thing.
    pub(crate) fn absorb(&mut self, other: Entry, config: &MemoryConfig) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.hits = self.hits.saturating_add(other.hits);
        self.confidence = self.confidence.max(other.confidence);
        self.distinct.extend(other.distinct);
        let newer = other.last_seen > self.last_seen;
        if newer {
            self.last_seen = other.last_seen;
            self.presence = other.presence;
            self.provenance = other.provenance;
            self.absences = other.absences;
            self.released = other.released;
        }
        if self.large || other.large {
            self.large = true;
            self.cloud.absorb(&other.cloud);
            self.refit(config);
        } else if newer {
            self.shape = other.shape;
            self.complete = other.complete;
            self.sides_m = other.sides_m;
            self.partial = other.partial;
            self.probes = other.probes;
        }
        if newer && other.joint.is_some() {
            self.joint = other.joint;
            self.shape = other.shape;
        }
    }

    /// Takes over the place and shape of `other`, which is this thing seen again somewhere else.
    pub(crate) fn become_at(&mut self, other: Entry) {
        self.forget_shape();
        self.shape = other.shape;
        self.large = other.large;
        self.cloud = other.cloud;
        self.complete = other.complete;
        self.sides_m = other.sides_m;
        self.partial = other.partial;
        self.probes = other.probes;
        self.surfaces = other.surfaces;
        self.distinct = other.distinct;
        self.last_seen = other.last_seen;
        self.presence = Presence::Present;
        self.provenance = Provenance::Observed;
        self.confidence = self.confidence.max(other.confidence);
        self.absences = 0;
        self.released = false;
        if other.joint.is_some() {
            self.joint = other.joint;
        }
    }

    /// Moves the whole thing, for what is carried.
    pub(crate) fn carry_to(&mut self, center: Point3, yaw_rad: f64) {
        let turn = wrap_angle_rad(yaw_rad - self.shape.yaw_rad);
        let (s, c) = turn.sin_cos();
        for p in &mut self.probes {
            *p = Vector3::new(c * p.x - s * p.y, s * p.x + c * p.y, p.z);
        }
        self.shape.center = center;
        self.shape.yaw_rad = yaw_rad;
        // Views of where it was taken from say nothing about where it is.
        self.complete.clear();
        self.partial = None;
        self.cloud.clear();
    }

    /// Points that should be visible where the thing is.
    pub(crate) fn probes(&self) -> Vec<Point3> {
        if self.large && !self.cloud.is_empty() {
            return self.cloud.sample(2 * PROBES);
        }
        self.probes.iter().map(|p| self.shape.center + p).collect()
    }

    /// Share of the view's points inside its box, grown by a margin.
    pub(crate) fn share_inside(&self, points: &[Point3], margin_m: f64) -> f64 {
        let inside = points.iter().filter(|p| self.shape.contains(p, margin_m)).count();
        inside as f64 / points.len().max(1) as f64
    }

    /// Whether a view may show the same thing as far as size tells.
    pub(crate) fn similar_size(&self, other: &Entry) -> bool {
        if self.is_part() || self.hits < 2 {
            return true;
        }
        let size = |e: &Entry| e.shape.half.x.max(e.shape.half.z);
        let ratio = size(self) / size(other).max(1e-6);
        (0.5..2.0).contains(&ratio)
    }

    pub(crate) fn to_object(&self, id: ObjectId, config: &MemoryConfig) -> SceneObject {
        SceneObject {
            id,
            class: self.class.clone(),
            shape: self.shape,
            presence: self.presence,
            provenance: self.provenance,
            confidence: self.confidence,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            articulation: self.joint.as_ref().and_then(|j| j.state(&config.articulation)),
            surfaces: self.surfaces.clone(),
        }
    }
}

/// The corners of a box that is this much larger than another one around the same middle.
fn corners(shape: &OrientedBox, scale: f64) -> Vec<Point3> {
    let pose = shape.pose();
    (0..8u8)
        .map(|n| {
            let side = |bit: u8| if n & bit == 0 { -scale } else { scale };
            let signs = Vector3::new(side(1), side(2), side(4));
            pose * Point3::from(shape.half.component_mul(&signs))
        })
        .collect()
}

/// Points of a surface, close enough together for its voxels to be full, as far as there is room.
fn patch(surface: &SupportSurface, config: &MemoryConfig) -> Vec<Point3> {
    let area_m2 = 4.0 * surface.half_x_m * surface.half_y_m;
    let step_m = (0.7 * config.voxel_m).max((area_m2 / config.max_voxels as f64).sqrt());
    let steps = |half_m: f64| {
        let n = (2.0 * half_m / step_m).ceil().max(1.0) as u32;
        (0..=n).map(move |i| half_m * (2.0 * f64::from(i) / f64::from(n) - 1.0))
    };
    let (s, c) = surface.yaw_rad.sin_cos();
    let at = |x: f64, y: f64| surface.center + Vector3::new(c * x - s * y, s * x + c * y, 0.0);
    steps(surface.half_x_m)
        .flat_map(|x| steps(surface.half_y_m).map(move |y| at(x, y)))
        .collect()
}

/// The side of a thing that a view from about its height, square to its front, does not show.
struct HiddenSide {
    /// Which of the box's axes.
    axis: usize,
    /// Along that axis away from the camera, unit length.
    away: Vector3,
}

fn hidden_side(view: &View) -> Option<HiddenSide> {
    if steepness(&view.shape, &view.camera_at) > 0.15 {
        return None;
    }
    let to = view.shape.center - view.camera_at;
    let sight = Vector3::new(to.x, to.y, 0.0).try_normalize(1e-9)?;
    let axes = horizontal_axes(&view.shape);
    let axis = usize::from(axes[1].dot(&sight).abs() > axes[0].dot(&sight).abs());
    let along = axes[axis].dot(&sight);
    (along.abs() > SQUARE).then(|| HiddenSide {
        axis,
        away: axes[axis] * along.signum(),
    })
}

impl HiddenSide {
    /// Makes the box as deep as the thing was seen to be; never seen, at least 0.6 times as deep as it is wide. The
    /// front stays where it was seen.
    fn fill(&self, shape: &mut OrientedBox, seen: Option<&SidesSeen>) {
        let wide = shape.half[1 - self.axis];
        let deep = match seen {
            Some(s) if (wide - s.long).abs() <= (wide - s.short).abs() => s.short,
            Some(s) => s.long,
            None => (0.6 * wide).min(0.08),
        };
        let lack = deep - shape.half[self.axis];
        if lack > 0.0 {
            shape.half[self.axis] += lack;
            shape.center += self.away * lack;
        }
    }
}
