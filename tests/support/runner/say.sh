# shellcheck shell=bash
# Words of tests/run.
wrong() {
    printf 'tests/run: %s\n' "$*" >&2
    exit 2
}
title() { printf '\n== %s\n' "$*"; }
line() { printf '  %-64s %s\n' "$1" "$2"; }
