//! What touches ROS: publishers, parameters, lifecycle and actions of a node, served by one thread.
//!
//! `r2r` takes one message per subscription and turn, and its queues drop the newest when full. So that thread does
//! nothing but spin with a short timeout and work off what came; computing happens elsewhere.

#[cfg(has_control)]
pub mod arm;
pub mod bench;
pub mod composed;
pub(crate) mod deferred;
pub mod front;
pub mod logging;
pub mod managed;
pub mod maps;
pub mod member;
pub mod movers;
#[cfg(has_nav2)]
pub mod navigation;
pub mod operator;
pub mod orders;
pub mod process;
pub mod publishers;
pub mod rules;
pub mod scene;
#[cfg(any(has_control, has_nav2))]
pub(crate) mod sent;
pub mod settings;
pub mod simulator;
pub mod skills;
pub mod subscriptions;
pub mod tasks;

use std::pin::Pin;

use futures::{FutureExt, Stream, StreamExt};
use r2r::{QosProfile, ServiceRequest, WrappedServiceTypeSupport};

use crate::qos::Qos;

/// The profile of `r2r` for a row of the table.
pub fn profile(qos: Qos) -> QosProfile {
    match qos {
        Qos::Sensor => QosProfile::sensor_data().keep_last(5),
        Qos::Latched { depth } => QosProfile::transient_local(QosProfile::default())
            .reliable()
            .keep_last(depth),
        Qos::Reliable => QosProfile::default().reliable().keep_last(100),
    }
}

/// What comes from ROS, one at a time.
pub(crate) type Incoming<T> = Pin<Box<dyn Stream<Item = T>>>;

/// The next that came, if any did.
pub(crate) fn next<T>(incoming: &mut Incoming<T>) -> Option<T> {
    incoming.next().now_or_never().flatten()
}

/// A service of a node.
pub(crate) struct Service<T: WrappedServiceTypeSupport>(Incoming<ServiceRequest<T>>);

impl<T: WrappedServiceTypeSupport + 'static> Service<T> {
    pub(crate) fn new(node: &mut r2r::Node, name: &str) -> r2r::Result<Self> {
        Ok(Service(Box::pin(
            node.create_service::<T>(name, QosProfile::services_default())?,
        )))
    }

    /// Answers every request that came.
    pub(crate) fn answer(&mut self, mut with: impl FnMut(&T::Request) -> T::Response) {
        while let Some(request) = next(&mut self.0) {
            let response = with(&request.message);
            if let Err(e) = request.respond(response) {
                log::warn!("an answer cannot be sent: {e}");
            }
        }
    }
}
