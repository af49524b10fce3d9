//! Relations between remembered things, computed from their boxes and surfaces.
//!
//! Boxes are measured, so they wobble; a relation that held before holds on until it is clearly violated
//! (wider tolerances for what is already in the graph).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steward_core::geometry::{OrientedBox, Point3};
use steward_core::ids::ObjectId;
use steward_core::messages::{Presence, Relation, RelationKind, SceneObject, SupportSurface};

use crate::Result;
use crate::articulation::{PartKind, tray_of};
use crate::error::check_range;
use crate::memory::shape::box_distance_m;

/// Settings of [`relations`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RelationsConfig {
    /// Largest vertical gap between the bottom of a thing and what it stands on, metres.
    pub on_gap_m: f64,
    /// How far the middle of a thing may lie outside the surface it stands on, metres.
    pub on_overhang_m: f64,
    /// How far the middle of a thing may lie outside the box it is in, metres.
    pub in_margin_m: f64,
    /// Drawers, and furniture with a door or lid: how far inside its box the middle of a thing must lie to be in it, metres. Walls,
    /// doors and handles belong to the box, and what sticks out of the opening keeps the door from closing.
    pub in_wall_m: f64,
    /// How much closer than [`RelationKind::NEAR_M`] things must be seen to become near, metres: what is called near is
    /// relied on. They stay near until they are farther apart than that.
    pub near_margin_m: f64,
    /// Factor on the tolerances of `on` and `in` for relations that held before.
    pub hysteresis: f64,
    /// Classes of furniture and vessels with a hollow inside that things can be in. A class matches when it
    /// equals one of these or ends with `_` and one of these. Furniture with a door or lid is hollow whatever
    /// its class.
    pub container_classes: Vec<String>,
    /// Those of them with open boards: what stands on one is in the furniture and on it. Matched like `container_classes`.
    pub shelf_classes: Vec<String>,
    /// Classes of furniture with a basin: what lies lower than their top within their outline lies on them. Matched like
    /// `container_classes`.
    pub basin_classes: Vec<String>,
}

impl Default for RelationsConfig {
    fn default() -> Self {
        RelationsConfig {
            on_gap_m: 0.05,
            on_overhang_m: 0.03,
            in_margin_m: 0.02,
            in_wall_m: 0.04,
            near_margin_m: 0.05,
            hysteresis: 1.5,
            container_classes: [
                "fridge",
                "cabinet",
                "microwave",
                "bin",
                "drawer",
                "shelf",
                "bookcase",
                "dishwasher",
                "basket",
                "crate",
                "chest",
            ]
            .map(str::to_owned)
            .to_vec(),
            shelf_classes: ["shelf", "bookcase"].map(str::to_owned).to_vec(),
            basin_classes: ["sink", "bathtub"].map(str::to_owned).to_vec(),
        }
    }
}

impl RelationsConfig {
    /// # Errors
    /// [`crate::Error::BadConfig`] for a tolerance out of range.
    pub fn validate(&self) -> Result<()> {
        check_range("relations.on_gap_m", self.on_gap_m, 0.0, 0.5)?;
        check_range("relations.on_overhang_m", self.on_overhang_m, -1e-9, 0.5)?;
        check_range("relations.in_margin_m", self.in_margin_m, -1e-9, 0.5)?;
        check_range("relations.in_wall_m", self.in_wall_m, -1e-9, 0.2)?;
        check_range("relations.near_margin_m", self.near_margin_m, -1e-9, 0.3)?;
        check_range("relations.hysteresis", self.hysteresis, 0.999_999, 5.0)
    }
}

/// Whether a class equals a name or ends with `_` and a name.
fn is_one_of(class: &str, names: &[String]) -> bool {
    names.iter().any(|name| {
        class == name
            || class
                .strip_suffix(name.as_str())
                .is_some_and(|head| head.ends_with('_'))
    })
}

/// The relations between things that are present, sorted. `before`: those of the graph before this one.
///
/// Things that are missing or in the gripper relate to nothing. What stands on a board of furniture that does not close is in
/// it and on it; otherwise `on` and `in` exclude each other for a pair. Both exclude `near`. Parts that open relate to their furniture by `ArticulationState::owner`, not by relations;
/// drawers can hold things.
pub fn relations(objects: &[SceneObject], before: &[Relation], config: &RelationsConfig) -> Vec<Relation> {
    let before: BTreeSet<&Relation> = before.iter().collect();
    // Furniture with a door or lid.
    let closing: BTreeSet<ObjectId> = objects
        .iter()
        .filter_map(|o| o.articulation.filter(|a| !a.prismatic).and_then(|a| a.owner))
        .collect();
    let things: Vec<Thing<'_>> = objects
        .iter()
        .filter(|o| o.presence == Presence::Present)
        .map(|object| Thing {
            object,
            part: PartKind::of_class(&object.class),
            closes: closing.contains(&object.id),
            is_hollow: closing.contains(&object.id) || is_one_of(&object.class, &config.container_classes),
            is_shelf: !closing.contains(&object.id) && is_one_of(&object.class, &config.shelf_classes),
            hollow: tray_of(object).unwrap_or(object.shape),
            radius_m: object.shape.half.xy().norm(),
        })
        .collect();
    let farthest_m =
        RelationKind::NEAR_M.max(config.hysteresis * config.on_overhang_m.max(config.in_margin_m));
    let mut found = Vec::new();
    for subject in things.iter().filter(|t| t.part.is_none()) {
        for target in &things {
            let (a, b) = (subject.object, target.object);
            let apart = (a.shape.center - b.shape.center).xy().norm_squared();
            let reach_m = subject.radius_m + target.radius_m + farthest_m;
            if a.id == b.id || apart > reach_m * reach_m {
                continue;
            }
            let relation = |kind| Relation {
                subject: a.id,
                kind,
                object: b.id,
            };
            let held_before = |kind| before.contains(&relation(kind));
            let slack = |kind| {
                if held_before(kind) { config.hysteresis } else { 1.0 }
            };
            let is_drawer = matches!(target.part, Some(PartKind::Drawer));
            let in_margin_m = |slack: f64| {
                if target.closes || is_drawer {
                    -config.in_wall_m / slack
                } else {
                    config.in_margin_m * slack
                }
            };
            let is_inside = target.is_hollow
                && (target.part.is_none() || is_drawer)
                && is_in(&a.shape, &target.hollow, in_margin_m(slack(RelationKind::In)));
            // What stands on a board of an open shelf is in the shelf and on it.
            let is_carried = target.part.is_none()
                && (!is_inside || target.is_shelf)
                && is_on(a, b, config, slack(RelationKind::On));
            if is_inside {
                found.push(relation(RelationKind::In));
            }
            if is_carried {
                found.push(relation(RelationKind::On));
            }
            let near_m = if held_before(RelationKind::Near) {
                RelationKind::NEAR_M
            } else {
                RelationKind::NEAR_M - config.near_margin_m
            };
            if !is_inside
                && !is_carried
                && target.part.is_none()
                && box_distance_m(&a.shape, &b.shape) <= near_m
            {
                found.push(relation(RelationKind::Near));
            }
        }
    }
    found = on_the_nearer(found, objects);
    // `near` gives way where the pair is related the other way round by `on` or `in`.
    let tight: BTreeSet<(ObjectId, ObjectId)> = found
        .iter()
        .filter(|r| r.kind != RelationKind::Near)
        .map(|r| (r.object, r.subject))
        .collect();
    found.retain(|r| r.kind != RelationKind::Near || !tight.contains(&(r.subject, r.object)));
    found.sort_unstable();
    found
}

/// What is on a thing and on what carries that thing is on one of them alone: on the one that its bottom is nearer to.
fn on_the_nearer(mut found: Vec<Relation>, objects: &[SceneObject]) -> Vec<Relation> {
    let by_id: BTreeMap<ObjectId, &SceneObject> = objects.iter().map(|o| (o.id, o)).collect();
    let on: BTreeSet<(ObjectId, ObjectId)> = found
        .iter()
        .filter(|r| r.kind == RelationKind::On)
        .map(|r| (r.subject, r.object))
        .collect();
    let gap_m = |subject: ObjectId, support: ObjectId| {
        let (a, b) = (by_id.get(&subject)?, by_id.get(&support)?);
        let heights = b.surfaces.iter().map(SupportSurface::height_m);
        let gaps = heights
            .chain([b.shape.top_m()])
            .map(|h| (a.shape.bottom_m() - h).abs());
        gaps.min_by(f64::total_cmp)
    };
    let is_on_another = |r: &Relation| {
        let mut others = on.range((r.subject, ObjectId(0))..=(r.subject, ObjectId(u32::MAX)));
        others.any(|&(_, other)| {
            let is_stack = on.contains(&(other, r.object)) || on.contains(&(r.object, other));
            is_stack && gap_m(r.subject, other) < gap_m(r.subject, r.object)
        })
    };
    found.retain(|r| r.kind != RelationKind::On || !is_on_another(r));
    found
}

/// What decides about a thing's relations, looked up once.
struct Thing<'a> {
    object: &'a SceneObject,
    part: Option<PartKind>,
    /// It has a door or lid.
    closes: bool,
    is_hollow: bool,
    /// Its boards are open.
    is_shelf: bool,
    /// Where things are that are in it.
    hollow: OrientedBox,
    /// Of the circle around it on the floor, metres.
    radius_m: f64,
}

/// No basin reaches lower than this above the floor, metres.
const BASIN_FLOOR_M: f64 = 0.04;

/// The thing is much smaller than what holds or carries it.
fn is_smaller(a: &OrientedBox, b: &OrientedBox) -> bool {
    let flat = |s: &OrientedBox| s.half.x * s.half.y;
    flat(a) < 0.9 * flat(b)
}

fn is_in(a: &OrientedBox, b: &OrientedBox, margin_m: f64) -> bool {
    is_smaller(a, b)
        && b.contains(&a.center, margin_m)
        && a.center.z < b.top_m()
        // What stands on top reaches into the box by no more than the error of its bottom.
        && a.bottom_m() < b.top_m() - 0.03
}

fn is_on(a: &SceneObject, b: &SceneObject, config: &RelationsConfig, slack: f64) -> bool {
    if !is_smaller(&a.shape, &b.shape) {
        return false;
    }
    let (gap, overhang) = (config.on_gap_m * slack, config.on_overhang_m * slack);
    let bottom = a.shape.bottom_m();
    let center = a.shape.center;
    let over_box = {
        let level = Point3::new(center.x, center.y, b.shape.center.z);
        b.shape.contains(&level, overhang)
    };
    if !over_box {
        return false;
    }
    let on_top = (bottom - b.shape.top_m()).abs() <= gap;
    let in_basin = is_one_of(&b.class, &config.basin_classes)
        && b.shape.contains(&center, 0.0)
        && bottom > b.shape.bottom_m() + BASIN_FLOOR_M;
    let on_surface = b
        .surfaces
        .iter()
        .any(|s| (bottom - s.height_m()).abs() <= gap && s.covers(center.x, center.y, overhang + 0.05));
    on_top || on_surface || in_basin
}
