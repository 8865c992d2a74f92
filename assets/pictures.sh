#!/bin/sh
# Makes pictures as the README's anew, into the folder that is named: sh assets/pictures.sh FOLDER. On a quiet machine:
# devices.png shows time.
set -eu
[ $# = 1 ] || { echo 'which folder? sh assets/pictures.sh FOLDER' >&2 && exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
nets=$PWD/assets/nets clutch=$PWD/${B:-build}/clutch work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # so that runs have short names in the pictures

# weights.png, motion.png: the first layer of a small net, and how it came to be
"$clutch" train 'input 1x28x28; dense 64; batchnorm; relu; dense 10; loss softmax' --data fashion-mnist --epochs 8 \
    --batch 250 --weight-decay 0.01 --draw-every 1 --out small
cp small/pictures/weights-00-0.weight.png "$to/weights.png"
cp small/pictures/weights-motion-00-0.weight.png "$to/motion.png"

# devices.png: what two halves of the CPU do, locked and decoupled
for couple in exact csg; do
    "$clutch" train "$nets/deep.net" --data fashion-mnist --limit 20000 --epochs 2 --batch 64 --devices 0:0/2 \
        --cuts 24 --on 0,1 --couple $couple --out $couple
done
"$clutch" draw exact csg --no-data --out both
cp both/pictures/devices.png "$to/devices.png"

# confusion.png: the net that `make demo` trains
"$clutch" train "$nets/mlp.net" --data fashion-mnist --epochs 4 --batch 250 --weight-decay 0.003 --out mlp
"$clutch" draw mlp --units 0
cp mlp/pictures/confusion.png "$to/confusion.png"
echo "weights.png, motion.png, devices.png and confusion.png are in $to"
