#!/usr/bin/env python3
"""Times load from Parquet and export to Parquet beside DuckDB, in turns, and prints medians and ratios.

    scripts/formats_speed.py [ROUNDS]

The table is that of scripts/csv_speed.py: 1,000,000 rows of an id, a time in ns, a price, two small
integers, a symbol and 72 characters of text. DuckDB writes the Parquet file that both load, and both
export with zstd. A load ends when its file is on the disk: DuckDB's ends with a checkpoint.

Each measurement is one process, and each round runs all programs once, so that a busy machine slows all
of them alike. The peak of memory is that of the process, with the pages of files that it maps.

Needs Python's package duckdb. Builds the command.
"""

import os
import pathlib
import statistics
import sys
import tempfile

from built import COMMAND, programs
from csv_speed import classic, rounds_asked, run

# In a process of its own: the peak of a process counts that of the one that has started it.
MAKE = """import duckdb
types = "types={{'size': 'smallint', 'venue': 'tinyint', 'at': 'timestamp_ns'}}"
duckdb.sql(f"copy (select * from read_csv({csv!r}, {{types}})) to {parquet!r} (codec zstd)")"""

LOAD = """import duckdb
base = duckdb.connect({base!r})
base.execute("create table t as select * from {parquet!r}")
base.execute("checkpoint")
base.close()"""
EXPORT = """import duckdb
base = duckdb.connect({base!r}, read_only=True)
base.execute("copy t to {out!r} (format parquet, codec zstd)")"""


def main() -> None:
    rounds = rounds_asked(__doc__)
    flatrec = programs(COMMAND)["flatrec"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        csv, parquet = classic(folder), folder / "classic.parquet"
        run([sys.executable, "-c", MAKE.format(csv=str(csv), parquet=str(parquet))])
        csv.unlink()
        print(f"{parquet.stat().st_size:,} bytes, {rounds} rounds, {os.cpu_count()} processors")
        show(measure(works(flatrec, folder, parquet), rounds))


def works(flatrec: str, folder: pathlib.Path, parquet: pathlib.Path) -> list:
    """Kind, program, command, and the file that the command makes."""
    store, base = folder / "t.rec", folder / "t.duckdb"
    ours, theirs = folder / "ours.parquet", folder / "theirs.parquet"
    python = [sys.executable, "-c"]
    return [
        ("load", "flatrec", [flatrec, "load", parquet, store], store),
        ("load", "duckdb", [*python, LOAD.format(base=str(base), parquet=str(parquet))], base),
        ("export", "flatrec", [flatrec, "export", store, ours], ours),
        ("export", "duckdb", [*python, EXPORT.format(base=str(base), out=str(theirs))], theirs),
    ]


def measure(works: list, rounds: int) -> dict:
    """For each work the seconds of the clock and of the processor, the peak in MiB, and the file's size."""
    results: dict = {}
    for _ in range(rounds):
        for kind, program, command, made in works:
            for path in made.parent.glob(made.name + "*"):
                path.unlink()
            os.sync()
            seconds, used = run(command)
            worked = used.ru_utime + used.ru_stime
            result = (seconds, worked, used.ru_maxrss / 1024, made.stat().st_size / 1e6)
            results.setdefault((kind, program), []).append(result)
    return results


def show(results: dict) -> None:
    print("work    program   seconds  of the processor  peak MiB  file MB  ratio")
    for (kind, program), runs in results.items():
        seconds, worked, peak, size = (statistics.median(column) for column in zip(*runs))
        own = statistics.median(run[0] for run in results[kind, "flatrec"])
        print(f"{kind:<8}{program:<8}{seconds:>9.3f}{worked:>18.2f}{peak:>10.0f}{size:>9.1f}{seconds / own:>7.2f}")


if __name__ == "__main__":
    main()
