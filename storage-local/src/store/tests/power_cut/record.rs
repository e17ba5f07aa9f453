//! Writes down every change below a folder, in the order in which the system made them.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use backup_core::Key;
use bytes::Bytes;
use rustix::fs::{AtFlags, statat};

use crate::step::{Change, Synced};

/// A file or a folder that was there at some time; 0 is the folder below which everything is recorded.
pub(super) type Node = usize;

/// Names of a folder that changed in one step; `None` is a name that is gone.
pub(super) type Names = Vec<(String, Option<Node>)>;

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A file or folder was made; it has no name yet.
    New(Node, Made),
    Names(Node, Names),
    Appended(Node, Bytes),
    Synced(Node, Synced),
    /// Something was asked of the store: the key may hold this from here on.
    Asked(Key, Option<Bytes>),
    /// It was answered with success: the key holds this, and nothing else.
    Done(Key, Option<Bytes>),
    /// It was answered with an error: the key does not hold this.
    Refused(Key, Option<Bytes>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    File,
    Folder,
}

/// Records until it is dropped.
#[derive(Debug)]
pub(super) struct Recorder(usize);

#[derive(Debug)]
struct Recording {
    id: usize,
    /// By device and number, of those that exist: numbers of what is gone come again.
    known: HashMap<(u64, u64), Node>,
    /// What the names mean, without any crash.
    names: HashMap<(Node, String), Node>,
    nodes: usize,
    events: Vec<Event>,
}

static RECORDINGS: Mutex<Vec<Recording>> = Mutex::new(Vec::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn recordings() -> MutexGuard<'static, Vec<Recording>> {
    RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the code under test around each of its changes.
pub(in crate::store::tests) fn changing<T>(
    change: Change<'_>,
    run: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let mut recordings = recordings();
    if recordings.is_empty() {
        drop(recordings);
        return run();
    }
    // Under the lock, so that the order of the record is that of the changes.
    let done = run()?;
    for recording in recordings.iter_mut() {
        recording.add(change);
    }
    Ok(done)
}

impl Recorder {
    /// Records what happens below `folder`, which is on the disk already.
    pub(super) fn start(folder: &Path) -> Self {
        let metadata = fs::metadata(folder).unwrap();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        recordings().push(Recording {
            id,
            known: HashMap::from([((metadata.dev(), metadata.ino()), 0)]),
            names: HashMap::new(),
            nodes: 1,
            events: Vec::new(),
        });
        Self(id)
    }

    pub(super) fn tell(&self, event: Event) {
        let mut recordings = recordings();
        recordings.iter_mut().find(|recording| recording.id == self.0).unwrap().events.push(event);
    }

    pub(super) fn events(&self) -> Vec<Event> {
        recordings().iter().find(|recording| recording.id == self.0).unwrap().events.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        recordings().retain(|recording| recording.id != self.0);
    }
}

impl Recording {
    fn add(&mut self, change: Change<'_>) {
        match change {
            Change::MakeAt(path) => {
                let above = File::open(path.parent().unwrap()).unwrap();
                self.made(&above, path.file_name().unwrap().to_str().unwrap());
            }
            Change::Make(folder, name) => self.made(folder, name),
            Change::Link(folder, from, to) => {
                let Some(folder) = self.node(folder) else { return };
                let node = self.names[&(folder, from.to_owned())];
                self.names_changed(folder, vec![(to.to_owned(), Some(node))]);
            }
            Change::Rename(folder, from, to) => {
                let Some(folder) = self.node(folder) else { return };
                let node = self.names[&(folder, from.to_owned())];
                self.names_changed(folder, vec![(from.to_owned(), None), (to.to_owned(), Some(node))]);
            }
            Change::Remove(folder, name) => {
                let Some(folder) = self.node(folder) else { return };
                self.names_changed(folder, vec![(name.to_owned(), None)]);
            }
            Change::Write(file, bytes) => {
                let Some(file) = self.node(file) else { return };
                self.events.push(Event::Appended(file, Bytes::copy_from_slice(bytes)));
            }
            Change::Sync(file, what) => {
                let Some(node) = self.node(file) else { return };
                self.events.push(Event::Synced(node, what));
            }
        }
    }

    /// The node of an open file; `None` where it lies elsewhere, or is gone.
    fn node(&self, file: &File) -> Option<Node> {
        let metadata = file.metadata().unwrap();
        self.known.get(&(metadata.dev(), metadata.ino())).copied()
    }

    fn made(&mut self, folder: &File, name: &str) {
        let Some(above) = self.node(folder) else { return };
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let is_folder = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
        let node = self.nodes;
        self.nodes += 1;
        self.known.insert((stat.st_dev, stat.st_ino), node);
        self.events.push(Event::New(node, if is_folder { Made::Folder } else { Made::File }));
        self.names_changed(above, vec![(name.to_owned(), Some(node))]);
    }

    fn names_changed(&mut self, folder: Node, changes: Names) {
        for (name, node) in &changes {
            let key = (folder, name.clone());
            let before = match node {
                Some(node) => self.names.insert(key, *node),
                None => self.names.remove(&key),
            };
            if let Some(before) = before
                && !self.names.values().any(|named| *named == before)
                && Some(before) != changes.iter().find_map(|(_, node)| *node)
            {
                self.known.retain(|_, known| *known != before);
            }
        }
        self.events.push(Event::Names(folder, changes));
    }
}
