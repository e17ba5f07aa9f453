use std::collections::BTreeMap;

use super::MAX_ROW_BYTES;
use crate::{Annotation, Entry, Error, ErrorKind, Manifest, Result};

/// What the statements of a script printed.
#[derive(Default)]
pub(super) struct Answer {
    /// How many rows were added.
    pub(super) done: u64,
    /// Numbers of rows with the bytes of their manifests.
    pub(super) sizes: Vec<(u64, u64)>,
    entries: BTreeMap<u64, Found>,
}

/// A backup as it was read, in hexadecimal digits.
struct Found {
    backup: String,
    manifest: String,
    notes: Vec<String>,
}

impl Answer {
    pub(super) fn read(rows: &[Vec<String>]) -> Result<Self> {
        let mut answer = Self::default();
        for row in rows {
            let columns: Vec<&str> = row.iter().map(String::as_str).collect();
            match columns.as_slice() {
                ["done", count] => answer.done = number(count)?,
                ["size", id, bytes] => answer.sizes.push((number(id)?, number(bytes)?)),
                ["entry", id, backup, manifest] => {
                    let (backup, manifest) = ((*backup).to_owned(), (*manifest).to_owned());
                    answer.entries.insert(number(id)?, Found { backup, manifest, notes: Vec::new() });
                }
                ["note", entry, record] => {
                    // Without an entry where the backup was removed between the two questions.
                    if let Some(found) = answer.entries.get_mut(&number(entry)?) {
                        found.notes.push((*record).to_owned());
                    }
                }
                _ => return Err(unreadable()),
            }
        }
        Ok(answer)
    }

    /// The backups in the order of their rows, with an error for each that is damaged.
    pub(super) fn into_entries(self) -> Vec<Result<Entry>> {
        self.entries.into_values().map(Found::read).collect()
    }

    /// The first backup with the number of its row.
    pub(super) fn into_first(mut self) -> Option<(u64, Result<Entry>)> {
        self.entries.pop_first().map(|(id, found)| (id, found.read()))
    }
}

impl Found {
    fn read(self) -> Result<Entry> {
        let damaged =
            |message: &str| Error::new(ErrorKind::Corrupt, message).with_context("backup", &self.backup);
        let bytes =
            |digits: &str| hex::decode(digits).map_err(|err| damaged("the row is damaged").with_source(err));
        let manifest = Manifest::from_json(&bytes(&self.manifest)?)
            .map_err(|err| err.with_context("backup", &self.backup))?;
        if manifest.backup_ref().to_string() != self.backup {
            return Err(damaged("the manifest is of another backup than its row says"));
        }
        let notes = self.notes.iter().map(|note| {
            serde_json::from_slice::<Annotation>(&bytes(note)?)
                .map_err(|err| damaged("a note on a backup is damaged").with_source(err))
        });
        Ok(Entry::new(manifest, notes.collect::<Result<_>>()?))
    }
}

/// Refuses what could not be read back: a client's answer is kept in memory, and twice as long.
pub(super) fn fits(what: &str, bytes: usize) -> Result<()> {
    if bytes <= MAX_ROW_BYTES {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("{what} is too large for the log"))
        .with_context("limit_bytes", MAX_ROW_BYTES))
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Unexpected, "the answer to a question about the log cannot be read")
}
