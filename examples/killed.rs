//! The `backup` example killed, interrupted, on a full disk, and within the limits of a process.
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
use examples::testing::{self, example, files, json};

#[path = "killed/limits.rs"]
mod limits;

async fn server() -> PrivatePostgres {
    let server = PrivatePostgres::start().await;
    server.create_database("shop").await;
    // Random bytes: what is stored is about as large as the table.
    server
        .psql(
            "shop",
            "create table orders (id int primary key, token text);
             insert into orders
               select i, (select string_agg(encode(sha256((random()::text || i || j)::bytea), 'base64'), '') from generate_series(1, 20) j)
               from generate_series(1, 30000) i;",
        )
        .await;
    server
}

fn create(server: &PrivatePostgres, store: &Path) -> Command {
    testing::create(&server.url("shop"), store)
}

/// The backups that are listed, after a sweep, and every file that is left.
fn swept(store: &Path) -> (usize, Vec<String>) {
    let run = |args: &[&str]| testing::run(args, store, None);
    run(&["sweep", "--grace-hours", "0"]);
    let listed = run(&["list"])["result"]["backups"].as_array().unwrap().clone();
    for entry in &listed {
        let id = entry["manifest"]["id"].as_str().unwrap();
        assert_eq!(run(&["verify", id])["result"]["evidence"]["result"], "passed");
    }
    let mut left = files(store);
    // What is left of the sweep's lease on purpose, so that its numbers go on.
    left.retain(|file| !file.contains("/leases/"));
    (listed.len(), left)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_any_moment_is_whole_or_nothing() {
    let server = server().await;
    let (mut nothing, mut whole) = (0, 0);
    for delay in (0..1500).step_by(100) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("backups");
        std::fs::create_dir(&store).unwrap();
        let mut child = create(&server, &store).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(delay)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        match swept(&store) {
            (0, left) => {
                assert_eq!(left, Vec::<String>::new(), "after {delay} ms");
                nothing += 1;
            }
            _ => whole += 1,
        }
        let next = create(&server, &store).output().unwrap();
        assert!(next.status.success(), "the next run works: {next:?}");
    }
    assert!(nothing > 0, "{nothing} left nothing, {whole} were whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_removes_what_it_stored() {
    let server = server().await;
    // The backup must take longer than it takes to send a signal.
    for more in [100_000, 200_000] {
        server.psql("shop", &format!("insert into orders select id + {more}, token from orders")).await;
    }
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("backups");
        let child = create(&server, &store).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id().to_string();
        while !files(&store).iter().any(|file| file.ends_with(".claim.json")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(json(&output)["code"], "cancelled");
        assert_eq!(files(&store), Vec::<String>::new(), "without any sweep");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_says_so_and_leaves_no_database() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let created = json(&create(&server, folder.path()).output().unwrap());
    let id = created["result"]["backup"]["id"].as_str().unwrap();
    let mut restore = example("backup");
    restore.args(["--json", "restore", id, "--confirm", "--store"]).arg(folder.path());
    restore.env("BACKUP_TARGET_URL", server.url("shop_again"));
    let child = restore.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let others = "select count(*) from pg_database where datname like 'shop_again%'";
    while server.psql("postgres", others).await == "0" {}
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &json(&output)["code"]), (Some(2), &"cancelled".into()), "{output:?}");
    let said = json(&output)["error"].as_str().unwrap().to_owned();
    assert!(said.contains("restore") && !said.contains("stored"), "{said}");
    assert_eq!(server.psql("postgres", others).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_mid_backup_is_named_and_left_clean() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    // The estimate lets it begin; what is stored is more than that.
    let script = "set -e; mount -t tmpfs -o size=16m,mode=777 none \"$1\"; set +e
        \"$2\" --json create --store \"$1/backups\"; echo \"exit $?\" >&2; find \"$1\" -type f >&2";
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let output = Command::new("unshare")
        .arg(if root { "-m" } else { "-rm" })
        .args(["sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(example("backup").get_program())
        .env("BACKUP_DATABASE_URL", server.url("shop"))
        .output()
        .expect("unshare is installed (package util-linux)");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(json(&output)["code"], "insufficient_disk_space", "{messages}");
    assert!(messages.contains("exit 2"), "{messages}");
    assert!(
        !json(&output)["error"].as_str().unwrap().contains("estimated"),
        "it must fail in the middle: {messages}"
    );
    // `find` begins a line with the path; the error names it too, in mid-line.
    let stored = folder.path().join("backups").display().to_string();
    let left: Vec<_> = messages.lines().filter(|line| line.starts_with(&stored)).collect();
    assert!(left.is_empty(), "nothing is left: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_at_any_moment_leaves_the_old_database_or_the_new_one_and_its_safety_backup() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("backups");
    let created = json(&create(&server, &store).output().unwrap());
    // In full: the safety backup of another database may be of the same second.
    let id = format!("default/shop/{}", created["result"]["backup"]["id"].as_str().unwrap());
    let id = id.as_str();
    server.create_database("kept").await;
    server.psql("kept", "create table old as select 42 as a").await;
    let holds = "select string_agg(tablename, ' ' order by 1) from pg_tables where schemaname = 'public'";
    let (mut old, mut new) = (0, 0);
    for delay in (200..3000).step_by(400) {
        let mut restore = example("backup");
        restore.args(["--json", "restore", id, "--replace", "--confirm", "--store"]).arg(&store);
        restore.env("BACKUP_TARGET_URL", server.url("kept")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = restore.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(delay)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        match server.psql("kept", holds).await.as_str() {
            "old" => old += 1,
            "orders" => {
                assert_eq!(server.psql("kept", "select count(*) from orders").await, "30000");
                new += 1;
                break;
            }
            other => panic!("after {delay} ms it holds {other}"),
        }
        // What is left says in its name that it is no whole database.
        let others = "select count(*) from pg_database where datname like 'kept%' and datname !~ '^kept(_restoring_.*|_replaced_.*)?$'";
        assert_eq!(server.psql("postgres", others).await, "0");
    }
    assert!(old > 0, "{old} old, {new} new");

    // The next one goes on, names what the killed ones left and leaves it alone; what was there before is listed and proven.
    let sessions = "select count(*) from pg_stat_activity where application_name = 'backup'";
    while server.psql("postgres", sessions).await != "0" {}
    let beside =
        "select string_agg(datname, ' ' order by datname) from pg_database where datname like 'kept\\_re%'";
    let left = server.psql("postgres", beside).await;
    let names: Vec<&str> = left.split_whitespace().collect();
    let mut restore = example("backup");
    restore.args(["--json", "restore", id, "--replace", "--confirm", "--store"]).arg(&store);
    let output = restore.env("BACKUP_TARGET_URL", server.url("kept")).output().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!names.is_empty())), "{names:?}: {output:?}");
    let done = json(&output);
    let told = done["result"]["target"]["left_behind"].as_array().cloned().unwrap_or_default();
    assert_eq!(told, names);
    let warnings = done["result"]["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), names.len(), "{warnings:?}");
    for (name, warning) in names.iter().zip(warnings) {
        assert!(warning.as_str().unwrap().starts_with(&format!("{name} lies beside kept: ")), "{warning}");
    }
    assert_eq!(server.psql("postgres", beside).await, left);
    let safety = done["result"]["safety_backup"]["id"].as_str().unwrap();
    let listed = testing::run(&["list"], &store, None);
    let kinds = listed["result"]["backups"].as_array().unwrap().iter();
    assert!(
        kinds.clone().any(|entry| {
            entry["manifest"]["id"] == *safety && entry["manifest"]["kind"] == "pre-rollback"
        })
    );
    let verified = testing::run(&["verify", safety], &store, None);
    assert_eq!(verified["result"]["evidence"]["result"], "passed");
}
