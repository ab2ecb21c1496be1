# shellcheck shell=bash
# What lies between regions: a network namespace each, joined by tests/wan, and the way from this machine into them. Without the right to
# make namespaces: plain loopback, where regions are as near as neighbours.
#
#   this machine ── device mer<mark> ─┐                   ┌─ device wan ── namespace mer-<mark>-us-east: lo, its edges, routers, Redis
#     (node "outside", no delay)      └── meridian-wan ───┤
#   127.20.0.1:admin ports ── meridian-wan forward ──────>└─ device wan ── namespace mer-<mark>-eu: ...

# Of this state folder, so that footprints do not meet.
world_mark() { printf '%s' "$state" | cksum | awk '{ printf "%08x", $1 }'; }
world_namespace() { [ "$way" = namespaces ] && printf 'mer-%s-%s' "$(world_mark)" "$1"; }
world_device() { printf 'mer%s' "$(world_mark)"; }
wan() { "$binaries/tests/wan/meridian-wan" "$@"; }
wan_control() { printf '%s' "$state/run/wan.sock"; }
wan_whole() { printf '%s' "$state/run/wan.whole"; } # is there once it has its addresses and distances

# Says why namespaces cannot be had; silent when they can.
world_cannot() {
    if [ "${MERIDIAN_NAMESPACES:-}" = 0 ]; then
        echo "MERIDIAN_NAMESPACES=0"
    elif [ "$(id -u)" != 0 ]; then
        echo "namespaces need root"
    elif [ ! -w /dev/net/tun ]; then
        echo "there is no /dev/net/tun"
    elif ! unshare --net true 2>/dev/null; then
        echo "the kernel permits no network namespaces"
    fi
}

# into_region REGION: in $enter, what stands before a program that is to run there, with what the region's scripts must know.
into_region() {
    enter=(env "MERIDIAN_LOCAL=$state/regions/$1")
    [ "$way" != namespaces ] || enter+=(nsenter "--net=/run/netns/$(world_namespace "$1")")
}
in_region() { # REGION PROGRAM...
    local enter
    into_region "$1"
    shift
    "${enter[@]}" "$@"
}

world_namespace_make() { # REGION
    local name
    name=$(world_namespace "$1")
    [ ! -e "/run/netns/$name" ] || return 0
    ip netns add "$name" || return 1
    ip -n "$name" link set lo up
    # As on every host of a region: who waits in a dead edge's queue goes to another one's, and no outgoing connection takes a server's port.
    nsenter "--net=/run/netns/$name" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_migrate_req; echo "$1" >/proc/sys/net/ipv4/ip_local_reserved_ports' sh \
        "$base_port-$((base_port + 285)),$((base_port + 10251))-$((base_port + 10262))"
}

# started_and_ready NAME COMMAND...: a program that says "ready" when it is.
started_and_ready() {
    local name=$1 tries
    : >"$state/log/$name.log"
    process_start "$@"
    for ((tries = 0; tries < 600; tries++)); do
        if grep -qx ready "$state/log/$name.log"; then return 0; fi
        [ -n "$(process_pid "$name")" ] || break
        sleep 0.05
    done
    process_failed "$name" "did not start"
}

world_node() { printf '%s,%s.0.0/16,%s,wan' "$1" "${network_of[$1]}" "$(world_namespace "$1")"; } # REGION

# A region's device gets its address, and this machine the way there.
world_address() { # REGION
    local namespace
    namespace=$(world_namespace "$1")
    ip -n "$namespace" address add "$(region_address "$1")/32" dev wan
    ip -n "$namespace" link set wan up
    ip -n "$namespace" route add default dev wan src "$(region_address "$1")"
    ip route add "${network_of[$1]}.0.0/16" dev "$(world_device)" src "$outside_network.0.1"
}

world_addresses() {
    local name
    ip address add "$outside_network.0.1/32" dev "$(world_device)"
    ip link set "$(world_device)" up
    for name in "${regions[@]}"; do world_address "$name" || return 1; done
}

# Half of a round trip each way.
world_distances() {
    local name other
    for name in "${regions[@]}"; do
        for other in "${regions[@]}"; do
            if [[ $name < $other ]]; then
                wan tell "$(wan_control)" set both "$name" "$other" delay_ms "$(awk "BEGIN { print $(round_trip_ms "$name" "$other") / 2 }")" || return 1
            fi
        done
    done
}

world_wan_start() {
    local name nodes=()
    for name in "${regions[@]}"; do nodes+=("$(world_node "$name")"); done
    nodes+=("outside,$outside_network.0.0/16,,$(world_device)")
    rm -f "$(wan_control)" "$(wan_whole)"
    # A distance does not grow because this machine has much to do.
    started_and_ready wan nice -n -10 "$binaries/tests/wan/meridian-wan" run "$(wan_control)" "${MERIDIAN_SEED:-1}" "${nodes[@]}"
    world_addresses >>"$state/log/wan.log" 2>&1 || process_failed wan "has devices that cannot be given addresses"
    world_distances || fail "the emulated wide area does not take its distances"
    : >"$(wan_whole)"
}

# The way from here to the admin ports of a region.
world_forward() { # REGION
    local ports=() port
    [ -z "$(process_pid "forward-$1")" ] || return 0
    while read -r port; do ports+=("$(world_namespace "$1"),127.${network_of[$1]#*.}.0.1:$port"); done < <(region=$1 admin_ports)
    started_and_ready "forward-$1" "$binaries/tests/wan/meridian-wan" forward "${ports[@]}"
}

# Everything of it that does not run yet.
world_start() {
    [ "$way" = namespaces ] || return 0
    local name
    for name in "${regions[@]}"; do world_namespace_make "$name" || fail "no network namespace could be made for $name"; done
    [ -e "$(wan_whole)" ] || process_stop 5 wan # of an up that was killed meanwhile
    [ -n "$(process_pid wan)" ] || world_wan_start
    for name in "${regions[@]}"; do world_forward "$name"; done
}

# A region more in the wide area that runs, and one less.
world_grow() { # REGION
    [ "$way" = namespaces ] || return 0
    world_namespace_make "$1" || fail "no network namespace could be made for $1"
    wan tell "$(wan_control)" add "$(world_node "$1")" && world_address "$1" >>"$state/log/wan.log" 2>&1 && world_distances ||
        fail "the emulated wide area does not take $1; its log: $state/log/wan.log"
}
world_shrink() { # REGION
    [ "$way" = namespaces ] || return 0
    process_stop 5 "forward-$1"
    ip route del "${network_of[$1]}.0.0/16" dev "$(world_device)" 2>/dev/null || true
    wan tell "$(wan_control)" drop "$1" 2>/dev/null || true
    world_namespace_end "$1"
}

# Devices go with their process, routes with their devices; what still runs in a namespace is ours and ends with it.
world_namespace_end() { # REGION
    local name pid
    name=$(world_namespace "$1") || return 0
    [ -e "/run/netns/$name" ] || return 0
    for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns del "$name"
}
world_end() {
    local name
    process_stop 5 wan "${regions[@]/#/forward-}"
    for name in "${regions[@]}"; do world_namespace_end "$name"; done
}
