//! The action `execute_task`.

use std::collections::BTreeSet;

use r2r::steward_msgs::action::ExecuteTask;
use steward_core::ids::TaskId;
use steward_core::messages::{Goal, Plan, StepState};
use steward_core::{Duration, Time};
use steward_nodes::message::Message;

use super::orders::{Asked, End, Refusal};
use super::rules;
use crate::world::Order;

/// How a task goes.
pub(crate) struct TaskAsked(ExecuteTask::Feedback);

impl Default for TaskAsked {
    fn default() -> Self {
        TaskAsked(ExecuteTask::Feedback {
            reason: "taken".into(),
            ..Default::default()
        })
    }
}

impl Asked for TaskAsked {
    type Action = ExecuteTask::Action;
    const NAME: &'static str = "execute_task";

    fn time_limit_s(goal: &ExecuteTask::Goal) -> f64 {
        goal.time_limit_s
    }

    fn order(
        asked: &ExecuteTask::Goal,
        id: TaskId,
        limit: Duration,
        classes: &BTreeSet<String>,
    ) -> Result<Order, Refusal> {
        let invalid = |why: String| (ExecuteTask::Result::INVALID_GOAL as u16, why);
        let goal: Goal = asked.goal.parse().map_err(|e| invalid(format!("{e}")))?;
        for class in goal.relations.iter().flat_map(|r| [&r.subject, &r.object]) {
            if !classes.is_empty() && !classes.contains(class) {
                return Err(invalid(format!(
                    "the robot knows no `{class}`; see the parameter `classes` of `planner`"
                )));
            }
        }
        Ok(Order::Task {
            id,
            goal,
            rules: asked.rules.clone(),
            limit,
        })
    }

    fn about(message: &Message) -> Option<(TaskId, Time)> {
        match message {
            Message::Task(m) => Some((m.id, m.header.stamp)),
            Message::Plan(m) => Some((m.task, m.header.stamp)),
            Message::RuleMonitors(m) => Some((m.task, m.header.stamp)),
            _ => None,
        }
    }

    fn hear(&mut self, message: &Message) -> bool {
        match message {
            Message::Plan(plan) => self.on_plan(plan),
            Message::RuleMonitors(m) => self.0.monitors = rules::monitors(m),
            _ => return false,
        }
        true
    }

    fn feedback(&self, elapsed_s: f64) -> ExecuteTask::Feedback {
        ExecuteTask::Feedback {
            elapsed_s,
            ..self.0.clone()
        }
    }

    fn end(message: &Message) -> Option<End> {
        match message {
            Message::TaskResult(m) => Some(End::new(m.id, m.outcome, &m.detail)),
            _ => None,
        }
    }

    fn result(end: End) -> ExecuteTask::Result {
        ExecuteTask::Result {
            error_code: end.error_code,
            error_msg: end.error_msg,
            detail: end.detail,
            task: end.id.0,
        }
    }
}

impl TaskAsked {
    fn on_plan(&mut self, plan: &Plan) {
        if let Some(step) = plan.steps.iter().rfind(|s| s.state == StepState::Running) {
            self.0.step = step.step.map_or(0, |s| s.0);
            self.0.label.clone_from(&step.label);
        }
        let confirmed = plan
            .steps
            .iter()
            .filter(|s| s.state == StepState::Confirmed)
            .count();
        self.0.steps_confirmed = u32::try_from(confirmed).unwrap_or(u32::MAX);
        self.0.reason.clone_from(&plan.reason);
    }
}
