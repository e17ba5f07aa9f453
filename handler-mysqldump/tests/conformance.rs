//! MySQL and MariaDB keep the contracts of a dumper and a restorer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use backup_core::testkit::{
    dumper::DumperFixture,
    mysql::PrivateMysql,
    restorer::{FreshTarget, RestorerFixture},
};
use handler_mysqldump::{MysqlConfig, MysqlDump, MysqlRestore};
use tokio::sync::OnceCell;

/// More than lies in the pipes between the tool and its reader.
const SHOP: &str = "CREATE TABLE orders (id integer PRIMARY KEY, note longtext);
    CREATE TABLE empty_table (a integer);
    INSERT INTO orders WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 120)
      SELECT i, REPEAT(SHA2(i, 256), 1500) FROM n;";

const BLOG: &str = "CREATE TABLE posts (text text); INSERT INTO posts VALUES ('hello'), ('world');";

/// The server of this test's process, with both sources.
async fn server() -> &'static PrivateMysql {
    static FILLED: OnceCell<()> = OnceCell::const_new();
    let server = PrivateMysql::shared().await;
    let fill = || async {
        for (name, sql) in [("shop", SHOP), ("blog", BLOG)] {
            server.create_database(name).await;
            server.sql(name, sql).await;
        }
    };
    FILLED.get_or_init(fill).await;
    server
}

async fn config(database: &str) -> MysqlConfig {
    MysqlConfig::from_url(&server().await.url(database)).unwrap()
}

fn folder(server: &PrivateMysql) -> std::path::PathBuf {
    server.client().parent().unwrap().to_owned()
}

async fn dump(database: &str) -> MysqlDump {
    MysqlDump::new(config(database).await).client_dir(folder(server().await))
}

async fn dumper() -> DumperFixture {
    DumperFixture::new(Arc::new(dump("shop").await))
        .with_secret(server().await.password().expose())
        .with_fingerprint(|| async {
            let question =
                "SELECT SCHEMA_NAME, (SELECT COUNT(*) FROM shop.orders) FROM information_schema.SCHEMATA
                WHERE SCHEMA_NAME IN ('shop', 'blog', 'mysql') ORDER BY 1;";
            server().await.sql("shop", question).await
        })
}

async fn restorer() -> RestorerFixture {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let target = || async {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("target {number}");
        // Every second one exists already, and is empty.
        if number.is_multiple_of(2) {
            server().await.create_database(&name).await;
        }
        let restore = MysqlRestore::new(config(&name).await).client_dir(folder(server().await));
        FreshTarget::new(Arc::new(restore), ())
    };
    RestorerFixture::new(Arc::new(dump("shop").await), Arc::new(dump("blog").await), target)
        .with_secret(server().await.password().expose())
}

backup_core::dumper_conformance!(dumper().await);
backup_core::restorer_conformance!(restorer().await);
