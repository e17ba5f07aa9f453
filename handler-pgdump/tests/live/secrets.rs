//! The password is nowhere to be seen.

use backup_core::{Dumper, ErrorKind};
use futures::StreamExt;
use handler_pgdump::{Format, PasswordVia, PgDump};

use crate::server::Server;

/// Every argument of every process that this user may see.
fn all_arguments() -> Vec<Vec<u8>> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).collect()
}

#[tokio::test]
async fn a_hard_password_works_and_is_in_no_argument() {
    let server = Server::shared().await;
    server.fill("secret", 20_000);
    let password = server.password().expose().to_owned();
    for via in [PasswordVia::Environment, PasswordVia::PassFile] {
        for format in [Format::Plain, Format::Custom] {
            let dump = PgDump::new(server.config("secret").password_via(via)).format(format);
            assert!(!format!("{dump:?}").contains(&password));
            let mut body = dump.dump().await.unwrap().body;
            body.next().await.unwrap().unwrap();
            let arguments = all_arguments();
            let running = |args: &&Vec<u8>| args.windows(7).any(|part| part == b"pg_dump");
            assert!(arguments.iter().any(|args| running(&args)), "{via:?} {format:?}: pg_dump is not seen");
            let shown = |args: &Vec<u8>| args.windows(password.len()).any(|part| part == password.as_bytes());
            assert!(!arguments.iter().any(shown), "{via:?} {format:?}");
            while let Some(chunk) = body.next().await {
                chunk.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let server = Server::shared().await;
    let wrong = server.config("postgres").password("wrong-Geheim9");
    let missing = server.config("no such db");
    for (config, kind) in [(wrong, ErrorKind::AuthenticationFailed), (missing, ErrorKind::DatabaseNotFound)] {
        let err = PgDump::new(config).dump().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{err:?}");
        let shown = format!("{err} {err:?} {:?}", err.suggestions());
        assert!(!shown.contains("Geheim9") && !shown.contains(server.password().expose()), "{shown}");
    }
}

#[tokio::test]
async fn no_temporary_password_file_is_left() {
    let server = Server::shared().await;
    let count = || {
        let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("backup-"))
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("content")).ok())
            .filter(|text| text.contains("only-in-this-test"))
            .count()
    };
    let config = server.config("postgres").password("only-in-this-test").password_via(PasswordVia::PassFile);
    let err = PgDump::new(config).probe().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AuthenticationFailed);
    assert_eq!(count(), 0);
}
