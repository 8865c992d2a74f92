"""What the benches share: folders, running programs, files of JSON lines, and what this machine is."""
import datetime
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "bench")
CLUTCH = os.environ.get("CLUTCH") or os.path.join(ROOT, "build", "clutch")


class Problem(Exception):
    """What ends a bench: one line for the user. `code` is the exit code, 2 for what the user can mend."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def say(*words):
    """Progress goes to stderr; stdout is for the tables."""
    print(*words, file=sys.stderr, flush=True)


def forget_settings():
    """What the user's shell says of threads must not decide what is measured."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY",
                 "KMP_AFFINITY", "OPENBLAS_CORETYPE", "CL_DIR"):
        os.environ.pop(name, None)


def thread_env(n):
    """Every library that a bench runs gets n threads; PoCL has had two names for it."""
    names = ("POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
             "MKL_NUM_THREADS")
    return {name: str(n) for name in names}


def run(command, env=None, timeout=1800):
    """Standard output of a program. Problem where it fails, with the last line of what it complained about."""
    try:
        done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Problem(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"{os.path.basename(command[0])} was stopped after {timeout} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Problem(f"{os.path.basename(command[0])} ended with {done.returncode}: {lines[-1]}",
                      2 if done.returncode == 2 else 1)
    return done.stdout


def rows_of(text):
    """The JSON objects of a text, one a line; other lines are passed over."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class RowFile:
    """A file of JSON lines that begins with the facts of this machine, so that it can be read on its own."""

    def __init__(self, folder, name, facts):
        os.makedirs(folder, exist_ok=True)
        self.file = open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8")
        self.add(facts)

    def add(self, row):
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()  # a stopped bench keeps what it measured


def first_line(command):
    try:
        return run(command, timeout=60).strip().splitlines()[0]
    except (Problem, IndexError):
        return "unknown"


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M).group(1)
    except (OSError, AttributeError):
        return "unknown"


def facts(device, threads):
    """Columns that stand in every row of every file: what was measured, by which versions, and when. `device` is what
    `clutch devices --json` says of it."""
    pocl = re.search(r"PoCL", device["version"])
    return {
        "device": f"{device['id']} {device['name']}", "driver": device["driver"], "cpu": cpu_model(),
        "cores": os.cpu_count(), "threads": threads, "clutch": first_line([CLUTCH, "--version"]).split()[-1],
        "commit": first_line(["git", "-C", ROOT, "rev-parse", "HEAD"]), "torch": "-", "openblas": "-",
        "clblast": first_line(["pkg-config", "--modversion", "clblast"]), "pocl": device["driver"] if pocl else "-",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def find_device(spec):
    """What clutch says of the first device that `spec` picks."""
    return rows_of(run([CLUTCH, "devices", "--devices", spec, "--json"]))[0]["devices"][0]
