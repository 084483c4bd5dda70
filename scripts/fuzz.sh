#!/usr/bin/env bash
# Builds every fuzz target and runs each for some seconds, starting from its saved inputs:
#
#     scripts/fuzz.sh [SECONDS]
#
# The default is 10 seconds. New inputs go to fuzz/corpus (not kept), failures to fuzz/artifacts.
# fuzz/README.md describes the targets.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
host=$(rustc -vV | sed -n 's/^host: //p')

# The flags are those of `cargo fuzz`, which builds the same by hand (fuzz/README.md). Its program is
# not needed here, and cargo would have to build it first.
flags="--cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Cpasses=sancov-module"
for argument in sanitizer-coverage-level=4 sanitizer-coverage-inline-8bit-counters \
    sanitizer-coverage-pc-table sanitizer-coverage-trace-compares \
    simplifycfg-branch-fold-threshold=0; do
    flags+=" -Cllvm-args=-$argument"
done
# Lets the stable compiler build the sanitizer. A target's own flags do not reach build scripts.
RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags cargo build --quiet --release --locked --target "$host" \
    --manifest-path fuzz/Cargo.toml --target-dir fuzz/target
programs=fuzz/target/$host/release
echo "fuzz targets built after $SECONDS s"

# The targets work on files: in a file system in memory, if there is one.
if [[ -d /dev/shm && -w /dev/shm ]]; then
    scratch=$(mktemp -d /dev/shm/flatrec-fuzz-XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    export TMPDIR=$scratch
fi
# Runs one target; its output is kept, and shown if it failed.
fuzz() {
    local target=$1 corpus=fuzz/corpus/$1 runs
    mkdir -p "$corpus" "fuzz/artifacts/$target"
    local log=$corpus.log
    # An input that takes 20 s or 2 GiB is a failure, too.
    if "$programs/$target" "$corpus" "fuzz/seeds/$target" -artifact_prefix="fuzz/artifacts/$target/" \
        -verbosity=0 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "$target: ${runs:-no} runs, nothing found"
    else
        tail -n 40 "$log"
        echo "$target failed; the input is in fuzz/artifacts" >&2
        return 1
    fi
}
export -f fuzz
export seconds programs
# Each takes one core. xargs fails if one of them fails.
basename -s .rs fuzz/fuzz_targets/*.rs | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
