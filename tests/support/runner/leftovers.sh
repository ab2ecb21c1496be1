# shellcheck shell=bash
# After the run: no process of ours lives, none of our ports has a listener, no file is left in our folder, no network namespace or TUN
# device of a footprint has come to stay. Processes are known by the run's name in their environment, so also what a test's browser started
# is found. A namespace has no environment: one that came during the run and that no living process names is nobody's.

own_processes() { # pids, this shell and what it runs right now left out
    local file pid
    for file in $(grep -lzxF "MERIDIAN_TEST_RUN=$MERIDIAN_TEST_RUN" /proc/[0-9]*/environ 2>/dev/null || true); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        [ ! -e "/proc/$pid/exe" ] || printf '%s\n' "$pid"
    done
}

# Namespaces and devices as infra/local/lib/world.sh names them, one a line.
networks_there() { find /run/netns /sys/class/net -mindepth 1 -maxdepth 1 -regextype egrep -regex '.*/mer-?[0-9a-f]{8}(-[a-z0-9-]+)?' -printf '%f\n' 2>/dev/null | sort || true; }

# Those that are not of $1, as networks_there told them earlier, and of which no process knows: another footprint's are in the words of its
# meridian-wan. (The name goes to grep by a file: its own words would be found, too.)
networks_left() {
    local name
    for name in $(networks_there); do
        grep -qxF "$name" <<<"$1" || grep -qsFf <(printf '%s\n' "$name") /proc/[0-9]*/cmdline || printf '%s\n' "$name"
    done
}

leftovers_check() {
    local out=$log/leftovers.log tries
    : >"$out"
    # What was told to end a moment ago may need one.
    for tries in $(seq 30); do
        [ -n "$(own_processes)$(networks_left "$networks_before")" ] || break
        sleep 0.1
    done
    networks_left "$networks_before" | sed 's/^/network /' >>"$out"
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
