//! Orders beside tasks: single skills, standing rules, and what the planner says of rules.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use steward_core::geometry::{Point3, Pose2};
use steward_core::ids::{ObjectId, StepId, TaskId};
use steward_core::messages::*;
use steward_core::{Duration, Time, frames};
use steward_nodes::message::Message;
use steward_nodes::node::{Node, Outbox, message};
use steward_nodes::planner::{Planner, PlannerConfig};

struct Operated {
    planner: Planner,
    now: Time,
    said: Vec<Message>,
}

impl Operated {
    /// A planner in a kitchen of 4 by 4 metres, with a hall beside it, in a home with nothing in it.
    fn new() -> Self {
        Operated::with(Planner::new(PlannerConfig::default()))
    }

    fn with(planner: Planner) -> Self {
        let mut operated = Operated {
            planner,
            now: Time::from_secs_f64(1.0),
            said: Vec::new(),
        };
        let rooms = ["kitchen", "hall"]
            .iter()
            .zip([0.0, 4.0])
            .map(|(name, x_m)| Room {
                name: (*name).into(),
                kind: (*name).into(),
                area: FloorArea {
                    middle: Pose2::new(x_m, 0.0, 0.0),
                    half_x_m: 1.9,
                    half_y_m: 1.9,
                },
            });
        let plan = FloorPlan {
            header: Header::default(),
            rooms: rooms.collect(),
        };
        operated.hear(message(Message::FloorPlan, plan));
        operated.stand_at(0.0);
        operated
    }

    fn hear(&mut self, m: Message) {
        let mut out = Outbox::default();
        self.planner.on_message(self.now, &m, &mut out);
        self.said.extend(out.drain());
    }

    fn tick(&mut self) {
        self.now += Duration::from_millis(100);
        let mut out = Outbox::default();
        self.planner.on_tick(self.now, &mut out);
        self.said.extend(out.drain());
    }

    fn stand_at(&mut self, x_m: f64) {
        self.now += Duration::from_millis(100);
        let edge = StampedTransform {
            stamp: self.now,
            parent: frames::MAP.into(),
            child: frames::BASE_LINK.into(),
            parent_from_child: Pose2::new(x_m, 0.0, 0.0).to_pose3(),
            is_static: false,
        };
        let transforms = vec![edge];
        self.hear(message(Message::Transforms, Transforms { transforms }));
        let scene = SceneGraph {
            header: Header::new(self.now, frames::MAP),
            ..SceneGraph::default()
        };
        self.hear(message(Message::SceneGraph, scene));
    }

    fn ask(&mut self, skill: Skill, rules: &[&str]) {
        let request = SkillRequest {
            header: Header::new(self.now, frames::MAP),
            id: TaskId(7),
            skill,
            rules: rules.iter().map(|r| (*r).to_owned()).collect(),
            deadline: self.now + Duration::from_secs(60),
        };
        self.hear(message(Message::SkillRequest, request));
    }

    fn set_rules(&mut self, rules: &[&str]) -> String {
        let rules = rules.iter().map(|r| (*r).to_owned()).collect();
        let header = Header::default();
        self.hear(message(
            Message::SetRules,
            SetRules {
                header,
                request: 3,
                rules,
            },
        ));
        match self.said.pop() {
            Some(Message::Answer(answer)) if answer.request == 3 => answer.refusal.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn command(&self) -> Option<Arc<SkillCommand>> {
        self.said.iter().rev().find_map(|m| match m {
            Message::SkillCommand(m) => Some(Arc::clone(m)),
            _ => None,
        })
    }

    fn end(&self) -> Option<Arc<SkillResult>> {
        self.said.iter().rev().find_map(|m| match m {
            Message::SkillResult(m) => Some(Arc::clone(m)),
            _ => None,
        })
    }

    fn monitors(&self) -> Vec<RuleVerdict> {
        let newest = self.said.iter().rev().find_map(|m| match m {
            Message::RuleMonitors(m) => Some(Arc::clone(m)),
            _ => None,
        });
        newest.unwrap().monitors.iter().map(|m| m.verdict).collect()
    }

    /// What the executor says of the step under way.
    fn executed(&mut self, state: SkillState) -> StepId {
        let command = self.command().unwrap();
        let status = SkillStatus {
            header: Header::default(),
            step: command.step,
            skill: command.skill.clone(),
            state,
            detail: "it says".into(),
        };
        self.hear(message(Message::SkillStatus, status));
        command.step
    }

    fn judged(&mut self, step: StepId, kind: VerdictKind) {
        let verdict = Verdict {
            header: Header::default(),
            step,
            kind,
            detail: "as seen".into(),
        };
        self.hear(message(Message::Verdict, verdict));
    }
}

fn drive(x_m: f64) -> Skill {
    Skill::Navigate {
        to: NavigationTarget::Pose(Pose2::new(x_m, 0.0, 0.0)),
    }
}

#[test]
fn a_skill_is_sent_once_and_ends_as_it_was_judged() {
    for (kind, outcome) in [
        (VerdictKind::Confirmed, Outcome::Succeeded),
        (VerdictKind::Refuted, Outcome::Failed(FailureReason::Unconfirmed)),
        (
            VerdictKind::Undecided,
            Outcome::Failed(FailureReason::Unconfirmed),
        ),
    ] {
        let mut loop_ = Operated::new();
        loop_.ask(drive(1.0), &[]);
        (0..5).for_each(|_| loop_.tick());
        let commands = loop_
            .said
            .iter()
            .filter(|m| matches!(m, Message::SkillCommand(_)));
        assert_eq!(commands.count(), 1);
        assert_eq!(loop_.command().unwrap().skill, drive(1.0));
        let step = loop_.executed(SkillState::Done);
        assert!(loop_.end().is_none(), "nobody has looked yet");
        loop_.judged(step, kind);
        let end = loop_.end().unwrap();
        assert_eq!((end.id, end.outcome, end.failure), (TaskId(7), outcome, None));
        assert!(end.detail.contains("as seen"));
    }
}

#[test]
fn a_verdict_that_overtakes_the_executors_word_counts() {
    let mut loop_ = Operated::new();
    loop_.ask(drive(1.0), &[]);
    loop_.tick();
    let step = loop_.executed(SkillState::Running);
    loop_.judged(step, VerdictKind::Confirmed);
    assert_eq!(loop_.end().unwrap().outcome, Outcome::Succeeded);
    let said = loop_.said.len();
    loop_.executed(SkillState::Done);
    assert_eq!(loop_.said.len(), said, "the step is over");
}

#[test]
fn what_the_executor_failed_at_is_passed_on() {
    let mut loop_ = Operated::new();
    loop_.ask(drive(1.0), &[]);
    loop_.tick();
    loop_.executed(SkillState::Failed(SkillFailure::Blocked));
    let end = loop_.end().unwrap();
    assert_eq!(end.outcome, Outcome::Failed(FailureReason::SkillFailed));
    assert_eq!(end.failure, Some(SkillFailure::Blocked));
}

#[test]
fn nothing_that_a_rule_forbids_or_that_makes_no_sense_is_sent() {
    let pick = Skill::Pick { object: ObjectId(9) };
    for (skill, rules, reason) in [
        (
            drive(4.0),
            &["G !in(robot, hall)"][..],
            FailureReason::RuleConflict,
        ),
        (
            drive(1.0),
            &["G !in(robot, kitchen)"],
            FailureReason::RuleViolated,
        ),
        // Nobody knows what it would change.
        (pick, &["G !held(mug)"], FailureReason::RuleConflict),
        (drive(1.0), &["G !in(robot, cellar)"], FailureReason::InvalidRule),
        (drive(f64::NAN), &[], FailureReason::InvalidGoal),
        (Skill::Look { at: vec![] }, &[], FailureReason::InvalidGoal),
        (
            Skill::Look {
                at: vec![Point3::origin(); 1000],
            },
            &[],
            FailureReason::InvalidGoal,
        ),
    ] {
        let mut loop_ = Operated::new();
        loop_.ask(skill.clone(), rules);
        (0..3).for_each(|_| loop_.tick());
        assert_eq!(loop_.end().unwrap().outcome, Outcome::Failed(reason), "{skill}");
        assert!(loop_.command().is_none(), "{skill}");
    }
    let mut loop_ = Operated::new();
    loop_.ask(drive(1.0), &["G !in(robot, hall)"]);
    loop_.tick();
    assert_eq!(loop_.command().unwrap().keep_out.len(), 1, "the hall");
}

#[test]
fn orders_wait_for_no_other_and_end_when_they_are_cancelled_or_late() {
    let mut loop_ = Operated::new();
    loop_.ask(drive(1.0), &[]);
    loop_.tick();
    loop_.ask(drive(1.0), &[]);
    assert_eq!(loop_.end().unwrap().outcome, Outcome::Failed(FailureReason::Busy));
    let header = Header::default();
    loop_.hear(message(
        Message::CancelTask,
        CancelTask {
            header,
            id: TaskId(7),
        },
    ));
    assert_eq!(
        loop_.end().unwrap().outcome,
        Outcome::Failed(FailureReason::Cancelled)
    );
    assert!(loop_.said.iter().any(|m| matches!(m, Message::CancelSkill(_))));
    loop_.ask(drive(1.0), &[]);
    loop_.tick();
    for _ in 0..310 {
        loop_.stand_at(0.0);
        loop_.executed(SkillState::Running);
        loop_.tick();
    }
    assert_eq!(
        loop_.end().unwrap().outcome,
        Outcome::Failed(FailureReason::TimedOut)
    );
}

#[test]
fn rules_that_stand_hold_for_later_orders_and_what_is_malformed_changes_nothing() {
    let mut loop_ = Operated::new();
    assert_eq!(loop_.set_rules(&["G !in(robot, hall)"]), "");
    for bad in [
        "G !in(robot",
        "G !in(robot, cellar)",
        "X held(mug)",
        "G !held(unicorn)",
    ] {
        assert!(loop_.set_rules(&[bad]).len() > 10, "{bad}");
    }
    loop_.ask(drive(4.0), &["F held(mug)"]);
    (0..3).for_each(|_| loop_.tick());
    assert_eq!(
        loop_.end().unwrap().outcome,
        Outcome::Failed(FailureReason::RuleConflict)
    );
    assert_eq!(
        loop_.monitors(),
        [RuleVerdict::OpenObligation, RuleVerdict::SatisfiedSoFar]
    );
    assert_eq!(loop_.set_rules(&[]), "");
    loop_.ask(drive(4.0), &[]);
    loop_.tick();
    assert!(loop_.command().is_some());
}

#[test]
fn rules_of_the_settings_stand_whatever_is_set_beside_them() {
    let config = PlannerConfig {
        rules: vec!["G !in(robot, hall)".into()],
        ..PlannerConfig::default()
    };
    let mut loop_ = Operated::with(Planner::new(config));
    assert_eq!(loop_.set_rules(&[]), "");
    loop_.ask(drive(4.0), &[]);
    (0..3).for_each(|_| loop_.tick());
    assert_eq!(
        loop_.end().unwrap().outcome,
        Outcome::Failed(FailureReason::RuleConflict)
    );
    for bad in ["G !in(robot", "X held(mug)"] {
        let config = PlannerConfig {
            rules: vec![bad.into()],
            ..PlannerConfig::default()
        };
        assert!(config.validate().unwrap_err().starts_with("rules: "), "{bad}");
    }
}

#[test]
fn a_planner_under_rules_of_before_does_nothing_that_they_forbid_or_that_it_cannot_judge() {
    for (rule, reason) in [
        ("G !in(robot, hall)", FailureReason::RuleConflict),
        ("G !in(robot, cellar)", FailureReason::InvalidRule),
        ("G !in(robot", FailureReason::InvalidRule),
    ] {
        let planner = Planner::new(PlannerConfig::default()).under(vec![rule.into()]);
        let mut loop_ = Operated::with(planner);
        loop_.ask(drive(4.0), &[]);
        (0..3).for_each(|_| loop_.tick());
        assert_eq!(loop_.end().unwrap().outcome, Outcome::Failed(reason), "{rule}");
        assert!(loop_.command().is_none());
        assert_eq!(loop_.set_rules(&[]), "");
        loop_.ask(drive(4.0), &[]);
        loop_.tick();
        assert!(loop_.command().is_some());
    }
}

#[test]
fn a_change_of_a_verdict_is_told_when_it_is_seen() {
    let mut loop_ = Operated::new();
    loop_.ask(
        drive(1.0),
        &["G(in(robot, kitchen) -> F in(robot, hall))", "G !in(robot, hall)"],
    );
    loop_.tick();
    assert_eq!(
        loop_.monitors(),
        [RuleVerdict::OpenObligation, RuleVerdict::SatisfiedSoFar]
    );
    let before = loop_.said.len();
    loop_.stand_at(4.0);
    loop_.tick();
    assert_eq!(
        loop_.monitors(),
        [RuleVerdict::SatisfiedSoFar, RuleVerdict::PermanentlyViolated]
    );
    let told = loop_.said[before..]
        .iter()
        .filter(|m| matches!(m, Message::RuleMonitors(_)));
    assert_eq!(told.count(), 1);
}
