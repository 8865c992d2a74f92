#!/bin/sh
# Makes the README's pictures anew, into assets/ or the folder that is named: sh assets/pictures.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
clutch=${B:-build}/clutch to=${1:-assets} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# weights.png, motion.png: the first layer of a small net, and how it came to be
"$clutch" train 'input 1x28x28; dense 64; batchnorm; relu; dense 10; loss softmax' --data fashion-mnist --epochs 8 \
    --batch 250 --weight-decay 0.003 --draw-every 1 --out "$work/small"
cp "$work/small/pictures/weights-00-0.weight.png" "$to/weights.png"
cp "$work/small/pictures/motion-00-0.weight.png" "$to/motion.png"

# devices.png: what two halves of the CPU do, locked and decoupled
for couple in exact csg; do
    "$clutch" train assets/nets/deep.net --data fashion-mnist --limit 20000 --epochs 2 --batch 64 --devices 0:0/2 \
        --cuts 24 --on 0,1 --couple $couple --out "$work/$couple"
done
"$clutch" draw "$work/exact" "$work/csg" --no-data --out "$work/both"

# confusion.png: the net that `make demo` trains
"$clutch" train assets/nets/mlp.net --data fashion-mnist --epochs 4 --batch 250 --weight-decay 0.003 --out "$work/mlp"
"$clutch" draw "$work/mlp"
