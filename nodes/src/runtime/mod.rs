//! What calls the nodes.
//!
//! Two runtimes call the same nodes:
//!
//! - [`scheduler`]: one thread, simulated time, the same order of calls every time. Tests, benchmarks, `steward
//!   run` and `steward replay`.
//! - [`realtime`]: one thread per node, wall-clock time, bounded inboxes.
//!
//! Both show every message to an [`Observer`] in the order of delivery: the recorder, the viewer and the
//! progress display are observers.

use steward_core::Time;

use crate::error::Result;
use crate::message::Message;

mod dispatch;
mod queue;
pub mod realtime;
pub mod scheduler;

pub use dispatch::{DIAGNOSTICS_PERIOD, OPERATOR, SCHEDULER};
pub(crate) use dispatch::{Dispatch, Envelope};
pub use queue::Queue;
pub use scheduler::{Scheduler, Stop};

/// One message as it is delivered.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Counts deliveries from 0.
    pub sequence: u64,
    /// When it is delivered; in simulated time also when it was sent.
    pub at: Time,
    /// Name of the node that sent it, [`OPERATOR`] or [`SCHEDULER`].
    pub sender: &'a str,
    /// The message.
    pub message: &'a Message,
}

/// Sees every message of a loop in the order of delivery, just before its subscribers do.
pub trait Observer: Send {
    /// A message is delivered.
    ///
    /// # Errors
    /// An error ends the run; use it for a recording that can no longer be written, not for a bad message.
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()>;
}

/// Nobody looks.
impl Observer for () {
    fn on_message(&mut self, _: &Delivery<'_>) -> Result<()> {
        Ok(())
    }
}

/// Two observers, called in order.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        self.0.on_message(delivery)?;
        self.1.on_message(delivery)
    }
}

/// Several observers, called in order.
impl Observer for Vec<&mut dyn Observer> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|o| o.on_message(delivery))
    }
}

/// An observer that may be absent.
impl<O: Observer> Observer for Option<O> {
    fn on_message(&mut self, delivery: &Delivery<'_>) -> Result<()> {
        self.as_mut().map_or(Ok(()), |o| o.on_message(delivery))
    }
}

#[cfg(test)]
mod tests;
