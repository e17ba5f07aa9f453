# Keeps one private server for as long as standard input is open; what follows this part starts it.
#
# Whoever starts this holds the other end of the pipe. When that end is closed, by a drop, at the end of the
# process, or by `kill -9`, also in the middle of a start, everything that was started is ended and the directory
# removed.
umask 077
dir=$1
shift
IFS= read -r password || exit 1

server=
stop_signal=KILL
# What a kind of server leaves elsewhere than in its directory.
clean_elsewhere() { :; }

# Everything that is started here works in the directory, or in the server's data; this shell does not.
end_all() {
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$dir" ] || [ "$process/cwd" -ef "$dir/data" ]; then
            kill -9 "${process#/proc/}"
        fi
    done 2>/dev/null
}

# Removes what is in the directory, if not the directory, which may be in one that is not ours to change.
removed() {
    rm -rf "$dir" && return
    [ -z "$(ls -A "$dir" 2>&1)" ]
} 2>/dev/null

finish() {
    trap '' HUP INT TERM
    tries=0
    [ -n "$server" ] && kill -"$stop_signal" "$server" 2>/dev/null
    while [ -n "$server" ] && kill -0 "$server" 2>/dev/null && [ $tries -lt 150 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
    end_all
    clean_elsewhere
    tries=0
    until removed || [ $tries -ge 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
        end_all
    done
}

trap 'finish; exit' HUP INT TERM

# Without them a start would wait for ever, or its cleaning leave everything.
for tool in cat grep id ls mkdir rm sed sleep tail; do
    command -v "$tool" >/dev/null || { echo failed; echo "the program $tool is not in PATH"; exit 1; }
done

cd "$dir" || { echo failed; echo "the user $(id -un) cannot enter the directory"; exit 1; }
: >log
cd /

# Standard input is watched beside everything else. Where this shell itself was killed, the watcher cleans.
exec 3<&0 </dev/null
(
    trap '' HUP INT TERM
    while read -r _; do :; done <&3
    kill -TERM $$ || finish
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-

fail() {
    trap '' HUP INT TERM
    echo failed
    tail -c 8192 "$dir/log"
    kill -9 "$watcher"
    finish
    exit 1
}

# Runs a command to its end; a closed pipe ends it.
run() {
    run_with /dev/null "$@"
}

# The same with a file as its input.
run_with() {
    input=$1
    shift
    (cd "$dir" && exec "$@") >>"$dir/log" 2>&1 <"$input" &
    wait $!
}

# Starts the server.
start() {
    (cd "$dir" && exec "$@") >>"$dir/log" 2>&1 </dev/null &
    server=$!
}

# Waits until the arguments, a command, succeed, or the server is gone.
wait_until() {
    until "$@"; do
        kill -0 "$server" 2>/dev/null || fail
        sleep 0.02
    done
}

# Tells that the server runs, and stays until the pipe is closed.
serve() {
    echo "ready $server"
    exec >/dev/null
    wait "$watcher"
    finish
}

