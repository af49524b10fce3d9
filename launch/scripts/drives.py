"""What a simulator with ordinary drives needs beyond the loop's commands. Knows nothing of ROS."""

import math
from dataclasses import dataclass
from xml.etree import ElementTree


class Refused(ValueError):
    """A command that cannot be carried out, with the reason."""


@dataclass(frozen=True)
class Joint:
    """Limits of a joint: positions in radians or metres, speed in those per second."""

    lower: float
    upper: float
    speed: float


@dataclass(frozen=True)
class Follower:
    """A joint at multiplier * position of another + offset."""

    of: str
    multiplier: float
    offset: float


class Joints:
    """Brings joints from where they are to where they were sent, at most at the speed asked for."""

    def __init__(self, urdf: str):
        self.limits: dict[str, Joint] = {}
        self.followers: dict[str, Follower] = {}
        for joint in ElementTree.fromstring(urdf).findall("joint"):
            limit, mimic = joint.find("limit"), joint.find("mimic")
            if limit is None:
                continue
            if mimic is None:
                numbers = (float(limit.get(key, "0")) for key in ("lower", "upper", "velocity"))
                self.limits[joint.get("name", "")] = Joint(*numbers)
            else:
                self.followers[joint.get("name", "")] = Follower(
                    mimic.get("joint", ""),
                    float(mimic.get("multiplier", "1")),
                    float(mimic.get("offset", "0")),
                )
        self._measured: dict[str, float] = {}
        self._now: dict[str, float] = {}
        self._goals: dict[str, tuple[float, float]] = {}

    def measure(self, names, positions) -> None:
        """Where joints are; what is not finite is left out."""
        for name, position in zip(names, positions):
            if math.isfinite(position):
                self._measured[name] = position

    def measured(self, name: str) -> float | None:
        """Where a joint was last."""
        return self._measured.get(name)

    def command(self, names, positions, speeds) -> None:
        """Sends joints somewhere; positions and speeds are brought within the limits. No joint moves if refused."""
        if not len(names) == len(positions) == len(speeds):
            raise Refused(f"{len(names)} joints, {len(positions)} positions and {len(speeds)} speeds")
        goals = {}
        for name, position, speed in zip(names, positions, speeds):
            limit = self.limits.get(name)
            if limit is None:
                raise Refused(f"no joint `{name}` can be commanded; there are {', '.join(sorted(self.limits))}")
            if not math.isfinite(position) or not (math.isfinite(speed) and speed > 0):
                raise Refused(f"`{name}` cannot go to {position} at {speed}")
            if name not in self._measured:
                raise Refused(f"nobody has said yet where `{name}` is; does joint_states arrive?")
            goals[name] = (min(max(position, limit.lower), limit.upper), min(speed, limit.speed))
        for name in goals:
            self._now.setdefault(name, self._measured[name])
        self._goals |= goals

    def forget(self) -> None:
        """Drops every command: joints stay where they are."""
        self._now.clear()
        self._goals.clear()

    def step(self, seconds: float) -> dict[str, float]:
        """Where every commanded joint and its followers are to be after some time."""
        for name, (goal, speed) in self._goals.items():
            way = goal - self._now[name]
            reach = speed * max(seconds, 0.0)
            self._now[name] = goal if abs(way) <= reach else self._now[name] + math.copysign(reach, way)
        follow = {
            name: f.multiplier * self._now[f.of] + f.offset
            for name, f in self.followers.items()
            if f.of in self._now
        }
        return self._now | follow


class Base:
    """A speed that ends when nobody renews it."""

    def __init__(self, timeout_s: float):
        self.timeout_s = timeout_s
        self._speed = (0.0, 0.0)
        self._since_s = -math.inf

    def command(self, linear_m_s: float, angular_rad_s: float, now_s: float) -> None:
        """Drives until a newer command or the timeout."""
        if not (math.isfinite(linear_m_s) and math.isfinite(angular_rad_s)):
            raise Refused(f"the base cannot drive at {linear_m_s} m/s, {angular_rad_s} rad/s")
        self._speed, self._since_s = (linear_m_s, angular_rad_s), now_s

    def speed(self, now_s: float) -> tuple[float, float]:
        """Metres and radians per second now; still when the last command is old, or time jumped back before it."""
        return self._speed if 0.0 <= now_s - self._since_s <= self.timeout_s else (0.0, 0.0)


class Touch:
    """Whether something was touched a moment ago: simulators say only when something is."""

    def __init__(self, hold_s: float):
        self.hold_s = hold_s
        self._since_s = -math.inf

    def touch(self, now_s: float) -> None:
        """Something is touched."""
        self._since_s = now_s

    def is_on(self, now_s: float) -> bool:
        """Whether it still counts."""
        return 0.0 <= now_s - self._since_s <= self.hold_s


class Grip:
    """Whether something is held, for worlds that do not feel: fingers that are to be closer stand still before they are."""

    def __init__(self, gap_m: float, still_m: float, still_s: float):
        self.gap_m, self.still_m, self.still_s = gap_m, still_m, still_s
        self._at_m = math.inf
        self._since_s = math.inf

    def holds(self, opening_m: float, commanded_m: float, now_s: float) -> bool:
        """Takes the distance between the fingers as it is and as it is to be."""
        is_still = abs(opening_m - self._at_m) <= self.still_m and now_s >= self._since_s
        if not is_still or opening_m - commanded_m < self.gap_m:
            self._at_m, self._since_s = opening_m, now_s
        return now_s - self._since_s >= self.still_s


def bearing(base: tuple[float, float, float], x_m: float, y_m: float) -> float:
    """Direction of a point, in the frame that x, y and heading of the base are in, from straight ahead, radians."""
    angle = math.atan2(y_m - base[1], x_m - base[0]) - base[2]
    return math.atan2(math.sin(angle), math.cos(angle))
