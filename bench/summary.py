"""Tables and CSV files from the rows that the benches left: python3 bench/summary.py RAW_FOLDER OUT_FOLDER.

RAW_FOLDER holds peak, gemm, probe and train.jsonl, or some of them; each begins with the facts of the machine. In a CSV
what was measured comes first, then those facts.
"""
import csv
import math
import os
import statistics
import sys
import textwrap

from common import rows_of

# the best marks of other OpenCL trainers that we know of, samples/s by net: dlprimitives with three repairs, on MNIST,
# PoCL 3.1, two cores of an AMD EPYC
ELSEWHERE = {"A": 26500, "B": 3530}
SMALL_US = 100  # a product that takes less is shown beside what a launch costs
PEAKS = {"peak": (("gflops", "multiply-add", "GFLOP/s"), ("gbytes", "copy", "GB/s")),
         "launch": (("us", "launch in a row", "us"), ("waited_us", "launch, waited for", "us"))}


def read(folder, name):
    """(facts, rows) of a file, or None; versions that only rows know go to the facts."""
    path = os.path.join(folder, name + ".jsonl")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        facts, *rows = rows_of(file.read())
    for row in rows:
        facts.update({k: row[k] for k in ("torch", "openblas") if k in row})
    return (facts, rows) if rows else None


def write_csv(folder, name, rows, facts):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".csv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*rows[0], *facts])
        for row in rows:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in (*row.values(), *facts.values())])
    return path


def group(rows, *keys):
    """Rows by the values of the keys, in the order in which they first came."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    return groups


def spread(values):
    """Standard deviation from run to run; NaN where there is one run, or where a value is no number."""
    return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan


def table(lines, left=(0,)):
    """Rows of texts as columns, to the right but for those in `left`."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(t.ljust(w) if i in left else t.rjust(w) for i, (t, w) in enumerate(zip(line, widths))).rstrip())


# ---- peaks -----------------------------------------------------------------------------------------------------------


def peaks(rows):
    out = []
    for what, parts in PEAKS.items():
        for key, name, unit in parts:
            mine = [r for r in rows if r["bench"] == what]
            if mine:
                best = (min if unit == "us" else max)(r[key + "_best"] for r in mine)
                out.append({"what": name, "unit": unit, "best": best, "rounds": len(mine),
                            "median": statistics.median(r[key + "_median"] for r in mine)})
    return out


def show_peaks(rows):
    print("\nWhat the device does at most")
    table([["", "best", "median", ""]] + [[r["what"], f"{r['best']:.2f}", f"{r['median']:.2f}", r["unit"]]
                                          for r in rows], left=(0, 3))


# ---- products --------------------------------------------------------------------------------------------------------


def gemm(rows, peak_rows):
    """A row a shape, form and provider: best and median over the rounds, and what they are beside OpenBLAS."""
    peak = max([r["peak_gflops"] for r in rows if "peak_gflops" in r] +
               [r["gflops_best"] for r in peak_rows if r["bench"] == "peak"], default=math.nan)
    launch = min((r["us_best"] for r in peak_rows if r["bench"] == "launch"), default=math.nan)
    out = []
    for (m, n, k, form), of_shape in group(rows, "M", "N", "K", "form").items():
        blas = [r for r in of_shape if r["provider"] == "openblas"]
        for (provider,), mine in group(of_shape, "provider").items():
            best, median = best_of(mine), median_of(mine)
            out.append({"M": m, "N": n, "K": k, "form": form, "provider": provider, "gflops_best": best,
                        "gflops_median": median, "us_best": 2e-3 * m * n * k / best, "launch_us": launch,
                        "peak_gflops": peak, "of_peak": best / peak,
                        "of_openblas_best": best / best_of(blas) if blas else math.nan,
                        "of_openblas_median": median / median_of(blas) if blas else math.nan, "rounds": len(mine)})
    return out


def best_of(rows):
    return max(r["gflops_best"] for r in rows)


def median_of(rows):
    return statistics.median(r["gflops_median"] for r in rows)


def show_gemm(rows, facts):
    names = list(group(rows, "provider"))
    print(f"\nProducts, GFLOP/s, best (median), {facts['threads']} threads; behind it the share of OpenBLAS's, by best")
    lines = [["MxNxK  form"] + [t for (n,) in names for t in (n, "")] + ["of peak", "us", "launch us"]]
    for (m, n, k, form), mine in group(rows, "M", "N", "K", "form").items():
        by_name = {r["provider"]: r for r in mine}
        line = [f"{m}x{n}x{k}  {form}"]
        for (name,) in names:
            r = by_name.get(name)
            line += [f"{r['gflops_best']:.1f} ({r['gflops_median']:.1f})" if r else "-",
                     f"{r['of_openblas_best']:.2f}" if r and name != "openblas" else ""]
        ours = [r for r in mine if r["provider"] != "openblas"] or mine
        top = max(ours, key=lambda r: r["gflops_best"])
        small = top["us_best"] < SMALL_US
        lines.append(line + [f"{100 * top['of_peak']:.0f} %", f"{top['us_best']:.1f}",
                             f"{top['launch_us']:.1f}" if small else ""])
    table(lines)
    print(f"of peak, us: of clutch's fastest; the peak is {rows[0]['peak_gflops']:.1f} GFLOP/s, multiply-adds in a row")
    for (name,) in names:
        shares = [r["of_openblas_best"] for r in rows if r["provider"] == name]
        if name != "openblas" and not any(math.isnan(s) for s in shares):
            print(f"{name}: {statistics.geometric_mean(shares):.2f} of OpenBLAS, geometric mean of {len(shares)}")


# ---- training --------------------------------------------------------------------------------------------------------


def train(rows):
    keys = ("net", "sizes", "batch", "program", "seed", "epoch", "samples_per_second", "train_loss", "test_loss",
            "test_accuracy", "settings")
    return [{k: row[k] for k in keys} for row in rows]


def speeds(rows):
    """Samples a second of each run, over all its epochs after the first."""
    runs = group(rows, "seed").values()
    later = [[r for r in run if r["epoch"] > 1] or run for run in runs]
    return [len(run) / sum(1 / r["samples_per_second"] for r in run) for run in later]


def show_speed(net, clutch, torch):
    fast = {"clutch": speeds(clutch), "PyTorch": speeds(torch)}
    base = fast["PyTorch"]
    lines = [["samples/s", "best", "of PyTorch", "median", "of PyTorch", ""]]
    for name, rows in (("clutch", clutch), ("PyTorch", torch)):
        best, median = max(fast[name]), statistics.median(fast[name])
        lines.append([name, f"{best:.0f}", f"{best / max(base):.2f}", f"{median:.0f}",
                      f"{median / statistics.median(base):.2f}", rows[0]["settings"]])
    if net in ELSEWHERE:
        best, median = max(fast["clutch"]), statistics.median(fast["clutch"])
        lines.append(["other OpenCL", f"{ELSEWHERE[net]}", "", "", "",
                      f"measured elsewhere; clutch here: {best / ELSEWHERE[net]:.2f} times that, "
                      f"median {median / ELSEWHERE[net]:.2f}"])
    table(lines, left=(0, 5))


def compare(clutch, torch):
    """A tuple an epoch: means of the training loss, their difference, and the spread to measure it by: the standard
    deviation, from seed to seed, of the difference of one run of each."""
    ours, theirs = group(clutch, "epoch"), group(torch, "epoch")
    for epoch in sorted(set(ours) & set(theirs)):
        a, b = ([r["train_loss"] for r in side[epoch]] for side in (ours, theirs))
        yield epoch[0], statistics.mean(a), statistics.mean(b), math.hypot(spread(a), spread(b))


def show_losses(clutch, torch):
    lines, apart = [["training loss, epoch", "clutch", "PyTorch", "difference", "spread"]], []
    for epoch, ours, theirs, wide in compare(clutch, torch):
        lines.append([str(epoch), f"{ours:.4f}", f"{theirs:.4f}", f"{ours - theirs:+.4f}",
                      "-" if math.isnan(wide) else f"{wide:.4f}"])
        if not abs(ours - theirs) <= wide:  # NaN is apart
            apart.append(str(epoch))
    table(lines)
    seeds = len(group(clutch, "seed"))
    if seeds < 2 or len(group(torch, "seed")) < 2:
        print("loss curves: one seed has no spread, so nothing can be said")
    elif apart:
        print(f"loss curves differ: the means over {seeds} seeds are further apart than the spread in epochs "
              f"{', '.join(apart)}")
    else:
        print(f"loss curves agree: in every epoch the means over {seeds} seeds differ by no more than the spread")


def show_accuracy(clutch, torch):
    last = max(r["epoch"] for r in clutch)
    parts = []
    for name, rows in (("clutch", clutch), ("PyTorch", torch)):
        values = [r["test_accuracy"] for r in rows if r["epoch"] == last]
        wide = f" (spread {spread(values):.4f})" if len(values) > 1 else ""
        parts.append(f"{name} {statistics.mean(values):.4f}{wide}" if values else f"{name} -")
    print(f"test accuracy after {last} epochs: {', '.join(parts)}")


def show_train(rows, facts):
    for (net, sizes, batch), mine in group(rows, "net", "sizes", "batch").items():
        print(f"\nTraining net {net}: {sizes}, ReLU, Adam 0.001, batch {batch}; {facts['data']}, {facts['samples']} "
              f"samples; {facts['threads']} threads")
        clutch, torch = ([r for r in mine if r["program"] == name] for name in ("clutch", "pytorch"))
        if not clutch or not torch:
            print("only one program's runs are here: nothing to compare")
            continue
        show_speed(net, clutch, torch)
        show_losses(clutch, torch)
        show_accuracy(clutch, torch)


# ---- all -------------------------------------------------------------------------------------------------------------


def summarise(raw, out):
    files = {name: read(raw, name) for name in ("peak", "gemm", "probe", "train")}
    written, about = [], {}
    for facts, _ in filter(None, files.values()):
        about.update({k: v for k, v in facts.items() if v != "-"})
    print(textwrap.fill("; ".join(f"{k} {v}" for k, v in about.items()), 120, break_on_hyphens=False))
    for name, loaded in files.items():
        if not loaded:
            continue
        facts, rows = loaded
        if name == "peak":
            rows = peaks(rows)
            show_peaks(rows)
        elif name == "gemm":
            rows = gemm(rows, files["peak"][1] if files["peak"] else [])
            show_gemm(rows, facts)
        elif name == "train":
            rows = train(rows)
            show_train(rows, facts)
        written.append(write_csv(out, name, rows, facts))
    print("\nwritten:", " ".join(written) or "nothing")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: summary.py RAW_FOLDER OUT_FOLDER")
    summarise(sys.argv[1], sys.argv[2])
