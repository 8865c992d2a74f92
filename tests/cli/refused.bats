# Bad input is refused with exit code 2 and one line that says what, where and what is allowed; nothing is left behind.
load common

@test "nets that are none" {
    idx_folder data
    local known='known: input, dense, batchnorm, relu, leakyrelu, tanh, sigmoid, dropout, cut, on, loss'
    local shape='a shape is CxHxW or N, each number 1 to 4096' before='put a dense layer before it'
    while IFS='|' read -r net message; do
        refused "$message" train "$net" --data data
    done <<END
missing.net|cannot open missing.net: No such file or directory
.|. is a folder, and where it stands a net is wanted: data are named by --data .
input 1x6x6; dens 4; loss softmax|net:2: unknown word 'dens'; did you mean 'dense'? $known
input 1x6; dense 4; loss softmax|net:1: input '1x6': $shape
input 1x6x0; dense 4; loss softmax|net:1: input '1x6x0': $shape
input 1x6x6; batchnorm; dense 4; loss softmax|net:2: batchnorm takes a vector, not a picture of 1x6x6: $before
input 1x6x6; relu; loss softmax|net:3: loss softmax takes a vector of 2 or more classes, not 1x6x6: $before
input 1x6x6; dense 4|net:2: the net ends without a loss: its last line is 'loss' and one of softmax, squared
input 1x6x6; loss softmax|net:2: no layer before the loss
dense 4; loss softmax|net:1: 'dense' before the input: the first line is 'input CxHxW'
input 1x6x6; dense; loss softmax|net:2: dense: units (outputs) is missing
input 1x6x6; dense 0; loss softmax|net:2: dense: units is '0', must be a whole number from 1 to 1048576
input 1x6x6; dense 4 width=3; loss softmax|net:2: dense: unknown option 'width'; known: units, bias, zero
input 1x6x6; dense 4; loss hinge|net:3: unknown loss 'hinge'; known: softmax, squared
input 1x6x6; dense 4; loss square|net:3: unknown loss 'square'; did you mean 'squared'? known: softmax, squared
input 1x6x6; dense 4; loss|net:3: loss takes one word of these: softmax, squared
input 1x6x6; dense 4; loss squared 2|net:3: loss takes one word of these: softmax, squared
input 1x6x6; loss squared|net:2: no layer before the loss
input 1x6x6; relu; loss squared|net:3: loss squared takes a vector of 2 or more classes, not 1x6x6: $before
END
    printf 'input 1x6x6\n# a comment\ndense 4\nrelo\nloss softmax\n' >bad.net
    refused "bad.net:4: unknown word 'relo'; did you mean 'relu'? $known" train bad.net --data data
    printf 'input 1x6x6\0' >nul.net
    refused 'nul.net is not text' train nul.net --data data
    printf 'input 1x6x6 # gr\366\337er\ndense 4\nloss softmax\n' >latin.net
    refused 'latin.net is not UTF-8 text' train latin.net --data data
}

@test "nets that do not fit the data" {
    idx_folder data
    refused 'net: the input is 1x6x7, but the pictures of data are 1x6x6' \
        train 'input 1x6x7; dense 4; loss softmax' --data data
    refused 'net: the input is 1x6x7, but the pictures of data are 1x6x6' \
        compare 'input 1x6x7; dense 4; loss softmax' --data data --devices nowhere # before devices are looked at
    refused 'net:3: batchnorm cannot train on batches of 1: 2 samples at least' train "$TINY" --data data --batch 1
    refused 'data: 1 training samples are too few for this net: 2 at least' train "$TINY" --data data --limit 1
    idx_labels data/t10k-labels-idx1-ubyte 10 3
    refused 'net: the last layer has 3 outputs, but data has 4 classes' \
        train 'input 1x6x6; dense 3; loss softmax' --data data
}

@test "data that is not there" {
    refused "unknown data set 'nowhere'; known: fashion-mnist, mnist, digits; or give a folder" \
        train "$NET" --data nowhere
    mkdir empty
    refused 'no data in empty: neither the four IDX files (train-images-idx3-ubyte and so on, plain or .gz) nor '\
'folders of PNGs (train/CLASS/*.png and test/CLASS/*.png, or CLASS/*.png)' train "$NET" --data empty
    idx_folder data
    rm data/t10k-labels-idx1-ubyte
    refused 'no file t10k-labels-idx1-ubyte in data (nor t10k-labels.idx1-ubyte, nor one of them with .gz)' \
        train "$TINY" --data data
    local message="data set mnist not found; looked in $PWD/clutch/mnist, /usr/share/datasets/mnist; put its four IDX \
files into one of these; or give a folder"
    [ -d /usr/share/datasets/mnist ] || XDG_DATA_HOME=$PWD refused "$message" train "$TINY" --data mnist
}

@test "data that is cut short, damaged or does not match" {
    idx_folder data
    local images=data/train-images-idx3-ubyte labels=data/t10k-labels-idx1-ubyte
    head -c 700 $images >cut && cp cut $images
    refused "$images is cut short: 720 bytes wanted behind its header, found 684" train "$TINY" --data data
    head -c 15 $images >cut && cp cut $images
    refused "$images is cut short: its header wants 16 bytes, found 15" train "$TINY" --data data
    echo 'no data' >$images
    refused "$images is not an IDX file: it starts with bytes 6e 6f, not 00 00" train "$TINY" --data data
    cp $labels $images
    refused "$images has 1 dimension; wanted 3" train "$TINY" --data data
    idx_pictures $images 21
    refused "data/train-labels-idx1-ubyte holds 20 labels, but $images 21 pictures" train "$TINY" --data data
    idx_pictures $images 20 6 7
    refused 'data/t10k-images-idx3-ubyte holds pictures of 6 x 6 pixels, but the training set'"'"'s are 6 x 7' \
        train "$TINY" --data data
    idx_pictures $images 20
    gzip <$labels >$labels.gz
    rm $labels
    head -c 20 $labels.gz >cut && cp cut $labels.gz
    refused "cannot read $labels.gz: unexpected end of file" train "$TINY" --data data
}

@test "run folders that cannot be" {
    idx_folder data
    mkdir -p run/pictures
    echo precious >run/model.safetensors
    refused_late 'run folder run is not empty; --force overwrites it, or choose another with --out' \
        train "$TINY" --data data --out run
    refused_late 'the run folder has an empty name' train "$TINY" --data data --out ''
    refused_late 'data/train-labels-idx1-ubyte is a file, not a folder' \
        train "$TINY" --data data --out data/train-labels-idx1-ubyte/run --force
    [ ! -d /proc/self ] || refused_late 'cannot make folder /proc/run: No such file or directory' \
        train "$TINY" --data data --out /proc/run
    local long
    long=$(printf 'x%.0s' {1..300})
    refused_late "cannot make folder new/$long: File name too long" train "$TINY" --data data --out "new/$long"
    if [ "$(id -u)" != 0 ]; then # root may write anywhere
        mkdir locked
        chmod 555 locked
        refused_late 'cannot make folder locked/run: cannot write to folder locked: Permission denied' \
            train "$TINY" --data data --out locked/run
        refused_late 'cannot write to folder locked: Permission denied' train "$TINY" --data data --out locked
    fi
}

@test "a good run stays untouched by --force with bad input" {
    trained run
    refused "net:1: 'dense' before the input: the first line is 'input CxHxW'" \
        train 'dense 10; loss softmax' --data digits --out run --force
    refused "unknown data set 'nowhere'; known: fashion-mnist, mnist, digits; or give a folder" \
        train "$NET" --data nowhere --out run --force
    refused "no device '77:7'; here are: $(here_are); or say gpu, cpu, accel, all" \
        train "$NET" --data digits --devices 77:7 --out run --force
    refused 'net: the input is 1x6x6, but the pictures of digits are 1x28x28' \
        train "$TINY" --data digits --out run --force
    printf 'input 1x28x28 # \377\ndense 10\nloss softmax\n' >latin.net
    refused 'latin.net is not UTF-8 text' train latin.net --data digits --out run --force
    refused '--lr is 0, must be from 1e-12 to 1000' train "$NET" --data digits --out run --force --lr 0
}

@test "folders that are no runs" {
    mkdir empty
    for command in 'eval empty' 'predict empty picture.png' 'train --resume empty'; do
        # shellcheck disable=SC2086 # words are wanted
        {
            refused 'empty is not a run folder: cannot open empty/run.json: No such file or directory' $command
            refused 'nowhere is not a run folder: there is no such folder' ${command/empty/nowhere}
        }
    done
}

# spoiled FROM TO MESSAGE: run.json with FROM replaced is refused by eval, predict and --resume
spoiled()
{
    rm -rf run
    trained run
    sed -i "s/$1/$2/" run/run.json
    refused "$3" eval run
    refused "$3" predict run picture.png
    refused "$3" train --resume run
}

@test "a damaged run.json" {
    touch picture.png
    spoiled '"net": {' '"net": ' 'run/run.json:5: '"'}' expected near ':'"
    spoiled '"data": {' '"dota": {' 'run/run.json: Object item not found: data'
    spoiled '"seed": 1' '"seed": "one"' 'run/run.json: options: seed is no whole number'
    spoiled '"batch": 128' '"batch": 4294967424' \
        'run/run.json: options: batch is 4294967424, must be from 1 to 65536'
    spoiled '"queue": 4' '"queue": 0' 'run/run.json: options: queue is 0, must be from 1 to 1024'
    spoiled '"limit": 300' '"limit": -1' 'run/run.json: limit is -1, must be from 0 to 4294967295'
    spoiled '"lr": 0.001' '"lr": "much"' 'run/run.json: options: lr is no number'
    spoiled '"batch": 128' '"batch": 0' 'run/run.json: options: batch is 0, must be from 1 to 65536'
    spoiled '"optimizer": "adam"' '"optimizer": "lion"' \
        "run/run.json: options: unknown --optimizer 'lion'; known: adam, adamw, sgd"
    spoiled '  28,' '  0,' 'run/run.json: shape has a side of 0, must be from 1 to 4096'
    spoiled '"deviation": \[' '"deviation": [0, ' 'run/run.json: means, deviations or classes do not fit'
}

@test "a run.json that does not fit its net, its data or its files" {
    trained run
    cp run/run.json good.json
    python3 "$(tree tests/cli/digit.py)" picture.png 28 28
    sed -i 's/dense 10;/dense 12;/' run/run.json
    local message="run/run.json: the net takes 784 values and has 12 outputs, but the run's pictures are 1x28x28 \
of 10 classes"
    refused "$message" eval run
    refused "$message" predict run picture.png
    refused "$message" train --resume run
    sed 's/dense 16/dense 17/' good.json >run/run.json
    refused_late 'tensor 0.weight of run/model.safetensors is F32 [16, 784], needed is F32 [17, 784]' eval run
    refused_late 'tensor 0.weight of run/model.safetensors is F32 [16, 784], needed is F32 [17, 784]' \
        predict run picture.png
    refused_late 'tensor 0.weight of run/checkpoint.safetensors is F32 [16, 784], needed is F32 [17, 784]' \
        train --resume run --epochs 2
    sed 's/"limit": 300/"limit": 500/' good.json >run/run.json
    refused_late 'digits has 500 samples to train on, the run began with 300' train --resume run --epochs 2
    sed 's/"limit": 300/"limit": 500/; s/"samples": 300/"samples": 0/; s/"fingerprint": ".*"/"fingerprint": ""/' \
        good.json >run/run.json
    refused_late "run/checkpoint.safetensors is of another run: it holds epoch 1 and step 3; this run has 2 epochs \
of 4 steps" train --resume run --epochs 2
    sed 's/"data": "digits"/"data": "nowhere"/' good.json >run/run.json
    message="unknown data set 'nowhere'; known: fashion-mnist, mnist, digits; or give a folder"
    refused "$message" eval run
    refused "$message" train --resume run --epochs 2
    idx_folder data
    cp good.json run/run.json
    refused 'net: the input is 1x28x28, but the pictures of data are 1x6x6' eval run --data data
}

@test "weights that are missing, cut short or damaged" {
    trained run
    python3 "$(tree tests/cli/digit.py)" picture.png 28 28
    local model=run/model.safetensors checkpoint=run/checkpoint.safetensors
    mv $model kept
    refused_late "cannot open $model: No such file or directory" eval run
    head -c 20000 kept >$model
    local message="cannot read $model: tensor 0.weight: data_offsets 0 to 50176, but the file has only"
    message="$message $((20000 - 8 - $(od -An -tu8 -N8 kept))) bytes of data"
    refused_late "$message" eval run
    refused_late "$message" predict run picture.png
    echo 'no weights' >$model
    refused_late "cannot read $model: no safetensors file: it announces a header of 7523097587056930670 bytes, at most \
100000000 are allowed" eval run
    cp $checkpoint kept
    head -c 100 kept >$checkpoint
    message="cannot read $checkpoint: cut short: it announces a header of $(od -An -tu8 -N8 kept | tr -d ' ') bytes"
    refused_late "$message, but has 92" train --resume run
    rm $checkpoint
    refused "$NO_CHECKPOINT" train --resume run
}

@test "pictures that cannot be taken" {
    trained run
    refused 'cannot open picture.png: No such file or directory' predict run picture.png
    python3 "$(tree tests/cli/digit.py)" small.png 28 27
    refused 'small.png is 28 pixels wide and 27 high; the run takes 28 and 28' predict run small.png
    python3 "$(tree tests/cli/digit.py)" good.png 28 28
    head -c 60 good.png >cut.png
    refused 'cannot read cut.png: it is cut short or damaged (read beyond end of data)' predict run cut.png
    echo 'no picture at all' >text.png
    refused 'cannot read text.png: it is not a PNG' predict run text.png
}
