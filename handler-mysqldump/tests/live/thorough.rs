//! What an inventory says beyond rows: checksums, objects and definitions.

use backup_core::{ByteStream, Inventory, Restorer, inventory::Inspector};

use crate::{
    round_trip::{plain, whole},
    server::Server,
};

const MORE: &str = "
CREATE TABLE states (
  id int PRIMARY KEY AUTO_INCREMENT, state varchar(9) NOT NULL, kind char(2), note text, UNIQUE KEY u (state, kind), KEY k (kind),
  FULLTEXT KEY f (note), CONSTRAINT positive CHECK (state <> '')
);
INSERT INTO states (state, kind, note) VALUES ('new', 'a', 'it''s'), ('old', 'b', NULL);
CREATE TABLE state_notes (state int, note text, KEY n (note(9)), CONSTRAINT fk FOREIGN KEY (state) REFERENCES states (id));
INSERT INTO state_notes VALUES (1, '),('), (1, '),('), (2, '\\\\');
CREATE TRIGGER states_set BEFORE INSERT ON states FOR EACH ROW SET NEW.kind = 'x', NEW.note = 'CREATE TABLE x';
";

/// The inventory of a plain dump of `database`.
async fn inventory(server: &Server, database: &str) -> Inventory {
    let Inspector { mut tap, inventory, .. } = Inspector::with_checksums("mysql", "plain");
    tap.update(&whole(&server.dump(database)).await).unwrap();
    tap.finish().unwrap();
    inventory.take().unwrap().unwrap()
}

#[tokio::test]
async fn a_restored_database_has_the_same_objects_definitions_and_checksums() {
    let server = Server::shared().await;
    server.fill("thorough", 300).await;
    server.sql("thorough", MORE).await;
    // The counter is further than the rows that are there.
    server.sql("thorough", "ALTER TABLE states AUTO_INCREMENT = 99;").await;
    let dump = whole(&server.dump("thorough")).await;
    server.restore("thorough_2").restore(ByteStream::from(dump), plain()).await.unwrap();
    server.sql("thorough_2", "ALTER TABLE states AUTO_INCREMENT = 199;").await;
    let expected = inventory(&server, "thorough").await;
    let found = inventory(&server, "thorough_2").await;
    assert_eq!(expected.differences(&found), [""; 0]);
    assert_eq!(expected.definition_differences(&found), [""; 0]);
    assert!(expected.tables.iter().all(|table| table.definition.is_some()), "{expected:?}");
    assert!(expected.tables.iter().all(|table| table.rows == 0 || table.checksum.is_some()), "{expected:?}");

    for (kind, query) in [
        ("table", "TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA"),
        ("view", "VIEWS WHERE TABLE_SCHEMA"),
        ("trigger", "TRIGGERS WHERE TRIGGER_SCHEMA"),
        ("event", "EVENTS WHERE EVENT_SCHEMA"),
        ("procedure", "ROUTINES WHERE ROUTINE_TYPE = 'PROCEDURE' AND ROUTINE_SCHEMA"),
        ("function", "ROUTINES WHERE ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_SCHEMA"),
        ("foreign-key", "REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA"),
        (
            "constraint",
            "TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE IN ('PRIMARY KEY', 'CHECK') AND CONSTRAINT_SCHEMA",
        ),
        ("index", "STATISTICS WHERE SEQ_IN_INDEX = 1 AND INDEX_NAME <> 'PRIMARY' AND TABLE_SCHEMA"),
    ] {
        let counted = server
            .sql("thorough", &format!("SELECT COUNT(*) FROM information_schema.{query} = DATABASE();"))
            .await;
        let found = expected.objects.get(kind).copied().unwrap_or_default();
        assert_eq!(found.to_string(), counted.trim(), "{kind}: {:?}", expected.objects);
    }
}

#[tokio::test]
async fn what_was_lost_or_changed_is_said() {
    let server = Server::shared().await;
    server.fill("changed", 3).await;
    server.sql("changed", MORE).await;
    let before = inventory(&server, "changed").await;
    server
        .sql("changed", "DROP TRIGGER states_set; ALTER TABLE state_notes DROP KEY n; UPDATE state_notes SET note = 'm' LIMIT 1;")
        .await;
    let after = inventory(&server, "changed").await;
    let (triggers, indexes) = (before.objects["trigger"], before.objects["index"]);
    assert_eq!(
        before.differences(&after),
        [
            "table state_notes has other rows than expected".to_owned(),
            format!("{indexes} indexes expected, {} found", indexes - 1),
            format!("{triggers} triggers expected, {} found", triggers - 1),
        ]
    );
    assert_eq!(
        before.definition_differences(&after),
        ["table state_notes is defined in another way", "table states is defined in another way"]
    );
}
