# Couplings side by side: the table, JSON, seeds, what is refused.
load common

DEEP='input 1x28x28; dense 16; batchnorm; relu; dense 16; batchnorm; relu; dense 10; loss softmax'
SHORT=(--data digits --limit 320 --batch 64) # 5 steps an epoch

@test "the table has a row a coupling, and a line a run" {
    good compare "$DEEP" "${SHORT[@]}" --epochs 2 --devices virtual:2@2 --modules 2
    [ "${lines[0]}" = 'net on digits: adam, betas 0.9 and 0.999, weight decay 0, rate 0.001 (cosine), batch 64, '\
'2 epochs, seed 1; accuracy on the test set' ]
    [[ ${lines[1]} == 'module 0: layers 0 to '*' on virtual#0 (emulated, 2x slower than '* ]]
    [[ ${lines[2]} == 'module 1: layers '*' to 6 on virtual#1 (emulated, 2x slower than '* ]]
    [[ ${lines[3]} == 'cuts:   --cuts '[36]' --on 0,1 (measured on '* ]]
    [[ ${lines[4]} == 'one device: virtual#'[01]' (emulated, '* ]]
    [ "${lines[5]}" = 'EMULATED devices share a real one: times are those of the emulation, not of hardware' ]
    local name rows=('exact, one device' exact 'exact, 4 micro-batches' csg sg 'local' predsim none)
    for name in "${rows[@]}"; do
        grep -qE "^  $name +seed 1 +[0-9.]+ steps/s   accuracy 0\.[0-9]{4} after [0-9.]+ s of training$" <<<"$output"
    done
    grep -qE '^ +steps/s x locked x single +to [0-9.]+ % final %  cosine       busy % of modules/steps late$' \
        <<<"$output"
    for name in "${rows[@]}"; do
        grep -qE "^$name +[0-9.]+ +[0-9.]+ +[0-9.]+ +([0-9.]+ s|-) +[0-9.]+  (-?[01]\.[0-9]{2}|-) +[0-9]+" <<<"$output"
    done
    [ "$(sed -n '/^ .* final %/,/^none/p' <<<"$output" | awk 'length > 119')" = '' ]
    grep -qE '^exact .* 1\.00 +[0-9]+ [0-9]+$' <<<"$output" # the true gradient, and one cut: no least
    grep -qE '^(exact, one device|none) .*  - +[0-9]+' <<<"$output"
    grep -qE '^exact +[0-9.]+ +1\.00 ' <<<"$output"
    grep -qE '^exact, one device +[0-9.]+ +[0-9.]+ +1\.00 ' <<<"$output"
    grep -qE '^(csg|sg) .* [0-9]+/[0-9.]+ [0-9]+$' <<<"$output" # only those two learn from targets
    ! grep -qE '^(exact|local|predsim|none) .*/' <<<"$(grep -v seed <<<"$output")"
    grep -q '^x locked: over exact; decoupling these modules can give [12]\.[0-9][0-9] at most' <<<"$output"
    [[ ${lines[-2]} == 'Times are of training alone. Accuracy: mean of what the last epoch leaves.' ]]
    [ "${lines[-1]}" = 'Cosine: of the gradient at the cut with the true one, after the last epoch.' ]
    [ -z "$(ls -A)" ] # no run folder
}

@test "JSON has all rows with a curve a seed, and finds what train finds" {
    good compare "$DEEP" "${SHORT[@]}" --epochs 3 --devices virtual:2@2 --modules 2 --seeds 3,7 --queue 2 --lr 0.01 \
        --optimizer sgd --schedule none --validation 64 --accuracy 0.05 --json \
        --couplings 'csg solver=adam hidden=1,exact micro=2, none'
    [ "${#lines[@]}" = 1 ]
    echo "$output" >c.json
    [ "$(json 'sorted(d[0])' <c.json)" = "['accuracy_of', 'batch', 'bound', 'clutch', 'data', 'epochs', 'lr', \
'modules', 'net', 'optimizer', 'rows', 'schedule', 'seeds', 'single_device', 'target_accuracy']" ]
    [ "$(json '[d[0][k] for k in ("net", "data", "batch", "optimizer", "lr", "schedule", "epochs", "seeds",
        "accuracy_of", "target_accuracy")]' <c.json)" = \
        "['net', 'digits', 64, 'sgd', 0.01, 'none', 3, [3, 7], 'validation', 0.05]" ]
    [ "$(json '1 <= d[0]["bound"] <= 2' <c.json)" = True ]
    [ "$(json '[(sorted(m), m["emulated"]) for m in d[0]["modules"]]' <c.json)" = \
        "[(['device', 'emulated', 'first', 'layers', 'place'], True), (['device', 'emulated', 'first', 'layers', \
'place'], True)]" ]
    [ "$(json 'sum(m["layers"] for m in d[0]["modules"])' <c.json)" = 7 ]
    [ "$(json '[(r["name"], r["coupling"], len(r["modules"])) for r in d[0]["rows"]]' <c.json)" = "[('exact, one \
device', None, 1), ('csg solver=adam hidden=1', 'csg solver=adam hidden=1', 2), ('exact, 2 micro-batches', \
'exact micro=2', 2), ('none', \
'none', 2)]" ]
    [ "$(json '{" ".join(sorted(r)) for r in d[0]["rows"]}' <c.json)" = "{'accuracy accuracy_by_seed accuracy_spread \
busy_by_seed cosine_by_seed coupling loss_by_seed modules name norm_ratio_by_seed seconds_by_seed seconds_to_target \
stale_steps_by_seed steps_per_second train_loss_by_seed updates_by_seed x_locked x_single'}" ]
    [ "$(json '{" ".join(sorted(m)) for r in d[0]["rows"] for m in r["modules"]}' <c.json)" = \
        "{'busy macs stale_steps trained_layers updates wait_gradient wait_input wait_space'}" ]
    [ "$(json '{(len(r[k]), len(one)) for r in d[0]["rows"] for k in r if k.endswith("_by_seed")
        for one in r[k]}' <c.json)" = '{(2, 3)}' ]
    # of each epoch's modules; of its cuts
    [ "$(json '{(k, len(r["modules"]) - len(e)) for r in d[0]["rows"] for k in r if k.endswith("_by_seed")
        for one in r[k] for e in one if isinstance(e, list)} == {("busy_by_seed", 0), ("stale_steps_by_seed", 0),
        ("updates_by_seed", 0), ("cosine_by_seed", 1), ("norm_ratio_by_seed", 1)}' <c.json)" = True ]
    [ "$(json 'all(0 < one[0] < one[1] < one[2]
        for r in d[0]["rows"] for one in r["seconds_by_seed"])' <c.json)" = True ]
    [ "$(json 'all(abs(r["accuracy"] - sum(one[2] for one in r["accuracy_by_seed"]) / 2) < 1e-6 and
        abs(r["accuracy_spread"] - abs(r["accuracy_by_seed"][0][2] - r["accuracy_by_seed"][1][2]) / 2 ** 0.5) < 1e-6
        for r in d[0]["rows"])' <c.json)" = True ]
    # the time to the target is that of the first epoch which reaches it, the mean over seeds; null where one does not
    [ "$(json 'all(r["seconds_to_target"] is None if any(max(one) < 0.05 for one in r["accuracy_by_seed"]) else
        abs(r["seconds_to_target"] - sum(next(s for s, a in zip(*two) if a >= 0.05)
        for two in zip(r["seconds_by_seed"], r["accuracy_by_seed"])) / 2) < 1e-6
        for r in d[0]["rows"])' <c.json)" = True ]
    [ "$(json '[r["x_single"] for r in d[0]["rows"]][0]' <c.json)" = 1.0 ]
    [ "$(json 'all(r["x_locked"] == r["x_single"] for r in d[0]["rows"])' <c.json)" = True ] # there is no exact
    # seed 3 as train has it
    good train "$DEEP" "${SHORT[@]}" --epochs 3 --devices 0:0 --seed 3 --lr 0.01 --optimizer sgd --schedule none \
        --validation 64 --out run --json
    [ "$(json '[[e[k] for e in d] for k in ("validation_accuracy", "validation_loss", "train_loss")]' <<<"$output")" = \
        "$(json '[d[0]["rows"][0][k + "_by_seed"][0] for k in ("accuracy", "loss", "train_loss")]' <c.json)" ]
}

@test "JSON tells what a step costs each module in multiply-accumulates, and how often it was updated" {
    good compare "$DEEP" "${SHORT[@]}" --epochs 2 --devices 0:0 --cuts 3,6 --on 0,0,0 --json \
        --couplings 'exact,none,local p=0.5,csg solver=adam p=0.5'
    echo "$output" >c.json
    # 12544, 256 and 160 forward; no gradient at an input where nobody below wants it; a coupling that learns does so
    # as often as the module above sends it a target
    [ "$(json '[[m["macs"] for m in r["modules"]] for r in d[0]["rows"]]' <c.json)" = '[[26336], [25088, 768, 480], '\
'[12544, 256, 320], [19056, 624, 320], [19440, 1760, 480]]' ]
    [ "$(json '[[m["updates"] for m in r["modules"]] for r in d[0]["rows"][:3]]' <c.json)" = \
        '[[10], [10, 10, 10], [0, 0, 10]]' ]
    [ "$(json '[all(0 < m["updates"] < 10 for m in r["modules"][:2]) for r in d[0]["rows"][3:]]' <c.json)" = \
        '[True, True]' ]
}

@test "exact over modules learns what one device learns, and the control does not" {
    good compare "$DEEP" --data digits --limit 2000 --batch 50 --epochs 2 --lr 0.01 --devices virtual:2@1 --modules 2 \
        --couplings exact,none --json
    echo "$output" >c.json
    [ "$(json 'd[0]["rows"][0]["accuracy_by_seed"] == d[0]["rows"][1]["accuracy_by_seed"]' <c.json)" = True ]
    [ "$(json 'd[0]["rows"][1]["accuracy"] > d[0]["rows"][2]["accuracy"] + 0.1' <c.json)" = True ]
    [ "$(json 'abs(d[0]["target_accuracy"] - (d[0]["rows"][1]["accuracy"] - 0.005)) < 1e-6' <c.json)" = True ]
    [ "$(json 'd[0]["accuracy_of"], d[0]["rows"][1]["accuracy_spread"]' <c.json)" = "('test', None)" ]
}

@test "JSON tells of each epoch how good gradients were, and what was done" {
    # modules of 784 x 16, 16 x 16 and 16 x 10 weights; 320 samples are 5 steps an epoch
    good compare 'input 1x28x28; dense 16; relu; cut; dense 16; relu; cut; dense 10; loss softmax' "${SHORT[@]}" \
        --epochs 2 --devices virtual:3@1 --couplings 'exact,csg solver=adam,local p=0.5,none' --json
    echo "$output" >c.json
    [ "$(json '[r["cosine_by_seed"] for r in d[0]["rows"]][1]' <c.json)" = '[[[1.0, 1.0], [1.0, 1.0]]]' ]
    [ "$(json '[r["norm_ratio_by_seed"] for r in d[0]["rows"]][1]' <c.json)" = '[[[1.0, 1.0], [1.0, 1.0]]]' ]
    [ "$(json '[r["cosine_by_seed"] for r in d[0]["rows"]][4]' <c.json)" = '[[[None, None], [None, None]]]' ]
    [ "$(json 'all(-1 <= v <= 1 and v not in (0, 1) for e in d[0]["rows"][3]["cosine_by_seed"][0] for v in e)' \
        <c.json)" = True ]
    [ "$(json 'all(v > 0 and v != 1 for e in d[0]["rows"][3]["norm_ratio_by_seed"][0] for v in e)' <c.json)" = True ]
    [ "$(json 'len({v for e in d[0]["rows"][3]["cosine_by_seed"][0] for v in e})' <c.json)" = 4 ]
    [ "$(json '[d[0]["rows"][i]["updates_by_seed"][0] for i in (0, 1, 2, 4)]' <c.json)" = \
        '[[[5], [5]], [[5, 5, 5], [5, 5, 5]], [[5, 5, 5], [5, 5, 5]], [[0, 0, 5], [0, 0, 5]]]' ]
    [ "$(json '(lambda p: 0 < sum(a + b for a, b, c in p) < 20 and {c for a, b, c in p} == {5})(
        d[0]["rows"][3]["updates_by_seed"][0])' <c.json)" = True ]
    [ "$(json 'all(m["stale_steps"] == r["stale_steps_by_seed"][-1][-1][k] and m["busy"] == r["busy_by_seed"][-1][-1][k]
        for r in d[0]["rows"] for k, m in enumerate(r["modules"]))' <c.json)" = True ]
    [ "$(json '[[m["trained_layers"] for m in r["modules"]] for r in d[0]["rows"]][:2]' <c.json)" = '[[3], [1, 1, 1]]' ]
}

@test "seeds have a line each, and their spread is told" {
    good compare "$DEEP" "${SHORT[@]}" --epochs 1 --devices virtual:2@1 --modules 2 --couplings csg --seeds 1,2
    [[ ${lines[0]} == *', 1 epoch, seeds 1,2; '* ]]
    [ "$(grep -cE '^  (exact, one device|csg) +seed [12] ' <<<"$output")" = 4 ]
    grep -qE '^csg .* \+-[0-9.]+ ' <<<"$output"
    [[ $output == *'x locked: over exact, one device; '* ]]
    [[ ${lines[-2]} == *'Accuracy: mean and standard deviation over seeds of what the last epoch leaves.' ]]
    [ "${lines[-1]}" = 'Cosine: of the gradient at the cut with the true one, after the last epoch; mean over seeds.' ]
}

@test "cosines are means over seeds and cuts, with the least" {
    local net='input 1x28x28; dense 16; relu; cut; dense 16; relu; cut; dense 10; loss softmax'
    good compare "$net" "${SHORT[@]}" --epochs 3 --devices virtual:3@1 --couplings local --seeds 3,5
    [ "${lines[-1]}" = 'Cosine: of the gradient at a cut with the true one, after the last epoch; mean over the cuts '\
'(and the least); mean over seeds.' ]
    local shown="$(sed -nE 's/^local .* (-?[0-9.]+ \(-?[0-9.]+\)) .*/\1/p' <<<"$output")"
    good compare "$net" "${SHORT[@]}" --epochs 3 --devices virtual:3@1 --couplings local --seeds 3,5 --json
    [ "$shown" = "$(json '(lambda cut: "%.2f (%.2f)" % (sum(cut) / 2, min(cut)))([sum(one[2][k]
        for one in d[0]["rows"][1]["cosine_by_seed"]) / 2 for k in (0, 1)])' <<<"$output")" ]
}

@test "a net that stays whole has nothing to couple" {
    good compare "$DEEP" "${SHORT[@]}" --epochs 1 --devices 0:0
    [[ $output == *$'\n''nothing to couple: the net has no cuts, and there is one device; --modules N cuts it (clutch '\
'plan tells what to expect)'$'\n'* ]]
    [ "$(grep -cE '^ *exact, one device ' <<<"$output")" = 2 ]
    [[ $output != *mulated* && $output != *MULATED* && $output != *csg* ]]
}

@test "cuts in the net are kept, whatever couplings they name" {
    good compare 'input 1x28x28; dense 16; relu; cut sg; dense 16; relu; cut local; dense 10; loss softmax' \
        "${SHORT[@]}" --epochs 1 --devices virtual:3@1 --couplings exact,csg --json
    [ "$(json '[(m["first"], m["layers"]) for m in d[0]["modules"]]' <<<"$output")" = '[(0, 2), (2, 2), (4, 1)]' ]
    [ "$(json '[(r["name"], len(r["modules"])) for r in d[0]["rows"]]' <<<"$output")" = \
        "[('exact, one device', 1), ('exact', 3), ('csg', 3)]" ]
}

@test "what cannot be compared" {
    local known='known: csg, sg, local, predsim, vir, classmean, fixed, exact, none'
    local usage='usage: clutch compare NET --data DATA [options]'
    while IFS='|' read -r option value message; do
        refused "$message" compare "$DEEP" "${SHORT[@]}" "$option" "$value"
    done <<END
--couplings|foo|--couplings: unknown coupling 'foo'; $known
--couplings|csg,exact micro=x|--couplings: exact: micro is 'x', must be a whole number from 1 to 64
--couplings|csg,|--couplings is 'csg,': a coupling is missing; separate them with single commas
--couplings|csg,,sg|--couplings is 'csg,,sg': a coupling is missing; separate them with single commas
--couplings||--couplings is '': a coupling is missing; separate them with single commas
--couplings|sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg,sg|more than 16 ways to compare
--seeds|a|--seeds is 'a', must be up to 16 whole numbers of 0 or more, with commas
--seeds|1,-2|--seeds is '1,-2', must be up to 16 whole numbers of 0 or more, with commas
--seeds|1,|--seeds is '1,', must be up to 16 whole numbers of 0 or more, with commas
--accuracy|1|--accuracy is 1, must be from 0 to below 1
--accuracy|nan|--accuracy is 'nan', must be a number
--epochs|0|--epochs is 0, must be from 1 to 1000
--batch|65537|--batch is 65537, must be from 1 to 65536
--optimizer|lion|unknown --optimizer 'lion'; known: adam, adamw, sgd
--schedule|linear|unknown --schedule 'linear'; known: cosine, step, none
--lr|0|--lr is 0, must be from 1e-12 to 1000
--queue|0|--queue is 0, must be from 1 to 1024
--modules|65|--modules is 65, must be from 0 to 64
--devices|virtual:2@0|'virtual:2@0' describes no emulated devices: virtual:N@S stands for N of them (1 to 64), each S \
times slower (1 to 1e6), or virtual:N@S1:...:SN; +latency=US and +bandwidth=MB may follow
END
    refused "--data is missing; $usage" compare "$DEEP"
    refused "NET is missing; $usage   (NET: a file, or the net as a string)" compare
    refused 'net: 2 modules need a device each, and free devices are 1: name more, or split one (0:0/2)' \
        compare "$DEEP" "${SHORT[@]}" --modules 2 --devices 0:0
    # seen once devices are open, but before anything is trained or printed
    refused_late 'exact, 64 micro-batches: micro=64 is too much for a batch of 64: 3 samples a micro-batch at least' \
        compare "$DEEP" "${SHORT[@]}" --modules 2 --devices virtual:2@1 --couplings 'csg,exact micro=64'
    [ -z "$output" ] || fail "something on stdout: $output"
    refused_late 'net: the input is 1x6x6, but the pictures of digits are 1x28x28' compare "$TINY" "${SHORT[@]}"
    [ -z "$output" ] || fail "something on stdout: $output"
}
