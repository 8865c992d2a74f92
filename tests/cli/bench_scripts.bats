# The scripts of bench/ without what they measure with: what they refuse, and what they make of rows that were measured.
load common

# bench ARGUMENTS...: on a device that is not there, so that nothing is ever measured
bench()
{
    run --separate-stderr sh "$(tree bench/run.sh)" --devices none "$@"
}

# fixture LOSSES: two rounds of one product, and one epoch of each program with two seeds; the losses are clutch's two
# and PyTorch's
fixture()
{
    local -a losses=("$@")
    local facts='{"device":"0:0 test","driver":"1","threads":2,"torch":"-","openblas":"-"}' program seed
    mkdir -p raw
    {
        echo "$facts"
        echo '{"bench":"peak","gflops_best":200.0,"gflops_median":190.0,"gbytes_best":20.0,"gbytes_median":19.0}'
        echo '{"bench":"launch","us_best":2.0,"us_median":3.0,"waited_us_best":30.0,"waited_us_median":31.0}'
    } >raw/peak.jsonl
    {
        echo "$facts"
        product openblas 80.0 70.0
        product tile 40.0 30.0
        product tile 60.0 50.0
        product openblas 120.0 90.0
    } >raw/gemm.jsonl
    {
        echo "${facts%\}},\"data\":\"test\",\"samples\":\"all\"}"
        for program in clutch pytorch; do
            for seed in 1 2; do
                echo '{"net":"A","sizes":"784-10","batch":8,"program":"'"$program"'","seed":'$seed',"epoch":1,' \
                    '"samples_per_second":'$((seed * 1000))'.0,"train_loss":'"${losses[0]}"',"test_loss":0.5,' \
                    '"test_accuracy":0.9,"settings":"none"}'
                losses=("${losses[@]:1}")
            done
        done
    } >raw/train.jsonl
}

# product PROVIDER BEST MEDIAN
product()
{
    echo '{"bench":"gemm","provider":"'"$1"'","form":"NT","M":128,"N":256,"K":784,"gflops_best":'"$2"',' \
        '"gflops_median":'"$3"'}'
}

summary()
{
    run --separate-stderr python3 -B "$(tree bench/summary.py)" raw out
    # shellcheck disable=SC2154 # bats sets stderr and status
    [ "$status" = 0 ] || fail "$stderr"
}

@test "run.sh is a good shell script" {
    sh -n "$(tree bench/run.sh)"
    command -v shellcheck >/dev/null || skip 'shellcheck is not installed here'
    shellcheck "$(tree bench/run.sh)"
}

@test "what bench/run.sh refuses" {
    bench gem
    [ "$status" = 2 ]
    [[ $stderr == *"unknown bench 'gem'; known: gemm, train, all" ]]
    bench --rounds 0
    [ "$status" = 2 ]
    [[ $stderr == *"'0' is no number from 1 to 1000" ]]
}

@test "the summary's CSV files" {
    fixture 0.5 0.62 0.5 0.6
    summary
    local measured=M,N,K,form,provider,gflops_best,gflops_median,us_best,launch_us,peak_gflops,of_peak
    [ "$(sed -n 1p out/gemm.csv)" = \
        "$measured,of_openblas_best,of_openblas_median,rounds,device,driver,threads,torch,openblas" ]
    [ "$(sed -n 2p out/gemm.csv)" = '128,256,784,NT,openblas,120,80,428.169,2,200,0.6,1,1,2,0:0 test,1,2,-,-' ]
    [ "$(sed -n 3p out/gemm.csv)" = '128,256,784,NT,tile,60,40,856.337,2,200,0.3,0.5,0.5,2,0:0 test,1,2,-,-' ]
    [ "$(sed -n 2p out/peak.csv)" = 'multiply-add,GFLOP/s,200,1,190,0:0 test,1,2,-,-' ]
    [ "$(wc -l <out/train.csv)" = 5 ]
    [ "$(sed -n 3p out/train.csv)" = 'A,784-10,8,clutch,2,1,2000,0.62,0.5,0.9,none,0:0 test,1,2,-,-,test,all' ]
}

@test "the summary's verdict on loss curves" {
    fixture 0.5 0.62 0.5 0.6
    summary
    [[ $output == *'loss curves agree: in every epoch the means over 2 seeds differ by no more than the spread'* ]]
    for clutch in '9.4 9.5' '0.5 NaN'; do
        # shellcheck disable=SC2086 # two losses
        fixture $clutch 0.5 0.6
        summary
        [[ $output == *'loss curves differ: the means over 2 seeds are further apart than the spread in epochs 1'* ]] ||
            fail "$clutch: $output"
    done
}
