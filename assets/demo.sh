#!/bin/sh
# What `make demo` runs: train on real data on the best device here, then look at what was learned.
set -eu
build=${B:-build}
data=fashion-mnist
[ -d /usr/share/datasets/fashion-mnist ] || data=digits # drawn by the program itself

"$build/clutch" devices
echo
"$build/clutch" train assets/nets/mlp.net --data "$data" --epochs 4 --batch 250 --weight-decay 0.003 \
    --out "$build/demo" --force
echo
"$build/clutch" eval "$build/demo"
[ "$data" = digits ] || "$build/clutch" predict "$build/demo" assets/boot.png assets/bag.png assets/trouser.png
echo
echo "Look at $build/demo/pictures/0.weight.png: what each unit of the first layer looks for."
