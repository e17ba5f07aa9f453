//! [`Pipeline::drill`]: proves backups in turn, so that all of them are proven again and again.

use std::{cmp::Reverse, time::Duration};

use serde::Serialize;

use super::{Pipeline, VerifyReport};
use crate::{BackupRef, Entry, Error, ErrorKind, Filter, Level, Result, digest::number_of};

/// Which backups a drill proves, and how deep.
///
/// # Examples
///
/// ```
/// use backup_core::{Filter, Level, pipeline::DrillRequest};
///
/// // Each night the newest backup, and the one whose proof is oldest, are restored and compared.
/// let nightly = DrillRequest::new(Level::Equal).of(Filter::all().with_database("shop")).at_most(2);
/// // Every seventh backup, so that in a week the bytes of all are read.
/// let monday = DrillRequest::new(Level::Digest).part(1, 7)?;
/// # Ok::<(), backup_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrillRequest {
    /// Which backups come into question.
    pub filter: Filter,
    /// How deep they are proven.
    pub level: Level,
    /// How many are proven at most.
    pub count: usize,
    /// The part of all backups that comes into question: the first of so many, the second, …
    pub part: Option<(u32, u32)>,
}

impl DrillRequest {
    /// The newest backup, unless it is proven so deep already; else the one whose proof is oldest.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { filter: Filter::all(), level, count: 1, part: None }
    }

    /// Proves only those that the filter selects.
    #[must_use]
    pub fn of(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Proves so many at most, one after the other.
    #[must_use]
    pub fn at_most(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Proves all backups of the `number`th of `parts` parts, into which they are dealt by their names: who runs each
    /// part in turn has proven every one.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](ErrorKind::InvalidInput) unless `number` is from 1 to `parts`.
    pub fn part(mut self, number: u32, parts: u32) -> Result<Self> {
        if number == 0 || number > parts {
            return Err(Error::new(ErrorKind::InvalidInput, "there is no such part")
                .with_context("part", format!("{number} of {parts}"))
                .with_suggestion("parts are counted from 1, as in 1 of 7"));
        }
        (self.part, self.count) = (Some((number, parts)), usize::MAX);
        Ok(self)
    }

    /// The backups to prove now, in their order.
    ///
    /// Those that are being deleted are left out. A backup whose last check failed counts as never proven.
    #[must_use]
    pub fn pick(&self, entries: &[Entry]) -> Vec<BackupRef> {
        let mut candidates: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                self.filter.selects(&entry.manifest) && !entry.is_being_deleted() && self.is_of_part(entry)
            })
            .collect();
        let age = |entry: &Entry| (Reverse(entry.manifest.created_at), Reverse(entry.manifest.id.clone()));
        candidates.sort_by_cached_key(|entry| age(entry));
        let newest = candidates.first().map(|entry| entry.manifest.backup_ref());
        // The stable sort keeps the newer before the older where neither was ever proven.
        candidates.sort_by_cached_key(|entry| {
            let proof = entry.proven_at(self.level);
            let is_newest = newest.as_ref() == Some(&entry.manifest.backup_ref());
            (!(is_newest && proof.is_none()), proof)
        });
        candidates.iter().take(self.count).map(|entry| entry.manifest.backup_ref()).collect()
    }

    fn is_of_part(&self, entry: &Entry) -> bool {
        let Some((number, parts)) = self.part else { return true };
        let dealt = number_of(&entry.manifest.backup_ref().to_string());
        dealt % u64::from(parts) == u64::from(number - 1)
    }
}

/// What a drill found.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// How deep the backups were to be proven.
    pub level: Level,
    /// One for each backup, in the order in which they were looked at.
    pub drilled: Vec<Drilled>,
    /// Backups whose manifest cannot be read, which nobody can prove.
    #[serde(skip)]
    pub damaged: Vec<Error>,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
}

/// What a drill found of one backup.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Drilled {
    /// The backup.
    pub backup: BackupRef,
    /// What was found and recorded; `None` where the check could not be carried out.
    pub report: Option<VerifyReport>,
    /// Why the check could not be carried out: the backup is as proven as before.
    #[serde(serialize_with = "in_words")]
    pub unproven: Option<Error>,
}

impl DrillReport {
    /// Whether every backup was looked at, and was as recorded.
    #[must_use]
    pub fn passed(&self) -> bool {
        let passed =
            |drilled: &Drilled| drilled.report.as_ref().is_some_and(|report| report.evidence.passed());
        self.damaged.is_empty() && self.drilled.iter().all(passed)
    }

    /// Turns a drill that did not pass into the error of its first failure.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) with the findings, or why a check could not be carried out.
    pub fn ensure_passed(self) -> Result<()> {
        let mut unproven = None;
        for drilled in self.drilled {
            if let Some(report) = drilled.report {
                report.ensure_passed()?;
            }
            unproven = unproven.or(drilled.unproven);
        }
        self.damaged.into_iter().next().or(unproven).map_or(Ok(()), Err)
    }
}

impl Pipeline {
    /// Proves the backups whose turn it is, and records the evidence.
    ///
    /// One that cannot be checked does not keep the others from it; it comes first in the next drill.
    ///
    /// # Errors
    ///
    /// Where the backups cannot be listed; [`NotFound`](ErrorKind::NotFound) where the filter selects none, as a drill
    /// of nothing proves nothing. What is wrong with a backup is in the report.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: what was proven by then is recorded.
    pub async fn drill(&self, request: &DrillRequest) -> Result<DrillReport> {
        let started = tokio::time::Instant::now();
        let listing = self.list(&request.filter).await.map_err(|err| err.with_operation("drill"))?;
        if listing.entries.is_empty() && listing.damaged.is_empty() {
            // What a store holds that is away may be what was to be proven.
            if let Some(err) = listing.unreachable.into_iter().next() {
                return Err(err.with_operation("drill"));
            }
            return Err(Error::new(ErrorKind::NotFound, "there is no backup to prove")
                .with_operation("drill")
                .with_suggestion("look whether the filter names environment and database as the list does"));
        }
        let mut drilled = Vec::new();
        for backup in request.pick(&listing.entries) {
            let (report, unproven) = match self.verify(&backup, request.level).await {
                Ok(report) => (Some(report), None),
                Err(err) => (None, Some(err)),
            };
            drilled.push(Drilled { backup, report, unproven });
        }
        Ok(DrillReport {
            level: request.level,
            drilled,
            damaged: listing.damaged,
            duration: started.elapsed(),
        })
    }
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[allow(clippy::ref_option)] // The form that serde calls.
fn in_words<S: serde::Serializer>(err: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    err.as_ref().map(ToString::to_string).serialize(serializer)
}

#[cfg(test)]
mod tests;
