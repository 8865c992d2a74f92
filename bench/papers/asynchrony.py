"""Table 4: what lateness, skipped updates, unequal devices and a slow worker do to accuracy.

The asynchronous experiments of M. Jaderberg et al., arXiv 1608.05343 (each layer updates in a share of the steps), and
of E. Belilovsky et al., "Decoupled Greedy Learning of CNNs", arXiv 1901.08164 (a slow worker, replay)."""
import subprocess

from common import CLUTCH
from papers.common import (clutch_job, group, has_data, listed, mean, merge, number, numbers, say, several, show,
                           spread, table)

TITLE = "Asynchrony: lateness, skipped updates, unequal devices (arXiv 1608.05343, 1901.08164)"
FILES = ("asynchrony-late", "asynchrony-skipped", "asynchrony-speeds")

CDNI = "csg solver=adam"
QUEUES = (1, 2, 4, 8, 16, 32, 64)
SHARES = (1, 0.5, 0.2, 0.1, 0.05)
LATE = ["csg", "csg error=0", CDNI, "sg", "local"]
SKIPPED = ["csg", CDNI, "local"]
FREE = ["exact", "csg", CDNI, "local"]
SPEEDS = [("equal", "1:1:1:1"), ("one of half the speed", "1:1:1:2"), ("1:2:4:8", "1:2:4:8")]
SLOW = 8
SLOW_AT = {"lowest": 0, "second": 1, "highest": 3}
# what others add to a queue, such as a replay buffer: the row's name, options of `compare`; left out where this clutch
# has no such option
EXTRA = []
POINT = 0.01


def block(o, n=1):
    return f"dense {64 if o.quick else 256}; batchnorm; relu; " * n


def size(o):
    limit, epochs = (4096, 3) if o.quick else (20000, 8)
    return ["--limit", str(limit), "--batch", "64", "--epochs", str(epochs)]


def has_option(option):
    help_text = subprocess.run([CLUTCH, "compare", "--help"], capture_output=True, text=True, check=False).stdout
    return option in help_text.split()


def compare_job(o, net, devices, couplings, seed, *words, **about):
    s = size(o)
    job = clutch_job("compare", net, "--devices", devices, *words, *s, "--couplings", ",".join(couplings), seed=seed,
                     samples=int(s[1]), epochs=int(s[5]), **about)
    return job


def late_job(o, queue, seed, name="", options=()):
    """Two modules of which the upper one is slower, so that the queue between them is full once it has filled."""
    net = f"input 1x28x28; {block(o)}cut; {block(o, 5)}dense 10; loss softmax"
    couplings = ["exact", *LATE] if queue == QUEUES[0] and not options else LATE
    return compare_job(o, net, "virtual:2@1:3", couplings, seed, "--on", "0,1", "--queue", str(queue), *options,
                       table="late", queue=queue, name=name)


def skipped_job(o, share, seed):
    """Four modules, each of which updates in so many of the steps; DNI's experiment has a net of four layers."""
    net = f"input 1x28x28; {(block(o) + 'cut; ') * 3}dense 10; loss softmax"
    couplings = ["exact", *SKIPPED] if share == 1 else [f"{word} p={share}" for word in SKIPPED]
    return compare_job(o, net, "virtual:4@1", couplings, seed, "--on", "0,1,2,3", table="skipped", share=share)


def speeds_job(o, name, slow, seed, planned):
    """Eight hidden layers in four modules: cut evenly, a device each in turn, or where the slowest is fastest."""
    net = f"input 1x28x28; {block(o, 8)}dense 10; loss softmax"
    words = ["--modules", "4"] if planned else ["--cuts", "6,12,18", "--on", "0,1,2,3"]
    return compare_job(o, net, f"virtual:4@{slow}", FREE, seed, *words, table="speeds", name=name, slow=slow,
                       place="planned" if planned else "even")


def jobs(o):
    """Lateness first; then what is skipped, then devices; seed by seed."""
    if not has_data("fashion-mnist", None):
        say("bench: Fashion-MNIST is not here (on Debian: apt install dataset-fashion-mnist)")
        return []
    queues, shares = ((1, 4, 16), (1, 0.2)) if o.quick else (QUEUES, SHARES)
    extra = [(name, options) for name, options in EXTRA if has_option(options[0])]
    out = []
    for seed in range(1, (o.seeds or (1 if o.quick else 3)) + 1):
        out += [late_job(o, queue, seed) for queue in queues]
        out += [late_job(o, queue, seed, name, options) for name, options in extra for queue in queues]
        out += [skipped_job(o, share, seed) for share in shares]
        for name, slow in SPEEDS[1:2] if o.quick else SPEEDS:
            out += [speeds_job(o, name, slow, seed, planned) for planned in (False, True)]
        for name, at in list(SLOW_AT.items())[:1] if o.quick else SLOW_AT.items():
            slow = ":".join(str(SLOW if i == at else 1) for i in range(4))
            out.append(speeds_job(o, f"{name} of {SLOW} times", slow, seed, planned=False))
    return out


# ---- rows ------------------------------------------------------------------------------------------------------------


def base_of(word):
    """A coupling without its share of updates."""
    return " ".join(part for part in word.split() if not part.startswith("p="))


def last(values):
    return values[-1] if values else None


def rows(job, lines):
    result, about = lines[-1], job.about
    out = []
    for row in result["rows"]:
        cosine, late = row["cosine_by_seed"][0], row["stale_steps_by_seed"][0]
        cuts = len(row["modules"]) - 1
        out.append({
            **about, "coupling": base_of(row["coupling"] or row["name"]), "modules": len(row["modules"]),
            "accuracy": row["accuracy_by_seed"][0][-1], "train_loss": row["train_loss_by_seed"][0][-1],
            "steps_per_second": row["steps_per_second"], "x_locked": row["x_locked"],
            "steps_late": [last([epoch[k] for epoch in late]) for k in range(cuts)],
            "cosine": [last([epoch[k] for epoch in cosine]) for k in range(cuts)],
            "busy": [module["busy"] for module in row["modules"]],
            "updates": [module["updates"] for module in row["modules"]],
        })
    return [row for row in out if row["modules"] > 1]


def over_seeds(each, *keys):
    first = each[0]
    return {
        **{key: first[key] for key in (*keys, "coupling")}, "accuracy": mean([row["accuracy"] for row in each]),
        "accuracy_spread": spread([row["accuracy"] for row in each]),
        "train_loss": mean([row["train_loss"] for row in each]),
        **{key: mean([row[key] for row in each]) for key in ("steps_per_second", "x_locked")},
        **{key: several([mean(values) for values in zip(*(row[key] for row in each))])
           for key in ("steps_late", "cosine", "busy", "updates")},
        "samples": first["samples"], "epochs": first["epochs"], **merge(each)}


def tables(all_rows):
    keys = {"late": ("name", "queue"), "skipped": ("share",), "speeds": ("name", "slow", "place")}
    return {f"asynchrony-{name}": [over_seeds(each, *own) for each in
                                   group([row for row in all_rows if row["table"] == name], *own, "coupling")]
            for name, own in keys.items()}


# ---- pictures --------------------------------------------------------------------------------------------------------


def lines(rows_, x, y, title, label):
    series = []
    keys = ["coupling", "name"] if "name" in rows_[0] else ["coupling"]
    for each in group([row for row in rows_ if row["coupling"] != "exact"], *keys):
        points = sorted((x(row), y(row)) for row in each if x(row) is not None and y(row) is not None)
        if points:
            series.append({"name": " ".join(word for word in (each[0]["coupling"], each[0].get("name")) if word),
                           "x": [a for a, _ in points], "y": [b for _, b in points]})
    return {"title": title, "x": label[0], "y": label[1], "series": series}


def first_of(row, key):
    values = numbers(row, key)
    return values[0] if values else None


def lateness(row):
    return first_of(row, "steps_late")


def percent(row):
    return 100 * number(row, "accuracy")


def pictures(found):
    panels = []
    if "asynchrony-late" in found:
        rows_ = [row for row in found["asynchrony-late"] if row["coupling"] != "local"]
        panels += [lines(rows_, lateness, percent, "Lateness", ("steps late, measured", "test accuracy, %")),
                   lines(rows_, lateness, lambda row: first_of(row, "cosine"), "The same, the guess",
                         ("steps late, measured", "cosine with the true gradient"))]
    if "asynchrony-skipped" in found:
        panels.append(lines(found["asynchrony-skipped"], lambda row: number(row, "share"), percent, "Skipped updates",
                            ("share of steps with an update", "test accuracy, %")))
    return {"asynchrony": {"title": "Accuracy where modules do not wait", "panels": panels}} if panels else {}


# ---- report ----------------------------------------------------------------------------------------------------------


def accuracy_cell(row):
    if not row:
        return "-"
    sd = number(row, "accuracy_spread")
    return f"{percent(row):.2f}" + (f" +- {100 * sd:.2f}" if sd is not None else "")


def commit_of(row):
    return row["commit"].split()[0][:12]


def exact_of(rows_):
    return next((row for row in rows_ if row["coupling"] == "exact"), None)


def late_report(rows_):
    exact = exact_of(rows_)
    setup = f"""**Lateness.** Two modules on emulated devices, the upper one's three times as slow and with more layers,
so that the queue between them (`--queue`) fills, and targets come about as many steps late as it is long; each epoch
begins with an empty one. {rows_[0]['epochs']} epochs of {rows_[0]['samples']} pictures of Fashion-MNIST, batch 64, Adam
1e-3, cosine; seeds {rows_[0]['seeds']}. A cell: test accuracy in percent, and in brackets steps late (measured, mean of
the last epoch) and the cosine with the true gradient, both at the end. Back-propagation on the same modules:
{accuracy_cell(exact)}."""
    of = {(row["name"], row["coupling"], int(row["queue"])): row for row in rows_}
    queues = sorted({int(row["queue"]) for row in rows_})

    def cell(row):
        if not row:
            return "-"
        return f"{accuracy_cell(row)} ({show(lateness(row), '.1f')}, {show(first_of(row, 'cosine'))})"
    body = [[f"`{each[0]['coupling']}`" + (f", {each[0]['name']}" if each[0]["name"] else ""),
             *(cell(of.get((each[0]["name"], each[0]["coupling"], q))) for q in queues), commit_of(each[0])]
            for each in group([row for row in rows_ if row["coupling"] != "exact"], "name", "coupling")]
    return [setup, table(["coupling", *(f"queue {q}" for q in queues), "commit"], body), late_verdict(rows_, exact)]


def late_verdict(rows_, exact):
    guesses = [row for row in rows_ if row["coupling"].startswith(("csg", "sg"))]
    parts = []
    for each in group([row for row in guesses if not row["name"]], "coupling"):
        low, high = min(each, key=lateness), max(each, key=lateness)
        if low is not high:
            parts.append(f"`{low['coupling']}` changes by {percent(high) - percent(low):+.2f} points from "
                         f"{lateness(low):.1f} to {lateness(high):.1f} steps late")
    out = "; ".join(parts) + ". " if parts else ""
    near = [row for row in guesses if exact and number(row, "accuracy") >= number(exact, "accuracy") - POINT]
    latest = max(near, key=lateness, default=None)
    if latest:
        return out + f"The latest guess within a point of back-propagation is `{latest['coupling']}` with targets " \
                     f"{lateness(latest):.1f} steps late."
    return out + ("No guess ends within a point of back-propagation." if exact else "")


def skipped_report(rows_):
    exact = exact_of(rows_)
    setup = f"""**Skipped updates.** 784-...-10 with a cut after each of three hidden layers; a module updates in a
share *p* of the steps, drawn anew for each, and else goes forward only. Claimed of a net of four layers on MNIST: with
cDNI even p = 0.05 trains well (*recalled*); one reproduction has 96.95 % with p = 0.2 against 97.64 % by
back-propagation (*read*). Test accuracy on Fashion-MNIST in percent, seeds {rows_[0]['seeds']}; back-propagation:
{accuracy_cell(exact)}."""
    of = {(row["coupling"], float(row["share"])): row for row in rows_}
    shares = sorted({float(row["share"]) for row in rows_}, reverse=True)
    names = [word for word in dict.fromkeys(row["coupling"] for row in rows_) if word != "exact"]
    body = [[f"`{word}`", *(accuracy_cell(of.get((word, share))) for share in shares),
             commit_of(next(row for row in rows_ if row["coupling"] == word))] for word in names]
    parts = []
    for word in names:
        full, least = of.get((word, shares[0])), of.get((word, shares[-1]))
        if full and least and shares[0] != shares[-1]:
            parts.append(f"`{word}` {percent(least) - percent(full):+.2f}")
    verdict = [f"In as many steps, what p = {shares[-1]:g} gives over p = {shares[0]:g} is, in points: "
               f"{listed(parts)}. "
               "These runs have as many times fewer updates, while the published ones had 500,000 steps to make up for "
               "that."] if parts else []
    return [setup, table(["coupling", *(f"p = {share:g}" for share in shares), "commit"], body), *verdict]


def speeds_report(rows_):
    setup = f"""**Unequal devices, a slow worker.** Eight hidden layers in four modules on emulated devices, cut evenly
(two layers each, the devices in their order) or where `clutch plan` puts them; *slowness* by device. A cell: test
accuracy in percent, steps per second over locked training of the same modules, and steps late at each cut. Seeds
{rows_[0]['seeds']}."""
    body = []
    names = [word for word in FREE if word != "exact"]
    for each in group(rows_, "name", "slow", "place"):
        of = {row["coupling"]: row for row in each}

        def cell(row):
            if not row:
                return "-"
            late = " ".join(show(v, ".1f") for v in numbers(row, "steps_late"))
            return f"{accuracy_cell(row)}; {show(number(row, 'x_locked'))}; {late}"
        body.append([each[0]["name"], each[0]["slow"], each[0]["place"], accuracy_cell(of.get("exact")),
                     *(cell(of.get(word)) for word in names), commit_of(each[0])])
    return [setup, table(["devices", "slowness", "cut", "`exact`", *(f"`{word}`" for word in names), "commit"], body),
            speeds_verdict(rows_)]


def speeds_verdict(rows_):
    out = []
    for word in [word for word in FREE if word != "exact"]:
        mine = [row for row in rows_ if row["coupling"] == word]
        if not mine:
            continue
        low, high = min(mine, key=percent), max(mine, key=percent)
        out.append(f"`{word}` ends between {percent(low):.2f} ({low['slow']}, {low['place']}) and {percent(high):.2f} "
                   f"({high['slow']}, {high['place']})")
    gains = []
    for each in group([row for row in rows_ if row["coupling"] == "csg"], "name", "slow"):
        of = {row["place"]: number(row, "steps_per_second") for row in each}
        if len(of) == 2:
            gains.append(f"{of['planned'] / of['even']:.2f} ({each[0]['slow']})")
    text = "; ".join(out) + "."
    if gains:
        text += " Where the plan puts cuts and devices, `csg` does so many times the steps per second of even cuts: " \
                f"{listed(gains)}."
    return text


def report(found):
    out = []
    for name, write in (("asynchrony-late", late_report), ("asynchrony-skipped", skipped_report),
                        ("asynchrony-speeds", speeds_report)):
        if name in found:
            out += write(found[name])
    return out
