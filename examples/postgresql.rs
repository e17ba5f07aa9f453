//! The `backup` example against a real PostgreSQL: every format, secrets, and tools that die.
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
    process::{Command, Stdio},
    time::Duration,
};

use backup_core::testkit::postgres::PrivatePostgres;
use examples::testing::{self, files, json, run};

async fn server(rows: u32) -> PrivatePostgres {
    let server = PrivatePostgres::start().await;
    server.create_database("shop").await;
    let fill = format!(
        "create table customers (id int primary key, name text);
         create table orders (id int primary key, customer int references customers, note text);
         create table nothing ();
         insert into customers select i, 'Customer ' || i from generate_series(1, 10) i;
         insert into orders select i, 1 + i % 10, md5(i::text) || E'\\\\.\\n\\t' from generate_series(1, {rows}) i;"
    );
    server.psql("shop", &fill).await;
    server
}

fn create(server: &PrivatePostgres, store: &Path, format: &str) -> Command {
    let mut command = testing::create(&server.url("shop"), store);
    command.args(["--format", format]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The `pg_dump` of a process that dumps, and does not only tell its version.
fn dumping_child_of(parent: u32) -> Option<u32> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (start, rest) = stat.rsplit_once(") ")?;
        let is_child = rest.split(' ').nth(1)? == parent.to_string();
        let (pid, command) = start.split_once(" (")?;
        let argv = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        if is_child && command == "pg_dump" && argv.contains("--format") { pid.parse().ok() } else { None }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_comes_back_with_the_same_rows() {
    let server = server(5000).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("backups");
    for format in ["plain", "custom", "directory"] {
        let output = create(&server, &store, format).output().unwrap();
        assert!(output.status.success(), "{format}: {output:?}");
        let created = json(&output);
        let id = created["result"]["backup"]["id"].as_str().unwrap();
        let verified = run(&["verify", id], &store, None);
        assert_eq!(verified["result"]["evidence"]["level"], "decoded", "{format}");

        let copy = format!("copy_{format}");
        let restored = run(&["restore", id, "--confirm"], &store, Some(&server.url(&copy)));
        assert_eq!(
            (&restored["result"]["tables"], &restored["result"]["rows"]),
            (&3.into(), &5010.into()),
            "{format}"
        );
        let compared = if format == "plain" { "equal" } else { "not-recorded" };
        assert_eq!(restored["result"]["rows_compared"], compared, "{format}");
        let sum = "select count(*) || ' ' || md5(string_agg(o::text, '|' order by id)) from orders o";
        assert_eq!(server.psql("shop", sum).await, server.psql(&copy, sum).await, "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_nowhere_to_be_seen() {
    let server = server(200_000).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("backups");
    let url = server.url("shop");
    let password = server.password().expose().to_owned();
    // As it is, and as it stands in the URL.
    let encoded =
        url.split_once("://").unwrap().1.split_once('@').unwrap().0.split_once(':').unwrap().1.to_owned();
    let shown = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.contains(&password) || text.contains(&encoded)
    };
    assert!(shown(url.as_bytes()), "the check itself works");

    let child = create(&server, &store, "plain").env("RUST_LOG", "trace").spawn().unwrap();
    let pid = child.id();
    let mut looks = 0;
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    while !waiting.is_finished() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let argv = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            assert!(!shown(&argv), "{}", String::from_utf8_lossy(&argv));
            looks += usize::from(entry.file_name().to_str() == Some(&pid.to_string()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let output = waiting.await.unwrap();
    assert!(output.status.success() && looks > 3, "{looks} looks: {output:?}");
    assert!(!shown(&output.stdout) && !shown(&output.stderr));
    assert!(!output.stderr.is_empty(), "the log was on");
    for file in files(&store) {
        assert!(!shown(&std::fs::read(&file).unwrap()), "{file}");
    }

    // An error that names the connection.
    let wrong = url.replace("/shop", "/no_such_database");
    let output = create(&server, &store, "plain").env("BACKUP_DATABASE_URL", wrong).output().unwrap();
    assert_eq!((output.status.code(), &json(&output)["code"]), (Some(2), &"database_not_found".into()));
    assert!(!shown(&output.stdout) && !shown(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named() {
    let server = server(10).await;
    let folder = tempfile::tempdir().unwrap();
    let (user, rest) = (server.superuser(), server.url("shop"));
    let host = rest.rsplit_once('@').unwrap().1.to_owned();
    let wrong = format!("postgresql://{user}:wrong@{host}");
    let output = create(&server, &folder.path().join("backups"), "plain")
        .env("BACKUP_DATABASE_URL", wrong)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), &json(&output)["code"]), (Some(2), &"authentication_failed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_or_a_server_session_that_is_killed_leaves_no_backup() {
    let server = server(400_000).await;
    for victim in ["pg_dump", "session"] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("backups");
        let child = create(&server, &store, "plain").spawn().unwrap();
        let pid = child.id();
        let tool = loop {
            if let Some(tool) = dumping_child_of(pid) {
                break tool;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        if victim == "pg_dump" {
            assert!(Command::new("kill").args(["-9", &tool.to_string()]).status().unwrap().success());
        } else {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                       where datname = 'shop' and pid <> pg_backend_pid()";
            while server.psql("shop", end).await == "0" {}
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{victim}: {output:?}");
        let error = json(&output);
        assert!(
            ["tool_failed", "unavailable", "dump_incomplete", "database_connection_failed"]
                .contains(&error["code"].as_str().unwrap()),
            "{victim}: {error}"
        );
        assert!(!error["recovery"]["suggestions"].as_array().unwrap().is_empty(), "{victim}: {error}");
        for named in ["backup: default/shop/backup-", "database: shop", "server: "] {
            assert!(error["error"].as_str().unwrap().contains(named), "{victim}: {named}: {error}");
        }
        assert_eq!(files(&store), Vec::<String>::new(), "{victim}");
        let next = create(&server, &store, "plain").output().unwrap();
        assert!(next.status.success(), "the next run works: {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_tables_and_definitions_come_back_and_a_dry_run_says_what_that_means() {
    let server = server(50).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("backups");
    let created = json(&create(&server, &store, "plain").output().unwrap());
    let id = created["result"]["backup"]["id"].as_str().unwrap();

    let orders = ["restore", id, "--table", "public.orders"];
    let planned = run(&[&orders[..], &["--dry-run"]].concat(), &store, Some(&server.url("part")));
    let selected = &planned["result"]["selected"];
    assert_eq!(selected["tables"], serde_json::json!(["public.orders"]));
    assert!(selected["notes"][0].as_str().unwrap().contains("refers to public.customers"), "{planned}");
    assert!(planned["message"].as_str().unwrap().contains("\n  note    foreign key"), "{planned}");
    assert_eq!(planned["result"]["rows"], 50);

    let restored = run(&[&orders[..], &["--confirm"]].concat(), &store, Some(&server.url("part")));
    assert_eq!(
        (&restored["result"]["tables"], &restored["result"]["rows_compared"]),
        (&1.into(), &"equal".into())
    );
    // Beside what is there now, and again over it.
    let more = ["restore", id, "--table", "public.customers", "--confirm"];
    assert_eq!(
        run(&more, &store, Some(&server.url("part")))["result"]["safety_backup"],
        serde_json::Value::Null
    );
    let both =
        ["restore", id, "--table", "public.customers", "--table", "public.orders", "--replace", "--confirm"];
    let replaced = run(&both, &store, Some(&server.url("part")));
    assert!(replaced["result"]["safety_backup"]["id"].is_string(), "{replaced}");
    assert_eq!(
        server.psql("part", "select (select count(*) from orders), (select count(*) from customers)").await,
        "50|10"
    );

    let bare = run(&["restore", id, "--definitions-only", "--confirm"], &store, Some(&server.url("bare")));
    assert_eq!((&bare["result"]["tables"], &bare["result"]["rows"]), (&3.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_copies_that_fails_is_reported_and_repaired() {
    let server = server(500).await;
    let database =
        examples::database::dumper(&server.url("shop"), None, examples::database::host(None).unwrap());
    testing::one_of_two_copies_fails(database.unwrap()).await;
}
