use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Operation;
use crate::BackupRef;

/// The most operations that are remembered: one whose future was dropped never ends.
const MAX_RUNNING: usize = 1024;

/// Remembers operations under way, as their end does not say when they began.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<(Operation, BackupRef), Run>>);

/// One operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    began: Instant,
    /// The most bytes that it said so far; those of a read-back count from zero again.
    #[cfg(feature = "metrics")]
    pub(crate) progress: super::Progress,
}

impl Run {
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Running {
    pub(crate) fn begin(&self, operation: Operation, backup: &BackupRef) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= MAX_RUNNING
            && let Some(oldest) = running.iter().min_by_key(|(_, run)| run.began).map(|(key, _)| key.clone())
        {
            running.remove(&oldest);
        }
        let run = Run {
            began: Instant::now(),
            #[cfg(feature = "metrics")]
            progress: super::Progress::default(),
        };
        running.insert((operation, backup.clone()), run);
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn progress(&self, operation: Operation, backup: &BackupRef, progress: super::Progress) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = running.get_mut(&(operation, backup.clone())) {
            run.progress.plain_bytes = run.progress.plain_bytes.max(progress.plain_bytes);
            run.progress.stored_bytes = run.progress.stored_bytes.max(progress.stored_bytes);
        }
    }

    /// How far an operation got.
    #[cfg(feature = "metrics")]
    pub(crate) fn get(&self, operation: Operation, backup: &BackupRef) -> Option<Run> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&(operation, backup.clone())).copied()
    }

    pub(crate) fn end(&self, operation: Operation, backup: &BackupRef) -> Option<Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(operation, backup.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BackupId;

    #[test]
    fn operations_that_never_end_take_no_more_than_their_share() {
        let running = Running::default();
        let backup = |number: usize| BackupRef::new("e", "d", BackupId::parse(format!("b{number}")).unwrap());
        for number in 0..MAX_RUNNING + 10 {
            running.begin(Operation::Backup, &backup(number));
        }
        assert_eq!(running.0.lock().unwrap().len(), MAX_RUNNING);
        assert!(running.end(Operation::Backup, &backup(0)).is_none());
        assert!(running.end(Operation::Backup, &backup(MAX_RUNNING + 9)).is_some());
    }
}
