# OpenSSH behind the connector: a command, and files both ways. Sourced by .ci/workload.
# shellcheck shell=bash
# $work and $bin are .ci/workload's.
# shellcheck disable=SC2154

readonly SSH_PORT=2222
readonly SSH_FILE_BYTES=$((64 * 1024 * 1024))
readonly SSH_SECONDS=60
readonly SSH_OPTIONS=(-F none -i ssh/user_key -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=15
    -o StrictHostKeyChecking=yes -o UserKnownHostsFile=ssh/known_hosts -o GlobalKnownHostsFile=/dev/null)

ssh_checks() {
    check "sshd starts, port $SSH_PORT opens" start_sshd
    check "ssh: a command, its output and its exit code" ssh_command
    check "ssh: 64 MiB into the input of a command, SHA-256" ssh_input
    check "scp: 64 MiB there and back, SHA-256" scp_both_ways
}

start_sshd() {
    mkdir -m 700 -p ssh
    ssh-keygen -q -t ed25519 -N "" -f ssh/host_key
    ssh-keygen -q -t ed25519 -N "" -f ssh/user_key
    printf '[127.0.0.1]:%s %s\n' "$SSH_PORT" "$(<ssh/host_key.pub)" >ssh/known_hosts
    sshd_settings >ssh/sshd_config
    head -c "$SSH_FILE_BYTES" /dev/urandom >ssh/data
    # sshd wants a folder in /run: it gets a /run of its own, which goes with it.
    # shellcheck disable=SC2016
    at_connector 30 bash -c 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"' bash \
        "$(command -v sshd)" -f "$work/ssh/sshd_config" -E "$work/ssh/sshd.log"
    wait_for 15 test -s ssh/pid || { cat ssh/sshd.log && return 1; }
    open_port "$SSH_PORT"
}

sshd_settings() {
    cat <<END
ListenAddress 127.0.0.1:$SSH_PORT
HostKey $work/ssh/host_key
AuthorizedKeysFile $work/ssh/user_key.pub
PidFile $work/ssh/pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
END
}

tunnel_ssh() { at_listener "$SSH_SECONDS" ssh "${SSH_OPTIONS[@]}" -p "$SSH_PORT" root@127.0.0.1 "$@"; }

tunnel_scp() { at_listener "$SSH_SECONDS" scp -q "${SSH_OPTIONS[@]}" -P "$SSH_PORT" "$@"; }

ssh_command() {
    local answer status=0
    answer=$(tunnel_ssh 'expr 6 "*" 7; exit 5') || status=$?
    echo "answer: $answer, exit code: $status"
    [ "$answer" = 42 ] && [ "$status" = 5 ]
}

# The command ends only because its input does, and answers after that.
ssh_input() {
    local answer
    answer=$(tunnel_ssh "cat >'$work/ssh/input' && echo all of it" <ssh/data)
    [ "$answer" = "all of it" ]
    same_data ssh/input
}

scp_both_ways() {
    local start
    start=$(microseconds)
    tunnel_scp ssh/data "root@127.0.0.1:$work/ssh/up"
    tunnel_scp "root@127.0.0.1:$work/ssh/up" ssh/down
    result "$(rate $((2 * SSH_FILE_BYTES)) "$start")"
    same_data ssh/up
    same_data ssh/down
}

same_data() {
    [ "$(sha256 "$1")" = "$(sha256 ssh/data)" ] || { echo "$1 differs from what was sent" && return 1; }
}
