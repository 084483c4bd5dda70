#!/usr/bin/env bash
# Compares the public interface of the library with the list in tests/public-api.txt:
#
#     scripts/public-api.sh            shows the difference, and fails if there is one
#     scripts/public-api.sh --write    writes the list
#
# The list has every item of all features on this system, without the implementations that hold for
# every type. A changed line is a change that docs/STABILITY.md and CHANGELOG.md speak of.
#
# rustdoc writes the items as JSON, whose format changes with the compiler, and scripts/public-api
# reads one format. With another compiler the script compares nothing and ends with 77.
set -euo pipefail
cd "$(dirname "$0")/.."

understood=57 # rustdoc's JSON of Rust 1.95; see scripts/public-api/Cargo.toml
list=tests/public-api.txt
mode=${1:---check}
[[ $# -le 1 && ($mode == --check || $mode == --write) ]] || {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A stable rustdoc writes JSON only with this variable. Build scripts and procedural macros ask for it,
# too, so rustdoc alone gets it. The dependencies are those of `cargo doc`, whose pages stay.
target=${CARGO_TARGET_DIR:-$PWD/target}
export RUSTDOC=$scratch/rustdoc
cat >"$RUSTDOC" <<'SH'
#!/bin/sh
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
SH
chmod +x "$RUSTDOC"
CARGO_BUILD_BUILD_DIR=$target CARGO_TARGET_DIR=$scratch/target \
    cargo rustdoc --quiet --locked --package flatrec --lib --all-features -- \
    -Z unstable-options --output-format json --cap-lints allow
json=$scratch/target/doc/flatrec.json
format=$(grep -o '"format_version":[0-9]*' "$json" | tail -1 | cut -d : -f 2)
if [[ $format != "$understood" ]]; then
    echo "not compared: $(rustc --version) writes format $format, and the list is made from" \
        "format $understood (scripts/public-api/Cargo.toml says which version reads another)"
    exit 77
fi
CARGO_TARGET_DIR=$target/public-api cargo run --quiet --locked \
    --manifest-path scripts/public-api/Cargo.toml -- "$json" >"$scratch/list"
if [[ $mode == --write ]]; then
    cp "$scratch/list" "$list"
    echo "$list: $(wc -l <"$list") items"
elif ! diff --unified=0 --label "$list" --label "the code" "$list" "$scratch/list"; then
    echo "The public interface has changed. If it should, write the list with" \
        "\`scripts/public-api.sh --write\`, and describe the change in CHANGELOG.md." >&2
    exit 1
else
    echo "$list: $(wc -l <"$list") items, as in the code"
fi
