#!/bin/sh
# Puts clutch beside what one would use instead, on this machine: `sh bench/run.sh --help`, and bench/README.md.
command -v python3 >/dev/null || { echo 'bench: python3 is missing; on Debian: apt install python3' >&2; exit 1; }
exec python3 "$(dirname "$0")/run.py" "$@"
