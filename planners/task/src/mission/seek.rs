//! Going where something unknown may be, and knowing where that was done already.

use std::collections::BTreeSet;

use steward_core::Duration;
use steward_core::geometry::Point3;
use steward_core::ids::ObjectId;
use steward_core::messages::{FailureReason, NavigationTarget, Presence, SceneObject, Skill};

use super::pursue::Missing;
use super::trouble::Manipulation;
use super::views::{Peek, glance, has_boards, inspection_points, is_faced, survey};
use super::ways::Ways;
use super::{Decision, Intended, Mission, Purpose, Vantage, View, label, step_label};
use crate::belief::{Belief, Step};
use crate::explore::frontiers;

/// Half the angles of the camera, a little less than that, in which things count as seen, radians.
const HALF_VIEW_RAD: (f64, f64) = (0.58, 0.46);
/// From this far a thing is seen again where it was seen before, metres.
const SEEN_NEAR_M: f64 = 1.5;
/// Metres of travel that a metre of height is worth when choosing what to open.
const LOW_FIRST: f64 = 3.0;

/// Where was searched since it last made sense to start over.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchState {
    /// Middles of frontiers that were looked at.
    pub(super) frontiers: Vec<(f64, f64)>,
    /// Furniture seen from close by.
    pub(super) inspected: BTreeSet<ObjectId>,
    /// Parts that were opened, or that would not open.
    pub(super) opened: BTreeSet<ObjectId>,
    /// The base stands where much that is new can be seen.
    pub(super) glance_due: bool,
    /// A part was opened, and nobody has looked inside yet.
    pub(super) peek_due: Option<Peek>,
    pub(super) rounds: u32,
}

impl Mission {
    pub(super) fn look_around(&mut self, view: &View<'_>) {
        let Some(map_from_camera) = view.camera else {
            return;
        };
        let camera = Point3::from(map_from_camera.translation.vector);
        let fresh = view.now - Duration::from_millis(500);
        for o in &view.graph.objects {
            if o.last_seen < fresh {
                continue;
            }
            if o.presence == Presence::Present && view.distance_m(o) < SEEN_NEAR_M {
                let seen = Vantage::seen_by(&camera, view.base, o.shape.center);
                let vantage = self.seen_from.entry(o.id).or_insert(seen);
                if vantage.gives_way_to(&seen) {
                    *vantage = seen;
                }
            }
            if !Belief::is_furniture(o) || self.search.inspected.contains(&o.id) {
                continue;
            }
            let most_m = if has_boards(o) {
                self.config.inspect_shelves_m
            } else {
                self.config.inspect_distance_m
            };
            if !is_faced(o, &camera) {
                continue;
            }
            let seen = |p: &Point3| {
                let p = map_from_camera.inverse_transform_point(p);
                p.z > 0.0
                    && p.coords.norm() < most_m
                    && p.x.atan2(p.z).abs() < HALF_VIEW_RAD.0
                    && p.y.atan2(p.z).abs() < HALF_VIEW_RAD.1
            };
            if inspection_points(o).iter().all(seen) {
                self.search.inspected.insert(o.id);
            }
        }
    }

    pub(super) fn restart_search(&mut self) {
        self.surveyed = false;
        self.search.inspected.clear();
        self.search.opened.clear();
    }

    /// Goes where something unknown may be, nearest first.
    pub(super) fn explore(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        missing: &[Missing],
    ) -> Decision {
        if self.search.glance_due {
            return Decision::Do(vec![glance(view)]);
        }
        // What is too large to be in or on anything, and the way to what was seen, are found by driving around.
        let small = missing
            .iter()
            .any(|m| m.reason != FailureReason::Unreachable && !self.config.furniture.contains(&m.class));
        let sought = missing
            .iter()
            .map(|m| m.class.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let mut best: Option<(f64, Vec<Intended>)> = None;
        let mut offer = |cost: f64, what: Vec<Intended>| {
            if best.as_ref().is_none_or(|(b, _)| cost < *b) {
                best = Some((cost, what));
            }
        };
        let mut ajar: Option<(f64, ObjectId)> = None;
        if let Some((grid, field)) = &ways.field {
            let least_m2 = if self.search.rounds == 0 {
                self.config.min_unseen_m2
            } else {
                0.0
            };
            for f in frontiers(grid, field, self.config.min_frontier_m, least_m2) {
                let old =
                    self.search.frontiers.iter().any(|v| {
                        (v.0 - f.center.0).hypot(v.1 - f.center.1) < self.config.frontier_separation_m
                    });
                if !old {
                    let purpose = Purpose::Frontier(f.center.0, f.center.1, f.length_m);
                    let go = Intended {
                        skill: Skill::Navigate {
                            to: NavigationTarget::Pose(f.viewpoint),
                        },
                        label: format!("explore towards ({:.1}, {:.1})", f.center.0, f.center.1),
                        purpose,
                    };
                    offer(f.travel_m, vec![go]);
                }
            }
        }
        let hand_is_free = belief.held().is_none();
        for o in &view.graph.objects {
            // What the base was driven to is dealt with before anything else that happens to be near.
            let distance = if self.at == Some(o.id) {
                0.0
            } else if let Some(travel_m) = ways.travel_m(o) {
                travel_m
            } else {
                continue;
            };
            // A part whose handle was never seen cannot be opened before it was looked at.
            let handle_hidden = o.articulation.is_some_and(|a| a.handle.is_none());
            let bare = self.config.hold_nothing.contains(&o.class);
            let worth_a_look = small && (Belief::can_hold_things(o) && !bare || handle_hidden);
            if worth_a_look && !self.search.inspected.contains(&o.id) {
                let purpose = Purpose::Inspect(o.id);
                let name = label(belief, o.id);
                let look = Intended {
                    skill: Skill::Look {
                        at: inspection_points(o),
                    },
                    label: format!("look for {sought} on {name}"),
                    purpose,
                };
                let mut steps = self.there_first(o.id, format!("go to {name}"), look);
                if let ([go, _], Some(place)) = (&mut steps[..], ways.in_front_of(o)) {
                    go.skill = Skill::Navigate {
                        to: NavigationTarget::Pose(place),
                    };
                }
                offer(distance + self.config.inspect_cost_m, steps);
            }
            if small
                && self.search.inspected.contains(&o.id)
                && let Some((cost, steps)) = self.to_its_front(belief, ways, o)
            {
                offer(cost + self.config.inspect_cost_m, steps);
            }
            let shut = o
                .articulation
                .is_some_and(|a| a.handle.is_some() && a.is_open() != Some(true));
            if small && shut && hand_is_free && !self.search.opened.contains(&o.id) {
                let purpose = Purpose::Unshut(o.id);
                let name = label(belief, o.id);
                let open = Intended {
                    skill: Skill::Open { part: o.id },
                    label: format!("open {name} to look for {sought}"),
                    purpose,
                };
                let steps = self.there_first(o.id, format!("go to {name}"), open);
                // A drawer that is open hides what is in those below it.
                let height_m = o.shape.center.z.max(0.0);
                offer(distance + self.config.open_cost_m + LOW_FIRST * height_m, steps);
            }
            // What stands open, and nobody looked into it.
            let is_open = o.articulation.is_some_and(|a| a.is_open() == Some(true));
            if small && is_open && !self.looked_past.contains(&o.id) {
                let cost = distance + self.config.inspect_cost_m;
                if ajar.is_none_or(|(least, _)| cost < least) {
                    ajar = Some((cost, o.id));
                }
            }
        }
        if let Some((cost, part)) = ajar
            && best.as_ref().is_none_or(|(least, _)| cost < *least)
        {
            self.looked_past.insert(part);
            self.search.peek_due = Some(Peek::into(part));
            return self.consider(view);
        }
        match best {
            Some((_, steps)) => Decision::Do(steps),
            // All that can be known is known: what was put off is worth a last try.
            None if self.failures.values().any(|t| t.deferred) => {
                for trouble in self.failures.values_mut() {
                    trouble.deferred = false;
                }
                self.decide(view)
            }
            None if self.search.rounds < self.config.max_search_rounds => {
                self.search = SearchState {
                    rounds: self.search.rounds + 1,
                    ..SearchState::default()
                };
                self.surveyed = false;
                Decision::Do(vec![survey(view, true)])
            }
            None => self
                .shut_what_is_in_the_way(belief, view, ways, missing)
                .unwrap_or_else(|| self.not_found(missing)),
        }
    }

    /// What stands open narrows the way to what was seen and cannot be got to: the nearest that was not given up is shut,
    /// once.
    fn shut_what_is_in_the_way(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        missing: &[Missing],
    ) -> Option<Decision> {
        let is_cut_off = missing.iter().any(|m| m.reason == FailureReason::Unreachable);
        if !is_cut_off || belief.held().is_some() {
            return None;
        }
        let is_open = |o: &&SceneObject| o.articulation.is_some_and(|a| a.is_closed() == Some(false));
        let may_shut = |o: &&SceneObject| {
            let tried = [Manipulation::Articulate, Manipulation::Reach];
            let is_new = !self.shut_for_way.contains(&o.id);
            is_new
                && o.presence == Presence::Present
                && tried.iter().all(|kind| !self.given_up(view, *kind, o.id))
        };
        let open = view.graph.objects.iter().filter(is_open).filter(may_shut);
        let (_, part) = open
            .filter_map(|o| Some((ways.travel_m(o)?, o.id)))
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        if self.at == Some(part) {
            self.shut_for_way.insert(part);
        }
        let step = |step: Step, skill: Skill| Intended {
            skill,
            label: step_label(belief, step),
            purpose: Purpose::Plan(step),
        };
        let to = NavigationTarget::Object(part);
        let go = (self.at != Some(part)).then(|| step(Step::Navigate(part), Skill::Navigate { to }));
        let close = step(Step::Close(part), Skill::Close { part });
        Some(Decision::Do(go.into_iter().chain([close]).collect()))
    }

    /// Why the search ended with nothing: a thing that was found but could not be handled says more than
    /// that no other was found.
    fn not_found(&self, missing: &[Missing]) -> Decision {
        if let Some((reason, text)) = self.worst() {
            return Decision::Fail(reason, format!("{text}; found no other"));
        }
        let Missing { class, reason } = &missing[0];
        let text = if *reason == FailureReason::RuleConflict {
            "searched everything in reach and found no way that keeps the rules".to_owned()
        } else if *reason == FailureReason::Unreachable {
            format!("saw a `{class}`, but searched everything in reach and found no way to it")
        } else {
            format!("searched everything in reach for `{class}` and did not see one")
        };
        Decision::Fail(*reason, text)
    }
}
