# Starts a MariaDB or MySQL server; behind the supervisor's common part.
flavour=$1 program=$2 admin=$3

mkdir "$dir/data" "$dir/tmp" "$dir/no-plugins" || fail
# No other account can do anything that a dump could want, and no dump knows this one's name.
cat >"$dir/init.sql" <<SQL || fail
CREATE USER '$admin'@'localhost' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO '$admin'@'localhost' WITH GRANT OPTION;
DROP USER 'root'@'localhost';
SQL

# A socket and no network; nothing is worth a sync; no event runs; nothing is loaded, and no file reached by SQL.
set -- --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --plugin-dir="$dir/no-plugins" --skip-log-bin \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-flush-method=nosync \
    --innodb-use-native-aio=0 --innodb-buffer-pool-size=64M --performance-schema=OFF

case $flavour in
mariadb)
    # `mariadb-install-db` does the same with ten times as much that a rehearsal has no use for.
    prefix=${program%/*/*}
    for share in "$prefix/share/mysql" "$prefix/share/mariadb" "$prefix/share" /usr/share/mysql /usr/share/mariadb; do
        [ -e "$share/mysql_system_tables.sql" ] && break
    done
    {
        printf 'CREATE DATABASE mysql;\nUSE mysql;\n'
        cat "$share/mysql_system_tables.sql" || exit
        grep -v @current_hostname "$share/mysql_system_tables_data.sql" || exit
        # The account behind the view of users can read the accounts.
        printf "DELETE FROM global_priv WHERE NOT (User = 'root' AND Host = 'localhost');\nDELETE FROM tables_priv;\n"
    } >"$dir/bootstrap.sql" 2>>"$dir/log" || fail
    set -- "$@" --innodb-log-file-size=64M
    run_with "$dir/bootstrap.sql" "$program" "$@" --bootstrap || fail
    ;;
*)
    # Nobody comes by a network: there is no need for keys, which take a second to make.
    set -- "$@" --innodb-redo-log-capacity=128M --secure-file-priv=NULL --loose-auto-generate-certs=OFF \
        --loose-caching-sha2-password-auto-generate-rsa-keys=OFF
    run "$program" "$@" --initialize-insecure || fail
    set -- "$@" --mysqlx=OFF
    ;;
esac

start "$program" "$@" --skip-networking --socket="$dir/s" --pid-file="$dir/pid" --init-file="$dir/init.sql" \
    --event-scheduler=OFF --loose-skip-symbolic-links --local-infile=0 --skip-name-resolve --max-connections=20 \
    --max-allowed-packet=1G --log-bin-trust-function-creators=1 --loose-log-error-verbosity=1
wait_until grep -qs 'ready for connections' "$dir/log"
rm "$dir/init.sql"
serve
