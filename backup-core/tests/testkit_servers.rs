//! A private server serves, and is gone afterwards however its test ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use backup_core::{
    process::Tool,
    testkit::{mysql::PrivateMysql, postgres::PrivatePostgres},
};
use futures::TryStreamExt;

/// Longer than any step takes, on a machine that is very busy.
const LONG: Duration = Duration::from_secs(60);

/// The processes that have the directory's name among their arguments, or work in it.
fn processes_of(directory: &Path) -> Vec<PathBuf> {
    let name = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
    processes
        .filter(|process| {
            let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(name)
                || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .collect()
}

async fn until_gone(directory: &Path) {
    let start = Instant::now();
    while directory.exists() || !processes_of(directory).is_empty() {
        let left = processes_of(directory);
        assert!(start.elapsed() < LONG, "left: {} {left:?}", directory.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_answers_and_a_drop_leaves_nothing() {
    let server = PrivatePostgres::start().await;
    let directory = server.directory().to_owned();
    assert_eq!(server.psql("postgres", "select 1; select 'é', 2").await, "1\né|2");
    assert_eq!(server.psql("postgres", "show server_encoding; show fsync").await, "UTF8\noff");
    server.create_database("Odd \"name'd/%").await;
    let by_url = Tool::new("psql", server.bin("psql"))
        .args(["-X", "-A", "-t", "-c", "select current_database()"])
        .env("PGPASSWORD", "not this one")
        .args([server.url("Odd \"name'd/%")])
        .output(1000)
        .await
        .unwrap();
    assert_eq!(by_url.stdout, "Odd \"name'd/%\n");
    assert!(!processes_of(&directory).is_empty());
    drop(server);
    assert!(!directory.exists() && processes_of(&directory).is_empty(), "the drop waits");
}

#[tokio::test]
async fn a_mysql_server_answers_and_a_drop_leaves_nothing() {
    let server = PrivateMysql::start().await;
    let directory = server.directory().to_owned();
    assert_eq!(server.sql("", "select 1; select 'é', 2;").await, "1\né\t2");
    server.create_database("Odd `name'd/%").await;
    assert_eq!(server.sql("Odd `name'd/%", "select database();").await, "Odd `name'd/%");
    for (password, lets_in) in [(server.password().expose(), true), ("wrong", false), ("", false)] {
        let client = Tool::new("mysql", server.client())
            .args(["--no-defaults", "-h", server.host(), "-u", server.superuser(), "-e", "select 1"])
            .args(["--protocol=tcp", "-P", &server.port().to_string()])
            .env("MYSQL_PWD", password);
        assert_eq!(client.output(1000).await.is_ok(), lets_in, "over TCP too");
    }
    assert!(!processes_of(&directory).is_empty());
    drop(server);
    assert!(!directory.exists() && processes_of(&directory).is_empty(), "the drop waits");
}

#[tokio::test]
async fn a_killed_mysql_server_leaves_nothing() {
    let server = PrivateMysql::start().await;
    let directory = server.directory().to_owned();
    server.kill_server();
    drop(server);
    until_gone(&directory).await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_over_tcp_and_socket() {
    let server = PrivatePostgres::start().await;
    let socket = server.socket_dir();
    for host in [server.host(), socket.to_str().unwrap()] {
        let refused = Tool::new("psql", server.bin("psql"))
            .args(["-X", "-w", "-h", host, "-p", &server.port().to_string(), "-U", server.superuser()])
            .env("PGPASSWORD", "wrong")
            .output(1000)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("password authentication failed"), "{refused}");
    }
}

#[tokio::test]
async fn a_panic_leaves_nothing() {
    let (sender, directory) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async move {
        let server = PrivatePostgres::start().await;
        sender.send(server.directory().to_owned()).unwrap();
        server.psql("postgres", "select no_such_column").await
    });
    let panicked = test.await.unwrap_err().into_panic();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.contains("no_such_column"), "{message}");
    until_gone(&directory.await.unwrap()).await;
}

#[tokio::test]
async fn a_killed_session_breaks_the_others_and_the_server_recovers() {
    let server = PrivatePostgres::start().await;
    let victim = Tool::new("psql", server.bin("psql"))
        .args(["-X", "-c", "select pg_sleep(1000)"])
        .args([server.url("postgres") + "?application_name=victim"]);
    let victim = tokio::spawn(victim.output(1000));
    let start = Instant::now();
    while server.kill9_backend("victim").await == 0 {
        assert!(start.elapsed() < LONG, "the session never came");
    }
    assert!(victim.await.unwrap().is_err());
    while !server.log().contains("database system is ready to accept connections\n")
        || server.log().matches("ready to accept connections").count() < 2
    {
        assert!(start.elapsed() < LONG, "no recovery: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.psql("postgres", "select 1").await, "1");
}

#[tokio::test]
async fn a_killed_server_leaves_nothing() {
    let server = PrivatePostgres::start().await;
    let directory = server.directory().to_owned();
    server.kill_server();
    drop(server);
    until_gone(&directory).await;
}

#[tokio::test]
async fn a_killed_test_leaves_nothing() {
    let test = Tool::new("test", std::env::current_exe().unwrap()).args([
        "--exact",
        "starts_servers_and_waits_to_be_killed",
        "--ignored",
        "--nocapture",
    ]);
    let mut stream = test.stream().unwrap();
    let mut said = String::new();
    while said.matches("directory ").count() < 3 || !said.ends_with('\n') {
        let chunk = stream.try_next().await.unwrap().expect("it waits");
        said.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let directories: Vec<PathBuf> =
        said.lines().filter_map(|line| Some(line.split_once("directory ")?.1.into())).collect();
    assert!(directories.iter().all(|directory| !processes_of(directory).is_empty()));
    // This is `kill -9`.
    drop(stream);
    for directory in directories {
        until_gone(&directory).await;
    }
}

#[tokio::test]
#[ignore = "started and killed by `a_killed_test_leaves_nothing`"]
async fn starts_servers_and_waits_to_be_killed() {
    let own = PrivatePostgres::start().await;
    println!("\ndirectory {}", own.directory().display());
    println!("directory {}", PrivatePostgres::shared().await.directory().display());
    println!("directory {}", PrivateMysql::shared().await.directory().display());
    std::future::pending::<()>().await;
}
