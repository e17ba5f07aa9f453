//! Who is killed in mid-restore leaves the old database as it was.

use std::time::{Duration, Instant};

use backup_core::{ByteStream, ErrorKind, OnExisting, Restorer, Selection};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::oneshot;

use crate::{
    round_trip::{plain, whole},
    server::Server,
};

/// The clients that restore into `database` or beside it, by their arguments.
fn clients_of(database: &str) -> Vec<String> {
    let wanted = format!("--database={database}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|argument| argument.starts_with(wanted.as_bytes())) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// All of the dump but its end, which comes after the kill.
fn held_back(dump: &Bytes, killed: oneshot::Receiver<()>) -> ByteStream {
    let (part, end) = dump.split_at(dump.len() - 2000);
    let chunks: Vec<_> = part.chunks(20_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let end = Bytes::copy_from_slice(end);
    let last = futures::stream::once(async move {
        killed.await.unwrap();
        Ok(end)
    });
    ByteStream::new(futures::stream::iter(chunks).chain(last))
}

#[tokio::test]
async fn a_killed_client_or_session_leaves_the_old_database() {
    let server = Server::start().await;
    server.fill("kill_source", 3000).await;
    let dump = whole(&server.dump("kill_source")).await;
    server.create_database("kill_empty").await;
    for full in ["kill_full", "kill_chosen"] {
        server.create_database(full).await;
        server.sql(full, "CREATE TABLE orders (old text); INSERT INTO orders VALUES ('old'); CREATE VIEW v AS SELECT 1;").await;
    }
    for victim in ["client", "session"] {
        for target in ["kill_new", "kill_empty", "kill_full", "kill_chosen"] {
            let case = format!("{victim} {target}");
            let restore = server.restore(target);
            let mut options = plain().with_on_existing(OnExisting::Replace);
            if target == "kill_chosen" {
                options = options.with_selection(Selection::Tables(vec!["orders".to_owned()]));
                let selected = restore.select(ByteStream::from(dump.clone()), &options).await.unwrap();
                options = options.with_selected(selected);
            }
            let exists = server.databases().await.contains(&target.to_owned());
            let before = exists.then(|| server.stock_dump(target));
            let (kill, killed) = oneshot::channel();
            let running = tokio::spawn({
                let body = held_back(&dump, killed);
                async move { restore.restore(body, options).await }
            });
            // It has begun to change something.
            let orders = format!(
                "SELECT COUNT(*) > 0 FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE '{target}%' AND TABLE_NAME = 'orders' \
                 AND (TABLE_SCHEMA LIKE '%\\_restoring\\_%' OR TABLE_SCHEMA IN ('kill_new', 'kill_empty'));"
            );
            server.wait_for(&orders, "1").await;
            let limit = Instant::now() + Duration::from_secs(60);
            while clients_of(target).is_empty() {
                assert!(Instant::now() < limit, "{case}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if victim == "client" {
                for client in clients_of(target) {
                    std::process::Command::new("kill").args(["-9", &client]).status().unwrap();
                }
            } else {
                let sessions =
                    format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB LIKE '{target}%';");
                for id in server.sql("", &sessions).await.lines() {
                    server.sql("", &format!("KILL {id};")).await;
                }
            }
            let _the_body_may_be_gone = kill.send(());
            let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
            let err = ended.expect("the restore ends").unwrap().unwrap_err();
            assert!(matches!(err.kind(), ErrorKind::ToolFailed | ErrorKind::Unavailable), "{case}: {err:?}");
            let exists = server.databases().await.contains(&target.to_owned());
            assert_eq!(exists.then(|| server.stock_dump(target)), before, "{case}");
            assert_eq!(server.leftovers(target).await, Vec::<String>::new(), "{case}");
            assert_eq!(server.restore(target).probe().await.unwrap().left_behind, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_dead_server_is_an_error_that_says_what_may_be_left() {
    let server = Server::start().await;
    server.fill("dead_source", 3000).await;
    let dump = whole(&server.dump("dead_source")).await;
    let (kill, killed) = oneshot::channel();
    let restore = server.restore("dead_new");
    let running = tokio::spawn(async move { restore.restore(held_back(&dump, killed), plain()).await });
    let marked = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'dead_new' \
                  AND TABLE_NAME IN ('orders', '_backup_restore_unfinished');";
    server.wait_for(marked, "2").await;
    server.kill_server();
    let _the_body_may_be_gone = kill.send(());
    let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
    let err = ended.expect("the restore ends").unwrap().unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
    assert!(err.context().any(|(key, value)| key == "left_behind" && value == "dead_new"), "{err:?}");
}
