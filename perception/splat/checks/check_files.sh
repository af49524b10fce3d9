#!/bin/sh
# Lets @playcanvas/splat-transform (npm, MIT) open what Steward writes and write it again, and compares.
#
#   perception/splat/checks/check_files.sh MAP MAP.ply
#
# MAP is the program: `steward map` or the example `map` of this crate. Needs node and npm; the tool is installed below the
# folder for temporary files.
set -eu
program=${1:?usage: check_files.sh PROGRAM MAP.ply}
source=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tool=${SPLAT_TRANSFORM:-}
if [ -z "$tool" ]; then
    npm install --silent --no-audit --no-fund --prefix "$work/npm" @playcanvas/splat-transform@2.7.1
    tool=$work/npm/node_modules/.bin/splat-transform
fi

convert() {
    $program convert "$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
}

for name in full.ply plain.ply map.splat v3.spz v4.spz; do
    case $name in
    plain.ply) convert "$source" "$work/$name" --plain ;;
    v3.spz) convert "$source" "$work/$name" --spz-version 3 ;;
    *) convert "$source" "$work/$name" ;;
    esac
    # Through the tool and back: as .ply, which holds everything that the tool read, and .spz also as .spz.
    "$tool" "$work/$name" "$work/back_$name.ply" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    if grep -iE "warn|error|fail" "$work/log"; then
        echo "$name: the tool complains" >&2
        exit 1
    fi
    convert "$work/$name" "$work/ours_$name.ply"
    python3 "$here/compare_ply.py" "$work/ours_$name.ply" "$work/back_$name.ply" "$name"
    case $name in
    *.spz)
        "$tool" "$work/$name" "$work/again_$name" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
        convert "$work/again_$name" "$work/again_$name.ply"
        python3 "$here/compare_ply.py" "$work/ours_$name.ply" "$work/again_$name.ply" "$name, written by the tool"
        ;;
    esac
done
