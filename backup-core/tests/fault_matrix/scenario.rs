//! What is done while something breaks.

use std::{sync::Arc, time::Duration};

use backup_core::{
    BackupRef, ByteStream, Clock, Compressor, Dumper, DumperInfo, Filter, Key, Kind, Level, MemoryStore,
    Pipeline, Rehearsal, RestoreOptions, Restorer, Result, Retention, Store, StoreExt,
    compress::Identity,
    copy::{self, CopyOptions},
    pipeline::{BackupRequest, Confirmation, DrillRequest, GateRequest, RestoreRequest},
    retention::Period,
    store::{CopyPolicy, CopyTo, FanOut},
    testkit::{clock::ManualClock, fake::FakeDumper, fake_restorer::FakeRestorer},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    parts::{SeamCompressor, SeamDumper, SeamObserver, SeamRestorer, SeamStore},
    seam::Seam,
};

/// What the database holds, and what the target of restores held before.
pub(crate) const DUMP: &[u8] = include_bytes!("../samples/postgresql-15-copy.sql");
pub(crate) const OTHER: &[u8] = include_bytes!("../samples/postgresql-15-inserts.sql");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Backup,
    BackupCompressed,
    #[cfg(feature = "age")]
    BackupEncrypted,
    BackupOfTwo,
    BackupThenRetention,
    EnsureFresh,
    Gate,
    Verify,
    Rehearse,
    Drill,
    Copy,
    Sync,
    Prune,
    PruneOfTwo,
    Delete,
    DeleteOfTwo,
    Sweep,
    Restore,
    RestoreOver,
}

/// What an operation says that it did.
#[derive(Debug)]
pub(crate) enum Done {
    Backup(BackupRef),
    Verified { passed: bool },
    Copied,
    Pruned,
    Deleted,
    Swept,
    Restored,
}

/// Two stores, the first of which holds three good backups; what a killed backup left in it; and a target.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) seam: Seam,
    pub(crate) here: MemoryStore,
    pub(crate) there: MemoryStore,
    pub(crate) target: FakeRestorer,
    /// The good backups, the oldest first.
    pub(crate) good: Vec<BackupRef>,
    /// Which of them nobody asked to delete.
    pub(crate) needed: Vec<BackupRef>,
    /// When the operation begins.
    begins: DateTime<Utc>,
    clock: ManualClock,
    #[cfg(feature = "age")]
    age: Arc<backup_core::encrypt::Age>,
}

fn info() -> DumperInfo {
    DumperInfo::new("postgresql", "plain", "sql")
}

impl World {
    pub(crate) async fn new(scenario: Scenario) -> Self {
        let clock = ManualClock::at("2026-03-01T02:00:00Z");
        let store = || MemoryStore::new().with_clock(clock.clone());
        let mut world = Self {
            scenario,
            seam: Seam::new(clock.clone()),
            here: store(),
            there: store(),
            target: FakeRestorer::new(info()),
            good: Vec::new(),
            needed: Vec::new(),
            begins: clock.now(),
            #[cfg(feature = "age")]
            age: Arc::new(backup_core::encrypt::Age::for_identities(&identity()).unwrap()),
            clock,
        };
        for _ in 0..3 {
            let clean = world.clean_to(world.everywhere(&world.here, &world.there, crate::PATIENT));
            world.good.push(clean.backup(BackupRequest::new()).await.unwrap().backup);
            world.clock.advance(TimeDelta::days(1));
        }
        world.needed = match scenario {
            Scenario::Prune | Scenario::PruneOfTwo | Scenario::BackupThenRetention => {
                world.good[2..].to_vec()
            }
            Scenario::Delete | Scenario::DeleteOfTwo => world.good[1..].to_vec(),
            _ => world.good.clone(),
        };
        if scenario == Scenario::Sweep {
            world.leave_remains().await;
        }
        world.begins = world.clock.now();
        if scenario == Scenario::RestoreOver {
            let body = ByteStream::from(Bytes::from_static(OTHER));
            world.target.restore(body, RestoreOptions::new("plain")).await.unwrap();
        }
        world
    }

    /// The two stores as one, where the scenario is of two, else the first.
    fn everywhere<S: Store + Clone>(&self, here: &S, there: &S, stall: Duration) -> Arc<dyn Store> {
        if !self.is_of_two() {
            return Arc::new(here.clone());
        }
        let copy = |store: &S| CopyTo::new(store.clone()).with_stall_timeout(stall);
        Arc::new(FanOut::new(CopyPolicy::All, vec![copy(here), copy(there)]).unwrap())
    }

    pub(crate) fn is_of_two(&self) -> bool {
        matches!(self.scenario, Scenario::BackupOfTwo | Scenario::PruneOfTwo | Scenario::DeleteOfTwo)
    }

    /// A pipeline without faults to a store.
    pub(crate) fn clean_to(&self, store: impl Store) -> Pipeline {
        let dumper = FakeDumper::new(DUMP).with_info(info());
        self.dressed(Pipeline::new(dumper, store)).with_compressor(Identity)
    }

    fn dressed(&self, pipeline: Pipeline) -> Pipeline {
        let pipeline = pipeline.with_environment("production").with_clock(self.clock.clone());
        #[cfg(feature = "age")]
        if self.scenario == Scenario::BackupEncrypted {
            return pipeline.with_encryptor(Arc::clone(&self.age));
        }
        pipeline
    }

    /// What a backup that was killed between artifact and manifest leaves.
    async fn leave_remains(&self) {
        let backup = self.clean_to(self.here.clone()).backup(BackupRequest::new()).await.unwrap().backup;
        let key = |end: &str| Key::parse(format!("{backup}{end}")).unwrap();
        self.here.delete(&key(".manifest.json")).await.unwrap();
        let claim = r#"{"state":"creating","at":"2026-03-04T02:00:00Z","host":null,"pid":1}"#;
        self.here.put_bytes(&key(".claim.json"), claim).await.unwrap();
        self.clock.advance(TimeDelta::days(7));
    }

    /// The database that breaks.
    pub(crate) fn dumper(&self) -> Arc<dyn Dumper> {
        let inner = Arc::new(FakeDumper::new(DUMP).with_info(info()).slow(3000, Duration::ZERO));
        Arc::new(SeamDumper { name: "database", inner, seam: self.seam.clone() })
    }

    /// The pipeline that breaks.
    pub(crate) fn pipeline(&self, stall: Duration) -> Pipeline {
        let (seam, dumper) = (&self.seam, self.dumper());
        let store =
            self.everywhere(&self.seamed("here", &self.here), &self.seamed("there", &self.there), stall);
        let compressor: Arc<dyn Compressor> = match self.scenario {
            #[cfg(feature = "zstd")]
            Scenario::BackupCompressed => Arc::new(backup_core::compress::Zstd::default()),
            #[cfg(all(feature = "zstd", feature = "age"))]
            Scenario::BackupEncrypted => Arc::new(backup_core::compress::Zstd::default()),
            _ => Arc::new(Identity),
        };
        let pipeline = self.dressed(Pipeline::new(dumper, store));
        let pipeline = match self.scenario {
            Scenario::BackupThenRetention => pipeline.with_retention(policy(2)).unwrap(),
            #[cfg(feature = "age")]
            Scenario::BackupEncrypted => pipeline.with_level(Level::Decoded),
            Scenario::BackupCompressed => pipeline.with_level(Level::Decoded),
            _ => pipeline,
        };
        let rehearsal = Rehearsal::new(SeamRestorer {
            name: "scratch",
            inner: FakeRestorer::new(info()),
            seam: seam.clone(),
        });
        pipeline
            .with_compressor(SeamCompressor { inner: compressor, seam: seam.clone() })
            .with_observer(SeamObserver(seam.clone()))
            .with_rehearsal(rehearsal)
            .with_stall_timeout(stall)
    }

    fn seamed(&self, name: &'static str, inner: &MemoryStore) -> SeamStore<MemoryStore> {
        SeamStore { name, inner: inner.clone(), seam: self.seam.clone() }
    }

    /// Where nothing breaks, in a process that begins anew: the clock is right again.
    pub(crate) fn start_again(&mut self) {
        self.clock.set(self.begins);
        self.seam = Seam::new(self.clock.clone());
    }

    /// Does what the scenario is about, and hands out the pipeline for who waits for its remains.
    pub(crate) async fn run(
        &self,
        stall: Duration,
        told: tokio::sync::oneshot::Sender<Pipeline>,
    ) -> Result<Done> {
        let pipeline = self.pipeline(stall);
        let _nobody_waits = told.send(pipeline.clone());
        let newest = &self.good[2];
        match self.scenario {
            Scenario::EnsureFresh => {
                let fresh = pipeline.ensure_fresh(Duration::from_secs(3600), BackupRequest::new()).await?;
                let is_old = self.good.contains(fresh.backup());
                assert!(!is_old || self.clock.now() < self.begins, "{fresh:?}");
                Ok(Done::Backup(fresh.backup().clone()))
            }
            Scenario::Gate => {
                let report = pipeline.gate(GateRequest::new()).await?;
                assert!(report.decision.lets_through(), "{report:?}");
                Ok(Done::Backup(report.backup.unwrap()))
            }
            Scenario::Verify => {
                let passed = pipeline.verify(newest, Level::Decoded).await?.evidence.passed();
                Ok(Done::Verified { passed })
            }
            Scenario::Rehearse => {
                let passed = pipeline.verify(newest, Level::Equal).await?.evidence.passed();
                Ok(Done::Verified { passed })
            }
            Scenario::Drill => {
                let report = pipeline.drill(&DrillRequest::new(Level::Decoded).at_most(2)).await?;
                if report.drilled.iter().any(|drilled| drilled.unproven.is_some()) {
                    report.ensure_passed()?;
                    unreachable!("what is unproven has not passed");
                }
                Ok(Done::Verified { passed: report.passed() })
            }
            Scenario::Copy | Scenario::Sync => {
                let from: Arc<dyn Store> = Arc::new(self.seamed("here", &self.here));
                let to: Arc<dyn Store> = Arc::new(self.seamed("there", &self.there));
                let options = CopyOptions::default().with_stall_timeout(stall);
                if self.scenario == Scenario::Copy {
                    copy::copy(newest, &from, &to, &options).await?;
                } else {
                    copy::sync(&from, &to, &Filter::all(), &options).await?;
                }
                Ok(Done::Copied)
            }
            Scenario::Prune | Scenario::PruneOfTwo => {
                let plan = pipeline.plan_prune(&policy(1), &Filter::all()).await?;
                pipeline.prune(&plan, Confirmation::Confirmed).await?;
                Ok(Done::Pruned)
            }
            Scenario::Delete | Scenario::DeleteOfTwo => {
                pipeline.delete(&self.good[0], Confirmation::Confirmed).await?;
                Ok(Done::Deleted)
            }
            Scenario::Sweep => {
                pipeline.sweep(Duration::from_secs(24 * 3600)).await?;
                Ok(Done::Swept)
            }
            Scenario::Restore | Scenario::RestoreOver => {
                let target =
                    SeamRestorer { name: "target", inner: self.target.clone(), seam: self.seam.clone() };
                let request = RestoreRequest::new().replacing().confirmed();
                let plan = pipeline.plan_restore(newest, &target, &request).await?;
                assert_eq!(plan.safety_backup, self.target.held().is_some());
                pipeline.restore(newest, &target, request).await?;
                Ok(Done::Restored)
            }
            _ => {
                let request = BackupRequest::new().with_kind(Kind::Manual).with_label("new");
                Ok(Done::Backup(pipeline.backup(request).await?.backup))
            }
        }
    }
}

pub(crate) fn policy(count: u32) -> Retention {
    Retention::new().keep_last_of(Period::Each, count).with_max_deleted_percent(100)
}

#[cfg(feature = "age")]
fn identity() -> backup_core::Secret {
    use std::sync::OnceLock;
    static IDENTITY: OnceLock<backup_core::Secret> = OnceLock::new();
    IDENTITY.get_or_init(backup_core::encrypt::Age::generate_identity).clone()
}
