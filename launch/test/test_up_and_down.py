"""`ros2 launch` brings the loop up and takes it down again, where ROS's launch and the nodes are installed."""

import os
import shutil
import signal
import subprocess
import time

import pytest

# Of the embedded simulator, the mapper, the grapher and the planner.
TOPICS = ["/clock", "/map", "/scene_graph", "/plan"]
UP_S, DOWN_S = 60.0, 10.0


def installed(package):
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        return get_package_prefix(package)
    except PackageNotFoundError:
        return None


@pytest.fixture
def node():
    # Neither the wheels nor a minimal ROS have it, so this is no failure under CI either: test_launch_files.py does
    # without.
    if shutil.which("ros2") is None:
        pytest.skip("ros2 launch is not installed")
    rclpy = pytest.importorskip("rclpy")
    for package in ("steward_bringup", "steward_ros"):
        if installed(package) is None:
            pytest.skip(f"{package} is not built; cargo xtask ros build")
    rclpy.init()
    node = rclpy.create_node("onlooker")
    yield node
    node.destroy_node()
    rclpy.shutdown()


def children(process):
    """Processes of the launch, by their process group."""
    out = subprocess.run(["ps", "-o", "pid=,args=", "-g", str(process.pid)], capture_output=True, text=True).stdout
    return [line for line in out.splitlines() if "lib/steward_" in line]


@pytest.mark.parametrize("composed", ["True", "False"])
def test_the_loop_comes_up_and_goes_down(node, composed):
    command = ["ros2", "launch", "steward_bringup", "closed_loop.launch.py", f"use_composition:={composed}"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + UP_S
        missing = TOPICS
        while missing and time.monotonic() < end and process.poll() is None:
            time.sleep(0.2)
            missing = [topic for topic in TOPICS if node.count_publishers(topic) == 0]
        assert not missing, f"no publisher of {missing} within {UP_S} s"
        assert len(children(process)) == (1 if composed == "True" else 6)
        # To the launch alone, as a terminal's user would stop it with kill; it hands the signal on.
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=DOWN_S)
        text = output.decode(errors="replace")
        assert process.returncode == 0, text
        assert "escalating" not in text and "process has died" not in text, text
        assert children(process) == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
