"""Speeds, limits and followers by hand calculation on the robot's own description."""

import math

import pytest
from conftest import ROOT
from drives import Base, Grip, Joints, Refused, Touch, bearing

URDF = (ROOT / "sim/assets/steward.urdf").read_text()


@pytest.fixture
def joints():
    joints = Joints(URDF)
    joints.measure(["lift_joint", "arm_extend_joint", "gripper_joint", "head_pan_joint"], [0.2, 0.0, 0.065, math.nan])
    return joints


def test_a_joint_goes_at_the_speed_asked_for_and_stops_at_its_goal(joints):
    joints.command(["lift_joint"], [0.3], [0.1])
    assert joints.step(0.5) == pytest.approx({"lift_joint": 0.25})
    assert joints.step(0.5) == pytest.approx({"lift_joint": 0.3})
    assert joints.step(5.0) == pytest.approx({"lift_joint": 0.3})


def test_limits_of_the_description_hold(joints):
    # The lift reaches 1.4 m and goes at most 0.3 m/s.
    joints.command(["lift_joint"], [9.0], [9.0])
    assert joints.step(1.0)["lift_joint"] == pytest.approx(0.5)
    assert joints.step(100.0)["lift_joint"] == pytest.approx(1.4)


def test_followers_follow(joints):
    joints.command(["arm_extend_joint", "gripper_joint"], [0.4, 0.0], [0.4, 0.1])
    now = joints.step(1.0)
    assert [now[f"arm_segment_{i}_joint"] for i in (1, 2, 3)] == pytest.approx([0.1, 0.2, 0.3])
    assert now["gripper_right_joint"] == now["gripper_joint"] == 0.0
    assert "lift_joint" not in now, "nobody commanded it"


def test_time_that_stands_still_or_goes_back_moves_nothing(joints):
    joints.command(["lift_joint"], [0.3], [0.1])
    assert joints.step(0.0) == joints.step(-3.0) == pytest.approx({"lift_joint": 0.2})
    joints.forget()
    assert joints.step(1.0) == {}


@pytest.mark.parametrize(
    ("names", "positions", "speeds", "says"),
    [
        (["lift_joint"], [0.1, 0.2], [1.0], "1 joints, 2 positions"),
        (["elbow"], [0.1], [1.0], "no joint `elbow`"),
        (["gripper_right_joint"], [0.0], [1.0], "no joint `gripper_right_joint` can be commanded"),
        (["lift_joint"], [math.nan], [1.0], "cannot go to nan"),
        (["lift_joint"], [0.1], [0.0], "at 0.0"),
        (["lift_joint"], [0.1], [math.inf], "at inf"),
        (["lift_joint", "head_pan_joint"], [0.1, 0.1], [1.0, 1.0], "where `head_pan_joint` is"),
    ],
)
def test_bad_commands_are_refused_and_move_nothing(joints, names, positions, speeds, says):
    with pytest.raises(Refused, match=says):
        joints.command(names, positions, speeds)
    assert joints.step(1.0) == {}


def test_the_base_stops_when_nobody_renews_its_command():
    base = Base(0.5)
    assert base.speed(0.0) == (0.0, 0.0)
    base.command(0.4, -1.0, 10.0)
    assert base.speed(10.5) == (0.4, -1.0)
    assert base.speed(10.51) == (0.0, 0.0)
    assert base.speed(9.0) == (0.0, 0.0), "time jumped back"
    with pytest.raises(Refused):
        base.command(math.nan, 0.0, 11.0)


def test_a_touch_counts_for_a_moment():
    touch = Touch(0.125)
    assert not touch.is_on(0.0)
    touch.touch(1.0)
    assert touch.is_on(1.125) and not touch.is_on(1.2) and not touch.is_on(0.9)


def test_bearings_are_from_straight_ahead():
    assert bearing((1.0, 1.0, math.pi / 2), 1.0, 2.0) == pytest.approx(0.0)
    assert bearing((1.0, 1.0, math.pi / 2), 0.0, 1.0) == pytest.approx(math.pi / 2)
    assert abs(bearing((0.0, 0.0, math.pi), 1.0, 0.0)) == pytest.approx(math.pi)


def test_fingers_that_stand_still_before_they_are_closed_hold_something():
    grip = Grip(gap_m=0.004, still_m=0.0005, still_s=0.3)
    # Closing from 8 cm at 10 cm/s, with something of 3 cm between the fingers.
    steps = [(n * 0.04, max(0.08 - n * 0.004, 0.03), max(0.08 - n * 0.004, 0.0)) for n in range(30)]
    held = [now_s for now_s, opening_m, commanded_m in steps if grip.holds(opening_m, commanded_m, now_s)]
    stopped_s = next(now_s for now_s, opening_m, _ in steps if opening_m == 0.03)
    assert stopped_s + 0.3 <= held[0] <= stopped_s + 0.45
    assert held == [now_s for now_s, *_ in steps if now_s >= held[0]]
    assert not grip.holds(0.03, 0.03, 1.3), "told to be where they are"
    assert not grip.holds(0.03, 0.0, 1.4) and not grip.holds(0.032, 0.0, 1.8), "they move"
    assert not grip.holds(0.032, 0.0, 0.1), "time jumped back"
    assert grip.holds(0.032, 0.0, 0.5)
