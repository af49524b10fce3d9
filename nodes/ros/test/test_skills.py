"""Single skills that are asked for directly."""

import math

import pytest
from geometry_msgs.msg import Point
from steward_msgs.msg import Pose2, RuleMonitor, Skill
from steward_msgs.srv import SetRules
from steward_test import (
    ABORTED,
    CANCELED,
    GOAL,
    HOME,
    SUCCEEDED,
    ExecuteTask,
    Loop,
    RunSkill,
    Watcher,
    action_result,
    stamp_s,
)

Code = RunSkill.Result
# In the living room, which the robot starts in.
AHEAD = Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=0.8))


@pytest.fixture(scope="module")
def watcher():
    """Beside a loop that is as fast as it can be."""
    with Loop(home=HOME, speed=0.0, namespace="/skills") as loop:
        watcher = Watcher("/skills")
        watcher.latched("scene_graph")
        yield watcher
        watcher.close()
        loop.stop()


def set_rules(watcher, *rules):
    return watcher.call(SetRules, "set_rules", SetRules.Request(rules=rules))


def test_a_skill_is_carried_out_and_says_how_it_goes(watcher):
    odometry = watcher.listen("odom")
    told = []
    status, result = watcher.run(AHEAD, told.append)
    assert (status, result.error_code, result.error_msg) == (SUCCEEDED, Code.NONE, ""), result
    assert result.detail and result.id > 0
    phases = [f.phase for f in told]
    assert phases == sorted(phases) and {told[0].RUNNING, told[0].VALIDATING} <= set(phases)
    assert all(f.reason for f in told) and told[-1].elapsed_s > 0.5
    at = odometry[-1].pose.pose.position
    assert math.hypot(at.x - 0.8, at.y) < 0.3
    status, result = watcher.run(Skill(kind=Skill.LOOK, points=[Point(x=3.0, y=0.0, z=1.0)]))
    assert status == SUCCEEDED, result


@pytest.mark.parametrize(
    ("skill", "goal", "code", "says"),
    [
        (Skill(kind=200), {}, Code.INVALID_GOAL, "200"),
        (Skill(kind=Skill.PLACE, relation=9), {}, Code.INVALID_GOAL, "9"),
        (Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=math.nan)), {}, Code.INVALID_GOAL, "navigate"),
        (Skill(kind=Skill.LOOK), {}, Code.INVALID_GOAL, "look"),
        (Skill(kind=Skill.PICK, object=999_999), {}, Code.UNKNOWN_OBJECT, "999999"),
        (Skill(kind=Skill.PICK, object=999_999), {"rules": ["G !held(mug)"]}, Code.RULE_CONFLICT, "999999"),
        (AHEAD, {"rules": ["G !in(robot"]}, Code.INVALID_RULE, ""),
        (AHEAD, {"rules": ["G !in(robot, living_room)"]}, Code.RULE_VIOLATED, "living_room"),
        (AHEAD, {"time_limit_s": -1.0}, Code.INVALID_GOAL, "time_limit_s"),
        (Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=3.0, y_m=0.0)), {"time_limit_s": 0.2}, Code.TIMED_OUT, ""),
    ],
)
def test_what_cannot_be_done_is_refused_with_code_and_reason(watcher, skill, goal, code, says):
    status, result = watcher.run(skill, **goal)
    assert (status, result.error_code) == (ABORTED, code), result
    assert len(result.error_msg) > 10 and says in result.error_msg


def test_rules_that_stand_are_kept_by_later_orders_and_malformed_ones_refused(watcher):
    refused = set_rules(watcher, "G !in(robot, dungeon)")
    assert not refused.success and "dungeon" in refused.message
    assert not set_rules(watcher, "G !in(robot").success
    assert set_rules(watcher, "G !in(robot, living_room)").success
    try:
        for status, result in (watcher.run(AHEAD), watcher.execute(goal=GOAL)):
            assert (status, result.error_code) == (ABORTED, Code.RULE_VIOLATED), result
        monitors = watcher.newest("rule_monitors") or watcher.latched("rule_monitors")
        assert [m.verdict for m in monitors.monitors] == [RuleMonitor.PERMANENTLY_VIOLATED]
        assert set_rules(watcher, "G !open(fridge)").success
        told = []
        status, result = watcher.run(AHEAD, told.append)
        assert status == SUCCEEDED, result
        assert [m.verdict for m in told[-1].monitors] == [RuleMonitor.SATISFIED_SO_FAR]
    finally:
        assert set_rules(watcher).success


def test_cancelling_stops_the_robot_and_no_skill_begins_while_a_task_runs():
    # In real time at most: what is measured is simulated, and the watcher has to keep up.
    with Loop(home=HOME) as loop:
        watcher, other = Watcher(), Watcher()
        odometry = watcher.listen("odom")
        watcher.latched("scene_graph")
        far = Skill(kind=Skill.NAVIGATE_TO_POSE, pose=Pose2(x_m=2.0))
        handle = watcher.send(RunSkill.Goal(skill=far))
        status, result = other.execute(goal=GOAL)
        assert (status, result.error_code) == (ABORTED, ExecuteTask.Result.BUSY)
        watcher.wait(lambda: odometry and odometry[-1].twist.twist.linear.x > 0.2, "driving robot")
        watcher.listen("/clock")
        asked_s = watcher.wait(watcher.now_s, "clock")
        watcher.future(handle.cancel_goal_async(), "answer to the cancellation")
        status, result = action_result(watcher, handle)
        assert (status, result.error_code) == (CANCELED, Code.CANCELLED), result
        watcher.wait(lambda: watcher.now_s() > asked_s + 1.0, "time after the cancellation")
        moving = [m for m in odometry if abs(m.twist.twist.linear.x) > 0.02 or abs(m.twist.twist.angular.z) > 0.02]
        assert stamp_s(moving[-1].header.stamp) < asked_s + 0.5
        task = watcher.send(ExecuteTask.Goal(goal=GOAL))
        status, result = other.run(far)
        assert (status, result.error_code) == (ABORTED, Code.BUSY)
        watcher.future(task.cancel_goal_async(), "answer to the cancellation")
        for one in (watcher, other):
            one.close()
        loop.stop()
