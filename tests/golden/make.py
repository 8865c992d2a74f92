"""Makes tests/golden/mlp.txt with PyTorch: a small net trained ten steps in double precision by three optimisers.

By hand, from the root of the tree: python3 tests/golden/make.py > tests/golden/mlp.txt
The tests only read mlp.txt; they do not need PyTorch. On stderr: how far the same run in single precision strays from
the file, which is what a tolerance in the test has to allow for.
"""
import sys

import torch
from torch import nn

SAMPLES, BATCH, STEPS, CLASSES = 24, 8, 10, 5
MEAN, DEVIATION = 0.4785, 0.2968

HEAD = f"""\
# Made by tests/golden/make.py with PyTorch {torch.__version__} in double precision; do not edit.
# Net: dense 16, batchnorm, relu, dense 12, leakyrelu slope=0.1, dense 11, tanh, dense 9, sigmoid, dense {CLASSES},
# mean softmax cross-entropy; x = (pixel / 255 - mean) / deviation. Names are those of nn.Sequential.
# Step i of {STEPS} takes the {BATCH} samples from {BATCH} * (i mod {SAMPLES // BATCH}) on. All start from init.*;
# grad.*: gradients of the first step; OPTIMISER.losses: before each step; the other OPTIMISER.*: after the last step;
# logits: of the first batch, in evaluation mode. Decay acts on all parameters.
# 0.bias has no gradient but rounding (batchnorm follows), and Adam makes real steps of it: in single precision 0.bias
# and, through it, 1.running_mean and logits of adam and adamw are good to 0.02 only; those of sgd to 1e-6.
# adam: lr 0.01. sgd: lr 0.05, momentum 0.9, nesterov, weight decay 1e-3. adamw: lr 0.01, weight decay 1e-2.
# A line: NAME DIMENSIONS... : VALUES..."""

OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=1e-2),
}


def make_net():
    return nn.Sequential(
        nn.Linear(25, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 12), nn.LeakyReLU(0.1), nn.Linear(12, 11),
        nn.Tanh(), nn.Linear(11, 9), nn.Sigmoid(), nn.Linear(9, CLASSES)).double()


def first_values(net):
    """Short decimals, so that the file is small, and gains and shifts that are not 1 and 0."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            spread = 1.5 / p.shape[1] ** 0.5 if p.dim() == 2 else 0.2
            p.copy_((torch.randn_like(p) * spread + (name == "1.weight")).mul(1000).round().div(1000))


def train(optimizer, net, x, labels):
    """Items of the file by name: what one optimiser does to the net."""
    items, losses = {}, []
    steps = OPTIMIZERS[optimizer](net.parameters())
    for step in range(STEPS):
        at = BATCH * (step % (SAMPLES // BATCH))
        loss = nn.functional.cross_entropy(net(x[at:at + BATCH]), labels[at:at + BATCH])
        steps.zero_grad()
        loss.backward()
        if step == 0 and optimizer == "adam":
            items.update((f"grad.{name}", p.grad.clone()) for name, p in net.named_parameters())
        steps.step()
        losses.append(loss.detach())
    items[f"{optimizer}.losses"] = torch.stack(losses)
    items.update((f"{optimizer}.{name}", value) for name, value in net.state_dict().items())
    net.eval()
    items[f"{optimizer}.logits"] = net(x[:BATCH]).detach()
    return items


def run(dtype, pixels, labels, first):
    items = {}
    x = ((pixels.double() / 255 - MEAN) / DEVIATION).flatten(1).to(dtype)
    for optimizer in OPTIMIZERS:
        net = make_net()
        net.load_state_dict(first)
        items.update(train(optimizer, net.to(dtype), x, labels))
    return items


def show(name, value):
    numbers = " ".join("%.8g" % v for v in value.flatten().tolist())
    print(name, *value.shape, ":", numbers)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    pixels = torch.randint(0, 256, (SAMPLES, 1, 5, 5))
    labels = torch.randint(0, CLASSES, (SAMPLES,))
    net = make_net()
    first_values(net)
    first = {name: value.clone() for name, value in net.state_dict().items()}
    items = run(torch.float64, pixels, labels, first)

    print(HEAD)
    show("pixels", pixels)
    show("labels", labels)
    show("mean", torch.tensor([MEAN], dtype=torch.float64))
    show("deviation", torch.tensor([DEVIATION], dtype=torch.float64))
    for name, p in net.named_parameters():
        show(f"init.{name}", p.detach())
    for name, value in items.items():
        show(name, value)

    for name, value in run(torch.float32, pixels, labels, first).items():
        print("%-24s single precision is off by %.1e" % (name, (value - items[name]).abs().max()), file=sys.stderr)


if __name__ == "__main__":
    main()
