//! Real file systems that are full, read-only, unmounted or forbidden.
//!
//! Each test runs a part of itself again in a mount namespace of its own, or without the rights of root, so
//! that nothing outside is touched. A machine where that is not possible fails the test and says why.
#![cfg(target_os = "linux")]
// A test may block, and starts programs of the system.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use async_trait::async_trait;
use backup_core::{
    ByteStream, Dump, Dumper, DumperInfo, Error, ErrorKind, Filter, GetOptions, Key, Level, Pipeline, Prefix,
    PutMode, PutOptions, Result, SourceInfo, Store, StoreExt,
    pipeline::{BackupRequest, Confirmation},
    testkit::fake::FakeDumper,
};
use bytes::Bytes;
use futures::TryStreamExt;
use storage_local::LocalStore;

const MOUNT: &str = "STORAGE_LOCAL_TEST_MOUNT";
const LEFTOVER: &str = ".x.0123456789abcdef.part";

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// `bytes` of a body in chunks of 64 KiB.
fn body(bytes: usize) -> ByteStream {
    let chunk = Bytes::from(vec![7; 65_536]);
    let chunks = (0..bytes.div_ceil(65_536)).map(move |_| Ok(chunk.clone()));
    ByteStream::new(futures::stream::iter(chunks))
}

async fn names(store: &LocalStore) -> Vec<String> {
    let mut all: Vec<_> =
        store.list(&Prefix::root()).map_ok(|meta| meta.key.to_string()).try_collect().await.unwrap();
    all.sort();
    all
}

/// Runs the ignored test `part` of this binary below `wrapper`.
fn rerun(part: &str, wrapper: &[&str], mount: &Path) -> Output {
    let (program, args) = wrapper.split_first().unwrap();
    Command::new(program)
        .args(args)
        .arg(env::current_exe().unwrap())
        .args(["--exact", part, "--ignored", "--nocapture"])
        .env(MOUNT, mount)
        .output()
        .unwrap_or_else(|err| panic!("`{program}` of util-linux is needed for this test: {err}"))
}

/// Runs `part` with `script` carried out before, in a mount namespace of its own.
fn in_namespace(part: &str, script: &str, mount: &Path) {
    let flags = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let script = format!("set -e\n{script}\necho mounted >&2\nexec \"$@\"");
    let output = rerun(part, &["unshare", flags, "--", "sh", "-c", &script, "sh"], mount);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("mounted"), "this machine allows no private mounts, which this test needs: {said}");
    let ran = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && ran.contains("1 passed"), "{ran}\n{said}");
}

/// Where the part runs; `None` when somebody runs the ignored tests by hand.
fn mounted() -> Option<PathBuf> {
    env::var_os(MOUNT).map(PathBuf::from)
}

#[test]
fn a_full_disk_is_typed_cleaned_up_and_usable_again() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("full_disk", "mount -t tmpfs -o size=1m tmpfs \"$STORAGE_LOCAL_TEST_MOUNT\"", dir.path());
}

#[tokio::test]
#[ignore = "started by the test above, in a mount namespace of its own"]
async fn full_disk() {
    let Some(mount) = mounted() else { return };
    let store = LocalStore::open(&mount).await.unwrap();
    store.put_bytes(&key("a/kept"), vec![1; 100_000]).await.unwrap();
    let free = store.space().await.unwrap().unwrap();
    assert!(free.total_bytes == 1 << 20 && free.free_bytes < 1 << 20, "{free:?}");
    for (name, mode) in [("b/c/new", PutMode::Create), ("a/kept", PutMode::Overwrite)] {
        let put = store.put(&key(name), body(3 << 20), PutOptions::default().with_mode(mode)).await;
        let err = put.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::StorageFull, "{err}");
        assert!(!err.is_retryable() && err.to_string().contains(mount.to_str().unwrap()), "{err}");
        assert!(err.suggestions().iter().any(|advice| advice.contains("free space")), "{err:?}");
    }
    assert_eq!(names(&store).await, ["a/kept"]);
    assert_eq!(store.get_bytes(&key("a/kept"), 200_000).await.unwrap(), vec![1; 100_000]);
    assert_eq!(fs::read_dir(mount.join("a")).unwrap().count(), 1, "a temporary file stays");
    assert!(!mount.join("b").exists(), "folders stay");
    assert_eq!(store.space().await.unwrap().unwrap(), free, "space stays taken");
    store.put_bytes(&key("b/small"), vec![2; 100_000]).await.unwrap();
    assert_eq!(names(&store).await, ["a/kept", "b/small"]);
}

#[test]
fn a_backup_can_be_deleted_from_a_full_disk_and_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace(
        "delete_from_full_disk",
        "mount -t tmpfs -o size=1m tmpfs \"$STORAGE_LOCAL_TEST_MOUNT\"",
        dir.path(),
    );
}

#[tokio::test]
#[ignore = "started by the test above, in a mount namespace of its own"]
async fn delete_from_full_disk() {
    let Some(mount) = mounted() else { return };
    let store = LocalStore::open(mount.join("store")).await.unwrap();
    let dumper = FakeDumper::new((0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let pipeline = Pipeline::new(dumper, store.clone());
    let first = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    let second = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    // To the last block: of large pieces, then of small ones.
    for (name, bytes) in [("large", 65_536), ("small", 4096)] {
        for nth in 0.. {
            if fs::write(mount.join(format!("{name}-{nth}")), vec![7; bytes]).is_err() {
                fs::remove_file(mount.join(format!("{name}-{nth}"))).unwrap();
                break;
            }
        }
    }
    assert_eq!(store.space().await.unwrap().unwrap().free_bytes, 0);
    pipeline.delete(&first, Confirmation::Confirmed).await.unwrap();
    let left = names(&store).await;
    assert!(left.iter().all(|key| key.starts_with(&format!("{second}."))), "{left:?}");
    // There is room again, as much as is needed for what comes next.
    pipeline.verify(&second, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    pipeline.delete(&second, Confirmation::Confirmed).await.unwrap();
    pipeline.backup(BackupRequest::new()).await.unwrap();
}

#[test]
fn a_read_only_file_system_says_so_and_can_still_be_read() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("read_only", "mount -t tmpfs tmpfs \"$STORAGE_LOCAL_TEST_MOUNT\"", dir.path());
}

#[tokio::test]
#[ignore = "started by the test above, in a mount namespace of its own"]
async fn read_only() {
    let Some(mount) = mounted() else { return };
    let store = LocalStore::open(&mount).await.unwrap();
    store.put_bytes(&key("object"), "bytes").await.unwrap();
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&mount).status().unwrap();
    assert!(remount.success());
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    for err in [
        store.put_bytes(&key("other"), "x").await.unwrap_err(),
        store.put_bytes(&key("folder/other"), "x").await.unwrap_err(),
        store.put(&key("object"), body(1), overwrite).await.unwrap_err(),
        store.delete(&key("object")).await.unwrap_err(),
        LocalStore::open(&mount).await.unwrap_err(),
        LocalStore::open(mount.join("new")).await.unwrap_err(),
    ] {
        assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err}");
        assert!(err.message().contains("read-only"), "{err}");
        assert!(err.suggestions().iter().any(|advice| advice.contains("remount")), "{err:?}");
    }
    let store = LocalStore::open_read_only(&mount).await.unwrap();
    assert_eq!(names(&store).await, ["object"]);
    assert_eq!(store.get_bytes(&key("object"), 10).await.unwrap(), "bytes");
}

#[test]
fn a_file_system_that_becomes_read_only_in_mid_backup_is_named_and_leaves_nothing_to_see() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("read_only_in_mid_backup", "mount -t tmpfs tmpfs \"$STORAGE_LOCAL_TEST_MOUNT\"", dir.path());
}

/// A database in whose dump the file system of the store is mounted anew.
#[derive(Debug)]
struct Remounts {
    inner: FakeDumper,
    mount: PathBuf,
    option: &'static str,
}

fn remount(mount: &Path, option: &str) {
    let mounted =
        Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(mount).status().unwrap();
    assert!(mounted.success());
}

#[async_trait]
impl Dumper for Remounts {
    fn info(&self) -> DumperInfo {
        self.inner.info()
    }

    async fn probe(&self) -> Result<SourceInfo> {
        self.inner.probe().await
    }

    async fn dump(&self) -> Result<Dump> {
        // Before the first byte: later the kernel refuses, because a file is open for writing.
        remount(&self.mount, self.option);
        self.inner.dump().await
    }
}

#[tokio::test]
#[ignore = "started by the test above, in a mount namespace of its own"]
async fn read_only_in_mid_backup() {
    let Some(mount) = mounted() else { return };
    let store = LocalStore::open(&mount).await.unwrap();
    let database = |option| {
        let inner = FakeDumper::new(vec![7; 1_000_000]);
        Pipeline::new(Remounts { inner, mount: mount.clone(), option }, store.clone())
    };
    let good = database("rw").backup(BackupRequest::new()).await.unwrap().backup;
    let err = database("ro").backup(BackupRequest::new()).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err:?}");
    assert!(err.message().contains("read-only"), "{err:?}");

    remount(&mount, "rw");
    let pipeline = database("rw");
    let listed = pipeline.list(&Filter::all()).await.unwrap();
    assert!(listed.damaged.is_empty() && listed.entries.len() == 1, "{listed:?}");
    pipeline.sweep(Duration::ZERO).await.unwrap();
    let left = names(&store).await;
    assert!(
        left.iter().all(|key| key.starts_with(&format!("{good}.")) || key.starts_with("leases/")),
        "{left:?}"
    );
    let next = pipeline.backup(BackupRequest::new()).await.unwrap().backup;
    for backup in [good, next] {
        pipeline.verify(&backup, Level::Decoded).await.unwrap().ensure_passed().unwrap();
    }
}

#[test]
fn an_unmounted_disk_is_an_error_and_never_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    in_namespace("unmounted", "mount -t tmpfs tmpfs \"$STORAGE_LOCAL_TEST_MOUNT\"", dir.path());
}

#[tokio::test]
#[ignore = "started by the test above, in a mount namespace of its own"]
async fn unmounted() {
    let Some(mount) = mounted() else { return };
    let store = LocalStore::open(&mount).await.unwrap();
    store.put_bytes(&key("object"), "bytes").await.unwrap();
    // Nothing of the store stays open between two calls, so that the disk can be taken away.
    assert!(Command::new("umount").arg(&mount).status().unwrap().success());
    let listed = store.list(&Prefix::root()).try_collect::<Vec<_>>().await;
    for err in [
        listed.unwrap_err(),
        store.exists(&key("object")).await.unwrap_err(),
        store.put_bytes(&key("other"), "x").await.unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
    ] {
        assert_eq!(err.kind(), ErrorKind::Unavailable, "{err}");
        assert!(err.suggestions().iter().any(|advice| advice.contains("mounted")), "{err:?}");
    }
    assert_eq!(fs::read_dir(&mount).unwrap().count(), 0);
}

#[test]
fn missing_rights_are_denied_with_the_path_and_advice() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    for folder in ["readable", "unreadable", "../other/closed", "../other/swept"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        fs::write(root.join(folder).join("object"), "bytes").unwrap();
    }
    fs::write(root.join("../other/swept").join(LEFTOVER), "bytes").unwrap();
    for object in 0..1000 {
        fs::write(root.join(format!("../other/swept/{object}")), "bytes").unwrap();
    }
    let chmod = |path: &str, mode| fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode));
    chmod("readable/object", 0o000).unwrap();
    chmod("readable", 0o500).unwrap();
    chmod("unreadable", 0o000).unwrap();
    // Names can be read, and nothing about them.
    chmod("../other/closed", 0o600).unwrap();
    chmod(&format!("../other/swept/{LEFTOVER}"), 0o000).unwrap();
    // What is above the store cannot even be read, which is no reason not to use it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o300)).unwrap();
    let output = if rustix::process::geteuid().is_root() {
        rerun("denied", &["setpriv", "--bounding-set=-all", "--inh-caps=-all"], &root)
    } else {
        rerun("denied", &["env"], &root)
    };
    // So that the directory can be removed again.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for path in ["unreadable", "readable", "../other", "../other/closed", "../other/swept"] {
        chmod(path, 0o700).unwrap();
    }
    let (ran, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && ran.contains("1 passed"), "{ran}\n{said}");
}

#[tokio::test]
#[ignore = "started by the test above, without the rights of root"]
async fn denied() {
    let Some(root) = mounted() else { return };
    let store = LocalStore::open(&root).await.unwrap();
    let not_made = LocalStore::open(root.join("readable/new")).await.unwrap_err().to_string();
    assert!(not_made.ends_with("store/readable"), "the folder that is in the way is named: {not_made}");
    for (err, path) in [
        (LocalStore::open(root.join("readable")).await.unwrap_err(), "readable"),
        (LocalStore::open(root.join("readable/new")).await.unwrap_err(), "readable/new"),
        (LocalStore::open(root.join("unreadable")).await.unwrap_err(), "unreadable"),
        (store.put_bytes(&key("readable/new"), "x").await.unwrap_err(), "readable/new"),
        (store.delete(&key("readable/object")).await.unwrap_err(), "readable/object"),
        (store.get(&key("readable/object"), GetOptions::default()).await.unwrap_err(), "readable/object"),
        (store.exists(&key("unreadable/object")).await.unwrap_err(), "unreadable"),
        (store.put_bytes(&key("unreadable/new"), "x").await.unwrap_err(), "unreadable"),
        (store.list(&Prefix::root()).try_collect::<Vec<_>>().await.unwrap_err(), "unreadable"),
        (store.sweep(Duration::ZERO).await.unwrap_err(), "unreadable"),
    ] {
        assert_denied(&err, &root.join(path));
    }
    let other = root.with_file_name("other");
    let store = LocalStore::open(&other).await.unwrap();
    let swept = LocalStore::open(other.join("swept")).await.unwrap();
    for (err, path) in [
        (store.exists(&key("closed/object")).await.unwrap_err(), "closed/object"),
        (store.delete(&key("closed/object")).await.unwrap_err(), "closed/object"),
        (store.list(&Prefix::root()).try_collect::<Vec<_>>().await.unwrap_err(), "closed"),
        (swept.sweep(Duration::ZERO).await.unwrap_err(), &format!("swept/{LEFTOVER}")),
    ] {
        assert_denied(&err, &other.join(path));
    }
    let swept = swept.list(&Prefix::root());
    let mut listed = swept.inspect_ok(|_| {
        fs::set_permissions(other.join("swept"), fs::Permissions::from_mode(0o600)).unwrap();
    });
    assert!(listed.try_next().await.unwrap().is_some());
    let rest = listed.try_collect::<Vec<_>>().await;
    assert_eq!(rest.unwrap_err().kind(), ErrorKind::PermissionDenied, "a listing ends as if it were whole");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o000)).unwrap();
    // It is there: not "gone", which a disk that is not mounted would be.
    assert_denied(&store.exists(&key("object")).await.unwrap_err(), &other);
}

fn assert_denied(err: &Error, path: &Path) {
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "{err}");
    assert!(err.to_string().contains(path.to_str().unwrap()), "{err}");
    assert!(err.suggestions().iter().any(|advice| advice.contains("owner")), "{err:?}");
}
