#!/usr/bin/env bash
# Builds, tests and runs flatrec for another system, on Debian 12 x86-64:
#
#     scripts/cross.sh TARGET build|test|run [arguments of cargo]
#     scripts/cross.sh TARGET fetch
#
#     x86_64-pc-windows-gnu      run under Wine, whose file mapping keeps Windows's rules: views at
#                                multiples of 64 KiB (error 1132), and no truncation of a file that
#                                has a view (error 1224)
#     i686-unknown-linux-gnu     a real 32-bit process, with its small address space
#     s390x-unknown-linux-gnu    big-endian, run by qemu-user
#
# Without Parquet, whose packages take long to build and do the same everywhere, and without Arrow
# except on s390x, where a test has flatrec refuse it. `--features` or `--all-features` among the
# arguments choose otherwise.
#
# Fetches what it needs the first time (`fetch` does no more), as root: with apt, linkers and the
# programs that run the results; with rustup, the installed compiler's release once more, with the
# target's standard library. Where rustup cannot, the script unpacks Debian's newest compiler with
# the sources of its standard library, and builds the library for each target, which takes a minute
# of processor time more. Either goes into a folder of its own: the script neither uses nor changes
# an installed toolchain.
#
# For s390x it tells the kernel to run such programs with qemu (binfmt_misc), until the machine is
# restarted: otherwise a test that starts processes could not start its own program.
#
#     FLATREC_CROSS_HOME    the folder for the unpacked files; ${TMPDIR:-/tmp}/flatrec-cross
#     CARGO_TARGET_DIR      cargo's build folder; target/windows, or target/cross for the other two
#
# Ends with cargo's status; with 2 for a wrong command line, with 1 if it cannot get what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "cross.sh: $*" >&2
    exit 1
}

usage() {
    echo "cross.sh: $*" >&2
    echo "usage: scripts/cross.sh TARGET build|test|run [arguments of cargo], or TARGET fetch" >&2
    echo "targets: x86_64-pc-windows-gnu, i686-unknown-linux-gnu, s390x-unknown-linux-gnu" >&2
    exit 2
}

[[ $# -ge 2 ]] || usage "a target and a command are needed"
target=$1
command=$2
shift 2
case $target in
    x86_64-pc-windows-gnu)
        packages=(gcc-mingw-w64-x86-64 wine64)
        linker=x86_64-w64-mingw32-gcc flags="" ;;
    i686-unknown-linux-gnu)
        packages=(gcc-12-multilib)
        linker=gcc-12 flags="-Clink-arg=-m32" ;;
    s390x-unknown-linux-gnu)
        packages=(gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static)
        linker=s390x-linux-gnu-gcc flags="" ;;
    *) usage "there is no target $target here" ;;
esac
case $command in
    build | test | run | fetch) ;;
    *) usage "there is no command $command" ;;
esac

home=${FLATREC_CROSS_HOME:-${TMPDIR:-/tmp}/flatrec-cross}
# The installed compiler's release; empty for a nightly compiler, and without one.
release=$(rustc --version 2>/dev/null | sed -nE 's/^rustc ([0-9]+\.[0-9]+\.[0-9]+) .*/\1/p')
rustup=$home/rustup/toolchains/$release-x86_64-unknown-linux-gnu/bin
rust=$home/rust
runner=$home/run-$target
export DEBIAN_FRONTEND=noninteractive

# apt needs root, unless everything is already there.
with_apt() {
    local missing=$1
    [[ $(uname -sm) == "Linux x86_64" ]] || fail "it needs x86-64 Linux"
    [[ $(id -u) == 0 ]] || fail "$missing is missing: run this once as root to fetch it"
    command -v apt-get >/dev/null || fail "$missing needs apt-get, which is missing"
}

# A toolchain with the standard library of the target, as rustup's servers have it.
fetch_with_rustup() {
    [[ -n $release ]] && command -v rustup >/dev/null || return 1
    RUSTUP_HOME=$home/rustup RUSTUP_TOOLCHAIN='' rustup toolchain install "$release" \
        --profile minimal --no-self-update --target "$target" >"$home/rustup.log" 2>&1 && return
    echo "cross.sh: rustup fetched no library for $target, so Debian's will be built:" \
        "$(tail -n 1 "$home/rustup.log")" >&2
    return 1
}

updated=
apt_update() {
    [[ -z $updated ]] || return 0
    apt-get update -qq || fail "apt-get update failed: is there a network?"
    updated=yes
}

# The compiler is unpacked and not installed, so that it does not replace another one.
unpack_rust() {
    with_apt "the compiler"
    apt_update
    local wanted=(rustc-web cargo-web rust-web-src) all
    all=$(apt-get install -s --no-install-recommends "${wanted[@]}" |
        sed -n 's/^Inst \([^ ]*\).*/\1/p' | sort -u - <(printf '%s\n' "${wanted[@]}")) ||
        fail "this Debian has no ${wanted[*]}: use Debian 12 with its security updates"
    rm -rf "$rust" "$home/packages"
    mkdir -p "$rust" "$home/packages"
    # shellcheck disable=SC2086 # a word is a package
    (cd "$home/packages" && apt-get download -qq $all) || fail "the compiler was not fetched"
    local package
    for package in "$home"/packages/*.deb; do dpkg -x "$package" "$rust"; done
    rm -rf "$home/packages"
}

install_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok' && continue
        with_apt "$package"
        apt_update
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
            fail "apt-get install ${packages[*]} failed"
        return
    done
}

# Starts the server if it does not run, or ends it.
wine_server() {
    local server
    server=$(command -v wineserver64 || echo /usr/lib/wine/wineserver64)
    WINEPREFIX=$home/wine "$server" "$@" </dev/null >/dev/null 2>&1 || true
}

# Wine 8 lacks ProcessPrng, which Rust's standard library needs: our own library provides it.
make_wine() {
    cat >"$home/prng.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T left) {
    while (left) {
        ULONG step = left > 1u << 28 ? 1u << 28 : (ULONG)left;
        if (!SystemFunction036(to, step)) return FALSE;
        to += step;
        left -= step;
    }
    return TRUE;
}
C
    "$linker" -shared -O2 -o "$home/bcryptprimitives.dll" "$home/prng.c" -ladvapi32
    local wine
    wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
    [[ -x $wine ]] || fail "wine64 is installed, but there is no $wine"
    WINEPREFIX=$home/wine WINEDEBUG=-all WINEARCH=win64 timeout 300 "$wine" wineboot -i \
        >/dev/null 2>&1 || true # it complains about the missing display
    [[ -d $home/wine/drive_c/windows/system32 ]] || fail "wineboot made no $home/wine"
    wine_server -k
    cp "$home/bcryptprimitives.dll" "$home/wine/drive_c/windows/system32/"
    cat >"$runner" <<SH
#!/bin/sh
unset LD_LIBRARY_PATH
export WINEPREFIX='$home/wine' WINEDEBUG=-all WINEARCH=win64
export WINEDLLOVERRIDES=bcryptprimitives=n
exec '$wine' "\$@"
SH
}

make_runner() {
    case $target in
        x86_64-pc-windows-gnu) make_wine ;;
        i686-unknown-linux-gnu)
            printf '#!/bin/sh\nunset LD_LIBRARY_PATH\nexec "$@"\n' >"$runner" ;;
        s390x-unknown-linux-gnu)
            printf '#!/bin/sh\nunset LD_LIBRARY_PATH\n%s\nexec "$@"\n' \
                "export QEMU_LD_PREFIX=/usr/s390x-linux-gnu" >"$runner" ;;
    esac
    chmod +x "$runner"
}

# The line with the settings is a part of Debian's qemu-user-static.
tell_the_kernel_of_qemu() {
    local misc=/proc/sys/fs/binfmt_misc line=/usr/lib/binfmt.d/qemu-s390x.conf
    [[ ! -e $misc/qemu-s390x ]] || return 0
    [[ $(id -u) == 0 ]] || fail "the kernel does not know qemu yet: run this once as root"
    [[ -e $misc/register ]] || mount -t binfmt_misc binfmt_misc "$misc" ||
        fail "binfmt_misc cannot be mounted, so s390x programs cannot be started here"
    cat "$line" >"$misc/register" || fail "the kernel refuses $line"
}

mkdir -p "$home"
# Programs in that folder are run, so it must belong to this user.
[[ -O $home ]] || fail "$home belongs to another user: set FLATREC_CROSS_HOME"
exec 9>"$home/lock"
flock 9
# Which of the two it is stays as it was at first.
chosen=$home/compiler-$target-$release
if [[ ! -e $chosen ]]; then
    if fetch_with_rustup; then
        echo "$rustup" >"$chosen"
    else
        [[ -e $home/ready ]] || unpack_rust
        touch "$home/ready"
        echo "$rust/usr/bin" >"$chosen"
    fi
fi
tools=$(cat "$chosen")
if [[ ! -e $home/ready-$target ]]; then
    install_packages
    make_runner
    touch "$home/ready-$target"
fi
[[ $target != s390x-unknown-linux-gnu ]] || tell_the_kernel_of_qemu
exec 9>&-
[[ $command != fetch ]] || exit 0
# A server that ends with the last program may end when the next one begins, which then fails.
# This one waits two minutes for more programs. So do Wine's services, which keep the output of
# their starter open: here it is /dev/null, so no program waits for it.
if [[ $target == x86_64-pc-windows-gnu ]]; then
    wine_server -p120
    "$runner" cmd /c exit </dev/null >/dev/null 2>&1 || fail "Wine does not start: see $runner"
fi

name=$(tr 'a-z-' 'A-Z_' <<<"$target")
# The compiler of C is the one that links.
export "CC_${target//-/_}=$linker"
export "CARGO_TARGET_${name}_LINKER=$linker" "CARGO_TARGET_${name}_RUNNER=$runner"
# Without what only benchmarks need (Cargo.toml).
export "CARGO_TARGET_${name}_RUSTFLAGS=$flags --cfg flatrec_no_benches ${RUSTFLAGS:-}"
export RUSTC=$tools/rustc RUSTDOC=$tools/rustdoc
# A stable compiler takes unstable options too; the result is not for a release.
export RUSTC_BOOTSTRAP=1
# Two folders, so that .ci/run can build in one while the other is in use.
if [[ $target == *-windows-* ]]; then folder=target/windows; else folder=target/cross; fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$folder}
# Without debug information it builds faster, and a test still has its line.
export CARGO_PROFILE_DEV_DEBUG=0
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
export CARGO_PROFILE_DEV_OPT_LEVEL=${CARGO_PROFILE_DEV_OPT_LEVEL:-0}
standard_library=()
if [[ $tools == "$rust"/* ]]; then
    export LD_LIBRARY_PATH=$rust/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    standard_library=(-Zbuild-std=std,panic_unwind)
    # As Cargo.toml has it, it would be built without optimisation, which makes heavy tests slow.
    for package in core alloc std hashbrown; do
        profile=profile.dev.package.$package
        standard_library+=(--config "$profile.opt-level=3" --config "$profile.overflow-checks=false"
            --config "$profile.debug-assertions=false")
    done
fi
features=(--no-default-features --features flatrec/derive)
[[ $target != s390x-* ]] || features[2]+=,flatrec/arrow
case " $* " in *" --features "* | *" --all-features "*) features=() ;; esac
unset RUSTFLAGS RUSTUP_TOOLCHAIN
exec "$tools/cargo" "$command" --target "$target" "${standard_library[@]}" "${features[@]}" "$@"
