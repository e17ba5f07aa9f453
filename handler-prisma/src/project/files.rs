//! Reads the files of a project, each at most so far as such a file goes.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The text of a file; `None` where there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match bytes(path, LARGEST) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// The bytes of a file that has at most `limit` of them.
pub(crate) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let failed = |err: io::Error| {
        let is_missing = matches!(err.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory);
        let err = if is_missing { io::ErrorKind::NotFound.into() } else { err };
        Error::from(err).with_context("path", path.display())
    };
    let file = File::open(path).map_err(failed)?;
    let mut found = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut found).map_err(failed)?;
    if found.len() as u64 > limit {
        return Err(Error::new(ErrorKind::InvalidInput, "the file is larger than such a file should be")
            .with_context("path", path.display())
            .with_context("limit_bytes", limit));
    }
    Ok(found)
}

/// The entries of a folder by their names; `None` where there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Option<Vec<fs::DirEntry>>> {
    let failed = |err: io::Error| Error::from(err).with_context("path", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(err) => return Err(failed(err)),
    };
    let mut found = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    found.sort_by_key(fs::DirEntry::file_name);
    Ok(Some(found))
}

/// The path as it leads from `base`, without `.` in it.
pub(super) fn at(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    crate::url::tidied(&base.join(path))
}
