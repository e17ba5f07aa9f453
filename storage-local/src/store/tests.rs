//! Interleavings that a test from outside cannot bring about, each at a known step of a put.
// A test may block, and its files are small.
#![allow(clippy::disallowed_methods)]

use std::{cell::RefCell, fs, io, path::PathBuf, sync::Arc, time::Duration};

use backup_core::{ErrorKind, Key, ObjectMeta, PutMode, PutOptions, Result};
use tokio::sync::mpsc;

use crate::{
    dir::Dir,
    path::{Access, Root},
    step::{Change, Look, Step},
    sweep::sweep,
    write::{Piece, Turn, Withdraw, Writing, is_temp_name},
};

mod crash;
#[path = "../../tests/dropped/files.rs"]
mod files;
mod lease;
mod power_cut;
mod refused;
mod rivals;

use files::files;

type Hook = Box<dyn FnMut(Step)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Called by the code under test after each of its steps.
pub(crate) fn reached(step: Step) {
    crash::reached(step);
    // Taken out, because what the hook does may reach steps of its own.
    if let Some(mut hook) = HOOK.take() {
        hook(step);
        HOOK.set(Some(hook));
    }
}

/// Called by the code under test around each of its changes.
pub(crate) fn changing<T>(change: Change<'_>, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    refused::calling(change.into(), || rivals::changing(change, run))
}

/// Called by the code under test around each system call that changes nothing.
pub(crate) fn looking<T>(look: Look, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    refused::calling(refused::Call::Look(look), run)
}

struct Fixture {
    dir: tempfile::TempDir,
    root: Arc<Root>,
    key: Key,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let root = Arc::new(Root::open(&dir.path().join("store"), Access::ReadWrite).unwrap());
    Fixture { dir, root, key: Key::parse("a/b/object").unwrap() }
}

impl Fixture {
    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn writing(&self, mode: PutMode, turn: &Arc<Turn>) -> Writing {
        Writing {
            root: Arc::clone(&self.root),
            key: self.key.clone(),
            options: PutOptions::default().with_mode(mode),
            turn: Arc::clone(turn),
        }
    }

    /// A put on this thread, with `hook` called after each step.
    fn put(&self, mode: PutMode, hook: impl FnMut(Step) + 'static) -> Result<ObjectMeta> {
        put_on_this_thread(&self.writing(mode, &Arc::default()), hook)
    }

    /// The files below the store, hidden ones too.
    fn files(&self) -> Vec<String> {
        files(self.root.path())
    }
}

fn put_on_this_thread(writing: &Writing, hook: impl FnMut(Step) + 'static) -> Result<ObjectMeta> {
    let (sender, pieces) = mpsc::channel(4);
    sender.try_send(Piece::Chunk("whole ".into())).unwrap();
    sender.try_send(Piece::Chunk("object".into())).unwrap();
    sender.try_send(Piece::End).unwrap();
    hooked(hook, || writing.run(pieces))
}

/// Runs something on this thread, with `hook` called after each step.
fn hooked<T>(hook: impl FnMut(Step) + 'static, run: impl FnOnce() -> T) -> T {
    HOOK.set(Some(Box::new(hook)));
    let done = run();
    HOOK.set(None);
    done
}

fn at_first(step: Step, mut act: impl FnMut() + 'static) -> impl FnMut(Step) + 'static {
    let mut done = false;
    move |reached| {
        if reached == step && !std::mem::replace(&mut done, true) {
            act();
        }
    }
}

#[test]
fn everything_is_synced_in_the_order_that_survives_a_power_cut() {
    let fixture = fixture();
    let (tell, told) = std::sync::mpsc::channel();
    fixture.put(PutMode::Create, move |step| tell.send(step).unwrap()).unwrap();
    let steps: Vec<_> = told.try_iter().collect();
    let expected = [
        Step::FolderMade,
        Step::FolderMade,
        Step::TempCreated,
        Step::Locked,
        Step::ChunkWritten,
        Step::ChunkWritten,
        Step::FileSynced,
        Step::Published,
        Step::FolderSynced,
        // The root, and `a`.
        Step::WaySynced,
        Step::WaySynced,
    ];
    assert_eq!(steps, expected);
}

#[test]
fn the_name_is_given_only_after_the_file_was_synced() {
    let fixture = fixture();
    let path = fixture.path("a/b/object");
    fixture
        .put(PutMode::Create, move |step| {
            let there = path.exists();
            assert_eq!(
                there,
                matches!(step, Step::Published | Step::FolderSynced | Step::WaySynced),
                "{step:?}"
            );
        })
        .unwrap();
}

#[test]
fn a_sweep_before_the_lock_makes_the_put_begin_anew() {
    let fixture = fixture();
    let root = Arc::clone(&fixture.root);
    let swept = at_first(Step::TempCreated, move || {
        assert_eq!(sweep(&root, Duration::ZERO).unwrap().removed, 1);
    });
    fixture.put(PutMode::Create, swept).unwrap();
    assert_eq!(fixture.files(), ["a/b/object"]);
}

#[test]
fn a_sweep_leaves_the_file_of_a_live_writer() {
    let fixture = fixture();
    let root = Arc::clone(&fixture.root);
    let sweeps = move |step| {
        if !matches!(step, Step::FolderMade | Step::TempCreated) {
            assert_eq!(sweep(&root, Duration::ZERO).unwrap().removed, 0, "{step:?}");
        }
    };
    fixture.put(PutMode::Create, sweeps).unwrap();
    assert_eq!(fixture.files(), ["a/b/object"]);
}

#[test]
fn a_folder_that_somebody_removes_meanwhile_is_made_again() {
    let fixture = fixture();
    let (a, b) = (fixture.path("a"), fixture.path("a/b"));
    let mut removals = 0;
    let remove = move |step| {
        if step == Step::FolderMade && removals < 5 {
            removals += 1;
            // `a/b` where it exists, else `a`: what `delete` of a neighbour does.
            fs::remove_dir(&b).or_else(|_| fs::remove_dir(&a)).unwrap();
        }
    };
    fixture.put(PutMode::Create, remove).unwrap();
    assert_eq!(fixture.files(), ["a/b/object"]);
}

#[test]
fn a_rival_that_is_first_wins_and_keeps_its_object() {
    let fixture = fixture();
    let path = fixture.path("a/b/object");
    let rival = at_first(Step::FileSynced, {
        let path = path.clone();
        move || fs::write(&path, "rival").unwrap()
    });
    let err = fixture.put(PutMode::Create, rival).unwrap_err();
    assert_eq!((err.kind(), err.message()), (ErrorKind::AlreadyExists, "the object exists already"));
    assert_eq!(fs::read(path).unwrap(), b"rival");
    assert_eq!(fixture.files(), ["a/b/object"]);
}

#[test]
fn a_caller_that_is_gone_before_the_name_is_given_gets_no_object() {
    let fixture = fixture();
    let turn = Arc::new(Turn::default());
    let mut caller = Some(Withdraw(Arc::clone(&turn)));
    let writing = fixture.writing(PutMode::Create, &turn);
    put_on_this_thread(&writing, at_first(Step::FileSynced, move || drop(caller.take()))).unwrap_err();
    assert!(fixture.files().is_empty());
    assert!(!fixture.path("a").exists(), "folders stay");
}

#[test]
fn a_folder_swapped_for_a_link_leads_nowhere_else() {
    let fixture = fixture();
    let outside = fixture.dir.path().join("outside");
    fs::create_dir_all(outside.join("b")).unwrap();
    let (a, moved, to) = (fixture.path("a"), fixture.path("moved"), outside.clone());
    let swap = at_first(Step::Locked, move || {
        fs::rename(&a, &moved).unwrap();
        std::os::unix::fs::symlink(&to, &a).unwrap();
    });
    // The way to the object cannot be made durable any more: the put fails, and takes back what it made.
    let err = fixture.put(PutMode::Create, swap).unwrap_err();
    assert!(!err.suggestions().is_empty(), "{err}");
    let path = fixture.path("a").display().to_string();
    assert!(err.context().any(|(_, value)| value == path), "{err} does not name {path}");
    assert!(files(&outside).is_empty());
    assert_eq!(fixture.files(), ["a"]);
}

#[test]
fn a_failed_overwrite_keeps_the_old_object() {
    let fixture = fixture();
    fixture.put(PutMode::Create, |_| ()).unwrap();
    let folder = fixture.path("a/b");
    let lose_the_temp = at_first(Step::FileSynced, move || {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if is_temp_name(entry.file_name().to_str().unwrap()) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    });
    fixture.put(PutMode::Overwrite, lose_the_temp).unwrap_err();
    assert_eq!(fs::read(fixture.path("a/b/object")).unwrap(), b"whole object");
}

#[test]
fn publishing_by_link_overwrites_nothing_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let open = Dir::open(dir.path()).unwrap();
    let snapshot = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    for (temp, wins) in [(".x.1.part", true), (".x.2.part", false)] {
        fs::write(dir.path().join(temp), temp).unwrap();
        // A snapshot gives it a second name, which is not the one that was to be given.
        fs::hard_link(dir.path().join(temp), snapshot.path().join(temp)).unwrap();
        assert_eq!(open.publish_by_link(temp, "x").is_ok(), wins);
    }
    assert_eq!(fs::read(dir.path().join("x")).unwrap(), b".x.1.part");
    assert_eq!(files(dir.path()), [".x.2.part", "x"]);
}

#[test]
fn only_our_own_temporary_names_are_swept() {
    for ours in [".x.0123456789abcdef.part", ".backup-1.sql.zst.ffffffffffffffff.part"] {
        assert!(is_temp_name(ours), "{ours}");
    }
    for other in [
        "x.0123456789abcdef.part",
        ".x.0123456789abcdef",
        ".x.0123456789ABCDEF.part",
        ".x.0123456789abcde.part",
        ".x.0123456789abcdef0.part",
        ".0123456789abcdef.part",
        "..0123456789abcdef.part",
        ".x.part",
        ".part",
        ".",
        "",
        ".x y.0123456789abcdef.part",
    ] {
        assert!(!is_temp_name(other), "{other}");
    }
}
