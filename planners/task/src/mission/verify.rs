//! Seeing once more that the goal holds before success is claimed.

use steward_core::Duration;
use steward_core::ids::ObjectId;
use steward_core::messages::{
    FailureReason, NavigationTarget, Presence, Provenance, RelationKind, SceneObject, Skill,
};

use super::views::{Peek, from_another_side, opens_upwards, peek};
use super::ways::Ways;
use super::{Decision, Intended, Mission, Purpose, View, label};
use crate::belief::{Belief, Wanted};

impl Mission {
    /// Success, once every relation was seen to hold recently.
    pub(super) fn verify(
        &mut self,
        belief: &Belief<'_>,
        view: &View<'_>,
        ways: &Ways<'_>,
        wanted: &[Wanted],
    ) -> Decision {
        let since = *self.complete_since.get_or_insert(view.now);
        let fresh = since - Duration::from_secs_f64(self.config.fresh_s);
        for &(subject, kind, target) in wanted {
            let Some(object) = belief.object(subject) else {
                continue;
            };
            if object.last_seen >= fresh || Self::was_shut_in(belief, (subject, kind, target)) {
                continue;
            }
            let purpose = Purpose::Verify(subject);
            let name = |id| label(belief, id);
            let what = format!("whether {} is still {kind} {}", name(subject), name(target));
            let tries = self.looks.get(&subject).copied().unwrap_or(0);
            if tries > self.config.max_attempts {
                return Decision::Fail(FailureReason::Unconfirmed, format!("could not see {what}"));
            }
            // It is seen best from where it was seen last; then from near what it is on, then from another side, where
            // something hides it from this one. Inside of something it may have rolled to where it is seen only from right
            // beside that.
            let beside_first = match kind {
                RelationKind::In => 1,
                // A worktop may have a basin.
                RelationKind::On => 3,
                RelationKind::Near => u32::MAX,
            };
            if let (true, Some(holder)) = (tries >= beside_first, belief.object(target)) {
                let part = belief.object(belief.way_into(target)).unwrap_or(holder);
                let due = Peek {
                    is_close: self.at == Some(subject),
                    side: (tries - beside_first) as usize,
                    ..Peek::into(part.id)
                };
                let mut steps = peek(belief, view, ways, part, &due);
                for step in &mut steps {
                    step.purpose = purpose;
                }
                return Decision::Do(steps);
            }
            let look = Intended {
                skill: Skill::Look {
                    at: vec![object.shape.center],
                },
                label: format!("look {what}"),
                purpose,
            };
            let go = format!("go and see {what}");
            let is_there = self.at == Some(subject);
            let from = match tries {
                0 => self.seen_from.get(&subject).map(|seen| seen.base),
                1 => None,
                _ => from_another_side(&object.shape, ways, &view.base),
            };
            return Decision::Do(match from.filter(|_| !is_there) {
                Some(base) => vec![
                    Intended {
                        skill: Skill::Navigate {
                            to: NavigationTarget::Pose(base),
                        },
                        label: go,
                        purpose,
                    },
                    look,
                ],
                None => self.there_first(if tries % 2 == 0 { subject } else { target }, go, look),
            });
        }
        let seen = self.goal.to_string();
        Decision::Succeed(format!("{seen} was observed to hold"))
    }

    /// Into what something was put that is not seen there any more, and from which of its sides to look for it next: from
    /// further off the rim may hide it, and from one side what else lies there.
    pub(super) fn lost_inside(&mut self, belief: &Belief<'_>) -> Option<(ObjectId, usize)> {
        const SIDES: usize = 3;
        let is_lost = |id| belief.object(id).is_some_and(|o| o.presence == Presence::Missing);
        let is_shut = |id| {
            let part = belief.object(belief.way_into(id));
            part.and_then(|o| o.articulation)
                .is_some_and(|a| a.is_closed() == Some(true))
        };
        let sides = |container| {
            let part = belief.object(belief.way_into(container));
            if part.is_some_and(opens_upwards) { SIDES } else { 1 }
        };
        let (&(_, container), tried) = self.put_into.iter_mut().find(|((thing, container), tried)| {
            **tried < sides(*container) && is_lost(*thing) && !is_shut(*container)
        })?;
        *tried += 1;
        Some((container, *tried - 1))
    }

    /// Whether a thing was seen inside of something that was seen shut since: nobody sees it there any more without opening.
    fn was_shut_in(belief: &Belief<'_>, (subject, kind, target): Wanted) -> bool {
        let Some(object) = belief.object(subject) else {
            return false;
        };
        let mut parts = belief.parts_of(target);
        // In one of its drawers, that one alone shuts it in.
        let is_around = |part: &&&SceneObject| {
            let slides = part.articulation.is_some_and(|a| a.prismatic);
            slides && belief.holds(subject, RelationKind::In, part.id)
        };
        if let Some(&drawer) = parts.iter().find(is_around) {
            parts = vec![drawer];
        }
        let is_shut = |part: &&SceneObject| {
            let is_closed = part.articulation.is_some_and(|a| a.is_closed() == Some(true));
            is_closed && part.last_seen > object.last_seen
        };
        kind == RelationKind::In
            && object.provenance == Provenance::Observed
            && !parts.is_empty()
            && parts.iter().all(is_shut)
    }
}
