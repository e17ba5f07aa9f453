//! The examples that prove, clone and compare, against a real PostgreSQL.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{path::Path, process::Output};

use backup_core::testkit::postgres::PrivatePostgres;
use examples::testing;

/// Runs an example with the store, and the database in the environment.
fn run(name: &str, args: &[&str], store: &Path, url: &str) -> Output {
    let mut command = testing::example(name);
    command.args(args).arg("--store").arg(store).env("BACKUP_DATABASE_URL", url).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_backed_up_proven_cloned_and_compared() {
    let server = PrivatePostgres::start().await;
    server.create_database("shop").await;
    let fill = "create table orders (id int primary key, note text);
        insert into orders select i, md5(i::text) from generate_series(1, 1000) i";
    server.psql("shop", fill).await;
    let folder = tempfile::tempdir().unwrap();
    let (store, url) = (folder.path().join("backups"), server.url("shop"));
    let created = testing::json(&testing::create(&url, &store).output().unwrap());
    let id = created["result"]["manifest"]["id"].as_str().unwrap();

    let drill =
        text(&run("restore_drill", &["--assert", "select count(*) = 1000 from orders"], &store, &url));
    assert!(drill.contains("at level equal: 1 tables, 1000 rows") && drill.contains("(RTO)"), "{drill}");
    let drill = run("restore_drill", &["--assert", "select count(*) = 999 from orders"], &store, &url);
    assert_eq!(drill.status.code(), Some(2), "{drill:?}");
    let verified = testing::run(&["verify", id, "--level", "equal"], &store, None);
    assert_eq!(verified["result"]["evidence"]["rehearsed"]["rows"], 1000);

    let clone = text(&run("clone", &[], &store, &url));
    assert!(clone.contains("shop_backup_") && clone.contains("1000 rows"), "{clone}");
    let count = "select count(*) from pg_database where datname ~ '^shop_backup_[0-9]{8}_[0-9]{6}$'";
    assert_eq!(server.psql("postgres", count).await.trim(), "1");

    server.psql("shop", "update orders set note = 'x' where id = 7").await;
    let diff = run("diff", &["--from", id], &store, &url);
    assert_eq!(diff.status.code(), Some(1), "{diff:?}");
    assert_eq!(String::from_utf8_lossy(&diff.stdout), "~ public.orders: other rows, 1000 as before\n");
    let same = text(&run("diff", &["--from", id, "--to", id], &store, &url));
    assert_eq!(same, "nothing differs\n");
}
