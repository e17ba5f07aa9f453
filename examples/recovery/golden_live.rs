//! What this release wrote is restored into real databases, value by value.
//!
//! Those of MySQL are restored where such a server is (`BACKUP_TEST_MYSQL_BIN` names the folder of its programs); an archive
//! of PostgreSQL 18 where a server as new is (`BACKUP_TEST_PG_BIN`), and elsewhere it has to be refused and leave nothing.

use std::path::Path;

use backup_core::{
    Restorer,
    pipeline::{RestoreReport, RestoreRequest, RowComparison},
    testkit::{
        mysql::{Flavour, PrivateMysql},
        postgres::PrivatePostgres,
    },
};
use handler_mysqldump::MysqlRestore;
use handler_pgdump::PgRestore;
use handler_prisma::sqlite::SqliteRestore;
use rusqlite::Connection;

use super::golden_facts::{FACTS, Fact, Golden};

/// The rows of `customers`.
const CUSTOMERS: [(u32, &str, Option<&str>); 3] =
    [(1, "Ada", None), (2, "Zoë 'Z' \\ O'Neil", Some("two\nlines")), (3, "漢字 🦀", Some("tab\there"))];

fn customers(shown: impl Fn(&str) -> String) -> String {
    let row = |(id, name, note): (u32, &str, Option<&str>)| {
        format!("{id},{},{}", shown(name), note.map_or("-".to_owned(), &shown))
    };
    CUSTOMERS.map(row).join(";")
}

/// A text as a client cannot change it.
fn hex(text: &str) -> String {
    text.bytes()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

async fn restored(golden: &Golden, fact: &Fact, target: &dyn Restorer) -> backup_core::Result<RestoreReport> {
    let report =
        golden.opening(fact).await.restore(&fact.backup(), target, RestoreRequest::new().confirmed()).await?;
    if !fact.tables.is_empty() && fact.form.0 == "plain" {
        assert_eq!(report.rows_compared, RowComparison::Equal, "{}", fact.name);
    }
    Ok(report)
}

fn of(engine: &'static str) -> impl Iterator<Item = (usize, &'static Fact)> {
    FACTS.iter().enumerate().filter(move |(_, fact)| fact.engine == engine)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dumped_from_postgresql_is_restored_value_by_value() {
    let server = PrivatePostgres::start().await;
    let version: u32 = server.psql("postgres", "show server_version_num").await.parse().unwrap();
    let golden = Golden::copied();
    for (number, fact) in of("postgresql") {
        let name = format!("restored_{number}");
        let target = PgRestore::from_url(&server.url(&name)).unwrap().client_dir(server.bin(""));
        let done = restored(&golden, fact, &target).await;
        if fact.name.starts_with("staging/") && fact.form.0 != "plain" && version < 180_000 {
            let refused = done.expect_err("an archive of a newer server");
            assert!(refused.kind().is_refusal(), "{}: {refused:?}", fact.name);
            let made = format!("select count(*) from pg_database where datname like '{name}%'");
            assert_eq!(server.psql("postgres", &made).await, "0", "{}", fact.name);
            continue;
        }
        let report = done.unwrap_or_else(|err| panic!("{}: {err:?}", fact.name));
        let all = fact.tables.iter().map(|(_, rows)| rows).sum::<u64>();
        if fact.name.contains("/archive/") {
            assert_eq!((report.tables, report.rows), (3, all), "{}", fact.name);
            let sums = "select count(*) || ' ' || md5(string_agg(text, ',' order by id)) from ";
            let (first, third) = (
                server.psql(&name, &format!("{sums} first")).await,
                server.psql(&name, &format!("{sums} third")).await,
            );
            assert_eq!((&*first, &*third), (FIRST, THIRD), "{}", fact.name);
            let part = format!("part_{number}");
            let target = PgRestore::from_url(&server.url(&part)).unwrap().client_dir(server.bin(""));
            let third = RestoreRequest::new().tables(["public.third"]).confirmed();
            let report = golden.opening(fact).await.restore(&fact.backup(), &target, third).await;
            let report = report.unwrap_or_else(|err| panic!("{}: {err:?}", fact.name));
            assert_eq!((report.tables, report.rows), (1, 3), "{}", fact.name);
            assert_eq!(server.psql(&part, &format!("{sums} third")).await, THIRD, "{}", fact.name);
            continue;
        }
        assert_eq!((report.tables, report.rows), (2, 7), "{}", fact.name);
        let rows = "select string_agg(id || ',' || encode(convert_to(name, 'UTF8'), 'hex') || ',' || coalesce(encode(convert_to(note, 'UTF8'), 'hex'), '-'), ';' order by id) from customers";
        assert_eq!(server.psql(&name, rows).await, customers(hex), "{}", fact.name);
        let orders = "set timezone = 'UTC'; select concat_ws(',', id, customer, state, coalesce(cents::text, '-'), coalesce(placed::text, '-'), coalesce(encode(raw, 'hex'), '-')) from orders order by id";
        assert_eq!(
            server.psql(&name, orders).await,
            "1,1,paid,1234567890.12,2026-11-19 23:59:59.123456+00,00ff0a5c\n\
             2,2,open,-0.01,2024-02-29 00:00:00+00,\n\
             3,3,open,-,-,-\n\
             4,1,paid,0.00,1969-12-31 23:59:59+00,27",
            "{}",
            fact.name
        );
        let alive = "insert into orders (customer, cents) values (2, 0); select state::text || (select count(*) from open_orders) from orders where id = 5";
        assert_eq!(server.psql(&name, alive).await, "paid2", "trigger, identity and view: {}", fact.name);
    }
}

/// How many rows, and the MD5 of their texts with a comma between two: `first ` 150 times in each.
const FIRST: &str = "3000 bbfb5f1e09104394cace05fc2ca09033";
/// Those of `one,two,three`.
const THIRD: &str = "3 9a49d10b77315fd6566946dbb1ee882c";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dumped_from_mariadb_and_mysql_is_restored_value_by_value() {
    let server = PrivateMysql::start().await;
    let golden = Golden::copied();
    for (number, fact) in of("mysql") {
        let is_mysql = fact.name.starts_with("staging/");
        if is_mysql != (server.flavour() == Flavour::MySql) {
            continue;
        }
        let several = fact.form.0 == "databases";
        let name = if several { "my shop".to_owned() } else { format!("restored_{number}") };
        let target = MysqlRestore::from_url(&server.url(&name)).unwrap().client_dir(server.bin(""));
        let report =
            restored(&golden, fact, &target).await.unwrap_or_else(|err| panic!("{}: {err:?}", fact.name));
        let rows: u64 = fact.tables.iter().map(|(_, rows)| rows).sum();
        assert_eq!((report.tables, report.rows), (fact.tables.len() as u64, rows), "{}", fact.name);
        let rows = "SELECT GROUP_CONCAT(CONCAT(id, ',', LOWER(HEX(name)), ',', COALESCE(LOWER(HEX(note)), '-')) ORDER BY id SEPARATOR ';') FROM customers;";
        assert_eq!(server.sql(&name, rows).await, customers(hex), "{}", fact.name);
        let orders = "SELECT CONCAT_WS(',', id, customer, state, COALESCE(cents, '-'), COALESCE(placed, '-'), COALESCE(LOWER(HEX(raw)), '-'), COALESCE(twice, '-')) FROM orders ORDER BY id;";
        assert_eq!(
            server.sql(&name, orders).await,
            "1,1,paid,1234567890.12,2026-11-19 23:59:59.123456,00ff0a5c,2469135780.24\n\
             2,2,open,-0.01,2024-02-29 00:00:00.000000,,-0.02\n\
             3,3,open,-,-,-,-\n\
             4,1,paid,0.00,1969-12-31 23:59:59.000000,27,0.00",
            "{}",
            fact.name
        );
        let alive = "INSERT INTO orders (customer, cents) VALUES (2, 0); SELECT CONCAT(state, (SELECT COUNT(*) FROM open_orders)) FROM orders WHERE id = 5;";
        assert_eq!(server.sql(&name, alive).await, "paid2", "trigger, key and view: {}", fact.name);
        if several {
            assert_eq!(
                server.sql("my stock", "SELECT GROUP_CONCAT(name ORDER BY id) FROM articles;").await,
                "tea,cup"
            );
            // Another one is restored into the same.
            server.sql("mysql", "DROP DATABASE `my shop`; DROP DATABASE `my stock`;").await;
        }
    }
}

#[tokio::test]
async fn what_was_copied_from_sqlite_is_restored_value_by_value() {
    let golden = Golden::copied();
    for (number, fact) in of("sqlite") {
        let path = golden.path(&format!("restored-{number}.sqlite"));
        let done = restored(&golden, fact, &SqliteRestore::new(&path)).await;
        let report = done.unwrap_or_else(|err| panic!("{}: {err:?}", fact.name));
        assert_eq!(report.rows, fact.tables.iter().map(|(_, rows)| rows).sum::<u64>(), "{}", fact.name);
        if fact.name.contains("/dev/") {
            let applied =
                "select group_concat(migration_name) from (select * from _prisma_migrations order by 1)";
            assert!(ask(&path, applied).contains("20260103000000_add_posts"));
            continue;
        }
        let rows = "select group_concat(id || ',' || name || ',' || coalesce(note, '-'), ';') from (select * from customers order by id)";
        assert_eq!(ask(&path, rows), customers(str::to_owned), "{}", fact.name);
        let orders = "select group_concat(id || ',' || customer || ',' || coalesce(cents, '-') || ',' || coalesce(hex(raw), '-'), ';') from (select * from orders order by id)";
        assert_eq!(
            ask(&path, orders),
            "1,1,1234567890.12,00FF0A5C;2,2,-0.01,;3,3,-,;4,1,0.0,27",
            "{}",
            fact.name
        );
        assert_eq!(ask(&path, "select group_concat(id) from large"), "1");
    }
}

fn ask(path: &Path, sql: &str) -> String {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
