# clutch plan: where modules would go, as text and as JSON, and what it refuses. No figure is judged.
load common

DEEP='input 1x8x8; dense 32; relu; dense 32; batchnorm; relu; dense 32; relu; dense 10; loss softmax'
CUT='input 1x8x8; dense 32; relu; cut sg; dense 32; cut; dense 10; loss softmax'

# first device's P:D
first_device()
{
    "$CLUTCH" devices --json | json 'd[0]["devices"][0]["id"]'
}

# sane JSON of a plan: its rates and modules agree with each other
sane()
{
    python3 - <<END
import json
d = json.loads("""$output""")
r, m = d["steps_per_second"], d["modules"]
near = lambda a, b: abs(a - b) <= 1e-6 * abs(b)
assert m[0]["first"] == 0 and all(a["last"] + 1 == b["first"] for a, b in zip(m, m[1:])), m
assert all(x["compute_ms"] > 0 and 0 < x["busy"] <= 1.0001 and x["memory_bytes"] > 0 for x in m), m
assert near(d["bound"], sum(x["compute_ms"] for x in m) / max(x["compute_ms"] for x in m)), d
assert r["exact"] <= 1.0001 * r["pipeline"] and r["exact"] <= 1000.1 / sum(x["compute_ms"] for x in m), d
assert r["decoupled"] <= 1000.1 / max(x["compute_ms"] for x in m), d
assert d["single_is_best"] == (r["exact_single"] >= (1 - 1e-8) * r["decoupled"]), d
assert m[-1]["coupling_ms"] == 0, m
END
}

@test "emulated devices, as text" {
    good plan "$DEEP" --devices virtual:3@8 --modules 3
    [[ ${lines[0]} == 'net: 8 layers, 4586 parameters; batch 128, adam, coupling csg' ]]
    [[ ${lines[1]} == 'module  device '*'layers   kinds '*'step ms  coupling  messages     memory   busy' ]]
    [[ ${lines[2]} == '     0  virtual#0  0..'* && ${lines[4]} == '     2  virtual#2  '*'..7 '* ]]
    [[ ${lines[5]} == 'devices  virtual#0 (emulated, 8x slower than '*')' ]]
    [[ ${lines[6]} == '         virtual#1 (emulated, 8x slower than '*')' ]]
    for words in 'exact, all on virtual#0' 'exact over the modules' 'exact as a pipeline of 4' decoupled 'at most '; do
        [[ $output == *"  $words"* || $output == *"($words"* ]] || fail "$words: $output"
    done
    [[ $output == *$'\n''Module '[012]' on virtual#'[012]' sets the pace with '*' ms a step.'* ]]
}

@test "JSON that agrees with itself" {
    good plan "$DEEP" --devices virtual:4@8:4:2:6+latency=1 --modules 3 --batch 64 --json \
        --couple 'sg solver=adam hidden=1'
    [ "${#lines[@]}" = 1 ]
    sane
    [ "$(json '[e["slowness"] for e in d[0]["devices"]]' <<<"$output")" = '[8.0, 4.0, 2.0, 6.0]' ]
    [ "$(json 'all(e["emulated"] and "emulated, " in e["device"] for e in d[0]["devices"])' <<<"$output")" = True ]
    [ "$(json 'len(d[0]["modules"]), d[0]["batch"], d[0]["locked"]' <<<"$output")" = '(3, 64, False)' ]
    [ "$(json 'len({m["device"] for m in d[0]["modules"]})' <<<"$output")" = 3 ]
    [ "$(json 'd[0]["modules"][0]["coupling_ms"] > 0' <<<"$output")" = True ]
    [ "$(json '"2x slower" in d[0]["best_device"]' <<<"$output")" = True ]
}

@test "a net in a file whose name is no UTF-8" {
    echo "$DEEP" >$'a\xff.net'
    good plan $'a\xff.net' --json
    [ "$(json 'd[0]["net"]' <<<"$output")" = 'a\xff.net' ]
}

@test "cuts and places that the net says" {
    good plan "$CUT" --devices virtual:3@2 --json
    sane
    [ "$(json '[m["first"] for m in d[0]["modules"]]' <<<"$output")" = '[0, 2, 3]' ]
    good plan "input 1x8x8; on virtual:2; dense 32; cut exact; on virtual; dense 10; loss softmax" --devices virtual:3@2
    [[ $output == *'coupling as the net says'*'0  virtual#2  0..0'*'1  virtual#0  1..1'* ]]
    [[ $output == *'A coupling that waits makes the module wait for the one above it'* ]]
    [[ $output != *'To train so'* ]]
    good plan "input 1x8x8; on virtual; dense 32; relu; dense 10; loss softmax" --devices virtual:3@2
    [[ $output == *'     0  virtual#0  0..2'* ]]
}

@test "one module where more do not pay" {
    good plan "input 20; dense 4; dense 4; loss softmax" --devices virtual:2@2+latency=1+bandwidth=0.001
    [[ $output == *'One module, for more do not pay: two, decoupled, would do '*' steps/s.'* ]]
    [[ $output != *'sets the pace'* && $output != *'To train so'* ]]
    good plan "$DEEP" --devices virtual:1@2 --modules 1
    [[ $output == *'     0  virtual#0  0..7  '* && $output != *'do not pay'* ]]
}

@test "a CPU as one and in parts" {
    local id facts
    id=$(first_device)
    facts=$("$CLUTCH" devices --json | json '[(e["kind"], e["parts_max"] > 1) for e in d[0]["devices"]][0]')
    [ "$facts" = "('CPU', True)" ] || skip 'the first device is no CPU of two units'
    good plan "$DEEP" --devices "$id"
    [[ $output == *"$id as one: "*" steps/s; as $id/2, decoupled: "*' steps/s (parts measured one at a time)'* ]]
    good plan "$DEEP" --devices "$id" --modules 2
    [[ $output == *"     0  $id/2#0  0.."*"     1  $id/2#1  "*"$id as one: "* ]]
    good plan "$DEEP" --devices "$id/2" --json
    sane
    [ "$(json 'd[0]["split"]["devices"], min(d[0]["split"]["as_one"], d[0]["split"]["decoupled"]) > 0' \
        <<<"$output")" = "('$id/2', True)" ]
    good plan "$DEEP" --devices "$id" --modules 1 --json
    [ "$(json 'd[0]["split"]' <<<"$output")" = None ]
}

@test "what plan refuses" {
    local v='--devices virtual:2@2'
    refused 'NET is missing; usage: clutch plan NET [options]   (NET: a file, or the net as a string)' plan
    refused '--batch is 0, must be from 1 to 65536' plan "$DEEP" --batch 0
    refused '--modules is 65, must be from 0 to 64' plan "$DEEP" --modules 65
    refused '--modules is -1, must be from 0 to 64' plan "$DEEP" --modules -1
    refused "unknown --optimizer 'lion'; known: adam, adamw, sgd" plan "$DEEP" --optimizer lion
    refused "net:2: unknown word 'dens'; did you mean 'dense'? known: input, dense, batchnorm, relu, leakyrelu, "\
'tanh, sigmoid, dropout, cut, on, loss' plan "input 3; dens 4"
    local known='known: csg, sg, local, predsim, vir, classmean, fixed, exact, none'
    refused "--couple: unknown coupling 'glue'; $known" plan "$DEEP" --couple glue
    refused "net:4: unknown coupling 'glue'; $known" plan 'input 4; dense 4; relu; cut glue; dense 3; loss softmax'
    # shellcheck disable=SC2086 # two words
    {
        refused 'net: 3 modules need a device each, and free devices are 2: name more, or split one (0:0/2)' \
            plan "$CUT" $v
        refused 'net: cuts make 3 modules, --modules asks for 2: leave one of them out' plan "$CUT" --modules 2 $v
        refused 'net: 5 modules need 4 cuts, and places for cuts are 3: before each layer with products but the first' \
            plan "$DEEP" --devices virtual:8@2 --modules 5
        refused "net:2: on 'gpu2' is none of the devices of this run, which are: virtual#0, virtual#1" \
            plan 'input 4; on gpu2; dense 4; cut; dense 3; loss softmax' $v
        refused "net:5: on 'virtual:2' is none of the devices of this run, which are: virtual#0, virtual#1" \
            plan 'input 4; dense 4; cut; dense 3; on virtual:2; loss softmax' $v
        refused "net:2: on 'virtual' in a net without cuts says nothing of 2 modules: put cuts, or leave it out" \
            plan 'input 4; on virtual; dense 4; dense 3; loss softmax' --modules 2 $v
    }
    refused "'virtual:2' describes no emulated devices: virtual:N@S stands for N of them (1 to 64), each S times "\
'slower (1 to 1e6), or virtual:N@S1:...:SN; +latency=US and +bandwidth=MB may follow' plan "$DEEP" --devices virtual:2
}

@test "emulated devices elsewhere" {
    idx_folder data
    refused "--devices 'virtual:2@8': emulated devices are for modules of a net, and this runs on one real device" \
        bench peak --devices virtual:2@8
    good devices --devices virtual:2@8:4+latency=5+bandwidth=100
    [[ $output == *'emulated  virtual#0  8x slower than '*', which all of them share; a message takes 5 us, links '\
'carry 100 MB a second'* ]]
    [[ $output == *'emulated  virtual#1  4x slower than '* ]]
    good devices --devices virtual:2@8:4 --json
    [ "$(json '[(e["id"], e["emulated"], e["slowness"]) for e in d[0]["devices"]]' <<<"$output")" = \
        "[('virtual#0', True, 8.0), ('virtual#1', True, 4.0)]" ]
}
