#!/usr/bin/env bash
# Runs the suite for one target and prints in one line how many tests ran there, beside this
# machine's own count if known:
#
#     scripts/suite.sh host|TARGET [arguments of cargo test]
#
# TARGET is one of scripts/cross.sh, which builds and runs it. The suite is that of `cargo test
# --workspace`: unit tests, integration tests and the documentation's examples. For other targets it
# has the tests whose results may differ there (`selection` and `skipped` below); with
# FLATREC_WHOLE_SUITE set it has all. The script lists tests that are left out on a target with the
# reason, which stands beside the test, and (after `scripts/suite.sh host`) tests that exist only
# here, because they do not compile there or cannot differ.
#
# Calls are slow under Wine and instructions under qemu. So random tests, and the models of the disk
# and of the protocol, which are the same on every machine, try fewer cases for other targets,
# unless PROPTEST_CASES, FLATREC_CASES, FLATREC_HISTORIES and FLATREC_INTERLEAVINGS set the number.
#
# On s390x the suite is built with `--cfg flatrec_any_endian`: most tests store numbers in the
# machine's own byte order, which flatrec refuses there although the tests do not depend on it.
# tests/byte_order.rs tests the refusal, and that little-endian types mean the same there, in the
# shipped build.
#
# A test may also report that it, or a part of it, cannot run here. These reports are counted as
# skips. With FLATREC_NO_SKIPS they are failures, on this machine only, because others lack more.
#
# The output of the runs is kept in target/suite. Ends with cargo's status.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?suite.sh: a target is needed: host, or one of scripts/cross.sh}
shift
results=${FLATREC_SUITE_RESULTS:-target/suite}
mkdir -p "$results"
log=$results/$target.log
: >"$log"

cargo_test() {
    if [[ $target == host ]]; then
        cargo test "$@"
    else
        scripts/cross.sh "$target" test "$@"
    fi 2>&1 | tee -a "$log"
}

if [[ $target != host ]]; then
    # Some tests need this machine: under Wine there is no Python.
    unset FLATREC_NO_SKIPS
    # A wrong order of bytes shows in the first cases.
    if [[ $target == s390x-* ]]; then
        export PROPTEST_CASES=${PROPTEST_CASES:-3} FLATREC_CASES=${FLATREC_CASES:-5}
        export FLATREC_HISTORIES=${FLATREC_HISTORIES:-5}
    fi
    export PROPTEST_CASES=${PROPTEST_CASES:-12} FLATREC_CASES=${FLATREC_CASES:-25}
    export FLATREC_HISTORIES=${FLATREC_HISTORIES:-30}
    export FLATREC_INTERLEAVINGS=${FLATREC_INTERLEAVINGS:-100}
fi
# The tests that run on a target, and those left out because neither the system, nor the size of
# addresses, nor the byte order affects them. Naming the command's package gives the library the
# same features everywhere, so that it is built only once.
selection=(--workspace) skipped=()
simulated=(sim::mutations:: sim::troubled:: sim::cuts:: shm::model::)
case $target in
    # With the features that the command does not use, too.
    host) selection=(--workspace --all-features) ;;
    *-windows-*) skipped=("${simulated[@]}" patched_files::numbers_at_their_limits) ;;
    i686-*)
        selection=(-p flatrec -p flatrec-cli --lib --test it --test longer --test cli)
        selection+=(--test address_space --test attacked_readers --test bounded_snapshot)
        selection+=(--test byte_order --test fault_guard --test full_disk)
        skipped=("${simulated[@]}" sim:: database_faults::) ;;
    s390x-*)
        selection=(-p flatrec -p flatrec-cli --lib --test it --test longer --test fault_guard)
        skipped=("${simulated[@]}" sim:: database_faults:: database_threads:: group_commit::)
        skipped+=(readers_beside:: win32_document::) ;;
esac
if [[ -n ${FLATREC_WHOLE_SUITE:-} ]]; then selection=(--workspace) skipped=(); fi
arguments=("${selection[@]}" --locked --no-fail-fast "$@")
if [[ ${#skipped[@]} != 0 ]]; then
    [[ " $* " == *" -- "* ]] || arguments+=(--)
    for name in "${skipped[@]}"; do arguments+=(--skip "$name"); done
fi
status=0
started=$SECONDS
case $target in
    s390x-*)
        cfg='profile.dev.package.flatrec.rustflags=["--cfg","flatrec_any_endian"]'
        cargo_test -Zprofile-rustflags --config "$cfg" "${arguments[@]}" || status=$?
        cargo_test --locked --test byte_order || status=$? ;;
    *) cargo_test "${arguments[@]}" || status=$? ;;
esac
seconds=$((SECONDS - started))

# Each test once, as "FILE NAME<tab>RESULT". A test that starts itself prints its own name again,
# which does not count; a test that runs in a later run was not left out.
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

summary "$log" >"$results/$target.tests"
count() { grep -c "$1" "$results/$target.tests" || true; }
passed=$(count $'\tok$')
failed=$(count $'\tFAILED$')
ignored=$(count $'\tignored')

say() { printf '\n== %s\n' "$*"; }
say "left out on $target"
sed -n 's/^\(.*\)\tignored,* *\(.*\)$/\1: \2/p' "$results/$target.tests"
grep -o '^skipped: .*' "$log" | sort -u || true
skips=$(grep -c '^skipped: ' "$log" || true)
beside=
if [[ $target != host && -e $results/host.tests ]]; then
    names() { cut -f 1 "$1" | sort -u; }
    say "not there on $target, and on this machine"
    comm -13 <(names "$results/$target.tests") <(names "$results/host.tests")
    beside=" (this machine: $(grep -c $'\tok$' "$results/host.tests"))"
fi
[[ $failed == 0 ]] || { say "failed on $target"; sed -n 's/\tFAILED$//p' "$results/$target.tests"; }
say "$target: $passed passed$beside, $failed failed, $ignored left out, $skips skips, in $seconds s"
exit "$status"
