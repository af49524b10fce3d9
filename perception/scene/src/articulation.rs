//! Parts that open: which way they move, where the closed position is, and how far open they are.
//!
//! A door or lid is a *leaf*: a rectangle that turns about the side away from its handle. A drawer is a
//! rectangle that slides along its normal. Both are described by the closed rectangle, measured when the part
//! was seen closed, or concluded from the owner's box when it was first seen open.

use serde::{Deserialize, Serialize};
use steward_core::geometry::{OrientedBox, Point3, Vector3, wrap_angle_rad};
use steward_core::ids::ObjectId;
use steward_core::messages::{ArticulationState, SceneObject};

use crate::Result;
use crate::error::check_range;
use crate::memory::shape::{horizontal_axes, median, trimmed_range};

/// Settings of [`Joint`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ArticulationConfig {
    /// Angle at which a door is open enough to reach inside, radians.
    pub door_open_at_rad: f64,
    /// Travel at which a drawer is open enough to reach inside, metres.
    pub drawer_open_at_m: f64,
    /// Angle at which a lid is open enough to reach inside, radians: nearly upright, or it leans over what it closes.
    pub lid_open_at_rad: f64,
    /// Largest distance between a handle and the part it belongs to, metres.
    pub handle_reach_m: f64,
    /// Largest distance between a part and the furniture it belongs to, metres.
    pub owner_reach_m: f64,
    /// Half the thickness of a handle's bar, metres: the middle lies this far behind the measured surface.
    pub handle_half_thickness_m: f64,
}

impl Default for ArticulationConfig {
    fn default() -> Self {
        ArticulationConfig {
            door_open_at_rad: 1.4,
            drawer_open_at_m: 0.3,
            lid_open_at_rad: 1.4,
            handle_reach_m: 0.15,
            owner_reach_m: 0.25,
            handle_half_thickness_m: 0.008,
        }
    }
}

impl ArticulationConfig {
    /// # Errors
    /// [`crate::Error::BadConfig`] for a threshold, distance or thickness out of range.
    pub fn validate(&self) -> Result<()> {
        check_range("articulation.door_open_at_rad", self.door_open_at_rad, 0.0, 3.0)?;
        check_range("articulation.drawer_open_at_m", self.drawer_open_at_m, 0.0, 1.0)?;
        check_range("articulation.lid_open_at_rad", self.lid_open_at_rad, 0.0, 3.0)?;
        check_range("articulation.handle_reach_m", self.handle_reach_m, 0.0, 1.0)?;
        check_range("articulation.owner_reach_m", self.owner_reach_m, 0.0, 2.0)?;
        check_range(
            "articulation.handle_half_thickness_m",
            self.handle_half_thickness_m,
            0.0,
            0.1,
        )
    }
}

/// What kind of motion opens a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Turns about a vertical axis at one side.
    Door,
    /// Slides out.
    Drawer,
    /// Turns up about a horizontal axis at the back.
    Lid,
}

impl PartKind {
    /// The kind of a class, `None` where the class is not a part that opens.
    pub fn of_class(class: &str) -> Option<Self> {
        if class.ends_with("_door") {
            Some(PartKind::Door)
        } else if class == "drawer" || class.ends_with("_drawer") {
            Some(PartKind::Drawer)
        } else if class.ends_with("_lid") {
            Some(PartKind::Lid)
        } else {
            None
        }
    }
}

/// Class of the furniture that a part's class names: `fridge` for `fridge_door`, `None` for a plain `drawer`.
pub fn owner_class(part_class: &str) -> Option<&str> {
    ["_door", "_drawer", "_lid"]
        .iter()
        .find_map(|suffix| part_class.strip_suffix(suffix))
}

/// What one frame shows of a part.
#[derive(Debug, Clone, Copy)]
pub struct PartView<'a> {
    /// Surface points, frame `map`.
    pub points: &'a [Point3],
    /// Box around them.
    pub shape: OrientedBox,
    /// The mask is cut by the left or right border of the image.
    pub cut_sideways: bool,
    /// The mask is cut by any border of the image, or much of it is hidden.
    pub partial: bool,
    /// Where the camera was, frame `map`.
    pub camera_at: Point3,
    /// Middle of the handle as measured in this frame, frame `map`.
    pub handle: Option<Point3>,
    /// It was seen often enough to say that no furniture is to be seen around it.
    pub alone: bool,
}

/// Where the bar of a handle is, from the surface points of the handle and the middle of its box: in height as the
/// box, from above where most points are. The box reaches back to the panel along the posts; what the camera sees is
/// mostly the bar.
pub(crate) fn front_of_bar(points: &[Point3], middle: &Point3) -> Point3 {
    match (
        median_along(points, &Vector3::x()),
        median_along(points, &Vector3::y()),
    ) {
        (Some(x), Some(y)) => Point3::new(x, y, middle.z),
        _ => *middle,
    }
}

/// The closed rectangle of a part.
#[derive(Debug, Clone)]
struct Rest {
    /// Middle of the outer face.
    center: Point3,
    /// Unit vector in the face: across for doors and drawers, front to back (or back to front) for lids.
    along: Vector3,
    /// Unit normal of the face, to the outside.
    outward: Vector3,
    /// Half the side length along `along`, metres.
    half_m: f64,
    /// Half the other side length, metres.
    other_half_m: f64,
    /// Evidence for the free side being at `+along` (positive) or `-along`; zero: never seen a handle.
    free_side: f64,
    /// Views that went into it.
    views: u32,
}

impl Rest {
    /// From the hinge to the free side.
    fn opening_direction(&self) -> Vector3 {
        if self.free_side < 0.0 {
            -self.along
        } else {
            self.along
        }
    }

    fn pivot(&self) -> Point3 {
        self.center - self.opening_direction() * self.half_m
    }
}

/// What is known of how one part moves.
#[derive(Debug, Clone)]
pub struct Joint {
    kind: PartKind,
    rest: Option<Rest>,
    position: Option<f64>,
    /// Middle of the handle when the part is closed, and how many views went into it.
    handle_home: Option<(Point3, u32)>,
    /// Middle of the handle as last seen, and the position of the joint then.
    handle_seen: Option<(Point3, Option<f64>)>,
    /// Views in a row that contradict the closed rectangle.
    contradictions: u32,
    owner: Option<ObjectId>,
    /// What was known of it before, until it is measured anew.
    before: Option<ArticulationState>,
}

/// Views in a row that must contradict the closed rectangle before it is estimated anew.
const CONTRADICTION_LIMIT: u32 = 6;
/// How far the middle of a handle's bar is in front of a door or drawer, metres.
const HANDLE_OUT_M: (f64, f64) = (0.02, 0.09);
/// Views after which the closed rectangle is better known than the box of the furniture.
const ESTABLISHED_VIEWS: u32 = 5;

impl Joint {
    /// A part nothing is known of.
    pub fn new(kind: PartKind) -> Self {
        Joint {
            kind,
            rest: None,
            position: None,
            handle_home: None,
            handle_seen: None,
            contradictions: 0,
            owner: None,
            before: None,
        }
    }

    /// A part of which something was known before.
    pub fn known(kind: PartKind, before: Option<ArticulationState>) -> Self {
        Joint {
            owner: before.and_then(|b| b.owner),
            before,
            ..Joint::new(kind)
        }
    }

    /// Takes in one view. `owner` is the box of the furniture the part belongs to, where that is known.
    pub fn update(
        &mut self,
        view: &PartView<'_>,
        owner: Option<(ObjectId, &OrientedBox)>,
        config: &ArticulationConfig,
    ) {
        let handle = view.handle.map(|h| {
            let away = (h - view.camera_at)
                .try_normalize(1e-9)
                .unwrap_or_else(Vector3::zeros);
            h + away * config.handle_half_thickness_m
        });
        self.owner = owner.map(|o| o.0).or(self.owner);
        if let Some(handle) = handle {
            self.handle_seen = Some((handle, None));
        }
        let owner = owner.map(|o| o.1);
        if self.rest.is_none() && (owner.is_some() || view.alone) {
            self.rest = match self.kind {
                PartKind::Door => initial_door(view, owner, handle),
                PartKind::Drawer => initial_drawer(view, owner),
                PartKind::Lid => initial_lid(view, owner, handle),
            };
        }
        let Some(rest) = &mut self.rest else {
            return;
        };
        if self.kind == PartKind::Lid
            && let Some(turned) = handle.and_then(|h| lid_facing(rest, view, &h))
        {
            *rest = turned;
        }
        let measured = match self.kind {
            PartKind::Drawer => slide_of(rest, view, handle, self.handle_home.map(|h| h.0)),
            _ => angle_of(rest, view, handle, self.handle_home.map(|h| h.0)),
        };
        // Closed doors and drawers are parallel to a face of their furniture.
        let askew = self.kind != PartKind::Lid
            && rest.views < ESTABLISHED_VIEWS
            && owner.is_some_and(|o| face_normals(o).iter().all(|n| n.dot(&rest.outward) < 0.93));
        // Nothing is further in than shut: where it seems so, what was taken for shut was not.
        let (limit, closed_below) = match self.kind {
            PartKind::Drawer => ((-0.05, 1.0), 0.04),
            _ => ((-0.4, 2.9), 0.14),
        };
        let agrees = |q: f64| self.kind != PartKind::Door || may_be_at(rest, view, q);
        match measured {
            Some(q) if q > limit.0 && q < limit.1 && !askew && agrees(q) => {
                self.contradictions = 0;
                let q = q.max(0.0);
                // Small differences are noise, large ones are motion.
                let step = if self.kind == PartKind::Drawer { 0.05 } else { 0.12 };
                self.position = Some(match self.position {
                    Some(before) if (q - before).abs() < step => before + 0.5 * (q - before),
                    _ => q,
                });
            }
            Some(_) => {
                self.contradictions += 1;
                let established = rest.views >= ESTABLISHED_VIEWS;
                if self.contradictions >= CONTRADICTION_LIMIT * if established { 5 } else { 1 } {
                    *self = Joint {
                        owner: self.owner,
                        handle_seen: self.handle_seen,
                        ..Joint::new(self.kind)
                    };
                }
                return;
            }
            None => return,
        }
        let closed = measured.is_some_and(|q| q.abs() < closed_below);
        if closed && !view.cut_sideways {
            refine(self.kind, rest, view, handle);
        }
        let handle = match (handle, self.position) {
            (Some(handle), Some(position)) if self.kind != PartKind::Lid => {
                let home = moved(self.kind, rest, &handle, -position);
                let out = rest.outward.dot(&(home - rest.center));
                let home = home + rest.outward * (out.clamp(HANDLE_OUT_M.0, HANDLE_OUT_M.1) - out);
                Some(moved(self.kind, rest, &home, position))
            }
            _ => handle,
        };
        if let (Some(handle), Some(position)) = (handle, self.position) {
            self.handle_seen = Some((handle, Some(position)));
            let home = moved(self.kind, rest, &handle, -position);
            self.handle_home = Some(match self.handle_home {
                Some((before, n)) if (home - before).norm() < 0.12 => {
                    (before + (home - before) / f64::from(n + 1), (n + 1).min(10))
                }
                _ => (home, 1),
            });
        }
    }

    /// How far the middle of a view lies from where this part can be, metres; `None` where its motion is not
    /// known yet.
    pub fn residual_m(&self, shape: &OrientedBox) -> Option<f64> {
        let rest = self.rest.as_ref()?;
        let from_center = shape.center - rest.center;
        Some(match self.kind {
            PartKind::Drawer => {
                // Heights are left out: the one above may hide half of it.
                let out = from_center.dot(&rest.outward);
                // A view of a piece of the front lies inside it.
                let slack = (rest.half_m - half_along(shape, &rest.along)).abs();
                let beside = (from_center.dot(&rest.along).abs() - slack).max(0.0);
                beside + (-out - 0.15).max(out - 0.7).max(0.0)
            }
            _ if rest.free_side == 0.0 => from_center.norm(),
            _ => {
                let from_pivot = shape.center - rest.pivot();
                let a = from_pivot.dot(&rest.opening_direction());
                let b = from_pivot.dot(&rest.outward);
                let radius = (a.hypot(b) - rest.half_m).abs();
                let axis = rest.opening_direction().cross(&rest.outward);
                radius.hypot(from_pivot.dot(&axis))
            }
        })
    }

    /// Share of the points that lie where a leaf can be, `None` for drawers and where its motion is not known.
    pub(crate) fn share_in_reach(&self, points: &[Point3]) -> Option<f64> {
        const MARGIN_M: f64 = 0.06;
        let rest = self.rest.as_ref().filter(|_| self.kind != PartKind::Drawer)?;
        let (d, n) = (rest.opening_direction(), rest.outward);
        let axis = d.cross(&n);
        let pivot = rest.pivot();
        let inside = |p: &&Point3| {
            let v = *p - pivot;
            let (a, b) = (v.dot(&d), v.dot(&n));
            let length = 2.0 * rest.half_m + MARGIN_M;
            v.dot(&axis).abs() <= rest.other_half_m + MARGIN_M
                && if rest.free_side == 0.0 {
                    b.abs() <= MARGIN_M && (-MARGIN_M..=length).contains(&a)
                } else {
                    a.hypot(b) <= length && (b.hypot(a) < MARGIN_M || (-0.25..2.7).contains(&b.atan2(a)))
                }
        };
        Some(points.iter().filter(inside).count() as f64 / points.len().max(1) as f64)
    }

    /// Heading of the closed rectangle once it was seen often, radians.
    pub(crate) fn closed_yaw_rad(&self) -> Option<f64> {
        let rest = self.rest.as_ref().filter(|r| r.views >= ESTABLISHED_VIEWS)?;
        Some(rest.along.y.atan2(rest.along.x))
    }

    /// Half the diagonal of the closed rectangle, metres; `None` where that is not known.
    pub(crate) fn half_diagonal_m(&self) -> Option<f64> {
        self.rest.as_ref().map(|r| r.half_m.hypot(r.other_half_m))
    }

    /// The furniture it belongs to, once that is known.
    pub fn owner(&self) -> Option<ObjectId> {
        self.owner
    }

    /// Says which furniture it belongs to.
    pub fn set_owner(&mut self, owner: ObjectId) {
        self.owner = Some(owner);
    }

    /// The position of the joint, radians or metres.
    pub fn position(&self) -> Option<f64> {
        self.position
    }

    /// Of a drawer that is known to slide: the middle of its front when it is shut, the way it opens, and how far it is open,
    /// metres.
    pub fn sliding(&self) -> Option<(Point3, Vector3, f64)> {
        let rest = self.rest.as_ref().filter(|_| self.kind == PartKind::Drawer)?;
        Some((rest.center, rest.outward, self.position?))
    }

    /// A drawer of which a view cut off by something else shows this, as wide as its front is known to be.
    pub(crate) fn as_wide_as_known(&self, seen: &OrientedBox) -> Option<OrientedBox> {
        let rest = self.rest.as_ref().filter(|_| self.kind == PartKind::Drawer)?;
        if half_along(seen, &rest.along) > rest.half_m {
            return None;
        }
        let aside_m = (rest.center - seen.center).dot(&rest.along);
        Some(OrientedBox {
            center: seen.center + rest.along * aside_m,
            yaw_rad: rest.along.y.atan2(rest.along.x),
            half: Vector3::new(rest.half_m, half_along(seen, &rest.outward), seen.half.z),
        })
    }

    /// What others may know; `None` until the part was seen well enough to say how it moves.
    pub fn state(&self, config: &ArticulationConfig) -> Option<ArticulationState> {
        let Some(rest) = &self.rest else {
            return self.before.map(|before| ArticulationState {
                owner: self.owner,
                ..before
            });
        };
        let position = self.position;
        let handle = match (self.handle_seen, position) {
            (Some((seen, Some(then))), Some(now)) => Some(moved(self.kind, rest, &seen, now - then)),
            (seen, _) => seen.map(|s| s.0),
        };
        let (prismatic, pivot, axis, open_at) = match self.kind {
            PartKind::Door => (
                false,
                rest.pivot(),
                rest.opening_direction().cross(&rest.outward),
                config.door_open_at_rad,
            ),
            PartKind::Lid => (
                false,
                rest.pivot(),
                rest.opening_direction().cross(&rest.outward),
                config.lid_open_at_rad,
            ),
            PartKind::Drawer => (true, rest.center, rest.outward, config.drawer_open_at_m),
        };
        Some(ArticulationState {
            owner: self.owner,
            prismatic,
            pivot,
            axis,
            handle,
            position,
            open_at,
        })
    }

    /// Corners of the closed rectangle once it was measured: they belong to the outside of the furniture.
    pub fn closed_corners(&self) -> Vec<Point3> {
        let Some(rest) = self.rest.as_ref().filter(|r| r.views >= 2) else {
            return Vec::new();
        };
        let other = rest.along.cross(&rest.outward) * rest.other_half_m;
        let along = rest.along * rest.half_m;
        vec![
            rest.center + along + other,
            rest.center + along - other,
            rest.center - along + other,
            rest.center - along - other,
        ]
    }

    /// The box that furniture behind a closed door must at least fill, for furniture of which nothing else is
    /// seen; `depth_m` deep.
    pub(crate) fn box_behind(&self, depth_m: f64) -> Option<OrientedBox> {
        let rest = self.rest.as_ref()?;
        let center = rest.center - rest.outward * (depth_m * 0.5);
        Some(OrientedBox {
            center,
            yaw_rad: rest.along.y.atan2(rest.along.x),
            half: Vector3::new(rest.half_m, depth_m * 0.5, rest.other_half_m),
        })
    }

    /// Width of the closed rectangle, metres.
    pub(crate) fn width_m(&self) -> Option<f64> {
        self.rest.as_ref().map(|r| 2.0 * r.half_m)
    }
}

/// A point of the part after moving the part by `by` from where the point was measured.
fn moved(kind: PartKind, rest: &Rest, p: &Point3, by: f64) -> Point3 {
    if kind == PartKind::Drawer {
        return p + rest.outward * by;
    }
    let pivot = rest.pivot();
    let (d, n) = (rest.opening_direction(), rest.outward);
    let v = p - pivot;
    let (a, b) = (v.dot(&d), v.dot(&n));
    let (s, c) = by.sin_cos();
    p + d * (c * a - s * b - a) + n * (s * a + c * b - b)
}

/// Median of a coordinate of the points along a unit vector, from the origin.
fn median_along(points: &[Point3], axis: &Vector3) -> Option<f64> {
    median(&mut points.iter().map(|p| p.coords.dot(axis)).collect::<Vec<_>>())
}

/// The four horizontal outward normals of a box.
fn face_normals(shape: &OrientedBox) -> [Vector3; 4] {
    let [x, y] = horizontal_axes(shape);
    [x, -x, y, -y]
}

/// Half side length of a box along one of its own horizontal axes.
fn half_along(shape: &OrientedBox, axis: &Vector3) -> f64 {
    let [x, y] = horizontal_axes(shape);
    shape.half.x * x.dot(axis).abs() + shape.half.y * y.dot(axis).abs()
}

/// How far drawers reach behind their fronts, metres.
const TRAY_DEPTH_M: f64 = 0.45;

/// The hollow of a drawer of which this can be seen: its front, and what of its sides and its floor is out. The rest is inside
/// the furniture. `front`: a point of its front, in which `outward` is the way it opens.
pub(crate) fn tray(seen: &OrientedBox, front: &Point3, outward: &Vector3) -> OrientedBox {
    let ahead_m = (front - seen.center).dot(outward);
    OrientedBox {
        center: seen.center + outward * (ahead_m - 0.5 * TRAY_DEPTH_M),
        yaw_rad: outward.y.atan2(outward.x),
        half: Vector3::new(
            0.5 * TRAY_DEPTH_M,
            half_along(seen, &Vector3::z().cross(outward)),
            seen.half.z,
        ),
    }
}

/// The same of something remembered; [`None`] of all that does not slide.
pub(crate) fn tray_of(object: &SceneObject) -> Option<OrientedBox> {
    let sliding = object.articulation.filter(|a| a.prismatic)?;
    let outward = sliding.axis.try_normalize(1e-6)?;
    let front = sliding.pivot + outward * sliding.position?;
    Some(tray(&object.shape, &front, &outward))
}

/// The upright rectangle that the points of a flat panel lie on: middle of the face towards the camera.
fn upright_panel(view: &PartView<'_>, normal: Vector3, along: Vector3) -> Option<Rest> {
    let face = median_along(view.points, &normal)?;
    let shape = &view.shape;
    let center = shape.center + normal * (face - shape.center.coords.dot(&normal));
    Some(Rest {
        center,
        along,
        outward: normal,
        half_m: half_along(shape, &along),
        other_half_m: shape.half.z,
        free_side: 0.0,
        views: 1,
    })
}

/// Whether a view shows a flat upright panel from its broad side.
fn is_broad(shape: &OrientedBox) -> bool {
    shape.half.x > 0.05 && shape.half.x > 2.2 * shape.half.y
}

fn initial_door(view: &PartView<'_>, owner: Option<&OrientedBox>, handle: Option<Point3>) -> Option<Rest> {
    if view.cut_sideways || !is_broad(&view.shape) {
        return None;
    }
    let [along, across] = horizontal_axes(&view.shape);
    let to_camera = view.camera_at - view.shape.center;
    let normal = if across.dot(&to_camera) >= 0.0 {
        across
    } else {
        -across
    };
    let mut rest = upright_panel(view, normal, along)?;
    rest.free_side = handle.map_or(0.0, |h| side_of(&rest, &h));
    let Some(owner) = owner else {
        // Nothing behind it was seen, so it is in front of everything: closed.
        return Some(rest);
    };
    // A closed panel lies before a face. Often only a strip of the furniture is seen beside it, so it need not be
    // in the middle of the face; an open one sticks out beside it.
    let from_owner = rest.center - owner.center;
    let lies_on = |face: &Vector3| {
        let tangent = Vector3::z().cross(face);
        let beyond = from_owner.dot(face) - half_along(owner, face);
        let (wide, narrow) = (half_along(owner, &tangent), rest.half_m);
        let overlap = wide + narrow - from_owner.dot(&tangent).abs();
        face.dot(&normal) > 0.96 && overlap >= wide.min(narrow) && beyond > -0.2 && beyond < 0.2
    };
    if face_normals(owner).iter().any(lies_on) {
        return Some(rest);
    }
    open_door(view, owner, &rest)
}

/// Concludes the closed rectangle of an open door: one end of the panel is at a vertical edge of the owner's
/// box, and the closed panel lies on one of the two faces that meet there.
fn open_door(view: &PartView<'_>, owner: &OrientedBox, panel: &Rest) -> Option<Rest> {
    let width = 2.0 * panel.half_m;
    let mut best: Option<(f64, Rest)> = None;
    for outward in face_normals(owner) {
        for tangent in [Vector3::z().cross(&outward), outward.cross(&Vector3::z())] {
            // The hinge is at the far end of the face against `tangent`.
            let (depth, side) = (half_along(owner, &outward), half_along(owner, &tangent));
            let mut pivot = owner.center + outward * depth - tangent * side;
            pivot.z = panel.center.z;
            for sign in [1.0, -1.0] {
                let near = panel.center - panel.along * (sign * panel.half_m);
                let far = panel.center + panel.along * (sign * panel.half_m);
                let gap = (near - pivot).norm();
                let swing = far - near;
                let angle = swing.dot(&outward).atan2(swing.dot(&tangent));
                if gap > 0.2 || !(0.15..2.4).contains(&angle) {
                    continue;
                }
                // One leaf covers the face, or one of two covers half of it.
                let misfit = (width - 2.0 * side).abs().min((width - side).abs() + 0.03);
                let hidden = outward.dot(&(view.camera_at - owner.center)) < depth;
                let cost = gap + misfit + 0.1 * angle + if hidden { 0.4 } else { 0.0 };
                if best.as_ref().is_none_or(|(c, _)| cost < *c) {
                    let half_m = panel.half_m;
                    best = Some((
                        cost,
                        Rest {
                            center: pivot + tangent * half_m,
                            along: tangent,
                            outward,
                            half_m,
                            other_half_m: panel.other_half_m,
                            free_side: 2.0,
                            views: 1,
                        },
                    ));
                }
            }
        }
    }
    best.map(|b| b.1)
}

fn initial_drawer(view: &PartView<'_>, owner: Option<&OrientedBox>) -> Option<Rest> {
    if view.cut_sideways {
        return None;
    }
    let shape = &view.shape;
    let to_camera = (view.camera_at - shape.center).try_normalize(1e-9)?;
    let Some(owner) = owner else {
        if !is_broad(shape) {
            return None;
        }
        let [along, across] = horizontal_axes(shape);
        let normal = if across.dot(&to_camera) >= 0.0 {
            across
        } else {
            -across
        };
        return upright_panel(view, normal, along);
    };
    // The face of the owner that the front lies before: it faces the camera and the front sticks out there.
    let from_owner = shape.center - owner.center;
    let normal = face_normals(owner)
        .into_iter()
        .map(|n| {
            let beyond = from_owner.dot(&n) - half_along(owner, &n);
            let parallel = if is_broad(shape) {
                horizontal_axes(shape)[1].dot(&n).abs()
            } else {
                0.5
            };
            (beyond.min(0.1) + 0.3 * n.dot(&to_camera) + 0.5 * parallel, n)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?
        .1;
    let along = Vector3::z().cross(&normal);
    let mut out: Vec<f64> = view.points.iter().map(|p| p.coords.dot(&normal)).collect();
    let front = trimmed_range(&mut out, 0.05)?.1;
    let face = owner.center.coords.dot(&normal) + half_along(owner, &normal);
    let mut rest = upright_panel(view, normal, along)?;
    let travel = if front - face < 0.06 { 0.0 } else { front - face };
    rest.center += normal * (front - travel - rest.center.coords.dot(&normal));
    if !is_broad(shape) || travel > 0.0 {
        // Extents of a pulled-out drawer include its sides; along the front they are right.
        let mut across: Vec<f64> = view.points.iter().map(|p| p.coords.dot(&along)).collect();
        let (low, high) = trimmed_range(&mut across, 0.01)?;
        rest.center += along * ((low + high) * 0.5 - rest.center.coords.dot(&along));
        rest.half_m = (high - low) * 0.5;
    }
    Some(rest)
}

fn initial_lid(view: &PartView<'_>, owner: Option<&OrientedBox>, handle: Option<Point3>) -> Option<Rest> {
    if view.cut_sideways {
        return None;
    }
    let shape = &view.shape;
    let flat = shape.half.z < 0.06 && shape.half.z < 0.5 * shape.half.y.max(0.05);
    let up = Vector3::z();
    if flat {
        // The handle is at the front; without one the front is where one looks from.
        let hint = handle.map_or(view.camera_at, |h| h) - shape.center;
        let along = face_normals(shape)
            .into_iter()
            .max_by(|a, b| a.dot(&hint).total_cmp(&b.dot(&hint)))?;
        let height = median_along(view.points, &up)?;
        let mut rest = Rest {
            center: Point3::new(shape.center.x, shape.center.y, height),
            along,
            outward: up,
            half_m: 0.0,
            other_half_m: 0.0,
            free_side: if handle.is_some() { 1.0 } else { 0.3 },
            views: 1,
        };
        fit_lid(&mut rest, view)?;
        return Some(rest);
    }
    let owner = owner?;
    // Open: it leans above the side it is hinged at.
    let mut heights: Vec<f64> = view.points.iter().map(|p| p.z).collect();
    let (low, high) = trimmed_range(&mut heights, 0.02)?;
    let foot: Vec<Point3> = view
        .points
        .iter()
        .filter(|p| p.z < low + 0.25 * (high - low))
        .copied()
        .collect();
    let foot_center = foot.iter().fold(Vector3::zeros(), |sum, p| sum + p.coords) / foot.len().max(1) as f64;
    let back = face_normals(owner).into_iter().min_by(|a, b| {
        let miss = |n: &Vector3| ((foot_center - owner.center.coords).dot(n) - half_along(owner, n)).abs();
        miss(a).total_cmp(&miss(b))
    })?;
    let half_m = half_along(owner, &back);
    Some(Rest {
        center: Point3::new(owner.center.x, owner.center.y, owner.top_m().max(low)),
        along: -back,
        outward: up,
        half_m,
        other_half_m: half_along(owner, &up.cross(&back)),
        free_side: 1.0,
        views: 1,
    })
}

/// Extents of a closed lid along and across its front-back direction.
fn fit_lid(rest: &mut Rest, view: &PartView<'_>) -> Option<()> {
    let across = rest.along.cross(&rest.outward);
    for (axis, half) in [(rest.along, &mut rest.half_m), (across, &mut rest.other_half_m)] {
        let mut values: Vec<f64> = view.points.iter().map(|p| p.coords.dot(&axis)).collect();
        let (low, high) = trimmed_range(&mut values, 0.01)?;
        rest.center += axis * ((low + high) * 0.5 - rest.center.coords.dot(&axis));
        *half = (high - low) * 0.5;
    }
    Some(())
}

/// The closed lid with its front at the handle, where that is not where it was taken to be: a lid first seen from afar
/// or without its handle was given a side that it does not have, or the one it was looked at from, as its front. `None`
/// where the handle is where it should be, or so high that the lid is not nearly closed.
fn lid_facing(rest: &Rest, view: &PartView<'_>, handle: &Point3) -> Option<Rest> {
    const NEARLY_CLOSED_M: f64 = 0.1;
    /// Cosine of how far the handle may be beside the front's middle, seen from the lid's middle.
    const IN_FRONT: f64 = 0.9;
    let across = rest.along.cross(&rest.outward);
    let from_center = handle - rest.center;
    if from_center.dot(&rest.outward).abs() >= NEARLY_CLOSED_M {
        return None;
    }
    let (ahead, beside) = (from_center.dot(&rest.along), from_center.dot(&across));
    let towards = (rest.along * ahead + across * beside).try_normalize(1e-6)?;
    let seen = face_normals(&view.shape);
    if !view.partial
        && towards.dot(&rest.along) < IN_FRONT
        && let Some(along) = seen.into_iter().find(|n| n.dot(&towards) > IN_FRONT)
    {
        let mut turned = Rest {
            along,
            free_side: 1.0,
            views: 1,
            ..rest.clone()
        };
        return fit_lid(&mut turned, view).map(|()| turned);
    }
    let at_flank = beside.abs() > 0.8 * rest.other_half_m && ahead.abs() < 0.5 * rest.half_m;
    at_flank.then(|| Rest {
        along: across * beside.signum(),
        half_m: rest.other_half_m,
        other_half_m: rest.half_m,
        free_side: 1.0,
        ..rest.clone()
    })
}

/// On which side of the middle a handle is, as evidence for the free side.
fn side_of(rest: &Rest, handle: &Point3) -> f64 {
    ((handle - rest.center).dot(&rest.along) / rest.half_m.max(0.02)).clamp(-1.0, 1.0)
}

/// Averages a closed view into the closed rectangle.
fn refine(kind: PartKind, rest: &mut Rest, view: &PartView<'_>, handle: Option<Point3>) {
    let measured = match kind {
        PartKind::Lid => {
            let mut lid = rest.clone();
            // From afar, where it was first seen, a lid's sides are seen badly.
            let near = |n: &Vector3| n.dot(&rest.along) > 0.8;
            if !view.partial
                && let Some(along) = face_normals(&view.shape).into_iter().find(near)
            {
                lid.along = along;
            }
            median_along(view.points, &rest.outward).and_then(|height| {
                lid.center.z = height;
                fit_lid(&mut lid, view).map(|()| lid)
            })
        }
        _ if is_broad(&view.shape) => {
            let [mut along, _] = horizontal_axes(&view.shape);
            if along.dot(&rest.along) < 0.0 {
                along = -along;
            }
            let mut normal = along.cross(&Vector3::z());
            if normal.dot(&rest.outward) < 0.0 {
                normal = -normal;
            }
            (along.dot(&rest.along) > 0.9)
                .then(|| upright_panel(view, normal, along))
                .flatten()
        }
        _ => None,
    };
    if let Some(h) = handle
        && kind != PartKind::Drawer
    {
        rest.free_side = (rest.free_side + side_of(rest, &h)).clamp(-5.0, 5.0);
    }
    let Some(measured) = measured else {
        return;
    };
    // A view of a part of it says nothing about its size.
    if view.partial && measured.half_m < 0.9 * rest.half_m {
        return;
    }
    // What was first seen through a gap is larger than it looked.
    let grown = measured.half_m > 1.2 * rest.half_m || measured.other_half_m > 1.2 * rest.other_half_m;
    rest.views = if grown { 1 } else { (rest.views + 1).min(15) };
    let weight = 1.0 / f64::from(rest.views);
    rest.center += (measured.center - rest.center) * weight;
    rest.half_m += (measured.half_m - rest.half_m) * weight;
    if view.partial {
        rest.other_half_m = rest.other_half_m.max(measured.other_half_m);
    } else {
        rest.other_half_m += (measured.other_half_m - rest.other_half_m) * weight;
    }
    let blended = rest.along + (measured.along - rest.along) * weight;
    rest.along = blended.try_normalize(1e-9).unwrap_or(rest.along);
    if kind != PartKind::Lid {
        let normal = rest.along.cross(&Vector3::z());
        rest.outward = if normal.dot(&rest.outward) < 0.0 {
            -normal
        } else {
            normal
        };
    }
}

/// The angle of a leaf: the median over its points of their direction seen from the hinge.
fn angle_of(rest: &Rest, view: &PartView<'_>, handle: Option<Point3>, home: Option<Point3>) -> Option<f64> {
    let (d, n, pivot) = (rest.opening_direction(), rest.outward, rest.pivot());
    let direction = |p: &Point3| {
        let v = p - pivot;
        let (a, b) = (v.dot(&d), v.dot(&n));
        (a.hypot(b), b.atan2(a))
    };
    if rest.free_side == 0.0 {
        // The hinge side is not known, so all that can be told is that nothing moved.
        let off = (median_along(view.points, &n)? - rest.center.coords.dot(&n)).abs();
        return (off < 0.04).then_some(0.0);
    }
    let length = 2.0 * rest.half_m;
    let mut angles: Vec<f64> = view
        .points
        .iter()
        .map(direction)
        .filter(|(r, _)| *r > 0.35 * length && *r < 1.2 * length)
        .map(|(_, angle)| angle)
        .collect();
    if angles.len() >= 15 {
        // Behind the hinge line angles wrap; a leaf never opens further than that.
        for a in &mut angles {
            if *a < -2.0 {
                *a += std::f64::consts::TAU;
            }
        }
        return median(&mut angles);
    }
    let (handle, home) = (handle?, home?);
    Some(wrap_angle_rad(direction(&handle).1 - direction(&home).1))
}

/// Whether the leaf of a door that is open by an angle lies as the panel in a view does.
fn may_be_at(rest: &Rest, view: &PartView<'_>, angle_rad: f64) -> bool {
    /// Cosine of how far they may differ.
    const PARALLEL: f64 = 0.9;
    if rest.free_side == 0.0 || view.cut_sideways || !is_broad(&view.shape) {
        return true;
    }
    let (sin, cos) = angle_rad.sin_cos();
    let leaf = rest.opening_direction() * cos + rest.outward * sin;
    let [along, _] = horizontal_axes(&view.shape);
    along.dot(&leaf).abs() > PARALLEL
}

/// The travel of a drawer: how far its front lies before the closed front.
fn slide_of(rest: &Rest, view: &PartView<'_>, handle: Option<Point3>, home: Option<Point3>) -> Option<f64> {
    if view.partial
        && let (Some(handle), Some(home)) = (handle, home)
    {
        return Some((handle - home).dot(&rest.outward));
    }
    let mut out: Vec<f64> = view
        .points
        .iter()
        .map(|p| (p - rest.center).dot(&rest.outward))
        .collect();
    if out.len() < 12 {
        return None;
    }
    Some(trimmed_range(&mut out, 0.05)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawer_half_hidden_is_as_wide_as_it_was() {
        let mut joint = Joint::new(PartKind::Drawer);
        joint.rest = Some(Rest {
            center: Point3::new(1.0, 0.0, 0.6),
            along: Vector3::y(),
            outward: -Vector3::x(),
            half_m: 0.4,
            other_half_m: 0.1,
            free_side: 0.0,
            views: 3,
        });
        let seen = |half_m: f64| OrientedBox {
            center: Point3::new(0.85, -0.25, 0.6),
            yaw_rad: 0.0,
            half: Vector3::new(0.17, half_m, 0.09),
        };
        let whole = joint.as_wide_as_known(&seen(0.15)).unwrap();
        assert!(
            (whole.center - Point3::new(0.85, 0.0, 0.6)).norm() < 1e-9,
            "{}",
            whole.center
        );
        assert!((half_along(&whole, &Vector3::y()) - 0.4).abs() < 1e-9);
        assert!((half_along(&whole, &Vector3::x()) - 0.17).abs() < 1e-9);
        assert!(joint.as_wide_as_known(&seen(0.5)).is_none());
    }

    #[test]
    fn a_lid_first_seen_askew_is_turned_to_where_its_handle_is() {
        let rest = Rest {
            center: Point3::new(1.0, 0.0, 0.6),
            along: -Vector3::x(),
            outward: Vector3::z(),
            half_m: 0.17,
            other_half_m: 0.1,
            free_side: 1.0,
            views: 3,
        };
        // It really stands at 40°, 0.32 m square, with the handle at its front.
        let yaw_rad: f64 = 0.7;
        let (ahead, across) = (
            Vector3::new(-yaw_rad.cos(), -yaw_rad.sin(), 0.0),
            Vector3::new(yaw_rad.sin(), -yaw_rad.cos(), 0.0),
        );
        let at = |a: f64, b: f64| rest.center + ahead * (0.16 * a) + across * (0.16 * b);
        let steps = || (-10..=10).map(|i| f64::from(i) / 10.0);
        let points: Vec<Point3> = steps().flat_map(|a| steps().map(move |b| at(a, b))).collect();
        let view = |partial: bool| PartView {
            points: &points,
            shape: OrientedBox {
                center: rest.center,
                yaw_rad,
                half: Vector3::new(0.16, 0.16, 0.02),
            },
            cut_sideways: false,
            partial,
            camera_at: Point3::new(0.0, 0.0, 1.3),
            handle: None,
            alone: false,
        };
        let turned = lid_facing(&rest, &view(false), &at(1.1, 0.05)).expect("it is askew");
        assert!(turned.along.dot(&ahead) > 0.999, "{turned:?}");
        assert!((turned.half_m - 0.16).abs() < 0.01 && (turned.other_half_m - 0.16).abs() < 0.01);
        assert!(lid_facing(&turned, &view(false), &at(1.1, 0.05)).is_none());
        // Half of it says nothing of how it stands, a handle in the air nothing of where the front is.
        assert!(lid_facing(&rest, &view(true), &at(1.1, 0.05)).is_none());
        let lifted = at(0.7, 0.0) + Vector3::z() * 0.15;
        assert!(lid_facing(&rest, &view(false), &lifted).is_none());
    }

    #[test]
    fn a_panel_that_lies_as_when_it_is_shut_is_not_open() {
        // A door of 0.6 m along y that opens towards -x, hinged at -y; it is seen closed, 0.2 m before where it was taken
        // to be.
        let rest = Rest {
            center: Point3::new(1.5, 0.0, 0.9),
            along: Vector3::y(),
            outward: -Vector3::x(),
            half_m: 0.3,
            other_half_m: 0.6,
            free_side: 1.0,
            views: 1,
        };
        let panel = |yaw_rad: f64| OrientedBox {
            center: Point3::new(1.3, 0.0, 0.9),
            yaw_rad,
            half: Vector3::new(0.3, 0.02, 0.6),
        };
        let seen = |shape: OrientedBox| PartView {
            points: &[],
            shape,
            cut_sideways: false,
            partial: true,
            camera_at: Point3::new(0.0, 0.0, 1.3),
            handle: None,
            alone: false,
        };
        let along_y = std::f64::consts::FRAC_PI_2;
        assert!(may_be_at(&rest, &seen(panel(along_y)), 0.0));
        assert!(!may_be_at(&rest, &seen(panel(along_y)), 0.78));
        assert!(may_be_at(&rest, &seen(panel(along_y + 0.78)), 0.78));
        // A strip says nothing.
        let cut = PartView {
            cut_sideways: true,
            ..seen(panel(along_y))
        };
        assert!(may_be_at(&rest, &cut, 0.78));
    }
}
