"""Rules that every order must keep outlast the planner that was told them."""

import contextlib

import pytest
from steward_msgs.msg import Pose2, Skill
from steward_msgs.srv import SetRules
from steward_test import ABORTED, HOME, SUCCEEDED, Loop, RunSkill, Watcher

Code = RunSkill.Result
# In the living room, which the robot starts in.
AHEAD = Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.5))
STAY_OUT = "G !in(robot, living_room)"


class Processes:
    """One process per node, with what the planner is given."""

    def __init__(self, stack, **planner):
        self.stack, self.planner, self.loops = stack, planner, {}
        for name in ("simulator", "mapper", "grapher", "validator", "planner", "executor"):
            self.start(name)

    def start(self, name):
        given = {"home": HOME} if name == "simulator" else {"use_sim_time": True}
        given |= self.planner if name == "planner" else {}
        self.loops[name] = self.stack.enter_context(Loop(name, namespace="/ruled", **given))

    def start_again(self, name):
        self.loops[name].process.kill()
        self.loops[name].process.wait()
        self.start(name)


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def ready(stack):
    """Somebody who never met the processes of before, once there is something to see."""
    watcher = Watcher("/ruled")
    stack.callback(watcher.close)
    watcher.latched("scene_graph")
    watcher.latched("map")
    watcher.wait(lambda: counted(watcher), "sign of life of the planner")
    return watcher


def counted(watcher):
    """Names of what the planner counted since somebody listens."""
    told = [s for m in watcher.listen("/diagnostics") for s in m.status if s.name == "ruled/planner"]
    return {v.key for s in told for v in s.values} | ({"anything"} if told else set())


def set_rules(watcher, *rules):
    return watcher.call(SetRules, "set_rules", SetRules.Request(rules=rules))


def refused_by_rules(watcher):
    """Nothing is done; and, as soon as the planner has heard of the rooms, for the reason that the rule is."""

    def judged():
        status, result = watcher.run(AHEAD)
        assert status == ABORTED and result.error_code in (Code.RULE_VIOLATED, Code.INVALID_RULE), result
        assert "living_room" in result.error_msg
        return result.error_code == Code.RULE_VIOLATED

    watcher.wait(judged, "planner that knows the rooms")


def done_once_nobody_is_missed(watcher):
    """The executor stops what is under way until it hears of the planner again."""

    def is_done():
        status, result = watcher.run(AHEAD)
        assert status == SUCCEEDED or result.error_code == Code.SKILL_CANCELLED, result
        return status == SUCCEEDED

    watcher.wait(is_done, "skill that nobody stops")


def test_rules_outlast_a_planner_that_is_killed_and_a_world_that_begins_anew(stack, tmp_path):
    kept = tmp_path / "rules"
    many = Processes(stack, keep=kept)
    watcher = ready(stack)
    assert set_rules(watcher, STAY_OUT).success
    assert kept.exists(), "they are kept before anybody hears that they stand"
    refused_by_rules(watcher)

    many.start_again("planner")
    refused_by_rules(ready(stack))

    many.start_again("simulator")
    watcher.wait(lambda: "time_jumped_back" in counted(watcher), "planner that began anew")
    again = ready(stack)
    refused_by_rules(again)

    # Taken back they are gone for good, as well.
    assert set_rules(again).success
    many.start_again("planner")
    done_once_nobody_is_missed(ready(stack))
    for loop in many.loops.values():
        loop.stop()


def test_rules_of_the_parameter_stand_beside_those_that_are_set(stack):
    many = Processes(stack, rules=f'["{STAY_OUT}"]')
    watcher = ready(stack)
    assert set_rules(watcher).success
    refused_by_rules(watcher)
    many.start_again("planner")
    refused_by_rules(ready(stack))
    for loop in many.loops.values():
        loop.stop()


def test_without_the_rules_that_were_kept_no_planner_comes_up(tmp_path):
    kept = tmp_path / "rules"
    with Loop("planner", namespace="/alone", keep=kept) as loop:
        watcher = Watcher("/alone")
        assert set_rules(watcher, "G !held(mug)").success
        watcher.close()
        loop.stop()
    good = kept.read_bytes()
    for content in (b"", good[:-1], good.replace(b"steward rules 1", b"steward rules 9")):
        kept.write_bytes(content)
        with Loop("planner", namespace="/alone", keep=kept) as loop:
            assert loop.process.wait(60) == 1
            assert str(kept) in loop.output()
    kept.write_bytes(good)
    with Loop("planner", namespace="/alone", keep=kept) as loop:
        watcher = Watcher("/alone")
        watcher.wait(lambda: watcher.state("planner") == "active", "planner that is active")
        watcher.close()
        loop.stop()


def test_rules_that_cannot_be_kept_are_said_to_be_so(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    with Loop("planner", namespace="/lost", keep=folder / "rules") as loop:
        watcher = Watcher("/lost")
        watcher.wait(lambda: watcher.state("planner") == "active", "planner that is active")
        folder.rmdir()
        answer = set_rules(watcher, "G !held(mug)")
        assert not answer.success and "kept" in answer.message
        watcher.close()
        loop.stop()


@pytest.mark.parametrize("rule", ["G !in(robot", "X held(mug)"])
def test_a_parameter_that_is_no_rule_ends_the_process_with_the_reason(rule):
    with Loop("planner", arguments=["-p", f'rules:=["{rule}"]']) as loop:
        assert loop.process.wait(60) == 1
        assert "rules" in loop.output()
