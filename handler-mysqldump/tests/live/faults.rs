//! Whatever goes wrong in a dump is the last item of its body.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use backup_core::{ByteStream, Dumper, Error, ErrorKind};
use futures::StreamExt;
use handler_mysqldump::{MysqlConfig, MysqlDump, Tls};

use crate::server::Server;

/// More than fits into any pipe or buffer between the server and the reader of the body.
const ROWS: u32 = 60_000;

async fn rest(mut body: ByteStream) -> Option<Error> {
    while let Some(item) = body.next().await {
        if let Err(err) = item {
            assert!(body.next().await.is_none());
            return Some(err);
        }
    }
    None
}

#[tokio::test]
async fn connection_errors_are_told_apart_before_the_first_byte() {
    let server = Server::shared().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.create_database("refusing").await;
    for (config, kind) in [
        (MysqlConfig::new("refusing").host("no-such-host.invalid"), ErrorKind::ConnectionFailed),
        (MysqlConfig::new("refusing").port(free), ErrorKind::ConnectionFailed),
        (MysqlConfig::new("refusing").socket("/no/such/socket"), ErrorKind::ConnectionFailed),
        (server.config("refusing").user("nobody-here"), ErrorKind::AuthenticationFailed),
        (server.config("refusing").password("wrong-Geheim9"), ErrorKind::AuthenticationFailed),
        (server.config("missing"), ErrorKind::DatabaseNotFound),
    ] {
        let shown = format!("{config:?}");
        let err = MysqlDump::new(config).client_dir(server.clients()).dump().await.unwrap_err();
        assert_eq!(err.kind(), kind, "{shown}: {err:?}");
        assert!(!err.suggestions().is_empty() && err.operation() == "dump", "{err:?}");
        let all = format!("{err} {err:?} {:?} {shown}", err.suggestions());
        assert!(!all.contains("Geheim9") && !all.contains(server.password().expose()), "{all}");
    }
}

#[tokio::test]
async fn a_connection_that_has_to_be_encrypted_is_or_is_refused() {
    let server = Server::shared().await;
    server.create_database("secret").await;
    let required = server.config("secret").tls(Tls::Required);
    let result = MysqlDump::new(required).client_dir(server.clients()).probe().await;
    let has_tls = server.sql("", "SHOW GLOBAL VARIABLES LIKE 'have_ssl';").await.contains("YES")
        || !server.is_mariadb();
    match result {
        Ok(_) => assert!(has_tls),
        Err(err) => assert_eq!((err.kind(), has_tls), (ErrorKind::ConnectionFailed, false), "{err:?}"),
    }
    let strict = server.config("secret").tls(Tls::VerifyIdentity).tls_ca("/etc/hostname");
    let err = MysqlDump::new(strict).client_dir(server.clients()).probe().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ConnectionFailed, "{err:?}");
    for tls in [Tls::Disabled, Tls::Preferred] {
        MysqlDump::new(server.config("secret").tls(tls)).client_dir(server.clients()).probe().await.unwrap();
    }
}

#[tokio::test]
async fn a_session_or_server_that_ends_is_an_error_not_an_end() {
    let server = Server::start().await;
    server.fill("ended", ROWS).await;
    let mut body = server.dump("ended").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    let sessions = "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'ended';";
    for id in server.sql("", sessions).await.lines() {
        server.sql("", &format!("KILL {id};")).await;
    }
    let err = rest(body).await.expect("the body must not end cleanly");
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");

    let mut body = server.dump("ended").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    server.kill_server();
    let err = rest(body).await.expect("the body must not end cleanly");
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
}

/// The processes that dump a database, known by its name as their last argument.
fn dumps_of(database: &str) -> Vec<String> {
    let wanted = format!("\0{database}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|entry| {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).ends_with(&wanted)
            && String::from_utf8_lossy(&arguments).contains("dump")
    });
    ours.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_killed_program_is_an_error_not_an_end_and_a_dropped_body_ends_it() {
    let server = Server::shared().await;
    server.fill("killed_dump", ROWS).await;
    let mut body = server.dump("killed_dump").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    let found = dumps_of("killed_dump");
    assert_eq!(found.len(), 1);
    std::process::Command::new("kill").args(["-9", &found[0]]).status().unwrap();
    let err = rest(body).await.expect("the body must not end cleanly");
    assert_eq!(err.kind(), ErrorKind::ToolFailed, "{err:?}");

    let mut body = server.dump("killed_dump").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    drop(body);
    for _ in 0..600 {
        if dumps_of("killed_dump").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("left: {:?}", dumps_of("killed_dump"));
}

#[tokio::test]
async fn the_password_is_in_no_argument_no_environment_and_no_file_while_a_dump_runs() {
    let server = Server::shared().await;
    server.fill("hidden", ROWS).await;
    let mut body = server.dump("hidden").dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    let ours = dumps_of("hidden");
    assert_eq!(ours.len(), 1);
    let password = server.password();
    for place in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{}/{place}", ours[0])).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(password.expose()), "{place}");
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", ours[0])).unwrap();
    let arguments = String::from_utf8(arguments).unwrap();
    assert!(arguments.contains("\0--defaults-file=/dev/fd/3\0"), "{arguments}");
    let open = format!("/proc/{}/fd/3", ours[0]);
    assert_eq!(std::fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&open).unwrap().contains("[client]"));
    let link = std::fs::read_link(&open).unwrap().display().to_string();
    let was = link.strip_suffix(" (deleted)").expect("nothing of it is on the disk while the dump runs");
    assert!(!Path::new(was).parent().unwrap().exists());
    drop(body);
}

fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder with the real client and a program that says it is `version`, then runs `body`.
fn with_fake_dump(server: &Server, version: &str, body: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let client = server.client();
    std::os::unix::fs::symlink(client, folder.path().join(client.file_name().unwrap())).unwrap();
    script(
        folder.path(),
        "mysqldump",
        &format!("case \"$*\" in --version) echo 'mysqldump  Ver {version}'; exit 0;; esac\n{body}"),
    );
    folder
}

/// What the program of MariaDB says of itself.
const SAME: &str = "10.19 Distrib 10.11.1-MariaDB, for Linux (x86_64)";

/// A dump by a fake program, and the folder that holds it.
async fn fake(server: &Server, version: &str, body: &str) -> (MysqlDump, tempfile::TempDir) {
    let folder = with_fake_dump(server, version, body);
    // Without generated columns, which a program of another flavour is not let near.
    server.sql("", "CREATE DATABASE IF NOT EXISTS faked").await;
    (MysqlDump::new(server.config("faked")).client_dir(folder.path()), folder)
}

#[tokio::test]
async fn success_without_the_end_of_the_format_is_incomplete() {
    let server = Server::shared().await;
    for body in [
        "exit 0",
        "echo 'SELECT 1;'",
        "echo 'x -- Dump completed'",
        "echo '-- Dump completed'; echo 'DROP TABLE x;'",
    ] {
        let (dump, _folder) = fake(&server, SAME, body).await;
        let err = rest(dump.dump().await.unwrap().body).await.unwrap();
        assert_eq!(err.kind(), ErrorKind::Incomplete, "{body}: {err:?}");
    }
}

#[tokio::test]
async fn a_program_that_fails_or_hangs_says_so() {
    let server = Server::shared().await;
    let failing = "echo '-- Dump completed'; echo 'mysqldump: Got error: 9999: out of cheese' >&2; exit 3";
    let (failing, _folder) = fake(&server, SAME, failing).await;
    let err = rest(failing.dump().await.unwrap().body).await.unwrap();
    assert_eq!(err.kind(), ErrorKind::ToolFailed);
    assert!(err.to_string().contains("out of cheese"), "{err}");
    let (hanging, _folder) = fake(&server, SAME, "echo x; sleep 600").await;
    let hanging = hanging.idle_timeout(Duration::from_millis(300));
    let err = rest(hanging.dump().await.unwrap().body).await.unwrap();
    assert_eq!(err.kind(), ErrorKind::Timeout, "{err:?}");
}

#[tokio::test]
async fn a_missing_client_is_named_with_its_package() {
    let server = Server::shared().await;
    let nothing = tempfile::tempdir().unwrap();
    let err = MysqlDump::new(server.config("mysql")).client_dir(nothing.path()).dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound, "{err:?}");
    for package in ["mariadb-client", "mysql-client"] {
        assert!(err.suggestions().iter().any(|text| text.contains(package)), "{err:?}");
    }
}

#[tokio::test]
async fn a_program_of_another_flavour_is_a_warning_that_names_the_package() {
    let server = Server::shared().await;
    let foreign = if server.is_mariadb() { "9.7.4 for Linux on x86_64" } else { SAME };
    let (dump, _folder) = fake(&server, foreign, "echo '-- Dump completed'").await;
    let dump = dump.dump().await.unwrap();
    let warned = |word: &str| dump.warnings.iter().any(|text| text.contains(word));
    assert!(warned("is not installed") && warned("-client"), "{:?}", dump.warnings);
}

#[tokio::test]
async fn what_a_restore_left_that_was_cut_off_is_backed_up_with_a_warning() {
    let server = Server::shared().await;
    server.sql("", "CREATE DATABASE cut_off").await;
    server.sql("cut_off", "CREATE TABLE orders (id int PRIMARY KEY)").await;
    let warned = || async {
        let dump = server.dump("cut_off").dump().await.unwrap();
        dump.warnings.iter().any(|warning| warning.contains("cut off"))
    };
    assert!(!warned().await);
    server.sql("cut_off", "CREATE TABLE _backup_restore_unfinished (token int)").await;
    assert!(warned().await);
}
