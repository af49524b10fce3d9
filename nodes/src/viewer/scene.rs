//! The map, the obstacles, the way driven, and what is remembered.

use rerun::{
    Arrows3D, Boxes3D, Color, CoordinateFrame, FillMode, GridMap, ImageFormat, LineStrips3D, Points3D,
};
use steward_core::geometry::{Pose3, Vector3};
use steward_core::messages::{
    CellState, ObstacleCloud, OccupancyGrid, Presence, RelationKind, SceneGraph, SceneObject,
};
use steward_core::{Duration, Time, frames};

use super::{Classes, Log, class_color, robot::quaternion};
use crate::error::Result;

/// The way driven is drawn anew this often.
const PATH_PERIOD: Duration = Duration::from_secs(1);
/// Distance between two points of the way, metres.
const PATH_STEP_M: f64 = 0.03;

#[derive(Default)]
pub(super) struct Scene {
    in_map: bool,
    classes: Classes,
    path: Vec<[f32; 3]>,
    path_logged: Time,
}

impl Scene {
    /// Says once that all of this is in the frame `map`.
    fn place(&mut self, log: &Log) -> Result<()> {
        if !self.in_map {
            for entity in ["", "/map", "/obstacles", "/path", "/objects", "/relations"] {
                log.forever(format!("world{entity}"), &CoordinateFrame::new(frames::MAP))?;
            }
            self.in_map = true;
        }
        Ok(())
    }

    pub(super) fn grid(&mut self, log: &Log, m: &OccupancyGrid) -> Result<()> {
        self.place(log)?;
        // Images run from the top, the grid from the bottom.
        let pixels: Vec<u8> = (0..m.height)
            .rev()
            .flat_map(|row| (0..m.width).map(move |column| (column, row)))
            .flat_map(|(column, row)| match m.state(column, row) {
                CellState::Unknown => [0, 0, 0, 0],
                CellState::Free => [225, 228, 232, 255],
                CellState::Occupied => [45, 50, 62, 255],
            })
            .collect();
        let grid = GridMap::new(
            pixels,
            ImageFormat::rgba8([m.width, m.height]),
            m.resolution_m as f32,
        )
        .with_translation([m.origin.x_m as f32, m.origin.y_m as f32, 0.0]);
        log.now("world/map", &grid)
    }

    pub(super) fn obstacles(&mut self, log: &Log, m: &ObstacleCloud) -> Result<()> {
        self.place(log)?;
        let positions = m.points.iter().map(|p| [p.x as f32, p.y as f32, p.z as f32]);
        let colors = m.points.iter().map(|p| {
            let height = (p.z / 2.0).clamp(0.0, 1.0) as f32;
            Color::from_rgb((60.0 + 150.0 * height) as u8, 120, (200.0 - 120.0 * height) as u8)
        });
        let radius = 0.3 * m.voxel_m as f32;
        log.now(
            "world/obstacles",
            &Points3D::new(positions).with_colors(colors).with_radii([radius]),
        )
    }

    pub(super) fn odometry(&mut self, log: &Log, now: Time, map_from_base: &Pose3) -> Result<()> {
        self.place(log)?;
        let at = map_from_base.translation.vector;
        if !at.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        let moved = self.path.last().is_none_or(|last| {
            let last = Vector3::new(f64::from(last[0]), f64::from(last[1]), at.z);
            (last - at).norm() > PATH_STEP_M
        });
        if moved {
            self.path.push([at.x as f32, at.y as f32, 0.02]);
            if now - self.path_logged >= PATH_PERIOD {
                self.path_logged = now;
                let strip = LineStrips3D::new([self.path.clone()])
                    .with_colors([Color::from_rgb(255, 150, 30)])
                    .with_radii([0.012]);
                return log.now("world/path", &strip);
            }
        }
        Ok(())
    }

    pub(super) fn graph(&mut self, log: &Log, m: &SceneGraph) -> Result<()> {
        self.place(log)?;
        let finite = |o: &&SceneObject| {
            o.shape
                .center
                .iter()
                .chain(o.shape.half.iter())
                .all(|x| x.is_finite())
        };
        let objects: Vec<&SceneObject> = m.objects.iter().filter(finite).collect();
        let colors: Vec<Color> = objects
            .iter()
            .map(|o| {
                let [r, g, b] = class_color(self.classes.number(&o.class).0);
                match o.presence {
                    Presence::Missing => Color::from_unmultiplied_rgba(150, 150, 150, 90),
                    _ => Color::from_rgb(r, g, b),
                }
            })
            .collect();
        let labels = objects.iter().map(|o| match o.presence {
            Presence::Present => format!("{} {}", o.class, o.id),
            Presence::Held => format!("{} {} (held)", o.class, o.id),
            Presence::Missing => format!("{} {} (missing)", o.class, o.id),
        });
        let vector = |v: &Vector3| [v.x as f32, v.y as f32, v.z as f32];
        let boxes = Boxes3D::from_centers_and_half_sizes(
            objects.iter().map(|o| vector(&o.shape.center.coords)),
            objects.iter().map(|o| vector(&o.shape.half)),
        )
        .with_quaternions(objects.iter().map(|o| quaternion(&o.shape.pose().rotation)))
        .with_colors(colors)
        .with_labels(labels)
        .with_fill_mode(FillMode::DenseWireframe);
        log.now("world/objects", &boxes)?;

        // `near` would cover the picture with arrows.
        let center = |id| objects.iter().find(|o| o.id == id).map(|o| o.shape.center.coords);
        let arrows: Vec<_> = m
            .relations
            .iter()
            .filter(|r| r.kind != RelationKind::Near)
            .filter_map(|r| Some((center(r.subject)?, center(r.object)?, r.kind)))
            .collect();
        let arrows = Arrows3D::from_vectors(arrows.iter().map(|(from, to, _)| vector(&(to - from))))
            .with_origins(arrows.iter().map(|(from, _, _)| vector(from)))
            .with_labels(arrows.iter().map(|(_, _, kind)| kind.to_string()))
            .with_radii([0.008])
            .with_colors([Color::from_rgb(240, 220, 90)]);
        log.now("world/relations", &arrows)
    }
}
