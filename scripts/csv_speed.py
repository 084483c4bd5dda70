#!/usr/bin/env python3
"""Times load, export and a condition beside DuckDB and sqlite3, in turns, and prints medians and ratios.

    scripts/csv_speed.py [ROUNDS]

Makes two CSV files in a temporary folder (TMPDIR names another place), in which all programs work:

- classic: 1,000,000 rows of 127 bytes: an id, a time in ns, a price, two small integers, a symbol and
  72 characters of text;
- flights: data/flights-2013-01.csv 12 times, 324,048 rows of 19 columns, mostly integers and nulls.

Each measurement is one process, and each round runs all programs once, so that a busy machine slows all
of them alike. A load ends when its file is on the disk. A median of the processor's time stands beside
that of the clock, and the last column is the clock's ratio to flatrec. `cat` reads the same CSV file
and does nothing else.

Needs Python's package duckdb and the program sqlite3; what is missing is left out, and said. Builds the
command.
"""

import importlib.util
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from built import COMMAND, ROOT, programs

FLIGHTS = ROOT / "data" / "flights-2013-01.csv"
COPIES = 12

DUCK_LOAD = """import duckdb
base = duckdb.connect({base!r})
base.execute("create table t as select * from read_csv({csv!r}, sample_size=-1{null})")
base.execute("checkpoint")
base.close()"""
DUCK_EXPORT = """import duckdb
duckdb.connect({base!r}, read_only=True).execute("copy t to {out!r} (header)")"""
DUCK_COUNT = """import duckdb
print(duckdb.connect({base!r}, read_only=True).execute("select count(*) from t where {where}").fetchone()[0])"""


def rounds_asked(usage: str) -> int:
    """The number of rounds on the command line."""
    if len(sys.argv) > 2 or sys.argv[1:] and not sys.argv[1].isdigit():
        sys.exit(usage)
    return int(sys.argv[1]) if len(sys.argv) > 1 else 5


def main() -> None:
    rounds = rounds_asked(__doc__)
    flatrec = programs(COMMAND)["flatrec"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name, csv, null, where in [
            ("classic", classic(folder), None, "price > 500 and symbol <> 'HNL'"),
            ("flights", flights(folder), "NA", "dep_delay > 400 and dest <> 'HNL'"),
        ]:
            print(f"{name}: {csv.stat().st_size:,} bytes, {rounds} rounds, {os.cpu_count()} processors")
            show(measure(works(flatrec, folder, name, csv, null, where), rounds))


def classic(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "classic.csv"
    chance = random.Random(7)
    symbols = ["HNL", "JFK", "BWI", "ORD", "SFO", "LAX", "SEA", "BOS"]
    letters = "abcdefghijklmnopqrstuvwxyz    "
    texts = ["".join(chance.choices(letters, k=72)).strip().ljust(72, "x") for _ in range(1000)]
    with path.open("w") as file:
        file.write("id,at,price,size,venue,symbol,text\n")
        for row in range(1_000_000):
            at = f"2024-03-{row % 28 + 1:02}T10:{row % 60:02}:{row % 59:02}.{chance.randrange(10**9):09}"
            price = f"{chance.randrange(100_000) / 100:.2f}"
            file.write(f"{row},{at},{price},{row % 500},{row % 7},{symbols[row % 8]},{texts[row % 1000]}\n")
    return path


def flights(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "flights.csv"
    header, rows = FLIGHTS.read_text().split("\n", 1)
    path.write_text(header + "\n" + rows * COPIES)
    return path


def works(flatrec: str, folder: pathlib.Path, name: str, csv: pathlib.Path, null, where: str) -> list:
    """Kind, program, command, and the file that the command makes."""
    store, base, lite, out = (folder / f"{name}.{end}" for end in ("rec", "duckdb", "sqlite", "out.csv"))
    nulls = ["--null", null] if null else []
    given = {"csv": str(csv), "base": str(base), "out": str(out), "where": where,
             "null": f", nullstr='{null}'" if null else ""}
    python = [sys.executable, "-c"]
    list_of = [
        ("load", "flatrec", [flatrec, "load", csv, store, *nulls], store),
        ("load", "duckdb", [*python, DUCK_LOAD.format(**given)], base),
        ("load", "sqlite3", ["sqlite3", lite, f".import --csv {csv} t"], lite),
        ("load", "cat", ["cat", csv], None),
        ("export", "flatrec", [flatrec, "export", store, out], out),
        ("export", "duckdb", [*python, DUCK_EXPORT.format(**given)], out),
        ("export", "sqlite3", ["sqlite3", "-csv", "-header", lite, f".once {out}", "select * from t"], out),
        ("count", "flatrec", [flatrec, "scan", store, "--count", "--where", where], None),
        ("count", "duckdb", [*python, DUCK_COUNT.format(**given)], None),
        ("count", "sqlite3", ["sqlite3", lite, f"select count(*) from t where {where}"], None),
    ]
    missing = set()
    if importlib.util.find_spec("duckdb") is None:
        missing.add("duckdb")
    if shutil.which("sqlite3") is None:
        missing.add("sqlite3")
    for program in sorted(missing):
        print(f"{program} is missing here, and left out")
    return [work for work in list_of if work[1] not in missing]


def measure(works: list, rounds: int) -> dict:
    times: dict = {}
    for _ in range(rounds):
        for kind, program, command, made in works:
            if made:
                for path in made.parent.glob(made.name + "*"):
                    path.unlink()
            elapsed, used = run(command)
            times.setdefault((kind, program), []).append((elapsed, used.ru_utime, used.ru_stime))
    return times


def run(command: list) -> tuple[float, resource.struct_rusage]:
    """The seconds that a command takes, and what its process uses."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command} failed")
    return elapsed, used


def show(times: dict) -> None:
    print(f"{'':8}{'program':10}{'seconds':>9}{'user':>9}{'system':>9}{'to flatrec':>12}")
    medians = {key: [statistics.median(column) for column in zip(*runs)] for key, runs in times.items()}
    for (kind, program), (elapsed, user, system) in medians.items():
        ratio = elapsed / medians[kind, "flatrec"][0]
        print(f"{kind:8}{program:10}{elapsed:9.3f}{user:9.3f}{system:9.3f}{ratio:11.1f}x")
    print()


if __name__ == "__main__":
    main()
