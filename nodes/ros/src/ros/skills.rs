//! The action `run_skill`.

use std::collections::BTreeSet;

use r2r::WrappedTypesupport;
use r2r::steward_msgs::action::RunSkill;
use r2r::steward_msgs::msg::SkillRequest;
use steward_core::ids::TaskId;
use steward_core::messages::StepState;
use steward_core::{Duration, Time};
use steward_nodes::message::{Message, Topic};
use steward_nodes::recording::decode;

use super::orders::{Asked, End, Refusal};
use super::rules;
use crate::world::Order;

/// How a skill that was asked for goes.
pub(crate) struct SkillAsked(RunSkill::Feedback);

impl Default for SkillAsked {
    fn default() -> Self {
        SkillAsked(RunSkill::Feedback {
            reason: "taken".into(),
            ..Default::default()
        })
    }
}

impl Asked for SkillAsked {
    type Action = RunSkill::Action;
    const NAME: &'static str = "run_skill";

    fn time_limit_s(goal: &RunSkill::Goal) -> f64 {
        goal.time_limit_s
    }

    fn order(
        asked: &RunSkill::Goal,
        id: TaskId,
        limit: Duration,
        _: &BTreeSet<String>,
    ) -> Result<Order, Refusal> {
        let invalid = |why: String| (RunSkill::Result::INVALID_GOAL as u16, why);
        // The bytes of a message say what its skill is.
        let request = SkillRequest {
            skill: asked.skill.clone(),
            ..Default::default()
        };
        let bytes = request
            .to_serialized_bytes()
            .map_err(|e| invalid(e.to_string()))?;
        match decode(Topic::SkillRequest, &[("/skill_request", &bytes)]) {
            Ok(Message::SkillRequest(read)) => Ok(Order::Skill {
                id,
                skill: read.skill.clone(),
                rules: asked.rules.clone(),
                limit,
            }),
            Ok(_) => Err(invalid("this is no skill".into())),
            Err(e) => Err(invalid(format!(
                "this is no skill: {e}; see steward_msgs/msg/Skill"
            ))),
        }
    }

    fn about(message: &Message) -> Option<(TaskId, Time)> {
        match message {
            Message::SkillRequest(m) => Some((m.id, m.header.stamp)),
            Message::Plan(m) => Some((m.task, m.header.stamp)),
            Message::RuleMonitors(m) => Some((m.task, m.header.stamp)),
            _ => None,
        }
    }

    fn hear(&mut self, message: &Message) -> bool {
        match message {
            Message::Plan(plan) => {
                self.0.phase = match plan.steps.last().map(|step| step.state) {
                    Some(StepState::Running) => RunSkill::Feedback::RUNNING as u8,
                    Some(StepState::Validating) => RunSkill::Feedback::VALIDATING as u8,
                    _ => self.0.phase,
                };
                self.0.reason.clone_from(&plan.reason);
            }
            Message::RuleMonitors(m) => self.0.monitors = rules::monitors(m),
            _ => return false,
        }
        true
    }

    fn feedback(&self, elapsed_s: f64) -> RunSkill::Feedback {
        RunSkill::Feedback {
            elapsed_s,
            ..self.0.clone()
        }
    }

    fn end(message: &Message) -> Option<End> {
        match message {
            Message::SkillResult(m) => {
                let mut end = End::new(m.id, m.outcome, &m.detail);
                if let Some(failure) = m.failure {
                    // Numbered in the order of declaration, as on the topic `skill_status`.
                    end.error_code = 300 + failure as u16;
                    end.error_msg.clone_from(&m.detail);
                }
                Some(end)
            }
            _ => None,
        }
    }

    fn result(end: End) -> RunSkill::Result {
        RunSkill::Result {
            error_code: end.error_code,
            error_msg: end.error_msg,
            detail: end.detail,
            id: end.id.0,
        }
    }
}
