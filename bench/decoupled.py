"""Decoupled training beside locked training, on this machine: `python3 bench/decoupled.py --help`.

Each part runs `clutch compare` (same modules, samples, seeds in every row) and writes its JSON, with the facts of the
machine, to bench/results/decoupled-PART.json."""
import argparse
import itertools
import json
import os
import random
import statistics
import struct
import sys
import tempfile

from common import CLUTCH, ROOT, Problem, facts, find_device, forget_settings, rows_of, run, say

DEEP = os.path.join(ROOT, "assets", "nets", "deep.net")
MLP = os.path.join(ROOT, "assets", "nets", "mlp.net")
ALL = "exact,exact micro=4,csg,sg,local,predsim,none"


def compare(net, *words, data="fashion-mnist"):
    result = rows_of(run([CLUTCH, "compare", net, "--data", data, "--json", *words], timeout=7200))[-1]
    result["net"] = os.path.basename(result["net"])
    return result


def rate(result, name):
    return next(row["steps_per_second"] for row in result["rows"] if row["name"] == name)


def busiest(result, name):
    row = next(row for row in result["rows"] if row["name"] == name)
    return max(module["busy"] or 0 for module in row["modules"])


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "rounds": len(values)}


def even_net(modules, folder):
    """deep.net with cuts that make its modules even: the first layer does the work of two."""
    with open(DEEP, encoding="utf-8") as file:
        lines = file.read().splitlines()
    each, hidden, out = 16 // modules, 1, []
    for line in lines:
        if line == "dense 256":
            if hidden > 1 and hidden % each == 0:
                out.append("cut")
            hidden += 1
        out.append(line)
    path = os.path.join(folder, f"even{modules}.net")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    return path


def speed(o):
    """Two halves of a CPU against locked training on the same halves, and, at small batches, against the whole CPU."""
    out = {"over_exact": {}, "over_whole_device": {}}
    net = even_net(2, o.work)
    for batch, limit in ((128, 38400), (32, 19200)):
        gains, whole = {"csg": [], "local": []}, {"csg": [], "local": []}
        for _ in range(o.rounds):
            words = ["--batch", str(batch), "--limit", str(limit), "--epochs", "3"]
            halves = compare(net, "--devices", o.device + "/2", "--couplings", "exact,csg,local", *words)
            for name in gains:
                gains[name].append(rate(halves, name) / rate(halves, "exact"))
                whole[name].append(rate(halves, name) / rate(halves, "exact, one device"))
            say(f"batch {batch}: over exact {gains['csg'][-1]:.2f} csg, {gains['local'][-1]:.2f} local; over the whole "
                f"device {whole['csg'][-1]:.2f}, {whole['local'][-1]:.2f}")
        out["over_exact"][batch] = {name: spread(v) for name, v in gains.items()}
        out["over_whole_device"][batch] = {name: spread(v) for name, v in whole.items()}
    return out


def virtual(o):
    """Equal emulated devices: how near the slowest module is to never waiting, and the gain over locked training."""
    out = {}
    for n, slow in ((4, 16), (8, 32)):
        result = compare(even_net(n, o.work), "--devices", f"virtual:{n}@{slow}", "--batch", "128", "--limit", "12800",
                         "--epochs", "2", "--couplings", "exact,csg,local")
        out[n] = {name: {"of_bound": busiest(result, name), "over_exact": rate(result, name) / rate(result, "exact")}
                  for name in ("csg", "local")}
        out[n]["result"] = result
        say(f"{n} devices: " + "; ".join(f"{name} {v['of_bound']:.2f} of its bound, {v['over_exact']:.2f} x exact"
                                         for name, v in out[n].items() if name != "result"))
    return out


def placed_net(cuts, order, layers):
    lines = ["input 1x28x28"]
    for i in range(layers):
        if i in cuts:
            lines.append("cut local")
        if i == 0 or i in cuts:
            lines.append(f"on virtual:{order[sorted((0, *cuts)).index(i)]}")
        lines += ["dense 256", "relu"]
    if layers in cuts:
        lines += ["cut local", f"on virtual:{order[-1]}"]
    return "\n".join(lines + ["dense 10", "loss softmax", ""])


def noise_data(folder, train, test):
    """Noise as IDX files, for speeds alone: evaluation on a whole test set would take most of the time."""
    os.makedirs(folder, exist_ok=True)
    for name, n in (("train", train), ("t10k", test)):
        with open(os.path.join(folder, name + "-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, n, 28, 28) + random.Random(1).randbytes(n * 28 * 28))
        with open(os.path.join(folder, name + "-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 0x801, n) + bytes(i % 10 for i in range(n)))
    return folder


UNEQUAL_LAYERS = 5


def unequal_rate(o, place, net):
    """Steps per second of `local` over devices of speeds 1:2:4:8; place: (cuts, order of devices), None: the plan's."""
    path = os.path.join(o.work, "placed.net")
    with open(path, "w", encoding="utf-8") as file:
        file.write(placed_net(*place, UNEQUAL_LAYERS) if place else net)
    data = noise_data(os.path.join(o.work, "noise"), 20 * 128, 256)
    words = ["--devices", "virtual:4@4:8:16:32", "--batch", "128", "--epochs", "1", "--couplings", "local"]
    result = compare(path, *words, *([] if place else ["--modules", "4"]), data=data)
    return rate(result, "local"), result["modules"]


def unequal(o):
    """Emulated devices of speeds 1:2:4:8: the plan's placement against all others, each run once, the best again."""
    net = "\n".join(["input 1x28x28"] + ["dense 256", "relu"] * UNEQUAL_LAYERS + ["dense 10", "loss softmax", ""])
    cuts = itertools.combinations(range(1, UNEQUAL_LAYERS + 1), 3)
    places = list(itertools.product(cuts, itertools.permutations(range(4))))
    once = sorted(((unequal_rate(o, place, net)[0], place) for place in places), reverse=True)
    return unequal_again(o, once, net)


def unequal_again(o, once, net):
    """The fastest of one run each is so by luck, too: the best ten and the plan's in turn, medians of rounds."""
    best, mine, modules = {place: [] for _, place in once[:10]}, [], None
    for _ in range(o.rounds):
        speed, modules = unequal_rate(o, None, net)
        mine.append(speed)
        for place in best:
            best[place].append(unequal_rate(o, place, net)[0])
    rows = sorted(((statistics.median(v), place) for place, v in best.items()), reverse=True)
    say(f"planned {statistics.median(mine):.1f} steps/s, the best of {len(once)} placements {rows[0][0]:.1f} "
        f"({statistics.median(mine) / rows[0][0]:.2f} of it)")
    return {"planned": spread(mine), "modules": modules, "tried": len(once),
            "best": [{"steps_per_second": spread(best[place]), "cuts": place[0], "devices": place[1]}
                     for _, place in rows]}


def accuracy(o):
    """Final accuracies, free running on two halves of a CPU."""
    words = ["--devices", o.device + "/2", "--modules", "2", "--batch", "250", "--seeds", "1,2,3,4,5"]
    out = {"fashion-mnist": compare(MLP, "--epochs", "20", "--couplings", ALL, *words)}
    if o.mnist:
        out["mnist"] = compare(MLP, "--epochs", "30", "--couplings", "exact,csg", *words, data=o.mnist)
    for name, result in out.items():
        for row in result["rows"]:
            say(f"{name}, {row['name']}: {row['accuracy']:.4f} +- {row['accuracy_spread']:.4f}")
    return out


def seconds_to(row, seed, target):
    """Seconds of training until the first epoch that reaches the target; None where none does."""
    curve = zip(row["seconds_by_seed"][seed], row["accuracy_by_seed"][seed])
    return next((seconds for seconds, accuracy in curve if accuracy >= target), None)


def shares(result):
    """Of each row and seed: the share of locked exact's time that it takes to that one's final accuracy less 0.5."""
    exact = next(row for row in result["rows"] if row["name"] == "exact")
    out = {row["name"]: [] for row in result["rows"]}
    for seed in range(len(result["seeds"])):
        target = exact["accuracy_by_seed"][seed][-1] - 0.005
        locked = seconds_to(exact, seed, target)
        for row in result["rows"]:
            took = seconds_to(row, seed, target)
            out[row["name"]].append(took / locked if took else None)
    return out


def step_costs(result):
    """Time that a step takes each module's device, over that with locked exact, which costs it nothing but its own."""
    exact = next(row for row in result["rows"] if row["name"] == "exact")
    return {row["name"]: [(m["busy"] / row["steps_per_second"]) / (e["busy"] / exact["steps_per_second"])
                          for m, e in zip(row["modules"], exact["modules"])]
            for row in result["rows"] if len(row["modules"]) == len(exact["modules"])}


def time(o):
    """Time to an accuracy, equal emulated devices: share of locked exact's, seed by seed."""
    out = {}
    for n in o.modules:
        result = compare(even_net(n, o.work), "--devices", f"virtual:{n}@{2 * n}", "--batch", "250", "--limit", "20000",
                         "--epochs", "10", "--couplings", o.couplings, "--seeds", o.seeds)
        out[n] = {"shares": shares(result), "step_costs": step_costs(result), "result": result}
        for name, each in out[n]["shares"].items():
            say(f"{n} devices, {name}: " + ", ".join(f"{v:.2f}" if v else "never" for v in each))
    return out


PARTS = {"speed": speed, "virtual": virtual, "unequal": unequal, "accuracy": accuracy, "time": time}


def main():
    p = argparse.ArgumentParser(prog="bench/decoupled.py", description=__doc__.splitlines()[0])
    p.add_argument("part", nargs="*", metavar="|".join(PARTS), help="default: all")
    p.add_argument("--rounds", type=int, default=5, help="of speed (5)")
    p.add_argument("--modules", type=lambda text: [int(n) for n in text.split(",")], default=[4], metavar="N,..",
                   help="of time: 2, 4, 8 or 16 (4)")
    p.add_argument("--seeds", default="1", metavar="N,..", help="of time (1)")
    p.add_argument("--couplings", default=ALL, metavar="LIST", help=f"of time ({ALL})")
    p.add_argument("--device", default="0:0", help="a CPU that can be split in two (0:0)")
    p.add_argument("--mnist", metavar="DIR", help="MNIST's IDX files, for accuracy")
    p.add_argument("--out", default=os.path.join(ROOT, "bench", "results"), help="folder for the results")
    o = p.parse_args()
    for name in o.part:
        if name not in PARTS:
            p.error(f"unknown part '{name}'; known: {', '.join(PARTS)}")
    if os.getloadavg()[0] > 0.5:
        say(f"bench: this machine is busy (load {os.getloadavg()[0]:.1f}); figures will be disturbed")
    forget_settings()
    o.work = tempfile.mkdtemp(prefix="clutch-bench-")
    about = facts(find_device(o.device), os.cpu_count())
    for name in o.part or PARTS:
        say(f"== {name}: {PARTS[name].__doc__}")
        result = {"about": about, "what": PARTS[name].__doc__, "result": PARTS[name](o)}
        with open(os.path.join(o.out, f"decoupled-{name}.json"), "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        say(f"bench: {problem}")
        sys.exit(problem.code)
