#!/bin/sh
# Prints C source that holds the given kernel files as bytes: see source.h.
set -eu
echo '/* made by src/ocl/embed.sh */'
echo '#include "source.h"'
for file in "$@"; do
    name=$(basename "$file" .cl)
    printf 'static const unsigned char text_%s[] = {' "$name"
    od -An -v -tx1 "$file" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '0};'
done
echo 'const struct ocl_source ocl_sources[] = {'
for file in "$@"; do
    name=$(basename "$file" .cl)
    printf '    {"%s", text_%s},\n' "$name" "$name"
done
echo '};'
echo 'const int ocl_source_count = sizeof ocl_sources / sizeof ocl_sources[0];'
