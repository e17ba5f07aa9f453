//! A restore that fails leaves the target as it was.

use backup_core::{ByteStream, Error, ErrorKind, OnExisting, RestoreOptions, Restorer};
use bytes::Bytes;
use futures::StreamExt;
use handler_pgdump::Format;

use crate::{
    round_trip::{options, whole},
    server::Server,
};

fn cut_off(bytes: &Bytes) -> ByteStream {
    ByteStream::new(futures::stream::iter([
        Ok(bytes.clone()),
        Err(Error::new(ErrorKind::Corrupt, "digest does not match")),
    ]))
}

#[tokio::test]
async fn a_target_that_is_not_empty_is_refused_and_not_touched() {
    let server = Server::shared().await;
    for content in [
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a",
        "CREATE SEQUENCE s",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA s",
        "CREATE TYPE e AS ENUM ('a')",
        "CREATE TYPE c AS (a int)",
        "CREATE TYPE r AS RANGE (SUBTYPE = float8)",
        "CREATE DOMAIN d AS int",
        "CREATE COLLATION c (LOCALE = 'C')",
        "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)",
        "CREATE CAST (bigint AS date) WITH INOUT",
        "CREATE FOREIGN DATA WRAPPER w",
        "SELECT lo_create(0)",
    ] {
        server.sql("postgres", "DROP DATABASE IF EXISTS refused");
        server.create("refused");
        server.sql("refused", content);
        let body = ByteStream::new(futures::stream::once(async { panic!("the body must not be read") }));
        let err = server.restore("refused").restore(body, RestoreOptions::new("plain")).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{content}: {err:?}");
        let probed = server.restore("refused").probe().await.unwrap();
        assert!(probed.objects > 0 && !probed.is_empty(), "{content}: {probed:?}");
    }
}

#[tokio::test]
async fn a_database_with_nothing_but_an_extension_is_empty() {
    let server = Server::shared().await;
    server.create("extended");
    assert!(server.restore("extended").probe().await.unwrap().is_empty());
    let contrib = "SELECT count(*) FROM pg_available_extensions WHERE name IN ('pg_trgm', 'hstore')";
    if server.sql("extended", contrib).trim() == "2" {
        server.sql("extended", "CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore");
    }
    let probed = server.restore("extended").probe().await.unwrap();
    assert_eq!((probed.objects, probed.tables), (0, 0));
}

#[tokio::test]
async fn a_probe_says_whether_the_user_may_make_the_database() {
    let server = Server::shared().await;
    server.sql(
        "postgres",
        "CREATE ROLE maker LOGIN CREATEDB PASSWORD 'maker'; CREATE ROLE guest_only LOGIN PASSWORD 'guest_only';
         CREATE DATABASE makers OWNER maker; CREATE DATABASE guests OWNER guest_only",
    );
    for (role, database, may) in [
        ("maker", "missing", true),
        ("maker", "makers", true),
        ("maker", "guests", false),
        ("guest_only", "missing", false),
        ("guest_only", "guests", false),
    ] {
        let config = server.config(database).user(role).password(role);
        let restore = handler_pgdump::PgRestore::new(config);
        assert_eq!(restore.probe().await.unwrap().may_create, Some(may), "{role} {database}");
    }
    let restore =
        handler_pgdump::PgRestore::new(server.config("missing").user("guest_only").password("guest_only"));
    let table = ByteStream::from(Bytes::from_static(b"CREATE TABLE t ();\n"));
    let err = restore.restore(table, RestoreOptions::new("plain")).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
    assert!(err.suggestions().iter().all(|text| text.contains("CREATEDB")), "{err:?}");
}

#[tokio::test]
async fn a_body_that_ends_in_an_error_is_never_committed() {
    let server = Server::shared().await;
    server.fill("cut_source", 300);
    for format in [Format::Plain, Format::Custom, Format::Directory { jobs: 1 }] {
        let bytes = whole(&server.dump("cut_source").format(format)).await;
        server.create("cut_empty");
        server.create("cut_full");
        server.sql("cut_full", "CREATE TABLE old AS SELECT 42 AS a");
        for target in ["cut_new", "cut_empty", "cut_full"] {
            // Every byte arrives; that the digest is wrong is known only then.
            let options = options(format).with_on_existing(OnExisting::Replace);
            let err = server.restore(target).restore(cut_off(&bytes), options).await.unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Corrupt, "{format:?} {target}: {err:?}");
            assert_eq!(err.message(), "digest does not match");
        }
        assert!(!server.databases().contains(&"cut_new".to_owned()));
        let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        assert_eq!(server.sql("cut_empty", objects).trim(), "0", "{format:?}");
        assert_eq!(server.sql("cut_empty", "SELECT count(*) FROM pg_largeobject_metadata").trim(), "0");
        assert_eq!(server.sql("cut_full", "SELECT a FROM old").trim(), "42", "{format:?}");
        assert_eq!(server.leftovers("cut_"), Vec::<String>::new());
        server.sql("postgres", "DROP DATABASE cut_empty");
        server.sql("postgres", "DROP DATABASE cut_full");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_stops_names_its_line_and_leaves_nothing() {
    let server = Server::shared().await;
    server.create("mid_empty");
    server.create("mid_full");
    server.sql("mid_full", "CREATE TABLE old AS SELECT 42 AS a");
    // As `pg_dump` writes large objects: with a commit of its own before the failure.
    let dump = "CREATE TABLE t (a int);\nBEGIN;\nSELECT lo_create(0);\nCOMMIT;\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE u ();\n";
    for target in ["mid_new", "mid_empty", "mid_full"] {
        let options = RestoreOptions::new("plain").with_on_existing(OnExisting::Replace);
        let body = ByteStream::from(Bytes::from_static(dump.as_bytes()));
        let err = server.restore(target).restore(body, options).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "{err:?}");
        assert!(err.to_string().contains("psql:<stdin>:5: ERROR"), "{err}");
    }
    assert!(!server.databases().contains(&"mid_new".to_owned()));
    assert_eq!(server.sql("mid_empty", "SELECT count(*) FROM pg_largeobject_metadata").trim(), "0");
    assert_eq!(server.sql("mid_empty", "SELECT to_regclass('t') IS NULL").trim(), "t");
    assert_eq!(server.sql("mid_full", "SELECT a FROM old").trim(), "42");
    assert_eq!(server.leftovers("mid_"), Vec::<String>::new());
}

#[tokio::test]
async fn a_hostile_dump_runs_no_command() {
    let server = Server::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    for hostile in [
        format!("\\! touch {0}\n", touched.display()),
        format!("SELECT 1 \\g |touch {0}\n", touched.display()),
        format!("\\restrict a\n\\unrestrict a\n\\! touch {0}\n", touched.display()),
        format!("COPY (SELECT 1) TO stdout \\g |touch {0}\n", touched.display()),
    ] {
        let body = ByteStream::from(Bytes::from(hostile.clone()));
        let err = server.restore("hostile").restore(body, RestoreOptions::new("plain")).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt, "{hostile}: {err:?}");
        assert!(!touched.exists(), "{hostile}");
    }
}

#[tokio::test]
async fn a_replaced_database_keeps_its_owner_grants_and_settings() {
    let server = Server::shared().await;
    server.sql(
        "postgres",
        "CREATE ROLE keeper; CREATE ROLE guest;
         CREATE DATABASE kept OWNER keeper TEMPLATE template0 CONNECTION LIMIT 17;
         REVOKE CONNECT ON DATABASE kept FROM PUBLIC; GRANT CONNECT, TEMPORARY ON DATABASE kept TO guest;
         ALTER DATABASE kept SET search_path TO \"$user\", \"Odd Name\", public;
         ALTER DATABASE kept SET work_mem TO '7MB'; ALTER DATABASE kept SET my.var TO 'it''s \\x';
         ALTER ROLE guest IN DATABASE kept SET work_mem TO '9MB'; COMMENT ON DATABASE kept IS 'it''s kept'",
    );
    server.sql("kept", "CREATE TABLE old ()");
    server.fill("kept_source", 10);
    let question = "SELECT pg_get_userbyid(datdba), datconnlimit, encoding, datcollate,
         (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a), shobj_description(oid, 'pg_database'),
         (SELECT string_agg(setrole::regrole || ' ' || setconfig::text, ' ' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
         FROM pg_database d WHERE datname = 'kept'";
    let before = server.sql("postgres", question);
    assert!(before.contains("Odd Name") && before.contains("keeper"), "{before}");
    let bytes = whole(&server.dump("kept_source")).await;
    // A client that is connected does not hinder it.
    let server_too = Server::shared().await;
    let busy = std::thread::spawn(move || {
        std::panic::catch_unwind(|| server_too.sql("kept", "SELECT pg_sleep(600)")).is_err()
    });
    server
        .wait_for(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND datname = 'kept'",
            "1",
        )
        .await;
    let options = RestoreOptions::new("plain").with_on_existing(OnExisting::Replace);
    server.restore("kept").restore(ByteStream::from(bytes), options).await.unwrap();
    assert!(busy.join().unwrap(), "the old session must have been ended");
    assert_eq!(server.sql("postgres", question), before);
    assert_eq!(server.sql("kept", "SELECT to_regclass('public.old') IS NULL").trim(), "t");
    assert_eq!(server.sql("kept", "SELECT count(*) FROM public.orders").trim(), "10");
    assert_eq!(server.leftovers("kept"), Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_restore_leaves_nothing_behind() {
    let server = Server::shared().await;
    server.fill("dropped_source", 10);
    let bytes = whole(&server.dump("dropped_source")).await;
    let restore = server.restore("dropped_new");
    let body = ByteStream::new(futures::stream::iter([Ok(bytes)]).chain(futures::stream::pending()));
    let running = restore.restore(body, RestoreOptions::new("plain"));
    tokio::select! {
        done = running => panic!("the body has no end: {done:?}"),
        () = server.wait_for("SELECT count(*) FROM pg_database WHERE datname LIKE 'dropped_new_restoring_%'", "1") => {}
    }
    assert_eq!(server.leftovers("dropped_"), Vec::<String>::new());
    assert!(!server.databases().contains(&"dropped_new".to_owned()));
}
