//! The floor the base may drive on, from depth images.
//!
//! ```text
//!   depth image ──► Scanner ──► Scan (obstacles, free floor, upright structure) ──► OccupancyMap
//!                                                                             └──► Localizer
//! ```
//!
//! Each depth image becomes a [`Scan`]: what was seen per bearing and distance around the camera. The scan is
//! then entered into a grid of log-odds after Thrun, Burgard, Fox, *Probabilistic Robotics* (2005), table 9.1,
//! with tight bounds so that what moved away is soon forgotten.

mod cells;
mod map;
mod scan;

pub(crate) use cells::{GrowingCells, check_pose};
pub use map::{OccupancyConfig, OccupancyMap};
pub use scan::{ExcludedBall, PixelCounts, Scan, ScanConfig, Scanner, StructurePoint};
pub(crate) use scan::{check_camera_pose, check_same_size};
