//! Fitting a map to keyframes, all at once or as they come.
//!
//! One iteration: choose a keyframe, render it, compare, differentiate, step. Keyframes are drawn at random, rarely
//! visited ones more often, so that new ones catch up and old ones are not forgotten. Learning rates fall with the
//! age of each Gaussian and not with the iteration, so a map may grow at any time.

mod adam;
mod checkpoint;
mod densify;
mod keyframe;
mod loss;
mod seed;
mod ssim;

use std::sync::Arc;

use nalgebra as na;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use steward_core::geometry::Pose3;
use steward_core::time::{Duration, Time};

use crate::map::GaussianMap;
use crate::render::{Engine, RenderOptions, Renderer, Scope};
use crate::{Error, Result, Subset, View};
pub use adam::Rates;
use adam::{Corrections, Moments, Step};
pub use densify::{Densified, Densify, DensifyConfig};
pub use keyframe::{Exposure, Keyframe};
pub use loss::{Loss, LossConfig};
pub use seed::SeedConfig;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Near plane, background, antialiasing.
    pub render: RenderOptions,
    /// Learning rates.
    pub rates: Rates,
    /// Terms of the loss.
    pub loss: LossConfig,
    /// Control of the number of Gaussians.
    pub densify: DensifyConfig,
    /// Seeding from RGB-D.
    pub seeding: SeedConfig,
    /// Most Gaussians.
    pub max_gaussians: usize,
    /// Most memory for Gaussians and their optimiser state, bytes.
    pub max_bytes: usize,
    /// Iterations on a keyframe at half the resolution before those at the full one.
    pub coarse_visits: u32,
    /// Learning rate of the exposures (gain and offset per channel of each keyframe) at first; 0: fixed.
    pub exposure_rate: f32,
    /// Learning rate of the keyframes' positions, metres per step; 0: fixed.
    pub position_rate_m: f32,
    /// Learning rate of the keyframes' orientations, radians per step; 0: fixed.
    pub orientation_rate_rad: f32,
    /// A frame that sees more than this share of what an earlier keyframe sees is no keyframe; 1 takes all.
    pub max_overlap: f64,
}

impl Default for FitConfig {
    fn default() -> Self {
        FitConfig {
            seed: 0,
            // What the map lacks is least wrong in grey.
            render: RenderOptions {
                background: [0.5; 3],
                ..RenderOptions::default()
            },
            rates: Rates::default(),
            loss: LossConfig::default(),
            densify: DensifyConfig::default(),
            seeding: SeedConfig::default(),
            max_gaussians: 500_000,
            max_bytes: 4 << 30,
            coarse_visits: 4,
            exposure_rate: 3e-3,
            position_rate_m: 2e-4,
            orientation_rate_rad: 2e-4,
            max_overlap: 0.95,
        }
    }
}

impl FitConfig {
    /// # Errors
    /// [`Error::BadConfig`] says which value is out of range.
    pub fn validate(&self) -> Result<()> {
        self.render.validate()?;
        self.rates.validate()?;
        self.loss.validate()?;
        self.densify.validate()?;
        self.seeding.validate()?;
        let rates = [
            self.exposure_rate,
            self.position_rate_m,
            self.orientation_rate_rad,
        ];
        if rates.iter().any(|r| !r.is_finite() || *r < 0.0) || !(0.0..=1.0).contains(&self.max_overlap) {
            return Err(Error::BadConfig(format!(
                "exposure_rate, position_rate_m, orientation_rate_rad {rates:?} must not be negative, \
                 max_overlap {} lies between 0 and 1",
                self.max_overlap
            )));
        }
        Ok(())
    }
}

/// When to stop: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// Iterations.
    pub iterations: Option<u64>,
    /// Time by the clock that is passed in.
    pub time: Option<Duration>,
}

impl Budget {
    /// A number of iterations.
    pub fn iterations(n: u64) -> Self {
        Budget {
            iterations: Some(n),
            time: None,
        }
    }

    /// A span of time.
    pub fn time(span: Duration) -> Self {
        Budget {
            iterations: None,
            time: Some(span),
        }
    }
}

/// What happens during a fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An iteration ended.
    Iteration {
        /// Number of the iteration since the fit began, from 1.
        iteration: u64,
        /// Keyframe that was looked at.
        keyframe: usize,
        /// Its loss before the step.
        loss: Loss,
        /// Gaussians in the map.
        gaussians: usize,
    },
    /// A round of densification and pruning ended.
    Densified(Densified),
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Iterations of this run.
    pub iterations: u64,
    /// Gaussians in the end.
    pub gaussians: usize,
    /// Loss of the last iteration.
    pub last: Loss,
    /// Whether the listener stopped it.
    pub stopped: bool,
}

/// What became of an observed frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Its number where it became a keyframe.
    pub keyframe: Option<usize>,
    /// Gaussians added.
    pub seeded: usize,
}

/// What is estimated per keyframe.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FrameState {
    exposure: Exposure,
    exposure_moments: [[f64; 6]; 2],
    /// Corrects the pose that was given: `world_from_camera * correction`.
    correction: Pose3,
    pose_moments: [[f64; 6]; 2],
    visits: u32,
}

impl Default for FrameState {
    fn default() -> Self {
        FrameState {
            exposure: Exposure::default(),
            exposure_moments: [[0.0; 6]; 2],
            correction: Pose3::identity(),
            pose_moments: [[0.0; 6]; 2],
            visits: 0,
        }
    }
}

/// A map being fitted.
pub struct Fit {
    config: FitConfig,
    engine: Arc<dyn Engine>,
    map: GaussianMap,
    moments: Moments,
    corrections: Corrections,
    keyframes: Vec<Keyframe>,
    frames: Vec<FrameState>,
    free: Option<Subset>,
    iteration: u64,
}

impl Fit {
    /// Starts from a map, which may be empty, with the CPU rasteriser.
    ///
    /// # Errors
    /// What [`FitConfig::validate`] and [`GaussianMap::validate`] give.
    pub fn new(config: FitConfig, map: GaussianMap) -> Result<Self> {
        Self::with_engine(config, map, Arc::new(Renderer))
    }

    /// Starts from a map with another rasteriser.
    ///
    /// # Errors
    /// What [`FitConfig::validate`] and [`GaussianMap::validate`] give.
    pub fn with_engine(config: FitConfig, map: GaussianMap, engine: Arc<dyn Engine>) -> Result<Self> {
        config.validate()?;
        map.validate()?;
        Ok(Fit {
            moments: Moments::new(&map),
            corrections: Corrections::new(),
            config,
            engine,
            map,
            keyframes: Vec::new(),
            frames: Vec::new(),
            free: None,
            iteration: 0,
        })
    }

    /// The map as it is now.
    pub fn map(&self) -> &GaussianMap {
        &self.map
    }

    /// The map, the fit being over.
    pub fn into_map(self) -> GaussianMap {
        self.map
    }

    /// Iterations so far.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// The keyframes with the poses they were given with.
    pub fn keyframes(&self) -> &[Keyframe] {
        &self.keyframes
    }

    /// The exposure found for a keyframe.
    pub fn exposure(&self, keyframe: usize) -> Option<Exposure> {
        self.frames.get(keyframe).map(|f| f.exposure)
    }

    /// A keyframe's view with its refined pose.
    pub fn view(&self, keyframe: usize) -> Option<View> {
        let (k, f) = (self.keyframes.get(keyframe)?, self.frames.get(keyframe)?);
        Some(View::new(k.view.camera, k.view.world_from_camera * f.correction))
    }

    /// Most Gaussians that the map may have: the smaller of the configured number and what the memory allows.
    pub fn cap(&self) -> usize {
        let bytes = self.map.bytes_per_gaussian() + Moments::bytes_per_gaussian(self.map.sh_stride());
        self.config.max_gaussians.min(self.config.max_bytes / bytes)
    }

    /// Restricts optimisation to a subset, `None` to all. The rest neither moves nor is deleted, and poses stay;
    /// Gaussians that are added belong to the subset. With an empty subset only poses and exposures are estimated.
    ///
    /// # Errors
    /// [`Error::SubsetSize`].
    pub fn set_free(&mut self, free: Option<Subset>) -> Result<()> {
        if let Some(f) = &free {
            f.check(self.map.len())?;
        }
        self.free = free;
        Ok(())
    }

    /// Stores a keyframe without seeding and gives its number.
    ///
    /// # Errors
    /// What [`Keyframe::validate`] gives.
    pub fn add_keyframe(&mut self, keyframe: Keyframe) -> Result<usize> {
        keyframe.validate()?;
        self.keyframes.push(keyframe);
        self.frames.push(FrameState::default());
        Ok(self.keyframes.len() - 1)
    }

    /// Adds Gaussians for what a keyframe sees and the map lacks, and gives how many.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a keyframe that does not exist; what the engine gives.
    pub fn seed_from(&mut self, keyframe: usize) -> Result<usize> {
        let Some(view) = self.view(keyframe) else {
            return Err(Error::BadConfig(format!("there is no keyframe {keyframe}")));
        };
        let posed = Keyframe {
            view,
            ..self.keyframes[keyframe].clone()
        };
        self.seed(&posed)
    }

    fn seed(&mut self, keyframe: &Keyframe) -> Result<usize> {
        let room = self.cap().saturating_sub(self.map.len());
        let options = RenderOptions {
            normals: false,
            extras: false,
            features: false,
            ..self.config.render
        };
        let engine = self.engine.clone();
        let seeded = seed::seed(
            &mut self.map,
            &*engine,
            keyframe,
            &options,
            &self.config.seeding,
            room,
        )?;
        self.moments.grow(&self.map);
        if let Some(f) = &self.free {
            let mut mask = f.mask().to_vec();
            mask.resize(self.map.len(), true);
            self.free = Some(Subset::from_mask(mask));
        }
        Ok(seeded)
    }

    /// Takes in a new frame: seeds what the map lacks, and keeps the frame as keyframe where it shows enough that is
    /// new or brought new Gaussians in number.
    ///
    /// # Errors
    /// What [`Keyframe::validate`] and the engine give.
    pub fn observe(&mut self, keyframe: Keyframe) -> Result<Observed> {
        keyframe.validate()?;
        let overlap = self.overlap(&keyframe);
        let seeded = self.seed(&keyframe)?;
        let number = if overlap <= self.config.max_overlap {
            Some(self.add_keyframe(keyframe)?)
        } else {
            None
        };
        Ok(Observed {
            keyframe: number,
            seeded,
        })
    }

    /// Largest share of what a frame sees that one of the keyframes sees too.
    fn overlap(&self, frame: &Keyframe) -> f64 {
        let Some(depth) = &frame.depth else { return 0.0 };
        let camera = &frame.view.camera;
        let mut points = Vec::new();
        for y in (8..camera.height).step_by(16) {
            for x in (8..camera.width).step_by(16) {
                let d = depth.get(x, y).copied().unwrap_or(f32::NAN);
                if d > 0.0 {
                    let p = camera.unproject(f64::from(x) + 0.5, f64::from(y) + 0.5, f64::from(d));
                    points.push(frame.view.world_from_camera * p);
                }
            }
        }
        let mut largest = 0.0f64;
        for other in &self.keyframes {
            let camera_from_world = other.view.world_from_camera.inverse();
            let seen = |p: &&na::Point3<f64>| {
                let local = camera_from_world * **p;
                let Some((u, v)) = other.view.camera.project(&local) else {
                    return false;
                };
                if !other.view.camera.contains(u, v, 0.0) {
                    return false;
                }
                let measured = other
                    .depth
                    .as_ref()
                    .and_then(|d| d.get(u as u32, v as u32))
                    .copied();
                let measured = f64::from(measured.unwrap_or(f32::NAN));
                // Hidden there; unknown counts as seen.
                local.z <= measured + 0.05 * measured.max(1.0) || measured.is_nan()
            };
            let share = points.iter().filter(seen).count() as f64 / points.len().max(1) as f64;
            largest = largest.max(share);
        }
        largest
    }

    /// Iterates until the budget is spent, there is nothing to do, or `on_event` returns false.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a budget without limit; what the engine gives.
    pub fn run(
        &mut self,
        budget: Budget,
        clock: &mut dyn FnMut() -> Time,
        on_event: &mut dyn FnMut(&Event) -> bool,
    ) -> Result<Summary> {
        if budget.iterations.is_none() && budget.time.is_none() {
            return Err(Error::BadConfig("a budget needs iterations or time".into()));
        }
        let start = clock();
        let mut summary = Summary {
            gaussians: self.map.len(),
            ..Summary::default()
        };
        while !self.keyframes.is_empty() && !self.map.is_empty() {
            let spent = budget.iterations.is_some_and(|n| summary.iterations >= n)
                || budget.time.is_some_and(|span| clock() - start >= span);
            if spent {
                break;
            }
            let (keyframe, loss) = self.iterate()?;
            summary.iterations += 1;
            summary.last = loss;
            let mut go_on = on_event(&Event::Iteration {
                iteration: self.iteration,
                keyframe,
                loss,
                gaussians: self.map.len(),
            });
            let densify = &self.config.densify;
            let due = densify.every > 0 && self.iteration.is_multiple_of(densify.every);
            if due && self.iteration <= densify.until {
                let mut rng = self.rng(1);
                let cap = self.cap();
                let done = densify::densify(
                    &mut self.map,
                    &mut self.moments,
                    &mut self.free,
                    &self.config.densify,
                    cap,
                    &mut rng,
                )?;
                go_on &= on_event(&Event::Densified(done));
            }
            summary.gaussians = self.map.len();
            if !go_on {
                summary.stopped = true;
                break;
            }
        }
        Ok(summary)
    }

    /// Random numbers of the current iteration and a purpose.
    fn rng(&self, purpose: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(self.iteration * 4 + purpose);
        rng
    }

    /// Draws a keyframe, one with fewer visits more likely.
    fn draw(&self) -> usize {
        let least = self.frames.iter().map(|f| f.visits).min().unwrap_or(0);
        let weight = |f: &FrameState| 1.0 / f64::from(1 + f.visits - least).powi(3);
        let sum: f64 = self.frames.iter().map(weight).sum();
        let mut at = self.rng(0).random_range(0.0..sum);
        for (i, f) in self.frames.iter().enumerate() {
            at -= weight(f);
            if at < 0.0 {
                return i;
            }
        }
        self.frames.len() - 1
    }

    fn iterate(&mut self) -> Result<(usize, Loss)> {
        let number = self.draw();
        self.iteration += 1;
        let config = &self.config;
        let frame = &self.frames[number];
        let keyframe = &self.keyframes[number];
        let halvings = u32::from(frame.visits < config.coarse_visits);
        let use_normals = config.loss.normal > 0.0;
        let target = keyframe.target(halvings, use_normals);
        let view = View::new(
            target.view.camera,
            keyframe.view.world_from_camera * frame.correction,
        );
        let options = RenderOptions {
            normals: use_normals,
            extras: false,
            features: false,
            ..config.render
        };
        // With nothing free, the whole image serves the pose.
        let free = self.free.as_ref().filter(|f| f.count() > 0);
        let scope = Scope {
            subset: None,
            around: free,
        };
        let rendering = self.engine.forward(&self.map, &view, &options, scope)?;
        let mut exposure = frame.exposure;
        if frame.visits == 0 && config.exposure_rate > 0.0 {
            exposure = loss::first_exposure(&rendering, &target);
        }
        let (loss, mut by_images, by_exposure) = loss::loss(&rendering, &target, &exposure, &config.loss);
        by_images.absolute = config.densify.absolute();
        let gradients = self.engine.backward(&self.map, &rendering, &by_images, free)?;

        let visible = gradients
            .chunks
            .iter()
            .map(|c| c.indices.len())
            .sum::<usize>()
            .max(1);
        let step = Step {
            corrections: &self.corrections,
            rates: &config.rates,
            by_scale: config.loss.scale / visible as f32,
            by_opacity: config.loss.opacity / visible as f32,
            half_image: [0.5 * rendering.width as f32, 0.5 * rendering.height as f32],
            stamp: keyframe.stamp,
        };
        if self.free.is_none() || free.is_some() {
            adam::step(&mut self.map, &mut self.moments, &gradients, &step);
        }
        if let Densify::Mcmc { noise, .. } = config.densify.method {
            let indices = gradients
                .chunks
                .iter()
                .flat_map(|c| c.indices.iter().map(|&i| i as usize));
            let mut rng = self.rng(2);
            densify::wander(&mut self.map, indices, &self.config.rates, noise, &mut rng);
        }
        self.frames[number].exposure = exposure;
        self.step_frame(number, &by_exposure, &gradients.twist);
        // By its first look at full resolution a keyframe's neighbours have had their say: what is open now stays open.
        if self.free.is_none() && self.frames[number].visits == self.config.coarse_visits + 1 {
            let room = self.cap().saturating_sub(self.map.len());
            let posed = Keyframe {
                view,
                ..self.keyframes[number].clone()
            };
            seed::fill(
                &mut self.map,
                &posed,
                &rendering.alpha,
                &self.config.seeding,
                room,
            )?;
            self.moments.grow(&self.map);
        }
        Ok((number, loss))
    }

    /// Steps what is estimated per keyframe.
    fn step_frame(&mut self, number: usize, by_exposure: &[f64; 6], by_twist: &[f64; 6]) {
        let config = &self.config;
        let frame = &mut self.frames[number];
        frame.visits += 1;
        let steps = frame.visits;
        if config.exposure_rate > 0.0 {
            let change = adam_step(&mut frame.exposure_moments, by_exposure, steps);
            // Falls with the visits, so that exposures come to rest.
            let rate = f64::from(config.exposure_rate) / (1.0 + f64::from(steps) / 30.0);
            for c in 0..3 {
                // Drawn back a little to "as the map": the map's own brightness is free.
                let (gain, offset) = (&mut frame.exposure.gain[c], &mut frame.exposure.offset[c]);
                *gain -= (rate * (change[c] + 0.05 * f64::from(*gain - 1.0) / 0.1)) as f32;
                *offset -= (rate * (change[3 + c] + 0.05 * f64::from(*offset) / 0.1)) as f32;
            }
        }
        // Poses wait until the keyframe's part of the map has taken shape; a part of the map alone does not tell them.
        let part = self.free.as_ref().is_some_and(|f| f.count() > 0);
        if !part
            && (config.position_rate_m > 0.0 || config.orientation_rate_rad > 0.0)
            && steps > config.coarse_visits
        {
            let change = adam_step(&mut frame.pose_moments, by_twist, steps - config.coarse_visits);
            let (position, orientation) = (
                f64::from(config.position_rate_m),
                f64::from(config.orientation_rate_rad),
            );
            let twist: [f64; 6] =
                std::array::from_fn(|k| -change[k] * if k < 3 { position } else { orientation });
            let view = View::new(self.keyframes[number].view.camera, frame.correction);
            frame.correction = view.perturbed(&twist).world_from_camera;
            frame.correction.rotation.renormalize();
        }
    }

    /// What the fit has learned for a view taken at a time: pose correction and exposure, interpolated between the
    /// keyframes before and after. For views that are not keyframes, such as held-out ones.
    pub fn predict(&self, stamp: Time, view: &View) -> (View, Exposure) {
        let before = (0..self.frames.len()).filter(|&i| self.keyframes[i].stamp <= stamp);
        let before = before.max_by_key(|&i| self.keyframes[i].stamp);
        let after = (0..self.frames.len()).filter(|&i| self.keyframes[i].stamp > stamp);
        let after = after.min_by_key(|&i| self.keyframes[i].stamp);
        let (a, b) = match (before, after) {
            (Some(a), Some(b)) => (a, b),
            (Some(a), None) | (None, Some(a)) => (a, a),
            (None, None) => return (*view, Exposure::default()),
        };
        let span = (self.keyframes[b].stamp - self.keyframes[a].stamp).secs_f64();
        let since = (stamp - self.keyframes[a].stamp).secs_f64();
        let t = if span > 0.0 {
            (since / span).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (fa, fb) = (&self.frames[a], &self.frames[b]);
        let mix = |x: f32, y: f32| x + (y - x) * t as f32;
        let exposure = Exposure {
            gain: std::array::from_fn(|c| mix(fa.exposure.gain[c], fb.exposure.gain[c])),
            offset: std::array::from_fn(|c| mix(fa.exposure.offset[c], fb.exposure.offset[c])),
        };
        let translation = fa
            .correction
            .translation
            .vector
            .lerp(&fb.correction.translation.vector, t);
        let rotation = fa.correction.rotation.nlerp(&fb.correction.rotation, t);
        let correction = Pose3::from_parts(translation.into(), rotation);
        (
            View::new(view.camera, view.world_from_camera * correction),
            exposure,
        )
    }
}

/// The direction of an Adam step in double precision.
fn adam_step(moments: &mut [[f64; 6]; 2], gradient: &[f64; 6], steps: u32) -> [f64; 6] {
    let (b1, b2) = (0.9f64, 0.99f64);
    let [m, v] = moments;
    std::array::from_fn(|k| {
        m[k] = b1 * m[k] + (1.0 - b1) * gradient[k];
        v[k] = b2 * v[k] + (1.0 - b2) * gradient[k] * gradient[k];
        let steps = steps.min(100_000) as i32;
        let (m, v) = (m[k] / (1.0 - b1.powi(steps)), v[k] / (1.0 - b2.powi(steps)));
        m / (v.sqrt() + 1e-15)
    })
}
