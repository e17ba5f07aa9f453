#![allow(clippy::disallowed_methods)] // The files are small, and nothing else runs meanwhile.

use chrono::TimeDelta;
use serde_json::Value;

use super::*;
use crate::{
    BackupId, MemoryStore, Pipeline,
    pipeline::BackupRequest,
    testkit::{clock::ManualClock, fake::FakeDumper},
};

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn backup(number: usize) -> BackupRef {
    BackupRef::new("production", "shop", BackupId::parse(format!("backup-{number}")).unwrap())
}

fn start(audit: &AuditTrail, number: usize) {
    audit.observe(&Event::Started { operation: Operation::Backup, backup: &backup(number) });
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_line_says_who_did_what_when_and_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let clock = ManualClock::at("2026-11-20T02:00:00.5Z");
    let audit = AuditTrail::open(&path, "ünüsual \"actor\"\n").await.unwrap().with_clock(clock.clone());
    let pipeline = Pipeline::new(FakeDumper::new("rows"), MemoryStore::new()).with_observer(audit.clone());
    let report = pipeline.backup(BackupRequest::new()).await.unwrap();
    clock.advance(TimeDelta::days(1));
    let missing = backup(1);
    pipeline.verify(&missing, crate::Level::Digest).await.unwrap_err();
    audit.observe(&Event::Warning { operation: Operation::Backup, message: "look\nat this" });
    audit.close().await.unwrap();

    let lines = lines(&path);
    assert_eq!(events(&lines), ["started", "committed", "finished", "started", "failed", "warning"]);
    for line in &lines {
        assert_eq!(line["actor"], "ünüsual \"actor\"\n");
        assert_eq!(line["pid"], std::process::id());
        assert!(line["host"].is_string());
        #[cfg(unix)]
        assert_eq!(line["uid"], rustix::process::getuid().as_raw());
    }
    assert_eq!(
        (&lines[0]["at"], &lines[4]["at"]),
        (&"2026-11-20T02:00:00.500Z".into(), &"2026-11-21T02:00:00.500Z".into())
    );
    assert!(lines[..3].iter().all(|line| line["backup"] == report.backup.to_string()));
    assert!(lines[2]["duration_ms"].is_u64());
    assert_eq!((&lines[4]["operation"], &lines[4]["code"]), (&"verify".into(), &"not_found".into()));
    assert_eq!(lines[4]["backup"], missing.to_string());
    assert!(lines[4]["message"].as_str().unwrap().contains("no such backup"));
    assert_eq!(lines[5]["message"], "look\nat this");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_a_new_trail_and_an_old_one_is_appended_to() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for number in 0..3 {
        let audit = AuditTrail::open(&path, "job").await.unwrap();
        start(&audit, number);
        audit.close().await.unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lines(&path).len(), 3);
}

#[tokio::test]
async fn a_torn_line_does_not_spoil_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, "{\"event\":\"started\"}\n{\"event\":\"fin").unwrap();
    let audit = AuditTrail::open(&path, "job").await.unwrap();
    start(&audit, 0);
    start(&audit, 1);
    audit.close().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (4, "{\"event\":\"fin"));
    assert!(lines[2..].iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_trails_in_one_file_tear_no_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut writers = Vec::new();
    for number in 0..4 {
        let audit = AuditTrail::open(&path, "x".repeat(10_000 * number)).await.unwrap();
        writers.push(tokio::spawn(async move {
            for number in 0..100 {
                start(&audit, number);
            }
            audit.close().await.unwrap();
            audit.lost()
        }));
    }
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 0);
    }
    assert_eq!(lines(&path).len(), 400);
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (queue, mut commands) = mpsc::channel(2);
    let (who, lost) = (Arc::new(Who::new("job".to_owned())), Arc::<Lost>::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let audit =
        AuditTrail { who: Arc::clone(&who), clock: Arc::clone(&clock), running: Arc::default(), queue, lost };
    for number in 0..5 {
        start(&audit, number);
    }
    assert_eq!(audit.lost(), 3);
    // The disk moves again.
    let file = file::open(path.clone()).unwrap();
    let writer = Writer { file, who, clock, lost: Arc::clone(&audit.lost) };
    let first = commands.try_recv().unwrap();
    let thread = std::thread::spawn(move || writer.run(commands));
    assert!(audit.queue.try_send(first).is_ok());
    let (flushed, closed) = tokio::join!(audit.flush(), audit.close());
    flushed.unwrap();
    closed.unwrap();
    thread.join().unwrap();
    let lines = lines(&path);
    assert_eq!(events(&lines), ["lost", "started", "started"]);
    assert_eq!(lines[0]["count"], 3);
    start(&audit, 9);
    assert_eq!(audit.lost(), 4);
    assert!(audit.flush().await.is_err());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_full_disk_does_not_take_is_counted_and_an_error_of_flush() {
    let audit = AuditTrail::open("/dev/full", "job").await.unwrap();
    start(&audit, 0);
    start(&audit, 1);
    let err = audit.flush().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::StorageFull);
    assert!(err.to_string().contains("lost_lines: 2"), "{err}");
    assert_eq!(audit.lost(), 2);
}

/// Its limit is that of a process, which a shell makes for it: without a handler the signal of the limit would end it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_line_that_was_cut_off_in_its_middle_is_told_and_spoils_no_other() {
    const PATH: &str = "BACKUP_TEST_CUT_OFF";
    if let Some(path) = std::env::var_os(PATH) {
        return write_beyond_the_limit(path.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let this = "audit::tests::a_line_that_was_cut_off_in_its_middle_is_told_and_spoils_no_other";
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", this])
        .env(PATH, &path)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");

    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().map(serde_json::from_str::<Value>).collect();
    let [Ok(first), Err(_), Ok(lost), Ok(last)] = &lines[..] else { panic!("{text}") };
    assert_eq!(
        (&first["backup"], &last["backup"]),
        (&backup(0).to_string().into(), &backup(3).to_string().into())
    );
    assert_eq!((&lost["event"], &lost["count"]), (&"lost".into(), &2.into()));
}

#[cfg(target_os = "linux")]
async fn write_beyond_the_limit(path: &std::path::Path) {
    use rustix::process::{Resource::Fsize, Rlimit, getrlimit, setrlimit};

    let bytes = || std::fs::metadata(path).unwrap().len();
    let audit = AuditTrail::open(path, "job").await.unwrap();
    start(&audit, 0);
    audit.flush().await.unwrap();
    let (limit, before) = (bytes() * 3 / 2, getrlimit(Fsize));
    setrlimit(Fsize, Rlimit { current: Some(limit), maximum: before.maximum }).unwrap();
    start(&audit, 1);
    start(&audit, 2);
    let err = audit.flush().await.unwrap_err();
    assert_eq!((err.kind(), bytes()), (ErrorKind::StorageFull, limit), "{err}");
    assert!(err.to_string().contains("lost_lines: 2"), "{err}");
    setrlimit(Fsize, before).unwrap();
    start(&audit, 3);
    audit.close().await.unwrap();
    assert_eq!(audit.lost(), 2);
}
