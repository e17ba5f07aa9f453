//! A restore that fails leaves the target as it was.

use backup_core::{ByteStream, Error, ErrorKind, OnExisting, Restorer};
use bytes::Bytes;
use futures::StreamExt;
use handler_mysqldump::Definers;

use crate::{
    round_trip::{plain, whole},
    server::Server,
};

fn body(text: &str) -> ByteStream {
    ByteStream::from(Bytes::from(text.to_owned()))
}

#[tokio::test]
async fn a_target_that_is_not_empty_is_refused_and_not_touched() {
    let server = Server::shared().await;
    for content in [
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
    ] {
        server.sql("", "DROP DATABASE IF EXISTS refused;").await;
        server.create_database("refused").await;
        server.sql("refused", content).await;
        let body = ByteStream::new(futures::stream::once(async { panic!("the body must not be read") }));
        let err = server.restore("refused").restore(body, plain()).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::TargetNotEmpty, "{content}: {err:?}");
    }
}

#[tokio::test]
async fn a_failed_restore_leaves_every_target_as_it_was() {
    let server = Server::shared().await;
    server.fill("mid_source", 200).await;
    let bytes = whole(&server.dump("mid_source")).await;
    server.create_database("mid_empty").await;
    server.fill("mid_full", 3).await;
    let before = server.stock_dump("mid_full");
    let cut_off = || {
        ByteStream::new(futures::stream::iter([
            Ok(bytes.clone()),
            Err(Error::new(ErrorKind::Corrupt, "digest does not match")),
        ]))
    };
    let broken =
        || body("CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (1);\n");
    for target in ["mid_new", "mid_empty", "mid_full"] {
        let options = plain().with_on_existing(OnExisting::Replace);
        let err = server.restore(target).restore(cut_off(), options.clone()).await.unwrap_err();
        assert_eq!(
            (err.kind(), err.message()),
            (ErrorKind::Corrupt, "digest does not match"),
            "{target}: {err:?}"
        );
        let err = server.restore(target).restore(broken(), options).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ToolFailed, "{err:?}");
        assert!(err.to_string().contains("at line 3"), "{err}");
    }
    assert!(!server.databases().await.contains(&"mid_new".to_owned()));
    let tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mid_empty';";
    assert_eq!(server.sql("mid_empty", tables).await, "0");
    assert!(server.stock_dump("mid_full") == before);
    assert_eq!(server.leftovers("mid_").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_exchange_that_fails_is_taken_back() {
    let server = Server::shared().await;
    server.fill("stuck", 3).await;
    let mut before = server.stock_dump("stuck");
    // A view of the dump that loads beside, but no longer where it belongs: it names the database beside.
    let dump = "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n\
        SET @sql = CONCAT('CREATE VIEW `v` AS SELECT a FROM `', DATABASE(), '`.`u`');\n\
        CREATE TABLE u (a int);\nPREPARE s FROM @sql;\nEXECUTE s;\nRENAME TABLE u TO gone;\n";
    for marked in [false, true] {
        if marked {
            server.sql("stuck", "CREATE TABLE _backup_restore_unfinished (of_another int)").await;
            before = server.stock_dump("stuck");
        }
        let options = plain().with_on_existing(OnExisting::Replace);
        let err = server.restore("stuck").restore(body(dump), options).await.unwrap_err();
        assert!(err.suggestions().iter().all(|text| !text.contains("RENAME TABLE")), "{err:?}");
        assert!(server.stock_dump("stuck") == before, "{err:?}");
        assert_eq!(server.leftovers("stuck").await, Vec::<String>::new(), "{err:?}");
    }
}

/// What an earlier restore left is replaced: its mark goes with its tables, and another one comes with the new ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_marked_until_its_replacement_is_whole() {
    let server = Server::shared().await;
    server.create_database("cut_again").await;
    server
        .sql("cut_again", "CREATE TABLE old (a int); CREATE TABLE _backup_restore_unfinished (a int)")
        .await;
    let mut dump = "CREATE TABLE t (a int);\n".to_owned();
    for view in 0..300 {
        dump.push_str(&format!("CREATE VIEW v{view} AS SELECT a FROM t;\n"));
    }
    let restore = server.restore("cut_again");
    let options = plain().with_on_existing(OnExisting::Replace);
    let running = tokio::spawn(async move { restore.restore(body(&dump), options).await });
    // The mark is asked for first: when it is gone, everything is there.
    let count = |what: &str| {
        format!("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'cut_again' AND {what};")
    };
    let state = ["TABLE_NAME = '_backup_restore_unfinished'", "TABLE_NAME LIKE 'v%'", "TABLE_NAME = 't'"];
    let state = state.map(count).concat();
    let mut half = 0;
    while !running.is_finished() {
        let seen = server.sql("", &state).await;
        match seen.split_whitespace().collect::<Vec<_>>()[..] {
            ["1", views, "1"] if views != "300" => half += 1,
            ["1", ..] | ["0", "300", "1"] => {}
            ref other => panic!("{other:?}"),
        }
    }
    running.await.unwrap().unwrap();
    assert!(half > 0, "the exchange was never seen in the middle");
    assert_eq!(server.sql("", &state).await.split_whitespace().collect::<Vec<_>>(), ["0", "300", "1"]);
    assert_eq!(server.leftovers("cut_again").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_restore_leaves_nothing_behind() {
    let server = Server::shared().await;
    server.fill("dropped_source", 10).await;
    let bytes = whole(&server.dump("dropped_source")).await;
    let restore = server.restore("dropped_new");
    let body = ByteStream::new(futures::stream::iter([Ok(bytes)]).chain(futures::stream::pending()));
    let running = restore.restore(body, plain());
    let begun = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'dropped_new' AND TABLE_NAME = '_backup_restore_unfinished';";
    tokio::select! {
        done = running => panic!("the body has no end: {done:?}"),
        () = server.wait_for(begun, "1") => {}
    }
    assert!(!server.databases().await.contains(&"dropped_new".to_owned()));
}

#[tokio::test]
async fn a_hostile_dump_runs_no_command_and_leaves_its_database_alone() {
    let server = Server::shared().await;
    server.create_database("victim").await;
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    for hostile in [
        format!("\\! touch {0}\n", touched.display()),
        format!("system touch {0}\n", touched.display()),
        format!("SELECT 1 \\! touch {0}\n", touched.display()),
        format!("DELIMITER ;;\n\\! touch {0}\n;;\n", touched.display()),
        format!("pager cat > {0}\nSELECT 1;\n", touched.display()),
        format!("tee {0}\nSELECT 1;\n", touched.display()),
        "USE `victim`;\nCREATE TABLE x (a int);\n".to_owned(),
        "quit\n".to_owned(),
    ] {
        let err = server.restore("hostile").restore(body(&hostile), plain()).await.unwrap_err();
        assert!(!touched.exists(), "{hostile}");
        assert!(!server.databases().await.contains(&"hostile".to_owned()), "{hostile}: {err:?}");
    }
    assert_eq!(server.sql("victim", "SHOW TABLES;").await, "");
}

#[tokio::test]
async fn definers_that_do_not_exist_are_named_or_stripped() {
    let server = Server::shared().await;
    server.sql("", "CREATE USER 'leaver'@'localhost'; GRANT ALL ON *.* TO 'leaver'@'localhost';").await;
    server.create_database("definers").await;
    server
        .sql(
            "definers",
            "CREATE TABLE t (a int);
            CREATE DEFINER='leaver'@'localhost' VIEW v AS SELECT a FROM t;
            CREATE DEFINER='leaver'@'localhost' PROCEDURE p() SELECT 1;
            CREATE DEFINER='leaver'@'localhost' TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 2;
            CREATE DEFINER='leaver'@'localhost' EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;",
        )
        .await;
    let bytes = whole(&server.dump("definers")).await;
    server.restore("definers_with").restore(ByteStream::from(bytes.clone()), plain()).await.unwrap();
    // MySQL drops no user that defines something, so the database goes first.
    server
        .sql("", "DROP DATABASE definers; DROP DATABASE definers_with; DROP USER 'leaver'@'localhost';")
        .await;
    let err =
        server.restore("definers_new").restore(ByteStream::from(bytes.clone()), plain()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err:?}");
    assert!(err.to_string().contains("leaver@localhost"), "{err}");
    assert!(!server.databases().await.contains(&"definers_new".to_owned()));
    let strip = server.restore("definers_new").definers(Definers::Strip);
    strip.restore(ByteStream::from(bytes), plain()).await.unwrap();
    let owners = "SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
        UNION ALL SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
        UNION ALL SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
        UNION ALL SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE();";
    let owners = server.sql("definers_new", owners).await;
    assert_eq!(owners.lines().filter(|line| line.starts_with("root@")).count(), 4, "{owners}");
}

#[tokio::test]
async fn a_row_larger_than_the_target_takes_is_a_typed_error() {
    let server = Server::start().await;
    server.create_database("large").await;
    server.sql("", "SET GLOBAL max_allowed_packet = 67108864;").await;
    server.sql("large", "CREATE TABLE t (a longtext); INSERT INTO t VALUES (REPEAT('x', 3000000));").await;
    let bytes = whole(&server.dump("large")).await;
    server.sql("", "SET GLOBAL max_allowed_packet = 1048576;").await;
    let err = server.restore("small").restore(ByteStream::from(bytes), plain()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err:?}");
    assert!(err.suggestions().iter().any(|text| text.contains("max_allowed_packet")), "{err:?}");
    assert!(!server.databases().await.contains(&"small".to_owned()));
}

#[tokio::test]
async fn of_two_restores_at_once_the_loser_never_drops_what_the_winner_made() {
    let server = Server::shared().await;
    for round in 0..4 {
        let name = format!("raced_{round}");
        let one = server.restore(&name);
        let other = server.restore(&name);
        let text = "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n";
        let (one, other) = tokio::join!(one.restore(body(text), plain()), other.restore(body(text), plain()));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(server.sql(&name, "SELECT COUNT(*) FROM t; SHOW TABLES;").await, "1\nt");
    }
}

#[tokio::test]
async fn events_that_run_from_now_on_are_told() {
    let server = Server::start().await;
    server.create_database("evented").await;
    let events = "CREATE EVENT runs ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO SELECT 1;
        CREATE EVENT rests ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;";
    server.sql("evented", events).await;
    let dump = whole(&server.dump("evented")).await;
    for (scheduler, told) in [("ON", true), ("OFF", false)] {
        server.sql("", &format!("SET GLOBAL event_scheduler = {scheduler};")).await;
        let restore = server.restore(&format!("evented_{told}"));
        let warnings = restore.restore(ByteStream::from(dump.clone()), plain()).await.unwrap().warnings;
        let told_of = warnings.iter().find(|warning| warning.contains("events of the dump run"));
        assert_eq!(told_of.is_some(), told, "{warnings:?}");
        assert!(!told_of.is_some_and(|warning| warning.contains("rests")), "{warnings:?}");
    }
}
