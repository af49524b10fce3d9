//! Navigate: to a pose, or to where an object is seen well and reached if it is in reach at all.

use std::collections::VecDeque;

use steward_core::geometry::{OrientedBox, Point3, Pose2};
use steward_core::messages::{NavigationTarget, SceneObject, SkillFailure, SkillState};

use crate::approach::{self, Candidate};
use crate::drive::{Drive, Tolerance, facing};
use crate::machine::{Commands, Context, Inputs, Part, Progress};
use crate::operate::{Operate, Standing};
use crate::path::CostField;
use crate::posture::{Stow, StowState};

/// Things up to this size (largest half side) are small: they are approached to be reached, not to be looked at.
const SMALL_HALF_M: f64 = 0.25;

/// How the base is driven to a place.
#[derive(Debug, Clone)]
enum Way {
    /// By the skill.
    Own(Box<Drive>),
    /// By the navigation stack.
    Navigation(Pose2),
}

impl Way {
    fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Part {
        let place = match self {
            Way::Own(drive) => return drive.step(ctx, inputs, out),
            Way::Navigation(place) => *place,
        };
        let status = inputs.navigation.and_then(|n| n.status);
        match status.map(|s| (s.state, s.detail.as_str())) {
            Some((SkillState::Done, _)) => Part::Finished,
            Some((SkillState::Failed(why), detail)) => Part::Failed(why, detail.to_owned()),
            Some((SkillState::Running, _)) | None => {
                out.drive_to = Some(place);
                Part::Busy
            }
        }
    }

    fn remaining_m(&self, inputs: &Inputs) -> f64 {
        match self {
            Way::Own(drive) => drive.remaining_m(),
            Way::Navigation(place) => place.distance_m(&inputs.base),
        }
    }
}

/// The skill.
#[derive(Debug, Clone)]
pub struct Navigate {
    to: NavigationTarget,
    stow: Stow,
    drive: Option<Way>,
    candidates: Option<VecDeque<Pose2>>,
    looking_at: Option<Point3>,
}

impl Navigate {
    /// Drives there.
    pub fn to(to: NavigationTarget) -> Self {
        Navigate {
            to,
            stow: Stow::new(),
            drive: None,
            candidates: None,
            looking_at: None,
        }
    }

    /// One control period.
    pub fn step(&mut self, ctx: &mut Context, inputs: &Inputs, out: &mut Commands) -> Progress {
        match self.stow.step(ctx, inputs, out) {
            StowState::Busy => return Progress::Running("stowing the arm".into()),
            StowState::Clear | StowState::Stowed => {}
        }
        if self.candidates.is_none() {
            match self.places(ctx, inputs) {
                Ok(places) => self.candidates = Some(places),
                Err((why, text)) => return Progress::Failed(why, text),
            }
        }
        let places = self.candidates.get_or_insert_default();
        let drive = match &mut self.drive {
            Some(drive) => drive,
            None => {
                let Some(place) = places.pop_front() else {
                    return Progress::Failed(
                        SkillFailure::NoPath,
                        "no place to stand near it can be reached".into(),
                    );
                };
                self.drive.insert(match inputs.navigation {
                    Some(_) => Way::Navigation(place),
                    None => Way::Own(Box::new(Drive::to(place, Tolerance::COARSE))),
                })
            }
        };
        match drive.step(ctx, inputs, out) {
            Part::Busy => Progress::Running(format!("driving, {:.1} m to go", drive.remaining_m(inputs))),
            Part::Finished => {
                if let Some(p) = self.looking_at {
                    crate::head::look_at(ctx, inputs, out, &p);
                }
                Progress::Done("arrived".into())
            }
            Part::Failed(why, text) => {
                self.drive = None;
                if places.is_empty() {
                    Progress::Failed(why, text)
                } else {
                    Progress::Running("trying another place".into())
                }
            }
        }
    }

    fn places(
        &mut self,
        ctx: &mut Context,
        inputs: &Inputs,
    ) -> Result<VecDeque<Pose2>, (SkillFailure, String)> {
        let id = match self.to {
            NavigationTarget::Pose(pose) => {
                let finite = pose.x_m.is_finite() && pose.y_m.is_finite() && pose.yaw_rad.is_finite();
                return if finite {
                    Ok(VecDeque::from([pose]))
                } else {
                    Err((
                        SkillFailure::Precondition,
                        "the pose to drive to is not finite".into(),
                    ))
                };
            }
            NavigationTarget::Object(id) => id,
        };
        let Some(object) = inputs.object(id) else {
            return Err((SkillFailure::UnknownObject, format!("{id} is not in memory")));
        };
        let Some(map) = ctx.map(inputs) else {
            return Err((SkillFailure::NoPath, "there is no map of the floor yet".into()));
        };
        let Some(field) = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m)) else {
            return Err((SkillFailure::NoPath, "the robot stands outside its map".into()));
        };
        let shape = &object.shape;
        self.looking_at = Some(shape.center);
        // In front of a closed part, where it can be opened from.
        if let Some(a) = object.articulation.filter(|a| a.is_open() != Some(true))
            && let Ok(standing) = Operate::open(id).find_places(ctx, inputs, object, &a)
        {
            let places = match standing {
                Standing::Here => VecDeque::from([inputs.base]),
                Standing::At(places) => places,
            };
            return Ok(places
                .into_iter()
                .map(|p| facing((p.x_m, p.y_m), &shape.center))
                .collect());
        }
        let mut found = viewing_places(object, &approach::carrier(inputs, object), &map, &field);
        spread(&mut found);
        if found.is_empty() {
            return Err((
                SkillFailure::NoPath,
                format!(
                    "no free floor to stand on within 1.6 m of {} {id} at ({:.2}, {:.2}) can be reached",
                    object.class, shape.center.x, shape.center.y
                ),
            ));
        }
        Ok(found.into_iter().take(4).map(|c| c.pose).collect())
    }
}

/// Places to stand for an object, best first; `body`: what carries it.
fn viewing_places(
    object: &SceneObject,
    body: &OrientedBox,
    map: &crate::navmap::NavMap,
    field: &CostField,
) -> Vec<Candidate> {
    let shape = &object.shape;
    if let Some(handle) = object.articulation.and_then(|a| a.handle) {
        let found = approach::around_point(map, field, &handle, shape, &[0.85, 0.75, 0.95, 1.1, 1.3], 0.1);
        // In front of the part: on the side of the handle as seen from the part's middle.
        let outward = handle - shape.center;
        let front: Vec<Candidate> = found
            .iter()
            .copied()
            .filter(|c| (c.pose.x_m - handle.x) * outward.x + (c.pose.y_m - handle.y) * outward.y >= 0.0)
            .collect();
        if !front.is_empty() {
            return front;
        }
        if !found.is_empty() {
            return found;
        }
    }
    if shape.half.x.max(shape.half.y) <= SMALL_HALF_M {
        let near = approach::around_point(map, field, &shape.center, body, &[0.7, 0.6, 0.8, 0.9], 0.1);
        if !near.is_empty() {
            return near;
        }
        return approach::around_point(map, field, &shape.center, body, &[1.0, 1.2, 1.4, 1.6], 0.3);
    }
    let near = approach::around_box(map, field, shape, &[0.5, 0.4, 0.65]);
    if !near.is_empty() {
        return near;
    }
    approach::around_box(map, field, shape, &[0.8, 1.0, 1.3, 1.6])
}

/// Keeps the best of places that are close together, so that the next try is a different one.
fn spread(candidates: &mut Vec<Candidate>) {
    let mut kept: Vec<Candidate> = Vec::new();
    for c in candidates.iter() {
        if kept.iter().all(|k| k.pose.distance_m(&c.pose) > 0.3) {
            kept.push(*c);
        }
    }
    *candidates = kept;
}
