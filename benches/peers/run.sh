#!/usr/bin/env bash
# The same windows on the same file in DuckDB and Polars, with answers checked against Pelton's.
#
#   pelton generate payments --rows 10000000 --seed 1 --format parquet --out payments.parquet
#   benches/peers/run.sh payments.parquet [--rounds 3] [--cards 500] [--no-pelton] …
#
#   pelton generate payments --rows 10M --cards 100k --span 11h --top-card-share 0.005 --late-share 0 \
#       --out dense.parquet          (and again with dense.csv)
#   benches/peers/run.sh windows dense.parquet [--csv dense.csv] [--rounds 3] …
#
# Makes its own virtual environment beside itself (git ignores it). `--help` lists the options.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv="$here/.venv"

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
script=peers
if [ "${1:-}" = windows ]; then
    script=windows
    shift
fi
exec "$venv/bin/python" "$here/$script.py" "$@"
