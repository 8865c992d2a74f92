# What a run leaves as it goes, and how it is taken up again: signals, checkpoints, the best model, more epochs,
# repeats.
load common

SHORT=(--data digits --limit 400 --batch 32 --draw-every 0)
LEARNED='[[e[k] for k in ("epoch", "step", "train_loss", "test_loss", "test_accuracy", "learning_rate")] for e in d]'

# same_run FOLDER FOLDER: the same bits, and the same told of each epoch
same_run()
{
    local file
    for file in model model-best checkpoint; do
        bits_equal "$1/$file.safetensors" "$2/$file.safetensors"
    done
    [ "$(json "$LEARNED" <"$1/metrics.jsonl")" = "$(json "$LEARNED" <"$2/metrics.jsonl")" ] || fail "other metrics"
}

# stopped SIGNAL FOLDER ARGUMENTS...: a run that gets SIGNAL when its first epoch is told; sets `code` and `told`
stopped()
{
    local signal=$1 folder=$2 line
    shift 2
    mkfifo pipe
    "$CLUTCH" train "$@" --json --out "$folder" >pipe 2>err 3>&- &
    local child=$!
    exec 4<pipe
    read -r line <&4
    kill "-$signal" "$child"
    cat <&4 >/dev/null
    exec 4<&-
    code=0
    wait "$child" || code=$?
    told=$(grep -v 'compiling kernels' err)
    rm pipe
}

@test "a signal saves the run, and tells how to go on" {
    good train "$NET" "${SHORT[@]}" --epochs 300 --out whole
    stopped TERM part "$NET" "${SHORT[@]}" --epochs 300
    [ "$code" = 143 ]
    [[ $told == "clutch train: interrupted by SIGTERM after step "*" of 300 epochs are done), and saved; go on with: \
clutch train --resume part" ]]
    good train --resume part --draw-every 0
    same_run whole part
    rm -r part
    stopped TERM 'with blanks' "$NET" "${SHORT[@]}" --epochs 300
    [[ $told == *"go on with: clutch train --resume 'with blanks'" ]]
    stopped HUP other "$NET" "${SHORT[@]}" --epochs 300
    [ "$code" = 129 ]
}

@test "a signal in lockstep, and modules that run freely" {
    local net='input 1x28x28; dense 16; batchnorm; relu; cut csg; dense 12; relu; dense 10; loss softmax' code told
    good train "$net" "${SHORT[@]}" --epochs 40 --lockstep --out whole
    stopped TERM part "$net" "${SHORT[@]}" --epochs 40 --lockstep
    [ "$code" = 143 ]
    good train --resume part --draw-every 0
    same_run whole part
    bits_equal whole/couplings.safetensors part/couplings.safetensors
    stopped TERM free "$net" "${SHORT[@]}" --epochs 200
    [ "$code" = 143 ]
    good train --resume free --draw-every 0 --epochs 201
    [ "$(wc -l <free/metrics.jsonl)" = 201 ]
}

@test "checkpoints within an epoch change no bit" {
    good train "$NET" "${SHORT[@]}" --epochs 2 --out whole
    good train "$NET" "${SHORT[@]}" --epochs 2 --checkpoint-every 1e-9 --out often
    same_run whole often
}

@test "metrics are cut back to the checkpoint, and half a line goes" {
    good train "$NET" "${SHORT[@]}" --epochs 4 --out whole
    good train "$NET" "${SHORT[@]}" --epochs 4 --keep 4 --out part
    cp part/checkpoint-000002.safetensors part/checkpoint.safetensors # as if killed behind the second epoch
    printf '{"epoch": 5, "ste' >>part/metrics.jsonl
    good train --resume part --draw-every 0
    [[ $output == *'resume: part, 2 of 4 epochs are done'* ]]
    same_run whole part
    [ "$(wc -l <part/metrics.jsonl)" = 4 ]
}

@test "what there is one of" {
    good train "$NET" "${SHORT[@]}" --epochs 1 --draw-every 0 --out run
    good train --resume run
    [ "$output" = 'finished: run has its 1 epoch; --epochs with more goes on' ]
    good train --resume run --epochs 2 --draw-every 0
    [[ $output == *'resume: run, 1 of 2 epochs are done'* ]]
    refused 'net: 2 modules need 1 cut, and places for cuts are 0: before each layer with products '\
'but the first' plan 'input 1x28x28; dense 10; loss softmax' --modules 2 --devices virtual:2@8
}

@test "a finished run says so, mends its files, and goes on with more epochs" {
    good train "$NET" "${SHORT[@]}" --epochs 2 --out run
    local before
    before=$(listing)
    good train --resume run
    [ "$output" = 'finished: run has its 2 epochs; --epochs with more goes on' ]
    [ "$(listing)" = "$before" ]
    cp run/model.safetensors model
    head -c 1000 model >run/model.safetensors
    run --separate-stderr "$CLUTCH" train --resume run
    [ "$status" = 0 ]
    [ "$stderr" = 'clutch: run/model.safetensors was damaged, and was made from the checkpoint again' ]
    cmp model run/model.safetensors
    good train "$NET" --data digits --limit 64 --epochs 1 --out 'a page'
    rm 'a page/index.html' # as if killed behind the last checkpoint
    good train --resume 'a page'
    [ -s 'a page/index.html' ]
    refused '--epochs is 1, but 2 of 2 are done; allowed are 3 and more' train --resume run --epochs 1
    good train --resume run --epochs 4 --lr 0.0005 --draw-every 0
    [[ $output == *'change: 4 epochs instead of 2; rate 0.0005 instead of 0.001; by the schedule (cosine) the next '\
'step takes 0.00025'* ]]
    [ "$(wc -l <run/metrics.jsonl)" = 4 ]
    [ "$(json '[(c["step"], c["epochs"], c["lr"]) for c in d[0]["changes"]]' <<<"$(tr -d '\n' <run/run.json)")" = \
        '[(26, 4, 0.0005)]' ]
    good train --repeat run --out again --draw-every 0 # with what was changed on the way
    same_run run again
}

@test "data that were moved" {
    mkdir here && idx_folder here/data
    (cd here && "$CLUTCH" train "$TINY" --data data --epochs 1 --batch 4 --draw-every 0 --out ../run)
    good train --resume run --epochs 2 # from elsewhere, by the path that the run keeps
    mv here/data moved
    refused "unknown data set 'data'; known: fashion-mnist, mnist, digits; or give a folder" \
        train --resume run --epochs 3
    good train --resume run --epochs 3 --data moved
    idx_folder fewer
    idx_pictures fewer/train-images-idx3-ubyte 12
    idx_labels fewer/train-labels-idx1-ubyte 12
    refused 'fewer has 12 samples to train on, the run began with 20' train --resume run --epochs 4 --data fewer
}

@test "the best model, and patience" {
    good train "$NET" "${SHORT[@]}" --validation 100 --epochs 60 --patience 2 --lr 0.02 --out run
    local best n
    best=$(json 'max(d, key=lambda e: e["validation_accuracy"])["epoch"]' <run/metrics.jsonl)
    n=$(wc -l <run/metrics.jsonl)
    [ "$n" = $((best + 2)) ]
    [[ $output == *"no better for 2 epochs: the run ends (--patience)"* ]]
    [[ $output == *"best: epoch $best, validation accuracy "*' (model-best.safetensors)'* ]]
    ! cmp -s run/model.safetensors run/model-best.safetensors
    good eval run --best --split validation --json
    [ "$(json 'd[0]["validation_accuracy"]' <<<"$output")" = \
        "$(json 'max(e["validation_accuracy"] for e in d)' <run/metrics.jsonl)" ]
    good predict run "$(tree assets/boot.png)" --best
    good train --resume run
    [[ $output == "finished: run ended after $n of 60 epochs, 2 behind its best (epoch $best)"* ]]
    good train --resume run --patience 4 --draw-every 0
    [ "$(wc -l <run/metrics.jsonl)" -gt "$n" ]
    good train --repeat run --out again --draw-every 0
    same_run run again
}

@test "the last checkpoints, and one that is damaged" {
    good train "$NET" "${SHORT[@]}" --epochs 5 --keep 3 --out run
    [ "$(cd run && echo checkpoint*)" = 'checkpoint-000003.safetensors checkpoint-000004.safetensors '\
'checkpoint-000005.safetensors checkpoint.safetensors' ]
    cmp run/checkpoint.safetensors run/checkpoint-000005.safetensors
    rm run/checkpoint-000005.safetensors
    cp -r run whole
    cp -r run back
    cp back/checkpoint-000003.safetensors back/checkpoint.safetensors
    good train --resume back --draw-every 0 --epochs 4
    [ "$(cd back && echo checkpoint*)" = 'checkpoint-000003.safetensors checkpoint-000004.safetensors '\
'checkpoint.safetensors' ]
    head -c 5000 whole/checkpoint.safetensors >run/checkpoint.safetensors
    run --separate-stderr "$CLUTCH" train --resume run --draw-every 0
    [ "$status" = 0 ]
    [[ $(complaints) == *'run/checkpoint-000004.safetensors is the last one that is whole' ]]
    [[ $output == *'resume: run, 4 of 5 epochs are done'* ]]
    same_run whole run
}

@test "a run that diverges is brought back" {
    local options=(--data digits --limit 500 --epochs 3 --batch 32 --optimizer sgd --momentum 0 --draw-every 0)
    local net='input 784; dense 16; relu; dense 10; loss softmax'
    run --separate-stderr "$CLUTCH" train "$net" "${options[@]}" --lr 60 --on-divergence restore --out run
    [ "$status" = 0 ] || fail "$stderr"
    [[ $(complaints) == *'; back to step 0, and on with half the rate, 30'* ]]
    [ "$(wc -l <run/metrics.jsonl)" = 3 ]
    run --separate-stderr "$CLUTCH" train --repeat run --out again --draw-every 0
    [ "$status" = 0 ] || fail "$stderr"
    same_run run again
    run --separate-stderr "$CLUTCH" train "$net" "${options[@]}" --lr 1000 --on-divergence restore --out none
    [ "$status" = 1 ]
    [[ $stderr == *'; the run was brought back, and its rate halved, 5 times' ]]
}

@test "a run is repeated from its run.json" {
    good train "$NET" "${SHORT[@]}" --epochs 2 --seed 7 --optimizer sgd --momentum 0.5 --warmup 1 --out run
    good train --repeat run --out again --draw-every 0
    same_run run again
    refused 'run folder again is not empty; --force overwrites it, or choose another with --out' \
        train --repeat run --out again
}

@test "a repeated run changes within an epoch too" {
    good train "$NET" "${SHORT[@]}" --epochs 2 --out run
    good train --resume run --epochs 3 --draw-every 0
    # as if the change had come in the middle of the second epoch
    sed -i 's/"step": 26/"step": 19/' run/run.json
    good train --repeat run --out one --draw-every 0
    good train --repeat run --out two --draw-every 0
    same_run one two
    [ "$(json 'd[1]["learning_rate"]' <one/metrics.jsonl)" != "$(json 'd[1]["learning_rate"]' <run/metrics.jsonl)" ]
}
