# shellcheck shell=bash
# The words of these pages that are no programs, for a footprint that infra/local/up started (MERIDIAN_LOCAL: its state folder). What they
# are on real hosts says README.md, "Words".
#
#   region NAME            what follows is about that region: meridianctl asks its routers (and the geo agent), redis-cli its Redis
#                          (REDIS_HOST, REDIS_PASSWORD_FILE); GEO: an agent's admin port; CERTIFICATES: where those of links between regions
#                          are made, KEYS: those of tokens; PLAY: where players reach the region
#   FOOTPRINT              the footprint's file: which regions there are
#   unit ID VERB           systemctl VERB for the edge or router of that name, or meridian-geo: start stop kill reload
#   setting ID KEY         what its configuration says of KEY
#   setting_add ID KEY TEXT, setting_drop ID KEY WORD   one more in the list KEY of its configuration; none that begin with WORD
#   metrics ID             its metrics
#   rising ID METRIC       which of its counters of that name grow within 5 s
#   mean ID TIMES LIMIT    the mean of what a histogram of it counts in 5 s, in milliseconds, and whether that is above the limit
#   leader                 the router of the region that leads
#   newcomers N [KEYS]     N new players a second connect for a second, with tokens signed by that private file (else the region's): how it went
#   storm N SECONDS        N a second come from everywhere, for so long, to the port that all edges share; flood: all from one address. They go
#                          on beside what follows
#   crowd N SECONDS        N players play whole games in the region for so long, beside what follows; alone: how it went, when they are done
#   meet A B               somebody in region A and somebody in B look for each other and play their game to the end: how it went
#   region_hosts NAME      servers of a region more, configured like the others; region_hosts_end NAME: and none of it any more
#   name_server geo apply  on each name server, with the footprint as it is now
#   asked COMMAND          the same as COMMAND, and what became of the questions that a name server was asked all the while
#   redis_node PORT VERB   the same for a Redis of the region, or for `all`: start kill remove
#   redis_hosts N          N more Redis nodes, empty and known to nobody: their ports
#   redis_ask COMMAND      of the first Redis of the region that answers
#   redis_each COMMAND     of every Redis of the region, one after another
#   redis_at PORT COMMAND  of that one
#   redis_ports            ports of every Redis of the region
#   redis_primaries        ports of the region's primaries that carry something
#   redis_disks_die        every Redis of the region ends, and its files are gone
#   redis_cluster_anew     makes an empty cluster of the region's hosts: three primaries, the rest their replicas
#   region_dies, region_comes_back
#   line A B VERB          the line between two regions: cut heal
#   names NETWORK          where geo-DNS sends a client of that network: the region's name
MERIDIAN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export MERIDIAN_LOCAL=${MERIDIAN_LOCAL:-$MERIDIAN_ROOT/build/local}

tools_fail() { printf '%s\n' "$1" >&2 && return 1; }
tools_state() { # REGION
    [ -d "$MERIDIAN_LOCAL/regions/$1" ] || tools_fail "there is no region $1 in $MERIDIAN_LOCAL: infra/local/up starts the footprint" || return
    printf '%s' "$MERIDIAN_LOCAL/regions/$1"
}
tools_pid() { # FILE
    local pid=''
    read -r pid _ 2>/dev/null <"$1" || true
    if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then printf '%s' "$pid"; fi
}
tools_up() { "$MERIDIAN_ROOT/infra/local/up" --detach >/dev/null; }
# What has ended of one region is started, or of the world around regions: the others need not be looked at.
tools_up_again() { # STATE FOLDER
    local enter=() name
    if [ "$1" != "$MERIDIAN_LOCAL" ]; then
        name=$(REGION=${1##*/} tools_namespace)
        [ -z "$name" ] || enter=(ip netns exec "$name")
    fi
    MERIDIAN_LOCAL=$1 "${enter[@]}" "$MERIDIAN_ROOT/infra/local/up" --detach >/dev/null
}
FOOTPRINT=$MERIDIAN_LOCAL/footprint.yaml

region() {
    REGION=$1
    REGION_STATE=$(tools_state "$1") || return
    MERIDIANCTL_ROUTERS=$(find "$REGION_STATE/run" -name '*.ctl' | sort | sed 's/^/unix:/' | paste -sd,)
    REDIS_PASSWORD_FILE=$REGION_STATE/redis/password
    REDISCLI_AUTH=$(<"$REDIS_PASSWORD_FILE")
    REDIS_HOST=$(<"$REGION_STATE/redis/address")
    MERIDIANCTL_AGENTS=unix:$MERIDIAN_LOCAL/run/geo.ctl
    GEO=$(sed -n 's/.*"dns".*"admin": "\([^"]*\)".*/\1/p' "$MERIDIAN_LOCAL/endpoints.json")
    CERTIFICATES=$REGION_STATE/tls/mesh
    KEYS=$REGION_STATE/keys
    PLAY=$(sed -n 's/.*"play": {"url": "\([^"]*\)".*/\1/p' "$REGION_STATE/endpoints.json")
    export REGION MERIDIANCTL_ROUTERS MERIDIANCTL_AGENTS REDISCLI_AUTH REDIS_HOST REDIS_PASSWORD_FILE GEO CERTIFICATES KEYS PLAY
}

unit() {
    local file pid
    file=$(find "$MERIDIAN_LOCAL/regions" "$MERIDIAN_LOCAL/run" -path "*/run/$1.pid")
    [ -n "$file" ] || tools_fail "no server is called $1" || return
    pid=$(tools_pid "$file")
    case $2 in
    start) # as systemd does: nothing where it runs, and after its end where it is on its way there
        while [ -n "$(tools_pid "$file")" ]; do
            if curl -sf --noproxy '*' --max-time 1 "http://$(setting "$1" admin_listen)/readyz" >/dev/null; then return; fi
            sleep 0.1
        done
        tools_up_again "${file%/run/*}"
        return
        ;;
    reload) kill -HUP "$pid" ;;
    kill) kill -KILL "$pid" ;;
    stop) kill -TERM "$pid" ;;
    *) tools_fail "unit: start, stop, kill or reload, not $2" || return ;;
    esac
    [ "$2" = reload ] || while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

tools_config() { find "$MERIDIAN_LOCAL/regions" "$MERIDIAN_LOCAL/config" -path "*/config/$1.yaml"; }
setting() { sed -n "s/^$2: //p" "$(tools_config "$1")" | sed 's/^"\(.*\)"$/\1/'; }
setting_add() {
    local file fresh
    file=$(tools_config "$1")
    fresh=$(awk -v key="$2:" -v item="  - \"$3\"" '
        open && !/^  - / { print item; open = 0 }
        { print }
        $0 == key { open = found = 1 }
        END { if (!found) print key; if (open || !found) print item }' "$file")
    printf '%s\n' "$fresh" >"$file"
}
setting_drop() { sed -i "/^$2:\$/,/^[^ ]/{\|^  - \"$3[ =\"]|d}" "$(tools_config "$1")"; }

metrics() { curl -sS --noproxy '*' --max-time 5 "http://$(setting "$1" admin_listen)/metrics"; }
tools_twice() { metrics "$1" | grep "^$2" || true; echo "then"; sleep 5; metrics "$1" | grep "^$2" || true; }
rising() {
    tools_twice "$1" "$2" | awk '
        $0 == "then" { later = 1; next }
        { value = $NF; sub(/ [^ ]*$/, "") }
        !later { before[$0] = value }
        later && value > before[$0] { print $0, "+" value - before[$0]; any = 1 }
        END { if (!any) print "nothing rises" }'
}
mean() {
    tools_twice "$1" "$2" | awk -v limit="$3" '
        $0 == "then" { later = 1; sum = -sum; count = -count }
        /_sum[ {]/ { sum += $NF }
        /_count[ {]/ { count += $NF }
        END {
            if (!count) { print "nothing was counted"; exit }
            printf "%.1f ms, %s %s\n", 1000 * sum / count, (1000 * sum / count > limit) ? "ABOVE" : "below", limit
        }'
}
leader() { meridianctl routers 2>/dev/null | awk '$3 == "leads" { sub(/\..*/, "", $1); print $1 }'; }

newcomers() { tools_connect "$1" 1 200 "${2:-$KEYS/private.jwks}"; }
storm() { tools_connect "$1" "$2" "$1" "$KEYS/private.jwks" --shared --players "$1" >/dev/null 2>&1 & }
flood() { tools_connect "$1" "$2" 1 "$KEYS/private.jwks" >/dev/null 2>&1 & }
tools_connect() { # RATE SECONDS ADDRESSES KEYS [OPTION...]
    ip netns exec "$(tools_namespace)" meridian-load --mode connect --endpoints "$REGION_STATE/endpoints.json" --keys "$4" \
        --rate "$1" --seconds "$2" --sources "$3" --ramp 0 --warmup 0 --quiet "${@:5}" 2>&1 |
        sed -n 's/^connections: \([0-9]*\) .*), \([0-9]*\) failed.*/\1 connected, \2 failed/p'
}

tools_told() { # COUNT ITS-NAME FILE
    awk -v count="$1" -v name="$2" '
        /"fine"/ { fine = $2 == "true," ? "well" : "NOT WELL" }
        /"[a-z_]+": [0-9]/ { gsub(/[",:]/, ""); if (!($1 in got)) got[$1] = $2 }
        END { if (NR) printf "all went %s: %d %s, %d moves\n", fine, got[count], name, got["moves_ok"] }' "$3" 2>/dev/null
}
crowd() { # [PLAYERS SECONDS]
    local json=$REGION_STATE/run/crowd.json
    if [ $# = 0 ]; then
        tools_told games_ended games "$json"
        return
    fi
    rm -f "$json"
    ip netns exec "$(tools_namespace)" meridian-load --endpoints "$REGION_STATE/endpoints.json" --keys "$KEYS/private.jwks" \
        --redis-password "$REDIS_PASSWORD_FILE" --players "$1" --seconds "$2" --think 300 --ramp 1 --warmup 1 --quiet --json "$json" >/dev/null 2>&1 &
}
meet() { # REGION REGION
    local dir source name
    dir=$(mktemp -d)
    source=$(ip -4 route get "$(setting "$1-1" public_url | sed 's|.*//||; s|:.*||')" | sed -n 's/.* src \([0-9.]*\).*/\1/p')
    printf '{"regions": [{"edges": [%s]}]}\n' "$(for name in "$1" "$2"; do
        printf '%s{"id": "%s", "ws": "ws%s/v1/ws", "admin": "http://%s"}' "$([ "$name" = "$1" ] || printf ', ')" "$name-1" \
            "$(setting "$name-1" public_url | sed 's/^http//')" "$(setting "$name-1" admin_listen)"
    done)" >"$dir/endpoints.json"
    meridian-load --endpoints "$dir/endpoints.json" --keys "$MERIDIAN_LOCAL/keys/private.jwks" --players 2 --seconds 18 --think 300 \
        --cross 100 --ramp 0 --warmup 0 --sources 1 --sources-from "$source" --quiet --json "$dir/meet.json" >/dev/null 2>&1 || true
    tools_told matches_cross "games across" "$dir/meet.json"
    rm -r "$dir"
}

redis_ports() { find "$REGION_STATE/redis" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -n; }
redis_node() {
    local ports=$1 port
    [ "$1" != all ] || ports=$(redis_ports)
    if [ "$2" = start ]; then
        ip netns exec "$(tools_namespace)" "$MERIDIAN_ROOT/infra/local/redis-cluster" revive "$REGION_STATE/redis"
        return
    fi
    if [ "$2" = remove ]; then
        "$MERIDIAN_ROOT/infra/local/redis-cluster" remove "$REGION_STATE/redis" "$1"
        return
    fi
    [ "$2" = kill ] || tools_fail "redis_node: start, kill or remove, not $2" || return
    for port in $ports; do kill -KILL "$(tools_pid "$REGION_STATE/redis/$port/redis.pid")" || return; done
}
redis_disks_die() {
    local port
    redis_node all kill
    for port in $(redis_ports); do rm -rf "$REGION_STATE/redis/$port"/*; done
    rm "$REGION_STATE/redis/nodes"
}
redis_cluster_anew() {
    local ports
    mapfile -t ports < <(redis_ports)
    MERIDIAN_REDIS_ADDRESS=$REDIS_HOST ip netns exec "$(tools_namespace)" \
        "$MERIDIAN_ROOT/infra/local/redis-cluster" start "$REGION_STATE/redis" "${ports[0]}" 3 $((${#ports[@]} / 3 - 1))
}
redis_hosts() { ip netns exec "$(tools_namespace)" "$MERIDIAN_ROOT/infra/local/redis-cluster" add "$REGION_STATE/redis" "$1"; }
redis_ask() {
    local port
    for port in $(redis_ports); do
        redis-cli -h "$REDIS_HOST" -p "$port" "$@" 2>/dev/null | tr -d '\r' && return
    done
    tools_fail "no Redis of $REGION answers"
}
redis_at() { redis-cli -h "$REDIS_HOST" -p "$1" "${@:2}" 2>/dev/null | tr -d '\r'; }
redis_each() {
    local port
    for port in $(redis_ports); do redis_at "$port" "$@"; done
}
redis_primaries() { redis_ask cluster nodes | awk '$3 ~ /master/ && $3 !~ /fail/ && NF > 8 { split($2, at, /[:@]/); print at[2] }' | sort -n; }

region_dies() { ip netns pids "$(tools_namespace)" | xargs -r kill -KILL; }
region_comes_back() { redis_node all start && tools_up; }
tools_namespace() { sed -n "/\"name\": \"$REGION\"/,/namespace/s/.*\"namespace\": \"\([^\"]*\)\".*/\1/p" "$MERIDIAN_LOCAL/endpoints.json"; }

region_hosts() { "$MERIDIAN_ROOT/infra/local/region" add "$1"; }
region_hosts_end() { "$MERIDIAN_ROOT/infra/local/region" remove "$1"; }

name_server() {
    [ "$*" = "geo apply" ] || tools_fail "name_server: geo apply, not $*" || return
    "$MERIDIAN_ROOT/infra/local/region" dns
}
asked() {
    local told asking
    told=$(mktemp)
    while :; do dig +short +time=1 +tries=1 @127.0.0.1 -p "$(tools_dns_port)" play.test +subnet=84.128.0.0/24; done >"$told" &
    asking=$!
    sleep 0.2
    "$@"
    sleep 1
    kill "$asking"
    wait "$asking" 2>/dev/null || true
    awk '/^[0-9]/ { good++; next } { bad++ } END { printf "%d questions answered, %d not\n", good, bad }' "$told"
    rm "$told"
}

line() { meridian-wan tell "$MERIDIAN_LOCAL/run/wan.sock" "$3" both "$1" "$2" >/dev/null; }

names() {
    local address
    address=$(dig +short +time=1 +tries=3 @127.0.0.1 -p "$(tools_dns_port)" "${2:-play.test}" +subnet="$1" | head -n 1)
    sed -n "/\"name\"/{s/.*\"name\": \"\([^\"]*\)\".*/\1/;h};/\"address\": \"$address\"/{x;p;q}" "$MERIDIAN_LOCAL/endpoints.json"
}
tools_dns_port() { sed -n 's/.*"dns".*"[0-9.]*:\([0-9]*\)".*/\1/p' "$MERIDIAN_LOCAL/endpoints.json"; }
