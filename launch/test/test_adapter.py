"""The adapter as a running node, driven over ROS."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, skip

try:
    import rclpy
except ImportError:
    rclpy = None

if rclpy is not None:
    from geometry_msgs.msg import Twist, TwistStamped
    from sensor_msgs.msg import JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

ADAPTER = Path(__file__).resolve().parent.parent / "scripts" / "simulator_adapter"
PATIENCE_S = 15.0


class Rig:
    """A running adapter and a node that talks to it."""

    def __init__(self, folder, parameters, setup=""):
        urdf = (ROOT / "sim/assets/steward.urdf").read_text()
        given = {"robot_description": urdf, "setup_file": setup, **parameters}
        file = folder / "parameters.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": given}}))
        self.node = rclpy.create_node("stranger", namespace="rig")
        self.received = {}
        self.publishers = {}
        self.process = subprocess.Popen(
            [sys.executable, ADAPTER, "--ros-args", "-r", "__ns:=/rig", "--params-file", file], env=os.environ
        )

    def listen(self, kind, topic, **qos):
        depth = qos.get("qos", 10)
        self.received[topic] = []
        self.node.create_subscription(kind, topic, self.received[topic].append, depth)

    def say(self, topic, message):
        if topic not in self.publishers:
            self.publishers[topic] = self.node.create_publisher(type(message), topic, 10)
        self.publishers[topic].publish(message)

    def until(self, condition, again=lambda: None):
        """Repeats something until a condition holds."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            again()
            rclpy.spin_once(self.node, timeout_sec=0.02)
            if condition():
                return
        raise AssertionError(f"nothing came of it within {PATIENCE_S} s; exit code {self.process.poll()}")

    def close(self):
        # Twice, as from a terminal and the launch at once.
        for _ in range(2):
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        self.node.destroy_node()
        return code


@pytest.fixture
def ros():
    if rclpy is None:
        skip("rclpy is not installed (cargo xtask ros setup)")
    rclpy.init()
    yield
    rclpy.shutdown()


def velocity(x):
    message = TwistStamped()
    message.twist.linear.x = x
    return message


def command(name, position, speed):
    point = JointTrajectoryPoint(positions=[position], velocities=[speed])
    return JointTrajectory(joint_names=[name], points=[point])


def test_it_drives_stops_and_moves_joints_at_their_speed(ros, tmp_path):
    rig = Rig(tmp_path, {"simulator": "isaac"})
    rig.listen(Twist, "drive/base")
    rig.listen(JointState, "drive/joints")
    base, joints = rig.received["drive/base"], rig.received["drive/joints"]
    rig.until(lambda: any(m.linear.x == 0.3 for m in base), lambda: rig.say("cmd_vel", velocity(0.3)))
    rig.until(lambda: base[-1].linear.x == 0.0)
    rig.say("cmd_vel", velocity(float("nan")))

    states = JointState(name=["arm_extend_joint"], position=[0.0])

    def order():
        rig.say("joint_states", states)
        rig.say("joint_command", command("arm_extend_joint", 0.2, 0.4))

    rig.until(lambda: joints, order)
    rig.until(lambda: abs(joints[-1].position[joints[-1].name.index("arm_extend_joint")] - 0.2) < 1e-9)
    ways = [dict(zip(m.name, m.position)) for m in joints]
    assert len({w["arm_extend_joint"] for w in ways}) > 5, "it went there in steps"
    assert all(w["arm_segment_2_joint"] == pytest.approx(0.5 * w["arm_extend_joint"]) for w in ways)
    assert all(m.linear.x in (0.0, 0.3) for m in base), "the command that was no number went nowhere"
    assert rig.close() == 0


def test_it_turns_gazebos_contacts_into_the_loops_and_hands_on_the_floor_plan(ros, tmp_path):
    contacts = pytest.importorskip("ros_gz_interfaces.msg", reason="ros_gz_interfaces comes with Gazebo only")
    messages = pytest.importorskip("steward_msgs.msg", reason="steward_msgs is not built")
    from geometry_msgs.msg import Vector3
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import Float64

    setup = tmp_path / "setup.yaml"
    setup.write_text("rooms: [{name: den, kind: office, x_m: 1.0, y_m: 2.0, half_x_m: 3.0, half_y_m: 4.0}]\n")
    rig = Rig(tmp_path, {"simulator": "gazebo"}, str(setup))
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    rig.listen(messages.FloorPlan, "floor_plan", qos=latched)
    rig.listen(messages.Bumper, "bumper")
    rig.listen(messages.GripperContacts, "gripper_contacts")
    rig.listen(Float64, "drive/lift_joint")
    bumper, gripper = rig.received["bumper"], rig.received["gripper_contacts"]
    rig.until(lambda: rig.received["floor_plan"])
    (room,) = rig.received["floor_plan"][0].rooms
    assert (room.name, room.kind, room.area.middle.y_m, room.area.half_x_m) == ("den", "office", 2.0, 3.0)

    touched = contacts.Contacts(contacts=[contacts.Contact(positions=[Vector3(x=0.0, y=0.3)])])
    names = ["gripper_joint", "gripper_right_joint", "lift_joint"]

    def touch():
        rig.say("joint_states", JointState(name=names, position=[0.02, 0.03, 0.1]))
        rig.say("contacts/bumper", touched)
        rig.say("contacts/finger_left", touched)
        rig.say("joint_command", command("lift_joint", 0.3, 0.1))

    rig.until(lambda: any(m.left for m in gripper) and any(m.pressed for m in bumper), touch)
    pressed = next(m for m in bumper if m.pressed)
    assert pressed.direction_rad == pytest.approx(1.5707963) and pressed.header.frame_id == "base_link"
    held = next(m for m in gripper if m.left)
    assert not held.right and held.opening_m == pytest.approx(0.05)
    rig.until(lambda: not gripper[-1].left and not bumper[-1].pressed)
    rig.until(lambda: any(m.data > 0.1 for m in rig.received["drive/lift_joint"]), touch)
    assert rig.close() == 0


def test_it_says_what_is_missing(ros, tmp_path):
    for parameters, says in [({"simulator": "unity"}, "gazebo or isaac"), ({"simulator": ""}, "gazebo or isaac")]:
        rig = Rig(tmp_path, parameters)
        assert rig.process.wait(20) == 1, says
        rig.node.destroy_node()
