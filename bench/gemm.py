"""Matrix products: OpenBLAS and clutch's providers take turns, round after round."""
from common import CLUTCH, rows_of, run, say

SHAPES = ("256x1024x1024", "1024x1024x1024", "2048x2048x2048", "256x256x784", "256x256x256", "250x256x784",
          "509x251x1021", "127x1009x333", "128x256x784", "32x256x256", "128x10x256", "1x1024x1024", "31x33x65")
QUICK_SHAPES = ("128x256x784", "31x33x65")
SLOW = ("plain", "clblast")
SLOW_MOST = 1024 ** 3  # on a CPU these would take minutes beyond this M*N*K


def bench(arguments, device, env):
    return rows_of(run([CLUTCH, "bench", *arguments, "--devices", device, "--json"], env))


# the best set that CLBlast's tuner found on PoCL in 161 tries, and its fast kernel for more than the largest products
CLBLAST_TUNED = ("clblast MWG=128 NWG=64 KWG=32 MDIMC=8 NDIMC=16 MDIMA=16 NDIMB=32 KWI=2 VWM=8 VWN=2 SA=1 SB=1 KREG=1 "
                 "XGEMM_MIN_INDIRECT_SIZE=64")
NAMES = {"tile": "tile", "plain": "plain", "clblast": "clblast", "clblast-tuned": CLBLAST_TUNED}


def providers(device, env):
    """Those that run on the device: clutch leaves out the others, with a note."""
    return [n for n in NAMES if bench(["gemm", "--shape", "1x1x1", "--provider", NAMES[n]], device, env)]


def wanted(provider, shape):
    m, n, k = (int(side) for side in shape.split("x"))
    return provider not in SLOW or m * n * k <= SLOW_MOST


def one(openblas, provider, shape, device, env):
    if provider == "openblas":
        return rows_of(run([openblas, *shape.split("x")], env))
    rows = bench(["gemm", "--shape", shape, "--provider", NAMES[provider]], device, env)
    return [{**row, "provider": row["provider"].replace(NAMES[provider], provider)} for row in rows]


def measure(out, peaks, openblas, device, env, rounds, quick):
    """Rows of products go to the row file `out`, those of peaks and launches to `peaks`."""
    names = ["openblas", *providers(device, env)]
    shapes = QUICK_SHAPES if quick else SHAPES
    for i in range(rounds):
        for what in ("peak", "launch"):
            peaks.add({"round": i + 1, **bench([what], device, env)[0]})
        turn = names[i % len(names):] + names[:i % len(names)]  # nobody is always the first after a pause
        for shape in shapes:
            say(f"gemm: round {i + 1} of {rounds}, {shape}, {' '.join(turn)}")
            for provider in turn:
                if wanted(provider, shape):
                    for row in one(openblas, provider, shape, device, env):
                        out.add({"round": i + 1, **row})
