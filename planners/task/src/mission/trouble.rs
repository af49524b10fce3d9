//! What went wrong with which thing, and whether it is worth another try.

use steward_core::geometry::Point3;
use steward_core::ids::ObjectId;
use steward_core::messages::{FailureReason, Presence, RelationKind, SkillFailure};

use super::views::Peek;
use super::{Ended, Mission, Vantage, View};
use crate::belief::{Belief, Step, Wanted};
use crate::explore::free_floor_m2;

/// Floor this near to a thing decides whether it can be reached, metres.
const SURROUNDINGS_M: f64 = 1.3;

/// How something failed to work with a thing.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// How often in a row, with the same surroundings.
    pub(super) times: u32,
    /// How the last time, in words.
    pub(super) detail: String,
    pub(super) with: Surroundings,
    /// Not worth another try while there is something else to do.
    pub(super) deferred: bool,
    /// It was not tried: a rule forbids it.
    pub(super) forbidden: bool,
}

/// Something that is put aside before the goal is gone on with.
#[derive(Debug, Clone, Copy)]
pub(super) struct InTheWay {
    pub(super) thing: ObjectId,
    /// What it is in or on.
    pub(super) from: ObjectId,
    /// What cannot be grasped for it; `None` where it takes the room for what is to be put there.
    pub(super) of: Option<ObjectId>,
}

impl InTheWay {
    /// Whether something cannot be brought about before it is gone.
    pub(super) fn keeps_from(&self, (subject, _, place): &Wanted) -> bool {
        self.of.map_or(*place == self.from, |of| of == *subject)
    }
}

/// What decides whether the robot can get at a thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) center: Point3,
    /// Free floor around it, square metres.
    pub(super) free_m2: f64,
}

impl Surroundings {
    pub(super) fn of(view: &View<'_>, id: ObjectId) -> Option<Self> {
        let center = view.belief().object(id)?.shape.center;
        let free_m2 = view
            .grid
            .map_or(0.0, |g| free_floor_m2(g, (center.x, center.y), SURROUNDINGS_M));
        Some(Surroundings { center, free_m2 })
    }

    pub(super) fn differ_from(&self, other: &Surroundings) -> bool {
        (self.center - other.center).norm() > 0.1 || (self.free_m2 - other.free_m2).abs() > 0.3
    }
}

/// Kinds of manipulation whose failures are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manipulation {
    Reach,
    Grasp,
    Put,
    Articulate,
}

impl Manipulation {
    pub(super) fn of(step: Step) -> (Self, ObjectId) {
        match step {
            Step::Navigate(id) => (Manipulation::Reach, id),
            Step::Open(id) | Step::Close(id) => (Manipulation::Articulate, id),
            Step::Pick(id) => (Manipulation::Grasp, id),
            Step::Place(_, _, id) => (Manipulation::Put, id),
        }
    }

    pub(super) fn reason(self) -> FailureReason {
        match self {
            Manipulation::Reach => FailureReason::Unreachable,
            Manipulation::Grasp => FailureReason::GraspFailed,
            Manipulation::Put => FailureReason::PlaceFailed,
            Manipulation::Articulate => FailureReason::ContainerStuck,
        }
    }
}

impl Mission {
    pub(super) fn step_finished(&mut self, view: &View<'_>, step: Step, ended: &Ended, detail: &str) {
        let (manipulation, id) = Manipulation::of(step);
        self.note_step(view, step, ended, detail);
        if let Step::Place(object, relation, target) = step {
            match ended {
                Ended::Confirmed => {
                    if let Some(o) = view.belief().object(object) {
                        let vantage = Vantage::unmeasured(view.base, o.shape.center);
                        self.seen_from.entry(object).or_insert(vantage);
                    }
                    *self.placed.entry((object, relation, target)).or_default() += 1;
                    if relation == RelationKind::In {
                        self.put_into.insert((object, target), 0);
                    }
                }
                // It fell to the bottom, or into the basin of a sink, where it is seen only from right above.
                Ended::Refuted | Ended::Undecided => {
                    let belief = view.belief();
                    let is_lost = belief
                        .object(object)
                        .is_none_or(|o| o.presence == Presence::Missing);
                    if relation == RelationKind::In || is_lost {
                        self.put_into.insert((object, target), 1);
                        self.search.peek_due = Some(Peek::into(belief.way_into(target)));
                    }
                }
                Ended::Failed(_) => {}
            }
        }
        // Let go of on the way out, it fell back.
        if let (Step::Pick(_), Ended::Failed(_) | Ended::Refuted) = (step, ended)
            && let Some(lost) = self.taken_out.take()
        {
            self.put_into.insert(lost, 0);
        }
        if *ended == Ended::Confirmed {
            return;
        }
        // What may be tried again is thought through again; what is given up ends its branch of the tree.
        match &mut self.thought {
            Some(thought)
                if self
                    .failures
                    .get(&(manipulation, id))
                    .is_some_and(|t| t.times >= self.config.max_attempts || t.deferred) =>
            {
                thought.failed()
            }
            _ => self.thought = None,
        }
    }

    fn note_step(&mut self, view: &View<'_>, step: Step, ended: &Ended, detail: &str) {
        let (manipulation, id) = Manipulation::of(step);
        match ended {
            Ended::Confirmed | Ended::Undecided => {
                if let Step::Navigate(to) = step {
                    self.at = Some(to);
                }
                if *ended == Ended::Confirmed {
                    self.failures.remove(&(manipulation, id));
                    return;
                }
                // What nobody saw is tried again only so often.
                if matches!(step, Step::Navigate(_)) {
                    return;
                }
            }
            // The plan was made with a thing that memory has since given up: nobody's fault.
            Ended::Failed(SkillFailure::UnknownObject) => {
                self.at = None;
                self.restart_search();
                return;
            }
            Ended::Failed(SkillFailure::Dropped) => {
                self.at = None;
                self.restart_search();
            }
            Ended::Refuted | Ended::Failed(_) => self.at = None,
        }
        let Some(now) = Surroundings::of(view, id) else {
            return;
        };
        // Nothing was tried: it would come out the same until more is known.
        let no_way = matches!(
            ended,
            Ended::Failed(SkillFailure::NoPath | SkillFailure::OutOfReach | SkillFailure::NoSpace)
        );
        // Looked at from near, it still could not be done: something is put aside first.
        if self.failures.contains_key(&(manipulation, id))
            && let Some(obstacle) = self.obstacle(view, manipulation, id, ended)
        {
            self.failures.remove(&(manipulation, id));
            self.moved_aside.insert(obstacle.thing);
            self.in_the_way = Some(obstacle);
            return;
        }
        let before = self.failures.get(&(manipulation, id));
        let times = 1 + before
            .filter(|t| !t.with.differ_from(&now))
            .map_or(0, |t| t.times);
        self.failures.insert(
            (manipulation, id),
            Trouble {
                times,
                detail: detail.to_owned(),
                with: now,
                deferred: no_way && times >= 2,
                forbidden: false,
            },
        );
        if no_way && times == 1 {
            // What is behind a door is seen from in front of the opening only.
            let parts = view.belief().parts_of(id);
            match parts.iter().find(|part| part.id != id) {
                Some(part) if manipulation == Manipulation::Put => {
                    self.search.peek_due = Some(Peek::into(part.id));
                }
                _ => self.closer = Some(id),
            }
        }
        if times == self.config.max_attempts {
            // Another thing of the class, or another place, may do; look for one.
            self.restart_search();
        }
    }

    /// What may be why something did not work with a thing.
    fn obstacle(
        &self,
        view: &View<'_>,
        manipulation: Manipulation,
        id: ObjectId,
        ended: &Ended,
    ) -> Option<InTheWay> {
        let belief = view.belief();
        match (manipulation, ended) {
            (_, Ended::Failed(SkillFailure::NoSpace)) => self.blocker(&belief, view, id),
            (Manipulation::Grasp, Ended::Failed(SkillFailure::OutOfReach | SkillFailure::GraspFailed)) => {
                self.neighbour(&belief, view, id)
            }
            _ => None,
        }
    }

    /// Whether doing something with a thing failed too often, or cannot work before more is known.
    pub(super) fn given_up(&self, view: &View<'_>, manipulation: Manipulation, id: ObjectId) -> bool {
        self.failures.get(&(manipulation, id)).is_some_and(|t| {
            let changed = Surroundings::of(view, id).is_none_or(|now| t.with.differ_from(&now));
            !changed && (t.deferred || t.times >= self.config.max_attempts)
        })
    }

    /// Whether a container has parts and none of them will open.
    pub(super) fn is_stuck(&self, belief: &Belief<'_>, view: &View<'_>, container: ObjectId) -> bool {
        let parts = belief.parts_of(container);
        !parts.is_empty()
            && parts.iter().all(|p| {
                self.given_up(view, Manipulation::Articulate, p.id)
                    || self.given_up(view, Manipulation::Reach, p.id)
            })
    }

    /// The first thing that was given up, and why.
    pub(super) fn worst(&self) -> Option<(FailureReason, String)> {
        let mut failures = self.failures.iter();
        let ((manipulation, id), trouble) =
            failures.find(|(_, t)| t.times >= self.config.max_attempts && !t.forbidden)?;
        let Trouble { times, detail, .. } = trouble;
        let text = format!("gave up on {id} after {times} attempts, the last: {detail}");
        Some((manipulation.reason(), text))
    }
}
