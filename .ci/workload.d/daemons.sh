# The listener and the connector: start, calls of the API, and what must hold of them at the end. Sourced by .ci/workload.
# shellcheck shell=bash
# $work and $bin are .ci/workload's.
# shellcheck disable=SC2154

readonly DEVICE=device-1
readonly SERVICE_PORT=11443
readonly API=http://127.0.0.1:8080
# Longer than drain_timeout_seconds (30).
readonly DRAIN_SECONDS=40
declare -A daemons=() exits=() # process and exit code, by name

start_daemons() {
    make_certificates
    start_daemon sw_listener "$LISTENER_NS" SWL_ADDRS="$LISTENER_ADDRESS" SWL_PORT="$SERVICE_PORT" \
        SWL_CERT_PATH="$work/pki/server.crt" SWL_KEY_PATH="$work/pki/server.key" SWL_CA_PATH="$work/pki/ca.crt" \
        SWL_STATE_DIR="$work/state"
    start_daemon sw_connector "$CONNECTOR_NS" SWC_SERVER_NAME="$LISTENER_ADDRESS" SWC_SERVICE_PORT="$SERVICE_PORT" \
        SWC_CLIENT_CERT_PATH="$work/pki/client-$DEVICE.crt" SWC_CLIENT_KEY_PATH="$work/pki/client-$DEVICE.key" \
        SWC_CA_CERT_PATH="$work/pki/ca.crt" SWC_ALLOWED_TARGETS="127.0.0.1:$WEB_PORT,127.0.0.1:$SSH_PORT,127.0.0.1:$POSTGRES_PORT"
    check "the connector reaches the listener" wait_for 30 is_connected
}

make_certificates() {
    mkdir -m 700 state
    {
        "$bin/sw_listener" pki init
        "$bin/sw_listener" pki server "$LISTENER_ADDRESS"
        "$bin/sw_listener" pki client "$DEVICE"
    } >pki.log 2>&1 || die "sw_listener pki has failed: $(tail -n 1 pki.log)"
}

# Starts a daemon: its name, its namespace, its settings. `ip` and `env` become the daemon, so the process is its own.
start_daemon() {
    ip netns exec "$2" env -i PATH="$PATH" "${@:3}" "$bin/$1" </dev/null >"$1.log" 2>&1 &
    daemons[$1]=$!
}

api() { at_listener 30 curl -sS --fail-with-body "$@"; }

is_connected() { api "$API/connectors" 2>/dev/null | grep -q "\"uid\":\"$DEVICE\""; }

# Opens a port, with the same number as the target's.
open_port() {
    api "$API/open" -H 'Content-Type: application/json' --data \
        "{\"uid\":\"$DEVICE\",\"port\":$1,\"bind_address\":\"127.0.0.1\",\"connect_address\":\"127.0.0.1\",\"connect_port\":$1}"
}

daemons_run() {
    local name
    for name in "${!daemons[@]}"; do
        kill -0 "${daemons[$name]}" 2>/dev/null || { echo "$name does not run any more" && return 1; }
    done
}

final_checks() {
    check "no connection is left in /list" wait_for 30 nothing_is_open
    check "both daemons run; memory" tell_memory
    stop_daemons
    daemons=()
    check "SIGTERM ends the listener with exit code 0" test "${exits[sw_listener]}" = 0
    check "SIGTERM ends the connector with exit code 0" test "${exits[sw_connector]}" = 0
    check "no ERROR and no panic in their logs" logs_are_clean
}

nothing_is_open() {
    local list
    list=$(api "$API/list")
    echo "$list"
    grep -q '"connections":0' <<<"$list" && ! grep -q '"connections":[1-9]' <<<"$list"
}

tell_memory() {
    local name text=""
    for name in sw_listener sw_connector; do
        text+="$name $(memory "$name" VmRSS) (at most $(memory "$name" VmHWM)), "
    done
    result "${text%, }"
}

# Memory of a daemon in MiB; field as in proc(5), which tells KiB.
memory() {
    local kib
    kib=$(sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/${daemons[$1]}/status")
    printf '%s MiB' "$((kib / 1024))"
}

logs_are_clean() {
    ! grep -HE '^[^ ]+ +ERROR |panicked at' sw_listener.log sw_connector.log
}

# Sends SIGTERM to both, and notes their exit codes. One that does not end is killed (exit code 137).
stop_daemons() {
    local name deadline=$((SECONDS + DRAIN_SECONDS))
    kill -TERM "${daemons[@]}" 2>/dev/null || true
    while [ "$SECONDS" -lt "$deadline" ] && kill -0 "${daemons[@]}" 2>/dev/null; do sleep 0.1; done
    kill -KILL "${daemons[@]}" 2>/dev/null || true
    for name in "${!daemons[@]}"; do
        exits[$name]=0
        wait "${daemons[$name]}" 2>/dev/null || exits[$name]=$?
    done
}

show_logs() {
    local name
    for name in sw_listener sw_connector; do
        echo "the last lines of $name:"
        tail -n 20 "$work/$name.log" | sed 's/^/    | /'
    done
}
