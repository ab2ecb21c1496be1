# shellcheck shell=bash
# One YAML file a process. Only what differs from the servers' defaults stands here; `meridian-edge --print-config-help` tells the rest.

yaml_list() { # KEY ITEM...
    printf '%s:\n' "$1"
    shift
    printf '  - "%s"\n' "$@"
}

config_redis() {
    # shellcheck disable=SC2046
    yaml_list redis_nodes $(redis_nodes)
    local durability=(primary one all all)
    printf 'redis_password_file: "%s"\nredis_durability: %s\nredis_replicas: %s\n' "$state/redis/password" "${durability[replica_count]}" "$replica_count"
}

config_routers() {
    local id links=()
    for id in $(router_ids); do links+=("$address:$(port_router_link "$id")"); done
    yaml_list routers "${links[@]}"
}

edge_config() { # ID
    local id scheme=http
    [ "$tls" = 0 ] || scheme=https
    printf 'region: %s\nid: %s\n' "$region" "$1"
    yaml_list player_listen "$address:$(port_play)" "$address:$(port_edge "$1")"
    printf 'public_url: "%s://%s:%s"\n' $scheme "$address" "$(port_edge "$1")"
    printf 'admin_listen: "%s:%s"\nbus_listen: "unix:%s"\n' "$(admin_address)" "$(port_edge_admin "$1")" "$state/run/$1.sock"
    config_routers
    config_redis
    printf 'token_keys: "%s"\ntoken_issuer: meridian-local\ntoken_audience: meridian\n' "$state/keys/public.jwks"
    printf 'guest_keys: "%s"\nguest_allowed: true\nnative_clients_allowed: true\necho_enabled: true\n' "$state/keys/guest.jwks"
    if [ "$tls" = 1 ]; then
        printf 'tls_certificate: "%s"\ntls_key: "%s"\ntls_tickets: "%s"\n' "$state/tls/server.crt" "$state/tls/server.key" "$state/tls/tickets"
    fi
    # The page of one edge may talk to another edge of this machine (the list's limit is 64 items).
    local port origins=()
    for port in $(port_play) $(for id in $(edge_ids | head -n 23); do port_edge "$id"; echo; done); do
        origins+=("$scheme://$address:$port" "$scheme://localhost:$port")
    done
    # And that of another region, where players of that region go when it is lost.
    for id in "${regions_at[@]}"; do
        [[ $id = "$region "* ]] || origins+=("${id#* }")
    done
    yaml_list origins "${origins[@]}"
    [ ${#regions_at[@]} = 0 ] || yaml_list regions "${regions_at[@]}"
    # All players of this machine come from one address, and the machine has more to do than to serve them: builds, tests and browsers
    # make an edge wait for a processor, which is no reason to send its players away.
    printf 'overload_late_ms: 250\n'
    printf 'handshakes_per_second: 200\nhandshakes_burst: 500\nconnections_per_address: 4000\n'
}

router_config() { # ID
    printf 'region: %s\nid: %s\n' "$region" "$1"
    printf 'link_listen: "%s:%s"\nadmin_listen: "%s:%s"\n' "$address" "$(port_router_link "$1")" "$(admin_address)" "$(port_router_admin "$1")"
    printf 'control_listen: "unix:%s"\n' "$state/run/$1.ctl"
    if [ ${#mesh_peers[@]} -gt 0 ]; then
        printf 'mesh_listen: "%s:%s"\n' "$address" "$(port_router_mesh "$1")"
        yaml_list mesh_peers "${mesh_peers[@]}"
        printf 'mesh_tls_ca: "%s"\n' "$state/tls/mesh/ca.crt"
        printf 'mesh_tls_cert: "%s"\nmesh_tls_key: "%s"\n' "$state/tls/mesh/router-$region".{crt,key}
    fi
    [ ${#region_places[@]} = 0 ] || yaml_list region_places "${region_places[@]}"
    config_redis
}

configs_write() {
    local id
    for id in $(edge_ids); do edge_config "$id" >"$state/config/$id.yaml"; done
    for id in $(router_ids); do router_config "$id" >"$state/config/$id.yaml"; done
}
