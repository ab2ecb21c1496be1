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
    # As on every host of a region: who waits in a dead edge's queue goes to another one's.
    nsenter "--net=/run/netns/$name" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_migrate_req'
}

# started_and_ready NAME COMMAND...: a program that says "ready" when it is.
started_and_ready() {
    local name=$1 tries
    : >"$state/log/$name.log"
    process_start "$@"
    for ((tries = 0; tries < 100; tries++)); do
        if grep -qx ready "$state/log/$name.log"; then return 0; fi
        [ -n "$(process_pid "$name")" ] || break
        sleep 0.05
    done
    process_failed "$name" "did not start"
}

world_addresses() {
    local name namespace
    for name in "${regions[@]}"; do
        namespace=$(world_namespace "$name")
        ip -n "$namespace" address add "$(region_address "$name")/32" dev wan
        ip -n "$namespace" link set wan up
        ip -n "$namespace" route add default dev wan src "$(region_address "$name")"
    done
    ip address add "$outside_network.0.1/32" dev "$(world_device)"
    ip link set "$(world_device)" up
    for name in "${regions[@]}"; do
        ip route add "${network_of[$name]}.0.0/16" dev "$(world_device)" src "$outside_network.0.1"
    done
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

# Everything of it that does not run yet.
world_start() {
    [ "$way" = namespaces ] || return 0
    local name ports=() nodes=() port
    for name in "${regions[@]}"; do
        world_namespace_make "$name" || fail "no network namespace could be made for $name"
        nodes+=("$name,${network_of[$name]}.0.0/16,$(world_namespace "$name"),wan")
        while read -r port; do ports+=("$(world_namespace "$name"),127.${network_of[$name]#*.}.0.1:$port"); done < <(region=$name admin_ports)
    done
    nodes+=("outside,$outside_network.0.0/16,,$(world_device)")
    if [ -z "$(process_pid wan)" ]; then
        rm -f "$(wan_control)"
        # A distance does not grow because this machine has much to do.
        started_and_ready wan nice -n -10 "$binaries/tests/wan/meridian-wan" run "$(wan_control)" "${MERIDIAN_SEED:-1}" "${nodes[@]}"
        world_addresses >>"$state/log/wan.log" 2>&1 || process_failed wan "has devices that cannot be given addresses"
        world_distances || fail "the emulated wide area does not take its distances"
    fi
    [ -n "$(process_pid forward)" ] || started_and_ready forward "$binaries/tests/wan/meridian-wan" forward "${ports[@]}"
}

# Devices go with their process, routes with their devices; what still runs in a namespace is ours and ends with it.
world_end() {
    local name pid
    process_stop 5 forward wan
    for name in "${regions[@]}"; do
        name=$(world_namespace "$name") || return 0
        [ -e "/run/netns/$name" ] || continue
        for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2>/dev/null || true; done
        ip netns del "$name"
    done
}
