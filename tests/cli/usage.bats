# What may be said to the program: commands, options, values; and what it says of itself.
load common

@test "help and version go to stdout" {
    for word in --help -h help; do
        good $word
        [[ $output == "clutch trains"* && $output == *"clutch predict "* ]]
    done
    for command in devices train eval predict plan compare bench tune; do
        for word in --help -h; do
            good "$command" $word
            [[ $output == "usage: clutch $command "* && $output == *"--devices"* ]]
        done
    done
    good train "$NET" --epochs 3 --help # anywhere, whatever is missing
    [[ $output == "usage: clutch train NET --data DATA"*"--warmup"* ]]
    good --version
    [[ $output =~ ^clutch\ [^\ ]+$ ]]
    [ -z "$(ls -A)" ]
}

@test "no command" {
    run --separate-stderr "$CLUTCH"
    [[ $status == 2 && -z $output && $stderr == "clutch trains"* ]]
}

@test "unknown commands and options" {
    REFUSED_BY=clutch
    local commands='devices, train, eval, predict, draw, plan, compare, bench, tune, help, version'
    refused "unknown command 'frob'; known: $commands" frob --data digits
    refused "unknown command '--frob'; known: $commands" --frob
    refused "unknown command 'trian'; did you mean 'train'? known: $commands" trian "$NET" --data digits
    unset REFUSED_BY
    refused "unknown option '--frob'; known: --devices, --json" devices --frob
    refused "unknown option '--epochs=3'; known: --data, --split, --best, --devices, --json" eval run --epochs=3
    refused "unknown option '-v'; known: --best, --devices, --json" predict -v
    run --separate-stderr "$CLUTCH" train "$NET" --data digits --epoch 3
    [[ $status == 2 && ${#stderr_lines[@]} == 1 ]]
    [[ $stderr == "clutch train: unknown option '--epoch'; did you mean '--epochs'? known: --data, "*", --json" ]]
}

@test "missing values and arguments" {
    refused '--data needs a value: DATA' train "$NET" --data
    refused '--epochs needs a value: N' train "$NET" --data digits --epochs
    refused '--json takes no value' train "$NET" --data digits --json=yes
    local usage='usage: clutch train NET --data DATA [options]   (NET: a file, or the net as a string)'
    refused "NET is missing; $usage" train
    refused "NET is missing; $usage" train --data digits
    refused "--data is missing; $usage" train "$NET"
    refused "too many arguments at 'more'; $usage" train "$NET" more --data digits
    refused 'RUN is missing; usage: clutch eval RUN [--data DATA] [options]' eval
    refused "too many arguments at 'more'; usage: clutch eval RUN [--data DATA] [options]" eval run more
    refused 'IMAGE.png|FOLDER... is missing; usage: clutch predict RUN IMAGE.png|FOLDER... [options]' predict run
    refused "too many arguments at 'more'; usage: clutch devices [options]" devices more
}

@test "bad numbers" {
    local most=9223372036854775807
    while IFS='|' read -r option value message; do
        refused "$message" train "$NET" --data digits "$option" "$value"
        refused "$message" train "$NET" --data digits "$option=$value"
    done <<END
--epochs|x|--epochs is 'x', must be a whole number
--epochs||--epochs is '', must be a whole number
--epochs|1.5|--epochs is '1.5', must be a whole number
--epochs|99999999999999999999|--epochs is '99999999999999999999', must be a whole number
--epochs|0|--epochs is 0, must be from 1 to 100000
--epochs|4294967297|--epochs is 4294967297, must be from 1 to 100000
--batch|-1|--batch is -1, must be from 1 to 65536
--batch|65537|--batch is 65537, must be from 1 to 65536
--seed|-1|--seed is -1, must be from 0 to $most
--limit|-1|--limit is -1, must be from 0 to 4294967295
--validation|4294967296|--validation is 4294967296, must be from 0 to 4294967295
--lr|fast|--lr is 'fast', must be a number
--lr|nan|--lr is 'nan', must be a number
--lr|0|--lr is 0, must be from 1e-12 to 1000
--lr|-1|--lr is -1, must be from 1e-12 to 1000
--momentum|1|--momentum is 1, must be from 0 to 0.9999
--weight-decay|2|--weight-decay is 2, must be from 0 to 1
--warmup|11|--warmup is 11, must be from 0 to 10
--optimizer|lion|unknown --optimizer 'lion'; known: adam, adamw, sgd
--optimizer|0123456789012345678901234567890123|'0123456789012345678901234567890123' is too long a name
--schedule|linear|unknown --schedule 'linear'; known: cosine, step, none
END
    refused '--nesterov needs a --momentum above 0' train "$NET" --data digits --optimizer sgd --nesterov --momentum 0
}

@test "more or fewer samples than there are" {
    refused 'limit 12001 is more than the 12000 training samples of digits' train "$NET" --data digits --limit 12001
    refused 'validation 10 of 10 training samples of digits leaves none to train on; allowed are 0 to 9' \
        train "$NET" --data digits --limit 10 --validation 10
}

@test "what --resume does not go with" {
    local with='--resume goes by what the run folder says: it takes --devices, --data, --epochs, --lr, --patience, '\
'--keep, --checkpoint-every, --on-divergence, --draw-every and --json, not'
    refused '--resume takes no NET: the run folder says which' train "$NET" --resume run
    refused "$with --batch" train --resume run --batch 10
    refused "$with --seed" train --seed=1 --resume run --json
    refused "$with --out" train --resume run --out other
    refused "$with --force" train --resume run --force
    with='--repeat goes by what the run folder says: it takes --data, --out, --force, --draw-every and --json, not'
    refused '--repeat takes no NET: the run folder says which' train "$NET" --repeat run
    refused "$with --epochs" train --repeat run --epochs 3
    refused "$with --lockstep" train --repeat run --lockstep
    refused "unknown --on-divergence 'pray'; known: stop, restore" train "$NET" --data digits --on-divergence pray
    refused '--checkpoint-every is -1, must be from 0 to 100000' train "$NET" --data digits --checkpoint-every -1
    refused '--keep is 0, must be from 1 to 1000' train "$NET" --data digits --keep 0
    refused '--patience is -3, must be from 0 to 100000' train "$NET" --data digits --patience -3
}

@test "devices, as text and as JSON" {
    good devices
    local human=$output
    good devices --json
    [ "${#lines[@]}" = 1 ]
    # each platform and each device of the one stands in the other, platforms without a device with their problem
    json '"\n".join(["platform %d  %s, %s" % (p["platform"], p["name"], p["version"]) +
        (p["problem"] and ": " + p["problem"]) for p in d[0]["platforms"]] +
        ["  %s  %s" % (e["id"], e["name"]) for e in d[0]["devices"]])' <<<"$output" >wanted
    while IFS= read -r line; do
        grep -qxF -- "$line" <<<"$human"
    done <wanted
    [ "$(json 'all(e["compute_units"] > 0 and e["memory_bytes"] > 0 for e in d[0]["devices"])' <<<"$output")" = True ]
    [ "$(json 'all((p["devices"] == 0) == bool(p["problem"]) for p in d[0]["platforms"])' <<<"$output")" = True ]
    local id
    id=$(json 'd[0]["devices"][0]["id"]' <<<"$output")
    good devices --devices "$id" --json
    [ "$(json '[e["id"] for e in d[0]["devices"]]' <<<"$output")" = "['$id']" ]
}

@test "devices that are not there" {
    local here
    here=$(here_are)
    idx_folder data
    for spec in 77:7 voodoo; do
        refused "no device '$spec'; here are: $here; or say gpu, cpu, accel, all" devices --devices $spec
        refused "no device '$spec'; here are: $here; or say gpu, cpu, accel, all" \
            train "$TINY" --data data --devices $spec
    done
    refused 'empty device name: separate devices with single commas' train "$TINY" --data data --devices all,,all
}

@test "an output that takes nothing" {
    [ -c /dev/full ] || skip 'no /dev/full'
    run --separate-stderr bash -c '"$CLUTCH" devices >/dev/full'
    [[ $status == 1 && $stderr == 'clutch devices: cannot write to standard output' ]]
    idx_folder data
    run --separate-stderr bash -c '"$CLUTCH" train "$1" --data data --out run --json >/dev/full' - "$TINY"
    [[ $status == 1 && $stderr == *'clutch train: cannot write to standard output' ]]
}

@test "options without effect" {
    idx_folder data
    while IFS='|' read -r arguments message; do
        # shellcheck disable=SC2086 # words
        refused "$message" ${arguments//NET/mlp}
    done <<END
train NET --data digits --momentum 0.5|--momentum has no effect here: --optimizer adam does not take it
train NET --data digits --optimizer adamw --nesterov|--nesterov has no effect here: --optimizer adamw does not take it
train NET --data digits --force|--force has no effect here: without --out a run gets a folder of its own
plan NET --modules 1 --couple csg|--couple has no effect here: one module has nothing to be coupled to
bench peak --batch 5|--batch has no effect here: it is of \`clutch bench step\`
bench gemm NET|NET has no effect here: it is of \`clutch bench step\`
bench step --shape 4x4x4|--shape has no effect here: it is of \`clutch bench gemm\`
bench launch --provider plain|--provider has no effect here: it is of \`clutch bench gemm\`
tune --batch 64|--batch has no effect here: it is of --net, which is not given
tune --quick --timeout 3|--timeout has no effect here: --quick tries nothing in a process of its own
draw run --no-data --data digits|--data has no effect here: --no-data draws what needs neither data nor a device
draw x.safetensors --motion|--motion has no effect here: a file of tensors has neither data, nor epochs, to ask about
END
    local message='has no effect here: the net is one module on one device (a cut in it, or several devices, make more)'
    local option
    for option in --lockstep --queue=2 --couple=csg; do
        refused "${option%=*} $message" train "$TINY" --data data "$option" --devices 0:0
    done
    refused "--couplings $message" compare "$TINY" --data data --couplings csg --devices 0:0
    good train "$TINY" --data data --optimizer sgd --momentum 0.5 --nesterov --weight-decay 0.01 --warmup 1 \
        --schedule step --epochs 2 --seed 7 --out run --draw-every 0
    [[ $output == *$'\n''train:  sgd, momentum 0.5 (nesterov), weight decay 0.01, rate 0.001 (step behind a warm-up '\
'of 1 epoch), batch 128, 2 epochs, seed 7'$'\n'* ]]
}

@test "words in the wrong order, and other ways to ask" {
    REFUSED_BY=clutch
    refused "'$NET' is no command; the command comes first: clutch train $NET ..." "$NET" train --data digits
    refused "'--json' is no command; the command comes first: clutch devices --json ..." --json devices
    unset REFUSED_BY
    local word version
    good version
    version=$output
    for word in -V --version; do
        good $word
        [ "$output" = "$version" ]
    done
    good train --help
    local help=$output
    good help train
    [ "$output" = "$help" ]
    [[ $output == *'a tenth'*'a hundredth'* ]]
    good help bench
    for word in peak gemm step launch '100 %'; do
        [[ $output == *$'\n'"  $word:"* || $output == *"$word"*peak* ]]
    done
    good help
    [[ $output == 'clutch trains'* ]]
}
