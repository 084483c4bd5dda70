#!/usr/bin/env python3
"""Counts the instructions of flatrec's main uses, and compares them with the recorded numbers.

    scripts/instructions.py            counts, and prints each beside the recorded number
    scripts/instructions.py --check    the same, and fails if one grew by 5 % or more
    scripts/instructions.py --write    records the numbers, in benches/instructions.json

Also compares the machine code of a record read from a snapshot with the recorded one, in
benches/get.asm: what a user's program has in its loop.

Needs valgrind and objdump. Each piece of work (scripts/instructions, and the command) runs with two counts, and
the difference is divided by theirs, which excludes the start of the program. Only instructions of the
program itself are counted, not those of the system. The numbers hold for one compiler and one kind of processor;
the record names both.
"""

import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

from built import ROOT, programs

RECORD = ROOT / "benches" / "instructions.json"
CODE = ROOT / "benches" / "get.asm"
# The function of scripts/instructions that is a read and nothing else.
CODE_OF = "read_one_record"
GROWTH_MAX = 0.05
# With the packages that `cargo run --release` builds, so that the library is the same.
BUILD = ["build", "--release", "--bins", "-p", "flatrec", "-p", "flatrec-cli", "-p", "flatrec-instructions"]
SCAN_RECORDS = 10_000

# The work to count: name, number of times, number of things each time, and description.
WORKS = [
    ("get", 100_000, 1, "two fields of a record by number, in a snapshot"),
    ("get_store", 100_000, 1, "two fields of a record by number, in a store"),
    ("get_logged", 100_000, 1, "the same with a log of 1 % of the records"),
    ("get_many", 100, 1_000, "two fields of a record of a batch, in a snapshot"),
    ("binary_search", 10_000, 1, "a record found among 10,000 by a sorted field"),
    ("copies", 10, SCAN_RECORDS, "two fields of a copy of each record, per record"),
    ("scan", 10, SCAN_RECORDS, "two fields of each record, in a snapshot, per record"),
    ("append", 20_000, 1, "a record appended to a store"),
    ("append_transaction", 20_000, 1, "a record appended in one transaction of all"),
    ("commit", 500, 1, "a durable commit of one changed record"),
    ("commit_100", 200, 1, "a durable commit of 100 changed records"),
    ("begin_read", 20_000, 1, "a snapshot begun and ended, in the writer's process"),
    ("begin_read_beside", 20_000, 1, "a snapshot begun and ended, of a reader beside the writer"),
]
ROWS = 20_000
COMMANDS = [
    ("load", ["load", "{csv}", "{new}"], "a row of CSV loaded by the command"),
    ("filter", ["scan", "{store}", "--count", "--where", "delay > 400 and code <> 'HNL'"],
     "a record tested by a condition of two terms"),
    ("export", ["export", "{store}", "{out}"], "a record written as a row of CSV"),
]


def main() -> None:
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode not in ("", "--check", "--write") or len(sys.argv) > 2:
        sys.exit(__doc__)
    built = programs(BUILD)
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, times, per, text in WORKS:
            counts[name] = (count_work(built["instructions"], folder, name, times) / per, text)
        samples = [sample(built["flatrec"], pathlib.Path(folder), rows) for rows in (ROWS, 2 * ROWS)]
        for name, words, text in COMMANDS:
            fewer, more = (count_command(built["flatrec"], words, files) for files in samples)
            counts[name] = ((more - fewer) / ROWS, text)
        code = machine_code(built["instructions"])
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {"instructions": {}}
    grown = show(counts, known)
    changed = show_code(code, known)
    if mode == "--write":
        write(counts)
        CODE.write_text(code)
    elif mode == "--check" and changed:
        sys.exit("the machine code of a read is another. If there is a reason, record it with "
                 "`scripts/instructions.py --write`, and give it in the commit.")
    elif mode == "--check" and grown:
        sys.exit(f"{', '.join(grown)}: grown by {GROWTH_MAX:.0%} or more. If there is a reason, record the "
                 "new numbers with `scripts/instructions.py --write`, and give it in the commit.")


def instructions(command: list[str]) -> int:
    """The number of instructions of a command."""
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    run = subprocess.run(valgrind + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} under valgrind ended with {run.returncode}:\n{run.stderr}")
    return int(found.group(1).replace(",", ""))


def count_work(program: str, folder: str, name: str, times: int) -> float:
    counted = []
    for many in (times, 2 * times):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            counted.append(instructions([program, name, str(many), scratch]))
    return (counted[1] - counted[0]) / times


def machine_code(program: str) -> str:
    """The instructions of `CODE_OF`, with places counted from its start."""
    listing = subprocess.run(["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", program],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.search(rf"^[0-9a-f]+ <[^>\n]*\b{CODE_OF}\b[^>\n]*>:\n((?:.+\n)+)", listing, re.MULTILINE)
    if not found:
        sys.exit(f"{program} has no function {CODE_OF}")
    lines = [line.split(":", 1) for line in found.group(1).splitlines() if ":" in line]
    start = int(lines[0][0], 16)
    code = []
    for place, text in lines:
        words = re.sub(r"\s+", " ", text.split("#")[0]).strip()
        words = re.sub(r"0x[0-9a-f]+\(%rip\)", "(%rip)", words)  # depends on all other code
        if words.startswith(("nop", "int3", "xchg %ax", "cs nop", "data16")):
            continue  # between functions
        # A jump names its target by address and symbol: within the function the place is enough,
        # and elsewhere the name, without the compiler's number.
        target = re.match(r"(\w+) ([0-9a-f]+) <(.*)>$", words)
        if target and CODE_OF in target.group(3):
            words = f"{target.group(1)} {int(target.group(2), 16) - start:x}"
        elif target:
            words = f"{target.group(1)} {re.sub(r'::h[0-9a-f]{16}|[+]0x[0-9a-f]+', '', target.group(3))}"
        code.append(f"{int(place, 16) - start:4x}: {words}\n")
    return "".join(code)


def sample(program: str, folder: pathlib.Path, rows: int) -> dict[str, str]:
    """A CSV file with so many rows, and a store of them."""
    csv = folder / f"{rows}.csv"
    with csv.open("w") as file:
        file.write("id,code,delay,price,at\n")
        for row in range(rows):
            code = ("HNL", "JFK", "BWI", "ORD")[row % 4]
            file.write(f"{row},{code},{row * 7919 % 1000},{row % 9973 / 100:.2f},2013-01-{row % 28 + 1:02}\n")
    store = folder / f"{rows}.rec"
    subprocess.run([program, "load", csv, store], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return {"csv": str(csv), "store": str(store), "new": str(folder / f"{rows}-new.rec"),
            "out": str(folder / f"{rows}-out.csv")}


def count_command(program: str, words: list[str], files: dict[str, str]) -> int:
    return instructions([program] + [word.format(**files) if "{" in word else word for word in words])


def show(counts: dict, known: dict) -> list[str]:
    """Prints the counts, and returns those that have grown too much."""
    grown = []
    here = surroundings()
    there = known.get("with", here)
    if there != here:
        print(f"the recorded numbers are from {there}, these from {here}")
    print(f"{'':20}{'recorded':>12}{'now':>12}{'change':>9}")
    for name, (count, text) in counts.items():
        before = known["instructions"].get(name)
        change = "" if not before else f"{count / before - 1:+.1%}"
        print(f"{name:20}{before or '':>12}{count:>12.2f}{change:>9}  {text}")
        if before and count / before - 1 >= GROWTH_MAX:
            grown.append(name)
    return grown


def show_code(code: str, known: dict) -> bool:
    """Prints the machine code if it is not the recorded one, and returns whether that is a fault."""
    before = CODE.read_text() if CODE.exists() else ""
    if code == before:
        print(f"{CODE_OF}: {len(code.splitlines())} machine instructions, as recorded")
        return False
    print(f"{CODE_OF} was\n{before}and is\n{code}")
    # Another compiler makes other code of the same source.
    return bool(before) and known.get("with") == surroundings()


def surroundings() -> str:
    compiler = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"{compiler.split(' (')[0]}, {platform.machine()}"


def write(counts: dict) -> None:
    record = {"with": surroundings(),
              "instructions": {name: round(count, 2) for name, (count, _) in counts.items()}}
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    print(f"recorded: {os.path.relpath(RECORD)}")


if __name__ == "__main__":
    main()
