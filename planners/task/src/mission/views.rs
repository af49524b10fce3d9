//! From where, and at what, to look: what shows floor, furniture, and what is inside of things.

use steward_core::geometry::{OrientedBox, Point3, Pose2, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    ArticulationState, CellState, NavigationTarget, OccupancyGrid, SceneObject, Skill,
};

use super::ways::Ways;
use super::{Intended, Purpose, View, label};
use crate::belief::Belief;

/// From where the base can just stand beside a thing to its side, metres.
const BESIDE_M: f64 = 0.33;
/// How far from there it may stand where things are in the way, metres.
const BESIDE_GAP_M: f64 = 0.5;
/// From where a thing is seen from another side, metres from its edge, and how far from there the base may stand.
const FROM_ASIDE_M: f64 = 0.8;
const FROM_ASIDE_GAP_M: f64 = 0.25;
/// Where the head camera is, seen from the middle of the base: to the left behind it, radians from straight ahead.
const CAMERA_BEARING_RAD: f64 = 2.23;
/// Furniture this many times longer than deep has its front on a long side.
const LONG: f64 = 1.3;
/// Cosine of the angle to straight ahead up to which a front is seen well.
const FACING: f64 = 0.6;
/// Distance from the opening of furniture from which all boards inside are seen, metres.
const BEFORE_OPENING_M: f64 = 0.65;
/// From this far aside of straight ahead the walls hide no more than a corner of what is inside, radians.
const FULLY_SEEN_RAD: f64 = 0.4;
/// A door that is open this far hides nothing from straight ahead, radians; for every radian less one stands a radian
/// further aside of its hinge, up to so much.
const PAST_THE_DOOR_RAD: f64 = 1.6;
const MOST_ASIDE_RAD: f64 = 0.7;
/// Furniture higher than this is looked at as if it had boards, metres.
const SHELVES_FROM_M: f64 = 1.05;

/// Distances from the base at which floor must be known to be driven on, metres.
const NEAR_FLOOR_M: [f64; 2] = [0.5, 0.9];

/// A full turn of looks around the base; `down`: and down where the floor around it is not known. It lies below the images of
/// the others, and without it there may be no way out.
pub(super) fn survey(view: &View<'_>, down: bool) -> Intended {
    let turn = 6;
    let at = (0..turn)
        .flat_map(|i| {
            let bearing = view.base.yaw_rad + std::f64::consts::TAU * f64::from(i) / f64::from(turn);
            let point = |away_m: f64, z: f64| {
                let (x, y) = (away_m * bearing.cos(), away_m * bearing.sin());
                Point3::new(view.base.x_m + x, view.base.y_m + y, z)
            };
            let is_known = |away_m: &f64| {
                let floor = point(*away_m, 0.0);
                let state = |g: &OccupancyGrid| g.cell_of(floor.x, floor.y).map(|(c, r)| g.state(c, r));
                view.grid
                    .and_then(state)
                    .is_some_and(|state| state != CellState::Unknown)
            };
            let floor = (down && !NEAR_FLOOR_M.iter().all(is_known)).then(|| point(0.8, 0.0));
            std::iter::once(point(2.5, 0.5)).chain(floor)
        })
        .collect();
    Intended {
        skill: Skill::Look { at },
        label: "look around".into(),
        purpose: Purpose::Survey,
    }
}

/// Looks to both sides from where the base stands, without turning it.
pub(super) fn glance(view: &View<'_>) -> Intended {
    let at = [0.65, -0.65]
        .map(|turn| {
            let bearing = view.base.yaw_rad + turn;
            Point3::new(
                view.base.x_m + 2.5 * bearing.cos(),
                view.base.y_m + 2.5 * bearing.sin(),
                0.5,
            )
        })
        .to_vec();
    Intended {
        skill: Skill::Look { at },
        label: "look to both sides".into(),
        purpose: Purpose::Glance,
    }
}

/// A look into something that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peek {
    /// What closes it, or itself.
    pub(super) part: ObjectId,
    /// Whether the base has come close for it.
    pub(super) is_close: bool,
    /// How many of its sides were looked from before, where it is open at the top.
    pub(super) side: usize,
}

impl Peek {
    /// The first look past a part.
    pub(super) fn into(part: ObjectId) -> Self {
        Peek {
            part,
            is_close: false,
            side: 0,
        }
    }
}

/// Whether one looks from above past this part, a drawer, a lid, or none.
pub(super) fn opens_upwards(part: &SceneObject) -> bool {
    part.articulation
        .is_none_or(|a| a.prismatic || a.axis.z.abs() < 0.5)
}

/// Looks inside what an open part closes: behind a door from in front of the opening, in a drawer or a bin from right
/// beside it, where only that shows the bottom.
pub(super) fn peek(
    belief: &Belief<'_>,
    view: &View<'_>,
    ways: &Ways<'_>,
    part: &SceneObject,
    due: &Peek,
) -> Vec<Intended> {
    let articulation = part.articulation;
    let is_drawer = articulation.is_some_and(|a| a.prismatic);
    let owner = articulation
        .and_then(|a| a.owner)
        .and_then(|id| belief.object(id));
    let inside = if is_drawer { part } else { owner.unwrap_or(part) };
    let shape = &inside.shape;
    // Behind a door there may be boards; what lies in a bin or a drawer lies at the bottom.
    let shares: &[f64] = if articulation.is_none() {
        &[0.25, 0.75, 1.0]
    } else if opens_upwards(part) {
        &[0.3]
    } else {
        &[0.25, 0.75]
    };
    let at = shares
        .iter()
        .map(|share| {
            let z = shape.bottom_m() + share * 2.0 * shape.half.z;
            Point3::new(shape.center.x, shape.center.y, z)
        })
        .collect();
    let look = Intended {
        skill: Skill::Look { at },
        label: format!("look into {}", label(belief, inside.id)),
        purpose: Purpose::Peek,
    };
    let place = if due.is_close {
        None
    } else if opens_upwards(part) {
        Some(beside(shape, ways, due.side))
    } else {
        articulation.and_then(|a| in_front_of_opening(shape, &a, &view.base))
    };
    let Some(place) = place else {
        return vec![look];
    };
    let go = Intended {
        skill: Skill::Navigate {
            to: NavigationTarget::Pose(place),
        },
        label: format!("go right up to {}", label(belief, inside.id)),
        purpose: Purpose::Peek,
    };
    vec![go, look]
}

/// Points so far before each side of a thing: along its x axis ahead and behind, along y to the left and to the right.
pub(super) fn before_sides(shape: &OrientedBox, away_m: f64) -> [Point3; 4] {
    let (x, y) = (shape.half.x + away_m, shape.half.y + away_m);
    [(x, 0.0), (-x, 0.0), (0.0, y), (0.0, -y)].map(|(x, y)| shape.pose() * Point3::new(x, y, 0.0))
}

/// Right beside a thing with the head towards it: from there the camera looks over the rim most steeply. Of its sides the
/// one that the base gets closest to, and of those the nearest, unless that is not the first to look from.
fn beside(shape: &OrientedBox, ways: &Ways<'_>, side: usize) -> Pose2 {
    let sides = before_sides(shape, BESIDE_M);
    let mut places: Vec<_> = sides
        .iter()
        .filter_map(|side| ways.place_near((side.x, side.y), BESIDE_GAP_M))
        .collect();
    places.sort_by(|a, b| a.1.total_cmp(&b.1));
    let chosen = match side {
        0 => places.first(),
        // Seen from the nearest in vain: from the opposite one, and then from between.
        1 => places.last(),
        _ => places.get(1),
    };
    let (x, y) = chosen.map_or((sides[0].x, sides[0].y), |(place, _)| *place);
    let ahead = facing(&Point3::new(x, y, 0.0), &shape.center);
    Pose2::new(x, y, wrap_angle_rad(ahead.yaw_rad - CAMERA_BEARING_RAD))
}

/// Near a thing, where it is seen from a side as different from the present one as can be; [`None`] where the base gets to no
/// place around it.
pub(super) fn from_another_side(shape: &OrientedBox, ways: &Ways<'_>, base: &Pose2) -> Option<Pose2> {
    const AROUND: u32 = 12;
    let center = shape.center;
    let bearing_rad = |x: f64, y: f64| (y - center.y).atan2(x - center.x);
    let now_rad = bearing_rad(base.x_m, base.y_m);
    let away_m = shape.half.x.hypot(shape.half.y) + FROM_ASIDE_M;
    let places = (0..AROUND).filter_map(|n| {
        let rad = std::f64::consts::TAU * f64::from(n) / f64::from(AROUND);
        let at = (center.x + away_m * rad.cos(), center.y + away_m * rad.sin());
        ways.place_near(at, FROM_ASIDE_GAP_M).map(|(place, _)| place)
    });
    let turned_rad = |&(x, y): &(f64, f64)| wrap_angle_rad(bearing_rad(x, y) - now_rad).abs();
    let (x, y) = places.max_by(|a, b| turned_rad(a).total_cmp(&turned_rad(b)))?;
    Some(facing(&Point3::new(x, y, 0.0), &center))
}

/// In front of the opening of furniture, past the edge of a door that stands in the way; [`None`] for a base that sees all
/// of the inside from where it stands.
fn in_front_of_opening(shape: &OrientedBox, door: &ArticulationState, base: &Pose2) -> Option<Pose2> {
    let heading = door.opening_heading(shape)?;
    let out = Vector3::new(heading.cos(), heading.sin(), 0.0);
    let local = shape.pose().inverse_transform_vector(&out);
    let depth = (local.x * shape.half.x).abs() + (local.y * shape.half.y).abs();
    let opening = shape.center + out * depth;
    let from_hinge = (opening - door.pivot).dot(&Vector3::new(-out.y, out.x, 0.0));
    let lets_in = door.lets_in() == Some(true);
    let open_rad = door.position.filter(|_| lets_in).unwrap_or(door.open_at);
    let swing = (PAST_THE_DOOR_RAD - open_rad).clamp(0.0, MOST_ASIDE_RAD);
    let best = heading + swing.copysign(from_hinge);
    let bearing = (base.y_m - opening.y).atan2(base.x_m - opening.x);
    let aside = wrap_angle_rad(bearing - best).abs();
    let away = Vector3::new(best.cos(), best.sin(), 0.0);
    (aside > FULLY_SEEN_RAD).then(|| facing(&(opening + away * BEFORE_OPENING_M), &shape.center))
}

/// A place from which the base faces a point.
pub(super) fn facing(at: &Point3, point: &Point3) -> Pose2 {
    Pose2::new(at.x, at.y, (point.y - at.y).atan2(point.x - at.x))
}

/// Whether things may stand one above the other in a piece of furniture.
pub(super) fn has_boards(o: &SceneObject) -> bool {
    o.surfaces.len() > 1 || o.shape.top_m() > SHELVES_FROM_M
}

/// Whether furniture is so long that its front must be one of the long sides.
pub(super) fn is_long(o: &SceneObject) -> bool {
    Belief::is_furniture(o) && o.shape.half.x > LONG * o.shape.half.y
}

/// Whether a camera looks at the front of furniture, where that matters for what it shows.
pub(super) fn is_faced(o: &SceneObject, camera: &Point3) -> bool {
    let local = o.shape.pose().inverse_transform_point(camera);
    !is_long(o) || local.y.abs() > FACING * local.x.hypot(local.y)
}

/// Points that together show what stands on a piece of furniture: its middle, its ends where it is long, and low and
/// high where there may be boards.
pub(super) fn inspection_points(o: &SceneObject) -> Vec<Point3> {
    if has_boards(o) {
        let at = |share: f64| {
            Point3::new(
                o.shape.center.x,
                o.shape.center.y,
                share * o.shape.top_m().min(1.8),
            )
        };
        return vec![at(0.35), at(0.75)];
    }
    let height = o
        .surfaces
        .last()
        .map_or(o.shape.top_m(), |s| s.height_m())
        .min(1.4);
    let long_x = o.shape.half.x >= o.shape.half.y;
    let half = o.shape.half.x.max(o.shape.half.y);
    let pose = o.shape.pose();
    let along = |d: f64| {
        let local = if long_x {
            Point3::new(d, 0.0, 0.0)
        } else {
            Point3::new(0.0, d, 0.0)
        };
        let p = pose * local;
        Point3::new(p.x, p.y, height)
    };
    if half < 0.6 {
        vec![along(0.0)]
    } else {
        vec![along(-half * 0.6), along(half * 0.6)]
    }
}
