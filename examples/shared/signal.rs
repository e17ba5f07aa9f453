//! Ends an operation on Ctrl-C, SIGTERM or SIGHUP, and cleans up after it.

use backup_core::{Error, ErrorKind, Operation, Pipeline, Result};

/// Runs an operation until it ends or a signal comes; an interrupted one is dropped, and what it stored is removed.
///
/// # Errors
///
/// Those of the operation, else [`Cancelled`](ErrorKind::Cancelled).
///
/// # Cancel safety
///
/// That of the operation.
pub async fn interruptible<T>(
    pipeline: &Pipeline,
    operation: Operation,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        result = work => return result,
        () = terminated() => {}
    }
    pipeline.settle().await;
    Err(match operation {
        Operation::Backup => {
            Error::new(ErrorKind::Cancelled, "interrupted; what was stored by then was removed")
        }
        Operation::Restore => {
            Error::new(ErrorKind::Cancelled, "interrupted; the restore that was under way is given up")
                .with_suggestion("look at the target before you use it, then restore again")
                .with_suggestion(
                    "a target that was to be replaced has its backup of kind pre-rollback in the list",
                )
        }
        _ => Error::new(ErrorKind::Cancelled, "interrupted; nothing was recorded"),
    }
    .with_operation(operation.name()))
}

/// Whether a signal came, for everybody who asks, however late.
#[derive(Debug, Clone)]
pub struct Interrupted(tokio::sync::watch::Receiver<bool>);

impl Interrupted {
    /// Listens from now on: no signal of those that [`terminated`] waits for ends the process by itself any more.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn listen() -> Self {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            terminated().await;
            sender.send_replace(true);
            // Kept, as those who ask wait for ever where the sender is gone.
            sender.closed().await;
        });
        Self(receiver)
    }

    /// Whether it came.
    #[must_use]
    pub fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the signal.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|has_come| *has_come).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for Ctrl-C, SIGTERM, or SIGHUP: the end of the terminal.
///
/// # Cancel safety
///
/// Cancel-safe; a signal that comes before it is asked for the first time ends the process, one that comes after it was
/// dropped is lost.
pub async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        let hung_up = async {
            if hangup_is_ignored().await {
                std::future::pending::<()>().await;
            }
            signalled(SignalKind::hangup()).await;
        };
        // Asked for once, it waits for the first two: before anything else that whoever asks does.
        tokio::select! {
            () = signalled(SignalKind::interrupt()) => {}
            () = signalled(SignalKind::terminate()) => {}
            () = hung_up => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn signalled(kind: tokio::signal::unix::SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Whether whoever started this wants it to outlive the terminal, as `nohup` does.
#[cfg(unix)]
async fn hangup_is_ignored() -> bool {
    let status = tokio::fs::read_to_string("/proc/self/status").await.unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1.
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

/// Lets a write that meets the limit of a file's size (`ulimit -f`) fail with an error; else the system ends the process
/// without a word. To be called within a runtime, once, at the start.
pub fn survive_file_size_limit() {
    // SIGXFSZ, of which the standard library knows nothing; that it is listened to is what counts.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    if let Err(err) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(25)) {
        tracing::warn!("the limit of a file's size will end this program: {err}");
    }
}
