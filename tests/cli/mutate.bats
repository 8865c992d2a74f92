# tests/mutate: on a tree of two functions, one of which is tested. The real one is for whoever has an hour.
load common

# toy: a floor with a test program, in folder `toy`
toy()
{
    mkdir -p toy/src/base toy/tests/unit
    cat >toy/src/base/toy.c <<'END'
/* Not here: 1 + 1. */
int twice(int v);
int forgotten(int v);

int twice(int v)
{
    return v + v;
}

int forgotten(int v)
{
    return v * v; /* not 2 * v */
}
END
    cat >toy/tests/unit/base.c <<'END'
#include <stdio.h>
int twice(int v);

int main(void)
{
    puts(twice(3) == 6 ? "ok 1" : "not ok 1 - twice");
    return 0;
}
END
    cat >toy/Makefile <<'END'
build/tests/unit-base: build/obj/base/toy.o tests/unit/base.c
	@mkdir -p build/tests
	cc -o $@ $^
build/obj/base/toy.o: src/base/toy.c
	@mkdir -p build/obj/base
	cc $(CFLAGS) -c -o $@ $<
END
}

# mutate ARGUMENTS...
mutate()
{
    run --separate-stderr python3 -B "$(tree tests/mutate/mutate.py)" --root toy --folder scratch "$@"
    [ "$status" = 0 ] || fail "exit status $status: $stderr"
}

@test "a mutant is killed, or survives with its line; a stopped run goes on, and the same seed gives the same" {
    toy
    mutate --count 6
    local whole=$output
    grep -qE '^ +[1-6]  src/base/toy.c:7  \+ becomes -: killed by unit-base: not ok 1 - twice$' <<<"$output"
    grep -qE '^ +[1-6]  src/base/toy.c:12  \* becomes /: SURVIVED$' <<<"$output"
    grep -qxF '     -    return v * v; /* not 2 * v */' <<<"$output"
    grep -qxF '     +    return v / v; /* not 2 * v */' <<<"$output"
    grep -qE '^6 mutants: [1-5] killed, [1-5] survived$' <<<"$output"
    [ "$(cksum <toy/src/base/toy.c)" = "$(cksum <scratch/tree/src/base/toy.c)" ]
    mutate --report --count 6
    local told=$output
    [ "${lines[-1]}" = "$(tail -n 1 <<<"$whole")" ]
    # stopped in the fifth, with the mutant in the tree and half a line written
    head -n 4 scratch/results.jsonl >four && printf '{"index": 4, ' >>four && mv four scratch/results.jsonl
    sed 's/v + v/v - v/' toy/src/base/toy.c >scratch/tree/src/base/toy.c
    python3 -c 'import json, sys; print(json.dumps({"file": "src/base/toy.c", "text": open(sys.argv[1]).read()}))' \
        toy/src/base/toy.c >scratch/undo.json
    mutate --count 6
    [ "${lines[-1]}" = "$(tail -n 1 <<<"$whole")" ]
    mutate --report --count 6
    [ "$output" = "$told" ]
    [ "$(wc -l <scratch/results.jsonl)" = 6 ]
}

@test "a tree that does not build is no tree to mutate" {
    toy
    echo 'int;;x' >>toy/src/base/toy.c
    run --separate-stderr python3 -B "$(tree tests/mutate/mutate.py)" --root toy --folder scratch --count 1
    [ "$status" = 1 ]
    [[ $stderr == "the tree does not build without a mutant: make -C $PWD/scratch/tree tests" ]]
}

@test "a test that fails without a mutant kills none, and is named" {
    toy
    sed -i 's/== 6/== 7/' toy/tests/unit/base.c
    run --separate-stderr python3 -B "$(tree tests/mutate/mutate.py)" --root toy --folder scratch --count 6
    [ "$status" = 1 ]
    [ "$stderr" = 'unit-base fails without a mutant, and so can kill none: not ok 1 - twice' ]
    [[ -z $output && ! -e scratch/results.jsonl ]]
    [ "$(cksum <toy/src/base/toy.c)" = "$(cksum <scratch/tree/src/base/toy.c)" ]
}

@test "every test of kernels and units is of a floor" {
    cat >floors.py <<'END'
import pathlib, sys
sys.path.insert(0, sys.argv[1] + "/tests/mutate")
import mutate
known = {t for tests in mutate.FLOORS.values() for t in tests}
there = {f"{kind}-{f.stem}" for kind in ("unit", "kernel", "grad", "golden")
         for f in pathlib.Path(sys.argv[1], "tests", kind).glob("*.c")}
gone = {t for t in known if not t.endswith(".bats")} - there
assert len(there) > 30 and there <= known and not gone, (there - known, gone)
END
    python3 -B floors.py "$(tree .)"
}
