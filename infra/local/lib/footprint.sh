# shellcheck shell=bash
# The regions of geo/footprint.yaml as this machine has them: their names, where each one is here, how far they are from each other, and the
# same file with these addresses for geo-DNS.
#
# Here a region has the network of the file when no route of this machine leads there, else all networks are moved by the same number of
# 16-bit networks: so several footprints run beside each other. It is reached at its network's first address; on plain loopback at the
# loopback address that ends alike.
#
# A footprint of several regions has a copy of the file in its state folder, which is the one to be edited while it runs (infra/local/region).

footprint_file=$root/geo/footprint.yaml
footprint_copy=$state/footprint.yaml
declare -A footprint=() # "zone", "REGION KEY", "REGION REGION": milliseconds there and back
declare -A network_of=() # "10.20": the first half of the region's addresses here
outside_network=         # of this machine itself, where regions are namespaces
all_regions=()

# The file as lines "KEY<tab>VALUE"; only what `geo check` has found good is read.
footprint_lines() {
    awk '
        function value(line) { sub(/^[^:]*: */, "", line); sub(/ +#.*/, "", line); gsub(/"/, "", line); return line }
        /^[a-z_]+:/ { part = $1 }
        part == "dns:" && $1 == "zone:" { print "zone\t" value($0) }
        part == "regions:" && $1 == "-" && $2 == "name:" { name = $3; print "region\t" name; next }
        part == "regions:" && /^    [a-z_0-9]+:/ { key = $1; sub(/:/, "", key); print name " " key "\t" value($0) }
        part == "latency_ms:" && /^  / && !/^ *#/ { key = $0; sub(/^ */, "", key); sub(/:.*/, "", key); gsub(/"/, "", key); print key "\t" value($0) }
    ' "$footprint_file"
}

footprint_read() {
    local key value
    all_regions=()
    while IFS=$'\t' read -r key value; do
        if [ "$key" = region ]; then all_regions+=("$value"); else footprint[$key]=$value; fi
    done < <(footprint_lines)
    [ ${#all_regions[@]} -gt 0 ] || fail "no regions in $footprint_file"
}

# Names as given by --regions, told when wrong, in the order of the file.
footprint_choose() { # "A,B,..."
    local name wanted=",$1,"
    regions=()
    for name in "${all_regions[@]}"; do
        [[ $wanted != *",$name,"* ]] || regions+=("$name")
    done
    for name in ${1//,/ }; do
        [[ " ${all_regions[*]} " == *" $name "* ]] || fail "--regions: no region \"$name\" in geo/footprint.yaml (there are ${all_regions[*]})"
    done
    [ ${#regions[@]} -gt 0 ] || fail "--regions needs names: ${all_regions[*]}"
}

round_trip_ms() { printf '%s' "${footprint["$1 $2"]:-${footprint["$2 $1"]:-0}}"; } # REGION REGION

# 0 when a route of this machine leads into one of these /16 networks ("10.20" each).
networks_taken() {
    ip -4 -o route show table all | awk -v ours="$*" '
        function number(text, part) { split(text, part, "."); return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4] }
        BEGIN { count = split(ours, net, " ") }
        { for (i = 1; i <= 2; i++) if ($i ~ /^[0-9.]+(\/[0-9]+)?$/) {
            split($i, prefix, "/")
            size = 2 ^ (32 - (prefix[2] == "" ? 32 : prefix[2])); at = number(prefix[1])
            for (n = 1; n <= count; n++) { from = number(net[n] ".0.0"); if (at < from + 65536 && from < at + size) found = 1 }
        } }
        END { exit !found }'
}

network_move() { # REGION BY
    local net=${footprint["$1 network_ipv4"]%.0.0/16}
    network_of[$1]=${net%.*}.$(((${net#*.} + $2) % 256))
}

networks_choose() { # namespaces | loopback
    local by name nets
    for by in {0..9}; do
        nets=()
        outside_network=10.$((254 - by))
        for name in "${regions[@]}"; do
            network_move "$name" "$by"
            nets+=("${network_of[$name]}")
        done
        [ "$1" = namespaces ] || return 0
        networks_taken "${nets[@]}" "$outside_network" || return 0
    done
    fail "this machine has routes into the networks of geo/footprint.yaml and into all that were tried instead (last: ${nets[*]/%/.0.0\/16})"
}

# That of a region more: moved as far as the others were.
network_choose() { # namespaces | loopback, REGION
    network_move "$2" $((254 - ${outside_network#10.}))
    [ "$1" = loopback ] || ! networks_taken "${network_of[$2]}" || fail "this machine has a route into the network of $2 (${network_of[$2]}.0.0/16)"
}

# region_address REGION: where players, other regions and this machine reach it.
region_address() { [ "$way" = namespaces ] && printf '%s.0.1' "${network_of[$1]}" || printf '127.%s.0.1' "${network_of[$1]#*.}"; }

# The footprint as it is here: chosen regions, addresses of this machine, shares that sum to 100 again.
footprint_write() {
    local name other total=0 left=100 share buddy key
    for name in "${regions[@]}"; do total=$((total + footprint["$name share_percent"])); done
    printf 'name: local\ndns:\n  zone: %s\n  ttl_seconds: 10\nregions:\n' "${footprint[zone]}"
    for name in "${regions[@]}"; do
        share=$((total > 0 ? footprint["$name share_percent"] * 100 / total : 0))
        [ "$name" != "${regions[-1]}" ] || share=$left
        left=$((left - share))
        buddy=${footprint["$name buddy"]}
        if [[ " ${regions[*]} " != *" $buddy "* ]]; then buddy=${regions[0]}; fi
        [ "$buddy" != "$name" ] || [ ${#regions[@]} = 1 ] || buddy=${regions[1]}
        printf '  - name: %s\n' "$name"
        for key in latitude longitude cloud_region capacity_players; do printf '    %s: %s\n' $key "${footprint["$name $key"]}"; done
        printf '    share_percent: %s\n    buddy: %s\n    network_ipv4: %s.0.0/16\n    addresses: [%s]\n' \
            $share "$buddy" "${network_of[$name]}" "$(region_address "$name")"
    done
    printf 'latency_ms:%s\n' "$([ ${#regions[@]} -gt 1 ] || printf ' {}')"
    for name in "${regions[@]}"; do
        for other in "${regions[@]}"; do
            if [[ $name < $other ]]; then printf '  %s %s: %s\n' "$name" "$other" "$(round_trip_ms "$name" "$other")"; fi
        done
    done
}

# The other regions, nearest first, this one before them.
regions_from() { # REGION
    local other
    printf '%s\n' "$1"
    for other in "${regions[@]}"; do
        [ "$other" = "$1" ] || printf '%s %s\n' "$(round_trip_ms "$1" "$other")" "$other"
    done | sort -n | sed 's/.* //'
}
