# Folders of PNGs: to train on, to evaluate on, to predict.
load common

SMALL='input 1x6x6; dense 4; relu; dense 2; loss softmax' # for the pictures of `png`

# png FILES...: pictures of 6 x 6 pixels, with the folders they lie in
png()
{
    local file
    for file; do
        mkdir -p "$(dirname "$file")"
        python3 "$(tree tests/cli/digit.py)" "$file" "${WIDTH-6}" 6
    done
}

# sixes FOLDERS...: six pictures in each
sixes()
{
    local folder
    for folder; do
        png "$folder"/{1..6}.png
    done
}

@test "train on a folder of PNGs, evaluate, predict" {
    need_pillow
    $python "$(tree tests/cli/pictures.py)" digits photos
    good train 'input 1x28x28; dense 32; relu; dense 10; loss softmax' --data photos --epochs 10 --batch 20 --lr 0.01 \
        --validation 40 --out run
    [[ $output == *'data:   photos (photos): 360 to train on, 40 held out, 100 to test, 10 classes'* ]]
    [ "$(tr -d '\n' <run/run.json | json '[d[0]["data"][k] for k in ("data", "shape", "classes")]')" = \
        "['photos', [1, 28, 28], ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']]" ]
    good eval run --json
    local accuracy=$output
    [ "$(json '(d[0]["data"], d[0]["samples"], d[0]["test_accuracy"] > 0.9)' <<<"$accuracy")" = \
        "('photos', 100, True)" ]
    good eval run --data ./photos/ --json
    [ "$output" = "$accuracy" ]
    # a folder gives its PNGs in the order of names, between files
    good predict run photos/test/3/04.png photos/test/7 photos/test/3/04.png --json
    [ "$(json '[e["image"][12:] for e in d]' <<<"$output")" = "['3/04.png', '7/00.png', '7/01.png', '7/02.png', \
'7/03.png', '7/04.png', '7/05.png', '7/06.png', '7/07.png', '7/08.png', '7/09.png', '3/04.png']" ]
    [ "$(json '[e["class"] for e in d].count(7) >= 8, d[0]["class"], d[0] == d[-1]' <<<"$output")" = \
        '(True, 3, True)' ]
    good predict run photos/test/7/
    [[ ${lines[0]} == photos/test/7/00.png:\ * && ${#lines[@]} = 10 ]]
}

@test "predict takes PNGs of every kind" {
    need_pillow
    $python "$(tree tests/cli/pictures.py)" digits photos
    $python "$(tree tests/cli/pictures.py)" kinds photos/test/5/03.png kinds
    # depth, colour type, interlacing: they are what their names say
    [ "$(cd kinds && for each in bit1 grey16 interlaced palette4 plain rgba; do
        od -An -tu1 -j24 -N5 $each.png | tr -d '\n' | tr -s ' '
    done)" = ' 1 0 0 0 0 16 0 0 0 0 8 0 0 0 1 4 3 0 0 0 8 0 0 0 0 8 6 0 0 0' ]
    good train 'input 1x28x28; dense 32; relu; dense 10; loss softmax' --data photos --epochs 10 --batch 20 --lr 0.01 \
        --out run
    good predict run kinds --json
    json '"\n".join("%s %s %s %g" % (a, e["class"], b, max(abs(p - f["probabilities"][k])
        for k, p in e["probabilities"].items())) for a, b in (("grey16", "plain"), ("interlaced", "plain"),
        ("bit1", "plain1"), ("rgba", "plain"), ("palette4", "plain4"), ("palette4", "plain"))
        for e in d if e["image"] == "kinds/%s.png" % a for f in d if f["image"] == "kinds/%s.png" % b)' \
        <<<"$output" >differences
    cat differences
    # the same pixels; grey by way of colours may be rounded otherwise; a 16th of the levels are other pixels
    [ "$(awk '$1 == "grey16" || $1 == "interlaced" || $1 == "bit1" { good += $4 == 0 }
        $1 == "rgba" || $3 == "plain4" { good += $4 <= 0.01 }
        $1 == "palette4" && $3 == "plain" { good += $4 <= 0.2 }
        END { print good }' differences)" = 6 ]
}

@test "a folder without a division keeps every sixth picture for testing, and says so" {
    sixes photos/cat photos/grüße
    png photos/cat/7.png photos/.thumbnails/1.png
    echo 'no picture' >photos/cat/list.txt
    run --separate-stderr "$CLUTCH" train "$SMALL" --data photos --epochs 1 --out run
    [ "$status" = 0 ]
    [ "$(complaints)" = 'clutch: 1 file of classes in photos passed over: 1 .txt
clutch: photos has no folders to test on: every sixth PNG of each class, by name, is kept '\
'for testing, 2 of 13' ]
    [[ $output == *'data:   photos (photos): 11 to train on, 2 to test, 2 classes'* ]]
    run --separate-stderr "$CLUTCH" eval run --json
    [ "$(json '(d[0]["data"], d[0]["samples"])' <<<"$output")" = "('photos', 2)" ]
    good predict run photos/grüße/1.png
    [[ $output == photos/grüße/1.png:*grüße* ]]
}

@test "colour pictures" {
    need_pillow
    $python - <<'END'
import os
import numpy as np
from PIL import Image
for part in 'train', 'test':
    for k, name in enumerate(['red', 'green']):
        os.makedirs(f'flags/{part}/{name}')
        for i in range(20):
            pixels = np.random.RandomState(i).randint(0, 100, (6, 6, 3))
            pixels[:, :, k] += 100
            Image.fromarray(pixels.astype(np.uint8)).save(f'flags/{part}/{name}/{i}.png')
Image.new('L', (6, 6), 50).save('flags/train/red/grey.png')
END
    good train 'input 3x6x6; dense 8; relu; dense 2; loss softmax' --data flags --epochs 20 --batch 10 --lr 0.01 \
        --out run
    good eval run --json
    [ "$(json 'd[0]["test_accuracy"]' <<<"$output")" = 1.0 ]
    good predict run flags/test/red --json
    [ "$(json '{e["name"] for e in d}, len(d)' <<<"$output")" = "({'red'}, 20)" ]
    refused 'net: the input is 1x6x6, but the pictures of flags are 3x6x6' train "$SMALL" --data flags
}

@test "folders that are refused" {
    sixes photos/a photos/b
    mkdir photos/c
    refused 'no PNG in photos/c, the folder of a class' train "$SMALL" --data photos
    WIDTH=5 png photos/c/1.png
    refused 'photos/c/1.png is 5 pixels wide and 6 high, but photos/a/1.png 6 and 6: all must have one size' \
        train "$SMALL" --data photos
    head -c 50 photos/a/1.png >photos/c/1.png
    refused 'cannot read photos/c/1.png: it is cut short or damaged (read beyond end of data)' \
        train "$SMALL" --data photos
    echo 'no picture at all' >photos/c/1.png
    refused 'cannot read photos/c/1.png: it is not a PNG' train "$SMALL" --data photos
    rm -r photos/b photos/c
    refused 'photos holds 1 folder, one a class; allowed are 2 to 256' train "$SMALL" --data photos
    sixes both/train/a both/train/b both/test/a both/test/c
    refused 'class c of both/test is not in both/train, so nothing can learn it' train "$SMALL" --data both
    mv both/test/c both/test/b
    refused 'net: the input is 1x6x7, but the pictures of both are 1x6x6' \
        train 'input 1x6x7; dense 2; loss softmax' --data both
    mv both/train/b both/train/$'\xe9'
    rm -r both/test/b
    mv both "$(printf 'b\xe9')"
    refused '--data is not UTF-8 text: b\xe9' train "$SMALL" --data "$(printf 'b\xe9')"
}

@test "names that are no UTF-8 come escaped in JSON" {
    local e9=$'\xe9'
    sixes photos/train/a "photos/train/$e9" "photos/test/$e9"
    good train "$SMALL" --data photos --epochs 1 --out "run$e9"
    [ "$(tr -d '\n' <"run$e9/run.json" | json 'd[0]["data"]["classes"]')" = "['a', '\\\\xe9']" ]
    good predict "run$e9" "photos/test/$e9/1.png" --json
    [ "$(json 'd[0]["image"], sorted(d[0]["probabilities"])' <<<"$output")" = \
        "('photos/test/\\\\xe9/1.png', ['\\\\xe9', 'a'])" ]
    good eval "run$e9" --json
    [ "$(json 'd[0]["run"], d[0]["split"], d[0]["samples"]' <<<"$output")" = "('run\\\\xe9', 'test', 6)" ]
}

@test "eval on each part of the data" {
    sixes photos/train/a photos/train/b photos/test/a
    png photos/test/a/7.png
    good train "$SMALL" --data photos --epochs 1 --limit 10 --validation 3 --out run
    local split
    for split in train validation test all; do
        "$CLUTCH" eval run --split $split --json >>parts
    done
    [ "$(json '[(e["split"], e["samples"]) for e in d]' <parts)" = \
        "[('train', 7), ('validation', 3), ('test', 7), ('all', 17)]" ]
    [ "$(json 'abs(sum(e["samples"] * e[e["split"] + "_loss"] for e in d[:3]) / 17 - d[3]["all_loss"]) < 1e-6' \
        <parts)" = True ]
    [ "$(cat run/metrics.jsonl parts | json 'all(d[0][k + "_accuracy"] == e[k + "_accuracy"]
        for k, e in (("validation", d[2]), ("test", d[3])))')" = True ]
    good eval run --data photos --split train # as other data: all of it
    [[ $output == 'run on the training set of photos: accuracy '*' (12 samples)' ]]
    refused_late '--split validation: photos has no samples for that' eval run --data photos --split validation
    refused "unknown --split 'tests'; did you mean 'test'? known: train, validation, test, all" eval run --split tests
}

@test "predict goes on after what it cannot read" {
    trained run
    python3 "$(tree tests/cli/digit.py)" b.png 28 28
    : >a.png
    printf '\xff\xd8\xff\xe0' >c.png
    run --separate-stderr "$CLUTCH" predict run . nowhere.png --json
    [ "$status" = 2 ]
    [ "$(json '[e["image"] for e in d]' <<<"$output")" = "['./b.png']" ]
    [ "$(complaints)" = 'clutch: cannot read ./a.png: it is empty
clutch: cannot read ./c.png: it is a JPEG, not a PNG
clutch: cannot open nowhere.png: No such file or directory
clutch predict: 3 of 4 pictures could not be read' ]
    refused 'cannot read a.png: it is empty' predict run a.png
}

@test "folders that predict refuses" {
    trained run
    mkdir empty
    png small/1.png
    refused 'no PNG in folder empty' predict run empty
    refused 'small/1.png is 6 pixels wide and 6 high; the run takes 28 and 28' predict run small
    python3 "$(tree tests/cli/digit.py)" good.png 28 28
    mkdir many
    python3 -c 'import os
for i in range(4096):
    os.symlink("../good.png", "many/%d.png" % i)'
    good predict run many
    [ "${#lines[@]}" = 4096 ]
    refused '4097 pictures with those in folder many: at most 4096 can be taken at once' predict run good.png many
    refused 'more than 4096 pictures with good.png: at most so many can be taken at once' predict run many good.png
}

@test "names of classes that look alike" {
    sixes 'photos/caf'$'\xc3\xa9' 'photos/Cafe'$'\xcc\x81' # one letter with its accent, and two
    run --separate-stderr "$CLUTCH" train "$SMALL" --data photos --epochs 1 --draw-every 0 --out run
    [ "$status" = 0 ]
    [[ $(complaints) == *'photos has classes Cafe'*' and caf'*', whose names differ in capitals or accents alone: if '\
'they are one class, put them into one folder'* ]]
    sixes two/train/cat two/train/dog two/test/cat two/test/Dog
    refused 'class Dog of two/test is not in two/train: its dog is written otherwise, in capitals or accents' \
        train "$SMALL" --data two
}
