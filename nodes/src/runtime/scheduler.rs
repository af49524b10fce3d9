//! The deterministic scheduler: one thread, simulated time, and one order of calls.
//!
//! Time moves from instant to instant. At each instant, in this order:
//!
//! 1. messages injected for it are queued, in the order of injection;
//! 2. every node that is due ticks, in node order; what it sends is queued;
//! 3. once a second the counters of every node are queued;
//! 4. the queue is worked off: each message is shown to the observer and given to its subscribers in node order,
//!    and what they send is queued behind it.
//!
//! A message is delivered at the instant it was sent: computing takes no simulated time. Nothing here reads a
//! clock, so the order of calls depends on the nodes and the injected messages alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use steward_core::Time;

use super::{Delivery, Dispatch, Envelope, OPERATOR, Observer};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::node::Node;

/// Deliveries at one instant from which on two nodes are taken to answer each other for ever.
pub const MAX_DELIVERIES_PER_INSTANT: usize = 10_000;

/// Why [`Scheduler::run`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Simulated time reached the end asked for.
    TimeReached,
    /// The condition held; the instant was completed.
    ConditionMet,
    /// The stop flag was set (Ctrl-C).
    Interrupted,
    /// No node ticks and nothing is injected: nothing would ever happen again.
    Idle,
}

/// Calls nodes in simulated time.
pub struct Scheduler {
    dispatch: Dispatch,
    /// Injected messages by time, then order of injection.
    injected: BTreeMap<(Time, u64), Message>,
    injections: u64,
    deliveries: u64,
    now: Time,
    stop: Arc<AtomicBool>,
}

impl Scheduler {
    /// A scheduler at time `start`; the first tick of every node is at `start`.
    ///
    /// # Errors
    /// [`Error::BadNode`] where two nodes share a name or a period is not positive.
    pub fn new(nodes: Vec<Box<dyn Node>>, start: Time) -> Result<Self> {
        Ok(Scheduler {
            dispatch: Dispatch::new(nodes, start)?,
            injected: BTreeMap::new(),
            injections: 0,
            deliveries: 0,
            now: start,
            stop: Arc::default(),
        })
    }

    /// The current instant.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A flag that ends [`Scheduler::run`] after the current instant; set it from a Ctrl-C handler.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Uses a flag that others already hold.
    pub fn set_stop_flag(&mut self, flag: Arc<AtomicBool>) {
        self.stop = flag;
    }

    /// Queues a message from outside for a time.
    ///
    /// # Errors
    /// [`Error::InThePast`] where the scheduler is already past `at`.
    pub fn inject(&mut self, at: Time, message: Message) -> Result<()> {
        if at < self.now {
            return Err(Error::InThePast { at, now: self.now });
        }
        self.injected.insert((at, self.injections), message);
        self.injections += 1;
        Ok(())
    }

    /// Counters of every node, by its name.
    pub fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.dispatch.counters()
    }

    /// Runs up to and including the instant `end`, or to the end of the first instant in which `condition` holds
    /// for a delivered message, or until the stop flag is set.
    ///
    /// A later call goes on where this one ended.
    ///
    /// # Errors
    /// What the observer returns, or [`Error::EndlessInstant`] where messages at one instant never end.
    pub fn run(
        &mut self,
        end: Time,
        observer: &mut dyn Observer,
        mut condition: impl FnMut(&Delivery<'_>) -> bool,
    ) -> Result<Stop> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(Stop::Interrupted);
            }
            let Some(next) = self.next_instant() else {
                return Ok(Stop::Idle);
            };
            if next > end {
                self.now = self.now.max(end);
                return Ok(Stop::TimeReached);
            }
            self.now = next;
            if self.run_instant(observer, &mut condition)? {
                return Ok(Stop::ConditionMet);
            }
        }
    }

    /// [`Scheduler::run`] without a condition.
    ///
    /// # Errors
    /// As [`Scheduler::run`].
    pub fn run_until(&mut self, end: Time, observer: &mut dyn Observer) -> Result<Stop> {
        self.run(end, observer, |_| false)
    }

    fn next_instant(&self) -> Option<Time> {
        let injected = self.injected.keys().next().map(|(at, _)| *at);
        let next = [self.dispatch.next_tick(), injected]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.min(self.dispatch.next_diagnostics()))
    }

    fn run_instant(
        &mut self,
        observer: &mut dyn Observer,
        condition: &mut dyn FnMut(&Delivery<'_>) -> bool,
    ) -> Result<bool> {
        let now = self.now;
        while let Some(entry) = self.injected.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let message = entry.remove();
            self.dispatch.queue.push_back(Envelope {
                sender: OPERATOR,
                message,
            });
        }
        self.dispatch.open_instant(now);
        let mut met = false;
        for _ in 0..MAX_DELIVERIES_PER_INSTANT {
            let Some(Envelope { sender, message }) = self.dispatch.queue.pop_front() else {
                return Ok(met);
            };
            let delivery = Delivery {
                sequence: self.deliveries,
                at: now,
                sender,
                message: &message,
            };
            self.deliveries += 1;
            observer.on_message(&delivery)?;
            met |= condition(&delivery);
            self.dispatch.deliver(now, &message);
        }
        match self.dispatch.queue.front() {
            None => Ok(met),
            Some(next) => Err(Error::EndlessInstant {
                at: now,
                deliveries: MAX_DELIVERIES_PER_INSTANT,
                topic: next.message.topic().name(),
                sender: next.sender,
            }),
        }
    }
}
