//! A goal that was sent to somebody else's action, from the sending to its end.

use std::pin::Pin;

use futures::{Future, FutureExt};
use r2r::{ActionClient, ActionClientGoal, GoalStatus, WrappedActionTypeSupport};

use super::{Incoming, next};

type Answer<T> = Pin<Box<dyn Future<Output = r2r::Result<T>>>>;

/// The goal.
pub(crate) struct Sent<A: WrappedActionTypeSupport> {
    answer: Option<Answer<Taken<A>>>,
    taken: Option<Taken<A>>,
}

/// One that was taken.
struct Taken<A: WrappedActionTypeSupport> {
    goal: ActionClientGoal<A>,
    end: Answer<(GoalStatus, A::Result)>,
    feedback: Incoming<A::Feedback>,
}

/// What became of a goal.
pub(crate) enum Step<A: WrappedActionTypeSupport> {
    /// It was taken.
    Taken,
    /// It was refused, or ROS lost it.
    Refused(r2r::Error),
    /// It is over.
    Ended(GoalStatus, A::Result),
}

impl<A: WrappedActionTypeSupport + 'static> Sent<A> {
    /// Sends a goal.
    ///
    /// # Errors
    /// Where ROS cannot.
    pub(crate) fn new(client: &ActionClient<A>, goal: A::Goal) -> r2r::Result<Self> {
        let answer = client.send_goal_request(goal)?.map(|answer| {
            answer.map(|(goal, end, feedback)| Taken {
                goal,
                end: Box::pin(end),
                feedback: Box::pin(feedback),
            })
        });
        Ok(Sent {
            answer: Some(Box::pin(answer)),
            taken: None,
        })
    }

    /// What became of it since this was asked last.
    pub(crate) fn turn(&mut self) -> Option<Step<A>> {
        if let Some(taken) = &mut self.taken {
            // Feedback that nobody takes fills its queue up, and `r2r` complains of each.
            while next(&mut taken.feedback).is_some() {}
            return Some(match taken.end.as_mut().now_or_never()? {
                Ok((status, result)) => Step::Ended(status, result),
                Err(e) => Step::Refused(e),
            });
        }
        let answer = self.answer.as_mut()?.as_mut().now_or_never()?;
        self.answer = None;
        Some(match answer {
            Ok(taken) => {
                self.taken = Some(taken);
                Step::Taken
            }
            Err(e) => Step::Refused(e),
        })
    }

    /// Asks whoever took it to give it up.
    pub(crate) fn cancel(&self) {
        let Some(taken) = &self.taken else { return };
        // The answer says nothing that the end does not.
        if let Err(e) = taken.goal.cancel() {
            log::error!("a goal cannot be cancelled: {e}");
        }
    }
}
