//! A private folder for a temporary copy, removed also when its process was killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

use crate::error::{SERVER_FULL, classify};

/// Held locked as long as the folder's process lives.
const LOCK: &str = "lock";

/// A folder of mode 0700, removed when this is dropped, or by the next run where the process was killed.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: TempDir,
    // Dropped after the folder was removed.
    _lock: File,
}

impl Staging {
    /// Makes a folder in `parent` or the system's temporary folder, and removes those of killed processes.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub(crate) async fn create(prefix: &'static str, parent: Option<PathBuf>) -> Result<Self> {
        tokio::task::spawn_blocking(move || Self::create_blocking(prefix, parent.as_deref()))
            .await
            .map_err(crate::error::panicked)?
    }

    fn create_blocking(prefix: &str, parent: Option<&Path>) -> Result<Self> {
        let folder = private_folder(prefix, parent)?;
        // Locked before it has its name: a lock file of that name that is free has lost its owner.
        let new = folder.path().join("lock.new");
        let lock = File::create_new(&new)?;
        lock.lock()?;
        std::fs::rename(&new, folder.path().join(LOCK))?;
        if let Some(parent) = folder.path().parent() {
            sweep(parent, prefix, folder.path());
        }
        Ok(Self { folder, _lock: lock })
    }

    /// Where the copy is to be; does not exist yet.
    pub(crate) fn content(&self) -> PathBuf {
        self.folder.path().join("content")
    }

    /// What says of an error whether it is this folder's disk that is full.
    pub(crate) fn named(&self) -> impl Fn(Error) -> Error + Send + 'static {
        let folder = self.folder.path().parent().unwrap_or(Path::new("/")).to_owned();
        move |err| {
            let err = classify(err);
            if err.kind() != ErrorKind::StorageFull || err.message() == SERVER_FULL {
                return err;
            }
            let folder = folder.display();
            let named =
                Error::new(ErrorKind::StorageFull, "no space is left for the temporary copy of the dump")
                    .with_context("temporary_folder", &folder);
            let named = err.context().fold(named, |named, (key, value)| named.with_context(key, value));
            named.with_suggestion(format!(
                "free space in {folder}, or name another temporary folder: set TMPDIR, or call `staging`"
            ))
        }
    }

    /// Removes the folder, on a thread that may block.
    pub(crate) async fn remove(self) -> Result<()> {
        tokio::task::spawn_blocking(move || drop(self)).await.map_err(crate::error::panicked)
    }
}

/// Makes a folder that only its owner can enter, in `parent` or the system's temporary folder.
fn private_folder(prefix: &str, parent: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    let folder = match parent {
        Some(parent) => builder.tempdir_in(parent),
        None => builder.tempdir(),
    };
    folder.map_err(|err| {
        Error::from(err)
            .with_operation("temporary folder")
            .with_suggestion("check that the temporary folder exists, is writable and has space")
    })
}

/// Removes the folders of processes that are gone; what cannot be removed is left to the next run.
fn sweep(parent: &Path, prefix: &str, own: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(prefix);
        if !named || path == own || !same_owner(&path, own) {
            continue;
        }
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            match std::fs::remove_dir_all(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "removed the copy of a killed run"),
                Err(err) => {
                    tracing::warn!(path = %path.display(), %err, "the copy of a killed run cannot be removed");
                }
            }
        }
    }
}

/// A real folder of ours: others may put anything into a shared temporary folder.
#[cfg(unix)]
fn same_owner(path: &Path, own: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (path.symlink_metadata(), own.symlink_metadata()) {
        (Ok(theirs), Ok(ours)) => theirs.is_dir() && theirs.uid() == ours.uid(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_owner(path: &Path, _: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|theirs| theirs.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_copy_of_a_killed_run_is_swept_and_that_of_a_living_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let at = || Some(parent.path().to_path_buf());
        let living = Staging::create("x-", at()).await.unwrap();
        // What a kill -9 leaves: a folder with a lock that nobody holds.
        let killed = parent.path().join("x-killed");
        std::fs::create_dir(&killed).unwrap();
        std::fs::write(killed.join(LOCK), b"").unwrap();
        std::fs::write(killed.join("toc.dat"), b"rows").unwrap();
        let foreign = parent.path().join("y-foreign");
        std::fs::create_dir(&foreign).unwrap();

        let next = Staging::create("x-", at()).await.unwrap();
        assert!(!killed.exists() && foreign.exists());
        assert!(living.folder.path().exists() && next.folder.path().exists());
        let path = living.folder.path().to_path_buf();
        drop(living);
        assert!(!path.exists());
    }
}
