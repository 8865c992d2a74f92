"""Table 2: test errors of fully connected nets of 3 to 6 layers, and deeper, a cut after each hidden layer.

M. Jaderberg et al., "Decoupled Neural Interfaces using Synthetic Gradients", arXiv 1608.05343."""
from papers.common import (clutch_job, group, has_data, mean, merge, number, numbers, say, several, show,
                           spread, table)

TITLE = "Synthetic gradients on fully connected nets (arXiv 1608.05343)"
FILES = ("dni", "dni-deep")

PUBLISHED_SG = "sg solver=adam hidden=2 width=1024"
COUPLINGS = ["none", "exact", "sg solver=adam", "sg", "csg solver=adam", "csg error=0", "csg", "local", "predsim",
             "fixed", "classmean", "vir", "vir frozen=1"]
DEEP = ["exact", "csg", "csg solver=adam", "local"]
NAMES = {"none": "hidden layers at their start (no bprop)", "exact": "back-propagation",
         PUBLISHED_SG: "DNI, two hidden layers of 1024, as published", "sg solver=adam": "DNI, one hidden layer",
         "sg": "DNI, linear, least squares", "csg solver=adam": "cDNI, linear, Adam, as published",
         "csg error=0": "cDNI, linear, least squares", "csg": "the same that also sees a classifier's error",
         "local": "local classifier", "predsim": "local, with similarities",
         "fixed": "a guess fixed at random (control)",
         "classmean": "the mean gradient of the class (control)", "vir": "a classifier's form, fitted to gradients",
         "vir frozen=1": "the same, its map frozen at random (control)"}
# test errors of the paper's table on MNIST in percent, by coupling here and layers: recalled, not read
PAPER = {"none": {3: 9.3, 4: 12.6, 5: 16.2, 6: 21.4}, "exact": {3: 2.0, 4: 1.8, 5: 1.8, 6: 1.8},
         PUBLISHED_SG: {3: 1.9, 4: 2.2, 5: 3.4, 6: 4.3}, "csg solver=adam": {3: 2.2, 4: 1.9, 5: 1.7, 6: 1.6}}
# others' nets on MNIST, read in their repositories: who, net, what, test error
OTHERS = [("kbullaughey/dni-synthetic-gradients", "1024-256-256-10, batch norm", "back-propagation, SGD", "2.0"),
          ("", "", "DNI, 2 x 1024, 770 epochs", "2.7"), ("", "", "cDNI, linear, Adam 1e-3, 80 epochs", "2.0"),
          ("nitarshan/decoupled-neural-interfaces", "784-256-256-256-10, 500,000 steps", "back-propagation", "2.36"),
          ("", "", "cDNI, linear, updates in a fifth of the steps", "3.05"),
          ("andrewliao11/dni.pytorch", "784-256-...-10", "back-propagation", "3"), ("", "", "DNI", "4")]
STEPS_PAPER = 500000
BATCH = 256


def net_of(layers):
    hidden = " ".join(["dense 256; batchnorm; relu; cut;"] * (layers - 1))
    return f"input 1x28x28; {hidden} dense 10; loss softmax"


def size(o):
    return {"epochs": 2, "limit": 5120} if o.quick else {"epochs": 10, "limit": 60000}


def train_job(o, data, layers, coupling, seed, deep=False):
    """A module a hidden layer, all on one device, step by step, so that the same seed gives the same bits."""
    s = size(o)
    words = ["--devices", o.device, "--couple", coupling, "--lockstep", "--epochs", str(s["epochs"]), "--batch",
             str(BATCH), "--limit", str(s["limit"])]
    return clutch_job("train", net_of(layers), *words, data=data, seed=seed, layers=layers, coupling=coupling,
                      deep=deep, **s)


def jobs(o):
    """3 to 6 layers with one seed, 11 and 21 on MNIST, the published synthetic gradient, which takes longest; then what
    makes it surer."""
    sets = [name for name in ("mnist", "fashion-mnist") if has_data(name, o.mnist)]
    if "mnist" not in sets:
        say("bench: MNIST is not here (--mnist DIR); its rows stay empty")
    couplings = [word for word in COUPLINGS if o.bench.knows(word)]
    depths = (3, 6) if o.quick else (3, 4, 5, 6)

    def usual(seed):
        return [train_job(o, data, layers, coupling, seed) for data in sets for layers in depths
                for coupling in couplings]

    def deep(wanted, *counts):
        return [train_job(o, data, layers, coupling, 1, deep=True) for data in wanted for layers in counts
                for coupling in DEEP]

    published = [train_job(o, data, layers, PUBLISHED_SG, 1) for data in sets[:1]
                 for layers in (depths[:1] if o.quick else depths)]
    if o.quick:
        return [*usual(1), *deep(sets[:1], 11), *published]
    out = [*usual(1), *deep(sets[:1], 11, 21), *published]
    for seed in range(2, (o.seeds or 5) + 1):
        out += usual(seed)
        out += deep(sets[1:], 11, 21) if seed == 3 else []
    return out + deep(sets, 8, 16)


# ---- rows ------------------------------------------------------------------------------------------------------------


def rows(job, lines):
    about, last = job.about, lines[-1]
    return [{
        "data": job.data, "layers": about["layers"], "coupling": about["coupling"],
        "deep": "yes" if about["deep"] else "no", "epochs": about["epochs"], "samples": about["limit"],
        "steps": last["step"],
        "test_error": 100 * (1 - last["test_accuracy"]),
        "best_error": 100 * (1 - max(line["test_accuracy"] for line in lines)), "train_loss": last["train_loss"],
        "cosine": [module.get("cosine") for module in last["modules"][:-1]],
        "norm_ratio": [module.get("norm_ratio") for module in last["modules"][:-1]],
    }]


def over_seeds(each):
    first = each[0]
    errors = [row["test_error"] for row in each]
    paper = PAPER.get(first["coupling"], {}).get(first["layers"]) if first["data"] == "mnist" else None
    return {**{key: first[key] for key in ("data", "layers", "coupling")}, "test_error": mean(errors),
            "test_error_spread": spread(errors), "best_error": mean([row["best_error"] for row in each]),
            "train_loss": mean([row["train_loss"] for row in each]),
            **{key: several([mean(values) for values in zip(*(row[key] for row in each))])
               for key in ("cosine", "norm_ratio")},
            "paper_best_error": paper, "paper_evidence": "recalled" if paper is not None else None,
            **{key: first[key] for key in ("epochs", "steps", "samples")}, **merge(each)}


def tables(all_rows):
    of = {"no": [], "yes": []}
    for each in group(all_rows, "deep", "data", "layers", "coupling"):
        of[each[0]["deep"]].append(over_seeds(each))
    return {"dni": of["no"], "dni-deep": of["yes"]}


# ---- pictures --------------------------------------------------------------------------------------------------------


def panel_of(rows_, title, names):
    series = []
    for name in names:
        mine = sorted((row for row in rows_ if row["coupling"] == name), key=lambda row: int(row["layers"]))
        if mine:
            series.append({"name": name, "x": [int(row["layers"]) for row in mine],
                           "y": [number(row, "test_error") for row in mine],
                           "error": [number(row, "test_error_spread") or 0 for row in mine]})
    return {"title": title, "x": "layers", "y": "test error, %", "log": True, "series": series}


def pictures(found):
    names = [PUBLISHED_SG, *COUPLINGS]
    titles = {"dni": "Test error with a cut after every hidden layer", "dni-deep": "The same, deep"}
    return {name: {"title": titles[name],
                   "panels": [panel_of(each, each[0]["data"], names) for each in group(rows_, "data")]}
            for name, rows_ in found.items()}


# ---- report ----------------------------------------------------------------------------------------------------------


def error_cell(row):
    if not row:
        return "-"
    sd = number(row, "test_error_spread")
    out = f"{number(row, 'test_error'):.2f}" + (f" +- {sd:.2f}" if sd is not None else "")
    return out + (f" (*{row['paper_best_error']}*)" if row.get("paper_best_error") else "")


def error_table(rows_):
    depths = sorted({int(row["layers"]) for row in rows_})
    names = [name for name in (*COUPLINGS[:2], PUBLISHED_SG, *COUPLINGS[2:]) if any(row["coupling"] == name for row in
                                                                                   rows_)]
    of = {(row["coupling"], int(row["layers"])): row for row in rows_}
    return table(["", "coupling", *(f"{n} layers" for n in depths), "cosine by cut, deepest", "seeds", "commit"],
                 [[NAMES.get(name, ""), f"`{name}`", *(error_cell(of.get((name, n))) for n in depths),
                   *last_facts([of[name, n] for n in depths if (name, n) in of])] for name in names])


def last_facts(mine):
    cosines = " ".join(show(value) for value in numbers(mine[-1], "cosine"))
    return [cosines, mine[-1]["seeds"], mine[-1]["commit"].split()[0][:12]]


def error_of(rows_, coupling, layers):
    return next((number(row, "test_error") for row in rows_ if row["coupling"] == coupling and
                 int(row["layers"]) == layers), None)


def against(rows_, coupling, label):
    """How far a coupling is from back-propagation here, by depth, and whether that grows."""
    depths = sorted({int(row["layers"]) for row in rows_})
    gaps = {n: error_of(rows_, coupling, n) - error_of(rows_, "exact", n) for n in depths
            if None not in (error_of(rows_, coupling, n), error_of(rows_, "exact", n))}
    if not gaps:
        return None
    least, most = min(gaps), max(gaps)
    out = f"{label} ends {gaps[least]:+.2f} points of error from back-propagation with {least} layers"
    if most == least:
        return out + "."
    out += f" and {gaps[most]:+.2f} with {most}: "
    return out + ("it loses with depth" if gaps[most] > gaps[least] + 0.2 else "it does not lose with depth") + "."


def differs(rows_):
    """Where ours is, row by row, beside the paper's errors."""
    mine = [row for row in rows_ if number(row, "paper_best_error") is not None]
    if not mine:
        return None
    gaps = [(number(row, "best_error") - number(row, "paper_best_error"), row) for row in mine]
    near = [row for gap, row in gaps if abs(gap) <= 0.3]
    gap, row = max(gaps, key=lambda pair: abs(pair[0]))
    out = f"Of {len(mine)} errors that the paper's table has, {len(near)} are within 0.3 points of ours (best epoch " \
          f"against best); the furthest is `{row['coupling']}` with {row['layers']} layers, " \
          f"{number(row, 'best_error'):.2f} here against {number(row, 'paper_best_error')}."
    for coupling, name in ((PUBLISHED_SG, "DNI"), ("csg solver=adam", "cDNI")):
        each = sorted((row for row in mine if row["coupling"] == coupling), key=lambda row: int(row["layers"]))
        if len(each) > 1:
            ours = number(each[-1], "test_error") - number(each[0], "test_error")
            theirs = number(each[-1], "paper_best_error") - number(each[0], "paper_best_error")
            out += f" From {each[0]['layers']} to {each[-1]['layers']} layers {name}'s error changes by {ours:+.2f} " \
                   f"here and by {theirs:+.2f} there: {'the same' if ours * theirs > 0 else 'another'} direction."
    return out


def report(found):
    rows_ = found.get("dni") or found["dni-deep"]
    first = rows_[0]
    share = int(first["steps"]) / STEPS_PAPER
    setup = f"""784-256-...-10 with batch norm and ReLU, batch 256, a cut after each hidden layer; the count of layers
includes the output. {first['epochs']} epochs of {first['samples']} pictures, {first['steps']} steps, which is
{100 * share:.2g} % of the paper's 500,000 (of 256, Adam 3e-5, a tenth of it after 300,000 and after 400,000; quoted by
others). Ours: Adam 1e-3, cosine; in lockstep, so that a target comes in the step that it belongs to, and a run can be
repeated to the bit. Errors are of the last epoch, mean and standard deviation over seeds; the paper has its best. In
brackets, slanted: the paper's error on MNIST, *recalled*."""
    parts = [setup]
    for name in ("dni", "dni-deep"):
        for each in group(found.get(name, []), "data"):
            deep = "deep nets, test error, %:" if name == "dni-deep" else "test error, %:"
            parts += [f"{'MNIST' if each[0]['data'] == 'mnist' else 'Fashion-MNIST'}, {deep}", error_table(each)]
            words = [against(each, PUBLISHED_SG, "The published DNI"), against(each, "sg", "DNI by least squares"),
                     against(each, "csg solver=adam", "cDNI by Adam"), against(each, "csg", "`csg` by least squares"),
                     against(each, "local", "The local classifier"), differs(each)]
            parts.append(" ".join(word for word in words if word))
    parts += ["What others have got on MNIST, *read* in their repositories:",
              table(["who", "net", "method", "test error, %"], OTHERS),
              """Of the paper's claims, others confirm that DNI loses with depth while cDNI does not, up to 21
layers; no published figure of synthetic gradients on Fashion-MNIST is known to us."""]
    return parts
