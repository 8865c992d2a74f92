"""Table 1: how fast each coupling trains, over the devices that it trains on, and how soon it is how accurate.

E. O. Bisong, "Benchmarking Decoupled Neural Interfaces with Synthetic Gradients", arXiv 1712.08314."""
import os

from papers.common import (clutch_job, group, has_data, listed, mean, median, merge, number, numbers, say, several,
                           show, spread, table, torch_job)

TITLE = "Speed: the three-fold claim (arXiv 1712.08314)"
FILES = ("speed",)

COUPLINGS = ["exact", "exact micro=4", "csg", "csg solver=adam", "sg", "local", "predsim", "none"]
UPDATES = ["exact", *(f"{word} p={p}" for word in ("csg", "csg solver=adam", "local") for p in (0.5, 0.2, 0.05))]
CONTROLS = ["exact", "fixed", "classmean", "vir", "vir frozen=1", "replicas"]
ACCURACIES = (0.75, 0.8, 0.85, 0.87)
SINGLE, TORCH = "exact, one device", "PyTorch"
WANTED = 3.0
POINT = 0.01  # what "comparable accuracy" may be below that of exact


def net_of(layers):
    """784-256-...-10, counted as the papers do: the output layer is one."""
    hidden = "; ".join(["dense 256; batchnorm; relu"] * (layers - 1))
    return f"input 1x28x28; {hidden}; dense 10; loss softmax"


def setups(o, layers):
    """(name, devices, how slow each is) with as many modules as devices, the most important first."""
    out = []
    most = [n for n in (4, 8, 2) if n <= layers] or [2]
    if layers < 4:
        most = [layers, *most]
    if o.quick:
        most = most[:1]
    for n in most:
        out.append((f"{n} equal, emulated", f"virtual:{n}@1", [1] * n))
    if (os.cpu_count() or 1) >= 2:
        out.insert(1, ("2 halves of the CPU", o.device + "/2", [1, 1]))
    if o.real:
        out.insert(0, ("real devices", o.real, [1] * len(o.real.split(","))))
    for n in most if o.quick else [n for n in most if n > 2]:
        slow = sorted((1, 2, 1, 4, 1, 2, 1, 4)[:n])
        out.append((f"{n} unequal, emulated", f"virtual:{n}@" + ":".join(str(s) for s in slow), slow))
    return out


def size(o):
    """What each run trains for."""
    return {"limit": 5000, "epochs": 2, "batch": 128} if o.quick else {"limit": 20000, "epochs": 5, "batch": 128}


def compare_job(o, layers, setup, couplings, seed):
    name, devices, slow = setup
    s = size(o)
    words = ["--devices", devices, "--modules", str(len(slow)), "--limit", str(s["limit"]), "--batch", str(s["batch"]),
             "--epochs", str(s["epochs"]), "--couplings", ",".join(couplings)]
    return clutch_job("compare", net_of(layers), *words, seed=seed, layers=layers, setup=name, slow=slow,
                      alone="virtual" not in devices, first=couplings is COUPLINGS, **s)


def outside_jobs(o, layers):
    """PyTorch, one seed: as it comes, compiled, on one thread and on all; the fastest is the one that counts."""
    s = size(o)
    cores = os.cpu_count() or 1
    ways = [("eager", 1, "")] if o.quick else [(mode, n, wait) for mode in ("eager", "compile-all")
                                               for n, wait in dict.fromkeys(((cores, ""), (cores, "passive"), (1, "")))]
    options = {"sizes": [784] + [256] * (layers - 1) + [10], "batchnorm": True, "adam": "foreach", "evaluate": True,
               "cosine": True, **s}
    return [torch_job({**options, "mode": mode, "threads": n, "wait": wait}, layers=layers, setup="the CPU",
                      way=f"{mode}, threads {n} {wait}".rstrip(), **s) for mode, n, wait in ways]


def jobs(o):
    """Seed by seed: all nets with the usual couplings, then skipped updates and controls on two of them."""
    if not has_data("fashion-mnist", None):
        say("bench: Fashion-MNIST is not here (on Debian: apt install dataset-fashion-mnist)")
        return []
    depths = (3, 8) if o.quick else (16, 3, 8, 4)
    torch = o.list or o.report or o.bench.find_python(install=not o.quick)
    controls = [word for word in CONTROLS if o.bench.knows(word)]
    out = []
    for seed in range(1, (o.seeds or (1 if o.quick else 5)) + 1):
        for more in (False, True):
            for layers in (3, 8) if more else depths:
                places = setups(o, layers)
                if not more:
                    out += [compare_job(o, layers, place, COUPLINGS, seed) for place in places]
                    out += outside_jobs(o, layers) if torch and seed == 1 else []
                    continue
                for place in places[:2]:
                    out.append(compare_job(o, layers, place, UPDATES, seed))
                    if len(controls) > 1:
                        out.append(compare_job(o, layers, place, controls, seed))
    return out


# ---- rows ------------------------------------------------------------------------------------------------------------


def seconds_to(seconds, accuracy, target):
    """Of training until the first epoch that reaches it; None where none does."""
    return next((s for s, a in zip(seconds, accuracy) if a >= target), None)


def bound_of(job, result, row):
    """Locked work over that of the slowest module that never waits, in multiply-accumulates (the gain over locked
    training that nothing but doing less can exceed). None where the row is locked, or not of these modules."""
    exact = next((each for each in result["rows"] if each["name"] == "exact"), None)
    places = [job.about["slow"][module["place"]] for module in result["modules"]]
    if not exact or row["name"].startswith("exact") or len(row["modules"]) != len(places):
        return None
    locked = sum(slow * module["macs"] for slow, module in zip(places, exact["modules"]))
    return locked / max(slow * module["macs"] for slow, module in zip(places, row["modules"]))


def update_share(name):
    return next((float(word[2:]) for word in name.split() if word.startswith("p=")), 1.0)


def one_row(job, result, row):
    exact = next((each for each in result["rows"] if each["name"] == "exact"), result["rows"][0])
    seconds, accuracy = row["seconds_by_seed"][0], row["accuracy_by_seed"][0]
    took, locked = row["seconds_to_target"], exact["seconds_to_target"]
    modules = row["modules"]
    cuts = [str(module["first"]) for module in result["modules"][1:]] if len(modules) > 1 else []
    return {
        **shape_of(job), "coupling": row["coupling"] or SINGLE, "p": update_share(row["name"]), "program": "clutch",
        "modules": len(modules), "emulated": "yes" if result["modules"][0]["emulated"] else "no",
        "steps_per_second": row["steps_per_second"], "x_locked": row["x_locked"], "x_single": row["x_single"],
        "bound_macs": bound_of(job, result, row),
        "bound_measured": None if row["name"].startswith("exact") else result["bound"],
        "accuracy": accuracy[-1], "exact_accuracy": exact["accuracy_by_seed"][0][-1],
        **{f"seconds_to_{100 * target:.0f}": seconds_to(seconds, accuracy, target) for target in ACCURACIES},
        "seconds_to_target": took, "x_locked_to_target": locked / took if took and locked else None,
        "updates": [module["updates"] for module in modules], "macs": [module["macs"] for module in modules],
        "busy": [module["busy"] for module in modules], "stale_steps": [module["stale_steps"] for module in modules],
        "cuts": " ".join(cuts),
    }


def shape_of(job):
    about = job.about
    return {"layers": about["layers"], "setup": about["setup"], "batch": about["batch"], "samples": about["limit"],
            "epochs": about["epochs"]}


def torch_rows(job, lines):
    steps = -(-job.about["limit"] // job.about["batch"])
    seconds = [sum(line["seconds"] for line in lines[:i + 1]) for i in range(len(lines))]
    accuracy = [line["test_accuracy"] for line in lines]
    return [{
        **shape_of(job), "coupling": TORCH, "p": 1.0, "modules": 1,
        "program": f"PyTorch {lines[-1]['torch']}, {job.about['way']}", "emulated": "no",
        "steps_per_second": median([steps / line["seconds"] for line in lines]), "x_locked": None,
        "x_single": None, "bound_macs": None, "bound_measured": None, "accuracy": accuracy[-1], "exact_accuracy": None,
        **{f"seconds_to_{100 * target:.0f}": seconds_to(seconds, accuracy, target) for target in ACCURACIES},
        "seconds_to_target": None, "x_locked_to_target": None, "updates": [steps * len(lines)], "macs": [],
        "busy": [], "stale_steps": [], "cuts": "",
    }]


def rows(job, result):
    if job.words[0] == "torch":
        return torch_rows(job, result)
    result = result[-1]
    return [one_row(job, result, row) for row in result["rows"]
            if job.about["first"] or row["name"] not in (SINGLE, "exact")]


def each_module(rows_, key):
    """Means over seeds, module by module."""
    return several([mean(values) for values in zip(*(row[key] for row in rows_))])


def over_seeds(each, outside):
    first = each[0]
    plain = ("layers", "setup", "coupling", "p", "program", "modules", "emulated", "batch", "samples", "epochs")
    medians = ("steps_per_second", "x_locked", "x_single")
    means = ("bound_macs", "bound_measured", "accuracy")
    times = [f"seconds_to_{100 * target:.0f}" for target in ACCURACIES] + ["seconds_to_target"]
    out = {**{key: first[key] for key in plain}, **{key: median([row[key] for row in each]) for key in medians}}
    gains = [row["x_locked"] for row in each if row["x_locked"] is not None]
    out["x_locked_least"], out["x_locked_most"] = min(gains, default=None), max(gains, default=None)
    out.update({key: mean([row[key] for row in each]) for key in means})
    beside = [row["steps_per_second"] for row in outside if row["layers"] == first["layers"]]
    real = first["emulated"] == "no" and first["program"] == "clutch" and beside
    out["x_torch"] = out["steps_per_second"] / mean(beside) if real else None
    out["accuracy_spread"] = spread([row["accuracy"] for row in each])
    out["exact_accuracy"] = mean([row["exact_accuracy"] for row in each])
    for key in times:  # where some seed never came there is no mean
        values = [row[key] for row in each]
        out[key] = mean(values) if None not in values else None
    gains = [row["x_locked_to_target"] for row in each]
    out["x_locked_to_target"] = mean(gains) if None not in gains else None
    for key in ("updates", "macs", "busy", "stale_steps"):
        out[key] = each_module(each, key)
    out["cuts"] = first["cuts"]
    return {**out, **merge(each)}


def tables(all_rows):
    ways = [row for row in all_rows if row["coupling"] == TORCH]
    outside = [max(each, key=lambda row: row["steps_per_second"]) for each in group(ways, "layers")]
    ours = [row for row in all_rows if row["coupling"] != TORCH]
    merged = [over_seeds(each, outside) for each in group([*ours, *outside], "layers", "setup", "coupling")]
    return {"speed": sorted(merged, key=lambda row: row["layers"])}


# ---- pictures --------------------------------------------------------------------------------------------------------


def pictures(found):
    names = ["exact micro=4", "csg", "csg solver=adam", "sg", "local", "predsim", "none", "replicas"]
    panels = []
    for mine in group([row for row in found["speed"] if number(row, "x_locked")], "layers"):
        series = [{"name": name, "x": [row["setup"] for row in mine if row["coupling"] == name],
                   "y": [number(row, "x_locked") for row in mine if row["coupling"] == name]} for name in names]
        series.append({"name": "bound of local", "x": [row["setup"] for row in mine if row["coupling"] == "local"],
                       "y": [number(row, "bound_macs") or 0 for row in mine if row["coupling"] == "local"]})
        panels.append({"title": f"{mine[0]['layers']} layers", "x": "", "y": "steps/s over locked training",
                       "kind": "bars", "series": [each for each in series if each["x"]]})
    return {"speed": {"title": "Gain over locked training of the same modules", "across": 1, "panels": panels}}


# ---- report ----------------------------------------------------------------------------------------------------------


def where(row):
    return f"`{row['coupling']}`, {row['layers']} layers, {row['setup']}"


def gains_table(found):
    names = ["exact micro=4", "csg", "csg solver=adam", "sg", "local", "predsim", "none", "replicas"]
    names = [name for name in names if any(row["coupling"] == name for row in found)]
    out = []
    for each in group([row for row in found if row["coupling"] != TORCH], "layers", "setup"):
        of = {row["coupling"]: row for row in each}
        local = of.get("local") or of.get("csg")
        out.append([each[0]["layers"], each[0]["setup"], show(number(of.get("exact"), "steps_per_second"), ".1f"),
                    show(number(of.get("csg"), "bound_macs")), show(number(local, "bound_macs")),
                    *(show(number(of.get(name), "x_locked")) for name in names), each[0]["commit"].split()[0][:12]])
    return table(["layers", "devices", "`exact`, steps/s", "bound of `csg`", "bound of `local`",
                  *(f"`{name}`" for name in names), "commit"], out)


def detail_table(each):
    out = []
    for row in each:
        macs = numbers(row, "macs")
        out.append([row["coupling"] if row["coupling"] == SINGLE else f"`{row['coupling']}`",
                    show(number(row, "steps_per_second"), ".1f"), show(number(row, "x_locked")),
                    show(number(row, "x_single")), show(number(row, "bound_macs")),
                    *(show(number(row, f"seconds_to_{100 * target:.0f}")) for target in ACCURACIES),
                    show(100 * number(row, "accuracy")) + (f" +- {100 * number(row, 'accuracy_spread'):.2f}"
                                                           if number(row, "accuracy_spread") is not None else ""),
                    " ".join(f"{updates:.0f}" for updates in numbers(row, "updates")),
                    " ".join(f"{value / 1000:.0f}" for value in macs),
                    " ".join(show(value and 100 * value, ".0f") for value in numbers(row, "busy"))])
    return table(["", "steps/s", "x locked", "x single", "bound", *(f"s to {100 * target:.0f} %" for target in
                                                                   ACCURACIES),
                  "final accuracy, %", "updates a module", "1000 multiply-accumulates a sample, by module",
                  "busy %, by module"], out)


def outside_table(found):
    out = []
    for each in group([row for row in found if row["emulated"] == "no"], "layers"):
        torch = next((row for row in each if row["coupling"] == TORCH), None)
        single = next((row for row in each if row["coupling"] == SINGLE), None)
        free = [row for row in each if is_free(row) and row["p"] == "1"]
        best = max(free, key=lambda row: number(row, "steps_per_second"), default=None)
        out.append([each[0]["layers"], show(number(torch, "steps_per_second"), ".1f"),
                    show(number(single, "steps_per_second"), ".1f"), show(number(single, "x_torch")),
                    f"{number(best, 'steps_per_second'):.1f} (`{best['coupling']}`, {best['setup']})" if best else "-",
                    show(number(best, "x_torch"))])
    return table(["layers", "PyTorch", "clutch, whole CPU, back-propagation", "over PyTorch",
                  "fastest decoupled with all updates", "over PyTorch"], out)


def is_free(row):
    """Decoupled, and learning in all modules."""
    return not row["coupling"].startswith("exact") and row["coupling"] not in (TORCH, "none", "replicas")


def keeps(row):
    exact = number(row, "exact_accuracy")
    return exact is not None and number(row, "accuracy") >= exact - POINT


def reached(found, key, base):
    """Whether three-fold is reached over `base`, by whom, and with which accuracy."""
    rows_ = [row for row in found if number(row, key) is not None and is_free(row)]
    if not rows_:
        return None
    full = [row for row in rows_ if row["p"] == "1"]
    good = [row for row in full if number(row, key) >= WANTED and keeps(row)]
    out = f"**Over {base}**: "
    if good:
        best = max(good, key=lambda row: number(row, key))
        least = min(good, key=lambda row: (int(row["layers"]), int(row["modules"])))
        out += f"three-fold is reached in {len(good)} of {len(full)} rows with all updates and an accuracy at most a " \
               f"point below that of `exact`; at best {number(best, key):.2f} ({where(best)}), in the smallest net " \
               f"{number(least, key):.2f} ({where(least)})."
    else:
        best = max(full, key=lambda row: number(row, key), default=None)
        out += "three-fold is not reached with all updates and an accuracy at most a point below that of `exact`" + \
               (f"; the highest gain of any row is {number(best, key):.2f} ({where(best)}; accuracy "
                f"{100 * number(best, 'accuracy'):.2f}, `exact` {100 * number(best, 'exact_accuracy'):.2f})."
                if best else ".")
    skipped = [row for row in rows_ if row["p"] != "1" and number(row, key) >= WANTED]
    if skipped:
        keep = [row for row in skipped if keeps(row)]
        best = max(keep or skipped, key=lambda row: number(row, key))
        out += f" Of rows with skipped updates {len(skipped)} reach it, {len(keep)} of them with that accuracy; at " \
               f"best {'of these ' if keep else ''}{number(best, key):.2f} ({where(best)})."
    return out


def depths(rows_):
    return listed(f"{row['layers']} layers (at most {number(row, 'bound_macs'):.2f}, {row['setup']})" for row in rows_)


def cannot(found):
    """Of which nets the bound itself is below three, with all updates."""
    free = [row for row in found if row["p"] == "1" and number(row, "bound_macs") is not None and is_free(row)]
    if not free:
        return None
    most = {each[0]["layers"]: max(each, key=lambda row: number(row, "bound_macs")) for each in group(free, "layers")}
    low = [row for row in most.values() if number(row, "bound_macs") < WANTED]
    high = [row for row in most.values() if number(row, "bound_macs") >= WANTED]
    out = "**Where it cannot be**: the bound is the work of a locked step over that of the slowest module which " \
          "never waits, in multiply-accumulates, couplings included. "
    if low:
        out += f"With all updates it stays below three for nets of {depths(low)}, on any of these devices: one " \
               "module does too much of the work. "
    if high:
        out += f"It reaches three for nets of {depths(high)}."
    over = [row for row in free if number(row, "x_locked") > 1.05 * number(row, "bound_macs")]
    if over:
        worst = max(over, key=lambda row: number(row, "x_locked") / number(row, "bound_macs"))
        out += f" Of {len(free)} rows {len(over)} gain over a twentieth more than their bound, at most " \
               f"{number(worst, 'x_locked') / number(worst, 'bound_macs'):.2f} of it ({where(worst)}): locked steps " \
               "also lose time to messages and threads, which multiply-accumulates do not count."
    return out


def report(found):
    found = found["speed"]
    first = found[0]
    steps = -(-int(first["samples"]) // int(first["batch"])) * int(first["epochs"])
    claim = """Claimed: a synthetic-gradient net keeps a comparable accuracy and trains "over 3-fold" faster than the
same perceptron by back-propagation (*read* in the abstract). The paper's data, layers, hardware, tables and way of
taking time could not be found, and neither could its code; a reproduction can only say where three-fold is possible.
Of others: one reproduction took 0.64 of the time of back-propagation, but each layer was updated in a fifth of the
steps only; a course project measured three times *slower* epochs (both *read* in their repositories)."""
    setup = f"""784-256-...-10 with batch norm and ReLU, 3 to 16 layers counting the output, on the first
{first['samples']} pictures of Fashion-MNIST, batch {first['batch']}, {first['epochs']} epochs ({steps} steps), Adam
1e-3, cosine. A module a device, cut where the slowest is fastest. Emulated devices are each as fast as one core here,
those of slowness 2 half as fast, and have clocks that their work moves (docs/decoupled.md). *x locked* is steps per
second over `exact` on the same modules, the median of seeds; *x single*, over one device alone (of halves: the whole
CPU); *bound*, see below. `none` is a control whose lower modules never learn."""
    parts = [claim, setup, "Steps per second over locked training:", gains_table(found)]
    for layers in sorted({int(row["layers"]) for row in found} & {3, 8, 16}):
        mine = [row for row in found if int(row["layers"]) == layers and row["coupling"] != TORCH]
        setup_name = next(row["setup"] for row in mine if "equal" in row["setup"])
        each = [row for row in mine if row["setup"] == setup_name]
        each.sort(key=lambda row: (row["p"] != "1", ))
        parts += [f"{layers} layers, {setup_name} (seeds {each[0]['seeds']}):", detail_table(each)]
    parts += ["Steps per second on the real CPU, beside PyTorch" +
              ("" if any(row["coupling"] == TORCH for row in found) else ", which could not be had here") + ":",
              outside_table(found)]
    verdicts = [reached(found, "x_locked", "locked training of the same modules"),
                reached(found, "x_locked_to_target", "the time that locked training takes to its final accuracy less "
                        "half a point"),
                reached(found, "x_single", "back-propagation on one of the devices"),
                reached(found, "x_torch", "PyTorch on the same machine"), cannot(found)]
    return parts + [verdict for verdict in verdicts if verdict]
