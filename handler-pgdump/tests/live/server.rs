//! A PostgreSQL server of our own, in a temporary folder, with the fixtures of these tests.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use handler_pgdump::{PgConfig, PgDump, PgRestore};

/// Hard for shells, connection strings, password files and `psql` alike.
pub const PASSWORD: &str = "p@ss/w%rd'\" `$(x)\\:ü";

/// A server, stopped when this is dropped.
pub struct Server {
    pub folder: tempfile::TempDir,
    pub port: u16,
    programs: PathBuf,
    user: Option<String>,
}

impl Server {
    pub fn start() -> Self {
        let programs = newest_programs();
        let folder = tempfile::Builder::new().prefix("pgt").tempdir_in("/tmp").unwrap();
        let user = (run_plain("id", &["-u"]).trim() == "0").then(|| "postgres".to_owned());
        if let Some(user) = &user {
            run_plain("chown", &[user, folder.path().to_str().unwrap()]);
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder, port, programs, user };
        let data = server.data();
        let password_file = server.folder.path().join("pw");
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let password_file = password_file.to_str().unwrap().to_owned();
        server.run_as_owner(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "admin",
                "--pwfile",
                &password_file,
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--no-sync",
            ],
        );
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} -c fsync=off \
             -c max_connections=40",
            server.folder.path().display()
        );
        let log = format!("{}/log", server.folder.path().display());
        server.run_as_owner("pg_ctl", &["-D", &data, "-o", &options, "-l", &log, "-w", "-t", "120", "start"]);
        server
    }

    fn data(&self) -> String {
        format!("{}/data", self.folder.path().display())
    }

    pub fn programs(&self) -> &PathBuf {
        &self.programs
    }

    fn run_as_owner(&self, program: &str, args: &[&str]) {
        let program = self.programs.join(program);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([
                    &format!("--reuid={user}"),
                    &format!("--regid={user}"),
                    "--init-groups",
                    program.to_str().unwrap(),
                ]);
                command
            }
            None => Command::new(program),
        };
        command
            .args(args)
            .current_dir("/tmp")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{args:?}");
    }

    pub fn stop(&self, mode: &str) {
        self.run_as_owner("pg_ctl", &["-D", &self.data(), "-m", mode, "-w", "stop"]);
    }

    /// By TCP, with the password.
    pub fn url(&self, database: &str) -> String {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        format!("postgresql://admin:{}@127.0.0.1:{}/{}", encode(PASSWORD), self.port, encode(database))
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

    /// Runs `sql`, by the socket, and returns what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), sql).unwrap();
        self.client(
            "psql",
            database,
            &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", file.path().to_str().unwrap()],
        )
    }

    /// A program of the vendor's, by the socket.
    pub fn client(&self, program: &str, database: &str, args: &[&str]) -> String {
        let output = Command::new(self.programs.join(program))
            .args(args)
            .env("PGHOST", self.folder.path())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "admin")
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

    /// Whether a database was left behind by a restore or a rehearsal.
    pub fn leftovers(&self) -> Vec<String> {
        let left = |name: &String| {
            ["_restoring_", "_replaced_", "_rehearsal_"].iter().any(|part| name.contains(part))
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

impl Drop for Server {
    fn drop(&mut self) {
        if self.folder.path().join("data/postmaster.pid").exists() {
            self.stop("immediate");
        }
    }
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn newest_programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    found.retain(|folder| folder.join("initdb").exists());
    found.sort();
    found.pop().expect("these tests start a PostgreSQL server: install the package postgresql")
}

fn run_plain(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}");
    String::from_utf8(output.stdout).unwrap()
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
