//! What an inventory says beyond rows: checksums, objects and definitions.

use backup_core::{ByteStream, Inventory, Restorer, inventory::Inspector};
use handler_pgdump::{Format, Rows};

use crate::{
    round_trip::{options, whole},
    server::Server,
};

const MORE: &str = r#"
CREATE TABLE states (
  id serial PRIMARY KEY, state varchar(9) CHECK (state IN ('new', 'p(aid', 'a]b')), kind char(2) CHECK (kind IN ('a', 'b')),
  label varchar DEFAULT 'x', UNIQUE (state, kind), EXCLUDE USING btree (label WITH =)
);
CREATE INDEX states_state ON states (state) WHERE state <> ALL (ARRAY['new'::varchar, 'old'::varchar]);
CREATE INDEX states_lower ON states (lower(label)) INCLUDE (kind);
CREATE TABLE state_notes (state integer REFERENCES states ON DELETE CASCADE, note text, "a b" text);
CREATE STATISTICS state_stats (dependencies) ON state, kind FROM states;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; -- CREATE TABLE x ();
END $$;
CREATE FUNCTION one() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
CREATE TRIGGER touch BEFORE UPDATE OF state ON states FOR EACH ROW WHEN (NEW.state = 'new') EXECUTE FUNCTION touched('it''s');
CREATE TRIGGER silent AFTER INSERT ON states FOR EACH ROW EXECUTE FUNCTION touched();
ALTER TABLE states DISABLE TRIGGER silent;
ALTER TABLE states ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON states FOR SELECT USING (state = ANY ('{new,old}'::text[]));
CREATE VIEW shown AS SELECT state, count(*) FROM states GROUP BY states.id;
CREATE MATERIALIZED VIEW kept AS SELECT state FROM states;
CREATE UNIQUE INDEX kept_state ON kept (state);
CREATE RULE quiet AS ON DELETE TO states WHERE OLD.state = 'new' DO INSTEAD NOTHING;
INSERT INTO states (state, kind, label) VALUES ('new', 'a', 'one'), ('a]b', 'b', 'two');
INSERT INTO state_notes VALUES (1, 'n', E'\\.'), (1, 'n', E'\\.'), (2, NULL, '');
"#;

/// The inventory of a plain dump of `database`.
async fn inventory(server: &Server, database: &str, rows: Rows) -> Inventory {
    let Inspector { mut tap, inventory, .. } = Inspector::with_checksums("postgresql", "plain");
    tap.update(&whole(&server.dump(database).rows(rows)).await).unwrap();
    tap.finish().unwrap();
    inventory.take().unwrap().unwrap()
}

#[tokio::test]
async fn a_restored_database_has_the_same_objects_definitions_and_checksums() {
    let server = Server::shared().await;
    server.fill("thorough", 300);
    server.sql("thorough", MORE);
    let dump = whole(&server.dump("thorough")).await;
    server.restore("thorough 2").restore(ByteStream::from(dump), options(Format::Plain)).await.unwrap();
    for rows in [Rows::Copy, Rows::Inserts, Rows::ColumnInserts] {
        let expected = inventory(&server, "thorough", rows).await;
        let found = inventory(&server, "thorough 2", rows).await;
        assert_eq!(expected.differences(&found), [""; 0], "{rows:?}");
        assert_eq!(expected.definition_differences(&found), [""; 0], "{rows:?}");
        assert!(expected.tables.iter().all(|table| table.definition.is_some()), "{expected:?}");
        assert!(
            expected.tables.iter().all(|table| table.rows == 0 || table.checksum.is_some()),
            "{expected:?}"
        );
    }
    objects_are_those_of_the_server(&server, &inventory(&server, "thorough", Rows::Copy).await);
}

/// Counts in the server's catalog what the scanner counted in the text.
fn objects_are_those_of_the_server(server: &Server, inventory: &Inventory) {
    let of = "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname !~ '^pg_|^information_schema$' AND relkind";
    let constraints = "SELECT count(*) FROM pg_constraint c WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname \
        !~ '^pg_|^information_schema$') AND conrelid <> 0 AND conparentid = 0 AND contype";
    for (kind, query) in [
        ("table", format!("SELECT count(*) FROM pg_class {of} IN ('r', 'p')")),
        ("view", format!("SELECT count(*) FROM pg_class {of} = 'v'")),
        ("materialized-view", format!("SELECT count(*) FROM pg_class {of} = 'm'")),
        ("foreign-key", format!("{constraints} = 'f'")),
        ("constraint", format!("{constraints} IN ('p', 'u', 'c', 'x')")),
        (
            "index",
            format!(
                "SELECT count(*) FROM pg_class {of} IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = pg_class.oid)"
            ),
        ),
        ("trigger", "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0".to_owned()),
        ("policy", "SELECT count(*) FROM pg_policy".to_owned()),
        ("rule", "SELECT count(*) FROM pg_rewrite WHERE rulename !~ '^_RETURN|^pg_'".to_owned()),
        ("statistics", "SELECT count(*) FROM pg_statistic_ext".to_owned()),
    ] {
        let counted = server.sql("thorough", &query).trim().parse::<u64>().unwrap();
        let found = inventory.objects.get(kind).copied().unwrap_or_default();
        assert_eq!(found, counted, "{kind}: {:?}", inventory.objects);
    }
}

#[tokio::test]
async fn what_was_lost_or_changed_is_said() {
    let server = Server::shared().await;
    server.fill("changed", 3);
    server.sql("changed", MORE);
    let before = inventory(&server, "changed", Rows::Copy).await;
    server.sql(
        "changed",
        "DROP INDEX states_lower; \
        DROP TRIGGER touch ON states; UPDATE state_notes SET note = 'm' WHERE ctid = '(0,1)'; \
        ALTER TABLE orders ADD CHECK (net > 0)",
    );
    let after = inventory(&server, "changed", Rows::Copy).await;
    let lines = before.differences(&after);
    let (triggers, indexes) = (before.objects["trigger"], before.objects["index"]);
    assert_eq!(
        lines,
        [
            "table public.state_notes has other rows than expected".to_owned(),
            format!(
                "{} constraints expected, {} found",
                before.objects["constraint"],
                before.objects["constraint"] + 1
            ),
            format!("{indexes} indexes expected, {} found", indexes - 1),
            format!("{triggers} triggers expected, {} found", triggers - 1),
        ]
    );
    assert_eq!(
        before.definition_differences(&after),
        ["table public.orders is defined in another way", "table public.states is defined in another way"]
    );
}
