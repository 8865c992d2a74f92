"""Trains a net with PyTorch on the CPU as fast as PyTorch can: torch_train.py OPTIONS, which are one JSON object.

Prints a line of JSON an epoch, under the names of clutch's metrics.jsonl. Layers, starting values, Adam and the
normalisation are those that `clutch train` has. In its best light: all pictures are one float32 tensor made before the
clock starts, a batch is an index_select by a part of a permutation, and the losses are read once an epoch.
"""
import gzip
import json
import os
import sys
import time

import torch
from torch import nn

ADAM = {"plain": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}


def read_idx(folder, part, kind, rank):
    names = [f"{part}-{kind}{dot}idx{rank}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    paths = [os.path.join(folder, name) for name in names if os.path.exists(os.path.join(folder, name))]
    if not paths:
        sys.exit(f"torch_train: {folder} has none of {', '.join(names)}")
    with (gzip.open if paths[0].endswith(".gz") else open)(paths[0], "rb") as file:
        data = bytearray(file.read())
    dims = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * rank).reshape(dims[0], -1)


def read_data(folder, limit):
    """((x, labels) to train on, the same to test); x is normalised with the training set's mean and deviation."""
    sets = [(read_idx(folder, part, "images", 3), read_idx(folder, part, "labels", 1)) for part in ("train", "t10k")]
    if limit:
        sets[0] = tuple(t[:limit] for t in sets[0])
    count = torch.bincount(sets[0][0].flatten(), minlength=256).double()  # exact, as in data_moments()
    value = torch.arange(256).double()
    mean = (count @ value / count.sum()).item()
    deviation = (count @ (value - mean) ** 2 / count.sum()).sqrt().item() or 255.0
    return [((x.float() - mean) / deviation, y.flatten().long()) for x, y in sets]


def make_net(sizes, batchnorm):
    layers = []
    for i in range(len(sizes) - 2):
        layers += [nn.Linear(sizes[i], sizes[i + 1]), *([nn.BatchNorm1d(sizes[i + 1])] if batchnorm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def make_step(net, adam, mode, steps):
    """A function (x, labels) -> mean loss of the batch before the step, on the device's side of the clock. The rate
    falls as a cosine to 0 in so many steps; 0: it stays."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **ADAM[adam])

    def forward(x, labels):
        return nn.functional.cross_entropy(net(x), labels)

    if mode != "eager":
        forward = torch.compile(forward)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if steps else None
    update = torch.compile(optimizer.step) if mode == "compile-all" else optimizer.step

    def step(x, labels):
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, labels)
        loss.backward()
        update()
        if schedule:
            schedule.step()
        return loss.detach()

    return step


def run_epoch(net, step, x, labels, batch):
    net.train()
    start = time.perf_counter()
    order = torch.randperm(len(x))
    losses = []
    for at in order.split(batch):
        losses.append(step(x.index_select(0, at), labels.index_select(0, at)))
    rows = torch.tensor([min(batch, len(x) - i) for i in range(0, len(x), batch)])
    loss = (torch.stack(losses).double() @ rows.double()).item() / len(x)
    return loss, time.perf_counter() - start


def evaluate(net, x, labels):
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(1000)])
        loss = nn.functional.cross_entropy(logits, labels).item()
        return loss, (logits.argmax(1) == labels).double().mean().item()


def main():
    o = json.loads(sys.argv[1])
    torch.set_num_threads(o["threads"])
    torch.set_flush_denormal(True)  # numbers below 1e-38 are slow and mean nothing here
    (x, labels), test = read_data(o["data"], o["limit"])
    torch.manual_seed(o["seed"])
    net = make_net(o["sizes"], o.get("batchnorm", False))
    steps = o["epochs"] * -(-len(x) // o["batch"]) if o.get("cosine") else 0
    step = make_step(net, o["adam"], o["mode"], steps)
    for epoch in range(1, o["epochs"] + 1):
        loss, seconds = run_epoch(net, step, x, labels, o["batch"])
        row = {"epoch": epoch, "seconds": seconds, "train_loss": loss, "samples_per_second": len(x) / seconds}
        if o["evaluate"]:
            row["test_loss"], row["test_accuracy"] = evaluate(net, *test)
        print(json.dumps({**row, "torch": torch.__version__}), flush=True)


if __name__ == "__main__":
    main()
