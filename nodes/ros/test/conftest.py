"""Fixtures: the executables as they are installed, and somebody who watches them over ROS."""

import os
import sys
from pathlib import Path

# Apart from whatever else runs on this machine and network.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from steward_test import GOAL, HOME, ExecuteTask, Loop, Watcher, action_result  # noqa: E402


@pytest.fixture(scope="session")
def steward():
    """The command line program."""
    path = os.environ.get("STEWARD_BIN")
    assert path and Path(path).is_file(), "name the program `steward` in STEWARD_BIN, as `cargo xtask ros test` does"
    return path


@pytest.fixture
def watcher():
    watcher = Watcher()
    yield watcher
    watcher.close()


class Episode:
    """One task from goal to end, as somebody saw it who knows nothing but topics and the action."""

    def __init__(self, folder):
        self.bag = folder / "bag"
        parameters = {"home": str(HOME), "speed": 0.0, "hold_until_task": True, "record": str(self.bag)}
        with Loop(**parameters) as loop:
            watcher = Watcher()
            self.seen = watcher.everything()
            self.feedback = []
            watcher.wait(lambda: watcher.newest("map"), "the map before the first task")
            handle = watcher.send(ExecuteTask.Goal(goal=GOAL), self.feedback.append)
            self.is_accepted = handle.accepted
            self.status, self.result = action_result(watcher, handle)
            # A little longer, so that the truth is of afterwards.
            ended = watcher.now_s()
            watcher.wait(lambda: watcher.now_s() > ended + 1.0, "time after the end")
            # Nothing new from here on, for those who come late to be compared with those who were there.
            assert watcher.change("deactivate")
            watcher.spin_for(1.0)
            late = Watcher()
            self.late = {t: late.latched(t) for t in ("map", "scene_graph", "plan", "floor_plan", "task_result")}
            late.close()
            watcher.close()
            loop.stop()
        self.output = loop.output()


@pytest.fixture(scope="session")
def episode(tmp_path_factory):
    return Episode(tmp_path_factory.mktemp("episode"))
