#!/usr/bin/env bash
# Runs the library's small models of threads under loom, which tries every order of their steps:
#
#     scripts/loom.sh [arguments of the test program]
#
# `RUSTFLAGS="--cfg loom" cargo test -p flatrec --no-default-features --lib in_loom` runs the same
# tests. It hands the setting to every dependency, so it builds them once more; here only the
# library's own tests get it.
set -euo pipefail
cd "$(dirname "$0")/.."

# The program needs no optimisation: its work is loom's.
export CARGO_PROFILE_DEV_OPT_LEVEL=0
program=$(
    cargo rustc -p flatrec --no-default-features --locked --lib --profile test \
        --message-format=json-render-diagnostics -- --cfg loom |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'
)
[[ -x $program ]] || { echo "loom.sh: cargo built no test program" >&2; exit 1; }
exec "$program" in_loom "$@"
