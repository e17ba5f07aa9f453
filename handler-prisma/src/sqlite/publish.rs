//! Puts a restored database in its place, whole or not at all.

use std::{fs, io, path::Path, time::Duration};

use backup_core::{Error, ErrorKind, OnExisting, Result};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tempfile::TempPath;

use super::{
    blocking::Cancel,
    error::{self, io_at},
    inventory,
    open::{self, SIDECARS},
    target::{Target, move_away, not_empty},
};

/// How a database is put in place.
pub(super) struct Publish<'a> {
    pub(super) restored: &'a Path,
    pub(super) target: &'a Target,
    pub(super) on_existing: OnExisting,
    pub(super) lock_timeout: Duration,
}

impl Publish<'_> {
    /// Puts the restored file at the target, and returns what to warn of.
    ///
    /// Whatever happens in between, the target is the old database or the new one, each whole.
    pub(super) fn run(&self, cancel: &Cancel) -> Result<Vec<String>> {
        match self.target {
            Target::New(path) => self.create(path, cancel),
            Target::Existing(path) => self.replace(path, cancel),
        }
    }

    fn create(&self, path: &Path, cancel: &Cancel) -> Result<Vec<String>> {
        self.target.admit(self.on_existing, self.lock_timeout, cancel)?;
        // There is no database that they could belong to, and SQLite would play them into the new one.
        remove_sidecars(path)?;
        let restored = TempPath::try_from_path(self.restored).map_err(io_at(self.restored))?;
        restored.persist_noclobber(path).map_err(|err| {
            let taken = err.error.kind() == io::ErrorKind::AlreadyExists;
            let err = io_at(path)(err.error);
            if taken {
                return err
                    .with_suggestion("somebody made the file meanwhile; look at it, then restore again");
            }
            err
        })?;
        sync_folder(self.target.folder())?;
        Ok(Vec::new())
    }

    /// The order is what makes it safe against a crash:
    ///
    /// 1. Lock the old database for ourselves; SQLite rolls a hot journal back on the way.
    /// 2. Move what its log holds into its file. From here on the old file is whole without its sidecars.
    /// 3. Remove the sidecars, so that they are never played into the new file, and sync that.
    /// 4. Rename the new file over the old one, and sync that.
    /// 5. Let the lock go. Not before: until the rename, nobody may write to the old file any more.
    fn replace(&self, path: &Path, cancel: &Cancel) -> Result<Vec<String>> {
        let old = self.lock(path, cancel).map_err(move_away)?;
        let mut warnings = Vec::new();
        keep_access(path, self.restored, &mut warnings)?;
        remove_sidecars(path)?;
        sync_folder(self.target.folder())?;
        fs::rename(self.restored, path).map_err(io_at(path))?;
        sync_folder(self.target.folder())?;
        if let Err((_, err)) = old.close() {
            tracing::debug!(path = %path.display(), %err, "closing the old database failed");
        }
        Ok(warnings)
    }

    /// Steps 1 and 2: a connection that keeps everybody else out of the old database.
    fn lock(&self, path: &Path, cancel: &Cancel) -> Result<Connection> {
        let fold = |err| error::fold(err, path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(path, flags).map_err(fold)?;
        open::harden(&old).map_err(fold)?;
        old.busy_timeout(Duration::from_millis(100)).map_err(fold)?;
        // Closing would otherwise remove a `-wal` by name, which by then may be the new database's.
        old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(fold)?;
        // Asked for before the first read, so that in WAL mode too the lock is on the file itself; every other
        // connection to a database in WAL mode holds a shared one there for as long as it is open.
        old.execute_batch("PRAGMA locking_mode = EXCLUSIVE").map_err(fold)?;
        open::when_unlocked(path, self.lock_timeout, cancel, || old.execute_batch("BEGIN EXCLUSIVE"))
            .map_err(|err| match err.kind() {
                ErrorKind::Timeout => {
                    err.with_suggestion("stop the application before its database is replaced")
                }
                _ => err,
            })?;
        let objects = inventory::objects(&old).map_err(fold)?;
        if objects > 0 && self.on_existing == OnExisting::Refuse {
            return Err(not_empty(path, objects));
        }
        old.execute_batch("COMMIT").map_err(fold)?;
        let busy: i64 =
            old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(fold)?;
        if busy != 0 {
            return Err(Error::new(
                ErrorKind::Timeout,
                "the log of the old database could not be written back",
            )
            .with_context("path", path.display())
            .with_suggestion("stop the application before its database is replaced"));
        }
        Ok(old)
    }
}

fn remove_sidecars(path: &Path) -> Result<()> {
    for suffix in SIDECARS {
        let sidecar = open::sidecar(path, suffix);
        match fs::remove_file(&sidecar) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(io_at(&sidecar)(err)),
            _ => {}
        }
    }
    Ok(())
}

/// Gives the new file owner and mode of the old one, as far as this user may.
#[cfg(unix)]
fn keep_access(old: &Path, new: &Path, warnings: &mut Vec<String>) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let was = fs::metadata(old).map_err(io_at(old))?;
    let is = fs::metadata(new).map_err(io_at(new))?;
    let differs = |was: u32, is: u32| (was != is).then_some(was);
    let (owner, group) = (differs(was.uid(), is.uid()), differs(was.gid(), is.gid()));
    if (owner.is_some() || group.is_some())
        && let Err(err) = chown(new, owner, group)
    {
        warnings.push(format!(
            "owner and group of the old file ({}:{}) could not be kept: {err}",
            was.uid(),
            was.gid()
        ));
    }
    fs::set_permissions(new, was.permissions()).map_err(io_at(new))
}

#[cfg(not(unix))]
fn keep_access(_: &Path, _: &Path, _: &mut Vec<String>) -> Result<()> {
    Ok(())
}

/// Makes the names in the folder survive a power cut.
fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_at(folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
