//! [`SqliteRestore`]: builds a database beside its target, checks it, and puts it in place at once.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dumper, Error, ErrorKind, Inventory, OnExisting, RestoreOptions, RestoreOutcome, Restorer,
    Result, Scratch, ScratchLike, Selected, Selection, TargetInfo,
};

use rusqlite::{Connection, OptionalExtension, types::Value};

use super::{
    Check, ENGINE, FORMAT, LOCK_TIMEOUT, SqliteDump, SqliteScratch,
    blocking::{self, Cancel},
    check, error,
    inventory::{self, Rows},
    open::{self, Source},
    part,
    publish::Publish,
    receive::receive,
    staging::Staging,
    target::{self, Target, move_away},
};

/// The name of the received file in its staging folder.
const RESTORED: &str = "restored.sqlite";

/// The name of a database that is made of a part of it.
const BUILT: &str = "built.sqlite";

/// Restores dumps of SQLite into one database file.
///
/// The dump is received into a private file beside the target, checked ([`Check::Full`] unless said
/// otherwise), counted and synced; then it takes the target's place in one step. Until then the target is
/// untouched, whatever fails, and after a crash it is the old database or the new one. Its folder needs room
/// for both. A symbolic link is followed, so that the file behind it is replaced, not the link.
///
/// A database that is replaced ([`OnExisting::Replace`]) is first locked: a transaction under way, and in WAL
/// mode any open connection, is waited for and then an error of kind
/// [`Timeout`](backup_core::ErrorKind::Timeout). Its `-wal`, `-shm` and `-journal` go with it; owner and mode stay.
/// In rollback-journal mode an *idle* connection holds no lock and cannot be seen: it goes on to read the old
/// file, and its writes fail. Stop the application first.
///
/// [Chosen tables](Selection::Tables), with their indexes and triggers, come into a database that holds others in one
/// transaction of SQLite's, which waits for its turn like any other: a crash leaves the database as it was, or with all
/// of them. Rows that refer to nothing then are warned of, and views and virtual tables do not come along. Both a plan and
/// a restore receive the whole dump, because it is one file.
///
/// A target that SQLite cannot read is refused in any case: move it away, since its rest may be worth recovering.
/// An existing file without tables, views or triggers counts as empty. A new file has mode 0600.
///
/// # Cancel safety
///
/// Not cancel-safe in that a dropped `restore` may or may not have put the new database in place; it is never
/// there in part. `probe` and `scratch` are cancel-safe.
#[derive(Debug, Clone)]
pub struct SqliteRestore {
    path: PathBuf,
    scratch_dir: Option<PathBuf>,
    lock_timeout: Duration,
    check: Check,
}

impl SqliteRestore {
    /// A restorer into the database at `path`, which need not exist; its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), scratch_dir: None, lock_timeout: LOCK_TIMEOUT, check: Check::Full }
    }

    /// Makes throw-away databases in this folder instead of the target's own.
    #[must_use]
    pub fn with_scratch_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch_dir = Some(folder.into());
        self
    }

    /// Waits so long for the users of a database that is replaced; 30 seconds unless said otherwise.
    #[must_use]
    pub fn with_lock_timeout(mut self, limit: Duration) -> Self {
        self.lock_timeout = limit;
        self
    }

    /// Checks the restored database so thoroughly before it is put in place; [`Check::Full`] unless said otherwise.
    #[must_use]
    pub fn with_check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// A dumper of the target.
    pub(super) fn dump(&self) -> SqliteDump {
        SqliteDump::new(&self.path).with_lock_timeout(self.lock_timeout)
    }

    /// What the target holds now; nothing where it does not exist.
    pub(super) fn count(&self, cancel: &Cancel) -> Result<Inventory> {
        let target = Target::find(&self.path)?;
        let Some(source) = target.open(cancel)? else { return Ok(Inventory::default()) };
        self.when_readable(&source, &target, cancel)?;
        inventory::take(&source.connection, target.path(), Rows::Counted, cancel)
    }

    fn when_readable(&self, source: &Source, target: &Target, cancel: &Cancel) -> Result<u64> {
        open::when_unlocked(target.path(), self.lock_timeout, cancel, || {
            inventory::objects(&source.connection)
        })
        .map_err(move_away)
    }

    fn probe_blocking(&self, cancel: &Cancel) -> Result<TargetInfo> {
        let target = Target::find(&self.path)?;
        let mut info = TargetInfo::new(target.path().file_stem().unwrap_or_default().to_string_lossy());
        info.location = target.path().display().to_string();
        "SQLite".clone_into(&mut info.tool);
        rusqlite::version().clone_into(&mut info.tool_version);
        rusqlite::version().clone_into(&mut info.server_version);
        if let Some(source) = target.open(cancel)? {
            info.objects = self.when_readable(&source, &target, cancel)?;
            info.exists = true;
            info.tables = inventory::tables(&source.connection, target.path())?;
        } else if target::stray_log(target.path()).is_some() {
            // The last of somebody's data: in the way of a restore, as an object is.
            info.objects = 1;
        }
        Ok(info)
    }

    /// The one answer to a question, as text.
    pub(super) fn scalar(&self, sql: &str, cancel: &Cancel) -> Result<Option<String>> {
        let target = Target::find(&self.path)?;
        let Some(source) = target.open(cancel)? else {
            return Err(Error::new(ErrorKind::DatabaseNotFound, "nothing was restored that could be asked"));
        };
        let answer = source.connection.query_row(sql, [], |row| row.get::<_, Value>(0)).optional();
        Ok(match answer.map_err(|err| error::fold(err, target.path()))? {
            None | Some(Value::Null) => None,
            Some(Value::Integer(number)) => Some(number.to_string()),
            Some(Value::Real(number)) => Some(number.to_string()),
            Some(Value::Text(text)) => Some(text),
            Some(Value::Blob(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// Checks, counts and publishes the received file.
    fn put_in_place(
        &self,
        restored: &Path,
        target: &Target,
        on_existing: OnExisting,
        cancel: &Cancel,
    ) -> Result<RestoreOutcome> {
        let source = Source::open(restored, cancel)?;
        let mut warnings = check::run(&source.connection, self.check, restored)?;
        let mut outcome =
            RestoreOutcome::new(inventory::take(&source.connection, restored, Rows::Counted, cancel)?);
        drop(source);
        cancel.check()?;
        let publish = Publish { restored, target, on_existing, lock_timeout: self.lock_timeout };
        warnings.extend(publish.run(cancel)?);
        outcome.warnings = warnings;
        Ok(outcome)
    }

    async fn restore_body(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let on_existing = options.on_existing;
        let tables = match &options.selection {
            Selection::Tables(_) => Some(selected(&options)?),
            _ => None,
        };
        let definitions = options.selection == Selection::Definitions;
        let (target, staging) = self.receive(body, tables.is_none().then_some(on_existing)).await?;
        let this = self.clone();
        blocking::run(move |cancel| {
            let received = staging.path(RESTORED);
            let mut outcome = match &tables {
                Some(tables) => this.put_tables(&staging, &target, tables, on_existing, cancel)?,
                None if definitions => {
                    this.check(&received, cancel)?;
                    let bare = Self::build(&staging, &received, cancel, |connection| {
                        part::copy_definitions(connection, &received)
                    })?;
                    this.put_in_place(&bare, &target, on_existing, cancel)?
                }
                None => this.put_in_place(&received, &target, on_existing, cancel)?,
            };
            // The database is in place: that this failed must not say otherwise.
            if let Err(err) = staging.remove() {
                outcome.warnings.push(format!("a temporary folder stays: {err}"));
            }
            Ok(outcome)
        })
        .await
    }

    /// Receives `body` into a staging folder beside the target; what is there is refused by `on_existing`.
    async fn receive(&self, body: ByteStream, on_existing: Option<OnExisting>) -> Result<(Target, Staging)> {
        let this = self.clone();
        let (target, staging, file) = blocking::run(move |cancel| {
            let target = Target::find(&this.path)?;
            if let Some(on_existing) = on_existing {
                target.admit(on_existing, this.lock_timeout, cancel)?;
            }
            let staging = Staging::create(target.folder())?;
            let file = staging.create_file(RESTORED)?;
            Ok((target, staging, file))
        })
        .await?;
        let received = staging.path(RESTORED);
        if let Err(err) = receive(body, file, received.clone()).await {
            let removed = blocking::run(move |_| staging.remove()).await;
            return Err(match removed {
                Ok(()) => err,
                Err(leftover) => err.with_context("leftover", leftover),
            });
        }
        Ok((target, staging))
    }

    /// Checks the received file.
    fn check(&self, received: &Path, cancel: &Cancel) -> Result<Vec<String>> {
        let source = Source::open(received, cancel)?;
        check::run(&source.connection, self.check, received)
    }

    /// Makes a new database in the staging folder, of what `fill` takes from the received file.
    fn build(
        staging: &Staging,
        received: &Path,
        cancel: &Cancel,
        fill: impl FnOnce(&Connection) -> Result<()>,
    ) -> Result<PathBuf> {
        drop(staging.create_file(BUILT)?);
        let built = staging.path(BUILT);
        let mut connection = open::writable(&built, cancel)?;
        let fold = |err| error::fold(err, &built);
        let encoding = Source::open(received, cancel)?
            .connection
            .query_row("PRAGMA encoding", [], |row| row.get::<_, String>(0))
            .map_err(fold)?;
        // Nothing can crash into a file that nobody has seen.
        connection
            .execute_batch(&format!("PRAGMA encoding = '{encoding}'; PRAGMA synchronous = FULL"))
            .map_err(fold)?;
        part::attach(&connection, received)?;
        let transaction = connection.transaction().map_err(fold)?;
        fill(&transaction)?;
        transaction.commit().map_err(fold)?;
        connection.close().map_err(|(_, err)| fold(err))?;
        Ok(built)
    }

    /// Puts chosen tables into the target, in one transaction.
    fn put_tables(
        &self,
        staging: &Staging,
        target: &Target,
        tables: &[String],
        on_existing: OnExisting,
        cancel: &Cancel,
    ) -> Result<RestoreOutcome> {
        let received = staging.path(RESTORED);
        let mut warnings = self.check(&received, cancel)?;
        let occupied = match target.open(cancel)? {
            Some(source) => self.when_readable(&source, target, cancel)? > 0,
            None => false,
        };
        if !occupied {
            let mut inventory = Inventory::default();
            let built = Self::build(staging, &received, cancel, |connection| {
                inventory = part::copy_tables(connection, tables, OnExisting::Refuse, &received)?;
                Ok(())
            })?;
            let mut outcome = self.put_in_place(&built, target, OnExisting::Refuse, cancel)?;
            outcome.inventory = inventory;
            outcome.warnings.extend(warnings);
            return Ok(outcome);
        }
        let path = target.path();
        let fold = |err| error::fold(err, path);
        let mut connection = open::writable(path, cancel)?;
        part::attach(&connection, &received)?;
        open::when_unlocked(path, self.lock_timeout, cancel, || {
            connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")
        })?;
        connection.busy_timeout(self.lock_timeout).map_err(fold)?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fold)?;
        let inventory = part::copy_tables(&transaction, tables, on_existing, path)?;
        warnings.extend(part::dangling(&transaction, tables, path)?);
        transaction.commit().map_err(fold)?;
        let mut outcome = RestoreOutcome::new(inventory);
        outcome.warnings = warnings;
        Ok(outcome)
    }

    /// What a selection of the received file means.
    async fn select_tables(&self, body: ByteStream, tables: Vec<String>) -> Result<Selected> {
        let (target, staging) = self.receive(body, None).await?;
        let this = self.clone();
        blocking::run(move |cancel| {
            let received = staging.path(RESTORED);
            let restored = Source::open(&received, cancel)?;
            let found = match target.open(cancel)? {
                Some(source) => {
                    this.when_readable(&source, &target, cancel)?;
                    part::select(&restored.connection, &tables, Some(&source.connection), target.path())
                }
                None => part::select(&restored.connection, &tables, None, target.path()),
            };
            drop(restored);
            staging.remove()?;
            found
        })
        .await
    }
}

/// The tables that were selected of the dump.
fn selected(options: &RestoreOptions) -> Result<Vec<String>> {
    let selected = options.selected.as_ref().filter(|selected| !selected.tables.is_empty());
    selected.map(|selected| selected.tables.clone()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "what the chosen tables need was not selected")
            .with_suggestion("hand on what Restorer::select says of the dump")
    })
}

#[async_trait]
impl Restorer for SqliteRestore {
    fn supports(&self, engine: &str, format: &str) -> bool {
        engine == ENGINE && format == FORMAT
    }

    async fn probe(&self) -> Result<TargetInfo> {
        let this = self.clone();
        blocking::run(move |cancel| this.probe_blocking(cancel))
            .await
            .map_err(|err| err.with_operation("probe"))
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        if options.format != FORMAT {
            return Err(Error::new(ErrorKind::Unsupported, "SQLite restores database files only")
                .with_operation("restore")
                .with_context("format", options.format.escape_debug()));
        }
        self.restore_body(body, options).await.map_err(|err| err.with_operation("restore"))
    }

    async fn select(&self, definitions: ByteStream, options: &RestoreOptions) -> Result<Selected> {
        let Selection::Tables(tables) = &options.selection else { return Ok(Selected::default()) };
        self.select_tables(definitions, tables.clone()).await.map_err(|err| err.with_operation("select"))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.dump()))
    }

    async fn scratch(&self, _: &ScratchLike) -> Result<Box<dyn Scratch>> {
        let this = self.clone();
        let scratch = blocking::run(move |_| {
            let folder = match &this.scratch_dir {
                Some(folder) => folder.clone(),
                None => Target::find(&this.path)?.folder().to_owned(),
            };
            SqliteScratch::create(&folder, &this)
        });
        Ok(Box::new(scratch.await.map_err(|err| err.with_operation("scratch"))?))
    }
}

impl SqliteRestore {
    /// The same settings with another target.
    pub(super) fn with_path(&self, path: PathBuf) -> Self {
        Self { path, scratch_dir: None, ..self.clone() }
    }
}
