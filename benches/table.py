#!/usr/bin/env python3
"""Prints the tables of docs/FIGURES.md from what `cargo bench` measured last.

    cargo bench && python3 benches/table.py [target/criterion]

Reads the medians that criterion leaves in estimates.json. Times are per record; a ratio says more
than its times, which were measured on one machine, one after the other.
"""

import json
import pathlib
import sys

WAYS = ["raw map", "call per record", "buffered", "flatrec Store", "flatrec DynStore"]
# The names of each bench's way with a buffer; the fastest of several is shown.
BUFFERED = (
    "1 MiB chunks",
    "1 MiB chunks, updates sorted first",
    "BufWriter",
    "BufReader, seek per record",
)
WINDOWS = "windows: "
SNAPSHOTS = ("snapshot: ", "reader: ")


def main() -> None:
    default = pathlib.Path(__file__).parent.parent / "target" / "criterion"
    groups = read(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default)
    windows = {name: ways for name, ways in groups.items() if name.startswith(WINDOWS)}
    snapshots = {name: ways for name, ways in groups.items() if name.startswith(SNAPSHOTS)}
    commits = {
        name: ways for name, ways in groups.items() if "commit" in name and name not in snapshots
    }
    rest = set(groups) - set(windows) - set(commits) - set(snapshots)
    workloads = {name: groups[name] for name in rest}
    if not groups:
        sys.exit("nothing measured yet: run `cargo bench` first")
    print_workloads(workloads)
    print_snapshots(workloads)
    for name in sorted(snapshots):
        print_ways(name, snapshots[name])
    print_commits(commits)
    for name in sorted(windows):
        print_windows(name, windows[name])


def read(folder: pathlib.Path) -> dict:
    """Nanoseconds per element, by group and way."""
    groups: dict = {}
    for path in sorted(folder.glob("*/**/new/estimates.json")):
        about = json.loads((path.parent / "benchmark.json").read_text())
        median_ns = json.loads(path.read_text())["median"]["point_estimate"]
        elements = (about["throughput"] or {}).get("Elements", 1)
        way = about["function_id"]
        if about["value_str"] is not None:
            way = int(about["value_str"])
        groups.setdefault(about["group_id"], {})[way] = median_ns / elements
    return groups


def print_workloads(workloads: dict) -> None:
    print_row(["per record", *WAYS, "Store : raw map", "call per record : Store"])
    print_row(["---"] + ["---:"] * (len(WAYS) + 2))
    for name in sorted(workloads, key=order):
        ways = dict(workloads[name])
        buffered = [ways[way] for way in BUFFERED if way in ways]
        if buffered:
            ways["buffered"] = min(buffered)
        times = [time(ways.get(way)) for way in WAYS]
        store, raw, calls = (ways.get(way) for way in ("flatrec Store", "raw map", "call per record"))
        print_row([name, *times, ratio(store, raw), ratio(calls, store)])


def print_snapshots(workloads: dict) -> None:
    ways = ["raw map", "flatrec Snapshot", "flatrec Snapshot, 1 % of the records in the log"]
    print()
    print_row(["per record", *ways])
    print_row(["---"] + ["---:"] * len(ways))
    for name in sorted(workloads, key=order):
        found = [workloads[name].get(way) for way in ways]
        if found[1] is not None:
            ratios = [f" ({ratio(way, found[0])})" for way in found[1:]]
            print_row([name, time(found[0]), *(time(way) + of for way, of in zip(found[1:], ratios))])


def print_ways(name: str, ways: dict) -> None:
    """Every way of a group, beside the raw map on as many threads, and the cost of a writer."""
    print()
    print_row([name.removeprefix(SNAPSHOTS[0]), "", ": raw map", ": alone"])
    print_row(["---"] + ["---:"] * 3)
    for way in sorted(ways):
        threads = next((digit for digit in way if name.endswith("threads") and digit.isdigit()), "")
        if name.endswith("readers"):
            threads = way[0] if way[0].isdigit() else ""
        raw = ways.get(f"raw map, {threads}" if threads else "raw map")
        alone = ways.get(f"{threads} alone".strip()) if "beside a writer" in way else None
        print_row([way, time(ways[way]), ratio(ways[way], raw), ratio(ways[way], alone)])


def print_commits(commits: dict) -> None:
    """One commit each, except the million updates, which are shown one by one."""
    ways = ["pwrite + fdatasync", "raw map", "flatrec Database"]
    print()
    print_row(["", *ways, "Database : limit"])
    print_row(["---"] + ["---:"] * (len(ways) + 1))
    for name in sorted(commits):
        # The hundred updates of a commit were counted one by one.
        of_all = 100 if "100 updates" in name else 1
        found = [commits[name].get(way) for way in ways]
        found = [None if way is None else way * of_all for way in found]
        print_row([name, *map(time, found), ratio(found[2], found[0] or found[1])])


def print_windows(name: str, ways: dict) -> None:
    sizes = sorted(way for way in ways if isinstance(way, int))
    print()
    print_row([name.removeprefix(WINDOWS), "whole view", *(size_of(kib) for kib in sizes)])
    print_row(["---"] + ["---:"] * (len(sizes) + 1))
    print_row(["per record", time(ways.get("whole view")), *(time(ways[kib]) for kib in sizes)])


def order(name: str) -> int:
    """Writing, reading, changing, opening; new ones come last."""
    starts = ["append", "random get, whole", "random get, two", "scan", "1M random updates", "open"]
    return next((at for at, start in enumerate(starts) if name.startswith(start)), len(starts))


def size_of(kib: int) -> str:
    return f"{kib} KiB" if kib < 1024 else f"{kib // 1024} MiB"


def time(ns: float | None) -> str:
    if ns is None:
        return ""
    return f"{ns:.1f} ns" if ns < 100 else f"{ns:.0f} ns" if ns < 10_000 else f"{ns / 1000:.1f} us"


def ratio(over: float | None, under: float | None) -> str:
    if over is None or under is None:
        return ""
    return f"{over / under:.2f}" if over < 10 * under else f"{over / under:.0f}"


def print_row(cells: list) -> None:
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
