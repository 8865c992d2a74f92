# Good runs from one end to the other: what they leave, repeat, and go on with.
load common

@test "a run leaves its files, and eval finds what it told" {
    good train "$NET" --data digits --limit 1000 --validation 200 --epochs 2 --warmup 0.5 --batch 64 --seed 3 \
        --out a/run
    [[ $output == *'data:   digits: 800 to train on, 200 held out, 2000 to test, 10 classes'* ]]
    [[ $output == *'memory: parameters '*'; in all '*' of '* && $output == *'run folder: a/run' ]]
    [ "$(cd a/run && find . -type f ! -path './pictures/*' ! -path './snapshots/*' | sort | tr '\n' ' ')" = \
        './checkpoint.safetensors ./index.html ./metrics.jsonl ./model-best.safetensors '\
'./model.safetensors ./run.json ' ]
    [ "$(json '[(e["epoch"], e["step"]) for e in d]' <a/run/metrics.jsonl)" = '[(1, 13), (2, 26)]' ]
    [ "$(json '" ".join(sorted(d[1]))' <a/run/metrics.jsonl)" = "epoch learning_rate modules samples_per_second \
seconds step test_accuracy test_loss train_accuracy train_loss validation_accuracy validation_loss" ]
    [ "$(json 'all(0 <= e[k + "_accuracy"] <= 1 and 0 < e[k + "_loss"] < 10
        for e in d for k in ("train", "test", "validation"))' <a/run/metrics.jsonl)" = True ]
    [ "$(json '0 < d[0]["seconds"] < d[1]["seconds"] and d[0]["samples_per_second"] > 0' <a/run/metrics.jsonl)" = True ]
    [ "$(json '[sorted(m) for e in d for m in e["modules"]]' <a/run/metrics.jsonl)" = \
        "[['busy', 'device', 'stale_steps'], ['busy', 'device', 'stale_steps']]" ]
    [ "$(json 'all(m["stale_steps"] == 0 and (m["busy"] is None or 0 < m["busy"] <= 1)
        for e in d for m in e["modules"])' <a/run/metrics.jsonl)" = True ]
    tr -d '\n' <a/run/run.json >flat.json
    [ "$(json 'd[0]["net"]["text"]' <flat.json)" = "$NET" ]
    [ "$(json '[d[0]["options"][k] for k in ("epochs", "batch", "optimizer", "schedule", "lr", "warmup", "seed")]' \
        <flat.json)" = "[2, 64, 'adam', 'cosine', 0.001, 0.5, 3]" ]
    [ "$(json '[d[0]["data"][k] for k in ("data", "shape", "limit", "validation")]' <flat.json)" = \
        "['digits', [1, 28, 28], 1000, 200]" ]
    [ "$(head -c 8 a/run/pictures/weights-00-0.weight.png | od -An -c | tr -d ' ')" = '211PNG\r\n032\n' ]
    good eval a/run --json
    [ "${#lines[@]}" = 1 ]
    echo "$output" >eval.json
    [ "$(cat a/run/metrics.jsonl eval.json |
        json 'all(d[1][k] == d[2][k] for k in ("test_accuracy", "test_loss"))')" = True ]
    [ "$(json '(d[0]["run"], d[0]["data"], d[0]["samples"])' <eval.json)" = "('a/run', 'digits', 2000)" ]
    good eval a/run
    [[ $output =~ ^a/run\ on\ the\ test\ set\ of\ digits:\ accuracy\ 0\.[0-9]{4},\ loss\ [0-9.]+\ \(2000\ samples\)$ ]]
}

@test "the model file's header tells how pixels become inputs, and what the outputs are" {
    local net='input 1x28x28; dense 16; dropout 0.5; relu; cut exact; dense 10; loss softmax'
    good train "$net" --data digits --limit 300 --epochs 1 --devices 0:0 --out run
    tail -c +9 run/model.safetensors | head -c "$(od -An -t u8 -N 8 run/model.safetensors)" >header.json
    echo >>header.json
    [ "$(json '{k: d[0]["__metadata__"][k] for k in ("format", "clutch", "net", "shape", "classes")}' <header.json)" = \
        "$(json '{"format": "pt", "clutch": d[0]["clutch"], "net": "input 1x28x28\ndense units=16\ndropout p=0.5\n"
        "relu\ndense units=10\nloss softmax\n", "shape": "[1, 28, 28]", "classes": json.dumps(list("0123456789"))}' \
        < <(tr -d '\n' <run/run.json))" ]
    [ "$(tr -d '\n' <run/run.json | cat header.json - |
        json 'all(json.loads(d[0]["__metadata__"][k]) == d[1]["data"][k] for k in ("mean", "deviation"))')" = True ]
}

@test "--json prints the lines of metrics.jsonl and nothing else" {
    good train "$NET" --data digits --limit 300 --epochs 2 --out run --json
    [ "$output" = "$(cat run/metrics.jsonl)" ]
    [ "${#lines[@]}" = 2 ]
    good train "$NET" --data digits --limit 300 --epochs 1 --out run --json --force
    [ "$output" = "$(cat run/metrics.jsonl)" ]
    [ "${#lines[@]}" = 1 ]
}

@test "the same command twice gives the same bytes, however the pictures come" {
    good train "$NET" --data digits --limit 500 --epochs 2 --out one
    good train "$NET" --data digits --limit 500 --epochs 2 --out two
    good train "$NET" --data digits --limit 500 --epochs 2 --out streamed --stream
    bits_equal one/model.safetensors two/model.safetensors
    bits_equal one/checkpoint.safetensors streamed/checkpoint.safetensors
    good train "$NET" --data digits --limit 500 --epochs 2 --seed 2 --out other
    ! cmp -s one/model.safetensors other/model.safetensors || fail 'two seeds, one model'
}

@test "an interrupted run goes on to the same bits" {
    local at=500 options=(--data digits --limit 500 --epochs 4 --optimizer sgd --lr 0.05)
    good train "$NET" "${options[@]}" --out whole
    # a device call fails somewhere behind the first epoch
    for ((; at < 20000; at += at / 5)); do
        CLUTCH_FAULT=$at run --separate-stderr "$CLUTCH" train "$NET" "${options[@]}" --out part --force \
            --draw-every 0 # drawing may fail, and the run goes on
        [ "$status" != 0 ] || fail "no failure at fault point $at"
        [ ! -s part/checkpoint.safetensors ] || break
    done
    local done
    done=$(wc -l <part/metrics.jsonl)
    [[ $done -ge 1 && $done -le 3 ]]
    [ "${#stderr_lines[@]}" = 1 ]
    good train --resume part --draw-every 1 # a run without pictures stays one, unless it is asked for some
    # the failure may have come between an epoch's line and its checkpoint
    [[ $output == *"resume: part, $done of 4 epochs are done"* ||
        $output == *"resume: part, $((done - 1)) of 4 epochs are done"* ]]
    bits_equal whole/model.safetensors part/model.safetensors
    bits_equal whole/checkpoint.safetensors part/checkpoint.safetensors
    bits_equal whole/pictures/weights-00-0.weight.png part/pictures/weights-00-0.weight.png
    local same='[[e[k] for k in ("epoch", "step", "train_loss", "test_loss", "test_accuracy", "learning_rate")]
        for e in d]'
    [ "$(json "$same" <whole/metrics.jsonl)" = "$(json "$same" <part/metrics.jsonl)" ]
    [ "$(json 'sorted(e["seconds"] for e in d) == [e["seconds"] for e in d]' <part/metrics.jsonl)" = True ]
    # a finished run has nothing left to do
    cp part/metrics.jsonl before
    good train --resume part --json
    [ -z "$output" ]
    bits_equal before part/metrics.jsonl
    bits_equal whole/model.safetensors part/model.safetensors
}

@test "a run that never finished an epoch" {
    local options=(--data digits --limit 500 --epochs 4 --batch 32 --optimizer sgd --lr 1000)
    run --separate-stderr "$CLUTCH" train 'input 784; dense 16; dense 10; loss softmax' "${options[@]}" --out run
    [ "$status" = 1 ]
    [[ ${stderr##*$'\n'} == "clutch train: the loss is not finite any more by step 16: take a smaller --lr than 1000, \
or a --warmup" ]]
    [ ! -e run/model.safetensors ]
    refused "$NO_CHECKPOINT" train --resume run
}

@test "runs without --out take the next free name" {
    idx_folder data
    printf '%s\n' "${TINY//; /$'\n'}" >small.net
    for i in 1 2 3; do
        good train small.net --data data --epochs 1
    done
    good train "$TINY" --data ./data/ --epochs 1
    [ "$(echo runs/*)" = 'runs/net-001 runs/small-001 runs/small-002 runs/small-003' ]
    [[ $output == *'run folder: runs/net-001' ]]
    bits_equal runs/small-001/model.safetensors runs/small-003/model.safetensors
    bits_equal runs/small-001/model.safetensors runs/net-001/model.safetensors
}

@test "--force takes an old run's place, and keeps what is not a run's" {
    trained run
    echo mine >run/notes.txt
    cp run/model.safetensors old
    good train "$NET" --data digits --limit 300 --epochs 2 --seed 9 --out run --force
    [ "$(wc -l <run/metrics.jsonl)" = 2 ]
    [ "$(cat run/notes.txt)" = mine ]
    ! cmp -s old run/model.safetensors || fail 'the old model is still there'
    good eval run
}

@test "predict tells a zero from a picture, as text and as JSON" {
    good train "$NET" --data digits --limit 4000 --epochs 3 --lr 0.01 --out run
    python3 "$(tree tests/cli/digit.py)" zero.png 28 28
    good predict run zero.png
    [[ $output =~ ^zero\.png:\ 0\ [0-9.]+\ %,\ [1-9]\ [0-9.]+\ %,\ [1-9]\ [0-9.]+\ %$ ]]
    good predict run zero.png zero.png --json
    [ "${#lines[@]}" = 2 ]
    [ "$(json '[(e["image"], e["class"], e["name"]) for e in d]' <<<"$output")" = \
        "[('zero.png', 0, '0'), ('zero.png', 0, '0')]" ]
    [ "$(json 'max(abs(sum(e["probabilities"].values()) - 1) for e in d) < 1e-5' <<<"$output")" = True ]
    [ "$(json 'd[0]["probabilities"] == d[1]["probabilities"]' <<<"$output")" = True ]
    [ "$(json '"".join(d[0]["probabilities"])' <<<"$output")" = 0123456789 ]
}

@test "squared loss: a net learns, goes on to the same bits, and says outputs, for there are no probabilities" {
    local net='input 1x28x28; dense 16; batchnorm; relu; dense 10; loss squared'
    local options=(--data digits --limit 2000 --batch 32 --lr 0.01 --schedule none)
    good train "$net" "${options[@]}" --epochs 3 --out run
    good train "$net" "${options[@]}" --epochs 1 --out part
    good train --resume part --epochs 3
    bits_equal run/model.safetensors part/model.safetensors
    good eval part --json
    [ "$(json 'd[0]["test_accuracy"] > 0.75 and 0 < d[0]["test_loss"] < 0.45' <<<"$output")" = True ]
    python3 "$(tree tests/cli/digit.py)" zero.png 28 28
    good predict run zero.png
    [[ $output =~ ^zero\.png:\ 0\ \([0-9.]+\),\ [1-9]\ \(-?[0-9.]+\),\ [1-9]\ \(-?[0-9.]+\)$ ]]
    good predict run zero.png --json
    [ "$(json '(d[0]["class"], "".join(d[0]["outputs"]), max(d[0]["outputs"], key=d[0]["outputs"].get),
        "probabilities" in d[0])' <<<"$output")" = "(0, '0123456789', '0', False)" ]
}

@test "squared loss in modules: in lockstep, the true gradient at the cut gives the bits of one module" {
    local net='input 1x28x28; dense 16; batchnorm; relu; CUT dense 16; relu; dense 10; loss squared'
    local options=(--data digits --limit 1000 --batch 50 --epochs 2 --lr 0.01)
    good train "${net/CUT/}" "${options[@]}" --out whole
    good train "${net/CUT/cut exact;}" "${options[@]}" --devices virtual:2@1 --lockstep --out exact
    bits_equal whole/model.safetensors exact/model.safetensors
    good train "${net/CUT/cut csg;}" "${options[@]}" --devices virtual:2@1 --lockstep --out csg --json
    [ "$(json '0.3 < d[-1]["modules"][0]["cosine"] < 1 and d[-1]["test_loss"] < 0.45' <<<"$output")" = True ]
}

# W^T (W h - onehot): linear in h and in the label
@test "squared loss above a linear net that stands still: a guess that sees the label is the gradient, another is not" {
    local options=(--data digits --limit 1000 --batch 50 --epochs 4 --optimizer sgd --lr 1e-12 --schedule none \
        --devices virtual:2@1 --lockstep)
    local net='input 1x28x28; dense 16; tanh; cut COUPLING; dense 12; dense 10; loss squared'
    good train "${net/COUPLING/csg ridge=1e-6 error=0}" "${options[@]}" --out csg --json
    [ "$(json '1 - d[-1]["modules"][0]["cosine"] < 1e-5 and abs(1 - d[-1]["modules"][0]["norm_ratio"]) < 1e-3' \
        <<<"$output")" = True ]
    good train "${net/COUPLING/sg ridge=1e-6}" "${options[@]}" --out sg --json
    [ "$(json '0.5 < d[-1]["modules"][0]["cosine"] < 0.95' <<<"$output")" = True ]
}

@test "predict with a net that takes pictures as vectors" {
    good train 'input 784; dense 10; loss softmax' --data digits --limit 2000 --epochs 3 --lr 0.01 --out run
    python3 "$(tree tests/cli/digit.py)" zero.png 28 28
    good predict run zero.png
    [[ $output == 'zero.png: 0 '* ]]
}

@test "eval on other data than the run's" {
    idx_folder data
    idx_folder other
    idx_labels other/t10k-labels-idx1-ubyte 10 1
    good train "$TINY" --data data --epochs 3 --lr 0.1 --out run
    good eval run --json
    [ "$(json 'd[0]["test_accuracy"]' <<<"$output")" = 1.0 ] # all labels are 0
    good eval run --data other --json
    [ "$(json '(d[0]["data"], d[0]["test_accuracy"], d[0]["samples"])' <<<"$output")" = "('other', 0.0, 10)" ]
}

@test "NumPy finds the accuracy that eval tells" {
    local python=''
    for each in python3 /usr/bin/python3; do
        ! $each -c 'import numpy' 2>/dev/null || python=$each
    done
    [ -n "$python" ] || skip 'no Python with NumPy'
    [ -d /usr/share/datasets/fashion-mnist ] || skip 'no Fashion-MNIST'
    good train "$(tree assets/nets/mlp.net)" --data fashion-mnist --limit 2000 --epochs 2 --out run
    good eval run --json
    # a sum in another order may turn one picture in a thousand
    [ "$($python "$(tree tests/cli/numpy_accuracy.py)" run /usr/share/datasets/fashion-mnist |
        json 'abs(d[0] - '"$(json 'd[0]["test_accuracy"]' <<<"$output")"') <= 0.001 and d[0] > 0.5')" = True ]
}
