#!/usr/bin/env bash
# The same answers on another family of processors: builds the CLI for AArch64, runs it in an
# emulator beside the one of this machine, and compares the bytes of what they write: a recording,
# the alerts of the main job, windows of two kinds, scores of detectors.
#
#   benches/aarch64.sh [ROWS]        # 20000 rows; two builds from nothing took 25 minutes on two cores
#
# Needs: rustup target add aarch64-unknown-linux-gnu
#        apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${1:-20000}
other=aarch64-unknown-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_PROFILE_DEV_OPT_LEVEL=1
cargo build --locked -p pelton-cli
cargo build --locked -p pelton-cli --target "$other"
built=${CARGO_TARGET_DIR:-target}
here=("$(realpath "$built/debug/pelton")")
there=(qemu-aarch64 -L /usr/aarch64-linux-gnu "$(realpath "$built/$other/debug/pelton")")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Runs `pelton` with the same arguments in two folders.
both() {
    for side in here there; do
        local -n pelton=$side
        mkdir -p "$folder/$side"
        (cd "$folder/$side" && "${pelton[@]}" "$@" > /dev/null 2> errors) \
            || { echo "$side: pelton $*"; cat "$folder/$side/errors"; exit 1; }
    done
}

both generate payments --rows "$rows" --seed 3 --format csv --out payments.csv
both replay fraud --input payments.csv --out fraud --shards 2 --quiet
both window --input payments.csv --time ts:us --key card --hop 3600s/600s --delay 2s \
    --agg 'count,avg(amount),stddev(amount),p90(amount),distinct(country)' --out hopping.csv
both window --input payments.csv --time ts:us --key card --over 1h,1d --delay 2s \
    --agg 'count,sum(amount),avg(lat),max(lon)' --out over.csv
both detect --input payments.csv --time ts:us --value amount --key country --out scores.csv

different=0
for file in payments.csv fraud/alerts.ndjson hopping.csv over.csv scores.csv; do
    if cmp "$folder/here/$file" "$folder/there/$file"; then
        echo "same: $file, $(wc -l < "$folder/here/$file") lines"
    else
        different=1
    fi
done
exit "$different"
