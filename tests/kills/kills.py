#!/usr/bin/env python3
"""Kills training runs, resumes them until they end, and compares what they leave with an undisturbed run's: bits of
weights, metrics, files. Usage: CLUTCH=build/clutch tests/kills/kills.py --trials 300 --seed 1

A trial is one run: by turns killed at a kill point (CLUTCH_KILL=N; they are spread over the trials, and --walk visits
each of them once), at a random moment, and, with --signals, ended by SIGINT, SIGTERM or SIGHUP, by which it saves. What
goes on with it may be disturbed again. Where nothing was saved it has to start anew with --force. The folder of a trial
that went wrong is kept. The last line is "N passed, N failed".
"""
import argparse
import itertools
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cases  # noqa: E402
from cases import Wrong  # noqa: E402

AGAIN = 0.3    # the probability that what goes on is disturbed too
ATTEMPTS = 12  # starts of a run; only its first few are disturbed
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Mode:
    """An undisturbed run, how long it takes with a warm cache, when it saves first, and its kill points."""

    def __init__(self, name, root):
        self.name = name
        folder, log = root / f'{name}-undisturbed', root / f'{name}-points'
        for warm in False, True:
            shutil.rmtree(folder, ignore_errors=True)
            log.unlink(missing_ok=True)
            begin = time.monotonic()

            def first_save(process):
                cases.wait_for(folder / 'checkpoint.safetensors')(process)
                self.saved = time.monotonic() - begin
            ended = cases.run(cases.command(name, folder), {'CLUTCH_KILL_LOG': str(log)}, first_save)
            if ended.code != 0:
                raise SystemExit(f'{name}, undisturbed: {ended}')
            left = cases.Left(folder)
            if warm:
                left.check(self.left)  # two undisturbed runs are equal
            self.left, self.seconds = left, ended.seconds
        self.points = log.read_text().replace(f'{folder}/', '').splitlines() if log.exists() else []


def told(what, at, after):
    if what is None or what == 'point':
        return f'{what} {at}' if what else 'undisturbed'
    name = 'SIGKILL' if what == 'moment' else signal.Signals(what).name
    return f'{name} {at:.3f} s after {"the first save" if after else "its start"}'


class Trial:
    """One run under a plan of disturbances: ('point', N, None), ('moment', seconds, after), which kills too, or
    (signal, seconds, after); so long after the start or, with a file named, after that is there."""

    def __init__(self, mode, folder, plan):
        self.mode, self.folder, self.plan = mode, folder, list(plan)
        self.history = []

    def start(self, words):
        """Runs once, with the next disturbance of the plan; whether it ended by itself."""
        env, disturb, what, at, after = None, None, None, None, None
        if self.plan:
            what, at, after = self.plan.pop(0)
            if what == 'point':
                env = {'CLUTCH_KILL': str(at)}
            else:
                disturb = cases.signal_after(at, signal.SIGKILL if what == 'moment' else what,
                                             self.folder / after if after else None)
        before = self.saved()
        ended = cases.run(words, env, disturb)
        point = f' ({self.mode.points[at - 1]})' if what == 'point' and at <= len(self.mode.points) else ''
        self.history.append(f'{"resume" if "--resume" in words else "start"}, '
                            f'{told(what, at, after)}{point}: exit code {ended.code}')
        self.check_end(ended, what, words, before)
        return ended, ended.code == 0

    def saved(self):
        """What changes with each checkpoint; None: there is none."""
        try:
            return os.stat(self.folder / 'checkpoint.safetensors').st_mtime_ns
        except FileNotFoundError:
            return None

    def check_end(self, ended, what, words, before):
        """A run ends by itself, by what disturbs it, or since nothing was saved that it could go on from."""
        if what in SIGNALS and ended.code == SIGNALS[what]:
            self.check_stopped(ended)
        elif what in SIGNALS and ended.code == -what:
            if self.saved() != before:  # it had begun to train, and hears signals then
                raise Wrong(f'{self.history[-1]}: {ended}')
        elif ended.code == 2 and '--resume' in words:
            if self.saved() or not cases.no_checkpoint(ended):
                raise Wrong(f'{self.history[-1]}: {ended}')
        elif ended.code != 0 and (ended.code != -signal.SIGKILL or what is None):
            raise Wrong(f'{self.history[-1]}: {ended}')

    def check_stopped(self, ended):
        """The command that resumes is told where something was saved, and what is left is good so far."""
        said = f'clutch train --resume {self.folder}' in ended.out + ended.err
        if said != (self.saved() is not None):
            raise Wrong(f'{self.history[-1]}: said {ended.out[-300:]!r} {ended.err!r}')
        cases.metrics_prefix(self.folder, self.mode.left)

    def run(self):
        ended, over = self.start(cases.command(self.mode.name, self.folder))
        for _ in range(ATTEMPTS):
            if over:
                break
            ended, over = self.start(cases.resuming(self.mode.name, self.folder))
            if ended.code == 2:  # nothing saved: anew
                ended, over = self.start(cases.command(self.mode.name, self.folder, '--force'))
                if ended.code == 2:
                    raise Wrong(f'{self.history[-1]}: {ended}')
        if not over:
            raise Wrong(f'not done after {ATTEMPTS} starts')
        left_out = cases.Left(self.folder).check(self.mode.left, ended.out.startswith('finished: '))
        if left_out:
            self.history.append(f'{left_out} pictures or snapshots left out')
        cases.check_eval(self.folder)


def moment(mode, rng, signals):
    """A quarter of the moments are anywhere, the others when something was saved; a few are so late that the run has
    ended."""
    what = rng.choice(list(SIGNALS)) if signals else 'moment'
    if rng.random() < 0.25:
        return what, rng.uniform(0, mode.seconds), None
    return what, rng.uniform(0, 1.02 * (mode.seconds - mode.saved)), 'checkpoint.safetensors'


def plan_of(mode, kind, number, rng, signals):
    """One disturbance, and sometimes more of what goes on."""
    plan = [('point', number, None) if kind == 'point' else moment(mode, rng, kind == 'signal')]
    while len(plan) < 4 and rng.random() < AGAIN:
        kind = rng.choice(('point', 'moment', 'signal'))
        if kind == 'point' and mode.points:
            plan.append(('point', 1 + rng.randrange(len(mode.points)), None))
        else:
            what = rng.choice(list(SIGNALS)) if kind == 'signal' and signals else 'moment'
            plan.append((what, rng.uniform(0, 1.02 * mode.seconds), None))
    return plan


def schedule(modes, o):
    """Of each trial its mode, kind and, for a kill point, its number; modes and kinds by turns."""
    if o.walk:
        walks = [[(mode, 'point', n) for n in range(1, len(mode.points) + 1)] for mode in modes]
        return [trial for some in itertools.zip_longest(*walks) for trial in some if trial]
    kinds = ['point'] * (not o.random) + ['moment'] * (not o.deterministic) + ['signal'] * o.signals
    turns = [(mode, kind) for kind in kinds for mode in modes]
    trials = []
    for i in range(o.trials):
        mode, kind = turns[i % len(turns)]
        each = len(mode.points) * len(turns) / o.trials  # points to a trial
        number = 1 + int((i // len(turns) + random.Random(f'{o.seed} point {i}').random()) * each)
        number = min(number, len(mode.points))
        trials.append((mode, kind if kind != 'point' or mode.points else 'moment', number))
    return trials


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--trials', type=int, default=20)
    p.add_argument('--first', type=int, default=0, help='trial to begin with, to go on where a walk was stopped')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--mode', action='append', choices=cases.MODES, help='one or more; default: one and csg')
    p.add_argument('--walk', action='store_true', help='each kill point of each mode once, instead of --trials')
    p.add_argument('--deterministic', action='store_true', help='kill points only')
    p.add_argument('--random', action='store_true', help='random moments only')
    p.add_argument('--undisturbed', action='store_true', help='no kills: are undisturbed runs alike?')
    p.add_argument('--signals', action='store_true', help='every third trial by SIGINT, SIGTERM or SIGHUP')
    p.add_argument('--keep', type=pathlib.Path, help='where folders that went wrong are kept (a new one in /tmp)')
    p.add_argument('--minutes', type=float, default=0, help='begin no trial after so long; 0: no limit')
    return p.parse_args()


def main():
    o = options()
    cases.hear_signals()
    root = o.keep or pathlib.Path(tempfile.mkdtemp(prefix='clutch-kills-'))
    root.mkdir(parents=True, exist_ok=True)
    modes = [Mode(name, root) for name in o.mode or ('one', 'csg')]
    for mode in modes:
        print(f'{mode.name}: {mode.seconds:.2f} s undisturbed, saved first after {mode.saved:.2f} s, '
              f'{len(mode.points)} kill points', flush=True)
    if not o.random and not o.undisturbed and not all(mode.points for mode in modes):
        print('this program has no kill points: random moments instead', flush=True)
    trials = schedule(modes, o)
    passed = failed = 0
    end = time.monotonic() + 60 * o.minutes if o.minutes else float('inf')
    for i, (mode, kind, number) in enumerate(trials):
        if i < o.first or time.monotonic() > end:
            continue
        rng = random.Random(f'{o.seed} {i}')
        folder = root / f'trial-{i}'
        plan = [] if o.undisturbed else plan_of(mode, kind, number, rng, o.signals)
        trial = Trial(mode, folder, plan)
        try:
            trial.run()
        except Wrong as e:
            failed += 1
            print(f'{mode.name}, trial {i}: FAILED: {e}\n    ' + '\n    '.join(trial.history + [f'kept: {folder}']),
                  flush=True)
        else:
            passed += 1
            print(f'{mode.name}, trial {i}: good: ' + '; '.join(trial.history), flush=True)
            shutil.rmtree(folder)
    if not failed and not o.keep:
        shutil.rmtree(root)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Wrong as e:
        print(f'FAILED: {e}\n0 passed, 1 failed')
        sys.exit(1)
