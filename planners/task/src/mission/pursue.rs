//! From the goal and what is known to the next step of a plan.

use std::collections::BTreeSet;

use steward_core::geometry::OrientedBox;
use steward_core::ids::ObjectId;
use steward_core::messages::{FailureReason, GoalRelation, Presence, RelationKind, SceneObject};

use super::trouble::{InTheWay, Manipulation};
use super::ways::Ways;
use super::{Decision, Intended, Mission, Purpose, View, step_label};
use crate::Error;
use crate::belief::{Belief, Wanted};
use crate::deliberate::{Deliberation, Question};
use crate::house_rules::Proposition;

/// A class that a relation of the goal needs a thing of, and why there is none.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) class: String,
    pub(super) reason: FailureReason,
}

impl Mission {
    /// Chooses the things that a relation is to hold between, the best choice first; what is missing where one is not
    /// known, or where no way to it is known.
    pub(super) fn bind(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        relation: &GoalRelation,
        taken: &BTreeSet<ObjectId>,
    ) -> Result<Vec<Wanted>, Missing> {
        let missing = |class: &str, seen: bool, not_seen: FailureReason| Missing {
            class: class.to_owned(),
            reason: if seen {
                FailureReason::Unreachable
            } else {
                not_seen
            },
        };
        let usable = |o: &&SceneObject| {
            !taken.contains(&o.id)
                && !self.given_up(view, Manipulation::Grasp, o.id)
                && !self.given_up(view, Manipulation::Reach, o.id)
        };
        let held = belief.held().filter(|o| o.class == relation.subject);
        let subjects: Vec<&SceneObject> = belief.of_class(&relation.subject).filter(usable).collect();
        let mut movable: Vec<&SceneObject> = match held {
            Some(held) => vec![held],
            None => subjects.iter().copied().filter(|o| ways.lead_to(o)).collect(),
        };
        movable.sort_by(|a, b| view.distance_m(a).total_cmp(&view.distance_m(b)));
        let Some(subject) = movable.first() else {
            return Err(missing(
                &relation.subject,
                !subjects.is_empty(),
                FailureReason::ObjectNotFound,
            ));
        };
        let from_subject = |o: &SceneObject| (o.shape.center - subject.shape.center).xy().norm();
        let targets: Vec<&SceneObject> = belief
            .of_class(&relation.object)
            .filter(|o| o.id != subject.id)
            .flat_map(|o| match relation.kind {
                RelationKind::In => belief.receptacles(o),
                _ => vec![o],
            })
            .filter(|o| {
                !self.given_up(view, Manipulation::Put, o.id)
                    && !self.given_up(view, Manipulation::Reach, o.id)
                    && (relation.kind != RelationKind::In || !self.is_stuck(belief, view, o.id))
            })
            .collect();
        let mut within_reach: Vec<&SceneObject> =
            targets.iter().copied().filter(|o| ways.lead_to(o)).collect();
        within_reach.sort_by(|a, b| from_subject(a).total_cmp(&from_subject(b)));
        let Some(target) = within_reach.first() else {
            return Err(missing(
                &relation.object,
                !targets.is_empty(),
                FailureReason::TargetNotFound,
            ));
        };
        let elsewhere = within_reach
            .get(1)
            .map(|other| (subject.id, relation.kind, other.id));
        let another = movable.get(1).map(|other| (other.id, relation.kind, target.id));
        Ok([Some((subject.id, relation.kind, target.id)), elsewhere, another]
            .into_iter()
            .flatten()
            .filter(|(s, _, t)| s != t)
            .collect())
    }

    /// The next step of the action tree for a goal that may be meant in several ways, and what is intended after it.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn pursue(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        meanings: &[Vec<Wanted>],
    ) -> Result<Decision, Error> {
        let given_up = |kinds: &[Manipulation]| -> BTreeSet<ObjectId> {
            let objects = view.graph.objects.iter().map(|o| o.id);
            objects
                .filter(|id| kinds.iter().any(|kind| self.given_up(view, *kind, *id)))
                .collect()
        };
        let stuck = given_up(&[Manipulation::Articulate, Manipulation::Reach]);
        let refusing = given_up(&[Manipulation::Put]);
        let standing = ways.in_rooms(self.rules.plan());
        let before = self.thought.take();
        let think = |before, aside| {
            let meanings: Vec<Vec<Wanted>> = meanings
                .iter()
                .map(|wanted| self.with_stray(belief, view, wanted, aside))
                .collect();
            let question = Question {
                belief: *belief,
                base: view.base,
                at: self.at,
                ways: &meanings,
                rules: &self.rules,
                standing: &standing,
                stuck: &stuck,
                refusing: &refusing,
                limits: self.config.search,
            };
            Deliberation::next(before, &question)
        };
        let (thought, steps) = match think(before, false) {
            // With the hand full nothing opens: what it holds may have to be put aside first.
            Err(why) if belief.held().is_some() => think(None, true).map_err(|_| why)?,
            other => other?,
        };
        self.thought = Some(thought);
        Ok(Decision::Do(
            steps
                .into_iter()
                .map(|(step, skill)| Intended {
                    skill,
                    label: step_label(belief, step),
                    purpose: Purpose::Plan(step),
                })
                .collect(),
        ))
    }

    /// What can be done already where the rules let the rest wait for something that was not found yet: all but one, or one
    /// alone, or nothing but putting down what the hand holds, which opens nothing while it is full.
    pub(super) fn pursue_part(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        wanted: &[Wanted],
        open: &[Wanted],
    ) -> Option<Decision> {
        let all_but_one = open.iter().map(|w| vec![*w]);
        let one_alone = open
            .iter()
            .map(|w| open.iter().copied().filter(|other| other != w).collect());
        let mut parts: Vec<Vec<Wanted>> = match open.len() {
            0 | 1 => Vec::new(),
            2 => all_but_one.collect(),
            _ => all_but_one.chain(one_alone).collect(),
        };
        if belief.held().is_some() {
            parts.push(open.to_vec());
        }
        parts.into_iter().find_map(|left_out| {
            let kept = wanted.iter().filter(|w| !left_out.contains(w));
            self.pursue(belief, view, ways, &[kept.copied().collect()]).ok()
        })
    }

    /// The goal, and a place for what the hand holds where the goal does not speak of it, or where that is to be
    /// put `aside`: it must be put down before anything else can be done with the hand. The nearest furniture that
    /// has not refused it, and the nearest of all where every one has.
    fn with_stray(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        wanted: &[Wanted],
        aside: bool,
    ) -> Vec<Wanted> {
        let mut wanted = wanted.to_vec();
        let Some(held) = belief.held() else {
            return wanted;
        };
        if aside {
            wanted.retain(|w| w.0 != held.id);
        }
        // What a rule still wants somewhere has a place to go to: were another one wanted for it, it would be put there
        // and taken up again without end.
        let has_place = || {
            let owed = self.rules.rules().owed();
            owed.into_iter()
                .any(|p| matches!(p, Proposition::Related(_, subject, _) if *subject == held.class))
        };
        if wanted.iter().all(|w| w.0 != held.id) && (aside || !has_place()) {
            let place = self.place_for(view, self.in_the_way.map(|obstacle| obstacle.from));
            wanted.extend(place.map(|place| (held.id, RelationKind::On, place)));
        }
        wanted
    }

    /// The nearest furniture to put something on that has not refused it, or the nearest of all where every one has.
    fn place_for(&self, view: &View<'_>, except: Option<ObjectId>) -> Option<ObjectId> {
        let refused =
            |id| self.given_up(view, Manipulation::Put, id) || self.given_up(view, Manipulation::Reach, id);
        view.graph
            .objects
            .iter()
            .filter(|o| Belief::can_hold_things(o) && !o.surfaces.is_empty() && Some(o.id) != except)
            .map(|o| (refused(o.id), view.distance_m(o), o.id))
            .min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
            .map(|(_, _, place)| place)
    }

    /// A place for what is in the way, `None` once it is no longer there or cannot be taken.
    pub(super) fn elsewhere(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        &InTheWay { thing, from, .. }: &InTheWay,
    ) -> Option<ObjectId> {
        let is_stuck = self.given_up(view, Manipulation::Grasp, thing)
            || self.given_up(view, Manipulation::Reach, thing);
        let is_moved = !is_within(belief, thing, from) && belief.held().is_none_or(|o| o.id != thing);
        if is_stuck || is_moved {
            return None;
        }
        self.place_for(view, Some(from))
    }

    /// What small thing takes the room in or on something, where it was not to be moved before and the goal does not want
    /// it there.
    pub(super) fn blocker(&self, belief: &Belief<'_>, view: &View<'_>, place: ObjectId) -> Option<InTheWay> {
        let thing = self.movable_within(belief, view, place).next()?.id;
        Some(InTheWay {
            thing,
            from: place,
            of: None,
        })
    }

    /// What stands so close beside a thing that it may be why that cannot be grasped, where it was not to be moved before
    /// and the goal does not want it there.
    pub(super) fn neighbour(
        &self,
        belief: &Belief<'_>,
        view: &View<'_>,
        thing: ObjectId,
    ) -> Option<InTheWay> {
        let wanted = belief.object(thing)?;
        let carriers = view.graph.objects.iter().filter(|o| Belief::can_hold_things(o));
        let carriers = carriers.filter(|o| is_within(belief, thing, o.id));
        let neighbours = carriers.flat_map(|from| {
            let within = self.movable_within(belief, view, from.id);
            within.map(move |o| (gap_m(&wanted.shape, &o.shape), o.id, from.id))
        });
        neighbours
            .filter(|(gap_m, other, _)| *other != thing && *gap_m < HAND_ROOM_M)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, other, from)| InTheWay {
                thing: other,
                from,
                of: Some(thing),
            })
    }

    /// Small things in or on something that may be moved out of the way.
    fn movable_within<'a>(
        &self,
        belief: &Belief<'a>,
        view: &View<'a>,
        place: ObjectId,
    ) -> impl Iterator<Item = &'a SceneObject> {
        let class = belief.object(place).map(|o| &o.class);
        let is_wanted = move |o: &SceneObject| {
            let mut relations = self.goal.relations.iter();
            relations.any(|r| r.subject == o.class && Some(&r.object) == class)
        };
        view.graph.objects.iter().filter(move |o| {
            !self.moved_aside.contains(&o.id)
                && o.articulation.is_none()
                && !Belief::can_hold_things(o)
                && is_within(belief, o.id, place)
                && !is_wanted(o)
                && !self.given_up(view, Manipulation::Grasp, o.id)
        })
    }
}

/// Room beside a thing that an open hand takes, metres.
const HAND_ROOM_M: f64 = 0.08;

/// Distance between two things on about the same height, metres; infinite where one is over the other.
fn gap_m(a: &OrientedBox, b: &OrientedBox) -> f64 {
    if a.bottom_m() > b.top_m() || b.bottom_m() > a.top_m() {
        return f64::INFINITY;
    }
    let radius_m = |shape: &OrientedBox| shape.half.xy().norm();
    (a.center.xy() - b.center.xy()).norm() - radius_m(a) - radius_m(b)
}

/// Whether something is in or on a piece of furniture, going by its relations and by where it is.
fn is_within(belief: &Belief<'_>, thing: ObjectId, place: ObjectId) -> bool {
    let (Some(thing), Some(place)) = (belief.object(thing), belief.object(place)) else {
        return false;
    };
    thing.presence == Presence::Present
        && thing.id != place.id
        && (belief.holds(thing.id, RelationKind::In, place.id)
            || belief.holds(thing.id, RelationKind::On, place.id)
            || place.shape.contains(&thing.shape.center, 0.0))
}
