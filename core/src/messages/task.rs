use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Header, RelationKind, Skill};
use crate::ids::{StepId, TaskId};
use crate::time::Time;

/// What the robot is asked to bring about (`steward_msgs/Task`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Time of the order.
    pub header: Header,
    /// Names the task.
    pub id: TaskId,
    /// What must hold in the end.
    pub goal: Goal,
    /// What must be kept meanwhile: formulas of temporal logic on finite traces over `in(robot, room)`,
    /// `on(class, class)`, `in(class, class)`, `near(class, class)`, `open(class)` and `held(class)`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Give up at this time.
    pub deadline: Time,
}

/// Order to stop working on a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelTask {
    /// Time of the order.
    pub header: Header,
    /// Which task.
    pub id: TaskId,
}

/// A conjunction of relations between classes of things; each subject stands for one object of its class.
///
/// Written `on(mug, desk) & in(apple, fridge)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// The relations, all of which must hold at the end.
    pub relations: Vec<GoalRelation>,
}

/// One relation of a [`Goal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalRelation {
    /// How.
    pub kind: RelationKind,
    /// Class of what is to be moved.
    pub subject: String,
    /// Class of the surface, container or landmark.
    pub object: String,
}

/// Why a goal could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read goal at column {column}: {problem}\n  {text}\n  {:>column$}",
    "^"
)]
pub struct GoalError {
    /// The goal as given.
    pub text: String,
    /// Column, from 1.
    pub column: usize,
    /// What was found and expected.
    pub problem: String,
}

/// Most relations in one goal.
pub const MAX_RELATIONS: usize = 16;

impl FromStr for Goal {
    type Err = GoalError;

    fn from_str(text: &str) -> Result<Self, GoalError> {
        let error = |at: usize, problem: String| GoalError {
            text: text.to_owned(),
            column: text[..at].chars().count() + 1,
            problem,
        };
        let mut relations = Vec::new();
        let mut at = 0;
        loop {
            let end = text[at..].find('&').map_or(text.len(), |i| at + i);
            let start = end.min(at + text[at..].len() - text[at..].trim_start().len());
            let clause = text[start..end].trim_end();
            let expected = "expected a relation such as on(mug, desk)";
            if clause.is_empty() {
                return Err(error(start, format!("{expected}, found nothing")));
            }
            let Some((name, rest)) = clause.split_once('(') else {
                return Err(error(start, format!("{expected}, found `{clause}`")));
            };
            let kind = match name.trim() {
                "on" => RelationKind::On,
                "in" => RelationKind::In,
                "near" => RelationKind::Near,
                other => {
                    return Err(error(
                        start,
                        format!("unknown relation `{other}`; use on, in or near"),
                    ));
                }
            };
            let Some(inner) = rest.strip_suffix(')') else {
                return Err(error(start + clause.len(), "expected `)`".into()));
            };
            let inner_at = start + name.len() + 1;
            let Some((subject, object)) = inner.split_once(',') else {
                return Err(error(inner_at, "expected two names separated by a comma".into()));
            };
            let class = |raw: &str, offset: usize| {
                let name = raw.trim();
                let ok = !name.is_empty()
                    && name
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                if ok {
                    Ok(name.to_owned())
                } else {
                    let found = format!("`{name}` is no class name; use lower-case letters, digits and _");
                    Err(error(offset, found))
                }
            };
            relations.push(GoalRelation {
                kind,
                subject: class(subject, inner_at)?,
                object: class(object, inner_at + subject.len() + 1)?,
            });
            if relations.len() > MAX_RELATIONS {
                return Err(error(start, format!("more than {MAX_RELATIONS} relations")));
            }
            if end == text.len() {
                return Ok(Goal { relations });
            }
            at = end + 1;
        }
    }
}

impl fmt::Display for GoalRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}, {})", self.kind, self.subject, self.object)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.relations.iter().enumerate() {
            let and = if i == 0 { "" } else { " & " };
            write!(f, "{and}{r}")?;
        }
        Ok(())
    }
}

/// The plan as it stands (`steward_msgs/Plan`): what was done, what is being done, what is intended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Time of the decision.
    pub header: Header,
    /// For which task.
    pub task: TaskId,
    /// Counts the times the plan was made anew.
    pub revision: u32,
    /// Steps in order, finished ones included.
    pub steps: Vec<PlanStep>,
    /// The action tree that the plan was chosen from, root first, parents before their children; empty where the
    /// robot explores.
    #[serde(default)]
    pub tree: Vec<TreeNode>,
    /// One sentence: why the plan looks like this.
    pub reason: String,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Set once the step was sent to the executor.
    pub step: Option<StepId>,
    /// What to do.
    pub skill: Skill,
    /// In words with class names: `pick mug o12`.
    pub label: String,
    /// How it stands.
    pub state: StepState,
}

/// A node of the action tree of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Number of the node before it; the root is its own.
    pub parent: u32,
    /// Its step, in words; empty at the root.
    pub label: String,
    /// Plans that go through it.
    pub votes: u32,
    /// How it stands; abandoned where it was pruned or its step was not needed.
    pub state: StepState,
}

/// How a step of a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Intended.
    Pending,
    /// Sent to the executor.
    Running,
    /// The executor is done, the validator has not decided yet.
    Validating,
    /// Done and confirmed.
    Confirmed,
    /// Failed or refuted.
    Failed,
    /// Dropped because the plan changed.
    Abandoned,
}

/// How a task ended (`steward_msgs/TaskResult`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Time of the end.
    pub header: Header,
    /// Which task.
    pub id: TaskId,
    /// The end.
    pub outcome: Outcome,
    /// One sentence for people.
    pub detail: String,
}

/// Success, or the reason of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every relation of the goal was observed to hold.
    Succeeded,
    /// It was not brought about.
    Failed(FailureReason),
}

/// The closed list of reasons for which a task fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// Everything reachable was searched and no object of the class was found.
    ObjectNotFound,
    /// Everything reachable was searched and no target of the class was found.
    TargetNotFound,
    /// The object or target was seen but the base or arm cannot get to it.
    Unreachable,
    /// Grasping failed too often.
    GraspFailed,
    /// Placing failed too often.
    PlaceFailed,
    /// A container could not be opened or closed.
    ContainerStuck,
    /// The goal cannot be brought about by any sequence of skills.
    NoPlan,
    /// The goal names something the robot has no notion of, or contradicts itself.
    InvalidGoal,
    /// The deadline passed.
    TimedOut,
    /// Stopped on request.
    Cancelled,
    /// Sensor data stopped coming.
    SensorsLost,
    /// An effect could not be confirmed by observation.
    Unconfirmed,
    /// A rule cannot be read, or names something that is not there.
    InvalidRule,
    /// Goal and rules cannot be kept together.
    RuleConflict,
    /// A rule was seen to be broken for good.
    RuleViolated,
    /// Another order is under way.
    Busy,
    /// The executor gave up the skill that was asked for.
    SkillFailed,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureReason::ObjectNotFound => "object not found",
            FailureReason::TargetNotFound => "target not found",
            FailureReason::Unreachable => "unreachable",
            FailureReason::GraspFailed => "grasp failed",
            FailureReason::PlaceFailed => "place failed",
            FailureReason::ContainerStuck => "container stuck",
            FailureReason::NoPlan => "no plan",
            FailureReason::InvalidGoal => "invalid goal",
            FailureReason::TimedOut => "timed out",
            FailureReason::Cancelled => "cancelled",
            FailureReason::SensorsLost => "sensors lost",
            FailureReason::Unconfirmed => "unconfirmed",
            FailureReason::InvalidRule => "invalid rule",
            FailureReason::RuleConflict => "rules in conflict",
            FailureReason::RuleViolated => "rule violated",
            FailureReason::Busy => "busy",
            FailureReason::SkillFailed => "skill failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_and_written() {
        let goal: Goal = " on(mug, desk)& in( apple ,fridge)".parse().unwrap();
        assert_eq!(goal.to_string(), "on(mug, desk) & in(apple, fridge)");
        assert_eq!(goal.to_string().parse::<Goal>().unwrap(), goal);
    }

    #[test]
    fn errors_point_at_the_column() {
        for (text, column) in [
            ("", 1),
            ("on(mug, desk) &", 16),
            ("under(mug, desk)", 1),
            ("on(mug desk)", 4),
            ("on(Mug, desk)", 4),
            ("on(mug, desk", 13),
            ("on(mug, a-b)", 8),
        ] {
            let error = text.parse::<Goal>().unwrap_err();
            assert_eq!(error.column, column, "{error}");
        }
    }
}
