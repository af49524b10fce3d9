"""One process per node: each is killed in turn and started again, and somebody publishes garbage."""

import contextlib
import math

import pytest
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from steward_msgs.msg import Relation, Segmentation, Skill, SkillCommand
from steward_test import ABORTED, GOAL, HOME, LATCHED, RELIABLE, SUCCEEDED, ExecuteTask, Loop, Watcher, stamp_s
from tf2_msgs.msg import TFMessage

NODES = ["mapper", "grapher", "validator", "planner", "executor"]
# Without a sign of life for 3 s a skill is ended; the base stands 0.5 s after the last command.
STANDS_AFTER_S = 6.0


class Processes:
    def __init__(self, stack):
        self.stack = stack
        self.loops = {}
        self.start("simulator")
        for name in NODES:
            self.start(name)

    def start(self, name):
        given = {"home": HOME} if name == "simulator" else {"use_sim_time": True}
        self.loops[name] = self.stack.enter_context(Loop(name, namespace="/many", **given))

    def kill(self, name):
        self.loops[name].process.kill()
        self.loops[name].process.wait()


@pytest.fixture
def many():
    with contextlib.ExitStack() as stack:
        many = Processes(stack)
        yield many
        for loop in many.loops.values():
            loop.stop()


@pytest.fixture
def watcher():
    watcher = Watcher("/many")
    watcher.listen("odom")
    watcher.listen("/clock")
    watcher.latched("map")
    yield watcher
    watcher.close()


def moves(watcher):
    odometry = watcher.newest("odom")
    return odometry and max(abs(odometry.twist.twist.linear.x), abs(odometry.twist.twist.angular.z)) > 0.1


@contextlib.contextmanager
def task(watcher):
    """A task with the robot at it: its end. Left, it is cancelled."""
    handle = watcher.send(ExecuteTask.Goal(goal=GOAL))
    end = handle.get_result_async()
    watcher.wait(lambda: end.done() or moves(watcher), "moving robot")
    assert not end.done(), end.result()
    yield end
    if not end.done():
        watcher.future(handle.cancel_goal_async(), "answer to the cancellation")
        watcher.wait(end.done, "end of the task")


def stood_still(watcher, since_s):
    """Whether the robot stood for half a second at some time after."""
    still = 0
    for m in watcher.listen("odom"):
        twist = m.twist.twist
        is_still = abs(twist.linear.x) < 0.02 and abs(twist.angular.z) < 0.05
        still = still + 1 if is_still and stamp_s(m.header.stamp) > since_s else 0
        if still >= 12:
            return True
    return False


def test_a_task_is_carried_out_and_no_image_arrives_in_part(many, watcher):
    diagnostics = watcher.listen("/diagnostics")
    truth = watcher.listen("simulator/truth")
    # In real time.
    status, result = watcher.execute(patience_s=600.0, goal=GOAL)
    assert status == SUCCEEDED, result
    ended_s = watcher.now_s()
    watcher.wait(lambda: stamp_s(truth[-1].header.stamp) > ended_s, "truth of afterwards")
    classes = {o.id: o.class_name for o in truth[-1].objects}
    related = {(classes[r.subject], r.kind, classes[r.object]) for r in truth[-1].relations}
    assert ("mug", Relation.ON, "desk") in related
    counters = {s.name: {v.key: int(v.value) for v in s.values} for m in diagnostics for s in m.status}
    assert counters["many/mapper"]["images"] > 100
    for name in ("many/mapper", "many/grapher"):
        assert counters[name].get("inbox_incomplete_head_camera/rgbd", 0) == 0, counters[name]


@pytest.mark.parametrize("name", ["mapper", "grapher", "executor"])
def test_nothing_moves_on_without_who_was_killed_and_then_it_goes_on_or_ends_with_a_reason(many, watcher, name):
    with task(watcher) as end:
        killed_s = watcher.now_s()
        many.kill(name)
        watcher.wait(lambda: watcher.now_s() > killed_s + STANDS_AFTER_S, "time after the kill")
        assert stood_still(watcher, killed_s)
        many.start(name)
        again_s = watcher.now_s()
        watcher.wait(lambda: end.done() or watcher.now_s() > again_s + 1.0 and moves(watcher), "moving robot or end")
        if end.done():
            assert end.result().status == ABORTED and end.result().result.error_msg


def test_without_the_validator_no_step_is_believed_and_with_it_again_it_goes_on(many, watcher):
    with task(watcher) as end:
        verdicts = watcher.listen("verdict")
        many.kill("validator")
        many.start("validator")
        before = len(verdicts)
        watcher.wait(lambda: end.done() or len(verdicts) > before, "verdict or end")
        if end.done():
            assert end.result().status == ABORTED and end.result().result.error_msg


def test_nothing_moves_on_without_the_planner_and_a_new_one_answers(many, watcher):
    end = watcher.send(ExecuteTask.Goal(goal=GOAL)).get_result_async()
    watcher.wait(lambda: end.done() or moves(watcher), "moving robot")
    assert not end.done(), end.result()
    killed_s = watcher.now_s()
    many.kill("planner")
    watcher.wait(lambda: watcher.now_s() > killed_s + STANDS_AFTER_S, "time after the kill")
    assert stood_still(watcher, killed_s)
    many.start("planner")
    # One that never met the planner of before.
    other = Watcher("/many")
    other.listen("odom")
    diagnostics = other.listen("/diagnostics")
    other.wait(lambda: any(s.name == "many/planner" for m in diagnostics for s in m.status), "sign of life of the planner")
    end = other.send(ExecuteTask.Goal(goal=GOAL)).get_result_async()
    other.wait(lambda: end.done() or moves(other), "moving robot or end")
    if end.done():
        assert end.result().status == ABORTED and end.result().result.error_msg
    other.close()


def test_garbage_is_counted_and_harms_nobody(many, watcher):
    node = watcher.node
    image = Image(height=1_000_000, width=1_000_000, encoding="rgb8", step=3_000_000, data=[0] * 12)
    image.header.frame_id = "nowhere"
    odd = TransformStamped(child_frame_id="base_link")
    odd.header.frame_id = "odom"
    odd.transform.rotation.w = math.nan
    garbage = [
        ("head_camera/color/image_raw", image, qos_profile_sensor_data),
        ("head_camera/depth/image_rect", Image(encoding="32FC1"), qos_profile_sensor_data),
        ("head_camera/camera_info", CameraInfo(), qos_profile_sensor_data),
        ("head_camera/segmentation", Segmentation(labels=image), qos_profile_sensor_data),
        ("odom", Odometry(), qos_profile_sensor_data),
        ("map", OccupancyGrid(data=[1, 2, 3]), LATCHED),
        ("skill_command", SkillCommand(step=2**32 - 1, skill=Skill(kind=200)), RELIABLE),
        ("/tf", TFMessage(transforms=[odd]), RELIABLE),
    ]
    publishers = [(node.create_publisher(type(m), topic, qos), m) for topic, m, qos in garbage]
    diagnostics = watcher.listen("/diagnostics")
    with task(watcher):
        for _ in range(30):
            for publisher, message in publishers:
                publisher.publish(message)
            watcher.spin_for(0.1)
        watcher.wait(lambda: moves(watcher), "moving robot all the same")
    refused = {v.key for m in diagnostics for s in m.status for v in s.values if v.key.startswith("inbox_")}
    expected = {"unreadable_skill_command", "refused_segmentation_unreadable", "refused_color_size", "refused_odom_frame"}
    assert {f"inbox_{name}" for name in expected} <= refused, refused
    assert all(loop.process.poll() is None for loop in many.loops.values())


def test_a_world_that_begins_anew_ends_the_task_with_a_reason(many, watcher):
    with task(watcher) as end:
        watcher.wait(lambda: watcher.now_s() > 5.0, "time to fall back from")
        many.kill("simulator")
        many.start("simulator")
        watcher.wait(end.done, "end of the task")
        assert end.result().status == ABORTED
        assert "time jumped back" in end.result().result.error_msg
    with task(watcher):
        pass
