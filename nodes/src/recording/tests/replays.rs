//! Runs that are recorded and replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use steward_core::messages::{Bumper, GripperContacts, Header, Odometry, Outcome, Task, TaskResult};
use steward_core::{Duration, Time};

use super::files::metadata;
use crate::error::Result;
use crate::message::{Message, Topic};
use crate::node::{Node, Outbox, message};
use crate::recording::{Damage, Recorder, inspect, replay};
use crate::runtime::scheduler::Scheduler;

/// A world that sends the bumper on each tick and answers contacts with odometry.
struct World(u32);

impl Node for World {
    fn name(&self) -> &'static str {
        "world"
    }
    fn subscriptions(&self) -> &'static [Topic] {
        &[Topic::GripperContacts]
    }
    fn period(&self) -> Option<Duration> {
        Some(Duration::from_millis(40))
    }
    fn on_message(&mut self, now: Time, _: &Message, out: &mut Outbox) {
        let pose = steward_core::geometry::Pose2::new(0.0, 0.0, 0.1 * f64::from(self.0));
        let odometry = Odometry {
            header: Header::new(now, "odom"),
            pose,
            linear_m_s: 0.0,
            angular_rad_s: 0.0,
        };
        out.send(message(Message::Odometry, odometry));
    }
    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.0 += 1;
        let direction_rad = f64::from(self.0).sin();
        out.send(message(
            Message::Bumper,
            Bumper {
                header: Header::new(now, ""),
                pressed: true,
                direction_rad,
            },
        ));
    }
    fn counters(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([("ticks".into(), u64::from(self.0))])
    }
}

/// Adds up what the world sends; ends a task on the tick after three seconds.
struct Robot {
    sum: f64,
    factor: f64,
    task: Option<Task>,
}

impl Node for Robot {
    fn name(&self) -> &'static str {
        "robot"
    }
    fn subscriptions(&self) -> &'static [Topic] {
        &[Topic::Bumper, Topic::Odometry, Topic::Task]
    }
    fn period(&self) -> Option<Duration> {
        Some(Duration::from_millis(100))
    }
    fn on_message(&mut self, now: Time, m: &Message, out: &mut Outbox) {
        match m {
            Message::Bumper(b) => {
                self.sum += self.factor * b.direction_rad;
                let opening_m = self.sum;
                let contacts = GripperContacts {
                    header: Header::new(now, ""),
                    left: true,
                    right: true,
                    opening_m,
                };
                out.send(message(Message::GripperContacts, contacts));
            }
            Message::Odometry(o) => self.sum += o.pose.yaw_rad,
            Message::Task(t) => self.task = Some((**t).clone()),
            _ => {}
        }
    }
    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        if now < Time::ZERO + Duration::from_secs(3) {
            return;
        }
        if let Some(task) = self.task.take() {
            let result = TaskResult {
                header: Header::new(now, ""),
                id: task.id,
                outcome: Outcome::Succeeded,
                detail: format!("sum {}", self.sum),
            };
            out.send(message(Message::TaskResult, result));
        }
    }
    fn counters(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

fn robot(factor: f64) -> Vec<Box<dyn Node>> {
    vec![Box::new(Robot {
        sum: 0.0,
        factor,
        task: None,
    })]
}

/// Runs both for five seconds; the world may come before or after the robot.
fn record(folder: &Path, world_first: bool) -> PathBuf {
    let path = folder.join("run.mcap");
    let mut nodes = robot(1.0);
    nodes.insert(if world_first { 0 } else { 1 }, Box::new(World(0)));
    let mut scheduler = Scheduler::new(nodes, Time::ZERO).unwrap();
    let at = Time::ZERO + Duration::from_millis(500);
    let task = Task {
        header: Header::new(at, ""),
        id: steward_core::ids::TaskId(1),
        goal: "on(mug, desk)".parse().unwrap(),
        rules: vec![],
        deadline: at,
    };
    scheduler.inject(at, message(Message::Task, task)).unwrap();
    let mut recorder = Recorder::create(&path, &metadata()).unwrap();
    scheduler
        .run_until(Time::ZERO + Duration::from_secs(5), &mut recorder)
        .unwrap();
    recorder.finish().unwrap();
    path
}

#[test]
fn the_same_nodes_send_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for world_first in [true, false] {
        let path = record(folder.path(), world_first);
        let build = |m: &crate::recording::RunMetadata| -> Result<Vec<Box<dyn Node>>> {
            assert_eq!(*m, metadata());
            Ok(robot(1.0))
        };
        let report = replay(&path, build, &mut ()).unwrap();
        assert_eq!(report.difference, None);
        assert!(report.is_identical());
        // 126 ticks of the world: a bumper, an odometry each; one task; the world's counters at 5 instants.
        assert_eq!(report.inputs, 126 * 2 + 1 + 5);
        // Contacts for each bumper; the result; counters of the robot and the scheduler at 5 instants.
        assert_eq!(report.compared, 126 + 1 + 10);
        assert_eq!(report.messages, report.inputs + report.compared);
    }
}

#[test]
fn the_first_difference_is_named_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), true);
    let report = replay(&path, |_| Ok(robot(1.0 + 1e-15)), &mut ()).unwrap();
    let difference = report.difference.unwrap();
    assert_eq!(
        (difference.topic.as_str(), difference.sender.as_str()),
        ("gripper_contacts", "robot")
    );
    assert_eq!(difference.fields.len(), 1);
    assert_eq!(difference.fields[0].0, "opening_m");
    assert!(
        difference.to_string().contains("opening_m: recorded "),
        "{difference}"
    );

    struct Mute(Robot);
    impl Node for Mute {
        fn name(&self) -> &'static str {
            self.0.name()
        }
        fn subscriptions(&self) -> &'static [Topic] {
            &[]
        }
        fn period(&self) -> Option<Duration> {
            None
        }
        fn on_message(&mut self, _: Time, _: &Message, _: &mut Outbox) {}
        fn on_tick(&mut self, _: Time, _: &mut Outbox) {}
        fn counters(&self) -> BTreeMap<String, u64> {
            self.0.counters()
        }
    }
    let mute = |_: &_| -> Result<Vec<Box<dyn Node>>> {
        Ok(vec![Box::new(Mute(Robot {
            sum: 0.0,
            factor: 1.0,
            task: None,
        }))])
    };
    let difference = replay(&path, mute, &mut ()).unwrap().difference.unwrap();
    assert_eq!(difference.what, "it was recorded, but is not sent now");
}

#[test]
fn a_truncated_recording_replays_up_to_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), true);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let report = replay(&path, |_| Ok(robot(1.0)), &mut ()).unwrap();
    assert!(report.is_identical());
    assert!(
        matches!(report.damage, Some(Damage::Truncated { complete_messages, .. }) if complete_messages == report.messages)
    );
    assert!(report.messages > 50);
}

#[test]
fn a_summary_has_topics_task_and_counters() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), true);
    let summary = inspect(&path).unwrap();
    assert_eq!(summary.tasks.len(), 1);
    let task = &summary.tasks[0];
    assert_eq!(
        (task.goal.as_str(), task.given_s, task.ended_s),
        ("on(mug, desk)", 0.5, Some(3.0))
    );
    assert_eq!(task.outcome, Some(Outcome::Succeeded));
    let bumper = summary.topics.iter().find(|t| t.topic == "/bumper").unwrap();
    assert_eq!((bumper.messages, bumper.sender.as_str()), (126, "world"));
    assert!((bumper.rate_hz - 25.0).abs() < 1e-9);
    assert_eq!(summary.counters["world"]["ticks"], 126);
    assert_eq!((summary.duration_s, summary.damage.is_none()), (5.0, true));
    let text = summary.to_string();
    assert!(
        text.contains("/bumper") && text.contains("succeeded after 2.5 s"),
        "{text}"
    );
}
