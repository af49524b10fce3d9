//! The robot's cameras: when they expose, what they see, when it arrives.

use serde::{Deserialize, Serialize};
use steward_core::Time;
use steward_core::camera::{CameraIntrinsics, MAX_IMAGE_SIDE};
use steward_core::geometry::Pose3;
use steward_core::messages::Header;

use crate::camera::{CameraMotion, CameraSensor, CameraSensorConfig, Capture, FrameFate};
use crate::model::Entity;
use crate::physics::{Physics, STEP_S};
use crate::render::{PixelId, RenderOptions, Renderer};
use crate::{Error, Result};

/// One RGB-D camera.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CameraConfig {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Horizontal field of view, radians.
    pub horizontal_fov_rad: f64,
    /// Images per second; 0: switched off.
    pub rate_hz: f64,
    /// Lamps cast shadows in the image.
    pub shadows: bool,
    /// Colour is drawn; images are black otherwise, for runs in which nothing looks at it.
    pub color: bool,
}

impl Default for CameraConfig {
    fn default() -> Self {
        CameraConfig {
            width: 320,
            height: 240,
            horizontal_fov_rad: 75f64.to_radians(),
            rate_hz: 5.0,
            shadows: true,
            color: true,
        }
    }
}

impl CameraConfig {
    /// The same camera, switched off.
    pub fn off() -> Self {
        CameraConfig {
            rate_hz: 0.0,
            ..CameraConfig::default()
        }
    }

    /// # Errors
    /// [`Error::BadConfig`] for a size, field of view or rate that no camera has.
    pub fn validate(&self) -> Result<()> {
        for (field, side) in [("width", self.width), ("height", self.height)] {
            if !(1..=MAX_IMAGE_SIDE).contains(&side) {
                return Err(Error::bad_config(field, side, "use between 1 and 16384 pixels"));
            }
        }
        if !(0.1..=2.9).contains(&self.horizontal_fov_rad) {
            let value = self.horizontal_fov_rad;
            return Err(Error::bad_config(
                "horizontal_fov_rad",
                value,
                "use between 0.1 and 2.9 radians",
            ));
        }
        if !(self.rate_hz == 0.0 || (0.01..=100.0).contains(&self.rate_hz)) {
            return Err(Error::bad_config(
                "rate_hz",
                self.rate_hz,
                "use 0 (off) or between 0.01 and 100",
            ));
        }
        Ok(())
    }

    pub(super) fn period(&self) -> Option<steward_core::Duration> {
        (self.rate_hz > 0.0).then(|| steward_core::Duration::from_rate_hz(self.rate_hz))
    }
}

/// A camera on a link.
pub(super) struct Camera {
    config: CameraConfig,
    intrinsics: CameraIntrinsics,
    sensor: CameraSensor,
    frame: &'static str,
    link: usize,
    /// Where it was one step ago, for the motion blur.
    world_from_camera_before: Pose3,
    late: Vec<(Time, Capture)>,
    lost: u64,
}

impl Camera {
    pub(super) fn new(
        config: &CameraConfig,
        sensor: &CameraSensorConfig,
        frame: &'static str,
        physics: &Physics,
        seed: u64,
    ) -> Result<Self> {
        let link = physics.robot().model().link_index(frame)?;
        Ok(Camera {
            intrinsics: CameraIntrinsics::from_horizontal_fov(
                config.width,
                config.height,
                config.horizontal_fov_rad,
            ),
            sensor: CameraSensor::new(sensor.clone(), seed)?,
            frame,
            link,
            world_from_camera_before: physics.robot().link_poses()[link],
            late: Vec::new(),
            lost: 0,
            config: config.clone(),
        })
    }

    pub(super) fn config(&self) -> &CameraConfig {
        &self.config
    }

    /// Images that never arrived so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Exposes now if `due`, and returns everything that arrives now. To be called every step.
    pub(super) fn step(
        &mut self,
        now: Time,
        due: bool,
        physics: &Physics,
        renderer: &mut Renderer,
    ) -> Vec<Capture> {
        let world_from_camera = physics.robot().link_poses()[self.link];
        if due {
            self.expose(now, &world_from_camera, physics, renderer);
        }
        self.world_from_camera_before = world_from_camera;
        let (arrived, late) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = late;
        let arrived: Vec<(Time, Capture)> = arrived;
        arrived.into_iter().map(|(_, capture)| capture).collect()
    }

    fn expose(&mut self, now: Time, world_from_camera: &Pose3, physics: &Physics, renderer: &mut Renderer) {
        let options = RenderOptions {
            shadows: self.config.shadows,
            color: self.config.color,
            ..RenderOptions::default()
        };
        let rendered = renderer.render(
            &physics.world_state(),
            physics.robot().link_poses(),
            &self.intrinsics,
            world_from_camera,
            &options,
        );
        let before_from_now = self.world_from_camera_before.inverse() * world_from_camera;
        let motion = CameraMotion {
            linear_m_s: before_from_now.translation.vector / STEP_S,
            angular_rad_s: before_from_now.rotation.scaled_axis() / STEP_S,
        };
        let capture = self.sensor.capture(
            Header::new(now, self.frame),
            &rendered,
            self.config.color,
            Some(&motion),
            &self.intrinsics,
            |id| class_of(physics.entities(), id),
        );
        match capture.fate {
            FrameFate::Deliver => self.late.push((now, capture)),
            FrameFate::Delay(by) => self.late.push((now + by, capture)),
            FrameFate::Drop => self.lost += 1,
        }
    }
}

/// The class that a detector reports.
fn class_of(entities: &[Entity], id: PixelId) -> Option<String> {
    match id {
        PixelId::None => None,
        PixelId::Entity(e) => entities.get(e.0 as usize).map(|e| e.class.clone()),
        PixelId::Labelled { entity, visual } => {
            let entity = entities.get(entity.0 as usize)?;
            let label = entity.visuals.get(visual as usize)?.label.clone();
            Some(label.unwrap_or_else(|| entity.class.clone()))
        }
        PixelId::Robot { .. } => Some("robot".into()),
    }
}
