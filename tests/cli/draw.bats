# Pictures as a user asks for them: what is drawn, what it shows, what a page has, what is refused.
load common

setup_file()
{
    need_pillow
    export python
}

# look ARGUMENTS...: through readers that are not ours
look()
{
    $python "$BATS_TEST_DIRNAME/drawn.py" "$@" || fail "drawn.py $*"
}

@test "training draws its weights, keeps frames, and ends with a page" {
    trained run
    look weights run
    look motion run 2
    [ "$(look page run)" -ge 5 ]
    grep -q 'run/index.html\|trained/index.html' "$BATS_FILE_TMPDIR/trained.log"
}

@test "--draw-every: how many frames there are, none at all, and frames of a run that goes on" {
    good train "$NET" --data digits --limit 128 --epochs 4 --draw-every 3 --out some
    [ "$(ls some/snapshots | tr '\n' ' ')" = \
        'epoch-00000.safetensors epoch-00003.safetensors epoch-00004.safetensors ' ]
    look motion some 3
    good train "$NET" --data digits --limit 128 --epochs 1 --draw-every 0 --out none
    [ ! -e none/snapshots ] && [ ! -e none/index.html ] && [ -z "$(ls none/pictures)" ]
    good train "$NET" --data digits --limit 128 --epochs 1 --out some --force
    [ "$(ls some/snapshots | wc -l)" = 2 ]
    refused '--draw-every is -1, must be from 0 to 100000' train "$NET" --data digits --draw-every -1 --out no
}

@test "the surest mistakes of a net whose loss makes no probabilities" {
    good train 'input 1x28x28; dense 10; loss squared' --data digits --limit 300 --epochs 1 --out run
    good eval run --json
    local accuracy
    accuracy=$(json 'd[0]["test_accuracy"]' <<<"$output")
    good draw run
    look confusion run "$accuracy" output
    [ -s run/pictures/mistakes.png ] && [ -s run/pictures/inputs-classes.png ]
}

@test "pictures that cannot be written: a note, and training goes on" {
    mkdir -p run/snapshots/epoch-00001.safetensors run/pictures/curves.png
    echo '{"clutch": ""}' >run/run.json
    run --separate-stderr "$CLUTCH" train "$NET" --data digits --limit 128 --epochs 2 --out run --force
    [ "$status" = 0 ] && [ -s run/model.safetensors ] && [ "$(wc -l <run/metrics.jsonl)" = 2 ]
    [[ $(complaints) == *' 1 of 3 frames of weights were not kept or drawn; the first: '*run/snapshots/epoch-00001* ]]
    [[ $(complaints) == *' pictures were not drawn: '*run/pictures/curves.png* ]]
}

@test "draw adds what the net makes of the test set" {
    trained run
    good eval run --json
    local accuracy
    accuracy=$(json 'd[0]["test_accuracy"]' <<<"$output")
    good draw run --units 4
    [[ $output == *' pictures on one page: run/index.html' ]]
    look confusion run "$accuracy"
    look page run
    local name
    for name in curves confusion mistakes dissimilarity inputs-classes inputs-00 weights-00-0.weight \
        weights-01-4.weight weights-change-00-0.weight weights-moved-00-0.weight; do
        [ -s run/pictures/$name.png ] || fail "no $name.png"
    done
    good draw run --no-data --out elsewhere --json
    [ "$(json 'd[-1]["page"]' <<<"$output")" = elsewhere/index.html ]
    [ "$(json 'len(d) - 1' <<<"$output")" = "$(look page elsewhere)" ]
    [ ! -e elsewhere/pictures/confusion.png ]
}

@test "the same run drawn twice gives the same bytes" {
    trained run
    good draw run --units 4 --out a
    good draw run --units 4 --out b
    diff -r a/pictures b/pictures
}

@test "runs in modules have a time line, staleness and alignment; several runs lie over each other" {
    good train 'input 1x28x28; dense 16; relu; cut; dense 16; relu; dense 10; loss softmax' --data digits --limit 640 \
        --batch 64 --epochs 2 --devices virtual:2@1 --out free
    good train 'input 1x28x28; dense 16; relu; cut exact; dense 16; relu; dense 10; loss softmax' --data digits \
        --limit 640 --batch 64 --epochs 2 --devices virtual:2@1 --out locked
    [ -s free/pictures/devices.png ] && [ -s free/pictures/cuts.png ]
    [ -s free/pictures/coupling-00-cut0.net0.0.weight.png ]
    good draw locked free --no-data --out both
    look page both
    # shellcheck disable=SC2046 # two numbers
    set -- $(look size both/pictures/devices.png) $(look size locked/pictures/devices.png)
    [ "$2" -gt "$4" ] # two time lines, one below the other
}

@test "weights that are not finite, all equal, or one unit's" {
    local kind
    for kind in bad zero equal one none; do
        look make $kind.safetensors $kind
        good draw $kind.safetensors --input 1x7x7
        [ -s $kind-pictures/pictures/weights-00-w.png ]
        look page $kind-pictures
    done
    [ "$(look text bad-pictures/pictures/weights-00-w.png 'not finite')" = 2 ]
    [[ $(good draw bad.safetensors --input 1x7x7 && echo "$output") == *'2 NOT FINITE'* ]]
    [ "$(look pixel bad-pictures/pictures/weights-00-w.png)" = '120 230 0' ]
    [ "$(look pixel zero-pictures/pictures/weights-00-w.png)" = '247 247 247' ]
    [ "$(look text zero-pictures/pictures/weights-00-w.png range)" = 0 ]
    [ "$(look pixel equal-pictures/pictures/weights-00-w.png)" = '5 48 97' ]
    [ "$(look text one-pictures/pictures/weights-00-w.png tiles)" = '1 in 1 row and 1 column' ]
}

@test "a run whose weights are no numbers is drawn all the same" {
    trained run
    look spoil run
    run --separate-stderr "$CLUTCH" draw run --units 2
    [ "$status" = 0 ] || fail "$stderr"
    [[ $(complaints) == 'clutch: inputs that excite units were not made: '* ]]
    [ "$(look text run/pictures/weights-00-0.weight.png 'not finite')" = 1 ]
    look page run
}

@test "a name in letters beyond ASCII comes back" {
    printf 'input 1x28x28\ndense 4\nrelu\ndense 10\nloss softmax\n' >Größe.net
    good train Größe.net --data digits --limit 128 --epochs 1 --out run
    [ "$(look text run/pictures/weights-00-0.weight.png net)" = Größe.net ]
}

@test "kernels and colour, of a file that is no run's" {
    look make color.safetensors color
    good draw color.safetensors --input 3x6x6
    [[ $output == *'5 units, 6 x 6 inputs each, true colour'* ]]
    look make kernels.safetensors kernels
    good draw kernels.safetensors --out out
    [[ $output == *'8 kernels of 5 x 5;'* && $output == *'8 kernels of 5 x 5, true colour'* ]]
    [[ $output == *'kernels of 3 x 3: 12 outputs down, 7 inputs across'* ]]
    [ "$(look text out/pictures/weights-02-c.png tiles)" = '84 in 12 rows and 7 columns' ]
    good draw kernels.safetensors --out out --range tile
    [[ $output == *'a range for each tile'* ]]
}

@test "no picture is larger than asked for" {
    look make large.safetensors large
    good draw large.safetensors --input 1x28x28
    [[ $output == *"5000 outputs down, 8 inputs across (cut at 3808 pixels)"* ]]
    local name size
    for name in 00-a 01-b 02-c 03-d; do
        for size in $(look size large-pictures/pictures/weights-$name.png); do
            [ "$size" -le 4096 ]
        done
    done
    good draw large.safetensors --input 1x28x28 --side 1024
    for size in $(look size large-pictures/pictures/weights-01-b.png); do
        [ "$size" -le 1024 ]
    done
    [ "$(look text large-pictures/pictures/weights-01-b.png tiles)" = '33489 in 183 rows and 183 columns' ]
}

@test "what draw refuses" {
    refused '--range is '"'nothing', must be layer or tile" draw run --range nothing
    refused '--units is 401, must be from 0 to 400' draw run --units 401
    refused '--side is 10, must be from 1024 to 16000' draw run --side 10
    refused 'run is not a run folder: there is no such folder' draw run
    look make v.safetensors vector
    refused 'v.safetensors has no tensor of two dimensions or more' draw v.safetensors
    refused "--input is '28', must be channels x height x width, as 1x28x28" draw v.safetensors --input 28
    refused 'other: one file of tensors at a time, and no runs beside it' draw v.safetensors other
    trained run
    refused '--input is for FILE.safetensors: a run knows its pictures' draw run --input 1x28x28
    idx_folder data
    refused "the pictures of data are 1x6x6 of 2 classes, those of the run 1x28x28 of 10" draw run --data data
    rm run/model.safetensors
    refused 'run has no model.safetensors, which is written after each epoch' draw run
}
