#!/usr/bin/env bash
# Builds the programs of docs/COMPARE.md and runs each twice on one store: the first run makes it, and
# the second goes on with it. Prints the lines of each program, and whether it says what flatrec's
# program says. Ends with 1 if one says something else.
#
#     scripts/compare.sh
#
# Builds other stores, SQLite and LMDB among them in C, so it takes minutes the first time. The Python
# that has numpy is FLATREC_PYTHON, or python3.
set -euo pipefail
cd "$(dirname "$0")/../compare"

cargo build --bins
programs=${CARGO_TARGET_DIR:-target}/debug
python=${FLATREC_PYTHON:-python3}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

run() {
    local name=$1
    shift
    for _ in first second; do
        "$@" "$place/$name" 2>&1 || echo "it ended with $?"
    done >"$place/$name.txt"
}

differ=0
for source in src/bin/flatrec.rs src/bin/*.rs *.py; do
    name=$(basename "${source%.*}")
    [[ -e $place/$name.txt ]] && continue # flatrec comes first
    case $source in
        *.py) run "$name" "$python" "$source" ;;
        *) run "$name" "$programs/$name" ;;
    esac
    if cmp -s "$place/flatrec.txt" "$place/$name.txt"; then
        verdict=agrees
    else
        verdict=differs differ=1
    fi
    printf '%-12s  %3d lines  %s\n' "$name" "$(wc -l <"$source")" "$verdict"
    [[ $verdict == agrees && $name != flatrec ]] || sed 's/^/    /' "$place/$name.txt"
done
exit "$differ"
