//! [`Clock`]: where the time comes from.

use std::fmt::Debug;

use chrono::{DateTime, Utc};

/// Tells the time, in UTC. Only the pipeline owns one; pure parts take `now`.
pub trait Clock: Send + Sync + Debug + 'static {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
