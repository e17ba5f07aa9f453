//! The examples against a real MariaDB or MySQL.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use std::{
    path::Path,
    process::{Command, Output},
};

use backup_core::testkit::mysql::PrivateMysql;
use examples::testing::{self, example, json};

async fn server() -> PrivateMysql {
    let server = PrivateMysql::start().await;
    server.create_database("shop").await;
    let fill = "CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE nothing (a int);
        INSERT INTO orders VALUES (1, 'it''s'), (2, NULL), (3, ');');
        CREATE TABLE plain (a int) ENGINE=MyISAM;
        CREATE VIEW seen AS SELECT id FROM orders;";
    server.sql("shop", fill).await;
    server
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn create(server: &PrivateMysql, store: &Path) -> Command {
    testing::create(&server.url("shop"), store)
}

#[tokio::test]
async fn a_backup_is_made_verified_and_restored_with_its_warnings_told() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let created = run(&mut create(&server, folder.path()));
    assert_eq!(created.status.code(), Some(1), "done with a warning: {created:?}");
    let created = json(&created);
    let manifest = &created["result"]["manifest"];
    assert_eq!((manifest["engine"].as_str(), manifest["format"].as_str()), (Some("mysql"), Some("plain")));
    assert!(manifest["warnings"][0].as_str().unwrap().contains("plain (MyISAM)"), "{manifest}");
    let names: Vec<&str> = manifest["inventory"]["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["nothing", "orders", "plain"]);

    let id = manifest["id"].as_str().unwrap();
    let mut verify = example("backup");
    verify.args(["verify", id, "--level", "decoded", "--store"]).arg(folder.path());
    assert!(run(&mut verify).status.success());
    let mut restore = example("backup");
    restore.args(["restore", id, "--confirm", "--store"]).arg(folder.path());
    restore.env("BACKUP_TARGET_URL", server.url("shop_again"));
    let restored = run(&mut restore);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(server.sql("shop_again", "SELECT COUNT(*) FROM seen;").await, "3");
    let shown = format!("{restored:?} {created:?}");
    assert!(!shown.contains(server.password().expose()));
}

#[tokio::test]
async fn the_shortest_service_backs_up_and_proves() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let mut service = example("mysql_to_local");
    service.current_dir(folder.path()).env("DATABASE_URL", server.url("shop"));
    let done = run(&mut service);
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("production/shop/backup-") && said.contains("and proven"), "{said}");
    let unset = run(example("mysql_to_local").current_dir(folder.path()).env_remove("DATABASE_URL"));
    assert_eq!(unset.status.code(), Some(3));
}

#[tokio::test]
async fn a_wrong_password_is_one_clear_error_and_leaves_nothing() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let mut wrong = create(&server, folder.path());
    let url = format!("mysql://root:Geheim9@{}:{}/shop", server.host(), server.port());
    let output = run(wrong.env("BACKUP_DATABASE_URL", url));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(json(&output)["code"], "authentication_failed");
    assert!(!format!("{output:?}").contains("Geheim9"));
    let left = std::fs::read_dir(folder.path()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing is made for a backup that never began");
}
