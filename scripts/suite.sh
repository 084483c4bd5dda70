#!/usr/bin/env bash
# Runs the whole suite for one target and says in one line how many tests ran there, beside this
# machine's own count if that is known:
#
#     scripts/suite.sh host|TARGET [arguments of cargo test]
#
# TARGET is one of scripts/cross.sh, which builds and runs it. The suite is what `cargo test
# --workspace` runs: unit tests, integration tests and the documentation's examples. Tests that
# are left out on a target are listed with the reason, which is found beside the test; so are those
# that exist here and not there (after `scripts/suite.sh host`), because they do not compile there.
#
# Calls are slow under Wine and instructions under qemu, so random tests, and the models of the disk
# and of the protocol, which are the same on every machine, try fewer cases for other targets, unless
# PROPTEST_CASES, FLATREC_CASES, FLATREC_HISTORIES and FLATREC_INTERLEAVINGS say how many.
#
# On s390x the suite is built with `--cfg flatrec_any_endian`: most tests store numbers in the
# machine's own order of bytes, which flatrec refuses there although they are about something else.
# That it refuses them, and that little-endian types mean the same there, is tested without that
# (tests/byte_order.rs), as it is shipped.
#
# A test that cannot do its work on a machine, because it needs root or a file system, says `skipped:`
# and why. These are listed, too, and with FLATREC_SKIP_NONE=1 the suite fails if there is one.
#
# What the runs print is kept in target/suite. Ends with cargo's status.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?suite.sh: a target is needed: host, or one of scripts/cross.sh}
shift
results=${FLATREC_SUITE_RESULTS:-target/suite}
mkdir -p "$results"
log=$results/$target.log
: >"$log"
# What tests print that pass.
[[ " $* " == *" -- "* ]] || set -- "$@" --
set -- "$@" --show-output

cargo_test() {
    if [[ $target == host ]]; then
        cargo test "$@"
    else
        scripts/cross.sh "$target" test "$@"
    fi 2>&1 | tee -a "$log"
}

if [[ $target != host ]]; then
    # Python is this machine's: under Wine there is none.
    unset FLATREC_REQUIRE_NUMPY
    export PROPTEST_CASES=${PROPTEST_CASES:-12} FLATREC_CASES=${FLATREC_CASES:-25}
    export FLATREC_HISTORIES=${FLATREC_HISTORIES:-30}
    export FLATREC_INTERLEAVINGS=${FLATREC_INTERLEAVINGS:-100}
fi
status=0
started=$SECONDS
case $target in
    s390x-*)
        cfg='profile.dev.package.flatrec.rustflags=["--cfg","flatrec_any_endian"]'
        cargo_test -Zprofile-rustflags --config "$cfg" \
            --workspace --locked --no-fail-fast "$@" || status=$?
        cargo_test --locked --test byte_order || status=$? ;;
    *) cargo_test --workspace --locked --no-fail-fast "$@" || status=$? ;;
esac
seconds=$((SECONDS - started))

# Each test once, as "FILE NAME<tab>RESULT". A test that starts itself prints its own name again,
# which counts for nothing; one that a later run did not leave out was not left out.
summary() {
    awk '
        /^ *Running / {
            run++
            file = $2 == "unittests" ? $3 : $2
            if (/deps\/flatrec_derive-/) file = "derive/" file
        }
        /^ *Doc-tests / { run++; file = "documentation of " $2 }
        /^test .* \.\.\. / {
            name = result = substr($0, 6)
            sub(/ \.\.\. .*$/, "", name)
            sub(/^.* \.\.\. /, "", result)
            key = file " " name
            if (!(key in results)) order[++count] = key
            else if (runs[key] == run || results[key] !~ /^ignored/) next
            results[key] = result
            runs[key] = run
        }
        END { for (at = 1; at <= count; at++) print order[at] "\t" results[order[at]] }
    ' "$1"
}

# Each test that has said so, as "FILE NAME: WHY".
skipped() {
    awk '
        /^ *Running / { file = $2 == "unittests" ? $3 : $2 }
        /^---- .* stdout ----$/ { name = $2 }
        /^skipped: / { print file " " name ": " substr($0, 10) }
    ' "$1" | sort -u
}

summary "$log" >"$results/$target.tests"
skipped "$log" >"$results/$target.skipped"
count() { grep -c "$1" "$results/$target.tests" || true; }
passed=$(count $'\tok$')
failed=$(count $'\tFAILED$')
ignored=$(count $'\tignored')

say() { printf '\n== %s\n' "$*"; }
say "left out on $target"
sed -n 's/^\(.*\)\tignored,* *\(.*\)$/\1: \2/p' "$results/$target.tests"
say "skipped on $target"
cat "$results/$target.skipped"
beside=
if [[ $target != host && -e $results/host.tests ]]; then
    names() { cut -f 1 "$1" | sort -u; }
    say "not there on $target, and on this machine"
    comm -13 <(names "$results/$target.tests") <(names "$results/host.tests")
    beside=" (this machine: $(grep -c $'\tok$' "$results/host.tests"))"
fi
[[ $failed == 0 ]] || { say "failed on $target"; sed -n 's/\tFAILED$//p' "$results/$target.tests"; }
skips=$(wc -l <"$results/$target.skipped")
say "$target: $passed passed$beside, of which $skips skipped, $failed failed, $ignored left out, in $seconds s"
if [[ ${FLATREC_SKIP_NONE:-} == 1 && $skips != 0 ]]; then
    echo "suite.sh: tests were skipped, and FLATREC_SKIP_NONE=1 allows none" >&2
    exit 1
fi
exit "$status"
