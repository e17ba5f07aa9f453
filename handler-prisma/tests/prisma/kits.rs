//! Dumpers and restorers of a project keep the contracts, in every engine.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use backup_core::testkit::{
    dumper::DumperFixture,
    mysql::PrivateMysql,
    postgres::PrivatePostgres,
    restorer::{FreshTarget, RestorerFixture},
};
use handler_prisma::{Connection, PrismaDumper, PrismaProject, PrismaRestorer};
use tokio::sync::OnceCell;

use super::{
    live::{Engine, sqlite},
    setup::Project,
};

/// A project that leads to a URL.
async fn project(provider: &str, url: &str) -> (Project, PrismaProject) {
    let schema = format!("datasource db {{ provider = \"{provider}\"\n url = env(\"DATABASE_URL\") }}");
    let files = Project::new([("prisma/schema.prisma", schema.as_str())]).installed("6.19.3");
    let found = files.search().with_environment([("DATABASE_URL", url)]).run().await.unwrap();
    let found = match provider {
        "mysql" => found.with_client_dir(PrivateMysql::shared().await.client().parent().unwrap()),
        _ => found,
    };
    (files, found)
}

/// More than lies in the pipes between a tool and its reader.
const PG_SHOP: &str =
    "CREATE TABLE orders (id integer PRIMARY KEY, note text); CREATE TABLE empty_table (a integer);
    INSERT INTO orders SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 120) i;";
const MY_SHOP: &str =
    "CREATE TABLE orders (id integer PRIMARY KEY, note longtext); CREATE TABLE empty_table (a integer);
    INSERT INTO orders WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 120)
      SELECT i, REPEAT(SHA2(i, 256), 1500) FROM n;";
const LITE_SHOP: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note BLOB); CREATE TABLE empty (x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
        INSERT INTO orders SELECT i, randomblob(100000) FROM n;";
const BLOG: &str = "CREATE TABLE posts (text text); INSERT INTO posts VALUES ('hello'), ('world');";

async fn of(engine: Engine, name: &str) -> (Project, PrismaProject) {
    static PG: OnceCell<()> = OnceCell::const_new();
    static MY: OnceCell<()> = OnceCell::const_new();
    match engine {
        Engine::Sqlite => {
            let (files, found) = project("sqlite", "file:./data.db").await;
            match name {
                "kitshop" => drop(sqlite(&files.root().join("prisma/data.db"), LITE_SHOP).unwrap()),
                "kitblog" => drop(sqlite(&files.root().join("prisma/data.db"), BLOG).unwrap()),
                _ => {}
            }
            (files, found)
        }
        Engine::PostgreSql => {
            let server = PrivatePostgres::shared().await;
            PG.get_or_init(|| async {
                for (name, sql) in [("kitshop", PG_SHOP), ("kitblog", BLOG)] {
                    server.create_database(name).await;
                    server.psql(name, sql).await;
                }
            })
            .await;
            project("postgresql", &server.url(name)).await
        }
        Engine::MariaDb => {
            let server = PrivateMysql::shared().await;
            MY.get_or_init(|| async {
                for (name, sql) in [("kitshop", MY_SHOP), ("kitblog", BLOG)] {
                    server.create_database(name).await;
                    server.sql(name, sql).await;
                }
            })
            .await;
            project("mysql", &server.url(name).replacen("mariadb:", "mysql:", 1)).await
        }
    }
}

async fn dumper(engine: Engine) -> DumperFixture {
    let (files, found) = of(engine, "kitshop").await;
    let fixture = DumperFixture::new(Arc::new(PrismaDumper::new(&found).unwrap())).with_guard(files);
    match engine {
        Engine::Sqlite => fixture,
        Engine::PostgreSql => fixture.with_secret(PrivatePostgres::shared().await.password().expose()),
        Engine::MariaDb => fixture.with_secret(PrivateMysql::shared().await.password().expose()),
    }
}

/// Rehearses in a database: that private servers keep the contract too is proven where they are made.
async fn quick(found: &PrismaProject) -> PrismaRestorer {
    match found.connection() {
        Connection::PostgreSql(url) => {
            let restore = handler_pgdump::PgRestore::new(url.config().unwrap());
            PrismaRestorer::by(found, restore.rehearse_in(handler_pgdump::Rehearse::Database))
        }
        Connection::MySql(url) => {
            let restore = handler_mysqldump::MysqlRestore::new(url.config());
            let restore = restore.client_dir(PrivateMysql::shared().await.client().parent().unwrap());
            PrismaRestorer::by(found, restore.rehearse_in(handler_mysqldump::Rehearse::Database))
        }
        _ => PrismaRestorer::new(found).unwrap(),
    }
}

async fn restorer(engine: Engine) -> RestorerFixture {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (shop_files, shop) = of(engine, "kitshop").await;
    let (blog_files, blog) = of(engine, "kitblog").await;
    let target = move || async move {
        let name = format!("kittarget{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (files, found) = of(engine, &name).await;
        FreshTarget::new(Arc::new(quick(&found).await), files)
    };
    let dumpers = [PrismaDumper::new(&shop).unwrap(), PrismaDumper::new(&blog).unwrap()].map(Arc::new);
    let [shop, blog] = dumpers;
    RestorerFixture::new(shop, blog, target).with_guard((shop_files, blog_files))
}

mod of_sqlite {
    use super::{Engine, dumper, restorer};
    backup_core::dumper_conformance!(dumper(Engine::Sqlite).await);
    backup_core::restorer_conformance!(restorer(Engine::Sqlite).await);
}

mod of_postgresql {
    use super::{Engine, dumper, restorer};
    backup_core::dumper_conformance!(dumper(Engine::PostgreSql).await);
    backup_core::restorer_conformance!(restorer(Engine::PostgreSql).await);
}

mod of_mariadb {
    use super::{Engine, dumper};
    backup_core::dumper_conformance!(dumper(Engine::MariaDb).await);
    // Its restorer is the one of handler-mysqldump behind the same wrapper as the two above, and takes a minute.
}
