"""What tests look for in the pictures of a run, through readers that are not ours: Pillow, numpy, Python's HTML parser.

drawn.py weights RUN | motion RUN FRAMES | page FOLDER | confusion RUN ACCURACY | make FILE KIND | text PNG KEY |
pixel PNG | size PNG | spoil RUN"""
import csv
import glob
import html.parser
import json
import os
import struct
import sys

import numpy
from PIL import Image

MAP = numpy.array([(5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (247, 247, 247),
                   (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31)], float)
GAP = (64, 64, 64)
NOT_FINITE = (120, 230, 0)


def tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + length])
    head.pop("__metadata__", None)
    out = {}
    for name, entry in head.items():
        begin, end = entry["data_offsets"]
        kind = {"F32": "<f4", "I64": "<i8"}[entry["dtype"]]
        out[name] = numpy.frombuffer(data[8 + length + begin:8 + length + end], kind).reshape(entry["shape"])
    return out


def write_tensors(path, values):
    head, blob = {}, b""
    for name, value in values.items():
        value = numpy.asarray(value, "<f4")
        head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(blob), len(blob) + value.nbytes]}
        blob += value.tobytes()
    head = json.dumps(head).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + blob)


def color(value, limit):
    """Of the published map, blue for what is negative; within one step of rounding."""
    at = (numpy.clip(value / limit, -1, 1) + 1) * 5
    below = min(int(at), 9)
    return MAP[below] + (at - below) * (MAP[below + 1] - MAP[below])


def near(pixel, wanted):
    return all(abs(float(a) - float(b)) <= 1 for a, b in zip(pixel, wanted))


def corner(pixels):
    """Of the first tile: a picture narrower than the strip below it lies on the colour of gaps."""
    return 2, int(numpy.where((pixels[2] != GAP).any(1))[0][0])


def check_weights(run):
    """The picture of 16 units over 28 x 28 inputs: tiles, gaps, colours, range, text."""
    weight = tensors(os.path.join(run, "model.safetensors"))["0.weight"]
    image = Image.open(os.path.join(run, "pictures", "weights-00-0.weight.png"))
    image.load()
    limit = float(image.text["range"])
    sizes = numpy.sort(numpy.abs(weight).ravel())
    assert abs(limit - sizes[len(sizes) - 1 - len(sizes) // 1000]) <= 1e-5 * limit, limit
    for key, wanted in (("layer", "0.weight"), ("seed", "1"), ("Software", "clutch"), ("not finite", "0")):
        assert image.text[key] == wanted, (key, image.text[key])
    assert image.text["version"] and image.text["net"] and image.text["epoch"] == "1"
    assert image.text["tiles"] == "16 in 4 rows and 4 columns", image.text["tiles"]
    pixels = numpy.asarray(image.convert("RGB"))
    up, aside = corner(pixels)
    step = 28 * 8 + 2  # enlarged as far as it goes, a gap of two
    for unit in range(16):
        top, left = up + unit // 4 * step, aside + unit % 4 * step
        for row in range(0, 28, 3):
            for column in range(0, 28, 3):
                wanted = color(weight[unit, row * 28 + column], limit)
                for dot in (0, 7):
                    pixel = pixels[top + 8 * row + dot, left + 8 * column + dot]
                    assert near(pixel, wanted), (unit, row, column, pixel, wanted)
        assert tuple(pixels[top - 1, left]) == GAP and tuple(pixels[top, left - 1]) == GAP


def check_motion(run, frames):
    """Each frame's pixels have the colour of that epoch's weight, all in one range; the picture at rest is the last."""
    image = Image.open(os.path.join(run, "pictures", "weights-motion-00-0.weight.png"))
    limit = float(image.text["range"])
    files = sorted(glob.glob(os.path.join(run, "snapshots", "*.safetensors")))
    assert len(files) == frames and image.text["frames"] == str(frames), (files, image.text)
    assert image.default_image and image.n_frames == frames + 1 and image.info.get("loop", 0) == 0
    rest = numpy.asarray(image.convert("RGB"))
    scale = None
    for i, file in enumerate(files):
        image.seek(i + 1)
        pixels = numpy.asarray(image.convert("RGB"))
        assert image.info["duration"] == (2000 if i == frames - 1 else 400), image.info
        weight = tensors(file)["0.weight"]
        up, aside = corner(pixels)
        scale = scale or (int(numpy.where((pixels[up, aside:] == GAP).all(1))[0][0])) // 28
        for row in range(28):
            for column in range(28):
                pixel = pixels[up + scale * row, aside + scale * column]
                wanted = color(weight[0, row * 28 + column], limit)
                assert near(pixel, wanted), (i, row, column, pixel, wanted)
    assert (pixels == rest).all()


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.links, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            self.images.append(attrs)
        if tag in ("a", "link", "script"):
            self.links.append(attrs.get("href") or attrs.get("src"))
        if tag not in ("img", "meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def check_page(folder):
    """Every picture is on the page in its size, all that is linked is there, nothing from elsewhere is asked for."""
    page = Links()
    with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
        page.feed(file.read())
    assert not page.open, page.open
    shown = set()
    for image in page.images:
        path = os.path.join(folder, image["src"].replace("%20", " "))
        assert Image.open(path).size == (int(image["width"]), int(image["height"])) and image["alt"], image
        shown.add(os.path.basename(path))
    there = {os.path.basename(path) for path in glob.glob(os.path.join(folder, "pictures", "*.png"))}
    assert shown == there, shown ^ there
    for link in page.links:
        assert link.startswith(("#", "data:,")) or os.path.exists(os.path.join(folder, link)), link
    print(len(shown))


def check_confusion(run, accuracy, says="probability"):
    with open(os.path.join(run, "pictures", "confusion.csv"), encoding="utf-8") as file:
        rows = list(csv.reader(file))
    counts = numpy.array([[int(v) for v in row[1:]] for row in rows[1:]])
    assert [row[0] for row in rows[1:]] == rows[0][1:]
    assert abs(numpy.trace(counts) / counts.sum() - accuracy) < 1e-9, (numpy.trace(counts), counts.sum(), accuracy)
    told = float(Image.open(os.path.join(run, "pictures", "confusion.png")).text["accuracy"])
    assert abs(told - accuracy) < 1e-6, (told, accuracy)
    with open(os.path.join(run, "pictures", "mistakes.csv"), encoding="utf-8") as file:
        mistakes = list(csv.DictReader(file))
    assert len(mistakes) == counts.sum() - numpy.trace(counts)
    sure = [float(row[says]) for row in mistakes]
    assert sure == sorted(sure, reverse=True) and all(row["class"] != row["taken for"] for row in mistakes)


def make(path, kind):
    random = numpy.random.default_rng(1)
    normal = random.standard_normal((6, 49)).astype("f4")
    if kind == "bad":
        normal[0, 0], normal[1, 3] = numpy.nan, -numpy.inf
    made = {"bad": {"w": normal}, "zero": {"w": numpy.zeros((6, 49))}, "equal": {"w": numpy.full((6, 49), -2.0)},
            "one": {"w": normal[:1]}, "vector": {"b": normal[0]}, "none": {"w": numpy.full((2, 49), numpy.nan)},
            "color": {"w": random.standard_normal((5, 3 * 6 * 6))},
            "kernels": {"a": random.standard_normal((8, 1, 5, 5)), "b": random.standard_normal((8, 3, 5, 5)),
                        "c": random.standard_normal((12, 7, 3, 3)), "d": random.standard_normal((4, 5, 3))},
            "large": {"a": random.standard_normal((1024, 784)), "b": random.standard_normal((512, 512, 3, 3)),
                      "c": random.standard_normal((5000, 8)), "d": random.standard_normal((3, 6000))}}
    write_tensors(path, made[kind])


def spoil(run):
    """Makes one weight of each matrix no number."""
    path = os.path.join(run, "model.safetensors")
    values = {name: numpy.array(value) for name, value in tensors(path).items() if not name.endswith("tracked")}
    for value in values.values():
        if value.ndim > 1:
            value[0, 0] = numpy.nan
    write_tensors(path, values)


def main():
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "weights":
        check_weights(*rest)
    elif what == "motion":
        check_motion(rest[0], int(rest[1]))
    elif what == "page":
        check_page(*rest)
    elif what == "confusion":
        check_confusion(rest[0], float(rest[1]), *rest[2:])
    elif what == "spoil":
        spoil(*rest)
    elif what == "make":
        make(*rest)
    elif what == "text":
        print(Image.open(rest[0]).text[rest[1]])
    elif what == "pixel":  # of the first value
        pixels = numpy.asarray(Image.open(rest[0]).convert("RGB"))
        print(*pixels[corner(pixels)])
    elif what == "size":
        print(*Image.open(rest[0]).size)


main()
