//! Going on with things that were remembered before, by this memory or another one.

use std::collections::BTreeSet;

use steward_core::Time;
use steward_core::geometry::Point3;
use steward_core::messages::SceneObject;

use super::ObjectMemory;
use super::entry::{Entry, Key};
use crate::{Error, Result};

/// Nothing in a home is farther away or larger, metres.
const FARTHEST_M: f64 = 1000.0;
const LARGEST_M: f64 = 20.0;
/// Nothing has more places to put things on.
const MOST_SURFACES: usize = 100;

impl ObjectMemory {
    /// Remembers these things in place of everything else, as seen at `now` at the latest: their times may be of another
    /// clock.
    ///
    /// # Errors
    /// [`Error::BadKnowledge`] for things that cannot be; memory stays as it was.
    pub fn know(&mut self, objects: &[SceneObject], now: Time) -> Result<()> {
        let bad = |text: String| Err(Error::BadKnowledge(text));
        if objects.len() > self.config.max_objects {
            let most = self.config.max_objects;
            return bad(format!(
                "it has {} things, and at most {most} are remembered",
                objects.len()
            ));
        }
        let mut ids = BTreeSet::new();
        for object in objects {
            if !ids.insert(object.id) || object.id.0 == u32::MAX {
                return bad(format!(
                    "{} is in it twice, or is no number of a thing",
                    object.id
                ));
            }
            if !makes_sense(object) {
                return bad(format!(
                    "{} {} is not anywhere, or has no size",
                    object.class, object.id
                ));
            }
        }
        let entries = (0..).zip(objects);
        let entries = entries.map(|(key, object)| (key, Entry::known(key, object, now, &self.config)));
        self.entries = entries.collect();
        self.next_key = objects.len() as Key;
        self.next_id = ids.last().map_or(1, |id| id.0 + 1);
        self.held = None;
        self.newest = now;
        Ok(())
    }
}

fn makes_sense(object: &SceneObject) -> bool {
    let is_place = |p: &Point3| p.iter().all(|x| x.abs() <= FARTHEST_M);
    let is_side = |half_m: f64| (0.0..=LARGEST_M).contains(&half_m);
    let surfaces = &object.surfaces;
    let joint = object.articulation.iter().all(|a| {
        is_place(&a.pivot)
            && a.handle.iter().all(is_place)
            && (a.axis.norm() - 1.0).abs() < 1e-3
            && a.position.iter().all(|q| q.is_finite())
            && a.open_at.is_finite()
    });
    !object.class.is_empty()
        && is_place(&object.shape.center)
        && object.shape.half.iter().all(|h| is_side(*h))
        && object.shape.yaw_rad.is_finite()
        && (0.0..=1.0).contains(&object.confidence)
        && surfaces.len() <= MOST_SURFACES
        && surfaces.iter().all(|s| {
            is_place(&s.center) && is_side(s.half_x_m) && is_side(s.half_y_m) && s.yaw_rad.is_finite()
        })
        && surfaces.iter().all(|s| s.clearance_m.is_finite())
        && joint
}

#[cfg(test)]
mod tests {
    use steward_core::geometry::{OrientedBox, Vector3};
    use steward_core::ids::ObjectId;
    use steward_core::messages::{ArticulationState, Presence, Provenance, SupportSurface};

    use super::*;
    use crate::memory::MemoryConfig;

    fn thing(id: u32, class: &str, half_m: f64) -> SceneObject {
        SceneObject {
            id: ObjectId(id),
            class: class.into(),
            shape: OrientedBox {
                center: Point3::new(1.0, 2.0, half_m),
                yaw_rad: 0.3,
                half: Vector3::new(half_m, half_m, half_m),
            },
            presence: Presence::Present,
            provenance: Provenance::Observed,
            confidence: 0.9,
            first_seen: Time::from_secs_f64(1.0),
            last_seen: Time::from_secs_f64(5.0),
            articulation: None,
            surfaces: Vec::new(),
        }
    }

    fn things() -> Vec<SceneObject> {
        let top = SupportSurface {
            center: Point3::new(1.0, 2.0, 0.8),
            yaw_rad: 0.3,
            half_x_m: 0.4,
            half_y_m: 0.4,
            clearance_m: SupportSurface::MAX_CLEARANCE_M,
        };
        let door = ArticulationState {
            owner: Some(ObjectId(2)),
            prismatic: false,
            pivot: Point3::new(0.6, 2.0, 0.4),
            axis: Vector3::z(),
            handle: Some(Point3::new(1.3, 1.5, 0.4)),
            position: Some(1.2),
            open_at: 1.4,
        };
        vec![
            SceneObject {
                surfaces: vec![top],
                ..thing(2, "cabinet", 0.4)
            },
            SceneObject {
                articulation: Some(door),
                ..thing(3, "cabinet_door", 0.4)
            },
            thing(7, "mug", 0.04),
            SceneObject {
                presence: Presence::Missing,
                ..thing(9, "apple", 0.04)
            },
        ]
    }

    #[test]
    fn what_was_remembered_is_remembered_again() {
        let mut memory = ObjectMemory::new(MemoryConfig::default()).unwrap();
        memory.know(&things(), Time::from_secs_f64(9.0)).unwrap();
        assert_eq!(memory.objects(), things());
        // A clock that began anew: nothing was seen in the future.
        memory.know(&things(), Time::from_secs_f64(2.0)).unwrap();
        assert!(
            memory
                .objects()
                .iter()
                .all(|o| o.last_seen == Time::from_secs_f64(2.0))
        );
        assert_eq!(memory.next_id, 10);
    }

    #[test]
    fn the_surfaces_of_furniture_outlive_its_next_fit() {
        let config = MemoryConfig::default();
        let cabinet = &things()[0];
        let mut entry = Entry::known(0, cabinet, Time::ZERO, &config);
        entry.hits = 9;
        entry.refit(&config);
        let (shape, top) = (entry.shape, entry.surfaces[0]);
        assert!((shape.center - cabinet.shape.center).norm() < 0.03, "{shape:?}");
        assert!((shape.half - cabinet.shape.half).norm() < 0.04, "{shape:?}");
        assert_eq!(entry.surfaces.len(), 1);
        assert!(
            (top.height_m() - 0.8).abs() < 0.01 && (top.half_x_m - 0.4).abs() < 0.04,
            "{top:?}"
        );
    }

    #[test]
    fn what_was_held_is_where_the_hand_was() {
        let mut memory = ObjectMemory::new(MemoryConfig::default()).unwrap();
        let held = SceneObject {
            presence: Presence::Held,
            ..thing(7, "mug", 0.04)
        };
        memory.know(&[held], Time::ZERO).unwrap();
        let mug = &memory.objects()[0];
        assert_eq!(
            (mug.presence, mug.provenance),
            (Presence::Present, Provenance::Expected)
        );
    }

    #[test]
    fn what_cannot_be_is_refused_and_nothing_changes() {
        let mut memory = ObjectMemory::new(MemoryConfig::default()).unwrap();
        memory.know(&things(), Time::from_secs_f64(9.0)).unwrap();
        let changed = |change: fn(&mut SceneObject)| {
            let mut thing = thing(1, "mug", 0.04);
            change(&mut thing);
            vec![thing]
        };
        let surface = |half_m: f64| {
            let mut table = things().remove(0);
            table.surfaces[0].half_x_m = half_m;
            vec![table]
        };
        let many = (0..5000).map(|id| thing(id, "mug", 0.04)).collect();
        for bad in [
            vec![thing(1, "mug", 0.04), thing(1, "mug", 0.04)],
            changed(|o| o.id = ObjectId(u32::MAX)),
            changed(|o| o.class.clear()),
            changed(|o| o.shape.center.x = f64::NAN),
            changed(|o| o.shape.half.y = f64::INFINITY),
            changed(|o| o.shape.half.z = -0.1),
            changed(|o| o.confidence = 2.0),
            surface(1e9),
            surface(f64::NAN),
            many,
        ] {
            memory.know(&bad, Time::ZERO).unwrap_err();
        }
        assert_eq!(memory.objects(), things());
    }
}
