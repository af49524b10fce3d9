use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use steward_core::messages::{Bumper, GripperContacts, Header};
use steward_core::{Duration, Time};

use super::scheduler::{Scheduler, Stop};
use super::{Delivery, Observer};
use crate::error::{Error, Result};
use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, message};

/// Calls in the order in which they happen.
type Log = Arc<Mutex<Vec<String>>>;

/// Ticks, answers every message of one topic with one of another, and logs both.
struct Probe {
    name: &'static str,
    period: Option<Duration>,
    hears: &'static [Topic],
    on_tick: Option<Topic>,
    on_message: Option<Topic>,
    log: Log,
    counters: Counters,
}

impl Probe {
    fn new(name: &'static str, log: &Log) -> Self {
        Probe {
            name,
            period: None,
            hears: &[],
            on_tick: None,
            on_message: None,
            log: Arc::clone(log),
            counters: Counters::default(),
        }
    }

    fn note(&mut self, now: Time, what: &str) {
        self.counters.count("calls");
        self.log
            .lock()
            .unwrap()
            .push(format!("{} {} {what}", now.nanos() / 1_000_000, self.name));
    }
}

pub(crate) fn sample(topic: Topic, now: Time) -> Message {
    let header = Header::new(now, "");
    match topic {
        Topic::Bumper => message(
            Message::Bumper,
            Bumper {
                header,
                pressed: true,
                direction_rad: 0.25,
            },
        ),
        _ => message(
            Message::GripperContacts,
            GripperContacts {
                header,
                left: true,
                right: false,
                opening_m: 0.1,
            },
        ),
    }
}

impl Node for Probe {
    fn name(&self) -> &'static str {
        self.name
    }
    fn subscriptions(&self) -> &'static [Topic] {
        self.hears
    }
    fn period(&self) -> Option<Duration> {
        self.period
    }
    fn on_message(&mut self, now: Time, message: &Message, out: &mut Outbox) {
        self.note(now, message.topic().name());
        if let Some(topic) = self.on_message {
            out.send(sample(topic, now));
        }
    }
    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.note(now, "tick");
        if let Some(topic) = self.on_tick {
            out.send(sample(topic, now));
        }
    }
    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.snapshot()
    }
}

/// Sender and topic of every delivery.
#[derive(Default)]
struct Seen(Vec<String>);

impl Observer for Seen {
    fn on_message(&mut self, d: &Delivery<'_>) -> Result<()> {
        assert_eq!(d.sequence as usize, self.0.len());
        self.0.push(format!(
            "{} {} {}",
            d.at.nanos() / 1_000_000,
            d.sender,
            d.message.topic().name()
        ));
        Ok(())
    }
}

fn ms(n: i64) -> Time {
    Time::ZERO + Duration::from_millis(n)
}

#[test]
fn an_instant_is_ticks_then_messages_in_the_order_of_sending() {
    let log = Log::default();
    let world = Probe {
        period: Some(Duration::from_millis(10)),
        on_tick: Some(Topic::Bumper),
        ..Probe::new("world", &log)
    };
    let answering = Probe {
        period: Some(Duration::from_millis(20)),
        hears: &[Topic::Bumper],
        on_message: Some(Topic::GripperContacts),
        ..Probe::new("answering", &log)
    };
    let listening = Probe {
        hears: &[Topic::GripperContacts, Topic::Bumper],
        ..Probe::new("listening", &log)
    };
    let mut scheduler = Scheduler::new(
        vec![Box::new(world), Box::new(answering), Box::new(listening)],
        Time::ZERO,
    )
    .unwrap();
    let mut seen = Seen::default();
    assert_eq!(scheduler.run_until(ms(10), &mut seen).unwrap(), Stop::TimeReached);
    assert_eq!(
        *log.lock().unwrap(),
        [
            "0 world tick",
            "0 answering tick",
            "0 answering bumper",
            "0 listening bumper",
            "0 listening gripper_contacts",
            "10 world tick",
            "10 answering bumper",
            "10 listening bumper",
            "10 listening gripper_contacts",
        ]
    );
    assert_eq!(
        seen.0,
        [
            "0 world bumper",
            "0 answering gripper_contacts",
            "10 world bumper",
            "10 answering gripper_contacts"
        ]
    );
    assert_eq!(scheduler.now(), ms(10));
}

#[test]
fn injected_messages_keep_their_order_and_cannot_be_late() {
    let log = Log::default();
    let node = Probe {
        hears: &[Topic::Bumper, Topic::GripperContacts],
        ..Probe::new("node", &log)
    };
    let mut scheduler = Scheduler::new(vec![Box::new(node)], Time::ZERO).unwrap();
    for (at, topic) in [
        (5, Topic::Bumper),
        (3, Topic::Bumper),
        (5, Topic::GripperContacts),
        (3, Topic::Bumper),
    ] {
        scheduler.inject(ms(at), sample(topic, ms(at))).unwrap();
    }
    let mut seen = Seen::default();
    assert_eq!(scheduler.run_until(ms(4), &mut seen).unwrap(), Stop::TimeReached);
    assert!(matches!(
        scheduler.inject(ms(3), sample(Topic::Bumper, ms(3))),
        Err(Error::InThePast { .. })
    ));
    assert_eq!(scheduler.run_until(ms(50), &mut seen).unwrap(), Stop::Idle);
    assert_eq!(
        seen.0,
        [
            "3 operator bumper",
            "3 operator bumper",
            "5 operator bumper",
            "5 operator gripper_contacts"
        ]
    );
}

#[test]
fn nodes_that_answer_each_other_for_ever_are_an_error() {
    let log = Log::default();
    let ping = Probe {
        hears: &[Topic::Bumper],
        on_message: Some(Topic::GripperContacts),
        ..Probe::new("ping", &log)
    };
    let pong = Probe {
        hears: &[Topic::GripperContacts],
        on_message: Some(Topic::Bumper),
        ..Probe::new("pong", &log)
    };
    let mut scheduler = Scheduler::new(vec![Box::new(ping), Box::new(pong)], Time::ZERO).unwrap();
    scheduler.inject(ms(1), sample(Topic::Bumper, ms(1))).unwrap();
    let error = scheduler.run_until(ms(2), &mut ()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::EndlessInstant {
                sender: "ping" | "pong",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn conditions_and_the_stop_flag_end_a_run_between_instants() {
    let log = Log::default();
    let node = Probe {
        period: Some(Duration::from_millis(10)),
        hears: &[Topic::Bumper],
        on_tick: Some(Topic::Bumper),
        on_message: Some(Topic::GripperContacts),
        ..Probe::new("node", &log)
    };
    let mut scheduler = Scheduler::new(vec![Box::new(node)], Time::ZERO).unwrap();
    let mut seen = Seen::default();
    let stop = scheduler
        .run(ms(100), &mut seen, |d| {
            d.at >= ms(20) && d.message.topic() == Topic::Bumper
        })
        .unwrap();
    assert_eq!(stop, Stop::ConditionMet);
    assert_eq!(
        seen.0.last().unwrap(),
        "20 node gripper_contacts",
        "the instant is completed"
    );
    scheduler.stop_flag().store(true, Ordering::Relaxed);
    assert_eq!(
        scheduler.run_until(ms(100), &mut seen).unwrap(),
        Stop::Interrupted
    );
    assert_eq!(scheduler.now(), ms(20));
}

#[test]
fn counters_are_published_every_second() {
    #[derive(Default)]
    struct Diagnosed(Vec<(i64, String, BTreeMap<String, u64>)>);
    impl Observer for Diagnosed {
        fn on_message(&mut self, d: &Delivery<'_>) -> Result<()> {
            if let Message::Diagnostics(m) = d.message {
                self.0
                    .push((d.at.nanos() / 1_000_000, m.node.clone(), m.counters.clone()));
            }
            Ok(())
        }
    }
    let log = Log::default();
    let node = Probe {
        period: Some(Duration::from_millis(300)),
        on_tick: Some(Topic::Bumper),
        ..Probe::new("node", &log)
    };
    let mut scheduler = Scheduler::new(vec![Box::new(node)], Time::ZERO).unwrap();
    let mut seen = Diagnosed::default();
    scheduler.run_until(ms(2000), &mut seen).unwrap();
    let map = |pairs: &[(&str, u64)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
    assert_eq!(
        seen.0,
        [
            (1000, "node".into(), map(&[("calls", 4)])),
            (1000, "scheduler".into(), map(&[("bumper", 4)])),
            (2000, "node".into(), map(&[("calls", 7)])),
            (
                2000,
                "scheduler".into(),
                map(&[("bumper", 7), ("diagnostics", 2)])
            ),
        ]
    );
}

#[test]
fn impossible_nodes_are_refused() {
    let log = Log::default();
    let twice: Vec<Box<dyn Node>> = vec![Box::new(Probe::new("a", &log)), Box::new(Probe::new("a", &log))];
    assert!(matches!(
        Scheduler::new(twice, Time::ZERO),
        Err(Error::BadNode { node: "a", .. })
    ));
    let still = Probe {
        period: Some(Duration::ZERO),
        ..Probe::new("b", &log)
    };
    assert!(matches!(
        Scheduler::new(vec![Box::new(still)], Time::ZERO),
        Err(Error::BadNode { node: "b", .. })
    ));
}
