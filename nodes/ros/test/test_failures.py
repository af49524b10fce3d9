"""Processes that are killed, and two that run side by side."""

import signal

from steward_test import GOAL, HOME, ExecuteTask, Loop, Watcher, action_result


def test_what_is_killed_and_started_again_takes_tasks():
    with Loop(home=HOME, speed=0.0) as loop:
        watcher = Watcher()
        watcher.send(ExecuteTask.Goal(goal=GOAL))
        watcher.wait(lambda: watcher.newest("skill_command"), "task under way")
        loop.process.send_signal(signal.SIGKILL)
        loop.process.wait()
        watcher.close()
    with Loop(home=HOME, speed=0.0) as loop:
        watcher = Watcher()
        watcher.wait(lambda: watcher.now_s() > 2.0, "time going on")
        assert watcher.newest("cmd_vel") is None, "nothing moves for a task of before"
        status, result = watcher.execute(goal=GOAL, time_limit_s=3.0)
        assert result.error_code == result.TIMED_OUT
        loop.stop()
        watcher.close()


def test_two_in_namespaces_do_not_hear_each_other():
    clock = ["-r", "/clock:=clock", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static"]
    with (
        Loop(home=HOME, namespace="/a", arguments=clock) as a,
        Loop(home=HOME, namespace="/b", arguments=clock) as b,
    ):
        at_a, at_b = Watcher("/a"), Watcher("/b")
        at_b.listen("task")
        at_b.listen("skill_command")
        handle = at_a.send(ExecuteTask.Goal(goal=GOAL, time_limit_s=4.0))
        at_b.latched("map")
        at_a.wait(lambda: at_a.newest("skill_command"), "task under way in /a")
        assert at_b.newest("task") is None and at_b.newest("skill_command") is None
        _, result = action_result(at_a, handle)
        assert result.error_code == result.TIMED_OUT
        assert at_b.newest("skill_command") is None
        for watcher in (at_a, at_b):
            watcher.close()
        a.stop()
        b.stop()
