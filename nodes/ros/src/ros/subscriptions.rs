//! Messages of the loop in from ROS.

use std::sync::Arc;

use anyhow::Result;
use r2r::WrappedTypesupport;
use steward_core::Time;
use steward_core::robot::KinematicModel;
use steward_nodes::message::{Message, Topic};
use steward_nodes::recording::ros_topics;

use super::{Incoming, next, profile};
use crate::assembler::{Assembler, Step};
use crate::host::HeardTime;
use crate::inbox::Inbox;
use crate::qos;
use crate::sensors::{CameraSettings, Channel, Sensors};

/// Hears the topics of a node and puts their messages into its inbox.
pub struct Subscriptions {
    topics: Vec<Subscribed>,
    channels: Vec<(Channel, Incoming<Vec<u8>>)>,
    sensors: Sensors,
    inbox: Arc<Inbox>,
}

/// A topic that others of the loop speak on: what comes on each of its ROS topics.
struct Subscribed {
    topic: Topic,
    parts: Vec<Incoming<Vec<u8>>>,
    assembler: Assembler,
}

impl Subscriptions {
    /// # Errors
    /// Where ROS refuses a topic or lacks its type, or a setting is out of range.
    pub fn new(
        node: &mut r2r::Node,
        topics: &[Topic],
        camera: &CameraSettings,
        inbox: Arc<Inbox>,
    ) -> Result<Self> {
        let mut subscribe = |name: &str, ros_type: &str| -> Result<Incoming<Vec<u8>>> {
            let qos = profile(qos::of(name));
            Ok(Box::pin(node.subscribe_raw(
                qos::published_name(name),
                ros_type,
                qos,
            )?))
        };
        let (mut subscribed, mut channels) = (Vec::new(), Vec::new());
        for &topic in topics {
            // Both are heard on the same ROS topics; the assembler tells one from the other.
            if topic == Topic::Localization && topics.contains(&Topic::Transforms) {
                continue;
            }
            let spoken = Channel::of(topic, camera);
            for channel in &spoken {
                let (name, ros_type) = channel.ros_topic();
                channels.push((*channel, subscribe(name, ros_type)?));
            }
            if !spoken.is_empty() {
                continue;
            }
            let parts = ros_topics(topic)
                .iter()
                .map(|(name, ros_type)| subscribe(name, ros_type));
            subscribed.push(Subscribed {
                topic,
                parts: parts.collect::<Result<_>>()?,
                assembler: Assembler::new(topic),
            });
        }
        let model = KinematicModel::from_urdf(steward_sim::robot::URDF)?;
        Ok(Subscriptions {
            topics: subscribed,
            channels,
            sensors: Sensors::new(camera, model).map_err(anyhow::Error::msg)?,
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
                            for message in messages {
                                if let Message::Transforms(transforms) = &message {
                                    self.sensors.hear_frames(transforms);
                                }
                                self.inbox.put(message);
                            }
                        }
                        Ok(Step::Waiting) => {}
                        Err(e) => {
                            self.inbox.count(&format!("unreadable_{}", topic.name()), 1);
                            log::debug!("a message on `{}` cannot be read: {e}", topic.name());
                        }
                    }
                }
            }
            let given_up = assembler.take_given_up();
            if given_up > 0 {
                self.inbox
                    .count(&format!("incomplete_{}", topic.name()), given_up);
            }
        }
        for (channel, incoming) in &mut self.channels {
            while let Some(bytes) = next(incoming) {
                let messages = self.sensors.hear(*channel, &bytes);
                messages.into_iter().for_each(|m| self.inbox.put(m));
            }
        }
        for (name, times) in self.sensors.take_counts() {
            self.inbox.count(&name, times);
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
