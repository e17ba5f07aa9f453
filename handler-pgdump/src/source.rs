//! What the server says of the rows of its tables: their number and a checksum, computed by SQL.

use std::time::Duration;

use backup_core::{ByteStream, Error, ErrorKind, Inventory, Result, TableInventory, process::Tool};
use bytes::BytesMut;
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::{
    Version,
    error::panicked,
    server::{Server, table_name},
};

mod pattern;
mod scope;

pub(crate) use scope::Scope;

/// The longest that summing up all tables of a throw-away database may take.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The most bytes that the server may say of its tables: some 300,000.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// The first version that can hash a row to 64 bits.
const FIRST_MAJOR: u32 = 11;

/// How values become text; whatever the database or the role sets.
const TEXT_FORM: &str = "SET DateStyle = 'ISO, MDY';\nSET IntervalStyle = 'postgres';\nSET TimeZone = 'UTC';\n\
                         SET extra_float_digits = 3;\nSET bytea_output = 'hex';\nSET lc_monetary = 'C';\n\
                         SET quote_all_identifiers = off;\nSET standard_conforming_strings = on;\n";

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n";

/// A session may wait for long, and where the server can see it, does not outlive its client.
const UNHURRIED: &str = "SET idle_in_transaction_session_timeout = 0;\n\
    SELECT 1 FROM pg_settings WHERE CASE name WHEN 'transaction_timeout' THEN set_config(name, '0', false) IS NULL \
    WHEN 'client_connection_check_interval' THEN version() ~ 'linux' AND set_config(name, '2s', false) IS NULL \
    ELSE false END;\n";

/// Printed last, so that an end that nobody saw is none.
const DONE: &str = "\"counted\"";
const SAY_DONE: &str = "SELECT to_json('counted'::text);\n";

/// The inventory of the whole database as it is now, with checksums; `None` where the server is too old for them.
///
/// # Cancel safety
///
/// Cancel-safe.
pub(crate) async fn checksums(server: &Server) -> Result<Option<Inventory>> {
    let facts = server.facts().await?;
    if check(facts.server()).is_err() {
        return Ok(None);
    }
    let script = format!("{TEXT_FORM}{BEGIN}{}\nCOMMIT;\n{SAY_DONE}", Scope::default().script());
    let answer = server.ask(&script, LIMIT).await?;
    let mut counted = Counted::new(&facts.encoding);
    answer.lines().try_for_each(|line| counted.take(line))?;
    counted.finish().map(Some)
}

/// Refuses a server that is too old for it.
pub(crate) fn check(server: Version) -> Result<()> {
    if server.major >= FIRST_MAJOR {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "the server is too old for source checksums")
        .with_context("server_version", server)
        .with_context("needed", FIRST_MAJOR)
        .with_suggestion("dump without source checksums"))
}

/// The script of a session that shows a dump what it sees, and sums up the same rows.
///
/// It exports its snapshot, waits until the dump has begun, sums up, and waits until the dump has ended: the
/// snapshot has to be there until the last worker of the dump took it over. The dump is known by `mark`, which
/// ends its `application_name`.
pub(crate) fn script(preamble: &str, scope: &Scope, mark: &str) -> String {
    let tables = scope.script();
    format!(
        r"{preamble}{TEXT_FORM}{UNHURRIED}{BEGIN}SELECT to_json(pg_export_snapshot());
DO $wait$ BEGIN LOOP
  PERFORM pg_stat_clear_snapshot();
  EXIT WHEN clock_timestamp() > now() + interval '{APPEARS_SECONDS} s'
    OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '%{mark}');
  PERFORM pg_sleep(0.01);
END LOOP; END $wait$;
{tables}
DO $wait$ BEGIN LOOP
  PERFORM pg_stat_clear_snapshot();
  EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '%{mark}');
  PERFORM pg_sleep(least(1, greatest(0.02, extract(epoch FROM clock_timestamp() - now()) / 50)));
END LOOP; END $wait$;
COMMIT;
{SAY_DONE}"
    )
}

/// How long the dump may take to connect; one that comes later, and after the sums, finds no snapshot and fails.
const APPEARS_SECONDS: u32 = 30;

/// A session under way that lends its snapshot to a dump; ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Look {
    /// The name by which others take the snapshot over.
    pub(crate) snapshot: String,
    counting: Option<JoinHandle<Result<Inventory>>>,
}

impl Look {
    /// Starts `psql` on a [`script`], and waits for the snapshot.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call ends `psql`.
    pub(crate) async fn start(psql: Tool, encoding: &str) -> Result<Self> {
        let mut lines = Lines::new(psql.stream()?);
        let first = lines.next().await?.ok_or_else(unreadable)?;
        let snapshot: String = serde_json::from_str(&first).map_err(|err| unreadable().with_source(err))?;
        if snapshot.is_empty() || !snapshot.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Err(unreadable());
        }
        let mut counted = Counted::new(encoding);
        let counting = tokio::spawn(async move {
            while let Some(line) = lines.next().await? {
                counted.take(&line)?;
            }
            counted.finish()
        });
        Ok(Self { snapshot, counting: Some(counting) })
    }

    /// What was counted, after `psql` ended with success; pending for ever once that was said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn counted(&mut self) -> Result<Inventory> {
        let Some(counting) = &mut self.counting else { return std::future::pending().await };
        let counted = counting.await;
        self.counting = None;
        counted.map_err(panicked)?
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        if let Some(counting) = &self.counting {
            counting.abort();
        }
    }
}

/// The lines of a stream.
struct Lines {
    stream: ByteStream,
    held: BytesMut,
    total: usize,
}

impl Lines {
    fn new(stream: ByteStream) -> Self {
        Self { stream, held: BytesMut::new(), total: 0 }
    }

    /// The next line, without its end; `None` after the clean end of the stream.
    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line = self.held.split_to(end + 1);
                let line = std::str::from_utf8(&line).map_err(|err| unreadable().with_source(err))?;
                return Ok(Some(line.trim_end().to_owned()));
            }
            match self.stream.next().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    self.total += chunk.len();
                    if self.total > ANSWER_LIMIT {
                        return Err(Error::new(ErrorKind::ToolFailed, "psql printed more than it should")
                            .with_context("limit_bytes", ANSWER_LIMIT));
                    }
                    self.held.extend_from_slice(&chunk);
                }
                None if self.held.is_empty() => return Ok(None),
                None => return Err(unreadable()),
            }
        }
    }
}

/// Schema, table, rows and the halves of the checksum.
type Row = (String, String, u64, Option<String>, Option<String>);

/// What was said so far.
struct Counted {
    form: String,
    tables: Vec<TableInventory>,
    is_done: bool,
}

impl Counted {
    /// Rows are hashed in the encoding of the database.
    fn new(encoding: &str) -> Self {
        let form = match encoding {
            "UTF8" => "sql".to_owned(),
            other => format!("sql-{}", other.to_lowercase()),
        };
        Self { form, tables: Vec::new(), is_done: false }
    }

    fn take(&mut self, line: &str) -> Result<()> {
        if line.is_empty() {
            return Ok(());
        }
        if line == DONE {
            self.is_done = true;
            return Ok(());
        }
        let (schema, table, rows, high, low): Row =
            serde_json::from_str(line).map_err(|err| unreadable().with_source(err))?;
        let mut table = TableInventory::new(table_name(&schema, &table)?, rows, 0);
        if let (Some(high), Some(low)) = (high, low) {
            let [high, low] = [high.parse::<u64>(), low.parse::<u64>()];
            let high = high.map_err(|err| unreadable().with_source(err))?;
            let low = low.map_err(|err| unreadable().with_source(err))?;
            table.source_checksum = Some(format!("{}:{high:016x}{low:016x}", self.form));
        }
        self.tables.push(table);
        Ok(())
    }

    fn finish(self) -> Result<Inventory> {
        if self.is_done { Ok(Inventory::new(self.tables)) } else { Err(unreadable()) }
    }
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Unexpected, "psql's answer cannot be read").with_context("tool", "psql")
}
