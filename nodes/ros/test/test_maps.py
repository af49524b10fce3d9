"""What mapper and grapher know is written down, and gone on with by those that are started again."""

import contextlib

import pytest
from steward_msgs.msg import Pose2, Skill
from steward_msgs.srv import LoadMap, SaveMap
from steward_test import HOME, SUCCEEDED, Loop, Watcher


def save(watcher, node, file):
    return watcher.call(SaveMap, f"{node}/save_map", SaveMap.Request(file=str(file)))


def load(watcher, node, file, **more):
    return watcher.call(LoadMap, f"{node}/load_map", LoadMap.Request(file=str(file), **more))


def named(scene):
    return {(o.id, o.class_name) for o in scene.objects}


def known_cells(grid):
    return sum(cell >= 0 for cell in grid.data)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Files of a loop that has seen the room, with the map and the things it had then."""
    folder = tmp_path_factory.mktemp("known")
    with Loop(home=HOME, speed=0.0, namespace="/before") as loop:
        watcher = Watcher("/before")
        watcher.latched("scene_graph")
        status, result = watcher.run(Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.8)))
        assert status == SUCCEEDED, result
        for node in ("mapper", "grapher"):
            answer = save(watcher, node, folder / node)
            assert answer.success, answer
        assert not save(watcher, "mapper", "/nowhere/at/all").success
        map_, scene = watcher.newest("map") or watcher.latched("map"), watcher.newest("scene_graph")
        watcher.close()
        loop.stop()
    return folder, map_, scene


def test_another_loop_goes_on_with_them(saved, tmp_path):
    folder, map_, scene = saved
    with Loop(home=HOME, speed=0.0, hold_until_task=True, namespace="/after") as loop:
        watcher = Watcher("/after")
        watcher.latched("scene_graph")
        graphs, grids = watcher.listen("scene_graph"), watcher.listen("map")
        watcher.spin_for(0.5)
        assert len(graphs[-1].objects) < len(scene.objects)
        for node in ("mapper", "grapher"):
            answer = load(watcher, node, folder / node)
            assert answer.success, answer

        # Each request lets time go on by a step, and without a task the robot stays where it sees no more.
        def knows_them():
            assert save(watcher, "mapper", tmp_path / "again").success
            return named(scene) <= named(graphs[-1]) and known_cells(grids[-1]) >= 0.95 * known_cells(map_)

        watcher.wait(knows_them, "things and map that were loaded")
        status, result = watcher.run(Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.1)))
        assert status == SUCCEEDED, result
        watcher.close()
        loop.stop()


def test_what_is_no_map_is_refused_with_the_reason(saved, tmp_path):
    folder, *_ = saved
    bad = tmp_path / "bad"
    with Loop(home=HOME, speed=0.0, namespace="/bad") as loop:
        watcher = Watcher("/bad")
        good = (folder / "mapper").read_bytes()
        for content, says in [
            (b"", "should with"),
            (b"\xff" * 4096, "should with"),
            (good[: len(good) // 2], "damaged"),
            (good.replace(b"steward map 1", b"steward map 9", 1), "steward map 9"),
            ((folder / "grapher").read_bytes(), "steward things 1"),
        ]:
            bad.write_bytes(content)
            answer = load(watcher, "mapper", bad)
            assert not answer.success and says in answer.message, answer
        with bad.open("wb") as file:
            file.truncate(1 << 40)
        answer = load(watcher, "grapher", bad)
        assert not answer.success and "at most" in answer.message, answer
        for name in ("none", "."):
            assert not load(watcher, "grapher", tmp_path / name).success
        watcher.close()
        loop.stop()


def test_who_is_killed_goes_on_with_what_is_kept(tmp_path):
    kept = {node: tmp_path / node for node in ("mapper", "grapher")}
    with contextlib.ExitStack() as stack:

        def start(name, **given):
            return stack.enter_context(Loop(name, namespace="/kept", **given))

        loops = {"simulator": start("simulator", home=HOME)}
        for node, file in kept.items():
            loops[node] = start(node, use_sim_time=True, keep=file)
        watcher = Watcher("/kept")
        watcher.wait(lambda: all(file.exists() for file in kept.values()), "files")
        things = watcher.listen("scene_graph")
        watcher.wait(lambda: things and things[-1].objects, "things")
        # Once more, so that the files hold what was seen.
        written = {file: file.stat().st_mtime_ns for file in kept.values()}
        watcher.wait(lambda: all(f.stat().st_mtime_ns > at for f, at in written.items()), "newer files")
        map_, scene = watcher.latched("map"), things[-1]
        watcher.close()
        for loop in loops.values():
            loop.process.kill()
            loop.process.wait()
        # Without a world there is nothing to see, so what is known is from before.
        again = [start(node, keep=file) for node, file in kept.items()]
        watcher = Watcher("/kept")
        assert len(watcher.latched("scene_graph").objects) >= len(scene.objects)
        assert known_cells(watcher.latched("map")) >= 0.95 * known_cells(map_)
        watcher.close()
        for loop in again:
            loop.stop()
