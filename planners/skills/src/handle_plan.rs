//! From where, and with the hand at which angle, a handle can be led along its way.

use steward_core::geometry::{OrientedBox, Pose2, Vector3};
use steward_core::messages::{ArticulationState, SceneObject};

use crate::collision::Obstacles;
use crate::ik::{self, HandPose};
use crate::machine::{Context, Inputs};
use crate::parts::HandlePath;
use crate::reach::{self, NoReach, Scene};
use crate::robot::Robot;

/// Length of the straight way to a bar and off it, metres.
pub(crate) const APPROACH_M: f64 = 0.12;

/// A use of the hand's freedom about the bar, but for the angles to avoid, with which a base at a position can lead the handle all the way, and
/// the base's heading at the start.
pub(crate) fn plan_from(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    a: &ArticulationState,
    goal: f64,
    base: (f64, f64),
    avoid: &[f64],
) -> Result<(HandlePath, f64), String> {
    let path = HandlePath::new(a).ok_or("its handle has not been seen")?;
    let start = a.position.unwrap_or(0.0);
    if swept_by_part(ctx, &path, object, base, start, goal) {
        return Err("the part would swing into the base".into());
    }
    let mut reason = String::from("no posture of the hand fits");
    for offset in path.offsets().into_iter().filter(|o| !avoid.contains(o)) {
        for follow in path.follows() {
            let path = path.with(*follow, offset);
            match leads(ctx, inputs, object, &path, start, goal, base) {
                Ok(yaw) => return Ok((path, yaw)),
                Err(why) => reason = why,
            }
        }
    }
    Err(reason)
}

/// Whether a base at a position has all of the handle's way in reach; the heading at the start.
fn leads(
    ctx: &Context,
    inputs: &Inputs,
    object: &SceneObject,
    path: &HandlePath,
    start: f64,
    goal: f64,
    base: (f64, f64),
) -> Result<f64, String> {
    const SAMPLES: usize = 12;
    for i in 0..=SAMPLES {
        let at = start + (goal - start) * i as f64 / SAMPLES as f64;
        let hand = path.hand_at(at);
        let solution =
            ik::solve(&ctx.robot, base, &hand).map_err(|miss| format!("at {at:.2} the handle is {miss}"))?;
        // A hand that points back at the arm cannot pull.
        if solution.posture.yaw_rad.abs() > 1.5 {
            return Err(format!(
                "at {at:.2} the wrist would be turned by {:.0}°",
                solution.posture.yaw_rad.to_degrees()
            ));
        }
        if arm_meets_part(&ctx.robot, path, &hand, at, base) {
            return Err(format!("at {at:.2} the part would be in the arm's way"));
        }
        if i == SAMPLES {
            let back = hand.backed_off(0.08);
            ik::solve(&ctx.robot, base, &back).map_err(|miss| format!("letting go, the hand is {miss}"))?;
        }
    }
    let hand = path.hand_at(start);
    let ignored = [
        OrientedBox {
            half: object.shape.half.add_scalar(0.06),
            ..object.shape
        },
        OrientedBox {
            center: hand.position,
            yaw_rad: 0.0,
            half: Vector3::repeat(0.13),
        },
    ];
    let scene = Scene {
        ignored: &ignored,
        gripper: path.opening_m() * 0.5,
        ..Scene::of(ctx, inputs)
    };
    let before = hand.backed_off(APPROACH_M);
    let planned =
        reach::plan(&scene, base, &hand, &hand).and_then(|_| reach::plan(&scene, base, &before, &before));
    match planned {
        Ok(reach) => {
            if let Some(at) = blocked_on_the_way(ctx, inputs, &ignored[0], path, start, goal, base) {
                return Err(format!("at {at:.2} something is in the arm's way"));
            }
            Ok(reach.end.base_yaw_rad)
        }
        Err(NoReach::Range(miss)) => Err(format!("the handle is {miss}")),
        Err(collision) => Err(collision.explain(inputs.graph)),
    }
}

/// Room between the arm's middle line and a door's face, metres.
const ARM_TO_PART_M: f64 = 0.07;

/// Whether the arm, seen from above, comes too near to the panel of a part that turns about the vertical.
fn arm_meets_part(robot: &Robot, path: &HandlePath, hand: &HandPose, at: f64, base: (f64, f64)) -> bool {
    let Some(pivot) = path.upright_pivot() else {
        return false;
    };
    let inward = path.with(1.0, 0.0).hand_at(at).fingers.into_inner();
    if inward.dot(&hand.fingers) < 0.64 {
        return true;
    }
    let handle = path.handle_at(at) + inward * 0.05;
    let panel = (handle - pivot).xy();
    let length = panel.norm().max(1e-6);
    let end = pivot.xy() + panel * ((length + 0.06) / length);
    let wrist = hand.position - hand.fingers.into_inner() * (robot.pitch_grasp_m + robot.yaw_pitch_m);
    // Sampling the arm is as good as an exact distance between segments at this scale.
    (0..=20).any(|i| {
        let t = f64::from(i) / 20.0;
        let p = nalgebra::Point2::new(base.0 + t * (wrist.x - base.0), base.1 + t * (wrist.y - base.1));
        let along = ((p - pivot.xy()).dot(&panel) / (length * (length + 0.06))).clamp(0.0, 1.0);
        (p - (pivot.xy() + (end - pivot.xy()) * along)).norm() < ARM_TO_PART_M
    })
}

/// The first position of the part at which the arm touches something other than the part while leading it.
fn blocked_on_the_way(
    ctx: &Context,
    inputs: &Inputs,
    part_region: &OrientedBox,
    path: &HandlePath,
    start: f64,
    goal: f64,
    base: (f64, f64),
) -> Option<f64> {
    const CHECKS: usize = 5;
    (1..=CHECKS)
        .map(|i| start + (goal - start) * i as f64 / CHECKS as f64)
        .find(|at| {
            let hand = path.hand_at(*at);
            let Ok(solution) = ik::solve(&ctx.robot, base, &hand) else {
                return true;
            };
            // The hand works right at the furniture, whose voxels are too coarse for it.
            let around_hand = OrientedBox {
                center: hand.position,
                yaw_rad: 0.0,
                half: Vector3::repeat(0.13),
            };
            let facing = Pose2::new(base.0, base.1, solution.base_yaw_rad);
            Obstacles::around(
                &facing,
                inputs.voxels,
                &[*part_region, around_hand],
                None,
                ctx.config.arm_margin_m,
            )
            .hit(&ctx.robot, &ctx.arm, &solution.posture, 0.01, None)
            .is_some()
        })
}

/// Whether a part that turns about the vertical passes over the base.
fn swept_by_part(
    ctx: &Context,
    path: &HandlePath,
    object: &SceneObject,
    base: (f64, f64),
    start: f64,
    goal: f64,
) -> bool {
    let Some(pivot) = path.upright_pivot() else {
        return false;
    };
    let keep = ctx.config.footprint_radius_m + 0.05;
    // From the floor up to the mast's top the robot is where its base is.
    if object.shape.bottom_m() > 1.6 {
        return false;
    }
    (0..=12).any(|i| {
        let at = start + (goal - start) * f64::from(i) / 12.0;
        let handle = path.handle_at(at);
        let (dx, dy) = (handle.x - pivot.x, handle.y - pivot.y);
        let length = dx.hypot(dy).max(1e-6);
        // The part reaches a little beyond its handle.
        let end = (length + 0.08) / length;
        let t = (((base.0 - pivot.x) * dx + (base.1 - pivot.y) * dy) / (length * length)).clamp(0.0, end);
        let (ex, ey) = (base.0 - pivot.x - t * dx, base.1 - pivot.y - t * dy);
        ex.hypot(ey) < keep
    })
}
