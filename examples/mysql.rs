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
    process::{Command, Output, Stdio},
    time::Duration,
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

/// The name of the table that says that a database is not whole.
const MARK: &str = "_backup_restore_unfinished";

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_moment_leaves_the_old_database_the_new_one_or_a_marked_one() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    for doubled in 0..13 {
        let more = format!("INSERT INTO orders SELECT id + {}, note FROM orders;", 3 << doubled);
        server.sql("shop", &more).await;
    }
    server.sql("shop", "UPDATE orders SET note = REPEAT(SHA2(id, 256), 15);").await;
    let created = json(&run(&mut create(&server, folder.path())));
    // In full: the safety backup of another database may be of the same second.
    let id = format!("default/shop/{}", created["result"]["backup"]["id"].as_str().unwrap());
    let id = id.as_str();
    server.create_database("kept").await;
    server.sql("kept", "CREATE TABLE old AS SELECT 42 AS a").await;
    let restore = |target: &str| {
        let mut restore = example("backup");
        restore.args(["--json", "restore", id, "--replace", "--confirm", "--store"]).arg(folder.path());
        restore.env("BACKUP_TARGET_URL", server.url(target));
        restore
    };
    let (mut killed, mut marked) = (0, 0);
    for target in ["kept", "new"] {
        for delay in (200..3000).step_by(400) {
            let mut child = restore(target).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            // What the client had sent is carried out yet.
            let at_work =
                format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB LIKE '{target}%';");
            while server.sql("", &at_work).await != "0" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let tables = format!(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{target}' ORDER BY 1;"
            );
            let tables = server.sql("", &tables).await;
            match tables.split_whitespace().collect::<Vec<_>>()[..] {
                ["old"] => {}
                [] if target == "new" => {}
                ["nothing", "orders", "plain", "seen"] => {
                    assert_eq!(server.sql(target, "SELECT COUNT(*) FROM orders;").await, "24576");
                }
                ref tables if tables.contains(&MARK) => marked += 1,
                ref tables => panic!("{target} after {delay} ms: {tables:?}"),
            }
            if ended {
                break;
            }
            killed += 1;
        }
        // The next one goes on.
        let done = run(&mut restore(target));
        assert!(done.status.success() || done.status.code() == Some(1), "{done:?}");
        assert_eq!(server.sql(target, "SELECT COUNT(*) FROM orders;").await, "24576");
    }
    assert!(killed > 3 && marked > 0, "{killed} killed, {marked} of them marked");

    // What was there before any of it is listed.
    let listed = testing::run(&["list"], folder.path(), None);
    let listed = listed["result"]["backups"].as_array().unwrap();
    let of_old = |entry: &&serde_json::Value| {
        let tables = &entry["manifest"]["inventory"]["tables"];
        entry["manifest"]["kind"] == "pre-rollback" && tables[0]["name"] == "old"
    };
    let safety = listed.iter().find(of_old).expect("a safety backup of the old database");
    let safety = safety["manifest"]["id"].as_str().unwrap();
    let verify = run(example("backup").args(["--json", "verify", safety, "--store"]).arg(folder.path()));
    assert_eq!(json(&verify)["result"]["evidence"]["result"], "passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_copies_that_fails_is_reported_and_repaired() {
    let server = server().await;
    let database =
        examples::database::dumper(&server.url("shop"), None, examples::database::host(None).unwrap());
    testing::one_of_two_copies_fails(database.unwrap()).await;
}
