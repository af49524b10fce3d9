//! Messages of the loop out to ROS.

use std::collections::HashMap;

use anyhow::Result;
use r2r::{PublisherUntyped, WrappedTypesupport};
use steward_core::Time;
use steward_core::messages::SceneGraph;
use steward_nodes::message::{Message, Topic};
use steward_nodes::node::message;
use steward_nodes::recording::{Part, encode, ros_topics};

use super::profile;
use crate::qos::{self, Qos};
use crate::twist;

/// A publisher with the quality of service of the table.
///
/// # Errors
/// Where ROS refuses the topic or lacks its type.
fn publisher(node: &mut r2r::Node, topic: &str, ros_type: &str) -> Result<PublisherUntyped> {
    Ok(node.create_publisher_untyped(qos::published_name(topic), ros_type, profile(qos::of(topic)))?)
}

fn has_listener(publisher: &PublisherUntyped) -> bool {
    publisher
        .get_inter_process_subscription_count()
        .is_ok_and(|n| n > 0)
}

/// Publishes messages of the loop as the bytes that recordings hold.
#[derive(Clone)]
pub struct Publishers {
    by_topic: HashMap<&'static str, PublisherUntyped>,
    /// Commands to the base go out as `TwistStamped`.
    is_velocity_stamped: bool,
}

impl Publishers {
    /// A publisher for every ROS topic of these topics of the loop.
    ///
    /// # Errors
    /// Where ROS refuses a topic or lacks its type.
    pub fn new(node: &mut r2r::Node, topics: &[Topic]) -> Result<Self> {
        Self::with_velocity(node, topics, true)
    }

    /// The same, with commands to the base as `TwistStamped` or `Twist`.
    ///
    /// # Errors
    /// Where ROS refuses a topic or lacks its type.
    pub fn with_velocity(node: &mut r2r::Node, topics: &[Topic], is_velocity_stamped: bool) -> Result<Self> {
        let mut by_topic = HashMap::new();
        for &topic in topics {
            for (name, ros_type) in ros_topics(topic) {
                let is_twist = topic == Topic::VelocityCommand && !is_velocity_stamped;
                let ros_type = if is_twist { twist::ROS_TYPE } else { *ros_type };
                if !by_topic.contains_key(name) {
                    by_topic.insert(*name, publisher(node, name, ros_type)?);
                }
            }
        }
        Ok(Publishers {
            by_topic,
            is_velocity_stamped,
        })
    }

    /// Whether somebody listens to every one of these topics of the loop.
    pub fn are_all_heard(&self, topics: &[Topic]) -> bool {
        topics
            .iter()
            .flat_map(|t| ros_topics(*t))
            .filter_map(|(name, _)| self.by_topic.get(name))
            .all(has_listener)
    }

    /// Publishes a message; nothing is encoded for sensors that nobody listens to.
    pub fn publish(&self, message: &Message) {
        let names = ros_topics(message.topic());
        let is_wanted =
            |name: &str| qos::of(name) != Qos::Sensor || self.by_topic.get(name).is_some_and(has_listener);
        if !names.iter().any(|(name, _)| is_wanted(name)) {
            return;
        }
        let encoded = match message {
            Message::VelocityCommand(command) if !self.is_velocity_stamped => {
                twist::part(command).map(|part| vec![part])
            }
            message => encode(message),
        };
        match encoded {
            Ok(parts) => parts.iter().for_each(|part| self.publish_part(part)),
            Err(e) => log::warn!("a message on `{}` is not published: {e}", message.topic().name()),
        }
    }

    fn publish_part(&self, part: &Part) {
        match self
            .by_topic
            .get(part.topic)
            .map(|publisher| publisher.publish_raw(&part.bytes))
        {
            Some(Ok(())) => {}
            Some(Err(e)) => log::warn!("a message on `{}` is not published: {e}", part.topic),
            None => log::error!(
                "nothing was announced on `{}`, and so nothing is published",
                part.topic
            ),
        }
    }
}

/// Publishes how things truly are in the simulator.
#[derive(Clone)]
pub struct Truth(PublisherUntyped);

impl Truth {
    /// # Errors
    /// Where ROS refuses the topic.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Truth(publisher(
            node,
            "/simulator/truth",
            "steward_msgs/msg/SceneGraph",
        )?))
    }

    /// Says how things are.
    pub fn publish(&self, scene: SceneGraph) {
        let parts = match encode(&message(Message::SceneGraph, scene)) {
            Ok(parts) => parts,
            Err(e) => return log::warn!("the truth cannot be told: {e}"),
        };
        for part in parts {
            if let Err(e) = self.0.publish_raw(&part.bytes) {
                log::warn!("the truth cannot be told: {e}");
            }
        }
    }
}

/// Publishes the time of the loop.
#[derive(Clone)]
pub struct Clock(PublisherUntyped);

impl Clock {
    /// # Errors
    /// Where ROS refuses the topic.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Clock(publisher(node, "/clock", "rosgraph_msgs/msg/Clock")?))
    }

    /// Says what time it is.
    pub fn publish(&self, now: Time) {
        let clock = r2r::builtin_interfaces::msg::Time {
            sec: now.nanos().div_euclid(1_000_000_000) as i32,
            nanosec: now.nanos().rem_euclid(1_000_000_000) as u32,
        };
        let bytes = r2r::rosgraph_msgs::msg::Clock { clock }.to_serialized_bytes();
        if let Err(e) = bytes.and_then(|bytes| self.0.publish_raw(&bytes)) {
            log::warn!("the time is not published: {e}");
        }
    }
}
