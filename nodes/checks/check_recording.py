#!/usr/bin/env python3
"""Decodes every message of a recording with packages that are not ours.

    pip install mcap mcap-ros2-support
    python check_recording.py RUN.mcap

Each message must decode by the schema that the file carries, encode again to the very same bytes, and hold what its
type promises: stamps in range, images whose data match their size, unit quaternions, finite commands. Chunk checksums
are verified. Prints `N passed, M failed` and exits with 1 where something failed.
"""

import json
import math
import sys
from collections import Counter

from mcap.reader import make_reader
from mcap_ros2._dynamic import generate_dynamic, serialize_dynamic

PIXEL_BYTES = {"rgb8": 3, "32FC1": 4, "mono16": 2}


def main(path: str) -> int:
    passed, failures = Counter(), []
    decoders, encoders = {}, {}
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        header = reader.get_header()
        expect(failures, header.profile == "ros2", f"profile is {header.profile!r}")
        metadata = {m.name: m.metadata for m in reader.iter_metadata()}
        expect(failures, "steward" in metadata, "metadata `steward` is missing")
        json.loads(metadata.get("steward", {}).get("config", "null"))
        last = (-1, -1)
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            place = f"{channel.topic} #{message.sequence}"
            try:
                expect(failures, schema.encoding == "ros2msg", f"{place}: schema encoding {schema.encoding}")
                expect(failures, channel.message_encoding == "cdr", f"{place}: {channel.message_encoding}")
                if schema.id not in decoders:
                    text = schema.data.decode()
                    decoders[schema.id] = generate_dynamic(schema.name, text)[schema.name]
                    encoders[schema.id] = serialize_dynamic(schema.name, text)[schema.name]
                decoded = decoders[schema.id](message.data)
                # The other writer may end a message with padding; ours never does.
                again = bytes(encoders[schema.id](decoded))
                if again != message.data:
                    raise ValueError(f"encodes to {len(again)} other bytes than the {len(message.data)} recorded")
                check(schema.name, decoded)
                order = (message.log_time, message.sequence)
                if order < last:
                    raise ValueError(f"is out of order: {order} after {last}")
                last = order
                passed[channel.topic] += 1
            except Exception as problem:  # every kind of failure is a finding
                failures.append(f"{place}: {type(problem).__name__}: {problem}")
        statistics = reader.get_summary().statistics
        expect(
            failures,
            statistics.message_count == sum(passed.values()) + sum(1 for f in failures if " #" in f),
            f"the index counts {statistics.message_count} messages",
        )
    for topic, count in sorted(passed.items()):
        print(f"  {topic}: {count}")
    for failure in failures[:20]:
        print(f"FAILED {failure}", file=sys.stderr)
    print(f"{sum(passed.values())} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


def expect(failures: list, holds: bool, text: str) -> None:
    if not holds:
        failures.append(text)


def check(name: str, m) -> None:
    """Raises where a message does not hold what its type promises."""
    if hasattr(m, "header"):
        assert 0 <= m.header.stamp.nanosec < 1_000_000_000, "nanoseconds"
    if name == "sensor_msgs/msg/Image":
        assert m.step == m.width * PIXEL_BYTES[m.encoding], "step"
        assert len(m.data) == m.step * m.height > 0, "size of the data"
    elif name == "steward_msgs/msg/Segmentation":
        check("sensor_msgs/msg/Image", m.labels)
    elif name == "sensor_msgs/msg/CameraInfo":
        assert m.k[0] > 0 and m.k[4] > 0 and m.k[8] == 1, "K"
        assert m.p[0] == m.k[0] and m.p[2] == m.k[2] and m.p[6] == m.k[5], "P and K"
    elif name == "sensor_msgs/msg/PointCloud2":
        assert len(m.data) == m.row_step * m.height == m.point_step * m.width * m.height, "size of the data"
        assert [f.name for f in m.fields] == ["x", "y", "z"], "fields"
    elif name == "nav_msgs/msg/OccupancyGrid":
        assert len(m.data) == m.info.width * m.info.height, "size of the data"
        assert all(-1 <= c <= 100 for c in m.data), "cells"
    elif name == "nav_msgs/msg/Odometry":
        unit(m.pose.pose.orientation)
        assert m.child_frame_id == "base_link", "child frame"
    elif name == "tf2_msgs/msg/TFMessage":
        for t in m.transforms:
            assert t.header.frame_id and t.child_frame_id, "frame names"
            unit(t.transform.rotation)
    elif name == "geometry_msgs/msg/TwistStamped":
        assert math.isfinite(m.twist.linear.x) and math.isfinite(m.twist.angular.z), "finite command"
    elif name == "trajectory_msgs/msg/JointTrajectory":
        assert len(m.joint_names) == len(m.points[0].positions) == len(m.points[0].velocities), "lists"
    elif name == "sensor_msgs/msg/JointState":
        assert len(m.name) == len(m.position) == len(m.velocity), "lists"


def unit(q) -> None:
    norm = math.sqrt(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w)
    assert abs(norm - 1.0) < 1e-6, f"quaternion of length {norm}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
