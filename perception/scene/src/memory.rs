//! Object memory: which things there are, where, how large, and how sure that is.
//!
//! ```text
//!  depth + instances + camera pose ──► views (points, box, cut off or not) ──► association by class and place
//!        handles, parts ──► joints                                                    │
//!        gripper ──► what is held                    merged shapes, missing and moved ◄┘
//! ```
//!
//! Instance numbers mean nothing from one frame to the next, so a view belongs to the remembered thing of its
//! class at its place. Small things are measured whole in each good view and averaged over the newest few;
//! large ones are gathered point by point, because one view rarely holds them. A thing is missing only after
//! several frames looked at its place, saw it plainly, and saw something else.

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::{OrientedBox, Point3, Pose3, Vector3};
use steward_core::ids::ObjectId;
use steward_core::messages::{ChangeKind, Header, Presence, Provenance, SceneChange, SceneObject};
use steward_core::{Duration, Time, frames};

use crate::Result;
use crate::articulation::{Joint, PartKind, PartView, front_of_bar, owner_class, tray};

mod association;
mod cloud;
mod config;
mod entry;
mod glass_boards;
mod known;
mod see_through;
pub(crate) mod shape;
mod view;
mod visibility;

pub use config::MemoryConfig;
pub use view::Observation;

use association::{assign, box_samples, leaf_share};
use entry::{Entry, Key};
use shape::box_distance_m;
use view::{View, views_of};
use visibility::{Sight, is_seen_through, sight_of};

/// A drawer that moved by less did not move, metres.
const LEAST_SLIDE_M: f64 = 0.008;
/// What is in a drawer lies at least this far inside its outside, metres.
const WALL_M: f64 = 0.02;

/// Class of the bars that doors, drawers and lids are opened by. They are remembered with their part.
pub(crate) const HANDLE_CLASS: &str = "handle";

/// Class of the robot's own body in a segmentation.
pub const ROBOT_CLASS: &str = "robot";

/// What the gripper feels and where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GripperState {
    /// Time of the measurement.
    pub stamp: Time,
    /// `map_from_grasp_center`.
    pub map_from_grasp: Pose3,
    /// Both fingers are in contact.
    pub holding: bool,
    /// What the robot means to hold, if it means to hold anything.
    pub intended: Option<ObjectId>,
}

/// Heading of the direction that the fingers close in: level whether the hand points ahead or down.
fn gripper_yaw_rad(map_from_grasp: &Pose3) -> f64 {
    let closing = map_from_grasp.rotation * Vector3::y();
    closing.y.atan2(closing.x)
}

/// A drawer as it was.
#[derive(Debug, Clone, Copy)]
struct Drawer {
    /// Its hollow.
    tray: OrientedBox,
    /// How far it was out, metres.
    position_m: f64,
}

/// What is in the gripper.
#[derive(Debug, Clone, Copy)]
struct Held {
    key: Key,
    /// Centre of the thing in the frame of the grasp centre.
    offset: Point3,
    /// Heading of the thing's box relative to the direction the fingers close in.
    turn_rad: f64,
    /// Last time both fingers had contact.
    last_contact: Time,
}

/// Remembers objects. See the module's documentation.
#[derive(Debug, Clone)]
pub struct ObjectMemory {
    config: MemoryConfig,
    entries: BTreeMap<Key, Entry>,
    next_key: Key,
    next_id: u32,
    held: Option<Held>,
    frames: u64,
    newest: Time,
    counters: BTreeMap<&'static str, u64>,
}

impl ObjectMemory {
    /// An empty memory.
    ///
    /// # Errors
    /// [`crate::Error::BadConfig`] where the settings make no sense.
    pub fn new(config: MemoryConfig) -> Result<Self> {
        config.validate()?;
        Ok(ObjectMemory {
            config,
            entries: BTreeMap::new(),
            next_key: 0,
            next_id: 1,
            held: None,
            frames: 0,
            newest: Time::ZERO,
            counters: BTreeMap::new(),
        })
    }

    /// Stamp of the newest frame that was taken in.
    pub fn newest(&self) -> Time {
        self.newest
    }

    /// Everything dropped or refused so far, by name.
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }

    /// Everything remembered, by ascending id.
    pub fn objects(&self) -> Vec<SceneObject> {
        let mut objects: Vec<SceneObject> = self
            .entries
            .values()
            .filter_map(|e| Some(e.to_object(e.id?, &self.config)))
            .collect();
        objects.sort_by_key(|o| o.id);
        objects
    }

    /// What is in the gripper.
    pub fn held(&self) -> Option<ObjectId> {
        self.entries.get(&self.held?.key)?.id
    }

    fn count(&mut self, name: &'static str) {
        *self.counters.entry(name).or_default() += 1;
    }

    /// Takes in what the gripper feels: what lies between the fingers when both touch is held and follows the
    /// gripper until the contact has ended for a while.
    pub fn observe_gripper(&mut self, gripper: &GripperState) {
        let pose = &gripper.map_from_grasp;
        if !pose.translation.vector.iter().all(|x| x.is_finite()) {
            self.count("gripper_pose_not_finite");
            return;
        }
        if gripper.holding && self.held.is_none() {
            self.held = self.grasped(gripper);
        }
        let Some(mut held) = self.held else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&held.key) else {
            self.held = None;
            return;
        };
        if gripper.holding {
            held.last_contact = gripper.stamp;
            self.held = Some(held);
            entry.presence = Presence::Held;
            entry.absences = 0;
            entry.carry_to(pose * held.offset, gripper_yaw_rad(pose) + held.turn_rad);
        } else if gripper.stamp - held.last_contact >= Duration::from_secs_f64(self.config.release_s)
            || gripper.stamp < held.last_contact
        {
            entry.presence = Presence::Present;
            entry.provenance = Provenance::Expected;
            entry.released = true;
            self.held = None;
        }
    }

    /// What the fingers closed on: the intended thing, or the one nearest to the grasp centre.
    fn grasped(&self, gripper: &GripperState) -> Option<Held> {
        let pose = &gripper.map_from_grasp;
        let center = Point3::from(pose.translation.vector);
        let (key, entry) = self
            .entries
            .iter()
            .filter(|(_, e)| e.id.is_some() && !e.is_part() && !e.large && e.presence == Presence::Present)
            .filter_map(|(key, e)| {
                let local = e.shape.pose().inverse_transform_point(&center);
                let outside = local
                    .coords
                    .abs()
                    .zip_map(&e.shape.half, |a, h| (a - h).max(0.0))
                    .norm();
                let meant = gripper.intended.is_some() && e.id == gripper.intended;
                let reach = self.config.grasp_reach_m * if meant { 3.0 } else { 1.0 };
                let cost = outside - if meant { 1.0 } else { 0.0 };
                (outside <= reach).then_some((cost, key, e))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, key, e)| (*key, e))?;
        // Memory may be off by the error of localisation; the fingers are not.
        let mut offset = pose.inverse_transform_point(&entry.shape.center);
        let far = offset.coords.norm();
        let most = entry.shape.half.norm().max(0.03);
        if far > most {
            offset = Point3::from(offset.coords * (most / far));
        }
        Some(Held {
            key,
            offset,
            turn_rad: entry.shape.yaw_rad - gripper_yaw_rad(pose),
            last_contact: gripper.stamp,
        })
    }

    /// Takes in one frame and reports what changed.
    ///
    /// # Errors
    /// As [`Observation::validate`]; memory stays as it was.
    pub fn observe(&mut self, observation: &Observation<'_>) -> Result<Vec<SceneChange>> {
        observation.validate()?;
        let stamp = observation.stamp;
        self.frames += 1;
        self.newest = stamp;
        let mut dropped = Vec::new();
        let views = views_of(observation, &self.config, |reason| dropped.push(reason));
        for reason in dropped {
            self.count(reason);
        }
        let (handles, views): (Vec<View>, Vec<View>) =
            views.into_iter().partition(|v| v.class == HANDLE_CLASS);
        let mut changes = Vec::new();
        let drawers = self.drawers();

        let (matches, fresh) = assign(&views, &self.entries, self.held.map(|h| h.key), &self.config);
        let mut seen: Vec<(usize, Key)> = Vec::new();
        for (view, key) in matches {
            if self.held.is_some_and(|h| h.key == key) {
                // Its place comes from the gripper.
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.last_seen = stamp;
                }
                continue;
            }
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.see(&views[view], stamp, &self.config);
                seen.push((view, key));
            }
        }
        for view in fresh {
            let key = self.next_key;
            self.next_key += 1;
            let joint = PartKind::of_class(&views[view].class).map(Joint::new);
            let mut entry = Entry::new(key, &views[view], stamp, joint, &self.config);
            entry.see(&views[view], stamp, &self.config);
            self.entries.insert(key, entry);
            seen.push((view, key));
        }
        let seen_keys: BTreeSet<Key> = seen.iter().map(|s| s.1).collect();
        self.note_distinct(&seen_keys);
        // Glass is in the image and has no depth: it is there, only not measured.
        let unplaced: BTreeSet<&str> = observation
            .detections
            .iter()
            .map(|d| d.class.as_str())
            .filter(|class| {
                let detected = observation
                    .detections
                    .iter()
                    .filter(|d| d.class == *class)
                    .count();
                detected > views.iter().filter(|v| v.class == *class).count()
            })
            .collect();
        let complete: BTreeSet<Key> = seen
            .iter()
            .filter(|(view, _)| !views[*view].is_partial())
            .map(|s| s.1)
            .collect();
        self.update_joints(&views, &handles, &seen, stamp);
        self.carry_along(&drawers, &complete);
        self.look_for_absent(observation, &seen_keys, &unplaced, &mut changes);
        self.carve(observation);
        self.confirm(stamp, &seen_keys, &mut changes);
        self.merge_duplicates(&seen_keys);
        self.report_motion(stamp, &seen_keys, &complete, &mut changes);
        self.bound();
        Ok(changes)
    }

    /// Things of one class seen at the same time are different things.
    fn note_distinct(&mut self, seen: &BTreeSet<Key>) {
        let mut by_class: BTreeMap<String, Vec<Key>> = BTreeMap::new();
        for key in seen {
            if let Some(entry) = self.entries.get(key) {
                by_class.entry(entry.class.clone()).or_default().push(*key);
            }
        }
        for keys in by_class.values().filter(|k| k.len() > 1) {
            for key in keys {
                if let Some(entry) = self.entries.get_mut(key) {
                    entry.distinct.extend(keys.iter().filter(|k| *k != key));
                }
            }
        }
    }

    fn look_for_absent(
        &mut self,
        observation: &Observation<'_>,
        seen: &BTreeSet<Key>,
        unplaced: &BTreeSet<&str>,
        changes: &mut Vec<SceneChange>,
    ) {
        let held = self.held.map(|h| h.key);
        let mut ghosts = Vec::new();
        for (key, entry) in &mut self.entries {
            if seen.contains(key)
                || held == Some(*key)
                || entry.is_part()
                || entry.presence != Presence::Present
                || unplaced.contains(entry.class.as_str())
            {
                continue;
            }
            match sight_of(entry, observation, &self.config) {
                Sight::Unknown => {}
                Sight::Occupied => entry.absences = 0,
                Sight::Absent => {
                    entry.absences += 1;
                    entry.confidence *= 0.7;
                    if entry.absences < self.config.missing_frames {
                        continue;
                    }
                    match entry.id {
                        None => ghosts.push(*key),
                        Some(id) => {
                            entry.presence = Presence::Missing;
                            changes.push(change(observation.stamp, id, entry, ChangeKind::Vanished));
                        }
                    }
                }
            }
        }
        for key in ghosts {
            self.entries.remove(&key);
        }
    }

    /// Removes points of large things that this frame looks through, a third of the things each time.
    fn carve(&mut self, observation: &Observation<'_>) {
        let camera_from_map = observation.map_from_camera.inverse();
        for (key, entry) in &mut self.entries {
            if !entry.large || entry.presence != Presence::Present || !(key + self.frames).is_multiple_of(3) {
                continue;
            }
            let config = &self.config;
            entry
                .cloud
                .carve(|p| is_seen_through(p, observation, &camera_from_map, config));
        }
    }

    /// Attaches handles to parts, parts to furniture, and updates the joints.
    fn update_joints(&mut self, views: &[View], handles: &[View], seen: &[(usize, Key)], stamp: Time) {
        let config = self.config.articulation.clone();
        let parts: Vec<(usize, Key)> = seen
            .iter()
            .filter(|(_, key)| self.entries.get(key).is_some_and(Entry::is_part))
            .copied()
            .collect();
        // Each handle belongs to the part with the nearest point.
        let mut handle_of: BTreeMap<Key, (f64, Point3)> = BTreeMap::new();
        for handle in handles {
            let at = front_of_bar(&handle.points, &handle.shape.center);
            let nearest = parts
                .iter()
                .map(|(view, key)| {
                    let gap = views[*view]
                        .points
                        .iter()
                        .map(|p| (p - at).norm())
                        .fold(f64::INFINITY, f64::min);
                    (gap, *key)
                })
                .min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((gap, key)) = nearest
                && gap <= config.handle_reach_m
                && !(handle.cut_sideways || handle.cut_vertically)
                && handle_of.get(&key).is_none_or(|(best, _)| gap < *best)
            {
                handle_of.insert(key, (gap, at));
            }
        }
        for (view, key) in parts {
            let view = &views[view];
            if self.entries.get(&key).is_some_and(|e| e.is_sliver(view)) {
                continue;
            }
            let owner = self.owner_of(key);
            let owner_shape = owner.and_then(|o| self.entries.get(&o)).and_then(|o| {
                // A sliver of the furniture says nothing about where its faces are.
                Some((
                    o.id?,
                    o.shape,
                    o.provenance == Provenance::Observed && o.hits >= 2,
                ))
            });
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            let alone = owner.is_none() && entry.hits >= 3;
            let Some(joint) = entry.joint.as_mut() else {
                continue;
            };
            joint.update(
                &PartView {
                    points: &view.points,
                    shape: view.shape,
                    cut_sideways: view.cut_sideways,
                    partial: view.is_partial(),
                    camera_at: view.camera_at,
                    handle: handle_of.get(&key).map(|h| h.1),
                    alone,
                },
                owner_shape.as_ref().filter(|o| o.2).map(|o| (o.0, &o.1)),
                &config,
            );
            if let Some(owner) = owner_shape {
                joint.set_owner(owner.0);
            }
            if view.is_partial()
                && let Some(whole) = joint.as_wide_as_known(&view.shape)
            {
                entry.shape = whole;
            }
            let corners = joint.closed_corners();
            if let Some(owner) = owner
                && !corners.is_empty()
            {
                let yaw_rad = joint.closed_yaw_rad();
                self.extend_owner(owner, key, &corners, yaw_rad);
            } else if alone {
                self.expect_owner(key, stamp);
            }
        }
    }

    /// Drawers that are known to slide, with their hollows.
    fn drawers(&self) -> Vec<(Key, Drawer)> {
        let sliding = self.entries.iter().filter_map(|(key, entry)| {
            let (shut, outward, position_m) = entry.joint.as_ref()?.sliding()?;
            let tray = tray(&entry.shape, &(shut + outward * position_m), &outward);
            Some((*key, Drawer { tray, position_m }))
        });
        sliding.collect()
    }

    /// What is in a drawer moves with it where it is not seen whole itself.
    fn carry_along(&mut self, before: &[(Key, Drawer)], complete: &BTreeSet<Key>) {
        for (key, drawer) in before {
            let joint = self.entries.get(key).and_then(|entry| entry.joint.as_ref());
            let Some((_, outward, position_m)) = joint.and_then(Joint::sliding) else {
                continue;
            };
            let moved_m = position_m - drawer.position_m;
            if moved_m.abs() < LEAST_SLIDE_M {
                continue;
            }
            for (key, entry) in &mut self.entries {
                let is_inside = drawer.tray.contains(&entry.shape.center, -WALL_M);
                let is_loose = !entry.large && !entry.is_part() && entry.presence == Presence::Present;
                if is_inside && is_loose && !complete.contains(key) {
                    let center = entry.shape.center + outward * moved_m;
                    entry.carry_to(center, entry.shape.yaw_rad);
                    entry.anchor = center;
                }
            }
        }
    }

    /// The outside of furniture holds its closed doors and drawers.
    fn extend_owner(&mut self, owner: Key, part: Key, corners: &[Point3], yaw_rad: Option<f64>) {
        let config = self.config.clone();
        // All parts of the owner contribute; each part's corners are gathered anew.
        let owner_id = self.entries.get(&owner).and_then(|o| o.id);
        let mut further: Vec<Point3> = corners.to_vec();
        for (key, entry) in &self.entries {
            if *key != part
                && let Some(joint) = &entry.joint
                && joint.owner().is_some()
                && joint.owner() == owner_id
            {
                further.extend(joint.closed_corners());
            }
        }
        if let Some(entry) = self.entries.get_mut(&owner) {
            let unchanged = entry.large
                && entry.further.len() == further.len()
                && entry
                    .further
                    .iter()
                    .zip(&further)
                    .all(|(a, b)| (a - b).norm() < 0.005);
            if unchanged {
                return;
            }
            entry.further = further;
            entry.parts_yaw_rad = yaw_rad.or(entry.parts_yaw_rad);
            if entry.cloud.is_empty() {
                return;
            }
            entry.large = true;
            entry.refit(&config);
        }
    }

    /// The furniture that a part belongs to: the nearest whose class the part's class names, or for a plain
    /// `drawer` the nearest piece of furniture.
    fn owner_of(&self, part: Key) -> Option<Key> {
        let part = self.entries.get(&part)?;
        let joint = part.joint.as_ref()?;
        if let Some(owner) = joint.owner()
            && (owner_class(&part.class).is_some() || joint.closed_yaw_rad().is_some())
        {
            let kept = self
                .entries
                .iter()
                .find(|(_, e)| e.id == Some(owner))
                .map(|(k, _)| *k);
            if kept.is_some() {
                return kept;
            }
        }
        let named = owner_class(&part.class);
        let reach_m = self.config.articulation.owner_reach_m;
        self.entries
            .iter()
            .filter(|(_, e)| !e.is_part() && e.presence == Presence::Present)
            .filter(|(_, e)| match named {
                Some(class) => e.class == class || e.class.ends_with(class),
                None => {
                    let half = &e.shape.half;
                    // A cushion that lies on top does not reach down to the drawer.
                    half.x.max(half.z) >= 0.15
                        && e.shape.bottom_m() <= part.shape.center.z
                        && part.shape.top_m() <= e.shape.top_m() + 0.05
                }
            })
            .filter_map(|(key, e)| {
                let gap = box_distance_m(&e.shape, &part.shape);
                // A bed beside a nightstand reaches the drawer too, so among the near ones the smaller is it.
                let volume_m3 = 8.0 * e.shape.half.product();
                (gap <= reach_m).then_some((gap + 0.1 * volume_m3, *key))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, key)| key)
    }

    /// A closed fridge seen from the front shows its door and nothing else; the fridge is there all the same.
    fn expect_owner(&mut self, part: Key, stamp: Time) {
        let Some(entry) = self.entries.get(&part) else {
            return;
        };
        let (Some(class), Some(joint)) = (owner_class(&entry.class), &entry.joint) else {
            return;
        };
        let depth_m = joint.width_m().map_or(0.5, |w| (0.9 * w).clamp(0.3, 0.6));
        let Some(mut shape) = joint.box_behind(depth_m) else {
            return;
        };
        if PartKind::of_class(&entry.class) != Some(PartKind::Door) {
            return;
        }
        shape.half.z = shape.half.z.max(0.05);
        let class = class.to_owned();
        let key = self.next_key;
        self.next_key += 1;
        let mut owner = Entry::expected(key, class, shape, stamp, &self.config);
        let id = ObjectId(self.next_id);
        self.next_id += 1;
        owner.id = Some(id);
        self.entries.insert(key, owner);
        if let Some(joint) = self.entries.get_mut(&part).and_then(|e| e.joint.as_mut()) {
            joint.set_owner(id);
        }
    }

    /// Gives ids to what was seen often enough: the id of a moved thing if it is one, otherwise a new one.
    fn confirm(&mut self, stamp: Time, seen: &BTreeSet<Key>, changes: &mut Vec<SceneChange>) {
        let ready: Vec<Key> = self
            .entries
            .iter()
            .filter(|(_, e)| e.id.is_none() && e.hits >= self.config.confirm_frames)
            // A sliver of a door says neither how it moves nor where it ends.
            .filter(|(_, e)| {
                let unknown = e.joint.as_ref().is_some_and(|j| j.half_diagonal_m().is_none());
                let small = e.shape.half.x.hypot(e.shape.half.z) < 0.2;
                !(unknown && small) || e.hits >= 4 * self.config.confirm_frames
            })
            .map(|(key, _)| *key)
            .collect();
        for key in ready {
            if let Some(before) = self.moved_from(key, seen) {
                let Some(fresh) = self.entries.remove(&key) else {
                    continue;
                };
                // Others must not keep pointing at an entry that is no more.
                for other in self.entries.values_mut() {
                    if other.distinct.remove(&key) {
                        other.distinct.insert(before);
                    }
                }
                if let Some(entry) = self.entries.get_mut(&before) {
                    entry.become_at(fresh);
                    entry.anchor = entry.shape.center;
                    entry.displaced = 0;
                    if let Some(id) = entry.id {
                        changes.push(change(stamp, id, entry, ChangeKind::Moved));
                    }
                }
                continue;
            }
            if let Some(entry) = self.entries.get_mut(&key) {
                let id = ObjectId(self.next_id);
                self.next_id += 1;
                entry.id = Some(id);
                entry.anchor = entry.shape.center;
                changes.push(change(stamp, id, entry, ChangeKind::Appeared));
            }
        }
    }

    /// The remembered thing that a new one is, seen at another place: of the same class and size, and not
    /// where it was.
    fn moved_from(&self, key: Key, seen: &BTreeSet<Key>) -> Option<Key> {
        let fresh = self.entries.get(&key)?;
        if fresh.is_part() {
            return None;
        }
        self.entries
            .iter()
            .filter(|(k, e)| {
                **k != key && e.id.is_some() && e.class == fresh.class && !seen.contains(*k) && !e.is_part()
            })
            .filter(|(_, e)| e.presence == Presence::Missing || e.released || e.absences > 0)
            .filter(|(_, e)| e.presence != Presence::Held && e.similar_size(fresh))
            .filter(|(k, _)| !fresh.distinct.contains(k))
            .map(|(k, e)| ((e.shape.center - fresh.shape.center).norm(), *k))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, k)| k)
    }

    /// Two entries that overlap and were never seen at the same time are one thing.
    fn merge_duplicates(&mut self, seen: &BTreeSet<Key>) {
        for key in seen {
            let Some(entry) = self.entries.get(key) else {
                continue;
            };
            let held = self.held.map(|h| h.key);
            let twin = self
                .entries
                .iter()
                .filter(|(k, e)| {
                    *k != key
                        && held != Some(**k)
                        && e.class == entry.class
                        && e.presence == Presence::Present
                        && !entry.distinct.contains(k)
                        && !e.distinct.contains(key)
                })
                .find(|(_, e)| self.are_one(entry, e))
                .map(|(k, _)| *k);
            let Some(twin) = twin else {
                continue;
            };
            // The older id stays; an entry without one gives way.
            let age = |k: &Key| self.entries.get(k).and_then(|e| e.id).map_or(u32::MAX, |id| id.0);
            let (keep, drop) = if age(key) <= age(&twin) {
                (*key, twin)
            } else {
                (twin, *key)
            };
            let Some(other) = self.entries.remove(&drop) else {
                continue;
            };
            for e in self.entries.values_mut() {
                if e.distinct.remove(&drop) && e.key != keep {
                    e.distinct.insert(keep);
                }
            }
            let dropped_id = other.id;
            let Some(entry) = self.entries.get_mut(&keep) else {
                continue;
            };
            entry.absorb(other, &self.config);
            entry.distinct.remove(&keep);
            let kept_id = entry.id;
            for e in self.entries.values_mut() {
                if let (Some(joint), Some(id)) = (&mut e.joint, kept_id)
                    && joint.owner().is_some()
                    && joint.owner() == dropped_id
                {
                    joint.set_owner(id);
                }
            }
            self.count("duplicates_merged");
        }
    }

    fn are_one(&self, a: &Entry, b: &Entry) -> bool {
        let apart = (a.shape.center - b.shape.center).norm();
        if a.is_part() || b.is_part() {
            let piece_of = |a: &Entry, b: &Entry| {
                leaf_share(&a.shape, &box_samples(&a.shape), false, b).is_some_and(|share| share >= 0.8)
            };
            return apart < 0.5 * a.shape.half.z.min(b.shape.half.z).max(0.05)
                || piece_of(a, b)
                || piece_of(b, a);
        }
        if a.large || b.large {
            let (small, big) = if a.shape.half.norm() <= b.shape.half.norm() {
                (a, b)
            } else {
                (b, a)
            };
            let points = small.probes();
            if points.is_empty() {
                return big.shape.contains(&small.shape.center, 0.0);
            }
            return big.share_inside(&points, 0.04) > 0.6;
        }
        apart < (0.75 * self.config.same_place_m).min(a.shape.half.norm() + b.shape.half.norm())
    }

    fn report_motion(
        &mut self,
        stamp: Time,
        seen: &BTreeSet<Key>,
        complete: &BTreeSet<Key>,
        changes: &mut Vec<SceneChange>,
    ) {
        for key in seen {
            let Some(entry) = self.entries.get_mut(key) else {
                continue;
            };
            let Some(id) = entry.id else {
                continue;
            };
            if !entry.large && !entry.is_part() {
                // The middle of what is in view wanders while the rest comes into view; that is not motion.
                if complete.contains(key) {
                    let away = (entry.shape.center - entry.anchor).norm() > self.config.moved_m;
                    entry.displaced = if away { entry.displaced + 1 } else { 0 };
                    if !entry.anchor_is_firm {
                        entry.anchor_is_firm = true;
                        entry.anchor = entry.shape.center;
                        entry.displaced = 0;
                    } else if entry.displaced >= 2 {
                        entry.anchor = entry.shape.center;
                        entry.displaced = 0;
                        changes.push(change(stamp, id, entry, ChangeKind::Moved));
                    }
                }
            } else {
                entry.anchor = entry.shape.center;
            }
            let Some(state) = entry
                .joint
                .as_ref()
                .and_then(|j| j.state(&self.config.articulation))
            else {
                continue;
            };
            let open = match (state.is_open(), state.is_closed()) {
                (Some(true), _) => true,
                (_, Some(true)) => false,
                _ => continue,
            };
            if entry
                .reported_open
                .replace(open)
                .is_some_and(|before| before != open)
            {
                let kind = if open {
                    ChangeKind::Opened
                } else {
                    ChangeKind::Closed
                };
                changes.push(change(stamp, id, entry, kind));
            }
        }
    }

    /// Keeps the number of entries within bounds: first unconfirmed, then missing, then longest unseen ones go.
    fn bound(&mut self) {
        let stale = Duration::from_secs(20);
        let newest = self.newest;
        self.entries
            .retain(|_, e| e.id.is_some() || newest - e.last_seen < stale);
        while self.entries.len() > self.config.max_objects {
            let held = self.held.map(|h| h.key);
            let worst = self
                .entries
                .iter()
                .filter(|(k, _)| held != Some(**k))
                .min_by_key(|(_, e)| {
                    (
                        e.id.is_some(),
                        e.presence != Presence::Missing,
                        e.last_seen,
                        e.key,
                    )
                })
                .map(|(k, _)| *k);
            let Some(worst) = worst else {
                return;
            };
            self.entries.remove(&worst);
            self.count("objects_forgotten");
        }
    }
}

fn change(stamp: Time, object: ObjectId, entry: &Entry, kind: ChangeKind) -> SceneChange {
    SceneChange {
        header: Header::new(stamp, frames::MAP),
        object,
        class: entry.class.clone(),
        kind,
        position: entry.shape.center,
    }
}
