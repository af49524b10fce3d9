use nalgebra::{Matrix2, Matrix3, Matrix6, SymmetricEigen, Vector3, Vector6};
use serde::{Deserialize, Serialize};
use steward_core::geometry::{Pose2, wrap_angle_rad};
use steward_core::messages::WallPoint;

use super::structure::{LineFit, StructureMap};
use crate::error::check_range;
use crate::occupancy::{Scan, StructurePoint, check_pose};
use crate::{Error, Result};

/// How drift is corrected.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LocalizationConfig {
    /// Corrects nothing when false: `map` is then the frame of the wheels.
    pub enabled: bool,
    /// Learns along the way what the wheels get wrong all the time (radius, track, a pull to one side).
    pub calibrate_wheels: bool,
    /// Side of a cell of the structure map, metres.
    pub cell_m: f64,
    /// Largest side of the structure map, metres.
    pub max_side_m: f64,
    /// Standard deviation of the odometry per metre driven, metres.
    pub translation_noise: f64,
    /// Standard deviation of the odometry's heading per radian turned, radians.
    pub rotation_noise: f64,
    /// Standard deviation of the odometry's heading per metre driven, radians.
    pub heading_noise_rad_per_m: f64,
    /// Standard deviation of a structure point at distance 0, metres. Neighbouring points are correlated, so
    /// this is larger than the noise of one.
    pub point_noise_m: f64,
    /// Growth of that with the square of distance, metres per square metre.
    pub point_noise_per_m: f64,
    /// Growth of that with turning speed: at this speed it has doubled, radians per second.
    pub turning_doubles_noise_rad_s: f64,
    /// Standard deviation of what all points of a scan are off together, metres: what was moved since it was entered into
    /// the map is moved as a whole.
    pub scan_noise_m: f64,
    /// The same for their heading, radians.
    pub scan_noise_rad: f64,
    /// Shortest way between corrections, metres: scans from one place err alike, and standing still the odometry is right.
    pub min_motion_m: f64,
    /// Least turn between corrections of a base that does not drive, radians.
    pub min_turn_rad: f64,
    /// Distance up to which a point is matched to the map at first, metres.
    pub search_radius_m: f64,
    /// Fewest matched points for a correction.
    pub min_matches: u32,
    /// Smallest share of those points near structure that must lie on it after matching.
    pub min_inlier_share: f64,
    /// Distance from a line up to which a point lies on it, metres.
    pub inlier_m: f64,
    /// A direction is corrected where at least this share of the lines' normals points along it (0 to 0.5).
    pub min_observability: f64,
    /// Largest correction of position by one scan, metres.
    pub max_step_m: f64,
    /// Largest correction of heading by one scan, radians.
    pub max_step_rad: f64,
    /// Half side of the window of the correlative search, metres.
    pub window_m: f64,
    /// Half width of the window of headings of the correlative search, radians.
    pub window_rad: f64,
    /// A correction this many standard deviations (of the odometry since the last one) away contradicts the map.
    pub max_deviations: f64,
    /// The pose is searched for around where it should be after this many scans in a row that contradict the map:
    /// what is not a slip of the wheels passes.
    pub search_after: u32,
    /// After this many scans in a row that contradict the map, the world is taken to have changed and scans
    /// are entered again.
    pub max_contradictions: u32,
}

impl Default for LocalizationConfig {
    fn default() -> Self {
        LocalizationConfig {
            enabled: true,
            calibrate_wheels: true,
            cell_m: 0.05,
            max_side_m: 60.0,
            translation_noise: 0.01,
            rotation_noise: 0.01,
            heading_noise_rad_per_m: 0.006,
            point_noise_m: 0.01,
            point_noise_per_m: 0.003,
            turning_doubles_noise_rad_s: 0.8,
            scan_noise_m: 0.01,
            scan_noise_rad: 0.003,
            min_motion_m: 0.05,
            min_turn_rad: 0.05,
            search_radius_m: 0.2,
            min_matches: 12,
            min_inlier_share: 0.6,
            inlier_m: 0.05,
            min_observability: 0.05,
            max_step_m: 0.25,
            max_step_rad: 0.15,
            window_m: 0.4,
            window_rad: 0.2,
            max_deviations: 4.0,
            search_after: 5,
            max_contradictions: 15,
        }
    }
}

impl LocalizationConfig {
    /// # Errors
    /// [`Error::BadConfig`] naming the first field outside its range.
    pub fn validate(&self) -> Result<()> {
        for (field, value, high) in [
            ("localization.translation_noise", self.translation_noise, 1.0),
            ("localization.rotation_noise", self.rotation_noise, 1.0),
            (
                "localization.heading_noise_rad_per_m",
                self.heading_noise_rad_per_m,
                1.0,
            ),
            ("localization.point_noise_m", self.point_noise_m, 1.0),
            (
                "localization.turning_doubles_noise_rad_s",
                self.turning_doubles_noise_rad_s,
                100.0,
            ),
            ("localization.scan_noise_m", self.scan_noise_m, 1.0),
            ("localization.scan_noise_rad", self.scan_noise_rad, 1.0),
            ("localization.min_motion_m", self.min_motion_m, 1.0),
            ("localization.min_turn_rad", self.min_turn_rad, 1.6),
            ("localization.search_radius_m", self.search_radius_m, 1.0),
            ("localization.min_matches", self.min_matches as f64, 1e4),
            ("localization.min_inlier_share", self.min_inlier_share, 1.0),
            ("localization.inlier_m", self.inlier_m, 1.0),
            ("localization.min_observability", self.min_observability, 0.5),
            ("localization.max_step_m", self.max_step_m, 5.0),
            ("localization.max_step_rad", self.max_step_rad, 3.2),
            ("localization.window_m", self.window_m, 2.0),
            ("localization.window_rad", self.window_rad, 1.6),
            ("localization.max_deviations", self.max_deviations, 1e3),
            ("localization.search_after", self.search_after as f64, 1e6),
            (
                "localization.max_contradictions",
                self.max_contradictions as f64,
                1e6,
            ),
        ] {
            check_range(field, value, 0.0, high)?;
        }
        check_range("localization.cell_m", self.cell_m, 5e-3, 0.5)?;
        check_range("localization.max_side_m", self.max_side_m, self.cell_m, 200.0)?;
        check_range(
            "localization.point_noise_per_m",
            self.point_noise_per_m,
            -1e-12,
            1.0,
        )
    }
}

/// What became of one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchOutcome {
    /// Matched; the pose was corrected if the base had moved since the last correction.
    Corrected,
    /// Too little known structure in view; the odometry was followed.
    Unmatched,
    /// A search around the prediction found the robot again.
    Recovered,
    /// The scan contradicts the map: it must not be entered.
    Contradicted,
}

/// A structure point, ready to be matched.
struct Sample {
    base: [f64; 2],
    facing: [f64; 2],
    /// Normal of the line through its neighbours in the scan, `None` where they make no line.
    normal: Option<[f64; 2]>,
    sigma_m: f64,
}

/// Tracks `map_from_odom`.
#[derive(Debug, Clone)]
pub struct Localizer {
    config: LocalizationConfig,
    structure: StructureMap,
    map_from_odom: Pose2,
    /// What the wheels get wrong all the time: share of distance, share of turning, radians per metre.
    wheels: Vector3<f64>,
    /// Of the pose of the base in `map` (x, y, yaw), then of `wheels`.
    covariance: Matrix6<f64>,
    last_odom: Option<Pose2>,
    /// Where the odometry was at the last correction.
    corrected_at: Option<Pose2>,
    contradictions: u32,
}

impl Localizer {
    /// # Errors
    /// [`Error::BadConfig`]
    pub fn new(config: LocalizationConfig) -> Result<Self> {
        config.validate()?;
        Ok(Localizer {
            structure: StructureMap::new(config.cell_m, config.max_side_m),
            map_from_odom: Pose2::default(),
            wheels: Vector3::zeros(),
            covariance: initial_covariance(&config),
            last_odom: None,
            corrected_at: None,
            contradictions: 0,
            config,
        })
    }

    /// Forgets everything; `map` becomes `odom` again.
    pub fn clear(&mut self) {
        self.structure = StructureMap::new(self.config.cell_m, self.config.max_side_m);
        self.map_from_odom = Pose2::default();
        self.wheels = Vector3::zeros();
        self.covariance = initial_covariance(&self.config);
        self.last_odom = None;
        self.corrected_at = None;
        self.contradictions = 0;
    }

    /// What the pose is found by.
    pub fn walls(&self) -> Vec<WallPoint> {
        self.structure.points()
    }

    /// Goes on with walls of before and a correction of the odometry, in place of what it has.
    ///
    /// # Errors
    /// [`Error::BadKnowledge`] for points that are not finite or beyond the largest side, [`Error::BadPose`] for such a
    /// correction; nothing has then changed.
    pub fn know(&mut self, walls: &[WallPoint], map_from_odom: Pose2) -> Result<()> {
        check_pose("odometry in the map", &map_from_odom, self.config.max_side_m)?;
        let mut structure = StructureMap::new(self.config.cell_m, self.config.max_side_m);
        for point in walls {
            let near = |x: f32| f64::from(x).abs() <= self.config.max_side_m;
            let place = near(point.x_m) && near(point.y_m);
            if !(place && point.facing_x.is_finite() && point.facing_y.is_finite() && structure.know(point)) {
                return Err(Error::BadKnowledge(format!(
                    "it has a wall at ({}, {}) m, outside the largest map",
                    point.x_m, point.y_m
                )));
            }
        }
        self.clear();
        (self.structure, self.map_from_odom) = (structure, map_from_odom);
        Ok(())
    }

    /// The correction of the odometry.
    pub fn map_from_odom(&self) -> Pose2 {
        self.map_from_odom
    }

    /// Where the base is in the map when the odometry says `odom_from_base`.
    pub fn map_from_base(&self, odom_from_base: &Pose2) -> Pose2 {
        compose(&self.map_from_odom, odom_from_base)
    }

    /// Standard deviation of the pose: position (the larger axis, metres) and yaw (radians), relative to the
    /// map as built so far.
    pub fn uncertainty(&self) -> (f64, f64) {
        let position = SymmetricEigen::new(self.covariance.fixed_view::<2, 2>(0, 0).into_owned());
        (
            position.eigenvalues.max().max(0.0).sqrt(),
            self.covariance[(2, 2)].max(0.0).sqrt(),
        )
    }

    /// Matches a scan taken at `odom_from_base` while turning with `angular_rad_s`, corrects the pose, and
    /// enters the scan into the structure map unless it contradicts it.
    ///
    /// # Errors
    /// [`Error::BadPose`] for an odometry that is not finite or farther out than the
    /// largest side; nothing has then changed.
    pub fn update(
        &mut self,
        scan: &Scan,
        odom_from_base: &Pose2,
        angular_rad_s: f64,
    ) -> Result<MatchOutcome> {
        check_pose("base in odometry", odom_from_base, self.config.max_side_m)?;
        if !self.config.enabled {
            return Ok(MatchOutcome::Unmatched);
        }
        self.predict(odom_from_base);
        let samples = self.samples(scan, angular_rad_s);
        let (outcome, pose) = self.find_pose(&samples, odom_from_base);
        match outcome {
            MatchOutcome::Contradicted => self.contradictions += 1,
            _ => self.contradictions = 0,
        }
        self.map_from_odom = compose(&pose, &inverse(odom_from_base));
        self.map_from_odom.yaw_rad = wrap_angle_rad(self.map_from_odom.yaw_rad);
        if outcome == MatchOutcome::Contradicted && self.contradictions < self.config.max_contradictions {
            return Ok(outcome);
        }
        self.enter(scan, &samples, &pose);
        Ok(if outcome == MatchOutcome::Contradicted {
            MatchOutcome::Unmatched
        } else {
            outcome
        })
    }

    /// Grows the covariance by the motion since the last scan.
    fn predict(&mut self, odom_from_base: &Pose2) {
        let Some(last) = self.last_odom.replace(*odom_from_base) else {
            return;
        };
        let c = &self.config;
        let (from, to) = (self.map_from_base(&last), self.map_from_base(odom_from_base));
        let (dx, dy) = (to.x_m - from.x_m, to.y_m - from.y_m);
        let forward = dx * from.yaw_rad.cos() + dy * from.yaw_rad.sin();
        let turn = wrap_angle_rad(to.yaw_rad - from.yaw_rad);

        // Undo what the wheels are known to get wrong.
        let [share, turn_share, per_m] = self.wheels.into();
        let extra = turn * turn_share + forward * per_m;
        let (dx, dy) = (
            dx * (1.0 + share) - dy * extra * 0.5,
            dy * (1.0 + share) + dx * extra * 0.5,
        );
        let corrected = Pose2::new(from.x_m + dx, from.y_m + dy, to.yaw_rad + extra);
        self.map_from_odom = compose(&corrected, &inverse(odom_from_base));

        let distance = dx.hypot(dy);
        let mut carry = Matrix6::identity();
        carry[(0, 2)] = -dy;
        carry[(1, 2)] = dx;
        carry[(0, 3)] = dx;
        carry[(1, 3)] = dy;
        carry[(2, 4)] = turn;
        carry[(2, 5)] = forward;
        let position = (c.translation_noise * distance).powi(2);
        let yaw = (c.rotation_noise * turn).powi(2) + (c.heading_noise_rad_per_m * distance).powi(2);
        self.covariance = carry * self.covariance * carry.transpose()
            + Matrix6::from_diagonal(&Vector6::new(position, position, yaw, 0.0, 0.0, 0.0));
    }

    /// Takes over a measured pose, and what it says about the wheels.
    fn accept(&mut self, predicted: &Pose2, measured: &Pose2, covariance: Matrix3<f64>) {
        let before = self.pose_covariance();
        let cross = self.covariance.fixed_view::<3, 3>(3, 0).into_owned();
        let wheels = self.covariance.fixed_view::<3, 3>(3, 3).into_owned();
        let Some(inverse) = before.try_inverse() else {
            return;
        };
        let gain = cross * inverse;
        let step = Vector3::new(
            measured.x_m - predicted.x_m,
            measured.y_m - predicted.y_m,
            wrap_angle_rad(measured.yaw_rad - predicted.yaw_rad),
        );
        let limit = 2.0 * WHEEL_ERROR;
        self.wheels = (self.wheels + gain * step).map_with_location(|r, _, x| x.clamp(-limit[r], limit[r]));
        let wheels = wheels - gain * (before - covariance) * gain.transpose();
        let cross = gain * covariance;
        self.covariance
            .fixed_view_mut::<3, 3>(0, 0)
            .copy_from(&covariance);
        self.covariance.fixed_view_mut::<3, 3>(3, 0).copy_from(&cross);
        self.covariance
            .fixed_view_mut::<3, 3>(0, 3)
            .copy_from(&cross.transpose());
        self.covariance
            .fixed_view_mut::<3, 3>(3, 3)
            .copy_from(&((wheels + wheels.transpose()) * 0.5));
    }

    /// The tiny addition keeps it invertible when nothing has moved.
    fn pose_covariance(&self) -> Matrix3<f64> {
        self.covariance.fixed_view::<3, 3>(0, 0) + Matrix3::identity() * 1e-8
    }

    fn samples(&self, scan: &Scan, angular_rad_s: f64) -> Vec<Sample> {
        let c = &self.config;
        let turning = 1.0 + angular_rad_s.abs().min(1e3) / c.turning_doubles_noise_rad_s;
        let points = &scan.structure;
        (0..points.len())
            .filter_map(|i| {
                let p = &points[i];
                let d = [0, 1].map(|a| scan.origin_m[a] - p.position_m[a]);
                let length = d[0].hypot(d[1]);
                (length > 1e-3).then(|| Sample {
                    base: p.position_m,
                    facing: d.map(|x| x / length),
                    normal: scan_normal(points, i),
                    sigma_m: (c.point_noise_m + c.point_noise_per_m * p.range_m * p.range_m) * turning,
                })
            })
            .collect()
    }

    fn find_pose(&mut self, samples: &[Sample], odom_from_base: &Pose2) -> (MatchOutcome, Pose2) {
        let predicted = self.map_from_base(odom_from_base);
        match self.refine(samples, predicted, true) {
            Fit::TooLittle => (MatchOutcome::Unmatched, predicted),
            Fit::Good(..) if !self.has_moved(odom_from_base) => (MatchOutcome::Corrected, predicted),
            Fit::Good(pose, covariance) => {
                self.corrected_at = Some(*odom_from_base);
                self.accept(&predicted, &pose, covariance);
                (MatchOutcome::Corrected, pose)
            }
            Fit::Bad => {
                if self.contradictions + 1 >= self.config.search_after
                    && let Some(found) = self.search(samples, predicted)
                    && let Fit::Good(pose, covariance) = self.refine(samples, found, false)
                {
                    // The wheels slipped, which says nothing about what they do otherwise.
                    self.covariance.fixed_view_mut::<3, 3>(0, 3).fill(0.0);
                    self.covariance.fixed_view_mut::<3, 3>(3, 0).fill(0.0);
                    self.covariance
                        .fixed_view_mut::<3, 3>(0, 0)
                        .copy_from(&covariance);
                    return (MatchOutcome::Recovered, pose);
                }
                (MatchOutcome::Contradicted, predicted)
            }
        }
    }

    /// Whether the base moved since the last correction.
    fn has_moved(&self, odom_from_base: &Pose2) -> bool {
        self.corrected_at.is_none_or(|at| {
            at.distance_m(odom_from_base) >= self.config.min_motion_m
                || wrap_angle_rad(odom_from_base.yaw_rad - at.yaw_rad).abs() >= self.config.min_turn_rad
        })
    }

    /// Point-to-line Gauss-Newton from `start`. With `prior`, the start is a measurement with the filter's
    /// covariance; without, it is only where to begin.
    fn refine(&self, samples: &[Sample], start: Pose2, prior: bool) -> Fit {
        const ITERATIONS: u32 = 8;
        /// Between the normals of matched lines.
        const SMALLEST_COSINE: f64 = 0.85;
        /// Share of the points on structure at the start that must still be there.
        const FEWER: f64 = 0.9;
        let c = &self.config;
        let prior_covariance = if prior {
            self.pose_covariance()
        } else {
            Matrix3::from_diagonal(&Vector3::new(0.04, 0.04, 0.01))
        };
        let Some(prior_information) = prior_covariance.try_inverse() else {
            return Fit::TooLittle;
        };
        let noise = Vector3::new(c.scan_noise_m, c.scan_noise_m, c.scan_noise_rad);
        let noise = Matrix3::from_diagonal(&noise.component_mul(&noise));
        let mut step = Vector3::zeros();
        let mut information = prior_information;
        // Points on structure at the start, and whether they were enough.
        let (mut on_at_start, mut start_is_good) = (0, false);
        for iteration in 0..ITERATIONS {
            let radius = if iteration < 2 {
                c.search_radius_m
            } else {
                c.search_radius_m * 0.5
            };
            let pose = offset(&start, &step);
            let mut h = Matrix3::zeros();
            let mut b = Vector3::zeros();
            let mut normals = Matrix2::zeros();
            let (mut lines, mut matches, mut near, mut on) = (0u32, 0u32, 0u32, 0u32);
            for sample in samples {
                let Some(normal) = sample.normal else {
                    continue;
                };
                lines += 1;
                let (p, facing, lever) = place(sample, &pose);
                let Some(nearest) = self.structure.nearest(p, facing, radius) else {
                    near += u32::from(self.structure.nearest(p, facing, c.search_radius_m).is_some());
                    continue;
                };
                near += 1;
                let Some(line) = self.structure.line_at(nearest, facing) else {
                    // Near structure that is no line: neither for nor against the pose.
                    near -= 1;
                    continue;
                };
                let n = line.normal;
                let seen = turn(normal, pose.yaw_rad);
                if (seen[0] * n[0] + seen[1] * n[1]).abs() < SMALLEST_COSINE {
                    near -= 1;
                    continue;
                }
                matches += 1;
                let error = n[0] * (p[0] - line.point[0]) + n[1] * (p[1] - line.point[1]);
                on += u32::from(error.abs() <= c.inlier_m);
                let j = Vector3::new(n[0], n[1], n[0] * lever[0] + n[1] * lever[1]);
                let robust = 1.0 / (1.0 + (error / c.inlier_m).powi(2));
                let weight = robust / (sample.sigma_m * sample.sigma_m);
                h += weight * j * j.transpose();
                b -= weight * error * j;
                let n = nalgebra::Vector2::new(n[0], n[1]);
                normals += robust * n * n.transpose();
            }
            if matches < c.min_matches || near * 3 < lines {
                return Fit::TooLittle;
            }
            let is_on = (on as f64) >= c.min_inlier_share * near as f64;
            if iteration == 0 {
                (on_at_start, start_is_good) = (on, is_on);
            }
            if iteration + 1 == ITERATIONS {
                // Where the odometry explains the scan better than the fit does, some of what was matched has moved or was
                // never seen from here.
                if prior && start_is_good && (!is_on || f64::from(on) < FEWER * f64::from(on_at_start)) {
                    return Fit::TooLittle;
                }
                let good = is_on
                    && step[0].hypot(step[1]) <= c.max_step_m
                    && step[2].abs() <= c.max_step_rad
                    && (!prior || self.deviations(&step) <= c.max_deviations);
                if !good {
                    return Fit::Bad;
                }
                break;
            }
            let observable = observable_directions(&normals, c.min_observability);
            // What all points are off together is added to the covariance of the match, `h` inverted, which may be singular.
            let Some(together) = (Matrix3::identity() + observable * h * observable * noise).try_inverse()
            else {
                return Fit::TooLittle;
            };
            let h = together * observable * h * observable;
            let b = together * observable * b;
            information = (h + h.transpose()) * 0.5 + prior_information;
            let Some(solved) = information.cholesky() else {
                return Fit::TooLittle;
            };
            // `b` is the pull of the lines at `step`, the prior pulls back to zero.
            step += solved.solve(&(b - prior_information * step));
            if !step.iter().all(|x| x.is_finite()) || step[0].hypot(step[1]) > 1.0 {
                return Fit::Bad;
            }
        }
        match information.try_inverse() {
            Some(covariance) => Fit::Good(offset(&start, &step), (covariance + covariance.transpose()) * 0.5),
            None => Fit::TooLittle,
        }
    }

    /// How far a step is from what the odometry makes likely, standard deviations. Corrections of a few centimetres and half a
    /// degree are always likely: the map itself is no better.
    fn deviations(&self, step: &Vector3<f64>) -> f64 {
        const MAP_M: f64 = 0.03;
        const MAP_RAD: f64 = 0.01;
        let map = Vector3::new(MAP_M, MAP_M, MAP_RAD).map(|x| x * x);
        let covariance = self.pose_covariance() + Matrix3::from_diagonal(&map);
        covariance.try_inverse().map_or(f64::INFINITY, |information| {
            step.dot(&(information * step)).max(0.0).sqrt()
        })
    }

    /// The pose in the window around `center` that puts most samples on structure, if it is clearly the best.
    fn search(&self, samples: &[Sample], center: Pose2) -> Option<Pose2> {
        const STEP_M: f64 = 0.05;
        const STEP_RAD: f64 = 0.025;
        /// Rivals this far from the best must score clearly less.
        const RIVAL_M: f64 = 0.15;
        const SMALLEST_SCORE: f64 = 0.5;
        /// The best must score this much more than where the robot should be: a scan with a door in it that was opened
        /// meanwhile fits badly everywhere.
        const BETTER: f64 = 1.3;
        const LARGEST_RIVAL: f64 = 0.9;
        let c = &self.config;
        let every = samples.len().div_ceil(80).max(1);
        let chosen: Vec<&Sample> = samples.iter().step_by(every).collect();
        let reach = (c.window_m / STEP_M).round() as i32;
        let reach_yaw = (c.window_rad / STEP_RAD).round() as i32;
        let mut scores = Vec::new();
        for k in -reach_yaw..=reach_yaw {
            for j in -reach..=reach {
                for i in -reach..=reach {
                    let d = Vector3::new(i as f64 * STEP_M, j as f64 * STEP_M, k as f64 * STEP_RAD);
                    let pose = offset(&center, &d);
                    let hits = chosen
                        .iter()
                        .filter(|s| {
                            let (p, facing, _) = place(s, &pose);
                            self.structure.is_near(p, facing)
                        })
                        .count();
                    scores.push((hits, d));
                }
            }
        }
        // The smallest of equal corrections.
        let best = scores.iter().min_by(|a, b| {
            b.0.cmp(&a.0)
                .then(a.1.norm_squared().total_cmp(&b.1.norm_squared()))
        })?;
        let is_rival = |(hits, d): &(usize, Vector3<f64>)| {
            *hits as f64 > LARGEST_RIVAL * best.0 as f64 && (d - best.1).xy().norm() > RIVAL_M
        };
        let expected = scores.iter().find(|(_, d)| d.norm_squared() < 1e-12)?;
        if (best.0 as f64) < SMALLEST_SCORE * chosen.len() as f64
            || (best.0 as f64) < BETTER * expected.0 as f64
            || scores.iter().any(is_rival)
        {
            return None;
        }
        Some(offset(&center, &best.1))
    }

    fn enter(&mut self, scan: &Scan, samples: &[Sample], pose: &Pose2) {
        for p in &scan.free_m {
            self.structure.see_floor(transform(pose, *p));
        }
        for sample in samples {
            let (p, facing, _) = place(sample, pose);
            self.structure.insert(p, facing);
        }
    }
}

/// Standard deviations of what wheels get wrong all the time: share of distance, share of turning, radians per
/// metre.
const WHEEL_ERROR: Vector3<f64> = Vector3::new(0.015, 0.015, 0.008);

fn initial_covariance(config: &LocalizationConfig) -> Matrix6<f64> {
    let mut diagonal = Vector6::zeros();
    if config.calibrate_wheels {
        for k in 0..3 {
            diagonal[3 + k] = WHEEL_ERROR[k] * WHEEL_ERROR[k];
        }
    }
    Matrix6::from_diagonal(&diagonal)
}

enum Fit {
    /// Not enough known structure to say anything.
    TooLittle,
    /// Contradicts the map.
    Bad,
    /// The pose and its covariance.
    Good(Pose2, Matrix3<f64>),
}

/// Projection of a step onto the directions that the lines constrain; yaw always is.
fn observable_directions(normals: &Matrix2<f64>, min_share: f64) -> Matrix3<f64> {
    let eigen = SymmetricEigen::new(*normals);
    let total = eigen.eigenvalues.sum();
    let mut projection = Matrix3::zeros();
    projection[(2, 2)] = 1.0;
    for k in 0..2 {
        if eigen.eigenvalues[k] >= min_share * total {
            let v = eigen.eigenvectors.column(k);
            let mut block = projection.fixed_view_mut::<2, 2>(0, 0);
            block += v * v.transpose();
        }
    }
    projection
}

/// A sample in the map: its position, where it faces, and the derivative of its position by yaw.
fn place(sample: &Sample, pose: &Pose2) -> ([f64; 2], [f64; 2], [f64; 2]) {
    let r = turn(sample.base, pose.yaw_rad);
    (
        [pose.x_m + r[0], pose.y_m + r[1]],
        turn(sample.facing, pose.yaw_rad),
        [-r[1], r[0]],
    )
}

fn turn(v: [f64; 2], yaw_rad: f64) -> [f64; 2] {
    let (s, c) = yaw_rad.sin_cos();
    [c * v[0] - s * v[1], s * v[0] + c * v[1]]
}

/// Normal of the line through a point and those beside it. Points are in order of bearing.
fn scan_normal(points: &[StructurePoint], at: usize) -> Option<[f64; 2]> {
    const NEIGHBOURS: usize = 6;
    const RADIUS_M: f64 = 0.25;
    let p = points[at].position_m;
    let mut fit = LineFit::default();
    for q in &points[at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS + 1).min(points.len())] {
        let d = [q.position_m[0] - p[0], q.position_m[1] - p[1]];
        if d[0].hypot(d[1]) < RADIUS_M {
            fit.add(d);
        }
    }
    Some(fit.line()?.normal)
}

fn transform(pose: &Pose2, p: [f64; 2]) -> [f64; 2] {
    let (s, c) = pose.yaw_rad.sin_cos();
    [pose.x_m + c * p[0] - s * p[1], pose.y_m + s * p[0] + c * p[1]]
}

fn offset(pose: &Pose2, step: &Vector3<f64>) -> Pose2 {
    Pose2::new(pose.x_m + step[0], pose.y_m + step[1], pose.yaw_rad + step[2])
}

fn compose(a: &Pose2, b: &Pose2) -> Pose2 {
    let [x, y] = transform(a, [b.x_m, b.y_m]);
    Pose2::new(x, y, wrap_angle_rad(a.yaw_rad + b.yaw_rad))
}

fn inverse(a: &Pose2) -> Pose2 {
    let back = Pose2::new(0.0, 0.0, -a.yaw_rad);
    let [x, y] = transform(&back, [-a.x_m, -a.y_m]);
    Pose2::new(x, y, -a.yaw_rad)
}
