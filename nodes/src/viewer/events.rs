//! What happens: the plan, its steps, skills, verdicts, changes, counters.

use std::collections::BTreeMap;

use rerun::{Scalars, StateChange, TextDocument, TextLog, TextLogLevel};
use steward_core::ids::StepId;
use steward_core::messages::{
    Diagnostics, Outcome, Plan, RuleMonitors, RuleVerdict, SkillState, SkillStatus, StepState, TreeNode,
    VerdictKind,
};

use super::Log;
use crate::error::Result;
use crate::message::Message;

#[derive(Default)]
pub(super) struct Events {
    /// The state of each lane, so that only changes are logged.
    lanes: BTreeMap<&'static str, String>,
    /// The last state of each execution.
    skills: BTreeMap<StepId, SkillState>,
}

impl Events {
    pub(super) fn message(&mut self, log: &Log, message: &Message) -> Result<()> {
        match message {
            Message::Task(m) => {
                line(log, TextLogLevel::INFO, format!("task {}: {}", m.id, m.goal))?;
                for rule in &m.rules {
                    line(log, TextLogLevel::INFO, format!("rule: {rule}"))?;
                }
                self.lane(log, "task", &m.goal.to_string())
            }
            Message::CancelTask(m) => line(log, TextLogLevel::WARN, format!("task {} is cancelled", m.id)),
            Message::TaskResult(m) => {
                let (level, state) = match m.outcome {
                    Outcome::Succeeded => (TextLogLevel::INFO, "succeeded".to_owned()),
                    Outcome::Failed(reason) => (TextLogLevel::ERROR, format!("failed: {reason}")),
                };
                line(log, level, format!("task {} {state}. {}", m.id, m.detail))?;
                self.lane(log, "task", &state)
            }
            Message::SkillRequest(m) => {
                line(log, TextLogLevel::INFO, format!("order {}: {}", m.id, m.skill))?;
                self.lane(log, "task", &m.skill.to_string())
            }
            Message::SkillResult(m) => {
                let (level, state) = match m.outcome {
                    Outcome::Succeeded => (TextLogLevel::INFO, "succeeded".to_owned()),
                    Outcome::Failed(reason) => (TextLogLevel::ERROR, format!("failed: {reason}")),
                };
                line(log, level, format!("order {} {state}. {}", m.id, m.detail))?;
                self.lane(log, "task", &state)
            }
            Message::RuleMonitors(m) => rules(log, m),
            Message::Plan(m) => self.plan(log, m),
            Message::SkillCommand(m) => line(log, TextLogLevel::INFO, format!("{} {}", m.step, m.skill)),
            Message::CancelSkill(m) => line(log, TextLogLevel::WARN, format!("{} is cancelled", m.step)),
            Message::SkillStatus(m) => self.skill(log, m),
            Message::Verdict(m) => {
                let (level, state) = match m.kind {
                    VerdictKind::Confirmed => (TextLogLevel::INFO, "confirmed"),
                    VerdictKind::Refuted => (TextLogLevel::WARN, "refuted"),
                    VerdictKind::Undecided => (TextLogLevel::WARN, "undecided"),
                };
                line(log, level, format!("{} {state}: {}", m.step, m.detail))?;
                self.lane(log, "verdict", &format!("{} {state}", m.step))
            }
            Message::SceneChange(m) => {
                let kind = format!("{:?}", m.kind).to_lowercase();
                line(
                    log,
                    TextLogLevel::DEBUG,
                    format!("{} {} {kind}", m.class, m.object),
                )
            }
            Message::Bumper(m) => self.lane(log, "bumper", if m.pressed { "pressed" } else { "free" }),
            Message::GripperContacts(m) => {
                let state = match (m.left, m.right) {
                    (true, true) => "both fingers touch",
                    (true, false) | (false, true) => "one finger touches",
                    (false, false) => "free",
                };
                self.lane(log, "gripper", state)
            }
            Message::Diagnostics(m) => counters(log, m),
            _ => Ok(()),
        }
    }

    fn lane(&mut self, log: &Log, lane: &'static str, state: &str) -> Result<()> {
        if self.lanes.get(lane).is_some_and(|s| s == state) {
            return Ok(());
        }
        self.lanes.insert(lane, state.to_owned());
        log.now(format!("plan/state/{lane}"), &StateChange::single(state))
    }

    fn plan(&mut self, log: &Log, m: &Plan) -> Result<()> {
        let mut text = format!("# Plan {} of task {}\n{}\n\n", m.revision, m.task, m.reason);
        for step in &m.steps {
            let mark = mark(step.state);
            let id = step.step.map_or(String::new(), |s| format!("`{s}` "));
            text += &format!("- {mark} {id}{}\n", step.label);
        }
        if m.tree.len() > 1 {
            text += "\n## Action tree\n\n";
            branch(&m.tree, 0, 0, &mut text);
        }
        let active = m
            .steps
            .iter()
            .rfind(|s| matches!(s.state, StepState::Running | StepState::Validating));
        let (label, state) = match active.or_else(|| m.steps.iter().rfind(|s| s.state != StepState::Pending))
        {
            Some(step) => (step.label.clone(), format!("{:?}", step.state).to_lowercase()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        self.lane(log, "step", &label)?;
        self.lane(log, "step state", &state)?;
        log.now("plan/text", &TextDocument::from_markdown(text))
    }

    fn skill(&mut self, log: &Log, m: &SkillStatus) -> Result<()> {
        let state = match m.state {
            SkillState::Running => m.skill.to_string(),
            SkillState::Done => "done".to_owned(),
            SkillState::Failed(failure) => format!("failed: {failure}"),
        };
        self.lane(log, "skill", &state)?;
        // Repeated at a low rate while it runs; the log has each state once.
        if self.skills.insert(m.step, m.state) == Some(m.state) {
            return Ok(());
        }
        let (level, what) = match m.state {
            SkillState::Running => (TextLogLevel::DEBUG, "runs".to_owned()),
            SkillState::Done => (TextLogLevel::INFO, "is done".to_owned()),
            SkillState::Failed(failure) => (TextLogLevel::WARN, format!("failed ({failure})")),
        };
        line(log, level, format!("{} {} {what}. {}", m.step, m.skill, m.detail))
    }
}

fn mark(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "○",
        StepState::Running => "▶ **running**",
        StepState::Validating => "◐ **checking**",
        StepState::Confirmed => "✔",
        StepState::Failed => "✘ failed",
        StepState::Abandoned => "– dropped",
    }
}

/// The nodes below one, depth first; plans are as short as a robot's patience, so recursion is.
fn branch(tree: &[TreeNode], at: usize, depth: usize, text: &mut String) {
    for (child, node) in tree.iter().enumerate().skip(at + 1) {
        if node.parent as usize == at {
            let indent = "  ".repeat(depth);
            *text += &format!(
                "{indent}- {} {} ({}×)\n",
                mark(node.state),
                node.label,
                node.votes
            );
            branch(tree, child, depth + 1, text);
        }
    }
}

fn rules(log: &Log, m: &RuleMonitors) -> Result<()> {
    let mut text = format!("# Rules of order {}\n\n", m.task);
    for monitor in &m.monitors {
        let mark = match monitor.verdict {
            RuleVerdict::PermanentlySatisfied => "✔ for good",
            RuleVerdict::SatisfiedSoFar => "✔ so far",
            RuleVerdict::OpenObligation => "◐ **owed**",
            RuleVerdict::PermanentlyViolated => "✘ **broken**",
        };
        text += &format!("- {mark} `{}` {}\n", monitor.rule, monitor.owed.join(" "));
    }
    log.now("plan/rules", &TextDocument::from_markdown(text))
}

fn line(log: &Log, level: &'static str, text: String) -> Result<()> {
    log.now("log", &TextLog::new(text).with_level(level))
}

fn counters(log: &Log, m: &Diagnostics) -> Result<()> {
    m.counters.iter().try_for_each(|(name, n)| {
        log.now(
            format!("counters/{}/{}", m.node, name.replace('/', "_")),
            &Scalars::single(*n as f64),
        )
    })
}
