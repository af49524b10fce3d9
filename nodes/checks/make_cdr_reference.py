#!/usr/bin/env python3
"""Writes messages encoded by `rosbags`, an implementation that is not ours, for the tests of the recording.

    pip install rosbags
    python make_cdr_reference.py > ../src/recording/tests/reference.txt

One line each: ROS type, then the bytes in hexadecimal.
"""

from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

store = get_typestore(Stores.ROS2_HUMBLE)
for path in sorted((Path(__file__).parent.parent / "msgs" / "msg").glob("*.msg")):
    store.register(get_types_from_msg(path.read_text(), f"steward_msgs/msg/{path.stem}"))


def new(name, *args, **fields):
    return store.types[name](*args, **fields)


def array(kind, *values):
    return np.array(values, dtype=kind)


def header(sec, nanosec, frame):
    return new("std_msgs/msg/Header", new("builtin_interfaces/msg/Time", sec, nanosec), frame)


def vector(x, y, z, name="Vector3"):
    return new(f"geometry_msgs/msg/{name}", x, y, z)


def pose(x, y, z, q):
    return new("geometry_msgs/msg/Pose", vector(x, y, z, "Point"), new("geometry_msgs/msg/Quaternion", *q))


def skill(kind, pose2=(0.0, 0.0, 0.0), points=(), object=0, relation=0, target=0):
    return new(
        "steward_msgs/msg/Skill",
        kind,
        new("steward_msgs/msg/Pose2", *pose2),
        [vector(*p, "Point") for p in points],
        object,
        relation,
        target,
    )


zero36 = np.zeros(36)
messages = [
    new(
        "sensor_msgs/msg/Image", header(1, 500_000_000, "cam"), 1, 2, "rgb8", 0, 6, array("uint8", 1, 2, 3, 250, 251, 252)
    ),
    new(
        "sensor_msgs/msg/Image",
        header(1, 500_000_000, "cam"),
        1,
        2,
        "32FC1",
        0,
        8,
        np.frombuffer(array("float32", 1.25, np.nan).tobytes(), dtype="uint8"),
    ),
    new(
        "sensor_msgs/msg/CameraInfo",
        header(1, 500_000_000, "cam"),
        1,
        2,
        "plumb_bob",
        np.zeros(5),
        array("float64", 2.5, 0, 0.5, 0, 2.25, 0, 0, 0, 1),
        np.eye(3).flatten(),
        array("float64", 2.5, 0, 0.5, 0, 0, 2.25, 0, 0, 0, 0, 1, 0),
        0,
        0,
        new("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False),
    ),
    new(
        "sensor_msgs/msg/JointState",
        header(2, 0, ""),
        ["lift_joint", "a"],
        array("float64", 0.5, -1.0),
        array("float64", 0.25),
        array("float64"),
    ),
    new(
        "tf2_msgs/msg/TFMessage",
        [
            new(
                "geometry_msgs/msg/TransformStamped",
                header(3, 4, "odom"),
                "base_link",
                new(
                    "geometry_msgs/msg/Transform",
                    vector(1.0, 2.0, 3.0),
                    new("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.6, 0.8),
                ),
            )
        ],
    ),
    new(
        "geometry_msgs/msg/TwistStamped",
        header(3, 4, "base_link"),
        new("geometry_msgs/msg/Twist", vector(0.5, 0.0, 0.0), vector(0.0, 0.0, -0.25)),
    ),
    new(
        "nav_msgs/msg/Odometry",
        header(3, 4, "odom"),
        "base_link",
        new("geometry_msgs/msg/PoseWithCovariance", pose(1.0, 2.0, 0.0, (0.0, 0.0, 0.0, 1.0)), zero36),
        new(
            "geometry_msgs/msg/TwistWithCovariance",
            new("geometry_msgs/msg/Twist", vector(0.5, 0.0, 0.0), vector(0.0, 0.0, -0.25)),
            zero36,
        ),
    ),
    new(
        "nav_msgs/msg/OccupancyGrid",
        header(5, 6, "map"),
        new(
            "nav_msgs/msg/MapMetaData",
            new("builtin_interfaces/msg/Time", 5, 6),
            0.25,
            3,
            1,
            pose(-1.0, -2.0, 0.0, (0.0, 0.0, 0.0, 1.0)),
        ),
        array("int8", -1, 0, 100),
    ),
    new(
        "trajectory_msgs/msg/JointTrajectory",
        header(7, 0, ""),
        ["head_pan_joint"],
        [
            new(
                "trajectory_msgs/msg/JointTrajectoryPoint",
                array("float64", 0.5),
                array("float64", 1.5),
                array("float64"),
                array("float64"),
                new("builtin_interfaces/msg/Duration", 0, 0),
            )
        ],
    ),
    new(
        "diagnostic_msgs/msg/DiagnosticArray",
        header(8, 0, ""),
        [
            new(
                "diagnostic_msgs/msg/DiagnosticStatus",
                0,
                "mapper",
                "",
                "",
                [new("diagnostic_msgs/msg/KeyValue", "dropped", "12"), new("diagnostic_msgs/msg/KeyValue", "late", "3")],
            )
        ],
    ),
    new(
        "steward_msgs/msg/Plan",
        header(9, 1, "map"),
        1,
        2,
        [
            new("steward_msgs/msg/PlanStep", array("uint32", 7), skill(5, object=12), "pick mug o12", 1),
            new("steward_msgs/msg/PlanStep", array("uint32"), skill(2, points=[(1.0, 2.0, 3.0)]), "look", 0),
            new("steward_msgs/msg/PlanStep", array("uint32"), skill(6, object=12, relation=1, target=3), "place", 0),
        ],
        [
            new("steward_msgs/msg/TreeNode", 0, "", 2, 3),
            new("steward_msgs/msg/TreeNode", 0, "pick mug o12", 1, 1),
        ],
        "because",
    ),
    new(
        "steward_msgs/msg/FloorPlan",
        header(1, 0, "map"),
        [
            new(
                "steward_msgs/msg/Room",
                "bedroom_2",
                "bedroom",
                new("steward_msgs/msg/FloorArea", new("steward_msgs/msg/Pose2", 1.0, -2.0, 0.5), 1.75, 2.25),
            )
        ],
    ),
    new(
        "steward_msgs/msg/SceneGraph",
        header(9, 1, "map"),
        [
            new(
                "steward_msgs/msg/SceneObject",
                3,
                "fridge_door",
                new("steward_msgs/msg/OrientedBox", vector(1.0, 2.0, 3.0, "Point"), 0.5, vector(0.25, 0.5, 0.75)),
                2,
                1,
                0.875,
                new("builtin_interfaces/msg/Time", 1, 2),
                new("builtin_interfaces/msg/Time", 3, 4),
                [
                    new(
                        "steward_msgs/msg/ArticulationState",
                        array("uint32", 9),
                        False,
                        vector(1.0, 1.0, 1.0, "Point"),
                        vector(0.0, 0.0, 1.0),
                        [],
                        array("float64", 0.125),
                        1.5,
                    )
                ],
                [new("steward_msgs/msg/SupportSurface", vector(1.0, 2.0, 0.5, "Point"), 0.25, 0.5, 0.75, 2.0)],
            )
        ],
        [new("steward_msgs/msg/Relation", 3, 2, 4)],
    ),
]

for message in messages:
    print(message.__msgtype__, bytes(store.serialize_cdr(message, message.__msgtype__)).hex())
