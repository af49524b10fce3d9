"""An exported home in Gazebo Harmonic with the robot in it, bridged to the topics of the loop."""

import os

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    AppendEnvironmentVariable,
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory("steward_bringup")
# What `steward sim export` writes and this file reads.
EXPORTED = ["world.sdf", "robot.urdf", "setup.yaml", "labels.yaml"]
# The name in the robot's description, which Gazebo's topics begin with.
ROBOT = "steward"


def generate_launch_description():
    """Arguments, then everything that depends on their values."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="Namespace of every node and topic"),
            DeclareLaunchArgument("export", description="Folder that `steward sim export --out FOLDER` wrote"),
            DeclareLaunchArgument(
                "headless",
                default_value="False",
                description="Whether Gazebo opens no window",
                choices=["True", "False", "true", "false"],
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context):
    """The processes that the arguments ask for."""

    def value(name):
        return LaunchConfiguration(name).perform(context)

    folder = os.path.abspath(value("export"))
    for name in EXPORTED:
        if not os.path.isfile(os.path.join(folder, name)):
            raise RuntimeError(f"export:={folder} has no {name}; write it with: steward sim export --out {folder}")
    world, robot, setup, _ = (os.path.join(folder, name) for name in EXPORTED)
    with open(setup, encoding="utf-8") as file:
        at = yaml.safe_load(file)["robot_start"]
    with open(robot, encoding="utf-8") as file:
        # Whoever gets the description as text cannot know what its file names are relative to.
        description = file.read().replace('filename="meshes/', f'filename="file://{folder}/meshes/')
    try:
        gazebo = os.path.join(get_package_share_directory("ros_gz_sim"), "launch", "gz_sim.launch.py")
    except PackageNotFoundError as error:
        raise RuntimeError("ros_gz_sim is not installed; on Ubuntu: apt install ros-$ROS_DISTRO-ros-gz") from error

    def node(package, executable, parameters, **more):
        return Node(
            package=package,
            executable=executable,
            namespace=value("namespace"),
            parameters=[{"use_sim_time": True}, parameters],
            remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
            output="screen",
            **more,
        )

    text = {"robot_description": ParameterValue(description, value_type=str)}
    flags = "-r -s" if value("headless").lower() == "true" else "-r"
    place = ["-x", str(at["x_m"]), "-y", str(at["y_m"]), "-Y", str(at["yaw_rad"])]
    return [
        AppendEnvironmentVariable("GZ_SIM_RESOURCE_PATH", folder),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(gazebo),
            launch_arguments={"gz_args": f"{flags} {world}", "on_exit_shutdown": "true"}.items(),
        ),
        node("robot_state_publisher", "robot_state_publisher", text),
        node(
            "ros_gz_sim",
            "create",
            {},
            arguments=["-topic", "robot_description", "-name", ROBOT, *place],
        ),
        node(
            "ros_gz_bridge",
            "parameter_bridge",
            {"config_file": os.path.join(SHARE, "config", "gazebo_bridge.yaml")},
        ),
        node(
            "steward_bringup",
            "simulator_adapter",
            {"simulator": "gazebo", "setup_file": setup} | text,
        ),
    ]
