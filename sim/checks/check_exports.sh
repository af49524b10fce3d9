#!/bin/sh
# Checks an exported folder (world.sdf, robot.urdf) with the tools of libsdformat and urdfdom.
# Debian: apt-get install ignition-tools libsdformat-dev liburdfdom-tools
# Usage: check_exports.sh FOLDER
set -eu
folder=${1:?usage: check_exports.sh FOLDER}
missing=
command -v check_urdf >/dev/null || missing="$missing liburdfdom-tools"
if command -v ign >/dev/null; then
    sdf="ign sdf"
elif command -v gz >/dev/null; then
    sdf="gz sdf"
else
    missing="$missing ignition-tools libsdformat-dev"
fi
if [ -n "$missing" ]; then
    echo "missing:$missing" >&2
    exit 77
fi
# The tool reports errors on standard error and may still exit with 0: only its last word counts.
out=$($sdf -k "$folder/world.sdf" 2>&1) || true
case $out in
*"Valid."*) echo "world.sdf: accepted by libsdformat" ;;
*)
    echo "$out" >&2
    echo "world.sdf: refused by libsdformat" >&2
    exit 1
    ;;
esac
if ! out=$(check_urdf "$folder/robot.urdf" 2>&1); then
    echo "$out" >&2
    echo "robot.urdf: refused by urdfdom" >&2
    exit 1
fi
echo "robot.urdf: accepted by urdfdom"
grep -o '\(uri>\|filename="\)meshes/[^"<]*' "$folder/world.sdf" "$folder/robot.urdf" |
    sed 's/.*\(meshes\/.*\)/\1/' | sort -u | while read -r mesh; do
    [ -f "$folder/$mesh" ] || { echo "$mesh is named but not there" >&2; exit 1; }
done
echo "meshes: all there"
