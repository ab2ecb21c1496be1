# shellcheck shell=bash
# The kinds of test: where each one's tests are found and how they run. Found by their place alone:
#   C programs       tests/unit, sim, fuzz through CMake, with the kind as ctest label
#   node programs    tests/KIND/**/*.test.mjs (node:test)
#   other programs   tests/KIND/SCENARIO/run, executable; it closes with "N passed, N failed" or its exit code counts as one test
# MERIDIAN_ENDPOINTS and MERIDIAN_STATE name the running servers; a test that starts more of them uses ports from MERIDIAN_SPARE_PORT on.

node_tests() { find "tests/$1" -name node_modules -prune -o -name '*.test.mjs' -print 2>/dev/null | sort; }
programs() { find "tests/$1" -mindepth 2 -maxdepth 2 -name run -type f -perm -u+x 2>/dev/null | sort; }
c_tests() { find "tests/$1" -name 'test_*.c' -print -o -name 'fuzz_*.c' -print 2>/dev/null | sort; }
has_ctests() { grep -qs "LABELS $1 " "tests/$1/CMakeLists.txt"; }

kind_exists() {
    case $1 in
    conformance) [ -e tests/conformance/run.mjs ] ;;
    *) has_ctests "$1" || [ -n "$(node_tests "$1")$(programs "$1")" ] ;;
    esac
}
kind_list() {
    title "$1"
    case $1 in
    conformance) echo "  tests/conformance/run.mjs (plain, TLS)" ;;
    *) { c_tests "$1"; node_tests "$1"; programs "$1"; } | wanted | sed 's/^/  /' ;;
    esac
}

# Keeps the files whose name or text contains the filter.
wanted() {
    local file
    while read -r file; do
        [[ -n $filter && $file != *"$filter"* ]] && ! grep -qF -- "$filter" "$file" || printf '%s\n' "$file"
    done
}

run_ctest() { # KIND
    local out=$log/$1.ctest
    has_ctests "$1" || return 0
    local names=()
    [ -z "$filter" ] || names=(-R "$(ctest_names "$1")")
    ctest --test-dir "$build" -L "^$1\$" "${names[@]}" -j 2 -V --no-tests=ignore --timeout 300 >"$out" 2>&1 || true
    local passed failed
    read -r passed failed < <(count_ctest "$out")
    [ $((passed + failed)) -gt 0 ] || return 0
    failures_ctest "$out" >"$out.failures"
    report "$1" "C programs" "$passed" "$failed" "$out.failures"
}

# Programs whose name contains the filter, or whose source's text does: unit/infra/platform/test_json.c is unit.infra.platform.json.
ctest_names() {
    printf '%s' "$(quoted "$filter")"
    c_tests "$1" | wanted | sed 's,.*/test_,,; s,.*/fuzz_,,; s,\.c$,,; s,.*,|[._]&$,' | tr -d '\n'
}
# shellcheck disable=SC2016
quoted() { sed 's/[][\.*^$(){}?+|/]/\\&/g' <<<"$1"; }

# The nearest package.json above a test says which npm packages it needs; those without one may use the browser tests'.
packages_of() {
    local dir=$1
    while [ "$dir" != tests ] && [ ! -e "$dir/package.json" ]; do dir=$(dirname "$dir"); done
    [ "$dir" != tests ] || dir=tests/browser
    printf '%s\n' "$dir"
}
declare -A packages_failed=() # not tried again in this run
packages_install() { # DIRECTORY
    local lock=$1/package-lock.json
    [ -z "${packages_failed[$1]:-}" ] || return 1
    [ "$lock" -nt "$1/node_modules/.package-lock.json" ] || return 0
    (cd "$1" && TMPDIR=/tmp npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log/npm.log" 2>&1 && touch "$1/node_modules/.package-lock.json" || {
        packages_failed[$1]=1
        tail -n 5 "$log/npm.log"
        return 1
    }
}

run_node() { # KIND
    local file out passed failed dir
    for file in $(node_tests "$1" | wanted); do
        out=$log/$(tr / . <<<"${file#tests/}").tap
        dir=$(packages_of "$(dirname "$file")")
        if ! packages_install "$dir"; then
            printf 'the npm packages of %s could not be installed\n' "$dir" >"$out"
        else
            local pattern=()
            [[ -z $filter || $file == *"$filter"* ]] || pattern=(--test-name-pattern "$(quoted "$filter")")
            # Every drill, one after another, takes a quarter of an hour.
            timeout -k 10 1800 node --test --test-reporter=tap "${pattern[@]}" "$file" >"$out" 2>&1 || true
        fi
        read -r passed failed < <(count_tap "$out")
        failures_tap "$out" >"$out.failures"
        report "$1" "${file#tests/}" "$passed" "$failed" "$out.failures"
    done
}

run_programs() { # KIND
    local file out code passed failed
    for file in $(programs "$1" | wanted); do
        out=$log/$(tr / . <<<"${file#tests/}").log
        code=0
        timeout -k 10 1800 "$file" >"$out" 2>&1 || code=$?
        read -r passed failed < <(count_words "$out" "$code")
        report "$1" "${file#tests/}" "$passed" "$failed" "$out"
    done
}

# Kinds that need running servers share one region of two edges.
run_with_region() { # KIND
    infra/local/install test || exit 1
    [ -n "$({ node_tests "$1"; programs "$1"; } | wanted)" ] || return 0
    footprint_use region --edges 2 || { count "$1" 0 1; return 0; }
    run_node "$1"
    run_programs "$1"
}

# Kinds that start servers of their own.
run_alone() { # KIND
    local base
    infra/local/install test || exit 1
    [ -n "$({ node_tests "$1"; programs "$1"; } | wanted)" ] || return 0
    free_base
    used_bases+=("$base")
    export MERIDIAN_SPARE_PORT=$((base + 300))
    unset MERIDIAN_ENDPOINTS MERIDIAN_STATE
    run_node "$1"
    run_programs "$1"
}

kind_unit() {
    [ -z "$(node_tests unit)" ] || infra/local/install test || exit 1
    run_ctest unit
    run_node unit
}
kind_sim() { run_ctest sim; }
kind_fuzz() { run_ctest fuzz; }
kind_integration() { run_with_region integration; }
kind_browser() { run_with_region browser; }
kind_chaos() { run_alone chaos; }
kind_drills() { run_alone drills; }
kind_terraform() { run_programs terraform; }

# The cases go beyond the product's message limit, so these edges have a higher one (and no replicas: nothing is played here).
kind_conformance() {
    local way out code passed failed
    infra/local/install test || exit 1
    [[ -z $filter || conformance == *"$filter"* ]] || return 0
    for way in plain tls; do
        local options=(--edges 1 --routers 1 --replicas 0 --edge-set max_message_bytes=1048576)
        options+=(--edge-set handshakes_per_second=100000 --edge-set handshakes_burst=100000)
        [ $way = plain ] || options+=(--tls)
        footprint_use "conformance-$way" "${options[@]}" || { count conformance 0 1; continue; }
        out=$log/conformance.$way.log
        code=0
        [ $way = plain ] || export NODE_EXTRA_CA_CERTS=$MERIDIAN_STATE/tls/ca.crt
        MERIDIAN_ECHO_URL=$(footprint_echo) timeout -k 10 900 node tests/conformance/run.mjs >"$out" 2>&1 || code=$?
        read -r passed failed < <(count_words "$out" "$code")
        report conformance "$way" "$passed" "$failed" "$out"
        footprint_end "conformance-$way"
        unset NODE_EXTRA_CA_CERTS
    done
}
