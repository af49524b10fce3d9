//! The calls that one instant of simulated time is made of, shared by the scheduler and by replay.

use std::collections::{BTreeMap, VecDeque};

use steward_core::messages::{Diagnostics, Header};
use steward_core::{Duration, Time};

use crate::error::{Error, Result};
use crate::message::{Message, Topic};
use crate::node::{Node, Outbox, message};

/// Sender of messages that were injected from outside.
pub const OPERATOR: &str = "operator";
/// Sender of the counters of nodes.
pub const SCHEDULER: &str = "scheduler";

/// How often the counters of nodes are published.
pub const DIAGNOSTICS_PERIOD: Duration = Duration::from_secs(1);

/// A message under way.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) sender: &'static str,
    pub(crate) message: Message,
}

/// Nodes, who listens to what, and what is under way at the current instant.
pub(crate) struct Dispatch {
    slots: Vec<Slot>,
    /// Indices of the listening nodes by topic, ascending.
    subscribers: BTreeMap<Topic, Vec<usize>>,
    /// Sent at this instant and not yet delivered.
    pub(crate) queue: VecDeque<Envelope>,
    outbox: Outbox,
    next_diagnostics: Time,
    delivered: BTreeMap<Topic, u64>,
}

struct Slot {
    node: Box<dyn Node>,
    /// Next call of `on_tick` and the time between two.
    tick: Option<(Time, Duration)>,
}

impl Dispatch {
    pub(crate) fn new(nodes: Vec<Box<dyn Node>>, start: Time) -> Result<Self> {
        let mut subscribers: BTreeMap<Topic, Vec<usize>> = BTreeMap::new();
        let mut slots: Vec<Slot> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.into_iter().enumerate() {
            let name = node.name();
            if name == OPERATOR || name == SCHEDULER || slots.iter().any(|s| s.node.name() == name) {
                return Err(Error::BadNode {
                    node: name,
                    problem: "its name is taken".into(),
                });
            }
            let tick = match node.period() {
                Some(period) if period <= Duration::ZERO => {
                    return Err(Error::BadNode {
                        node: name,
                        problem: format!("its period of {period} is not positive"),
                    });
                }
                period => period.map(|p| (start, p)),
            };
            for &topic in node.subscriptions() {
                let listeners = subscribers.entry(topic).or_default();
                if listeners.last() != Some(&index) {
                    listeners.push(index);
                }
            }
            slots.push(Slot { node, tick });
        }
        Ok(Dispatch {
            slots,
            subscribers,
            queue: VecDeque::new(),
            outbox: Outbox::default(),
            next_diagnostics: start + DIAGNOSTICS_PERIOD,
            delivered: BTreeMap::new(),
        })
    }

    /// Names of the nodes in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.slots.iter().map(|s| s.node.name())
    }

    /// Counters of every node, by its name.
    pub(crate) fn counters(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.slots
            .iter()
            .map(|s| (s.node.name().to_owned(), s.node.counters()))
            .collect()
    }

    /// The next instant at which a node ticks, `None` where no node ever does.
    pub(crate) fn next_tick(&self) -> Option<Time> {
        self.slots.iter().filter_map(|s| s.tick).map(|(at, _)| at).min()
    }

    /// The next instant at which counters are published.
    pub(crate) fn next_diagnostics(&self) -> Time {
        self.next_diagnostics
    }

    /// Opens an instant: every due node ticks, in node order, then due counters are queued.
    pub(crate) fn open_instant(&mut self, now: Time) {
        for slot in &mut self.slots {
            let Some((at, period)) = &mut slot.tick else {
                continue;
            };
            if *at > now {
                continue;
            }
            *at += *period;
            slot.node.on_tick(now, &mut self.outbox);
            let sender = slot.node.name();
            self.queue
                .extend(self.outbox.drain().map(|message| Envelope { sender, message }));
        }
        if self.next_diagnostics <= now {
            self.next_diagnostics += DIAGNOSTICS_PERIOD;
            self.queue_diagnostics(now);
        }
    }

    fn queue_diagnostics(&mut self, now: Time) {
        let of_nodes = self.slots.iter().map(|s| (s.node.name(), s.node.counters()));
        let own = self
            .delivered
            .iter()
            .map(|(topic, n)| (topic.name().to_owned(), *n))
            .collect();
        for (name, counters) in of_nodes.chain([(SCHEDULER, own)]) {
            let diagnostics = Diagnostics {
                header: Header::new(now, ""),
                node: name.to_owned(),
                counters,
            };
            let message = message(Message::Diagnostics, diagnostics);
            self.queue.push_back(Envelope {
                sender: SCHEDULER,
                message,
            });
        }
    }

    /// Gives a message to its subscribers, in node order, and queues what they send.
    pub(crate) fn deliver(&mut self, now: Time, message: &Message) {
        *self.delivered.entry(message.topic()).or_default() += 1;
        let Some(listeners) = self.subscribers.get(&message.topic()) else {
            return;
        };
        for &index in listeners {
            let node = &mut self.slots[index].node;
            node.on_message(now, message, &mut self.outbox);
            let sender = node.name();
            self.queue
                .extend(self.outbox.drain().map(|message| Envelope { sender, message }));
        }
    }
}
