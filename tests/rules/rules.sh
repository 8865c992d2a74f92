#!/bin/sh
# The rules of the house that a script can check, as TAP: arrows between floors, doors, functions, kernels, text. Needs
# neither git nor a build: looks at the files that are there.
set -u
cd "$(dirname "$0")/../.." || exit 1
folder=$(mktemp -d "${TMPDIR:-/tmp}/clutch-rules-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# rule NAME: fails where standard input, the offenders, is not empty
rule()
{
    if offenders=$(grep .); then
        echo "not ok - $1"
        printf '%s\n' "$offenders" | sed 's/^/# /'
    else
        echo "ok - $1"
    fi
}

# files NAMES...: the files of the tree that are called so
files()
{
    for name in "$@"; do
        find . \( -name .git -o -name build -o -name runs \) -prune -o -type f -name "$name" -print
    done | sed 's,^\./,,' | sort
}

# code FILES...: all lines as "file:line:text", without comments and with empty strings but for those of #include
code()
{
    awk '
        FNR == 1 { comment = 0 }
        {
            text = quote = ""
            for (i = 1; i <= length($0); i++) {
                c = substr($0, i, 1)
                two = substr($0, i, 2)
                if (comment) {
                    if (two == "*/") { comment = 0; i++ }
                } else if (quote != "") {
                    if (c == "\\") i++
                    else if (c == quote) { quote = ""; text = text c }
                } else if (two == "/*") { comment = 1; i++ }
                else if (two == "//") break
                else {
                    if ((c == "\"" || c == "\047") && $0 !~ /^ *# *include/) quote = c
                    text = text c
                }
            }
            sub(/[ \t]+$/, "", text)
            print FILENAME ":" FNR ":" text
        }' "$@" </dev/null
}

exec 3>&1 >"$folder/tap" 2>"$folder/errors"
files '*.c' '*.h' '*.cl' >"$folder/sources"
{
    files '*.c' '*.h' '*.cl' '*.sh' '*.bats' '*.py' '*.net' Makefile
    ls .ci/run 2>/dev/null
} >"$folder/texts"
xargs grep -n '' /dev/null <"$folder/texts" >"$folder/lines" # every line as "file:line:text"
# shellcheck disable=SC2046 # no name holds a blank
code $(cat "$folder/sources") >"$folder/code"
grep -E '^(src|include)/' "$folder/code" >"$folder/floors"

# ---- arrows --------------------------------------------------------------------------------------------------------

# include/F.h, src/F/ and its private headers are floor F; src/main.c belongs to cmd
awk -v sources="$folder/sources" '
    BEGIN {
        below["base"] = "base"
        below["json"] = "json base"
        below["ocl"] = "ocl base"
        below["mx"] = "mx ocl json base"
        below["nn"] = "nn mx ocl base"
        below["sg"] = "sg nn mx ocl base"
        below["plan"] = "plan nn mx ocl json base"
        below["data"] = "data store base"
        below["store"] = "store base"
        below["train"] = "train sg nn mx ocl plan data store base"
        below["cmd"] = "cmd train sg nn mx ocl plan data store json base"
        while ((getline path < sources) > 0)
            known[path]
    }
    {
        file = $0
        sub(/:.*/, "", file)
        floor = file
        sub(/^(src|include)\//, "", floor)
        sub(/[\/.].*/, "", floor)
        if (floor == "main")
            floor = "cmd"
        if (!(floor in below)) {
            if (file != last)
                print file ": no such floor"
            last = file
            next
        }
    }
    /:# *include "/ {
        split($0, part, "\"")
        header = part[2]
        beside = file
        sub(/[^\/]*$/, header, beside)
        other = header
        sub(/\.h$/, "", other)
        if (other in below) {
            if (index(" " below[floor] " ", " " other " "))
                next
        } else if (file ~ /^src\// && header !~ /\// && beside in known)
            next
        else if (floor == "cmd" && header == "version.h") # made by the build
            next
        print
    }' "$folder/floors" | rule 'arrows between floors point down, private headers stay in their floor'
grep -E '^(tests|bench)/.*:# *include "(.*/)?(\.\.|src)/' "$folder/code" |
    rule 'tests and benches see contracts only'

# ---- doors ---------------------------------------------------------------------------------------------------------

# door NAME PATTERN PLACES: the pattern is found below src/ and include/ in those places only
door()
{
    grep -E "$2" "$folder/floors" | grep -vE "^($3)" | rule "$1"
}

header='# *include *[<"]'
word='[^A-Za-z0-9_.>]' # before a function's name; x->free() and x.free() are members
door 'CL/cl.h in src/ocl' "${header}CL/" 'src/ocl/'
door 'CLBlast in src/mx/clblast.c' "${header}clblast" 'src/mx/clblast\.c:'
door 'libpng and cairo in src/store' "$header(libpng.*/)?(png|cairo.*/cairo|cairo)" 'src/store/'
door 'threads in src/base' "$header(p?threads?)\.h" 'src/base/'
door 'zlib in src/data and src/store' "${header}zlib" 'src/data/|src/store/'
door 'jansson in src/json and src/store' "${header}jansson" 'include/json\.h:|src/store/'
door 'JSON in src/cmd, src/mx/tuning_file.c and src/plan/kept.c' "${header}json" \
    'src/json/|src/cmd/|src/mx/tuning_file\.c:|src/plan/kept\.c:'
door 'malloc and free in src/base' \
    "$word((m|c|re|aligned_)alloc|posix_memalign|free|strn?dup|v?asprintf|getline|getdelim) *\(" 'src/base/'
files='(fd|f|fre|gz)?open(at|dir)?|creat|mk(dir|fifo|nod)(at)?|mk[sd]temps?|(un|sym)?link(at)?|rename(at)?|rmdir|remove'
door 'files are opened, made and removed in src/base' "$word($files|f?truncate|tmpfile) *\(" 'src/base/'
door 'print and exit in src/cmd' \
    "$word(stdout|stderr|((v?printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit|abort|assert) *\())" \
    'src/cmd/|src/main\.c:'
out='[12]|STD(OUT|ERR)_FILENO'
printing='(v?f?printf|fputs|puts|f?putc|putchar|putc_unlocked|putchar_unlocked|perror|fwrite) *\('
door 'what is printed goes through src/cmd/terminal.c' "$word($printing|(write|v?dprintf) *\( *($out) *,)" \
    'src/cmd/terminal\.c:'

# ---- code ----------------------------------------------------------------------------------------------------------

banned='gets|strcat|strcpy|v?sprintf|strtok|ato(i|l|ll|f)|sscanf|alloca|system'
grep -E "^src/.*$word($banned) *\(" "$folder/code" | rule 'no banned functions in src'
grep -E ':[0-9]+:(static |inline |extern )*enum st [a-z0-9_]+ *\(' "$folder/code" | grep '^include/' |
    rule 'functions of contracts that return enum st are MUST_USE'
grep -E 'typedef +(struct|union)' "$folder/floors" | rule 'structs are not typedefed'
# in our layout a function is what stands between { and } in the first column, and the lines of its head before
awk '
    {
        match($0, /:[0-9]+:/)
        file = substr($0, 1, RSTART - 1)
        line = substr($0, RSTART + 1, RLENGTH - 2) + 0
        text = substr($0, RSTART + RLENGTH)
    }
    line == 1 { head = 1; inside = 0 }
    text == "{" { inside = 1 }
    text == "}" && inside {
        if (line - head + 1 > 60)
            print file ":" head ": a function of " line - head + 1 " lines"
        inside = 0
    }
    !inside && (text == "" || text ~ /^[#}]/ || text ~ /;$/) { head = line + 1 }
    ' "$folder/code" | rule 'functions have at most 60 lines'

# ---- kernels -------------------------------------------------------------------------------------------------------

for kernel in cl/*.cl; do
    case $kernel in cl/common.cl | 'cl/*.cl') continue ;; esac
    opening=$(awk '!/^\/\// { exit } { print }' "$kernel")
    for part in Shapes: Launch: Twin:; do
        case $opening in *$part*) ;; *) echo "$kernel: no \"$part\" in the opening comment" ;; esac
    done
    twins=$(echo "$opening" | sed -n '/Twin:/,$ { s/.*Twin://; p; }' | grep -o 'ref_[a-z0-9_]*')
    [ -n "$twins" ] || echo "$kernel: names no twin ref_..."
    for twin in $twins; do
        grep -q "[^a-z0-9_]$twin(" tests/ref/ref.h || echo "$kernel: tests/ref/ref.h has no $twin"
    done
done | rule 'kernels open with shapes, launch and a twin that exists'

# Those that chains take become functions, of which get_global_id() is replaced and nothing else. "file name" of each:
{
    sed -n 's/^ *\[K_[A-Z_]*\] = {[A-Z_]*, "\([a-z_]*\)", "\([a-z_]*\)", [a-z]*, true, [A-Z_]*},.*/\1 \2/p' src/mx/mx.c
    # shellcheck disable=SC2046 # no name holds a blank
    sed -n 's/.*ocl_kernel_get([^"]*"\([a-z_]*\)".*/\1/p' $(grep -l 'ocl_kernel_chains(' src/mx/*.c | grep -v '/mx\.c$')
} | sort -u >"$folder/chained"
here='local|__local|barrier|(sub|work)_group_[a-z_]+|async_[a-z_]+|wait_group_events|get_work_dim'
here="($here|get_[a-z_]*(local|group|enqueued)[a-z_]*|get_global_(size|offset|linear_id))"
while read -r file name; do
    grep -E "^cl/($file|common)\.cl:[0-9]+:(.*[^a-z0-9_])?$here([^a-z0-9_]|\$)" "$folder/code"
    [ -z "$name" ] || grep -q "^kernel void $name(" "cl/$file.cl" ||
        echo "cl/$file.cl: no line begins with kernel void $name("
done <"$folder/chained" | rule 'kernels in chains ask for get_global_id() alone, without local memory or barriers'
awk 'END { if (NR < 25) print "only " NR }' "$folder/chained" | rule 'kernels that chains take were found'

# ---- text ----------------------------------------------------------------------------------------------------------

xargs wc -l /dev/null <"$folder/texts" | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }' |
    rule 'files have at most 600 lines'
awk '{ text = $0; sub(/^[^:]*:[0-9]+:/, "", text); if (length(text) > 120) print }' "$folder/lines" |
    rule 'lines have at most 120 columns'
tab=$(printf '\t')
grep -E "^[^:]*\.(c|h|cl):.*$tab" "$folder/lines" | rule 'no tabs in C'
grep -E "[ $tab]\$" "$folder/lines" | rule 'no blanks at the end of a line'
while read -r file; do
    [ -z "$(tail -c 1 "$file")" ] || echo "$file"
done <"$folder/texts" | rule 'files end with a newline'
# spelled so that the line does not find itself
grep -E '(^|[^A-Za-z])(T[O]DO|t[o]do|F[I]XME|f[i]xme|X[X]X)([^A-Za-z]|$)' "$folder/lines" | rule 'no unfinished work'

rule 'the rules themselves ran without a complaint' <"$folder/errors"
exec >&3
cat "$folder/tap"
echo "1..$(grep -cE '^(not )?ok ' "$folder/tap")"
! grep -q '^not ok ' "$folder/tap"
