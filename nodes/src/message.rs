//! What travels between nodes: one enum over the message types of `steward-core`.

use std::sync::Arc;

use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::{
    Answer, Bumper, CancelSkill, CancelTask, Diagnostics, DriveGoal, DriveStatus, FloorPlan, GripperContacts,
    JointCommand, JointStates, KnownMap, KnownScene, MapRequest, MapSnapshot, ObstacleCloud, OccupancyGrid,
    Odometry, Plan, RuleMonitors, SceneChange, SceneGraph, SetRules, SkillCommand, SkillRequest, SkillResult,
    SkillStatus, Task, TaskResult, Transforms, VelocityCommand, Verdict,
};

macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident($payload:ty) = $name:literal, input: $input:literal;)*) => {
        /// One message, cheap to clone.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Message {
            $($(#[$doc])* $variant(Arc<$payload>),)*
        }

        /// A kind of message; each kind has one topic.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Topic {
            $($(#[$doc])* $variant,)*
        }

        impl Topic {
            /// Every topic, in declaration order.
            pub const ALL: &'static [Topic] = &[$(Topic::$variant,)*];

            /// Name without namespace; the ROS topic where the message is not split into several.
            pub const fn name(self) -> &'static str {
                match self { $(Topic::$variant => $name,)* }
            }

            /// Whether it enters the loop from outside (world or operator) rather than being computed in it.
            pub const fn is_input(self) -> bool {
                match self { $(Topic::$variant => $input,)* }
            }
        }

        impl Message {
            /// Its topic.
            pub const fn topic(&self) -> Topic {
                match self { $(Message::$variant(_) => Topic::$variant,)* }
            }
        }

    };
}

messages! {
    /// Head camera.
    Rgbd(RgbdFrame) = "head_camera/rgbd", input: true;
    /// What a detector says about a head camera image; has the stamp of that image and follows it.
    Segmentation(Segmentation) = "head_camera/segmentation", input: true;
    /// Wheel odometry.
    Odometry(Odometry) = "odom", input: true;
    /// Joint states.
    JointStates(JointStates) = "joint_states", input: true;
    /// Frames of the robot, from the world.
    Transforms(Transforms) = "tf", input: true;
    /// Correction of the odometry (map to odom), from the mapper.
    Localization(Transforms) = "tf_map", input: false;
    /// Finger contacts.
    GripperContacts(GripperContacts) = "gripper_contacts", input: true;
    /// Base bumper.
    Bumper(Bumper) = "bumper", input: true;
    /// An order to the robot.
    Task(Task) = "task", input: true;
    /// End of an order.
    CancelTask(CancelTask) = "cancel_task", input: true;
    /// Order to run one skill.
    SkillRequest(SkillRequest) = "skill_request", input: true;
    /// Rules for every later order.
    SetRules(SetRules) = "set_rules", input: true;
    /// Asks for the map as a whole.
    MapRequest(MapRequest) = "map_request", input: true;
    /// A map of before.
    KnownMap(KnownMap) = "known_map", input: true;
    /// Things of before.
    KnownScene(KnownScene) = "known_scene", input: true;
    /// How a drive through a navigation stack goes.
    DriveStatus(DriveStatus) = "drive_status", input: true;
    /// The rooms.
    FloorPlan(FloorPlan) = "floor_plan", input: true;
    /// The floor.
    OccupancyGrid(OccupancyGrid) = "map", input: false;
    /// Obstacles in three dimensions.
    ObstacleCloud(ObstacleCloud) = "obstacles", input: false;
    /// Objects and relations.
    SceneGraph(SceneGraph) = "scene_graph", input: false;
    /// A change of an object.
    SceneChange(SceneChange) = "scene_change", input: false;
    /// The plan.
    Plan(Plan) = "plan", input: false;
    /// Order to run a skill.
    SkillCommand(SkillCommand) = "skill_command", input: false;
    /// Order to stop a skill.
    CancelSkill(CancelSkill) = "cancel_skill", input: false;
    /// Progress of a skill.
    SkillStatus(SkillStatus) = "skill_status", input: false;
    /// Whether a step did what it promised.
    Verdict(Verdict) = "verdict", input: false;
    /// End of a task.
    TaskResult(TaskResult) = "task_result", input: false;
    /// End of a skill that was asked for.
    SkillResult(SkillResult) = "skill_result", input: false;
    /// How the rules stand.
    RuleMonitors(RuleMonitors) = "rule_monitors", input: false;
    /// The map as a whole.
    MapSnapshot(MapSnapshot) = "map_snapshot", input: false;
    /// Whether a request was taken.
    Answer(Answer) = "answer", input: false;
    /// Base command.
    VelocityCommand(VelocityCommand) = "cmd_vel", input: false;
    /// Where a navigation stack is to drive.
    DriveGoal(DriveGoal) = "drive_goal", input: false;
    /// Joint command.
    JointCommand(JointCommand) = "joint_command", input: false;
    /// Counters.
    Diagnostics(Diagnostics) = "diagnostics", input: false;
}
