use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FloorArea, Header, Outcome, RelationKind};
use crate::geometry::{Point3, Pose2};
use crate::ids::{ObjectId, StepId, TaskId};
use crate::time::Time;

/// One thing that the executor knows how to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skill {
    /// Drive somewhere, looking ahead.
    Navigate {
        /// Where to.
        to: NavigationTarget,
    },
    /// Turn the head (and the base where the head does not reach) so that the camera sees a point, and hold
    /// still for long enough to see it well. Several points are looked at in turn.
    Look {
        /// Points to look at, frame `map`.
        at: Vec<Point3>,
    },
    /// Take the handle of a part and open it.
    Open {
        /// The part: a door, drawer or lid.
        part: ObjectId,
    },
    /// Take the handle of a part and close it.
    Close {
        /// The part.
        part: ObjectId,
    },
    /// Grasp an object and lift it.
    Pick {
        /// What.
        object: ObjectId,
    },
    /// Put what is held somewhere and let go.
    Place {
        /// What is held.
        object: ObjectId,
        /// How it is to relate to the target.
        relation: RelationKind,
        /// Surface, container or landmark.
        target: ObjectId,
    },
}

/// Where to drive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NavigationTarget {
    /// A pose in `map`.
    Pose(Pose2),
    /// Somewhere from which the object can be seen well and, if it is in reach at all, reached.
    Object(ObjectId),
}

impl fmt::Display for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skill::Navigate {
                to: NavigationTarget::Pose(p),
            } => {
                write!(
                    f,
                    "navigate({:.2}, {:.2}, {:.0}°)",
                    p.x_m,
                    p.y_m,
                    p.yaw_rad.to_degrees()
                )
            }
            Skill::Navigate {
                to: NavigationTarget::Object(o),
            } => write!(f, "navigate({o})"),
            Skill::Look { at } => write!(f, "look({} points)", at.len()),
            Skill::Open { part } => write!(f, "open({part})"),
            Skill::Close { part } => write!(f, "close({part})"),
            Skill::Pick { object } => write!(f, "pick({object})"),
            Skill::Place {
                object,
                relation,
                target,
            } => write!(f, "place({object}, {relation}, {target})"),
        }
    }
}

/// One skill that an operator asks for directly (`steward_msgs/SkillRequest`). It is carried out as a task of one step:
/// named, cancelled and judged like one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkillRequest {
    /// Time of the order; frame `map`.
    pub header: Header,
    /// Names it; tasks and skills share the numbers.
    pub id: TaskId,
    /// What to do.
    pub skill: Skill,
    /// What must be kept meanwhile, as in a [`Task`](super::Task).
    pub rules: Vec<String>,
    /// Give up at this time.
    pub deadline: Time,
}

/// How a [`SkillRequest`] ended (`steward_msgs/SkillResult`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkillResult {
    /// Time of the end.
    pub header: Header,
    /// Which request.
    pub id: TaskId,
    /// Success where what the skill promises was observed.
    pub outcome: Outcome,
    /// What the executor failed at, where it did.
    pub failure: Option<SkillFailure>,
    /// One sentence for people.
    pub detail: String,
}

/// Order to run a skill (`steward_msgs/SkillCommand`). A newer command cancels the running one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkillCommand {
    /// Time of the decision; frame `map`.
    pub header: Header,
    /// Names this execution.
    pub step: StepId,
    /// What to do.
    pub skill: Skill,
    /// Floor that the base must not enter meanwhile.
    #[serde(default)]
    pub keep_out: Vec<FloorArea>,
}

/// Order to stop the running skill; the robot halts and keeps hold of what it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelSkill {
    /// Time of the decision.
    pub header: Header,
    /// The execution to stop.
    pub step: StepId,
}

/// How a skill is doing (`steward_msgs/SkillStatus`), sent on every change and at a low rate while running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkillStatus {
    /// Stamp.
    pub header: Header,
    /// Which execution.
    pub step: StepId,
    /// The skill.
    pub skill: Skill,
    /// How it is doing.
    pub state: SkillState,
    /// One short sentence for people: what it does now, or why it ended.
    pub detail: String,
}

/// State of a skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillState {
    /// Under way.
    Running,
    /// The executor did all it had to do. Whether the effect holds is the validator's to say.
    Done,
    /// Ended without doing it.
    Failed(SkillFailure),
}

/// Why a skill ended without doing what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillFailure {
    /// The object is not in memory, or memory says it is gone.
    UnknownObject,
    /// No path for the base.
    NoPath,
    /// Something stood in the way and did not leave.
    Blocked,
    /// No collision-free arm configuration reaches it from where the base can stand.
    OutOfReach,
    /// The fingers closed on nothing, or the object slipped out.
    GraspFailed,
    /// What was held is no longer held.
    Dropped,
    /// No free spot on, in or near the target.
    NoSpace,
    /// The part did not move as expected.
    Stuck,
    /// Took longer than allowed.
    TimedOut,
    /// Stopped on request.
    Cancelled,
    /// A skill was asked for in a state that forbids it (pick with a full hand, place with an empty one).
    Precondition,
    /// Sensor data or transforms stopped coming.
    StaleData,
}

impl fmt::Display for SkillFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkillFailure::UnknownObject => "unknown object",
            SkillFailure::NoPath => "no path",
            SkillFailure::Blocked => "blocked",
            SkillFailure::OutOfReach => "out of reach",
            SkillFailure::GraspFailed => "grasp failed",
            SkillFailure::Dropped => "dropped",
            SkillFailure::NoSpace => "no space",
            SkillFailure::Stuck => "stuck",
            SkillFailure::TimedOut => "timed out",
            SkillFailure::Cancelled => "cancelled",
            SkillFailure::Precondition => "precondition does not hold",
            SkillFailure::StaleData => "stale data",
        })
    }
}

/// What the validator concludes about one finished step (`steward_msgs/Verdict`), from observations alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Stamp of the observation that decided it.
    pub header: Header,
    /// Which execution.
    pub step: StepId,
    /// The conclusion.
    pub kind: VerdictKind,
    /// One sentence: which effect, and what was seen.
    pub detail: String,
}

/// Whether the promised effect of a step was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Observed to hold.
    Confirmed,
    /// Observed not to hold.
    Refuted,
    /// Could not be observed in time.
    Undecided,
}
