//! Messages of the loop in from ROS.

use std::sync::Arc;

use anyhow::Result;
use r2r::WrappedTypesupport;
use steward_core::Time;
use steward_nodes::message::Topic;
use steward_nodes::recording::ros_topics;

use super::{Incoming, next, profile};
use crate::assembler::{Assembler, Step};
use crate::host::HeardTime;
use crate::inbox::Inbox;
use crate::order::ImagesFirst;
use crate::qos;

/// Hears the topics of a node and puts their messages into its inbox.
pub struct Subscriptions {
    topics: Vec<Subscribed>,
    images_first: ImagesFirst,
    inbox: Arc<Inbox>,
}

/// A topic of the loop: what comes on each of its ROS topics.
struct Subscribed {
    topic: Topic,
    parts: Vec<Incoming<Vec<u8>>>,
    assembler: Assembler,
}

impl Subscriptions {
    /// # Errors
    /// Where ROS refuses a topic or lacks its type.
    pub fn new(node: &mut r2r::Node, topics: &[Topic], inbox: Arc<Inbox>) -> Result<Self> {
        let mut subscribed = Vec::new();
        for &topic in topics {
            // Both are heard on the same ROS topics; the assembler tells one from the other.
            if topic == Topic::Localization && topics.contains(&Topic::Transforms) {
                continue;
            }
            let mut parts: Vec<Incoming<Vec<u8>>> = Vec::new();
            for (name, ros_type) in ros_topics(topic) {
                let qos = profile(qos::of(name));
                parts.push(Box::pin(node.subscribe_raw(
                    qos::published_name(name),
                    ros_type,
                    qos,
                )?));
            }
            subscribed.push(Subscribed {
                topic,
                parts,
                assembler: Assembler::new(topic),
            });
        }
        Ok(Subscriptions {
            topics: subscribed,
            images_first: ImagesFirst::default(),
            inbox,
        })
    }

    /// Puts in what came.
    pub fn turn(&mut self) {
        for Subscribed {
            topic,
            parts,
            assembler,
        } in &mut self.topics
        {
            for (index, incoming) in parts.iter_mut().enumerate() {
                while let Some(bytes) = next(incoming) {
                    match assembler.put(index, bytes) {
                        Ok(Step::Complete(messages)) => {
                            let passed = messages.into_iter().flat_map(|m| self.images_first.pass(m));
                            passed.for_each(|m| self.inbox.put(m));
                        }
                        Ok(Step::Waiting) => {}
                        Err(e) => {
                            self.inbox.count(&format!("unreadable_{}", topic.name()));
                            log::debug!("a message on `{}` cannot be read: {e}", topic.name());
                        }
                    }
                }
            }
            for _ in 0..assembler.take_given_up() {
                self.inbox.count(&format!("incomplete_{}", topic.name()));
            }
        }
    }
}

/// Hears `/clock`.
pub struct HeardClock {
    incoming: Incoming<Vec<u8>>,
    heard: Arc<HeardTime>,
}

impl HeardClock {
    /// # Errors
    /// Where ROS refuses the topic.
    pub fn new(node: &mut r2r::Node, heard: Arc<HeardTime>) -> Result<Self> {
        let qos = profile(qos::of("/clock"));
        Ok(HeardClock {
            incoming: Box::pin(node.subscribe_raw("/clock", "rosgraph_msgs/msg/Clock", qos)?),
            heard,
        })
    }

    /// Sets the time to the newest that came; whether any did.
    pub fn turn(&mut self) -> bool {
        let mut any = false;
        while let Some(bytes) = next(&mut self.incoming) {
            if let Ok(m) = r2r::rosgraph_msgs::msg::Clock::from_serialized_bytes(&bytes) {
                let nanos = i64::from(m.clock.sec) * 1_000_000_000 + i64::from(m.clock.nanosec);
                self.heard.set(Time::from_nanos(nanos));
                any = true;
            }
        }
        any
    }
}
