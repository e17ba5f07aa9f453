//! [`Target`]: what is there before a restore.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use backup_core::{Error, ErrorKind, OnExisting, Result};

use super::{
    blocking::Cancel,
    error::{self, MOVE_AWAY},
    inventory,
    open::{self, Source},
};

/// Where a restore goes, with symbolic links followed.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// Nothing has that name.
    New(PathBuf),
    /// A file does.
    Existing(PathBuf),
}

impl Target {
    /// Finds the target without opening or making anything.
    pub(super) fn find(path: &Path) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(_) => Self::find_existing(path),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                let name = path.file_name().ok_or_else(|| refused(path, "the path names no file"))?;
                let folder = match path.parent() {
                    Some(parent) if parent != Path::new("") => parent,
                    _ => Path::new("."),
                };
                let folder = fs::canonicalize(folder).map_err(|err| {
                    error::io_at(path)(err)
                        .with_suggestion("make the target's folder first, or check the path")
                })?;
                Ok(Self::New(folder.join(name)))
            }
            Err(err) => Err(error::io_at(path)(err)),
        }
    }

    fn find_existing(path: &Path) -> Result<Self> {
        let real = fs::canonicalize(path).map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => {
                refused(path, "the path is a symbolic link to nothing").with_source(err)
            }
            _ => error::io_at(path)(err),
        })?;
        if !fs::metadata(&real).map_err(error::io_at(&real))?.is_file() {
            return Err(refused(path, "the path is not a file"));
        }
        Ok(Self::Existing(real))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::New(path) | Self::Existing(path) => path,
        }
    }

    /// The folder that the target is in.
    pub(super) fn folder(&self) -> &Path {
        self.path().parent().unwrap_or(Path::new("/"))
    }

    /// Opens what is there for reading; `None` where there is nothing to open.
    pub(super) fn open(&self, cancel: &Cancel) -> Result<Option<Source>> {
        match self {
            Self::New(_) => Ok(None),
            Self::Existing(path) => Source::open(path, cancel).map(Some),
        }
    }

    /// Refuses what must not be overwritten.
    pub(super) fn admit(&self, on_existing: OnExisting, limit: Duration, cancel: &Cancel) -> Result<()> {
        match self {
            Self::New(path) if on_existing == OnExisting::Refuse => refuse_sidecars(path),
            Self::New(_) => Ok(()),
            Self::Existing(path) => {
                let Some(source) = self.open(cancel)? else { return Ok(()) };
                let objects =
                    open::when_unlocked(path, limit, cancel, || inventory::objects(&source.connection));
                let objects = match objects {
                    // Its last writer crashed; it is recovered when it is locked to be replaced.
                    Err(err)
                        if err.kind() == ErrorKind::Unavailable && on_existing == OnExisting::Replace =>
                    {
                        return Ok(());
                    }
                    other => other.map_err(move_away)?,
                };
                if objects > 0 && on_existing == OnExisting::Refuse {
                    return Err(not_empty(path, objects));
                }
                Ok(())
            }
        }
    }
}

/// A `-wal` or `-journal` without its database: it may hold the last of somebody's data.
pub(super) fn stray_log(path: &Path) -> Option<PathBuf> {
    let mut logs = ["-wal", "-journal"].into_iter().map(|suffix| open::sidecar(path, suffix));
    logs.find(|log| fs::symlink_metadata(log).is_ok_and(|metadata| metadata.len() > 0))
}

fn refuse_sidecars(path: &Path) -> Result<()> {
    match stray_log(path) {
        None => Ok(()),
        Some(log) => Err(Error::new(ErrorKind::TargetNotEmpty, "the log of a former database is in the way")
            .with_context("path", log.display())
            .with_suggestion("move it away, or ask for the target to be replaced")),
    }
}

pub(super) fn not_empty(path: &Path, objects: u64) -> Error {
    Error::new(ErrorKind::TargetNotEmpty, "the database is not empty")
        .with_context("path", path.display())
        .with_context("objects", objects)
}

/// Says what to do about a target that SQLite cannot read: it cannot be locked either, so that its users could
/// not be kept out, and what is left of it may be worth recovering.
pub(super) fn move_away(err: Error) -> Error {
    match err.kind() {
        ErrorKind::Corrupt | ErrorKind::InvalidInput => err.with_suggestion(MOVE_AWAY),
        _ => err,
    }
}

fn refused(path: &Path, message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
        .with_context("path", path.display())
        .with_suggestion("name the database file itself")
}
