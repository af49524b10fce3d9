"""Parameters and lifecycle."""

import subprocess

import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from steward_test import HOME, Loop, Watcher


@pytest.fixture(scope="module")
def waiting():
    """A watcher beside a loop that nobody configured."""
    with Loop(home=HOME, autostart=False, namespace="/waiting") as loop:
        watcher = Watcher("/waiting")
        yield watcher
        watcher.close()
        loop.stop()


def get(watcher, node, *names):
    return watcher.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=names)).values


def double(name, value):
    return Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value))


def set_parameter(watcher, node, parameter):
    request = SetParameters.Request(parameters=[parameter])
    return watcher.call(SetParameters, f"{node}/set_parameters", request).results[0]


def test_each_node_lists_its_own_and_describes_them(waiting):
    for node, name, text in [
        ("steward_loop", "speed", "as fast as the machine can"),
        ("simulator", "robot.base.max_linear_m_s", "metres per second"),
        ("mapper", "scan.max_range_m", "metres"),
        ("grapher", "relations.on_gap_m", "metres"),
        ("validator", "timeout_s", "seconds"),
        ("planner", "rate_hz", "hertz"),
        ("executor", "max_speed_m_s", "metres per second"),
    ]:
        names = waiting.call(ListParameters, f"{node}/list_parameters", ListParameters.Request()).result.names
        assert name in names and len(names) == len(set(names))
        request = DescribeParameters.Request(names=[name])
        (described,) = waiting.call(DescribeParameters, f"{node}/describe_parameters", request).descriptors
        assert text in described.description
        assert described.type == ParameterType.PARAMETER_DOUBLE


def test_a_good_value_is_taken_and_a_bad_one_refused_with_the_reason(waiting):
    assert set_parameter(waiting, "planner", double("rate_hz", 5.0)).successful
    assert get(waiting, "planner", "rate_hz")[0].double_value == 5.0
    for node, parameter, reason in [
        ("planner", double("rate_hz", -1.0), "rate_hz"),
        ("mapper", double("scan.max_range_m", float("nan")), "max_range_m"),
        ("executor", double("no_such_thing", 1.0), "no_such_thing"),
        ("steward_loop", double("world", 1.0), "string"),
    ]:
        refused = set_parameter(waiting, node, parameter)
        assert not refused.successful and reason in refused.reason, refused
    assert get(waiting, "planner", "rate_hz")[0].double_value == 5.0


def test_several_are_set_together_or_not_at_all(waiting):
    request = SetParametersAtomically.Request(parameters=[double("timeout_s", 4.0), double("settle_s", -1.0)])
    result = waiting.call(SetParametersAtomically, "validator/set_parameters_atomically", request).result
    assert not result.successful and "settle_s" in result.reason
    assert get(waiting, "validator", "timeout_s")[0].double_value == 5.0


@pytest.mark.parametrize(
    ("parameter", "says"),
    [("speed:=-1.0", "speed"), ("world:=mars", "mars"), ("home:=/nowhere.yaml", "/nowhere.yaml"), ("sped:=1.0", "sped")],
)
def test_a_wrong_value_at_the_start_ends_the_process_with_the_reason(parameter, says):
    with Loop(arguments=["-p", parameter]) as loop:
        assert loop.process.wait(60) == 1
        assert says in loop.output()


def test_a_parameter_file_reaches_each_node(watcher, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  mapper:\n    ros__parameters:\n      scan:\n        max_range_m: 3.0\n")
    with Loop(home=HOME, autostart=False, arguments=["--params-file", str(file)]) as loop:
        assert get(watcher, "mapper", "scan.max_range_m")[0].double_value == 3.0
        loop.stop()


def test_the_lifecycle_goes_in_order_and_in_no_other():
    with Loop(home=HOME, autostart=False) as loop:
        watcher = Watcher()
        assert watcher.state() == "unconfigured"
        for refused in ("activate", "deactivate", "cleanup", "nonsense"):
            assert not watcher.change(refused)
        assert watcher.change("configure") and watcher.state() == "inactive"
        assert not watcher.change("configure")
        locked = set_parameter(watcher, "planner", double("rate_hz", 6.0))
        assert not locked.successful and "unconfigured" in locked.reason
        watcher.listen("/clock")
        watcher.spin_for(0.5)
        assert watcher.newest("/clock") is None, "time goes on only while active"
        assert watcher.change("activate") and watcher.state() == "active"
        watcher.wait(lambda: watcher.now_s() > 0.2, "time going on")

        # Time paused.
        assert watcher.change("deactivate") and watcher.state() == "inactive"
        watcher.spin_for(0.3)
        paused_s = watcher.now_s()
        watcher.spin_for(0.5)
        assert watcher.now_s() == paused_s
        status, result = watcher.execute(goal="on(mug, desk)")
        assert result.error_code == result.NOT_ACTIVE and "activate" in result.error_msg
        assert watcher.change("activate")
        watcher.wait(lambda: watcher.now_s() > paused_s, "time going on again")

        # Time jumping back.
        watcher.wait(lambda: watcher.now_s() > 1.5, "time to go back from")
        assert watcher.change("deactivate") and watcher.change("cleanup") and watcher.state() == "unconfigured"
        assert set_parameter(watcher, "planner", double("rate_hz", 7.0)).successful
        before = len(watcher.listen("/clock"))
        assert watcher.change("configure") and watcher.change("activate")
        watcher.wait(lambda: len(watcher.listen("/clock")) > before, "time from the beginning")
        assert watcher.listen("/clock")[before].clock.sec == 0
        status, result = watcher.execute(goal="on(mug, desk)", time_limit_s=1.0)
        assert result.error_code == result.TIMED_OUT

        assert watcher.change("shutdown")
        assert loop.process.wait(60) == 0
        watcher.close()


def test_help_of_ros_is_honoured_from_outside():
    """Nodes and topics take a namespace and remappings."""
    with Loop(home=HOME, namespace="/kitchen", arguments=["-r", "map:=floor"]) as loop:
        watcher = Watcher()
        watcher.wait(lambda: watcher.node.count_publishers("/kitchen/floor") == 1, "remapped topic")
        nodes = {("steward_loop", "/kitchen"), ("mapper", "/kitchen")}
        watcher.wait(lambda: nodes <= set(watcher.node.get_node_names_and_namespaces()), "nodes in the namespace")
        loop.stop()
        watcher.close()
