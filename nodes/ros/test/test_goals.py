"""Goals that are wrong, impossible, too many or cancelled."""

import math

import pytest
from steward_test import GOAL, HOME, ABORTED, CANCELED, ExecuteTask, Loop, Watcher, action_result

Code = ExecuteTask.Result


@pytest.fixture(scope="module")
def watcher():
    """Beside a loop that is as fast as it can be."""
    with Loop(home=HOME, speed=0.0, namespace="/fast") as loop:
        watcher = Watcher("/fast")
        yield watcher
        watcher.close()
        loop.stop()


@pytest.mark.parametrize(
    ("goal", "code", "says"),
    [
        ({"goal": "on(mug"}, Code.INVALID_GOAL, "on(mug"),
        ({"goal": ""}, Code.INVALID_GOAL, ""),
        ({"goal": "on(unicorn, desk)"}, Code.INVALID_GOAL, "unicorn"),
        ({"goal": "(" * 100_000}, Code.INVALID_GOAL, ""),
        ({"goal": "on(mug, desk" + "x" * 1_000_000 + ")"}, Code.INVALID_GOAL, ""),
        ({"goal": GOAL, "time_limit_s": -1.0}, Code.INVALID_GOAL, "time_limit_s"),
        ({"goal": GOAL, "time_limit_s": math.nan}, Code.INVALID_GOAL, "time_limit_s"),
        ({"goal": GOAL, "rules": ["G !in(robot"]}, Code.INVALID_RULE, ""),
        ({"goal": GOAL, "rules": ["G !in(robot, dungeon)"]}, Code.INVALID_RULE, "dungeon"),
        ({"goal": "on(mug, mug)"}, Code.INVALID_GOAL, ""),
        ({"goal": GOAL, "rules": ["G !on(mug, desk)"]}, Code.RULE_CONFLICT, ""),
    ],
)
def test_what_cannot_be_done_is_refused_with_code_and_reason(watcher, goal, code, says):
    status, result = watcher.execute(**goal)
    assert (status, result.error_code) == (ABORTED, code), result
    assert len(result.error_msg) > 10 and says in result.error_msg
    assert watcher.newest("skill_command") is None


def test_a_task_that_takes_too_long_is_given_up(watcher):
    status, result = watcher.execute(goal=GOAL, time_limit_s=2.0)
    assert (status, result.error_code) == (ABORTED, Code.TIMED_OUT), result


def test_cancelling_stops_the_robot_within_half_a_second_and_lets_the_next_task_in():
    # In real time at most: what is measured is simulated, and the watcher has to keep up.
    with Loop(home=HOME) as loop:
        watcher, other = Watcher(), Watcher()
        odometry = watcher.listen("odom")
        handle = watcher.send(ExecuteTask.Goal(goal=GOAL))
        status, result = other.execute(goal=GOAL)
        assert (status, result.error_code) == (ABORTED, Code.BUSY)
        watcher.wait(lambda: odometry and odometry[-1].twist.twist.linear.x > 0.3, "driving robot")
        watcher.listen("/clock")
        asked_s = watcher.wait(watcher.now_s, "clock")
        asked = watcher.future(handle.cancel_goal_async(), "answer to the cancellation")
        assert len(asked.goals_canceling) == 1
        status, result = action_result(watcher, handle)
        assert (status, result.error_code) == (CANCELED, Code.CANCELLED), result
        watcher.wait(lambda: watcher.now_s() > asked_s + 1.0, "time after the cancellation")
        moving = [m for m in odometry if abs(m.twist.twist.linear.x) > 0.02 or abs(m.twist.twist.angular.z) > 0.02]
        last_s = moving[-1].header.stamp.sec + moving[-1].header.stamp.nanosec * 1e-9
        assert last_s < asked_s + 0.5
        handle = other.send(ExecuteTask.Goal(goal=GOAL))
        other.wait(lambda: other.newest("skill_command"), "next task under way")
        end = handle.get_result_async()
        other.spin_for(0.5)
        took_s = loop.stop()
        other.future(end, "end of the task with the process")
        status, result = end.result().status, end.result().result
        assert (status, result.error_code) == (ABORTED, Code.SHUT_DOWN)
        assert took_s < 5.0, "it is about a tenth of a second on a machine that does nothing else"
        watcher.close()
        other.close()
