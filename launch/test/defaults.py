"""The settings that a build of Steward has by default, as it writes them into a recording."""

import json
import struct
import subprocess
from pathlib import Path

METADATA = 0x0C


def defaults(steward: str, home: Path, folder: Path) -> dict:
    """`nodes` and `simulation` as the program has them, flattened to parameter names."""
    command = [steward, "run", "--home", home, "--goal", "on(mug, desk)", "--time-limit-s", "0.1"]
    subprocess.run(
        [*command, "--rerun", "off", "--allow-failure", "--out", folder], check=True, capture_output=True, timeout=300
    )
    config = json.loads(metadata(folder / "run.mcap")["config"])
    return {
        **{name: flat(settings) for name, settings in config["nodes"].items()},
        "simulator": flat(config["simulation"]),
    }


def flat(tree: dict, prefix: str = "") -> dict:
    """Nested settings with dots in their names."""
    out = {}
    for key, value in tree.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out


def metadata(path: Path) -> dict:
    """The first metadata record of an MCAP file."""
    with path.open("rb") as file:
        file.seek(8)
        while head := file.read(9):
            kind, length = head[0], struct.unpack("<Q", head[1:])[0]
            if kind != METADATA:
                file.seek(length, 1)
                continue
            content = file.read(length)
            _, at = text(content, 0)
            end = at + 4 + struct.unpack_from("<I", content, at)[0]
            at, out = at + 4, {}
            while at < end:
                key, at = text(content, at)
                out[key], at = text(content, at)
            return out
    raise ValueError(f"{path} has no metadata")


def text(content: bytes, at: int) -> tuple[str, int]:
    """A string with its length before it, and where it ends."""
    end = at + 4 + struct.unpack_from("<I", content, at)[0]
    return content[at + 4 : end].decode(), end
