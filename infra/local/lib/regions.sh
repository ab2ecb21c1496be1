# shellcheck shell=bash
# Several regions on this machine: each one is a whole footprint of its own (infra/local/up --region) in regions/NAME, run where it lives
# (world.sh), with keys and certificates shared by all; around them the wide area and geo-DNS. Everything that was chosen is in run/world.

world_is_there() { [ -e "$state/run/world" ]; }
world_save() {
    [ -e "$footprint_copy" ] || cp "$footprint_file" "$footprint_copy"
    {
        declare -p regions way network_of outside_network geo_database footprint
        declare -p base_port edge_count router_count replica_count tls binaries edge_sets router_sets
    } | sed 's/^declare /declare -g /' >"$state/run/world"
}
world_load() {
    # shellcheck disable=SC1091
    . "$state/run/world"
}

# ---- one region ----

region_folder_make() { # REGION
    local dir=$state/regions/$1 shared
    mkdir -p "$dir" "$state/log/$1"
    for shared in keys tls; do ln -sfn "../../$shared" "$dir/$shared"; done
    ln -sfn "../../log/$1" "$dir/log"
}

# The words of `up` that make it this region among the others, one a line.
region_words() { # REGION
    local other id
    printf '%s\n' --region "$1" --address "$(region_address "$1")"
    for other in $(regions_from "$1"); do
        printf '%s\n' --region-at "$other $(scheme)://$(region_address "$other"):$(port_play)"
        printf '%s\n' --region-place "$other ${footprint["$other latitude"]} ${footprint["$other longitude"]}"
        [ "$other" != "$1" ] || continue
        for id in $(region=$other router_ids); do printf '%s\n' --mesh-peer "$other $(region_address "$other"):$(port_router_mesh "$id")"; done
    done
    for id in "${edge_sets[@]}"; do [ "$id" = --set ] || printf '%s\n' --edge-set "$id"; done
    for id in "${router_sets[@]}"; do [ "$id" = --set ] || printf '%s\n' --router-set "$id"; done
    [ "$tls" = 0 ] || echo --tls
}

# For a process of its own, which becomes the region's up: signals are for that. One that runs keeps what it was started with: when regions came
# or went since, the others' words are not its own any more.
region_up() { # REGION
    local words=() enter
    region_folder_make "$1"
    if [ ! -e "$state/regions/$1/run/options" ]; then
        mapfile -t words < <(region_words "$1")
        words+=(--binaries "$binaries" --port "$base_port" --edges "$edge_count" --routers "$router_count" --replicas "$replica_count")
    fi
    into_region "$1"
    exec "${enter[@]}" "$here/up" --detach "${words[@]}" >"$state/log/up-$1.log" 2>&1
}

region_down() { # REGION
    [ ! -d "$state/regions/$1" ] || MERIDIAN_LOCAL=$state/regions/$1 "$here/down" >"$state/log/down-$1.log" 2>&1 9>&-
}

# each_region FUNCTION: for all at once, each in a process of its own; the names of those it failed for are in $failed.
region_jobs=()
each_region() {
    local i
    failed=
    for i in "${regions[@]}"; do
        "$1" "$i" 9>&- &
        region_jobs+=($!)
    done
    for i in "${!regions[@]}"; do wait "${region_jobs[i]}" || failed+=" ${regions[i]}"; done
    region_jobs=()
}

# Those that are still at it, told to undo what they did; back when they have.
each_region_stop() {
    [ ${#region_jobs[@]} -gt 0 ] || return 0
    kill -TERM "${region_jobs[@]}" 2>/dev/null || true
    wait "${region_jobs[@]}" || true
    region_jobs=()
}

# ---- all of them ----

world_up() {
    local name
    step "namespaces and the wide area between them"
    if [ "$way" = namespaces ]; then
        world_start
        step_done
    else
        step_done "none: $(world_cannot)"
        say "Regions are on plain loopback: as near as neighbours, and nothing between them can be cut."
    fi
    step "regions: ${regions[*]}"
    each_region region_up
    for name in $failed; do
        printf '\n' >&2
        tail -n 3 "$state/log/up-$name.log" | sed "s/^/    $name: /" >&2
    done
    [ -z "$failed" ] || fail "not started:$failed; logs: $state/log/up-*.log"
    step_done ready
    step "geo-DNS"
    dns_start
    step_done ready
}

world_down() {
    process_stop 5 meridian-geo
    step "ending ${regions[*]}"
    each_region region_down
    [ -z "$failed" ] || { cat "$state"/log/down-*.log >&2; killed=1; }
    step_done
    step "ending geo-DNS and the wide area"
    dns_end
    world_end
    step_done
    rm -rf "$state/regions" "$state/run" "$state/config" "$state"/endpoints.json{,.new} "$footprint_copy"
    rm -f "$state"/log/down-*.log
}

world_processes() { if [ "$way" = namespaces ]; then printf '%s\n' wan "${regions[@]/#/forward-}"; fi && echo meridian-geo; }

# What every region says of itself, for region_said; 0 when everything is ready. It is kept in files without a name, so that nothing stays of
# whoever is interrupted.
declare -A said_at=()
world_ask() { # [--json]
    local name file at
    status_words=("$@")
    for name in "${regions[@]}"; do
        file=$(mktemp "$state/run/status.XXXXXX") || fail "no file can be made in $state/run"
        exec {at}<>"$file"
        rm -f "$file"
        said_at[$name]=$at
    done
    each_region region_status
    [ -z "$failed" ] || return 1
    for name in $(world_processes); do [ -n "$(process_pid "$name")" ] || return 1; done
    [ -n "$(dns_pid)" ]
}
region_said() { cat "/proc/$$/fd/${said_at[$1]}"; } # REGION
region_status() { in_region "$1" "$here/status" "${status_words[@]}" >&"${said_at[$1]}" 2>&1; }

# endpoints.json of everything: the regions' own, put together. With 1 as world_ask --json has heard them.
world_endpoints_json() { # WITH_READY
    local name namespace separator='' text
    printf '{\n  "page": "%s/",\n  "regions": [' "$(region_play_url "${regions[0]}")"
    for name in "${regions[@]}"; do
        if [ "$1" = 0 ]; then text=$(cat "$state/regions/$name/endpoints.json" 2>/dev/null) || true; else text=$(region_said "$name"); fi
        text=$(sed -n '/^    {$/,/^    }$/p' <<<"$text")
        [ -n "$text" ] || continue
        namespace=$(world_namespace "$name") && namespace="\"$namespace\""
        printf '%s\n%s' "$separator" "$(sed "s|^      \"name\": .*|&\n      \"address\": \"$(region_address "$name")\", \"namespace\": ${namespace:-null},|" <<<"$text")"
        separator=,
    done
    printf '\n  ],\n  "dns": {"server": "127.0.0.1:%s", "name": "%s", "admin": "http://127.0.0.1:%s"},\n' "$(port_dns)" "${footprint[zone]}" "$(port_geo)"
    printf '  "wan": %s\n}\n' "$([ "$way" = namespaces ] && printf '"%s"' "$(wan_control)" || echo null)"
}
region_play_url() { printf '%s://%s:%s' "$(scheme)" "$(region_address "$1")" "$(port_play)"; }

world_endpoints_write() {
    world_endpoints_json 0 >"$state/endpoints.json.new"
    mv "$state/endpoints.json.new" "$state/endpoints.json"
}

# As world_ask has heard.
world_table() {
    local name dns
    dns=$(dns_pid) || dns=
    for name in "${regions[@]}"; do
        printf '\n%s' "$name"
        [ "$way" != namespaces ] || printf ', namespace %s' "$(world_namespace "$name")"
        printf '\n'
        region_said "$name" | sed '/^$/d'
    done
    printf '\n  dns            dig @127.0.0.1 -p %s %s +subnet=84.128.0.0/24 (pid %s); meridian-geo (pid %s): http://127.0.0.1:%s/status\n' \
        "$(port_dns)" "${footprint[zone]}" "${dns:--}" "$(pid_or meridian-geo -)" "$(port_geo)"
    [ "$way" != namespaces ] || printf '  wide area      meridian-wan tell %s show (pid %s)\n' "$(wan_control)" "$(pid_or wan -)"
}

# Says what ends; comes back when everything is gone.
world_watch() {
    local name file
    local -A told=()
    while world_is_there; do
        for file in "$state"/run/*.pid "$state"/regions/*/run/*.pid; do
            [ -r "$file" ] && [ "${file##*/}" != gdnsd.pid ] || continue
            name=$(basename "$file" .pid)
            if [ -n "$(state=${file%/run/*} process_pid "$name")" ]; then
                told[$name]=
            elif [ -z "${told[$name]:-}" ]; then
                say "$name has ended; its log: ${file%/run/*}/log/$name.log (infra/local/up starts it again)"
                told[$name]=1
            fi
        done
        sleep 1
    done
}
