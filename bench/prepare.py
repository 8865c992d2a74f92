"""Builds and installs what the benches need, all below build/bench/: programs, a Python with PyTorch, data."""
import os
import shlex
import shutil
import subprocess
import sys

from common import CLUTCH, ROOT, WORK, Problem, run, say

# where clutch looks for a known set, in this order
DATA_HOMES = (os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "clutch"),
              "/usr/share/datasets")


def loud(command, failure):
    """Runs what takes long, with all it says on stderr."""
    try:
        good = subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        good = False
    if not good:
        raise Problem(failure)


def clutch():
    jobs = str(os.cpu_count() or 1)
    loud(["make", "-s", "-C", ROOT, "-j", jobs], "clutch did not build; `make setup` installs what it needs")


def compile_c(name, packages, more=()):
    """build/bench/NAME from bench/NAME.c, unless it is there and newer."""
    program, source = os.path.join(WORK, name), os.path.join(ROOT, "bench", name + ".c")
    parts = [source, *(p for p in more if os.path.isfile(p))]
    if os.path.exists(program) and all(os.path.getmtime(p) <= os.path.getmtime(program) for p in parts):
        return program
    os.makedirs(WORK, exist_ok=True)
    flags = run(["pkg-config", "--cflags", "--libs", *packages]).split()
    warn = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-I" + os.path.join(ROOT, "include")]
    run([*shlex.split(os.environ.get("CC", "cc")), *warn, "-o", program, source, *more, *flags, "-lpthread", "-lm"])
    return program


def openblas():
    """The program that measures OpenBLAS. Debian's package is installed where it is missing."""
    if subprocess.run(["pkg-config", "--exists", "openblas"], check=False).returncode != 0:
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        say("installing libopenblas-dev")
        failure = "OpenBLAS is missing and cannot be installed here; on Debian, as root: apt install libopenblas-dev"
        loud([*sudo, "apt-get", "update", "-q"], failure)
        loud([*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", "libopenblas-dev"], failure)
    return compile_c("openblas", ["openblas"])


def python():
    """A Python that has PyTorch: BENCH_PYTHON, or a venv of our own with the current wheel. BENCH_PIP holds more
    options for pip, such as an index of CPU-only wheels, which are smaller."""
    given = os.environ.get("BENCH_PYTHON")
    ours = os.path.join(WORK, "venv", "bin", "python")
    if not given and not os.path.exists(os.path.join(WORK, "venv", "complete")):
        say("installing PyTorch into build/bench/venv: a download of up to some GB")
        shutil.rmtree(os.path.join(WORK, "venv"), ignore_errors=True)
        loud([sys.executable, "-m", "venv", os.path.join(WORK, "venv")],
             "python3 cannot make a venv; on Debian: apt install python3-venv")
        loud([ours, "-m", "pip", "install", "-q", *shlex.split(os.environ.get("BENCH_PIP", "")), "torch", "numpy"],
             "pip cannot install torch and numpy; or name a Python that has them in BENCH_PYTHON")
        with open(os.path.join(WORK, "venv", "complete"), "w", encoding="utf-8"):
            pass
    program = given or ours
    try:
        run([program, "-c", "import torch"], timeout=300)
    except Problem as problem:
        raise Problem(f"{program} has no PyTorch that works: {problem}", 2 if given else 1) from problem
    return program


def data(word):
    """The folder of IDX files that both programs read. Without `word` Fashion-MNIST, or where it is missing clutch's
    digits, which are then written out."""
    for home in DATA_HOMES:
        if os.path.isdir(os.path.join(home, word or "fashion-mnist")) and "/" not in (word or ""):
            return os.path.join(home, word or "fashion-mnist")
    if word and word != "digits":
        if not os.path.isdir(word):
            raise Problem(f"--data '{word}' is no folder; give one with IDX files, fashion-mnist, mnist or digits", 2)
        return os.path.abspath(word)
    if not word:
        say("Fashion-MNIST is not here (on Debian: apt install dataset-fashion-mnist); training on clutch's digits")
    libraries = ["OpenCL", "clblast", "libpng", "zlib", "jansson"]
    folder = os.path.join(WORK, "digits-data")
    run([compile_c("digits", libraries, [os.path.join(os.path.dirname(CLUTCH), "libclutch.a")]), folder])
    return folder
