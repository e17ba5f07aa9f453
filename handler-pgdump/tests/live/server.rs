//! A PostgreSQL server of our own, with the fixtures of these tests.

use std::{
    ops::Deref,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use backup_core::testkit::postgres::PrivatePostgres;
use handler_pgdump::{PgConfig, PgDump, PgRestore};

/// A server, and what these tests ask of it; each test has databases of its own.
pub enum Server {
    Shared(&'static PrivatePostgres),
    Own(PrivatePostgres),
}

impl Deref for Server {
    type Target = PrivatePostgres;

    fn deref(&self) -> &PrivatePostgres {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

impl Server {
    pub async fn shared() -> Self {
        Self::Shared(PrivatePostgres::shared().await)
    }

    pub async fn start() -> Self {
        Self::Own(PrivatePostgres::start().await)
    }

    pub fn config(&self, database: &str) -> PgConfig {
        PgConfig::from_url(&self.url(database)).unwrap()
    }

    pub fn dump(&self, database: &str) -> PgDump {
        PgDump::new(self.config(database))
    }

    pub fn restore(&self, database: &str) -> PgRestore {
        PgRestore::new(self.config(database))
    }

    /// Runs `sql` and returns what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), sql).unwrap();
        self.client(
            "psql",
            database,
            &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", file.path().to_str().unwrap()],
        )
    }

    /// A program of the vendor's.
    pub fn client(&self, program: &str, database: &str, args: &[&str]) -> String {
        let output = Command::new(self.bin(program))
            .args(args)
            .env("PGHOST", self.host())
            .env("PGPORT", self.port().to_string())
            .env("PGUSER", self.superuser())
            .env("PGPASSWORD", self.password().expose())
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn create(&self, database: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {} TEMPLATE template0", quoted(database)));
    }

    /// A stock dump, without what differs from run to run.
    pub fn stock_dump(&self, database: &str) -> String {
        let dump = self.client("pg_dump", database, &[]);
        let lines = dump.lines().filter(|line| !line.contains("restrict "));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn databases(&self) -> Vec<String> {
        let names = self.sql("postgres", "SELECT datname FROM pg_database ORDER BY 1");
        names.lines().map(str::to_owned).collect()
    }

    /// The databases that a restore or a rehearsal of `name` left behind.
    pub fn leftovers(&self, name: &str) -> Vec<String> {
        let left = |other: &String| {
            let parts = ["_restoring_", "_replaced_", "_rehearsal_"];
            other.starts_with(name) && parts.iter().any(|part| other.contains(part))
        };
        self.databases().into_iter().filter(left).collect()
    }

    /// Waits until the server answers `expected` to `question`.
    pub async fn wait_for(&self, question: &str, expected: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        while self.sql("postgres", question).trim() != expected {
            assert!(Instant::now() < limit, "{question}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The nasty database of these tests, with `rows` rows in its largest table.
    pub fn fill(&self, database: &str, rows: u32) {
        self.create(database);
        self.sql(database, &FIXTURE.replace(":rows", &rows.to_string()));
    }
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const FIXTURE: &str = r#"
CREATE SCHEMA "we.ird ""schema";
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  net numeric NOT NULL,
  gross numeric GENERATED ALWAYS AS (net * 1.19) STORED,
  note text, mood mood, raw bytea, tags text[], made timestamptz DEFAULT '2026-01-01 00:00Z'
);
INSERT INTO orders (net, note, mood, raw, tags)
  SELECT i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN E'\\.\nCOMMIT;\n\\! id' WHEN 2 THEN '' ELSE E'tab\there ü' END,
    'sad', decode(md5(i::text), 'hex'), ARRAY['a,b', '"', NULL] FROM generate_series(1, :rows) i;
CREATE TABLE lines (line text);
INSERT INTO lines VALUES ('BEGIN;'), ('COMMIT;'), ('\restrict x'), ('\.'), ('-- PostgreSQL database dump complete');
CREATE TABLE "Q"" t; --" ("select" integer, "a b" text);
INSERT INTO "Q"" t; --" VALUES (1, 'x'), (2, 'y');
CREATE TABLE "we.ird ""schema"."t.able" (x integer REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO "we.ird ""schema"."t.able" VALUES (1), (2);
CREATE TABLE empty_table (a positive);
CREATE TABLE no_columns ();
CREATE UNLOGGED TABLE unlogged_table AS SELECT 1 AS a;
CREATE TABLE parts (at date, v integer) PARTITION BY RANGE (at);
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT '2025-12-30'::date + i, i FROM generate_series(1, 20) i;
CREATE TABLE parent (a integer);
CREATE TABLE child (b integer) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3), (4, 5);
CREATE SEQUENCE counter START 7;
SELECT nextval('counter'), nextval('counter');
CREATE VIEW both_views AS SELECT id, E'back\\slash''s' AS text FROM orders;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders;
CREATE FUNCTION evil() RETURNS text LANGUAGE plpgsql AS $fn$
BEGIN
  /* The next lines look like the dump's own.
COPY public.orders (id) FROM stdin;
\.
COMMIT;
*/
  RETURN $a$ $$ \. $a$;
END $fn$;
CREATE FUNCTION atomic() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
CREATE RULE no_delete AS ON DELETE TO lines DO INSTEAD NOTHING;
CREATE INDEX ON orders (note);
COMMENT ON TABLE orders IS 'it''s
COMMIT;
BEGIN;
';
SELECT lo_from_bytea(0, decode(repeat('00ff', 3000), 'hex')) FROM generate_series(1, 3);
"#;
