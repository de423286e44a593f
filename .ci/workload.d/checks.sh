# Runs checks, counts them and tells what they have found. Sourced by .ci/workload.
# shellcheck shell=bash
# $work and $bin are .ci/workload's.
# shellcheck disable=SC2154

passed=0
failed=0
check_job="" # process group of the check that runs

# Ends the script: what failed, then what to do about it.
die() {
    printf 'workload: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  %s\n' "${@:2}" >&2
    exit 1
}

# Runs a check: its name, then the command. In a subshell with `set -e` in force, in the background with a process group of
# its own, so that a signal ends it at once.
check() {
    local name=$1 status=0
    printf '  %-52s' "$name"
    : >"$work/result"
    set -m
    run_check "${@:2}" </dev/null >"$work/output" 2>&1 &
    check_job=$!
    set +m
    wait "$check_job" || status=$?
    end_check
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$(<"$work/result")"
    else
        failed=$((failed + 1))
        printf 'FAILED  exit code %s\n' "$status"
        tail -n 30 "$work/output" | sed 's/^/    | /'
    fi
}

# Not the command alone: without the daemons each would fail only when its time is over.
run_check() {
    daemons_run
    "$@"
}

# Ends what a check has left in its process group; programs that shall go on are in others.
end_check() {
    [ -z "$check_job" ] || kill -KILL -- "-$check_job" 2>/dev/null || true
    check_job=""
}

# What a check has measured, for its line.
result() { printf '%s' "$*" >"$work/result"; }

microseconds() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# MB/s (10^6 bytes): how many bytes, and since when (from `microseconds`).
rate() { printf '%s MB/s' "$(($1 / ($(microseconds) - $2)))"; }

sha256() { openssl dgst -sha256 -r "$@" | cut -d ' ' -f 1; }

# Runs a command with each of 1..N as its last word, all at once; fails if one has failed.
parallel() {
    local count=$1 number status=0 jobs=()
    for ((number = 1; number <= count; number++)); do
        "${@:2}" "$number" &
        jobs+=($!)
    done
    for number in "${jobs[@]}"; do wait "$number" || status=1; done
    return "$status"
}

# Waits until a command succeeds: a time limit in seconds, then the command.
wait_for() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "not within $1 s: ${*:2}" && return 1; }
        sleep 0.1
    done
}

summary() {
    [ "$failed" = 0 ] || show_logs
    printf 'workload: %s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}
