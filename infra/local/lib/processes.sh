# shellcheck shell=bash
# Our server processes: started, watched and ended by pid. A pid file holds the pid and the kernel's start time of the process, so that a
# number used again by somebody else is never taken for ours.

# Start time of a pid (field 22 of stat) in $birth; empty when it does not live or is only waiting to be reaped. Without $(...), in which bash
# may lose a signal.
birth_of() {
    local stat='' fields
    birth=
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    read -ra fields <<<"${stat##*) }"
    [ "${fields[0]}" = Z ] || birth=${fields[19]}
}

# The pid of a named process of ours if it lives, else nothing.
process_pid() {
    local pid written birth
    [ -r "$state/run/$1.pid" ] || return 0
    read -r pid written <"$state/run/$1.pid"
    [ -n "$written" ] || return 0
    birth_of "$pid"
    [ "$birth" != "$written" ] || printf '%s' "$pid"
}

# Whoever starts processes has this as his trap: on_signal EXIT-CODE. Between the birth of a process and its pid file it waits; what it would
# end there would live on, known to nobody.
starting=0
stopped=
on_signal() {
    stopped=$1
    [ "$starting" = 1 ] || exit "$1"
}

# process_start NAME COMMAND...: in the background, in a session of its own (a terminal's Ctrl-C is for up alone), output to log/NAME.log.
process_start() {
    local name=$1 pid birth
    shift
    export -n MERIDIAN_REGIONS # a word for `up`, and by its name a key of an edge's configuration, of another form
    starting=1
    setsid "$@" </dev/null >>"$state/log/$name.log" 2>&1 9>&- &
    pid=$!
    disown "$pid"
    birth_of "$pid"
    printf '%s %s\n' "$pid" "$birth" >"$state/run/$name.pid"
    starting=0
    [ -z "$stopped" ] || exit "$stopped"
}

process_names() { (cd "$state/run" 2>/dev/null && ls -- *.pid 2>/dev/null) | sed 's/\.pid$//'; }

# Fails with one clear line and the last words of the log.
process_failed() {
    local name=$1 what=$2
    printf '\n' >&2
    tail -n 8 "$state/log/$name.log" 2>/dev/null | cut -c1-400 | sed 's/^/    /' >&2
    say_open=0
    fail "$name $what; its log: $state/log/$name.log"
}

http_status() { curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 1 "$1" || true; }
process_ready() { [ "$(http_status "http://$(admin_address):$(port_admin "$1")/readyz")" = 200 ]; }

# process_wait_ready SECONDS NAME...: until each answers /readyz with 200; a process that ends or stays silent fails.
process_wait_ready() {
    local deadline=$((SECONDS + $1)) name
    shift
    for name in "$@"; do
        until process_ready "$name"; do
            [ -n "$(process_pid "$name")" ] || process_failed "$name" "ended while starting"
            [ "$SECONDS" -lt "$deadline" ] || process_failed "$name" "was not ready in time"
            sleep 0.1
        done
    done
}

# process_stop SECONDS NAME...: SIGTERM to all, then SIGKILL to those that still live at the deadline (told, and counted in $killed).
killed=0
process_stop() {
    local deadline=$((SECONDS + $1)) name pid
    shift
    for name in "$@"; do
        pid=$(process_pid "$name")
        [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
    done
    for name in "$@"; do
        while pid=$(process_pid "$name") && [ -n "$pid" ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.05; done
        if [ -n "$pid" ]; then
            kill -KILL "$pid" 2>/dev/null || true
            printf '%s (pid %s) did not end by itself and was killed\n' "$name" "$pid" >&2
            killed=$((killed + 1))
            while [ -n "$(process_pid "$name")" ]; do sleep 0.02; done
        fi
        rm -f "$state/run/$name.pid"
    done
}

# Ends Redis; its logs join the others, its data goes.
redis_end() {
    [ -d "$state/redis" ] || return 0
    "$root/infra/local/redis-cluster" stop "$state/redis" >/dev/null || return 1
    local node
    for node in "$state"/redis/*/; do
        [ ! -s "${node}redis.log" ] || cp "${node}redis.log" "$state/log/redis-$(basename "$node").log"
    done
    rm -rf "$state/redis"
}
