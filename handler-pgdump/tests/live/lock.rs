//! An advisory lock keeps others out until it is given back.

use std::time::Duration;

use backup_core::{ErrorKind, testkit::faults::polled};
use handler_pgdump::PgAdvisoryLock;

use crate::server::Server;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lock_is_held_until_it_is_released_dropped_or_lost() {
    let server = Server::shared().await;
    server.create("locked");
    let config = server.config("locked");
    let lock = PgAdvisoryLock::new(72_707_369);
    let held = lock.take(&config, LONG).await.unwrap();
    let refused = lock.take(&config, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    // Another one is free.
    drop(PgAdvisoryLock::new(-1).take(&config, LONG).await.unwrap());
    held.release().await.unwrap();

    drop(lock.take(&config, LONG).await.unwrap());
    let held = lock.take(&config, LONG).await.unwrap();
    server.sql(
        "locked",
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369",
    );
    assert_eq!(held.release().await.unwrap_err().kind(), ErrorKind::Unavailable);
    lock.take(&config, LONG).await.unwrap().release().await.unwrap();

    // A call that is dropped, wherever that is, takes nothing that stays.
    for most in 1.. {
        let (taken, _) = polled(most, lock.take(&config, LONG)).await;
        let is_taken = taken.is_some_and(|taken| taken.is_ok());
        lock.take(&config, LONG).await.unwrap().release().await.unwrap();
        if is_taken {
            assert!(most > 3, "it waits for nothing");
            break;
        }
    }
}
