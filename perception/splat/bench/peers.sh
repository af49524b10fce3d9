#!/bin/sh
# Measures OpenSplat (AGPL; a separate program, for comparison only) on the CPU: the same frames, poses and resolution as
# ours, two threads, judged by our metrics.
#
#   perception/splat/bench/peers.sh OPENSPLAT MAP FRAMES FOLDER [SECONDS]
#   cargo run --release -p steward-splat --features cli --example map -- bench --only real --peers FOLDER/peers.json --json
#
# OPENSPLAT is its binary, MAP the example `map` of this crate (target/release/examples/map), FRAMES a folder of RGB-D
# frames. Every 8th frame is held out; the peer gets the others and 50,000 points of their depth as a COLMAP
# reconstruction. It runs twice, with its own schedule of resolutions and at full resolution throughout; the
# better result counts. Its time includes its own start, as ours does.
set -eu
opensplat=${1:?usage: peers.sh OPENSPLAT MAP FRAMES FOLDER [SECONDS]}
map=${2:?}
frames=${3:?}
folder=${4:?}
seconds=${5:-600}

mkdir -p "$folder"
"$map" colmap --rgbd "$frames" --holdout 8 --points 50000 "$folder/colmap"

train() {
    name=$1
    shift
    # It cannot be told a time: it saves often and is stopped when the time is over.
    OMP_NUM_THREADS=2 timeout --preserve-status "$seconds" "$opensplat" "$folder/colmap" --cpu --keep-crs \
        --num-iters 30000 --save-every 20 --output "$folder/$name.ply" "$@" >"$folder/$name.log" 2>&1 || true
    newest=$(ls -t "$folder/${name}"_*.ply | head -n 1)
    "$map" eval "$newest" --rgbd "$frames" --holdout 8 --json | tail -n 1 >"$folder/$name.json"
    find "$folder" -name "${name}_*.ply" ! -path "$newest" -delete
}
train own_schedule
train full_resolution --num-downscales 0

python3 - "$folder" "$seconds" <<'PYTHON'
import json, pathlib, sys
folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
runs = {n: json.loads((folder / f"{n}.json").read_text()) for n in ("own_schedule", "full_resolution")}
best = max(runs, key=lambda n: runs[n]["psnr_db"])
peer = {"name": f"OpenSplat, CPU, {best.replace('_', ' ')}", "seconds": seconds, "psnr_db": runs[best]["psnr_db"]}
(folder / "peers.json").write_text(json.dumps(peer))
for name, run in runs.items():
    print(f"{name}: {run['psnr_db']:.2f} dB, SSIM {run['ssim']:.3f}, depth {run['depth_l1_m']} m, {run['gaussians']} Gaussians")
PYTHON
