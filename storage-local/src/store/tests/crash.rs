//! A process that is killed with `SIGKILL` between any two steps, and at any other moment.
//!
//! The process is this test binary, which runs [`victim`] alone.

use std::{
    env,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use backup_core::{Digest, Prefix, Store, StoreExt};
use bytes::Bytes;
use futures::TryStreamExt;

use super::*;
use crate::LocalStore;

const ROOT: &str = "STORAGE_LOCAL_TEST_ROOT";
const MODE: &str = "STORAGE_LOCAL_TEST_MODE";
const KILL_AT: &str = "STORAGE_LOCAL_TEST_KILL_AT";

static REACHED: AtomicUsize = AtomicUsize::new(0);

/// Kills this process where its environment says so.
pub(super) fn reached(step: Step) {
    let Ok(kill_at) = env::var(KILL_AT) else { return };
    let (name, nth) = kill_at.split_once(':').unwrap();
    if name == format!("{step:?}")
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == nth.parse::<usize>().unwrap()
    {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        std::thread::park();
    }
}

/// Bytes that say themselves whether they are whole.
fn sealed(seed: u8, len: usize) -> Bytes {
    let body = vec![seed; len];
    let mut bytes = Digest::sha256(&body).hex().into_bytes();
    bytes.extend(body);
    bytes.into()
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.split_at_checked(64).is_some_and(|(seal, body)| Digest::sha256(body).hex().as_bytes() == seal)
}

const OBJECT: &str = "production/shop/object";

/// Not a test: the process that the tests below kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests of this module, in a process of its own"]
async fn victim() {
    let Ok(root) = env::var(ROOT) else { return };
    let store = LocalStore::open(root).await.unwrap();
    let key = |name: &str| Key::parse(name).unwrap();
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    match env::var(MODE).unwrap().as_str() {
        "create" => drop(store.put_bytes(&key(OBJECT), sealed(1, 1_000_000)).await.unwrap()),
        "overwrite" => drop(store.put(&key(OBJECT), sealed(2, 500_000).into(), overwrite).await.unwrap()),
        "busy" => {
            eprintln!("ready");
            for round in 0..u64::MAX {
                let own = key(&format!("production/shop-{}/{}-{round}", round % 3, std::process::id()));
                let seed = u8::try_from(round % 251).unwrap();
                let shared = key(OBJECT);
                let (created, replaced) = futures::join!(
                    store.put_bytes(&own, sealed(seed, 700_000)),
                    store.put(&shared, sealed(seed, 100_000).into(), overwrite.clone()),
                );
                created.unwrap();
                replaced.unwrap();
                if round % 2 == 0 {
                    store.delete(&own).await.unwrap();
                }
            }
        }
        mode => panic!("no such mode: {mode}"),
    }
}

fn start(fixture: &Fixture, mode: &str, kill_at: Option<String>) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "store::tests::crash::victim", "--ignored", "--nocapture"])
        .env(ROOT, fixture.root.path())
        .env(MODE, mode)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(kill_at) = kill_at {
        command.env(KILL_AT, kill_at);
    }
    command.spawn().unwrap()
}

/// What is in the store after a crash: everything listed is whole, and a sweep leaves nothing else.
async fn recover(fixture: &Fixture) -> (Vec<Key>, u64) {
    let store = LocalStore::open(fixture.root.path()).await.unwrap();
    let listed: Vec<_> = store.list(&Prefix::root()).try_collect().await.unwrap();
    for meta in &listed {
        let bytes = store.get_bytes(&meta.key, 2_000_000).await.unwrap();
        assert_eq!(bytes.len() as u64, meta.size);
        assert!(is_whole(&bytes), "{} is not whole", meta.key);
    }
    let report = store.sweep(Duration::ZERO).await.unwrap();
    let mut keys: Vec<_> = listed.into_iter().map(|meta| meta.key).collect();
    keys.sort();
    let names: Vec<_> = keys.iter().map(Key::as_str).collect();
    assert_eq!(fixture.files(), names, "a sweep leaves the objects and nothing else");
    (keys, report.removed)
}

const BEFORE_THE_FILE: [(Step, usize); 2] = [(Step::FolderMade, 1), (Step::FolderMade, 2)];
const BEFORE_THE_NAME: [(Step, usize); 4] =
    [(Step::TempCreated, 1), (Step::Locked, 1), (Step::ChunkWritten, 1), (Step::FileSynced, 1)];
const AFTER_THE_NAME: [(Step, usize); 4] =
    [(Step::Published, 1), (Step::FolderSynced, 1), (Step::WaySynced, 1), (Step::WaySynced, 2)];

async fn kill(fixture: &Fixture, mode: &str, (step, nth): (Step, usize)) {
    let child = start(fixture, mode, Some(format!("{step:?}:{nth}")));
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(9), "{mode} was not killed at {step:?} {nth}: {said}");
}

#[tokio::test]
async fn a_create_that_is_killed_at_any_step_is_absent_or_whole() {
    let before = BEFORE_THE_FILE.map(|at| (at, 0)).into_iter().chain(BEFORE_THE_NAME.map(|at| (at, 1)));
    for (at, leftovers) in before {
        let fixture = fixture();
        kill(&fixture, "create", at).await;
        assert_eq!(recover(&fixture).await, (Vec::new(), leftovers), "{at:?}");
    }
    for at in AFTER_THE_NAME {
        let fixture = fixture();
        kill(&fixture, "create", at).await;
        assert_eq!(recover(&fixture).await, (vec![Key::parse(OBJECT).unwrap()], 0), "{at:?}");
    }
}

#[tokio::test]
async fn an_overwrite_that_is_killed_at_any_step_leaves_the_old_or_the_new() {
    let old = sealed(1, 1000);
    let before = BEFORE_THE_NAME.map(|at| (at, false));
    for (at, new) in before.into_iter().chain(AFTER_THE_NAME.map(|at| (at, true))) {
        let fixture = fixture();
        let key = Key::parse(OBJECT).unwrap();
        let store = LocalStore::open(fixture.root.path()).await.unwrap();
        store.put_bytes(&key, old.clone()).await.unwrap();
        kill(&fixture, "overwrite", at).await;
        assert_eq!(recover(&fixture).await, (vec![key.clone()], u64::from(!new)), "{at:?}");
        let kept = store.get_bytes(&key, 2_000_000).await.unwrap();
        assert_eq!(kept, if new { sealed(2, 500_000) } else { old.clone() }, "{at:?}");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_at_any_moment_leaves_whole_objects() {
    let fixture = fixture();
    let (mut round, mut swept) = (0, 0);
    // A dozen, and on until some were killed while they wrote, without which the test has no point.
    while round < 12 || swept == 0 {
        assert!(round < 200, "no process was killed while it wrote");
        let mut child = start(&fixture, "busy", None);
        let said = child.stderr.take().unwrap();
        let ready = BufReader::new(said).lines().map_while(Result::ok).find(|line| line.contains("ready"));
        assert!(ready.is_some(), "the victim did not start");
        tokio::time::sleep(Duration::from_millis(7 + 23 * (round % 12))).await;
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "the victim ended by itself");
        swept += recover(&fixture).await.1;
        round += 1;
    }
}
