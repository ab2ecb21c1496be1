# shellcheck shell=bash
# Counts checks: one line for each that failed, with what it said.
passed=0
failed=0
check() { # WHAT COMMAND...
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok: %s\n' "$what"
        sed 's/^/    /' <<<"$said"
    fi
}
# refused WHAT TEXT COMMAND...: it fails, and says TEXT.
refused() {
    local what=$1 text=$2
    shift 2
    # shellcheck disable=SC2016
    check "$what" bash -c 'said=$("${@:2}" 2>&1) && { echo "was not refused"; exit 1; }; [[ $said == *"$1"* ]] || { echo "$said"; exit 1; }' - "$text" "$@"
}
total() {
    printf '%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
