//! What is chosen is what is dumped.

use backup_core::{ByteStream, Dumper, ErrorKind, Restorer, inventory::Inspector};
use bytes::Bytes;
use handler_mysqldump::{Consistency, Content, Grants, Position, Stored};

use crate::{
    round_trip::{plain, scanned, whole},
    server::Server,
};

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn tables_contents_and_programs_can_be_chosen() {
    let server = Server::shared().await;
    server.fill("choices", 40).await;
    let dump = || server.dump("choices");

    let two = scanned(&whole(&dump().table("orders").table("Q` t; --\" .x")).await);
    assert_eq!(two.tables.len(), 2);
    let without = scanned(&whole(&dump().ignore_table("child").ignore_table("log")).await);
    assert!(without.table("child").is_none() && without.table("orders").is_some());
    let empty = scanned(&whole(&dump().ignore_table_data("orders")).await);
    assert_eq!((empty.table("orders").unwrap().rows, empty.table("child").unwrap().rows), (0, 2));

    let schema = whole(&dump().content(Content::SchemaOnly)).await;
    assert_eq!(scanned(&schema).rows(), 0);
    assert!(text(&schema).contains("PROCEDURE `many`") && text(&schema).contains("EVENT `nightly`"));
    let data = whole(&dump().content(Content::DataOnly)).await;
    assert!(!text(&data).contains("CREATE TABLE") && !text(&data).contains("TRIGGER"), "{}", text(&data));
    assert_eq!(scanned(&data).table("orders").unwrap().rows, 40);

    let bare = dump().routines(Stored::Omit).triggers(Stored::Omit).events(Stored::Omit);
    let bare = text(&whole(&bare).await);
    assert!(!bare.contains("PROCEDURE") && !bare.contains("TRIGGER") && !bare.contains("EVENT"), "{bare}");

    let extra = dump().extra_arg("--skip-extended-insert").unwrap();
    assert_eq!(text(&whole(&extra).await).matches("\nINSERT INTO `orders`").count(), 40);
    let err = dump().table("no such").dump().await.unwrap().body.collect_bytes(1 << 20).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err:?}");
}

#[tokio::test]
async fn rows_chosen_by_a_condition_come_back_with_everything_else() {
    let server = Server::shared().await;
    server.fill("recent", 100).await;
    let dump = server.dump("recent").rows_where("orders", "id > 90").rows_where("texts", "line LIKE 'B%'");
    let started = dump.dump().await.unwrap();
    assert!(started.warnings.iter().any(|text| text.contains("orders, texts")), "{:?}", started.warnings);
    let bytes = started.body.collect_bytes(1 << 26).await.unwrap();
    let found = scanned(&bytes);
    assert_eq!(found.table("orders").unwrap().rows, 10);
    assert_eq!(found.table("texts").unwrap().rows, 1);
    assert_eq!(found.table("child").unwrap().rows, 2);
    let outcome = server.restore("recent_new").restore(ByteStream::from(bytes), plain()).await.unwrap();
    assert_eq!(found.differences(&outcome.inventory), Vec::<String>::new());
    assert_eq!(server.sql("recent_new", "SELECT COUNT(*) FROM a_view; SELECT twice(4);").await, "10\n8");
}

#[tokio::test]
async fn tables_without_transactions_are_named_unless_they_are_locked() {
    let server = Server::shared().await;
    server.create_database("engines").await;
    server
        .sql("engines", "CREATE TABLE good (a int); CREATE TABLE old_one (a int) ENGINE=MyISAM; CREATE TABLE mem (a int) ENGINE=MEMORY;")
        .await;
    let warnings = server.dump("engines").dump().await.unwrap().warnings;
    assert!(warnings.iter().any(|text| text.contains("mem (MEMORY), old_one (MyISAM)")), "{warnings:?}");
    for quiet in [
        server.dump("engines").consistency(Consistency::LockTables),
        server.dump("engines").consistency(Consistency::LockServer),
        server.dump("engines").content(Content::SchemaOnly),
        server.dump("engines").table("good"),
    ] {
        let dump = quiet.dump().await.unwrap();
        assert_eq!(dump.warnings, Vec::<String>::new());
        dump.body.collect_bytes(1 << 20).await.unwrap();
    }
}

#[tokio::test]
async fn the_position_in_the_binary_log_is_that_of_the_dump() {
    let server = Server::shared().await;
    server.create_database("position").await;
    server.sql("position", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);").await;
    let bytes = whole(&server.dump("position").position(Position::Record)).await;
    let mut inspector = Inspector::for_format("mysql", "plain");
    inspector.tap.update(&bytes).unwrap();
    inspector.tap.finish().unwrap();
    let position = inspector.position.take().flatten().expect("a position");
    assert!(position.binlog_file.as_deref().is_some_and(|file| file.starts_with("binlog.")), "{position:?}");
    assert!(position.binlog_position.is_some_and(|position| position > 4), "{position:?}");
    // Others write meanwhile; a gtid is there in any case where the server has any.
    if server.is_mariadb() {
        assert!(position.gtid.is_some_and(|gtid| gtid.starts_with("0-1-")));
    }
    let outcome = server.restore("position_new").restore(ByteStream::from(bytes), plain()).await.unwrap();
    assert_eq!(outcome.inventory.rows(), 1);
}

#[tokio::test]
async fn users_and_grants_are_a_companion_that_makes_them_again() {
    let server = Server::start().await;
    server.create_database("app").await;
    server
        .sql("app", "CREATE TABLE t (a int); CREATE USER 'it''s `me`'@'10.%' IDENTIFIED BY 'p''w';
            GRANT SELECT (a), UPDATE (a) ON t TO 'it''s `me`'@'10.%'; GRANT EVENT ON `app`.* TO 'it''s `me`'@'10.%';")
        .await;
    let mut dump = server.dump("app").grants(Grants::All).dump().await.unwrap();
    let companion = dump.companions.remove(0);
    assert_eq!((companion.name.as_str(), companion.extension.as_str()), ("grants", "sql"));
    let grants = text(&companion.body.collect_bytes(1 << 20).await.unwrap());
    assert!(grants.ends_with("-- Dump completed\n"), "{grants}");
    let show = "SHOW GRANTS FOR 'it''s `me`'@'10.%';";
    let before = server.sql("", show).await;
    server.sql("", "DROP USER 'it''s `me`'@'10.%';").await;
    let mine: Vec<&str> = grants.lines().filter(|line| line.contains("10.%")).collect();
    server.sql("", &mine.join("\n")).await;
    assert_eq!(server.sql("", show).await, before);
}

#[tokio::test]
async fn wrong_choices_are_refused_before_anything_is_started() {
    let server = Server::shared().await;
    for dump in [
        server.dump("mysql").table(""),
        server.dump("mysql").table("a").ignore_table("a"),
        server.dump("mysql").rows_where("a", " "),
        server.dump("mysql").table("a").rows_where("a", "1"),
    ] {
        assert_eq!(dump.dump().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
