# shellcheck shell=bash
# After the run: no process of ours lives, none of our ports has a listener, no file is left in our folder. Processes are known by the
# run's name in their environment, so also what a test's browser started is found.

own_processes() { # pids, this shell and what it runs right now left out
    local file pid
    for file in $(grep -lzxF "MERIDIAN_TEST_RUN=$MERIDIAN_TEST_RUN" /proc/[0-9]*/environ 2>/dev/null || true); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        [ ! -e "/proc/$pid/exe" ] || printf '%s\n' "$pid"
    done
}

leftovers_check() {
    local out=$log/leftovers.log tries
    : >"$out"
    # What was told to end a moment ago may need one.
    for tries in $(seq 30); do
        [ -n "$(own_processes)" ] || break
        sleep 0.1
    done
    local pid
    for pid in $(own_processes); do
        [ "$tries" = 30 ] || continue
        printf 'process %s: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-200)" >>"$out"
        kill -KILL "$pid" 2>/dev/null || true
    done
    local base
    for base in "${used_bases[@]}"; do
        ss -H -ltnp | awk -v base="$base" '{ port = $4; sub(/.*:/, "", port); if ((port >= base && port < base + 1200) || (port >= base + 10250 && port < base + 11200)) print "listener", $4, $6 }' >>"$out"
    done
    find "$work" -mindepth 1 ! -path "$work/tmp" -printf 'file %p\n' >>"$out"
    [ ! -s "$out" ] || report leftovers "nothing is left behind" 0 1 "$out"
}
