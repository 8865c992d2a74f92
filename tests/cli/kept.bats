# Where modules go is measured once, kept, said, and used again: the same command gives the same bits.
load common

DEEP='input 1x28x28; dense 16; batchnorm; relu; dense 16; batchnorm; relu; dense 10; loss softmax'
TWO=(--devices virtual:2@2 --modules 2)
SHORT=(--data digits --limit 320 --batch 64 --epochs 1 --lockstep --couple csg --draw-every 0)

# kept: the one file of figures
kept()
{
    local files=("$XDG_CONFIG_HOME"/clutch/plan/*)
    [ "${#files[@]}" = 1 ] && [ -f "${files[0]}" ] || fail "files of figures: ${files[*]}"
    echo "${files[0]}"
}

# measured NS...: the kept file, as if each layer took so long, and nothing else did; on 2001-02-03
measured()
{
    python3 - "$(kept)" "$@" <<'END'
import json, sys
path, ns = sys.argv[1], [float(v) for v in sys.argv[2:]]
d = json.load(open(path))
assert len(d["layers"]) == len(ns)
d.update(date="2001-02-03T04:05:06Z", layers=[[v, v] for v in ns], whole=2 * sum(ns), per_mac=0, link=0, per_byte=0)
json.dump(d, open(path, "w"))
END
}
EARLY=(9e6 1 0 1 1 0 1)  # a cut before layer 3 is best,
LATE=(1 1 0 1 1 0 9e6)   # before layer 6

# line NAME: that line of a head
line()
{
    grep "^$1 " <<<"$output"
}

@test "three runs in lockstep give the same bits, whatever measuring would say now" {
    good train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --out first
    [[ $(line cuts:) == 'cuts:   --cuts '[36]' --on 0,1 (measured on '20??-??-??", kept in \
$XDG_CONFIG_HOME/clutch/plan; --fresh measures anew)" ]]
    local before day
    before=$(cksum <"$(kept)")
    good train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --out second
    cmp first/model.safetensors second/model.safetensors
    [ "$(cksum <"$(kept)")" = "$before" ]
    # what is kept decides, and nothing is measured
    for day in EARLY LATE EARLY; do
        local -n figures=$day
        measured "${figures[@]}"
        before=$(cksum <"$(kept)")
        good train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --out $day --force
        [ "$(cksum <"$(kept)")" = "$before" ]
        local cut=3
        [ $day = EARLY ] || cut=6
        [ "$(line cuts:)" = "cuts:   --cuts $cut --on 0,1 (measured on 2001-02-03, kept in \
$XDG_CONFIG_HOME/clutch/plan; --fresh measures anew)" ]
        [ "$(json '[m["first"] for m in d[0]["modules"]]' < <(tr -d '\n' <$day/run.json))" = "[0, $cut]" ]
        good train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --no-tune --out again --force
        cmp $day/model.safetensors again/model.safetensors
    done
    ! cmp -s EARLY/model.safetensors LATE/model.safetensors || fail 'two cuts, one model'
    # the options of the head repeat it, without any figures
    rm -r "$XDG_CONFIG_HOME"
    good train "$DEEP" "${SHORT[@]}" --devices virtual:2@2 --cuts 6 --on 0,1 --out again --force
    [ "$(line cuts:)" = 'cuts:   --cuts 6 --on 0,1' ]
    cmp LATE/model.safetensors again/model.safetensors
    [ ! -e "$XDG_CONFIG_HOME/clutch/plan" ]
}

@test "plan, compare and train go by the same figures, and --fresh replaces them" {
    good plan "$DEEP" "${TWO[@]}" --batch 64 --couple csg
    local from="(measured on 2001-02-03, kept in $XDG_CONFIG_HOME/clutch/plan; --fresh measures anew)"
    measured "${LATE[@]}"
    good plan "$DEEP" "${TWO[@]}" --batch 64 --couple csg
    [ "$(line cuts:)" = "cuts:   --cuts 6 --on 0,1 $from" ]
    good plan "$DEEP" "${TWO[@]}" --batch 64 --json
    [ "$(json '[(m["first"], m["place"]) for m in d[0]["modules"]], d[0]["kept"]' <<<"$output")" = \
        "([(0, 0), (6, 1)], {'measured': '2001-02-03', 'folder': '$XDG_CONFIG_HOME/clutch/plan'})" ]
    good compare "$DEEP" "${TWO[@]}" --data digits --limit 128 --batch 64 --epochs 1 --couplings none
    [ "$(line cuts:)" = "cuts:   --cuts 6 --on 0,1 $from" ]
    # other devices of the same real one, other couplings, other numbers of modules: the same figures
    good plan "$DEEP" --devices virtual:3@1:2:3 --modules 3 --batch 64 --couple sg
    [[ $(line cuts:) == 'cuts:   --cuts 3,6 --on '[12],[12]",0 $from" ]]
    # comments and spaces are nothing to measure; a batch is
    good plan "${DEEP//; /;  }" "${TWO[@]}" --batch 64
    [ "$(line cuts:)" = "cuts:   --cuts 6 --on 0,1 $from" ]
    good plan "$DEEP" "${TWO[@]}" --batch 32
    [[ $(line cuts:) != *2001* ]]
    [ "$(find "$XDG_CONFIG_HOME/clutch/plan" -type f | wc -l)" = 2 ]
    rm -r "$XDG_CONFIG_HOME"
    good plan "$DEEP" "${TWO[@]}" --batch 64
    measured "${LATE[@]}"
    good train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --fresh --out run
    [[ $(line cuts:) == *' (measured on 20'* && $(line cuts:) != *2001* ]]
    [ "$(json 'd[0]["date"][:4] > "2001" and d[0]["layers"][6][0] < 9e6' <"$(kept)")" = True ]
    measured "${EARLY[@]}"
    good plan "$DEEP" "${TWO[@]}" --batch 64 --fresh
    [ "$(json 'd[0]["date"][:4] > "2001"' <"$(kept)")" = True ]
}

@test "figures are kept by all that they hang on: net, cuts, batch, optimizer, device, driver, products" {
    good plan "$DEEP" "${TWO[@]}" --batch 64
    "$CLUTCH" devices --json >devices.json
    cat >key.py <<'END'
import json, re, sys
have, world = json.load(open(sys.argv[1]))["key"], json.load(open("devices.json"))
device = next(d for d in world["devices"] if d["id"] == "0:0")
of = next(p for p in world["platforms"] if p["platform"] == 0)
if device["kind"] == "CPU" and device["parts_max"] == device["compute_units"]:
    device["compute_units"] = 1 # emulated devices share a core of it
want = {"net": sys.argv[2].replace("; ", "\n").replace("dense ", "dense units=") + "\n", "cuts": [], "batch": 64,
        "optimizer": "adam", "device": "0:0", "name": device["name"], "driver": device["driver"],
        "platform": f"{of['name']}, {of['version']}", "units": device["compute_units"]}
products = have.pop("products")
assert have == want, (have, want)
sides = [re.fullmatch(r"(\w\w \d+x\d+x\d+) .+", p)[1] for p in products]
dense = [("NT", 64, 16, 784), ("TN", 16, 784, 64), ("NN", 64, 784, 16), ("NT", 64, 16, 16), ("TN", 16, 16, 64),
         ("NN", 64, 16, 16), ("NT", 64, 10, 16), ("TN", 10, 16, 64), ("NN", 64, 16, 10)]
assert sides == [f"{form} {m}x{n}x{k}" for form, m, n, k in dense], sides
END
    python3 key.py "$(kept)" "$DEEP"
    rm -r "$XDG_CONFIG_HOME"
    good train "${DEEP/relu; dense 10/relu; cut csg; dense 10}" "${SHORT[@]}" --devices virtual:2@2 --optimizer sgd \
        --out run
    [ "$(json 'd[0]["key"]["optimizer"], d[0]["key"]["cuts"]' <"$(kept)")" = "('sgd', [6])" ]
}

@test "which of several devices trains the whole net is kept too" {
    good train "$DEEP" "${SHORT[@]}" --devices virtual:2@2:1+bandwidth=0.001 --out run
    [[ $(line places:) == 'places: --on 1 (measured on 20'* ]]
    rm -r "$XDG_CONFIG_HOME"
    good train "$DEEP" "${SHORT[@]}" --devices virtual:2@2:1 --on 1 --out again
    [ "$(line places:)" = 'places: --on 1' ]
    cmp run/model.safetensors again/model.safetensors
    # one device and one module: nothing to say
    good train "$DEEP" --data digits --limit 320 --batch 64 --epochs 1 --draw-every 0 --devices 0:0 --modules 1 \
        --out again --force
    [[ $output != *'places:'* && $output != *'cuts:'* && ! -e $XDG_CONFIG_HOME/clutch/plan ]]
}

@test "places of a net with cuts of its own" {
    local net=${DEEP/dense 16; batchnorm; relu; dense 10/cut csg; dense 16; batchnorm; relu; dense 10}
    good train "$net" "${SHORT[@]}" --devices virtual:2@1:9 --out run
    local places
    places=$(line places:)
    [[ $places == 'places: --on '?,?' (measured on 20'* && $output != *'cuts:'* ]]
    places=${places#places: --on }
    good train "$net" "${SHORT[@]}" --devices virtual:2@1:9 --on "${places%% *}" --cuts 3 --out again
    cmp run/model.safetensors again/model.safetensors
    [ "$(line places:)" = "places: --on ${places%% *}" ]
    good train "${net/csg/csg; on virtual:1}" "${SHORT[@]}" --devices virtual:2@1:9 --on 0,1 --out again --force
    good plan "$net" --devices virtual:2@2 --on 1,0 --json
    [ "$(json '[(m["first"], m["place"]) for m in d[0]["modules"]]' <<<"$output")" = '[(0, 1), (3, 0)]' ]
    # places given, cuts not
    good plan "$DEEP" --devices virtual:2@2 --on 1,0 --json
    [ "$(json '[m["place"] for m in d[0]["modules"]]' <<<"$output")" = '[1, 0]' ]
}

@test "a file of figures that is damaged, or of something else, is named, passed over and replaced" {
    good plan "$DEEP" "${TWO[@]}"
    local file damage what
    file=$(kept)
    while IFS='|' read -r damage what; do
        measured "${LATE[@]}"
        python3 - "$file" "$damage" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
text = None
exec(sys.argv[2])
open(sys.argv[1], "w").write(json.dumps(d) if text is None else text)
END
        run --separate-stderr "$CLUTCH" plan "$DEEP" "${TWO[@]}"
        [ "$status" = 0 ]
        [ "$(complaints)" = "clutch: no use of measured figures: $file$what" ] || fail "$damage: $stderr"
        [[ $(line cuts:) != *2001* ]]
        good plan "$DEEP" "${TWO[@]}"
        [[ $(line cuts:) == *", kept in $XDG_CONFIG_HOME/clutch/plan; "* ]]
    done <<'END'
text = "{"|:1: string or '}' expected near end of file
del d["format"]|: it holds no measured figures: format is missing
d["format"] = 2|: format 2, this program knows 1
d["key"]["batch"] = 7|: it is of something else than its name says
d["key"]["driver"] = "another"|: it is of something else than its name says
d["date"] = "\x1b[31m01-02-03"|: date is missing, or does not begin with a day as 2026-11-28
d["layers"].pop()|: layers are 6, must be 7
d["layers"][3] = [1, -1]|: layers: a time is missing, or no number from 0 to 1e+18
d["layers"][3] = [1]|: layers: a time is missing, or no number from 0 to 1e+18
d["whole"] = "1"|: whole: a time is missing, or no number from 0 to 1e+18
d["per_byte"] = 1e300|: per_byte: a time is missing, or no number from 0 to 1e+18
END
}

@test "figures that others could have written are not believed" {
    good plan "$DEEP" "${TWO[@]}"
    local file folder=$XDG_CONFIG_HOME/clutch/plan
    file=$(kept)
    measured "${LATE[@]}"
    chmod 666 "$file"
    run --separate-stderr "$CLUTCH" plan "$DEEP" "${TWO[@]}"
    [[ $status = 0 && $(complaints) == "clutch: no use of measured figures: $file "* && $(line cuts:) != *2001* ]]
    good plan "$DEEP" "${TWO[@]}" # a new file took its place
    measured "${LATE[@]}"
    chmod 777 "$folder"
    run --separate-stderr "$CLUTCH" plan "$DEEP" "${TWO[@]}"
    [[ $status = 0 && $(complaints) == *"$folder"* && $(complaints) != *$'\n'* ]]
    [[ $(line cuts:) == *' (measured now, and kept nowhere: the next time others may come out)' ]]
    [ "$(json 'd[0]["date"][:4]' <"$file")" = 2001 ]
}

@test "figures that cannot be kept: said once, and in the head" {
    : >nofolder
    local said='(measured now, and kept nowhere: the next time others may come out)' not='what was measured for the '\
'places of modules is not kept'
    XDG_CONFIG_HOME=$PWD/nofolder run --separate-stderr "$CLUTCH" plan "$DEEP" "${TWO[@]}"
    [ "$status" = 0 ]
    [[ $(complaints) == "clutch: $not: cannot make folder $PWD/nofolder"* && $(line cuts:) == *" $said" ]]
    [ "${#stderr_lines[@]}" = 1 ] || [ "$(grep -c "$not" <<<"$stderr")" = 1 ]
    XDG_CONFIG_HOME='' HOME='' run --separate-stderr "$CLUTCH" train "$DEEP" "${SHORT[@]}" "${TWO[@]}" --out run
    [ "$status" = 0 ]
    [ "$(complaints)" = "clutch: $not: neither XDG_CONFIG_HOME nor HOME is a path" ]
    [[ $(line cuts:) == *" $said" ]]
}

@test "cuts and places that cannot be" {
    local net=${DEEP/dense 16; batchnorm; relu; dense 10/cut csg; dense 16; batchnorm; relu; dense 10}
    local list='must be whole numbers of 0 or more, with commas' where='has no place for a cut before layer'
    local command
    for command in "train $(printf '%q' "$DEEP") --data digits" "plan $(printf '%q' "$DEEP")" \
        "compare $(printf '%q' "$DEEP") --data digits"; do
        eval "set -- $command --devices virtual:2@2"
        refused "--cuts is '3,x', $list" "$@" --cuts 3,x
        refused "--cuts is '', $list" "$@" --cuts ''
        refused "--cuts is '3,', $list" "$@" --cuts 3,
        refused "--on is '0,-1', $list" "$@" --on 0,-1
        refused "--cuts: net $where 0, but before 1, 3, 4, 6" "$@" --cuts 0
        refused "--cuts: net $where 5, but before 1, 3, 4, 6" "$@" --cuts 3,5
        refused "--cuts: net $where 7, but before 1, 3, 4, 6" "$@" --cuts 7
        refused '--cuts: 3 behind 6: the layers must rise' "$@" --cuts 6,3
        refused '--cuts: 3 behind 3: the layers must rise' "$@" --cuts 3,3
        refused 'net: --cuts make 2 modules, --modules asks for 3: leave one of them out' "$@" --cuts 3 --modules 3
        refused '--on 0 names a device each for 1 module, and there are 2' "$@" --cuts 3 --on 0
        refused '--on 0,1 names a device each for 2 modules, and there are 3' "$@" --modules 3 --on 0,1
        refused '--on: 2 is none of the devices, which are: 0 (virtual#0), 1 (virtual#1)' "$@" --cuts 3 --on 0,2
    done
    set -- train "$net" --data digits --devices virtual:2@2
    refused 'net: its cuts are not those of --cuts 6: leave one of them out' "$@" --cuts 6
    refused 'net: its cuts are not those of --cuts 3,6: leave one of them out' "$@" --cuts 3,6
    refused '--on 0,1,0 names a device each for 3 modules, and there are 2' "$@" --on 0,1,0
    refused "net:6: on 'virtual:1' is device 1, and --on puts module 1 on 0: leave one of them out" \
        train "${net/csg;/csg; on virtual:1;}" --data digits --devices virtual:2@2 --on 1,0
    refused "net:2: on 'virtual' in a net without cuts says nothing of 2 modules: put cuts, or leave it out" \
        train "${DEEP/; dense/; on virtual; dense}" --data digits --devices virtual:2@2 --cuts 3
    local fresh='--fresh has nothing to measure: the net, its one device, or --cuts and --on leave nothing to choose'
    refused "$fresh" "$@" --on 0,1 --fresh
    refused "$fresh" train "$DEEP" --data digits --devices 0:0 --fresh
    refused "$fresh" compare "$DEEP" --data digits --devices 0:0 --fresh
}
