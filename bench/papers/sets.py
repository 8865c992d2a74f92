"""Artificial sets of two classes, as IDX files of bytes: they are drawn again, to the byte, wherever they are wanted.

Before it becomes a byte a value v is taken from [-4, 4] to [0, 255]. u, w are random directions at right angles; the
noise is normal, of deviation 0.5 in each coordinate unless it says otherwise.
    separable   clouds around 2 u and -2 u
    noisy       the same around u and -u, noise of deviation 1: the classes overlap
    flipped     separable, a tenth of the labels turned round
    xor         four clouds around 2 u, -2 u (class 0), 2 w and -2 w (class 1): no linear net tells them apart"""
import json
import os
import random
import struct
from operator import mul

from common import ROOT

KINDS = {"separable": "two clouds far apart", "noisy": "two clouds that overlap",
         "flipped": "the first, a tenth of the labels turned round", "xor": "four clouds, classes crosswise"}
TRAIN, TEST, LOOKED_AT = 2000, 2000, 200
FOLDER = os.path.join("build", "bench", "papers", "data")


def name(kind, dimensions):
    """As a user names it below the repository."""
    return os.path.join(FOLDER, f"{kind}-{dimensions}")


def directions(rng, d):
    u = unit([rng.gauss(0, 1) for _ in range(d)])
    w = [rng.gauss(0, 1) for _ in range(d)]
    along = sum(a * b for a, b in zip(u, w))
    return u, unit([b - along * a for a, b in zip(u, w)])


def unit(v):
    length = sum(a * a for a in v) ** 0.5
    return [a / length for a in v]


def sample(rng, kind, u, w):
    label = rng.randrange(2)
    along, far, noise = (w if kind == "xor" and label else u), 2, 0.5
    sign = 1 if (rng.random() < 0.5 if kind == "xor" else label) else -1
    if kind == "noisy":
        far = noise = 1
    pixels = bytes(min(255, max(0, round((sign * far * a + rng.gauss(0, noise) + 4) * 255 / 8))) for a in along)
    return pixels, label ^ (kind == "flipped" and rng.random() < 0.1)


def write(path, magic, sizes, data):
    with open(path + ".new", "wb") as file:
        file.write(struct.pack(f">{1 + len(sizes)}I", magic, *sizes) + data)
    os.replace(path + ".new", path)


def make(where):
    """The set of that name, where it is not there."""
    folder = os.path.join(ROOT, where)
    kind, d = os.path.basename(where).rsplit("-", 1)
    d = int(d)
    if os.path.exists(os.path.join(folder, "best.json")):  # comes last
        return
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(where)
    u, w = directions(rng, d)
    shape = (10, d // 10) if d % 10 == 0 else (1, d)
    for part, n in (("train", TRAIN), ("t10k", TEST)):
        samples = [sample(rng, kind, u, w) for _ in range(n)]
        write(os.path.join(folder, part + "-images-idx3-ubyte"), 0x803, (n, *shape),
              b"".join(pixels for pixels, _ in samples))
        write(os.path.join(folder, part + "-labels-idx1-ubyte"), 0x801, (n,), bytes(label for _, label in samples))
        if part == "train":
            least = least_squares(samples)
    with open(os.path.join(folder, "best.json"), "w", encoding="utf-8") as file:
        json.dump(least, file)


def best(where):
    """What least squares makes of the training set."""
    with open(os.path.join(ROOT, where, "best.json"), encoding="utf-8") as file:
        return json.load(file)


def looked_at(where):
    """The first samples of the training set."""
    path = os.path.join(ROOT, where, "train-images-idx3-ubyte")
    with open(path, "rb") as file:
        _, n, h, w = struct.unpack(">4I", file.read(16))
        data = file.read(min(n, LOOKED_AT) * h * w)
    return [data[i:i + h * w] for i in range(0, len(data), h * w)]


def least_squares(samples):
    """The affine map of least squares to -1 and 1 for the classes: what it says of the samples that are looked at, and
    the loss |z - onehot|^2 / 2 of z = (1 -+ it) / 2, the smallest that a linear net can have."""
    columns = [[1.0] * len(samples), *([p / 255 for p in column] for column in zip(*(pixels for pixels, _ in samples)))]
    target = [2 * label - 1 for _, label in samples]
    s = [[sum(map(mul, one, other)) for other in columns] for one in columns]
    c = [sum(map(mul, column, target)) for column in columns]
    weights = solve(s, c)
    says = [sum(map(mul, row, weights)) for row in zip(*columns)]
    loss = sum((v - t) ** 2 / 4 for v, t in zip(says, target)) / len(says)
    return {"loss": loss, "says": [round(v, 6) for v in says[:LOOKED_AT]]}


def solve(a, b):
    """Gauss with pivots."""
    n = len(b)
    m = [[*row, v] for row, v in zip(a, b)]
    for i in range(n):
        top = max(range(i, n), key=lambda k: abs(m[k][i]))
        m[i], m[top] = m[top], m[i]
        for k in range(i + 1, n):
            factor = m[k][i] / m[i][i]
            m[k] = [x - factor * y for x, y in zip(m[k], m[i])]
    out = [0.0] * n
    for i in reversed(range(n)):
        out[i] = (m[i][n] - sum(m[i][k] * out[k] for k in range(i + 1, n))) / m[i][i]
    return out
