//! One node of the loop in a thread of its own, by the wall clock, by `/clock`, or as the clock itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use steward_core::messages::{Diagnostics, Header};
use steward_core::{Duration, Time};
use steward_nodes::message::Message;
use steward_nodes::node::{Node, Outbox, message};
use steward_nodes::runtime::DIAGNOSTICS_PERIOD;

use crate::inbox::Inbox;
use crate::lasting;
use crate::watch::Watch;

/// Longest time that the thread waits before it looks around.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_millis(20);

/// What time it is for a node.
#[derive(Debug, Clone)]
pub enum Clock {
    /// Since 1970.
    Wall,
    /// What `/clock` said last.
    Heard(Arc<HeardTime>),
    /// Since the node was started, so many seconds per second.
    Own {
        /// When.
        origin: Instant,
        /// How fast.
        speed: f64,
    },
}

/// The time that was heard last.
#[derive(Debug)]
pub struct HeardTime(AtomicI64);

impl Default for HeardTime {
    fn default() -> Self {
        HeardTime(AtomicI64::new(i64::MIN))
    }
}

impl HeardTime {
    /// It is now this time.
    pub fn set(&self, now: Time) {
        self.0.store(now.nanos(), Ordering::SeqCst);
    }
}

impl Clock {
    /// `None` before any was heard.
    pub fn now(&self) -> Option<Time> {
        match self {
            Clock::Wall => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Some(Time::from_nanos(
                    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                ))
            }
            Clock::Heard(heard) => Some(heard.0.load(Ordering::SeqCst))
                .filter(|n| *n != i64::MIN)
                .map(Time::from_nanos),
            Clock::Own { origin, speed } => Some(Time::from_secs_f64(origin.elapsed().as_secs_f64() * speed)),
        }
    }
}

/// Who hears what a node says, in the node's thread.
pub trait Outlet: Send + 'static {
    /// A node is about to be called at a time.
    fn on_time(&mut self, _now: Time) {}

    /// A node said something.
    fn on_message(&mut self, message: &Message);
}

/// A node in its thread, which ends when this is dropped.
pub struct Host {
    active: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    begun_anew: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Makes the node, at the start and again when time jumps back.
pub type Make = Box<dyn Fn() -> Result<Box<dyn Node>, String> + Send>;

impl Host {
    /// A node at rest, with its name in diagnostics, and what it hears first of all.
    ///
    /// # Errors
    /// Why the node cannot be made.
    pub fn build(
        name: String,
        make: Make,
        first: Vec<Message>,
        clock: Clock,
        inbox: Arc<Inbox>,
        watch: Watch,
        outlet: impl Outlet,
    ) -> Result<Self, String> {
        let [active, stop, begun_anew] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let runner = Runner {
            name,
            node: make()?,
            make,
            first,
            knows_what_lasts: false,
            clock,
            watch,
            outlet,
            outbox: Outbox::default(),
            inbox: Arc::clone(&inbox),
            active: Arc::clone(&active),
            stop: Arc::clone(&stop),
            begun_anew: Arc::clone(&begun_anew),
            resting_since: None,
            latest: None,
            next_tick: None,
            next_diagnostics: None,
            own_counters: BTreeMap::new(),
        };
        let name = runner.node.name();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || runner.run());
        Ok(Host {
            active,
            stop,
            inbox,
            begun_anew,
            thread: Some(thread.map_err(|e| e.to_string())?),
        })
    }

    /// Lets the node work or rest.
    pub fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
        self.inbox.call();
    }

    /// Whether time jumped back since this was asked last, so that the node forgot everything.
    pub fn take_begun_anew(&self) -> bool {
        self.begun_anew.swap(false, Ordering::SeqCst)
    }

    /// Whether the thread has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.inbox.call();
        if let Some(thread) = self.thread.take() {
            // A panic was printed.
            let _ = thread.join();
        }
    }
}

struct Runner<O> {
    name: String,
    node: Box<dyn Node>,
    make: Make,
    /// What it is to hear before all else.
    first: Vec<Message>,
    /// Whether it was told what is said once and holds from then on.
    knows_what_lasts: bool,
    clock: Clock,
    watch: Watch,
    outlet: O,
    outbox: Outbox,
    inbox: Arc<Inbox>,
    active: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    begun_anew: Arc<AtomicBool>,
    resting_since: Option<Instant>,
    /// Time of the last call.
    latest: Option<Time>,
    next_tick: Option<Time>,
    next_diagnostics: Option<Time>,
    own_counters: BTreeMap<String, u64>,
}

impl<O: Outlet> Runner<O> {
    fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            let arrived = self.inbox.take(self.longest_wait());
            let Some(now) = self.now() else {
                // Nobody knows the time of what comes while the node rests or before there is a clock. What lasts
                // it is told when it wakes.
                self.knows_what_lasts = false;
                if arrived.is_some_and(|m| !lasting::lasts(&m)) {
                    self.inbox.count("at_rest", 1);
                }
                continue;
            };
            if self.latest.is_some_and(|latest| now < latest) && !self.begin_anew(now) {
                return;
            }
            self.latest = Some(now);
            for known in std::mem::take(&mut self.first) {
                self.hear(now, &known);
            }
            if !std::mem::replace(&mut self.knows_what_lasts, true) {
                for lasting in self.inbox.lasting() {
                    self.hear(now, &lasting);
                }
            }
            if let Some(arrived) = &arrived {
                self.watch.hear(now, arrived);
                self.hear(now, arrived);
            }
            self.tick(now);
        }
    }

    fn hear(&mut self, now: Time, what: &Message) {
        if self.node.subscriptions().contains(&what.topic()) {
            self.node.on_message(now, what, &mut self.outbox);
            self.send();
        }
    }

    /// The time, unless the node rests or nobody knows. A clock of one's own stands still while the node rests.
    fn now(&mut self) -> Option<Time> {
        if !self.active.load(Ordering::SeqCst) {
            self.resting_since.get_or_insert_with(Instant::now);
            return None;
        }
        if let (Some(since), Clock::Own { origin, .. }) = (self.resting_since.take(), &mut self.clock) {
            *origin += since.elapsed();
        }
        self.clock.now()
    }

    fn longest_wait(&self) -> std::time::Duration {
        let speed = match self.clock {
            Clock::Own { speed, .. } => speed,
            Clock::Wall => 1.0,
            // Whoever hears a new time calls.
            Clock::Heard(_) => return LONGEST_WAIT,
        };
        let (Some(now), Some(tick)) = (self.clock.now(), self.next_tick) else {
            return LONGEST_WAIT;
        };
        // No longer than to the next tick.
        let left = (tick - now).secs_f64() / speed;
        std::time::Duration::from_secs_f64(left.clamp(0.0, LONGEST_WAIT.as_secs_f64()))
    }

    /// Time jumped back: what the node knows is of a time that has not come yet.
    fn begin_anew(&mut self, now: Time) -> bool {
        log::warn!("time jumped back to {now}; the node begins anew");
        *self.own_counters.entry("time_jumped_back".into()).or_default() += 1;
        self.begun_anew.store(true, Ordering::SeqCst);
        self.inbox.clear();
        self.knows_what_lasts = false;
        (self.next_tick, self.next_diagnostics) = (None, None);
        self.watch.reset();
        match (self.make)() {
            Ok(node) => self.node = node,
            Err(why) => {
                log::error!("the node cannot be made anew: {why}");
                return false;
            }
        }
        true
    }

    fn tick(&mut self, now: Time) {
        if let Some(cancel) = self.watch.check(now) {
            self.node.on_message(now, &cancel, &mut self.outbox);
            self.send();
        }
        if let Some(period) = self.node.period().filter(|p| *p > Duration::ZERO) {
            let due = *self.next_tick.get_or_insert(now);
            if due <= now {
                self.outlet.on_time(now);
                self.node.on_tick(now, &mut self.outbox);
                self.send();
                let missed = (now - due).nanos() / period.nanos();
                if missed > 0 {
                    *self.own_counters.entry("ticks_skipped".into()).or_default() += missed as u64;
                }
                self.next_tick = Some(due + Duration::from_nanos((missed + 1) * period.nanos()));
            }
        }
        if self.next_diagnostics.is_none_or(|due| due <= now) {
            self.next_diagnostics = Some(now + DIAGNOSTICS_PERIOD);
            let mut counters = self.node.counters();
            counters.extend(self.own_counters.clone());
            counters.extend(
                self.inbox
                    .counters()
                    .into_iter()
                    .map(|(name, n)| (format!("inbox_{name}"), n)),
            );
            let node = self.name.clone();
            let header = Header::new(now, "");
            self.outlet.on_message(&message(
                Message::Diagnostics,
                Diagnostics {
                    header,
                    node,
                    counters,
                },
            ));
        }
    }

    fn send(&mut self) {
        for sent in self.outbox.drain() {
            self.watch.sent(&sent);
            self.outlet.on_message(&sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::PoisonError;

    use steward_core::messages::{CancelTask, FloorPlan};
    use steward_nodes::message::Topic;

    use super::*;

    /// A node that writes down what it hears.
    struct Listener(Arc<Mutex<Vec<Topic>>>);

    impl Node for Listener {
        fn name(&self) -> &'static str {
            "listener"
        }

        fn subscriptions(&self) -> &'static [Topic] {
            &[Topic::FloorPlan, Topic::CancelTask]
        }

        fn period(&self) -> Option<Duration> {
            None
        }

        fn on_message(&mut self, _: Time, received: &Message, _: &mut Outbox) {
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(received.topic());
        }

        fn on_tick(&mut self, _: Time, _: &mut Outbox) {}

        fn counters(&self) -> BTreeMap<String, u64> {
            BTreeMap::new()
        }
    }

    struct Nobody;

    impl Outlet for Nobody {
        fn on_message(&mut self, _: &Message) {}
    }

    fn wait(condition: impl Fn() -> bool) {
        let end = Instant::now() + std::time::Duration::from_secs(60);
        while !condition() {
            assert!(Instant::now() < end);
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_lasts_reaches_a_node_that_rested_waited_for_a_clock_or_began_anew() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&heard);
        let make: Make = Box::new(move || Ok(Box::new(Listener(Arc::clone(&said))) as Box<dyn Node>));
        let (time, inbox) = (Arc::new(HeardTime::default()), Arc::new(Inbox::default()));
        let header = Header::default();
        let cancel = CancelTask {
            header: header.clone(),
            id: steward_core::ids::TaskId(1),
        };
        let cancel = message(Message::CancelTask, cancel);
        let host = Host::build(
            "listener".into(),
            make,
            vec![cancel.clone()],
            Clock::Heard(Arc::clone(&time)),
            Arc::clone(&inbox),
            Watch::default(),
            Nobody,
        )
        .unwrap();
        let plan = FloorPlan {
            header,
            rooms: Vec::new(),
        };
        inbox.put(message(Message::FloorPlan, plan));
        inbox.put(cancel);
        let dropped = || inbox.counters().get("at_rest").copied();
        wait(|| dropped() == Some(1));
        host.set_active(true);
        time.set(Time::from_secs_f64(5.0));
        inbox.call();
        let is_heard = |topics: &[Topic]| *heard.lock().unwrap_or_else(PoisonError::into_inner) == topics;
        wait(|| is_heard(&[Topic::CancelTask, Topic::FloorPlan]));
        time.set(Time::from_secs_f64(1.0));
        inbox.call();
        wait(|| is_heard(&[Topic::CancelTask, Topic::FloorPlan, Topic::FloorPlan]));
        assert!(host.take_begun_anew());
        assert_eq!(dropped(), Some(1));
    }
}
