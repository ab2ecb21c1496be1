# shellcheck shell=bash
# endpoints.json, its live form for `status --json`, and the table for people.

scheme() { [ "$tls" = 0 ] && printf 'http' || printf 'https'; }
play_url() { printf '%s://%s:%s' "$(scheme)" "$address" "$1"; } # PORT
ws_url() { [ "$tls" = 0 ] && printf 'ws://%s:%s/v1/ws' "$address" "$1" || printf 'wss://%s:%s/v1/ws' "$address" "$1"; } # PORT
admin_url() { printf 'http://%s:%s' "$(admin_address)" "$(port_admin "$1")"; } # ID

# What it says itself; nothing when it does not answer. Read as a whole before it is looked at: a pipe into `grep -q` fails, under pipefail,
# whenever grep has seen enough before curl has written all.
router_role() { # ID -> leader | standby | nothing
    local metrics
    metrics=$(curl -s --noproxy '*' --max-time 1 "http://$(admin_address):$(port_router_admin "$1")/metrics") || return 0
    if grep -q '^meridian_router_leader 1' <<<"$metrics"; then echo leader; else echo standby; fi
}

pid_or() { # ID ELSE
    local pid
    pid=$(process_pid "$1")
    printf '%s' "${pid:-$2}"
}

# The document; the words that change while it runs (role, pid) are as they are now. With 1 it adds "ready" to every process.
endpoints_json() { # WITH_READY
    local with_ready=$1 id separator port role
    printf '{\n  "page": "%s/",\n  "regions": [\n    {\n      "name": "%s",\n' "$(play_url "$(port_play)")" "$region"
    printf '      "play": {"url": "%s", "ws": "%s"},\n      "edges": [' "$(play_url "$(port_play)")" "$(ws_url "$(port_play)")"
    separator=
    for id in $(edge_ids); do
        port=$(port_edge "$id")
        printf '%s\n        {"id": "%s", "url": "%s", "ws": "%s", "admin": "%s", "pid": %s%s}' \
            "$separator" "$id" "$(play_url "$port")" "$(ws_url "$port")" "$(admin_url "$id")" "$(pid_or "$id" null)" "$(ready_member "$id" "$with_ready")"
        separator=,
    done
    printf '\n      ],\n      "routers": ['
    separator=
    for id in $(router_ids); do
        role=$(router_role "$id")
        printf '%s\n        {"id": "%s", "admin": "%s", "role": %s, "pid": %s%s}' \
            "$separator" "$id" "$(admin_url "$id")" "$([ -n "$role" ] && printf '"%s"' "$role" || echo null)" "$(pid_or "$id" null)" "$(ready_member "$id" "$with_ready")"
        separator=,
    done
    printf '\n      ],\n      "redis": [%s]\n    }\n  ],\n  "dns": null\n}\n' "$(redis_nodes | sed 's/.*/"&"/' | paste -sd, | sed 's/,/, /g')"
}

ready_member() { # ID WANTED
    [ "$2" = 1 ] || return 0
    process_ready "$1" && printf ', "ready": true' || printf ', "ready": false'
}

# A child writes: bash 5.2 cannot run a trap while it reads a $(...), and fails with a word about the trap's syntax; here we only wait.
endpoints_write() {
    (trap '' INT TERM && endpoints_json 0 >"$state/endpoints.json.new" && mv "$state/endpoints.json.new" "$state/endpoints.json") &
    wait $!
}

process_state() { # ID -> ready | not ready | ended
    if [ -z "$(process_pid "$1")" ]; then
        echo ended
    elif process_ready "$1"; then
        echo ready
    else
        echo "not ready"
    fi
}

# With its role, which who has ended or does not answer has not.
router_state() { # ID
    local role=
    [ -z "$(process_pid "$1")" ] || role=$(router_role "$1")
    printf '%s%s\n' "$(process_state "$1")" "${role:+, $role}"
}

# "3 primaries, 6 replicas", and what is dead or not ok.
redis_state() {
    "$root/infra/local/redis-cluster" status "$state/redis" 2>/dev/null | awk '
        { what = $4 == "dead" ? "dead" : $3 == "master" ? "primaries" : "replicas"; n[what]++; bad += $4 != "ok" && $4 != "dead" }
        END { printf "%d primaries, %d replicas", n["primaries"], n["replicas"]; if (n["dead"]) printf ", %d dead", n["dead"]; if (bad) printf ", not ok" }'
}

footprint_table() {
    local id row='  %-14s %-8s %-26s %-26s %s\n'
    printf '\n  page           %s/\n\n' "$(play_url "$(port_play)")"
    # shellcheck disable=SC2059
    {
        printf "$row" process pid address admin state
        for id in $(edge_ids); do
            printf "$row" "$id" "$(pid_or "$id" -)" "$(play_url "$(port_edge "$id")")" "$(admin_url "$id")" "$(process_state "$id")"
        done
        for id in $(router_ids); do
            printf "$row" "$id" "$(pid_or "$id" -)" "$address:$(port_router_link "$id")" "$(admin_url "$id")" \
                "$(router_state "$id")"
        done
    }
    # shellcheck disable=SC2059
    printf "$row" redis - "$address:$(port_redis)-$(($(port_redis) + $(redis_node_count) - 1))" - "$(redis_state)"
}
