# Training in modules as a user does it: what is printed, what a run leaves, what repeats to the bit, what is refused.
load common

DEEP='input 1x28x28; dense 16; batchnorm; relu; dense 16; batchnorm; relu; dense 10; loss softmax'
CUT='input 1x28x28; dense 16; batchnorm; relu; cut csg; dense 16; batchnorm; relu; dense 10; loss softmax'
SHORT=(--data digits --limit 320 --batch 64) # 5 steps an epoch

# real: "0:0 NAME" of the first device
real()
{
    "$CLUTCH" devices --json | json 'd[0]["devices"][0]["id"] + " " + d[0]["devices"][0]["name"]'
}

# shared: "0:0/2#0 NAME", what emulated devices share: a core of it, where it is a CPU that can be split
shared()
{
    "$CLUTCH" devices --devices virtual:1@1 --json | json 'd[0]["devices"][0]["shares"] + " "' | tr -d '\n'
    real | cut -d ' ' -f 2-
}

# tensors FILE: names and shapes of a safetensors file, sorted
tensors()
{
    python3 - "$1" <<'END'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
head = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
head.pop("__metadata__", None)
for name in sorted(head):
    print(name, head[name]["dtype"], head[name]["shape"])
END
}

# trace_is_good FILE MODULES STEPS: Chrome's trace events, with rows and spans for each module
trace_is_good()
{
    python3 - "$@" <<'END'
import json, sys
modules, steps = int(sys.argv[2]), int(sys.argv[3])
events = json.load(open(sys.argv[1]))["traceEvents"]
for e in events:
    assert isinstance(e["name"], str) and e["name"] and e["ph"] in "XM", e
    assert isinstance(e["pid"], int) and isinstance(e["tid"], int) and 0 <= e["pid"] < modules, e
spans = [e for e in events if e["ph"] == "X"]
for e in spans:
    assert e["ts"] >= 0 and e["dur"] >= 0 and e["cat"] in ("wait", "work"), e
    assert 0 <= e["args"]["step"] < steps, e
for k in range(modules):
    name = [e["args"]["name"] for e in events if e["name"] == "process_name" and e["pid"] == k]
    assert len(name) == 1 and name[0].startswith("module %d: layers " % k), name
    rows = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name" and e["pid"] == k}
    assert len(rows) == 2 and {e["tid"] for e in spans if e["pid"] == k} <= set(rows), rows
    assert any(e["pid"] == k and e["cat"] == "work" for e in spans), "no work of module %d" % k
assert min(e["ts"] for e in spans) == 0
END
}

@test "halves of a CPU: a module each, and the run works as any other" {
    [ "$("$CLUTCH" devices --json | json 'd[0]["devices"][0]["parts_max"] >= 2')" = True ] ||
        skip 'the first device cannot be split'
    good train "$DEEP" "${SHORT[@]}" --epochs 2 --devices 0:0/2 --modules 2 --out run
    local name
    name=$(real)
    name=${name#0:0 }
    [[ $output == *"module 0: layers 0 to "*" on 0:0/2#"?" $name, GEMM "*"; gradient: csg"* ]]
    [[ $output == *$'\n'"module 1: layers "*" to 6 on 0:0/2#"?" $name, GEMM "* ]]
    [[ $output == *$'\n''modules run freely, each at its own pace, up to 4 messages between two'$'\n'* ]]
    [[ $output == *', couplings '*', scratch '* ]]
    [[ $output != *mulated* && $output != *'  busy'$'\n'* ]]
    [ "$(grep -c '^         module 0: busy .*, targets .* steps late, gradient at the cut: cosine ' <<<"$output")" = 2 ]
    [ "$(grep -c '^         module 1: busy ' <<<"$output")" = 2 ]
    [ "$(cd run && find . -type f ! -path './pictures/*' ! -path './snapshots/*' | sort | tr '\n' ' ')" = \
        './checkpoint.safetensors ./couplings.safetensors '\
'./index.html ./metrics.jsonl ./model-best.safetensors ./model.safetensors ./run.json ./trace.json ' ]
    trace_is_good run/trace.json 2 10
    good eval run --json
    [ "$(json 'd[-1]["test_accuracy"]' <run/metrics.jsonl)" = "$(json 'd[0]["test_accuracy"]' <<<"$output")" ]
    python3 "$(tree tests/cli/digit.py)" zero.png 28 28
    good predict run zero.png --json
    [ "$(json 'len(d[0]["probabilities"])' <<<"$output")" = 10 ]
    # one device has the same tensors
    good train "$DEEP" "${SHORT[@]}" --epochs 1 --devices 0:0 --out one
    [ "$(tensors run/model.safetensors)" = "$(tensors one/model.safetensors)" ]
}

@test "emulated devices are called so, and metrics.jsonl has a row a module" {
    good train "$DEEP" "${SHORT[@]}" --epochs 2 --devices virtual:3@2+latency=50 --modules 2 \
        --couple 'sg solver=adam hidden=2' \
        --queue 7 --out run
    local one two
    one="virtual#0 (emulated, 2x slower than $(shared))" two="virtual#1 (emulated, 2x slower than $(shared))"
    [ "$(grep -c '^module [01]: .* (emulated, 2x slower than 0:0[ /].*), GEMM ' <<<"$output")" = 2 ]
    [[ $output == *'; gradient: sg solver=adam hidden=2'* ]]
    [ "$(json '[m["device"] for e in d for m in e["modules"]]' <run/metrics.jsonl)" = \
        "['$one', '$two', '$one', '$two']" ]
    [ "$(json '[sorted(m) for m in d[1]["modules"]]' <run/metrics.jsonl)" = "[['busy', 'cosine', 'device', \
'norm_ratio', 'stale_most', 'stale_steps', 'targets', 'updates', 'wait_gradient', 'wait_input', 'wait_space'], \
['busy', 'device', 'stale_most', 'stale_steps', 'targets', 'updates', 'wait_gradient', 'wait_input', 'wait_space']]" ]
    [ "$(json 'all(0 < m["busy"] <= 1 and m["updates"] == 5 for e in d for m in e["modules"])' \
        <run/metrics.jsonl)" = True ]
    [ "$(json '[(e["modules"][0]["targets"], e["modules"][1]["targets"]) for e in d]' <run/metrics.jsonl)" = \
        '[(5, 0), (5, 0)]' ]
    [ "$(json 'all(0 <= e["modules"][0]["stale_steps"] <= e["modules"][0]["stale_most"] < 5 and
        e["modules"][1]["stale_steps"] == 0 for e in d)' <run/metrics.jsonl)" = True ]
    [ "$(json 'all(-1 <= m["cosine"] <= 1 and m["norm_ratio"] > 0 for m in [e["modules"][0] for e in d])' \
        <run/metrics.jsonl)" = True ]
    [ "$(json 'all(0 <= m["wait_" + k] <= 1 for e in d for m in e["modules"] for k in ("input", "space", "gradient"))' \
        <run/metrics.jsonl)" = True ]
    trace_is_good run/trace.json 2 10
    tr -d '\n' <run/run.json >flat.json
    [ "$(json '[d[0]["options"][k] for k in ("devices", "couple", "lockstep", "queue")]' <flat.json)" = \
        "['virtual:3@2+latency=50', 'sg solver=adam hidden=2', False, 7]" ]
    [ "$(json '[(m["device"], m["emulated"], m["place"], m["coupling"]) for m in d[0]["modules"]]' <flat.json)" = \
        "[('$one', True, 0, 'sg solver=adam hidden=2'), ('$two', True, 1, None)]" ]
    [ "$(json '(d[0]["modules"][1]["first"] == d[0]["modules"][0]["layers"] > 0,
        sum(m["layers"] for m in d[0]["modules"]))' <flat.json)" = '(True, 7)' ]
    # where the program cut is in the net's text
    [ "$(json 'd[0]["net"]["text"].replace("cut sg solver=adam hidden=2; ", "")' <flat.json)" = "$DEEP" ]
    [ "$(tensors run/couplings.safetensors | grep -c '^cut0\.net0\..*weight F32')" -ge 3 ]
    good eval run
}

@test "cuts and devices that stand in the net" {
    cat >three.net <<'END'
# three modules, the last two on one device
input 1x28x28
on virtual:1
dense 16
relu
cut csg solver=adam hidden=1 width=8
on virtual:0
dense 16
relu
cut local
on virtual:0
dense 10
loss softmax
END
    good train three.net "${SHORT[@]}" --epochs 1 --devices virtual:2@1:3 --out run
    local slow='on virtual#1 (emulated, 3x slower than ' fast='on virtual#0 (emulated, as fast as '
    [[ $output == *"module 0: layers 0 to 1 $slow"*'; gradient: csg solver=adam hidden=1 width=8'* ]]
    [[ $output == *"module 1: layers 2 to 3 $fast"*'; gradient: local'* ]]
    [[ $output == *"module 2: layers 4 to 4 $fast"* ]]
    tr -d '\n' <run/run.json >flat.json
    [ "$(json '[(m["place"], m["first"], m["coupling"]) for m in d[0]["modules"]]' <flat.json)" = \
        "[(1, 0, 'csg solver=adam hidden=1 width=8'), (0, 2, 'local'), (0, 4, None)]" ]
    [ "$(json 'd[0]["net"]["text"]' <flat.json)" = "$(cat three.net)" ]
    [ "$(tensors run/couplings.safetensors | sed 's/\..*//' | sort -u | tr '\n' ' ')" = 'cut0 cut1 ' ]
    # --couple takes the place of all of them; exact has no net of its own
    good train three.net "${SHORT[@]}" --epochs 1 --devices virtual:2@1:3 --couple exact --out run --force
    [ "$(grep -c '; gradient: exact$' <<<"$output")" = 2 ]
    [ ! -e run/couplings.safetensors ] || fail 'couplings of the old run are still there'
    [ "$(json '[m.get("cosine") for m in d[0]["modules"]]' <run/metrics.jsonl)" = '[1.0, 1.0, None]' ]
    good train "$DEEP" "${SHORT[@]}" --epochs 1 --devices 0:0 --out run --force
    [ ! -e run/trace.json ] || fail 'the trace of the old run is still there'
}

@test "--json prints the lines of metrics.jsonl and nothing else" {
    good train "$CUT" "${SHORT[@]}" --epochs 2 --devices virtual:2@2 --out run --json
    [ "$output" = "$(cat run/metrics.jsonl)" ]
    [ "${#lines[@]}" = 2 ]
}

@test "in lockstep the same command gives the same bytes, and run.json has all it takes" {
    local options=("${SHORT[@]}" --epochs 2 --devices virtual:2@2 --modules 2 --lockstep)
    good train "$DEEP" "${options[@]}" --couple csg --out one
    [[ $output == *$'\n''modules run in lockstep, up to 4 messages between two'$'\n'* ]]
    [[ $output == *', targets 0.0 steps late'* ]]
    good train "$DEEP" "${options[@]}" --couple csg --out two
    tr -d '\n' <one/run.json >flat.json
    good train "$(json 'd[0]["net"]["text"]' <flat.json)" "${SHORT[@]}" --epochs 2 \
        --devices "$(json 'd[0]["options"]["devices"]' <flat.json)" \
        --couple "$(json 'd[0]["options"]["couple"]' <flat.json)" --lockstep --out three
    for file in model checkpoint couplings; do
        bits_equal one/$file.safetensors two/$file.safetensors
        bits_equal one/$file.safetensors three/$file.safetensors
    done
    good train "$DEEP" "${options[@]}" --couple csg --seed 2 --out other
    ! cmp -s one/model.safetensors other/model.safetensors || fail 'two seeds, one model'
    good train "$DEEP" "${options[@]}" --couple sg --out other --force
    ! cmp -s one/model.safetensors other/model.safetensors || fail 'two couplings, one model'
}

@test "an interrupted run in lockstep goes on to the same bits" {
    local at=400 options=("${SHORT[@]}" --epochs 4 --devices virtual:2@2 --lockstep) done net
    net=${CUT/; dense/; on virtual:0; dense}
    net=${net/cut csg;/cut csg; on virtual:1;} # with nothing to choose, nothing is measured
    good train "$net" "${options[@]}" --out whole
    # a call fails somewhere behind the first epoch
    for ((; at < 20000; at += at / 8)); do
        CLUTCH_FAULT=$at run --separate-stderr timeout 60 "$CLUTCH" train "$net" "${options[@]}" --out part --force \
            --draw-every 0 # drawing may fail, and the run goes on
        if [ "$status" = 0 ]; then # so it does where a kernel cannot be kept
            rm -r part
            continue
        fi
        [ "$status" = 1 ] || fail "exit code $status at fault point $at: $stderr"
        [ ! -s part/checkpoint.safetensors ] || break
    done
    done=$(wc -l <part/metrics.jsonl)
    [[ $done -ge 1 && $done -le 3 ]]
    good train --resume part
    # the failure may have come between an epoch's line and its checkpoint
    [[ $output == *"resume: part, $done of 4 epochs are done"* ||
        $output == *"resume: part, $((done - 1)) of 4 epochs are done"* ]]
    for file in model checkpoint couplings; do
        bits_equal whole/$file.safetensors part/$file.safetensors
    done
    local same='[[e[k] for k in ("epoch", "step", "train_loss", "test_loss", "test_accuracy", "learning_rate")] +
        [(m["updates"], m["targets"], m.get("cosine")) for m in e["modules"]] for e in d]'
    [ "$(json "$same" <whole/metrics.jsonl)" = "$(json "$same" <part/metrics.jsonl)" ]
    good eval part
}

@test "a run goes on where its devices are not all here, and says so" {
    good train "$CUT" "${SHORT[@]}" --epochs 1 --devices virtual:2@2 --out run
    local name moved
    name=$(real)
    moved="(emulated, 2x slower than $(shared)) when the run began, and is on $name now: other bits will come out"
    sed -i 's/"devices": "virtual:2@2"/"devices": "0:0"/' run/run.json
    run --separate-stderr "$CLUTCH" train --resume run --epochs 2
    [ "$status" = 0 ]
    [ "$(complaints)" = "clutch: module 0 was on virtual#0 $moved"$'\n'"clutch: module 1 was on virtual#1 $moved" ]
    sed -i 's/"place": 1/"place": 1000000/' run/run.json
    good train --resume run --devices virtual:3@4 --epochs 3 # as asked for, so no news
    [[ $output == *'resume: run, 2 of 3 epochs are done'* ]]
}

@test "exact over modules on one device gives the bits of the whole net there" {
    local options=("${SHORT[@]}" --epochs 2 --devices 0:0)
    local net='input 1x28x28; dense 16; batchnorm; relu; dropout 0.1; CUT dense 16; tanh; CUT dense 10; loss softmax'
    good train "${net//CUT /}" "${options[@]}" --out one
    good train "${net//CUT/cut exact;}" "${options[@]}" --out three
    [[ $output == *'module 2: layers '* ]]
    cmp one/model.safetensors three/model.safetensors
    # a guess is no true gradient
    good train "${net//CUT/cut csg;}" "${options[@]}" --out guess
    ! cmp -s one/model.safetensors guess/model.safetensors || fail 'csg gave the bits of exact'
}

@test "one of several devices, where more modules do not pay" {
    good train 'input 1x28x28; dense 10; loss softmax' "${SHORT[@]}" --epochs 1 --devices virtual:2@5:2 --modules 1 \
        --out run
    [[ $output == *'device: virtual#1 (emulated, 2x slower than '* && $output != *'module 0'* ]]
    [ ! -e run/trace.json ] && [ ! -e run/couplings.safetensors ]
}

@test "couplings, modules and queues that cannot be" {
    local known='known: csg, sg, local, predsim, vir, classmean, fixed, exact, none'
    while IFS='|' read -r option value message; do
        refused "$message" train "$DEEP" "${SHORT[@]}" "$option" "$value"
    done <<END
--couple|foo|--couple: unknown coupling 'foo'; $known
--couple|csg foo=1|--couple: csg: unknown option 'foo'; known: solver, ridge, forget, every, error, lr, p, lambda
--couple|csg hidden=1|--couple: csg has no hidden: 'csg solver=adam' has it
--couple|csg solver=adam hidden=9|--couple: csg: hidden is '9', must be a whole number from 0 to 4
--couple|sg solver=adam hidden=x|--couple: sg: hidden is 'x', must be a whole number from 0 to 4
--couple|exact micro=65|--couple: exact: micro is '65', must be a whole number from 1 to 64
--queue|0|--queue is 0, must be from 1 to 1024
--queue|1025|--queue is 1025, must be from 1 to 1024
--modules|-1|--modules is -1, must be from 0 to 64
--modules|65|--modules is 65, must be from 0 to 64
--modules|two|--modules is 'two', must be a whole number
END
    refused "net:5: unknown coupling 'foo'; $known" train "${CUT/csg/foo}" "${SHORT[@]}"
    refused 'net: cuts make 2 modules, --modules asks for 3: leave one of them out' \
        train "$CUT" "${SHORT[@]}" --modules 3 --devices virtual:3@2
    refused 'net: 2 modules need a device each, and free devices are 1: name more, or split one (0:0/2)' \
        train "$DEEP" "${SHORT[@]}" --modules 2 --devices 0:0
    refused 'net: 3 modules need a device each, and free devices are 2: name more, or split one (0:0/2)' \
        train "$DEEP" "${SHORT[@]}" --modules 3 --devices virtual:2@2
    refused 'net: 4 modules need 3 cuts, and places for cuts are 2: before each layer with products but the first' \
        train "$DEEP" "${SHORT[@]}" --modules 4 --devices virtual:4@2
    refused_late 'micro=64 is too much for a batch of 64: 3 samples a micro-batch at least' \
        train "$CUT" "${SHORT[@]}" --devices virtual:2@2 --couple 'exact micro=64'
    refused "net:2: on 'virtual' in a net without cuts says nothing of 2 modules: put cuts, or leave it out" \
        train "${DEEP/; dense/; on virtual; dense}" "${SHORT[@]}" --modules 2 --devices virtual:2@2
    refused "net:6: on '7:7' is none of the devices of this run, which are: virtual#0, virtual#1" \
        train "${CUT/csg;/csg; on 7:7;}" "${SHORT[@]}" --devices virtual:2@2
    refused "net:6: on 'virtual:2' is none of the devices of this run, which are: virtual#0, virtual#1" \
        train "${CUT/csg;/csg; on virtual:2;}" "${SHORT[@]}" --devices virtual:2@2
}

@test "emulated devices that cannot be" {
    local spec grammar='describes no emulated devices: virtual:N@S stands for N of them (1 to 64), each S times '\
'slower (1 to 1e6), or virtual:N@S1:...:SN; +latency=US and +bandwidth=MB may follow'
    for spec in virtual: virtual:0@2 virtual:65@2 virtual:2@0.5 virtual:2@x virtual:2 virtual:3@1:2 virtual:2@2+foo=1 \
        virtual:2@2+latency=-1 virtual:2@2+latency=x virtual:2@2+bandwidth=0; do
        refused "'$spec' $grammar" train "$CUT" "${SHORT[@]}" --devices "$spec"
        refused "'$spec' $grammar" devices --devices "$spec"
    done
    refused 'emulated devices are described twice, once is all that is allowed' \
        train "$CUT" "${SHORT[@]}" --devices virtual:2@2,virtual:2@3
    good train "$CUT" "${SHORT[@]}" --epochs 1 --devices virtual:2@2 --out run
    refused "--devices 'virtual:2@2': emulated devices are for modules of a net, and this runs on one real device" \
        eval run --devices virtual:2@2
}

@test "devices lists emulated ones with what they share" {
    good devices --devices virtual:2@1:3+latency=50+bandwidth=100
    local name place='0:0'
    name=$(real)
    if [ "$(shared)" != "$name" ]; then
        place=$(shared)
        place=${place%% *} name="a core of $name"
    fi
    [ "$output" = "emulated  virtual#0  as fast as $name, which all of them share; a message takes 50 us, links carry \
100 MB a second"$'\n'"emulated  virtual#1  3x slower than $name, which all of them share; a message takes 50 us, links \
carry 100 MB a second" ]
    good devices --devices virtual:2@1:3+latency=50+bandwidth=100 --json
    [ "$(json '[(e["id"], e["emulated"], e["shares"], e["slowness"], e["latency_us"], e["megabytes_per_second"])
        for e in d[0]["devices"]]' <<<"$output")" = \
        "[('virtual#0', True, '$place', 1.0, 50.0, 100.0), ('virtual#1', True, '$place', 3.0, 50.0, 100.0)]" ]
    good devices --devices 0:0
    [[ $output == 'platform 0  '* && $output != *'platform 1'* ]]
}
