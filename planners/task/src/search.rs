//! Cheapest plans in the household by uniform-cost search.
//!
//! Only the things that the goal is about, and the parts that shut them in, take part, so the space stays
//! small whatever the size of the home.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use steward_core::ids::ObjectId;
use steward_core::messages::RelationKind;

use crate::household::{Household, State, Step};
use crate::{Error, Result};

/// One relation that must hold at the end.
pub type Wanted = (ObjectId, RelationKind, ObjectId);

/// The cheapest sequence of steps from `start` to a state with every wanted relation and an empty hand.
///
/// # Errors
/// [`Error::UnknownObject`], [`Error::Contradiction`], [`Error::NoPlan`], or [`Error::Exhausted`] after
/// `max_states` expanded states.
pub fn plan(household: &Household, start: &State, goal: &[Wanted], max_states: usize) -> Result<Vec<Step>> {
    check_goal(household, goal)?;
    let steps = relevant_steps(household, start, goal);
    // States are numbered in the order they are met, so that ties are broken the same way in every run.
    let mut states = vec![(start.clone(), None::<(usize, Step)>)];
    let mut index = BTreeMap::from([(start.clone(), 0usize)]);
    let mut best = vec![0.0f64];
    let mut open = BinaryHeap::from([Reverse((0u64, 0usize))]);
    let mut expanded = 0;
    while let Some(Reverse((cost_um, at))) = open.pop() {
        if cost_um > micrometres(best[at]) {
            continue;
        }
        let state = states[at].0.clone();
        if state.held.is_none() && goal.iter().all(|w| state.relations.contains(w)) {
            return Ok(unwind(&states, at));
        }
        expanded += 1;
        if expanded > max_states {
            return Err(Error::Exhausted(max_states));
        }
        for &step in &steps {
            if household.obstacle(step, &state).is_some() {
                continue;
            }
            let cost = best[at] + household.cost(step, &state);
            let next = household.after(step, &state);
            let id = *index.entry(next.clone()).or_insert_with(|| {
                states.push((next, None));
                best.push(f64::INFINITY);
                states.len() - 1
            });
            if cost < best[id] {
                best[id] = cost;
                states[id].1 = Some((at, step));
                open.push(Reverse((micrometres(cost), id)));
            }
        }
    }
    let blocked = goal
        .iter()
        .filter(|w| !start.relations.contains(w))
        .map(|(s, kind, o)| format!("{kind}({s}, {o})"))
        .collect::<Vec<_>>();
    Err(Error::NoPlan(format!(
        "{} stays out of reach",
        blocked.join(" & ")
    )))
}

fn micrometres(cost_m: f64) -> u64 {
    (cost_m * 1e6).round() as u64
}

fn check_goal(household: &Household, goal: &[Wanted]) -> Result<()> {
    let mut places = BTreeMap::new();
    for &(subject, kind, object) in goal {
        for id in [subject, object] {
            if !household.items.contains_key(&id) {
                return Err(Error::UnknownObject(id));
            }
        }
        if subject == object {
            return Err(Error::Contradiction(format!("{subject} cannot be {kind} itself")));
        }
        if kind != RelationKind::Near {
            match places.insert(subject, (kind, object)) {
                Some(other) if other != (kind, object) => {
                    return Err(Error::Contradiction(format!(
                        "{subject} is asked to be in two places"
                    )));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn relevant_steps(household: &Household, start: &State, goal: &[Wanted]) -> Vec<Step> {
    let mut things: BTreeSet<ObjectId> = goal.iter().flat_map(|&(s, _, o)| [s, o]).collect();
    things.extend(start.held);
    let containers: Vec<ObjectId> = start
        .relations
        .iter()
        .filter(|(s, kind, _)| *kind == RelationKind::In && things.contains(s))
        .map(|&(_, _, o)| o)
        .collect();
    things.extend(containers);
    let parts: BTreeSet<ObjectId> = things
        .iter()
        .filter_map(|id| household.items.get(id))
        .flat_map(|i| i.parts.iter().copied())
        .collect();
    let mut steps: Vec<Step> = things.union(&parts).map(|&id| Step::Navigate(id)).collect();
    steps.extend(parts.iter().map(|&p| Step::Open(p)));
    for &(subject, kind, object) in goal {
        steps.push(Step::Pick(subject));
        steps.push(Step::Place(subject, kind, object));
    }
    steps.sort_unstable();
    steps.dedup();
    steps
}

fn unwind(states: &[(State, Option<(usize, Step)>)], mut at: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some((before, step)) = states[at].1 {
        steps.push(step);
        at = before;
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::household::Item;
    use steward_core::geometry::Point3;

    const MUG: ObjectId = ObjectId(1);
    const DESK: ObjectId = ObjectId(2);
    const FRIDGE: ObjectId = ObjectId(3);
    const DOOR: ObjectId = ObjectId(4);

    fn home() -> Household {
        let item = |x: f64, movable: bool, parts: &[ObjectId]| Item {
            position: Point3::new(x, 0.0, 0.5),
            movable,
            parts: parts.to_vec(),
        };
        Household {
            items: BTreeMap::from([
                (MUG, item(1.0, true, &[])),
                (DESK, item(4.0, false, &[])),
                (FRIDGE, item(-2.0, false, &[DOOR])),
                (DOOR, item(-1.5, false, &[])),
            ]),
        }
    }

    #[test]
    fn carries_a_mug_to_a_desk() {
        let steps = plan(&home(), &State::default(), &[(MUG, RelationKind::On, DESK)], 1000).unwrap();
        assert_eq!(
            steps,
            [
                Step::Navigate(MUG),
                Step::Pick(MUG),
                Step::Navigate(DESK),
                Step::Place(MUG, RelationKind::On, DESK)
            ]
        );
    }

    #[test]
    fn opens_the_fridge_before_the_hand_is_full() {
        let steps = plan(
            &home(),
            &State::default(),
            &[(MUG, RelationKind::In, FRIDGE)],
            1000,
        )
        .unwrap();
        let at = |step| steps.iter().position(|s| *s == step).unwrap();
        assert!(at(Step::Open(DOOR)) < at(Step::Pick(MUG)));
        assert_eq!(steps.last(), Some(&Step::Place(MUG, RelationKind::In, FRIDGE)));
    }

    #[test]
    fn takes_out_what_is_shut_in_and_needs_nothing_when_done() {
        let start = State {
            relations: [(MUG, RelationKind::In, FRIDGE)].into(),
            ..State::default()
        };
        let steps = plan(&home(), &start, &[(MUG, RelationKind::On, DESK)], 1000).unwrap();
        assert_eq!(steps[..2], [Step::Navigate(DOOR), Step::Open(DOOR)]);
        let done = State {
            relations: [(MUG, RelationKind::On, DESK)].into(),
            ..State::default()
        };
        assert!(
            plan(&home(), &done, &[(MUG, RelationKind::On, DESK)], 1000)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        let home = home();
        let start = State::default();
        let two_places = [(MUG, RelationKind::On, DESK), (MUG, RelationKind::In, FRIDGE)];
        assert!(matches!(
            plan(&home, &start, &two_places, 1000),
            Err(Error::Contradiction(_))
        ));
        let heavy = [(FRIDGE, RelationKind::On, DESK)];
        assert!(matches!(plan(&home, &start, &heavy, 1000), Err(Error::NoPlan(_))));
        let ghost = [(ObjectId(9), RelationKind::On, DESK)];
        assert!(matches!(
            plan(&home, &start, &ghost, 1000),
            Err(Error::UnknownObject(_))
        ));
    }
}
