# What `make install` puts, that the program finds it, and that `make uninstall` takes all of it away.
load common

# The build folder is the one of the program under test, which is up to date: nothing is compiled.
make_it()
{
    local build=${CLUTCH%/clutch}
    (cd "$(tree .)" && make -s B="$build" -o "$CLUTCH" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr "$@")
}

files()
{
    (cd "$BATS_TEST_TMPDIR/root" && find . -type f | sort)
}

@test "install puts program, nets, manual page and completions; uninstall takes them away" {
    mkdir -p "$BATS_TEST_TMPDIR/root/usr/share/clutch/nets"
    echo mine >"$BATS_TEST_TMPDIR/root/usr/share/clutch/nets/mine.net"
    make_it install
    files >put
    for file in bin/clutch share/clutch/nets/mlp.net share/clutch/nets/deep.net share/man/man1/clutch.1 \
        share/bash-completion/completions/clutch share/zsh/site-functions/_clutch \
        share/fish/vendor_completions.d/clutch.fish; do
        grep -qxF "./usr/$file" put
    done
    [ "$(wc -l <put)" = 8 ]
    make_it uninstall
    [ "$(files)" = ./usr/share/clutch/nets/mine.net ]
    rm "$BATS_TEST_TMPDIR/root/usr/share/clutch/nets/mine.net"
    make_it install
    make_it uninstall
    [ ! -e "$BATS_TEST_TMPDIR/root/usr/share/clutch" ]
}

@test "a net by its name, from where the program was put, or from its tree" {
    mkdir -p root/bin root/share/clutch/nets
    cp "$CLUTCH" root/bin/clutch
    echo 'input 1x6x6; dense 2; loss softmax' | tr ';' '\n' >root/share/clutch/nets/small.net
    idx_folder data
    CLUTCH=$PWD/root/bin/clutch good train small --data data --epochs 1 --out run
    [[ ${lines[0]} == 'net:    '*'/root/bin/../share/clutch/nets/small.net' ]]
    printf 'input 1x6x6\ndense 3\nloss softmax\n' >small # a file of that name comes first
    CLUTCH=$PWD/root/bin/clutch good plan small
    [[ ${lines[0]} == 'small: 1 layer, '* ]]
    rm small
    CLUTCH=$PWD/root/bin/clutch refused "unknown net 'smal'; did you mean 'small'? known: small; there is no file of \
that name here, and these came with the program, in $PWD/root/bin/../share/clutch/nets" plan smal
    refused "'digits' is data, and where it stands a net is wanted: say --data digits" train digits --data digits
    refused '. is a folder, and where it stands a net is wanted: data are named by --data .' train . --data digits
    trained run2
    refused 'run2 is a folder, and where it stands a net is wanted: a run is gone on with by --resume run2' \
        train run2 --data digits
}

@test "the manual page has every command and option" {
    good help --man
    echo "$output" >page
    local command option
    for command in devices train eval predict draw plan compare bench tune help version; do
        grep -qxF ".SS clutch $command" page
        "$CLUTCH" "$command" --help | grep -oE '^  --[a-z-]+' | while read -r option; do
            sed -n "/^.SS clutch $command\$/,/^.S[SH] [^c]/p" page | grep -qF ".B ${option//-/\\-}" ||
                fail "$command $option"
        done
    done
    ! command -v man >/dev/null || [ -z "$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l page 2>&1 >/dev/null)" ]
}

# completed WORDS...: what bash would offer for the last of them
completed()
{
    "$CLUTCH" help --completion bash >clutch.bash
    bash -c '. ./clutch.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _clutch 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' clutch "$@" | sort | tr '\n' ' '
}

@test "completion in a shell" {
    mkdir folder
    touch own.net
    [ "$(completed clutch tr)" = 'train ' ]
    [ "$(completed clutch train --data '')" = 'digits fashion-mnist folder mnist ' ]
    [ "$(completed clutch train --optimizer a)" = 'adam adamw ' ]
    [ "$(completed clutch train --sch)" = '--schedule ' ]
    [ "$(completed clutch plan o)" = 'own.net ' ]
    [[ $(completed clutch plan m) == *'mlp '* ]]
    [ "$(completed clutch bench p)" = 'peak ' ]
    [ "$(completed clutch eval f)" = 'folder ' ]
    [ "$(completed clutch help com)" = 'compare ' ]
    refused "unknown shell 'bsh'; did you mean 'bash'? known: bash, zsh, fish" help --completion bsh
}

@test "completion in zsh, as typed" {
    command -v zsh >/dev/null || skip 'zsh is not installed here'
    "$CLUTCH" help --completion zsh >_clutch
    mkdir folder
    touch own.net
    # an interactive zsh is typed to: each line with a tab behind it; `clutch` is what tells what became of it
    cat >type.zsh <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; clutch() { print -r -- "$@" >>got }'
while read -r line; do
    zpty -w shell "clutch $line"$'\t'
done
zpty -w shell exit
while zpty -r shell line; do :; done
END
    TERM=dumb timeout 60 zsh -f type.zsh <<'END'
tr
train --sch
train --optimizer s
train --data dig
train --data fol
plan ml
plan ow
bench pe
eval fol
help com
END
    cat >want <<'END'
train
train --schedule
train --optimizer sgd
train --data digits
train --data folder
plan mlp
plan own.net
bench peak
eval folder
help compare
END
    diff want got
}

# fish_completed LINE: what fish would offer for it, without what it says of each
fish_completed()
{
    HOME=$PWD fish --no-config -c 'source clutch.fish; complete -C $argv[1]' "$1" | cut -f 1 | sort | tr '\n' ' '
}

@test "completion in fish" {
    command -v fish >/dev/null || skip 'fish is not installed here'
    "$CLUTCH" help --completion fish >clutch.fish
    mkdir folder
    touch own.net
    [ "$(fish_completed 'clutch tr')" = 'train ' ]
    [ "$(fish_completed 'clutch train --sch')" = '--schedule ' ]
    [ "$(fish_completed 'clutch train --optimizer a')" = 'adam adamw ' ]
    [ "$(fish_completed 'clutch train --data dig')" = 'digits ' ]
    [ "$(fish_completed 'clutch train --data fol')" = 'folder/ ' ]
    [ "$(fish_completed 'clutch plan ml')" = 'mlp ' ]
    [ "$(fish_completed 'clutch plan ow')" = 'own.net ' ]
    [ "$(fish_completed 'clutch bench pe')" = 'peak ' ]
    [ "$(fish_completed 'clutch help com')" = 'compare ' ]
}
