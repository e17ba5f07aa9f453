# Keeps one private server for as long as standard input is open; what follows this part starts it.
#
# Whoever starts this holds the other end of the pipe. When that end is closed, by a drop, at the end of the
# process, or by `kill -9`, the server is stopped and its directory removed.
umask 077
dir=$1
shift
IFS= read -r password || exit 1

# A signal ends the wait for the end of the pipe, and thereby the server; it does not skip the cleaning.
# Nor does the end of whoever waits for the start, which closes the pipe that is written to.
trap : HUP INT TERM PIPE

server=
stop_signal=KILL
# What a kind of server leaves elsewhere than in its directory.
clean_elsewhere() { :; }

finish() {
    if [ -n "$server" ]; then
        kill -"$stop_signal" "$server" 2>/dev/null
        wait "$server"
        clean_elsewhere
        # Sessions of a server that was killed may not have noticed yet.
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

# Waits until the arguments, a command, succeed, or the server is gone.
wait_until() {
    until "$@"; do
        kill -0 "$server" 2>/dev/null || fail
        sleep 0.05
    done
}

# Tells that the server runs, and stays until the pipe is closed.
serve() {
    echo "ready $server"
    while read -r _; do :; done
    finish
}

