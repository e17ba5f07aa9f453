//! Temporary files of mode 0600 in a folder of mode 0700.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use backup_core::{Error, Result, Secret};
use tempfile::TempDir;

/// Files that are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) paths: Vec<(&'static str, PathBuf)>,
    _folder: TempDir,
}

/// Writes those of the `(variable, file name, content)` that have a content.
pub(super) async fn write(
    files: [(&'static str, &'static str, Option<Secret>); 2],
) -> Result<Option<Written>> {
    if files.iter().all(|(_, _, content)| content.is_none()) {
        return Ok(None);
    }
    tokio::task::spawn_blocking(move || {
        let folder = private_folder("backup-pg-", None)?;
        let mut paths = Vec::new();
        for (variable, name, content) in files {
            let Some(content) = content else { continue };
            let path = folder.path().join(name);
            write_private(&path, content.expose().as_bytes())?;
            paths.push((variable, path));
        }
        Ok(Some(Written { paths, _folder: folder }))
    })
    .await
    .map_err(crate::error::panicked)?
}

/// Makes a folder that only its owner can enter, in `parent` or the system's temporary folder.
pub(crate) fn private_folder(prefix: &str, parent: Option<&Path>) -> Result<TempDir> {
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

fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    Ok(file.write_all(content)?)
}
