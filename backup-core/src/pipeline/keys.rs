//! Whether the keys that are here open what is stored.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Pipeline;
use crate::{
    BackupRef, Entry, Error, ErrorKind, Filter, Level, Manifest, Result, digest::ByteCount,
    encrypt::NoIdentity, verify::stored,
};

/// What a test of keys found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeysReport {
    /// The newest backup of each database, series by series.
    pub tests: Vec<KeyTest>,
    /// What needs a look.
    pub warnings: Vec<String>,
}

/// What was found with one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyTest {
    /// Its full name.
    pub backup: BackupRef,
    /// When its dump was started, UTC.
    pub created_at: DateTime<Utc>,
    /// Whom it was encrypted for.
    pub recipients: Vec<String>,
    /// How many stored bytes were read.
    pub bytes_read: u64,
    /// What came of it.
    #[serde(flatten)]
    pub result: KeyTestResult,
}

/// What came of opening a backup's first bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyTestResult {
    /// They were opened.
    Opened,
    /// It is not encrypted.
    NotEncrypted,
    /// No key here opens it.
    NoIdentity,
    /// It is not as it was recorded.
    Damaged {
        /// What is wrong.
        finding: String,
    },
}

impl KeysReport {
    /// Turns a key that is missing into an error, for callers that go on only if everything can be opened.
    ///
    /// # Errors
    ///
    /// [`NoIdentity`] with the recipients, and [`Corrupt`](ErrorKind::Corrupt), of the first backup that could not be opened.
    pub fn ensure_opened(self) -> Result<Self> {
        for test in &self.tests {
            let err = match &test.result {
                KeyTestResult::Opened | KeyTestResult::NotEncrypted => continue,
                KeyTestResult::NoIdentity => NoIdentity::error("no identity here opens the newest backup")
                    .with_context("recipients", test.recipients.join(", ")),
                KeyTestResult::Damaged { finding } => {
                    Error::new(ErrorKind::Corrupt, "the newest backup is not as it was recorded")
                        .with_context("finding", finding)
                }
            };
            return Err(err.with_operation(OPERATION).with_context("backup", &test.backup));
        }
        Ok(self)
    }
}

/// What errors name.
const OPERATION: &str = "test-keys";

impl Pipeline {
    /// Proves that the newest backup of each database can be opened with the keys that are here, reading its first bytes alone.
    ///
    /// It says nothing of the bytes behind them: that is for [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where the filter selects no backup: nothing was proven then. Those of catalog and store.
    /// A key that is missing is none: see [`KeysReport::ensure_opened`].
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: it changes nothing.
    pub async fn test_keys(&self, filter: &Filter) -> Result<KeysReport> {
        let tested = self.run_test_keys(filter).await;
        tested.map_err(|err| err.with_operation(OPERATION))
    }

    async fn run_test_keys(&self, filter: &Filter) -> Result<KeysReport> {
        let mut listing = self.within("list", self.list(filter)).await?;
        let warnings = listing.damaged.iter().map(|err| format!("an entry of the catalog is damaged: {err}"));
        let warnings: Vec<String> = warnings.collect();
        // The newest come first, and the sort keeps them so.
        let mut seen = BTreeSet::new();
        let series = |entry: &Entry| (entry.manifest.environment.clone(), entry.manifest.database.clone());
        listing.entries.retain(|entry| seen.insert(series(entry)));
        listing.entries.sort_by_key(series);
        if listing.entries.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there is no backup to test the keys on"));
        }
        let mut tests = Vec::with_capacity(listing.entries.len());
        for Entry { manifest, .. } in &listing.entries {
            let read = ByteCount::default();
            let checked = self.check_key(manifest, &read).await;
            let result = match checked {
                Ok(()) if manifest.encryption.is_some() => KeyTestResult::Opened,
                Ok(()) => KeyTestResult::NotEncrypted,
                Err(err) if NoIdentity::is_cause_of(&err) => KeyTestResult::NoIdentity,
                Err(err) if err.kind() == ErrorKind::Corrupt => {
                    KeyTestResult::Damaged { finding: err.to_string() }
                }
                Err(err) => return Err(err.with_context("backup", manifest.backup_ref())),
            };
            let recipients = manifest.encryption.as_ref().map(|used| used.recipients.clone());
            tests.push(KeyTest {
                backup: manifest.backup_ref(),
                created_at: manifest.created_at,
                recipients: recipients.unwrap_or_default(),
                bytes_read: read.get(),
                result,
            });
        }
        Ok(KeysReport { tests, warnings })
    }

    /// Fails unless the first bytes of a backup can be opened.
    pub(super) async fn check_key(&self, manifest: &Manifest, read: &ByteCount) -> Result<()> {
        let codec = self.codec(manifest)?;
        let check = stored::check_key(&*self.store, &manifest.artifact, &codec, read);
        self.within("key", check).await.map_err(|err| sealed_for(err, manifest))
    }

    /// Refuses a level of new backups that needs a key which is not here, before anything is dumped.
    pub(super) fn check_level(&self) -> Result<()> {
        let Some(encryptor) = self.encryptor.as_ref().filter(|_| self.level > Level::Digest) else {
            return Ok(());
        };
        encryptor.check_opens().map_err(|err| {
            Error::new(ErrorKind::InvalidInput, "the level opens new backups, and no identity here can")
                .with_context("level", self.level)
                .with_context("recipients", encryptor.recipients().join(", "))
                .with_suggestion(
                    "check new backups at the level digest, and deeper where the identity is; or give the pipeline the identity",
                )
                .with_source(err)
        })
    }
}

/// Says whom a backup was encrypted for, where it could not be opened.
pub(super) fn sealed_for(err: Error, manifest: &Manifest) -> Error {
    match &manifest.encryption {
        Some(used) if NoIdentity::is_cause_of(&err) => {
            err.with_context("recipients", used.recipients.join(", "))
        }
        _ => err,
    }
}
