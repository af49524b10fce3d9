//! Maps made of 3D Gaussians, on the CPU: rendered, differentiated, fitted to RGB-D frames and edited.
//!
//! ```text
//!   RGB-D keyframes ──► mapping (seed) ──► GaussianMap ◄── edit, query, merge
//!          │                                 │    ▲
//!          └────────► fit (loss, Adam) ◄── engine └── densify, prune
//!                                       forward, backward
//! ```
//!
//! Conventions: the world frame is that of the poses given; cameras are optical frames (x right, y down, z forward)
//! with pixel centres at +0.5; colours are the image's own values (sRGB, not linearised) between 0 and 1; depth is
//! along the optical axis in metres. Nothing here reads a clock; seeds are passed in; results do not depend on the
//! number of threads.

pub mod calibrate;
pub mod camera;
#[cfg(feature = "cli")]
pub mod cli;
mod edit;
pub mod error;
pub mod eval;
pub mod fit;
pub mod io;
pub mod map;
mod math;
pub mod metrics;
pub mod query;
pub mod render;
pub mod subset;
pub mod synthetic;

pub use camera::View;
pub use error::{Error, Result};
pub use fit::{Budget, Event, Exposure, Fit, FitConfig, Keyframe};
pub use map::{Gaussian, GaussianMap, SplatId};
pub use render::{Engine, Gradients, ImageGradients, RenderOptions, Renderer, Rendering, Scope};
pub use subset::Subset;

/// The examples of the README, run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
