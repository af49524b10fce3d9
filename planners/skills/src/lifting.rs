//! How far what the hand took is lifted, and how far the base backs off with it.

use steward_core::geometry::{Point3, Vector3};

use crate::collision::{Obstacles, Payload, Support};
use crate::grasp_plan::{GraspPlan, object_region};
use crate::ik::HandPose;
use crate::machine::{Context, Inputs};
use crate::reach::Stretch;
use crate::robot::{GRIPPER, Posture};
use crate::roofs;
use crate::trays;

/// How far over the rim of what they lie in things are lifted, metres.
const OVER_RIM_M: f64 = 0.03;
/// How tall things are at most that are seen in something open at the top over its rim only, metres.
const TALL_M: f64 = 0.22;
/// How far things are lifted before they are taken away, least first, metres: over what stands in front of them.
const RISES_M: [f64; 4] = [0.05, 0.12, 0.20, 0.30];

/// Thickness of a board, metres.
const BOARD_M: f64 = 0.03;
/// How far things are lifted at least, metres.
const LEAST_RISE_M: f64 = 0.008;

/// How far up the thing in the hand goes before the arm comes back: over what stands between, where it can.
pub(crate) fn lifted(ctx: &Context, inputs: &Inputs, plan: &GraspPlan, margin_m: f64) -> Posture {
    let now = inputs.posture();
    let least = if plan.grasp.from_above {
        RISES_M[1]
    } else {
        RISES_M[0]
    };
    // Under a board, of which the underside is never seen, no further than it is sure to go.
    let top = plan.shape.top();
    let roof = inputs
        .graph
        .and_then(|g| roofs::room_above_m(g, inputs.voxels, &top));
    let least = roof.map_or(least, |room_m| {
        least.min((0.3 * (room_m - BOARD_M)).max(LEAST_RISE_M))
    });
    // Out of a drawer, a bin or a basin it goes over the rim. How far down it reaches there may be hidden.
    let tray = inputs.graph.and_then(|g| trays::around(g, &plan.shape.center));
    let basin_m = inputs
        .graph
        .and_then(|g| roofs::basin_rim_m(g, inputs.voxels, &top));
    let rim_m = tray.map(|t| t.shape.top_m()).or(basin_m);
    let over_rim = |bottom_m: f64| rim_m.map_or(least, |rim_m| least.max(rim_m - bottom_m + OVER_RIM_M));
    let seen_bottom_m = plan.shape.bottom_m();
    let hidden_bottom_m = tray.map_or(seen_bottom_m, |t| {
        seen_bottom_m.min((top.z - TALL_M).max(t.shape.bottom_m()))
    });
    let (sure, least) = (over_rim(hidden_bottom_m), over_rim(seen_bottom_m));
    let up = |rise: f64| Posture {
        lift_m: ctx.robot.arm[0].clamp(now.lift_m + rise),
        ..now
    };
    let obstacles = Obstacles::around(
        &inputs.base,
        inputs.voxels,
        &[object_region(&plan.shape)],
        Some(Support::around(&plan.shape.center, plan.shape.bottom_m())),
        margin_m,
    );
    let payload = Payload {
        hand_from_box: plan.grasp.hand.pose().inverse() * plan.shape.pose(),
        half: plan.shape.half,
    };
    let gripper = inputs.joint(GRIPPER);
    let is_free = |from: &Posture, to: &Posture| {
        obstacles
            .hit_between(&ctx.robot, &ctx.arm, from, to, gripper, Some(&payload))
            .is_none()
    };
    let stretch = Stretch {
        robot: &ctx.robot,
        arm: &ctx.arm,
        obstacles: &obstacles,
        facing: inputs.base,
        gripper,
        payload: Some(&payload),
    };
    let comes_back = |p: &Posture| {
        if plan.grasp.comes_down {
            return is_free(p, &Posture { extend_m: 0.0, ..*p });
        }
        let hand = HandPose::of(&(inputs.base.to_pose3() * ctx.robot.grasp_center(p)));
        stretch
            .check_between(&hand, &hand.drawn_back(plan.grasp.way_m()))
            .is_ok()
    };
    let rises = [sure, least]
        .into_iter()
        .chain(RISES_M.into_iter().filter(|r| *r > least));
    let free = rises.map(up).find(|p| is_free(&now, p) && comes_back(p));
    free.unwrap_or(up(least))
}

/// Whether what was taken comes level out of furniture: from under a board or between walls.
pub(crate) fn is_enclosed(inputs: &Inputs, plan: &GraspPlan) -> bool {
    let shape = &plan.shape;
    let is_roofed = inputs
        .graph
        .is_some_and(|g| roofs::is_roofed(g, inputs.voxels, &shape.top()));
    let is_inside = plan.carrier.contains(&shape.center, 0.0);
    !plan.grasp.comes_down && (is_roofed || is_inside)
}

/// How far the base backs off with a thing in the hand: from within furniture until it is all out, before it is turned and
/// raised.
pub(crate) fn back_off_m(inputs: &Inputs, plan: &GraspPlan) -> f64 {
    const LEAST_M: f64 = 0.22;
    const MOST_M: f64 = 0.7;
    const FREE_M: f64 = 0.06;
    if !is_enclosed(inputs, plan) {
        return LEAST_M;
    }
    let (shape, within) = (&plan.shape, &plan.carrier);
    let (s, c) = inputs.base.yaw_rad.sin_cos();
    let is_within = |p: &Point3| within.contains(&Point3::new(p.x, p.y, within.center.z), 0.0);
    let depth_m = (0..)
        .map(|i| 0.02 * f64::from(i))
        .take_while(|d| *d < MOST_M)
        .find(|d| !is_within(&(shape.center - Vector3::new(c, s, 0.0) * *d)))
        .unwrap_or(MOST_M);
    let needed_m = depth_m + shape.half.xy().norm() + FREE_M;
    (needed_m - inputs.posture().extend_m).clamp(LEAST_M, MOST_M)
}
