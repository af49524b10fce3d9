"""The robot moved through the ecosystem's actions, served here in place of Nav2 and of a controller."""

import contextlib
import threading

import pytest
import rclpy
from control_msgs.action import FollowJointTrajectory
from geometry_msgs.msg import Point, TwistStamped
from nav2_msgs.action import NavigateToPose
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from steward_msgs.msg import Pose2, Skill
from steward_test import (
    ABORTED,
    CANCELED,
    HOME,
    RELIABLE,
    SUCCEEDED,
    Loop,
    RunSkill,
    Watcher,
    action_result,
)
from trajectory_msgs.msg import JointTrajectory

Code = RunSkill.Result
AHEAD = Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.6))


class StandIn:
    """Drives straight ahead, or fails as it is told, and passes on where joints are to go."""

    def __init__(self, namespace):
        self.error_code, self.is_lazy = 0, False
        self.poses, self.trajectories, self.is_cancelled = [], [], threading.Event()
        self.x_m = 0.0
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("stand_in", namespace=namespace, context=self.context)
        group = ReentrantCallbackGroup()
        more = {"callback_group": group, "cancel_callback": lambda _: CancelResponse.ACCEPT}
        self.servers = [
            ActionServer(self.node, NavigateToPose, "navigate_to_pose", self.navigate, **more),
            ActionServer(self.node, FollowJointTrajectory, "body/follow_joint_trajectory", self.follow, **more),
        ]
        self.node.create_subscription(Odometry, "odom", self.on_odometry, qos_profile_sensor_data)
        self.velocity = self.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        self.joints = self.node.create_publisher(JointTrajectory, "joint_command", RELIABLE)
        self.executor = MultiThreadedExecutor(4, context=self.context)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def on_odometry(self, odometry):
        self.x_m = odometry.pose.pose.position.x

    def navigate(self, handle):
        self.poses.append(handle.request.pose)
        pause = threading.Event()
        while self.is_lazy or (self.error_code == 0 and self.x_m < handle.request.pose.pose.position.x):
            if handle.is_cancel_requested:
                self.is_cancelled.set()
                handle.canceled()
                return NavigateToPose.Result()
            if not self.is_lazy:
                twist = TwistStamped()
                twist.twist.linear.x = 0.2
                self.velocity.publish(twist)
            pause.wait(0.05)
        handle.abort() if self.error_code else handle.succeed()
        return NavigateToPose.Result(error_code=self.error_code)

    def follow(self, handle):
        trajectory = handle.request.trajectory
        self.trajectories.append(trajectory)
        (point,) = trajectory.points
        # The simulator takes a speed limit with each target.
        point.velocities = [1.0] * len(point.positions)
        self.joints.publish(trajectory)
        handle.succeed()
        return FollowJointTrajectory.Result()

    def close(self):
        self.executor.shutdown()
        self.thread.join(5)
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def moved():
    """The loop with its executor moving through actions, somebody who watches it, and who serves the actions."""
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(Loop("simulator", namespace="/moved", home=HOME))]
        for name in ("mapper", "grapher", "validator", "planner"):
            loops.append(stack.enter_context(Loop(name, namespace="/moved", use_sim_time=True)))
        own = {"driver": "navigation", "joint_action": "body/follow_joint_trajectory"}
        loops.append(stack.enter_context(Loop("executor", namespace="/moved", use_sim_time=True, **own)))
        watcher, stand_in = Watcher("/moved"), StandIn("/moved")
        watcher.latched("scene_graph")
        watcher.latched("map")
        yield watcher, stand_in
        stand_in.close()
        watcher.close()
        for loop in loops:
            loop.stop()


def test_what_nav2_gives_up_is_a_failure_with_our_reason(moved):
    watcher, stand_in = moved
    for error_code, code in [(208, Code.NO_PATH), (105, Code.BLOCKED), (202, Code.STALE_DATA)]:
        stand_in.error_code = error_code
        status, result = watcher.run(AHEAD)
        assert (status, result.error_code) == (ABORTED, code), result
        assert str(error_code) in result.error_msg
    stand_in.error_code = 0
    (pose, *_) = stand_in.poses
    assert pose.header.frame_id == "map" and abs(pose.pose.position.x - 0.6) < 1e-9


def test_cancelling_the_skill_cancels_the_drive(moved):
    watcher, stand_in = moved
    stand_in.is_lazy = True
    before = len(stand_in.poses)
    handle = watcher.send(RunSkill.Goal(skill=AHEAD))
    watcher.wait(lambda: len(stand_in.poses) > before, "drive")
    watcher.future(handle.cancel_goal_async(), "answer to the cancellation")
    status, result = action_result(watcher, handle)
    assert (status, result.error_code) == (CANCELED, Code.CANCELLED), result
    watcher.wait(stand_in.is_cancelled.is_set, "cancelled drive")
    stand_in.is_lazy = False


def test_floor_that_must_not_be_entered_is_never_left_to_others(moved):
    watcher, stand_in = moved
    before = len(stand_in.poses)
    status, result = watcher.run(Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.25)), rules=["G !in(robot, bedroom)"])
    assert status == SUCCEEDED, result
    assert len(stand_in.poses) == before


def test_nav2_drives_and_a_controller_moves_the_joints(moved):
    watcher, stand_in = moved
    status, result = watcher.run(AHEAD)
    assert status == SUCCEEDED, result
    assert stand_in.x_m > 0.5
    before = len(stand_in.trajectories)
    status, result = watcher.run(Skill(kind=Skill.LOOK, points=[Point(x=3.0, y=1.5, z=0.5)]))
    assert status == SUCCEEDED, result
    assert len(stand_in.trajectories) > before
    for trajectory in stand_in.trajectories:
        (point,) = trajectory.points
        assert len(trajectory.joint_names) == len(point.positions) > 0
        assert point.time_from_start.sec + point.time_from_start.nanosec > 0
