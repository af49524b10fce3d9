//! Everything that can be drawn, in world coordinates.

use std::sync::Arc;

use steward_core::geometry::Pose3;

use crate::mesh::Mesh;
use crate::model::{Entity, EntityKind, Visual, WorldState};

use super::ids::PixelId;
use super::project::Box3;
use super::texture::TextureStore;

/// Poses of things that move are rounded to this, so that the trembling of a physics engine does not redraw
/// shadows. Metres, and parts of a unit quaternion.
const POSE_STEP: f64 = 1.0 / 16_384.0;

/// What a part follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Index of an entity.
    Entity(usize),
    /// Index of a link of the robot.
    Link(usize),
}

/// One visual of an entity or of the robot.
#[derive(Debug)]
pub(super) struct Part {
    pub owner: Owner,
    /// Walls, floors, ceilings.
    pub is_structure: bool,
    pub is_ceiling: bool,
    /// A small thing, which is recognised even where it is of glass.
    pub is_object: bool,
    /// Structure or furniture.
    pub is_static: bool,
    /// Number in the id image.
    pub id: u32,
    pub mesh: Arc<Mesh>,
    /// Number of the texture.
    pub texture: Option<u32>,
    pub tint: [f32; 3],
    pub opacity: f32,
    owner_from_mesh: Pose3,
    /// Its owner's pose that `positions` and `normals` are for; `None` while absent.
    pose: Option<Pose3>,
    /// Grows with every change of `pose`.
    pub version: u32,
    /// In the world.
    pub positions: Vec<[f32; 3]>,
    pub normals: Vec<[f32; 3]>,
    pub bounds: Box3,
}

impl Part {
    pub(super) fn new(
        owner: Owner,
        id: PixelId,
        visual: &Visual,
        entity: Option<&Entity>,
        textures: &mut TextureStore,
    ) -> Self {
        let kind = entity.map(|e| &e.kind);
        let is_structure = matches!(kind, Some(EntityKind::Structure));
        Part {
            owner,
            is_structure,
            is_ceiling: entity.is_some_and(|e| e.class == "ceiling"),
            is_object: matches!(kind, Some(EntityKind::Object { .. })),
            is_static: is_structure || matches!(kind, Some(EntityKind::Furniture)),
            id: id.encode(),
            mesh: Arc::clone(&visual.mesh),
            texture: visual.material.texture.as_ref().map(|t| textures.number(t)),
            tint: visual.material.tint,
            opacity: visual.material.opacity,
            owner_from_mesh: visual.pose,
            pose: None,
            version: 0,
            positions: Vec::new(),
            normals: Vec::new(),
            bounds: Box3::EMPTY,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.pose.is_some()
    }

    pub(super) fn is_glass(&self) -> bool {
        self.opacity < 1.0
    }

    /// Brings the part to where its owner is.
    pub(super) fn update(&mut self, state: &WorldState, link_poses: &[Pose3]) {
        let pose = match self.owner {
            Owner::Entity(i) => match state.present.get(i) {
                Some(true) => state.poses.get(i),
                _ => None,
            },
            Owner::Link(i) => link_poses.get(i),
        };
        let finite = |p: &&Pose3| {
            p.translation
                .vector
                .iter()
                .chain(p.rotation.coords.iter())
                .all(|x| x.is_finite())
        };
        let pose = pose
            .filter(finite)
            .map(|p| if self.is_static { *p } else { rounded(p) });
        if pose == self.pose {
            return;
        }
        self.pose = pose;
        self.version += 1;
        self.positions.clear();
        self.normals.clear();
        self.bounds = Box3::EMPTY;
        let Some(pose) = pose else { return };
        let m = (pose * self.owner_from_mesh).to_homogeneous();
        let row = |i: usize| {
            [
                m[(i, 0)] as f32,
                m[(i, 1)] as f32,
                m[(i, 2)] as f32,
                m[(i, 3)] as f32,
            ]
        };
        let rows = [row(0), row(1), row(2)];
        let turn = |p: &[f32; 3]| rows.map(|r| r[0] * p[0] + r[1] * p[1] + r[2] * p[2]);
        for p in &self.mesh.positions {
            let q = turn(p);
            let q = [q[0] + rows[0][3], q[1] + rows[1][3], q[2] + rows[2][3]];
            self.bounds.grow(q);
            self.positions.push(q);
        }
        self.normals.extend(self.mesh.normals.iter().map(turn));
        self.normals.resize(self.positions.len(), [0.0, 0.0, 1.0]);
    }
}

fn rounded(pose: &Pose3) -> Pose3 {
    let round = |x: f64| (x / POSE_STEP).round() * POSE_STEP;
    // A rotation and its negative are the same turn; keep one of the two.
    let q = pose.rotation.coords;
    let sign = if q.w < 0.0 { -1.0 } else { 1.0 };
    let rotation = nalgebra::Quaternion::from_vector(q.map(|x| round(sign * x)));
    Pose3::from_parts(
        pose.translation.vector.map(round).into(),
        nalgebra::UnitQuaternion::new_normalize(rotation),
    )
}
