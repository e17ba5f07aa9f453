//! Progress of an operation, and giving up when nothing moves.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use super::Pipeline;
use crate::{BackupRef, Error, ErrorKind, Event, Operation, Progress, Result, digest::ByteCount};

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(250);

/// Counts the bytes of an operation's stages.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    /// Plain bytes.
    pub(super) plain: ByteCount,
    /// Stored bytes.
    pub(super) stored: ByteCount,
    /// About how many plain bytes there will be.
    pub(super) estimate: Option<u64>,
}

impl Meter {
    fn progress(&self) -> Progress {
        Progress {
            plain_bytes: self.plain.get(),
            stored_bytes: self.stored.get(),
            estimated_plain_bytes: self.estimate,
        }
    }
}

impl Pipeline {
    /// Runs a step that moves no bytes, and gives it up after the stall timeout.
    pub(super) async fn within<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        tokio::time::timeout(self.stall_timeout, work).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "a step took too long")
                .with_context("step", step)
                .with_context("limit_seconds", self.stall_timeout.as_secs())
                .with_suggestion("check whether database or store hang, or raise the stall timeout"))
        })
    }

    /// Runs `work`, reporting what `meter` counts, and drops it when nothing moved for the stall timeout.
    pub(super) async fn watch<T>(
        &self,
        operation: Operation,
        backup: &BackupRef,
        meter: &Meter,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut last, mut moved_at) = (Progress::default(), Instant::now());
        loop {
            tokio::select! {
                biased;
                result = &mut work => {
                    self.emit(&Event::Progress { operation, backup, progress: meter.progress() });
                    return result;
                }
                _ = tick.tick() => {
                    let progress = meter.progress();
                    if progress != last {
                        (last, moved_at) = (progress, Instant::now());
                        self.emit(&Event::Progress { operation, backup, progress });
                    } else if moved_at.elapsed() >= self.stall_timeout {
                        return Err(Error::new(ErrorKind::Timeout, "nothing moved for too long")
                            .with_context("limit_seconds", self.stall_timeout.as_secs())
                            .with_context("plain_bytes", progress.plain_bytes)
                            .with_context("stored_bytes", progress.stored_bytes)
                            .with_suggestion("check whether database or store hang, or raise the stall timeout"));
                    }
                }
            }
        }
    }
}
