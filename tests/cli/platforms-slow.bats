# Devices of different platforms train one net together: PoCL's CPU and llvmpipe, Mesa's software GPU on rusticl.
load common

setup()
{
    mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return 1
    export RUSTICL_ENABLE=llvmpipe
    "$CLUTCH" devices --json >devices.json
    pocl=$(json '"".join([e["id"] for e in d[0]["devices"] if "llvmpipe" not in e["name"]][:1])' <devices.json)
    mesa=$(json '"".join([e["id"] for e in d[0]["devices"] if "llvmpipe" in e["name"]][:1])' <devices.json)
    [ -n "$mesa" ] || skip 'no llvmpipe on rusticl'
    [ -n "$pocl" ] || skip 'no device but llvmpipe'
}

# name ID
name()
{
    json 'next(e["id"] + " " + e["name"] for e in d[0]["devices"] if e["id"] == "'"$1"'")' <devices.json
}

# together ARGUMENTS...: exit code 0; stderr may hold notes of Mesa and of compiled kernels
together()
{
    run --separate-stderr timeout 300 "$CLUTCH" "$@"
    # shellcheck disable=SC2154 # bats sets stderr and status
    [ "$status" = 0 ] || fail "exit code $status: $stderr"
    [ -z "$(complaints | grep -v '^MESA: ')" ] || fail "something on stderr: $stderr"
}

@test "PoCL and rusticl train a net in modules, either below, and what they learn is one model" {
    local low high options=(--data digits --limit 256 --batch 32 --epochs 2 --lr 0.01)
    for low in "$pocl" "$mesa"; do
        [ "$low" = "$pocl" ] && high=$mesa || high=$pocl
        together train "input 1x28x28; on $low; dense 8; relu; cut csg; on $high; dense 10; loss softmax" \
            "${options[@]}" --devices "$pocl,$mesa" --lockstep --out run --force
        [[ $output == *"module 0: layers 0 to 1 on $(name "$low"), GEMM "*"; gradient: csg"* ]]
        [[ $output == *"module 1: layers 2 to 2 on $(name "$high"), GEMM "* ]]
        [ "$(json '[[m["device"] for m in e["modules"]] for e in d] == [["'"$(name "$low")"'",
            "'"$(name "$high")"'"]] * 2' <run/metrics.jsonl)" = True ]
        [ "$(json '[(m["updates"], m["targets"]) for m in d[1]["modules"]]' <run/metrics.jsonl)" = '[(8, 8), (8, 0)]' ]
        [ "$(json 'd[1]["train_loss"] < d[0]["train_loss"] < 3' <run/metrics.jsonl)" = True ]
        # either device alone finds the accuracy that both told, to a picture in a thousand
        for alone in "$pocl" "$mesa"; do
            together eval run --devices "$alone" --json
            [ "$(json 'abs(d[0]["test_accuracy"] - '"$(json 'd[1]["test_accuracy"]' <run/metrics.jsonl)"') <= 0.001' \
                <<<"$output")" = True ]
        done
    done
}

@test "exact over PoCL and rusticl learns what one device learns, up to rounding" {
    local net="input 1x28x28; on $pocl; dense 8; tanh; cut exact; on $mesa; dense 10; loss softmax"
    local options=(--data digits --limit 256 --batch 32 --epochs 2 --lr 0.01)
    together train "$net" "${options[@]}" --devices "$pocl,$mesa" --out two
    net=${net/ on $pocl;/}
    net=${net/ cut exact; on $mesa;/}
    together train "$net" "${options[@]}" --devices "$pocl" --out one
    # 16 steps; sums in another order differ by 1e-6 or so, and Adam's division by small numbers spreads that
    [ "$(cat one/metrics.jsonl two/metrics.jsonl |
        json 'all(abs(d[i]["train_loss"] - d[i + 2]["train_loss"]) < 1e-3 for i in (0, 1))')" = True ]
    # compare puts them side by side
    together compare "input 1x28x28; on $pocl; dense 8; tanh; cut; on $mesa; dense 10; loss softmax" "${options[@]}" \
        --devices "$pocl,$mesa" --couplings exact,local --json
    [ "$(json '[m["device"] for m in d[0]["modules"]]' <<<"$output")" = "['$(name "$pocl")', '$(name "$mesa")']" ]
    [ "$(json '[len(r["modules"]) for r in d[0]["rows"]]' <<<"$output")" = '[1, 2, 2]' ]
}
