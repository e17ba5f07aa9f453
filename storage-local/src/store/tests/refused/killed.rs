//! `kill -9` of the own process after each change to the disk, within whole operations.
//!
//! The process is this test binary, which runs [`victim`] alone.

use std::{
    env,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    time::Duration,
};

use backup_core::{Clock, LeaseHeld};
use chrono::DateTime;

use super::*;

const SCENARIO: &str = "STORAGE_LOCAL_TEST_SCENARIO";
const STORE: &str = "STORAGE_LOCAL_TEST_STORE";
const NOW: &str = "STORAGE_LOCAL_TEST_NOW";
const KILL_AFTER: &str = "STORAGE_LOCAL_TEST_KILL_AFTER";

/// So long a prune that was killed keeps the next one out.
const LEASE_TTL: Duration = Duration::from_secs(3);

/// How often a process was killed.
static KILLED: AtomicUsize = AtomicUsize::new(0);

/// Ends this process as `kill -9` does.
pub(super) fn kill() {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    std::thread::park();
}

/// Not a test: the process that the test below kills.
#[test]
#[ignore = "started by the test below, in a process of its own"]
fn victim() {
    let Ok(name) = env::var(SCENARIO) else { return };
    let scenario = SCENARIOS.into_iter().find(|scenario| format!("{scenario:?}") == name).unwrap();
    let now = DateTime::parse_from_rfc3339(&env::var(NOW).unwrap()).unwrap().to_utc();
    let nth = env::var(KILL_AFTER).unwrap().parse().unwrap();
    let calls = Arc::new(Calls::default());
    counted(&calls).block_on(async {
        let mut operation = Operation::at(scenario, env::var(STORE).unwrap().into(), now).await;
        operation.lease_ttl = LEASE_TTL;
        calls.state().only_links = scenario == Scenario::CreateByLink;
        calls.plan(Some(Refusal { nth, errno: Errno::IO, how: How::Killed }));
        operation.run().await.unwrap();
    });
}

fn killed(scenario: Scenario, template: &Template, nth: usize) {
    counted(&Arc::default()).block_on(async {
        let mut world = World::new(scenario, template).await;
        world.operation.lease_ttl = LEASE_TTL;
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "store::tests::refused::killed::victim", "--ignored", "--nocapture"])
            .env(SCENARIO, format!("{scenario:?}"))
            .env(STORE, world.operation.store.path())
            .env(NOW, world.operation.clock.now().to_rfc3339())
            .env(KILL_AFTER, nth.to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            // Deletions beside each other came in another order, and made fewer changes.
            return;
        }
        assert_eq!(output.status.signal(), Some(9), "not killed: {output:?}");
        KILLED.fetch_add(1, Ordering::Relaxed);
        let result = Err(Error::new(ErrorKind::Unexpected, "killed"));
        world.check(&result, false).await;
        // That a lease is one of a dead process is only known once nobody renews it.
        if scenario == Scenario::Prune
            && let Err(err) = world.operation.run().await
        {
            assert!(LeaseHeld::of(&err).is_some(), "{err:?}");
            tokio::time::sleep(LEASE_TTL).await;
        }
        world.again(&result).await;
    });
}

#[test]
fn a_process_that_is_killed_after_any_change_leaves_whole_backups_and_objects() {
    let mut count = 0;
    let mut failed = Vec::new();
    for scenario in SCENARIOS {
        let template = counted(&Arc::default()).block_on(Template::new(scenario));
        let changes = calls_of(scenario, &template).into_iter().filter(|call| call.is_change()).count();
        let changes: Vec<_> = (0..changes).collect();
        count += changes.len();
        failed.extend(all_of(
            &changes,
            |nth| format!("{scenario:?}, killed after change {nth}"),
            |nth| {
                killed(scenario, &template, *nth);
            },
        ));
    }
    let killed = KILLED.load(Ordering::Relaxed);
    println!("killed {killed} times, at {count} changes");
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
    assert!(killed > 75, "only {killed} of {count} were killed");
}
