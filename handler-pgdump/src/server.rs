//! Questions to a server, asked by `psql`.

use std::{sync::Arc, time::Duration};

use backup_core::{ByteStream, Error, ErrorKind, Result, inventory::qualified_name, process::Host};
use bytes::Bytes;
use serde::Deserialize;

use crate::{
    Version,
    command::{self, QUERY_ARGS},
    config::PgConfig,
    error::classify,
    version::{Client, Installed, Program},
};

/// The longest that a question may take, unless it counts rows.
pub(crate) const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The most bytes that an answer may have: some 300,000 tables.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Nothing that the database or the role sets bends the answers.
pub(crate) const PREAMBLE: &str = "SET search_path = '';\nSET statement_timeout = 0;\nSET lock_timeout = 0;\nSET \
                        client_min_messages = warning;\nSET row_security = off;\n";

/// A server, and a `psql` to ask it with.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) config: PgConfig,
    /// The newest that was found: to ask a server for its version, all will do.
    pub(crate) psql: Client,
    /// Each `psql` that was found.
    pub(crate) found: Arc<[Client]>,
    pub(crate) host: Host,
}

/// What one question tells about a server and a database.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Facts {
    pub(crate) database: String,
    version_number: u32,
    pub(crate) version: String,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) encoding: String,
    pub(crate) extensions: Vec<String>,
    /// Tables, not counting those of extensions.
    pub(crate) tables: u64,
    /// Everything that a dump could collide with, and that is gone when the database is replaced.
    pub(crate) objects: u64,
    /// Whether the user may make databases.
    pub(crate) may_create: bool,
    /// Whether the user may do with this database what its owner may.
    pub(crate) owns: bool,
    /// All databases of the server with a name of those that restores and rehearsals make, by its bytes in hex.
    pub(crate) databases_beside: Vec<String>,
}

impl Facts {
    pub(crate) fn server(&self) -> Version {
        Version::from_number(self.version_number)
    }
}

/// Objects are counted by catalog; what came with an extension goes with it, and an extension itself is no
/// obstacle, because a dump makes those that are missing; nor is the one that a private server prepares itself with. What `initdb` made has a number below 16384.
///
/// A name of another database is of that one's encoding: it is asked for by its bytes, which no encoding refuses.
const FACTS: &str = r"
WITH mine AS (
  SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), found AS (
  SELECT 'pg_class'::regclass AS catalog, c.oid, relkind::text AS kind FROM pg_class c JOIN mine ON mine.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  UNION ALL SELECT 'pg_namespace'::regclass, oid, '' FROM mine WHERE nspname <> 'public'
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, '' FROM pg_proc p JOIN mine ON mine.oid = pronamespace
  UNION ALL SELECT 'pg_type'::regclass, t.oid, '' FROM pg_type t JOIN mine ON mine.oid = typnamespace
    WHERE typtype IN ('e', 'd', 'r') OR (typtype = 'b' AND typcategory <> 'A')
  UNION ALL SELECT 'pg_largeobject'::regclass, oid, '' FROM pg_largeobject_metadata
  UNION ALL SELECT 'pg_operator'::regclass, oid, '' FROM pg_operator WHERE oid >= 16384
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, '' FROM pg_opfamily WHERE oid >= 16384
  UNION ALL SELECT 'pg_collation'::regclass, oid, '' FROM pg_collation WHERE oid >= 16384
  UNION ALL SELECT 'pg_conversion'::regclass, oid, '' FROM pg_conversion WHERE oid >= 16384
  UNION ALL SELECT 'pg_cast'::regclass, oid, '' FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'pg_language'::regclass, oid, '' FROM pg_language WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, '' FROM pg_ts_config WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, '' FROM pg_ts_dict WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_parser'::regclass, oid, '' FROM pg_ts_parser WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_template'::regclass, oid, '' FROM pg_ts_template WHERE oid >= 16384
  UNION ALL SELECT 'pg_event_trigger'::regclass, oid, '' FROM pg_event_trigger WHERE evtname <> 'backup_rehearsal'
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, '' FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, '' FROM pg_foreign_server
), objects AS (
  SELECT kind FROM found
  WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = catalog AND d.objid = found.oid AND d.deptype = 'e')
)
SELECT json_build_object(
  'database', current_database(),
  'version_number', current_setting('server_version_num')::int,
  'version', current_setting('server_version'),
  'size_bytes', CASE WHEN has_database_privilege(datname, 'CONNECT') THEN pg_database_size(datname) END,
  'encoding', pg_encoding_to_char(encoding),
  'extensions', (SELECT coalesce(json_agg(extname || ' ' || extversion ORDER BY extname), '[]') FROM pg_extension),
  'tables', (SELECT count(*) FROM objects WHERE kind IN ('r', 'p')),
  'objects', (SELECT count(*) FROM objects),
  'may_create', (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),
  'owns', pg_has_role(datdba, 'USAGE'),
  'databases_beside', (SELECT coalesce(json_agg(encode(replace(beside.datname::text, chr(92), repeat(chr(92), 2))::bytea, 'hex')),
    '[]') FROM pg_database beside
    WHERE beside.datname ~ '_(restoring|replaced|rehearsal)_[0-9a-f]{8}$')
) FROM pg_database WHERE datname = current_database();
";

impl Server {
    /// Finds a `psql`.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn new(config: &PgConfig, installed: &Installed, host: &Host) -> Result<Self> {
        config.validate()?;
        let found: Arc<[Client]> = installed.find(Program::Psql, host).await?.into();
        let newest = found.iter().max_by_key(|client| client.version).cloned();
        let psql = newest.ok_or_else(|| installed.none(Program::Psql, host))?;
        Ok(Self { config: config.clone(), psql, found, host: host.clone() })
    }

    /// The same server, another database.
    pub(crate) fn at(&self, database: &str) -> Self {
        Self { config: self.config.with_database(database), ..self.clone() }
    }

    /// Runs `sql` and returns what it prints, without headers; stops at the first error.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe for questions: a dropped call ends `psql`.
    pub(crate) async fn ask(&self, sql: &str, limit: Duration) -> Result<String> {
        let psql = self.psql.path(Program::Psql);
        let tool = command::client("psql", psql, &self.config, &self.host, QUERY_ARGS.iter().copied())
            .await?
            .env("PGCLIENTENCODING", "UTF8")
            .total_timeout(limit);
        let script = Bytes::from(format!("{PREAMBLE}{sql}\n"));
        let output = tool.feed(ByteStream::from(script), ANSWER_LIMIT).await.map_err(|err| {
            classify(err)
                .with_context("server", self.config.location())
                .with_context("database", self.config.database())
        })?;
        String::from_utf8(output.stdout.into())
            .map_err(|err| Error::new(ErrorKind::Unexpected, "psql answered no UTF-8").with_source(err))
    }

    /// The first column of the first row that a query has, as text, in the search path of the database; `None` for NULL and for no row.
    ///
    /// # Cancel safety
    ///
    /// As [`ask`](Self::ask).
    pub(crate) async fn scalar(&self, sql: &str, limit: Duration) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Row {
            answer: Option<String>,
        }
        let query = sql.trim().trim_end_matches(';');
        let wrapped = format!(
            "RESET search_path;\nSELECT json_build_object('answer', (SELECT answer::text FROM (\n{query}\n) AS asked(answer) LIMIT 1));"
        );
        Ok(parse::<Row>(&self.ask(&wrapped, limit).await?)?.answer)
    }

    /// Asks for versions, size, extensions and content of the database.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn facts(&self) -> Result<Facts> {
        let answer = self.ask(FACTS, QUESTION_LIMIT).await?;
        let facts: Facts = parse(&answer)?;
        if facts.database != self.config.database() {
            // A pooler may send a session elsewhere; a dump of another database is never a backup of this one.
            return Err(Error::new(ErrorKind::ConnectionFailed, "the session is in another database")
                .with_context("asked_for", self.config.database())
                .with_context("found", facts.database)
                .with_suggestion("connect to the server itself, not by way of a pooler"));
        }
        Ok(facts)
    }
}

/// Reads an answer that is one JSON value.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T> {
    serde_json::from_str(answer.trim())
        .map_err(|err| Error::new(ErrorKind::Unexpected, "psql's answer cannot be read").with_source(err))
}

/// The name of a table as an inventory has it, of the bytes of its parts in the encoding of the database, in hex.
///
/// By the bytes, as a dump is written in that encoding, and what is read out of it knows no other.
pub(crate) fn table_name(schema: &str, table: &str) -> Result<String> {
    let shown = |part: &str| {
        let bytes = hex::decode(part).map_err(|err| {
            Error::new(ErrorKind::Unexpected, "psql's answer cannot be read").with_source(err)
        })?;
        Ok::<_, Error>(
            String::from_utf8(bytes).unwrap_or_else(|err| err.as_bytes().escape_ascii().to_string()),
        )
    };
    Ok(qualified_name([shown(schema)?.as_str(), shown(table)?.as_str()]))
}

/// A name as SQL writes it.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it, whatever `standard_conforming_strings` says.
pub(crate) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
