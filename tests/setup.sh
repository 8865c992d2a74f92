#!/bin/sh
# Installs what is missing of the Debian packages that clutch is built, run and tested with. Called by `make setup`.
# With the word `pytorch`, PyTorch too: 600 MB, for the test of README's lines.
set -eu

build='gcc clang make pkg-config git'
libraries='ocl-icd-opencl-dev opencl-headers libclblast-dev libpng-dev libcairo2-dev zlib1g-dev libjansson-dev'
running='pocl-opencl-icd clinfo dataset-fashion-mnist'
testing='libcmocka-dev bats oclgrind mesa-opencl-icd python3-numpy python3-pil zsh fish'
[ "${1-}" != pytorch ] || testing="$testing python3-torch"

missing='' n=0
for package in $build $libraries $running $testing; do
    n=$((n + 1))
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "all $n packages are here"
    exit 0
fi

sudo=''
[ "$(id -u)" = 0 ] || sudo=sudo
if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
    cat <<END
cannot install: this needs Debian's apt-get, and root or sudo. Missing, by Debian's names:
   $missing
Elsewhere look for: a C11 compiler, make, pkg-config; an OpenCL loader with headers (ocl-icd), CLBlast, libpng, cairo,
zlib, jansson; an OpenCL driver (PoCL runs on any CPU); Fashion-MNIST as gzipped IDX files; for the tests cmocka, bats,
Oclgrind, Mesa's rusticl, numpy, Pillow, zsh and fish.
END
    exit 1
fi

echo "installing:$missing"
$sudo apt-get update -q
# word splitting is wanted: names, one an argument
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
