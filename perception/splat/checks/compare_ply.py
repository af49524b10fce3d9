"""Compares two binary .ply maps property by property, by name; rotations up to sign and length.

    compare_ply.py OURS OTHER NAME
"""

import array
import math
import struct
import sys

FORMATS = {"float": "f", "uint": "I", "double": "d", "uchar": "B", "int": "i"}
# One step of the coarsest format that the file went through.
ROTATION = 0.02
OPACITY = 1.01 / 255
COLOUR = 1.01 / 255 / 0.15
HARMONIC = 16.5 / 128


def read(path):
    with open(path, "rb") as file:
        names, row, count = [], "<", 0
        assert file.readline() == b"ply\n", path
        while (line := file.readline().split()) != [b"end_header"]:
            if line[0] == b"element":
                count = int(line[2])
            if line[0] == b"property":
                names.append(line[2].decode())
                row += FORMATS[line[1].decode()]
        rows = list(struct.iter_unpack(row, file.read()))
    assert len(rows) == count, f"{path}: {len(rows)} rows, {count} promised"
    return {name: array.array("d", column) for name, column in zip(names, zip(*rows))}


def differ(ours, other, tolerance, what):
    worst = max(abs(a - b) for a, b in zip(ours, other))
    if worst > tolerance:
        sys.exit(f"{what} differs by {worst}, more than {tolerance}")
    return worst


def main():
    ours, other = read(sys.argv[1]), read(sys.argv[2])
    name = sys.argv[3]
    exact = name.endswith(".ply")
    quantised = "written by the tool" in name
    count = len(ours["x"])
    assert count == len(other["x"]), "another number of Gaussians"
    # What the tool leaves out is what no map needs: normals are always zero.
    missing = [n for n in ours if n not in other and not n.startswith(("n", "steward_"))]
    assert not missing, f"missing: {missing}"
    if name == "full.ply":
        assert "steward_id_lo" in other, "the tool dropped our properties"
    checked = 0
    for property_name in ours:
        if property_name not in other or property_name.startswith("rot_"):
            continue
        if not exact and property_name.startswith("steward_"):
            continue
        a, b = ours[property_name], other[property_name]
        if property_name == "opacity" and not exact:
            sigmoid = lambda x: 1 / (1 + math.exp(-x))
            differ(map(sigmoid, a), map(sigmoid, b), OPACITY if quantised else 1e-5, property_name)
        elif quantised and property_name.startswith("f_dc"):
            differ(a, b, COLOUR, property_name)
        elif quantised and property_name.startswith("f_rest"):
            differ(a, b, HARMONIC, property_name)
        else:
            differ(a, b, 0.0 if exact else 1e-5, property_name)
        checked += 1
    worst = 0.0
    for i in range(count):
        p = [ours[f"rot_{k}"][i] for k in range(4)]
        q = [other[f"rot_{k}"][i] for k in range(4)]
        dot = sum(x * y for x, y in zip(p, q)) / math.sqrt(sum(x * x for x in p) * sum(x * x for x in q))
        worst = max(worst, 2 * math.acos(min(1.0, abs(dot))))
    limit = ROTATION * 2 if quantised or name.endswith(".splat") else 1e-3
    if worst > limit:
        sys.exit(f"rotations differ by {worst} rad, more than {limit}")
    print(f"{name}: {count} Gaussians, {checked} properties agree, rotations within {worst:.1e} rad")


main()
