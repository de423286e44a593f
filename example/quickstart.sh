#!/usr/bin/env bash
# socket-warp in one go: builds it, makes certificates, starts a web server, a listener and a connector, opens a port, and
# fetches a page through the tunnel. Every step is shown as the command that you would type.
#
#   example/quickstart.sh           stays up until Ctrl-C, to try more in a browser or from another terminal
#   example/quickstart.sh --once    ends after the fetch; non-zero if anything failed
#
# It needs Rust, a C compiler, curl and bash, and no root. Everything listens on 127.0.0.1, on ports that the programs
# choose themselves. What it makes is in a temporary folder (the build aside), which goes at the end.

set -euo pipefail

readonly DEVICE=device-1
readonly PAGE_MARK="It works."
# How long a program may take until it is ready, in seconds: plenty, even on a machine busy with other things.
readonly READY_SECONDS=60
# How long a program may take to end after SIGTERM, in seconds, before it is killed.
readonly STOP_SECONDS=5

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
once=false
staying_up=false
folder=""
build_job=""        # process group of the build, while there is one
declare -A pids=()  # of the programs, by name
bold="" plain=""
[ ! -t 1 ] || [ -n "${NO_COLOR:-}" ] || { bold=$'\e[1m' plain=$'\e[0m'; }

# --- What is said ---

say() { printf '%s\n' "$*"; }

step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# Ends the script: what failed, then what to do about it.
fail() {
    printf '\nquickstart: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  %s\n' "${@:2}" >&2
    exit 1
}

# The same, after the last lines of a program's log.
fail_with_log() {
    printf '\nThe last lines of %s:\n' "$1" >&2
    tail -n 20 "$folder/$1.log" | sed 's/^/  | /' >&2
    fail "${@:2}"
}

# One word of a command, quoted if the shell would take it for something else.
typed() {
    case $1 in
    "" | *[!A-Za-z0-9_./:=@,+-]*) printf "'%s'" "${1//\'/\'\\\'\'}" ;;
    *) printf '%s' "$1" ;;
    esac
}

# Shows a command as one would type it; NAME=VALUE words in front have a line each.
show() {
    local word separator='  $ '
    while [[ $1 =~ ^[A-Z_]+= ]]; do
        printf '%s%s' "$separator" "$(typed "$1")"
        separator=$' \\\n    '
        shift
    done
    for word in "$@"; do
        printf '%s%s' "$separator" "$(typed "$word")"
        separator=' '
    done
    printf '\n'
}

# --- What is run ---

go_to() {
    show cd "$1"
    cd "$1"
}

run() {
    show "$@"
    "$@" </dev/null | sed 's/^/    /'
}

# Runs a command that takes long. Job control gives it a process group of its own, so that the end of this script can
# end all of it at once.
run_build() {
    local status=0
    show "$@"
    set -m
    "$@" </dev/null &
    build_job=$!
    set +m
    wait "$build_job" || status=$?
    build_job=""
    return "$status"
}

# Starts a program in the background: name, then the command. Its output goes to NAME.log in the folder.
start() {
    show "${@:2}"
    : >"$folder/$1.log"
    set -m
    env "${@:2}" </dev/null >"$folder/$1.log" 2>&1 &
    pids[$1]=$!
    set +m
}

# Waits until a program has logged something, and prints what the group in the pattern (of sed) has matched.
await_log() {
    local program=$1 pattern=$2 found deadline=$((SECONDS + READY_SECONDS))
    while [ "$SECONDS" -lt "$deadline" ]; do
        found=$(sed -n "s|.*$pattern.*|\\1|p" "$folder/$program.log" | head -n 1)
        if [ -n "$found" ]; then
            say "$found"
            return
        fi
        kill -0 "${pids[$program]}" 2>/dev/null ||
            fail_with_log "$program" "$program has ended instead of starting" "its last line says why"
        sleep 0.1
    done
    fail_with_log "$program" "$program was not ready within $READY_SECONDS s" "its log says what it waits for"
}

# Calls the API or fetches a page: shows the command, prints the answer.
fetch() {
    show curl -sS "$@" >&3
    curl -sS --max-time "$READY_SECONDS" "$@" </dev/null || fail_with_log listener "curl has failed" \
        "the log of the listener may say why; the one of the connector is $folder/connector.log"
}

# --- The steps ---

need() { command -v "$1" >/dev/null || fail "$1 is not installed" "$2"; }

check_machine() {
    need cargo "install Rust: https://rustup.rs"
    need rustc "install Rust: https://rustup.rs"
    need curl "install it, for example with: apt-get install curl"
    command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
        fail "there is no C compiler" "install one, for example with: apt-get install gcc libc6-dev"
}

build() {
    step "1. Build both programs (the first time this takes a few minutes), and a small web server to reach"
    go_to "$repository"
    run_build cargo build --release --locked ||
        fail "the build has failed" "cargo says why, above: Rust may be too old (rustup update), or the network away"
    run_build rustc --edition 2024 -O -o "$folder/hello_web" sw_connector/examples/hello_web.rs ||
        fail "the web server does not build" "rustc says why, above"
    programs=$(cargo metadata --format-version 1 --no-deps --locked |
        sed -n 's|.*"target_directory":"\([^"]*\)".*|\1/release|p')
    [ -x "$programs/sw_listener" ] ||
        fail "cargo has not put the programs into $programs" "try again without CARGO_BUILD_TARGET and build.target"
}

make_certificates() {
    step "2. Make a certificate authority, and certificates for the listener and the connector"
    go_to "$folder"
    run "$programs/sw_listener" pki init
    run "$programs/sw_listener" pki server 127.0.0.1
    run "$programs/sw_listener" pki client "$DEVICE"
}

start_target() {
    step "3. Start the web server: the target, which only the connector has to reach"
    start hello_web ./hello_web 127.0.0.1:0
    target=$(await_log hello_web 'serving http://\([0-9.:]*\)/')
    say "  it listens on $target"
}

start_listener() {
    step "4. Start the listener"
    start listener SWL_ADDRS=127.0.0.1 SWL_PORT=0 APIS_PORT=0 \
        SWL_CERT_PATH=pki/server.crt SWL_KEY_PATH=pki/server.key SWL_CA_PATH=pki/ca.crt \
        "$programs/sw_listener"
    service=$(await_log listener 'listening for connectors.* address=\([0-9.:]*\)')
    api=http://$(await_log listener 'API listens.* address=\([0-9.:]*\)')
    say "  it awaits connectors on $service (UDP), and its API is $api"
}

start_connector() {
    step "5. Start the connector: it dials the listener, and may dial the web server"
    start connector SWC_SERVER_NAME=127.0.0.1 SWC_SERVICE_PORT="${service##*:}" SWC_ALLOWED_TARGETS="$target" \
        SWC_CLIENT_CERT_PATH="pki/client-$DEVICE.crt" SWC_CLIENT_KEY_PATH="pki/client-$DEVICE.key" \
        SWC_CA_CERT_PATH=pki/ca.crt "$programs/sw_connector"
    await_log connector '\(session established\)' >/dev/null
    say "  it is connected"
}

open_port() {
    local answer
    step "6. Ask the listener for a port that comes out at the web server (port 0: any free one)"
    answer=$(fetch "$api/open" -H 'Content-Type: application/json' --data \
        "{\"uid\":\"$DEVICE\",\"port\":0,\"bind_address\":\"127.0.0.1\",\"connect_address\":\"${target%:*}\",\"connect_port\":${target##*:}}")
    say "$answer"
    port=$(sed -n 's|.*"port":\([0-9]*\).*|\1|p' <<<"$answer")
    [ -n "$port" ] || fail_with_log listener "the listener has not opened a port" "its answer, above, says why"
}

fetch_page() {
    local page
    step "7. Fetch the page through the tunnel"
    page=$(fetch "http://127.0.0.1:$port/")
    say "$page"
    grep -qF "$PAGE_MARK" <<<"$page" || fail_with_log connector "this is not the page of the web server" \
        "the log of the connector, above, may say why; the one of the listener is $folder/listener.log"
}

close_port() {
    local status=0
    step "8. Close the port: nobody gets in any more"
    fetch -X DELETE "$api/close?port=$port"
    say
    show curl -sS "http://127.0.0.1:$port/"
    curl -sS --max-time "$READY_SECONDS" "http://127.0.0.1:$port/" || status=$?
    # 7: curl could not connect.
    [ "$status" = 7 ] || fail_with_log listener "port $port has been closed, but does not refuse connections" \
        "please report this, with the log above"
    step "It works."
}

stay_up() {
    step "It is up until you press Ctrl-C"
    say "  in a browser         http://127.0.0.1:$port/"
    say "  the API              $api"
    say "  its logs             $folder/listener.log, connector.log"
    say "  in another terminal  curl $api/list"
    say "                       curl $api/connectors"
    say "                       curl -X DELETE '$api/close?port=$port'"
    staying_up=true
    wait -n "${pids[@]}" || true
    for program in "${!pids[@]}"; do
        kill -0 "${pids[$program]}" 2>/dev/null || fail_with_log "$program" "$program has ended" "its log says why"
    done
}

# --- The end ---

on_signal() {
    "$staying_up" || exit "$1"
    exit 0
}

signal_all() {
    local pid
    for pid in "${pids[@]}" $build_job; do kill "-$1" -- "-$pid" 2>/dev/null; done
}

any_alive() {
    local pid
    for pid in "${pids[@]}" $build_job; do kill -0 -- "-$pid" 2>/dev/null && return 0; done
    return 1
}

clean_up() {
    local deadline=$((SECONDS + STOP_SECONDS))
    set +e
    trap '' INT TERM HUP PIPE
    # Again and again: a program that is just being started may miss the first one.
    while any_alive && [ "$SECONDS" -lt "$deadline" ]; do
        signal_all TERM
        sleep 0.2
    done
    signal_all KILL
    wait 2>/dev/null
    [ -z "$folder" ] || rm -rf -- "$folder"
    "$staying_up" && say && say "All stopped; the certificates and logs are gone."
}

main() {
    case "${1:-}" in
    "") ;;
    --once) once=true ;;
    *) fail "unknown argument $1" "usage: example/quickstart.sh [--once]" ;;
    esac
    check_machine
    exec 3>&1 # where commands are shown while an answer is caught
    trap 'on_signal 130' INT
    trap 'on_signal 143' TERM
    trap 'on_signal 129' HUP
    trap clean_up EXIT
    # Settings of another installation, or a proxy, must not get in between.
    unset "${!SWL_@}" "${!SWC_@}" APIS_ADDRS APIS_PORT
    export no_proxy=127.0.0.1
    folder=$(mktemp -d "${TMPDIR:-/tmp}/socket-warp.XXXXXX")
    build
    make_certificates
    start_target
    start_listener
    start_connector
    open_port
    fetch_page
    if "$once"; then close_port; else stay_up; fi
}

main "$@"
