"""The parts of `launch` and `launch_ros` that the launch files use, writing down what they are given.

They let the launch files be read and run through without ROS. `test_launched.py` does the same with the real ones.
"""

import sys
import types
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


class Action:
    """An action as it was made: positional and named arguments."""

    def __init__(self, *positional, **named):
        self.positional, self.named = positional, named


class Argument(Action):
    """A declared argument."""

    @property
    def name(self):
        return self.positional[0]


class Configuration:
    """The value of an argument."""

    def __init__(self, name):
        self.name = name

    def perform(self, context):
        return context[self.name]


class NotFound(LookupError):
    """A package that is not there."""


def modules(shares):
    """The stand-ins by module name. `shares`: folders of packages that are there."""

    def share(package):
        if package not in shares:
            raise NotFound(package)
        return str(shares[package])

    made = {
        "ament_index_python": {},
        "ament_index_python.packages": {"PackageNotFoundError": NotFound, "get_package_share_directory": share},
        "launch": {"LaunchDescription": lambda actions: actions},
        "launch.actions": {
            "DeclareLaunchArgument": Argument,
            **{
                name: type(name, (Action,), {})
                for name in (
                    "AppendEnvironmentVariable",
                    "ExecuteProcess",
                    "IncludeLaunchDescription",
                    "LogInfo",
                    "OpaqueFunction",
                    "SetEnvironmentVariable",
                    "Shutdown",
                )
            },
        },
        "launch.launch_description_sources": {"PythonLaunchDescriptionSource": str},
        "launch.substitutions": {"LaunchConfiguration": Configuration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": type("Node", (Action,), {})},
        "launch_ros.parameter_descriptions": {"ParameterValue": lambda value, value_type: value_type(value)},
    }
    out = {}
    for name, contents in made.items():
        out[name] = types.ModuleType(name)
        out[name].__dict__.update(contents)
    return out


@contextmanager
def standing_in(shares):
    """Puts the stand-ins in the place of the real packages."""
    ours = modules(shares)
    before = {name: sys.modules.get(name) for name in ours}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def load(path: Path):
    """A launch file as a module."""
    spec = spec_from_file_location(path.name.replace(".", "_"), path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Launch:
    """A launch file, read with the stand-ins."""

    def __init__(self, name, share, others=()):
        self.shares = {"steward_bringup": share, **dict(others)}
        with standing_in(self.shares):
            self.module = load(share / "launch" / f"{name}.launch.py")
            self.actions = self.module.generate_launch_description()
        self.arguments = {a.name: a.named for a in self.actions if isinstance(a, Argument)}

    def run(self, **given):
        """The actions for values of arguments; the others have their defaults."""
        values = {name: given.get(name, a.get("default_value")) for name, a in self.arguments.items()}
        assert set(given) <= set(values), f"no such argument: {set(given) - set(values)}"
        for name, value in values.items():
            assert value is not None, f"{name} has no default and no value"
            choices = self.arguments[name].get("choices")
            assert choices is None or value in choices, f"{name}:={value}"
        (opaque,) = [a for a in self.actions if type(a).__name__ == "OpaqueFunction"]
        with standing_in(self.shares):
            return opaque.named["function"](values)


def of_kind(actions, kind):
    """The actions of a class, by its name."""
    return [a for a in actions if type(a).__name__ == kind]


def executables(actions):
    """Package and executable of each node."""
    return [(n.named["package"], n.named["executable"]) for n in of_kind(actions, "Node")]
