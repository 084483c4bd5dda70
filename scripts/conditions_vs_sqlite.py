#!/usr/bin/env python3
"""Compares random conditions with sqlite3: the same records must match.

    scripts/conditions_vs_sqlite.py [CONDITIONS [SEED]]

Makes one table of random values (nulls, integers and floats past 2^53, text beyond ASCII) for both
programs. For each condition it compares the numbers of the records for which it is true with those that
sqlite3 finds, and does the same for `NOT (condition)` and for whether the condition is unknown. Prints the
seed first, and each condition that differs. Builds the command; FLATREC_COMMAND names a built one.

What differs on purpose, and so is not compared here: NaN, which sqlite3 stores as null; floats of 32 bits
beside numbers that these do not hold; a LIKE without regard to case, which sqlite3 is told to leave out.
"""

import csv
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile

ROWS = 300
LINKS = ["AND", "OR"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "!="]
TRUTHS = ["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"]
EDGES = [0, 1, -1, 2, 127, 128, -129, 2**31 - 1, -2**31, 2**53, 2**53 + 1, -2**53 - 1, 2**63 - 1, -2**63]
FLOATS = [0.0, -0.0, 0.5, -0.5, 1.0, 2.0, 2.5, 127.0, 2.0**53, -2.0**53, 2.0**63, -2.0**63, 1e300, 0.1]
LETTERS = ["a", "b", "A", "é", "€", "%", "_", "'", " b"]
DAYS = ["1969-12-31", "1970-01-01", "2000-02-29", "2013-01-31", "9999-12-31"]
TIMES = ["00:00:00", "05:00:00", "23:59:59"]

# Name, type, whether it is nullable, and the kind: fields of one kind can be compared.
FIELDS = [
    ("i", "int32", True, "number"),
    ("j", "int64", False, "number"),
    ("y", "int8", True, "number"),
    ("w", "uint64", True, "number"),
    ("f", "float64", True, "number"),
    ("g", "float32", True, "number"),
    ("t", "utf8(12)", True, "text"),
    ("s", "utf8(20)", False, "text"),
    ("b", "bool", True, "bool"),
    ("c", "bool", False, "bool"),
    ("d", "date32", True, "date"),
    ("e", "date32", False, "date"),
    ("m", "timestamp(s)", True, "time"),
    ("n", "timestamp(ms)", False, "time"),
]
LIMITS = {"int8": (-2**7, 2**7 - 1), "int32": (-2**31, 2**31 - 1), "int64": (-2**63, 2**63 - 1),
          "uint64": (0, 2**63 - 1)}  # sqlite3 has no larger integers


def main() -> None:
    if len(sys.argv) > 3 or not all(word.isdigit() for word in sys.argv[1:]):
        sys.exit(__doc__)
    conditions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    draw = random.Random(seed)
    command = os.environ.get("FLATREC_COMMAND") or built_command()
    with tempfile.TemporaryDirectory() as folder:
        rows = [[value(draw, *field[1:3]) for field in FIELDS] for _ in range(ROWS)]
        store = load(command, pathlib.Path(folder), rows)
        base = sqlite(rows)
        differing = sum(differs(draw, command, store, base) for _ in range(conditions))
    if differing:
        sys.exit(f"{differing} of {conditions} conditions differ (seed {seed})")
    print(f"{conditions} conditions agree")


def built_command() -> str:
    from built import COMMAND, programs
    return programs(COMMAND)["flatrec"]


def value(draw: random.Random, kind: str, nullable: bool):
    """A value of a field: None, int, float, str or bool."""
    if nullable and draw.random() < 0.2:
        return None
    if kind in LIMITS:
        least, greatest = LIMITS[kind]
        return min(max(draw.choice(EDGES + list(range(-4, 5))), least), greatest)
    if kind == "float64":
        return draw.choice(FLOATS)
    if kind == "float32":
        return draw.randrange(-8, 9) / 2
    if kind == "bool":
        return draw.random() < 0.5
    if kind == "date32":
        return draw.choice(DAYS)
    if kind.startswith("timestamp"):
        return draw.choice(DAYS) + " " + draw.choice(TIMES)
    return text(draw, 1, 4)  # `load` reads an empty text as null


def text(draw: random.Random, least: int, most: int) -> str:
    return "".join(draw.choice(LETTERS) for _ in range(draw.randint(least, most)))


def load(command: str, folder: pathlib.Path, rows: list[list]) -> pathlib.Path:
    schema = {"fields": [{"name": "id", "type": "uint32"}] + [
        {"name": name, "type": kind} | ({"nullable": True} if nullable else {})
        for name, kind, nullable, _ in FIELDS]}
    (folder / "schema.json").write_text(json.dumps(schema))
    with (folder / "rows.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id"] + [name for name, *_ in FIELDS])
        for number, row in enumerate(rows):
            out.writerow([number] + [written(it) for it in row])
    store = folder / "rows.rec"
    run = subprocess.run([command, "load", folder / "rows.csv", store, "--schema", folder / "schema.json",
                          "--null", "NULL"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return store


def written(it) -> str:
    if it is None:
        return "NULL"
    return {True: "true", False: "false"}[it] if isinstance(it, bool) else str(it)


def sqlite(rows: list[list]) -> sqlite3.Connection:
    base = sqlite3.connect(":memory:")
    types = {"number": "INTEGER", "bool": "INTEGER"}
    columns = [f"{name} {'REAL' if kind.startswith('float') else types.get(group, 'TEXT')}"
               for name, kind, _, group in FIELDS]
    base.execute(f"CREATE TABLE rows (id INTEGER, {', '.join(columns)})")
    places = ", ".join("?" * (len(FIELDS) + 1))
    base.executemany(f"INSERT INTO rows VALUES ({places})", [[number] + row for number, row in enumerate(rows)])
    base.execute("PRAGMA case_sensitive_like = ON")
    return base


def differs(draw: random.Random, command: str, store: pathlib.Path, base: sqlite3.Connection) -> bool:
    """Compares a condition, its opposite, and whether it is unknown."""
    ours, theirs = condition(draw, draw.randrange(4))
    for form, other in [(ours, theirs), (f"NOT ({ours})", f"NOT ({theirs})"),
                        (f"({ours}) IS UNKNOWN", f"({theirs}) IS NULL")]:
        run = subprocess.run([command, "scan", store, "--where", form, "--select", "id", "--format", "csv"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        found = [int(line) for line in run.stdout.split()[1:]] if run.returncode == 0 else run.stderr
        counted = subprocess.run([command, "scan", store, "--where", form, "--count"],
                                 stdout=subprocess.PIPE, text=True).stdout.strip()
        expected = [row[0] for row in base.execute(f"SELECT id FROM rows WHERE {other} ORDER BY id")]
        if found != expected or counted != str(len(expected)):
            print(f"--- {form}\n    flatrec: {found}, counted {counted}\n    sqlite3: {expected}", flush=True)
            return True
    return False


def condition(draw: random.Random, depth: int) -> tuple[str, str]:
    """A random condition in the words of flatrec and in those of sqlite3."""
    shape = draw.randrange(4) if depth else 4
    if shape == 0:
        inner = condition(draw, depth - 1)
        return tuple(f"NOT ({it})" for it in inner)
    if shape == 1:
        ours, theirs = condition(draw, depth - 1)
        truth = draw.choice(TRUTHS)
        return f"({ours}) IS {truth}", f"({theirs}) IS {truth.replace('UNKNOWN', 'NULL')}"
    if shape < 4:
        parts = [condition(draw, depth - 1) for _ in range(draw.randrange(2, 4))]
        link = f" {draw.choice(LINKS)} "
        return tuple(link.join(f"({part[side]})" for part in parts) for side in (0, 1))
    same = leaf(draw)
    return same, same


def leaf(draw: random.Random) -> str:
    """A comparison, which both write alike."""
    name, kind, _, group = draw.choice(FIELDS)
    alike = [other for other, _, _, its_group in FIELDS if its_group == group]
    no = draw.choice(["", "NOT "])
    literals = [literal(draw, kind) for _ in range(draw.choice([2, 3, 12]))]
    shapes = ["literal"] * 4 + ["flipped", "fields", "fields", "between", "in", "null"]
    shapes += ["like"] * 3 if group == "text" else ["flag"] if group == "bool" else []
    shape = draw.choice(shapes)
    if shape == "flag":
        return name
    if shape == "null":
        return f"{name} IS {no}NULL"
    if shape == "fields":
        return f"{name} {draw.choice(COMPARISONS)} {draw.choice(alike)}"
    if shape == "between":
        return f"{name} {no}BETWEEN {literals[0]} AND {literals[1]}"
    if shape == "in":
        return f"{name} {no}IN ({', '.join(literals)})"
    if shape == "like":
        pattern = "".join(draw.choice(LETTERS + ["%", "%", "_"]) for _ in range(draw.randrange(5)))
        return f"{name} {no}LIKE {quoted(pattern)}"
    if shape == "flipped":
        return f"{literals[0]} {draw.choice(COMPARISONS)} {name}"
    return f"{name} {draw.choice(COMPARISONS)} {literals[0]}"


def literal(draw: random.Random, kind: str) -> str:
    """A literal that a field of the type takes."""
    if kind in LIMITS:
        return draw.choice([str(draw.choice(EDGES)), str(draw.randrange(-5, 6)), f"{draw.randrange(-9, 9) / 2}",
                            "1e30", "-1e30", "9223372036854775808", "2.0"])
    if kind == "float64":
        return repr(draw.choice(FLOATS + [3, 2**53, -7]))
    if kind == "float32":
        return str(draw.randrange(-8, 9) / 2)
    if kind == "bool":
        return draw.choice(["TRUE", "FALSE"])
    if kind == "date32":
        return quoted(draw.choice(DAYS))
    if kind.startswith("timestamp"):
        return quoted(draw.choice(DAYS) + " " + draw.choice(TIMES))
    return quoted(text(draw, 0, 4))


def quoted(it: str) -> str:
    return "'" + it.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
