# What reaches a terminal or a pipe: order, width, and nothing that steers the terminal.
load common

ESC=$'\033'

# on_terminal COLUMNS ARGUMENTS...: the program on a pseudo-terminal so wide; prints what it wrote, as it is
on_terminal()
{
    python3 - "$@" <<'END'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execv(os.environ["CLUTCH"], ["clutch"] + sys.argv[2:])
out = b""
while True:
    try:
        part = os.read(fd, 65536)
    except OSError:
        break
    if not part:
        break
    out += part
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(out.replace(b"\r\n", b"\n"))
sys.exit(os.WEXITSTATUS(status))
END
}

# the widest that a line gets which is rewritten, on standard input; what stays in its place is not looked at
widest_rewritten()
{
    python3 -c 'import sys
print(max([len(p) for l in sys.stdin.buffer.read().split(b"\n") for p in l.split(b"\r")[1:-1]] or [0]))'
}

@test "in a pipe the head and what goes wrong come in order, without codes" {
    idx_folder data
    run bash -c '"$CLUTCH" train "$1" --data data --epochs 1 --out run 2>&1 | cat' - "$TINY"
    [ "$status" = 0 ]
    [[ ${lines[0]} == 'net:    net' ]]
    [[ $output != *"$ESC"* && $output != *$'\r'* ]]
    # a note on stderr stands behind the lines that were printed before it
    trained good
    run bash -c '"$CLUTCH" predict good "$1" nowhere.png 2>&1 | cat' - "$(tree assets/boot.png)"
    [[ ${lines[-1]} == 'clutch predict: '* ]]
}

@test "the head of a run is there before the run ends" {
    mkfifo out
    "$CLUTCH" train "$NET" --data digits --limit 2000 --epochs 100000 --out run --draw-every 0 >out 2>/dev/null &
    local pid=$! line=
    exec 9<out
    while IFS= read -r line <&9 && [[ $line != 'train:  '* ]]; do :; done
    kill -KILL $pid
    exec 9<&-
    wait $pid || true
    [[ $line == 'train:  adam, betas 0.9 and 0.999, weight decay 0, rate 0.001 (cosine), batch 128, 100000 epochs, '* ]]
}

@test "a line that rewrites itself is cut to the terminal, and is no code" {
    local columns
    for columns in 40 200; do
        on_terminal $columns train "$NET" --data digits --limit 3000 --batch 8 --epochs 2 --out run$columns \
            --draw-every 0 >typed
        grep -q $'\r' typed
        ! grep -q "$ESC" typed
    done
    [ "$(widest_rewritten <typed)" -gt 60 ] # the whole line, where there is room
    on_terminal 40 train "$NET" --data digits --limit 3000 --batch 8 --epochs 2 --out run --draw-every 0 >typed
    [ "$(widest_rewritten <typed)" -le 39 ]
    [ "$(widest_rewritten <typed)" -gt 30 ]
    TERM=dumb on_terminal 40 train "$NET" --data digits --limit 3000 --batch 8 --epochs 2 --out dumb --draw-every 0 \
        >typed
    ! grep -q $'\r' typed
}

@test "help is as wide as the terminal, up to 100 columns" {
    local columns
    for columns in 40 80 100 300; do
        on_terminal $columns help tune >typed
        awk -v most=$((columns < 100 ? columns : 100)) 'length > most { exit 1 }' typed || fail "$columns: $(cat typed)"
        COLUMNS=$columns "$CLUTCH" help tune | cmp - typed
    done
    "$CLUTCH" help tune | awk 'length > 80 { exit 1 }'
}

@test "names that would steer the terminal are shown" {
    local name=$'a\033[31mb\nc\u202ed\xff\u0085e'
    local shown='a\u001b[31mb\nc\u202ed\xff\u0085e'
    run --separate-stderr "$CLUTCH" "$name"
    [[ $status == 2 && $stderr == "clutch: unknown command '$shown'; known: "* ]]
    run --separate-stderr "$CLUTCH" eval "$name"
    [[ $status == 2 && ${#stderr_lines[@]} == 1 && $stderr == *"$shown"* ]]
    # a class folder, and a picture
    trained run
    name=$'p\033[31m\u202e.png'
    cp "$(tree assets/boot.png)" "$name"
    good predict run "$name"
    [[ ${lines[0]} == 'p\u001b[31m\u202e.png: '* ]]
    [ "${#lines[@]}" = 1 ]
    # JSON is shown so too, and says the same
    good predict run "$name" --json
    [[ $output != *$'\u202e'* ]]
    [ "$(json 'd[0]["image"] == "p\x1b[31m\u202e.png"' <<<"$output")" = True ]
}

@test "lists of many names end" {
    trained run
    python3 - <<'END'
import json, struct
names = ["t%05d" % i for i in range(20000)]
header = json.dumps({n: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in names}).encode()
open("run/model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header)
END
    run --separate-stderr "$CLUTCH" eval run
    [[ $status == 2 && ${#stderr_lines[@]} == 1 && ${#stderr} -lt 1500 && $stderr == *' more' ]]
}
