"""What runs beside Isaac Sim: the robot's frames and the adapter. Prints the topics that its graph has to have."""

import os

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory("steward_bringup")


def generate_launch_description():
    """Arguments, then everything that depends on their values."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of every node and topic"),
            DeclareLaunchArgument(
                "setup_file",
                default_value="",
                description="setup.yaml of an exported home, for the floor plan; empty: none",
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context):
    """The processes that the arguments ask for."""

    def value(name):
        return LaunchConfiguration(name).perform(context)

    setup = value("setup_file")
    if setup and not os.path.isfile(setup):
        raise RuntimeError(f"setup_file:={setup} is no file; steward sim export writes one")
    with open(os.path.join(SHARE, "urdf", "steward.urdf"), encoding="utf-8") as file:
        text = {"robot_description": ParameterValue(file.read(), value_type=str)}
    with open(os.path.join(SHARE, "config", "isaac_topics.yaml"), encoding="utf-8") as file:
        topics = yaml.safe_load(file)

    def node(package, executable, parameters):
        return Node(
            package=package,
            executable=executable,
            namespace=value("namespace"),
            parameters=[{"use_sim_time": True}, parameters],
            remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
            output="screen",
        )

    return [
        LogInfo(msg=steps(topics, value("namespace"))),
        node("robot_state_publisher", "robot_state_publisher", text),
        node("steward_bringup", "simulator_adapter", {"simulator": "isaac", "setup_file": setup} | text),
    ]


def steps(topics, namespace):
    """What has to be done in Isaac Sim, with the topics of its graph."""
    lines = [
        "In Isaac Sim: enable the extension isaacsim.ros2.bridge, import the robot's URDF, and build a graph with",
        "these topics, then press play. Every step is in steward_bringup's README.",
    ]
    for way in ("publishes", "subscribes"):
        for topic, what in topics[way].items():
            name = topic if topic.startswith("/") else "/".join(["", *namespace.strip("/").split("/"), topic])
            lines.append(f"  {way:10} {name.replace('//', '/')}  {what['type']}  {what['node']}")
    return "\n".join(lines)
