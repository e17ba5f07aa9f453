//! The runbooks that need a server, which each test starts for itself.

use std::{io::Write as _, path::Path};

use backup_core::testkit::{mysql::PrivateMysql, postgres::PrivatePostgres};
use examples::testing::{create, json};

use super::runbooks::Stage;

/// Backs `shop` up; `environment/database/id`.
fn created(url: &str, store: &Path) -> String {
    let output = create(url, store).args(["--environment", "production"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    format!("production/shop/{}", json(&output)["result"]["backup"]["id"].as_str().unwrap())
}

const FILL: &str = "create table customers (id int primary key, name text);
    create table orders (id int primary key, customer int not null references customers, item text);
    create index orders_by_customer on orders (customer);
    insert into customers select i, 'customer ' || i from generate_series(1, 100) i;
    insert into orders select i, 1 + i % 100, 'item ' || i from generate_series(1, 1000) i;";

async fn postgresql() -> (PrivatePostgres, Stage) {
    let server = PrivatePostgres::start().await;
    server.create_database("shop").await;
    server.psql("shop", FILL).await;
    let stage = Stage::new(Some(server.bin("")));
    stage.password(server.password().expose());
    (server, stage)
}

/// What the commands call the server.
fn address(server: &PrivatePostgres) -> String {
    format!("postgresql://{}@{}:{}", server.superuser(), server.host(), server.port())
}

const COUNTS: &str =
    "select count(*) || ' ' || count(customers.name) || ' ' || (select count(*) from customers)
    from orders left join customers on customers.id = customer where item = 'item ' || orders.id";

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupted_database_is_exchanged_for_its_backup() {
    let (server, stage) = postgresql().await;
    let id = created(&server.url("shop"), &stage.path("backups"));
    // A copy of its files, none of whose pages the server has in its memory yet.
    server
        .psql(
            "postgres",
            "alter database shop rename to seed; create database shop template seed strategy file_copy;",
        )
        .await;
    let file = server.psql("seed", "select pg_relation_filepath('orders')").await;
    let of_shop = server.psql("postgres", "select oid from pg_database where datname = 'shop'").await;
    let file = format!("base/{of_shop}/{}", file.rsplit('/').next().unwrap());
    server.psql("postgres", "drop database seed; checkpoint;").await;
    let path = server.directory().join("data").join(file);
    let mut pages = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    pages.write_all(&[0xa5; 8192]).unwrap();
    pages.sync_all().unwrap();
    let failed = create(&server.url("shop"), &stage.path("backups")).output().unwrap();
    assert_eq!(failed.status.code(), Some(2), "a dump of it fails: {failed:?}");

    let names = [
        ("store", stage.path("backups").display().to_string()),
        ("server", address(&server)),
        ("database", "shop".to_owned()),
        ("id", id),
    ];
    let said = stage.follow("database-corrupted", &names);
    assert!(said.contains("as many in each table as the backup recorded"), "{said}");
    assert_eq!(server.psql("shop", COUNTS).await, "1000 1000 100");
    server.psql("shop", "insert into orders values (1001, 1, 'the first afterwards')").await;
    let kept = "select count(*) from pg_database where datname = 'shop_damaged' and not datallowconn";
    assert_eq!(server.psql("postgres", kept).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_and_a_dropped_table_come_back_and_newer_rows_stay() {
    let (server, stage) = postgresql().await;
    let id = created(&server.url("shop"), &stage.path("backups"));
    let mistake = "insert into customers values (101, 'since the backup');
        update customers set name = 'renamed since' where id = 7;
        drop table orders; delete from customers where id between 20 and 60;";
    server.psql("shop", mistake).await;

    let names = [
        ("store", stage.path("backups").display().to_string()),
        ("server", address(&server)),
        ("database", "shop".to_owned()),
        ("id", id),
        ("rows", "public.customers".to_owned()),
        ("dropped", "public.orders".to_owned()),
    ];
    stage.follow("data-deleted", &names);
    assert_eq!(server.psql("shop", COUNTS).await, "1000 1000 101");
    let newer = "select string_agg(name, ',' order by id) from customers where id in (7, 30, 101)";
    assert_eq!(server.psql("shop", newer).await, "renamed since,customer 30,since the backup");
    let whole = "select count(*) from pg_indexes where indexname = 'orders_by_customer'";
    assert_eq!(server.psql("shop", whole).await, "1");
    assert_eq!(
        server.psql("postgres", "select count(*) from pg_database where datname like 'shop_%'").await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_host_is_replaced_by_another_from_the_copy() {
    let stage = Stage::new(None);
    std::fs::create_dir(stage.path("old-host")).unwrap();
    let id = {
        let old = PrivateMysql::start().await;
        old.create_database("shop").await;
        let rows = (1..=1000).map(|id| format!("({id}, 'item {id}')")).collect::<Vec<_>>().join(",");
        let fill =
            format!("CREATE TABLE orders (id int PRIMARY KEY, item text); INSERT INTO orders VALUES {rows};");
        old.sql("shop", &fill).await;
        let id = created(&old.url("shop"), &stage.path("old-host/backups"));
        stage.sh("cargo backup copy --store old-host/backups --to offsite", &[].into());
        id
    };
    std::fs::remove_dir_all(stage.path("old-host")).unwrap();

    let new = PrivateMysql::start().await;
    let names = [
        ("offsite", stage.path("offsite").display().to_string()),
        ("store", stage.path("new-host/backups").display().to_string()),
        ("id", id),
        ("BACKUP_TARGET_URL", new.url("shop")),
    ];
    std::fs::create_dir(stage.path("new-host")).unwrap();
    let said = stage.follow("host-lost", &names);
    assert!(said.contains("as many in each table as the backup recorded"), "{said}");
    assert!(!said.contains(new.password().expose()));
    assert_eq!(
        new.sql("shop", "SELECT COUNT(*) FROM orders WHERE item = CONCAT('item ', id);").await,
        "1000"
    );
    new.sql("shop", "INSERT INTO orders VALUES (1001, 'the first afterwards');").await;
    let copied = examples::testing::run(&["list"], &stage.path("offsite"), None);
    assert_eq!(copied["result"]["backups"].as_array().unwrap().len(), 2);
}
