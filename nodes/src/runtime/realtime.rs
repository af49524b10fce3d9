//! The same nodes in real time on `tokio`.
//!
//! ```text
//!   node thread ──► router thread ──► observer
//!       ▲                │
//!       └──── inbox ◄────┘            one bounded inbox per node
//! ```
//!
//! Nodes are synchronous and may compute for tens of milliseconds, so each has a thread of the blocking pool and
//! waits there on its inbox, its next tick and the stop signal; no timer is ever late because a node computes. One
//! router gives every message its number and time, shows it to the observer and puts it into the inboxes. It never
//! waits for an inbox: what does not fit is dropped and counted, so a slow node slows nobody else.
//!
//! - Camera topics keep the newest message only.
//! - Other topics queue up to a bound; beyond it the message is dropped, counted and logged as an error.
//! - A node that misses ticks skips them and counts them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use steward_core::messages::{Diagnostics, Header};
use steward_core::{Duration, Time};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dispatch::DIAGNOSTICS_PERIOD;
use super::{Delivery, Envelope, OPERATOR, Observer, Queue, SCHEDULER};
use crate::error::{Error, Result};
use crate::message::{Message, Topic};
use crate::node::{Node, Outbox, message};

/// Settings of the real-time runtime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealtimeConfig {
    /// Seconds of the loop's time per second of wall-clock time.
    pub speed: f64,
    /// Messages that may wait for one node, camera images not counted.
    pub inbox_messages: usize,
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        RealtimeConfig {
            speed: 1.0,
            inbox_messages: 256,
        }
    }
}

impl RealtimeConfig {
    /// # Errors
    /// [`Error::Realtime`] for a speed that is not positive and finite, or an inbox for nothing.
    pub fn validate(&self) -> Result<()> {
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return Err(Error::Realtime(format!("speed {} must be positive", self.speed)));
        }
        if self.inbox_messages == 0 {
            return Err(Error::Realtime("inbox_messages must be at least 1".into()));
        }
        Ok(())
    }
}

/// How a run in real time went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RealtimeReport {
    /// Messages delivered.
    pub deliveries: u64,
    /// Time of the loop at the end.
    pub end: Time,
    /// By node: what its inbox dropped and the ticks it skipped.
    pub dropped: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

/// Runs nodes from time zero until `stop` completes or `condition` holds for a message. Then every node finishes the
/// call it is in, everything sent is still delivered to the observer, and the observer comes back.
///
/// `stop` is typically `tokio::signal::ctrl_c()`. Messages of `inject` are sent at their times.
///
/// # Errors
/// What the observer returns; [`Error::BadNode`] where a node panics; [`Error::Realtime`] for bad settings.
pub async fn run<O: Observer + 'static>(
    nodes: Vec<Box<dyn Node>>,
    config: RealtimeConfig,
    inject: Vec<(Time, Message)>,
    observer: O,
    stop: impl Future<Output = ()>,
    condition: impl FnMut(&Delivery<'_>) -> bool + Send + 'static,
) -> Result<(O, RealtimeReport)> {
    config.validate()?;
    let clock = Clock {
        origin: Instant::now(),
        speed: config.speed,
    };
    let (stop_sender, stopping) = watch::channel(false);
    let stop_sender = Arc::new(stop_sender);
    // Room for a burst; a node that sends more waits for the router.
    let (sender, receiver) = mpsc::channel(1024);

    let mut inboxes = Vec::new();
    let mut threads = JoinSet::new();
    for node in nodes {
        let inbox = Arc::new(Inbox::new(config.inbox_messages));
        inboxes.push((node.name(), node.subscriptions(), Arc::clone(&inbox)));
        let runner = NodeRunner {
            node,
            inbox,
            clock,
            sender: sender.clone(),
            stopping: stopping.clone(),
        };
        threads.spawn_blocking(move || runner.run());
    }
    threads.spawn(inject_all(inject, clock, sender, stopping.clone()));

    let router = Router {
        inboxes: inboxes.clone(),
        clock,
        stop: Arc::clone(&stop_sender),
        deliveries: 0,
    };
    let mut router = tokio::task::spawn_blocking(move || router.run(receiver, observer, condition));

    let mut stopped = stopping;
    tokio::pin!(stop);
    let mut failure = None;
    loop {
        tokio::select! {
            () = &mut stop, if !*stopped.borrow() => { stop_sender.send_replace(true); }
            _ = stopped.changed() => {}
            ended = threads.join_next() => match ended {
                Some(Ok(())) => {}
                Some(Err(e)) => {
                    stop_sender.send_replace(true);
                    failure.get_or_insert(Error::Realtime(format!("a node ended: {e}")));
                }
                None => break,
            },
        }
    }
    let (observer, deliveries) = (&mut router)
        .await
        .map_err(|e| Error::Realtime(format!("the observer ended: {e}")))??;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let dropped = inboxes
        .iter()
        .map(|(name, _, inbox)| (*name, inbox.lock().counters().clone()))
        .collect();
    Ok((
        observer,
        RealtimeReport {
            deliveries,
            end: clock.now(),
            dropped,
        },
    ))
}

/// The loop's time, paced by the wall clock.
#[derive(Clone, Copy)]
struct Clock {
    origin: Instant,
    speed: f64,
}

impl Clock {
    fn now(&self) -> Time {
        Time::from_secs_f64(self.origin.elapsed().as_secs_f64() * self.speed)
    }

    fn instant(&self, at: Time) -> Instant {
        self.origin + std::time::Duration::from_secs_f64((at.secs_f64() / self.speed).max(0.0))
    }
}

/// What waits for one node.
struct Inbox {
    waiting: Mutex<Queue>,
    arrived: Notify,
}

impl Inbox {
    fn new(bound: usize) -> Self {
        Inbox {
            waiting: Mutex::new(Queue::new(bound)),
            arrived: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock, and counters are true at every moment.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, node: &str, message: Message) {
        let topic = message.topic();
        let put = self.lock().put(message);
        match put {
            Ok(()) => self.arrived.notify_one(),
            // Loud, but not so loud that logging makes the node slower still.
            Err(n) if n.is_power_of_two() => {
                log::error!("`{node}` is too slow: {n} messages on `{}` dropped", topic.name());
            }
            Err(_) => {}
        }
    }
}

struct NodeRunner {
    node: Box<dyn Node>,
    inbox: Arc<Inbox>,
    clock: Clock,
    sender: mpsc::Sender<Envelope>,
    stopping: watch::Receiver<bool>,
}

impl NodeRunner {
    fn run(mut self) {
        let mut outbox = Outbox::default();
        let mut next_tick = self.node.period().map(|_| Time::ZERO);
        let mut next_diagnostics = Time::ZERO + DIAGNOSTICS_PERIOD;
        while !*self.stopping.borrow() {
            let now = self.clock.now();
            if let (Some(tick), Some(period)) =
                (&mut next_tick, self.node.period().filter(|p| *p > Duration::ZERO))
                && *tick <= now
            {
                self.node.on_tick(now, &mut outbox);
                *tick += period;
                let behind = (now - *tick).nanos() / period.nanos();
                if behind > 0 {
                    *tick += Duration::from_nanos(behind * period.nanos());
                    self.inbox.lock().count("ticks_skipped", behind as u64);
                }
            }
            if next_diagnostics <= now {
                next_diagnostics += DIAGNOSTICS_PERIOD;
                self.send(SCHEDULER, self.diagnostics(now));
            }
            let arrived = self.inbox.lock().pop();
            let idle = arrived.is_none();
            if let Some(message) = arrived {
                self.node.on_message(self.clock.now(), &message, &mut outbox);
            }
            let name = self.node.name();
            for message in outbox.drain() {
                self.send(name, message);
            }
            if idle {
                let wake = next_tick.map_or(next_diagnostics, |t| t.min(next_diagnostics));
                self.wait(wake);
            }
        }
    }

    fn send(&self, sender: &'static str, message: Message) {
        // The router outlives every node, unless it failed; then the run ends anyway.
        let _ = self.sender.blocking_send(Envelope { sender, message });
    }

    fn diagnostics(&self, now: Time) -> Message {
        let mut counters = self.node.counters();
        for (name, n) in self.inbox.lock().counters() {
            counters.insert(format!("inbox_{name}"), *n);
        }
        let node = self.node.name().to_owned();
        message(
            Message::Diagnostics,
            Diagnostics {
                header: Header::new(now, ""),
                node,
                counters,
            },
        )
    }

    /// Sleeps until a message, a time, or the end.
    fn wait(&mut self, until: Time) {
        let (inbox, stopping, until) = (&self.inbox, &mut self.stopping, self.clock.instant(until));
        tokio::runtime::Handle::current().block_on(async {
            tokio::select! {
                () = inbox.arrived.notified() => {}
                () = tokio::time::sleep_until(until) => {}
                _ = stopping.changed() => {}
            }
        });
    }
}

async fn inject_all(
    mut inject: Vec<(Time, Message)>,
    clock: Clock,
    sender: mpsc::Sender<Envelope>,
    mut stopping: watch::Receiver<bool>,
) {
    inject.sort_by_key(|(at, _)| *at);
    for (at, message) in inject {
        tokio::select! {
            () = tokio::time::sleep_until(clock.instant(at)) => {}
            _ = stopping.changed() => return,
        }
        if sender
            .send(Envelope {
                sender: OPERATOR,
                message,
            })
            .await
            .is_err()
        {
            return;
        }
    }
}

struct Router {
    inboxes: Vec<(&'static str, &'static [Topic], Arc<Inbox>)>,
    clock: Clock,
    stop: Arc<watch::Sender<bool>>,
    deliveries: u64,
}

impl Router {
    /// Runs until nobody can send any more.
    fn run<O: Observer>(
        mut self,
        mut receiver: mpsc::Receiver<Envelope>,
        mut observer: O,
        mut condition: impl FnMut(&Delivery<'_>) -> bool,
    ) -> Result<(O, u64)> {
        while let Some(Envelope { sender, message }) = receiver.blocking_recv() {
            let delivery = Delivery {
                sequence: self.deliveries,
                at: self.clock.now(),
                sender,
                message: &message,
            };
            self.deliveries += 1;
            if let Err(e) = observer.on_message(&delivery) {
                self.stop.send_replace(true);
                return Err(e);
            }
            if condition(&delivery) {
                self.stop.send_replace(true);
            }
            for (name, topics, inbox) in &self.inboxes {
                if topics.contains(&message.topic()) {
                    inbox.put(name, message.clone());
                }
            }
        }
        Ok((observer, self.deliveries))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::tests::sample;
    use super::*;

    fn frame(at: Time) -> Message {
        use steward_core::camera::CameraIntrinsics;
        use steward_core::image::{Image, RgbdFrame};
        message(
            Message::Rgbd,
            RgbdFrame {
                header: Header::new(at, ""),
                camera: CameraIntrinsics::from_horizontal_fov(1, 1, 1.0),
                color: Arc::new(Image::new(1, 1, vec![[0; 3]]).unwrap()),
                depth: Arc::new(Image::new(1, 1, vec![1.0]).unwrap()),
            },
        )
    }

    /// Sends a frame and two bumper messages every millisecond.
    struct Camera;

    impl Node for Camera {
        fn name(&self) -> &'static str {
            "camera"
        }
        fn subscriptions(&self) -> &'static [Topic] {
            &[]
        }
        fn period(&self) -> Option<Duration> {
            Some(Duration::from_millis(1))
        }
        fn on_message(&mut self, _: Time, _: &Message, _: &mut Outbox) {}
        fn on_tick(&mut self, now: Time, out: &mut Outbox) {
            out.send(frame(now));
            out.send(sample(Topic::Bumper, now));
            out.send(sample(Topic::Bumper, now));
        }
        fn counters(&self) -> BTreeMap<String, u64> {
            BTreeMap::new()
        }
    }

    /// Takes long for each message and remembers what it got.
    struct Slow {
        frames: Arc<AtomicU64>,
        newest: Time,
    }

    impl Node for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }
        fn subscriptions(&self) -> &'static [Topic] {
            &[Topic::Rgbd, Topic::Bumper]
        }
        fn period(&self) -> Option<Duration> {
            None
        }
        fn on_message(&mut self, _: Time, message: &Message, _: &mut Outbox) {
            if let Message::Rgbd(m) = message {
                assert!(
                    m.header.stamp > self.newest || self.newest == Time::ZERO,
                    "frames stay in order"
                );
                self.newest = m.header.stamp;
                self.frames.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        fn on_tick(&mut self, _: Time, _: &mut Outbox) {}
        fn counters(&self) -> BTreeMap<String, u64> {
            BTreeMap::new()
        }
    }

    #[derive(Default)]
    struct Count(BTreeMap<&'static str, u64>);

    impl Observer for Count {
        fn on_message(&mut self, d: &Delivery<'_>) -> Result<()> {
            *self.0.entry(d.message.topic().name()).or_default() += 1;
            Ok(())
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_slow_node_gets_the_newest_frame_and_everything_dropped_is_counted() {
        let frames = Arc::new(AtomicU64::new(0));
        let slow = Slow {
            frames: Arc::clone(&frames),
            newest: Time::ZERO,
        };
        let config = RealtimeConfig {
            inbox_messages: 8,
            ..RealtimeConfig::default()
        };
        // Ends by the number of messages, not by wall-clock time.
        let enough = |d: &Delivery<'_>| d.sequence >= 900;
        let (seen, report) = block_on(run(
            vec![Box::new(Camera), Box::new(slow)],
            config,
            vec![(Time::ZERO, sample(Topic::GripperContacts, Time::ZERO))],
            Count::default(),
            std::future::pending(),
            enough,
        ))
        .unwrap();
        assert_eq!(
            seen.0.values().sum::<u64>(),
            report.deliveries,
            "everything sent is observed"
        );
        assert_eq!(seen.0["gripper_contacts"], 1);
        let dropped = &report.dropped["slow"];
        let (sent, got) = (seen.0[Topic::Rgbd.name()], frames.load(Ordering::Relaxed));
        let stale = dropped["stale_head_camera/rgbd"];
        // One frame may be waiting at the end, one may be delivered after the node ended.
        assert!(
            sent - got - stale <= 2,
            "{sent} sent, {got} received, {stale} dropped"
        );
        assert!(dropped["overflow_bumper"] > 0);
    }

    #[test]
    fn the_stop_signal_ends_the_run_and_the_observer_comes_back() {
        let (seen, report) = block_on(async {
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let mut stop = Some(stop);
            let at_hundred = move |d: &Delivery<'_>| {
                if d.sequence == 100 {
                    stop.take().map(|s| s.send(()));
                }
                false
            };
            let stop = async { stopped.await.unwrap_or(()) };
            run(
                vec![Box::new(Camera)],
                RealtimeConfig {
                    speed: 10.0,
                    ..Default::default()
                },
                vec![],
                Count::default(),
                stop,
                at_hundred,
            )
            .await
        })
        .unwrap();
        assert!(report.deliveries > 100);
        assert_eq!(seen.0.values().sum::<u64>(), report.deliveries);
    }

    #[test]
    fn a_panicking_node_and_a_failing_observer_end_the_run_with_an_error() {
        struct Broken;
        impl Node for Broken {
            fn name(&self) -> &'static str {
                "broken"
            }
            fn subscriptions(&self) -> &'static [Topic] {
                &[Topic::Bumper]
            }
            fn period(&self) -> Option<Duration> {
                None
            }
            fn on_message(&mut self, _: Time, _: &Message, _: &mut Outbox) {
                panic!("broken on purpose")
            }
            fn on_tick(&mut self, _: Time, _: &mut Outbox) {}
            fn counters(&self) -> BTreeMap<String, u64> {
                BTreeMap::new()
            }
        }
        let nodes: Vec<Box<dyn Node>> = vec![Box::new(Camera), Box::new(Broken)];
        let run_them = |nodes| {
            run(
                nodes,
                RealtimeConfig::default(),
                vec![],
                (),
                std::future::pending(),
                |_| false,
            )
        };
        assert!(matches!(block_on(run_them(nodes)), Err(Error::Realtime(_))));

        struct Full;
        impl Observer for Full {
            fn on_message(&mut self, d: &Delivery<'_>) -> Result<()> {
                if d.sequence < 5 {
                    Ok(())
                } else {
                    Err(Error::Realtime("disk full".into()))
                }
            }
        }
        let camera: Vec<Box<dyn Node>> = vec![Box::new(Camera)];
        let failed = block_on(run(
            camera,
            RealtimeConfig::default(),
            vec![],
            Full,
            std::future::pending(),
            |_| false,
        ));
        assert!(failed.err().unwrap().to_string().contains("disk full"));
    }
}
