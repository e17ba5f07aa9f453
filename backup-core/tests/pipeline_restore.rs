//! What a restore does before, and after, its restorer: plan, safety backup, comparison.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use backup_core::{
    BackupRef, ByteStream, Dumper, Error, ErrorKind, Event, Filter, Inventory, Kind, MemoryStore, OnExisting,
    Operation, Pipeline, RestoreOptions, RestoreOutcome, Restorer, Result, Scratch, ScratchLike, Selected,
    Selection, TableInventory, TargetInfo,
    pipeline::{BackupRequest, RestoreRequest, RowComparison},
    testkit::fake::FakeDumper,
};

/// A restorer that reads the body, and does what it is told.
#[derive(Debug, Clone)]
struct Target {
    info: TargetInfo,
    /// The target's dumper.
    dumper: FakeDumper,
    outcome: Inventory,
    warns: Vec<String>,
    fails: Option<ErrorKind>,
    selected: Option<Selected>,
    /// What it was told at last.
    told: Arc<Mutex<Option<RestoreOptions>>>,
    restored: Arc<AtomicUsize>,
}

impl Target {
    /// A database that exists and is empty.
    fn empty() -> Self {
        let mut info = TargetInfo::new("target");
        info.exists = true;
        Self {
            info,
            dumper: FakeDumper::new("what was there"),
            outcome: rows(3),
            warns: Vec::new(),
            fails: None,
            selected: None,
            told: Arc::default(),
            restored: Arc::default(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn restored(&self) -> usize {
        self.restored.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Restorer for Target {
    fn supports(&self, engine: &str, _: &str) -> bool {
        engine == "fake"
    }

    async fn probe(&self) -> Result<TargetInfo> {
        Ok(self.info.clone())
    }

    async fn restore(&self, body: ByteStream, options: RestoreOptions) -> Result<RestoreOutcome> {
        let existing = options.selected.as_ref().map(|selected| !selected.existing.is_empty());
        assert!(
            existing.unwrap_or(!self.info.is_empty()) == (options.on_existing == OnExisting::Replace),
            "what was empty is never replaced: nobody backed up what came since"
        );
        *self.told.lock().unwrap() = Some(options);
        body.collect_bytes(usize::MAX).await?;
        self.restored.fetch_add(1, Ordering::SeqCst);
        if let Some(kind) = self.fails {
            return Err(Error::new(kind, "the fake restore fails"));
        }
        let mut outcome = RestoreOutcome::new(self.outcome.clone());
        outcome.warnings.clone_from(&self.warns);
        Ok(outcome)
    }

    async fn select(&self, definitions: ByteStream, _: &RestoreOptions) -> Result<Selected> {
        assert_eq!(definitions.collect_bytes(100).await?.as_ref(), b"three rows");
        self.selected
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "nothing can be selected in this format"))
    }

    fn target_dumper(&self) -> Result<Arc<dyn Dumper>> {
        Ok(Arc::new(self.dumper.clone()))
    }

    async fn scratch(&self, _: &ScratchLike) -> Result<Box<dyn Scratch>> {
        Err(Error::new(ErrorKind::Unsupported, "the fake has no scratch"))
    }
}

fn rows(rows: u64) -> Inventory {
    Inventory::new(vec![TableInventory::new("orders", rows, 0)])
}

/// A pipeline with one backup of three rows, and its name.
async fn backed_up() -> (Pipeline, BackupRef) {
    let dumper = FakeDumper::new("three rows").with_inventory(rows(3));
    let pipeline = Pipeline::new(dumper, MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    (pipeline, backup)
}

async fn safety_backups(pipeline: &Pipeline) -> Vec<BackupRef> {
    let all = pipeline.list(&Filter::all().with_kind(Kind::PreRollback)).await.unwrap().entries;
    all.iter().map(|entry| entry.manifest.backup_ref()).collect()
}

#[tokio::test]
async fn whatever_the_target_holds_is_refused_or_backed_up_before_it_is_replaced() {
    let counts: [(u64, u64); 3] = [(0, 1), (2, 0), (2, 5)];
    for (tables, objects) in counts {
        let (pipeline, backup) = backed_up().await;
        let target =
            Target::empty().with(|target| (target.info.tables, target.info.objects) = (tables, objects));
        let request = RestoreRequest::new().confirmed();
        let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
        assert_eq!(plan.blockers[0].kind(), ErrorKind::TargetNotEmpty, "{tables} {objects}");
        let err = pipeline.restore(&backup, &target, request).await.unwrap_err();
        assert_eq!((err.kind(), target.restored()), (ErrorKind::TargetNotEmpty, 0), "{err}");

        let request = RestoreRequest::new().replacing().confirmed();
        let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
        assert!(plan.safety_backup && plan.blockers.is_empty(), "{plan:?}");
        let report = pipeline.restore(&backup, &target, request).await.unwrap();
        assert_eq!(safety_backups(&pipeline).await, [report.safety_backup.unwrap()]);
        assert_eq!(target.restored(), 1);
    }
}

#[tokio::test]
async fn an_empty_target_needs_no_safety_backup_and_is_never_replaced() {
    let (pipeline, backup) = backed_up().await;
    // The restorer checks what it is told.
    let report =
        pipeline.restore(&backup, &Target::empty(), RestoreRequest::new().replacing().confirmed()).await;
    assert_eq!(report.unwrap().safety_backup, None);
    assert!(safety_backups(&pipeline).await.is_empty());
}

#[tokio::test]
async fn a_dry_run_names_everything_that_would_stop_the_restore() {
    let (pipeline, backup) = backed_up().await;
    let source = FakeDumper::new("").probe().await.unwrap();
    let occupied = |target: &mut Target| target.info.objects = 1;
    let cases = [
        (
            "the source, without a word",
            Target::empty().with(|target| {
                occupied(target);
                (target.info.database, target.info.location) =
                    (source.database.clone(), source.location.clone());
            }),
            RestoreRequest::new(),
            vec![ErrorKind::TargetNotEmpty, ErrorKind::InvalidInput],
        ),
        (
            "a new database that may not be made",
            Target::empty().with(|target| {
                (target.info.exists, target.info.may_create) = (false, Some(false));
            }),
            RestoreRequest::new(),
            vec![ErrorKind::PermissionDenied],
        ),
        (
            "an empty database, beside which none may be made",
            Target::empty().with(|target| target.info.may_create = Some(false)),
            RestoreRequest::new().replacing(),
            vec![],
        ),
        (
            "a replaced database that may not be made",
            Target::empty().with(|target| {
                occupied(target);
                target.info.may_create = Some(false);
            }),
            RestoreRequest::new().replacing(),
            vec![ErrorKind::PermissionDenied],
        ),
        (
            "a safety backup that cannot be made",
            Target::empty().with(|target| {
                occupied(target);
                target.dumper = target.dumper.clone().fail_probe(ErrorKind::ToolNotFound);
            }),
            RestoreRequest::new().replacing(),
            vec![ErrorKind::ToolNotFound],
        ),
    ];
    for (case, target, request, expected) in cases {
        let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
        let found: Vec<_> = plan.blockers.iter().map(Error::kind).collect();
        assert_eq!(found, expected, "{case}");
        let restored = pipeline.restore(&backup, &target, request.confirmed()).await;
        assert_eq!(restored.err().map(|err| err.kind()), expected.first().copied(), "{case}");
    }
}

#[tokio::test]
async fn an_error_after_the_safety_backup_says_how_to_get_back() {
    type Break = fn(&mut Target);
    let broken: [(Break, ErrorKind); 2] = [
        (|target| target.outcome = rows(2), ErrorKind::Corrupt),
        (|target| target.fails = Some(ErrorKind::ToolFailed), ErrorKind::ToolFailed),
    ];
    for (change, kind) in broken {
        let (pipeline, backup) = backed_up().await;
        let target = Target::empty().with(|target| target.info.tables = 1).with(change);
        let request = RestoreRequest::new().replacing().confirmed();
        let err = pipeline.restore(&backup, &target, request).await.unwrap_err();
        assert_eq!(err.kind(), kind);
        let safety = safety_backups(&pipeline).await[0].to_string();
        assert!(err.context().any(|field| field == ("safety_backup", safety.as_str())), "{err}");
        assert!(err.suggestions().iter().any(|text| text.contains(&safety)), "{err:?}");
    }
}

#[tokio::test]
async fn rows_that_differ_in_a_new_database_leave_it_for_inspection_and_name_it() {
    let (pipeline, backup) = backed_up().await;
    let target = Target::empty().with(|target| {
        target.info.exists = false;
        target.outcome = rows(2);
    });
    let err = pipeline.restore(&backup, &target, RestoreRequest::new().confirmed()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt);
    assert!(err.to_string().contains("target: target"), "{err}");
    assert!(err.suggestions().iter().any(|text| text.contains("target is left as it was restored")));
}

#[tokio::test]
async fn a_report_says_whether_rows_were_compared() {
    let (pipeline, backup) = backed_up().await;
    let request = || RestoreRequest::new().confirmed();
    let report = pipeline.restore(&backup, &Target::empty(), request()).await.unwrap();
    assert_eq!(report.rows_compared, RowComparison::Equal);

    let blind = Pipeline::new(FakeDumper::new("an archive"), MemoryStore::new());
    let backup = blind.backup(BackupRequest::new()).await.unwrap().backup;
    let report = blind.restore(&backup, &Target::empty(), request()).await.unwrap();
    assert_eq!(report.rows_compared, RowComparison::NotRecorded);
    assert_eq!(serde_json::to_value(&report).unwrap()["rows_compared"], "not-recorded");
}

#[tokio::test]
async fn what_an_earlier_restore_left_behind_is_told_of_by_plan_report_and_event_before_anything_is_done() {
    let (pipeline, backup) = backed_up().await;
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&told);
    let pipeline = pipeline.with_observer(move |event: &Event<'_>| {
        if let Event::Warning { operation: Operation::Restore, message } = event {
            seen.lock().unwrap().push((*message).to_owned());
        }
    });
    let names = ["target_replaced_0a1b2c3d", "target_restoring_0a1b2c3e"].map(str::to_owned);
    let target = Target::empty().with(|target| {
        target.info.left_behind = names.to_vec();
        target.warns = vec!["the tool warns".to_owned()];
    });
    let request = RestoreRequest::new();
    let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
    assert_eq!(plan.target.left_behind, names);
    assert_eq!(serde_json::to_value(&plan).unwrap()["target"]["left_behind"][0], names[0]);
    assert!(told.lock().unwrap().is_empty(), "a plan is not the restore");

    let report = pipeline.restore(&backup, &target, request.clone().confirmed()).await.unwrap();
    assert_eq!(report.warnings.len(), 3, "{:?}", report.warnings);
    for (warning, name) in report.warnings.iter().zip(&names) {
        assert!(warning.starts_with(&format!("{name} lies beside target: ")), "{warning}");
    }
    assert!(report.warnings[0].contains("only copy") && !report.warnings[1].contains("only copy"));
    assert_eq!(report.warnings[2], "the tool warns");
    assert_eq!(*told.lock().unwrap(), report.warnings);

    // A restore that fails has told too: what it needs may lie there.
    told.lock().unwrap().clear();
    let occupied = target.with(|target| target.info.objects = 1);
    let err = pipeline.restore(&backup, &occupied, request.confirmed()).await.unwrap_err();
    assert_eq!((err.kind(), told.lock().unwrap().len()), (ErrorKind::TargetNotEmpty, 2));

    let report =
        pipeline.restore(&backup, &Target::empty(), RestoreRequest::new().confirmed()).await.unwrap();
    assert!(report.warnings.is_empty());
    assert_eq!(serde_json::to_value(&report.target).unwrap().get("left_behind"), None);
}

/// A backup of two tables.
async fn two_tables() -> (Pipeline, BackupRef) {
    let tables = vec![TableInventory::new("orders", 3, 5), TableInventory::new("lines", 40, 4)];
    let dumper = FakeDumper::new("three rows").with_inventory(Inventory::new(tables));
    let pipeline = Pipeline::new(dumper, MemoryStore::new());
    let backup = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    (pipeline, backup)
}

fn selecting(existing: &[&str], obstacles: &[&str]) -> Selected {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut selected = Selected::new(vec!["orders".to_owned()]);
    selected.notes = vec!["lines refers to orders".to_owned()];
    (selected.existing, selected.obstacles) = (owned(existing), owned(obstacles));
    selected
}

#[tokio::test]
async fn chosen_tables_are_planned_restored_and_compared_alone() {
    let (pipeline, backup) = two_tables().await;
    let request = RestoreRequest::new().tables(["orders"]).confirmed();
    // What the target holds besides is no obstacle.
    let target = Target::empty().with(|target| {
        (target.info.tables, target.selected) = (7, Some(selecting(&[], &[])));
    });
    let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
    assert_eq!((plan.tables, plan.rows, plan.plain_bytes), (Some(1), Some(3), 6));
    assert_eq!(plan.selected.unwrap().notes, ["lines refers to orders"]);
    assert!(plan.blockers.is_empty() && !plan.safety_backup, "{:?}", plan.blockers);
    let report = pipeline.restore(&backup, &target, request.clone()).await.unwrap();
    assert_eq!((report.tables, report.rows, report.rows_compared), (1, 3, RowComparison::Equal));
    assert_eq!(report.notes, ["lines refers to orders"]);
    let told = target.told.lock().unwrap().take().unwrap();
    assert_eq!(told.selection, Selection::Tables(vec!["orders".to_owned()]));
    assert_eq!(told.selected, target.selected);
    assert_eq!(report.safety_backup, None);

    let wrong = target.with(|target| target.outcome = rows(2));
    let err = pipeline.restore(&backup, &wrong, request).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Corrupt, "{err}");
}

#[tokio::test]
async fn chosen_tables_that_exist_are_replaced_after_a_safety_backup_or_refused() {
    let (pipeline, backup) = two_tables().await;
    let target = Target::empty().with(|target| {
        (target.info.tables, target.selected) = (7, Some(selecting(&["orders"], &[])));
    });
    let request = RestoreRequest::new().tables(["orders"]).confirmed();
    let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
    assert_eq!(plan.blockers[0].kind(), ErrorKind::TargetNotEmpty);
    assert!(plan.blockers[0].to_string().contains("chosen_tables: orders"), "{}", plan.blockers[0]);
    let report = pipeline.restore(&backup, &target, request.clone().replacing()).await.unwrap();
    assert_eq!(safety_backups(&pipeline).await, [report.safety_backup.unwrap()]);

    let blocked = target.with(|target| target.selected = Some(selecting(&["orders"], &["view seen"])));
    let plan = pipeline.plan_restore(&backup, &blocked, &request.clone().replacing()).await.unwrap();
    assert!(plan.blockers[0].to_string().contains("view seen"), "{:?}", plan.blockers);
    assert!(pipeline.restore(&backup, &blocked, request.replacing()).await.is_err());
    assert_eq!(blocked.restored(), 1);
}

#[tokio::test]
async fn a_selection_that_cannot_be_is_a_blocker_that_says_why() {
    let (pipeline, backup) = two_tables().await;
    let target = Target::empty();
    let request = RestoreRequest::new().tables(["ordres"]);
    let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
    assert_eq!(plan.blockers[0].kind(), ErrorKind::InvalidInput);
    assert_eq!(plan.blockers[0].suggestions(), ["did you mean orders?"]);
    for request in [RestoreRequest::new().tables(["orders"]), RestoreRequest::new().definitions_only()] {
        let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
        assert_eq!(plan.blockers[0].kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn definitions_are_compared_with_tables_that_hold_nothing() {
    let (pipeline, backup) = two_tables().await;
    let empty = vec![TableInventory::new("orders", 0, 0), TableInventory::new("lines", 0, 0)];
    let target = Target::empty().with(|target| {
        (target.selected, target.outcome) = (Some(Selected::default()), Inventory::new(empty));
    });
    let request = RestoreRequest::new().definitions_only().confirmed();
    let plan = pipeline.plan_restore(&backup, &target, &request).await.unwrap();
    assert_eq!((plan.tables, plan.rows, plan.plain_bytes), (Some(2), Some(0), 1));
    let report = pipeline.restore(&backup, &target, request.clone()).await.unwrap();
    assert_eq!((report.rows, report.rows_compared), (0, RowComparison::Equal));
    let filled = target.with(|target| target.outcome = rows(3));
    assert!(pipeline.restore(&backup, &filled, request).await.is_err());
}
