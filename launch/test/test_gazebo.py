"""The exported home and robot, the bridge and the loop name the same topics, joints, labels and files."""

import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
import yaml
from conftest import ROOT, skip
from drives import Joints

SYSTEMS = {"Physics", "UserCommands", "SceneBroadcaster", "Contact", "Sensors"}


@pytest.fixture(scope="session")
def exported(steward, share, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    command = [steward, "sim", "export", "--home", share / "maps/apartment.yaml", "--out", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def robot(exported):
    return ElementTree.parse(exported / "robot.urdf").getroot()


@pytest.fixture(scope="session")
def world(exported):
    return ElementTree.parse(exported / "world.sdf").getroot().find("world")


def bridge(share):
    return yaml.safe_load((share / "config/gazebo_bridge.yaml").read_text())


def loop_topics():
    """Names and types of the loop's ROS topics, from the source that defines them."""
    source = (ROOT / "nodes/src/recording/codec.rs").read_text()
    table = source.split("pub const fn ros_topics")[1].split("\n}\n")[0]
    return {name.lstrip("/"): kind for name, kind in re.findall(r'\("(/[^"]+)", "([^"]+)"\)', table)}


def sensor_topics():
    """Names of the ROS topics that sensors may speak on, from the source that defines them."""
    source = (ROOT / "nodes/ros/src/sensors/mod.rs").read_text()
    table = source.split("pub fn ros_topic")[1].split("\n    }\n")[0]
    return {name.lstrip("/") for name in re.findall(r'"(/[^"]+)"', table)}


def systems(element):
    return {p.get("name").rsplit("::", 1)[1] for p in element.findall("plugin")}


def test_the_world_has_the_systems_that_the_robot_needs(world):
    assert systems(world) == SYSTEMS
    for plugin in world.iter("plugin"):
        assert re.fullmatch(r"gz-sim-[a-z-]+-system", plugin.get("filename"))


def test_every_visual_of_the_world_has_a_file_and_a_label(world, robot, exported):
    labels = yaml.safe_load((exported / "labels.yaml").read_text())
    visuals = list(world.iter("visual"))
    assert len(visuals) > 100
    for visual in visuals:
        assert (exported / visual.findtext("geometry/mesh/uri")).is_file()
        assert int(visual.findtext("plugin/label")) in labels.values()
    assert 0 < min(labels.values()) and max(labels.values()) <= 255
    # By its own pixels the loop knows what of an image is the robot itself.
    label = next(p for p in robot.iter("plugin") if p.get("name").endswith("::Label"))
    assert int(label.findtext("label")) == labels["robot"]
    # A mug is a model of its own; its label is that of its class.
    mug = next(m for m in world.findall("model") if re.fullmatch(r"mug_\d+", m.get("name")))
    assert {int(e.text) for e in mug.iter("label")} == {labels["mug"]}


def test_shapes_that_collide_are_not_empty(world):
    shapes = [s for c in world.iter("collision") for s in c.find("geometry")]
    assert len(shapes) > 100
    for shape in shapes:
        for size in shape:
            assert all(float(number) > 0 for number in size.text.split())


def test_the_bridge_has_every_topic_of_the_robot_and_no_other(robot, share):
    offered = {"/clock", "/model/steward/odometry", "/model/steward/pose", "/model/steward/cmd_vel"}
    for sensor in robot.iter("sensor"):
        if sensor.get("type") == "contact":
            offered.add("/" + sensor.findtext("contact/topic"))
            continue
        suffixes = {"rgbd_camera": ["image", "depth_image", "camera_info"], "segmentation": ["labels_map"]}
        offered |= {f"/{sensor.findtext('topic')}/{s}" for s in suffixes[sensor.get("type")]}
    for plugin in robot.iter("plugin"):
        if plugin.get("name").endswith("JointStatePublisher"):
            offered.add("/" + plugin.findtext("topic"))
        if plugin.get("name").endswith("JointPositionController"):
            offered.add(f"/model/steward/joint/{plugin.findtext('joint_name')}/0/cmd_pos")
    entries = bridge(share)
    assert {e["gz_topic_name"] for e in entries} == offered
    assert robot.get("name") == "steward"
    assert len({e["ros_topic_name"] for e in entries}) == len(entries)


def test_the_adapter_and_the_bridge_drive_the_same_joints(share):
    joints = Joints((ROOT / "sim/assets/steward.urdf").read_text())
    driven = {f"drive/{name}" for name in [*joints.limits, *joints.followers]} | {"drive/base"}
    assert {e["ros_topic_name"] for e in bridge(share) if e["direction"] == "ROS_TO_GZ"} == driven


def test_topics_of_the_loop_have_the_loops_types(share):
    known = loop_topics()
    assert len(known) > 20
    isaac = yaml.safe_load((share / "config/isaac_topics.yaml").read_text())
    named = [(e["ros_topic_name"], e["ros_type_name"]) for e in bridge(share)]
    named += [(topic, what["type"]) for way in isaac.values() for topic, what in way.items()]
    shared = [(topic, kind) for topic, kind in named if topic in known]
    # Three of the camera, odometry, joint states and transforms, in both files.
    assert len(shared) == 12
    for topic, kind in shared:
        assert kind == known[topic], topic


def test_the_loop_listens_to_what_the_worlds_cameras_say(share):
    isaac = yaml.safe_load((share / "config/isaac_topics.yaml").read_text())["publishes"]
    said = {e["ros_topic_name"] for e in bridge(share)} | set(isaac)
    cameras = {name for name in said if name.startswith("head_camera/")}
    assert len(cameras) == 6 and cameras <= sensor_topics()


def test_gazebos_own_reader_finds_every_shape_that_feels(exported, robot):
    tool = shutil.which("ign") or shutil.which("gz")
    if tool is None:
        skip("neither ign nor gz is installed (Debian: ignition-tools libsdformat-dev)")
    done = subprocess.run([tool, "sdf", "-p", exported / "robot.urdf"], capture_output=True, text=True, timeout=60)
    model = ElementTree.fromstring(done.stdout[done.stdout.index("<sdf") :]).find("model")
    for link in model.findall("link"):
        assert link.findtext("gravity") == "false", link.get("name")
        shapes = {c.get("name") for c in link.findall("collision")}
        for sensor in link.findall("sensor"):
            for wanted in sensor.findall("contact/collision"):
                assert wanted.text in shapes
    kept = {s.get("name") for s in model.iter("sensor")}
    assert kept == {s.get("name") for s in robot.iter("sensor")}
    camera = next(s for s in model.iter("sensor") if s.get("name") == "rgbd")
    # The camera's link is fixed to the tilting one, 0.028 m ahead of it: the same pose in the link it became part of.
    assert [float(n) for n in camera.findtext("pose").split()] == pytest.approx([0.028, 0, 0, 0, 0, 0])
