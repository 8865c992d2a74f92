# What the command-line tests share: the program is CLUTCH, each test works in an empty folder of its own.
bats_require_minimum_version 1.5.0
: "${CLUTCH:?is the absolute path of the program}" "${XDG_CACHE_HOME:?is a folder that these tests may fill}"

NET='input 1x28x28; dense 16; batchnorm; relu; dropout 0.1; dense 10; loss softmax'
TINY='input 1x6x6; dense 4; batchnorm; relu; dense 2; loss softmax' # for the pictures of `idx_folder`
NO_CHECKPOINT='run cannot be resumed: it has no checkpoint.safetensors, which is written after each epoch; train anew '\
'with --out run --force'

# no test finds the user's tuning files, or measures before it trains, unless it asks for it
export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config CLUTCH_TUNE=off

setup()
{
    mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return 1
}

# fail WORDS: ends the test
fail()
{
    echo "$@" >&2
    return 1
}

# need_pillow: sets `python` to one that has NumPy and Pillow, or skips the test
need_pillow()
{
    local each
    for each in python3 /usr/bin/python3; do
        ! $each -c 'import numpy, PIL' 2>/dev/null || python=$each
    done
    [ -n "${python-}" ] || skip 'no Python with NumPy and Pillow'
}

# the word of a path that is a file of this tree
tree()
{
    echo "$BATS_TEST_DIRNAME/../../$1"
}

# trained FOLDER: a run over 300 digits, trained once in a file of tests, which also warms the cache of kernels
trained()
{
    local kept=$BATS_FILE_TMPDIR/trained
    [ -d "$kept" ] || "$CLUTCH" train "$NET" --data digits --limit 300 --epochs 1 --out "$kept" >"$kept.log" 2>&1 ||
        fail "$(cat "$kept.log")"
    cp -r "$kept" "$1"
}

# stderr of the last run but for the note that kernels are compiled, which comes with a cold cache
complaints()
{
    grep -v '^clutch: compiling kernels for ' <<<"$stderr"
}

# good ARGUMENTS...: exit code 0, and no complaints
good()
{
    run --separate-stderr "$CLUTCH" "$@"
    # shellcheck disable=SC2154 # bats sets stderr and status
    [ "$status" = 0 ] || fail "exit code $status: $stderr"
    [ -z "$(complaints)" ] || fail "something on stderr: $stderr"
}

# bits_equal FILE FILE: times in checkpoints are no bits of a run
bits_equal()
{
    cmp -s "$1" "$2" || python3 "$BATS_TEST_DIRNAME/same_tensors.py" "$1" "$2" || fail "$1 and $2 differ"
}

# all files and folders here, with sums of what they hold
listing()
{
    find . -printf '%y %p\n' | sort
    find . -type f -exec cksum {} + | sort
}

# refused MESSAGE ARGUMENTS...: exit code 2, MESSAGE as the only line on stderr, nothing on stdout, no file left or
# changed, no kernel built. REFUSED_BY is the name before the message; default: "clutch COMMAND".
refused()
{
    refused_late "$@"
    [ -z "$output" ] || fail "something on stdout: $output"
    [ ! -e "$BATS_TEST_TMPDIR/cold/clutch" ] || fail "kernels were built for: $*"
}

# as refused, where kernels may be built and the head of a run printed before it shows what is wrong
refused_late()
{
    local message=$1 before cache=$BATS_TEST_TMPDIR/cold
    shift
    [ "${FUNCNAME[1]}" = refused ] || cache=$XDG_CACHE_HOME
    before=$(listing)
    XDG_CACHE_HOME=$cache run --separate-stderr "$CLUTCH" "$@"
    [ "$(complaints)" = "${REFUSED_BY-clutch $1}: $message" ] || fail "stderr is: $stderr"$'\n'"wanted: $message"
    [ "$status" = 2 ] || fail "exit code $status: $*"
    [ "$(listing)" = "$before" ] || fail "files changed: $(diff <(echo "$before") <(listing))"
}

# ---- IDX files -------------------------------------------------------------------------------------------------------

# be32 NUMBERS...: each in four bytes
be32()
{
    local n shift
    for n; do
        for shift in 24 16 8 0; do
            printf '%b' "$(printf '\\x%02x' $((n >> shift & 255)))"
        done
    done
}

# idx_pictures FILE N [HEIGHT WIDTH]: black ones
idx_pictures()
{
    local h=${3-6} w=${4-6}
    { printf '\0\0\010\003' && be32 "$2" "$h" "$w" && head -c $(($2 * h * w)) /dev/zero; } >"$1"
}

# idx_labels FILE N [LABEL]: all the same
idx_labels()
{
    { printf '\0\0\010\001' && be32 "$2" && head -c "$2" /dev/zero | tr '\0' "\\${3-0}"; } >"$1"
}

# idx_folder FOLDER: 20 pictures to train on and 10 to test
idx_folder()
{
    mkdir "$1"
    idx_pictures "$1/train-images-idx3-ubyte" 20
    idx_labels "$1/train-labels-idx1-ubyte" 20
    idx_pictures "$1/t10k-images-idx3-ubyte" 10
    idx_labels "$1/t10k-labels-idx1-ubyte" 10
}

# ---- JSON ------------------------------------------------------------------------------------------------------------

# json EXPRESSION: Python's value of it, where `d` lists the JSON values on standard input, one a line
json()
{
    python3 -c 'import json, sys; d = [json.loads(line) for line in sys.stdin]; print(eval(sys.argv[1]))' "$1"
}

# "0:0 NAME, 1:0 NAME": as messages list the devices
here_are()
{
    "$CLUTCH" devices --json | json '", ".join(e["id"] + " " + e["name"] for e in d[0]["devices"])'
}
