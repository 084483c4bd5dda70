import os, subprocess, sys
import numpy

READING = numpy.dtype([("at", "<u8"), ("sensor", "<u8"), ("value", "<f8")])

path = sys.argv[1]
if sys.argv[2:] == ["read"]:
    print(f"the second reader finds {numpy.memmap(path, READING, 'r')[7]['value']}")
    sys.exit()
with open(path, "ab") as file:
    count = file.tell() // READING.itemsize
    new = numpy.zeros(1000, READING)
    new["at"] = numpy.arange(count, count + 1000)
    new["sensor"] = new["at"] % 10
    new["value"] = new["at"] / 2
    new.tofile(file)  # a crash here may leave a part of the records
    file.flush()
    os.fsync(file.fileno())
readings = numpy.memmap(path, READING, "r+")
readings["value"][7] += 0.125  # a crash here may tear it
readings.flush()

print(f"record 7 is {readings[7]['value']}")
print(f"{len(readings)} records, sum {readings['value'].sum()}")
subprocess.run([sys.executable, __file__, path, "read"], check=True)
