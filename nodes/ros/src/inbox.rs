//! What waits for a node: bounded, and of camera images only the newest.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_nodes::message::Message;
use steward_nodes::runtime::Queue;

use crate::lasting::Lasting;

/// Messages that may wait, camera images not counted.
const BOUND: usize = 256;

/// Messages between the thread that hears ROS and the thread that computes.
pub struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

struct Waiting {
    queue: Queue,
    lasting: Lasting,
    is_called: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            waiting: Mutex::new(Waiting {
                queue: Queue::new(BOUND),
                lasting: Lasting::default(),
                is_called: false,
            }),
            arrived: Condvar::new(),
        }
    }
}

impl Inbox {
    /// Puts a message in; what is dropped is counted.
    pub fn put(&self, message: Message) {
        let mut waiting = self.lock();
        waiting.lasting.note(&message);
        let put = waiting.queue.put(message);
        drop(waiting);
        if put.is_ok() {
            self.arrived.notify_one();
        }
    }

    /// The next message; after the timeout, or when [`Inbox::call`] was, without one.
    pub fn take(&self, timeout: Duration) -> Option<Message> {
        let mut waiting = self.lock();
        if waiting.queue.is_empty() && !waiting.is_called {
            waiting = self
                .arrived
                .wait_timeout(waiting, timeout)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        waiting.is_called = false;
        waiting.queue.pop()
    }

    /// Of all that was ever put in, what is said once and holds from then on.
    pub fn lasting(&self) -> Vec<Message> {
        self.lock().lasting.messages()
    }

    /// Lets who waits look at the time.
    pub fn call(&self) {
        self.lock().is_called = true;
        self.arrived.notify_one();
    }

    /// Drops what waits.
    pub fn clear(&self) {
        self.lock().queue.clear();
    }

    /// Counts what did not get in, so many times.
    pub fn count(&self, what: &str, times: u64) {
        self.lock().queue.count(what, times);
    }

    /// What was dropped or refused so far, by name.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.lock().queue.counters().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock, and counters are true at every moment.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_core::Time;
    use steward_core::camera::CameraIntrinsics;
    use steward_core::image::{Image, RgbdFrame};
    use steward_core::messages::{Bumper, Header};
    use steward_nodes::message::Topic;
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
