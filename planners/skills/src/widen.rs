//! Opening a door further than its handle can be led: the hand goes in past its free edge and pushes it aside.

use std::f64::consts::FRAC_PI_2;

use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3};
use steward_core::messages::{ArticulationState, SceneObject};

use crate::approach;
use crate::drive::{Drive, Tolerance};
use crate::handing::{HandState, Handing};
use crate::ik::{self, HandPose};
use crate::machine::{Commands, Context, Inputs, Part};
use crate::parts::turns_upright;
use crate::path::CostField;
use crate::posture::fingers;
use crate::reach::{self, Scene};
use crate::robot::Robot;
use crate::slide::Slide;

/// Doors open less than this share of what is asked for are opened further.
const NARROW: f64 = 0.88;
/// How far a door reaches beyond its handle, metres.
const BEYOND_HANDLE_M: f64 = 0.05;
/// How far the finger tips go past its edge, metres.
const PAST_EDGE_M: f64 = 0.06;
/// From the middle of the closed fingers to the edge they push at, and how much further off they pass it first, metres.
const PUSHING_M: f64 = 0.025;
const CLEAR_M: f64 = 0.05;
/// Length of the straight way in past the edge, and back, metres.
const APPROACH_M: f64 = 0.14;
/// Speed of the hand, metres per second.
const SPEED_M_S: f64 = 0.15;
/// Directions of the hand, radians from straight into what the door closes.
const TURNS_RAD: [f64; 5] = [0.0, 0.35, -0.35, 0.7, -0.7];
/// Smallest share of a push that opens the door rather than sliding along it.
const ASIDE: f64 = 0.6;
/// Distances between base and edge that are tried, metres.
const REACH_M: [f64; 6] = [0.72, 0.80, 0.64, 0.88, 0.56, 0.96];
/// Most places that are tried.
const MAX_CHECKS: usize = 160;
/// Room between the arm's middle line and the door, metres.
const ARM_TO_DOOR_M: f64 = 0.07;

/// Pushing one door.
#[derive(Debug)]
pub(crate) struct Widen {
    door: Door,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Drive(Box<Drive>),
    Hand(Box<Handing>, Push),
    Push(Box<Slide>, Push),
    Out(Box<Slide>),
}

/// Where the hand is before the edge, beside it, where it ends, and on the way back.
#[derive(Debug, Clone, Copy)]
struct Push {
    before: HandPose,
    beside: HandPose,
    end: HandPose,
    base_yaw_rad: f64,
}

/// A door as seen from above.
#[derive(Debug, Clone, Copy)]
struct Door {
    part: ArticulationState,
    /// From the hinge to the free edge at the handle's height, and the way in, with the door closed.
    span: Vector3,
    inward: Vector3,
}

impl Door {
    /// `panel`: what is seen of it. The handle stands off it, so it does not tell where the panel is.
    fn new(part: &ArticulationState, panel: &OrientedBox) -> Option<Self> {
        let to_handle = part.handle? - part.pivot;
        let yaw_rad = panel.yaw_rad
            + if panel.half.x < panel.half.y {
                FRAC_PI_2
            } else {
                0.0
            };
        let along = Vector3::new(yaw_rad.cos(), yaw_rad.sin(), 0.0);
        let along = along * along.dot(&to_handle).signum();
        let span = along * (along.dot(&to_handle) + BEYOND_HANDLE_M) + Vector3::z() * to_handle.z;
        let closed = part.moved(-part.position?).rotation * along;
        Some(Door {
            part: *part,
            span: part.moved(-part.position?).rotation * span,
            inward: -part.axis.cross(&closed).try_normalize(1e-6)?,
        })
    }

    /// Its free edge, at the handle's height.
    fn edge(&self, position: f64) -> Point3 {
        self.part.moved(position) * (self.part.pivot + self.span)
    }

    /// The hand with its fingers past the edge, at a distance from it on the inner side; [`None`] where it would not push the
    /// door open there.
    fn hand(&self, robot: &Robot, position: f64, turn_rad: f64, off_m: f64) -> Option<HandPose> {
        let heading = self.inward.y.atan2(self.inward.x) + turn_rad;
        let ahead = Vector3::new(heading.cos(), heading.sin(), 0.0);
        let edge = self.edge(position);
        let closing = -self.part.axis.cross(&(edge - self.part.pivot));
        let closing = Vector3::new(closing.x, closing.y, 0.0).try_normalize(1e-6)?;
        let aside = closing - ahead * closing.dot(&ahead);
        if aside.norm() < ASIDE {
            return None;
        }
        let tip = edge + ahead * PAST_EDGE_M + aside.normalize() * off_m;
        Some(HandPose::from_front(
            tip - ahead * robot.tip_m,
            heading,
            0.0,
            false,
        ))
    }

    /// Whether the arm between base and hand comes too near to the door at a position.
    fn meets_arm(&self, robot: &Robot, base: (f64, f64), hand: &HandPose, position: f64) -> bool {
        let wrist = hand.position - hand.fingers.into_inner() * (robot.pitch_grasp_m + robot.yaw_pitch_m);
        let (hinge, edge) = (self.part.pivot, self.edge(position));
        (0..=20).any(|i| {
            let t = f64::from(i) / 20.0;
            let arm = Vector3::new(
                base.0 + t * (wrist.x - base.0),
                base.1 + t * (wrist.y - base.1),
                0.0,
            );
            (0..=20).any(|k| {
                let panel = hinge + (edge - hinge) * (f64::from(k) / 20.0);
                (arm.xy() - panel.coords.xy()).norm() < ARM_TO_DOOR_M
            })
        })
    }
}

impl Widen {
    /// How to push a door further open than it stands, up to where it counts as wide open; [`None`] where that is not needed or
    /// there is no way.
    pub(crate) fn plan(ctx: &mut Context, inputs: &Inputs, object: &SceneObject) -> Option<Self> {
        let part = object.articulation.filter(turns_upright)?;
        let (position, goal) = (part.position?, part.open_at);
        if position > NARROW * goal {
            return None;
        }
        let door = Door::new(&part, &object.shape)?;
        let map = ctx.map(inputs)?;
        let field = CostField::from_start(&map, (inputs.base.x_m, inputs.base.y_m))?;
        let around = door.edge(0.5 * (position + goal));
        let mut found = approach::around_point(&map, &field, &around, &object.shape, &REACH_M, 0.05);
        found.truncate(MAX_CHECKS);
        let mut places = std::iter::once(inputs.base).chain(found.into_iter().map(|c| c.pose));
        let place = places.find_map(|pose| {
            let push = best_push(ctx, inputs, object, &door, (pose.x_m, pose.y_m))?;
            Some(Pose2 {
                yaw_rad: push.base_yaw_rad,
                ..pose
            })
        })?;
        Some(Widen {
            door,
            phase: Phase::Drive(Box::new(Drive::to(place, Tolerance::NEAR))),
        })
    }

    /// One control period. Finished also where the hand was stopped: how far it is open is seen afterwards.
    pub(crate) fn step(
        &mut self,
        ctx: &mut Context,
        inputs: &Inputs,
        out: &mut Commands,
        object: &SceneObject,
    ) -> Part {
        if !matches!(self.phase, Phase::Drive(_)) {
            fingers(&ctx.robot, out, 0.0, 1.0);
        }
        match &mut self.phase {
            Phase::Drive(drive) => {
                crate::head::look_at(ctx, inputs, out, &object.shape.center);
                match drive.step(ctx, inputs, out) {
                    Part::Finished => {
                        let base = (inputs.base.x_m, inputs.base.y_m);
                        let Some(push) = best_push(ctx, inputs, object, &self.door, base) else {
                            return Part::Finished;
                        };
                        let handing = Handing::new(push.beside, push.before, push.base_yaw_rad, 0.4);
                        self.phase = Phase::Hand(Box::new(handing), push);
                        Part::Busy
                    }
                    other => other,
                }
            }
            Phase::Hand(handing, push) => match handing.step(ctx, inputs, out) {
                HandState::Busy(_) => Part::Busy,
                HandState::Arrived => {
                    let slide = Slide::between(&push.beside, &push.end, SPEED_M_S);
                    self.phase = Phase::Push(Box::new(slide), *push);
                    Part::Busy
                }
                HandState::Failed(_) => Part::Finished,
            },
            Phase::Push(slide, push) => {
                if slide.step(ctx, inputs, out) != Part::Busy {
                    let hand = HandPose {
                        position: inputs.hand(&ctx.robot).translation.vector.into(),
                        ..push.end
                    };
                    self.phase = Phase::Out(Box::new(Slide::between(
                        &hand,
                        &hand.backed_off(APPROACH_M),
                        SPEED_M_S,
                    )));
                }
                Part::Busy
            }
            Phase::Out(slide) => slide.step(ctx, inputs, out),
        }
    }
}

/// A push that a base at a position can make without the arm touching anything.
fn best_push(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    door: &Door,
    base: (f64, f64),
) -> Option<Push> {
    let (position, goal) = (door.part.position?, door.part.open_at);
    // The base stands where the door does not come.
    let keep_m = ctx.config.footprint_radius_m + 0.05;
    let swept = (0..=6).any(|i| {
        let at = position + (goal - position) * f64::from(i) / 6.0;
        let (hinge, edge) = (door.part.pivot, door.edge(at));
        (0..=10).any(|k| {
            let p = hinge + (edge - hinge) * (f64::from(k) / 10.0);
            (p.x - base.0).hypot(p.y - base.1) < keep_m
        })
    });
    if swept {
        return None;
    }
    TURNS_RAD.into_iter().find_map(|turn_rad| {
        let beside = door.hand(&ctx.robot, position, turn_rad, PUSHING_M + CLEAR_M)?;
        let end = door.hand(&ctx.robot, goal, turn_rad, PUSHING_M)?;
        let before = beside.backed_off(APPROACH_M);
        if door.meets_arm(&ctx.robot, base, &beside, position) || door.meets_arm(&ctx.robot, base, &end, goal)
        {
            return None;
        }
        let ends = [end, end.backed_off(APPROACH_M)];
        if ends.iter().any(|hand| ik::solve(&ctx.robot, base, hand).is_err()) {
            return None;
        }
        // It works right beside the door, whose voxels are too coarse for it.
        let ignored = [OrientedBox {
            half: object.shape.half.add_scalar(0.04),
            ..object.shape
        }];
        let scene = Scene {
            ignored: &ignored,
            gripper: 0.0,
            ..Scene::of(ctx, inputs)
        };
        reach::plan(&scene, base, &end, &end).ok()?;
        let reach = reach::plan(&scene, base, &beside, &before).ok()?;
        Some(Push {
            before,
            beside,
            end,
            base_yaw_rad: reach.before.base_yaw_rad,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A door of 0.5 m in the plane x = 1, its hinge at y = 0 and its handle at y = -0.45; from inside one looks along -x.
    fn door(position: f64) -> Door {
        let shut = ArticulationState {
            owner: None,
            prismatic: false,
            pivot: Point3::new(1.0, 0.0, 1.0),
            axis: -Vector3::z(),
            handle: Some(Point3::new(0.95, -0.45, 1.0)),
            position: Some(0.0),
            open_at: 1.4,
        };
        let part = ArticulationState {
            handle: Some(shut.moved(position) * Point3::new(0.95, -0.45, 1.0)),
            position: Some(position),
            ..shut
        };
        let panel = OrientedBox {
            center: Point3::new(1.0, -0.25, 1.0),
            yaw_rad: FRAC_PI_2,
            half: Vector3::new(0.25, 0.01, 0.15),
        };
        let panel = OrientedBox {
            center: shut.moved(position) * panel.center,
            yaw_rad: panel.yaw_rad - position,
            ..panel
        };
        Door::new(&part, &panel).unwrap()
    }

    #[test]
    fn the_hand_goes_past_the_edge_on_its_inner_side_and_pushes_it_open() {
        let robot = Robot::from_urdf(include_str!("../../../sim/assets/steward.urdf")).unwrap();
        let door = door(1.1);
        let edge = door.edge(1.1);
        let (s, c) = 1.1f64.sin_cos();
        let expected = Point3::new(1.0 - 0.5 * s, -0.5 * c, 1.0);
        assert!((edge - expected).norm() < 1e-9, "in the panel's plane: {edge}");
        let beside = door.hand(&robot, 1.1, 0.0, PUSHING_M + CLEAR_M).unwrap();
        let end = door.hand(&robot, 1.4, 0.0, PUSHING_M).unwrap();
        let tip = |hand: &HandPose| hand.position + hand.fingers.into_inner() * robot.tip_m;
        assert!(beside.fingers.x > 0.95, "into what it closes");
        assert!(tip(&beside).x > edge.x + 0.04, "past the edge: {}", tip(&beside));
        assert!(tip(&beside).y < edge.y - 0.06, "beside it: {}", tip(&beside));
        assert!(
            tip(&end).y > tip(&beside).y + 0.1,
            "towards the hinge: {}",
            tip(&end)
        );
        assert!(
            door.hand(&robot, 0.1, 0.0, PUSHING_M).is_none(),
            "it would push it shut"
        );
    }
}
