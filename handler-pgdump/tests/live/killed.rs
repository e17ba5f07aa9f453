//! Who is killed in mid-restore leaves the old database as it was.

use std::time::{Duration, Instant};

use backup_core::{ByteStream, Dumper, ErrorKind, OnExisting, Restorer, Selection};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::Format;
use tokio::sync::oneshot;

use crate::{
    round_trip::{options, whole},
    server::Server,
};

/// The `psql` or `pg_restore` of a restore into `database` or beside it, by their environment.
fn clients_of(database: &str) -> Vec<String> {
    let wanted = format!("PGDATABASE={database}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let ours = variables.any(|variable| variable.starts_with(wanted.as_bytes()));
        let arguments = String::from_utf8_lossy(&arguments);
        // Not the questions that are asked before.
        if ours && (arguments.contains("--output=/dev/null") || arguments.contains("--exit-on-error")) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// All of the dump but its end, which comes after the kill: a `psql` that reads its input looks at nothing else.
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

/// What the server logs when it has started, and when it has recovered.
const READY: &str = "ready to accept connections";

async fn killed_in_mid_restore(format: Format, victim: &str) {
    let server = Server::start().await;
    server.fill("kill_source", 3000);
    let dump = whole(&server.dump("kill_source").format(format)).await;
    // Clients are found by the names of databases: another test has others.
    let [new, empty, full, chosen] =
        ["new", "empty", "full", "chosen"].map(|case| format!("{case}_for_dead_{victim}"));
    server.create(&empty);
    server.create(&full);
    server.sql(&full, "CREATE TABLE public.old AS SELECT 42 AS a");
    server.create(&chosen);
    server.sql(&chosen, "CREATE TABLE public.lines (old text); INSERT INTO lines VALUES ('old')");
    for target in [&new, &empty, &full, &chosen].map(String::as_str) {
        let case = format!("{format:?} {victim} {target}");
        let restore = server.restore(target);
        let mut options = options(format).with_on_existing(OnExisting::Replace);
        if target == chosen {
            if format != Format::Plain {
                // The script begins once the archive has ended.
                continue;
            }
            options = options.with_selection(Selection::Tables(vec!["public.lines".to_owned()]));
            let selected = restore.select(ByteStream::from(dump.clone()), &options).await.unwrap();
            assert_eq!(selected.existing, ["public.lines"]);
            options = options.with_selected(selected);
        }
        let before: Vec<String> = if server.databases().contains(&target.to_owned()) {
            vec![server.stock_dump(target)]
        } else {
            Vec::new()
        };
        let mut starts = 0;
        let (kill, killed) = oneshot::channel();
        let running = tokio::spawn({
            let (restore, body) = (restore.clone(), held_back(&dump, killed));
            async move { restore.restore(body, options).await }
        });
        let limit = Instant::now() + Duration::from_secs(60);
        while clients_of(target).is_empty() {
            assert!(Instant::now() < limit, "{case}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It has begun to change something.
        let changing = format!(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'backup' AND backend_xid IS NOT NULL
               AND datname LIKE '{target}%' OR application_name = 'backup' AND datname LIKE '{target}\\_restoring\\_%'"
        );
        while server.sql("postgres", &changing).trim() != "t" {
            assert!(!running.is_finished(), "{case}: {:?}", running.await.unwrap());
            assert!(Instant::now() < limit, "{case}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if victim == "client" {
            for client in clients_of(target) {
                std::process::Command::new("kill").args(["-9", &client]).status().unwrap();
            }
        } else {
            // The server takes the loss of one of its processes for a crash, and recovers.
            starts = server.log().matches(READY).count();
            // What was seen may have been a session that has ended since.
            while server.kill9_backend("backup").await == 0 {
                assert!(Instant::now() < limit, "{case}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let _the_body_may_be_gone = kill.send(());
        let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
        let err = ended.expect("the restore ends").unwrap().unwrap_err();
        assert!(
            matches!(
                err.kind(),
                ErrorKind::ToolFailed | ErrorKind::Unavailable | ErrorKind::ConnectionFailed
            ),
            "{case}: {err:?}"
        );
        // It may still have to notice, and would end the next restore then.
        while victim == "server" && server.log().matches(READY).count() <= starts {
            assert!(Instant::now() < limit, "{case}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while server.dump("postgres").probe().await.is_err() {
            assert!(Instant::now() < limit, "{case}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let after: Vec<String> = if server.databases().contains(&target.to_owned()) {
            vec![server.stock_dump(target)]
        } else {
            Vec::new()
        };
        assert_eq!(after, before, "{case}");
        // What could not be removed from a server that recovers says so in its name.
        let left = server.leftovers(target);
        assert!(victim == "server" || left.is_empty(), "{case}: {left:?}");
        assert!(left.iter().all(|name| name.contains("_restoring_")), "{case}: {left:?}");
        assert_eq!(server.restore(target).probe().await.unwrap().left_behind, left, "{case}");
    }
}

#[tokio::test]
async fn a_killed_client_leaves_the_old_database() {
    killed_in_mid_restore(Format::Plain, "client").await;
    killed_in_mid_restore(Format::Custom, "client").await;
}

#[tokio::test]
async fn a_crashed_server_has_the_old_database() {
    killed_in_mid_restore(Format::Plain, "server").await;
    killed_in_mid_restore(Format::Custom, "server").await;
}
