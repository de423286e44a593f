# PostgreSQL behind the connector: pgbench, and whether the books balance after it. Sourced by .ci/workload.
# shellcheck shell=bash
# $work and $bin are .ci/workload's.
# shellcheck disable=SC2154

readonly POSTGRES_PORT=5432
readonly POSTGRES_SECONDS=60
readonly POSTGRES_CLIENT=(-h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres)

postgres_checks() {
    check "PostgreSQL starts, port $POSTGRES_PORT opens" start_postgres
    check "pgbench: 1,000,000 accounts" fill_database
    check "pgbench: 8 clients for 10 s, no failed transaction" run_pgbench
    check "the books balance, every transaction is in them" books_balance
    stop_postgres
}

# The folder of the newest version; Debian has it outside PATH.
postgres_bin() {
    local found
    found=$(find /usr/lib/postgresql -path '*/bin/pgbench' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] && dirname "$found"
}

as_postgres() { at_connector "$POSTGRES_SECONDS" runuser -u postgres -- "$(postgres_bin)/$1" "${@:2}"; }

start_postgres() {
    local options="-p $POSTGRES_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    install -d -m 700 -o postgres postgres
    cd postgres || return
    as_postgres initdb --pgdata="$work/postgres/data" --auth=trust --no-sync --no-locale
    as_postgres pg_ctl start --pgdata="$work/postgres/data" --log="$work/postgres/log" --wait --options="$options" ||
        { cat log && return 1; }
    open_port "$POSTGRES_PORT"
}

fill_database() {
    at_listener "$POSTGRES_SECONDS" "$(postgres_bin)/pgbench" "${POSTGRES_CLIENT[@]}" -i -q -s 10 postgres
}

run_pgbench() {
    at_listener "$POSTGRES_SECONDS" "$(postgres_bin)/pgbench" "${POSTGRES_CLIENT[@]}" -n -c 8 -j 2 -T 10 postgres >pgbench.log
    cat pgbench.log
    grep -q 'number of failed transactions: 0 ' pgbench.log
    result "$(sed -n 's/^tps = \([0-9]*\).*/\1 transactions\/s/p' pgbench.log)"
}

books_balance() {
    local books processed
    books=$(at_listener "$POSTGRES_SECONDS" "$(postgres_bin)/psql" "${POSTGRES_CLIENT[@]}" -X -A -t -c "
        SELECT (SELECT sum(abalance) FROM pgbench_accounts) = sum(delta)
           AND (SELECT sum(tbalance) FROM pgbench_tellers) = sum(delta)
           AND (SELECT sum(bbalance) FROM pgbench_branches) = sum(delta), count(*) FROM pgbench_history" postgres)
    processed=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' pgbench.log)
    echo "balanced and recorded: $books, processed: $processed"
    [ "$books" = "t|$processed" ]
    result "$processed transactions"
}

# SIGINT: at once, but in order, with no shared memory left behind.
stop_postgres() {
    local pid
    [ -n "$work" ] || return 0
    pid=$(head -n 1 "$work/postgres/data/postmaster.pid" 2>/dev/null) || return 0
    kill -INT "$pid" 2>/dev/null || return 0
    wait_for "$STOP_SECONDS" test ! -e "$work/postgres/data/postmaster.pid" || true
}
