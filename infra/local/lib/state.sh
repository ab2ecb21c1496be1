# shellcheck shell=bash
# The state folder (build/local, or $MERIDIAN_LOCAL) and what is where in it:
#   keys/ tls/      made once, kept by down            run/   pids, options, unix sockets; gone after down
#   config/         one YAML file a process            log/   one file a process, of the last run
#   redis/          the cluster's (infra/local/redis-cluster)
#   observe/        Prometheus and Alertmanager (up --observe), gone after down
#   regions/ dns/   of several regions: each one's own state folder; geo-DNS
#   footprint.yaml  of several regions: which there are (infra/local/region), gone after down
#   endpoints.json  for whoever wants to connect (PROTOCOL.md, "The local footprint")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
state=${MERIDIAN_LOCAL:-$root/build/local}
[[ $state = /* ]] || state=$PWD/$state
export root state

# What up was asked for; the defaults stand here. Kept in run/options while the footprint runs.
region=us-east
address=127.0.0.1
base_port=7350
edge_count=2
router_count=2
replica_count=2
tls=0
observe=0
binaries=
edge_sets=()
router_sets=()
mesh_peers=() # "REGION HOST:PORT"
regions_at=() # "REGION URL", nearest first
region_places=() # "REGION LATITUDE LONGITUDE"
# Of several regions only:
regions=()
way= # namespaces | loopback
geo_database=

state_make() {
    { mkdir -p "$state" && chmod 700 "$state" && mkdir -p "$state"/{keys,tls,config,run,log}; } 2>/dev/null ||
        fail "no permission to make the state folder $state, or it is not ours (MERIDIAN_LOCAL=DIR chooses another)"
}
# Whoever may not look into it must not be told that nothing runs.
state_look() {
    [ ! -e "$state" ] || { [ -r "$state" ] && [ -x "$state" ]; } || fail "no permission to look into the state folder $state: ask as $(stat -c %U "$state")"
}

# One script at a time changes the footprint. The lock is on the folder itself, so no file is left; servers must not inherit it (9>&-).
state_lock() {
    state_look
    exec 9<"$state"
    flock -n 9 || fail "another infra/local script is at work on $state; wait for it to end"
}
state_unlock() { exec 9<&-; }

options_save() {
    declare -p region address base_port edge_count router_count replica_count tls binaries edge_sets router_sets mesh_peers regions_at region_places | sed 's/^declare /declare -g /' >"$state/run/options"
}
options_load() {
    # shellcheck disable=SC1091
    . "$state/run/options"
}

edge_ids() { seq -f "$region-%g" 1 "$edge_count"; }
router_ids() { seq -f "$region-r%g" 1 "$router_count"; }

# Every port follows from the base: shared player port B, edge i B+i and admin B+100+i, router i link B+199+i and admin B+209+i, Redis from B+251
# (a cluster node also listens 10000 higher). With other regions to talk to, router i also listens for theirs, on B+219+i.
port_play() { printf '%s' "$base_port"; }
port_edge() { printf '%s' $((base_port + ${1##*-})); }
port_edge_admin() { printf '%s' $((base_port + 100 + ${1##*-})); }
port_router_link() { printf '%s' $((base_port + 199 + ${1##*-r})); }
port_router_mesh() { printf '%s' $((base_port + 219 + ${1##*-r})); }
port_router_admin() { printf '%s' $((base_port + 209 + ${1##*-r})); }
port_redis() { printf '%s' $((base_port + 251)); }
redis_node_count() { printf '%s' $((3 * (1 + replica_count))); }
redis_nodes() { seq -f "$address:%g" "$(port_redis)" $(($(port_redis) + $(redis_node_count) - 1)); }
port_admin() { case $1 in *-r[1-9]) port_router_admin "$1" ;; *) port_edge_admin "$1" ;; esac; }

# Admin ports are for loopback addresses only: that of 10.20.0.1 is 127.20.0.1.
admin_address() { printf '127.%s' "${address#*.}"; }

admin_ports() {
    local id
    for id in $(edge_ids) $(router_ids); do port_admin "$id" && echo; done
}

ports_all() {
    local id
    port_play && echo
    for id in $(edge_ids); do port_edge "$id" && echo && port_edge_admin "$id" && echo; done
    for id in $(router_ids); do port_router_link "$id" && echo && port_router_admin "$id" && echo; done
    [ ${#mesh_peers[@]} = 0 ] || for id in $(router_ids); do port_router_mesh "$id" && echo; done
    local first
    first=$(port_redis)
    seq "$first" $((first + $(redis_node_count) - 1))
    seq $((first + 10000)) $((first + 10000 + $(redis_node_count) - 1))
}

# Fails with one line when a port we need is taken: by a listener, or by an outgoing connection of our address, which stops a bind as well.
ports_check() { # [PORT...], default: all of a region
    local port holder
    while read -r port holder; do
        fail "port $port is taken${holder:+ by $holder}; end that, or choose others with --port BASE"
    done < <(ss -H -tanp | awk -v wanted=" $(if [ $# -gt 0 ]; then echo "$*"; else ports_all | tr '\n' ' '; fi) " -v ours=" $address $(admin_address) 0.0.0.0 * [::] " '
        $1 ~ /^(LISTEN|ESTAB|SYN-SENT)$/ {
            port = host = $4; sub(/.*:/, "", port); sub(/:[^:]*$/, "", host)
            if (index(ours, " " host " ") && index(wanted, " " port " ")) { who = $6; gsub(/users:\(\("|"|\)\)$|,fd=[0-9]+/, "", who); sub(/,pid=/, " pid ", who); print port, who }
        }' | sort -n | head -n 1)
}
