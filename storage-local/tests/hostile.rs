//! A directory that is not as the store left it: links, pipes, foreign files, wrong modes, a root that is gone.
#![cfg(unix)]
// A test may block, and its files are small.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use backup_core::{
    ByteStream, Error, ErrorKind, GetOptions, Key, ObjectMeta, Prefix, PutMode, PutOptions, Result, Store,
    StoreExt,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_local::LocalStore;

async fn fixture() -> (tempfile::TempDir, PathBuf, LocalStore) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let store = LocalStore::open(&root).await.unwrap();
    (dir, root, store)
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

async fn list(store: &LocalStore, prefix: &str) -> Result<Vec<String>> {
    let prefix = Prefix::parse(prefix).unwrap();
    let mut all: Vec<String> = store.list(&prefix).map_ok(|meta| meta.key.into()).try_collect().await?;
    all.sort();
    Ok(all)
}

/// An error that a person can act on at night: of this kind, naming this path, with advice.
fn assert_says(err: &Error, kind: ErrorKind, path: &Path) {
    assert_eq!(err.kind(), kind, "{err}");
    assert!(err.to_string().contains(path.to_str().unwrap()), "{err} does not name {}", path.display());
    assert!(!err.suggestions().is_empty(), "{err} has no advice");
}

async fn put(store: &LocalStore, name: &str) -> Result<ObjectMeta> {
    store.put_bytes(&key(name), "bytes").await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_wrong_path_and_no_missing_backup() {
    let dir = tempfile::tempdir().unwrap();
    symlink("nothing", dir.path().join("link")).unwrap();
    let nowhere = dir.path().join("link/store");
    let err = LocalStore::open(&nowhere).await.unwrap_err();
    assert_says(&err, ErrorKind::InvalidInput, &nowhere);
    assert!(err.suggestions().iter().all(|text| text.contains("path")), "{err:?}");
    assert_eq!(LocalStore::open("").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn files_and_folders_are_for_this_user_alone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("deep/er/store");
    let store = LocalStore::open(&root).await.unwrap();
    put(&store, "a/object").await.unwrap();
    for path in ["deep", "deep/er", "deep/er/store", "deep/er/store/a"] {
        assert_eq!(mode(&dir.path().join(path)), 0o700, "{path}");
    }
    assert_eq!(mode(&root.join("a/object")), 0o600);
}

#[tokio::test]
async fn a_linked_folder_is_refused_everywhere() {
    let (dir, root, store) = fixture().await;
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("object"), "secret").unwrap();
    symlink(&outside, root.join("link")).unwrap();
    let link = root.join("link");
    let (in_link, overwrite) = (key("link/object"), PutOptions::default().with_mode(PutMode::Overwrite));
    let refusals = [
        put(&store, "link/new").await.unwrap_err(),
        store.put(&in_link, Bytes::from_static(b"x").into(), overwrite).await.unwrap_err(),
        store.get(&in_link, GetOptions::default()).await.unwrap_err(),
        store.head(&in_link).await.unwrap_err(),
        store.exists(&in_link).await.unwrap_err(),
        store.delete(&in_link).await.unwrap_err(),
        list(&store, "link").await.unwrap_err(),
        list(&store, "").await.unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
    ];
    for err in refusals {
        assert_says(&err, ErrorKind::PermissionDenied, &link);
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("object")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_linked_object_is_refused_everywhere() {
    let (dir, root, store) = fixture().await;
    let outside = dir.path().join("secret");
    fs::write(&outside, "secret").unwrap();
    symlink(&outside, root.join("link")).unwrap();
    let link = key("link");
    let overwrite = PutOptions::default().with_mode(PutMode::Overwrite);
    let refusals = [
        put(&store, "link").await.unwrap_err(),
        store.put(&link, Bytes::from_static(b"x").into(), overwrite).await.unwrap_err(),
        store.get(&link, GetOptions::default()).await.unwrap_err(),
        store.head(&link).await.unwrap_err(),
        store.delete(&link).await.unwrap_err(),
        list(&store, "").await.unwrap_err(),
    ];
    for err in refusals {
        assert_says(&err, ErrorKind::PermissionDenied, &root.join("link"));
    }
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
}

#[tokio::test]
async fn a_pipe_is_never_opened_nor_listed() {
    let (_dir, root, store) = fixture().await;
    let pipe = root.join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    // Opening a pipe for reading waits for a writer: a test that hangs has failed.
    for err in [
        store.get(&key("pipe"), GetOptions::default()).await.unwrap_err(),
        put(&store, "pipe").await.unwrap_err(),
        store.delete(&key("pipe")).await.unwrap_err(),
    ] {
        assert_says(&err, ErrorKind::PermissionDenied, &pipe);
    }
    assert_eq!(list(&store, "").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_socket_is_refused_by_its_name() {
    let (_dir, root, store) = fixture().await;
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let err = store.get(&key("socket"), GetOptions::default()).await.unwrap_err();
    assert_says(&err, ErrorKind::PermissionDenied, &root.join("socket"));
    assert_eq!(list(&store, "").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_missing_object_is_no_missing_path() {
    let (_dir, _root, store) = fixture().await;
    for err in [
        store.get(&key("missing"), GetOptions::default()).await.unwrap_err(),
        store.head(&key("missing")).await.unwrap_err(),
    ] {
        assert_eq!((err.kind(), err.message()), (ErrorKind::NotFound, "no such object"));
        assert!(err.suggestions().iter().all(|advice| !advice.contains("path")), "{err:?}");
    }
}

#[tokio::test]
async fn what_can_never_be_stored_is_refused_before_its_body_comes() {
    let (_dir, _root, store) = fixture().await;
    put(&store, "a/object").await.unwrap();
    for (taken, kind) in [("a/object", ErrorKind::AlreadyExists), ("a", ErrorKind::Unsupported)] {
        let never = ByteStream::new(futures::stream::pending());
        let key = key(taken);
        let refused = store.put(&key, never, PutOptions::default());
        let refused = tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap();
        assert_eq!(refused.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn foreign_names_are_neither_listed_nor_swept() {
    let (_dir, root, store) = fixture().await;
    put(&store, "a/object").await.unwrap();
    for foreign in ["with space", ".hidden", "a/.x.part", "a/~", "é"] {
        fs::write(root.join(foreign), "foreign").unwrap();
    }
    for foreign in [".git", "System Volume Information", "lost+found"] {
        fs::create_dir(root.join(foreign)).unwrap();
        fs::write(root.join(foreign).join(".x.0123456789abcdef.part"), "foreign").unwrap();
    }
    symlink("nothing", root.join(".link")).unwrap();
    assert_eq!(list(&store, "").await.unwrap(), ["a/object"]);
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap().removed, 0);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 8);
    let err = put(&store, "lost+found/object").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_sweep_removes_what_is_older_than_the_grace_and_counts_it() {
    let (_dir, root, store) = fixture().await;
    put(&store, "a/object").await.unwrap();
    let leftover = |name: &str, age: Duration| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "1234567").unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    };
    let hour = Duration::from_secs(3600);
    leftover("a/.old.0123456789abcdef.part", 3 * hour);
    leftover("only/leftovers/.old.0123456789abcdef.part", 3 * hour);
    leftover("other/.old.0123456789abcdef.part", 3 * hour);
    leftover("a/.young.0123456789abcdef.part", hour);
    let report = store.sweep(2 * hour).await.unwrap();
    assert_eq!((report.removed, report.freed_bytes), (3, 21));
    assert!(root.join("a/.young.0123456789abcdef.part").exists());
    for emptied in ["only", "other"] {
        assert!(!root.join(emptied).exists(), "{emptied} held nothing but leftovers, and stays");
    }
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap().removed, 1);
    assert_eq!(list(&store, "").await.unwrap(), ["a/object"]);
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let (_dir, root, store) = fixture().await;
    store.put_bytes(&key("object"), vec![7; 8_000_000]).await.unwrap();
    let mut body = store.get(&key("object"), GetOptions::default()).await.unwrap().body;
    body.next().await.unwrap().unwrap();
    fs::File::options().write(true).open(root.join("object")).unwrap().set_len(6_000_000).unwrap();
    let err = body.try_for_each(|_| async { Ok(()) }).await.unwrap_err();
    assert_says(&err, ErrorKind::Corrupt, &root.join("object"));
}

#[tokio::test]
async fn a_root_that_is_gone_is_an_error_and_never_an_empty_store() {
    let (dir, root, store) = fixture().await;
    put(&store, "object").await.unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&root, &moved).unwrap();
    for err in [
        list(&store, "").await.unwrap_err(),
        list(&store, "no/such").await.unwrap_err(),
        store.exists(&key("object")).await.unwrap_err(),
        store.get(&key("object"), GetOptions::default()).await.unwrap_err(),
        store.delete(&key("object")).await.unwrap_err(),
        put(&store, "other").await.unwrap_err(),
        store.space().await.unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
    ] {
        assert_says(&err, ErrorKind::Unavailable, &root);
    }
    assert!(!root.exists(), "a put must not make a root that is gone");
    fs::rename(&moved, &root).unwrap();
    assert_eq!(list(&store, "").await.unwrap(), ["object"]);
}

#[tokio::test]
async fn a_path_that_is_no_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_says(&LocalStore::open(&file).await.unwrap_err(), ErrorKind::InvalidInput, &file);
    let below = file.join("store");
    assert_says(&LocalStore::open(&below).await.unwrap_err(), ErrorKind::InvalidInput, &file);
    let too_long = dir.path().join("n".repeat(300));
    assert_says(&LocalStore::open(&too_long).await.unwrap_err(), ErrorKind::InvalidInput, &too_long);
}

#[tokio::test]
async fn a_store_opened_for_reading_makes_and_changes_nothing() {
    let (dir, root, store) = fixture().await;
    put(&store, "object").await.unwrap();
    let missing = dir.path().join("missing");
    let err = LocalStore::open_read_only(&missing).await.unwrap_err();
    assert_says(&err, ErrorKind::Unavailable, &missing);
    assert!(!missing.exists());
    let store = LocalStore::open_read_only(&root).await.unwrap();
    for err in [
        put(&store, "other").await.unwrap_err(),
        store.delete(&key("object")).await.unwrap_err(),
        store.sweep(Duration::ZERO).await.unwrap_err(),
    ] {
        assert_says(&err, ErrorKind::PermissionDenied, &root);
    }
    assert_eq!(list(&store, "").await.unwrap(), ["object"]);
    assert_eq!(store.get_bytes(&key("object"), 10).await.unwrap(), "bytes");
}

#[tokio::test]
async fn a_relative_path_stays_what_it_was() {
    let (dir, _root, _store) = fixture().await;
    let back = Path::new("/").components().count();
    let here = std::env::current_dir().unwrap();
    let mut relative: PathBuf = here.components().skip(back).map(|_| "..").collect();
    relative.push(dir.path().join("relative").strip_prefix("/").unwrap());
    let store = LocalStore::open(&relative).await.unwrap();
    assert!(store.path().is_absolute());
    assert!(store.location().starts_with("file:///"), "{}", store.location());
    assert!(dir.path().join("relative").is_dir());
}
