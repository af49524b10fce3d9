"""Worlds other than the embedded simulator: nothing but their topics is there, in their encodings."""

import contextlib
import math
import subprocess

import pytest
import yaml
from foreign import Gazebo, Isaac
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from steward_test import GOAL, HOME, ExecuteTask, Loop, Watcher

SEE = ["mapper", "grapher"]
# How far the middle of a thing may be from where it truly is: of furniture only the front is seen at first.
NEAR_M = 0.5
# Large enough to be seen at the start, and found from there.
FOUND = 3


class Robot:
    """Nodes in the robot's namespace beside a simulator in another."""

    def __init__(self, stack, names, camera, **more):
        self.loops = {"simulator": stack.enter_context(Loop("simulator", namespace="/world", home=HOME))}
        for name in names:
            own = camera if name in SEE else more if name == "executor" else {}
            self.loops[name] = stack.enter_context(Loop(name, namespace="/robot", use_sim_time=True, **own))
        self.watcher = Watcher("/robot")
        stack.callback(self.watcher.close)
        truth = Watcher("/world")
        stack.callback(truth.close)
        self.truth = truth.latched("simulator/truth")
        self.diagnostics = self.watcher.listen("/diagnostics")

    def counters(self, node):
        """What a node counted so far."""
        told = [s for m in self.diagnostics for s in m.status if s.name == f"robot/{node}"]
        return {v.key: int(v.value) for v in told[-1].values} if told else {}

    def found(self):
        """Things in the scene graph that are truly there."""
        scene = self.watcher.newest("scene_graph")
        objects = scene.objects if scene else []
        return {o.class_name for o in objects if any(self.is_at(o, t) for t in self.truth.objects)}

    def floor_m2(self):
        """How much is more likely free than not."""
        grid = self.watcher.newest("map")
        return sum(0 <= cell < 50 for cell in grid.data) * grid.info.resolution**2

    def is_at(self, seen, true):
        a, b = seen.shape.center, true.shape.center
        return seen.class_name == true.class_name and math.hypot(a.x - b.x, a.y - b.y) < NEAR_M

    def sees(self):
        """A map with floor in it and things where they are."""
        self.watcher.latched("map")
        self.watcher.wait(lambda: self.floor_m2() > 1.0, "floor on the map")
        self.watcher.wait(lambda: len(self.found()) >= FOUND, f"{FOUND} things where they are")
        self.watcher.wait(lambda: self.counters("mapper").get("images", 0) > 10, "images in the mapper")

    def refused(self, node):
        return {name for name in self.counters(node) if name.startswith("inbox_refused_")}


@pytest.fixture(scope="session")
def labels_file(steward, tmp_path_factory):
    """The file that goes with a home that was exported for Gazebo."""
    folder = tmp_path_factory.mktemp("export")
    command = [steward, "sim", "export", "--home", HOME, "--out", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder / "labels.yaml"


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def test_the_loop_sees_and_drives_in_a_world_like_gazebo(stack, labels_file):
    numbers = yaml.safe_load(labels_file.read_text())
    stack.enter_context(Gazebo(numbers))
    camera = {"camera.labels": "gazebo", "camera.labels_file": labels_file}
    names = [*SEE, "validator", "planner", "executor"]
    robot = Robot(stack, names, camera, enable_stamped_cmd_vel=False)
    robot.sees()
    assert robot.refused("mapper") == robot.refused("grapher") == set()
    counters = robot.counters("mapper")
    assert counters.get("segmentation_missing", 0) < counters["images"] / 2, "labels find their images"
    watcher = robot.watcher
    odometry = watcher.listen("odom")
    handle = watcher.send(ExecuteTask.Goal(goal=GOAL))
    end = handle.get_result_async()
    watcher.wait(lambda: end.done() or any(m.twist.twist.linear.x > 0.1 for m in odometry[-5:]), "robot that drives")
    assert not end.done(), end.result()
    before = robot.counters("mapper")["images"]
    watcher.wait(lambda: robot.counters("mapper")["images"] > before + 10, "images on the way")
    watcher.future(handle.cancel_goal_async(), "answer to the cancellation")
    watcher.wait(end.done, "end of the task")
    for loop in robot.loops.values():
        loop.stop()


def test_the_loop_sees_a_world_like_isaac_and_garbage_is_refused_with_its_reason(stack):
    stack.enter_context(Isaac())
    robot = Robot(stack, SEE, {"camera.labels": "isaac"})
    robot.sees()
    assert robot.refused("mapper") == set()
    node = robot.watcher.node
    robot.watcher.wait(lambda: robot.watcher.newest("odom"), "odometry")

    def now():
        return robot.watcher.newest("odom").header.stamp

    optical = "head_camera_optical_frame"

    def stamped(message, frame):
        message.header.frame_id, message.header.stamp = frame, now()
        return message

    tiny = {"height": 1, "width": 1, "data": [0] * 4, "step": 4}
    k = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    spun = Odometry(child_frame_id="base_link")
    spun.twist.twist.angular.z = math.nan
    spun.pose.pose.orientation.w = 1.0
    huge = Image(height=1_000_000, width=1_000_000, encoding="rgb8", step=3_000_000, data=[0] * 12)
    distorts = CameraInfo(height=1, width=1, d=[0.1, 0.0, 0.0, 0.0, 0.0], k=k)
    garbage = [
        ("head_camera/color/image_raw", Image(encoding="yuv422", **tiny), optical, "color_encoding"),
        ("head_camera/color/image_raw", huge, optical, "color_size"),
        ("head_camera/depth/image_rect", Image(encoding="32FC1", height=2, width=1), optical, "depth_size"),
        ("head_camera/camera_info", distorts, optical, "camera_info_distortion"),
        ("head_camera/semantic_segmentation", Image(encoding="rgb8", **tiny), optical, "semantic_segmentation_encoding"),
        ("odom", spun, "odom", "odom_not_finite"),
        ("odom", Odometry(), "mars", "odom_frame"),
    ]
    publishers = {
        topic: node.create_publisher(type(message), topic, qos_profile_sensor_data) for topic, message, _, _ in garbage
    }
    text = node.create_publisher(String, "head_camera/semantic_labels", qos_profile_sensor_data)

    def publish():
        for topic, message, frame, _ in garbage:
            publishers[topic].publish(stamped(message, frame))
        text.publish(String(data='{"2": "mug"'))
        # Of a frame that nobody knows, and whole otherwise.
        head = "head_camera/"
        publishers[head + "color/image_raw"].publish(stamped(Image(encoding="rgba8", **tiny), "mars"))
        publishers[head + "depth/image_rect"].publish(stamped(Image(encoding="32FC1", **tiny), "mars"))
        publishers[head + "camera_info"].publish(stamped(CameraInfo(height=1, width=1, k=k), "mars"))
        robot.watcher.spin_for(0.1)
        return robot.refused("mapper")

    expected = {f"inbox_refused_{reason}" for *_, reason in garbage}
    expected |= {"inbox_refused_semantic_labels_names", "inbox_refused_head_camera/rgbd_frame"}
    robot.watcher.wait(lambda: expected <= set(publish()), "count of every refusal", patience_s=30.0)
    before = robot.counters("mapper")["images"]
    robot.watcher.wait(lambda: robot.counters("mapper")["images"] > before + 10, "images all the same")
    output = robot.loops["mapper"].output()
    assert "package image_proc" in output and "set camera.optical_frame" in output
    for loop in robot.loops.values():
        loop.stop()


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("camera.labels:=gazebo", "camera.labels_file"),
        ("camera.labels:=unity", "unity"),
        ("camera.optical_frame:=head_camera_link", "no optical frame"),
        ("camera.max_skew_s:=2.0", "max_skew_s"),
    ],
)
def test_a_wrong_setting_of_the_camera_ends_the_process_with_the_reason(parameter, says):
    with Loop("mapper", arguments=["-p", parameter]) as loop:
        assert loop.process.wait(60) == 1
        assert says in loop.output()
