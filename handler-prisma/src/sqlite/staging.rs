//! [`Staging`]: a private folder that does not outlive its owner.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

use super::error::io_at;

const PREFIX: &str = ".backup-sqlite-";
const LOCK: &str = "lock";

/// A folder of mode 0700 with a locked file in it, removed when dropped.
///
/// A folder and not a file, because SQLite opens `<file>-journal` and `<file>-wal` by name: in a folder that
/// others can write to, they could lay a forged one there. The lock says that the owner lives: it goes with
/// the process, also with `kill -9`, and whoever makes the next staging folder removes those without owner.
#[derive(Debug)]
pub(super) struct Staging {
    // Removed before the lock is let go.
    folder: TempDir,
    _lock: File,
}

impl Staging {
    /// Makes a staging folder in `parent`, and removes those that a killed process left there.
    pub(super) fn create(parent: &Path) -> Result<Self> {
        let staging = Self::lock_new(parent).map_err(|err| {
            Error::from(err)
                .with_context("folder", parent.display())
                .with_suggestion("name a writable folder for temporary copies, and check its owner and mode")
        })?;
        staging.sweep(parent);
        Ok(staging)
    }

    fn lock_new(parent: &Path) -> io::Result<Self> {
        // A sweep of another process may take the folder between any two of these steps; it then either
        // holds the lock or has unlinked it, and a new folder is made.
        for _ in 0..16 {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX).rand_bytes(12);
            #[cfg(unix)]
            builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700));
            let folder = builder.tempdir_in(parent)?;
            let path = folder.path().join(LOCK);
            let lock = match private_options().open(&path) {
                Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                // Nobody can lock here, so nobody sweeps here either.
                Err(TryLockError::Error(err)) if err.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(err)) => return Err(err),
            }
            if path.try_exists()? {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("staging folders vanish as soon as they are made"))
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file of mode 0600 in the folder.
    pub(super) fn create_file(&self, name: &str) -> Result<File> {
        let path = self.path(name);
        private_options().open(&path).map_err(io_at(&path))
    }

    /// Removes the folder with all that it holds.
    pub(super) fn remove(self) -> Result<()> {
        let path = self.folder.path().to_owned();
        self.folder.close().map_err(io_at(&path))
    }

    /// Says so before a copy of `bytes` fills the disk, or ends the process by the signal of its limit.
    pub(super) fn require_space(&self, bytes: u64) -> Result<()> {
        #[cfg(unix)]
        {
            let path = self.folder.path();
            let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
            if let Some(limit) = limit.filter(|limit| *limit < bytes) {
                return Err(Error::new(
                    ErrorKind::StorageFull,
                    "the temporary copy of the database is larger than this process may make a file",
                )
                .with_context("folder", path.parent().unwrap_or(path).display())
                .with_context("needed_bytes", bytes)
                .with_context("limit_bytes", limit)
                .with_suggestion(
                    "raise the limit of the size of files (`ulimit -f`, or LimitFSIZE= of the service)",
                ));
            }
            let disk = rustix::fs::statvfs(path).map_err(|err| io_at(path)(err.into()))?;
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            if free < bytes {
                return Err(Error::new(
                    ErrorKind::StorageFull,
                    "no room for the temporary copy of the database",
                )
                .with_context("folder", path.parent().unwrap_or(path).display())
                .with_context("needed_bytes", bytes)
                .with_context("free_bytes", free)
                .with_suggestion("free space there, or name another folder with `with_temp_dir`"));
            }
        }
        #[cfg(not(unix))]
        let _ = bytes;
        Ok(())
    }

    /// Removes the staging folders in `parent` whose owner is gone; what cannot be removed is left to the next.
    fn sweep(&self, parent: &Path) {
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries,
            Err(err) => {
                tracing::debug!(folder = %parent.display(), %err, "cannot look for leftovers");
                return;
            }
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX)
                && let Err(err) = self.sweep_one(&entry.path())
            {
                tracing::debug!(path = %entry.path().display(), %err, "a leftover stays");
            }
        }
    }

    fn sweep_one(&self, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        if path == self.folder.path() || !metadata.is_dir() {
            return Ok(());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Not ours: another user's folder, perhaps laid there to be opened.
            if metadata.uid() != fs::metadata(self.folder.path())?.uid() {
                return Ok(());
            }
        }
        let lock = match File::open(path.join(LOCK)) {
            // Its owner is about to make the lock, or was killed before: an empty folder goes either way.
            Err(err) if err.kind() == io::ErrorKind::NotFound => return fs::remove_dir(path),
            opened => opened?,
        };
        match lock.try_lock() {
            Ok(()) => {
                tracing::info!(path = %path.display(), "removing what a killed process left");
                fs::remove_dir_all(path)
            }
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(err)) => Err(err),
        }
    }
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
