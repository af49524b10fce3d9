//! Actions whose goals are orders to the loop: [`Tasks`] and [`Skills`](super::skills::Skills).
//!
//! A goal that ROS refuses has no result, and so no reason: every goal is accepted, and one that cannot be begun ends
//! at once, with its code and a sentence.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use r2r::steward_msgs::action::ExecuteTask::Result as Code;
use r2r::{ActionServerCancelRequest, ActionServerGoal, ActionServerGoalRequest, WrappedActionTypeSupport};
use steward_core::ids::TaskId;
use steward_core::messages::{FailureReason, Outcome};
use steward_core::{Duration, Time};
use steward_nodes::message::Message;

use super::skills::SkillAsked;
use super::tasks::TaskAsked;
use super::{Incoming, next};
use crate::world::Order;

/// Why a goal is not begun, or ends for a reason of this node: code and sentence.
pub(crate) type Refusal = (u16, String);

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

/// How an order ended, with what actions say of it.
pub(crate) struct End {
    pub(crate) id: TaskId,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) error_code: u16,
    pub(crate) error_msg: String,
    pub(crate) detail: String,
}

impl End {
    /// As the planner says it.
    pub(crate) fn new(id: TaskId, outcome: Outcome, detail: &str) -> End {
        let (error_code, error_msg) = match outcome {
            Outcome::Succeeded => (Code::NONE as u16, String::new()),
            Outcome::Failed(FailureReason::Busy) => (Code::BUSY as u16, detail.to_owned()),
            // Numbered in the order of declaration, as on the topic `task_result`.
            Outcome::Failed(reason) => (100 + reason as u16, format!("{reason}: {detail}")),
        };
        End {
            id,
            outcome: Some(outcome),
            error_code,
            error_msg,
            detail: detail.to_owned(),
        }
    }
}

/// An action whose goals are orders; itself how one of them goes.
pub(crate) trait Asked: Default {
    type Action: WrappedActionTypeSupport + 'static;
    const NAME: &'static str;

    /// Seconds; 0 for the default.
    fn time_limit_s(goal: &<Self::Action as WrappedActionTypeSupport>::Goal) -> f64;

    /// The order that a goal is.
    fn order(
        goal: &<Self::Action as WrappedActionTypeSupport>::Goal,
        id: TaskId,
        limit: Duration,
        classes: &BTreeSet<String>,
    ) -> Result<Order, Refusal>;

    /// Which order a message is about, and when it was said.
    fn about(message: &Message) -> Option<(TaskId, Time)>;

    /// Takes note of what is said about the order; whether that is worth telling.
    fn hear(&mut self, message: &Message) -> bool;

    /// What there is to tell, so many seconds after the order.
    fn feedback(&self, elapsed_s: f64) -> <Self::Action as WrappedActionTypeSupport>::Feedback;

    /// The end, where a message says so.
    fn end(message: &Message) -> Option<End>;

    fn result(end: End) -> <Self::Action as WrappedActionTypeSupport>::Result;
}

/// The action servers.
pub struct Orders {
    tasks: Server<TaskAsked>,
    skills: Server<SkillAsked>,
    last: TaskId,
}

impl Orders {
    /// # Errors
    /// Where ROS refuses an action.
    pub fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Orders {
            tasks: Server::new(node)?,
            skills: Server::new(node)?,
            last: TaskId(0),
        })
    }

    /// Begins and cancels what was asked for.
    pub fn turn(&mut self, terms: &Terms<'_>) {
        let others = !self.skills.running.is_empty();
        self.tasks.turn(terms, others, &mut self.last);
        let others = !self.tasks.running.is_empty();
        self.skills.turn(terms, others, &mut self.last);
    }

    /// Ends what is under way, for a reason of this node.
    pub fn end_all(&mut self, order: Option<Give<'_>>, code: u16, why: &str) {
        self.tasks.end_all(order, code, why);
        self.skills.end_all(order, code, why);
    }

    /// Tells clients what the loop says about their orders.
    pub fn on_message(&mut self, message: &Message) {
        self.tasks.on_message(message);
        self.skills.on_message(message);
    }
}

struct Server<A: Asked> {
    goals: Incoming<ActionServerGoalRequest<A::Action>>,
    running: BTreeMap<TaskId, Running<A>>,
}

/// An order that a client waits for.
struct Running<A: Asked> {
    goal: ActionServerGoal<A::Action>,
    cancels: Incoming<ActionServerCancelRequest>,
    ordered: Option<Time>,
    asked: A,
    is_cancelled: bool,
}

impl<A: Asked> Server<A> {
    fn new(node: &mut r2r::Node) -> Result<Self> {
        Ok(Server {
            goals: Box::pin(node.create_action_server::<A::Action>(A::NAME)?),
            running: BTreeMap::new(),
        })
    }

    fn turn(&mut self, terms: &Terms<'_>, others: bool, last: &mut TaskId) {
        while let Some(request) = next(&mut self.goals) {
            if let Err(e) = self.begin(request, terms, others, last) {
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

    fn end_all(&mut self, order: Option<Give<'_>>, code: u16, why: &str) {
        for (id, running) in std::mem::take(&mut self.running) {
            give(order, Order::Cancel(id));
            running.abort(id, (code, why.to_owned()));
        }
    }

    fn on_message(&mut self, message: &Message) {
        if let Some((id, at)) = A::about(message)
            && let Some(running) = self.running.get_mut(&id)
        {
            running.ordered.get_or_insert(at);
            if running.asked.hear(message) {
                running.tell(at);
            }
        }
        if let Some(end) = A::end(message)
            && let Some(running) = self.running.remove(&end.id)
        {
            running.end(end);
        }
    }

    fn begin(
        &mut self,
        request: ActionServerGoalRequest<A::Action>,
        terms: &Terms<'_>,
        others: bool,
        last: &mut TaskId,
    ) -> Result<()> {
        let goal = request.goal.clone();
        let is_busy = others || !self.running.is_empty();
        let (handle, cancels) = request.accept()?;
        let running = Running {
            goal: handle,
            cancels: Box::pin(cancels),
            ordered: None,
            asked: A::default(),
            is_cancelled: false,
        };
        match order::<A>(&goal, terms, is_busy, TaskId(last.0 + 1)) {
            Ok(id) => {
                *last = id;
                running.tell(Time::ZERO);
                self.running.insert(id, running);
            }
            Err(refusal) => running.abort(TaskId(0), refusal),
        }
        Ok(())
    }
}

/// Gives an order, or says why it is not begun.
fn order<A: Asked>(
    goal: &<A::Action as WrappedActionTypeSupport>::Goal,
    terms: &Terms<'_>,
    is_busy: bool,
    id: TaskId,
) -> Result<TaskId, Refusal> {
    let inactive = |why: String| (Code::NOT_ACTIVE as u16, why);
    let Some(give) = terms.give else {
        return Err(inactive("the node is not active; activate it first".into()));
    };
    if is_busy {
        let why = "another order is under way; cancel it first";
        return Err((Code::BUSY as u16, why.into()));
    }
    let limit_s = match A::time_limit_s(goal) {
        0.0 => terms.time_limit_s,
        asked => asked,
    };
    if !(limit_s > 0.0 && limit_s <= 1e6) {
        return Err((
            Code::INVALID_GOAL as u16,
            format!("time_limit_s is {limit_s} and must be between 0 and 1000000"),
        ));
    }
    let order = A::order(goal, id, Duration::from_secs_f64(limit_s), terms.classes)?;
    give(order).map_err(|e| inactive(format!("{e:#}")))?;
    Ok(id)
}

fn give(order: Option<Give<'_>>, what: Order) {
    if let Some(give) = order
        && let Err(e) = give(what)
    {
        log::error!("{e:#}");
    }
}

impl<A: Asked> Running<A> {
    fn tell(&self, now: Time) {
        let elapsed_s = self.ordered.map_or(0.0, |at| (now - at).secs_f64().max(0.0));
        if let Err(e) = self.goal.publish_feedback(self.asked.feedback(elapsed_s)) {
            log::warn!("feedback cannot be told: {e}");
        }
    }

    fn abort(mut self, id: TaskId, (error_code, error_msg): Refusal) {
        log::warn!("order refused or ended: {error_msg}");
        warn(self.goal.abort(A::result(End {
            id,
            outcome: None,
            error_code,
            error_msg,
            detail: String::new(),
        })));
    }

    fn end(mut self, end: End) {
        let is_done = end.outcome == Some(Outcome::Succeeded);
        let result = A::result(end);
        warn(match (is_done, self.is_cancelled) {
            (true, _) => self.goal.succeed(result),
            (false, true) => self.goal.cancel(result),
            (false, false) => self.goal.abort(result),
        });
    }
}

fn warn(told: r2r::Result<()>) {
    if let Err(e) = told {
        log::error!("the end of an order cannot be told: {e}");
    }
}
