# shellcheck shell=bash
# Geo-DNS of the local footprint: a gdnsd on this machine, planned by `geo`, and a meridian-geo that takes regions out of its answers. Who is
# where comes from infra/local/networks, with the orders of regions that `geo` gives their places; --geo-database brings a real one instead.

port_dns() { printf '%s' $((base_port + 281)); }
port_geo() { printf '%s' $((base_port + 282)); }
dns_dir() { printf '%s' "$state/dns"; }

dns_geo() { # COMMAND FOLDER OPTION...
    local command=$1 dir=$2 database=() probe=http
    shift 2
    [ -z "$geo_database" ] || database=(--database "$geo_database")
    [ "$tls" = 0 ] || probe=tcp
    "$binaries/geo/geo" "$command" --dir "$(dns_dir)/$dir" --footprint "$(dns_dir)/footprint.yaml" --measured "$(dns_dir)/measured.yaml" \
        --listen "127.0.0.1:$(port_dns)" --probe "$probe:$(port_play)" --run-dir "$(dns_dir)/run" --state-dir "$(dns_dir)/state" \
        "${database[@]}" "$@"
}

# Networks in the order that geo gives to their place: read back out of the orders.json of a plan without them.
dns_networks() {
    local prefix place order
    printf 'places: {}\nnetworks:\n'
    while read -r prefix place _; do
        [[ -n $prefix && $prefix != "#"* ]] || continue
        order=$(grep -o "\"$place\": *\[[^]]*\]" "$(dns_dir)/orders/orders.json" | sed 's/.*\[//; s/\]//; s/"//g')
        [ -n "$order" ] || fail "infra/local/networks: geo knows no place \"$place\""
        printf '  %s: [%s]\n' "\"$prefix\"" "$order"
    done <"$root/infra/local/networks"
}

# What geo reads, for the regions that are in $regions.
dns_input() {
    mkdir -p "$(dns_dir)"/{run,state}
    footprint_write >"$(dns_dir)/footprint.yaml"
    printf 'places: {}\nnetworks: {}\n' >"$(dns_dir)/measured.yaml"
    [ -z "$geo_database" ] || return 0
    dns_geo plan orders >>"$state/log/geo.log" 2>&1 || return 1
    dns_networks >"$(dns_dir)/measured.yaml.new" || return 1
    mv "$(dns_dir)/measured.yaml.new" "$(dns_dir)/measured.yaml"
}

dns_plan() {
    : >"$state/log/geo.log"
    dns_input && dns_geo apply gdnsd >>"$state/log/geo.log" 2>&1
}

dns_agent_config() {
    local name id routers=()
    for name in "${regions[@]}"; do
        for id in $(region=$name router_ids); do routers+=("$name=$(region_address "$name"):$(port_router_link "$id")"); done
    done
    printf 'footprint: "%s"\nid: geo-1\nstate_file: "%s"\njournal: "%s"\n' "$(dns_dir)/footprint.yaml" "$(dns_dir)/state/admin_state" "$(dns_dir)/journal"
    printf 'admin_listen: "127.0.0.1:%s"\ncontrol_listen: "unix:%s"\nprobe_port: %s\n' "$(port_geo)" "$state/run/geo.ctl" "$(port_play)"
    [ "$tls" = 0 ] || printf 'probe_tls_ca: "%s"\nprobe_name: localhost\n' "$state/tls/ca.crt"
    yaml_list routers "${routers[@]}"
}

# gdnsd answers nothing before it has looked at every address once, so this comes after the regions.
dns_start() {
    local tries
    if [ -z "$(dns_pid)" ]; then
        dns_plan || { tail -n 5 "$state/log/geo.log" >&2; fail "geo-DNS could not be planned; its log: $state/log/geo.log"; }
        process_start gdnsd "$(dns_program gdnsd)" -c "$(dns_dir)/gdnsd" start
        for ((tries = 0; tries < 600; tries++)); do
            ! dns_control status >/dev/null 2>&1 || break
            [ -n "$(process_pid gdnsd)" ] || process_failed gdnsd "ended while starting"
            sleep 0.05
        done
    fi
    if [ -z "$(process_pid meridian-geo)" ]; then
        [ -s "$state/config/meridian-geo.yaml" ] || dns_agent_config >"$state/config/meridian-geo.yaml"
        process_start meridian-geo "$binaries/geo/meridian-geo" --config "$state/config/meridian-geo.yaml"
        for ((tries = 0; tries < 600; tries++)); do
            [ "$(http_status "http://127.0.0.1:$(port_geo)/readyz")" != 200 ] || return 0
            [ -n "$(process_pid meridian-geo)" ] || break
            sleep 0.05
        done
        process_failed meridian-geo "was not ready in time"
    fi
}

dns_program() { command -v "$1" || printf '/usr/sbin/%s' "$1"; }
dns_control() { "$(dns_program gdnsdctl)" -c "$(dns_dir)/gdnsd" "$@"; }
# A new configuration replaces the process, so the pid is asked for.
dns_pid() { [ ! -d "$(dns_dir)" ] || dns_control status 2>&1 | sed -n 's/.* PID \([0-9]*\).*/\1/p'; }

dns_end() {
    [ -d "$(dns_dir)" ] || return 0
    process_stop 5 meridian-geo
    dns_control stop >/dev/null 2>&1 || true
    process_stop 5 gdnsd
    rm -rf "$(dns_dir)"
}
