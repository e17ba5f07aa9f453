use std::time::Duration;

use backup_core::{
    ByteStream, ErrorKind, GetOptions, GetResult, Key, MemoryStore, ObjectMeta, Prefix, PutMode, PutOptions,
    Result, Store, StoreExt,
    store::{
        CopyPolicy, ProbeOptions, ProbeOutcome, ProbeReport, ReadOnly, Space, StoreCapabilities, SweepReport,
        probe,
    },
    testkit::faults::{FaultyStore, StoreOp},
};
use futures::{FutureExt, StreamExt, stream::BoxStream};

use super::{backup, key, names};

fn found(report: &ProbeReport, name: &str) -> ProbeOutcome {
    let mut named = report.checks.iter().filter(|check| check.name == name);
    let check = named.next().unwrap_or_else(|| panic!("no {name} in {report}"));
    assert!(named.next().is_none());
    check.outcome
}

/// What a store can do wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    OverwritesOnCreate,
    IgnoresDigests,
    PublishesWhatWasCutOff,
    IgnoresRanges,
    ListsTen,
    KeepsWhatWasDeleted,
    KeepsNoLock,
    IsSlowByAnHour,
}

#[derive(Debug, Clone)]
struct Liar(MemoryStore, Lie);

#[async_trait::async_trait]
impl Store for Liar {
    fn location(&self) -> String {
        "liar:".to_owned()
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.0.capabilities().with_object_lock()
    }

    async fn put(&self, key: &Key, body: ByteStream, mut options: PutOptions) -> Result<ObjectMeta> {
        // It keeps no lock, whatever else it does.
        options.lock = None;
        match self.1 {
            Lie::OverwritesOnCreate => options.mode = PutMode::Overwrite,
            Lie::IgnoresDigests => options.digest = None,
            Lie::PublishesWhatWasCutOff if key.name() == "abort" => {
                let store = self.0.clone();
                let cut = ByteStream::new(body.inspect({
                    let key = key.clone();
                    move |_| drop(store.put_bytes(&key, "cut").now_or_never())
                }));
                return self.0.put(key, cut, options.with_mode(PutMode::Overwrite)).await;
            }
            _ => {}
        }
        self.0.put(key, body, options).await
    }

    async fn get(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let options = if self.1 == Lie::IgnoresRanges { GetOptions::default() } else { options };
        self.0.get(key, options).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        let mut meta = self.0.head(key).await?;
        if self.1 == Lie::IsSlowByAnHour {
            meta.last_modified -= chrono::Duration::hours(1);
        }
        Ok(meta)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.1 {
            Lie::KeepsWhatWasDeleted if key.name() == "delete" => Ok(()),
            _ => self.0.delete(key).await,
        }
    }

    fn list(&self, prefix: &Prefix) -> BoxStream<'static, Result<ObjectMeta>> {
        let all = self.0.list(prefix);
        if self.1 == Lie::ListsTen && prefix.as_str().ends_with("/list") { all.take(10).boxed() } else { all }
    }

    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    async fn sweep(&self, grace: Duration) -> Result<SweepReport> {
        self.0.sweep(grace).await
    }
}

#[tokio::test]
async fn a_store_that_keeps_its_promises_passes_and_is_left_as_it_was() {
    let store = MemoryStore::new();
    store.put_bytes(&key("a/backup"), "1").await.unwrap();
    let options = ProbeOptions::default().with_prefix(Prefix::parse("a").unwrap()).with_listed_objects(1100);
    let report = probe(&store, &options).await.unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(found(&report, "lock"), ProbeOutcome::NotChecked);
    assert!(
        report.checks.iter().filter(|check| check.outcome == ProbeOutcome::Passed).count() >= 10,
        "{report}"
    );
    assert_eq!(names(&store).await, ["a/backup"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["checks"][0]["outcome"], "passed");
    let both = backup::both(CopyPolicy::All, &backup::stores());
    let report = probe(&both, &ProbeOptions::default()).await.unwrap();
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn a_lock_is_tried_and_its_object_is_removed_once_that_ends() {
    let store = MemoryStore::new();
    let options = ProbeOptions::default().with_lock(Duration::from_secs(1));
    let report = probe(&store, &options).await.unwrap();
    assert_eq!(found(&report, "lock"), ProbeOutcome::Passed, "{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_promise_that_a_store_breaks_is_found_and_nothing_is_left() {
    let cases = [
        (Lie::OverwritesOnCreate, "write"),
        (Lie::IgnoresDigests, "digest"),
        (Lie::PublishesWhatWasCutOff, "abort"),
        (Lie::IgnoresRanges, "range"),
        (Lie::ListsTen, "list"),
        (Lie::KeepsWhatWasDeleted, "delete"),
        (Lie::KeepsNoLock, "lock"),
        (Lie::IsSlowByAnHour, "clock"),
    ];
    for (lie, check) in cases {
        let store = Liar(MemoryStore::new(), lie);
        let options = ProbeOptions::default().with_lock(Duration::from_secs(60));
        let report = probe(&store, &options).await.unwrap();
        assert_eq!(found(&report, check), ProbeOutcome::Failed, "{lie:?}: {report}");
        assert!(!report.passed());
        let left = names(&store.0).await;
        assert!(left.is_empty() || lie == Lie::KeepsWhatWasDeleted, "{lie:?}: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_or_hangs_is_reported_in_bounded_time() {
    let refusing = probe(&ReadOnly::new(MemoryStore::new()), &ProbeOptions::default()).await.unwrap();
    assert_eq!(found(&refusing, "write"), ProbeOutcome::Failed);
    assert_eq!(found(&refusing, "range"), ProbeOutcome::NotChecked);
    let hanging = FaultyStore::new(MemoryStore::new()).hang(StoreOp::Get, 2);
    let report = probe(&hanging, &ProbeOptions::default()).await.unwrap();
    assert_eq!(
        report.checks.iter().filter(|check| check.outcome == ProbeOutcome::Failed).count(),
        1,
        "{report}"
    );
    assert_eq!(names(hanging.inner()).await, [""; 0]);
    let stuck = FaultyStore::new(MemoryStore::new()).fail_on(StoreOp::Delete, 3, ErrorKind::PermissionDenied);
    let report = probe(&stuck, &ProbeOptions::default()).await.unwrap();
    let clean_up = report.checks.last().unwrap();
    assert_eq!(clean_up.outcome, ProbeOutcome::Failed);
    assert!(clean_up.message.contains("probe-"), "it says what to remove: {}", clean_up.message);
}
