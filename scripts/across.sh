#!/usr/bin/env bash
# Shows that a store written on one system is the same on another, byte for byte:
#
#     scripts/across.sh TARGET
#     scripts/across.sh HERE THERE [HERE_PRODUCER THERE_PRODUCER]
#
# TARGET is one of scripts/cross.sh; everything needed is built for it and for this machine.
# Otherwise each argument is a command line, with absolute paths and without quotes. The first runs
# this system's `flatrec` and the second the other system's; the next two run the example
# `producer_consumer`. Without those, the script leaves out the logs of killed programs.
#
#     FLATREC_CSV     the input; data/flights-2013-01.csv by default
#     FLATREC_ROWS    the number of its rows, for a slow system; all, or 2000 on s390x
#
# Prints one line for each check; the first failure ends it with status 1. Two files may differ in
# random values and in checksums over them: see across.py.
set -euo pipefail
# The producer's directory begins with a dot.
shopt -s dotglob
home=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "across.sh: $*" >&2
    exit 1
}

usage() {
    echo "usage: scripts/across.sh TARGET, or HERE THERE [HERE_PRODUCER THERE_PRODUCER]" >&2
    exit 2
}

# Builds for this machine and for a target, and prints how to run both.
build() {
    local target=$1 folder=target/cross here there runner ending=""
    [[ $target != *windows* ]] || folder=target/windows ending=.exe
    here=$(realpath -m "${CARGO_TARGET_DIR:-target}")/debug
    there=$(realpath -m "${CARGO_TARGET_DIR:-$folder}")/$target/debug
    runner=$(realpath -m "${FLATREC_CROSS_HOME:-${TMPDIR:-/tmp}/flatrec-cross}")/run-$target
    # With the features of scripts/suite.sh, which has built this before.
    cargo build --quiet --locked --all-features --bins --example producer_consumer
    scripts/cross.sh "$target" build --quiet --locked --bins --example producer_consumer
    [[ $target != s390x-* ]] || : "${FLATREC_ROWS:=2000}"
    commands=(
        "$here/flatrec" "$runner $there/flatrec$ending"
        "$here/examples/producer_consumer" "$runner $there/examples/producer_consumer$ending"
    )
}

case $# in
    1)
        cd "$home"
        build "$1"
        set -- "${commands[@]}" ;;
    2 | 4) ;;
    *) usage ;;
esac
declare -A flatrec=([here]=$1 [there]=$2) producer=([here]=${3:-} [there]=${4:-})

place=$(mktemp -d)
children=()
cleanup() {
    # Processes that a failed check has left running.
    ((${#children[@]} == 0)) || kill -KILL "${children[@]}" 2>/dev/null || true
    rm -rf "$place"
}
trap cleanup EXIT
cd "$place"

# The command of one system, with words separated by spaces.
run() {
    local -a words
    read -ra words <<<"${flatrec[$1]}"
    "${words[@]}" "${@:2}"
}

# As `run`, for a command that must succeed; shows its output if it does not.
ok() {
    run "$@" >out.txt 2>&1 || fail "${*:2} (${1}) ended with status $?: $(cat out.txt)"
}

compare() {
    python3 "$home/scripts/across.py" "$@" || fail "${*:2} differ"
}

same() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# Whether an expanded pattern names any file.
any() {
    [[ -e $1 ]]
}

passed() {
    echo "across: $*"
}

csv=${FLATREC_CSV:-$home/data/flights-2013-01.csv}
if [[ -n ${FLATREC_ROWS:-} ]]; then
    head -n $((FLATREC_ROWS + 1)) "$csv" >in.csv
else
    cp "$csv" in.csv
fi
rows=$(($(wc -l <in.csv) - 1))

for system in here there; do
    ok $system --version
    passed "$system is $(head -1 out.txt | tr -d '\r')"
    # From standard input: a long load from a file would keep its progress on the way.
    run $system load - $system.rec --null NA <in.csv >out.txt 2>&1 || fail "load: $(cat out.txt)"
    ok $system load - $system-deletes.rec --null NA --deletes <in.csv
done
compare store here.rec there.rec
compare sums here.rec-sum there.rec-sum
compare store here-deletes.rec there-deletes.rec
passed "$rows rows loaded on each: the files and their checksums are the same bytes"

# Each system reads what the other wrote. The first of each pair reads, the second has written.
for pair in here:there there:here; do
    reader=${pair%:*} writer=${pair#*:}
    ok "$reader" verify "$writer.rec"
    grep -q " $rows records, checksums of .* no doubts" out.txt || fail "verify: $(cat out.txt)"
    ok "$reader" info "$writer.rec" --json
    mv out.txt "$reader-of-$writer.json"
    ok "$reader" schema "$writer.rec" --as json
    mv out.txt "$reader-of-$writer.schema"
    for ending in csv ndjson npy; do
        ok "$reader" export "$writer.rec" "$reader-of-$writer.$ending"
        ok "$writer" export "$writer.rec" "$writer.$ending" --force
        same "$reader-of-$writer.$ending" "$writer.$ending"
    done
    python3 "$home/scripts/across.py" original in.csv "$writer.csv" || fail "not what was loaded"
    passed "$reader verifies what was written $writer and exports it as that does: the input itself"
done
compare info here-of-there.json there-of-here.json
same here-of-there.schema there-of-here.schema
for ending in csv ndjson npy; do
    same here.$ending there.$ending
done
passed "info, schema and exports are the same on both"

# The same transactions on one system alone, and by turns.
cp in.csv more.csv
change() {
    local a=$1 b=$2 store=$3
    ok "$a" load - "$store" --null NA --deletes <in.csv
    ok "$b" delete "$store" 1 5 8
    ok "$a" set "$store" 0,2,3 dep_delay=77 dest=ZRH
    ok "$b" append "$store" more.csv --null NA
    ok "$a" set "$store" 4 tailnum= distance=-1
    ok "$b" delete "$store" $((rows + 1)),$((2 * rows - 1))
    ok "$a" delete "$store" 6
}
change here here alone.rec
ok here export alone.rec alone.csv
for turns in "here there" "there here" "there there"; do
    read -r a b <<<"$turns"
    store=$a-$b.rec
    change "$a" "$b" "$store"
    for system in here there; do
        ok $system verify "$store"
        grep -q "no doubts" out.txt || fail "verify $store ($system): $(cat out.txt)"
        ok $system checkpoint "$store"
        ok $system export "$store" $system.csv --force
        same $system.csv alone.csv
    done
    compare records alone.rec "$store"
    compare sums alone.rec-sum "$store-sum"
    passed "deletes, changes and appends, $a and $b by turns: the same bytes as on one system"
done

# A committing program is killed; the other system recovers its store. Its consumer sees to the end
# how much that is: a kill loses no commit.
killed() {
    local writer=$1 reader=$2 pid count store
    local -a words
    mkdir "killed-$writer"
    read -ra words <<<"${producer[$writer]}"
    "${words[@]}" "killed-$writer" >"$writer.txt" 2>&1 &
    pid=$!
    children+=("$pid")
    for ((looks = 0; ; looks++)); do
        ((looks < 600)) || fail "no log appears beside a store that is being written $writer"
        any "killed-$writer"/*/ticks.rec-wal-* && break
        sleep 0.1
    done
    sleep 0.3
    kill -KILL "$pid" 2>/dev/null || fail "the producer has ended before it was killed: $(cat "$writer.txt")"
    wait "$pid" 2>/dev/null || true
    children=()
    for ((looks = 0; ; looks++)); do
        ((looks < 600)) || fail "the consumer ($writer) does not end: $(cat "$writer.txt")"
        grep -q "consumer: " "$writer.txt" && break
        sleep 0.1
    done
    count=$(sed -n 's/.*consumer: \([0-9]*\) ticks.*/\1/p' "$writer.txt")
    store=$(echo "killed-$writer"/*/ticks.rec)
    compare live-log "$store"
    # Copies, so that a command that only reads cannot change the original.
    for way in read write; do
        mkdir "$writer-$way"
        cp "$(dirname "$store")"/ticks.rec* "$writer-$way"
        rm -f "$writer-$way/ticks.rec-lock"
    done
    ok "$reader" export "$writer-read/ticks.rec" "$writer-read.csv"
    python3 "$home/scripts/across.py" ticks "$count" "$writer-read.csv" || fail "ticks are missing"
    ok "$reader" verify "$writer-write/ticks.rec"
    ok "$reader" checkpoint "$writer-write/ticks.rec"
    ! any "$writer-write"/ticks.rec-wal-* || fail "there still is a log"
    ok "$reader" set "$writer-write/ticks.rec" 0 price=7
    ok "$writer" set "$writer-write/ticks.rec" 0 price=100
    ok "$writer" export "$writer-write/ticks.rec" "$writer-write.csv"
    same "$writer-read.csv" "$writer-write.csv"
    passed "$count ticks of a program that was killed $writer: the other has them all from its log"
}
if [[ -n ${producer[here]} ]]; then
    killed here there
    killed there here
else
    passed "left out: logs of killed programs, since no producer was given"
fi
passed "all is the same"
