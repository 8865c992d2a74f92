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

# a deep net, a module a device: all devices, or the halves of the only CPU
devices=$("$build/clutch" devices | sed -n 's/^  \([0-9]*:[0-9]*\)  .*/\1/p')
case $devices in
*:*:*) spec=all ;;
*) spec=$devices/2 ;;
esac
"$build/clutch" devices --devices "$spec" >/dev/null 2>&1 || spec=$devices # it cannot be split
echo
echo "Now a deep net in modules, each at its own pace; first what to expect, then couplings side by side:"
echo
"$build/clutch" plan assets/nets/deep.net --devices "$spec" --batch 64
echo
"$build/clutch" compare assets/nets/deep.net --data "$data" --devices "$spec" --batch 64 --limit 20000 --epochs 3 \
    --couplings exact,csg,local,predsim

echo
"$build/clutch" draw "$build/demo" >/dev/null
echo "Look at what was learned, and how: $PWD/$build/demo/index.html"
