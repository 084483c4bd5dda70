#!/usr/bin/env bash
# Runs the tests with threads under ThreadSanitizer, which sees every access of the program and of
# the standard library to memory, and names two that race.
#
# It does not know that two maps of one page are the same memory: a race between a writer's store
# through one map and a reader's load through another, or in another process, it cannot see. That
# readers and writers of one page stay apart is shown by the model of their protocol, which tries
# every interleaving (src/shm), and by what the soak test reads (tests/soak).
#
# It needs, on x86-64 Linux, besides the compiler and a linker:
#
#   - the sources of the standard library, which must be built with the sanitizer itself:
#         rustup component add rust-src
#   - the sanitizer's runtime. The compilers that rustup installs come with it; for another one, say
#     where one is, Debian's for instance (libclang-rt-19-dev):
#         FLATREC_TSAN_RUNTIME=/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.tsan-x86_64.a
#
# Where one of these is not there it says so and ends with status 77, for whoever calls it to go on:
# the model and the soak test are checked all the same then, by `cargo test`.
#
# RUSTC and CARGO name another compiler, RUSTFLAGS more flags, FLATREC_SECONDS how long each of the
# longer tests takes; arguments are the tests to run, instead of all that have threads: modules of
# tests/it, and programs beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "tsan.sh: not run: $*" >&2
    exit 77
}

export RUSTC=${RUSTC:-rustc}
cargo=${CARGO:-cargo}
target=x86_64-unknown-linux-gnu
[[ $(uname -sm) == "Linux x86_64" ]] || missing "it needs x86-64 Linux"
command -v "$RUSTC" >/dev/null || missing "there is no $RUSTC"
command -v "$cargo" >/dev/null || missing "there is no $cargo"
sysroot=$("$RUSTC" --print sysroot)
[[ -e $sysroot/lib/rustlib/src/rust/library/std/src/lib.rs ]] ||
    missing "the standard library's sources are not there; rustup component add rust-src"

flags="-Zsanitizer=thread"
if [[ -n ${FLATREC_TSAN_RUNTIME:-} ]]; then
    [[ -e $FLATREC_TSAN_RUNTIME ]] || missing "there is no $FLATREC_TSAN_RUNTIME"
    flags+=" -Zexternal-clangrt -Clink-arg=-Wl,--whole-archive"
    flags+=" -Clink-arg=$FLATREC_TSAN_RUNTIME -Clink-arg=-Wl,--no-whole-archive -Clink-arg=-lm"
elif ! compgen -G "$sysroot/lib/rustlib/$target/lib/librustc-*_rt.tsan.a" >/dev/null; then
    missing "the compiler has no runtime of the sanitizer; see FLATREC_TSAN_RUNTIME in this script"
fi

# A stable compiler takes the flags, too, for what is no release of anything.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/tsan
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="$flags ${RUSTFLAGS:-}"
unset RUSTFLAGS
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
# With the sanitizer in it, a backtrace takes longer than a test waits for a thread that panics.
export RUST_BACKTRACE=0
export FLATREC_SECONDS=${FLATREC_SECONDS:-10}

tests=("$@")
if [[ ${#tests[@]} == 0 ]]; then
    tests=(database_threads group_commit transactions readers readers_beside soak bounded_snapshot)
fi
# Programs of their own, and modules of the shared one.
programs=() modules=()
for test in "${tests[@]}"; do
    if [[ -e tests/$test.rs || -e tests/$test/main.rs ]]; then
        programs+=("--test=$test")
    else
        modules+=("$test::")
    fi
done
under_tsan() {
    "$cargo" test -Zbuild-std --target "$target" -p flatrec --no-fail-fast "$@"
}
[[ ${#modules[@]} == 0 ]] || under_tsan --test=it -- "${modules[@]}"
[[ ${#programs[@]} == 0 ]] || under_tsan "${programs[@]}"
echo "tsan.sh: no races seen"
