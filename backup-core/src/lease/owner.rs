//! Who holds a lease, and for how long.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::{Clock, Error, ErrorKind, Result, SystemClock};

/// The tokens of this process that are in use.
static LIVE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static PROCESS: OnceLock<String> = OnceLock::new();

fn live() -> MutexGuard<'static, BTreeSet<String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One holder: a random token that says of which process it is. It is live until it is dropped.
#[derive(Debug)]
pub(super) struct Owner {
    token: String,
    since: DateTime<Utc>,
}

impl Owner {
    pub(super) fn new() -> Result<Self> {
        let token = format!("{}-{}", process()?, random()?);
        live().insert(token.clone());
        Ok(Self { token, since: SystemClock.now() })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// When it began, by this host's clock.
    pub(super) fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// Nobody acts under this token any more.
    pub(super) fn is_gone(&self) {
        live().remove(&self.token);
    }

    /// Whether a token is one of this process whose holder was dropped: it waits for nobody.
    pub(super) fn was_dropped(token: &str) -> bool {
        process().is_ok_and(|process| token.strip_prefix(process).is_some_and(|rest| rest.starts_with('-')))
            && !live().contains(token)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.is_gone();
    }
}

/// What no other process has, on this host or another.
fn process() -> Result<&'static str> {
    if let Some(process) = PROCESS.get() {
        return Ok(process);
    }
    let new = random()?;
    Ok(PROCESS.get_or_init(|| new))
}

pub(super) fn random() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|err| Error::new(ErrorKind::Unexpected, "no random numbers").with_source(err))?;
    Ok(hex::encode(random))
}

/// A moment by two clocks: the monotonic one stands still while a machine sleeps, and the wall clock may be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    monotonic: Instant,
    wall: DateTime<Utc>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemClock.now() }
    }

    /// How long ago it was, by that clock which says more.
    pub(super) fn elapsed(self) -> Duration {
        let wall = (SystemClock.now() - self.wall).to_std().unwrap_or_default();
        self.monotonic.elapsed().max(wall)
    }
}
