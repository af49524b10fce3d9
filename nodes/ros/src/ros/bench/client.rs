//! A ROS node that listens to what is measured, and gives it tasks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use r2r::GoalStatus;
use r2r::steward_msgs::action::ExecuteTask;
use steward_nodes::message::{Message, Topic};
use steward_nodes::recording::{decode, ros_topics};

use super::super::{Incoming, next, profile};
use super::NAMESPACE;
use super::child::Child;
use crate::qos;

const TURN: Duration = Duration::from_millis(5);
/// How long somebody may take to come up, or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The node.
pub(super) struct Client {
    pub(super) node: r2r::Node,
    heard: Vec<(Topic, usize, Incoming<Vec<u8>>)>,
    tasks: r2r::ActionClient<ExecuteTask::Action>,
}

type End = r2r::Result<(GoalStatus, ExecuteTask::Result)>;

/// A task that was given.
pub(super) struct Given {
    end: LocalBoxFuture<'static, End>,
    feedback: Incoming<ExecuteTask::Feedback>,
}

impl Client {
    /// Hears these topics of the loop.
    ///
    /// # Errors
    /// What ROS refuses.
    pub(super) fn new(name: &str, topics: &[Topic]) -> Result<Self> {
        let mut node = r2r::Node::create(r2r::Context::create()?, name, NAMESPACE)?;
        let mut heard: Vec<(Topic, usize, Incoming<Vec<u8>>)> = Vec::new();
        for &topic in topics {
            for (part, (name, ros_type)) in ros_topics(topic).iter().enumerate() {
                let incoming =
                    node.subscribe_raw(qos::published_name(name), ros_type, profile(qos::of(name)))?;
                heard.push((topic, part, Box::pin(incoming)));
            }
        }
        let tasks = node.create_action_client("execute_task")?;
        Ok(Client { node, heard, tasks })
    }

    /// What came on topics that one message of ROS is enough for.
    pub(super) fn turn(&mut self) -> Vec<Message> {
        self.node.spin_once(TURN);
        let mut messages = Vec::new();
        for (topic, _, incoming) in &mut self.heard {
            while let Some(bytes) = next(incoming) {
                if let [(name, _)] = ros_topics(*topic) {
                    messages.extend(decode(*topic, &[(name, &bytes)]));
                }
            }
        }
        messages
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// Where it does not for a minute, the child ends, or somebody wants to stop.
    pub(super) fn wait<T>(
        &mut self,
        child: &mut Child,
        stop: &AtomicBool,
        what: &str,
        mut condition: impl FnMut(&mut Self, Vec<Message>) -> Option<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            check(stop)?;
            child.check()?;
            let messages = self.turn();
            if let Some(found) = condition(self, messages) {
                return Ok(found);
            }
            if begun.elapsed() > PATIENCE {
                bail!("no {what} within {} s", PATIENCE.as_secs());
            }
        }
    }

    /// Waits until tasks can be given.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub(super) fn wait_for_tasks(&mut self, child: &mut Child, stop: &AtomicBool) -> Result<()> {
        let mut available = Box::pin(r2r::Node::is_available(&self.tasks)?);
        self.wait(child, stop, "action server `execute_task`", |_, _| {
            available.as_mut().now_or_never()
        })?
        .context("the action server cannot be waited for")
    }

    /// Gives a task.
    ///
    /// # Errors
    /// As [`Client::wait`], and where the task is not taken.
    pub(super) fn order(
        &mut self,
        goal: ExecuteTask::Goal,
        child: &mut Child,
        stop: &AtomicBool,
    ) -> Result<Given> {
        let mut sent = Box::pin(self.tasks.send_goal_request(goal)?);
        let (_, end, feedback) = self
            .wait(child, stop, "answer to a task", |_, _| {
                sent.as_mut().now_or_never()
            })?
            .context("the task is not taken")?;
        Ok(Given {
            end: Box::pin(end),
            feedback: Box::pin(feedback),
        })
    }
}

impl Given {
    /// How it ended, once it has.
    ///
    /// # Errors
    /// Where ROS cannot tell.
    pub(super) fn turn(&mut self) -> Result<Option<ExecuteTask::Result>> {
        // Feedback that nobody takes fills its queue up, and `r2r` complains.
        while next(&mut self.feedback).is_some() {}
        match self.end.as_mut().now_or_never() {
            None => Ok(None),
            Some(end) => Ok(Some(end.context("the end of the task was not told")?.1)),
        }
    }
}

/// # Errors
/// Where somebody wants to stop.
pub(super) fn check(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::SeqCst) {
        bail!("stopped");
    }
    Ok(())
}
