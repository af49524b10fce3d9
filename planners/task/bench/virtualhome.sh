#!/bin/sh
# Fetches the benchmark's data (PyPI `virtualhome_eval`, MIT) and writes what its Python simulator does with them.
# For comparison only: nothing of it enters the product.
#
#   planners/task/bench/virtualhome.sh FOLDER
#   cargo run --release -p steward-task --features cli --example virtualhome -- --data FOLDER --json
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: virtualhome.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

python3 -m venv "$folder/python"
"$folder/python/bin/pip" --quiet install --no-deps virtualhome_eval==0.1.1
"$folder/python/bin/pip" --quiet install numpy networkx lark pddlgym pyquaternion fire openai ipdb
"$folder/python/bin/pip" --quiet download --no-deps --dest "$folder/wheel" virtualhome_eval==0.1.1
python3 -m zipfile -e "$folder"/wheel/virtualhome_eval-*.whl "$folder"
cp "$here/virtualhome_reference.py" "$folder"
"$folder/python/bin/python" "$here/virtualhome_reference.py" "$folder" >"$folder/reference.jsonl"
echo "the data are in $folder"
