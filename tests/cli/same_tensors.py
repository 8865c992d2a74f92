"""same_tensors.py FILE FILE: exit status 0 where two safetensors files hold the same tensors, times left out."""
import json
import struct
import sys


def tensors(path):
    data = open(path, "rb").read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    for name, entry in header.items():
        if name != "__metadata__" and "nanoseconds" not in name:
            begin, end = entry["data_offsets"]
            yield name, entry["dtype"], entry["shape"], data[8 + size + begin:8 + size + end]


one, two = (list(tensors(path)) for path in sys.argv[1:])
for a, b in zip(one, two):
    if a != b:
        sys.exit(f"{a[:3]} and {b[:3]} differ")
sys.exit(len(one) != len(two))
