//! The schema: which file or folder it is, and what is in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use backup_core::{Error, ErrorKind, Result};

use super::files;
use crate::schema::{Datasource, only_datasource};

/// The most files that a schema may have.
const MOST_FILES: usize = 10_000;

/// A schema that was read.
pub(super) struct SchemaFiles {
    pub(super) is_folder: bool,
    /// The file with the datasource block.
    pub(super) file: PathBuf,
    pub(super) datasource: Datasource,
}

impl SchemaFiles {
    /// Reads a schema file, or all `*.prisma` in and below a folder.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let is_folder = path.is_dir();
        let mut paths = Vec::new();
        if is_folder {
            collect(path, &mut paths, &mut BTreeSet::new())?;
        } else {
            paths.push(path.to_owned());
        }
        let mut texts = Vec::new();
        for path in &paths {
            texts.push(files::read_if_there(path)?.ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "there is no such Prisma schema")
                    .with_context("schema", path.display())
                    .with_suggestion("name the schema's file or folder")
            })?);
        }
        let (at, datasource) = only_datasource(texts.iter().map(String::as_str))
            .map_err(|err| err.with_context("schema", path.display()))?;
        Ok(Self { is_folder, file: paths.swap_remove(at), datasource })
    }

    /// The folder of the file with the datasource block.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }
}

/// All schema files below a folder; symbolic links are followed, each folder is entered once.
fn collect(folder: &Path, found: &mut Vec<PathBuf>, entered: &mut BTreeSet<PathBuf>) -> Result<()> {
    let real =
        fs::canonicalize(folder).map_err(|err| Error::from(err).with_context("path", folder.display()))?;
    if !entered.insert(real) {
        return Ok(());
    }
    for entry in files::entries(folder)?.unwrap_or_default() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found, entered)?;
        } else if path.extension().is_some_and(|extension| extension == "prisma") {
            found.push(path);
        }
        if found.len() + entered.len() > MOST_FILES {
            return Err(Error::new(ErrorKind::InvalidInput, "the folder of the schema has too many files")
                .with_context("schema", folder.display())
                .with_suggestion("name the folder of the schema itself"));
        }
    }
    Ok(())
}
