//! Nothing gets past the gate without a backup that is there and was verified.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use backup_core::{
    Catalog, Dumper, DumperInfo, ErrorKind, Filter, Kind, Level, MemoryStore, Pipeline, Store, StoreCatalog,
    pipeline::{
        Confirmation, GateRequest,
        gate::{Decision, GateBackup, GuardError, MissingDatabase, Rollback, behind, exit_code, guard},
    },
    testkit::{
        clock::ManualClock,
        fake::FakeDumper,
        fake_restorer::FakeRestorer,
        faults::{FaultyStore, StoreOp},
    },
};
use chrono::TimeDelta;

use super::{HOUR, count, pipeline};

/// More than one chunk, so that something can fail in its middle.
fn database() -> FakeDumper {
    FakeDumper::new("rows ".repeat(20_000)).slow(16 * 1024, Duration::from_millis(1))
}

/// Asks the gate, and lets a migration run behind it; says whether that ran.
async fn migrated(pipeline: &Pipeline, request: GateRequest) -> (bool, Result<Decision, ErrorKind>) {
    let ran = AtomicBool::new(false);
    let work = || async {
        ran.store(true, Ordering::Relaxed);
        Ok::<(), String>(())
    };
    let result = match guard(pipeline, request, work).await {
        Ok(done) => Ok(done.gate.decision),
        Err(GuardError::Gate(err)) => Err(err.kind()),
        Err(err) => panic!("{err:?}"),
    };
    (ran.into_inner(), result)
}

/// Whether the store holds a backup of the gate that is whole.
async fn has_whole_backup(store: &MemoryStore) -> bool {
    let pipeline = Pipeline::for_store(store.clone());
    for entry in pipeline.list(&Filter::all()).await.unwrap().entries {
        let proof = pipeline.verify(&entry.manifest.backup_ref(), Level::Decoded).await.unwrap();
        if entry.manifest.kind == Kind::PreMigration && proof.evidence.passed() {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn go_is_said_for_a_backup_that_is_there_and_verified() {
    let store = MemoryStore::new();
    let pipeline = Pipeline::new(database(), store.clone()).with_level(Level::Decoded);
    let report = pipeline.gate(GateRequest::new().with_label("add-users")).await.unwrap();
    assert_eq!(
        (report.decision, report.source, report.level),
        (Decision::Go, GateBackup::Made, Some(Level::Decoded))
    );
    let entry = pipeline.entry(&report.backup.unwrap()).await.unwrap();
    assert_eq!(entry.manifest.kind, Kind::PreMigration);
    assert_eq!(entry.proven().map(|evidence| evidence.level), Some(Level::Decoded));
    assert!(has_whole_backup(&store).await);
}

#[tokio::test]
async fn no_fault_of_the_store_lets_a_migration_through_without_a_backup() {
    let ops = [StoreOp::Put, StoreOp::Get, StoreOp::Head, StoreOp::Delete, StoreOp::List, StoreOp::Space];
    let (mut stopped, mut through) = (0, 0);
    for op in ops {
        for nth in 1..=6 {
            for fault in ["full", "denied", "lost acknowledgement"] {
                let store = MemoryStore::new();
                let faulty = FaultyStore::new(store.clone());
                let faulty = match fault {
                    "full" => faulty.fail_on(op, nth, ErrorKind::StorageFull),
                    "denied" => faulty.fail_on(op, nth, ErrorKind::PermissionDenied),
                    _ => faulty.lose_ack(op, nth),
                };
                let pipeline = Pipeline::new(database(), faulty).with_level(Level::Decoded);
                let (ran, result) = migrated(&pipeline, GateRequest::new().with_max_age(HOUR)).await;
                assert_eq!(ran, result.is_ok(), "{op:?} {nth} {fault}: {result:?}");
                if ran {
                    through += 1;
                    assert!(has_whole_backup(&store).await, "{op:?} {nth} {fault}");
                } else {
                    stopped += 1;
                }
            }
        }
    }
    assert!(stopped > 20 && through > 20, "the faults must hit: {stopped}, and miss: {through}");
}

#[tokio::test]
async fn no_fault_of_the_dump_or_the_verification_lets_a_migration_through() {
    let hanging = |dumper: FakeDumper| {
        Pipeline::new(dumper, MemoryStore::new()).with_stall_timeout(Duration::from_millis(300))
    };
    let store = || FaultyStore::new(MemoryStore::new());
    let unwritable = || StoreCatalog::new(store().fail_on(StoreOp::Put, 1, ErrorKind::PermissionDenied));
    let cases: Vec<(&str, Pipeline)> = vec![
        (
            "killed at once",
            Pipeline::new(database().fail_after(0, ErrorKind::ToolFailed), MemoryStore::new()),
        ),
        (
            "killed late",
            Pipeline::new(database().fail_after(99_999, ErrorKind::ToolFailed), MemoryStore::new()),
        ),
        (
            "incomplete",
            Pipeline::new(database().fail_after(50_000, ErrorKind::Incomplete), MemoryStore::new()),
        ),
        ("empty", Pipeline::new(FakeDumper::new(""), MemoryStore::new())),
        ("hanging", hanging(database().hang_after(40_000))),
        (
            "unreachable",
            Pipeline::new(database().fail_probe(ErrorKind::ConnectionFailed), MemoryStore::new()),
        ),
        ("store full", Pipeline::new(database(), store().fail_body_after(100))),
        ("catalog unwritable", Pipeline::new(database(), MemoryStore::new()).with_catalog(unwritable())),
        ("bit flipped", Pipeline::new(database(), store().corrupt_read(9))),
        ("cut short", Pipeline::new(database(), store().truncate_read(20))),
        ("nothing to back up with", Pipeline::for_store(MemoryStore::new())),
    ];
    for (name, pipeline) in cases {
        let (ran, result) = migrated(&pipeline, GateRequest::new()).await;
        assert!(!ran && result.is_err(), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_backup_is_taken_again_only_within_the_age_and_in_the_same_state() {
    let clock = ManualClock::at("2026-11-20T02:00:00Z");
    let pipeline = pipeline(&clock, &MemoryStore::new());
    let ask = |state: &str| pipeline.gate(GateRequest::new().with_max_age(HOUR).with_state(state));
    let source = |report: &backup_core::pipeline::GateReport| report.source;
    let first = ask("one").await.unwrap();
    assert_eq!(source(&first), GateBackup::Made);
    let again = ask("one").await.unwrap();
    assert_eq!((source(&again), &again.backup), (GateBackup::Reused, &first.backup));
    assert_eq!(source(&ask("two").await.unwrap()), GateBackup::Made);
    assert_eq!(
        source(&pipeline.gate(GateRequest::new().with_max_age(HOUR)).await.unwrap()),
        GateBackup::Made
    );
    assert_eq!(source(&pipeline.gate(GateRequest::new().with_state("one")).await.unwrap()), GateBackup::Made);
    clock.advance(TimeDelta::hours(2));
    assert_eq!(source(&ask("two").await.unwrap()), GateBackup::Made);
    assert_eq!(count(&pipeline).await, 5);
    // Another kind of backup is not the gate's, however new.
    pipeline.backup(backup_core::pipeline::BackupRequest::new()).await.unwrap();
    assert_eq!(source(&ask("three").await.unwrap()), GateBackup::Made);
}

#[tokio::test]
async fn a_clock_that_jumps_makes_a_new_backup() {
    for jump in [TimeDelta::days(2), -TimeDelta::days(2), -TimeDelta::seconds(1)] {
        let clock = ManualClock::at("2026-11-20T02:00:00Z");
        let store = MemoryStore::new();
        let pipeline = pipeline(&clock, &store);
        pipeline.gate(GateRequest::new().with_max_age(HOUR)).await.unwrap();
        clock.advance(jump);
        let (ran, result) = migrated(&pipeline, GateRequest::new().with_max_age(HOUR)).await;
        assert_eq!((ran, result), (true, Ok(Decision::Go)), "{jump}");
        assert_eq!(count(&pipeline).await, 2, "{jump}");
        assert!(has_whole_backup(&store).await);
    }
}

#[tokio::test]
async fn a_backup_that_was_damaged_since_is_not_taken_again() {
    let faulty = FaultyStore::new(MemoryStore::new());
    let pipeline = Pipeline::new(database(), faulty.clone()).with_level(Level::Decoded);
    let first = pipeline.gate(GateRequest::new().with_max_age(HOUR)).await.unwrap();
    let entry = pipeline.entry(&first.backup.clone().unwrap()).await.unwrap();
    faulty.inner().delete(&entry.manifest.artifact.key).await.unwrap();
    let second = pipeline.gate(GateRequest::new().with_max_age(HOUR)).await.unwrap();
    assert_eq!(second.source, GateBackup::Made);
    assert!(
        second.warnings.iter().any(|warning| warning.contains("not taken instead")),
        "{:?}",
        second.warnings
    );
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_back_up_and_no_way_back() {
    let pipeline = Pipeline::new(database().fail_probe(ErrorKind::DatabaseNotFound), MemoryStore::new());
    assert_eq!(migrated(&pipeline, GateRequest::new()).await, (true, Ok(Decision::NothingToBackUp)));
    let failed = guard(&pipeline, GateRequest::new(), || async { Err::<(), _>("no") }).await.unwrap_err();
    let GuardError::Migration(failed) = failed else { panic!("{failed:?}") };
    assert!(failed.rollback.is_none() && failed.error == "no");
    // Where there has to be one, its name is mistaken.
    let request = GateRequest::new().with_missing_database(MissingDatabase::Refuse);
    assert_eq!(migrated(&pipeline, request.clone()).await, (false, Err(ErrorKind::InvalidInput)));
    let there = Pipeline::new(database(), MemoryStore::new());
    assert_eq!(migrated(&there, request).await, (true, Ok(Decision::Go)));
}

#[tokio::test]
async fn a_rollback_does_nothing_without_the_word() {
    let dumper = FakeDumper::new("before");
    let info = Dumper::info(&dumper);
    let pipeline = Pipeline::new(dumper, MemoryStore::new());
    let failed =
        guard(&pipeline, GateRequest::new(), || async { Err::<(), _>("syntax error") }).await.unwrap_err();
    assert!(failed.to_string().contains("syntax error; roll back to default/fake/"), "{failed}");
    let GuardError::Migration(failed) = failed else { panic!("{failed:?}") };
    let rollback: Rollback = failed.rollback.unwrap();

    let target = target_holding(&info, "half migrated").await;
    let plan = rollback.plan(&target).await.unwrap();
    assert!(plan.blockers.is_empty() && plan.safety_backup, "{plan:?}");
    let refused = rollback.carry_out(&target, Confirmation::Missing).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConfirmed);
    assert_eq!(target.held().unwrap(), "half migrated");

    let report = rollback.carry_out(&target, Confirmation::Confirmed).await.unwrap();
    assert_eq!(target.held().unwrap(), "before");
    let safety = pipeline.catalog().get(&report.safety_backup.unwrap()).await.unwrap();
    assert_eq!(safety.manifest.kind, Kind::PreRollback);
}

async fn target_holding(info: &DumperInfo, content: &'static str) -> FakeRestorer {
    use backup_core::{ByteStream, RestoreOptions, Restorer};
    let target = FakeRestorer::new(info.clone());
    let body = ByteStream::from(bytes::Bytes::from_static(content.as_bytes()));
    target.restore(body, RestoreOptions::new(info.format.clone())).await.unwrap();
    target
}

#[tokio::test]
async fn nothing_runs_behind_a_report_that_lets_nothing_through() {
    let pipeline = Pipeline::new(database(), MemoryStore::new());
    let report = backup_core::pipeline::GateReport::without_backup(Decision::NothingToDo);
    let go_without_backup = backup_core::pipeline::GateReport::without_backup(Decision::Go);
    for report in [report, go_without_backup] {
        let work = || async { panic!("it ran") };
        let refused = behind::<(), String, _>(&pipeline, report, work).await.unwrap_err();
        assert!(matches!(refused, GuardError::Gate(_)), "{refused:?}");
    }
}

#[test]
fn exit_codes_tell_go_from_everything_else() {
    use backup_core::Error;
    let refused = |kind| Err(Error::new(kind, "no"));
    for (answer, code) in [
        (Ok(Decision::Go), 0),
        (Ok(Decision::NothingToBackUp), 0),
        (Ok(Decision::NothingToDo), 1),
        (refused(ErrorKind::ToolFailed), 2),
        (refused(ErrorKind::StorageFull), 2),
        (refused(ErrorKind::Unavailable), 2),
        (refused(ErrorKind::InvalidInput), 3),
        (refused(ErrorKind::Unsupported), 3),
    ] {
        assert_eq!(exit_code(&answer), code, "{answer:?}");
    }
}
