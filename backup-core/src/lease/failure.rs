use std::{error::Error as StdError, fmt, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{Error, ErrorKind};

/// Who holds a lease that was asked for: the source of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseHeld {
    /// The host's name, where the holder told it.
    pub host: Option<String>,
    /// The number of the process on that host, where the holder told it.
    pub pid: Option<u32>,
    /// Since when, by the clock of that host, where the holder told it.
    pub since: Option<DateTime<Utc>>,
    /// The number of its last renewal.
    pub generation: u64,
    /// After what time the lease is free, where its holder was killed and does not renew it.
    pub free_after: Duration,
}

impl LeaseHeld {
    /// What an error says of a lease that another holds; `None` where it is about something else.
    #[must_use]
    pub fn of(err: &Error) -> Option<&Self> {
        find(err)
    }

    pub(super) fn into_error(self, lease: &str) -> Error {
        let seconds = self.free_after.as_secs() + 1;
        let unknown = || "unknown".to_owned();
        let since = self.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
        Error::new(ErrorKind::Unavailable, "another process is at work in this store under the same lease")
            .with_context("lease", lease)
            .with_context("host", self.host.as_deref().unwrap_or("unknown"))
            .with_context("pid", self.pid.map_or_else(unknown, |pid| pid.to_string()))
            .with_context("since", since.unwrap_or_else(unknown))
            .with_context("free_after_seconds", seconds)
            .with_suggestion(format!(
                "run it again when the other one ended; where that was killed, in {seconds} seconds"
            ))
            .with_source(self)
    }
}

impl fmt::Display for LeaseHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lease is held in generation {}", self.generation)
    }
}

impl StdError for LeaseHeld {}

/// That a lease was lost while it was worked under: a source of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLost {
    /// The number of the last renewal before.
    pub generation: u64,
}

impl LeaseLost {
    pub(super) fn new(generation: u64) -> Self {
        Self { generation }
    }

    /// What an error says of a lease that was lost; `None` where it is about something else.
    #[must_use]
    pub fn of(err: &Error) -> Option<&Self> {
        find(err)
    }

    pub(super) fn into_error(self) -> Error {
        Error::new(ErrorKind::Unavailable, "another process took over: nothing more is deleted here")
            .with_suggestion("run it again when the other one ended; a lease is lost by whoever is stopped for longer than it lasts")
            .with_source(self)
    }
}

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lease was lost after generation {}", self.generation)
    }
}

impl StdError for LeaseLost {}

fn find<T: StdError + 'static>(err: &Error) -> Option<&T> {
    std::iter::successors(err.source(), |err| StdError::source(*err)).find_map(|err| err.downcast_ref())
}
