# Keeps one private PostgreSQL server for as long as standard input is open.
#
# Whoever starts it holds the other end of the pipe. When that end is closed, by a drop, at the end of the
# process, or by `kill -9`, the server is stopped and its directory removed.
umask 077
dir=$1 bin=$2 port=$3 superuser=$4
IFS= read -r password || exit 1

# A signal ends the wait for the end of the pipe, and thereby the server; it does not skip the cleaning.
trap : HUP INT TERM

finish() {
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null
        wait "$server"
        # A server that was killed leaves its shared memory, and sessions that may not have noticed yet.
        shared_memory=$(sed -n 's/^ *[0-9][0-9]*  *\([0-9][0-9]*\) *$/\1/p' "$dir/data/postmaster.pid" 2>/dev/null)
        [ -n "$shared_memory" ] && ipcrm -m "$shared_memory" 2>/dev/null
        for process in /proc/[0-9]*; do
            [ "$(readlink "$process/cwd" 2>/dev/null)" = "$dir/data" ] && kill -9 "${process#/proc/}" 2>/dev/null
        done
    fi
    tries=0
    until rm -rf "$dir" 2>/dev/null || [ $tries -ge 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
}

fail() {
    echo failed
    cat "$dir/log"
    finish
    exit 1
}

server=
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
until grep -qs '^ready' "$dir/data/postmaster.pid"; do
    kill -0 "$server" 2>/dev/null || fail
    sleep 0.05
done
echo "ready $server"

while read -r _; do :; done
finish
