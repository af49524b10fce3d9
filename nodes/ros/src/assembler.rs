//! Messages of the loop from the ROS messages that they are split into.
//!
//! All parts of a message carry its stamp. Transforms are the exception: each `/tf` is a message by itself, and what
//! corrects the odometry (edges from `map`) is told from the rest by its frames.

use std::collections::BTreeMap;

use steward_core::frames;
use steward_core::messages::Transforms;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_nodes::recording::{CdrError, decode, ros_topics};

/// Messages of one topic that may wait for the rest of their parts.
const MAX_WAITING: usize = 8;

/// Puts the messages of one topic together.
#[derive(Debug)]
pub struct Assembler {
    topic: Topic,
    /// Parts by stamp: seconds and nanoseconds.
    waiting: BTreeMap<(i32, u32), Vec<Option<Vec<u8>>>>,
    given_up: u64,
}

/// What a part led to.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// More parts are needed.
    Waiting,
    /// Messages are complete.
    Complete(Vec<Message>),
}

impl Assembler {
    /// For one topic of the loop.
    pub fn new(topic: Topic) -> Self {
        Assembler {
            topic,
            waiting: BTreeMap::new(),
            given_up: 0,
        }
    }

    /// How many messages were given up, incomplete, since this was asked last.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// Takes a part, given by its place among the topic's ROS topics.
    ///
    /// # Errors
    /// Bytes that make no sense.
    pub fn put(&mut self, index: usize, bytes: Vec<u8>) -> Result<Step, CdrError> {
        let topics = ros_topics(self.topic);
        if matches!(self.topic, Topic::Transforms | Topic::Localization) {
            let (name, _) = topics[index];
            let decoded = decode(Topic::Transforms, &[(name, &bytes)])?;
            return Ok(Step::Complete(split(&decoded)));
        }
        if topics.len() == 1 {
            return Ok(Step::Complete(vec![decode(
                self.topic,
                &[(topics[0].0, &bytes)],
            )?]));
        }
        let stamp = stamp(&bytes)?;
        let parts = self
            .waiting
            .entry(stamp)
            .or_insert_with(|| vec![None; topics.len()]);
        parts[index] = Some(bytes);
        let complete: Option<Vec<(&str, &[u8])>> = topics
            .iter()
            .zip(parts.iter())
            .map(|((name, _), part)| Some((*name, part.as_deref()?)))
            .collect();
        if let Some(complete) = complete {
            let decoded = decode(self.topic, &complete);
            // What is older will not become complete any more.
            let newer = self.waiting.split_off(&stamp);
            self.given_up += self.waiting.len() as u64;
            self.waiting = newer;
            self.waiting.remove(&stamp);
            return Ok(Step::Complete(vec![decoded?]));
        }
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_first();
            self.given_up += 1;
        }
        Ok(Step::Waiting)
    }
}

/// Corrections of the odometry and all other transforms.
fn split(decoded: &Message) -> Vec<Message> {
    let Message::Transforms(all) = decoded else {
        return Vec::new();
    };
    let (corrections, others): (Vec<_>, Vec<_>) = all
        .transforms
        .iter()
        .cloned()
        .partition(|t| t.parent == frames::MAP);
    let mut messages = Vec::new();
    for (variant, transforms) in [
        (Message::Transforms as fn(_) -> _, others),
        (Message::Localization as fn(_) -> _, corrections),
    ] {
        if !transforms.is_empty() {
            messages.push(message(variant, Transforms { transforms }));
        }
    }
    messages
}

/// Stamp of the header that the message begins with.
fn stamp(bytes: &[u8]) -> Result<(i32, u32), CdrError> {
    // Four bytes of encapsulation, then seconds and nanoseconds; other byte orders are refused when decoding.
    match bytes {
        [_, _, _, _, a, b, c, d, e, f, g, h, ..] => Ok((
            i32::from_le_bytes([*a, *b, *c, *d]),
            u32::from_le_bytes([*e, *f, *g, *h]),
        )),
        _ => Err(CdrError::Invalid {
            at: 0,
            problem: "it has no header".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use steward_core::Time;
    use steward_core::geometry::{Pose2, Pose3};
    use steward_core::messages::{Header, Odometry, StampedTransform};
    use steward_nodes::recording::encode;

    use super::*;

    fn odometry(at: f64) -> Message {
        let header = Header::new(Time::from_secs_f64(at), "odom");
        message(
            Message::Odometry,
            Odometry {
                header,
                pose: Pose2::default(),
                linear_m_s: 0.5,
                angular_rad_s: 0.0,
            },
        )
    }

    #[test]
    fn parts_of_one_stamp_become_one_message_in_any_order() {
        let mut assembler = Assembler::new(Topic::Odometry);
        let parts = |m: &Message| {
            encode(m)
                .unwrap()
                .into_iter()
                .map(|p| p.bytes)
                .collect::<Vec<_>>()
        };
        let (old, new) = (parts(&odometry(1.0)), parts(&odometry(2.0)));
        assert_eq!(assembler.put(1, old[1].clone()).unwrap(), Step::Waiting);
        assert_eq!(assembler.put(1, new[1].clone()).unwrap(), Step::Waiting);
        assert_eq!(
            assembler.put(0, new[0].clone()).unwrap(),
            Step::Complete(vec![odometry(2.0)])
        );
        assert_eq!(assembler.waiting.len(), 0, "the older one is not waited for");
        assert_eq!([assembler.take_given_up(), assembler.take_given_up()], [1, 0]);
        assert!(assembler.put(0, vec![0; 5]).is_err());
        for n in 0..20 {
            assembler
                .put(1, parts(&odometry(f64::from(n)))[1].clone())
                .unwrap();
            assert_eq!(assembler.take_given_up() == 1, n >= MAX_WAITING as i32);
        }
    }

    #[test]
    fn corrections_of_the_odometry_are_told_from_other_transforms() {
        let edge = |parent: &str, child: &str| StampedTransform {
            stamp: Time::ZERO,
            parent: parent.into(),
            child: child.into(),
            parent_from_child: Pose3::identity(),
            is_static: false,
        };
        let all = Transforms {
            transforms: vec![edge("odom", "base_link"), edge("map", "odom")],
        };
        let bytes = encode(&message(Message::Transforms, all))
            .unwrap()
            .remove(0)
            .bytes;
        let Step::Complete(messages) = Assembler::new(Topic::Transforms).put(0, bytes).unwrap() else {
            panic!("a transform has one part");
        };
        assert_eq!(
            messages.iter().map(Message::topic).collect::<Vec<_>>(),
            [Topic::Transforms, Topic::Localization]
        );
    }
}
