"""Starts executables and watches them over ROS."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import rclpy
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState, PointCloud2
from steward_msgs.action import ExecuteTask, RunSkill
from steward_msgs.msg import (
    FloorPlan,
    Plan,
    RuleMonitors,
    SceneGraph,
    SkillCommand,
    SkillStatus,
    Task,
    TaskResult,
    Verdict,
)
from tf2_msgs.msg import TFMessage

HOME = Path(__file__).resolve().parents[3] / "maps/apartment.yaml"
GOAL = "on(mug, desk)"

# Nothing here takes this long; a test that waits longer has failed.
PATIENCE_S = 90.0

SENSOR = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
# What the loop says, and how somebody listens.
TOPICS = {
    "/clock": (Clock, SENSOR),
    "/tf": (TFMessage, RELIABLE),
    "/tf_static": (TFMessage, LATCHED),
    "/diagnostics": (DiagnosticArray, RELIABLE),
    "head_camera/color/image_raw": (Image, SENSOR),
    "head_camera/depth/image_rect": (Image, SENSOR),
    "head_camera/camera_info": (CameraInfo, SENSOR),
    "odom": (Odometry, SENSOR),
    "joint_states": (JointState, SENSOR),
    "map": (OccupancyGrid, LATCHED),
    "obstacles": (PointCloud2, LATCHED),
    "scene_graph": (SceneGraph, LATCHED),
    "plan": (Plan, LATCHED),
    "floor_plan": (FloorPlan, LATCHED),
    "task_result": (TaskResult, LATCHED),
    "rule_monitors": (RuleMonitors, LATCHED),
    "task": (Task, RELIABLE),
    "skill_command": (SkillCommand, RELIABLE),
    "skill_status": (SkillStatus, RELIABLE),
    "verdict": (Verdict, RELIABLE),
    "cmd_vel": (TwistStamped, RELIABLE),
    "simulator/truth": (SceneGraph, LATCHED),
}


class Loop:
    """A process of `steward_ros`. Leaving the block ends it, whatever happened."""

    def __init__(self, executable="steward_loop", namespace="", arguments=(), **parameters):
        install = Path(os.environ["STEWARD_ROS_INSTALL"])
        command = [str(install / "lib/steward_ros" / executable), "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else f"'{value}'" if value == "" else str(value)
            command += ["-p", f"{name}:={text}"]
        if namespace:
            command += ["-r", f"__ns:={namespace}"]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*command, *arguments], stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            if kind is not None:
                print(self.threads())
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print(self.output())

    def stop(self):
        """As Ctrl-C does it. Returns how long that took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE_S)
        assert code == 0, f"ended with {code}: {self.output()}"
        return time.monotonic() - begun

    def threads(self):
        """What each thread waits for in the kernel: where a process hangs that no longer says anything."""

        def read(task, what):
            try:
                return (task / what).read_text().strip().replace("\n", " < ")
            except OSError as e:
                return f"({e})"

        tasks = sorted(Path(f"/proc/{self.process.pid}/task").iterdir())
        return "\n".join(f"{t.name} {read(t, 'comm')}: {read(t, 'syscall')}; {read(t, 'stack')}" for t in tasks)

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")


class Watcher:
    """A node that knows topics, services and actions, and nothing else."""

    def __init__(self, namespace=""):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(f"watcher_{time.monotonic_ns()}", namespace=namespace, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard = {}
        self.tasks = ActionClient(self.node, ExecuteTask, "execute_task")
        self.skills = ActionClient(self.node, RunSkill, "run_skill")

    def close(self):
        self.tasks.destroy()
        self.skills.destroy()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, topic):
        """Every message on a topic from now on."""
        if topic not in self.heard:
            kind, qos = TOPICS[topic]
            self.heard[topic] = []
            self.node.create_subscription(kind, topic, self.heard[topic].append, qos)
        return self.heard[topic]

    def everything(self):
        return {topic: self.listen(topic) for topic in TOPICS}

    def newest(self, topic):
        heard = self.listen(topic)
        return heard[-1] if heard else None

    def latched(self, topic):
        """What a topic says to somebody who comes now."""
        return self.wait(lambda: self.newest(topic), f"something on {topic}")

    def now_s(self):
        clock = self.newest("/clock")
        return stamp_s(clock.clock) if clock else 0.0

    def wait(self, condition, what, patience_s=PATIENCE_S):
        """Spins until a condition is true, and returns it."""
        end = time.monotonic() + patience_s
        while not (held := condition()):
            assert time.monotonic() < end, f"no {what} within {patience_s} s"
            self.executor.spin_once(0.05)
        return held

    def spin_for(self, wall_s):
        end = time.monotonic() + wall_s
        while time.monotonic() < end:
            self.executor.spin_once(0.02)

    def future(self, future, what, patience_s=PATIENCE_S):
        self.wait(future.done, what, patience_s)
        return future.result()

    def send(self, goal, on_feedback=None):
        client = self.skills if isinstance(goal, RunSkill.Goal) else self.tasks
        self.wait(client.server_is_ready, "action server")
        listen = (lambda m: on_feedback(m.feedback)) if on_feedback else None
        return self.future(client.send_goal_async(goal, feedback_callback=listen), "answer to the goal")

    def execute(self, patience_s=PATIENCE_S, **goal):
        """Sends a goal and waits for its end."""
        return action_result(self, self.send(ExecuteTask.Goal(**goal)), patience_s)

    def run(self, skill, on_feedback=None, **goal):
        """Asks for one skill and waits for its end."""
        return action_result(self, self.send(RunSkill.Goal(skill=skill, **goal), on_feedback))

    def call(self, kind, name, request):
        client = self.node.create_client(kind, name)
        self.wait(client.service_is_ready, f"service {name}")
        try:
            return self.future(client.call_async(request), f"answer of {name}")
        finally:
            self.node.destroy_client(client)

    def change(self, label, node="steward_loop"):
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, f"{node}/change_state", request).success

    def state(self, node="steward_loop"):
        return self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label


def action_result(watcher, handle, patience_s=PATIENCE_S):
    """Status and result of a goal."""
    done = watcher.future(handle.get_result_async(), "end of the task", patience_s)
    return done.status, done.result


def stamp_s(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


SUCCEEDED, CANCELED, ABORTED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED
