#!/bin/sh
# Does a fresh Debian 12 with nothing but git and make get from a clone to the demo and the tests?
#
# By hand, as root, with debootstrap installed, from anywhere in a clone; what is committed is tried:
#     sh tests/fresh-root.sh FOLDER             make setup demo, then make setup test
#     sh tests/fresh-root.sh FOLDER TARGET...   make TARGET... alone
# FOLDER/base is debootstrapped once and kept; FOLDER/root is laid anew from it by each run and left for looking around.
# Packages come from where this machine's apt takes them.
set -eu

fail()
{
    echo "fresh-root.sh: $1" >&2
    exit 1
}

[ $# -ge 1 ] || fail 'which folder? sh tests/fresh-root.sh FOLDER [TARGET...]'
[ "$(id -u)" = 0 ] || fail 'must run as root'
command -v debootstrap >/dev/null || fail 'needs debootstrap'
# mounts live in a namespace of this run: nothing stays mounted, however it ends
if [ -z "${FRESH_ROOT_ALONE-}" ]; then
    FRESH_ROOT_ALONE=1 exec unshare --mount sh "$0" "$@"
fi

mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
base=$folder/base root=$folder/root

eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy="${http_proxy-}" https_proxy="${https_proxy-}"

if [ ! -e "$base/etc/debian_version" ]; then
    # shellcheck disable=SC2016 # apt-get fills these in, not the shell
    site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sed -n 's/ bookworm main$//p' | head -n 1)
    [ -n "$site" ] || fail "this machine's apt knows no source of Debian 12 (bookworm main)"
    rm -rf --one-file-system "$base.new"
    debootstrap --variant=minbase --include=git,make bookworm "$base.new" "$site"
    mv "$base.new" "$base"
fi

rm -rf --one-file-system "$root"
cp -a "$base" "$root"
git clone --quiet --no-hardlinks . "$root/clutch"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys" # PoCL asks it for the CPU's shape and memory

inside()
{
    echo "== in the fresh root: $*"
    chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
        http_proxy="$http_proxy" https_proxy="$https_proxy" "$@"
}

if [ $# -gt 0 ]; then
    inside make -C /clutch "$@"
else
    inside make -C /clutch setup demo
    inside make -C /clutch setup test
fi
