use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use super::Series;
use crate::{BackupRef, Entry, Error, pipeline::Orphans, store::Space};

/// What is known of the backups and of the place where they are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HealthFacts {
    /// All backups, of one or of several series, in any order.
    pub entries: Vec<Entry>,
    /// One line for each backup whose manifest cannot be read.
    pub damaged: Vec<String>,
    /// The space of the store.
    pub space: Fact<Space>,
    /// Objects that belong to no backup.
    pub orphans: Fact<Orphans>,
    /// Backups whose objects are not all there, or not of the recorded size: none of them is good.
    pub incomplete: Fact<BTreeSet<BackupRef>>,
    /// Recent runs, in any order.
    pub attempts: Fact<Vec<Attempt>>,
    /// How far a standby server is behind.
    pub standby_lag: Fact<Duration>,
    /// Copies that should be there and are not.
    pub missing_copies: Fact<Vec<MissingCopy>>,
    /// What each of several stores holds.
    pub copies: Fact<Vec<CopyFacts>>,
}

/// What one of several stores was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyFacts {
    /// Its location, whose scheme is the kind of the store.
    pub location: String,
    /// The backups that it holds wholly; why it could not be told where it could not be listed.
    pub whole: Result<BTreeSet<BackupRef>, String>,
}

impl CopyFacts {
    /// What the store at a location holds.
    pub fn new(location: impl Into<String>, whole: Result<BTreeSet<BackupRef>, String>) -> Self {
        Self { location: location.into(), whole }
    }

    /// Whether it is known to hold a backup wholly.
    #[must_use]
    pub fn holds(&self, backup: &BackupRef) -> bool {
        self.whole.as_ref().is_ok_and(|whole| whole.contains(backup))
    }
}

/// Something that is known, or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact<T> {
    /// It is known.
    Known(T),
    /// Nobody asked, or nobody can tell: what depends on it is not checked.
    #[default]
    Unasked,
    /// It was asked for, and could not be told, for this reason: that itself needs a look.
    Unknown(String),
}

/// A run that was to make a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Of which series.
    pub series: Series,
    /// When it was, UTC.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// A backup.
    Succeeded,
    /// An error.
    Failed {
        /// Its [code](crate::ErrorKind::code).
        code: String,
        /// Its line.
        message: String,
    },
}

/// A copy that should be there and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingCopy {
    /// Of which backup.
    pub backup: BackupRef,
    /// Where it should be: the location of a store.
    pub place: String,
}

impl HealthFacts {
    /// What is known where nothing but the backups is.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// Adds what the catalog says of backups whose manifest cannot be read.
    #[must_use]
    pub fn with_damaged(mut self, errors: &[Error]) -> Self {
        self.damaged = errors.iter().map(ToString::to_string).collect();
        self
    }

    /// Adds the space of the store.
    #[must_use]
    pub fn with_space(mut self, space: Fact<Space>) -> Self {
        self.space = space;
        self
    }

    /// Adds objects that belong to no backup.
    #[must_use]
    pub fn with_orphans(mut self, orphans: Fact<Orphans>) -> Self {
        self.orphans = orphans;
        self
    }

    /// Adds the backups whose objects are not all there; none of them is good.
    #[must_use]
    pub fn with_incomplete(mut self, incomplete: Fact<BTreeSet<BackupRef>>) -> Self {
        self.incomplete = incomplete;
        self
    }

    /// Adds recent runs.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.attempts = Fact::Known(attempts);
        self
    }

    /// Adds how far a standby server is behind.
    #[must_use]
    pub fn with_standby_lag(mut self, lag: Fact<Duration>) -> Self {
        self.standby_lag = lag;
        self
    }

    /// Adds what each of several stores holds, and with it which copies are missing: a backup is to be in each of them.
    #[must_use]
    pub fn with_copies(mut self, copies: Vec<CopyFacts>) -> Self {
        let missing = super::copies::missing(&copies, &self.entries);
        let each = missing.into_iter().flat_map(|(backup, places)| {
            places.into_iter().map(move |place| MissingCopy::new(backup.clone(), place))
        });
        self.missing_copies = Fact::Known(each.collect());
        if let Some((location, why)) =
            copies.iter().find_map(|copy| copy.whole.as_ref().err().map(|why| (&copy.location, why)))
            && self.missing_copies == Fact::Known(Vec::new())
        {
            self.missing_copies = Fact::Unknown(format!("{location}: {why}"));
        }
        self.copies = Fact::Known(copies);
        self
    }

    /// Adds the copies that should be there and are not; none of them is well.
    #[must_use]
    pub fn with_missing_copies(mut self, copies: Vec<MissingCopy>) -> Self {
        self.missing_copies = Fact::Known(copies);
        self
    }
}

impl Attempt {
    /// A run that made a backup.
    #[must_use]
    pub fn succeeded(series: Series, at: DateTime<Utc>) -> Self {
        Self { series, at, outcome: AttemptOutcome::Succeeded }
    }

    /// A run that ended in an error.
    #[must_use]
    pub fn failed(series: Series, at: DateTime<Utc>, error: &Error) -> Self {
        let outcome = AttemptOutcome::Failed { code: error.code().to_owned(), message: error.to_string() };
        Self { series, at, outcome }
    }
}

impl MissingCopy {
    /// A copy that is not where it should be.
    pub fn new(backup: BackupRef, place: impl Into<String>) -> Self {
        Self { backup, place: place.into() }
    }
}
