#!/usr/bin/env python3
"""Mutation testing: breaks the code at random, a line at a time, and sees whether the tests notice.

    tests/mutate/mutate.py                      60 mutants of seed 1, over all floors in turn
    tests/mutate/mutate.py --count 20 --seed 7 --floor mx --floor nn
    tests/mutate/mutate.py --report             what is known so far

A scratch copy of the tree (--folder, default /tmp/clutch-mutate-SEED) is built once. A mutant is one changed line,
built on from there; what does not compile, or compiles to the same code, is drawn again. Then the tests that matter
for its file run, the fastest first, and the first failure kills it; one that hangs is killed as well. A test that
fails without a mutant, too, kills nothing: it is named, and the run ends. Each result is kept at once, so that a
stopped run goes on where it was. Which mutants come is decided by --seed, the sources and the tools.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

# What matters for a floor: test programs (build/tests/NAME), files of tests/cli behind them.
FLOORS = {
    "base": ["unit-base", "unit-files", "unit-show", "unit-threads", "unit-trust", "unit-run", "unit-store"],
    "ocl": ["unit-pick", "unit-ocl", "unit-emulate", "unit-ocl_cache", "kernel-chain_check", "unit-chain",
            "unit-chain_cache", "unit-chain_limits", "kernel-chains", "ocl.bats", "unit-train"],
    "mx": ["unit-tuning", "unit-tuning_faults", "kernel-elementwise", "kernel-losses", "kernel-reductions",
           "kernel-ridge",
           "kernel-prepare", "kernel-dense", "kernel-gemm", "kernel-twins", "kernel-peak", "unit-module"],
    "cl": ["kernel-elementwise", "kernel-losses", "kernel-reductions", "kernel-ridge", "kernel-dense", "kernel-gemm",
           "kernel-twins",
           "kernel-chain_check", "kernel-chains", "kernel-peak", "kernel-prepare", "unit-chain"],
    "nn": ["unit-nn", "unit-nn_cuts", "unit-module", "grad-layers", "grad-losses", "golden-mlp", "unit-train_model"],
    "sg": ["unit-sg_words", "unit-mailbox", "unit-sg", "unit-sg_ls", "unit-sg_local", "unit-sg_controls",
           "unit-team_dni"],
    "plan": ["unit-plan", "plan.bats", "kept.bats"],
    "data": ["unit-data", "unit-data_folder", "folders.bats"],
    "store": ["unit-store", "unit-run", "unit-pictures", "unit-pictures_apng", "unit-pictures_cards",
              "unit-pictures_lanes", "unit-pictures_matrices", "unit-pictures_panels", "unit-pictures_strip",
              "unit-pictures_tiles"],
    "train": ["unit-train_options", "unit-train", "unit-train_model", "unit-view", "unit-team", "unit-team_runs",
              "unit-team_pause", "golden-mlp"],
    "cmd": ["usage.bats"],
}
# Of a command's files: the first whose pattern is found in the name.
COMMANDS = [("draw", ["draw.bats"]), ("tune", ["tune.bats"]), ("compare", ["compare.bats"]),
            ("plan|cuts|modules|place", ["plan.bats", "kept.bats", "modules.bats"]),
            ("bench|measure|peak", ["bench.bats"]), ("predict|eval", ["train.bats", "folders.bats"]),
            ("devices", ["modules.bats", "plan.bats"]),
            ("", ["train.bats", "refused.bats"])]
TEST_SECONDS = 300
COPIED = ["src", "include", "cl", "tests", "assets", "Makefile"]

# ---- mutations -------------------------------------------------------------------------------------------------------

TURNED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-",
          "-": "+", "*": "/", "/": "*", "+=": "-=", "-=": "+=", "true": "false", "false": "true"}


def hide(line):
    """The line with what stands in quotes and comments made blanks."""
    blank = lambda m: " " * len(m.group())
    line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', blank, line)
    return re.sub(r"/\*.*?\*/|//.*|/\*.*", blank, line)


def closes(code, start):
    """Index behind the parenthesis that closes the one at `start`; None where it does not within the line."""
    depth = 0
    for i in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return None


def mutations(lines):
    """All mutations of a file: (line number from 0, what it is, new line)."""
    inside = comment = False
    for n, line in enumerate(lines):
        code = hide(line)
        if comment or re.match(r"\s*(/\*|\*)", line):
            comment = "*/" not in line
            continue
        if line.startswith("{"):
            inside = True
        elif line.startswith("}"):
            inside = False
        if not inside or line.lstrip().startswith("#"):
            continue
        yield from mutate_line(lines, n, line, code)


def mutate_line(lines, n, line, code):
    for m in re.finditer(r"(?<=\s)(<=|>=|==|!=|<|>|&&|\|\||\+=|-=|\+|-|\*|/)(?=\s)|\b(true|false)\b", code):
        word = m.group()
        yield n, f"{word} becomes {TURNED[word]}", line[:m.start()] + TURNED[word] + line[m.end():]
    for m in re.finditer(r"(?<![\w.])(\d+)(?![\w.])", code):
        v = int(m.group())
        for other in {v + 1, max(v - 1, 0)} - {v}:
            yield n, f"{v} becomes {other}", line[:m.start()] + str(other) + line[m.end():]
    m = re.search(r"\b(if|while) (\()", code)
    end = closes(code, m.start(2)) if m else None
    if end:
        inner = line[m.start(2):end]
        yield n, "condition negated", line[:m.start(2)] + f"(!{inner})" + line[end:]
        follows = code[end:] + (lines[n + 1] if n + 1 < len(lines) else "")
        if m.group(1) == "if" and "st_fail" in follows:
            yield n, "check dropped", line[:m.start(2)] + f"(false && {inner})" + line[end:]
    for m in re.finditer(r"\b\w+(\()(\w+), (\w+)\)", code):
        if m.group(2) != m.group(3):
            yield n, "arguments swapped", line[:m.start(2)] + f"{m.group(3)}, {m.group(2)}" + line[m.end(3):]
    m = re.search(r" \? ([\w.>-]+) : ([\w.>-]+)", code)
    if m:
        yield n, "choice swapped", line[:m.start()] + f" ? {m.group(2)} : {m.group(1)}" + line[m.end():]
    before = lines[n - 1].rstrip() if n else ""
    whole = re.match(r"(\s+)(TRY\(.*\);|[\w.>\[\]-]+ [-+*/|&]?= .*;|\w+\(.*\);|[\w.>\[\]-]+(\+\+|--);)\s*$", code)
    if whole and before.endswith((";", "{", "}", ":", ")", "*/")) or whole and not before:
        yield n, "statement removed", whole.group(1) + ";\n"


def draw(tree, floors, seed, index, attempt):
    """The mutant of that number: floors in turn, in each a line at random."""
    rng = random.Random(f"{seed}/{index}/{attempt}")
    floor = floors[index % len(floors)]
    pattern = "cl/*.cl" if floor == "cl" else f"src/{floor}/*.c"
    files = sorted(tree.glob(pattern))
    weights = [len(f.read_text().splitlines()) for f in files]
    file = rng.choices(files, weights)[0]
    lines = file.read_text().splitlines(keepends=True)
    by_line = {}
    for n, what, new in mutations(lines):
        by_line.setdefault(n, []).append((what, new))
    if not by_line:
        return None
    n = rng.choice(sorted(by_line))
    what, new = rng.choice(by_line[n])
    return {"index": index, "floor": floor, "file": str(file.relative_to(tree)), "line": n + 1, "what": what,
            "old": lines[n].rstrip("\n"), "new": new.rstrip("\n")}


# ---- building and testing --------------------------------------------------------------------------------------------

class Tree:
    def __init__(self, root, folder):
        self.root, self.folder, self.tree = root, folder, folder / "tree"
        self.results = folder / "results.jsonl"
        self.env = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), XDG_CONFIG_HOME=str(folder / "config"),
                        CLUTCH_TUNE="off", CMOCKA_MESSAGE_OUTPUT="TAP", CLUTCH=str(self.tree / "build/clutch"))
        self.sound = set()

    def prepare(self):
        """The scratch copy; one that is there is kept, with the last mutant taken out."""
        if not self.tree.exists():
            self.tree.mkdir(parents=True)
            for name in COPIED:
                source = self.root / name
                if source.is_dir():
                    shutil.copytree(source, self.tree / name, ignore=shutil.ignore_patterns("__pycache__"))
                elif source.exists():
                    shutil.copy2(source, self.tree / name)
        undo = self.folder / "undo.json"
        if undo.exists():
            kept = json.loads(undo.read_text())
            (self.tree / kept["file"]).write_text(kept["text"])
            undo.unlink()

    def tests_of(self, mutant):
        tests = list(FLOORS[mutant["floor"]])
        if mutant["floor"] == "cmd":
            tests = next(t for pattern, t in COMMANDS if re.search(pattern, Path(mutant["file"]).stem)) + tests
        return [t for t in tests if (self.tree / ("tests/cli" if t.endswith(".bats") else ".") / t).exists()
                or not t.endswith(".bats") and (self.tree / "tests" / (t.replace("-", "/", 1) + ".c")).exists()]

    def build(self, tests):
        programs = [f"build/tests/{t}" for t in tests if not t.endswith(".bats")]
        programs += ["build/clutch"] if any(t.endswith(".bats") for t in tests) else []
        return subprocess.run(["make", "-s", "CFLAGS=-O1", *programs], cwd=self.tree, env=self.env, timeout=1200,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def object_of(self, file):
        path = self.tree / "build" / ("kernels.c" if file.startswith("cl/") else "obj" + file[3:-2] + ".o")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def run(self, test):
        """None where it passes, else what failed."""
        command = ["bats", "--tap", f"tests/cli/{test}"] if test.endswith(".bats") else [f"build/tests/{test}"]
        child = subprocess.Popen(command, cwd=self.tree, env=self.env, text=True, errors="replace",
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
        signal.alarm(TEST_SECONDS)
        failed = None
        try:
            for line in child.stdout:
                if line.startswith("not ok") and "# skip" not in line.lower():
                    failed = line.strip()
                    break
            if failed is None and child.wait() != 0:
                failed = f"exit status {child.returncode}"
        except TimeoutError:
            failed = f"stopped after {TEST_SECONDS} s"
        finally:
            signal.alarm(0)
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.stdout.close()
            child.wait()
        return failed

    def believe(self, test, tests):
        """A kill counts only by a test that passes on the code as it is, which each is asked once."""
        if test in self.sound:
            return
        failed = self.run(test) if self.build(tests) else "it does not build"
        if failed:
            sys.exit(f"{test} fails without a mutant, and so can kill none: {failed}")
        self.sound.add(test)

    def try_mutant(self, mutant):
        """Fills in how it went; False: not a mutant worth its name, another is to be drawn."""
        path, tests = self.tree / mutant["file"], self.tests_of(mutant)
        text = path.read_text()
        if not self.build(tests):
            sys.exit(f"the tree does not build without a mutant: make -C {self.tree} tests")
        before = self.object_of(mutant["file"])
        lines = text.splitlines(keepends=True)
        lines[mutant["line"] - 1] = mutant["new"] + "\n"
        (self.folder / "undo.json").write_text(json.dumps({"file": mutant["file"], "text": text}))
        path.write_text("".join(lines))
        try:
            if not self.build(tests) or self.object_of(mutant["file"]) == before:
                return False
            mutant["tests"], mutant["killed_by"] = tests, None
            for test in tests:
                failed = self.run(test)
                if failed:
                    mutant["killed_by"] = f"{test}: {failed}"
                    break
        finally:
            path.write_text(text)
            (self.folder / "undo.json").unlink()
        if failed:
            self.believe(test, tests)
        return True

    def known(self):
        if not self.results.exists():
            return []
        return [json.loads(line) for line in self.results.read_text().splitlines(keepends=True) if line.endswith("}\n")]

    def keep(self, mutant):
        """Written whole, so that what a stopped run tore off is gone."""
        part = self.results.with_suffix(".part")
        part.write_text("".join(json.dumps(m) + "\n" for m in [*self.known(), mutant]))
        part.rename(self.results)


# ---- telling ---------------------------------------------------------------------------------------------------------

def show(mutant):
    verdict = f"killed by {mutant['killed_by']}" if mutant["killed_by"] else "SURVIVED"
    print(f"{mutant['index'] + 1:3}  {mutant['file']}:{mutant['line']}  {mutant['what']}: {verdict}")
    if not mutant["killed_by"]:
        print(f"     -{mutant['old']}\n     +{mutant['new']}\n     ran: {', '.join(mutant['tests'])}")
    sys.stdout.flush()


def report(results):
    killed = sum(1 for r in results if r["killed_by"])
    for r in sorted(results, key=lambda r: r["index"]):
        if not r["killed_by"]:
            show(r)
    print(f"{len(results)} mutants: {killed} killed, {len(results) - killed} survived")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--floor", action="append", choices=list(FLOORS), help="only these (all, in turn)")
    parser.add_argument("--folder", type=Path, help="scratch copy, caches and results")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="the tree to copy")
    parser.add_argument("--report", action="store_true", help="tell the results so far, and do nothing")
    a = parser.parse_args()
    folder = (a.folder or Path(f"/tmp/clutch-mutate-{a.seed}")).resolve()
    tree = Tree(a.root.resolve(), folder)
    if a.report:
        report(tree.known())
        return
    tree.prepare()
    floors = [f for f in a.floor or FLOORS if any(tree.tree.glob("cl/*.cl" if f == "cl" else f"src/{f}/*.c"))]
    done = {r["index"] for r in tree.known()}
    for index in range(a.count):
        attempt = 0
        while index not in done:
            mutant = draw(tree.tree, floors, a.seed, index, attempt)
            attempt += 1
            start = time.time()
            if mutant and tree.try_mutant(mutant):
                mutant["seconds"] = round(time.time() - start)
                tree.keep(mutant)
                show(mutant)
                break
            if attempt > 100:
                sys.exit(f"no mutant found in 100 tries, floor {floors[index % len(floors)]}")
    report([r for r in tree.known() if r["index"] < a.count])


if __name__ == "__main__":
    main()
