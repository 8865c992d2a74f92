# python3 digit.py FILE WIDTH HEIGHT: draws a zero as a grey PNG, with nothing but Python's own modules.
import math
import struct
import sys
import zlib

file, w, h = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def value(x, y):
    angle = math.atan2((y - h / 2) / 9, (x - w / 2) / 6)
    away = math.hypot(x - w / 2 - 6 * math.cos(angle), y - h / 2 - 9 * math.sin(angle))  # from the pen's way
    return max(0, min(255, int(255 * (2 - away))))


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


rows = b''.join(b'\0' + bytes(value(x, y) for x in range(w)) for y in range(h))
with open(file, 'wb') as png:
    png.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 0, 0, 0, 0)) +
              chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
