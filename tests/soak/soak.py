#!/usr/bin/env python3
"""Long runs under signals, watched from outside. Usage: CLUTCH=build/clutch tests/soak/soak.py --minutes 10 --side 2

Each mode trains for so many minutes: first in one process for a good half of the time, saving all the while, then in
processes that end after some seconds by SIGINT, SIGTERM or SIGKILL and are resumed at once. From /proc: resident
memory, descriptors and threads. A mode fails where

- in a process watched for a minute or more behind its warm-up, resident memory grows by more than --slope KiB a minute
  (least squares), or, in a shorter one, by more than --growth KiB from the least of its first fifth to its last one's;
- the fewest descriptors or threads of the last third of a process are more than the most of its first third, or of the
  first process; a file counts while it is open, and a module's thread while it trains, so these vary within bounds;
- a signal is not answered by exit code 130 or 143, or the run cannot be resumed;
- metrics.jsonl is not whole: each epoch once, in order, with times that grow; `clutch eval` refuses what is left;
- ThreadSanitizer says anything (--tsan, for a program made with SANITIZE=thread; its shadow memory grows, so memory is
  then told but does not count).

The last line is "N passed, N failed".
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'kills'))
import cases  # noqa: E402
from cases import Wrong  # noqa: E402

SIX = ('one', 'csg', 'sg', 'local', 'exact', 'drawn')
SIZE = ('--limit', '8000', '--validation', '1000', '--batch', '20')
EPOCHS = 100000  # more than there is time for
EVERY = 0.2       # seconds between two looks
ANSWERS = {signal.SIGINT: 130, signal.SIGTERM: 143}
JUDGED = 10       # seconds of looks behind the warm-up that a judgement takes
GRACE = 60        # seconds that a process may take to save and end


class Look:
    """What /proc tells of a process at a moment."""

    def __init__(self, pid, seconds):
        status = dict(line.split(':', 1) for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines())
        self.seconds = seconds
        self.rss = int(status['VmRSS'].split()[0])  # KiB
        self.threads = int(status['Threads'])
        self.descriptors = len(os.listdir(f'/proc/{pid}/fd'))


class Life:
    """One process of a run, from its start to its end."""

    running = set()

    def __init__(self, words, env, errors):
        self.begin = time.monotonic()
        self.looks = []
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                                        env=env)
        Life.running.add(self.process)

    def watch(self, seconds):
        while (now := time.monotonic() - self.begin) < seconds and self.process.poll() is None:
            try:
                self.looks.append(Look(self.process.pid, now))
            except (OSError, KeyError):
                pass  # it ends just now
            time.sleep(EVERY)
        return self.process.poll() is None

    def end(self, number):
        """Its exit code; the signal comes while it trains."""
        self.process.send_signal(number)
        try:
            return self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Wrong(f'{signal.Signals(number).name} was not answered within {GRACE} s') from None

    def warm(self, seconds):
        return [look for look in self.looks if look.seconds > seconds]


def slope(looks):
    """KiB a minute, by least squares."""
    n = len(looks)
    x = [look.seconds / 60 for look in looks]
    y = [look.rss for look in looks]
    mean_x, mean_y = sum(x) / n, sum(y) / n
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def most_then_fewest(looks, what):
    """The most in the first third, and the fewest in the last."""
    third = len(looks) // 3
    return max(getattr(k, what) for k in looks[:third]), min(getattr(k, what) for k in looks[-third:])


class Soak:
    """One mode for its time."""

    def __init__(self, mode, o, root):
        self.mode, self.o, self.folder = mode, o, root / mode
        self.errors, self.tsan, self.log = root / f'{mode}.stderr', root / f'{mode}.tsan', root / f'{mode}.looks'
        self.rng = random.Random(f'{o.seed} {mode}')
        self.lives, self.ends, self.first = 0, {}, {}
        self.steepest = self.most_growth = None
        self.rss = self.descriptors = self.threads = 0

    def words(self, epochs=EPOCHS):
        net, options, _ = cases.MODES[self.mode]
        if (self.folder / 'checkpoint.safetensors').exists() and epochs == EPOCHS:
            return cases.resuming(self.mode, self.folder) + self.saving()
        at = list(options)
        if self.mode == 'drawn':
            at[at.index('--draw-every') + 1] = str(self.o.draw_every)
        return [cases.program(), 'train', net, '--data', 'digits', *SIZE, *at, '--epochs', str(epochs), '--out',
                str(self.folder), '--force', *self.saving()]

    def saving(self):
        return ['--checkpoint-every', str(self.o.checkpoint_every)] if self.o.checkpoint_every else []

    def environment(self):
        env = dict(os.environ, CLUTCH_TUNE='off')
        if self.o.tsan:
            env.update(OCL_ICD_VENDORS='pocl.icd', TSAN_OPTIONS=f'log_path={self.tsan}:exitcode=66')
        return env

    def check_memory(self, looks):
        rise = slope(looks)
        self.rss = max(self.rss, max(look.rss for look in looks))
        if looks[-1].seconds - looks[0].seconds >= 60:
            self.steepest = max(rise, self.steepest if self.steepest is not None else rise)
            if not self.o.tsan and not rise <= self.o.slope:
                raise Wrong(f'resident memory grows by {rise:.0f} KiB a minute')
            return
        fifth = max(1, len(looks) // 5)
        growth = min(k.rss for k in looks[-fifth:]) - min(k.rss for k in looks[:fifth])
        self.most_growth = max(growth, self.most_growth if self.most_growth is not None else growth)
        if not self.o.tsan and growth > self.o.growth:
            raise Wrong(f'resident memory grew by {growth} KiB in {looks[-1].seconds - looks[0].seconds:.0f} s')

    def check_life(self, life):
        looks = life.warm(self.o.warm)
        with self.log.open('a') as log:
            for k in life.looks:
                print(self.lives, f'{k.seconds:.1f} s', k.rss, 'KiB', k.descriptors, k.threads, file=log)
        if len(looks) < JUDGED / EVERY:
            return
        self.check_memory(looks)
        for what in 'descriptors', 'threads':
            before, behind = most_then_fewest(looks, what)
            first = self.first.setdefault(what, before)
            setattr(self, what, max(getattr(self, what), behind))
            if behind > min(before, first):
                raise Wrong(f'{what}: {before} at most in the first third of process {self.lives}, {behind} at least '
                            f'in the last, {first} at most in the first process')

    def check_reports(self):
        reports = sorted(self.tsan.parent.glob(self.tsan.name + '.*'))
        if reports:
            raise Wrong(f'ThreadSanitizer: {reports[0]}: {reports[0].read_text()[:600]}')

    def saved(self):
        """What changes with each checkpoint; None: there is none."""
        try:
            return os.stat(self.folder / 'checkpoint.safetensors').st_mtime_ns
        except FileNotFoundError:
            return None

    def live(self, seconds, number):
        self.lives += 1
        before = self.saved()
        with self.errors.open('a') as errors:
            life = Life(self.words(), self.environment(), errors)
            try:
                alive = life.watch(seconds)
                code = life.end(number) if alive else life.process.returncode
            finally:
                if life.process.poll() is None:
                    life.process.kill()
                    life.process.wait()
                Life.running.discard(life.process)
        name = signal.Signals(number).name
        self.ends[name] = self.ends.get(name, 0) + 1
        wanted = ANSWERS.get(number, -number)
        if code != wanted and (self.saved() != before or code != -number):  # else it was to begin yet
            raise Wrong(f'exit code {code} where {name} came after {seconds:.1f} s, wanted {wanted}; '
                        f'stderr: {self.errors.read_text()[-400:]!r}')
        self.check_reports()
        self.check_life(life)

    def fill_cache(self):
        """Compiling takes memory that stays."""
        ended = subprocess.run(self.words(2), env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, check=False)
        if ended.returncode != 0:
            raise Wrong(f'exit code {ended.returncode} of a short run: {ended.stderr[-300:]!r}')
        shutil.rmtree(self.folder)

    def run(self):
        self.fill_cache()
        end = time.monotonic() + 60 * self.o.minutes
        self.live(60 * self.o.minutes * 0.55, signal.SIGTERM)
        while (left := end - time.monotonic()) > 0:
            number = self.rng.choice((signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGKILL))
            self.live(min(self.rng.uniform(0.3, self.o.life), left), number)
        self.live(self.o.warm + 2, signal.SIGTERM)
        self.epochs = len(cases.metrics(self.folder))
        if self.epochs == 0:
            raise Wrong('no epoch was done')
        parts = [name for name in cases.files(self.folder) if 'part' in name or 'tmp' in name]
        if parts:
            raise Wrong(f'left behind: {parts}')
        cases.facts(self.folder)
        cases.check_eval(self.folder)

    def told(self):
        rise = 'not long enough for a slope' if self.steepest is None else f'{self.steepest:+.0f} KiB a minute at most'
        growth = '' if self.most_growth is None else f', short ones {self.most_growth:+d} KiB at most'
        ends = ', '.join(f'{n} {name}' for name, n in self.ends.items())
        return (f'{self.epochs} epochs in {self.lives} processes ({ends}); '
                f'{self.rss} KiB resident at most, {rise}{growth}; {self.descriptors} descriptors, '
                f'{self.threads} threads')


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--mode', action='append', choices=cases.MODES, help=f'one or more (all of {", ".join(SIX)})')
    p.add_argument('--minutes', type=float, default=10, help='of each mode (10)')
    p.add_argument('--side', type=int, default=2, help='modes at a time (2)')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--warm', type=float, default=10, help='seconds of a process that are not judged (10)')
    p.add_argument('--life', type=float, default=30, help='seconds that a process lives at most behind the first (30)')
    p.add_argument('--slope', type=float, default=512, help='KiB a minute that memory may grow by (512)')
    p.add_argument('--growth', type=float, default=4096, help='KiB that it may grow by in a short process (4096)')
    p.add_argument('--checkpoint-every', type=float, default=0.01, help='minutes; 0: at the ends of epochs only (0.01)')
    p.add_argument('--draw-every', type=int, default=20, help='epochs, of the mode that draws (20)')
    p.add_argument('--tsan', action='store_true', help='the program watches itself for races')
    return p.parse_args()


def main():
    o = options()
    cases.hear_signals()
    root = pathlib.Path(tempfile.mkdtemp(prefix='clutch-soak-'))
    places, verdicts = threading.Semaphore(o.side), {}

    def one(mode):
        with places:
            soak = Soak(mode, o, root)
            try:
                soak.run()
                verdicts[mode] = True
                print(f'{mode}: good: {soak.told()}', flush=True)
            except Exception as e:  # pylint: disable=broad-except
                verdicts[mode] = False
                print(f'{mode}: FAILED: {e if isinstance(e, Wrong) else repr(e)}; {soak.lives} processes; kept: {root}',
                      flush=True)

    threads = [threading.Thread(target=one, args=(mode,), daemon=True) for mode in o.mode or SIX]
    for t in threads:
        t.start()
    try:
        for t in threads:
            t.join()
    finally:  # also where we are told to end ourselves
        for process in Life.running.copy():
            process.kill()
    if all(verdicts.values()):
        shutil.rmtree(root)
    print(f'{sum(verdicts.values())} passed, {len(verdicts) - sum(verdicts.values())} failed')
    return 0 if all(verdicts.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
