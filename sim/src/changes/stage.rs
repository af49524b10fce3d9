//! A home on which changes are played through.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use steward_core::Time;
use steward_core::geometry::{Aabb, Point3, Pose3, Rotation3, Vector3};

use super::solid::Solid;
use super::{ChangeScript, Operation, ResolvedChange, ResolvedKind, Spot};
use crate::home::object_entity;
use crate::model::{Entity, EntityId, EntityKind, Home, PartJoint, WorldState};
use crate::{Error, Result};

/// Share of its way from which a part counts as open enough to put things in, and up to which as closed.
const OPEN_SHARE: f64 = 0.8;
const CLOSED_SHARE: f64 = 0.15;
/// Spots tried for one object.
const TRIES: usize = 200;
/// Kept free around what is put down, and to the border of a surface, metres.
const GAP_M: f64 = 0.01;
/// Things are put down this high above a surface, metres.
const DROP_M: f64 = 0.002;
/// Steps in which the way of a part is checked.
const SWEEP_STEPS: usize = 8;

/// What there is and where, while changes are decided one after the other.
#[derive(Debug, Clone)]
pub struct ChangeStage<'a> {
    home: &'a Home,
    added: Vec<Entity>,
    state: WorldState,
    /// By entity: what it collides with, in the world; empty while absent.
    solids: Vec<Vec<Solid>>,
}

/// A rectangle that things can be put on.
#[derive(Debug, Clone)]
pub(super) struct Support {
    /// Its name: `desk_1/top`.
    pub name: String,
    pose: Pose3,
    half: [f64; 2],
    clearance_m: f64,
    /// The part that must be open.
    pub door: Option<EntityId>,
}

impl<'a> ChangeStage<'a> {
    /// The home as it is at the start.
    pub fn new(home: &'a Home) -> Self {
        Self::at(home, &[], &WorldState::initial(home))
    }

    /// The home at some instant, with what was added since the start.
    pub fn at(home: &'a Home, added: &[Entity], state: &WorldState) -> Self {
        let mut stage = ChangeStage {
            home,
            added: added.to_vec(),
            state: state.clone(),
            solids: Vec::new(),
        };
        stage.state.poses.resize(stage.count(), Pose3::identity());
        stage.state.present.resize(stage.count(), false);
        for i in 0..stage.count() {
            stage.solids.push(stage.solids_at(i, &stage.state.poses[i]));
        }
        stage
    }

    /// Where everything is now.
    pub fn state(&self) -> &WorldState {
        &self.state
    }

    /// What changes have added.
    pub fn added(&self) -> &[Entity] {
        &self.added
    }

    fn count(&self) -> usize {
        self.home.entities.len() + self.added.len()
    }

    /// Every entity, present or not.
    pub(super) fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.home.entities.iter().chain(&self.added)
    }

    pub(super) fn is_present(&self, id: EntityId) -> bool {
        self.state.present.get(id.0 as usize).copied().unwrap_or(false)
    }

    fn entity(&self, index: usize) -> &Entity {
        let given = self.home.entities.len();
        if index < given {
            &self.home.entities[index]
        } else {
            &self.added[index - given]
        }
    }

    fn solids_at(&self, index: usize, pose: &Pose3) -> Vec<Solid> {
        if !self.state.present[index] {
            return Vec::new();
        }
        let entity = self.entity(index);
        let mut solids: Vec<Solid> = entity.colliders.iter().map(|c| Solid::around(c, pose)).collect();
        if matches!(entity.kind, EntityKind::Object { .. }) {
            // Also what is only seen, and the hollow of a shoe or bowl.
            let (c, half) = (entity.local_bounds.center(), entity.local_bounds.half());
            solids.push(Solid {
                pose: pose * Pose3::translation(c.x, c.y, c.z),
                half,
            });
        }
        solids
    }

    fn put(&mut self, index: usize, pose: Pose3) {
        self.state.poses[index] = pose;
        self.solids[index] = self.solids_at(index, &pose);
    }

    /// Decides and carries out one operation; `seed` decides what it leaves open.
    ///
    /// # Errors
    /// Why it cannot be: one sentence that says what to do instead.
    pub fn apply(&mut self, operation: &Operation, seed: u64) -> Result<ResolvedKind, String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match operation {
            Operation::Remove { object } => {
                let i = self.free_object(object)?;
                self.state.present[i] = false;
                self.solids[i].clear();
                Ok(ResolvedKind::Remove {
                    entity: EntityId(i as u32),
                })
            }
            Operation::Move { object, to } => {
                let i = self.free_object(object)?;
                let pose = self.find_spot(&self.entity(i).local_bounds.clone(), Some(i), to, &mut rng)?;
                self.put(i, pose);
                Ok(ResolvedKind::Move {
                    entity: EntityId(i as u32),
                    pose,
                })
            }
            Operation::Add { class, to } => {
                let Some(mut entity) = object_entity(class, rng.next_u64()) else {
                    return Err(format!(
                        "`{class}` is not a class of small objects; see the catalogue"
                    ));
                };
                entity.pose = self.find_spot(&entity.local_bounds, None, to, &mut rng)?;
                entity.id = EntityId(self.count() as u32);
                let name = (1..).map(|n| format!("{class}_{n}"));
                let taken = |name: &String| self.entities().any(|e| e.name == *name);
                entity.name = name.into_iter().find(|n| !taken(n)).unwrap_or_default();
                self.added.push(entity.clone());
                self.state.poses.push(entity.pose);
                self.state.present.push(true);
                let i = self.count() - 1;
                self.solids.push(self.solids_at(i, &entity.pose));
                Ok(ResolvedKind::Add {
                    entity: Box::new(entity),
                })
            }
            Operation::Open { part } => self.set_part(part, true),
            Operation::Close { part } => self.set_part(part, false),
        }
    }

    fn index_of(&self, name: &str) -> Result<usize, String> {
        let found = self.entities().position(|e| e.name == name);
        found.ok_or_else(|| format!("the home has no `{name}`; see `steward sim new` for its names"))
    }

    /// A small object that is there and carries nothing.
    fn free_object(&self, name: &str) -> Result<usize, String> {
        let i = self.index_of(name)?;
        if !matches!(self.entity(i).kind, EntityKind::Object { .. }) {
            return Err(format!("`{name}` is not a small object; choose one"));
        }
        if !self.state.present[i] {
            return Err(format!("`{name}` is not there any more; choose another"));
        }
        let own = self.bounds(i);
        let rests_on_it = |j: usize| {
            let other = self.bounds(j);
            let c = other.center();
            let above = other.min.z > own.min.z + 0.005 && other.min.z < own.max.z + 0.03;
            above && (own.min.x..=own.max.x).contains(&c.x) && (own.min.y..=own.max.y).contains(&c.y)
        };
        let carried = self.objects().find(|&j| j != i && rests_on_it(j));
        match carried {
            Some(j) => Err(format!(
                "`{}` rests on `{name}`; move it first",
                self.entity(j).name
            )),
            None => Ok(i),
        }
    }

    /// Small objects that are there.
    fn objects(&self) -> impl Iterator<Item = usize> {
        let object =
            |i: &usize| self.state.present[*i] && matches!(self.entity(*i).kind, EntityKind::Object { .. });
        (0..self.count()).filter(object)
    }

    fn bounds(&self, index: usize) -> Aabb {
        self.entity(index).world_bounds(&self.state.poses[index])
    }

    /// Position of a part's joint.
    pub(super) fn position(&self, index: usize) -> Option<(f64, &PartJoint)> {
        let entity = self.entity(index);
        let EntityKind::Part(joint) = &entity.kind else {
            return None;
        };
        let moved = entity.pose.inverse() * self.state.poses[index];
        let position = if joint.prismatic {
            moved.translation.vector.dot(&joint.axis)
        } else {
            moved.rotation.scaled_axis().dot(&joint.axis)
        };
        Some((position, joint))
    }

    /// Whether a part is open enough to reach in.
    pub(super) fn is_open(&self, part: EntityId) -> bool {
        self.position(part.0 as usize)
            .is_some_and(|(p, j)| p >= j.upper * OPEN_SHARE)
    }

    fn set_part(&mut self, name: &str, open: bool) -> Result<ResolvedKind, String> {
        let i = self.index_of(name)?;
        let Some((from, joint)) = self.position(i) else {
            return Err(format!(
                "`{name}` does not open or close; choose a door, drawer or lid"
            ));
        };
        let joint = joint.clone();
        let to = if open { joint.upper } else { 0.0 };
        if open && from >= joint.upper * OPEN_SHARE {
            return Err(format!("`{name}` is open already"));
        }
        if !open && from <= joint.upper * CLOSED_SHARE {
            return Err(format!("`{name}` is closed already"));
        }
        // What lies in a drawer goes with it.
        let entity = self.entity(i);
        let here = self.state.poses[i];
        let inside = |j: usize| {
            let c = here.inverse() * self.bounds(j).center();
            entity
                .cavities
                .iter()
                .any(|cavity| cavity.bounds.inflated(GAP_M).contains(&c))
        };
        let riders: Vec<usize> = self.objects().filter(|&j| inside(j)).collect();
        let pose_at = |position: f64| entity.pose * joint.closed_from_position(position);
        let obstacles: Vec<usize> = self.objects().filter(|j| !riders.contains(j)).collect();
        for step in 1..=SWEEP_STEPS {
            let position = from + (to - from) * step as f64 / SWEEP_STEPS as f64;
            let moved = self.solids_at(i, &pose_at(position));
            for &j in &obstacles {
                let before = self.solids[i]
                    .iter()
                    .any(|a| self.solids[j].iter().any(|b| a.overlaps(b)));
                let hit = moved.iter().any(|a| self.solids[j].iter().any(|b| a.overlaps(b)));
                if hit && !before {
                    return Err(format!("`{}` is in the way of `{name}`", self.entity(j).name));
                }
            }
        }
        let (then, id) = (pose_at(to), entity.id);
        let carry = then * here.inverse();
        for j in riders {
            self.put(j, carry * self.state.poses[j]);
        }
        self.put(i, then);
        Ok(ResolvedKind::SetPart {
            part: id,
            position: to,
        })
    }

    /// Rectangles of an entity, its open shelves and its hollows.
    fn supports_of(&self, index: usize) -> Vec<Support> {
        let entity = self.entity(index);
        if !self.state.present[index] || matches!(entity.kind, EntityKind::Object { .. }) {
            return Vec::new();
        }
        let drawer = match &entity.kind {
            EntityKind::Part(joint) if joint.prismatic => Some(entity.id),
            _ => None,
        };
        let world_from_entity = self.state.poses[index];
        let mut supports: Vec<Support> = entity
            .surfaces
            .iter()
            .map(|s| {
                let point = Point3::from(s.pose.translation.vector);
                let cavity = entity
                    .cavities
                    .iter()
                    .find(|c| c.bounds.inflated(0.02).contains(&point));
                Support {
                    name: format!("{}/{}", entity.name, s.name),
                    pose: world_from_entity * s.pose,
                    half: s.half,
                    clearance_m: s.clearance_m,
                    door: cavity.and_then(|c| c.door.or(drawer)),
                }
            })
            .collect();
        for (n, cavity) in entity.cavities.iter().enumerate() {
            let holds = |s: &crate::model::Surface| {
                cavity
                    .bounds
                    .inflated(0.02)
                    .contains(&Point3::from(s.pose.translation.vector))
            };
            if entity.surfaces.iter().any(holds) {
                continue;
            }
            let (b, half) = (&cavity.bounds, cavity.bounds.half());
            let bottom = Pose3::translation(b.center().x, b.center().y, b.min.z);
            supports.push(Support {
                name: format!("{}/inside_{}", entity.name, n + 1),
                pose: world_from_entity * bottom,
                half: [half.x, half.y],
                clearance_m: 2.0 * half.z,
                door: cavity.door.or(drawer),
            });
        }
        supports
    }

    /// Every rectangle of furniture and parts.
    pub(super) fn supports(&self) -> Vec<Support> {
        let furniture =
            |i: &usize| matches!(self.entity(*i).kind, EntityKind::Furniture | EntityKind::Part(_));
        (0..self.count())
            .filter(furniture)
            .flat_map(|i| self.supports_of(i))
            .collect()
    }

    /// A free pose for something with these bounds.
    fn find_spot(
        &self,
        bounds: &Aabb,
        moved: Option<usize>,
        spot: &Spot,
        rng: &mut ChaCha8Rng,
    ) -> Result<Pose3, String> {
        let owner = spot.place.split('/').next().unwrap_or_default();
        let mut supports = self.supports_of(self.index_of(owner)?);
        if owner != spot.place {
            supports.retain(|s| s.name == spot.place);
        }
        if supports.is_empty() {
            return Err(format!("nothing can be put on or into `{}`", spot.place));
        }
        let shut = |s: &Support| s.door.filter(|&d| !self.is_open(d));
        if let Some(door) = supports.iter().find_map(shut) {
            supports.retain(|s| shut(s).is_none());
            if supports.is_empty() {
                let name = &self.entity(door.0 as usize).name;
                return Err(format!("`{name}` is closed; open it first"));
            }
        }
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let tries = if spot.xy_m.is_some() && spot.yaw_rad.is_some() {
            supports.len()
        } else {
            TRIES
        };
        for k in 0..tries {
            let support = if spot.xy_m.is_some() {
                &supports[k % supports.len()]
            } else {
                &supports[((uniform() * supports.len() as f64) as usize).min(supports.len() - 1)]
            };
            let yaw = spot
                .yaw_rad
                .unwrap_or_else(|| (uniform() - 0.5) * std::f64::consts::TAU);
            let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
            let (s, c) = (yaw.sin().abs(), yaw.cos().abs());
            let half = bounds.half();
            let turned = [c * half.x + s * half.y, s * half.x + c * half.y];
            let room = [0, 1].map(|i| support.half[i] - turned[i] - GAP_M);
            if room[0] < 0.0 || room[1] < 0.0 || 2.0 * half.z + GAP_M > support.clearance_m {
                continue;
            }
            let [x, y] = spot
                .xy_m
                .unwrap_or_else(|| room.map(|r| (uniform() * 2.0 - 1.0) * r));
            if x.abs() > room[0] || y.abs() > room[1] {
                continue;
            }
            // The middle of the underside comes to rest at (x, y).
            let middle = bounds.center();
            let foot = turn * Vector3::new(middle.x, middle.y, bounds.min.z);
            let at = Vector3::new(x, y, DROP_M) - foot;
            let pose = support.pose * Pose3::from_parts(at.into(), turn);
            if self.is_free(bounds, &pose, moved) {
                return Ok(pose);
            }
        }
        Err(format!(
            "no free spot for it on `{}`; choose another place",
            spot.place
        ))
    }

    fn is_free(&self, bounds: &Aabb, pose: &Pose3, moved: Option<usize>) -> bool {
        let c = bounds.center();
        let half = bounds.half();
        // Grown sideways; cut at the bottom, where it touches what it stands on.
        let lift = DROP_M;
        let candidate = Solid {
            pose: pose * Pose3::translation(c.x, c.y, c.z + lift * 0.5),
            half: Vector3::new(
                half.x + GAP_M * 0.8,
                half.y + GAP_M * 0.8,
                (half.z - lift * 0.5).max(0.001),
            ),
        };
        let hit = |(i, solids): (usize, &Vec<Solid>)| {
            Some(i) != moved && solids.iter().any(|s| s.overlaps(&candidate))
        };
        !self.solids.iter().enumerate().any(hit)
    }
}

impl ChangeScript {
    /// Plays the script through on a home as it is at the start and says what happens when.
    ///
    /// On `Ok`: everything named exists at that time, what is put down touches nothing but what it stands on
    /// and is inside the border of a surface or hollow, no container is shut when something is put into it, and
    /// no part sweeps over an object.
    ///
    /// # Errors
    /// [`Error::Change`] naming the first change that cannot be.
    pub fn resolve(&self, home: &Home) -> Result<Vec<ResolvedChange>> {
        let mut stage = ChangeStage::new(home);
        let mut resolved = Vec::with_capacity(self.changes.len());
        for (index, change) in self.changes.iter().enumerate() {
            let kind = stage
                .apply(&change.operation, self.operation_seed(index))
                .map_err(|problem| Error::Change {
                    index,
                    operation: change.operation.to_string(),
                    problem,
                })?;
            resolved.push(ResolvedChange {
                at: Time::from_secs_f64(change.at_s),
                kind,
            });
        }
        Ok(resolved)
    }

    /// What decides the open questions of one change.
    pub(super) fn operation_seed(&self, index: usize) -> u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index as u64 + 1);
        rng.next_u64()
    }
}
