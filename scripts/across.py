"""The comparisons of scripts/across.sh, by docs/FORMAT.md only.

    across.py store A B         two stores with the same content, every byte except those that must differ
    across.py records A B       the same for two closed stores whose headers were written at other times
    across.py sums A B          their checksum files
    across.py live-log A        that the store's header names a log
    across.py info A B          the output of `flatrec info --json` for two such stores
    across.py original CSV OUT  an export and the text that was loaded
    across.py ticks N CSV       the numbers 0 to N - 1 in the column `number`, or those of one commit
                                more, which had been written but not yet announced

Prints the differences, and then ends with status 1.
"""

import csv
import json
import struct
import sys

SLOTS = (0, 4096)
# Of the example producer_consumer.
TICKS_A_COMMIT = 16


def number(data, at, form="<Q"):
    return struct.unpack_from(form, data, at)[0]


def header(data):
    """The offset of the slot in force, the one with the higher sequence."""
    for slot in SLOTS:
        if data[slot:slot + 8] != b"\x89FLATREC":
            sys.exit("no header slot")
    return max(SLOTS, key=lambda slot: number(data, slot + 64))


def blank(data, *ranges):
    for start, end in ranges:
        data[start:end] = bytes(end - start)


def store(path):
    """A store without its random file id and the slots' sums over it."""
    data = bytearray(open(path, "rb").read())
    for slot in SLOTS:
        blank(data, (slot + 32, slot + 48), (slot + 508, slot + 512))
    return data


def records(path):
    """A closed store, which ends with its records. Of the two slots, which one is older depends on
    how many headers were written, and so do their sequences."""
    data = store(path)
    slot = header(data)
    end = number(data, slot + 56) + number(data, slot + 72) * number(data, slot + 52, "<I")
    if len(data) != end:
        sys.exit(f"{path} is {len(data)} bytes long, and its records end at {end}")
    data[:512] = data[slot:slot + 512]
    blank(data, (64, 72), (4096, 4608))
    return data[:end]


def sums(path):
    data = bytearray(open(path, "rb").read())
    blank(data, (16, 32), (508, 512))
    return data


def info(path):
    """The parts that do not depend on one file or one system."""
    found = json.load(open(path, encoding="utf-8"))
    for key in ("path", "file_id", "file_system", "allocated_bytes", "residency", "faults"):
        del found[key]
    return found


def compare(read, a, b):
    one, other = read(a), read(b)
    if one == other:
        return
    if isinstance(one, dict):
        sys.exit("\n".join(f"{key}: {one.get(key)} and {other.get(key)}"
                           for key in one.keys() | other.keys() if one.get(key) != other.get(key)))
    if len(one) != len(other):
        sys.exit(f"{a} and {b}: {len(one)} and {len(other)} bytes")
    first = next(i for i in range(len(one)) if one[i] != other[i])
    sys.exit(f"{a} and {b} differ first in byte {first}")


def live_log(path):
    data = open(path, "rb").read()
    if not number(data, header(data) + 24) & 4:
        sys.exit(f"{path} was closed: it has no live log")


def original(given, out):
    """An export writes a null as the empty value."""
    text = open(given, "rb").read().decode("utf-8")
    rows = [["" if value == "NA" else value for value in line.split(",")]
            for line in text.split("\n")]
    if "\n".join(",".join(row) for row in rows) != open(out, "rb").read().decode("utf-8"):
        sys.exit(f"{out} is not {given}")


def ticks(count, path):
    with open(path, newline="", encoding="utf-8") as file:
        found = [int(row["number"]) for row in csv.DictReader(file)]
    under_way = len(found) - int(count)
    if not found or under_way not in (0, TICKS_A_COMMIT) or found != list(range(len(found))):
        sys.exit(f"{path}: {len(found)} ticks, of {count} that were committed")


what, arguments = sys.argv[1], sys.argv[2:]
alone = {"live-log": live_log, "original": original, "ticks": ticks}
pairs = {"store": store, "records": records, "sums": sums, "info": info}
if what in alone:
    alone[what](*arguments)
else:
    compare(pairs[what], *arguments)
