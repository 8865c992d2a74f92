"""Table 3: what training with a synthetic gradient finds, beside back-propagation: the same solution, and how.

W. M. Czarnecki et al., "Understanding Synthetic Gradients and Decoupled Neural Interfaces", arXiv 1703.00522."""
import array
import json
import os
import struct
import textwrap

from common import CLUTCH, rows_of, run
from papers import sets
from papers.common import (clutch_job, group, has_data, listed, mean, merge, number, numbers, say, several, show,
                           table)

TITLE = "What synthetic gradients find (arXiv 1703.00522)"
FILES = ("understanding-linear", "understanding-exact", "understanding-deep", "understanding-inside")

CDNI, CDNI_LS = "csg solver=adam", "csg error=0"
SG, SG_LS = "sg solver=adam", "sg"
LINEAR = ["exact", CDNI, CDNI_LS, "csg", SG, SG_LS]
EXACT = [CDNI + " lr=0.01", "csg ridge=1e-6 error=0", SG + " lr=0.01", "sg ridge=1e-6"]
DEEP = ["exact", CDNI, CDNI_LS, "csg", SG, SG_LS, "local", "none"]
NAMES = {"exact": "back-propagation", CDNI: "cDNI, linear, Adam, as published", CDNI_LS: "cDNI, linear, least squares",
         "csg": "the same that also sees a classifier's error", SG: "DNI, one hidden layer, Adam",
         SG_LS: "DNI, linear, least squares", "local": "local classifier", "none": "lower half at its start"}
LOSSES = {"squared": "squared loss", "softmax": "log loss"}
HIDDEN = (1, 10)
SAME = 0.005  # what the final training loss may be above that of back-propagation
NEAR = 0.05  # what the distance of the two as functions may be


# ---- what is read of a run -------------------------------------------------------------------------------------------


def tensors(path):
    """{name: (shape, values)} of a safetensors file, and what its header says besides."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    about, found = header.pop("__metadata__", {}), {}
    for name, t in header.items():
        if t["dtype"] == "F32":
            values = array.array("f")
            values.frombytes(data[slice(*t["data_offsets"])])
            found[name] = (t["shape"], values)
    return found, about


def matrix(tensor):
    (rows_, columns), values = tensor
    return [values[i * columns:(i + 1) * columns] for i in range(rows_)]


def through(layers, x):
    """What linear layers, (matrix, bias), make of a vector."""
    for weights, bias in layers:
        x = [sum(a * b for a, b in zip(row, x)) + more for row, more in zip(weights, bias)]
    return x


def linear_end(where, device):
    """Of a linear net of two classes: what is left of the loss, and output 1 less output 0 for some samples."""
    def look(folder):
        found, about = tensors(os.path.join(folder, "model.safetensors"))
        names = sorted((name for name in found if name.endswith(".weight")), key=lambda name: int(name.split(".")[0]))
        layers = [(matrix(found[name]), found[name.replace("weight", "bias")][1]) for name in names]
        shift, scale = json.loads(about["mean"])[0], json.loads(about["deviation"])[0]
        out = [through(layers, [(p / 255 - shift) / scale for p in pixels]) for pixels in sets.looked_at(where)]
        end = rows_of(run([CLUTCH, "eval", folder, "--split", "train", "--devices", device, "--json"]))[0]
        return {"loss": end["train_loss"], "accuracy": end["train_accuracy"],
                "says": [round(z[1] - z[0], 6) for z in out], "best": sets.best(where)}
    return look


def product(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def fit_of(folder):
    """How far what a linear guess does with h is from W^T W, W being the linear layers above the cut; relative, in
    Frobenius norms. None where the guess has hidden layers."""
    above = [matrix(t) for name, t in tensors(os.path.join(folder, "model.safetensors"))[0].items()
             if name in ("2.weight", "3.weight")]
    nets = {name: t for name, t in tensors(os.path.join(folder, "couplings.safetensors"))[0].items()
            if name.endswith(".weight")}
    if len(nets) > 1:
        return {"map_off": None}
    w = product(above[1], above[0])
    want = product([list(column) for column in zip(*w)], w)
    got = [row[:len(want)] for row in matrix(next(iter(nets.values())))]
    off = sum((x - y) ** 2 for one, other in zip(want, got) for x, y in zip(one, other))
    return {"map_off": (off / sum(x * x for row in want for x in row)) ** 0.5}


LOOKED = 4  # every so many pictures of the dissimilarity's 200


def inside(device):
    """How unlike each layer finds pictures of the test set, 20 of each of ten classes: `clutch draw`."""
    def look(folder):
        run([CLUTCH, "draw", folder, "--units", "0", "--devices", device], timeout=1800)
        found, _ = tensors(os.path.join(folder, "pictures", "dissimilarity.safetensors"))
        order = sorted(found, key=lambda name: int(name.split(".")[1]))
        return {"inside": [layer_of(int(name.split(".")[1]), matrix(found[name])) for name in order]}
    return look


def layer_of(layers, m):
    n, each = len(m), len(m) // 10
    some = range(0, n, LOOKED)
    return {"layers": layers, "classes": [[class_mean(m, a, b, each) for b in range(a + 1)] for a in range(10)],
            "pairs": [round(m[i][k], 3) for i in some for k in some if k < i]}


def class_mean(m, a, b, each):
    """Over pairs of pictures of two classes, NaN left out; of one class, over those of two pictures."""
    values = [m[i][k] for i in range(a * each, (a + 1) * each) for k in range(b * each, (b + 1) * each) if i != k]
    values = [v for v in values if v == v]
    return round(sum(values) / len(values), 4) if values else None


# ---- jobs ------------------------------------------------------------------------------------------------------------


def linear_job(o, kind, d, hidden, loss, coupling, seed):
    where = sets.name(kind, d)
    if not (o.list or o.report):
        sets.make(where)
    shape = "1x10x10" if d == 100 else f"1x1x{d}"
    below, above = hidden - hidden // 2, hidden // 2
    layers = "dense 16; " * below + "cut; " + "dense 16; " * above + "dense 2"
    epochs = 10 if o.quick else 50
    words = ["--couple", coupling, "--lockstep", "--devices", o.device, "--batch", "50", "--epochs", str(epochs),
             "--lr", "0.003"]
    return clutch_job("train", f"input {shape}; {layers}; loss {loss}", *words, data=where, seed=seed,
                      after=linear_end(where, o.device), table="linear", set=kind, dimensions=d, hidden=hidden,
                      loss=loss, coupling=coupling, epochs=epochs)


def exact_job(o, coupling):
    """The net stands still, so that the guess alone learns."""
    net = f"input 1x28x28; dense 32; tanh; cut {coupling}; dense 24; dense 10; loss squared"
    limit, epochs = (5000, 3) if o.quick else (20000, 20)
    words = ["--optimizer", "sgd", "--lr", "1e-12", "--schedule", "none", "--lockstep", "--devices", o.device,
             "--batch", "100", "--epochs", str(epochs), "--limit", str(limit)]
    return clutch_job("train", net, *words, data="fashion-mnist", after=fit_of, table="exact", coupling=coupling,
                      epochs=epochs, limit=limit)


def deep_net(depth, wide):
    block = f"dense {wide}; batchnorm; relu; "
    return f"input 1x28x28; {block * (depth // 2)}cut; {block * (depth - depth // 2)}dense 10; loss softmax"


def deep_job(o, data, depth, coupling, seed):
    wide, limit, epochs = (32, 4000, 3) if o.quick else (128, 60000, 10)
    words = ["--couple", coupling, "--lockstep", "--devices", o.device, "--batch", "128", "--epochs", str(epochs),
             "--limit", str(limit)]
    seen = depth == depth_seen(o) and seed == 1 and coupling in ("exact", CDNI, "csg", SG)
    return clutch_job("train", deep_net(depth, wide), *words, data=data, seed=seed,
                      after=inside(o.device) if seen else None, table="deep", depth=depth, coupling=coupling,
                      epochs=epochs, limit=limit, wide=wide)


def depths(o):
    return (2, 5, 10) if o.quick else (2, 5, 10, 20, 50)


def depth_seen(o):
    return 5 if o.quick else 10


def jobs(o):
    """The smallest first; then what makes it surer."""
    found = [name for name in ("fashion-mnist", "mnist") if has_data(name, o.mnist)]
    if "mnist" not in found:
        say("bench: MNIST is not here (--mnist DIR); its rows stay empty")

    def linear(seed):
        return [linear_job(o, kind, d, hidden, loss, coupling, seed) for d in ((2,) if o.quick else (2, 100))
                for hidden in HIDDEN for kind in sets.KINDS for loss in LOSSES for coupling in LINEAR]

    def deep(seed, each=None):
        return [deep_job(o, data, depth, coupling, seed) for data in each or found for depth in depths(o)
                for coupling in DEEP]

    out = [exact_job(o, coupling) for coupling in EXACT] if "fashion-mnist" in found else []
    out += [*linear(1), *deep(1, found[:1] if o.quick else None)]
    for seed in range(2, (o.seeds or (1 if o.quick else 3)) + 1):
        out += [*linear(seed), *deep(seed)]
    return out


# ---- rows ------------------------------------------------------------------------------------------------------------


def at_cut(line, key):
    return line["modules"][0].get(key)


def rows(job, lines):
    about, seen = job.about, lines[-1] if "step" not in lines[-1] else {}
    epochs = [line for line in lines if "step" in line]
    last = epochs[-1]
    if about["table"] == "linear":
        return [{**about, "train_loss": seen["loss"], "train_accuracy": seen["accuracy"], "says": seen["says"],
                 "best": seen["best"], "cosine": at_cut(last, "cosine"), "steps": last["step"]}]
    if about["table"] == "exact":
        return [{**about, "cosine": at_cut(last, "cosine"), "norm_ratio": at_cut(last, "norm_ratio"),
                 "map_off": seen["map_off"], "steps": last["step"]}]
    return [{**about, "data": job.data, "train_loss": last["train_loss"],
             "test_error": 100 * (1 - last["test_accuracy"]), "cosine": [at_cut(line, "cosine") for line in epochs],
             "norm_ratio": [at_cut(line, "norm_ratio") for line in epochs], "steps": last["step"],
             "inside": seen.get("inside")}]


def rms(values):
    values = list(values)
    return (sum(v * v for v in values) / len(values)) ** 0.5


def distance(says, other):
    """Of two nets as functions, relative to the other."""
    return rms(a - b for a, b in zip(says, other)) / rms(other)


def linear_rows(all_rows):
    setting = ("set", "dimensions", "hidden", "loss")
    exact = {tuple(row[key] for key in (*setting, "seeds")): row for row in all_rows if row["coupling"] == "exact"}
    out = []
    for each in group(all_rows, *setting, "coupling"):
        pairs = [(row, exact.get(tuple(row[key] for key in (*setting, "seeds")))) for row in each]
        pairs = [(row, base) for row, base in pairs if base]
        if not pairs:
            continue
        first = each[0]
        best = first["best"] if first["loss"] == "squared" else None
        out.append({
            **{key: first[key] for key in (*setting, "coupling")},
            "train_loss": mean([row["train_loss"] for row in each]),
            "above_exact": mean([row["train_loss"] - base["train_loss"] for row, base in pairs]),
            "above_best": mean([row["train_loss"] - best["loss"] for row in each]) if best else None,
            "distance": mean([distance(row["says"], base["says"]) for row, base in pairs]),
            "distance_to_best": mean([distance(row["says"], best["says"]) for row in each]) if best else None,
            "train_accuracy": mean([row["train_accuracy"] for row in each]),
            "cosine": mean([row["cosine"] for row in each]), "epochs": first["epochs"], "steps": first["steps"],
            **merge(each)})
    return out


def exact_rows(all_rows):
    return [{**{key: row[key] for key in ("coupling", "cosine", "norm_ratio", "map_off", "steps")},
             "one_less_cosine": 1 - row["cosine"], "samples": row["limit"], **merge([row])} for row in all_rows]


def over_seeds(each):
    first = each[0]
    return {**{key: first[key] for key in ("data", "depth", "coupling")},
            "test_error": mean([row["test_error"] for row in each]),
            "train_loss": mean([row["train_loss"] for row in each]),
            **{key: several([mean(values) for values in zip(*(row[key] for row in each))])
               for key in ("cosine", "norm_ratio")},
            "wide": first["wide"], "samples": first["limit"], "epochs": first["epochs"], "steps": first["steps"],
            **merge(each)}


def correlation(a, b):
    pairs = [(x, y) for x, y in zip(a, b) if x == x and y == y]
    if len(pairs) < 3:
        return None
    ma, mb = mean([x for x, _ in pairs]), mean([y for _, y in pairs])
    top = sum((x - ma) * (y - mb) for x, y in pairs)
    low = (sum((x - ma) ** 2 for x, _ in pairs) * sum((y - mb) ** 2 for _, y in pairs)) ** 0.5
    return top / low if low else None


def inside_rows(all_rows):
    out = []
    for each in group([row for row in all_rows if row["inside"]], "data"):
        exact = next((row for row in each if row["coupling"] == "exact"), None)
        for row in each:
            for i, layer in enumerate(row["inside"]):
                own = [layer["classes"][a][a] for a in range(10)]
                other = [v for a in range(10) for v in layer["classes"][a][:a]]
                out.append({"data": row["data"], "coupling": row["coupling"], "layers": layer["layers"],
                            "apart": mean(other) - mean(own) if None not in own + other else None,
                            "like_exact": correlation(layer["pairs"], exact["inside"][i]["pairs"]) if exact else None,
                            "classes": several([v for line in layer["classes"] for v in line], 3),
                            "depth": row["depth"], **merge([row])})
    return out


def tables(all_rows):
    of = {name: [row for row in all_rows if row["table"] == name] for name in ("linear", "exact", "deep")}
    return {"understanding-linear": linear_rows(of["linear"]), "understanding-exact": exact_rows(of["exact"]),
            "understanding-deep": [over_seeds(each) for each in group(of["deep"], "data", "depth", "coupling")],
            "understanding-inside": inside_rows(of["deep"])}


# ---- pictures --------------------------------------------------------------------------------------------------------


def lines(rows_, x, y, couplings=None):
    out = []
    for each in group(rows_, "coupling"):
        each = sorted((row for row in each if number(row, y) is not None), key=lambda row: int(row[x]))
        if each and (not couplings or each[0]["coupling"] in couplings):
            out.append({"name": each[0]["coupling"], "x": [int(row[x]) for row in each],
                        "y": [number(row, y) for row in each]})
    return out


def deep_panels(rows_):
    panels = []
    for each in group(rows_, "data"):
        panels.append({"title": each[0]["data"], "x": "hidden layers", "y": "test error, %",
                       "series": lines(each, "depth", "test_error")})
        for depth in sorted({int(row["depth"]) for row in each})[-1:]:
            curves = [(row["coupling"], numbers(row, "cosine")) for row in each if int(row["depth"]) == depth]
            series = [{"name": name, "x": list(range(1, len(c) + 1)), "y": c} for name, c in curves
                      if name != "exact" and None not in c]
            panels.append({"title": f"{each[0]['data']}, {depth} hidden layers", "x": "epoch",
                           "y": "cosine with the true gradient", "series": series})
    return panels


def class_matrix(row):
    """The whole of what `classes` has the lower half of."""
    values, m = numbers(row, "classes"), [[0.0] * 10 for _ in range(10)]
    at = iter(v if v is not None else 0.0 for v in values)
    for a in range(10):
        for b in range(a + 1):
            m[a][b] = m[b][a] = next(at)
    return m


def inside_panels(rows_):
    panels = []
    for each in group([row for row in rows_ if row["coupling"] in ("exact", CDNI)], "coupling"):
        each = [row for row in each if row["data"] == each[0]["data"]]
        seen = [each[round(i * (len(each) - 1) / 5)] for i in range(6)]
        panels += [{"kind": "matrix", "title": "pixels" if row["layers"] == "0" else f"after {row['layers']} layers",
                    "values": class_matrix(row)} for row in seen]
    most = max(v for panel in panels for line in panel["values"] for v in line) if panels else 1
    return [{**panel, "most": most} for panel in panels]


def pictures(found):
    out = {}
    if "understanding-deep" in found:
        out["understanding-deep"] = {"title": "One cut in the middle of a deep net", "across": 2,
                                     "panels": deep_panels(found["understanding-deep"])}
    if "understanding-inside" in found:
        out["understanding-inside"] = {
            "title": "How unlike layers find pictures of ten classes (white: alike): above by back-propagation,\n"
                     "below with a synthetic gradient in the middle",
            "across": 6, "panels": inside_panels(found["understanding-inside"])}
    return out


# ---- report ----------------------------------------------------------------------------------------------------------


def signed(value):
    """Without a sign where nothing is left of it."""
    text = f"{value:+.4f}"
    return text[1:] if not float(text) else text


def linear_cell(row):
    if not row:
        return "-"
    if row["coupling"] == "exact":
        return f"{number(row, 'train_loss'):.4f}"
    return f"{signed(number(row, 'above_exact'))} ({number(row, 'distance'):.3f})"


def linear_table(rows_):
    couplings = [word for word in LINEAR if any(row["coupling"] == word for row in rows_)]
    out = []
    for each in group(rows_, "hidden", "dimensions", "set"):
        of = {row["coupling"]: row for row in each}
        model = "linear" if each[0]["hidden"] == "1" else f"deep linear, {each[0]['hidden']}"
        best = number(of.get("exact", {}), "above_best")
        out.append([model, each[0]["dimensions"], each[0]["set"], *([signed(best) if best is not None else "-"]
                                                                    if each[0]["loss"] == "squared" else []),
                    *(linear_cell(of.get(word)) for word in couplings), each[0]["commit"].split()[0][:12]])
    squared = rows_[0]["loss"] == "squared"
    return table(["model", "dimensions", "set", *(["`exact` above least squares"] if squared else []),
                  *(f"`{word}`" for word in couplings), "commit"], out)


def names_of(rows_):
    return listed(f"{row['set']} in {row['dimensions']} dimensions" +
                  (f", {row['hidden']} hidden layers" if row["hidden"] != "1" else "") for row in rows_)


def linear_verdict(rows_, coupling, words):
    parts = []
    for loss, name in LOSSES.items():
        mine = [row for row in rows_ if row["coupling"] == coupling and row["loss"] == loss]
        if not mine:
            continue
        bad = [row for row in mine if not number(row, "above_exact") <= SAME]
        worst = max(mine, key=lambda row: number(row, "above_exact"))
        near = [row for row in mine if number(row, "distance") <= NEAR]
        text = f"with {name} {len(mine) - len(bad)} of {len(mine)} settings end within {SAME} of its loss, " \
               f"{len(near)} within {100 * NEAR:.0f} % of it as a function"
        if bad:
            text += f" (the worst is {signed(number(worst, 'above_exact'))}: {names_of([worst])})"
        parts.append(text)
    return f"{words} (`{coupling}`): {'; '.join(parts)}." if parts else None


def noisy_verdict(rows_):
    """The paper's exception: log loss on noisy data, where the gradient is a sigmoid of h."""
    mine = [row for row in rows_ if row["coupling"] in (CDNI, CDNI_LS) and number(row, "cosine") is not None]
    overlapping = [row for row in mine if row["set"] in ("noisy", "flipped")]
    of = {loss: [row for row in overlapping if row["loss"] == loss] for loss in LOSSES}
    if not all(of.values()):
        return None
    least = {loss: min(each, key=lambda row: number(row, "cosine")) for loss, each in of.items()}
    far = {loss: mean([number(row, "distance") for row in each]) for loss, each in of.items()}
    seen = far["softmax"] > 2 * far["squared"]
    return f"""Where classes overlap, a linear guess can be exact of squared loss and cannot be of log loss: the cosine
of cDNI with the true gradient ends no lower than {number(least['squared'], 'cosine'):.4f} with squared loss
({names_of([least['squared']])}), and as low as {number(least['softmax'], 'cosine'):.4f} with log loss
({names_of([least['softmax']])}); as functions the nets end {far['squared']:.3f} and {far['softmax']:.3f} from
back-propagation's, on average: the paper's exception, log loss on noisy data, is
{"seen" if seen else "not seen"} here."""


def linear_report(rows_):
    setup = f"""**Linear nets.** One or ten hidden linear layers of 16 and a cut in the middle, on sets of two classes
that the bench draws (`bench/papers/sets.py`): {listed(f'*{name}* ({words})' for name, words in sets.KINDS.items())},
in {listed(sorted({row['dimensions'] for row in rows_}, key=int))} dimensions, {sets.TRAIN} samples. Adam 3e-3,
cosine, batch 50, {rows_[0]['steps']} steps, in lockstep. The paper's linear model has
its synthetic gradient between output and loss; a cut of ours has a layer on either side, so the smallest linear net
here has two. `exact`: the loss over the training set at the end. Others: what theirs is above it, and in brackets how
far the two nets are apart as functions (of output 1 less output 0 over {sets.LOOKED_AT} samples: root mean square of
the difference, over that of `exact`). Means over seeds {rows_[0]['seeds']}. With squared loss the smallest loss that
there is, that of the normal equations, is known."""
    out = [setup]
    for loss, name in LOSSES.items():
        mine = [row for row in rows_ if row["loss"] == loss]
        if mine:
            out += [f"{name[0].upper()}{name[1:]}:", linear_table(mine)]
    claims = """Claimed (*recalled*): a linear guess that sees the label takes a linear net with squared loss to the
global optimum, and a deep linear one to a critical point of the original problem; on artificial sets training with
synthetic gradients ends where back-propagation does, but for log loss on noisy data."""
    verdicts = [linear_verdict(rows_, CDNI, "- cDNI by Adam"),
                linear_verdict(rows_, CDNI_LS, "- cDNI by least squares"),
                linear_verdict(rows_, SG_LS, "- a linear guess without the label"),
                linear_verdict(rows_, SG, "- the same with a hidden layer")]
    return [*out, claims + " Here, beside back-propagation of the same seed:",
            "\n".join(textwrap.fill(text, 120, subsequent_indent="  ") for text in verdicts if text),
            *[text for text in [noisy_verdict(rows_)] if text]]


def exact_report(rows_):
    head = """**Exactness with the label.** With squared loss and linear layers *W* above the cut the true gradient is
*W^T W h - W^T y*, linear in *h* and in the label: a linear guess that sees the label can be exact, one that does not
cannot. Here the net stands still (rate 1e-12) and the guess alone learns; *map*: how far its part for *h* is from
*W^T W* (Frobenius norm, relative). `tests/cli/train.bats` asserts it of least squares, `tests/unit/team_dni.c` steps of
both against formulas."""
    out = table(["coupling", "1 - cosine", "norm, of the true one", "map", "steps", "commit"],
                [[f"`{row['coupling']}`", show(number(row, "one_less_cosine"), ".2g"),
                  show(number(row, "norm_ratio"), ".4f"), show(number(row, "map_off"), ".2g"), row["steps"],
                  row["commit"][:12]] for row in rows_])
    labelled = [row for row in rows_ if row["coupling"].startswith("csg")]
    blind = [row for row in rows_ if row["coupling"].startswith("sg")]
    text = ""
    if labelled and blind:
        worst = max(number(row, "one_less_cosine") for row in labelled)
        best = min(number(row, "one_less_cosine") for row in blind)
        text = f"With the label the guess is the gradient to {worst:.2g} of a cosine at worst; without, it stays " \
               f"{best:.2g} away at best: " + ("as it must be." if worst < best / 10 else "not as it must be.")
    return [head, out, text] if text else [head, out]


def deep_table(rows_):
    counts = sorted({int(row["depth"]) for row in rows_})
    of = {(row["coupling"], int(row["depth"])): row for row in rows_}
    couplings = [word for word in DEEP if any(row["coupling"] == word for row in rows_)]

    def cell(row):
        return f"{number(row, 'test_error'):.2f} ({number(row, 'train_loss'):.3f})" if row else "-"

    def curve(word):
        row = of.get((word, counts[-1]))
        return " ".join(show(v) for v in numbers(row, "cosine")) if row else "-"
    return table(["", "coupling", *(f"{n} layers" for n in counts), f"cosine by epoch, {counts[-1]} layers", "commit"],
                 [[NAMES.get(word, ""), f"`{word}`", *(cell(of.get((word, n))) for n in counts), curve(word),
                   next(row for row in rows_ if row["coupling"] == word)["commit"].split()[0][:12]]
                  for word in couplings])


def gap(of, coupling, depth):
    a, b = number(of.get((coupling, depth), {}), "test_error"), number(of.get(("exact", depth), {}), "test_error")
    return a - b if a is not None and b is not None else None


def deep_verdict(rows_):
    counts = sorted({int(row["depth"]) for row in rows_})
    of = {(row["coupling"], int(row["depth"])): row for row in rows_}
    parts = []
    for coupling, words in ((CDNI, "cDNI by Adam"), ("csg", "`csg`"), (SG, "the guess without the label")):
        gaps = {n: gap(of, coupling, n) for n in counts if gap(of, coupling, n) is not None}
        if gaps:
            low, high = min(gaps), max(gaps)
            parts.append(f"{words} {gaps[low]:+.2f} with {low} layers and {gaps[high]:+.2f} with {high}")
    out = f"Points of test error above back-propagation: {'; '.join(parts)}. "
    deepest = counts[-1]
    still, free = gap(of, "none", deepest), gap(of, SG, deepest)
    if still is not None and free is not None:
        out += f"With {deepest} layers the guess without the label is {'no better' if free >= still else 'better'} " \
               f"than a lower half that never learns ({still:+.2f}). "
    late = [(row, numbers(row, "cosine")) for row in rows_ if row["coupling"] in (CDNI, "csg")]
    late = [(row, c) for row, c in late if len(c) > 1 and None not in c]
    if late:
        falls = [row for row, c in late if c[-1] < c[0]]
        out += f"Of {len(late)} curves of the cosine with the label, {len(falls)} end lower than they began: the " \
               f"guess {'loses' if len(falls) > len(late) / 2 else 'does not lose'} the gradient as that shrinks."
    return out


def deep_report(rows_):
    first = rows_[0]
    setup = f"""**Deep nets, one guess in the middle.** Hidden layers of {first['wide']} with batch norm and ReLU, a cut
in the middle, {first['epochs']} epochs of {first['samples']} pictures, batch 128, Adam 1e-3, cosine, in lockstep.
Test error in percent, and in brackets the training loss of the last epoch."""
    out = [setup]
    for each in group(rows_, "data"):
        out += [f"{'MNIST' if each[0]['data'] == 'mnist' else 'Fashion-MNIST'}, seeds {each[0]['seeds']}:",
                deep_table(each), deep_verdict(each)]
    return out + ["""Claimed (*quoted*): with one synthetic gradient in the middle, nets of up to 50 layers train;
(*recalled*) the label is needed, and the error of the guess grows late in training."""]


def inside_report(rows_):
    head = f"""**Inside.** How unlike layers find pictures (1 less the correlation of what a layer makes of two of
them), in nets of {rows_[0]["depth"]} hidden layers; *apart* is the mean over pairs of different classes less that over
pairs of one class. *like exact*: the correlation with the same matrix of back-propagation, over pairs of pictures."""
    out = [head]
    for each in group(rows_, "data"):
        layers = sorted({int(row["layers"]) for row in each})
        of = {(row["coupling"], int(row["layers"])): row for row in each}
        words = list(dict.fromkeys(row["coupling"] for row in each))
        body = [[f"`{word}`, {name}", *(show(number(of.get((word, n), {}), key)) for n in layers)] for word in words
                for name, key in (("apart", "apart"), ("like exact", "like_exact"))
                if not (word == "exact" and key == "like_exact")]
        out += [f"{'MNIST' if each[0]['data'] == 'mnist' else 'Fashion-MNIST'}, after so many layers of the net's text "
                "(0: pixels):", table(["", *(str(n) for n in layers)], body), inside_verdict(each, layers, of)]
    return [text for text in out if text]


def inside_verdict(rows_, layers, of):
    """The paper: with a synthetic gradient classes are apart at the interface already, and representations differ."""
    hidden = [n for n in layers[1:-1]]
    if not hidden:
        return None
    below = [n for n in hidden if n <= hidden[len(hidden) // 2 - 1]] if len(hidden) > 1 else hidden
    at = below[-1]
    out = []
    for word in (CDNI, "csg"):
        mine = [number(of.get((w, at), {}), "apart") for w in (word, "exact")]
        like = [number(of.get((word, n), {}), "like_exact") for n in hidden]
        if None in mine or None in like:
            continue
        out.append(f"With `{word}` classes are {mine[0]:.2f} apart half-way up, by back-propagation {mine[1]:.2f}; its "
                   f"layers' matrices correlate with back-propagation's by {min(like):.2f} to {max(like):.2f}.")
    claim = """Claimed (*read* in the abstract): functions alike, but representations "drastically different" layer by
layer; (*recalled*) below a synthetic gradient classes are apart already, and the upper half passes them on."""
    return claim + " " + " ".join(out) if out else None


def report(found):
    out = []
    for name, write in (("understanding-linear", linear_report), ("understanding-exact", exact_report),
                        ("understanding-deep", deep_report), ("understanding-inside", inside_report)):
        if name in found:
            out += write(found[name])
    return out
