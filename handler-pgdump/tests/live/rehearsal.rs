//! A rehearsal on a private server proves the dump, reaches nothing else, and leaves nothing.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use backup_core::{ByteStream, Contents, Dumper, ErrorKind, RestoreOptions, Restorer, Scratch, ScratchLike};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::{ClientSafety, Format, PgDump, PgRestore, Rehearse};
use tempfile::TempDir;

use crate::{round_trip::whole, server::Server};

/// What needs roles, and extensions that only a superuser makes.
const OWNED: &str = r#"
CREATE ROLE "App Owner"; CREATE ROLE reader; CREATE ROLE keeper; CREATE ROLE keeper_2; CREATE ROLE granted_only;
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA ext;
CREATE EXTENSION hstore WITH SCHEMA ext;
COMMENT ON EXTENSION hstore IS 'ours';
CREATE SCHEMA sales AUTHORIZATION keeper;
CREATE TABLE sales.invoices (id integer PRIMARY KEY, tags ext.hstore, at timestamptz DEFAULT '2026-07-01 12:00Z');
INSERT INTO sales.invoices SELECT i, 'a=>1' FROM generate_series(1, 7) i;
ALTER TABLE sales.invoices OWNER TO "App Owner";
CREATE TABLE sales.lines (invoice integer REFERENCES sales.invoices);
ALTER TABLE sales.lines OWNER TO keeper_2;
GRANT SELECT ON sales.invoices TO reader;
GRANT UPDATE (tags) ON sales.invoices TO granted_only WITH GRANT OPTION;
GRANT USAGE ON SCHEMA sales TO reader, granted_only;
ALTER DEFAULT PRIVILEGES FOR ROLE keeper IN SCHEMA sales GRANT SELECT ON TABLES TO reader;
ALTER TABLE sales.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE sales.invoices FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON sales.invoices FOR SELECT TO reader, "App Owner" USING (id > 3);
CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM sales.invoices;
ALTER MATERIALIZED VIEW sums OWNER TO reader;
CREATE FUNCTION answer() RETURNS integer LANGUAGE sql AS 'SELECT 42';
ALTER FUNCTION answer() OWNER TO keeper;
REVOKE ALL ON FUNCTION answer() FROM PUBLIC;
SELECT lo_from_bytea(4242, 'abc');
ALTER LARGE OBJECT 4242 OWNER TO keeper;
"#;

/// A folder that the private server's user can enter, to be empty at the end.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The directories of private servers.
    fn servers(&self) -> Vec<PathBuf> {
        let mut found: Vec<_> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    async fn assert_clean(&self, processes: &[i32]) {
        let limit = Instant::now() + Duration::from_secs(20);
        let runs = |pid: &i32| Path::new(&format!("/proc/{pid}/cwd")).read_link().is_ok();
        while !self.servers().is_empty() || processes.iter().any(runs) {
            assert!(Instant::now() < limit, "{:?} {processes:?}", self.servers());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The process ids of everything that works in the directory of a private server.
fn processes_in(folder: &Path) -> Vec<i32> {
    let all =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let works = |pid: &i32| {
        Path::new(&format!("/proc/{pid}/cwd")).read_link().is_ok_and(|place| place.starts_with(folder))
    };
    all.filter(works).collect()
}

fn rehearsals(folder: &Folder) -> PgRestore {
    held_in(folder.path())
}

fn held_in(folder: impl Into<PathBuf>) -> PgRestore {
    let restore = PgRestore::rehearsals().staging(folder);
    match std::env::var_os("BACKUP_TEST_PG_BIN") {
        Some(programs) => restore.server_dir(&programs).client_dir(programs),
        None => restore,
    }
}

async fn scratch(restore: &PgRestore) -> Box<dyn Scratch> {
    restore.scratch(&ScratchLike::anything()).await.unwrap()
}

/// The text of a database without what differs from run to run.
async fn text(dumper: &dyn Dumper) -> String {
    let dump = dumper.dump().await.unwrap();
    let bytes = dump.body.collect_bytes(1 << 28).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_comes_back_has_its_owners_grants_and_extensions_in_every_format() {
    let server = Server::start().await;
    server.fill("owned", 60);
    server.sql("owned", OWNED);
    // What is the same moment is written in the same words.
    server.sql("owned", "ALTER DATABASE owned SET timezone = 'Asia/Tokyo'");
    let folder = Folder::new();
    let source = server.dump("owned");
    let like = ScratchLike::source(&source.probe().await.unwrap());
    let expected = text(&source).await;
    for (format, jobs) in
        [(Format::Plain, 1), (Format::Custom, 1), (Format::Custom, 2), (Format::Directory { jobs: 2 }, 1)]
    {
        let bytes = whole(&server.dump("owned").format(format).staging(folder.path())).await;
        let restore = rehearsals(&folder).jobs(jobs);
        let started = Instant::now();
        let scratch = restore.scratch(&like).await.unwrap();
        let ready = started.elapsed();
        let options = RestoreOptions::new(PgDump::new(server.config("owned")).format(format).info().format);
        let outcome = scratch.restorer().restore(ByteStream::from(bytes), options).await.unwrap();
        assert_eq!(outcome.warnings, Vec::<String>::new());
        assert_eq!(outcome.inventory.table("sales.invoices").unwrap().rows, 7, "row security hides nothing");
        assert_eq!(scratch.scalar("SELECT n FROM totals WHERE n > 0").await.unwrap().as_deref(), Some("60"));
        assert_eq!(text(&*scratch.dumper(Contents::All).unwrap()).await, expected, "{format:?}");
        assert!(scratch.place().own_server);
        assert_eq!(Some(scratch.place().server_version), like.server_version);
        assert_eq!(
            scratch.scalar("SELECT current_setting('listen_addresses')").await.unwrap().as_deref(),
            Some("")
        );
        let servers = folder.servers();
        let mode = fs::metadata(&servers[0]).unwrap().permissions().mode();
        assert_eq!((servers.len(), mode & 0o777), (1, 0o700));
        let closing = Instant::now();
        scratch.close().await.unwrap();
        eprintln!("{format:?} with {jobs} jobs: ready after {ready:?}, closed after {:?}", closing.elapsed());
        assert_eq!(folder.servers(), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn an_old_encoding_comes_back_byte_for_byte() {
    let server = Server::shared().await;
    server.sql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    server.sql("latin", "CREATE TABLE words AS SELECT 'caf\u{e9}' AS word");
    let source = server.dump("latin");
    let like = ScratchLike::source(&source.probe().await.unwrap());
    let folder = Folder::new();
    let scratch = rehearsals(&folder).scratch(&like).await.unwrap();
    let body = ByteStream::from(whole(&source).await);
    scratch.restorer().restore(body, RestoreOptions::new("plain")).await.unwrap();
    let restored = scratch
        .dumper(Contents::All)
        .unwrap()
        .dump()
        .await
        .unwrap()
        .body
        .collect_bytes(1 << 20)
        .await
        .unwrap();
    assert!(restored.windows(4).any(|window| window == b"caf\xe9"), "the bytes of LATIN1");
    scratch.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_is_gone_and_so_is_one_of_a_task_that_panics() {
    let folder = Folder::new();
    let scratch_here = scratch(&rehearsals(&folder)).await;
    let processes = processes_in(&folder.servers()[0]);
    assert!(processes.len() > 1, "{processes:?}");
    drop(scratch_here);
    assert_eq!(folder.servers(), Vec::<PathBuf>::new(), "gone when the drop is over");
    folder.assert_clean(&processes).await;

    let restore = rehearsals(&folder);
    let task = tokio::spawn(async move {
        let _held = scratch(&restore).await;
        panic!("on purpose");
    });
    assert!(task.await.unwrap_err().is_panic());
    folder.assert_clean(&[]).await;

    let restore = rehearsals(&folder);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _held = runtime.block_on(scratch(&restore));
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    folder.assert_clean(&[]).await;
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_whenever_that_is() {
    let folder = Folder::new();
    for wait in [0, 20, 100, 300, 600, 900, 1200] {
        let restore = rehearsals(&folder);
        let started = tokio::time::timeout(Duration::from_millis(wait), scratch(&restore)).await;
        let dropped = Instant::now();
        drop(started);
        let processes: Vec<_> = folder.servers().iter().flat_map(|server| processes_in(server)).collect();
        folder.assert_clean(&processes).await;
        assert!(dropped.elapsed() < Duration::from_secs(5), "after {wait} ms: {:?}", dropped.elapsed());
    }
}

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn holds_a_server_until_it_is_killed() {
    let folder = std::env::var_os("BACKUP_TEST_HELD").expect("started by another test");
    let _held = scratch(&held_in(folder)).await;
    println!("held");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_server() {
    for signal in ["-KILL", "-TERM"] {
        let folder = Folder::new();
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rehearsal::holds_a_server_until_it_is_killed", "--ignored", "--nocapture"])
            .env("BACKUP_TEST_HELD", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(holder.stdout.take().unwrap());
        assert!(said.lines().any(|line| line.unwrap().contains("held")), "the holder runs");
        let processes = processes_in(&folder.servers()[0]);
        assert!(processes.len() > 1, "{processes:?}");
        let killed = Command::new("kill").args([signal, &holder.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(!holder.wait().unwrap().success());
        let since = Instant::now();
        folder.assert_clean(&processes).await;
        eprintln!("gone {:?} after {signal}", since.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_is_an_error_that_says_so() {
    let server = Server::shared().await;
    server.fill("dies", 2000);
    for format in [Format::Plain, Format::Custom] {
        let bytes = whole(&server.dump("dies").format(format)).await;
        let folder = Folder::new();
        let scratch = scratch(&rehearsals(&folder)).await;
        let processes = processes_in(&folder.servers()[0]);
        let pid = fs::read_to_string(folder.servers()[0].join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let half = bytes.len() / 2;
        let (first, second) = (bytes.slice(..half), bytes.slice(half..));
        let body = futures::stream::iter([first, second]).enumerate().then(move |(at, chunk)| {
            let pid = pid.clone();
            async move {
                if at == 1 {
                    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
                    // Sessions end when they notice.
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                Ok::<Bytes, backup_core::Error>(chunk)
            }
        });
        let options = RestoreOptions::new(PgDump::new(server.config("dies")).format(format).info().format);
        let err = scratch.restorer().restore(ByteStream::new(body), options).await.unwrap_err();
        assert!(
            matches!(err.kind(), ErrorKind::Unavailable | ErrorKind::ConnectionFailed),
            "{format:?}: {err}"
        );
        scratch.close().await.unwrap();
        folder.assert_clean(&processes).await;
    }
}

/// A dump, as `pg_dump` ends it, with `statement` in its middle.
fn hostile(statement: &str) -> ByteStream {
    ByteStream::from(Bytes::from(format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (a text);\n\n{statement}\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )))
}

#[tokio::test]
async fn a_hostile_dump_reaches_nothing_outside() {
    let folder = Folder::new();
    let outside = Folder::new();
    let mark = outside.path().join("mark");
    let mark = mark.display();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let secret = secret.display();
    let scratch = scratch(&rehearsals(&folder)).await;
    for statement in [
        format!("\\! touch {mark}"),
        format!("\\copy public.t from program 'touch {mark}'"),
        format!("\\o {mark}"),
        format!("\\o | touch {mark}"),
        format!("SELECT 1 \\g {mark}"),
        format!("\\i {secret}"),
        format!("COPY public.t FROM PROGRAM 'touch {mark}';"),
        format!("COPY public.t TO '{mark}';"),
        format!("COPY public.t FROM '{secret}';"),
        format!("SELECT pg_read_file('{secret}');"),
        format!("SELECT lo_import('{secret}');"),
        format!("SELECT lo_export(lo_from_bytea(0, 'x'), '{mark}');"),
        "LOAD '/tmp/x.so';".to_owned(),
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/x', 'f';".to_owned(),
        "SET ROLE backup_rehearsal_superuser;".to_owned(),
        "SET SESSION AUTHORIZATION backup_rehearsal_superuser;".to_owned(),
        "ALTER ROLE backup_rehearsal SUPERUSER;".to_owned(),
        "GRANT pg_execute_server_program TO backup_rehearsal;".to_owned(),
        "CREATE ROLE other SUPERUSER;".to_owned(),
        "ALTER TABLE public.t OWNER TO backup_rehearsal_superuser;".to_owned(),
        "ALTER SYSTEM SET archive_command = 'touch /tmp/x';".to_owned(),
        "CREATE OR REPLACE FUNCTION pg_catalog.backup_rehearsal() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
            .to_owned(),
        // The extension is made by a superuser; what it can do is not for everybody.
        "CREATE EXTENSION IF NOT EXISTS adminpack WITH SCHEMA pg_catalog;\nSELECT pg_file_write('/tmp/x', 'x', false);"
            .to_owned(),
        format!(
            "CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;\nCREATE SERVER s FOREIGN DATA WRAPPER file_fdw;\n\
             CREATE FOREIGN TABLE ft (a text) SERVER s OPTIONS (program 'touch {mark}');"
        ),
    ] {
        let restored = scratch.restorer().restore(hostile(&statement), RestoreOptions::new("plain")).await;
        let err = restored.expect_err(&statement);
        assert!(
            matches!(err.kind(), ErrorKind::Corrupt | ErrorKind::PermissionDenied | ErrorKind::ToolFailed),
            "{statement}: {err}"
        );
        if err.kind() == ErrorKind::PermissionDenied {
            assert!(err.suggestions().iter().any(|text| text.contains("TrustDump")), "{err:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{statement}");
        assert!(scratch.restorer().probe().await.unwrap().is_empty(), "{statement}");
    }
    scratch.close().await.unwrap();
}

#[tokio::test]
async fn what_needs_a_superuser_is_rehearsed_where_the_dump_is_trusted() {
    let server = Server::shared().await;
    server.create("trusted");
    server.sql(
        "trusted",
        "CREATE PUBLICATION everything FOR ALL TABLES;
        CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f();",
    );
    let source = server.dump("trusted");
    let bytes = whole(&source).await;
    let folder = Folder::new();
    for (safety, refused) in
        [(ClientSafety::Required, Some(ErrorKind::PermissionDenied)), (ClientSafety::TrustDump, None)]
    {
        let scratch = scratch(&rehearsals(&folder).client_safety(safety)).await;
        let restored =
            scratch.restorer().restore(ByteStream::from(bytes.clone()), RestoreOptions::new("plain")).await;
        assert_eq!(restored.as_ref().err().map(backup_core::Error::kind), refused, "{restored:?}");
        if refused.is_none() {
            assert_eq!(text(&*scratch.dumper(Contents::All).unwrap()).await, text(&source).await);
        }
        scratch.close().await.unwrap();
    }
}

#[tokio::test]
async fn without_a_server_program_the_target_is_used_or_the_package_named() {
    let server = Server::shared().await;
    server.create("fallback");
    let nothing = tempfile::tempdir().unwrap();
    let restore = server.restore("fallback").server_dir(nothing.path());
    let scratch = restore.scratch(&ScratchLike::anything()).await.unwrap();
    assert!(!scratch.place().own_server);
    assert_eq!(server.leftovers("fallback").len(), 1);
    scratch.close().await.unwrap();

    let private = restore.rehearse_in(Rehearse::PrivateServer);
    let mut like = ScratchLike::anything();
    like.server_version = Some("17.6".to_owned());
    let err = private.scratch(&like).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound);
    assert!(err.suggestions().iter().any(|text| text.contains("postgresql-17")), "{err:?}");

    // An older server than the dump's would not take it.
    like.server_version = Some("99.1".to_owned());
    let err = PgRestore::rehearsals().scratch(&like).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ToolNotFound, "{err}");
}

#[tokio::test]
async fn a_folder_that_the_server_cannot_enter_is_named() {
    use std::os::unix::fs::MetadataExt;

    let closed = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    if fs::metadata(closed.path()).unwrap().uid() != 0 {
        // The server runs as we do, and can enter what we can.
        return;
    }
    let err =
        PgRestore::rehearsals().staging(closed.path()).scratch(&ScratchLike::anything()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err}");
    assert_eq!(fs::read_dir(closed.path()).unwrap().count(), 0);
}
