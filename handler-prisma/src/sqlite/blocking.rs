//! Runs SQLite on the blocking pool, and stops it when nobody waits any more.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use backup_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, InterruptHandle};

/// After how many steps of SQLite's virtual machine it asks whether to stop.
const STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// Says that nobody waits for the result any more.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    running: Mutex<Option<InterruptHandle>>,
}

impl Cancel {
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// An error once nobody waits.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Unexpected, "nobody waits for the result any more"));
        }
        Ok(())
    }

    /// Makes statements of `connection` end soon after the cancellation.
    ///
    /// The interrupt reaches what the progress handler does not, a `count(*)` under way; the handler reaches
    /// what the interrupt does not, a statement that starts just after it.
    pub(super) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let cancel = self.clone();
        connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || cancel.is_cancelled()))?;
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(connection.get_interrupt_handle());
        Ok(())
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Cancel(shared) = &self.0;
        shared.cancelled.store(true, Ordering::Relaxed);
        if let Some(running) = shared.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            running.interrupt();
        }
    }
}

/// Runs `work` on the blocking pool; it is told when this future is dropped.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce(&Cancel) -> Result<T> + Send + 'static,
) -> Result<T> {
    let cancel = Cancel::default();
    let _cancelled_with_this_future = CancelOnDrop(cancel.clone());
    match tokio::task::spawn_blocking(move || work(&cancel)).await {
        Ok(result) => result,
        Err(err) => {
            Err(Error::new(ErrorKind::Unexpected, "the thread that used SQLite failed").with_source(err))
        }
    }
}
