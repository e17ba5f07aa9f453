# Starts a MariaDB or MySQL server; behind supervisor.sh.
flavour=$1 program=$2 port=$3 superuser=$4

mkdir "$dir/data" "$dir/socket" "$dir/tmp" || fail
quoted=$(printf '%s' "$password" | sed "s/[\\\\']/\\\\&/g")
# Run before the first connection is taken; a line is a statement.
cat >"$dir/init.sql" <<SQL
ALTER USER '$superuser'@'localhost' IDENTIFIED BY '$quoted';
DROP USER IF EXISTS '$superuser'@'127.0.0.1';
CREATE USER '$superuser'@'127.0.0.1' IDENTIFIED BY '$quoted';
GRANT ALL PRIVILEGES ON *.* TO '$superuser'@'127.0.0.1' WITH GRANT OPTION;
SQL
if [ "$flavour" = mariadb ]; then
    install=$(command -v mariadb-install-db || command -v mysql_install_db) || { echo 'mariadb-install-db is missing' >"$dir/log"; fail; }
    "$install" --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
        --skip-name-resolve >"$dir/log" 2>&1 </dev/null || fail
    set -- --skip-name-resolve --log-bin=binlog
else
    "$program" --no-defaults --initialize-insecure --datadir="$dir/data" --secure-file-priv=NULL \
        >"$dir/log" 2>&1 </dev/null || fail
    set -- --mysqlx=OFF --secure-file-priv=NULL
fi

"$program" --no-defaults --datadir="$dir/data" --port="$port" --bind-address=127.0.0.1 \
    --socket="$dir/socket/s" --pid-file="$dir/pid" --tmpdir="$dir/tmp" --init-file="$dir/init.sql" --server-id=1 \
    --innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --innodb-buffer-pool-size=64M --innodb-use-native-aio=0 \
    --performance-schema=OFF --max-connections=50 "$@" >>"$dir/log" 2>&1 </dev/null &
server=$!
wait_until grep -qs 'ready for connections' "$dir/log"
rm "$dir/init.sql"
serve
