//! The lease of a prune between real processes, one of which is killed or stopped.
//!
//! The process is this test binary, which runs [`pruner`] alone.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use async_trait::async_trait;
use backup_core::{
    BackupRef, ByteStream, Filter, GetOptions, GetResult, Lease, LeaseHeld, LeaseLost, Pipeline, Prefix,
    Retention, Store,
    compress::Identity,
    pipeline::{BackupRequest, Confirmation, PruneInterrupted},
    retention::Period,
    store::{Space, StoreCapabilities, SweepReport},
    testkit::fake::FakeDumper,
};
use futures::stream::BoxStream;
use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::LocalStore;

const ROOT: &str = "STORAGE_LOCAL_TEST_LEASE_ROOT";
const TTL: Duration = Duration::from_secs(3);
const BACKUPS: usize = 8;

/// Takes its time before each look at an object, so that a process is stopped there and not within a deletion.
#[derive(Debug, Clone)]
struct Slow(LocalStore);

#[async_trait]
impl Store for Slow {
    fn location(&self) -> String {
        self.0.location()
    }
    fn capabilities(&self) -> StoreCapabilities {
        self.0.capabilities()
    }
    async fn put(&self, key: &Key, body: ByteStream, options: PutOptions) -> Result<ObjectMeta> {
        self.0.put(key, body, options).await
    }
    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.0.get(key, options).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.0.head(key).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await?;
        if key.name().ends_with(".manifest.json") {
            eprintln!("deleted {key}");
        }
        Ok(())
    }
    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }
    async fn space(&self) -> Result<Option<Space>> {
        self.0.space().await
    }
    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.0.sweep(grace).await
    }
}

fn pipeline(store: impl Store) -> Pipeline {
    Pipeline::new(FakeDumper::new("all the rows"), store)
        .with_environment("production")
        .with_compressor(Identity)
        .with_lease_ttl(TTL)
}

async fn prune(pipeline: &Pipeline) -> Result<usize> {
    let policy = Retention::new().keep_last_of(Period::Each, 1).with_max_deleted_percent(100);
    let plan = pipeline.plan_prune(&policy, &Filter::all()).await?;
    Ok(pipeline.prune(&plan, Confirmation::Confirmed).await?.deleted.len())
}

/// Not a test: the process that the tests below kill or stop.
#[tokio::test]
#[ignore = "started by the other tests of this module, in a process of its own"]
async fn pruner() {
    let Ok(root) = env::var(ROOT) else { return };
    match prune(&pipeline(Slow(LocalStore::open(root).await.unwrap()))).await {
        Ok(deleted) => eprintln!("ended {deleted}"),
        Err(err) => {
            let deleted = PruneInterrupted::report(&err).map_or(0, |report| report.deleted.len());
            eprintln!("stopped {deleted} lost={}", LeaseLost::of(&err).is_some());
        }
    }
}

struct Pruner {
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
}

impl Pruner {
    fn start(fixture: &Fixture) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "store::tests::lease::pruner", "--ignored", "--nocapture"])
            .env(ROOT, fixture.root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (tell, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            lines.map_while(Result::<_, std::io::Error>::ok).try_for_each(|line| tell.send(line))
        });
        Self { child, said }
    }

    /// The next line that begins so.
    fn hears(&self, begins: &str) -> String {
        loop {
            let line = self.said.recv_timeout(Duration::from_secs(60)).expect("the pruner says no more");
            if line.starts_with(begins) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }
}

impl Drop for Pruner {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

async fn backed_up() -> (Fixture, LocalStore, Vec<BackupRef>) {
    let fixture = fixture();
    let store = LocalStore::open(fixture.root.path()).await.unwrap();
    let mut backups = Vec::new();
    for _ in 0..BACKUPS {
        backups.push(pipeline(store.clone()).backup(BackupRequest::new()).await.unwrap().backup);
    }
    (fixture, store, backups)
}

/// Asks until the lease is free; says how long that took.
async fn prune_once_it_is_free(store: &LocalStore, pid: u32) -> (usize, Duration) {
    let started = Instant::now();
    loop {
        match prune(&pipeline(store.clone())).await {
            Ok(deleted) => return (deleted, started.elapsed()),
            Err(err) => {
                let held = LeaseHeld::of(&err).unwrap_or_else(|| panic!("{err}"));
                assert!(held.pid == Some(pid) && held.host.is_some() && held.free_after <= TTL, "{held:?}");
                assert!(started.elapsed() < TTL * 10, "never free");
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn check_ended(store: &LocalStore, newest: &BackupRef) {
    let entries = pipeline(store.clone()).list(&Filter::all()).await.unwrap().entries;
    let left: Vec<_> = entries.iter().map(|entry| entry.manifest.backup_ref()).collect();
    assert!(left.iter().eq([newest]), "{left:?}");
    assert_eq!(pipeline(store.clone()).orphans().await.unwrap().objects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_was_killed_keeps_the_next_one_out_for_the_ttl_at_most() {
    let (fixture, store, backups) = backed_up().await;
    let pruner = Pruner::start(&fixture);
    pruner.hears("deleted");
    pruner.signal(Signal::KILL);
    let (deleted, waited) = prune_once_it_is_free(&store, pruner.child.id()).await;
    assert!((1..BACKUPS - 1).contains(&deleted), "{deleted}");
    assert!(waited < TTL + Duration::from_secs(2), "{waited:?}");
    check_ended(&store, backups.last().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_was_stopped_and_continues_deletes_nothing_more() {
    let (fixture, store, backups) = backed_up().await;
    let pruner = Pruner::start(&fixture);
    pruner.hears("deleted");
    // Into the pause before the next look at an object.
    tokio::time::sleep(Duration::from_millis(75)).await;
    pruner.signal(Signal::STOP);
    let (deleted, _) = prune_once_it_is_free(&store, pruner.child.id()).await;
    assert!((1..BACKUPS - 1).contains(&deleted), "{deleted}");
    check_ended(&store, backups.last().unwrap()).await;
    // Something that the first one would delete if it went by what it had planned.
    let newer = pipeline(store.clone()).backup(BackupRequest::new()).await.unwrap().backup;
    pruner.signal(Signal::CONT);
    let said = pruner.hears("stopped");
    assert!(said.ends_with("lost=true"), "{said}");
    assert!(pruner.said.try_iter().all(|line| !line.starts_with("deleted")), "it went on to delete");
    let left = pipeline(store).list(&Filter::all()).await.unwrap().entries.len();
    assert_eq!(left, 2, "{newer} and the one before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn generations_increase_and_holders_exclude_each_other_under_contention() {
    let fixture = fixture();
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(fixture.root.path()).await.unwrap());
    let (last, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (store, last, taken) = (Arc::clone(&store), Arc::clone(&last), Arc::clone(&taken));
            tokio::spawn(async move {
                while taken.load(Ordering::SeqCst) < 100 {
                    let lease = match Lease::take(Arc::clone(&store), "prune", TTL * 20).await {
                        Ok(lease) => lease,
                        Err(err) => {
                            assert!(LeaseHeld::of(&err).is_some(), "{err}");
                            continue;
                        }
                    };
                    let generation = lease.generation().await;
                    assert!(last.swap(generation, Ordering::SeqCst) < generation);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    assert_eq!(last.load(Ordering::SeqCst), generation, "two hold it at once");
                    taken.fetch_add(1, Ordering::SeqCst);
                    lease.release().await;
                }
            })
        })
        .collect();
    for taker in takers {
        taker.await.unwrap();
    }
    assert_eq!(fixture.files().len(), 2, "{:?}", fixture.files());
}
