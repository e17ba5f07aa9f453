//! [`probe`]: whether a store keeps its promises, asked with real objects.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use serde::Serialize;

use super::Store;
use crate::{Clock, Error, ErrorKind, Key, Prefix, Result, SystemClock};

mod checks;

/// How long one check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// Tries whether a store keeps its promises, with small objects in a folder of its own, which it removes again.
///
/// For a store of which nobody knows whether it does what it declares: one that calls itself compatible with S3, a
/// network file system, a program of one's own. A [passed](ProbeReport::passed) probe is no proof: a store may lose what it
/// took, or let two creates win at another time. For one's own implementation there is the
/// [conformance kit](crate::testkit::store), which needs an empty store.
///
/// # Errors
///
/// [`InvalidInput`](ErrorKind::InvalidInput) for a prefix that leaves no room for a key. What the store does wrong is no
/// error but part of the report.
///
/// # Cancel safety
///
/// A dropped call leaves its objects, in a folder `probe-…` that nothing else uses.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use backup_core::{MemoryStore, store::{ProbeOptions, probe}};
///
/// let report = probe(&MemoryStore::new(), &ProbeOptions::default()).await?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), backup_core::Error>(())
/// # }).unwrap();
/// ```
pub async fn probe(store: &(impl Store + ?Sized), options: &ProbeOptions) -> Result<ProbeReport> {
    let started = tokio::time::Instant::now();
    let at = options.clock.now();
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "no random numbers").with_source(err))?;
    let name = format!("probe-{}", hex::encode(random));
    let folder = match options.prefix.as_str() {
        "" => name,
        prefix => format!("{prefix}/{name}"),
    };
    let mut probe = Probe { store, options, folder, checks: Vec::new(), locked_until: None };
    probe.key("longest-name-of-a-check")?;
    // Boxed, so that the futures of callers stay small.
    Box::pin(probe.run()).await;
    Box::pin(probe.clean_up()).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(ProbeReport { location: store.location(), at, checks: probe.checks, duration_ms })
}

/// How to probe.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeOptions {
    /// Below which prefix the folder is made; the root unless said.
    pub prefix: Prefix,
    /// How many creates race.
    pub racers: u32,
    /// How many small objects are listed; more than 1000 to see whether the store pages to its end.
    pub listed_objects: u32,
    /// How long an object is locked to see whether the store keeps it; where none, that is not checked. The probe then waits
    /// for the end of the lock, to remove the object.
    pub lock: Option<Duration>,
    /// How far the store's clock may be off.
    pub clock_tolerance: Duration,
    /// How long one check may take.
    pub limit: Duration,
    /// With whose clock that of the store is compared.
    pub clock: Arc<dyn Clock>,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            prefix: Prefix::root(),
            racers: 8,
            listed_objects: 20,
            lock: None,
            clock_tolerance: Duration::from_secs(5 * 60),
            limit: CHECK_LIMIT,
            clock: Arc::new(SystemClock),
        }
    }
}

impl ProbeOptions {
    /// Makes the folder below a prefix.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Prefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// Says how many small objects are listed.
    #[must_use]
    pub fn with_listed_objects(mut self, number: u32) -> Self {
        self.listed_objects = number;
        self
    }

    /// Locks an object for so long, a minute for instance, to see whether the store keeps it.
    #[must_use]
    pub fn with_lock(mut self, time: Duration) -> Self {
        self.lock = Some(time);
        self
    }

    /// Says how long one check may take.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Compares the store's clock with this one.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The store.
    pub location: String,
    /// When it was, UTC.
    pub at: DateTime<Utc>,
    /// What was tried, in this order.
    pub checks: Vec<ProbeCheck>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// One promise of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProbeCheck {
    /// Its stable name: `create-race`.
    pub name: String,
    /// Whether it was kept.
    pub outcome: ProbeOutcome,
    /// What was found, or why it was not checked, in one line.
    pub message: String,
}

/// Whether a promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// It was.
    Passed,
    /// It was not.
    Failed,
    /// Nobody can tell: that is neither.
    NotChecked,
}

impl ProbeOutcome {
    /// The outcome as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
        }
    }
}

impl ProbeReport {
    /// Whether no promise was found broken.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != ProbeOutcome::Failed)
    }
}

/// A line for the store, then one for each check.
impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "keeps what was checked" } else { "breaks a promise" };
        write!(f, "{} {verdict}", self.location)?;
        for check in &self.checks {
            write!(f, "\n  [{}] {}: {}", check.outcome.name(), check.name, check.message)?;
        }
        Ok(())
    }
}

/// A probe under way.
struct Probe<'a, S: ?Sized> {
    store: &'a S,
    options: &'a ProbeOptions,
    folder: String,
    checks: Vec<ProbeCheck>,
    /// Until when an object of the probe cannot be removed.
    locked_until: Option<DateTime<Utc>>,
}

impl<S: Store + ?Sized> Probe<'_, S> {
    fn key(&self, name: &str) -> Result<Key> {
        Key::parse(format!("{}/{name}", self.folder))
    }

    /// Removes every object of the probe.
    async fn clean_up(&mut self) {
        if let Some(until) = self.locked_until {
            let left = (until - self.options.clock.now()).to_std().unwrap_or_default();
            // The store's clock may be a little behind.
            tokio::time::sleep(left + Duration::from_secs(2)).await;
        }
        let removed = async {
            let objects = self.store.list(&Prefix::parse(&*self.folder)?);
            let keys: Vec<Key> = objects.map_ok(|object| object.key).try_collect().await?;
            for key in &keys {
                self.store.delete(key).await?;
            }
            Ok(keys.len())
        };
        let removed =
            tokio::time::timeout(self.options.limit, removed).await.unwrap_or_else(|_| Err(too_long()));
        let (outcome, message) = match removed {
            Ok(number) => (ProbeOutcome::Passed, format!("{number} objects of the probe were removed")),
            Err(err) => (ProbeOutcome::Failed, format!("remove the folder {} by hand: {err}", self.folder)),
        };
        self.checks.push(ProbeCheck { name: "clean-up".to_owned(), outcome, message });
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Timeout, "it took too long")
}
