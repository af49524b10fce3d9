//! What waits for a node: bounded, and of camera images only the newest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_nodes::message::{Message, Topic};

/// Messages that may wait, camera images not counted.
const BOUND: usize = 256;

/// Messages between the thread that hears ROS and the thread that computes.
#[derive(Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    counters: BTreeMap<String, u64>,
    is_called: bool,
}

impl Inbox {
    /// Puts a message in. A camera image replaces the one that waits; where nothing fits any more the message is
    /// dropped. Both are counted.
    pub fn put(&self, message: Message) {
        let topic = message.topic();
        let mut waiting = self.lock();
        if matches!(topic, Topic::Rgbd | Topic::Segmentation) {
            if let Some(at) = waiting.messages.iter().position(|m| m.topic() == topic) {
                waiting.messages.remove(at);
                waiting.count(&format!("stale_{}", topic.name()));
            }
        } else if waiting.messages.len() >= BOUND {
            waiting.count(&format!("overflow_{}", topic.name()));
            return;
        }
        waiting.messages.push_back(message);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// The next message; after the timeout, or when [`Inbox::call`] was, without one.
    pub fn take(&self, timeout: Duration) -> Option<Message> {
        let mut waiting = self.lock();
        if waiting.messages.is_empty() && !waiting.is_called {
            waiting = self
                .arrived
                .wait_timeout(waiting, timeout)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        waiting.is_called = false;
        waiting.messages.pop_front()
    }

    /// Lets who waits look at the time.
    pub fn call(&self) {
        self.lock().is_called = true;
        self.arrived.notify_one();
    }

    /// Drops what waits.
    pub fn clear(&self) {
        self.lock().messages.clear();
    }

    /// Counts something that did not get in.
    pub fn count(&self, what: &str) {
        self.lock().count(what);
    }

    /// What was dropped or refused so far, by name.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.lock().counters.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock, and counters are true at every moment.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn count(&mut self, what: &str) {
        *self.counters.entry(what.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::Time;
    use steward_core::camera::CameraIntrinsics;
    use steward_core::image::{Image, RgbdFrame};
    use steward_core::messages::{Bumper, Header};
    use steward_nodes::node::message;

    use super::*;

    fn frame(at_ns: i64) -> Message {
        message(
            Message::Rgbd,
            RgbdFrame {
                header: Header::new(Time::from_nanos(at_ns), ""),
                camera: CameraIntrinsics::from_horizontal_fov(1, 1, 1.0),
                color: Arc::new(Image::new(1, 1, vec![[0; 3]]).unwrap()),
                depth: Arc::new(Image::new(1, 1, vec![1.0]).unwrap()),
            },
        )
    }

    #[test]
    fn the_newest_image_wins_and_what_does_not_fit_is_counted() {
        let inbox = Inbox::default();
        let bump = message(
            Message::Bumper,
            Bumper {
                header: Header::default(),
                pressed: true,
                direction_rad: 0.0,
            },
        );
        for n in 0..300 {
            inbox.put(frame(n));
            inbox.put(bump.clone());
        }
        let mut taken = Vec::new();
        while let Some(message) = inbox.take(Duration::ZERO) {
            taken.push(message);
        }
        let frames: Vec<_> = taken
            .iter()
            .filter(|m| m.topic() == Topic::Rgbd)
            .cloned()
            .collect();
        assert_eq!(frames, [frame(299)]);
        let counters = inbox.counters();
        assert_eq!(counters["stale_head_camera/rgbd"], 299);
        assert_eq!(counters["overflow_bumper"] + taken.len() as u64 - 1, 300);
    }

    #[test]
    fn a_call_ends_the_waiting() {
        let inbox = Inbox::default();
        inbox.call();
        assert_eq!(inbox.take(Duration::from_secs(3600)), None);
    }
}
