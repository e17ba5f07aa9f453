//! What the server says of the rows while it dumps them, and what that finds.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backup_core::{
    ByteStream, Dumper, Error, ErrorKind, Filter, Inventory, Level, MemoryStore, Pipeline, Rehearsal,
    inventory::Inspector,
    pipeline::BackupRequest,
    process::{Host, WireCompression},
    testkit::{rehearsal::EditedRestorer, sshd::PrivateSshd},
};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::{Content, Format, PgDump, PgRestore, Rehearse, Rows};

use crate::{round_trip::whole, server::Server};

const FORMATS: [Format; 3] = [Format::Plain, Format::Custom, Format::Directory { jobs: 3 }];

/// More than fits into any pipe or buffer between the server and the reader of the body.
const ROWS: u32 = 150_000;

/// Says what of a database is dumped.
type Choose = fn(PgDump) -> PgDump;

/// The bytes of a dump, and what was counted beside it.
async fn dumped(dump: &PgDump) -> (Bytes, Inventory) {
    let dump = dump.clone().source_checksums().dump().await.unwrap().into_plain().unwrap();
    let counted = dump.counted.unwrap();
    let bytes = dump.body.collect_bytes(1 << 28).await.unwrap();
    (bytes, counted.take().expect("counted at the end of the body"))
}

/// What the scanner of the core reads out of a plain dump.
fn scanned(bytes: &Bytes) -> Inventory {
    let Inspector { mut tap, inventory, .. } = Inspector::with_checksums("postgresql", "plain");
    tap.update(bytes).unwrap();
    tap.finish().unwrap();
    inventory.take().unwrap().unwrap()
}

async fn rest(mut body: ByteStream) -> Option<Error> {
    while let Some(item) = body.next().await {
        if let Err(err) = item {
            assert!(body.next().await.is_none());
            return Some(err);
        }
    }
    None
}

fn rehearsing(server: &Server, database: &str) -> PgRestore {
    server.restore(database).rehearse_in(Rehearse::Database)
}

/// The sessions in a database.
fn sessions(database: &str) -> String {
    format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")
}

#[tokio::test]
async fn every_format_is_counted_alike_and_proven_equal() {
    let server = Server::shared().await;
    let name = "cou=nted 'q\"; ü";
    server.fill(name, 700);
    server.sql(
        name,
        "CREATE TABLE \"a'b:c $$ %s\" (\"select\" money, \"x\"\"y\" interval, f float8, j jsonb, at timestamptz, o regclass); \
         INSERT INTO \"a'b:c $$ %s\" SELECT i * 1.5::float8::numeric::money, i * '1 day 1 s'::interval, i / 7.0::float8, \
         jsonb_build_object('a', i), '2026-03-29 01:30Z'::timestamptz + i * '1 h'::interval, 'orders' \
         FROM generate_series(1, 30) i; \
         CREATE TABLE moved (a integer, b integer) INHERITS (parent); ALTER TABLE parent ADD COLUMN late integer; \
         INSERT INTO moved (a, b, late) VALUES (1, 2, 3); ALTER TABLE orders DROP COLUMN note; \
         ALTER DATABASE \"cou=nted 'q\"\"; ü\" SET DateStyle = 'German'; \
         ALTER DATABASE \"cou=nted 'q\"\"; ü\" SET TimeZone = 'Asia/Tokyo'; \
         ALTER DATABASE \"cou=nted 'q\"\"; ü\" SET statement_timeout = '1s'; \
         ALTER DATABASE \"cou=nted 'q\"\"; ü\" SET IntervalStyle = 'iso_8601'",
    );
    let seen = scanned(&whole(&server.dump(name)).await);
    for format in FORMATS {
        let (_, counted) = dumped(&server.dump(name).format(format)).await;
        assert_eq!(seen.differences(&counted), [""; 0], "{format:?}");
        for table in &counted.tables {
            let summed = table
                .source_checksum
                .as_deref()
                .is_some_and(|sum| sum.strip_prefix("sql:").is_some_and(|hex| hex.len() == 32));
            assert!(summed || table.rows == 0, "{table:?}");
        }
        let sum = |name: &str| counted.table(name).unwrap().source_checksum.clone();
        assert_eq!(sum("public.empty_table").unwrap(), format!("sql:{:032x}", 0));
        assert_eq!(sum("public.parts"), None);
        assert_ne!(sum("public.parts_2025"), sum("public.parts_rest"));

        let pipeline = Pipeline::new(server.dump(name).format(format).source_checksums(), MemoryStore::new())
            .with_rehearsal(Rehearsal::new(rehearsing(&server, name)));
        let made = pipeline.backup(BackupRequest::new()).await.unwrap();
        let recorded = made.manifest.inventory.clone().unwrap();
        assert_eq!(counted.source_differences(&recorded), [""; 0], "{format:?}");
        let report = pipeline.verify(&made.backup, Level::Equal).await.unwrap();
        assert_eq!(report.evidence.findings, [""; 0], "{format:?}");
        assert!(report.evidence.rehearsed.unwrap().rows > 700);
    }
}

#[tokio::test]
async fn an_archive_of_a_database_that_differs_by_one_byte_is_not_equal() {
    let server = Server::shared().await;
    for (name, text) in [("byte_a", "seven"), ("byte_b", "sevem")] {
        server.fill(name, 50);
        server.sql(name, &format!("INSERT INTO orders (net, note, mood) VALUES (7, '{text}', 'sad')"));
    }
    for format in [Format::Custom, Format::Directory { jobs: 1 }] {
        let other = whole(&server.dump("byte_b").format(format)).await;
        let edited = EditedRestorer::new(rehearsing(&server, "byte_a"), move |_| other.to_vec());
        let pipeline =
            Pipeline::new(server.dump("byte_a").format(format).source_checksums(), MemoryStore::new())
                .with_rehearsal(Rehearsal::new(edited));
        let made = pipeline.backup(BackupRequest::new()).await.unwrap();
        let restored = pipeline.verify(&made.backup, Level::Restored).await.unwrap();
        assert_eq!(restored.evidence.findings, [""; 0], "{format:?}");
        let equal = pipeline.verify(&made.backup, Level::Equal).await.unwrap();
        assert_eq!(
            equal.evidence.findings,
            ["table public.orders does not hold the rows that its source had"],
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn only_the_rows_of_the_dump_are_counted() {
    let server = Server::shared().await;
    server.fill("partly", 40);
    server.sql(
        "partly",
        "CREATE SCHEMA sales; CREATE TABLE sales.\"Order\" AS SELECT 1 AS a; CREATE TABLE sales.orders AS SELECT 2 AS a; \
         CREATE SCHEMA hidden; CREATE TABLE hidden.orders AS SELECT 3 AS a; CREATE TABLE hidden.only AS SELECT 4 AS a; \
         CREATE TABLE \"odd$[name]\" AS SELECT 5 AS a; ALTER DATABASE partly SET search_path = sales, public; \
         CREATE EXTENSION hstore; CREATE TABLE settings AS SELECT i FROM generate_series(1, 9) i; \
         CREATE TABLE internal AS SELECT 1 AS a; \
         ALTER EXTENSION hstore ADD TABLE settings; ALTER EXTENSION hstore ADD TABLE internal; \
         UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass::oid], extcondition = ARRAY['WHERE i > 4'] \
         WHERE extname = 'hstore'",
    );
    let choices: &[(Choose, &[&str])] = &[
        (|dump| dump.table("orders"), &["sales.orders"]),
        (|dump| dump.table("*.ord*"), &["hidden.orders", "public.orders", "sales.orders"]),
        (|dump| dump.table("SALES.\"Order\"").schema("hidden"), &["sales.Order"]),
        (|dump| dump.table("(lines|\"odd$[name]\")"), &["public.lines", "public.odd$[name]"]),
        (|dump| dump.table("\"we.ird \"\"schema\".\"t.able\""), &["\"we.ird \"\"schema\".\"t.able\""]),
        (|dump| dump.schema("h?dden"), &["hidden.only", "hidden.orders"]),
        (|dump| dump.schema("(sales|hidden)").exclude_table("*.orders"), &["hidden.only", "sales.Order"]),
        (
            |dump| dump.exclude_schema("public").exclude_schema("we*"),
            &["hidden.only", "hidden.orders", "sales.Order", "sales.orders"],
        ),
        (|dump| dump.table("parts*").content(Content::DataOnly), &["public.parts_2025", "public.parts_rest"]),
        (|dump| dump.table("parts"), &["public.parts"]),
    ];
    for (at, (choose, expected)) in choices.iter().enumerate() {
        let seen = scanned(&whole(&choose(server.dump("partly"))).await);
        let names: Vec<_> = seen.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, *expected, "{at}");
        for format in FORMATS {
            let (_, counted) = dumped(&choose(server.dump("partly")).format(format)).await;
            assert_eq!(seen.differences(&counted), [""; 0], "{at} {format:?}");
        }
    }
    let whole_ones: &[Choose] = &[
        |dump| dump,
        |dump| dump.exclude_table_data("public.parts_2025").exclude_table_data("sales.*"),
        |dump| dump.content(Content::SchemaOnly),
        |dump| dump.content(Content::DataOnly),
        |dump| dump.rows(Rows::ColumnInserts),
        |dump| dump.extra_arg("--no-unlogged-table-data").unwrap(),
    ];
    for (at, choose) in whole_ones.iter().enumerate() {
        let seen = scanned(&whole(&choose(server.dump("partly"))).await);
        let (_, counted) = dumped(&choose(server.dump("partly"))).await;
        assert_eq!(seen.differences(&counted), [""; 0], "{at}");
    }
    // Those of an extension that the extension wants to be dumped, and no others.
    let (_, counted) = dumped(&server.dump("partly")).await;
    assert_eq!(counted.table("public.settings").unwrap().rows, 5);
    assert!(counted.table("public.internal").is_none());
    let err = server.dump("partly").extra_arg("--enable-row-security").unwrap().source_checksums();
    assert_eq!(err.probe().await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn databases_in_other_encodings_are_counted_and_proven_too() {
    let server = Server::shared().await;
    for (encoding, form) in [("LATIN1", "sql-latin1:"), ("SQL_ASCII", "sql-sql_ascii:")] {
        let name = format!("in_{}", encoding.to_lowercase());
        server.sql(
            "postgres",
            &format!(
                "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
            ),
        );
        server.sql(
            &name,
            "CREATE TABLE \"straße\" (\"größe\" text); INSERT INTO \"straße\" VALUES ('ü'), ('ß')",
        );
        for format in [Format::Plain, Format::Custom] {
            let dump = server.dump(&name).format(format).source_checksums();
            let pipeline = Pipeline::new(dump, MemoryStore::new())
                .with_rehearsal(Rehearsal::new(rehearsing(&server, &name)));
            let made = pipeline.backup(BackupRequest::new()).await.unwrap();
            let recorded = made.manifest.inventory.unwrap();
            assert_eq!(recorded.rows(), 2);
            let sum = recorded.tables[0].source_checksum.as_deref().unwrap();
            assert!(sum.starts_with(form), "{recorded:?}");
            let report = pipeline.verify(&made.backup, Level::Equal).await.unwrap();
            assert_eq!(report.evidence.findings, [""; 0], "{encoding} {format:?}");
        }
    }
}

#[tokio::test]
async fn a_row_that_pg_dump_loses_is_no_backup() {
    let server = Server::shared().await;
    server.fill("losing", 20);
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o755)).unwrap();
    };
    program("psql", format!("#!/bin/sh\nexec '{}' \"$@\"\n", server.bin("psql").display()));
    let losing = |edit: &str| {
        program(
            "pg_dump",
            format!("#!/bin/sh\n'{}' \"$@\" | sed '{edit}'\n", server.bin("pg_dump").display()),
        );
    };
    let pipeline = |dump: PgDump| Pipeline::new(dump.client_dir(folder.path()), MemoryStore::new());

    losing("/^7\\t7\\t/d");
    let unaware = pipeline(server.dump("losing")).backup(BackupRequest::new()).await.unwrap();
    assert_eq!(unaware.manifest.inventory.unwrap().table("public.orders").unwrap().rows, 19);
    let aware = pipeline(server.dump("losing").source_checksums());
    let err = aware.backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Incomplete, "{err:?}");
    assert!(err.to_string().contains("table public.orders has 19 rows, 20 expected"), "{err}");
    assert!(aware.list(&Filter::all()).await.unwrap().entries.is_empty());

    losing("s/nothing at all//");
    let made = aware.backup(BackupRequest::new()).await.unwrap();
    assert_eq!(made.manifest.inventory.unwrap().table("public.orders").unwrap().rows, 20);
}

#[tokio::test]
async fn another_session_may_write_all_the_time() {
    let server = Server::shared().await;
    server.create("busy");
    server.sql(
        "busy",
        "CREATE TABLE here (id integer PRIMARY KEY, note text); CREATE TABLE there (LIKE here); \
         INSERT INTO here SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i;",
    );
    // Moves rows to and fro, a different number each time.
    let moves = |from: &str, to: &str| {
        format!(
            "WITH gone AS (DELETE FROM {from} WHERE id % 97 = (random() * 96)::integer RETURNING *) \
             INSERT INTO {to} SELECT * FROM gone;\n"
        )
    };
    let script = (moves("here", "there").repeat(2) + &moves("there", "here")).repeat(20);
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (stop, shared) = (Arc::clone(&stop), Server::shared().await);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                shared.sql("busy", &script);
            }
        })
    };
    server.wait_for("SELECT xact_commit > 30 FROM pg_stat_database WHERE datname = 'busy'", "t").await;
    let mut counts = Vec::new();
    for format in FORMATS {
        let dump = server.dump("busy").format(format).source_checksums();
        let pipeline = Pipeline::new(dump, MemoryStore::new())
            .with_rehearsal(Rehearsal::new(rehearsing(&server, "busy")));
        let made = pipeline.backup(BackupRequest::new()).await.unwrap();
        let inventory = made.manifest.inventory.clone().unwrap();
        assert_eq!(inventory.rows(), 20_000, "never half a transfer: {inventory:?}");
        counts.push(inventory.table("public.there").unwrap().rows);
        // What was restored is what was counted, although the tables have changed since.
        let report = pipeline.verify(&made.backup, Level::Equal).await.unwrap();
        assert_eq!(report.evidence.findings, [""; 0], "{format:?}");
    }
    stop.store(true, Ordering::Relaxed);
    writing.join().unwrap();
    counts.dedup();
    assert!(counts.len() > 1, "the other session did write: {counts:?}");
    let (_, quiet) = dumped(&server.dump("busy")).await;
    let (_, again) = dumped(&server.dump("busy").format(Format::Custom)).await;
    assert_eq!(quiet, again);
    for table in ["here", "there"] {
        let rows = server.sql("busy", &format!("SELECT count(*) FROM {table}"));
        assert_eq!(quiet.table(&format!("public.{table}")).unwrap().rows.to_string(), rows.trim());
    }
}

#[tokio::test]
async fn it_counts_over_ssh_as_it_does_here() {
    let (server, sshd) = (Server::shared().await, PrivateSshd::start().await);
    server.fill("counted_over_ssh", 300);
    let (_, here) = dumped(&server.dump("counted_over_ssh")).await;
    for (wire, format) in [(WireCompression::None, Format::Plain), (WireCompression::Zstd, Format::Custom)] {
        let host = Host::ssh(sshd.ssh().wire(wire));
        let (_, there) = dumped(&server.dump("counted_over_ssh").format(format).over(host)).await;
        assert_eq!(here, there);
    }
    let host = Host::ssh(sshd.ssh());
    let mut body = server.dump("counted_over_ssh").over(host).source_checksums().dump().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    drop(body);
    server.wait_for(&sessions("counted_over_ssh"), "0").await;
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_right_are_said() {
    let server = Server::shared().await;
    server.fill("forbidden", 3);
    server.sql("postgres", "CREATE ROLE peeping LOGIN PASSWORD 'peeping'");
    let wrong = PgDump::new(server.config("forbidden").password("wrong-Geheim9")).source_checksums();
    let err = wrong.dump().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AuthenticationFailed, "{err:?}");
    assert!(!format!("{err} {err:?}").contains("Geheim9"));
    let peeping = PgDump::new(server.config("forbidden").user("peeping").password("peeping"));
    let err = match peeping.source_checksums().dump().await {
        Err(err) => err,
        Ok(dump) => rest(dump.body).await.unwrap(),
    };
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
    server.wait_for(&sessions("forbidden"), "0").await;
}

/// Kills the programs of one name that work on a database, known by its name in their environment.
fn kill_programs(program: &str, database: &str) {
    let wanted = format!("PGDATABASE={database}\0");
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(comm) = std::fs::read_to_string(entry.path().join("comm")) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment.windows(wanted.len()).any(|part| part == wanted.as_bytes());
        if comm.trim() == program && ours {
            let id = entry.file_name().to_string_lossy().into_owned();
            std::process::Command::new("kill").args(["-9", &id]).status().unwrap();
            killed += 1;
        }
    }
    assert!(killed > 0, "{program}");
}

#[tokio::test]
async fn the_end_of_either_side_is_an_error_and_the_end_of_the_other() {
    let server = Server::shared().await;
    server.fill("either", ROWS);
    // The session that counts has another name than that which it marks.
    let counting = "datname = 'either' AND application_name = 'backup'";
    let dumping = "datname = 'either' AND application_name LIKE 'backup-%'";
    let terminate = |which: &str| {
        let sql = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {which}");
        assert_ne!(server.sql("postgres", &sql).trim(), "0", "{which}");
    };
    let kills: &[(&str, &dyn Fn(), ErrorKind)] = &[
        ("psql killed", &|| kill_programs("psql", "either"), ErrorKind::ToolFailed),
        ("pg_dump killed", &|| kill_programs("pg_dump", "either"), ErrorKind::ToolFailed),
        ("psql's session", &|| terminate(counting), ErrorKind::Unavailable),
        ("pg_dump's session", &|| terminate(dumping), ErrorKind::Unavailable),
    ];
    for format in FORMATS {
        for (name, kill, kind) in kills {
            let mut tries = 0;
            let (err, counted) = loop {
                let dump = server.dump("either").format(format).source_checksums().dump().await.unwrap();
                let (mut body, counted) = (dump.body, dump.counted.unwrap());
                if format == (Format::Directory { jobs: 3 }) {
                    let begun = format!("SELECT count(*) > 0 FROM pg_stat_activity WHERE {dumping}");
                    server.wait_for(&begun, "t").await;
                } else {
                    body.next().await.unwrap().unwrap();
                }
                kill();
                match rest(body).await {
                    Some(err) => break (err, counted),
                    // A dump that was about to end may do so before it is hit.
                    None => tries += 1,
                }
                assert!(tries < 5, "{name} {format:?}: the body ends cleanly");
            };
            // A worker that was just starting dies of something else.
            let of_worker = format == (Format::Directory { jobs: 3 }) && err.kind() == ErrorKind::ToolFailed;
            assert!(err.kind() == *kind || of_worker, "{name} {format:?}: {err:?}");
            assert!(counted.take().is_none(), "{name}: nothing is said of a dump that failed");
            server.wait_for(&sessions("either"), "0").await;
        }
        let mut body = server.dump("either").format(format).source_checksums().dump().await.unwrap().body;
        if format == Format::Plain {
            body.next().await.unwrap().unwrap();
        }
        drop(body);
        server.wait_for(&sessions("either"), "0").await;
    }
}

#[tokio::test]
async fn a_dump_that_comes_too_late_is_an_error() {
    let server = Server::shared().await;
    server.fill("late", 5);
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str, to: &Path| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    link("psql", &server.bin("psql"));
    // A tool that was told another snapshot than there is: what a session that ended early leaves.
    let script = format!(
        "#!/bin/sh\nfor arg; do shift; case $arg in --snapshot=*) arg=--snapshot=00000009-00000009-9 ;; esac; set -- \"$@\" \"$arg\"; done\n\
         exec '{}' \"$@\"\n",
        server.bin("pg_dump").display()
    );
    std::fs::write(folder.path().join("pg_dump"), script).unwrap();
    std::fs::set_permissions(folder.path().join("pg_dump"), Permissions::from_mode(0o755)).unwrap();
    let dump = server.dump("late").client_dir(folder.path()).source_checksums().dump().await.unwrap();
    let err = tokio::time::timeout(Duration::from_secs(60), rest(dump.body)).await.unwrap().unwrap();
    assert_eq!(err.kind(), ErrorKind::Unavailable, "{err:?}");
    assert!(err.suggestions()[0].contains("pooler"), "{err:?}");
    server.wait_for(&sessions("late"), "0").await;
}
