# shellcheck shell=bash
# Servers for the tests: whole footprints by infra/local/up, each in a folder and on ports of its own beside whatever else runs here.
declare -A footprint_base=()
used_bases=() # also those that were ended
next_base=12350 # below the range that the kernel gives to outgoing connections, also with 10000 added for Redis' bus

# A base whose ports are free; the 900 ports behind the footprint's 300 are for tests that start servers of their own.
free_base() {
    local used
    used=$(ss -H -tan | awk '$1 ~ /^(LISTEN|ESTAB|SYN-SENT)$/ && $4 ~ /^(127\.0\.0\.1|0\.0\.0\.0|\*|\[::\]):/ { sub(/.*:/, "", $4); print $4 }')
    while awk -v base="$next_base" '($1 >= base && $1 < base + 1200) || ($1 >= base + 10250 && $1 < base + 11200) { found = 1 } END { exit !found }' <<<"$used"; do
        next_base=$((next_base + 1200))
    done
    base=$next_base
    next_base=$((next_base + 1200))
}

# footprint_use NAME OPTIONS-OF-UP...: starts it unless it runs; exports its addresses.
footprint_use() {
    local name=$1 base out=$log/up.$1.log
    shift
    if [ -z "${footprint_base[$name]:-}" ]; then
        free_base
        footprint_base[$name]=$base
        used_bases+=("$base")
        if ! MERIDIAN_LOCAL=$work/$name infra/local/up --detach --regions us-east --binaries "$build" --port "$base" "$@" >"$out" 2>&1; then
            line "servers ($name)" "did not start"
            sed 's/^/    /' "$out"
            return 1
        fi
        line "servers ($name)" "up"
    fi
    export MERIDIAN_STATE=$work/$name MERIDIAN_ENDPOINTS=$work/$name/endpoints.json MERIDIAN_SPARE_PORT=$((footprint_base[$name] + 300))
}

footprint_echo() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).regions[0].edges[0].ws.replace("/v1/ws", "/v1/echo")' "$MERIDIAN_ENDPOINTS"; }

# Ends one; that it did not end by itself, or that a sanitizer had something to say, is a failure.
footprint_end() { # NAME
    local name=$1 out=$log/down.$1.log
    [ -d "$work/$name" ] || return 0
    if ! MERIDIAN_LOCAL=$work/$name infra/local/down >"$out" 2>&1; then
        report footprint "servers ($name) end by themselves" 0 1 "$out"
    fi
    if grep -aE -A 30 'ERROR: (Address|Leak)Sanitizer|runtime error:|assertion failed|Assertion' "$work/$name"/log/*.log >"$out.trouble"; then
        report footprint "servers ($name) have nothing to complain" 0 1 "$out.trouble"
    fi
    mkdir -p "$log/servers/$name"
    cp -r "$work/$name/log/." "$log/servers/$name/"
    rm -rf "${work:?}/$name/log" "$work/$name/keys" "$work/$name/tls"
    rmdir "$work/$name" 2>/dev/null || true
    unset "footprint_base[$name]"
}

footprints_end() {
    local name
    for name in "${!footprint_base[@]}"; do footprint_end "$name"; done
}
