#!/usr/bin/env python3
"""Makes the files of this folder, and the values that other programs read from them.

Needs the packages astropy, dbf, dbfread, laspy and numpy, and utmpdump of util-linux. The check does
not run it: it compares flatrec with the files as they are kept here. Each FILE has a FILE.csv, in
the form of `flatrec export`, with the values as the named reader gives them.
"""

import datetime
import json
import re
import struct
import subprocess
import warnings
from pathlib import Path

import dbf
import dbfread
import laspy
import numpy
from astropy.io import fits

HERE = Path(__file__).parent


def text(value):
    """The value as flatrec writes it."""
    if value is None:
        return ""
    if isinstance(value, (bool, numpy.bool_)):
        return "true" if value else "false"
    if isinstance(value, (complex, numpy.complexfloating)):
        return "[" + text(value.real) + "," + text(value.imag) + "]"
    if isinstance(value, numpy.float32):
        return str(value).replace("e+", "e")
    if isinstance(value, (float, numpy.floating)):
        return repr(float(value)).replace("e+", "e")
    if isinstance(value, (list, tuple, numpy.ndarray)):
        return "[" + ",".join(text(item) for item in value) + "]"
    return str(value)


def cell(value):
    shown = text(value)
    if isinstance(value, str) and not value:
        return '""'  # an empty text is no null
    return '"' + shown.replace('"', '""') + '"' if re.search('[,"\n]', shown) else shown


def write(name, header, rows):
    lines = [",".join(header)] + [",".join(cell(value) for value in row) for row in rows]
    (HERE / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dbase():
    path = HERE / "people.dbf"
    path.unlink(missing_ok=True)
    fields = "name C(12); age N(3,0); big N(18,0); score N(8,2); born D; member L"
    table = dbf.Table(str(path), fields, dbf_type="db3", codepage="cp1252")
    table.open(dbf.READ_WRITE)
    for row in [
        ("Ada", 36, 10**16, 0.25, datetime.date(1815, 12, 10), True),
        ("Zoë Müller", None, -5, -12.5, None, False),
        ("gone", 1, 1, 1, None, True),
        ("", 0, 0, 99999.99, datetime.date(2000, 2, 29), None),
    ]:
        table.append(row)
    dbf.delete(table[2])
    table.close()
    read = dbfread.DBF(str(path))
    rows = [list(record.values()) for record in read]
    write("people.dbf", [name for name in read.field_names], rows)


def arrays():
    images = numpy.arange(24, dtype=">i2").reshape(4, 2, 3) - 7
    images[3, 1, 2] = -32768
    images = images.astype(">i2")  # arithmetic has made it little-endian
    data = b"\0\0\x0b\x03" + struct.pack(">III", *images.shape) + images.tobytes()
    (HERE / "images.idx").write_bytes(data)
    write("images.idx", ["values"], [[image] for image in images])
    labels = numpy.array([5, 0, 255], dtype="u1")
    (HERE / "labels.idx").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 3) + labels.tobytes())
    write("labels.idx", ["value"], [[label] for label in labels])
    for name, dtype in [("fvecs", "<f4"), ("bvecs", "u1"), ("ivecs", "<i4")]:
        vectors = numpy.array([[1, 2, 3], [40, 5, 60], [0, 7, 255]], dtype=dtype)
        if name == "fvecs":
            vectors[0, 0] = -0.5
        record = numpy.dtype([("dimension", "<i4"), ("vector", dtype, 3)])
        records = numpy.array([(3, list(vector)) for vector in vectors], dtype=record)
        records.tofile(HERE / f"vectors.{name}")
        read = numpy.fromfile(HERE / f"vectors.{name}", dtype=record)
        write(f"vectors.{name}", ["vector"], [[vector] for vector in read["vector"]])


def numpy_arrays():
    """Records of every type, also big-endian, and arrays without records."""
    number = numpy.array
    inner = numpy.dtype([("x", "<f4"), ("y", ">f4")])
    record = numpy.dtype(
        {
            "names": [
                "flag", "tiny", "short", "wide", "big", "ubig", "half", "single", "double", "code",
                "name", "raw", "day", "at", "took", "vector", "words", "pos", "n__valid", "n",
                "t__valid", "t",
            ],
            "formats": [
                "?", "i1", ">i2", "<u4", ">i8", "<u8", ">f2", "<f4", ">f8", "S5", ">U4", "V3",
                "<M8[D]", ">M8[ms]", "<m8[ns]", (">i2", (2, 2)), ("<U2", 2), inner, "u1", ">i4",
                "u1", "<M8[s]",
            ],
            "offsets": [
                0, 1, 2, 4, 8, 16, 24, 26, 32, 40, 45, 61, 64, 72, 80, 88, 96, 112, 120, 121, 125,
                126,
            ],
            "itemsize": 136,
        }
    )
    rows = [
        (True, -128, -2, 2**32 - 1, -(2**63), 2**64 - 1, 0.1, 0.1, 0.1, b"abcde", "h\u00e9\U0001f600!",
         b"\0\xff\1", "2024-02-29", "1969-12-31T23:59:59.999", -5, [[1, -2], [3, 4]], ["a", "bc"],
         (1.5, -0.25), 1, -7, 1, 86400),
        (False, 127, 32767, 0, 2**63 - 1, 0, -65504, -1e30, 1e300, b"", "", b"abc",
         "NaT", "NaT", "NaT", [[-32768, 32767], [0, 0]], ["", "\u00fc"], (0.0, 2.0), 0, 0, 0, 0),
    ]
    array = numpy.zeros(2, dtype=record)
    for index, row in enumerate(rows):
        array[index] = row
    numpy.save(HERE / "records.npy", array)
    read = numpy.load(HERE / "records.npy", mmap_mode="r")

    def moment(value):
        return None if numpy.isnat(value) else str(value)

    def span(value):
        if numpy.isnat(value):
            return None
        nanos = int(value.astype("i8"))
        return f"{'-' if nanos < 0 else ''}PT{abs(nanos) / 1e9:.9f}S"

    def words(texts):
        return json.dumps([str(text) for text in texts], separators=(",", ":"), ensure_ascii=False)

    cells = []
    for row in read:
        cells.append([
            row["flag"], row["tiny"], row["short"], row["wide"], row["big"], row["ubig"],
            numpy.float32(row["half"]), row["single"], row["double"], row["code"].decode(),
            str(row["name"]), row["raw"].tobytes().hex(), moment(row["day"]), moment(row["at"]),
            span(row["took"]), row["vector"], words(row["words"]), row["pos"]["x"],
            row["pos"]["y"], row["n"] if row["n__valid"] else None,
            moment(row["t"]) if row["t__valid"] else None,
        ])
    names = [name for name in record.names if not name.endswith("__valid")]
    at = names.index("pos")
    names[at : at + 1] = ["pos.x", "pos.y"]
    write("records.npy", names, cells)
    matrix = (numpy.arange(12).reshape(2, 3, 2) - 5).astype(">i4")
    numpy.save(HERE / "matrix.npy", matrix)
    write("matrix.npy", ["value"], [[row] for row in numpy.load(HERE / "matrix.npy")])


def astronomy():
    number = numpy.array
    columns = [
        fits.Column("flag", "L", array=number([True, False, True])),
        fits.Column("flags", "2L", array=number([[True, False], [False, False], [True, True]])),
        fits.Column("bits", "12X", array=number([[1, 0] * 6, [0] * 12, [1] * 12], dtype=bool)),
        fits.Column("byte", "B", array=number([0, 7, 255], dtype="u1")),
        fits.Column("short", "I", null=-99, array=number([-32768, -99, 32767], dtype="i2")),
        fits.Column("int", "J", array=number([-(2**31), 0, 2**31 - 1], dtype="i4")),
        fits.Column("long", "K", array=number([-(2**63), 1, 2**63 - 1], dtype="i8")),
        fits.Column("ushort", "I", bzero=2**15, array=number([0, 1, 65535], dtype="u2")),
        fits.Column("uint", "J", bzero=2**31, array=number([0, 1, 2**32 - 1], dtype="u4")),
        fits.Column("ulong", "K", bzero=2**63, array=number([0, 1, 2**64 - 1], dtype="u8")),
        fits.Column("scaled", "I", array=number([0, -1, 2], dtype="i2")),
        fits.Column("float", "E", array=number([1.5, -0.25, 0.1], dtype="f4")),
        fits.Column("double", "D", array=number([0.1, -2.5, 3.0])),
        fits.Column("name", "6A", array=number(["M31", "NGC 1", ""])),
        fits.Column("vector", "3J", array=number([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype="i4")),
        fits.Column("matrix", "6E", dim="(3,2)", array=numpy.arange(18.0).reshape(3, 2, 3)),
        fits.Column("complex", "C", array=number([1 + 2j, 0, -1.5j], dtype="c8")),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    other = fits.BinTableHDU.from_columns(
        [fits.Column("n", "J", array=number([5, 6], dtype="i4"))], name="OTHER"
    )
    image = fits.ImageHDU(numpy.zeros((3, 5), dtype="i2"))
    path = HERE / "events.fits"
    fits.HDUList([fits.PrimaryHDU(), image, table, other]).writeto(path, overwrite=True)
    # astropy scales the values of an array itself, so the scale comes afterwards.
    at = columns.index(next(column for column in columns if column.name == "scaled")) + 1
    scale = "".join(
        f"{key}{at}".ljust(8) + "= " + value.rjust(20) + " " * 50
        for key, value in [("TSCAL", "0.5"), ("TZERO", "100.0")]
    ).encode()
    content = path.read_bytes()
    end = content.index(b"END" + b" " * 77, content.index(b"BINTABLE"))
    assert content[end + 80 : end + 240] == b" " * 160
    path.write_bytes(content[:end] + scale + content[end : end + 80] + content[end + 240 :])
    with fits.open(path, uint=True) as opened:
        data = opened["EVENTS"].data
        names = list(data.names)
        rows = []
        for record in data:
            row = {name: record[name] for name in names}
            if row["short"] == -99:
                row["short"] = None
            # Bits are bytes in flatrec, shown as hexadecimal digits.
            row["bits"] = numpy.packbits(row["bits"]).tobytes().hex()
            rows.append([row[name] for name in names])
        write("events.fits", names, rows)
        write("events.fits-OTHER", ["n"], [[n] for n in opened["OTHER"].data["n"]])


def lasers():
    for point_format in range(11):
        version = "1.4" if point_format >= 6 else "1.3" if point_format >= 4 else "1.2"
        header = laspy.LasHeader(point_format=point_format, version=version)
        header.scales, header.offsets = [0.01, 0.001, 0.5], [0.0, 1000.0, 0.0]
        if point_format == 3:
            header.add_extra_dim(laspy.ExtraBytesParams("more", "u2"))
            header.add_extra_dim(laspy.ExtraBytesParams("vector", "3i2"))
            header.add_extra_dim(laspy.ExtraBytesParams("double", "f8", description="a float"))
            scaled = {"scales": numpy.array([0.01]), "offsets": numpy.array([0.0])}
            header.add_extra_dim(laspy.ExtraBytesParams("scaled", "i4", **scaled))
            scaled["offsets"] = numpy.array([5.0])
            header.add_extra_dim(laspy.ExtraBytesParams("moved", "u1", **scaled))
        las = laspy.LasData(header)
        las.points = laspy.ScaleAwarePointRecord.zeros(3, header=header)
        for name in las.point_format.dimension_names:
            dimension = las.point_format.dimension_by_name(name)
            raw = las.points.array
            if name in ("vector", "double", "scaled", "moved"):
                raw[name] = {
                    "vector": [[1, -2, 3], [-32768, 0, 32767], [0, 0, 0]],
                    "double": [0.1, -2.5, 1e300],
                    "scaled": [-1, 2**31 - 1, -(2**31)],
                    "moved": [0, 7, 255],
                }[name]
                continue
            kind = numpy.dtype(dimension.dtype or "u1").kind
            most = 2**dimension.num_bits - 1
            if kind == "f":
                las[name] = [0.5, -1.25, 1000.0]
            elif kind == "i":
                most = 2 ** (dimension.num_bits - 1) - 1
                las[name] = [-1, most, -most - 1]
            else:
                las[name] = [1, most, 0]
        path = HERE / f"points-{point_format}.las"
        las.write(str(path))
        read = laspy.read(str(path))
        names = list(read.point_format.dimension_names)
        flags = "synthetic key_point withheld overlap scan_direction_flag edge_of_flight_line"
        rows = []
        for index in range(3):
            row = []
            for name in names:
                # The integers, without scale and offset.
                is_scaled = name in ("scaled", "moved")
                value = (read.points.array if is_scaled else read)[name][index]
                value = numpy.asarray(value)[()]
                if name in flags.split():
                    value = bool(value)
                row.append(value)
            rows.append(row)
        write(f"points-{point_format}.las", names, rows)


def logins():
    record = struct.Struct("<hxxi32s4s32s256shhiii16s20x")
    assert record.size == 384
    path = HERE / "logins.wtmp"
    v6 = bytes.fromhex("20010db8000000000000000000000001")
    records = [
        (2, 0, b"~", b"~~", b"reboot", b"6.1.0-13-amd64", 0, 0, 0, 1700000000, 0, bytes(16)),
        (7, 1234, b"pts/0", b"ts/0", b"ada", b"192.0.2.7", 0, 0, 1234, 1700000100, 123456,
         bytes([192, 0, 2, 7]) + bytes(12)),
        (7, 77, b"pts/1", b"ts/1", b"bob", b"example.org", 0, 0, 77, 1700000200, 5, v6),
        (8, 1234, b"pts/0", b"ts/0", b"", b"", 15, 1, 0, 1700003600, 999999, bytes(16)),
    ]
    path.write_bytes(b"".join(record.pack(*values) for values in records))
    dumped = subprocess.run(["utmpdump", path], capture_output=True, text=True, check=True).stdout
    names = [
        "EMPTY", "RUN_LVL", "BOOT_TIME", "NEW_TIME", "OLD_TIME", "INIT_PROCESS", "LOGIN_PROCESS",
        "USER_PROCESS", "DEAD_PROCESS", "ACCOUNTING",
    ]
    rows = []
    for line in dumped.splitlines():
        kind, pid, id_, user, on, host, addr, time = re.findall(r"\[([^]]*)\]", line)
        day, _, micros = time.replace("+00:00", "").partition(",")
        addr = addr.strip()
        if addr == "0.0.0.0":
            addr = None
        elif "." in addr:
            addr = f"::ffff:{addr}"
        micros = "" if int(micros) == 0 else f".{micros}"
        rows.append([names[int(kind)], int(pid), on.strip(), id_.strip(), user.strip(),
                     host.strip(), f"{day}{micros}Z", addr])
    write("logins.wtmp", ["type", "pid", "line", "id", "user", "host", "time", "addr"], rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for make in [dbase, arrays, numpy_arrays, astronomy, lasers, logins]:
        make()
