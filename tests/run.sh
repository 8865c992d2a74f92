#!/bin/sh
# Runs the tests of build folder B (build): `sh tests/run.sh all`, or `fast` without the slow groups, or `threads`,
# those in which several run. One line a program, its whole output where it failed; the last line is "N passed, N
# failed", with skipped ones behind. Kernels are compiled anew, unless CLUTCH_TEST_CACHE is a folder to keep them in.
set -u
cd "$(dirname "$0")/.." || exit 1
mode=${1:-all} build=${B:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
limit=600 # seconds a program may take; only a hang takes that long

folder=$(mktemp -d "${TMPDIR:-/tmp}/clutch-tests-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# not the user's files
export XDG_CACHE_HOME="${CLUTCH_TEST_CACHE:-$folder/cache}" XDG_CONFIG_HOME="$folder/config" CLUTCH_TUNE=off
export CMOCKA_MESSAGE_OUTPUT=TAP CLUTCH="$build/clutch"
passed=0 failed=0 skipped=0

# "passed failed skipped" of a TAP text. cmocka 1.1.5 calls a skipped test "not ok N # SKIP name", and a failed group
# setup "not ok 0". A program that ended badly or lost tests, with no failure to show for it, counts as one.
count()
{
    awk -v status="$1" '
        /^1\.\.[0-9]+/ { planned += substr($1, 4) }
        /^(not )?ok / {
            if (/# (SKIP|skip)/) skipped++
            else if (/^ok/) passed++
            else failed++
        }
        END {
            if (!failed && (status != 0 || !planned || passed + skipped != planned)) failed = 1
            print passed + 0, failed + 0, skipped + 0
        }' "$folder/out"
}

# one NAME COMMAND...: runs what prints TAP, says how it went, counts it in
one()
{
    name=$1
    shift
    began=$(date +%s)
    rm -f "$folder/complaints"
    timeout -k 10 "$limit" "$@" >"$folder/out" 2>&1 </dev/null
    status=$?
    [ $status != 124 ] || echo "# stopped after $limit seconds" >>"$folder/out"
    read -r good bad left_out <<END
$(count $status)
END
    if [ -s "$folder/complaints" ]; then
        cat "$folder/complaints" >>"$folder/out"
        bad=$((bad + 1))
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left_out))
    verdict="$good passed"
    [ "$bad" = 0 ] || verdict="$verdict, $bad FAILED (exit status $status)"
    [ "$left_out" = 0 ] || verdict="$verdict, $left_out skipped"
    echo "$name: $verdict, $(($(date +%s) - began)) s"
    [ "$bad" = 0 ] || sed 's/^/    /' "$folder/out"
}

# skip NAME: a group that this machine cannot run
skip()
{
    skipped=$((skipped + 1))
    echo "$1: skipped, not installed here"
}

# programs KIND [COMMAND...]: the programs of that kind, under a command where one is given; those that $some matches
programs()
{
    kind=$1
    shift
    for source in tests/"$kind"/$some.c; do
        [ -e "$source" ] || continue
        program=$kind-$(basename "$source" .c)
        found=1
        one "$program${where:+ on $where}" "$@" "$build/tests/$program"
    done
}

found='' where='' some='*'
case $mode in
threads)
    for some in 'team*' 'sg*' mailbox; do
        programs unit
    done
    ;;
*)
    for kind in unit kernel grad golden; do
        programs $kind
    done
    ;;
esac
[ "$mode" != all ] || programs fault
if [ -z "$found" ]; then
    echo 'no test program found: FAILED'
    failed=$((failed + 1))
fi

for file in tests/cli/*.bats; do
    [ -e "$file" ] || continue
    case $mode:$file in threads:* | fast:*slow*) continue ;; esac
    one "cli-$(basename "$file" .bats)" bats --tap "$file"
done
[ "$mode" = threads ] || one rules sh tests/rules/rules.sh

if [ "$mode" = all ]; then
    where=rusticl
    if RUSTICL_ENABLE=llvmpipe clinfo -l 2>/dev/null | grep -q llvmpipe; then
        programs kernel env RUSTICL_ENABLE=llvmpipe CLUTCH_TEST_DEVICE=llvmpipe
    else
        skip 'kernels on rusticl'
    fi
    where=Oclgrind
    if command -v oclgrind >/dev/null; then
        # its findings go to a log, not to the exit status: any is a failure (`one` looks)
        programs kernel env CLUTCH_TEST_SMALL=1 oclgrind --log "$folder/complaints" --max-errors 10 --check-api \
            --data-races --uninitialized
    else
        skip 'kernels under Oclgrind'
    fi
fi

summary="$passed passed, $failed failed"
[ $skipped = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ $failed = 0 ]
