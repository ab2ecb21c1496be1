# shellcheck shell=bash
# What passed and failed, per kind and in all.
passed_total=0
failed_total=0
declare -A passed_of=() failed_of=()
counted_kinds=()

count() { # KIND PASSED FAILED
    [ -n "${passed_of[$1]:-}" ] || counted_kinds+=("$1")
    passed_of[$1]=$((${passed_of[$1]:-0} + $2))
    failed_of[$1]=$((${failed_of[$1]:-0} + $3))
    passed_total=$((passed_total + $2))
    failed_total=$((failed_total + $3))
}

# One test of one file or program: told, counted; its output is shown when something failed.
report() { # KIND NAME PASSED FAILED LOG
    count "$1" "$3" "$4"
    if [ "$4" = 0 ]; then
        line "$2" "$3 passed"
        [ "$verbose" = 0 ] || sed 's/^/    /' "${5%.failures}"
    else
        line "$2" "$3 passed, $4 FAILED"
        tail -n 200 "$5" | sed 's/^/    /'
    fi
}

totals() {
    local kind
    title "results"
    for kind in "${counted_kinds[@]}"; do line "$kind" "${passed_of[$kind]} passed, ${failed_of[$kind]} failed"; done
    printf '\n%s passed, %s failed\n' "$passed_total" "$failed_total"
}

# ctest -V's output -> "PASSED FAILED" counting cmocka's single tests; a program of another kind counts as one.
count_ctest() {
    awk '
        match($0, /^[0-9]+: /) { id = $1 + 0 }
        /^[0-9]+: \[  PASSED  \] [0-9]+ test/ { passed[id] += $5 }
        /^[0-9]+: \[  FAILED  \] [0-9]+ test/ { failed[id] += $5 }
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+:/ {
            match($0, /#[0-9]+/); id = substr($0, RSTART + 1, RLENGTH - 1) + 0
            if ($0 ~ / Passed +[0-9.]+ sec/) { p += passed[id] ? passed[id] : 1 }
            else { p += passed[id]; f += failed[id] ? failed[id] : 1 }
        }
        END { print p + 0, f + 0 }' "$1"
}

# The failed programs' output out of ctest -V.
failures_ctest() {
    awk '
        NR == FNR { if (/^ *[0-9]+\/[0-9]+ Test +#[0-9]+:/ && !/ Passed +[0-9.]+ sec/) { match($0, /#[0-9]+/); bad[substr($0, RSTART + 1, RLENGTH - 1) + 0] = 1; print }; next }
        /^[0-9]+: / { if (bad[$1 + 0] && !/\[ RUN  |\[       OK/) print }' "$1" "$1"
}

# node --test's TAP -> "PASSED FAILED"; a file that did not come to its summary counts as one failure.
count_tap() {
    awk '/^# pass [0-9]+$/ { p = $3; seen = 1 } /^# fail [0-9]+$/ { f += $3 } /^# cancelled [0-9]+$/ { f += $3 } END { if (!seen) f = 1; print p + 0, f + 0 }' "$1"
}

# What failed of it, with its reasons; all of it when node said nothing of the kind.
failures_tap() {
    if grep -q '^ *not ok ' "$1"; then
        awk '/^ *(not )?ok / { shown = /^ *not ok / } /^ *# Subtest/ { shown = 0 } shown || /^# [^ ]*(Error|Warning)/' "$1"
    else
        cat "$1"
    fi
}

# A program of ours closes with "N passed, N failed"; else its exit code counts as one test.
count_words() { # LOG EXIT-CODE
    local words
    words=$(grep -Eo '^[0-9]+ passed, [0-9]+ failed' "$1" | tail -n 1)
    if [ -n "$words" ]; then
        read -r passed _ failed _ <<<"$words"
        [ "$2" = 0 ] || [ "$failed" -gt 0 ] || failed=1
        printf '%s %s\n' "$passed" "$failed"
    elif [ "$2" = 0 ]; then
        echo 1 0
    else
        echo 0 1
    fi
}
