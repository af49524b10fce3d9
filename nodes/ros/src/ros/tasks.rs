//! The action `execute_task`.
//!
//! A goal that ROS refuses has no result, and so no reason: every goal is accepted, and one that cannot be begun ends
//! at once, with its code and a sentence.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use r2r::steward_msgs::action::ExecuteTask;
use r2r::{ActionServerCancelRequest, ActionServerGoal, ActionServerGoalRequest};
use steward_core::ids::TaskId;
use steward_core::messages::{Goal, Outcome, Plan, StepState, TaskResult};
use steward_core::{Duration, Time};
use steward_nodes::message::Message;

use super::{Incoming, next};
use crate::world::Order;

/// Why a goal is not begun, or ends for a reason of this node: code and sentence.
type Refusal = (u16, String);

/// Takes an order, or says that it cannot.
pub type Give<'a> = &'a dyn Fn(Order) -> Result<()>;

/// What a goal meets.
pub struct Terms<'a> {
    /// Where orders go; `None` while the node is not active.
    pub give: Option<Give<'a>>,
    /// How long a task may take where its goal says nothing, seconds.
    pub time_limit_s: f64,
    /// Classes that goals may name; empty: any.
    pub classes: &'a BTreeSet<String>,
}

/// The action server.
pub struct Tasks {
    goals: Incoming<ActionServerGoalRequest<ExecuteTask::Action>>,
    running: BTreeMap<TaskId, Running>,
    last: TaskId,
}

/// A task that a client waits for.
struct Running {
    goal: ActionServerGoal<ExecuteTask::Action>,
    cancels: Incoming<ActionServerCancelRequest>,
    ordered: Option<Time>,
    feedback: ExecuteTask::Feedback,
    is_cancelled: bool,
}

impl Tasks {
    /// # Errors
    /// Where ROS refuses the action.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        let goals = node.create_action_server::<ExecuteTask::Action>("execute_task")?;
        Ok(Tasks {
            goals: Box::pin(goals),
            running: BTreeMap::new(),
            last: TaskId(0),
        })
    }

    /// Begins and cancels what was asked for.
    pub fn turn(&mut self, terms: &Terms<'_>) {
        while let Some(request) = next(&mut self.goals) {
            if let Err(e) = self.begin(request, terms) {
                log::error!("a goal cannot be taken: {e:#}");
            }
        }
        for (id, running) in &mut self.running {
            while let Some(request) = next(&mut running.cancels) {
                request.accept();
                running.is_cancelled = true;
                give(terms.give, Order::Cancel(*id));
            }
        }
    }

    /// Ends what is under way, for a reason of this node.
    pub fn end_all(&mut self, order: Option<Give<'_>>, code: u16, why: &str) {
        for (id, running) in std::mem::take(&mut self.running) {
            give(order, Order::Cancel(id));
            running.abort(id, (code, why.to_owned()));
        }
    }

    /// Tells clients what the loop says about their tasks.
    pub fn on_message(&mut self, message: &Message) {
        match message {
            Message::Task(task) => {
                if let Some(running) = self.running.get_mut(&task.id) {
                    running.ordered = Some(task.header.stamp);
                }
            }
            Message::Plan(plan) => {
                if let Some(running) = self.running.get_mut(&plan.task) {
                    running.on_plan(plan);
                }
            }
            Message::TaskResult(result) => {
                if let Some(running) = self.running.remove(&result.id) {
                    running.end(result);
                }
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        request: ActionServerGoalRequest<ExecuteTask::Action>,
        terms: &Terms<'_>,
    ) -> Result<()> {
        let asked = request.goal.clone();
        let (goal, cancels) = request.accept()?;
        let mut running = Running {
            goal,
            cancels: Box::pin(cancels),
            ordered: None,
            feedback: ExecuteTask::Feedback::default(),
            is_cancelled: false,
        };
        match self.order(&asked, terms) {
            Ok(id) => {
                running.feedback.reason = "taken".into();
                running.tell(Time::ZERO);
                self.running.insert(id, running);
            }
            Err(refusal) => running.abort(TaskId(0), refusal),
        }
        Ok(())
    }

    /// Orders a task, or says why it is not begun.
    fn order(&mut self, asked: &ExecuteTask::Goal, terms: &Terms<'_>) -> Result<TaskId, Refusal> {
        use ExecuteTask::Result as Code;
        let invalid = |why: String| (Code::INVALID_GOAL as u16, why);
        let inactive = |why: String| (Code::NOT_ACTIVE as u16, why);
        let Some(give) = terms.give else {
            return Err(inactive("the node is not active; activate it first".into()));
        };
        if !self.running.is_empty() {
            return Err((
                Code::BUSY as u16,
                "another task is under way; cancel it first".into(),
            ));
        }
        let limit_s = if asked.time_limit_s == 0.0 {
            terms.time_limit_s
        } else {
            asked.time_limit_s
        };
        if !(limit_s > 0.0 && limit_s <= 1e6) {
            return Err(invalid(format!(
                "time_limit_s is {limit_s} and must be between 0 and 1000000"
            )));
        }
        let goal: Goal = asked.goal.parse().map_err(|e| invalid(format!("{e}")))?;
        for class in goal.relations.iter().flat_map(|r| [&r.subject, &r.object]) {
            if !terms.classes.is_empty() && !terms.classes.contains(class) {
                return Err(invalid(format!(
                    "the robot knows no `{class}`; see the parameter `classes` of `planner`"
                )));
            }
        }
        let id = TaskId(self.last.0 + 1);
        let limit = Duration::from_secs_f64(limit_s);
        give(Order::Task {
            id,
            goal,
            rules: asked.rules.clone(),
            limit,
        })
        .map_err(|e| inactive(format!("{e:#}")))?;
        self.last = id;
        Ok(id)
    }
}

fn give(order: Option<Give<'_>>, what: Order) {
    if let Some(give) = order
        && let Err(e) = give(what)
    {
        log::error!("{e:#}");
    }
}

impl Running {
    fn on_plan(&mut self, plan: &Plan) {
        if let Some(step) = plan.steps.iter().rfind(|s| s.state == StepState::Running) {
            self.feedback.step = step.step.map_or(0, |s| s.0);
            self.feedback.label.clone_from(&step.label);
        }
        let confirmed = plan
            .steps
            .iter()
            .filter(|s| s.state == StepState::Confirmed)
            .count();
        self.feedback.steps_confirmed = u32::try_from(confirmed).unwrap_or(u32::MAX);
        self.feedback.reason.clone_from(&plan.reason);
        self.tell(plan.header.stamp);
    }

    fn tell(&mut self, now: Time) {
        self.feedback.elapsed_s = self.ordered.map_or(0.0, |at| (now - at).secs_f64().max(0.0));
        if let Err(e) = self.goal.publish_feedback(self.feedback.clone()) {
            log::warn!("feedback cannot be told: {e}");
        }
    }

    fn abort(mut self, id: TaskId, (error_code, error_msg): Refusal) {
        log::warn!("task refused or ended: {error_msg}");
        let result = ExecuteTask::Result {
            error_code,
            error_msg,
            task: id.0,
            ..Default::default()
        };
        warn(self.goal.abort(result));
    }

    fn end(mut self, ended: &TaskResult) {
        let mut result = ExecuteTask::Result {
            detail: ended.detail.clone(),
            task: ended.id.0,
            ..Default::default()
        };
        warn(match ended.outcome {
            Outcome::Succeeded => self.goal.succeed(result),
            Outcome::Failed(reason) => {
                // Numbered in the order of declaration, as on the topic `task_result`.
                result.error_code = 100 + reason as u16;
                result.error_msg = format!("{reason}: {}", ended.detail);
                if self.is_cancelled {
                    self.goal.cancel(result)
                } else {
                    self.goal.abort(result)
                }
            }
        });
    }
}

fn warn(told: r2r::Result<()>) {
    if let Err(e) = told {
        log::error!("the end of a task cannot be told: {e}");
    }
}
