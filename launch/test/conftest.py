"""Fixtures: the package as it is installed, and the program `steward`."""

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]


def is_ci():
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "") not in ("", "0", "false")


def skip(reason):
    """Skips a test and says why; under CI that is a failure."""
    if is_ci():
        pytest.fail(f"{reason}, and nothing may be skipped under CI")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def share(tmp_path_factory):
    """The package's share folder: the installed one (STEWARD_ROS_INSTALL), or the same made of links."""
    install = os.environ.get("STEWARD_ROS_INSTALL")
    if install:
        return Path(install) / "share" / "steward_bringup"
    folder = tmp_path_factory.mktemp("share")
    for name, source in [
        ("launch", "launch/launch"),
        ("config", "launch/config"),
        ("maps", "maps"),
    ]:
        (folder / name).symlink_to(ROOT / source)
    (folder / "urdf").mkdir()
    (folder / "urdf" / "steward.urdf").symlink_to(ROOT / "sim/assets/steward.urdf")
    return folder


@pytest.fixture(scope="session")
def steward():
    """The program: $STEWARD_BIN, a build of this workspace, or the one on the PATH."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    candidates = [os.environ.get("STEWARD_BIN"), target / "debug/steward", target / "release/steward"]
    for candidate in [*candidates, shutil.which("steward")]:
        if candidate and Path(candidate).is_file():
            return str(candidate)
    return skip("no program `steward`; build it (cargo build -p steward) or name it in STEWARD_BIN")
