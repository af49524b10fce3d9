//! The colour camera of an RGB-D sensor whose colour and depth are not pixel by pixel of the same camera.
//!
//! Sensors with two cameras, or data sets that give only the depth camera's intrinsics (7-Scenes: 585 pixels of focal
//! length, but its colour camera has about 525), show the same place at different pixels of the two images, by tens of
//! pixels at the border. The colour camera is found from the frames themselves: a place measured by the depth of one frame
//! must have the same colour in this frame and in others. Focal length and principal point are estimated; the small
//! distance between the two cameras, weakly determined by this, is taken as zero. Depth is then looked up along the ray of
//! each colour pixel, which needs no warping because the centre is shared.
//!
//! Method: photometric alignment with robust weights as in Kerl, Sturm and Cremers, "Robust odometry estimation for RGB-D
//! cameras" (2013), over intrinsics instead of the motion; Levenberg-Marquardt after a scan of the focal length.

use std::sync::Arc;

use nalgebra as na;
use rayon::prelude::*;
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Point3;
use steward_core::image::Image;

use crate::io::rgbd::PosedImage;
use crate::{Error, Result};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Calibration {
    /// The colour camera.
    pub color: CameraIntrinsics,
    /// Mean difference in brightness (0 to 1) between two looks at a place, with the intrinsics given.
    pub residual_before: f64,
    /// The same with the colour camera found.
    pub residual_after: f64,
    /// Number of places compared.
    pub samples: usize,
}

impl Calibration {
    /// Whether the colour camera found explains the images so much better that it should be used: the residual falls by a
    /// tenth or more.
    pub fn is_better(&self) -> bool {
        self.residual_after < 0.9 * self.residual_before
    }

    /// The frame as seen by the colour camera, with depth along its pixels' rays.
    ///
    /// # Errors
    /// What building an image of the camera's size reports.
    pub fn apply(&self, frame: &PosedImage) -> Result<PosedImage> {
        let from = frame.view.camera;
        let to = self.color;
        let depth = match &frame.depth {
            Some(depth) => {
                let mut pixels = Vec::with_capacity(depth.data().len());
                for row in 0..to.height {
                    for column in 0..to.width {
                        let ray = to.pixel_ray(column, row);
                        let (u, v) = (from.fx * ray.x + from.cx, from.fy * ray.y + from.cy);
                        let at = (u >= 0.0 && v >= 0.0)
                            .then(|| depth.get(u as u32, v as u32))
                            .flatten();
                        pixels.push(at.copied().unwrap_or(f32::NAN));
                    }
                }
                Some(Arc::new(Image::new(to.width, to.height, pixels)?))
            }
            None => None,
        };
        let mut calibrated = frame.clone();
        calibrated.view.camera = to;
        calibrated.depth = depth;
        Ok(calibrated)
    }
}

/// Frames that places are taken from.
const ANCHORS: usize = 24;
/// Every so many pixels along both sides there is a sample.
const SPACING: usize = 8;
/// The second look is from a pose that differs by at least this angle or distance, ...
const MIN_ANGLE_RAD: f64 = 0.1;
const MIN_DISTANCE_M: f64 = 0.15;
/// ... and at most this angle.
const MAX_ANGLE_RAD: f64 = 0.5;
/// Differences of brightness above this are weighted less (Huber).
const HUBER: f64 = 0.02;
/// Expected deviation of the principal point, pixels at a width of 640.
const PRINCIPAL_SIGMA: f64 = 4.0;

/// A brightness image, smoothed so that alignment has something to slide along.
struct Gray {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Gray {
    fn of(frame: &PosedImage) -> Self {
        let (width, height) = (frame.color.width() as usize, frame.color.height() as usize);
        let mut values: Vec<f32> = frame
            .color
            .data()
            .iter()
            .map(|p| p.iter().map(|c| f32::from(*c)).sum::<f32>() / (3.0 * 255.0))
            .collect();
        // Twice the binomial filter (1, 4, 6, 4, 1) / 16 in both directions: standard deviation 1.4 pixels.
        for _ in 0..2 {
            values = smooth(&values, width, height, 1);
            values = smooth(&values, width, height, width);
        }
        Gray {
            width,
            height,
            values,
        }
    }

    /// Between the four pixels around image coordinates.
    fn at(&self, u: f64, v: f64) -> Option<f64> {
        let (x, y) = (u - 0.5, v - 0.5);
        if !(x >= 0.0 && y >= 0.0 && x < self.width as f64 - 1.0 && y < self.height as f64 - 1.0) {
            return None;
        }
        let (i, j) = (x as usize, y as usize);
        let (s, t) = (x - i as f64, y - j as f64);
        let value = |i: usize, j: usize| f64::from(self.values[j * self.width + i]);
        let low = value(i, j) * (1.0 - s) + value(i + 1, j) * s;
        let high = value(i, j + 1) * (1.0 - s) + value(i + 1, j + 1) * s;
        Some(low * (1.0 - t) + high * t)
    }
}

/// One pass of the binomial filter along pixels `step` apart; borders stay.
fn smooth(values: &[f32], width: usize, height: usize, step: usize) -> Vec<f32> {
    let inside = |at: usize| {
        let along = if step == 1 {
            (at % width, width)
        } else {
            (at / width, height)
        };
        along.0 >= 2 && along.0 + 2 < along.1
    };
    (0..values.len())
        .map(|at| {
            if !inside(at) {
                return values[at];
            }
            let sum =
                values[at - 2 * step] + values[at + 2 * step] + 4.0 * (values[at - step] + values[at + step]);
            (sum + 6.0 * values[at]) / 16.0
        })
        .collect()
}

/// Places measured by one frame, in its own frame and in that of another which also sees them.
struct Pair {
    first: usize,
    second: usize,
    places: Vec<(Point3, Point3)>,
}

/// Finds the colour camera of frames whose depth belongs to the intrinsics given.
///
/// # Errors
/// [`Error::BadImage`] where the frames have no depth or never see the same place twice.
pub fn calibrate(frames: &[PosedImage]) -> Result<Calibration> {
    let few =
        || Error::BadImage("too few frames with depth that look at the same places; do not calibrate".into());
    let given = frames.first().ok_or_else(few)?.view.camera;
    let pairs: Vec<Pair> = pairs(frames);
    let samples: usize = pairs.iter().map(|p| p.places.len()).sum();
    if samples < 1000 {
        return Err(few());
    }
    let used: Vec<usize> = pairs.iter().flat_map(|p| [p.first, p.second]).collect();
    let grays: Vec<Option<Gray>> = (0..frames.len())
        .into_par_iter()
        .map(|i| used.contains(&i).then(|| Gray::of(&frames[i])))
        .collect();
    let camera = |q: &na::Vector3<f64>| CameraIntrinsics {
        fx: given.fx * q[0].exp(),
        fy: given.fy * q[0].exp(),
        cx: given.cx + q[1],
        cy: given.cy + q[2],
        ..given
    };
    let residuals = |q: &na::Vector3<f64>| residuals(&pairs, &grays, &camera(q));

    // The cost has one basin per strong texture, so the focal length is first scanned.
    let start = (-10..=10)
        .map(|i| na::Vector3::new(f64::from(i) * 0.025, 0.0, 0.0))
        .map(|q| (mean_cost(&residuals(&q)), q))
        .fold((f64::INFINITY, na::Vector3::zeros()), |best, next| {
            if next.0 < best.0 { next } else { best }
        });
    let prior = PRINCIPAL_SIGMA * f64::from(given.width) / 640.0;
    let q = refine(start.1, prior, samples, &residuals);
    Ok(Calibration {
        color: camera(&q),
        residual_before: mean_difference(&residuals(&na::Vector3::zeros())),
        residual_after: mean_difference(&residuals(&q)),
        samples,
    })
}

/// Levenberg-Marquardt over (logarithm of the focal length's factor, shift of the principal point).
fn refine(
    start: na::Vector3<f64>,
    prior: f64,
    samples: usize,
    residuals: &dyn Fn(&na::Vector3<f64>) -> Vec<Option<f64>>,
) -> na::Vector3<f64> {
    // The principal point is held by a prior worth a hundredth of the samples.
    let weight = 0.01 * samples as f64 * (HUBER / prior).powi(2);
    let cost = |q: &na::Vector3<f64>, r: &[Option<f64>]| {
        mean_cost(r) * samples as f64 + 0.5 * weight * (q[1] * q[1] + q[2] * q[2])
    };
    let steps = [1e-3, 0.3, 0.3];
    let mut q = start;
    let mut r = residuals(&q);
    let mut damping = 1e-3;
    for _ in 0..20 {
        let derivatives = [0, 1, 2].map(|k| {
            let shifted = |sign: f64| {
                let mut p = q;
                p[k] += sign * steps[k];
                residuals(&p)
            };
            let (plus, minus) = (shifted(1.0), shifted(-1.0));
            plus.iter()
                .zip(&minus)
                .map(|(a, b)| Some((a.as_ref()? - b.as_ref()?) / (2.0 * steps[k])))
                .collect::<Vec<Option<f64>>>()
        });
        let mut h = na::Matrix3::from_diagonal(&na::Vector3::new(0.0, weight, weight));
        let mut g = na::Vector3::new(0.0, weight * q[1], weight * q[2]);
        for (i, r) in r.iter().enumerate() {
            let (Some(r), Some(a), Some(b), Some(c)) =
                (r, derivatives[0][i], derivatives[1][i], derivatives[2][i])
            else {
                continue;
            };
            let j = na::Vector3::new(a, b, c);
            let w = (HUBER / r.abs()).min(1.0);
            h += w * j * j.transpose();
            g += w * *r * j;
        }
        let damped = h + na::Matrix3::from_diagonal(&(h.diagonal() * damping));
        let Some(step) = damped.cholesky().map(|c| c.solve(&-g)) else {
            break;
        };
        let next = q + step;
        let next_r = residuals(&next);
        if cost(&next, &next_r) < cost(&q, &r) {
            (q, r) = (next, next_r);
            damping = (damping * 0.3).max(1e-6);
            if step[0].abs() < 1e-5 && step.norm() < 1e-2 {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e6 {
                break;
            }
        }
    }
    q
}

/// Frames spread over the sequence, each with a later one that sees the same from elsewhere.
fn pairs(frames: &[PosedImage]) -> Vec<Pair> {
    let every = (frames.len() / ANCHORS).max(1);
    (0..frames.len())
        .step_by(every)
        .filter_map(|first| {
            let pose = &frames[first].view.world_from_camera;
            let second = (first + 1..frames.len()).find(|other| {
                let motion = pose.inverse() * frames[*other].view.world_from_camera;
                motion.rotation.angle() > MIN_ANGLE_RAD || motion.translation.vector.norm() > MIN_DISTANCE_M
            })?;
            let second_from_first = frames[second].view.world_from_camera.inverse() * pose;
            (second_from_first.rotation.angle() < MAX_ANGLE_RAD).then(|| Pair {
                first,
                second,
                places: places(&frames[first])
                    .map(|p| (p, second_from_first * p))
                    .filter(|(_, q)| q.z > 0.1)
                    .collect(),
            })
        })
        .collect()
}

/// Places on a grid of pixels, where the depth around them is smooth.
fn places(frame: &PosedImage) -> impl Iterator<Item = Point3> + '_ {
    let camera = frame.view.camera;
    let columns = (SPACING / 2..camera.width as usize).step_by(SPACING);
    let rows = (SPACING / 2..camera.height as usize).step_by(SPACING);
    rows.flat_map(move |row| columns.clone().map(move |column| (column, row)))
        .filter_map(move |(column, row)| {
            let depth = frame.depth.as_ref()?;
            let at = |dx: i64, dy: i64| {
                let (x, y) = (column as i64 + dx, row as i64 + dy);
                depth.get(u32::try_from(x).ok()?, u32::try_from(y).ok()?).copied()
            };
            let z = at(0, 0).filter(|z| z.is_finite() && *z > 0.0)?;
            let smooth = [(4, 0), (-4, 0), (0, 4), (0, -4)]
                .iter()
                .all(|(dx, dy)| at(*dx, *dy).is_some_and(|n| (n - z).abs() < 0.05 * z));
            let (u, v) = (column as f64 + 0.5, row as f64 + 0.5);
            smooth.then(|| camera.unproject(u, v, f64::from(z)))
        })
}

/// Differences of brightness between the two looks at every place, without the pair's mean difference (exposure);
/// `None` where a place is outside an image.
fn residuals(pairs: &[Pair], grays: &[Option<Gray>], camera: &CameraIntrinsics) -> Vec<Option<f64>> {
    let of_pair = |pair: &Pair| -> Vec<Option<f64>> {
        let look = |frame: usize, p: &Point3| {
            let (u, v) = camera.project(p)?;
            grays[frame].as_ref()?.at(u, v)
        };
        let differences: Vec<Option<f64>> = pair
            .places
            .iter()
            .map(|(p, q)| Some(look(pair.first, p)? - look(pair.second, q)?))
            .collect();
        let mut known: Vec<f64> = differences.iter().flatten().copied().collect();
        known.sort_by(f64::total_cmp);
        let median = known.get(known.len() / 2).copied().unwrap_or(0.0);
        differences.into_iter().map(|d| Some(d? - median)).collect()
    };
    let parts: Vec<Vec<Option<f64>>> = pairs.par_iter().map(of_pair).collect();
    parts.concat()
}

/// Huber's cost per known residual; infinite where most places leave the images.
fn mean_cost(residuals: &[Option<f64>]) -> f64 {
    let huber = |r: &f64| {
        if r.abs() < HUBER {
            0.5 * r * r
        } else {
            HUBER * (r.abs() - 0.5 * HUBER)
        }
    };
    let known: Vec<f64> = residuals.iter().flatten().map(huber).collect();
    if known.len() * 4 < residuals.len() {
        return f64::INFINITY;
    }
    known.iter().sum::<f64>() / known.len() as f64
}

fn mean_difference(residuals: &[Option<f64>]) -> f64 {
    let known: Vec<f64> = residuals.iter().flatten().map(|r| r.abs()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{RoomConfig, room};

    fn frames() -> Vec<PosedImage> {
        let config = RoomConfig {
            frames: 30,
            width: 160,
            height: 120,
            rays_per_side: 1,
            ..RoomConfig::default()
        };
        room(&config).unwrap()
    }

    /// The room's colours are those of one camera; a depth camera of longer focal length is made from its exact depth.
    #[test]
    fn the_colour_camera_is_found() {
        let truth = frames();
        let camera = truth[0].view.camera;
        let depth_camera = CameraIntrinsics {
            fx: camera.fx * 1.115,
            fy: camera.fy * 1.115,
            ..camera
        };
        let to_depth = Calibration {
            color: depth_camera,
            residual_before: 0.0,
            residual_after: 0.0,
            samples: 0,
        };
        let unregistered: Vec<PosedImage> = truth.iter().map(|f| to_depth.apply(f).unwrap()).collect();
        let found = calibrate(&unregistered).unwrap();
        assert!(found.is_better());
        assert!((found.color.fx / camera.fx - 1.0).abs() < 0.01, "{found:?}");
        assert!((found.color.cx - camera.cx).abs() < 1.0 && (found.color.cy - camera.cy).abs() < 1.0);
        // Registered depth is the truth again, up to one pixel of the depth camera.
        let back = found.apply(&unregistered[3]).unwrap();
        let (a, b) = (back.depth.unwrap(), truth[3].depth.clone().unwrap());
        let near = a
            .data()
            .iter()
            .zip(b.data())
            .filter(|(a, b)| (*a - *b).abs() < 0.05)
            .count();
        assert!(near as f64 > 0.75 * a.data().len() as f64, "{near}");
        assert!(a.data()[0].is_nan(), "the depth camera does not see the corner");
    }

    #[test]
    fn registered_frames_are_left_alone() {
        let frames = frames();
        let found = calibrate(&frames).unwrap();
        assert!(!found.is_better(), "{found:?}");
        assert!((found.color.fx / frames[0].view.camera.fx - 1.0).abs() < 0.01);
        assert!(calibrate(&frames[..1]).is_err());
    }
}
