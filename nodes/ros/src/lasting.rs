//! What is said once and holds from then on: the floor plan, and transforms that are fixed.
//!
//! A node may hear it while it rests or before there is a clock, and forgets it when time jumps back. Nobody says it
//! again.

use std::collections::BTreeMap;

use steward_core::messages::{StampedTransform, Transforms};
use steward_nodes::message::Message;
use steward_nodes::node::message;

/// No robot has more fixed links.
const MOST_LINKS: usize = 1000;

/// The newest of each kind.
#[derive(Debug, Default)]
pub struct Lasting {
    floor_plan: Option<Message>,
    /// By the child frame.
    fixed: BTreeMap<String, StampedTransform>,
}

/// Whether some of a message lasts.
pub fn lasts(message: &Message) -> bool {
    match message {
        Message::FloorPlan(_) => true,
        Message::Transforms(m) => m.transforms.iter().any(|t| t.is_static),
        _ => false,
    }
}

impl Lasting {
    /// Takes note of what lasts in a message.
    pub fn note(&mut self, message: &Message) {
        match message {
            Message::FloorPlan(_) => self.floor_plan = Some(message.clone()),
            Message::Transforms(m) => {
                for transform in m.transforms.iter().filter(|t| t.is_static) {
                    if self.fixed.len() < MOST_LINKS || self.fixed.contains_key(&transform.child) {
                        self.fixed.insert(transform.child.clone(), transform.clone());
                    }
                }
            }
            _ => {}
        }
    }

    /// All of it.
    pub fn messages(&self) -> Vec<Message> {
        let transforms: Vec<_> = self.fixed.values().cloned().collect();
        let fixed = (!transforms.is_empty()).then(|| message(Message::Transforms, Transforms { transforms }));
        self.floor_plan.iter().cloned().chain(fixed).collect()
    }
}

#[cfg(test)]
mod tests {
    use steward_core::Time;
    use steward_core::geometry::Pose3;
    use steward_core::messages::{FloorPlan, Header};

    use super::*;

    fn edge(child: &str, at_s: f64, is_static: bool) -> StampedTransform {
        StampedTransform {
            stamp: Time::from_secs_f64(at_s),
            parent: "base_link".into(),
            child: child.into(),
            parent_from_child: Pose3::identity(),
            is_static,
        }
    }

    fn transforms(transforms: Vec<StampedTransform>) -> Message {
        message(Message::Transforms, Transforms { transforms })
    }

    #[test]
    fn the_newest_of_what_lasts_is_kept_and_nothing_else() {
        let mut lasting = Lasting::default();
        assert_eq!(lasting.messages(), []);
        let plan = FloorPlan {
            header: Header::default(),
            rooms: Vec::new(),
        };
        let plan = message(Message::FloorPlan, plan);
        for m in [
            transforms(vec![edge("head", 1.0, true), edge("wheel", 1.0, false)]),
            plan.clone(),
            transforms(vec![edge("arm", 2.0, true), edge("head", 3.0, true)]),
        ] {
            assert!(lasts(&m));
            lasting.note(&m);
        }
        let moving = transforms(vec![edge("wheel", 4.0, false)]);
        assert!(!lasts(&moving));
        lasting.note(&moving);
        let fixed = transforms(vec![edge("arm", 2.0, true), edge("head", 3.0, true)]);
        assert_eq!(lasting.messages(), [plan, fixed]);
    }

    #[test]
    fn garbage_does_not_fill_the_memory() {
        let mut lasting = Lasting::default();
        for n in 0..2 * MOST_LINKS {
            lasting.note(&transforms(vec![edge(&n.to_string(), 1.0, true)]));
        }
        assert_eq!(lasting.fixed.len(), MOST_LINKS);
        lasting.note(&transforms(vec![edge("0", 2.0, true)]));
        assert_eq!(lasting.fixed["0"].stamp, Time::from_secs_f64(2.0));
    }
}
