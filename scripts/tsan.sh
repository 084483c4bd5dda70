#!/usr/bin/env bash
# Runs the tests with threads under ThreadSanitizer, which sees every memory access of the program
# and of the standard library, and names two that race.
#
# It does not know that two maps of one page are the same memory: it cannot see a race between a
# writer's store through one map and a reader's load through another, or in another process. The
# model of their protocol, which tries every interleaving (src/shm), and the soak test (tests/soak)
# show that readers and writers of one page do not conflict.
#
# It needs, on x86-64 Linux, besides the compiler and a linker:
#
#   - the sources of the standard library, which it builds with the sanitizer:
#         rustup component add rust-src
#   - the sanitizer's runtime. rustup's compilers include it; for another compiler give the path of
#     one, for example Debian's (libclang-rt-19-dev):
#         FLATREC_TSAN_RUNTIME=/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.tsan-x86_64.a
#
# If one of these is missing it says so and ends with status 77, so that its caller can continue:
# `cargo test` still checks the model and the soak test.
#
# RUSTC and CARGO name another compiler, RUSTFLAGS more flags, FLATREC_SECONDS the duration of each
# of the longer tests; arguments are the tests to run, instead of all with threads: modules of
# tests/it and tests/longer, and programs beside them.
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

# A stable compiler accepts the flags too; the result is not for a release.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/tsan
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="$flags ${RUSTFLAGS:-}"
unset RUSTFLAGS
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
# With the sanitizer in it, a backtrace takes longer than a test waits for a panicking thread.
export RUST_BACKTRACE=0
export FLATREC_SECONDS=${FLATREC_SECONDS:-10}

tests=("$@")
if [[ ${#tests[@]} == 0 ]]; then
    tests=(database_threads group_commit transactions readers readers_beside soak bounded_snapshot)
fi
# Separate programs, and modules of the shared ones.
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
[[ ${#modules[@]} == 0 ]] || under_tsan --test=it --test=longer -- "${modules[@]}"
[[ ${#programs[@]} == 0 ]] || under_tsan "${programs[@]}"
echo "tsan.sh: no races seen"
