//! From a perfect image to what a camera and a detector deliver: exposure, noise, blur, holes in the depth,
//! missed and mistaken instances, lost and late frames. Every imperfection can be switched off, and all of
//! them follow from one seed.

mod color;
mod config;
mod depth;
mod labels;
mod noise;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use steward_core::Duration;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Vector3;
use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::Header;

use crate::Result;
use crate::render::{PixelId, Rendered};

pub use config::CameraSensorConfig;

use color::Exposure;
use noise::NoiseTable;

/// What becomes of a frame on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFate {
    /// Arrives at once.
    Deliver,
    /// Never arrives.
    Drop,
    /// Arrives later.
    Delay(Duration),
}

/// How a camera moves while it exposes, in its optical frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraMotion {
    /// Metres per second.
    pub linear_m_s: Vector3,
    /// Radians per second.
    pub angular_rad_s: Vector3,
}

/// One exposure and what a detector says about it; colour and labels have the same stamp and frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Colour and depth.
    pub frame: RgbdFrame,
    /// Instances.
    pub segmentation: Segmentation,
    /// Whether the two arrive.
    pub fate: FrameFate,
}

/// A camera with its imperfections.
#[derive(Debug, Clone)]
pub struct CameraSensor {
    config: CameraSensorConfig,
    rng: ChaCha8Rng,
    table: NoiseTable,
    exposure: Exposure,
}

impl CameraSensor {
    /// A camera; everything random in it follows from `seed`.
    ///
    /// # Errors
    /// As [`CameraSensorConfig::validate`].
    pub fn new(config: CameraSensorConfig, seed: u64) -> Result<Self> {
        config.validate()?;
        Ok(CameraSensor {
            config,
            rng: ChaCha8Rng::seed_from_u64(seed),
            table: NoiseTable::new(),
            exposure: Exposure::new(),
        })
    }

    /// Takes one image: `rendered` must have been drawn for `camera`. `motion` blurs its colours, which stay as they are
    /// where `color` says that nobody wants them; `class_of` gives the
    /// class that a detector reports for an id, `None` for what it has no name for. The robot's links count as
    /// one instance.
    pub fn capture(
        &mut self,
        header: Header,
        rendered: &Rendered,
        color: bool,
        motion: Option<&CameraMotion>,
        camera: &CameraIntrinsics,
        class_of: impl Fn(PixelId) -> Option<String>,
    ) -> Capture {
        // One generator per frame: what happens to one image does not depend on what was in the last.
        let mut rng = ChaCha8Rng::seed_from_u64(self.rng.next_u64());
        let fate = self.fate(&mut rng);
        // Of its own, so that depth is the same with colours and without.
        let mut color_rng = ChaCha8Rng::seed_from_u64(rng.next_u64());
        let color = if color {
            self.exposure.expose(
                &self.config,
                &self.table,
                &mut color_rng,
                rendered,
                motion,
                camera,
            )
        } else {
            rendered.color.clone()
        };
        let depth = depth::measure(&self.config, &self.table, &mut rng, rendered, camera);
        let (labels, detections) = labels::detect(&self.config, &mut rng, &rendered.ids, class_of);
        Capture {
            frame: RgbdFrame {
                header: header.clone(),
                camera: *camera,
                color: Arc::new(color),
                depth: Arc::new(depth),
            },
            segmentation: Segmentation {
                header,
                labels: Arc::new(labels),
                detections,
            },
            fate,
        }
    }

    fn fate(&self, rng: &mut ChaCha8Rng) -> FrameFate {
        let (dropped, late) = (noise::uniform(rng), noise::uniform(rng));
        let share = noise::uniform(rng);
        if dropped < self.config.drop_probability {
            FrameFate::Drop
        } else if late < self.config.delay_probability {
            FrameFate::Delay(Duration::from_secs_f64(share * self.config.max_delay_s))
        } else {
            FrameFate::Deliver
        }
    }
}
