//! What a node is.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_core::messages::{Answer, Header};
use steward_core::{Duration, Time};

use crate::message::{Message, Topic};

/// A pure state machine: `(state, time, message) -> messages`.
///
/// A node owns no thread, clock, socket or random source. Given the same calls in the same order it sends the
/// same messages, on every machine and with any number of threads. Calls never fail: what a node cannot use it
/// counts (see [`Node::counters`]) and goes on.
pub trait Node: Send {
    /// Unique in a loop, lower case.
    fn name(&self) -> &'static str;

    /// Topics whose messages it is given.
    fn subscriptions(&self) -> &'static [Topic];

    /// How often [`Node::on_tick`] is called, `None` for never.
    fn period(&self) -> Option<Duration>;

    /// A message arrived. `now` is never earlier than in any call before, unless time itself jumped back.
    fn on_message(&mut self, now: Time, message: &Message, out: &mut Outbox);

    /// A period passed.
    fn on_tick(&mut self, now: Time, out: &mut Outbox);

    /// Everything dropped, refused or missing so far, by name.
    fn counters(&self) -> BTreeMap<String, u64>;
}

/// Where a node puts the messages it sends.
#[derive(Debug, Default)]
pub struct Outbox {
    messages: Vec<Message>,
}

impl Outbox {
    /// Sends a message.
    pub fn send(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Takes out what was sent, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Message> + '_ {
        self.messages.drain(..)
    }
}

/// Counters of a node, created on first use.
#[derive(Debug, Clone, Default)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Adds one.
    pub fn count(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(n) => *n += 1,
            None => {
                self.0.insert(name.to_owned(), 1);
            }
        }
    }

    /// The counters by name.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.clone()
    }
}

/// Wraps a payload: `message(Message::Plan, plan)`.
pub fn message<T>(variant: fn(Arc<T>) -> Message, payload: T) -> Message {
    variant(Arc::new(payload))
}

/// Says whether a request was taken.
pub(crate) fn answer(now: Time, request: u32, taken: Result<(), String>) -> Message {
    message(
        Message::Answer,
        Answer {
            header: Header::new(now, ""),
            request,
            refusal: taken.err().unwrap_or_default(),
        },
    )
}
