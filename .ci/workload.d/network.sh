# Two network namespaces, joined by one link: the listener and the clients in one, the connector and the targets in the
# other. Sourced by .ci/workload.
# shellcheck shell=bash

readonly LISTENER_NS=swl$$
readonly CONNECTOR_NS=swc$$
# Inside the namespaces only, so they are in nobody's way.
readonly LISTENER_ADDRESS=10.77.0.1
readonly CONNECTOR_ADDRESS=10.77.0.2
# How long programs may take to end after SIGTERM, in seconds, before they are killed.
readonly STOP_SECONDS=5

# Runs a command at the listener: a time limit in seconds, then the command.
at_listener() { timeout "$1" ip netns exec "$LISTENER_NS" "${@:2}"; }

# The same at the connector.
at_connector() { timeout "$1" ip netns exec "$CONNECTOR_NS" "${@:2}"; }

make_network() {
    local namespace
    for namespace in "$LISTENER_NS" "$CONNECTOR_NS"; do
        ip netns add "$namespace" || die "cannot make a network namespace" "in a container: docker run --privileged"
    done
    ip -n "$LISTENER_NS" link add uplink type veth peer name uplink netns "$CONNECTOR_NS"
    set_up_end "$LISTENER_NS" "$LISTENER_ADDRESS"
    set_up_end "$CONNECTOR_NS" "$CONNECTOR_ADDRESS"
}

set_up_end() {
    ip -n "$1" address add "$2/24" dev uplink
    ip -n "$1" link set lo up
    ip -n "$1" link set uplink up
    # The same everywhere, whatever the machine prefers.
    ip netns exec "$1" bash -c 'echo cubic >/proc/sys/net/ipv4/tcp_congestion_control' 2>/dev/null || true
}

# The processes in both namespaces.
inhabitants() {
    ip netns pids "$LISTENER_NS" 2>/dev/null
    ip netns pids "$CONNECTOR_NS" 2>/dev/null
}

# Ends all processes in the namespaces, then removes these; the link goes with them.
remove_network() {
    local deadline=$((SECONDS + STOP_SECONDS)) signal=TERM pids
    while mapfile -t pids < <(inhabitants) && [ "${#pids[@]}" -gt 0 ]; do
        [ "$SECONDS" -lt "$deadline" ] || signal=KILL
        kill "-$signal" "${pids[@]}" 2>/dev/null
        sleep 0.2
    done
    wait 2>/dev/null
    ip netns delete "$LISTENER_NS" 2>/dev/null
    ip netns delete "$CONNECTOR_NS" 2>/dev/null
}
