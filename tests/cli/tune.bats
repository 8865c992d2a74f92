# clutch tune, the quick tune at first use, and what tells of them. No figure is judged here.
load common

PICTURES='input 1x6x6; dense 4; relu; dense 2; loss softmax'

# the one tuning file
tuning()
{
    echo "$XDG_CONFIG_HOME"/clutch/tune/*.json
}

# tuned: gives this test the files of a quick tune, made once for all
tuned()
{
    local kept=$BATS_FILE_TMPDIR/tuned
    if [ ! -d "$kept" ]; then
        XDG_CONFIG_HOME=$kept "$CLUTCH" tune --quick --json >"$kept.json" 2>"$kept.log" || fail "$(cat "$kept.log")"
    fi
    export XDG_CONFIG_HOME=$kept
}

@test "a quick tune, and what tells of it" {
    tuned
    [ "$(json 'd[0]["complete"] and len(d[0]["products"]) >= 18 and d[0]["peak_gflops"] > 0' \
        <"$BATS_FILE_TMPDIR/tuned.json")" = True ]
    [ "$(json 'd[0]["file"]' <"$BATS_FILE_TMPDIR/tuned.json")" = "$(tuning)" ]
    good devices
    [[ $output =~ tuned\ quickly\ on\ 20[0-9-]+:\ [0-9]+\ GFLOP/s\ \([0-9]+\ %\ of\ peak\)\ at\ [0-9x]+\ with\ [a-z]+ ]]
    good devices --json
    [ "$(json '[e["tuned"]["kind"] for e in d[0]["devices"]][0]' <<<"$output")" = exact ]
    idx_folder data
    good train "$PICTURES" --data data --epochs 1 --out run
    [[ $output =~ 'GEMM '[a-z+]+' (tuned for this device on 20'[0-9-]+', quickly)' ]]
    [[ $output == *$'\n'"tuning: $(tuning)"$'\n'* ]]
    grep -q '"tuning": "tuned for this device on 20[0-9-]*, quickly"' run/run.json
    [ "$(json 'd[0]["modules"][0]["tuning_file"]' <<<"$(tr -d '\n' <run/run.json)")" = "$(tuning)" ]
    good tune --quick # all is known
    [[ $output == *"candidates are known (--fresh measures them anew)"*"complete in "* ]]
}

@test "the same file, the same bits" {
    tuned
    idx_folder data
    good train "$PICTURES" --data data --epochs 1 --out a
    good train "$PICTURES" --data data --epochs 1 --out b
    cmp a/model.safetensors b/model.safetensors
}

@test "first use tunes once, unless told not to" {
    idx_folder data
    unset CLUTCH_TUNE
    good train "$PICTURES" --data data --epochs 1 --out no --no-tune
    [[ $output == *"(not tuned: defaults)"$'\n'"tuning: none"$'\n'* ]]
    grep -q '"tuning_file": null' no/run.json
    [ ! -e "$XDG_CONFIG_HOME" ]
    good devices
    [[ $output == *"not tuned: \`clutch tune --devices "* ]]
    run --separate-stderr "$CLUTCH" train "$PICTURES" --data data --epochs 1 --out first
    [[ $status == 0 && $(complaints) =~ ^clutch:\ measured\ products\ on\ .*\ in\ [0-9.]+\ s,\ once\; ]]
    [[ $output == *"(tuned for this device on 20"* ]]
    [ -s "$(tuning)" ]
    good train "$PICTURES" --data data --epochs 1 --out second
    run --separate-stderr "$CLUTCH" train --resume no --epochs 2 # it began untuned, and goes on tuned
    [ "$status" = 0 ]
    [[ $(complaints) == "clutch: products are computed otherwise than when the run began (not tuned: defaults; "* ]]
}

@test "a stopped tune goes on" {
    tuned
    mkdir -p config/clutch/tune
    python3 - "$(tuning)" "config/clutch/tune/$(basename "$(tuning)")" <<END
import json, sys
d = json.load(open(sys.argv[1]))
d["complete"] = False
d["tried"] = d["tried"][:1]
d["products"] = [p for p in d["products"] if p["provider"] == d["tried"][0]["provider"]]
json.dump(d, open(sys.argv[2], "w"))
END
    export XDG_CONFIG_HOME=$PWD/config
    good tune --quick
    [[ $output == *"; 1 candidate is known"*"    2/2   plain "*"complete in "* && $output != *" 1/2 "* ]]
    good tune --quick --fresh --json
    [ "$(json 'd[0]["tried"]' <<<"$output")" = 2 ]
}

@test "an interrupt keeps what is there" {
    mkfifo pipe
    "$CLUTCH" tune >pipe 2>err 3>&- &
    local child=$! line seen=
    exec 4<pipe
    while read -r line <&4; do
        seen+=$line$'\n'
        [[ $line != 1/* ]] || kill -TERM "$child" # INT is ignored by what a script starts in the background
    done
    exec 4<&-
    wait "$child" || local code=$?
    [ "$code" = 143 ]
    [ "$(cat err)" = "clutch tune: interrupted by SIGTERM: what was measured is kept, and the next start goes on" ]
    [[ $seen == *"stopped, the next start goes on; so far"* ]]
    grep -q '"complete": false' "$(tuning)"
    grep -q '"effort": "full"' "$(tuning)"
    [ "$(json 'len(d[0]["tried"])' <<<"$(tr -d '\n' <"$(tuning)")")" -ge 1 ]
}

@test "kernels that are wrong are refused" {
    mkdir cl
    cp "$(tree cl)"/*.cl cl
    sed -i 's/floatv out = alpha/floatv out = 1.01f * alpha/' cl/gemm.cl
    CL_DIR=$PWD/cl good tune --quick
    [[ $output == *"    2/2   plain "*"refused: wrong results at 37x53x61"* ]]
    grep -q '"refused":"wrong results at 37x53x61"' "$(tuning)"
    ! grep -q '"k":.*"provider":"plain"' "$(tuning)"
}

@test "products of a net" {
    good tune --quick --net "$PICTURES" --batch 20 --json
    [ "$(json '[(p["form"], p["m"], p["n"], p["k"]) for p in d[0]["products"]][-5:]' <<<"$output")" = \
        "[('NT', 20, 4, 36), ('TN', 4, 36, 20), ('NT', 20, 2, 4), ('TN', 2, 4, 20), ('NN', 20, 4, 2)]" ]
}

@test "a file that cannot be used, and a folder that cannot be written" {
    tuned
    idx_folder data
    mkdir -p config/clutch/tune
    head -c 1000 "$(tuning)" >"config/clutch/tune/half.json"
    export XDG_CONFIG_HOME=$PWD/config
    run --separate-stderr "$CLUTCH" train "$PICTURES" --data data --epochs 1 --out run
    [[ $status == 0 && $(complaints) == "clutch: no use of a tuning file: $PWD/config/clutch/tune/half.json:"* ]]
    [[ $output == *"(not tuned: defaults)"* ]]
    touch file
    export XDG_CONFIG_HOME=$PWD/file
    run --separate-stderr "$CLUTCH" tune --quick
    [[ $status == 1 && $stderr == "clutch tune: cannot make folder $PWD/file: File exists" ]]
    unset CLUTCH_TUNE
    run --separate-stderr "$CLUTCH" train "$PICTURES" --data data --epochs 1 --out run2
    [[ $status == 0 && $(complaints) == "clutch: products are not tuned: cannot make folder $PWD/file: File exists" ]]
}

@test "what tune refuses" {
    refused "unknown GEMM provider 'fast'; known: plain, clblast, tile" tune --provider fast
    refused '--batch is 0, must be from 1 to 65536' tune --batch 0
    refused '--seconds is -1, must be from 0 to 1000000' tune --seconds -1
    refused '--timeout is 0, must be from 1 to 3600' tune --timeout 0
    refused "too many arguments at 'more'; usage: clutch tune [options]" tune more
    refused "net:2: dense: unknown option 'unit'; did you mean 'units'? known: units, bias, zero" \
        tune --net "input 4; dense unit=3; loss softmax"
    local known='--devices, --quick, --seconds, --timeout, --provider, --net, --batch, --fresh, --json'
    refused "unknown option '--fast'; known: $known" tune --fast
}
