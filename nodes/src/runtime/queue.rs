use std::collections::{BTreeMap, VecDeque};

use crate::message::{Message, Topic};

/// What waits for a node: bounded, and of camera images only the newest. Everything dropped is counted.
#[derive(Debug)]
pub struct Queue {
    messages: VecDeque<Message>,
    counters: BTreeMap<String, u64>,
    bound: usize,
}

impl Queue {
    /// For so many messages, camera images not counted.
    pub fn new(bound: usize) -> Self {
        Queue {
            messages: VecDeque::new(),
            counters: BTreeMap::new(),
            bound,
        }
    }

    /// Puts a message in. A camera image replaces the one that waits.
    ///
    /// # Errors
    /// The message did not fit and was dropped; how many of its topic by now.
    pub fn put(&mut self, message: Message) -> Result<(), u64> {
        let topic = message.topic();
        if matches!(topic, Topic::Rgbd | Topic::Segmentation) {
            if let Some(at) = self.messages.iter().position(|m| m.topic() == topic) {
                self.messages.remove(at);
                self.count(&format!("stale_{}", topic.name()), 1);
            }
        } else if self.messages.len() >= self.bound {
            return Err(self.count(&format!("overflow_{}", topic.name()), 1));
        }
        self.messages.push_back(message);
        Ok(())
    }

    /// The message that has waited longest.
    pub fn pop(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// Counts something that happened so many times; how often it did by now.
    pub fn count(&mut self, what: &str, times: u64) -> u64 {
        let n = self.counters.entry(what.to_owned()).or_default();
        *n += times;
        *n
    }

    /// What was dropped or refused so far, by name.
    pub fn counters(&self) -> &BTreeMap<String, u64> {
        &self.counters
    }
}
