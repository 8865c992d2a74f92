"""What the tables of bench/papers share: commands that run once, rows with their facts, CSV files, Markdown.

`o` is what run.py was asked for: o.quick, o.seeds (None: the table's own), o.device, o.real, o.mnist, and o.bench, the
Bench, which tells what this clutch knows (o.bench.knows("vir")). A table is a module of this folder with
    TITLE       its heading
    jobs(o)     the Jobs that it wants, the most important first
    rows(job, result) -> list of dicts: what one job measured; the facts of where and when are added
    tables(rows) -> {name: rows}: what becomes name.csv, usually summarised over seeds (see `group` and `merge`)
    pictures(tables) -> {name: what draw.py draws}
    report(tables) -> list of paragraphs of Markdown; all its figures come from rows of the CSV files, read as text
    FILES       the names of its CSV files
"""
import csv
import hashlib
import json
import os
import re
import subprocess
import tempfile
import textwrap
import time
from dataclasses import dataclass, field

from common import CLUTCH, ROOT, WORK, Problem, facts, find_device, run, rows_of, say, thread_env

HERE = os.path.join(WORK, "papers")
RAW = os.path.join(HERE, "raw")
FACTS = ("mode", "device", "driver", "cpu", "cores", "commit", "date", "seeds", "command")


@dataclass(frozen=True)
class Job:
    """A command that is run once. `words` begin with the program, "clutch" or "torch", and name data as `data` does;
    `about` is for the table alone, and no part of what was run. `alone`: it takes real time, which what runs beside it
    would disturb (not so with emulated devices, whose clocks are their own, and in lockstep). `after`, of `clutch
    train`: called with the run folder, it gives one object more."""
    words: tuple
    data: str = "fashion-mnist"
    seed: int = 1
    alone: bool = field(default=False, compare=False)
    about: dict = field(default_factory=dict, compare=False)
    after: object = field(default=None, compare=False)

    def shown(self):
        """As a user would type it."""
        words = ["bench/torch_train.py" if word == "torch" else word for word in self.words]
        return " ".join(f"'{word}'" if set(word) & set(' ;"') else word for word in words)

    def brief(self):
        """The same in a line: the net, which is long, cut short."""
        words = (word if len(word) < 80 else word[:30] + "..." + word[-30:] for word in self.words)
        return Job(tuple(words)).shown()

    def key(self):
        """Its name among kept results: by the command alone, so that a later version finds it too."""
        return hashlib.sha256(json.dumps(self.words).encode()).hexdigest()[:16]


def clutch_job(command, net, *words, data="fashion-mnist", seed=1, alone=False, after=None, **about):
    """`clutch compare` or `clutch train` of one seed; its result is the list of JSON objects that it prints."""
    seeds = "--seeds" if command == "compare" else "--seed"
    return Job(("clutch", command, net, "--data", data, *words, seeds, str(seed), "--json"), data, seed, alone,
               about, after)


def torch_job(options, data="fashion-mnist", seed=1, **about):
    """bench/torch_train.py with options, but for the data."""
    return Job(("torch", json.dumps({**options, "seed": seed}, sort_keys=True), data), data, seed, True, about)


# ---- running ---------------------------------------------------------------------------------------------------------


class Bench:
    """Runs jobs and keeps what they gave, in build/bench/papers/raw, also when the bench is stopped."""

    def __init__(self, device="0:0", mnist=None, raw=RAW):
        self.device, self.mnist, self.raw = device, mnist, raw
        self.pythons = []  # the one that has PyTorch, or None, once it was looked for
        self.facts = None
        self.known = {}

    def find_python(self, install):
        """A Python that has PyTorch; None: there is none."""
        if not self.pythons:
            self.pythons.append(torch_python(install))
            if not self.pythons[0]:
                say("bench: no PyTorch here; its rows stay empty")
        return self.pythons[0]

    def about(self):
        if not self.facts:
            self.facts = facts(find_device(self.device), os.cpu_count())
        return {key: self.facts[key] for key in FACTS if key in self.facts}

    def data(self, name):
        if os.sep in name:  # below the repository, wherever we are started
            return os.path.join(ROOT, name)
        return self.mnist if name == "mnist" and self.mnist else name

    def kept(self, job):
        """What the job gave when it ran; None: it did not."""
        try:
            with open(os.path.join(self.raw, job.key() + ".json"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def run(self, job):
        """The same, running it now."""
        start = time.monotonic()
        lines = self.torch(job) if job.words[0] == "torch" else self.clutch(job)
        result = {"command": job.shown(), "about": self.about(), "seconds": time.monotonic() - start, "lines": lines}
        os.makedirs(self.raw, exist_ok=True)
        path = os.path.join(self.raw, job.key() + ".json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(result, file)
        os.replace(path + ".new", path)
        return result

    def clutch(self, job):
        words = [self.data(job.data) if word == job.data else word for word in job.words[1:]]
        with tempfile.TemporaryDirectory(prefix="clutch-papers-") as folder:
            more = ["--draw-every", "0", "--out", os.path.join(folder, "run")] if words[0] == "train" else []
            lines = rows_of(run([CLUTCH, *words, *more]))
            return [*lines, job.after(os.path.join(folder, "run"))] if job.after else lines

    def torch(self, job):
        from prepare import data as find_data  # what it needs is not needed otherwise
        options = {**json.loads(job.words[1]), "data": find_data(self.data(job.data))}
        script = os.path.join(ROOT, "bench", "torch_train.py")
        env = {**thread_env(options["threads"]), **({"OMP_WAIT_POLICY": options["wait"]} if options["wait"] else {})}
        return rows_of(run([self.pythons[0], script, json.dumps(options)], env=env))

    def knows(self, coupling):
        """Whether this version of clutch has that row in `compare`."""
        if coupling not in self.known:
            done = subprocess.run([CLUTCH, "compare", "input 1x28x28; dense 10; loss softmax", "--couplings", coupling,
                                   "--data", "/dev/null/none"], capture_output=True, text=True, check=False)
            self.known[coupling] = "--couplings" not in done.stderr
        return self.known[coupling]


def torch_python(install):
    """A Python that has PyTorch: BENCH_PYTHON, or ours below build/bench, after a download where `install`. None where
    there is none. Not the system's: Debian's PyTorch may have nothing but the reference BLAS to compute with."""
    import prepare
    given = os.environ.get("BENCH_PYTHON") or os.path.join(WORK, "venv", "bin", "python")
    try:
        return prepare.python() if install or has(given, "torch") else None
    except Problem as problem:
        say(f"bench: {problem}")
        return None


def has_data(name, mnist):
    """Whether that set is here: installed, or MNIST in a folder that was named."""
    import prepare
    return (name == "mnist" and bool(mnist)) or any(os.path.isdir(os.path.join(home, name)) for home in
                                                    prepare.DATA_HOMES)


def has(program, module):
    try:
        return subprocess.run([program, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


# ---- rows ------------------------------------------------------------------------------------------------------------


def with_facts(rows, job, result, mode):
    """Each row, with what it was measured on, when, and by which command."""
    about = {"mode": mode, **result["about"], "seeds": job.seed, "command": result["command"]}
    return [{**row, **about} for row in rows]


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def spread(values):
    """Sample standard deviation; None of one."""
    values = [v for v in values if v is not None]
    if len(values) < 2:
        return None
    middle = mean(values)
    return (sum((v - middle) ** 2 for v in values) / (len(values) - 1)) ** 0.5


def median(values):
    values = sorted(v for v in values if v is not None)
    n = len(values)
    return (values[(n - 1) // 2] + values[n // 2]) / 2 if n else None


def group(rows, *keys):
    """[(rows that agree in these keys)], in the order in which they first come."""
    found = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(found.values())


def merge(rows):
    """The facts of a row that stands for several seeds: the first one's, all seeds, and every commit."""
    first = min(rows, key=lambda row: row["seeds"])
    seeds = sorted({row["seeds"] for row in rows})
    commits = sorted({row["commit"] for row in rows})
    return {**{key: first[key] for key in FACTS}, "commit": " ".join(commits),
            "seeds": " ".join(str(seed) for seed in seeds)}


def number(row, key):
    """Of a row of a CSV file: its value as a number, None where it has none."""
    try:
        return float(row[key])
    except (KeyError, TypeError, ValueError):
        return None


def numbers(row, key):
    """Several in one field; None where one has no value."""
    return [None if word == "-" else float(word) for word in (row.get(key) or "").split()]


def several(values, digits=4):
    """What `numbers` reads."""
    return " ".join("-" if v is None else f"{v:.{digits}g}" for v in values)


# ---- CSV -------------------------------------------------------------------------------------------------------------


def cell(value):
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value


def write_csv(path, rows):
    """Columns in the order of the first row, facts last."""
    names = [key for key in rows[0] if key not in FACTS] + list(FACTS)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        out.writerows([cell(row.get(name)) for name in names] for row in rows)
    os.replace(path + ".new", path)


def read_csv(path):
    """[] where there is none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        return []


# ---- Markdown --------------------------------------------------------------------------------------------------------


def show(value, form=".2f", none="-"):
    return none if value is None else format(value, form)


def table(head, rows):
    """A Markdown table of cells that are text."""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] +
                     ["| " + " | ".join(str(value) for value in row) + " |" for row in rows])


def listed(words):
    """a, b and c"""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else "none"


def commands(rows):
    """The commands of rows, folded away: those that differ in their coupling alone are one."""
    found = {}
    for each in group(rows, "command"):
        command = each[0]["command"]
        couple = re.search(r" --couple ('[^']*'|[^ ]+)", command)
        shape = command[:couple.start(1)] + "COUPLING" + command[couple.end(1):] if couple else command
        words, commits = found.setdefault(shape, ([], []))
        words += [couple.group(1)] if couple else []
        commits += [commit[:12] for row in each for commit in row["commit"].split()]
    lines = [f"- `{shape}`" + (f" with COUPLING {', '.join(f'`{word}`' for word in words)}" if words else "") +
             f"; commit {', '.join(sorted(set(commits)))}" for shape, (words, commits) in found.items()]
    return "\n".join(["<details><summary>Commands, with the first of their seeds</summary>", "", *lines, "",
                      "</details>"])


def paragraph(text):
    """Lines of 120 columns, where it is running text."""
    return text if text[0] in "|<!#-" else textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)
