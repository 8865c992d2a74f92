# clutch bench: rows that scripts can read, and what it refuses. No figure is judged here.
load common

# rows FIELDS...: every line of the output is JSON with these fields, numbers above 0 where they are numbers
rows()
{
    /usr/bin/env python3 - "$@" <<END
import json, sys
lines = [json.loads(l) for l in """$output""".splitlines()]
assert lines
for d in lines:
    for f in sys.argv[1:] + ["device", "driver", "clutch"]:
        assert not isinstance(d[f], float) or d[f] > 0, (f, d)
END
}

# parts_of_a_step: the rows of bench step add up to the time of a step
parts_of_a_step()
{
    /usr/bin/env python3 - <<END
import json
lines = [json.loads(l) for l in """$output""".splitlines()]
kernels, total = [d for d in lines if d["bench"] == "step"], lines[-1]
near = lambda a, b: abs(a - b) <= 1e-6 * abs(b)
assert near(sum(k["us"] for k in kernels), total["kernels_us"])
assert near(sum(k["launches"] for k in kernels), total["launches"])
assert all(k["launches"] == round(k["launches"]) for k in kernels), kernels
assert near(total["kernels_us"] + total["between_us"] + total["outside_us"], total["traced_us"])
assert near(total["accounted"], 1 - total["outside_us"] / total["traced_us"])
assert total["other_us"] <= total["kernels_us"] and total["other_bound_us"] > 0 and total["traced_steps"] > 1
assert all((k["x_bound"] is None) == (k["gflops"] > 0) for k in kernels), kernels
END
}

@test "peak, launch and gemm" {
    good bench peak --json
    rows gflops_best gflops_median gbytes_best gbytes_median
    good bench launch --json
    rows us_best us_median waited_us_best waited_us_median
    good bench gemm --shape 31x33x65 --provider plain --json
    rows M N K form provider gflops_best gflops_median peak_gflops
    [ "${#lines[@]}" = 3 ] || [ "${#lines[@]}" = 6 ] # and in chains
    good bench gemm --shape 31x33x65 --provider plain
    [[ $output == *"31x33x65         NT  plain "* ]]
}

@test "step" {
    good bench step "$NET" --batch 32 --json
    rows
    [[ $output == *'"kernel":"gemm_'* && $output == *'"kernel":"dropout"'* && $output == *'"bench":"step_total"'* ]]
    parts_of_a_step
    good bench step "input 20; dense 4; loss softmax" --batch 16 --optimizer sgd
    [[ $output == *"sgd "*"all kernels "*"between kernels "*"before and after "*"step, kernel by kernel "*"100.0 %"* ]]
    [[ $output == *"accounted for: "*"samples/s"*"a launch in a row"* ]]
}

@test "what bench refuses" {
    refused "unknown bench 'speed'; known: peak, gemm, step, launch" bench speed --json
    refused 'peak|gemm|step|launch is missing; '\
'usage: clutch bench peak|gemm|step|launch [NET] [options]   (NET: of step)' bench
    refused '--batch is 0, must be from 1 to 65536' bench step --batch 0
    refused "unknown GEMM provider 'fast'; known: plain, clblast, tile" bench gemm --provider fast --json
    refused "GEMM provider tile: 'kc=5': kc can be 400 192 272 528" bench gemm --provider 'tile kc=5'
    refused "GEMM provider tile has no parameter 'mwg=8'" bench gemm --provider 'tile mwg=8'
    for shape in 1x2 1x2x3x4 axbxc 0x1x1 1x1x16385 1x2x 99999999999999x1x1; do
        refused '--shape must be MxNxK, each from 1 to 16384, such as 256x1024x1024' bench gemm --shape $shape --json
    done
    refused "unknown --optimizer 'adagrad'; known: adam, adamw, sgd" bench step --optimizer adagrad --json
    refused "net:2: dense: unknown option 'unit'; did you mean 'units'? known: units, bias, zero" \
        bench step "input 4; dense unit=3; loss softmax" --json
}
