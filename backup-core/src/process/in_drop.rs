use std::{sync::mpsc, thread, time::Duration};

use crate::{Error, ErrorKind, Result};

/// Runs `work` from a drop, on a thread and a runtime of its own, and waits at most `limit` for it.
///
/// The current runtime may be the one that is shutting down, and a drop may not wait on it. `name` is that of the thread.
///
/// # Errors
///
/// Those of `work`; [`Timeout`](ErrorKind::Timeout) when it takes longer: it goes on, and what comes of it is logged.
pub fn finish_in_drop(
    name: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<()>> + Send + 'static,
) -> Result<()> {
    let (done, finished) = mpsc::sync_channel(1);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.map_err(Error::from).and_then(|runtime| runtime.block_on(work));
        if let Err(mpsc::SendError(Err(err))) = done.send(result) {
            tracing::warn!(%err, "{name} failed after nobody waited for it any longer");
        }
    })?;
    finished.recv_timeout(limit).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Timeout, "what a drop began goes on in the background")
            .with_context("limit_seconds", limit.as_secs()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_of_a_drop_ends_inside_a_runtime_and_is_waited_for_only_so_long() {
        finish_in_drop("quick", Duration::from_secs(10), async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        })
        .unwrap();
        let refused = async { Err(Error::new(ErrorKind::PermissionDenied, "no")) };
        let err = finish_in_drop("failing", Duration::from_secs(10), refused).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied);
        let hanging = std::future::pending();
        let err = finish_in_drop("hanging", Duration::from_millis(10), hanging).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Timeout);
    }
}
