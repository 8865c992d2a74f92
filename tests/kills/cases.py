"""The runs that kills.py and soak.py disturb: nets and options, how one is started and ended, what it must leave."""
import hashlib
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import time

# names of nets' parts: batch norm and dropout have state of their own
LOW = 'input 1x28x28; dense 32; batchnorm; relu; dropout 0.1'
MID = 'dense 24; relu'
TOP = 'dense 16; tanh; dense 10; loss softmax'
SIZE = ('--limit', '1600', '--validation', '200', '--batch', '20')
HALVES = ('--devices', '0:0/2', '--lockstep')
OFTEN = ('--checkpoint-every', '0.0005', '--keep', '2')  # several within an epoch, where the clock says
# all cuts and places are given, so that nothing is measured
THREE = ('--devices', 'virtual:3@1', '--lockstep')


def cut(words, other=None):
    """Two modules, or three with `other`."""
    if other is None:
        return f'{LOW}; cut {words}; {MID}; {TOP}'
    return f'{LOW}; on virtual:0; cut {words}; {MID}; on virtual:1; cut {other}; {TOP}; on virtual:2'.replace(
        'loss softmax; on virtual:2', 'on virtual:2; loss softmax')


# name: net, options, epochs. 70 steps an epoch: steps go in chains from the second epoch on.
MODES = {
    'one': (f'{LOW}; {MID}; {TOP}', ('--draw-every', '0'), 6),
    'drawn': (f'{LOW}; {MID}; {TOP}', ('--draw-every', '1'), 4),
    'sgd': (f'{LOW}; {MID}; {TOP}', ('--draw-every', '0', '--optimizer', 'sgd', '--lr', '0.05', '--warmup', '1.5',
                                     '--stream'), 6),
    'one-often': (f'{LOW}; {MID}; {TOP}', OFTEN + ('--draw-every', '0'), 6),
    'csg-often': (cut('csg'), HALVES + OFTEN + ('--draw-every', '0'), 6),
    'csg': (cut('csg'), HALVES + ('--draw-every', '0'), 6),
    'csg-drawn': (cut('csg solver=adam hidden=1'), HALVES + ('--draw-every', '2'), 4),
    'sg': (cut('sg p=0.7'), HALVES + ('--draw-every', '0'), 6),
    'local': (cut('local'), HALVES + ('--draw-every', '0'), 6),
    'exact': (cut('exact micro=4'), HALVES + ('--draw-every', '0'), 6),
    'mixed': (cut('csg lambda=0.5'), HALVES + ('--draw-every', '0'), 6),
    'three': (cut('csg', 'local'), THREE + ('--draw-every', '0'), 6),
    'three-sg': (cut('sg', 'csg'), THREE + ('--draw-every', '0'), 6),
    'three-vir': (cut('vir', 'classmean'), THREE + ('--draw-every', '0'), 6),
    'three-exact': (cut('exact micro=4', 'exact micro=4'), THREE + ('--draw-every', '0'), 6),
}
TIMED = {'seconds', 'samples_per_second', 'busy', 'wait_input', 'wait_space', 'wait_gradient'}


class Wrong(Exception):
    """What a disturbed run must not do."""


def program():
    found = os.environ.get('CLUTCH') or str(pathlib.Path(__file__).resolve().parents[2] / 'build' / 'clutch')
    if not os.access(found, os.X_OK):
        raise SystemExit(f'{found} is no program: make it, or name one in CLUTCH')
    return found


def command(mode, folder, *more):
    net, options, epochs = MODES[mode]
    return [program(), 'train', net, '--data', 'digits', *SIZE, *options, '--epochs', str(epochs), '--out', str(folder),
            *more]


def resuming(mode, folder):
    options = MODES[mode][1]
    at = options.index('--draw-every')
    return [program(), 'train', '--resume', str(folder), *options[at:at + 2]]


def wait_for(path):
    """For run(): until a file is there."""
    def disturb(process):
        while process.poll() is None and not path.exists():
            time.sleep(0.002)
    return disturb


class Ended:
    """How a process ended."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return f'exit code {self.code} after {self.seconds:.2f} s, last words {self.err.strip()[-300:]!r}'


def hear_signals():
    """A process that was started in the background may ignore these, and hands that on to what it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended too
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def run(words, env=None, disturb=None, limit=300):
    """Runs to the end; disturb(process) is called once it is under way. What hangs is ended and is wrong."""
    begin = time.monotonic()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, CLUTCH_TUNE='off', **(env or {}))) as process:
        try:
            if disturb:
                disturb(process)
            out, err = process.communicate(timeout=limit)
        except KeyboardInterrupt:
            process.kill()
            raise
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Wrong(f'{" ".join(words)} hung for {limit} s: {err[-300:]}') from None
    return Ended(process.returncode, out, err, time.monotonic() - begin)


def signal_after(seconds, number=signal.SIGKILL, path=None):
    """For run(): a signal so long after the start, or after a file is there, if the process still is."""
    def disturb(process):
        if path:
            wait_for(path)(process)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
    return disturb


# ---- what a run leaves -----------------------------------------------------------------------------------------------

def tensors(path):
    """A safetensors file's tensors: name, and type, shape and a hash of the bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack_from('<Q', data)
    head = json.loads(data[8:8 + length])
    head.pop('__metadata__', None)
    body = data[8 + length:]
    return {name: (t['dtype'], tuple(t['shape']), hashlib.sha256(body[slice(*t['data_offsets'])]).hexdigest())
            for name, t in head.items()}


def untimed(value):
    """JSON without what depends on the clock."""
    if isinstance(value, dict):
        return {k: untimed(v) for k, v in value.items() if k not in TIMED}
    if isinstance(value, list):
        return [untimed(v) for v in value]
    return value


def metrics(folder):
    """The lines of metrics.jsonl without times; wrong where one is no JSON or they are not epochs 1, 2, ..."""
    text = (folder / 'metrics.jsonl').read_text()
    if text and not text.endswith('\n'):
        raise Wrong('metrics.jsonl does not end with a whole line')
    try:
        lines = [json.loads(line) for line in text.splitlines()]
    except json.JSONDecodeError as e:
        raise Wrong(f'metrics.jsonl: {e}') from None
    epochs = [line['epoch'] for line in lines]
    if epochs != list(range(1, len(epochs) + 1)):
        raise Wrong(f'metrics.jsonl has epochs {epochs}')
    seconds = [line['seconds'] for line in lines]
    if seconds != sorted(seconds) or (seconds and seconds[0] <= 0):
        raise Wrong(f'metrics.jsonl: seconds do not grow: {seconds}')
    return untimed(lines)


def metrics_prefix(folder, reference):
    """Of a run that was stopped and saved: the lines so far are the reference's."""
    lines = metrics(folder) if (folder / 'metrics.jsonl').exists() else []
    if lines != reference.metrics[:len(lines)]:
        raise Wrong(f'metrics.jsonl differs: {differences(lines, reference.metrics[:len(lines)])}')


def facts(folder):
    """run.json without the time at which the run began."""
    try:
        told = json.loads((folder / 'run.json').read_text())
    except json.JSONDecodeError as e:
        raise Wrong(f'run.json: {e}') from None
    told.pop('started', None)
    return told


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if not p.is_dir())


class Left:
    """All of a finished run that must be the same each time. Checkpoints also tell how long it took; pictures and
    traces show times, so that of them only the names count. Frames of weights may be left out: they are written by a
    thread of their own, for which training does not wait."""

    def __init__(self, folder):
        self.files = files(folder)
        self.metrics = metrics(folder)
        self.facts = facts(folder)
        self.tensors = {name: tensors(folder / name) for name in self.files if name.endswith('.safetensors')}
        for name, all_of_file in self.tensors.items():
            if 'checkpoint' in name:
                self.tensors[name] = {k: v for k, v in all_of_file.items() if 'seconds' not in k}

    def check(self, reference, finished=False):
        """`finished`: killed behind its last step, so that it may have been too late for a trace, pictures or a page.
        Returns how many files are missing that may be."""
        missing = set(reference.files) - set(self.files)
        spared = {name for name in missing if name.startswith('snapshots/') or
                  finished and (name.startswith('pictures/') or name in ('index.html', 'trace.json'))}
        if missing - spared or not set(self.files) <= set(reference.files):
            raise Wrong(f'files: {sorted(set(self.files) - set(reference.files))} are too many, '
                        f'{sorted(missing - spared)} are missing')
        if self.facts != reference.facts:
            raise Wrong(f'run.json differs: {differences(self.facts, reference.facts)}')
        for name, held in self.tensors.items():
            wanted = reference.tensors[name]
            other = [k for k in wanted if held.get(k) != wanted[k]]
            if other or len(wanted) != len(held):
                raise Wrong(f'other bits: {name}: {len(other)} of {len(wanted)} tensors: {other[:8]}')
        if self.metrics != reference.metrics:
            raise Wrong(f'metrics.jsonl differs: {differences(self.metrics, reference.metrics)}')
        return len(spared)


def differences(a, b, at=''):
    """The first places where two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for k in a for d in differences(a[k], b[k], f'{at}.{k}')][:5]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f'{at}[{i}]')][:5]
    return [] if a == b else [f'{at}: {str(a)[:200]} and not {str(b)[:200]}']


def check_eval(folder):
    ended = run([program(), 'eval', str(folder)])
    if ended.code != 0:
        raise Wrong(f'clutch eval: {ended}')


def no_checkpoint(ended):
    """Whether a refused resume says that there is nothing to go on from."""
    return ended.code == 2 and bool(re.search(r'no checkpoint|is not a run folder|no run\.json|cannot open .*run\.json',
                                              ended.err))
