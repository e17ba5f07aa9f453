use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{
    super::{Annotation, not_found},
    file,
};
use crate::{BackupId, BackupRef, Entry, Error, ErrorKind, Manifest, Result};

/// The version of the file's format that this code writes.
const SCHEMA_VERSION: u32 = 1;

/// The file's content; entries stay as they were written until one is needed.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    schema_version: u32,
    backups: Vec<Box<RawValue>>,
    /// Fields that a later version added.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// An entry whose parts stay as they were written.
#[derive(Serialize, Deserialize)]
struct RawEntry {
    manifest: Box<RawValue>,
    #[serde(default)]
    annotations: Vec<Box<RawValue>>,
    /// Fields that a later version added.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Default for Document {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, backups: Vec::new(), extra: Map::new() }
    }
}

impl Document {
    /// Reads the file; one that is missing is empty.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let Some(json) = file::read(path)? else { return Ok(Self::default()) };
        Self::from_json(&json, path)
    }

    /// Reads what a file holds; `path` is for errors.
    pub(super) fn from_json(json: &[u8], path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let corrupt = |err: serde_json::Error| {
            Error::new(ErrorKind::Corrupt, "the catalog's file is damaged")
                .with_context("path", path.display())
                .with_suggestion("move the file away and rebuild it from the store: `JsonCatalog::rebuild`")
                .with_source(err)
        };
        let Version { schema_version } = serde_json::from_slice(json).map_err(corrupt)?;
        if schema_version > SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the catalog's file was written by a newer version of this library",
            )
            .with_context("path", path.display())
            .with_context("schema_version", schema_version)
            .with_suggestion("update the library"));
        }
        serde_json::from_slice(json).map_err(corrupt)
    }

    /// Replaces the file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        file::replace(path, self.to_json()?.as_bytes())
    }

    /// What the file is to hold.
    pub(super) fn to_json(&self) -> Result<String> {
        let unwritable = |err: serde_json::Error| {
            Error::new(ErrorKind::Unexpected, "cannot write the catalog").with_source(err)
        };
        // An entry per line, so that a difference between two states of the file reads like one.
        let mut json = format!("{{\n\"schema_version\": {},\n\"backups\": [", self.schema_version);
        for (index, entry) in self.backups.iter().enumerate() {
            json.push_str(if index == 0 { "\n" } else { ",\n" });
            json.push_str(entry.get());
        }
        json.push_str("\n]");
        for (field, value) in &self.extra {
            json.push_str(",\n");
            json.push_str(&serde_json::to_string(field).map_err(unwritable)?);
            json.push_str(": ");
            json.push_str(&serde_json::to_string(value).map_err(unwritable)?);
        }
        json.push_str("\n}\n");
        Ok(json)
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: &Entry) -> Result<()> {
        self.backups.push(raw(entry)?);
        Ok(())
    }

    /// Puts entries into the order of their time, as far as they can be read.
    pub(super) fn sort(&mut self) {
        self.backups.sort_by_cached_key(|raw| {
            read_entry(raw).ok().map(|entry| (entry.manifest.created_at, entry.manifest.backup_ref()))
        });
    }

    /// Where the entry of `backup` is.
    pub(super) fn position(&self, backup: &BackupRef) -> Option<usize> {
        self.backups.iter().position(|raw| name(raw).is_ok_and(|name| name == *backup))
    }

    /// The entry of `backup`.
    pub(super) fn entry(&self, backup: &BackupRef) -> Result<Entry> {
        let raw = self.position(backup).and_then(|index| self.backups.get(index));
        read_entry(raw.ok_or_else(|| self.absent(backup))?)
    }

    /// Adds an annotation, given as JSON, to the entry of `backup`.
    pub(super) fn annotate(&mut self, backup: &BackupRef, annotation: String) -> Result<()> {
        let Some(index) = self.position(backup) else { return Err(self.absent(backup)) };
        let Some(entry) = self.backups.get_mut(index) else { return Err(self.absent(backup)) };
        let mut parts: RawEntry = serde_json::from_str(entry.get()).map_err(damaged)?;
        parts.annotations.push(RawValue::from_string(annotation).map_err(damaged)?);
        *entry = raw(&parts)?;
        Ok(())
    }

    /// Takes the entry of `backup` out; says whether there was one.
    pub(super) fn remove(&mut self, backup: &BackupRef) -> bool {
        let before = self.backups.len();
        self.backups.retain(|raw| !name(raw).is_ok_and(|name| name == *backup));
        self.backups.len() < before
    }

    /// What to say where no entry bears the name: one whose name cannot be read might be the one.
    fn absent(&self, backup: &BackupRef) -> Error {
        let damaged = self.backups.iter().find_map(|raw| name(raw).err());
        damaged.map_or_else(|| not_found(backup), |err| err.with_context("backup", backup))
    }

    /// The entries, unread.
    pub(super) fn into_entries(self) -> Vec<Box<RawValue>> {
        self.backups
    }
}

/// Reads an entry.
pub(super) fn read_entry(raw: &RawValue) -> Result<Entry> {
    let names = |err: Error| match name(raw) {
        Ok(name) => err.with_context("backup", name),
        Err(_) => err,
    };
    let parts: RawEntry = serde_json::from_str(raw.get()).map_err(|err| names(damaged(err)))?;
    let manifest = Manifest::from_json(parts.manifest.get().as_bytes()).map_err(names)?;
    manifest.check_layout().map_err(|err| {
        names(
            Error::new(ErrorKind::Corrupt, "the manifest leads to another backup's artifact")
                .with_source(err),
        )
    })?;
    let annotations = parts.annotations.iter().map(|raw| serde_json::from_str::<Annotation>(raw.get()));
    let annotations = annotations.collect::<Result<_, _>>().map_err(|err| names(damaged(err)))?;
    Ok(Entry::new(manifest, annotations))
}

/// The name of an entry, which can be read where other fields cannot.
fn name(raw: &RawValue) -> Result<BackupRef> {
    #[derive(Deserialize)]
    struct Named {
        manifest: Name,
    }
    #[derive(Deserialize)]
    struct Name {
        environment: String,
        database: String,
        id: BackupId,
    }
    let Named { manifest } = serde_json::from_str(raw.get()).map_err(damaged)?;
    Ok(BackupRef::new(manifest.environment, manifest.database, manifest.id))
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "cannot write the entry").with_source(err))
}

fn damaged(err: serde_json::Error) -> Error {
    Error::new(ErrorKind::Corrupt, "an entry of the catalog is damaged").with_source(err)
}
