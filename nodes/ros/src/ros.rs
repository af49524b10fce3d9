//! What touches ROS: publishers, parameters and lifecycle services of one node, served by one thread.
//!
//! `r2r` takes one message per subscription and turn, and its queues drop the newest when full. So the thread does
//! nothing but spin with a short timeout and work off what came; computing happens elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use r2r::{ParameterValue, PublisherUntyped, QosProfile};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use steward_nodes::message::{Message, Topic};
use steward_nodes::recording::{Part, encode, ros_topics};

use crate::parameters::Parameters;
use crate::qos::{self, Qos};

/// The profile of `r2r` for a row of the table.
pub fn profile(qos: Qos) -> QosProfile {
    match qos {
        Qos::Sensor => QosProfile::sensor_data().keep_last(5),
        Qos::Latched { depth } => QosProfile::transient_local(QosProfile::default()).reliable().keep_last(depth),
        Qos::Reliable => QosProfile::default().reliable().keep_last(100),
    }
}

/// Publishes messages of the loop as the bytes that recordings hold.
pub struct Publishers {
    by_topic: HashMap<&'static str, PublisherUntyped>,
}

impl Publishers {
    /// A publisher for every ROS topic of these topics of the loop.
    ///
    /// # Errors
    /// Where ROS refuses a topic or lacks its type.
    pub fn new(node: &mut r2r::Node, topics: &[Topic]) -> Result<Self> {
        let mut by_topic = HashMap::new();
        for (name, ros_type) in topics.iter().flat_map(|t| ros_topics(*t)) {
            if !by_topic.contains_key(name) {
                by_topic.insert(*name, publisher(node, name, ros_type)?);
            }
        }
        Ok(Publishers { by_topic })
    }

    /// Publishes a message; nothing is encoded for sensors that nobody listens to.
    pub fn publish(&self, message: &Message) {
        let names = ros_topics(message.topic());
        let wanted = |name: &str| {
            qos::of(name) != Qos::Sensor
                || self.by_topic.get(name).is_some_and(|p| {
                    p.get_inter_process_subscription_count().is_ok_and(|listeners| listeners > 0)
                })
        };
        if !names.iter().any(|(name, _)| wanted(name)) {
            return;
        }
        match encode(message) {
            Ok(parts) => parts.iter().for_each(|part| self.publish_part(part)),
            Err(e) => log::warn!("a message on `{}` is not published: {e}", message.topic().name()),
        }
    }

    fn publish_part(&self, part: &Part) {
        if let Some(publisher) = self.by_topic.get(part.topic)
            && let Err(e) = publisher.publish_raw(&part.bytes)
        {
            log::warn!("a message on `{}` is not published: {e}", part.topic);
        }
    }
}

/// A publisher with the quality of service of the table.
///
/// # Errors
/// Where ROS refuses the topic or lacks its type.
pub fn publisher(node: &mut r2r::Node, topic: &str, ros_type: &str) -> Result<PublisherUntyped> {
    Ok(node.create_publisher_untyped(qos::published_name(topic), ros_type, profile(qos::of(topic)))?)
}

/// Settings that ROS lists, describes and sets.
pub struct RosSettings<T> {
    /// The settings.
    pub parameters: Parameters<T>,
    /// Why nothing may be set now, where that is so.
    pub locked: Option<&'static str>,
}

/// The settings of a node, shared with its parameter services.
pub type Shared<T> = Arc<Mutex<RosSettings<T>>>;

/// Settings that [`r2r::Node::make_derived_parameter_handler`] takes.
pub fn shared<T: Serialize + DeserializeOwned>(parameters: Parameters<T>) -> Shared<T> {
    Arc::new(Mutex::new(RosSettings { parameters, locked: None }))
}

/// Looks at shared settings.
pub fn lock<T>(shared: &Shared<T>) -> std::sync::MutexGuard<'_, RosSettings<T>> {
    // A change is made whole or not at all, so settings are whole after a panic too.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Serialize + DeserializeOwned + Clone> RosSettings<T> {
    fn refuse(name: &str, msg: String) -> r2r::Error {
        r2r::Error::ParameterValueConv { name: name.to_owned(), msg }
    }
}

impl<T: Serialize + DeserializeOwned + Clone> r2r::RosParams for RosSettings<T> {
    fn register_parameters(
        &mut self,
        _prefix: &str,
        _parameter: Option<r2r::Parameter>,
        given: &mut r2r::indexmap::IndexMap<String, r2r::Parameter>,
    ) -> r2r::Result<()> {
        for (name, parameter) in given.iter() {
            self.set_parameter(name, &parameter.value)?;
        }
        given.clear();
        for (name, value) in self.parameters.leaves() {
            given.insert(name, r2r::Parameter::new(to_ros(&value)));
        }
        Ok(())
    }

    fn get_parameter(&mut self, name: &str) -> r2r::Result<ParameterValue> {
        match self.parameters.leaves().get(name) {
            Some(value) => Ok(to_ros(value)),
            None => Err(r2r::Error::InvalidParameterName { name: name.to_owned() }),
        }
    }

    fn set_parameter(&mut self, name: &str, value: &ParameterValue) -> r2r::Result<()> {
        if let Some(why) = self.locked {
            return Err(Self::refuse(name, why.to_owned()));
        }
        let set = self.parameters.set([(name, from_ros(value))]);
        set.map_err(|why| Self::refuse(name, why))
    }

    fn check_parameter(&self, name: &str, value: &ParameterValue) -> r2r::Result<()> {
        let mut trial = self.parameters.clone();
        let set = trial.set([(name, from_ros(value))]);
        set.map_err(|why| Self::refuse(name, why))
    }
}

fn to_ros(value: &Value) -> ParameterValue {
    let number = |n: &serde_json::Number| match n.as_i64() {
        Some(n) => ParameterValue::Integer(n),
        None => ParameterValue::Double(n.as_f64().unwrap_or_default()),
    };
    match value {
        Value::Bool(b) => ParameterValue::Bool(*b),
        Value::Number(n) => number(n),
        Value::String(s) => ParameterValue::String(s.clone()),
        Value::Array(list) if list.iter().all(Value::is_i64) => {
            ParameterValue::IntegerArray(list.iter().filter_map(Value::as_i64).collect())
        }
        Value::Array(list) if list.iter().all(Value::is_number) => {
            ParameterValue::DoubleArray(list.iter().filter_map(Value::as_f64).collect())
        }
        Value::Array(list) if list.iter().all(Value::is_boolean) => {
            ParameterValue::BoolArray(list.iter().filter_map(Value::as_bool).collect())
        }
        Value::Array(list) => {
            ParameterValue::StringArray(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        }
        Value::Null | Value::Object(_) => ParameterValue::NotSet,
    }
}

fn from_ros(value: &ParameterValue) -> Value {
    match value {
        ParameterValue::NotSet => Value::Null,
        ParameterValue::Bool(b) => (*b).into(),
        ParameterValue::Integer(n) => (*n).into(),
        ParameterValue::Double(x) => (*x).into(),
        ParameterValue::String(s) => s.clone().into(),
        ParameterValue::BoolArray(list) => list.clone().into(),
        ParameterValue::ByteArray(list) => list.clone().into(),
        ParameterValue::IntegerArray(list) => list.clone().into(),
        ParameterValue::DoubleArray(list) => list.clone().into(),
        ParameterValue::StringArray(list) => list.clone().into(),
    }
}
