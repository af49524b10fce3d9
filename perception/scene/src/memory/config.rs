use serde::{Deserialize, Serialize};

use crate::articulation::ArticulationConfig;
use crate::error::check_range;
use crate::{Error, Result};

/// Settings of [`super::ObjectMemory`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Classes that are part of the building or the robot and are not remembered.
    pub ignored_classes: Vec<String>,
    /// Detections below this score are not used, 0 to 1.
    pub min_score: f64,
    /// Masks with fewer pixels are not used.
    pub min_pixels: usize,
    /// Most points taken from one mask of one frame.
    pub max_points: usize,
    /// Depth below this is not used, metres.
    pub min_depth_m: f64,
    /// Depth above this is not used, metres.
    pub max_depth_m: f64,
    /// Upward-facing surfaces are measured up to this depth, metres; normals get too noisy further away.
    pub surface_depth_m: f64,
    /// Smallest area of a surface for things to stand on, square metres.
    pub surface_min_area_m2: f64,
    /// Things longer than this are gathered point by point over many views, shorter ones are measured whole
    /// in each view, metres.
    pub large_m: f64,
    /// Grid that thins the points of large things, metres.
    pub voxel_m: f64,
    /// Most grid cells kept for one thing.
    pub max_voxels: usize,
    /// Frames in which something must be seen before it is remembered.
    pub confirm_frames: u32,
    /// A small thing seen this close to a remembered one of its class is the same, metres. Covers the error of
    /// localisation and small pushes.
    pub same_place_m: f64,
    /// A thing displaced by more than this has moved, metres.
    pub moved_m: f64,
    /// Frames in which something must be absent, though it should be visible, before it is missing.
    pub missing_frames: u32,
    /// Something is expected to be visible only where it would cover this many pixels.
    pub expected_pixels: f64,
    /// Something is expected to be visible only up to this depth, metres.
    pub expected_depth_m: f64,
    /// Something is expected to be visible only this far inside the image's border, pixels.
    pub expected_margin_px: f64,
    /// What is between the fingers lies this close to the grasp centre, metres.
    pub grasp_reach_m: f64,
    /// The fingers must be without contact for this long before what they held counts as released, seconds.
    pub release_s: f64,
    /// Most things remembered; the longest unseen missing ones go first.
    pub max_objects: usize,
    /// How parts that open are estimated.
    pub articulation: ArticulationConfig,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        MemoryConfig {
            ignored_classes: ["wall", "floor", "ceiling", "door_frame", super::ROBOT_CLASS]
                .map(str::to_owned)
                .to_vec(),
            min_score: 0.3,
            min_pixels: 12,
            max_points: 500,
            min_depth_m: 0.2,
            max_depth_m: 6.0,
            surface_depth_m: 3.0,
            surface_min_area_m2: 0.02,
            large_m: 0.45,
            voxel_m: 0.04,
            max_voxels: 4000,
            confirm_frames: 2,
            same_place_m: 0.2,
            moved_m: 0.12,
            missing_frames: 3,
            expected_pixels: 30.0,
            expected_depth_m: 4.0,
            expected_margin_px: 8.0,
            grasp_reach_m: 0.08,
            release_s: 0.3,
            max_objects: 400,
            articulation: ArticulationConfig::default(),
        }
    }
}

impl MemoryConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the field that is out of range.
    pub fn validate(&self) -> Result<()> {
        check_range("memory.min_depth_m", self.min_depth_m, 0.0, 5.0)?;
        check_range("memory.max_depth_m", self.max_depth_m, self.min_depth_m, 100.0)?;
        check_range("memory.surface_depth_m", self.surface_depth_m, 0.0, 100.0)?;
        check_range("memory.surface_min_area_m2", self.surface_min_area_m2, 0.0, 10.0)?;
        check_range("memory.large_m", self.large_m, 0.05, 10.0)?;
        check_range("memory.voxel_m", self.voxel_m, 0.004, 0.5)?;
        check_range("memory.same_place_m", self.same_place_m, 0.0, 2.0)?;
        check_range("memory.moved_m", self.moved_m, 0.0, 2.0)?;
        check_range("memory.expected_pixels", self.expected_pixels, 0.0, 1e6)?;
        check_range("memory.expected_depth_m", self.expected_depth_m, 0.0, 100.0)?;
        check_range("memory.expected_margin_px", self.expected_margin_px, -0.5, 1e4)?;
        check_range("memory.grasp_reach_m", self.grasp_reach_m, 0.0, 1.0)?;
        check_range("memory.release_s", self.release_s, -1e-9, 60.0)?;
        check_range("memory.min_score", self.min_score, -1e-9, 1.0)?;
        for (field, value, most) in [
            ("memory.min_pixels", self.min_pixels, 1_000_000),
            ("memory.max_points", self.max_points, 100_000),
            ("memory.max_voxels", self.max_voxels, 1_000_000),
            ("memory.max_objects", self.max_objects, 100_000),
            ("memory.confirm_frames", self.confirm_frames as usize, 1000),
            ("memory.missing_frames", self.missing_frames as usize, 1000),
        ] {
            if value == 0 || value > most {
                return Err(Error::BadConfig {
                    field,
                    reason: format!("{value} must be between 1 and {most}"),
                });
            }
        }
        self.articulation.validate()
    }
}
