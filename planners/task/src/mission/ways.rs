//! Where the base can get.

use std::collections::BTreeMap;

use steward_core::geometry::Pose2;
use steward_core::messages::{FloorPlan, OccupancyGrid, SceneObject};

use super::View;
use super::views::is_long;
use crate::explore::TravelField;

/// From this far beside a thing it is seen well and perhaps reached, metres.
const NEAR_M: f64 = 1.2;
/// Distance to the front of furniture from which it is seen from bottom to top, metres.
const IN_FRONT_M: f64 = 0.85;

/// Where the base can get from where it is.
pub(super) struct Ways<'a> {
    base: (f64, f64),
    /// `None` before the floor is mapped: then everything counts as within reach.
    pub(super) field: Option<(&'a OccupancyGrid, TravelField)>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(view: &View<'a>, clearance_m: f64) -> Self {
        let base = (view.base.x_m, view.base.y_m);
        Ways {
            base,
            field: view.grid.map(|g| (g, TravelField::new(g, base, clearance_m))),
        }
    }

    /// Travel to where a thing can be seen from close by, metres.
    pub(super) fn travel_m(&self, o: &SceneObject) -> Option<f64> {
        let p = (o.shape.center.x, o.shape.center.y);
        match &self.field {
            Some((grid, field)) => field.near_m(grid, p, NEAR_M + o.shape.half.x.hypot(o.shape.half.y)),
            None => Some((p.0 - self.base.0).hypot(p.1 - self.base.1)),
        }
    }

    /// Where to stand to see what is behind the long side of furniture, such as boards and drawers; `None` for
    /// furniture without a long side, or where the base cannot stand there.
    pub(super) fn in_front_of(&self, o: &SceneObject) -> Option<Pose2> {
        let (grid, field) = self.field.as_ref()?;
        if !is_long(o) {
            return None;
        }
        let (s, c) = o.shape.yaw_rad.sin_cos();
        let away = o.shape.half.y + IN_FRONT_M;
        [1.0, -1.0]
            .into_iter()
            .filter_map(|side| {
                let (dx, dy) = (-s * side * away, c * side * away);
                let at = (o.shape.center.x + dx, o.shape.center.y + dy);
                let travel = field.near_m(grid, at, 0.3)?;
                Some((travel, Pose2::new(at.0, at.1, (-dy).atan2(-dx))))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, pose)| pose)
    }

    /// Where the base can stand in each room, nearest to its middle.
    pub(super) fn in_rooms(&self, plan: &FloorPlan) -> BTreeMap<usize, Pose2> {
        let Some((grid, field)) = &self.field else {
            return BTreeMap::new();
        };
        let rooms = plan.rooms.iter().enumerate();
        rooms
            .filter_map(|(at, room)| {
                let middle = (room.area.middle.x_m, room.area.middle.y_m);
                let radius = room.area.half_x_m.hypot(room.area.half_y_m);
                let (x, y) = field.place_near(grid, middle, radius)?;
                let inside = room.area.contains(x, y, -0.3);
                inside.then(|| (at, Pose2::new(x, y, (middle.1 - y).atan2(middle.0 - x))))
            })
            .collect()
    }

    /// The place nearest to a point where the base can get, within a distance of it, and what it is worth to stand there
    /// rather than elsewhere, less for a better one: the gap between them counts much more than the way.
    pub(super) fn place_near(&self, point: (f64, f64), radius_m: f64) -> Option<((f64, f64), f64)> {
        const GAP_WEIGHT: f64 = 5.0;
        let place = match &self.field {
            Some((grid, field)) => field.place_near(grid, point, radius_m)?,
            None => point,
        };
        let gap_m = (place.0 - point.0).hypot(place.1 - point.1);
        let way_m = (place.0 - self.base.0).hypot(place.1 - self.base.1);
        Some((place, GAP_WEIGHT * gap_m + way_m))
    }

    /// Whether the base can get near a thing as far as is known now.
    pub(super) fn lead_to(&self, o: &SceneObject) -> bool {
        self.travel_m(o).is_some()
    }
}
