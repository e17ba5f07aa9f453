# Keeps one private SSH server for as long as standard input is open.
#
# Whoever starts it holds the other end of the pipe. When that end is closed, by a drop, at the end of the
# process, or by `kill -9`, the server is stopped with its sessions, and its directory removed.
umask 077
dir=$1 sshd=$2 keygen=$3
trap : HUP INT TERM

# A process and those below it.
tree() {
    echo "$1"
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do tree "$child"; done
}

finish() {
    if [ -n "$server" ]; then
        all=$(tree "$server")
        kill -9 $all 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    rm -rf "$dir"
}

fail() {
    echo failed
    cat "$dir/log"
    finish
    exit 1
}

server=
for key in host_key user_key; do
    "$keygen" -q -t ed25519 -N '' -C private-sshd -f "$dir/$key" >"$dir/log" 2>&1 </dev/null || fail
done
cat "$dir/user_key.pub" >"$dir/authorized_keys"
# A directory of the system's, which its service makes, and without which root's server does not start.
[ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd

"$sshd" -D -e -f "$dir/sshd_config" >"$dir/log" 2>&1 </dev/null &
server=$!
until grep -qs '^Server listening' "$dir/log"; do
    kill -0 "$server" 2>/dev/null || fail
    sleep 0.02
done
echo "ready $server"

while read -r _; do :; done
finish
