#!/usr/bin/env bash
# Runs the suite for one target and prints in one line how many tests ran there, beside this
# machine's own count if known:
#
#     scripts/suite.sh host|TARGET [arguments of cargo test]
#     scripts/suite.sh TARGET --count-later
#     scripts/suite.sh TARGET --count
#
# `--count-later` prints no count, and `--count` that of the last run: for two runs side by side.
#
# TARGET is one of scripts/cross.sh, which builds and runs it. The suite is that of `cargo test
# --workspace`: unit tests, integration tests and the documentation's examples. For other targets it
# has the tests whose results may differ there: `programs` and `skipped` below say which, and a new
# module runs everywhere until it is listed here. With FLATREC_WHOLE_SUITE set it has all. The run
# for `host` fails if a skipped name fits no test. The script lists tests that are left out on a
# target with the reason, which stands beside the test, and (after `scripts/suite.sh host`) tests
# that exist only here, because they do not compile there or cannot differ.
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
# For `host` the library's unit tests run once more, without any feature and optimised, because the
# library by itself must work, too. The models of the disk and of the protocol run there alone: they
# need no feature, and are most of the work of the unit tests. A program with all features would take
# longer to optimise than they run.
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
count=now
case ${1:-} in
    --count) count=only; shift ;;
    --count-later) count=later; shift ;;
esac
[[ $count == only ]] || : >"$log"

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
    # With the machine's other work beside it, Wine starts few processes in the usual four seconds.
    [[ $target != *-windows-* ]] || export FLATREC_SECONDS=${FLATREC_SECONDS:-10}
    export PROPTEST_CASES=${PROPTEST_CASES:-12} FLATREC_CASES=${FLATREC_CASES:-25}
    export FLATREC_HISTORIES=${FLATREC_HISTORIES:-30}
    export FLATREC_INTERLEAVINGS=${FLATREC_INTERLEAVINGS:-100}
fi
# The programs whose tests run on a target, without Parquet and mostly without Arrow
# (scripts/cross.sh), which FLATREC_WHOLE_SUITE brings back. Naming the command's package gives the
# library the same features everywhere, so that it is built only once.
programs_of() {
    case $1 in
        # With the features that the command does not use, too.
        host) programs=(--workspace --all-features) ;;
        # What changes a process or measures it, and the names of files.
        *-windows-*)
            programs=(-p flatrec -p flatrec-cli --lib --test it --test longer --test cli)
            programs+=(--test attacked_readers --test bell_thread --test bounded_snapshot)
            programs+=(--test current_directory --test fault_guard --test full_disk)
            programs+=(--test killed --test soak --test windows_paths) ;;
        i686-*)
            programs=(-p flatrec -p flatrec-cli --lib --test it --test longer --test cli)
            programs+=(--test address_space --test attacked_readers --test bounded_snapshot)
            programs+=(--test byte_order --test fault_guard --test full_disk) ;;
        # Without the command: it reads and writes by the library's calls alone.
        s390x-*) programs=(-p flatrec -p flatrec-cli --lib --test it --test longer) ;;
    esac
}
# The tests that a target leaves out: parts of names, as `--skip` takes them.
skipped_on() {
    # Those that this machine runs in a program of their own.
    skipped=(sim::cuts:: sim::leftovers:: sim::mutations:: sim::troubled:: shm::model::)
    [[ $1 != host ]] || return 0
    # The simulated disk and memory; documents beside code; the text of errors and events.
    skipped=(sim:: shm::model:: compare_document:: win32_document:: error:: trace_events::)
    # Which methods there are, which transaction comes next, and which calls fail on purpose.
    skipped+=(every_method:: owned_transactions:: owned_failures:: group_commit::)
    skipped+=(database_faults::)
    # Python and compilers read on this machine what any other writes there (scripts/across.sh).
    skipped+=(numpy:: format_document:: golden::python exchange_schema::c_and)
    skipped+=(exchange_arrow::pyarrow exchange_arrow::what_pyarrow)
    case $1 in
        *-windows-*)
            # Bytes and texts in memory.
            skipped+=(format:: overlay:: number:: query:: exchange::csv:: number_texts::)
            skipped+=(field_types:: format_properties:: derive:: conditions:: ways_in::)
            skipped+=(exchange_csv:: exchange_types:: exchange_round_trip:: exchange_schema::)
            skipped+=(exchange_inputs:: exchange_resume:: exchange_export::the_)
            skipped+=(exchange_arrow:: exchange_guess:: exchange_ndjson:: exchange_npy:: foreign::)
            # Damage is bytes, too, which this machine tries in every place.
            skipped+=(patched_files:: db::tests::seeds wal::tests::damage wal::tests::hostile)
            skipped+=(wal::tests::long_append checksums::flips:: checksums::every_flipped)
            # Commands that ask no more of the system than the others.
            skipped+=(annotated:: bulk:: field_names:: next_month:: values::) ;;
        i686-*)
            # Texts and conditions, but not their bounds.
            skipped+=(query::tests::random query::tests::batches ways_in:: messages::)
            # Processes and threads beside a store, and the names of files.
            skipped+=(readers_beside:: database_threads:: commit_events:: tick_store:: side_files::)
            skipped+=(shm::bell_thread:: wal::tests::damage)
            skipped+=(checksums::flips:: checksums::every_flipped)
            # Of the command what lengths and numbers come into: loads, exports, damaged stores.
            skipped+=(annotated:: field_names:: hot_copies:: long_names::)
            skipped+=(guard::commit guard::limits guard::output guard::signals)
            skipped+=(next_month:: outputs:: planted:: sharing:: shown:: tail:: values:: waits::) ;;
        s390x-*)
            # Calls of the system, processes, threads, and the names of files.
            skipped+=(os:: shm:: io:: access:: backings:: commit_events::)
            skipped+=(database_threads:: edits:: faults:: handles:: long_names:: map_files::)
            skipped+=(messages:: modified:: open_or_create:: readers:: readers_beside::)
            skipped+=(side_files:: temporary:: tick_store:: read_beside:: beside_writer::)
            skipped+=(exchange_export::th exchange_types::narrow_types_do exchange_types::texts)
            # Texts; numbers become bytes in format_properties and exchange_types.
            skipped+=(exchange::csv:: exchange::input:: exchange_csv:: exchange_inputs::)
            skipped+=(exchange_resume:: number_texts:: format::text::write format::text::civil)
            skipped+=(query::tests::hostile query::tests::a_long_list query::batch::sets)
            # Lengths and places; and what tries each byte or many sizes.
            skipped+=(overlay:: array:: wal::tests::growth:: wal::tests::damage long_append::)
            skipped+=(wal::tests::hostile checksums::flips:: checksums::every_flipped)
            skipped+=(db::tests::seeds) ;;
    esac
}
# Fails if a name that a target skips fits no test of this machine, or one that it was not meant
# for: `change::` would skip `exchange::`, too.
check_skipped() {
    local other name tests status=0
    tests=$(cut -f 1 "$1" | sed 's/^[^ ]* //')
    for other in host x86_64-pc-windows-gnu i686-unknown-linux-gnu s390x-unknown-linux-gnu; do
        skipped_on "$other"
        for name in "${skipped[@]}"; do
            grep -qF -- "$name" <<<"$tests" && continue
            echo "suite.sh: $other skips \`$name\`, which is in the name of no test" >&2
            status=1
        done
        name=$(IFS='|' && echo "${skipped[*]}")
        if grep -F -- "$(printf '%s\n' "${skipped[@]}")" <<<"$tests" | grep -vE "(^|::| - )($name)"; then
            echo "suite.sh: $other skips these because a name that it skips ends theirs" >&2
            status=1
        fi
    done
    return "$status"
}
run() {
    programs_of "$target"
    local skipped=() arguments name cfg
    if [[ $target == host ]]; then
        [[ $# != 0 ]] || skipped_on host
    elif [[ -n ${FLATREC_WHOLE_SUITE:-} ]]; then
        programs=(--workspace --features flatrec-cli/parquet)
    else
        skipped_on "$target"
    fi
    arguments=("${programs[@]}" --locked --no-fail-fast "$@")
    if [[ ${#skipped[@]} != 0 ]]; then
        [[ " $* " == *" -- "* ]] || arguments+=(--)
        for name in "${skipped[@]}"; do arguments+=(--skip "$name"); done
    fi
    case $target in
        host)
            cargo_test "${arguments[@]}" || status=$?
            [[ $# != 0 ]] || CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo_test -p flatrec \
                --no-default-features --lib --locked --no-fail-fast || status=$? ;;
        s390x-*)
            cfg='profile.dev.package.flatrec.rustflags=["--cfg","flatrec_any_endian"]'
            cargo_test -Zprofile-rustflags --config "$cfg" "${arguments[@]}" || status=$?
            cargo_test --locked --test byte_order || status=$? ;;
        *)
            cargo_test "${arguments[@]}" || status=$?
            # The documentation's examples are no program that --test names.
            if [[ $target == *-windows-* && -z ${FLATREC_WHOLE_SUITE:-} && $# == 0 ]]; then
                cargo_test -p flatrec -p flatrec-cli --doc --locked || status=$?
            fi ;;
    esac
}
status=0
started=$SECONDS
[[ $count == only ]] || run "$@"
took=", in $((SECONDS - started)) s"
[[ $count != only ]] || took=
[[ " $* " != *" --no-run "* ]] || exit "$status"

# Each test once, as "FILE NAME<tab>RESULT". A test that starts itself prints its own name again,
# which does not count; a test that runs in a later run was not left out, and one that fails there
# has failed.
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
            else if (result != "FAILED" && (runs[key] == run || results[key] !~ /^ignored/)) next
            results[key] = result
            runs[key] = run
        }
        END { for (at = 1; at <= count; at++) print order[at] "\t" results[order[at]] }
    ' "$1"
}

summary "$log" >"$results/$target.tests"
[[ $count != later ]] || exit "$status"
number() { grep -c "$1" "$results/$target.tests" || true; }
passed=$(number $'\tok$')
failed=$(number $'\tFAILED$')
ignored=$(number $'\tignored')

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
# With arguments the run may have been of some tests alone.
[[ $target != host || $# != 0 ]] || check_skipped "$results/host.tests" || status=1
[[ $failed == 0 ]] || { say "failed on $target"; sed -n 's/\tFAILED$//p' "$results/$target.tests"; }
say "$target: $passed passed$beside, $failed failed, $ignored left out, $skips skips$took"
exit "$status"
