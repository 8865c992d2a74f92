# Runs that are killed, and go on to the bits of an undisturbed one: twenty here. tests/kills/kills.py tries as many as
# are asked for.
load common

# walked N ARGUMENTS...: so many runs were disturbed, and all went on
walked()
{
    local n=$1
    shift
    run timeout 500 python3 "$(tree tests/kills/kills.py)" --trials "$n" --keep "$PWD/kept" "$@"
    [ "${lines[-1]}" = "$n passed, 0 failed" ] || fail "$output"
    [ "$status" = 0 ]
}

@test "a killed run goes on to the same bits" {
    walked 10 --mode one --mode drawn --signals
}

@test "so does one of modules in lockstep" {
    walked 10 --mode csg --mode three --signals
}

@test "checkpoints that are kept are the last ones, also where a run was killed behind its last step" {
    local options=(--data digits --limit 300 --epochs 3 --keep 2 --draw-every 0) point
    CLUTCH_KILL_LOG=$PWD/points good train "$NET" "${options[@]}" --out whole
    for point in 'before link part/checkpoint-000003' 'before unlink part/checkpoint-000001'; do
        rm -rf part
        at=$(sed -n "s,^\([0-9]*\) ${point/part/whole}.*,\1,p" points | tail -n 1)
        CLUTCH_KILL=$at run "$CLUTCH" train "$NET" "${options[@]}" --out part
        [ "$status" = 137 ]
        [ "$(ls part)" != "$(ls whole)" ]
        good train --resume part
        [[ $output == 'finished: part has its 3 epochs;'* ]]
        [ "$(ls part)" = "$(ls whole)" ] || fail "after $point: $(ls part)"
        cmp part/checkpoint.safetensors part/checkpoint-000003.safetensors
    done
}
