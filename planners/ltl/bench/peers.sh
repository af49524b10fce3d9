#!/bin/sh
# Installs the peers that the benchmark compares with, as oracles only: nothing of them enters the product.
#
#   planners/ltl/bench/peers.sh FOLDER
#   cargo run --release -p steward-ltl --features cli --example ltl -- bench --json --peers FOLDER
#
# ltlf2dfa (PyPI, LGPL) drives Debian's `mona` (GPL): install that first with `apt-get install mona`.
# Spot (GPL) comes as the library inside the PyPI wheel acacia-boomslang, built for Python 3.13; the wheel is
# only unpacked and its libspot linked to a small driver, so no Python 3.13 is needed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: peers.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

command -v mona >/dev/null || { echo "mona is missing: apt-get install mona" >&2; exit 1; }
python3 -m venv "$folder/ltlf2dfa"
"$folder/ltlf2dfa/bin/pip" --quiet install ltlf2dfa==2.0.0
cat >"$folder/mona_times" <<RUN
#!/bin/sh
cd "$folder" && exec "$folder/ltlf2dfa/bin/python" "$here/mona_times.py"
RUN
chmod +x "$folder/mona_times"

"$folder/ltlf2dfa/bin/pip" --quiet download --no-deps --only-binary=:all: --python-version 3.13 \
    --implementation cp --dest "$folder/wheel" acacia-boomslang==2.7.2
python3 -m zipfile -e "$folder"/wheel/acacia_boomslang-*.whl "$folder/spot"
libraries=$folder/spot/acacia_boomslang.libs
c++ -std=c++20 -O2 "$here/spot_times.cc" "$libraries"/libspot-*.so* "$libraries"/libbddx-*.so* \
    -Wl,-rpath,"$libraries" -o "$folder/spot_times"
echo "peers are in $folder"
