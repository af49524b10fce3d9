//! Where the robot stands: corrects the drift of the wheels by matching scans to a map of upright structure.
//!
//! The map holds, per 5 cm cell, the mean of the structure points that fell into it and the side it was seen
//! from, so that the two faces of a wall stay apart. A scan is matched by point-to-line Gauss-Newton (Censi,
//! *An ICP variant using a point-to-line metric*, ICRA 2008) with the motion since the last scan as prior,
//! which makes the whole an extended Kalman filter on the pose. Where lines of one direction only are in view
//! the step along them is projected out (Zhang, Kaess, Singh, *On degeneracy of optimization-based state
//! estimation problems*, ICRA 2016), so a single wall corrects the distance to it and the heading, nothing
//! else. When a scan contradicts the map, a correlative search (Olson, *Real-time correlative scan matching*,
//! ICRA 2009) looks for a pose nearby that explains it and takes it only where it is unambiguous.

mod localizer;
mod structure;

pub use localizer::{LocalizationConfig, Localizer, MatchOutcome};
