//! What a rival does, or the system refuses, just before one of the changes to the disk.

use std::{cell::RefCell, fs, io, path::Path, time::Duration};

use backup_core::{Error, ErrorKind, PutMode, Result};
use rustix::io::Errno;

use super::{Fixture, at_first, files, fixture, hooked};
use crate::{
    list::{Go, walk},
    path::{Access, Root},
    step::{Change, Step, Synced},
    store::delete,
    sweep::sweep,
};

/// What a rival does below the store's directory.
type Act = fn(&Path) -> io::Result<()>;
type Before = Box<dyn FnMut(Change<'_>) -> io::Result<()>>;

thread_local! {
    static BEFORE: RefCell<Option<Before>> = const { RefCell::new(None) };
}

/// Called by the code under test around each of its changes.
pub(super) fn changing<T>(change: Change<'_>, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // Taken out, because what it does may change something itself.
    if let Some(mut before) = BEFORE.take() {
        let refused = before(change);
        BEFORE.set(Some(before));
        refused?;
    }
    super::power_cut::changing(change, run)
}

/// Runs something on this thread; `before` each change somebody else has a turn, whose error is the change's.
fn with<T>(before: impl FnMut(Change<'_>) -> io::Result<()> + 'static, run: impl FnOnce() -> T) -> T {
    BEFORE.set(Some(Box::new(before)));
    let done = run();
    BEFORE.set(None);
    done
}

/// A rival that acts once, before the first change that `is` the one.
fn rival(
    is: impl Fn(Change<'_>) -> bool + 'static,
    act: impl FnOnce() -> io::Result<()> + 'static,
) -> impl FnMut(Change<'_>) -> io::Result<()> + 'static {
    let mut act = Some(act);
    move |change| {
        if is(change)
            && let Some(act) = act.take()
        {
            act().unwrap();
        }
        Ok(())
    }
}

/// A system that refuses each change that `is` one of these.
fn refuses(
    is: impl Fn(Change<'_>) -> bool + 'static,
    errno: Errno,
) -> impl FnMut(Change<'_>) -> io::Result<()> + 'static {
    move |change| if is(change) { Err(errno.into()) } else { Ok(()) }
}

fn makes(wanted: &'static str) -> impl Fn(Change<'_>) -> bool {
    move |change| matches!(change, Change::Make(_, name) if name.ends_with(wanted))
}

fn removes(wanted: &'static str) -> impl Fn(Change<'_>) -> bool {
    move |change| matches!(change, Change::Remove(_, name) if name.ends_with(wanted))
}

fn syncs(wanted: Synced) -> impl Fn(Change<'_>) -> bool {
    move |change| matches!(change, Change::Sync(_, what) if what == wanted)
}

fn put(fixture: &Fixture, before: impl FnMut(Change<'_>) -> io::Result<()> + 'static) -> Result<()> {
    with(before, || fixture.put(PutMode::Create, |_| ())).map(drop)
}

fn leftover(fixture: &Fixture) {
    fs::write(fixture.path(".x.0123456789abcdef.part"), "1234567").unwrap();
}

#[test]
fn a_folder_that_comes_or_goes_before_it_is_needed_does_not_fail_a_put() {
    let acts: [(&str, Act); 3] = [
        ("a", |store| fs::create_dir(store.join("a"))),
        ("b", |store| fs::remove_dir(store.join("a"))),
        (".part", |store| fs::remove_dir(store.join("a/b"))),
    ];
    for (made, act) in acts {
        let fixture = fixture();
        let store = fixture.root.path().to_owned();
        put(&fixture, rival(makes(made), move || act(&store))).unwrap();
        assert_eq!(fixture.files(), ["a/b/object"], "{made}");
    }
}

#[test]
fn a_directory_that_another_makes_first_is_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/store");
    let deep = dir.path().join("deep");
    let made = rival(|change| matches!(change, Change::MakeAt(_)), move || fs::create_dir(deep));
    with(made, || Root::open(&path, Access::ReadWrite)).unwrap();
    assert!(path.is_dir());
}

#[test]
fn what_another_removes_first_is_removed() {
    let fixture = fixture();
    fixture.put(PutMode::Create, |_| ()).unwrap();
    let object = fixture.path("a/b/object");
    let removed = rival(removes("object"), move || fs::remove_file(object));
    with(removed, || delete(&fixture.root, &fixture.key)).unwrap();
    assert!(!fixture.path("a").exists(), "folders stay");

    fs::create_dir_all(fixture.path("a/b")).unwrap();
    let inner = fixture.path("a/b");
    with(rival(removes("b"), move || fs::remove_dir(inner)), || fixture.root.prune(&["a", "b"])).unwrap();
    assert!(!fixture.path("a").exists(), "the outer folder stays");

    leftover(&fixture);
    let part = fixture.path(".x.0123456789abcdef.part");
    let swept = rival(removes(".part"), move || fs::remove_file(part));
    let report = with(swept, || sweep(&fixture.root, Duration::ZERO)).unwrap();
    assert_eq!((report.removed, report.freed_bytes), (0, 0), "another one's removal is counted");
}

#[test]
fn what_goes_while_it_is_listed_is_left_out() {
    for step in [Step::Named, Step::FolderFound] {
        let fixture = fixture();
        fs::create_dir(fixture.path("gone")).unwrap();
        let gone = fixture.path("gone");
        let mut visited = 0;
        hooked(at_first(step, move || fs::remove_dir(&gone).unwrap()), || {
            walk(&fixture.root, "", |_| {
                visited += 1;
                Ok(Go::On)
            })
        })
        .unwrap();
        assert_eq!(visited, 0);
    }
}

#[test]
fn an_empty_folder_of_the_objects_name_is_no_matter_who_removes_it() {
    let fixture = fixture();
    let folder = fixture.path("a/b/object");
    fs::create_dir_all(&folder).unwrap();
    put(&fixture, rival(removes("object"), move || fs::remove_dir(folder))).unwrap();
    assert_eq!(fixture.files(), ["a/b/object"]);
}

#[test]
fn a_folder_that_takes_the_name_during_a_put_is_said_to_be_one() {
    let fixture = fixture();
    let taken = fixture.path("a/b/object");
    let take = at_first(Step::FileSynced, move || fs::create_dir_all(taken.join("deeper")).unwrap());
    let err = fixture.put(PutMode::Create, take).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::Unsupported, "{err}");
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

#[test]
fn a_leftover_that_cannot_be_removed_is_an_error() {
    let fixture = fixture();
    leftover(&fixture);
    let err =
        with(refuses(removes(".part"), Errno::IO), || sweep(&fixture.root, Duration::ZERO)).unwrap_err();
    assert!(err.to_string().contains(".x.0123456789abcdef.part"), "{err}");
}

#[test]
fn a_file_system_that_cannot_rename_without_overwriting_links_instead() {
    for errno in [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP] {
        let fixture = fixture();
        put(&fixture, refuses(|change| matches!(change, Change::Rename(..)), errno)).unwrap();
        assert_eq!(fixture.files(), ["a/b/object"], "{errno}");
    }
}

#[test]
fn a_disk_that_cannot_give_the_name_is_not_said_to_have_the_object() {
    let fixture = fixture();
    let err = put(&fixture, refuses(|change| matches!(change, Change::Rename(..)), Errno::IO)).unwrap_err();
    assert_names_the_disk(&err);
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

#[test]
fn a_folder_that_cannot_be_synced_fails_the_put_unless_its_system_has_no_such_call() {
    for what in [Synced::Folder, Synced::Way] {
        let fixture = fixture();
        assert_names_the_disk(&put(&fixture, refuses(syncs(what), Errno::IO)).unwrap_err());
        assert!(fixture.files().is_empty(), "{:?}", fixture.files());
        put(&fixture, refuses(syncs(what), Errno::INVAL)).unwrap();
        assert_eq!(fixture.files(), ["a/b/object"]);
    }
}

#[test]
fn a_store_whose_own_name_cannot_be_synced_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    for (access, opens) in [(Access::Existing, false), (Access::ReadOnly, true)] {
        let opened = with(refuses(syncs(Synced::Root), Errno::IO), || Root::open(dir.path(), access));
        assert_eq!(opened.is_ok(), opens, "{access:?}");
    }
    assert!(files(dir.path()).is_empty());
}

fn assert_names_the_disk(err: &Error) {
    assert_eq!(err.kind(), ErrorKind::Unexpected, "{err}");
    assert!(err.suggestions().iter().any(|advice| advice.contains("the disk's health")), "{err:?}");
}
