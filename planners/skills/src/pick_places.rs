//! Where to stand for picking something up.

use std::collections::VecDeque;

use steward_core::geometry::{Pose2, wrap_angle_rad};
use steward_core::messages::{Presence, SceneObject, SkillFailure};

use crate::approach::{self, Unfit};
use crate::grasp_plan::{Aim, Surrounded, best_grasp, size};
use crate::machine::{Context, Inputs};
use crate::passage::in_best_way;
use crate::path::CostField;
use crate::reach::Margins;

/// Distances between base and object that are tried, best first, metres.
const REACH_M: [f64; 10] = [0.62, 0.70, 0.54, 0.78, 0.46, 0.86, 0.94, 1.02, 1.08, 1.16];
/// Most places to stand that are checked.
const MAX_PLACES: usize = 200;

/// Why no place was found.
pub(crate) struct NoPlace {
    pub(crate) why: SkillFailure,
    pub(crate) text: String,
    /// From where more may be seen.
    pub(crate) vantage: Option<Pose2>,
}

/// Places from which some grasp, or push, works, best first, and the margins between arm and voxels that they need. None of them is
/// an `unfit` one.
pub(crate) fn find_places(
    ctx: &mut Context,
    inputs: &Inputs,
    object: &SceneObject,
    aim: Aim,
    unfit: &Unfit,
) -> Result<(VecDeque<Pose2>, Margins), NoPlace> {
    let name = format!("{} {}", object.class, object.id);
    let no_place = |why: SkillFailure, text: String| NoPlace {
        why,
        text,
        vantage: None,
    };
    if object.presence == Presence::Missing {
        let text = format!("{name} is missing: it was not where it was remembered");
        return Err(no_place(SkillFailure::UnknownObject, text));
    }
    let Some(map) = ctx.map(inputs) else {
        let text = "there is no map of the floor yet".into();
        return Err(no_place(SkillFailure::NoPath, text));
    };
    let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
        let text = "the robot stands outside its map".into();
        return Err(no_place(SkillFailure::NoPath, text));
    };
    let at = object.shape.center;
    let body = approach::carrier(inputs, object);
    let mut found = approach::around_point(&map, &field, &at, &body, &REACH_M, 0.12);
    if found.is_empty() {
        // Between furniture the free floor can be a narrow strip.
        found = approach::around_point(&map, &field, &at, &body, &fine_rings(), 0.02);
    }
    if found.is_empty() {
        let text = format!(
            "no free floor within {:.2} m of {name} at ({:.2}, {:.2}) can be reached",
            REACH_M[REACH_M.len() - 1],
            at.x,
            at.y
        );
        return Err(no_place(SkillFailure::NoPath, text));
    }
    found.retain(|c| !unfit.covers(&c.pose));
    let surrounded = Surrounded::of(inputs, object, aim);
    let mut reason = String::new();
    let candidates: Vec<Pose2> = found.iter().take(MAX_PLACES).map(|c| c.pose).collect();
    let best = in_best_way(candidates, 4, |pose, way, places: &[Pose2]| {
        if places.iter().any(|p| p.distance_m(pose) < 0.2) {
            return None;
        }
        let grasp = best_grasp(ctx, inputs, &surrounded, (pose.x_m, pose.y_m), &[], way);
        grasp.map(|_| *pose).map_err(|why| reason = why).ok()
    });
    if let Some(((_, margins), places)) = best {
        return Ok((places.into(), margins));
    }
    let bearing = |p: &Pose2| (p.y_m - at.y).atan2(p.x_m - at.x);
    let here = bearing(&inputs.base);
    let is_elsewhere =
        |p: &Pose2| p.distance_m(&inputs.base) > 0.3 && wrap_angle_rad(bearing(p) - here).abs() > 0.4;
    let vantage = found.iter().find(|c| is_elsewhere(&c.pose)).or(found.first());
    Err(NoPlace {
        why: SkillFailure::OutOfReach,
        text: format!(
            "{name}, {}, at {:.2} m height cannot be grasped from any of {} places: {reason}",
            size(&object.shape),
            at.z,
            found.len().min(MAX_PLACES)
        ),
        vantage: vantage.map(|c| c.pose),
    })
}

/// Distances between base and object for where few places are free, metres.
fn fine_rings() -> Vec<f64> {
    (0..18).map(|i| 0.42 + 0.04 * f64::from(i)).collect()
}
