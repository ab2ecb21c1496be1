# shellcheck shell=bash
# Words for people: progress on stdout, one clear line for what went wrong on stderr.
say_open=0 # a step's line is still open

say() { printf '%s\n' "$*"; }

# fail TEXT: one line naming the script, then out.
fail() {
    [ $say_open = 0 ] || printf '\n'
    say_open=0
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# step TEXT ... step_done [REMARK]: "building          done in 12 s".
step() {
    step_began=$SECONDS
    say_open=1
    printf '%-44s' "$*"
}
step_done() {
    say_open=0
    local took=$((SECONDS - step_began))
    printf '%s\n' "${1:-done}$([ $took -lt 2 ] || printf ' in %s s' $took)"
}
