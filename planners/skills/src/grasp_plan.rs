//! Choosing a grasp that the arm can reach from where the base stands.

use steward_core::geometry::{OrientedBox, Point3, Vector3};
use steward_core::messages::{RelationKind, SceneGraph, SceneObject};

use crate::approach;
use crate::collision::{Contact, Support};
use crate::grasp::{self, Grasp};
use crate::ik::HandPose;
use crate::machine::{Context, Inputs};
use crate::nudge;
use crate::parts::turns_upright;
use crate::passage::{self, Care, Thing};
use crate::reach::{self, Margins, NoReach, Reach, Scene};
use crate::roofs;
use crate::trays;

/// How much wider than the thing the fingers open, best first, metres: what was seen of it from afar is rarely all. The
/// last is for between walls.
const ROOM_M: [f64; 3] = [0.09, 0.05, 0.03];

/// Wrists up to this far above a thing are low, metres.
const LOW_WRIST_M: f64 = 0.1;

/// What the hand goes to a thing for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To take hold of it.
    Take,
    /// To turn it, with closed fingers, so that it can be taken hold of.
    Turn,
}

/// A grasp that was decided on.
#[derive(Debug, Clone)]
pub(crate) struct GraspPlan {
    pub(crate) grasp: Grasp,
    pub(crate) reach: Reach,
    /// The thing, frame `map`.
    pub(crate) shape: OrientedBox,
    /// How far the fingers open, metres.
    pub(crate) opening_m: f64,
    /// What it stands on or is in.
    pub(crate) carrier: OrientedBox,
    /// How far it is drawn along before it is lifted, frame `map`, metres.
    pub(crate) draw: Option<Vector3>,
}

impl GraspPlan {
    /// The plan once the thing was drawn out.
    pub(crate) fn drawn(mut self) -> Self {
        if let Some(by) = self.draw.take() {
            self.shape.center += by;
            self.grasp.hand = self.grasp.hand.moved(by);
            self.grasp.before = self.grasp.before.moved(by);
        }
        self
    }
}

/// An object, and what is around it that bears on how a hand gets there from anywhere.
#[derive(Debug)]
pub(crate) struct Surrounded<'a> {
    object: &'a SceneObject,
    aim: Aim,
    /// As far as it reaches down.
    shape: OrientedBox,
    /// The drawer or bin that it is in.
    tray: Option<&'a SceneObject>,
    /// Height of the rim of the basin that it is in, metres.
    basin_m: Option<f64>,
    /// Distance from its top up to the top of the board over it, metres.
    room_above_m: Option<f64>,
    /// In a cupboard, where boards may be that no camera sees, of glass or from below.
    is_behind_door: bool,
}

impl<'a> Surrounded<'a> {
    /// As memory has it now.
    pub(crate) fn of(inputs: &Inputs<'a>, object: &'a SceneObject, aim: Aim) -> Self {
        let tray = inputs.graph.and_then(|g| trays::around(g, &object.shape.center));
        let shape = tray.map_or(object.shape, |t| trays::reaching_down(t, &object.shape));
        let top = shape.top();
        let basin = |g| roofs::basin_rim_m(g, inputs.voxels, &top);
        let room_above = |g| roofs::room_above_m(g, inputs.voxels, &top);
        Surrounded {
            object,
            aim,
            shape,
            tray,
            basin_m: inputs.graph.and_then(basin),
            room_above_m: inputs.graph.filter(|_| tray.is_none()).and_then(room_above),
            is_behind_door: inputs.graph.is_some_and(|g| is_behind_door(g, object)),
        }
    }

    /// Whether hands come to it from one side only, so that it matters how it lies.
    pub(crate) fn is_shut_in(&self) -> bool {
        self.tray.is_none() && (self.is_behind_door || self.room_above_m.is_some())
    }
}

/// The best grasp that a base at a position can reach without touching anything, not counting those tried already.
pub(crate) fn best_grasp(
    ctx: &Context,
    inputs: &Inputs,
    surrounded: &Surrounded,
    base: (f64, f64),
    tried: &[HandPose],
    (care, margins): (Care, Margins),
) -> Result<GraspPlan, String> {
    let Surrounded {
        object,
        aim,
        ref shape,
        tray,
        basin_m,
        room_above_m,
        is_behind_door,
    } = *surrounded;
    let mut ignored = vec![object_region(&object.shape)];
    let is_narrow = margins.way_m < 0.0;
    if let Some(tray) = tray.filter(|_| is_narrow) {
        // Voxels are too coarse for the walls that the fingers go down between.
        ignored.push(around_in(tray, shape));
    }
    let mut grasps = match aim {
        Aim::Take => grasp::candidates(&ctx.robot, &ctx.config, shape, base),
        Aim::Turn => nudge::candidates(&ctx.robot, shape, base),
    };
    let drawer = tray.filter(|t| t.articulation.is_some());
    for g in &mut grasps {
        if let Some(hand) = drawer.and_then(|d| trays::in_front_of_edge(d, shape, &g.hand)) {
            g.before = g.before.moved(hand.position - g.hand.position);
            g.hand = hand;
        }
    }
    if let Some(rim_m) = tray.map(|t| t.shape.top_m()).or(basin_m) {
        for g in &mut grasps {
            g.before = trays::over_rim(rim_m, &g.before, g.comes_down, ctx.robot.tip_m);
        }
    }
    if grasps.is_empty() {
        return Err(match aim {
            Aim::Take => format!("at {} no side fits between the fingers", size(shape)),
            Aim::Turn => "it does not lie across".into(),
        });
    }
    // Into what is open at the top only, the hand comes steeply.
    grasps.retain(|g| {
        tray.is_none_or(|t| trays::clears_rim(t, &g.hand)) && (basin_m.is_none() || g.comes_down)
    });
    // From above is no way in under a board, unless the hand fits between it and the thing.
    if let Some(room_m) = room_above_m {
        let top = shape.top();
        grasps.retain(|g| !g.comes_down || roofs::goes_under(&ctx.robot, &g.before, &top, room_m));
    }
    if grasps.is_empty() {
        return Err("a hand from above does not go under what is over it".into());
    }
    // What is in the way of the best of them says more than that others are out of range.
    let mut reason: Option<NoReach> = None;
    let mut note = |miss: NoReach| {
        if !matches!(reason, Some(NoReach::Collision(_) | NoReach::Walls)) {
            reason = Some(miss);
        }
    };
    let again = |g: &Grasp| {
        tried
            .iter()
            .filter(|t| {
                t.fingers.dot(&g.hand.fingers) > 0.98
                    && t.closing.dot(&g.hand.closing).abs() > 0.97
                    && (t.position - g.hand.position).norm() < 0.015
            })
            .count()
    };
    let is_high = |g: &Grasp| roofs::wrist_m(&ctx.robot, &g.hand) > shape.top_m() + LOW_WRIST_M;
    let mut order: Vec<(usize, &Grasp)> = grasps.iter().map(|g| (again(g), g)).collect();
    order.sort_by_key(|(n, g)| (*n, is_behind_door && is_high(g)));
    let thing = Thing {
        pose: shape.pose(),
        half: shape.half,
    };
    // Where voxels leave no room the fingers open no further than they must.
    let rooms = &ROOM_M[if is_narrow { 1 } else { 0 }..if is_narrow || tray.is_some() { 3 } else { 2 }];
    let openings = |grasp: &Grasp| {
        let (width_m, widest_m) = (grasp.width_m, 2.0 * ctx.robot.gripper.upper);
        let rooms = if aim == Aim::Turn { &[0.0][..] } else { rooms };
        rooms.iter().map(move |room| (width_m + room).min(widest_m))
    };
    for (grasp, opening_m) in order.iter().flat_map(|(_, g)| openings(g).map(|o| (*g, o))) {
        if ctx.was_stopped(&grasp.hand, opening_m, inputs.now) {
            note(NoReach::Stopped);
            continue;
        }
        if let Some(tray) = tray
            && !trays::is_between_walls(&ctx.robot, tray, &grasp.hand, opening_m)
        {
            note(NoReach::Walls);
            continue;
        }
        let scene = Scene {
            ignored: &ignored,
            support: Some(Support::around(&shape.center, shape.bottom_m())),
            gripper: opening_m * 0.5,
            ..Scene::of(ctx, inputs)
        };
        if care == Care::Untouched
            && aim == Aim::Take
            && !passage::is_clear(&ctx.robot, base, &grasp.hand, &grasp.before, opening_m, &thing)
        {
            note(NoReach::Collision(Contact::Thing));
            continue;
        }
        match reach::plan_within(&scene, base, &grasp.hand, &grasp.before, margins) {
            Ok(reach) => {
                return Ok(GraspPlan {
                    grasp: *grasp,
                    reach,
                    shape: *shape,
                    opening_m,
                    carrier: approach::carrier(inputs, object),
                    draw: drawer.and_then(|d| trays::out_from_under(d, shape)),
                });
            }
            Err(miss) => note(miss),
        }
    }
    Err(reason.map_or_else(|| "no grasp fits".into(), |r| r.explain(inputs.graph)))
}

/// Whether a thing is in furniture with a door.
fn is_behind_door(graph: &SceneGraph, object: &SceneObject) -> bool {
    let is_inside = |id| {
        let mut relations = graph.relations.iter();
        relations.any(|r| r.subject == object.id && r.kind == RelationKind::In && r.object == id)
    };
    let joints = graph.objects.iter().filter_map(|o| o.articulation);
    joints
        .filter(turns_upright)
        .any(|a| a.owner.is_some_and(is_inside))
}

/// Boxes in which voxels belong to the object.
pub(crate) fn object_region(shape: &OrientedBox) -> OrientedBox {
    OrientedBox {
        half: shape.half.add_scalar(0.03),
        ..*shape
    }
}

/// What is around a thing in a drawer or a bin, up to the rim.
fn around_in(tray: &SceneObject, shape: &OrientedBox) -> OrientedBox {
    const AROUND_M: f64 = 0.2;
    let (low, high) = (shape.bottom_m() - 0.05, tray.shape.top_m() + 0.02);
    OrientedBox {
        center: Point3::new(shape.center.x, shape.center.y, 0.5 * (low + high)),
        yaw_rad: tray.shape.yaw_rad,
        half: Vector3::new(AROUND_M, AROUND_M, 0.5 * (high - low)),
    }
}

/// Length, width and height for people.
pub(crate) fn size(shape: &OrientedBox) -> String {
    let [x, y, z] = [shape.half.x, shape.half.y, shape.half.z].map(|half| 2.0 * half);
    format!("{x:.2} x {y:.2} x {z:.2} m")
}
