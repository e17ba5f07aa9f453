//! [`BackupLog`]: the backups as rows of a table, for people and dashboards that ask by SQL.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{
    StreamExt, TryFutureExt, TryStreamExt,
    stream::{self, BoxStream},
};

use self::{
    answer::{Answer, fits},
    script::Script,
};
use super::{Annotation, Catalog, Entry, Filter, encode, not_found};
use crate::{BackupRef, Error, ErrorKind, Manifest, Result, manifest::Layout, store::StoredCopy};

mod answer;
mod dialect;
mod failure;
mod row;
mod script;

pub use dialect::Dialect;
pub use failure::{FailedAttempt, FailureRecorder};
pub use row::LogStatus;

/// The name of the table, unless told otherwise.
const TABLE: &str = "backup_log";
/// The largest manifest and the largest note that are taken, in bytes.
const MAX_ROW_BYTES: usize = 16 * 1024 * 1024;
/// How many bytes of manifests are read at once while listing, and how many rows.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
const BATCH_ROWS: usize = 256;

/// A database that keeps the tables of a [`BackupLog`]; the handlers bring one for each engine.
///
/// # Contract
///
/// - `run` carries out the statements of the script in order, up to the first that fails; each is all or nothing,
///   and what it changed is durable.
/// - It returns the columns of all rows, in order. Nothing in them needs care: they are numbers, hexadecimal digits
///   and names in ASCII without blanks and control characters.
/// - It gives up in bounded time. No secret is in an error or in `Debug`.
#[async_trait]
pub trait LogDatabase: Send + Sync + Debug + 'static {
    /// The SQL that it speaks.
    fn dialect(&self) -> Dialect;

    /// The schema that keeps the tables, where the session's own does not.
    fn schema(&self) -> Option<&str>;

    /// Runs a script.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have carried out each of the statements.
    async fn run(&self, script: &str) -> Result<Vec<Vec<String>>>;
}

/// Keeps a row for every backup in a table of a database, and the row stays when the backup is gone.
///
/// Made to be a [mirror](crate::Pipeline::with_mirror), so that a database that is down costs a warning and never a
/// backup. The table and the one with the notes are made when they are missing, also by several at once, and never
/// dropped. No text of a backup is ever part of a statement: values travel as hexadecimal digits.
///
/// Columns of `backup_log`:
///
/// | column | content |
/// |---|---|
/// | `id` | the number of the row |
/// | `backup` | the full name, `production/shop/backup-20261120-020000`; NULL where a failed attempt had none yet |
/// | `environment`, `database_name` | as they are, not escaped |
/// | `type` | the kind: `daily`, `pre-migration`, … |
/// | `path` | the artifact's key, behind the store's location where [`with_store`](Self::with_store) says it |
/// | `size` | stored bytes of the artifact |
/// | `started`, `completed`, `deleted` | UTC, to the millisecond; `deleted` by the clock of the database |
/// | `status` | see [`LogStatus`] |
/// | `level` | how deep the check went that the status comes from: `digest`, `restored`, … |
/// | `details` | reason, warnings, findings, or the error of a failed attempt |
/// | `manifest` | the whole manifest as JSON, in ASCII |
/// | `noted` | how many notes the status takes into account |
/// | `live` | 1 as long as the backup exists, else NULL |
///
/// `backup_log_note` holds what was recorded since: `id`, `entry` (the row's `id`), `at`, `note` (`verified`, `held`,
/// …), `record` (JSON). A note is added first, and the status is brought up to date with all notes then: where that failed,
/// which is an error, the next note mends it. Neither names nor types are taken away in later versions.
///
/// # Examples
///
/// The last good backup of each database, in SQL:
///
/// ```sql
/// SELECT environment, database_name, backup, path, level, started FROM backup_log AS good
/// WHERE status = 'verified' AND NOT EXISTS (
///   SELECT 1 FROM backup_log AS newer
///   WHERE newer.environment = good.environment AND newer.database_name = good.database_name
///     AND newer.status = 'verified'
///     AND (newer.started > good.started OR (newer.started = good.started AND newer.id > good.id)));
/// ```
///
/// And of one, as [`last_good`](Self::last_good) finds it:
///
/// ```sql
/// SELECT backup, path, started FROM backup_log
/// WHERE environment = 'production' AND database_name = 'shop' AND status = 'verified'
/// ORDER BY started DESC, id DESC LIMIT 1;
/// ```
#[derive(Debug)]
pub struct BackupLog<D> {
    database: Arc<D>,
    table: String,
    store: Option<String>,
}

impl<D> Clone for BackupLog<D> {
    fn clone(&self) -> Self {
        Self { database: Arc::clone(&self.database), table: self.table.clone(), store: self.store.clone() }
    }
}

impl<D: LogDatabase> BackupLog<D> {
    /// A log in this database, in the table `backup_log`; nothing is asked of the database yet.
    #[must_use]
    pub fn new(database: D) -> Self {
        Self { database: Arc::new(database), table: TABLE.to_owned(), store: None }
    }

    /// Keeps the log in a table of this name; the table of the notes has it too, with `_note` behind.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a name outside `[A-Za-z_][A-Za-z0-9_]*` or longer than 48.
    pub fn with_table(mut self, name: impl Into<String>) -> Result<Self> {
        self.table = name.into();
        check_name(&self.table)?;
        Ok(self)
    }

    /// Says where the artifacts are, such as [`Store::location`](crate::Store::location); it stands before their keys.
    #[must_use]
    pub fn with_store(mut self, location: impl Into<String>) -> Self {
        self.store = Some(location.into());
        self
    }

    /// The newest backup of a database that was proven, as deep as its `level` says, and that no later check doubts.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) where its row is damaged.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn last_good(&self, environment: &str, database: &str) -> Result<Option<Entry>> {
        let filter = Filter::all().with_environment(environment).with_database(database);
        loop {
            let newest = self.ask(&self.script().last_good(&filter)).await?;
            let Some((id, _)) = newest.sizes.first().copied() else { return Ok(None) };
            // None where it was removed meanwhile; then another one is the newest.
            if let Some(found) = self.read(&[id]).await?.pop() {
                return found.map(Some);
            }
        }
    }

    /// Records an attempt that left no backup; [`FailureRecorder`] does it for a pipeline.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a name with a zero byte; any error of the database.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have recorded it.
    pub async fn record_failure(&self, attempt: &FailedAttempt) -> Result<()> {
        self.ask(&self.script().insert(&row::Row::of_failure(attempt))?).await.map(drop)
    }

    fn script(&self) -> Script {
        Script::new(self.database.dialect(), self.database.schema(), &self.table)
    }

    async fn ask(&self, statements: &str) -> Result<Answer> {
        let rows = self.database.run(statements).await;
        rows.and_then(|rows| Answer::read(&rows)).map_err(|err| err.with_context("table", &self.table))
    }

    /// Reads backups by the numbers of their rows; those that are gone are left out.
    async fn read(&self, ids: &[u64]) -> Result<Vec<Result<Entry>>> {
        Ok(self.ask(&self.script().by_ids(ids)).await?.into_entries())
    }
}

#[async_trait]
impl<D: LogDatabase> Catalog for BackupLog<D> {
    async fn insert(&self, manifest: &Manifest) -> Result<Vec<StoredCopy>> {
        encode(manifest)?;
        let entry = Entry::new(manifest.clone(), Vec::new());
        let row = row::Row::of(&entry, self.store.as_deref())?;
        if self.ask(&self.script().insert(&row)?).await?.done == 1 {
            return Ok(Vec::new());
        }
        Err(Error::new(ErrorKind::AlreadyExists, "the backup is in the log already")
            .with_context("backup", manifest.backup_ref()))
    }

    async fn get(&self, backup: &BackupRef) -> Result<Entry> {
        let mut found = self.ask(&self.script().by_name(backup)).await?.into_entries();
        found.pop().unwrap_or_else(|| Err(not_found(backup)))
    }

    async fn annotate(&self, backup: &BackupRef, annotation: &Annotation) -> Result<()> {
        let json = annotation.to_json()?;
        fits("the record", json.len())?;
        let answer = self.ask(&self.script().annotate(backup, annotation, &json)?).await?;
        if answer.done == 0 {
            return Err(not_found(backup));
        }
        // None where it was removed meanwhile: its status is what the removal said.
        match answer.into_first() {
            Some((id, entry)) => self.ask(&self.script().refresh(id, &entry?)).await.map(drop),
            None => Ok(()),
        }
    }

    async fn remove(&self, backup: &BackupRef) -> Result<()> {
        self.ask(&self.script().remove(backup)).await.map(drop)
    }

    fn list(&self, filter: &Filter) -> BoxStream<'static, Result<Entry>> {
        let (log, filter) = (self.clone(), filter.clone());
        let sizes = async move {
            if let Some(environment) = &filter.environment {
                Layout::folder(environment, filter.database.as_deref())?;
            }
            let sizes = log.ask(&log.script().sizes(&filter)).await?.sizes;
            Ok::<_, Error>(
                stream::iter(batches(sizes))
                    .then(move |ids| {
                        let log = log.clone();
                        async move { log.read(&ids).await }
                    })
                    .map_ok(stream::iter)
                    .try_flatten(),
            )
        };
        sizes.try_flatten_stream().boxed()
    }
}

/// Rows in groups that are read at once.
fn batches(sizes: Vec<(u64, u64)>) -> Vec<Vec<u64>> {
    let mut batches: Vec<Vec<u64>> = Vec::new();
    let mut bytes = 0_u64;
    for (id, size) in sizes {
        bytes = bytes.saturating_add(size);
        match batches.last_mut() {
            Some(batch) if bytes <= BATCH_BYTES && batch.len() < BATCH_ROWS => batch.push(id),
            _ => {
                batches.push(vec![id]);
                bytes = size;
            }
        }
    }
    batches
}

/// Lets a name of a table or schema through that no database cuts, folds by surprise or needs to be told how to read.
///
/// # Errors
///
/// [`InvalidInput`](ErrorKind::InvalidInput) for a name outside `[A-Za-z_][A-Za-z0-9_]*` or longer than 48.
pub fn check_name(name: &str) -> Result<()> {
    /// `PostgreSQL` cuts names at 63 bytes, those of the notes' table and its index too.
    const LONGEST: usize = 48;
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if starts_well && name.len() <= LONGEST && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "not a name for a table or schema of the log")
        .with_context("name", name.escape_debug())
        .with_suggestion("use letters, digits and _, at most 48, not starting with a digit"))
}

/// Refuses a time that not every database can hold.
fn check_time(at: DateTime<Utc>) -> Result<()> {
    if (1000..=9999).contains(&chrono::Datelike::year(&at)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, "a time of the log is outside the years 1000 to 9999")
        .with_context("at", at))
}

#[cfg(test)]
mod tests;
