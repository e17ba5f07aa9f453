//! [`Retries`]: how often and how patiently a request is repeated.

use std::{future::Future, time::Duration};

use crate::error::Failure;

/// How often and how patiently a request is repeated that failed by no fault of its own.
///
/// It is the one policy: the retries of the SDK are off. Each part of a large object is repeated by itself, from
/// memory; a body is never asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// How often a request is sent at most; 5 unless said.
    pub attempts: u32,
    /// The pause before the second attempt; 200 ms unless said. Each further one is twice as long, at random between
    /// half and all of it.
    pub first_pause: Duration,
    /// The longest pause; 20 seconds unless said.
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(200), longest_pause: Duration::from_secs(20) }
    }
}

impl Retries {
    /// Sends each request once.
    #[must_use]
    pub fn none() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// Sends a request so often at most; at least once.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Pauses so long before the second attempt.
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Never pauses longer.
    #[must_use]
    pub fn with_longest_pause(mut self, pause: Duration) -> Self {
        self.longest_pause = pause;
        self
    }

    /// Sends until it succeeds, cannot be repeated, or was sent often enough.
    ///
    /// A failure that comes after one whose effect is not known is itself of unknown effect.
    pub(crate) async fn run<T, F>(&self, mut send: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut unclear = false;
        let mut attempt = 1;
        loop {
            let failure = match send().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            unclear |= failure.is_unclear();
            if !failure.is_retryable() || attempt >= self.attempts {
                return Err(failure.after_unclear(unclear));
            }
            tracing::debug!(%failure, attempt, "a request is repeated");
            tokio::time::sleep(self.pause(attempt)).await;
            attempt += 1;
        }
    }

    /// The pause after the attempt of this number.
    pub(crate) fn pause(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let pause = self.first_pause.saturating_mul(factor).min(self.longest_pause);
        // Many clients that failed together shall not come back together.
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        pause.mul_f64(f64::midpoint(1.0, share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retries = Retries::default().with_longest_pause(Duration::from_secs(1));
        for (attempt, most) in [(1, 200), (2, 400), (3, 800), (4, 1000), (100, 1000)] {
            let pause = retries.pause(attempt).as_millis();
            assert!(pause <= most && pause >= most / 2, "{attempt}: {pause} ms");
        }
    }
}
