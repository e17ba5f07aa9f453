#![allow(clippy::disallowed_methods)] // the tests look at the file from outside, and run themselves as processes
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use chrono::DateTime;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{MemoryStore, Note, StoreCatalog, testkit::sample_manifest};

fn manifest(database: &str, second: u32) -> Manifest {
    let at = DateTime::from_timestamp(1_795_140_000 + i64::from(second), 0).unwrap();
    sample_manifest("prod", database, at)
}

fn held() -> Annotation {
    let at = DateTime::from_timestamp(1_795_140_000, 0).unwrap();
    Annotation::new(at, Note::Held { reason: "audit".to_owned() })
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backups.json");
    (dir, path)
}

async fn names(catalog: &impl Catalog) -> BTreeSet<String> {
    let entries: Vec<_> = catalog.list(&Filter::all()).try_collect().await.unwrap();
    entries.iter().map(|entry| entry.manifest.backup_ref().to_string()).collect()
}

fn files(dir: &TempDir) -> BTreeSet<String> {
    fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_missing_file_is_an_empty_catalog_and_a_missing_directory_an_error() {
    let (dir, path) = place();
    let catalog = JsonCatalog::open(&path).await.unwrap();
    assert!(names(&catalog).await.is_empty());
    catalog.remove(&manifest("shop", 0).backup_ref()).await.unwrap();
    assert!(!path.exists());

    let err = JsonCatalog::open(dir.path().join("missing/backups.json")).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert_eq!(err.suggestions(), ["create the directory of the catalog first"]);
    // A disk that is unmounted while the catalog is open is no empty catalog either.
    drop(dir);
    let items: Vec<_> = catalog.list(&Filter::all()).collect().await;
    assert!(matches!(&items[..], [Err(err)] if err.kind() == ErrorKind::NotFound), "{items:?}");
    assert!(catalog.insert(&manifest("shop", 0)).await.is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_and_stays_as_it_is() {
    let (dir, path) = place();
    let whole = JsonCatalog::open(&path).await.unwrap();
    whole.insert(&manifest("shop", 0)).await.unwrap();
    let good = fs::read(&path).unwrap();
    let newer = br#"{"schema_version":2,"backups":{}}"#.to_vec();
    for (bad, kind) in [
        (Vec::new(), ErrorKind::Corrupt),
        (good[..good.len() / 2].to_vec(), ErrorKind::Corrupt),
        ([good.clone(), b"}".to_vec()].concat(), ErrorKind::Corrupt),
        (b"[]".to_vec(), ErrorKind::Corrupt),
        (newer, ErrorKind::Unsupported),
    ] {
        fs::write(&path, &bad).unwrap();
        let backup = manifest("shop", 1).backup_ref();
        let items: Vec<_> = whole.list(&Filter::all()).collect().await;
        assert_eq!(items.len(), 1);
        for err in [
            JsonCatalog::open(&path).await.unwrap_err(),
            whole.insert(&manifest("shop", 1)).await.unwrap_err(),
            whole.get(&backup).await.unwrap_err(),
            whole.annotate(&backup, &held()).await.unwrap_err(),
            whole.remove(&backup).await.unwrap_err(),
            items.into_iter().next().unwrap().unwrap_err(),
        ] {
            assert_eq!(err.kind(), kind);
            assert!(err.to_string().contains("backups.json"), "{err}");
            if kind == ErrorKind::Corrupt {
                assert!(err.suggestions()[0].contains("rebuild"), "{err:?}");
            }
        }
        assert_eq!(fs::read(&path).unwrap(), bad);
    }
    assert_eq!(files(&dir), BTreeSet::from(["backups.json".to_owned(), "backups.json.lock".to_owned()]));
}

#[tokio::test]
async fn a_damaged_entry_hides_no_other_and_is_kept() {
    let (_dir, path) = place();
    let catalog = JsonCatalog::open(&path).await.unwrap();
    let (good, bad) = (manifest("shop", 0), manifest("shop", 1));
    for manifest in [&good, &bad] {
        catalog.insert(manifest).await.unwrap();
    }
    let damaged = fs::read_to_string(&path).unwrap().replace(
        r#""id":"backup-20261120-020001","environment":"prod","database":"shop","engine":"postgresql","kind":"daily""#,
        r#""id":"backup-20261120-020001","environment":"prod","database":"shop","engine":"postgresql","kind":"dayly""#,
    );
    fs::write(&path, damaged).unwrap();
    let check = |items: Vec<Result<Entry>>| {
        let (good, bad): (Vec<_>, Vec<_>) = items.into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad.len()), (1, 1));
        let err = bad.into_iter().next().unwrap().unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Corrupt);
        assert!(err.to_string().contains("prod/shop/backup-20261120-020001"), "{err}");
    };
    check(catalog.list(&Filter::all()).collect().await);
    assert_eq!(catalog.get(&bad.backup_ref()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(catalog.insert(&bad).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    catalog.annotate(&good.backup_ref(), &held()).await.unwrap();
    check(catalog.list(&Filter::all()).collect().await);
    catalog.remove(&bad.backup_ref()).await.unwrap();
    assert_eq!(catalog.list(&Filter::all()).try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_entry_without_a_name_might_be_the_one_that_is_looked_for() {
    let (_dir, path) = place();
    fs::write(&path, r#"{"schema_version":1,"backups":[{"manifest":{"id":7}}]}"#).unwrap();
    let catalog = JsonCatalog::open(&path).await.unwrap();
    let manifest = manifest("shop", 0);
    let backup = manifest.backup_ref();
    assert_eq!(catalog.get(&backup).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(catalog.annotate(&backup, &held()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    catalog.remove(&backup).await.unwrap();
    catalog.insert(&manifest).await.unwrap();
    assert_eq!(catalog.get(&backup).await.unwrap().manifest, manifest);
    assert!(fs::read_to_string(&path).unwrap().contains(r#"{"manifest":{"id":7}}"#));
}

#[tokio::test]
async fn what_a_later_version_wrote_survives_changes_to_the_byte() {
    let (_dir, path) = place();
    let catalog = JsonCatalog::open(&path).await.unwrap();
    for second in 0..2 {
        catalog.insert(&manifest("shop", second)).await.unwrap();
    }
    let later = fs::read_to_string(&path)
        .unwrap()
        .replacen(r#""annotations":[]"#, r#""annotations":[], "pinned" :  {"by":1e400,"n":1.50}"#, 1)
        .replacen(r#""schema_version": 1,"#, r#""schema_version": 1, "written_by": {"version": [2]},"#, 1)
        .replacen(r#""server_version":"#, r#""replica":true, "server_version":"#, 1);
    fs::write(&path, &later).unwrap();
    catalog.insert(&manifest("crm", 0)).await.unwrap();
    catalog.annotate(&manifest("shop", 1).backup_ref(), &held()).await.unwrap();
    catalog.remove(&manifest("crm", 0).backup_ref()).await.unwrap();
    let now = fs::read_to_string(&path).unwrap();
    let untouched = later.lines().find(|line| line.contains("pinned")).unwrap();
    assert!(now.lines().any(|line| line == untouched), "{now}");
    let text: Value = serde_json::from_str(&now.replace("1e400", "1")).unwrap();
    assert_eq!(text["written_by"], json!({ "version": [2] }));
    assert_eq!(text["backups"][1]["annotations"][0]["note"], "held");
}

#[tokio::test]
async fn leftovers_of_killed_writers_are_removed_and_strangers_are_not() {
    let (dir, path) = place();
    let catalog = JsonCatalog::open(&path).await.unwrap();
    for name in [".backups.json.0123456789abcdef.tmp", ".backups.json.tmp", ".backups.json.old", "notes.tmp"]
    {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    catalog.insert(&manifest("shop", 0)).await.unwrap();
    let left = ["backups.json", "backups.json.lock", ".backups.json.tmp", ".backups.json.old", "notes.tmp"];
    assert_eq!(files(&dir), left.map(str::to_owned).into());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_file_and_a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, path) = place();
    let link = dir.path().join("link.json");
    JsonCatalog::open(&path).await.unwrap().insert(&manifest("shop", 0)).await.unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let catalog = JsonCatalog::open(&link).await.unwrap();
    catalog.insert(&manifest("shop", 1)).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(&JsonCatalog::open(&path).await.unwrap()).await.len(), 2);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_change_waits_for_the_lock_no_longer_than_it_was_told() {
    let (_dir, path) = place();
    let catalog = JsonCatalog::open(&path).await.unwrap().with_lock_wait(Duration::from_millis(50));
    catalog.insert(&manifest("shop", 0)).await.unwrap();
    let lock = file::open_lock(&path).unwrap();
    lock.lock().unwrap();
    let err = catalog.insert(&manifest("shop", 1)).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Timeout);
    assert!(err.is_retryable() && err.suggestions()[0].contains(".lock"));
    // Readers need no lock.
    assert_eq!(names(&catalog).await.len(), 1);
    drop(lock);
    catalog.with_lock_wait(Duration::from_secs(30)).insert(&manifest("shop", 1)).await.unwrap();
}

const DATABASE: &str = "BACKUP_CORE_TEST_DATABASE";
const FILE: &str = "BACKUP_CORE_TEST_FILE";
const INSERTS: u32 = 10;

/// The test is its own child: told a database by its environment, it inserts that one's backups.
#[tokio::test]
async fn processes_that_insert_at_once_lose_nothing() {
    if let (Ok(database), Ok(path)) = (std::env::var(DATABASE), std::env::var(FILE)) {
        let catalog = JsonCatalog::open(path).await.unwrap();
        for second in 0..INSERTS {
            catalog.insert(&manifest(&database, second)).await.unwrap();
        }
        return;
    }
    let (dir, path) = place();
    let children: Vec<_> = ["a", "b", "c"]
        .map(|database| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "catalog::json::tests::processes_that_insert_at_once_lose_nothing"])
                .envs([(DATABASE, database.as_ref()), (FILE, path.as_os_str())])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .into();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let found = names(&JsonCatalog::open(&path).await.unwrap()).await;
    assert_eq!(found.len(), 3 * INSERTS as usize);
    assert_eq!(files(&dir).len(), 2);
}

#[tokio::test]
async fn a_rebuilt_catalog_equals_its_source() {
    let store = StoreCatalog::new(MemoryStore::new());
    for second in 0..300 {
        let manifest = manifest(if second % 2 == 0 { "shop" } else { "crm" }, second);
        store.insert(&manifest).await.unwrap();
        for _ in 0..second % 3 {
            store.annotate(&manifest.backup_ref(), &held()).await.unwrap();
        }
    }
    let (_dir, path) = place();
    let rebuilt = JsonCatalog::rebuild(&path, &store).await.unwrap();
    let sorted = |mut entries: Vec<Entry>| {
        entries.sort_by_key(|entry| entry.manifest.backup_ref());
        entries
    };
    let source = sorted(store.list(&Filter::all()).try_collect().await.unwrap());
    assert_eq!(sorted(rebuilt.list(&Filter::all()).try_collect().await.unwrap()), source);
    // It is a catalog like any other: reopened, changed, and the same however often it is rebuilt.
    let bytes = fs::read(&path).unwrap();
    let err = JsonCatalog::rebuild(&path, &store).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    JsonCatalog::open(&path).await.unwrap().remove(&source[0].manifest.backup_ref()).await.unwrap();
    fs::remove_file(&path).unwrap();
    JsonCatalog::rebuild(&path, &store).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_rebuild_from_a_damaged_source_writes_nothing() {
    let store = MemoryStore::new();
    let source = StoreCatalog::new(store.clone());
    source.insert(&manifest("shop", 0)).await.unwrap();
    let broken = Layout::of(&manifest("shop", 1).backup_ref()).manifest().unwrap();
    crate::StoreExt::put_bytes(&store, &broken, "{").await.unwrap();
    let (_dir, path) = place();
    let source: Arc<dyn Catalog> = Arc::new(source);
    assert_eq!(JsonCatalog::rebuild(&path, &*source).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(!path.exists());
}
