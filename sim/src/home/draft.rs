//! Putting an entity together from shapes.

use std::sync::Arc;

use steward_core::geometry::{Aabb, Point3, Pose3, Rotation3, Vector3};

use crate::mesh::Mesh;
use crate::model::{
    Cavity, Collider, ColliderShape, Entity, EntityId, EntityKind, Material, Surface, Visual,
};
use crate::texture::{Pattern, texture};

/// A material and the length of one repetition of its texture.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    material: Material,
    /// Metres per repetition; `None` keeps texture coordinates as they are.
    repeat_m: Option<f64>,
}

impl Finish {
    /// A repeating pattern.
    pub(crate) fn pattern(pattern: Pattern, variant: u32, repeat_m: f64) -> Self {
        Finish {
            material: Material {
                texture: Some(texture(pattern, variant)),
                tint: [1.0; 3],
                opacity: 1.0,
            },
            repeat_m: Some(repeat_m),
        }
    }

    /// A print shown once per unit of texture coordinates.
    pub(crate) fn print(pattern: Pattern, variant: u32) -> Self {
        Finish {
            repeat_m: None,
            ..Finish::pattern(pattern, variant, 1.0)
        }
    }

    /// One colour, linear RGB.
    pub(crate) fn plain(tint: [f32; 3]) -> Self {
        Finish {
            material: Material {
                texture: None,
                tint,
                opacity: 1.0,
            },
            repeat_m: None,
        }
    }

    /// The same, coloured.
    pub(crate) fn tinted(mut self, tint: [f32; 3]) -> Self {
        self.material.tint = tint;
        self
    }

    /// The same as glass.
    pub(crate) fn glass(mut self, opacity: f32) -> Self {
        self.material.opacity = opacity;
        self
    }
}

/// An entity in the making, in its own frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    groups: Vec<(Material, Option<String>, Mesh)>,
    colliders: Vec<Collider>,
    surfaces: Vec<Surface>,
    cavities: Vec<Cavity>,
}

/// A vector, shorter.
pub(crate) fn v(x: f64, y: f64, z: f64) -> Vector3 {
    Vector3::new(x, y, z)
}

/// A rotation about z.
pub(crate) fn about_z(angle_rad: f64) -> Rotation3 {
    Rotation3::from_axis_angle(&Vector3::z_axis(), angle_rad)
}

/// A pose from a position and a heading.
pub(crate) fn pose(x: f64, y: f64, z: f64, yaw_rad: f64) -> Pose3 {
    Pose3::from_parts(v(x, y, z).into(), about_z(yaw_rad))
}

impl Draft {
    pub(crate) fn new() -> Self {
        Draft::default()
    }

    /// Adds triangles that are seen but not touched.
    pub(crate) fn mesh(&mut self, mesh: Mesh, at: Pose3, finish: &Finish) -> &mut Self {
        self.labelled(mesh, at, finish, None)
    }

    fn labelled(&mut self, mesh: Mesh, at: Pose3, finish: &Finish, label: Option<&str>) -> &mut Self {
        let mesh = match finish.repeat_m {
            Some(repeat) => mesh.with_uv_scale(1.0 / repeat),
            None => mesh,
        }
        .transformed(&at);
        let same = |m: &Material| {
            m.tint == finish.material.tint
                && m.opacity == finish.material.opacity
                && match (&m.texture, &finish.material.texture) {
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                    (None, None) => true,
                    _ => false,
                }
        };
        match self
            .groups
            .iter_mut()
            .find(|(m, l, _)| same(m) && l.as_deref() == label)
        {
            Some((_, _, group)) => group.merge(&mesh),
            None => self
                .groups
                .push((finish.material.clone(), label.map(str::to_owned), mesh)),
        }
        self
    }

    /// Adds a shape that is touched but not seen.
    pub(crate) fn solid(&mut self, shape: ColliderShape, at: Pose3) -> &mut Self {
        self.colliders.push(Collider { shape, pose: at });
        self
    }

    /// A box given by two corners, seen and touched.
    pub(crate) fn block(&mut self, min: Vector3, max: Vector3, finish: &Finish) -> &mut Self {
        let (center, half) = ((min + max) * 0.5, (max - min) * 0.5);
        let at = Pose3::translation(center.x, center.y, center.z);
        self.solid(ColliderShape::Cuboid { half }, at);
        self.mesh(Mesh::cuboid(half), at, finish)
    }

    /// A box given by two corners, seen only.
    pub(crate) fn trim(&mut self, min: Vector3, max: Vector3, finish: &Finish) -> &mut Self {
        let (center, half) = ((min + max) * 0.5, (max - min) * 0.5);
        self.mesh(
            Mesh::cuboid(half),
            Pose3::translation(center.x, center.y, center.z),
            finish,
        )
    }

    /// A box with rounded edges, seen and touched.
    pub(crate) fn soft(&mut self, min: Vector3, max: Vector3, radius_m: f64, finish: &Finish) -> &mut Self {
        let (center, half) = ((min + max) * 0.5, (max - min) * 0.5);
        let at = Pose3::translation(center.x, center.y, center.z);
        self.solid(ColliderShape::Cuboid { half }, at);
        self.mesh(Mesh::rounded_cuboid(half, radius_m), at, finish)
    }

    /// An upright cylinder standing at a point, seen and touched.
    pub(crate) fn post(&mut self, base: Vector3, radius_m: f64, height_m: f64, finish: &Finish) -> &mut Self {
        self.solid_post(base, radius_m, height_m);
        let segments = if radius_m < 0.03 { 8 } else { 20 };
        self.mesh(
            Mesh::cylinder(radius_m, height_m, segments),
            Pose3::translation(base.x, base.y, base.z),
            finish,
        )
    }

    /// An upright cylinder standing at a point, touched only.
    pub(crate) fn solid_post(&mut self, base: Vector3, radius_m: f64, height_m: f64) -> &mut Self {
        self.solid(
            ColliderShape::Cylinder {
                half_height_m: height_m * 0.5,
                radius_m,
            },
            Pose3::translation(base.x, base.y, base.z + height_m * 0.5),
        )
    }

    /// A handle: a bar of the given length along y or z in front (+x) of a panel at `panel`, or on top (+z) of
    /// it where `outward` says so, with two posts. Returns the middle of the bar.
    pub(crate) fn handle(
        &mut self,
        panel: Vector3,
        outward: Vector3,
        along: Vector3,
        length_m: f64,
        finish: &Finish,
    ) -> Vector3 {
        const THICK_M: f64 = 0.018;
        const GAP_M: f64 = 0.046;
        let bar = panel + outward * (GAP_M + THICK_M * 0.5);
        let across = outward.cross(&along).abs();
        let mut piece = |center: Vector3, half: Vector3| {
            let at = Pose3::translation(center.x, center.y, center.z);
            self.solid(ColliderShape::Cuboid { half }, at);
            self.labelled(Mesh::cuboid(half), at, finish, Some("handle"));
        };
        let thick = (across + outward.abs()) * (THICK_M * 0.5);
        piece(bar, thick + along.abs() * (length_m * 0.5));
        for side in [-1.0, 1.0] {
            let post = panel + outward * (GAP_M * 0.5) + along * (side * (length_m * 0.5 - 0.008));
            piece(
                post,
                across * 0.007 + along.abs() * 0.007 + outward.abs() * (GAP_M * 0.5),
            );
        }
        bar
    }

    /// A place to put things: a rectangle given by two corners at height `z`.
    pub(crate) fn surface(
        &mut self,
        name: &str,
        min: [f64; 2],
        max: [f64; 2],
        z: f64,
        clearance_m: f64,
    ) -> &mut Self {
        self.surfaces.push(Surface {
            name: name.to_owned(),
            pose: Pose3::translation((min[0] + max[0]) * 0.5, (min[1] + max[1]) * 0.5, z),
            half: [(max[0] - min[0]) * 0.5, (max[1] - min[1]) * 0.5],
            clearance_m,
        });
        self
    }

    /// A hollow behind the entity with this index in its group.
    pub(crate) fn cavity(&mut self, min: Vector3, max: Vector3, door: Option<u32>) -> &mut Self {
        self.cavities.push(Cavity {
            bounds: Aabb {
                min: Point3::from(min),
                max: Point3::from(max),
            },
            door: door.map(EntityId),
        });
        self
    }

    /// Shapes moved by a vector.
    pub(crate) fn shifted(mut self, by: Vector3) -> Self {
        let shift = Pose3::translation(by.x, by.y, by.z);
        for (_, _, mesh) in &mut self.groups {
            *mesh = std::mem::take(mesh).transformed(&shift);
        }
        for c in &mut self.colliders {
            c.pose = shift * c.pose;
        }
        for s in &mut self.surfaces {
            s.pose = shift * s.pose;
        }
        for c in &mut self.cavities {
            c.bounds = Aabb {
                min: c.bounds.min + by,
                max: c.bounds.max + by,
            };
        }
        self
    }

    /// The finished entity with index 0 at the origin.
    pub(crate) fn finish(self, class: &str, kind: EntityKind, mass_kg: f64, friction: f64) -> Entity {
        let bounds = self
            .groups
            .iter()
            .filter_map(|(_, _, mesh)| mesh.bounds(&Pose3::identity()))
            .reduce(|a, b| a.union(&b));
        Entity {
            id: EntityId(0),
            name: class.to_owned(),
            class: class.to_owned(),
            kind,
            pose: Pose3::identity(),
            visuals: self
                .groups
                .into_iter()
                .map(|(material, label, mesh)| Visual {
                    mesh: Arc::new(mesh),
                    material,
                    pose: Pose3::identity(),
                    label,
                })
                .collect(),
            colliders: self.colliders,
            local_bounds: bounds.unwrap_or(Aabb {
                min: Point3::origin(),
                max: Point3::origin(),
            }),
            mass_kg,
            friction,
            surfaces: self.surfaces,
            cavities: self.cavities,
        }
    }
}
