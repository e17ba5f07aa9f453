# Starts a PostgreSQL server; behind supervisor.sh.
bin=$1 port=$2 superuser=$3

# The fast end of it.
stop_signal=QUIT
clean_elsewhere() {
    # A server that was killed leaves its shared memory.
    shared_memory=$(sed -n 's/^ *[0-9][0-9]*  *\([0-9][0-9]*\) *$/\1/p' "$dir/data/postmaster.pid" 2>/dev/null)
    [ -n "$shared_memory" ] && ipcrm -m "$shared_memory" 2>/dev/null
}

mkdir "$dir/socket" || fail
printf '%s\n' "$password" >"$dir/password"
"$bin/initdb" -D "$dir/data" -U "$superuser" --pwfile="$dir/password" -A scram-sha-256 -E UTF8 --locale=C --no-sync \
    >"$dir/log" 2>&1 </dev/null || fail
rm "$dir/password"

"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir/socket" -c listen_addresses=127.0.0.1 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
    -c shared_buffers=32MB -c max_connections=50 -c dynamic_shared_memory_type=mmap \
    >>"$dir/log" 2>&1 </dev/null &
server=$!
wait_until grep -qs '^ready' "$dir/data/postmaster.pid"
serve
