# What is said where OpenCL has no device, where kernels cannot be kept, and whose kernels are not run.
load common

no_device()
{
    local message="no OpenCL device found ($1 platform$([ "$1" = 1 ] || echo s)); $2; \`clutch devices\` says more"
    refused "$message" train "$NET" --data digits
    refused "$message" devices --devices all
    good devices --json
    [ "$(json 'd[0]["devices"]' <<<"$output")" = '[]' ]
    good devices
    [ "${lines[-1]}" = "no OpenCL device found; $2" ] || fail "$output"
}

# pocl_alone: PoCL is the only platform, or the test is skipped
pocl_alone()
{
    [ -e /etc/OpenCL/vendors/pocl.icd ] || skip 'no PoCL'
    export OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
}

@test "a folder of drivers without any, and none" {
    mkdir icd
    OCL_ICD_VENDORS=$PWD/icd no_device 0 "OCL_ICD_VENDORS is '$PWD/icd', a folder without any file *.icd"
    OCL_ICD_VENDORS=$PWD/none no_device 0 "OCL_ICD_VENDORS is '$PWD/none', and there is no such file or folder"
    OCL_ICD_VENDORS=none.icd no_device 0 "OCL_ICD_VENDORS is 'none.icd', and there is no such file or folder"
}

@test "files of drivers that are empty, or name what cannot be loaded" {
    mkdir icd
    export OCL_ICD_VENDORS=$PWD/icd
    : >icd/some.icd
    no_device 0 "$PWD/icd/some.icd is empty, and should name a driver's library"
    echo >icd/some.icd
    no_device 0 "$PWD/icd/some.icd is empty, and should name a driver's library"
    echo /nowhere/libsome.so >icd/some.icd
    no_device 0 "$PWD/icd/some.icd names /nowhere/libsome.so, which cannot be loaded: /nowhere/libsome.so: cannot open \
shared object file: No such file or directory"
    mv icd/some.icd one.icd
    OCL_ICD_VENDORS=$PWD/one.icd no_device 0 "$PWD/one.icd names /nowhere/libsome.so, which cannot be loaded: \
/nowhere/libsome.so: cannot open shared object file: No such file or directory"
}

@test "PoCL with settings that leave it no device" {
    pocl_alone
    : >file
    POCL_CACHE_DIR=$PWD/file/cache no_device 1 "PoCL has no device, for its cache folder $PWD/file/cache cannot be \
written; POCL_CACHE_DIR names another"
    POCL_DEVICES=none no_device 1 "PoCL has no device; POCL_DEVICES is 'none'"
}

@test "rusticl without a driver" {
    [ -e /etc/OpenCL/vendors/rusticl.icd ] || skip 'no rusticl'
    export OCL_ICD_VENDORS=/etc/OpenCL/vendors/rusticl.icd
    unset RUSTICL_ENABLE
    no_device 1 'rusticl has no device, for RUSTICL_ENABLE is not set: it names drivers, such as radeonsi, iris or '\
'llvmpipe; or on Debian, `apt install pocl-opencl-icd` makes the CPU one'
}

@test "too little memory for drivers" {
    pocl_alone
    ! grep -q __asan_init "$CLUTCH" || skip 'the address sanitizer reserves more than the limit'
    run --separate-stderr bash -c 'ulimit -v 150000 && "$CLUTCH" devices'
    [ "$status" = 0 ]
    [ "$stderr" = 'clutch: memory is limited to 146.5 MiB (ulimit -v): OpenCL drivers may need more, and end the '\
'program or show no device where they get too little' ]
    [[ $output == *'which cannot be loaded: '*'; memory is limited to 146.5 MiB (ulimit -v)' ]]
}

@test "a home that cannot be written: PoCL works all the same, and its folder goes away" {
    pocl_alone
    : >file
    unset POCL_CACHE_DIR
    mkdir tmp
    export HOME=$PWD/file TMPDIR=$PWD/tmp
    XDG_CACHE_HOME=$PWD/file/cache run --separate-stderr "$CLUTCH" train "$TINY" --data digits --limit 200 --epochs 1
    [ "$status" = 2 ] # a net for other pictures; the device was found
    XDG_CACHE_HOME=$PWD/file/cache run --separate-stderr "$CLUTCH" train "$NET" --data digits --limit 200 --epochs 1
    [ "$status" = 0 ] || fail "$stderr"
    [[ $stderr == *"compiling kernels for "*", which cannot be kept: $PWD/file/cache/clutch cannot be written" ]]
    [ "$(grep -c kept <<<"$stderr")" = 1 ]
    [ -z "$(ls tmp)" ]
}

@test "a cache of PoCL that cannot be written: it gets a folder in ours, for the user alone" {
    pocl_alone
    unset POCL_CACHE_DIR
    mkdir cache
    : >cache/pocl
    XDG_CACHE_HOME=$PWD/cache run --separate-stderr "$CLUTCH" train "$NET" --data digits --limit 200 --epochs 1
    [ "$status" = 0 ] || fail "$stderr"
    [ "$(stat -c %a cache/clutch/pocl)" = 700 ]
    [ -n "$(ls cache/clutch/pocl)" ]
}

@test "a cache that others can write is not used" {
    mkdir -p cache/clutch
    chmod 777 cache/clutch
    XDG_CACHE_HOME=$PWD/cache run --separate-stderr "$CLUTCH" train "$NET" --data digits --limit 200 --epochs 1
    [ "$status" = 0 ] || fail "$stderr"
    local why="for others can write to it (mode 0777); remove it, or, if what it holds is yours: chmod go-w"
    [ "$(grep -cxF "clutch: $PWD/cache/clutch is not used, $why $PWD/cache/clutch" <<<"$stderr")" = 1 ]
    [ -z "$(ls cache/clutch)" ]
}

@test "compiling is told once, of a device and all its parts" {
    export XDG_CACHE_HOME=$PWD/cache
    run --separate-stderr "$CLUTCH" train "$NET" --data digits --limit 200 --epochs 1 --out run
    [ "$status" = 0 ] || fail "$stderr"
    [[ $(grep 'compiling kernels' <<<"$stderr") == 'clutch: compiling kernels for '*", once: they are kept in \
$PWD/cache/clutch" ]]
    run --separate-stderr "$CLUTCH" eval run # compiles others
    [ "$status" = 0 ] || fail "$stderr"
    [ -z "$stderr" ]
}
