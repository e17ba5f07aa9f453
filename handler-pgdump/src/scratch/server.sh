# Starts a PostgreSQL server; behind the supervisor's common part.
bin=$1 superuser=$2

# The fast end of it.
stop_signal=QUIT
clean_elsewhere() {
    # A server that was killed leaves its shared memory.
    shared_memory=$(sed -n 's/^ *[0-9][0-9]*  *\([0-9][0-9]*\) *$/\1/p' "$dir/data/postmaster.pid" 2>/dev/null)
    [ -n "$shared_memory" ] && ipcrm -m "$shared_memory" 2>/dev/null
}

printf '%s\n' "$password" >"$dir/password" || fail
run "$bin/initdb" -D "$dir/data" -U "$superuser" --pwfile="$dir/password" -A scram-sha-256 -E UTF8 --locale=C --no-sync ||
    fail
rm "$dir/password"

# A socket and no network; nothing is worth a sync; nothing runs that the dump did not ask for; no row in the log.
# One restore of many tables is one transaction with many locks.
start "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c unix_socket_permissions=0700 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
    -c autovacuum=off -c max_logical_replication_workers=0 -c jit=off -c huge_pages=off \
    -c shared_buffers=64MB -c maintenance_work_mem=128MB -c max_connections=20 -c max_locks_per_transaction=2048 \
    -c dynamic_shared_memory_type=mmap -c checkpoint_timeout=1h -c max_wal_size=2GB \
    -c log_min_error_statement=panic -c log_error_verbosity=terse
wait_until grep -qs '^ready' "$dir/data/postmaster.pid"
serve
