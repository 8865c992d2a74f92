"""What `sh bench/run.sh` runs: options, then prepare, measure, summarise."""
import argparse
import os
import signal
import sys

import gemm
import prepare
import probe
import summary
import train
from common import ROOT, WORK, Problem, RowFile, facts, find_device, forget_settings, say, thread_env

WORDS = ("gemm", "train", "all")


def whole(word):
    if not (word.isdigit() and 1 <= int(word) <= 1000):
        raise argparse.ArgumentTypeError(f"'{word}' is no number from 1 to 1000")
    return int(word)


def read_options():
    p = argparse.ArgumentParser(prog="bench/run.sh", description="clutch beside OpenBLAS and PyTorch, on this machine")
    p.add_argument("what", nargs="*", metavar="gemm|train|all", help="default: all")
    p.add_argument("--quick", action="store_true", help="a smoke run of under a minute, into build/bench/quick")
    p.add_argument("--rounds", type=whole, metavar="N", help="turns a program gets, and seeds of training (5)")
    p.add_argument("--threads", type=whole, metavar="N", default=2, help="of every program (2)")
    p.add_argument("--epochs", type=whole, metavar="N", help="of training (net A 10, net B 5)")
    p.add_argument("--data", metavar="DATA", help="a folder with IDX files, fashion-mnist, mnist, digits "
                   "(fashion-mnist, else digits)")
    p.add_argument("--devices", metavar="SPEC", default="cpu", help="clutch's device (cpu); the others use the CPU")
    p.add_argument("--out", metavar="DIR", help="for the CSV files (bench/results)")
    o = p.parse_args()
    for word in o.what:
        if word not in WORDS:
            p.error(f"unknown bench '{word}'; known: {', '.join(WORDS)}")
    o.what = {"gemm", "train"} if not o.what or "all" in o.what else set(o.what)
    o.rounds = o.rounds or (1 if o.quick else 5)
    o.work = os.path.join(WORK, "quick") if o.quick else WORK
    o.out = o.out or (os.path.join(o.work, "results") if o.quick else os.path.join(ROOT, "bench", "results"))
    o.raw = os.path.join(o.work, "raw")
    return o


def nets(o):
    epochs = {"epochs": o.epochs} if o.epochs else {"epochs": 2} if o.quick else {}
    return {name: {**net, **epochs} for name, net in train.NETS.items()}


def run_gemm(o, about, device, env):
    openblas = prepare.openblas()
    gemm.measure(RowFile(o.raw, "gemm", about), RowFile(o.raw, "peak", about), openblas, device, env, o.rounds,
                 o.quick)


def run_train(o, about, device, env):
    job = {"data": prepare.data(o.data), "limit": 2000 if o.quick else 0}
    python = prepare.python()
    about = {**about, "data": os.path.basename(job["data"]), "samples": job["limit"] or "all"}
    probes = RowFile(o.raw, "probe", about)

    def choose(net, name):
        return probe.best_settings(net, name, python, job, o.threads, env, probes, o.quick)

    train.measure(RowFile(o.raw, "train", about), nets(o), choose, python, job, device, env, o.rounds)


def main():
    o = read_options()
    if os.getloadavg()[0] > 0.5:
        say(f"bench: this machine is busy (load {os.getloadavg()[0]:.1f}); figures will be disturbed")
    forget_settings()
    prepare.clutch()
    found = find_device(o.devices)
    about, env = facts(found, o.threads), thread_env(o.threads)
    for name in ("peak", "gemm", "probe", "train"):  # of an earlier run
        if os.path.exists(os.path.join(o.raw, name + ".jsonl")):
            os.remove(os.path.join(o.raw, name + ".jsonl"))
    if "gemm" in o.what:
        run_gemm(o, about, found["id"], env)
    if "train" in o.what:
        run_train(o, about, found["id"], env)
    summary.summarise(o.raw, o.out)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is running ends with us
    try:
        main()
    except Problem as problem:
        say(f"bench: {problem}")
        sys.exit(problem.code)
    except KeyboardInterrupt:
        sys.exit("bench: stopped; bench/README.md tells how to see what was measured")
