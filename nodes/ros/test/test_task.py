"""A task from goal to end, and its recording."""

import json
import subprocess

from mcap.reader import make_reader
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader
from steward_msgs.msg import Relation, SkillCommand, Verdict
from steward_test import GOAL, HOME, SUCCEEDED, TOPICS, stamp_s


def test_it_succeeds_and_says_how_it_goes(episode):
    assert episode.is_accepted
    assert episode.status == SUCCEEDED, episode.result
    assert episode.result.error_code == episode.result.NONE and episode.result.error_msg == ""
    assert episode.result.detail and episode.result.task == 1
    steps = [f.step for f in episode.feedback]
    assert len(set(steps)) > 2 and steps == sorted(steps)
    assert any(f.label.startswith("pick mug") for f in episode.feedback)
    assert all(f.reason for f in episode.feedback)
    confirmed = [f.steps_confirmed for f in episode.feedback]
    assert confirmed == sorted(confirmed) and confirmed[-1] >= 2
    assert episode.feedback[-1].elapsed_s > 1.0


def test_the_thing_stands_where_it_was_asked_in_truth(episode):
    first, last = episode.seen["simulator/truth"][0], episode.seen["simulator/truth"][-1]
    assert not relations(first) & {("mug", Relation.ON, "desk")}
    assert ("mug", Relation.ON, "desk") in relations(last)


def relations(scene):
    classes = {o.id: o.class_name for o in scene.objects}
    return {(classes.get(r.subject), r.kind, classes.get(r.object)) for r in scene.relations}


def test_every_topic_speaks_in_its_frame(episode):
    frames = {
        "head_camera/color/image_raw": "head_camera_optical_frame",
        "head_camera/depth/image_rect": "head_camera_optical_frame",
        "odom": "odom",
        "map": "map",
        "obstacles": "map",
        "scene_graph": "map",
    }
    for topic in TOPICS:
        assert episode.seen[topic], f"nothing was heard on {topic}"
    for topic, frame in frames.items():
        assert episode.seen[topic][-1].header.frame_id == frame, topic
    edges = {(t.header.frame_id, t.child_frame_id) for m in episode.seen["/tf"] for t in m.transforms}
    edges |= {(t.header.frame_id, t.child_frame_id) for m in episode.seen["/tf_static"] for t in m.transforms}
    assert {("map", "odom"), ("odom", "base_link")} <= edges
    times = [stamp_s(m.clock) for m in episode.seen["/clock"]]
    assert times == sorted(times)
    names = {s.name for m in episode.seen["/diagnostics"] for s in m.status}
    assert {"simulator", "mapper", "grapher", "validator", "planner", "executor"} <= names


def test_who_comes_late_gets_the_newest(episode):
    for topic in ("map", "plan", "floor_plan", "task_result"):
        assert episode.late[topic] == episode.seen[topic][-1], topic
    assert relations(episode.late["scene_graph"]) >= {("mug", Relation.ON, "desk")}


def test_the_same_task_and_seed_give_the_same_skills_and_verdicts_as_in_process(episode, steward, tmp_path):
    command = [steward, "run", "--home", str(HOME), "--goal", GOAL, "--rerun", "off", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for topic, kind in [("skill_command", SkillCommand), ("verdict", Verdict)]:
        heard = episode.seen[topic]
        assert len(heard) > 2
        assert heard == recorded(tmp_path / "run.mcap", f"/{topic}", kind)


def recorded(path, topic, kind):
    with path.open("rb") as file:
        return [deserialize_message(m.data, kind) for _, _, m in make_reader(file).iter_messages(topics=[topic])]


def test_its_recording_replays(episode, steward):
    command = [steward, "replay", str(episode.bag / "run.mcap"), "--verify", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["difference"] is None and report["compared"] > 1000


def test_its_metadata_is_complete(episode):
    counts = {}
    with (episode.bag / "run.mcap").open("rb") as file:
        for _, channel, _ in make_reader(file).iter_messages():
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
    with Reader(episode.bag) as bag:
        assert {name: t.msgcount for name, t in bag.topics.items()} == counts
        assert bag.message_count == sum(counts.values())
        assert bag.topics["/map"].msgtype == "nav_msgs/msg/OccupancyGrid"
        assert bag.duration > 1_000_000_000 and bag.start_time == 0
        assert sum(1 for _ in bag.messages()) == bag.message_count
