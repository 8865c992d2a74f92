"""Finds the settings with which PyTorch trains a net fastest here, by short runs.

One setting after the other is tried on top of the best so far, threads and waiting a second time at the end; the best
three then run against each other, taking turns. Of what does not run (torch.compile without a compiler, say) the reason
is kept.
"""
import statistics

import train
from common import Problem, say

START = {"threads": None, "wait": None, "spin": None, "bind": None, "adam": "plain", "mode": "eager"}
FINALISTS, FINAL_ROUNDS = 3, 3


def stages(threads):
    """Each a list of changes to try on the best so far."""
    pool = [{"threads": n, "wait": w, "spin": None} for n in sorted({1, threads}) for w in (None, "passive", "active")]
    return [
        pool,
        [{"adam": "foreach"}, {"adam": "fused"}],
        [{"wait": None, "spin": "1000"}, {"wait": None, "spin": "100000"}],
        [{"bind": "true"}],
        [{"mode": "compile"}, {"mode": "compile-all"}, {"mode": "compile-all", "adam": "foreach"}],
        pool,
    ]


def quick_stages(threads):
    return [[{"threads": n, "wait": "passive"} for n in sorted({1, threads})]]


def words(s):
    """Settings as a text; what is at its default is not named."""
    shown = {"threads": "threads", "wait": "OMP_WAIT_POLICY", "spin": "GOMP_SPINCOUNT", "bind": "OMP_PROC_BIND",
             "adam": "adam", "mode": "mode"}
    return " ".join(f"{shown[k]}={s[k]}" for k in shown if s[k] is not None)


def best_settings(net, name, python, job, threads, env, out, quick):
    """The settings and their text; every try is a row of `out`."""
    # full batches only, some tenths of a second an epoch
    short = {**net, "epochs": 2 if quick else 5}
    job = {**job, "limit": net["batch"] * (5 if quick else 100 if name == "A" else 20)}
    tried = {}

    def probe(s, stage):
        try:
            got = train.speed(train.torch(python, short, job, 1, s, env, evaluate=False, timeout=600))
            say(f"probe: net {name}, {words(s)}: {got:.0f} samples/s")
            out.add({"net": name, "stage": stage, "settings": words(s), "samples_per_second": got, "problem": ""})
        except Problem as problem:
            got = 0
            say(f"probe: net {name}, {words(s)} does not run: {problem}")
            out.add({"net": name, "stage": stage, "settings": words(s), "samples_per_second": 0,
                     "problem": str(problem)})
        return got

    best = {**START, "threads": threads}
    for number, stage in enumerate((quick_stages if quick else stages)(threads), 1):
        for change in stage:
            s = {**best, **change}
            key = words(s)
            if key not in tried:
                tried[key] = (probe(s, str(number)), s)
        best = max(tried.values(), key=lambda t: t[0])[1]
    last = [s for _, s in sorted(tried.values(), key=lambda t: -t[0])[:1 if quick else FINALISTS]]
    if not quick:
        got = {words(s): [] for s in last}
        for _ in range(FINAL_ROUNDS):
            for s in last:
                got[words(s)].append(probe(s, "final"))
        best = max(last, key=lambda s: statistics.median(got[words(s)]))
    if tried[words(best)][0] == 0:
        raise Problem(f"PyTorch trains net {name} with no setting; build/bench/raw/probe.jsonl says why")
    return best, words(best)
