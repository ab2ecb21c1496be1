# shellcheck shell=bash
# endpoints.json, its live form for `status --json`, and the table for people.

scheme() { [ "$tls" = 0 ] && printf 'http' || printf 'https'; }
ws_scheme() { [ "$tls" = 0 ] && printf 'ws' || printf 'wss'; }

router_role() { # ID -> leader | standby
    curl -s --noproxy '*' --max-time 1 "http://127.0.0.1:$(port_router_admin "$1")/metrics" | grep -q '^meridian_router_leader 1' && echo leader || echo standby
}

pid_or() { # ID ELSE
    local pid
    pid=$(process_pid "$1")
    printf '%s' "${pid:-$2}"
}

# The document; the words that change while it runs (role, pid) are as they are now. With 1 it adds "ready" to every process.
endpoints_json() { # WITH_READY
    local with_ready=$1 id separator port
    printf '{\n  "page": "%s://127.0.0.1:%s/",\n  "regions": [\n    {\n      "name": "%s",\n' "$(scheme)" "$(port_play)" "$region"
    printf '      "play": {"url": "%s://127.0.0.1:%s", "ws": "%s://127.0.0.1:%s/v1/ws"},\n      "edges": [' \
        "$(scheme)" "$(port_play)" "$(ws_scheme)" "$(port_play)"
    separator=
    for id in $(edge_ids); do
        port=$(port_edge "$id")
        printf '%s\n        {"id": "%s", "url": "%s://127.0.0.1:%s", "ws": "%s://127.0.0.1:%s/v1/ws", "admin": "http://127.0.0.1:%s", "pid": %s%s}' \
            "$separator" "$id" "$(scheme)" "$port" "$(ws_scheme)" "$port" "$(port_edge_admin "$id")" "$(pid_or "$id" null)" "$(ready_member "$id" "$with_ready")"
        separator=,
    done
    printf '\n      ],\n      "routers": ['
    separator=
    for id in $(router_ids); do
        printf '%s\n        {"id": "%s", "admin": "http://127.0.0.1:%s", "role": "%s", "pid": %s%s}' \
            "$separator" "$id" "$(port_router_admin "$id")" "$(router_role "$id")" "$(pid_or "$id" null)" "$(ready_member "$id" "$with_ready")"
        separator=,
    done
    printf '\n      ],\n      "redis": [%s]\n    }\n  ],\n  "dns": null\n}\n' "$(redis_nodes | sed 's/.*/"&"/' | paste -sd, | sed 's/,/, /g')"
}

ready_member() { # ID WANTED
    [ "$2" = 1 ] || return 0
    process_ready "$1" && printf ', "ready": true' || printf ', "ready": false'
}

endpoints_write() {
    endpoints_json 0 >"$state/endpoints.json.new"
    mv "$state/endpoints.json.new" "$state/endpoints.json"
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

# "3 primaries, 6 replicas", and what is dead or not ok.
redis_state() {
    "$root/infra/local/redis-cluster" status "$state/redis" 2>/dev/null | awk '
        { what = $4 == "dead" ? "dead" : $3 == "master" ? "primaries" : "replicas"; n[what]++; bad += $4 != "ok" && $4 != "dead" }
        END { printf "%d primaries, %d replicas", n["primaries"], n["replicas"]; if (n["dead"]) printf ", %d dead", n["dead"]; if (bad) printf ", not ok" }'
}

footprint_table() {
    local id row='  %-14s %-8s %-26s %-26s %s\n'
    printf '\n  page           %s://127.0.0.1:%s/\n\n' "$(scheme)" "$(port_play)"
    # shellcheck disable=SC2059
    {
        printf "$row" process pid address admin state
        for id in $(edge_ids); do
            printf "$row" "$id" "$(pid_or "$id" -)" "$(scheme)://127.0.0.1:$(port_edge "$id")" "http://127.0.0.1:$(port_edge_admin "$id")" "$(process_state "$id")"
        done
        for id in $(router_ids); do
            printf "$row" "$id" "$(pid_or "$id" -)" "127.0.0.1:$(port_router_link "$id")" "http://127.0.0.1:$(port_router_admin "$id")" \
                "$(process_state "$id"), $(router_role "$id")"
        done
    }
    # shellcheck disable=SC2059
    printf "$row" redis - "127.0.0.1:$(port_redis)-$(($(port_redis) + $(redis_node_count) - 1))" - "$(redis_state)"
}
