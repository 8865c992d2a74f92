# Files and folders that are odd, strange or in use: nothing that is not a run's is removed, no link is followed, no
# pipe is waited for, and one process at a time writes into a run folder.
load common

SHORT=(--data digits --limit 128 --epochs 1 --draw-every 0)

# run_json FOLDER: makes it a run's, as far as --force asks
run_json()
{
    mkdir -p "$1" && echo '{"clutch": "1", "net": {}}' >"$1/run.json"
}

# held FOLDER: another program has the lock of the folder, as a clutch of process 4711 would
held()
{
    echo 4711 >"$1/.clutch-lock"
    exec 9<"$1/.clutch-lock"
    flock -n 9
}

@test "--force leaves alone what is no run's folder" {
    mkdir -p mine/pictures mine/snapshots
    touch mine/pictures/holiday.png mine/pictures/table.csv mine/snapshots/a.safetensors mine/index.html mine/notes
    local message='folder mine is not empty and holds no run (it has no run.json of one), and --force overwrites runs '
    message+='only; choose another with --out'
    refused_late "$message" train "$NET" "${SHORT[@]}" --out mine --force
    echo '{"name": "some package"}' >mine/run.json
    refused_late "$message" train "$NET" "${SHORT[@]}" --out mine --force
}

@test "--force removes what a run writes, and nothing else" {
    trained run
    touch run/pictures/holiday.png run/pictures/table.csv run/snapshots/mine.safetensors run/notes
    touch run/pictures/weights-99-old.weight.png run/snapshots/epoch-00099.safetensors run/checkpoint-00001.safetensors
    good train "$NET" "${SHORT[@]}" --out run --force
    [ "$(ls run/pictures | tr '\n' ' ')" = 'holiday.png table.csv ' ]
    [ "$(ls run/snapshots)" = mine.safetensors ]
    [ -e run/notes ] && [ ! -e run/checkpoint-00001.safetensors ] && [ ! -e run/index.html ]
}

@test "links in a run folder are refused or replaced, never followed" {
    mkdir elsewhere
    echo precious | tee elsewhere/curves.png elsewhere/metrics.jsonl elsewhere/model.safetensors >elsewhere/run.json
    local name
    for name in pictures snapshots; do
        run_json run
        ln -s ../elsewhere run/$name
        refused_late "run/$name is a link, but a run writes into a folder of its own there" \
            train "$NET" "${SHORT[@]}" --out run --force
        rm -r run
    done
    run_json run
    for name in metrics.jsonl model.safetensors checkpoint.safetensors .clutch-0123456789abcdef.part; do
        ln -s ../elsewhere/"$name" run/$name
    done
    good train "$NET" "${SHORT[@]}" --out run --force
    [ -f run/metrics.jsonl ] && [ ! -L run/metrics.jsonl ] && [ ! -L run/model.safetensors ]
    [ "$(cat elsewhere/* | sort -u)" = precious ] && [ "$(ls elsewhere | wc -l)" = 4 ]
    mv run/metrics.jsonl . && ln -s ../metrics.jsonl run/metrics.jsonl
    local before
    before=$(cksum metrics.jsonl)
    run "$CLUTCH" train --resume run --epochs 2
    [ "$(cksum metrics.jsonl)" = "$before" ]
    rm -r run/pictures && ln -s ../elsewhere run/pictures
    refused_late 'run/pictures is a link, but a run writes into a folder of its own there' draw run --no-data
    [ "$(cat elsewhere/* | sort -u)" = precious ]
}

@test "a run folder may be named through links" {
    mkdir -p there/deep && ln -s there here && ln -s deep there/link
    good train "$NET" "${SHORT[@]}" --out here/link
    [ -s there/deep/model.safetensors ] && [ -L there/link ]
    good draw here/link --no-data
    [ -s there/deep/index.html ] && [ ! -e there/deep/.clutch-lock ]
}

@test "one process at a time writes into a run folder, and the second is told which" {
    trained run
    held run
    local message='folder run is in use: clutch, process 4711, writes into it'
    refused_late "$message" train "$NET" "${SHORT[@]}" --out run --force
    refused_late "$message" draw run --no-data
    ln -s run by-link
    refused_late "${message/run/by-link}" train "$NET" "${SHORT[@]}" --out by-link --force
    good draw run --no-data --out elsewhere # which only reads the run
    good eval run
    exec 9<&-
    good draw run --no-data # a lock that was left lying is none
    [ ! -e run/.clutch-lock ]
}

@test "two that start at once: one trains, one is refused" {
    run_json run
    local one two code_one=0 code_two=0
    "$CLUTCH" train "$NET" "${SHORT[@]}" --out run --force >one 2>one.err & one=$!
    "$CLUTCH" train "$NET" "${SHORT[@]}" --out run --force >two 2>two.err & two=$!
    wait $one || code_one=$?
    wait $two || code_two=$?
    case $code_one$code_two in
    02 | 20) grep -qE "^clutch train: folder run is in use: clutch, process ($one|$two), writes into it" ./*.err ;;
    00) ;; # one after the other
    *) fail "exit codes $code_one and $code_two: $(cat ./*.err)" ;;
    esac
    [ "$(wc -l <run/metrics.jsonl)" = 1 ]
}

@test "what a killed run left half-written is removed by the next one in its folder, and by no other" {
    run_json run
    mkdir run/pictures
    local part=.clutch-0123456789abcdef.part
    touch run/$part run/pictures/$part run/.clutch-0123.part run/clutch-0123456789abcdef.part
    exec 8<run/pictures/$part
    flock -n 8 # somebody is writing this one
    good train "$NET" "${SHORT[@]}" --out run --force
    [ ! -e run/$part ] && [ -e run/pictures/$part ]
    [ -e run/.clutch-0123.part ] && [ -e run/clutch-0123456789abcdef.part ]
    exec 8<&-
    good draw run --no-data
    [ ! -e run/pictures/$part ]
}

@test "a run that is killed before it wrote anything can be started again" {
    local n
    CLUTCH_KILL_LOG=points good train "$NET" "${SHORT[@]}" --out count
    for ((n = 1; n < 12; n++)); do
        CLUTCH_KILL=$n run "$CLUTCH" train "$NET" "${SHORT[@]}" --out run
        [ "$status" = 137 ] || fail "kill point $n: exit code $status"
        [ ! -e run/run.json ] || break
    done
    [ -e run/run.json ] || fail "no run.json behind $n kill points: $(cat points)"
    rm run/run.json
    good train "$NET" "${SHORT[@]}" --out run
    cmp run/model.safetensors count/model.safetensors
}

@test "a FIFO, a socket, a device or a folder in place of a file is named, and nothing waits" {
    local kind='a FIFO, not a file' file command
    trained run
    idx_folder data
    mkfifo pipe
    # a net, a picture
    refused "cannot read pipe: it is $kind" train pipe --data digits
    refused 'cannot read /dev/null: it is a device, not a file' train /dev/null --data digits
    refused "cannot read /dev/stdin: it is $kind" train /dev/stdin --data digits < <(echo "$NET")
    refused "cannot read pipe: it is $kind" predict run pipe
    refused "cannot read pipe: it is $kind" plan pipe
    # data
    for file in train-images-idx3-ubyte t10k-labels-idx1-ubyte; do
        rm data/$file && mkfifo data/$file
        refused "cannot read data/$file: it is $kind" train "$TINY" --data data
        rm -r data && idx_folder data
    done
    mkdir -p photos/a photos/b && mkfifo photos/a/1.png
    run timeout 20 "$CLUTCH" train "$TINY" --data photos
    [ "$status" = 2 ]
    # a run's
    for file in run.json model.safetensors checkpoint.safetensors metrics.jsonl; do
        mv run/$file kept && mkfifo run/$file
        for command in 'eval run' 'train --resume run' 'draw run --no-data' 'predict run picture.png'; do
            # shellcheck disable=SC2086 # words
            run timeout 60 "$CLUTCH" $command
            [ "$status" != 124 ] || fail "$command waits for $file"
        done
        rm run/$file && mv kept run/$file
    done
    mv run/run.json kept && mkfifo run/run.json
    refused "run is not a run folder: cannot read run/run.json: it is $kind" eval run
    rm run/run.json && mv kept run/run.json
    rm run/model.safetensors && mkfifo run/model.safetensors
    refused_late "cannot read run/model.safetensors: it is $kind" eval run
}

@test "a net through standard input that is a file is read" {
    echo "$NET" >a.net
    good train /dev/stdin "${SHORT[@]}" --out run <a.net
}
