# shellcheck shell=bash
# Prometheus, Alertmanager and the Redis exporter beside a local footprint (up --observe), from Debian's packages, on loopback only. They read
# infra/observability as it is, but for a shorter interval; what they watch is in observe/targets.

observe_dir() { printf '%s' "$state/observe"; }
port_prometheus() { printf '%s' $((base_port + 283)); }
port_alertmanager() { printf '%s' $((base_port + 284)); }
port_exporter() { printf '%s' $((base_port + 285)); }
observe_ports() { [ "$observe" = 0 ] || { port_prometheus && echo && port_alertmanager && echo && port_exporter && echo; }; }
observe_processes() { [ ! -d "$(observe_dir)" ] || echo redis-exporter alertmanager prometheus; }

observe_target() { # REGION ADDRESS [LABEL]
    printf '  - {targets: ["%s"], labels: {region: %s, host: local%s}}\n' "$2" "$1" "${3:+, $3}"
}

# Of one region, with its variables set: appended to the files of targets, and Redis' passwords.
observe_region() {
    local dir id node
    dir=$(observe_dir)/targets
    for id in $(edge_ids); do observe_target "$region" "$(admin_address):$(port_edge_admin "$id")"; done >>"$dir/edge.yaml"
    for id in $(router_ids); do observe_target "$region" "$(admin_address):$(port_router_admin "$id")"; done >>"$dir/router.yaml"
    for node in $(redis_nodes); do
        observe_target "$region" "$node" "exporter: \"127.0.0.1:$(port_exporter)\"" >>"$dir/redis.yaml"
        printf '%s\n"redis://%s": "%s"' "$observe_separator" "$node" "$(<"$1/redis/password")" >>"$(observe_dir)/passwords"
        observe_separator=,
    done
}

observe_write() {
    local dir name
    dir=$(observe_dir)
    mkdir -p "$dir/targets"
    cp -r "$root/infra/observability/rules" "$root/infra/observability/alertmanager.yml" "$dir/"
    sed 's/_interval: 15s/_interval: 3s/' "$root/infra/observability/prometheus.yml" >"$dir/prometheus.yml"
    rm -f "$dir"/targets/*
    (umask 077 && printf '{' >"$dir/passwords")
    observe_separator=
    printf -- '- {targets: ["127.0.0.1:%s"]}\n' "$(port_alertmanager)" >"$dir/targets/alertmanager.yaml"
    if world_is_there; then
        for name in "${regions[@]}"; do
            region=$name address=$(region_address "$name") observe_region "$state/regions/$name"
        done
        observe_target global "127.0.0.1:$(port_geo)" >"$dir/targets/geo.yaml"
    else
        observe_region "$state"
    fi
    printf '\n}\n' >>"$dir/passwords"
}

observe_answers() { # NAME PORT PATH
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [ "$(http_status "http://127.0.0.1:$2$3")" != 200 ] || return 0
        [ -n "$(process_pid "$1")" ] || break
        sleep 0.05
    done
    process_failed "$1" "was not ready in time"
}

# observe_run NAME COMMAND...: unless it runs.
observe_run() {
    [ -z "$(process_pid "$1")" ] || return 0
    started+=("$1")
    process_start "$@"
}

observe_start() {
    step "Prometheus and Alertmanager"
    "$here/install" observe || fail "--observe needs what infra/local/packages lists for observe"
    observe_write
    observe_run redis-exporter prometheus-redis-exporter --web.listen-address "127.0.0.1:$(port_exporter)" --redis.addr "" \
        --redis.password-file "$(observe_dir)/passwords"
    observe_run alertmanager prometheus-alertmanager --config.file "$(observe_dir)/alertmanager.yml" --storage.path "$(observe_dir)/alerts" \
        --web.listen-address "127.0.0.1:$(port_alertmanager)" --cluster.listen-address ""
    observe_run prometheus prometheus --config.file "$(observe_dir)/prometheus.yml" --storage.tsdb.path "$(observe_dir)/data" \
        --storage.tsdb.retention.time 2d --rules.alert.resend-delay 5s --web.listen-address "127.0.0.1:$(port_prometheus)"
    observe_answers alertmanager "$(port_alertmanager)" /-/ready
    observe_answers prometheus "$(port_prometheus)" /-/ready
    step_done ready
}

observe_end() {
    [ -d "$(observe_dir)" ] || return 0
    # shellcheck disable=SC2046
    process_stop 10 $(observe_processes)
    rm -rf "$(observe_dir)"
}

observe_ready() {
    local name
    for name in $(observe_processes); do [ -n "$(process_pid "$name")" ] || return 1; done
}

observe_table() {
    [ -d "$(observe_dir)" ] || return 0
    printf '\n  prometheus     http://127.0.0.1:%s/alerts (pid %s)\n  alertmanager   http://127.0.0.1:%s/ (pid %s)\n' \
        "$(port_prometheus)" "$(pid_or prometheus -)" "$(port_alertmanager)" "$(pid_or alertmanager -)"
}
