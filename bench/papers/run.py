"""The tables of published claims, measured again: `python3 bench/papers/run.py --help`, and bench/README.md."""
import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
from multiprocessing.pool import ThreadPool

# modules are found from bench/, so that `common` is its, and ours are papers.NAME
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from common import ROOT, Problem, forget_settings, say  # noqa: E402 # from there
from papers import asynchrony, dni, speed, understanding  # noqa: E402
from papers.common import (HERE, RAW, Bench, commands, group, has, listed, paragraph, read_csv,  # noqa: E402
                           with_facts, write_csv)

TABLES = {"speed": speed, "dni": dni, "understanding": understanding, "asynchrony": asynchrony}
INTRO = """# Results

What papers claim of decoupled training, beside what clutch measures: a section a paper. Made by
`python3 bench/papers/run.py`, which writes this file from the rows of `bench/results/papers/*.csv`; every row there has
its device, driver, CPU, commit, date, seeds and command. [bench/README.md](../bench/README.md) tells how to repeat it.

Figures of others stand beside ours with how we know them: *read* in the source itself, *quoted* by someone else, or
*recalled*, from memory of a paper whose text was not at hand, and not to be relied on."""
QUICK = """**This is a quick run: small nets, few samples, few steps. It shows that the benches work; its figures mean
nothing.**"""


def read_options():
    p = argparse.ArgumentParser(prog="bench/papers/run.py", description="published claims of decoupled training, "
                                "measured again: CSV files, pictures, docs/results.md")
    p.add_argument("table", nargs="*", metavar="|".join(TABLES), help="default: all")
    p.add_argument("--quick", action="store_true", help="some minutes: does it work? Into build/bench/papers/quick")
    p.add_argument("--list", action="store_true", help="print the commands in their order, and run nothing")
    p.add_argument("--report", action="store_true", help="measure nothing: CSV files, pictures and document from what "
                   "is kept, the document from CSV files alone where nothing is")
    p.add_argument("--fresh", action="store_true", help="measure anew what is kept")
    p.add_argument("--seeds", type=int, metavar="N", help="seeds 1 to N (each table's own; quick 1)")
    p.add_argument("--jobs", type=int, metavar="N", default=1, help="commands at a time, of those that take no real "
                   "time (1)")
    p.add_argument("--device", default="0:0", metavar="SPEC", help="the real device: a CPU that can be split in two, "
                   "or a GPU (0:0)")
    p.add_argument("--real", metavar="SPEC", help="several real devices, for speed: 0:0,1:0")
    p.add_argument("--mnist", metavar="DIR", help="MNIST's IDX files, where they are not installed")
    p.add_argument("--no-pictures", action="store_true", help="CSV files and document alone")
    p.add_argument("--raw", metavar="DIR", default=RAW, help="where results of commands are kept "
                   "(build/bench/papers/raw)")
    p.add_argument("--out", metavar="DIR", help="for CSV files, pictures and results.md (bench/results/papers, with "
                   "which results.md goes to docs)")
    o = p.parse_args()
    for name in o.table:
        if name not in TABLES:
            p.error(f"unknown table '{name}'; known: {', '.join(TABLES)}")
    o.table = o.table or list(TABLES)
    o.mode = "quick" if o.quick else "full"
    ours = os.path.join(ROOT, "bench", "results", "papers")
    o.out = os.path.abspath(o.out or (os.path.join(HERE, "quick") if o.quick else ours))
    o.document = os.path.join(os.path.join(ROOT, "docs") if o.out == ours else o.out, "results.md")
    return o


def check_out(o, names):
    """Quick figures never take the place of others."""
    for name in names if o.quick else ():
        if any(row["mode"] != "quick" for row in read_csv(os.path.join(o.out, name + ".csv"))):
            raise Problem(f"{os.path.join(o.out, name + '.csv')} has figures that are not quick; name another --out", 2)


def measure(bench, o, name):
    """Runs the jobs of a table that have not run yet, or, where asked, all; one that fails is told, and left out."""
    jobs = TABLES[name].jobs(o)
    wanted = [(i, job) for i, job in enumerate(jobs, 1) if o.fresh or not bench.kept(job)]
    bench.about()

    def one(numbered):
        i, job = numbered
        try:
            result = bench.run(job)
            say(f"{name} {i}/{len(jobs)}, {result['seconds']:.1f} s: {job.brief()}")
        except Problem as problem:
            say(f"{name} {i}/{len(jobs)} left out: {problem}: {job.brief()}")

    for alone, each in itertools.groupby(wanted, lambda numbered: numbered[1].alone or o.jobs == 1):
        if alone:
            for numbered in each:
                one(numbered)
        else:
            with ThreadPool(o.jobs) as pool:
                pool.map(one, each, chunksize=1)


def draw(path, picture, rows):
    """A PNG, by any Python here that has matplotlib; whether there is one."""
    program = next((each for each in (sys.executable, "/usr/bin/python3") if has(each, "matplotlib")), None)
    if program:
        first = rows[0]
        about = f"{first['device']}, driver {first['driver']}; {first['cpu']}, {first['cores']} cores; commit " \
                f"{first['commit'][:12]}, seeds {first['seeds']}, {first['date']}" + \
                ("; QUICK: figures mean nothing" if first["mode"] == "quick" else "")
        subprocess.run([program, os.path.join(os.path.dirname(os.path.abspath(__file__)), "draw.py"), path],
                       input=json.dumps({**picture, "about": about}), text=True, check=True)
    return program


def tabulate(bench, o, name):
    """CSV files and pictures of what is kept."""
    module = TABLES[name]
    rows = [row for job in module.jobs(o) for result in [bench.kept(job)] if result
            for row in with_facts(module.rows(job, result["lines"]), job, result, o.mode)]
    if not rows:
        return
    tables = {each: found for each, found in module.tables(rows).items() if found}
    check_out(o, tables)
    for each, found in tables.items():
        write_csv(os.path.join(o.out, each + ".csv"), found)
    tables = {each: read_csv(os.path.join(o.out, each + ".csv")) for each in tables}
    for each, picture in () if o.no_pictures else module.pictures(tables).items():
        if not draw(os.path.join(o.out, each + ".png"), picture, next(iter(tables.values()))):
            say("bench: no pictures, for there is no matplotlib; on Debian: apt install python3-matplotlib")
            break


def machines(rows):
    """Where and when."""
    places = [f"{each[0]['device']} (driver {each[0]['driver']}; {each[0]['cpu']}, {each[0]['cores']} cores)"
              for each in group(rows, "device", "driver", "cpu", "cores")]
    days = sorted({row["date"][:10] for row in rows})
    quick = any(row["mode"] == "quick" for row in rows)
    return f"Measured on {listed(places)}, {' to '.join(dict.fromkeys((days[0], days[-1])))}" + \
           (", **quickly: not to be quoted**." if quick else ".")


def document(o):
    """results.md, from the CSV files of all tables."""
    parts, quick = [], False
    for module in TABLES.values():
        tables = {name: read_csv(os.path.join(o.out, name + ".csv")) for name in module.FILES}
        tables = {name: rows for name, rows in tables.items() if rows}
        if not tables:
            continue
        quick = quick or any(row["mode"] == "quick" for rows in tables.values() for row in rows)
        there = os.path.relpath(o.out, os.path.dirname(o.document))
        pictures = [f"![{name}]({os.path.join(there, name + '.png')})" for name in module.pictures(tables)
                    if os.path.exists(os.path.join(o.out, name + ".png"))]
        files = ", ".join(f"[{name}.csv]({os.path.join(there, name + '.csv')})" for name in tables)
        parts += [f"## {module.TITLE}", paragraph(machines([row for rows in tables.values() for row in rows])),
                  *(paragraph(text) for text in module.report(tables)), *pictures,
                  f"All rows: {files}.", commands([row for rows in tables.values() for row in rows])]
    with open(o.document, "w", encoding="utf-8") as file:
        file.write("\n\n".join([INTRO, *([QUICK] if quick else []), *parts]) + "\n")
    say(f"bench: {o.document}")


def main():
    o = read_options()
    o.bench = bench = Bench(o.device, o.mnist, o.raw)
    if o.list:
        for name in o.table:
            for job in TABLES[name].jobs(o):
                print(job.shown())
        return
    os.makedirs(o.out, exist_ok=True)
    forget_settings()
    stopped = False
    if not o.report:
        if os.getloadavg()[0] > 0.5:
            say(f"bench: this machine is busy (load {os.getloadavg()[0]:.1f}); figures will be disturbed")
        try:
            for name in o.table:
                measure(bench, o, name)
        except KeyboardInterrupt:
            stopped = True
    for name in o.table:
        tabulate(bench, o, name)
    document(o)
    if stopped:
        sys.exit("bench: stopped; the same command goes on where it was")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is running ends with us
    try:
        main()
    except Problem as problem:
        say(f"bench: {problem}")
        sys.exit(problem.code)
