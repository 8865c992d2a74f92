"""Training: clutch and PyTorch take turns, a seed a round, over the same data, nets, optimiser and epochs."""
import json
import os

from common import CLUTCH, ROOT, WORK, rows_of, run, say

NETS = {
    "A": {"sizes": [784, 256, 256, 10], "batch": 128, "epochs": 10},
    "B": {"sizes": [784, 1024, 1024, 1024, 10], "batch": 256, "epochs": 5},
}


def label(net):
    return "-".join(str(n) for n in net["sizes"])


def net_text(sizes):
    inner = "; ".join(f"dense {n}; relu" for n in sizes[1:-1])
    return f"input 1x28x28; {inner}; dense {sizes[-1]}; loss softmax"


def clutch(net, job, seed, device, env):
    """The lines of metrics.jsonl of one run, and what it ran on."""
    folder = os.path.join(WORK, "runs", f"{job['name']}-{seed}")
    run([CLUTCH, "train", net_text(net["sizes"]), "--data", job["data"], "--epochs", str(net["epochs"]),
         "--batch", str(net["batch"]), "--optimizer", "adam", "--lr", "0.001", "--weight-decay", "0", "--schedule",
         "none", "--seed", str(seed), "--limit", str(job["limit"]), "--devices", device, "--out", folder, "--force",
         "--draw-every", "0", "--json"], env)
    with open(os.path.join(folder, "metrics.jsonl"), encoding="utf-8") as file:
        rows = rows_of(file.read())
    with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
        module = json.load(file)["modules"][0]
    words = "; ".join(["gemm=" + module["gemm"]] + ([module["tuning"]] if "tuning" in module else []))
    return [{**row, "settings": words} for row in rows]


def settings_env(s, env):
    """The environment that torch settings mean; names that are not set are left to the libraries' defaults."""
    names = {"wait": "OMP_WAIT_POLICY", "spin": "GOMP_SPINCOUNT", "bind": "OMP_PROC_BIND"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(s["threads"]))
    cache = {"TORCHINDUCTOR_CACHE_DIR": os.path.join(WORK, "inductor")}
    return {**env, **threads, **cache, **{names[k]: s[k] for k in names if s[k] is not None}}


def torch(python, net, job, seed, s, env, evaluate=True, timeout=1800):
    """An epoch a row, as clutch()."""
    options = {"sizes": net["sizes"], "batch": net["batch"], "epochs": net["epochs"], "seed": seed,
               "data": job["data"], "limit": job["limit"], "threads": s["threads"], "adam": s["adam"],
               "mode": s["mode"], "evaluate": evaluate}
    script = os.path.join(ROOT, "bench", "torch_train.py")
    return rows_of(run([python, script, json.dumps(options)], settings_env(s, env), timeout))


def speed(rows):
    """Samples a second over the epochs after the first, in which memory is touched and kernels are compiled."""
    later = rows[1:] or rows
    return len(later) / sum(1 / row["samples_per_second"] for row in later)


def measure(out, nets, choose, python, job, device, env, rounds):
    """`choose(net, name)` gives PyTorch's settings for a net and the text that says which."""
    for name, net in nets.items():
        s, words = choose(net, name)
        for seed in range(1, rounds + 1):
            turn = ["clutch", "pytorch"] if seed % 2 else ["pytorch", "clutch"]
            for program in turn:
                if program == "clutch":
                    rows = clutch(net, {**job, "name": name}, seed, device, env)
                else:
                    rows = [{**row, "settings": words} for row in torch(python, net, job, seed, s, env)]
                say(f"train: net {name}, seed {seed} of {rounds}, {program}: {speed(rows):.0f} samples/s")
                for row in rows:
                    out.add({"net": name, "sizes": label(net), "batch": net["batch"], "program": program,
                             "seed": seed, **row})
