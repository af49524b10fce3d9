"""The closed loop, with the embedded simulator, Gazebo, Isaac Sim or a robot around it."""

import os
import shutil
import subprocess
import tempfile

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = get_package_share_directory("steward_bringup")
NODES = ["mapper", "grapher", "validator", "planner", "executor"]
# Those that look at images.
SEEING = ["mapper", "grapher"]
# Those that can go on with what one before them knew.
KEEPERS = ["mapper", "grapher", "planner"]
# Where Fast DDS looks for its settings: up to version 2, and since.
FAST_DDS_SETTINGS = ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"]
BOOLEAN = ["True", "False", "true", "false"]


def generate_launch_description():
    """Arguments, then everything that depends on their values."""

    def argument(name, default, description, choices=None):
        return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)

    return LaunchDescription(
        [
            argument("namespace", "", "Namespace of every node and topic; empty: none"),
            argument(
                "use_sim_time",
                "auto",
                "Whether nodes go by /clock instead of the wall clock; auto: with any simulator",
                ["auto", *BOOLEAN],
            ),
            argument(
                "params_file",
                os.path.join(SHARE, "config", "steward.yaml"),
                "YAML file with the parameters of the nodes",
            ),
            argument(
                "log_level",
                "info",
                "Least serious messages to show",
                ["debug", "info", "warn", "error", "fatal"],
            ),
            argument(
                "autostart",
                "True",
                "Whether nodes configure and activate themselves; otherwise use their lifecycle services",
                BOOLEAN,
            ),
            argument(
                "use_composition",
                "True",
                "Whether all nodes run in one process instead of one each; with sim:=embedded, otherwise they never do",
                BOOLEAN,
            ),
            argument("use_respawn", "False", "Whether a process that ends is started again", BOOLEAN),
            argument(
                "sim",
                "embedded",
                "The world: the simulator that comes with Steward, Gazebo, Isaac Sim, or none (a robot, a recording)",
                ["embedded", "gazebo", "isaac", "none"],
            ),
            argument(
                "home",
                os.path.join(SHARE, "maps", "apartment.yaml"),
                "Home to simulate, with embedded and gazebo: a file such as those in maps/",
            ),
            argument(
                "rerun",
                "off",
                "Pictures in rerun: save to a file, connect to a running viewer, spawn one, or none",
                ["off", "save", "connect", "spawn"],
            ),
            argument(
                "record",
                "",
                "Folder for a recording (MCAP), which must not exist yet; empty: none",
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context):
    """The processes that the arguments ask for."""

    def value(name):
        return LaunchConfiguration(name).perform(context)

    def is_true(name):
        return value(name).lower() == "true"

    sim, home, record, rerun = (value(name) for name in ("sim", "home", "record", "rerun"))
    # In one process the simulator's time is everybody's, which no other world's is.
    is_composed, respawns = is_true("use_composition") and sim == "embedded", is_true("use_respawn")
    by_clock = sim != "none" if value("use_sim_time") == "auto" else is_true("use_sim_time")
    needs_file("params_file", value("params_file"))
    if sim in ("embedded", "gazebo"):
        needs_file("home", home)
    if sim != "none" and not by_clock:
        raise RuntimeError(f"use_sim_time:=False does not go with sim:={sim}, whose time is on /clock; leave it out")
    if rerun != "off" and not is_composed:
        raise RuntimeError(
            f"rerun:={rerun} needs sim:=embedded and use_composition:=True: one process has to see every message"
        )
    if record and os.path.exists(record):
        raise RuntimeError(f"record:={record} exists already; name a folder that does not")

    if record and not is_composed:
        try:
            get_package_share_directory("rosbag2_storage_mcap")
        except PackageNotFoundError as error:
            raise RuntimeError(
                "record:= with one process per node is done by rosbag2, which is not installed; "
                "on Ubuntu: apt install ros-$ROS_DISTRO-ros2bag ros-$ROS_DISTRO-rosbag2-storage-mcap"
            ) from error

    common = {"use_sim_time": by_clock, "autostart": is_true("autostart")}
    # By default images between processes get lost. Whoever has settings of their own keeps them.
    settings = os.path.join(SHARE, "config", "fastdds.xml")
    actions = [SetEnvironmentVariable(name, settings) for name in FAST_DDS_SETTINGS if name not in os.environ]

    def node(executable, *parameters, required=False):
        # No `name`: it would rename every node of a composed process.
        actions.append(
            Node(
                package="steward_ros",
                executable=executable,
                namespace=value("namespace"),
                parameters=[*parameters, common],
                # Each namespace has transforms of its own, as in Nav2.
                remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
                arguments=["--ros-args", "--log-level", value("log_level")],
                output="screen",
                respawn=respawns,
                respawn_delay=2.0,
                on_exit=[Shutdown(reason=f"{executable} ended")] if required and not respawns else None,
            )
        )

    files = [value("params_file")]
    world = [os.path.join(SHARE, "config", "simulator.yaml"), {"home": home}]
    camera = {}
    if sim == "gazebo":
        folder = export(home)
        camera = {"camera.labels": "gazebo", "camera.labels_file": os.path.join(folder, "labels.yaml")}
        actions.append(include("gazebo", {"export": folder, "namespace": value("namespace")}))
    elif sim == "isaac":
        camera = {"camera.labels": "isaac"}
        actions.append(include("isaac", {"namespace": value("namespace")}))

    if is_composed:
        own = {"world": "embedded", "rerun": rerun, "record": record}
        node("steward_loop", *world, *files, own, required=True)
        return actions
    if sim == "embedded":
        node("simulator", *world, *files, required=True)
    sensors = os.path.join(SHARE, "config", "sensors.yaml")
    known = tempfile.mkdtemp(prefix="steward_known_") if respawns else None
    for executable in NODES:
        seen = [camera] if camera and executable in SEEING else []
        # Whoever is started again goes on with what the one before knew.
        keeps = known and executable in KEEPERS
        kept = [{"keep": os.path.join(known, executable)}] if keeps else []
        # A file of one's own has the last word.
        node(executable, sensors, *seen, *kept, *files)
    if record:
        clock = ["--use-sim-time"] if by_clock else []
        command = ["ros2", "bag", "record", "--all", "--storage", "mcap", "--output", record, *clock]
        actions.append(ExecuteProcess(cmd=command, output="screen"))
    return actions


def needs_file(name, path):
    """Refuses an argument that names no file."""
    if not os.path.isfile(path):
        raise RuntimeError(f"{name}:={path} is no file; give the path of a YAML file")


def export(home):
    """Writes the home for Gazebo into a new folder."""
    steward = shutil.which("steward")
    if steward is None:
        raise RuntimeError(
            "sim:=gazebo needs the program `steward` on the PATH to export the home; "
            "cargo install --path nodes/cli puts it there"
        )
    folder = tempfile.mkdtemp(prefix="steward_home_")
    done = subprocess.run([steward, "sim", "export", "--home", home, "--out", folder], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the home {home} cannot be exported: {done.stderr.strip()}")
    return folder


def include(name, arguments):
    """Another launch file of this package."""
    path = os.path.join(SHARE, "launch", f"{name}.launch.py")
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments=arguments.items())
