"""Takes what the embedded simulator measures and says it as other worlds do."""

import array
import json
import threading

import numpy as np
import rclpy
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from steward_msgs.msg import Bumper, FloorPlan, GripperContacts, Segmentation
from trajectory_msgs.msg import JointTrajectory

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PADDING = 8


def image(message, encoding, rows, later_ms=0, padding=0):
    """An image of rows of bytes with the header of another, some milliseconds later."""
    out = Image(height=rows.shape[0], width=message.width, encoding=encoding)
    out.header.frame_id = message.header.frame_id
    out.header.stamp = later(message.header.stamp, later_ms)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    out.step = padded.shape[1]
    out.data = array.array("B", padded.tobytes())
    return out


def later(stamp, ms):
    return (Time.from_msg(stamp) + Duration(nanoseconds=ms * 1_000_000)).to_msg()


def pixels(message, kind):
    return np.frombuffer(message.data, kind).reshape(message.height, message.width, -1)


class World:
    """A relay from the simulator's namespace into the robot's, in a thread of its own."""

    def __init__(self, simulator="/world", robot="/robot"):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("foreign_world", context=self.context)
        self.simulator, self.robot = simulator, robot
        self.publishers = {}
        sensor = qos_profile_sensor_data
        self.relay(Image, "head_camera/color/image_raw", self.color, sensor)
        self.relay(Image, "head_camera/depth/image_rect", self.depth, sensor)
        self.relay(CameraInfo, "head_camera/camera_info", self.camera_info, sensor)
        self.relay(Segmentation, "head_camera/segmentation", self.labels, sensor)
        self.relay(Odometry, "odom", lambda m: self.say("odom", m), sensor)
        self.relay(JointState, "joint_states", self.joints, sensor)
        self.relay(GripperContacts, "gripper_contacts", lambda m: self.say("gripper_contacts", m), sensor)
        self.relay(Bumper, "bumper", lambda m: self.say("bumper", m), sensor)
        self.relay(FloorPlan, "floor_plan", lambda m: self.say("floor_plan", m, LATCHED), LATCHED)
        # Back: a base that knows no stamps.
        self.commands = self.node.create_publisher(TwistStamped, f"{simulator}/cmd_vel", 10)
        self.arm = self.node.create_publisher(JointTrajectory, f"{simulator}/joint_command", 10)
        self.node.create_subscription(Twist, f"{robot}/cmd_vel", lambda m: self.commands.publish(TwistStamped(twist=m)), 10)
        self.node.create_subscription(JointTrajectory, f"{robot}/joint_command", self.arm.publish, 10)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.executor.shutdown()
        self.thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def relay(self, kind, topic, translate, qos):
        self.node.create_subscription(kind, f"{self.simulator}/{topic}", translate, qos)

    def say(self, topic, message, qos=qos_profile_sensor_data):
        if topic not in self.publishers:
            self.publishers[topic] = self.node.create_publisher(type(message), f"{self.robot}/{topic}", qos)
        self.publishers[topic].publish(message)

    def joints(self, message):
        """In another order, with a joint that the robot does not have, without velocities."""
        out = JointState(header=message.header, name=["left_wheel", *reversed(message.name)])
        out.position = [float("nan"), *reversed(message.position)]
        self.say("joint_states", out)


class Gazebo(World):
    """Integer depth, blue first, padded rows, stamps that differ, a map of labels."""

    def __init__(self, numbers):
        self.numbers = numbers
        super().__init__()

    def color(self, message):
        rows = pixels(message, np.uint8)[:, :, ::-1].reshape(message.height, -1)
        self.say("head_camera/color/image_raw", image(message, "bgr8", rows, later_ms=4, padding=PADDING))

    def depth(self, message):
        metres = pixels(message, "<f4")[:, :, 0]
        rows = np.nan_to_num(metres * 1000.0).round().astype("<u2").view(np.uint8)
        self.say("head_camera/depth/image_rect", image(message, "16UC1", rows))

    def camera_info(self, message):
        message.header.stamp = later(message.header.stamp, 2)
        self.say("head_camera/camera_info", message)

    def labels(self, message):
        instances = pixels(message.labels, "<u2")[:, :, 0]
        classes = np.zeros(2**16, np.uint8)
        for detection in message.detections:
            classes[detection.instance] = self.numbers.get(detection.class_name, 0)
        rows = np.stack([instances & 255, instances >> 8, classes[instances]], axis=2).astype(np.uint8)
        rows = rows.reshape(rows.shape[0], -1)
        message.labels.header = message.header
        self.say("head_camera/labels_map", image(message.labels, "rgb8", rows, later_ms=3))


class Isaac(World):
    """Depth that is infinite where there is none, numbers of classes, and their names in a text without header."""

    def color(self, message):
        rows = np.pad(pixels(message, np.uint8), ((0, 0), (0, 0), (0, 1)), constant_values=255)
        self.say("head_camera/color/image_raw", image(message, "rgba8", rows.reshape(message.height, -1)))

    def depth(self, message):
        metres = pixels(message, "<f4")[:, :, 0]
        rows = np.where(np.isnan(metres), np.inf, metres).astype("<f4").view(np.uint8)
        self.say("head_camera/depth/image_rect", image(message, "32FC1", rows))

    def camera_info(self, message):
        self.say("head_camera/camera_info", message)

    def labels(self, message):
        names = sorted({d.class_name for d in message.detections})
        numbers = np.zeros(2**16, "<i4")
        for detection in message.detections:
            numbers[detection.instance] = 2 + names.index(detection.class_name)
        stamp = message.header.stamp
        meaning = {"0": {"class": "BACKGROUND"}, "1": {"class": "UNLABELLED"}}
        meaning |= {str(2 + n): {"class": name} for n, name in enumerate(names)}
        meaning["time_stamp"] = {"sec": str(stamp.sec), "nanosec": str(stamp.nanosec)}
        self.say("head_camera/semantic_labels", String(data=json.dumps(meaning)))
        rows = numbers[pixels(message.labels, "<u2")[:, :, 0]].view(np.uint8)
        message.labels.header = message.header
        self.say("head_camera/semantic_segmentation", image(message.labels, "32SC1", rows))
