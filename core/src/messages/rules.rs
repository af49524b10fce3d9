use serde::{Deserialize, Serialize};

use super::Header;
use crate::ids::TaskId;

/// Rules that hold for every later task and skill (`steward_msgs/SetRules`), in place of those that were set before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetRules {
    /// Time of the order.
    pub header: Header,
    /// Names the request in its [`Answer`](super::Answer).
    pub request: u32,
    /// The rules, as in a [`Task`](super::Task).
    pub rules: Vec<String>,
}

/// How the rules of the order under way stand (`steward_msgs/RuleMonitors`), said on every change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleMonitors {
    /// Time of the change.
    pub header: Header,
    /// The task, or the skill that was asked for.
    pub task: TaskId,
    /// One for each rule: those of the order, then the standing ones.
    pub monitors: Vec<RuleMonitor>,
}

/// How one rule stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleMonitor {
    /// The rule, as a formula.
    pub rule: String,
    /// How it stands by what was seen so far.
    pub verdict: RuleVerdict,
    /// What is still to be done by it, in words; empty unless something is owed.
    pub owed: Vec<String>,
}

/// The verdict on a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleVerdict {
    /// Kept, whatever happens next.
    PermanentlySatisfied,
    /// Kept so far; what happens next may still break it or make something owed.
    SatisfiedSoFar,
    /// Something is owed, and can still be done.
    OpenObligation,
    /// Broken, whatever happens next.
    PermanentlyViolated,
}
